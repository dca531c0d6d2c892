"""Calico's settings and names: what a pool's mode means, and how devices, files and annotations are called.

Rules. Constants and pure functions only; everything of Calico's wiring asks here. Release v3.32. Source: manifests/
calico.yaml, libcalico-go/lib/backend/k8s/conversion, felix/config (facts 10 section 6).
"""

from __future__ import annotations

import hashlib
import json

from engine.kube.objects import Json
from engine.kube.options import CniOptions
from engine.linux.addr import Prefix
from engine.record import dataclass

VERSION = "v3.32.1"
CONFLIST = "/etc/cni/net.d/10-calico.conflist"
KUBECONFIG = "/etc/cni/net.d/calico-kubeconfig"
NODENAME = "/var/lib/calico/nodename"
MTU_FILE = "/var/lib/calico/mtu"
POOL_NAME = "default-ipv4-ippool"
#: What Pods carry. The first fixes an address, the others the plugin writes.
IP_ADDRS = "cni.projectcalico.org/ipAddrs"
POD_IP = "cni.projectcalico.org/podIP"
POD_IPS = "cni.projectcalico.org/podIPs"
CONTAINER_ID = "cni.projectcalico.org/containerID"
#: What Nodes carry.
NODE_ADDRESS = "projectcalico.org/IPv4Address"
TUNNEL_ADDRESS = {
    "ipip": "projectcalico.org/IPv4IPIPTunnelAddr",
    "vxlan": "projectcalico.org/IPv4VXLANTunnelAddr",
}
TUNNEL_MAC = "projectcalico.org/VXLANTunnelMACAddr"
#: Every host end of a Pod's pair has this address.
HOST_MAC = 0xEEEEEEEEEEEE
PREFIX = "cali"
TUNNELS = {"ipip": "tunl0", "vxlan": "vxlan.calico"}
#: bytes that a way between nodes costs
OVERHEAD = {"": 0, "ipip": 20, "vxlan": 50}
VNI, VXLAN_PORT = 4096, 4789
#: addresses of one block: a /26
BLOCK = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """How Pods' packets go to another node: `tunnel` is "", ipip or vxlan; `cross_subnet`: only where the other
    node's address lies in another subnet; `bird`: BIRD writes the blocks' routes, else Felix does."""

    tunnel: str = ""
    cross_subnet: bool = False
    bird: bool = True

    @property
    def device(self) -> str:
        return TUNNELS.get(self.tunnel, "")

    @property
    def words(self) -> tuple[str, str]:
        """The pool's ipipMode and vxlanMode."""
        word = "CrossSubnet" if self.cross_subnet else "Always"
        return (word if self.tunnel == "ipip" else "Never", word if self.tunnel == "vxlan" else "Never")


#: the lab file's `mode` -> what it is; "" is the manifest's own choice
MODES = {
    "": Mode(tunnel="ipip"),
    "ipip": Mode(tunnel="ipip"),
    "ipip-cross-subnet": Mode(tunnel="ipip", cross_subnet=True),
    "vxlan": Mode(tunnel="vxlan", bird=False),
    "vxlan-cross-subnet": Mode(tunnel="vxlan", cross_subnet=True, bird=False),
    "none": Mode(),
}


def mode(cni: CniOptions) -> Mode:
    return MODES[cni.mode]


def veth_name(namespace: str, pod: str) -> str:
    """`cali` and 11 hex digits of a SHA-1: the same for the same Pod on every node (VethNameForWorkload)."""
    return PREFIX + hashlib.sha1(f"{namespace}.{pod}".encode()).hexdigest()[:11]


def tunnel_mac(node: str) -> int:
    """The MAC of a node's vxlan.calico: the letter f and five bytes of a SHA-1 (felix/calc/vxlan_resolver.go)."""
    return int.from_bytes(b"f" + hashlib.sha1(node.encode()).digest()[:5])


def conflist(node: str, cni: CniOptions) -> str:
    """/etc/cni/net.d/10-calico.conflist as the container install-cni writes it."""
    calico: Json = {
        "type": "calico",
        "log_level": "info",
        "log_file_path": "/var/log/calico/cni/cni.log",
        "datastore_type": "kubernetes",
        "nodename": node,
        "mtu": cni.mtu,
        "ipam": {"type": "calico-ipam"},
        "policy": {"type": "k8s"},
        "kubernetes": {"kubeconfig": KUBECONFIG},
    }
    portmap = {"type": "portmap", "snat": True, "capabilities": {"portMappings": True}}
    body = {"name": "k8s-pod-network", "cniVersion": "0.3.1", "plugins": [calico, portmap]}
    return json.dumps(body, indent=2) + "\n"


def pool(cni: CniOptions) -> Json:
    """The first calico-node's IPPool."""
    ipip, vxlan = mode(cni).words
    spec = {
        "allowedUses": ["Workload", "Tunnel"], "assignmentMode": "Automatic", "blockSize": BLOCK,
        "cidr": str(cni.pod_cidr), "ipipMode": ipip, "natOutgoing": True, "nodeSelector": "all()", "vxlanMode": vxlan,
    }  # fmt: skip
    return {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": "IPPool",
        "metadata": {"name": POOL_NAME},
        "spec": spec,
    }


def same_subnet(own: Prefix, other: int) -> bool:
    """Is another node's address in this node's own subnet?"""
    return other in own.network
