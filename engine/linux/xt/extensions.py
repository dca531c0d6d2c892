"""The register: which matches and targets the model has, and which others iptables 1.8.9 has.

Rules. A name in neither table is unknown to iptables itself and gets iptables' own message. Who asks whether a name is
known loads nothing; its file is loaded when the extension itself is first wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from engine.linux.xt import target
from engine.linux.xt.options import Extension


class Register(Mapping[str, Extension]):
    """Name -> extension. `homes`: file -> what it has, as NAME, or NAME=CONSTANT where the constant is called
    otherwise; `order` are the names as they are listed."""

    def __init__(self, order: str, homes: dict[str, str]) -> None:
        self._homes: dict[str, tuple[str, str]] = {}
        for file, words in homes.items():
            for word in words.split():
                name, _, constant = word.partition("=")
                self._homes[name] = (file, constant or name.upper())
        self._order = order.split()

    def __getitem__(self, name: str) -> Extension:
        file, constant = self._homes[name]
        found = getattr(import_module(f"engine.linux.xt.{file}"), constant)
        assert isinstance(found, Extension)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._homes

    def __iter__(self) -> Iterator[str]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)


MATCHES = Register(
    """
tcp udp sctp icmp multiport conntrack state mark connmark physdev owner addrtype statistic comment set length ttl tos
dscp pkttype iprange mac rpfilter socket recent limit connlimit quota
ipvs
""",
    {
        "match_l4": "tcp udp", "match_sctp": "sctp", "match_multi": "icmp multiport", "match_ct": "conntrack",
        "match_state": "state=STATE_EXTENSION mark connmark physdev owner",
        "match_more": "addrtype statistic comment", "match_set": "set",
        "match_header": "length=LENGTH_EXTENSION ttl tos dscp", "match_frame": "pkttype iprange mac",
        "match_host": "rpfilter socket recent=RECENT_EXTENSION", "match_rate": "limit connlimit quota",
        "match_ipvs": "ipvs",
    },
)  # fmt: skip
TARGETS = Register(
    """
REJECT DNAT SNAT MASQUERADE REDIRECT MARK CONNMARK LOG CT NOTRACK TPROXY NETMAP SET TTL TOS DSCP NFLOG TRACE CHECKSUM
CLASSIFY
""",
    {
        "target": "REJECT", "target_nat": "DNAT SNAT MASQUERADE REDIRECT",
        "target_more": "MARK CONNMARK LOG NOTRACK", "target_steer": "CT TPROXY NETMAP", "target_set": "SET",
        "target_header": "TTL TOS DSCP NFLOG TRACE CHECKSUM CLASSIFY",
    },
)  # fmt: skip
PLAIN = {"ACCEPT": target.ACCEPT, "DROP": target.DROP, "RETURN": target.RETURN}

_MATCH_NAMES = """
ah bpf cgroup cluster connbytes connlabel cpu dccp devgroup ecn esp hashlimit helper ipcomp nfacct osf policy
rateest realm string tcpmss time u32 standard
"""
_TARGET_NAMES = """
AUDIT CLUSTERIP CONNSECMARK ECN HMARK IDLETIMER LED NFQUEUE QUEUE RATEEST SECMARK SYNPROXY TCPMSS TCPOPTSTRIP TEE ULOG
"""
#: Real matches and targets of Debian 12's iptables that the model does not have.
OTHER_MATCHES = frozenset(_MATCH_NAMES.split())
OTHER_TARGETS = frozenset(_TARGET_NAMES.split())
