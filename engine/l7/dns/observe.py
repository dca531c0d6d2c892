"""The plugins that watch or arrange answers: errors, log, loadbalance.

Source: coredns plugin/{errors,log,loadbalance,pkg/replacer}.
"""

from __future__ import annotations

from engine.l7.dns.chain import Next, Query, Reply, matches, write
from engine.linux.addr import text4
from engine.linux.wire.dns import PLAIN_SIZE, RCODES, Message, Record
from engine.record import dataclass, replace

#: what a question costs inside the program, as the log shows it
DURATION = "0.000126s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Writes every error of the chain: `2 example.com. A: read udp ...: i/o timeout`."""

    def serve(self, query: Query, next: Next) -> Reply:
        reply = next(query)
        if reply.error:
            text = f"plugin/errors: {RCODES.get(reply.rcode, 2)} {query.name} {query.message.type}: {reply.error}"
            write(query, "ERROR", text)
        return reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A line for every question whose name is in a scope. `classes`: all, success, denial, error."""

    scopes: tuple[str, ...] = (".",)
    classes: tuple[str, ...] = ("all",)

    def serve(self, query: Query, next: Next) -> Reply:
        if not matches(self.scopes, query.name) or query.inner:
            return next(query)
        reply = next(query)
        message = reply.message or query.message.reply(reply.rcode)
        if "all" in self.classes or class_of(message) in self.classes:
            write(query, "INFO", line(query, message))
        return reply


def class_of(message: Message) -> str:
    """response.Classify: success, denial or error."""
    if message.rcode == "NXDOMAIN":
        return "denial"
    if message.rcode == "NOERROR":
        soa = any(r.type == "SOA" for r in message.authority)
        return "success" if message.answers or not soa else "denial"
    return "error"


def line(query: Query, message: Message) -> str:
    """The common log format."""
    asked = query.message
    client = query.delivery.client
    size = len(replace(asked, packed=False).encode())
    proto = "tcp" if query.tcp else "udp"
    # state.Size: what the client takes: 512 without EDNS, everything by TCP
    room = max(asked.edns, PLAIN_SIZE) if asked.edns else 65535 if query.tcp else PLAIN_SIZE
    flags = ",".join(message.flags)
    return (
        f'{text4(client[0])}:{client[1]} - {asked.id} "{asked.type} IN {query.name} {proto} {size} false {room}" '
        f"{message.rcode} {flags} {len(message.encode())} {DURATION}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalance:
    """Shuffles the addresses of an answer: which comes first is a random choice; the others follow in a ring."""

    def serve(self, query: Query, next: Next) -> Reply:
        reply = next(query)
        message = reply.message
        if message is None or message.rcode != "NOERROR":
            return reply
        answers = shuffled(message.answers, query)
        additional = shuffled(message.additional, query)
        return replace(reply, message=replace(message, answers=answers, additional=additional))


def shuffled(records: tuple[Record, ...], query: Query) -> tuple[Record, ...]:
    """CNAMEs first, then the rest, then addresses in a ring, then MX."""
    if len(records) < 2:
        return records
    by = {"CNAME": 0, "A": 2, "AAAA": 2, "MX": 3}
    parts: list[list[Record]] = [[], [], [], []]
    for record in records:
        parts[by.get(record.type, 1)].append(record)
    if len(parts[2]) > 1:
        first = query.delivery.choose.pick("dns answer", len(parts[2]))
        parts[2] = parts[2][first:] + parts[2][:first]
    return tuple(r for part in parts for r in part)
