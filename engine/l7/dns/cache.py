"""The plugin cache: answers are kept for their TTL on the virtual clock, denials apart from successes.

Theory. The key is the name and the type. A success is kept for the smallest TTL of its records, at least 5 s and at
most `success_ttl`; a denial (NXDOMAIN, or no data with a SOA) likewise up to `denial_ttl`; SERVFAIL for 5 s. The
records of each answer that goes by get that time as their TTL, of the first one too and of one that is not kept. What
is given out of the cache has its TTL counted down and the AA flag set.

Source: coredns plugin/cache, plugin/pkg/response/typify.go, plugin/pkg/dnsutil/ttl.go.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.l7.dns.chain import Next, Query, Reply, matches
from engine.linux.wire.dns import TRANSFERS, Message, Record
from engine.record import dataclass, replace

SIZE = 9984
LEAST = 5.0
MOST_SUCCESS, MOST_DENIAL = 3600.0, 1800.0
DEFAULT_TTL = 5.0


class Item(NamedTuple):
    message: Message
    stored: float
    until: float


def kind(message: Message) -> str:
    """success, denial, failure, or "" for other errors (response.Typify)."""
    if message.type in TRANSFERS:
        return ""
    soa = any(r.type == "SOA" for r in message.authority)
    if message.rcode == "NOERROR":
        return "denial" if soa and not message.answers else "success"
    if message.rcode == "NXDOMAIN":
        return "denial" if soa else ""
    return "failure" if message.rcode in ("SERVFAIL", "NOTIMP") else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """`no_success`, `no_denial`: zones that `disable` keeps out, None = no such line."""

    zones: tuple[str, ...]
    success_size: int = SIZE
    success_ttl: float = MOST_SUCCESS
    success_min: float = LEAST
    denial_size: int = SIZE
    denial_ttl: float = MOST_DENIAL
    denial_min: float = LEAST
    servfail_ttl: float = LEAST
    no_success: tuple[str, ...] = ()
    no_denial: tuple[str, ...] = ()
    keep_ttl: bool = False

    def serve(self, query: Query, next: Next) -> Reply:
        if not matches(self.zones, query.name):
            return next(query)
        key = ("cache", query.server.block, query.name, query.message.type)
        found = query.memory.get(key)
        if isinstance(found, Item) and found.until > query.now:
            return Reply(message=self.old(found, query))
        reply = next(query)
        if reply.message is None:
            return reply
        what = kind(reply.message)
        ttl = self.ttl(reply.message, what)
        message = aged(reply.message, int(ttl))
        if what and not message.tc and ttl > 0 and not self.disabled(what, query.name):
            self.room(query.memory, query.now)
            query.memory[key] = Item(message, query.now, query.now + ttl)
        return replace(reply, message=message)

    def disabled(self, what: str, name: str) -> bool:
        zones = {"success": self.no_success, "denial": self.no_denial}.get(what, ())
        return bool(matches(zones, name))

    def ttl(self, message: Message, what: str) -> float:
        """How long it holds."""
        if what == "failure":
            return self.servfail_ttl
        records = (*message.answers, *message.authority, *message.additional) if what else ()
        least = min((float(r.ttl) for r in records), default=DEFAULT_TTL)
        if what == "denial":
            return min(max(least, self.denial_min), self.denial_ttl)
        return min(max(least, self.success_min), self.success_ttl)

    def room(self, memory: dict[object, object], now: float) -> None:
        """What has run out goes; when the cache is full, so does its oldest item."""
        items = [(k, v) for k, v in memory.items() if isinstance(v, Item)]
        for key, item in items:
            if item.until <= now:
                del memory[key]
        live = [(v.stored, k) for k, v in items if v.until > now]
        if len(live) >= self.success_size + self.denial_size:
            del memory[min(live, key=lambda row: row[0])[1]]

    def old(self, item: Item, query: Query) -> Message:
        age = 0 if self.keep_ttl else int(query.now - item.stored)
        left = int(item.until - item.stored) - age
        base = query.message.reply(item.message.rcode)
        kept = aged(item.message, left)
        return replace(
            base,
            aa=True,
            ra=kept.ra,
            answers=kept.answers,
            authority=kept.authority,
            additional=kept.additional,
        )


def aged(message: Message, ttl: int) -> Message:
    """The message with this TTL, in seconds, on all its records (filterRRSlice)."""

    def all_of(records: tuple[Record, ...]) -> tuple[Record, ...]:
        return tuple(replace(r, ttl=ttl) for r in records)

    return replace(
        message, answers=all_of(message.answers), authority=all_of(message.authority),
        additional=all_of(message.additional),
    )  # fmt: skip
