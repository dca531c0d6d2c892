"""The end of the way in: sockets, and what a kernel answers by itself (echo, RST, ICMP errors).

Theory. A SYN goes to a listening socket, or earns a RST. A segment of a connection goes to the socket that
waits for it; from anybody else it earns a RST. A datagram without a socket earns ICMP port unreachable.
Errors quote the packet as it stood where it died. Sources: RFC 792, RFC 9293; net/ipv4/icmp.c,
netfilter/nf_reject_ipv4.c; facts 10 section 1.5.
"""

from __future__ import annotations

from engine.linux import sockets
from engine.linux.addr import text4
from engine.linux.conntrack import quoted_tuple
from engine.linux.journey import Fidelity, Outcome, Place, StepKind
from engine.linux.lent import peek
from engine.linux.net import Netns
from engine.linux.packet import PROTO_NAMES, Ethernet, Icmp, IPv4, Packet, Proto, Sctp, Tcp, Udp
from engine.linux.skb import Skb
from engine.linux.walk import routing, words
from engine.linux.walk.walker import Answering, End, Event, Waiting, Walker

#: --reject-with -> ICMP code of type 3
REJECT_CODES = {
    "icmp-net-unreachable": 0, "icmp-host-unreachable": 1, "icmp-proto-unreachable": 2, "icmp-port-unreachable": 3,
    "icmp-net-prohibited": 9, "icmp-host-prohibited": 10, "icmp-admin-prohibited": 13,
}  # fmt: skip


def default_ttl(ns: Netns) -> int:
    return int(ns.sysctl("net.ipv4.ip_default_ttl"))


def icmp_error(ns: Netns, skb: Skb, type: int, code: int, *, mtu: int = 0) -> Answering | None:
    """The error that this kernel sends to the packet's source; None where none may be sent (about an ICMP error,
    to nobody). Its source is the address the packet was for if that is ours, else what routing chooses. It belongs to
    the packet's connection, confirmed or not (icmp_glue_bits calls nf_ct_attach)."""
    packet = skb.packet
    l4 = packet.l4
    if isinstance(l4, Icmp) and (l4.is_error or (l4.type == 0 and skb.local)):
        # an echo reply leaves under the lock of the very socket that errors are sent by (icmp_xmit_lock)
        return None
    ip = packet.ip
    if ip.src == 0 or ip.offset:
        return None
    source = ip.dst if ns.owns(ip.dst) else 0
    quoted = packet.unframed()
    error = Packet(
        (
            IPv4(src=source, dst=ip.src, proto=Proto.ICMP, ttl=default_ttl(ns), tos=0xC0, df=False),
            Icmp(type=type, code=code, mtu=mtu, quoted=quoted),
        )
    )
    return Answering(netns=ns.id, packet=error, ct_of=skb)


def reset(ns: Netns, packet: Packet, ct_of: Skb | None = None) -> Answering | None:
    """The RST that answers a TCP segment; a RST is never answered. One made by REJECT (`ct_of`) about a frame that came
    through a bridge port leaves by that very port as a ready frame: no OUTPUT, no NAT (nf_send_reset)."""
    l4 = packet.l4
    if not isinstance(l4, Tcp) or "R" in l4.flags:
        return None
    ip = packet.ip
    flags, seq, ack = ("R", l4.ack, 0) if "A" in l4.flags else ("RA", 0, l4.seq + 1)
    rst = Packet(
        (
            IPv4(src=ip.dst, dst=ip.src, proto=Proto.TCP, ttl=default_ttl(ns)),
            Tcp(sport=l4.dport, dport=l4.sport, flags=flags, seq=seq, ack=ack),
        )
    )
    if ct_of is not None and ct_of.frame is not None:
        frame = Ethernet(src=ct_of.frame.dst, dst=ct_of.frame.src)
        return Answering(netns=ns.id, packet=rst.framed(frame), device=ct_of.physin)
    return Answering(netns=ns.id, packet=rst, ct_of=ct_of)


def reject(ns: Netns, skb: Skb, how: str) -> Answering | None:
    """What REJECT sends back. Nothing about a fragment: its checksum cannot be verified (nf_ip_checksum)."""
    if skb.packet.ip.is_fragment:
        return None
    if how == "tcp-reset":
        return reset(ns, skb.packet, ct_of=skb)
    return icmp_error(ns, skb, 3, REJECT_CODES[how])


def find_waiting(
    w: Walker, ns: Netns, proto: int, local: tuple[int, int], remote: tuple[int, int] | None
) -> Waiting | None:
    """The client's socket for it; `remote` None: whoever it is from."""
    for one in w.waiting:
        from_there = remote is None or one.remote in (None, remote)
        if one.netns == ns.id and one.proto == proto and one.local == local and from_there:
            return one
    return None


def deliver(w: Walker, ns: Netns, skb: Skb, place: Place) -> Event:
    """Hand the packet to whoever it is for; a tunnel's own socket is asked first."""
    if ns.tunnels or skb.packet.ip.proto == Proto.IPIP:
        from engine.linux.walk import tunnel

        event = tunnel.receive(w, ns, skb, place)
        if event is not None:
            return event
    packet = skb.packet
    l4 = packet.l4
    if isinstance(l4, Tcp | Udp) or (isinstance(l4, Sctp) and speaks_sctp(w, ns)):
        return to_port(w, ns, skb, l4, place)
    if isinstance(l4, Icmp):
        return to_icmp(w, ns, skb, l4, place)
    why = words.PROTO_UNKNOWN(proto=packet.ip.proto)
    answer = icmp_error(ns, skb, 3, 2)
    return w.drop(place, packet, why, Outcome.REFUSED, answer=answer, fidelity=Fidelity.DOCUMENTED)


def speaks_sctp(w: Walker, ns: Netns) -> bool:
    """Has this machine's kernel loaded SCTP? It does so with the first socket."""
    if any(one.proto == Proto.SCTP and one.netns == ns.id for one in w.waiting):
        return True
    return any(s.proto == "sctp" for _, one in peek(w.net.spaces) if one.box == ns.box for s in one.sockets)


def aborted(ns: Netns, packet: Packet) -> Answering | None:
    """The ABORT that answers a chunk out of the blue; an ABORT is never answered (RFC 9260 section 8.4)."""
    l4 = packet.l4
    if not isinstance(l4, Sctp) or l4.chunk in ("ABORT", "SHUTDOWN_COMPLETE"):
        return None
    ip = packet.ip
    head = IPv4(src=ip.dst, dst=ip.src, proto=Proto.SCTP, ttl=default_ttl(ns))
    return Answering(
        netns=ns.id, packet=Packet((head, Sctp(sport=l4.dport, dport=l4.sport, chunk="ABORT", vtag=l4.vtag)))
    )


def to_port(w: Walker, ns: Netns, skb: Skb, l4: Tcp | Udp | Sctp, place: Place) -> End:
    packet = skb.packet
    ip = packet.ip
    proto = Proto.TCP if isinstance(l4, Tcp) else Proto.UDP if isinstance(l4, Udp) else Proto.SCTP
    local, remote = (ip.dst, l4.dport), (ip.src, l4.sport)
    found = find_waiting(w, ns, proto, local, remote)
    if found is not None:
        w.step(StepKind.SOCKET, place, packet, why=words.TO_CLIENT())
        return End(outcome=Outcome.DELIVERED, netns=ns.id, packet=packet, waiting=found)
    where = f"{text4(ip.dst)}:{l4.dport}"
    opening = l4.flags == "S" if isinstance(l4, Tcp) else isinstance(l4, Udp) or l4.chunk == "INIT"
    socket = skb.steered if opening else None
    if socket is None and opening:
        socket = sockets.find(ns, PROTO_NAMES[proto], ip.dst, l4.dport, iif=skb.iif, choose=w.choose)
    if socket is not None and sockets.full(ns, socket):
        why = words.QUEUE_FULL(where=where, n=sockets.waiting(ns, socket), backlog=sockets.limit(ns, socket))
        return w.drop(place, packet, why, Outcome.DROPPED)
    if socket is not None:
        proc = w.net.proc_of(ns, socket.pid)
        name = proc.comm if proc is not None else "-"
        w.step(StepKind.SOCKET, w.at(ns, program=name), packet, why=words.TO_SOCKET(who=name, where=where))
        return End(outcome=Outcome.DELIVERED, netns=ns.id, packet=packet, socket=socket, proc=proc)
    if not ns.owns(ip.dst):
        # Routed here by a local route for somebody else's address (TPROXY's): no answer may leave from that address.
        return w.drop(place, packet, words.FOREIGN_SILENT(where=where), Outcome.DROPPED)
    if isinstance(l4, Tcp):
        asked = any(one.netns == ns.id and one.proto == proto and one.local == local for one in w.waiting)
        why = words.WRONG_ANSWERER(src=text4(ip.src)) if asked else words.NO_SOCKET_TCP(where=where)
        return w.drop(place, packet, why, Outcome.REFUSED, answer=reset(ns, packet))
    if isinstance(l4, Sctp):
        why = words.NO_SOCKET_SCTP(where=where)
        return w.drop(
            place, packet, why, Outcome.REFUSED, answer=aborted(ns, packet), fidelity=Fidelity.DOCUMENTED
        )
    answer = icmp_error(ns, skb, 3, 3)
    return w.drop(place, packet, words.NO_SOCKET_UDP(where=where), Outcome.REFUSED, answer=answer)


def to_icmp(w: Walker, ns: Netns, skb: Skb, l4: Icmp, place: Place) -> End:
    packet = skb.packet
    ip = packet.ip
    if l4.type == 8:
        if ns.sysctl("net.ipv4.icmp_echo_ignore_all") != "0":
            return w.drop(place, packet, words.ECHO_IGNORED(), Outcome.DROPPED)
        kernel = w.at(ns, program="kernel")
        w.step(StepKind.SOCKET, kernel, packet, why=words.ECHO())
        reply = Packet(
            (
                IPv4(src=ip.dst, dst=ip.src, proto=Proto.ICMP, ttl=default_ttl(ns), df=False),
                Icmp(type=0, ident=l4.ident, seq=l4.seq),
                *packet.unframed().layers[2:],
            )
        )
        answer = Answering(netns=ns.id, packet=reply)
        return End(outcome=Outcome.DELIVERED, netns=ns.id, packet=packet, answer=answer)
    if l4.is_error:
        quoted = quoted_tuple(packet)
        if quoted is not None:
            local, remote = (quoted.src, quoted.sport), (quoted.dst, quoted.dport)
            found = find_waiting(w, ns, quoted.proto, local, remote)
            if l4.code == 4 and l4.type == 3 and l4.mtu:
                routing.learn_mtu(w, ns, quoted.dst, l4.mtu)
            if found is not None or quoted.proto == Proto.ICMP:
                w.step(StepKind.SOCKET, place, packet, why=words.ICMP_ERROR_IN())
                return End(outcome=Outcome.DELIVERED, netns=ns.id, packet=packet, waiting=found)
    else:
        # By its identifier alone (ping_lookup): ping says `DIFFERENT ADDRESS!` to one that another host has sent.
        found = find_waiting(w, ns, Proto.ICMP, (ip.dst, l4.ident), None)
        if found is not None:
            w.step(StepKind.SOCKET, place, packet, why=words.TO_CLIENT())
            return End(outcome=Outcome.DELIVERED, netns=ns.id, packet=packet, waiting=found)
    return w.drop(place, packet, words.NO_SOCKET_ICMP(), Outcome.DROPPED, quiet=True)
