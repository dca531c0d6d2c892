"""The whys of tunnels and of devices on devices, English and Korean side by side."""

from engine.say import Phrase

VXLAN_TO = Phrase(
    "{dev} sends {mac} to {remote}: the frame travels inside UDP port {port} with VNI {vni}",
    "{dev}은(는) {mac}(으)로 가는 프레임을 {remote}(으)로 보냅니다. 프레임은 UDP 포트 {port}, VNI {vni}에 담겨 갑니다",
)
VXLAN_DEFAULT = Phrase(
    "{dev} has no entry for {mac}, so the entry for everything else decides: to {remote}, UDP port {port}, VNI {vni}",
    "{dev}에 {mac} 항목이 없어 나머지 전부를 뜻하는 항목을 따릅니다. {remote}의 UDP 포트 {port}, "
    "VNI {vni}(으)로 갑니다",
)
VXLAN_NO_ENTRY = Phrase(
    "{dev} has no forwarding entry for {mac} and no default remote: dropped in silence",
    "{dev}에 {mac}의 포워딩 항목도 기본 원격 주소도 없어 아무 응답 없이 버려집니다",
)
VXLAN_NOWHERE = Phrase(
    "{dev}'s entry for {mac} names no remote address: dropped",
    "{dev}의 {mac} 항목에 원격 주소가 없어 버려집니다",
)
VXLAN_COPIES = Phrase(
    "the entry has {n} remotes: one copy to each of them",
    "항목에 원격 주소가 {n}개 있어 각각 하나씩 복사해 보냅니다",
)
VXLAN_MOVED = Phrase(
    "{dev} learns from the outer source: {mac} is behind {remote}",
    "{dev}이(가) 바깥 헤더의 출발지를 보고 학습합니다. {mac}은(는) {remote} 뒤에 있습니다",
)
VXLAN_STATIC = Phrase(
    "{mac} came from {remote}, but {dev} has it by hand behind {known}: dropped",
    "{mac}이(가) {remote}에서 왔지만 {dev}에는 {known} 뒤에 있다고 손으로 적혀 있어 버려집니다",
)
VXLAN_OWN_FRAME = Phrase(
    "the inner source {mac} is {dev}'s own address: a frame that came back, dropped",
    "안쪽 출발지 {mac}이(가) {dev} 자신의 MAC입니다. 되돌아온 프레임이므로 버립니다",
)
VXLAN_NO_DEVICE = Phrase(
    "no device here has VNI {vni} on UDP port {port}: dropped",
    "UDP 포트 {port}에 VNI {vni}인 장치가 없어 버려집니다",
)
VXLAN_BYPASS = Phrase(
    "{remote} is this very host: the frame goes straight to {dev}, not through UDP",
    "{remote}은(는) 바로 이 호스트이므로 프레임이 UDP를 거치지 않고 {dev}(으)로 바로 들어갑니다",
)
BYPASS_OLD_ROUTE = Phrase(
    "it reaches {dev} with the route that it left by, which leads out, not in: the kernel discards it",
    "패킷이 나갈 때 쓴 경로를 그대로 지닌 채 {dev}에 도착합니다. 들어오는 경로가 아니므로 커널이 버립니다",
)
NO_METADATA = Phrase(
    "{dev} is external: without a tunnel key from a route or a program it does not know where to send: dropped",
    "{dev}은(는) external 장치라 경로나 프로그램이 터널 정보를 주지 않으면 보낼 곳을 몰라 버립니다",
)
KEYED = Phrase(
    "the packet carries a tunnel key: {dev} sends it to {remote} with id {vni}",
    "패킷에 터널 정보가 있어 {dev}이(가) id {vni}(으)로 {remote}에 보냅니다",
)
UNWRAPPED = Phrase(
    "the outer headers come off: {dev} receives what was inside",
    "바깥 헤더를 벗기고 {dev}이(가) 안에 든 것을 받습니다",
)
TUNNEL_DOWN = Phrase(
    "{dev} is down: what was inside is dropped", "{dev}이(가) DOWN 상태라 안에 든 것을 버립니다"
)
GENEVE_TO = Phrase(
    "{dev} sends everything to {remote}: UDP port {port}, VNI {vni}",
    "{dev}은(는) 모든 프레임을 {remote}(으)로 보냅니다. UDP 포트 {port}, VNI {vni}입니다",
)
GENEVE_NO_REMOTE = Phrase("{dev} has no remote: dropped", "{dev}에 원격 주소가 없어 버립니다")
IPIP_TO = Phrase(
    "{dev} puts an outer IPv4 header in front: to {remote}",
    "{dev}이(가) 바깥 IPv4 헤더를 붙여 {remote}(으)로 보냅니다",
)
IPIP_NEXT_HOP = Phrase(
    "{dev} has no remote of its own, so the route's next hop {remote} becomes the outer destination",
    "{dev}에는 정해진 원격 주소가 없으므로 경로의 다음 홉 {remote}이(가) 바깥 목적지가 됩니다",
)
IPIP_NO_DEVICE = Phrase(
    "no ipip device here takes packets from {src} to {dst}: port unreachable",
    "{src}에서 {dst}(으)로 온 패킷을 받는 ipip 장치가 없습니다(port unreachable)",
)
OUTER_NO_ROUTE = Phrase(
    "no route to the tunnel's far end {dst}: dropped",
    "터널의 반대쪽 끝 {dst}(으)로 가는 경로가 없어 버려집니다",
)
OUTER_NOT_OURS = Phrase(
    "{src} is no address of this host, so the outer packet cannot have it as source: dropped",
    "{src}은(는) 이 호스트의 주소가 아니어서 바깥 출발지로 쓸 수 없으므로 버려집니다",
)
OUTER_CIRCLE = Phrase(
    "the route to the tunnel's far end {dst} leads into {dev} itself: dropped",
    "터널의 반대쪽 끝 {dst}(으)로 가는 경로가 {dev} 자신을 가리켜 버려집니다",
)
INNER_TOO_BIG = Phrase(
    "{size} bytes do not fit: the way to the far end leaves {mtu} for what is inside, and the packet must not be cut",
    "{size}바이트는 너무 큽니다. 반대쪽 끝까지 안에 담을 수 있는 크기는 {mtu}바이트이고 DF가 켜져 있습니다",
)
WG_PEER = Phrase(
    "{dst} is among the allowed IPs of peer {peer}: sealed for it and sent to {remote}",
    "{dst}은(는) 피어 {peer}의 allowed IPs에 들어 있으므로 그 피어의 키로 암호화해 {remote}(으)로 보냅니다",
)
WG_NO_PEER = Phrase(
    "no peer of {dev} has {dst} among its allowed IPs: required key not available",
    "{dev}의 어느 피어도 {dst}을(를) allowed IPs에 갖고 있지 않습니다(Required key not available)",
)
WG_NO_ENDPOINT = Phrase(
    "peer {peer} has no endpoint yet, it must speak first: destination address required",
    "피어 {peer}의 endpoint를 아직 모릅니다. 그쪽이 먼저 보내야 합니다(Destination address required)",
)
WG_HANDSHAKE = Phrase(
    "no session with peer {peer} yet: a handshake first",
    "피어 {peer}와(과) 세션이 아직 없어 먼저 handshake를 합니다",
)
WG_NO_ANSWER = Phrase(
    "the handshake with peer {peer} is not answered: the packet waits and is dropped",
    "피어 {peer}이(가) handshake에 답하지 않아 패킷은 기다리다가 버려집니다",
)
WG_UNKNOWN = Phrase(
    "{dev} knows no peer with the key of this message: dropped in silence",
    "{dev}에는 이 메시지를 보낸 키의 피어가 없어 아무 응답 없이 버립니다",
)
WG_WRONG_SOURCE = Phrase(
    "{src} is not among the allowed IPs of peer {peer}, who sent it: dropped",
    "{src}은(는) 이것을 보낸 피어 {peer}의 allowed IPs에 없어 버려집니다",
)
WG_NO_SESSION = Phrase(
    "{dev} has no session with the sender: dropped in silence",
    "{dev}에는 보낸 쪽과의 세션이 없어 조용히 버립니다",
)
WG_SHAKEN = Phrase(
    "{dev} answers the handshake of peer {peer}, now at {remote}",
    "{dev}이(가) 피어 {peer}의 handshake에 답합니다. 피어는 이제 {remote}에 있습니다",
)
WG_READY = Phrase(
    "the handshake with peer {peer} is complete: there is a session",
    "피어 {peer}와(과) handshake가 끝나 세션이 생겼습니다",
)
MACVLAN_OUT = Phrase(
    "{dev} lies on {lower}: out by it", "{dev}은(는) {lower} 위에 있으므로 {lower}(으)로 나갑니다"
)
MACVLAN_LOCAL = Phrase(
    "{mac} is another macvlan on {lower}: it turns around there, without reaching the wire",
    "{mac}은(는) {lower} 위의 다른 macvlan입니다. 선까지 가지 않고 {lower}에서 되돌아 들어갑니다",
)
MACVLAN_IN = Phrase(
    "{mac} belongs to {dev}, which lies on {lower}: handed up to it",
    "{mac}은(는) {lower} 위에 있는 {dev}의 MAC이므로 그 장치로 올라갑니다",
)
MACVLAN_COPY = Phrase(
    "a broadcast: also a copy to each device on {lower} ({devs})",
    "브로드캐스트라 {lower} 위의 장치들({devs})에도 하나씩 복사합니다",
)
LOWER_GONE = Phrase("the device below {dev} is gone", "{dev} 아래의 장치가 없어졌습니다")
IPVLAN_LOCAL = Phrase(
    "{ip} is an address of another ipvlan on {lower}: handed over there",
    "{ip}은(는) {lower} 위의 다른 ipvlan의 주소이므로 거기서 바로 건넵니다",
)
IPVLAN_IN = Phrase(
    "{ip} is an address of {dev}, which shares {lower}: handed up to it",
    "{ip}은(는) {lower}을(를) 함께 쓰는 {dev}의 주소이므로 그 장치로 올라갑니다",
)
IPVLAN_OUT = Phrase(
    "{dev} is in layer 3 mode: the namespace of {lower} routes the packet on",
    "{dev}은(는) L3 모드이므로 {lower}이(가) 있는 네임스페이스가 패킷을 라우팅합니다",
)
IPVLAN_PRIVATE = Phrase(
    "{lower} is private: its ipvlans do not talk to each other",
    "{lower}의 ipvlan은 private이라 서로 통신하지 못합니다",
)
IPVLAN_NO_MULTICAST = Phrase(
    "in layer 3 mode broadcasts go nowhere", "L3 모드에서는 브로드캐스트가 아무 데로도 가지 않습니다"
)
TO_PROGRAM = Phrase(
    "{who} holds {dev} open: the packet goes to the program",
    "{who}이(가) {dev}을(를) 열고 있으므로 패킷은 그 프로그램으로 갑니다",
)
NO_PROGRAM = Phrase(
    "no program holds {dev} open: the packet is dropped",
    "{dev}을(를) 열고 있는 프로그램이 없어 패킷이 버려집니다",
)
SWALLOWED = Phrase(
    "{dev} is a {kind} device: what is sent into it is gone",
    "{dev}은(는) {kind} 장치라 보낸 것은 그대로 사라집니다",
)
NEIGH_NOARP = Phrase(
    "{dev} has no ARP: no question for {ip}", "{dev}은(는) ARP를 쓰지 않으므로 {ip}의 MAC을 묻지 않습니다"
)
SUPPRESSED = Phrase(
    "{bridge} knows {ip} itself and answers in its place (neigh_suppress)",
    "{bridge}이(가) {ip}을(를) 알고 있어 대신 답합니다(neigh_suppress)",
)
