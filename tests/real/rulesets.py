"""Rulesets as iptables-restore text: kube-proxy's chains for a drawn Service, the CNI's own, and rules of every kind
that the model knows, put together from matches and targets at random.

Left out, because the kernel's answer depends on what no record shows: `limit` near its rate, `--uid-owner` of a worker
that is root in its own way. An ipset is drawn where the engine has one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st

from engine.errors import NotModelled
from engine.linux.xt.parse import rules
from tests.real.clusters import NODE_IP, PODS, VIP, VPC_NODE, addresses, cluster_cidr

HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
REJECTS = (
    "icmp-net-unreachable", "icmp-host-unreachable", "icmp-port-unreachable", "icmp-proto-unreachable",
    "icmp-net-prohibited", "icmp-host-prohibited", "icmp-admin-prohibited",
)  # fmt: skip
Draw = Callable[[st.SearchStrategy], object]  # type: ignore[type-arg]


@dataclass(frozen=True)
class Service:
    """What kube-proxy would be told. `endpoints` are Pods' addresses; `options` are of: affinity, masquerade-all,
    random-fully, local, hairpin-less."""

    proto: str
    endpoints: tuple[str, ...]
    options: tuple[str, ...] = ()


def service_rules(service: Service, kind: str) -> dict[str, list[str]]:
    """Table -> lines (`:` lines first) in kube-proxy's shape."""
    proto, count = service.proto, len(service.endpoints)
    web = f"-p {proto} -m {proto}"
    chains = [
        "KUBE-MARK-MASQ",
        "KUBE-NODEPORTS",
        "KUBE-POSTROUTING",
        "KUBE-SERVICES",
        "KUBE-EXT-WEB",
        "KUBE-SVC-WEB",
    ]
    chains += [f"KUBE-SEP-{i}" for i in range(count)]
    fully = " --random-fully" if "random-fully" in service.options else ""
    outside = "" if "masquerade-all" in service.options else f"! -s {cluster_cidr(kind)} "
    nat = [f":{chain} - [0:0]" for chain in chains]
    nat += [
        '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
        "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000",
        "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0",
        f"-A KUBE-POSTROUTING -j MASQUERADE{fully}",
    ]
    filters = [
        ":KUBE-FORWARD - [0:0]", ":KUBE-SERVICES - [0:0]",
        "-A FORWARD -j KUBE-FORWARD", "-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES",
        "-A OUTPUT -m conntrack --ctstate NEW -j KUBE-SERVICES",
        "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP",
        "-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT",
        "-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ]  # fmt: skip
    if not count:
        filters.append(
            f"-A KUBE-SERVICES -d {VIP}/32 {web} --dport 80 -j REJECT --reject-with icmp-port-unreachable"
        )
        return {"nat": nat, "filter": filters}
    nat += [
        f"-A KUBE-NODEPORTS {web} --dport 30080 -j KUBE-EXT-WEB",
        "-A KUBE-EXT-WEB -j KUBE-MARK-MASQ", "-A KUBE-EXT-WEB -j KUBE-SVC-WEB",
        f"-A KUBE-SERVICES -d {VIP}/32 {web} --dport 80 -j KUBE-SVC-WEB",
        "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
        f"-A KUBE-SVC-WEB {outside}-d {VIP}/32 {web} --dport 80 -j KUBE-MARK-MASQ",
    ]  # fmt: skip
    affine = "affinity" in service.options
    for i in range(count if affine else 0):
        recent = (
            f"-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-{i} --mask 255.255.255.255 --rsource"
        )
        nat.append(f"-A KUBE-SVC-WEB {recent} -j KUBE-SEP-{i}")
    for i, address in enumerate(service.endpoints):
        left = count - i
        chance = f"-m statistic --mode random --probability {1 / left:.11f} " if left > 1 else ""
        nat.append(
            f'-A KUBE-SVC-WEB -m comment --comment "default/web -> {address}:8080" {chance}-j KUBE-SEP-{i}'
        )
        nat.append(f"-A KUBE-SEP-{i} -s {address}/32 -j KUBE-MARK-MASQ")
        recent = f"-m recent --set --name KUBE-SEP-{i} --mask 255.255.255.255 --rsource " if affine else ""
        nat.append(f"-A KUBE-SEP-{i} -p {proto} {recent}-m {proto} -j DNAT --to-destination {address}:8080")
    return {"nat": nat, "filter": filters}


def cni_rules(kind: str, node: str) -> dict[str, list[str]]:
    """What the wiring's own plugin writes."""
    if kind == "vpccni":
        own = VPC_NODE[node]
        return {
            "mangle": [
                "-A PREROUTING -i eth0 -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-xmark 0x80/0x80",
                "-A PREROUTING -i eni+ -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80",
            ],
            "nat": [
                ":AWS-SNAT-CHAIN-0 - [0:0]", ":AWS-CONNMARK-CHAIN-0 - [0:0]",
                "-A PREROUTING -i eni+ -j AWS-CONNMARK-CHAIN-0",
                "-A PREROUTING -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80",
                "-A AWS-CONNMARK-CHAIN-0 -d 10.0.0.0/16 -j RETURN",
                "-A AWS-CONNMARK-CHAIN-0 -j CONNMARK --set-xmark 0x80/0x80",
                "-A POSTROUTING -j AWS-SNAT-CHAIN-0", "-A AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -j RETURN",
                "-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m addrtype ! --dst-type LOCAL "
                f"-j SNAT --to-source {own} --random-fully",
            ],
        }  # fmt: skip
    cidr = f"10.244.{node[1]}.0/24"
    return {
        "nat": [
            ":FLANNEL-POSTRTG - [0:0]",
            "-A POSTROUTING -j FLANNEL-POSTRTG",
            "-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -j RETURN",
            "-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.0.0/16 -j RETURN",
            "-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully",
            f"-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d {cidr} -j RETURN",
            "-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE --random-fully",
        ]
    }


def devices(kind: str, node: str) -> tuple[str, ...]:
    stem = {"calico": "cali", "vpccni": "eni"}.get(kind)
    if stem is None:
        return ("eth0", "cni0", *(("flannel.1",) if kind == "vxlan" else ()), "lo")
    return ("eth0", *(f"{stem}{pod}" for pod in PODS[node]), f"{stem}+", "lo")


@cache
def known(fragment: str) -> bool:
    """Does the model know this piece of a rule?"""
    try:
        rules(fragment)
    except NotModelled:
        return False
    return True


@st.composite
def matches(draw: st.DrawFn, kind: str, node: str, table: str, hook: str) -> str:
    """Zero to three matches, in an order that iptables takes."""
    out: list[str] = []
    proto = draw(st.sampled_from(("", "", "tcp", "udp", "icmp")))
    where = [f"{a}/32" for a in addresses(kind).values()] + [cluster_cidr(kind), f"{VIP}/32"]
    one = st.sampled_from(where)
    if draw(st.integers(0, 3)) == 0:
        out.append(f"{draw(st.sampled_from(('', '! ')))}-s {draw(one)}")
    if draw(st.integers(0, 3)) == 0:
        out.append(f"{draw(st.sampled_from(('', '! ')))}-d {draw(one)}")
    device = st.sampled_from(devices(kind, node))
    if hook in ("PREROUTING", "INPUT", "FORWARD") and draw(st.integers(0, 4)) == 0:
        out.append(f"{draw(st.sampled_from(('', '! ')))}-i {draw(device)}")
    if hook in ("POSTROUTING", "OUTPUT", "FORWARD") and draw(st.integers(0, 4)) == 0:
        out.append(f"{draw(st.sampled_from(('', '! ')))}-o {draw(device)}")
    if proto:
        out.append(f"-p {proto}")
    if proto and draw(st.booleans()):
        out.append(draw(st.sampled_from([x for x in L4[proto] if known(f"-p {proto} {x}")])))
    asked: list[str] = []
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2)))):
        pool = COMMON + (STATES if table != "raw" else ())
        if hook == "OUTPUT":
            pool += ("-m owner --uid-owner 0",)
        if hook not in ("OUTPUT",) and kind in ("hostgw", "vxlan"):
            pool += ("-m physdev --physdev-is-bridged", "-m physdev --physdev-is-in")
        if hook == "PREROUTING" and table in ("raw", "mangle"):
            pool += ("-m rpfilter", "-m rpfilter --invert", "-m rpfilter --loose")
        if hook in ("PREROUTING", "INPUT"):
            pool += ("-m addrtype --dst-type LOCAL --limit-iface-in",)
        asked.append(draw(st.sampled_from([x for x in pool if known(x)])))
    # chance comes last: when a rule does not match, no record shows whether a match behind it was asked and counted
    return " ".join([*out, *sorted(asked, key=lambda x: "--mode random" in x)])


L4 = {
    "tcp": (
        "-m tcp --dport 8080", "-m tcp --dport 80", "-m tcp --sport 8080", "-m tcp ! --dport 8000:9000", "-m tcp --syn",
        "-m tcp ! --syn", "-m tcp --tcp-flags RST RST", "-m tcp --tcp-flags SYN,ACK SYN,ACK",
        "-m multiport --dports 80,8080,30080", "-m multiport --sports 8080", "-m multiport ! --ports 81,9000:9100",
    ),
    "udp": (
        "-m udp --dport 8080", "-m udp --dport 80", "-m udp --sport 8080", "-m udp --sport 20000:65000",
        "-m multiport --dports 8080,8472", "-m multiport ! --dports 8080",
    ),
    "icmp": (
        "-m icmp --icmp-type 8", "-m icmp --icmp-type 0", "-m icmp --icmp-type any", "-m icmp ! --icmp-type 8",
        "-m icmp --icmp-type 3/3", "-m icmp --icmp-type destination-unreachable",
    ),
}  # fmt: skip
COMMON = (
    '-m comment --comment "a comment"', "-m mark --mark 0x10", "-m mark ! --mark 0x1/0x1", "-m mark --mark 0x80/0x80",
    "-m addrtype --dst-type LOCAL", "-m addrtype ! --src-type LOCAL", "-m addrtype --src-type UNICAST",
    "-m statistic --mode random --probability 0.50000000000",
    "-m statistic --mode random ! --probability 0.25000000000",
    "-m statistic --mode nth --every 2 --packet 0", "-m statistic --mode nth ! --every 3 --packet 1",
    "-m recent --set --name SEEN --mask 255.255.255.255 --rsource",
    "-m recent --rcheck --name SEEN --mask 255.255.255.255 --rsource",
    "-m recent ! --update --seconds 600 --hitcount 2 --name SEEN --mask 255.255.255.255 --rsource",
    "-m recent --rcheck --name DEST --mask 255.255.255.255 --rdest",
)  # fmt: skip
STATES = (
    "-m conntrack --ctstate NEW", "-m conntrack --ctstate RELATED,ESTABLISHED", "-m conntrack --ctstate INVALID",
    "-m conntrack ! --ctstate NEW", "-m conntrack --ctstate DNAT", "-m conntrack --ctstate SNAT",
    "-m conntrack --ctstate UNTRACKED", "-m conntrack --ctdir REPLY", "-m conntrack --ctstatus SEEN_REPLY",
    "-m conntrack --ctproto 6", "-m connmark --mark 0x80/0x80", "-m connmark ! --mark 0x20",
    "-m conntrack --ctstatus NONE",
    f"-m conntrack --ctorigdst {VIP}", "-m conntrack --ctorigdstport 80", "-m conntrack --ctrepldst 10.244.0.0/16",
)  # fmt: skip
MARKS = (
    "MARK --set-xmark 0x10/0xffffffff",
    "MARK --set-xmark 0x1/0x1",
    "MARK --set-xmark 0x4000/0x4000",
    "MARK --set-xmark 0x0/0x80",
    "MARK --set-xmark 0x10/0x0",
)
CONNMARKS = (
    "CONNMARK --set-xmark 0x20/0xffffffff", "CONNMARK --set-xmark 0x80/0x80",
    "CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
    "CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80",
)  # fmt: skip


@st.composite
def rule(draw: st.DrawFn, kind: str, node: str, table: str, chain: str, hook: str) -> str:
    """One `-A` line. `chain` is a hook or the user chain EXTRA of a table, met from `hook`."""
    asked = draw(matches(kind, node, table, hook))
    verdicts = ["ACCEPT", "RETURN", "LOG", *MARKS[:1]]
    if chain != "EXTRA":
        verdicts += ["EXTRA"]
    if table == "filter":
        verdicts += ["DROP", "ACCEPT", "ACCEPT", "REJECT --reject-with icmp-port-unreachable"]
        verdicts.append(f"REJECT --reject-with {draw(st.sampled_from(REJECTS))}")
        if "-p tcp" in asked:
            verdicts.append("REJECT --reject-with tcp-reset")
    elif table == "mangle":
        verdicts += [*MARKS, *CONNMARKS, "DROP"]
    elif table == "raw":
        verdicts += ["CT --notrack", *MARKS, "DROP", "NFLOG --nflog-group 5"]
    else:
        verdicts += nat_targets(kind, node, hook, "-p tcp" in asked or "-p udp" in asked)
    target = draw(st.sampled_from([v for v in verdicts if v == "EXTRA" or known(f"-p tcp -j {v}")]))
    if (
        kind == "vxlan"
        and target.startswith(("DNAT", "REDIRECT"))
        and "-p udp" not in asked
        and "-p " not in asked
    ):
        asked = f"-p icmp {asked}" if ":" not in target else asked
    if kind == "vxlan" and "-p udp" in asked and target.startswith(("DNAT", "REDIRECT")):
        asked = (
            "-p udp -m udp --dport 80"  # not the tunnel's own packets: a server that gets them says nothing
        )
    way = "-g" if target == "EXTRA" and draw(st.integers(0, 3)) == 0 else "-j"
    return " ".join(f"-A {chain} {asked} {way} {target}".split())


def nat_targets(kind: str, node: str, hook: str, ports: bool) -> list[str]:
    places = addresses(kind)
    pods = [places[pod] for names in PODS.values() for pod in names]
    if hook in ("PREROUTING", "OUTPUT"):
        out = [f"DNAT --to-destination {pods[0]}", f"DNAT --to-destination {pods[0]}-{pods[1]}", "REDIRECT"]
        if ports:
            out += [f"DNAT --to-destination {a}:8080" for a in (pods[1], pods[2], "127.0.0.1")]
            out += ["REDIRECT --to-ports 8080", f"DNAT --to-destination {pods[3]}:8080-8081"]
        return out
    own = places[node]
    out = [f"SNAT --to-source {own}", f"SNAT --to-source {own} --random-fully"]
    if hook == "POSTROUTING":
        out += ["MASQUERADE", "MASQUERADE --random-fully", "MASQUERADE --random"]
    if ports:
        out += [f"SNAT --to-source {own}:3000-3100"]
        out += ["MASQUERADE --to-ports 4000-4100"] if hook == "POSTROUTING" else []
    return out


@st.composite
def rulesets(draw: st.DrawFn, kind: str, node: str) -> str:
    """iptables-restore text for a node: a Service or none, the CNI's rules or none, and up to eight others."""
    tables: dict[str, list[str]] = {"raw": [], "mangle": [], "nat": [], "filter": []}
    places = addresses(kind)
    pods = [places[pod] for names in PODS.values() for pod in names]
    if draw(st.integers(0, 3)):
        names = draw(st.lists(st.sampled_from(pods), max_size=4, unique=True))
        words = ("affinity", "masquerade-all", "random-fully")
        options = draw(st.lists(st.sampled_from(words), max_size=2, unique=True))
        options = [word for word in options if word != "affinity" or known("-m recent --set")]
        made = Service(draw(st.sampled_from(("tcp", "udp"))), tuple(names), tuple(options))
        for table, lines in service_rules(made, kind).items():
            tables[table] += lines
    if draw(st.booleans()):
        for table, lines in cni_rules(kind, node).items():
            tables[table] += lines
    used: dict[str, str] = {}
    extra: dict[str, list[str]] = {}
    for _ in range(draw(st.integers(0, 8))):
        table = draw(st.sampled_from(("filter", "filter", "nat", "nat", "mangle", "raw")))
        hook = draw(st.sampled_from(HOOKS[table]))
        line = draw(rule(kind, node, table, hook, hook))
        extra.setdefault(table, []).append(line)
        if line.endswith(" EXTRA"):
            used.setdefault(table, hook)
    for table, hook in used.items():
        seen = {line.split()[1] for line in extra[table] if line.endswith(" EXTRA")}
        if len(seen) == 1:
            count = draw(st.integers(1, 3))
            extra[table] += [draw(rule(kind, node, table, "EXTRA", hook)) for _ in range(count)]
    for table, lines in extra.items():
        before = draw(st.booleans())
        chains = [":EXTRA - [0:0]"] if any(" EXTRA" in line for line in lines) else []
        names_, rules = split(tables[table])
        tables[table] = [*chains, *names_, *(lines + rules if before else rules + lines)]
    policies = (
        [f":{draw(st.sampled_from(HOOKS['filter']))} DROP [0:0]"] if draw(st.integers(0, 7)) == 0 else []
    )
    tables["filter"] = [*policies, *tables["filter"]]
    return text(tables)


def split(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    return [x for x in lines if x.startswith(":")], [x for x in lines if not x.startswith(":")]


def text(tables: dict[str, list[str]]) -> str:
    bodies = {name: "".join(f"{x}\n" for x in lines) for name, lines in tables.items() if lines}
    return "".join(f"*{name}\n{body}COMMIT\n" for name, body in bodies.items())


__all__ = ["NODE_IP", "Service", "rulesets", "service_rules", "text"]
