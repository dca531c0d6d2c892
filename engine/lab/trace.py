"""One flow through a world: who sends, to whom, by which protocol, and what became of it.

Rules. A trace changes the world's net as the act of a learner would (conntrack, neighbours, counters), so who only
wants to know gives it a copy. What the model does not know ends as the outcome `not-modelled` with its reason,
never as an exception; an endpoint that is not there is an InputError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.errors import InputError, NotModelled, Problem
from engine.l7 import http
from engine.l7.serve import serve
from engine.lab.lookup import Sticky
from engine.lab.places import (
    NO_ENTER,
    NO_RESOLVER,
    NO_SENDER,
    Endpoint,
    Target,
    find,
    host_of,
    scheme_of,
    spot_of,
    target,
)
from engine.linux.addr import text4
from engine.linux.choose import Choose
from engine.linux.exchange import Act, Call, packet_of, ping_call, sctp_call, tcp_call, udp_call
from engine.linux.journey import Journey, Leg, Outcome, Walk
from engine.linux.packet import Ethernet, Icmp, Layer, Packet, Payload, Proto, Sctp, Tcp, Udp
from engine.linux.walk import routing
from engine.linux.walk.walker import Arrive, End, Walker
from engine.record import dataclass, replace
from engine.say import Phrase, Said
from engine.shell import names
from engine.shell.names import Found, Seat
from engine.shell.world import World

PROTOS: Final = ("tcp", "udp", "icmp", "http", "https", "sctp")
HELLO: Final = Payload(protocol="echo", text="hello\n", size=6)
#: the MAC address that stands for whoever sent a packet in from outside the lab (locally administered)
OUTSIDE_MAC: Final = 0x020000000001

NO_PROTO = Phrase(
    en="The model has tcp, udp, sctp, icmp and http so far.",
    ko="지금은 tcp, udp, sctp, icmp, http만 있습니다.",
)
NAMELESS = Phrase(en="{host}: {error}", ko="{host}: {error}")
ONLY_HTTP = Phrase(
    en="headers belong to http; this flow goes by {proto}",
    ko="헤더는 http에만 있습니다. 이 흐름은 {proto}입니다",
)
ONLY_ADDRESS = Phrase(
    en="only a packet from an address outside comes in at a node; {source} sends for itself",
    ko="노드로 들어오는 것은 밖의 주소에서 온 패킷뿐입니다. {source}은(는) 스스로 보냅니다",
)
OTHER_SCHEME = Phrase(
    en="{to} is asked by {scheme}, not by {proto}",
    ko="{to}은(는) {proto}이(가) 아니라 {scheme}(으)로 요청합니다",
)
NO_WAY_IN = Phrase(
    en="{node} has no route back to {address}, so no device where its packet would come in",
    ko="{node}에는 {address}(으)로 돌아가는 경로가 없어 패킷이 들어올 장치를 정할 수 없습니다",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A journey and what its caller learned. `call` None: nothing could be sent; `seen_as`, `server` as in Call."""

    journey: Journey
    call: Call | None = None
    seen_as: tuple[int, int] = (0, 0)
    server: tuple[str, int, int] | None = None


def trace(
    world: World,
    source: str,
    to: str,
    *,
    proto: str = "tcp",
    headers: Mapping[str, str] | None = None,
    enter: str = "",
    choose: Choose,
) -> Traced:
    """Send it; what policies ended is told in their words. Raises InputError for an endpoint that is not there."""
    sent = _sent(world, source, to, proto, headers or {}, enter, choose)
    (told,) = world.told([sent.journey])
    return replace(sent, journey=told)


def _sent(
    world: World, source: str, to: str, proto: str, headers: Mapping[str, str], enter: str, choose: Choose
) -> Traced:
    if scheme_of(to) and proto in ("tcp", "http", "https"):
        proto = scheme_of(to)
    _asked_for(source, to, proto, headers, enter)
    act = f"{source} -> {to} ({proto})"
    started = world.net.clock
    try:
        if proto not in PROTOS or proto == "https":
            raise NotModelled(proto, NO_PROTO())
        sender = find(world, source)
        if source.startswith("svc/"):
            raise InputError([Problem(where=source, said=NO_SENDER(ref=source))])
        found = Found()
        if host := host_of(to):
            if enter or not sender.netns:
                raise InputError([Problem(where=to, said=NO_RESOLVER(ref=source))])
            found = names.lookup(Seat(world, spot_of(world, sender)), host, who="curl", choose=Sticky(choose))
            if not found.address:
                return Traced(journey=_no_name(f"curl {to}", started, host, found))
        goal = target(world, to, proto, found.address)
        if enter or not sender.netns:
            return _from_outside(world, sender, goal, proto, headers, enter, choose)
        call, act = _call(world, sender, goal, proto, headers, choose)
    except NotModelled as error:
        return Traced(journey=_unknown(act, started, error.said))
    legs = (*found.legs, *call.legs)
    journey = Journey(act=act, outcome=_outcome(call), legs=legs, started=started)
    return Traced(journey=journey, call=call, seen_as=call.seen_as, server=call.server)


def _asked_for(source: str, to: str, proto: str, headers: Mapping[str, str], enter: str) -> None:
    """What is said of a flow has to mean something. Raises InputError."""
    problems = []
    if headers and proto not in ("http", "https"):
        problems.append(Problem(where="headers", said=ONLY_HTTP(proto=proto)))
    if enter and "/" in source:
        problems.append(Problem(where="enter", said=ONLY_ADDRESS(source=source)))
    scheme = scheme_of(to) or proto
    if scheme != proto:
        problems.append(Problem(where=to, said=OTHER_SCHEME(to=to, scheme=scheme, proto=proto)))
    if problems:
        raise InputError(problems)


def _no_name(act: str, started: float, host: str, found: Found) -> Journey:
    """The name has no address: the questions are the whole journey."""
    why = NAMELESS(host=host, error=found.error)
    return Journey(act=act, outcome=Outcome.NAME_NOT_FOUND, legs=found.legs, started=started, why=why)


def _unknown(act: str, started: float, why: Said) -> Journey:
    return Journey(act=act, outcome=Outcome.NOT_MODELLED, started=started, why=why)


def _outcome(call: Call) -> Outcome:
    """The journey's outcome is the call's, unless one of the legs met something that is not modelled."""
    if any(leg.outcome is Outcome.NOT_MODELLED for leg in call.legs):
        return Outcome.NOT_MODELLED
    return call.outcome


def _call(
    world: World, sender: Endpoint, goal: Target, proto: str, headers: Mapping[str, str], choose: Choose
) -> tuple[Call, str]:
    """(what came of it, the act as a learner would type it)."""
    net, address = world.net, text4(goal.address)
    # A call from an address that the namespace owns is made from exactly that address.
    source = sender.address if "/" not in sender.ref else 0
    if proto == "icmp":
        call = ping_call(net, sender.netns, goal.address, choose=choose, source=source)
        return call, f"ping -c 1 {address}"
    if proto == "udp":
        call = udp_call(
            net, sender.netns, goal.address, goal.port, choose=choose, request=HELLO, source=source, serve=serve,
            who="nc",
        )  # fmt: skip
        return call, f"nc -u {address} {goal.port}"
    if proto == "sctp":
        call = sctp_call(net, sender.netns, goal.address, goal.port, choose=choose, source=source, who="ncat")
        return call, f"ncat --sctp -z {address} {goal.port}"
    if proto == "http":
        request = http_request(goal, headers)
        call = tcp_call(
            net, sender.netns, goal.address, goal.port, choose=choose, request=request, source=source, serve=serve,
            who="curl",
        )  # fmt: skip
        return call, _curl(goal, headers)
    call = tcp_call(
        net, sender.netns, goal.address, goal.port, choose=choose, source=source, serve=serve, who="nc"
    )
    return call, f"nc -zv {address} {goal.port}"


def _curl(goal: Target, headers: Mapping[str, str]) -> str:
    port = "" if goal.port == 80 else f":{goal.port}"
    words = " ".join(f"-H '{k}: {v}' " for k, v in headers.items())
    return f"curl {words}http://{goal.host}{port}{goal.path or '/'}"


def http_request(goal: Target, headers: Mapping[str, str]) -> Payload:
    """What curl writes. A `Host` among the headers replaces the URL's."""
    host = goal.host if goal.port == 80 else f"{goal.host}:{goal.port}"
    return http.get(host, goal.path or "/", headers=tuple(headers.items())).payload()


# ---- a packet that comes in from outside the lab


def _from_outside(
    world: World,
    sender: Endpoint,
    goal: Target,
    proto: str,
    headers: Mapping[str, str],
    enter: str,
    choose: Choose,
) -> Traced:
    """The first packet comes in at a node, by the device of the node's route back to the sender; the answer is
    followed until it leaves the lab. What the outside does with the answer is not known, so it does not count."""
    if not enter:
        raise InputError([Problem(where=sender.ref, said=NO_ENTER(ref=sender.ref))])
    net = world.net
    node = find(world, enter)
    ns = net.spaces[node.netns]
    if ns.owns(sender.address):
        own = Endpoint(ref=sender.ref, netns=ns.id, address=sender.address, addresses=sender.addresses)
        call, act = _call(world, own, goal, proto, headers, choose)
        journey = Journey(act=act, outcome=_outcome(call), legs=call.legs, started=net.clock)
        return Traced(journey=journey, call=call, seen_as=call.seen_as, server=call.server)
    back = routing.find_route(net, ns, sender.address).route
    if back is None or not back.oif:
        said = NO_WAY_IN(node=enter, address=text4(sender.address))
        raise InputError([Problem(where=enter, said=said)])
    started = net.clock
    sport = choose.number("ephemeral port", 32768, 60999)
    link = ns.links[back.oif]
    packet = _first(sender.address, sport, goal, proto)
    frame = packet.framed(Ethernet(src=OUTSIDE_MAC, dst=link.mac))
    walker = Walker(net=net, choose=choose)
    end = walker.run(Arrive(netns=ns.id, ifindex=back.oif, frame=frame))
    there = walker.walk(end, packet)
    answer = _answer(world, end, choose)
    leg = Leg(purpose="connection", forward=there, back=answer, outcome=end.outcome, started=started)
    act = f"{text4(sender.address)} -> {goal.ref} ({proto})"
    journey = Journey(act=act, outcome=end.outcome, legs=(leg,), started=started)
    if end.outcome is not Outcome.DELIVERED:
        return Traced(journey=journey)
    ip, (client_port, port) = end.packet.ip, end.packet.ports
    return Traced(journey=journey, seen_as=(ip.src, client_port), server=(end.netns, ip.dst, port))


def _first(source: int, sport: int, goal: Target, proto: str) -> Packet:
    layers: tuple[Layer, ...]
    if proto == "icmp":
        layers = (Icmp(type=8, ident=sport & 0xFFFF, seq=1), Payload(protocol="echo", text="", size=56))
        return packet_of(source, goal.address, Proto.ICMP, *layers, ttl=60)
    if proto == "udp":
        return packet_of(source, goal.address, Proto.UDP, Udp(sport=sport, dport=goal.port), HELLO, ttl=60)
    if proto == "sctp":
        return packet_of(source, goal.address, Proto.SCTP, Sctp(sport=sport, dport=goal.port), ttl=60)
    return packet_of(
        source, goal.address, Proto.TCP, Tcp(sport=sport, dport=goal.port, flags="S", seq=1), ttl=60
    )


def _answer(world: World, end: End, choose: Choose) -> Walk | None:
    """The way back of the first answer: what the kernel sends by itself, or the server's SYN-ACK."""
    act = Act(world.net, choose)
    if end.answer is not None:
        return act.answer(end.answer)[1]
    l4 = end.packet.l4 if end.outcome is Outcome.DELIVERED and end.socket is not None else None
    reply: Layer
    if isinstance(l4, Tcp):
        reply = Tcp(sport=l4.dport, dport=l4.sport, flags="SA", seq=1, ack=l4.seq + 1)
    elif isinstance(l4, Sctp):
        reply = Sctp(sport=l4.dport, dport=l4.sport, chunk="INIT_ACK", vtag=1)
    else:
        return None
    ip = end.packet.ip
    who = end.proc.comm if end.proc is not None else "-"
    return act.walk(end.netns, packet_of(ip.dst, ip.src, ip.proto, reply), who=who)[1]
