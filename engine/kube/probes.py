"""kubelet's probes as a value: when each is asked, what its answers add up to, what a container is because of them.

Theory. Every probe of a container has a worker that ticks each periodSeconds. It is quiet until initialDelaySeconds
after the container's start; liveness and readiness are quiet too until the startup probe has succeeded.
successThreshold or failureThreshold equal answers in a row make a result; before that readiness counts as failed,
liveness as succeeded, startup as not yet known. A liveness or startup probe that has failed is not asked again until
there is a new container. Readiness is asked at once when a container has started, without waiting for a tick. Source:
pkg/kubelet/prober (worker.go, prober_manager.go).

Rules. A `Worker` is frozen; `probing.py` asks. A worker whose answer cannot change (nothing was done to the machines
since it was asked, and its result stands) has no due time: its ticks are counted when somebody next looks, with the
events that they would have made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor

from engine.kube.objects import Json, spec_of
from engine.kube.stirred import HARMLESS
from engine.l7.behave import FOREVER
from engine.linux.ops.base import Op
from engine.record import dataclass, replace

STARTUP, LIVENESS, READINESS = "startup", "liveness", "readiness"
KINDS = (STARTUP, LIVENESS, READINESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one asking gave. `good` None: the probe could not be carried out, and the answer is thrown away."""

    good: bool | None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One probe of one run of a container. Times are virtual seconds. Ticks are at `began` plus whole periods; those
    up to `done` have been counted; `at_once` is a tick out of turn. `asked` is the length of the log of ops when
    `answer` was given; `row` counts answers equal to `last`. `result` None: none yet."""

    container: str
    began: float
    started: float
    done: float
    at_once: float = FOREVER
    asked: int = -1
    answer: Answer | None = None
    last: bool | None = None
    row: int = 0
    result: bool | None = None
    hold: bool = False

    def settled(self, probe: Json) -> bool:
        """Does another answer like the last one change nothing?"""
        answer = self.answer
        if answer is None:
            return False
        return answer.good is None or (
            answer.good == self.result and self.row >= threshold(probe, answer.good)
        )


def counted(worker: Worker, probe: Json, kind: str, good: bool) -> Worker:
    """The worker after one more answer."""
    row = worker.row + 1 if worker.last is good else 1
    worker = replace(worker, last=good, row=row)
    if row < threshold(probe, good):
        return worker
    over = kind != READINESS and not good
    return replace(worker, result=good, hold=over, row=0 if over else row)


def threshold(probe: Json, good: bool) -> int:
    return int(probe.get("successThreshold" if good else "failureThreshold") or (1 if good else 3))


def period(probe: Json) -> int:
    return int(probe.get("periodSeconds") or 10)


def next_tick(worker: Worker, probe: Json, free: float) -> float:
    """When the worker asks next; infinity while it is on hold. `free` is when the startup probe let go (the start of
    the container where there is none, infinity while it has not succeeded)."""
    if worker.hold or free == FOREVER:
        return FOREVER
    quiet = max(free, worker.started + int(probe.get("initialDelaySeconds") or 0))
    if worker.at_once != FOREVER:
        return worker.at_once if worker.at_once >= quiet else later(worker, probe, quiet)
    return later(worker, probe, quiet)


def later(worker: Worker, probe: Json, quiet: float) -> float:
    """The first whole period after what was counted that is not before `quiet`."""
    every = period(probe)
    past = floor((worker.done - worker.began) / every) + 1
    return worker.began + every * max(past, ceil((quiet - worker.began) / every))


def free_since(workers: Mapping[str, Worker], key: str, container: Json, kind: str, started: float) -> float:
    """When liveness and readiness of a container may begin; the startup probe itself always may, until it succeeds."""
    if not container.get("startupProbe"):
        return started
    startup = workers.get(f"{key}/{STARTUP}")
    over = startup is not None and startup.result is True
    if kind == STARTUP:
        return FOREVER if over else started
    return startup.done if startup is not None and over else FOREVER


def touched(worker: Worker, probe: Json, stirred: int, log: Sequence[Op]) -> bool:
    """Was anything done since a probe was asked that it could notice? `stirred` is what its node says. A command and
    a host of its own may depend on any machine."""
    if worker.asked < stirred or worker.asked > len(log):
        return True
    away = probe.get("exec") or any((probe.get(k) or {}).get("host") for k in ("httpGet", "tcpSocket"))
    return bool(away) and any(not isinstance(op, HARMLESS) for op in log[worker.asked :])


def due(
    workers: Mapping[str, Worker], uid: str, pod: Json, runs: Mapping[str, int], log: Sequence[Op]
) -> float:
    """When a probe of this pod has to be asked again: infinity when no answer can change. `runs` tells of each of its
    running containers where in the log its surroundings were stirred last."""
    times = [FOREVER]
    for container in spec_of(pod).get("containers") or ():
        key = f"{uid}/{container['name']}"
        for kind in KINDS:
            probe, worker = container.get(f"{kind}Probe"), workers.get(f"{key}/{kind}")
            if probe and worker is not None and worker.container in runs:
                free = free_since(workers, key, container, kind, worker.started)
                if not worker.settled(probe) or touched(worker, probe, runs[worker.container], log):
                    times.append(next_tick(worker, probe, free))
    return min(times)


def started(workers: Mapping[str, Worker], uid: str, container: Json, run: str) -> bool:
    """The `started` of a running container."""
    if not container.get("startupProbe"):
        return True
    worker = workers.get(f"{uid}/{container['name']}/{STARTUP}")
    return worker is not None and worker.container == run and worker.result is True


def ready(workers: Mapping[str, Worker], uid: str, container: Json, run: str) -> bool:
    """The `ready` of a running container."""
    if not started(workers, uid, container, run):
        return False
    if not container.get("readinessProbe"):
        return True
    worker = workers.get(f"{uid}/{container['name']}/{READINESS}")
    return worker is not None and worker.container == run and worker.result is True


def failed(workers: Mapping[str, Worker], uid: str, name: str, run: str) -> str:
    """The probe (liveness, startup) because of which a running container has to go; "" for none."""
    for kind in (LIVENESS, STARTUP):
        worker = workers.get(f"{uid}/{name}/{kind}")
        if worker is not None and worker.container == run and worker.result is False:
            return kind
    return ""
