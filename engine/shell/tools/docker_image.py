"""docker images, pull, rmi, tag, image inspect."""

from __future__ import annotations

import re

from engine.docker import images
from engine.docker.daemon import Dockerd
from engine.docker.errors import DockerError
from engine.docker.names import human_size
from engine.docker.show import inspect_image
from engine.l7.images import ReferenceError_, parse
from engine.linux.ops import Changes
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.docker_flags import Given, Verb, flags
from engine.shell.tools.docker_inspect import rendered

AMBIGUOUS = (
    "build", "history", "import", "inspect", "list", "load", "ls", "prune", "pull", "push", "rm", "save", "tag",
)  # fmt: skip


def pull_lines(daemon: Dockerd, changes: Changes, text: str) -> list[str]:
    """The progress lines of a pull, as they stand when it is over. Raises DockerError."""
    got = images.pull(daemon, changes, text)
    ref = got.reference
    lines = [f"{ref.tag or ref.digest}: Pulling from {ref.path}\n"]
    lines += [f"{layer}: Already exists\n" for layer in got.known]
    lines += [f"{layer}: Pull complete\n" for layer in got.layers]
    lines.append(f"Digest: {got.digest}\n")
    word = "Downloaded newer image for" if got.new else "Image is up to date for"
    lines.append(f"Status: {word} {ref.familiar}\n")
    return lines


def _pull(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    text = given.words[0]
    try:
        ref = parse(text)
    except ReferenceError_ as error:
        raise Fail(error.tool_text) from None
    named = ref.tag == "latest" and not re.search(r":latest$", text) and not ref.digest
    head = f"Using default tag: {ref.tag}\n" if named and not given.on("quiet") else ""
    try:
        lines = pull_lines(daemon, ctx.world.changes(), text)
    except DockerError as error:
        return Out(stdout=head, stderr=f"Error response from daemon: {error.message}\n", code=1)
    body = "" if given.on("quiet") else "".join(lines)
    return Out(stdout=f"{head}{body}{ref.normal}\n")


def _images(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    found = []
    for image in daemon.images.values():
        ref = parse(image.name)
        if given.words and given.words[0] not in (ref.familiar, ref.familiar_repository):
            continue
        found.append((ref.familiar, ref, image))
    found.sort(key=lambda row: row[0])
    note = ""
    if given.words and given.words[0] in AMBIGUOUS and not found:
        note = f'No images found matching "{given.words[0]}": did you mean "docker image {given.words[0]}"?\n'
    if given.on("quiet"):
        ids = [i.digest if given.on("no-trunc") else i.digest[7:19] for _, _, i in found]
        return Out(stdout="".join(f"{x}\n" for x in dict.fromkeys(ids)), stderr=note)
    used = {c.image for c in daemon.containers.values()}
    names = [name for name, _, _ in found]
    width = max([len("IMAGE"), *map(len, names)])
    lines = [f"{'IMAGE':<{width}}   {'ID':<12}   {'DISK USAGE':>10}   {'CONTENT SIZE':>12}   EXTRA\n"]
    for name, _, image in found:
        size, content = human_size(image.size), human_size(image.size * 0.29)
        chip = "U" if image.name in used else (" " if any(i.name in used for _, _, i in found) else "")
        lines.append(f"{name:<{width}}   {image.digest[7:19]:<12}   {size:>10}   {content:>12}   {chip:<5}\n")
    return Out(stdout="".join(lines), stderr=note)


def _rmi(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    out, errors = "", ""
    for word in given.words:
        try:
            out += "".join(f"{line}\n" for line in images.remove(daemon, word, force=given.on("force")))
        except DockerError as error:
            errors += f"Error response from daemon: {error.message}\n"
    return Out(stdout=out, stderr=errors, code=1 if errors else 0)


def _tag(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    images.tag(daemon, given.words[0], given.words[1])
    return Out()


def _inspect(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    objects, errors = [], ""
    for word in given.words:
        try:
            objects.append(inspect_image(daemon, images.local(daemon, word)))
        except DockerError as error:
            errors += f"Error response from daemon: {error.message}\n"
    return rendered(objects, given.one("format"), errors)


VERBS = (
    Verb(
        name="images", usage="[OPTIONS] [REPOSITORY[:TAG]]", run=_images, most=1, completes="images",
        options=flags("quiet,q no-trunc all,a digests! filter,f=! format=! tree!"),
        summary=Phrase(en="list the images of this machine", ko="이 머신의 이미지 목록"),
    ),
    Verb(
        name="pull", usage="[OPTIONS] NAME[:TAG|@DIGEST]", run=_pull, least=1, most=1, completes="images",
        options=flags("quiet,q all-tags,a! platform=! disable-content-trust!"),
        summary=Phrase(en="fetch an image from its registry", ko="레지스트리에서 이미지를 가져옵니다"),
    ),
    Verb(
        name="rmi", usage="[OPTIONS] IMAGE [IMAGE...]", run=_rmi, least=1, completes="images",
        options=flags("force,f no-prune! platform=!"), summary=Phrase(en="remove images", ko="이미지를 지웁니다"),
    ),
    Verb(
        name="tag", usage="SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", run=_tag, least=2, most=2, completes="images",
        summary=Phrase(en="give an image another name", ko="이미지에 다른 이름을 줍니다"),
    ),
    Verb(
        name="image inspect", usage="[OPTIONS] IMAGE [IMAGE...]", run=_inspect, least=1, completes="images",
        options=flags("format,f= platform=!"), summary=Phrase(en="show an image", ko="이미지를 자세히 보여 줍니다"),
    ),
)  # fmt: skip
