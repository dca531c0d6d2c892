"""The API server: what happens to an object between a client's request and the store.

Theory. A request is decoded strictly, defaulted, admitted, validated, given its addresses and ports, and stored.
`ApiServer` is these steps over one Cluster; it keeps nothing itself, so that a Cluster's copy has its own for nothing.

Rules.
- `put`, `patch` and `load` are what people do: everything is checked. `create` is what programs of the cluster do with
  bodies of their own making: defaults, admission and allocation, without checking a form that is known to be right.
- Refusals are `validate.Refused`: `reason` is the API's (Invalid, BadRequest, Forbidden, Conflict, AlreadyExists,
  NotFound), `message` its text.
- Warnings: what the server answers in `Warning:` headers of the last request of `put`, `patch` or `create` stands in
  `cluster.warnings` afterwards (a list of texts, emptied when the next request begins). A client prints each as
  `Warning: TEXT`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from engine.errors import InputError, Problem
from engine.kube import admission, defaults, quota, schema, validate
from engine.kube import patch as patches
from engine.kube.clock import stamp
from engine.kube.manifests import Manifest
from engine.kube.objects import BY_KIND, LATER, Json, deleting, edited, meta, name_of, namespace_of, spec_of
from engine.kube.ownership import LIMIT, replicas
from engine.kube.podspec import NOT_READY, default_pod, on_node
from engine.kube.services.allocate import allocate, strange
from engine.kube.services.defaults import carry, drop_disabled, plural
from engine.kube.store import Store
from engine.record import dataclass
from engine.say import Phrase, Said

if TYPE_CHECKING:
    from engine.kube.cluster import Cluster

KIND_LATER = Phrase(
    en="{kind} is kept and shown, but what it does is not modelled yet",
    ko="{kind}은(는) 보관하고 보여 주지만, 그 동작은 아직 모델에 없습니다",
)
NOT_ENFORCED = Phrase(
    en="it is stored and shown, and stops no packet: no program on these nodes enforces NetworkPolicy",
    ko="저장되고 표시되지만 어떤 패킷도 막지 않습니다. 이 노드들에는 NetworkPolicy를 적용하는 프로그램이 없습니다",
)
#: Networks whose programs enforce NetworkPolicy.
ENFORCING = ("calico",)
OUT_OF_RANGE = Phrase(
    en="{number} is out of this cluster's range (serviceCIDR, serviceNodePortRange) and is kept as it stands; kubectl "
    "would be refused",
    ko="{number}은(는) 이 클러스터의 범위(serviceCIDR, serviceNodePortRange)를 벗어나지만 적힌 대로 둡니다. kubectl로 "
    "만들면 거부됩니다",
)
TOO_MANY = Phrase(
    en="{wanted} Pods are asked for; a lab makes {limit} of them at most",
    ko="파드 {wanted}개를 요청했지만 실습에서는 {limit}개까지만 만듭니다",
)
KIND_UNKNOWN = Phrase(
    en="the kind {kind} ({api}) is not known to the model; the object is skipped",
    ko="{kind}({api})은(는) 모델이 모르는 종류라서 건너뜁니다",
)
ROOT_CA = {
    "ca.crt": "-----BEGIN CERTIFICATE-----\n(the lab's certificate authority)\n-----END CERTIFICATE-----\n"
}
#: Kinds whose fields are judged as they come: the checks know their defaults.
DEFAULTED_LATER = ("Pod", "Namespace", "Node", *validate.TEMPLATES)
KEPT_META = ("uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp",
             "deletionGracePeriodSeconds", "generateName")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something of a manifest that does not act: where it stood, what it is, and why."""

    where: str
    kind: str
    name: str
    why: Said


#: What a client may say of a new object and the server sets itself (rest.BeforeCreate; kubectl clears the version).
SYSTEM_META = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "selfLink",
               "deletionGracePeriodSeconds", "managedFields")  # fmt: skip
KEPT_NAMESPACES = ("default", "kube-system", "kube-public")
FOREGROUND = "foregroundDeletion"


class ApiServer:
    """The API server of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    @property
    def store(self) -> Store:
        return self.cluster.store

    # ---- what people bring

    def load(self, found: Iterable[Manifest], clock: float = 0.0) -> None:
        """Store objects as they come with a lab: namespaces that they name are made. InputError with every problem."""
        problems: list[Problem] = []
        rows = list(found)
        first = ("Namespace", "ServiceAccount", "LimitRange", "PriorityClass")
        for row in sorted(rows, key=lambda r: r.body.get("kind") not in first):
            try:
                self.put(row, clock, found=True)
            except validate.Refused as refused:
                problems += [Problem(where=row.where, said=said) for said in refused.reasons()]
        if problems:
            raise InputError(problems)

    def put(
        self, row: Manifest, clock: float, *, make_namespace: bool = True, found: bool = False
    ) -> Json | None:
        """Create or replace one object, as `kubectl apply` of a whole object. None for a kind that is skipped. Refused
        when the API server would refuse it. `make_namespace` is how a lab's own manifests come: a namespace that they
        name is made, and an account that their pods name. `found`: the Services of another cluster's objects keep
        addresses and node ports that are out of this one's ranges, which is noted."""
        body: Json = schema.cleaned(row.body)
        validate.type_meta(body)
        kind = BY_KIND.get(str(body["kind"]))
        if kind is None or str(body["apiVersion"]) != kind.api or kind.since > self.cluster.options.minor:
            why = KIND_UNKNOWN(kind=str(body["kind"]), api=str(body["apiVersion"]))
            self.cluster.skipped.append(Skipped(row.where, str(body["kind"]), str(name_of(body)), why))
            return None
        m = body.setdefault("metadata", {})
        if isinstance(m, dict) and kind.namespaced and not m.get("namespace"):
            m["namespace"] = "default"
        if isinstance(m, dict) and not kind.namespaced:
            m.pop("namespace", None)
        if kind.kind != "Service":
            body.pop("status", None)
        self.cluster.warnings = []
        validate.decode(body)
        if kind.namespaced and self.store.get("Namespace", "", m["namespace"]) is None:
            if not make_namespace:
                raise validate.Refused("NotFound", f'namespaces "{m["namespace"]}" not found')
            self.make_namespace(m["namespace"], clock)
        old = self.store.get(kind.kind, namespace_of(body), name_of(body))
        for key in SYSTEM_META if old is None else ():
            m.pop(key, None)
        if make_namespace:
            self.make_account(body, clock)
        stored = (
            self.create(body, clock, checked=False, found=found) if old is None else self.replace(old, body)
        )
        self.warn(stored)
        self.remark(row.where, stored)
        if found and kind.kind == "Service":
            for text in strange(self.store, self.cluster.options, stored):
                self.skip(row.where, stored, OUT_OF_RANGE(number=text))
        return stored

    def warn(self, body: Json) -> None:
        """Leave in `cluster.warnings` what the server says of an object that it takes."""
        self.cluster.warnings += validate.warnings(body, self.cluster.options.minor)

    def remark(self, where: str, body: Json) -> None:
        """Note in `skipped` what of a stored object does not act."""
        kind = BY_KIND[str(body["kind"])]
        if kind.act == LATER:
            self.skip(where, body, KIND_LATER(kind=kind.kind))
        if kind.kind == "NetworkPolicy" and self.cluster.options.cni.name not in ENFORCING:
            self.skip(where, body, NOT_ENFORCED())
        for _, said in validate.parts_not_modelled(body):
            self.skip(where, body, said)
        if kind.kind in validate.TEMPLATES and (wanted := replicas(body)) > LIMIT:
            self.skip(where, body, TOO_MANY(wanted=wanted, limit=LIMIT))

    def skip(self, where: str, body: Json, why: Said) -> None:
        row = Skipped(where, str(body["kind"]), f"{namespace_of(body)}/{name_of(body)}".lstrip("/"), why)
        if row not in self.cluster.skipped:
            self.cluster.skipped.append(row)

    def make_account(self, body: Json, clock: float) -> None:
        """The account and the PriorityClass that a Pod or a pod template names, if they are not there."""
        if body["kind"] not in ("Pod", *validate.TEMPLATES):
            return
        spec = spec_of(body) if body["kind"] == "Pod" else spec_of(spec_of(body).get("template") or {})
        name, namespace = str(spec.get("serviceAccountName") or ""), namespace_of(body)
        if name and self.store.get("ServiceAccount", namespace, name) is None:
            account = {"name": name, "namespace": namespace}
            self.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}, clock)
        rank = str(spec.get("priorityClassName") or "")
        known = not rank or rank in admission.SYSTEM_CLASSES
        if not known and self.store.get("PriorityClass", "", rank) is None:
            policy = spec.get("preemptionPolicy") or admission.PREEMPT
            made = {
                "metadata": {"name": rank},
                "value": spec.get("priority") or 0,
                "preemptionPolicy": policy,
            }
            self.create({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", **made}, clock)

    def make_namespace(self, name: str, clock: float) -> None:
        body: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.create(body, clock)

    def furnish(self, namespace: str, clock: float) -> None:
        """What the controllers put into every new namespace: the cluster's root certificate, an account."""
        for kind, name, more in (
            ("ConfigMap", "kube-root-ca.crt", {"data": ROOT_CA}),
            ("ServiceAccount", "default", {}),
        ):
            if self.store.get(kind, namespace, name) is None:
                m = {"name": name, "namespace": namespace}
                self.create({"apiVersion": "v1", "kind": kind, "metadata": m, **more}, clock)

    # ---- writing

    def create(self, body: Json, clock: float, *, checked: bool = True, found: bool = False) -> Json:
        """Create an object: defaults, admission, allocation, and the checks of its fields unless its form is known to
        be right. Refused."""
        kind, m, ids = str(body["kind"]), body.setdefault("metadata", {}), self.cluster.ids
        if not m.get("name") and m.get("generateName"):
            m["name"] = m["generateName"] + ids.suffix(f"name/{kind}/{m['generateName']}")
            while self.store.get(kind, namespace_of(body), m["name"]) is not None:
                m["name"] = m["generateName"] + ids.suffix(f"name/{kind}/{m['generateName']}")
        if not checked and kind in DEFAULTED_LATER:
            validate.fields(body, self.cluster.options.minor)
        self.prepare(body)
        admission.admit(self.store, body)
        if kind == "Service":
            plural(body)
            drop_disabled(body, self.cluster.options.minor)
            allocate(self.store, self.cluster.memory, self.cluster.options, body, None, found=found)
        quota.admit(self.store, body)
        if not checked and kind not in DEFAULTED_LATER:
            validate.fields(body, self.cluster.options.minor)
        made = self.store.create(body, clock, defaults.job_selector if kind == "Job" else None)
        if kind == "Namespace":
            self.furnish(str(m["name"]), clock)
        return made

    def prepare(self, body: Json) -> None:
        """What the server fills into a new object."""
        kind, m = str(body["kind"]), body["metadata"]
        if kind == "Pod":
            admission.priority(self.store, body)
            default_pod(body, self.cluster.ids)
        elif kind == "Node" and m.get("name") not in self.cluster.nodes:
            taints = body.setdefault("spec", {}).setdefault("taints", [])
            taints.append({"key": NOT_READY, "effect": "NoSchedule"})
        elif kind == "Namespace":
            m.setdefault("labels", {})["kubernetes.io/metadata.name"] = m["name"]
            body["spec"], body["status"] = {"finalizers": ["kubernetes"]}, {"phase": "Active"}
        else:
            defaults.fill(body)
            if kind == "Service":
                body.setdefault("status", {"loadBalancer": {}})

    def replace(self, old: Json, body: Json) -> Json:
        """Replace an object by a new whole one, which is the last that is seen of it when it waited for its finalizers
        only. Refused for a change that Kubernetes forbids."""
        kind, minor = str(body["kind"]), self.cluster.options.minor
        validate.conflict(old, body)
        judged = kind in DEFAULTED_LATER
        wrong = list(validate.field_errors(body, minor, new=False)) if judged else []
        if kind == "Pod":
            if wrong:
                raise validate.invalid(body, wrong)
            probe = edited(body)
            ranked = {k: spec_of(old)[k] for k in ("priority", "preemptionPolicy") if k in spec_of(old)}
            probe["spec"] = {**ranked, **spec_of(probe)}
            default_pod(probe, self.cluster.ids.copy())
            validate.pod_update(old, probe)
            body = {**edited(old), "spec": validate.merged_pod_spec(old, probe), "metadata": body["metadata"]}
        elif kind == "Node":
            own = {k: spec_of(old)[k] for k in ("podCIDR", "podCIDRs", "providerID") if k in spec_of(old)}
            body = {**edited(old), "metadata": body["metadata"], "spec": {**own, **spec_of(body)}}
        elif kind == "Namespace":
            body = {**edited(old), "metadata": body["metadata"]}
            body["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name_of(old)
        else:
            defaults.fill(body)
            if "status" in old and ("status" not in body or kind != "Service"):
                body["status"] = old["status"]
        if kind == "Service":
            carry(old, body)
            drop_disabled(body, minor)
            allocate(self.store, self.cluster.memory, self.cluster.options, body, old)
        if not judged:
            wrong = list(validate.field_errors(body, minor, new=False))
        validate.changed(old, body, wrong, minor)
        kept = {k: meta(old)[k] for k in KEPT_META if k in meta(old)}
        said = {k: v for k, v in body["metadata"].items() if k not in SYSTEM_META}
        body["metadata"] = {**said, **kept}
        stored = self.store.update(body)
        freed = deleting(stored) and not meta(stored).get("finalizers") and meta(old).get("finalizers")
        if freed and not meta(stored).get("deletionGracePeriodSeconds"):
            self.store.remove(kind, namespace_of(stored), name_of(stored))
        return stored

    def patch(
        self, kind: str, namespace: str, name: str, patch: Any, clock: float, *, how: str = "strategic"
    ) -> Json:
        """Patch an object; `how` is strategic, merge or json. Refused: NotFound, or what is wrong with the patch or
        with what it makes of the object."""
        self.cluster.warnings = []
        old = self.store.get(kind, namespace, name)
        if old is None:
            raise validate.Refused("NotFound", f'{BY_KIND[kind].resource} "{name}" not found')
        try:
            body = patches.applied(old, patch, how)
        except patches.PatchError as error:
            raise validate.Refused(error.reason, error.message) from None
        body = schema.cleaned(body)
        if body.get("kind") != kind or body.get("apiVersion") != old["apiVersion"]:
            raise validate.Refused("BadRequest", "the kind and the apiVersion of an object cannot be patched")
        validate.decode(body)
        stored = self.replace(old, body)
        self.warn(stored)
        self.remark("", stored)
        return stored

    def delete(
        self, body: Json, clock: float, *, cascade: str = "background", grace: int | None = None
    ) -> None:
        """The API's delete: a bound Pod waits for its kubelet, a finalizer for whoever takes it away, a namespace for
        its content. `cascade` orphan leaves what the object owns without that owner, foreground deletes it first. An
        object that is not there is no error."""
        kind, namespace, name = str(body["kind"]), namespace_of(body), name_of(body)
        old = self.store.get(kind, namespace, name)
        if old is None:
            return
        if kind == "Namespace":
            self.delete_namespace(old, clock)
            return
        if cascade == "orphan":
            self.orphan(str(meta(old)["uid"]))
        elif cascade == "foreground" and self.foreground(old, clock):
            return
        if kind == "PriorityClass" and name in admission.SYSTEM_CLASSES:
            why = "this is a system priority class and cannot be deleted"
            raise validate.forbidden_request("priorityclasses.scheduling.k8s.io", name, why)
        waits = 0
        if kind == "Pod" and on_node(old) and self.store.get("Node", "", on_node(old)) is not None:
            waits = int(spec_of(old).get("terminationGracePeriodSeconds", 30)) if grace is None else grace
        if waits or meta(old).get("finalizers"):
            if not deleting(old) or int(meta(old).get("deletionGracePeriodSeconds", 0)) > waits:
                new = edited(old)
                new["metadata"] |= {
                    "deletionTimestamp": stamp(clock + waits), "deletionGracePeriodSeconds": waits,
                }  # fmt: skip
                self.store.update(new)
            return
        self.store.remove(kind, namespace, name)

    def delete_namespace(self, old: Json, clock: float) -> None:
        """A namespace is Terminating until its controller has emptied it (controllers/finalize.py). Refused for those
        that a cluster cannot be without."""
        name = name_of(old)
        if name in KEPT_NAMESPACES:
            raise validate.forbidden_request("namespaces", name, "this namespace may not be deleted")
        if deleting(old):
            return
        new = edited(old)
        new["metadata"]["deletionTimestamp"] = stamp(clock)
        new["status"] = {**(new.get("status") or {}), "phase": "Terminating"}
        self.store.update(new)

    def foreground(self, old: Json, clock: float) -> bool:
        """Let an owner wait for what it owns: True when it owns something, which is deleted first."""
        rows = [b for b in self.store.owned_by(str(meta(old)["uid"])) if not deleting(b)]
        if not rows and not self.store.owned_by(str(meta(old)["uid"])):
            return False
        if not deleting(old):
            new = edited(old)
            m = new["metadata"]
            m["finalizers"] = [*(m.get("finalizers") or ()), FOREGROUND]
            m |= {"deletionTimestamp": stamp(clock), "deletionGracePeriodSeconds": 0}
            self.store.update(new)
        for row in rows:
            self.delete(row, clock, cascade="foreground")
        return True

    def orphan(self, uid: str) -> None:
        """Take an owner out of the ownerReferences of all that it owns."""
        for row in list(self.store.owned_by(uid)):
            new = edited(row)
            kept = [o for o in new["metadata"]["ownerReferences"] if o.get("uid") != uid]
            new["metadata"]["ownerReferences"] = kept
            if not kept:
                del new["metadata"]["ownerReferences"]
            self.store.update(new)
