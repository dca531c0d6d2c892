"""crictl images, pull and rmi."""

from __future__ import annotations

from collections.abc import Iterable

from engine.kube.objects import Json
from engine.kube.registry import PullError
from engine.kube.runtime import StoredImage
from engine.l7.images import ReferenceError_, normal, parse
from engine.record import replace
from engine.shell.tool import Fail, Out
from engine.shell.tools.crictl_.base import LIST, Crictl, columns, fatal, formatted, short
from engine.shell.tools.kubectl_.flags import flag, refused, switch
from engine.shell.tools.kubectl_.flags import parse as parse_flags


def human(size: int) -> str:
    """go-units HumanSizeWithPrecision(size, 3): 72.1MB, 320kB."""
    value, units = float(size), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.3g}{units[0]}"


def images(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("images", argv, LIST)
    rows = stored(c, line.words)
    if line.on("quiet"):
        return Out(stdout="".join(i.id + "\n" for i in rows))
    body = {"images": [image_row(i) for i in rows]}
    if (text := formatted(line, body)) is not None:
        return Out(stdout=text)
    pinned = line.on("pinned")
    head = [
        "IMAGE",
        "TAG",
        *(["DIGEST"] if line.on("digests") else []),
        "IMAGE ID",
        "SIZE",
        *(["PINNED"] if pinned else []),
    ]
    cells = []
    for i in rows:
        ref = parse(i.name)
        digest = [short(i.digest)] if line.on("digests") else []
        size = human(i.size * 4 // 10)
        cells.append(
            [
                ref.repository,
                ref.tag or "<none>",
                *digest,
                short(i.id, line),
                size,
                *([str(i.pinned).lower()] if pinned else []),
            ]
        )
    return Out(stdout=columns([head, *cells]))


def stored(c: Crictl, words: Iterable[str]) -> list[StoredImage]:
    """The images of namespace k8s.io, of one name when it is given."""
    rows = sorted(c.node.runtime.images.get("k8s.io", {}).values(), key=lambda i: i.name)
    for word in words:
        try:
            full = normal(word)
        except ReferenceError_:
            return []
        rows = [
            i
            for i in rows
            if i.name == full or (":" not in word and parse(i.name).repository == parse(word).repository)
        ]
    return rows


def image_row(i: StoredImage) -> Json:
    return {
        "id": i.id, "pinned": i.pinned, "repoDigests": [f"{parse(i.name).repository}@{i.digest}"],
        "repoTags": [i.name], "size": str(i.size * 4 // 10), "spec": None, "uid": None, "username": "",
    }  # fmt: skip


def pull(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("pull", argv, (flag("creds"), flag("auth"), refused("pod-config", value=True)))
    if len(line.words) != 1:
        raise Fail(fatal("incorrect usage: pull requires exactly 1 argument"))
    try:
        image = c.cri.puller.pull(line.words[0], c.ctx.net.clock)
    except PullError as error:
        raise Fail(fatal(f"pulling image: rpc error: code = {error.code} desc = {error.text}")) from None
    except ReferenceError_ as error:
        why = error.tool_text
        raise Fail(
            fatal(
                "pulling image: rpc error: code = Unknown desc = failed to parse image reference "
                f'"{line.words[0]}": {why}'
            )
        ) from None
    if c.node.runtime.pause and image.name == normal(c.node.runtime.pause):
        image = replace(image, pinned=True)
    c.node.runtime.store_image(image)
    c.cluster.wake()
    c.ctx.world.settle()
    return Out(stdout=f"Image is up to date for {image.id}\n")


def rmi(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("rmi", argv, (switch("all", "a"), switch("prune", "q"), switch("quiet")))
    if not line.words:
        raise Fail(fatal("ID cannot be empty"))
    out = ""
    for word in line.words:
        rows = stored(c, [word]) or [
            i for i in stored(c, ()) if i.id.removeprefix("sha256:").startswith(word)
        ]
        if not rows:
            raise Fail(f"ERRO[0000] no such image {word}\n" + fatal("unable to remove the image(s)"))
        for image in rows:
            del c.node.runtime.images["k8s.io"][image.name]
            out += f"Deleted: {image.name}\n"
    return Out(stdout=out)
