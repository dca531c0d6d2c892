"""The lookup: rules, longest prefix, metric, types; and what the tables local and main are to each other."""

from __future__ import annotations

from typing import Any

import pytest

from engine.linux.addr import Prefix, ip4
from engine.linux.fib import DEFAULT, DEFAULT_RULES, LOCAL, MAIN, Lookup, Route, Rule, Table, lookup
from engine.linux.flow import FlowKey
from engine.linux.net import Netns


def net(text: str) -> Prefix:
    return Prefix.parse(text)


def tables(*routes: Route) -> dict[int, Table]:
    out = {LOCAL: Table(), MAIN: Table(), DEFAULT: Table()}
    for route in routes:
        out.setdefault(route.table, Table()).add(route)
    return out


def ask(
    dst: str, rules: list[Rule], rows: dict[int, Table], *, split: bool | None = None, **given: Any
) -> Lookup:
    names = {"lo": 1, "eth0": 7, "eth1": 8}
    ns = Netns(id="h", box="h", label="root", inode=1, names=names, tables=rows, rules=rules)
    ns.fib_split = tuple(rules) != DEFAULT_RULES if split is None else split
    return lookup(ns, FlowKey(dst=ip4(dst), **given))


def found(dst: str, rules: list[Rule], rows: dict[int, Table], **given: Any) -> Route | None:
    return ask(dst, rules, rows, **given).route


WIDE = Route(dst=net("10.0.0.0/8"), oif=1)
NARROW = Route(dst=net("10.1.0.0/16"), oif=2)
WORSE = Route(dst=net("10.1.0.0/16"), oif=3, metric=9)
OWN = Route(dst=net("10.1.1.1"), type="local", oif=2, table=LOCAL, scope="host")
RULES = list(DEFAULT_RULES)


def test_longest_prefix_then_metric() -> None:
    rows = tables(WIDE, WORSE, NARROW, OWN)
    assert found("10.1.2.3", RULES, rows) == NARROW
    assert found("10.2.2.3", RULES, rows) == WIDE
    assert found("10.1.1.1", RULES, rows) == OWN
    assert found("11.0.0.1", RULES, rows) is None
    rows[MAIN].remove(NARROW)
    assert found("10.1.2.3", RULES, rows) == WORSE


def test_the_deciding_rule_is_told() -> None:
    rows = tables(WIDE, OWN)
    for dst, table in (("10.1.1.1", LOCAL), ("10.2.2.2", MAIN)):
        rule = ask(dst, RULES, rows).rule
        assert rule is not None and rule.table == table


def test_local_and_main_are_one_tree_until_rules_are_touched() -> None:
    anycast = Route(dst=net("10.0.0.0/8"), type="local", oif=1, table=LOCAL, scope="host")
    rows = tables(anycast, NARROW)
    assert found("10.1.2.3", RULES, rows) == NARROW
    assert found("10.1.2.3", RULES, rows, split=True) == anycast
    assert found("10.1.2.3", [*RULES[:1], Rule(priority=5, table=7), *RULES[1:]], rows) == anycast


def test_throw_goes_on_with_the_next_rule() -> None:
    throw = Route(dst=net("10.1.0.0/16"), type="throw", table=100)
    rows = tables(WIDE, throw)
    rules = [RULES[0], Rule(priority=9, table=100), *RULES[1:]]
    assert found("10.1.2.3", rules, rows) == WIDE


@pytest.mark.parametrize(
    ("rule", "given", "holds"),
    [
        (Rule(priority=9, table=100, src=net("10.0.0.0/8")), {"src": ip4("10.3.3.3")}, True),
        (Rule(priority=9, table=100, src=net("10.0.0.0/8")), {"src": ip4("11.3.3.3")}, False),
        (Rule(priority=9, table=100, dst=net("9.9.9.9")), {}, True),
        (Rule(priority=9, table=100, iif="eth0"), {"iif": "eth0"}, True),
        (Rule(priority=9, table=100, iif="eth0"), {"iif": "eth1"}, False),
        (Rule(priority=9, table=100, oif="eth0"), {"oif": "eth0"}, True),
        (Rule(priority=9, table=100, fwmark=0x80, fwmask=0x80), {"mark": 0xFF}, True),
        (Rule(priority=9, table=100, fwmark=0x80, fwmask=0x80), {"mark": 0x7F}, False),
        (Rule(priority=9, table=100, fwmark=0, fwmask=0xFF), {"mark": 0x100}, True),
        (Rule(priority=9, table=100, fwmark=7, fwmask=0xFFFFFFFF, invert=True), {"mark": 7}, False),
        (Rule(priority=9, table=100, fwmark=7, fwmask=0xFFFFFFFF, invert=True), {"mark": 8}, True),
        (Rule(priority=9, table=55), {}, False),
    ],
)
def test_selectors(rule: Rule, given: dict[str, object], holds: bool) -> None:
    there = Route(dst=Prefix(0, 0), oif=7, table=100)
    rows = tables(there)
    assert (found("9.9.9.9", [RULES[0], rule, *RULES[1:]], rows, **given) == there) == holds


@pytest.mark.parametrize("action", ["blackhole", "unreachable", "prohibit"])
def test_a_rule_that_refuses_ends_the_lookup(action: str) -> None:
    rule = Rule(priority=9, table=0, action=action)
    answer = ask("10.0.0.1", [RULES[0], rule, *RULES[1:]], tables(WIDE))
    assert answer.rule == rule
    assert answer.route is not None and (answer.route.type, answer.route.table) == (action, 0)


def test_order_of_listing() -> None:
    rows = tables(NARROW, WIDE, WORSE, Route(dst=Prefix(0, 0), oif=1), Route(dst=net("10.0.0.0/24"), oif=1))
    listed = [(str(r.dst), r.metric) for r in rows[MAIN].routes()]
    assert listed == [
        ("0.0.0.0/0", 0), ("10.0.0.0/24", 0), ("10.0.0.0/8", 0), ("10.1.0.0/16", 0), ("10.1.0.0/16", 9),
    ]  # fmt: skip
