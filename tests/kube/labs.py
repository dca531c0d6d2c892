"""Small clusters for the tests of engine/kube: machines on one LAN by the fabric, a cluster over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.fabric.plan import Machine, build_fabric
from engine.kube import Cluster, NodeOptions, Options, from_texts
from engine.kube.objects import Json
from engine.linux.net import Net
from engine.linux.ops import Advance, KillProc, RemoveFile, WriteFile
from engine.linux.ops.base import Changes

WEB = """
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: web}}
spec:
  nodeName: NODE
  containers: [{name: web, image: "nginx:1.27", ports: [{containerPort: 80}]}]
"""


def web(name: str = "web", node: str = "w1") -> str:
    return WEB.replace("NAME", name).replace("NODE", node)


class Lab:
    """A cluster with its Net; every change settles it."""

    def __init__(self, *texts: str, nodes: tuple[NodeOptions, ...] = (), **options: Any) -> None:
        self.nodes = nodes or (
            NodeOptions(name="cp", control_plane=True), NodeOptions(name="w1"), NodeOptions(name="w2"),
        )  # fmt: skip
        self.net = Net()
        self.changes = Changes(self.net)
        build_fabric(
            self.changes, [Machine(name=n.name, role="node", addresses=()) for n in self.nodes], kind="lan"
        )
        self.cluster = Cluster(Options(nodes=self.nodes, **options))
        self.apply(*texts)

    def apply(self, *texts: str) -> None:
        self.cluster.load(from_texts({f"{i}.yaml": t for i, t in enumerate(texts)}), self.net.clock)
        self.settle()

    def settle(self) -> None:
        self.cluster.settle(self.changes)

    def wait(self, seconds: float) -> None:
        self.changes.do(Advance(seconds=seconds))
        self.settle()

    def write(self, node: str, path: str, text: str) -> None:
        self.changes.do(WriteFile(box=node, path=path, text=text))
        self.settle()

    def remove(self, node: str, path: str) -> None:
        self.changes.do(RemoveFile(box=node, path=path))
        self.settle()

    def kill(self, node: str, pid: int) -> None:
        self.changes.do(KillProc(box=node, pid=pid))
        self.settle()

    def pod(self, name: str, namespace: str = "default") -> Json:
        body = self.cluster.store.get("Pod", namespace, name)
        assert body is not None, f"no pod {name}"
        return body

    def ip(self, name: str) -> str:
        return str(self.pod(name)["status"].get("podIP", ""))

    def container(self, name: str, at: int = 0) -> Json:
        found: Json = self.pod(name)["status"]["containerStatuses"][at]
        return found

    def waiting(self, name: str) -> str:
        return str(self.container(name)["state"].get("waiting", {}).get("reason", ""))

    def events(self, name: str, reason: str = "") -> list[tuple[str, str, int]]:
        """(reason, message, count) about an object, in order."""
        return [
            (e.reason, e.message, e.count)
            for e in self.cluster.store.events.values()
            if e.name == name and (not reason or e.reason == reason)
        ]

    def procs(self, node: str, what: Callable[[Any], bool]) -> list[Any]:
        return [p for p in self.net.boxes[node].procs.values() if what(p)]

    def pause(self, node: str) -> int:
        """The pid of a node's only pause process."""
        (proc,) = self.procs(node, lambda p: p.program == "pause")
        return int(proc.pid)

    def main(self, node: str, comm: str) -> int:
        return min(int(p.pid) for p in self.procs(node, lambda p: p.container and p.args[0].startswith(comm)))

    def node_ready(self, name: str) -> tuple[str, str]:
        body = self.cluster.store.get("Node", "", name)
        assert body is not None
        (row,) = [c for c in body["status"]["conditions"] if c["type"] == "Ready"]
        return row["status"], row["message"]
