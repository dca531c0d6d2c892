"""Putting dockerd's rules into a namespace and taking them out again.

Rules. As moby's iptables package: append and insert only what is not there yet, delete only what is. A chain that
a rule needs and that somebody deleted gives DockerError with iptables' own words, as the daemon's error would.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from engine.docker import rules
from engine.docker.errors import DockerError
from engine.docker.rules import DockerRule
from engine.errors import OpError
from engine.linux.ops import Changes, Op
from engine.linux.ops.xt import XtAppend, XtDelete, XtDeleteChain, XtFlush, XtInsert, XtNewChain, XtPolicy
from engine.linux.xt.parse import parse
from engine.linux.xt.rule import XtRule

FAILED = (
    "Failed to Setup IP tables: Unable to enable {what} rule:  (iptables failed: iptables --wait -t {rule}: {text}\n"
    " (exit status 1))"
)


@cache
def row(args: str) -> XtRule:
    """The words of a rule as a row."""
    return parse(["-A", "CHAIN", *args.split()]).rules[0]


class Firewall:
    """One namespace's tables, as dockerd changes them."""

    def __init__(self, changes: Changes, netns: str) -> None:
        self.changes = changes
        self.netns = netns

    def chain(self, table: str, name: str) -> bool:
        return name in self.changes.net.spaces[self.netns].xt.tables.get(table, {})

    def has(self, rule: DockerRule) -> bool:
        chains = self.changes.net.spaces[self.netns].xt.tables.get(rule.table, {})
        chain = chains.get(rule.chain)
        return chain is not None and row(rule.args) in chain.rules

    def put(self, rule: DockerRule) -> None:
        """Append or insert, unless it is there. Raises DockerError."""
        if self.has(rule):
            return
        kind = XtInsert if rule.insert else XtAppend
        op = kind(netns=self.netns, table=rule.table, chain=rule.chain, rules=(row(rule.args),))
        self._do(op, rule)

    def take(self, rule: DockerRule) -> None:
        """Delete, if it is there."""
        if self.has(rule):
            self._do(
                XtDelete(netns=self.netns, table=rule.table, chain=rule.chain, rules=(row(rule.args),)), rule
            )

    def put_all(self, many: Iterable[DockerRule]) -> None:
        for rule in many:
            self.put(rule)

    def take_all(self, many: Iterable[DockerRule]) -> None:
        for rule in many:
            self.take(rule)

    def new_chain(self, table: str, name: str) -> None:
        if not self.chain(table, name):
            self.changes.do(XtNewChain(netns=self.netns, table=table, chain=name))

    def drop_chain(self, table: str, name: str) -> None:
        """Flush and delete; a chain that somebody still jumps to stays, empty."""
        if self.chain(table, name):
            self.changes.do(XtFlush(netns=self.netns, table=table, chain=name))
            try:
                self.changes.do(XtDeleteChain(netns=self.netns, table=table, chain=name))
            except OpError as error:
                if error.errno != "EBUSY":
                    raise

    def jump_on_top(self, chain: str, target: str) -> None:
        """EnsureJumpRule: the jump stands first in its chain."""
        jump = DockerRule("filter", chain, f"-j {target}", insert=True)
        self.take(jump)
        self.put(jump)

    def policy(self, chain: str, word: str) -> None:
        self.changes.do(XtPolicy(netns=self.netns, table="filter", chain=chain, policy=word))

    def _do(self, op: Op, rule: DockerRule) -> None:
        try:
            self.changes.do(op)
        except OpError as error:
            said = f"{rule.table} -A {rule.chain} {rule.args}"
            raise DockerError(FAILED.format(what="DOCKER", rule=said, text=error.tool_text)) from None

    # ---- the daemon's own chains

    def start(self, hairpin: bool) -> None:
        """NewIptabler and setupUserChain: remove what an earlier daemon left, make the chains and the jumps."""
        for jump in (*rules.nat_jumps(False), *rules.nat_jumps(True)):
            self.take(jump)
        for table, name in rules.OLD_CHAINS:
            self.drop_chain(table, name)
        self.new_chain("nat", "DOCKER")
        for name in rules.FILTER_CHAINS:
            self.new_chain("filter", name)
        self.put_all(rules.nat_jumps(hairpin))
        for chain, target in rules.JUMPS:
            self.jump_on_top(chain, target)
        self.new_chain("filter", rules.USER_CHAIN)
        self.jump_on_top("FORWARD", rules.USER_CHAIN)

    def start_resolver(self, tcp: int, udp: int) -> None:
        """The chains of docker's name service, in a container's namespace."""
        for name in ("DOCKER_OUTPUT", "DOCKER_POSTROUTING"):
            self.new_chain("nat", name)
        self.put_all(rules.resolver_rules(tcp, udp))
