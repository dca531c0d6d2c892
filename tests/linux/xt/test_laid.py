"""Many chains at once: machines that share them have what each would have had alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import OpError
from engine.linux.layered import LARGE, Layered
from engine.linux.net import Net, Netns
from engine.linux.ops import XtAppend, XtNewChain
from engine.linux.ops.base import apply
from engine.linux.ops.xtchains import XtBlock, XtBlocks, XtChains
from engine.linux.xt.rule import XtRule
from engine.linux.xt.target import Jump

MANY = LARGE + 40


def rule(to: str) -> XtRule:
    return XtRule(target=Jump(chain=to))


def blocks(*, outside: str = "MINE") -> tuple[XtBlock, ...]:
    """SVC-0 ... of which each goes to the next, the last to nobody, and SVC-1 to a chain of the machine's own."""
    names = [f"SVC-{n}" for n in range(MANY)]
    rows = [(rule(names[n + 1]),) if n + 1 < MANY else () for n in range(MANY)]
    rows[1] = (*rows[1], rule(outside))
    return tuple(XtBlock(name=name, rules=some) for name, some in zip(names, rows, strict=True))


def machine(name: str) -> Net:
    """A machine with a chain of its own, an older SVC-2 that goes to it, OLD that nobody needs, a used PREROUTING."""
    net = Net(spaces={name: Netns(id=name, box=name, label=name, inode=1)})
    for chain in ("MINE", "SVC-2", "OLD"):
        apply(net, XtNewChain(netns=name, table="nat", chain=chain))
    for chain, to in (("SVC-2", "MINE"), ("OLD", "MINE"), ("PREROUTING", "SVC-2")):
        apply(net, XtAppend(netns=name, table="nat", chain=chain, rules=(rule(to),)))
    return net


def lines(net: Net, name: str) -> list[str]:
    return [
        f"{c.name} {c.policy} {r.text(c.name)}"
        for c in net.spaces[name].xt.shown("nat")
        for r in (*c.rules, XtRule())
    ]


def test_shared_chains_are_the_same_as_own_ones_and_stay_apart() -> None:
    whole = XtBlocks(blocks())
    nets = {name: machine(name) for name in ("a", "b", "c")}
    for name, some in (("a", whole), ("b", whole), ("c", blocks())):
        apply(nets[name], XtChains(netns=name, table="nat", blocks=some, gone=("OLD",)))
    assert isinstance(nets["a"].spaces["a"].xt.tables["nat"], Layered)
    assert lines(nets["a"], "a") == lines(nets["b"], "b") == lines(nets["c"], "c")
    for name in ("a", "c"):
        few = (XtBlock(name="SVC-5", rules=(rule("MINE"),)), XtBlock(name="NEW"))
        apply(nets[name], XtChains(netns=name, table="nat", blocks=few))
        # nobody goes to SVC-6 any more
        apply(nets[name], XtChains(netns=name, table="nat", gone=("SVC-6",)))
    assert lines(nets["a"], "a") == lines(nets["c"], "c") != lines(nets["b"], "b")
    chain = nets["a"].spaces["a"].xt.own("nat", "SVC-9")
    chain.packets[0] += 1
    assert nets["b"].spaces["b"].xt.tables["nat"]["SVC-9"].packets == [0]
    assert whole.chains["SVC-9"].packets == [0] and "NEW" not in whole.chains


@pytest.mark.parametrize(
    ("gone", "outside", "word"),
    [(("SVC-7",), "MINE", "in use|busy"), (("MINE",), "MINE", "in use|busy"), (("NOBODY",), "MINE", "NOBODY"),
     ((), "NOWHERE", "NOWHERE")],
)  # fmt: skip
def test_it_is_refused_as_it_would_be_alone_and_nothing_changes(
    gone: tuple[str, ...], outside: str, word: str
) -> None:
    said = []
    for some in (XtBlocks(blocks(outside=outside)), blocks(outside=outside)):
        net = machine("a")
        before = lines(net, "a")
        with pytest.raises(OpError) as refused:
            apply(net, XtChains(netns="a", table="nat", blocks=some, gone=gone))
        assert lines(net, "a") == before
        said.append(refused.value.tool_text)
    assert said[0] == said[1]


def test_what_is_not_known_is_looked_for_once_among_what_machines_share() -> None:
    whole = XtBlocks(blocks())
    nets = {name: machine(name) for name in ("a", "b")}
    known = frozenset(whole.chains)
    for name, net in nets.items():
        apply(net, XtChains(netns=name, table="nat", blocks=whole, gone=("OLD",)))
        rows = net.spaces[name].xt.tables["nat"]
        assert isinstance(rows, Layered) and rows.beyond(known) == {"MINE", "PREROUTING"}
    assert nets["a"].spaces["a"].xt.tables["nat"]._beyond is nets["b"].spaces["b"].xt.tables["nat"]._beyond  # type: ignore[attr-defined]


NAMES = [f"SVC-{n}" for n in range(8)] + ["NEW-1", "NEW-2"]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.none() | st.lists(st.sampled_from([*NAMES, "FAR", "AWAY"]), max_size=3)
    ),
    max_size=12,
)


@given(st.lists(CHANGES, max_size=4))
def test_what_is_renewed_is_what_would_be_made_anew(rounds: list[list[tuple[str, list[str] | None]]]) -> None:
    """One round: chains by name with where they go, None for one that goes."""
    there = {block.name: block for block in blocks()}
    renewed = XtBlocks(there.values())
    for changes in rounds:
        last = dict(changes)
        gone = [name for name, to in last.items() if to is None and name in there]
        new = [XtBlock(name=n, rules=tuple(map(rule, to))) for n, to in last.items() if to is not None]
        for name in gone:
            del there[name]
        there |= {block.name: block for block in new}
        before = renewed
        renewed = renewed.renewed(new, gone)
        fresh = XtBlocks(there.values())
        assert {n: b.rules for n, b in renewed.blocks.items()} == {n: b.rules for n, b in there.items()}
        assert {n: c.rules for n, c in renewed.chains.items()} == {
            n: c.rules for n, c in fresh.chains.items()
        }
        assert {n: k for n, k in renewed.goals.items() if k} == fresh.goals
        assert renewed.outside == fresh.outside and len(renewed) == len(there)
        assert before is not renewed
