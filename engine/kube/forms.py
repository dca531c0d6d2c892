"""How ordinary pods come out: their status and events, from one that was really run.

Theory. What kubelet writes into the status of an ordinary pod depends on the pod's spec, on which of its images the
node has, and on a few words: the time, the node's address, the address that host-local gives next, the ids that
containerd draws. So one pod of each form is really run, by the real kubelet on a trial node that is thrown away
(`Trial`), and its status and events, with those words filled in anew, are those of all others of that form (`Form`).

Rules. A `Form` is frozen. What two pods of a form have in common (their conditions, say) they share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.errors import NotModelled
from engine.kube import boot, registry
from engine.kube.clock import stamp
from engine.kube.containerd import Containerd
from engine.kube.events import Said
from engine.kube.node import NodeState
from engine.kube.objects import Json, spec_of, status_of
from engine.kube.podspec import every_container
from engine.kube.runtime import Container
from engine.kube.sleep import Dream, attach
from engine.kube.store import Store
from engine.l7.behave import FOREVER, Behaviour
from engine.l7.images import ReferenceError_, normal
from engine.linux.addr import text4
from engine.linux.net import Net
from engine.linux.ops.base import Changes
from engine.record import dataclass, replace

if TYPE_CHECKING:
    from engine.kube.cluster import Cluster

#: words of a status that differ from pod to pod
HOST, POD, TOKEN, NOW, CONTAINER = "host", "pod", "token", "now", "container/"
Class = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How pods of one form come out: `status.cast(words)` makes the status. `address`: does it take an address of the
    node's subnet? `containers` are the words of the ids that it draws, `images` what it pulls."""

    status: Mould
    events: tuple[Said, ...]
    address: bool
    containers: tuple[str, ...]
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """All of a pod that decides about its form. `text` has neither time nor token; `reads`: it may read a ConfigMap or
    a Secret of its namespace; `images` by their full names. `pod` keeps alive what was looked at."""

    text: str
    reads: bool
    images: frozenset[str]
    pod: Json


class Forms:
    """The forms that are known, `timed` those with the time of now, and the trial nodes. Made anew when an object that
    pods may read has changed; never copied: a copy of the cluster learns its own."""

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], Form | None] = {}
        self.timed: dict[tuple[Any, ...], Form | None] = {}
        self.now = 0.0
        self.trials: dict[Class, Trial] = {}
        self.moment: tuple[Any, ...] = ()
        self.shapes: dict[tuple[Any, ...], Shape] = {}

    def of(self, cluster: Cluster, net: Net, node: NodeState, now: float) -> Here:
        """The forms of pods on a node."""
        latest = cluster.store.latest
        moment = (latest("ConfigMap"), latest("Secret"), latest("Service"))
        if moment != self.moment:
            self.known, self.timed, self.trials, self.moment = {}, {}, {}, moment
        if now != self.now:
            self.timed, self.shapes, self.now = {}, {}, now
        return Here(self, cluster, net, node, now)

    def rest(self) -> None:
        """Let go of the pods that were looked at: their parts are not met again."""
        self.shapes = {}

    def shape(self, pod: Json, now: float) -> Shape:
        """The shape of a pod, worked out once for pods that share their parts (podspec.twin, scheduler.bind)."""
        spec = pod["spec"]
        key = (
            id(spec.get("tolerations")), id(spec.get("securityContext")), len(spec.get("volumes") or ()), len(spec),
            id(pod["status"]), *((id(c.get("resources")), c.get("name"), c.get("image"), len(c))
                                 for c in spec["containers"]),
        )  # fmt: skip
        found = self.shapes.get(key)
        if found is None:
            text = shape(pod).replace(stamp(now), "")
            try:
                images = frozenset(normal(str(c.get("image", ""))) for c in every_container(spec))
            except ReferenceError_:
                images = frozenset()
            found = self.shapes[key] = Shape(text=text, reads=reads(text), images=images, pod=pod)
        return found


class Here:
    """The forms of pods on one node at one time."""

    __slots__ = ("cluster", "forms", "kind", "net", "node", "now")

    def __init__(self, forms: Forms, cluster: Cluster, net: Net, node: NodeState, now: float) -> None:
        self.forms, self.cluster, self.net, self.node, self.now = forms, cluster, net, node, now
        o = node.options
        self.kind: Class = (o.images, o.air_gapped, o.sandbox, o.pause)

    def find(self, pod: Json, images: frozenset[str]) -> Form | None:
        """The form of a pod, where the node has pulled these images; None for a pod that cannot be told without its
        node."""
        forms, shape = self.forms, self.forms.shape(pod, self.now)
        had = images & shape.images
        key = (self.kind, had, pod["metadata"]["namespace"] if shape.reads else "", shape.text)
        if key in forms.timed:
            return forms.timed[key]
        if key not in forms.known:
            if self.kind not in forms.trials:
                forms.trials[self.kind] = Trial.make(self.cluster, self.net, self.node, self.now)
            forms.known[key] = forms.trials[self.kind].run(pod, had)
        form = forms.known[key]
        if form is not None:
            form = replace(form, status=form.status.filled({NOW: stamp(self.now)}))
        forms.timed[key] = form
        return form


def token(pod: Json) -> str:
    """The name of the volume with the account's token, which is different for each pod; "" when there is none."""
    volumes = spec_of(pod).get("volumes")
    name = str(volumes[-1].get("name", "")) if volumes else ""
    return name if name.startswith("kube-api-access-") else ""


def reads(shape: str) -> bool:
    """May a pod of this shape read a ConfigMap or a Secret of its namespace, besides the account's token?"""
    return any(word in shape for word in ("'envFrom'", "'valueFrom'", "'secret'", "'optional'")) or (
        shape.count("'configMap'") > shape.count("'kube-root-ca.crt'")
    )


def shape(pod: Json) -> str:
    """All of a pod that decides about its status, but for the token's name."""
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
        events = tuple(said for row in rows for said in row[4])
        if any(text in said[4] for said in events for text in own):
            return None
        pulled = tuple(name for name in node.runtime.images.get("k8s.io", ()) if name not in had)
        return Form(
            status=Mould.of(status_of(body), words), events=events, address=bool(sandboxes[0].ip),
            containers=tuple(f"{CONTAINER}{n}" for n in range(len(containers))), images=pulled,
        )  # fmt: skip


def no_tools(cri: Containerd, row: Container, what: Behaviour) -> tuple[tuple[str, ...], int]:
    """A command that only the lab's shell can run has no form: its pod wakes the node."""
    raise NotModelled(" ".join(what.args))


def runs(status: Json) -> bool:
    """Running, with every condition true."""
    rows = status.get("conditions") or ()
    return status.get("phase") == "Running" and all(c.get("status") == "True" for c in rows)


@dataclass(frozen=True, slots=True)
class Hole:
    """A place in a status where a word comes."""

    word: str


@dataclass(frozen=True, slots=True)
class Mould:
    """A dict or a list with holes: `base` is it without them, `holes` are their keys or indices, `parts` those of what
    has holes itself."""

    base: Any
    holes: tuple[tuple[Any, str], ...] = ()
    parts: tuple[tuple[Any, Mould], ...] = ()

    @classmethod
    def of(cls, value: Any, words: dict[str, str]) -> Mould:
        """A dict or a list with a hole for each text in it that is one of these words."""
        rows = value.items() if isinstance(value, dict) else enumerate(value)
        return cls(value).with_parts({at: holed(part, words) for at, part in rows})

    def with_parts(self, parts: dict[Any, Any]) -> Mould:
        """With other values at some places; what has no hole becomes part of the base."""
        base = self.base.copy()
        for at, part in parts.items():
            base[at] = part.base if isinstance(part, Mould) and not part.open else part
        holes = tuple((at, part.word) for at, part in parts.items() if isinstance(part, Hole))
        inner = tuple((at, part) for at, part in parts.items() if isinstance(part, Mould) and part.open)
        return Mould(base, holes, inner)

    @property
    def open(self) -> bool:
        """Has it a hole, here or further in?"""
        return bool(self.holes or self.parts)

    def filled(self, words: dict[str, str]) -> Mould:
        """Without the holes of these words."""
        holes: dict[Any, Any] = {at: words.get(word, Hole(word)) for at, word in self.holes}
        return self.with_parts(holes | {at: part.filled(words) for at, part in self.parts})

    def cast(self, words: dict[str, str]) -> Any:
        """The value with these words. KeyError for a word that is not given."""
        out = self.base.copy()
        for at, word in self.holes:
            out[at] = words[word]
        for at, part in self.parts:
            out[at] = part.cast(words)
        return out


def holed(value: Any, words: dict[str, str]) -> Any:
    """The value, or a hole or a mould in its place."""
    if isinstance(value, str):
        return Hole(words[value]) if value in words else value
    return Mould.of(value, words) if isinstance(value, (dict, list)) else value


__all__ = ["Form", "Forms", "token"]
