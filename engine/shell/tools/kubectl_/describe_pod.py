"""kubectl describe pod: the pod itself, its containers, its volumes."""

from __future__ import annotations

from engine.kube.clock import age, clock_of
from engine.kube.objects import (
    Json,
    controller_of,
    labels_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from engine.shell.tools.kubectl_.client import Client
from engine.shell.tools.kubectl_.describe_parts import (
    NONE,
    many,
    node_text,
    put_map,
    toleration,
    when,
)
from engine.shell.tools.kubectl_.table import Blocks


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
