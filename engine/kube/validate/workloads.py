"""Workloads: selector, template, strategy, and what may not change (pkg/apis/{apps,batch}/validation)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engine.kube.objects import Json, labels_of, spec_of
from engine.kube.select import matches
from engine.kube.validate.errors import IMMUTABLE, bad, forbidden, required, unsupported
from engine.kube.validate.names import selector_errors
from engine.kube.validate.pods import POLICIES, pod_spec_errors

TEMPLATES = ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job")
NEGATIVE = "must be greater than or equal to 0"
#: kind -> fields of its spec that stay as they were made, in the order in which they are named.
FIXED = {
    "Deployment": ("selector",),
    "ReplicaSet": ("selector",),
    "DaemonSet": ("selector",),
    "Job": ("completions", "selector", "template", "completionMode", "podFailurePolicy", "backoffLimitPerIndex"),
}  # fmt: skip
#: What of a StatefulSet's spec may change.
FREE = ("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy", "minReadySeconds")  # fmt: skip


def errors(body: Json) -> Iterator[str]:
    """The selector and the template of a workload."""
    kind, spec = str(body["kind"]), spec_of(body)
    template = spec.get("template") or {}
    labels = labels_of(template)
    if kind != "Job":
        selector = spec.get("selector")
        if not selector:
            yield required("spec.selector")
        yield from selector_errors(selector, "spec.selector")
        if (selector and not matches(selector, labels)) or (selector is None and labels):
            yield bad(
                "spec.template.metadata.labels", labels or None, "`selector` does not match template `labels`"
            )
    yield from pod_spec_errors(spec_of(template), "spec.template.spec")
    policy = spec_of(template).get("restartPolicy", "Always")
    if kind == "Job":
        if policy == "Always":
            yield required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"')
    elif policy in POLICIES and policy != "Always":
        yield unsupported("spec.template.spec.restartPolicy", policy, ("Always",))
    for key in (
        "replicas",
        "minReadySeconds",
        "revisionHistoryLimit",
        "parallelism",
        "completions",
        "backoffLimit",
    ):
        number = spec.get(key)
        if isinstance(number, int) and number < 0:
            yield bad(f"spec.{key}", number, NEGATIVE)
    if kind == "Deployment" and isinstance(spec.get("strategy"), dict):
        yield from strategy_errors(spec["strategy"], "spec.strategy", ("Recreate", "RollingUpdate"))
        deadline, ready = spec.get("progressDeadlineSeconds", 600), spec.get("minReadySeconds", 0)
        if deadline <= ready:
            yield bad("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    elif kind in ("DaemonSet", "StatefulSet") and isinstance(spec.get("updateStrategy"), dict):
        word = spec["updateStrategy"].get("type", "RollingUpdate")
        if word not in ("OnDelete", "RollingUpdate"):
            found = {"Type": word, "RollingUpdate": None}
            if kind == "DaemonSet":
                yield unsupported("spec.updateStrategy", found, ("RollingUpdate", "OnDelete"), sort=False)
            else:
                yield bad("spec.updateStrategy", found, "must be 'RollingUpdate' or 'OnDelete'")
    if kind == "StatefulSet":
        word = spec.get("podManagementPolicy", "OrderedReady")
        if word not in ("OrderedReady", "Parallel"):
            yield bad("spec.podManagementPolicy", word, "must be 'OrderedReady' or 'Parallel'")


def strategy_errors(strategy: Json, path: str, words: tuple[str, ...]) -> Iterator[str]:
    """ValidateDeploymentStrategy."""
    word, rolling = strategy.get("type", "RollingUpdate"), strategy.get("rollingUpdate")
    if word not in words:
        yield unsupported(path, {"Type": word, "RollingUpdate": None}, words)
    elif word == "Recreate" and rolling is not None:
        yield forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    elif word == "RollingUpdate" and isinstance(rolling, dict):
        least, surge = rolling.get("maxUnavailable", "25%"), rolling.get("maxSurge", "25%")
        at = f"{path}.rollingUpdate"
        yield from share_errors(least, f"{at}.maxUnavailable")
        yield from share_errors(surge, f"{at}.maxSurge")
        if share(least) == 0 and share(surge) == 0:
            yield bad(f"{at}.maxUnavailable", least, "may not be 0 when `maxSurge` is 0")
        if isinstance(least, str) and share(least) > 100:
            yield bad(f"{at}.maxUnavailable", least, "must not be greater than 100%")


def share(value: Any) -> int:
    """The number in 3 and in "25%"."""
    digits = re.match(r"\d+", str(value))
    return int(digits[0]) if digits else 0


def share_errors(value: Any, path: str) -> Iterator[str]:
    """ValidatePositiveIntOrPercent."""
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]+%", value):
            why = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
            yield bad(path, value, why + "regex used for validation is '[0-9]+%')")
    elif value < 0:
        yield bad(path, value, NEGATIVE)


def update_errors(old: Json, new: Json) -> Iterator[str]:
    """Fields that stay. Both are defaulted."""
    kind, a, b = str(new["kind"]), spec_of(old), spec_of(new)
    if kind == "StatefulSet":
        if any(a.get(k) != b.get(k) for k in {*a, *b} - set(FREE)):
            listed = ", ".join(f"'{w}'" for w in FREE[:-1]) + f" and '{FREE[-1]}'"
            why = f"updates to statefulset spec for fields other than {listed} are forbidden"
            yield forbidden("spec", why)
        return
    for key in FIXED.get(kind, ()):
        if a.get(key) != b.get(key) and (kind != "Job" or key != "completions" or not indexed(a, b)):
            yield bad(f"spec.{key}", b.get(key), IMMUTABLE)


def indexed(a: Json, b: Json) -> bool:
    """An Indexed Job may change its completions together with its parallelism (elastic indexed Jobs)."""
    return b.get("completionMode") == "Indexed" and b.get("completions") == b.get("parallelism") != a.get(
        "parallelism"
    )
