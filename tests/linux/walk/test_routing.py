"""Routing as a packet meets it: choice, types, source, TTL, forwarding, source checks, MTU. Facts 10 section 1."""

from __future__ import annotations

import pytest

from engine.linux.addr import ip4, text4
from engine.linux.journey import Outcome, StepKind
from tests.linux.walk.wires import Wires, back, devices, last, rows, seen_as, steps, why

#: a - r - b, r forwards; a and b know their way by r
LINE = """
    wire a eth0 10.0.0.1/24 r ra 10.0.0.254/24
    wire r rb 10.0.1.254/24 b eth0 10.0.1.2/24
    r: sysctl -w net.ipv4.ip_forward=1
    a: ip route add default via 10.0.0.254
    b: ip route add default via 10.0.1.254
    listen b tcp 80
    listen b udp 53
"""
#: two ways from a to 10.9.0.1 (on b): by x and by y
TWO = """
    wire a x 10.0.1.1/24 b x 10.0.1.2/24
    wire a y 10.0.2.1/24 b y 10.0.2.2/24
    b: ip addr add 10.9.0.1/32 dev lo
"""


def out(w: Wires, to: str = "10.9.0.1", **more: object) -> str:
    """The device by which a's packet leaves; "" when it does not."""
    found = devices(w.ping("a", to, **more))
    return found[0].split()[1] if found else ""


# -- choice


def test_longest_prefix() -> None:
    """Facts 10 section 1.3: rules by priority, then the longest prefix."""
    w = Wires(TWO + "a: ip route add 10.0.0.0/8 via 10.0.1.2\na: ip route add 10.9.0.0/16 via 10.0.2.2")
    assert out(w) == "y"
    call = w.ping("a", "10.9.0.1")
    assert rows(call, StepKind.ROUTE) == ["10.9.0.0/16 via 10.0.2.2 dev y"]
    w.type("a: ip route add 10.9.0.1 via 10.0.1.2")
    assert out(w) == "x"


def test_lowest_metric() -> None:
    """Facts 10 section 1.3: then the lowest metric; a worse one takes over when the better one goes."""
    w = Wires(
        TWO
        + "a: ip route add 10.9.0.0/16 via 10.0.1.2 metric 20\na: ip route add 10.9.0.0/16 via 10.0.2.2 metric 10"
    )
    assert out(w) == "y"
    w.type("a: ip route del 10.9.0.0/16 metric 10")
    assert out(w) == "x"


def test_routes_go_with_their_device() -> None:
    """Facts 10 section 1.3: a device that goes down takes its routes."""
    w = Wires(
        TWO
        + "a: ip route add 10.9.0.0/16 via 10.0.1.2 metric 20\na: ip route add 10.9.0.0/16 via 10.0.2.2 metric 10"
    )
    w.type("a: ip link set y down")
    assert out(w) == "x"


@pytest.mark.parametrize(
    ("rule", "way"),
    [
        ("from 10.0.1.1 lookup 100", "y"),
        ("from 10.0.2.1 lookup 100", "x"),
        ("to 10.9.0.0/16 lookup 100", "y"),
        ("to 10.8.0.0/16 lookup 100", "x"),
        ("pref 40000 lookup 100", "x"),
        ("fwmark 7 lookup 100", "x"),
        ("lookup 101", "x"),
    ],
)
def test_rules_by_priority(rule: str, way: str) -> None:
    """Facts 10 section 1.3: a rule without pref stands before main; a table without a route is passed over."""
    w = Wires(
        TWO + "a: ip route add 10.9.0.0/16 via 10.0.1.2\na: ip route add default via 10.0.2.2 table 100"
    )
    w.type(f"a: ip rule add {rule}")
    assert out(w, source=ip4("10.0.1.1")) == way


def test_a_mark_set_in_output_is_routed_again() -> None:
    """Facts 10 section 1.1: mangle OUTPUT changes the mark, so the route is looked up again; the source stays."""
    w = Wires(
        TWO + "a: ip route add 10.9.0.0/16 via 10.0.1.2\na: ip route add default via 10.0.2.2 table 100"
    )
    w.type(
        "a: ip rule add fwmark 7 lookup 100\na: iptables -t mangle -A OUTPUT -d 10.9.0.1 -j MARK --set-mark 7"
    )
    call = w.ping("a", "10.9.0.1")
    assert devices(call)[0] == "a y out"
    assert seen_as(call) == "10.0.1.1"


def test_a_mark_set_in_prerouting_chooses_the_route() -> None:
    """Facts 10 section 1.1: mangle PREROUTING runs before the routing decision."""
    w = Wires(
        LINE
        + """
        wire r rc 10.0.2.254/24 c eth0 10.0.2.2/24
        r: ip route add 10.7.0.0/16 via 10.0.1.2
        r: ip route add 10.7.0.0/16 via 10.0.2.2 table 100
        r: ip rule add fwmark 1 lookup 100
        r: iptables -t mangle -A PREROUTING -p icmp -j MARK --set-mark 1
        """
    )
    assert devices(w.ping("a", "10.7.0.1"))[2] == "r rc out"
    assert devices(w.udp("a", "10.7.0.1"))[2] == "r rb out"


# -- types


@pytest.mark.parametrize(
    ("type_", "local", "outcome", "code", "remote"),
    [
        ("unreachable", "EHOSTUNREACH", Outcome.NO_ROUTE, 1, "EHOSTUNREACH"),
        ("prohibit", "EACCES", Outcome.NO_ROUTE, 13, "EHOSTUNREACH"),
        ("blackhole", "EINVAL", Outcome.DROPPED, None, "ETIMEDOUT"),
    ],
)
def test_types_that_refuse(type_: str, local: str, outcome: Outcome, code: int | None, remote: str) -> None:
    """Facts 10 section 1.5: what the local sender and what the sender behind the router see."""
    w = Wires(LINE + f"r: ip route add {type_} 10.7.0.0/16")
    here = w.tcp("r", "10.7.0.1")
    assert (here.outcome, here.error, here.seconds) == (outcome, local, 0.0)
    there = w.tcp("a", "10.7.0.1")
    assert (there.outcome, there.error) == (outcome, remote)
    assert (there.icmp.code if there.icmp is not None else None) == code
    assert (there.seconds > 100) is (code is None)
    assert last(there).row == f"{type_} 10.7.0.0/16"


@pytest.mark.parametrize(
    ("type_", "local"), [("unreachable", "ENETUNREACH"), ("prohibit", "EACCES"), ("blackhole", "EINVAL")]
)
def test_rules_that_refuse(type_: str, local: str) -> None:
    """man ip-rule: a rule may refuse by itself. Its unreachable means the network, a route's the host (measured)."""
    w = Wires(LINE + f"a: ip rule add to 10.0.1.0/24 {type_}")
    assert w.tcp("a", "10.0.1.2").error == local


def test_no_route() -> None:
    """Facts 10 section 1.5: ENETUNREACH at once, here and (by ICMP 3/0) behind the router."""
    w = Wires(LINE)
    here = w.tcp("r", "10.7.0.1")
    assert (here.outcome, here.error, here.seconds) == (Outcome.NO_ROUTE, "ENETUNREACH", 0.0)
    there = w.tcp("a", "10.7.0.1")
    assert (there.outcome, there.error) == (Outcome.NO_ROUTE, "ENETUNREACH")
    assert there.icmp is not None and (there.icmp.type, there.icmp.code) == (3, 0)
    assert there.icmp_from == ip4("10.0.0.254") and there.seconds < 1


def test_throw_goes_on_and_ends_as_no_route() -> None:
    """Facts 10 section 1.5: `throw` in the last table is ENETUNREACH; before it, the next rule is asked."""
    w = Wires(
        TWO
        + "a: ip route add throw 10.9.0.0/16 table 100\na: ip rule add lookup 100\n"
        + "a: ip route add 10.9.0.0/16 via 10.0.1.2"
    )
    assert out(w) == "x"
    w.type("a: ip route add throw 10.8.0.0/16")
    assert w.tcp("a", "10.8.0.1").error == "ENETUNREACH"


# -- source


@pytest.mark.parametrize(
    ("script", "source"),
    [
        ("a: ip route add 10.9.0.0/16 via 10.0.1.2", "10.0.1.1"),
        ("a: ip route add 10.9.0.0/16 via 10.0.1.2 src 10.0.2.1", "10.0.2.1"),
        ("a: ip addr add 10.0.1.7/24 dev x\na: ip route add 10.9.0.0/16 via 10.0.1.2", "10.0.1.1"),
        ("a: ip addr add 10.5.0.1/24 dev x\na: ip route add 10.9.0.0/16 via 10.5.0.2 dev x", "10.5.0.1"),
        ("a: ip route add 10.9.0.1 dev x", "10.0.1.1"),
    ],
)
def test_source_choice(script: str, source: str) -> None:
    """man ip-route: the route's src, else the device's primary address of the next hop's subnet, else its first."""
    w = Wires(TWO + script)
    call = w.udp("a", "10.9.0.1")
    assert text4(call.sock[0]) == source


def test_a_device_without_an_address_borrows_one() -> None:
    """net/ipv4/devinet.c (inet_select_addr): any other device's address of global scope."""
    w = Wires("wire a x 10.0.1.1/24 b x 10.0.1.2/24\nwire a y - b y -\na: ip route add 10.9.0.1 dev y")
    assert text4(w.udp("a", "10.9.0.1").sock[0]) == "10.0.1.1"


def test_the_own_address_is_its_own_source() -> None:
    """Facts 10 section 1.1: an address of this netns goes by lo, in both passes."""
    w = Wires(TWO + "listen a tcp 80")
    call = w.tcp("a", "10.0.1.1")
    assert (call.outcome, seen_as(call)) == (Outcome.DELIVERED, "10.0.1.1")
    assert devices(call) == ["a lo out", "a lo in"]


def test_loopback_needs_lo_up() -> None:
    """Facts 10 section 1.1: nothing is delivered to oneself without lo; a new namespace has it down."""
    w = Wires(TWO + "listen a tcp 80\na: ip link set lo down")
    assert w.tcp("a", "127.0.0.1").outcome is not Outcome.DELIVERED


# -- TTL


def test_each_router_takes_one() -> None:
    """Facts 10 section 1.5: default TTL 64, each forwarding hop -1."""
    w = Wires(LINE)
    assert w.ping("a", "10.0.0.254").reply_ttl == 64
    assert w.ping("a", "10.0.1.2").reply_ttl == 63
    (forwarded,) = steps(w.ping("a", "10.0.1.2"), StepKind.FORWARD)
    assert forwarded.before is not None and forwarded.after is not None
    assert (forwarded.before.ip.ttl, forwarded.after.ip.ttl) == (64, 63)


def test_a_trace_route() -> None:
    """Facts 10 section 1.5: ICMP 11/0 from each router in turn, then the host itself answers."""
    w = Wires(
        """
        wire a eth0 10.0.0.1/24 r1 x 10.0.0.254/24
        wire r1 y 10.0.1.1/24 r2 x 10.0.1.2/24
        wire r2 y 10.0.2.1/24 b eth0 10.0.2.2/24
        r1: sysctl -w net.ipv4.ip_forward=1
        r2: sysctl -w net.ipv4.ip_forward=1
        a: ip route add default via 10.0.0.254
        r1: ip route add 10.0.2.0/24 via 10.0.1.2
        r2: ip route add 10.0.0.0/24 via 10.0.1.1
        b: ip route add default via 10.0.2.1
        """
    )
    heard = []
    for ttl in (1, 2, 3):
        call = w.udp("a", "10.0.2.2", 33434, ttl=ttl)
        assert call.icmp is not None
        heard.append((text4(call.icmp_from), call.icmp.type, call.icmp.code, str(call.outcome)))
    assert heard == [
        ("10.0.0.254", 11, 0, "ttl-exceeded"),
        ("10.0.1.2", 11, 0, "ttl-exceeded"),
        ("10.0.2.2", 3, 3, "refused"),
    ]


def test_two_routers_that_send_it_to_each_other() -> None:
    """Facts 10 section 1.5: TTL ends the circle; the tutor says loop."""
    w = Wires(
        LINE
        + "wire r x 10.0.5.1/24 s x 10.0.5.2/24\ns: sysctl -w net.ipv4.ip_forward=1\n"
        + "r: ip route add 10.7.0.0/16 via 10.0.5.2\ns: ip route add default via 10.0.5.1"
    )
    call = w.tcp("a", "10.7.0.1")
    assert (call.outcome, call.error) == (Outcome.LOOP, "EHOSTUNREACH")
    assert call.icmp is not None and call.icmp.type == 11
    assert len(steps(call, StepKind.FORWARD)) == 63


# -- forwarding and source checks


def test_forwarding_off_is_silence() -> None:
    """Facts 10 section 1.3: 0 drops in silence, no ICMP; the kernel's default."""
    w = Wires(LINE + "r: sysctl -w net.ipv4.ip_forward=0")
    call = w.tcp("a", "10.0.1.2")
    assert (call.outcome, call.error, call.icmp) == (Outcome.DROPPED, "ETIMEDOUT", None)
    assert last(call).row == "net.ipv4.ip_forward = 0"
    assert call.seconds == pytest.approx(134.6, abs=0.1)
    assert w.tcp("a", "10.0.0.254").outcome is Outcome.REFUSED


def test_forwarding_of_one_device() -> None:
    """Facts 10 section 1.3: per-interface conf.IF.forwarding, of the device it comes in by."""
    w = Wires(LINE + "r: sysctl -w net.ipv4.conf.rb.forwarding=0")
    assert w.tcp("a", "10.0.1.2").error == "ETIMEDOUT"
    (call,) = [w.ping("a", "10.0.1.2")]
    assert call.outcome is Outcome.NO_ANSWER and last(back(call)).place.device == "rb"


#: b has two ways in; its way back to a is by the other one
ASYMMETRIC = """
    wire a x 10.0.1.1/24 b x 10.0.1.2/24
    wire a y 10.0.2.1/24 b y 10.0.2.2/24
    a: ip addr add 10.8.0.1/32 dev lo
    b: ip addr add 10.9.0.1/32 dev lo
    a: ip route add 10.9.0.1 via 10.0.1.2 src 10.8.0.1
    b: ip route add 10.8.0.1 via 10.0.2.1
    listen b tcp 80
    a: ping -c1 10.0.1.2
"""


@pytest.mark.parametrize(
    ("all_", "device", "passes"),
    [(0, 0, True), (1, 0, False), (0, 1, False), (2, 1, True), (1, 2, True), (0, 2, True)],
)
def test_rp_filter_strict_and_loose(all_: int, device: int, passes: bool) -> None:
    """Facts 10 section 1.3: the maximum of all and the device; 1 wants the best way back by the arrival interface."""
    w = Wires(
        ASYMMETRIC
        + f"b: sysctl -w net.ipv4.conf.all.rp_filter={all_}\nb: sysctl -w net.ipv4.conf.x.rp_filter={device}"
    )
    call = w.tcp("a", "10.9.0.1")
    assert call.outcome is (Outcome.DELIVERED if passes else Outcome.REVERSE_PATH_FILTERED)
    if not passes:
        assert last(call).row.startswith("10.8.0.1 via 10.0.2.1 dev y")
        assert call.error == "ETIMEDOUT"


@pytest.mark.parametrize("mode", [1, 2])
def test_rp_filter_without_any_way_back(mode: int) -> None:
    """Facts 10 section 1.3: both modes drop a source that is unroutable."""
    w = Wires(ASYMMETRIC + f"b: ip route del 10.8.0.1\nb: sysctl -w net.ipv4.conf.all.rp_filter={mode}")
    assert w.tcp("a", "10.9.0.1").outcome is Outcome.REVERSE_PATH_FILTERED


def test_prerouting_has_seen_what_rp_filter_drops() -> None:
    """Facts 10 section 9 (rp_filter row): seen in raw, mangle and nat PREROUTING, never in INPUT."""
    w = Wires(
        ASYMMETRIC
        + "b: sysctl -w net.ipv4.conf.all.rp_filter=1\nb: iptables -t raw -A PREROUTING -p tcp\n"
        + "b: iptables -A INPUT -p tcp"
    )
    w.tcp("a", "10.9.0.1")
    assert "1 " in w.one("b: iptables -t raw -L PREROUTING -v -n -x").splitlines()[2]
    assert w.one("b: iptables -L INPUT -v -n -x").splitlines()[2].split()[0] == "0"


def test_martian_own_address() -> None:
    """Facts 10 section 1.3: an own address as source is dropped at the door."""
    w = Wires(LINE + "a: ping -c1 10.0.0.254\na: ip addr add 10.0.1.254/32 dev lo")
    call = w.udp("a", "10.0.1.2", source=ip4("10.0.1.254"))
    assert call.outcome is Outcome.DROPPED and "martian source" in why(call)


def test_accept_local_lets_an_own_address_in() -> None:
    """ip-sysctl (KDOC of facts 10), accept_local."""
    w = Wires(LINE + "a: ip addr add 10.0.1.254/32 dev lo\nr: sysctl -w net.ipv4.conf.ra.accept_local=1")
    assert w.udp("a", "10.0.1.2", source=ip4("10.0.1.254")).outcome is not Outcome.DROPPED


@pytest.mark.parametrize("localnet", [0, 1])
def test_dnat_to_loopback(localnet: int) -> None:
    """Facts 10 section 1.3: times out (martian destination) unless route_localnet=1 on the device it came in by."""
    w = Wires(
        LINE
        + f"""
        b: iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination 127.0.0.1:80
        b: sysctl -w net.ipv4.conf.eth0.route_localnet={localnet}
        """
    )
    call = w.tcp("a", "10.0.1.2", 8080)
    if localnet:
        assert (call.outcome, call.error) == (Outcome.DELIVERED, "")
    else:
        assert (call.outcome, call.error) == (Outcome.DROPPED, "ETIMEDOUT")
        assert "martian destination" in why(call)


# -- MTU

NARROW = LINE + "r: ip link set rb mtu 1400\nb: ip link set eth0 mtu 1400"


def test_too_big_for_the_own_device() -> None:
    """Facts 10 section 1.5: EMSGSIZE, nothing leaves."""
    w = Wires(LINE)
    call = w.ping("a", "10.0.1.2", size=1500)
    assert (call.outcome, call.error, devices(call)) == (Outcome.TOO_BIG, "EMSGSIZE", [])
    assert w.ping("a", "10.0.1.2", size=1472).outcome is Outcome.DELIVERED


def test_too_big_for_the_next_link_is_learned() -> None:
    """Facts 10 section 1.5: ICMP 3/4 with the MTU, kept for ten minutes, then the local error."""
    w = Wires(NARROW)
    call = w.ping("a", "10.0.1.2", size=1472)
    assert call.outcome is Outcome.TOO_BIG
    assert call.icmp is not None and (call.icmp.type, call.icmp.code, call.icmp.mtu) == (3, 4, 1400)
    again = w.ping("a", "10.0.1.2", size=1472)
    assert (again.error, devices(again)) == ("EMSGSIZE", [])
    told = w.one("a: ip route get 10.0.1.2")
    assert (
        told == "10.0.1.2 via 10.0.0.254 dev eth0 src 10.0.0.1 uid 0 \n    cache expires 599sec mtu 1400 \n"
    )
    assert w.ping("a", "10.0.1.2", size=1372).outcome is Outcome.DELIVERED
    w.wait(601)
    assert w.ping("a", "10.0.1.2", size=1472).icmp is not None


def test_what_was_learned_can_be_flushed() -> None:
    """man ip-route, flush cache: the next packet learns again (Linux 6.18, seen)."""
    w = Wires(NARROW)
    w.ping("a", "10.0.1.2", size=1472)
    w.type("a: ip route flush cache")
    assert w.one("a: ip route get 10.0.1.2").endswith("    cache \n")
    assert w.ping("a", "10.0.1.2", size=1472).icmp is not None


def test_what_was_learned_is_for_one_destination() -> None:
    """Facts 10 section 1.5: the exception belongs to the destination that the error quoted."""
    w = Wires(NARROW + "\nb: ip addr add 10.0.1.3/24 dev eth0")
    w.ping("a", "10.0.1.2", size=1472)
    assert devices(w.ping("a", "10.0.1.3", size=1472)) != []


def test_a_route_with_an_mtu() -> None:
    """man ip-route, mtu: the route's own MTU counts in place of the device's."""
    w = Wires(LINE + "a: ip route replace default via 10.0.0.254 mtu 1300")
    assert w.ping("a", "10.0.1.2", size=1400).error == "EMSGSIZE"


def test_a_way_that_swallows_icmp_is_a_black_hole() -> None:
    """Facts 10 section 9 (pod MTU row): handshake fine, a big transfer stalls."""
    w = Wires(NARROW + "\na: iptables -A INPUT -p icmp -j DROP")
    assert w.tcp("a", "10.0.1.2").error == ""
    big = w.ping("a", "10.0.1.2", size=1472)
    assert (big.outcome, big.icmp, big.error) == (Outcome.TOO_BIG, None, "ETIMEDOUT")


def test_fragments_are_cut_and_put_together() -> None:
    """RFC 791 3.2: without DF a large packet goes in pieces and arrives whole. The walk follows the last one."""
    w = Wires(LINE)
    call = w.ping("a", "10.0.1.2", size=3000, df=False)
    assert (call.outcome, call.error) == (Outcome.DELIVERED, "")
    steps = [s for s in call.leg.forward.steps() if s.verdict in ("fragments", "whole")]
    assert [s.verdict for s in steps] == ["fragments", "whole"]
    cut, whole = steps
    assert cut.after is not None and cut.after.ip.offset == 2960 and len(cut.copies) == 2
    assert whole.after is not None and whole.after.ip_length() == 3028
    assert all(walk.steps().__next__().before.ip.mf for walk in cut.copies)  # type: ignore[union-attr]


def test_a_lost_fragment_loses_the_datagram() -> None:
    """A firewall that asks for ports meets only the first fragment; REJECT says nothing of a fragment (measured)."""
    for verdict in ("DROP", "REJECT"):
        w = Wires(LINE + f"r: iptables -A FORWARD -p icmp -m icmp --icmp-type 8 -j {verdict}")
        call = w.ping("a", "10.0.1.2", size=3000, df=False)
        assert (call.error, call.icmp) == ("ETIMEDOUT", None)
        assert call.leg.forward.outcome in (Outcome.DROPPED, Outcome.REJECTED)


def test_tracking_puts_fragments_together_and_cuts_them_as_they_came() -> None:
    """nf_defrag_ipv4: the hooks of a namespace that tracks see the whole."""
    w = Wires(LINE + "r: iptables -A FORWARD -m conntrack --ctstate NEW -j ACCEPT")
    call = w.ping("a", "10.0.1.2", size=3000, df=False)
    assert call.error == ""
    verdicts = [(s.place.namespace, s.verdict) for s in call.leg.forward.steps() if s.kind is StepKind.MTU]
    assert verdicts == [("a", "fragments"), ("r", "whole"), ("r", "fragments"), ("b", "whole")]


@pytest.mark.parametrize(("least", "shown"), [("552", "sec mtu 1400"), ("1450", "mtu lock 1450")])
def test_a_learned_path_mtu_is_shown(least: str, shown: str) -> None:
    """net.ipv4.route.min_pmtu: less is not believed, but locks the way there."""
    w = Wires(NARROW + f"\na: sysctl -w net.ipv4.route.min_pmtu={least}")
    w.ping("a", "10.0.1.2", size=1400)
    assert shown in w.one("a: ip route get 10.0.1.2")
    assert "mtu" not in w.one("a: ip route flush cache") + w.one("a: ip route get 10.0.1.2")


@pytest.mark.parametrize("to", ["224.0.0.1", "255.255.255.255", "10.0.0.255"])
def test_broadcast_and_multicast_are_not_modelled_and_say_so(to: str) -> None:
    """DESIGN section 2, law 2: unknown means stop."""
    assert Wires(LINE).udp("a", to).outcome is Outcome.NOT_MODELLED
