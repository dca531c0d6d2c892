"""kubectl create service and kubectl create ingress (pkg/cmd/create/create_service.go, create_ingress.go)."""

from __future__ import annotations

import re

from engine.kube.objects import Json
from engine.shell.tool import Context, Fail
from engine.shell.tools.kubectl_.flags import Line
from engine.shell.tools.kubectl_.made import listed, named, number_or_name, whole

PORT_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def service(line: Line, name: str, kind: str) -> Json:
    ports: list[Json] = []
    if line.get("clusterip") != "None" and kind != "ExternalName" and not listed(line, "tcp"):
        raise Fail("error: at least one tcp port specifier must be provided")
    for text in listed(line, "tcp"):
        row: Json = {"name": text.replace(":", "-"), "protocol": "TCP", **port_pair(text)}
        if "node-port" in line and (number := whole(line.get("node-port"), "--node-port", line.verb)):
            row["nodePort"] = number
        ports.append(row)
    body = named(line, "v1", "Service", name)
    body["metadata"]["labels"] = {"app": name}
    spec: Json = {"selector": {"app": name}, "type": kind}
    if ports:
        spec["ports"] = ports
    if line.get("external-name"):
        spec["externalName"] = line.get("external-name")
    if line.get("clusterip"):
        spec["clusterIP"] = line.get("clusterip")
    return {**body, "spec": spec, "status": {"loadBalancer": {}}}


def port_pair(text: str) -> Json:
    """`80:8080` -> port and targetPort; `80` is both."""
    first, colon, more = text.partition(":")
    second = more.partition(":")[0]
    if not first.isdigit() or int(first) > 65535:
        reason = "value out of range" if first.isdigit() else "invalid syntax"
        raise Fail(f'error: strconv.ParseUint: parsing "{first}": {reason}')
    if not colon:
        return {"port": int(first), "targetPort": int(first)}
    if not second.isdigit():
        if (
            not PORT_NAME.fullmatch(second)
            or len(second) > 15
            or "--" in second
            or not re.search("[a-z]", second)
        ):
            raise Fail(
                "error: must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
                if len(second) <= 15
                else "error: must be no more than 15 characters"
            )
    elif not 1 <= int(second) <= 65535:
        raise Fail("error: must be between 1 and 65535, inclusive")
    return {"port": int(first), "targetPort": number_or_name(second)}


def cluster_ip(ctx: Context, line: Line, name: str) -> Json:
    return service(line, name, "ClusterIP")


def node_port(ctx: Context, line: Line, name: str) -> Json:
    return service(line, name, "NodePort")


def load_balancer(ctx: Context, line: Line, name: str) -> Json:
    return service(line, name, "LoadBalancer")


def external_name(ctx: Context, line: Line, name: str) -> Json:
    if not re.fullmatch(
        r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", line.get("external-name")
    ):
        raise Fail(f"error: invalid service external name {line.get('external-name')}")
    return service(line, name, "ExternalName")


#: create_ingress.go's ruleRegex.
RULE = re.compile(
    r"^(?P<host>[\w\*\-\.]*)(?P<path>\/[\/\w\-\.\%\_\~\!\$\&\'\(\)\*\+\,\;\=\:\@]*)?=(?P<svc>[\w\-]+):(?P<port>[\w\-]+)"
    r"(,tls(=(?P<secret>[\w\-]+))?)?$"
)
NOT_ENOUGH = (
    "error: not enough information provided: every ingress has to either specify a default-backend (which catches all "
    "traffic) or a list of rules (which catch specific paths)"
)


def ingress(ctx: Context, line: Line, name: str) -> Json:
    rules, default = line.all("rule"), line.get("default-backend")
    if not rules and not default:
        raise Fail(NOT_ENOUGH)
    for rule in rules:
        if not RULE.match(rule) or "/" not in rule:
            raise Fail(
                f"error: rule {rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"
            )
    notes: dict[str, str] = {}
    for note in line.all("annotation"):
        key, equals, value = note.partition("=")
        if not equals:
            raise Fail(f"error: annotation {note} is invalid and should be in format key=[value]")
        notes[key] = value
    if default and len(default.split(":")) != 2:
        raise Fail("error: default-backend should be in format servicename:serviceport")
    body = named(line, "networking.k8s.io/v1", "Ingress", name)
    if notes:
        body["metadata"]["annotations"] = notes
    spec: Json = {}
    if line.get("class"):
        spec["ingressClassName"] = line.get("class")
    if default:
        spec["defaultBackend"] = backend(default)
    if tls := tls_rules(rules):
        spec["tls"] = tls
    if rules:
        spec["rules"] = host_rules(rules)
    return {**body, "spec": spec, "status": {"loadBalancer": {}}}


def tls_rules(rules: list[str]) -> list[Json]:
    out: list[Json] = []
    seen: set[str] = set()
    for rule in rules:
        parts = rule.split(",")
        host = rule.split("/", 1)[0]
        if len(parts) != 2 or host in seen:
            continue
        seen.add(host)
        secret = parts[1].partition("=")[2]
        same = next((t for t in out if t.get("secretName", "") == secret), None)
        if same is not None:
            same.setdefault("hosts", []).append(host)
            continue
        row: Json = {}
        if host:
            row["hosts"] = [host]
        if secret:
            row["secretName"] = secret
        if row:
            out.append(row)
    return out


def host_rules(rules: list[str]) -> list[Json]:
    out: list[Json] = []
    for rule in rules:
        host, _, rest = rule.split(",")[0].partition("/")
        path, _, target = rest.partition("=")
        kind = "Prefix" if path.endswith("*") else "Exact"
        row = {"backend": backend(target), "path": "/" + path.removesuffix("*"), "pathType": kind}
        same = next((r for r in out if r.get("host", "") == host), None)
        if same is not None:
            same["http"]["paths"].append(row)
            continue
        out.append({**({"host": host} if host else {}), "http": {"paths": [row]}})
    return out


def backend(text: str) -> Json:
    name, _, port = text.partition(":")
    return {"service": {"name": name, "port": {"number" if port.isdigit() else "name": number_or_name(port)}}}
