"""What a wish of `state` lacks is a sentence with the value of now, in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from engine.grade import state
from engine.grade.wanting import SAYS, wanting
from engine.lab.doc import Doc
from engine.lab.lab import Lab
from engine.lab.reader import Node, Problems

LAB: dict[str, Any] = {
    "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}],
    "manifests": [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "labels": {"app": "web"}},
            "spec": {"nodeName": "w1", "containers": [{"name": "c", "image": "nginx"}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "wbe"}, "ports": [{"port": 80}]},
        },
    ],
}
SERVICE = {"kind": "Service", "name": "web"}


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.load(LAB)


@pytest.mark.parametrize(
    ("wish", "en", "ko"),
    [
        (
            {"field": {**SERVICE, "path": ".spec.selector.app", "value": "web"}},
            ".spec.selector.app of Service web should be web, and is wbe",
            "Service web의 .spec.selector.app은 web이어야 하는데 지금은 wbe입니다",
        ),
        (
            {"field": {**SERVICE, "path": ".spec.selector.tier", "value": "front"}},
            ".spec.selector.tier of Service web should be front, and is not set",
            "Service web의 .spec.selector.tier는 front이어야 하는데 정해져 있지 않습니다",
        ),
        (
            {"field": {**SERVICE, "path": ".spec.selector.tier"}},
            ".spec.selector.tier of Service web should be set, and is not",
            "Service web의 .spec.selector.tier가 있어야 하는데 없습니다",
        ),
        (
            {"field": {**SERVICE, "path": ".spec.type", "present": False}},
            ".spec.type of Service web should not be ClusterIP, and is",
            "Service web의 .spec.type가 ClusterIP이면 안 되는데 그렇습니다",
        ),
        (
            {"field": {"kind": "Service", "name": "cart", "path": ".spec.type"}},
            "there is no Service cart in namespace default",
            "네임스페이스 default에 Service cart가 없습니다",
        ),
        (
            {"pod": {"name": "web", "phase": "Running", "node": "cp"}},
            "Pod web should have phase Running, node cp, and has phase Running, node w1",
            "파드 web은 phase Running, node cp이어야 하는데 지금은 phase Running, node w1입니다",
        ),
        (
            {"pod": {"name": "web", "present": False}},
            "Pod web (namespace default) must not be there, and is",
            "Pod web(네임스페이스 default)은 없어야 하는데 있습니다",
        ),
        (
            {"object": {"kind": "NetworkPolicy", "namespace": "shop", "name": "deny"}},
            "there is no NetworkPolicy deny in namespace shop",
            "네임스페이스 shop에 NetworkPolicy deny가 없습니다",
        ),
        (
            {"file": {"on": "node/w1", "path": "/root/x", "contains": "a"}},
            "there is no file /root/x at node/w1",
            "node/w1에 파일 /root/x가 없습니다",
        ),
        (
            {"file": {"on": "node/w1", "path": "/etc/hostname", "contains": "^w9"}},
            "nothing in /etc/hostname at node/w1 agrees with ^w9",
            "node/w1의 /etc/hostname에 ^w9와 맞는 것이 없습니다",
        ),
        (
            {"prints": {"on": "node/w1", "run": "hostname", "like": "^w9"}},
            "`hostname` at node/w1 should print ^w9, and prints: w1",
            "node/w1에서 `hostname`은 ^w9를 출력해야 하는데 지금은 이렇게 출력합니다: w1",
        ),
        (
            {"prints": {"on": "node/w1", "run": "true", "like": "x"}},
            "`true` at node/w1 should print x, and prints: nothing",
            "node/w1에서 `true`는 x를 출력해야 하는데 지금은 이렇게 출력합니다: 아무것도 없음",
        ),
    ],
)
def test_what_lacks_is_said_with_what_is_there(lab: Lab, wish: dict[str, Any], en: str, ko: str) -> None:
    problems = Problems()
    found = state.read_state(Node(Doc("s.yaml", wish), (), wish, problems))
    problems.raise_any()
    assert found is not None and not state.holds(lab, found)
    said = wanting(lab, found)
    assert (said.text("en"), said.text("ko")) == (en, ko)


def test_every_sentence_belongs_to_a_word() -> None:
    assert set(SAYS) <= set(state.WORDS)
