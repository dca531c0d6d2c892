"""Asking a container how it is: a GET, a connection, or a command, from where kubelet stands.

Theory. httpGet and tcpSocket are packets from the node's own namespace to the pod's address: they meet the node's
rules, the pod's, and the program. exec is a command in the container's own place. Texts are kubelet's own, which are
Go's. Sources: pkg/probe/{http,tcp,exec}, pkg/kubelet/prober/prober.go.

Rules. Packets are sent on a copy of the machines, so that asking leaves no connection and moves no counter. A command
is run in the lab itself, as it may write files; it takes no time.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urljoin, urlsplit

from engine.errors import NotModelled
from engine.kube import probes, stirred
from engine.kube.objects import Json, meta, spec_of
from engine.kube.probes import KINDS, LIVENESS, READINESS, STARTUP, Answer, Worker
from engine.kube.runtime import Container, Sandbox
from engine.kube.sync import Sync
from engine.l7.behave import FOREVER, Behaviour, behave
from engine.l7.http import Request, parse_response
from engine.l7.serve import serve
from engine.linux.addr import ip4
from engine.linux.choose import Seeded
from engine.linux.exchange import Call, tcp_call
from engine.linux.packet import Payload
from engine.record import replace
from engine.say import Phrase

GRPC = Phrase(en="Use httpGet, tcpSocket or exec.", ko="httpGet, tcpSocket, exec 중 하나를 쓰십시오.")
WORDS = {STARTUP: "Startup", LIVENESS: "Liveness", READINESS: "Readiness"}
#: How Go words what connect(2) says.
ERRNO = {
    "ECONNREFUSED": "connection refused", "EHOSTUNREACH": "no route to host", "ENETUNREACH": "network is unreachable",
    "EPERM": "operation not permitted", "EACCES": "permission denied", "EINVAL": "invalid argument",
    "ENOPROTOOPT": "protocol not available", "ECONNRESET": "connection reset by peer",
}  # fmt: skip
DEADLINE = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
#: Redirects that the client follows.
REDIRECTS = 10


def sync(s: Sync, pod: Json, sandbox: Sandbox) -> None:
    """Every tick of a pod's probes that has come up to now."""
    uid = str(meta(pod)["uid"])
    for container in spec_of(pod)["containers"]:
        kinds = [kind for kind in KINDS if container.get(f"{kind}Probe")]
        if not kinds:
            continue
        rows = [c for c in s.node.runtime.containers_in(sandbox.id) if c.name == container["name"]]
        row = max(rows, key=lambda c: c.attempt, default=None)
        if row is None or row.state != "running":
            continue
        for kind in kinds:
            ticks(s, pod, sandbox, container, row, kind, f"{uid}/{container['name']}")


def ticks(s: Sync, pod: Json, sandbox: Sandbox, container: Json, row: Container, kind: str, key: str) -> None:
    """One worker up to now."""
    probe, table = container[f"{kind}Probe"], s.node.probes
    name = f"{key}/{kind}"
    worker = table.get(name)
    if worker is None or worker.container != row.id:
        began = row.started if worker is None else worker.began
        worker = Worker(container=row.id, began=began, started=row.started, done=row.started)
        if kind == READINESS and not container.get("startupProbe"):
            worker = replace(worker, at_once=row.started)
    if "deletionTimestamp" in meta(pod) and kind != READINESS:
        worker = replace(worker, hold=True)
    around = stirred.since(s.node.stirred, sandbox.netns)
    while True:
        free = probes.free_since(table, key, container, kind, row.started)
        at = probes.next_tick(worker, probe, free)
        if at > s.now:
            break
        if worker.answer is None or probes.touched(worker, probe, around, s.changes.log):
            answer = ask(s, pod, sandbox, container, row, kind)
            worker = replace(worker, answer=answer, asked=len(s.changes.log))
        worker = count(s, pod, container, kind, worker, at)
        table[name] = worker
    table[name] = worker
    startup_over = kind == STARTUP and worker.result is True and container.get("readinessProbe")
    if startup_over and (waiting := table.get(f"{key}/{READINESS}")) is not None and waiting.answer is None:
        table[f"{key}/{READINESS}"] = replace(waiting, at_once=worker.done)
    elif startup_over and waiting is None:
        fresh = Worker(container=row.id, began=worker.began, started=row.started, done=row.started)
        table[f"{key}/{READINESS}"] = replace(fresh, at_once=worker.done)


def count(s: Sync, pod: Json, container: Json, kind: str, worker: Worker, at: float) -> Worker:
    """The worker after one more answer; what kubelet says of it is recorded."""
    answer = worker.answer
    assert answer is not None
    worker = replace(worker, done=max(worker.done, at), at_once=FOREVER)
    if answer.good is None:
        text = f"{WORDS[kind]} probe errored and resulted in unknown state: {answer.text}"
    else:
        text = f"{WORDS[kind]} probe failed: {answer.text}"
        worker = probes.counted(worker, container[f"{kind}Probe"], kind, answer.good)
    if not answer.good:
        s.event(pod, "Warning", "Unhealthy", text, str(container["name"]), at=at)
    return worker


# ---- one question


def ask(s: Sync, pod: Json, sandbox: Sandbox, container: Json, row: Container, kind: str) -> Answer:
    """Carry out one probe now."""
    probe = container[f"{kind}Probe"]
    ip = s.node_ip if sandbox.host_network else sandbox.ip
    limit = float(probe.get("timeoutSeconds") or 1)
    try:
        if probe.get("httpGet"):
            return http_get(s, probe["httpGet"], container, ip, limit)
        if probe.get("tcpSocket"):
            return tcp_socket(s, probe["tcpSocket"], container, ip, limit)
        if probe.get("exec"):
            return command(s, probe["exec"], row, limit)
        raise NotModelled(f"{kind}Probe.grpc", GRPC())
    except NotModelled as error:
        s.note(f"spec.containers[{container['name']}].{kind}Probe", pod, error)
        return Answer(good=None, text=error.text("en").strip())


def port_number(port: object, container: Json) -> int | str:
    """A number, or Go's words when a name is not among the container's ports (probe.ResolveContainerPort)."""
    if isinstance(port, int):
        return port
    for row in container.get("ports") or ():
        if row.get("name") == port:
            return int(row["containerPort"])
    return int(str(port)) if str(port).isdigit() else f'strconv.Atoi: parsing "{port}": invalid syntax'


def connect(s: Sync, host: str, port: int, limit: float, request: Payload | None) -> Call:
    """A connection from the node, on a copy of everything."""
    net = s.changes.net.borrowed()
    return tcp_call(
        net, s.node.name, ip4(host), port, choose=Seeded(port), request=request, timeout=limit, serve=serve,
        purpose="probe", who="kubelet", brief=True,
    )  # fmt: skip


def is_ip4(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 4
    except ValueError:
        return False


def tcp_socket(s: Sync, what: Json, container: Json, ip: str, limit: float) -> Answer:
    host, port = str(what.get("host") or ip), port_number(what.get("port"), container)
    if isinstance(port, str):
        return Answer(good=None, text=port)
    if not is_ip4(host):
        raise NotModelled(f"tcpSocket.host: {host}")
    call = connect(s, host, port, limit, None)
    if not call.error and call.server is not None:
        return Answer(good=True)
    return Answer(good=False, text=dial_error(call, host, port, limit))


def dial_error(call: Call, host: str, port: int, limit: float) -> str:
    """What Go's net.Dial says."""
    if call.error in ERRNO and call.seconds <= limit:
        return f"dial tcp {host}:{port}: connect: {ERRNO[call.error]}"
    return f"dial tcp {host}:{port}: i/o timeout"


def http_get(s: Sync, what: Json, container: Json, ip: str, limit: float) -> Answer:
    """DoHTTPProbe: 200 to 399 is good; redirects to the same host are followed."""
    host, port = str(what.get("host") or ip), port_number(what.get("port"), container)
    if isinstance(port, str):
        return Answer(good=None, text=port)
    if not is_ip4(host):
        raise NotModelled(f"httpGet.host: {host}")
    scheme = str(what.get("scheme") or "HTTP").lower()
    url = f"{scheme}://{host}:{port}/{str(what.get('path') or '').lstrip('/')}"
    given = tuple((str(h["name"]), str(h.get("value", ""))) for h in what.get("httpHeaders") or ())
    for _ in range(REDIRECTS):
        answer, onward = one_get(s, url, given, limit)
        if not onward:
            return answer
        url = onward
    return Answer(good=False, text=f'Get "{url}": stopped after {REDIRECTS} redirects')


def one_get(s: Sync, url: str, given: tuple[tuple[str, str], ...], limit: float) -> tuple[Answer, str]:
    """One request, and where it is sent on to ("" = nowhere)."""
    at = urlsplit(url)
    host, port = str(at.hostname), at.port or (443 if at.scheme == "https" else 80)
    names = {k.lower() for k, _ in given}
    own = (("Host", f"{host}:{port}"), ("User-Agent", f"kube-probe/1.{s.minor}"), ("Accept", "*/*"),
           ("Connection", "close"))  # fmt: skip
    path = (at.path or "/") + (f"?{at.query}" if at.query else "")
    request = Request(
        method="GET", path=path, headers=(*(h for h in own if h[0].lower() not in names), *given)
    )
    call = connect(s, host, port, limit, request.payload())
    response = parse_response(call.response)
    if call.error in ERRNO and call.seconds <= limit:
        return failed(url, f"dial tcp {host}:{port}: connect: {ERRNO[call.error]}"), ""
    if call.error or call.seconds > limit:
        return failed(url, DEADLINE), ""
    if call.response is None:
        silent = call.server is not None and at.scheme == "http"
        return failed(url, "EOF" if silent else DEADLINE), ""
    if at.scheme == "https":
        return failed(url, "http: server gave HTTP response to HTTPS client"), ""
    if response is None:
        first = call.response.text.splitlines()[:1] or [""]
        text = f'net/http: HTTP/1.x transport connection broken: malformed HTTP response "{first[0]}"'
        return failed(url, text), ""
    onward = response.header("Location") if response.status in (301, 302, 303, 307, 308) else ""
    if onward and urlsplit(urljoin(url, onward)).hostname == host:
        return Answer(good=True), urljoin(url, onward)
    if 200 <= response.status < 400:
        return Answer(good=True), ""
    return Answer(good=False, text=f"HTTP probe failed with statuscode: {response.status}"), ""


def failed(url: str, why: str) -> Answer:
    return Answer(good=False, text=f'Get "{url}": {why}')


def command(s: Sync, what: Json, row: Container, limit: float) -> Answer:
    """An exec probe: exit code 0 is good, else what the command wrote is said."""
    words = tuple(str(w) for w in what.get("command") or ())
    took, code, text = run(s, row, words)
    if took > limit:
        said = " ".join(words)
        return Answer(good=False, text=f'command timed out: "{said}" timed out after {int(limit)}s')
    if code is None:
        return Answer(good=None, text=text)
    return Answer(good=code == 0, text="" if code == 0 else text)


def run(s: Sync, row: Container, words: tuple[str, ...]) -> tuple[float, int | None, str]:
    """A command in a running container: the seconds it takes, its exit code (None: it cannot be started, and the text
    is the runtime's error), what it wrote."""
    proc = s.cri.box.procs.get(row.pid)
    env = {k[4:]: v for k, v in proc.config if k.startswith("env:")} if proc is not None else {}
    what = behave(row.image, words, env=env)
    if what.missing:
        head = "rpc error: code = Unknown desc = failed to exec in container: failed to start exec"
        id = s.ids.hex(f"exec/{row.id}", 64)
        why = "no such file or directory" if "/" in what.missing else "executable file not found in $PATH"
        if "/" in what.missing:
            why = f"stat {what.missing}: {why}"
        error = "OCI runtime exec failed: exec failed: unable to start container process"
        return 0.0, None, f'{head} "{id}": {error}: exec: "{what.missing}": {why}: unknown'
    if not what.tool:
        return what.seconds, what.code, "\n".join(what.log)
    if s.tools is None:
        raise NotModelled(" ".join(words))
    clock = s.changes.net.clock
    lines, code = s.tools(s.cri, row, Behaviour(args=words, tool=True, seconds=0))
    took = s.changes.net.clock - clock
    s.changes.net.clock = clock
    return took, code, "\n".join(lines)


__all__ = ["ask", "run", "sync"]
