"""What the expressions of nft look at while one packet meets one base chain.

Rules. Headers are read from the skb's packet each time that it has changed (`ip saddr set`, a mangled TTL); mark,
devices and connection are always read from the skb. A loader returns None where the kernel breaks the rule off: the
rule then does not match, whatever it compares with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.linux.packet import Icmp, IPv4, Packet, Sctp, Tcp, Udp

if TYPE_CHECKING:  # the rows stand below the Net in the import order
    from engine.linux.choose import Choose
    from engine.linux.net import Net, Netns
    from engine.linux.nft.tables import Chain, Table
    from engine.linux.skb import Skb


class Seen:
    """One traversal. `hook` as the walker names it ("PREROUTING"), `family` of the table, `table` and `chain` as they
    stand now, `rule` the handle of the rule that is tried, `decided` the set or map element that was found last."""

    __slots__ = (
        "_ip", "_l4", "_packet", "chain", "choose", "decided", "family", "hook", "net", "ns", "rule", "skb", "table",
    )  # fmt: skip

    def __init__(self, net: Net, ns: Netns, hook: str, family: str, skb: Skb, choose: Choose) -> None:
        self.net, self.ns, self.hook, self.family, self.skb, self.choose = net, ns, hook, family, skb, choose
        self._packet: Packet | None = None
        self._ip: IPv4 | None = None
        self._l4: Tcp | Udp | Sctp | Icmp | None = None
        self.table: Table
        self.chain: Chain
        self.rule = 0
        self.decided = ""

    def _look(self) -> None:
        packet = self.skb.packet
        if packet is not self._packet:
            self._packet = packet
            self._ip = packet.ip if packet.has_ip else None
            self._l4 = packet.l4

    @property
    def ip(self) -> IPv4 | None:
        if self.skb.packet is not self._packet:
            self._look()
        return self._ip

    @property
    def l4(self) -> Tcp | Udp | Sctp | Icmp | None:
        if self.skb.packet is not self._packet:
            self._look()
        return self._l4
