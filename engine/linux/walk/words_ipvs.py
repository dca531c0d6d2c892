"""The whys of IPVS: one clause or one sentence, English and Korean side by side."""

from engine.say import Phrase

CHOSEN = Phrase(
    "IPVS has the virtual service {service}: its scheduler {scheduler} chooses {to}",
    "IPVS에 가상 서비스 {service}이(가) 있습니다. 스케줄러 {scheduler}이(가) {to}을(를) 고릅니다",
)
STICKS = Phrase(
    "IPVS has the persistent virtual service {service} ({scheduler}): this client belongs to {to}",
    "IPVS에 지속(persistent) 가상 서비스 {service}({scheduler})이(가) 있고, 이 클라이언트는 {to}에 묶여 있습니다",
)
KNOWN = Phrase(
    "IPVS knows this connection: its server is {to}", "IPVS가 이미 아는 연결입니다. 서버는 {to}입니다"
)
NO_SERVER = Phrase(
    "the virtual service `{service}` has no server that {scheduler} could choose: IPVS answers ICMP port unreachable",
    "가상 서비스 `{service}`에 {scheduler}이(가) 고를 수 있는 서버가 없어 IPVS가 ICMP port unreachable로 응답합니다",
)
SERVER_GONE = Phrase(
    "the connection's server {to} was removed, and expire_nodest_conn is 0: dropped in silence",
    "연결의 서버 {to}이(가) 삭제되었고 expire_nodest_conn이 0이라 아무 응답 없이 버려집니다",
)
STARTS_ANEW = Phrase(
    "IPVS ends the old connection and its conntrack entry; this packet goes with them, the next try gets a new server",
    "IPVS가 이전 연결과 연결 추적 항목을 끝내며 이 패킷도 버립니다. 다시 시도하면 새 서버가 정해집니다",
)
TO_LOOPBACK = Phrase(
    "a packet from outside may not be sent to {to}", "밖에서 온 패킷을 {to}(으)로 보낼 수 없습니다"
)
DIRECT = Phrase(
    "direct routing: the packet for {virtual} goes to the MAC of {to} unchanged",
    "다이렉트 라우팅이므로 {virtual}(으)로 가는 패킷을 그대로 {to}의 MAC으로 보냅니다",
)
TUNNELLED = Phrase(
    "IPVS puts the packet in an IPIP header to {to}", "IPVS가 패킷에 {to}(으)로 가는 IPIP 헤더를 씌웁니다"
)
SENT_ON = Phrase(
    "IPVS sends it on by {oif}: through OUTPUT and POSTROUTING, not FORWARD",
    "IPVS가 {oif}(으)로 내보냅니다. FORWARD가 아니라 OUTPUT과 POSTROUTING을 거칩니다",
)
TURNED_BACK = Phrase(
    "an answer of a real server: IPVS turns its source {old} back to {new}",
    "실제 서버의 응답이므로 IPVS가 출발지 {old}을(를) {new}(으)로 되돌립니다",
)
REROUTED = Phrase(
    "its source is the virtual address now, so the route is looked up again",
    "출발지가 가상 주소로 바뀌어 경로를 다시 찾습니다",
)
