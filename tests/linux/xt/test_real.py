"""Held against the real tools and the real kernel: our text loaded and read back, and rules counted one by one."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.linux.choose import Seeded
from engine.linux.journey import Place
from engine.linux.net import Net
from engine.linux.ops import AddBox, Changes
from engine.linux.packet import IPv4, Packet, Payload, Udp
from engine.linux.skb import Skb
from engine.linux.xt.restore import restore
from engine.linux.xt.run import run_chain
from engine.linux.xt.tables import SAVE_ORDER
from engine.linux.xt.text import save
from tests.linux.xt.kernel import inside
from tests.linux.xt.making import texts

pytestmark = pytest.mark.needs("iptables", "userns")
LOOP = 127 << 24 | 1


def lab() -> Net:
    net = Net()
    Changes(net).do(AddBox(name="h"))
    return net


def loaded(text: str) -> Net:
    net = lab()
    assert restore(net, "h", text, Changes(net).do) == ("", "", 0), text
    return net


def saved(net: Net) -> list[str]:
    """All tables as iptables-save prints them, without its remarks."""
    xt = net.spaces["h"].xt
    return "".join(save(xt, t) for t in SAVE_ORDER if t in xt.tables).splitlines()


def bare(text: str) -> list[str]:
    return [row for row in text.splitlines() if not row.startswith("#")]


@st.composite
def tables(draw: st.DrawFn) -> str:
    out = []
    for table, chains in (
        ("filter", ["FORWARD", "INPUT"]),
        ("nat", ["OUTPUT", "POSTROUTING"]),
        ("mangle", ["PREROUTING"]),
    ):
        out += [f"*{table}", ":user - [0:0]"]
        for chain in chains:
            rows = draw(st.lists(texts(chain, table), min_size=0, max_size=6))
            out += [f"-A {chain} {row}".rstrip() for row in rows]
        out.append("COMMIT")
    return "\n".join(out) + "\n"


def test_our_text_comes_back_from_the_real_tool_as_it_went() -> None:
    """Random tables: what we print is taken by iptables-restore, and iptables-save prints the same."""
    texts_: list[str] = []

    @given(tables())
    @settings(max_examples=40, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def collect(text: str) -> None:
        texts_.append("\n".join(saved(loaded(text))) + "\n")

    collect()
    answers = inside(
        """
out = []
for text in data:
    failed = tool("iptables-restore", text=text)
    out.append(failed or tool("iptables-save"))
json.dump(out, sys.stdout)
""",
        texts_,
    )
    for text, answer in zip(texts_, answers, strict=True):
        assert bare(answer) == text.splitlines()


#: Matches that a UDP packet on the loopback device can tell apart.
CONDITIONS = [
    "", "", "-o lo", "! -o lo", "-o l+", "-d 127.0.0.1", "-d 127.0.0.2", "! -d 127.0.0.0/30", "-s 127.0.0.0/8",
    "-p udp", "! -p udp", "-p tcp", "-p udp -m udp --dport 7000", "-p udp -m udp --dport 7001:7002",
    "-p udp -m udp ! --dport 7001", "-p udp -m udp --sport 6000", "-p udp -m udp --sport 6001: ! --dport 7000",
    "-p udp -m multiport --dports 7000,7002", "-p udp -m multiport ! --ports 6000,7001", "-m mark --mark 1",
    "-m mark ! --mark 0/2", "-m mark --mark 2/6", "-m addrtype --dst-type LOCAL", "-m addrtype ! --src-type LOCAL",
    "-m addrtype --dst-type BROADCAST,MULTICAST", "-m comment --comment x", "-m owner --uid-owner 0",
    "-m owner ! --uid-owner 0", "-m owner --socket-exists", "-m statistic --mode nth --every 3 --packet 1",
    "-m statistic --mode nth ! --every 2 --packet 0",
]  # fmt: skip
ACTIONS = [
    "", "-j MARK --set-xmark 1/0xffffffff", "-j MARK --set-xmark 2/3", "-j MARK --set-xmark 6/0",
    "-j MARK --set-xmark 4/4", "-j RETURN", "-j ACCEPT", "-j DROP",
]  # fmt: skip


def ruleset(seed: int) -> str:
    """Chains a, b, c, where an earlier one may call a later one; OUTPUT of mangle and of filter."""
    dice = random.Random(seed)
    out = []
    for table in ("mangle", "filter"):
        out += [f"*{table}", ":a - [0:0]", ":b - [0:0]", ":c - [0:0]"]
        out.append(f":OUTPUT {dice.choice(['ACCEPT', 'ACCEPT', 'DROP'])} [0:0]")
        for at, chain in enumerate(["OUTPUT", "a", "b", "c"]):
            below = ["a", "b", "c"][at:]
            for _ in range(dice.randrange(1, 6)):
                moves = [f"-j {c}" for c in below] * 2 + [f"-g {c}" for c in below]
                out.append(" ".join(["-A", chain, dice.choice(CONDITIONS), dice.choice(ACTIONS + moves)]))
        out.append("COMMIT")
    return "\n".join(out) + "\n"


PACKETS = [(6000 + i % 3, 7000 + i % 4, 1 + i % 3) for i in range(12)]
COUNTED = re.compile(r"^\[(\d+):(\d+)\] (.*)$|^:(\w+) \w+ \[(\d+):(\d+)\]$", re.MULTILINE)


def counts(text: str) -> list[tuple[str, str, str]]:
    found = COUNTED.findall(text)
    rows = [(row, p, b) if row else (chain, pp, pb) for p, b, row, chain, pp, pb in found]
    return [r for r in rows if r[0] not in ("PREROUTING", "INPUT", "FORWARD", "POSTROUTING")]


def test_every_rule_counts_what_it_counts_in_the_kernel() -> None:
    """The walk through chains: 40 random rule sets, 12 packets each, all counters of all rules and policies."""
    cases = ["\n".join(saved(loaded(ruleset(seed)))) + "\n" for seed in range(40)]
    answers = inside(
        """
out = []
for text in data["cases"]:
    failed = tool("iptables-restore", text=text)
    for sport, dport, last in data["packets"]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", sport))
            try:
                s.sendto(b"x" * 11, (f"127.0.0.{last}", dport))
            except PermissionError:
                pass
    out.append(failed or tool("iptables-save", "-c"))
json.dump(out, sys.stdout)
""",
        {"cases": [f"*raw\n-A OUTPUT -p icmp -j DROP\nCOMMIT\n{case}" for case in cases], "packets": PACKETS},
    )
    for text, answer in zip(cases, answers, strict=True):
        net = loaded(text)
        ns = net.spaces["h"]
        for sport, dport, last in PACKETS:
            ip = IPv4(src=LOOP, dst=LOOP - 1 + last, proto=17)
            packet = Packet((ip, Udp(sport=sport, dport=dport), Payload(protocol="echo", text="", size=11)))
            skb = Skb(packet=packet, oif="lo", uid=0, gid=0, local=True)
            place = Place(node="h", namespace="root", netns="h")
            for table in ("mangle", "filter"):
                if run_chain(net, ns, table, "OUTPUT", skb, place, Seeded(0))[1].word != "accept":
                    break
        real = counts(re.sub(r"\*raw\n.*?COMMIT\n", "", answer, flags=re.DOTALL))
        assert real == counts("".join(save(ns.xt, t, counters=True) for t in ("mangle", "filter"))), text
