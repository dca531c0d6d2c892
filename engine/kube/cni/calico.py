"""The CNI plugin calico with its IPAM: a pair of devices, no bridge, a route a Pod.

Theory. The pod's end has a /32 and a default route by 169.254.1.1, which nobody owns: the node's end answers every
ARP question (proxy_arp), always with ee:ee:ee:ee:ee:ee. So whatever a pod sends is routed by its node, also to a pod
beside it. The node has a /32 route to each of its pods. The plugin asks the API for the pod's annotations and writes
the address there, from where calico-node learns it.

Rules. The order of steps and the texts of errors are the plugin's own. Source: cni-plugin/pkg/{plugin,k8s,
dataplane/linux} v3.32 (facts 10 section 6.2).
"""

from __future__ import annotations

from engine.errors import NotModelled, OpError
from engine.kube.cni import calico_conf, calico_ipam, kernel
from engine.kube.cni.call import Call, CniError
from engine.kube.objects import Json, meta
from engine.kube.store import Store
from engine.linux.addr import Prefix, ip4, mac_text, text4
from engine.linux.ops.route import AddRoute
from engine.say import Phrase

GATEWAY = ip4("169.254.1.1")
REFUSED = (
    "container_settings",
    "allow_ip_forwarding",
    "include_default_routes",
    "feature_control",
    "num_queues",
)
ONLY_CALICO_IPAM = Phrase(
    en='Write "ipam": {"type": "calico-ipam"}.',
    ko='"ipam": {"type": "calico-ipam"}(으)로 적으십시오.',
)


def add(call: Call) -> Json:
    """ADD: an address, the pair, the routes of both ends, the pod's annotations."""
    call.refuse("calico", REFUSED)
    if calico_conf.NODENAME not in call.changes.net.boxes[call.box].files:
        raise CniError(
            f"stat {calico_conf.NODENAME}: no such file or directory: check that the calico/node container is "
            "running and has mounted /var/lib/calico/"
        )
    ipam = call.conf.get("ipam") or {}
    if ipam.get("type") != "calico-ipam":
        raise NotModelled(f"the IPAM plugin {ipam.get('type')} behind calico", ONLY_CALICO_IPAM())
    call.find("calico-ipam")
    store = api(call)
    handle = f"{call.network}.{call.container}"
    name = calico_conf.veth_name(call.namespace, call.pod_name)
    address = allocate(call, store, handle)
    try:
        wire(call, name, address)
    except CniError:
        calico_ipam.release(store, handle)
        raise
    annotate(store, call, {calico_conf.CONTAINER_ID: call.container, **pod_ips(f"{text4(address)}/32")})
    link = call.pod.link(call.ifname)
    return {
        "interfaces": [
            {"name": name},
            {
                "name": call.ifname,
                "mac": mac_text(link.mac) if link is not None else "",
                "sandbox": call.path,
            },
        ],
        "ips": [{"version": "4", "interface": 1, "address": f"{text4(address)}/32"}],
        "dns": {},
    }


def api(call: Call) -> Store:
    """The API server that the plugin's kubeconfig names. CniError while it cannot be reached."""
    if call.store is None:
        raise CniError("error getting ClusterInformation: connection is unauthorized: Unauthorized")
    return call.store


def pod_ips(text: str) -> dict[str, str]:
    return {calico_conf.POD_IP: text, calico_conf.POD_IPS: text}


def annotate(store: Store, call: Call, values: dict[str, str]) -> None:
    """Patch the pod's annotations; a pod that is gone is let be."""
    if store.get("Pod", call.namespace, call.pod_name) is None:
        return

    def put(new: Json) -> None:
        new["metadata"]["annotations"] = {**(new["metadata"].get("annotations") or {}), **values}

    store.change("Pod", call.namespace, call.pod_name, put)


def allocate(call: Call, store: Store, handle: str) -> int:
    """What the annotation asks for, else the next free address of the node."""
    pool = store.get("IPPool", "", calico_conf.POOL_NAME)
    if pool is None:
        raise CniError("failed to request IPv4 addresses: no configured Calico pools")
    range_ = Prefix.parse(str(pool["spec"]["cidr"]))
    node = str(call.conf.get("nodename") or call.box)
    body = store.get("Pod", call.namespace, call.pod_name) or {}
    asked = (meta(body).get("annotations") or {}).get(calico_conf.IP_ADDRS)
    why = {"namespace": call.namespace, "node": node, "pod": call.pod_name}
    clock = call.changes.net.clock
    if asked:
        fixed = calico_ipam.wanted(str(asked))
        return calico_ipam.assign_fixed(store, node, range_, fixed, handle, why, clock)
    return calico_ipam.assign(store, node, range_, handle, why, clock)


def mtu(call: Call) -> int:
    """The configuration's, else what calico-node found and wrote down."""
    given = call.number("mtu")
    if given:
        return given
    text = call.changes.net.boxes[call.box].files.get(calico_conf.MTU_FILE, "").strip()
    return int(text) if text.isdigit() else 1500


def wire(call: Call, name: str, address: int) -> None:
    """DoNetworking: the pair, then both ends."""
    changes, host, pod = call.changes, call.box, call.netns
    if call.host.link(name) is not None:
        kernel.delete_link(changes, host, name)
    macs = (kernel.random_mac(call.ids, call.box), calico_conf.HOST_MAC)
    kernel.add_veth(changes, (pod, call.ifname), (host, name), macs, mtu=mtu(call))
    kernel.set_sysctl(changes, host, f"net.ipv4.conf.{name}.route_localnet", "1")
    kernel.set_sysctl(changes, host, f"net.ipv4.neigh.{name}.proxy_delay", "0")
    kernel.set_sysctl(changes, host, f"net.ipv4.conf.{name}.proxy_arp", "1")
    kernel.set_sysctl(changes, host, f"net.ipv4.conf.{name}.forwarding", "1")
    kernel.raise_link(changes, host, name)
    kernel.raise_link(changes, pod, call.ifname)
    try:
        changes.do(AddRoute(netns=pod, dst=Prefix(GATEWAY, 32), device=call.ifname, scope="link"))
        changes.do(AddRoute(netns=pod, dst=Prefix(0, 0), gateway=GATEWAY, device=call.ifname))
    except OpError as error:
        raise CniError(f"failed to add route inside the container: {kernel.go_error(error)}") from None
    kernel.add_address(changes, pod, call.ifname, Prefix(address, 32))
    kernel.set_sysctl(changes, pod, "net.ipv4.ip_forward", "0")
    host_route(call, name, address)


def host_route(call: Call, name: str, address: int) -> None:
    """SetupRoutes: the node's /32 to the pod. A route to the same pair that is there already counts as made."""
    try:
        call.changes.do(AddRoute(netns=call.box, dst=Prefix(address, 32), device=name, scope="link"))
    except OpError as error:
        link = call.host.link(name)
        index = link.ifindex if link is not None else 0
        raise CniError(
            f"failed to add route (Ifindex: {index}, Dst: {text4(address)}/32, Scope: link, Iface: {name}): "
            f"{kernel.go_error(error)}"
        ) from None


def delete(call: Call) -> None:
    """DEL: the pod's annotations say that it has lost its address, the address is free, the pair goes."""
    call.find("calico-ipam")
    store = api(call)
    body = store.get("Pod", call.namespace, call.pod_name)
    notes = (meta(body).get("annotations") or {}) if body is not None else {}
    if notes.get(calico_conf.CONTAINER_ID) == call.container:
        annotate(store, call, pod_ips(""))
    calico_ipam.release(store, f"{call.network}.{call.container}")
    if call.netns in call.changes.net.spaces and call.pod.link(call.ifname) is not None:
        kernel.delete_link(call.changes, call.netns, call.ifname)
