"""SCTP: an association through routers, NAT and connection tracking (RFC 9260; nf_conntrack_proto_sctp.c)."""

from __future__ import annotations

import pytest

from engine.lab.lab import Lab
from engine.linux.ctsctp import NEXT, STATES, moved
from engine.linux.journey import Outcome
from engine.linux.packet import Sctp
from engine.linux.wire.encode import crc32c

LAB = {
    "nodes": [{"name": "w1"}, {"name": "w2"}],
    "proxy": {"mode": "none"},
    "manifests": [
        {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"nodeName": node, "containers": [{"name": "c", "image": "example/gateway", "ports": ports}]},
        }
        for name, node, ports in (
            ("a", "w1", []), ("b", "w2", [{"containerPort": 38412, "protocol": "SCTP"}]),
        )
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.load(LAB)


def test_an_association_crosses_the_nodes(lab: Lab) -> None:
    journey = lab.trace("pod/a", "pod/b:38412", "sctp")
    assert journey.outcome is Outcome.DELIVERED
    chunks = [
        w.packet.l4.chunk for w in journey.legs[0].walks() if w.packet and isinstance(w.packet.l4, Sctp)
    ]
    assert chunks == [
        "INIT",
        "INIT_ACK",
        "COOKIE_ECHO",
        "COOKIE_ACK",
        "SHUTDOWN",
        "SHUTDOWN_ACK",
        "SHUTDOWN_COMPLETE",
    ]


def test_a_port_without_a_listener_aborts_and_a_kernel_without_sctp_says_so(lab: Lab) -> None:
    refused = lab.trace("pod/a", "pod/b:1", "sctp")
    back = refused.legs[0].back
    assert refused.outcome is Outcome.REFUSED
    assert back is not None and isinstance(back.packet.l4, Sctp) and back.packet.l4.chunk == "ABORT"
    elsewhere = lab.trace("pod/b", "node/w1:38412", "sctp")
    assert elsewhere.outcome is Outcome.REFUSED
    assert "protocol unreachable" in str(elsewhere.legs[0].back.packet)


def test_rules_see_ports_and_conntrack_sees_states(lab: Lab) -> None:
    copy = lab.copy()
    rule = "-p sctp -d 10.244.1.77 --dport 99 -j DNAT --to-destination 10.244.1.2:38412"
    assert not copy.run("node/w1", f"iptables -t nat -A PREROUTING {rule}").stderr
    printed = copy.run("node/w1", "iptables -t nat -S PREROUTING").stdout
    assert "-d 10.244.1.77/32 -p sctp -m sctp --dport 99 -j DNAT --to-destination 10.244.1.2:38412" in printed
    sent = copy.send("pod/a", "10.244.1.77:99", proto="sctp", on_copy=False)
    assert sent.journey.outcome is Outcome.DELIVERED
    table = copy.run("node/w1", "conntrack -L -p sctp").stdout
    assert table.startswith("sctp     132 ") and " CLOSED src=" in table and "[ASSURED]" in table
    assert not copy.run("node/w2", "nft add table ip t").code
    assert not copy.run("node/w2", "nft add chain ip t c '{ type filter hook forward priority 0; }'").code
    assert not copy.run("node/w2", "nft add rule ip t c sctp dport 38412 counter drop").code
    assert copy.trace("pod/a", "pod/b:38412", "sctp").outcome is Outcome.DROPPED
    assert "sctp dport 38412 counter" in copy.run("node/w2", "nft list table ip t").stdout


def test_a_capture_names_the_chunks(lab: Lab) -> None:
    copy = lab.copy()
    copy.send("pod/a", "pod/b:38412", proto="sctp", on_copy=False)
    seen = copy.run("node/w2", "tcpdump -ni eth0 -c 3 sctp port 38412").stdout
    assert "sctp (1) [INIT] [init tag: " in seen
    assert "sctp (1) [INIT ACK] [init tag: " in seen


def test_the_states_of_the_kernel() -> None:
    assert set(NEXT) == {(d, c) for d in ("original", "reply") for _, c in NEXT}
    state = "NONE"
    for chunk, way, then in (
        ("INIT", "original", "CLOSED"), ("INIT_ACK", "reply", "COOKIE_WAIT"),
        ("COOKIE_ECHO", "original", "COOKIE_ECHOED"), ("COOKIE_ACK", "reply", "ESTABLISHED"),
        ("DATA", "original", "ESTABLISHED"), ("SHUTDOWN", "original", "SHUTDOWN_SENT"),
        ("SHUTDOWN_ACK", "reply", "SHUTDOWN_ACK_SENT"), ("SHUTDOWN_COMPLETE", "original", "CLOSED"),
    ):  # fmt: skip
        state = moved(state, chunk, way)
        assert state == then
    assert moved("NONE", "INIT_ACK", "reply") == ""
    assert all(set(row) == set(STATES) for row in NEXT.values())


def test_the_checksum_of_rfc_9260() -> None:
    assert crc32c(b"123456789") == 0xE3069283
