"""What programs with the real glibc and the real musl asked for names (tests/golden/dns/lookups-*.txt), replayed.

Each block of a golden is `SERVERS | OPTIONS | NAME | SECONDS | what getaddrinfo said` and the questions in the order in
which the servers saw them. A server that refuses (11) sees nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.shell import names
from engine.shell.names import MUSL_WORDS, WORDS, Seat
from engine.shell.place import machine
from engine.shell.resolver import Resolver, Status, read_conf
from tests.golden import capture_dns
from tests.shell.test_dns_goldens import world

GOLDEN = Path(__file__).parents[1] / "golden" / "dns"


def cases() -> list[object]:
    out = []
    for libc in ("glibc", "musl"):
        text = (GOLDEN / f"lookups-{libc}.txt").read_text()
        for block in re.split(r"\n(?=\S)", text.strip("\n")):
            head, *asked = block.split("\n")
            servers, options, name, seconds, said = (p.strip() for p in head.split("|"))
            questions = [tuple(line.split()) for line in asked]
            row = (libc, servers, options, name, int(seconds.split()[0]), said, questions)
            out.append(pytest.param(*row, id=f"{libc} {servers} {options} {name}"))
    return out


@pytest.mark.parametrize(("libc", "servers", "options", "name", "seconds", "said", "questions"), cases())
def test_asked_as_the_real_library_asks(
    libc: str,
    servers: str,
    options: str,
    name: str,
    seconds: int,
    said: str,
    questions: list[tuple[str, ...]],
) -> None:
    conf = capture_dns.SEARCH + "".join(f"nameserver 10.96.0.{n}\n" for n in servers.split())
    lab = world(conf + f"options {options}\n")
    net = lab.net
    resolver = Resolver(
        net=net, netns="box", choose=lab.choose, conf=read_conf(conf + f"options {options}\n"), musl=libc == "musl"
    )  # fmt: skip
    started = net.clock
    found = resolver.search(name)
    if found.status is Status.FOUND:
        heard = " ".join(r.data for r in found.records("A"))
        assert sorted(heard.split()) == sorted(said.split())
    else:
        assert (MUSL_WORDS if libc == "musl" else WORDS)[found.status] == said
    asked = []
    for leg in found.legs:
        kind = re.fullmatch(r"DNS (\S+) (\S+) at 10\.96\.0\.(\d+)", leg.purpose)
        if kind is None:
            continue
        packet = leg.forward.packet
        proto = "tcp" if packet is not None and packet.ip.proto == 6 else "udp"
        if kind[3] != "11":
            asked.append((kind[3], proto, kind[1], kind[2]))
    if libc == "musl" and " " in servers:
        # they go out at once: which server notes first is chance
        asked, questions = sorted(asked), sorted(questions)
    assert asked == questions
    assert round(net.clock - started) == seconds


def test_a_seat_resolves_as_its_place_does() -> None:
    lab = world(capture_dns.CONF)
    seat = Seat(lab, machine(lab.net.boxes["box"]))
    assert names.lookup(seat, "pinned").address == 0x0A010203
    found = names.lookup(seat, "web")
    assert found.address == 0x0A604714
    assert found.legs[0].purpose == "DNS A web.shop.svc.cluster.local. at 10.96.0.10"


def test_a_name_with_its_dot_is_not_in_the_hosts_file() -> None:
    """Seen with getent of glibc 2.36 and a program of musl 1.2.3; glibc alone takes PINNED for pinned. A `search` that
    does not begin its line is none, and the root in the list is the name as it is, once."""
    lab = world(capture_dns.CONF + "  search elsewhere\n")
    seat = Seat(lab, machine(lab.net.boxes["box"]))
    assert names.in_hosts(seat, "PINNED") == 0x0A010203
    assert names.in_hosts(seat, "pinned.") == names.in_hosts(seat, "localhost.") == 0
    assert names.lookup(seat, "web").address == 0x0A604714
    rooted = read_conf("search .\nnameserver 10.96.0.10\noptions ndots:5\n")
    found = Resolver(net=lab.net, netns="box", choose=lab.choose, conf=rooted).search("web")
    assert (found.status, len(found.legs)) == (Status.NO_NAME, 2)
