"""Connections of UDP that a Service no longer leads to: kube-proxy takes them out of the kernel's table.

Theory. A flow of UDP has no end, so conntrack would send a client's packets to an endpoint that is gone for as long as
the client goes on. After each sync kube-proxy removes the entries for a Service's addresses and node port whose
reply would come from none of its serving endpoints. A Service without endpoints is left alone. TCP is not
touched: its peer answers with RST or the client gives up. Source: pkg/proxy/conntrack/cleanup.go.
"""

from __future__ import annotations

from engine.kube.proxy.picture import Picture
from engine.linux.ops.base import Changes
from engine.linux.ops.conntrack import CtDelete
from engine.linux.packet import Proto


def clean_stale(changes: Changes, netns: str, picture: Picture) -> None:
    """Remove the entries of UDP that lead nowhere."""
    table = changes.net.spaces[netns].conntrack
    entries = [e for e in table.entries.values() if e.orig.proto == Proto.UDP]
    if not entries:
        return
    addresses: dict[tuple[int, int], set[int]] = {}
    node_ports: dict[int, set[int]] = {}
    for port in picture.ports():
        if port.proto != "udp":
            continue
        serving = {e.ip for e in port.endpoints if e.serving}
        if not serving:
            continue
        for address in (port.cluster_ip, *port.lb_ips, *port.external_ips):
            addresses[address, port.port] = serving
        if port.node_port:
            node_ports[port.node_port] = serving
    gone = []
    for entry in entries:
        own = addresses.get((entry.orig.dst, entry.orig.dport))
        behind = node_ports.get(entry.orig.dport)
        if any(ips is not None and entry.reply.src not in ips for ips in (own, behind)):
            gone.append(entry.id)
    if gone:
        changes.do(CtDelete(netns=netns, ids=tuple(gone)))
