"""kubelet's volume manager after the start: a ConfigMap or Secret that changes reaches the files of running Pods.

Theory. kubelet writes mounted ConfigMaps anew when it next syncs the Pod, which it does at least once a minute
(`syncFrequency` 1m), give or take its jitter; a key that is gone takes its file along. A file mounted by `subPath`
stays as it was when the container started.

Rules. Looks only at what was written since the last time. Source: pkg/kubelet/volumemanager, pkg/volume/configmap;
kubernetes.io tasks/configure-pod-container/configure-pod-configmap ("mounted ConfigMaps are updated automatically").
"""

from __future__ import annotations

from typing import NamedTuple

from engine.kube import volumes
from engine.kube.node import NodeState
from engine.kube.objects import Json, meta, name_of, namespace_of, spec_of
from engine.kube.passes import Pass
from engine.linux.ops import RemoveFile, WriteFile

MEMORY = "kube.remount"
#: seconds until kubelet has synced every Pod of its node, and how far it strays
PERIOD, JITTER = 60.0, 0.5


class Waiting(NamedTuple):
    """Up to which version the store was looked at, and when which Pod is due."""

    version: int = 0
    pods: tuple[tuple[tuple[str, str], float], ...] = ()


def sync(at: Pass, node: NodeState) -> None:
    found = node.memory.get(MEMORY)
    old = found if isinstance(found, Waiting) else Waiting(at.store.version)
    changed = {
        (kind, *key)
        for kind in ("ConfigMap", "Secret")
        for key in (at.store.since(kind, old.version) if old.version != at.store.version else ())
    }
    pods = dict(old.pods)
    if changed and "kubelet" in node.procs:
        for pod in at.store.pods_on(node.name):
            key = (namespace_of(pod), name_of(pod))
            if key not in pods and sources(pod) & changed:
                stray = at.cluster.ids.fraction(f"remount/{meta(pod).get('uid')}/{at.store.version}")
                pods[key] = at.now + PERIOD * (1 + JITTER * stray)
    for key, when in list(pods.items()):
        if when <= at.now and "kubelet" in node.procs:
            del pods[key]
            body = at.store.get("Pod", *key)
            if body is not None and "deletionTimestamp" not in meta(body):
                write(at, node, body)
    node.memory[MEMORY] = Waiting(at.store.version, tuple(pods.items()))


def due(at: Pass) -> float:
    """When the next Pod's files are written anew."""
    times = []
    for node in at.cluster.awake():
        found = node.memory.get(MEMORY)
        if isinstance(found, Waiting):
            times += [when for _, when in found.pods if when > at.cluster.seen]
    return min(times, default=float("inf"))


def sources(pod: Json) -> set[tuple[str, str, str]]:
    """(kind, namespace, name) of what a Pod's volumes show."""
    out = set()
    for volume in spec_of(pod).get("volumes") or ():
        for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            source = volume.get(key)
            if isinstance(source, dict):
                out.add((kind, namespace_of(pod), str(source.get("name") or source.get("secretName") or "")))
    return out


def pinned(pod: Json) -> set[str]:
    """Files that some container mounts by subPath."""
    return {
        source
        for container in spec_of(pod).get("containers") or ()
        for at, source in volumes.mounts(pod, container)
        if any(
            m.get("subPath") and str(m.get("mountPath")).rstrip("/") == at
            for m in container.get("volumeMounts") or ()
        )
    }


def write(at: Pass, node: NodeState, pod: Json) -> None:
    """The Pod's files as its ConfigMaps and Secrets are now; nothing while one of them is not there."""
    if volumes.missing(pod, at.store):
        return
    box = at.net.boxes[node.name]
    kept = pinned(pod)
    wanted = {path: text for path, text in volumes.files(pod, at.store) if text is not None}
    for path, text in wanted.items():
        if path not in kept and box.files.get(path) != text:
            at.changes.do(WriteFile(box=node.name, path=path, text=text))
    for volume in spec_of(pod).get("volumes") or ():
        if "configMap" in volume or "secret" in volume:
            head = volumes.folder(pod, volume) + "/"
            for path in [p for p in box.files if p.startswith(head) and p not in wanted and p not in kept]:
                at.changes.do(RemoveFile(box=node.name, path=path))
