"""Whole examples for the comparison with the kernel: a wiring, what is broken in it, rounds of rules and flows.

An example is text and numbers all through, so it shrinks, prints as what a person would type, and is kept as YAML in
regressions/ (`dump`, `load`).
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml
from hypothesis import strategies as st

from engine.real.compare import Flow
from tests.real.clusters import NODES, OUTSIDE, PODS, SPACES, VIP, Line, addresses
from tests.real.rulesets import rulesets

#: flows of a round, and rounds of an example
FLOWS, ROUNDS = 10, 5


@dataclass(frozen=True)
class Round:
    """`rules` is iptables-restore text by node; `flows` are (sender, protocol, destination, port, bytes)."""

    rules: tuple[tuple[str, str], ...]
    flows: tuple[tuple[str, str, str, int, int], ...]


@dataclass(frozen=True)
class Example:
    kind: str
    mutations: tuple[Line, ...]
    rounds: tuple[Round, ...]

    def flow(self, row: tuple[str, str, str, int, int], number: int) -> Flow:
        sender, proto, dst, port, size = row
        return Flow(netns=sender, proto=proto, dst=dst, dport=port, sport=20000 + number, size=size)


def dump(example: Example, note: str = "") -> str:
    """The example as YAML."""
    rounds = [
        {"rules": {node: text.splitlines() for node, text in r.rules}, "flows": [list(f) for f in r.flows]}
        for r in example.rounds
    ]
    doc = {
        "note": note,
        "wiring": example.kind,
        "mutations": [list(m) for m in example.mutations],
        "rounds": rounds,
    }
    return yaml.safe_dump(doc, sort_keys=False, width=200, allow_unicode=True)


def load(text: str) -> Example:
    doc = yaml.safe_load(text)
    rounds = tuple(
        Round(
            tuple((node, "".join(f"{line}\n" for line in lines)) for node, lines in r["rules"].items()),
            tuple((str(f[0]), str(f[1]), str(f[2]), int(f[3]), int(f[4])) for f in r["flows"]),
        )
        for r in doc["rounds"]
    )
    return Example(doc["wiring"], tuple((a, b) for a, b in doc["mutations"]), rounds)


@st.composite
def mutations(draw: st.DrawFn, kind: str) -> Line:
    """One change by hand: most break something."""
    node = draw(st.sampled_from(NODES))
    where = [f"{a}/32" for a in addresses(kind).values()] + [
        "10.244.0.0/16",
        "10.0.0.0/16",
        f"{OUTSIDE}/32",
        "default",
    ]
    prefix = draw(st.sampled_from(where))
    gateway = {"vpccni": "10.0.0.1"}.get(kind, "192.168.50.1")
    peer = {"vpccni": "10.0.2.10" if node == "n1" else "10.0.1.10"}.get(
        kind, "192.168.50.12" if node == "n1" else "192.168.50.11"
    )
    devices = [
        "eth0",
        *(["eth1"] if kind == "vpccni" else []),
        *(["cni0"] if kind in ("hostgw", "vxlan") else []),
    ]
    stem = {"calico": "cali", "vpccni": "eni"}.get(kind, "veth-")
    ports = [f"{stem}{pod}" for pod in PODS[node]]
    device = draw(st.sampled_from([*devices, *ports]))
    everything = [*devices, *ports, "all"]
    pick = draw(st.sampled_from(MUTATIONS))
    table = draw(st.sampled_from((100, "main", 2)))
    if pick == "route":
        hows = (f"via {gateway}", f"via {peer}", f"dev {devices[0]}", f"via {peer} dev eth0 onlink")
        how = draw(st.sampled_from(hows))
        return node, f"ip route replace {prefix} {how} table {table} metric {draw(st.integers(0, 2))}"
    if pick == "bad":
        bad = draw(st.sampled_from(("blackhole", "unreachable", "prohibit", "throw")))
        return node, f"ip route add {bad} {prefix} table {table}"
    if pick == "delete":
        return draw(st.sampled_from((node, *PODS[node]))), f"ip route del {prefix}"
    if pick == "rule":
        who = draw(
            st.sampled_from(
                (
                    f"from {prefix.replace('default', 'all')}", f"to {prefix.replace('default', 'all')}", "fwmark 0x10",
                    "fwmark 0x1/0x1", "fwmark 0x80/0x80", f"iif {device}", "iif lo", "not fwmark 0x10", "ipproto tcp",
                    "dport 8080", "from all",
                )
            )
        )  # fmt: skip
        extra = draw(st.sampled_from(("", "", "", " suppress_prefixlength 0")))
        act = draw(
            st.sampled_from((f"lookup {table}", f"lookup {table}", "blackhole", "unreachable", "prohibit"))
        )
        extra = extra if act.startswith("lookup") else ""
        return node, f"ip rule add {who} {act}{extra} prio {draw(st.integers(1, 2000))}"
    if pick == "sysctl":
        key, values = draw(st.sampled_from(SYSCTLS))
        dev = draw(st.sampled_from(everything))
        return node, f"sysctl {key.format(dev=dev)}={draw(st.sampled_from(values))}"
    if pick == "mtu":
        if kind == "vxlan" and device == "eth0":
            # a tunnel that is older than its way's small MTU keeps its own; one built on it now would not
            device = "cni0"
        mtu = draw(st.sampled_from((1400, 1280, 9000)))
        return draw(st.sampled_from((node, "sw"))), f"ip link set {device} mtu {mtu}"
    if pick == "down":
        return node, f"ip link set {device} down"
    if pick == "flag":
        flag = draw(st.sampled_from(("hairpin off", "isolated on", "learning off", "flood off")))
        return node, f"ip link set {ports[0]} type bridge_slave {flag}"
    if pick == "neigh":
        target = draw(st.sampled_from([*addresses(kind).values()]))
        lladdr = draw(st.sampled_from(("02:00:00:00:00:66", "02:02:00:00:00:0c", "02:00:00:00:00:02")))
        return node, f"ip neigh replace {target} lladdr {lladdr} dev {device} nud permanent"
    if pick == "address":
        word = draw(
            st.sampled_from(("add 198.51.100.7/32", f"add {VIP}/32", f"del {addresses(kind)[node]}/24"))
        )
        return node, f"ip addr {word} dev {draw(st.sampled_from((*devices, 'lo')))}"
    return node, f"bridge fdb replace 02:02:00:00:00:0c dev {ports[0]} master static"


MUTATIONS = (
    "route", "route", "bad", "delete", "rule", "rule", "sysctl", "sysctl", "mtu", "down", "flag", "neigh",
    "address", "fdb",
)  # fmt: skip
SYSCTLS = (
    ("net.ipv4.ip_forward", "01"), ("net.bridge.bridge-nf-call-iptables", "01"),
    ("net.ipv4.conf.{dev}.rp_filter", "012"), ("net.ipv4.conf.{dev}.route_localnet", "01"),
    ("net.ipv4.conf.{dev}.proxy_arp", "01"), ("net.ipv4.conf.{dev}.accept_local", "01"),
    ("net.ipv4.conf.{dev}.arp_ignore", "012"), ("net.ipv4.conf.{dev}.forwarding", "01"),
    ("net.ipv4.ip_default_ttl", ("64", "3", "128")), ("net.ipv4.icmp_echo_ignore_all", "01"),
)  # fmt: skip


@st.composite
def flows(draw: st.DrawFn, kind: str) -> tuple[str, str, str, int, int]:
    """A sender and where it sends."""
    known = addresses(kind)
    proto = draw(st.sampled_from(("tcp", "tcp", "udp", "udp", "icmp")))
    others = [VIP, VIP, VIP, OUTSIDE, "127.0.0.1", "8.8.8.8"]
    if kind in ("hostgw", "vxlan"):
        others += ["10.244.1.1", "10.244.2.1"]
    dst = draw(st.sampled_from([*known.values(), *known.values(), *others]))
    port = 80 if dst == VIP else draw(st.sampled_from((8080, 8080, 81, 9, 30080, 30080)))
    size = draw(st.sampled_from((1, 1, 1, 1, 1300, 1373, 1473))) if proto == "udp" else 1
    return draw(st.sampled_from(SPACES)), proto, dst, 0 if proto == "icmp" else port, size


@st.composite
def rounds(draw: st.DrawFn, kind: str, count: int) -> Round:
    rules = tuple((node, draw(rulesets(kind, node))) for node in NODES)
    return Round(rules, tuple(draw(st.lists(flows(kind), min_size=count, max_size=count))))


@st.composite
def examples(
    draw: st.DrawFn, kinds: tuple[str, ...], *, count: int = ROUNDS, per_round: int = FLOWS
) -> Example:
    """One topology with `count` rounds."""
    kind = draw(st.sampled_from(kinds))
    broken = tuple(draw(st.lists(mutations(kind), max_size=4)))
    return Example(kind, broken, tuple(draw(rounds(kind, per_round)) for _ in range(count)))
