"""The Linux model against the Linux kernel: the four wirings built, copied, and packets traced through them.

The kernel's side is what the comparison uses: namespaces of a user namespace built by `ip -batch`, `sysctl` and
iptables-restore, one datagram sent, and its whole record read. The model's side is the same rows built by the same
changes, and the journey of the same datagram. Gates: the model builds at least 20 times faster, and tells a packet's
way at least as fast as the kernel does with its record read. Then look-ups in tables of three sizes: what grows by
orders of magnitude may cost at most twice as much.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from statistics import median

from bench.engine import taken
from bench.table import Line, spread
from engine.linux.addr import Prefix, ip4, text4
from engine.linux.choose import Seeded
from engine.linux.exchange import silent, udp_call
from engine.linux.net import Net
from engine.linux.ops import apply
from engine.linux.packet import Payload
from engine.real.compare import Flow
from engine.real.kernel import Kernel, RealError, Unavailable
from tests.real import model, wirings

NAMES = ("hostgw", "vxlan", "calico", "vpccni")
ASK = Payload(protocol="echo", text="x", size=1)
#: sizes of tables for the look-ups
SIZES = (100, 10_000)


class Case:
    """One wiring in the model: how it was made, and a datagram from p12 to a Pod and to the Service."""

    def __init__(self, name: str) -> None:
        self.name = name
        wiring = wirings.wiring(name)
        made = model.world(wiring.lines, wirings.LISTENING)
        self.net, self.log = made.net, made.log
        addresses = wiring.addresses
        self.targets = {
            "Pod to Pod": (addresses.pods["p21"], 8080),
            "Pod to ClusterIP": (wirings.SERVICE, wirings.PORT),
        }
        self.sender = model.space(self.net, "p12").id

    def build(self) -> Net:
        net = Net()
        for op in self.log:
            apply(net, op)
        return net

    def again(self, net: Net, what: str, ports: Iterator[int]) -> None:
        """The same from the next port."""
        self.send(net, what, next(ports))

    def send(self, net: Net, what: str, sport: int) -> None:
        address, port = self.targets[what]
        udp_call(
            net, self.sender, ip4(address), port, choose=Seeded(sport), request=ASK, sport=sport, serve=silent
        )


def lines(times: int = 11) -> list[Line]:
    """All rows of the table."""
    cases = [Case(name) for name in NAMES]
    out: list[Line] = []
    for case in cases:
        built = taken(case.build, times)
        copied = taken(case.net.copy, times)
        out.append(Line(name=f"{case.name}: built", value=median(built), unit="ms", note=spread(built, "ms")))
        out.append(
            Line(name=f"{case.name}: copied", value=median(copied), unit="ms", note=spread(copied, "ms"))
        )
        traced: dict[str, list[float]] = {}
        for what in case.targets:
            net, ports = case.net.copy(), iter(range(20000, 60000))
            case.send(net, what, 19999)
            traced[what] = taken(partial(case.again, net, what, ports), 200)
            rate = 1000 / median(traced[what])
            out.append(
                Line(
                    name=f"{case.name}: {what}",
                    value=rate,
                    unit="journeys/s",
                    note=spread(traced[what], "ms"),
                )
            )
        out += against_kernel(case, median(built), traced, times)
    return out + lookups()


def against_kernel(case: Case, built: float, traced: dict[str, list[float]], times: int) -> list[Line]:
    """The same rows and the same packets in the kernel."""
    names = (f"{case.name}: kernel's build / ours", f"{case.name}: kernel's traced packet / ours")
    try:
        found = []
        for _ in range(3):
            with Kernel() as kernel:
                kernel.ask("read", netns="", argv=["true"])  # the process is up
                start = time.perf_counter()
                kernel.build(case.net)
                found.append(1000 * (time.perf_counter() - start))
        with Kernel() as kernel:
            kernel.build(case.net)
            ratios, sport = [], 20000
            for what, (address, port) in case.targets.items():
                each = []
                for _ in range(times):
                    sport += 1
                    flow = Flow(netns=case.sender, proto="udp", dst=address, dport=port, sport=sport)
                    start = time.perf_counter()
                    kernel.send(**flow_words(flow))
                    each.append(1000 * (time.perf_counter() - start))
                ratios.append(median(each) / median(traced[what]))
    except (Unavailable, RealError) as error:
        why = error.text("en")
        return [
            Line(name=n, value=None, unit="x", gate=g, at_least=True, note=why)
            for n, g in zip(names, (20, 1), strict=True)
        ]
    return [
        Line(
            name=names[0],
            value=median(found) / built,
            unit="x",
            gate=20,
            at_least=True,
            note=spread(found, "ms"),
        ),
        Line(
            name=names[1],
            value=min(ratios),
            unit="x",
            gate=1,
            at_least=True,
            note="the smaller of Pod and ClusterIP",
        ),
    ]


def flow_words(flow: Flow) -> dict[str, object]:

    return {**asdict(flow), "patience": 1}


def lookups() -> list[Line]:
    """Longest prefix and policy rules in small and large tables."""
    from engine.linux.ops import AddAddress, AddBox, AddLink, AddRoute, Changes, SetLink
    from engine.linux.rows import Address

    costs = []
    for size in SIZES:
        net = Net()
        do = Changes(net).do
        do(AddBox(name="r"))
        do(AddLink(netns="r", name="br0", kind="bridge"))
        do(SetLink(netns="r", name="br0", up=True))
        prefix = Prefix.parse("10.0.0.1/8", host_bits=True)
        do(
            AddAddress(
                netns="r", device="br0", address=Address(ifindex=0, addr=prefix.addr, length=8, broadcast=0)
            )
        )
        for n in range(size):
            do(
                AddRoute(
                    netns="r",
                    dst=Prefix.parse(f"{text4((172 << 24) + (n << 8))}/24"),
                    gateway=ip4("10.0.0.2"),
                )
            )
        base = 172 << 24
        wanted = [base + (n * 7919 % size << 8) + 5 for n in range(2000)]
        found = taken(partial(all_routes, net, wanted), 5)
        costs.append(median(found) / 2)  # microseconds a look-up
    note = ", ".join(f"{size:,} routes {cost:.2f} us" for size, cost in zip(SIZES, costs, strict=True))
    return [
        Line(
            name="route look-up, 100 times the routes",
            value=costs[-1] / costs[0],
            unit="x",
            gate=2,
            note=note,
        )
    ]


def all_routes(net: Net, wanted: list[int]) -> None:
    """A look-up for each of the addresses, in the namespace r."""
    from engine.linux.walk.routing import find_route

    for address in wanted:
        find_route(net, net.spaces["r"], address)
