"""Tunnels: what every encapsulation shares. Into one: `send_outer`; out of one: `receive`.

Theory. A tunnel device's transmit makes a new packet of this very host around the old one: its route is looked up where
the device was made, it passes OUTPUT and POSTROUTING with its own connection (as from no device, in POSTROUTING as
from the tunnel device), and nobody above learns when it is lost. On the way back the outer packet passes INPUT like
any other, is taken by a socket of the kernel's own, and what was inside enters by the tunnel device as a new packet:
without connection, and with its mark only inside one namespace. Sources: net/ipv4/{ip_tunnel_core,udp_tunnel_core}.c
(iptunnel_xmit, skb_scrub_packet); facts 10 section 1, measured.
"""

from __future__ import annotations

import zlib

from engine.linux.addr import text4
from engine.linux.choose import OfRoute
from engine.linux.conntrack import tuple_of
from engine.linux.flow import FlowKey
from engine.linux.journey import Fidelity, Outcome, Place, StepKind
from engine.linux.multipath import find
from engine.linux.net import Netns
from engine.linux.packet import Ethernet, Icmp, IPv4, Layer, Packet, Proto, Udp
from engine.linux.rows import Link, Port
from engine.linux.skb import Skb
from engine.linux.walk import deliver, outbound, routing
from engine.linux.walk import words_tunnel as words
from engine.linux.walk.walker import Answering, Arrive, End, Event, Walker
from engine.record import replace
from engine.say import Said


def home(w: Walker, ns: Netns, link: Link) -> Netns:
    """The namespace in which the tunnel was made: its outer packets live there."""
    return w.net.spaces.get(link.lower[0], ns) if link.lower is not None else ns


def lower_name(w: Walker, ns: Netns, link: Link) -> str:
    """The device that a tunnel is bound to (`dev`), "" for none."""
    if link.lower is None or not link.lower[1]:
        return ""
    below = home(w, ns, link).links.get(link.lower[1])
    return below.name if below is not None else ""


def source_port(w: Walker, ns: Netns, inner: Packet, ports: tuple[int, int], outer: Packet) -> int:
    """The outer UDP source port: one for each flow inside, out of the device's range or the host's own
    (udp_flow_src_port). `outer` has the other headers that the packet will have."""
    low, high = ports
    if not low and not high:
        low, high = (int(x) for x in ns.sysctl("net.ipv4.ip_local_port_range").split())
    # The hash knows addresses and ports, and nothing of ICMP (flow_keys_dissector).
    flow: object = None if inner.has_ip and isinstance(inner.l4, Icmp) else tuple_of(inner.unframed())
    if not inner.has_ip:
        # Frames without IP have a hash too, but nobody compares where ARP goes.
        return low + zlib.crc32(repr((ns.box, inner.eth)).encode()) % max(high - low, 1)
    if flow is None:
        flow = (int(inner.ip.proto), inner.ip.src, 0, inner.ip.dst, 0)
    key = (ns.box, low, high, flow)
    port = w.net.flow_ports.get(key)
    if port is None:
        port = w.net.flow_ports[key] = w.choose.number(
            "tunnel source port", low, max(low, high - 1), OfRoute(ns.id, outer, ())
        )
    return port


def send_outer(
    w: Walker,
    ns: Netns,
    link: Link,
    skb: Skb,
    inner: Packet,
    head: tuple[Layer, ...],
    *,
    dst: int,
    src: int,
    proto: int,
    ttl: int,
    tos: int = 0,
    df: bool = False,
    oif: str = "",
    mark: int | None = None,
    fib_mark: int | None = None,
    why: Said,
    row: str = "",
    room: int = 0,
    ports: tuple[int, int] | None = None,
    strict: bool = False,
    fidelity: Fidelity = Fidelity.DOCUMENTED,
) -> Event:
    """Send `inner` behind an outer IPv4 header and `head`. `ttl` 0 = the host's default; `mark` of the outer packet,
    None = what skb_scrub_packet leaves; `fib_mark` of its route lookup, None = the packet's. `room` are the bytes
    around the inner IP packet; `ports`: the first of `head` is UDP and gets a source port of this range (0 0: the
    host's); `strict`: an inner packet with DF that does not fit is refused with ICMP (ip_tunnel),
    else the way's MTU is only remembered for it (skb_tunnel_check_pmtu)."""
    there = home(w, ns, link)
    place = w.at(ns, link.name, "out")
    if src and not there.owns(src):
        return w.drop(place, inner, words.OUTER_NOT_OURS(src=text4(src)), Outcome.DROPPED, row=row)
    if mark is None:
        mark = skb.mark if there is ns else 0
    looked = skb.mark if fib_mark is None else fib_mark
    udp = head[0] if head and isinstance(head[0], Udp) else None
    asked = FlowKey(dst=dst, src=src, oif=oif, mark=looked, tos=tos & 0x1C, proto=proto)
    if udp is not None and ports is not None:
        way = find(w.net, there, asked, choose=w.choose).route
        me = src or (routing.choose_source(there, way, dst) if way is not None and way.oif else 0)
        sketch = Packet((IPv4(src=me, dst=dst, proto=proto), udp))
        udp = replace(udp, sport=source_port(w, there, inner, ports, sketch))
        head = (udp, *head[1:])
    if udp is not None:
        asked = replace(asked, sport=udp.sport, dport=udp.dport)
    found = find(w.net, there, asked, choose=w.choose)
    route = found.route
    if route is None or route.type in routing.BAD_TYPES or route.type == "broadcast":
        return w.drop(place, inner, words.OUTER_NO_ROUTE(dst=text4(dst)), Outcome.NO_ROUTE, row=row)
    if there is ns and route.oif == link.ifindex:
        why = words.OUTER_CIRCLE(dst=text4(dst), dev=link.name)
        return w.drop(place, inner, why, Outcome.LOOP, row=row)
    src = src or routing.choose_source(there, route, dst)
    refused = too_big(
        w, ns, link, skb, inner, place, routing.way_mtu(w, there, route, dst).mtu - room, strict
    )
    if refused is not None:
        return refused
    w.net.next_ident = w.net.next_ident + 1 & 0xFFFF or 1
    outer = Packet(
        (
            IPv4(
                src=src, dst=dst, proto=proto, ttl=ttl or deliver.default_ttl(there), tos=tos, df=df,
                ident=w.net.next_ident,
            ),
            *head,
            *inner.layers,
        )
    )  # fmt: skip
    w.step(StepKind.ENCAP, place, inner, outer, why, row=row, fidelity=fidelity)
    at = w.at(there, program="kernel")
    routing.explain_route(w, there, at, outer, found, src=0)
    # The outer packet is still the sending socket's (iptunnel_xmit does not orphan it): -m owner sees it.
    fresh = Skb(packet=outer, mark=mark, local=True, uid=skb.uid, gid=skb.gid)
    return silent(outbound.local_out(w, there, fresh, route, at, came_from=link.name))


def silent(event: Event) -> Event:
    """Nobody above a tunnel learns of an error below it."""
    return replace(event, error="") if isinstance(event, End) and event.error else event


def too_big(
    w: Walker, ns: Netns, link: Link, skb: Skb, inner: Packet, place: Place, mtu: int, strict: bool
) -> End | None:
    """An inner IPv4 packet larger than what the way leaves: remember it for its destination, as a path MTU; a `strict`
    tunnel tells the sender when it must not be cut. A tunnel that is a bridge's port answers in the place of the
    destination, with a frame that enters by the tunnel (skb_tunnel_check_pmtu)."""
    if not inner.has_ip or inner.ip_length() <= mtu:
        return None
    packet = inner.unframed()
    routing.learn_mtu(w, ns, packet.ip.dst, mtu)
    if not packet.ip.df or not strict:
        return None
    why = words.INNER_TOO_BIG(size=packet.length(), mtu=mtu)
    if link.master and inner.eth is not None:
        l4 = packet.l4
        if mtu < 576 or (isinstance(l4, Icmp) and l4.is_error):
            return None
        reply = Packet(
            (
                Ethernet(src=inner.eth.dst, dst=inner.eth.src),
                IPv4(src=packet.ip.dst, dst=packet.ip.src, proto=Proto.ICMP, ttl=64, tos=0xC0, ident=packet.ip.ident),
                Icmp(type=3, code=4, mtu=mtu, quoted=packet),
            )
        )  # fmt: skip
        back = Answering(netns=ns.id, packet=reply, device=link.name, enters=True)
        return w.drop(place, inner, why, Outcome.TOO_BIG, answer=back)
    asker = Skb(packet=packet, iif=skb.iif, ct=skb.ct, ctdir=skb.ctdir, ctstate=skb.ctstate)
    answer = deliver.icmp_error(ns, asker, 3, 4, mtu=mtu)
    return w.drop(place, inner, why, Outcome.TOO_BIG, answer=answer)


# -- out of a tunnel ------------------------------------------------------------------------------------------


def receive(w: Walker, ns: Netns, skb: Skb, place: Place) -> Event | None:
    """A packet for this host that a tunnel's own socket takes: what it carried enters by the device. None: it is for
    somebody else."""
    packet = skb.packet
    if packet.ip.proto == Proto.IPIP:
        from engine.linux.walk import ipip

        return ipip.receive(w, ns, skb, place) if "ipip" in w.net.boxes[ns.box].modules else None
    l4 = packet.l4
    if not isinstance(l4, Udp):
        return None
    devices = ns.tunnels.get((17, l4.dport))
    if not devices:
        return None
    kind = device(w, devices[0])[1].kind
    if kind == "wireguard":
        from engine.linux.walk import wireguard

        return wireguard.receive(w, ns, skb, place, devices[0])
    from engine.linux.walk import vxlan

    return vxlan.receive(w, ns, skb, place, devices)


def device(w: Walker, port: Port) -> tuple[Netns, Link]:
    space = w.net.spaces[port[0]]
    return space, space.links[port[1]]


def enter(
    w: Walker,
    there: Netns,
    skb: Skb,
    ns: Netns,
    link: Link,
    inner: Packet,
    *,
    key: object = None,
    row: str = "",
    fidelity: Fidelity = Fidelity.DOCUMENTED,
) -> Event:
    """The inner packet enters by its device; `there` is where the outer one was received."""
    place = w.at(ns, link.name, "in")
    if not link.up:
        return w.drop(place, skb.packet, words.TUNNEL_DOWN(dev=link.name), Outcome.DROPPED)
    why = words.UNWRAPPED(dev=link.name)
    w.step(StepKind.DECAP, place, skb.packet, inner, why, row=row, fidelity=fidelity)
    return Arrive(netns=ns.id, ifindex=link.ifindex, frame=inner, mark=skb.mark if there is ns else 0)


def inner_mac(inner: Packet) -> Ethernet:
    """The Ethernet header inside; a VXLAN or Geneve packet of ours always has one."""
    eth = inner.eth
    if eth is None:
        raise ValueError("a tunnel of frames carries no frame")
    return eth
