"""kubectl create namespace, configmap, secret, serviceaccount, quota, poddisruptionbudget, priorityclass."""

from __future__ import annotations

import base64
import json
import re

from engine.kube.objects import Json
from engine.kube.quantity import value as amount
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail
from engine.shell.tools.kubectl_.flags import Line
from engine.shell.tools.kubectl_.made import listed, named, number_or_name, whole
from engine.shell.tools.kubectl_.selectors import local_selector

KEY = re.compile(r"[-._a-zA-Z0-9]+")
KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)

NO_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def namespace(ctx: Context, line: Line, name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {}, "status": {}}


def service_account(ctx: Context, line: Line, name: str) -> Json:
    return named(line, "v1", "ServiceAccount", name)


# ---- keys and values


def sources(ctx: Context, line: Line, kind: str, name: str) -> dict[str, str]:
    """What --from-file, --from-literal and --from-env-file name, by key."""
    if line.all("from-env-file") and (line.all("from-file") or line.all("from-literal")):
        raise Fail("error: from-env-file cannot be combined with from-file or from-literal")
    out: dict[str, str] = {}
    for source in listed(line, "from-file"):
        for key, value in from_file(ctx, source):
            put(out, key, value, kind, name)
    for text in line.all("from-literal"):
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise Fail(f"error: invalid literal source {text}, expected key=value")
        put(out, key, value, kind, name)
    for file in listed(line, "from-env-file"):
        for key, value in from_env_file(ctx, file):
            put(out, key, value, kind, name)
    return out


def put(out: dict[str, str], key: str, value: str, kind: str, name: str) -> None:
    if not KEY.fullmatch(key):
        article = (
            "a valid key name for a ConfigMap:" if kind == "ConfigMap" else "valid key name for a Secret"
        )
        raise Fail(f'error: "{key}" is not {article} {KEY_TEXT}')
    if key in out and kind == "ConfigMap":
        raise Fail(
            f'error: cannot add key "{key}", another key by that name already exists in Data for ConfigMap "{name}"'
        )
    if key in out:
        raise Fail(f"error: cannot add key {key}, another key by that name already exists")
    out[key] = value


def read(ctx: Context, path: str) -> str:
    try:
        return ctx.files.read(ctx.path(path))
    except FileError as error:
        reason = error.reason[:1].lower() + error.reason[1:]
        raise Fail(f"error: error reading {path}: {reason}") from None


def from_file(ctx: Context, source: str) -> list[tuple[str, str]]:
    """util.ParseFileSource: PATH or KEY=PATH; a folder gives each of its files."""
    if source.count("=") > 1:
        raise Fail("error: key names or file paths cannot contain '='")
    if source.startswith("="):
        raise Fail(f"error: key name for file path {source[1:]} missing")
    if source.endswith("="):
        raise Fail(f"error: file path for key name {source[:-1]} missing")
    key, equals, path = source.partition("=")
    path = path if equals else key
    if ctx.files.kind(ctx.path(path)) == "dir":
        if equals:
            raise Fail("error: cannot give a key name for a directory path")
        names = [
            n for n in ctx.files.list(ctx.path(path)) if ctx.files.kind(ctx.path(f"{path}/{n}")) == "file"
        ]
        return [(n, read(ctx, f"{path}/{n}")) for n in sorted(names) if KEY.fullmatch(n)]
    return [(key if equals else path.rsplit("/", 1)[-1], read(ctx, path))]


def from_env_file(ctx: Context, path: str) -> list[tuple[str, str]]:
    if ctx.files.kind(ctx.path(path)) == "dir":
        raise Fail("error: env config file cannot be a directory")
    out = []
    for row in read(ctx, path).splitlines():
        text = row.lstrip()
        if not text or text.startswith("#"):
            continue
        key, equals, value = text.partition("=")
        out.append((key, value if equals else ctx.env.get(key, "")))
    return out


def config_map(ctx: Context, line: Line, name: str) -> Json:
    body = named(line, "v1", "ConfigMap", name)
    found = sources(ctx, line, "ConfigMap", name)
    return {**body, "data": found} if found else body


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(ctx: Context, line: Line, name: str) -> Json:
    body = named(line, "v1", "Secret", name)
    if line.get("type"):
        body["type"] = line.get("type")
    found = sources(ctx, line, "Secret", name)
    return {**body, "data": {k: encoded(v) for k, v in found.items()}} if found else body


def tls_secret(ctx: Context, line: Line, name: str) -> Json:
    """The files are kept as they are: whether they fit each other is nobody's business in a lab."""
    if not line.get("cert") or not line.get("key"):
        raise Fail("error: key and cert must be specified")
    data = {}
    for key, option in (("tls.crt", "cert"), ("tls.key", "key")):
        path = line.get(option)
        try:
            text = ctx.files.read(ctx.path(path))
        except FileError as error:
            why = error.reason[:1].lower() + error.reason[1:]
            raise Fail(f"error: Cannot read file {path}, open {path}: {why}") from None
        if "-----BEGIN" not in text:
            raise Fail(
                f"error: tls: failed to find any PEM data in {'certificate' if option == 'cert' else 'key'} input"
            )
        data[key] = encoded(text)
    return {**named(line, "v1", "Secret", name), "data": data, "type": "kubernetes.io/tls"}


def registry_secret(ctx: Context, line: Line, name: str) -> Json:
    body = {**named(line, "v1", "Secret", name), "type": "kubernetes.io/dockerconfigjson"}
    user, password = line.get("docker-username"), line.get("docker-password")
    if listed(line, "from-file"):
        found = sources(ctx, line, "Secret", name)
        return {**body, "data": {k: encoded(v) for k, v in found.items()}}
    if not user or not password:
        raise Fail(
            "error: either --from-file or the combination of --docker-username, --docker-password and --docker-server "
            "is required"
        )
    server = line.get("docker-server", "https://index.docker.io/v1/")
    entry = {"username": user, "password": password}
    if line.get("docker-email"):
        entry["email"] = line.get("docker-email")
    entry["auth"] = encoded(f"{user}:{password}")
    text = json.dumps({"auths": {server: entry}}, separators=(",", ":"))
    return {**body, "data": {".dockerconfigjson": encoded(text)}}


# ---- limits


def quota(ctx: Context, line: Line, name: str) -> Json:
    spec: Json = {}
    if line.get("hard"):
        spec["hard"] = {}
        for part in line.get("hard").split(","):
            pieces = part.split("=")
            if len(pieces) != 2:
                raise Fail(f"error: Invalid argument syntax {part}, expected <resource>=<value>")
            try:
                amount(pieces[1])
            except ValueError:
                raise Fail(f"error: {NO_QUANTITY}") from None
            spec["hard"][pieces[0]] = pieces[1]
    if line.get("scopes"):
        spec["scopes"] = line.get("scopes").split(",")
        if "" in spec["scopes"]:
            raise Fail('error: invalid resource quota scope ""')
    return {**named(line, "v1", "ResourceQuota", name), "spec": spec, "status": {}}


def disruption_budget(ctx: Context, line: Line, name: str) -> Json:
    least, most = line.get("min-available"), line.get("max-unavailable")
    if not line.get("selector"):
        raise Fail("error: a selector must be specified")
    if not least and not most:
        raise Fail("error: one of min-available or max-unavailable must be specified")
    if least and most:
        raise Fail("error: min-available and max-unavailable cannot be both specified")
    for value, word in ((least, "min-available"), (most, "max-unavailable")):
        if value and not re.fullmatch(r"[0-9]+%?", value):
            raise Fail(f"error: invalid format specified for {word}")
    selector: Json = {}
    text = line.get("selector")
    try:
        rules = local_selector(text)["matchExpressions"]
    except ValueError as error:
        raise Fail(f'error: couldn\'t parse the selector string "{text}": {error}') from None
    for rule in rules:
        if rule["operator"] == "In" and len(rule["values"]) == 1:
            selector.setdefault("matchLabels", {})[rule["key"]] = rule["values"][0]
        else:
            selector.setdefault("matchExpressions", []).append(rule)
    spec: Json = {"selector": selector}
    spec["minAvailable" if least else "maxUnavailable"] = number_or_name(least or most)
    status = {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}
    return {**named(line, "policy/v1", "PodDisruptionBudget", name), "spec": spec, "status": status}


def priority_class(ctx: Context, line: Line, name: str) -> Json:
    body = named(line, "scheduling.k8s.io/v1", "PriorityClass", name, namespaced=False)
    body["value"] = whole(line.get("value", "0"), "--value", line.verb)
    if line.on("global-default"):
        body["globalDefault"] = True
    if line.get("description"):
        body["description"] = line.get("description")
    body["preemptionPolicy"] = line.get("preemption-policy", "PreemptLowerPriority")
    return body
