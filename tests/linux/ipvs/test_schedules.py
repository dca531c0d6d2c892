"""Every scheduler gives each client the server that it got in the second kernel (golden/second/schedules.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.linux.addr import ip4
from engine.linux.ipvs.hashing import MAGLEV, hsiphash, maglev, weighted
from engine.linux.ipvs.rows import Dest
from engine.linux.packet import IPv4, Packet, Payload, Udp
from engine.linux.walk.walker import Walker
from tests.linux.walk.wires import Wires

RECORDS = json.loads((Path(__file__).parents[2] / "golden" / "second" / "schedules.json").read_text())


@pytest.mark.parametrize("at", range(len(RECORDS)), ids=[f"{r[0]}-{i}" for i, r in enumerate(RECORDS)])
def test_picks(at: int, record_property: pytest.RecordProperty) -> None:
    _, commands, picks = RECORDS[at]
    w = Wires()
    w.type("ip link add d0 type dummy\nip link set d0 up\nip addr add 10.0.0.1/8 dev d0")
    w.type("ip link set lo up\nip route add local 10.200.0.0/16 dev lo")
    for line in commands:
        w.one(f"ipvsadm {line}")
    for pick in picks:
        if pick[0] == "cmd":
            w.one(f"ipvsadm {pick[1]}")
        else:
            assert served(w, pick[0], pick[1]) == pick[2], pick
    asked = sum(1 for pick in picks if pick[0] != "cmd")
    record_property("kernel comparison", (1, asked, asked))


def served(w: Wires, client: str, port: int) -> str:
    """The server of a datagram, in hex as /proc/net/ip_vs_conn has it."""
    head = IPv4(src=ip4(client), dst=ip4("10.0.0.1"), proto=17, ttl=0)
    packet = Packet((head, Udp(sport=port, dport=53), Payload(protocol="x", text="x", size=1)))
    Walker(net=w.net, choose=w.choose).send("h", packet, who="x")
    found: list[Any] = [c for c in w.ns("h").ipvs.conns.values() if c.client == (ip4(client), port)]
    return f"{found[0].real.addr:08X}:{found[0].real.port:04X}" if found else ""


def test_tables_are_full_and_fair() -> None:
    """sh by weight over 256 buckets; mh's 4093 entries in the proportion of the weights, within two per cent."""
    dests = tuple(Dest(addr=i + 1, port=80, weight=n, last_weight=n) for i, n in enumerate((1, 2, 1)))
    assert [sum(d is x for x in weighted(dests)) for d in dests] == [64, 128, 64]
    shares = [sum(d is x for x in maglev(dests)) / MAGLEV for d in dests]
    assert all(abs(a - b) < 0.02 for a, b in zip(shares, (0.25, 0.5, 0.25), strict=True))
    assert hsiphash(0, 0) == hsiphash(1 << 32, 0)
