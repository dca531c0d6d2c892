"""Where a shell stands: a Spot, and how the names of terminals become one.

Theory. A shell is a process: it has a network namespace, a pid namespace, a tree of files and a host name, each
its own choice. On a node all are the machine's; in a container all are the container's; `nsenter -t PID -n` mixes
them. A Spot holds exactly these choices, frozen.

Rules. What a container is (its tree, its mounts, its image) is read from its process's configuration, which
the runtime wrote: `rootfs` (the folder of its tree on the machine), `mount:PATH` (a file of the machine shown at
PATH), `hostname`, `image`, `name`, `env:NAME`. Nobody else keeps a second truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.l7.images import tools_of
from engine.linux.net import Netns
from engine.linux.rows import Box, Proc
from engine.record import dataclass, replace
from engine.say import Phrase, plain

if TYPE_CHECKING:
    from engine.shell.world import World

NO_PLACE = Phrase(
    en="there is no place called {name!r} here; the places are: {places}",
    ko="{name!r}(이)라는 곳이 없습니다. 있는 곳: {places}",
)
GONE = Phrase(
    en="{name} is not running any more, so its shell has ended",
    ko="{name}이(가) 더 이상 실행 중이 아니어서 그 안의 셸이 끝났습니다",
)
RENEWED = Phrase(
    en="{name} was started anew; this is a new shell in it",
    ko="{name}이(가) 새로 시작되었습니다. 그 안의 새 셸입니다",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """`netns` is an id in the Net; `pid` the process whose pid namespace and life the shell shares (1 on a machine);
    `root` and `mounts` say which of the machine's files are seen; `tools` None = the machine's own tools;
    `image` whose
    files lie under the container's own; `ends` the process that ends with the shell (`unshare`), 0 for none;
    `after` a line that the outer shell runs when this one ends."""

    name: str
    box: str
    netns: str
    pid: int = 1
    root: str = ""
    mounts: tuple[tuple[str, str], ...] = ()
    hostname: str = ""
    tools: frozenset[str] | None = None
    env: tuple[tuple[str, str], ...] = ()
    container: str = ""
    user: str = "root"
    image: str = ""
    ends: int = 0
    after: str = ""

    @property
    def contained(self) -> bool:
        """Does the shell see a container's files (and so its tools)?"""
        return self.tools is not None

    def moved(self, netns: str) -> Spot:
        """The same shell in another network namespace (`ip netns exec`, `nsenter -n`)."""
        return replace(self, netns=netns)


def machine(box: Box) -> Spot:
    """The machine's own shell."""
    kind = "node" if box.role == "node" else "host"
    return Spot(name=f"{kind}/{box.name}", box=box.name, netns=box.name, hostname=box.name)


def inside(box: Box, proc: Proc, name: str) -> Spot:
    """A shell beside `proc`, sharing all of its namespaces: what `docker exec` and `kubectl exec` open."""

    config = dict(proc.config)
    return Spot(
        name=name,
        box=box.name,
        netns=proc.netns,
        pid=proc.pid,
        root=config.get("rootfs", ""),
        mounts=tuple((k[6:], v) for k, v in proc.config if k.startswith("mount:")),
        hostname=config.get("hostname", box.name),
        tools=tools_of(config.get("image", "")),
        env=tuple((k[4:], v) for k, v in proc.config if k.startswith("env:")),
        container=proc.container,
        user=proc.user,
        image=config.get("image", ""),
    )


def container_procs(world: World, ns: Netns) -> list[Proc]:
    """First processes of the containers in a namespace, the pause process left out, by pid."""
    procs = world.net.boxes[ns.box].procs.values()
    return sorted(
        (p for p in procs if p.netns == ns.id and p.container and p.program != "pause" and p.nspid >= 1),
        key=lambda p: p.pid,
    )


def places(world: World) -> list[str]:
    """Every terminal, machines first."""
    out = [machine(b).name for b in world.net.boxes.values() if b.role in ("node", "host")]
    seen: set[str] = set()
    if world.net.asleep is not None:
        out += [f"node/{name}" for name in world.net.asleep.machines]
    for box in world.net.boxes.values():
        for proc in sorted(box.procs.values(), key=lambda p: p.pid):
            name = place_of(box, proc)
            if name and name not in seen:
                seen.add(name)
                out.append(name)
    if world.net.asleep is not None and world.cluster is not None:
        out += [name for name in world.cluster.dreamt() if name not in seen]
    return out


def place_of(box: Box, proc: Proc) -> str:
    """The terminal's name for a container's process: its `place` in the runtime's words, or ""."""
    if not proc.container or proc.program == "pause":
        return ""
    return dict(proc.config).get("place", "")


def resolve(world: World, name: str) -> Spot:
    """The Spot of a terminal's name; bare machine names work. Raises EngineError with the places that exist."""
    net = world.net
    kind, _, rest = name.partition("/")
    if name in net.boxes and net.boxes[name].role in ("node", "host"):
        return machine(net.boxes[name])
    if kind in ("node", "host") and rest in net.boxes and machine(net.boxes[rest]).name == name:
        return machine(net.boxes[rest])
    if kind == "pod" and rest.count("/") == 0:
        name = f"pod/default/{rest}"
    if kind == "pod" and net.asleep is not None and world.cluster is not None:
        _, namespace, pod, *_ = name.split("/")
        body = world.cluster.store.get("Pod", namespace, pod)
        if body is not None:
            world.node(str(body["spec"].get("nodeName") or ""))
    for box in net.boxes.values():
        for proc in sorted(box.procs.values(), key=lambda p: p.pid):
            full = place_of(box, proc)
            if full and (full == name or (kind == "pod" and full.startswith(name + "/"))):
                return inside(box, proc, name)
    raise EngineError(NO_PLACE(name=name, places=plain(", ".join(places(world)))))
