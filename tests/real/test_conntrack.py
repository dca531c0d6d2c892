"""Connection tracking against the kernel: after every packet of a random flow both tables are equal.

Segments with any flags in any order and direction, with right and wrong numbers; datagrams, echoes and ICMP errors; all
through a router that translates by random nat rules. Tuples, states, status bits, timeouts and zones are compared. The
ports that the kernel draws are given to the model. K8SNET_REAL_ROUNDS=10 runs ten times as many; a failing seed is in
the message.
"""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from engine.linux import ops
from engine.linux.addr import ip4, text4
from engine.linux.choose import Seeded
from engine.linux.packet import Ethernet, Icmp, IPv4, Packet, Payload, Proto, Tcp, Udp
from engine.linux.walk.walker import Arrive, Walker
from tests.linux.walk.wires import Wires
from tests.tools import need

need("userns", "iptables", "ip", "conntrack")

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))
SEEDS, STEPS = 24, 100
FLAG_BITS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}
FLAGS = (
    "S",
    "SA",
    "A",
    "PA",
    "FA",
    "R",
    "RA",
    "S",
    "SA",
    "A",
    "A",
    "PA",
    "F",
    "SF",
    "",
    "SR",
    "FPU",
    "AU",
    "P",
)
#: conntrack status bits
SEEN_REPLY, ASSURED, SRC_NAT, DST_NAT = 2, 4, 16, 32
RULES = (
    "-A POSTROUTING -o r1 -j MASQUERADE",
    "-A POSTROUTING -o r1 -j MASQUERADE --random-fully",
    "-A POSTROUTING -o r1 -p tcp -j SNAT --to-source 10.0.1.254:5000-5003\n"
    "-A POSTROUTING -o r1 -j SNAT --to-source 10.0.1.254",
    "-A POSTROUTING -o r1 -j SNAT --to-source 10.0.1.250-10.0.1.253",
    "-A POSTROUTING -o r1 -j SNAT --to-source 10.0.1.250-10.0.1.253 --persistent",
    "-A PREROUTING -d 10.96.0.1 -p tcp -j DNAT --to-destination 10.0.1.2:8080\n"
    "-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.0.1.3",
    "-A PREROUTING -d 10.96.0.1 -p tcp -j DNAT --to-destination 10.0.1.2-10.0.1.5:8080-8083\n"
    "-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.0.1.2-10.0.1.5\n-A POSTROUTING -o r1 -j MASQUERADE",
    "-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.0.1.2\n"
    "-A POSTROUTING -o r1 -p udp -j MASQUERADE --to-ports 600-605",
    "-A POSTROUTING -o r9 -j MASQUERADE",
)  # fmt: skip


#: what raw says before the tracker looks
RAW = (
    "", "", "", "-A PREROUTING -j CT --zone 3", "-A PREROUTING -i r0 -j CT --zone-orig 4",
    "-A PREROUTING -i r0 -p udp -j CT --zone 9", "-A PREROUTING -p udp -j CT --notrack",
)  # fmt: skip


class Told(Seeded):
    """Ports that the kernel chose, in place of drawn ones."""

    def __init__(self) -> None:
        super().__init__(1)
        self.ports: dict[tuple[int, ...], int] = {}

    def number(self, what: str, low: int, high: int, about: object = None) -> int:
        if what == "nat port":
            port = self.ports.get(tuple(getattr(about, "orig", ())), low)
            assert low <= port <= high, (what, low, high, port)
            return port
        return super().number(what, low, high, about)


class Router:
    """The kernel's router (tests/real/ctworker.py)."""

    def __enter__(self) -> Router:
        worker = str(Path(__file__).with_name("ctworker.py"))
        self.process = subprocess.Popen(
            ["unshare", "-Urnm", "--kill-child", "python3", "-I", worker], stdin=subprocess.PIPE, text=True,
            stdout=subprocess.PIPE, env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=10)

    def ask(self, **want: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(want) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def encode(packet: Packet) -> bytes:
    """The bytes from the IPv4 header on: no options, a window of 64240."""
    ip, l4 = packet.ip, packet.l4
    data = b"x" * (packet.payload.size if packet.payload is not None else 0)
    if isinstance(l4, Icmp):
        quoted = encode(l4.quoted)[:64] if l4.quoted is not None else b""
        rest = (0, 0) if l4.is_error else (l4.ident, l4.seq)
        body = struct.pack(">BBHHH", l4.type, l4.code, 0, *rest) + quoted + data
        body = body[:2] + struct.pack(">H", checksum(body)) + body[4:]
    else:
        pseudo = struct.pack(">IIBB", ip.src, ip.dst, 0, ip.proto)
        if isinstance(l4, Tcp):
            bits = sum(FLAG_BITS[f] for f in l4.flags)
            head = struct.pack(">HHIIBBH", l4.sport, l4.dport, l4.seq, l4.ack, 0x50, bits, 64240)
            tail, at = b"\0\0\0\0", 16
        elif isinstance(l4, Udp):
            head, tail, at = struct.pack(">HHH", l4.sport, l4.dport, 8 + len(data)), b"\0\0", 6
        else:
            head, tail, at = b"\0" * 12, b"", -1
        body = head + tail + data
        if at >= 0:
            total = checksum(pseudo + struct.pack(">H", len(body)) + body)
            body = body[:at] + struct.pack(">H", total) + body[at + 2 :]
    lead = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(body), 1, 0x4000, ip.ttl, ip.proto, 0, ip.src, ip.dst)
    return lead[:10] + struct.pack(">H", checksum(lead)) + lead[12:] + body


class Model:
    """The same router in the model."""

    def __init__(self, rules: str, raw: str) -> None:
        self.wires = Wires(
            """
            wire x eth0 - r r0 10.0.0.254/24
            wire r r1 10.0.1.254/24 y eth0 -
            r: sysctl -w net.ipv4.ip_forward=1
            """
        )
        for side in ("0", "1"):
            for host in (*range(1, 10), *range(250, 254)):
                mac = f"02:00:00:00:0{side}:01"
                self.wires.one(f"r: ip neigh add 10.0.{side}.{host} lladdr {mac} dev r{side} nud permanent")
        for line in rules.splitlines():
            self.wires.one(f"r: iptables -t nat {line}")
        if raw:
            self.wires.one(f"r: iptables -t raw {raw}")
        self.ns = self.wires.ns("r")
        self.choose = Told()

    def put(self, side: int, packet: Packet) -> None:
        link = self.wires.link("r", f"r{side}")
        frame = packet.framed(Ethernet(src=2, dst=link.mac))
        walker = Walker(net=self.wires.net, choose=self.choose)
        end = walker.run(Arrive(netns=self.ns.id, ifindex=link.ifindex, frame=frame))
        while end.answer is not None:  # what the router itself says to a packet that was for it
            answer = end.answer
            walker = Walker(net=self.wires.net, choose=self.choose)
            end = walker.send(answer.netns, answer.packet, ct_of=answer.ct_of)

    def advance(self, seconds: float) -> None:
        if seconds > 0:
            self.wires.world.do(ops.Advance(seconds=seconds))

    def table(self) -> dict[str, tuple[Any, ...]]:
        now = self.wires.net.clock
        return {
            words(e.orig): (
                words(e.reply), e.state, bits(e.seen_reply, e.assured, e.snat, e.dnat),
                0 if e.zone.way else e.zone.id, e.deadline - now,
            )
            for e in self.ns.conntrack.shown(now)
        }  # fmt: skip


def bits(seen: bool, assured: bool, snat: bool, dnat: bool) -> int:
    return seen * SEEN_REPLY | assured * ASSURED | snat * SRC_NAT | dnat * DST_NAT


def words(key: tuple[int, ...]) -> str:
    return f"{key[0]} {text4(key[1])}:{key[2]}>{text4(key[3])}:{key[4]}"


def kernel_words(key: list[Any]) -> str:
    return f"{key[0]} {key[1]}:{key[2]}>{key[3]}:{key[4]}"


def kernel_table(dump: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    mask = SEEN_REPLY | ASSURED | SRC_NAT | DST_NAT
    return {
        kernel_words(e["orig"]): (
            kernel_words(e["reply"]), e["state"], e["status"] & mask, e["zone"], e["timeout"],
        )
        for e in dump
    }  # fmt: skip


def differences(ours: dict[str, tuple[Any, ...]], theirs: dict[str, tuple[Any, ...]]) -> list[str]:
    out = []
    for key in sorted(set(ours) | set(theirs)):
        a, b = ours.get(key), theirs.get(key)
        if a is None or b is None or a[:-1] != b[:-1] or abs(a[-1] - b[-1]) > 1.01:
            out.append(f"{key}\n  model  {a}\n  kernel {b}")
    return out


class Flows:
    """Draws packets of a few flows. Directions follow what the kernel's table says the way back looks like."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        pick = self.random
        self.flows: list[dict[str, Any]] = []
        for number in range(6):
            proto = pick.choice((6, 6, 6, 6, 17, 17, 1, 47, 99))
            flow = {
                "proto": proto, "src": f"10.0.0.{pick.choice((1, 1, 2))}",
                "sport": pick.choice((4000 + number, 4000, 100, 700, 5000)),
                "dst": pick.choice(("10.96.0.1", "10.0.1.2", "10.0.1.3")), "dport": pick.choice((80, 81, 8080)),
                "next": [pick.randrange(1 << 32), pick.choice((pick.randrange(1 << 32), (1 << 32) - 2))],
            }  # fmt: skip
            self.flows.append(flow)

    def packet(self, table: list[dict[str, Any]]) -> tuple[int, Packet]:
        pick = self.random
        flow = pick.choice(self.flows)
        back = pick.random() < 0.45
        proto = flow["proto"]
        ours = [proto, flow["src"], flow["sport"], flow["dst"], flow["dport"]]
        if proto == 1:
            ours[4] = 8 << 8
        if proto in (47, 99):
            ours[2] = ours[4] = 0
        if not back:
            key = ours
        else:
            found = next((e for e in table if e["orig"] == ours), None)
            key = found["reply"] if found is not None else [proto, ours[3], ours[4], ours[1], ours[2]]
            if found is None and (proto == 1 or not key[1].startswith("10.0.1.")):
                key = ours
                back = False
        if proto in (6, 17) and pick.random() < 0.06:
            return self.error(key, back)
        if proto == 6:
            layers = self.segment(flow, back, key)
        elif proto == 17:
            layers = [
                Udp(sport=key[2], dport=key[4]),
                Payload(protocol="x", text="x", size=pick.randrange(40)),
            ]
        elif proto == 1:
            layers = [Icmp(type=key[4] >> 8, code=0, ident=key[2], seq=1)]
        else:
            layers = []
        ip = IPv4(src=ip4(key[1]), dst=ip4(key[3]), proto=proto, ttl=64)
        return int(back), Packet((ip, *layers))

    def segment(self, flow: dict[str, Any], back: bool, key: list[Any]) -> list[Any]:
        pick, us = self.random, int(back)
        flags = pick.choice(FLAGS)
        seq, ack = flow["next"][us], flow["next"][1 - us]
        size = pick.choice((1, 100, 1400)) if "P" in flags else 0
        wild = pick.random()
        if wild < 0.06:
            seq = seq + pick.choice((-70000, -1, 1, 70000, 64239, 64240, 64241, 1 << 31)) & 0xFFFFFFFF
        elif wild < 0.12:
            ack = ack + pick.choice((-70000, -1, 1, 70000, 5)) & 0xFFFFFFFF
        elif wild < 0.15:
            seq = 0
        else:
            flow["next"][us] = seq + size + ("S" in flags) + ("F" in flags) & 0xFFFFFFFF
        tcp = Tcp(sport=key[2], dport=key[4], flags=flags, seq=seq, ack=ack if "A" in flags else 0)
        return [tcp, Payload(protocol="x", text="x", size=size)] if size else [tcp]

    def error(self, key: list[Any], back: bool) -> tuple[int, Packet]:
        """A port unreachable about a packet that went the other way, from its receiver or from a router on the way."""
        pick = self.random
        layer = (Tcp if key[0] == 6 else Udp)(sport=key[4], dport=key[2])
        quoted = Packet((IPv4(src=ip4(key[3]), dst=ip4(key[1]), proto=Proto(key[0]), ttl=9), layer))
        near = f"10.0.{int(back)}.{pick.choice((7, 8))}"
        sender = pick.choice((key[1], near))
        to = key[3] if pick.random() < 0.8 else f"10.0.{1 - int(back)}.9"
        outer = IPv4(src=ip4(sender), dst=ip4(to), proto=Proto.ICMP, ttl=60)
        return int(back), Packet((outer, Icmp(type=3, code=pick.choice((1, 3)), quoted=quoted)))


def check(router: Router, seed: int) -> int:
    """Packets compared; fails at the first difference."""
    pick = random.Random(seed ^ 0xC0)
    rules, raw = pick.choice(RULES), pick.choice(RAW)
    tuned = {
        key: pick.choice(values)
        for key, values in (
            ("tcp_loose", ("1", "1", "0")), ("tcp_be_liberal", ("0", "0", "1")), ("tcp_max_retrans", ("3", "0", "1")),
            ("tcp_ignore_invalid_rst", ("0", "0", "1")), ("tcp_timeout_unacknowledged", ("300", "200")),
            ("udp_timeout", ("30", "60")), ("generic_timeout", ("600", "33")),
        )
    }  # fmt: skip
    model = Model(rules, raw)
    sysctls = [f"net.netfilter.nf_conntrack_{key}={value}" for key, value in tuned.items()]
    for each in sysctls:
        model.wires.one(f"r: sysctl -w {each}")
    router.ask(shell=f"sysctl -qw {' '.join(sysctls)}")
    answer = router.ask(rules=f"*raw\n{raw}\nCOMMIT\n*nat\n{rules}\nCOMMIT\n")
    before, table = answer["at"], answer["table"]
    flows = Flows(seed)
    log = []
    for number in range(STEPS):
        side, packet = flows.packet(table)
        answer = router.ask(side=side, hex=encode(packet).hex())
        table = answer["table"]
        model.advance(answer["at"] - before)
        before = answer["at"]
        for entry in table:
            key = tuple(
                [
                    entry["orig"][0],
                    ip4(entry["orig"][1]),
                    entry["orig"][2],
                    ip4(entry["orig"][3]),
                    entry["orig"][4],
                ]
            )
            model.choose.ports[key] = entry["reply"][2 if entry["orig"][0] == 1 else 4]
        model.put(side, packet)
        l4 = packet.l4
        log.append(
            f"{'<' if side else '>'} {packet}"
            + (f" {l4.flags} seq {l4.seq} ack {l4.ack}" if isinstance(l4, Tcp) else "")
        )
        wrong = differences(model.table(), kernel_table(table))
        story = "\n".join(line for line in log if str(packet).split()[0] in line)
        assert not wrong, f"seed {seed}, packet {number}, {rules}, {raw}, {tuned}\n{story}\n" + "\n".join(
            wrong
        )
    return STEPS


@pytest.mark.parametrize("group", range(4 * ROUNDS))
def test_random_flows(group: int, record_property: pytest.RecordProperty) -> None:
    each = SEEDS // 4
    with Router() as router:
        for seed in range(group * each, (group + 1) * each):
            packets = check(router, seed)
            record_property("kernel comparison", (1, packets, packets))
