"""Every match and target against the real tool and the real kernel: its text, its refusals, and which packets it
takes.

Random rules are loaded on both sides, the same frames are put on the wires of the same router, and then every
counter of every rule, and every element of every set, must be equal. K8SNET_REAL_ROUNDS=10 (what `make real` sets)
runs ten times as many. A failing test names its seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from engine.linux.ipset.command import run as ipset_run
from engine.linux.net import Net
from engine.linux.ops import AddBox, Changes
from engine.linux.packet import Packet
from engine.linux.xt.command import run
from engine.linux.xt.parse import split
from engine.linux.xt.tables import SAVE_ORDER
from engine.linux.xt.text import save
from tests.linux.xt.kernel import inside
from tests.real import xtrules
from tests.real.wire import PROGRAM, RAW, Wire, hexed, packet, request
from tests.real.xtrules import SETS, rules
from tests.tools import need

need("userns", "ipset", "iptables", "conntrack")

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))
#: iptables says the burst that was typed when it is spoken to, and keeps another
TYPED = "-m limit --limit 1/hour --limit-burst 0"

TEXTS = """
def ran(argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    return [done.stdout, done.stderr, done.returncode]
for line in data["sets"]:
    subprocess.run(["ipset", *line.split()], check=True)
json.dump([ran(["iptables", *argv]) for argv in data["argvs"]], sys.stdout)
"""


BACK_ENDS = """
for line in data["sets"]:
    subprocess.run(["ipset", *line.split()], check=True)
names = ("iptables-nft", "iptables-legacy")
json.dump([tool(n + "-restore", text=data["text"]) or tool(n + "-save") for n in names], sys.stdout)
"""


def test_text_and_refusals(record_property: Callable[[str, object], None]) -> None:
    """Each rule is added, with and without -v; then the tables are listed in every way."""
    added = [["-t", table, "-A", chain, *split(row)] for table, chain, row in rules()]
    spoken = [["-vt", table, "-A", chain, *split(row)] for table, chain, row in rules() if row != TYPED]
    tables = ("filter", "mangle", "raw", "nat")
    shown = [
        ["-t", t, *how]
        for t in tables
        for how in (["-S"], ["-L"], ["-L", "-n", "-v", "-x", "--line-numbers"])
    ]
    argvs = [*added, *shown, *spoken, *shown]
    answers = inside(TEXTS, {"sets": SETS, "argvs": argvs})
    net = Net()
    changes = Changes(net)
    changes.do(AddBox(name="h"))
    for line in SETS:
        assert ipset_run(net, "h", line.split(), changes.do) == ("", "", 0)
    for argv, answer in zip(argvs, answers, strict=True):
        assert list(run(net, "h", argv, changes.do)) == answer, " ".join(argv)
    record_property("xtables lines compared", len(argvs))


def test_our_text_comes_back_from_both_back_ends() -> None:
    """What we print is taken by iptables-nft-restore and iptables-legacy-restore, and both print the same again."""
    net = Net()
    changes = Changes(net)
    changes.do(AddBox(name="h"))
    for line in SETS:
        ipset_run(net, "h", line.split(), changes.do)
    for table, chain, row in rules():
        # The legacy tables take TRACE in raw only, and keep what nf_tables rounds.
        if not (row == "-j TRACE" and table != "raw") and row != TYPED:
            run(net, "h", ["-t", table, "-A", chain, *split(row)], changes.do)
    xt = net.spaces["h"].xt
    text = "".join(save(xt, t) for t in SAVE_ORDER if t in xt.tables)
    answers = inside(BACK_ENDS, {"sets": SETS, "text": text})
    want = sorted(row for row in text.splitlines() if row.startswith("-A"))
    for answer in answers:
        assert sorted(row for row in answer.splitlines() if row.startswith("-A")) == want


# -- packets -------------------------------------------------------------------------------------------------------

CHAINS = (
    ("mangle", "PREROUTING"), ("mangle", "FORWARD"), ("mangle", "INPUT"), ("mangle", "POSTROUTING"),
    ("filter", "FORWARD"), ("filter", "INPUT"),
)  # fmt: skip


def condition(dice: random.Random, table: str, chain: str) -> str:
    roll = dice.random()
    if roll < 0.35:
        name, ways, *rest = dice.choice(xtrules.ASKS).split()
        return f"-m set {dice.choice(('', '', '! '))}--match-set {name} {ways} {' '.join(rest)}".rstrip()
    if roll < 0.45 and chain == "PREROUTING":
        return dice.choice(xtrules.EARLY)
    if roll < 0.5 and chain in ("PREROUTING", "INPUT", "FORWARD"):
        return dice.choice(xtrules.MAC)
    if roll < 0.55:
        return ""
    return dice.choice(xtrules.CONDITIONS)


def ruleset(dice: random.Random) -> str:
    tables: dict[str, list[str]] = {
        "raw": [":user - [0:0]", *RAW],
        "mangle": [":user - [0:0]"],
        "filter": [":user - [0:0]"],
    }
    tables["nat"] = [row for row in xtrules.NAT if dice.random() < 0.4]
    tables["raw"] += [row for row in xtrules.RAWS if dice.random() < 0.2]
    for table, chain in CHAINS:
        for _ in range(dice.randrange(0, 7)):
            actions = ("", "", "", *xtrules.ACTIONS) + (xtrules.MANGLE if table == "mangle" else ())
            asked = " ".join(condition(dice, table, chain) for _ in range(dice.choice((1, 1, 2))))
            if asked.count("-p ") > 1 or asked.count("-f") > 1:
                continue
            tables[table].append(f"-A {chain} {asked} {dice.choice(actions)}".rstrip())
        if chain == "PREROUTING" and dice.random() < 0.3:
            tables[table].append(dice.choice(xtrules.TPROXY))
    for table in ("mangle", "filter"):
        for _ in range(dice.randrange(0, 3)):
            tables[table].append(f"-A user {condition(dice, table, 'user')}".rstrip())
    return "".join("\n".join([f"*{t}", *rows, "COMMIT"]) + "\n" for t, rows in tables.items())


def frames(dice: random.Random, count: int) -> list[tuple[str, Packet]]:
    """Requests from one side, answers from the other, and strangers."""
    out: list[tuple[str, Packet]] = []
    for number in range(count):
        roll = dice.random()
        src = dice.choice(("10.0.0.2", "10.0.0.2", "10.0.0.3", "10.0.0.9", "10.9.0.50", "8.8.8.8"))
        dst = dice.choice(("10.9.0.2", "10.9.0.2", "10.9.0.3", "10.0.0.1", "10.9.0.77", "10.8.0.2"))
        how: dict[str, Any] = {
            "ttl": dice.choice((64, 64, 63, 4, 2)), "tos": dice.choice((0, 0, 16, 8)), "size": dice.choice((10, 40)),
            "mac": dice.choice((0x0200000000AA, 0x0200000000BB)),
        }  # fmt: skip
        if roll < 0.45:
            port = dice.choice((80, 80, 81, 82, 83, 99, 7000, 7001, 7002))
            out.append(packet(src, dst, "udp", dice.choice((1000, 1001)), port, **how))
        elif roll < 0.6:
            back = dice.choice(("10.0.0.2", "10.0.0.3"))
            out.append(packet("10.9.0.2", back, "udp", 80, dice.choice((1000, 1001)), near="w0", **how))
        elif roll < 0.85:
            out.append(
                packet(src, dst, "tcp", 2000 + number, dice.choice((80, 81, 82, 7000, 7001, 7002)), **how)
            )
        else:
            out.append(packet(src, dst, "icmp", 3000 + number, kind=dice.choice((8, 8, 13)), **how))
    return out


def case(seed: int) -> dict[str, Any]:
    dice = random.Random(seed)
    return {
        "tool": "iptables-nft" if seed % 2 else "iptables-legacy", "ipset": "\n".join(xtrules.PLAYED) + "\n",
        "rules": ruleset(dice), "play": frames(dice, 30),
    }  # fmt: skip


def counted(text: str) -> list[str]:
    """Rules and policies with their counters, of the chains that packets meet here."""
    return [row for row in text.splitlines() if row.startswith("[") and not row.endswith("-A OUTPUT -j DROP")]


def sorted_sets(text: str) -> list[str]:
    return sorted(row for row in text.splitlines() if row.startswith("add "))


def compare(seed: int, made: dict[str, Any], answer: list[str]) -> tuple[int, int]:
    """(packets, counters) compared."""
    failed, rows, sets = answer
    assert not failed, f"seed {seed}: {failed}\n{made['rules']}"
    wire = Wire(made["ipset"], made["rules"])
    for near, frame in made["play"]:
        wire.play(near, frame)
    ours, theirs = counted(wire.saved()), counted(rows)
    assert sorted(theirs) == sorted(ours), f"seed {seed}"
    saved = ipset_run(wire.net, "h", ["save"], Changes(wire.net).do)[0]
    assert sorted_sets(sets) == sorted_sets(saved), f"seed {seed}"
    return len(made["play"]), len(ours)


SEEDS = 20


@pytest.mark.parametrize("group", range(4 * ROUNDS))
def test_packets(group: int, record_property: Callable[[str, object], None]) -> None:
    """Whole rule sets on the router, on both back ends in turn."""
    seeds = range(group * SEEDS, (group + 1) * SEEDS)
    cases = [case(seed) for seed in seeds]
    sent = [
        {**{k: c[k] for k in ("tool", "ipset", "rules")}, "frames": [(n, hexed(f)) for n, f in c["play"]]}
        for c in cases
    ]
    answers = inside(PROGRAM, request(sent))
    packets = counters = 0
    for seed, made, answer in zip(seeds, cases, answers, strict=True):
        one = compare(seed, made, answer)
        packets, counters = packets + one[0], counters + one[1]
    record_property("xtables packets compared", packets)
    record_property("xtables counters compared", counters)
