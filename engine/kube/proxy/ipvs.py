"""IPVS mode, done: the device, sets, rules and virtual servers of one node brought to what the plan says, and away.

Theory. One sync does what kube-proxy's does, in its order: chains and jumps, the device, the sets, the virtual servers
with their real servers, the sets' members, the rules in one restore, then what is superfluous goes: addresses of
kube-ipvs0 and every virtual server that no Service has, whoever made it, but for those in excludeCIDRs.
A real server that leaves takes no new connections (weight 0) and goes when its last connection has ended, which is
looked at once a minute; one of UDP goes at once.

Rules. Level-triggered: what is there already is left alone, also the rules, whose counters the real restore would set
to 0. What kube-proxy keeps in its process is a frozen `Leaving`, lost when it starts anew. Source:
pkg/proxy/ipvs/{proxier,graceful_termination,netlink_linux,cleanup}.go (facts 20 section 2.7).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from engine.kube.proxy.ipvs_plan import CHAINS, DEVICE, JUMPS, SETS, Plan, Settings, said
from engine.linux.ipset import read
from engine.linux.ipset.kinds import KINDS
from engine.linux.ipset.rows import Asked, Element
from engine.linux.ipset.sets import chosen_initval
from engine.linux.ipvs.rows import Dest, DestKey, Service, SvcKey
from engine.linux.net import Netns
from engine.linux.ops.address import AddAddress, DelAddress
from engine.linux.ops.base import Changes
from engine.linux.ops.ipset import IpsetAdd, IpsetCreate, IpsetDel, IpsetDestroy, references
from engine.linux.ops.ipvs import (
    IpvsAddDest,
    IpvsAddService,
    IpvsClear,
    IpvsDelDest,
    IpvsDelService,
    IpvsEditDest,
    IpvsEditService,
    IpvsTimeouts,
)
from engine.linux.ops.link import AddLink, DelLink
from engine.linux.ops.sysctl import SetSysctl
from engine.linux.ops.xt import XtAppend, XtDelete, XtDeleteChain, XtFlush, XtInsert, XtNewChain, XtOp
from engine.linux.ops.xtrestore import Restored, XtRestore
from engine.linux.packet import Proto
from engine.linux.rows import Address
from engine.linux.xt import parse
from engine.linux.xt.rule import XtRule
from engine.record import dataclass, replace

#: how often servers that leave are looked at (rsCheckDeleteInterval)
CHECK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Leaving:
    """Real servers that wait for their last connection (the rsList of the graceful termination manager), and the
    virtual time of the next look; `first` until the process has synced once."""

    servers: frozenset[tuple[SvcKey, DestKey]] = frozenset()
    check: float = 0.0
    first: bool = True


# -- start


def begin(changes: Changes, netns: str, settings: Settings, now: float) -> Leaving:
    """What a kube-proxy sets when it starts in this mode: sysctls and timeouts. conn_reuse_mode is left as it is, as on
    every kernel from 5.9 on."""
    wanted = {
        "net.ipv4.vs.conntrack": "1", "net.ipv4.vs.expire_nodest_conn": "1",
        "net.ipv4.vs.expire_quiescent_template": "1", "net.ipv4.ip_forward": "1",
    }  # fmt: skip
    if settings.strict_arp:
        wanted |= {"net.ipv4.conf.all.arp_ignore": "1", "net.ipv4.conf.all.arp_announce": "2"}
    for key, value in wanted.items():
        if changes.net.spaces[netns].sysctl(key) != value:
            changes.do(SetSysctl(netns=netns, key=key, value=value))
    if any(settings.timeouts):
        tcp, fin, udp = settings.timeouts
        changes.do(IpvsTimeouts(netns=netns, tcp=tcp, tcpfin=fin, udp=udp))
    return Leaving(check=now + CHECK_SECONDS)


# -- one sync


def sync(changes: Changes, netns: str, plan: Plan, settings: Settings, leaving: Leaving) -> Leaving:
    """Bring the node to what the plan says."""
    ensure_chains(changes, netns)
    ns = changes.net.spaces[netns]
    if ns.link(DEVICE) is None:
        changes.do(AddLink(netns=netns, name=DEVICE, kind="dummy"))
    for name in SETS:
        ensure_set(changes, netns, name)
    already = bound(changes, netns)
    servers = set(leaving.servers)
    for service in plan.services.values():
        one_service(changes, netns, service)
        if service.addr in plan.bound and service.addr not in already:
            changes.do(
                AddAddress(
                    netns=netns, device=DEVICE, address=Address(ifindex=0, addr=service.addr, length=32)
                )
            )
            already.add(service.addr)
        servers = one_set_of_servers(changes, netns, service, servers, first=leaving.first)
    for name in SETS:
        fill(changes, netns, name, plan.members[name])
    for table in CHAINS:
        restore(changes, netns, table, plan.nat if table == "nat" else plan.filter)
    for address in sorted(already - set(plan.bound)):
        changes.do(DelAddress(netns=netns, device=DEVICE, addr=address, length=32))
    for key in list(ns.ipvs.services):
        if not key[0] or key in plan.services or any(key[1] in net for net in settings.exclude):
            continue
        changes.do(IpvsDelService(netns=netns, key=key))
    kept = frozenset(pair for pair in servers if pair[0] in ns.ipvs.services)
    return replace(leaving, servers=kept, first=False)


def bound(changes: Changes, netns: str) -> set[int]:
    ns = changes.net.spaces[netns]
    link = ns.link(DEVICE)
    return {a.addr for a in ns.addresses.get(link.ifindex, ())} if link is not None else set()


def one_service(changes: Changes, netns: str, wanted: Service) -> None:
    """The virtual server itself (syncService)."""
    old = changes.net.spaces[netns].ipvs.services.get(wanted.key)
    if old is None:
        changes.do(IpvsAddService(netns=netns, service=replace(wanted, dests=())))
    elif (old.scheduler, old.timeout, old.flags) != (wanted.scheduler, wanted.timeout, wanted.flags):
        changes.do(IpvsEditService(netns=netns, service=replace(wanted, dests=old.dests)))


def one_set_of_servers(
    changes: Changes,
    netns: str,
    wanted: Service,
    leaving: set[tuple[SvcKey, DestKey]],
    *,
    first: bool,
) -> set[tuple[SvcKey, DestKey]]:
    """The real servers of a virtual server (syncEndpoint). A weight that somebody has changed is put right by the first
    sync of a process only."""
    key = wanted.key
    there = {d.key: d for d in changes.net.spaces[netns].ipvs.services[key].dests}
    for dest in wanted.dests:
        old = there.get(dest.key)
        if old is not None:
            if first and any(d.weight != 1 for d in there.values()):
                changes.do(IpvsEditDest(netns=netns, key=key, dest=dest))
            if (key, dest.key) not in leaving:
                continue
            changes.do(IpvsDelDest(netns=netns, key=key, dest=dest.key))
            leaving = leaving - {(key, dest.key)}
        changes.do(IpvsAddDest(netns=netns, key=key, dest=dest))
    for gone in sorted(there.keys() - {d.key for d in wanted.dests}):
        if (key, gone) not in leaving and not removed(changes, netns, key, gone):
            changes.do(IpvsEditDest(netns=netns, key=key, dest=quiet(there[gone])))
            leaving = leaving | {(key, gone)}
    return leaving


def quiet(dest: Dest) -> Dest:
    return replace(dest, weight=0)


def removed(changes: Changes, netns: str, key: SvcKey, gone: DestKey) -> bool:
    """Remove a real server that carries no connection; UDP's goes with its connections (deleteRsFunc)."""
    load = changes.net.spaces[netns].ipvs.load(key, gone)
    if key[0] != Proto.UDP and load.total:
        return False
    changes.do(IpvsDelDest(netns=netns, key=key, dest=gone))
    return True


def look(changes: Changes, netns: str, leaving: Leaving, now: float) -> Leaving:
    """Once a minute: the servers whose last connection has ended go."""
    if now < leaving.check:
        return leaving
    from engine.linux.ipvs.table import settle

    ns = changes.net.spaces[netns]
    settle(ns.ipvs, ns.conntrack, now)
    kept = set()
    for key, dest in leaving.servers:
        service = ns.ipvs.services.get(key)
        if service is None or service.dest(dest) is None:
            continue
        if not removed(changes, netns, key, dest):
            kept.add((key, dest))
    steps = int((now - leaving.check) // CHECK_SECONDS) + 1
    return replace(leaving, servers=frozenset(kept), check=leaving.check + steps * CHECK_SECONDS)


# -- sets


def ensure_set(changes: Changes, netns: str, name: str) -> None:
    if name in changes.net.spaces[netns].ipsets.sets:
        return
    kind = KINDS[SETS[name][0]]
    said_of = {"range": "0-65535"} if kind.name == "bitmap:port" else {}
    words = [word for pair in said_of.items() for word in pair]
    seed = chosen_initval(netns, name) if kind.is_hash else 0
    options = read.rounded(kind, read.options(kind, words), seed)
    changes.do(IpsetCreate(netns=netns, name=name, kind=kind.name, options=options, exist=True))


def asked(kind: str, element: Element) -> Asked:
    """An element as `ipset add` is asked for it."""
    return Asked(
        kind=kind, ip=element.ip, proto=element.proto, port=element.port, ip2=element.ip2,
        bits2=element.bits2 if "net" in kind else None,
    )  # fmt: skip


def fill(changes: Changes, netns: str, name: str, wanted: Iterable[Element]) -> None:
    """The members of a set (syncIPSetEntries): what is superfluous goes first. A source range of length 0 is refused
    by ipset, and the set stays without it."""
    one = changes.net.spaces[netns].ipsets.sets[name]
    want = dict.fromkeys(wanted)
    kind = one.kind.name
    for element in [e for e in one.entries if e not in want]:
        changes.do(IpsetDel(netns=netns, name=name, asked=asked(kind, element)))
    for element in want:
        if element not in one.entries and element.bits2:
            changes.do(IpsetAdd(netns=netns, name=name, asked=asked(kind, element), exist=True))


# -- rules


@lru_cache(maxsize=512)
def parsed(line: str) -> tuple[str, XtRule]:
    """`CHAIN ...` -> the chain and its rule."""
    chain, _, rest = line.partition(" ")
    return chain, parse.rule(rest)


def ensure_chains(changes: Changes, netns: str) -> None:
    """Chains, and a jump at the top of each built-in one that lacks it (createAndLinkKubeChain)."""
    xt = changes.net.spaces[netns].xt
    for table, names in CHAINS.items():
        for name in names:
            if xt.chain(table, name) is None:
                changes.do(XtNewChain(netns=netns, table=table, chain=name))
    for table, chain, rule, there in list(jumps(changes.net.spaces[netns])):
        if not there:
            changes.do(XtInsert(netns=netns, table=table, chain=chain, rules=(rule,)))


def chains_of(table: str, lines: Iterable[str]) -> dict[str, list[XtRule]]:
    """Every chain of kube-proxy in a table with its rules."""
    wanted: dict[str, list[XtRule]] = {name: [] for name in CHAINS[table]}
    for chain, rule in map(parsed, lines):
        wanted[chain].append(rule)
    return wanted


def stands(ns: Netns, table: str, wanted: Mapping[str, list[XtRule]]) -> bool:
    there = ((name, ns.xt.chain(table, name)) for name in wanted)
    return all(c is not None and list(c.rules) == wanted[name] for name, c in there)


def jumps(ns: Netns) -> Iterator[tuple[str, str, XtRule, bool]]:
    """(table, built-in chain, its jump to a chain of kube-proxy, is it there)."""
    for table, chain, target, comment in JUMPS:
        rule = parsed(f"{chain} {said(comment)} -j {target}")[1]
        found = ns.xt.chain(table, chain)
        yield table, chain, rule, found is not None and rule in found.rules


def ruled(ns: Netns, plan: Plan) -> bool:
    """Are all rules and jumps there?"""
    tables = {"nat": plan.nat, "filter": plan.filter}
    if not all(there for _, _, _, there in jumps(ns)):
        return False
    return all(stands(ns, table, chains_of(table, lines)) for table, lines in tables.items())


def restore(changes: Changes, netns: str, table: str, lines: list[str]) -> None:
    """One table by iptables-restore --noflush, when it is not what it should be."""
    wanted = chains_of(table, lines)
    if stands(changes.net.spaces[netns], table, wanted):
        return
    rows = [parsed(line) for line in lines]
    first = len(wanted) + 2
    steps: tuple[tuple[int, XtOp], ...] = tuple(
        (first + at, XtAppend(netns=netns, table=table, chain=chain, rules=(rule,)))
        for at, (chain, rule) in enumerate(rows)
    )
    chains = tuple(Restored(name=name) for name in wanted)
    changes.do(XtRestore(netns=netns, table=table, chains=chains, steps=steps, keep=True))


# -- the end


def cleanup(changes: Changes, netns: str) -> None:
    """`kube-proxy --cleanup`: virtual servers (all of them), device, jumps, chains, sets (CleanupLeftovers)."""
    ns = changes.net.spaces[netns]
    if ns.ipvs.services:
        changes.do(IpvsClear(netns=netns))
    if ns.link(DEVICE) is not None:
        changes.do(DelLink(netns=netns, name=DEVICE))
    for table, chain, rule, there in list(jumps(ns)):
        if there:
            changes.do(XtDelete(netns=netns, table=table, chain=chain, rules=(rule,)))
    mine = [(table, name) for table, names in CHAINS.items() for name in names if ns.xt.chain(table, name)]
    for table, name in mine:
        changes.do(XtFlush(netns=netns, table=table, chain=name))
    for table, name in mine:
        if not ns.xt.references(table)[name]:
            changes.do(XtDeleteChain(netns=netns, table=table, chain=name))
    used = references(ns)
    for name in SETS:
        if name in ns.ipsets.sets and not used[name]:
            changes.do(IpsetDestroy(netns=netns, name=name))
