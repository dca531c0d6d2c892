"""kubectl describe: finds the objects and gives each to the describer of its kind.

Source: k8s.io/kubectl/pkg/describe/describe.go. Blocks of lines are aligned by a tabwriter (table.Blocks); the
describers stand in describe_pod.py, describe_node.py, describe_workload.py and describe_other.py.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.kube.objects import (
    Json,
    Kind,
    name_of,
)
from engine.shell.tool import Context, Out
from engine.shell.tools.kubectl_ import describe_more as more
from engine.shell.tools.kubectl_ import describe_net as net
from engine.shell.tools.kubectl_.client import Client, connect, fetch, listing, not_found, targets
from engine.shell.tools.kubectl_.describe_node import node
from engine.shell.tools.kubectl_.describe_other import config_map, general, secret, service_account
from engine.shell.tools.kubectl_.describe_parts import (
    NONE,
    event_table,
)
from engine.shell.tools.kubectl_.describe_pod import pod
from engine.shell.tools.kubectl_.describe_policy import network_policy
from engine.shell.tools.kubectl_.describe_workload import (
    daemon_set,
    deployment,
    job,
    replica_set,
    stateful_set,
)
from engine.shell.tools.kubectl_.flags import flag, parse, switch
from engine.shell.tools.kubectl_.get import deprecated
from engine.shell.tools.kubectl_.table import Blocks

FLAGS = (
    switch("all-namespaces", "A"), flag("selector", "l"), flag("filename", "f"), switch("show-events"),
    flag("chunk-size"),
)  # fmt: skip


def run(ctx: Context, argv: list[str]) -> Out:
    line = parse("describe", argv, FLAGS)
    client = connect(ctx, line)
    if "filename" in line:
        from engine.shell.tools.kubectl_.manifests import named_in_files

        wanted = [(k, n) for k, n, _ in named_in_files(client, line)]
    else:
        wanted = targets(client, line, line.words)
    texts: list[str] = []
    errors: list[str] = []
    for kind, name in wanted:
        if not name:
            rows = listing(client, kind, everywhere=line.on("all-namespaces"), line=line)
        else:
            body = fetch(client, kind, name)
            rows = [body] if body is not None else by_prefix(client, kind, name)
            if not rows:
                errors.append(not_found(kind, name))
        texts += [describe(client, kind, body, events=line.on("show-events", True)) for body in rows]
    if not texts and not errors:
        where = "No resources found" + (
            "" if line.on("all-namespaces") else f" in {client.namespace} namespace."
        )
        return Out(stderr=where + "\n")
    missing = "".join(e + "\n" for e in errors)
    chunks = (("err", deprecated(client, wanted)), ("out", "\n\n".join(texts)), ("err", missing))
    return Out.mixed(chunks, 1 if errors else 0)


def by_prefix(client: Client, kind: Kind, name: str) -> list[Json]:
    """describe takes the beginning of a name, too."""
    namespace = client.namespace if kind.namespaced else ""
    return [b for b in client.cluster.store.list(kind.kind, namespace) if name_of(b).startswith(name)]


def describe(client: Client, kind: Kind, body: Json, *, events: bool) -> str:
    out = Blocks()
    writer = WRITERS.get(kind.kind, general)
    writer(client, body, out)
    if events and kind.kind not in SILENT:
        event_table(client, body, out)
    elif kind.kind == "Event":
        out.put(0, f"Events:\t{NONE}")
    return out.text()


#: Kinds whose describers do not look for events.
SILENT = ("Namespace", "Secret", "Event", "NetworkPolicy", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding",
          "LimitRange", "ResourceQuota")  # fmt: skip
WRITERS: dict[str, Callable[[Client, Json, Blocks], None]] = {
    "Pod": pod, "Node": node, "Namespace": more.namespace, "Deployment": deployment, "ReplicaSet": replica_set,
    "DaemonSet": daemon_set, "StatefulSet": stateful_set, "Job": job, "ConfigMap": config_map, "Secret": secret,
    "ServiceAccount": service_account, "Service": net.service, "Endpoints": net.endpoints,
    "EndpointSlice": net.endpoint_slice, "Ingress": net.ingress, "IngressClass": net.ingress_class,
    "ServiceCIDR": net.service_cidr, "IPAddress": net.ip_address, "NetworkPolicy": network_policy,
    "Role": more.role, "ClusterRole": more.role, "RoleBinding": more.binding, "ClusterRoleBinding": more.binding,
    "LimitRange": more.limit_range, "ResourceQuota": more.quota, "PodDisruptionBudget": more.disruption,
    "CronJob": more.cron_job, "HorizontalPodAutoscaler": more.autoscaler, "PersistentVolume": more.volume,
    "PersistentVolumeClaim": more.claim, "StorageClass": more.storage_class, "PriorityClass": more.priority_class,
}  # fmt: skip
