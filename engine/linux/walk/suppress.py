"""neigh_suppress: a bridge that answers ARP questions in place of what lies behind some of its ports.

Theory (br_do_proxy_suppress_arp): a question that came by a port without the flag is looked up in the bridge device's
own neighbour table; when the MAC stands in the forwarding table behind a port with the flag, the bridge answers, out
of the port that asked. Whether it answers or only knows, the question is not sent into ports with the flag. VXLAN ports
are given the flag so that questions do not cross the tunnel. Source: net/bridge/br_arp_nd_proxy.c (Linux 6.18).
"""

from __future__ import annotations

from engine.linux.addr import text4
from engine.linux.journey import Fidelity, Outcome, StepKind
from engine.linux.net import Netns
from engine.linux.packet import ETH_ARP, Arp, Ethernet, Packet
from engine.linux.rows import Link
from engine.linux.walk.walker import Answering, End, Walker

#: NUD_VALID
VALID = ("PERMANENT", "NOARP", "REACHABLE", "PROBE", "STALE", "DELAY")


def enabled(ns: Netns, bridge: Link) -> bool:
    """Has any port of the bridge the flag?"""
    return ns.links.ports(bridge.ifindex).suppress


def answer(w: Walker, ns: Netns, bridge: Link, port: Link | None, frame: Packet) -> tuple[bool, End | None]:
    """(the question stays out of ports with the flag, the End when the bridge answers it)."""
    message = frame.arp
    if message is None or frame.eth is None or (port is not None and port.neigh_suppress):
        return False, None
    if not frame.eth.dst >> 40 & 1 and message.op == 1:
        return False, None
    if message.sender_ip in (0, message.target_ip):
        return True, None
    if message.op != 1:
        return False, None
    if ns.owns(message.target_ip):
        return True, None
    known = ns.neighbours.get((bridge.ifindex, message.target_ip))
    if known is None or known.state not in VALID:
        return False, None
    entry = ns.fdb.get((bridge.ifindex, known.mac))
    if entry is None:
        return False, None
    behind = ns.links.get(entry.ifindex)
    if port is None or behind is None or not behind.neigh_suppress:
        return True, None
    from engine.linux.walk import words_tunnel as words

    place = w.at(ns, bridge.name)
    why = words.SUPPRESSED(bridge=bridge.name, ip=text4(message.target_ip))
    w.step(StepKind.ARP, place, frame, why=why, fidelity=Fidelity.DOCUMENTED)
    reply = Packet(
        (
            Ethernet(src=known.mac, dst=message.sender_mac, type=ETH_ARP),
            Arp(
                op=2, sender_mac=known.mac, sender_ip=message.target_ip, target_mac=message.sender_mac,
                target_ip=message.sender_ip,
            ),
        )
    )  # fmt: skip
    back = Answering(netns=ns.id, packet=reply, device=port.name)
    return True, End(outcome=Outcome.DELIVERED, netns=ns.id, packet=frame, answer=back)
