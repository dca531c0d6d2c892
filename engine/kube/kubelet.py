"""kubelet on one node: makes the pods that are bound to it true, and reports what they are.

Theory. SyncPod in its real order: compute changes, kill what must go, create the sandbox, then the containers
(containers.py; facts 10 section 3.1). A container that ended is restarted in the same sandbox with the same
address; a sandbox whose pause process is gone is replaced whole, with a new address and ATTEMPT + 1. A sandbox that
cannot be made is tried again after 10 to 15 s (the pod workers' back-off with its jitter).

Rules. Level-triggered: every pass compares the pod with the runtime and does what is missing at this moment. Texts
of events are kubelet's own (pkg/kubelet/kuberuntime, events).
"""

from __future__ import annotations

import json
from typing import Any

from engine.errors import NotModelled
from engine.kube import containers, poddns, podenv, podstatus, probes, probing, stirred, stopping, volumes
from engine.kube.clock import stamp
from engine.kube.containerd import CriError, SandboxConfig
from engine.kube.objects import Json, deleting, meta, name_of, namespace_of, spec_of
from engine.kube.podspec import every_container, finished, full_name
from engine.kube.runtime import Sandbox
from engine.kube.sync import Sync
from engine.l7.behave import FOREVER
from engine.linux.ops import MakeFolder, RemoveFile, WriteFile
from engine.linux.ops.box import RemoveFolder
from engine.record import dataclass


@dataclass(slots=True, kw_only=True)
class Kubelet(Sync):
    """One node's kubelet at one moment."""

    def due(self, pod: Json) -> float:
        """When this pod next needs kubelet by itself after now; infinity when nothing is to come."""
        uid = str(meta(pod)["uid"])
        times, stops = [self.node.retry.get(uid, FOREVER)], self.node.stops
        runs: dict[str, int] = {}
        for c in every_container(spec_of(pod)):
            key = f"{uid}/{c['name']}"
            if key in self.node.waits and "until" in self.node.waits[key]:
                times.append(float(self.node.waits[key]["until"]))
        for sandbox in self.node.runtime.sandboxes.values():
            if sandbox.uid == uid and sandbox.ready:
                running = [c for c in self.node.runtime.containers_in(sandbox.id) if c.state == "running"]
                times += [c.ends for c in running]
                times += [stops[c.id].ends for c in running if c.id in stops] if stops else []
                runs |= {c.id: stirred.since(self.node.stirred, sandbox.netns) for c in running}
        if self.node.probes and runs:
            times.append(probes.due(self.node.probes, uid, pod, runs, self.changes.log))
        return min((t for t in times if t > self.now), default=FOREVER)

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
            sandbox = self.new_sandbox(pod, sandboxes) if self.mounted(pod) else None
        if sandbox is not None:
            containers.sync(self, pod, sandbox)
            probing.sync(self, pod, sandbox)
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

    # ---- volumes

    def mounted(self, pod: Json) -> bool:
        """Write the pod's volumes; False, with its event, while something that they show is not there."""
        if text := volumes.missing(pod, self.store):
            self.event(pod, "Warning", "FailedMount", text)
            self.retry_later(str(meta(pod)["uid"]))
            return False
        box = self.cri.box
        for path, content in volumes.files(pod, self.store):
            if content is None:
                self.changes.do(MakeFolder(box=box.name, path=path))
            elif box.files.get(path) != content:
                self.changes.do(WriteFile(box=box.name, path=path, text=content))
        return True

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
        own = poddns.settings(self.node, self.cri.box, self.cluster_dns)
        try:
            names = poddns.form(
                pod, own, self.cri.box, lambda why, text: self.event(pod, "Warning", why, text)
            )
        except poddns.NoFile as error:
            self.event(pod, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            self.retry_later(uid)
            return None
        config = podenv.sandbox_config(pod, attempt, self.node.name, names)
        try:
            sandbox = self.cri.run_sandbox(config)
        except CriError as error:
            self.event(pod, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            self.log_failure(pod, config, error)
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

    def log_failure(self, pod: Json, config: SandboxConfig, error: CriError) -> None:
        """What containerd and kubelet write when a sandbox cannot be made."""
        sandbox = f"&PodSandboxMetadata{{Name:{config.pod},Uid:{config.uid},Namespace:{config.namespace},"
        sandbox += f"Attempt:{config.attempt},}}"
        self.containerd_log(f'msg="RunPodSandbox for {sandbox} failed, error" error={json.dumps(str(error))}')
        name, uid = full_name(pod), config.uid
        inner = json.dumps(f'Failed to create sandbox for pod "{name}": {error}')
        text = json.dumps(f'failed to "CreatePodSandbox" for "{name}" with CreatePodSandboxError: {inner}')
        place = f'pod="{config.namespace}/{config.pod}" podUID="{uid}"'
        self.log(f'"Error syncing pod, skipping" err={text} {place}', "pod_workers.go:1324")

    def retry_later(self, uid: str) -> None:
        self.node.retry[uid] = self.next_resync()

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
        """A deleted pod: stop its containers, each in its own time, then take it out of the API."""
        uid = str(meta(pod)["uid"])
        if self.node.retry.get(uid, 0.0) > self.now:
            return
        sandboxes = self.node.runtime.sandboxes_of(uid)
        live = next((x for x in sandboxes if x.ready), None)
        if live is not None and not self.containers_over(pod, live):
            probing.sync(self, pod, live)
            self.report(pod, live)
            return
        for sandbox in sandboxes:
            if not self.stop(pod, sandbox):
                return
        self.forget(uid)
        body = self.store.get("Pod", namespace_of(pod), name_of(pod))
        if body is None or not self.api:
            return
        if not meta(body).get("finalizers"):
            self.store.remove("Pod", namespace_of(pod), name_of(pod))
        elif meta(body).get("deletionGracePeriodSeconds"):
            # its containers are over; whoever set the finalizers lets it go
            self.store.update({**body, "metadata": {**meta(body), "deletionGracePeriodSeconds": 0}})

    def containers_over(self, pod: Json, sandbox: Sandbox) -> bool:
        """Stop every container of a pod that goes; True when none runs any more."""
        grace = meta(pod).get("deletionGracePeriodSeconds")
        if grace is None:
            grace = spec_of(pod).get("terminationGracePeriodSeconds", 30)
        specs = {str(c["name"]): c for c in every_container(spec_of(pod))}
        left = False
        for row in self.node.runtime.containers_in(sandbox.id):
            if row.state != "running":
                continue
            if row.id not in self.node.stops:
                message = f"Stopping container {row.name}"
                stopping.begin(self, pod, specs.get(row.name, {}), sandbox, row, message, float(grace))
            left = not stopping.over(self, row) or left
        return not left

    def forget(self, uid: str) -> None:
        """No record of a pod is left on the node."""
        for sandbox in self.node.runtime.sandboxes_of(uid):
            self.cri.remove_sandbox(sandbox)
        head = f"/var/lib/kubelet/pods/{uid}/"
        for path in [p for p in self.cri.box.files if p.startswith(head)]:
            self.changes.do(RemoveFile(box=self.node.name, path=path))
        for path in sorted((p for p in self.cri.box.folders if p.startswith(head)), reverse=True):
            self.changes.do(RemoveFolder(box=self.node.name, path=path))
        self.node.retry.pop(uid, None)
        node = self.node
        tables: tuple[dict[str, Any], ...] = (node.crash, node.pull, node.pulls, node.waits, node.probes)
        for table in tables:
            for key in [k for k in table if k.startswith(f"{uid}/")]:
                del table[key]


def not_ready(problem: str) -> str:
    """The runtime's network condition as kubelet words it."""
    return (
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:"
        + problem
    )
