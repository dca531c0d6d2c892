"""kubectl describe of access, limits, storage, schedules and budgets (k8s.io/kubectl/pkg/describe)."""

from __future__ import annotations

import json

from engine.kube.objects import Json, labels_of, meta, name_of, namespace_of, spec_of, status_of
from engine.kube.select import selector_text, text
from engine.shell.tools.kubectl_.client import Client
from engine.shell.tools.kubectl_.columns_more import modes
from engine.shell.tools.kubectl_.describe_parts import NONE, head, put_map, when
from engine.shell.tools.kubectl_.describe_workload import template
from engine.shell.tools.kubectl_.table import Blocks

UNSET = "<unset>"


# ---- access


def role(client: Client, body: Json, out: Blocks) -> None:
    """Rules broken into single ones, put together again by resource, and sorted by their text (component-helpers
    auth/rbac/validation)."""
    out.put(0, f"Name:\t{name_of(body)}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    out.put(0, "PolicyRule:")
    out.put(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs")
    out.put(1, "---------\t-----------------\t--------------\t-----")
    for rule in sorted(compact(body.get("rules") or []), key=compact_text):
        resource = rule["resources"][0] if rule["resources"] else ""
        main, slash, sub = resource.partition("/")
        group = f".{rule['apiGroups'][0]}" if resource and rule["apiGroups"] and rule["apiGroups"][0] else ""
        cells = [f"[{' '.join(rule[k])}]" for k in ("nonResourceURLs", "resourceNames", "verbs")]
        out.put(1, f"{main}{group}{slash}{sub}\t" + "\t".join(cells))


RULE_KEYS = ("apiGroups", "resources", "nonResourceURLs", "resourceNames", "verbs")


def compact(rules: list[Json]) -> list[dict[str, list[str]]]:
    simple: dict[tuple[str, str, str | None], dict[str, list[str]]] = {}
    other: list[dict[str, list[str]]] = []
    for rule in rules:
        verbs = list(rule.get("verbs") or ())
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in rule.get("resourceNames") or (None,):
                    made = simple.setdefault((group, resource, name), {
                        "apiGroups": [group], "resources": [resource], "nonResourceURLs": [],
                        "resourceNames": [name] if name is not None else [], "verbs": [],
                    })  # fmt: skip
                    made["verbs"] += [v for v in verbs if v not in made["verbs"]]
        for url in rule.get("nonResourceURLs") or ():
            for verb in verbs:
                other.append({**{k: [] for k in RULE_KEYS}, "nonResourceURLs": [url], "verbs": [verb]})
    return [*other, *simple.values()]


def compact_text(rule: dict[str, list[str]]) -> str:
    names = ("APIGroups", "Resources", "NonResourceURLs", "ResourceNames", "Verbs")
    parts = [
        f"{title}:[{' '.join(json.dumps(v) for v in rule[key])}]"
        for key, title in zip(RULE_KEYS, names, strict=True)
        if rule[key]
    ]
    return "{" + ", ".join(parts) + "}"


def binding(client: Client, body: Json, out: Blocks) -> None:
    out.put(0, f"Name:\t{name_of(body)}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    out.put(0, "Role:")
    target = body.get("roleRef") or {}
    out.put(1, f"Kind:\t{target.get('kind', '')}")
    out.put(1, f"Name:\t{target.get('name', '')}")
    out.put(0, "Subjects:")
    out.put(1, "Kind\tName\tNamespace")
    out.put(1, "----\t----\t---------")
    for s in body.get("subjects") or ():
        out.put(1, f"{s.get('kind', '')}\t{s.get('name', '')}\t{s.get('namespace', '')}")


# ---- limits

LIMITS = "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio"
LINE = "----\t--------\t---\t---\t---------------\t-------------\t-----------------------"


def limit_range(client: Client, body: Json, out: Blocks) -> None:
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    out.put(0, LIMITS)
    out.put(0, LINE)
    limit_rows(body, "", out)


def limit_rows(body: Json, prefix: str, out: Blocks) -> None:
    keys = ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")
    for item in spec_of(body).get("limits") or ():
        names = sorted({n for k in keys for n in item.get(k) or ()})
        for name in names:
            cells = [str((item.get(k) or {}).get(name, "-")) for k in keys]
            out.put(0, f"{prefix}{item.get('type', '')}\t{name}\t" + "\t".join(cells))


SCOPES = {
    "Terminating": "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before "
    "being actively terminated by the system.",
    "NotTerminating": "Matches all pods that do not have an active deadline. These pods usually include long running "
    "pods whose container command is not expected to terminate.",
    "BestEffort": "Matches all pods that do not have resource requirements set. These pods have a best effort quality "
    "of service.",
    "NotBestEffort": "Matches all pods that have at least one resource requirement set. These pods have a burstable or "
    "guaranteed quality of service.",
}


def quota(client: Client, body: Json, out: Blocks) -> None:
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    scopes(body, 0, " * ", out)
    out.put(0, "Resource\tUsed\tHard\n--------\t----\t----")
    for name, used, hard in quota_rows(body):
        out.put(0, f"{name}\t{used}\t{hard}")


def scopes(body: Json, level: int, mark: str, out: Blocks) -> None:
    if rows := sorted(spec_of(body).get("scopes") or ()):
        out.put(level, f"Scopes:\t{', '.join(rows)}")
        for row in rows:
            if row in SCOPES:
                out.put(level, f"{mark}{SCOPES[row]}")


def quota_rows(body: Json) -> list[tuple[str, str, str]]:
    hard, used = status_of(body).get("hard") or {}, status_of(body).get("used") or {}
    return [(name, str(used.get(name, "0")), str(hard[name])) for name in sorted(hard)]


def namespace(client: Client, body: Json, out: Blocks) -> None:
    out.put(0, f"Name:\t{name_of(body)}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    out.put(0, f"Status:\t{status_of(body).get('phase', 'Active')}")
    if rows := status_of(body).get("conditions"):
        out.put(0, "Conditions:")
        out.put(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage")
        out.put(1, "----\t------\t------------------\t------\t-------")
        for c in rows:
            at = when(c.get("lastTransitionTime"))
            out.put(1, f"{c['type']}\t{c['status']}\t{at}\t{c.get('reason', '')}\t{c.get('message', '')}")
    store = client.cluster.store
    out.put(0, "")
    quotas = store.list("ResourceQuota", name_of(body))
    out.put(0, "Resource Quotas" if quotas else "No resource quota.")
    for q in quotas:
        out.put(1, f"Name:\t{name_of(q)}")
        scopes(q, 1, "* ", out)
        out.put(1, "Resource\tUsed\tHard")
        out.put(1, "--------\t---\t---")
        for name, used, hard in quota_rows(q):
            out.put(1, f"{name}\t{used}\t{hard}")
    out.put(0, "")
    ranges = store.list("LimitRange", name_of(body))
    out.put(0, f"Resource Limits\n {LIMITS}\n {LINE}" if ranges else "No LimitRange resource.")
    for r in ranges:
        limit_rows(r, " ", out)


# ---- budgets, schedules, autoscaling


def disruption(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    if spec.get("minAvailable") is not None:
        out.put(0, f"Min available:\t{spec['minAvailable']}")
    elif spec.get("maxUnavailable") is not None:
        out.put(0, f"Max unavailable:\t{spec['maxUnavailable']}")
    out.put(0, f"Selector:\t{UNSET if spec.get('selector') is None else selector_text(spec['selector'])}")
    out.put(0, "Status:")
    for title, key in (
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ):
        out.put(2, f"{title}:\t{status.get(key, 0)}")


def cron_job(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    head(body, out)
    out.put(0, f"Schedule:\t{spec.get('schedule', '')}")
    out.put(0, f"Concurrency Policy:\t{spec.get('concurrencyPolicy', 'Allow')}")
    out.put(0, f"Suspend:\t{bool(spec.get('suspend'))}")
    if client.minor >= 36:
        out.put(0, f"Time Zone:\t{spec.get('timeZone') or UNSET}")
    out.put(0, f"Successful Job History Limit:\t{spec.get('successfulJobsHistoryLimit', 3)}")
    out.put(0, f"Failed Job History Limit:\t{spec.get('failedJobsHistoryLimit', 1)}")
    deadline = spec.get("startingDeadlineSeconds")
    out.put(0, f"Starting Deadline Seconds:\t{UNSET if deadline is None else f'{deadline}s'}")
    job = spec_of(spec.get("jobTemplate") or {})
    out.put(0, f"Selector:\t{selector_text(job['selector']) if job.get('selector') else UNSET}")
    out.put(0, f"Parallelism:\t{job.get('parallelism', UNSET)}")
    out.put(0, f"Completions:\t{job.get('completions', UNSET)}")
    if job.get("activeDeadlineSeconds") is not None:
        out.put(0, f"Active Deadline Seconds:\t{job['activeDeadlineSeconds']}s")
    template(client, {"spec": job}, out)
    last = status.get("lastScheduleTime")
    out.put(0, f"Last Schedule Time:\t{when(last) if last else UNSET}")
    names = [str(a.get("name")) for a in status.get("active") or ()]
    out.put(0, f"Active Jobs:\t{', '.join(names) or NONE}")


def autoscaler(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    head(body, out)
    target = spec.get("scaleTargetRef") or {}
    out.put(0, f"CreationTimestamp:\t{when(meta(body).get('creationTimestamp'))}")
    out.put(0, f"Reference:\t{target.get('kind')}/{target.get('name')}")
    out.put(0, "Metrics:\t( current / target )")
    for m in spec.get("metrics") or ():
        found = m.get("resource")
        if found is None:
            out.put(1, f'<unknown metric type "{m.get("type")}">')
            continue
        goal = found.get("target") or {}
        if "averageValue" in goal:
            out.put(1, f"resource {found['name']} on pods:\t<unknown> / {goal['averageValue']}")
        else:
            share = f"{goal['averageUtilization']}%" if "averageUtilization" in goal else "<auto>"
            out.put(
                1, f"resource {found['name']} on pods  (as a percentage of request):\t<unknown> / {share}"
            )
    out.put(0, f"Min replicas:\t{spec.get('minReplicas', UNSET)}")
    out.put(0, f"Max replicas:\t{spec.get('maxReplicas', 0)}")
    now, wanted = status.get("currentReplicas", 0), status.get("desiredReplicas", 0)
    out.put(0, f"{target.get('kind')} pods:\t{now} current / {wanted} desired")


# ---- storage


def volume(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    head(body, out)
    out.put(0, f"Finalizers:\t[{' '.join(meta(body).get('finalizers') or ())}]")
    out.put(0, f"StorageClass:\t{spec.get('storageClassName', '')}")
    out.put(0, f"Status:\t{status.get('phase', '')}")
    claimed = spec.get("claimRef") or {}
    out.put(0, f"Claim:\t{claimed['namespace'] + '/' + claimed['name'] if claimed else ''}")
    out.put(0, f"Reclaim Policy:\t{spec.get('persistentVolumeReclaimPolicy', 'Retain')}")
    out.put(0, f"Access Modes:\t{modes(spec.get('accessModes'))}")
    if spec.get("volumeMode"):
        out.put(0, f"VolumeMode:\t{spec['volumeMode']}")
    out.put(0, f"Capacity:\t{(spec.get('capacity') or {}).get('storage', '0')}")
    out.put(0, f"Node Affinity:\t{NONE}")
    out.put(0, f"Message:\t{status.get('message', '')}")
    out.put(0, "Source:")
    if host := spec.get("hostPath"):
        out.put(1, "  Type:\tHostPath (bare host directory volume)")
        out.put(1, f"  Path:\t{host.get('path', '')}")
        out.put(1, f"  HostPathType:\t{host.get('type', '')}")
    elif nfs := spec.get("nfs"):
        out.put(1, "  Type:\tNFS (an NFS mount that lasts the lifetime of a pod)")
        out.put(1, f"  Server:\t{nfs.get('server', '')}")
        out.put(1, f"  Path:\t{nfs.get('path', '')}")
        out.put(1, f"  ReadOnly:\t{str(bool(nfs.get('readOnly'))).lower()}")
    else:
        out.put(1, "<unknown>")


def claim(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    out.put(0, f"StorageClass:\t{spec.get('storageClassName', '')}")
    out.put(0, f"Status:\t{status.get('phase', '')}")
    out.put(0, f"Volume:\t{spec.get('volumeName', '')}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    out.put(0, f"Finalizers:\t[{' '.join(meta(body).get('finalizers') or ())}]")
    bound = bool(spec.get("volumeName"))
    out.put(0, f"Capacity:\t{(status.get('capacity') or {}).get('storage', '0') if bound else ''}")
    out.put(0, f"Access Modes:\t{modes(status.get('accessModes')) if bound else ''}")
    if spec.get("volumeMode"):
        out.put(0, f"VolumeMode:\t{spec['volumeMode']}")
    users = []
    for pod in client.cluster.store.list("Pod", namespace_of(body)):
        names = [
            (v.get("persistentVolumeClaim") or {}).get("claimName") for v in spec_of(pod).get("volumes") or ()
        ]
        if name_of(body) in names:
            users.append(name_of(pod))
    out.put(0, f"Used By:\t{users[0] if users else NONE}")
    for more in users[1:]:
        out.put(0, f"\t{more}")


def storage_class(client: Client, body: Json, out: Blocks) -> None:
    notes = meta(body).get("annotations") or {}
    default = notes.get("storageclass.kubernetes.io/is-default-class") == "true"
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"IsDefaultClass:\t{'Yes' if default else 'No'}")
    out.put(0, f"Annotations:\t{text(notes)}")
    out.put(0, f"Provisioner:\t{body.get('provisioner', '')}")
    out.put(0, f"Parameters:\t{text(body.get('parameters'))}")
    grows = body.get("allowVolumeExpansion")
    out.put(0, f"AllowVolumeExpansion:\t{UNSET if grows is None else grows}")
    out.put(0, f"MountOptions:\t{NONE}")
    out.put(0, f"ReclaimPolicy:\t{body.get('reclaimPolicy', 'Delete')}")
    out.put(0, f"VolumeBindingMode:\t{body.get('volumeBindingMode', 'Immediate')}")


def priority_class(client: Client, body: Json, out: Blocks) -> None:
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Value:\t{body.get('value', 0)}")
    out.put(0, f"GlobalDefault:\t{str(bool(body.get('globalDefault'))).lower()}")
    out.put(0, f"PreemptionPolicy:\t{body.get('preemptionPolicy', 'PreemptLowerPriority')}")
    out.put(0, f"Description:\t{body.get('description', '')}")
    out.put(0, f"Annotations:\t{text(meta(body).get('annotations'))}")
