"""ResourceQuota: what a namespace may hold, at admission and in its status.

Theory. A quota names amounts: numbers of objects (`pods`, `services.nodeports`, `count/deployments.apps`) and sums of
what pods ask for (`requests.cpu`, `limits.memory`; `cpu` and `memory` are requests). The admission plugin adds a new
object to what is used and refuses it when a quota would be exceeded, or when a quota sums up something that the pod
does not say at all. The controller writes what is used into the status. Pods that have ended count for nothing.
Sources: apiserver/pkg/admission/plugin/resourcequota/controller.go, pkg/quota/v1/evaluator/core.

Rules. Amounts are computed from the store when they are asked for; a namespace without quota costs one look-up.
"""

from __future__ import annotations

from fractions import Fraction

from engine.kube import quantity
from engine.kube.objects import BY_KIND, Json, name_of, namespace_of, spec_of, status_of
from engine.kube.passes import Pass
from engine.kube.podspec import finished
from engine.kube.store import Store
from engine.kube.validate.errors import forbidden_request

MEMORY = "engine.kube.quota"
#: Kinds that a quota counts by their plural alone.
PLAIN = (
    "Pod", "Service", "ConfigMap", "Secret", "PersistentVolumeClaim", "ReplicationController", "ResourceQuota",
)  # fmt: skip


def admit(store: Store, body: Json) -> None:
    """Refused when a quota of the namespace leaves no room for a new object."""
    namespace, kind = namespace_of(body), str(body["kind"])
    quotas = store.list("ResourceQuota", namespace) if namespace else []
    if not quotas:
        return
    asked = amounts(body)
    resource, name = BY_KIND[kind].resource, name_of(body)
    for quota in sorted(quotas, key=name_of):
        hard = spec_of(quota).get("hard") or {}
        if kind == "Pod" and (text := unsaid(hard, body)):
            raise forbidden_request(resource, name, f"failed quota: {name_of(quota)}: must specify {text}")
        mine = {k: v for k, v in asked.items() if k in hard and quantity.value(v)}
        if not mine:
            continue
        before = used(store, namespace, list(mine))
        over = [k for k in mine if number(before[k]) + number(mine[k]) > number(str(hard[k]))]
        if over:
            rows = [{k: r[k] for k in sorted(over)} for r in (mine, before, {k: str(hard[k]) for k in mine})]
            said = [",".join(f"{k}={v}" for k, v in r.items()) for r in rows]
            why = (
                f"exceeded quota: {name_of(quota)}, requested: {said[0]}, used: {said[1]}, limited: {said[2]}"
            )
            raise forbidden_request(resource, name, why)


def number(text: str) -> Fraction:
    return quantity.value(text)


def amounts(body: Json) -> dict[str, str]:
    """What one object takes of every amount that a quota can name."""
    kind = BY_KIND[str(body["kind"])]
    if kind.kind == "Pod" and finished(body):
        return {}
    out = {f"count/{kind.resource}": "1"}
    if kind.kind in PLAIN:
        out[kind.plural] = "1"
    if kind.kind == "Service":
        spec = spec_of(body)
        ports = sum(1 for p in spec.get("ports") or () if p.get("nodePort"))
        if spec.get("type") == "NodePort" or (spec.get("type") == "LoadBalancer" and ports):
            out["services.nodeports"] = str(len(spec.get("ports") or ()))
        if spec.get("type") == "LoadBalancer":
            out["services.loadbalancers"] = "1"
    elif kind.kind == "Pod":
        for part in ("requests", "limits"):
            for key, value in summed(body, part).items():
                out[f"{part}.{key}"] = value
                if part == "requests":
                    out[key] = value
    elif kind.kind == "PersistentVolumeClaim":
        size = ((spec_of(body).get("resources") or {}).get("requests") or {}).get("storage")
        if size is not None:
            out["requests.storage"] = str(size)
    return out


def summed(pod: Json, part: str) -> dict[str, str]:
    """What all containers of a pod ask for, or one init container alone if that is more."""
    out: dict[str, str] = {}
    rows = [(c.get("resources") or {}).get(part) or {} for c in spec_of(pod).get("containers") or ()]
    for key in sorted({k for r in rows for k in r}):
        out[key] = quantity.total(str(r[key]) for r in rows if key in r)
    for container in spec_of(pod).get("initContainers") or ():
        for key, value in ((container.get("resources") or {}).get(part) or {}).items():
            if key not in out or number(str(value)) > number(out[key]):
                out[key] = str(value)
    return out


def unsaid(hard: Json, pod: Json) -> str:
    """`limits.cpu for: a,b; requests.cpu for: a`: the amounts of a quota that containers do not speak of."""
    missing: dict[str, list[str]] = {}
    for key in hard:
        word = key if key.startswith(("requests.", "limits.")) else f"requests.{key}"
        part, _, name = word.partition(".")
        if name not in ("cpu", "memory"):
            continue
        for container in spec_of(pod).get("containers") or ():
            if name not in ((container.get("resources") or {}).get(part) or {}):
                missing.setdefault(key, []).append(str(container.get("name", "")))
    return "; ".join(f"{k} for: {','.join(sorted(missing[k]))}" for k in sorted(missing))


def used(store: Store, namespace: str, keys: list[str]) -> dict[str, str]:
    """What a namespace holds of each amount."""
    rows: dict[str, list[str]] = {k: [] for k in keys}
    for kind in list(store.objects):
        if kind in BY_KIND:
            for body in store.in_namespace(kind, namespace):
                for key, value in amounts(body).items():
                    if key in rows:
                        rows[key].append(value)
    return {k: quantity.total(v) for k, v in rows.items()}


def sync(at: Pass) -> None:
    """The quota controller: `status.hard` and `status.used` of every quota."""
    quotas = at.store.list("ResourceQuota")
    seen = at.cluster.memory.get(MEMORY)
    if not quotas or seen == at.store.version:
        return
    for quota in list(quotas):
        hard = {k: str(v) for k, v in (spec_of(quota).get("hard") or {}).items()}
        status = {"hard": hard, "used": used(at.store, namespace_of(quota), list(hard))}
        if status_of(quota) != status:
            at.store.update({**quota, "metadata": dict(quota["metadata"]), "status": status})
    at.cluster.memory[MEMORY] = at.store.version
