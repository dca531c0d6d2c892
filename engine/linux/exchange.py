"""One act of a socket: a call by TCP, a question by UDP, a ping. Every packet of it is walked.

Theory. A leg shows the first packet there and its answer back; the packets after them (the handshake's end, the
data, the close) are walked as well, because counters, conntrack states and captures must be those of a real
connection, and are kept in `Leg.rest`. Programs are asked through `Serve`: this file knows sockets, not what
runs behind them. Time is the Net's virtual clock; a silent drop costs the caller's whole timeout.

Errors of a call are errno names, as the calling program would get them (facts 10 section 1.5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from engine.linux.choose import Choose
from engine.linux.journey import Leg, Outcome, StepKind, Walk
from engine.linux.net import Net, Netns
from engine.linux.packet import Icmp, IPv4, Layer, Packet, Payload, Proto, Tcp, Udp
from engine.linux.rows import Proc, Socket
from engine.linux.walk import arp
from engine.linux.walk.walker import Answering, End, Waiting, Walker
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
    both are empty when nothing was delivered. `icmp` is the error or echo reply that came back, `icmp_from` its
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

    def walk(self, netns: str, packet: Packet, **how: object) -> tuple[End, Walk]:
        """Send one packet and follow it to its end; time passes by its hops."""
        w = Walker(net=self.net, choose=self.choose, waiting=self.waiting)
        end = w.send(netns, packet, **how)
        sent = next((s.before for s in w.steps if s.kind is StepKind.SEND), packet)
        walk = w.walk(end, sent)
        self.net.clock += HOP_SECONDS * sum(
            1 for s in w.steps if s.kind in (StepKind.TRANSMIT, StepKind.RECEIVE)
        )
        return end, walk

    def answer(self, answering: Answering) -> tuple[End, Walk]:
        """What a kernel sends because of the packet before."""
        if not answering.device:
            return self.walk(answering.netns, answering.packet, ct_of=answering.ct_of)
        ns = self.net.spaces[answering.netns]
        w = Walker(net=self.net, choose=self.choose, waiting=self.waiting)
        end = w.frame_out(ns, ns.links[ns.names[answering.device]], answering.packet)
        return end, w.walk(end, answering.packet)


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


def local_address(net: Net, ns: Netns, dst: int, bound: str) -> int:
    """The source that routing would choose, 0 when there is no way."""
    from engine.linux.walk import l3

    route = l3.find_route(ns, dst, oif=bound).route
    if route is None or route.type not in ("unicast", "local"):
        return 0
    return l3.choose_source(ns, route, dst)


def packet_of(src: int, dst: int, proto: int, *layers: Layer, ttl: int = 64, df: bool = True) -> Packet:
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


#: ICMP type 3 codes that a connected UDP socket reports; the others are left for IP_RECVERR (icmp_err_convert.fatal)
FATAL_CODES = (2, 3, 6, 7, 8, 9, 10, 13, 14, 15)


def error_of(done: End | None, waiting: Waiting) -> tuple[str, Icmp | None, int]:
    """What the waiting socket learns from an answer: (errno, the ICMP error, who sent it); "" when nothing reached it."""
    if done is None or done.waiting != waiting:
        return "", None, 0
    l4 = done.packet.l4
    if isinstance(l4, Tcp) and "R" in l4.flags:
        return "ECONNREFUSED", None, 0
    if isinstance(l4, Icmp) and l4.is_error:
        if waiting.proto == Proto.UDP and not (l4.type == 3 and l4.code in FATAL_CODES):
            return "", l4, done.packet.ip.src
        errno = ICMP_ERRNO.get(l4.code, "EHOSTUNREACH") if l4.type == 3 else "EHOSTUNREACH"
        return errno, l4, done.packet.ip.src
    return "", None, 0


def tcp_call(
    net: Net,
    netns: str,
    dst: int,
    port: int,
    *,
    choose: Choose,
    request: Payload | None = None,
    sport: int = 0,
    source: int = 0,
    uid: int = 0,
    bound: str = "",
    timeout: float = 0.0,
    serve: Serve = silent,
    purpose: str = "connection",
    who: str = "client",
    depth: int = 0,
) -> Call:
    """Connect, send `request` (None: connect and close), get the response, close. `timeout` 0 is the kernel's own."""
    started = net.clock
    ns = net.spaces[netns]
    act = Act(net, choose)
    address = source or local_address(net, ns, dst, bound)
    sport = sport or ephemeral(net, ns, Proto.TCP, choose)
    waiting = Waiting(netns=netns, proto=Proto.TCP, local=(address, sport), remote=(dst, port))
    act.waiting.append(waiting)
    seq = choose.number("isn", 1, 0x7FFFFFFF)
    how: dict[str, object] = {"who": who, "uid": uid, "bound": bound}
    syn = packet_of(address, dst, Proto.TCP, Tcp(sport=sport, dport=port, flags="S", seq=seq))
    end, there = act.walk(netns, syn, **how)
    sock = (address, sport)
    if end.outcome is not Outcome.DELIVERED or end.socket is None:
        return failed(act, end, there, waiting, purpose, started, timeout or CONNECT_TIMEOUT, sock)
    client_ip, client_port, server_ip, server_port = reply_of(end)
    server = (end.netns, server_ip, server_port)
    far = Waiting(
        netns=end.netns, proto=Proto.TCP, local=(server_ip, server_port), remote=(client_ip, client_port)
    )
    act.waiting.append(far)
    their = choose.number("isn", 1, 0x7FFFFFFF)
    name = end.proc.comm if end.proc is not None else "-"
    us: dict[str, object] = {"who": name}

    def from_server(flags: str, seq: int, ack: int, data: Payload | None = None) -> tuple[End, Walk]:
        layers: tuple[Layer, ...] = (
            Tcp(sport=server_port, dport=client_port, flags=flags, seq=seq, ack=ack),
        )
        return act.walk(
            far.netns, packet_of(server_ip, client_ip, Proto.TCP, *layers, *([data] if data else [])), **us
        )

    def from_client(flags: str, seq: int, ack: int, data: Payload | None = None) -> tuple[End, Walk]:
        layers: tuple[Layer, ...] = (Tcp(sport=sport, dport=port, flags=flags, seq=seq, ack=ack),)
        return act.walk(netns, packet_of(address, dst, Proto.TCP, *layers, *([data] if data else [])), **how)

    done, back = from_server("SA", their, seq + 1)
    if done.waiting != waiting:
        rest = echoes(act, done)
        net.clock += timeout or CONNECT_TIMEOUT
        leg = Leg(
            purpose=purpose, forward=there, back=back, rest=rest, outcome=Outcome.NO_ANSWER, started=started
        )
        return Call(
            leg=leg, outcome=Outcome.NO_ANSWER, error="ETIMEDOUT", seconds=net.clock - started, sock=sock,
            seen_as=(client_ip, client_port), server=server,
        )  # fmt: skip
    arp.confirm(ns, dst, net.clock)
    arp.confirm(net.spaces[far.netns], client_ip, net.clock)
    conversation = Conversation(
        act=act, client=from_client, server=from_server, seq=seq + 1, ack=their + 1, far=far, near=waiting
    )
    outcome, error, answer = conversation.run(
        request,
        lambda: serve(
            Delivery(
                net=net,
                ns=net.spaces[far.netns],
                socket=end.socket,
                proc=end.proc,
                client=(client_ip, client_port),  # type: ignore[arg-type]
                local=(server_ip, server_port),
                request=request,
                choose=choose,
                depth=depth,
            )  # fmt: skip
        ),
    )
    if error == "ETIMEDOUT":
        net.clock += timeout or CONNECT_TIMEOUT
    leg = Leg(
        purpose=purpose,
        forward=there,
        back=back,
        rest=tuple(conversation.walks),
        outcome=outcome,
        started=started,
    )
    return Call(
        leg=leg, outcome=outcome, error=error, response=answer.payload if not error else None, more=answer.legs,
        seconds=net.clock - started, sock=sock, seen_as=(client_ip, client_port), server=server, reply_ttl=done.packet.ip.ttl,
    )  # fmt: skip


Sender = Callable[[str, int, int, "Payload | None"], tuple[End, Walk]]


@dataclass(slots=True)
class Conversation:
    """An established connection: acknowledge, ask, answer, close. `seq`, `ack` are the client's next numbers."""

    act: Act
    client: Sender
    server: Sender
    seq: int
    ack: int
    far: Waiting
    near: Waiting
    walks: list[Walk] = field(default_factory=list)

    def run(self, request: Payload | None, serve: Callable[[], Answer]) -> tuple[Outcome, str, Answer]:
        """(outcome, errno, the program's answer). A lost packet after the handshake is a time-out."""
        nothing = Answer()
        if not self.say(self.client, "A", None):
            return Outcome.NO_ANSWER, "ETIMEDOUT", nothing
        if request is not None and not self.data(self.client, request):
            return Outcome.NO_ANSWER, "ETIMEDOUT", nothing
        answer = serve() if request is not None else nothing
        if answer.payload is not None and not self.data(self.server, answer.payload):
            return Outcome.NO_ANSWER, "ETIMEDOUT", answer
        for sender in (self.client, self.server):
            self.say(sender, "FA", None)
            self.seq, self.ack = (
                (self.seq + 1, self.ack) if sender is self.client else (self.seq, self.ack + 1)
            )
        self.say(self.client, "A", None)
        error = "EPIPE" if answer.close else ""
        return answer.outcome or Outcome.DELIVERED, error, answer

    def say(self, sender: Sender, flags: str, data: Payload | None) -> bool:
        seq, ack = (self.seq, self.ack) if sender is self.client else (self.ack, self.seq)
        end, walk = sender(flags, seq, ack, data)
        self.walks.append(walk)
        return end.waiting == (self.far if sender is self.client else self.near)

    def data(self, sender: Sender, payload: Payload) -> bool:
        """Data in segments of at most 1,340 bytes (it fits every encapsulation of the course), and their acknowledgement."""
        left = payload.size
        text = payload.text
        while left > 0 or text:
            size = min(left, SEGMENT)
            if not self.say(sender, "PA", Payload(protocol=payload.protocol, text=text, size=size)):
                return False
            text, left = "", left - size
            if sender is self.client:
                self.seq += size
            else:
                self.ack += size
        return self.say(self.server if sender is self.client else self.client, "A", None)


SEGMENT = 1340


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


def udp_call(
    net: Net,
    netns: str,
    dst: int,
    port: int,
    *,
    choose: Choose,
    request: Payload,
    sport: int = 0,
    source: int = 0,
    uid: int = 0,
    bound: str = "",
    timeout: float = 5.0,
    serve: Serve = silent,
    purpose: str = "datagram",
    who: str = "client",
    connected: bool = True,
    ttl: int = 64,
    depth: int = 0,
) -> Call:
    """Send one datagram and wait for one answer. A program that says nothing leaves the outcome delivered, with the
    error ETIMEDOUT for a caller that expected words."""
    started = net.clock
    ns = net.spaces[netns]
    act = Act(net, choose)
    address = source or local_address(net, ns, dst, bound)
    sport = sport or ephemeral(net, ns, Proto.UDP, choose)
    waiting = Waiting(
        netns=netns, proto=Proto.UDP, local=(address, sport), remote=(dst, port) if connected else None
    )
    act.waiting.append(waiting)
    how: dict[str, object] = {"who": who, "uid": uid, "bound": bound}
    first = packet_of(address, dst, Proto.UDP, Udp(sport=sport, dport=port), request, ttl=ttl)
    end, there = act.walk(netns, first, **how)
    sock = (address, sport)
    if end.outcome is not Outcome.DELIVERED or end.socket is None:
        return failed(act, end, there, waiting, purpose, started, timeout, sock)
    client_ip, client_port, server_ip, server_port = reply_of(end)
    server = (end.netns, server_ip, server_port)
    answer = serve(
        Delivery(
            net=net,
            ns=net.spaces[end.netns],
            socket=end.socket,
            proc=end.proc,
            client=(client_ip, client_port),
            local=(server_ip, server_port),
            request=request,
            choose=choose,
            depth=depth,
        )  # fmt: skip
    )
    base = {"sock": sock, "seen_as": (client_ip, client_port), "server": server, "more": answer.legs}
    if answer.payload is None:
        net.clock += timeout
        leg = Leg(purpose=purpose, forward=there, outcome=Outcome.DELIVERED, started=started)
        return Call(
            leg=leg, outcome=Outcome.DELIVERED, error="ETIMEDOUT", seconds=net.clock - started, **base
        )  # type: ignore[arg-type]
    name = end.proc.comm if end.proc is not None else "-"
    words = packet_of(
        server_ip, client_ip, Proto.UDP, Udp(sport=server_port, dport=client_port), answer.payload
    )
    done, back = act.walk(end.netns, words, who=name)
    ok = done.waiting == waiting
    rest = () if ok else echoes(act, done)
    if not ok:
        net.clock += timeout
    else:
        arp.confirm(ns, dst, net.clock)
    outcome = (answer.outcome or Outcome.DELIVERED) if ok else Outcome.NO_ANSWER
    leg = Leg(purpose=purpose, forward=there, back=back, rest=rest, outcome=outcome, started=started)
    return Call(
        leg=leg, outcome=outcome, error="" if ok else "ETIMEDOUT", response=answer.payload if ok else None,
        seconds=net.clock - started, reply_ttl=done.packet.ip.ttl, **base,  # type: ignore[arg-type]
    )  # fmt: skip


def ping_call(
    net: Net,
    netns: str,
    dst: int,
    *,
    choose: Choose,
    ident: int = 0,
    seq: int = 1,
    size: int = 56,
    ttl: int = 64,
    df: bool = True,
    source: int = 0,
    bound: str = "",
    timeout: float = 1.0,
    who: str = "ping",
    uid: int = 0,
) -> Call:
    """One echo request and its reply. `df` is ping's default (`-M dont` clears it)."""
    started = net.clock
    ns = net.spaces[netns]
    act = Act(net, choose)
    address = source or local_address(net, ns, dst, bound)
    ident = ident or ephemeral(net, ns, Proto.ICMP, choose) & 0xFFFF
    waiting = Waiting(netns=netns, proto=Proto.ICMP, local=(address, ident), remote=(dst, 0))
    act.waiting.append(waiting)
    data = Payload(protocol="echo", text="", size=size)
    first = packet_of(address, dst, Proto.ICMP, Icmp(type=8, ident=ident, seq=seq), data, ttl=ttl, df=df)
    end, there = act.walk(netns, first, who=who, bound=bound, uid=uid)
    sock = (address, ident)
    if end.outcome is not Outcome.DELIVERED or end.answer is None:
        return failed_ping(act, end, there, started, timeout, sock)
    client, _, server_ip, _ = reply_of(end)
    done, back = act.answer(end.answer)
    ok = done.waiting == waiting and isinstance(done.packet.l4, Icmp) and not done.packet.l4.is_error
    outcome = Outcome.DELIVERED if ok else Outcome.NO_ANSWER
    rest = () if ok else echoes(act, done)
    if not ok:
        net.clock += timeout
    else:
        arp.confirm(ns, dst, net.clock)
    leg = Leg(purpose="ping", forward=there, back=back, rest=rest, outcome=outcome, started=started)
    l4 = done.packet.l4
    return Call(
        leg=leg, outcome=outcome, error="" if ok else "ETIMEDOUT", seconds=net.clock - started, sock=sock,
        icmp=l4 if ok and isinstance(l4, Icmp) else None, icmp_from=done.packet.ip.src if ok else 0,
        reply_ttl=done.packet.ip.ttl if ok else 0, seen_as=(client, 0), server=(end.netns, server_ip, 0),
    )  # fmt: skip


def failed_ping(
    act: Act, end: End, there: Walk, started: float, timeout: float, sock: tuple[int, int]
) -> Call:
    """A ping that reached nobody: an ICMP error that came back to this host, an errno at once, or silence."""
    net = act.net
    back, done, rest = first_answer(act, end)
    l4 = done.packet.l4 if done is not None and done.outcome is Outcome.DELIVERED else None
    icmp = l4 if isinstance(l4, Icmp) and l4.is_error else None
    error = end.error or ("" if icmp is not None else "ETIMEDOUT")
    if error == "ETIMEDOUT":
        net.clock += timeout
    leg = Leg(purpose="ping", forward=there, back=back, rest=rest, outcome=end.outcome, started=started)
    return Call(
        leg=leg, outcome=end.outcome, error=error, seconds=net.clock - started, icmp=icmp, sock=sock,
        icmp_from=done.packet.ip.src if icmp is not None and done is not None else 0,
        reply_ttl=done.packet.ip.ttl if icmp is not None and done is not None else 0,
    )  # fmt: skip
