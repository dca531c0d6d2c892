"""How a program at a place turns a name into an address: a literal, /etc/hosts, then the servers of /etc/resolv.conf.

Theory. glibc asks files first, then DNS (nsswitch.conf: `hosts: files dns`). A name with fewer dots than `ndots` is
tried with every search domain first. A server that does not answer costs 5 seconds a try, two tries each.

Rules. Every question is a real packet to a real socket; its legs belong to the journey of the command that asked.
A DNS message is a Payload of protocol "dns": `A? NAME.` answered by `A ADDRESS ...`, `NXDOMAIN` or `NODATA`.
"""

from __future__ import annotations

from engine.errors import InputError, NotModelled
from engine.l7.serve import serve
from engine.linux.addr import ip4, text4
from engine.linux.exchange import udp_call
from engine.linux.journey import Leg
from engine.linux.packet import Payload
from engine.record import dataclass
from engine.shell.files import FileError
from engine.shell.tool import Context

NOT_FOUND = "Name or service not known"
AGAIN = "Temporary failure in name resolution"
NO_DATA = "No address associated with hostname"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`address` is 0 when there is none; then `error` is the resolver's word for it. `legs` are its questions."""

    address: int = 0
    error: str = ""
    legs: tuple[Leg, ...] = ()
    literal: bool = False


#: 0.0.0.0 as a destination is this host
LOOPBACK = 127 << 24 | 1


def is_address(word: str) -> bool:
    parts = word.split(".")
    return len(parts) == 4 and all(p.isascii() and p.isdigit() for p in parts)


def aton(word: str) -> int | None:
    """An address as inet_aton(3) reads it, None when it is a name: one to four numbers, decimal, octal (0...) or hex
    (0x...), the last of which fills what is left: `127.1`, `0`, `0x7f.1`."""
    parts = word.split(".")
    if len(parts) > 4:
        return None
    numbers = []
    for part in parts:
        base = 16 if part[:2].lower() == "0x" else 8 if part[:1] == "0" and len(part) > 1 else 10
        digits = part[2:] if base == 16 else part
        try:
            numbers.append(int(digits, base) if digits.isascii() and digits.isalnum() else -1)
        except ValueError:
            return None
    *bytes_, last = numbers
    if any(not 0 <= b <= 255 for b in bytes_) or not 0 <= last < 1 << 8 * (4 - len(bytes_)):
        return None
    return sum(b << 8 * (3 - i) for i, b in enumerate(bytes_)) | last


def _file(ctx: Context, path: str) -> str:
    try:
        return ctx.files.read(path)
    except FileError:
        return ""


def hosts(ctx: Context) -> list[tuple[int, list[str]]]:
    """The rows of /etc/hosts that are IPv4, in order."""
    rows = []
    for line in _file(ctx, "/etc/hosts").splitlines():
        words = line.split("#")[0].split()
        if len(words) > 1 and is_address(words[0]):
            try:
                rows.append((ip4(words[0]), words[1:]))
            except InputError:
                continue
    return rows


def name_of(ctx: Context, address: int) -> str:
    """The name that /etc/hosts has for an address, or ""."""
    return next((names[0] for found, names in hosts(ctx) if found == address), "")


def lookup(ctx: Context, name: str) -> Found:
    """The address of a name or a literal. Raises NotModelled for IPv6 literals."""
    number = aton(name)
    if number is not None:
        return Found(address=number or LOOPBACK, literal=True)
    if ":" in name:
        raise NotModelled(f"IPv6 ({name})")
    lowered = name.lower().rstrip(".")
    if not lowered or any(c.isspace() for c in name):
        return Found(error=NOT_FOUND)
    for address, names in hosts(ctx):
        if lowered in (n.lower() for n in names):
            return Found(address=address)
    if lowered == "localhost":
        return Found(address=ip4("127.0.0.1"))
    return _dns(ctx, name)


def _dns(ctx: Context, name: str) -> Found:
    servers, search, ndots = _resolv(_file(ctx, "/etc/resolv.conf"))
    names = [name.rstrip(".") + "."]
    if not name.endswith("."):
        tried = [f"{name}.{domain.rstrip('.')}." for domain in search]
        names = [*tried, *names] if name.count(".") < ndots else [*names, *tried]
    legs: list[Leg] = []
    error = AGAIN if not servers else NOT_FOUND
    for query in names:
        text, asked = _ask(ctx, servers, query)
        legs += asked
        if text is None:
            return Found(error=AGAIN, legs=tuple(legs))
        word, _, rest = text.partition(" ")
        if word == "A" and rest:
            return Found(address=ip4(rest.split()[0]), legs=tuple(legs))
        if word == "NODATA":
            error = NO_DATA
        elif word != "NXDOMAIN":
            return Found(error=AGAIN, legs=tuple(legs))
    return Found(error=error, legs=tuple(legs))


def _ask(ctx: Context, servers: list[int], query: str) -> tuple[str | None, list[Leg]]:
    """One question to the servers, in turn, twice; (the answer's text or None, the legs)."""
    legs: list[Leg] = []
    question = Payload(protocol="dns", text=f"A? {query}", size=12 + len(query) + 1 + 4)
    for _ in range(2):
        for server in servers:
            call = udp_call(
                ctx.net, ctx.spot.netns, server, 53, choose=ctx.world.choose, request=question, timeout=5.0,
                serve=serve,
                purpose=f"DNS {query} at {text4(server)}",
            )  # fmt: skip
            legs += call.legs
            if call.response is not None and call.response.protocol == "dns":
                return call.response.text, legs
    return None, legs


def _resolv(text: str) -> tuple[list[int], list[str], int]:
    """(name servers, search domains, ndots) of a resolv.conf; at most three servers, as glibc."""
    servers: list[int] = []
    search: list[str] = []
    ndots = 1
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["nameserver"] and len(words) > 1 and is_address(words[1]):
            servers.append(ip4(words[1]))
        elif words[:1] in (["search"], ["domain"]):
            search = words[1:]
        elif words[:1] == ["options"]:
            for word in words[1:]:
                if word.startswith("ndots:") and word[6:].isdigit():
                    ndots = int(word[6:])
    return servers[:3], search, ndots
