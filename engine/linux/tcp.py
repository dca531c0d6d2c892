"""A call by TCP: connect, ask, answer, close. Every segment of it is walked.

Theory. The leg shows the SYN there and its answer back; what follows (the handshake's end, the data, the close) is
walked as well, because counters, conntrack states and captures must be those of a real connection, and
is kept in `Leg.rest`. Data are messages in segments, not a byte stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

from engine.linux import sockets
from engine.linux.act import (
    CONNECT_TIMEOUT,
    Act,
    Answer,
    Call,
    Delivery,
    Serve,
    echoes,
    ephemeral,
    extended,
    failed,
    forbidden,
    local_address,
    packet_of,
    reply_of,
    silent,
    uid_of,
)
from engine.linux.bpf import hooks
from engine.linux.choose import Choose
from engine.linux.flow import FlowKey
from engine.linux.journey import Leg, Outcome, Walk
from engine.linux.net import Net
from engine.linux.packet import Layer, Payload, Proto, Tcp
from engine.linux.walk import arp
from engine.linux.walk.walker import End, Waiting
from engine.record import dataclass


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
    mark: int = 0,
    timeout: float = 0.0,
    serve: Serve = silent,
    purpose: str = "connection",
    who: str = "client",
    depth: int = 0,
    stay: bool = False,
    brief: bool = False,
) -> Call:
    """Connect, send `request` (None: connect and close), get the response, close. The program is asked in any case:
    one that acts when it accepts (a proxy) does so before a byte has come. `timeout` 0 is the kernel's own;
    `stay` leaves the connection open after the handshake, as connect(2) alone does; `brief` ends with the last byte of
    the response, without the close: for a Net that nobody looks at afterwards."""
    started = net.clock
    ns = net.spaces[netns]
    act = Act(net, choose)
    wanted = hooks.at_socket(
        net, ns, "cgroup_inet4_connect", Proto.TCP, dst, port, uid=uid, choose=choose, who=who
    )
    if wanted.error:
        return forbidden(purpose, wanted.steps, wanted.error, started, (source, sport))
    dst, port = wanted.address, wanted.port
    # A port that is not bound is chosen behind the address (tcp_v4_connect).
    asked = FlowKey(dst=dst, oif=bound, mark=mark, uid=max(uid, 0), proto=Proto.TCP, sport=sport, dport=port)
    address = source or local_address(net, ns, asked)
    sport = sport or ephemeral(net, ns, Proto.TCP, choose)
    waiting = Waiting(netns=netns, proto=Proto.TCP, local=(address, sport), remote=(dst, port))
    act.waiting.append(waiting)
    seq = choose.number("isn", 1, 0x7FFFFFFF)
    how: dict[str, Any] = {"who": who, "uid": uid, "bound": bound, "mark": mark}
    syn = packet_of(address, dst, Proto.TCP, Tcp(sport=sport, dport=port, flags="S", seq=seq))
    near, remote = (address, sport), (dst, port)
    prelude = (*wanted.steps, *hooks.sock_ops(net, ns, "tcp_connect", near, remote, choose=choose, who=who))
    end, there = act.walk(netns, syn, prelude=prelude, **how)
    sock = (address, sport)
    if end.outcome is not Outcome.DELIVERED or end.socket is None:
        return failed(act, end, there, waiting, purpose, started, timeout or CONNECT_TIMEOUT, sock)
    socket = end.socket
    client_ip, client_port, server_ip, server_port = reply_of(end)
    server = (end.netns, server_ip, server_port)
    far = Waiting(
        netns=end.netns, proto=Proto.TCP, local=(server_ip, server_port), remote=(client_ip, client_port)
    )
    act.waiting.append(far)
    their = choose.number("isn", 1, 0x7FFFFFFF)
    name = end.proc.comm if end.proc is not None else "-"
    us: dict[str, Any] = {"who": name, "uid": uid_of(end.proc)}

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
    arp.confirm(net, ns, dst)
    arp.confirm(net, net.spaces[far.netns], client_ip)
    told = hooks.sock_ops(net, ns, "active_established", near, remote, choose=choose, who=who)
    back = extended(back, told)
    peer = hooks.at_socket(
        net, ns, "cgroup_inet4_getpeername", Proto.TCP, dst, port, uid=uid, choose=choose, who=who
    )
    stopped = end.proc is not None and end.proc.stopped
    conversation = Conversation(
        act=act, client=from_client, server=from_server, seq=seq + 1, ack=their + 1, far=far, near=waiting,
        accepted=None if not stopped else lambda: sockets.enqueue(net.spaces[far.netns], socket), stay=stay,
        brief=brief,
    )  # fmt: skip
    hooks.sock_ops(
        net, net.spaces[far.netns], "passive_established", far.local, (client_ip, client_port), choose=choose,
        who=name,
    )  # fmt: skip
    outcome, error, answer = conversation.run(
        request,
        lambda: serve(
            Delivery(
                net=net,
                ns=net.spaces[far.netns],
                socket=socket,
                proc=end.proc,
                client=(client_ip, client_port),
                local=(server_ip, server_port),
                request=request,
                choose=choose,
                depth=depth,
            )
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
        seconds=net.clock - started, sock=sock, seen_as=(client_ip, client_port), server=server,
        reply_ttl=done.packet.ip.ttl, peer=(peer.address, peer.port),
    )  # fmt: skip


Sender = Callable[[str, int, int, "Payload | None"], tuple[End, Walk]]


@dataclass(slots=True)
class Conversation:
    """An established connection: acknowledge, ask, answer, close. `seq`, `ack` are the client's next numbers. Where the
    program does not accept, its kernel takes the data and the close; nobody answers."""

    act: Act
    client: Sender
    server: Sender
    seq: int
    ack: int
    far: Waiting
    near: Waiting
    #: set when nobody accepts: called when the handshake is complete
    accepted: Callable[[], None] | None = None
    stay: bool = False
    #: nothing is walked after the response
    brief: bool = False
    #: a RST has come back to the client
    reset: bool = False
    walks: list[Walk] = field(default_factory=list)

    def run(self, request: Payload | None, serve: Callable[[], Answer]) -> tuple[Outcome, str, Answer]:
        """(outcome, errno, the program's answer). A lost packet after the handshake is a time-out."""
        nothing = Answer()
        if not self.say(self.client, "A", None):
            return Outcome.NO_ANSWER, "ECONNRESET" if self.reset else "ETIMEDOUT", nothing
        if self.accepted is not None:
            self.accepted()
        if self.stay:
            return Outcome.DELIVERED, "", nothing
        if request is not None and not self.data(self.client, request):
            return Outcome.NO_ANSWER, "ETIMEDOUT", nothing
        if self.accepted is not None:
            self.say(self.client, "FA", None)
            self.seq += 1
            self.say(self.server, "A", None)
            if request is not None:
                return Outcome.NO_ANSWER, "ETIMEDOUT", nothing
            return Outcome.DELIVERED, "", nothing
        answer = serve()
        if answer.payload is not None and not self.data(self.server, answer.payload):
            return Outcome.NO_ANSWER, "ETIMEDOUT", answer
        if self.brief:
            return answer.outcome or Outcome.DELIVERED, "EPIPE" if answer.close else "", answer
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
        if end.answer is not None and end.waiting is None:
            done, answer = self.act.answer(end.answer)
            self.walks.append(answer)
            l4 = done.packet.l4
            self.reset = self.reset or (done.waiting == self.near and isinstance(l4, Tcp) and "R" in l4.flags)
        return end.waiting == (self.far if sender is self.client else self.near)

    def data(self, sender: Sender, payload: Payload) -> bool:
        """Data in segments of at most 1,340 bytes (they fit every encapsulation of the course), each acknowledged."""
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
        if self.brief and sender is self.server:
            return True
        return self.say(self.server if sender is self.client else self.client, "A", None)


SEGMENT = 1340
