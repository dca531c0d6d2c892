"""kubectl cp: files between this machine and a container, by way of `tar` in the container (pkg/cmd/cp)."""

from __future__ import annotations

import posixpath

from engine.kube.objects import Json, meta, name_of, namespace_of
from engine.kube.podspec import on_node
from engine.shell.files import FileError, Files
from engine.shell.place import Spot, inside
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import Client, connect
from engine.shell.tools.kubectl_.containers import chosen, pod_named
from engine.shell.tools.kubectl_.flags import flag, later, parse, switch

FLAGS = (flag("container", "c"), switch("no-preserve"), flag("retries"))
FORM = "error: filespec must match the canonical format: [[namespace/]pod:]file/path"


def cp(ctx: Context, argv: list[str]) -> Out:
    line = parse("cp", argv, FLAGS)
    if len(line.words) != 2:
        raise Fail("error: source and destination are required")
    source, target = (spec(w) for w in line.words)
    if source[0] and target[0]:
        raise Fail("error: one of src or dest must be a local file specification")
    if not source[1] or not target[1]:
        raise Fail("error: filepath can not be empty")
    if not source[0] and not target[0]:
        raise Fail("error: one of src or dest must be a remote file specification")
    client = connect(ctx, line)
    word = source[0] or target[0]
    space, _, name = word.rpartition("/")
    client.namespace = space or client.namespace
    pod = pod_named(client, name)
    spot, said = place(client, pod, line.get("container"))
    there, here = Files(ctx.world, spot), ctx.files
    if source[0]:
        if not there.kind(remote(source[1])):
            raise Fail(
                f"{said}tar: {source[1].lstrip('/')}: Cannot stat: No such file or directory\n"
                "tar: Exiting with failure status due to previous errors\n"
                "error: unable to find remote file"
            )
        copy(there, remote(source[1]), here, ctx.path(target[1]), source[1])
        return Out(
            stderr=said + "tar: removing leading '/' from member names\n"
            if source[1].startswith("/")
            else said
        )
    if not here.kind(ctx.path(source[1])):
        raise Fail(f"error: {source[1]} doesn't exist in local filesystem")
    copy(here, ctx.path(source[1]), there, remote(target[1]), source[1])
    return Out(stderr=said)


def spec(word: str) -> tuple[str, str]:
    """([NAMESPACE/]POD or "", path)."""
    if word.startswith(":"):
        raise Fail(FORM)
    pod, colon, path = word.partition(":")
    if not colon:
        return "", word
    if pod.count("/") > 1:
        raise Fail(FORM)
    return pod, path


def remote(path: str) -> str:
    return posixpath.normpath(posixpath.join("/", path))


def place(client: Client, pod: Json, container: str) -> tuple[Spot, str]:
    """Where the container's files are, and what exec says first. Fail when it has no tar."""
    name, remark = chosen(pod, container)
    node = client.cluster.nodes.get(on_node(pod))
    row = node.runtime.last(str(meta(pod)["uid"]), name) if node is not None else None
    if node is None or row is None or row.state != "running":
        raise Fail(
            f'error: Internal error occurred: unable to upgrade connection: container not found ("{name}")'
        )
    box = client.ctx.net.boxes[node.name]
    spot = inside(box, box.procs[row.pid], f"pod/{namespace_of(pod)}/{name_of(pod)}")
    if (
        spot.tools is not None
        and "tar" not in spot.tools
        and "ash" not in spot.tools
        and "bash" not in spot.tools
    ):
        raise Fail(
            f"{remark}error: Internal error occurred: error executing command in container: failed to exec in "
            "container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: "
            'exec: "tar": executable file not found in $PATH'
        )
    return spot, remark


def copy(source: Files, path: str, target: Files, to: str, typed: str) -> None:
    """One file; into a folder it keeps its name."""
    if source.kind(path) == "dir":
        raise later("kubectl cp with a folder")
    if target.kind(to) == "dir":
        to = posixpath.join(to, posixpath.basename(path))
    try:
        target.write(to, source.read(path))
    except FileError as error:
        raise Fail(
            f"tar: {typed.lstrip('/')}: Cannot open: {error.reason}\ncommand terminated with exit code 2", 2
        ) from None
