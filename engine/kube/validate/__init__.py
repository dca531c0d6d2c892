"""What the API server refuses, in its words: decoding, metadata, and each kind's own rules.

Rules. `decode` and `check` raise `Refused` with everything that is wrong with one object; `changed` with what an update
may not change. The objects that `fields` and `changed` see have their defaults (engine/kube/defaults.py). One module a
family of kinds: pods, workloads, services, endpoints, networking,
config, others; errors.py and names.py are below them. Only
fields that the model knows are judged; the rest of an object passes as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from engine.kube import schema
from engine.kube.fields import skipped_fields, skipped_of_workload
from engine.kube.objects import BY_KIND, Json, meta, name_of, spec_of
from engine.kube.validate.errors import Refused, bad, bad_request, forbidden_request, invalid
from engine.kube.validate.names import LABEL_VALUE, LABEL_VALUE_TEXT, metadata_errors
from engine.kube.validate.pods import merged_pod_spec, pod_spec_errors, pod_update
from engine.kube.validate.workloads import TEMPLATES
from engine.say import Said

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def type_meta(body: Json) -> None:
    """apiVersion and kind must be there (the decoder's own words)."""
    for key, word in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not isinstance(body.get(key), str) or not body[key]:
            shown = json.dumps(body, separators=(",", ":"))
            raise Refused("Decode", f"Object '{word}' is missing in '{shown}'")


def decode(body: Json) -> None:
    """Strict decoding: types and unknown fields. Refused."""
    type_meta(body)
    found = schema.decode(body, str(body["kind"]))
    if found.wrong:
        raise bad_request(body, found.wrong)
    if found.unknown:
        listed = ", ".join(f'unknown field "{p}"' for p in found.unknown)
        raise bad_request(body, f"strict decoding error: {listed}")
    if body["kind"] == "Secret":
        from engine.kube.validate import config

        if wrong := config.not_base64(body):
            raise bad_request(body, wrong)


def check(body: Json) -> None:
    """decode, then fields: for an object that needs no defaults to be judged (a Pod of a file)."""
    decode(body)
    fields(body)


def fields(body: Json, minor: int = 35) -> None:
    """Refused with all field errors of a new object. `minor` is the API server's release."""
    errors = [*metadata_errors(body), *field_errors(body, minor)]
    if errors:
        raise invalid(body, errors, minor)


def field_errors(body: Json, minor: int = 35, *, new: bool = True) -> Iterator[str]:
    """The errors of one object's own fields; `new` = it is created."""
    kind = str(body["kind"])
    if kind == "Pod":
        yield from pod_spec_errors(spec_of(body), "spec")
    elif kind in TEMPLATES:
        from engine.kube.validate import workloads

        yield from workloads.errors(body)
    elif kind == "Service":
        from engine.kube.validate import services

        yield from services.errors(body, minor)
    elif kind in ("EndpointSlice", "Endpoints"):
        from engine.kube.validate import endpoints

        yield from (endpoints.slice_errors if kind == "EndpointSlice" else endpoints.endpoints_errors)(body)
    elif kind in ("NetworkPolicy", "Ingress", "IngressClass", "ServiceCIDR", "IPAddress"):
        from engine.kube.validate import networking

        if kind == "Ingress":
            yield from networking.ingress_errors(body, new=new)
        elif kind == "NetworkPolicy":
            yield from networking.policy_errors(body, minor)
        else:
            yield from {
                "IngressClass": networking.class_errors,
                "ServiceCIDR": networking.cidrs_errors, "IPAddress": networking.ip_address_errors,
            }[kind](body)  # fmt: skip
    elif kind in ("ConfigMap", "Secret", "LimitRange", "Node"):
        from engine.kube.validate import config

        yield from {
            "ConfigMap": config.config_map_errors, "Secret": config.secret_errors,
            "LimitRange": config.limit_range_errors, "Node": config.node_errors,
        }[kind](body)  # fmt: skip
    else:
        from engine.kube.validate import others

        yield from others.errors(body)


def conflict(old: Json, new: Json) -> None:
    """Refused when a client has another object, or an older one, in mind: another uid, another resourceVersion."""
    a, b = meta(old), meta(new)
    resource = BY_KIND[str(new["kind"])].resource
    head = f'Operation cannot be fulfilled on {resource} "{name_of(old)}": '
    if b.get("uid") and b["uid"] != a.get("uid"):
        why = f"Precondition failed: UID in precondition: {b['uid']}, UID in object meta: {a.get('uid')}"
        raise Refused("Conflict", head + why)
    if b.get("resourceVersion") and b["resourceVersion"] != a.get("resourceVersion"):
        raise Refused("Conflict", head + MODIFIED)


#: Kinds whose update names first what may not change, then what is wrong.
CHANGES_FIRST = ("Service", "ConfigMap", "Secret", "IngressClass")


def changed(old: Json, new: Json, wrong: list[str], minor: int = 35) -> None:
    """Refused with all that is wrong with an update: `wrong` are the errors of its fields, the rest is looked for
    here: what an update may not change."""
    errors = [*metadata_errors(new), *metadata_changes(meta(old), meta(new))]
    changes = list(change_errors(old, new))
    errors += [*changes, *wrong] if new["kind"] in CHANGES_FIRST else [*wrong, *changes]
    if errors:
        raise invalid(new, errors, minor)


def metadata_changes(a: Json, b: Json) -> Iterator[str]:
    """ValidateObjectMetaUpdate, of what a client can say at all."""
    for key in ("name", "namespace"):
        if a.get(key) != b.get(key):
            yield bad(f"metadata.{key}", b.get(key), "field is immutable")
    if a.get("deletionTimestamp"):
        more = sorted(set(b.get("finalizers") or ()) - set(a.get("finalizers") or ()))
        if more:
            listed = "[" + " ".join(f'"{f}"' for f in more) + "]"
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers {listed}"
            yield f"metadata.finalizers: Forbidden: {why}"


def change_errors(old: Json, new: Json) -> Iterator[str]:
    kind = str(new["kind"])
    if kind in TEMPLATES:
        from engine.kube.validate import workloads

        yield from workloads.update_errors(old, new)
    elif kind == "Service":
        from engine.kube.validate import services

        yield from services.update_errors(old, new)
    elif kind == "EndpointSlice":
        from engine.kube.validate import endpoints

        yield from endpoints.slice_update_errors(old, new)
    elif kind in ("IngressClass", "ServiceCIDR"):
        from engine.kube.validate import networking

        check = networking.class_update_errors if kind == "IngressClass" else networking.cidrs_update_errors
        yield from check(old, new)
    elif kind in ("ConfigMap", "Secret", "Node"):
        from engine.kube.validate import config

        yield from (config.node_update_errors if kind == "Node" else config.immutable_errors)(old, new)
    elif kind == "PersistentVolumeClaim":
        from engine.kube.validate import others

        yield from others.claim_update_errors(old, new)
    elif kind in ("RoleBinding", "ClusterRoleBinding") and old.get("roleRef") != new.get("roleRef"):
        role = new.get("roleRef") or {}
        shown = {
            "APIGroup": role.get("apiGroup", ""),
            "Kind": role.get("kind", ""),
            "Name": role.get("name", ""),
        }
        yield bad("roleRef", shown, "cannot change roleRef")


def warnings(body: Json, minor: int) -> list[str]:
    """What the server warns of when it takes an object."""
    kind = str(body["kind"])
    out: list[str] = []
    if kind == "Service":
        from engine.kube.validate import services

        out += services.warnings(body, minor)
    elif kind == "NetworkPolicy":
        from engine.kube.validate import networking

        out += networking.policy_warnings(body, minor)
    elif kind == "Endpoints" and minor >= 33:
        out.append(ENDPOINTS_WARNING)
    elif kind == "Pod" or kind in TEMPLATES:
        from engine.kube.validate import podwarnings

        out += podwarnings.warnings(body)
    elif kind == "Ingress" and "kubernetes.io/ingress.class" in (meta(body).get("annotations") or {}):
        out.append(
            "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"
        )
    return out


#: For every request about Endpoints, reading too (from 1.33).
ENDPOINTS_WARNING = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"


def parts_not_modelled(body: Json) -> Iterator[tuple[str, Said]]:
    """Fields of a Pod, or of a workload's template, that the model leaves out."""
    if body["kind"] == "Pod":
        yield from skipped_fields(spec_of(body))
    elif body["kind"] in TEMPLATES:
        yield from skipped_of_workload(body)
        yield from skipped_fields(spec_of(spec_of(body).get("template") or {}))


__all__ = [
    "ENDPOINTS_WARNING",
    "LABEL_VALUE",
    "LABEL_VALUE_TEXT",
    "TEMPLATES",
    "Refused",
    "bad_request",
    "changed",
    "check",
    "conflict",
    "decode",
    "field_errors",
    "fields",
    "forbidden_request",
    "invalid",
    "merged_pod_spec",
    "parts_not_modelled",
    "pod_update",
    "type_meta",
    "warnings",
]
