"""kubectl auth can-i, whoami: what the rules of access would say (k8s.io/kubectl/pkg/cmd/auth).

Theory. The API server asks its authorizers in order; RBAC allows what a rule of a bound role names and denies nothing.
Members of system:masters never reach it. Source: plugin/pkg/auth/authorizer/rbac, bootstrappolicy.

Rules. Only asked here: the lab's API server itself lets everybody do everything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from engine.kube.objects import Json, kind_named, namespace_of
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import Client, config, connect, context_of, later
from engine.shell.tools.kubectl_.describe_more import compact, compact_text
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.made import sub_word
from engine.shell.tools.kubectl_.table import table
from engine.shell.tools.kubectl_.usage import group_help

CAN_I = (
    switch("list"), switch("quiet", "q"), switch("all-namespaces", "A"), flag("subresource"), switch("no-headers"),
)  # fmt: skip
ADMIN, ADMINS = "kubernetes-admin", "kubeadm:cluster-admins"
ALL: Json = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
ALL_URLS: Json = {"nonResourceURLs": ["*"], "verbs": ["*"]}
READ, WRITE = ["get", "list", "watch"], ["create", "delete", "deletecollection", "patch", "update"]
#: What view, edit and admin say of the kinds here, by API group.
COMMON: dict[str, list[str]] = {
    "": ["configmaps", "endpoints", "persistentvolumeclaims", "pods", "replicationcontrollers", "serviceaccounts",
         "services"],
    "apps": ["daemonsets", "deployments", "replicasets", "statefulsets"],
    "autoscaling": ["horizontalpodautoscalers"], "batch": ["cronjobs", "jobs"],
    "discovery.k8s.io": ["endpointslices"], "networking.k8s.io": ["ingresses", "networkpolicies"],
    "policy": ["poddisruptionbudgets"],
}  # fmt: skip
RBAC = "rbac.authorization.k8s.io"
#: Every account may ask about itself and about the server (system:basic-user, system:discovery, public-info-viewer).
EVERYBODY: list[Json] = [
    {"apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews"], "verbs": ["create"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectrulesreviews"], "verbs": ["create"]},
    {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]},
    *({"nonResourceURLs": [u], "verbs": ["get"]} for u in (
        "/api/*", "/api", "/apis/*", "/apis", "/healthz", "/livez", "/openapi/*", "/openapi", "/readyz", "/version/",
        "/version")),
]  # fmt: skip


def auth(ctx: Context, argv: list[str]) -> Out:
    word, rest = sub_word(argv)
    if word == "can-i":
        return can_i(ctx, rest)
    if word == "whoami":
        return whoami(ctx, rest)
    if word == "reconcile":
        raise later("kubectl auth reconcile")
    if word:
        raise Fail(f"error: unknown command \"{word}\"\nSee 'kubectl auth -h' for help and examples")
    return Out(stderr=group_help("auth"), code=1)


def identity(ctx: Context, line: Line) -> tuple[str, tuple[str, ...]]:
    """(user, groups) of --as, or of the kubeconfig's user: kubeadm's certificates name them."""
    if line.get("as"):
        user = line.get("as")
        groups = list(line.all("as-group"))
        parts = user.split(":")
        if user.startswith("system:serviceaccount:") and len(parts) == 4 and not groups:
            groups = ["system:serviceaccounts", f"system:serviceaccounts:{parts[2]}"]
        return user, (*groups, "system:authenticated")
    named = str(context_of(config(ctx, line), line).get("user", ADMIN))
    if named == "kubernetes-super-admin":
        return named, ("system:masters", "system:authenticated")
    return named, ((ADMINS,) if named == ADMIN else ()) + ("system:authenticated",)


def whoami(ctx: Context, argv: list[str]) -> Out:
    line = parse("auth whoami", argv, (refused("output", "o", value=True), refused("template", value=True)))
    connect(ctx, line)
    user, groups = identity(ctx, line)
    rows = [["ATTRIBUTE", "VALUE"], ["Username", user], ["Groups", f"[{' '.join(groups)}]"]]
    if not line.get("as"):
        digest = hashlib.sha256(base64.b64encode(user.encode())).hexdigest()
        rows.append(["Extra: authentication.kubernetes.io/credential-id", f"[X509SHA256={digest}]"])
    return Out(stdout=table(rows))


def can_i(ctx: Context, argv: list[str]) -> Out:
    line = parse("auth can-i", argv, CAN_I)
    if line.on("list"):
        if line.words:
            raise Fail("error: list option must be specified with no arguments")
        if line.on("quiet") or line.on("all-namespaces") or line.get("subresource"):
            raise Fail(
                "error: list option can't be specified with neither quiet, all-namespaces nor subresource options"
            )
        return listed(ctx, line)
    if len(line.words) != 2:
        raise Fail(
            "error: you must specify two arguments: verb resource or verb resource/resourceName.\n"
            "See 'kubectl auth can-i -h' for help and examples."
        )
    if line.on("no-headers"):
        raise Fail("error: --no-headers cannot be set without --list specified")
    client = connect(ctx, line)
    verb, what = line.words
    warned = ""
    space = "" if line.on("all-namespaces") else client.namespace
    rules = list(rules_of(client, *identity(ctx, line), space))
    if what.startswith("/"):
        yes = any(url_fits(r, verb, what) for r in rules)
    else:
        resource, group, name, warned = resource_of(what, everywhere=line.on("all-namespaces"))
        if line.get("subresource"):
            resource += "/" + line.get("subresource")
        yes = any(fits(r, verb, group, resource, name) for r in rules)
    said = "" if line.on("quiet") else "yes\n" if yes else "no\n"
    return Out(stdout=said, stderr=warned, code=0 if yes else 1)


def resource_of(word: str, *, everywhere: bool) -> tuple[str, str, str, str]:
    """(plural, group, name, kubectl's warning)."""
    head, _, name = word.partition("/")
    if head == "*":
        return "*", "*", name, ""
    kind = kind_named(head)
    if kind is None:
        bare, _, group = head.partition(".")
        if bare in ("users", "groups"):
            return bare, group, name, ""
        where = f" in group '{group}'" if group else ""
        return head, "", name, f"Warning: the server doesn't have a resource type '{bare}'{where}\n\n"
    warned = ""
    if not kind.namespaced and not everywhere:
        where = f" in group '{kind.group}'" if kind.group else ""
        warned = f"Warning: resource '{kind.plural}' is not namespace scoped{where}\n\n"
    return kind.plural, kind.group, name, warned


# ---- RBAC


def rules_of(client: Client, user: str, groups: tuple[str, ...], namespace: str) -> Iterator[Json]:
    """Every rule that is bound to somebody in a namespace ("" = the whole cluster only)."""
    if "system:masters" in groups or ADMINS in groups:
        yield from (ALL, ALL_URLS)
    yield from EVERYBODY
    store = client.cluster.store
    bindings = list(store.list("ClusterRoleBinding", ""))
    if namespace:
        bindings += store.list("RoleBinding", namespace)
    for binding in bindings:
        if any(is_subject(s, user, groups, namespace_of(binding)) for s in binding.get("subjects") or ()):
            yield from role_rules(client, binding)


def is_subject(subject: Json, user: str, groups: tuple[str, ...], namespace: str) -> bool:
    kind, name = subject.get("kind"), subject.get("name")
    if kind == "User":
        return bool(name == user)
    if kind == "Group":
        return name in groups
    return user == f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"


def role_rules(client: Client, binding: Json) -> list[Json]:
    target = binding.get("roleRef") or {}
    kind, name = str(target.get("kind")), str(target.get("name"))
    found = client.cluster.store.get(kind, namespace_of(binding) if kind == "Role" else "", name)
    if found is not None:
        return list(found.get("rules") or ())
    return built_in(name) if kind == "ClusterRole" else []


def built_in(name: str) -> list[Json]:
    """The roles for people that every cluster has."""
    if name == "cluster-admin":
        return [ALL, ALL_URLS]
    verbs = {"view": READ, "edit": READ + WRITE, "admin": READ + WRITE}.get(name)
    if verbs is None:
        return []
    out: list[Json] = [{"apiGroups": [g], "resources": r, "verbs": verbs} for g, r in COMMON.items()]
    out.append({"apiGroups": [""], "resources": ["pods/log", "pods/status", "events", "namespaces", "limitranges",
                                                "resourcequotas"], "verbs": READ})  # fmt: skip
    if name in ("edit", "admin"):
        out.append({"apiGroups": [""], "resources": ["secrets", "pods/exec", "pods/portforward", "pods/attach",
                                                    "services/proxy"], "verbs": READ + WRITE})  # fmt: skip
    if name == "admin":
        out.append({"apiGroups": [RBAC], "resources": ["roles", "rolebindings"], "verbs": READ + WRITE})
    return out


def fits(rule: Json, verb: str, group: str, resource: str, name: str) -> bool:
    """One rule over one request (rbac.RuleAllows)."""
    names, resources = rule.get("resourceNames") or (), rule.get("resources") or ()
    sub = resource.partition("/")[2]
    return (
        any(v in ("*", verb) for v in rule.get("verbs") or ())
        and any(g in ("*", group) for g in rule.get("apiGroups") or ())
        and any(r in ("*", resource) or (sub and r == f"*/{sub}") for r in resources)
        and (not names or name in names)
    )


def url_fits(rule: Json, verb: str, url: str) -> bool:
    return any(v in ("*", verb) for v in rule.get("verbs") or ()) and any(
        u in ("*", url) or (u.endswith("*") and url.startswith(u[:-1]))
        for u in rule.get("nonResourceURLs") or ()
    )


def listed(ctx: Context, line: Line) -> Out:
    client = connect(ctx, line)
    found = compact(list(rules_of(client, *identity(ctx, line), client.namespace)))
    rows = [] if line.on("no-headers") else [["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]]
    for rule in sorted(found, key=compact_text):
        resource = rule["resources"][0] if rule["resources"] else ""
        main, slash, sub = resource.partition("/")
        group = f".{rule['apiGroups'][0]}" if resource and rule["apiGroups"] and rule["apiGroups"][0] else ""
        cells = [f"[{' '.join(rule[k])}]" for k in ("nonResourceURLs", "resourceNames", "verbs")]
        rows.append([f"{main}{group}{slash}{sub}", *cells])
    return Out(stdout=table(rows))


__all__ = ["auth"]
