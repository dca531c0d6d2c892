"""Which source address the kernel puts on its own packets.

Theory. `inet_select_addr` (net/ipv4/devinet.c).
"""

from __future__ import annotations

from engine.linux.addr import Prefix
from engine.linux.fib import SCOPES
from engine.linux.net import Netns
from engine.linux.rows import Link


def select_address(ns: Netns, link: Link | None, dst: int, scope: str = "global") -> int:
    """The device's primary address in the destination's subnet, else its first of this scope, else another device's;
    0 when there is none."""
    top = SCOPES[scope]
    best = 0
    for row in ns.addresses.get(link.ifindex, ()) if link is not None else ():
        if row.secondary or SCOPES[row.scope] > top:
            continue
        if not dst or dst in Prefix(row.addr, row.length):
            return row.addr
        best = best or row.addr
    if best:
        return best
    for index in sorted(ns.addresses):
        for row in ns.addresses[index]:
            if not row.secondary and row.scope != "link" and SCOPES[row.scope] <= top:
                return row.addr
    return 0


def loopback(ns: Netns) -> str:
    """The name of the loopback device, which may have been changed."""
    return ns.links[1].name
