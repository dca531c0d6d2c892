"""The bridge plugin: a bridge on the node, a veth pair with one end in the pod, an address from IPAM.

Theory. The order is the plugin's own (plugins/main/bridge/bridge.go, facts 10 section 4.2): bridge, veth from
inside the pod, IPAM, gateways, addresses and routes in the pod, the gateway's address on the bridge,
ip_forward, masquerading. What fails half way stays as it is until the runtime calls DEL.
"""

from __future__ import annotations

from engine.errors import InputError
from engine.kube.cni import host_local, kernel, masq
from engine.kube.cni.call import Call, CniError
from engine.kube.objects import Json
from engine.linux.addr import Prefix, ip4, mac_text, text4

#: Keys that the plugin acts on and that are not modelled.
REFUSED = (
    "vlan", "vlanTrunk", "macspoofchk", "enabledad", "disableContainerInterface", "ipMasqBackend",
    "uplinkInterface",
)  # fmt: skip
EVERYTHING = ("0.0.0.0/0", "default")


def add(call: Call) -> Json:
    """ADD. Returns the result that the next plugin of the list gets as prevResult."""
    call.refuse("bridge", REFUSED)
    name = str(call.conf.get("bridge") or "cni0")
    default_gateway, hairpin, promisc = (
        call.flag("isDefaultGateway"),
        call.flag("hairpinMode"),
        call.flag("promiscMode"),
    )
    gateway = call.flag("isGateway") or default_gateway
    if hairpin and promisc:
        raise CniError("cannot set hairpin mode and promiscuous mode at the same time.")
    mtu = call.number("mtu")
    mac = kernel.ensure_bridge(call.changes, call.box, name, mtu=mtu, promisc=promisc)
    veth = make_veth(call, name, mtu, hairpin)
    result: Json = {
        "interfaces": [{"name": name}, {"name": veth}, {"name": call.ifname, "sandbox": call.path}]
    }
    ipam = call.conf.get("ipam")
    if isinstance(ipam, dict) and ipam.get("type"):
        layer3(call, (name, mac), str(ipam["type"]), result, gateway=gateway, default_gateway=default_gateway)
    else:
        kernel.raise_link(call.changes, call.netns, call.ifname)
    macs = (call.host.link(name), call.host.link(veth), call.pod.link(call.ifname))
    for interface, link in zip(result["interfaces"], macs, strict=True):
        interface["mac"] = mac_text(link.mac) if link is not None else ""
    if not result.get("routes"):
        result.pop("routes", None)
    result["dns"] = call.conf.get("dns") or result.get("dns") or {}
    return result


def make_veth(call: Call, bridge: str, mtu: int, hairpin: bool) -> str:
    """The pair, made from inside the pod's namespace; returns the name of the node's end."""
    if call.pod.link(call.ifname) is not None:
        raise CniError(f"container veth name provided ({call.ifname}) already exists")
    name = f"veth{call.ids.hex(f'veth/{call.box}', 8)}"
    while call.host.link(name) is not None:
        name = f"veth{call.ids.hex(f'veth/{call.box}', 8)}"
    macs = (kernel.random_mac(call.ids, call.box), kernel.random_mac(call.ids, call.box))
    kernel.add_veth(call.changes, (call.netns, call.ifname), (call.box, name), macs, mtu=mtu or 1500)
    kernel.raise_link(call.changes, call.box, name)
    kernel.enslave(call.changes, call.box, name, bridge, hairpin=hairpin, isolated=call.flag("portIsolation"))
    return name


def layer3(
    call: Call, bridge: tuple[str, int], ipam: str, result: Json, *, gateway: bool, default_gateway: bool
) -> None:
    """`bridge` is its name and the MAC that it had before its first port. IPAM, then addresses and routes in the
    pod, then the bridge's own address and masquerading."""
    call.find(ipam)
    found = host_local.add(call)
    try:
        result["ips"], result["routes"] = found["ips"], found["routes"]
        gateways: list[Prefix] = []
        for ip in result["ips"]:
            address = Prefix.parse(ip["address"], host_bits=True)
            ip["interface"] = 2
            if not ip.get("gateway") and gateway:
                ip["gateway"] = text4(address.network.addr + 1)
            if default_gateway and not any(r.get("gw") and r["dst"] in EVERYTHING for r in result["routes"]):
                result["routes"].append({"dst": "0.0.0.0/0", "gw": ip["gateway"]})
            if gateway:
                gateways.append(Prefix(ip4(ip["gateway"]), address.length))
        configure(call, result)
        for address in gateways:
            ensure_address(call, *bridge, address)
        if gateways:
            kernel.set_sysctl(call.changes, call.box, "net.ipv4.ip_forward", "1")
        if call.flag("ipMasq"):
            for ip in result["ips"]:
                masq.add(call, Prefix.parse(ip["address"], host_bits=True))
    except CniError:
        host_local.delete(call)
        raise


def configure(call: Call, result: Json) -> None:
    """ipam.ConfigureIface: the pod's addresses, then its routes, through the gateway where none is named."""
    kernel.set_sysctl(call.changes, call.netns, f"net.ipv4.conf.{call.ifname}.arp_notify", "1")
    kernel.raise_link(call.changes, call.netns, call.ifname)
    via = 0
    for ip in result["ips"]:
        address = Prefix.parse(ip["address"], host_bits=True)
        kernel.add_address(call.changes, call.netns, call.ifname, address)
        via = via or (ip4(ip["gateway"]) if ip.get("gateway") else 0)
    for route in result["routes"]:
        if set(route) - {"dst", "gw"}:
            call.conf = {
                **call.conf,
                **{f"routes.{k}": v for k, v in route.items() if k not in ("dst", "gw")},
            }
            call.refuse("host-local", [f"routes.{k}" for k in route if k not in ("dst", "gw")])
        try:
            dst = Prefix.parse(str(route["dst"]))
            gw = ip4(str(route["gw"])) if route.get("gw") else via
        except InputError as error:
            raise CniError(f"invalid CIDR address: {route.get('dst')}") from error
        failed = kernel.add_route(call.changes, call.netns, dst, gw, call.ifname)
        if failed:
            raise CniError(
                f"failed to add route '{{{text4(dst.addr)} {dst.length}}} via {text4(gw)} dev {call.ifname}': {failed}"
            )


def ensure_address(call: Call, bridge: str, mac: int, address: Prefix) -> None:
    """The gateway's address on the bridge; another one there is an error unless forceAddress. With it the bridge's
    own MAC is set by hand, or it would take the lowest of its ports from now on."""
    link = call.host.link(bridge)
    rows = call.host.addresses.get(link.ifindex, ()) if link is not None else ()
    for row in rows:
        if (row.addr, row.length) == (address.addr, address.length):
            return
    for row in rows:
        if not call.flag("forceAddress"):
            raise CniError(
                f'failed to set bridge addr: "{bridge}" already has an IP address different from {address}'
            )
        kernel.del_address(call.changes, call.box, bridge, Prefix(row.addr, row.length))
    kernel.add_address(call.changes, call.box, bridge, address)
    if not mac:
        # A bridge without ports has no MAC, and the plugin then asks the kernel to set none (measured).
        raise CniError("failed to set bridge addr: could not set bridge's mac: invalid argument")
    kernel.set_mac(call.changes, call.box, bridge, mac)


def delete(call: Call) -> None:
    """DEL: IPAM first, then eth0 (its peer vanishes with it), then the masquerading chain."""
    ipam = call.conf.get("ipam")
    if isinstance(ipam, dict) and ipam.get("type"):
        call.find(str(ipam["type"]))
        host_local.delete(call)
    if call.netns not in call.changes.net.spaces:
        return
    link = call.pod.link(call.ifname)
    rows = call.pod.addresses.get(link.ifindex, ()) if link is not None else ()
    if link is not None:
        kernel.delete_link(call.changes, call.netns, call.ifname)
    if call.flag("ipMasq"):
        for row in rows:
            masq.delete(call, Prefix(row.addr, row.length))
