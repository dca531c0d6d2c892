"""The API server's columns for what is kept rather than acted on: access, limits, storage, schedules.

Source: pkg/printers/internalversion/printers.go (printRole, printResourceQuota, printHorizontalPodAutoscaler ...).
"""

from __future__ import annotations

from engine.kube.objects import Json, controller_of, meta, name_of, spec_of, status_of
from engine.kube.select import selector_text
from engine.shell.tools.kubectl_.cells import NONE, UNKNOWN, UNSET, Columns, born, made, since


def role(body: Json, clock: float) -> list[str]:
    return [name_of(body), made(body, clock)]


def binding(body: Json, clock: float) -> list[str]:
    target = body.get("roleRef") or {}
    users, groups, accounts = [], [], []
    for s in body.get("subjects") or ():
        if s.get("kind") == "User":
            users.append(str(s.get("name")))
        elif s.get("kind") == "Group":
            groups.append(str(s.get("name")))
        else:
            accounts.append(f"{s.get('namespace', '')}/{s.get('name')}")
    return [
        name_of(body), f"{target.get('kind')}/{target.get('name')}", born(body, clock), ", ".join(users),
        ", ".join(groups), ", ".join(accounts),
    ]  # fmt: skip


def quota(body: Json, clock: float) -> list[str]:
    hard, used = status_of(body).get("hard") or {}, status_of(body).get("used") or {}
    request: list[str] = []
    limit: list[str] = []
    for name in sorted(hard):
        row = limit if name.startswith("limits.") else request
        row.append(f"{name}: {used.get(name, '0')}/{hard[name]}")
    return [name_of(body), ", ".join(request), ", ".join(limit), born(body, clock)]


def autoscaler(body: Json, clock: float) -> list[str]:
    spec, status = spec_of(body), status_of(body)
    target = spec.get("scaleTargetRef") or {}
    return [
        name_of(body), f"{target.get('kind')}/{target.get('name')}", metrics(spec.get("metrics") or []),
        str(spec["minReplicas"]) if spec.get("minReplicas") is not None else UNSET, str(spec.get("maxReplicas", 0)),
        str(status.get("currentReplicas", 0)), born(body, clock),
    ]  # fmt: skip


def metrics(rows: list[Json]) -> str:
    """formatHPAMetrics: nobody measures in a lab, so what is there now is unknown."""
    out = []
    for m in rows:
        found = (
            m.get("resource")
            or m.get("containerResource")
            or m.get("pods")
            or m.get("object")
            or m.get("external")
        )
        target = (found or {}).get("target") or {}
        name = (found or {}).get("name", "")
        if "averageUtilization" in target:
            out.append(f"{name}: {UNKNOWN}/{target['averageUtilization']}%")
        elif m.get("resource"):
            out.append(f"{name}: {UNKNOWN}/{target.get('averageValue', '<auto>')}")
        else:
            out.append(f"{UNKNOWN}/{target.get('averageValue') or target.get('value') or '<auto>'}")
    shown = ", ".join(out[:2]) + (f" + {len(out) - 2} more..." if len(out) > 2 else "")
    return shown or NONE


def cron_job(body: Json, clock: float) -> list[str]:
    spec, status = spec_of(body), status_of(body)
    last = since(status["lastScheduleTime"], clock) if status.get("lastScheduleTime") else NONE
    job = spec_of(spec.get("jobTemplate") or {})
    rows = spec_of(job.get("template") or {}).get("containers") or []
    return [
        name_of(body), str(spec.get("schedule", "")), spec.get("timeZone") or NONE,
        str(bool(spec.get("suspend"))), str(len(status.get("active") or ())), last, born(body, clock),
        ",".join(c["name"] for c in rows), ",".join(c["image"] for c in rows),
        selector_text(job.get("selector")),
    ]  # fmt: skip


def disruption(body: Json, clock: float) -> list[str]:
    spec = spec_of(body)
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    return [
        name_of(body), "N/A" if least is None else str(least), "N/A" if most is None else str(most),
        str(status_of(body).get("disruptionsAllowed", 0)), born(body, clock),
    ]  # fmt: skip


MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def modes(rows: object) -> str:
    """RWO,ROX,RWX,RWOP in that order."""
    given = rows if isinstance(rows, list) else []
    return ",".join(short for long, short in MODES.items() if long in given)


def volume(body: Json, clock: float) -> list[str]:
    spec, status = spec_of(body), status_of(body)
    claim = spec.get("claimRef") or {}
    phase = "Terminating" if meta(body).get("deletionTimestamp") else str(status.get("phase", ""))
    return [
        name_of(body), str((spec.get("capacity") or {}).get("storage", "0")), modes(spec.get("accessModes")),
        str(spec.get("persistentVolumeReclaimPolicy", "Retain")), phase,
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        str(spec.get("storageClassName", "")), spec.get("volumeAttributesClassName") or UNSET,
        str(status.get("reason", "")), born(body, clock), str(spec.get("volumeMode", UNSET)),
    ]  # fmt: skip


def claim(body: Json, clock: float) -> list[str]:
    spec, status = spec_of(body), status_of(body)
    bound = spec.get("volumeName")
    phase = "Terminating" if meta(body).get("deletionTimestamp") else str(status.get("phase", ""))
    return [
        name_of(body), phase, str(bound or ""),
        str((status.get("capacity") or {}).get("storage", "0")) if bound else "",
        modes(status.get("accessModes")) if bound else "", str(spec.get("storageClassName", "")),
        spec.get("volumeAttributesClassName") or UNSET, born(body, clock), str(spec.get("volumeMode", UNSET)),
    ]  # fmt: skip


def storage_class(body: Json, clock: float) -> list[str]:
    notes = meta(body).get("annotations") or {}
    mark = " (default)" if notes.get("storageclass.kubernetes.io/is-default-class") == "true" else ""
    return [
        name_of(body) + mark, str(body.get("provisioner", "")), str(body.get("reclaimPolicy", "Delete")),
        str(body.get("volumeBindingMode", "Immediate")), str(bool(body.get("allowVolumeExpansion"))).lower(),
        born(body, clock),
    ]  # fmt: skip


def priority_class(body: Json, clock: float) -> list[str]:
    return [
        name_of(body), str(body.get("value", 0)), str(bool(body.get("globalDefault"))).lower(), born(body, clock),
        str(body.get("preemptionPolicy", "PreemptLowerPriority")),
    ]  # fmt: skip


def lease(body: Json, clock: float) -> list[str]:
    return [name_of(body), str(spec_of(body).get("holderIdentity", "")), born(body, clock)]


def revision(body: Json, clock: float) -> list[str]:
    owner = controller_of(body)
    group = str((owner or {}).get("apiVersion", "")).partition("/")[0]
    shown = f"{str(owner['kind']).lower()}.{group}/{owner['name']}" if owner else NONE
    return [name_of(body), shown, str(body.get("revision", 0)), born(body, clock)]


_ROLE = Columns(("NAME", "CREATED AT"), 0, role)
_BINDING = Columns(("NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"), 3, binding)
MORE: dict[str, Columns] = {
    "Role": _ROLE, "ClusterRole": _ROLE, "RoleBinding": _BINDING, "ClusterRoleBinding": _BINDING,
    "LimitRange": _ROLE,
    "ResourceQuota": Columns(("NAME", "REQUEST", "LIMIT", "AGE"), 0, quota),
    "HorizontalPodAutoscaler": Columns(
        ("NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"), 0, autoscaler
    ),
    "CronJob": Columns(
        ("NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST SCHEDULE", "AGE", "CONTAINERS", "IMAGES",
         "SELECTOR"), 3, cron_job,
    ),
    "PodDisruptionBudget": Columns(
        ("NAME", "MIN AVAILABLE", "MAX UNAVAILABLE", "ALLOWED DISRUPTIONS", "AGE"), 0, disruption
    ),
    "PersistentVolume": Columns(
        ("NAME", "CAPACITY", "ACCESS MODES", "RECLAIM POLICY", "STATUS", "CLAIM", "STORAGECLASS",
         "VOLUMEATTRIBUTESCLASS", "REASON", "AGE", "VOLUMEMODE"), 1, volume,
    ),
    "PersistentVolumeClaim": Columns(
        ("NAME", "STATUS", "VOLUME", "CAPACITY", "ACCESS MODES", "STORAGECLASS", "VOLUMEATTRIBUTESCLASS", "AGE",
         "VOLUMEMODE"), 1, claim,
    ),
    "StorageClass": Columns(
        ("NAME", "PROVISIONER", "RECLAIMPOLICY", "VOLUMEBINDINGMODE", "ALLOWVOLUMEEXPANSION", "AGE"), 0, storage_class
    ),
    "PriorityClass": Columns(("NAME", "VALUE", "GLOBAL-DEFAULT", "AGE", "PREEMPTIONPOLICY"), 0, priority_class),
    "Lease": Columns(("NAME", "HOLDER", "AGE"), 0, lease),
    "ControllerRevision": Columns(("NAME", "CONTROLLER", "REVISION", "AGE"), 0, revision),
}  # fmt: skip
