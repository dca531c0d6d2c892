"""The plugin hosts: a table of addresses and names, from a file or written in the Corefile.

Source: coredns plugin/hosts.
"""

from __future__ import annotations

import ipaddress

from engine.l7.dns.chain import Next, Query, Reply, falls, matches
from engine.linux.addr import text4
from engine.linux.wire.dns import Record, unreverse
from engine.record import dataclass, replace


def read_hosts(text: str) -> tuple[tuple[str, str], ...]:
    """(address, name.) of each name in a hosts file."""
    out = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        try:
            address = str(ipaddress.ip_address(words[0]))
        except ValueError:
            continue
        out += [(address, name.lower().rstrip(".") + ".") for name in words[1:]]
    return tuple(out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """`fall` None: no fallthrough. `reverse`: PTR questions are answered from the table."""

    zones: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]
    fall: tuple[str, ...] | None = None
    ttl: int = 3600
    reverse: bool = True

    def serve(self, query: Query, next: Next) -> Reply:
        name, type = query.name, query.message.type
        if not matches(self.zones, name) and type != "PTR":
            return next(query)
        if type == "PTR":
            address = unreverse(name)
            names = [n for a, n in self.rows if self.reverse and address is not None and a == text4(address)]
            if not names:
                return next(query)
            return self.answer(query, names)
        here = [a for a, n in self.rows if n == name]
        found = [a for a in here if (":" in a) == (type == "AAAA")] if type in ("A", "AAAA") else []
        if not found and not here:
            return next(query) if falls(self.fall, name) else Reply(rcode="SERVFAIL")
        return self.answer(query, list(dict.fromkeys(found)))

    def answer(self, query: Query, data: list[str]) -> Reply:
        asked = query.message
        records = tuple(Record(name=asked.name, type=asked.type, ttl=self.ttl, data=d) for d in data)
        return Reply(message=replace(asked.reply(), aa=True, answers=records))
