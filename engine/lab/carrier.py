"""The default cluster for a folder of plain manifests: as many workers as they need, under the names that it has.

Rules. What a person brings was made for another cluster: its nodes' names and labels are unknown here. Pods that shared
a node share one here, nothing is dropped without a word, and `Carried.notes` say what became of what.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import yaml

from engine.record import dataclass, replace
from engine.say import Phrase, Said

if TYPE_CHECKING:
    from engine.kube.manifests import Manifest

#: A node takes 110 Pods; the agents of a DaemonSet need room, too.
PER_NODE: Final = 100
MOST: Final = 150
OWN: Final = ("cp", "w1", "w2")
#: Labels that the model's nodes have by themselves.
KNOWN_LABELS: Final = ("kubernetes.io/", "node-role.kubernetes.io/", "beta.kubernetes.io/")

RENAMED = Phrase(
    en="the default cluster has no node {node}; what names it runs on {worker}",
    ko="기본 클러스터에는 {node} 노드가 없습니다. 그 노드를 적은 것은 {worker}에서 실행됩니다",
)
LABELLED = Phrase(
    en="{workers} got the label {label}, which a nodeSelector asks for",
    ko="nodeSelector가 요구하는 레이블 {label}을(를) {workers}에 붙였습니다",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The lab file's text, the manifests as they fit into it, and what was changed."""

    text: str
    manifests: tuple[Manifest, ...]
    notes: tuple[Said, ...]


def carry(manifests: list[Manifest]) -> Carried:
    """A lab for these objects."""
    specs = [(spec, copies) for m in manifests for spec, copies in pod_specs(m.body)]
    pods = sum(copies for _, copies in specs)
    foreign = list(dict.fromkeys(n for s, _ in specs if (n := s.get("nodeName")) and n not in OWN))
    foreign = [name for name in foreign if isinstance(name, str)]
    count = min(max(2, len(foreign), ceil(pods / PER_NODE)), MOST)
    workers = [f"w{i}" for i in range(1, count + 1)]
    names = {name: workers[i % count] for i, name in enumerate(foreign)}
    bodies = [orphaned(renamed(m.body, names)) for m in manifests]
    labels = wanted_labels([s for s, _ in specs], workers)
    nodes: list[dict[str, Any]] = [{"name": "cp", "role": "control-plane"}]
    nodes += [{"name": w, "labels": labels[w]} if labels[w] else {"name": w} for w in workers]
    notes = [RENAMED(node=node, worker=worker) for node, worker in names.items()]
    pairs = list(dict.fromkeys(pair for w in workers for pair in labels[w].items()))
    for key, value in pairs:
        having = ", ".join(w for w in workers if labels[w].get(key) == value)
        notes.append(LABELLED(workers=having, label=f"{key}={value}"))
    return Carried(
        text=yaml.safe_dump({"nodes": nodes}, default_flow_style=True, width=10_000),
        manifests=tuple(replace(m, body=body) for m, body in zip(manifests, bodies, strict=True)),
        notes=tuple(notes),
    )


def pod_specs(body: Any) -> Iterator[tuple[dict[str, Any], int]]:
    """(the Pod's spec, how many Pods of it) of a Pod or of what makes Pods; nothing for other objects."""
    spec = body.get("spec") if isinstance(body, dict) else None
    if not isinstance(spec, dict):
        return
    if body.get("kind") == "Pod":
        yield spec, 1
        return
    template = spec.get("template")
    if isinstance(template, dict) and isinstance(template.get("spec"), dict):
        replicas = spec.get("replicas", 1)
        yield template["spec"], replicas if isinstance(replicas, int) and 0 <= replicas <= 100_000 else 1


def wanted_labels(specs: list[dict[str, Any]], workers: list[str]) -> dict[str, dict[str, str]]:
    """Per worker the labels that nodeSelectors ask for; several values of one key go to different workers."""
    values: dict[str, list[str]] = {}
    for spec in specs:
        selector = spec.get("nodeSelector")
        for key, value in selector.items() if isinstance(selector, dict) else ():
            if isinstance(value, str) and not str(key).startswith(KNOWN_LABELS):
                row = values.setdefault(str(key), [])
                row.extend([value] if value not in row else [])
    return {w: {k: row[i % len(row)] for k, row in values.items()} for i, w in enumerate(workers)}


def renamed(body: Any, names: dict[str, str]) -> Any:
    """The object with the cluster's own node names."""
    out = body
    if body.get("kind") == "Pod" and isinstance(body.get("spec"), dict):
        out = {**body, "spec": with_node(body["spec"], names)}
    elif any(True for _ in pod_specs(body)):
        template = body["spec"]["template"]
        inner = {**template, "spec": with_node(template["spec"], names)}
        out = {**body, "spec": {**body["spec"], "template": inner}}
    return out


def orphaned(body: Any) -> Any:
    """Without owners: they are named by the uid that they had, so the garbage collector would delete the object. Who
    selects it by its labels adopts it again."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(metadata, dict) or "ownerReferences" not in metadata:
        return body
    return {**body, "metadata": {k: v for k, v in metadata.items() if k != "ownerReferences"}}


def with_node(spec: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    node = spec.get("nodeName")
    return {**spec, "nodeName": names[node]} if isinstance(node, str) and node in names else spec
