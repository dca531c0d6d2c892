"""Connection tracking and NAT through whole calls: states, time-outs, translation, errors. Facts 10 section 1.2."""

from __future__ import annotations

import re

import pytest

from engine.linux.addr import ip4, text4
from engine.linux.ctproto import TIMEOUTS
from engine.linux.journey import Outcome, StepKind
from engine.linux.packet import Icmp
from tests.linux.walk.wires import Wires, back, last, seen_as, served, steps

#: a - r - b; r forwards and tracks (a rule asks for the state)
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
SERVICE = (
    "r: iptables -t nat -A PREROUTING -d 10.96.0.1 -p tcp --dport 80 -j DNAT --to-destination 10.0.1.2:80"
)


def states(w: Wires, name: str, *more: object) -> list[str]:
    """The state word in the conntrack row of each of r's conntrack steps over the whole call."""
    call = w.tcp("a", *more)  # type: ignore[arg-type]
    found = []
    for walk in call.leg.walks():
        for step in steps(walk, StepKind.CONNTRACK):
            if step.place.namespace == name:
                found.append(next(word for word in step.row.split() if word in TIMEOUTS))
    return found


# -- states


def test_a_whole_tcp_call() -> None:
    """Facts 10 section 1.2 and nf_conntrack_proto_tcp.c: handshake, data, both FINs, the last ACK."""
    w = Wires(TRACKED)
    seen = states(w, "r", "10.0.1.2")
    order = list(dict.fromkeys(seen))
    assert order == ["SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "LAST_ACK", "TIME_WAIT"]
    (line,) = w.conntrack("r")
    assert re.fullmatch(
        r"tcp      6 1(19|20) TIME_WAIT src=10\.0\.0\.1 dst=10\.0\.1\.2 sport=(\d+) dport=80 "
        r"src=10\.0\.1\.2 dst=10\.0\.0\.1 sport=80 dport=\2 \[ASSURED\] mark=0 use=1",
        line.strip(),
    ), line


def test_assured_comes_with_the_third_segment() -> None:
    """Facts 10 section 1.2: a SYN-ACK alone does not assure."""
    w = Wires(TRACKED)
    call = w.tcp("a", "10.0.1.2")
    marks = [
        "[ASSURED]" in step.row
        for walk in call.leg.walks()
        for step in steps(walk, StepKind.CONNTRACK)
        if step.place.namespace == "r"
    ]
    assert marks[:2] == [False, False] or marks[:3] == [False, False, False]
    assert all(marks[3:]) and marks[-1]


@pytest.mark.parametrize(("seconds", "left"), [(110, 1), (121, 0)])
def test_time_wait_ends(seconds: float, left: int) -> None:
    """Facts 10 section 1.2: time_wait 120 s."""
    w = Wires(TRACKED)
    w.tcp("a", "10.0.1.2")
    w.wait(seconds)
    assert len(w.one("r: conntrack -L").splitlines()) == left


def test_an_unanswered_syn() -> None:
    """Facts 10 section 1.2: SYN_SENT [UNREPLIED] for 120 s. The SYN's own timer is that of the last retransmission."""
    w = Wires(TRACKED + "\nb: iptables -A INPUT -j DROP")
    w.tcp("a", "10.0.1.2", timeout=3.0)
    (line,) = w.conntrack("r")
    assert "SYN_SENT" in line and "[UNREPLIED]" in line


def test_a_refused_call_leaves_no_entry() -> None:
    """nf_conntrack_proto_tcp.c: a RST that answers a SYN kills the entry (nf_ct_kill)."""
    w = Wires(TRACKED)
    call = w.tcp("a", "10.0.1.2", 81)
    assert (call.outcome, call.error) == (Outcome.REFUSED, "ECONNREFUSED")
    assert w.conntrack("r") == []


def test_a_dropped_first_packet_leaves_no_entry() -> None:
    """Facts 10 section 1.2: an entry is confirmed when its first packet leaves or arrives."""
    w = Wires(TRACKED + "\nr: iptables -A FORWARD -p tcp -j DROP")
    w.tcp("a", "10.0.1.2")
    assert w.conntrack("r") == []


def test_a_namespace_without_rules_tracks_nothing() -> None:
    """Facts 10 section 1.2: conntrack is attached only where some rule needs it; empty nat chains do not."""
    w = Wires(LINE)
    call = w.tcp("a", "10.0.1.2")
    assert steps(call, StepKind.CONNTRACK) == []
    assert w.conntrack("r") == []


def test_a_syn_in_time_wait_begins_anew() -> None:
    """nf_conntrack_proto_tcp.c: a SYN in TIME_WAIT makes a new connection of the same tuple."""
    w = Wires(TRACKED)
    w.tcp("a", "10.0.1.2", sport=40000)
    (first,) = w.entries("r")
    call = w.tcp("a", "10.0.1.2", sport=40000)
    assert call.error == ""
    (second,) = w.entries("r")
    assert second.id != first.id


@pytest.mark.parametrize("how", ["-D -p tcp", "-F"])
def test_entries_can_be_deleted(how: str) -> None:
    """Facts 10 section 1.2: conntrack -D, -F."""
    w = Wires(TRACKED)
    w.tcp("a", "10.0.1.2")
    w.type(f"r: conntrack {how}")
    assert w.conntrack("r") == []


# -- UDP and ICMP


def test_udp_seconds() -> None:
    """Facts 10 section 1.2: 30 s; udp_stream 120 s once both sides have spoken for more than two seconds."""
    w = Wires(TRACKED)
    w.udp("a", "10.0.1.2", sport=40000)
    (line,) = w.conntrack("r")
    assert re.match(r"udp      17 (29|30) src=10\.0\.0\.1 dst=10\.0\.1\.2 sport=40000 dport=53 src=", line)
    assert "[ASSURED]" not in line
    w.wait(10)
    w.udp("a", "10.0.1.2", sport=40000)
    (line,) = w.conntrack("r")
    assert "[ASSURED]" in line and line.split()[2] in ("119", "120")
    w.wait(100)
    assert len(w.conntrack("r")) == 1
    w.wait(21)
    assert w.conntrack("r") == []


def test_an_unanswered_datagram() -> None:
    """Facts 10 section 1.2: [UNREPLIED], 30 s."""
    w = Wires(TRACKED + "\nb: iptables -A INPUT -j DROP")
    w.udp("a", "10.0.1.2", timeout=1.0)
    (line,) = w.conntrack("r")
    assert "[UNREPLIED]" in line
    w.wait(30)
    assert w.conntrack("r") == []


def test_icmp_seconds() -> None:
    """Facts 10 section 1.2: 30 s; the identifier is the port."""
    w = Wires(TRACKED)
    w.ping("a", "10.0.1.2", ident=1311)
    (line,) = w.conntrack("r")
    assert re.match(
        r"icmp     1 (29|30) src=10\.0\.0\.1 dst=10\.0\.1\.2 type=8 code=0 id=1311 "
        r"src=10\.0\.1\.2 dst=10\.0\.0\.1 type=0 code=0 id=1311 mark=0 use=1",
        line,
    ), line
    w.wait(30)
    assert w.conntrack("r") == []


# -- translation


def test_dnat_both_ways() -> None:
    """Facts 10 section 1.2: the reply tuple's source is the backend; the answer comes from who was asked."""
    w = Wires(LINE + SERVICE)
    call = w.tcp("a", "10.96.0.1")
    assert (call.error, served(call), seen_as(call)) == ("", "10.0.1.2:80", "10.0.0.1")
    answer = back(call)
    assert [text4(s.after.ip.src) for s in steps(answer, StepKind.NAT) if s.after is not None] == [
        "10.96.0.1"
    ]
    (line,) = w.conntrack("r")
    assert "dst=10.96.0.1 " in line and "src=10.0.1.2 dst=10.0.0.1" in line


def test_only_the_first_packet_walks_the_nat_chains() -> None:
    """Facts 10 sections 1.1 and 1.2: nat counters count connections, filter counters count packets."""
    w = Wires(LINE + SERVICE + "\nr: iptables -A FORWARD -p tcp -j ACCEPT")
    w.tcp("a", "10.96.0.1")
    assert w.one("r: iptables -t nat -L PREROUTING -v -n -x").splitlines()[2].split()[0] == "1"
    assert int(w.one("r: iptables -L FORWARD -v -n -x").splitlines()[2].split()[0]) > 6


def test_a_new_rule_does_not_move_an_old_connection() -> None:
    """Facts 10 section 1.2: changing nat rules does not affect existing entries, until conntrack -D."""
    w = Wires(
        LINE + "r: iptables -t nat -A PREROUTING -d 10.96.0.1 -p udp -j DNAT --to-destination 10.0.1.2:53"
    )
    w.type("b: ip addr add 10.0.1.3/24 dev eth0")
    assert served(w.udp("a", "10.96.0.1", sport=40000)) == "10.0.1.2:53"
    w.type("r: iptables -t nat -R PREROUTING 1 -d 10.96.0.1 -p udp -j DNAT --to-destination 10.0.1.3:53")
    assert served(w.udp("a", "10.96.0.1", sport=40000)) == "10.0.1.2:53"
    assert served(w.udp("a", "10.96.0.1", sport=40001)) == "10.0.1.3:53"
    w.type("r: conntrack -D -p udp")
    assert served(w.udp("a", "10.96.0.1", sport=40000)) == "10.0.1.3:53"


def test_masquerade_takes_the_devices_primary_address() -> None:
    """Facts 10 section 1.2: for the next hop's subnet; a route's src hint is ignored. A free port stays."""
    w = Wires(
        LINE
        + """
        r: ip addr add 10.0.1.7/24 dev rb
        r: ip route replace 10.0.1.2 dev rb src 10.0.1.7
        r: iptables -t nat -A POSTROUTING -o rb -j MASQUERADE
        """
    )
    call = w.tcp("a", "10.0.1.2", sport=40000)
    assert (call.error, seen_as(call), call.seen_as[1]) == ("", "10.0.1.254", 40000)


def test_masquerade_to_another_subnet_of_the_device() -> None:
    """Facts 10 section 1.2: a next hop in 172.20.0.0/24 gives 172.20.0.1."""
    w = Wires(
        LINE
        + """
        r: ip addr add 172.20.0.1/24 dev rb
        b: ip addr add 172.20.0.2/24 dev eth0
        r: ip route replace 10.7.0.0/16 via 172.20.0.2
        b: ip addr add 10.7.0.1/32 dev lo
        r: iptables -t nat -A POSTROUTING -o rb -j MASQUERADE
        """
    )
    assert seen_as(w.tcp("a", "10.7.0.1")) == "172.20.0.1"


@pytest.mark.parametrize("sport", [300, 700, 40000])
def test_a_clash_of_ports_takes_another_of_its_class(sport: int) -> None:
    """nf_nat_core.c (get_unique_tuple): below 512, 600 to 1023, and the rest; the first one keeps its port."""
    w = Wires(
        LINE
        + """
        wire c eth0 10.0.2.1/24 r rc 10.0.2.254/24
        c: ip route add default via 10.0.2.254
        r: iptables -t nat -A POSTROUTING -o rb -j MASQUERADE
        """
    )
    first, second = w.udp("a", "10.0.1.2", sport=sport), w.udp("c", "10.0.1.2", sport=sport)
    assert (seen_as(first), first.seen_as[1]) == ("10.0.1.254", sport)
    assert (seen_as(second), second.error) == ("10.0.1.254", "")
    low, high = (1, 511) if sport < 512 else (600, 1023) if sport < 1024 else (1024, 65535)
    assert second.seen_as[1] != sport and low <= second.seen_as[1] <= high


def test_the_node_itself_takes_another_port_too() -> None:
    """nf_nat_core.c: a connection that no rule translates still may not share a reply tuple."""
    w = Wires(LINE + "r: iptables -t nat -A POSTROUTING -o rb -j MASQUERADE")
    w.udp("a", "10.0.1.2", sport=40000)
    call = w.udp("r", "10.0.1.2", sport=40000)
    assert call.error == "" and call.seen_as[1] != 40000


def test_a_full_range_drops() -> None:
    """nf_nat_core.c: no free tuple, NF_DROP."""
    w = Wires(
        LINE
        + """
        wire c eth0 10.0.2.1/24 r rc 10.0.2.254/24
        c: ip route add default via 10.0.2.254
        r: iptables -t nat -A POSTROUTING -o rb -p udp -j SNAT --to-source 10.0.1.254:5000-5001
        """
    )
    ports = [w.udp(name, "10.0.1.2", sport=4000 + n).seen_as[1] for n, name in enumerate("ac")]
    assert sorted(ports) == [5000, 5001]
    call = w.udp("a", "10.0.1.2", sport=4444)
    assert (call.outcome, call.error) == (Outcome.DROPPED, "ETIMEDOUT")


def test_echo_requests_with_one_identifier() -> None:
    """nf_nat_proto.c: for ICMP the identifier is what may clash; the answer finds its way back."""
    w = Wires(
        LINE
        + """
        wire c eth0 10.0.2.1/24 r rc 10.0.2.254/24
        c: ip route add default via 10.0.2.254
        r: iptables -t nat -A POSTROUTING -o rb -j MASQUERADE
        """
    )
    for name in "ac":
        call = w.ping(name, "10.0.1.2", ident=77)
        assert (call.outcome, seen_as(call)) == (Outcome.DELIVERED, "10.0.1.254")
    assert len({e.reply.sport for e in w.entries("r")}) == 2


def test_an_error_about_a_renumbered_echo() -> None:
    """nf_nat_core.c: the quoted echo gets its own identifier back, so that ping knows it."""
    w = Wires(
        LINE
        + """
        wire c eth0 10.0.2.1/24 r rc 10.0.2.254/24
        c: ip route add default via 10.0.2.254
        r: iptables -t nat -A POSTROUTING -o rb -j MASQUERADE
        b: iptables -A INPUT -p icmp -s 10.0.1.254 -j REJECT --reject-with icmp-admin-prohibited
        """
    )
    for name in "ac":
        call = w.ping(name, "10.0.1.2", ident=77)
        assert call.icmp is not None and (call.icmp.type, call.icmp.code) == (3, 13)
        assert call.icmp.quoted is not None
        echo = call.icmp.quoted.l4
        assert isinstance(echo, Icmp) and echo.ident == 77


def test_snat_to_one_address() -> None:
    """man iptables-extensions, SNAT."""
    w = Wires(
        LINE
        + "r: iptables -t nat -A POSTROUTING -o rb -j SNAT --to-source 10.0.1.99\nr: ip addr add 10.0.1.99/24 dev rb"
    )
    assert seen_as(w.tcp("a", "10.0.1.2")) == "10.0.1.99"


@pytest.mark.parametrize(
    ("where", "who", "to", "at"),
    [("PREROUTING", "a", "10.0.1.2", "10.0.0.254:8080"), ("OUTPUT", "r", "10.0.1.2", "127.0.0.1:8080")],
)
def test_redirect(where: str, who: str, to: str, at: str) -> None:
    """man iptables-extensions, REDIRECT: the primary address of the device it came in by; 127.0.0.1 for local ones."""
    w = Wires(
        LINE
        + f"listen r tcp 8080\nr: iptables -t nat -A {where} -p tcp --dport 80 -j REDIRECT --to-ports 8080"
    )
    call = w.tcp(who, to)
    assert (call.error, served(call)) == ("", at)


def test_dnat_in_output_comes_after_the_source() -> None:
    """Facts 10 section 1.1: the source is chosen before the DNAT, for the first destination."""
    w = Wires(
        LINE
        + """
        wire r rc 10.0.2.254/24 c eth0 10.0.2.1/24
        c: ip route add default via 10.0.2.254
        r: ip route add 10.96.0.0/16 dev rc
        r: iptables -t nat -A OUTPUT -d 10.96.0.1 -j DNAT --to-destination 10.0.1.2
        r: iptables -A OUTPUT -o rc -p tcp
        """
    )
    call = w.tcp("r", "10.96.0.1")
    assert (call.error, served(call), seen_as(call)) == ("", "10.0.1.2:80", "10.0.2.254")
    assert int(w.one("r: iptables -L OUTPUT -v -n -x").splitlines()[2].split()[0]) >= 1


def test_the_own_service_by_lo_meets_nat_once() -> None:
    """Facts 10 section 1.1 (loopback): nat chains only in the first pass."""
    w = Wires(
        LINE + "listen r tcp 80\nr: iptables -t nat -A PREROUTING -p tcp -j DNAT --to-destination 10.0.1.2"
    )
    call = w.tcp("r", "127.0.0.1")
    assert served(call) == "127.0.0.1:80"
    assert w.one("r: iptables -t nat -L PREROUTING -v -n -x").splitlines()[2].split()[0] == "0"


# -- errors through NAT


def quoted(packet: object) -> tuple[str, str]:
    assert isinstance(packet, Icmp) and packet.quoted is not None
    return text4(packet.quoted.ip.src), text4(packet.quoted.ip.dst)


def test_an_error_about_a_translated_packet() -> None:
    """nf_nat_core.c (nf_nat_icmp_reply_translation), facts 10 section 1.2: outer and quoted address are both turned."""
    w = Wires(
        LINE + "r: iptables -t nat -A PREROUTING -d 10.96.0.1 -p udp -j DNAT --to-destination 10.0.1.2:99"
    )
    call = w.udp("a", "10.96.0.1")
    assert (call.outcome, call.error) == (Outcome.REFUSED, "ECONNREFUSED")
    assert text4(call.icmp_from) == "10.96.0.1"
    assert quoted(call.icmp) == ("10.0.0.1", "10.96.0.1")
    related = [s for s in steps(back(call), StepKind.CONNTRACK) if s.place.namespace == "r"]
    assert next(s.verdict for s in related) == "RELATED"


def test_an_error_to_a_masqueraded_sender() -> None:
    """nf_nat_core.c: the error was for the router's address and goes on to who sent, whose packet it quotes."""
    w = Wires(LINE + "r: iptables -t nat -A POSTROUTING -o rb -j MASQUERADE")
    call = w.udp("a", "10.0.1.2", 99)
    assert (call.error, text4(call.icmp_from)) == ("ECONNREFUSED", "10.0.1.2")
    assert quoted(call.icmp) == ("10.0.0.1", "10.0.1.2")
    first = next(s.before for s in steps(back(call)) if s.kind is StepKind.SEND)
    assert first is not None and quoted(first.l4) == ("10.0.1.254", "10.0.1.2")


def test_time_exceeded_behind_a_nat() -> None:
    """Facts 10 sections 1.2 and 1.5: the router behind keeps its own address as sender (it is no end of the entry)."""
    w = Wires(
        LINE
        + """
        wire b out 10.0.3.1/24 c eth0 10.0.3.2/24
        b: sysctl -w net.ipv4.ip_forward=1
        c: ip route add default via 10.0.3.1
        r: ip route add 10.0.3.0/24 via 10.0.1.2
        r: iptables -t nat -A POSTROUTING -o rb -j MASQUERADE
        """
    )
    call = w.udp("a", "10.0.3.2", 33434, ttl=2)
    assert (call.outcome, text4(call.icmp_from)) == (Outcome.TTL_EXCEEDED, "10.0.1.2")
    assert quoted(call.icmp) == ("10.0.0.1", "10.0.3.2")


def test_an_error_about_nothing_known_is_invalid() -> None:
    """nf_conntrack_proto_icmp.c: an error that quotes no known connection is INVALID."""
    w = Wires(
        LINE
        + "r: iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP\n"
        + "r: iptables -t raw -A PREROUTING -p udp -i ra -j NOTRACK"
    )
    call = w.udp("a", "10.0.1.2", 99)
    assert last(back(call)).row == "-A FORWARD -m conntrack --ctstate INVALID -j DROP"
    assert call.error == "ETIMEDOUT"


# -- states as rules see them


def test_established_lets_answers_through() -> None:
    """Facts 10 section 1.2: an answer is ESTABLISHED, an error about the packet RELATED."""
    w = Wires(
        LINE
        + """
        r: iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        r: iptables -A FORWARD -i ra -m conntrack --ctstate NEW -j ACCEPT
        r: iptables -P FORWARD DROP
        """
    )
    assert w.tcp("a", "10.0.1.2").error == ""
    assert w.udp("a", "10.0.1.2", 99).error == "ECONNREFUSED"
    call = w.ping("b", "10.0.0.1")
    assert call.outcome is Outcome.DROPPED and last(call).row == "-P FORWARD DROP"


def test_notrack() -> None:
    """man iptables-extensions, NOTRACK in raw: UNTRACKED, no entry."""
    w = Wires(
        TRACKED
        + "\nr: iptables -t raw -A PREROUTING -j NOTRACK\n"
        + "r: iptables -A FORWARD -m conntrack --ctstate UNTRACKED -j DROP"
    )
    call = w.udp("a", "10.0.1.2")
    assert call.outcome is Outcome.DROPPED and "UNTRACKED" in last(call).row
    assert w.conntrack("r") == []


def test_sources_of_the_same_answer() -> None:
    """Facts 10 section 1.2: a connection that begins at the router has one entry there, by its own address."""
    w = Wires(TRACKED)
    w.tcp("r", "10.0.1.2")
    (entry,) = w.entries("r")
    assert (entry.orig.src, entry.reply.src) == (ip4("10.0.1.254"), ip4("10.0.1.2"))
