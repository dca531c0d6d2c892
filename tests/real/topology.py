"""Random machines, wires, rules and sysctls for the comparison with the kernel: one number gives one net.

The map is always the same, what is on it is not: a machine with two bridges and three containers, a neighbour
and two routers on its LAN, a server behind one router. Left out, because the kernel itself may go either way: two
owners of one address (the first ARP answer wins). Left out, because the model says not-modelled: broadcasts.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from engine.linux.addr import Prefix, ip4
from engine.linux.net import Net
from engine.linux.ops import (
    AddAddress,
    AddBox,
    AddLink,
    AddNetns,
    AddRoute,
    AddRule,
    AddVeth,
    Changes,
    Listen,
    SetLink,
    SetNeighbour,
    SetSysctl,
    XtAppend,
    XtNewChain,
    XtPolicy,
)
from engine.linux.rows import Address, Neighbour, Socket
from engine.linux.xt import parse
from engine.real.compare import Flow

#: (box, netns, its NIC's address); all on the LAN
MACHINES = (
    ("host", "192.168.10.10/24"),
    ("ext", "192.168.10.20/24"),
    ("rt", "192.168.10.1/24"),
    ("rt2", "192.168.10.2/24"),
)
ROLES = {"host": "node", "ext": "host", "rt": "router", "rt2": "router"}
BRIDGES = (("docker0", "172.17.0", ("c1", "c2")), ("br1", "172.18.0", ("c3",)))
TARGETS = (
    "172.17.0.2", "172.17.0.2", "172.17.0.3", "172.18.0.2", "192.168.10.10", "192.168.10.20", "203.0.113.10",
    "192.168.10.1", "172.17.0.1", "127.0.0.1", "172.17.0.99", "198.51.100.7",
)  # fmt: skip
PORTS = (80, 8080, 8080, 9090, 9091, 9092, 81)
REJECTS = (
    "icmp-net-unreachable", "icmp-host-unreachable", "icmp-port-unreachable", "icmp-proto-unreachable",
    "icmp-net-prohibited", "icmp-host-prohibited", "icmp-admin-prohibited",
)  # fmt: skip
FILTER = (
    "-i docker0 -j ACCEPT",
    "-o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-i br1 -o docker0 -j DROP",
    "-p udp -j REJECT",
    "-p tcp --dport 80 -j REJECT --reject-with tcp-reset",
    "-p icmp -j DROP",
    "-p icmp -m icmp --icmp-type 8 -j ACCEPT",
    "-d 172.17.0.2 -p tcp -j ACCEPT",
    "-j MARK --set-mark 0x10",
    "-m mark --mark 0x10 -j ACCEPT",
    "-m conntrack --ctstate INVALID -j DROP",
    "-m conntrack --ctstate NEW -p tcp -j USER",
    "-p udp -g USER",
    "-m physdev --physdev-is-bridged -j ACCEPT",
    "-m conntrack --ctstate DNAT -j ACCEPT",
    "-m addrtype --dst-type LOCAL -j RETURN",
    "-p tcp -m tcp --syn -j LOG",
)
USER = (
    "-p tcp --dport 8080 -j RETURN",
    "-p tcp --sport 80 -j ACCEPT",
    "-j RETURN",
    "-p tcp --dport 80 -j ACCEPT",
)
POSTROUTING = (
    "-p tcp -o docker0 -j SNAT --to-source 172.17.0.1",
    "-o eth0 -j MASQUERADE",
    "-s 172.17.0.2 -d 172.17.0.2 -j MASQUERADE",
    "-o eth0 -j SNAT --to-source 192.168.10.10",
    "-m mark --mark 0x1/0x1 -j MASQUERADE",
)


@dataclass(frozen=True)
class World:
    """A net, the namespaces that may send, and the host's rules in words (for a failing test's message)."""

    net: Net
    senders: tuple[str, ...]
    words: tuple[str, ...]


class Maker:
    """One net in the making."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.net = Net()
        self.do = Changes(self.net).do
        self.senders: list[str] = []
        self.words: list[str] = []

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def make(self) -> World:
        self.machines()
        self.containers()
        self.routes()
        self.sysctls()
        self.rules()
        self.faults()
        for netns in self.senders:
            for port in (80, 8080):
                if self.chance(0.7):
                    for proto in ("tcp", "udp"):
                        self.do(
                            Listen(
                                netns=netns,
                                socket=Socket(proto=proto, addr=0, port=port, pid=1, state="LISTEN"),
                            )
                        )
        return World(self.net, tuple(self.senders), tuple(self.words))

    def say(self, text: str) -> None:
        self.words.append(text)

    def address(self, netns: str, device: str, text: str) -> None:
        prefix = Prefix.parse(text, host_bits=True)
        broadcast = prefix.broadcast if prefix.length < 31 else 0
        row = Address(ifindex=0, addr=prefix.addr, length=prefix.length, broadcast=broadcast)
        self.do(AddAddress(netns=netns, device=device, address=row))

    def route(
        self, netns: str, dst: str, gateway: str = "", *, type: str = "unicast", table: int = 254
    ) -> None:
        prefix = Prefix(0, 0) if dst == "default" else Prefix.parse(dst)
        via = ip4(gateway) if gateway else 0
        self.do(AddRoute(netns=netns, dst=prefix, gateway=via, type=type, table=table))
        self.say(f"{netns}: ip route add {type} {dst} via {gateway or '-'} table {table}")

    # -- devices

    def machines(self) -> None:
        self.do(AddBox(name="lan", role="switch"))
        self.do(AddLink(netns="lan", name="br0", kind="bridge"))
        self.do(SetLink(netns="lan", name="br0", up=True))
        self.do(SetSysctl(netns="lan", key="net.bridge.bridge-nf-call-iptables", value="0"))
        for box, address in MACHINES:
            self.do(AddBox(name=box, role=ROLES[box]))
            self.do(AddVeth(netns="lan", name=f"port-{box}", peer_netns=box, peer_name="eth0"))
            self.do(SetLink(netns="lan", name=f"port-{box}", master="br0", up=True))
            self.do(SetLink(netns=box, name="eth0", up=True))
            self.address(box, "eth0", address)
        self.do(AddBox(name="inet", role="host"))
        self.do(AddVeth(netns="rt", name="eth1", peer_netns="inet", peer_name="eth0"))
        for netns, device, address in (("rt", "eth1", "203.0.113.1/24"), ("inet", "eth0", "203.0.113.10/24")):
            self.do(SetLink(netns=netns, name=device, up=True))
            self.address(netns, device, address)
        self.senders += ["host", "ext", "rt", "inet"]

    def containers(self) -> None:
        for bridge, net3, names in BRIDGES:
            self.do(AddLink(netns="host", name=bridge, kind="bridge"))
            self.do(SetLink(netns="host", name=bridge, up=True))
            self.address("host", bridge, f"{net3}.1/16")
            for number, name in enumerate(names, 2):
                self.container(bridge, f"{net3}.{number}/16", name)
                if self.chance(0.97):
                    self.do(SetLink(netns=f"host/{name}", name="eth0", up=True))
                    self.route(f"host/{name}", "default", f"{net3}.1")

    def container(self, bridge: str, address: str, name: str) -> None:
        id = f"host/{name}"
        self.senders.append(id)
        self.do(AddNetns(box="host", id=id, label=name))
        self.do(AddVeth(netns="host", name=f"v{name}", peer_netns=id, peer_name="eth0"))
        hairpin, isolated = self.chance(0.4), self.chance(0.15)
        self.do(
            SetLink(netns="host", name=f"v{name}", master=bridge, up=True, hairpin=hairpin, isolated=isolated)
        )
        self.do(SetLink(netns=id, name="lo", up=True))
        self.address(id, "eth0", address)

    # -- routing

    def routes(self) -> None:
        for netns, gateway in (("host", "192.168.10.1"), ("ext", "192.168.10.1"), ("inet", "203.0.113.1")):
            self.route(netns, "default", gateway)
        self.route("rt2", "203.0.113.0/24", "192.168.10.1")
        if self.chance(0.5):
            self.route(self.rng.choice(("rt", "rt", "ext")), "172.16.0.0/12", "192.168.10.10")
        if self.chance(0.2):
            self.route("rt", "198.51.100.0/24", "192.168.10.2")
            self.route("rt2", "198.51.100.0/24", "192.168.10.1")
        if self.chance(0.2):
            self.route(
                "host", "203.0.113.0/24", type=self.rng.choice(("blackhole", "unreachable", "prohibit"))
            )
        if self.chance(0.3):
            self.policy_routing()

    def policy_routing(self) -> None:
        """A rule of its own for some packets, to a table that sends them another way, or nowhere."""
        netns = self.rng.choice(("host", "rt"))
        pick = self.rng.choice(("from", "mark", "iif", "to"))
        who = {
            "from": {"src": Prefix.parse("172.17.0.0/16")},
            "mark": {"fwmark": 1, "fwmask": 1},
            "iif": {"iif": "docker0" if netns == "host" else "eth1"},
            "to": {"dst": Prefix.parse("203.0.113.0/24")},
        }[pick]
        table = 100
        self.do(AddRule(netns=netns, priority=100, table=table, **who))  # type: ignore[arg-type]
        self.say(f"{netns}: ip rule add {who} table {table}")
        if self.chance(0.6):
            self.route(netns, "default", "192.168.10.2", table=table)
        elif self.chance(0.7):
            self.route(
                netns, "default", type=self.rng.choice(("blackhole", "unreachable", "throw")), table=table
            )

    def sysctls(self) -> None:
        for box in ("host", "rt", "rt2"):
            if self.chance(0.95):
                self.sysctl(box, "net.ipv4.ip_forward", "1")
        self.sysctl("host", "net.bridge.bridge-nf-call-iptables", self.rng.choice("01"))
        for key in ("rp_filter", "route_localnet", "proxy_arp"):
            for device in ("all", "docker0", "eth0"):
                if self.chance(0.12):
                    value = self.rng.choice("012" if key == "rp_filter" else "01")
                    self.sysctl("host", f"net.ipv4.conf.{device}.{key}", value)
        if self.chance(0.1):
            self.sysctl(self.rng.choice(("host/c1", "ext")), "net.ipv4.icmp_echo_ignore_all", "1")

    def sysctl(self, netns: str, key: str, value: str) -> None:
        self.do(SetSysctl(netns=netns, key=key, value=value))
        self.say(f"{netns}: sysctl -w {key}={value}")

    # -- netfilter, on the host

    def rules(self) -> None:
        for table, chain in (("nat", "DOCKER"), ("filter", "USER")):
            self.do(XtNewChain(netns="host", table=table, chain=chain))
        self.nat()
        for chain in ("FORWARD", "INPUT", "OUTPUT"):
            for _ in range(self.rng.randint(0, 4)):
                self.filter(
                    chain,
                    self.rng.choice(
                        (*FILTER, f"-s 172.17.0.3 -j REJECT --reject-with {self.rng.choice(REJECTS)}")
                    ),
                )
        if self.chance(0.5):
            self.rule("filter", "USER", self.rng.choice(USER))
        if self.chance(0.3):
            chain = self.rng.choice(("PREROUTING", "FORWARD", "POSTROUTING", "OUTPUT", "INPUT"))
            self.rule("mangle", chain, "-j MARK --set-xmark 0x1/0x1")
        if self.chance(0.2):
            self.rule(
                "raw",
                "PREROUTING",
                self.rng.choice(("-p udp -j CT --notrack", "-d 172.17.0.2 ! -i docker0 -j DROP")),
            )
        if self.chance(0.3):
            self.rule("nat", "POSTROUTING", self.rng.choice(POSTROUTING))
        if self.chance(0.3):
            chain = self.rng.choice(("FORWARD", "INPUT"))
            self.do(XtPolicy(netns="host", table="filter", chain=chain, policy="DROP"))
            self.say(f"host: iptables -P {chain} DROP")

    def nat(self) -> None:
        if self.chance(0.8):
            self.rule("nat", "POSTROUTING", "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE")
        if not self.chance(0.8):
            return
        self.rule("nat", "PREROUTING", "-m addrtype --dst-type LOCAL -j DOCKER")
        self.rule(
            "nat",
            "OUTPUT",
            f"{self.rng.choice(('! -d 127.0.0.0/8 ', ''))}-m addrtype --dst-type LOCAL -j DOCKER",
        )
        proto = self.rng.choice(("tcp", "tcp", "udp"))
        outside = self.rng.choice(("! -i docker0 ", ""))
        self.rule("nat", "DOCKER", f"{outside}-p {proto} --dport 8080 -j DNAT --to-destination 172.17.0.2:80")
        for chance, text in (
            (0.4, "-p tcp --dport 9090 -j REDIRECT --to-ports 80"),
            (0.4, "-p tcp --dport 9091 -j DNAT --to-destination 172.18.0.2:8080"),
            (0.4, "-p tcp --dport 9092 -j DNAT --to-destination 127.0.0.1:80"),
        ):
            if self.chance(chance):
                self.rule("nat", "DOCKER", text)

    def filter(self, chain: str, text: str) -> None:
        """A rule of the pool, unless the chain does not know what it asks for."""
        if chain == "OUTPUT" and ("-i " in text or "physdev" in text):
            return
        if chain == "INPUT" and "-o " in text:
            return
        self.rule("filter", chain, text)

    def rule(self, table: str, chain: str, text: str) -> None:
        self.do(XtAppend(netns="host", table=table, chain=chain, rules=parse.rules(text)))
        self.say(f"host: iptables -t {table} -A {chain} {text}")

    # -- what goes wrong

    def faults(self) -> None:
        if self.chance(0.2):
            self.do(SetLink(netns="rt", name="eth1", mtu=1400))
            self.do(SetLink(netns="inet", name="eth0", mtu=1400))
            self.say("rt and inet: mtu 1400")
        if self.chance(0.15):
            row = Neighbour(ip=ip4("172.17.0.2"), ifindex=0, mac=0x02000000EEEE, state="PERMANENT")
            self.do(SetNeighbour(netns="host", device="docker0", neighbour=row))
            self.say("host: ip neigh replace 172.17.0.2 lladdr 02:00:00:00:ee:ee dev docker0")
        if self.chance(0.1):
            self.do(SetLink(netns="host", name="br1", up=False))
            self.say("host: ip link set br1 down")

    def flow(self, world: World, number: int) -> Flow:
        proto = self.rng.choice(("tcp", "tcp", "udp", "icmp"))
        size = self.rng.choice((1, 1, 1, 1373, 1453)) if proto == "udp" else 1
        dport = self.rng.choice(PORTS)
        sender, dst = self.rng.choice(world.senders), self.rng.choice(TARGETS)
        return Flow(netns=sender, proto=proto, dst=dst, dport=dport, sport=30000 + number, size=size)
