"""crictl: the CRI seen from a node, as kubelet sees it (kubernetes-sigs/cri-tools).

Rules. It talks to containerd of its own machine, namespace k8s.io. What it changes is changed behind kubelet's back:
kubelet notices and repairs. Columns are Go's tabwriter with minimum 20 and padding 3 (cmd/crictl/display.go).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from engine.kube.clock import ago, nano_stamp
from engine.kube.cluster import Cluster
from engine.kube.containerd import CRI_STATE, Containerd, CriError, by_prefix
from engine.kube.node import NodeState
from engine.kube.objects import Json
from engine.kube.registry import PullError
from engine.kube.runtime import Container, Sandbox, StoredImage
from engine.l7.images import ReferenceError_, normal, parse
from engine.say import Phrase
from engine.shell.place import Spot, inside
from engine.shell.tool import Context, Fail, Out, Tool
from engine.shell.tools.kubectl_.flags import Flag, Line, flag, refused, switch
from engine.shell.tools.kubectl_.flags import parse as parse_flags
from engine.shell.tools.kubectl_.output import to_json, to_yaml
from engine.shell.tools.kubectl_.table import table
from engine.shell.world import World

SOCKET = "unix:///run/containerd/containerd.sock"
LIST = (
    switch("quiet", "q"), flag("output", "o"), flag("label"), flag("name"), flag("namespace"), flag("state", "s"),
    switch("no-trunc"), switch("verbose", "v"), flag("id"), switch("latest", "l"), flag("last", "n"),
    switch("all", "a"),
    flag("pod", "p"), flag("image"), switch("digests"), switch("resolve-image-path", "r"),
    refused("watch", "w"), switch("pinned"),
)  # fmt: skip
DO = (
    switch("force", "f"),
    switch("all", "a"),
    flag("timeout", "t"),
    flag("output", "o"),
    switch("quiet", "q"),
)
LOGS = (
    flag("tail"), refused("follow", "f"), switch("timestamps", "t"), switch("previous", "p"),
    refused("since", value=True),
)  # fmt: skip
EXEC = (
    switch("interactive", "i"),
    switch("tty", "t"),
    flag("timeout"),
    switch("sync", "s"),
    flag("transport"),
)


class Crictl:
    """One call: its context, its node, containerd as it is now."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        cluster, node = of(ctx)
        self.cluster: Cluster = cluster
        self.node: NodeState = node
        self.cri: Containerd = cluster.cri(ctx.world.changes(), node, ctx.net.clock)
        self.cri.observe()

    @property
    def sandboxes(self) -> dict[str, Sandbox]:
        return self.node.runtime.sandboxes

    @property
    def containers(self) -> dict[str, Container]:
        return self.node.runtime.containers

    def sandbox(self, word: str, doing: str = "getting the status of") -> Sandbox:
        """By the beginning of its id."""
        found = by_prefix(dict(self.sandboxes), word)
        if len(found) > 1:
            raise Fail(fatal(f"multiple IDs found with provided prefix: {word}"))
        if not found:
            why = "rpc error: code = NotFound desc = an error occurred when try to find sandbox: not found"
            raise Fail(fatal(f'{doing} the pod sandbox "{word}": {why}'))
        return self.sandboxes[found[0]]

    def container(self, word: str, doing: str = "getting the status of") -> Container:
        found = by_prefix(dict(self.containers), word)
        if len(found) > 1:
            raise Fail(fatal(f"multiple IDs found with provided prefix: {word}"))
        if not found:
            why = f'rpc error: code = NotFound desc = an error occurred when try to find container "{word}": not found'
            raise Fail(fatal(f'{doing} the container "{word}": {why}'))
        return self.containers[found[0]]


def fatal(text: str) -> str:
    return f"FATA[0000] {text}"


def of(ctx: Context) -> tuple[Cluster, NodeState]:
    """The cluster and this machine's node. Fail as crictl does when no runtime answers."""
    cluster = ctx.world.cluster
    node = cluster.nodes.get(ctx.spot.box) if cluster is not None else None
    if cluster is None or node is None or node.procs.get("containerd", 0) not in ctx.box.procs:
        raise Fail(
            fatal(
                f'validate service connection: validate CRI v1 runtime API for endpoint "{SOCKET}": rpc error: code = '
                'Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix '
                '/run/containerd/containerd.sock: connect: no such file or directory"'
            )
        )
    return cluster, node


def columns(rows: list[list[str]]) -> str:
    return table(rows, minimum=20, padding=3)


def short(id: str, line: Line | None = None) -> str:
    full = line is not None and line.on("no-trunc")
    return id if full else id.removeprefix("sha256:")[:13]


def formatted(line: Line, body: Json) -> str | None:
    """-o json and yaml; None for the table."""
    word = line.get("output", "table")
    if word == "json":
        return to_json(body).replace("    ", "  ")
    if word == "yaml":
        return to_yaml(body)
    if word in ("table", ""):
        return None
    raise Fail(fatal(f'unsupported output format "{word}"'))


# ---- lists


def pods(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("pods", argv, LIST)
    rows = sorted(c.sandboxes.values(), key=lambda s: (-s.created, s.namespace, s.pod))
    rows = [s for s in rows if wanted_pod(s, line)]
    if line.on("quiet"):
        return Out(stdout="".join(s.id + "\n" for s in rows))
    body = {"items": [sandbox_row(s) for s in rows]}
    if (text := formatted(line, body)) is not None:
        return Out(stdout=text)
    head = ["POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME"]
    cells = [
        [short(s.id, line), ago(c.ctx.net.clock - s.created), "Ready" if s.ready else "NotReady", s.pod, s.namespace,
         str(s.attempt), "(default)"] for s in rows
    ]  # fmt: skip
    return Out(stdout=columns([head, *cells]))


def wanted_pod(s: Sandbox, line: Line) -> bool:
    state = line.get("state").lower()
    return (
        (not line.get("name") or line.get("name") in s.pod)
        and (not line.get("namespace") or line.get("namespace") == s.namespace)
        and (not line.get("id") or s.id.startswith(line.get("id")))
        and (not state or (state == "ready") == s.ready)
    )


def sandbox_row(s: Sandbox) -> Json:
    return {
        "annotations": {}, "createdAt": str(int(s.created * 1e9)), "id": s.id,
        "labels": {"io.kubernetes.pod.name": s.pod, "io.kubernetes.pod.namespace": s.namespace,
                   "io.kubernetes.pod.uid": s.uid},
        "metadata": {"attempt": s.attempt, "name": s.pod, "namespace": s.namespace, "uid": s.uid},
        "runtimeHandler": "", "state": state_word(s),
    }  # fmt: skip


def state_word(s: Sandbox) -> str:
    return "SANDBOX_READY" if s.ready else "SANDBOX_NOTREADY"


def ps(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("ps", argv, LIST)
    rows = sorted(c.containers.values(), key=lambda x: (-x.created, x.name))
    everything = line.on("all") or bool(line.get("state"))
    rows = [x for x in rows if everything or x.state == "running"]
    rows = [x for x in rows if wanted_container(c, x, line)]
    if line.on("quiet"):
        return Out(stdout="".join(x.id + "\n" for x in rows))
    body = {"containers": [container_row(c, x) for x in rows]}
    if (text := formatted(line, body)) is not None:
        return Out(stdout=text)
    head = ["CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD", "NAMESPACE"]
    cells = []
    for x in rows:
        s = c.sandboxes.get(x.sandbox)
        cells.append(
            [short(x.id, line), short(x.image_id), ago(c.ctx.net.clock - x.created), x.state.capitalize(), x.name,
             str(x.attempt), short(x.sandbox), s.pod if s else "unknown", s.namespace if s else "unknown"]
        )  # fmt: skip
    return Out(stdout=columns([head, *cells]))


def wanted_container(c: Crictl, x: Container, line: Line) -> bool:
    state = line.get("state").lower()
    return (
        (not line.get("name") or line.get("name") in x.name)
        and (not line.get("pod") or x.sandbox.startswith(line.get("pod")))
        and (not line.get("id") or x.id.startswith(line.get("id")))
        and (not line.get("namespace") or c.sandboxes[x.sandbox].namespace == line.get("namespace"))
        and (not state or state == x.state)
        and (not line.get("image") or line.get("image") in x.image)
    )


def container_row(c: Crictl, x: Container) -> Json:
    return {
        "createdAt": str(int(x.created * 1e9)), "id": x.id,
        "image": {"image": x.image_id, "userSpecifiedImage": x.image},
        "imageRef": x.image_id, "labels": {"io.kubernetes.container.name": x.name},
        "metadata": {"attempt": x.attempt, "name": x.name}, "podSandboxId": x.sandbox,
        "state": f"CONTAINER_{x.state.upper()}",
    }  # fmt: skip


#: The namespaces that a container shares with its sandbox: the name in /proc and the one in the OCI specification.
SHARED = (("ipc", "ipc"), ("uts", "uts"), ("net", "network"))


def human(size: int) -> str:
    """go-units HumanSizeWithPrecision(size, 3): 72.1MB, 320kB."""
    value, units = float(size), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.3g}{units[0]}"


def images(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("images", argv, LIST)
    rows = stored(c, line.words)
    if line.on("quiet"):
        return Out(stdout="".join(i.id + "\n" for i in rows))
    body = {"images": [image_row(i) for i in rows]}
    if (text := formatted(line, body)) is not None:
        return Out(stdout=text)
    pinned = line.on("pinned")
    head = [
        "IMAGE",
        "TAG",
        *(["DIGEST"] if line.on("digests") else []),
        "IMAGE ID",
        "SIZE",
        *(["PINNED"] if pinned else []),
    ]
    cells = []
    for i in rows:
        ref = parse(i.name)
        digest = [short(i.digest)] if line.on("digests") else []
        size = human(i.size * 4 // 10)
        cells.append(
            [
                ref.repository,
                ref.tag or "<none>",
                *digest,
                short(i.id, line),
                size,
                *([str(i.pinned).lower()] if pinned else []),
            ]
        )
    return Out(stdout=columns([head, *cells]))


def stored(c: Crictl, words: Iterable[str]) -> list[StoredImage]:
    """The images of namespace k8s.io, of one name when it is given."""
    rows = sorted(c.node.runtime.images.get("k8s.io", {}).values(), key=lambda i: i.name)
    for word in words:
        try:
            full = normal(word)
        except ReferenceError_:
            return []
        rows = [
            i
            for i in rows
            if i.name == full or (":" not in word and parse(i.name).repository == parse(word).repository)
        ]
    return rows


def image_row(i: StoredImage) -> Json:
    return {
        "id": i.id, "pinned": i.pinned, "repoDigests": [f"{parse(i.name).repository}@{i.digest}"],
        "repoTags": [i.name], "size": str(i.size * 4 // 10), "spec": None, "uid": None, "username": "",
    }  # fmt: skip


def pull(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("pull", argv, (flag("creds"), flag("auth"), refused("pod-config", value=True)))
    if len(line.words) != 1:
        raise Fail(fatal("incorrect usage: pull requires exactly 1 argument"))
    try:
        image = c.cri.puller.pull(line.words[0], c.ctx.net.clock)
    except PullError as error:
        raise Fail(fatal(f"pulling image: rpc error: code = {error.code} desc = {error.text}")) from None
    except ReferenceError_ as error:
        why = error.tool_text
        raise Fail(
            fatal(
                "pulling image: rpc error: code = Unknown desc = failed to parse image reference "
                f'"{line.words[0]}": {why}'
            )
        ) from None
    if c.node.runtime.pause and image.name == normal(c.node.runtime.pause):
        image = replace(image, pinned=True)
    c.node.runtime.store_image(image)
    c.cluster.wake()
    c.ctx.world.settle()
    return Out(stdout=f"Image is up to date for {image.id}\n")


def rmi(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("rmi", argv, (switch("all", "a"), switch("prune", "q"), switch("quiet")))
    if not line.words:
        raise Fail(fatal("ID cannot be empty"))
    out = ""
    for word in line.words:
        rows = stored(c, [word]) or [
            i for i in stored(c, ()) if i.id.removeprefix("sha256:").startswith(word)
        ]
        if not rows:
            raise Fail(f"ERRO[0000] no such image {word}\n" + fatal("unable to remove the image(s)"))
        for image in rows:
            del c.node.runtime.images["k8s.io"][image.name]
            out += f"Deleted: {image.name}\n"
    return Out(stdout=out)


# ---- one object


def inspectp(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags(
        "inspectp", argv, (flag("output", "o"), flag("name"), flag("id"), switch("quiet", "q"))
    )
    if not line.words:
        raise Fail(fatal("ID cannot be empty"))
    bodies = [sandbox_json(c, c.sandbox(w)) for w in line.words]
    return Out(
        stdout="".join(
            to_yaml(b) if line.get("output") == "yaml" else to_json(b).replace("    ", "  ") for b in bodies
        )
    )


def sandbox_json(c: Crictl, s: Sandbox) -> Json:
    """facts 10 section 3.5: status and info of a sandbox."""
    network = "NODE" if s.host_network else "POD"
    spaces: list[Json] = [{"type": t} for t in ("pid", "ipc", "uts", "mount")]
    if s.netns_name:
        spaces.append({"type": "network", "path": s.path})
    status: Json = {
        "annotations": {}, "createdAt": nano_stamp(s.created), "id": s.id,
        "labels": sandbox_row(s)["labels"],
        "linux": {"namespaces": {"options": {"ipc": "POD", "network": network, "pid": "CONTAINER", "targetId": ""}}},
        "metadata": sandbox_row(s)["metadata"],
        "network": {"additionalIps": [], "ip": s.ip if s.ready else ""},
        "runtimeHandler": "", "state": state_word(s),
    }  # fmt: skip
    info: Json = {
        "image": s.image, "netNamespaceClosed": bool(s.netns_name) and s.netns_name not in c.ctx.box.netns_names,
        "pid": s.pid, "runtimeHandler": "", "runtimeType": "io.containerd.runc.v2",
        "runtimeSpec": {"hostname": s.pod, "linux": {"namespaces": spaces}, "process": {"args": ["/pause"]}},
        "sandboxMetadata": {"ID": s.id, "IP": s.ip, "NetNSPath": s.path,
                            "Name": f"{s.pod}_{s.namespace}_{s.uid}_{s.attempt}"},
        "cniResult": cni_result(s),
    }  # fmt: skip
    return {"info": info, "status": status}


def cni_result(s: Sandbox) -> Json | None:
    """go-cni's own shape of the result: interfaces by name."""
    if not s.result:
        return None
    rows = s.result.get("interfaces") or []
    out: Json = {"Interfaces": {}, "DNS": [{}], "Routes": s.result.get("routes") or []}
    for i, row in enumerate(rows):
        ips = [
            {"IP": ip["address"].split("/")[0], "Gateway": ip.get("gateway", "")}
            for ip in s.result.get("ips") or ()
            if ip.get("interface") == i
        ]
        out["Interfaces"][row["name"]] = {
            "IPConfigs": ips or None,
            "Mac": row.get("mac", ""),
            "Sandbox": row.get("sandbox", ""),
        }
    out["Interfaces"]["lo"] = {
        "IPConfigs": [{"IP": "127.0.0.1", "Gateway": ""}],
        "Mac": "00:00:00:00:00:00",
        "Sandbox": s.path,
    }
    return out


def inspect(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("inspect", argv, (flag("output", "o"), flag("name"), flag("id"), switch("quiet", "q")))
    if not line.words:
        raise Fail(fatal("ID cannot be empty"))
    out = ""
    for word in line.words:
        x = c.container(word)
        proc = c.ctx.box.procs.get(x.pid)
        status: Json = {
            "createdAt": nano_stamp(x.created), "exitCode": x.code,
            "finishedAt": nano_stamp(x.finished) if x.state == "exited" else "0001-01-01T00:00:00Z", "id": x.id,
            "image": {"image": x.image}, "imageRef": x.image_id,
            "logPath": log_path(c, x), "message": x.message, "metadata": {"attempt": x.attempt, "name": x.name},
            "reason": x.reason, "startedAt": nano_stamp(x.started), "state": f"CONTAINER_{x.state.upper()}",
        }  # fmt: skip
        sandbox = c.sandboxes[x.sandbox]
        info: Json = {
            "pid": x.pid, "sandboxID": x.sandbox, "runtimeType": "io.containerd.runc.v2",
            "runtimeSpec": {
                "linux": {
                    "namespaces": [
                        {"type": "pid"},
                        *({"path": f"/proc/{sandbox.pid}/ns/{t}", "type": k} for t, k in SHARED),
                        {"type": "mount"}, {"type": "cgroup"},
                    ]
                },
                "process": {"args": list(proc.args) if proc is not None else []},
            },
        }  # fmt: skip
        body = {"info": info, "status": status}
        out += to_yaml(body) if line.get("output") == "yaml" else to_json(body).replace("    ", "  ")
    return Out(stdout=out)


def log_path(c: Crictl, x: Container) -> str:
    s = c.sandboxes[x.sandbox]
    return f"/var/log/pods/{s.namespace}_{s.pod}_{s.uid}/{x.name}/{x.attempt}.log"


def inspecti(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("inspecti", argv, (flag("output", "o"), switch("quiet", "q"), flag("name")))
    rows = stored(c, line.words[:1])
    if not rows:
        raise Fail(fatal(f'no such image "{line.words[0] if line.words else ""}" present'))
    return Out(stdout=to_json({"info": {}, "status": image_row(rows[0])}).replace("    ", "  "))


def info(c: Crictl, argv: list[str]) -> Out:
    problem = c.cri.network_problem()
    body: Json = {
        "config": {
            "cni": {"binDirs": ["/opt/cni/bin"], "confDir": "/etc/cni/net.d", "maxConfNum": 1},
            "containerdEndpoint": "/run/containerd/containerd.sock", "enableUnprivilegedIcmp": True,
            "enableUnprivilegedPorts": True, "rootDir": CRI_STATE, "sandboxImage": c.node.runtime.pause,
        },
        "golang": "go1.25.3",
        "lastCNILoadStatus": "OK" if not problem else (
            "cni config load failed: no network config found in /etc/cni/net.d: cni plugin not initialized: failed to "
            "load cni config"
        ),
        "status": {
            "conditions": [
                {"message": "", "reason": "", "status": True, "type": "RuntimeReady"},
                {"message": problem, "reason": "NetworkPluginNotReady" if problem else "", "status": not problem,
                 "type": "NetworkReady"},
            ]
        },
    }  # fmt: skip
    return Out(stdout=to_json(body).replace("    ", "  "))


def logs(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("logs", argv, LOGS)
    if len(line.words) != 1:
        raise Fail(fatal("container ID cannot be empty"))
    x = c.container(line.words[0])
    rows = list(x.log)
    if line.get("tail").isdigit():
        rows = rows[-int(line.get("tail")) :] if int(line.get("tail")) else []
    head = f"{nano_stamp(x.started)} " if line.on("timestamps") else ""
    return Out(stdout="".join(f"{head}{r}\n" for r in rows))


def run_exec(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("exec", argv, EXEC, stop=True)
    words = [*line.words, *(line.after or ())]
    if len(words) < 2:
        raise Fail(fatal("incorrect usage: command requires at least 2 arguments"))
    x = c.container(words[0])
    if x.state != "running" or x.pid not in c.ctx.box.procs:
        state = f"CONTAINER_{x.state.upper()}"
        raise Fail(
            fatal(
                f"execing command in container: rpc error: code = Unknown desc = container is in {state} state"
            )
        )
    s = c.sandboxes[x.sandbox]
    spot = inside(c.ctx.box, c.ctx.box.procs[x.pid], f"pod/{s.namespace}/{s.pod}")
    out = c.ctx.run_in(spot, words[1:], interactive=line.on("interactive") and line.on("tty"))
    if out.code:
        text = fatal(f"execing command in container: command terminated with exit code {out.code}")
        out = replace(out, stderr=out.stderr + text + "\n", code=1)
    return out


# ---- changes behind kubelet's back


def each(c: Crictl, verb: str, argv: list[str], act: Callable[[str, Line], str]) -> Out:
    line = parse_flags(verb, argv, DO)
    words = line.words
    if line.on("all"):
        words = list(c.sandboxes if verb.endswith("p") else c.containers)
    if not words:
        raise Fail(fatal("ID cannot be empty"))
    out = "".join(act(w, line) for w in words)
    c.cluster.wake()
    c.ctx.world.settle()
    return Out(stdout=out)


def stopp(c: Crictl, argv: list[str]) -> Out:
    def act(word: str, line: Line) -> str:
        sandbox = c.sandbox(word, "stopping")
        try:
            c.cri.stop_sandbox(sandbox)
        except CriError as error:
            raise Fail(fatal(f'stopping the pod sandbox "{word}": {error}')) from None
        return f"Stopped sandbox {sandbox.id}\n"

    return each(c, "stopp", argv, act)


def rmp(c: Crictl, argv: list[str]) -> Out:
    def act(word: str, line: Line) -> str:
        sandbox = c.sandbox(word, "removing")
        if sandbox.ready and not line.on("force"):
            raise Fail(
                fatal(
                    f'removing the pod sandbox "{word}": pod sandbox "{word}" is running, please stop it first'
                )
            )
        try:
            if sandbox.ready:
                c.cri.stop_sandbox(sandbox)
        except CriError as error:
            raise Fail(fatal(f'stopping the pod sandbox "{word}" failed: {error}')) from None
        c.cri.remove_sandbox(c.sandboxes[sandbox.id])
        return f"Removed sandbox {sandbox.id}\n"

    return each(c, "rmp", argv, act)


def stop(c: Crictl, argv: list[str]) -> Out:
    def act(word: str, line: Line) -> str:
        x = c.container(word, "stopping")
        c.cri.kill(x)
        return f"{word}\n"

    return each(c, "stop", argv, act)


def rm(c: Crictl, argv: list[str]) -> Out:
    def act(word: str, line: Line) -> str:
        x = c.container(word, "removing")
        if x.state == "running" and not line.on("force"):
            raise Fail(
                fatal(f'removing container "{word}": container "{word}" is running, please stop it first')
            )
        c.cri.remove_container(x)
        return f"{word}\n"

    return each(c, "rm", argv, act)


def version(c: Crictl, argv: list[str]) -> Out:
    options = c.cluster.options
    return Out(
        stdout=f"Version:  0.1.0\nRuntimeName:  containerd\nRuntimeVersion:  v{options.containerd_version}\n"
        "RuntimeApiVersion:  v1\n"
    )


VERBS: dict[str, Callable[[Crictl, list[str]], Out]] = {
    "pods": pods, "ps": ps, "images": images, "image": images, "img": images, "pull": pull, "rmi": rmi,
    "inspectp": inspectp, "inspect": inspect, "inspecti": inspecti, "info": info, "logs": logs, "exec": run_exec,
    "stopp": stopp, "rmp": rmp, "stop": stop, "rm": rm, "version": version,
}  # fmt: skip
REFUSED = (
    "attach", "checkpoint", "completion", "config", "create", "events", "imagefsinfo", "metricdescs", "metricsp",
    "port-forward", "run", "runp", "runtime-config", "start", "stats", "statsp", "update", "update-runtime-config",
)  # fmt: skip
GLOBAL = (
    Flag(name="runtime-endpoint", short="r"),
    Flag(name="image-endpoint", short="i"),
    Flag(name="timeout", short="t"),
)


def run(ctx: Context, argv: list[str]) -> Out:
    from engine.errors import NotModelled
    from engine.shell.tools.kubectl_.flags import SEE

    rest = list(argv)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word in ("-h", "--help"):
            rest = []
            break
        if "=" not in word and rest:
            rest.pop(0)
    if not rest:
        return Out(
            stdout="NAME:\n   crictl - client for CRI\n\nCOMMANDS HERE:\n   " + ", ".join(VERBS) + "\n"
        )
    verb, *words = rest
    if verb in REFUSED:
        raise NotModelled(f"crictl {verb}", SEE())
    if verb not in VERBS:
        raise Fail(f"No help topic for '{verb}'", 3)
    return VERBS[verb](Crictl(ctx), words)


def complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    if not argv:
        return [v for v in VERBS if v.startswith(word)]
    cluster = ctx.world.cluster
    node = cluster.nodes.get(ctx.spot.box) if cluster is not None else None
    if node is None:
        return []
    if argv[0] in ("inspectp", "stopp", "rmp"):
        return [i[:13] for i in node.runtime.sandboxes if i.startswith(word)]
    if argv[0] in ("inspect", "exec", "logs", "stop", "rm"):
        return [i[:13] for i in node.runtime.containers if i.startswith(word)]
    return []


def here(world: World, spot: Spot) -> bool:
    return world.cluster is not None and spot.box in world.cluster.nodes and not spot.contained


TOOL = Tool(
    name="crictl",
    summary=Phrase(
        en="the container runtime of this node, as kubelet sees it",
        ko="kubelet이 보는 이 노드의 컨테이너 런타임",
    ),
    run=run,
    complete=complete,
    group="cluster",
    here=here,
    usage=("crictl pods | ps [-a] | images | info", "crictl inspectp|inspect ID", "crictl pull IMAGE",
           "crictl logs|exec [-it] ID ...", "crictl stopp|rmp|stop|rm ID"),
)  # fmt: skip
