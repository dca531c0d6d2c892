"""Which flows a lab is compared by: everybody to everybody, by ping, and to every port that listens."""

from __future__ import annotations

from engine.linux.addr import text4
from engine.linux.net import Net
from engine.real.compare import Flow


def addresses(net: Net) -> list[tuple[str, str]]:
    """(netns, address) of every namespace that is not a switch, loopback left out."""
    out = []
    for id in sorted(net.spaces):
        ns = net.spaces[id]
        if net.boxes[ns.box].role == "switch":
            continue
        for index in sorted(ns.addresses):
            if ns.links[index].kind != "loopback":
                out += [(id, text4(a.addr)) for a in ns.addresses[index]]
    return out


def all_pairs(net: Net) -> list[Flow]:
    """Ping and one closed port for every pair; every listening port from everybody."""
    known = addresses(net)
    sources = sorted({id for id, _ in known})
    flows: list[Flow] = []

    def add(netns: str, proto: str, dst: str, port: int) -> None:
        flows.append(Flow(netns=netns, proto=proto, dst=dst, dport=port, sport=20001 + len(flows)))

    for source in sources:
        for id, dst in known:
            add(source, "icmp", dst, 0)
            add(source, "tcp", dst, 9)
            for socket in net.spaces[id].sockets:
                if socket.addr >> 24 != 127:
                    add(source, socket.proto, dst, socket.port)
    return flows
