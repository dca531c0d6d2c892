"""Which network configuration a node has: the first file of /etc/cni/net.d in lexical order.

Rules. Nothing is remembered here: the files on the node's disk decide, each time. containerd takes the first
file (max_conf_num = 1) with the suffix .conf, .conflist or .json and re-reads the folder when it changes.
Source: libcni/conf.go; containerd internal/cri/config; facts 10 section 4.1.
"""

from __future__ import annotations

import json

from engine.kube.objects import Json
from engine.linux.rows import Box
from engine.record import dataclass

CONF_DIR = "/etc/cni/net.d"
BIN_DIR = "/opt/cni/bin"
SUFFIXES = (".conf", ".conflist", ".json")

#: The binaries of the reference plugins that kubernetes-cni installs (facts 10 section 4.2).
BINARIES = (
    "bandwidth", "bridge", "dhcp", "dummy", "firewall", "host-device", "host-local", "ipvlan", "loopback",
    "macvlan", "portmap", "ptp", "sbr", "static", "tap", "tuning", "vlan", "vrf",
)  # fmt: skip


class NoConf(Exception):
    """There is no usable configuration. `reason` is what containerd logs after `cni config load failed: `."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfList:
    """A configuration list: `plugins` in order, each with name and cniVersion merged in as the runtime does."""

    file: str
    name: str
    version: str
    plugins: tuple[Json, ...]


def names_in(paths: object, folder: str) -> list[str]:
    """The names right inside a folder, of an iterable of paths."""
    head = folder.rstrip("/") + "/"
    return sorted({p[len(head) :] for p in paths if p.startswith(head) and "/" not in p[len(head) :]})  # type: ignore[attr-defined]


def load(box: Box) -> ConfList:
    """The configuration that the next sandbox gets. NoConf when there is none."""
    files = [n for n in names_in(box.files, CONF_DIR) if n.endswith(SUFFIXES)]
    if not files:
        raise NoConf(
            f"no network config found in {CONF_DIR}: cni plugin not initialized: failed to load cni config"
        )
    for name in files:
        path = f"{CONF_DIR}/{name}"
        found = parse(path, box.files[path])
        if found is not None:
            return found
    raise NoConf(
        f"no valid networks found in {CONF_DIR}: cni plugin not initialized: failed to load cni config"
    )


def parse(path: str, text: str) -> ConfList | None:
    """One file; None for one that go-cni skips or cannot read (broken JSON, no plugins)."""
    try:
        body = json.loads(text)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    plugins = body.get("plugins") if path.endswith(".conflist") else [body]
    if not isinstance(plugins, list) or not plugins:
        return None
    if not all(isinstance(p, dict) and isinstance(p.get("type"), str) and p["type"] for p in plugins):
        return None
    name, version = body.get("name"), body.get("cniVersion", "")
    if not isinstance(name, str) or not name or not isinstance(version, str):
        return None
    merged = tuple({**p, "name": name, "cniVersion": version} for p in plugins)
    return ConfList(file=path, name=name, version=version, plugins=merged)


def require(box: Box, plugin: str) -> None:
    """libcni's FindInPath. Raises LookupError with its text when the binary is not there."""
    if f"{BIN_DIR}/{plugin}" not in box.files:
        raise LookupError(f'failed to find plugin "{plugin}" in path [{BIN_DIR}]')
