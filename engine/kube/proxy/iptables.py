"""iptables mode, done: one node's chains brought to what the plan says, as a full sync or a partial one; and away.

Theory. A full sync (at the start, after somebody flushed the tables, once an hour) ensures the jumps from the built-in
chains and writes everything. A partial one writes the chains that all Services share and those of Services that
changed, so a chain that a person emptied stays empty until its Service changes or an hour has passed. Chains that
nobody needs go in the same breath, in a large cluster once per sync period. Whether somebody flushed the
tables is told by KUBE-PROXY-CANARY in table mangle, looked for every sync period.

Rules. A `Plan` is frozen and shared by all nodes that choose alike; a later one is made from an earlier by what
changed. Go's maps have no order: the order of Services in KUBE-SERVICES is by chance there, by name here. Source:
pkg/proxy/iptables/{proxier,cleanup}.go, pkg/util/iptables/iptables.go Monitor (facts 20 section 2.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field

from engine.kube.kubelet_chains import MARTIAN
from engine.kube.proxy.model import MANY
from engine.kube.proxy.picture import Key, Picture
from engine.kube.proxy.sharing import Memo, Names, names_of, nearest, renewed
from engine.kube.proxy.xtrows import (
    CANARY,
    EXTERNAL,
    FIREWALL,
    FORWARD,
    KUBELET_FIREWALL,
    LARGE,
    LOCAL_DESTINATION,
    MARK_MASQ,
    NODEPORTS,
    POSTROUTING,
    PREFIXES,
    SERVICES,
    PortRows,
    Style,
    port_rows,
)
from engine.linux.layered import LARGE as LAID
from engine.linux.ops.base import Changes
from engine.linux.ops.xt import XtDelete, XtDeleteChain, XtInsert, XtNewChain
from engine.linux.ops.xtchains import XtBlock, XtBlocks, XtChains
from engine.linux.xt.match import Destination, InDevice, Match, Source
from engine.linux.xt.match_ct import Conntrack
from engine.linux.xt.match_more import Comment
from engine.linux.xt.match_state import CtState, MarkMatch
from engine.linux.xt.refused import XtRefused
from engine.linux.xt.rule import XtRule
from engine.linux.xt.tables import Xtables
from engine.linux.xt.target import ACCEPT, DROP, RETURN, Jump
from engine.linux.xt.target_more import Mark
from engine.linux.xt.target_nat import Masquerade
from engine.record import dataclass, replace
from engine.unswept import unswept

#: Every full sync is at most this old (proxyutil.FullSyncPeriod).
FULL_SYNC = 3600.0
TABLES = ("mangle", "nat", "filter")
PORTALS, VISIBLE = "kubernetes service portals", "kubernetes externally-visible service portals"
BALANCER = "kubernetes load balancer firewall"
#: (table, to, from, comment, only new connections), each inserted at the top in this order
JUMPS: tuple[tuple[str, str, str, str, bool], ...] = (
    ("filter", EXTERNAL, "INPUT", VISIBLE, True),
    ("filter", EXTERNAL, "FORWARD", VISIBLE, True),
    ("filter", NODEPORTS, "INPUT", "kubernetes health check service ports", False),
    ("filter", SERVICES, "FORWARD", PORTALS, True),
    ("filter", SERVICES, "OUTPUT", PORTALS, True),
    ("filter", FORWARD, "FORWARD", "kubernetes forwarding rules", False),
    ("filter", FIREWALL, "INPUT", BALANCER, True),
    ("filter", FIREWALL, "OUTPUT", BALANCER, True),
    ("filter", FIREWALL, "FORWARD", BALANCER, True),
    ("nat", SERVICES, "OUTPUT", PORTALS, False),
    ("nat", SERVICES, "PREROUTING", PORTALS, False),
    ("nat", POSTROUTING, "POSTROUTING", "kubernetes postrouting rules", False),
)
KUBELET_JUMPS = (
    ("filter", KUBELET_FIREWALL, "INPUT", "", False), ("filter", KUBELET_FIREWALL, "OUTPUT", "", False)
)  # fmt: skip
LAST = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"
LOOPBACK = 127 << 24
NEW = Conntrack(state=CtState(states=("NEW",)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a node's kube-proxy runs with, as far as rows go. `addresses` are those on which node ports answer, None =
    all; `liberal` = nf_conntrack_tcp_be_liberal was set when it started."""

    node: str
    zone: str = ""
    node_ip: int = 0
    minor: int = 35
    mark: int = 0x4000
    masquerade_all: bool = False
    local: Source | InDevice | None = None
    addresses: tuple[int, ...] | None = None
    localhost: bool = True
    liberal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`ports` are the rows of every service port by Service; `filter` and `nat` the chains that all share; `active` the
    names of the chains of Services and endpoints."""

    serial: int
    settings: Settings
    style: Style
    ports: dict[Key, tuple[PortRows, ...]] = field(repr=False)
    filter: tuple[XtBlock, ...] = field(repr=False)
    nat: tuple[XtBlock, ...] = field(repr=False)
    active: Names = field(repr=False)
    #: every chain of table nat, once somebody has needed them all
    made: list[Sequence[XtBlock]] = field(default_factory=list, compare=False, repr=False)

    def whole(self) -> Sequence[XtBlock]:
        """Every chain of table nat, those that all share first; many are shared by the machines."""
        if not self.made:
            own = (block for rows in self.ports.values() for row in rows for block in row.chains)
            found = (*self.nat, *own)
            self.made.append(found if len(found) < LAID else XtBlocks(found))
        return self.made[0]

    def follow(self, old: Plan, changed: Iterable[Key]) -> None:
        """Take over what `old` has made, but for the Services that changed since."""
        if old.made and isinstance(old.made[0], XtBlocks):
            was = {b.name for key in changed for row in old.ports.get(key, ()) for b in row.chains}
            new = [b for key in changed for row in self.ports.get(key, ()) for b in row.chains]
            gone = sorted(was - {b.name for b in new})
            self.made.append(old.made[0].renewed((*self.nat, *new), gone))


def memo() -> Memo[Style, PortRows]:
    return Memo(port_rows)


def planned(picture: Picture, settings: Settings, memo: Memo[Style, PortRows], old: Plan | None) -> Plan:
    """The plan for a picture; `old` is one of the same node, from which what did not change is taken."""
    large = picture.endpoints > LARGE
    style = Style(masquerade_all=settings.masquerade_all, local=settings.local, large=large)
    held = [p for p in (old, memo.plans.get(settings)) if isinstance(p, Plan)]
    best, changed = nearest(picture, [p for p in held if (p.settings, p.style) == (settings, style)])
    if best is not None and best.serial == picture.serial:
        return best

    make = memo.maker(settings, style, replace(style, from_node=True))
    ports = renewed(picture, best.ports if best is not None else {}, changed, make)
    if (
        best is not None
        and changed is not None
        and all(heads(best.ports.get(key, ())) == heads(ports.get(key, ())) for key in changed)
    ):
        filter, nat = best.filter, best.nat
    else:
        rows = [row for key in picture.services for row in ports[key]]
        filter = kept(best.filter if best is not None else None, filter_chains(rows, settings))
        nat = kept(best.nat if best is not None else None, nat_chains(rows, settings))
    plan = Plan(
        serial=picture.serial, settings=settings, style=style, ports=ports, filter=filter, nat=nat,
        active=names_of(best.active, best.ports, ports, changed, chains_of)
        if best is not None
        else names_of(None, {}, ports, None, chains_of),
    )  # fmt: skip
    if best is not None and changed is not None and len(changed) <= MANY:
        plan.follow(best, changed)
    memo.plans[settings] = plan
    return plan


def heads(rows: tuple[PortRows, ...]) -> list[tuple[tuple[XtRule, ...], ...]]:
    """What of a Service's rows stands in chains that all Services share."""
    return [(r.services, r.external, r.nodeports, r.firewall, r.nat_services, r.nat_nodeports) for r in rows]


def chains_of(rows: PortRows) -> Iterable[str]:
    """The names of a service port's own chains."""
    return (block.name for block in rows.chains)


def kept(old: tuple[XtBlock, ...] | None, new: tuple[XtBlock, ...]) -> tuple[XtBlock, ...]:
    """The new chains, with the very records of the old ones where they are equal (their index is made already)."""
    if old is None or len(old) != len(new):
        return new
    return tuple(a if a.rules == b.rules and a.name == b.name else b for a, b in zip(old, new, strict=True))


def gathered(rows: Iterable[tuple[XtRule, ...]]) -> tuple[XtRule, ...]:
    return tuple(rule for some in rows for rule in some)


def filter_chains(rows: list[PortRows], settings: Settings) -> tuple[XtBlock, ...]:
    """The chains of table filter, in the order of the restore's lines."""
    marked = MarkMatch(mark=settings.mark, mask=settings.mark)
    forward = [
        XtRule(matches=(Comment(text="kubernetes forwarding rules"), marked), target=ACCEPT),
        XtRule(
            matches=(
                Comment(text="kubernetes forwarding conntrack rule"),
                Conntrack(state=CtState(states=("RELATED", "ESTABLISHED"))),
            ),
            target=ACCEPT,
        ),
    ]
    if not settings.liberal:
        forward.insert(0, XtRule(matches=(Conntrack(state=CtState(states=("INVALID",))),), target=DROP))
    out = [
        XtBlock(name=SERVICES, rules=gathered(r.services for r in rows)),
        XtBlock(name=EXTERNAL, rules=gathered(r.external for r in rows)),
        XtBlock(name=FORWARD, rules=tuple(forward)),
        XtBlock(name=NODEPORTS, rules=gathered(r.nodeports for r in rows)),
        XtBlock(name=FIREWALL, rules=gathered(r.firewall for r in rows)),
    ]
    if settings.localhost:
        out.append(XtBlock(name=KUBELET_FIREWALL, rules=(MARTIAN,)))
    return tuple(out)


def nat_chains(rows: list[PortRows], settings: Settings) -> tuple[XtBlock, ...]:
    """The chains of table nat, in the order of the restore's lines."""
    mark = settings.mark
    services = gathered(r.nat_services for r in rows) + tuple(node_port_rules(settings))
    postrouting = (
        XtRule(matches=(MarkMatch(mark=mark, mask=mark, invert=True),), target=RETURN),
        XtRule(target=Mark(mark=mark, mask=0)),
        XtRule(
            matches=(Comment(text="kubernetes service traffic requiring SNAT"),),
            target=Masquerade(how=("random-fully",)),
        ),
    )
    return (
        XtBlock(name=SERVICES, rules=services),
        XtBlock(name=NODEPORTS, rules=gathered(r.nat_nodeports for r in rows)),
        XtBlock(name=POSTROUTING, rules=postrouting),
        XtBlock(name=MARK_MASQ, rules=(XtRule(target=Mark(mark=mark, mask=mark)),)),
    )


def node_port_rules(settings: Settings) -> Iterator[XtRule]:
    """The end of KUBE-SERVICES: what is for this node may be for a node port."""
    comment, target = Comment(text=LAST), Jump(chain=NODEPORTS)
    if settings.addresses is None:
        not_loopback: tuple[Match, ...] = ()
        if not settings.localhost:
            not_loopback = (Destination(addr=LOOPBACK, length=8, invert=True),)
        yield XtRule(matches=(*not_loopback, comment, LOCAL_DESTINATION), target=target)
        return
    for address in settings.addresses:
        if address >> 24 == 127 and not settings.localhost:
            continue
        yield XtRule(matches=(Destination(addr=address), comment), target=target)


# -- on a node


def begin(changes: Changes, netns: str) -> None:
    """The canaries of a kube-proxy that starts."""
    for table in TABLES:
        ensure_chain(changes, netns, table, CANARY)


def flushed(xt: Xtables) -> bool:
    """Is the canary that is looked for gone? Only the first table's is asked for (Monitor)."""
    return xt.chain(TABLES[0], CANARY) is None


def ensure_chain(changes: Changes, netns: str, table: str, chain: str) -> None:
    if changes.net.spaces[netns].xt.chain(table, chain) is None:
        changes.do(XtNewChain(netns=netns, table=table, chain=chain))


def jump(to: str, comment: str, new: bool) -> XtRule:
    matches: tuple[Match, ...] = (NEW,) if new else ()
    matches += (Comment(text=comment),) if comment else ()
    return XtRule(matches=matches, target=Jump(chain=to))


def ensure_jumps(changes: Changes, netns: str) -> None:
    for table, to, from_, comment, new in (*JUMPS, *KUBELET_JUMPS):
        ensure_chain(changes, netns, table, to)
        rule = jump(to, comment, new)
        there = changes.net.spaces[netns].xt.chain(table, from_)
        if there is None or rule not in there.rules:
            changes.do(XtInsert(netns=netns, table=table, chain=from_, rules=(rule,)))


def sync(
    changes: Changes, netns: str, plan: Plan, *, full: bool, changed: frozenset[Key] | None, clean: bool
) -> None:
    """One sync; `changed` are the Services since the last, `clean` = take away chains that nobody needs. Raises
    XtRefused as iptables-restore does."""
    if full or changed is None:
        ensure_jumps(changes, netns)
        nat: Sequence[XtBlock] = plan.whole()
    else:
        own = (b for key in sorted(changed) for row in plan.ports.get(key, ()) for b in row.chains)
        nat = (*plan.nat, *own)
    xt = changes.net.spaces[netns].xt
    gone: tuple[str, ...] = ()
    if clean:
        others = plan.active.missing_from(xt.tables.get("nat", {}))
        gone = tuple(sorted(n for n in others if n.startswith(PREFIXES)))
    with unswept(len(nat) > MANY):
        changes.do(XtChains(netns=netns, table="filter", blocks=plan.filter))
        changes.do(XtChains(netns=netns, table="nat", blocks=nat, gone=gone))


def cleanup(changes: Changes, netns: str) -> list[str]:
    """What a kube-proxy of a mode without iptables takes away when it starts (cleanupLeftoversForFamily): jumps, chains
    and canaries of this mode; kubelet's chain stays. The errors that it writes: a table whose chains others still go to
    stays whole."""
    xt = changes.net.spaces[netns].xt
    errors: list[str] = []
    for table, to, from_, comment, new in JUMPS:
        rule, there = jump(to, comment, new), xt.chain(table, from_)
        if there is not None and rule in there.rules:
            changes.do(XtDelete(netns=netns, table=table, chain=from_, rules=(rule,)))
    for table, names in (
        ("nat", (SERVICES, NODEPORTS, POSTROUTING, MARK_MASQ, CANARY)),
        ("filter", (SERVICES, EXTERNAL, FORWARD, NODEPORTS, FIREWALL, CANARY)),
    ):
        chains = xt.tables.get(table, {})
        gone = [n for n in names if n in chains]
        if table == "nat":
            gone += [n for n in chains if n.startswith(PREFIXES)]
        if not gone:
            continue
        blocks = tuple(XtBlock(name=n) for n in gone)
        try:
            changes.do(XtChains(netns=netns, table=table, blocks=blocks, gone=tuple(gone)))
        except XtRefused as error:
            errors.append(
                f'"Failed to execute iptables-restore" err="exit status 4: {error.tool_text}" table="{table}"'
            )
    if xt.chain("mangle", CANARY) is not None and not xt.references("mangle")[CANARY]:
        changes.do(XtDeleteChain(netns=netns, table="mangle", chain=CANARY))
    return errors
