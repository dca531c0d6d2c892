"""An association by SCTP: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, and its graceful end.

Theory. The leg shows INIT there and INIT ACK back; the rest of the handshake and the three packets of the shutdown are
in `Leg.rest`, as with TCP. A port on which nobody listens is answered with ABORT by a kernel that has SCTP loaded.
Source: RFC 9260 sections 5 and 9.

Rules. Messages are not modelled: an association is made and closed, which is what Services and policies decide about.
"""

from __future__ import annotations

from engine.linux.act import (
    Act,
    Call,
    ephemeral,
    failed,
    local_address,
    packet_of,
    reply_of,
    uid_of,
)
from engine.linux.choose import Choose
from engine.linux.flow import FlowKey
from engine.linux.journey import Leg, Outcome, Walk
from engine.linux.net import Net
from engine.linux.packet import Proto, Sctp
from engine.linux.walk import arp
from engine.linux.walk.walker import End, Waiting

#: how long a connect tries: INIT is sent eight times more, the wait doubling from one second to sixty
CONNECT_TIMEOUT = 243.0


def sctp_call(
    net: Net,
    netns: str,
    dst: int,
    port: int,
    *,
    choose: Choose,
    source: int = 0,
    sport: int = 0,
    timeout: float = CONNECT_TIMEOUT,
    purpose: str = "association",
    who: str = "client",
) -> Call:
    """Open an association and close it again."""
    started = net.clock
    ns = net.spaces[netns]
    act = Act(net, choose)
    sport = sport or ephemeral(net, ns, Proto.SCTP, choose)
    asked = FlowKey(dst=dst, proto=Proto.SCTP, sport=sport, dport=port)
    address = source or local_address(net, ns, asked)
    sock = (address, sport)
    near = Waiting(netns=netns, proto=Proto.SCTP, local=sock, remote=(dst, port))
    act.waiting.append(near)
    tag, their_tag = (choose.number("verification tag", 1, 0xFFFFFFFF) for _ in range(2))

    def from_client(chunk: str, vtag: int) -> tuple[End, Walk]:
        head = Sctp(sport=sport, dport=port, chunk=chunk, vtag=vtag)
        return act.walk(netns, packet_of(address, dst, Proto.SCTP, head), who=who)

    end, there = from_client("INIT", 0)
    if end.outcome is not Outcome.DELIVERED or end.socket is None:
        return failed(act, end, there, near, purpose, started, timeout, sock)
    client_ip, client_port, server_ip, server_port = reply_of(end)
    far = Waiting(
        netns=end.netns, proto=Proto.SCTP, local=(server_ip, server_port), remote=(client_ip, client_port)
    )
    act.waiting.append(far)
    name = end.proc.comm if end.proc is not None else "-"

    def from_server(chunk: str) -> tuple[End, Walk]:
        head = Sctp(sport=server_port, dport=client_port, chunk=chunk, vtag=tag)
        packet = packet_of(server_ip, client_ip, Proto.SCTP, head)
        return act.walk(far.netns, packet, who=name, uid=uid_of(end.proc))

    done, back = from_server("INIT_ACK")
    rest: list[Walk] = []
    ok = done.waiting == near
    if ok:
        arp.confirm(net, ns, dst)
        for chunk, mine in (
            ("COOKIE_ECHO", True), ("COOKIE_ACK", False), ("SHUTDOWN", True), ("SHUTDOWN_ACK", False),
            ("SHUTDOWN_COMPLETE", True),
        ):  # fmt: skip
            last, walk = from_client(chunk, their_tag) if mine else from_server(chunk)
            rest.append(walk)
            ok = ok and last.waiting == (far if mine else near)
            if not ok:
                break
    if not ok:
        net.clock += timeout
    outcome = Outcome.DELIVERED if ok else Outcome.NO_ANSWER
    leg = Leg(purpose=purpose, forward=there, back=back, rest=tuple(rest), outcome=outcome, started=started)
    return Call(
        leg=leg, outcome=outcome, error="" if ok else "ETIMEDOUT", seconds=net.clock - started, sock=sock,
        seen_as=(client_ip, client_port), server=(end.netns, server_ip, server_port),
    )  # fmt: skip
