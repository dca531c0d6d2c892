"""CoreDNS as a program on sockets: questions by UDP and TCP, /health, /ready, its start and its reload.

Theory. The running configuration is in the process' memory; it is read from the Corefile when the program starts, and
again when `reload` sees a changed file. A question goes to the server block whose zone is the longest suffix of its
name; no zone is REFUSED. What the chain leaves unwritten becomes a message here, and every answer is cut to what the
client takes.

Rules. `start` and `check_loop` say what a start leads to; who runs the process ends it. Nothing here changes rows.
Source: coredns core/dnsserver/server.go, request/request.go (Scrub), plugin/{health,ready,reload}.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Mapping, Sequence

from engine.errors import NotModelled
from engine.l7 import http
from engine.l7.behaviour import SIMPLER, Behaviour
from engine.l7.dns import chain
from engine.l7.dns.chain import Query, Reply, ask
from engine.l7.dns.corefile import CorefileError, parse
from engine.l7.dns.kubernetes import VIEW, Kubernetes
from engine.l7.dns.loop import LOOKING, Loop
from engine.l7.dns.setup import Config, Server, load
from engine.linux.addr import text4
from engine.linux.choose import Choose
from engine.linux.exchange import Answer, Delivery
from engine.linux.net import Net
from engine.linux.packet import Payload
from engine.linux.rows import Box, Proc
from engine.linux.wire import dns
from engine.linux.wire.dns import PLAIN_SIZE, Message
from engine.record import dataclass, replace

CONFIG = "config"
#: (proto, port, address; 0 = any) of each socket
Listens = tuple[tuple[str, int, int], ...]


# ---- a process' files and memory


def path_of(config: Mapping[str, str], path: str) -> str:
    """The machine's path behind a path of the process: the longest mount over it, else its own tree."""
    over = [
        k[6:] for k in config if k.startswith("mount:") and (path == k[6:] or path.startswith(k[6:] + "/"))
    ]
    if over:
        at = max(over, key=len)
        return config[f"mount:{at}"] + path[len(at) :]
    return config.get("rootfs", "") + path


def read_file(box: Box, config: Mapping[str, str], path: str) -> str | None:
    return box.files.get(path_of(config, posixpath.normpath(posixpath.join("/", path))))


def memory_of(box: Box, pid: int) -> dict[object, object]:
    return box.memory.setdefault(pid, {})


def running(box: Box, proc: Proc) -> Config | None:
    """The configuration that a process runs with, read now if it never was; None for one that cannot be used."""
    memory = memory_of(box, proc.pid)
    found = memory.get(CONFIG)
    if isinstance(found, Config):
        return found
    try:
        memory[CONFIG] = config = read_config(box, dict(proc.config))
    except CorefileError:
        return None
    return config


def corefile(box: Box, config: Mapping[str, str]) -> str | None:
    """The text of a process' Corefile; node-cache fills its template in (cmd/node-cache/app/configmap.go)."""
    if "base" in config:
        text = read_file(box, config, config["base"])
        upstream = config.get("upstream", "").replace("-", "_").upper()
        address = config.get(f"env:{upstream}_SERVICE_HOST", "<nil>")
        filled = {
            "__PILLAR__UPSTREAM__SERVERS__": "/etc/resolv.conf", "__PILLAR__CLUSTER__DNS__": address,
            "__PILLAR__LOCAL__DNS__": config.get("localip", "").replace(",", " "), "__PILLAR__DNS__SERVER__": "",
        }  # fmt: skip
        for word, value in filled.items():
            text = text.replace(word, value) if text is not None else None
        return text
    file = config.get("conf", "Corefile")
    return read_file(
        box, config, file if file.startswith("/") else posixpath.join(config.get("workdir", "/"), file)
    )


def read_config(box: Box, config: Mapping[str, str]) -> Config:
    """The Corefile of a process. CorefileError, NotModelled."""
    file = config.get("conf", "Corefile")
    text = corefile(box, config)
    if text is None:
        raise CorefileError(f"loading Caddyfile via flag: open {file}: no such file or directory")
    return loaded(text, file, lambda p: read_file(box, config, p))


#: configurations by Corefile, each with what was read for it; frozen, so that programs of the same files share one
_LOADED: dict[tuple[str, str], tuple[dict[str, str | None], Config]] = {}
MOST = 64


def loaded(text: str, file: str, read: Callable[[str], str | None]) -> Config:
    """`load`, once for the same Corefile and the same other files. CorefileError, NotModelled."""
    known = _LOADED.get((text, file))
    if known is not None and all(read(path) == was for path, was in known[0].items()):
        return known[1]
    seen: dict[str, str | None] = {}

    def reading(path: str) -> str | None:
        seen[path] = read(path)
        return seen[path]

    config = load(text, file, reading)
    if len(_LOADED) >= MOST:
        _LOADED.clear()
    _LOADED[text, file] = (seen, config)
    return config


def banner(config: Config, version: str) -> tuple[str, ...]:
    """What the program prints when it is up."""
    lines = []
    for server in config.servers:
        where = [f" on {text4(a)}" for a in server.bind] or [""]
        lines += [f"{server.zone}:{server.port}{w}" for w in where]
    if config.reload:
        digest = hashlib.sha512(config.text.encode()).hexdigest()
        lines.append(f"[INFO] plugin/reload: Running configuration SHA512 = {digest}")
    return (*lines, f"CoreDNS-{version}", "linux/amd64, go1.25.2, 1db4568")


def start(
    box: Box, what: Behaviour, settings: Sequence[tuple[str, str]], listens: Listens
) -> tuple[Behaviour, Listens]:
    """What really happens when this program starts with the files that it sees: its sockets and its first lines, or
    its end with code 1 and the error."""
    config = {**dict(what.config), **dict(settings)}
    try:
        found = read_config(box, config)
    except CorefileError as error:
        return Behaviour(args=what.args, seconds=0, code=1, log=(str(error),), stream="stderr"), ()
    version = config.get("image", "").rpartition(":")[2].lstrip("v")
    number = version if version[:1].isdigit() else "1.13.1"
    log: tuple[str, ...] = banner(found, number)
    if "base" in config:
        head = (f"[INFO] Starting node-cache image: {number}", "[INFO] Using Corefile /etc/Corefile")
        log = (*head, *banner(found, "1.12.2"))
    opened = found.listens()
    pairs = tuple((proto, port) for proto, port, _ in opened)
    return replace(what, listens=pairs, log=log), opened


# ---- questions


def server_for(config: object, delivery: Delivery, name: str) -> Server | None:
    """The server block for a name on the socket that it came in by."""
    if not isinstance(config, Config):
        return None
    port = delivery.socket.port
    here = [s for s in config.servers if s.port == port and (not s.bind or delivery.local[0] in s.bind)]
    zone = chain.matches(tuple(s.zone for s in here), name.lower())
    return next((s for s in here if s.zone == zone), None)


def answer(delivery: Delivery) -> Answer:
    proc = delivery.proc
    if proc is None:
        return Answer()
    box = delivery.net.boxes[delivery.ns.box]
    config = running(box, proc)
    if config is None:
        return Answer()
    if (
        delivery.socket.proto == "tcp"
        and delivery.request is not None
        and delivery.request.protocol == "http"
    ):
        return web(delivery, config, memory_of(box, proc.pid))
    asked = dns.of(delivery.request)
    if asked is None or asked.response:
        return Answer()
    query = Query(
        delivery=delivery, message=asked, memory=memory_of(box, proc.pid),
        server=Server(zone=".", port=delivery.socket.port, plugins=()),
    )  # fmt: skip
    message = serve_dns(query, config)
    return Answer(payload=sent(message, asked, query.tcp), legs=tuple(query.legs))


def serve_dns(query: Query, config: Config) -> Message:
    """The whole answer to a question."""
    asked = query.message
    server = server_for(config, query.delivery, asked.name)
    if server is None or not server.plugins:
        return asked.reply("REFUSED")
    query.server = server
    reply: Reply = ask(query, server.plugins)
    return reply.message if reply.message is not None else asked.reply(reply.rcode)


def sent(message: Message, asked: Message, tcp: bool) -> Payload:
    """The message as it leaves: with an OPT record for a client that sent one, cut to what the client takes."""
    message = replace(message, id=asked.id, edns=asked.edns)
    room = 65535 if tcp else max(PLAIN_SIZE, asked.edns)
    return message.cut(room).payload(tcp=tcp)


# ---- health and readiness


def synced(config: Config, memory: Mapping[object, object]) -> bool:
    """Has the kubernetes plugin seen the cluster (or is there none)?"""
    return VIEW in memory or not any(s.find(Kubernetes) for s in config.servers)


def web(delivery: Delivery, config: Config, memory: dict[object, object]) -> Answer:
    request = http.parse_request(delivery.request)
    path = request.path if request is not None else ""
    port = delivery.socket.port
    status, body = 404, "404 page not found\n"
    if port == config.health and path == "/health":
        status, body = 200, "OK"
    elif port == config.ready and path == "/ready":
        status, body = (200, "OK") if synced(config, memory) else (503, "kubernetes")
        if status == 503:
            chain.log(memory, "INFO", 'plugin/ready: Plugins not ready: "kubernetes"')
    elif port == config.metrics and path == "/metrics":
        raise NotModelled("CoreDNS /metrics", SIMPLER())
    return Answer(payload=http.respond(status, {"server": ""}, body, now=delivery.net.clock))


# ---- the start


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The program has ended itself: its last line and its exit code."""

    line: str
    code: int = 1


def check_loop(net: Net, box: Box, proc: Proc, choose: Choose) -> Ended | None:
    """The loop plugin's own question, asked once after the start. Ended when it came back."""
    from engine.l7.serve import serve
    from engine.linux.exchange import udp_call

    config = running(box, proc)
    server = next((s for s in config.servers if s.find(Loop)), None) if config is not None else None
    if server is None:
        return None
    memory = memory_of(box, proc.pid)
    zone = "" if server.zone == "." else server.zone
    name = f"{choose.number('loop', 1 << 60, 1 << 62)}.{choose.number('loop', 1 << 60, 1 << 62)}.{zone}"
    memory[LOOKING] = (name, 0, "")
    address = server.bind[0] if server.bind else 127 << 24 | 1
    question = Message(name=name, type="HINFO", id=choose.number("dns id", 1, 0xFFFF))
    udp_call(
        net, proc.netns, address, server.port, choose=choose, request=question.payload(), timeout=0.0, serve=serve,
        purpose="plugin/loop", who=proc.comm,
    )  # fmt: skip
    looking = memory.pop(LOOKING, None)
    fatal = looking[2] if isinstance(looking, tuple) else ""
    return Ended(line=f"[FATAL] {fatal}") if fatal else None


def reload(box: Box, proc: Proc) -> bool:
    """What `reload` does when its interval is over: run with the changed Corefile, or keep the old one and say why.
    True when the sockets may have changed. NotModelled once for a Corefile that is not modelled; the old one stays."""
    memory = memory_of(box, proc.pid)
    old = memory.get(CONFIG)
    if not isinstance(old, Config):
        return False
    config = dict(proc.config)
    text = corefile(box, config)
    if text is None or text == old.text or memory.get("refused") == text:
        return False
    file = config.get("conf", "Corefile")
    try:
        parse(text, file, lambda p: read_file(box, config, p), any_name=True)
    except CorefileError as error:
        memory["refused"] = text
        chain.log(memory, "WARNING", f"plugin/reload: Corefile parse failed: {error}")
        return False
    chain.log(memory, "INFO", "Reloading")
    try:
        new = read_config(box, config)
    except CorefileError as error:
        memory["refused"] = text
        why = f"starting with listener file descriptors: {error}"
        chain.log(memory, "ERROR", f"Restart failed: {why}")
        chain.log(memory, "ERROR", f"plugin/reload: Corefile changed but reload failed: {why}")
        return False
    except NotModelled:
        memory["refused"] = text
        raise
    if old.lameduck:
        span = f"{old.lameduck:g}s"
        chain.log(memory, "INFO", f"plugin/health: Going into lameduck mode for {span}")
    for key in [k for k in memory if isinstance(k, tuple)]:
        del memory[key]
    memory[CONFIG] = new
    memory.pop("refused", None)
    digest = hashlib.sha512(new.text.encode()).hexdigest()
    chain.log(memory, "INFO", f"plugin/reload: Running configuration SHA512 = {digest}")
    chain.log(memory, "INFO", "Reloading complete")
    return new.listens() != old.listens()
