"""kubectl describe node: conditions, capacity, the pods on it and what they ask for."""

from __future__ import annotations

from engine.kube.clock import age, clock_of
from engine.kube.objects import (
    Json,
    labels_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from engine.kube.podspec import every_container, on_node
from engine.kube.quantity import percent, total
from engine.shell.tools.kubectl_.client import Client
from engine.shell.tools.kubectl_.columns import ROLE
from engine.shell.tools.kubectl_.describe_parts import (
    NONE,
    put_map,
    when,
)
from engine.shell.tools.kubectl_.table import Blocks


def node(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    roles = sorted(k[len(ROLE) :] for k in labels_of(body) if k.startswith(ROLE))
    out.put(0, f"Roles:\t{','.join(roles) or NONE}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    out.put(0, f"CreationTimestamp:\t{when(meta(body).get('creationTimestamp'))}")
    taints = spec.get("taints") or []
    shown = [f"{t['key']}{'=' + t['value'] if t.get('value') else ''}:{t['effect']}" for t in taints]
    if not shown:
        out.put(0, f"Taints:\t{NONE}")
    for i, row in enumerate(sorted(shown)):
        out.put(0, f"{'Taints:' if i == 0 else ''}\t{row}")
    out.put(0, f"Unschedulable:\t{str(bool(spec.get('unschedulable'))).lower()}")
    lease(client, body, out)
    conditions = status.get("conditions") or []
    out.put(0, "Conditions:")
    heads = ("Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message")
    out.put(1, "\t".join(heads))
    out.put(1, "\t".join("-" * len(h) for h in heads))
    for c in conditions:
        times = f"{when(c.get('lastHeartbeatTime'))} \t{when(c.get('lastTransitionTime'))}"
        out.put(1, f"{c['type']} \t{c['status']} \t{times} \t{c.get('reason', '')} \t{c.get('message', '')}")
    out.put(0, "Addresses:")
    for a in status.get("addresses") or ():
        out.put(1, f"{a['type']}:\t{a['address']}")
    for key, head in (("capacity", "Capacity"), ("allocatable", "Allocatable")):
        out.put(0, f"{head}:")
        for name, value in sorted((status.get(key) or {}).items()):
            out.put(1, f"{name}:\t{value}")
    info = status.get("nodeInfo") or {}
    out.put(0, "System Info:")
    for key, head in (
        ("machineID", "Machine ID"), ("systemUUID", "System UUID"), ("bootID", "Boot ID"),
        ("kernelVersion", "Kernel Version"), ("osImage", "OS Image"), ("operatingSystem", "Operating System"),
        ("architecture", "Architecture"), ("containerRuntimeVersion", "Container Runtime Version"),
        ("kubeletVersion", "Kubelet Version"), ("kubeProxyVersion", "Kube-Proxy Version"),
    ):  # fmt: skip
        out.put(1, f"{head}:\t{info.get(key, '')}")
    if spec.get("podCIDR"):
        out.put(0, f"PodCIDR:\t{spec['podCIDR']}")
        out.put(0, f"PodCIDRs:\t{','.join(spec.get('podCIDRs') or [])}")
    pods_on(client, body, out)


def lease(client: Client, body: Json, out: Blocks) -> None:
    found = client.cluster.store.get("Lease", "kube-node-lease", name_of(body))
    if found is None:
        out.put(0, f'Lease:\tFailed to get lease: leases.coordination.k8s.io "{name_of(body)}" not found')
        return
    spec = spec_of(found)
    out.put(0, "Lease:")
    out.put(1, f"HolderIdentity:\t{spec.get('holderIdentity', '<unset>')}")
    out.put(1, f"AcquireTime:\t{when(spec.get('acquireTime'))}")
    out.put(1, f"RenewTime:\t{when(spec.get('renewTime'))}")


#: What `Allocated resources` counts, and the node's resource that the percentage is of.
COUNTED = ("cpu", "memory", "ephemeral-storage")


def pods_on(client: Client, body: Json, out: Blocks) -> None:
    rows = [
        p
        for p in client.cluster.store.list("Pod")
        if on_node(p) == name_of(body) and status_of(p).get("phase") not in ("Succeeded", "Failed")
    ]
    room = status_of(body).get("allocatable") or {}
    out.put(0, f"Non-terminated Pods:\t({len(rows)} in total)")
    heads = ("Namespace", "Name", "CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits", "Age")
    out.put(1, f"{heads[0]}\t{heads[1]}\t\t" + "\t".join(heads[2:]))
    dashes = ["-" * len(h) for h in heads]
    out.put(1, f"{dashes[0]}\t{dashes[1]}\t\t" + "\t".join(dashes[2:]))
    for p in rows:
        cells = [amount(asked([p], key, what), room.get(what, "0")) for what in COUNTED[:2] for key in ASKS]
        born = age(client.clock - clock_of(meta(p)["creationTimestamp"]))
        out.put(1, f"{namespace_of(p)}\t{name_of(p)}\t\t" + "\t".join((*cells, born)))
    out.put(0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)")
    out.put(1, "Resource\tRequests\tLimits")
    out.put(1, "--------\t--------\t------")
    for what in (*COUNTED, *sorted(k for k in room if k.startswith("hugepages-"))):
        cells = [amount(asked(rows, key, what), room.get(what, "0")) for key in ASKS]
        out.put(1, "\t".join((what, *cells)))


ASKS = ("requests", "limits")


def asked(pods: list[Json], key: str, what: str) -> str:
    """The sum of what the containers of some pods ask for."""
    return total(
        str(found)
        for p in pods
        for c in every_container(spec_of(p))
        if (found := ((c.get("resources") or {}).get(key) or {}).get(what)) is not None
    )


def amount(text: str, room: str) -> str:
    return f"{text} ({percent(text, room)}%)"
