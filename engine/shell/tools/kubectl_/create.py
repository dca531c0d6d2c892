"""kubectl create: `-f`, and one generator for each kind that it makes from flags (k8s.io/kubectl/pkg/cmd/create).

Rules. A generator is one row of GENERATORS: its words, its own flags, the function from a command line to an object,
and the words in front of a server's refusal. Flags are parsed by that row, so an unknown one is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from engine.kube.manifests import Manifest
from engine.kube.objects import BY_KIND, Json
from engine.kube.validate import Refused
from engine.record import dataclass, replace
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_ import create_config as config
from engine.shell.tools.kubectl_ import create_net as net
from engine.shell.tools.kubectl_ import create_rbac as rbac
from engine.shell.tools.kubectl_ import create_work as work
from engine.shell.tools.kubectl_ import output
from engine.shell.tools.kubectl_.client import Client, connect, later
from engine.shell.tools.kubectl_.flags import Flag, Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.made import as_made, sub_word
from engine.shell.tools.kubectl_.usage import group_help
from engine.shell.tools.kubectl_.write import DRY, LAST_APPLIED, Written, create_files, dry_run, ref, warnings

#: Flags of every generator.
SHARED = (
    DRY, flag("output", "o"), flag("validate"), flag("field-manager"), switch("save-config"),
    refused("template", value=True), switch("show-managed-fields"), switch("allow-missing-template-keys"),
)  # fmt: skip
FILES = (
    *SHARED, flag("filename", "f"), switch("recursive", "R"), refused("kustomize", "k", value=True), refused("edit"),
    flag("selector", "l"), refused("raw", value=True), switch("windows-line-endings"),
)  # fmt: skip

Maker = Callable[[Context, Line, str], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """`words` begins with the full name; `required` are flags without which kubectl stops; `failed` stands before
    the server's text, "" where kubectl shows the server's error as it is."""

    words: tuple[str, ...]
    make: Maker
    flags: tuple[Flag, ...] = ()
    required: tuple[str, ...] = ()
    failed: str = ""


def _g(words: str, make: Maker, *flags: Flag, required: str = "", failed: str = "") -> Generator:
    names = tuple(words.split("|"))
    return Generator(words=names, make=make, flags=flags, required=tuple(required.split()), failed=failed)


_SOURCES = (flag("from-literal"), flag("from-file"), flag("from-env-file"), refused("append-hash"))
_SUBJECTS = (flag("clusterrole"), flag("user"), flag("group"), flag("serviceaccount"))
_TCP = flag("tcp")
GENERATORS: tuple[Generator, ...] = (
    _g("clusterrole", rbac.cluster_role, flag("verb"), flag("resource"), flag("resource-name"),
       flag("non-resource-url"), flag("aggregation-rule")),
    _g("clusterrolebinding", rbac.cluster_role_binding,
       *_SUBJECTS, required="clusterrole", failed="failed to create clusterrolebinding: "),
    _g("configmap|cm", config.config_map, *_SOURCES, failed="failed to create configmap: "),
    _g("cronjob|cj", work.cron_job,
       flag("image"), flag("schedule"), flag("restart"), required="image schedule",
       failed="failed to create cronjob: "),
    _g("deployment|deploy", work.deployment, flag("image"),
       flag("replicas", "r"), flag("port"), required="image", failed="failed to create deployment: "),
    _g("ingress|ing", net.ingress, flag("rule"), flag("class"),
       flag("default-backend"), flag("annotation"), failed="failed to create ingress: "),
    _g("job", work.job, flag("image"),
       flag("from"), failed="failed to create job: "),
    _g("namespace|ns", config.namespace),
    _g("poddisruptionbudget|pdb", config.disruption_budget, flag("min-available"), flag("max-unavailable"),
       flag("selector"),
       failed="failed to create poddisruptionbudgets: "),
    _g("priorityclass|pc", config.priority_class, flag("value"), switch("global-default"), flag("description"),
       flag("preemption-policy"), failed="failed to create priorityclass: "),
    _g("quota|resourcequota", config.quota, flag("hard"), flag("scopes"), failed="failed to create quota: "),
    _g("role", rbac.role, flag("verb"), flag("resource"), flag("resource-name")),
    _g("rolebinding", rbac.role_binding, flag("role"), *_SUBJECTS,
       failed="failed to create rolebinding: "),
    _g("secret docker-registry", config.registry_secret,
       flag("docker-username"), flag("docker-password"), flag("docker-email"), flag("docker-server"),
       refused("append-hash"), flag("from-file"), failed="failed to create secret "),
    _g("secret generic", config.secret, *_SOURCES, flag("type"),
       failed="failed to create secret "),
    _g("secret tls", config.tls_secret, flag("cert"), flag("key"), refused("append-hash"),
       failed="failed to create secret "),
    _g("service clusterip", net.cluster_ip, _TCP,
       flag("clusterip"), failed="failed to create ClusterIP service: "),
    _g("service externalname", net.external_name,
       _TCP, flag("external-name"), required="external-name", failed="failed to create ExternalName service: "),
    _g("service loadbalancer", net.load_balancer,
       _TCP, failed="failed to create LoadBalancer service: "),
    _g("service nodeport", net.node_port, _TCP,
       flag("node-port"), failed="failed to create NodePort service: "),
    _g("serviceaccount|sa", config.service_account,
       failed="failed to create serviceaccount: "),
)  # fmt: skip
BY_WORDS = {w: g for g in GENERATORS for w in g.words}
GROUPS = {"secret": "secret", "service": "service", "svc": "service"}


def create_verb(ctx: Context, argv: list[str]) -> Out:
    """kubectl create -f, or kubectl create KIND NAME ..."""
    word, rest = sub_word(argv)
    if word == "token":
        return rbac.token(ctx, rest)
    if word in GROUPS:
        group = GROUPS[word]
        inner, more = sub_word(rest)
        if not inner:
            return Out(stderr=group_help(f"create {group}"), code=1)
        if f"{group} {inner}" not in BY_WORDS:
            words = [inner, *parse(f"create {group}", more, ()).words]
            raise Fail(
                f"error: unknown command \"{' '.join(words)}\"\nSee 'kubectl create {group} -h' for help and examples"
            )
        word, rest = f"{group} {inner}", more
    found = BY_WORDS.get(word)
    if found is None:
        return from_files(ctx, argv)
    verb = f"create {found.words[0]}"
    line = parse(verb, rest, (*found.flags, *SHARED))
    missing = [f'"{n}"' for n in found.required if n not in line]
    if missing:
        raise Fail(f"error: required flag(s) {', '.join(missing)} not set")
    if len(line.words) != 1:
        raise Fail(
            f"error: exactly one NAME is required, got {len(line.words)}\n"
            f"See 'kubectl {verb} -h' for help and examples"
        )
    body = found.make(ctx, line, line.words[0])
    out = finish(ctx, line, body, found.failed)
    strange = rbac.strange_verbs(line) if "resource" in line else []
    return replace(out, stderr="".join(f"Warning: {x}\n" for x in strange) + out.stderr)


def from_files(ctx: Context, argv: list[str]) -> Out:
    line = parse("create", argv, FILES)
    if line.words:
        raise Fail(
            f"error: Unexpected args: [{' '.join(line.words)}]\nSee 'kubectl create -h' for help and examples"
        )
    if "filename" not in line:
        raise Fail("error: must specify one of -f and -k")
    return create_files(ctx, line)


def finish(ctx: Context, line: Line, body: Json, failed: str = "", *, done: str = "created") -> Out:
    """Print a dry run, or create the object. `failed` stands before a refusal of the server."""
    dry = dry_run(line)
    kind = BY_KIND.get(str(body["kind"]))
    if kind is None:
        raise later(f"kind {body['kind']}")
    if line.on("save-config"):
        notes = body["metadata"].setdefault("annotations", {})
        saved = output.struct_order(as_made(ctx, {**body, "metadata": without(body["metadata"])}), kind.kind)
        notes[LAST_APPLIED] = json.dumps(saved, separators=(",", ":"), ensure_ascii=False) + "\n"
    if dry == " (dry run)":
        format = line.get("output")
        if format == "json":
            return Out(stdout=output.made_json(as_made(ctx, body)))
        if format and format != "name":
            return Out(stdout=output.printed(ctx, format, [as_made(ctx, body)], single=True, tables=False))
        name = ref(kind, str(body["metadata"]["name"]))
        return Out(stdout=f"{name}\n" if format == "name" else f"{name} {done}{dry}\n")
    client = connect(ctx, line)
    return store(client, line, body, failed, done=done)


def without(meta: Json) -> Json:
    """Metadata before it gets its first annotation."""
    return {k: v for k, v in meta.items() if k != "annotations" or v}


def store(client: Client, line: Line, body: Json, failed: str = "", *, done: str = "created") -> Out:
    kind, dry = BY_KIND[str(body["kind"])], dry_run(line)
    if kind.namespaced:
        body["metadata"].setdefault("namespace", client.namespace)
    namespace, name = str(body["metadata"].get("namespace", "")), str(body["metadata"]["name"])
    cluster = client.cluster.copy() if dry else client.cluster
    notes = len(cluster.skipped)
    try:
        if kind.namespaced and cluster.store.get("Namespace", "", namespace) is None:
            raise Refused("NotFound", f'namespaces "{namespace}" not found')
        if cluster.store.get(kind.kind, namespace if kind.namespaced else "", name) is not None:
            raise Refused("AlreadyExists", f'{kind.resource} "{name}" already exists')
        made = cluster.put(Manifest(file="", line=0, body=body), client.clock, make_namespace=False)
    except Refused as error:
        if failed:
            raise Fail(f"error: {failed}{error.message}") from None
        if error.reason == "Invalid":
            raise Fail(error.message) from None
        raise Fail(f"Error from server ({error.reason}): {error.message}") from None
    told = Written()
    told.lines.append(f"{ref(kind, name)} {done}{dry}")
    told.bodies.append(made if made is not None else body)
    told.warnings += warnings(cluster)
    return told.out(client, line, notes)


__all__ = ["GENERATORS", "create_verb", "finish", "store"]
