"""A Deployment with its ReplicaSets: finding, making and scaling them, and what the Deployment says of itself.

Theory. The set whose template equals the Deployment's is the new one; each set carries its revision, and how large all
may be together. Progressing tells how a rollout stands: it is counted as moving while more pods are new, ready or
available than before, and timed out when nothing has moved for progressDeadlineSeconds. Source:
pkg/controller/deployment/{sync,progress}.go, util/deployment_util.go.
"""

from __future__ import annotations

from engine.kube.clock import clock_of, stamp
from engine.kube.ids import template_hash
from engine.kube.objects import (
    Json,
    deleting,
    edited,
    labels_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from engine.kube.ownership import HASH, REVISION, owner_reference
from engine.kube.passes import Pass
from engine.kube.select import matches
from engine.kube.workloads import queue
from engine.kube.workloads.common import owned, share, write_status

DESIRED, MAXIMUM = "deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas"
HISTORY = "deployment.kubernetes.io/revision-history"
#: Annotations of a Deployment that its sets do not get.
OWN = frozenset({"kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MAXIMUM,
                 "deprecated.deployment.rollback.to"})  # fmt: skip
NEW_AVAILABLE, UPDATED, TIMED_OUT = "NewReplicaSetAvailable", "ReplicaSetUpdated", "ProgressDeadlineExceeded"


def size(body: Json) -> int:
    return int(spec_of(body).get("replicas", 1))


def count(sets: list[Json], field: str) -> int:
    return sum(int(status_of(s).get(field, 0)) for s in sets)


def plain_template(template: Json) -> Json:
    """A template without the label that a set adds."""
    m = dict(template.get("metadata") or {})
    labels = {k: v for k, v in (m.get("labels") or {}).items() if k != HASH}
    m = {k: v for k, v in m.items() if k not in ("labels", "creationTimestamp")} | (
        {"labels": labels} if labels else {}
    )
    return {"metadata": m, "spec": template.get("spec")}


def revision(body: Json) -> int:
    text = str((meta(body).get("annotations") or {}).get(REVISION, "0"))
    return int(text) if text.isdigit() else 0


class Rollout:
    """A Deployment and its sets, oldest first."""

    def __init__(self, at: Pass, body: Json) -> None:
        self.at = at
        self.body = body
        self.key = (namespace_of(body), name_of(body))
        self.spec = spec_of(body)
        self.wanted = size(body)
        rolling = (self.spec.get("strategy") or {}).get("rollingUpdate") or {}
        self.recreate = (self.spec.get("strategy") or {}).get("type") == "Recreate"
        self.surge = 0 if self.recreate else share(rolling.get("maxSurge", "25%"), self.wanted, up=True)
        gone = share(rolling.get("maxUnavailable", "25%"), self.wanted, up=False)
        if not self.recreate and self.surge == 0 and gone == 0:
            gone = 1
        self.may_miss = min(gone, self.wanted) if not self.recreate else 0
        self.sets = self.claim()
        #: the names of the sets, and the place of the new one among them: a step changes no template
        self._new: tuple[list[str], int | None] | None = None

    # ---- the sets

    def claim(self) -> list[Json]:
        """The sets that it owns; one with its labels that belongs to nobody becomes its own."""
        mine = owned(self.at, self.body, "ReplicaSet")
        free = [] if deleting(self.body) else self.at.store.orphans("ReplicaSet", namespace_of(self.body))
        for row in free:
            if matches(self.spec.get("selector"), labels_of(row)):
                references = [*(meta(row).get("ownerReferences") or ()), owner_reference(self.body)]
                mine.append(
                    self.at.store.update({**row, "metadata": {**meta(row), "ownerReferences": references}})
                )
        return sorted(mine, key=lambda s: (str(meta(s)["creationTimestamp"]), name_of(s)))

    @property
    def new(self) -> Json | None:
        """The set of the template as it is now."""
        names = [name_of(s) for s in self.sets]
        if self._new is None or self._new[0] != names:
            wanted = plain_template(self.spec["template"])
            same = (plain_template(spec_of(s)["template"]) == wanted for s in self.sets)
            self._new = (names, next((n for n, alike in enumerate(same) if alike), None))
        at = self._new[1]
        return None if at is None else self.sets[at]

    def old(self) -> list[Json]:
        new = self.new
        return [s for s in self.sets if new is None or name_of(s) != name_of(new)]

    def put(self, changed: Json) -> Json:
        """Store a set and keep it in the list."""
        stored = self.at.store.update(changed)
        self.sets = [stored if name_of(s) == name_of(stored) else s for s in self.sets]
        return stored

    def annotated(self, body: Json, number: str) -> Json:
        """A set's metadata with the Deployment's annotations, its revision, and how large all may be."""
        notes = dict(meta(body).get("annotations") or {})
        notes |= {k: v for k, v in (meta(self.body).get("annotations") or {}).items() if k not in OWN}
        was = str(notes.get(REVISION, ""))
        if was != number and int(was or 0) < int(number):
            if was:
                notes[HISTORY] = ",".join([*filter(None, [notes.get(HISTORY, "")]), was])
            notes[REVISION] = number
        notes |= {DESIRED: str(self.wanted), MAXIMUM: str(self.wanted + self.surge)}
        return {**meta(body), "annotations": notes}

    def take_up(self) -> Json | None:
        """The new set, made if it is not there and may be made; its revision is the highest."""
        found = self.new
        number = str(1 + max((revision(s) for s in self.old()), default=0))
        if found is None:
            if self.spec.get("paused"):
                return None
            found = self.make(number)
            if found is None:
                return None
        else:
            changed = {**found, "metadata": self.annotated(found, number)}
            minimum = self.spec.get("minReadySeconds")
            if minimum and spec_of(found).get("minReadySeconds") != minimum:
                changed["spec"] = {**spec_of(found), "minReadySeconds": minimum}
            if changed != found:
                found = self.put(changed)
            if self.condition("Progressing") is None and self.deadline():
                self.progress(True, "FoundNewReplicaSet", f'Found new replica set "{name_of(found)}"')
        number = str(revision(found))
        notes = meta(self.body).get("annotations") or {}
        if notes.get(REVISION) != number:
            m = {**meta(self.body), "annotations": {**notes, REVISION: number}}
            self.body = self.at.store.update({**self.fresh(), "metadata": m})
        return found

    def fresh(self) -> Json:
        return self.at.store.get("Deployment", *self.key) or self.body

    def make(self, number: str) -> Json | None:
        """A new set with as many pods as it may have at once; None when the server refuses it."""
        hash = template_hash(self.spec["template"])
        name = f"{name_of(self.body)}-{hash}"
        template = edited(self.spec["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})[HASH] = hash
        selector = edited(self.spec["selector"])
        selector.setdefault("matchLabels", {})[HASH] = hash
        amount = self.grown(0)
        spec: Json = {"replicas": amount, "selector": selector, "template": template}
        if self.spec.get("minReadySeconds"):
            spec["minReadySeconds"] = self.spec["minReadySeconds"]
        body: Json = {
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": name, "namespace": namespace_of(self.body),
                "labels": dict(template["metadata"]["labels"]), "ownerReferences": [owner_reference(self.body)],
            },
            "spec": spec,
        }  # fmt: skip
        body["metadata"] = self.annotated(body, number)
        made = self.at.try_create(body)
        if made is None:
            return None
        self.sets.append(made)
        if self.deadline():
            self.progress(True, "NewReplicaSetCreated", f'Created new replica set "{name}"')
        if amount:
            self.say("up", name, 0, amount)
        return made

    def say(self, way: str, name: str, was: int, now: int) -> None:
        text = f"Scaled {way} replica set {name} from {was} to {now}"
        self.at.store.record(
            self.body, "Normal", "ScalingReplicaSet", text, "deployment-controller", self.at.now
        )

    def scale(self, set: Json, to: int) -> bool:
        """Give a set another size. True when it had another."""
        was = size(set)
        notes = {**(meta(set).get("annotations") or {}), DESIRED: str(self.wanted),
                 MAXIMUM: str(self.wanted + self.surge)}  # fmt: skip
        if was == to and notes == meta(set).get("annotations"):
            return False
        self.put(
            {**set, "metadata": {**meta(set), "annotations": notes}, "spec": {**spec_of(set), "replicas": to}}
        )
        if was != to:
            self.say("up" if to > was else "down", name_of(set), was, to)
        return was != to

    def grown(self, has: int) -> int:
        """NewRSNewReplicas: the size of the new set, which has `has`, now."""
        if self.recreate:
            return self.wanted
        room = self.wanted + self.surge - sum(size(s) for s in self.sets)
        return has if room <= 0 else has + min(room, self.wanted - has)

    # ---- what it says of itself

    def deadline(self) -> int:
        """progressDeadlineSeconds; 0 where it is switched off (math.MaxInt32)."""
        seconds = int(self.spec.get("progressDeadlineSeconds", 600))
        return 0 if seconds == 2**31 - 1 else seconds

    def condition(self, kind: str) -> Json | None:
        rows = status_of(self.fresh()).get("conditions") or ()
        return next((c for c in rows if c["type"] == kind), None)

    def complete(self) -> bool:
        status = status_of(self.fresh())
        return all(
            int(status.get(k, 0)) == self.wanted for k in ("updatedReplicas", "replicas", "availableReplicas")
        ) and int(status.get("observedGeneration", 0)) >= int(meta(self.body).get("generation", 1))

    def progress(self, good: bool | None, reason: str, message: str) -> None:
        """Write the condition Progressing now; None is Unknown."""
        body = self.fresh()
        rows = [c for c in status_of(body).get("conditions") or () if c["type"] != "Progressing"]
        rows.append(self.row("Progressing", good, reason, message))
        status = {**status_of(body), "conditions": rows}
        self.body = self.at.store.update({**body, "metadata": dict(meta(body)), "status": status})

    def row(self, kind: str, good: bool | None, reason: str, message: str) -> Json:
        """A condition of now; its transition time stays while its status does."""
        state, old, now = "Unknown" if good is None else str(good), self.condition(kind), stamp(self.at.now)
        kept = old is not None and old["status"] == state
        since = old["lastTransitionTime"] if old is not None and kept else now
        return {"lastTransitionTime": since, "lastUpdateTime": now, "message": message, "reason": reason,
                "status": state, "type": kind}  # fmt: skip

    def write(self, new: Json | None) -> None:
        """syncRolloutStatus: the counts, and the conditions Available and Progressing."""
        stored = self.fresh()
        before = status_of(stored)
        have, fit = sum(size(s) for s in self.sets), count(self.sets, "availableReplicas")
        fresh = [new] if new is not None else []
        counts = {
            "replicas": count(self.sets, "replicas"), "updatedReplicas": count(fresh, "replicas"),
            "readyReplicas": count(self.sets, "readyReplicas"), "availableReplicas": fit,
            "unavailableReplicas": max(0, have - fit),
        }  # fmt: skip
        status: Json = {"observedGeneration": meta(stored).get("generation", 1)}
        status |= {k: v for k, v in counts.items() if v}
        good = fit >= self.wanted - self.may_miss
        reason = "MinimumReplicasAvailable" if good else "MinimumReplicasUnavailable"
        said = f"Deployment {'has' if good else 'does not have'} minimum availability."
        old = self.condition("Available")
        same = old is not None and (old["status"], old["reason"]) == (str(good), reason)
        available = old if same and old is not None else self.row("Available", good, reason, said)
        progressing = self.progressing(new, status, before)
        order = [c["type"] for c in before.get("conditions") or ()]
        rows = [r for r in (available, progressing) if r is not None]
        if (
            "Progressing" in order
            and "Available" in order
            and order.index("Progressing") < order.index("Available")
        ):
            rows.reverse()
        status["conditions"] = rows
        stored = write_status(self.at, self.body, status)
        if [new] == self.sets:  # else the next look may find an old set that can go
            queue.done(self.at, stored)

    def progressing(self, new: Json | None, status: Json, before: Json) -> Json | None:
        now = self.condition("Progressing")
        limit = self.deadline()
        if not limit or self.spec.get("paused"):
            return now
        if (
            now is not None
            and now["reason"] == NEW_AVAILABLE
            and status.get("replicas", 0) == status.get("updatedReplicas", 0)
        ):
            return now
        what = f'ReplicaSet "{name_of(new)}"' if new is not None else f'Deployment "{name_of(self.body)}"'
        done = all(
            int(status.get(k, 0)) == self.wanted for k in ("updatedReplicas", "replicas", "availableReplicas")
        )
        if done:
            return self.row("Progressing", True, NEW_AVAILABLE, f"{what} has successfully progressed.")
        if moved(status, before):
            return self.timer(self.row("Progressing", True, UPDATED, f"{what} is progressing."), limit)
        if now is None:
            return None
        if now["reason"] == TIMED_OUT or self.at.now > clock_of(now["lastUpdateTime"]) + limit:
            return (
                now
                if now["reason"] == TIMED_OUT
                else self.row("Progressing", False, TIMED_OUT, f"{what} has timed out progressing.")
            )
        return self.timer(now, limit)

    def timer(self, row: Json, limit: int) -> Json:
        queue.again(self.at, self.body, clock_of(row["lastUpdateTime"]) + limit + 1)
        return row


def moved(status: Json, before: Json) -> bool:
    """DeploymentProgressing: more is updated, ready or available than before, or less of the old is left."""

    def get(of: Json, field: str) -> int:
        return int(of.get(field, 0))

    more = any(
        get(status, k) > get(before, k) for k in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    left = get(status, "replicas") - get(status, "updatedReplicas")
    return more or left < get(before, "replicas") - get(before, "updatedReplicas")
