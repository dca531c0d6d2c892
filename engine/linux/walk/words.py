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
    "{dst}에 가장 잘 맞는 경로가 blackhole이라 아무 응답 없이 사라집니다",
)
UNREACHABLE = Phrase(
    "the best route for {dst} says unreachable", "{dst}에 가장 잘 맞는 경로가 unreachable입니다"
)
PROHIBIT = Phrase("the best route for {dst} says prohibit", "{dst}에 가장 잘 맞는 경로가 prohibit입니다")
NO_FORWARDING = Phrase(
    "the packet is for another host and net.ipv4.ip_forward is 0: dropped in silence",
    "다른 곳으로 가는 패킷인데 net.ipv4.ip_forward가 0이라 아무 응답 없이 버려집니다",
)
STEERED = Phrase(
    "TPROXY gave it to a socket here, but routing leads onward: a packet that has a socket is not forwarded",
    "TPROXY가 이 머신의 소켓에 넘겼지만 라우팅은 다른 곳을 가리킵니다. 소켓이 정해진 패킷은 전달하지 않습니다",
)
FORWARDED = Phrase(
    "not for this host: forwarded from {iif} to {oif}, TTL {old} becomes {new}",
    "이 호스트로 온 것이 아니므로 {iif}에서 {oif}(으)로 포워딩합니다. TTL이 {old}에서 {new}(으)로 줄어듭니다",
)
TTL_ZERO = Phrase(
    "TTL would become 0 here: time exceeded", "여기서 TTL이 0이 되므로 시간 초과(time exceeded)입니다"
)
MTU_EXCEEDED = Phrase(
    "{size} bytes do not fit into {oif} (MTU {mtu}) and the packet must not be fragmented",
    "{size}바이트는 {oif}의 MTU {mtu}보다 크고, DF가 켜져 있어 단편화할 수도 없습니다",
)
TOO_LONG_FOR_PEER = Phrase(
    "{size} bytes are more than {dev} at the other end of the wire takes (MTU {mtu}): it throws the frame away "
    "in silence",
    "{size}바이트는 반대쪽 끝 {dev}의 MTU {mtu}보다 커서, 받는 쪽이 아무 말 없이 버립니다",
)
FRAGMENTED = Phrase(
    "{size} bytes exceed the MTU {mtu} and DF is not set: it is cut into {count} fragments; only the first has "
    "the ports",
    "{size}바이트가 MTU {mtu}을(를) 넘고 DF가 꺼져 있어 {count}개로 단편화합니다. 포트는 첫 조각에만 있습니다",
)
FRAGMENT_HELD = Phrase(
    "a fragment: it waits here for the rest of its datagram ({count} so far)",
    "단편입니다. 데이터그램의 나머지가 올 때까지 여기서 기다립니다(지금까지 {count}개)",
)
REASSEMBLED = Phrase(
    "the last of {count} fragments: the datagram of {size} bytes is whole again",
    "{count}개 단편 가운데 마지막이 도착해 {size}바이트 데이터그램이 다시 합쳐졌습니다",
)
RP_STRICT = Phrase(
    "rp_filter is 1 and the route back to {src} does not leave by {iif}",
    "rp_filter가 1인데 {src}(으)로 돌아가는 길이 {iif} 쪽이 아닙니다",
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
    "{dst}은(는) {iif}(으)로 들어올 수 없는 루프백 주소입니다(martian destination, route_localnet이 0)",
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
    "이미 추적 중인 연결의 패킷({direction} 방향)이므로 nat 체인을 거치지 않습니다",
)
CT_RELATED = Phrase("an error about a known connection", "이미 추적 중인 연결에 대한 오류 메시지입니다")
CT_INVALID = Phrase(
    "fits no connection and cannot begin one", "어떤 연결에도 맞지 않고 새 연결을 시작할 수도 없습니다"
)
CT_UNTRACKED = Phrase(
    "raw said NOTRACK: connection tracking leaves it alone",
    "raw 테이블의 NOTRACK 때문에 연결 추적을 하지 않습니다",
)
CT_CONFIRMED = Phrase(
    "leaves this host: the connection is now entered",
    "이 호스트를 떠나므로 이제 연결이 추적 테이블에 등록됩니다",
)
CT_CONFIRMED_IN = Phrase(
    "reaches this host: the connection is now entered",
    "이 호스트에 도착했으므로 이제 연결이 추적 테이블에 등록됩니다",
)
NAT_DST = Phrase("destination {old} becomes {new}", "목적지 {old}이(가) {new}(으)로 바뀝니다")
NAT_SRC = Phrase("source {old} becomes {new}", "출발지 {old}이(가) {new}(으)로 바뀝니다")
NAT_UNDO = Phrase(
    "the connection's entry turns the translation back: {old} becomes {new}",
    "연결 추적 항목이 주소 변환을 되돌립니다. {old}이(가) {new}(으)로 바뀝니다",
)
NAT_ERROR = Phrase(
    "the connection's entry turns the error too: {old} becomes {new}, and in the packet that it quotes {quoted_old} "
    "becomes {quoted_new}",
    "연결 추적 항목이 오류 메시지의 주소도 되돌립니다. {old}이(가) {new}(으)로, 인용한 패킷 안의 {quoted_old}이(가) "
    "{quoted_new}(으)로 바뀝니다",
)
NAT_QUOTED = Phrase(
    "the connection's entry turns the packet that the error quotes: {old} becomes {new}",
    "연결 추적 항목이 오류 메시지가 인용한 패킷의 주소를 되돌립니다. {old}이(가) {new}(으)로 바뀝니다",
)
NO_ADDRESS = Phrase(
    "{dev} has no address that could be used: the packet is dropped",
    "{dev}에 쓸 수 있는 주소가 없어 패킷이 버려집니다",
)
MASQ_DEVICE_CHANGED = Phrase(
    "the connection was masqueraded for another device than {dev}: its entry is deleted and the packet dropped",
    "이 연결은 {dev}이(가) 아닌 다른 장치의 주소로 MASQUERADE되어 있으므로, 항목을 지우고 패킷을 버립니다",
)
CT_FULL = Phrase(
    "the connection table is full (nf_conntrack_max {limit}): a packet that would begin a connection is dropped",
    "연결 추적 테이블이 가득 차서(nf_conntrack_max {limit}) 새 연결을 시작하는 패킷이 버려집니다",
)
NAT_PORT_CLASH = Phrase(
    "no free port was found, and another connection has these addresses and ports: the packet is dropped",
    "빈 포트를 찾지 못했고 같은 주소와 포트를 쓰는 연결이 이미 있어 패킷이 버려집니다",
)
NEIGH_KNOWN = Phrase("{ip} is known to be at {mac}", "{ip}의 MAC이 {mac}(이)라는 것을 이미 알고 있습니다")
NEIGH_ASKED = Phrase(
    "nobody knew {ip} yet; ARP answered {mac}",
    "{ip}의 MAC을 아직 몰라 ARP로 물었고 {mac}(이)라는 답을 받았습니다",
)
NEIGH_FAILED = Phrase(
    "asked three times who has {ip} on {dev}, one second apart: no answer",
    "{dev}에서 {ip}의 MAC을 1초 간격으로 세 번 물었지만 답이 없습니다",
)
NEIGH_LOOPBACK = Phrase("loopback needs no neighbour", "루프백에서는 이웃의 MAC을 찾을 필요가 없습니다")
OUT_OF = Phrase("leaves by {dev}", "{dev}(으)로 나갑니다")
INTO = Phrase("enters by {dev}", "{dev}(으)로 들어옵니다")
DEVICE_DOWN = Phrase("{dev} is down: the frame is lost", "{dev}이(가) DOWN 상태라 프레임이 사라집니다")
NO_CARRIER = Phrase(
    "the other end of {dev} is down or missing (NO-CARRIER): the frame is lost",
    "{dev}의 반대쪽 끝이 DOWN이거나 없어서(NO-CARRIER) 프레임이 사라집니다",
)
NOT_MINE = Phrase(
    "the frame is addressed to {mac}, not to this device: ignored",
    "프레임의 목적지 {mac}이(가) 이 장치의 MAC이 아니므로 무시합니다",
)
LEARNED = Phrase(
    "{bridge} learns: {mac} is behind {port}", "{bridge}이(가) {mac}의 포트를 {port}(으)로 학습합니다"
)
BRIDGE_UP = Phrase(
    "{mac} is {bridge}'s own address: up to the IP layer",
    "{mac}은(는) {bridge} 자신의 MAC이므로 IP 계층으로 올라갑니다",
)
BRIDGE_TO = Phrase(
    "{mac} was learned behind {port}: out of that port only",
    "{mac}의 포트를 {port}(으)로 학습해 두었으므로 그 포트로만 내보냅니다",
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
    "{mac}은(는) 들어온 포트 쪽에 있고 그 포트의 hairpin이 꺼져 있어 버려집니다",
)
BRIDGE_ISOLATED = Phrase(
    "both ports are isolated: isolated ports do not talk to each other",
    "두 포트가 모두 isolated라 서로 통신하지 못합니다",
)
BRIDGE_NO_PORT = Phrase("no other port to send it to", "내보낼 다른 포트가 없습니다")
BRIDGE_DNAT = Phrase(
    "DNAT inside the bridge: {dst} is on {bridge} itself, so the frame gets that neighbour's address and stays layer 2",
    "브리지 안에서 DNAT되었습니다. {dst}이(가) {bridge}에 있으므로 목적지 MAC만 바꾸어 L2로 계속 갑니다",
)
BRIDGE_DNAT_UP = Phrase(
    "after DNAT {dst} is not on {bridge}: the frame goes up to the IP layer to be routed",
    "DNAT 뒤의 목적지 {dst}이(가) {bridge}에 없으므로 라우팅하러 IP 계층으로 올라갑니다",
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
ARP_LEARNED = Phrase("noted: {ip} is at {mac}", "{ip}의 MAC을 {mac}(으)로 기록합니다")
DROPPED_BY_RULE = Phrase("the rule says DROP", "규칙의 타깃이 DROP입니다")
DROPPED_BY_POLICY = Phrase(
    "no rule decided and the policy of {chain} is DROP", "결정한 규칙이 없고 {chain}의 기본 정책이 DROP입니다"
)
REJECTED_BY_RULE = Phrase("the rule says REJECT ({how})", "규칙의 타깃이 REJECT({how})입니다")
TO_SOCKET = Phrase(
    "{who} listens on {where}: handed over", "{who}이(가) {where}에서 수신 대기(listen) 중이므로 넘겨줍니다"
)
TO_CLIENT = Phrase("the answer reaches the socket that asked", "응답이 요청을 보낸 소켓에 도착합니다")
NO_SOCKET_TCP = Phrase(
    "nothing listens on {where}: the kernel answers RST (connection refused)",
    "{where}에서 수신 대기하는 프로그램이 없어 커널이 RST로 응답합니다(connection refused)",
)
QUEUE_FULL = Phrase(
    "{n} connections wait on {where} that its program has not accepted, more than its backlog of {backlog}: "
    "the SYN is dropped",
    "{where}에서 프로그램이 받아들이지(accept) 않은 연결 {n}개가 기다려 backlog {backlog}을(를) 넘었으므로 SYN을 "
    "버립니다",
)
FOREIGN_SILENT = Phrase(
    "no socket takes it, and {where} is not an address of this machine: the kernel may not answer from it",
    "받을 소켓이 없고 {where}은(는) 이 머신의 주소가 아니므로, 커널은 그 주소로 응답하지 못합니다",
)
NO_SOCKET_UDP = Phrase(
    "nothing listens on {where}: the kernel answers ICMP port unreachable",
    "{where}에서 수신 대기하는 프로그램이 없어 커널이 ICMP port unreachable로 응답합니다",
)
NO_SOCKET_SCTP = Phrase(
    "nothing listens on {where}: the kernel answers ABORT",
    "{where}에서 수신 대기하는 프로그램이 없어 커널이 ABORT로 응답합니다",
)
NO_SOCKET_ICMP = Phrase(
    "nobody here asked for this answer: ignored", "이 응답을 기다리는 쪽이 없어 무시합니다"
)
ECHO = Phrase("the kernel itself answers an echo request", "echo 요청에는 커널이 직접 응답합니다")
ECHO_IGNORED = Phrase(
    "icmp_echo_ignore_all is 1: no answer", "icmp_echo_ignore_all이 1이라 응답하지 않습니다"
)
ICMP_ERROR_IN = Phrase(
    "the error is handed to the socket whose packet it quotes",
    "오류 메시지가 인용한 패킷을 보냈던 소켓에 전달됩니다",
)
WRONG_ANSWERER = Phrase(
    "an answer from {src}, but the socket has asked another address: the kernel answers RST",
    "{src}에서 응답이 왔지만 소켓이 연결하려던 상대가 아니므로 커널이 RST로 응답합니다",
)
PROTO_UNKNOWN = Phrase(
    "no protocol handler for IP protocol {proto}", "IP 프로토콜 {proto}을(를) 처리할 수 없습니다"
)
LOOPED = Phrase(
    "the bridges form a loop, and the frame goes round in it",
    "브리지들이 루프를 이루어 프레임이 끝없이 돕니다",
)
BROADCAST_NOT_MODELLED = Phrase(
    "IP broadcast and multicast are not modelled", "IP 브로드캐스트와 멀티캐스트는 모델에 없습니다"
)
