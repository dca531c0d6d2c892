"""How kubectl reaches the API server, and how words become objects.

Theory. kubectl reads a kubeconfig file of the machine it runs on, opens a connection to the server named there,
and needs an API server that runs behind it. Each of the three can be missing, and says so in its own words.

Rules. The connection is a real one in the lab, made on a copy of the Net, so that it leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from engine.errors import EngineError
from engine.kube.cluster import Cluster
from engine.kube.objects import BY_KIND, Json, Kind, kind_named, name_of, namespace_of
from engine.kube.select import matches
from engine.linux.addr import ip4
from engine.record import dataclass
from engine.shell.tool import Context, Fail
from engine.shell.tools.kubectl_.flags import Line, later
from engine.shell.tools.kubectl_.selectors import field_fits, label_selector

KUBECONFIG = "/root/.kube/config"
REFUSED = "The connection to the server {server} was refused - did you specify the right host or port?"


@dataclass(slots=True, kw_only=True)
class Client:
    """An open API: the cluster and the namespace that commands use."""

    ctx: Context
    cluster: Cluster
    namespace: str
    explicit: bool = False

    @property
    def minor(self) -> int:
        """kubectl's release: 35 of 1.35."""
        return self.cluster.options.minor

    @property
    def clock(self) -> float:
        return self.ctx.net.clock

    def settle(self) -> None:
        """Let the controllers act on what was written."""
        self.ctx.world.settle()


def kubeconfig_paths(ctx: Context, line: Line) -> list[str]:
    given = line.get("kubeconfig") or ctx.env.get("KUBECONFIG", "") or KUBECONFIG
    words = [given] if line.get("kubeconfig") else [w for w in given.split(":") if w]
    return [ctx.path(w) for w in words]


def kubeconfig_path(ctx: Context, line: Line) -> str:
    """The file that is written."""
    return kubeconfig_paths(ctx, line)[0]


def config(ctx: Context, line: Line) -> Json:
    """The kubeconfig as a tree; empty when there is none. Of several files the first that has an entry wins."""
    out: Json = {}
    for path in kubeconfig_paths(ctx, line):
        body = one_config(ctx, line, path)
        for key in ("clusters", "contexts", "users"):
            known = {r.get("name") for r in out.get(key) or ()}
            out[key] = [
                *(out.get(key) or []),
                *(r for r in body.get(key) or () if r.get("name") not in known),
            ]
        for key, value in body.items():
            if key not in ("clusters", "contexts", "users") and not out.get(key):
                out[key] = value
    return {k: v for k, v in out.items() if v or k not in ("clusters", "contexts", "users")}


def one_config(ctx: Context, line: Line, path: str) -> Json:
    text = ctx.box.files.get(ctx.files.real(path), ctx.box.files.get(path))
    if text is None:
        if line.get("kubeconfig") and not line.verb.startswith("config set"):
            raise Fail(f"error: stat {path}: no such file or directory")
        return {}
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        said = str(error).splitlines()[0]
        raise Fail(f'error: error loading config file "{path}": yaml: {said}') from None
    return body if isinstance(body, dict) else {}


def context_of(body: Json, line: Line | None = None) -> Json:
    """The part of the context that is used: --context's or the current one, with --cluster and --user over it."""
    wanted = (line.get("context") if line is not None else "") or body.get("current-context")
    found: Json | None = None
    for row in body.get("contexts") or ():
        if isinstance(row, dict) and row.get("name") == wanted:
            found = row.get("context") or {}
    if found is None and line is not None and wanted and not line.verb.startswith("config"):
        raise Fail(f"Error in configuration: context was not found for specified context: {wanted}")
    out = dict(found or {})
    for key in ("cluster", "user") if line is not None and not line.verb.startswith("config") else ():
        assert line is not None
        if line.get(key):
            out[key] = line.get(key)
    return out


def server_of(body: Json, line: Line | None = None) -> str:
    """`host:port` of the cluster that is used; localhost:8080 without a configuration, as client-go has it."""
    wanted = context_of(body, line).get("cluster")
    if line is not None and line.get("server"):
        return host_port(line.get("server"))
    for row in body.get("clusters") or ():
        if isinstance(row, dict) and row.get("name") == wanted:
            return host_port(str((row.get("cluster") or {}).get("server", "")))
    if line is not None and line.get("cluster"):
        raise Fail(f'error: no server found for cluster "{wanted}"')
    return "localhost:8080"


def host_port(url: str) -> str:
    host = url.split("//")[-1].split("/")[0]
    return host if ":" in host else f"{host}:{80 if url.startswith('http://') else 443}"


def connect(ctx: Context, line: Line) -> Client:
    """Raise Fail in kubectl's words unless an API server answers from here."""
    body = config(ctx, line)
    server = server_of(body, line)
    cluster = ctx.world.cluster
    if cluster is None or server == "localhost:8080":
        raise Fail(REFUSED.format(server="localhost:8080" if cluster is None else server))
    ctx.world.settle()
    planes = [n for n in cluster.nodes.values() if n.options.control_plane]
    if planes:
        reach(ctx, server)
    if not cluster.api_up(ctx.net):
        raise Fail(REFUSED.format(server=server))
    given = line.get("namespace")
    namespace = given or str(context_of(body, line).get("namespace") or "default")
    return Client(ctx=ctx, cluster=cluster, namespace=namespace, explicit=bool(given))


def reach(ctx: Context, server: str) -> None:
    """Open the connection on a copy of the Net; Fail with client-go's text when it cannot be opened."""
    from engine.linux.choose import Seeded
    from engine.linux.exchange import tcp_call

    host, _, port = server.rpartition(":")
    try:
        address = ip4(host)
    except EngineError:
        return
    call = tcp_call(ctx.net.borrowed(), ctx.spot.netns, address, int(port), choose=Seeded(0), timeout=30.0)
    if not call.error:
        return
    if call.error == "ECONNREFUSED":
        raise Fail(REFUSED.format(server=server))
    words = {"EHOSTUNREACH": "connect: no route to host", "ENETUNREACH": "connect: network is unreachable"}
    text = words.get(call.error, "i/o timeout")
    raise Fail(f"Unable to connect to the server: dial tcp {server}: {text}")


# ---- words to kinds and objects

ALL = ("Pod", "Service", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet", "Job", "CronJob")


#: What an API server of this version serves and the lab has not, by every name that kubectl takes.
NOT_HERE = frozenset((
    "componentstatuses", "componentstatus", "cs", "podtemplates", "podtemplate", "customresourcedefinitions",
    "customresourcedefinition", "crd", "crds", "apiservices", "apiservice", "certificatesigningrequests",
    "certificatesigningrequest", "csr", "mutatingwebhookconfigurations", "mutatingwebhookconfiguration",
    "validatingwebhookconfigurations", "validatingwebhookconfiguration", "validatingadmissionpolicies",
    "validatingadmissionpolicy", "flowschemas", "flowschema", "prioritylevelconfigurations", "runtimeclasses",
    "runtimeclass", "csidrivers", "csidriver", "csinodes", "csinode", "csistoragecapacities",
    "volumeattachments", "volumeattachment", "volumeattributesclasses", "vac", "deviceclasses",
    "resourceclaims", "resourceclaimtemplates", "resourceslices", "servicecidrs", "servicecidr",
    "ipaddresses", "ipaddress", "ip",
))  # fmt: skip


def full_name(word: str) -> Kind | None:
    """`deployments.v1.apps`, `pods.v1.`: resource.version.group."""
    resource, _, rest = word.partition(".")
    version, dot, group = rest.partition(".")
    kind = kind_named(f"{resource}.{group}" if group else resource) if dot else None
    return kind if kind is not None and kind.api == (f"{group}/{version}" if group else version) else None


def kinds_of(word: str, minor: int) -> list[Kind]:
    """`pods`, `po,svc`, `all` -> kinds. Fail for a word that names no resource of a server of this release."""
    out: list[Kind] = []
    for part in word.split(","):
        if part == "all":
            out += [BY_KIND[k] for k in ALL]
            continue
        found = kind_named(part) or full_name(part)
        if found is None and part.partition(".")[0].lower() in NOT_HERE:
            raise later(f"the resource {part}")
        if found is None or found.since > minor:
            raise Fail(f'error: the server doesn\'t have a resource type "{part.partition(".")[0]}"')
        out.append(found)
    return out


def targets(client: Client, line: Line, words: Iterable[str]) -> list[tuple[Kind, str]]:
    """`pod web db`, `pod/web svc/db`, `pods` -> (kind, name); name "" means all of the kind."""
    rest = list(words)
    if not rest:
        raise Fail({"get": WHAT_TO_GET, "describe": WHAT_TO_DESCRIBE}.get(line.verb, NO_RESOURCES))
    if "/" in rest[0]:
        out = []
        for word in rest:
            kind, slash, name = word.partition("/")
            if not slash:
                raise Fail(
                    "error: there is no need to specify a resource type as a separate argument when passing arguments "
                    "in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get "
                    "resource resource/<resource_name>'"
                )
            if "/" in name:
                raise Fail("error: arguments in resource/name form may not have more than one slash")
            if not kind or not name:
                raise Fail("error: arguments in resource/name form must have a single resource and name")
            out.append((kinds_of(kind, client.minor)[0], name))
        return out
    kinds = kinds_of(rest[0], client.minor)
    for word in rest[1:]:
        if "/" in word:
            raise Fail(
                "error: there is no need to specify a resource type as a separate argument when passing arguments in "
                "resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource "
                "resource/<resource_name>'"
            )
    if len(rest) == 1:
        return [(k, "") for k in kinds]
    return [(k, name) for k in kinds for name in rest[1:]]


WHAT_TO_GET = """\
You must specify the type of resource to get. Use "kubectl api-resources" for a complete list of supported resources.

error: Required resource not specified.
Use "kubectl explain <resource>" for a detailed description of that resource (e.g. kubectl explain pods).
See 'kubectl get -h' for help and examples"""
WHAT_TO_DESCRIBE = (
    'error: You must specify the type of resource to describe. Use "kubectl api-resources" for a complete list of '
    "supported resources."
)
NO_RESOURCES = """\
error: You must provide one or more resources by argument or filename.
Example resource specifications include:
   '-f rsrc.yaml'
   '--filename=rsrc.json'
   '<resource> <name>'
   '<resource>'"""


def not_found(kind: Kind, name: str) -> str:
    return f'Error from server (NotFound): {kind.resource} "{name}" not found'


def fetch(client: Client, kind: Kind, name: str) -> Json | None:
    """One object by name, in the client's namespace."""
    if kind.kind == "Event":
        return next((b for b in events(client, client.namespace) if name_of(b) == name), None)
    return client.cluster.store.get(kind.kind, client.namespace if kind.namespaced else "", name)


def listing(client: Client, kind: Kind, *, everywhere: bool, line: Line) -> list[Json]:
    """All of a kind, filtered by -l and --field-selector."""
    namespace = None if everywhere or not kind.namespaced else client.namespace
    store = client.cluster.store
    rows = events(client, namespace) if kind.kind == "Event" else store.list(kind.kind, namespace)
    fields = line.get("field-selector")
    if line.get("selector"):
        selector = label_selector(kind, line.get("selector"), fields)
        rows = [r for r in rows if matches(selector, (r.get("metadata") or {}).get("labels") or {})]
    if fields:
        field_fits(kind, {}, fields, line.get("selector"))
        rows = [r for r in rows if field_fits(kind, r, fields)]
    return rows


def events(client: Client, namespace: str | None) -> list[Json]:
    """Events as API objects, in the order in which they were written."""
    from engine.kube.clock import stamp

    out: list[Json] = []
    for e in client.cluster.store.events.values():
        if namespace is not None and e.namespace != namespace:
            continue
        about: Json = {"apiVersion": BY_KIND[e.kind].api, "kind": e.kind, "name": e.name, "uid": e.uid}
        if BY_KIND[e.kind].namespaced:
            about["namespace"] = e.namespace
        if e.field_path:
            about["fieldPath"] = e.field_path
        out.append(
            {
                "apiVersion": "v1", "kind": "Event", "count": e.count, "eventTime": None,
                "firstTimestamp": stamp(e.first), "lastTimestamp": stamp(e.last), "involvedObject": about,
                "message": e.message,
                "metadata": {"creationTimestamp": stamp(e.first), "name": e.id, "namespace": e.namespace,
                             "resourceVersion": str(e.version), "uid": e.id},
                "reason": e.reason, "reportingComponent": e.source, "reportingInstance": e.host,
                "source": {"component": e.source, **({"host": e.host} if e.host else {})}, "type": e.type,
            }
        )  # fmt: skip
    return out


def ref(kind: Kind, name: str) -> str:
    """`pod/web`, `deployment.apps/web`."""
    return f"{kind.singular}{'.' + kind.group if kind.group else ''}/{name}"


__all__ = [
    "Client",
    "connect",
    "fetch",
    "kinds_of",
    "later",
    "listing",
    "namespace_of",
    "not_found",
    "ref",
    "targets",
]
