"""Four wirings of a two-node cluster as command lines: what a shell of a real machine and the model's shell both run.

The map is the same in all: a switch or fabric `sw`, the nodes `n1` and `n2`, the Pods p11 and p12 on n1, p21 and p22 on
n2, each a namespace of one machine. One Service (10.96.0.10:80, NodePort 30080) has p11 and p21 behind it, in the rules
that kube-proxy writes.

    hostgw  a bridge a node, a route to the other node's Pods by its address (Flannel's host-gw)
    vxlan   the same bridges, the other node by flannel.1 (Flannel's vxlan)
    calico  no bridge: a route a Pod, proxy ARP, the other node by its address
    vpccni  Pod addresses of the nodes' own subnet on two NICs, source routing (Amazon's VPC CNI)

Rules. A line changes one thing and must be text that every kernel and the model read alike. Every MAC is fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

NODES = ("n1", "n2")
SPACES = ("sw", "n1", "n2", "p11", "p12", "p21", "p22")
PODS = {"n1": ("p11", "p12"), "n2": ("p21", "p22")}
SERVICE, PORT, NODEPORT, TARGET = "10.96.0.10", 80, 30080, 8080
#: what the kernel kept for itself: nobody waits for an ICMP error's turn, nobody sends redirects
QUIET = (
    "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
    "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0",
)  # fmt: skip


@dataclass(frozen=True)
class Addresses:
    """Who has which address; `cidr` holds every Pod, `outside` answers beyond the cluster."""

    nodes: dict[str, str]
    pods: dict[str, str]
    cidr: str
    outside: str


LAN = Addresses(
    nodes={"n1": "192.168.50.11", "n2": "192.168.50.12", "sw": "192.168.50.1"},
    pods={"p11": "10.244.1.2", "p12": "10.244.1.3", "p21": "10.244.2.2", "p22": "10.244.2.3"},
    cidr="10.244.0.0/16",
    outside="192.168.50.1",
)
VPC = Addresses(
    nodes={"n1": "10.0.1.10", "n2": "10.0.2.10", "sw": "10.0.0.1"},
    pods={"p11": "10.0.1.11", "p12": "10.0.1.21", "p21": "10.0.2.11", "p22": "10.0.2.21"},
    cidr="10.0.0.0/16",
    outside="203.0.113.1",
)
#: a node's second NIC
SECOND_NIC = {"n1": "10.0.1.20", "n2": "10.0.2.20"}
NODE_CIDR = {"n1": "10.244.1.0/24", "n2": "10.244.2.0/24"}


@dataclass(frozen=True)
class Wiring:
    """`lines` build it in order; `tell` (netns, sysctl words) come first, as the devices inherit them."""

    name: str
    addresses: Addresses
    lines: tuple[str, ...]


def mac(group: int, number: int) -> str:
    return f"02:{group:02x}:00:00:00:{number:02x}"


def other(node: str) -> str:
    return "n2" if node == "n1" else "n1"


def number(node: str) -> int:
    return NODES.index(node) + 1


def begin() -> list[str]:
    """The namespaces and what they must be told before they have a device."""
    out = [f"ip netns add {name}" for name in SPACES]
    for name in SPACES:
        words = list(QUIET)
        if name not in LAN.pods:
            words.append("net.ipv4.ip_forward=1")
        if name in NODES:
            words += ["net.ipv4.conf.all.route_localnet=1", "net.bridge.bridge-nf-call-iptables=1"]
        if name == "sw":
            words.append("net.bridge.bridge-nf-call-iptables=0")
        out += [f"ip netns exec {name} sysctl -qw {word}" for word in words]
        out.append(f"ip -n {name} link set lo up")
    return out


def lan() -> list[str]:
    """The switch and the nodes' NICs."""
    out = [
        "ip -n sw link add br0 address 02:00:00:00:00:fe type bridge",
        "ip -n sw addr add 192.168.50.1/24 dev br0",
        "ip -n sw link set br0 up",
    ]
    for node in NODES:
        far = f"peer name eth0 address {mac(0, number(node))} netns {node}"
        out += [
            f"ip -n sw link add port-{node} address {mac(8, number(node))} type veth {far}",
            f"ip -n sw link set port-{node} master br0",
            f"ip -n sw link set port-{node} up",
            f"ip -n {node} addr add {LAN.nodes[node]}/24 dev eth0",
            f"ip -n {node} link set eth0 up",
            f"ip -n {node} route add default via 192.168.50.1",
        ]
    return out


def bridged_pods() -> list[str]:
    out = []
    for node in NODES:
        net = ip_network(NODE_CIDR[node])
        out += [
            f"ip -n {node} link add cni0 address {mac(1, number(node))} mtu 1450 type bridge",
            f"ip -n {node} addr add {net[1]}/24 dev cni0",
            f"ip -n {node} link set cni0 up",
        ]
        for at, pod in enumerate(PODS[node], 10 * number(node)):
            far = f"peer name eth0 address {mac(2, at)} netns {pod}"
            out += [
                f"ip -n {node} link add veth-{pod} address {mac(6, at)} type veth {far}",
                f"ip -n {node} link set veth-{pod} master cni0",
                f"ip -n {node} link set veth-{pod} type bridge_slave hairpin on",
                f"ip -n {node} link set veth-{pod} up",
                f"ip -n {pod} addr add {LAN.pods[pod]}/24 dev eth0",
                f"ip -n {pod} link set eth0 up",
                f"ip -n {pod} route add default via {net[1]}",
            ]
    return out


def hostgw() -> list[str]:
    to = [f"ip -n {n} route add {NODE_CIDR[other(n)]} via {LAN.nodes[other(n)]} dev eth0" for n in NODES]
    return [*lan(), *bridged_pods(), *to]


def vxlan() -> list[str]:
    out = [*lan(), *bridged_pods()]
    for node in NODES:
        here, far = number(node), number(other(node))
        kind = f"type vxlan id 1 dev eth0 local {LAN.nodes[node]} dstport 8472 nolearning"
        out += [
            f"ip -n {node} link add flannel.1 address {mac(3, here)} mtu 1450 {kind}",
            f"ip -n {node} addr add 10.244.{here}.0/32 dev flannel.1",
            f"ip -n {node} link set flannel.1 up",
            f"ip -n {node} route add 10.244.{far}.0/24 via 10.244.{far}.0 dev flannel.1 onlink",
            f"ip -n {node} neigh add 10.244.{far}.0 lladdr {mac(3, far)} dev flannel.1 nud permanent",
            f"bridge -n {node} fdb append {mac(3, far)} dev flannel.1 dst {LAN.nodes[other(node)]} self permanent",
        ]
    return out


def calico() -> list[str]:
    out = lan()
    for node in NODES:
        for at, pod in enumerate(PODS[node], 10 * number(node)):
            far = f"peer name eth0 address {mac(2, at)} netns {pod}"
            out += [
                f"ip -n {node} link add cali{pod} address ee:ee:ee:ee:ee:ee type veth {far}",
                f"ip netns exec {node} sysctl -qw net.ipv4.conf.cali{pod}.proxy_arp=1",
                f"ip -n {node} link set cali{pod} up",
                f"ip -n {node} route add {LAN.pods[pod]}/32 dev cali{pod} scope link",
                f"ip -n {pod} addr add {LAN.pods[pod]}/32 dev eth0",
                f"ip -n {pod} link set eth0 up",
                f"ip -n {pod} route add 169.254.1.1 dev eth0 scope link",
                f"ip -n {pod} route add default via 169.254.1.1 dev eth0",
            ]
        out += [
            f"ip -n {node} route add blackhole {NODE_CIDR[node]} proto bird",
            f"ip -n {node} route add {NODE_CIDR[other(node)]} via {LAN.nodes[other(node)]} dev eth0 proto bird onlink",
        ]
    return out


def vpccni() -> list[str]:
    """`sw` is the fabric: a router that owns 10.0.0.1, answers every ARP and has a route for each address."""
    out = ["ip -n sw addr add 10.0.0.1/32 dev lo", "ip -n sw addr add 203.0.113.1/32 dev lo"]
    for node in NODES:
        for nic, address in enumerate((VPC.nodes[node], SECOND_NIC[node])):
            at = 10 * number(node) + nic
            far = f"peer name eth{nic} address {mac(4, at)} netns {node}"
            out += [
                f"ip -n sw link add {node}-eni{nic} address {mac(9, 1)} type veth {far}",
                f"ip netns exec sw sysctl -qw net.ipv4.conf.{node}-eni{nic}.proxy_arp=1",
                f"ip -n sw link set {node}-eni{nic} up",
                f"ip -n sw route add {address}/32 dev {node}-eni{nic} scope link",
                f"ip -n sw neigh add {address} lladdr {mac(4, at)} dev {node}-eni{nic} nud permanent",
                f"ip -n {node} addr add {address}/16 dev eth{nic}{' noprefixroute' if nic else ''}",
                f"ip -n {node} link set eth{nic} up",
                f"ip netns exec {node} sysctl -qw net.ipv4.conf.eth{nic}.rp_filter=2",
            ]
        out += [
            f"ip -n {node} route add default via 10.0.0.1 dev eth0",
            f"ip -n {node} route add 10.0.0.1 dev eth1 scope link table 2",
            f"ip -n {node} route add default via 10.0.0.1 dev eth1 table 2",
            f"ip -n {node} rule add fwmark 0x80/0x80 lookup main prio 1024",
        ]
        for nic, pod in enumerate(PODS[node]):
            at, address = 10 * number(node) + nic, VPC.pods[pod]
            far = f"peer name eth0 address {mac(2, at)} netns {pod}"
            out += [
                f"ip -n {node} link add eni{pod} address {mac(5, at)} type veth {far}",
                f"ip -n {node} link set eni{pod} up",
                f"ip -n {node} route add {address}/32 dev eni{pod} scope link",
                f"ip -n {node} rule add to {address} lookup main prio 512",
                *([f"ip -n {node} rule add from {address} lookup 2 prio 1536"] if nic else []),
                f"ip -n {pod} addr add {address}/32 dev eth0",
                f"ip -n {pod} link set eth0 up",
                f"ip -n {pod} route add 169.254.1.1 dev eth0 scope link",
                f"ip -n {pod} route add default via 169.254.1.1 dev eth0",
                f"ip -n {pod} neigh add 169.254.1.1 lladdr {mac(5, at)} dev eth0 nud permanent",
                f"ip -n sw route add {address}/32 dev {node}-eni{nic} scope link",
                f"ip -n sw neigh add {address} lladdr {mac(4, at)} dev {node}-eni{nic} nud permanent",
            ]
    return out


# -- rules ---------------------------------------------------------------------------------------------------

PORTALS = '--comment "kubernetes service portals"'
EXTERNAL = '--comment "kubernetes externally-visible service portals"'
BALANCER = '--comment "kubernetes load balancer firewall"'
NEW = "-m conntrack --ctstate NEW -m comment"


def kube_proxy(where: Addresses) -> str:
    """kube-proxy's iptables rules (1.30, without nfacct) for the Service, as it writes them."""
    chains = ("EXTERNAL-SERVICES", "FIREWALL", "FORWARD", "NODEPORTS", "PROXY-FIREWALL", "SERVICES")
    local = (
        '--comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT'
    )
    rules = [
        f"INPUT {NEW} {BALANCER} -j KUBE-PROXY-FIREWALL",
        'INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS',
        f"INPUT {NEW} {EXTERNAL} -j KUBE-EXTERNAL-SERVICES",
        "INPUT -j KUBE-FIREWALL",
        f"FORWARD {NEW} {BALANCER} -j KUBE-PROXY-FIREWALL",
        'FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
        f"FORWARD {NEW} {PORTALS} -j KUBE-SERVICES",
        f"FORWARD {NEW} {EXTERNAL} -j KUBE-EXTERNAL-SERVICES",
        f"OUTPUT {NEW} {BALANCER} -j KUBE-PROXY-FIREWALL",
        f"OUTPUT {NEW} {PORTALS} -j KUBE-SERVICES",
        "OUTPUT -j KUBE-FIREWALL",
        f"KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment {local} -j DROP",
        "KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP",
        'KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT',
        'KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack'
        " --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ]
    return table("filter", [f"KUBE-{c}" for c in chains], rules) + service_rules(where)


def service_rules(where: Addresses) -> str:
    """The nat table: portals, NodePort, masquerading, two endpoints of which one is chosen by chance."""
    ends = [where.pods["p11"], where.pods["p21"]]
    seps = [f"KUBE-SEP-WEB{i}" for i in range(len(ends))]
    chains = ["MARK-MASQ", "NODEPORTS", "POSTROUTING", "SERVICES", "EXT-WEB", "SVC-WEB"]
    name = '-m comment --comment "default/web cluster IP" -m tcp --dport'
    masquerade = '--comment "masquerade traffic for default/web external destinations"'
    last = '--comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"'
    rules = [
        f"PREROUTING -m comment {PORTALS} -j KUBE-SERVICES",
        f"OUTPUT -m comment {PORTALS} -j KUBE-SERVICES",
        'POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
        "KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
        f'KUBE-NODEPORTS -p tcp -m comment --comment "default/web" -m tcp --dport {NODEPORT} -j KUBE-EXT-WEB',
        f"KUBE-EXT-WEB -m comment {masquerade} -j KUBE-MARK-MASQ",
        "KUBE-EXT-WEB -j KUBE-SVC-WEB",
        "KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
        'KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT"'
        " -j MASQUERADE --random-fully",
        f"KUBE-SERVICES -d {SERVICE}/32 -p tcp {name} {PORT} -j KUBE-SVC-WEB",
        f"KUBE-SERVICES -m comment {last} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
        f"KUBE-SVC-WEB ! -s {where.cidr} -d {SERVICE}/32 -p tcp {name} {PORT} -j KUBE-MARK-MASQ",
        f'KUBE-SVC-WEB -m comment --comment "default/web -> {ends[0]}:{TARGET}"'
        f" -m statistic --mode random --probability 0.50000000000 -j {seps[0]}",
        f'KUBE-SVC-WEB -m comment --comment "default/web -> {ends[1]}:{TARGET}" -j {seps[1]}',
    ]
    for sep, end in zip(seps, ends, strict=True):
        rules += [
            f'{sep} -s {end}/32 -m comment --comment "default/web" -j KUBE-MARK-MASQ',
            f'{sep} -p tcp -m comment --comment "default/web" -m tcp -j DNAT --to-destination {end}:{TARGET}',
        ]
    return table("nat", [*[f"KUBE-{c}" for c in chains], *seps], rules)


def flannel(node: str) -> str:
    said = '-m comment --comment "flanneld masq"'
    own, pods = NODE_CIDR[node], LAN.cidr
    rules = [
        f"POSTROUTING {said} -j FLANNEL-POSTRTG",
        f"FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 {said} -j RETURN",
        f"FLANNEL-POSTRTG -s {pods} -d {pods} {said} -j RETURN",
        f"FLANNEL-POSTRTG -s {pods} ! -d 224.0.0.0/4 {said} -j MASQUERADE --random-fully",
        f"FLANNEL-POSTRTG ! -s {pods} -d {own} {said} -j RETURN",
        f"FLANNEL-POSTRTG ! -s {pods} -d {pods} {said} -j MASQUERADE --random-fully",
    ]
    return table("nat", ["FLANNEL-POSTRTG"], rules)


def aws(node: str) -> str:
    """What the VPC CNI writes for one node: connections that came in by eth0 go out by it, the rest is source NAT."""
    save = "-j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80"
    primary = '-m comment --comment "AWS, primary ENI"'
    mangle = [
        f"PREROUTING -i eth0 {primary} -m addrtype --dst-type LOCAL --limit-iface-in"
        " -j CONNMARK --set-xmark 0x80/0x80",
        f"PREROUTING -i eni+ {primary} {save}",
    ]
    snat = '-m comment --comment "AWS SNAT CHAIN"'
    nat = [
        'PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0',
        f'PREROUTING -m comment --comment "AWS, CONNMARK" {save}',
        f'AWS-CONNMARK-CHAIN-0 -d {VPC.cidr} -m comment --comment "AWS CONNMARK CHAIN, VPC CIDR" -j RETURN',
        'AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80',
        f"POSTROUTING {snat} -j AWS-SNAT-CHAIN-0",
        f"AWS-SNAT-CHAIN-0 -d {VPC.cidr} {snat} -j RETURN",
        'AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL'
        f" -j SNAT --to-source {VPC.nodes[node]} --random-fully",
    ]
    return table("mangle", [], mangle) + table("nat", ["AWS-SNAT-CHAIN-0", "AWS-CONNMARK-CHAIN-0"], nat)


def table(name: str, chains: list[str], rules: list[str]) -> str:
    lines = [f"*{name}", *(f":{chain} - [0:0]" for chain in chains), *(f"-A {rule}" for rule in rules)]
    return "\n".join([*lines, "COMMIT"]) + "\n"


def restore(node: str, text: str) -> str:
    return f"ip netns exec {node} iptables-restore --noflush <<'END'\n{text}END"


def wiring(name: str) -> Wiring:
    where = VPC if name == "vpccni" else LAN
    lines = [*begin(), *{"hostgw": hostgw, "vxlan": vxlan, "calico": calico, "vpccni": vpccni}[name]()]
    for node in NODES:
        own = {"hostgw": flannel, "vxlan": flannel, "vpccni": aws}.get(name)
        lines.append(restore(node, kube_proxy(where) + (own(node) if own else "")))
    return Wiring(name=name, addresses=where, lines=tuple(lines))


WIRINGS = ("hostgw", "vxlan", "calico", "vpccni")


@dataclass(frozen=True)
class Sent:
    """One flow: `proto` from a namespace to an address; `chain` must be in the kernel's way ("" for any)."""

    netns: str
    proto: str
    dst: str
    dport: int
    chain: str = ""


def flows(where: Addresses) -> dict[str, Sent]:
    """The eight flows that each wiring was recorded with."""
    return {
        "svc": Sent("p12", "tcp", SERVICE, PORT, "KUBE-SEP-WEB1"),
        "pod": Sent("p12", "tcp", where.pods["p21"], TARGET),
        "local": Sent("p12", "tcp", where.pods["p11"], TARGET),
        "np": Sent("sw", "tcp", where.nodes["n1"], NODEPORT, "KUBE-SEP-WEB1"),
        "hair": Sent("p11", "tcp", SERVICE, PORT, "KUBE-SEP-WEB0"),
        "node": Sent("n1", "tcp", SERVICE, PORT, "KUBE-SEP-WEB1"),
        "ext": Sent("p12", "udp", where.outside, TARGET),
        "udp": Sent("p12", "udp", where.pods["p21"], TARGET),
    }


#: every Pod listens there, TCP and UDP; nobody answers a datagram
LISTENING = tuple((pod, proto, "0.0.0.0", TARGET) for pod in LAN.pods for proto in ("tcp", "udp"))
