"""Exercises posed and checked: draws, predictions from the walker, orders, counter-examples, diagnosis, manifests."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import EngineError, InputError
from engine.grade.check import check, check_diagnosis, normal
from engine.grade.course import Course, Folder
from engine.grade.draw import drawn, filled, read_draws
from engine.grade.exercise import read_exercises
from engine.grade.pose import Posed, pose
from engine.lab.doc import Doc, read
from engine.lab.lab import Lab
from engine.lab.reader import Node, Problems
from engine.linux.journey import Outcome

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "tests" / "lessons" / "sample"
LABS = ROOT / "lessons" / "labs"
BOTH = "{en: x, ko: 가}"
HEAD = f"""
lab: two-nodes
exercises:
  - id: one
    title: {BOTH}
    task: {BOTH}
    hints: [{BOTH}, {BOTH}, {BOTH}]
"""


@pytest.fixture(scope="module")
def folder() -> Folder:
    return Course.load(SAMPLE).lesson("01-sample")


@pytest.fixture(scope="module")
def opened() -> Lab:
    return Lab.load(LABS / "two-nodes.yaml")


def posed_of(text: str, lab: Lab, seed: int = 1) -> Posed:
    """An exercise whose own keys are `text`, posed in a copy of `lab`."""
    problems = Problems()
    body = HEAD + "\n".join("    " + line for line in text.strip().splitlines())
    file = read_exercises(read(body, "e.yaml"), problems)
    problems.raise_any()
    return pose(file.exercises[0], seed, lambda what: lab.copy())


def kinds(verdict: Any) -> list[str]:
    assert verdict.passed == (not verdict.findings)
    return [f.kind for f in verdict.findings]


# ---- draw


def draws(value: Any) -> Any:
    problems = Problems()
    found = read_draws(Node(Doc("d", value), (), value, problems), problems)
    problems.raise_any()
    return found


def test_a_seed_draws_the_same_values_and_another_seed_others() -> None:
    way = draws(
        {
            "pod": {"one-of": ["a", "b", "c"]},
            "port": {"port": [8000, 8999]},
            "ip": {"address": "10.1.2.0/24"},
            "net": {"network": "10.0.0.0/8", "length": 24},
        }
    )
    assert drawn(way, 7) == drawn(way, 7)
    assert len({repr(drawn(way, seed)) for seed in range(20)}) > 15
    for seed in range(50):
        values = drawn(way, seed)
        assert 8000 <= int(values["port"]) <= 8999
        assert str(values["ip"]).startswith("10.1.2.")
        assert str(values["ip"]) not in ("10.1.2.0", "10.1.2.255")
        assert str(values["net"]).endswith(".0/24")


def test_another_draw_does_not_change_the_others() -> None:
    one = drawn(draws({"pod": {"one-of": ["a", "b", "c"]}}), 3)
    two = drawn(draws({"x": {"number": [1, 9]}, "pod": {"one-of": ["a", "b", "c"]}}), 3)
    assert one["pod"] == two["pod"]


def test_values_kept_apart_differ() -> None:
    way = draws({n: {"one-of": ["a", "b", "c"], "apart": "pods"} for n in ("x", "y", "z")})
    for seed in range(30):
        assert sorted(map(str, drawn(way, seed).values())) == ["a", "b", "c"]


def test_holes_are_filled_everywhere_and_numbers_stay_numbers() -> None:
    value = {"port": "{{p}}", "text": "port {{ p }} of {{n}}", "list": ["{{n}}:{{p}}"], "go": "{{.Names}}"}
    assert filled(value, {"p": 80, "n": "a"}) == {
        "port": 80,
        "text": "port 80 of a",
        "list": ["a:80"],
        "go": "{{.Names}}",
    }


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"a": {"one-of": ["x"]}}, "d: a.one-of: found a list, accepted: a list of at least 2"),
        (
            {"a": {"port": [9, 1]}},
            "d: a.port: found a list, accepted: two numbers, the lower first, as in [8000, 8999]",
        ),
        (
            {"a": {"port": [1, 9], "number": [1, 2]}},
            "d: a: a draw is one of: one-of, number, port, address, network",
        ),
        (
            {"a": {"network": "10.0.0.0/24", "length": 16}},
            "d: a: length 16 must be longer than that of 10.0.0.0/24 and at most 30",
        ),
    ],
)
def test_what_is_said_about_draws(value: Any, error: str) -> None:
    with pytest.raises(InputError) as caught:
        draws(value)
    assert caught.value.text("en") == error


def test_an_unknown_hole_is_refused(opened: Lab) -> None:
    with pytest.raises(InputError, match=r"\{\{podd\}\} is not drawn here; drawn are: pod"):
        posed_of(
            "kind: repair\ndraw: {pod: {one-of: [a, b]}}\ngoal: {flows: [{from: 'pod/{{podd}}', to: pod/b:80}]}\n"
            "solution: {on: node/w1, run: 'true'}",
            opened,
        )


# ---- predict: the right answer comes from the walker, the options from the lab


def predict(lab: Lab, text: str) -> Posed:
    return posed_of("kind: predict\n" + text, lab)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("flow: {from: pod/a, to: pod/c:80}\nask: outcome", "delivered"),
        ("flow: {from: pod/a, to: pod/b:81}\nask: outcome", "refused"),
        ("flow: {from: pod/a, to: pod/c:80}\nask: next-hop\nstop: {at: w1/eth0}", "lan/port-w1"),
        ("flow: {from: pod/a, to: pod/c:80}\nask: device\nstop: {at: w1/cni0, kind: route}", "eth0"),
        (
            "flow: {from: pod/a, to: pod/c:80}\nask: header\nfield: ip.ttl\nstop: {at: w1, kind: forward}",
            "63",
        ),
        (
            "flow: {from: pod/a, to: host/internet:80}\nask: header\nfield: ip.src\n"
            "stop: {at: w1/eth0, kind: transmit}",
            "192.168.10.101",
        ),
        (
            "flow: {from: pod/a, to: host/internet:80}\nask: header\nfield: ip.src\n"
            "stop: {at: pod/a/eth0, kind: transmit}",
            "10.244.1.2",
        ),
        (
            "flow: {from: pod/a, to: host/internet:80}\nask: header\nfield: l4.dport\n"
            "stop: {at: w1/eth0, kind: transmit}",
            "80",
        ),
    ],
)
def test_predictions(opened: Lab, text: str, right: str) -> None:
    posed = predict(opened, text)
    assert posed.question is not None
    assert posed.question.right.id == right
    assert len(posed.question.options) == 4
    assert len({o.id for o in posed.question.options}) == 4
    assert check(opened, posed, right).passed
    for option in posed.question.options:
        if not option.right:
            verdict = check(opened, posed, option.id)
            assert kinds(verdict) == ["wrong-prediction"]
            assert verdict.findings[0].journey is posed.question.journey
            if posed.question.ask == "outcome":  # its word, not the sentence that says what it means
                assert verdict.findings[0].said.text("en").startswith(f"not {option.id}: let the packet")


def test_the_deciding_rule_is_a_row_that_the_learner_can_print(opened: Lab) -> None:
    posed = predict(
        opened,
        "flow: {from: pod/a, to: host/internet:80}\nask: rule\nstop: {at: w1, kind: rule, table: nat, nth: 2}",
    )
    assert posed.question is not None
    rows = opened.copy().run("node/w1", "iptables -t nat -S").stdout.splitlines()
    for option in posed.question.options:
        assert option.id in rows


def test_a_flood_leaves_by_several_ports(opened: Lab) -> None:
    posed = predict(
        opened, "flow: {from: pod/a, to: pod/b:80}\nask: next-hop\nstop: {at: w1/cni0, kind: bridge}"
    )
    assert posed.question is not None
    assert posed.question.right.id.startswith("w1/veth")
    assert posed.question.halt is not None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "flow: {from: pod/a, to: pod/b:80}\nask: next-hop",
            "`ask: next-hop` needs `stop:`, the step that is meant",
        ),
        (
            "flow: {from: pod/a, to: pod/b:80}\nask: header\nstop: {at: w1}",
            "`ask: header` needs `field:`, one of eth.src",
        ),
        (
            "flow: {from: pod/a, to: pod/b:80}\nask: device\nstop: {at: w2}",
            "the journey never meets a step {at: w2}; it crosses pod/a/nc, ",
        ),
        (
            "flow: {from: pod/a, to: pod/b:80}\nask: device\nstop: {at: w1, kind: brigde}",
            "found 'brigde' (did you mean 'bridge'?)",
        ),
    ],
)
def test_what_is_said_about_predictions(opened: Lab, text: str, error: str) -> None:
    with pytest.raises(InputError) as caught:
        predict(opened, text)
    assert error in caught.value.text("en")


# ---- choice, answer, order


def test_a_choice_that_the_lab_decides(opened: Lab) -> None:
    text = f"""
kind: choice
options:
  - id: a
    text: {BOTH}
    because: {BOTH}
    when: {{flows: [{{from: pod/a, to: pod/b:80, expect: {{outcome: delivered}}}}]}}
  - {{id: b, text: {BOTH}, because: {BOTH}, when: {{state: [{{link: {{on: node/w1, name: cni0, up: false}}}}]}}}}
  - {{id: c, text: {BOTH}, because: {{en: No., ko: 아니요.}}, shows: {{from: pod/a, to: pod/b:81}}}}
"""
    posed = posed_of(text, opened)
    assert [o.id for o in posed.options if o.right] == ["a"]
    assert check(opened, posed, "a").passed
    verdict = check(opened, posed, "c")
    assert kinds(verdict) == ["wrong-choice"]
    assert verdict.findings[0].said.text("en") == "No."
    assert verdict.findings[0].journey is not None
    assert verdict.findings[0].journey.outcome is Outcome.REFUSED
    assert verdict.findings[0].halt is not None
    assert kinds(check(opened, posed, "zzz")) == ["unreadable"]


def test_several_right_options(opened: Lab) -> None:
    text = "kind: choice\nmany: true\noptions:\n" + "\n".join(
        f"  - {{id: {i}, text: {BOTH}, because: {BOTH}, right: {str(i in 'ab').lower()}}}" for i in "abc"
    )
    posed = posed_of(text, opened)
    assert check(opened, posed, ["b", "a"]).passed
    assert kinds(check(opened, posed, ["a"])) == ["missing-choice"]
    assert kinds(check(opened, posed, ["a", "b", "c"])) == ["wrong-choice"]


@pytest.mark.parametrize(
    ("kind", "one", "same"),
    [
        ("address", "10.1.2.3", "10.1.2.3/24"),
        ("prefix", "10.1.2.0/24", "10.1.2.0/255.255.255.0"),
        ("mac", "0a:58:0a:f4:01:05", "0A-58-0A-F4-01-05"),
        ("number", "1500", " 1,500 "),
        ("port", "80", "80/tcp"),
        ("name", "eth0", "eth0@if7"),
        ("text", "Hello World", "hello   world"),
        ("set", "a,b", "B a"),
    ],
)
def test_answers_in_every_form(kind: str, one: str, same: str) -> None:
    assert normal(one, kind) == normal(same, kind)


@given(st.text(), st.sampled_from(["address", "prefix", "mac", "number", "port", "name", "text", "set"]))
def test_no_answer_however_strange_gives_a_traceback(text: str, kind: str) -> None:
    with suppress(ValueError):
        normal(text, kind)


def test_an_answer_and_its_counter_example(folder: Folder) -> None:
    posed = folder.pose("find-the-gateway", 1)
    assert posed.value == "10.244.1.1"
    assert check(posed.lab, posed, "10.244.1.1").passed
    verdict = check(posed.lab, posed, "10.244.1.2")
    assert (
        verdict.findings[0].said.text("en") == "10.244.1.2 is not it. Run `ip route` at pod/a and look again"
    )
    assert kinds(check(posed.lab, posed, "ten")) == ["unreadable"]
    assert kinds(check(posed.lab, posed, "  ")) == ["unreadable"]


def test_an_order_is_that_of_the_journey(folder: Folder) -> None:
    posed = folder.pose("what-comes-first", 1)
    assert posed.order == ("fdb", "route", "ttl")
    assert tuple(o.id for o in posed.items) != posed.order
    assert check(posed.lab, posed, list(posed.order)).passed
    verdict = check(posed.lab, posed, ["route", "fdb", "ttl"])
    assert kinds(verdict) == ["wrong-order"]
    assert verdict.findings[0].journey is not None
    assert kinds(check(posed.lab, posed, ["fdb"])) == ["unreadable"]


def test_an_order_of_places(opened: Lab) -> None:
    posed = posed_of("kind: order\njourney: {from: pod/a, to: pod/c:80}\nitems: places", opened)
    assert posed.order[:3] == (
        "pod/a/nc",
        "pod/a/eth0",
        next(p for p in posed.order if p.startswith("w1/veth")),
    )
    assert posed.order[-1] == "pod/c/nginx"


def test_a_stated_order(opened: Lab) -> None:
    items = ", ".join(f"{{id: {i}, text: {BOTH}}}" for i in "cab")
    posed = posed_of(f"kind: order\nitems: [{items}]\norder: [a, b, c]", opened)
    assert check(opened, posed, ["a", "b", "c"]).passed
    with pytest.raises(InputError, match="`order` must hold each item's id once: c, a, b"):
        posed_of(f"kind: order\nitems: [{items}]\norder: [a, b]", opened)


# ---- repair and build


def test_a_repair_with_its_counter_example_and_harm(folder: Folder) -> None:
    posed = folder.pose("forwarding", 1)
    start = check(posed.lab, posed)
    assert kinds(start) == ["outcome"]
    finding = start.findings[0]
    assert finding.journey is not None and finding.halt is not None
    hop = finding.journey.legs[finding.halt[0]].forward.hops[finding.halt[2]]
    assert hop.place.node == "w1"
    assert hop.steps[-1].row == "net.ipv4.ip_forward = 0"
    lab = posed.lab.copy()
    lab.run("node/w1", "sysctl -w net.ipv4.ip_forward=1")
    assert check(lab, posed).passed
    lab.run("node/w1", "ip link set cni0 down")
    assert kinds(check(lab, posed))[0] == "harm"


def test_harm_is_told_from_what_is_still_broken_even_in_the_posed_lab_itself(folder: Folder) -> None:
    posed = folder.pose("forwarding", 1)
    posed.lab.run("node/w1", "ip link set cni0 down")
    assert kinds(check(posed.lab, posed)) == ["harm", "outcome"]


def test_faults_cannot_be_undone(folder: Folder) -> None:
    posed = folder.pose("forwarding", 1)
    lab = posed.lab.copy()
    assert lab.undo() is None
    lab.run("node/w1", "ip link set cni0 mtu 1400")
    lab.reset()
    assert kinds(check(lab, posed)) == ["outcome"]


def test_the_diagnosis_is_the_first_broken_hop(folder: Folder) -> None:
    posed = folder.pose("forwarding", 1)
    assert posed.diagnosis is not None
    assert posed.diagnosis.right.id == "w1/cni0"
    assert check_diagnosis(posed, "w1/cni0").passed
    assert kinds(check_diagnosis(posed, "w2/cni0")) == ["wrong-prediction"]


def test_a_manifest_is_judged_in_a_copy(folder: Folder) -> None:
    posed = folder.pose("a-new-pod", 2)
    assert posed.manifest
    assert posed.solution is not None
    lab = posed.lab.copy()
    assert check(lab, posed, posed.solution.deeds[0].manifest).passed
    assert lab.acts == []
    assert kinds(check(lab, posed, "not yaml: [")) == ["manifest"]
    assert kinds(check(lab, posed, "")) == ["unreadable"]
    assert "outcome" in kinds(check(lab, posed))


def test_a_kubelet_gets_its_time(opened: Lab) -> None:
    lab = Lab.load(LABS / "air-gapped.yaml")
    posed = posed_of(
        "kind: repair\ngoal: {state: [{pod: {name: on-w2, phase: Running}}]}\nsolution: {on: node/w2, run: 'true'}",
        lab,
    )
    assert kinds(check(lab, posed)) == ["state"]
    assert lab.world.cluster is not None
    runtimes = {n: lab.world.cluster.nodes[n].runtime for n in ("w1", "w2")}
    image = runtimes["w1"].image("registry.k8s.io/pause:3.10.1")
    assert image is not None
    runtimes["w2"].store_image(image)
    assert check(lab, posed).passed


def test_a_goal_must_say_something(opened: Lab) -> None:
    with pytest.raises(InputError, match="a goal needs at least one of flows, keep, state"):
        posed_of("kind: repair\ngoal: {}\nsolution: {on: node/w1, run: 'true'}", opened)


def test_the_same_seed_poses_the_same_task(folder: Folder) -> None:
    for exercise in folder.file.exercises:
        one, two = (folder.pose(exercise.id, 4) for _ in range(2))
        assert one.values == two.values
        assert [o.id for o in one.options] == [o.id for o in two.options]
        assert [o.id for o in one.items] == [o.id for o in two.items]
        if one.question is not None and two.question is not None:
            assert [o.id for o in one.question.options] == [o.id for o in two.question.options]


# ---- the file


def errors(text: str) -> list[str]:
    problems = Problems()
    read_exercises(read(text, "e.yaml"), problems)
    return [p.text("en") for p in problems.found]


def test_what_is_said_about_the_file() -> None:
    assert errors("{}") == [
        "e.yaml:1: the key 'lab' is missing; write a text",
        "e.yaml:1: the key 'exercises' is missing; write a list of exercises",
    ]
    found = errors("lab: x\nexercises:\n  - {id: a, kind: choise}\n")
    assert found == [
        "e.yaml:3: exercises[0].kind: found 'choise' (did you mean 'choice'?), "
        "accepted: choice, answer, predict, order, repair, build"
    ]
    found = errors(
        "lab: x\nexercises:\n  - {id: a, kind: order, gaol: 1, title: {en: x}, task: x, hints: []}\n"
    )
    assert found == [
        "e.yaml:3: exercises[0].gaol: there is no key 'gaol' here; accepted: id, kind, title, task, hints, "
        "lab, setup, draw, explain, journey, items, order",
        "e.yaml:3: exercises[0].title: the key 'ko' is missing; write a text",
        "e.yaml:3: exercises[0].task: found 'x', accepted: a text in both languages: {en: ..., ko: ...}",
        "e.yaml:3: exercises[0].hints: found 0 hints, accepted: exactly three (a place to look, "
        "the row there, the step)",
    ]


KEYS = [
    "kind",
    "options",
    "goal",
    "flows",
    "flow",
    "ask",
    "stop",
    "at",
    "items",
    "journey",
    "order",
    "value",
    "on",
    "run",
    "take",
    "as",
    "accepted",
    "refused",
    "solution",
    "setup",
    "faults",
    "commands",
    "manifests",
    "draw",
    "from",
    "to",
    "text",
    "id",
    "en",
    "ko",
    "right",
    "when",
    "state",
    "link",
    "keep",
    "do",
    "name",
]
WORDS = st.sampled_from(
    [
        "choice",
        "answer",
        "predict",
        "order",
        "repair",
        "build",
        "pod/a",
        "pod/b:80",
        "places",
        "all",
        "outcome",
        "device",
        "w1/cni0",
        "ip a",
        "(.*)",
        "{{x}}",
        "node/w1",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99999) | st.text(max_size=6) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=16,
)


@settings(max_examples=40)
@given(
    st.sampled_from(["choice", "answer", "predict", "order", "repair", "build"]),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8),
)
def test_no_exercise_however_strange_gives_a_traceback(opened: Lab, kind: str, value: dict[str, Any]) -> None:
    text = {"en": "x", "ko": "가"}
    value = {**value, "id": "one", "kind": kind, "title": text, "task": text, "hints": [text] * 3}
    problems = Problems()
    try:
        file = read_exercises(Doc("e.yaml", {"lab": "two-nodes", "exercises": [value]}), problems)
        for exercise in file.exercises:
            posed = pose(exercise, 1, lambda what: opened.copy())
            check(posed.lab, posed, "x")
    except EngineError as error:
        assert error.text("ko")
