"""Description -> World: the fabric, the cluster, the docker daemons, listening programs, faults.

Rules. Everything is made by the parts that make it in a real lab: the fabric plugs machines together, dockerd
runs containers, the cluster's controllers start Pods. A part's errors are kept with the place in the lab file.
"""

from __future__ import annotations

from engine.fabric.plan import Machine, build_fabric
from engine.lab.describe import Description, HostSpec
from engine.lab.reader import Problems
from engine.lab.source import Source
from engine.linux.choose import Seeded
from engine.linux.net import Net
from engine.linux.ops import Listen, StartProc
from engine.linux.rows import Socket
from engine.say import Said
from engine.shell.world import World


def build(source: Source, *, seed: int, lang: str) -> tuple[World, tuple[Said, ...]]:
    """The world of a lab and what a person should know about it. Raises InputError."""
    spec = source.description
    problems = Problems()
    world = World(net=Net(), choose=Seeded(seed), lang=lang)
    changes = world.changes()
    build_fabric(changes, machines(spec), kind=spec.fabric)
    for host in spec.hosts:
        _listen(world, host)
    problems.raise_any()
    return world, ()


def machines(spec: Description) -> list[Machine]:
    """The machines in the fabric's words, nodes first."""
    nodes = [Machine(name=n.name, role="node", addresses=n.addresses, where=n.where) for n in spec.nodes]
    hosts = [Machine(name=h.name, role="host", addresses=h.addresses, where=h.where) for h in spec.hosts]
    return nodes + hosts


def _listen(world: World, host: HostSpec) -> None:
    """A program on each port of `listen`: http for tcp, echo for udp."""
    for proto, port in host.listen:
        program = "http" if proto == "tcp" else "echo"
        args = ("python3", "-m", "http.server", str(port)) if proto == "tcp" else ("ncat", "-lu", str(port))
        box = world.net.boxes[host.name]
        before = set(box.procs)
        world.do(
            StartProc(
                box=host.name, args=args, netns=host.name, program=program, config=(("name", host.name),)
            )
        )
        (pid,) = set(box.procs) - before
        state = "LISTEN" if proto == "tcp" else "UNCONN"
        world.do(Listen(netns=host.name, socket=Socket(proto=proto, addr=0, port=port, pid=pid, state=state)))
