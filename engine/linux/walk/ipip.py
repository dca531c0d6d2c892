"""IPIP: an IPv4 packet behind another IPv4 header.

Theory, out (ip_tunnel_xmit): a device with a remote sends there; one without takes the next hop of the inner packet's
route as the outer destination, which is how Calico uses tunl0. The outer TTL is the inner one unless the device has
its own; DF is set unless `nopmtudisc`. An inner packet with DF that does not fit is answered with its MTU. In
(ip_tunnel_lookup): the device whose remote and local agree best, last tunl0; nobody: port unreachable. Sources:
net/ipv4/{ipip,ip_tunnel,tunnel4}.c.
"""

from __future__ import annotations

from engine.linux import linkinfo
from engine.linux.addr import text4
from engine.linux.journey import Outcome, Place
from engine.linux.net import Netns
from engine.linux.packet import Packet, Proto
from engine.linux.rows import Link
from engine.linux.skb import Skb
from engine.linux.walk import deliver, tunnel
from engine.linux.walk import words_tunnel as words
from engine.linux.walk.vxlan import outer_tos
from engine.linux.walk.walker import Event, Walker

ROOM = 20


def transmit(w: Walker, ns: Netns, link: Link, packet: Packet, skb: Skb) -> Event:
    """A packet leaves by an ipip device."""
    info = link.info
    assert isinstance(info, linkinfo.Ipip)
    remote, src, ttl, tos, key = info.remote, info.local, info.ttl, info.tos, skb.tunnel
    why = words.IPIP_TO(dev=link.name, remote=text4(remote))
    df = info.pmtudisc or packet.ip.df
    if info.external or (not remote and key is not None and key.dst):
        if key is None or not key.dst:
            place = w.at(ns, link.name, "out")
            return w.drop(place, packet, words.NO_METADATA(dev=link.name), Outcome.DROPPED)
        remote, src, ttl, tos, df = key.dst, key.src or src, key.ttl or ttl, key.tos, key.df or packet.ip.df
        why = words.KEYED(dev=link.name, remote=text4(remote), vni=key.id)
    elif not remote:
        remote = skb.hop or packet.ip.dst
        why = words.IPIP_NEXT_HOP(dev=link.name, remote=text4(remote))
    return tunnel.send_outer(
        w, ns, link, skb, packet, (), dst=remote, src=src, proto=Proto.IPIP, ttl=ttl or packet.ip.ttl,
        tos=outer_tos(tos, packet), df=df, oif=tunnel.lower_name(w, ns, link), fib_mark=0, why=why, room=ROOM,
        strict=True,
    )  # fmt: skip


def lookup(w: Walker, ns: Netns, src: int, dst: int) -> tuple[Netns, Link] | None:
    """The device for a packet from `src` to `dst`: both ends, the remote end, the local end, external, tunl0."""
    found: dict[int, tuple[Netns, Link]] = {}
    for port in ns.tunnels.get((4, 0), ()):
        there, link = tunnel.device(w, port)
        info = link.info
        if not isinstance(info, linkinfo.Ipip) or not link.up:
            continue
        if info.fallback:
            rank = 4
        elif info.external:
            rank = 3
        elif info.remote == src and info.local == dst:
            rank = 0
        elif info.remote == src and not info.local:
            rank = 1
        elif not info.remote and info.local == dst:
            rank = 2
        else:
            continue
        found.setdefault(rank, (there, link))
    return found[min(found)] if found else None


def receive(w: Walker, ns: Netns, skb: Skb, place: Place) -> Event:
    """A packet of protocol 4 for this host."""
    packet = skb.packet
    found = lookup(w, ns, packet.ip.src, packet.ip.dst)
    inner = packet.inner
    if found is None or inner is None:
        why = words.IPIP_NO_DEVICE(src=text4(packet.ip.src), dst=text4(packet.ip.dst))
        return w.drop(place, packet, why, Outcome.REFUSED, answer=deliver.icmp_error(ns, skb, 3, 3))
    return tunnel.enter(w, ns, skb, found[0], found[1], inner)
