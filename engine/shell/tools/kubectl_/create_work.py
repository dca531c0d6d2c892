"""kubectl create deployment, job and cronjob (pkg/cmd/create)."""

from __future__ import annotations

from engine.kube.ids import Ids
from engine.kube.objects import Json, kind_named, meta, name_of, spec_of
from engine.shell.tool import Context, Fail
from engine.shell.tools.kubectl_.client import Client, connect, fetch, not_found
from engine.shell.tools.kubectl_.flags import Line
from engine.shell.tools.kubectl_.made import listed, named, whole


def deployment(ctx: Context, line: Line, name: str) -> Json:
    images = listed(line, "image")
    if len(images) > 1 and line.after:
        raise Fail("error: cannot specify multiple --image options and command")
    containers: list[Json] = []
    for image in images:
        row: Json = {"image": image, "name": container_name(ctx, image), "resources": {}}
        if line.after:
            row["command"] = line.after
        containers.append(row)
    if "port" in line and containers:
        containers[0]["ports"] = [{"containerPort": whole(line.get("port"), "--port", line.verb)}]
    body = named(line, "apps/v1", "Deployment", name)
    body["metadata"]["labels"] = {"app": name}
    body["spec"] = {
        "replicas": whole(line.get("replicas", "1"), "-r, --replicas", line.verb),
        "selector": {"matchLabels": {"app": name}},
        "strategy": {},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}},
    }
    return {**body, "status": {}}


def container_name(ctx: Context, image: str) -> str:
    """The image's last part without tag or digest; where a dot or underscore had to go, with an ending."""
    base = image.rsplit("/", 1)[-1].split(":")[0].split("@")[0]
    if "_" not in base and "." not in base:
        return base
    ids = ctx.world.cluster.ids if ctx.world.cluster is not None else Ids(0)
    return f"{base.replace('_', '-').replace('.', '-')}-{ids.suffix('container/' + image)}"


def pod_template(line: Line, name: str, restart: str) -> Json:
    container: Json = {"image": line.get("image"), "name": name, "resources": {}}
    if line.after or line.words[1:]:
        container["command"] = line.after or line.words[1:]
    return {"metadata": {}, "spec": {"containers": [container], "restartPolicy": restart}}


def job(ctx: Context, line: Line, name: str) -> Json:
    if bool(line.get("image")) == bool(line.get("from")):
        raise Fail("error: either --image or --from must be specified")
    if line.after and line.get("from"):
        raise Fail("error: cannot specify --from and command")
    body = named(line, "batch/v1", "Job", name)
    if line.get("from"):
        return from_cron_job(connect(ctx, line), line, body)
    return {**body, "spec": {"template": pod_template(line, name, "Never")}, "status": {}}


def from_cron_job(client: Client, line: Line, body: Json) -> Json:
    word, slash, name = line.get("from").partition("/")
    kind = kind_named(word)
    if kind is None:
        raise Fail(f'error: the server doesn\'t have a resource type "{word}"')
    if not slash:
        raise Fail("error: from must be an existing cronjob")
    found = fetch(client, kind, name)
    if found is None:
        raise Fail(not_found(kind, name))
    if kind.kind != "CronJob":
        raise Fail(f"error: unknown object type *v1.{kind.kind}")
    template = spec_of(found).get("jobTemplate") or {}
    notes = {"cronjob.kubernetes.io/instantiate": "manual", **(meta(template).get("annotations") or {})}
    body["metadata"] |= {
        "annotations": notes,
        "ownerReferences": [{"apiVersion": "batch/v1", "controller": True, "kind": "CronJob", "name": name_of(found),
                             "uid": meta(found).get("uid", "")}],
    }  # fmt: skip
    if meta(template).get("labels"):
        body["metadata"]["labels"] = meta(template)["labels"]
    return {**body, "spec": template.get("spec") or {}, "status": {}}


def cron_job(ctx: Context, line: Line, name: str) -> Json:
    body = named(line, "batch/v1", "CronJob", name)
    template = pod_template(line, name, line.get("restart", "OnFailure"))
    inner = {"metadata": {"name": name}, "spec": {"template": template}}
    return {**body, "spec": {"jobTemplate": inner, "schedule": line.get("schedule")}, "status": {}}
