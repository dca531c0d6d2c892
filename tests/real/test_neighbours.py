"""ARP held against the kernel: the same messages on the wire of a machine with random addresses, routes and sysctls;
the same answers, and the same rows of `ip neigh` after each.

K8SNET_REAL_ROUNDS=10 (what `make real` sets) runs ten times as many. A failing test names its seed.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from engine.linux.addr import BROADCAST_MAC, mac_text, text4
from engine.linux.choose import Seeded
from engine.linux.packet import ETH_ARP, Arp, Ethernet, Packet
from engine.linux.text import neigh
from engine.linux.walk.walker import Walker
from engine.real.kernel import Kernel
from tests.linux.walk.wires import Wires
from tests.tools import need

need("userns", "ip")

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))
MACHINES, MESSAGES = 30, 25
ASKERS = (0x020000000A01, 0x020000000A02)
IPS = ("10.0.0.2", "10.0.0.3", "10.0.1.2", "10.0.9.9", "192.168.7.7", "0.0.0.0", "10.0.0.1")
TARGETS = ("10.0.0.1", "10.0.0.11", "10.0.1.1", "10.0.5.1", "10.0.0.99", "10.0.1.77", "10.0.7.7", "127.0.0.1",
           "10.0.0.2", "10.0.9.9", "172.16.0.1")  # fmt: skip
CONFS = ("arp_ignore", "arp_ignore", "arp_filter", "proxy_arp", "arp_accept", "rp_filter", "drop_gratuitous_arp",
         "accept_local", "forwarding", "route_localnet")  # fmt: skip


def machine(rng: random.Random) -> list[str]:
    """m, asked by a on eth0; b is on eth1."""
    words = [
        "wire a x -  m eth0 10.0.0.1/24", "wire b y -  m eth1 10.0.1.1/24",
        f"m: ip addr add 10.0.0.11/{rng.choice((24, 32))} dev eth0", "m: ip addr add 10.0.5.1/24 dev eth1",
        "m: ip addr add 172.16.0.1/32 dev eth1 scope host", f"m: sysctl -w net.ipv4.ip_forward={rng.choice('011')}",
        "m: sysctl -w net.ipv4.neigh.eth0.proxy_delay=0",
        f"m: sysctl -w net.ipv4.neigh.eth0.locktime={rng.choice((0, 99999))}", "m: ip route add 10.0.7.0/24 dev eth1",
    ]  # fmt: skip
    if rng.random() < 0.5:
        words.append(f"m: ip route add default dev {rng.choice(('eth0', 'eth1'))}")
    for _ in range(rng.randint(0, 4)):
        key = rng.choice(CONFS)
        value = (
            rng.choice("01238")
            if key == "arp_ignore"
            else rng.choice("012" if key in ("rp_filter", "arp_accept") else "01")
        )
        words.append(f"m: sysctl -w net.ipv4.conf.{rng.choice(('all', 'eth0'))}.{key}={value}")
    for _ in range(rng.randint(0, 2)):
        state = rng.choice(("permanent", "reachable", "stale", "noarp"))
        words.append(
            f"m: ip neigh replace {rng.choice(IPS[:4])} dev eth0 lladdr 02:00:00:00:0b:01 nud {state}"
        )
    if rng.random() < 0.3:
        words.append("m: ip neigh replace 10.0.0.3 dev eth0 nud failed")
    if rng.random() < 0.4:
        words.append(f"m: ip neigh add proxy {rng.choice(('10.0.1.77', '10.0.0.99', '10.0.7.7'))} dev eth0")
    return words


def message(rng: random.Random, own: int) -> list[int]:
    sender, op = rng.choice(ASKERS), rng.choice((1, 1, 1, 2))
    sip = ip(rng.choice(IPS))
    tip = sip if rng.random() < 0.2 else ip(rng.choice(TARGETS))
    target_mac = rng.choice((0, sender, own)) if op == 2 else 0
    return [op, sender, sip, target_mac, tip, BROADCAST_MAC if rng.random() < 0.7 else own]


def ip(text: str) -> int:
    return int.from_bytes(bytes(int(part) for part in text.split(".")), "big")


def model_answers(w: Wires, said: list[int]) -> list[list[int]]:
    op, sender, sip, target_mac, tip, to = said
    ns = w.ns("a")
    link = w.link("a", "x")
    arp = Arp(op=op, sender_mac=sender, sender_ip=sip, target_mac=target_mac, target_ip=tip)
    frame = Packet((Ethernet(src=sender, dst=to, type=ETH_ARP), arp))
    end = Walker(net=w.net, choose=Seeded(1)).frame_out(ns, link, frame)
    if end.answer is None:
        return []
    reply = end.answer.packet
    back, eth = reply.get(Arp), reply.eth
    assert back is not None and eth is not None
    return [[back.op, back.sender_mac, back.sender_ip, back.target_mac, back.target_ip, eth.dst]]


def kernel_rows(kernel: Kernel, id: str) -> list[str]:
    out = kernel.read(id, "ip", "-4", "neigh", "show", "dev", "eth0", "nud", "all")
    return sorted(line.strip() for line in out.splitlines() if not line.startswith("224."))


def model_rows(w: Wires) -> list[str]:
    ns = w.ns("m")
    index = ns.names["eth0"]
    return sorted(
        neigh.to_text(ns, row, hide=("dev",)) for key, row in ns.neighbours.items() if key[0] == index
    )


def shown(said: list[int]) -> str:
    op, sender, sip, target, tip, to = said
    word = {1: "who-has", 2: "reply"}[op]
    return f"{word} sender {mac_text(sender)} {text4(sip)} target {mac_text(target)} {text4(tip)} to {mac_text(to)}"


def check(seed: int) -> int:
    """How many messages were compared."""
    rng = random.Random(seed)
    words = machine(rng)
    w = Wires("\n".join(words))
    done: list[str] = []
    with Kernel() as kernel:
        kernel.build(w.net, watch=False)
        for line in words:
            if "neigh" in line.split()[:4] and "sysctl" not in line:
                kernel.read(w.id("m"), *line.partition(": ")[2].split())
        for _ in range(MESSAGES):
            said = message(rng, w.link("m", "eth0").mac)
            done.append(shown(said))
            w.wait(0.05)
            theirs = kernel.ask("arp", netns=w.id("a"), device="x", messages=[said], wait=0.02)["answers"][0]
            theirs = [one for one in theirs if one[0] == 2]
            mine = model_answers(w, said)
            where = "\n".join([f"seed {seed}", *words, *done])
            assert mine == theirs, f"{where}\nmodel  {mine}\nkernel {theirs}"
            assert model_rows(w) == kernel_rows(kernel, w.id("m")), (
                f"{where}\nmodel  {model_rows(w)}\nkernel {kernel_rows(kernel, w.id('m'))}"
            )
    return MESSAGES


@pytest.mark.parametrize("group", range(2 * ROUNDS))
def test_messages(group: int, record_property: Any) -> None:
    per = MACHINES // 2
    for seed in range(group * per, (group + 1) * per):
        record_property("kernel comparison", (1, check(seed), 0))
