"""What containerd keeps on one node: images by namespace, sandboxes, containers.

Rules. Rows are frozen; `Runtime` only finds, stores and copies. What happens to them is in containerd.py. Names
of images are full (`docker.io/library/nginx:1.29`), ids are 64 hex digits, times virtual seconds.
"""

from __future__ import annotations

from dataclasses import field

from engine.kube.objects import Json
from engine.record import dataclass

#: containerd's namespace of the CRI. `ctr` without -n works in "default", which kubelet never sees.
CRI_NAMESPACE = "k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """An image in a node's store. `digest` is of its index (RepoDigests), `id` of its configuration."""

    name: str
    digest: str
    id: str
    size: int
    pinned: bool = False
    stored: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A pod sandbox. `pid` is the pause process, `shim` its parent; `netns_name` below /var/run/netns ("" for
    hostNetwork); `result` the CNI's answer; `image` what the pause image is called."""

    id: str
    namespace: str
    pod: str
    uid: str
    attempt: int
    created: float
    pid: int = 0
    shim: int = 0
    netns: str = ""
    netns_name: str = ""
    ip: str = ""
    ready: bool = True
    host_network: bool = False
    image: str = ""
    result: Json = field(default_factory=dict)
    ports: tuple[tuple[int, int, str, str], ...] = ()

    @property
    def path(self) -> str:
        return f"/var/run/netns/{self.netns_name}" if self.netns_name else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container of a sandbox. `state` is running or exited; `ends` the virtual time at which it ends by itself."""

    id: str
    name: str
    sandbox: str
    image: str
    image_id: str
    attempt: int
    created: float
    started: float
    pid: int = 0
    state: str = "running"
    code: int = 0
    reason: str = ""
    message: str = ""
    finished: float = 0.0
    ends: float = float("inf")
    ends_with: int = 0
    log: tuple[str, ...] = ()
    init: bool = False


@dataclass(slots=True)
class Runtime:
    """containerd's stores on one node. `pause` is the sandbox image that the running daemon has loaded from its
    configuration, `config` that file's text then; `problem` why it does not start ("" = it runs)."""

    images: dict[str, dict[str, StoredImage]] = field(default_factory=dict)
    sandboxes: dict[str, Sandbox] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)
    pause: str = ""
    config: str = ""
    problem: str = ""
    pid: int = 0

    def copy(self) -> Runtime:
        return Runtime(
            {k: dict(v) for k, v in self.images.items()}, dict(self.sandboxes), dict(self.containers), self.pause,
            self.config, self.problem, self.pid,
        )  # fmt: skip

    def image(self, name: str, namespace: str = CRI_NAMESPACE) -> StoredImage | None:
        return self.images.get(namespace, {}).get(name)

    def store_image(self, image: StoredImage, namespace: str = CRI_NAMESPACE) -> None:
        self.images.setdefault(namespace, {})[image.name] = image

    def sandboxes_of(self, uid: str) -> list[Sandbox]:
        """The sandboxes of one pod, newest first."""
        found = [s for s in self.sandboxes.values() if s.uid == uid]
        return sorted(found, key=lambda s: (-s.attempt, -s.created))

    def holds(self, pod: tuple[str, str]) -> bool:
        """Is there a sandbox of this pod (namespace, name)?"""
        return any((s.namespace, s.pod) == pod for s in self.sandboxes.values())

    def containers_in(self, sandbox: str) -> list[Container]:
        return [c for c in self.containers.values() if c.sandbox == sandbox]

    def last(self, uid: str, name: str) -> Container | None:
        """The newest container of that name over all sandboxes of a pod."""
        ids = {s.id for s in self.sandboxes.values() if s.uid == uid}
        found = [c for c in self.containers.values() if c.sandbox in ids and c.name == name]
        return max(found, key=lambda c: (c.attempt, c.created), default=None)
