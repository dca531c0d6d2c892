"""crictl inspectp, inspect, inspecti, info, logs and exec."""

from __future__ import annotations

from engine.kube.clock import nano_stamp
from engine.kube.containerd import CRI_STATE
from engine.kube.objects import Json
from engine.kube.runtime import Container, Sandbox
from engine.record import replace
from engine.shell.place import inside
from engine.shell.tool import Fail, Out
from engine.shell.tools.crictl_.base import Crictl, fatal
from engine.shell.tools.crictl_.images import image_row, stored
from engine.shell.tools.crictl_.lists import sandbox_row, state_word
from engine.shell.tools.kubectl_.flags import flag, refused, switch
from engine.shell.tools.kubectl_.flags import parse as parse_flags
from engine.shell.tools.kubectl_.output import to_json, to_yaml

LOGS = (
    flag("tail"), refused("follow", "f"), switch("timestamps", "t"), switch("previous", "p"),
    refused("since", value=True),
)  # fmt: skip
EXEC = (
    switch("interactive", "i"),
    switch("tty", "t"),
    flag("timeout"),
    switch("sync", "s"),
    flag("transport"),
)
#: The namespaces that a container shares with its sandbox: the name in /proc and the one in the OCI specification.
SHARED = (("ipc", "ipc"), ("uts", "uts"), ("net", "network"))


def inspectp(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags(
        "inspectp", argv, (flag("output", "o"), flag("name"), flag("id"), switch("quiet", "q"))
    )
    if not line.words:
        raise Fail(fatal("ID cannot be empty"))
    bodies = [sandbox_json(c, c.sandbox(w)) for w in line.words]
    return Out(
        stdout="".join(
            to_yaml(b) if line.get("output") == "yaml" else to_json(b).replace("    ", "  ") for b in bodies
        )
    )


def sandbox_json(c: Crictl, s: Sandbox) -> Json:
    """facts 10 section 3.5: status and info of a sandbox."""
    network = "NODE" if s.host_network else "POD"
    spaces: list[Json] = [{"type": t} for t in ("pid", "ipc", "uts", "mount")]
    if s.netns_name:
        spaces.append({"type": "network", "path": s.path})
    status: Json = {
        "annotations": {}, "createdAt": nano_stamp(s.created), "id": s.id,
        "labels": sandbox_row(s)["labels"],
        "linux": {"namespaces": {"options": {"ipc": "POD", "network": network, "pid": "CONTAINER", "targetId": ""}}},
        "metadata": sandbox_row(s)["metadata"],
        "network": {"additionalIps": [], "ip": s.ip if s.ready else ""},
        "runtimeHandler": "", "state": state_word(s),
    }  # fmt: skip
    info: Json = {
        "image": s.image, "netNamespaceClosed": bool(s.netns_name) and s.netns_name not in c.ctx.box.netns_names,
        "pid": s.pid, "runtimeHandler": "", "runtimeType": "io.containerd.runc.v2",
        "runtimeSpec": {"hostname": s.pod, "linux": {"namespaces": spaces}, "process": {"args": ["/pause"]}},
        "sandboxMetadata": {"ID": s.id, "IP": s.ip, "NetNSPath": s.path,
                            "Name": f"{s.pod}_{s.namespace}_{s.uid}_{s.attempt}"},
        "cniResult": cni_result(s),
    }  # fmt: skip
    return {"info": info, "status": status}


def cni_result(s: Sandbox) -> Json | None:
    """go-cni's own shape of the result: interfaces by name."""
    if not s.result:
        return None
    rows = s.result.get("interfaces") or []
    out: Json = {"Interfaces": {}, "DNS": [{}], "Routes": s.result.get("routes") or []}
    for i, row in enumerate(rows):
        ips = [
            {"IP": ip["address"].split("/")[0], "Gateway": ip.get("gateway", "")}
            for ip in s.result.get("ips") or ()
            if ip.get("interface") == i
        ]
        out["Interfaces"][row["name"]] = {
            "IPConfigs": ips or None,
            "Mac": row.get("mac", ""),
            "Sandbox": row.get("sandbox", ""),
        }
    out["Interfaces"]["lo"] = {
        "IPConfigs": [{"IP": "127.0.0.1", "Gateway": ""}],
        "Mac": "00:00:00:00:00:00",
        "Sandbox": s.path,
    }
    return out


def inspect(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("inspect", argv, (flag("output", "o"), flag("name"), flag("id"), switch("quiet", "q")))
    if not line.words:
        raise Fail(fatal("ID cannot be empty"))
    out = ""
    for word in line.words:
        x = c.container(word)
        proc = c.ctx.box.procs.get(x.pid)
        status: Json = {
            "createdAt": nano_stamp(x.created), "exitCode": x.code,
            "finishedAt": nano_stamp(x.finished) if x.state == "exited" else "0001-01-01T00:00:00Z", "id": x.id,
            "image": {"image": x.image}, "imageRef": x.image_id,
            "logPath": log_path(c, x), "message": x.message, "metadata": {"attempt": x.attempt, "name": x.name},
            "reason": x.reason, "startedAt": nano_stamp(x.started), "state": f"CONTAINER_{x.state.upper()}",
        }  # fmt: skip
        sandbox = c.sandboxes[x.sandbox]
        info: Json = {
            "pid": x.pid, "sandboxID": x.sandbox, "runtimeType": "io.containerd.runc.v2",
            "runtimeSpec": {
                "linux": {
                    "namespaces": [
                        {"type": "pid"},
                        *({"path": f"/proc/{sandbox.pid}/ns/{t}", "type": k} for t, k in SHARED),
                        {"type": "mount"}, {"type": "cgroup"},
                    ]
                },
                "process": {"args": list(proc.args) if proc is not None else []},
            },
        }  # fmt: skip
        body = {"info": info, "status": status}
        out += to_yaml(body) if line.get("output") == "yaml" else to_json(body).replace("    ", "  ")
    return Out(stdout=out)


def log_path(c: Crictl, x: Container) -> str:
    s = c.sandboxes[x.sandbox]
    return f"/var/log/pods/{s.namespace}_{s.pod}_{s.uid}/{x.name}/{x.attempt}.log"


def inspecti(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("inspecti", argv, (flag("output", "o"), switch("quiet", "q"), flag("name")))
    rows = stored(c, line.words[:1])
    if not rows:
        raise Fail(fatal(f'no such image "{line.words[0] if line.words else ""}" present'))
    return Out(stdout=to_json({"info": {}, "status": image_row(rows[0])}).replace("    ", "  "))


def info(c: Crictl, argv: list[str]) -> Out:
    problem = c.cri.network_problem()
    body: Json = {
        "config": {
            "cni": {"binDirs": ["/opt/cni/bin"], "confDir": "/etc/cni/net.d", "maxConfNum": 1},
            "containerdEndpoint": "/run/containerd/containerd.sock", "enableUnprivilegedIcmp": True,
            "enableUnprivilegedPorts": True, "rootDir": CRI_STATE, "sandboxImage": c.node.runtime.pause,
        },
        "golang": "go1.25.3",
        "lastCNILoadStatus": "OK" if not problem else (
            "cni config load failed: no network config found in /etc/cni/net.d: cni plugin not initialized: failed to "
            "load cni config"
        ),
        "status": {
            "conditions": [
                {"message": "", "reason": "", "status": True, "type": "RuntimeReady"},
                {"message": problem, "reason": "NetworkPluginNotReady" if problem else "", "status": not problem,
                 "type": "NetworkReady"},
            ]
        },
    }  # fmt: skip
    return Out(stdout=to_json(body).replace("    ", "  "))


def logs(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("logs", argv, LOGS)
    if len(line.words) != 1:
        raise Fail(fatal("container ID cannot be empty"))
    x = c.container(line.words[0])
    rows = list(x.log)
    if line.get("tail").isdigit():
        rows = rows[-int(line.get("tail")) :] if int(line.get("tail")) else []
    head = f"{nano_stamp(x.started)} " if line.on("timestamps") else ""
    return Out(stdout="".join(f"{head}{r}\n" for r in rows))


def run_exec(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("exec", argv, EXEC, stop=True)
    words = [*line.words, *(line.after or ())]
    if len(words) < 2:
        raise Fail(fatal("incorrect usage: command requires at least 2 arguments"))
    x = c.container(words[0])
    if x.state != "running" or x.pid not in c.ctx.box.procs:
        state = f"CONTAINER_{x.state.upper()}"
        raise Fail(
            fatal(
                f"execing command in container: rpc error: code = Unknown desc = container is in {state} state"
            )
        )
    s = c.sandboxes[x.sandbox]
    spot = inside(c.ctx.box, c.ctx.box.procs[x.pid], f"pod/{s.namespace}/{s.pod}")
    out = c.ctx.run_in(
        spot, words[1:], interactive=line.on("interactive") and line.on("tty"), screen=line.on("tty")
    )
    if out.code:
        text = fatal(f"execing command in container: command terminated with exit code {out.code}")
        out = replace(out, stderr=out.stderr + text + "\n", code=1)
    return out
