"""Matches that remember, on the virtual clock: limit, recent, quota, and sets that rules ask and write.

tests/real/test_xt_matches.py compares the same matches with the kernel, frame by frame.
"""

from __future__ import annotations

import pytest

from engine.linux.addr import ip4
from engine.linux.choose import Seeded
from engine.linux.ipset.command import run as ipset
from engine.linux.journey import Place
from engine.linux.net import Net
from engine.linux.ops import AddBox, Changes
from engine.linux.packet import IPv4, Packet, Tcp
from engine.linux.skb import Skb
from engine.linux.xt.command import run as iptables
from engine.linux.xt.restore import restore_text
from engine.linux.xt.run import run_chain

PLACE = Place(node="h", namespace="root", netns="h", device="eth0")


@pytest.fixture
def net() -> Net:
    net = Net()
    Changes(net).do(AddBox(name="h"))
    return net


def load(net: Net, *rows: str) -> None:
    restore_text(net, "h", "\n".join(["*filter", *rows, "COMMIT", ""]), Changes(net).do)


def word(net: Net, at: float | None = None, *, src: str = "10.0.0.1", dport: int = 80) -> str:
    """What becomes of a packet, at a time."""
    if at is not None:
        net.clock = at
    packet = Packet((IPv4(src=ip4(src), dst=ip4("10.0.0.2"), proto=6), Tcp(sport=40000, dport=dport)))
    made = Skb(packet=packet, iif="eth0", oif="eth1")
    return run_chain(net, net.spaces["h"], "filter", "FORWARD", made, PLACE, Seeded(0))[1].word


def sets(net: Net, *argv: str) -> tuple[str, str, int]:
    return ipset(net, "h", argv, Changes(net).do)


def test_limit_gives_back_a_token_at_a_time(net: Net) -> None:
    load(net, "-A FORWARD -m limit --limit 1/sec --limit-burst 3 -j ACCEPT", "-A FORWARD -j DROP")
    assert [word(net, 100) for _ in range(4)] == ["accept"] * 3 + ["drop"]
    assert [word(net, 100.5), word(net, 101.1), word(net, 101.2), word(net, 102.2)] == [
        "drop", "accept", "drop", "accept",
    ]  # fmt: skip
    assert [word(net, 200) for _ in range(5)] == ["accept"] * 3 + ["drop"] * 2


def test_a_copy_has_its_own_tokens(net: Net) -> None:
    load(net, "-A FORWARD -m limit --limit 1/hour --limit-burst 2 -j ACCEPT", "-A FORWARD -j DROP")
    assert word(net, 10) == "accept"
    copy = net.copy()
    assert [word(copy), word(copy)] == ["accept", "drop"]
    assert [word(net), word(net)] == ["accept", "drop"]


def test_recent_remembers_for_its_seconds(net: Net) -> None:
    load(
        net,
        "-A FORWARD -p tcp -m tcp --dport 22 -m recent --set --name ssh --mask 255.255.255.255 --rsource -j ACCEPT",
        "-A FORWARD -m recent --rcheck --seconds 10 --name ssh --mask 255.255.255.255 --rsource -j DROP",
    )
    assert word(net, 50) == "accept"
    assert word(net, 50, dport=22) == "accept"
    assert [word(net, 51), word(net, 51, src="10.0.0.9"), word(net, 59.9), word(net, 62)] == [
        "drop", "accept", "drop", "accept",
    ]  # fmt: skip


def test_recent_update_keeps_the_memory_fresh(net: Net) -> None:
    load(
        net,
        "-A FORWARD -m recent --update --seconds 10 --hitcount 3 --name x --rsource -j DROP",
        "-A FORWARD -m recent --set --name x --rsource",
    )
    assert [word(net, 100 + n) for n in range(5)] == ["accept", "accept", "accept", "drop", "drop"]
    assert word(net, 112) == "drop", "hits at 102, 103 and 104"
    assert word(net, 114.5) == "accept", "the hit at 112 is the only one left"


def test_recent_remove_forgets(net: Net) -> None:
    load(
        net,
        "-A FORWARD -p tcp -m tcp --dport 1 -m recent --remove --name x --rsource -j ACCEPT",
        "-A FORWARD -m recent --rcheck --name x --rsource -j DROP",
        "-A FORWARD -m recent --set --name x --rsource -j ACCEPT",
    )
    assert [word(net, 5), word(net, 6), word(net, 7, dport=1), word(net, 8)] == [
        "accept", "drop", "accept", "accept",
    ]  # fmt: skip


def test_quota_counts_bytes_down(net: Net) -> None:
    load(net, "-A FORWARD -m quota --quota 130 -j ACCEPT", "-A FORWARD -j DROP")
    assert [word(net) for _ in range(3)] == ["accept", "accept", "drop"]


def test_a_rule_asks_a_set_as_it_is_now(net: Net) -> None:
    assert sets(net, "create", "web", "hash:ip,port", "timeout", "30") == ("", "", 0)
    load(net, "-A FORWARD -m set --match-set web src,dst -j DROP")
    assert word(net, 0) == "accept"
    sets(net, "add", "web", "10.0.0.1,tcp:80")
    assert [word(net, 1), word(net, 1, dport=81), word(net, 1, src="10.0.0.3")] == [
        "drop",
        "accept",
        "accept",
    ]
    assert word(net, 31) == "accept", "the element's time is over"


def test_a_rule_adds_to_a_set(net: Net) -> None:
    sets(net, "create", "seen", "hash:ip", "timeout", "60")
    load(net, "-A FORWARD -p tcp -m tcp --dport 22 -j SET --add-set seen src --exist --timeout 20")
    word(net, 10, dport=22)
    assert sets(net, "save", "seen")[0].splitlines()[1:] == ["add seen 10.0.0.1 timeout 20"]
    word(net, 15, dport=22)
    assert sets(net, "save", "seen")[0].splitlines()[1:] == ["add seen 10.0.0.1 timeout 20"]
    net.clock = 36
    assert sets(net, "save", "seen")[0].splitlines()[1:] == []


def test_a_set_that_rules_ask_cannot_go(net: Net) -> None:
    sets(net, "create", "a", "hash:ip")
    load(net, "-A FORWARD -m set --match-set a src -j DROP")
    assert "References: 1\n" in sets(net, "list", "a")[0]
    assert sets(net, "destroy", "a") == (
        "", "ipset v7.17: Set cannot be destroyed: it is in use by a kernel component\n", 1,
    )  # fmt: skip
    assert iptables(net, "h", ["-F"], Changes(net).do)[2] == 0
    assert sets(net, "destroy", "a") == ("", "", 0)


def test_swap_changes_what_a_rule_asks(net: Net) -> None:
    """As Calico swaps a set that it has filled anew: the rule keeps the name."""
    for name in ("a", "b"):
        sets(net, "create", name, "hash:net")
    load(net, "-A FORWARD -m set --match-set a src -j DROP")
    sets(net, "add", "b", "10.0.0.0/24")
    assert word(net) == "accept"
    assert sets(net, "swap", "a", "b") == ("", "", 0)
    assert word(net) == "drop"
