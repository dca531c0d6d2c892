"""One act of a socket, while it runs: its packets are walked, its waiting sockets kept, its errors named.

Rules. `act` is what tcp, udp and ping calls share; a call's public form is `Call`. Programs are asked through
`Serve`: this file knows sockets, not what runs behind them. Time is the Net's virtual clock; a silent drop costs
the caller's whole timeout. Errors are errno names, as the calling program would get them (facts 10 section 1.5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from engine.linux.choose import Choose
from engine.linux.conntrack import Tuple
from engine.linux.flow import FlowKey
from engine.linux.journey import Leg, Outcome, Recorder, Step, StepKind, Walk
from engine.linux.multipath import find
from engine.linux.net import Net, Netns
from engine.linux.packet import Icmp, IPv4, Layer, Packet, Payload, Proto, Sctp, Tcp
from engine.linux.rows import Proc, Socket
from engine.linux.walk.walker import Answering, Arrive, End, Waiting, Walker
from engine.record import dataclass

#: how long a TCP connect tries without any answer (tcp_syn_retries 6, kernel 6.5 and later): facts 10 section 1.5
CONNECT_TIMEOUT = 134.6
#: one device hop costs this much virtual time
HOP_SECONDS = 0.000021

#: ICMP error of type 3 -> errno of a connecting socket (net/ipv4/icmp.c, icmp_err_convert)
ICMP_ERRNO = {
    0: "ENETUNREACH", 1: "EHOSTUNREACH", 2: "ENOPROTOOPT", 3: "ECONNREFUSED", 4: "EMSGSIZE",
    9: "ENETUNREACH", 10: "EHOSTUNREACH", 13: "EHOSTUNREACH",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a program is given: who asks (as the server sees it), on which of its addresses, and the request."""

    net: Net
    ns: Netns
    socket: Socket
    proc: Proc | None
    client: tuple[int, int]
    local: tuple[int, int]
    request: Payload | None
    choose: Choose
    depth: int = 0

    @property
    def original(self) -> tuple[int, int] | None:
        """SO_ORIGINAL_DST: the address and port that the client wrote, from the connection's entry in this namespace;
        None (ENOENT) when conntrack does not know it (getorigdst in nf_conntrack_proto.c)."""
        proto = Proto.TCP if self.socket.proto == "tcp" else Proto.UDP
        key = Tuple(proto, *self.local, *self.client)
        found = self.ns.conntrack.find(key, self.net.clock)
        return (found[0].orig.dst, found[0].orig.dport) if found is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a program gives back: a response, legs that it opened itself, or the wish to close without a word."""

    payload: Payload | None = None
    legs: tuple[Leg, ...] = ()
    close: bool = False
    outcome: Outcome | None = None


Serve = Callable[[Delivery], Answer]


def silent(delivery: Delivery) -> Answer:
    """A program that accepts and says nothing."""
    return Answer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the caller got. `seen_as` is the source as the receiver saw it, `server` (netns, address, port) who it was;
    both are empty when nothing was delivered. `peer` is what getpeername (TCP, connected UDP) or recvfrom says.
    `icmp` is the error or echo reply that came back, `icmp_from` its
    sender, `reply_ttl` its TTL on arrival; `seconds` the virtual time used."""

    leg: Leg
    outcome: Outcome
    error: str = ""
    response: Payload | None = None
    more: tuple[Leg, ...] = ()
    seconds: float = 0.0
    icmp: Icmp | None = None
    icmp_from: int = 0
    reply_ttl: int = 0
    sock: tuple[int, int] = (0, 0)
    seen_as: tuple[int, int] = (0, 0)
    server: tuple[str, int, int] | None = None
    peer: tuple[int, int] = (0, 0)

    @property
    def legs(self) -> tuple[Leg, ...]:
        return (self.leg, *self.more)


@dataclass(slots=True)
class Act:
    """One call while it runs: walks packets, keeps what waits for answers."""

    net: Net
    choose: Choose
    waiting: list[Waiting] = field(default_factory=list)
    walks: list[Walk] = field(default_factory=list)

    def walk(
        self, netns: str, packet: Packet, *, prelude: tuple[Step, ...] = (), **how: object
    ) -> tuple[End, Walk]:
        """Send one packet and follow it to its end; time passes by its hops. `prelude` are the steps at the socket that
        came before there was a packet."""
        w = Walker(net=self.net, choose=self.choose, waiting=self.waiting, steps=list(prelude))
        end = w.send(netns, packet, **how)
        sent = next((s.before for s in w.steps if s.kind is StepKind.SEND), end.packet)
        walk = w.walk(end, sent)
        self.net.clock += HOP_SECONDS * sum(
            1 for s in w.steps if s.kind in (StepKind.TRANSMIT, StepKind.RECEIVE)
        )
        return end, walk

    def answer(self, answering: Answering) -> tuple[End, Walk]:
        """What a kernel sends because of the packet before."""
        if not answering.device:
            return self.walk(answering.netns, answering.packet, ct_of=answering.ct_of, mark=answering.mark)
        ns = self.net.spaces[answering.netns]
        w = Walker(net=self.net, choose=self.choose, waiting=self.waiting)
        link = ns.links[ns.names[answering.device]]
        if answering.enters:
            end = w.run(Arrive(netns=ns.id, ifindex=link.ifindex, frame=answering.packet))
        else:
            end = w.frame_out(ns, link, answering.packet)
        return end, w.walk(end, answering.packet)


def extended(walk: Walk, steps: tuple[Step, ...]) -> Walk:
    """The walk with more steps at its end."""
    if not steps:
        return walk
    return Recorder([*walk.steps(), *steps]).walk(walk.outcome, walk.packet)


def forbidden(
    purpose: str, steps: tuple[Step, ...], error: str, started: float, sock: tuple[int, int]
) -> Call:
    """A call that a program at the socket forbade: no packet was ever made."""
    walk = Recorder(list(steps)).walk(Outcome.REJECTED, None)
    leg = Leg(purpose=purpose, forward=walk, outcome=Outcome.REJECTED, started=started)
    return Call(leg=leg, outcome=Outcome.REJECTED, error=error, sock=sock)


def uid_of(proc: Proc | None) -> int:
    """The user id of a program's sockets (`-m owner`); a socket of nobody known is root's."""
    if proc is None or proc.user == "root":
        return 0
    return int(proc.user) if proc.user.isdigit() else 101


def ephemeral(net: Net, ns: Netns, proto: int, choose: Choose) -> int:
    """A free source port: the namespace's range, upward from a start that the seed chose, never twice in a row."""
    low, high = (int(x) for x in ns.sysctl("net.ipv4.ip_local_port_range").split())
    key = f"{ns.id}/{proto}"
    port = net.next_port.get(key)
    port = choose.number("ephemeral port", low, high) if port is None else port + 1
    used = {s.port for s in ns.sockets}
    while port in used or port > high:
        port = low if port > high else port + 1
    net.next_port[key] = port
    return port


def local_address(net: Net, ns: Netns, key: FlowKey) -> int:
    """The source that routing would choose for a packet with this key, 0 when there is no way. The question already
    knows what rules may ask for: the protocol, the ports that are bound, the mark, the user (ip_route_connect_init)."""
    from engine.linux.walk import routing

    dst = key.dst
    route = find(net, ns, key).route
    if route is None or route.type not in ("unicast", "local"):
        return 0
    return routing.choose_source(ns, route, dst)


def packet_of(src: int, dst: int, proto: int, *layers: Layer, ttl: int = 0, df: bool = True) -> Packet:
    """A packet to send; `ttl` 0 = as the sender's kernel has it."""
    return Packet((IPv4(src=src, dst=dst, proto=proto, ttl=ttl, df=df), *layers))


def reply_of(end: End) -> tuple[int, int, int, int]:
    """(source, source port, destination, destination port) of a delivered packet, as its receiver sees it."""
    sport, dport = end.packet.ports
    return end.packet.ip.src, sport, end.packet.ip.dst, dport


def first_answer(act: Act, end: End) -> tuple[Walk | None, End | None, tuple[Walk, ...]]:
    """Walk what the far kernel answers by itself, if anything, and what other kernels answer to that."""
    if end.answer is None:
        return None, None, ()
    done, walk = act.answer(end.answer)
    return walk, done, echoes(act, done)


def echoes(act: Act, end: End) -> tuple[Walk, ...]:
    """Errors about an answer (a rejected RST, a way back without a route). Errors about errors do not exist, so this
    ends after one packet."""
    return (act.answer(end.answer)[1],) if end.answer is not None else ()


#: ICMP type 3 codes that a connected UDP socket reports; the others are left for IP_RECVERR (icmp_err_convert.fatal,
#: and fragmentation needed, which __udp4_lib_err makes a hard error)
FATAL_CODES = (2, 3, 4, 6, 7, 8, 9, 10, 13, 14, 15)


def error_of(done: End | None, waiting: Waiting) -> tuple[str, Icmp | None, int]:
    """What the waiting socket learns from an answer: (errno, the ICMP error, who sent it); "" = nothing reached it."""
    if done is None or done.waiting != waiting:
        return "", None, 0
    l4 = done.packet.l4
    if isinstance(l4, Tcp) and "R" in l4.flags:
        return "ECONNREFUSED", None, 0
    if isinstance(l4, Sctp) and l4.chunk == "ABORT":
        return "ECONNREFUSED", None, 0
    if isinstance(l4, Icmp) and l4.is_error:
        if waiting.proto == Proto.UDP and not (l4.type == 3 and l4.code in FATAL_CODES):
            return "", l4, done.packet.ip.src
        errno = ICMP_ERRNO.get(l4.code, "EHOSTUNREACH") if l4.type == 3 else "EHOSTUNREACH"
        return errno, l4, done.packet.ip.src
    return "", None, 0


def failed(
    act: Act,
    end: End,
    there: Walk,
    waiting: Waiting,
    purpose: str,
    started: float,
    timeout: float,
    sock: tuple[int, int],
) -> Call:
    """A first packet that found no socket: what the caller learns, and when."""
    net = act.net
    back, done, rest = first_answer(act, end)
    error, icmp, sender = error_of(done, waiting)
    outcome = end.outcome
    sent = any(s.kind is StepKind.SEND for s in there.steps())
    hidden = waiting.proto == Proto.TCP and sent and outcome is not Outcome.UNRESOLVED_NEIGHBOUR
    if end.error and not hidden and (not error or sent):
        error = end.error
    if not error:
        net.clock += timeout
        error = "ETIMEDOUT"
    leg = Leg(purpose=purpose, forward=there, back=back, rest=rest, outcome=outcome, started=started)
    return Call(
        leg=leg, outcome=outcome, error=error, seconds=net.clock - started, icmp=icmp, icmp_from=sender, sock=sock,
        reply_ttl=done.packet.ip.ttl if done is not None and done.packet.has_ip else 0,
    )  # fmt: skip
