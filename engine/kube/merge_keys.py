"""How strategic merge patch takes each field of the API's structs: the `patchStrategy` and `patchMergeKey` tags.

Rules. A field that is not in the table is merged when it is a map and replaced when it is a list. Every field of the
table is in schema.py (a test). Source: k8s.io/api (1.35).
"""

from __future__ import annotations

from engine.kube.schema import types

#: struct.field -> (strategy, merge key); from the `patchStrategy` and `patchMergeKey` tags of k8s.io/api.
STRATEGY: dict[str, tuple[str, str]] = {
    "ObjectMeta.ownerReferences": ("merge", "uid"),
    "ObjectMeta.finalizers": ("merge", ""),
    "PodSpec.volumes": ("merge,retainKeys", "name"),
    "PodSpec.initContainers": ("merge", "name"),
    "PodSpec.containers": ("merge", "name"),
    "PodSpec.ephemeralContainers": ("merge", "name"),
    "PodSpec.imagePullSecrets": ("merge", "name"),
    "PodSpec.hostAliases": ("merge", "ip"),
    "PodSpec.topologySpreadConstraints": ("merge", "topologyKey"),
    "PodSpec.schedulingGates": ("merge", "name"),
    "PodSpec.resourceClaims": ("merge,retainKeys", "name"),
    "Container.ports": ("merge", "containerPort"),
    "Container.env": ("merge", "name"),
    "Container.volumeMounts": ("merge", "mountPath"),
    "Container.volumeDevices": ("merge", "devicePath"),
    "PodStatus.conditions": ("merge", "type"),
    "PodStatus.podIPs": ("merge", "ip"),
    "PodStatus.hostIPs": ("merge", "ip"),
    "ServiceSpec.ports": ("merge", "port"),
    "ServiceStatus.conditions": ("merge", "type"),
    "ServiceAccount.secrets": ("merge", "name"),
    "ServiceAccount.imagePullSecrets": ("merge", "name"),
    "NodeSpec.podCIDRs": ("merge", ""),
    "NodeStatus.conditions": ("merge", "type"),
    "NodeStatus.addresses": ("merge", "type"),
    "NamespaceStatus.conditions": ("merge", "type"),
    "DeploymentSpec.strategy": ("retainKeys", ""),
    "DeploymentStatus.conditions": ("merge", "type"),
    "ReplicaSetStatus.conditions": ("merge", "type"),
    "StatefulSetStatus.conditions": ("merge", "type"),
    "DaemonSetStatus.conditions": ("merge", "type"),
    "JobStatus.conditions": ("merge", "type"),
    "PodDisruptionBudgetSpec.selector": ("replace", ""),
}


def field(struct: str, key: str) -> tuple[str, str, bool, str]:
    """(type below, strategy, retainKeys, merge key) of a field: `Container`, `merge`, False, `name`."""
    if struct.startswith("{}"):
        return struct[2:], "", False, ""
    below = types().get(struct, {}).get(key, "?")
    strategies, merge_key = STRATEGY.get(f"{struct}.{key}", ("", ""))
    words = [w for w in strategies.split(",") if w]
    plain = next((w for w in words if w != "retainKeys"), "")
    return below.removeprefix("[]"), plain, "retainKeys" in words, merge_key
