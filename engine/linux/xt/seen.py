"""What matches and targets look at while one packet walks one table.

Rules. Headers are taken out of the packet once, here, because a chain may test thousands of rules. Everything
else (mark, conntrack entry, devices) is read from the skb, which targets change.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from engine.linux.packet import Icmp, Sctp, Tcp, Udp

if TYPE_CHECKING:  # the rows stand below the Net in the import order
    from engine.linux.choose import Choose
    from engine.linux.net import Net, Netns
    from engine.linux.skb import Skb
    from engine.linux.xt.tables import Chain


class Seen:
    """The packet of one traversal. `kind` is "tcp", "udp", "sctp", "icmp" or "" by the header that is there; ports
    are 0 without one. `chain` and `index` name the rule that is tested now (only kept for rules with a state);
    `waiting` are the sockets of this act that have a connection."""

    __slots__ = (
        "chain", "choose", "dport", "dst", "hook", "iif", "index", "kind", "l4", "net", "ns", "oif", "proto", "skb",
        "sport", "src", "table", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        net: Net,
        ns: Netns,
        table: str,
        hook: str,
        skb: Skb,
        choose: Choose,
        waiting: Sequence[Any] = (),
    ) -> None:
        ip, l4 = skb.packet.ip, skb.packet.l4
        self.net, self.ns, self.table, self.hook, self.skb, self.choose = net, ns, table, hook, skb, choose
        self.src, self.dst, self.proto, self.l4 = ip.src, ip.dst, ip.proto, l4
        self.iif, self.oif = skb.iif, skb.oif
        self.sport = self.dport = 0
        self.kind = ""
        if isinstance(l4, Tcp | Udp | Sctp):
            self.sport, self.dport = l4.sport, l4.dport
            self.kind = "tcp" if isinstance(l4, Tcp) else "udp" if isinstance(l4, Udp) else "sctp"
        elif isinstance(l4, Icmp):
            self.kind = "icmp"
        self.chain: Chain | None = None
        self.index = 0
        self.waiting = waiting

    def recall(self, match: Hashable, default: Any) -> Any:
        """What a match of the rule that is tested now has remembered."""
        assert self.chain is not None
        cell = self.chain.states[self.index]
        return default if cell is None else cell.get(match, default)

    def remember(self, match: Hashable, value: Any) -> None:
        assert self.chain is not None
        self.chain.states[self.index] = {**(self.chain.states[self.index] or {}), match: value}
