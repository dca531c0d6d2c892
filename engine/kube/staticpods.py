"""Static pods: kubelet runs what lies in a folder of its machine, and the API has a mirror of each.

Theory. kubelet reads the files of its staticPodPath (as its configuration said when it started) and runs a pod for
each, with or without an API server. A mirror in the API tells of it; deleting that changes nothing, it comes back.
Source: pkg/kubelet/config/file.go, pkg/kubelet/pod/mirror_client.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.kube import kubeletconfig, system
from engine.kube.node import NodeState
from engine.kube.objects import Json, deleting, edited, meta, name_of, namespace_of
from engine.kube.podspec import default_pod
from engine.kube.store import Store
from engine.linux.ops.base import Changes

if TYPE_CHECKING:
    from engine.kube.cluster import Cluster


def is_mirror(pod: Json) -> bool:
    return system.MIRROR in (meta(pod).get("annotations") or {})


def read(cluster: Cluster, changes: Changes, node: NodeState) -> list[Json]:
    """The pods of a node's folder, read again when a file changes. Those whose file is gone end."""
    box = changes.net.boxes[node.name]
    texts = files(kubeletconfig.statics(node, box), box.files)
    for path in [p for p in node.static if p not in texts or node.static[p][0] != texts[p]]:
        drop(cluster, changes, node, node.static.pop(path)[1])
    for path, text in texts.items():
        if path not in node.static:
            pod = system.static_pod(text, node.name)
            if pod is not None:
                node.static[path] = (text, pod)
    return [pod for _, pod in node.static.values()]


def files(folder: str, every: dict[str, str]) -> dict[str, str]:
    """The folder's own files that kubelet reads: any name that does not begin with a dot, folders left out
    (listConfig in file.go). None for no folder."""
    head, found = f"{folder}/", {}
    for path, text in every.items():
        if folder and path.startswith(head):
            name = path[len(head) :]
            if "/" not in name and not name.startswith("."):
                found[path] = text
    return found


def drop(cluster: Cluster, changes: Changes, node: NodeState, pod: Json) -> None:
    """A static pod whose file is gone or new: its containers end, and its mirror goes."""
    kubelet = cluster.kubelet(changes, node, cluster.seen, api=False)
    for sandbox in node.runtime.sandboxes_of(str(meta(pod)["uid"])):
        kubelet.stop(pod, sandbox)
    kubelet.forget(str(meta(pod)["uid"]))
    there = cluster.store.get("Pod", namespace_of(pod), name_of(pod))
    if there is not None and is_mirror(there):
        cluster.store.remove("Pod", namespace_of(pod), name_of(pod))


def mirror(store: Store, node: NodeState, pod: Json, now: float) -> None:
    """Make the mirror of a static pod, where there is none or the one there goes. It has the static pod's uid, so that
    kubelet's reports find it."""
    old = store.get("Pod", namespace_of(pod), name_of(pod))
    if store.get("Node", "", node.name) is None:
        return
    if old is not None:
        if not deleting(old) or not is_mirror(old):
            return
        store.remove("Pod", namespace_of(pod), name_of(pod))
    body = edited(pod)
    default_pod(body, store.ids)
    made = store.create(body, now)
    store.update({**made, "metadata": {**made["metadata"], "uid": meta(pod)["uid"]}})
