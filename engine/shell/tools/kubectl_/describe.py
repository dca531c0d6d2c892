"""kubectl describe: pods and nodes as the real describer lays them out, other kinds by the general one.

Source: k8s.io/kubectl/pkg/describe/describe.go. Blocks of lines are aligned by a tabwriter (table.Blocks).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.kube.clock import age, clock_of, rfc1123z
from engine.kube.objects import (
    Json,
    Kind,
    controller_of,
    labels_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from engine.kube.podspec import every_container, on_node
from engine.kube.quantity import percent, total
from engine.kube.select import selector_text, text
from engine.kube.store import Event
from engine.shell.tool import Context, Out
from engine.shell.tools.kubectl_.client import Client, connect, fetch, listing, not_found, targets
from engine.shell.tools.kubectl_.columns import ROLE
from engine.shell.tools.kubectl_.flags import flag, parse, switch
from engine.shell.tools.kubectl_.table import Blocks

FLAGS = (
    switch("all-namespaces", "A"), flag("selector", "l"), flag("filename", "f"), switch("show-events"),
    flag("chunk-size"),
)  # fmt: skip
NONE = "<none>"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def run(ctx: Context, argv: list[str]) -> Out:
    line = parse("describe", argv, FLAGS)
    client = connect(ctx, line)
    if "filename" in line:
        from engine.shell.tools.kubectl_.write import named_in_files

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
    return Out(stdout="\n\n".join(texts), stderr="".join(e + "\n" for e in errors), code=1 if errors else 0)


def by_prefix(client: Client, kind: Kind, name: str) -> list[Json]:
    """describe takes the beginning of a name, too."""
    namespace = client.namespace if kind.namespaced else ""
    return [b for b in client.cluster.store.list(kind.kind, namespace) if name_of(b).startswith(name)]


def describe(client: Client, kind: Kind, body: Json, *, events: bool) -> str:
    out = Blocks()
    writer = WRITERS.get(kind.kind, general)
    writer(client, body, out)
    if events and kind.kind not in ("Namespace", "Secret", "Event"):
        event_table(client, body, out)
    elif kind.kind == "Event":
        out.put(0, f"Events:\t{NONE}")
    return out.text()


# ---- pieces that many kinds share


def put_map(out: Blocks, title: str, values: Json | None, *, level: int = 0) -> None:
    """Labels, annotations: one `k=v` or `k: v` a line, aligned under the first."""
    rows = sorted((values or {}).items())
    rows = [(k, v) for k, v in rows if k != LAST_APPLIED]
    mark = "=" if title == "Labels" else ": "
    if not rows:
        out.put(level, f"{title}:\t{NONE}")
        return
    for i, (key, value) in enumerate(rows):
        shown = f"{key}{mark}{value}"
        if title == "Annotations" and (len(shown) > 140 or "\n" in str(value)):
            shown = f"{key}:\n"
        out.put(level, f"{title + ':' if i == 0 else ''}\t{shown}")


def event_table(client: Client, body: Json, out: Blocks) -> None:
    store = client.cluster.store
    rows = list(store.events_about(str(meta(body).get("uid", name_of(body)))))
    if body["kind"] == "Node":
        # kubelet's own events about its node carry the node's name in place of a uid.
        rows = sorted([*rows, *store.events_about(name_of(body))], key=lambda e: e.last)
    if not rows:
        out.put(0, f"Events:\t{NONE}")
        return
    out.put(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage\n  ----\t------\t----\t----\t-------")
    for e in rows:
        message = e.message.strip()
        if e.field_path and client.minor >= 35:
            message = f"{e.field_path}: {message}"
        out.put(1, f"{e.type}\t{e.reason}\t{span_of(e, client.clock)}\t{e.source}\t{message}")


def span_of(event: Event, clock: float) -> str:
    if event.count > 1:
        return f"{age(clock - event.last)} (x{event.count} over {age(clock - event.first)})"
    return age(clock - event.first)


def when(stamp: object) -> str:
    return rfc1123z(clock_of(stamp)) if isinstance(stamp, str) else "<unset>"


def node_text(client: Client, body: Json) -> str:
    """`w1/192.168.10.11`"""
    name = on_node(body)
    host = status_of(body).get("hostIP")
    return f"{name}/{host}" if name and host else f"{name}/" if name else NONE


# ---- pods


def pod(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    if spec.get("priority") is not None:
        out.put(0, f"Priority:\t{spec['priority']}")
    if spec.get("priorityClassName"):
        out.put(0, f"Priority Class Name:\t{spec['priorityClassName']}")
    out.put(0, f"Service Account:\t{spec.get('serviceAccountName', 'default')}")
    out.put(0, f"Node:\t{node_text(client, body)}")
    if status.get("startTime"):
        out.put(0, f"Start Time:\t{when(status['startTime'])}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    if "deletionTimestamp" in meta(body):
        left = client.clock - clock_of(meta(body)["deletionTimestamp"])
        out.put(0, f"Status:\tTerminating (lasts {age(max(0, left))})")
        out.put(0, f"Termination Grace Period:\t{meta(body).get('deletionGracePeriodSeconds', 30)}s")
    else:
        out.put(0, f"Status:\t{status.get('phase', '')}")
    if status.get("reason"):
        out.put(0, f"Reason:\t{status['reason']}")
    out.put(0, f"IP:\t{status.get('podIP', '')}")
    addresses = status.get("podIPs") or []
    if addresses:
        out.put(0, "IPs:")
        for row in addresses:
            out.put(1, f"IP:\t{row['ip']}")
    else:
        out.put(0, f"IPs:\t{NONE}")
    owner = controller_of(body)
    if owner is not None:
        out.put(0, f"Controlled By:\t{owner['kind']}/{owner['name']}")
    if spec.get("initContainers"):
        containers(
            client,
            out,
            "Init Containers",
            spec["initContainers"],
            status.get("initContainerStatuses") or [],
            body,
        )
    containers(
        client, out, "Containers", spec.get("containers") or [], status.get("containerStatuses") or [], body
    )
    conditions = status.get("conditions") or []
    if conditions:
        out.put(0, "Conditions:\n  Type\tStatus")
        for c in sorted(
            conditions, key=lambda c: PRESENTED.index(c["type"]) if c["type"] in PRESENTED else 9
        ):
            out.put(1, f"{c['type']} \t{c['status']} ")
    volumes(client, out, spec.get("volumes") or [])
    if status.get("qosClass"):
        out.put(0, f"QoS Class:\t{status['qosClass']}")
    many(out, "Node-Selectors", [f"{k}={v}" for k, v in sorted((spec.get("nodeSelector") or {}).items())])
    many(out, "Tolerations", [toleration(t) for t in spec.get("tolerations") or ()])


PRESENTED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def many(out: Blocks, title: str, rows: list[str]) -> None:
    """A list under one title, aligned with its first entry."""
    if not rows:
        out.put(0, f"{title}:\t{NONE}")
    for i, row in enumerate(sorted(rows)):
        out.put(0, f"{title + ':' if i == 0 else ''}\t{row}")


def toleration(t: Json) -> str:
    shown = str(t.get("key") or "")
    if t.get("value"):
        shown += f"={t['value']}"
    if t.get("effect"):
        shown += f":{t['effect']}"
    if t.get("operator") == "Exists" and not t.get("value"):
        shown += " op=Exists" if shown else "op=Exists"
    if t.get("tolerationSeconds") is not None:
        shown += f" for {t['tolerationSeconds']}s"
    return shown


def containers(
    client: Client, out: Blocks, title: str, rows: list[Json], statuses: list[Json], body: Json
) -> None:
    found = {s["name"]: s for s in statuses}
    out.put(0, f"{title}:")
    for c in rows:
        status = found.get(c["name"])
        out.put(1, f"{c['name']}:")
        if status is not None:
            out.put(2, f"Container ID:\t{status.get('containerID', '')}")
        out.put(2, f"Image:\t{c.get('image', '')}")
        if status is not None:
            out.put(2, f"Image ID:\t{status.get('imageID', '')}")
        ports = c.get("ports") or []
        word = "Ports" if len(ports) > 1 else "Port"
        plain = ", ".join(port_text(client, p, p["containerPort"]) for p in ports)
        host = ", ".join(port_text(client, p, p.get("hostPort") or 0) for p in ports)
        out.put(2, f"{word}:\t{plain or NONE}")
        out.put(2, f"Host {word}:\t{host or NONE}")
        for key, head in (("command", "Command"), ("args", "Args")):
            if c.get(key):
                out.put(2, f"{head}:")
                for word in c[key]:
                    for part in str(word).split("\n"):
                        out.put(3, part)
        if status is not None:
            state(out, "State", status.get("state") or {})
            if (status.get("lastState") or {}).get("terminated"):
                state(out, "Last State", status["lastState"])
            out.put(2, f"Ready:\t{status['ready']}")
            out.put(2, f"Restart Count:\t{status['restartCount']}")
        resources(out, c.get("resources") or {})
        probes(out, c)
        environment(out, c, body)
        mounts(out, c)


def port_text(client: Client, port: Json, number: int) -> str:
    """`80/TCP`, since 1.33 with its name: `80/TCP (http)`."""
    name = f" ({port['name']})" if port.get("name") and client.minor >= 33 else ""
    return f"{number}/{port.get('protocol', 'TCP')}{name}"


def state(out: Blocks, title: str, found: Json) -> None:
    if run := found.get("running"):
        out.put(2, f"{title}:\tRunning")
        out.put(3, f"Started:\t{when(run.get('startedAt'))}")
    elif wait := found.get("waiting"):
        out.put(2, f"{title}:\tWaiting")
        if wait.get("reason"):
            out.put(3, f"Reason:\t{wait['reason']}")
    elif ended := found.get("terminated"):
        out.put(2, f"{title}:\tTerminated")
        if ended.get("reason"):
            out.put(3, f"Reason:\t{ended['reason']}")
        if ended.get("message"):
            out.put(3, f"Message:\t{ended['message']}")
        out.put(3, f"Exit Code:\t{ended['exitCode']}")
        out.put(3, f"Started:\t{when(ended.get('startedAt'))}")
        out.put(3, f"Finished:\t{when(ended.get('finishedAt'))}")
    else:
        out.put(2, f"{title}:\tWaiting")


def resources(out: Blocks, found: Json) -> None:
    for key, head in (("limits", "Limits"), ("requests", "Requests")):
        if found.get(key):
            out.put(2, f"{head}:")
            for name, value in sorted(found[key].items()):
                out.put(3, f"{name}:\t{value}")


def probes(out: Blocks, c: Json) -> None:
    for key, head in (
        ("livenessProbe", "Liveness"),
        ("readinessProbe", "Readiness"),
        ("startupProbe", "Startup"),
    ):
        if p := c.get(key):
            times = (
                f"delay={p.get('initialDelaySeconds', 0)}s timeout={p.get('timeoutSeconds', 1)}s "
                f"period={p.get('periodSeconds', 10)}s #success={p.get('successThreshold', 1)} "
                f"#failure={p.get('failureThreshold', 3)}"
            )
            if g := p.get("httpGet"):
                where = f"{g.get('host', '')}:{g.get('port')}{g.get('path', '/')}"
                how = f"http-get {str(g.get('scheme', 'HTTP')).lower()}://{where}"
            elif p.get("tcpSocket"):
                how = f"tcp-socket {p['tcpSocket'].get('host', '')}:{p['tcpSocket'].get('port')}"
            elif p.get("exec"):
                how = "exec [" + " ".join(p["exec"].get("command") or ()) + "]"
            else:
                how = "grpc <pod>:" + str((p.get("grpc") or {}).get("port", ""))
            out.put(2, f"{head}:\t{how} {times}")


def environment(out: Blocks, c: Json, body: Json) -> None:
    for source in c.get("envFrom") or ():
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if source.get(key):
                out.put(2, "Environment Variables from:")
                out.put(
                    3, f"{source[key].get('name')}\t{kind}\tOptional: {source[key].get('optional', False)}"
                )
    rows = c.get("env") or []
    out.put(2, f"Environment:{'' if rows else chr(9) + NONE}")
    for e in rows:
        source = e.get("valueFrom") or {}
        if f := source.get("fieldRef"):
            own = {"metadata.name": name_of(body), "metadata.namespace": namespace_of(body),
                   "metadata.uid": str(meta(body).get("uid", ""))}  # fmt: skip
            value = f"{own.get(f['fieldPath'], '')} ({f.get('apiVersion', 'v1')}:{f['fieldPath']})"
        elif f := source.get("configMapKeyRef"):
            optional = str(f.get("optional", False)).lower()
            value = f"<set to the key '{f.get('key')}' of config map '{f.get('name')}'>\tOptional: {optional}"
        elif f := source.get("secretKeyRef"):
            optional = str(f.get("optional", False)).lower()
            value = f"<set to the key '{f.get('key')}' in secret '{f.get('name')}'>\tOptional: {optional}"
        else:
            value = str(e.get("value", ""))
        out.put(3, f"{e['name']}:\t{value}")


def mounts(out: Blocks, c: Json) -> None:
    rows = sorted(c.get("volumeMounts") or (), key=lambda m: str(m.get("mountPath")))
    out.put(2, f"Mounts:{'' if rows else chr(9) + NONE}")
    for m in rows:
        flags = ["ro" if m.get("readOnly") else "rw"]
        if m.get("subPath"):
            flags.append(f'path="{m["subPath"]}"')
        out.put(3, f"{m['mountPath']} from {m['name']} ({','.join(flags)})")


VOLUMES = {
    "hostPath": ("HostPath (bare host directory volume)", (("Path", "path"), ("HostPathType", "type"))),
    "emptyDir": (
        "EmptyDir (a temporary directory that shares a pod's lifetime)",
        (("Medium", "medium"), ("SizeLimit", "sizeLimit")),
    ),
    "configMap": (
        "ConfigMap (a volume populated by a ConfigMap)",
        (("Name", "name"), ("Optional", "optional")),
    ),
    "secret": (
        "Secret (a volume populated by a Secret)",
        (("SecretName", "secretName"), ("Optional", "optional")),
    ),
    "persistentVolumeClaim": (
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        (("ClaimName", "claimName"), ("ReadOnly", "readOnly")),
    ),
}


def volumes(client: Client, out: Blocks, rows: list[Json]) -> None:
    if not rows:
        out.put(0, f"Volumes:\t{NONE}")
        return
    out.put(0, "Volumes:")
    for v in rows:
        out.put(1, f"{v['name']}:")
        kind = next((k for k in v if k != "name"), "emptyDir")
        source = v.get(kind) or {}
        if kind == "projected":
            out.put(2, "Type:\tProjected (a volume that contains injected data from multiple sources)")
            for part in source.get("sources") or ():
                if token := part.get("serviceAccountToken"):
                    out.put(2, f"TokenExpirationSeconds:\t{token.get('expirationSeconds', 3600)}")
                elif config := part.get("configMap"):
                    optional = config.get("optional")
                    out.put(2, f"ConfigMapName:\t{config.get('name')}")
                    out.put(
                        2, f"ConfigMapOptional:\t{'<nil>' if optional is None else str(optional).lower()}"
                    )
                elif "downwardAPI" in part:
                    out.put(2, "DownwardAPI:\ttrue")
            continue
        if kind in VOLUMES:
            title, fields = VOLUMES[kind]
            out.put(2, f"Type:\t{title}")
            for head, key in fields:
                value = source.get(key, False if key in ("optional", "readOnly") else "")
                shown = str(value).lower() if isinstance(value, bool) else str(value)
                out.put(2, f"{head}:\t{shown or ('<unset>' if key == 'sizeLimit' else '')}")
        else:
            out.put(2, f"Type:\t{kind[:1].upper()}{kind[1:]}")


# ---- nodes


def node(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    roles = sorted(k[len(ROLE) :] for k in labels_of(body) if k.startswith(ROLE))
    out.put(0, f"Roles:\t{','.join(roles) or NONE}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    out.put(0, f"CreationTimestamp:\t{when(meta(body).get('creationTimestamp'))}")
    taints = spec.get("taints") or []
    shown = [f"{t['key']}{'=' + t['value'] if t.get('value') else ''}:{t['effect']}" for t in taints]
    if not shown:
        out.put(0, f"Taints:\t{NONE}")
    for i, row in enumerate(sorted(shown)):
        out.put(0, f"{'Taints:' if i == 0 else ''}\t{row}")
    out.put(0, f"Unschedulable:\t{str(bool(spec.get('unschedulable'))).lower()}")
    lease(client, body, out)
    conditions = status.get("conditions") or []
    out.put(0, "Conditions:")
    heads = ("Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message")
    out.put(1, "\t".join(heads))
    out.put(1, "\t".join("-" * len(h) for h in heads))
    for c in conditions:
        times = f"{when(c.get('lastHeartbeatTime'))} \t{when(c.get('lastTransitionTime'))}"
        out.put(1, f"{c['type']} \t{c['status']} \t{times} \t{c.get('reason', '')} \t{c.get('message', '')}")
    out.put(0, "Addresses:")
    for a in status.get("addresses") or ():
        out.put(1, f"{a['type']}:\t{a['address']}")
    for key, head in (("capacity", "Capacity"), ("allocatable", "Allocatable")):
        out.put(0, f"{head}:")
        for name, value in sorted((status.get(key) or {}).items()):
            out.put(1, f"{name}:\t{value}")
    info = status.get("nodeInfo") or {}
    out.put(0, "System Info:")
    for key, head in (
        ("machineID", "Machine ID"), ("systemUUID", "System UUID"), ("bootID", "Boot ID"),
        ("kernelVersion", "Kernel Version"), ("osImage", "OS Image"), ("operatingSystem", "Operating System"),
        ("architecture", "Architecture"), ("containerRuntimeVersion", "Container Runtime Version"),
        ("kubeletVersion", "Kubelet Version"), ("kubeProxyVersion", "Kube-Proxy Version"),
    ):  # fmt: skip
        out.put(1, f"{head}:\t{info.get(key, '')}")
    if spec.get("podCIDR"):
        out.put(0, f"PodCIDR:\t{spec['podCIDR']}")
        out.put(0, f"PodCIDRs:\t{','.join(spec.get('podCIDRs') or [])}")
    pods_on(client, body, out)


def lease(client: Client, body: Json, out: Blocks) -> None:
    found = client.cluster.store.get("Lease", "kube-node-lease", name_of(body))
    if found is None:
        out.put(0, f'Lease:\tFailed to get lease: leases.coordination.k8s.io "{name_of(body)}" not found')
        return
    spec = spec_of(found)
    out.put(0, "Lease:")
    out.put(1, f"HolderIdentity:\t{spec.get('holderIdentity', '<unset>')}")
    out.put(1, f"AcquireTime:\t{when(spec.get('acquireTime'))}")
    out.put(1, f"RenewTime:\t{when(spec.get('renewTime'))}")


#: What `Allocated resources` counts, and the node's resource that the percentage is of.
COUNTED = ("cpu", "memory", "ephemeral-storage")


def pods_on(client: Client, body: Json, out: Blocks) -> None:
    rows = [
        p
        for p in client.cluster.store.list("Pod")
        if on_node(p) == name_of(body) and status_of(p).get("phase") not in ("Succeeded", "Failed")
    ]
    room = status_of(body).get("allocatable") or {}
    out.put(0, f"Non-terminated Pods:\t({len(rows)} in total)")
    heads = ("Namespace", "Name", "CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits", "Age")
    out.put(1, f"{heads[0]}\t{heads[1]}\t\t" + "\t".join(heads[2:]))
    dashes = ["-" * len(h) for h in heads]
    out.put(1, f"{dashes[0]}\t{dashes[1]}\t\t" + "\t".join(dashes[2:]))
    for p in rows:
        cells = [amount(asked([p], key, what), room.get(what, "0")) for what in COUNTED[:2] for key in ASKS]
        born = age(client.clock - clock_of(meta(p)["creationTimestamp"]))
        out.put(1, f"{namespace_of(p)}\t{name_of(p)}\t\t" + "\t".join((*cells, born)))
    out.put(0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)")
    out.put(1, "Resource\tRequests\tLimits")
    out.put(1, "--------\t--------\t------")
    for what in (*COUNTED, *sorted(k for k in room if k.startswith("hugepages-"))):
        cells = [amount(asked(rows, key, what), room.get(what, "0")) for key in ASKS]
        out.put(1, "\t".join((what, *cells)))


ASKS = ("requests", "limits")


def asked(pods: list[Json], key: str, what: str) -> str:
    """The sum of what the containers of some pods ask for."""
    return total(
        str(found)
        for p in pods
        for c in every_container(spec_of(p))
        if (found := ((c.get("resources") or {}).get(key) or {}).get(what)) is not None
    )


def amount(text: str, room: str) -> str:
    return f"{text} ({percent(text, room)}%)"


# ---- the rest


def namespace(client: Client, body: Json, out: Blocks) -> None:
    out.put(0, f"Name:\t{name_of(body)}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    out.put(0, f"Status:\t{status_of(body).get('phase', 'Active')}")
    out.put(0, "")
    out.put(0, "No resource quota.")
    out.put(0, "")
    out.put(0, "No LimitRange resource.")


def head(body: Json, out: Blocks, *, annotations: bool = True) -> None:
    out.put(0, f"Name:\t{name_of(body)}")
    if namespace_of(body):
        out.put(0, f"Namespace:\t{namespace_of(body)}")
    if annotations:
        put_map(out, "Labels", labels_of(body))
        put_map(out, "Annotations", meta(body).get("annotations"))


def template(client: Client, body: Json, out: Blocks) -> None:
    inner = spec_of(body).get("template") or {}
    out.put(0, "Pod Template:")
    values = sorted((labels_of(inner) or {}).items())
    if not values:
        out.put(1, f"Labels:\t{NONE}")
    for i, (k, v) in enumerate(values):
        out.put(1, f"{'Labels:' if i == 0 else ''}\t{k}={v}")
    blocks = Blocks()
    containers(client, blocks, "Containers", spec_of(inner).get("containers") or [], [], inner)
    for row in blocks.lines:
        depth = len(row) - len(row.lstrip(" "))
        out.put(0, {0: "  ", 2: " "}.get(depth, "") + row)
    out.put(1, f"Volumes:\t{NONE}" if not spec_of(inner).get("volumes") else "Volumes:")
    out.put(1, f"Node-Selectors:\t{text(spec_of(inner).get('nodeSelector'))}")
    tolerations = [toleration(t) for t in spec_of(inner).get("tolerations") or ()]
    out.put(1, f"Tolerations:\t{', '.join(tolerations) or NONE}")


def deployment(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    out.put(0, f"CreationTimestamp:\t{when(meta(body).get('creationTimestamp'))}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    out.put(0, f"Selector:\t{selector_text(spec.get('selector'))}")
    counts = [
        status.get(k, 0) for k in ("updatedReplicas", "replicas", "availableReplicas", "unavailableReplicas")
    ]
    out.put(
        0,
        f"Replicas:\t{spec.get('replicas', 1)} desired | {counts[0]} updated | {counts[1]} total | "
        f"{counts[2]} available | {counts[3]} unavailable",
    )
    strategy = spec.get("strategy") or {}
    out.put(0, f"StrategyType:\t{strategy.get('type', 'RollingUpdate')}")
    out.put(0, f"MinReadySeconds:\t{spec.get('minReadySeconds', 0)}")
    if rolling := strategy.get("rollingUpdate"):
        unavailable, surge = rolling.get("maxUnavailable", "25%"), rolling.get("maxSurge", "25%")
        out.put(0, f"RollingUpdateStrategy:\t{unavailable} max unavailable, {surge} max surge")
    template(client, body, out)
    out.put(0, "Conditions:\n  Type\tStatus\tReason\n  ----\t------\t------")
    for c in status.get("conditions") or ():
        out.put(1, f"{c['type']} \t{c['status']}\t{c.get('reason', '')}")
    mine = [
        r
        for r in client.cluster.store.list("ReplicaSet", namespace_of(body))
        if (o := controller_of(r)) is not None and o["uid"] == meta(body)["uid"]
    ]
    new = [r for r in mine if spec_of(r).get("replicas")]
    old = [r for r in mine if not spec_of(r).get("replicas")]
    out.put(0, f"OldReplicaSets:\t{replica_text(old)}")
    out.put(0, f"NewReplicaSet:\t{replica_text(new)}")


def replica_text(rows: Iterable[Json]) -> str:
    parts = [
        f"{name_of(r)} ({status_of(r).get('replicas', 0)}/{spec_of(r).get('replicas', 0)} replicas created)"
        for r in rows
    ]
    return ", ".join(parts) or NONE


def replica_set(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    out.put(0, f"Selector:\t{selector_text(spec.get('selector'))}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    owner = controller_of(body)
    if owner is not None:
        out.put(0, f"Controlled By:\t{owner['kind']}/{owner['name']}")
    out.put(0, f"Replicas:\t{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired")
    out.put(0, f"Pods Status:\t{phases(client, body)}")
    template(client, body, out)


def phases(client: Client, body: Json) -> str:
    """Pods of a workload by phase."""
    mine = [p for p in client.cluster.store.list("Pod", namespace_of(body))
            if (o := controller_of(p)) is not None and o["uid"] == meta(body)["uid"]]  # fmt: skip
    words_of = {"Running": "Running", "Pending": "Waiting", "Succeeded": "Succeeded", "Failed": "Failed"}
    counts = {w: sum(status_of(p).get("phase") == k for p in mine) for k, w in words_of.items()}
    return " / ".join(f"{n} {w}" for w, n in counts.items())


def daemon_set(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Selector:\t{selector_text(spec.get('selector'))}")
    out.put(0, f"Node-Selector:\t{text(spec_of(spec.get('template') or {}).get('nodeSelector'))}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    for key, head in (
        ("desiredNumberScheduled", "Desired Number of Nodes Scheduled"),
        ("currentNumberScheduled", "Current Number of Nodes Scheduled"),
        ("updatedNumberScheduled", "Number of Nodes Scheduled with Up-to-date Pods"),
        ("numberAvailable", "Number of Nodes Scheduled with Available Pods"),
        ("numberMisscheduled", "Number of Nodes Misscheduled"),
    ):
        out.put(0, f"{head}: {status.get(key, 0)}")
    out.put(0, f"Pods Status:\t{phases(client, body)}")
    template(client, body, out)


def stateful_set(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    out.put(0, f"CreationTimestamp:\t{when(meta(body).get('creationTimestamp'))}")
    out.put(0, f"Selector:\t{selector_text(spec.get('selector'))}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    out.put(0, f"Replicas:\t{spec.get('replicas', 1)} desired | {status.get('replicas', 0)} total")
    strategy = spec.get("updateStrategy") or {}
    out.put(0, f"Update Strategy:\t{strategy.get('type', 'RollingUpdate')}")
    if rolling := strategy.get("rollingUpdate"):
        out.put(1, f"Partition:\t{rolling.get('partition', 0)}")
    out.put(0, f"Pods Status:\t{phases(client, body)}")
    template(client, body, out)
    out.put(0, f"Volume Claims:\t{NONE}")


def job(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    out.put(0, f"Selector:\t{selector_text(spec['selector']) if spec.get('selector') else ''}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    owner = controller_of(body)
    if owner is not None:
        out.put(0, f"Controlled By:\t{owner['kind']}/{owner['name']}")
    out.put(0, f"Parallelism:\t{spec.get('parallelism', 1)}")
    out.put(0, f"Completions:\t{spec.get('completions', '<unset>')}")
    out.put(0, f"Completion Mode:\t{spec.get('completionMode', 'NonIndexed')}")
    out.put(0, f"Suspend:\t{str(bool(spec.get('suspend'))).lower()}")
    out.put(0, f"Backoff Limit:\t{spec.get('backoffLimit', 6)}")
    if status.get("startTime"):
        out.put(0, f"Start Time:\t{when(status['startTime'])}")
    if status.get("completionTime"):
        out.put(0, f"Completed At:\t{when(status['completionTime'])}")
        took = clock_of(status["completionTime"]) - clock_of(status["startTime"])
        out.put(0, f"Duration:\t{age(took)}")
    active, ready = status.get("active", 0), status.get("ready", 0)
    done = f"{status.get('succeeded', 0)} Succeeded / {status.get('failed', 0)} Failed"
    out.put(0, f"Pods Statuses:\t{active} Active ({ready} Ready) / {done}")
    template(client, body, out)


def config_map(client: Client, body: Json, out: Blocks) -> None:
    head(body, out)
    out.put(0, "\nData\n====")
    for key, value in sorted((body.get("data") or {}).items()):
        out.put(0, f"{key}:\n----\n{value}\n")
    out.put(0, "\nBinaryData\n====")
    for key, value in sorted((body.get("binaryData") or {}).items()):
        out.put(0, f"{key}: {len(value) * 3 // 4} bytes")
    out.put(0, "")


def secret(client: Client, body: Json, out: Blocks) -> None:
    head(body, out)
    out.put(0, f"\nType:\t{body.get('type', 'Opaque')}\n\nData\n====")
    import base64

    for key, value in sorted((body.get("data") or {}).items()):
        out.put(0, f"{key}:\t{len(base64.b64decode(value + '=='))} bytes")


def service_account(client: Client, body: Json, out: Blocks) -> None:
    head(body, out)
    for title, key in (("Image pull secrets", "imagePullSecrets"), ("Mountable secrets", "secrets")):
        many(out, title, [str(r.get("name")) for r in body.get(key) or ()])
    out.put(0, f"Tokens:\t{NONE}")


#: Parts of the metadata that the general describer leaves out, because they stand above or say nothing.
LEFT_OUT = ("name", "namespace", "labels", "annotations", "managedFields", "selfLink")


def general(client: Client, body: Json, out: Blocks) -> None:
    """The general describer: metadata, then every field by its words."""
    head(body, out)
    for key in sorted({"apiVersion", "kind", *body}):
        if key == "metadata":
            out.put(0, "Metadata:")
            tree(out, {k: v for k, v in meta(body).items() if k not in LEFT_OUT}, 1)
        else:
            field(out, key, body.get(key), 0)


def words(key: str) -> str:
    """`nodeName` -> `Node Name`, `uid` -> `UID`"""
    import re

    if key in ("uid", "apiVersion"):
        return {"uid": "UID", "apiVersion": "API Version"}[key]
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key)
    return spaced[:1].upper() + spaced[1:]


def tree(out: Blocks, value: Json, level: int) -> None:
    for key in sorted(value):
        field(out, key, value[key], level)


def field(out: Blocks, key: str, value: object, level: int) -> None:
    if isinstance(value, dict):
        out.put(level, f"{words(key)}:")
        tree(out, value, level + 1)
    elif isinstance(value, list):
        out.put(level, f"{words(key)}:")
        for item in value:
            if isinstance(item, dict):
                tree(out, item, level + 1)
            else:
                out.put(level + 1, str(item))
    else:
        shown = str(value).lower() if isinstance(value, bool) else "<nil>" if value is None else str(value)
        out.put(level, f"{words(key)}:\t{shown}")


WRITERS: dict[str, Callable[[Client, Json, Blocks], None]] = {
    "Pod": pod, "Node": node, "Namespace": namespace, "Deployment": deployment, "ReplicaSet": replica_set,
    "DaemonSet": daemon_set, "StatefulSet": stateful_set, "Job": job, "ConfigMap": config_map, "Secret": secret,
    "ServiceAccount": service_account,
}  # fmt: skip
