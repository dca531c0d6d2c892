"""Random tables, rules, nexthops and sysctls, and the same questions to the kernel (RTM_GETROUTE) and to the model.

Every line of `ip` is typed on both sides, and refused by both or by none. K8SNET_REAL_ROUNDS=10 (what `make real`
sets) asks ten times as much. Without fib_multipath_hash_seed only the kernel knows its choice among several nexthops;
so every world has one.
"""

from __future__ import annotations

import errno
import os
import random
import shlex
from typing import Any

import pytest

from engine.linux.addr import text4
from engine.linux.flow import FlowKey
from engine.linux.net import Netns
from engine.linux.ops import SetSysctl
from engine.linux.routeget import Answer, route_get
from engine.real.compare import Flow, compare
from engine.real.kernel import Kernel
from tests.linux.replay import Replay
from tests.linux.walk.wires import Wires
from tests.tools import need

need("userns", "ip")

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))
WORLDS, QUESTIONS = 42, 2500
TYPES = {1: "unicast", 2: "local", 3: "broadcast", 5: "multicast"}
DEVICES = ("v0", "v1", "v2")
SETUP = (
    "ip link set lo up",
    *(f"ip link add {v} address 02:00:00:00:00:1{v[1]} type veth peer name w{v[1]} address 02:00:00:00:01:1{v[1]}"
      for v in DEVICES),
    *(f"ip link set {side}{v[1]} up" for v in DEVICES for side in "vw"),
    "ip addr add 10.0.0.1/24 dev v0", "ip addr add 10.0.1.1/24 dev v1", "ip addr add 10.0.2.1/25 dev v2",
    "ip addr add 10.0.2.130/32 dev v2", "ip addr add 10.0.0.77/24 dev v0",
)  # fmt: skip
OWN = ("10.0.0.1", "10.0.1.1", "10.0.0.77")
INPUTS = (*DEVICES, "lo", "gone")
PROTOS = ("tcp", "udp", "icmp")
NEAR = ("10.0.0.2", "10.0.0.3", "10.0.1.2", "10.0.1.3", "10.0.2.2", "10.0.2.3")


class World:
    """One random namespace on both sides."""

    def __init__(self, seed: int, kernel: Kernel, name: str) -> None:
        self.rng = random.Random(seed)
        self.kernel, self.name = kernel, name
        self.model = Replay()
        self.typed: list[str] = []
        for key in ("all", "default"):
            self.sysctl(f"net.ipv4.conf.{key}.rp_filter", "0")
            self.sysctl(f"net.ipv4.conf.{key}.send_redirects", "1")
        for line in SETUP:
            self.type(line)
        self.sysctls()
        for _ in range(self.rng.randint(5, 40)):
            self.type(" ".join(self.line().split()))
        self.ns: Netns = self.model.net.spaces["h"]

    def type(self, line: str) -> None:
        self.typed.append(line)
        _out, err, code = self.model.run(line)
        real = self.kernel.ask("try", netns=self.name, argv=shlex.split(line))
        assert (err, code) == (real["stderr"], real["code"]), "\n".join([*self.typed, err, real["stderr"]])

    def sysctl(self, key: str, value: str) -> None:
        self.typed.append(f"sysctl -w {key}={value}")
        self.model.changes.do(SetSysctl(netns="h", key=key, value=value))
        self.kernel.ask("sysctl", netns=self.name, values={key.replace(".", "/"): value})

    def sysctls(self) -> None:
        rng = self.rng
        self.sysctl("net.ipv4.fib_multipath_hash_seed", str(rng.randint(1, 2**32 - 1)))
        self.sysctl("net.ipv4.fib_multipath_hash_policy", str(rng.randint(0, 3)))
        self.sysctl("net.ipv4.fib_multipath_hash_fields", str(rng.randint(1, 0xFFF)))
        self.sysctl("net.ipv4.ip_forward", str(rng.choice((0, 1, 1, 1))))
        for _ in range(rng.randint(0, 3)):
            key = rng.choice(("rp_filter", "accept_local", "route_localnet", "send_redirects", "forwarding",
                              "src_valid_mark", "shared_media"))  # fmt: skip
            value = rng.choice("012") if key == "rp_filter" else rng.choice("01")
            self.sysctl(f"net.ipv4.conf.{rng.choice((*DEVICES, 'all'))}.{key}", value)

    # -- what is typed

    def prefix(self) -> str:
        rng = self.rng
        if rng.random() < 0.1:
            return "default"
        length = rng.choice((1, 4, 8, 12, 15, 16, 17, 20, 23, 24, 24, 25, 28, 30, 31, 32))
        base = rng.choice((10 << 24, 10 << 24 | rng.randint(0, 3) << 8, 20 << 24, rng.getrandbits(32)))
        address = (base | rng.getrandbits(10)) & (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
        return f"{text4(address)}/{length}"

    def way(self) -> str:
        rng = self.rng
        gateway = rng.choice(NEAR)
        return rng.choice((
            f"via {gateway}", f"via {gateway} dev v{gateway.split('.')[2]}", f"dev {rng.choice(DEVICES)}",
            f"via 9.9.9.{rng.randint(1, 9)} dev {rng.choice(DEVICES)} onlink",
        ))  # fmt: skip

    def line(self) -> str:
        rng = self.rng

        def maybe(chance: float, text: str) -> str:
            return f" {text}" if rng.random() < chance else ""

        table = rng.choice(("", "", "", "table 100", "table 101", "table 102", "table local"))
        tail = (
            f"{maybe(0.3, f'metric {rng.randint(1, 3)}')}{maybe(0.2, f'tos {rng.choice((4, 8, 0x10)):#x}')}"
            f"{maybe(0.2, f'src {rng.choice(OWN)}')} {table}"
            f"{maybe(0.1, 'mtu 1400')}"
        )
        kind = rng.random()
        if kind < 0.30:
            return f"ip route {rng.choice(('add', 'append', 'replace'))} {self.prefix()} {self.way()}{tail}"
        if kind < 0.50:
            hops = " ".join(
                f"nexthop {way.replace(' onlink', '')} weight {rng.choice((1, 1, 2, 3, 10, 256))}"
                f"{' onlink' if 'onlink' in way else ''}"
                for way in (self.way() for _ in range(rng.randint(1, 4)))
            )
            return f"ip route {rng.choice(('add', 'append', 'replace'))} {self.prefix()} {tail} {hops}"
        if kind < 0.60:
            refusal = rng.choice(("blackhole", "unreachable", "prohibit", "throw", "local", "broadcast"))
            device = f"dev {rng.choice(DEVICES)}" if refusal in ("local", "broadcast") else ""
            return f"ip route add {refusal} {self.prefix()} {device} {tail}"
        if kind < 0.72:
            id = rng.randint(1, 6)
            if rng.random() < 0.5:
                return f"ip nexthop {rng.choice(('add', 'replace'))} id {id} {rng.choice((self.way(), 'blackhole'))}"
            members = "/".join(
                f"{m}{maybe(0.5, f',{rng.randint(2, 9)}').replace(' ', '')}"
                for m in rng.sample(range(1, 7), rng.randint(1, 3))
            )
            return f"ip nexthop add id {rng.randint(10, 12)} group {members}"
        if kind < 0.80:
            id = rng.choice((1, 2, 3, 4, 5, 6, 10, 11, 12))
            return f"ip route {rng.choice(('add', 'append', 'replace'))} {self.prefix()} nhid {id}{tail}"
        if kind < 0.97:
            return self.rule()
        if kind < 0.985:
            return f"ip nexthop del id {rng.randint(1, 12)}"
        return f"ip neigh replace {rng.choice(NEAR)} dev {rng.choice(DEVICES)} nud failed"

    def rule(self) -> str:
        rng = self.rng

        def maybe(chance: float, text: str) -> str:
            return f" {text}" if rng.random() < chance else ""

        first = rng.randint(1, 900)
        action = rng.choice((
            "table 100", "table 101", "table 102", "table main", "table main suppress_prefixlength 0",
            "table 100 suppress_prefixlength 16", f"goto {rng.randint(30, 60)}", "nop", "blackhole", "unreachable",
            "prohibit",
        ))  # fmt: skip
        # A rule that refuses, or leaps, asks for a destination, or nothing would come further.
        wide = "table" in action or action == "nop"
        some = "" if wide else f" to {self.prefix()}"
        return (
            f"ip rule add{maybe(0.1 if wide else 0, 'not')} pref {rng.randint(1, 60)}"
            f"{maybe(0.25, f'from {self.prefix()}')}"
            f"{some or maybe(0.25, f'to {self.prefix()}')}"
            f"{maybe(0.15, f'fwmark {rng.randint(0, 3)}/{rng.choice((1, 3, 255))}')}"
            f"{maybe(0.15, f'iif {rng.choice(INPUTS)}')}{maybe(0.1, f'oif {rng.choice(DEVICES)}')}"
            f"{maybe(0.15, f'ipproto {rng.choice(PROTOS)}')}{maybe(0.1, f'sport {first}-{first + 99}')}"
            f"{maybe(0.1, 'dport 1-512')}{maybe(0.1, f'tos {rng.choice((4, 8, 0x10)):#x}')}"
            f"{maybe(0.05, 'uidrange 0-0')} {action}"
        )

    # -- what is asked

    def address(self) -> int:
        rng = self.rng
        return rng.choice((
            10 << 24 | rng.getrandbits(10), 10 << 24 | rng.getrandbits(24), 20 << 24 | rng.getrandbits(11),
            rng.getrandbits(32), 10 << 24 | rng.choice((1, 77, 255, 0x101, 0x282)), 127 << 24 | 1,
        ))  # fmt: skip

    def question(self) -> FlowKey:
        rng = self.rng
        came_in = rng.random() < 0.5
        proto = rng.choice((0, 6, 17, 1))
        return FlowKey(
            dst=self.address(),
            src=self.address() if came_in else rng.choice((0, 0, 0xA000001, 0xA000101, self.address())),
            iif=rng.choice(DEVICES) if came_in else "",
            oif="" if came_in or rng.random() < 0.9 else rng.choice(DEVICES),
            mark=rng.choice((0, 0, 1, 2, 3, 257)), tos=rng.choice((0, 0, 4, 8, 0x10, 0x1C, 0xE0)), proto=proto,
            sport=rng.randint(1, 1100) if proto in (6, 17) else 0,
            dport=rng.randint(1, 1100) if proto in (6, 17) else 0,
        )  # fmt: skip


def asked(ns: Netns, key: FlowKey) -> list[int]:
    iif, oif = ns.names.get(key.iif, 0), ns.names.get(key.oif, 0)
    return [key.dst, key.src, iif, oif, key.mark, key.tos, key.proto, key.sport, key.dport]


def model_words(ns: Netns, key: FlowKey, answer: Answer) -> tuple[object, ...]:
    if answer.error:
        return (answer.error,)
    src = 0 if key.iif or answer.src == key.src else answer.src
    # Multicast and limited broadcast: the flags and the source are compared by `ip route get`'s own goldens.
    return answer.type, answer.device, text4(answer.gateway), text4(src)


def kernel_words(ns: Netns, words: list[int]) -> tuple[object, ...]:
    error, kind, _, oif, gateway, src = words
    if error:
        return (errno.errorcode[error],)
    return TYPES.get(kind, str(kind)), ns.links[oif].name if oif else "", text4(gateway), text4(src)


def table_of(ns: Netns, answer: Answer) -> int:
    return answer.row.table if answer.row is not None else 0


@pytest.mark.parametrize("group", range(6 * ROUNDS))
def test_lookups(group: int, record_property: Any) -> None:
    per = WORLDS // 6
    for seed in range(group * per, (group + 1) * per):
        with Kernel() as kernel:
            kernel.build(Replay().net, watch=False)
            world = World(seed, kernel, "h")
            keys = [world.question() for _ in range(QUESTIONS)]
            answers = kernel.ask("routes", netns="h", asked=[asked(world.ns, key) for key in keys])["answers"]
            net, ns = world.model.net, world.ns
            for key, real in zip(keys, answers, strict=True):
                answer = route_get(net, ns, key)
                mine, theirs = model_words(ns, key, answer), kernel_words(ns, real)
                assert mine == theirs, "\n".join([
                    f"seed {seed}", *world.typed, f"{text4(key.src)} > {text4(key.dst)} {key}", f"model  {mine}",
                    f"kernel {theirs} table {real[2]}", f"row    {answer.row}",
                ])  # fmt: skip
        record_property("route lookups", QUESTIONS)


POLICIES = ("0", "1", "2", "3")


@pytest.mark.parametrize("policy", POLICIES)
def test_packets_take_the_nexthop_that_the_hash_says(policy: str, record_property: Any) -> None:
    """A machine with three ways, and a router with two, both with a seed: real datagrams against the model's. What is
    forwarded is hashed by its headers, what is made here by its key (policy 3 hashes them differently)."""
    rng = random.Random(int(policy))
    words = [
        "wire a e0 10.0.0.1/24 r i0 10.0.0.2/24", "wire a e1 10.0.1.1/24 r i1 10.0.1.2/24",
        "wire a e2 10.0.2.1/24 r i2 10.0.2.2/24", "wire r o0 10.1.0.1/24 b e0 10.1.0.2/24",
        "wire r o1 10.1.1.1/24 b e1 10.1.1.2/24", "r: sysctl -w net.ipv4.ip_forward=1",
        "b: ip addr add 10.9.9.9/32 dev lo", "a: ip addr add 10.8.8.8/32 dev lo", "listen b udp 80",
        "a: ip route add 10.9.0.0/16 src 10.8.8.8 nexthop via 10.0.0.2 weight 1 nexthop via 10.0.1.2 weight 2 "
        "nexthop via 10.0.2.2 weight 1",
        "r: ip nexthop add id 1 via 10.1.0.2 dev o0", "r: ip nexthop add id 2 via 10.1.1.2 dev o1",
        "r: ip nexthop add id 3 group 1/2,3", "r: ip route add 10.9.0.0/16 nhid 3",
        "r: ip route add 10.8.8.8 nexthop via 10.0.0.1 nexthop via 10.0.1.1 nexthop via 10.0.2.1",
        "b: ip route add 10.8.8.8 via 10.1.0.1",
        *(f"{n}: sysctl -w net.ipv4.fib_multipath_hash_policy={policy} net.ipv4.fib_multipath_hash_fields=55 "
          f"net.ipv4.fib_multipath_hash_seed={rng.randint(1, 2**32 - 1)}" for n in "ar"),
    ]  # fmt: skip
    w = Wires("\n".join(words))
    ways = set()
    steps = 0
    with Kernel() as kernel:
        kernel.build(w.net)
        for number in range(12):
            # Connected sockets carry a random hash of their own into the router (policy 1 believes it): pings do not.
            proto = "icmp" if policy == "1" else "udp"
            flow = Flow(netns=w.id("a"), proto=proto, dst=f"10.9.{number}.9" if proto == "icmp" else "10.9.9.9",
                        dport=80, sport=5000 + number * 37)  # fmt: skip
            compared = compare(kernel, w.net, flow)
            assert compared.same, "\n".join([compared.grid(), *words])
            ways.add(tuple(sorted(r.what for r in compared.model[w.id("a")] if r.what.startswith("out"))))
            steps += compared.count
    assert len(ways) > 1 or policy in ("0", "2")
    record_property("kernel comparison", (1, 12, steps))
