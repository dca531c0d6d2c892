"""kubectl drain: cordon, then evict (k8s.io/kubectl/pkg/cmd/drain, pkg/drain).

Theory. Each pod of the node goes through the filters in their order; one error stops the whole node. An eviction
asks the disruption budgets: where one forbids it, the server answers 429 and kubectl asks again every five seconds.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.kube.objects import (
    Json,
    controller_of,
    labels_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from engine.kube.podspec import on_node
from engine.kube.select import matches
from engine.kube.staticpods import is_mirror
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import Client, connect
from engine.shell.tools.kubectl_.flags import Line, flag, parse, switch
from engine.shell.tools.kubectl_.nodes import mark, named_nodes
from engine.shell.tools.kubectl_.selectors import local_selector
from engine.shell.tools.kubectl_.wait import pass_time, seconds
from engine.shell.tools.kubectl_.write import DRY, dry_run

FLAGS = (
    switch("force"), switch("ignore-daemonsets"), switch("delete-emptydir-data"), flag("grace-period"),
    flag("timeout"), flag("pod-selector"), switch("disable-eviction"), flag("skip-wait-for-delete-timeout"),
    flag("chunk-size"), DRY, flag("selector", "l"),
)  # fmt: skip
#: How long an endless drain goes on here before it is interrupted, in virtual seconds.
PATIENCE = 60.0
RETRY = 5.0
FOR_EVER = Phrase(
    en="kubectl drain would ask again for ever; after {seconds} s it was interrupted here (Ctrl-C)",
    ko="kubectl drain은 끝없이 다시 시도하므로 {seconds}초 뒤에 여기서 중단했습니다 (Ctrl-C)",
)
BUDGET = "Cannot evict pod as it would violate the pod's disruption budget."

DAEMON_FATAL = "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
DAEMON_WARNING = "ignoring DaemonSet-managed Pods"
LOCAL_FATAL = "Pods with local storage (use --delete-emptydir-data to override)"
BARE_FATAL = "Pods that declare no controller (use --force to override)"
BARE_WARNING = "deleting Pods that declare no controller"


#: What is printed, in order: ("out" or "err", a line).
Log = list[tuple[str, str]]


def drain(ctx: Context, argv: list[str]) -> Out:
    line = parse("drain", argv, FLAGS)
    client = connect(ctx, line)
    dry = dry_run(line)
    rows = named_nodes(client, line)
    log: Log = [("out", x) for x in mark(client, rows, on=True, dry=dry)]
    client.settle()
    pending: list[tuple[str, list[str]]] = []
    for node in rows:
        try:
            failed = one(client, line, name_of(node), dry, log)
        except Stopped as stopped:
            return shown(stopped.log, 130)
        if failed:
            pending.append((name_of(node), failed))
            why = f'error: unable to drain node "{name_of(node)}" due to error: {joined(failed)}'
            log.append(("err", f"{why}, continuing command..."))
        else:
            log.append(("out", f"node/{name_of(node)} drained{dry}"))
    if pending:
        log.append(("err", "There are pending nodes to be drained:"))
        log += [("err", f" {name}") for name, _ in pending]
        texts = [text for _, failed in pending for text in failed]
        log += [("err", text) for text in texts]
    return shown(log, 1 if pending else 0)


def shown(log: Log, code: int) -> Out:
    return Out.mixed(tuple((stream, text + "\n") for stream, text in log), code)


class Stopped(Exception):
    """An endless drain was interrupted; `log` is what it printed."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log


def joined(rows: list[str]) -> str:
    """An aggregate of errors: alone as it is, several in brackets."""
    return rows[0] if len(rows) == 1 else f"[{', '.join(rows)}]"


def one(client: Client, line: Line, node: str, dry: str, log: Log) -> list[str]:
    """Drain one node: the errors that stop it."""
    chosen: list[Json] = []
    fatal: dict[str, list[str]] = {}
    warned: dict[str, list[str]] = {}
    for pod in pods_on(client, line, node):
        goes, kind, text = judged(client, line, pod)
        if kind:
            rows = fatal if kind == "error" else warned
            rows.setdefault(text, []).append(f"{namespace_of(pod)}/{name_of(pod)}")
        if goes:
            chosen.append(pod)
    if fatal:
        return [f"cannot delete {text}: {', '.join(pods)}" for text, pods in fatal.items()]
    if warned:
        told = "; ".join(f"{text}: {', '.join(pods)}" for text, pods in warned.items())
        log.append(("err", f"Warning: {told}"))
    if dry:
        log += [("out", f"evicting pod {namespace_of(p)}/{name_of(p)}{dry}") for p in chosen]
        return []
    return remove(client, line, chosen, log)


def pods_on(client: Client, line: Line, node: str) -> list[Json]:
    try:
        wanted = local_selector(line.get("pod-selector")) if line.get("pod-selector") else None
    except ValueError:
        raise Fail("error: --pod-selector=<pod_selector> must be a valid label selector") from None
    rows = [p for p in client.cluster.store.list("Pod") if on_node(p) == node]
    return [p for p in rows if wanted is None or matches(wanted, labels_of(p))]


def judged(client: Client, line: Line, pod: Json) -> tuple[bool, str, str]:
    """The filters in their order: (does it go, "", "warning" or "error", the text). The last one's word counts."""
    over = status_of(pod).get("phase") in ("Succeeded", "Failed")
    owner = controller_of(pod)
    if owner is not None and owner.get("kind") == "DaemonSet" and not over:
        if client.cluster.store.get("DaemonSet", namespace_of(pod), str(owner["name"])) is None:
            if not line.on("force"):
                return False, "error", f'daemonsets.apps "{owner["name"]}" not found'
        elif not line.on("ignore-daemonsets"):
            return False, "error", DAEMON_FATAL
        else:
            return False, "warning", DAEMON_WARNING
    if is_mirror(pod):
        return False, "", ""
    local = any("emptyDir" in v for v in spec_of(pod).get("volumes") or ())
    if local and not over and not line.on("delete-emptydir-data"):
        return False, "error", LOCAL_FATAL
    if over or owner is not None:
        return True, "", ""
    if line.on("force"):
        return True, "warning", BARE_WARNING
    return False, "error", ("cannot delete " if client.minor < 33 else "") + BARE_FATAL


def remove(client: Client, line: Line, pods: list[Json], log: Log) -> list[str]:
    """Evict (or delete) the pods and wait until they are gone; the errors that are left."""
    limit = seconds(line.get("timeout", "0"))
    begun = client.clock
    grace = line.get("grace-period", "-1")
    word = "deleted" if line.on("disable-eviction") else "evicted"
    waiting = list(pods)
    while waiting:
        refused = []
        for pod in waiting:
            if not line.on("disable-eviction"):
                log.append(("out", f"evicting pod {namespace_of(pod)}/{name_of(pod)}"))
                if not allowed(client, pod):
                    refused.append(pod)
                    asked = f'error when evicting pods/"{name_of(pod)}" -n "{namespace_of(pod)}"'
                    log.append(("err", f"{asked} (will retry after 5s): {BUDGET}"))
                    continue
            client.cluster.delete(pod, client.clock, grace=int(grace) if int(grace) >= 0 else None)
            client.settle()
        gone = [p for p in waiting if p not in refused]
        if not pass_time(client, limit or PATIENCE * 60, all_gone(client, gone)):
            first = next(p for p in gone if not left(client, p))
            return [f'error when waiting for pod "{name_of(first)}" in namespace "{namespace_of(first)}" to terminate: '
                    f"global timeout reached: {line.get('timeout')}"]  # fmt: skip
        log += [("out", f"pod/{name_of(p)} {word}") for p in gone]
        waiting = refused
        if not waiting:
            break
        if limit and client.clock - begun + RETRY > limit:
            first = waiting[0]
            return [f'error when evicting pods/"{name_of(first)}" -n "{namespace_of(first)}": global timeout reached: '
                    f"{line.get('timeout')}"]  # fmt: skip
        if not limit and client.clock - begun >= PATIENCE:
            log.append(("err", FOR_EVER(seconds=int(PATIENCE)).text(client.ctx.lang)))
            raise Stopped(log)
        pass_time(client, RETRY, lambda: False)
    return []


def all_gone(client: Client, pods: list[Json]) -> Callable[[], bool]:
    return lambda: all(left(client, p) for p in pods)


def left(client: Client, pod: Json) -> bool:
    """Is the pod gone, or another one of its name there?"""
    now = client.cluster.store.get("Pod", namespace_of(pod), name_of(pod))
    return now is None or meta(now).get("uid") != meta(pod).get("uid")


def allowed(client: Client, pod: Json) -> bool:
    """Do the disruption budgets of the pod let it go now? (pkg/registry/core/pod/storage/eviction.go)"""
    store = client.cluster.store
    for budget in store.list("PodDisruptionBudget", namespace_of(pod)):
        selector = spec_of(budget).get("selector")
        if not matches(selector, labels_of(pod)):
            continue
        rows = [p for p in store.list("Pod", namespace_of(pod)) if matches(selector, labels_of(p))]
        healthy = sum(ready(p) for p in rows)
        if healthy - int(ready(pod)) < needed(budget, len(rows)):
            return False
    return True


def ready(pod: Json) -> bool:
    if "deletionTimestamp" in meta(pod):
        return False
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status_of(pod).get("conditions") or ())


def needed(budget: Json, total: int) -> int:
    """How many pods must stay healthy; percentages are rounded up."""
    spec = spec_of(budget)
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if least is not None:
        return share(least, total)
    return max(0, total - share(most if most is not None else 0, total))


def share(value: object, total: int) -> int:
    text = str(value)
    return -(-total * int(text.removesuffix("%")) // 100) if text.endswith("%") else int(text)
