"""Felix on a node: what chains and ipsets it wants, and the ops that make the kernel hold them.

Theory. A node has the rules of its own pods only: their chains, the chains of policies that select one of them, the
sets that those ask. What was programmed is remembered; a change writes the chains that differ, and of those only the
rows that differ, so counters of the others run on. Chains are made before something jumps to them and go when nothing
does. Felix's jumps stand at the top of the built-in chains and its appended rules at their end: where another program
has put rules above or below, felix takes its own out and puts them in again.

Rules. Rows are built (render.py), never parsed. With `again` the kernel is read, and what a person has changed in the
chains of felix is written over; else only what should differ is looked at. Source: felix/iptables/table.go,
felix/ipsets/ipsets.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from engine.kube import boot
from engine.kube.cni.calico_conf import PREFIX, mode
from engine.kube.node import NodeState
from engine.kube.passes import Pass
from engine.kube.policy import chains, static
from engine.kube.policy.convert import EGRESS, INGRESS, Policy
from engine.kube.policy.endpoint import Endpoint
from engine.kube.policy.picture import Picture, picture
from engine.kube.policy.render import NUMBERS, Chain, Rule, rows, set_name
from engine.linux.addr import Prefix
from engine.linux.ipset.rows import Asked, Options
from engine.linux.net import Netns
from engine.linux.ops.ipset import IpsetAdd, IpsetCreate, IpsetDel, IpsetDestroy
from engine.linux.ops.xt import (
    XtAppend,
    XtDeleteChain,
    XtDeleteNumber,
    XtFlush,
    XtInsert,
    XtNewChain,
    XtReplace,
)
from engine.linux.xt.match_more import Comment
from engine.linux.xt.rule import XtRule
from engine.record import dataclass

MEMORY = "felix"
TABLES = ("raw", "mangle", "nat", "filter")
#: kube-proxy's device in IPVS mode: felix looks for it
IPVS = "kube-ipvs0"
#: FELIX_MAXIPSETSIZE
MAX_SET = 1048576
#: A member of a set in the kernel's words: a network, an address, or an address with a port.
Item = Prefix | tuple[int, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`chains` by (table, name) in the order of making; `sets` name -> (type, members). `serial` of the picture and
    `where` (devices and addresses) that they were made from."""

    serial: int = -1
    where: tuple[object, ...] = ()
    chains: Mapping[tuple[str, str], tuple[Rule, ...]] = field(default_factory=dict)
    sets: Mapping[str, tuple[str, frozenset[Item]]] = field(default_factory=dict)


def sync(at: Pass, node: NodeState, *, again: bool) -> None:
    """Program what differs. `again`: compare with the kernel instead of with what was programmed."""
    held = node.memory.get(MEMORY)
    old = held if isinstance(held, Wanted) else Wanted()
    known = picture(at)
    where = surroundings(at, node.name)
    new = old
    if (known.serial, where) != (old.serial, old.where):
        new = wanted(at, node, known, where)
        node.memory[MEMORY] = new
    elif not again:
        return
    ns = at.net.spaces[node.name]
    fill_sets(at, ns, old, new, again=again)
    write_chains(at, ns, old, new, again=again)
    drop_sets(at, ns, new)


def surroundings(at: Pass, name: str) -> tuple[object, ...]:
    """What the static chains and sets of a node depend on: its own addresses, where the other nodes are, the tunnel
    device that has an address, whether kube-proxy uses IPVS."""
    ns = at.net.spaces[name]
    own = frozenset(
        row.addr
        for index, found in ns.addresses.items()
        if index in ns.links and not ns.links[index].name.startswith((PREFIX, IPVS))
        for row in found
    )
    others = frozenset(a for n in at.cluster.nodes if (a := boot.node_address(at.net, n)))
    device = mode(at.options.cni).device
    link = ns.link(device) if device else None
    ready = link is not None and bool(ns.addresses.get(link.ifindex))
    return own, others, device if ready else "", ns.link(IPVS) is not None


# ---- what should be there


def wanted(at: Pass, node: NodeState, known: Picture, where: tuple[object, ...]) -> Wanted:
    """Every chain that something leads to from a built-in one, and every set that a rule asks."""
    local = sorted((e for e in known.endpoints.values() if e.node == node.name), key=lambda e: e.device)
    how = mode(at.options.cni)
    made: dict[tuple[str, str], tuple[Rule, ...]] = {}
    for table in TABLES:
        offered = {c.name: c for c in static.chains(table, how, str(where[2]), ipvs=bool(where[3]))}
        if table == "filter":
            offered |= {c.name: c for c in pod_chains(known, local)}
            if where[3]:
                offered |= {c.name: c for c in chains.mark_dispatch(e.device for e in local)}
        made |= {(table, c.name): c.rules for c in reached(table, offered)}
    sets = {**node_sets(at, where), **policy_sets(known, local)}
    return Wanted(serial=known.serial, where=where, chains=made, sets=sets)


def pod_chains(known: Picture, local: list[Endpoint]) -> Iterator[Chain]:
    """Dispatch, pods, groups, policies, profiles of the filter table."""
    for way in (INGRESS, EGRESS):
        yield from chains.dispatch(way, (e.device for e in local))
    selecting: dict[tuple[str, str], Policy] = {}
    for one in local:
        policies = known.selecting(one)
        selecting |= {p.key: p for p in policies}
        for way in (INGRESS, EGRESS):
            yield from chains.pod(way, one, policies)
            for name in chains.profiles(one):
                yield chains.profile(way, name)
    for policy in selecting.values():
        for way in (INGRESS, EGRESS):
            yield chains.policy(way, policy)


def reached(table: str, offered: Mapping[str, Chain]) -> list[Chain]:
    """The chains that are led to, each behind those that it leads to itself."""
    out: dict[str, Chain] = {}

    def visit(name: str) -> None:
        if name in out or name not in offered:
            return
        for inner in offered[name].jumps:
            visit(inner)
        out[name] = offered[name]

    for (where, _), rules in (*static.INSERTED.items(), *static.APPENDED.items()):
        if where == table:
            for name in Chain("", rules).jumps:
                visit(name)
    return list(out.values())


def policy_sets(known: Picture, local: list[Endpoint]) -> dict[str, tuple[str, frozenset[Item]]]:
    """The sets that the policies of this node's pods ask."""
    out: dict[str, tuple[str, frozenset[Item]]] = {}
    for policy in {p.key: p for one in local for p in known.selecting(one)}.values():
        for way in policy.types:
            for need in (n for rule in policy.rules(way) for n in chains.needs(way, rule)):
                members = known.members[need.id]
                if need.port:
                    items: frozenset[Item] = frozenset(m for m in members if not isinstance(m, int))
                else:
                    items = frozenset(Prefix(m, 32) for m in members if isinstance(m, int))
                out[set_name(need.id)] = ("hash:ip,port" if need.port else "hash:net", items)
    return out


def node_sets(at: Pass, where: tuple[object, ...]) -> dict[str, tuple[str, frozenset[Item]]]:
    """The sets that every node has."""
    own, others, *_ = where
    assert isinstance(own, frozenset) and isinstance(others, frozenset)
    pool = frozenset({at.options.cni.pod_cidr})
    loop = {Prefix(127 << 24, 32)} if 127 << 24 | 1 in own else set()
    out: dict[str, tuple[str, frozenset[Item]]] = {
        set_name(static.POOLS): ("hash:net", pool),
        set_name(static.MASQ_POOLS): ("hash:net", pool),
        set_name(static.THIS_HOST): ("hash:ip", frozenset({Prefix(a, 32) for a in own} | loop)),
        set_name(static.DSCP): ("hash:net", frozenset()),
    }
    tunnel = mode(at.options.cni).tunnel
    if tunnel:
        name = static.ALL_HOSTS if tunnel == "ipip" else static.ALL_VXLAN
        out[set_name(name)] = ("hash:net", frozenset(Prefix(a, 32) for a in others))
    return out


# ---- ipsets


def fill_sets(at: Pass, ns: Netns, old: Wanted, new: Wanted, *, again: bool) -> None:
    """Make the sets that are missing, and their members what they should be."""
    for name, (kind, items) in new.sets.items():
        there = ns.ipsets.sets.get(name)
        if there is None:
            at.changes.do(IpsetCreate(netns=ns.id, name=name, kind=kind, options=Options(maxelem=MAX_SET)))
            have: frozenset[Item] = frozenset()
        elif again or name not in old.sets:
            have = held_items(ns, name)
        else:
            have = old.sets[name][1]
        for item in sorted(have - items, key=item_text):
            at.changes.do(IpsetDel(netns=ns.id, name=name, asked=element(kind, item), exist=True))
        for item in sorted(items - have, key=item_text):
            at.changes.do(IpsetAdd(netns=ns.id, name=name, asked=element(kind, item), exist=True))


def drop_sets(at: Pass, ns: Netns, new: Wanted) -> None:
    """Sets of felix that nothing asks for any more."""
    for name in [n for n in ns.ipsets.sets if n.startswith("cali40") and n not in new.sets]:
        at.changes.do(IpsetDestroy(netns=ns.id, name=name))


def item_text(item: Item) -> str:
    return str(item)


def element(kind: str, item: Item) -> Asked:
    """A member as `ipset add` is told it."""
    if isinstance(item, Prefix):
        return Asked(kind=kind, ip=item.addr, bits=item.length if kind == "hash:net" else None)
    address, proto, port = item
    return Asked(kind=kind, ip=address, proto=NUMBERS[proto], port=port)


def held_items(ns: Netns, name: str) -> frozenset[Item]:
    """What the kernel's set holds."""
    names = {number: word for word, number in NUMBERS.items()}
    out: set[Item] = set()
    for entry in ns.ipsets.sets[name].entries.values():
        one = entry.element
        if one.proto:
            out.add((one.ip, names.get(one.proto, str(one.proto)), one.port))
        else:
            out.add(Prefix(one.ip, one.bits))
    return frozenset(out)


# ---- chains


def write_chains(at: Pass, ns: Netns, old: Wanted, new: Wanted, *, again: bool) -> None:
    """New chains first, then the rows, then the jumps of the built-in chains, then the chains that go."""
    touched = [
        key
        for key, rules in new.chains.items()
        if again or old.chains.get(key) != rules or ns.xt.chain(*key) is None
    ]
    for table, name in touched:
        if ns.xt.chain(table, name) is None:
            at.changes.do(XtNewChain(netns=ns.id, table=table, chain=name))
    for table, name in touched:
        make(at, ns, table, name, rows(name, new.chains[table, name]))
    for table in TABLES:
        for key in sorted({k for k in (*static.INSERTED, *static.APPENDED) if k[0] == table}):
            base(at, ns, *key)
    gone = [
        (table, name)
        for table in TABLES
        for name in ns.xt.tables.get(table, {})
        if name.startswith("cali-") and (table, name) not in new.chains
    ]
    for table, name in gone:
        at.changes.do(XtFlush(netns=ns.id, table=table, chain=name))
    for table, name in gone:
        at.changes.do(XtDeleteChain(netns=ns.id, table=table, chain=name))


def make(at: Pass, ns: Netns, table: str, name: str, wants: tuple[XtRule, ...]) -> None:
    """Make a chain hold these rows; the ones that are right stay where they are, with their counters."""
    chain = ns.xt.chain(table, name)
    have = chain.rules if chain is not None else ()
    if have == wants:  # rows are shared, so that this looks at each only once
        return
    both = min(len(have), len(wants))
    for at_row in range(both):
        if have[at_row] != wants[at_row]:
            op = XtReplace(netns=ns.id, table=table, chain=name, number=at_row + 1, rule=wants[at_row])
            at.changes.do(op)
    for number in range(len(have), both, -1):
        at.changes.do(XtDeleteNumber(netns=ns.id, table=table, chain=name, number=number))
    if wants[both:]:
        at.changes.do(XtAppend(netns=ns.id, table=table, chain=name, rules=wants[both:]))


def base(at: Pass, ns: Netns, table: str, name: str) -> None:
    """A built-in chain: felix's jump first, its appended rules last, everybody else's between."""
    first = rows(name, static.INSERTED.get((table, name), ()))
    last = rows(name, static.APPENDED.get((table, name), ()), hashed_as=f"{name}*appends*")
    chain = ns.xt.chain(table, name)
    have = chain.rules if chain is not None else ()
    others = tuple(rule for rule in have if not ours(rule))
    if have == (*first, *others, *last):
        return
    for number in range(len(have), 0, -1):
        if ours(have[number - 1]):
            at.changes.do(XtDeleteNumber(netns=ns.id, table=table, chain=name, number=number))
    if first:
        at.changes.do(XtInsert(netns=ns.id, table=table, chain=name, rules=first))
    if last:
        at.changes.do(XtAppend(netns=ns.id, table=table, chain=name, rules=last))


def ours(rule: XtRule) -> bool:
    return any(isinstance(m, Comment) and m.text.startswith("cali:") for m in rule.matches)
