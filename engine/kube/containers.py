"""Starting and restarting the containers of a pod in its sandbox.

Theory. Init containers run one after the other, each to its end, then all others start. A container that ended is
started again by restartPolicy: the first time at once, then after 10 s, 20 s ... up to 5 minutes, counted from its
end; ten minutes of running start the count anew. In between its state is CrashLoopBackOff. Source: doBackOff and
startContainer of pkg/kubelet/kuberuntime.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.kube import controlplane, imagepull, podenv, probes, stopping, volumes
from engine.kube.containerd import KILLED, ContainerConfig
from engine.kube.imagepull import BACKOFF_MAX, BACKOFF_START
from engine.kube.node import Backoff
from engine.kube.objects import Json, meta, spec_of
from engine.kube.podspec import full_name
from engine.kube.runtime import Container, Sandbox, StoredImage
from engine.kube.sync import Sync, Wait
from engine.l7.behave import FOREVER, Behaviour, behave, command_line
from engine.l7.images import ReferenceError_, find, normal, user_of
from engine.l7.serve import started
from engine.record import replace

#: A container that ran this long starts its back-off anew.
BACKOFF_RESET = 600.0
#: Starts of one container in one pass: the first, and the restart that comes without waiting.
STARTS = 3


def sync(s: Sync, pod: Json, sandbox: Sandbox) -> None:
    """One pass over the containers of a pod whose sandbox is ready."""
    spec = spec_of(pod)
    policy = str(spec.get("restartPolicy", "Always"))
    for container in spec.get("initContainers") or ():
        row = keep(s, pod, sandbox, container, "OnFailure" if policy == "Always" else policy, init=True)
        if row is None or row.state != "exited" or row.code:
            return
    for container in spec["containers"]:
        keep(s, pod, sandbox, container, policy, init=False)


def keep(
    s: Sync, pod: Json, sandbox: Sandbox, container: Json, policy: str, *, init: bool
) -> Container | None:
    """Start a container if it does not run and its policy wants it to. Its newest run; None while it waits."""
    row: Container | None = None
    for _ in range(STARTS):
        row = newest(s, sandbox, str(container["name"]))
        if row is not None and row.state == "running" and not ended(s, pod, sandbox, container, row, policy):
            return row
        row = newest(s, sandbox, str(container["name"]))
        if row is not None and (policy == "Never" or (policy == "OnFailure" and row.code == 0)):
            return row
        if not start(s, pod, sandbox, container, row, init=init):
            return None
    return row


def ended(s: Sync, pod: Json, sandbox: Sandbox, container: Json, row: Container, policy: str) -> bool:
    """Stop a running container whose liveness or startup probe has failed; True when it has ended."""
    if row.id in s.node.stops:
        return stopping.over(s, row)
    kind = probes.failed(s.node.probes, str(meta(pod)["uid"]), row.name, row.id)
    message = f"Container {row.name} failed {kind} probe"
    if not kind:
        if row.init or same_image(container, row):
            return False
        message = f"Container {row.name} definition changed"
    own = (container.get(f"{kind}Probe") or {}).get("terminationGracePeriodSeconds")
    grace = spec_of(pod).get("terminationGracePeriodSeconds", 30) if own is None else own
    message += ", will be restarted" if policy != "Never" else ""
    stopping.begin(s, pod, container, sandbox, row, message, float(grace))
    return stopping.over(s, row)


def same_image(container: Json, row: Container) -> bool:
    """Does a container run the image that its pod asks for now?"""
    try:
        return normal(str(container.get("image", ""))) == row.image
    except ReferenceError_:
        return True


def newest(s: Sync, sandbox: Sandbox, name: str) -> Container | None:
    found = [c for c in s.node.runtime.containers_in(sandbox.id) if c.name == name]
    return max(found, key=lambda c: c.attempt, default=None)


def start(
    s: Sync, pod: Json, sandbox: Sandbox, container: Json, before: Container | None, *, init: bool
) -> bool:
    """Start one container, or leave why not in its waiting state."""
    key = f"{meta(pod)['uid']}/{container['name']}"
    if float(s.node.waits.get(key, {}).get("until", 0.0)) > s.now:
        return False
    try:
        if before is not None:
            back_off(s, pod, str(container["name"]), key, before, init=init)
        image = imagepull.ensure(s, pod, container, key, init=init)
        run(s, pod, sandbox, container, image, init=init)
    except Wait as wait:
        waiting: Json = {"reason": wait.reason, "until": wait.again or s.next_resync()}
        if wait.message:
            waiting["message"] = wait.message
        s.node.waits[key] = waiting
        return False
    s.node.waits.pop(key, None)
    return True


def back_off(s: Sync, pod: Json, name: str, key: str, before: Container, *, init: bool) -> None:
    """doBackOff: Wait while the back-off since the end of the last run is not over."""
    entry = s.node.crash.get(key)
    if entry is None or before.finished - before.started >= BACKOFF_RESET:
        s.node.crash[key] = Backoff(BACKOFF_START, s.now)
        return
    if s.now - before.finished < entry.delay:
        message = f"Back-off restarting failed container {name} in pod {full_name(pod)}"
        s.event(pod, "Warning", "BackOff", message, name, init=init)
        text = f"back-off {span(entry.delay)} restarting failed container={name} pod={full_name(pod)}"
        raise Wait("CrashLoopBackOff", text)
    s.node.crash[key] = Backoff(min(entry.delay * 2, BACKOFF_MAX), s.now)


def run(s: Sync, pod: Json, sandbox: Sandbox, container: Json, image: StoredImage, *, init: bool) -> None:
    """CreateContainer and StartContainer with their events."""
    name = str(container["name"])
    ip = s.node_ip if sandbox.host_network else sandbox.ip
    env, missing = podenv.environment(pod, container, s.store, s.node.name, ip, s.node_ip)
    if missing:
        s.event(pod, "Warning", "Failed", f"Error: {missing}", name, init=init)
        raise Wait("CreateContainerConfigError", missing)
    try:
        what, listens = behaviour(s, pod, container, image, env)
    except NotModelled as error:
        s.note(f"spec.containers[{name}]", pod, error)
        what, listens = Behaviour(args=(name,), program="sleep"), ()
    before = s.node.runtime.last(str(meta(pod)["uid"]), name)
    settings = (
        *podenv.process_config(pod, container, sandbox, image, env, what),
        *((f"mount:{at}", source) for at, source in volumes.mounts(pod, container)),
    )
    try:
        what, listens = started(s.cri.box, what, settings, listens)
        if what.program == "coredns" and (local := dict(what.config).get("localip")):
            # node-cache makes its device before it listens
            from engine.kube.dns.nodelocal import interface

            interface(s.changes, sandbox.netns, local.split(","))
    except NotModelled as error:
        s.note(f"spec.containers[{name}]", pod, error)
        what, listens = Behaviour(args=what.args, program="sleep"), ()
    config = ContainerConfig(
        name=name, image=image, attempt=0 if before is None else before.attempt + 1, behaviour=what,
        user=user(pod, container, image), listens=listens, init=init, config=settings,
    )  # fmt: skip
    s.event(pod, "Normal", "Created", said(s, "Created", name), name, init=init)
    row = s.cri.start_container(
        sandbox, config, share_pid=bool(spec_of(pod).get("shareProcessNamespace")),
        host_pid=bool(spec_of(pod).get("hostPID")),
    )  # fmt: skip
    forget_old(s, sandbox, row)
    if what.missing:
        text = no_program(what.missing)
        s.event(pod, "Warning", "Failed", f"Error: {text}", name, init=init)
        row = replace(s.cri.exited(row, 128, log=()), reason="StartError", message=text)
        s.node.runtime.containers[row.id] = row
        return
    s.event(pod, "Normal", "Started", said(s, "Started", name), name, init=init)
    if row.state == "running" and not init:
        row = stopping.post_start(s, pod, container, sandbox, row)
    if what.tool and row.state == "running":
        row = run_tool(s, pod, row, what)
    if row.state == "running" and row.ends <= s.now:
        s.cri.exited(row, row.ends_with, when=row.ends)


def said(s: Sync, what: str, name: str) -> str:
    """The messages of Created and Started: since 1.35 without the name, which the event's fieldPath holds."""
    if s.minor >= 35:
        return f"Container {what.lower()}"
    return f"Created container: {name}" if what == "Created" else f"Started container {name}"


def no_program(word: str) -> str:
    """runc's error for a command that the image does not have."""
    why = f"stat {word}: no such file or directory" if "/" in word else "executable file not found in $PATH"
    return (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
        f'unable to start container process: error during container init: exec: "{word}": {why}: unknown'
    )


def user(pod: Json, container: Json, image: StoredImage) -> str:
    """Who the process is: securityContext.runAsUser of the container or the pod, else the image's user."""
    for where in (container, spec_of(pod)):
        found = (where.get("securityContext") or {}).get("runAsUser")
        if found is not None:
            return "root" if found == 0 else str(found)
    return user_of(image.name)


def forget_old(s: Sync, sandbox: Sandbox, row: Container) -> None:
    """The container garbage collector: of the ended runs only the last is kept."""
    for old in s.node.runtime.containers_in(sandbox.id):
        if old.name == row.name and old.attempt < row.attempt - 1:
            s.node.runtime.containers.pop(old.id, None)


def run_tool(s: Sync, pod: Json, row: Container, what: Behaviour) -> Container:
    """A container whose command is a tool of the lab's shell: the shell runs it, and its end is the container's."""
    if s.tools is None:
        row = replace(row, ends=FOREVER)
        s.node.runtime.containers[row.id] = row
        return row
    try:
        log, code = s.tools(s.cri, row, what)
    except NotModelled as error:
        s.note(f"spec.containers[{row.name}]", pod, error)
        log, code = (error.text(),), KILLED
    return s.cri.exited(row, code, log=(*row.log, *log))


def behaviour(
    s: Sync, pod: Json, container: Json, image: StoredImage, env: dict[str, str]
) -> tuple[Behaviour, tuple[tuple[str, int, int], ...]]:
    """What the command line does, and every port that opens as (proto, port, address): the program's own and those
    that the manifest declares, whatever the image (DESIGN section 5)."""
    component = controlplane.component(image.name)
    if component is not None:
        return component.behaviour(container), component.sockets(s.node_ip)
    if image.name.rsplit("/", 1)[-1].startswith("kube-proxy:"):
        from engine.kube.proxy import program

        return program.behaviour(s, pod, container, env)
    declared = tuple(
        (str(p.get("protocol", "TCP")).lower(), int(p["containerPort"]))
        for p in container.get("ports") or ()
        if p.get("protocol", "TCP") in ("TCP", "UDP", "SCTP")
    )
    argv = command_line(
        find(image.name),
        podenv.expand(container.get("command") or (), env),
        podenv.expand(container.get("args") or (), env),
    )
    what = behave(image.name, argv, env=env, ports=declared, tty=bool(container.get("stdin")))
    if what.seconds != FOREVER or what.tool:
        return what, tuple((proto, port, 0) for proto, port in what.listens)
    extra = tuple(dict.fromkeys(p for p in declared if p not in what.listens))
    if extra and what.program in ("sleep", ""):
        http = any(proto == "tcp" for proto, _ in extra)
        what = replace(what, program="http" if http else "echo", config=(("page", "plain"),) if http else ())
    return what, tuple((proto, port, 0) for proto, port in (*what.listens, *extra))


def span(seconds: float) -> str:
    """A Go duration of whole seconds: 10s, 1m20s, 5m0s."""
    total = int(seconds)
    return f"{total // 60}m{total % 60}s" if total >= 60 else f"{total}s"
