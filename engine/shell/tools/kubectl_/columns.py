"""The columns that the API server prints for each kind (pkg/printers/internalversion/printers.go).

Rules. One entry a kind: its headers, how many of them `-o wide` alone shows, and a function from an object to its
cells. Kinds without an entry show NAME and AGE, as the server does for what it has no printer for.
"""

from __future__ import annotations

from engine.kube.clock import age, clock_of
from engine.kube.objects import Json, labels_of, meta, name_of, spec_of, status_of
from engine.kube.select import selector_text, text
from engine.shell.tools.kubectl_.cells import NONE, UNKNOWN, Columns, born, since
from engine.shell.tools.kubectl_.columns_more import MORE
from engine.shell.tools.kubectl_.columns_net import NET


def pod_status(body: Json) -> str:
    """The STATUS column of a pod (printPod)."""
    status, spec = status_of(body), spec_of(body)
    reason = str(status.get("reason") or status.get("phase") or "Unknown")
    inits = status.get("initContainerStatuses") or []
    initializing = False
    for i, s in enumerate(inits):
        ended, waiting = s["state"].get("terminated"), s["state"].get("waiting")
        if ended is not None and ended["exitCode"] == 0:
            continue
        if ended is not None:
            reason = (
                f"Init:{ended['reason']}" if ended.get("reason") else f"Init:ExitCode:{ended['exitCode']}"
            )
        elif waiting is not None and waiting.get("reason") and waiting["reason"] != "PodInitializing":
            reason = f"Init:{waiting['reason']}"
        else:
            reason = f"Init:{i}/{len(spec.get('initContainers') or ())}"
        initializing = True
        break
    if not initializing:
        running = False
        for s in reversed(status.get("containerStatuses") or []):
            ended, waiting = s["state"].get("terminated"), s["state"].get("waiting")
            if waiting is not None and waiting.get("reason"):
                reason = waiting["reason"]
            elif ended is not None:
                reason = str(ended.get("reason") or f"ExitCode:{ended['exitCode']}")
            elif s["ready"] and s["state"].get("running") is not None:
                running = True
        if reason == "Completed" and running:
            ready = any(
                c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ()
            )
            reason = "Running" if ready else "NotReady"
    if "deletionTimestamp" in meta(body):
        return "Terminating"
    return reason


def restarts(body: Json, clock: float) -> str:
    """`3 (2m ago)`; a pod that is still initializing counts its init containers."""
    status = status_of(body)
    rows = status.get("containerStatuses") or []
    if pod_status(body).startswith("Init:"):
        rows = status.get("initContainerStatuses") or []
    total = sum(int(s["restartCount"]) for s in rows)
    ends = [e["finishedAt"] for s in rows if (e := (s.get("lastState") or {}).get("terminated"))]
    return f"{total} ({since(max(ends), clock)} ago)" if total and ends else str(total)


def pod(body: Json, clock: float) -> list[str]:
    spec, status = spec_of(body), status_of(body)
    rows = status.get("containerStatuses") or []
    ready = sum(bool(s["ready"]) and "running" in s["state"] for s in rows)
    return [
        name_of(body), f"{ready}/{len(spec.get('containers') or ())}", pod_status(body), restarts(body, clock),
        born(body, clock), status.get("podIP") or NONE, spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE, NONE,
    ]  # fmt: skip


ROLE = "node-role.kubernetes.io/"


def node(body: Json, clock: float) -> list[str]:
    status = status_of(body)
    ready = next((c["status"] for c in status.get("conditions") or () if c["type"] == "Ready"), "")
    word = "Unknown" if not ready else "Ready" if ready == "True" else "NotReady"
    if spec_of(body).get("unschedulable"):
        word += ",SchedulingDisabled"
    roles = sorted(k[len(ROLE) :] for k in labels_of(body) if k.startswith(ROLE) and k != ROLE)
    info = status.get("nodeInfo") or {}
    addresses = {a["type"]: a["address"] for a in reversed(status.get("addresses") or [])}
    return [
        name_of(body), word, ",".join(roles) or NONE, born(body, clock), str(info.get("kubeletVersion", "")),
        addresses.get("InternalIP", NONE), addresses.get("ExternalIP", NONE), str(info.get("osImage", UNKNOWN)),
        str(info.get("kernelVersion", UNKNOWN)), str(info.get("containerRuntimeVersion", UNKNOWN)),
    ]  # fmt: skip


def event(body: Json, clock: float) -> list[str]:
    about, count = body["involvedObject"], int(body["count"])
    last = since(body["lastTimestamp"], clock)
    if count > 1:
        last = f"{last} (x{count} over {since(body['firstTimestamp'], clock)})"
    source = body["source"]
    return [
        last, body["type"], body["reason"], f"{about['kind'].lower()}/{about['name']}", about.get("fieldPath", ""),
        ", ".join(x for x in (source["component"], source.get("host")) if x), body["message"].strip(),
        since(body["firstTimestamp"], clock), str(count), name_of(body),
    ]  # fmt: skip


def namespace(body: Json, clock: float) -> list[str]:
    return [name_of(body), str(status_of(body).get("phase", "Active")), born(body, clock)]


def template(body: Json) -> tuple[str, str]:
    """Names and images of a workload's containers."""
    rows = spec_of(spec_of(body).get("template") or {}).get("containers") or []
    return ",".join(c["name"] for c in rows), ",".join(c["image"] for c in rows)


def deployment(body: Json, clock: float) -> list[str]:
    spec, status = spec_of(body), status_of(body)
    return [
        name_of(body), f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}",
        str(status.get("updatedReplicas", 0)), str(status.get("availableReplicas", 0)), born(body, clock),
        *template(body), selector_text(spec.get("selector")),
    ]  # fmt: skip


def replica_set(body: Json, clock: float) -> list[str]:
    spec, status = spec_of(body), status_of(body)
    return [
        name_of(body), str(spec.get("replicas", 1)), str(status.get("replicas", 0)),
        str(status.get("readyReplicas", 0)), born(body, clock), *template(body), selector_text(spec.get("selector")),
    ]  # fmt: skip


def daemon_set(body: Json, clock: float) -> list[str]:
    status = status_of(body)
    counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled",
              "numberAvailable")  # fmt: skip
    where = spec_of(spec_of(body).get("template") or {}).get("nodeSelector")
    return [
        name_of(body), *(str(status.get(c, 0)) for c in counts), text(where), born(body, clock), *template(body),
        selector_text(spec_of(body).get("selector")),
    ]  # fmt: skip


def stateful_set(body: Json, clock: float) -> list[str]:
    ready = status_of(body).get("readyReplicas", 0)
    return [name_of(body), f"{ready}/{spec_of(body).get('replicas', 1)}", born(body, clock), *template(body)]


def job(body: Json, clock: float) -> list[str]:
    spec, status = spec_of(body), status_of(body)
    done = status.get("conditions") or []
    word = next(
        (c["type"] for c in done if c["status"] == "True" and c["type"] in ("Complete", "Failed")), "Running"
    )
    if spec.get("suspend"):
        word = "Suspended"
    took = ""
    if "startTime" in status:
        end = clock_of(status["completionTime"]) if "completionTime" in status else clock
        took = age(end - clock_of(status["startTime"]))
    selector: Json = {"matchLabels": {"batch.kubernetes.io/controller-uid": meta(body).get("uid", "")}}
    return [
        name_of(body), word, f"{status.get('succeeded', 0)}/{spec.get('completions', 1)}", took, born(body, clock),
        *template(body), selector_text(spec.get("selector") or selector),
    ]  # fmt: skip


def config_map(body: Json, clock: float) -> list[str]:
    return [
        name_of(body),
        str(len(body.get("data") or {}) + len(body.get("binaryData") or {})),
        born(body, clock),
    ]


def secret(body: Json, clock: float) -> list[str]:
    keys = {**(body.get("data") or {}), **(body.get("stringData") or {})}
    return [name_of(body), str(body.get("type", "Opaque")), str(len(keys)), born(body, clock)]


def service_account(body: Json, clock: float) -> list[str]:
    return [name_of(body), str(len(body.get("secrets") or ())), born(body, clock)]


def plain(body: Json, clock: float) -> list[str]:
    return [name_of(body), born(body, clock)]


WORKLOAD = ("CONTAINERS", "IMAGES", "SELECTOR")
COLUMNS: dict[str, Columns] = {
    "Pod": Columns(
        ("NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED NODE", "READINESS GATES"), 4, pod
    ),
    "Node": Columns(
        ("NAME", "STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION",
         "CONTAINER-RUNTIME"), 5, node,
    ),
    "Namespace": Columns(("NAME", "STATUS", "AGE"), 0, namespace),
    "Deployment": Columns(("NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", *WORKLOAD), 3, deployment),
    "ReplicaSet": Columns(("NAME", "DESIRED", "CURRENT", "READY", "AGE", *WORKLOAD), 3, replica_set),
    "DaemonSet": Columns(
        ("NAME", "DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE SELECTOR", "AGE", *WORKLOAD), 3,
        daemon_set,
    ),
    "StatefulSet": Columns(("NAME", "READY", "AGE", "CONTAINERS", "IMAGES"), 2, stateful_set),
    "Job": Columns(("NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE", *WORKLOAD), 3, job),
    "ConfigMap": Columns(("NAME", "DATA", "AGE"), 0, config_map),
    "Secret": Columns(("NAME", "TYPE", "DATA", "AGE"), 0, secret),
    **NET,
    **MORE,
}  # fmt: skip
#: The table of accounts lost its SECRETS in 1.35 (kubernetes#117160).
ACCOUNTS = Columns(("NAME", "SECRETS", "AGE"), 0, service_account)
PLAIN = Columns(("NAME", "AGE"), 0, plain)

#: Events have wide columns in the middle.
EVENT_WIDE = (
    "LAST SEEN",
    "TYPE",
    "REASON",
    "OBJECT",
    "SUBOBJECT",
    "SOURCE",
    "MESSAGE",
    "FIRST SEEN",
    "COUNT",
    "NAME",
)
EVENT_SLIM = (0, 1, 2, 3, 6)


def rows_of(
    kind: str, bodies: list[Json], clock: float, *, wide: bool, minor: int = 35
) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of one kind, as the API server of 1.`minor` prints them."""
    if kind == "Event":
        keep = range(len(EVENT_WIDE)) if wide else EVENT_SLIM
        rows = [event(b, clock) for b in bodies]
        return [EVENT_WIDE[i] for i in keep], [[r[i] for i in keep] for r in rows]
    columns = COLUMNS.get(kind, PLAIN)
    if kind == "ServiceAccount" and minor < 35:
        columns = ACCOUNTS
    count = len(columns.headers) - (0 if wide else columns.wide)
    return list(columns.headers[:count]), [columns.cells(b, clock)[:count] for b in bodies]
