"""ctr: containerd's own client on a node.

Theory. containerd keeps images and containers in namespaces of its own; kubelet's are in `k8s.io`, while `ctr` works
in `default` unless told otherwise with -n or CONTAINERD_NAMESPACE. What is imported without -n k8s.io is there, and
kubelet never sees it. Columns are Go's tabwriter with padding 1, every cell ended (cmd/ctr/commands).
"""

from __future__ import annotations

import json
from collections.abc import Callable

from engine.errors import NotModelled
from engine.kube.node import NodeState
from engine.kube.registry import PullError, archive, archived, stored
from engine.kube.runtime import CRI_NAMESPACE, StoredImage
from engine.l7.images import ReferenceError_, normal
from engine.linux.ops import WriteFile
from engine.record import replace
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Out, Tool
from engine.shell.tools.crictl import here
from engine.shell.tools.crictl_.base import of
from engine.shell.tools.kubectl_.flags import SEE, flag, parse, refused, switch

Images = dict[str, StoredImage]


def columns(rows: list[list[str]], padding: int = 1) -> str:
    """Every cell is padded, the last one too."""
    widths = [max(len(r[i]) for r in rows) + padding for i in range(len(rows[0]))]
    return "".join("".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + "\n" for r in rows)


def size(count: int) -> str:
    """progress.Bytes: 311.3 KiB"""
    value, units = float(count), ["B", "KiB", "MiB", "GiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.1f} {units[0]}"


def images_verb(ctx: Context, node: NodeState, namespace: str, argv: list[str]) -> Out:
    known: Images = node.runtime.images.get(namespace, {})
    word, rest = (argv[0], argv[1:]) if argv else ("", [])
    verbs: dict[str, Callable[[Context, NodeState, str, Images, list[str]], Out]] = {
        "ls": images_ls, "list": images_ls, "import": images_import, "export": images_export, "tag": images_tag,
        "pull": images_pull, "rm": images_rm, "remove": images_rm, "del": images_rm, "delete": images_rm,
    }  # fmt: skip
    if word not in verbs:
        raise NotModelled(f"ctr images {word}".strip(), SEE())
    return verbs[word](ctx, node, namespace, known, rest)


def images_ls(ctx: Context, node: NodeState, namespace: str, known: Images, argv: list[str]) -> Out:
    line = parse("images ls", argv, (switch("quiet", "q"),))
    rows = [known[n] for n in sorted(known)]
    for word in line.words:
        name = word.removeprefix("name==").removeprefix("name~=")
        rows = [r for r in rows if (name in r.name if "~=" in word else r.name == name)]
    if line.on("quiet"):
        return Out(stdout="".join(r.name + "\n" for r in rows))
    head = ["REF", "TYPE", "DIGEST", "SIZE", "PLATFORMS", "LABELS"]
    cells = [
        [
            r.name,
            "application/vnd.oci.image.index.v1+json",
            r.digest,
            size(r.size * 4 // 10),
            "linux/amd64",
            labels(r, namespace),
        ]
        for r in rows
    ]
    return Out(stdout=columns([head, *cells]))


def labels(image: StoredImage, namespace: str) -> str:
    if namespace != CRI_NAMESPACE:
        return "-"
    pinned = ",io.cri-containerd.pinned=pinned" if image.pinned else ""
    return f"io.cri-containerd.image=managed{pinned}"


def wake(ctx: Context) -> None:
    if ctx.world.cluster is not None:
        ctx.world.cluster.wake()


def store(node: NodeState, namespace: str, image: StoredImage) -> None:
    """Into a namespace; the sandbox image is pinned where the CRI sees it."""
    try:
        if namespace == CRI_NAMESPACE and node.runtime.pause and image.name == normal(node.runtime.pause):
            image = replace(image, pinned=True)
    except ReferenceError_:
        pass
    node.runtime.store_image(image, namespace)


def images_import(ctx: Context, node: NodeState, namespace: str, known: Images, argv: list[str]) -> Out:
    line = parse("images import", argv, (
        switch("all-platforms"), flag("base-name"), switch("digests"), flag("platform"), switch("no-unpack"),
        switch("local"), flag("snapshotter"), flag("index-name"), switch("compress-blobs"),
    ))  # fmt: skip
    if not line.words:
        raise Fail("ctr: please provide a file to import")
    out = ""
    for name in line.words:
        text = ctx.box.files.get(ctx.files.real(ctx.path(name)))
        if text is None:
            raise Fail(f"ctr: open {name}: no such file or directory")
        names = archived(text)
        if names is None:
            raise Fail("ctr: unrecognized image format")
        for image in names:
            row = stored(image, ctx.net.clock)
            store(node, namespace, row)
            out += f"unpacking {row.name} ({row.digest})...done\n"
    wake(ctx)
    ctx.world.settle()
    return Out(stdout=out)


def images_export(ctx: Context, node: NodeState, namespace: str, known: Images, argv: list[str]) -> Out:
    line = parse("images export", argv, (switch("all-platforms"), flag("platform"), switch("local")))
    if len(line.words) < 2:
        raise Fail("ctr: please provide both an output filename and an image reference to export")
    file, *names = line.words
    for name in names:
        if name not in known:
            raise Fail(f'ctr: image "{name}": not found')
    ctx.do(WriteFile(box=ctx.box.name, path=ctx.files.real(ctx.path(file)), text=archive(names)))
    return Out()


def images_tag(ctx: Context, node: NodeState, namespace: str, known: Images, argv: list[str]) -> Out:
    line = parse("images tag", argv, (switch("force"), switch("local"), switch("skip-reference-check")))
    if len(line.words) < 2:
        raise Fail("ctr: please provide a source image reference and at least one target reference" if not line.words
                   else "ctr: please provide a target image reference to tag to")  # fmt: skip
    source, *targets = line.words
    if source not in known:
        raise Fail(f'ctr: image "{source}": not found')
    out = ""
    for target in targets:
        if target in known and not line.on("force"):
            raise Fail(f'ctr: image "{target}": already exists')
        store(node, namespace, replace(known[source], name=target, pinned=False))
        out += target + "\n"
    wake(ctx)
    ctx.world.settle()
    return Out(stdout=out)


def images_pull(ctx: Context, node: NodeState, namespace: str, known: Images, argv: list[str]) -> Out:
    line = parse("images pull", argv, (
        flag("platform"), switch("all-platforms"), switch("plain-http"), switch("skip-verify", "k"), flag("user", "u"),
        flag("hosts-dir"), switch("local"), flag("snapshotter"), refused("print-chainid"),
    ))  # fmt: skip
    if len(line.words) != 1:
        raise Fail("ctr: please provide an image reference to pull")
    name = line.words[0]
    if "/" not in name:
        raise Fail(f'ctr: failed to resolve reference "{name}": object required')
    cluster, _ = of(ctx)
    puller = cluster.cri(ctx.world.changes(), node, ctx.net.clock).puller
    try:
        image = puller.pull(name, ctx.net.clock)
    except PullError as error:
        text = (
            error.text.partition(": ")[2]
            if error.text.startswith("failed to pull and unpack")
            else error.text
        )
        raise Fail(f"ctr: {text}") from None
    store(node, namespace, replace(image, name=name if ":" in name.rsplit("/", 1)[-1] else image.name))
    wake(ctx)
    ctx.world.settle()
    return Out(stdout=f"{name}: resolved\nunpacking linux/amd64 {image.digest}...\ndone: 412ms\n")


def images_rm(ctx: Context, node: NodeState, namespace: str, known: Images, argv: list[str]) -> Out:
    line = parse("images rm", argv, (switch("sync"),))
    out, errors = "", ""
    for name in line.words:
        if name in known:
            del known[name]
            out += name + "\n"
        else:
            errors += f'ctr: image "{name}": not found\n'
    return Out(stdout=out, stderr=errors, code=1 if errors else 0)


def tasks_verb(ctx: Context, node: NodeState, namespace: str, argv: list[str]) -> Out:
    """ctr tasks ls: pause processes are tasks, too."""
    if argv[:1] not in (["ls"], ["list"]):
        raise NotModelled(f"ctr tasks {argv[0] if argv else ''}".strip(), SEE())
    line = parse("tasks ls", argv[1:], (switch("quiet", "q"),))
    rows: list[list[str]] = []
    if namespace == CRI_NAMESPACE:
        rows += [[s.id, str(s.pid), "RUNNING"] for s in node.runtime.sandboxes.values() if s.pid]
        rows += [[c.id, str(c.pid), "RUNNING"] for c in node.runtime.containers.values() if c.pid]
    rows.sort()
    if line.on("quiet"):
        return Out(stdout="".join(r[0] + "\n" for r in rows))
    return Out(stdout=columns([["TASK", "PID", "STATUS"], *rows], padding=4))


def containers_verb(ctx: Context, node: NodeState, namespace: str, argv: list[str]) -> Out:
    if argv[:1] not in (["ls"], ["list"]):
        raise NotModelled(f"ctr containers {argv[0] if argv else ''}".strip(), SEE())
    line = parse("containers ls", argv[1:], (switch("quiet", "q"),))
    rows: list[list[str]] = []
    if namespace == CRI_NAMESPACE:
        runtime = "io.containerd.runc.v2"
        rows += [[s.id, s.image, runtime] for s in node.runtime.sandboxes.values()]
        rows += [[c.id, c.image, runtime] for c in node.runtime.containers.values()]
    rows.sort()
    if line.on("quiet"):
        return Out(stdout="".join(r[0] + "\n" for r in rows))
    return Out(stdout=columns([["CONTAINER", "IMAGE", "RUNTIME"], *rows], padding=4))


def namespaces_verb(ctx: Context, node: NodeState, namespace: str, argv: list[str]) -> Out:
    if argv[:1] not in (["ls"], ["list"]):
        raise NotModelled(f"ctr namespaces {argv[0] if argv else ''}".strip(), SEE())
    names = sorted({CRI_NAMESPACE, *(n for n, rows in node.runtime.images.items() if rows)})
    return Out(stdout=columns([["NAME", "LABELS"], *([n, ""] for n in names)]))


def version_verb(ctx: Context, node: NodeState, namespace: str, argv: list[str]) -> Out:
    cluster, _ = of(ctx)
    v = cluster.options.containerd_version
    return Out(stdout=f"Client:\n  Version:  v{v}\n\nServer:\n  Version:  v{v}\n")


VERBS: dict[str, Callable[[Context, NodeState, str, list[str]], Out]] = {
    "images": images_verb, "image": images_verb, "i": images_verb, "tasks": tasks_verb, "task": tasks_verb,
    "t": tasks_verb, "containers": containers_verb, "container": containers_verb, "c": containers_verb,
    "namespaces": namespaces_verb, "namespace": namespaces_verb, "ns": namespaces_verb, "version": version_verb,
}  # fmt: skip
REFUSED = (
    "plugins", "plugin", "content", "events", "event", "leases", "pprof", "run", "snapshots", "snapshot", "sandboxes",
    "sandbox", "sb", "s", "info", "deprecations", "shim", "oci", "install",
)  # fmt: skip


def run(ctx: Context, argv: list[str]) -> Out:
    rest = list(argv)
    namespace = ctx.env.get("CONTAINERD_NAMESPACE", "default")
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in ("-n", "--namespace"):
            if not equals:
                if not rest:
                    raise Fail(f"Incorrect Usage: flag needs an argument: {name}")
                value = rest.pop(0)
            namespace = value
        elif name in ("-a", "--address", "--timeout", "--connect-timeout", "--debug"):
            if name != "--debug" and not equals and rest:
                rest.pop(0)
        else:
            raise Fail(f"Incorrect Usage: flag provided but not defined: {name}")
    if not rest:
        verbs = "images, tasks, containers, namespaces, version"
        return Out(stdout=f"NAME:\n   ctr - containerd CLI\n\nCOMMANDS HERE:\n   {verbs}\n")
    verb, *words = rest
    if verb in REFUSED:
        raise NotModelled(f"ctr {verb}", SEE())
    if verb not in VERBS:
        raise Fail(f"No help topic for '{verb}'", 3)
    try:
        _, node = of(ctx)
    except Fail:
        raise Fail(
            'ctr: cannot access containerd socket "/run/containerd/containerd.sock": no such file or directory'
        ) from None
    return VERBS[verb](ctx, node, namespace, words)


def complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    words = [w for w in argv if not w.startswith("-") and w != CRI_NAMESPACE]
    if not words:
        return [v for v in ("images", "tasks", "containers", "namespaces", "version") if v.startswith(word)]
    if words == ["images"] or words == ["image"]:
        return [v for v in ("ls", "import", "export", "tag", "pull", "rm") if v.startswith(word)]
    return []


TOOL = Tool(
    name="ctr",
    summary=Phrase(
        en="containerd's own client; kubelet's images are in its namespace k8s.io",
        ko="containerd의 클라이언트. kubelet의 이미지는 k8s.io 네임스페이스에 있습니다",
    ),
    run=run,
    complete=complete,
    group="cluster",
    here=here,
    usage=("ctr -n k8s.io images ls [-q]", "ctr -n k8s.io images import FILE", "ctr -n k8s.io images tag OLD NEW",
           "ctr -n k8s.io images pull REF", "ctr -n k8s.io tasks ls | containers ls"),
)  # fmt: skip
__all__ = ["TOOL", "json"]
