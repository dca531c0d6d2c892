"""Controllers that make Pods: Deployment, ReplicaSet, DaemonSet, StatefulSet, Job.

Theory. Each compares the Pods that it owns with what its spec asks for and makes or removes the difference. A
Deployment owns one ReplicaSet per template; a new template's set grows while the others shrink, at once rather
than step by step, because Pods of a lab are ready at once. Names have the real shapes: web-6d4cf56db6-abcde,
ds-abcde, sts-0, job-abcde. Source: pkg/controller/{deployment,replicaset,daemon,statefulset,job}.

Rules. Level-triggered and small: no history beyond the old ReplicaSets, no rolling limits, no volume claims.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.kube.clock import stamp
from engine.kube.ids import Ids, template_hash
from engine.kube.objects import (
    Json,
    controller_of,
    deleting,
    edited,
    labels_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
)
from engine.kube.ownership import (
    HASH,
    LIMIT,
    REVISION,
    controller,
    daemon_tolerations,
    for_job,
    is_ready,
    minimum,
    numbered,
    owner_reference,
    pinned,
    replicas,
    target_node,
    timed,
)
from engine.kube.podspec import default_pod, finished, on_node
from engine.kube.scheduler import refusal
from engine.kube.select import matches
from engine.kube.store import Store


class Workloads:
    """One pass of all controllers. `remove` is the API's delete of a Pod or an owned object."""

    def __init__(self, store: Store, ids: Ids, clock: float, remove: Callable[[Json], None]) -> None:
        self.store = store
        self.ids = ids
        self.clock = clock
        self.remove = remove

    def sync(self) -> bool:
        """True when something changed."""
        before = self.store.version
        owned = self.owned("Pod")
        sets = self.owned("ReplicaSet")
        for body in self.store.list("Deployment"):
            self.deployment(body, sets.get(str(meta(body)["uid"]), []), owned)
        self.adopt()
        owned = self.owned("Pod")
        for kind, act in (
            ("ReplicaSet", self.replica_set), ("DaemonSet", self.daemon_set), ("StatefulSet", self.stateful_set),
            ("Job", self.job),
        ):  # fmt: skip
            for body in self.store.list(kind):
                if not deleting(body):
                    act(body, owned.get(str(meta(body)["uid"]), []))
        return self.store.version != before

    def adopt(self) -> None:
        """A Pod that belongs to nobody and has the labels of a selector gets that owner (ClaimPods in
        pkg/controller/controller_ref_manager.go)."""
        free = [
            p
            for p in self.store.list("Pod")
            if controller_of(p) is None and not deleting(p) and not finished(p)
        ]
        for kind in ("ReplicaSet", "DaemonSet", "StatefulSet") if free else ():
            for body in self.store.list(kind):
                for pod in [] if deleting(body) else list(free):
                    mine = namespace_of(pod) == namespace_of(body) and matches(
                        spec_of(body).get("selector"), labels_of(pod)
                    )
                    ordinal = name_of(pod).removeprefix(f"{name_of(body)}-")
                    if mine and (kind != "StatefulSet" or ordinal.isdigit()):
                        free.remove(pod)
                        references = [*(meta(pod).get("ownerReferences") or ()), owner_reference(body)]
                        self.store.update({**pod, "metadata": {**meta(pod), "ownerReferences": references}})

    def owned(self, kind: str) -> dict[str, list[Json]]:
        out: dict[str, list[Json]] = {}
        for body in self.store.list(kind):
            owner = controller_of(body)
            if owner is not None:
                out.setdefault(str(owner["uid"]), []).append(body)
        return out

    # ---- making and removing Pods

    def make_pod(
        self, owner: Json, name: str, template: Json, *, extra: Callable[[Json], None] | None = None
    ) -> Json:
        m = template.get("metadata") or {}
        inherited = {k: m[k] for k in ("labels", "annotations") if m.get(k)}
        pod: Json = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **edited(inherited),
                "name": name,
                "namespace": namespace_of(owner),
                "ownerReferences": [owner_reference(owner)],
            },
            "spec": edited(template.get("spec") or {}),
        }
        if owner["kind"] not in ("StatefulSet",):
            pod["metadata"]["generateName"] = name[:-5]
        if extra is not None:
            extra(pod)
        default_pod(pod, self.ids)
        made = self.store.create(pod, self.clock)
        self.store.record(
            owner, "Normal", "SuccessfulCreate", f"Created pod: {name}", controller(owner), self.clock
        )
        return made

    def drop(self, owner: Json, pod: Json) -> None:
        self.remove(pod)
        self.store.record(
            owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", controller(owner), self.clock
        )

    def suffix(self, owner: Json) -> str:
        return self.ids.suffix(f"pod/{owner['kind']}/{namespace_of(owner)}/{name_of(owner)}")

    def status(self, body: Json, status: Json) -> None:
        fresh = self.store.get(body["kind"], namespace_of(body), name_of(body))
        if fresh is not None and (fresh.get("status") or {}) != status:
            self.store.update({**fresh, "metadata": dict(fresh["metadata"]), "status": status})

    # ---- one controller each

    def deployment(self, body: Json, sets: list[Json], pods: dict[str, list[Json]]) -> None:
        spec = spec_of(body)
        if deleting(body) or spec.get("paused"):
            return
        hash = template_hash(spec["template"])
        name = f"{name_of(body)}-{hash}"
        wanted = int(spec.get("replicas", 1))
        current = next((s for s in sets if name_of(s) == name), None)
        revision = str(
            1 + max((int((meta(s).get("annotations") or {}).get(REVISION, 0)) for s in sets), default=0)
        )
        if current is None:
            current = self.new_set(body, name, hash, revision)
            self.scaled(body, "up", name, 0, wanted)
        elif int(spec_of(current)["replicas"]) != wanted:
            was = int(spec_of(current)["replicas"])
            self.scaled(body, "up" if wanted > was else "down", name, was, wanted)
            self.store.change(
                "ReplicaSet", namespace_of(body), name, lambda b: b["spec"].update(replicas=wanted)
            )
        for old in sets:
            was = int(spec_of(old)["replicas"])
            if name_of(old) != name and was:
                self.scaled(body, "down", name_of(old), was, 0)
                self.store.change(
                    "ReplicaSet", namespace_of(body), name_of(old), lambda b: b["spec"].update(replicas=0)
                )
        mine = pods.get(str(meta(current)["uid"]), [])
        everything = [p for s in sets for p in pods.get(str(meta(s)["uid"]), [])]
        ready = sum(is_ready(p) for p in mine)
        current_revision = (meta(current).get("annotations") or {}).get(REVISION, "1")
        if (meta(body).get("annotations") or {}).get(REVISION) != current_revision:
            self.store.change(
                "Deployment", namespace_of(body), name_of(body),
                lambda b: b["metadata"].setdefault("annotations", {}).update({REVISION: current_revision}),
            )  # fmt: skip
        status: Json = {"observedGeneration": meta(body).get("generation", 1)}
        counts = {
            "replicas": len(everything), "updatedReplicas": len(mine), "readyReplicas": ready,
            "availableReplicas": ready, "unavailableReplicas": max(0, wanted - ready),
        }  # fmt: skip
        status |= {k: v for k, v in counts.items() if v}
        old_status = body.get("status") or {}
        rows = (
            ("Available", ready >= minimum(wanted), "MinimumReplicasAvailable", "MinimumReplicasUnavailable",
             "Deployment has minimum availability.", "Deployment does not have minimum availability."),
            ("Progressing", True, "NewReplicaSetAvailable" if ready == wanted else "ReplicaSetUpdated", "",
             f'ReplicaSet "{name}" has successfully progressed.' if ready == wanted
             else f'ReplicaSet "{name}" is progressing.', ""),
        )  # fmt: skip
        status["conditions"] = [
            timed(old_status, kind, good, yes if good else no, said if good else unsaid, self.clock)
            for kind, good, yes, no, said, unsaid in rows
        ]
        self.status(body, status)

    def scaled(self, body: Json, way: str, name: str, was: int, now: int) -> None:
        message = f"Scaled {way} replica set {name} from {was} to {now}"
        self.store.record(body, "Normal", "ScalingReplicaSet", message, "deployment-controller", self.clock)

    def new_set(self, body: Json, name: str, hash: str, revision: str) -> Json:
        template = edited(spec_of(body)["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})[HASH] = hash
        selector = edited(spec_of(body)["selector"])
        selector.setdefault("matchLabels", {})[HASH] = hash
        wanted = int(spec_of(body).get("replicas", 1))
        new: Json = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": namespace_of(body),
                "labels": dict(template["metadata"]["labels"]),
                "annotations": {
                    "deployment.kubernetes.io/desired-replicas": str(wanted),
                    "deployment.kubernetes.io/max-replicas": str(wanted + max(1, wanted // 4)),
                    REVISION: revision,
                },
                "ownerReferences": [owner_reference(body)],
            },
            "spec": {"replicas": wanted, "selector": selector, "template": template},
        }
        return self.store.create(new, self.clock)

    def replica_set(self, body: Json, pods: list[Json]) -> None:
        wanted = replicas(body)
        live = [p for p in pods if not deleting(p) and not finished(p)]
        for _ in range(min(LIMIT, wanted) - len(live)):
            live.append(
                self.make_pod(body, f"{name_of(body)}-{self.suffix(body)}", spec_of(body)["template"])
            )
        for pod in sorted(
            live, key=lambda p: (bool(on_node(p)), is_ready(p), -int(p["metadata"]["resourceVersion"]))
        )[: max(0, len(live) - wanted)]:
            self.drop(body, pod)
        ready = sum(is_ready(p) for p in pods if not deleting(p))
        status: Json = {
            "observedGeneration": meta(body).get("generation", 1),
            "replicas": min(wanted, len(live)),
        }
        if wanted:
            status |= {"fullyLabeledReplicas": min(wanted, len(live))}
        status |= {k: ready for k in ("readyReplicas", "availableReplicas") if ready}
        self.status(body, status)

    def daemon_set(self, body: Json, pods: list[Json]) -> None:
        template = spec_of(body)["template"]
        hash = template_hash(template)
        live = {target_node(p): p for p in pods if not deleting(p) and not finished(p)}
        wanted = []
        for node in self.store.list("Node"):
            name = name_of(node)
            if self.daemon_wanted(body, node):
                wanted.append(name)
                old = live.get(name)
                if old is not None and labels_of(old).get("controller-revision-hash") != hash:
                    self.drop(body, old)
                    old = None
                if old is None:
                    self.make_pod(
                        body, f"{name_of(body)}-{self.suffix(body)}", template, extra=pinned(name, hash)
                    )
            elif name in live:
                self.drop(body, live[name])
        for name, pod in live.items():
            if self.store.get("Node", "", name) is None:
                self.drop(body, pod)
        ready = sum(is_ready(p) for p in live.values())
        status: Json = {
            "currentNumberScheduled": len(live), "desiredNumberScheduled": len(wanted), "numberMisscheduled": 0,
            "numberReady": ready, "observedGeneration": meta(body).get("generation", 1),
            "updatedNumberScheduled": len(live),
        }  # fmt: skip
        if ready:
            status["numberAvailable"] = ready
        if len(wanted) > ready:
            status["numberUnavailable"] = len(wanted) - ready
        self.status(body, status)

    def daemon_wanted(self, body: Json, node: Json) -> bool:
        probe: Json = {
            "metadata": {"namespace": namespace_of(body)},
            "spec": edited(spec_of(body)["template"]["spec"]),
        }
        probe["spec"]["tolerations"] = [
            *(probe["spec"].get("tolerations") or []),
            *daemon_tolerations(probe["spec"]),
        ]
        for container in probe["spec"]["containers"]:
            container.pop("ports", None)
        return not refusal(self.store, probe, node)

    def stateful_set(self, body: Json, pods: list[Json]) -> None:
        spec = spec_of(body)
        wanted = min(LIMIT, replicas(body))
        live = {name_of(p): p for p in pods}
        for at in range(wanted):
            name = f"{name_of(body)}-{at}"
            pod = live.get(name)
            if pod is not None and not deleting(pod):
                if not is_ready(pod) and spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady":
                    break
                continue
            if pod is None:
                live[name] = self.make_pod(body, name, spec["template"], extra=numbered(body, at))
            if spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady":
                break
        for name, pod in sorted(live.items(), reverse=True):
            if int(name.rsplit("-", 1)[1]) >= wanted and not deleting(pod):
                self.drop(body, pod)
                break
        ready = sum(is_ready(p) for p in live.values())
        status: Json = {
            "availableReplicas": ready, "collisionCount": 0, "currentReplicas": len(live),
            "observedGeneration": meta(body).get("generation", 1), "replicas": len(live),
            "updatedReplicas": len(live),
        }  # fmt: skip
        if ready:
            status["readyReplicas"] = ready
        self.status(body, status)

    def job(self, body: Json, pods: list[Json]) -> None:
        spec = spec_of(body)
        if spec.get("suspend"):
            return
        done = sum((p.get("status") or {}).get("phase") == "Succeeded" for p in pods)
        failed = sum((p.get("status") or {}).get("phase") == "Failed" for p in pods)
        active = [p for p in pods if not finished(p) and not deleting(p)]
        wanted = int(spec.get("completions") or spec.get("parallelism") or 1)
        old = body.get("status") or {}
        status: Json = {"startTime": old.get("startTime", stamp(self.clock))}
        ended = any(c["type"] in ("Complete", "Failed") for c in old.get("conditions") or ())
        if not ended and done < wanted and failed <= int(spec.get("backoffLimit", 6)):
            room = min(replicas(body), wanted - done, LIMIT) - len(active)
            for _ in range(room):
                active.append(
                    self.make_pod(
                        body, f"{name_of(body)}-{self.suffix(body)}", spec["template"], extra=for_job(body)
                    )
                )
        status |= {k: v for k, v in (("active", len(active)), ("succeeded", done), ("failed", failed)) if v}
        status["ready"] = sum(is_ready(p) for p in active)
        if done >= wanted:
            status["conditions"] = [
                timed(
                    old,
                    "Complete",
                    True,
                    "CompletionsReached",
                    "Reached expected number of succeeded pods",
                    self.clock,
                )
            ]
            status["completionTime"] = old.get("completionTime", stamp(self.clock))
            if not ended:
                self.store.record(body, "Normal", "Completed", "Job completed", "job-controller", self.clock)
        elif failed > int(spec.get("backoffLimit", 6)):
            message = "Job has reached the specified backoff limit"
            status["conditions"] = [timed(old, "Failed", True, "BackoffLimitExceeded", message, self.clock)]
            if not ended:
                self.store.record(
                    body, "Warning", "BackoffLimitExceeded", message, "job-controller", self.clock
                )
            for pod in active:
                self.remove(pod)
        self.status(body, status)
