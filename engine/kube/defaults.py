"""What the API server fills into an object before it looks at it: the defaults of each kind, in place.

Rules. As pkg/apis/*/v1/defaults.go. A body may still be wrong in every way that strict decoding lets pass: what is not
there is filled in, what is wrong is left for the validation. Services have a file of their own; Pods stand in
podspec.py, because admission belongs to them.
"""

from __future__ import annotations

import base64

from engine.kube.objects import Json, spec_of
from engine.kube.podspec import default_template
from engine.kube.validate.workloads import TEMPLATES


def fill(body: Json) -> None:
    """Fill in the defaults of one object, Pods left out."""
    kind = str(body["kind"])
    if kind in TEMPLATES:
        workload(body)
    elif kind == "Service":
        from engine.kube.services import defaults

        defaults.fill(body)
    elif kind == "EndpointSlice":
        for port in body.get("ports") or ():
            port.setdefault("name", "")
            port.setdefault("protocol", "TCP")
    elif kind == "Endpoints":
        for subset in body.get("subsets") or ():
            for port in subset.get("ports") or ():
                port.setdefault("protocol", "TCP")
    elif kind == "NetworkPolicy":
        policy(body.setdefault("spec", {}))
    elif kind == "Secret":
        body.setdefault("type", "Opaque")
        if body.get("stringData"):
            rows = {k: base64.b64encode(str(v).encode()).decode() for k, v in body.pop("stringData").items()}
            body["data"] = {**(body.get("data") or {}), **rows}
    elif kind == "LimitRange":
        for row in spec_of(body).get("limits") or ():
            limits(row)
    elif kind in ("RoleBinding", "ClusterRoleBinding"):
        for row in (body.setdefault("roleRef", {}), *(body.get("subjects") or ())):
            if row.get("kind") != "ServiceAccount" and not row.get("apiGroup"):
                row["apiGroup"] = "rbac.authorization.k8s.io"
    elif kind == "CronJob":
        cron(body.setdefault("spec", {}))
    elif kind == "PriorityClass":
        body.setdefault("preemptionPolicy", "PreemptLowerPriority")
    elif kind == "PersistentVolumeClaim":
        body.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    elif kind == "HorizontalPodAutoscaler":
        body.setdefault("spec", {}).setdefault("minReplicas", 1)
    elif kind == "StorageClass":
        body.setdefault("reclaimPolicy", "Delete")
        body.setdefault("volumeBindingMode", "Immediate")
    elif kind == "IngressClass" and spec_of(body).get("parameters"):
        spec_of(body)["parameters"].setdefault("scope", "Cluster")


def policy(spec: Json) -> None:
    """SetDefaults_NetworkPolicy."""
    spec.setdefault("podSelector", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for way in ("ingress", "egress"):
        for rule in spec.get(way) or ():
            for port in rule.get("ports") or ():
                if not port.get("protocol"):
                    port["protocol"] = "TCP"


def limits(row: Json) -> None:
    """SetDefaults_LimitRangeItem: a maximum is a container's limit, a limit its request."""
    if row.get("type") != "Container":
        return
    most = {**(row.get("max") or {}), **(row.get("default") or {})}
    asked = {**(row.get("min") or {}), **most, **(row.get("defaultRequest") or {})}
    if most:
        row["default"] = most
    if asked:
        row["defaultRequest"] = asked


def workload(body: Json) -> None:
    """Defaults of the workload kinds."""
    kind, spec = str(body["kind"]), body.setdefault("spec", {})
    template = spec.get("template")
    if isinstance(template, dict):
        default_template(template.setdefault("spec", {}))
        template.setdefault("metadata", {})
    if kind in ("Deployment", "ReplicaSet", "StatefulSet"):
        spec.setdefault("replicas", 1)
    if kind == "Deployment":
        strategy = spec.setdefault("strategy", {})
        if not strategy.get("type"):
            strategy["type"] = "RollingUpdate"
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxSurge", "25%")
            rolling.setdefault("maxUnavailable", "25%")
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)
    elif kind in ("DaemonSet", "StatefulSet"):
        strategy = spec.setdefault("updateStrategy", {})
        if not strategy.get("type"):
            strategy["type"] = "RollingUpdate"
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            if kind == "DaemonSet":
                rolling.setdefault("maxSurge", 0)
                rolling.setdefault("maxUnavailable", 1)
            else:
                rolling.setdefault("partition", 0)
        spec.setdefault("revisionHistoryLimit", 10)
        if kind == "StatefulSet":
            spec.setdefault("podManagementPolicy", "OrderedReady")
            spec.setdefault(
                "persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"}
            )
    elif kind == "Job":
        job(spec)


def cron(spec: Json) -> None:
    """SetDefaults_CronJob, and its Job's."""
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    template = spec_of(spec.get("jobTemplate") or {}).get("template")
    if isinstance(template, dict):
        default_template(template.setdefault("spec", {}))


def job(spec: Json) -> None:
    """SetDefaults_Job."""
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")


def job_selector(job: Json) -> Json:
    """A new Job that knows its Pods by its own uid, unless it selects them by hand (pkg/registry/batch/job/strategy.go,
    generateSelector)."""
    spec = spec_of(job)
    if spec.get("manualSelector"):
        return job
    uid, name = str(job["metadata"]["uid"]), str(job["metadata"]["name"])
    head, selector, template = "batch.kubernetes.io/", spec.get("selector") or {}, spec.get("template") or {}
    m = template.get("metadata") or {}
    own = {
        f"{head}controller-uid": uid, f"{head}job-name": name, "controller-uid": uid, "job-name": name,
        **(m.get("labels") or {}),
    }  # fmt: skip
    matched = {f"{head}controller-uid": uid, **(selector.get("matchLabels") or {})}
    more = {
        "selector": {**selector, "matchLabels": matched},
        "template": {**template, "metadata": {**m, "labels": own}},
    }
    return {**job, "spec": {**spec, **more}}
