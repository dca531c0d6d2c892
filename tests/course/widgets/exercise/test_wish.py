"""A wish of a goal as a person reads it."""

from __future__ import annotations

import pytest

from course.widgets.exercise.wish import wish_text
from engine.grade.state import State


@pytest.mark.parametrize(
    ("word", "keys", "text"),
    [
        ("field", "kind: Service namespace: beta name: queue path: .spec.ports[0].targetPort value: 8085",
         "Service beta/queue .spec.ports[0].targetPort = 8085"),
        ("field", "kind: Pod name: probe path: .status.podIP", "Pod probe .status.podIP"),
        ("object", "kind: Pod name: web namespace: shop", "Pod shop/web"),
        ("pod", "name: probe-w2 phase: Running node: w2", "pod probe-w2 phase Running node w2"),
        ("route", "on: node/w1 to: 10.0.0.0/24 dev: eth0", "node/w1: route 10.0.0.0/24 dev eth0"),
        ("listen", "on: node/cp port: 10259 address: 0.0.0.0", "node/cp: listen 10259 address 0.0.0.0"),
        ("prints", "on: pod/web run: cat /etc/name: x like: .*", "pod/web$ cat /etc/name: x · .*"),
        ("event", "about: Pod/shop/web reason: Failed", "event Pod/shop/web Failed"),
    ],
)  # fmt: skip
def test_a_wish_is_read_without_braces(word: str, keys: str, text: str) -> None:
    assert wish_text(State(word, {}, True, f"{word} {{{keys}}}")) == text
