"""Devices on a device: macvlan (a second MAC) and ipvlan (a second IP stack behind the same MAC).

Theory, macvlan. Out: a bridge-mode device reaches its kind on the same lower device directly, the frame turning around
there; all else leaves by the lower device, a broadcast too after a copy to the others. In: the lower device hands a
frame for a MAC above it up, a broadcast as a copy to each, and keeps the rest: so the host itself and its macvlans do
not hear each other. ipvlan tells frames apart by IP address; in l2 ARP is heard by all, in l3 the lower device's
namespace routes what its own kind does not take. Sources: drivers/net/macvlan.c (macvlan_queue_xmit,
macvlan_handle_frame), drivers/net/ipvlan/ipvlan_core.c.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.linux.addr import mac_text, text4
from engine.linux.flow import of_packet
from engine.linux.journey import Fidelity, Outcome, StepKind
from engine.linux.linkinfo import Ipvlan, Macvlan
from engine.linux.multipath import find
from engine.linux.net import Netns
from engine.linux.packet import Packet
from engine.linux.rows import Link
from engine.linux.skb import Skb
from engine.linux.walk import deliver, flooding, hooks, l2, outbound, routing
from engine.linux.walk import words_tunnel as words
from engine.linux.walk.walker import Arrive, End, Event, Walker, with_copies
from engine.record import replace

Found = tuple[Netns, Link]


def lower(w: Walker, link: Link) -> Found | None:
    """The device below: its namespace and its row."""
    if link.lower is None or link.lower[0] not in w.net.spaces:
        return None
    ns = w.net.spaces[link.lower[0]]
    return (ns, ns.links[link.lower[1]]) if link.lower[1] in ns.links else None


def above(w: Walker, ns: Netns, link: Link) -> list[Found]:
    """The macvlans and ipvlans on a device, in the order in which they were made."""
    found = []
    for id, index in ns.uppers.get(link.ifindex, ()):
        space = w.net.spaces[id]
        found.append((space, space.links[index]))
    return found


def is_multicast(frame: Packet) -> bool:
    return frame.eth is not None and bool(frame.eth.dst >> 40 & 1)


def copies(w: Walker, starts: list[Callable[[Walker], Event]]) -> Event:
    """The same frame several times: each start is one copy. The copy that somebody wanted is the walk, the others hang
    on the step just written."""
    at = len(w.steps) - 1
    runs: list[tuple[Walker, End]] = []
    for start in starts:
        one = w.fork()
        runs.append((one, one.run(start(one))))
    best = max(range(len(runs)), key=lambda i: flooding.interest(runs[i][1], len(runs[i][0].steps)))
    others = tuple(one.walk(end) for i, (one, end) in enumerate(runs) if i != best)
    w.steps[at] = with_copies(w.steps[at], others)
    w.steps.extend(runs[best][0].steps)
    return runs[best][1]


def arrive(found: Found, frame: Packet) -> Callable[[Walker], Event]:
    """A copy that enters by one of the devices above."""
    return lambda w: Arrive(netns=found[0].id, ifindex=found[1].ifindex, frame=frame, mine=True)


def transmit(w: Walker, ns: Netns, link: Link, frame: Packet, skb: Skb) -> Event:
    """A frame leaves by a macvlan or ipvlan device."""
    below = lower(w, link)
    place = w.at(ns, link.name, "out")
    if below is None:
        return w.drop(place, frame, words.LOWER_GONE(dev=link.name), Outcome.DROPPED)
    if isinstance(link.info, Ipvlan):
        return ipvlan_out(w, ns, link, below, frame, skb)
    assert isinstance(link.info, Macvlan) and frame.eth is not None
    there, under = below
    world: Callable[[Walker], Event] = lambda one: l2.transmit(one, there, under, frame)  # noqa: E731
    if link.info.mode == "bridge":
        friends = [one for one in above(w, there, under) if mode(one[1]) == "bridge" and one[1] != link]
        if is_multicast(frame):
            hear = [one for one in friends if one[1].up]
            if hear:
                devs = ", ".join(one[1].name for one in hear)
                why = words.MACVLAN_COPY(lower=under.name, devs=devs)
                w.step(StepKind.BRIDGE, place, frame, why=why, verdict="flood")
                return copies(w, [*(arrive(one, frame) for one in hear), world])
        target = next((one for one in friends if one[1].mac == frame.eth.dst), None)
        if target is not None:
            why = words.MACVLAN_LOCAL(mac=mac_text(frame.eth.dst), lower=under.name)
            w.step(StepKind.BRIDGE, place, frame, why=why)
            return Arrive(netns=there.id, ifindex=under.ifindex, frame=frame)
    w.step(StepKind.BRIDGE, place, frame, why=words.MACVLAN_OUT(dev=link.name, lower=under.name))
    return world(w)


def mode(link: Link) -> str:
    return link.info.mode if isinstance(link.info, Macvlan) else ""


def receive(w: Walker, ns: Netns, link: Link, frame: Packet) -> Event | None:
    """A frame enters by a device that has others above it. None: the lower device keeps it."""
    if frame.eth is None:
        return None
    uppers = above(w, ns, link)
    if any(isinstance(one[1].info, Ipvlan) for one in uppers):
        return ipvlan_in(w, ns, link, frame, uppers)
    place = w.at(ns, link.name, "in")
    if is_multicast(frame):
        hear = [one for one in uppers if one[1].up and hears(uppers, frame.eth.src, one[1])]
        if not hear:
            return None
        devs = ", ".join(one[1].name for one in hear)
        w.step(
            StepKind.BRIDGE, place, frame, why=words.MACVLAN_COPY(lower=link.name, devs=devs), verdict="flood"
        )
        keep: Callable[[Walker], Event] = lambda one: l2.up(one, ns, link, frame, None)  # noqa: E731
        return copies(w, [*(arrive(one, frame) for one in hear), keep])
    alone = next((one for one in uppers if mode(one[1]) == "passthru"), None)
    target = alone or next((one for one in uppers if one[1].mac == frame.eth.dst), None)
    if target is None:
        return None
    space, device = target
    if not device.up:
        return w.drop(place, frame, words.TUNNEL_DOWN(dev=device.name), Outcome.DROPPED, quiet=True)
    why = words.MACVLAN_IN(mac=mac_text(frame.eth.dst), dev=device.name, lower=link.name)
    w.step(StepKind.BRIDGE, place, frame, why=why)
    return Arrive(netns=space.id, ifindex=device.ifindex, frame=frame, mine=True)


def hears(uppers: list[Found], src: int, device: Link) -> bool:
    """Does a device hear a broadcast that entered by the lower one (macvlan_multicast_rx)? One from outside, yes; one
    of its kind has told bridge-mode devices already; private devices hear nobody of their kind."""
    source = next((one[1] for one in uppers if one[1].mac == src), None)
    if source is None:
        return True
    if source == device:
        return False
    if mode(source) == "vepa":
        return mode(device) in ("vepa", "bridge")
    return mode(source) == "bridge" and mode(device) == "vepa"


# -- ipvlan -------------------------------------------------------------------------------------------------


def holder(uppers: list[Found], address: int) -> Found | None:
    """The ipvlan that has this address."""
    for ns, link in uppers:
        if isinstance(link.info, Ipvlan) and any(
            a.addr == address for a in ns.addresses.get(link.ifindex, ())
        ):
            return ns, link
    return None


def wanted(frame: Packet) -> int | None:
    """The address that a frame is for: an ARP target or the IPv4 destination."""
    message = frame.arp
    return message.target_ip if message is not None else frame.ip.dst if frame.has_ip else None


def ipvlan_out(w: Walker, ns: Netns, link: Link, below: Found, frame: Packet, skb: Skb) -> Event:
    info = link.info
    assert isinstance(info, Ipvlan) and frame.eth is not None
    there, under = below
    place = w.at(ns, link.name, "out")
    uppers = above(w, there, under)
    address = wanted(frame)
    direct = info.mode != "l2" or frame.eth.dst == frame.eth.src
    if direct and is_multicast(frame):
        return w.drop(place, frame, words.IPVLAN_NO_MULTICAST(), Outcome.DROPPED)
    if direct and info.flag != "vepa" and address is not None:
        target = holder(uppers, address)
        if target is not None:
            if info.flag == "private":
                return w.drop(place, frame, words.IPVLAN_PRIVATE(lower=under.name), Outcome.DROPPED)
            if not target[1].up:
                return w.drop(place, frame, words.TUNNEL_DOWN(dev=target[1].name), Outcome.DROPPED)
            why = words.IPVLAN_LOCAL(ip=text4(address), lower=under.name)
            w.step(StepKind.BRIDGE, place, frame, why=why, fidelity=Fidelity.DOCUMENTED)
            return arrive(target, frame)(w)
    if info.mode != "l2":
        return routed_on(w, ns, link, below, frame, skb)
    if direct:
        w.step(StepKind.BRIDGE, place, frame, why=words.MACVLAN_OUT(dev=link.name, lower=under.name))
        return Arrive(netns=there.id, ifindex=under.ifindex, frame=frame)
    world: Callable[[Walker], Event] = lambda one: l2.transmit(one, there, under, frame)  # noqa: E731
    hear = [one for one in uppers if one[1].up and one[1] != link and info.flag == "bridge"]
    if is_multicast(frame) and hear:
        devs = ", ".join(one[1].name for one in hear)
        w.step(
            StepKind.BRIDGE,
            place,
            frame,
            why=words.MACVLAN_COPY(lower=under.name, devs=devs),
            verdict="flood",
        )
        return copies(w, [*(arrive(one, frame) for one in hear), world])
    w.step(StepKind.BRIDGE, place, frame, why=words.MACVLAN_OUT(dev=link.name, lower=under.name))
    return world(w)


def routed_on(w: Walker, ns: Netns, link: Link, below: Found, frame: Packet, skb: Skb) -> Event:
    """Layer 3: the lower device's namespace sends the packet as if it had made it (ipvlan_process_v4_outbound)."""
    there, under = below
    place = w.at(ns, link.name, "out")
    packet = frame.unframed()
    mark = skb.mark if there is ns else 0
    key = replace(of_packet(packet, oif=under.name, mark=mark), uid=0)
    found = find(w.net, there, key, choose=w.choose)
    if found.route is None or found.route.type not in ("unicast", "local"):
        why = words.OUTER_NO_ROUTE(dst=text4(packet.ip.dst))
        return w.drop(place, frame, why, Outcome.NO_ROUTE)
    w.step(StepKind.BRIDGE, place, frame, packet, words.IPVLAN_OUT(dev=link.name, lower=under.name))
    at = w.at(there, program="kernel")
    routing.explain_route(w, there, at, packet, found, src=0)
    fresh = Skb(packet=packet, mark=mark, local=True)
    return outbound.local_out(w, there, fresh, found.route, at, came_from=under.name)


def ipvlan_in(w: Walker, ns: Netns, link: Link, frame: Packet, uppers: list[Found]) -> Event | None:
    """A frame enters by a device with ipvlans above it."""
    assert frame.eth is not None
    place = w.at(ns, link.name, "in")
    modes = {one[1].info.mode for one in uppers if isinstance(one[1].info, Ipvlan)}
    if is_multicast(frame):
        if "l2" not in modes:
            return None
        hear = [one for one in uppers if one[1].up]
        if not hear:
            return None
        devs = ", ".join(one[1].name for one in hear)
        w.step(
            StepKind.BRIDGE, place, frame, why=words.MACVLAN_COPY(lower=link.name, devs=devs), verdict="flood"
        )
        keep: Callable[[Walker], Event] = lambda one: l2.up(one, ns, link, frame, None)  # noqa: E731
        return copies(w, [*(arrive(one, frame) for one in hear), keep])
    address = wanted(frame)
    target = holder(uppers, address) if address is not None else None
    if target is None:
        return None
    if not target[1].up:
        return w.drop(place, frame, words.TUNNEL_DOWN(dev=target[1].name), Outcome.DROPPED, quiet=True)
    assert address is not None
    why = words.IPVLAN_IN(ip=text4(address), dev=target[1].name, lower=link.name)
    w.step(StepKind.BRIDGE, place, frame, why=why, fidelity=Fidelity.DOCUMENTED)
    info = target[1].info
    if isinstance(info, Ipvlan) and info.mode == "l3s" and frame.has_ip:
        return symmetric_in(w, ns, link, frame, target)
    return arrive(target, frame)(w)


def symmetric_in(w: Walker, ns: Netns, link: Link, frame: Packet, target: Found) -> Event:
    """l3s: the packet goes through PREROUTING and INPUT of the lower device's namespace, as its own, and then to the
    socket behind the ipvlan (ipvlan_l3_rcv, ipvlan_nf_input)."""
    place = w.at(ns, link.name, "in")
    skb = Skb(packet=frame.unframed(), iif=link.name)
    for hook in ("PREROUTING", "INPUT"):
        event = hooks.run_hook(w, ns, hook, skb, place)
        if event is not None:
            return event
    there, device = target
    skb = Skb(packet=skb.packet, iif=device.name)
    return deliver.deliver(w, there, skb, w.at(there, device.name, "in"))
