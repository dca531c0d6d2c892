"""The register: which matches and targets the model has, and which others iptables 1.8.9 has.

Rules. A name in neither table is unknown to iptables itself and gets iptables' own message.
"""

from __future__ import annotations

from engine.linux.xt import match_l4, match_more, match_multi, match_state, target, target_more, target_nat
from engine.linux.xt.options import Extension

MATCHES: dict[str, Extension] = {
    e.name: e
    for e in (
        match_l4.TCP, match_l4.UDP, match_multi.ICMP, match_multi.MULTIPORT, match_state.CONNTRACK,
        match_state.STATE_EXTENSION, match_state.MARK, match_state.CONNMARK, match_state.PHYSDEV, match_state.OWNER,
        match_more.ADDRTYPE, match_more.STATISTIC, match_more.COMMENT,
    )
}  # fmt: skip
TARGETS: dict[str, Extension] = {
    e.name: e
    for e in (
        target.REJECT, target_nat.DNAT, target_nat.SNAT, target_nat.MASQUERADE, target_nat.REDIRECT, target_more.MARK,
        target_more.CONNMARK, target_more.LOG, target_more.CT, target_more.NOTRACK,
    )
}  # fmt: skip
PLAIN = {"ACCEPT": target.ACCEPT, "DROP": target.DROP, "RETURN": target.RETURN}

_MATCH_NAMES = """
ah bpf cgroup cluster connbytes connlabel connlimit cpu dccp devgroup dscp ecn esp hashlimit helper ipcomp iprange
ipvs length limit mac nfacct osf pkttype policy quota rateest realm recent rpfilter sctp set socket string tcpmss
time tos ttl u32 standard
"""
_TARGET_NAMES = """
AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNSECMARK DSCP ECN HMARK IDLETIMER LED NETMAP NFLOG NFQUEUE QUEUE RATEEST SECMARK
SET SYNPROXY TCPMSS TCPOPTSTRIP TEE TOS TPROXY TRACE TTL ULOG
"""
#: Real matches and targets of Debian 12's iptables that the model does not have.
OTHER_MATCHES = frozenset(_MATCH_NAMES.split())
OTHER_TARGETS = frozenset(_TARGET_NAMES.split())
