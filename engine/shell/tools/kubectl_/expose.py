"""kubectl expose: a Service made from what is there (k8s.io/kubectl/pkg/cmd/expose), and autoscale."""

from __future__ import annotations

from engine.kube.objects import BY_KIND, Json, Kind, labels_of, name_of, spec_of
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import Client, connect, fetch, not_found, targets
from engine.shell.tools.kubectl_.create import finish
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.made import named, number_or_name, pairs, whole
from engine.shell.tools.kubectl_.manifests import named_in_files
from engine.shell.tools.kubectl_.merge import merge
from engine.shell.tools.kubectl_.pick import bodies
from engine.shell.tools.kubectl_.write import DRY

EXPOSE = (
    flag("port"), flag("target-port"), flag("protocol"), flag("type"), flag("name"), flag("selector"),
    flag("labels", "l"), flag("external-ip"), flag("load-balancer-ip"), flag("session-affinity"), flag("cluster-ip"),
    flag("overrides"), refused("override-type", value=True), DRY, flag("output", "o"), flag("filename", "f"),
    flag("field-manager"), switch("save-config"), refused("kustomize", "k", value=True), refused("recursive", "R"),
    refused("template", value=True),
)  # fmt: skip
AUTOSCALE = (
    flag("max"), flag("min"), flag("cpu-percent"), flag("cpu"), flag("memory"), flag("name"), DRY,
    flag("output", "o"), refused("filename", "f", value=True), flag("field-manager"), switch("save-config"),
)  # fmt: skip
EXPOSED = ("ReplicationController", "Service", "Pod", "Deployment", "ReplicaSet")
NO_SELECTOR = "error: couldn't retrieve selectors via --selector flag or introspection: "
NO_PORT = "error: couldn't find port via --port flag or introspection"


def expose(ctx: Context, argv: list[str]) -> Out:
    line = parse("expose", argv, EXPOSE)
    client = connect(ctx, line)
    if "filename" in line:
        wanted = [(k, n) for k, n, _ in named_in_files(client, line)]
    else:
        wanted = targets(client, line, line.words)
    outs = []
    for kind, name in wanted:
        body = fetch(client, kind, name) if name else None
        if name and body is None:
            raise Fail(not_found(kind, name))
        if body is None:
            raise Fail("error: resource(s) were provided, but no name was specified")
        if kind.kind not in EXPOSED:
            shown = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
            raise Fail(f"error: cannot expose a {shown}")
        outs.append(finish(ctx, line, service(line, kind, body), done="exposed"))
    return Out(stdout="".join(o.stdout for o in outs), stderr="".join(o.stderr for o in outs))


def service(line: Line, kind: Kind, body: Json) -> Json:
    selector = pairs(line.get("selector")) if line.get("selector") else selector_of(kind, body)
    found = ports_of(kind, body)
    headless = line.get("cluster-ip") == "None"
    if not line.get("port") and not found and not headless:
        raise Fail(NO_PORT)
    texts = line.get("port").split(",") if line.get("port") else [str(p) for p, _ in found]
    out = named(line, "v1", "Service", line.get("name") or name_of(body)[:63])
    labels = pairs(line.get("labels")) if line.get("labels") else dict(labels_of(body))
    if labels:
        out["metadata"]["labels"] = labels
    spec: Json = {"selector": selector}
    if ports := service_ports(line, texts, found):
        spec["ports"] = ports
    if line.get("external-ip"):
        spec["externalIPs"] = [line.get("external-ip")]
    if line.get("type"):
        spec["type"] = line.get("type")
    if line.get("type") == "LoadBalancer" and line.get("load-balancer-ip"):
        spec["loadBalancerIP"] = line.get("load-balancer-ip")
    affinity = line.get("session-affinity")
    if affinity and affinity not in ("None", "ClientIP"):
        raise Fail(f"error: unknown session affinity: {affinity}")
    if affinity:
        spec["sessionAffinity"] = affinity
    if line.get("cluster-ip"):
        spec["clusterIP"] = line.get("cluster-ip")
    out |= {"spec": spec, "status": {"loadBalancer": {}}}
    return merge(out, line.get("overrides")) if line.get("overrides") else out


def service_ports(line: Line, texts: list[str], found: list[tuple[int, str]]) -> list[Json]:
    protocols: dict[str, list[str]] = {}
    for number, protocol in found:
        protocols.setdefault(str(number), []).append(protocol)
    target = number_or_name(line.get("target-port")) if line.get("target-port") else None
    out: list[Json] = []
    for i, text in enumerate(texts, 1):
        if not text.isdigit():
            raise Fail(f'error: strconv.Atoi: parsing "{text}": invalid syntax')
        known = list(dict.fromkeys(protocols.get(text, ())))
        given = [line.get("protocol")] if line.get("protocol") else known or ["TCP"]
        for protocol in given:
            row: Json = {
                "port": int(text),
                "protocol": protocol,
                "targetPort": int(text) if target is None else target,
            }
            if len(given) > 1:
                row["name"] = f"port-{i}-{protocol.lower()}"
            elif len(texts) > 1:
                row["name"] = f"port-{i}"
            out.append(row)
    return out


def selector_of(kind: Kind, body: Json) -> dict[str, str]:
    """mapBasedSelectorForObject."""
    if kind.kind == "Pod":
        if not labels_of(body):
            raise Fail(NO_SELECTOR + "the pod has no labels and cannot be exposed")
        return dict(labels_of(body))
    found = spec_of(body).get("selector") or {}
    if kind.kind in ("Service", "ReplicationController"):
        if not found:
            raise Fail(NO_SELECTOR + "the service has no pod selector set")
        return dict(found)
    if found.get("matchExpressions"):
        rows = " ".join(
            f"{{{e['key']} {e['operator']} [{' '.join(e.get('values') or ())}]}}"
            for e in found["matchExpressions"]
        )
        raise Fail(NO_SELECTOR + f'couldn\'t convert expressions - "[{rows}]" to map-based selector format')
    return dict(found.get("matchLabels") or {})


def ports_of(kind: Kind, body: Json) -> list[tuple[int, str]]:
    """Every (port, protocol) that the object declares."""
    spec = spec_of(body)
    if kind.kind == "Service":
        return [(int(p["port"]), str(p.get("protocol", "TCP"))) for p in spec.get("ports") or ()]
    inner = spec if kind.kind == "Pod" else spec_of(spec.get("template") or {})
    rows = [p for c in inner.get("containers") or () for p in c.get("ports") or ()]
    return [(int(p["containerPort"]), str(p.get("protocol", "TCP"))) for p in rows]


def autoscale(ctx: Context, argv: list[str]) -> Out:
    """kubectl autoscale: the object is kept; nobody measures in a lab, so it never acts."""
    line = parse("autoscale", argv, AUTOSCALE)
    if "max" not in line:
        raise Fail('error: required flag(s) "max" not set')
    most, least = (
        whole(line.get("max"), "--max", "autoscale"),
        whole(line.get("min", "-1"), "--min", "autoscale"),
    )
    if most < 1:
        raise Fail(f"error: --max=MAXPODS is required and must be at least 1, max: {most}")
    if most < least:
        raise Fail(
            f"error: --max=MAXPODS must be larger or equal to --min=MINPODS, max: {most}, min: {least}"
        )
    client = connect(ctx, line)
    outs = []
    for kind, body in bodies(client, line, line.words):
        if kind.kind not in ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"):
            raise Fail(f"error: cannot autoscale a {kind.kind}: unknown resource kind")
        outs.append(finish(ctx, line, autoscaler(client, line, kind, body, most, least), done="autoscaled"))
    return Out(stdout="".join(o.stdout for o in outs), stderr="".join(o.stderr for o in outs))


def autoscaler(client: Client, line: Line, kind: Kind, body: Json, most: int, least: int) -> Json:
    out = named(line, BY_KIND["HorizontalPodAutoscaler"].api, "HorizontalPodAutoscaler",
                line.get("name") or name_of(body))  # fmt: skip
    target = {"apiVersion": kind.api, "kind": kind.kind, "name": name_of(body)}
    spec: Json = {"maxReplicas": most, "scaleTargetRef": target}
    if least > 0:
        spec["minReplicas"] = least
    metrics: list[Json] = []
    share = line.get("cpu-percent") or line.get("cpu").removesuffix("%")
    for name, value in (("cpu", share), ("memory", line.get("memory"))):
        if not value or value == "-1":
            continue
        percent = value.removesuffix("%")
        goal: Json = {"averageValue": value, "type": "AverageValue"}
        if name == "cpu" or value.endswith("%"):
            goal = {"averageUtilization": whole(percent, f"--{name}", "autoscale"), "type": "Utilization"}
        metrics.append({"resource": {"name": name, "target": goal}, "type": "Resource"})
    if metrics:
        spec["metrics"] = metrics
    return {**out, "spec": spec, "status": {"currentMetrics": None, "desiredReplicas": 0}}
