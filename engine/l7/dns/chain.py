"""What passes through CoreDNS's chain: a Query on its way in, a Reply on its way out.

Theory. A plugin is a frozen record of its settings with `serve(query, next)`; `next` is the rest of the chain. A
plugin answers with a message, or with an rcode and an error that the server turns into a message after `errors` has
written it down. What a running program remembers (its cache, the health of its upstreams) is in `Query.memory`,
frozen values by key, which live in the box's memory of that process.

Rules. No plugin knows another. Time is the Net's clock. Upstream questions are real packets: their legs are kept in
`Query.legs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from engine.linux.exchange import Delivery
from engine.linux.journey import Leg
from engine.linux.wire.dns import Message
from engine.record import dataclass

if TYPE_CHECKING:
    from engine.l7.dns.setup import Server

#: rcodes that a plugin leaves for the server to write (plugin.ClientWrite is false)
UNWRITTEN = ("SERVFAIL", "REFUSED", "FORMERR", "NOTIMP")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`message` None: the server makes one of `rcode`. `error` is what `errors` logs."""

    message: Message | None = None
    rcode: str = "NOERROR"
    error: str = ""


@dataclass(slots=True, kw_only=True)
class Query:
    """One question in one server block. `message` is what the next plugin sees (rewrite changes it)."""

    delivery: Delivery
    message: Message
    server: Server
    memory: dict[object, object]
    legs: list[Leg] = field(default_factory=list)
    #: this is the program's own question (it completes a CNAME), not a client's
    inner: bool = False

    @property
    def name(self) -> str:
        """The name in lower case, with its dot."""
        return self.message.name.lower()

    @property
    def version(self) -> str:
        """The program's release by its image ("1.13.1"), "" when it came without one."""
        proc = self.delivery.proc
        image = dict(proc.config).get("image", "") if proc is not None else ""
        return image.rpartition(":")[2].lstrip("v")

    @property
    def now(self) -> float:
        return self.delivery.net.clock

    @property
    def tcp(self) -> bool:
        return self.delivery.socket.proto == "tcp"


Next = Callable[[Query], Reply]


class Plugin(Protocol):
    """A plugin's settings; `serve` answers, or asks `next`."""

    def serve(self, query: Query, next: Next) -> Reply: ...


def ask(query: Query, plugins: tuple[Plugin, ...], before: str = "") -> Reply:
    """The question through these plugins; the chain's end is an error of the plugin before (NextOrFailure)."""
    if not plugins:
        return Reply(rcode="SERVFAIL", error=f"plugin/{before}: no next plugin found")
    first, rest = plugins[0], plugins[1:]
    return first.serve(query, lambda inner: ask(inner, rest, type(first).__name__.lower()))


def matches(zones: tuple[str, ...], name: str) -> str:
    """The longest of the zones that holds the name, "" when none does."""
    found = [z for z in zones if z == "." or name == z or name.endswith("." + z)]
    return max(found, key=len, default="")


def falls(zones: tuple[str, ...] | None, name: str) -> bool:
    """Does `fallthrough` (None: it is not set) let the name go on?"""
    return zones is not None and matches(zones, name) != ""


def write(query: Query, level: str, line: str) -> None:
    """A line of the program's log."""
    log(query.memory, level, line)


def log(memory: dict[object, object], level: str, line: str) -> None:
    written = memory.get("log", ())
    head = f"[{level}] " if level else ""
    memory["log"] = (*(written if isinstance(written, tuple) else ()), head + line)
