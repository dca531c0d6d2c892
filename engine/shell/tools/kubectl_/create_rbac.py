"""kubectl create role, clusterrole, their bindings, and token (pkg/cmd/create/create_role.go and its neighbours)."""

from __future__ import annotations

import base64
import hashlib
import json

from engine.kube.clock import EPOCH
from engine.kube.objects import BY_KIND, Json, kind_named, meta
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import connect
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused
from engine.shell.tools.kubectl_.made import listed, named, pairs

API = "rbac.authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"
RESOURCE_VERBS = (
    "*", "get", "delete", "list", "create", "update", "patch", "watch", "proxy", "deletecollection", "use", "bind",
    "escalate", "impersonate",
)  # fmt: skip
URL_VERBS = ("*", "get", "put", "post", "head", "options", "delete", "patch")
#: Verbs that only some resources know.
SPECIAL = {
    "use": (("extensions", "podsecuritypolicies"), ("policy", "podsecuritypolicies")),
    "bind": ((GROUP, "roles"), (GROUP, "clusterroles")),
    "escalate": ((GROUP, "roles"), (GROUP, "clusterroles")),
    "impersonate": (
        ("", "users"),
        ("", "serviceaccounts"),
        ("", "groups"),
        ("authentication.k8s.io", "userextras"),
    ),
}


def role(ctx: Context, line: Line, name: str) -> Json:
    verbs = verbs_of(line)
    if not verbs:
        raise Fail("error: at least one verb must be specified")
    if not listed(line, "resource"):
        raise Fail("error: at least one resource must be specified")
    return {**named(line, API, "Role", name), "rules": rules(line, verbs)}


def cluster_role(ctx: Context, line: Line, name: str) -> Json:
    body = named(line, API, "ClusterRole", name, namespaced=False)
    verbs, urls = verbs_of(line), list(dict.fromkeys(listed(line, "non-resource-url")))
    if line.get("aggregation-rule"):
        if verbs or urls or "resource" in line or "resource-name" in line:
            raise Fail(
                "error: aggregation rule must be specified without nonResourceURLs, verbs, resources or resourceNames"
            )
        labels = pairs(line.get("aggregation-rule"))
        return {**body, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": labels}]}, "rules": None}
    if not verbs:
        raise Fail("error: at least one verb must be specified")
    if not listed(line, "resource") and not urls:
        raise Fail("error: one of resource or nonResourceURL must be specified")
    found = rules(line, verbs)
    for verb in verbs:
        if urls and verb not in URL_VERBS:
            raise Fail(f"error: invalid verb: '{verb}' for nonResourceURL")
    for url in urls:
        if url != "*" and not url.startswith("/"):
            raise Fail("error: nonResourceURL should start with /")
        if "*" in url[:-1]:
            raise Fail("error: nonResourceURL only supports wildcard matches when '*' is at the end")
    if urls:
        found.append({"nonResourceURLs": urls, "verbs": verbs})
    return {**body, "rules": found}


def verbs_of(line: Line) -> list[str]:
    found = list(dict.fromkeys(listed(line, "verb")))
    return ["*"] if "*" in found else found


def strange_verbs(line: Line) -> list[str]:
    return [f"'{v}' is not a standard resource verb" for v in verbs_of(line) if v not in RESOURCE_VERBS]


def rules(line: Line, verbs: list[str]) -> list[Json]:
    """One rule for each API group, in the groups' order."""
    groups: dict[str, list[str]] = {}
    for text in listed(line, "resource"):
        main, slash, sub = text.partition("/")
        word, _, group = main.partition(".")
        if not word:
            raise Fail("error: resource must be specified if apiGroup/subresource specified")
        if word == "*" and not group and not slash:
            groups = {"": ["*"]}
            break
        kind = kind_named(main) if word != "*" else None
        resource, group = (kind.plural, kind.group) if kind is not None else (word, group)
        special = checked(verbs, resource, group)
        if kind is None and word != "*" and not special:
            raise Fail(f'the server doesn\'t have a resource type "{word}"')
        shown = f"{resource}/{sub}" if slash else resource
        if shown not in groups.setdefault(group, []):
            groups[group].append(shown)
    names = list(dict.fromkeys(line.all("resource-name")))
    out: list[Json] = []
    for group in sorted(groups):
        row: Json = {"apiGroups": [group], "resources": groups[group], "verbs": verbs}
        if names:
            row["resourceNames"] = names
        out.append(row)
    return out


def checked(verbs: list[str], resource: str, group: str) -> bool:
    """Does a special verb name this resource? Fail when it does not fit it."""
    special = False
    for verb in verbs:
        if verb in SPECIAL and resource != "*":
            if (group, resource) not in SPECIAL[verb]:
                raise Fail(f"error: can not perform '{verb}' on '{resource}' in group '{group}'")
            special = True
    return special


def subjects(line: Line) -> list[Json]:
    out: list[Json] = [{"apiGroup": GROUP, "kind": "User", "name": n} for n in line.all("user")]
    out += [{"apiGroup": GROUP, "kind": "Group", "name": n} for n in line.all("group")]
    for text in line.all("serviceaccount"):
        parts = text.split(":")
        if len(parts) != 2 or not all(parts):
            raise Fail("error: serviceaccount must be <namespace>:<name>")
        out.append({"kind": "ServiceAccount", "name": parts[1], "namespace": parts[0]})
    return out


def role_binding(ctx: Context, line: Line, name: str) -> Json:
    if bool(line.get("clusterrole")) == bool(line.get("role")):
        raise Fail("error: exactly one of clusterrole or role must be specified")
    kind = "Role" if line.get("role") else "ClusterRole"
    target = {"apiGroup": GROUP, "kind": kind, "name": line.get("role") or line.get("clusterrole")}
    body = {**named(line, API, "RoleBinding", name), "roleRef": target}
    return {**body, "subjects": found} if (found := subjects(line)) else body


def cluster_role_binding(ctx: Context, line: Line, name: str) -> Json:
    target = {"apiGroup": GROUP, "kind": "ClusterRole", "name": line.get("clusterrole")}
    body = {**named(line, API, "ClusterRoleBinding", name, namespaced=False), "roleRef": target}
    return {**body, "subjects": found} if (found := subjects(line)) else body


# ---- token

TOKEN = (
    flag("audience"), flag("duration"), refused("bound-object-kind", value=True), flag("output", "o"),
    refused("bound-object-name", value=True), refused("bound-object-uid", value=True),
)  # fmt: skip


def token(ctx: Context, argv: list[str]) -> Out:
    """kubectl create token: a JWT with the claims that a real one has; its signature is of the lab's making."""
    from engine.shell.tools.kubectl_.client import later
    from engine.shell.tools.kubectl_.wait import seconds

    line = parse("create token", argv, TOKEN)
    if len(line.words) != 1:
        raise Fail(
            f"error: exactly one NAME is required, got {len(line.words)}\n"
            "See 'kubectl create token -h' for help and examples"
        )
    if line.get("output"):
        raise later("kubectl create token -o")
    lasts = seconds(line.get("duration", "1h0m0s"))
    if lasts % 1:
        raise Fail("error: --duration cannot be expressed in units less than seconds")
    client = connect(ctx, line)
    name = line.words[0]
    account = client.cluster.store.get("ServiceAccount", client.namespace, name)
    if account is None:
        kind = BY_KIND["ServiceAccount"]
        raise Fail(f'error: failed to create token: {kind.resource} "{name}" not found')
    now = int(EPOCH.timestamp() + client.clock)
    claims = {
        "aud": line.all("audience") or ["https://kubernetes.default.svc.cluster.local"],
        "exp": now + int(lasts or 3600), "iat": now, "iss": "https://kubernetes.default.svc.cluster.local",
        "kubernetes.io": {"namespace": client.namespace, "serviceaccount": {"name": name, "uid": meta(account)["uid"]}},
        "nbf": now, "sub": f"system:serviceaccount:{client.namespace}:{name}",
    }  # fmt: skip
    head = part({"alg": "RS256", "kid": "lab"})
    signature = base64.urlsafe_b64encode(hashlib.sha512((head + part(claims)).encode()).digest() * 4).decode()
    return Out(stdout=f"{head}.{part(claims)}.{signature.rstrip('=')}\n")


def part(body: Json) -> str:
    text = json.dumps(body, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")
