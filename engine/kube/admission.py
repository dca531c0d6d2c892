"""Admission: what the API server's plugins change in a new object, and what they refuse.

Theory. NamespaceLifecycle refuses new content of a namespace that is going; ServiceAccount refuses a Pod whose account
is not there; Priority gives a Pod the number of its class; LimitRanger fills in requests and limits and holds them
against the namespace's LimitRanges (at creation only). Sources: plugin/pkg/admission/{limitranger,serviceaccount,
priority}, apiserver/pkg/admission/plugin/namespace/lifecycle; facts 20 section 6.

Rules. `admit` changes the body in place, after its defaults, and raises Refused with the plugins' own texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from engine.kube import quantity
from engine.kube.objects import BY_KIND, Json, deleting, meta, name_of, namespace_of, spec_of
from engine.kube.podspec import qos
from engine.kube.store import Store
from engine.kube.validate.errors import forbidden_request, invalid
from engine.kube.validate.pods import resource_errors

ANNOTATION = "kubernetes.io/limit-ranger"
#: the classes that the API server itself makes, and their values
SYSTEM_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
PREEMPT = "PreemptLowerPriority"


def admit(store: Store, body: Json) -> None:
    """Let a new object pass, changed where a plugin changes it. Refused."""
    kind, namespace = str(body["kind"]), namespace_of(body)
    space = store.get("Namespace", "", namespace) if namespace else None
    if space is not None and deleting(space):
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        raise forbidden_request(BY_KIND[kind].resource, name_of(body), why)
    if kind == "Pod":
        service_account(store, body)
        limit(store, body)
    elif kind == "Ingress":
        ingress_class(store, body)
    elif kind == "PriorityClass" and body.get("globalDefault"):
        only_default(store, body)


def service_account(store: Store, body: Json) -> None:
    """A Pod's account must be there. Refused."""
    name, namespace = str(spec_of(body).get("serviceAccountName") or "default"), namespace_of(body)
    if store.get("ServiceAccount", namespace, name) is None:
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise forbidden_request("pods", name_of(body), why)


def priority(store: Store, body: Json) -> None:
    """Priority: a new Pod's number and preemption policy are its class's. Comes before the Pod's defaults, which would
    hide what the client said. Refused."""
    spec = body.setdefault("spec", {})
    number, policy, named = 0, PREEMPT, str(spec.get("priorityClassName") or "")
    found = store.get("PriorityClass", "", named) if named else default_class(store)
    if found is not None:
        spec["priorityClassName"] = name_of(found)
        number, policy = int(found.get("value", 0)), str(found.get("preemptionPolicy") or PREEMPT)
    elif named in SYSTEM_CLASSES:
        number = SYSTEM_CLASSES[named]
    elif named:
        raise forbidden_request("pods", name_of(body), f"no PriorityClass with name {named} was found")
    tail = "must not be provided in pod spec; priority admission controller computed"
    if spec.get("priority") not in (None, number):
        why = f"the integer value of priority ({spec['priority']}) {tail} {number} from the given PriorityClass name"
        raise forbidden_request("pods", name_of(body), why)
    if spec.get("preemptionPolicy") not in (None, policy):
        said = spec["preemptionPolicy"]
        why = (
            f"the string value of PreemptionPolicy ({said}) {tail} {policy} from the given PriorityClass name"
        )
        raise forbidden_request("pods", name_of(body), why)
    spec["priority"], spec["preemptionPolicy"] = number, policy


def default_class(store: Store) -> Json | None:
    """The class of Pods that name none: the one marked so, the least of several."""
    marked = [c for c in store.objects.get("PriorityClass", {}).values() if c.get("globalDefault")]
    return min(marked, key=lambda c: int(c.get("value", 0)), default=None)


def only_default(store: Store, body: Json) -> None:
    """One PriorityClass at most is the default. Refused."""
    other = default_class(store)
    if other is not None and name_of(other) != name_of(body):
        why = f"PriorityClass {name_of(other)} is already marked as default. Only one default can exist"
        raise forbidden_request("priorityclasses.scheduling.k8s.io", name_of(body), why)


def ingress_class(store: Store, body: Json) -> None:
    """DefaultIngressClass: the class that is marked as default, when an Ingress names none."""
    annotations = meta(body).get("annotations") or {}
    if spec_of(body).get("ingressClassName") or "kubernetes.io/ingress.class" in annotations:
        return
    marked = [
        name_of(c)
        for c in store.list("IngressClass")
        if (meta(c).get("annotations") or {}).get("ingressclass.kubernetes.io/is-default-class") == "true"
    ]
    if len(marked) == 1:
        body["spec"]["ingressClassName"] = marked[0]
    elif marked:
        why = f"{len(marked)} default IngressClasses were found, only 1 allowed"
        raise forbidden_request("ingresses.networking.k8s.io", name_of(body), why)


# ---- LimitRanger


def limit(store: Store, pod: Json) -> None:
    """Fill in and hold a Pod against every LimitRange of its namespace, one after the other."""
    ranges = store.list("LimitRange", namespace_of(pod))
    if not ranges:
        return
    for row in ranges:
        fill(row, pod)
        problems = list(broken(row, pod))
        if problems:
            text = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
            raise forbidden_request("pods", name_of(pod), text)
    wrong = [w for c, path in placed(spec_of(pod)) for w in resource_errors(c, path)]
    if wrong:
        raise invalid(pod, wrong)
    pod["status"] = {**(pod.get("status") or {}), "qosClass": qos(spec_of(pod))}


def placed(spec: Json) -> Iterator[tuple[Json, str]]:
    """Every container and where it stands."""
    for key in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(key) or ()):
            yield container, f"spec.{key}[{i}]"


def fill(row: Json, pod: Json) -> None:
    """mergePodResourceRequirements: defaults for what a container does not say, noted in an annotation."""
    spec = spec_of(row).get("limits") or []
    default = {
        k: v for r in spec if r.get("type") == "Container" for k, v in (r.get("default") or {}).items()
    }
    request = {
        k: v for r in spec if r.get("type") == "Container" for k, v in (r.get("defaultRequest") or {}).items()
    }
    notes: list[str] = []
    for words, containers in (("container", "containers"), ("init container", "initContainers")):
        for container in spec_of(pod).get(containers) or ():
            resources = container.setdefault("resources", {})
            for part, word, values in (("requests", "request", request), ("limits", "limit", default)):
                fresh = {k: v for k, v in values.items() if k not in (resources.get(part) or {})}
                if fresh:
                    resources[part] = {**(resources.get(part) or {}), **fresh}
                    notes.append(f"{', '.join(sorted(fresh))} {word} for {words} {container.get('name', '')}")
    if notes:
        text = f"LimitRanger plugin set: {'; '.join(notes)}"
        pod["metadata"].setdefault("annotations", {})[ANNOTATION] = text


def broken(row: Json, pod: Json) -> Iterator[str]:
    """What of a LimitRange a Pod does not keep."""
    containers = spec_of(pod).get("containers") or []
    for item in spec_of(row).get("limits") or ():
        kind = item.get("type")
        if kind == "Container":
            for container in containers:
                resources = container.get("resources") or {}
                yield from held(
                    item, "Container", resources.get("requests") or {}, resources.get("limits") or {}
                )
        elif kind == "Pod":
            yield from held(item, "Pod", summed(containers, "requests"), summed(containers, "limits"))


def held(item: Json, kind: str, requests: Json, limits: Json) -> Iterator[str]:
    """minConstraint, maxConstraint and limitRequestRatioConstraint."""
    for key, least in (item.get("min") or {}).items():
        head = f"minimum {key} usage per {kind} is {least}"
        if key not in requests:
            yield f"{head}.  No request is specified"
        elif number(requests[key]) < number(least):
            yield f"{head}, but request is {requests[key]}"
        elif key in limits and number(limits[key]) < number(least):
            yield f"{head}, but limit is {limits[key]}"
    for key, most in (item.get("max") or {}).items():
        head = f"maximum {key} usage per {kind} is {most}"
        if key not in limits:
            yield f"{head}.  No limit is specified"
        elif number(limits[key]) > number(most):
            yield f"{head}, but limit is {limits[key]}"
        elif key in requests and number(requests[key]) > number(most):
            yield f"{head}, but request is {requests[key]}"
    for key, ratio in (item.get("maxLimitRequestRatio") or {}).items():
        head = f"{key} max limit to request ratio per {kind} is {ratio}"
        if not number(requests.get(key, 0)):
            yield f"{head}, but no request is specified or request is 0"
        elif not number(limits.get(key, 0)):
            yield f"{head}, but no limit is specified or limit is 0"
        elif (found := number(limits[key]) / number(requests[key])) > number(ratio):
            yield f"{head}, but provided ratio is {float(found):f}"


def summed(containers: list[Json], part: str) -> Json:
    """What all containers say together; a key that one of them leaves out is left out."""
    rows = [(c.get("resources") or {}).get(part) or {} for c in containers]
    keys = set.intersection(*(set(r) for r in rows)) if rows else set()
    return {k: quantity.total(str(r[k]) for r in rows) for k in keys}


def number(value: object) -> Fraction:
    """A quantity; what is none counts as nothing."""
    try:
        return quantity.value(str(value))
    except ValueError:
        return Fraction(0)
