"""The images of one machine: what is there, pulling, tagging, removing.

Rules. An air-gapped machine reaches no registry. Error texts are those of the containerd image store, the default of
v29 (daemon/containerd/image_pull.go; the resolver's text as in facts 10 section 3.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.docker.errors import DockerError
from engine.docker.records import LocalImage
from engine.l7.images import Reference, ReferenceError_, digest, find, layers, parse, size
from engine.linux.ops import Changes
from engine.record import dataclass, replace

if TYPE_CHECKING:
    from engine.docker.daemon import Dockerd

#: registry of a name -> the host that is really asked
HUB = "registry-1.docker.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull did: `layers` are new short ids, none when the image was there in this version; `known` those that
    another image had brought already."""

    reference: Reference
    digest: str
    layers: tuple[str, ...]
    known: tuple[str, ...] = ()
    new: bool


def reference(text: str) -> Reference:
    """A name as a daemon reads it. Raises DockerError."""
    try:
        return parse(text)
    except ReferenceError_ as error:
        raise DockerError(error.tool_text) from None


def local(daemon: Dockerd, text: str) -> LocalImage:
    """A local image by name or (the beginning of) its id. Raises DockerError "No such image"."""
    found = lookup(daemon, text)
    if found is None:
        try:
            shown = parse(text).familiar
        except ReferenceError_ as error:
            raise DockerError(error.tool_text) from None
        raise DockerError(f"No such image: {shown}")
    return found


def lookup(daemon: Dockerd, text: str) -> LocalImage | None:
    """As `local`, but None for what is not there or cannot be a name."""
    bare = text.removeprefix("sha256:")
    if len(bare) >= 4 and all(c in "0123456789abcdef" for c in bare):
        for image in daemon.images.values():
            if image.digest[7:].startswith(bare):
                return image
    try:
        return daemon.images.get(parse(text).normal)
    except ReferenceError_:
        return None


def pull(daemon: Dockerd, changes: Changes, text: str) -> Pulled:
    """`docker pull`. Raises DockerError as the registry's answer would."""
    ref = reference(text)
    if daemon.airgapped:
        host = HUB if ref.registry == "docker.io" else ref.registry
        tail = ref.digest or ref.tag
        raise DockerError(
            f'failed to resolve reference "{ref.normal}": failed to do request: '
            f'Head "https://{host}/v2/{ref.path}/manifests/{tail}": dial tcp: lookup {host.split(":")[0]}: no such host'
        )
    if find(ref.normal) is None:
        from engine.l7.catalogue import BY_REPOSITORY

        if ref.repository in BY_REPOSITORY:
            raise DockerError(f'failed to resolve reference "{ref.normal}": {ref.normal}: not found')
        if ref.registry == "docker.io":
            raise DockerError(
                f"pull access denied for {ref.familiar_repository}, repository does not exist or may require "
                "'docker login'"
            )
        raise DockerError(f'failed to resolve reference "{ref.normal}": {ref.normal}: not found')
    there = daemon.images.get(ref.normal)
    if there is None:
        known = set(_layers(daemon))
        put(daemon, ref.normal, changes.net.clock)
        own = layers(ref.normal)
        fresh = tuple(x for x in own if x not in known)
        old = tuple(x for x in own if x in known)
        return Pulled(reference=ref, digest=digest(ref.normal), layers=fresh, known=old, new=True)
    return Pulled(reference=ref, digest=there.digest, layers=(), new=False)


def _layers(daemon: Dockerd) -> list[str]:
    return [layer for name in daemon.images for layer in layers(name)]


def put(daemon: Dockerd, name: str, clock: float = 0.0) -> LocalImage:
    """An image as if it had been pulled or loaded. Raises DockerError for a bad name."""
    ref = reference(name)
    image = LocalImage(name=ref.normal, digest=digest(ref.normal), size=size(ref.normal), pulled=clock)
    daemon.images[ref.normal] = image
    return image


def tag(daemon: Dockerd, source: str, target: str) -> None:
    """`docker tag`. Raises DockerError."""
    image = local(daemon, source)
    name = reference(target).normal
    daemon.images[name] = replace(image, name=name)


def remove(daemon: Dockerd, text: str, *, force: bool = False) -> list[str]:
    """`docker rmi`: the lines that it prints. Raises DockerError."""
    image = local(daemon, text)
    users = [c for c in daemon.containers.values() if c.image == image.name]
    same = [i for i in daemon.images.values() if i.digest == image.digest]
    ref = parse(image.name)
    if users and len(same) == 1:
        user = users[0]
        if user.running:
            raise DockerError(
                f"conflict: unable to delete {ref.familiar} (cannot be forced) - container {user.short} is using its "
                f"referenced image {image.digest[7:19]}"
            )
        if not force:
            raise DockerError(
                f"conflict: unable to delete {ref.familiar} (must be forced) - container {user.short} is using its "
                f"referenced image {image.digest[7:19]}"
            )
    del daemon.images[image.name]
    lines = [f"Untagged: {ref.familiar}"]
    if len(same) == 1:
        lines.append(f"Deleted: {image.digest}")
    return lines
