"""nftables mode, done: the table kube-proxy of one node brought to what the plan says, as a full sync or a partial one.

Theory. A full sync (at the start, after a failure, once an hour) empties and refills everything in one transaction. A
partial one writes the chains of Services that changed and the elements that differ from those that kube-proxy itself
has written before: it does not look at the kernel, so what a person took out stays out until the next full sync, and
an element that is to be deleted and is not there makes the transaction fail. Chains that nobody needs are emptied at
once and deleted by a later sync, a second or more afterwards, because kernels before 6.2 still count a map's reference
for a moment.

Rules. A `Plan` is frozen and shared by all nodes that choose alike. What the process knows besides is `Held`. Source:
pkg/proxy/nftables/proxier.go (facts 20 section 2.8).
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from engine.errors import OpError
from engine.kube.node import NodeState
from engine.kube.passes import Pass
from engine.kube.proxy import nftrows
from engine.kube.proxy.model import MANY
from engine.kube.proxy.nftrows import BASES, CONTAINERS, FAMILY, JUMPS, TABLE, TOP, PortRows, Style
from engine.kube.proxy.picture import Key, Picture
from engine.kube.proxy.sharing import Memo, Names, names_of, nearest, renewed
from engine.linux.addr import Prefix
from engine.linux.net import Netns
from engine.linux.nft.rule import Rule
from engine.linux.nft.sets import Element, NftSet
from engine.linux.nft.statements import Match
from engine.linux.ops.base import Changes
from engine.linux.ops.nft import NftApply
from engine.linux.ops.nftrows import (
    AddChain,
    AddElements,
    AddSet,
    AddTable,
    Command,
    DeleteChains,
    DeleteElements,
    DeleteSets,
    Empty,
    Fill,
    NftRows,
)
from engine.linux.xt.match import InDevice, Source
from engine.record import dataclass, replace
from engine.unswept import unswept

if TYPE_CHECKING:
    from engine.kube.proxy.agent import State

#: chains that were emptied are deleted by a sync that comes this much later
STALE = 1.0
#: the gate MultiCIDRServiceAllocator, which tells kube-proxy the Services' range
RANGE_SINCE = 33


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a node's kube-proxy runs with, as far as rows go. `addresses` are those on which node ports answer, None =
    all; `local` as in iptables mode, its device's number in `ifindex`."""

    node: str = ""
    zone: str = ""
    node_ip: int = 0
    minor: int = 35
    mark: int = 0x4000
    masquerade_all: bool = False
    local: Source | InDevice | None = None
    ifindex: int = 0
    addresses: tuple[int, ...] | None = None
    service_cidrs: tuple[Prefix, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`ports` are the rows of every service port by Service; `elements` those of CONTAINERS, in order; `chains` the
    names of the Services' own chains, `affinity` those of their sets."""

    serial: int
    settings: Settings
    ports: dict[Key, tuple[PortRows, ...]] = field(repr=False)
    elements: tuple[dict[tuple[object, ...], Element], ...] = field(repr=False)
    chains: Names = field(repr=False)
    affinity: Names = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one process remembers: the plan that it wrote last, whether it has made the base chains anew, and since when
    which chains are stale."""

    plan: Plan | None = None
    rebased: bool = False
    stale: tuple[tuple[str, float], ...] = ()


def memo() -> Memo[Style, PortRows]:
    return Memo(nftrows.port_rows)


def planned(picture: Picture, settings: Settings, shared: Memo[Style, PortRows], old: Plan | None) -> Plan:
    """The plan for a picture; `old` is one of the same node."""
    style = style_of(settings)
    held = [p for p in (old, shared.plans.get(settings)) if isinstance(p, Plan)]
    best, changed = nearest(picture, [p for p in held if p.settings == settings])
    if best is not None and best.serial == picture.serial:
        return best

    make = shared.maker(settings, style, replace(style, from_node=True))
    ports = renewed(picture, best.ports if best is not None else {}, changed, make)
    if best is None or changed is None:
        elements = gathered(picture, ports, best)
        chains, affinity = names_of(None, {}, ports, None, made), names_of(None, {}, ports, None, sets_of)
    else:
        same = all(listed(best.ports.get(key, ())) == listed(ports.get(key, ())) for key in changed)
        elements = best.elements if same else gathered(picture, ports, best)
        chains = names_of(best.chains, best.ports, ports, changed, made)
        affinity = names_of(best.affinity, best.ports, ports, changed, sets_of)
    plan = Plan(
        serial=picture.serial,
        settings=settings,
        ports=ports,
        elements=elements,
        chains=chains,
        affinity=affinity,
    )
    shared.plans[settings] = plan
    return plan


def made(row: PortRows) -> tuple[str, ...]:
    return row.made


def sets_of(row: PortRows) -> list[str]:
    return [one.name for one in row.affinity]


def listed(rows: tuple[PortRows, ...]) -> list[tuple[tuple[Element, ...], ...]]:
    """What of a Service stands in containers that all Services share."""
    return [row.elements for row in rows]


def style_of(settings: Settings) -> Style:
    local, not_local = (), ()
    if isinstance(settings.local, Source):
        cidr = Prefix(settings.local.addr, settings.local.length)
        local, not_local = nftrows.cidr_match(cidr), nftrows.cidr_match(cidr, other=True)  # type: ignore[assignment]
    elif settings.local is not None:
        name = settings.local.name
        if name.endswith("+"):
            what, right = "iifname", (f"{name[:-1]}*",)
        else:
            what, right = "iif", (settings.ifindex,)  # type: ignore[assignment]
        local = (Match(left=nftrows.field(what), right=right),)  # type: ignore[assignment]
        not_local = (Match(left=nftrows.field(what), op="!=", right=right),)  # type: ignore[assignment]
    return Style(masquerade_all=settings.masquerade_all, local=local, not_local=not_local)


def gathered(
    picture: Picture, ports: dict[Key, tuple[PortRows, ...]], old: Plan | None
) -> tuple[dict[tuple[object, ...], Element], ...]:
    """Every container's elements, of all Services; an equal element stays the very one of the old plan."""
    out: tuple[dict[tuple[object, ...], Element], ...] = tuple({} for _ in CONTAINERS)
    for key in picture.services:
        for row in ports[key]:
            for there, elements in zip(out, row.elements, strict=True):
                for element in elements:
                    there[element.key] = element
    if old is not None:
        for there, before in zip(out, old.elements, strict=True):
            for name, element in there.items():
                if before.get(name) == element:
                    there[name] = before[name]
    return out


# -- transactions


def set_up(settings: Settings, held: Held) -> list[Command]:
    """What a full sync begins with: the table, its fixed chains and rules, every container empty."""
    out: list[Command] = [AddTable(comment="rules for kube-proxy")]
    if not held.rebased:
        names = tuple(name for name, _ in BASES)
        out += [Empty(names=names), DeleteChains(names=names)]
    for name, base in BASES:
        out += [AddChain(name=name, base=base), Empty(names=(name,), make=False)]
    done: set[str] = set()
    for from_, words, to in JUMPS:
        if to not in done:
            done.add(to)
            out.append(Empty(names=(to,)))
        out.append(Fill(chain=from_, rules=(read_rule(f"{words} jump {to}".strip()),)))
    out.append(Empty(names=tuple(name for name in TOP if name not in done)))
    every = settings.addresses is None
    fixed = nftrows.fixed_rules(settings.mark, every, settings.service_cidrs)
    at_first = ("masquerading", nftrows.MARK)
    out += [Fill(chain=c, rules=(read_rule(w, t),)) for c, w, t in fixed if c in at_first]
    out.append(AddSet(set=nftrows.CLUSTER_IPS, flush=True))
    out += [Fill(chain=c, rules=(read_rule(w, t),)) for c, w, t in fixed if c == "cluster-ips-check"]
    out.append(AddSet(set=nftrows.NODEPORT_IPS, flush=True))
    if settings.addresses is None:
        out.append(DeleteSets(names=(nftrows.NODEPORT_IPS.name,)))
    else:
        own = tuple(Element(key=(a,)) for a in settings.addresses if a >> 24 != 127)
        out.append(AddElements(of=nftrows.NODEPORT_IPS, elements=own))
    out += [AddSet(set=s, flush=True) for s in (nftrows.NO_ENDPOINTS, nftrows.NO_NODEPORTS)]
    comment = "helper for @no-endpoint-services / @no-endpoint-nodeports"
    out += [
        AddChain(name=nftrows.REJECT_CHAIN, comment=comment),
        Empty(names=(nftrows.REJECT_CHAIN,), make=False),
    ]
    rest = [row for row in fixed if row[0] not in (*at_first, "cluster-ips-check")]
    out += [Fill(chain=c, rules=(read_rule(w, t),)) for c, w, t in rest[:3]]
    out.append(AddSet(set=nftrows.FIREWALL_IPS, flush=True))
    out += [Fill(chain=c, rules=(read_rule(w, t),)) for c, w, t in rest[3:4]]
    out += [AddSet(set=s, flush=True) for s in (nftrows.SERVICE_IPS, nftrows.SERVICE_NODEPORTS)]
    out += [Fill(chain=c, rules=(read_rule(w, t),)) for c, w, t in rest[4:]]
    return out


def read_rule(words: str, comment: str = "") -> Rule:
    return Rule(statements=nftrows.read(words), comment=comment)


def of_services(plan: Plan, keys: list[Key], old: Plan | None) -> tuple[list[Command], list[Command]]:
    """The chains and elements of some Services, and the elements that are left over; `old` is what was written before,
    None = nothing is there."""
    out: list[Command] = []
    rows = [row for key in keys for row in plan.ports.get(key, ())]
    out += [Empty(names=row.made) for row in rows if row.made]
    before: tuple[dict[tuple[object, ...], Element], ...]
    before = tuple({} for _ in CONTAINERS) if old is None else old.elements
    leftover: list[Command] = []
    for of, now, then in zip(CONTAINERS, plan.elements, before, strict=True):
        if now is not then and (now.keys() != then.keys() or any(now[key] is not then[key] for key in now)):
            changed = tuple(e for key, e in now.items() if key in then and differs(then[key], e))
            added = tuple(e for key, e in now.items() if key not in then or differs(then[key], e))
            gone = tuple(e for key, e in then.items() if key not in now)
            out += [DeleteElements(of=of, elements=changed)] if changed else []
            out += [AddElements(of=of, elements=added)] if added else []
            leftover += [DeleteElements(of=of, elements=gone)] if gone else []
    for row in rows:
        out += [AddSet(set=one) for one in row.affinity]
    out += [fill for row in rows for fill in row.rules]
    return out, leftover


def differs(one: Element, other: Element) -> bool:
    """kube-proxy compares the verdicts; a comment alone is not written anew."""
    return one.data != other.data


def superfluous(ns: Netns, plan: Plan) -> tuple[list[str], list[str]]:
    """(chains, affinity sets) that are there and no Service has, by name."""
    table = ns.nft.tables.get((FAMILY, TABLE))
    if table is None:
        return [], []
    return (
        sorted(name for name in plan.chains.missing_from(table.chains) if "/" in name),
        sorted(name for name in plan.affinity.missing_from(table.sets) if name.startswith("affinity-")),
    )


def cleanup(changes: Changes, netns: str) -> None:
    """What a kube-proxy of another mode takes away when it starts."""
    if (FAMILY, TABLE) in changes.net.spaces[netns].nft.tables:
        changes.do(NftApply(netns=netns, text=f"delete table {FAMILY} {TABLE}"))


def sync(
    changes: Changes, netns: str, plan: Plan, held: Held, *, changed: frozenset[Key] | None, now: float
) -> Held:
    """One sync, full when `changed` is None. NftRefused as nft refuses the transaction."""
    ns = changes.net.spaces[netns]
    held = drop_stale(changes, netns, held, now)
    full = changed is None or held.plan is None
    commands: list[Command] = set_up(plan.settings, held) if full else []
    keys = list(plan.ports) if full else sorted(changed or ())
    chains, sets = superfluous(ns, plan)
    body, leftover = of_services(plan, keys, None if full else held.plan)
    commands += body
    if chains:
        commands.append(Empty(names=tuple(chains), make=False))
    if sets:
        commands.append(DeleteSets(names=tuple(sets)))
    commands += leftover
    if commands:
        with unswept(len(keys) > MANY):
            changes.do(NftRows(netns=netns, family=FAMILY, table=TABLE, commands=tuple(commands)))
    return Held(plan=plan, rebased=True, stale=tuple((name, now) for name in chains))


def drop_stale(changes: Changes, netns: str, held: Held, now: float) -> Held:
    """Delete the chains that have been empty for long enough; a refusal leaves them to the next sync."""
    old = tuple(name for name, since in held.stale if since < now - STALE)
    if not old:
        return held
    commands = (DeleteChains(names=old),)
    try:
        changes.do(NftRows(netns=netns, family=FAMILY, table=TABLE, commands=commands))
    except OpError:
        return replace(held, stale=())
    return replace(held, stale=tuple(row for row in held.stale if row[0] not in old))


# -- in the agent's hands


def settings_of(at: Pass, node: NodeState, state: State, picture: Picture) -> Settings:
    from engine.kube.proxy.agent import detector, node_ip, node_port_addresses

    config, ns = state.config, at.net.spaces[node.name]
    ip = node_ip(at, node)
    alone = picture.special > 0
    local = detector(config, node.pod_cidr)
    ifindex = 0
    if isinstance(local, InDevice) and not local.name.endswith("+"):
        ifindex = ns.names.get(local.name, 0)
    cidrs = (at.options.service_cidr,) if at.options.minor >= RANGE_SINCE else ()
    return Settings(
        node=state.name if alone else "", zone=state.zone if alone else "", node_ip=ip if alone else 0,
        minor=at.options.minor, mark=config.mark, masquerade_all=config.masquerade_all, local=local, ifindex=ifindex,
        addresses=node_port_addresses(config, ns, ip), service_cidrs=cidrs,
    )  # fmt: skip


def anybody(settings: Settings) -> Settings:
    """The settings without what only some Services ask for: which node it is."""
    return replace(settings, node="", zone="", node_ip=0)


def by_nftables(at: Pass, node: NodeState, state: State, picture: Picture) -> State:
    """The agent's sync."""
    from engine.kube.proxy.agent import shared, sync_failed

    common = shared(at)
    if common.nft_memo is None:
        common.nft_memo = memo()
    held = state.plan if isinstance(state.plan, Held) else Held()
    settings = settings_of(at, node, state, picture)
    plan = planned(picture, settings, common.nft_memo, held.plan)
    changed = None if state.full or held.plan is None else picture.changed(held.plan.serial)
    if held.plan is not None and anybody(held.plan.settings) != anybody(settings):
        changed = None
    try:
        if (
            isinstance(settings.local, InDevice)
            and not settings.local.name.endswith("+")
            and not settings.ifindex
        ):
            raise OpError("ENOENT", "/dev/stdin: Error: Interface does not exist")
        held = sync(at.changes, node.name, plan, held, changed=changed, now=at.now)
    except OpError as error:
        text = f'"nftables sync failed" err="{quoted(error.tool_text)}" ipFamily="IPv4"'
        return sync_failed(at, node, replace(state, plan=replace(held, stale=())), "proxier.go:1773", text)
    return replace(state, plan=held)


def quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")


def next_look(plan: Any, now: float) -> float:
    """nftables mode does nothing by itself between its hourly full syncs."""
    return float("inf")


__all__ = [
    "Held",
    "NftSet",
    "Plan",
    "by_nftables",
    "cleanup",
    "memo",
    "next_look",
    "planned",
    "settings_of",
    "sync",
]
