"""How a container is stopped: its preStop hook, SIGTERM, and SIGKILL when its time is over.

Theory. killContainer: the grace period is the pod's (or the failed probe's own); the preStop hook runs first and uses
it up; at least two seconds are left for SIGTERM. A program that handles the signal ends by it (`TERM_CODES`); one that
does not, as the first process of its container, does not notice it and is killed at the end. Sources:
pkg/kubelet/kuberuntime/kuberuntime_container.go (killContainer, executePreStopHook), pkg/kubelet/lifecycle/handlers.go.

Rules. A `Stop` is frozen and stands in the node's `stops` by the container's id until the container has ended.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.kube.node import Stop
from engine.kube.objects import Json
from engine.kube.runtime import Container, Sandbox
from engine.kube.sync import Sync
from engine.l7.behave import exit_code
from engine.record import replace
from engine.say import Phrase

SIGTERM, KILLED = 15, 137
#: Seconds that SIGTERM gets at least, whatever the hook has used up.
MINIMUM = 2.0
HOOK = Phrase(en="Use exec, httpGet or sleep.", ko="exec, httpGet, sleep 중 하나를 쓰십시오.")


def begin(
    s: Sync, pod: Json, container: Json, sandbox: Sandbox, row: Container, message: str, grace: float
) -> Stop:
    """Say it, run the hook and send SIGTERM: how and when this container ends."""
    s.event(pod, "Normal", "Killing", message, row.name)
    used = hook(s, pod, container, sandbox, row, grace) if grace > 0 else 0.0
    term = s.now + min(used, grace)
    left = max(grace - used, MINIMUM) if grace > 0 else 0.0
    proc = s.cri.box.procs.get(row.pid)
    code = None if proc is None else exit_code(proc.comm, proc.nspid == 1, SIGTERM)
    stop = Stop(asked=s.now, term=term, ends=term if code is not None else term + left,
                code=KILLED if code is None else code)  # fmt: skip
    s.node.stops[row.id] = stop
    return stop


def hook(s: Sync, pod: Json, container: Json, sandbox: Sandbox, row: Container, grace: float) -> float:
    """Run the preStop hook; the seconds that it takes."""
    took, good = handle(s, pod, container, sandbox, row, "preStop", grace)
    if not good:
        s.event(pod, "Warning", "FailedPreStopHook", "PreStopHook failed", row.name)
    return took


def post_start(s: Sync, pod: Json, container: Json, sandbox: Sandbox, row: Container) -> Container:
    """Run the postStart hook of a container that has just started; one that fails kills it."""
    _, good = handle(s, pod, container, sandbox, row, "postStart", 1.0)
    if good:
        return row
    s.event(pod, "Warning", "FailedPostStartHook", "PostStartHook failed", row.name)
    s.event(pod, "Normal", "Killing", "FailedPostStartHook", row.name)
    return s.cri.exited(row, KILLED)


def handle(
    s: Sync, pod: Json, container: Json, sandbox: Sandbox, row: Container, which: str, limit: float
) -> tuple[float, bool]:
    """Run a hook of a container: the seconds it takes, and whether it went well. No hook goes well."""
    from engine.kube import probing

    what = (container.get("lifecycle") or {}).get(which)
    if not what:
        return 0.0, True
    try:
        if what.get("sleep"):
            return float(what["sleep"].get("seconds") or 0), True
        if what.get("exec"):
            words = tuple(str(w) for w in what["exec"].get("command") or ())
            took, code, _ = probing.run(s, row, words)
            return took, code == 0
        if what.get("httpGet"):
            ip = s.node_ip if sandbox.host_network else sandbox.ip
            return 0.0, probing.http_get(s, what["httpGet"], container, ip, limit).good is True
        raise NotModelled(f"lifecycle.{which}.tcpSocket", HOOK())
    except NotModelled as error:
        s.note(f"spec.containers[{row.name}].lifecycle.{which}", pod, error)
        return 0.0, True


def over(s: Sync, row: Container) -> bool:
    """End a container whose time has come. True when it has ended."""
    stop = s.node.stops.get(row.id)
    if stop is None or row.state != "running":
        s.node.stops.pop(row.id, None)
        return row.state != "running"
    if stop.ends > s.now:
        return False
    del s.node.stops[row.id]
    done = s.cri.exited(row, stop.code, when=stop.ends)
    if stop.code == KILLED:
        s.node.runtime.containers[row.id] = replace(done, reason="Error")
    return True
