"""The op on nft's tables: one batch of commands as text, all or nothing.

Rules. As everywhere: it happens whole or raises (NftRefused, whose text is nft's own) and changes nothing. `flush
ruleset` empties iptables' tables too, because on these machines iptables is the nf_tables variant and its tables are
nft's.
"""

from __future__ import annotations

from engine.linux.net import Net, Netns
from engine.linux.nft.batch import Batch
from engine.linux.nft.lexer import NftError
from engine.linux.nft.parse import commands
from engine.linux.nft.refused import NftRefused
from engine.linux.ops.base import Op, handles
from engine.linux.xt.tables import LAYOUT, Xtables
from engine.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NftApply(Op):
    """`nft -f` of `text`. `source` is the file's name in errors, "" for a command line."""

    netns: str
    text: str
    source: str = ""


def xt_there(ns: Netns, hook: str) -> frozenset[str]:
    """The tables of iptables that stand at a hook now."""
    return frozenset(table for table, _ in LAYOUT[hook] if ns.xt.chain(table, hook) is not None)


@handles(NftApply)
def _apply(net: Net, op: NftApply) -> None:
    ns = net.spaces[op.netns]
    try:
        cmds = commands(op.text, dict(ns.names))
    except NftError as error:
        raise NftRefused([error], op.text.split("\n"), op.source) from None
    before = ns.nft
    for strict in (False, True):
        work = before.copy()
        batch = Batch(
            work,
            devices=dict(ns.names),
            now=net.clock,
            xt_there=lambda hook: xt_there(ns, hook),
            strict=strict,
        )
        errors = batch.run([c for c in cmds if c.verb != "list"])
        if errors:
            raise NftRefused(errors, op.text.split("\n"), op.source)
        if strict or batch.sound:
            break
        cmds = commands(op.text, dict(ns.names))
    ns.nft = work
    if batch.flushed_all:
        ns.xt = Xtables()
