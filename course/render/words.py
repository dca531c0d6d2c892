"""What the player says: step kinds as short clauses, outcomes and fidelities as words, in English and Korean.

Rules. A clause is made from a Step's own fields, never from a lesson. It has no end mark and fits a table cell; the
sentence that explains is the step's `why`. Every StepKind and Outcome has both languages (a test proves it). Texts
hold no glyph that the ASCII set lacks.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.linux.addr import mac_text, text4
from engine.linux.journey import Fidelity, Outcome, Step, StepKind
from engine.linux.packet import ICMP_WORDS, Icmp, Packet, Payload, Sctp, Tcp, Udp
from engine.say import Phrase, Said, plain

#: One word for how a walk ended; `journey.OUTCOMES` has the sentence.
OUTCOME_WORDS: dict[Outcome, Phrase] = {
    Outcome.DELIVERED: Phrase("delivered", "도착"),
    Outcome.REFUSED: Phrase("refused", "거절됨"),
    Outcome.REJECTED: Phrase("rejected", "거부됨"),
    Outcome.DROPPED: Phrase("dropped", "버려짐"),
    Outcome.NO_ROUTE: Phrase("no route", "경로 없음"),
    Outcome.UNRESOLVED_NEIGHBOUR: Phrase("no ARP answer", "ARP 응답 없음"),
    Outcome.REVERSE_PATH_FILTERED: Phrase("wrong way back", "역경로 불일치"),
    Outcome.TTL_EXCEEDED: Phrase("TTL is zero", "TTL 소진"),
    Outcome.TOO_BIG: Phrase("too big", "너무 큼"),
    Outcome.LOOP: Phrase("a loop", "루프"),
    Outcome.NO_ANSWER: Phrase("no answer", "응답 없음"),
    Outcome.NAME_NOT_FOUND: Phrase("name not found", "이름 없음"),
    Outcome.DENIED: Phrase("denied", "처리 거부"),
    Outcome.NOT_MODELLED: Phrase("not modelled", "모델에 없음"),
}

FIDELITY_WORDS: dict[Fidelity, Phrase] = {
    Fidelity.KERNEL_CHECKED: Phrase("checked against the kernel", "커널과 대조함"),
    Fidelity.DOCUMENTED: Phrase("from documents", "문서에 따름"),
    Fidelity.SIMPLIFIED: Phrase("simplified", "단순화함"),
}

#: The plain clause of each kind, used when the step's fields tell nothing more.
KIND_WORDS: dict[StepKind, Phrase] = {
    StepKind.SEND: Phrase("sends {packet}", "{packet} 보냄"),
    StepKind.ROUTE: Phrase("looks up the route", "경로를 찾음"),
    StepKind.LOCAL: Phrase("it is for this namespace", "이 네임스페이스로 온 패킷"),
    StepKind.RPFILTER: Phrase("checks the way back to the source", "출발지로 돌아갈 길 확인"),
    StepKind.CONNTRACK: Phrase("conntrack: {verdict}", "conntrack: {verdict}"),
    StepKind.RULE: Phrase("{table} {chain} rule {number} matches", "{table} {chain} {number}번 규칙 일치"),
    StepKind.POLICY: Phrase("end of {table} {chain}: policy {verdict}", "{table} {chain} 끝: 정책 {verdict}"),
    StepKind.NAT: Phrase("the address is rewritten", "주소를 바꿈"),
    StepKind.IPVS: Phrase("IPVS takes it", "IPVS가 처리함"),
    StepKind.FORWARD: Phrase("forwards it, TTL {ttl}", "포워딩함, TTL {ttl}"),
    StepKind.MTU: Phrase("compares it with the MTU", "MTU와 비교함"),
    StepKind.NEIGHBOUR: Phrase("finds the next hop's MAC", "다음 홉의 MAC을 찾음"),
    StepKind.TRANSMIT: Phrase("leaves this namespace", "네임스페이스를 나감"),
    StepKind.RECEIVE: Phrase("enters this namespace", "네임스페이스로 들어옴"),
    StepKind.BRIDGE: Phrase("the bridge chooses a port", "브리지가 포트를 고름"),
    StepKind.LEARN: Phrase("the bridge learns the sender's MAC", "브리지가 보낸 쪽 MAC을 학습함"),
    StepKind.ARP: Phrase("reads the ARP message", "ARP 메시지를 읽음"),
    StepKind.BPF: Phrase("eBPF {table}: {verdict}", "eBPF {table}: {verdict}"),
    StepKind.ENCAP: Phrase("wraps it into another packet", "다른 패킷으로 감쌈(캡슐화)"),
    StepKind.DECAP: Phrase("unwraps the inner packet", "안쪽 패킷을 꺼냄"),
    StepKind.SOCKET: Phrase("reaches its socket", "소켓에 도착"),
    StepKind.PROGRAM: Phrase("the program decides", "프로그램이 결정함"),
    StepKind.DROP: Phrase("ends here: {outcome}", "여기서 끝남: {outcome}"),
}

ROUTE_VIA = Phrase("route: {row}", "경로: {row}")
LOCAL_TO = Phrase("{dst} is mine", "{dst}은(는) 내 주소")
RULE_JUMP = Phrase("{table} {chain} {number}: {verdict}", "{table} {chain} {number}: {verdict}")
NAT_DST = Phrase("destination becomes {new}", "목적지가 {new}(으)로 바뀜")
NAT_SRC = Phrase("source becomes {new}", "출발지가 {new}(으)로 바뀜")
NAT_BOTH = Phrase("becomes {new}", "{new}(으)로 바뀜")
NEIGH_KNOWN = Phrase("knows the MAC of the next hop", "다음 홉의 MAC을 이미 앎")
NEIGH_ASKS = Phrase("nobody knows the MAC yet: asks", "MAC을 아직 몰라 물어봄")
NEIGH_TOLD = Phrase("now knows the MAC of the next hop", "이제 다음 홉의 MAC을 앎")
NEIGH_NOBODY = Phrase("nobody answers the ARP question", "ARP 질문에 아무도 답하지 않음")
ENTERS_PORT = Phrase("enters by a bridge port", "브리지 포트로 들어옴")
LEAVES_PORT = Phrase("leaves by a bridge port", "브리지 포트로 나감")
BRIDGE_FLOOD = Phrase("floods: out of every other port", "플러딩: 다른 모든 포트로 보냄")
BRIDGE_KNOWN = Phrase("fdb: that MAC is behind {port}", "fdb: 그 MAC은 {port} 쪽에 있음")
BRIDGE_ROW = Phrase("decides by {row}", "{row}에 따라 결정함")
BRIDGE_UP = Phrase("hands it up to IP", "IP 계층으로 올림")
LEARNS = Phrase("learns {mac}", "{mac} 학습")
ARP_ASKED = Phrase("is asked for {ip}", "{ip}의 MAC을 묻는 질문을 받음")
ARP_TOLD = Phrase("learns {ip} is at {mac}", "{ip}의 MAC {mac} 학습")
SOCKET_AT = Phrase("{program} receives it", "{program}이(가) 받음")
KERNEL_GETS = Phrase("the kernel takes it", "커널이 받음")
SENDS = Phrase("{program} sends {packet}", "{program}: {packet} 보냄")
KERNEL_SENDS = Phrase("the kernel sends {packet}", "커널: {packet} 보냄")

ARP_REQUEST = Phrase("ARP request", "ARP 요청")
ARP_REPLY = Phrase("ARP reply", "ARP 응답")
DNS = Phrase("DNS {word}", "DNS {word}")
NO_RECORD = Phrase("no {type}", "{type} 없음")
SAYS = Phrase("{to} {word}", "{to} {word}")
WHO_HAS = Phrase("who has {ip}?", "{ip} 누구?")
IS_AT = Phrase("to {ip}", "{ip}에게")

#: Words of the drawing and of the panels.
FOLDED: dict[str, Phrase] = {
    "pods": Phrase("+{n} pods", "파드 +{n}"),
    "spaces": Phrase("+{n} namespaces", "네임스페이스 +{n}"),
    "nodes": Phrase("+{n} nodes", "노드 +{n}"),
    "machines": Phrase("+{n} machines", "머신 +{n}"),
}
UI: dict[str, Phrase] = {
    "hop": Phrase("Hop {n}/{total}", "홉 {n}/{total}"),
    "hop-hidden": Phrase("Hop {n}", "홉 {n}"),
    "step": Phrase("step {n}/{total}", "단계 {n}/{total}"),
    "there": Phrase("there", "가는 길"),
    "back": Phrase("way back", "돌아오는 길"),
    "later": Phrase("later packet {n}", "이후 패킷 {n}"),
    "aside": Phrase("ARP first", "먼저 ARP"),
    "resumes": Phrase("now it can go on", "이제 계속 감"),
    "leg": Phrase("flow {n} of {total}: {purpose}", "흐름 {n}/{total}: {purpose}"),
    "leg-short": Phrase("flow {n}/{total}", "흐름 {n}/{total}"),
    "because": Phrase("because", "이유"),
    "row": Phrase("decided by", "결정한 행"),
    "where": Phrase("where", "위치"),
    "what": Phrase("what happened", "일어난 일"),
    "packet": Phrase("packet", "패킷"),
    "hidden": Phrase("What happens next is hidden: predict first", "다음은 숨겨져 있습니다. 먼저 예측하십시오"),
    "hidden-short": Phrase("? predict first", "? 먼저 예측"),
    "nothing": Phrase("Nothing has been played yet", "아직 재생한 것이 없습니다"),
    "no-leg": Phrase("No packet was sent", "패킷이 나가지 않았습니다"),
    "met": Phrase("met", "일치"),
    "passed": Phrase("passed by", "지나침"),
    "stopped": Phrase("stopped here", "여기서 멈춤"),
    "unreached": Phrase("not reached", "닿지 않음"),
    "arp": Phrase("an ARP frame", "ARP 프레임"),
    "forwarding": Phrase("forwarding", "포워딩"),
    "receiving": Phrase("receiving", "수신"),
    "sending": Phrase("sending", "송신"),
    "bridging": Phrase("bridging", "브리지 전달"),
    "socket": Phrase("socket", "소켓"),
    "kernel": Phrase("kernel", "커널"),
    "rules-met": Phrase("rules met {met} of {tried}", "규칙 {tried}개 중 {met}개 일치"),
    "no-rules": Phrase("no rule was met here", "여기서 일치한 규칙이 없습니다"),
    "chain": Phrase("chain", "체인"),
    "in": Phrase("in", "수신"),
    "out": Phrase("out", "송신"),
    "routing": Phrase("routing", "라우팅"),
    "bridge": Phrase("bridge", "브리지"),
    "conntrack": Phrase("conntrack", "conntrack"),
    "neighbour": Phrase("neighbour", "이웃"),
    "start": Phrase("start", "시작"),
    "end": Phrase("end", "끝"),
}  # fmt: skip


#: the purposes of flows that are words of our own
LEGS: dict[str, Phrase] = {
    "connection": Phrase("the caller's connection", "호출한 쪽의 연결"),
    "kube-proxy": Phrase("kube-proxy's own connection", "kube-proxy 자신의 연결"),
}


def ui(name: str, lang: str, **values: str | int) -> str:
    """One of the player's own texts."""
    return UI[name](**values).text(lang)


def leg(number: int, total: int, purpose: str, lang: str) -> str:
    """Which flow of a journey this is, and what for; a purpose that names a program or a question stays as it is."""
    said = LEGS[purpose]().text(lang) if purpose in LEGS else purpose
    return ui("leg", lang, n=number, total=total, purpose=said)


def folded(lang: str) -> Mapping[str, str]:
    """The words of folded boxes with their `{n}` left open."""
    return {name: phrase.ko if lang == "ko" else phrase.en for name, phrase in FOLDED.items()}


def dns_word(text: str) -> Said:
    """A DNS message in a word or two: `A?`, `A 10.96.71.20`, `no AAAA` (an empty answer), `NXDOMAIN`."""
    words = text.split(" | ")[0].split()
    found = _answers(text)
    if found:
        return plain(" ".join(found[-1][2:]))
    if words[:1] == ["NOERROR"] and len(words) > 1:
        return NO_RECORD(type=words[1].rstrip("?"))
    return plain(words[0] if words else "")


def _answers(text: str) -> list[list[str]]:
    """The records of the answer section: name, seconds, type, value."""
    records = (r.split(maxsplit=3) for r in text.split(" | ")[1:] if not r.startswith(("auth ", "add ")))
    return [r for r in records if len(r) == 4]


def _dns(packet: Packet) -> Payload | None:
    """The DNS message in a UDP packet."""
    payload = packet.payload if isinstance(packet.l4, Udp) else None
    return payload if payload is not None and payload.protocol == "dns" and payload.text else None


def short(packet: Packet | None) -> Said:
    """The packet in a word or two: `TCP SYN`, `ICMP echo request`, `ARP request`."""
    if packet is None:
        return plain("")
    arp = packet.arp
    if arp is not None:
        return ARP_REQUEST() if arp.op == 1 else ARP_REPLY()
    if not packet.has_ip:
        return plain("frame")
    l4 = packet.l4
    if isinstance(l4, Tcp):
        names = {"S": "SYN", "SA": "SYN-ACK", "A": "ACK", "PA": "data", "FA": "FIN", "R": "RST", "RA": "RST"}
        payload = packet.payload
        word = (
            payload.protocol.upper()
            if payload is not None and payload.text
            else names.get(l4.flags, l4.flags)
        )
        return plain(f"TCP {word}")
    if isinstance(l4, Udp):
        payload = packet.payload
        if (dns := _dns(packet)) is not None:
            return dns_word(dns.text) if _answers(dns.text) else DNS(word=dns_word(dns.text))
        return plain("UDP" if payload is None else f"UDP {payload.protocol.upper()}")
    if isinstance(l4, Sctp):
        return plain(f"SCTP {l4.chunk.replace('_', ' ')}")
    if isinstance(l4, Icmp):
        return plain("ICMP " + ICMP_WORDS.get((l4.type, l4.code), f"type {l4.type} code {l4.code}"))
    return plain(f"IP proto {packet.ip.proto}")


def destination(packet: Packet | None) -> Said:
    """Where the packet wants to go, as its label, a DNS message with what it says: `10.244.1.6:80`,
    `10.244.1.2:53 A?`, `10.244.1.4 NXDOMAIN`, `who has 10.244.1.6?`."""
    if packet is None:
        return plain("")
    arp = packet.arp
    if arp is not None:
        return WHO_HAS(ip=text4(arp.target_ip)) if arp.op == 1 else IS_AT(ip=text4(arp.target_ip))
    if not packet.has_ip:
        return plain(mac_text(packet.eth.dst) if packet.eth is not None else "")
    if (dns := _dns(packet)) is not None:
        query = dns.text.split(" ")[0].endswith("?")
        end = _end(packet.ip.dst, packet.ports[1] if query else 0)
        return SAYS(to=end, word=dns_word(dns.text))
    return plain(_end(packet.ip.dst, packet.ports[1]))


def _end(address: int, port: int) -> str:
    return f"{text4(address)}:{port}" if port else text4(address)


def clause(step: Step, bridge_port: bool = False) -> Said:
    """What happened at this step, short. `bridge_port`: its device is a port of a bridge."""
    packet = step.after if step.after is not None else step.before
    special = _SPECIAL.get(step.kind)
    said = special(step, bridge_port) if special is not None else None
    if said is not None:
        return said
    return (
        KIND_WORDS[step.kind](**_values(step, packet))
        if "{" in KIND_WORDS[step.kind].en
        else KIND_WORDS[step.kind]()
    )


def _values(step: Step, packet: Packet | None) -> dict[str, str | int | Said]:
    """Only the holes that this kind's phrase has."""
    everything: dict[str, str | int | Said] = {
        "packet": short(packet), "verdict": step.verdict or "-", "table": step.table or "-",
        "chain": step.chain or step.hook or "-", "number": step.number,
        "ttl": packet.ip.ttl if packet is not None and packet.has_ip else 0,
        "outcome": OUTCOME_WORDS[step.outcome or Outcome.DROPPED](),
    }  # fmt: skip
    text = KIND_WORDS[step.kind].en
    return {k: v for k, v in everything.items() if "{" + k + "}" in text}


def _send(step: Step, _: bool) -> Said:
    packet = short(step.after or step.before)
    program = step.place.program
    return (
        SENDS(program=program, packet=packet)
        if program not in ("", "kernel")
        else KERNEL_SENDS(packet=packet)
    )


def _route(step: Step, _: bool) -> Said | None:
    return ROUTE_VIA(row=" ".join(step.row.split()).split(" proto ")[0]) if step.row else None


def _local(step: Step, _: bool) -> Said | None:
    packet = step.before
    return LOCAL_TO(dst=text4(packet.ip.dst)) if packet is not None and packet.has_ip else None


def _rule(step: Step, _: bool) -> Said | None:
    if not step.verdict:
        return None
    return RULE_JUMP(
        table=step.table or "-",
        chain=step.chain or step.hook or "-",
        number=step.number,
        verdict=step.verdict,
    )


def _nat(step: Step, _: bool) -> Said | None:
    before, after = step.before, step.after
    if before is None or after is None or not before.has_ip or not after.has_ip:
        return None
    (sport1, dport1), (sport2, dport2) = before.ports, after.ports
    src, dst = (after.ip.src, sport2), (after.ip.dst, dport2)
    source, target = src != (before.ip.src, sport1), dst != (before.ip.dst, dport1)
    if target and not source:
        return NAT_DST(new=_end(*dst))
    if source and not target:
        return NAT_SRC(new=_end(*src))
    return NAT_BOTH(new=f"{_end(*src)} > {_end(*dst)}")


def _neighbour(step: Step, _: bool) -> Said:
    if "FAILED" in step.row:
        return NEIGH_NOBODY()
    return NEIGH_TOLD() if step.aside else NEIGH_KNOWN()


def _receive(step: Step, port: bool) -> Said | None:
    return ENTERS_PORT() if port else None


def _transmit(step: Step, port: bool) -> Said | None:
    return LEAVES_PORT() if port else None


def _bridge(step: Step, _: bool) -> Said | None:
    if step.verdict == "flood" or step.copies:
        return BRIDGE_FLOOD()
    words = step.row.split()
    if "dev" in words[:-1] and ":" in words[0]:  # an fdb entry as `bridge fdb show` prints it
        return BRIDGE_KNOWN(port=words[words.index("dev") + 1])
    return BRIDGE_ROW(row=" ".join(words)) if words else None if step.changed else BRIDGE_UP()


def _learn(step: Step, _: bool) -> Said | None:
    eth = step.before.eth if step.before is not None else None
    return LEARNS(mac=mac_text(eth.src)) if eth is not None else None


def _arp(step: Step, _: bool) -> Said | None:
    message = step.before.arp if step.before is not None else None
    if message is None:
        return None
    if message.op == 1:
        if step.row:
            return ARP_TOLD(ip=text4(message.sender_ip), mac=mac_text(message.sender_mac))
        return ARP_ASKED(ip=text4(message.target_ip))
    return ARP_TOLD(ip=text4(message.sender_ip), mac=mac_text(message.sender_mac))


def _socket(step: Step, _: bool) -> Said | None:
    program = step.place.program
    return SOCKET_AT(program=program) if program not in ("", "kernel") else KERNEL_GETS() if program else None


_SPECIAL = {
    StepKind.SEND: _send, StepKind.ROUTE: _route, StepKind.LOCAL: _local, StepKind.RULE: _rule, StepKind.NAT: _nat,
    StepKind.NEIGHBOUR: _neighbour, StepKind.RECEIVE: _receive, StepKind.TRANSMIT: _transmit,
    StepKind.BRIDGE: _bridge, StepKind.LEARN: _learn, StepKind.ARP: _arp, StepKind.SOCKET: _socket,
}  # fmt: skip
