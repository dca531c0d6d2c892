"""What a kubelet reads when it starts, and what keeps it from starting: /var/lib/kubelet/config.yaml.

Theory. kubelet reads its configuration once, at its start. It ends with an error when the file is not there, is no
KubeletConfiguration or names an authority's file that is not there; systemd starts it again after ten seconds, and
again. Where static Pods are looked for and what Pods' resolv.conf is made of stand in the same file. Sources:
cmd/kubelet/app/server.go (loadConfigFile, "failed to construct kubelet dependencies"), pkg/kubelet/
kubeletconfig/configfiles/configfiles.go, apiserver's pkg/server/dynamiccertificates (unable to load client CA file).

Rules. `read` is a function of the text alone. What the running kubelet read stands in its node's memory with its pid.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import yaml

from engine.kube.node import NodeState
from engine.linux.rows import Box

CONFIG = "/var/lib/kubelet/config.yaml"
RESOLV = "/etc/resolv.conf"
DOMAIN = "cluster.local"
MEMORY = "kube.kubeletconfig"
LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Settings(NamedTuple):
    """`statics`: the folder of static Pods ("" = none); `authority`: the clients' authority file ("" = none);
    `problem`: why the file cannot be used ("" = it can); `servers`: clusterDNS (None = nothing could be read);
    `domain`: clusterDomain; `resolv`: resolvConf ("" = no file)."""

    statics: str = ""
    authority: str = ""
    problem: str = ""
    servers: tuple[str, ...] | None = None
    domain: str = DOMAIN
    resolv: str = RESOLV


class Running(NamedTuple):
    """A kubelet by its pid, and what it read."""

    pid: int
    settings: Settings


@lru_cache(maxsize=64)
def read(text: str) -> Settings:
    """A KubeletConfiguration's text."""
    try:
        body = yaml.load(text, Loader=LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        return Settings(
            problem=f"error converting YAML to JSON: yaml: {line}{getattr(error, 'problem', error)}"
        )
    if not isinstance(body, dict) or "kind" not in body:
        return Settings(problem=f"Object 'Kind' is missing in '{text.strip()[:60]}'")
    if body["kind"] != "KubeletConfiguration":
        kind, version = body["kind"], body.get("apiVersion")
        return Settings(problem=f'no kind "{kind}" is registered for version "{version}" in scheme')
    x509 = (body.get("authentication") or {}).get("x509") or {}
    servers = body.get("clusterDNS")
    return Settings(
        statics=str(body.get("staticPodPath") or "").rstrip("/"), authority=str(x509.get("clientCAFile") or ""),
        servers=tuple(str(s) for s in servers) if isinstance(servers, list) else (),
        domain=str(body.get("clusterDomain") or DOMAIN), resolv=str(body.get("resolvConf", RESOLV) or ""),
    )  # fmt: skip


def problem(box: Box) -> str:
    """Why a kubelet that starts here ends at once, in its own words; "" when nothing keeps it."""
    text = box.files.get(CONFIG)
    lead = f"failed to load kubelet config file, path: {CONFIG}, error: "
    head = f"{lead}failed to load Kubelet config file {CONFIG}, error "
    if text is None:
        return f'{head}failed to read kubelet config file "{CONFIG}", error: open {CONFIG}: no such file or directory'
    got = read(text)
    if got.problem:
        return f"{head}{got.problem}"
    why = _no_authority(box, got.authority) if got.authority else ""
    if why:
        return (
            f"failed to construct kubelet dependencies: unable to load client CA file {got.authority}: {why}"
        )
    return ""


def _no_authority(box: Box, path: str) -> str:
    """What client-go's util/cert NewPool says of a file that it cannot take certificates from."""
    text = box.files.get(path)
    if text is None:
        return f"open {path}: no such file or directory"
    if "-----BEGIN CERTIFICATE-----" not in text or "-----END CERTIFICATE-----" not in text:
        return f"error reading {path}: data does not contain any valid RSA or ECDSA certificates"
    return ""


def running(node: NodeState, box: Box) -> Settings:
    """What the running kubelet read when it started."""
    pid = node.procs.get("kubelet", 0)
    known = node.memory.get(MEMORY)
    if isinstance(known, Running) and known.pid == pid:
        return known.settings
    found = read(box.files.get(CONFIG, ""))
    node.memory[MEMORY] = Running(pid, found)
    return found


def statics(node: NodeState, box: Box) -> str:
    """The folder in which the running kubelet looks for static Pods; "" = in none."""
    return running(node, box).statics
