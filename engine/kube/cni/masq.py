"""ipMasq of the bridge plugin: one chain per container in table nat (pkg/ip/ipmasq_iptables_linux.go).

Theory. Traffic of the pod's address that leaves its own subnet is masqueraded, except multicast. Chain names
are cut from a SHA-512 of network name and container id (pkg/utils/utils.go; facts 10 section 4.2).
"""

from __future__ import annotations

import hashlib

from engine.kube.cni import kernel
from engine.kube.cni.call import Call
from engine.linux.addr import Prefix, text4

MULTICAST = "224.0.0.0/4"


def chain_name(network: str, container: str, prefix: str = "") -> str:
    """`CNI-` + prefix + hex digits, 28 characters in all."""
    return f"CNI-{prefix}{hashlib.sha512((network + container).encode()).hexdigest()}"[:28]


def comment(call: Call) -> str:
    return f'name: "{call.network}" id: "{call.container}"'


def add(call: Call, address: Prefix) -> None:
    """Masquerade what `address` (the pod's address with its subnet's length) sends out of its subnet."""
    chain, said = chain_name(call.network, call.container), kernel.quoted(comment(call))
    nat = kernel.Nat(call.changes, call.box)
    nat.new_chain(chain)
    nat.append_unique(chain, f"-d {address.network} -m comment --comment {said} -j ACCEPT")
    nat.append_unique(chain, f"! -d {MULTICAST} -m comment --comment {said} -j MASQUERADE")
    nat.append_unique("POSTROUTING", f"-s {text4(address.addr)} -m comment --comment {said} -j {chain}")


def delete(call: Call, address: Prefix) -> None:
    """Take the chain of this container away."""
    chain, said = chain_name(call.network, call.container), kernel.quoted(comment(call))
    nat = kernel.Nat(call.changes, call.box)
    nat.delete("POSTROUTING", f"-s {text4(address.addr)} -m comment --comment {said} -j {chain}")
    nat.clear_and_delete(chain)
