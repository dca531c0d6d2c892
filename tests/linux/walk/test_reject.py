"""What a caller learns when its packet is refused: REJECT of every kind, closed ports, DROP; and sysctls that count.

Facts 10 section 1.5.
"""

from __future__ import annotations

import pytest

from engine.linux.addr import ip4
from engine.linux.choose import branches
from engine.linux.journey import OUTCOMES, Outcome
from tests.linux.walk.wires import Wires, back, last, served

LINE = """
    wire a eth0 10.0.0.1/24 r ra 10.0.0.254/24
    wire r rb 10.0.1.254/24 b eth0 10.0.1.2/24
    r: sysctl -w net.ipv4.ip_forward=1
    a: ip route add default via 10.0.0.254
    b: ip route add default via 10.0.1.254
    listen b tcp 80
    listen b udp 53
"""
#: --reject-with -> (ICMP code, errno of a connecting TCP socket)
KINDS = {
    "icmp-net-unreachable": (0, "ENETUNREACH"),
    "icmp-host-unreachable": (1, "EHOSTUNREACH"),
    "icmp-proto-unreachable": (2, "ENOPROTOOPT"),
    "icmp-port-unreachable": (3, "ECONNREFUSED"),
    "icmp-net-prohibited": (9, "ENETUNREACH"),
    "icmp-host-prohibited": (10, "EHOSTUNREACH"),
    "icmp-admin-prohibited": (13, "EHOSTUNREACH"),
}


@pytest.mark.parametrize("chain", ["r FORWARD", "b INPUT"])
@pytest.mark.parametrize("kind", KINDS)
def test_reject_on_the_way(chain: str, kind: str) -> None:
    """Facts 10 section 1.5, REJECT types: the ICMP code and what connect() returns, at once."""
    where, hook = chain.split()
    w = Wires(LINE + f"{where}: iptables -A {hook} -p tcp -j REJECT --reject-with {kind}")
    call = w.tcp("a", "10.0.1.2")
    code, errno = KINDS[kind]
    assert (call.outcome, call.error) == (Outcome.REJECTED, errno)
    assert call.icmp is not None and (call.icmp.type, call.icmp.code) == (3, code)
    assert call.icmp_from == ip4("10.0.0.254" if where == "r" else "10.0.1.2")
    assert call.seconds < 1
    assert kind in last(call).row or kind == "icmp-port-unreachable"


def test_the_default_is_port_unreachable() -> None:
    """Facts 10 section 1.5: default icmp-port-unreachable -> ECONNREFUSED."""
    call = Wires(LINE + "r: iptables -A FORWARD -j REJECT").tcp("a", "10.0.1.2")
    assert call.error == "ECONNREFUSED" and call.icmp is not None and call.icmp.code == 3


@pytest.mark.parametrize("chain", ["r FORWARD", "b INPUT"])
def test_reject_by_reset(chain: str) -> None:
    """Facts 10 section 1.5: tcp-reset -> ECONNREFUSED; the RST bears the address that was asked."""
    where, hook = chain.split()
    w = Wires(LINE + f"{where}: iptables -A {hook} -p tcp -j REJECT --reject-with tcp-reset")
    call = w.tcp("a", "10.0.1.2")
    assert (call.outcome, call.error, call.icmp) == (Outcome.REJECTED, "ECONNREFUSED", None)
    packet = back(call).packet
    assert packet is not None and packet.ip.src == ip4("10.0.1.2") and "RST" in str(packet)


def test_reset_through_dnat_bears_the_service() -> None:
    """nf_reject_ipv4.c with nf_ct_attach, facts 10 section 1.2: the RST is turned back like any answer."""
    w = Wires(
        LINE
        + """
        r: iptables -t nat -A PREROUTING -d 10.96.0.1 -p tcp -j DNAT --to-destination 10.0.1.2
        r: iptables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset
        """
    )
    call = w.tcp("a", "10.96.0.1")
    assert (call.outcome, call.error) == (Outcome.REJECTED, "ECONNREFUSED")


def test_rejected_in_ones_own_output() -> None:
    """Facts 10 section 1.5: seen on Linux 6.18. TCP hides EPERM and hears the REJECT, a datagram's sendto sees EPERM;
    a rule for everything rejects the error as well, so that nobody hears it."""
    w = Wires(LINE + "a: iptables -A OUTPUT -p tcp -j REJECT\na: iptables -A OUTPUT -p udp -j REJECT")
    tcp, udp = w.tcp("a", "10.0.1.2"), w.udp("a", "10.0.1.2")
    assert (tcp.outcome, tcp.error) == (Outcome.REJECTED, "ECONNREFUSED")
    assert (udp.outcome, udp.error) == (Outcome.REJECTED, "EPERM")
    w.type("a: iptables -F\na: iptables -A OUTPUT -j REJECT")
    assert w.tcp("a", "10.0.1.2").error == "ETIMEDOUT"
    assert w.udp("a", "10.0.1.2").error == "EPERM"


def test_dropped_in_ones_own_output() -> None:
    """Facts 10 section 1.5 and __ip_local_out: EPERM for sendto, a time-out for connect."""
    w = Wires(LINE + "a: iptables -A OUTPUT -j DROP")
    assert w.udp("a", "10.0.1.2").error == "EPERM"
    assert w.ping("a", "10.0.1.2").error == "EPERM"
    assert w.tcp("a", "10.0.1.2").error == "ETIMEDOUT"


@pytest.mark.parametrize(("proto", "port"), [("tcp", 81), ("udp", 54)])
def test_a_closed_port(proto: str, port: int) -> None:
    """Facts 10 section 1.5: RST, or ICMP 3/3; ECONNREFUSED both times."""
    w = Wires(LINE)
    call = (w.tcp if proto == "tcp" else w.udp)("a", "10.0.1.2", port)
    assert (call.outcome, call.error) == (Outcome.REFUSED, "ECONNREFUSED")
    assert (call.icmp is None) is (proto == "tcp")


def test_an_unconnected_socket_hears_no_error() -> None:
    """man 7 udp: only a connected socket reports it."""
    w = Wires(LINE)
    assert w.udp("a", "10.0.1.2", 54, connected=False, timeout=1.0).error in ("ETIMEDOUT", "ECONNREFUSED")


@pytest.mark.parametrize("rule", ["-A FORWARD -j DROP", "-P FORWARD DROP"])
def test_dropped_in_silence(rule: str) -> None:
    """Facts 10 section 1.5: the whole time-out, nothing comes back."""
    call = Wires(LINE + f"r: iptables {rule}").tcp("a", "10.0.1.2")
    assert (call.outcome, call.error, call.leg.back) == (Outcome.DROPPED, "ETIMEDOUT", None)
    assert call.seconds == pytest.approx(134.6, abs=0.1)
    assert last(call).row == rule


def test_a_lost_answer_is_no_answer() -> None:
    """DESIGN section 4, outcomes: it arrived, the way back failed."""
    w = Wires(LINE + "b: ip route del default")
    for call in (w.tcp("a", "10.0.1.2"), w.udp("a", "10.0.1.2"), w.ping("a", "10.0.1.2")):
        assert (call.outcome, call.error) == (Outcome.NO_ANSWER, "ETIMEDOUT")
        assert back(call).outcome is Outcome.NO_ROUTE


def test_a_bound_socket_before_an_open_one() -> None:
    """net/ipv4/inet_hashtables.c (compute_score): the more exact socket wins."""
    w = Wires(LINE + "b: ip addr add 10.0.1.3/24 dev eth0\nlisten b tcp 90 10.0.1.3")
    assert w.tcp("a", "10.0.1.2", 90).outcome is Outcome.REFUSED
    assert served(w.tcp("a", "10.0.1.3", 90)) == "10.0.1.3:90"


def test_every_branch_of_statistic() -> None:
    """DESIGN section 4, random choices: all branches when judging, one when showing."""
    w = Wires(
        LINE
        + """
        b: ip addr add 10.0.1.3/24 dev eth0
        r: iptables -t nat -A PREROUTING -d 10.96.0.1 -p tcp -m statistic --mode random --probability 0.5 -j {dnat}.2
        r: iptables -t nat -A PREROUTING -d 10.96.0.1 -p tcp -j {dnat}.3
        """.format(dnat="DNAT --to-destination 10.0.1")
    )

    def one(choose: object) -> str:
        other = Wires()
        other.world.net, other.choose = w.net.copy(), choose  # type: ignore[assignment]
        return served(other.tcp("a", "10.96.0.1"))

    assert set(branches(one)) == {"10.0.1.2:80", "10.0.1.3:80"}


# -- values that are read, not ignored


def test_default_ttl() -> None:
    """ip-sysctl (KDOC of facts 10), ip_default_ttl: of what this namespace sends, answers too."""
    w = Wires(LINE + "b: sysctl -w net.ipv4.ip_default_ttl=128\na: sysctl -w net.ipv4.ip_default_ttl=2")
    call = w.ping("a", "10.0.1.2")
    assert (call.outcome, call.reply_ttl) == (Outcome.DELIVERED, 127)
    assert w.tcp("a", "10.0.1.2").reply_ttl == 127
    w.type("a: sysctl -w net.ipv4.ip_default_ttl=1")
    assert w.ping("a", "10.0.1.2").outcome is Outcome.TTL_EXCEEDED


@pytest.mark.parametrize(("key", "word"), [("udp_timeout", "4"), ("udp_timeout_stream", "30")])
def test_conntrack_seconds(key: str, word: str) -> None:
    """nf_conntrack-sysctl (KDOC of facts 10)."""
    w = Wires(LINE + "r: iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP")
    w.type(f"r: sysctl -w net.netfilter.nf_conntrack_{key}=5")
    w.udp("a", "10.0.1.2")
    assert w.conntrack("r")[0].split()[2] in (word, str(int(word) - 1), "29")
    assert (w.conntrack("r")[0].split()[2] in ("4", "5")) is (key == "udp_timeout")


@pytest.mark.parametrize(
    "pair",
    [
        "net.ipv4.tcp_syn_retries=2",
        "net.netfilter.nf_conntrack_events=1",
        "net.ipv4.conf.all.proxy_arp_pvlan=1",
    ],
)
def test_what_would_have_no_effect_is_refused(pair: str) -> None:
    """DESIGN section 2, law 2: unknown means stop."""
    w = Wires()
    done = w.shell.run(f"sysctl -w {pair}")
    assert done.code != 0 and pair.split("=")[0] in done.stderr


def test_every_outcome_has_its_sentence() -> None:
    """DESIGN section 4: outcomes are an enum, documented in one table."""
    assert set(OUTCOMES) == set(Outcome)
