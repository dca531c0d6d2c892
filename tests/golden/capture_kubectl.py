"""Capture what a real kubectl prints: run it with `python -m tests.golden.capture_kubectl` where kubectl is.

A small API server on 127.0.0.1 serves the objects of tests/golden/kubectl/objects.json (an API server's own answers:
lists, single objects, events by their object, NotFound) to the real client. What kubectl does by itself is captured:
describe, -o yaml, json, name, jsonpath, custom-columns, its errors. Tables are the server's, so they are not.

kubectl reads the machine's clock. Timestamps are moved so that the objects are as old as they were in the lab, and
moved back in what was printed. `--objects` makes objects.json anew from a lab of tests/kube.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlparse

HERE = Path(__file__).parent / "kubectl"
#: How the build of kubectl on the capture's machine wraps the errors that upstream prints as `error: ...`.
WRAPPED = re.compile(r'^E\d{4} [\d:.]+ +\d+ run\.go:\d+\] "command failed" err="(.*)"$', re.M)
KLOG = re.compile(r"^W\d{4} .*\n", re.M)
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
LONG = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000")

#: One command a line; they are words for `sh`.
COMMANDS = (HERE / "commands.txt").read_text().splitlines()


def make_objects() -> None:
    from engine.shell.tools.kubectl_.client import Client, events
    from engine.shell.world import World
    from tests.kube.kubectl_lab import lab

    lab_ = lab()
    bodies: dict[str, list[Any]] = {}
    for kind, rows in lab_.cluster.store.objects.items():
        bodies[kind] = [rows[k] for k in sorted(rows)]
    client = Client(ctx=None, cluster=lab_.cluster, namespace="default")  # type: ignore[arg-type]
    assert World is not None
    bodies["Event"] = events(client, None)
    from engine.kube.clock import stamp

    text = json.dumps({"now": stamp(lab_.net.clock), "objects": bodies}, indent=1, sort_keys=True)
    (HERE / "objects.json").write_text(text + "\n")


def moved(text: str, by: timedelta) -> str:
    def iso(match: re.Match[str]) -> str:
        return (parse_iso(match[0]) + by).strftime("%Y-%m-%dT%H:%M:%SZ")

    def long(match: re.Match[str]) -> str:
        form = "%a, %d %b %Y %H:%M:%S +0000"
        return (datetime.strptime(match[0], form) + by).strftime(form)

    def spoken(match: re.Match[str]) -> str:
        return (parse_iso(f"{match[1]}T{match[2]}Z") + by).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")

    return UTC_FORM.sub(spoken, LONG.sub(long, STAMP.sub(iso, text)))


def parse_iso(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


UTC_FORM = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) \+0000 UTC")


def as_there(text: str, config: Path, url: str) -> str:
    """The capture's own file and address as the lab has them."""
    return text.replace(str(config), "/root/.kube/config").replace(url, "https://cluster.lab:6443")


def upstream(text: str) -> str:
    """Errors as upstream's main() prints them (k8s.io/kubectl/cmd/util.CheckErr); this stub cannot be watched, and
    what klog says of that goes."""
    text = KLOG.sub("", text)
    text = WRAPPED.sub(lambda m: "error: " + m[1].replace('\\"', '"'), text)
    return "error: " + text.removeprefix("Error: ") if text.startswith("Error: ") else text


def more(now: str) -> dict[str, list[Any]]:
    """The objects of more.yaml by kind; `NOW-3h` is three hours before the capture's now."""
    import yaml

    then = (parse_iso(now) - timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    out: dict[str, list[Any]] = {}
    for body in yaml.safe_load_all((HERE / "more.yaml").read_text().replace("NOW-3h", then)):
        out.setdefault(body["kind"], []).append(body)
    return out


def merged(data: dict[str, Any]) -> dict[str, list[Any]]:
    """objects.json and more.yaml together, each kind in the order of an API server."""
    from engine.kube.objects import BY_KIND

    out = {k: list(v) for k, v in data["objects"].items()}
    for event in out["Event"]:
        about = event["involvedObject"]
        about.setdefault("apiVersion", BY_KIND[about["kind"]].api)
    for kind, rows in more(data["now"]).items():
        out[kind] = sorted(
            [*out.get(kind, []), *rows],
            key=lambda b: (b["metadata"].get("namespace", ""), b["metadata"]["name"]),
        )
    return out


def openapi(api: str) -> dict[str, Any]:
    """The lab's own types as an OpenAPI document: what is captured is how kubectl lays it out."""
    from engine.kube import schema
    from engine.kube.objects import KINDS
    from engine.shell.tools.kubectl_.explain_texts import ENUMS, REQUIRED, texts

    def typed(kind: str) -> dict[str, Any]:
        if kind.startswith("[]"):
            return {"type": "array", "items": typed(kind[2:])}
        if kind.startswith("{}"):
            return {"type": "object", "additionalProperties": typed(kind[2:])}
        if kind in schema.types():
            name = {"CoreEndpointPort": "EndpointPort"}.get(kind, kind)
            return {"allOf": [{"$ref": f"#/components/schemas/{name}"}], "default": {}}
        plain = {"str": "string", "bool": "boolean", "int32": "integer", "int64": "integer", "?": "object"}
        return {"type": plain.get(kind, "string")}

    out: dict[str, Any] = {}
    for struct, rows in schema.types().items():
        properties = {}
        for name, kind in rows.items():
            one = {**typed(kind), "description": texts().get(f"{struct}.{name}") or None}
            if f"{struct}.{name}" in ENUMS:
                one["enum"] = list(ENUMS[f"{struct}.{name}"])
            properties[name] = {k: v for k, v in one.items() if v is not None}
        must = [n for n in rows if f"{struct}.{n}" in REQUIRED]
        body: dict[str, Any] = {"type": "object", "properties": properties, "required": must}
        if texts().get(struct):
            body["description"] = texts().get(struct)
        kind_row = next((k for k in KINDS if k.kind == struct and k.api == api), None)
        if kind_row is not None:
            group, _, version = api.rpartition("/")
            body["x-kubernetes-group-version-kind"] = [{"group": group, "version": version, "kind": struct}]
        if struct == "EndpointPort" and "CoreEndpointPort" in schema.types() and api == "v1":
            continue
        out["EndpointPort" if struct == "CoreEndpointPort" and api == "v1" else struct] = body
    group, _, version = api.rpartition("/")
    root = f"/apis/{api}" if group else f"/api/{version}"
    paths = {}
    for k in (k for k in KINDS if k.api == api):
        gvk = {"group": group, "version": version, "kind": k.kind}
        where = f"{root}/namespaces/{{namespace}}/{k.plural}" if k.namespaced else f"{root}/{k.plural}"
        paths[where] = {"get": {"x-kubernetes-group-version-kind": gvk}}
    info = {"title": "", "version": ""}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": out}}


VERBS = ["get", "list", "create", "delete", "patch", "update", "watch"]
#: What an API server says about what it does not have.
GONE = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}


class Api(BaseHTTPRequestHandler):
    objects: ClassVar[dict[str, list[Any]]] = {}
    kinds: ClassVar[list[dict[str, Any]]] = []
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def reply(self, body: Any, code: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        url = urlparse(self.path)
        parts, query = url.path.strip("/").split("/"), parse_qs(url.query)
        if url.path == "/version":
            return self.reply({"major": "1", "minor": "35", "gitVersion": "v1.35.0"})
        if url.path == "/openapi/v3":
            paths = {("apis/" if "/" in a else "api/") + a: {"serverRelativeURL": f"/openapi/v3/{a}"}
                     for a in {k["api"] for k in self.kinds}}  # fmt: skip
            return self.reply({"paths": paths})
        if url.path.startswith("/openapi/v3/"):
            return self.reply(openapi(url.path.removeprefix("/openapi/v3/")))
        if parts == ["api"]:
            return self.reply({"kind": "APIVersions", "versions": ["v1"]})
        if parts == ["apis"]:
            groups = sorted({k["api"].split("/")[0] for k in self.kinds if "/" in k["api"]})
            rows = []
            for g in groups:
                v = next(k["api"] for k in self.kinds if k["api"].startswith(g + "/"))
                one = {"groupVersion": v, "version": v.split("/")[1]}
                rows.append({"name": g, "versions": [one], "preferredVersion": one})
            return self.reply({"kind": "APIGroupList", "apiVersion": "v1", "groups": rows})
        api = "/".join(parts[1:2] if parts[0] == "api" else parts[1:3])
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        here = [k for k in self.kinds if k["api"] == api]
        if not rest:
            rows = [
                {"name": k["plural"], "singularName": k["kind"].lower(), "namespaced": k["namespaced"],
                 "kind": k["kind"], "shortNames": k["short"], "verbs": VERBS}
                for k in here
            ]  # fmt: skip
            rows += [
                {"name": f"{k['plural']}/scale", "singularName": "", "namespaced": True, "group": "autoscaling",
                 "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"]}
                for k in here if k["kind"] in ("Deployment", "ReplicaSet", "StatefulSet")
            ]  # fmt: skip
            return self.reply({"kind": "APIResourceList", "groupVersion": api, "resources": rows})
        space = None
        if rest[0] == "namespaces" and len(rest) > 2:
            space, rest = rest[1], rest[2:]
        kind = next((k for k in here if k["plural"] == rest[0]), None)
        if kind is None:
            return self.reply(dict(GONE), 404)
        rows = [
            o for o in self.objects.get(kind["kind"], []) if space in (None, o["metadata"].get("namespace"))
        ]
        if len(rest) > 1:
            for o in rows:
                if o["metadata"]["name"] == rest[1]:
                    return self.reply(o)
            name = kind["plural"] + ("." + api.split("/")[0] if "/" in api else "")
            return self.reply(
                {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
                 "message": f'{name} "{rest[1]}" not found', "details": {"name": rest[1], "kind": kind["plural"]}}, 404,
            )  # fmt: skip
        for text in query.get("fieldSelector", []):
            for part in text.split(","):
                wanted = "!=" not in part
                path, _, value = part.partition("=" if wanted else "!=")
                rows = [o for o in rows if (self.at(o, path) == value) == wanted]
        for text in query.get("labelSelector", []):
            from engine.kube.select import matches, parse

            rows = [o for o in rows if matches(parse(text), o["metadata"].get("labels") or {})]
        return self.reply(
            {
                "kind": kind["kind"] + "List",
                "apiVersion": api,
                "metadata": {"resourceVersion": "1"},
                "items": rows,
            }
        )

    def do_DELETE(self) -> None:
        """Only what is not there is deleted here."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    @staticmethod
    def at(body: Any, path: str) -> str:
        for key in path.split("."):
            body = body.get(key) if isinstance(body, dict) else None
        return "" if body is None else str(body)


def capture() -> None:
    from engine.kube.objects import KINDS

    raw = (HERE / "objects.json").read_text()
    then = parse_iso(json.loads(raw)["now"])
    whole = json.dumps(merged(json.loads(raw)))
    Api.kinds = [
        {"kind": k.kind, "plural": k.plural, "api": k.api, "namespaced": k.namespaced, "short": list(k.short)}
        for k in KINDS
    ]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config"
        url = f"http://127.0.0.1:{server.server_address[1]}"
        config.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "kubernetes-admin@kubernetes",
            "clusters": [{"name": "kubernetes", "cluster": {"server": url}}],
            "contexts": [{"name": "kubernetes-admin@kubernetes",
                          "context": {"cluster": "kubernetes", "user": "kubernetes-admin"}}],
            "users": [{"name": "kubernetes-admin", "user": {}}],
        }))  # fmt: skip
        out = []
        for command in COMMANDS:
            by = datetime.now(UTC).replace(microsecond=0) - then
            Api.objects = json.loads(moved(whole, by))
            env = {**os.environ, "KUBECONFIG": str(config), "KUBECACHEDIR": f"{folder}/cache"}
            done = subprocess.run(
                f"kubectl {command}", shell=True, capture_output=True, text=True, cwd=folder,
                stdin=subprocess.DEVNULL, env=env,
            )  # fmt: skip
            out.append(
                {"command": command, "code": done.returncode, "stdout": as_there(moved(done.stdout, -by), config, url),
                 "stderr": as_there(upstream(moved(done.stderr, -by)), config, url)}
            )  # fmt: skip
    server.shutdown()
    (HERE / "answers.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    if "--objects" in sys.argv:
        make_objects()
    capture()
