"""What the kernel refuses of a rule where it stands: NAT or reject at the wrong hook, a question to the routing table
too, a loop, too many jumps.

Theory. After each batch nft_table_validate() walks from every base chain through everything that it reaches, rules and
verdict maps: no deeper than 16, never back to where it came from; dnat, snat, masquerade, redirect and reject look at
the base chain's type and hook. Sources: nf_tables_api.c, nft_nat.c, nft_masq.c, nft_redir.c, nft_reject.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.linux.nft.changes import NatTo
from engine.linux.nft.exprs import Bits, Concat, Expr, Fib, Hash, Lookup
from engine.linux.nft.rule import Rule
from engine.linux.nft.sets import Verdict
from engine.linux.nft.statements import Reject
from engine.linux.nft.tables import Base, Table

DEPTH = 16
NAT_HOOKS = {
    "dnat": ("prerouting", "output"), "redirect": ("prerouting", "output"), "snat": ("postrouting", "input"),
    "masquerade": ("postrouting",),
}  # fmt: skip
FIB_IN, FIB_OUT = ("prerouting", "input", "forward"), ("output", "postrouting", "forward")
REJECT_HOOKS = ("prerouting", "input", "forward", "output")


def unfit(rule: Rule, base: Base) -> bool:
    """Does something in the rule not work below this base chain?"""
    for s in rule.statements:
        if isinstance(s, NatTo) and (base.type != "nat" or base.hook not in NAT_HOOKS[s.kind]):
            return True
        if isinstance(s, Reject) and base.hook not in REJECT_HOOKS:
            return True
        for expr in s.exprs():
            for fib in fibs(expr):
                if base.hook not in fib_hooks(fib):
                    return True
    return False


def fibs(expr: Expr) -> Iterator[Fib]:
    if isinstance(expr, Fib):
        yield expr
    for part in getattr(expr, "parts", ()) if isinstance(expr, Concat) else ():
        yield from fibs(part)
    if isinstance(expr, Bits | Lookup | Hash):
        yield from fibs(expr.of)


def fib_hooks(fib: Fib) -> tuple[str, ...]:
    """Where a question to the routing table may be asked (nft_fib_validate)."""
    if fib.result != "type" or "iif" in fib.flags:
        return FIB_IN
    return FIB_OUT if "oif" in fib.flags else ("prerouting", "input", "forward", "output", "postrouting")


def targets(table: Table, rule: Rule) -> Iterator[str]:
    yield from rule.targets()
    for s in rule.statements:
        for source in s.sources():
            name = getattr(source, "name", "")
            there = table.sets.get(name) if name else None
            if there is not None and there.kind == "verdict":
                for e in there.elements.values():
                    if isinstance(e.data, Verdict) and e.data.chain:
                        yield e.data.chain


def wrong(table: Table, chain: str, rule: Rule) -> str:
    """The errno with which the kernel refuses `rule` in `chain`, or ""."""
    picky = any(isinstance(s, NatTo | Reject) or any(fibs(e) for e in s.exprs()) for s in rule.statements)
    if not picky and not any(True for _ in targets(table, rule)):
        return ""
    for base in table.chains.values():
        if base.base is not None:
            error = walk(table, base.name, base.base, chain, rule, set(), [])
            if error:
                return error
    return ""


def sound(table: Table) -> str:
    """The errno with which the kernel refuses the table as a whole, or ""."""
    for base in table.chains.values():
        if base.base is not None:
            error = walk(table, base.name, base.base, "", None, set(), [])
            if error:
                return error
    return ""


def walk(
    table: Table, name: str, base: Base, extra_in: str, extra: Rule | None, done: set[str], path: list[str]
) -> str:
    """Go through what the base chain reaches from `name` on; `extra` is a rule that is about to be added to
    `extra_in`."""
    if name in path or len(path) >= DEPTH:
        return "EMLINK"
    if name in done:
        return ""
    rules = table.chains[name].rules
    for rule in (*rules, extra) if extra is not None and name == extra_in else rules:
        if unfit(rule, base):
            return "EOPNOTSUPP"
        for target in targets(table, rule):
            if target in table.chains:
                error = walk(table, target, base, extra_in, extra, done, [*path, name])
                if error:
                    return error
    done.add(name)
    return ""
