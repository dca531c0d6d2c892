"""ipsets without the kernel: what must hold for any lines typed, and the virtual clock. tests/real/test_ipset.py holds
the texts against the real tool."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import NotModelled
from engine.linux.ipset.command import run
from engine.linux.net import Net
from engine.linux.ops import AddBox, Changes
from engine.linux.ops.commands import to_command
from tests.linux.ipset.making import KINDS, Maker

seeds = st.integers(0, 2**32)
few = settings(max_examples=20)
WIDE = re.compile(r"-10\.0\.1\.|/(0|1|8|15|16)\b|0\.0\.0\.0")


class Lab:
    def __init__(self, *lines: str) -> None:
        self.net = Net()
        self.changes = Changes(self.net)
        self.changes.do(AddBox(name="h"))
        for line in lines:
            assert self.type(line) == ("", "", 0), line

    def type(self, line: str, stdin: str = "") -> tuple[str, str, int]:
        return run(self.net, "h", shlex.split(line), self.changes.do, stdin)

    def out(self, line: str) -> str:
        out, err, code = self.type(line)
        assert (err, code) == ("", 0), line
        return out

    def has(self, name: str, element: str) -> bool:
        out, err, code = self.type(f"test {name} {element}")
        text = out + err
        assert f"is in set {name}" in text or f"is NOT in set {name}" in text, text
        return code == 0

    def elements(self, name: str) -> list[str]:
        return [
            line.split(" ", 2)[2] for line in self.out(f"save {name}").splitlines() if line.startswith("add")
        ]


def lines(seed: int, count: int = 40) -> list[list[str]]:
    """Without the ranges of many thousands: they only take time here."""
    return [argv for argv in Maker(seed).lines(count) if not WIDE.search(" ".join(argv))]


def random_lab(seed: int) -> Lab:
    lab = Lab()
    for argv in lines(seed):
        run(lab.net, "h", argv, lab.changes.do)
    return lab


@few
@given(seeds)
def test_a_saved_text_gives_the_same_sets(seed: int) -> None:
    lab, other = random_lab(seed), Lab()
    text = lab.out("save")
    said = other.type("restore", text)
    if (
        "Hash is full" in said[1]
    ):  # regions share maxelem: in another order the last one may not fit (the real one too)
        return
    assert said == ("", "", 0)
    again = other.out("save")
    # The buckets of a hash may list in another order when it grew on the way.
    assert sorted(again.splitlines()) == sorted(text.splitlines())
    assert other.out("list -n") == lab.out("list -n")


@few
@given(seeds)
def test_a_refused_line_changes_nothing(seed: int) -> None:
    lab = Lab()
    for argv in lines(seed):
        before, done = lab.out("list"), len(lab.changes.log)
        _, _, code = run(lab.net, "h", argv, lab.changes.do)
        if code and len(lab.changes.log) == done:
            assert lab.out("list") == before, argv


@few
@given(seeds)
def test_ops_are_lines_that_do_the_same(seed: int) -> None:
    lab, other = random_lab(seed), Lab()
    for op in lab.changes.log[1:]:
        for words in to_command(op, str):
            run(other.net, "h", words[words.index("ipset") + 1 :], other.changes.do)
    assert other.out("list") == lab.out("list")


@few
@given(seeds)
def test_a_copy_is_its_own(seed: int) -> None:
    lab = random_lab(seed)
    before = lab.out("list")
    copy = lab.net.copy()
    changes = Changes(copy)
    for argv in lines(seed + 1):
        run(copy, "h", argv, changes.do)
    assert lab.out("list") == before
    inside = run(copy, "h", ["list"], changes.do)
    for argv in lines(seed + 2):
        run(lab.net, "h", argv, lab.changes.do)
    assert run(copy, "h", ["list"], changes.do) == inside


@pytest.mark.parametrize("kind", KINDS)
@few
@given(seed=seeds)
def test_every_listed_element_is_in(kind: str, seed: int) -> None:
    """Of nets, those that a nomatch takes out are not asked here."""
    maker = Maker(seed)
    extra = {"bitmap:ip": " range 10.0.0.0/24", "bitmap:port": " range 70-90"}.get(kind, "")
    lab = Lab(
        f"create a {kind}{extra}", *(["create b hash:ip", "create c hash:net"] if kind == "list:set" else [])
    )
    for element in [maker.element(kind) for _ in range(12)]:
        if not WIDE.search(element):
            lab.type(f"add a {element}")
    listed = lab.elements("a")
    for element in listed:
        assert lab.has("a", element.replace(" wildcard", ""))
    for element in listed:
        assert lab.type(f"del a {element.replace(' wildcard', '')}") == ("", "", 0)
    assert lab.elements("a") == []


def test_elements_go_when_their_time_is_over() -> None:
    lab = Lab(
        "create a hash:ip timeout 60",
        "add a 10.0.0.1",
        "add a 10.0.0.2 timeout 10",
        "add a 10.0.0.3 timeout 0",
    )
    lab.net.clock = 9.5
    assert "10.0.0.1 timeout 50" in lab.elements("a")
    assert lab.has("a", "10.0.0.2")
    lab.net.clock = 10.5
    assert not lab.has("a", "10.0.0.2")
    lab.net.clock = 61
    assert lab.elements("a") == ["10.0.0.3 timeout 0"]
    assert lab.type("add a 10.0.0.1") == ("", "", 0), "an element whose time is over can be added again"
    assert lab.has("a", "10.0.0.1")


def test_exist_gives_an_element_a_new_time() -> None:
    lab = Lab("create a hash:ip timeout 60", "add a 10.0.0.1")
    lab.net.clock = 50
    assert lab.type("add a 10.0.0.1")[2] == 1
    assert lab.type("add a 10.0.0.1 -exist") == ("", "", 0)
    lab.net.clock = 100
    assert lab.elements("a") == ["10.0.0.1 timeout 10"]


def test_the_longest_prefix_decides() -> None:
    lab = Lab("create a hash:net", "add a 10.0.0.0/8", "add a 10.1.0.0/16 nomatch", "add a 10.1.2.0/24")
    assert [lab.has("a", ip) for ip in ("10.9.9.9", "10.1.9.9", "10.1.2.3", "11.0.0.1")] == [
        True,
        False,
        True,
        False,
    ]


def test_a_set_in_use_stays() -> None:
    lab = Lab("create a hash:ip", "create l list:set", "add l a")
    for line in ("destroy a", "destroy"):
        assert "is in use by a kernel component" in lab.type(line)[1]
    assert lab.type("del l a") == ("", "", 0)
    assert lab.type("destroy a") == ("", "", 0)


@pytest.mark.parametrize(
    "line",
    [
        "create a hash:ip family inet6", "create a hash:mac", "create a hash:ip,mac",
        "create a bitmap:ip,mac range 1.1.1.0/24",
        "create a hash:net,port,net", "create a hash:ip,mark",
    ],
)  # fmt: skip
def test_what_is_not_modelled_is_refused_by_name(line: str) -> None:
    lab = Lab()
    with pytest.raises(NotModelled, match=re.escape(line.split()[-1 if "family" in line else 2])):
        lab.type(line)
    assert lab.out("list") == ""
