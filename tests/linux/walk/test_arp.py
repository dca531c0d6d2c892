"""Neighbours: question, answer, silence, ages. Facts 10 section 1.4; proxy_arp and arp_ignore: man arp, ip-sysctl."""

from __future__ import annotations

import pytest

from engine.linux.addr import BROADCAST_MAC, text4
from engine.linux.journey import Outcome, StepKind
from engine.linux.packet import Arp
from tests.linux.walk.wires import Wires, devices, rows, steps, why

PAIR = "wire a eth0 10.0.0.1/24 b eth0 10.0.0.2/24"
ROUTED = """
    wire a eth0 10.0.0.1/24 r ra 10.0.0.254/24
    wire r rb 10.0.1.254/24 b eth0 10.0.1.2/24
    r: sysctl -w net.ipv4.ip_forward=1
    b: ip route add default via 10.0.1.254
"""


def test_a_question_is_broadcast_and_the_answer_is_not() -> None:
    """Facts 10 section 1.4: nobody knew the address, so one request and one reply go before the packet."""
    w = Wires(PAIR)
    call = w.ping("a", "10.0.0.2")
    assert call.outcome is Outcome.DELIVERED
    (step,) = steps(call, StepKind.NEIGHBOUR)
    question, answer = (walk.packet for walk in step.aside)
    assert question is not None and question.eth is not None and answer is not None and answer.eth is not None
    assert (question.eth.src, question.eth.dst) == (w.mac("a"), BROADCAST_MAC)
    assert (answer.eth.src, answer.eth.dst) == (w.mac("b"), w.mac("a"))
    asked = question.arp
    assert asked is not None and (asked.op, asked.sender_mac, asked.target_mac) == (1, w.mac("a"), 0)
    assert step.row == f"10.0.0.2 dev eth0 lladdr {mac_of(w, 'b')} REACHABLE"


def mac_of(w: Wires, name: str) -> str:
    return ":".join(f"{w.mac(name) >> s & 255:02x}" for s in range(40, -8, -8))


def test_who_is_asked_remembers_the_asker_as_stale() -> None:
    """Facts 10 section 1.4 (net/ipv4/arp.c): the asker's address is noted without a question of one's own."""
    w = Wires(PAIR)
    call = w.ping("a", "10.0.0.2", timeout=0.5)
    assert (w.state("a", "10.0.0.2"), w.state("b", "10.0.0.1")) == ("REACHABLE", "DELAY")
    assert not steps(call.leg.back, StepKind.NEIGHBOUR)[0].aside  # type: ignore[arg-type]


def test_a_known_neighbour_is_not_asked_again() -> None:
    """Facts 10 section 1.4: REACHABLE for 30 s."""
    w = Wires(PAIR)
    w.ping("a", "10.0.0.2")
    w.wait(20)
    (step,) = steps(w.ping("a", "10.0.0.2"), StepKind.NEIGHBOUR)
    assert not step.aside


@pytest.mark.parametrize(("seconds", "shown"), [(29.0, "REACHABLE"), (31.0, "STALE")])
def test_reachable_ages_on_the_virtual_clock(seconds: float, shown: str) -> None:
    """Facts 10 section 1.4: base_reachable 30 s, then STALE."""
    w = Wires(PAIR)
    w.ping("a", "10.0.0.2")
    w.wait(seconds)
    assert shown in w.one("a: ip neigh show 10.0.0.2")


def test_a_stale_entry_is_used_and_delayed() -> None:
    """Facts 10 section 1.4: STALE -> DELAY on use; what comes back makes it REACHABLE (tcp tells the table)."""
    w = Wires(PAIR + "\nlisten b tcp 80")
    w.ping("a", "10.0.0.2")
    w.wait(60)
    call = w.ping("a", "10.0.0.2")
    assert rows(call, StepKind.NEIGHBOUR)[0].endswith("DELAY")
    assert not steps(call, StepKind.NEIGHBOUR)[0].aside
    assert w.state("a", "10.0.0.2") == "REACHABLE"


def test_silence_fails_after_three_questions() -> None:
    """Facts 10 section 1.4: about 3.07 s, EHOSTUNREACH for the local sender, entry FAILED."""
    w = Wires(PAIR)
    before = w.net.clock
    call = w.tcp("a", "10.0.0.9")
    assert (call.outcome, call.error) == (Outcome.UNRESOLVED_NEIGHBOUR, "EHOSTUNREACH")
    assert w.net.clock - before == pytest.approx(3.07, abs=0.01)
    assert w.state("a", "10.0.0.9") == "FAILED"
    assert "no answer" in why(call)
    assert "FAILED" in w.one("a: ip neigh show 10.0.0.9")


def test_a_failed_entry_is_asked_again() -> None:
    """Facts 10 section 1.4: FAILED is no answer for ever."""
    w = Wires(PAIR)
    assert w.ping("a", "10.0.0.9").outcome is Outcome.UNRESOLVED_NEIGHBOUR
    w.one("b: ip addr add 10.0.0.9/24 dev eth0")
    assert w.ping("a", "10.0.0.9").outcome is Outcome.DELIVERED


def test_behind_a_router_silence_is_host_unreachable() -> None:
    """Facts 10 sections 1.4 and 1.5: the router sends ICMP 3/1 after about 3 s."""
    w = Wires(ROUTED + "a: ip route add default via 10.0.0.254")
    call = w.tcp("a", "10.0.1.9")
    assert (call.outcome, call.error) == (Outcome.UNRESOLVED_NEIGHBOUR, "EHOSTUNREACH")
    assert call.icmp is not None and (call.icmp.type, call.icmp.code) == (3, 1)
    assert w.state("r", "10.0.1.9", "rb") == "FAILED"
    assert call.seconds == pytest.approx(3.07, abs=0.01)


def test_a_permanent_entry_needs_no_question_and_learns_nothing() -> None:
    """Facts 10 section 1.4: PERMANENT is static; a wrong one makes frames that nobody takes."""
    w = Wires(PAIR + "\na: ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:99 dev eth0 nud permanent")
    call = w.ping("a", "10.0.0.2")
    assert call.outcome is Outcome.DROPPED
    assert "not to this device" in why(call)
    w.ping("b", "10.0.0.1")
    assert w.state("a", "10.0.0.2") == "PERMANENT"


def test_silence_of_a_device_that_is_down() -> None:
    """Facts 10 section 1.4, and carrier: the question is lost on the wire."""
    w = Wires(PAIR + "\nb: ip link set eth0 down")
    call = w.ping("a", "10.0.0.2")
    assert call.outcome is Outcome.UNRESOLVED_NEIGHBOUR
    assert "NO-CARRIER" in why(steps(call, StepKind.NEIGHBOUR)[0].aside[0])


# -- proxy_arp


def test_proxy_arp_answers_for_what_lies_behind_another_device() -> None:
    """Facts 10 section 1.4: the host answers only if its own route leaves by another interface."""
    w = Wires(ROUTED + "r: sysctl -w net.ipv4.conf.ra.proxy_arp=1\na: ip route add 10.0.1.0/24 dev eth0")
    assert w.ping("a", "10.0.1.2").outcome is Outcome.DELIVERED
    entry = w.neighbour("a", "10.0.1.2")
    assert entry is not None and entry.mac == w.mac("r", "ra")


@pytest.mark.parametrize(
    "but",
    [
        "r: sysctl -w net.ipv4.conf.ra.proxy_arp=0",
        "r: ip route del 10.0.1.0/24 dev rb",
        "r: ip route replace 10.0.1.0/24 dev ra",
        "r: sysctl -w net.ipv4.ip_forward=0",
    ],
)
def test_proxy_arp_is_silent(but: str) -> None:
    """Facts 10 section 1.4: off, no route at all, a route by the same device, or no forwarding."""
    w = Wires(
        ROUTED + f"r: sysctl -w net.ipv4.conf.ra.proxy_arp=1\na: ip route add 10.0.1.0/24 dev eth0\n{but}"
    )
    assert w.ping("a", "10.0.1.2").outcome is Outcome.UNRESOLVED_NEIGHBOUR
    assert w.state("a", "10.0.1.2") == "FAILED"


# -- arp_ignore


@pytest.mark.parametrize(
    ("ignore", "answers"), [("0", True), ("1", False), ("2", False)], ids=["any", "own device", "own subnet"]
)
def test_arp_ignore_for_an_address_of_another_device(ignore: str, answers: bool) -> None:
    """ip-sysctl (KDOC of facts 10), arp_ignore: 0 answers for any local address, 1 only for the asked device's own."""
    w = Wires(
        ROUTED + f"a: ip route add 10.0.1.254 dev eth0\nr: sysctl -w net.ipv4.conf.all.arp_ignore={ignore}"
    )
    outcome = Outcome.DELIVERED if answers else Outcome.UNRESOLVED_NEIGHBOUR
    assert w.ping("a", "10.0.1.254").outcome is outcome


def test_arp_ignore_2_wants_the_asker_in_the_subnet() -> None:
    """ip-sysctl (KDOC of facts 10), arp_ignore 2."""
    w = Wires(
        """
        wire a eth0 10.9.0.1/32 b eth0 10.0.0.2/24
        a: ip route add 10.0.0.2 dev eth0
        b: ip route add 10.9.0.1 dev eth0
        b: sysctl -w net.ipv4.conf.eth0.arp_ignore=1
        """
    )
    assert w.ping("a", "10.0.0.2").outcome is Outcome.DELIVERED
    w.type("b: sysctl -w net.ipv4.conf.eth0.arp_ignore=2\na: ip neigh flush all")
    assert w.ping("a", "10.0.0.2").outcome is Outcome.UNRESOLVED_NEIGHBOUR


def test_a_question_from_a_filtered_source_gets_no_answer() -> None:
    """Facts 10 section 1.3: arp_process asks the same source check as routing, so rp_filter silences ARP too."""
    w = Wires(
        """
        wire a eth0 10.9.0.1/32 b eth0 10.0.0.2/24
        a: ip route add 10.0.0.2 dev eth0
        b: sysctl -w net.ipv4.conf.eth0.rp_filter=1
        """
    )
    call = w.ping("a", "10.0.0.2")
    assert call.outcome is Outcome.UNRESOLVED_NEIGHBOUR
    assert "rp_filter is 1" in why(steps(call, StepKind.NEIGHBOUR)[0].aside[0])


def test_the_question_bears_the_packets_own_source() -> None:
    """ip-sysctl (KDOC of facts 10), arp_announce 0: any local address, preferably the packet's source."""
    w = Wires(PAIR + "\na: ip addr add 172.16.0.1/32 dev lo\nb: ip route add 172.16.0.1 via 10.0.0.1")
    call = w.ping("a", "10.0.0.2", source=0xAC100001)
    packet = steps(call, StepKind.NEIGHBOUR)[0].aside[0].packet
    question = packet.arp if packet is not None else None
    assert question is not None and question.sender_ip == 0xAC100001
    assert w.state("b", "172.16.0.1") != ""


def test_the_way_crosses_both_ends_of_the_wire() -> None:
    """Facts 10 section 1.1: out of the sender's device, into the receiver's."""
    assert devices(Wires(PAIR).ping("a", "10.0.0.2")) == ["a eth0 out", "b eth0 in"]


# -- timers


@pytest.mark.parametrize(
    ("seconds", "shown"), [(4.0, "DELAY"), (6.0, "REACHABLE"), (34.0, "REACHABLE"), (36.0, "STALE")]
)
def test_a_delayed_entry_is_probed_after_five_seconds(seconds: float, shown: str) -> None:
    """Facts 10 section 1.4: DELAY 5 s, then PROBE; the neighbour answers at once. b has answered a's ping by now."""
    w = Wires(PAIR)
    w.ping("a", "10.0.0.2")
    w.wait(seconds)
    assert w.one("b: ip neigh show 10.0.0.1").split()[-1] == shown


@pytest.mark.parametrize(("seconds", "shown"), [(4.0, "DELAY"), (6.0, "PROBE"), (9.0, "FAILED")])
def test_a_neighbour_that_went_away_is_found_out(seconds: float, shown: str) -> None:
    """Facts 10 section 1.4: three probes a second apart, then FAILED; the next packet asks everybody again."""
    w = Wires(PAIR)
    w.ping("a", "10.0.0.2")
    w.type("b: ip link set eth0 address 02:00:00:00:00:77")
    w.wait(60)
    call = w.ping("a", "10.0.0.2", timeout=0.001)
    assert call.outcome is Outcome.DROPPED
    w.wait(seconds)
    assert w.one("a: ip neigh show 10.0.0.2").split()[-1] == shown
    expected = Outcome.DELIVERED if shown == "FAILED" else Outcome.DROPPED
    assert w.ping("a", "10.0.0.2").outcome is expected


def test_every_tool_sees_the_same_age() -> None:
    """Facts 10 section 1.4: what ip neigh calls FAILED is incomplete to arp."""
    w = Wires(PAIR)
    w.ping("a", "10.0.0.9")
    assert "(incomplete)" in w.one("a: arp -n")
    assert w.one("a: ip neigh show nud failed").split()[0] == "10.0.0.9"


ARP_LINE = """
    wire a eth0 10.0.0.1/24 r ra 10.0.0.254/24
    wire r rb 10.0.1.254/24 b eth0 10.0.1.2/24
    r: sysctl -w net.ipv4.ip_forward=1
"""


def test_a_proxied_address_is_answered_for() -> None:
    """man ip-neighbour, proxy: only where the way to it leaves by another device, and after a random delay."""
    w = Wires(ARP_LINE + "a: ip route add 10.0.1.0/24 dev eth0\nb: ip route add default via 10.0.1.254")
    assert w.ping("a", "10.0.1.2").outcome is Outcome.UNRESOLVED_NEIGHBOUR
    w.type("r: ip neigh add proxy 10.0.1.2 dev ra\na: ip neigh flush all")
    call = w.ping("a", "10.0.1.2")
    assert (call.error, call.reply_ttl) == ("", 63)
    assert w.one("r: ip neigh show proxy") == "10.0.1.2 dev ra proxy \n"


def test_a_proxy_waits_a_random_while() -> None:
    """net.ipv4.neigh.DEV.proxy_delay: hundredths of a second."""
    for hundredths, longest in ((0, 0.05), (80, 0.85)):
        w = Wires(ARP_LINE + "a: ip route add 10.0.1.0/24 dev eth0\nb: ip route add default via 10.0.1.254")
        w.type(f"r: sysctl -w net.ipv4.conf.ra.proxy_arp=1 net.ipv4.neigh.ra.proxy_delay={hundredths}")
        call = w.ping("a", "10.0.1.2")
        assert call.error == "" and call.seconds <= longest


def test_the_questions_last_as_long_as_the_sysctls_say() -> None:
    """mcast_solicit questions, retrans_time apart (net/core/neighbour.c)."""
    w = Wires(ARP_LINE)
    w.type("a: sysctl -w net.ipv4.neigh.eth0.mcast_solicit=5 net.ipv4.neigh.eth0.retrans_time_ms=500")
    began = w.net.clock
    assert w.ping("a", "10.0.0.9").outcome is Outcome.UNRESOLVED_NEIGHBOUR
    assert 2.5 <= w.net.clock - began < 2.7 + 1.0


@pytest.mark.parametrize(("mode", "asked_as"), [("0", "10.9.9.1"), ("1", "10.0.0.1"), ("2", "10.0.0.1")])
def test_arp_announce(mode: str, asked_as: str) -> None:
    """ip-sysctl, arp_announce: which address a question names."""
    w = Wires(
        ARP_LINE + f"a: ip addr add 10.9.9.1/32 dev lo\na: sysctl -w net.ipv4.conf.all.arp_announce={mode}"
    )
    w.type("a: ip route add default via 10.0.0.254 src 10.9.9.1\nr: ip route add 10.9.9.1 via 10.0.0.1")
    call = w.ping("a", "10.0.1.2")
    asked = steps(call, StepKind.NEIGHBOUR)[0].aside[0].packet
    assert asked is not None
    question = asked.get(Arp)
    assert question is not None and text4(question.sender_ip) == asked_as


def test_a_device_that_comes_up_tells_its_addresses() -> None:
    """ip-sysctl, arp_notify: who has an entry takes the MAC over; arp_accept makes one."""
    w = Wires(ARP_LINE + "a: sysctl -w net.ipv4.conf.eth0.arp_notify=1")
    w.ping("a", "10.0.0.254")
    w.type("a: ip link set eth0 address 02:00:00:00:00:99")
    assert "10.0.0.1 lladdr 02:00:00:00:00:99 STALE" in w.one("r: ip neigh show dev ra")
    w.type("r: ip neigh flush all\nr: sysctl -w net.ipv4.conf.ra.arp_accept=1\na: ip link set eth0 down")
    w.type("a: ip link set eth0 up")
    assert "10.0.0.1 lladdr 02:00:00:00:00:99 STALE" in w.one("r: ip neigh show dev ra")
