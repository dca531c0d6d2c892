"""Job: pods until enough of them have succeeded (pkg/controller/job).

Theory. Up to `parallelism` pods run at once until `completions` have succeeded. Each failure delays the next pod, 10 s
and twice as long each time, up to ten minutes; more than backoffLimit failures end the Job, as does
activeDeadlineSeconds. With restartPolicy OnFailure the restarts of containers count as failures. With completionMode
Indexed each pod has a number (in its name, its host name, a label and JOB_COMPLETION_INDEX), and each number has to
succeed once. Without completions the first success ends it, when the pods that still run have ended.
"""

from __future__ import annotations

from engine.kube.clock import clock_of, stamp
from engine.kube.objects import Json, deleting, meta, name_of, namespace_of, spec_of, status_of
from engine.kube.ownership import LIMIT, for_job, is_ready, replicas
from engine.kube.passes import Pass
from engine.kube.podspec import finished
from engine.kube.workloads import queue
from engine.kube.workloads.common import make_pod, owned, record, write_status

INDEX = "batch.kubernetes.io/job-completion-index"
BACKOFF, BACKOFF_MAX = 10.0, 600.0
#: the release since which a terminal condition has another before it (newSuccessCondition, newFailureCondition)
TARGETED = 31
TARGETS = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}


def sync(at: Pass, body: Json) -> None:
    """Pods that are missing, and how the Job stands."""
    spec, old = spec_of(body), status_of(body)
    if deleting(body):
        return
    ended = any(
        c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in old.get("conditions") or ()
    )
    if spec.get("suspend") and not ended:
        for pod in owned(at, body):
            if not finished(pod) and not deleting(pod):
                at.delete(pod)
        return
    if ended:
        expire(at, body)
        return
    pods = owned(at, body)
    good = [p for p in pods if status_of(p).get("phase") == "Succeeded"]
    indexed = spec.get("completionMode") == "Indexed"
    done = len({index_of(p) for p in good}) if indexed else len(good)
    failed = [p for p in pods if status_of(p).get("phase") == "Failed"]
    active = [p for p in pods if not finished(p) and not deleting(p)]
    completions = spec.get("completions")
    wanted = int(completions or 1) if completions or not spec.get("parallelism") else 1
    limit = int(spec.get("backoffLimit", 6))
    start = str(old.get("startTime") or stamp(at.now))
    fault = failure(at, spec, pods, len(failed), limit, start)
    finish = completions is None and done > 0 and not active
    if not fault and done < wanted and not finish:
        again = after_failure(failed)
        if again > at.now:
            queue.again(at, body, again)
        else:
            room = min(replicas(body), wanted - done if completions else replicas(body), LIMIT) - len(active)
            taken = {index_of(p) for p in (*good, *active)}
            free = [n for n in range(wanted) if n not in taken] if indexed else []
            for at_most in range(room if completions or not done else 0):
                number = free[at_most] if indexed else -1
                if (made := make(at, body, number)) is None:
                    break
                active.append(made)
    status: Json = {"startTime": start}
    if fault:
        for pod in active:
            at.delete(pod)
        status["conditions"] = conditions(at, "Failed", *fault)
        record(at, body, "Warning", *fault)
        active = []
    elif done >= wanted and (completions is not None or not active):
        reason, said = "CompletionsReached", "Reached expected number of succeeded pods"
        status["conditions"] = conditions(at, "Complete", reason, said)
        status["completionTime"] = stamp(at.now)
        record(at, body, "Normal", "Completed", "Job completed")
    elif (seconds := spec.get("activeDeadlineSeconds")) is not None:
        queue.again(at, body, clock_of(start) + int(seconds))
    counts = (("active", len(active)), ("succeeded", done), ("failed", len(failed)))
    status |= {k: v for k, v in counts if v}
    status["ready"] = sum(is_ready(p) for p in active)
    if indexed and done:
        status["completedIndexes"] = ranges({index_of(p) for p in good})
    body = write_status(at, body, status)
    if "conditions" in status:
        expire(at, body)


def conditions(at: Pass, last: str, reason: str, message: str) -> list[Json]:
    """The conditions of a Job that has ended: since 1.31 with the one that says that it will."""
    now = stamp(at.now)
    return [
        {
            "type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now, "reason": reason,
            "message": message,
        }
        for kind in ((TARGETS[last], last) if at.options.minor >= TARGETED else (last,))
    ]  # fmt: skip


def index_of(pod: Json) -> int:
    """The number of a pod of an Indexed Job; -1 without one."""
    return int((meta(pod).get("annotations") or {}).get(INDEX, -1))


def make(at: Pass, body: Json, number: int) -> Json | None:
    """One more pod; `number` -1 for a Job that does not count them."""
    template = spec_of(body)["template"]
    if number < 0:
        return make_pod(at, body, template, extra=for_job(body))

    def put(pod: Json) -> None:
        for_job(body)(pod)
        pod["metadata"].setdefault("annotations", {})[INDEX] = str(number)
        pod["metadata"]["labels"][INDEX] = str(number)
        pod["spec"].setdefault("hostname", f"{name_of(body)}-{number}")
        path = {"valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}}
        for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]):
            container["env"] = [*(container.get("env") or ()), {"name": "JOB_COMPLETION_INDEX", **path}]

    head = f"{name_of(body)}-{number}-"
    name = head + at.ids.suffix(f"pod/Job/{namespace_of(body)}/{head}")
    return make_pod(at, body, template, name=name, extra=put)


def ranges(numbers: set[int]) -> str:
    """`0-2,4`, as completedIndexes has it."""
    parts: list[list[int]] = []
    for n in sorted(numbers):
        if parts and parts[-1][-1] == n - 1:
            parts[-1] = [parts[-1][0], n]
        else:
            parts.append([n])
    return ",".join("-".join(str(n) for n in part) for part in parts)


def failure(
    at: Pass, spec: Json, pods: list[Json], failed: int, limit: int, start: str
) -> tuple[str, str] | None:
    """(reason, message) for which a Job fails now."""
    if failed > limit or (
        spec["template"]["spec"].get("restartPolicy") == "OnFailure" and restarts(pods) > limit
    ):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    seconds = spec.get("activeDeadlineSeconds")
    if seconds is not None and at.now >= clock_of(start) + int(seconds):
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    return None


def restarts(pods: list[Json]) -> int:
    return sum(
        int(c.get("restartCount", 0)) for p in pods for c in status_of(p).get("containerStatuses") or ()
    )


def after_failure(failed: list[Json]) -> float:
    """When the next pod may come after the failures so far; 0 without any."""
    ends = sorted(ended_at(p) for p in failed)
    if not ends:
        return 0.0
    delay = BACKOFF if len(ends) == 1 else min(BACKOFF * 2.0 ** (len(ends) - 1), BACKOFF_MAX)
    return ends[-1] + delay


def ended_at(pod: Json) -> float:
    times = [
        clock_of(str(t["finishedAt"]))
        for c in status_of(pod).get("containerStatuses") or ()
        if (t := (c.get("state") or {}).get("terminated"))
    ]
    return max(times, default=0.0)


def expire(at: Pass, body: Json) -> None:
    """ttlSecondsAfterFinished: an ended Job goes by itself."""
    seconds = spec_of(body).get("ttlSecondsAfterFinished")
    if seconds is None:
        return
    ends = [clock_of(str(c["lastTransitionTime"])) for c in status_of(body).get("conditions") or ()]
    when = max(ends, default=at.now) + int(seconds)
    if when <= at.now:
        at.delete(body)
    else:
        queue.again(at, body, when)
