"""Words of `state`: each says yes where it is so, no where it is not, and the opposite with `present: false`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError
from engine.grade import state
from engine.lab.doc import Doc
from engine.lab.lab import Lab
from engine.lab.reader import Node, Problems

ROOT = Path(__file__).resolve().parents[2]
LABS = ROOT / "lessons" / "labs"


@pytest.fixture(scope="module")
def nodes() -> Lab:
    lab = Lab.load(LABS / "two-nodes.yaml")
    lab.run("node/w1", "ip netns add red")
    lab.run("pod/a", "curl -s -m 2 http://203.0.113.80/")
    return lab


@pytest.fixture(scope="module")
def box() -> Lab:
    return Lab.load(LABS / "docker-host.yaml")


@pytest.fixture(scope="module")
def gapped() -> Lab:
    return Lab.load(LABS / "air-gapped.yaml")


def wish(value: dict[str, Any]) -> state.State:
    problems = Problems()
    found = state.read_state(Node(Doc("s.yaml", value), (), value, problems))
    problems.raise_any()
    assert found is not None
    return found


#: (lab, word, keys that hold, keys that do not)
CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (
        "nodes",
        "link",
        {"on": "node/w1", "name": "cni0", "up": True, "kind": "bridge", "mtu": 1500, "master": ""},
        {"up": False},
    ),
    ("nodes", "link", {"on": "pod/a", "name": "eth0", "kind": "veth", "hairpin": False}, {"name": "eth1"}),
    ("nodes", "address", {"on": "node/w1", "address": "10.244.1.1", "dev": "cni0"}, {"dev": "eth0"}),
    ("nodes", "address", {"on": "node/w1", "address": "10.244.1.1/24"}, {"address": "10.244.1.1/16"}),
    (
        "nodes",
        "route",
        {"on": "node/w1", "to": "10.244.2.0/24", "via": "192.168.10.102", "dev": "eth0", "type": "unicast"},
        {"via": "192.168.10.9"},
    ),
    ("nodes", "route", {"on": "pod/a", "to": "default"}, {"to": "10.0.0.0/8"}),
    ("nodes", "neighbour", {"on": "pod/a", "address": "10.244.1.1"}, {"state": "FAILED"}),
    (
        "nodes",
        "rule",
        {"on": "node/w1", "table": "nat", "chain": "POSTROUTING", "like": "IP-MASQ-AGENT"},
        {"like": "NOTHING"},
    ),
    ("nodes", "policy", {"on": "node/w1", "chain": "FORWARD", "is": "ACCEPT"}, {"is": "DROP"}),
    ("nodes", "sysctl", {"on": "node/w1", "key": "net.ipv4.ip_forward", "value": 1}, {"value": "0"}),
    (
        "nodes",
        "file",
        {"on": "node/w1", "path": "/etc/cni/net.d/10-bridge.conflist", "contains": '"type": "bridge"'},
        {"contains": "calico"},
    ),
    ("nodes", "file", {"on": "pod/b", "path": "/etc/hosts"}, {"path": "/nothing"}),
    ("nodes", "process", {"on": "node/w1", "name": "kubelet"}, {"name": "dockerd"}),
    ("nodes", "process", {"on": "pod/b", "name": "nginx"}, {"name": "kubelet"}),
    ("nodes", "listen", {"on": "pod/b", "port": 80, "proto": "tcp"}, {"port": 81}),
    ("nodes", "netns", {"on": "node/w1", "name": "red"}, {"name": "blue"}),
    (
        "nodes",
        "conntrack",
        {
            "on": "node/w1",
            "src": "10.244.1.2",
            "dst": "203.0.113.80",
            "dport": 80,
            "proto": "tcp",
            "natted": True,
        },
        {"dport": 81},
    ),
    (
        "nodes",
        "pod",
        {
            "name": "a",
            "phase": "Running",
            "ready": True,
            "node": "w1",
            "restarts": 0,
            "address": "10.244.1.2",
        },
        {"node": "w2"},
    ),
    ("gapped", "pod", {"name": "default/on-w2", "phase": "Pending", "ready": False}, {"ready": True}),
    ("nodes", "object", {"kind": "Namespace", "name": "kube-system"}, {"name": "shop"}),
    ("nodes", "object", {"kind": "Pod", "name": "a", "namespace": "default"}, {"namespace": "shop"}),
    (
        "nodes",
        "field",
        {"kind": "Pod", "name": "a", "namespace": "default", "path": ".spec.nodeName", "value": "w1"},
        {"value": "w2"},
    ),
    ("nodes", "prints", {"on": "node/w1", "run": "ip -br addr", "like": "^cni0 +UP"}, {"like": "^cni1"}),
    ("nodes", "field", {"kind": "Node", "name": "w1", "path": ".spec.podCIDR"}, {"path": ".spec.podSIDR"}),
    (
        "gapped",
        "event",
        {"about": "on-w2", "reason": "FailedCreatePodSandBox", "like": "pause"},
        {"reason": "Pulled"},
    ),
    ("gapped", "image", {"on": "node/w1", "name": "registry.k8s.io/pause:3.10.1"}, {"on": "node/w2"}),
    ("box", "image", {"on": "host/box", "name": "nginx"}, {"name": "redis"}),
    (
        "box",
        "container",
        {"on": "host/box", "name": "web", "running": True, "image": "nginx", "network": "bridge"},
        {"running": False},
    ),
]


@pytest.mark.parametrize(("lab", "word", "good", "bad"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_words(
    lab: str, word: str, good: dict[str, Any], bad: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    opened: Lab = request.getfixturevalue(lab)
    assert state.holds(opened, wish({word: good}))
    assert not state.holds(opened, wish({word: {**good, **bad}}))
    assert not state.holds(opened, wish({word: {**good, "present": False}}))
    assert state.holds(opened, wish({word: {**good, **bad, "present": False}}))


def test_every_word_has_a_case_and_a_row_in_the_guide() -> None:
    assert {word for _, word, _, _ in CASES} == set(state.WORDS)
    text = (ROOT / "docs" / "authoring.md").read_text(encoding="utf-8")
    text = text.partition("## Words of `state`")[2]
    for name, word in state.WORDS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert [key for key in (*word.needs, *word.may) if f"`{key}`" not in row] == []


def test_a_place_that_is_gone_holds_nothing(nodes: Lab) -> None:
    assert not state.holds(nodes, wish({"link": {"on": "pod/gone", "name": "eth0"}}))
    assert state.holds(nodes, wish({"link": {"on": "pod/gone", "name": "eth0", "present": False}}))


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"lnk": {}}, "s.yaml: lnk: there is no key 'lnk' here (did you mean 'link'?)"),
        ({"link": {"on": "node/w1"}}, "s.yaml: link: the key 'name' is missing"),
        (
            {"link": {"on": "node/w1", "name": "x", "upp": True}},
            "s.yaml: link.upp: there is no key 'upp' here (did you mean 'up'?)",
        ),
        ({"link": {}, "route": {}}, "s.yaml:1: a state is one word with its keys; words: "),
    ],
)
def test_what_is_said(value: dict[str, Any], error: str) -> None:
    with pytest.raises(InputError) as caught:
        wish(value)
    assert caught.value.text("en").startswith(error)
