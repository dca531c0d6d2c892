"""The loopback plugin: raises `lo` in the pod's namespace. Source: plugins/main/loopback."""

from __future__ import annotations

from engine.kube.cni import kernel
from engine.kube.cni.call import Call
from engine.kube.objects import Json


def add(call: Call) -> Json:
    kernel.raise_link(call.changes, call.netns, "lo")
    return {
        "interfaces": [{"name": "lo", "mac": "00:00:00:00:00:00", "sandbox": call.path}],
        "ips": [{"interface": 0, "address": "127.0.0.1/8"}],
        "dns": {},
    }


def delete(call: Call) -> None:
    """The namespace goes with its lo."""
