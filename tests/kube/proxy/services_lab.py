"""A small cluster with Services, in the mode that a test asks for."""

from __future__ import annotations

from typing import Any

from engine.lab.lab import Lab
from engine.shell.shell import Result

Json = dict[str, Any]


def pod(name: str, node: str, app: str) -> Json:
    ports = [{"containerPort": 8080}]
    container: Json = {"name": "c", "image": "hashicorp/http-echo", "args": ["-listen=:8080"], "ports": ports}
    if app == "other":
        container |= {"image": "nicolaka/netshoot", "command": ["sleep", "infinity"], "args": []}
    spec = {"nodeName": node, "containers": [container]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": spec,
    }


def service(name: str, ip: str, **spec: Any) -> Json:
    body = {"clusterIP": ip, "selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


def lab(mode: str, *objects: Json, **config: Any) -> Lab:
    """One control-plane node and two workers; the Pods a and b (app: web) on w1 and w2, c (app: other) on w1."""
    pods = [pod("a", "w1", "web"), pod("b", "w2", "web"), pod("c", "w1", "other")]
    return Lab.load(
        {
            "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}, {"name": "w2"}],
            "hosts": [{"name": "laptop", "addresses": ["192.168.10.20/24"]}],
            "cni": {"name": "bridge", "hairpinMode": True},
            "proxy": {"mode": mode, **config},
            "manifests": [*pods, *objects],
        }
    )  # fmt: skip


def out(lab: Lab, place: str, line: str) -> str:
    """A command's output; it must have worked."""
    done: Result = lab.run(place, line)
    assert not done.code, f"{line}: {done.stderr}"
    return done.stdout
