"""The names that kube-proxy makes of a service port: iptables chains, nftables chains and sets.

Theory. A name is a hash, so that it is short and the same on every node: the first letters of base32(sha256(...)).
iptables allows 28 letters, so nothing but the hash is left of the service; nftables allows more, and the hash only
keeps names apart. Sources: portProtoHash of pkg/proxy/iptables/proxier.go; hashAndTruncate of
pkg/proxy/nftables/proxier.go; vectors in facts 20 sections 2.5 and 2.8.
"""

from __future__ import annotations

from hashlib import sha256

from engine.kube.proxy.model import Endpoint, ServicePort

#: nftables: "endpoint-" and the like in front of it, 256 in all (chainNameBaseLengthMax).
LONGEST = 240


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = tuple(a + b for a in _LETTERS for b in _LETTERS)


def hashed(text: str, length: int) -> str:
    """The first letters, 16 at most, of base32(sha256(text))."""
    bits = int.from_bytes(sha256(text.encode()).digest()[:10], "big")
    p = _PAIRS
    out = (
        p[bits >> 70] + p[bits >> 60 & 1023] + p[bits >> 50 & 1023] + p[bits >> 40 & 1023]
        + p[bits >> 30 & 1023] + p[bits >> 20 & 1023] + p[bits >> 10 & 1023] + p[bits & 1023]
    )  # fmt: skip
    return out[:length]


def port_hash(port: ServicePort) -> str:
    """The end of KUBE-SVC-, KUBE-SVL-, KUBE-EXT- and KUBE-FW-."""
    return hashed(port.id + port.proto, 16)


def endpoint_chain(port: ServicePort, endpoint: Endpoint) -> str:
    return "KUBE-SEP-" + hashed(port.id + port.proto + endpoint.text, 16)


def _shortened(name: str) -> str:
    full = f"{hashed(name, 8)}-{name}"
    return full if len(full) <= LONGEST else full[: LONGEST - 3] + "..."


def nft_base(port: ServicePort) -> str:
    """`67NZ...-shop/web/tcp/http`: what follows `service-`, `local-`, `external-`, `firewall-`."""
    return _shortened(f"{port.namespace}/{port.name}/{port.proto}/{port.port_name}")


def nft_endpoint_base(port: ServicePort, endpoint: Endpoint) -> str:
    """What follows `endpoint-` and `affinity-`; a colon may not stand in a name of nft."""
    tail = endpoint.text.replace(":", "/")
    return _shortened(f"{port.namespace}/{port.name}/{port.proto}/{port.port_name}__{tail}")
