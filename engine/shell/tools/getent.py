"""getent: the C library's own databases, hosts above all. Layout: tests/golden/dns/getent.txt."""

from __future__ import annotations

from engine.errors import InputError, NotModelled
from engine.linux.addr import ip4, text4
from engine.linux.journey import Journey, Leg, Outcome
from engine.linux.wire import dns
from engine.say import Phrase
from engine.shell.names import aton, hosts, is_address, of_name, read_file, resolver
from engine.shell.resolver import Answered, Status
from engine.shell.tool import SEE_HELP, Context, Fail, Out, Tool

HELP = "Try `getent --help' or `getent --usage' for more information."
OTHERS = (
    "aliases", "ethers", "group", "gshadow", "initgroups", "netgroup", "networks", "protocols", "rpc", "services",
    "shadow",
)  # fmt: skip
NAMES = ("hosts", "ahosts", "ahostsv4", "ahostsv6", "passwd")


def run(ctx: Context, argv: list[str]) -> Out:
    if not argv:
        raise Fail(f"getent: wrong number of arguments\n{HELP}")
    database, keys = argv[0], argv[1:]
    if database.startswith("-"):
        raise NotModelled(f"getent {database}", SEE_HELP(tool="getent"))
    if database == "passwd":
        rows = [r for r in read_file(ctx, "/etc/passwd").splitlines() if not keys or r.split(":")[0] in keys]
        return Out(stdout="".join(f"{r}\n" for r in rows), code=0 if rows else 2)
    if database not in NAMES:
        if database in OTHERS:
            raise NotModelled(f"getent {database}", SEE_HELP(tool="getent"))
        raise Fail(f"Unknown database: {database}\n{HELP}")
    if not keys:
        rows = [f"{text4(a):<15} {' '.join(n)}" for a, n in hosts(ctx)]
        return Out(stdout="".join(f"{r}\n" for r in rows))
    out: list[str] = []
    legs: list[Leg] = []
    code = 0
    for key in keys:
        rows, more = one(ctx, database, key)
        out += rows
        legs += more
        code = code if rows else 2
    journeys: tuple[Journey, ...] = ()
    if legs:
        outcome = Outcome.NAME_NOT_FOUND if code else legs[-1].outcome
        journeys = (Journey(act=ctx.line, outcome=outcome, legs=tuple(legs), started=legs[0].started),)
    return Out(stdout="".join(f"{r}\n" for r in out), code=code, journeys=journeys)


def one(ctx: Context, database: str, key: str) -> tuple[list[str], list[Leg]]:
    """(lines, legs) of one key."""
    if database == "hosts" and is_address(key):
        return backwards(ctx, key)
    number = aton(key)
    if number is not None:
        if database == "hosts":
            return [f"{text4(number):<15} {key}"], []
        return ([] if database == "ahostsv6" else stream([number], key)), []
    rows = of_name(ctx, key)
    if rows:
        if database == "hosts":
            called = " ".join(dict.fromkeys(n for _, names in rows for n in names))
            return [f"{text4(a):<15} {called}" for a, _ in rows], []
        return ([] if database == "ahostsv6" else stream([a for a, _ in rows], rows[0][1][0])), []
    asker = resolver(ctx, who="getent")
    if database == "hosts":
        # gethostbyname2(AF_INET6), then AF_INET (nss/getent.c)
        asker.search(key, ("AAAA",))
        found = asker.search(key, ("A",))
    else:
        types = {"ahosts": ("A", "AAAA"), "ahostsv4": ("A",), "ahostsv6": ("AAAA",)}[database]
        found = asker.search(key, types)
    legs = list(found.legs)
    if found.status is not Status.FOUND or not found.records("A"):
        return [], legs
    addresses = [ip4(r.data) for r in found.records("A")]
    if database != "hosts":
        return stream(addresses, canonical(found)), legs
    called = " ".join(dict.fromkeys([canonical(found), *aliases(found)]))
    return [f"{text4(a):<15} {called}" for a in addresses], legs


def canonical(found: Answered) -> str:
    """The name that has the address."""
    return found.records("A")[-1].name.rstrip(".")


def aliases(found: Answered) -> list[str]:
    return [r.name.rstrip(".") for r in found.records("CNAME")]


def stream(addresses: list[int], name: str) -> list[str]:
    """getaddrinfo's list: each address with its three kinds of socket; the first has the name."""
    out = []
    for number, address in enumerate(addresses):
        head = f"{text4(address):<15} "
        out += [f"{head}STREAM {name if not number else ''}", f"{head}DGRAM  ", f"{head}RAW    "]
    return out


def backwards(ctx: Context, key: str) -> tuple[list[str], list[Leg]]:
    try:
        address = ip4(key)
    except InputError:
        return [], []
    for known, names in hosts(ctx):
        if known == address:
            return [f"{key:<15} {' '.join(names)}"], []
    found = resolver(ctx, who="getent").search(dns.reverse(address), ("PTR",))
    pointed = [r.data.rstrip(".") for r in found.records("PTR")]
    return ([f"{key:<15} {' '.join(pointed)}"] if pointed else []), list(found.legs)


TOOL = Tool(
    name="getent",
    summary=Phrase(
        en="ask the C library: files first, then DNS with the search list",
        ko="C 라이브러리에 묻습니다. 파일이 먼저이고, 그다음 검색 목록을 쓰는 DNS입니다",
    ),
    run=run,
    group="packets",
    usage=("getent hosts NAME|ADDRESS", "getent ahosts|ahostsv4 NAME", "getent passwd [NAME]"),
)
