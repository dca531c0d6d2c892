"""What feeds CoreDNS: its watch of the API, its own check for loops, its reload.

Theory. A CoreDNS with the kubernetes plugin lists and watches through a connection to the API server, from its Pod's
own namespace: to KUBERNETES_SERVICE_HOST, or to the `endpoint` of its Corefile. Once connected it learns every change
while the way there stays; when the way is cut it goes on answering with what it last saw, as a program does whose
watch is broken. Before the first list it answers SERVFAIL for what it does not know, and is not ready.

Rules. The way is tried when something could be learned: at the start, every `RETRY` seconds while it fails, and when
a View is newer and rows of some kernel have changed since the last try. A try costs no virtual time here. Source:
coredns plugin/kubernetes/{controller,setup}.go, plugin/loop, plugin/reload (30 s, give or take a half).
"""

from __future__ import annotations

from typing import NamedTuple

from engine.errors import InputError, NotModelled, OpError
from engine.kube.dns.records import view
from engine.kube.node import NodeState
from engine.kube.passes import Pass
from engine.kube.stirred import cut, notice
from engine.l7.dns import chain, server
from engine.l7.dns.kubernetes import VIEW, Kubernetes, View
from engine.l7.dns.setup import Config
from engine.l7.serve import serve
from engine.linux.addr import ip4
from engine.linux.choose import Seeded
from engine.linux.exchange import tcp_call
from engine.linux.ops import Listen
from engine.linux.ops.box import Tell
from engine.linux.rows import Proc, Socket

#: seconds between tries of a client that cannot list (client-go's reflector backs off; its first steps)
RETRY = 5.0
#: seconds that the plugin waits for its first list (`startup_timeout`)
STARTUP = 5.0
API_PORT = 443


class Tried(NamedTuple):
    """The last try of the way to the API server: when, how long the log of ops was, and whether it came about."""

    when: float
    log: int
    reached: bool


def due_at(at: Pass, node: NodeState, procs: list[Proc]) -> float:
    times = []
    for proc in procs:
        memory = server.memory_of(at.net.boxes[node.name], proc.pid)
        config = memory.get(server.CONFIG)
        if isinstance(config, Config) and config.reload:
            times.append(next_reload(at, proc, memory, config))
        if isinstance(config, Config) and not server.synced(config, memory):
            tried = memory.get("tried")
            times.append((tried.when if isinstance(tried, Tried) else at.now) + RETRY)
    return min(times, default=0.0)


def next_reload(at: Pass, proc: Proc, memory: dict[object, object], config: Config) -> float:
    """When the program next looks at its Corefile, if that has changed: else there is nothing to wake up for."""
    box = at.net.boxes[at.net.spaces[proc.netns].box] if proc.netns in at.net.spaces else None
    settings = dict(proc.config)
    if box is None:
        return float("inf")
    text = server.corefile(box, settings)
    if text is None or text == config.text or memory.get("refused") == text:
        memory.pop("reload", None)
        return float("inf")
    when = memory.get("reload")
    if not isinstance(when, float):
        fraction = at.cluster.ids.fraction(f"reload/{proc.pid}")
        when = at.now + config.reload * (0.5 + fraction)
        memory["reload"] = when
    return when


def one(at: Pass, node: NodeState, proc: Proc) -> None:
    box = at.net.boxes[node.name]
    memory = server.memory_of(box, proc.pid)
    try:
        config = server.running(box, proc)
    except NotModelled:
        return
    if config is None:
        return
    if "checked" not in memory:
        memory["checked"] = True
        if not alone(at, node, proc):
            return
    if config.reload and next_reload(at, proc, memory, config) <= at.now:
        memory.pop("reload", None)
        try:
            if server.reload(box, proc):
                listen(at, node, proc)
        except NotModelled as error:
            tell(at, node, proc, error)
        config = server.running(box, proc) or config
    plugin = next((p for s in config.servers if (p := s.find(Kubernetes)) is not None), None)
    if plugin is not None:
        learn(at, node, proc, plugin, memory)


def tell(at: Pass, node: NodeState, proc: Proc, error: NotModelled) -> None:
    """An event of ours at the program's Pod: its new Corefile cannot be run here, and the old one goes on."""
    row = next((c for c in node.runtime.containers.values() if c.id == proc.container), None)
    sandbox = node.runtime.sandboxes.get(row.sandbox) if row is not None else None
    pod = at.cluster.store.get("Pod", sandbox.namespace, sandbox.pod) if sandbox is not None else None
    if pod is not None:
        at.cluster.note("Corefile", pod, error)


def listen(at: Pass, node: NodeState, proc: Proc) -> None:
    """Open the ports that a new configuration has more; those that it has no more stay, and answer nothing."""
    config = server.running(at.net.boxes[node.name], proc)
    have = {(s.proto, s.port, s.addr) for s in at.net.spaces[proc.netns].sockets if s.pid == proc.pid}
    for proto, port, address in config.listens() if config is not None else ():
        if (proto, port, address) not in have:
            state = "LISTEN" if proto == "tcp" else "UNCONN"
            socket = Socket(
                proto=proto, addr=address, port=port, pid=proc.pid, state=state, fd=30 + port % 100
            )
            try:
                at.changes.do(Listen(netns=proc.netns, socket=socket))
            except OpError:
                continue


def alone(at: Pass, node: NodeState, proc: Proc) -> bool:
    """The loop plugin's check. False: the program has ended itself."""
    clock = at.net.clock
    ended = server.check_loop(at.net, at.net.boxes[node.name], proc, Seeded(proc.pid))
    at.net.clock = clock
    if ended is None:
        return True
    cri = at.cluster.cri(at.changes, node, at.now)
    row = next((c for c in node.runtime.containers.values() if c.id == proc.container), None)
    if row is None:
        return True
    cri.exited(row, ended.code, log=(*row.log, ended.line), when=at.now)
    return False


def learn(at: Pass, node: NodeState, proc: Proc, plugin: Kubernetes, memory: dict[object, object]) -> None:
    """Hand over the newest View if it is newer and the API server can be reached."""
    newest = view(at.cluster, at.now, pods=plugin.pods == "verified")
    have = memory.get(VIEW)
    if have is newest:
        return
    tried = memory.get("tried")
    if not isinstance(have, View):
        if isinstance(tried, Tried) and at.now < tried.when + RETRY:
            return
        again = True
    else:
        again = not isinstance(tried, Tried) or cut(at.cluster, at.changes.log, tried.log)
    reached = reaches(at, proc, plugin) if again else isinstance(tried, Tried) and tried.reached
    memory["tried"] = Tried(at.now, len(at.changes.log), reached)
    if reached:
        at.changes.do(Tell(box=node.name, pid=proc.pid, about=VIEW, what=newest))
        if not isinstance(have, View):
            # /ready says something else from now on: probes ask again
            notice(node, proc.netns, len(at.changes.log))
    elif not isinstance(have, View):
        complain(memory, at.now - proc.started)


def complain(memory: dict[object, object], age: float) -> None:
    """What the program says while it has not seen the cluster: once that it waits, once that it starts all the same."""
    if "waiting" not in memory:
        memory["waiting"] = True
        chain.log(memory, "INFO", "plugin/kubernetes: waiting for Kubernetes API before starting server")
    if age >= STARTUP and "unsynced" not in memory:
        memory["unsynced"] = True
        chain.log(memory, "WARNING", "plugin/kubernetes: starting server with unsynced Kubernetes API")


def reaches(at: Pass, proc: Proc, plugin: Kubernetes) -> bool:
    """Does a connection from the program's namespace to the API server come about?"""
    if not at.cluster.api_up(at.net):
        return False
    if not at.cluster.planes:
        return True
    address, port = api(at, proc, plugin)
    if not address:
        return False
    clock = at.net.clock
    net = at.net.borrowed()
    call = tcp_call(
        net, proc.netns, address, port, choose=Seeded(proc.pid), serve=serve, timeout=0.001, purpose="watch",
        who=proc.comm, stay=True,
    )  # fmt: skip
    at.net.clock = clock
    return call.error == ""


def api(at: Pass, proc: Proc, plugin: Kubernetes) -> tuple[int, int]:
    """Where the program looks for the API server."""
    if plugin.api:
        host, _, number = plugin.api.partition("://")[2].partition(":")
        try:
            return ip4(host), int(number or API_PORT)
        except (InputError, ValueError):
            return 0, 0
    env = {k[4:]: v for k, v in proc.config if k.startswith("env:")}
    host = env.get("KUBERNETES_SERVICE_HOST", "")
    try:
        port = int(env.get("KUBERNETES_SERVICE_PORT", str(API_PORT)))
        return (ip4(host) if host else at.options.service_cidr.addr + 1), port
    except (InputError, ValueError):
        return 0, 0
