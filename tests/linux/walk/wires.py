"""Small networks for the tests of the walker, built by typing the real commands.

`Wires(script)` is one machine `h`; each line of the script is typed at its prompt. A line `NAME: command` is typed in
the namespace NAME, which is made on first use (lo up). `wire A eth0 10.0.0.1/24 B eth0 10.0.0.2/24` makes a veth pair
between namespaces; `-` in place of an address gives none. MAC addresses are made from names, so every run is equal.
"""

from __future__ import annotations

from typing import Any

from engine.linux import ops
from engine.linux.act import Answer, Call, Delivery
from engine.linux.addr import ip4, text4
from engine.linux.choose import Choose, Seeded
from engine.linux.conntrack import CtEntry
from engine.linux.exchange import ping_call, tcp_call, udp_call
from engine.linux.journey import Leg, Step, StepKind, Walk
from engine.linux.net import Net, Netns
from engine.linux.packet import Packet, Payload
from engine.linux.rows import FdbEntry, Link, Neighbour, Socket
from engine.linux.text.conntrack import to_text
from engine.shell.shell import Shell
from engine.shell.world import World

HELLO = Payload(protocol="echo", text="hello", size=5)


def echo(delivery: Delivery) -> Answer:
    """A program that says what it heard."""
    return Answer(payload=delivery.request)


class Wires:
    def __init__(self, script: str = "", *, seed: int = 0) -> None:
        self.world = World(net=Net(), choose=Seeded(seed))
        self.choose: Choose = self.world.choose
        self.world.do(ops.AddBox(name="h", role="host"))
        self.shell = Shell(self.world, "host/h")
        self.pids: dict[str, int] = {}
        self.type(script)

    # -- building

    @property
    def net(self) -> Net:
        return self.world.net

    def type(self, script: str) -> None:
        """Each line of the script; a line that fails fails the test."""
        for line in script.strip().splitlines():
            if line.strip():
                self.one(line.strip())

    def one(self, line: str) -> str:
        head, colon, rest = line.partition(": ")
        if line.startswith("wire "):
            self.wire(*line.split()[1:])
            return ""
        if line.startswith("listen "):
            self.listen(*line.split()[1:])
            return ""
        if colon and head.isalnum() and head != "h":
            self.space(head)
            line = f"ip netns exec {head} {rest}"
        elif colon and head == "h":
            line = rest
        done = self.shell.run(line)
        assert done.code == 0, f"{line}: {done.stderr or done.stdout}"
        return done.stdout

    def space(self, name: str) -> None:
        if name not in self.net.boxes["h"].netns_names and name != "h":
            for line in (f"ip netns add {name}", f"ip -n {name} link set lo up"):
                assert self.shell.run(line).code == 0

    def wire(self, a: str, dev_a: str, addr_a: str, b: str, dev_b: str, addr_b: str) -> None:
        self.space(a)
        self.space(b)
        self.world.do(ops.AddVeth(netns=self.id(a), name=dev_a, peer_netns=self.id(b), peer_name=dev_b))
        for name, dev, addr in ((a, dev_a, addr_a), (b, dev_b, addr_b)):
            self.world.do(ops.SetLink(netns=self.id(name), name=dev, up=True))
            if addr != "-":
                self.one(f"{name}: ip addr add {addr} dev {dev}")

    def listen(self, name: str, proto: str, port: str, address: str = "0.0.0.0") -> None:
        """A program of this name behind a port."""
        if name not in self.pids:
            self.pids[name] = self.net.boxes["h"].next_pid
            self.world.do(ops.StartProc(box="h", args=(f"server-{name}",), netns=self.id(name)))
        state = "LISTEN" if proto == "tcp" else "UNCONN"
        row = Socket(proto=proto, addr=ip4(address), port=int(port), pid=self.pids[name], state=state)
        self.world.do(ops.Listen(netns=self.id(name), socket=row))

    def wait(self, seconds: float) -> None:
        self.world.do(ops.Advance(seconds=seconds))

    # -- looking

    def id(self, name: str) -> str:
        return "h" if name == "h" else self.net.boxes["h"].netns_names[name]

    def ns(self, name: str) -> Netns:
        return self.net.spaces[self.id(name)]

    def link(self, name: str, device: str) -> Link:
        row = self.ns(name).link(device)
        assert row is not None
        return row

    def mac(self, name: str, device: str = "eth0") -> int:
        return self.link(name, device).mac

    def neighbour(self, name: str, address: str, device: str = "eth0") -> Neighbour | None:
        return self.ns(name).neighbours.get((self.link(name, device).ifindex, ip4(address)))

    def state(self, name: str, address: str, device: str = "eth0") -> str:
        row = self.neighbour(name, address, device)
        return row.state if row is not None else ""

    def fdb(self, name: str, mac: int, bridge: str = "br0") -> FdbEntry | None:
        return self.ns(name).fdb.get((self.link(name, bridge).ifindex, mac))

    def entries(self, name: str) -> list[CtEntry]:
        return [e for e in self.ns(name).conntrack.entries.values() if e.deadline > self.net.clock]

    def conntrack(self, name: str) -> list[str]:
        """The entries as conntrack -L prints them."""
        return [to_text(e, self.net.clock) for e in self.entries(name)]

    # -- acting

    def tcp(self, name: str, to: str, port: int = 80, **more: Any) -> Call:
        more = {"request": HELLO, "serve": echo, **more}
        return tcp_call(self.net, self.id(name), ip4(to), port, choose=self.choose, **more)

    def udp(self, name: str, to: str, port: int = 53, **more: Any) -> Call:
        more = {"request": HELLO, "serve": echo, **more}
        return udp_call(self.net, self.id(name), ip4(to), port, choose=self.choose, **more)

    def ping(self, name: str, to: str, **more: Any) -> Call:
        return ping_call(self.net, self.id(name), ip4(to), choose=self.choose, **more)


def steps(found: Call | Leg | Walk, kind: StepKind | None = None) -> list[Step]:
    """The steps of the way there, or those of one kind."""
    if isinstance(found, Call):
        found = found.leg
    walk = found.forward if isinstance(found, Leg) else found
    return [s for s in walk.steps() if kind is None or s.kind is kind]


def devices(found: Call | Leg | Walk) -> list[str]:
    """`NAMESPACE device direction` in the order in which the packet met them."""
    return [
        f"{s.place.namespace} {s.place.device} {s.place.direction}"
        for s in steps(found)
        if s.kind in (StepKind.TRANSMIT, StepKind.RECEIVE)
    ]


def back(call: Call) -> Walk:
    assert call.leg.back is not None
    return call.leg.back


def last(found: Call | Leg | Walk) -> Step:
    return steps(found)[-1]


def why(found: Call | Leg | Walk) -> str:
    """The last step's reason, in English."""
    said = last(found).why
    return said.text("en") if said is not None else ""


def rows(found: Call | Leg | Walk, kind: StepKind) -> list[str]:
    return [s.row for s in steps(found, kind)]


def sent_from(packet: Packet | None) -> str:
    assert packet is not None
    return text4(packet.ip.src)


def seen_as(call: Call) -> str:
    """The source as the receiver saw it; "" when nothing was delivered."""
    return text4(call.seen_as[0]) if call.server is not None else ""


def served(call: Call) -> str:
    """`ADDRESS:PORT` where it was delivered."""
    return f"{text4(call.server[1])}:{call.server[2]}" if call.server is not None else ""
