"""An ARP question that a lent namespace (lent.py) has no use for, told without making that namespace a copy.

Theory. A bridge floods a question to every pod of its node. All but one look at the address, find that it is not
theirs and forget it, and nothing of them changes but a counter that nobody reads again when the Net is only borrowed.
The steps are those of l2.transmit, l2.receive and arp.receive; a test holds the two against each other.

Rules. When in doubt (a program at the device, a bridge behind it, a neighbour who asks, a router) the answer is None:
the frame is then walked.
"""

from __future__ import annotations

from engine.linux.addr import is_loopback, is_multicast, text4
from engine.linux.journey import Outcome, StepKind
from engine.linux.lent import Lent
from engine.linux.net import Netns
from engine.linux.packet import Arp, Packet
from engine.linux.rows import Link
from engine.linux.walk import words
from engine.linux.walk.walker import End, Walker


def overheard(w: Walker, ns: Netns, out: Link, frame: Packet) -> End | None:
    """Where a flooded frame ends that leaves `ns` by the port `out`; None when that takes a walk."""
    message, spaces = frame.arp, w.net.spaces
    if (
        message is None
        or out.peer is None
        or out.kind not in ("veth", "physical")
        or not isinstance(spaces, Lent)
    ):
        return None
    far = spaces.lent(out.peer[0])
    link = far.links.get(out.peer[1]) if far is not None else None
    if far is None or link is None or not out.up or not indifferent(far, link, message):
        return None
    boxes = w.net.boxes
    if (
        boxes[ns.box].bpf.attached
        or boxes[far.box].bpf.attached
        or frame.ip_length() > min(out.mtu, link.mtu)
    ):
        return None
    rp, rb, tp, tb = ns.link_stats.get(out.ifindex, (0, 0, 0, 0))
    ns.link_stats[out.ifindex] = (rp, rb, tp + 1, tb + frame.length())
    w.step(StepKind.TRANSMIT, w.at(ns, out.name, "out"), frame, why=words.OUT_OF(dev=out.name))
    place = w.at(far, link.name, "in")
    w.step(StepKind.RECEIVE, place, frame, why=words.INTO(dev=link.name))
    silence = words.ARP_NOT_MINE(ip=text4(message.target_ip))
    return w.drop(place, frame, silence, Outcome.DROPPED, quiet=True)


def indifferent(ns: Netns, link: Link, message: Arp) -> bool:
    """Does this device's host neither answer a question nor learn from it, nor pass it on?"""
    sip, tip = message.sender_ip, message.target_ip
    return (
        message.op == 1
        and link.up
        and not link.master
        and not link.headerless
        and link.ifindex not in ns.uppers
        and sip not in (0, tip)
        and not is_multicast(tip)
        and not is_loopback(tip)
        and (link.ifindex, sip) not in ns.neighbours
        and not ns.custom_local
        and not any(row.addr == tip for rows in ns.addresses.values() for row in rows)
        and not ns.conf(link.name, "forwarding")
        and not ns.conf("all", "arp_accept")
        and not ns.conf(link.name, "arp_accept")
    )
