"""The portmap plugin: a container's hostPorts as DNAT rules in table nat.

Theory. PREROUTING and OUTPUT send what is addressed to the node itself to CNI-HOSTPORT-DNAT, from there to one
chain per container, where hairpin and 127.0.0.1 clients are marked for masquerading before the DNAT. No socket
listens for a hostPort. Source: plugins/meta/portmap/portmap_iptables.go; facts 10 section 4.2.
"""

from __future__ import annotations

from engine.kube.cni import kernel
from engine.kube.cni.call import Call, CniError
from engine.kube.cni.masq import chain_name
from engine.kube.objects import Json
from engine.linux.addr import Prefix, text4

DNAT, MASQ, SETMARK = "CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-SETMARK"
REFUSED = ("conditionsV4", "conditionsV6", "externalSetMarkChain", "backend", "masqAll")


def add(call: Call) -> Json:
    """ADD behind another plugin: its prevResult passes through."""
    call.refuse("portmap", REFUSED)
    if not call.prev:
        raise CniError("must be called as chained plugin")
    address, ports = pod_address(call.prev), mappings(call)
    if ports and address is not None:
        forward(call, ports, address)
    return call.prev


def delete(call: Call) -> None:
    """DEL: only this container's chain and its entry go; the shared chains stay."""
    nat = kernel.Nat(call.changes, call.box)
    chain = chain_name(call.network, call.container, "DN-")
    if nat.has(chain):
        nat.delete_jumps(DNAT, chain)
        nat.clear_and_delete(chain)


def mappings(call: Call) -> list[Json]:
    """runtimeConfig.portMappings; entries without a hostPort count as absent."""
    found = call.runtime.get("portMappings") or []
    return [p for p in found if p.get("hostPort")]


def pod_address(result: Json) -> Prefix | None:
    """The first IPv4 address inside the container."""
    for ip in result.get("ips") or ():
        index = ip.get("interface")
        interfaces = result.get("interfaces") or []
        if index is None or (index < len(interfaces) and interfaces[index].get("sandbox")):
            return Prefix.parse(ip["address"], host_bits=True)
    return None


def forward(call: Call, ports: list[Json], address: Prefix) -> None:
    """forwardPorts: the mark chains, route_localnet on the way to the pod, then the DNAT chains."""
    nat = kernel.Nat(call.changes, call.box)
    snat = call.conf.get("snat", True)
    if snat:
        bit = int(call.conf.get("markMasqBit", 13))
        if not 0 <= bit <= 31:
            raise CniError("MasqMarkBit must be between 0 and 31")
        mark = f"{1 << bit:#x}/{1 << bit:#x}"
        nat.new_chain(SETMARK)
        nat.prepend_unique(
            SETMARK, f'-m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark {mark}'
        )
        nat.new_chain(MASQ)
        nat.prepend_unique(MASQ, f"-m mark --mark {mark} -j MASQUERADE")
        nat.prepend_unique(
            "POSTROUTING", f'-m comment --comment "CNI portfwd requiring masquerade" -j {MASQ}'
        )
        device = kernel.device_towards(call.changes, call.box, address.addr)
        if device:
            kernel.set_sysctl(call.changes, call.box, f"net.ipv4.conf.{device}.route_localnet", "1")
    nat.new_chain(DNAT)
    for hook in ("PREROUTING", "OUTPUT"):
        nat.append_unique(hook, f"-m addrtype --dst-type LOCAL -j {DNAT}")
    chain = chain_name(call.network, call.container, "DN-")
    nat.new_chain(chain)
    nat.clear(chain)
    for port in ports:
        for rule in port_rules(port, address, snat=bool(snat)):
            nat.append(chain, rule)
    said = kernel.quoted(f'dnat name: "{call.network}" id: "{call.container}"')
    for proto in sorted({protocol(p) for p in ports}):
        numbers = sorted({int(p["hostPort"]) for p in ports if protocol(p) == proto})
        for at in range(0, len(numbers), 15):
            dports = ",".join(str(n) for n in numbers[at : at + 15])
            nat.append_unique(
                DNAT, f"-p {proto} -m comment --comment {said} -m multiport --dports {dports} -j {chain}"
            )


def protocol(port: Json) -> str:
    return str(port.get("protocol", "tcp")).lower()


def port_rules(port: Json, address: Prefix, *, snat: bool) -> list[str]:
    """The rules of one mapping in the container's chain."""
    host_ip = port.get("hostIP") or ""
    to = f"-d {host_ip} " if host_ip and host_ip != "0.0.0.0" else ""
    proto = protocol(port)
    match = f"-p {proto} -m {proto} --dport {port['hostPort']}"
    rules = []
    if snat:
        rules.append(f"-s {address.network} {to}{match} -j {SETMARK}")
        rules.append(f"-s 127.0.0.1/32 {to}{match} -j {SETMARK}")
    rules.append(f"{to}{match} -j DNAT --to-destination {text4(address.addr)}:{port['containerPort']}")
    return rules
