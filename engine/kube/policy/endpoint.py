"""A pod as a policy engine sees it: its address, its device on the node, its labels and named ports.

Rules. Values read from a Pod body; nothing is decided here. A pod of the host network is no endpoint: its packets carry
the node's address. A pod that has ended has lost its address. Source: libcalico-go/lib/backend/k8s/conversion
(IsValidCalicoWorkloadEndpoint, getPodIPs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from engine.errors import EngineError
from engine.kube.cni.calico_conf import POD_IP, veth_name
from engine.kube.objects import Json, deleting, labels_of, meta, name_of, namespace_of, spec_of, status_of
from engine.linux.addr import ip4
from engine.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`labels` are the pod's own; `ports` maps (name, lower-case protocol) to numbers, in the containers' order."""

    namespace: str
    name: str
    node: str
    address: int
    device: str
    labels: Mapping[str, str] = field(compare=False)
    ports: tuple[tuple[str, str, int], ...] = ()
    account: str = "default"

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name


def endpoint(pod: Json) -> Endpoint | None:
    """The endpoint of a pod; None while it has none."""
    spec = spec_of(pod)
    if spec.get("hostNetwork") or not spec.get("nodeName"):
        return None
    address = address_of(pod)
    if not address:
        return None
    ports = tuple(
        (str(port["name"]), str(port.get("protocol", "TCP")).lower(), int(port["containerPort"]))
        for container in spec.get("containers") or ()
        for port in container.get("ports") or ()
        if port.get("name")
    )
    namespace, name = namespace_of(pod), name_of(pod)
    return Endpoint(
        namespace=namespace, name=name, node=str(spec["nodeName"]), address=address,
        device=veth_name(namespace, name), labels=labels_of(pod), ports=ports,
        account=str(spec.get("serviceAccountName") or "default"),
    )  # fmt: skip


def address_of(pod: Json) -> int:
    """The pod's address: what the plugin wrote, else what kubelet reports. 0 while there is none and after its end."""
    notes = meta(pod).get("annotations") or {}
    written = notes.get(POD_IP)
    if written == "" or (status_of(pod).get("phase") in ("Succeeded", "Failed") and not deleting(pod)):
        return 0
    text = str(written or status_of(pod).get("podIP") or "")
    try:
        return ip4(text.partition("/")[0]) if text else 0
    except EngineError:
        return 0
