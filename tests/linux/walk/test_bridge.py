"""Bridges: learning, ageing, flooding, port flags, loops, br_netfilter's detour. Facts 10 section 1.6, REALITY 2.8."""

from __future__ import annotations

import pytest

from engine.linux.addr import mac_text, text4
from engine.linux.journey import Outcome, StepKind
from tests.linux.walk.wires import Wires, back, devices, last, rows, seen_as, served, steps, why

LAN = """
    sw: ip link add br0 type bridge
    sw: ip link set br0 up
    wire a eth0 10.0.0.1/24 sw pa -
    wire b eth0 10.0.0.2/24 sw pb -
    wire c eth0 10.0.0.3/24 sw pc -
    sw: ip link set pa master br0
    sw: ip link set pb master br0
    sw: ip link set pc master br0
    listen b tcp 80
    listen c tcp 80
"""
#: a and b on one bridge of a node that owns 10.0.0.254 and forwards
NODE = (
    LAN
    + """
    sw: ip addr add 10.0.0.254/24 dev br0
    sw: sysctl -w net.ipv4.ip_forward=1
    a: ip route add default via 10.0.0.254
    b: ip route add default via 10.0.0.254
    c: ip route add default via 10.0.0.254
"""
)
SERVICE = "sw: iptables -t nat -A PREROUTING -d 10.96.0.1 -p tcp --dport 80 -j DNAT --to-destination {to}:80"


def test_learning_from_the_source() -> None:
    """Facts 10 section 1.6: the fdb is learned from who sends."""
    w = Wires(LAN)
    assert w.fdb("sw", w.mac("a")) is None
    call = w.ping("a", "10.0.0.2")
    learned = {
        steps(walk, StepKind.LEARN)[0].row.strip() for walk in steps(call, StepKind.NEIGHBOUR)[0].aside
    }
    assert learned == {
        f"{mac_text(w.mac('a'))} dev pa master br0",
        f"{mac_text(w.mac('b'))} dev pb master br0",
    }
    assert devices(call) == ["a eth0 out", "sw pa in", "sw pb out", "b eth0 in"]
    assert [r.strip() for r in rows(call, StepKind.BRIDGE)] == [f"{mac_text(w.mac('b'))} dev pb master br0"]


def test_no_learning_where_it_is_off() -> None:
    """man bridge, learning off: the port's senders stay unknown, and frames for them are flooded."""
    w = Wires(LAN + "sw: bridge link set dev pa learning off")
    assert w.ping("a", "10.0.0.2").outcome is Outcome.DELIVERED
    assert w.fdb("sw", w.mac("a")) is None
    assert w.fdb("sw", w.mac("b")) is not None


@pytest.mark.parametrize(("seconds", "known"), [(290, True), (310, False)])
def test_ageing(seconds: float, known: bool) -> None:
    """Facts 10 section 1.6: 300 s."""
    w = Wires(LAN)
    w.ping("a", "10.0.0.2")
    w.wait(seconds)
    assert (f"{mac_text(w.mac('b'))} dev pb" in w.one("sw: bridge fdb show")) is known


def test_ageing_time_of_a_bridge() -> None:
    """man brctl, setageing: the bridge's own time counts."""
    w = Wires(LAN + "sw: brctl setageing br0 10")
    w.ping("a", "10.0.0.2")
    w.wait(20)
    assert mac_text(w.mac("b")) not in w.one("sw: bridge fdb show")


def test_a_frame_refreshes_the_entry() -> None:
    """Facts 10 section 1.6: the age counts from the last frame, not from the first."""
    w = Wires(LAN + "a: ping -c1 10.0.0.2")
    w.wait(200)
    w.ping("a", "10.0.0.2")
    w.wait(200)
    assert w.fdb("sw", w.mac("b")) is not None
    assert mac_text(w.mac("b")) in w.one("sw: bridge fdb show")


def test_an_unknown_address_is_flooded_and_the_ghosts_are_kept() -> None:
    """Facts 10 section 1.6: out of every port but its own; who is not meant ignores it."""
    w = Wires(LAN)
    w.ping("a", "10.0.0.2")
    w.ns("sw").fdb.pop((w.link("sw", "br0").ifindex, w.mac("b")))
    call = w.ping("a", "10.0.0.2")
    assert call.outcome is Outcome.DELIVERED
    (step,) = steps(call, StepKind.BRIDGE)
    assert step.verdict == "flood"
    (ghost,) = step.copies
    assert devices(ghost) == ["sw pc out", "c eth0 in"]
    assert ghost.outcome is Outcome.DROPPED and "not to this device" in why(ghost)


def test_a_broadcast_reaches_everybody_and_the_bridge_itself() -> None:
    """Facts 10 sections 1.4 and 1.6: an ARP question goes out of all other ports and up."""
    w = Wires(LAN)
    question = steps(w.ping("a", "10.0.0.2"), StepKind.NEIGHBOUR)[0].aside[0]
    (step,) = steps(question, StepKind.BRIDGE)
    assert sorted(devices(ghost)[0] for ghost in step.copies) == ["sw br0 in", "sw pc out"]
    assert question.outcome is Outcome.DELIVERED


def test_flood_off() -> None:
    """man bridge, flood off: unknown unicast does not leave by this port; broadcasts do."""
    w = Wires(LAN + "sw: bridge link set dev pb flood off")
    assert w.ping("a", "10.0.0.2").outcome is Outcome.DELIVERED
    w.ns("sw").fdb.pop((w.link("sw", "br0").ifindex, w.mac("b")))
    call = w.ping("a", "10.0.0.2")
    assert call.outcome is Outcome.DROPPED


def test_isolated_ports() -> None:
    """man bridge, isolated: two isolated ports do not talk; one isolated and one other do."""
    w = Wires(LAN + "sw: bridge link set dev pa isolated on\nsw: bridge link set dev pb isolated on")
    assert w.ping("a", "10.0.0.2").outcome is Outcome.UNRESOLVED_NEIGHBOUR
    assert w.ping("a", "10.0.0.3").outcome is Outcome.DELIVERED
    w.type("sw: bridge link set dev pb isolated off")
    w.ping("a", "10.0.0.2")
    w.type("sw: bridge link set dev pb isolated on")
    call = w.ping("a", "10.0.0.2")
    assert call.outcome is Outcome.DROPPED and "isolated" in why(call)


def test_a_frame_never_leaves_by_the_port_it_came_in_by() -> None:
    """Facts 10 section 1.6: unless hairpin is on there."""
    script = (
        NODE + SERVICE.format(to="10.0.0.1") + "\nlisten a tcp 80\nsw: bridge link set dev pa hairpin {}\n"
    )
    masq = "sw: iptables -t nat -A POSTROUTING -s 10.0.0.1 -d 10.0.0.1 -j MASQUERADE"
    call = Wires(script.format("off") + masq).tcp("a", "10.96.0.1")
    assert call.outcome is Outcome.DROPPED and "hairpin is off" in why(call)


@pytest.mark.parametrize("hairpin", ["off", "on"])
@pytest.mark.parametrize("masquerade", [False, True])
def test_hairpin_needs_both(hairpin: str, masquerade: bool) -> None:
    """Facts 10 section 1.2: hairpin mode and masquerade; each of the three other combinations times out."""
    w = Wires(
        NODE
        + SERVICE.format(to="10.0.0.1")
        + f"\nlisten a tcp 80\nsw: bridge link set dev pa hairpin {hairpin}"
    )
    if masquerade:
        w.type("sw: iptables -t nat -A POSTROUTING -s 10.0.0.1 -d 10.0.0.1 -j MASQUERADE")
    call = w.tcp("a", "10.96.0.1")
    if hairpin == "on" and masquerade:
        assert (call.outcome, call.error) == (Outcome.DELIVERED, "")
        assert (seen_as(call), served(call)) == ("10.0.0.254", "10.0.0.1:80")
    else:
        assert call.error == "ETIMEDOUT"
        assert call.outcome is not Outcome.DELIVERED


def test_the_bridges_own_address_goes_up() -> None:
    """Facts 10 section 1.6: frames for the bridge's own MAC go to the IP layer, at the bridge device."""
    w = Wires(NODE)
    call = w.ping("a", "10.0.0.254")
    assert call.outcome is Outcome.DELIVERED
    assert devices(call) == ["a eth0 out", "sw pa in", "sw br0 in"]


def test_a_ports_address_goes_up_too() -> None:
    """net/bridge/br_fdb.c: every port's MAC is a local entry of the fdb."""
    w = Wires(NODE)
    w.type(f"a: ip neigh replace 10.0.0.254 lladdr {mac_text(w.mac('sw', 'pb'))} dev eth0 nud permanent")
    call = w.ping("a", "10.0.0.254")
    assert "sw br0 in" in devices(call)


def test_two_wires_between_two_bridges_are_a_loop() -> None:
    """Facts 10 section 1.6 (no STP in this model): the broadcast circles, and the walk ends."""
    w = Wires(
        LAN
        + """
        s2: ip link add br0 type bridge
        s2: ip link set br0 up
        wire sw x1 - s2 x1 -
        wire sw x2 - s2 x2 -
        sw: ip link set x1 master br0
        sw: ip link set x2 master br0
        s2: ip link set x1 master br0
        s2: ip link set x2 master br0
        """
    )
    call = w.ping("a", "10.0.0.9")
    question = steps(call, StepKind.NEIGHBOUR)[0].aside[0]

    def outcomes(walk: object) -> set[Outcome]:
        found = {walk.outcome}  # type: ignore[attr-defined]
        for step in walk.steps():  # type: ignore[attr-defined]
            for copy in step.copies:
                found |= outcomes(copy)
        return found

    assert Outcome.LOOP in outcomes(question)
    assert call.outcome is Outcome.UNRESOLVED_NEIGHBOUR


@pytest.mark.parametrize(
    "down", ["sw: ip link set br0 down", "sw: ip link set pb down", "b: ip link set eth0 down"]
)
def test_nothing_crosses_what_is_down(down: str) -> None:
    """Facts 10 section 1.6: a port without carrier is no port, a bridge that is down switches nothing."""
    w = Wires(LAN + "a: ping -c1 10.0.0.2\n" + down)
    assert w.ping("a", "10.0.0.2").outcome is not Outcome.DELIVERED


def test_a_small_port_drops_what_does_not_fit() -> None:
    """net/bridge/br_forward.c (is_skb_forwardable): no ICMP, the frame is lost; facts 10 section 1.7 by its symptom."""
    w = Wires(LAN + "b: ip link set eth0 mtu 1400\nsw: ip link set pb mtu 1400")
    assert w.ping("a", "10.0.0.2").outcome is Outcome.DELIVERED
    call = w.ping("a", "10.0.0.2", size=1450)
    assert (call.outcome, call.icmp) == (Outcome.DROPPED, None)
    assert last(call).place.device == "pb"


# -- br_netfilter


def test_switched_frames_meet_iptables() -> None:
    """Facts 10 section 1.6, bridge-nf-call-iptables=1: PREROUTING, FORWARD, POSTROUTING between two ports."""
    w = Wires(LAN + "sw: iptables -A FORWARD -i br0 -o br0 -p tcp --dport 80 -j DROP")
    call = w.tcp("a", "10.0.0.2")
    assert call.outcome is Outcome.DROPPED
    assert last(call).row == "-A FORWARD -i br0 -o br0 -p tcp -m tcp --dport 80 -j DROP"
    w.type("sw: sysctl -w net.bridge.bridge-nf-call-iptables=0")
    assert w.tcp("a", "10.0.0.2").outcome is Outcome.DELIVERED


@pytest.mark.parametrize(
    ("rule", "drops"),
    [
        ("-A FORWARD -m physdev --physdev-in pa -j DROP", True),
        ("-A FORWARD -m physdev --physdev-in pb --physdev-out pa -p icmp --icmp-type 8 -j DROP", False),
        ("-A FORWARD -m physdev --physdev-is-bridged -j DROP", True),
        ("-A FORWARD -i pa -j DROP", False),
        ("-A INPUT -j DROP", False),
        ("-A OUTPUT -j DROP", False),
    ],
)
def test_the_hooks_of_a_switched_frame(rule: str, drops: bool) -> None:
    """REALITY 2.8.1: the bridge is the device, the port is the physdev."""
    w = Wires(LAN + f"sw: iptables {rule}")
    assert (w.ping("a", "10.0.0.2").outcome is Outcome.DROPPED) is drops


def test_prerouting_runs_at_the_port_with_the_bridge_as_device() -> None:
    """REALITY 2.8.1: before the bridge device, but with -i BRIDGE."""
    w = Wires(
        NODE
        + "sw: iptables -t nat -A PREROUTING -i br0 -p tcp --dport 81 -j REDIRECT --to-ports 80\nlisten sw tcp 80"
    )
    call = w.tcp("a", "10.0.0.254", 81)
    assert served(call) == "10.0.0.254:80"
    (rule,) = [s for s in steps(call, StepKind.RULE) if s.table == "nat"]
    assert rule.place.device == "pa"
    assert devices(call)[:3] == ["a eth0 out", "sw pa in", "sw br0 in"]


def test_dnat_inside_one_bridge_stays_in_the_bridge() -> None:
    """REALITY 2.8.2: TTL stays 64, FORWARD has in and out the bridge, the answer is turned back at the port."""
    w = Wires(NODE + SERVICE.format(to="10.0.0.2"))
    call = w.tcp("a", "10.96.0.1")
    assert (call.outcome, call.error) == (Outcome.DELIVERED, "")
    assert (served(call), seen_as(call), call.reply_ttl) == ("10.0.0.2:80", "10.0.0.1", 64)
    assert devices(call) == ["a eth0 out", "sw pa in", "sw pb out", "b eth0 in"]
    (hop,) = [s for s in steps(call, StepKind.RULE) if s.table == "nat"]
    assert hop.place.device == "pa"
    (undone,) = steps(back(call), StepKind.NAT)
    assert undone.after is not None and text4(undone.after.ip.src) == "10.96.0.1"


def test_forward_of_a_dnat_inside_one_bridge() -> None:
    """REALITY 2.8.2: FORWARD sees the bridge as both devices, POSTROUTING has no input device."""
    w = Wires(NODE + SERVICE.format(to="10.0.0.2"))
    w.type("sw: iptables -A FORWARD -i br0 -o br0 -d 10.0.0.2 -j ACCEPT")
    w.type("sw: iptables -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT")
    w.type("sw: iptables -P FORWARD DROP")
    call = w.tcp("a", "10.96.0.1")
    assert (call.outcome, call.error) == (Outcome.DELIVERED, "")


def test_dnat_inside_one_bridge_without_br_netfilter() -> None:
    """Facts 10 section 1.2, REALITY 2.8.3: the answer goes straight from port to port, and a resets it."""
    w = Wires(NODE + SERVICE.format(to="10.0.0.2") + "\nsw: sysctl -w net.bridge.bridge-nf-call-iptables=0")
    call = w.tcp("a", "10.96.0.1")
    assert (call.outcome, call.error) == (Outcome.NO_ANSWER, "ETIMEDOUT")
    assert devices(back(call)) == ["b eth0 out", "sw pb in", "sw pa out", "a eth0 in"]
    assert "the kernel answers RST" in why(back(call))
    (reset,) = call.leg.rest
    assert reset.packet is not None and str(reset.packet).startswith("TCP RST 10.0.0.1")


def test_the_entry_of_a_broken_call_is_unreplied() -> None:
    """Facts 10 section 1.2: the entry stays SYN_SENT [UNREPLIED]."""
    w = Wires(NODE + SERVICE.format(to="10.0.0.2") + "\nsw: sysctl -w net.bridge.bridge-nf-call-iptables=0")
    w.tcp("a", "10.96.0.1", timeout=3.0)
    (line,) = w.conntrack("sw")
    assert "SYN_SENT" in line and "[UNREPLIED]" in line


def test_dnat_from_a_bridge_to_elsewhere_goes_up() -> None:
    """REALITY 2.8.1 and facts 10 section 1.6: the new destination is not on the bridge, so the frame is routed."""
    w = Wires(
        NODE
        + """
        wire sw ext 10.1.0.1/24 d eth0 10.1.0.2/24
        d: ip route add default via 10.1.0.1
        listen d tcp 80
        """
        + SERVICE.format(to="10.1.0.2")
    )
    call = w.tcp("a", "10.96.0.1")
    assert (served(call), seen_as(call), call.reply_ttl) == ("10.1.0.2:80", "10.0.0.1", 63)
    assert devices(call) == ["a eth0 out", "sw pa in", "sw br0 in", "sw ext out", "d eth0 in"]


def test_a_switch_that_forwards_nothing_loses_a_dnat() -> None:
    """Without ip_forward the look-up of the new way fails, and the frame goes up to be refused: random clusters showed
    it in the kernel (net/bridge/br_netfilter_hooks.c, br_nf_pre_routing_finish: ip_route_input comes first)."""
    w = Wires(NODE + SERVICE.format(to="10.0.0.2") + "\nsw: sysctl -w net.ipv4.ip_forward=0")
    assert w.tcp("a", "10.96.0.1").outcome is Outcome.DROPPED
