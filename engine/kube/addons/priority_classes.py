"""The two PriorityClasses that every API server makes at its start and keeps.

Source: pkg/apis/scheduling/v1/helpers.go (SystemPriorityClasses), pkg/registry/scheduling/rest/storage_scheduling.go.
"""

from __future__ import annotations

from engine.kube.admission import SYSTEM_CLASSES
from engine.kube.objects import Json
from engine.kube.options import Options

DESCRIPTIONS = {
    "system-node-critical": "Used for system critical pods that must not be moved from their current node.",
    "system-cluster-critical": "Used for system critical pods that must run in the cluster, but can be moved to "
    "another node if necessary.",
}


def objects(options: Options) -> list[Json]:
    return [
        {
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value,
            "preemptionPolicy": "PreemptLowerPriority", "description": DESCRIPTIONS[name],
        }
        for name, value in SYSTEM_CLASSES.items()
    ]  # fmt: skip
