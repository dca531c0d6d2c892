"""Our kubectl against a real one (1.32) that was shown the same objects (tests/golden/capture_kubectl.py)."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from engine.kube import Cluster, Options
from engine.kube.clock import clock_of
from engine.kube.events import Event
from engine.linux.net import Net
from engine.linux.ops import AddBox, WriteFile
from engine.shell.shell import Shell
from engine.shell.world import World
from tests.golden.capture_kubectl import merged

HERE = Path(__file__).parents[1] / "golden" / "kubectl"
CONFIG = """
apiVersion: v1
kind: Config
current-context: kubernetes-admin@kubernetes
clusters: [{name: kubernetes, cluster: {server: "https://cluster.lab:6443"}}]
contexts: [{name: kubernetes-admin@kubernetes, context: {cluster: kubernetes, user: kubernetes-admin}}]
users: [{name: kubernetes-admin, user: {}}]
"""


def world() -> World:
    """A machine with kubectl, and a cluster that stands still with the objects of the capture in its store."""
    data = json.loads((HERE / "objects.json").read_text())
    world = World(Net())
    world.do(AddBox(name="laptop", role="host"))
    world.do(WriteFile(box="laptop", path="/root/.kube/config", text=CONFIG))
    cluster = Cluster(Options(nodes=(), kubernetes="1.32"))
    cluster.settling = True
    world.cluster = cluster
    world.net.clock = clock_of(data["now"])
    for kind, rows in merged(data).items():
        if kind == "Event":
            continue
        for body in rows:
            m = body["metadata"]
            cluster.store.objects.setdefault(kind, {})[m.get("namespace", ""), m["name"]] = body
    for body in data["objects"]["Event"]:
        event = as_event(body)
        cluster.store.events[tuple(str(getattr(event, f.name)) for f in fields(event))] = event
    return world


def as_event(body: dict[str, Any]) -> Event:
    about = body["involvedObject"]
    return Event(
        kind=about["kind"], namespace=body["metadata"]["namespace"], name=about["name"], uid=about["uid"],
        type=body["type"], reason=body["reason"], message=body["message"], source=body["source"]["component"],
        host=body["source"].get("host", ""), field_path=about.get("fieldPath", ""), count=body["count"],
        first=clock_of(body["firstTimestamp"]), last=clock_of(body["lastTimestamp"]), id=body["metadata"]["name"],
        version=int(body["metadata"]["resourceVersion"]),
    )  # fmt: skip


#: the server of the capture offered what one of 1.32 does not have yet
LATER = ("ipaddresses.networking.k8s.io", "servicecidrs.networking.k8s.io")
ANSWERS = json.loads((HERE / "answers.json").read_text())


@pytest.fixture(scope="module")
def shell() -> Shell:
    return Shell(world(), "laptop")


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: a["command"].replace("/", "_"))
def test_kubectl_says_what_kubectl_says(answer: dict[str, Any], shell: Shell) -> None:
    result = shell.run(f"kubectl {answer['command']}")
    stdout = "".join(x for x in answer["stdout"].splitlines(keepends=True) if x.strip() not in LATER)
    assert result.stdout == stdout
    assert result.stderr == answer["stderr"]
    assert result.code == answer["code"]
