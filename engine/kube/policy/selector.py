"""Label selectors in Calico's own language, and whom they select.

Theory. Calico turns a NetworkPolicy's selectors into one expression over an endpoint's labels, in which the labels of
its namespace stand with the prefix `pcns.`. The expression in its one normal spelling is hashed, and that hash names
the ipset; two policies that ask for the same pods share a set.

Rules. `Selector.text` is that spelling, character for character (libcalico-go/lib/selector/parser/ast.go,
collectFragments); `selects` answers for an endpoint. Source: libcalico-go/lib/backend/k8s/conversion/conversion.go
(k8sSelectorToCalico), syncersv1/updateprocessors/rules.go (getEndpointSelector).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import field

from engine.kube.objects import Json
from engine.kube.policy.endpoint import Endpoint
from engine.kube.select import matches
from engine.record import dataclass

ORCHESTRATOR = 'projectcalico.org/orchestrator == "k8s"'
NAMESPACE = "projectcalico.org/namespace"
ALL = "all()"

#: namespace -> its labels
Namespaces = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Pods by their labels in one namespace (`namespace`), or in those whose labels fit `spaces`; with neither, all
    pods. `pods`, `spaces` are LabelSelectors, None = not asked."""

    text: str
    namespace: str = ""
    pods: Json | None = field(default=None, compare=False)
    spaces: Json | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        """`s:` and the hash that names the ipset."""
        return unique_id("s", self.text)

    def selects(self, one: Endpoint, namespaces: Namespaces) -> bool:
        if self.namespace and one.namespace != self.namespace:
            return False
        if self.spaces is not None and not matches(self.spaces, namespaces.get(one.namespace, {})):
            return False
        return self.pods is None or matches(self.pods, one.labels)


EVERYBODY = Selector(text=ALL)


def unique_id(prefix: str, content: str) -> str:
    """MakeUniqueID: a SHA-224 in URL base64 behind `prefix:`."""
    digest = hashlib.sha224(f"{prefix}:{content}".encode()).digest()
    return f"{prefix}:{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def quoted(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


def terms(selector: Json | None, prefix: str = "") -> list[str]:
    """A LabelSelector's conditions, each in Calico's words: matchLabels by key, then the expressions as written."""
    labels = (selector or {}).get("matchLabels") or {}
    out = [f"{prefix}{key} == {quoted(str(labels[key]))}" for key in sorted(labels)]
    for one in (selector or {}).get("matchExpressions") or ():
        key, values = prefix + str(one["key"]), sorted({str(v) for v in one.get("values") or ()})
        inner = ", ".join(quoted(v) for v in values)
        out.append(
            {
                "In": f"{key} in {{{inner}}}",
                "NotIn": f"{key} not in {{{inner}}}",
                "Exists": f"has({key})",
                "DoesNotExist": f"!has({key})",
            }[str(one["operator"])]
        )
    return out


def together(parts: list[str]) -> str:
    """Conditions that all must hold."""
    return parts[0] if len(parts) == 1 else f"({' && '.join(parts)})"


def pod_text(selector: Json | None) -> str:
    return together([ORCHESTRATOR, *terms(selector)])


def subject(selector: Json | None, namespace: str) -> Selector:
    """The pods that a policy is about: spec.podSelector in its own namespace."""
    text = together([pod_text(selector), f"{NAMESPACE} == {quoted(namespace)}"])
    return Selector(text=text, namespace=namespace, pods=selector)


def peer(pods: Json | None, spaces: Json | None, namespace: str) -> Selector:
    """The pods of one item of `from` or `to`; `namespace` is the policy's own."""
    if spaces is None:
        where = f"{NAMESPACE} == {quoted(namespace)}"
        return Selector(text=together([where, pod_text(pods)]), namespace=namespace, pods=pods)
    where = together(terms(spaces, "pcns.")) if terms(spaces) else f"has({NAMESPACE})"
    return Selector(text=together([where, pod_text(pods)]), pods=pods, spaces=spaces)
