"""Grids of who reaches whom under a set of NetworkPolicies (tests/flows/policies/*.yaml), as rows of a flow table.

A file has a `mode` of Calico, `ports`, and `cases`: a name, why it must be so, policies (namespace shop unless they say
otherwise), and the grid: one line a sender; for each port a word with one character a receiver, in the order of
TARGETS: `.` reaches, `x` does not, `-` not asked. n1 and n2 are the nodes themselves, ext a machine outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from engine.kube.manifests import from_texts
from engine.lab.lab import Lab
from engine.linux.addr import ip4
from engine.linux.choose import Seeded
from engine.linux.exchange import tcp_call
from engine.linux.net import Net

Json = dict[str, Any]
FOLDER = Path(__file__).with_name("policies")
#: name -> namespace, node, address, labels, {port: name}
PODS: dict[str, tuple[str, str, str, Json, dict[int, str]]] = {
    "web": ("shop", "w1", "10.244.1.1", {"app": "web", "tier": "front"}, {80: "http", 8080: "admin"}),
    "api": ("shop", "w2", "10.244.2.1", {"app": "api", "tier": "back"}, {80: "metrics", 8080: "http"}),
    "db": ("shop", "w1", "10.244.1.2", {"app": "db", "tier": "back"}, {80: "http", 8080: "admin"}),
    "fe": ("other", "w2", "10.244.2.2", {"app": "web", "tier": "front"}, {80: "http", 8080: ""}),
    "pr": ("tools", "w1", "10.244.1.3", {}, {80: "http", 8080: ""}),
}
SPACES = {"shop": {"team": "green"}, "other": {"team": "blue"}, "tools": {"team": "blue"}}
SOURCES = (*PODS, "n1", "n2")
TARGETS = (*PODS, "ext")
PLACES = {
    **{n: f"pod/{p[0]}/{n}" for n, p in PODS.items()},
    "n1": "node/w1",
    "n2": "node/w2",
    "ext": "host/ext",
}


def policy(row: Json, number: int) -> Json:
    meta = {"name": row.get("name", f"policy-{number}"), "namespace": row.get("namespace", "shop")}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": meta,
        "spec": row["spec"],
    }


def pods() -> list[Json]:
    out = []
    for name, (space, node, address, labels, ports) in PODS.items():
        rows = [{"containerPort": p, **({"name": n} if n else {})} for p, n in ports.items()]
        out.append({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": name, "namespace": space, "labels": labels,
                "annotations": {"cni.projectcalico.org/ipAddrs": f'["{address}"]'},
            },
            "spec": {"nodeName": node, "containers": [{"name": "c", "image": "registry.test/app", "ports": rows}]},
        })  # fmt: skip
    return out


def namespaces() -> list[Json]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name, labels in SPACES.items()
    ]


@cache
def base(mode: str, cni: str = "calico") -> Lab:
    """The cluster without a policy."""
    network: Json = {"name": cni, "podCIDR": "10.244.0.0/16"}
    return Lab.load({
        "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}, {"name": "w2"}],
        "hosts": [{"name": "ext", "addresses": ["192.168.10.1"], "listen": [80, 8080]}],
        "cni": {**network, "mode": mode} if cni == "calico" else network,
        "proxy": {"mode": "none"},
        "manifests": [*namespaces(), *pods()],
    })  # fmt: skip


def files() -> list[Path]:
    return sorted(FOLDER.glob("*.yaml"))


def read(path: Path) -> Json:
    found = yaml.safe_load(path.read_text())
    assert isinstance(found, dict)
    return found


def cells(grid: dict[str, str], ports: list[int]) -> Iterator[tuple[str, str, int, bool]]:
    """(sender, receiver, port, does it reach) of every cell that is asked."""
    for source in SOURCES:
        words = grid[source].split()
        for port, word in zip(ports, words, strict=True):
            for target, sign in zip(TARGETS, word, strict=True):
                assert sign in ".x-", (source, word)
                if sign != "-":
                    yield source, target, port, sign == "."


def with_policies(mode: str, rows: list[Json], cni: str = "calico") -> Lab:
    """The cluster with these policies, applied as objects of the API."""
    lab = base(mode, cni).copy()
    cluster = lab.world.cluster
    assert cluster is not None
    texts = {"policies": yaml.safe_dump_all([policy(row, n) for n, row in enumerate(rows)])} if rows else {}
    cluster.load(from_texts(texts), lab.world.net.clock)
    lab.world.settle()
    return lab


def reaches(lab: Lab, net: Net, source: str, target: str, port: int) -> bool:
    """Does a TCP connection come about, by packets in `net`?"""
    sender = lab.endpoint(PLACES[source])
    address = ip4("192.168.10.1") if target == "ext" else ip4(PODS[target][2])
    call = tcp_call(net, sender.netns, address, port, choose=Seeded(1), stay=True, timeout=0.2)
    return not call.error
