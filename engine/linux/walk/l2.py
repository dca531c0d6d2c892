"""Frames: devices, wires, bridges, and br_netfilter's detour through the IP hooks.

Theory. A bridge port hands its frame to the bridge, never to IP. With bridge-nf-call-iptables=1 an IPv4 frame
meets PREROUTING at the port, with the bridge as input device; FORWARD and POSTROUTING only when it is switched
from port to port. A DNAT at the port either stays in the bridge (the new destination is on the same bridge:
TTL untouched) or sends the frame up to be routed. Source: net/bridge/br_netfilter_hooks.c; measured, facts 10
section 1.6.
"""

from __future__ import annotations

from engine.linux.addr import BROADCAST_MAC, mac_text, text4
from engine.linux.journey import Outcome, StepKind
from engine.linux.net import Netns
from engine.linux.packet import Ethernet, Packet
from engine.linux.rows import FdbEntry, Link
from engine.linux.skb import Skb
from engine.linux.walk import (
    arp,
    devices,
    flooding,
    fragments,
    hooks,
    inbound,
    programs,
    routing,
    rowtext,
    timers,
    words,
)
from engine.linux.walk.walker import Arrive, Event, Walker
from engine.record import replace


def count(ns: Netns, link: Link, frame: Packet, *, tx: bool) -> None:
    rp, rb, tp, tb = ns.link_stats.get(link.ifindex, (0, 0, 0, 0))
    size = frame.length()
    ns.link_stats[link.ifindex] = (rp, rb, tp + 1, tb + size) if tx else (rp + 1, rb + size, tp, tb)


def carrier(w: Walker, link: Link) -> Netns | None:
    """The namespace of the other end of a wire, if it is there and up."""
    if link.peer is None:
        return None
    other = w.net.spaces.get(link.peer[0])
    if other is None:
        return None
    far = other.links.get(link.peer[1])
    return other if far is not None and far.up else None


#: what a device takes above its MTU: a VLAN tag (is_skb_forwardable)
VLAN_ROOM = 4


def transmit(
    w: Walker,
    ns: Netns,
    link: Link,
    frame: Packet,
    *,
    mark: int = 0,
    redirects: int = 0,
    bare: bool = False,
    skb: Skb | None = None,
) -> Event:
    """A frame leaves by a device; its tc egress programs see it first (unless it comes `bare`, from XDP). `skb` is
    what IP knows of it."""
    place = w.at(ns, link.name, "out")
    if not link.up:
        return w.drop(place, frame, words.DEVICE_DOWN(dev=link.name), Outcome.DROPPED)
    if w.net.boxes[ns.box].bpf.attached and not bare:
        event, frame, mark = programs.at(w, ns, link, "tcx/egress", frame, mark, place, redirects)
        if event is not None:
            return event
    if link.kind in ("veth", "physical"):
        far = carrier(w, link)
        if far is None or link.peer is None:
            return w.drop(place, frame, words.NO_CARRIER(dev=link.name), Outcome.DROPPED)
        w.step(StepKind.TRANSMIT, place, frame, why=words.OUT_OF(dev=link.name))
        mtu = far.links[link.peer[1]].mtu
        if frame.ip_length() > mtu + VLAN_ROOM:
            why = words.TOO_LONG_FOR_PEER(size=frame.ip_length(), dev=far.links[link.peer[1]].name, mtu=mtu)
            return w.drop(place, frame, why, Outcome.DROPPED)
        count(ns, link, frame, tx=True)
        return Arrive(netns=far.id, ifindex=link.peer[1], frame=frame)
    w.step(StepKind.TRANSMIT, place, frame, why=words.OUT_OF(dev=link.name))
    count(ns, link, frame, tx=True)
    if link.kind == "bridge":
        return switch(w, ns, link, None, frame, Skb(packet=frame.unframed(), local=True, mark=mark))
    if link.kind in devices.TRANSMIT:
        skb = skb if skb is not None else Skb(packet=frame.unframed())
        skb.mark = mark
        return devices.transmit_of(link.kind)(w, ns, link, frame, skb)
    from engine.linux.walk import words_tunnel as tunnel_words

    why = tunnel_words.SWALLOWED(dev=link.name, kind=link.kind)
    return w.drop(place, frame, why, Outcome.DROPPED)


def receive(w: Walker, event: Arrive) -> Event:
    """A frame enters by a device."""
    ns = w.net.spaces[event.netns]
    link, frame, mark = ns.links[event.ifindex], event.frame, event.mark
    place = w.at(ns, link.name, "in")
    programmed = bool(w.net.boxes[ns.box].bpf.attached)
    if programmed:
        taken, frame, mark = programs.at(w, ns, link, "xdp", frame, mark, place)
        if taken is not None:
            return taken
    count(ns, link, frame, tx=False)
    w.step(StepKind.RECEIVE, place, frame, why=words.INTO(dev=link.name))
    if programmed:
        taken, frame, mark = programs.at(w, ns, link, "tcx/ingress", frame, mark, place)
        if taken is not None:
            return taken
    if link.ifindex in ns.uppers:
        from engine.linux.walk import upper

        above = upper.receive(w, ns, link, frame)
        if above is not None:
            return above
    if link.master:
        bridge = ns.links[link.master]
        if not bridge.up:
            return w.drop(place, frame, words.DEVICE_DOWN(dev=bridge.name), Outcome.DROPPED, quiet=True)
        return bridge_port(w, ns, bridge, link, frame, mark)
    return up(w, ns, link, frame, None, mark=mark, mine=event.mine)


def up(
    w: Walker,
    ns: Netns,
    link: Link,
    frame: Packet,
    skb: Skb | None,
    *,
    mark: int = 0,
    mine: bool | None = None,
) -> Event:
    """The device's own input: a frame for this MAC goes to ARP or to IP. `skb` carries what a bridge's PREROUTING
    already decided, which is then not run again; `mark` what a program at the device wrote, `mine` what it knew."""
    if link.headerless:
        return inbound.receive(w, ns, link, frame, skb, mark)
    eth = frame.eth
    assert eth is not None
    place = w.at(ns, link.name, "in")
    if mine is None:
        mine = eth.dst in (link.mac, BROADCAST_MAC) or bool(eth.dst >> 40 & 1)
    if not mine:
        return w.drop(place, frame, words.NOT_MINE(mac=mac_text(eth.dst)), Outcome.DROPPED, quiet=True)
    message = frame.arp
    if message is not None:
        return arp.receive(w, ns, link, frame, message)
    return inbound.receive(w, ns, link, frame, skb, mark)


# -- bridges ------------------------------------------------------------------------------------------------


def bridge_port(w: Walker, ns: Netns, bridge: Link, port: Link, frame: Packet, mark: int = 0) -> Event:
    """A frame enters a bridge by a port: br_netfilter first, then learning, then the decision."""
    skb = Skb(packet=frame.unframed(), iif=bridge.name, physin=port.name, mark=mark, came=frame.eth)
    if frame.has_ip and ns.sysctl("net.bridge.bridge-nf-call-iptables") != "0":
        skb.frame = frame.eth
        old = skb.packet.ip.dst
        end = hooks.run_hook(w, ns, "PREROUTING", skb, w.at(ns, port.name, "in"))
        if end is not None:
            return end
        if skb.packet.ip.dst != old:
            event = bridged_dnat(w, ns, bridge, port, frame, skb)
            if event is not None:
                return event
            frame = skb.packet.framed(frame.eth)  # type: ignore[arg-type]
            assert frame.eth is not None
            hop = ns.neighbours[bridge.ifindex, skb.packet.ip.dst].mac
            frame = frame.framed(replace(frame.eth, dst=hop, src=frame.eth.src))
        else:
            frame = skb.packet.framed(frame.eth)  # type: ignore[arg-type]
        return learn_and_switch(w, ns, bridge, port, frame, skb, filtered=True)
    return learn_and_switch(w, ns, bridge, port, frame, skb, filtered=False)


def bridged_dnat(w: Walker, ns: Netns, bridge: Link, port: Link, frame: Packet, skb: Skb) -> Event | None:
    """PREROUTING changed the destination: either it is a neighbour on this bridge (None: switch on, with the
    neighbour resolved) or the frame goes up to be routed."""
    place = w.at(ns, port.name, "in")
    dst = skb.packet.ip.dst
    found = routing.route_of(w, ns, skb, iif=bridge.name)
    route = found.route
    strange = inbound.martian(ns, bridge, skb.packet)
    if strange is not None:
        return w.drop(place, skb.packet, strange, Outcome.DROPPED)
    forwards = bool(ns.conf(bridge.name, "forwarding"))
    if route is not None and (route.type == "local" or (route.type == "unicast" and forwards)):
        end = inbound.check_source(w, ns, bridge, skb, place)
        if end is not None:
            return end
    if route is not None and route.type == "unicast" and route.oif == bridge.ifindex and forwards:
        hop = route.gateway or dst
        known, event = arp.resolve(w, ns, bridge, hop, skb.packet, w.at(ns, bridge.name, "out"))
        if known is None:
            return event
        if hop != dst:
            ns.neighbours[bridge.ifindex, dst] = replace(known, ip=dst)
        w.step(
            StepKind.BRIDGE, place, frame, skb.packet.framed(Ethernet(src=frame.eth.src, dst=known.mac)),  # type: ignore[union-attr]
            words.BRIDGE_DNAT(dst=text4(dst), bridge=bridge.name), row=rowtext.route(ns, route),
        )  # fmt: skip
        return None
    assert frame.eth is not None
    lifted = skb.packet.framed(replace(frame.eth, dst=bridge.mac))
    w.step(StepKind.BRIDGE, place, frame, lifted, words.BRIDGE_DNAT_UP(dst=text4(dst), bridge=bridge.name))
    learn(w, ns, bridge, port, frame)
    return bridge_up(w, ns, bridge, lifted, skb)


def learn(w: Walker, ns: Netns, bridge: Link, port: Link, frame: Packet) -> None:
    assert frame.eth is not None
    src = frame.eth.src
    if not port.learning or src >> 40 & 1:
        return
    key = (bridge.ifindex, src)
    old = ns.fdb.get(key)
    if old is not None and (old.local or old.static):
        return
    fresh = old is None or old.ifindex != port.ifindex or timers.forgotten(old, bridge, w.net.clock)
    ns.fdb[key] = FdbEntry(bridge=bridge.ifindex, ifindex=port.ifindex, mac=src, since=w.net.clock)
    if fresh:
        why = words.LEARNED(bridge=bridge.name, mac=mac_text(src), port=port.name)
        w.step(StepKind.LEARN, w.at(ns, bridge.name), frame, why=why, row=rowtext.fdb(ns, ns.fdb[key]))


def learn_and_switch(
    w: Walker, ns: Netns, bridge: Link, port: Link, frame: Packet, skb: Skb, *, filtered: bool
) -> Event:
    learn(w, ns, bridge, port, frame)
    return switch(w, ns, bridge, port, frame, skb, filtered=filtered)


def own_macs(ns: Netns, bridge: Link) -> frozenset[int]:
    """The bridge's own MAC and its ports' MACs: frames for them go up to the IP layer."""
    return ns.links.ports(bridge.ifindex).macs


def switch(
    w: Walker, ns: Netns, bridge: Link, port: Link | None, frame: Packet, skb: Skb, *, filtered: bool = False
) -> Event:
    """Choose the ports. `port` None: the frame comes from the bridge device itself."""
    assert frame.eth is not None
    dst = frame.eth.dst
    place = w.at(ns, bridge.name)
    shown = mac_text(dst)
    if not dst >> 40 & 1:
        if port is not None and dst in own_macs(ns, bridge):
            w.step(StepKind.BRIDGE, place, frame, why=words.BRIDGE_UP(mac=shown, bridge=bridge.name))
            return bridge_up(w, ns, bridge, frame, skb)
        entry = ns.fdb.get((bridge.ifindex, dst))
        if entry is not None and timers.forgotten(entry, bridge, w.net.clock):
            del ns.fdb[bridge.ifindex, dst]
            entry = None
        if entry is not None and entry.ifindex in ns.links and not entry.local:
            out = ns.links[entry.ifindex]
            refusal = flooding.may_not(port, out)
            row = rowtext.fdb(ns, entry)
            if refusal == "same":
                why = words.BRIDGE_SAME_PORT(mac=shown)
                return w.drop(place, frame, why, Outcome.DROPPED, row=row)
            if refusal == "isolated":
                return w.drop(place, frame, words.BRIDGE_ISOLATED(), Outcome.DROPPED, row=row)
            w.step(StepKind.BRIDGE, place, frame, why=words.BRIDGE_TO(mac=shown, port=out.name), row=row)
            return port_out(w, ns, bridge, port, out, frame, skb, filtered=filtered)
    return flooding.flood(w, ns, bridge, port, frame, skb, filtered=filtered)


def bridge_up(w: Walker, ns: Netns, bridge: Link, frame: Packet, skb: Skb) -> Event:
    """The frame leaves the ports' world and enters by the bridge device itself."""
    count(ns, bridge, frame, tx=False)
    place = w.at(ns, bridge.name, "in")
    w.step(StepKind.RECEIVE, place, frame, why=words.INTO(dev=bridge.name))
    if w.net.boxes[ns.box].bpf.attached:
        taken, frame, skb.mark = programs.at(w, ns, bridge, "tcx/ingress", frame, skb.mark, place)
        if taken is not None:
            return taken
    prerouted = (
        skb
        if skb.physin and ns.sysctl("net.bridge.bridge-nf-call-iptables") != "0" and frame.has_ip
        else None
    )
    if prerouted is not None:
        prerouted.steered = None  # ip_rcv_core forgets the socket that TPROXY chose at the port (skb_orphan)
    return up(w, ns, bridge, frame, prerouted)


def port_out(
    w: Walker,
    ns: Netns,
    bridge: Link,
    port: Link | None,
    out: Link,
    frame: Packet,
    skb: Skb,
    *,
    filtered: bool,
) -> Event:
    """Out of one port; switched IPv4 frames meet FORWARD and POSTROUTING on the way under br_netfilter."""
    if filtered and port is not None and frame.has_ip:
        skb.packet = frame.unframed()
        skb.iif, skb.oif, skb.physin, skb.physout = bridge.name, bridge.name, port.name, out.name
        end = hooks.run_hook(w, ns, "FORWARD", skb, w.at(ns, bridge.name))
        if end is not None:
            return end
        skb.iif = ""
        end = hooks.run_hook(w, ns, "POSTROUTING", skb, w.at(ns, out.name, "out"))
        if end is not None:
            return end
        header = frame.eth
        assert header is not None
        frame = skb.packet.framed(header)
        pieces = [] if skb.packet.ip.df else fragments.pieces_of(skb, out.mtu)
        if len(pieces) > 1:
            # What netfilter has put together is cut again (br_nf_dev_queue_xmit).
            at = w.at(ns, out.name, "out")
            return fragments.each(w, at, skb.packet, pieces, out.mtu, lambda one, piece: transmit(
                one, ns, out, piece.framed(header), mark=skb.mark, skb=replace(skb, packet=piece)
            ))  # fmt: skip
    if frame.ip_length() > out.mtu:
        why = words.MTU_EXCEEDED(size=frame.ip_length(), oif=out.name, mtu=out.mtu)
        return w.drop(w.at(ns, out.name, "out"), frame, why, Outcome.DROPPED)
    return transmit(w, ns, out, frame, mark=skb.mark, skb=skb)
