"""VXLAN and Geneve: frames inside UDP.

Theory, out (vxlan_xmit): an external device sends where the packet's tunnel key says. Any other looks the destination
MAC up in its own table; what is not there goes where the entry of zeros says, which is the default remote; a list of
remotes means a copy to each, the first one last. In (vxlan_rcv): the port finds the socket, the VNI the device; a
learning device notes the outer source of the inner MAC, and drops what contradicts an entry made by hand. Geneve has
one remote and no table. Sources: drivers/net/vxlan/vxlan_core.c, drivers/net/geneve.c (Linux 6.18).
"""

from __future__ import annotations

from engine.linux import linkinfo
from engine.linux.addr import mac_text, text4
from engine.linux.flow import FlowKey
from engine.linux.journey import Fidelity, Outcome, Place, StepKind
from engine.linux.multipath import find as find_route
from engine.linux.net import Netns
from engine.linux.packet import Geneve, Packet, Proto, Udp, Vxlan
from engine.linux.rows import Link, Port, Remote, VxlanFdb
from engine.linux.skb import Skb
from engine.linux.text import fdb as fdb_text
from engine.linux.walk import tunnel
from engine.linux.walk import words_tunnel as words
from engine.linux.walk.walker import Arrive, End, Event, Walker, with_copies
from engine.record import replace
from engine.say import Said

#: outer IPv4 and UDP, the tunnel's header, the inner Ethernet header
ROOM = 20 + 8 + 8 + 14
CHECKED = Fidelity.KERNEL_CHECKED


def is_multicast(mac: int) -> bool:
    return bool(mac >> 40 & 1)


def find(w: Walker, ns: Netns, link: Link, mac: int, vni: int) -> VxlanFdb | None:
    """The entry of a MAC; one that was learned too long ago is gone (vxlan_cleanup)."""
    info = link.info
    assert isinstance(info, linkinfo.Vxlan)
    key = (link.ifindex, mac, vni if info.external else 0)
    row = ns.vxlan_fdb.get(key)
    if row is not None and not row.fixed and info.ageing and w.net.clock > row.since + info.ageing:
        del ns.vxlan_fdb[key]
        return None
    return row


def transmit(w: Walker, ns: Netns, link: Link, frame: Packet, skb: Skb) -> Event:
    """A frame leaves by a VXLAN device."""
    info = link.info
    assert isinstance(info, linkinfo.Vxlan)
    place = w.at(ns, link.name, "out")
    if info.external:
        return keyed(w, ns, link, frame, skb)
    mac = tunnel.inner_mac(frame).dst
    entry = find(w, ns, link, mac, info.vni)
    named = entry is not None
    entry = entry or find(w, ns, link, 0, info.vni)
    if entry is None:
        why = words.VXLAN_NO_ENTRY(dev=link.name, mac=mac_text(mac))
        return w.drop(place, frame, why, Outcome.DROPPED)
    if len(entry.remotes) == 1:
        return to_remote(w, ns, link, frame, skb, entry, entry.remotes[0], named)
    w.step(StepKind.BRIDGE, place, frame, why=words.VXLAN_COPIES(n=len(entry.remotes)), verdict="flood")
    at = len(w.steps) - 1
    runs: list[tuple[Walker, End]] = []
    for remote in (*entry.remotes[1:], entry.remotes[0]):
        one = w.fork()
        event = to_remote(one, ns, link, frame, replace(skb), entry, remote, named)
        runs.append((one, one.run(event)))
    from engine.linux.walk.flooding import interest

    best = max(range(len(runs)), key=lambda i: interest(runs[i][1], len(runs[i][0].steps)))
    others = tuple(one.walk(end) for i, (one, end) in enumerate(runs) if i != best)
    w.steps[at] = with_copies(w.steps[at], others)
    w.steps.extend(runs[best][0].steps)
    return runs[best][1]


def to_remote(
    w: Walker, ns: Netns, link: Link, frame: Packet, skb: Skb, entry: VxlanFdb, remote: Remote, named: bool
) -> Event:
    """One copy to one remote (vxlan_xmit_one)."""
    info = link.info
    assert isinstance(info, linkinfo.Vxlan)
    mac = mac_text(tunnel.inner_mac(frame).dst)
    row = fdb_text.remote_text(ns, entry, remote)
    place = w.at(ns, link.name, "out")
    if not remote.dst:
        return w.drop(place, frame, words.VXLAN_NOWHERE(dev=link.name, mac=mac), Outcome.DROPPED, row=row)
    if remote.dst >> 28 == 0xE:
        why = words.OUTER_NO_ROUTE(dst=text4(remote.dst))
        return w.drop(place, frame, why, Outcome.NOT_MODELLED, row=row)
    port, vni = remote.port or info.port, remote.vni or info.vni
    there = tunnel.home(w, ns, link)
    below = there.links.get(remote.via) if remote.via else None
    oif = below.name if below is not None else ""
    if info.localbypass:
        asked = FlowKey(dst=remote.dst, src=info.local, oif=oif, mark=skb.mark, proto=Proto.UDP)
        found = find_route(w.net, there, asked, choose=w.choose).route
        if found is not None and found.type == "local":
            return bypass(w, there, skb, frame, remote.dst, port, vni, place, row)
    phrase = words.VXLAN_TO if named else words.VXLAN_DEFAULT
    why = phrase(dev=link.name, mac=mac, remote=text4(remote.dst), port=port, vni=vni)
    df = info.df == "set" or (info.df == "inherit" and (not frame.has_ip or frame.ip.df))
    return tunnel.send_outer(
        w, ns, link, skb, frame, (Udp(sport=0, dport=port), Vxlan(vni=vni)), dst=remote.dst, src=info.local,
        proto=Proto.UDP, ttl=frame.ip.ttl if info.ttl_inherit and frame.has_ip else info.ttl,
        tos=outer_tos(info.tos, frame), df=df, oif=oif, why=why, row=row, room=ROOM, strict=bool(link.master),
        ports=(info.port_low, info.port_high), fidelity=CHECKED,
    )  # fmt: skip


def outer_tos(tos: int, frame: Packet) -> int:
    """1 = inherit the inner one; the two ECN bits come from the inner packet (ip_tunnel_ecn_encap)."""
    inner = frame.ip.tos if frame.has_ip else 0
    base = inner if tos == 1 else tos
    ecn = inner & 3
    return (base & ~3) | (2 if ecn == 3 else ecn)


def bypass(
    w: Walker, there: Netns, skb: Skb, frame: Packet, dst: int, port: int, vni: int, place: Place, row: str
) -> Event:
    """The remote is this host: the frame goes straight to the device with that VNI (vxlan_encap_bypass). It keeps the
    route that it left by, so a packet of this host's own is discarded by IP (dst_discard); a bridged frame has none."""
    found = by_vni(w, there.tunnels.get((17, port), ()), vni)
    if found is None:
        return w.drop(place, frame, words.VXLAN_NO_DEVICE(vni=vni, port=port), Outcome.DROPPED, row=row)
    ns, into = found
    why = words.VXLAN_BYPASS(remote=text4(dst), dev=into.name)
    w.step(StepKind.BRIDGE, place, frame, why=why, row=row, fidelity=Fidelity.DOCUMENTED)
    info = into.info
    assert isinstance(info, linkinfo.Vxlan)
    if info.learning:
        end = snoop(w, ns, into, frame, 0x7F000001, vni)
        if end is not None:
            return end
    if frame.has_ip and skb.hop:
        at = w.at(ns, into.name, "in")
        w.step(StepKind.RECEIVE, at, frame, why=words.UNWRAPPED(dev=into.name))
        outcome = Outcome.DROPPED if skb.local else Outcome.NOT_MODELLED
        return w.drop(at, frame, words.BYPASS_OLD_ROUTE(dev=into.name), outcome)
    return Arrive(netns=ns.id, ifindex=into.ifindex, frame=frame)


def keyed(w: Walker, ns: Netns, link: Link, frame: Packet, skb: Skb) -> Event:
    """An external VXLAN or Geneve device: the packet's own tunnel key decides."""
    info, key = link.info, skb.tunnel
    assert isinstance(info, linkinfo.Vxlan | linkinfo.Geneve)
    place = w.at(ns, link.name, "out")
    if key is None or not key.dst:
        return w.drop(place, frame, words.NO_METADATA(dev=link.name), Outcome.DROPPED)
    why: Said = words.KEYED(dev=link.name, remote=text4(key.dst), vni=key.id)
    ports = (info.port_low, info.port_high) if isinstance(info, linkinfo.Vxlan) else (1, 65535)
    header = Vxlan(vni=key.id) if isinstance(info, linkinfo.Vxlan) else Geneve(vni=key.id)
    udp = Udp(sport=0, dport=key.port or info.port)
    return tunnel.send_outer(
        w, ns, link, skb, frame, (udp, header), dst=key.dst, src=key.src, proto=Proto.UDP, ttl=key.ttl,
        tos=outer_tos(key.tos, frame), df=key.df, why=why, room=ROOM, strict=bool(link.master), ports=ports,
        fidelity=CHECKED if isinstance(info, linkinfo.Vxlan) else Fidelity.DOCUMENTED,
    )  # fmt: skip


def transmit_geneve(w: Walker, ns: Netns, link: Link, frame: Packet, skb: Skb) -> Event:
    """A frame leaves by a Geneve device: to its one remote."""
    info = link.info
    assert isinstance(info, linkinfo.Geneve)
    if info.external:
        return keyed(w, ns, link, frame, skb)
    if not info.remote:
        place = w.at(ns, link.name, "out")
        return w.drop(place, frame, words.GENEVE_NO_REMOTE(dev=link.name), Outcome.DROPPED)
    why = words.GENEVE_TO(dev=link.name, remote=text4(info.remote), port=info.port, vni=info.vni)
    df = info.df == "set" or (info.df == "inherit" and (not frame.has_ip or frame.ip.df))
    return tunnel.send_outer(
        w, ns, link, skb, frame, (Udp(sport=0, dport=info.port), Geneve(vni=info.vni)), dst=info.remote, src=0,
        proto=Proto.UDP, ttl=frame.ip.ttl if info.ttl_inherit and frame.has_ip else info.ttl,
        tos=outer_tos(info.tos, frame), df=df, why=why, room=ROOM, strict=bool(link.master),
        # geneve_xmit_skb asks for a port from 1 to 65535, not for one of the host's own range
        ports=(1, 65535),
    )  # fmt: skip


# -- in -------------------------------------------------------------------------------------------------------


def by_vni(w: Walker, devices: tuple[Port, ...], vni: int, src: int = 0) -> tuple[Netns, Link] | None:
    """The device behind a socket: an external one takes everything, else the one with this VNI (and, for Geneve, this
    remote)."""
    for port in devices:
        ns, link = tunnel.device(w, port)
        info = link.info
        if not isinstance(info, linkinfo.Vxlan | linkinfo.Geneve):
            continue
        if info.external:
            return ns, link
        if info.vni == vni and (isinstance(info, linkinfo.Vxlan) or info.remote == src):
            return ns, link
    return None


def receive(w: Walker, ns: Netns, skb: Skb, place: Place, devices: tuple[Port, ...]) -> Event:
    """A packet for the socket of these devices (vxlan_rcv, geneve_udp_encap_recv)."""
    packet = skb.packet
    header = packet.layers[2] if len(packet.layers) > 2 else None
    inner = packet.inner
    if not isinstance(header, Vxlan | Geneve) or inner is None:
        port = packet.ports[1]
        return w.drop(place, packet, words.VXLAN_NO_DEVICE(vni="-", port=port), Outcome.DROPPED, quiet=True)
    found = by_vni(w, devices, header.vni, packet.ip.src)
    if found is None or isinstance(header, Vxlan) != (found[1].kind == "vxlan"):
        why = words.VXLAN_NO_DEVICE(vni=header.vni, port=packet.ports[1])
        return w.drop(place, packet, why, Outcome.DROPPED)
    there, link = found
    eth = tunnel.inner_mac(inner)
    at = w.at(there, link.name, "in")
    if eth.src == link.mac:
        why = words.VXLAN_OWN_FRAME(mac=mac_text(eth.src), dev=link.name)
        return w.drop(at, packet, why, Outcome.LOOP, quiet=True)
    info = link.info
    if isinstance(info, linkinfo.Vxlan) and info.learning:
        end = snoop(w, there, link, inner, packet.ip.src, header.vni, outer=packet)
        if end is not None:
            return end
    fidelity = CHECKED if isinstance(header, Vxlan) else Fidelity.DOCUMENTED
    return tunnel.enter(w, ns, skb, there, link, inner, fidelity=fidelity)


def snoop(
    w: Walker, ns: Netns, link: Link, inner: Packet, remote: int, vni: int, *, outer: Packet | None = None
) -> End | None:
    """Learn the inner source from the outer one (vxlan_snoop)."""
    info = link.info
    assert isinstance(info, linkinfo.Vxlan)
    mac = tunnel.inner_mac(inner).src
    place = w.at(ns, link.name, "in")
    seen = outer if outer is not None else inner
    old = find(w, ns, link, mac, vni)
    key = (link.ifindex, mac, vni if info.external else 0)
    if old is not None:
        first = old.remotes[0]
        if first.dst == remote and not first.via:
            if not old.fixed:
                ns.vxlan_fdb[key] = replace(old, since=w.net.clock)
            return None
        if old.fixed:
            why = words.VXLAN_STATIC(
                mac=mac_text(mac), remote=text4(remote), dev=link.name, known=text4(first.dst)
            )
            return w.drop(place, seen, why, Outcome.DROPPED, row=fdb_text.remote_text(ns, old, first))
        fresh = replace(old, remotes=(replace(first, dst=remote), *old.remotes[1:]), since=w.net.clock)
    else:
        fresh = VxlanFdb(
            ifindex=link.ifindex, mac=mac, remotes=(Remote(dst=remote),), since=w.net.clock, vni=key[2]
        )
    ns.vxlan_fdb[key] = fresh
    why = words.VXLAN_MOVED(dev=link.name, mac=mac_text(mac), remote=text4(remote))
    row = fdb_text.remote_text(ns, fresh, fresh.remotes[0])
    w.step(StepKind.LEARN, place, seen, why=why, row=row)
    return None
