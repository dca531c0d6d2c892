"""Connection tracking beyond the common case: zones, a full table, masquerading's end, errors through NAT, counters."""

from __future__ import annotations

import pytest

from engine.linux.addr import text4
from engine.linux.journey import Outcome, StepKind
from tests.linux.walk.wires import Wires, back, seen_as, steps, why

#: a - r - b; r forwards
LINE = """
    wire a eth0 10.0.0.1/24 r ra 10.0.0.254/24
    wire r rb 10.0.1.254/24 b eth0 10.0.1.2/24
    r: sysctl -w net.ipv4.ip_forward=1
    a: ip route add default via 10.0.0.254
    b: ip route add default via 10.0.1.254
    listen b tcp 80
    listen b udp 53
"""
TRACKED = LINE + "r: iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP"
MASQUERADED = LINE + "r: iptables -t nat -A POSTROUTING -o rb -j MASQUERADE"


def test_a_full_table_drops_what_would_begin() -> None:
    """nf_conntrack_core.c: __nf_conntrack_alloc; the log line is the kernel's."""
    w = Wires(TRACKED)
    w.tcp("a", "10.0.1.2", sport=40000)  # assured, so nothing can be given up for another
    w.net.spaces["h"].sysctls["net.netfilter.nf_conntrack_max"] = "1"
    call = w.tcp("a", "10.0.1.2", sport=40001, timeout=1.0)
    assert call.error == "ETIMEDOUT" and call.outcome is Outcome.DROPPED
    assert "nf_conntrack_max 1" in why(call)
    assert (
        w.net.boxes["h"].journal[-1][1] == "kernel: nf_conntrack: nf_conntrack: table full, dropping packet"
    )
    assert w.tcp("a", "10.0.1.2", sport=40000).error == ""
    assert w.ns("r").conntrack.stats["drop"] == 1


def test_a_full_table_gives_up_what_is_not_assured() -> None:
    """early_drop looks at eight buckets; with as few buckets as that it finds every entry."""
    w = Wires(TRACKED)
    w.udp("a", "10.0.1.2", sport=40000)
    w.net.spaces["h"].sysctls["net.netfilter.nf_conntrack_max"] = "1"
    w.ns("r").sysctls["net.netfilter.nf_conntrack_buckets"] = "8"
    assert w.udp("a", "10.0.1.2", sport=40001).error == ""
    assert [e.orig.sport for e in w.entries("r")] == [40001]
    assert w.ns("r").conntrack.stats["early_drop"] == 1


def test_a_zone_of_one_direction() -> None:
    """Two connections whose ways there are apart and whose ways back are not: the second is lost (nf_ct_match)."""
    w = Wires(TRACKED + "\nr: iptables -t raw -A PREROUTING -i ra -p udp --dport 53 -j CT --zone-orig 5")
    assert w.udp("a", "10.0.1.2", sport=40000).error == ""
    (line,) = w.conntrack("r")
    assert "dport=53 zone-orig=5 src=" in line
    w.type("r: iptables -t raw -F PREROUTING")
    assert w.udp("a", "10.0.1.2", sport=40000, timeout=1.0).outcome is Outcome.DROPPED
    w.type("r: iptables -t nat -A POSTROUTING -o rb -j SNAT --to-source 10.0.1.254")
    assert w.udp("a", "10.0.1.2", sport=40000).error == ""
    assert len(w.conntrack("r")) == 2


def test_a_zone_of_both_directions() -> None:
    w = Wires(TRACKED + "\nr: iptables -t raw -A PREROUTING -j CT --zone 7")
    assert w.tcp("a", "10.0.1.2").error == ""
    (line,) = w.conntrack("r")
    assert line.endswith("[ASSURED] mark=0 zone=7 use=1")


@pytest.mark.parametrize(
    "deed",
    ["ip link set rb down", "ip addr del 10.0.1.254/24 dev rb", "ip addr flush dev rb", "ip link del rb"],
)
def test_masqueraded_connections_end_with_their_device(deed: str) -> None:
    """nf_nat_masquerade.c: masq_device_event, masq_inet_event."""
    w = Wires(MASQUERADED)
    w.tcp("a", "10.0.1.2")
    assert len(w.conntrack("r")) == 1
    w.type(f"r: {deed}")
    assert w.conntrack("r") == []


def test_other_connections_stay_when_a_device_goes_down() -> None:
    w = Wires(TRACKED)
    w.tcp("a", "10.0.1.2")
    w.type("r: ip link set rb down")
    assert len(w.conntrack("r")) == 1


def test_an_error_through_nat_says_both_addresses_that_change() -> None:
    """nf_nat_icmp_reply_translation: the outer destination, and the source in the packet that it quotes."""
    w = Wires(MASQUERADED)
    call = w.udp("a", "10.0.1.2", 54, sport=40000)
    assert call.error == "ECONNREFUSED"
    (nat,) = steps(back(call), StepKind.NAT)
    assert nat.why is not None
    said = nat.why.text("en")
    assert "10.0.1.254 becomes 10.0.0.1" in said and "10.0.1.254:40000 becomes 10.0.0.1:40000" in said


def test_an_error_to_somebody_else_is_invalid() -> None:
    """nf_conntrack_inet_error: the outer destination must be the sender of the quoted packet."""
    from engine.linux.packet import Icmp, IPv4, Packet, Udp
    from engine.linux.walk.walker import Walker

    w = Wires(TRACKED)
    w.udp("a", "10.0.1.2", sport=40000)
    a, b = w.ns("a").addresses[2][0].addr, w.ns("b").addresses[2][0].addr
    quoted = Packet((IPv4(src=a, dst=b, proto=17), Udp(sport=40000, dport=53)))
    error = Packet((IPv4(src=b, dst=a + 1, proto=1, ttl=0), Icmp(type=3, code=3, quoted=quoted)))
    walker = Walker(net=w.net, choose=w.choose)
    walker.send(w.id("b"), error, who="x")
    states = [s.verdict for s in walker.steps if s.kind is StepKind.CONNTRACK]
    assert states == ["INVALID"]


def test_a_taken_port_is_exchanged_within_its_class() -> None:
    """nf_nat_l4proto_unique_tuple: 1-511, 600-1023, 1024-65535."""
    for port, low, high in ((500, 1, 511), (700, 600, 1023), (40000, 1024, 65535)):
        w = Wires(MASQUERADED + "\nr: ip addr add 10.0.0.253/24 dev ra")
        w.udp("r", "10.0.1.2", sport=port)  # the router's own connection has the port
        w.udp("a", "10.0.1.2", sport=port)
        first, second = w.entries("r")
        assert (first.reply.dport, first.snat) == (port, False)
        assert second.reply.dport != port and low <= second.reply.dport <= high


def test_a_source_keeps_its_mapping() -> None:
    """find_appropriate_src: the same source port is mapped alike to another destination."""
    w = Wires(
        MASQUERADED.replace("MASQUERADE", "SNAT --to-source 10.0.1.254").replace("-o rb", "-o rb -p udp")
    )
    w.type("b: ip addr add 10.0.1.3/24 dev eth0\nr: ip addr add 10.0.0.253/24 dev ra")
    w.udp("r", "10.0.1.2", sport=40000)
    w.udp("a", "10.0.1.2", sport=40000)
    w.udp("a", "10.0.1.3", sport=40000)
    ours = [e for e in w.entries("r") if text4(e.orig.src) == "10.0.0.1"]
    assert len(ours) == 2 and ours[0].reply.dport == ours[1].reply.dport != 40000


def test_several_addresses_are_chosen_by_a_hash() -> None:
    """find_best_ips_proto: the same two ends, the same address."""
    w = Wires(LINE + "r: iptables -t nat -A POSTROUTING -o rb -j SNAT --to-source 10.0.1.100-10.0.1.103")
    w.type("".join(f"r: ip addr add 10.0.1.{n}/24 dev rb\n" for n in range(100, 104)))
    assert len({seen_as(w.tcp("a", "10.0.1.2")) for _ in range(5)}) == 1


def test_accounting_and_timestamps() -> None:
    w = Wires(TRACKED)
    w.type("r: sysctl -w net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1")
    w.udp("a", "10.0.1.2", sport=40000)
    w.wait(5)
    (line,) = w.conntrack("r")
    assert (
        "dport=53 packets=1 bytes=33 src=" in line
        and "dport=40000 packets=1 bytes=33 mark=0 delta-time=5 use=1" in line
    )


def test_no_pick_up_in_the_middle_without_tcp_loose() -> None:
    for loose, count in (("1", 1), ("0", 0)):
        w = Wires(TRACKED.replace("-j DROP", "-j ACCEPT"))
        w.type(f"r: sysctl -w net.netfilter.nf_conntrack_tcp_loose={loose}")
        from engine.linux.packet import IPv4, Packet, Tcp
        from engine.linux.walk.walker import Walker

        a, b = w.ns("a").addresses[2][0].addr, w.ns("b").addresses[2][0].addr
        packet = Packet((IPv4(src=a, dst=b, proto=6, ttl=0), Tcp(sport=1, dport=9, flags="A", seq=5, ack=6)))
        Walker(net=w.net, choose=w.choose).send(w.id("a"), packet, who="x")
        assert len(w.conntrack("r")) == count
