"""StatefulSet: pods with a number, made, replaced and removed in order (pkg/controller/statefulset).

Theory. With OrderedReady the next pod is made when all before it are ready, and the highest goes first. An update
goes down from the highest number to the partition, one pod (or maxUnavailable) at a time, and waits for each to become
available. A pod below the partition comes back in the old revision. Parallel makes and removes all at once, but updates
the same way.
"""

from __future__ import annotations

from engine.kube.objects import Json, deleting, labels_of, meta, name_of, spec_of, status_of
from engine.kube.ownership import LIMIT, is_ready, numbered, replicas
from engine.kube.passes import Pass
from engine.kube.podspec import finished
from engine.kube.workloads import history, queue
from engine.kube.workloads.common import available, available_at, drop, make_pod, owned, share, write_status


def sync(at: Pass, body: Json) -> None:
    """One step towards the pods that it asks for."""
    if deleting(body):
        return
    update = history.current(at, body)
    if update is None:
        return
    name = str(status_of(body).get("currentRevision") or name_of(update))
    current = next((r for r in history.revisions(at, body) if name_of(r) == name), update)
    Step(at, body, current, update).run()


def ordinal(pod: Json) -> int:
    tail = name_of(pod).rpartition("-")[2]
    return int(tail) if tail.isdigit() else -1


class Step:
    """A StatefulSet and its pods by number, in one step."""

    def __init__(self, at: Pass, body: Json, current: Json, update: Json) -> None:
        self.at = at
        self.body = body
        self.spec = spec_of(body)
        self.current = current
        self.update = update
        self.ordered = self.spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        start = int((self.spec.get("ordinals") or {}).get("start") or 0)
        self.wanted = range(start, start + min(LIMIT, replicas(body)))
        self.minimum = int(self.spec.get("minReadySeconds") or 0)
        strategy = self.spec.get("updateStrategy") or {}
        rolling = strategy.get("rollingUpdate") or {}
        self.by_hand = strategy.get("type", "RollingUpdate") == "OnDelete"
        self.partition = int(rolling.get("partition") or 0)
        self.gone = max(1, share(rolling.get("maxUnavailable", 1), len(self.wanted), up=True))

    def pods(self) -> dict[int, Json]:
        return {ordinal(p): p for p in owned(self.at, self.body)}

    def healthy(self, pod: Json | None) -> bool:
        return pod is not None and not deleting(pod) and available(pod, self.minimum, self.at.now)

    def run(self) -> None:
        if self.make() and self.remove() and not self.by_hand:
            self.replace()
        self.count()

    def template(self, number: int) -> tuple[Json, str]:
        """The template and the revision that a new pod gets: the old one below the partition, while it counts."""
        old = number < self.partition or (
            self.partition == 0 and name_of(self.current) != name_of(self.update) and self.by_hand
        )
        revision = self.current if old else self.update
        return {k: v for k, v in revision["data"]["spec"]["template"].items() if k != "$patch"}, name_of(
            revision
        )

    def make(self) -> bool:
        """Pods that are missing, in order; failed ones are removed first. False while one has to be waited for."""
        pods, calm = self.pods(), True
        for number in self.wanted:
            pod = pods.get(number)
            if pod is not None and finished(pod) and not deleting(pod):
                drop(self.at, self.body, pod)
                pod = self.pods().get(number)
            if pod is None:
                template, revision = self.template(number)
                make_pod(
                    self.at, self.body, template, name=f"{name_of(self.body)}-{number}",
                    extra=numbered(self.body, number, revision),
                )  # fmt: skip
                if self.ordered:
                    return False
                calm = False
            elif self.ordered and not self.healthy(pod):
                return False
        return calm

    def remove(self) -> bool:
        """Pods beyond the wanted numbers, the highest first. False while one is on its way out."""
        calm = True
        for number, pod in sorted(self.pods().items(), reverse=True):
            if number in self.wanted:
                continue
            calm = False
            if not deleting(pod):
                drop(self.at, self.body, pod)
            if self.ordered:
                return False
        return calm

    def replace(self) -> None:
        """The update, from the highest number down to the partition."""
        pods = self.pods()
        name = name_of(self.update)
        missing = sum(not self.healthy(pods.get(n)) for n in self.wanted)
        for number in sorted((n for n in self.wanted if n >= self.partition), reverse=True):
            pod = pods.get(number)
            if pod is None:
                continue
            if labels_of(pod).get(history.LABEL) != name and not deleting(pod):
                sick = not self.healthy(pod)
                if not sick and missing >= self.gone:
                    return
                drop(self.at, self.body, pod)
                missing += not sick
                if self.gone == 1:
                    return
            elif not self.healthy(pod) and self.gone == 1:
                return

    def count(self) -> None:
        pods = [p for n, p in sorted(self.pods().items())]
        live = [p for p in pods if not deleting(p)]
        queue.again(self.at, self.body, available_at(live, self.minimum, self.at.now))
        made = [p for p in pods if not finished(p)]
        old = status_of(self.body)
        current, update = name_of(self.current), name_of(self.update)
        new = sum(labels_of(p).get(history.LABEL) == update for p in live)
        fit = sum(self.healthy(p) for p in pods)
        if new == len(self.wanted) == len(made) and fit == len(made):
            current = update
        status: Json = {
            "availableReplicas": fit, "collisionCount": int(old.get("collisionCount", 0)),
            "currentRevision": current, "observedGeneration": meta(self.body).get("generation", 1),
            "replicas": len(made), "updateRevision": update,
        }  # fmt: skip
        counts = {
            "currentReplicas": sum(labels_of(p).get(history.LABEL) == current for p in live),
            "readyReplicas": sum(is_ready(p) for p in made), "updatedReplicas": new,
        }  # fmt: skip
        write_status(self.at, self.body, status | {k: v for k, v in counts.items() if v})
        used = {current, update, *(str(labels_of(p).get(history.LABEL, "")) for p in pods)}
        history.clean_up(self.at, self.body, used)
