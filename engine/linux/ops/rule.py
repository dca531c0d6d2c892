"""Ops on policy rules (man ip-rule). Source: net/core/fib_rules.c, net/ipv4/fib_rules.c."""

from __future__ import annotations

from engine.errors import OpError
from engine.linux.addr import Prefix
from engine.linux.fib import ANY, MAIN, RULE_ACTIONS, TOS_BITS, Rule
from engine.linux.net import Net, Netns
from engine.linux.ops.base import Op, handles
from engine.record import dataclass, replace

EXISTS = "RTNETLINK answers: File exists"
NOT_THERE = "RTNETLINK answers: No such file or directory"
Range = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRule(Op):
    """`ip rule add`. `priority` -1 = the kernel's choice: one less than the first rule after priority 0's. The other
    fields are Rule's."""

    netns: str
    priority: int = -1
    table: int = MAIN
    src: Prefix = ANY
    dst: Prefix = ANY
    iif: str = ""
    oif: str = ""
    fwmark: int = 0
    fwmask: int = 0
    action: str = "lookup"
    proto: str = "unspec"
    invert: bool = False
    tos: int = 0
    ipproto: int = 0
    sport: Range | None = None
    dport: Range | None = None
    uids: Range | None = None
    suppress: int = -1
    target: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DelRule(Op):
    """`ip rule del`: the first rule for which every given field is equal; None = not given. The kernel does not look at
    `invert` and `target` here, so neither do we."""

    netns: str
    priority: int | None = None
    table: int | None = None
    src: Prefix | None = None
    dst: Prefix | None = None
    iif: str | None = None
    oif: str | None = None
    fwmark: int | None = None
    fwmask: int | None = None
    action: str | None = None
    invert: bool = False
    proto: str | None = None
    tos: int | None = None
    ipproto: int | None = None
    sport: Range | None = None
    dport: Range | None = None
    uids: Range | None = None
    suppress: int | None = None
    target: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushRules(Op):
    """`ip rule flush`: all rules but that of priority 0."""

    netns: str


def free_priority(rules: list[Rule]) -> int:
    """`fib_default_rule_pref`: one below the second rule in the list; 0 when there is none."""
    return max(rules[1].priority - 1, 0) if len(rules) > 1 and rules[1].priority else 0


def empty_table(ns: Netns) -> int:
    """`fib_empty_table`: the first number that no table has; a rule for table 0 gets it."""
    return next(number for number in range(1, 256) if number not in ns.tables)


@handles(AddRule)
def _add_rule(net: Net, op: AddRule) -> None:
    ns = net.spaces[op.netns]
    if op.action not in RULE_ACTIONS:
        raise ValueError(f"rule action {op.action!r}")
    if op.tos & 3:
        raise OpError("EINVAL", "Error: Invalid dsfield (tos): ECN bits must be 0.")
    if op.tos & ~TOS_BITS:
        raise OpError("EINVAL", "Error: Invalid tos.")
    priority = free_priority(ns.rules) if op.priority < 0 else op.priority
    if op.action == "goto" and op.target <= priority:
        raise OpError("EINVAL", "Error: Backward goto not supported.")
    for ports in (op.sport, op.dport):
        if ports is not None and (ports[0] == 0 or ports[1] > 65534 or ports[0] > ports[1]):
            side = "sport" if ports is op.sport else "dport"
            raise OpError("EINVAL", f"Error: Invalid {side} range.")
    rule = Rule(
        priority=priority, table=(op.table or empty_table(ns)) if op.action == "lookup" else 0, src=op.src,
        dst=op.dst, iif=op.iif, oif=op.oif, fwmark=op.fwmark,
        fwmask=op.fwmask or (0xFFFFFFFF if op.fwmark else 0), action=op.action,
        proto=op.proto, invert=op.invert, tos=op.tos, ipproto=op.ipproto, sport=op.sport, dport=op.dport,
        uids=op.uids, suppress=op.suppress, target=op.target if op.action == "goto" else 0,
    )  # fmt: skip
    # The kernel compares neither the protocol, nor `not`, nor where goto goes.
    if any(bare(r) == bare(rule) for r in ns.rules):
        raise OpError("EEXIST", EXISTS)
    ns.fib_split = True
    at = sum(1 for r in ns.rules if r.priority <= rule.priority)
    ns.rules.insert(at, rule)


def bare(rule: Rule) -> Rule:
    """What rule_exists compares."""
    return replace(rule, proto="unspec", invert=False, target=0)


@handles(DelRule)
def _del_rule(net: Net, op: DelRule) -> None:
    ns = net.spaces[op.netns]
    wanted = {
        name: value
        for name in (
            "priority", "table", "src", "dst", "iif", "oif", "fwmark", "fwmask", "action", "proto", "tos", "ipproto",
            "sport", "dport", "uids", "suppress",
        )
        if (value := getattr(op, name)) is not None
    }  # fmt: skip
    for place, rule in enumerate(ns.rules):
        if all(getattr(rule, name) == value for name, value in wanted.items()):
            del ns.rules[place]
            ns.fib_split = True
            return
    raise OpError("ENOENT", NOT_THERE)


@handles(FlushRules)
def _flush_rules(net: Net, op: FlushRules) -> None:
    ns = net.spaces[op.netns]
    ns.rules[:] = [r for r in ns.rules if r.priority == 0]
    ns.fib_split = True
