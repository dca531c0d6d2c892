"""The cluster: its store, its nodes, and `settle`, which lets every controller do what is left to do.

Theory. One pass runs, in this order, what in a real cluster runs at once: systemd on each node, the kubelets'
static pods, the workload controllers, the scheduler, the kubelets. Passes repeat until nothing changes. What was due
between the last moment and now (a retry, a back-off that ended, a job that finished) is done at its own time first.

Rules. The Net is changed only through the Changes that `settle` is given. While the control plane has no running
API server the store stands still: only static pods and containers that are there already go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from typing import Any

from engine.errors import EngineError
from engine.kube import (
    boot,
    dreaming,
    heartbeat,
    masqagent,
    nodes,
    passes,
    scheduler,
    staticpods,
    stirred,
    system,
)
from engine.kube.apiserver import ApiServer, Skipped
from engine.kube.containerd import ContainerConfig, Containerd
from engine.kube.forms import Forms
from engine.kube.ids import Ids
from engine.kube.kubelet import Kubelet
from engine.kube.manifests import Manifest
from engine.kube.node import NodeState
from engine.kube.objects import Json, meta, name_of, namespace_of, spec_of
from engine.kube.options import Options, pod_cidrs
from engine.kube.overlay import Overlay
from engine.kube.registry import Puller
from engine.kube.runtime import Container
from engine.kube.scheduling.nodes import Cache
from engine.kube.store import Store
from engine.kube.watch import Watch
from engine.kube.written import Key
from engine.l7.behave import Behaviour
from engine.linux.addr import text4
from engine.linux.layered import shared
from engine.linux.net import Net
from engine.linux.ops.base import Changes
from engine.record import dataclass
from engine.say import Said

#: Things due in the past that one settle makes up for, at their own times; a longer gap is cut short at its end.
MOMENTS = 300
#: Passes of one settle at one moment; more means that two controllers fight, which is a defect of ours.
PASSES = 200


@dataclass(slots=True)
class Cluster:
    """`nodes` by name, in the lab's order. `skipped` is what was named and does not act. `tools` runs a container
    whose command is a tool of the lab's shell; the shell sets it."""

    options: Options
    store: Store = field(default_factory=Store)
    nodes: dict[str, NodeState] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    booted: bool = False
    seen: float = 0.0
    quiet: tuple[int, int, int, float] | None = None
    settling: bool = False
    tools: Callable[[Containerd, Container, Behaviour], tuple[tuple[str, ...], int]] | None = None
    #: what the controllers (passes.SERVER, CONTROLLERS) remember, by module: frozen values
    memory: dict[str, object] = field(default_factory=dict)
    #: the kubelet, by its pid, that registered a node: each does it once, when it starts
    registered: Overlay[str, int] = field(default_factory=Overlay)
    #: `Warning:` headers of the last request (apiserver.py)
    warnings: list[str] = field(default_factory=list)
    #: the control plane's nodes
    planes: tuple[str, ...] | None = None
    #: which nodes have to be looked at (watch.py)
    watch: Watch = field(default_factory=Watch)
    #: what the scheduler keeps of the nodes (scheduling/nodes.py)
    rooms: Cache = field(default_factory=Cache)
    #: how pods come out on sleeping nodes (forms.py)
    forms: Forms = field(default_factory=Forms)

    def __post_init__(self) -> None:
        if self.planes is None:
            self.planes = tuple(n.name for n in self.options.nodes if n.control_plane)
        if not self.nodes:
            self.store.ids = Ids(self.options.seed)
            slices = pod_cidrs(self.options)
            self.nodes = {n.name: NodeState(n, slices[n.name]) for n in self.options.nodes}

    @property
    def ids(self) -> Ids:
        return self.store.ids

    def copy(self) -> Cluster:
        """An independent cluster over shared objects; use it with a copy of the Net."""
        self.nodes, nodes = shared(self.nodes)
        nodes.update((n.name, n.copy()) for n in self.awake())
        return Cluster(
            self.options, self.store.copy(), nodes, list(self.skipped),
            self.booted, self.seen, None, False, self.tools, dict(self.memory), watch=self.watch.copy(),
            rooms=self.rooms.copy(), planes=self.planes, registered=self.registered.copy(),
        )  # fmt: skip

    # ---- the API server (apiserver.py)

    @property
    def api(self) -> ApiServer:
        return ApiServer(self)

    def load(self, found: Iterable[Manifest], clock: float = 0.0) -> None:
        """Store objects as they come with a lab: namespaces that they name are made. InputError with every problem."""
        self.api.load(found, clock)

    def put(self, row: Manifest, clock: float, *, make_namespace: bool = True) -> Json | None:
        """Create or replace one object. None for a kind that is skipped. validate.Refused."""
        return self.api.put(row, clock, make_namespace=make_namespace)

    def create(self, body: Json, clock: float) -> Json:
        """Create a checked object with the API server's defaults. validate.Refused."""
        return self.api.create(body, clock)

    def replace(self, old: Json, body: Json) -> Json:
        """Replace an object by a new whole one. validate.Refused for a change that Kubernetes forbids."""
        return self.api.replace(old, body)

    def patch(
        self, kind: str, namespace: str, name: str, patch: Any, clock: float, *, how: str = "strategic"
    ) -> Json:
        """Patch an object; `how` is strategic, merge or json. validate.Refused."""
        return self.api.patch(kind, namespace, name, patch, clock, how=how)

    def delete(
        self, body: Json, clock: float, *, cascade: str = "background", grace: int | None = None
    ) -> None:
        """The API's delete; `cascade` is background, foreground or orphan, `grace` in seconds (None = the Pod's)."""
        self.api.delete(body, clock, cascade=cascade, grace=grace)

    def make_namespace(self, name: str, clock: float) -> None:
        self.api.make_namespace(name, clock)

    def skip(self, where: str, body: Json, why: Said) -> None:
        """Keep in `skipped` what of an object does not act, once."""
        self.api.skip(where, body, why)

    # ---- time

    def settle(self, changes: Changes) -> None:
        """Do everything that is left to do at this virtual time. Costs nothing when no op was made, no object was
        written and nothing has become due since the last time. A container's own command may ask again from within."""
        if self.settling:
            return
        self.settling = True
        try:
            self._settle(changes)
        finally:
            self.settling = False

    def _settle(self, changes: Changes) -> None:
        now = changes.net.clock
        if not self.booted:
            self.boot(changes)
        if self.quiet is not None and self.quiet[:3] == self.mark(changes) and now < self.quiet[3]:
            return
        if self.quiet is None:
            self.watch.log = (0, 0)
        heartbeat.listen(self, changes, stirred.outside(self, changes))
        for _ in range(MOMENTS):
            if (due := self.next_due(changes)) >= now:
                break
            self.moment(changes, due)
        self.moment(changes, now)
        stirred.inside(self, changes)
        agents = [n.masq_sync for n in self.awake() if n.masq_sync > now]
        self.quiet = (*self.mark(changes), min(self.next_due(changes), *agents, float("inf")))

    def awake(self) -> list[NodeState]:
        """The nodes whose kernel has been computed (sleep.py), in the lab's order."""
        if self.watch.awake is None:
            self.watch.awake = tuple(n.name for n in self.nodes.values() if n.dream is None)
        return [self.nodes[name] for name in self.watch.awake]

    def dreamt(self) -> list[str]:
        """The terminals of the Pods on sleeping nodes: `pod/NAMESPACE/NAME`, of several containers each."""
        out: list[str] = []
        for node in self.nodes.values():
            for namespace, name in node.dream.pods if node.dream is not None else ():
                body = self.store.get("Pod", namespace, name)
                names = [str(c["name"]) for c in spec_of(body or {}).get("containers") or ()]
                place = f"pod/{namespace}/{name}"
                out += [f"{place}/{n}" for n in names] if len(names) > 1 else [place]
        return out

    def woken(self, node: NodeState) -> None:
        """A node that slept is awake now: its kubelet is asked for what is due."""
        self.watch.awake = None
        self.watch.stale.add(node.name)
        self.watch.again.add(node.name)

    def mark(self, changes: Changes) -> tuple[int, int, int]:
        """What tells whether anything was done: the log of ops and the store's version."""
        return id(changes.log), len(changes.log), self.store.version

    def wake(self) -> None:
        """Look again at the next settle: a runtime's records were changed without an op (crictl, ctr)."""
        self.quiet = None

    def moment(self, changes: Changes, now: float) -> None:
        self.seen = now
        stirred.inside(self, changes)
        for _ in range(PASSES):
            before = (self.store.version, len(changes.log))
            self.one_pass(changes, now)
            if (self.store.version, len(changes.log)) == before:
                return
        raise RuntimeError(f"the cluster does not settle in {PASSES} passes at {now}")

    def next_due(self, changes: Changes) -> float:
        """When the next thing happens by itself, if it is later than what was seen; infinity when nothing will."""
        times: list[float] = []
        watch = self.watch
        for node in self.awake():
            if node.name in watch.stale or node.name not in watch.due or node.probes:
                kubelet = self.kubelet(changes, node, self.seen)
                found = [t for pod in self.pods_of(node) if (t := kubelet.due(pod)) > self.seen]
                watch.due[node.name] = min(found, default=float("inf"))
            if watch.due[node.name] > self.seen:
                times.append(watch.due[node.name])
        watch.stale.clear()
        at = passes.Pass(cluster=self, changes=changes, now=self.seen)
        for module in passes.modules(
            (*passes.SERVER, *passes.CONTROLLERS, *passes.ENDPOINTS, *passes.AGENTS)
        ):
            if (ask := getattr(module, "due", None)) is not None and (when := ask(at)) > self.seen:
                times.append(when)
        return min(times, default=float("inf"))

    def boot(self, changes: Changes) -> None:
        """The first moment: files and daemons of every node, and the objects that kubeadm leaves."""
        self.booted = True
        clock = changes.net.clock
        for node in self.awake():
            boot.prepare(changes, node, self.options, clock)
        boot.static_routes(changes, self.nodes, self.options)
        system.client_files(changes, self.options)
        for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
            if self.store.get("Namespace", "", name) is None:
                self.make_namespace(name, clock)
        for module in passes.modules(passes.ADDONS):
            for body in module.objects(self.options):
                self.create(body, clock)

    def one_pass(self, changes: Changes, now: float) -> None:
        watch, awake = self.watch, self.awake()
        touched = watch.touched(changes, (n.name for n in awake), now, api=self.api_up(changes.net))
        touched |= {n.name for n in awake if n.masq_sync <= now and "ip-masq-agent" in n.procs}
        for node in awake:
            if node.probes and node.probed < now:
                node.probed = now
                touched.add(node.name)
        for node in awake:
            if node.name in touched:
                self.on_node(changes, node, now)
        at = passes.Pass(cluster=self, changes=changes, now=now)
        heartbeat.sync(at)
        api = self.api_up(changes.net)
        if api:
            for module in passes.modules(passes.SERVER):
                module.sync(at)
            written = watch.nodes_written(self.store)
            wanted = self.nodes.keys() if written is None else touched | written
            for name in [n for n in self.nodes if n in wanted] if wanted else ():
                self.register(changes, self.nodes[name], now)
            managed = self.runs(changes.net, "kube-controller-manager")
            for module in passes.modules(passes.CONTROLLERS) if managed else ():
                module.sync(at)
            if self.runs(changes.net, "kube-scheduler"):
                scheduler.schedule(self, now)
            touched |= written or set()
            some = dreaming.hear(self, changes, now, touched)
            for node in self.awake():
                if node.name in touched:
                    self.sync_pods(changes, node, now)
                elif node.name in some:
                    self.sync_pods(changes, node, now, some[node.name])
            touched |= some.keys()
            for module in passes.modules(passes.ENDPOINTS) if managed else ():
                module.sync(at)
        watch.stale |= touched
        for module in passes.modules(passes.AGENTS):
            for node in self.awake():
                if not node.cut:
                    module.sync(at, node)

    # ---- one node

    def cri(self, changes: Changes, node: NodeState, now: float) -> Containerd:
        puller = Puller(net=changes.net, box=changes.net.boxes[node.name], air_gapped=node.options.air_gapped)
        return Containerd(
            changes=changes, machine=node.name, runtime=node.runtime, ids=self.ids, puller=puller, now=now,
            version=self.options.containerd, store=self.store if self.api_up(changes.net) else None,
        )  # fmt: skip

    def kubelet(self, changes: Changes, node: NodeState, now: float, *, api: bool = True) -> Kubelet:
        address = boot.node_address(changes.net, node.name)
        return Kubelet(
            changes=changes, store=self.store, node=node, cri=self.cri(changes, node, now), ids=self.ids, now=now,
            node_ip=text4(address) if address else "", note=self.note, tools=self.tools, api=api,
            cluster_dns=text4(self.options.service_cidr.addr + 10), minor=self.options.minor,
            history=self.options.proxy.mode == "userspace",
        )  # fmt: skip

    def note(self, where: str, pod: Json, error: EngineError) -> None:
        """Something that a pod needs and the model cannot do: kept in `skipped`, and shown as an event of ours."""
        self.skip(where, pod, error.said)
        self.store.record(pod, "Warning", "NotModelled", error.text("en").strip(), "k8snet-tutor", self.seen)

    def on_node(self, changes: Changes, node: NodeState, now: float) -> None:
        """systemd, containerd's own watching, the masquerading agent and the static pods of a node."""
        system.daemons(changes, node, self.cri(changes, node, now), now)
        cri = self.cri(changes, node, now)
        cri.observe()
        if node.masq_sync <= now and masqagent.sync(changes, node.name):
            node.masq_sync = now + masqagent.RESYNC
        if node.runtime.problem or "kubelet" not in node.procs:
            return
        static = staticpods.read(self, changes, node)
        api = self.api_up(changes.net) and not node.cut
        kubelet = self.kubelet(changes, node, now, api=api)
        for pod in static:
            if api:
                staticpods.mirror(self.store, node, pod, now)
            kubelet.sync(pod)
        wanted = {str(meta(p)["uid"]) for p in static}
        if api:
            self.clean_up(node, kubelet, wanted)

    def clean_up(self, node: NodeState, kubelet: Kubelet, static: set[str]) -> None:
        """Sandboxes of pods that the API does not know any more (deleted while nobody could be told)."""
        known = static | {str(meta(p)["uid"]) for p in self.store.pods_on(node.name)}
        for uid in {s.uid for s in node.runtime.sandboxes.values()} - known:
            for sandbox in node.runtime.sandboxes_of(uid):
                ghost: Json = {
                    "kind": "Pod",
                    "metadata": {"name": sandbox.pod, "namespace": sandbox.namespace, "uid": uid},
                    "spec": {"containers": []},
                }
                if not kubelet.stop(ghost, sandbox):
                    return
            kubelet.forget(uid)

    def api_up(self, net: Net) -> bool:
        """Does an API server run? A cluster without control-plane nodes is managed from elsewhere."""
        return self.runs(net, "kube-apiserver", "etcd")

    def runs(self, net: Net, *programs: str) -> bool:
        """Do these programs of the control plane run on one node? Always true where the lab has no such node."""
        planes = self.planes or ()
        return not planes or any(
            set(programs) <= {p.program for p in net.boxes[name].procs.values()} for name in planes
        )

    def register(self, changes: Changes, node: NodeState, now: float) -> None:
        if node.cut or ("kubelet" not in node.procs and node.dream is None):
            return
        body = self.store.get("Node", "", node.name)
        pid = node.procs.get("kubelet", 0)
        if body is None and self.registered.get(node.name) == pid:
            return  # deleted: a kubelet registers once, when it starts
        if body is None or "status" not in body:
            self.registered.put(node.name, pid)
            nodes.register(self.store, node, self.options, boot.node_address(changes.net, node.name), now)
            self.store.record(
                {"kind": "Node", "metadata": {"name": node.name}}, "Normal", "Starting", "Starting kubelet.",
                "kubelet", now, host=node.name,
            )  # fmt: skip
        problem = "" if node.dream is not None else self.cri(changes, node, now).network_problem()
        nodes.report(self.store, node, problem, now, runtime_down=node.runtime.problem)

    def pods_of(self, node: NodeState) -> list[Json]:
        """The API's pods that are bound to a node, mirrors left out, oldest first, and the static ones."""
        found = [p for p in self.store.pods_on(node.name) if not staticpods.is_mirror(p)]
        found.sort(key=lambda p: (str(meta(p)["creationTimestamp"]), int(meta(p)["resourceVersion"])))
        return [*(pod for _, pod in node.static.values()), *found]

    def sync_pods(self, changes: Changes, node: NodeState, now: float, only: set[Key] | None = None) -> None:
        """The kubelet looks at its pods, all or `only` these."""
        if node.runtime.problem or "kubelet" not in node.procs or node.cut:
            return
        kubelet = self.kubelet(changes, node, now)
        static = {str(meta(pod)["uid"]) for _, pod in node.static.values()}
        for pod in self.pods_of(node):
            if only is not None and (namespace_of(pod), name_of(pod)) not in only:
                continue
            if str(meta(pod)["uid"]) in static:
                staticpods.mirror(self.store, node, pod, now)
            kubelet.sync(pod)
        if only is None:
            self.clean_up(node, kubelet, static)


__all__ = ["Any", "Cluster", "ContainerConfig", "Skipped"]
