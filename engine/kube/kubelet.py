"""kubelet on one node: makes the pods that are bound to it true, and reports what they are.

Theory. SyncPod in its real order: compute changes, kill what must go, create the sandbox, pull and start init
containers one after the other, then the others (facts 10 section 3.1). A container that ended is restarted in the
same sandbox with the same address; a sandbox whose pause process is gone is replaced whole, with a new address and
ATTEMPT + 1. What fails is tried again: sandboxes after 10 to 15 s (the pod workers' back-off with its jitter),
crashed containers and pulls after 10 s, doubled each time up to 5 minutes.

Rules. Level-triggered: every pass compares the pod with the runtime and does what is missing at this moment. Texts
of events are kubelet's own (pkg/kubelet/kuberuntime, events, images).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.errors import EngineError, NotModelled
from engine.kube import controlplane, podenv, podstatus
from engine.kube.clock import stamp
from engine.kube.containerd import KILLED, ContainerConfig, Containerd, CriError
from engine.kube.ids import Ids
from engine.kube.node import Backoff, NodeState
from engine.kube.objects import Json, deleting, meta, name_of, namespace_of, spec_of
from engine.kube.podspec import every_container, finished, full_name
from engine.kube.registry import PullError
from engine.kube.runtime import Container, Sandbox, StoredImage
from engine.kube.store import Store
from engine.l7.behave import FOREVER, Behaviour, behave, command_line
from engine.l7.images import Image, ReferenceError_, find, normal, user_of
from engine.linux.ops import Log, WriteFile
from engine.linux.ops.base import Changes

SOURCE = "kubelet"
#: Pod workers try a failed pod again after this many seconds, stretched by up to a half.
RESYNC = 10.0
BACKOFF_START, BACKOFF_MAX = 10.0, 300.0
#: A container that ran this long starts its back-off anew.
BACKOFF_RESET = 600.0


class Wait(Exception):
    """A container cannot start now: the reason and message of its waiting state."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.message = message


@dataclass(slots=True, kw_only=True)
class Kubelet:
    """One node's kubelet at one moment. `api` False: the API server cannot be reached, so nothing is recorded.
    `note` keeps what the model cannot do: (where, kind, name, what is said)."""

    changes: Changes
    store: Store
    node: NodeState
    cri: Containerd
    ids: Ids
    now: float
    node_ip: str
    note: Callable[[str, Json, EngineError], None]
    tools: Callable[[Containerd, Container, Behaviour], tuple[tuple[str, ...], int]] | None = None
    api: bool = True
    cluster_dns: str = "10.96.0.10"

    # ---- reporting

    def event(
        self, pod: Json, type: str, reason: str, message: str, container: str = "", *, init: bool = False
    ) -> None:
        if self.api:
            field = f"spec.{'initContainers' if init else 'containers'}{{{container}}}" if container else ""
            self.store.record(
                pod, type, reason, message, SOURCE, self.now, host=self.node.name, field_path=field
            )

    def log(self, text: str, level: str = "E") -> None:
        from engine.kube.clock import klog_stamp

        line = f"kubelet[{self.node.procs.get('kubelet', 0)}]: {level}{klog_stamp(self.now)} {text}"
        self.changes.do(Log(box=self.node.name, line=line))

    # ---- one pod

    def due(self, pod: Json) -> float:
        """When this pod next needs kubelet by itself: the earliest retry; infinity when nothing is to come."""
        uid = str(meta(pod)["uid"])
        times = [self.node.retry.get(uid, FOREVER)]
        for c in every_container(spec_of(pod)):
            key = f"{uid}/{c['name']}"
            if key in self.node.waits and "until" in self.node.waits[key]:
                times.append(float(self.node.waits[key]["until"]))
        for sandbox in self.node.runtime.sandboxes.values():
            if sandbox.uid == uid and sandbox.ready:
                times += [c.ends for c in self.node.runtime.containers_in(sandbox.id) if c.state == "running"]
        return min(times)

    def sync(self, pod: Json) -> None:
        """One pass over one pod."""
        if deleting(pod):
            self.terminate(pod)
            return
        uid = str(meta(pod)["uid"])
        sandboxes = self.node.runtime.sandboxes_of(uid)
        sandbox = sandboxes[0] if sandboxes and sandboxes[0].ready else None
        if finished(pod) or self.all_done(pod):
            self.report(pod, sandbox)
            return
        if sandbox is not None and not sandbox.host_network and sandbox.netns not in self.changes.net.spaces:
            sandbox = None
        if sandbox is None:
            if self.node.retry.get(uid, 0.0) > self.now:
                self.report(pod, None)
                return
            sandbox = self.new_sandbox(pod, sandboxes)
        if sandbox is not None:
            self.containers(pod, sandbox)
        self.report(pod, sandbox)

    def all_done(self, pod: Json) -> bool:
        """Has every container ended for good (restartPolicy Never, or OnFailure and code 0)?"""
        spec, uid = spec_of(pod), str(meta(pod)["uid"])
        policy = spec.get("restartPolicy", "Always")
        if policy == "Always":
            return False
        rows = [self.node.runtime.last(uid, str(c["name"])) for c in spec["containers"]]
        return all(c is not None and c.state == "exited" and (policy == "Never" or c.code == 0) for c in rows)

    def report(self, pod: Json, sandbox: Sandbox | None) -> None:
        """Write the pod's status into the store."""
        if not self.api:
            return
        fresh = self.store.get("Pod", namespace_of(pod), name_of(pod))
        if fresh is None or meta(fresh).get("uid") != meta(pod).get("uid"):
            return
        status = podstatus.status(fresh, self.node, sandbox, self.node_ip, stamp(self.now))
        if status != fresh.get("status"):
            self.store.update({**fresh, "metadata": dict(fresh["metadata"]), "status": status})

    # ---- the sandbox

    def new_sandbox(self, pod: Json, before: list[Sandbox]) -> Sandbox | None:
        """createPodSandbox, after stopping what is left of the one before. None when it failed."""
        uid, spec = str(meta(pod)["uid"]), spec_of(pod)
        if not spec.get("hostNetwork") and (problem := self.cri.network_problem()):
            self.event(pod, "Warning", "NetworkNotReady", f"network is not ready: {not_ready(problem)}")
            self.retry_later(uid)
            return None
        if before:
            self.event(
                pod, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created."
            )
        for old in before:
            if not self.stop(pod, old):
                return None
        attempt = before[0].attempt + 1 if before else 0
        config = podenv.sandbox_config(pod, attempt, self.node.name, self.cluster_dns, self.cri.box)
        try:
            sandbox = self.cri.run_sandbox(config)
        except CriError as error:
            self.event(pod, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            self.log(f'"Error syncing pod, skipping" err="failed to \\"CreatePodSandbox\\" for \\"{full_name(pod)}\\": '
                     f'{str(error)!r}" pod="{namespace_of(pod)}/{name_of(pod)}"')  # fmt: skip
            self.retry_later(uid)
            return None
        except NotModelled as error:
            self.note("sandbox", pod, error)
            self.retry_later(uid)
            return None
        self.node.retry.pop(uid, None)
        path = f"/var/lib/kubelet/pods/{uid}/etc-hosts"
        ip = self.node_ip if sandbox.host_network else sandbox.ip
        self.changes.do(
            WriteFile(box=self.node.name, path=path, text=podenv.hosts_file(pod, ip, self.cri.box))
        )
        return sandbox

    def retry_later(self, uid: str) -> None:
        self.node.retry[uid] = self.now + RESYNC * (1 + 0.5 * self.ids.fraction(f"resync/{self.node.name}"))

    def stop(self, pod: Json, sandbox: Sandbox) -> bool:
        """Stop and forget a sandbox; False when the CNI refused."""
        for container in self.node.runtime.containers_in(sandbox.id):
            if container.state == "running":
                self.event(pod, "Normal", "Killing", f"Stopping container {container.name}", container.name)
        try:
            self.cri.stop_sandbox(sandbox)
        except CriError as error:
            uid = str(meta(pod)["uid"])
            text = f'error killing pod: failed to "KillPodSandbox" for "{uid}" with KillPodSandboxError: "{error}"'
            self.event(
                pod, "Warning", "FailedKillPod", text.replace(f'"{sandbox.id}"', f'\\"{sandbox.id}\\"')
            )
            self.retry_later(uid)
            return False
        except NotModelled as error:
            self.note("sandbox", pod, error)
            self.retry_later(str(meta(pod)["uid"]))
            return False
        return True

    def terminate(self, pod: Json) -> None:
        """A deleted pod: stop everything, then take it out of the API."""
        uid = str(meta(pod)["uid"])
        if self.node.retry.get(uid, 0.0) > self.now:
            return
        sandboxes = self.node.runtime.sandboxes_of(uid)
        for sandbox in sandboxes:
            if not self.stop(pod, sandbox):
                return
        self.forget(uid)
        if self.store.get("Pod", namespace_of(pod), name_of(pod)) is not None and self.api:
            self.store.remove("Pod", namespace_of(pod), name_of(pod))

    def forget(self, uid: str) -> None:
        """No record of a pod is left on the node."""
        from engine.linux.ops import RemoveFile

        for sandbox in self.node.runtime.sandboxes_of(uid):
            self.cri.remove_sandbox(sandbox)
        path = f"/var/lib/kubelet/pods/{uid}/etc-hosts"
        if path in self.cri.box.files:
            self.changes.do(RemoveFile(box=self.node.name, path=path))
        self.node.retry.pop(uid, None)
        for table in (self.node.crash, self.node.pull, self.node.pulls, self.node.waits):
            for key in [k for k in table if k.startswith(f"{uid}/")]:
                del table[key]  # type: ignore[attr-defined]

    # ---- containers

    def containers(self, pod: Json, sandbox: Sandbox) -> None:
        """Init containers in order, each to its end; then all others."""
        spec, policy = spec_of(pod), spec_of(pod).get("restartPolicy", "Always")
        for container in spec.get("initContainers") or ():
            row = self.in_sandbox(pod, sandbox, str(container["name"]))
            if row is not None and row.state == "exited" and row.code == 0:
                continue
            if row is not None and row.state == "running":
                return
            if row is not None and policy == "Never":
                return
            row = self.start(pod, sandbox, container, row, init=True)
            if row is None or row.state == "running":
                return
            if row.code:
                row = self.start(pod, sandbox, container, row, init=True) if policy != "Never" else row
                if row is None or row.state == "running" or row.code:
                    return
        for container in spec["containers"]:
            for _ in range(3):
                row = self.in_sandbox(pod, sandbox, str(container["name"]))
                if row is not None and row.state == "running":
                    break
                if row is not None and (policy == "Never" or (policy == "OnFailure" and row.code == 0)):
                    break
                if self.start(pod, sandbox, container, row, init=False) is None:
                    break

    def in_sandbox(self, pod: Json, sandbox: Sandbox, name: str) -> Container | None:
        found = [c for c in self.node.runtime.containers_in(sandbox.id) if c.name == name]
        return max(found, key=lambda c: c.attempt, default=None)

    def start(
        self, pod: Json, sandbox: Sandbox, container: Json, before: Container | None, *, init: bool
    ) -> Container | None:
        """Start one container, or leave why not in its waiting state."""
        uid, name = str(meta(pod)["uid"]), str(container["name"])
        key = f"{uid}/{name}"
        try:
            if before is not None:
                self.back_off(pod, name, key, before, init=init)
            image = self.image(pod, container, key, init=init)
            row = self.run(pod, sandbox, container, image, init=init)
        except Wait as wait:
            waiting: Json = {"reason": wait.reason}
            if wait.message:
                waiting["message"] = wait.message
            until = self.node.waits.get(key, {}).get("until")
            if until is not None and until > self.now:
                waiting["until"] = until
            else:
                waiting["until"] = self.now + RESYNC * (
                    1 + 0.5 * self.ids.fraction(f"resync/{self.node.name}")
                )
            self.node.waits[key] = waiting
            return None
        self.node.waits.pop(key, None)
        return row

    def back_off(self, pod: Json, name: str, key: str, before: Container, *, init: bool) -> None:
        """doBackOff: wait while the back-off since the end of the last run is not over."""
        entry = self.node.crash.get(key)
        if (
            entry is not None
            and self.now - before.finished < 2 * BACKOFF_MAX
            and before.finished - before.started < BACKOFF_RESET
        ):
            if self.now - before.finished < entry.delay:
                self.node.waits[key] = {"until": before.finished + entry.delay}
                message = f"Back-off restarting failed container {name} in pod {full_name(pod)}"
                self.event(pod, "Warning", "BackOff", message, name, init=init)
                words = (
                    f"back-off {span(entry.delay)} restarting failed container={name} pod={full_name(pod)}"
                )
                raise Wait("CrashLoopBackOff", words)
            self.node.crash[key] = Backoff(min(entry.delay * 2, BACKOFF_MAX), self.now)
        else:
            self.node.crash[key] = Backoff(BACKOFF_START, self.now)

    def image(self, pod: Json, container: Json, key: str, *, init: bool) -> StoredImage:
        """EnsureImageExists."""
        name, text, policy = str(container["name"]), str(container["image"]), container.get("imagePullPolicy")
        try:
            full = normal(text)
        except ReferenceError_:
            message = f'Failed to apply default image tag "{text}": couldn\'t parse image name "{text}": invalid reference format'
            self.event(pod, "Warning", "InspectFailed", message, name, init=init)
            self.event(pod, "Warning", "Failed", "Error: InvalidImageName", name, init=init)
            raise Wait("InvalidImageName", message) from None
        found = self.node.runtime.image(full)
        if found is not None and policy != "Always":
            self.node.pulls.pop(key, None)
            message = f'Container image "{text}" already present on machine'
            if self.cri.version in ("2.2", "2.3"):
                message += " and can be accessed by the pod"
            self.event(pod, "Normal", "Pulled", message, name, init=init)
            return found
        if policy == "Never":
            message = f'Container image "{text}" is not present with pull policy of Never'
            self.event(pod, "Warning", "ErrImageNeverPull", message, name, init=init)
            self.event(pod, "Warning", "Failed", "Error: ErrImageNeverPull", name, init=init)
            raise Wait("ErrImageNeverPull", message)
        return self.pull(pod, container, key, text, init=init)

    def pull(self, pod: Json, container: Json, key: str, text: str, *, init: bool) -> StoredImage:
        name = str(container["name"])
        entry = self.node.pull.get(key)
        if entry is not None and self.now - entry.since < entry.delay:
            self.node.waits[key] = {"until": entry.since + entry.delay}
            message = f'Back-off pulling image "{text}"'
            self.event(pod, "Normal", "BackOff", message, name, init=init)
            self.event(pod, "Warning", "Failed", "Error: ImagePullBackOff", name, init=init)
            raise Wait("ImagePullBackOff", f"{message}: ErrImagePull: {self.node.pulls.get(key, '')}")
        self.event(pod, "Normal", "Pulling", f'Pulling image "{text}"', name, init=init)
        try:
            image = self.cri.puller.pull(text, self.now)
        except PullError as error:
            delay = BACKOFF_START if entry is None else min(entry.delay * 2, BACKOFF_MAX)
            self.node.pull[key] = Backoff(delay, self.now)
            message = f'failed to pull image "{text}": rpc error: code = {error.code} desc = {error.text}'
            full = f"rpc error: code = {error.code} desc = {error.text}"
            self.node.pulls[key] = full
            self.event(pod, "Warning", "Failed", f'Failed to pull image "{text}": {full}', name, init=init)
            self.event(pod, "Warning", "Failed", "Error: ErrImagePull", name, init=init)
            raise Wait("ErrImagePull", full) from None
        self.node.runtime.store_image(image)
        self.node.pull.pop(key, None)
        self.node.pulls.pop(key, None)
        took = f"{0.4 + image.size / 90_000_000:.3f}".rstrip("0").rstrip(".") + "s"
        message = f'Successfully pulled image "{text}" in {took} ({took} including waiting). Image size: {image.size} bytes.'
        self.event(pod, "Normal", "Pulled", message, name, init=init)
        return image

    def run(
        self, pod: Json, sandbox: Sandbox, container: Json, image: StoredImage, *, init: bool
    ) -> Container:
        """CreateContainer and StartContainer with their events."""
        name, spec = str(container["name"]), spec_of(pod)
        uid = str(meta(pod)["uid"])
        ip = self.node_ip if sandbox.host_network else sandbox.ip
        env, missing = podenv.environment(pod, container, self.store, self.node.name, ip, self.node_ip)
        if missing:
            self.event(pod, "Warning", "Failed", f"Error: {missing}", name, init=init)
            raise Wait("CreateContainerConfigError", missing)
        try:
            known = find(image.name)
            what, listens = self.behaviour(container, image, known, env)
        except NotModelled as error:
            self.note(f"spec.containers[{name}]", pod, error)
            what, listens = Behaviour(args=(str(container["name"]),), program="sleep"), ()
        before = self.node.runtime.last(uid, name)
        attempt = 0 if before is None else before.attempt + 1
        if what.missing:
            self.event(pod, "Normal", "Created", f"Created container: {name}", name, init=init)
            text = (
                "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
                f'failed: unable to start container process: error during container init: exec: "{what.missing}": '
                + ("stat " + what.missing + ": no such file or directory" if what.missing.startswith("/")
                   else "executable file not found in $PATH")
            )  # fmt: skip
            self.event(pod, "Warning", "Failed", f"Error: {text}", name, init=init)
            row = self.cri.start_container(
                sandbox, ContainerConfig(name=name, image=image, attempt=attempt, behaviour=Behaviour(args=what.args), config=(), init=init),
                share_pid=False, host_pid=bool(spec.get("hostPID")),
            )  # fmt: skip
            row = self.cri.exited(row, 128)

            row = replace(row, reason="StartError", message=text)
            self.node.runtime.containers[row.id] = row
            return row
        user = str(
            (container.get("securityContext") or {}).get("runAsUser")
            or (spec.get("securityContext") or {}).get("runAsUser")
            or user_of(image.name)
        )
        config = ContainerConfig(
            name=name, image=image, attempt=attempt, behaviour=what, user=user, listens=listens, init=init,
            config=podenv.process_config(pod, container, sandbox, image, env, what),
        )  # fmt: skip
        row = self.cri.start_container(
            sandbox,
            config,
            share_pid=bool(spec.get("shareProcessNamespace")),
            host_pid=bool(spec.get("hostPID")),
        )
        if before is not None and before.sandbox == sandbox.id and before.attempt + 1 > 2:
            for old in self.node.runtime.containers_in(sandbox.id):
                if old.name == name and old.attempt < attempt - 1:
                    self.node.runtime.containers.pop(old.id, None)
        self.event(pod, "Normal", "Created", f"Created container: {name}", name, init=init)
        self.event(pod, "Normal", "Started", f"Started container {name}", name, init=init)
        if what.tool and row.state == "running":
            row = self.run_tool(pod, row, what)
        if row.state == "running" and row.ends <= self.now:
            row = self.cri.exited(row, row.ends_with, when=row.ends)
        return row

    def run_tool(self, pod: Json, row: Container, what: Behaviour) -> Container:
        """A container whose command is a tool of the lab's shell: the shell runs it, and its end is the container's."""
        if self.tools is None:
            row = replace(row, ends=FOREVER)
            self.node.runtime.containers[row.id] = row
            return row
        try:
            log, code = self.tools(self.cri, row, what)
        except NotModelled as error:
            self.note(f"spec.containers[{row.name}]", pod, error)
            log, code = (error.text(),), KILLED
        return self.cri.exited(row, code, log=(*row.log, *log))

    def behaviour(
        self, container: Json, image: StoredImage, known: Image | None, env: dict[str, str]
    ) -> tuple[Behaviour, tuple[tuple[str, int, int], ...]]:
        """What the command line does, and every port that is open: the program's own and those declared."""
        component = controlplane.component(image.name)
        if component is not None:
            return component.behaviour(container), component.sockets(self.node_ip)
        declared = tuple(
            (str(p.get("protocol", "TCP")).lower(), int(p["containerPort"]))
            for p in container.get("ports") or ()
            if p.get("protocol", "TCP") in ("TCP", "UDP")
        )
        argv = command_line(
            known,
            podenv.expand(container.get("command") or (), env),
            podenv.expand(container.get("args") or (), env),
        )
        what = behave(
            image.name,
            argv,
            env=env,
            ports=declared,
            tty=bool((container.get("stdin") and container.get("tty")) or container.get("stdin")),
        )
        extra = tuple(p for p in declared if p not in what.listens)
        if extra and what.program in ("sleep", "") and what.seconds == FOREVER and not what.tool:
            http = any(proto == "tcp" for proto, _ in extra)
            what = replace(
                what, program="http" if http else "echo", config=(("page", "plain"),) if http else ()
            )
        opened = (*what.listens, *extra) if what.seconds == FOREVER else what.listens
        return what, tuple((proto, port, 0) for proto, port in opened)


def not_ready(problem: str) -> str:
    """The runtime's network condition as kubelet words it."""
    return (
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:"
        + problem
    )


def span(seconds: float) -> str:
    """A Go duration of whole seconds: 10s, 1m20s, 5m0s."""
    total = int(seconds)
    return f"{total // 60}m{total % 60}s" if total >= 60 else f"{total}s"
