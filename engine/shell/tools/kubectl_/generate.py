"""kubectl run: a pod made from flags (k8s.io/kubectl/pkg/cmd/run)."""

from __future__ import annotations

import re

from engine.kube.objects import Json
from engine.record import replace
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import Client, connect, later
from engine.shell.tools.kubectl_.create import finish, store
from engine.shell.tools.kubectl_.delete import from_namespace
from engine.shell.tools.kubectl_.flags import Flag, Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.made import named, pairs
from engine.shell.tools.kubectl_.merge import merge
from engine.shell.tools.kubectl_.write import DRY, dry_run

RUN = (
    flag("image"), flag("port"), flag("env"), flag("labels", "l"), flag("restart"), switch("command"), DRY,
    flag("output", "o"), flag("image-pull-policy"), flag("annotations"), flag("overrides"), switch("privileged"),
    switch("rm"), switch("stdin", "i"), switch("tty", "t"), Flag(name="attach", value=False), switch("quiet", "q"),
    switch("expose"), flag("field-manager"), flag("override-type"), flag("pod-running-timeout"),
    switch("save-config"), flag("grace-period"), switch("force"), flag("timeout"), switch("wait"), flag("cascade"),
    refused("filename", "f", value=True),
)  # fmt: skip


def run(ctx: Context, argv: list[str]) -> Out:
    """kubectl run NAME --image=IMAGE ..."""
    line = parse("run", argv, RUN)
    if "image" not in line:
        raise Fail('error: required flag(s) "image" not set')
    if not line.words:
        raise Fail("error: NAME is required for run\nSee 'kubectl run -h' for help and examples")
    name, args = line.words[0], [*line.words[1:], *(line.after or ())]
    dry = dry_run(line)
    image = line.get("image")
    checked(line, image, bool(dry))
    body = pod(line, name, image, args)
    made = [body]
    if line.on("expose"):
        made.append(service(line, body))
    if dry == " (dry run)":
        texts = [finish(ctx, line, row).stdout for row in made]
        if ctx.world.cluster is not None and ctx.world.cluster.options.minor < 36:
            # until then the Service was printed by a printer of its own, and before the pod
            return Out(stdout=("---\n---\n" if line.get("output") == "yaml" else "").join(reversed(texts)))
        return Out(stdout=("---\n" if line.get("output") == "yaml" else "").join(texts))
    client = connect(ctx, line)
    outs = [store(client, line, row) for row in made]
    out = Out(stdout="".join(o.stdout for o in outs), stderr="".join(o.stderr for o in outs))
    interactive = line.on("stdin") or line.on("attach")
    if not interactive or out.code:
        return out
    return attached(ctx, client, line, name, args, out)


#: github.com/distribution/reference, ReferenceRegexp: [host[:port]/]path[:tag][@digest].
IMAGE = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::\w[\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)
PULL = ("Always", "IfNotPresent", "Never")


def checked(line: Line, image: str, dry: bool) -> None:
    """What kubectl refuses before it makes anything."""
    if not image:
        raise Fail("error: --image is required")
    if not IMAGE.fullmatch(image):
        raise Fail(f'error: Invalid image name "{image}": invalid reference format')
    if line.on("tty") and not line.on("stdin"):
        raise misused("-i/--stdin is required for containers with -t/--tty=true")
    if line.on("expose") and not line.get("port"):
        raise misused("--port must be set when exposing a service")
    attach = line.on("attach", line.on("stdin") or line.on("tty"))
    if attach and dry:
        raise misused(
            "--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)"
        )
    if line.on("rm") and not attach:
        raise misused("--rm should only be used for attached containers")
    policy = line.get("image-pull-policy")
    if policy and policy not in PULL:
        raise misused(f"invalid image pull policy: {policy}")


def misused(text: str) -> Fail:
    return Fail(f"error: {text}\nSee 'kubectl run -h' for help and examples")


def attached(ctx: Context, client: Client, line: Line, name: str, args: list[str], out: Out) -> Out:
    """-i, -it: wait for the container, then talk to it, or show what it wrote; --rm removes the pod behind it."""
    from engine.kube.objects import meta, status_of
    from engine.kube.podspec import on_node
    from engine.shell.place import inside

    pod = client.cluster.store.get("Pod", client.namespace, name)
    node = client.ctx.world.node(on_node(pod)) if pod is not None else None
    row = node.runtime.last(str(meta(pod)["uid"]), name) if pod is not None and node is not None else None
    if pod is None or node is None or row is None:
        phase = status_of(pod or {}).get("phase", "Pending")
        raise Fail(f"error: timed out waiting for the condition: pod {client.namespace}/{name} is {phase}")
    if row.state == "running" and line.on("tty"):
        box = ctx.net.boxes[node.name]
        spot = inside(box, box.procs[row.pid], f"pod/{client.namespace}/{name}")
        said = "If you don't see a command prompt, try pressing enter.\n"
        if line.on("rm"):
            spot = replace(spot, after=f"kubectl delete pod {name} -n {client.namespace} --now")
        return Out(stderr=said, enter=spot)
    if row.state == "running":
        raise later("kubectl run -it --rm with a command that does not end by itself")
    text = "".join(x + "\n" for x in row.log)
    if line.on("rm"):
        client.cluster.delete(pod, client.clock)
        client.settle()
        text += f'pod "{name}" deleted{from_namespace(client, client.namespace)}\n'
    return Out(stdout=text, code=row.code)


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
        body = merge(body, line.get("overrides"), line.get("override-type", "merge"))
    return body


def service(line: Line, body: Json) -> Json:
    """--expose: a Service over the pod's labels."""
    out = named(line, "v1", "Service", str(body["metadata"]["name"]))
    if line.get("labels"):
        out["metadata"]["labels"] = pairs(line.get("labels"))
    port = number(line.get("port"))
    ports = [{"port": port, "protocol": "TCP", "targetPort": port}]
    spec = {"ports": ports, "selector": dict(body["metadata"]["labels"])}
    return {**out, "spec": spec, "status": {"loadBalancer": {}}}


def number(text: str) -> int:
    if not text.isdigit():
        raise Fail(f'error: strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def env(text: str) -> Json:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise Fail(f"error: invalid env: {text}")
    return {"name": name, "value": value} if value else {"name": name}


__all__ = ["run"]
