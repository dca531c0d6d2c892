"""Names of images, and what the lab knows about the image behind a name.

Theory. `nginx`, `nginx:latest` and `docker.io/library/nginx:latest` are one image; `familiar` prints the short
form as docker does, `normal` the full form as containerd does (distribution/reference). A repository of the
catalogue has tags by a pattern, so that `nginx:1.27` is there and `nginx:1.x` is not. Ids are the SHA-256 of the
full name: the same lab always shows the same ones.

Rules. What an image is stands in catalogue.py; what a command line inside it does stands in behave.py. An image
that is not in the catalogue has no `Image`: docker and containerd then fail to pull it, as a registry would.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple

from engine.errors import EngineError
from engine.record import dataclass
from engine.say import Phrase, plain

DEFAULT_REGISTRY = "docker.io"
INVALID_REFERENCE = "invalid reference format"

BAD_REFERENCE = Phrase(
    en="{found!r} is not an image name ({why}); write it as nginx:1.29 or registry.k8s.io/pause:3.10.1",
    ko="{found!r}은(는) 이미지 이름이 아닙니다({why}). nginx:1.29 또는 registry.k8s.io/pause:3.10.1처럼 적습니다",
)

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?")


class ReferenceError_(EngineError):
    """An image name that cannot be one. `tool_text` is what docker and containerd print for it."""

    def __init__(self, found: str, tool_text: str = INVALID_REFERENCE) -> None:
        super().__init__(BAD_REFERENCE(found=found, why=plain(tool_text)))
        self.tool_text = tool_text


class Reference(NamedTuple):
    """An image name taken apart. `digest` "" for none; `tag` "" only where a digest is given without one."""

    registry: str
    path: str
    tag: str
    digest: str = ""

    @property
    def repository(self) -> str:
        """`docker.io/library/nginx`"""
        return f"{self.registry}/{self.path}"

    @property
    def normal(self) -> str:
        """`docker.io/library/nginx:latest`, the full name that containerd keeps."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")

    @property
    def familiar_repository(self) -> str:
        """`nginx`, as docker prints a repository."""
        if self.registry != DEFAULT_REGISTRY:
            return self.repository
        return self.path.removeprefix("library/")

    @property
    def familiar(self) -> str:
        """`nginx:latest`, as docker prints the name."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.familiar_repository}{tag}" + (f"@{self.digest}" if self.digest else "")


@lru_cache(maxsize=1024)
def parse(text: str) -> Reference:
    """Any form of an image name -> Reference; the tag `latest` and docker.io/library are filled in.
    Raises ReferenceError_. Source: distribution/reference ParseNormalizedNamed."""
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ReferenceError_(text)
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, ""
    elif not _TAG.fullmatch(tag):
        raise ReferenceError_(text)
    first, slash, rest = head.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        registry, path = first, rest
    else:
        registry, path = DEFAULT_REGISTRY, head
    if registry == "index.docker.io":
        registry = DEFAULT_REGISTRY
    if path.lower() != path:
        raise ReferenceError_(text, f"{INVALID_REFERENCE}: repository name ({path}) must be lowercase")
    if not _PATH.fullmatch(path) or not _DOMAIN.fullmatch(registry):
        raise ReferenceError_(text)
    if registry == DEFAULT_REGISTRY and "/" not in path:
        path = f"library/{path}"
    return Reference(registry, path, tag or ("" if digest else "latest"), digest)


def normal(text: str) -> str:
    """The full name of an image. Raises ReferenceError_."""
    return parse(text).normal


def familiar(text: str) -> str:
    """The short name of an image, with its tag. Raises ReferenceError_."""
    return parse(text).familiar


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What the lab knows about a repository and its tags.

    `repository` is the full name without tag; `tags` a regular expression over whole tags; `entrypoint` and `cmd`
    as in its Dockerfile; `ports` are EXPOSE ("80/tcp"); `user` a name or number; `tools` the commands that exist
    inside (the shell runs those); `files` are path -> text of what a learner may read; `size` is unpacked bytes of
    the newest tag; `version` stands in for the tag `latest`.
    """

    repository: str
    tags: str = r"latest"
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    ports: tuple[str, ...] = ()
    user: str = "root"
    workdir: str = "/"
    tools: frozenset[str] = frozenset()
    files: tuple[tuple[str, str], ...] = ()
    size: int = 10_000_000
    version: str = ""

    def has_tag(self, tag: str) -> bool:
        return re.fullmatch(self.tags, tag) is not None


def find(text: str) -> Image | None:
    """The image behind a name; None when no registry of the lab has it. Raises ReferenceError_."""
    from engine.l7.catalogue import BY_REPOSITORY

    ref = parse(text)
    for image in BY_REPOSITORY.get(ref.repository, ()):
        if ref.digest:
            if any(digest(f"{ref.repository}:{t}") == ref.digest for t in (ref.tag or "latest", "latest")):
                return image
        elif image.has_tag(ref.tag):
            return image
    return None


def digest(text: str) -> str:
    """`sha256:...` of an image's index, made from its full name (a digest in the name is the answer itself)."""
    ref = parse(text)
    if ref.digest:
        return ref.digest
    return "sha256:" + hashlib.sha256(f"image {ref.repository}:{ref.tag}".encode()).hexdigest()


def layers(text: str) -> tuple[str, ...]:
    """Short ids (12 hex digits) of an image's layers, from the first on. Images on the same base share the first, the
    tags of one repository all but the last."""
    ref = parse(text)
    image = find(text)
    release = dict(image.files).get("/etc/os-release", "") if image is not None else ""
    count = 1 + int(hashlib.sha256(ref.repository.encode()).hexdigest()[0], 16) % 5
    names = [f"base {release}"] if release else []
    names += [f"{ref.repository} {release} layer {n}" for n in range(count - 1)] + [f"{ref.normal} top"]
    return tuple(hashlib.sha256(n.encode()).hexdigest()[:12] for n in names)


def size(text: str) -> int:
    """Unpacked size in bytes; 0 for an image outside the catalogue."""
    image = find(text)
    if image is None:
        return 0
    wobble = int(digest(text)[7:11], 16) % 997
    return image.size + wobble * image.size // 100_000


def tools_of(text: str) -> frozenset[str]:
    """The tools inside an image. Images outside the catalogue are taken to be built on debian, so that a shell in
    them finds what most images have."""
    from engine.l7.catalogue import DEBIAN

    image = find(text) if text else None
    return DEBIAN if image is None else image.tools


def user_of(text: str) -> str:
    """The user that an image runs as; root for images outside the catalogue."""
    image = find(text) if text else None
    return "root" if image is None else image.user
