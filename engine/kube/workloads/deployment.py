"""Deployment: one ReplicaSet a template, moved from the old to the new by its strategy.

Theory. The set whose template equals the Deployment's is the new one. RollingUpdate grows it while no more than
replicas + maxSurge pods exist, and shrinks the others while no fewer than replicas - maxUnavailable are available, one
step a pass: pods that do not become ready stop it there, and the old ones go on serving. Recreate waits until no old
pod is left. A rollback is an old template that comes back: its set is taken up again, with a new revision. Source:
pkg/controller/deployment/{sync,rolling,recreate,progress}.go, util/deployment_util.go.

Rules. Conditions and events have the real reasons and texts. Only the sets' own status is read, never their pods,
but for Recreate.
"""

from __future__ import annotations

from engine.kube.objects import Json, deleting, meta, name_of, status_of
from engine.kube.passes import Pass
from engine.kube.podspec import finished
from engine.kube.workloads.common import owned
from engine.kube.workloads.rollout import DESIRED, MAXIMUM, Rollout, count, revision, size


def sync(at: Pass, body: Json) -> None:
    """One step of one Deployment."""
    Step(at, body).run()


class Step(Rollout):
    """What is done with the sets in one step."""

    def run(self) -> None:
        if deleting(self.body):
            self.write(self.new)
            return
        if self.spec.get("paused"):
            self.pause()
            return
        if self.resized():
            self.proportional()
            self.write(self.new)
            return
        (self.recreated if self.recreate else self.rolled)()

    def rolled(self) -> None:
        new = self.take_up()
        if new is not None and not self.grow(new) and not self.shrink(new) and self.complete():
            self.clean_up()
        self.write(self.new)

    def grow(self, new: Json) -> bool:
        if size(new) == self.wanted:
            return False
        return self.scale(new, self.wanted if size(new) > self.wanted else self.grown(size(new)))

    def shrink(self, new: Json) -> bool:
        """reconcileOldReplicaSets: first what is not available anyway, then what is available beyond the least."""
        old = [s for s in self.old() if size(s)]
        least = self.wanted - self.may_miss
        missing = size(new) - int(status_of(new).get("availableReplicas", 0))
        room = sum(size(s) for s in self.sets) - least - missing
        if not old or room <= 0:
            return False
        done = 0
        for set in old:
            sick = size(set) - int(status_of(set).get("availableReplicas", 0))
            less = min(room - done, sick)
            if less > 0:
                self.scale(set, size(set) - less)
                done += less
        spare = count(self.sets, "availableReplicas") - least
        taken = 0
        for set in [s for s in self.old() if size(s)]:
            less = min(size(set), spare - taken)
            if less > 0:
                self.scale(set, size(set) - less)
                taken += less
        return done + taken > 0

    def recreated(self) -> None:
        old = [s for s in self.old() if size(s)]
        for set in old:
            self.scale(set, 0)
        left = [p for s in self.old() for p in owned(self.at, s) if not finished(p)]
        if not old and not left:
            new = self.take_up()
            if new is not None and not self.grow(new) and self.complete():
                self.clean_up()
        self.write(self.new)

    def pause(self) -> None:
        """Paused: no new set, but the size is followed."""
        self.take_up()
        if self.deadline():
            now = self.condition("Progressing")
            if now is None or now["reason"] != "DeploymentPaused":
                self.progress(None, "DeploymentPaused", "Deployment is paused")
        self.proportional()
        self.write(self.new)

    def resized(self) -> bool:
        return any(
            (meta(s).get("annotations") or {}).get(DESIRED, str(self.wanted)) != str(self.wanted)
            for s in self.sets
            if size(s)
        )

    def proportional(self) -> None:
        """scale() of sync.go: one set takes all of a change; in the middle of a rollout each its share."""
        new = self.new
        live = [s for s in self.sets if size(s)]
        if len(live) <= 1:
            only = live[0] if live else new if new is not None else (self.sets[-1] if self.sets else None)
            if only is not None:
                self.scale(only, self.wanted)
            return
        if new is not None and size(new) == self.wanted == int(status_of(new).get("availableReplicas", 0)):
            for set in self.old():
                if size(set):
                    self.scale(set, 0)
            return
        if self.recreate:
            return
        limit = self.wanted + self.surge if self.wanted else 0
        change = limit - sum(size(s) for s in live)
        # The largest first; of equal ones the newest grows first, and the oldest shrinks first.
        live.sort(key=lambda s: str(meta(s)["creationTimestamp"]), reverse=change > 0)
        live.sort(key=size, reverse=True)
        sizes: dict[str, int] = {}
        used = 0
        for set in live:
            most = int((meta(set).get("annotations") or {}).get(MAXIMUM, self.wanted + self.surge)) or 1
            part = int(size(set) * limit / most + 0.5) - size(set)
            left = change - used
            part = min(max(part, 0), left) if change > 0 else max(min(part, 0), left)
            sizes[name_of(set)] = size(set) + part
            used += part
        first = name_of(live[0])
        sizes[first] = max(0, sizes[first] + change - used)
        for set in live:
            self.scale(set, sizes[name_of(set)])

    def clean_up(self) -> None:
        """Old sets beyond revisionHistoryLimit that hold nothing go, the oldest first."""
        limit = int(self.spec.get("revisionHistoryLimit", 10))
        empty = [
            s for s in self.old() if not size(s) and not status_of(s).get("replicas") and not deleting(s)
        ]
        for set in sorted(empty, key=revision)[: max(0, len(self.old()) - limit)]:
            self.at.delete(set)
