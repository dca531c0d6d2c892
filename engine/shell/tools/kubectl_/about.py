"""kubectl version, api-resources, cluster-info, config: what is there rather than what is in it."""

from __future__ import annotations

from engine.kube.objects import KINDS, Json, edited
from engine.linux.ops import WriteFile
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_ import output
from engine.shell.tools.kubectl_.client import config, connect, context_of, kubeconfig_path, later, server_of
from engine.shell.tools.kubectl_.flags import Line, flag, parse, switch
from engine.shell.tools.kubectl_.table import table

KUSTOMIZE = "v5.7.1"


def version(ctx: Context, argv: list[str]) -> Out:
    line = parse("version", argv, (switch("client"), flag("output", "o"), switch("short")))
    cluster = ctx.world.cluster
    mine = cluster.options.version if cluster is not None else "v1.35.0"
    text = f"Client Version: {mine}\nKustomize Version: {KUSTOMIZE}\n"
    if line.on("client"):
        return Out(stdout=text)
    if line.get("output"):
        raise later("kubectl version -o")
    try:
        connect(ctx, line)
    except Fail as fail:
        return Out(stdout=text, stderr=fail.out.stderr, code=1)
    return Out(stdout=text + f"Server Version: {mine}\n")


def api_resources(ctx: Context, argv: list[str]) -> Out:
    line = parse("api-resources", argv, (
        flag("api-group"), switch("namespaced"), flag("output", "o"), switch("no-headers"), flag("sort-by"),
        switch("cached"), flag("verbs"),
    ))  # fmt: skip
    connect(ctx, line)
    rows = [k for k in KINDS if "api-group" not in line or k.group == line.get("api-group")]
    if "namespaced" in line:
        rows = [k for k in rows if k.namespaced == line.on("namespaced")]
    rows.sort(key=lambda k: (k.group, k.plural))
    if line.get("output") == "name":
        return Out(stdout="".join(k.resource + "\n" for k in rows))
    if line.get("output") not in ("", "wide"):
        raise Fail(f"error: --output {line.get('output')} is not available")
    head = [] if line.on("no-headers") else [["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]]
    cells = [[k.plural, ",".join(k.short), k.api, str(k.namespaced).lower(), k.kind] for k in rows]
    return Out(stdout=table([*head, *cells]))


def api_versions(ctx: Context, argv: list[str]) -> Out:
    line = parse("api-versions", argv, ())
    connect(ctx, line)
    return Out(stdout="".join(v + "\n" for v in sorted({k.api for k in KINDS})))


def cluster_info(ctx: Context, argv: list[str]) -> Out:
    line = parse("cluster-info", argv, ())
    if line.words:
        raise later(f"kubectl cluster-info {line.words[0]}")
    connect(ctx, line)
    server = server_of(config(ctx, line))
    return Out(
        stdout=f"Kubernetes control plane is running at https://{server}\n\n"
        "To further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n"
    )


def config_verb(ctx: Context, argv: list[str]) -> Out:
    """kubectl config view | current-context | get-contexts | use-context | set-context"""
    line = parse("config", argv, (
        switch("current"), flag("output", "o"), switch("minify"), switch("raw"), switch("no-headers"),
        switch("flatten"), flag("cluster"), flag("user"),
    ))  # fmt: skip
    word = line.words[0] if line.words else ""
    body = config(ctx, line)
    if word == "view":
        shown = {
            "apiVersion": "v1",
            "clusters": None,
            "contexts": None,
            "current-context": "",
            "kind": "Config",
            "users": None,
        }
        return Out(stdout=output.to_yaml({**shown, **body}))
    if word == "current-context":
        if not body.get("current-context"):
            raise Fail("error: current-context is not set")
        return Out(stdout=f"{body['current-context']}\n")
    if word == "get-contexts":
        rows = [["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]]
        for row in body.get("contexts") or ():
            inner = row.get("context") or {}
            mark = "*" if row["name"] == body.get("current-context") else ""
            rows.append(
                [
                    mark,
                    row["name"],
                    inner.get("cluster", ""),
                    inner.get("user", ""),
                    inner.get("namespace", ""),
                ]
            )
        return Out(stdout=table(rows))
    if word == "use-context":
        return use_context(ctx, line, body)
    if word == "set-context":
        return set_context(ctx, line, body)
    if word == "get-clusters":
        return Out(stdout="NAME\n" + "".join(f"{c['name']}\n" for c in body.get("clusters") or ()))
    raise later(f"kubectl config {word}".strip())


def use_context(ctx: Context, line: Line, body: Json) -> Out:
    name = line.words[1] if len(line.words) > 1 else ""
    if not any(c["name"] == name for c in body.get("contexts") or ()):
        raise Fail(f'error: no context exists with the name: "{name}"')
    save(ctx, line, {**body, "current-context": name})
    return Out(stdout=f'Switched to context "{name}".\n')


def set_context(ctx: Context, line: Line, body: Json) -> Out:
    name = str(body.get("current-context", "")) if line.on("current") else (line.words[1:] or [""])[0]
    if not name:
        raise Fail("error: you must specify a non-empty context name or --current")
    new = edited(body)
    row = next((c for c in new.get("contexts") or () if c["name"] == name), None)
    word = "modified" if row is not None else "created"
    if row is None:
        row = {"name": name, "context": {}}
        new.setdefault("contexts", []).append(row)
    inner = row.setdefault("context", {})
    for key in ("namespace", "cluster", "user"):
        if key in line:
            inner[key] = line.get(key)
    save(ctx, line, new)
    return Out(stdout=f'Context "{name}" {word}.\n')


def save(ctx: Context, line: Line, body: Json) -> None:
    ctx.do(WriteFile(box=ctx.box.name, path=kubeconfig_path(ctx, line), text=output.to_yaml(body)))


__all__ = ["api_resources", "api_versions", "cluster_info", "config_verb", "context_of", "version"]
