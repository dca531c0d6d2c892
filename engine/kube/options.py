"""How a cluster is set up: what a lab file says about it, checked already by the lab's reader.

Rules. Frozen values only. The defaults here are those of a lab file without the key.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from engine.linux.addr import Prefix
from engine.record import dataclass

POD_CIDR = Prefix(10 << 24 | 244 << 16, 16)
SERVICE_CIDR = Prefix(10 << 24 | 96 << 16, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """A node. `name` is also its box. `pod_cidr` None = the next free /24. `images` are there beforehand, on top of
    kubeadm's own; `air_gapped` = no public registry can be reached; `sandbox` the pause image in containerd's
    configuration ("" = containerd's default) and `pause` whether that image is there beforehand."""

    name: str
    control_plane: bool = False
    pod_cidr: Prefix | None = None
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[tuple[str, str, str], ...] = ()
    images: tuple[str, ...] = ()
    air_gapped: bool = False
    sandbox: str = ""
    pause: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CniOptions:
    """The bridge CNI as each node's first configuration writes it. `name` is "bridge" or "none"; `ip_masq` None =
    the plugin's own on a single node, the ip-masq agent on several; `routes` = a static route per other node."""

    name: str = "bridge"
    pod_cidr: Prefix = POD_CIDR
    ip_masq: bool | None = None
    hairpin: bool = False
    mtu: int = 0
    routes: bool = True
    #: the plugin's own way between nodes (Calico: none, ipip, vxlan and their CrossSubnet forms); "" = its default
    mode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """kube-proxy. `mode` is iptables, nftables, ipvs, userspace or none; `config` is what the lab file says besides:
    fields of a KubeProxyConfiguration by their own names, checked by engine.kube.proxy.config."""

    mode: str = "none"
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A whole cluster. `kubernetes` is MAJOR.MINOR, `containerd` one of containerd.DEFAULT_PAUSE's keys. `addons` are
    names with what the lab file says of them. `node_ports` is --service-node-port-range."""

    nodes: tuple[NodeOptions, ...]
    kubernetes: str = "1.35"
    containerd: str = "2.2"
    seed: int = 0
    cni: CniOptions = CniOptions()
    service_cidr: Prefix = SERVICE_CIDR
    node_ports: tuple[int, int] = (30000, 32767)
    proxy: ProxyOptions = ProxyOptions()
    addons: tuple[tuple[str, dict[str, Any]], ...] = ()

    @property
    def version(self) -> str:
        """The release that runs: `v1.35.0`."""
        return f"v{self.kubernetes}.0"

    @property
    def minor(self) -> int:
        """35 of 1.35: what kubelet and kubectl say changes with it."""
        return int(self.kubernetes.split(".")[1])

    @property
    def containerd_version(self) -> str:
        return {
            "1.6": "1.6.39",
            "1.7": "1.7.29",
            "2.0": "2.0.7",
            "2.1": "2.1.5",
            "2.2": "2.2.0",
            "2.3": "2.3.0",
        }[self.containerd]


def addon(options: Options, name: str) -> dict[str, Any] | None:
    """What a lab file says of an addon; None when the cluster does not have it."""
    return next((config for known, config in options.addons if known == name), None)


def pod_cidrs(options: Options) -> dict[str, Prefix]:
    """Node -> its slice of the Pods' range: as given, else the next free /24 in order."""
    out = {n.name: n.pod_cidr for n in options.nodes if n.pod_cidr is not None}
    whole = options.cni.pod_cidr
    size = max(24, whole.length)
    taken = list(out.values())
    free = (Prefix(a, size) for a in range(whole.addr, whole.broadcast + 1, 1 << (32 - size)))
    for node in options.nodes:
        if node.name not in out:
            slice = next(f for f in free if not any(f.covers(t) or t.covers(f) for t in taken))
            out[node.name] = slice
    return out
