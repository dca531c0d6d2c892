"""Nodes that sleep: their pods run, have addresses and are ready, and no kernel of theirs has been computed.

Theory. What kubelet writes into the status of an ordinary pod depends on the pod's spec, on which of its images the
node has, and on a few words of the node: its address, the address that host-local gives next, the ids that
containerd draws. So one pod of each form is really run, by the real kubelet on a trial node that is thrown away
(`Trial`), and its status and events, with those words filled in anew, are those of all others of that form (`Form`).
A pod that is not at once running and ready for good, or that a sleeping node cannot hold back (a changed or deleted
pod, a full subnet), wakes its node.

Waking (`rouse`) does what the node would have done: its files and daemons at the time of its birth, its pods in the
order in which they came, each at its own time and with the API's objects of that time (`Dream.lived`). The order is
kubelet's own, ids are drawn per node, so addresses, ids and rows are the same as if the node had lived all along.

Rules. Only nodes of the bridge plugin sleep, and no control plane. A `Dream` is frozen, as copies of a cluster share
it; so is a `Form`. Events of a sleeping node's pods are recorded when they happen; waking records none.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from engine.errors import NotModelled
from engine.fabric.plan import Fabric, names_of, sleepers, wake
from engine.kube import boot, masqagent, passes, registry, system
from engine.kube.clock import stamp
from engine.kube.containerd import Containerd
from engine.kube.node import NodeState
from engine.kube.objects import Json, deleting, spec_of, status_of
from engine.kube.podspec import every_container
from engine.kube.runtime import Container
from engine.kube.store import Key, Store
from engine.l7.behave import FOREVER, Behaviour
from engine.l7.images import ReferenceError_, normal
from engine.linux.addr import text4
from engine.linux.asleep import Sleeper, Sleepers, Waker
from engine.linux.net import Net
from engine.linux.ops.base import Changes
from engine.record import dataclass

if TYPE_CHECKING:
    from engine.kube.cluster import Cluster

#: A store as it was, and the keys of the pods that a node began then, in order.
Lived = tuple[float, Store, tuple[Key, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dream:
    """What a sleeping node would have done. `born` is when it booted; `pods` are those that it runs, by key, with
    their uid; `given` counts the addresses that host-local gave, `drawn` the ids of containers; `images` are those
    that it has pulled."""

    born: float
    lived: tuple[Lived, ...] = ()
    pods: dict[Key, str] = field(default_factory=dict)
    given: int = 0
    drawn: int = 0
    images: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How pods of one form come out: `status(words)` makes the status, `events` are (type, reason, source, field path,
    message). `address`: does it take an address of the node's subnet? `containers` is how many ids it draws, `images`
    what it pulls."""

    status: Callable[[dict[str, str]], Json]
    events: tuple[tuple[str, str, str, str, str], ...]
    address: bool
    containers: int
    images: tuple[str, ...]


class NodeWaker(Waker):
    """Wakes the nodes of one cluster. `own`: may the cluster be changed? A Net that was copied alone has a cluster of
    its own from the first waking on."""

    def __init__(self, cluster: Cluster, net: Net | None, fabric: Fabric, names: str) -> None:
        self.cluster = cluster
        self.net = net
        self.fabric = fabric
        self.names = names
        self.own = True
        self.origin: weakref.ref[NodeWaker] | None = None

    def wake(self, net: Net, sleeper: Sleeper) -> None:
        if not self.own:
            self.cluster, self.own = self.cluster.copy(), True
        if not self.taken_over(net, sleeper):
            rouse(self, net, sleeper)

    def taken_over(self, net: Net, sleeper: Sleeper) -> bool:
        """In a copy of a lab where nothing has happened yet: the node wakes in the lab itself, and here stands a copy
        of it, so that the next copy finds it awake."""
        origin = self.origin() if self.origin is not None else None
        there = origin.net if origin is not None else None
        name = sleeper.name
        if origin is None or there is None or there.asleep is None or name not in there.asleep:
            return False
        if origin.cluster.store.version != self.cluster.store.version or origin.cluster.settling:
            return False
        if abs(there.clock - net.clock) > SOON or (
            origin.cluster.nodes[name].dream is not self.cluster.nodes[name].dream
        ):
            return False
        there.asleep.rouse(there, name)
        self.cluster.nodes[name] = origin.cluster.nodes[name].copy()
        net.boxes[name] = there.boxes[name].copy()
        for id, ns in list(there.spaces.items()):
            if ns.box == name:
                net.spaces[id] = ns.copy()
        self.cluster.woken(self.cluster.nodes[name])
        return True

    def holder(self, address: int) -> str:
        return next((n.name for n in self.cluster.nodes.values() if address in n.pod_cidr), "")

    def apart(self) -> NodeWaker:
        other = NodeWaker(self.cluster, None, self.fabric, self.names)
        other.own, other.origin = False, weakref.ref(self)
        return other


#: how far a packet may have got in a copy, in virtual seconds, for its lab to be thought the same still
SOON = 5.0


def attach(net: Net, cluster: Cluster, *, trial: bool = False) -> None:
    """A Net and a cluster that were copied together belong together: what wakes in one lives in the other. What wakes
    in a `trial` wakes nowhere else."""
    if net.asleep is not None and isinstance(old := net.asleep.waker, NodeWaker):
        other = NodeWaker(cluster, net, old.fabric, old.names)
        other.origin = None if trial else old.origin
        net.asleep.waker = other


def lay_down(net: Net, cluster: Cluster, fabric: Fabric) -> None:
    """The machines of a fabric that were not built are the cluster's sleeping nodes."""
    asleep = sleepers(net, fabric)
    if asleep:
        for name in asleep:
            cluster.nodes[name].dream = Dream(born=net.clock)
        net.sleep(Sleepers(asleep, NodeWaker(cluster, net, fabric, names_of(fabric))))


# ---- waking


def rouse(waker: NodeWaker, net: Net, sleeper: Sleeper) -> None:
    """Compute a node's kernel and containers, as if it had lived."""
    cluster = waker.cluster
    old = cluster.nodes[sleeper.name]
    dream = old.dream if old.dream is not None else Dream(born=net.clock)
    node = cluster.nodes[sleeper.name] = NodeState(old.options, old.pod_cidr, silent=old.silent)
    changes = Changes(net)
    now, net.clock = net.clock, dream.born
    wake(changes, waker.fabric, sleeper, waker.names)
    if cluster.booted:
        first_day(cluster, changes, node)
        for when, store, keys in dream.lived:
            net.clock = when
            for key in keys:
                pod = store.get("Pod", *key)
                assert pod is not None
                kubelet = cluster.kubelet(changes, node, when, api=False)
                kubelet.store = store
                kubelet.sync(pod)
            agents(cluster, changes, node, when)
    net.clock = now
    cluster.woken(node)
    if cluster.booted:
        agents(cluster, changes, node, now)


def agents(cluster: Cluster, changes: Changes, node: NodeState, now: float) -> None:
    """The node's agents at a time that may have passed. What they tell in events does not count as a write."""
    store, version = cluster.store, cluster.store.version
    at = passes.Pass(cluster=cluster, changes=changes, now=now)
    for module in passes.modules(passes.AGENTS):
        module.sync(at, node)
    if all(store.latest(kind) <= version for kind in store.written):
        store.version = version


def first_day(cluster: Cluster, changes: Changes, node: NodeState) -> None:
    """A node's files, routes and daemons, as `Cluster.boot` and its first pass make them."""
    now = changes.net.clock
    boot.prepare(changes, node, cluster.options, now)
    boot.routes_of(changes, node, cluster.nodes, cluster.options)
    system.client_file(changes, node.name, cluster.options)
    system.daemons(changes, node, cluster.cri(changes, node, now), now)
    if masqagent.sync(changes, node.name):
        node.masq_sync = now + masqagent.RESYNC


# ---- sleeping


def dream_on(cluster: Cluster, net: Net, node: NodeState, pods: list[Json], now: float, past: Store) -> bool:
    """What changed in the API for a sleeping node: new pods run. False when the node has to wake. `past` is the store
    as it is now, frozen."""
    dream = node.dream
    assert dream is not None
    fresh: list[Json] = []
    if len(pods) < len(dream.pods):
        return False
    for pod in pods:
        m = pod["metadata"]
        key = (m["namespace"], m["name"])
        if key not in dream.pods:
            fresh.append(pod)
        elif deleting(pod) or dream.pods[key] != m["uid"] or changed(dream, key, pod):
            return False
    if len(pods) - len(fresh) != len(dream.pods) or any(deleting(p) for p in fresh):
        return False
    fresh.sort(key=lambda p: (str(p["metadata"]["creationTimestamp"]), int(p["metadata"]["resourceVersion"])))
    forms = cluster.forms
    given, drawn, images = dream.given, dream.drawn, dream.images
    done: list[tuple[Json, Form, dict[str, str]]] = []
    for pod in fresh:
        form = forms.of(cluster, net, node, pod, now, images)
        if form is None:
            return False
        given += form.address
        # .0 and .1 are not given, nor is the last; host-local goes up from there.
        address = node.pod_cidr.addr + 1 + given
        if address >= node.pod_cidr.broadcast:
            return False
        here = net.asleep.address(node.name) if net.asleep is not None else 0
        words = {
            HOST: text4(here), POD: text4(address) if form.address else text4(here), TOKEN: token(pod),
            NOW: stamp(now),
        }  # fmt: skip
        for n in range(form.containers):
            words[f"{CONTAINER}{n}"] = "containerd://" + container_id(cluster.ids.seed, node.name, drawn + n)
        drawn += form.containers
        images |= {*form.images} if form.images else frozenset()
        done.append((pod, form, words))
    for pod, form, words in done:
        for type, reason, source, path, message in form.events:
            cluster.store.record(pod, type, reason, message, source, now, host=node.name, field_path=path)
        cluster.store.update({**pod, "metadata": dict(pod["metadata"]), "status": form.status(words)})
    if fresh:
        keys = tuple((p["metadata"]["namespace"], p["metadata"]["name"]) for p in fresh)
        uids = {k: str(p["metadata"]["uid"]) for k, p in zip(keys, fresh, strict=True)}
        node = replace(node, dream=replace(
            dream, lived=(*dream.lived, (now, past, keys)), pods={**dream.pods, **uids}, given=given, drawn=drawn,
            images=images,
        ))  # fmt: skip
        cluster.nodes[node.name] = node
    return True


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
    from engine.kube.ids import Ids

    return Ids(seed, {f"container/{machine}": count}).hex(f"container/{machine}", 64)


def token(pod: Json) -> str:
    """The name of the volume with the account's token, which is different for each pod; "" when there is none."""
    volumes = spec_of(pod).get("volumes")
    name = str(volumes[-1].get("name", "")) if volumes else ""
    return name if name.startswith("kube-api-access-") else ""


# ---- forms

#: words of a status that differ from pod to pod
HOST, POD, TOKEN, NOW, CONTAINER = "host", "pod", "token", "now", "container/"
Class = tuple[Any, ...]


class Forms:
    """The forms that are known at one moment, and the trial nodes. Made anew when the clock or an object that pods may
    read has changed; never copied: a copy of the cluster learns its own."""

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], Form | None] = {}
        self.trials: dict[Class, Trial | None] = {}
        self.moment: tuple[Any, ...] = ()
        self.shapes: dict[tuple[Any, ...], tuple[str, Json]] = {}

    def of(
        self, cluster: Cluster, net: Net, node: NodeState, pod: Json, now: float, images: frozenset[str]
    ) -> Form | None:
        """The form of a pod on a node; None for a pod that cannot be told without its node."""
        store = cluster.store
        moment = (store.latest("ConfigMap"), store.latest("Secret"), store.latest("Service"))
        if moment != self.moment:
            self.known, self.trials, self.moment, self.shapes = {}, {}, moment, {}
        o = node.options
        kind: Class = (o.images, o.air_gapped, o.sandbox, o.pause)
        here = wanted_images(pod, images)
        shape = self.shape(pod).replace(stamp(now), "")
        key = (*kind, here, pod["metadata"]["namespace"] if reads(shape) else "", shape)
        if key not in self.known:
            if kind not in self.trials:
                self.trials[kind] = Trial.make(cluster, net, node, now)
            trial = self.trials[kind]
            self.known[key] = trial.run(pod, here) if trial is not None else None
        return self.known[key]

    def shape(self, pod: Json) -> str:
        """`shape`, worked out once for pods that share their parts (podspec.twin)."""
        spec = pod["spec"]
        key = (
            id(spec.get("tolerations")), id(spec.get("securityContext")), len(spec.get("volumes") or ()), len(spec),
            repr(pod["status"]), *((id(c.get("resources")), c.get("name"), c.get("image"), len(c))
                                   for c in spec["containers"]),
        )  # fmt: skip
        found = self.shapes.get(key)
        if found is None:
            found = self.shapes[key] = (shape(pod), pod)  # the pod keeps alive what the ids stand for
        return found[0]


def reads(shape: str) -> bool:
    """May a pod of this shape read a ConfigMap or a Secret of its namespace, besides the account's token?"""
    return any(word in shape for word in ("'envFrom'", "'valueFrom'", "'secret'", "'optional'")) or (
        shape.count("'configMap'") > shape.count("'kube-root-ca.crt'")
    )


def wanted_images(pod: Json, images: frozenset[str]) -> frozenset[str]:
    """Which of a pod's images the node has pulled already."""
    if not images:
        return images
    try:
        return images & {normal(str(c.get("image", ""))) for c in every_container(spec_of(pod))}
    except ReferenceError_:
        return frozenset()


def shape(pod: Json) -> str:
    """All of a pod that decides about its status, but for the words that are its own."""
    spec, name = spec_of(pod), token(pod)
    rest = {k: v for k, v in spec.items() if k not in ("nodeName", "affinity", "hostname", "subdomain")}
    text = repr((rest, status_of(pod)))
    return text.replace(name, "") if name else text


@dataclass(slots=True, kw_only=True)
class Trial:
    """A node that is awake in copies of the lab, without pods, for the real kubelet to try one pod of each form."""

    net: Net
    cluster: Cluster
    node: str
    now: float
    store: Store

    @classmethod
    def make(cls, cluster: Cluster, net: Net, node: NodeState, now: float) -> Trial:
        from engine.kube.cluster import Cluster as Made
        from engine.kube.ids import Ids

        kept = ("ConfigMap", "Secret", "Service", "Node", "Namespace", "ServiceAccount")
        objects = {k: v for k, v in cluster.store.objects.items() if k in kept}
        store = Store(Ids(cluster.ids.seed), objects)
        bare = NodeState(
            node.options, node.pod_cidr, dream=Dream(born=node.dream.born if node.dream else now)
        )
        twin = Made(cluster.options, store, {**cluster.nodes, node.name: bare}, [], True, now)
        copy = net.copy()
        attach(copy, twin, trial=True)
        assert copy.boxes[node.name]
        return cls(net=copy, cluster=twin, node=node.name, now=now, store=store)

    def run(self, pod: Json, here: frozenset[str]) -> Form | None:
        """Run one pod; None when it does not run and stay ready."""
        from engine.kube.cluster import Cluster as Made

        store = self.store.copy()
        net, node = self.net.copy(), self.cluster.nodes[self.node].copy()
        for name in here:
            node.runtime.store_image(registry.stored(name, self.now))
        had = set(node.runtime.images.get("k8s.io", ()))
        twin = Made(self.cluster.options, store, {**self.cluster.nodes, self.node: node}, [], True, self.now)
        twin.tools = no_tools
        attach(net, twin, trial=True)
        m = pod["metadata"]
        key = (m["namespace"], m["name"])
        store.objects["Pod"] = {
            key: {**pod, "metadata": dict(m), "spec": {**pod["spec"], "nodeName": self.node}}
        }
        changes = Changes(net)
        before = twin.store.get("Pod", *key)
        assert before is not None
        twin.kubelet(changes, node, self.now).sync(before)
        body = twin.store.get("Pod", *key)
        rows, version = store.unheard(), store.version
        if body is None or twin.skipped or not runs(status_of(body)):
            return None
        kubelet = twin.kubelet(changes, node, self.now)
        kubelet.sync(body)
        if (
            store.version != version
            or kubelet.due(body) != FOREVER
            or node.probes
            or node.waits
            or node.retry
        ):
            return None
        sandboxes, containers = list(node.runtime.sandboxes.values()), list(node.runtime.containers.values())
        if len(sandboxes) != 1 or self.net.asleep is None:
            return None
        host = text4(boot.node_address(net, self.node))
        words = {host: HOST, stamp(self.now): NOW, **({sandboxes[0].ip: POD} if sandboxes[0].ip else {})}
        if name := token(pod):
            words[name] = TOKEN
        for n, row in enumerate(containers):
            words[f"containerd://{row.id}"] = f"{CONTAINER}{n}"
        own = [*words, str(m["uid"]), f"{m['name']}_{m['namespace']}", *(row.id for row in containers)]
        events = tuple((row[2][4], row[2][5], row[2][6], row[3], row[4]) for row in rows)
        if any(text in event[4] for event in events for text in own):
            return None
        make = compiled(status_of(body), words)
        if make is None:
            return None
        pulled = tuple(name for name in node.runtime.images.get("k8s.io", ()) if name not in had)
        return Form(
            status=make if callable(make) else lambda _: make, events=events, address=bool(sandboxes[0].ip),
            containers=len(containers), images=pulled,
        )  # fmt: skip


def no_tools(cri: Containerd, row: Container, what: Behaviour) -> tuple[tuple[str, ...], int]:
    """A command that only the lab's shell can run has no form: its pod wakes the node."""
    raise NotModelled(" ".join(what.args))


def runs(status: Json) -> bool:
    """Running, with every condition true."""
    rows = status.get("conditions") or ()
    return status.get("phase") == "Running" and all(c.get("status") == "True" for c in rows)


def compiled(value: Any, words: dict[str, str]) -> Any:
    """A function that makes the value with other words; the value itself where it has none of them."""
    if isinstance(value, str):
        if value in words:
            name = words[value]
            return lambda given: given[name]
        return value
    if isinstance(value, list):
        parts = [compiled(v, words) for v in value]
        if not any(callable(p) for p in parts):
            return value
        return lambda given: [p(given) if callable(p) else p for p in parts]
    if isinstance(value, dict):
        pairs = {k: compiled(v, words) for k, v in value.items()}
        holes = [(k, p) for k, p in pairs.items() if callable(p)]
        if not holes:
            return value

        def make(given: dict[str, str]) -> Json:
            out = dict(pairs)
            for key, part in holes:
                out[key] = part(given)
            return out

        return make
    return value


__all__ = ["Dream", "Form", "Forms", "NodeWaker", "attach", "dream_on", "lay_down", "rouse"]
