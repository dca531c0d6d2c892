"""node-cache on one node: the dummy device that carries its addresses, and the rules that keep DNS out of conntrack.

Theory. The device is there before the cache listens; the rules come when it runs, each put at the head of its chain,
and are looked after every minute. A cache that is ended in order takes both away; one that is killed leaves them, and
DNS of its node is dead until it runs again.

Source: kubernetes/dns cmd/node-cache/app/cache_app.go; facts 20 section 3.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.errors import InputError
from engine.kube.containerd import KILLED
from engine.kube.node import NodeState
from engine.kube.passes import Pass
from engine.l7.dns import chain, server
from engine.linux.addr import ip4
from engine.linux.ops import AddAddress, AddLink, DelLink
from engine.linux.ops.base import Changes
from engine.linux.ops.xt import XtDelete, XtInsert
from engine.linux.rows import Address, Proc
from engine.linux.xt import parse
from engine.linux.xt.rule import XtRule

DEVICE = "nodelocaldns"
MEMORY = "kube.dns.nodelocal"
PROGRAM = "node-cache"
#: seconds between two looks at rules and device (-syncinterval)
PERIOD = 60.0
SKIP = "NodeLocal DNS Cache: skip conntrack"
ALLOW = "NodeLocal DNS Cache: allow DNS traffic"
PORT, HEALTH = 53, 8080
#: (table, chain, what), in the order in which they are made for one address
RULES = (
    ("raw", "PREROUTING", "-p tcp -d {ip} --dport 53", SKIP), ("raw", "PREROUTING", "-p udp -d {ip} --dport 53", SKIP),
    ("filter", "INPUT", "-p tcp -d {ip} --dport 53", ALLOW), ("filter", "INPUT", "-p udp -d {ip} --dport 53", ALLOW),
    ("raw", "OUTPUT", "-p tcp -s {ip} --sport 53", SKIP), ("raw", "OUTPUT", "-p udp -s {ip} --sport 53", SKIP),
    ("filter", "OUTPUT", "-p tcp -s {ip} --sport 53", ALLOW), ("filter", "OUTPUT", "-p udp -s {ip} --sport 53", ALLOW),
    ("raw", "OUTPUT", "-p tcp -d {ip} --dport 53", SKIP), ("raw", "OUTPUT", "-p udp -d {ip} --dport 53", SKIP),
    ("raw", "OUTPUT", "-p tcp -d {ip} --dport 8080", SKIP), ("raw", "OUTPUT", "-p tcp -s {ip} --sport 8080", SKIP),
)  # fmt: skip


class Kept(NamedTuple):
    """What is remembered of a node's cache: its pid, its addresses, when it looks again."""

    pid: int
    addresses: tuple[str, ...]
    again: float


def addresses_of(config: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The addresses of `-localip`."""
    return tuple(a for a in dict(config).get("localip", "").split(",") if a)


def interface(changes: Changes, netns: str, addresses: Sequence[str]) -> None:
    """The dummy device with its addresses, made where something of it is missing."""
    ns = changes.net.spaces[netns]
    if ns.link(DEVICE) is None:
        changes.do(AddLink(netns=netns, name=DEVICE, kind="dummy"))
    link = ns.link(DEVICE)
    assert link is not None
    have = {a.addr for a in ns.addresses.get(link.ifindex, ())}
    for text in addresses:
        try:
            number = ip4(text)
        except InputError:
            continue
        if number not in have:
            row = Address(ifindex=link.ifindex, addr=number, length=32, label=DEVICE)
            changes.do(AddAddress(netns=netns, device=DEVICE, address=row))


class Row(NamedTuple):
    """One rule: where it stands, the words that node-cache gives to iptables, and the rule as it is kept."""

    table: str
    chain: str
    words: str
    rule: XtRule


def rules(addresses: Sequence[str]) -> list[Row]:
    """Every rule, in the order in which they are made."""
    out = []
    for ip in addresses:
        for table, name, match, comment in RULES:
            target = "NOTRACK" if table == "raw" else "ACCEPT"
            words = f"{match.format(ip=ip)} -j {target} -m comment --comment "
            rule = parse.rule(_ordered(f'{words}"{comment}"'))
            out.append(Row(table, name, words + comment, rule))
    return out


def _ordered(text: str) -> str:
    """`-p tcp -d A --dport N` as iptables-save has it, so that the rule is found again."""
    match, _, rest = text.partition(" -j ")
    target, _, comment = rest.partition(" -m comment ")
    words = match.split()
    found = dict(zip(words[::2], words[1::2], strict=True))
    side = "-d" if "-d" in found else "-s"
    port = "--dport" if "--dport" in found else "--sport"
    proto = found["-p"]
    return (
        f"{side} {found[side]}/32 -p {proto} -m {proto} {port} {found[port]} -m comment {comment} -j {target}"
    )


def ensure(changes: Changes, netns: str, addresses: Sequence[str]) -> list[Row]:
    """Put the missing rules at the head of their chains; the ones that were missing."""
    added = []
    for row in rules(addresses):
        found = changes.net.spaces[netns].xt.chain(row.table, row.chain)
        if found is None or row.rule not in found.rules:
            changes.do(XtInsert(netns=netns, table=row.table, chain=row.chain, rules=(row.rule,)))
            added.append(row)
    return added


def sync(at: Pass, node: NodeState) -> None:
    box = at.net.boxes[node.name]
    found = node.memory.get(MEMORY)
    kept = found if isinstance(found, Kept) else None
    proc = next((p for p in box.procs.values() if p.program == "coredns" and p.comm == PROGRAM), None)
    if proc is None:
        if kept is not None:
            del node.memory[MEMORY]
            if not killed(node):
                tear_down(at.changes, node.name, kept.addresses)
        return
    addresses = addresses_of(proc.config)
    if kept is None or kept.pid != proc.pid or kept.again <= at.now:
        interface(at.changes, node.name, addresses)
        added = ensure(at.changes, node.name, addresses)
        tell(at, node, proc, added)
        node.memory[MEMORY] = Kept(proc.pid, addresses, at.now + PERIOD)


def killed(node: NodeState) -> bool:
    """Was the last cache of the node ended by force? One that is gone with its Pod had time to tidy up."""
    rows = [c for c in node.runtime.containers.values() if c.name == PROGRAM]
    return any(c.state == "exited" and c.code == KILLED for c in rows)


def tell(at: Pass, node: NodeState, proc: Proc, added: list[Row]) -> None:
    memory = server.memory_of(at.net.boxes[node.name], proc.pid)
    for row in added:
        chain.log(memory, "INFO", f"Added back nodelocaldns rule - {{{row.table} {row.chain} [{row.words}]}}")


def due(at: Pass) -> float:
    """The next look at a node's rules: only needed where somebody has changed something, which is noticed then."""
    times = [k.again for n in at.cluster.awake() if isinstance(k := n.memory.get(MEMORY), Kept)]
    return min((t for t in times if t > at.cluster.seen), default=float("inf"))


def tear_down(changes: Changes, netns: str, addresses: Sequence[str]) -> None:
    """What node-cache does at its end."""
    for row in rules(addresses):
        found = changes.net.spaces[netns].xt.chain(row.table, row.chain)
        if found is not None and row.rule in found.rules:
            changes.do(XtDelete(netns=netns, table=row.table, chain=row.chain, rules=(row.rule,)))
    if changes.net.spaces[netns].link(DEVICE) is not None:
        changes.do(DelLink(netns=netns, name=DEVICE))
