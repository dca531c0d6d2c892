"""Description -> World: the fabric, the cluster, the docker daemons, listening programs, faults.

Rules. Everything is made by the parts that make it in a real lab: the fabric plugs machines together, dockerd
runs containers, the cluster's controllers start Pods. A part's errors are kept with the place in the lab file.
Dockerd and the cluster are loaded only for a lab that has them: a lesson opens quicker without.
Order: machines, docker, the cluster without anybody's Pods, early faults, manifests, the other faults.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import InputError, Problem
from engine.fabric.plan import Fabric, Machine, build_fabric
from engine.lab import faults
from engine.lab.describe import Description, HostSpec, Raw
from engine.lab.reader import Node, Problems
from engine.lab.source import Source
from engine.linux.addr import text4
from engine.linux.choose import Seeded
from engine.linux.net import Net
from engine.linux.ops import Advance, Listen, StartProc, WriteFile
from engine.linux.rows import Box, Socket
from engine.record import replace
from engine.say import Phrase, Said, plain
from engine.shell.world import World
from engine.unswept import laid_aside, unswept

if TYPE_CHECKING:
    from engine.docker.load import Plan
    from engine.kube.cluster import Cluster, Skipped
    from engine.kube.options import Options

#: virtual seconds that a lab has lived when it opens: Pods are up, back-offs have begun
SETTLING = 60.0
#: labs with fewer nodes than this are awake from the start
SLEEP_FROM = 100
#: a host that listens here is a name server
DNS_PORT = 53

SKIPPED = Phrase(en="{where}: {kind} {name}: {why}", ko="{where}: {kind} {name}: {why}")
SKIPPED_MANY = Phrase(
    en="{count} objects of kind {kind} (the first at {where}): {why}",
    ko="{kind} 오브젝트 {count}개(처음은 {where}): {why}",
)
#: more objects of one kind than this are told in one sentence
FEW = 3


def build(source: Source, *, seed: int, lang: str) -> tuple[World, tuple[Said, ...]]:
    """The world of a lab and what a person should know about it (kinds that were skipped). Raises InputError."""
    with _undisturbed(len(source.description.nodes) >= SLEEP_FROM):
        return _build(source, seed=seed, lang=lang)


@contextmanager
def _undisturbed(large: bool) -> Iterator[None]:
    """While a lab is built the garbage collector rests: objects come and stay, and it would look through them, and
    through all labs that are open, again and again. Of a large lab there are millions; afterwards it leaves them alone,
    or each of its rounds would take seconds."""
    if large:
        gc.unfreeze()
    with laid_aside() if large else unswept():
        yield


def _build(source: Source, *, seed: int, lang: str) -> tuple[World, tuple[Said, ...]]:
    spec = source.description
    problems = Problems()
    broken = _faults(source, problems)
    problems.raise_any()
    world = World(net=Net(), choose=Seeded(seed), lang=lang)
    fabric = _fabric(world, spec, problems)
    problems.raise_any()
    _name_servers(world, spec.hosts)
    for host in spec.hosts:
        _listen(world, host)
        if host.docker is not None:
            _docker(world, host.name, host.docker, problems)
    cluster = _cluster(world, spec, seed, fabric)
    faults.put(world, [f for f in broken if f.early])
    if cluster is not None:
        try:
            cluster.load(source.manifests, world.net.clock)
        except InputError as error:
            problems.take(error, "")
    problems.raise_any()
    _settle(world)
    faults.put(world, [f for f in broken if not f.early])
    return world, _notes(cluster)


def _faults(source: Source, problems: Problems) -> list[faults.Fault]:
    found = [faults.read_fault(Node(r.doc, r.path, r.value, problems)) for r in source.faults]
    return [f for f in found if f is not None]


def _fabric(world: World, spec: Description, problems: Problems) -> Fabric | None:
    try:
        return build_fabric(world.changes(), machines(spec), kind=spec.fabric, asleep=_asleep(spec))
    except InputError as error:
        problems.take(error, spec.name)
    return None


def _asleep(spec: Description) -> list[str]:
    """The nodes of a large lab that sleep until somebody touches them (engine.kube.sleep)."""
    if len(spec.nodes) < SLEEP_FROM or spec.cni.name != "bridge":
        return []
    return [n.name for n in spec.nodes if not n.control_plane]


def machines(spec: Description) -> list[Machine]:
    """The machines in the fabric's words, nodes first."""
    nodes = [Machine(name=n.name, role="node", addresses=n.addresses, where=n.where) for n in spec.nodes]
    hosts = [Machine(name=h.name, role="host", addresses=h.addresses, where=h.where) for h in spec.hosts]
    return nodes + hosts


def _settle(world: World) -> None:
    """Let the lab live its first minute."""
    world.settle()
    world.do(Advance(seconds=SETTLING))
    world.settle()


# ---- hosts


def _listen(world: World, host: HostSpec) -> None:
    """A program on each port of `listen`: http for tcp, echo for udp, a name server on port 53 by both."""
    named = any(port == DNS_PORT for _, port in host.listen)
    for proto, port in host.listen:
        if port != DNS_PORT:
            _serve(world, host.name, proto, port)
    if named:
        _name_server(world, host.name)


def _name_server(world: World, host: str) -> None:
    """One program on port 53, by udp and tcp."""
    pid = world.net.boxes[host].next_pid
    config = (("zone", _zone(world, host)),)
    world.do(StartProc(box=host, args=("named", "-g"), netns=host, program="nameserver", config=config))
    for proto, state in (("udp", "UNCONN"), ("tcp", "LISTEN")):
        socket = Socket(proto=proto, addr=0, port=DNS_PORT, pid=pid, state=state)
        world.do(Listen(netns=host, socket=socket))


def _serve(world: World, host: str, proto: str, port: int) -> None:
    program = "http" if proto == "tcp" else "echo"
    args: tuple[str, ...] = ("python3", "-m", "http.server", str(port))
    if proto == "udp":
        args = ("ncat", "-lu", str(port))
    pid = world.net.boxes[host].next_pid
    config = (("hostname", host), ("body", f"{host}\n"))
    world.do(StartProc(box=host, args=args, netns=host, program=program, config=config))
    state = "LISTEN" if proto == "tcp" else "UNCONN"
    world.do(Listen(netns=host, socket=Socket(proto=proto, addr=0, port=port, pid=pid, state=state)))


def _zone(world: World, server: str) -> str:
    """What a lab's name server knows."""
    from engine.l7.nameserver import zone

    return zone([(box.name, _address(world, box.name)) for box in _machines(world)], _address(world, server))


def _machines(world: World) -> list[Box]:
    return [box for box in world.net.boxes.values() if box.role in ("node", "host")]


def _address(world: World, machine: str) -> int:
    """A machine's first address."""
    ns = world.net.spaces[machine]
    return next((a.addr for i in sorted(ns.addresses) for a in ns.addresses[i] if a.scope == "global"), 0)


def _name_servers(world: World, hosts: tuple[HostSpec, ...]) -> None:
    """The machines of a lab with name servers ask these instead of their router."""
    servers = [h.name for h in hosts if any(port == DNS_PORT for _, port in h.listen)]
    if servers:
        text = "".join(f"nameserver {text4(_address(world, name))}\n" for name in servers)
        for box in _machines(world):
            world.do(WriteFile(box=box.name, path="/etc/resolv.conf", text=text))


def _docker(world: World, machine: str, plan: Plan, problems: Problems) -> None:
    """Start dockerd and run what the file asks for, in order."""
    from engine.docker.load import run

    try:
        world.dockers[machine] = run(world.changes(), machine, plan)
    except InputError as error:
        problems.take(error, "")


# ---- the cluster


def _cluster(world: World, spec: Description, seed: int, fabric: Fabric | None) -> Cluster | None:
    """The cluster as kubeadm leaves it; None for a lab without nodes."""
    if not spec.nodes:
        return None
    from engine.kube.cluster import Cluster
    from engine.kube.options import CniOptions, NodeOptions, Options, ProxyOptions

    nodes = tuple(
        NodeOptions(
            name=n.name,
            control_plane=n.control_plane,
            pod_cidr=n.pod_cidr,
            labels=n.labels,
            taints=n.taints,
            images=n.images,
            air_gapped=n.air_gapped,
            sandbox=n.sandbox,
            pause=n.pause,
        )
        for n in spec.nodes
    )
    cni = CniOptions(
        name=spec.cni.name,
        pod_cidr=spec.cni.pod_cidr,
        ip_masq=spec.cni.ip_masq,
        hairpin=spec.cni.hairpin,
        mtu=spec.cni.mtu,
        routes=spec.cni.routes,
        mode=spec.cni.mode,
    )
    options = Options(
        nodes=nodes,
        kubernetes=spec.kubernetes,
        containerd=spec.containerd,
        seed=seed,
        cni=cni,
        service_cidr=spec.service_cidr,
        node_ports=spec.node_ports,
        proxy=ProxyOptions(mode=spec.proxy.mode, config=spec.proxy.config.value if spec.proxy.config else {}),
        addons=spec.addons,
    )
    if spec.proxy.config is not None and spec.proxy.config.value:
        _proxy_config(options, spec.proxy.config)
    with _addons_placed(spec):
        world.cluster = Cluster(options)
    if fabric is not None and _asleep(spec):
        from engine.kube.sleep import lay_down

        lay_down(world.net, world.cluster, fabric)
    with _addons_placed(spec):
        world.settle()
    return world.cluster


@contextmanager
def _addons_placed(spec: Description) -> Iterator[None]:
    """What an addon finds wrong with its settings is said with the file's own place."""
    try:
        yield
    except InputError as error:
        places = {f"addons.{name}": at for (name, _), at in zip(spec.addons, spec.addon_places, strict=True)}
        raise InputError([_placed(p, places) for p in error.problems]) from None


def _placed(problem: Problem, places: Mapping[str, str]) -> Problem:
    head = ".".join(problem.where.split(".")[:2])
    if head not in places:
        return problem
    return replace(problem, where=f"{places[head]}.{problem.where.partition('.')[2]}")


def _proxy_config(options: Options, raw: Raw) -> None:
    """Refuse what kube-proxy would, at its line. Raises InputError."""
    from engine.kube.proxy.config import of_lab

    of_lab(options, lambda path: raw.doc.where((*raw.path, *path.split("."))) if path else raw.where)


def _notes(cluster: Cluster | None) -> tuple[Said, ...]:
    """What was in the manifests and does not act: one sentence each, or one for all of a kind when they are many."""
    if cluster is None:
        return ()
    groups: dict[tuple[str, Said], list[Skipped]] = {}
    for one in cluster.skipped:
        groups.setdefault((one.kind, one.why), []).append(one)
    notes: list[Said] = []
    for (kind, why), rows in groups.items():
        if len(rows) > FEW:
            notes.append(SKIPPED_MANY(count=len(rows), kind=kind, where=plain(rows[0].where), why=why))
        else:
            notes += [SKIPPED(where=plain(r.where), kind=kind, name=r.name, why=why) for r in rows]
    return tuple(notes)
