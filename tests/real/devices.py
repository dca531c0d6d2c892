"""Small networks of devices on devices, as command lines: two nodes joined by a switch, what lies on them, and flows.

    lan    a switch `sw`, the nodes `n1` and `n2` (192.168.50.11, .12) on it

Each maker returns the lines that build one network; the Pods are namespaces of the same machine. Every MAC is fixed.
"""

from __future__ import annotations

from collections.abc import Callable

Lines = list[str]
NODE = {"n1": "192.168.50.11", "n2": "192.168.50.12"}
OTHER = {"n1": "n2", "n2": "n1"}
NUMBER = {"n1": 1, "n2": 2}


def spaces(*names: str, bridge_nf: int = 0) -> Lines:
    out: Lines = []
    for name in names:
        out.append(f"ip netns add {name}")
        words = "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0"
        words += " net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0"
        if name in NODE:
            words += f" net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables={bridge_nf}"
        elif name == "sw":
            words += " net.bridge.bridge-nf-call-iptables=0"
        out += [f"ip netns exec {name} sysctl -qw {word}" for word in words.split()]
        out.append(f"ip -n {name} link set lo up")
    return out


def lan(mtu: int = 1500) -> Lines:
    out = [
        f"ip -n sw link add br0 address 02:00:00:00:00:fe mtu {mtu} type bridge",
        "ip -n sw link set br0 up",
    ]
    for node, address in NODE.items():
        far = f"peer name eth0 address 02:00:00:00:00:0{NUMBER[node]} mtu {mtu} netns {node}"
        out += [
            f"ip -n sw link add port-{node} address 02:08:00:00:00:0{NUMBER[node]} mtu {mtu} type veth {far}",
            f"ip -n sw link set port-{node} master br0",
            f"ip -n sw link set port-{node} up",
            f"ip -n {node} addr add {address}/24 dev eth0",
            f"ip -n {node} link set eth0 up",
        ]
    return out


def routed_pods(mtu: int) -> Lines:
    """p1 on n1, p2 on n2, each with a bridge of its own (10.1.N.0/24)."""
    out: Lines = []
    for node, n in NUMBER.items():
        pod = f"p{n}"
        far = f"peer name eth0 address 02:02:00:00:00:0{n} mtu {mtu} netns {pod}"
        out += [
            f"ip -n {node} link add cni0 address 02:01:00:00:00:0{n} mtu {mtu} type bridge",
            f"ip -n {node} addr add 10.1.{n}.1/24 dev cni0",
            f"ip -n {node} link set cni0 up",
            f"ip -n {node} link add v{pod} address 02:06:00:00:00:0{n} mtu {mtu} type veth {far}",
            f"ip -n {node} link set v{pod} master cni0",
            f"ip -n {node} link set v{pod} up",
            f"ip -n {pod} addr add 10.1.{n}.2/24 dev eth0",
            f"ip -n {pod} link set eth0 up",
            f"ip -n {pod} route add default via 10.1.{n}.1",
        ]
    return out


def tunnel(kind: str, *, mtu: int = 1450, port: int = 8472) -> Lines:
    """flannel.1 on both nodes; `kind` are the words after the VNI, with {local} and {remote}."""
    out: Lines = []
    for node, n in NUMBER.items():
        words = kind.format(local=NODE[node], remote=NODE[OTHER[node]])
        far = NUMBER[OTHER[node]]
        out += [
            f"ip -n {node} link add flannel.1 address 02:03:00:00:00:0{n} mtu {mtu} type vxlan {words} dstport {port}",
            f"ip -n {node} addr add 10.1.{n}.0/32 dev flannel.1",
            f"ip -n {node} link set flannel.1 up",
            f"ip -n {node} route add 10.1.{far}.0/24 via 10.1.{far}.0 dev flannel.1 onlink",
        ]
    return out


def neighbours() -> Lines:
    return [
        f"ip -n {node} neigh add 10.1.{NUMBER[OTHER[node]]}.0 lladdr 02:03:00:00:00:0{NUMBER[OTHER[node]]} "
        "dev flannel.1 nud permanent"
        for node in NODE
    ]


def entries(nodes: tuple[str, ...] = ("n1", "n2"), words: str = "") -> Lines:
    return [
        f"bridge -n {node} fdb append 02:03:00:00:00:0{NUMBER[OTHER[node]]} dev flannel.1 "
        f"dst {NODE[OTHER[node]]}{words} self permanent"
        for node in nodes
    ]


def flannel(
    kind: str = "id 1 dev eth0 local {local} nolearning", *, mtu: int = 1450, pod_mtu: int = 1450,
    fdb: tuple[str, ...] = ("n1", "n2"), neigh: bool = True, words: str = "", bridge_nf: int = 0, port: int = 8472,
    underlay: int = 1500,
) -> Lines:  # fmt: skip
    out = [*spaces("sw", "n1", "n2", "p1", "p2", bridge_nf=bridge_nf), *lan(underlay), *routed_pods(pod_mtu)]
    return [*out, *tunnel(kind, mtu=mtu, port=port), *(neighbours() if neigh else []), *entries(fdb, words)]


def third_node() -> Lines:
    """n3 with a flannel.1 that has no address of the Pods."""
    far = "peer name eth0 address 02:00:00:00:00:03 netns n3"
    return [
        *spaces("n3"),
        f"ip -n sw link add port-n3 address 02:08:00:00:00:03 type veth {far}",
        "ip -n sw link set port-n3 master br0",
        "ip -n sw link set port-n3 up",
        "ip -n n3 addr add 192.168.50.13/24 dev eth0",
        "ip -n n3 link set eth0 up",
        "ip -n n3 link add flannel.1 address 02:03:00:00:00:03 type vxlan id 1 local 192.168.50.13 dstport 8472 "
        "nolearning",
        "ip -n n3 link set flannel.1 up",
    ]


def rules(lines: Lines, *extra: str) -> Lines:
    """With rules in both nodes, so that the outer packets' way through the hooks and connections is seen."""
    out = list(lines)
    for node in NODE:
        out += [f"ip netns exec {node} iptables {rule}" for rule in extra]
    return out


def stretched(*, learning: str = "learning", bridge_nf: int = 0, flags: str = "") -> Lines:
    """One layer 2 network over both nodes: bridges whose third port is a VXLAN device (10.2.0.0/24)."""
    out = [*spaces("sw", "n1", "n2", "p1", "p2", "p3", bridge_nf=bridge_nf), *lan()]
    for node, n in NUMBER.items():
        out += [
            f"ip -n {node} link add br1 address 02:01:00:00:00:1{n} mtu 1450 type bridge",
            f"ip -n {node} link set br1 up",
            f"ip -n {node} link add vx address 02:03:00:00:00:1{n} mtu 1450 type vxlan id 7 dev eth0 "
            f"local {NODE[node]} remote {NODE[OTHER[node]]} dstport 4789 {learning}",
            f"ip -n {node} link set vx master br1",
            f"ip -n {node} link set vx up",
        ]
        if flags:
            out.append(f"ip -n {node} link set vx type bridge_slave {flags}")
    for at, (pod, node) in enumerate((("p1", "n1"), ("p2", "n2"), ("p3", "n1")), 1):
        far = f"peer name eth0 address 02:02:00:00:00:1{at} mtu 1450 netns {pod}"
        out += [
            f"ip -n {node} link add v{pod} address 02:06:00:00:00:1{at} mtu 1450 type veth {far}",
            f"ip -n {node} link set v{pod} master br1",
            f"ip -n {node} link set v{pod} up",
            f"ip -n {pod} addr add 10.2.0.{at}/24 dev eth0",
            f"ip -n {pod} link set eth0 up",
        ]
    return out


def macvlans(mode: str, second: str = "", mtu: int = 1500) -> Lines:
    """n1's eth0 with one or two macvlans above it, in namespaces p1 and p2; n2 is the neighbour on the wire."""
    modes = [mode, second or mode]
    out = [*spaces("sw", "n1", "n2", "p1", "p2"), *lan()]
    for at, pod in enumerate(("p1", "p2")[: 1 if mode == "passthru" else 2], 1):
        out += [
            f"ip -n n1 link add link eth0 name mv{at} address 02:05:00:00:00:0{at} mtu {mtu} netns {pod} "
            f"type macvlan mode {modes[at - 1]}",
            f"ip -n {pod} addr add 192.168.50.2{at}/24 dev mv{at}",
            f"ip -n {pod} link set mv{at} up",
        ]
    return out


def tun() -> Lines:
    """A tun and a tap device that no program holds."""
    out = [*spaces("sw", "n1", "n2", "p1", "p2"), *lan()]
    return [
        *out,
        "ip -n n1 tuntap add t0 mode tun",
        "ip -n n1 addr add 10.9.0.1/24 dev t0",
        "ip -n n1 link set t0 up",
        "ip -n n1 tuntap add t1 mode tap",
        "ip -n n1 addr add 10.9.1.1/24 dev t1",
        "ip -n n1 link set t1 up",
    ]


Maker = Callable[[], Lines]
