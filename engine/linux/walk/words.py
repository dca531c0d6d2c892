"""Every why that the walker gives: one clause or one sentence, English and Korean side by side."""

from engine.say import Phrase

SENT = Phrase("{who} sends {packet}", "{who}이(가) {packet}을(를) 보냅니다")
KERNEL_SENT = Phrase("the kernel answers with {packet}", "커널이 {packet}(으)로 응답합니다")
ROUTED = Phrase(
    "longest match for {dst} in table {table}: out of {oif}, next hop {hop}",
    "{table} 테이블에서 {dst}에 가장 길게 일치하는 경로입니다. {oif}(으)로 나가고 다음 홉은 {hop}입니다",
)
ROUTED_DIRECT = Phrase(
    "longest match for {dst} in table {table}: out of {oif}, and {dst} is on that link itself",
    "{table} 테이블에서 {dst}에 가장 길게 일치하는 경로입니다. {oif}(으)로 나가며 {dst}은(는) 바로 그 링크에 있습니다",
)
SOURCE_CHOSEN = Phrase("; source becomes {src}", "; 출발지는 {src}(으)로 정해집니다")
IS_LOCAL = Phrase(
    "{dst} is an address of this namespace (table local): deliver here",
    "{dst}은(는) 이 네임스페이스의 주소(local 테이블)이므로 여기로 전달합니다",
)
REROUTED = Phrase(
    "destination or mark changed in OUTPUT, so the route is looked up again",
    "OUTPUT에서 목적지나 마크가 바뀌어 경로를 다시 찾습니다",
)
NO_ROUTE = Phrase(
    "no route to {dst}: no entry in any table that the rules name",
    "{dst}(으)로 가는 경로가 없습니다. 규칙이 가리키는 어느 테이블에도 없습니다",
)
BLACKHOLE = Phrase(
    "the best route for {dst} is a blackhole: gone in silence",
    "{dst}의 경로가 blackhole이라 조용히 사라집니다",
)
UNREACHABLE = Phrase("the best route for {dst} says unreachable", "{dst}의 경로가 unreachable입니다")
PROHIBIT = Phrase("the best route for {dst} says prohibit", "{dst}의 경로가 prohibit입니다")
NO_FORWARDING = Phrase(
    "the packet is for somebody else and net.ipv4.ip_forward is 0: dropped in silence",
    "다른 곳으로 갈 패킷인데 net.ipv4.ip_forward가 0이라 조용히 버려집니다",
)
FORWARDED = Phrase(
    "not for this host: forwarded from {iif} to {oif}, TTL {old} becomes {new}",
    "이 호스트의 것이 아니어서 {iif}에서 {oif}(으)로 전달합니다. TTL이 {old}에서 {new}(으)로 줄어듭니다",
)
TTL_ZERO = Phrase("TTL would become 0 here: time exceeded", "여기서 TTL이 0이 되어 시간 초과입니다")
MTU_EXCEEDED = Phrase(
    "{size} bytes do not fit into {oif} (MTU {mtu}) and the packet must not be fragmented",
    "{size}바이트는 {oif}(MTU {mtu})에 들어가지 않고 조각낼 수도 없습니다",
)
FRAGMENTS = Phrase(
    "{size} bytes exceed the MTU {mtu} of {oif}; fragments are not modelled, only DF packets are",
    "{size}바이트가 {oif}의 MTU {mtu}을(를) 넘습니다. 조각 모음은 모델에 없고 DF 패킷만 다룹니다",
)
RP_STRICT = Phrase(
    "rp_filter is 1 and the way back to {src} is not by {iif}",
    "rp_filter가 1인데 {src}(으)로 돌아가는 길이 {iif}이(가) 아닙니다",
)
RP_LOOSE = Phrase(
    "rp_filter is 2 and there is no route back to {src} at all",
    "rp_filter가 2인데 {src}(으)로 돌아가는 경로가 전혀 없습니다",
)
MARTIAN_SOURCE = Phrase(
    "{src} cannot come in by {iif}: it is this host's own or a loopback address (martian source)",
    "{src}은(는) 이 호스트 자신의 주소이거나 루프백 주소라 {iif}(으)로 들어올 수 없습니다(martian source)",
)
MARTIAN_DESTINATION = Phrase(
    "{dst} may not arrive by {iif}: loopback addresses stay inside unless route_localnet is 1 (martian destination)",
    "{dst}은(는) {iif}(으)로 들어올 수 없습니다. route_localnet이 1이 아니면 루프백 주소는 밖에서 쓸 수 없습니다",
)
LOOPBACK_LEAVES = Phrase(
    "a packet from {src} may not leave by {dev} unless route_localnet is 1 there",
    "{src}에서 온 패킷은 {dev}의 route_localnet이 1이 아니면 나갈 수 없습니다",
)
CT_NEW = Phrase(
    "first packet of a connection: it will walk the nat chains", "연결의 첫 패킷이므로 nat 체인을 거칩니다"
)
CT_FOUND = Phrase(
    "belongs to a known connection ({direction} direction): the nat chains are not walked",
    "이미 아는 연결에 속합니다({direction} 방향). nat 체인을 거치지 않습니다",
)
CT_RELATED = Phrase("an error about a known connection", "이미 아는 연결에 관한 오류입니다")
CT_INVALID = Phrase(
    "fits no connection and cannot begin one", "어떤 연결에도 맞지 않고 새 연결을 시작할 수도 없습니다"
)
CT_UNTRACKED = Phrase(
    "raw said NOTRACK: connection tracking leaves it alone", "raw에서 NOTRACK이라 연결 추적을 하지 않습니다"
)
CT_CONFIRMED = Phrase(
    "leaves this host: the connection is now entered", "이 호스트를 떠나므로 연결이 기록됩니다"
)
CT_CONFIRMED_IN = Phrase(
    "reaches this host: the connection is now entered", "이 호스트에 도착하므로 연결이 기록됩니다"
)
NAT_DST = Phrase("destination {old} becomes {new}", "목적지 {old}이(가) {new}(으)로 바뀝니다")
NAT_SRC = Phrase("source {old} becomes {new}", "출발지 {old}이(가) {new}(으)로 바뀝니다")
NAT_UNDO = Phrase(
    "the connection's entry turns the translation back: {old} becomes {new}",
    "연결 추적 항목이 주소 변환을 되돌립니다. {old}이(가) {new}(으)로 바뀝니다",
)
NAT_PORT_CLASH = Phrase(
    "every port of the range is taken: the packet is dropped",
    "범위의 모든 포트가 쓰이고 있어 패킷이 버려집니다",
)
NEIGH_KNOWN = Phrase("{ip} is known to be at {mac}", "{ip}의 MAC은 {mac}(으)로 알려져 있습니다")
NEIGH_ASKED = Phrase(
    "nobody knew {ip} yet; ARP answered {mac}",
    "{ip}을(를) 아직 몰라 ARP로 물었고 {mac}이라는 답을 받았습니다",
)
NEIGH_FAILED = Phrase(
    "asked three times who has {ip} on {dev}, one second apart: no answer",
    "{dev}에서 {ip}이(가) 누구인지 1초 간격으로 세 번 물었지만 답이 없습니다",
)
NEIGH_LOOPBACK = Phrase("loopback needs no neighbour", "루프백에는 이웃이 필요 없습니다")
OUT_OF = Phrase("leaves by {dev}", "{dev}(으)로 나갑니다")
INTO = Phrase("enters by {dev}", "{dev}(으)로 들어옵니다")
DEVICE_DOWN = Phrase("{dev} is down: the frame is lost", "{dev}이(가) 내려가 있어 프레임이 사라집니다")
NO_CARRIER = Phrase(
    "the other end of {dev} is down or missing (NO-CARRIER): the frame is lost",
    "{dev}의 반대쪽 끝이 내려가 있거나 없어(NO-CARRIER) 프레임이 사라집니다",
)
NOT_MINE = Phrase(
    "the frame is addressed to {mac}, not to this device: ignored",
    "프레임의 목적지 {mac}이(가) 이 장치가 아니어서 무시합니다",
)
LEARNED = Phrase(
    "{bridge} learns: {mac} is behind {port}", "{bridge}이(가) {mac}은(는) {port} 뒤에 있다고 학습합니다"
)
BRIDGE_UP = Phrase(
    "{mac} is {bridge}'s own address: up to the IP layer",
    "{mac}은(는) {bridge} 자신의 주소라 IP 계층으로 올라갑니다",
)
BRIDGE_TO = Phrase(
    "{mac} was learned behind {port}: out of that port only",
    "{mac}은(는) {port} 뒤에 있다고 학습되어 그 포트로만 나갑니다",
)
BRIDGE_FLOOD = Phrase(
    "no fdb entry for {mac}: out of every port but its own ({ports})",
    "{mac}의 fdb 항목이 없어 들어온 포트를 뺀 모든 포트({ports})로 내보냅니다",
)
BRIDGE_BROADCAST = Phrase(
    "a broadcast: out of every port but its own ({ports})",
    "브로드캐스트라 들어온 포트를 뺀 모든 포트({ports})로 내보냅니다",
)
BRIDGE_SAME_PORT = Phrase(
    "{mac} is behind the port it came from, and hairpin is off there: dropped",
    "{mac}은(는) 들어온 포트 뒤에 있고 그 포트의 hairpin이 꺼져 있어 버려집니다",
)
BRIDGE_ISOLATED = Phrase(
    "both ports are isolated: isolated ports do not talk to each other",
    "두 포트 모두 isolated라 서로 통신하지 못합니다",
)
BRIDGE_NO_PORT = Phrase("no other port to send it to", "내보낼 다른 포트가 없습니다")
BRIDGE_DNAT = Phrase(
    "DNAT inside the bridge: {dst} is on {bridge} itself, so the frame gets that neighbour's address and stays layer 2",
    "브리지 안에서 DNAT되었습니다. {dst}은(는) {bridge}에 있으므로 그 이웃의 MAC을 달고 L2로 계속 갑니다",
)
BRIDGE_DNAT_UP = Phrase(
    "after DNAT {dst} is not on {bridge}: the frame goes up to the IP layer to be routed",
    "DNAT 후의 {dst}은(는) {bridge}에 없으므로 라우팅을 위해 IP 계층으로 올라갑니다",
)
ARP_MINE = Phrase(
    "{ip} is my address: I answer with my MAC {mac}", "{ip}은(는) 내 주소이므로 내 MAC {mac}(으)로 답합니다"
)
ARP_PROXY = Phrase(
    "proxy_arp: my route to {ip} leaves by {dev}, so I answer in its place",
    "proxy_arp가 켜져 있고 {ip}(으)로 가는 내 경로가 {dev}(으)로 나가므로 대신 답합니다",
)
ARP_NOT_MINE = Phrase("{ip} is not my address: silence", "{ip}은(는) 내 주소가 아니므로 답하지 않습니다")
ARP_IGNORED = Phrase("arp_ignore forbids an answer here", "arp_ignore 때문에 답하지 않습니다")
ARP_LEARNED = Phrase("noted: {ip} is at {mac}", "{ip}의 MAC은 {mac}(이)라고 기록합니다")
DROPPED_BY_RULE = Phrase("the rule says DROP", "규칙이 DROP입니다")
DROPPED_BY_POLICY = Phrase(
    "no rule decided and the policy of {chain} is DROP", "결정한 규칙이 없고 {chain}의 정책이 DROP입니다"
)
REJECTED_BY_RULE = Phrase("the rule says REJECT ({how})", "규칙이 REJECT({how})입니다")
TO_SOCKET = Phrase("{who} listens on {where}: handed over", "{who}이(가) {where}에서 듣고 있어 넘겨줍니다")
TO_CLIENT = Phrase("the answer reaches the socket that asked", "응답이 물었던 소켓에 도착합니다")
NO_SOCKET_TCP = Phrase(
    "nothing listens on {where}: the kernel answers RST (connection refused)",
    "{where}에서 듣는 프로그램이 없어 커널이 RST로 답합니다(connection refused)",
)
NO_SOCKET_UDP = Phrase(
    "nothing listens on {where}: the kernel answers ICMP port unreachable",
    "{where}에서 듣는 프로그램이 없어 커널이 ICMP port unreachable로 답합니다",
)
NO_SOCKET_ICMP = Phrase(
    "nobody here asked for this answer: ignored", "이 응답을 기다리는 쪽이 없어 무시합니다"
)
ECHO = Phrase("the kernel itself answers an echo request", "echo 요청에는 커널이 직접 답합니다")
ECHO_IGNORED = Phrase("icmp_echo_ignore_all is 1: no answer", "icmp_echo_ignore_all이 1이라 답하지 않습니다")
ICMP_ERROR_IN = Phrase(
    "the error is handed to the socket whose packet it quotes", "오류가 인용한 패킷을 보낸 소켓에 전달됩니다"
)
WRONG_ANSWERER = Phrase(
    "an answer from {src}, but the socket asked somebody else: the kernel answers RST",
    "{src}에서 온 응답이지만 소켓이 물은 상대가 아니므로 커널이 RST로 답합니다",
)
PROTO_UNKNOWN = Phrase(
    "no protocol handler for IP protocol {proto}", "IP 프로토콜 {proto}을(를) 처리할 수 없습니다"
)
LOOPED = Phrase("the frame circles: the bridges form a loop", "브리지들이 고리를 이루어 프레임이 맴돕니다")
BROADCAST_NOT_MODELLED = Phrase(
    "IP broadcast and multicast are not modelled", "IP 브로드캐스트와 멀티캐스트는 모델에 없습니다"
)
