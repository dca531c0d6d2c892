"""A Calico cluster with given pods and policies, and the grid of who reaches whom: by packets, and by meaning."""

from __future__ import annotations

from typing import Any

from engine.kube.cni.calico_conf import MODES
from engine.kube.policy.endpoint import endpoint
from engine.kube.policy.semantics import Party, judge
from engine.lab.lab import Lab
from engine.linux.addr import text4
from engine.linux.choose import Seeded
from engine.linux.journey import Outcome

Json = dict[str, Any]
#: (source, target, port) -> does a connection come about?
Grid = dict[tuple[str, str, int], bool]


def cluster(
    pods: list[Json], spaces: dict[str, dict[str, str]], policies: list[Json], mode: str = "none"
) -> Lab:
    """Two workers and a control plane under Calico."""
    assert mode in MODES
    rows = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name, labels in spaces.items()
    ]
    return Lab.load({
        "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}, {"name": "w2"}],
        "cni": {"name": "calico", "mode": mode, "podCIDR": "10.244.0.0/16"},
        "proxy": {"mode": "none"},
        "manifests": [*rows, *pods, *policies],
    })  # fmt: skip


def place(body: Json) -> str:
    return f"pod/{body['metadata']['namespace']}/{body['metadata']['name']}"


def parties(lab: Lab, pods: list[Json]) -> dict[str, Party]:
    """Everybody who sends: the pods, and the nodes themselves."""
    cluster = lab.world.cluster
    assert cluster is not None
    out: dict[str, Party] = {}
    for pod in pods:
        name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
        body = cluster.store.get("Pod", space, name)
        found = endpoint(body) if body is not None else None
        assert found is not None, place(pod)
        out[place(pod)] = Party(
            address=text4(found.address), namespace=space, name=name, node=found.node, labels=found.labels,
            ports=found.ports,
        )  # fmt: skip
    for number, node in enumerate(("w1", "w2"), 101):
        out[f"node/{node}"] = Party(address=f"192.168.10.{number}", node=node)
    return out


def by_packets(lab: Lab, pods: list[Json], ports: tuple[int, ...]) -> Grid:
    """A packet for every pair, each on a copy."""
    out: Grid = {}
    targets = [place(p) for p in pods]
    for source in (*targets, "node/w1", "node/w2"):
        for target in targets:
            for port in ports:
                journey = lab.trace(source, f"{target}:{port}", choose=Seeded(1))
                out[source, target, port] = journey.outcome is Outcome.DELIVERED
    return out


def by_meaning(lab: Lab, pods: list[Json], policies: list[Json], ports: tuple[int, ...]) -> Grid:
    """The same from the policies alone."""
    cluster = lab.world.cluster
    assert cluster is not None
    spaces = {
        str(b["metadata"]["name"]): b["metadata"].get("labels") or {} for b in cluster.store.list("Namespace")
    }
    who = parties(lab, pods)
    targets = [place(p) for p in pods]
    return {
        (source, target, port): judge(policies, spaces, who[source], who[target], "TCP", port).allowed
        for source in (*targets, "node/w1", "node/w2")
        for target in targets
        for port in ports
    }
