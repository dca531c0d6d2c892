"""kubelet's own chains of iptables: a hint for others which iptables is in use, and what keeps 127.0.0.1 from the net.

Theory. A kubelet that starts makes KUBE-IPTABLES-HINT (mangle, empty), its canaries, and KUBE-FIREWALL with a rule
against packets from outside to 127.0.0.0/8, which route_localnet would let in; kube-proxy writes the same rule. Every
minute it looks whether its canary was flushed. Since 1.28 it makes none of the chains for Services any more.

Rules. Labs without kube-proxy do without these chains too: there nothing sets route_localnet, and their tables show
what their subject writes. Source: syncIPTablesRules of pkg/kubelet/kubelet_network_linux.go (KEP-3178, facts 20
section 2.3).
"""

from __future__ import annotations

from engine.kube.node import NodeState
from engine.kube.passes import Pass
from engine.linux.addr import LOOPBACK_NET
from engine.linux.net import Netns
from engine.linux.ops.base import Changes
from engine.linux.ops.xt import XtAppend, XtInsert, XtNewChain
from engine.linux.xt.match import Destination, Source
from engine.linux.xt.match_ct import Conntrack
from engine.linux.xt.match_more import Comment
from engine.linux.xt.match_state import CtState
from engine.linux.xt.rule import XtRule
from engine.linux.xt.target import DROP, Jump

KEY = "kubelet-chains"
HINT, CANARY, FIREWALL = "KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY", "KUBE-FIREWALL"
PERIOD = 60.0
MARTIAN = XtRule(
    matches=(
        Source(addr=LOOPBACK_NET, length=8, invert=True),
        Destination(addr=LOOPBACK_NET, length=8),
        Comment(text="block incoming localnet connections"),
        Conntrack(state=CtState(states=("RELATED", "ESTABLISHED", "DNAT"), invert=True)),
    ),
    target=DROP,
)


def sync(at: Pass, node: NodeState) -> None:
    """One pass of a kubelet: at its start, and at the end of a minute in which its canary went."""
    if at.options.proxy.mode == "none":
        return
    pid = node.procs.get("kubelet", 0)
    if not pid:
        node.memory.pop(KEY, None)
        return
    known = node.memory.get(KEY)
    if not isinstance(known, tuple) or known[0] != pid:
        node.memory[KEY] = (pid, at.now, 0)
        write(at.changes, node.name)
        return
    _, started, looked = known
    minutes = minute(started, at.now)
    if minutes > looked:
        node.memory[KEY] = (pid, started, minutes)
        if flushed(at.net.spaces[node.name]):
            write(at.changes, node.name)


def due(at: Pass) -> float:
    """The end of the minute in which some kubelet's canary went."""
    times = [float("inf")]
    for node in at.cluster.awake():
        known = node.memory.get(KEY)
        if isinstance(known, tuple) and flushed(at.net.spaces[node.name]):
            times.append(known[1] + (int((at.now - known[1]) / PERIOD + 1e-6) + 1) * PERIOD)
    return min(times)


def minute(started: float, now: float) -> int:
    """How many minutes after its start it is, at the end of one; else 0."""
    passed = (now - started) / PERIOD
    return round(passed) if abs(passed - round(passed)) < 1e-6 else 0


def flushed(ns: Netns) -> bool:
    """Only the first table's canary is looked for (Monitor in pkg/util/iptables)."""
    return ns.xt.chain("mangle", CANARY) is None


def write(changes: Changes, netns: str) -> None:
    xt = changes.net.spaces[netns].xt
    chains = (("mangle", HINT), ("filter", FIREWALL), *((t, CANARY) for t in ("mangle", "nat", "filter")))
    for table, name in chains:
        if xt.chain(table, name) is None:
            changes.do(XtNewChain(netns=netns, table=table, chain=name))
    firewall = xt.chain("filter", FIREWALL)
    if firewall is None or MARTIAN not in firewall.rules:
        changes.do(XtAppend(netns=netns, table="filter", chain=FIREWALL, rules=(MARTIAN,)))
    jump = XtRule(target=Jump(chain=FIREWALL))
    for from_ in ("OUTPUT", "INPUT"):
        there = xt.chain("filter", from_)
        if there is None or jump not in there.rules:
            changes.do(XtInsert(netns=netns, table="filter", chain=from_, rules=(jump,)))
