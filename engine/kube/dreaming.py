"""What the API hears of nodes that sleep: their pods get addresses, run and are ready.

Theory. A pod that is bound to a sleeping node takes the address that host-local gives next and the ids that containerd
draws next, and comes out as all pods of its form do (forms.py). A pod that is not at once running and ready for good,
or that a sleeping node cannot hold back (a changed or deleted pod, a full subnet), wakes its node.

Rules. What a node has dreamt is kept in its `Dream`, which is frozen: waking does it again (sleep.py).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from engine.kube.forms import CONTAINER, HOST, POD, TOKEN, Form, token
from engine.kube.node import NodeState
from engine.kube.objects import Json, deleting, spec_of
from engine.kube.podspec import on_node
from engine.kube.sleep import Dream
from engine.kube.store import Store
from engine.kube.written import Key
from engine.linux.addr import text4
from engine.linux.net import Net
from engine.linux.ops.base import Changes
from engine.record import replace

if TYPE_CHECKING:
    from engine.kube.cluster import Cluster


def hear(cluster: Cluster, changes: Changes, now: float, touched: set[str]) -> dict[str, set[Key]]:
    """Which Pods the kubelets of awake nodes have to look at, by node. A node whose Pod is gone looks at all
    (`touched`, where it is added). What concerns a sleeping node is dreamt, or wakes it."""
    found: dict[str, set[Key]] = {name: set() for name in touched if name in cluster.nodes}
    past = None
    for key in cluster.watch.pods_written(cluster.store):
        body = cluster.store.get("Pod", *key)
        if body is None:
            gone = {n.name for n in cluster.nodes.values() if holds(n, key) or n.runtime.holds(key)}
            touched |= gone
            found.update((name, set()) for name in gone if name not in found)
        elif name := on_node(body):
            found.setdefault(name, set()).add(key)
    asleep = [n for n in cluster.nodes if n in found and cluster.nodes[n].dream is not None] if found else []
    for name in asleep:
        if past is None:
            most = sum(map(len, found.values())) > len(cluster.store.objects["Pod"]) // 8
            past = cluster.store.copy("Pod" if most else "")
        node = cluster.nodes[name]
        if not dream_on(cluster, changes.net, node, cluster.store.pods_on(name), now, past):
            assert changes.net.boxes[name]
            touched.add(name)
    if asleep:
        cluster.forms.rest()
    cluster.watch.pods = cluster.store.version  # what was written meanwhile are the states of dreamt pods
    return found


def dream_on(cluster: Cluster, net: Net, node: NodeState, pods: list[Json], now: float, past: Store) -> bool:
    """What changed in the API for a sleeping node: new pods run. False when the node has to wake. `past` is the store
    as it is now, frozen."""
    dream = node.dream
    assert dream is not None
    fresh = unheard_of(dream, pods)
    if fresh is None:
        return False
    forms = cluster.forms.of(cluster, net, node, now)
    here = text4(net.asleep.address(node.name)) if net.asleep is not None else ""
    given, drawn, images = dream.given, dream.drawn, dream.images
    done: list[tuple[Json, Form, dict[str, str]]] = []
    for pod in fresh:
        form = forms.find(pod, images)
        if form is None:
            return False
        given += form.address
        # .0 and .1 are not given, nor is the last; host-local goes up from there.
        address = node.pod_cidr.addr + 1 + given
        if address >= node.pod_cidr.broadcast:
            return False
        words = {HOST: here, POD: text4(address) if form.address else here, TOKEN: token(pod)}
        for name in form.containers:
            words[name] = "containerd://" + container_id(cluster.ids.seed, node.name, drawn)
            drawn += 1
        if not images.issuperset(form.images):
            images = images.union(form.images)
        done.append((pod, form, words))
    for pod, form, words in done:
        cluster.store.record_all(pod, form.events, now, host=node.name)
        cluster.store.update({**pod, "metadata": dict(pod["metadata"]), "status": form.status.cast(words)})
    if fresh:
        keys = tuple((p["metadata"]["namespace"], p["metadata"]["name"]) for p in fresh)
        uids = {k: str(p["metadata"]["uid"]) for k, p in zip(keys, fresh, strict=True)}
        node = replace(node, dream=replace(
            dream, lived=(*dream.lived, (now, past, keys)), pods={**dream.pods, **uids}, given=given, drawn=drawn,
            images=images,
        ))  # fmt: skip
        cluster.nodes[node.name] = node
    return True


def unheard_of(dream: Dream, pods: list[Json]) -> list[Json] | None:
    """The pods of a node that it does not run yet, the oldest first; None when one of the others has changed."""
    fresh: list[Json] = []
    for pod in pods:
        m = pod["metadata"]
        key = (m["namespace"], m["name"])
        if deleting(pod):
            return None
        if key not in dream.pods:
            fresh.append(pod)
        elif dream.pods[key] != m["uid"] or changed(dream, key, pod):
            return None
    if len(pods) - len(fresh) != len(dream.pods):
        return None
    fresh.sort(key=lambda p: (str(p["metadata"]["creationTimestamp"]), int(p["metadata"]["resourceVersion"])))
    return fresh


def holds(node: NodeState, key: Key) -> bool:
    """Does a node run, or dream of, a pod of this namespace and name?"""
    if node.dream is not None:
        return key in node.dream.pods
    return any((s.namespace, s.pod) == key for s in node.runtime.sandboxes.values())


def changed(dream: Dream, key: Key, pod: Json) -> bool:
    """Is a pod's spec another than the one that it was started with?"""
    for _, store, keys in dream.lived:
        if key in keys:
            old = store.get("Pod", *key)
            return old is None or spec_of(old) != spec_of(pod)
    return True


def container_id(seed: int, machine: str, count: int) -> str:
    """What containerd's next id on a machine will be (Ids.hex)."""
    return hashlib.sha256(f"{seed}/{CONTAINER}{machine}/{count}".encode()).hexdigest()


__all__ = ["changed", "container_id", "dream_on", "hear", "holds"]
