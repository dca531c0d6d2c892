"""The four wirings of a two-node cluster as plain commands, run by the model's own `ip`, `sysctl` and iptables-restore.

The map: a switch `sw` (in vpccni a router), the nodes n1 and n2, two Pods on each (p11 p12, p21 p22). Every MAC address
is given. What the commands leave in the Net is then planned and built in the kernel by engine.real.plan, so a command
that both take differently shows as a difference of the rows or of the packets.

Everything here is text, so that an example of hypothesis prints as what a person would type, and can be kept as a file.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.errors import NotModelled, OpError
from engine.linux import ops
from engine.linux.net import Net
from engine.linux.rows import Socket
from engine.linux.xt.restore import restore_text
from engine.shell.tools import bridge as bridge_tool
from engine.shell.tools import ip as ip_tool

NODES = ("n1", "n2")
PODS = {"n1": ("p11", "p12"), "n2": ("p21", "p22")}
SPACES = ("sw", "n1", "n2", "p11", "p12", "p21", "p22")
KINDS = ("hostgw", "calico", "vpccni", "vxlan")
POD_IP = {"p11": "10.244.1.2", "p12": "10.244.1.3", "p21": "10.244.2.2", "p22": "10.244.2.3"}
NODE_IP = {"sw": "192.168.50.1", "n1": "192.168.50.11", "n2": "192.168.50.12"}
VPC_POD = {"p11": "10.0.1.11", "p12": "10.0.1.21", "p21": "10.0.2.11", "p22": "10.0.2.21"}
VPC_NODE = {"sw": "10.0.0.1", "n1": "10.0.1.10", "n2": "10.0.2.10"}
VPC_SECOND = {"n1": "10.0.1.20", "n2": "10.0.2.20"}
OUTSIDE = "203.0.113.1"
VIP = "10.96.0.10"

Line = tuple[str, str]


def addresses(kind: str) -> dict[str, str]:
    """Every namespace's own address."""
    return {**VPC_POD, **VPC_NODE} if kind == "vpccni" else {**POD_IP, **NODE_IP}


def cluster_cidr(kind: str) -> str:
    return "10.0.0.0/16" if kind == "vpccni" else "10.244.0.0/16"


def mac(tag: int, number: int) -> str:
    return f"02:{tag:02x}:00:00:00:{number:02x}"


def underlay() -> list[Line]:
    """A bridge in `sw` with a port for each node."""
    out = [
        ("sw", f"ip link add br0 address {mac(0, 254)} type bridge"), ("sw", "ip addr add 192.168.50.1/24 dev br0"),
        ("sw", f"ip addr add {OUTSIDE}/32 dev lo"), ("sw", "ip link set br0 up"),
        ("sw", "sysctl net.bridge.bridge-nf-call-iptables=0"),
    ]  # fmt: skip
    for i, node in enumerate(NODES, 1):
        peer = f"peer name eth0 netns {node} address {mac(0, i)}"
        out += [
            ("sw", f"ip link add port-{node} address {mac(8, i)} type veth {peer}"),
            ("sw", f"ip link set port-{node} master br0 up"),
            (node, "ip link set eth0 up"), (node, f"ip addr add {NODE_IP[node]}/24 dev eth0"),
            (node, "ip route add default via 192.168.50.1"), (node, "sysctl net.ipv4.ip_forward=1"),
        ]  # fmt: skip
    return out


def bridged_pods() -> list[Line]:
    """cni0 on each node, with hairpin ports."""
    out: list[Line] = []
    for i, node in enumerate(NODES, 1):
        out += [
            (node, f"ip link add cni0 address {mac(1, i)} type bridge"),
            (node, f"ip addr add 10.244.{i}.1/24 dev cni0"), (node, "ip link set cni0 up"),
        ]  # fmt: skip
        for j, pod in enumerate(PODS[node], 2):
            number = 10 * i + j
            peer = f"peer name eth0 netns {pod} address {mac(2, number)}"
            out += [
                (node, f"ip link add veth-{pod} address {mac(6, number)} type veth {peer}"),
                (node, f"ip link set veth-{pod} master cni0 up"),
                (node, f"ip link set veth-{pod} type bridge_slave hairpin on"),
                (pod, f"ip addr add {POD_IP[pod]}/24 dev eth0"), (pod, "ip link set eth0 up"),
                (pod, f"ip route add default via 10.244.{i}.1"),
            ]  # fmt: skip
    return out


def hostgw() -> list[Line]:
    return [
        *underlay(), *bridged_pods(),
        ("n1", "ip route add 10.244.2.0/24 via 192.168.50.12 dev eth0"),
        ("n2", "ip route add 10.244.1.0/24 via 192.168.50.11 dev eth0"),
    ]  # fmt: skip


def vxlan() -> list[Line]:
    out = [*underlay(), *bridged_pods()]
    for i, (node, other) in enumerate((("n1", "n2"), ("n2", "n1")), 1):
        j = 3 - i
        tunnel = f"type vxlan id 1 dev eth0 local {NODE_IP[node]} dstport 8472 nolearning"
        out += [
            (node, f"ip link add flannel.1 address {mac(3, i)} mtu 1450 {tunnel}"),
            (node, f"ip addr add 10.244.{i}.0/32 dev flannel.1"), (node, "ip link set flannel.1 up"),
            (node, f"ip route add 10.244.{j}.0/24 via 10.244.{j}.0 dev flannel.1 onlink"),
            (node, f"ip neigh add 10.244.{j}.0 lladdr {mac(3, j)} dev flannel.1 nud permanent"),
            (node, f"bridge fdb append {mac(3, j)} dev flannel.1 dst {NODE_IP[other]} self permanent"),
        ]  # fmt: skip
    return out


def calico() -> list[Line]:
    """Pods with /32 behind a veth that answers for 169.254.1.1 (proxy_arp); each node's block is a blackhole."""
    out = underlay()
    for i, (node, other) in enumerate((("n1", "n2"), ("n2", "n1")), 1):
        for j, pod in enumerate(PODS[node], 2):
            peer = f"peer name eth0 netns {pod} address {mac(2, 10 * i + j)}"
            out += [
                (node, f"ip link add cali{pod} address ee:ee:ee:ee:ee:ee type veth {peer}"),
                (node, f"ip link set cali{pod} up"), (node, f"sysctl net.ipv4.conf.cali{pod}.proxy_arp=1"),
                (node, f"ip route add {POD_IP[pod]}/32 dev cali{pod} scope link"),
                (pod, f"ip addr add {POD_IP[pod]}/32 dev eth0"), (pod, "ip link set eth0 up"),
                (pod, "ip route add 169.254.1.1 dev eth0 scope link"),
                (pod, "ip route add default via 169.254.1.1 dev eth0"),
            ]  # fmt: skip
        out += [
            (node, f"ip route add blackhole 10.244.{i}.0/24 proto bird"),
            (node, f"ip route add 10.244.{3 - i}.0/24 via {NODE_IP[other]} dev eth0 proto bird onlink"),
        ]
    return out


def vpccni() -> list[Line]:
    """Two ENIs a node; the second Pod of each is on the second ENI, by rule 1536 and table 2. The fabric routes."""
    out = [("sw", "ip addr add 10.0.0.1/32 dev lo"), ("sw", f"ip addr add {OUTSIDE}/32 dev lo")]
    out.append(("sw", "sysctl net.ipv4.ip_forward=1"))
    for i, node in enumerate(NODES, 1):
        own = (VPC_NODE[node], VPC_SECOND[node])
        for eni in (0, 1):
            port, far = f"{node}-eni{eni}", mac(4, 10 * i + eni)
            peer = f"peer name eth{eni} netns {node} address {far}"
            length = 32 if eni else 16
            out += [
                ("sw", f"ip link add {port} address {mac(9, 10 * i + eni)} type veth {peer}"),
                ("sw", f"ip link set {port} up"), ("sw", f"sysctl net.ipv4.conf.{port}.proxy_arp=1"),
                (node, f"ip link set eth{eni} up"), (node, f"ip addr add {own[eni]}/{length} dev eth{eni}"),
                ("sw", f"ip route add {own[eni]}/32 dev {port} scope link"),
                ("sw", f"ip neigh add {own[eni]} lladdr {far} dev {port}"),
                (node, f"sysctl net.ipv4.conf.eth{eni}.rp_filter=2"),
            ]  # fmt: skip
        out += [
            (node, "sysctl net.ipv4.ip_forward=1"), (node, "ip route add default via 10.0.0.1 dev eth0"),
            (node, "ip route add 10.0.0.1 dev eth1 scope link table 2"),
            (node, "ip route add default via 10.0.0.1 dev eth1 table 2"),
            (node, "ip rule add fwmark 0x80/0x80 lookup main prio 1024"),
        ]  # fmt: skip
        for j, pod in enumerate(PODS[node]):
            address, host = VPC_POD[pod], mac(5, 10 * i + j)
            peer = f"peer name eth0 netns {pod} address {mac(2, 10 * i + j)}"
            out += [
                (node, f"ip link add eni{pod} address {host} type veth {peer}"), (node, f"ip link set eni{pod} up"),
                (pod, f"ip addr add {address}/32 dev eth0"), (pod, "ip link set eth0 up"),
                (pod, "ip route add 169.254.1.1 dev eth0 scope link"),
                (pod, "ip route add default via 169.254.1.1 dev eth0"),
                (pod, f"ip neigh add 169.254.1.1 lladdr {host} dev eth0 nud permanent"),
                (node, f"ip route add {address}/32 dev eni{pod} scope link"),
                (node, f"ip rule add to {address} lookup main prio 512"),
                ("sw", f"ip route add {address}/32 dev {node}-eni{j} scope link"),
                ("sw", f"ip neigh add {address} lladdr {mac(4, 10 * i + j)} dev {node}-eni{j}"),
            ]  # fmt: skip
            if j:
                out.append((node, f"ip rule add from {address} lookup 2 prio 1536"))
    return out


MAKERS = {"hostgw": hostgw, "vxlan": vxlan, "calico": calico, "vpccni": vpccni}


@dataclass
class Bench:
    """A Net that commands change; `refused` are the lines that the model's tools did not take."""

    net: Net = field(default_factory=Net)
    refused: list[str] = field(default_factory=list)

    @staticmethod
    def over(net: Net) -> Bench:
        """A bench over a Net that is wired already."""
        bench = object.__new__(Bench)
        bench.net, bench.refused, bench.do = net, [], ops.Changes(net).do
        return bench

    def __post_init__(self) -> None:
        self.do = ops.Changes(self.net).do
        self.do(ops.AddBox(name="lab"))
        for name in SPACES:
            self.do(ops.AddNetns(box="lab", id=name, label=name, name=name))
            self.do(ops.SetLink(netns=name, name="lo", up=True))

    def run(self, netns: str, line: str) -> None:
        """One line of ip, bridge or sysctl."""
        words = shlex.split(line)
        try:
            if words[0] == "sysctl":
                key, _, value = words[1].partition("=")
                self.do(ops.SetSysctl(netns=netns, key=key, value=value))
                return
            tool = bridge_tool if words[0] == "bridge" else ip_tool
            _, err, code = tool.run(self.net, netns, words[1:], self.do)
        except (NotModelled, OpError) as error:
            err, code = str(error), 1
        if code:
            self.refused.append(f"{netns}: {line}: {err.strip()}")

    def listen(self, ports: Sequence[int]) -> None:
        for name in SPACES:
            for proto in ("tcp", "udp"):
                for port in ports:
                    row = Socket(
                        proto=proto, addr=0, port=port, pid=1, state="LISTEN" if proto == "tcp" else "UNCONN"
                    )
                    self.do(ops.Listen(netns=name, socket=row))

    def restore(self, netns: str, text: str) -> None:
        """iptables-restore (all tables anew). Raises OpError with its words."""
        restore_text(self.net, netns, text, self.do, keep=False)


def wired(kind: str, mutations: Sequence[Line] = (), ports: Sequence[int] = (8080, 81)) -> Bench:
    """The wiring, then the mutations. What the model refuses of a wiring is an error; of mutations not."""
    bench = Bench()
    for netns, line in MAKERS[kind]():
        bench.run(netns, line)
    assert not bench.refused, bench.refused
    for netns, line in mutations:
        bench.run(netns, line)
    bench.listen(ports)
    return bench
