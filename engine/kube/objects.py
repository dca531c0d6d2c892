"""API objects: plain JSON trees as the manifests give them, and the table of kinds.

Rules. A stored body is never changed in place: `edited` gives a deep copy to change, so that copies of the
store share bodies. Which kinds exist, and what the model does with each, is the table `KINDS`.
"""

from __future__ import annotations

from typing import Any

from engine.record import dataclass

#: An object, or any part of one, as JSON.
Json = dict[str, Any]

#: What the model does with a kind: "acted" (a controller here works on it), "kept" (stored and shown; true
#: Kubernetes does nothing to the network with it), "later" (stored and shown; what it does is not modelled).
ACTED, KEPT, LATER = "acted", "kept", "later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of `kubectl api-resources`."""

    kind: str
    plural: str
    api: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    act: str = LATER
    #: the first release (33 of 1.33) whose API server has it
    since: int = 0

    @property
    def group(self) -> str:
        return self.api.rpartition("/")[0]

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def resource(self) -> str:
        """How errors name it: `pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _k(
    kind: str, plural: str, api: str, *short: str, act: str = LATER, namespaced: bool = True, since: int = 0
) -> Kind:
    return Kind(kind=kind, plural=plural, api=api, short=short, act=act, namespaced=namespaced, since=since)


KINDS: tuple[Kind, ...] = (
    _k("Pod", "pods", "v1", "po", act=ACTED),
    _k("Namespace", "namespaces", "v1", "ns", act=ACTED, namespaced=False),
    _k("Node", "nodes", "v1", "no", act=ACTED, namespaced=False),
    _k("Event", "events", "v1", "ev", act=ACTED),
    _k("ConfigMap", "configmaps", "v1", "cm", act=KEPT),
    _k("Secret", "secrets", "v1", act=KEPT),
    _k("ServiceAccount", "serviceaccounts", "v1", "sa", act=ACTED),
    _k("PersistentVolume", "persistentvolumes", "v1", "pv", act=KEPT, namespaced=False),
    _k("PersistentVolumeClaim", "persistentvolumeclaims", "v1", "pvc", act=KEPT),
    _k("LimitRange", "limitranges", "v1", "limits", act=ACTED),
    _k("ResourceQuota", "resourcequotas", "v1", "quota", act=ACTED),
    _k("Service", "services", "v1", "svc", act=ACTED),
    _k("Endpoints", "endpoints", "v1", "ep", act=ACTED),
    _k("ReplicationController", "replicationcontrollers", "v1", "rc"),
    _k("Deployment", "deployments", "apps/v1", "deploy", act=ACTED),
    _k("ReplicaSet", "replicasets", "apps/v1", "rs", act=ACTED),
    _k("DaemonSet", "daemonsets", "apps/v1", "ds", act=ACTED),
    _k("StatefulSet", "statefulsets", "apps/v1", "sts", act=ACTED),
    _k("ControllerRevision", "controllerrevisions", "apps/v1", act=KEPT),
    _k("Job", "jobs", "batch/v1", act=ACTED),
    _k("CronJob", "cronjobs", "batch/v1", "cj"),
    _k("EndpointSlice", "endpointslices", "discovery.k8s.io/v1", act=ACTED),
    _k("NetworkPolicy", "networkpolicies", "networking.k8s.io/v1", "netpol", act=ACTED),
    _k("Ingress", "ingresses", "networking.k8s.io/v1", "ing"),
    _k("IngressClass", "ingressclasses", "networking.k8s.io/v1", namespaced=False),
    _k("ServiceCIDR", "servicecidrs", "networking.k8s.io/v1", act=ACTED, namespaced=False, since=33),
    _k("IPAddress", "ipaddresses", "networking.k8s.io/v1", "ip", act=ACTED, namespaced=False, since=33),
    _k("HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling/v2", "hpa"),
    _k("PodDisruptionBudget", "poddisruptionbudgets", "policy/v1", "pdb", act=KEPT),
    _k("Role", "roles", "rbac.authorization.k8s.io/v1", act=KEPT),
    _k("RoleBinding", "rolebindings", "rbac.authorization.k8s.io/v1", act=KEPT),
    _k("ClusterRole", "clusterroles", "rbac.authorization.k8s.io/v1", act=KEPT, namespaced=False),
    _k("ClusterRoleBinding", "clusterrolebindings", "rbac.authorization.k8s.io/v1", act=KEPT, namespaced=False),
    _k("StorageClass", "storageclasses", "storage.k8s.io/v1", "sc", act=KEPT, namespaced=False),
    _k("PriorityClass", "priorityclasses", "scheduling.k8s.io/v1", "pc", act=KEPT, namespaced=False),
    _k("Lease", "leases", "coordination.k8s.io/v1", act=KEPT),
)  # fmt: skip
BY_KIND: dict[str, Kind] = {k.kind: k for k in KINDS}
BY_WORD: dict[str, Kind] = {w: k for k in KINDS for w in (k.plural, k.singular, *k.short)}


def kind_named(word: str) -> Kind | None:
    """What a person types: `po`, `pod`, `pods`, `deployments.apps`, `Deployment`; None when there is none."""
    low = word.lower()
    if low in BY_WORD:
        return BY_WORD[low]
    head, _, group = low.partition(".")
    found = BY_WORD.get(head)
    return found if found is not None and group == found.group else None


def edited(body: Json) -> Json:
    """A deep copy to change and put back."""
    return {key: _copied(value) for key, value in body.items()}


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def meta(body: Json) -> Json:
    found = body.get("metadata")
    return found if found.__class__ is dict else {}


def name_of(body: Json) -> str:
    found = body.get("metadata")
    return str(found.get("name", "")) if found.__class__ is dict else ""


def namespace_of(body: Json) -> str:
    found = body.get("metadata")
    return str(found.get("namespace", "")) if found.__class__ is dict else ""


def labels_of(body: Json) -> dict[str, str]:
    return meta(body).get("labels") or {}


def spec_of(body: Json) -> Json:
    found = body.get("spec")
    return found if found.__class__ is dict else {}


def status_of(body: Json) -> Json:
    found = body.get("status")
    return found if found.__class__ is dict else {}


def controller_of(body: Json) -> Json | None:
    """The owner reference of the controller that made an object."""
    rows = meta(body).get("ownerReferences")
    for owner in rows or ():
        if owner.get("controller"):
            return owner  # type: ignore[no-any-return]
    return None


def deleting(body: Json) -> bool:
    found = body.get("metadata")
    return found.__class__ is dict and "deletionTimestamp" in found
