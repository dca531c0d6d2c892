"""One call of crictl: its node, its containerd, ids by their beginnings, formats."""

from __future__ import annotations

from engine.kube.cluster import Cluster
from engine.kube.containerd import Containerd, by_prefix
from engine.kube.node import NodeState
from engine.kube.objects import Json
from engine.kube.runtime import Container, Sandbox
from engine.shell.tool import Context, Fail
from engine.shell.tools.kubectl_.flags import Line, flag, refused, switch
from engine.shell.tools.kubectl_.output import to_json, to_yaml
from engine.shell.tools.kubectl_.table import table

SOCKET = "unix:///run/containerd/containerd.sock"
LIST = (
    switch("quiet", "q"), flag("output", "o"), flag("label"), flag("name"), flag("namespace"), flag("state", "s"),
    switch("no-trunc"), switch("verbose", "v"), flag("id"), switch("latest", "l"), flag("last", "n"),
    switch("all", "a"),
    flag("pod", "p"), flag("image"), switch("digests"), switch("resolve-image-path", "r"),
    refused("watch", "w"), switch("pinned"),
)  # fmt: skip


class Crictl:
    """One call: its context, its node, containerd as it is now."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        cluster, node = of(ctx)
        self.cluster: Cluster = cluster
        self.node: NodeState = node
        self.cri: Containerd = cluster.cri(ctx.world.changes(), node, ctx.net.clock)
        self.cri.observe()

    @property
    def sandboxes(self) -> dict[str, Sandbox]:
        return self.node.runtime.sandboxes

    @property
    def containers(self) -> dict[str, Container]:
        return self.node.runtime.containers

    def sandbox(self, word: str, doing: str = "getting the status of") -> Sandbox:
        """By the beginning of its id."""
        found = by_prefix(dict(self.sandboxes), word)
        if len(found) > 1:
            raise Fail(fatal(f"multiple IDs found with provided prefix: {word}"))
        if not found:
            why = "rpc error: code = NotFound desc = an error occurred when try to find sandbox: not found"
            raise Fail(fatal(f'{doing} the pod sandbox "{word}": {why}'))
        return self.sandboxes[found[0]]

    def container(self, word: str, doing: str = "getting the status of") -> Container:
        found = by_prefix(dict(self.containers), word)
        if len(found) > 1:
            raise Fail(fatal(f"multiple IDs found with provided prefix: {word}"))
        if not found:
            why = f'rpc error: code = NotFound desc = an error occurred when try to find container "{word}": not found'
            raise Fail(fatal(f'{doing} the container "{word}": {why}'))
        return self.containers[found[0]]


def fatal(text: str) -> str:
    return f"FATA[0000] {text}"


def of(ctx: Context) -> tuple[Cluster, NodeState]:
    """The cluster and this machine's node. Fail as crictl does when no runtime answers."""
    cluster = ctx.world.cluster
    node = cluster.nodes.get(ctx.spot.box) if cluster is not None else None
    if cluster is None or node is None or node.procs.get("containerd", 0) not in ctx.box.procs:
        raise Fail(
            fatal(
                f'validate service connection: validate CRI v1 runtime API for endpoint "{SOCKET}": rpc error: code = '
                'Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix '
                '/run/containerd/containerd.sock: connect: no such file or directory"'
            )
        )
    return cluster, node


def columns(rows: list[list[str]]) -> str:
    return table(rows, minimum=20, padding=3)


def short(id: str, line: Line | None = None) -> str:
    full = line is not None and line.on("no-trunc")
    return id if full else id.removeprefix("sha256:")[:13]


def formatted(line: Line, body: Json) -> str | None:
    """-o json and yaml; None for the table."""
    word = line.get("output", "table")
    if word == "json":
        return to_json(body).replace("    ", "  ")
    if word == "yaml":
        return to_yaml(body)
    if word in ("table", ""):
        return None
    raise Fail(fatal(f'unsupported output format "{word}"'))
