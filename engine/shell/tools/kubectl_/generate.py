"""kubectl run and kubectl create KIND: objects made from flags."""

from __future__ import annotations

import base64
import shlex

from engine.kube.manifests import Manifest
from engine.kube.objects import BY_KIND, Json
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_ import output
from engine.shell.tools.kubectl_.client import Client, connect, later
from engine.shell.tools.kubectl_.flags import Flag, Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.write import DRY, Written, create_files, create_one, dry_run

RUN = (
    flag("image"), flag("port"), flag("env"), flag("labels", "l"), flag("restart"), switch("command"), DRY,
    flag("output", "o"), flag("image-pull-policy"), flag("annotations"), flag("overrides"), switch("privileged"),
    switch("rm"), switch("stdin", "i"), switch("tty", "t"), Flag(name="attach", value=False), switch("quiet", "q"),
    refused("expose"), flag("field-manager"), flag("override-type"), flag("pod-running-timeout"),
    switch("save-config"), flag("grace-period"), switch("force"), flag("timeout"), switch("wait"), flag("cascade"),
)  # fmt: skip
CREATE = (
    flag("filename", "f"), DRY, flag("output", "o"), flag("image"), flag("replicas", "r"), flag("port"),
    flag("from-literal"), flag("from-file"), flag("from-env-file"), flag("validate"), flag("field-manager"),
    switch("save-config"), switch("recursive", "R"), refused("kustomize", "k", value=True), refused("edit"),
    flag("selector", "l"), flag("type"), refused("from", value=True),
)  # fmt: skip


def run(ctx: Context, argv: list[str]) -> Out:
    """kubectl run NAME --image=IMAGE ..."""
    line = parse("run", argv, RUN)
    image = line.get("image")
    if not image:
        raise Fail('error: required flag(s) "image" not set')
    if not line.words:
        raise Fail("error: NAME is required for run\nSee 'kubectl run -h' for help and examples")
    name, args = line.words[0], [*line.words[1:], *(line.after or ())]
    dry = dry_run(line)
    body = pod(line, name, image, args)
    if dry == " (dry run)" and line.get("output"):
        return Out(stdout=output.printed(ctx, line.get("output"), [as_made(ctx, body)], single=True))
    client = connect(ctx, line)
    out = create(client, line, body)
    interactive = line.on("stdin") or line.on("attach")
    if not interactive or out.code or dry:
        if line.on("rm"):
            raise Fail("error: --rm should only be used for attached containers")
        return out
    return attached(ctx, client, line, name, args, out)


def attached(ctx: Context, client: Client, line: Line, name: str, args: list[str], out: Out) -> Out:
    """-i, -it: wait for the container, then talk to it, or show what it wrote; --rm removes the pod behind it."""
    from engine.kube.objects import meta, status_of
    from engine.kube.podspec import on_node
    from engine.shell.place import inside

    pod = client.cluster.store.get("Pod", client.namespace, name)
    node = client.cluster.nodes.get(on_node(pod)) if pod is not None else None
    row = node.runtime.last(str(meta(pod)["uid"]), name) if pod is not None and node is not None else None
    if pod is None or node is None or row is None:
        phase = status_of(pod or {}).get("phase", "Pending")
        raise Fail(f"error: timed out waiting for the condition: pod {client.namespace}/{name} is {phase}")
    if row.state == "running" and line.on("tty") and not line.on("rm"):
        box = ctx.net.boxes[node.name]
        spot = inside(box, box.procs[row.pid], f"pod/{client.namespace}/{name}")
        said = "If you don't see a command prompt, try pressing enter.\n"
        return Out(stderr=said, enter=spot)
    if row.state == "running":
        raise later("kubectl run -it --rm with a command that does not end by itself")
    text = "".join(x + "\n" for x in row.log)
    if line.on("rm"):
        client.cluster.delete(pod, client.clock)
        client.settle()
        text += f'pod "{name}" deleted from {client.namespace} namespace\n'
    return Out(stdout=text, code=row.code)


def as_made(ctx: Context, body: Json) -> Json:
    """An object that kubectl made itself, as it prints it: before 1.34 with the zero times of Go's structs."""
    cluster = ctx.world.cluster
    if cluster is None or cluster.options.minor >= 34:
        return body
    out = {**body, "metadata": {"creationTimestamp": None, **body["metadata"]}}
    template = (body.get("spec") or {}).get("template")
    if template is not None:
        inner = {**template, "metadata": {"creationTimestamp": None, **(template.get("metadata") or {})}}
        out["spec"] = {**body["spec"], "template": inner}
    return out


def create(client: Client, line: Line, body: Json) -> Out:
    kind = BY_KIND[str(body["kind"])]
    if kind.namespaced:
        body["metadata"].setdefault("namespace", client.namespace)
    done, notes = Written(), len(client.cluster.skipped)
    try:
        create_one(client, Manifest(file="", line=0, body=body), kind, dry_run(line), done)
    except Fail as fail:
        text = fail.out.stderr.rstrip("\n").replace(' error when creating "":', "")
        done.errors.append(text)
    return done.out(client, line, notes)


def pod(line: Line, name: str, image: str, args: list[str]) -> Json:
    policy = line.get("restart", "Always")
    if policy not in ("Always", "Never", "OnFailure"):
        raise Fail(f"error: invalid restart policy: {policy}\nSee 'kubectl run -h' for help and examples")
    container: Json = {"image": image, "name": name, "resources": {}}
    if args:
        container["command" if line.on("command") else "args"] = args
    if line.get("port"):
        container["ports"] = [{"containerPort": number(line.get("port"))}]
    if line.all("env"):
        container["env"] = [env(e) for e in line.all("env")]
    if line.get("image-pull-policy"):
        container["imagePullPolicy"] = line.get("image-pull-policy")
    if line.on("privileged"):
        container["securityContext"] = {"privileged": True}
    if line.on("stdin"):
        container |= {"stdin": True, "stdinOnce": True}
    if line.on("tty"):
        container["tty"] = True
    labels = pairs(line.get("labels")) if line.get("labels") else {"run": name}
    meta: Json = {"labels": labels, "name": name}
    if line.get("namespace"):
        meta["namespace"] = line.get("namespace")
    if line.all("annotations"):
        meta["annotations"] = {k: v for a in line.all("annotations") for k, v in pairs(a).items()}
    body: Json = {
        "apiVersion": "v1", "kind": "Pod", "metadata": meta,
        "spec": {"containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": policy}, "status": {},
    }  # fmt: skip
    if line.get("overrides"):
        body = overridden(body, line.get("overrides"))
    return body


def overridden(body: Json, text: str) -> Json:
    """--overrides: a JSON merge patch."""
    import json

    try:
        patch = json.loads(text)
    except ValueError:
        raise Fail("error: unable to parse overrides: invalid JSON") from None

    def merge(into: object, new: object) -> object:
        if not isinstance(new, dict):
            return new
        out = dict(into) if isinstance(into, dict) else {}
        for key, value in new.items():
            if value is None:
                out.pop(key, None)
            else:
                out[key] = merge(out.get(key), value)
        return out

    merged = merge(body, patch)
    return merged if isinstance(merged, dict) else body


def number(text: str) -> int:
    if not text.isdigit():
        raise Fail(f'error: strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def env(text: str) -> Json:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise Fail(f"error: invalid env: {text}")
    return {"name": name, "value": value}


def pairs(text: str) -> dict[str, str]:
    out = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise Fail(f"error: unexpected label spec: {part}")
        out[key] = value
    return out


# ---- kubectl create


def create_verb(ctx: Context, argv: list[str]) -> Out:
    """kubectl create -f, or kubectl create KIND NAME ..."""
    line = parse("create", argv, CREATE)
    if "filename" in line:
        return create_files(ctx, line)
    if not line.words:
        raise Fail("error: must specify one of -f and -k")
    word, *rest = line.words
    maker = MAKERS.get(word)
    if maker is None:
        if word in REAL:
            raise later(f"kubectl create {word}")
        raise Fail(
            f"error: Unexpected args: [{' '.join(line.words)}]\nSee 'kubectl create -h' for help and examples"
        )
    if word == "secret":
        word, *rest = rest or [""]
        if word != "generic":
            raise later(f"kubectl create secret {word}")
    if word in ("deployment", "deploy", "job") and not line.get("image"):
        raise Fail('error: required flag(s) "image" not set')
    if not rest:
        long = {"ns": "namespace", "cm": "configmap", "deploy": "deployment", "sa": "serviceaccount"}.get(
            word, word
        )
        raise Fail(
            f"error: exactly one NAME is required, got 0\nSee 'kubectl create {long} -h' for help and examples"
        )
    body = maker(ctx, line, rest[0])
    if dry_run(line) == " (dry run)" and line.get("output"):
        return Out(stdout=output.printed(ctx, line.get("output"), [as_made(ctx, body)], single=True))
    return create(connect(ctx, line), line, body)


def named(line: Line, api: str, kind: str, name: str) -> Json:
    meta: Json = {"name": name}
    if line.get("namespace"):
        meta["namespace"] = line.get("namespace")
    return {"apiVersion": api, "kind": kind, "metadata": meta}


def deployment(ctx: Context, line: Line, name: str) -> Json:
    images = [i for v in line.all("image") for i in v.split(",")]
    if not images:
        raise Fail('error: required flag(s) "image" not set')
    containers: list[Json] = []
    for image in images:
        base = image.rsplit("/", 1)[-1].split("@")[0].split(":")[0]
        containers.append({"image": image, "name": base.replace("_", "-").replace(".", "-"), "resources": {}})
    if line.get("port"):
        containers[0]["ports"] = [{"containerPort": number(line.get("port"))}]
    if line.after:
        containers[0]["command"] = line.after
    body = named(line, "apps/v1", "Deployment", name)
    body["metadata"]["labels"] = {"app": name}
    body["spec"] = {
        "replicas": number(line.get("replicas", "1")),
        "selector": {"matchLabels": {"app": name}},
        "strategy": {},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}},
    }
    body["status"] = {}
    return body


def namespace(ctx: Context, line: Line, name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {}, "status": {}}


def literals(ctx: Context, line: Line) -> dict[str, str]:
    out: dict[str, str] = {}
    for text in line.all("from-literal"):
        key, equals, value = text.partition("=")
        if not equals:
            raise Fail(f"error: invalid literal source {text}, expected key=value")
        out[key] = value
    for text in line.all("from-file"):
        key, equals, file = text.partition("=")
        file = file if equals else key
        key = key if equals else file.rsplit("/", 1)[-1]
        found = ctx.box.files.get(ctx.files.real(ctx.path(file)))
        if found is None:
            raise Fail(f"error: error reading {file}: no such file or directory")
        out[key] = found
    if line.get("from-env-file"):
        raise later("kubectl create --from-env-file")
    return out


def config_map(ctx: Context, line: Line, name: str) -> Json:
    body = named(line, "v1", "ConfigMap", name)
    return {**body, "data": literals(ctx, line)} if literals(ctx, line) else body


def secret(ctx: Context, line: Line, name: str) -> Json:
    data = {k: base64.b64encode(v.encode()).decode() for k, v in literals(ctx, line).items()}
    body = named(line, "v1", "Secret", name)
    if line.get("type"):
        body["type"] = line.get("type")
    return {**body, "data": data} if data else body


def service_account(ctx: Context, line: Line, name: str) -> Json:
    return named(line, "v1", "ServiceAccount", name)


def job(ctx: Context, line: Line, name: str) -> Json:
    if not line.get("image"):
        raise Fail("error: either --image or --from must be specified")
    container: Json = {"image": line.get("image"), "name": name, "resources": {}}
    if line.after:
        container["command"] = line.after
    body = named(line, "batch/v1", "Job", name)
    spec = {"containers": [container], "restartPolicy": "Never"}
    return {**body, "spec": {"template": {"metadata": {}, "spec": spec}}, "status": {}}


MAKERS = {
    "deployment": deployment, "deploy": deployment, "namespace": namespace, "ns": namespace, "configmap": config_map,
    "cm": config_map, "secret": secret, "serviceaccount": service_account, "sa": service_account, "job": job,
}  # fmt: skip
REAL = (
    "clusterrole", "clusterrolebinding", "cronjob", "cj", "ingress", "ing", "poddisruptionbudget", "pdb",
    "priorityclass", "pc", "quota", "resourcequota", "role", "rolebinding", "service", "svc", "token",
)  # fmt: skip
__all__ = ["create_verb", "run", "shlex"]
