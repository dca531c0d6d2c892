"""What holds for every network that commands can build.

A walk ends and raises nothing; the same acts give the same state; a copy of a Net is its own; a Journey's JSON has the
public keys.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.lab.lab import Lab
from engine.linux.choose import Seeded
from engine.linux.journey import Journey, Outcome
from engine.linux.net import Net
from tests.linux.walk.wires import Wires

BASE = """
    h: sysctl -w net.ipv4.ip_forward=1
    h: ip link add br0 type bridge
    h: ip link set br0 up
    h: ip addr add 10.0.0.254/24 dev br0
    wire a eth0 10.0.0.1/24 h va -
    wire b eth0 10.0.0.2/24 h vb -
    h: ip link set va master br0
    h: ip link set vb master br0
    wire h ext 10.0.1.254/24 c eth0 10.0.1.2/24
    a: ip route add default via 10.0.0.254
    b: ip route add default via 10.0.0.254
    c: ip route add default via 10.0.1.254
    listen a tcp 80
    listen b tcp 80
    listen c tcp 80
    listen c udp 53
    listen h tcp 80
"""
SPACES = ("h", "a", "b", "c")
DEVICES = {
    "h": ("br0", "va", "vb", "ext", "lo"),
    "a": ("eth0", "lo"),
    "b": ("eth0", "lo"),
    "c": ("eth0", "lo"),
}
ADDRESSES = (
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.254",
    "10.0.1.254",
    "10.0.1.2",
    "10.9.9.9",
    "127.0.0.1",
    "10.0.0.77",
)
CHAINS = (("nat", ("PREROUTING", "OUTPUT", "POSTROUTING")), ("filter", ("INPUT", "FORWARD", "OUTPUT")))

space = st.sampled_from(SPACES)
address = st.sampled_from(ADDRESSES)
switch = st.sampled_from(("0", "1", "2"))


@st.composite
def line(draw: st.DrawFn) -> str:
    """A command that a learner may type; it may well fail."""
    where = draw(space)
    dev = draw(st.sampled_from(DEVICES[where]))
    to, via = draw(address), draw(address)
    proto = draw(st.sampled_from(("tcp", "udp", "icmp", "all")))
    dnat = draw(st.sampled_from(("", ":80", ":53"))) if proto in ("tcp", "udp") else ""
    return f"{where}: " + draw(
        st.sampled_from(
            (
                f"ip link set {dev} down",
                f"ip link set {dev} up mtu {draw(st.sampled_from((576, 1400, 1500)))}",
                f"ip addr add {to}/{draw(st.sampled_from((8, 24, 32)))} dev {dev}",
                f"ip addr flush dev {dev}",
                f"ip route replace {draw(st.sampled_from(('default', '10.0.0.0/8', to)))} via {via}",
                f"ip route replace {draw(st.sampled_from(('default', '10.9.0.0/16', to)))} dev {dev}",
                f"ip route add {draw(st.sampled_from(('blackhole', 'unreachable', 'throw')))} {to} table 100",
                f"ip rule add from {via} lookup 100",
                f"ip neigh replace {to} lladdr 02:00:00:00:00:01 dev {dev} nud permanent",
                f"bridge link set dev {dev} hairpin on",
                f"bridge link set dev {dev} isolated on",
                f"sysctl -w net.ipv4.ip_forward={draw(st.sampled_from('01'))}",
                f"sysctl -w net.ipv4.conf.all.rp_filter={draw(switch)}",
                f"sysctl -w net.ipv4.conf.{dev}.proxy_arp=1",
                "sysctl -w net.ipv4.conf.all.route_localnet=1",
                f"sysctl -w net.bridge.bridge-nf-call-iptables={draw(st.sampled_from('01'))}",
                f"iptables -t nat -A PREROUTING -p {proto} -d {via} -j DNAT --to-destination {to}{dnat}",
                f"iptables -t nat -A OUTPUT -p {proto} -d {via} -j DNAT --to-destination {to}{dnat}",
                "iptables -t nat -A POSTROUTING -j MASQUERADE",
                f"iptables -t nat -A POSTROUTING -s {via} -j SNAT --to-source {to}",
                "iptables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 80",
                f"iptables -A {draw(st.sampled_from(('INPUT', 'FORWARD', 'OUTPUT')))} -p {proto} -j REJECT",
                f"iptables -A FORWARD -m conntrack --ctstate {draw(st.sampled_from(('NEW', 'INVALID')))} -j DROP",
                "iptables -t raw -A PREROUTING -j NOTRACK",
                f"iptables -t mangle -A PREROUTING -j MARK --set-mark {draw(st.integers(0, 3))}",
                f"ip rule add fwmark {draw(st.integers(1, 3))} lookup 100",
            )
        )
    )


flow = st.tuples(st.sampled_from(("tcp", "udp", "ping")), space, address, st.sampled_from((80, 53, 81)))
lines = st.lists(line(), max_size=8)
flows = st.lists(flow, min_size=1, max_size=4)


@cache
def base() -> Net:
    return Wires(BASE).net


def built(typed: list[str], seed: int = 0) -> Wires:
    """The base network after these lines, whatever they answer."""
    w = Wires(seed=seed)
    w.world.net = base().copy()
    for one in typed:
        where, _, rest = one.partition(": ")
        w.shell.run(rest if where == "h" else f"ip netns exec {where} {rest}")
    return w


def act(w: Wires, kind: str, who: str, to: str, port: int) -> Any:
    return w.ping(who, to) if kind == "ping" else (w.tcp if kind == "tcp" else w.udp)(who, to, port)


@settings(max_examples=50)
@given(lines, flows)
def test_a_walk_always_ends_and_never_raises(
    typed: list[str], wanted: list[tuple[str, str, str, int]]
) -> None:
    w = built(typed)
    for kind, who, to, port in wanted:
        clock = w.net.clock
        call = act(w, kind, who, to, port)
        assert isinstance(call.outcome, Outcome)
        assert w.net.clock >= clock
        assert all(walk.hops for walk in call.leg.walks())
        delivered = call.outcome is Outcome.DELIVERED
        assert delivered is (call.error == "" and call.server is not None), (call.outcome, call.error)


@settings(max_examples=20)
@given(lines, flows)
def test_the_same_acts_give_the_same_state(typed: list[str], wanted: list[tuple[str, str, str, int]]) -> None:
    one, two = built(typed), built(typed)
    for step in wanted:
        assert (act(one, *step) == act(two, *step)) is True
    assert changed(rows(one.net), rows(two.net)) == []


@settings(max_examples=20)
@given(lines, flows, lines)
def test_a_copy_is_independent(
    typed: list[str], wanted: list[tuple[str, str, str, int]], more: list[str]
) -> None:
    w = built(typed)
    act(w, *wanted[0])
    before = rows(w.net)
    copy = Wires()
    copy.world.net = w.net.copy()
    assert changed(rows(copy.net), before) == []
    for one in more:
        where, _, rest = one.partition(": ")
        copy.shell.run(rest if where == "h" else f"ip netns exec {where} {rest}")
    for step in wanted:
        act(copy, *step)
    copy.wait(400)
    copy.shell.run("ip neigh; bridge fdb; ip -n a neigh; conntrack -F; ip netns del b")
    assert changed(rows(w.net), before) == []


def rows(net: Net) -> dict[str, str]:
    """Everything that a Net holds, a line for each value: its path and its text."""
    found: dict[str, str] = {}
    gather(found, "net", net)
    return found


def gather(found: dict[str, str], path: str, value: Any) -> None:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for f in dataclasses.fields(value):
            # not what a chain keeps ready to run, nor whom a table shares its rows with
            if not f.name.startswith("_") and f.name != "common":
                gather(found, f"{path}.{f.name}", getattr(value, f.name))
    elif isinstance(value, dict):
        for key, each in value.items():
            gather(found, f"{path}[{key!r}]", each)
    elif isinstance(value, list | tuple):
        for n, each in enumerate(value):
            gather(found, f"{path}[{n}]", each)
    elif type(value) is not object:  # a bare object is only a mark of identity
        found[path] = repr(value)


def changed(one: dict[str, str], two: dict[str, str]) -> list[str]:
    """The paths at which two Nets differ, few enough to read."""
    return [f"{k}: {one.get(k)} / {two.get(k)}" for k in sorted({*one, *two}) if one.get(k) != two.get(k)][:9]


# -- the public form

JOURNEY = {"version", "outcome", "legs"}
LEG = {"purpose", "forward", "back"}
WALK = {"outcome", "hops"}
HOP = {"node", "namespace", "device", "program", "direction", "steps"}
STEP = {
    "kind", "hook", "table", "chain", "number", "verdict", "row", "visited", "mark", "before", "after", "why",
    "fidelity", "aside", "copies",
}  # fmt: skip
LAYERS = {
    "ethernet": {"src", "dst", "type"},
    "arp": {"op", "sender_mac", "sender_ip", "target_mac", "target_ip"},
    "ipv4": {"src", "dst", "proto", "ttl", "tos", "ident", "df"},
    "tcp": {"sport", "dport", "flags", "seq", "ack"},
    "udp": {"sport", "dport"},
    "icmp": {"type", "code", "ident", "seq", "mtu", "quoted"},
    "payload": {"protocol", "text", "size"},
}


def check_packet(layers: list[dict[str, Any]]) -> None:
    for layer in layers:
        assert set(layer) <= LAYERS[layer["layer"]] | {"layer"}
        if "quoted" in layer:
            check_packet(layer["quoted"])


def check_walk(walk: dict[str, Any]) -> None:
    assert set(walk) == WALK and walk["outcome"] in set(Outcome)
    for hop in walk["hops"]:
        assert set(hop) <= HOP and {"node", "namespace", "steps"} <= set(hop) and hop["steps"]
        for step in hop["steps"]:
            assert set(step) <= STEP and {"kind", "fidelity"} <= set(step)
            assert all(step[key] not in ("", None, 0, [], ()) for key in step), step
            for key in ("before", "after"):
                check_packet(step.get(key, []))
            for walked in (*step.get("aside", ()), *step.get("copies", ())):
                check_walk(walked)


@settings(max_examples=25)
@given(lines, flow)
def test_the_public_form_of_a_journey(typed: list[str], wanted: tuple[str, str, str, int]) -> None:
    """DESIGN section 5: a journey as JSON, version 1. Keys that do not apply are absent."""
    call = act(built(typed), *wanted)
    shown = Journey(act="x", outcome=call.outcome, legs=call.legs).to_json()
    assert set(shown) == JOURNEY and shown["version"] == 1
    for leg in shown["legs"]:
        assert set(leg) <= LEG and {"purpose", "forward"} <= set(leg)
        check_walk(leg["forward"])
        if "back" in leg:
            check_walk(leg["back"])


# -- a whole lab

LAB = {
    "hosts": [
        {"name": "one", "addresses": ["192.168.10.1"], "listen": [80]},
        {"name": "two", "addresses": ["192.168.10.2"], "listen": [80, {"port": 53, "proto": "udp"}]},
    ]
}
typing = st.lists(
    st.tuples(
        st.sampled_from(("host/one", "host/two")),
        st.sampled_from(
            (
                "ping -c2 192.168.10.2",
                "curl -s -m 3 http://192.168.10.2/",
                "curl -s -m 3 http://192.168.10.1/",
                "iptables -A INPUT -p tcp --dport 80 -j REJECT",
                "iptables -t nat -A OUTPUT -d 10.96.0.1 -j DNAT --to-destination 192.168.10.2",
                "curl -s -m 2 http://10.96.0.1/",
                "ip addr add 192.168.10.9/24 dev eth0",
                "ip neigh flush all",
                "ip link add br7 type bridge",
                "sleep 40",
                "conntrack -L",
                "ip neigh",
                "nonsense --flag",
            )
        ),
    ),
    max_size=6,
)


@settings(max_examples=5)
@given(typing)
def test_replaying_a_labs_acts_gives_the_same_world(typed: list[tuple[str, str]]) -> None:
    """DESIGN section 4, ops: a lab can be replayed. What was printed is the same, too."""
    one, two = Lab.load(LAB, seed=3), Lab.load(LAB, seed=3)
    for place, text in typed:
        a, b = one.run(place, text), two.run(place, text)
        assert (a.stdout, a.stderr, a.code) == (b.stdout, b.stderr, b.code)
    assert changed(rows(one.world.net), rows(two.world.net)) == []
    start = rows(Lab.load(LAB, seed=3).world.net)
    for _ in typed:
        one.undo()
    assert changed(rows(one.world.net), start) == []


def test_a_seed_decides() -> None:
    """DESIGN section 4, random choices: the same seed gives the same ports and numbers, another one others."""

    def ports(seed: int) -> list[int]:
        w = Wires(BASE, seed=seed)
        return [w.tcp("a", "10.0.1.2").sock[1] for _ in range(3)]

    assert ports(1) == ports(1)
    assert len({tuple(ports(seed)) for seed in range(5)}) > 1
    assert Seeded(1).number("x", 0, 1 << 30) == Seeded(1).number("x", 0, 1 << 30)
