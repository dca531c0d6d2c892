"""What a packet costs: how many rules the kernels on its way look at, as the walk itself has counted them.

Theory. A chain is a list, so iptables mode pays for every Service that stands before the wanted one: a first packet's
cost grows with their number. A map of nftables or a hash table of IPVS is one lookup, whatever it holds. The walker
finds a rule in a long chain by an index and still counts, in `Step.visited`, what the kernel would have tried; so the
cost is known without being paid. Packets of a connection that is known skip the nat tables.

Among N Services: `grown` says what the same packet would cost in a cluster with N Service ports of which its own was
written last. Only the chains of LISTS have a row for each; it is the walk's own count, longer by the rows that are not
there yet. The tests hold it against clusters that have them.

Rules. Pure, of a walk that was walked; a run is one base chain met by one packet, and its last step has its count.
Source: nft_do_chain and ipt_do_table; facts 20 section 2.9.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.linux.journey import Step, StepKind, Walk
from engine.linux.net import Net
from engine.linux.xt.tables import Chain
from engine.record import dataclass

#: a look into a map or a set, which is one step of the kernel's whatever it holds
LOOKUPS = (" @", "--match-set ")
#: chains of table nat with one row for each port of a Service (iptables mode; userspace mode has the portals)
LISTS = ("KUBE-SERVICES", "KUBE-PORTALS-CONTAINER", "KUBE-PORTALS-HOST")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One run: where, at which hook, in which table, how many rules were tried, how many maps or sets were asked by
    those that matched."""

    node: str
    hook: str
    table: str
    rules: int
    lookups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The runs of a walk in order."""

    visits: tuple[Visit, ...]

    @property
    def rules(self) -> int:
        return sum(v.rules for v in self.visits)

    @property
    def lookups(self) -> int:
        return sum(v.lookups for v in self.visits)

    def of(self, node: str, table: str = "") -> Cost:
        """The part of one node, and of one table ("" = all)."""
        return Cost(visits=tuple(v for v in self.visits if v.node == node and table in ("", v.table)))


#: verdicts with which a run ends
ENDS = frozenset(
    ("accept", "drop", "reject", "dnat", "snat", "masquerade", "redirect", "netmap", "tproxy", "queue")
)


def cost(walk: Walk) -> Cost:
    """What a walk's packet has cost in rules, in the order of its way."""
    return Cost(visits=tuple(visit(run) for run in runs(walk.steps())))


def tried(steps: Iterable[Step]) -> int:
    """How many rules these steps' packet was held against."""
    return sum(run[-1].visited for run in runs(steps))


def runs(steps: Iterable[Step]) -> list[list[Step]]:
    """The steps of rules and policies, one list a run."""
    out: list[list[Step]] = []
    for step in steps:
        if step.kind not in (StepKind.RULE, StepKind.POLICY) or not step.table:
            continue
        if out and same_run(out[-1][-1], step):
            out[-1].append(step)
        else:
            out.append([step])
    return out


def same_run(last: Step, step: Step) -> bool:
    """Does a step go on with the run of the one before?"""
    return (
        last.kind is StepKind.RULE
        and last.verdict not in ENDS
        and (step.place, step.hook, step.table) == (last.place, last.hook, last.table)
        and step.visited >= last.visited
    )


def visit(run: list[Step]) -> Visit:
    last = run[-1]
    lookups = sum(any(word in step.row for word in LOOKUPS) for step in run)
    return Visit(node=last.place.node, hook=last.hook, table=last.table, rules=last.visited, lookups=lookups)


def grown(walk: Walk, net: Net, services: int) -> int:
    """The rules that this walk's packet would be held against among `services` ports of Services, its own the last.
    `net` is what the walk crossed: it has the chains. With fewer than are there, as many as are there."""
    return sum(run[-1].visited + longer(run, net, services) for run in runs(walk.steps()))


def longer(run: list[Step], net: Net, services: int) -> int:
    """By how many rows this run would be longer: those that are missing in a list that it goes through."""
    space = net.spaces.get(run[0].place.node)
    if space is None or run[0].table != "nat":
        return 0
    for step in run:
        name = next((n for n in LISTS if step.verdict == "jump" and step.row.endswith(f" -j {n}")), "")
        chain = space.xt.chain("nat", name) if name else None
        if chain is None:
            continue
        own = next((s for s in run if s.chain == name), None)
        rows = of_services(chain)
        passed = rows if own is None or own.row not in rows else rows[: rows.index(own.row) + 1]
        return max(services - len(passed), 0) if passed else 0
    return 0


def of_services(chain: Chain) -> list[str]:
    """The rows of a list that are about one address each."""
    rows = [chain.row(i) for i in range(len(chain.rules))]
    return [row for row in rows if " -d " in row and "/32 " in row]
