"""Kinds that the model keeps and does not act on, as far as people get them wrong: access, budgets, autoscaling,
CronJobs, storage (pkg/apis/{rbac,policy,autoscaling,batch,core,storage}/validation)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.kube.objects import Json, name_of, spec_of
from engine.kube.validate.errors import bad, forbidden, required, unsupported
from engine.kube.validate.names import selector_errors
from engine.kube.validate.pods import POLICIES, pod_spec_errors

RBAC = "rbac.authorization.k8s.io"


def errors(body: Json) -> Iterator[str]:
    kind = str(body["kind"])
    if kind in ("Role", "ClusterRole"):
        for i, rule in enumerate(body.get("rules") or ()):
            yield from rule_errors(rule, f"rules[{i}]", kind == "Role")
    elif kind in ("RoleBinding", "ClusterRoleBinding"):
        yield from binding_errors(body, kind == "RoleBinding")
    elif kind == "HorizontalPodAutoscaler":
        yield from autoscaler_errors(spec_of(body))
    elif kind == "PodDisruptionBudget":
        yield from budget_errors(spec_of(body))
    elif kind == "CronJob":
        yield from cron_errors(body)
    elif kind == "PersistentVolumeClaim":
        yield from claim_errors(spec_of(body))
    elif kind == "StorageClass" and not body.get("provisioner"):
        yield required("provisioner")


def rule_errors(rule: Json, path: str, namespaced: bool) -> Iterator[str]:
    """ValidatePolicyRule."""
    if not rule.get("verbs"):
        yield required(f"{path}.verbs", "verbs must contain at least one value")
    urls = rule.get("nonResourceURLs") or []
    if urls:
        if namespaced:
            yield bad(f"{path}.nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs")
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            yield bad(f"{path}.nonResourceURLs", urls, why)
        return
    if not rule.get("apiGroups"):
        yield required(f"{path}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield required(f"{path}.resources", "resource rules must supply at least one resource")


def binding_errors(body: Json, namespaced: bool) -> Iterator[str]:
    """ValidateRoleBinding, ValidateClusterRoleBinding."""
    role = body.get("roleRef") or {}
    if role.get("apiGroup") != RBAC:
        yield unsupported("roleRef.apiGroup", role.get("apiGroup", ""), (RBAC,))
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    if role.get("kind") not in kinds:
        yield unsupported("roleRef.kind", role.get("kind", ""), kinds, sort=False)
    if not role.get("name"):
        yield required("roleRef.name")
    for i, subject in enumerate(body.get("subjects") or ()):
        path, kind = f"subjects[{i}]", subject.get("kind", "")
        if not subject.get("name"):
            yield required(f"{path}.name")
        if kind == "ServiceAccount":
            if subject.get("apiGroup"):
                yield unsupported(f"{path}.apiGroup", subject["apiGroup"], ("",))
            if not subject.get("namespace") and not namespaced:
                yield required(f"{path}.namespace")
        elif kind in ("User", "Group"):
            if subject.get("apiGroup") != RBAC:
                yield unsupported(f"{path}.apiGroup", subject.get("apiGroup", ""), (RBAC,))
        else:
            yield unsupported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group"), sort=False)


def autoscaler_errors(spec: Json) -> Iterator[str]:
    """validateHorizontalPodAutoscalerSpec."""
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if least < 1:
        yield bad("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield bad("spec.maxReplicas", most, "must be greater than 0")
    if most < least:
        yield bad("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    target = spec.get("scaleTargetRef") or {}
    for key in ("kind", "name"):
        if not target.get(key):
            yield required(f"spec.scaleTargetRef.{key}")


def budget_errors(spec: Json) -> Iterator[str]:
    """ValidatePodDisruptionBudgetSpec."""
    least, gone = spec.get("minAvailable"), spec.get("maxUnavailable")
    if least is not None and gone is not None:
        shown = {
            "MinAvailable": least, "Selector": spec.get("selector"), "MaxUnavailable": gone,
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }  # fmt: skip
        yield bad("spec", shown, "minAvailable and maxUnavailable cannot be both set")
    yield from selector_errors(spec.get("selector"), "spec.selector")


def cron_errors(body: Json) -> Iterator[str]:
    """ValidateCronJobSpec."""
    spec = spec_of(body)
    if len(name_of(body)) > 52:
        yield bad("metadata.name", name_of(body), "must be no more than 52 characters")
    schedule = str(spec.get("schedule") or "")
    fields = schedule.split()
    if not schedule:
        yield required("spec.schedule")
    elif not schedule.startswith("@") and len(fields) != 5:
        why = f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
        yield bad("spec.schedule", schedule, why)
    policy = spec.get("concurrencyPolicy", "Allow")
    if policy not in ("Allow", "Forbid", "Replace"):
        yield unsupported("spec.concurrencyPolicy", policy, ("Allow", "Forbid", "Replace"))
    template = spec_of(spec_of(spec.get("jobTemplate") or {}).get("template") or {})
    path = "spec.jobTemplate.spec.template.spec"
    yield from pod_spec_errors(template, path)
    if template.get("restartPolicy", "Always") == "Always":
        yield required(f"{path}.restartPolicy", 'valid values: "OnFailure", "Never"')
    elif template["restartPolicy"] not in POLICIES:
        yield unsupported(
            f"{path}.restartPolicy", template["restartPolicy"], ("OnFailure", "Never"), sort=False
        )


def claim_errors(spec: Json) -> Iterator[str]:
    """ValidatePersistentVolumeClaimSpec."""
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    modes = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
    for mode in spec.get("accessModes") or ():
        if mode not in modes:
            yield unsupported("spec.accessModes", mode, modes)
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        yield required("spec.resources[storage]")


def claim_update_errors(old: Json, new: Json) -> Iterator[str]:
    a, b = ({k: v for k, v in spec_of(x).items() if k not in ("resources", "volumeAttributesClassName")}
            for x in (old, new))  # fmt: skip
    if a != b:
        free = "resources.requests and volumeAttributesClassName for bound claims"
        yield forbidden("spec", f"spec is immutable after creation except {free}")
