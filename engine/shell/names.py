"""How a program at a place turns a name into an address: a literal, /etc/hosts, then the servers of /etc/resolv.conf.

Theory. The C library asks files first, then DNS (nsswitch.conf: `hosts: files dns`). What it asks, and in which
order, is resolver.py; an image built on Alpine has musl, everything else here glibc.

Rules. Every question is a real packet to a real socket; its legs belong to the journey of the command that asked.
"""

from __future__ import annotations

from typing import Protocol

from engine.errors import InputError, NotModelled
from engine.linux.addr import ip4
from engine.linux.choose import Choose
from engine.linux.journey import Leg
from engine.linux.net import Net
from engine.record import dataclass
from engine.shell.files import FileError, Files
from engine.shell.place import Spot
from engine.shell.resolver import Resolver, Status, read_conf
from engine.shell.world import World

#: gai_strerror of glibc and of musl
WORDS = {
    Status.NO_NAME: "Name or service not known", Status.AGAIN: "Temporary failure in name resolution",
    Status.NO_DATA: "No address associated with hostname", Status.FAILED: "Non-recoverable failure in name resolution",
    Status.LATE: "Temporary failure in name resolution",
}  # fmt: skip
MUSL_WORDS = {
    Status.NO_NAME: "Name does not resolve", Status.AGAIN: "Try again",
    Status.NO_DATA: "Name has no usable address", Status.FAILED: "Non-recoverable error", Status.LATE: "Try again",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`address` is 0 when there is none; then `error` is the resolver's word for it. `legs` are its questions."""

    address: int = 0
    error: str = ""
    legs: tuple[Leg, ...] = ()
    literal: bool = False
    #: the caller's own time was over before the resolver's
    late: bool = False


class Where(Protocol):
    """A place that resolves: a command's Context, or a Seat."""

    @property
    def net(self) -> Net: ...

    @property
    def files(self) -> Files: ...

    spot: Spot
    world: World


@dataclass(slots=True)
class Seat:
    """A place without a command: whoever sends from there."""

    world: World
    spot: Spot

    @property
    def net(self) -> Net:
        return self.world.net

    @property
    def files(self) -> Files:
        return Files(self.world, self.spot)


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


def read_file(ctx: Where, path: str) -> str:
    """A file's text, "" when there is none."""
    try:
        return ctx.files.read(path)
    except FileError:
        return ""


def hosts(ctx: Where) -> list[tuple[int, list[str]]]:
    """The rows of /etc/hosts that are IPv4, in order."""
    rows = []
    for line in read_file(ctx, "/etc/hosts").splitlines():
        words = line.split("#")[0].split()
        if len(words) > 1 and is_address(words[0]):
            try:
                rows.append((ip4(words[0]), words[1:]))
            except InputError:
                continue
    return rows


def name_of(ctx: Where, address: int) -> str:
    """The name that /etc/hosts has for an address, or ""."""
    return next((names[0] for found, names in hosts(ctx) if found == address), "")


def musl(ctx: Where) -> bool:
    """Is the place's C library musl (Alpine and what is built on it)?"""
    return ctx.spot.tools is not None and "apk" in ctx.spot.tools


def resolver(
    ctx: Where, *, who: str = "client", within: float = 0.0, choose: Choose | None = None
) -> Resolver:
    """The resolver of this place, with its /etc/resolv.conf. `within` seconds its caller waits, 0 = for ever."""
    conf = read_conf(read_file(ctx, "/etc/resolv.conf"))
    return Resolver(
        net=ctx.net, netns=ctx.spot.netns, choose=choose or ctx.world.choose, conf=conf,
        musl=musl(ctx), who=who, deadline=ctx.net.clock + within if within else float("inf"),
    )  # fmt: skip


def in_hosts(ctx: Where, name: str) -> int:
    """The first address that /etc/hosts has for a name as it is typed, 0 = none. A dot at its end is part of it; musl
    also tells capitals from small letters."""
    rows = of_name(ctx, name)
    return rows[0][0] if rows else LOOPBACK if name.lower() == "localhost" else 0


def of_name(ctx: Where, name: str) -> list[tuple[int, list[str]]]:
    """The rows of /etc/hosts that have a name."""
    if musl(ctx):
        return [row for row in hosts(ctx) if name in row[1]]
    return [row for row in hosts(ctx) if name.lower() in (n.lower() for n in row[1])]


def lookup(
    ctx: Where, name: str, *, who: str = "client", within: float = 0.0, choose: Choose | None = None
) -> Found:
    """The address of a name or a literal. Raises NotModelled for IPv6 literals."""
    number = aton(name)
    if number is not None:
        return Found(address=number or LOOPBACK, literal=True)
    if ":" in name:
        raise NotModelled(f"IPv6 ({name})")
    if not name.rstrip(".") or any(c.isspace() for c in name):
        return Found(error=eai(Status.NO_NAME, musl(ctx)))
    if address := in_hosts(ctx, name):
        return Found(address=address)
    found = resolver(ctx, who=who, within=within, choose=choose).search(name)
    if found.status is Status.FOUND and found.address:
        return Found(address=found.address, legs=found.legs)
    status = Status.NO_DATA if found.status is Status.FOUND else found.status
    return Found(error=eai(status, musl(ctx)), legs=found.legs, late=status is Status.LATE)


def eai(status: Status, musl: bool) -> str:
    """gai_strerror of the C library."""
    return (MUSL_WORDS if musl else WORDS)[status]
