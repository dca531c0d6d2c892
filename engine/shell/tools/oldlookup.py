"""nslookup of busybox before 1.29, which asks the C library: search list, then the names of the addresses.

Source: busybox networking/nslookup.c at 1_28_0; kubernetes.io tasks/administer-cluster/dns-debugging-resolution.
"""

from __future__ import annotations

import re

from engine.errors import InputError
from engine.linux.addr import ip4, text4
from engine.linux.journey import Journey, Leg, Outcome
from engine.linux.wire import dns
from engine.record import replace
from engine.shell.names import hosts, is_address, resolver
from engine.shell.resolver import Resolver, Status
from engine.shell.tool import Context, Fail, Out

USAGE = """\
BusyBox v1.28.4 () multi-call binary.

Usage: nslookup [HOST] [SERVER]

Query the nameserver for the IP address of the given HOST
optionally using a specified DNS server"""


def old(image: str) -> bool:
    """Is this image's busybox one with the old applet?"""
    found = re.search(r"busybox:1\.(\d+)", image)
    return found is not None and int(found[1]) < 29


def run(ctx: Context, argv: list[str]) -> Out:
    if not 1 <= len(argv) <= 2 or argv[0].startswith("-"):
        raise Fail(USAGE)
    asker = resolver(ctx, who="nslookup")
    if len(argv) == 2:
        try:
            asker.conf = replace(asker.conf, servers=(ip4(argv[1]),))
        except InputError:
            raise Fail(f"nslookup: bad address '{argv[1]}'") from None
    server = asker.conf.servers[0]
    lines = [f"{'Server:':<10} {text4(server)}", f"Address 1: {named(ctx, asker, server)}", ""]
    found = asker.search(argv[0]) if not is_address(argv[0]) else None
    addresses = [ip4(argv[0])] if found is None else [ip4(r.data) for r in found.records("A")]
    if found is not None and (found.status is not Status.FOUND or not addresses):
        text = f"nslookup: can't resolve '{argv[0]}'\n"
        return Out.mixed(
            [("out", "\n".join(lines) + "\n"), ("err", text)], 1, journeys(ctx, asker.legs, False)
        )
    lines.append(f"{'Name:':<10} {argv[0]}")
    lines += [f"Address {n}: {named(ctx, asker, a)}" for n, a in enumerate(addresses, start=1)]
    return Out(stdout="\n".join(lines) + "\n", journeys=journeys(ctx, asker.legs, True))


def named(ctx: Context, asker: Resolver, address: int) -> str:
    """An address with the name that it leads to."""
    text = text4(address)
    for known, names in hosts(ctx):
        if known == address:
            return f"{text} {names[0]}"
    found = asker.search(dns.reverse(address), ("PTR",))
    rows = found.records("PTR")
    return f"{text} {rows[0].data.rstrip('.')}" if rows else text


def journeys(ctx: Context, legs: list[Leg], ok: bool) -> tuple[Journey, ...]:
    if not legs:
        return ()
    outcome = legs[-1].outcome if ok else Outcome.NAME_NOT_FOUND
    return (Journey(act=ctx.line, outcome=outcome, legs=tuple(legs), started=legs[0].started),)
