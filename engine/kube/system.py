"""What systemd keeps running on a node (containerd, kubelet, the masquerading agent), and kubectl's own files."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from engine.errors import EngineError
from engine.kube import boot, kubeletconfig, manifests, masqagent, units, validate
from engine.kube.clock import nano_stamp
from engine.kube.containerd import Containerd
from engine.kube.node import NodeState
from engine.kube.objects import Json, edited
from engine.kube.options import Options
from engine.kube.podspec import default_template
from engine.linux.addr import ip4
from engine.linux.ops import Listen, Log, StartProc, WriteFile
from engine.linux.ops.base import Changes
from engine.linux.rows import Socket

MIRROR = "kubernetes.io/config.mirror"
LOCALHOST = ip4("127.0.0.1")
#: under this key NodeState.memory has why its kubelet does not start
KUBELET_PROBLEM = "systemd/kubelet"
#: unit -> (command line, its sockets as (address, port))
UNITS: dict[str, tuple[tuple[str, ...], tuple[tuple[int, int], ...]]] = {
    "containerd": (("/usr/bin/containerd",), ((LOCALHOST, 37441),)),
    "kubelet": (
        (
            "/usr/bin/kubelet", "--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf",
            "--kubeconfig=/etc/kubernetes/kubelet.conf", "--config=/var/lib/kubelet/config.yaml",
        ),
        ((LOCALHOST, 10248), (0, 10250)),
    ),
    "ip-masq-agent": (masqagent.ARGS, ()),
}  # fmt: skip


def daemons(changes: Changes, node: NodeState, cri: Containerd, now: float) -> None:
    """Start what does not run, as `Restart=always` does. containerd reads its configuration when it starts."""
    box = changes.net.boxes[node.name]
    for unit, (args, sockets) in UNITS.items():
        if unit == "ip-masq-agent" and masqagent.CONFIG not in box.files:
            continue
        if unit in units.of(node, units.STOPPED):
            node.procs.pop(unit, None)
            continue
        if unit == "kubelet" and node.runtime.problem:
            continue
        if node.procs.get(unit, 0) in box.procs:
            continue
        if unit == "containerd":
            cri.load_config()
            if node.runtime.problem:
                if node.procs.pop(unit, None) is not None or not node.runtime.pid:
                    node.runtime.pid = -1
                    changes.do(Log(box=node.name, line=f"containerd[1]: {node.runtime.problem}"))
                continue
        if unit == "kubelet" and not kubelet_starts(changes, node):
            continue
        start(changes, node, unit, args, sockets)
        if unit == "containerd":
            node.runtime.pid = node.procs[unit]
            journal(
                changes,
                node,
                "containerd",
                f'time="{nano_stamp(now)}" level=info msg="containerd successfully booted in 0.031s"',
            )


def kubelet_starts(changes: Changes, node: NodeState) -> bool:
    """Does kubelet's configuration let it start? What it says when not stands in the journal."""
    node.procs.pop("kubelet", None)
    why = kubeletconfig.problem(changes.net.boxes[node.name])
    if why and node.memory.get(KUBELET_PROBLEM) != why:
        changes.do(Log(box=node.name, line=f'kubelet[1]: E run.go:72] "command failed" err="{why}"'))
    node.memory[KUBELET_PROBLEM] = why
    return not why


def start(
    changes: Changes, node: NodeState, unit: str, args: tuple[str, ...], sockets: tuple[tuple[int, int], ...]
) -> None:
    box = changes.net.boxes[node.name]
    pid = box.next_pid
    changes.do(StartProc(box=node.name, args=args, netns=node.name, pid=pid, program=unit))
    node.procs[unit] = pid
    taken = {(s.proto, s.port) for s in changes.net.spaces[node.name].sockets}
    for fd, (address, port) in enumerate(sockets, start=9):
        if ("tcp", port) not in taken:
            changes.do(
                Listen(netns=node.name, socket=Socket(proto="tcp", addr=address, port=port, pid=pid, fd=fd))
            )


def journal(changes: Changes, node: NodeState, unit: str, text: str) -> None:
    changes.do(Log(box=node.name, line=f"{unit}[{node.procs.get(unit, 0)}]: {text}"))


@lru_cache(maxsize=64)
def static_pod(text: str, node: str) -> Json | None:
    """One file of the manifests folder as the pod that kubelet runs; None where kubelet cannot read it. Nobody changes
    it: whoever has the same file on a node of the same name shares it."""
    try:
        rows = manifests.load(text)
        if len(rows) != 1 or rows[0].body.get("kind") != "Pod":
            return None
        body = edited(rows[0].body)
        body.setdefault("metadata", {}).setdefault("namespace", "default")
        validate.check(body)
    except (EngineError, validate.Refused):
        return None
    hash = hashlib.md5(f"{node}{text}".encode(), usedforsecurity=False).hexdigest()
    m = body["metadata"]
    m["name"] = f"{m['name']}-{node}"
    m["uid"] = hash
    m.setdefault("annotations", {}).update(
        {
            "kubernetes.io/config.hash": hash, MIRROR: hash, "kubernetes.io/config.seen": nano_stamp(0),
            "kubernetes.io/config.source": "file",
        }
    )  # fmt: skip
    default_template(body["spec"])
    body["spec"]["nodeName"] = node
    tolerations = body["spec"].setdefault("tolerations", [])
    if {"effect": "NoExecute", "operator": "Exists"} not in tolerations:
        tolerations.append({"effect": "NoExecute", "operator": "Exists"})
    return body


def client_files(changes: Changes, options: Options) -> None:
    """kubectl's configuration, for the administrator on every machine of the lab that is not a switch or router."""
    for box in list(changes.net.boxes.values()):
        if box.role in ("node", "host"):
            client_file(changes, box.name, options)


def client_file(changes: Changes, box: str, options: Options) -> None:
    """The same on one machine."""
    text = boot.kubeconfig(changes.net, options, "kubernetes-admin")
    changes.do(WriteFile(box=box, path="/root/.kube/config", text=text))
