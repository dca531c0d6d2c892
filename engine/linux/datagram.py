"""A question by UDP, and a ping: one packet there, one back."""

from __future__ import annotations

from typing import Any

from engine.linux.act import (
    Act,
    Call,
    Delivery,
    Serve,
    echoes,
    ephemeral,
    extended,
    failed,
    first_answer,
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
from engine.linux.packet import Icmp, Payload, Proto, Udp
from engine.linux.walk import arp
from engine.linux.walk.walker import End, Waiting


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
    mark: int = 0,
    timeout: float = 5.0,
    serve: Serve = silent,
    purpose: str = "datagram",
    who: str = "client",
    connected: bool = True,
    ttl: int = 0,
    depth: int = 0,
    strict: bool = False,
) -> Call:
    """Send one datagram and wait for one answer. `strict`: it must not be cut (IP_PMTUDISC_DO). A program
    that says nothing leaves the outcome delivered, with the error ETIMEDOUT for a caller that expected words."""
    started = net.clock
    ns = net.spaces[netns]
    act = Act(net, choose)
    hook = "cgroup_inet4_connect" if connected else "cgroup_udp4_sendmsg"
    wanted = hooks.at_socket(net, ns, hook, Proto.UDP, dst, port, uid=uid, choose=choose, who=who)
    if wanted.error:
        return forbidden(purpose, wanted.steps, wanted.error, started, (source, sport))
    dst, port = wanted.address, wanted.port
    sport = sport or ephemeral(net, ns, Proto.UDP, choose)
    asked = FlowKey(dst=dst, oif=bound, mark=mark, uid=max(uid, 0), proto=Proto.UDP, sport=sport, dport=port)
    address = source or local_address(net, ns, asked)
    waiting = Waiting(
        netns=netns, proto=Proto.UDP, local=(address, sport), remote=(dst, port) if connected else None
    )
    act.waiting.append(waiting)
    how: dict[str, Any] = {"who": who, "uid": uid, "bound": bound, "mark": mark, "cuttable": not strict}
    how["unbound"] = not connected and not source
    first = packet_of(address, dst, Proto.UDP, Udp(sport=sport, dport=port), request, ttl=ttl)
    end, there = act.walk(netns, first, prelude=wanted.steps, **how)
    sock = (address, sport)
    if end.outcome is not Outcome.DELIVERED or end.socket is None:
        return failed(act, end, there, waiting, purpose, started, timeout, sock)
    client_ip, client_port, server_ip, server_port = reply_of(end)
    server = (end.netns, server_ip, server_port)
    idle = end.proc is not None and end.proc.stopped
    answer = (silent if idle else serve)(
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
        )
    )
    if answer.payload is None:
        net.clock += timeout
        leg = Leg(purpose=purpose, forward=there, outcome=Outcome.DELIVERED, started=started)
        return Call(
            leg=leg, outcome=Outcome.DELIVERED, error="ETIMEDOUT", seconds=net.clock - started, sock=sock,
            seen_as=(client_ip, client_port), server=server, more=answer.legs,
        )  # fmt: skip
    name = end.proc.comm if end.proc is not None else "-"
    words = packet_of(
        server_ip, client_ip, Proto.UDP, Udp(sport=server_port, dport=client_port), answer.payload
    )
    done, back = act.walk(end.netns, words, who=name, uid=uid_of(end.proc), cuttable=True)
    ok = done.waiting == waiting
    rest = () if ok else echoes(act, done)
    peer = (0, 0)
    if not ok:
        net.clock += timeout
    else:
        arp.confirm(net, ns, dst)
        hook = "cgroup_inet4_getpeername" if connected else "cgroup_udp4_recvmsg"
        source_ip, source_port, _, _ = reply_of(done)
        read = hooks.at_socket(
            net, ns, hook, Proto.UDP, source_ip, source_port, uid=uid, choose=choose, who=who
        )
        peer = (read.address, read.port)
        back = extended(back, () if connected else read.steps)
    outcome = (answer.outcome or Outcome.DELIVERED) if ok else Outcome.NO_ANSWER
    leg = Leg(purpose=purpose, forward=there, back=back, rest=rest, outcome=outcome, started=started)
    return Call(
        leg=leg, outcome=outcome, error="" if ok else "ETIMEDOUT", response=answer.payload if ok else None,
        seconds=net.clock - started, reply_ttl=done.packet.ip.ttl, sock=sock,
        seen_as=(client_ip, client_port), server=server, more=answer.legs, peer=peer,
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
    ttl: int = 0,
    df: bool = True,
    source: int = 0,
    bound: str = "",
    mark: int = 0,
    timeout: float = 1.0,
    who: str = "ping",
    uid: int = 0,
) -> Call:
    """One echo request and its reply. `df` is ping's default (`-M dont` clears it)."""
    started = net.clock
    ns = net.spaces[netns]
    act = Act(net, choose)
    asked = FlowKey(dst=dst, oif=bound, mark=mark, uid=max(uid, 0), proto=Proto.ICMP, dport=8 << 8)
    address = source or local_address(net, ns, asked)
    ident = ident or ephemeral(net, ns, Proto.ICMP, choose) & 0xFFFF
    waiting = Waiting(netns=netns, proto=Proto.ICMP, local=(address, ident), remote=(dst, 0))
    act.waiting.append(waiting)
    data = Payload(protocol="echo", text="", size=size)
    first = packet_of(address, dst, Proto.ICMP, Icmp(type=8, ident=ident, seq=seq), data, ttl=ttl, df=df)
    end, there = act.walk(netns, first, who=who, bound=bound, uid=uid, mark=mark, unbound=not source)
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
        arp.confirm(net, ns, dst)
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
