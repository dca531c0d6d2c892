"""The register: which matches and targets the model has, and which others iptables 1.8.9 has.

Rules. A name in neither table is unknown to iptables itself and gets iptables' own message.
"""

from __future__ import annotations

from engine.linux.xt import (
    match_ct,
    match_frame,
    match_header,
    match_host,
    match_l4,
    match_more,
    match_multi,
    match_rate,
    match_set,
    match_state,
    target,
    target_header,
    target_more,
    target_nat,
    target_set,
    target_steer,
)
from engine.linux.xt.options import Extension

MATCHES: dict[str, Extension] = {
    e.name: e
    for e in (
        match_l4.TCP, match_l4.UDP, match_multi.ICMP, match_multi.MULTIPORT, match_ct.CONNTRACK,
        match_state.STATE_EXTENSION, match_state.MARK, match_state.CONNMARK, match_state.PHYSDEV, match_state.OWNER,
        match_more.ADDRTYPE, match_more.STATISTIC, match_more.COMMENT, match_set.SET, match_header.LENGTH_EXTENSION,
        match_header.TTL, match_header.TOS, match_header.DSCP, match_frame.PKTTYPE, match_frame.IPRANGE,
        match_frame.MAC, match_host.RPFILTER, match_host.SOCKET, match_host.RECENT_EXTENSION, match_rate.LIMIT,
        match_rate.CONNLIMIT, match_rate.QUOTA,
    )
}  # fmt: skip
TARGETS: dict[str, Extension] = {
    e.name: e
    for e in (
        target.REJECT, target_nat.DNAT, target_nat.SNAT, target_nat.MASQUERADE, target_nat.REDIRECT, target_more.MARK,
        target_more.CONNMARK, target_more.LOG, target_steer.CT, target_more.NOTRACK, target_steer.TPROXY,
        target_steer.NETMAP, target_set.SET, target_header.TTL, target_header.TOS, target_header.DSCP,
        target_header.NFLOG, target_header.TRACE, target_header.CHECKSUM, target_header.CLASSIFY,
    )
}  # fmt: skip
PLAIN = {"ACCEPT": target.ACCEPT, "DROP": target.DROP, "RETURN": target.RETURN}

_MATCH_NAMES = """
ah bpf cgroup cluster connbytes connlabel cpu dccp devgroup ecn esp hashlimit helper ipcomp ipvs nfacct osf policy
rateest realm sctp string tcpmss time u32 standard
"""
_TARGET_NAMES = """
AUDIT CLUSTERIP CONNSECMARK ECN HMARK IDLETIMER LED NFQUEUE QUEUE RATEEST SECMARK SYNPROXY TCPMSS TCPOPTSTRIP TEE ULOG
"""
#: Real matches and targets of Debian 12's iptables that the model does not have.
OTHER_MATCHES = frozenset(_MATCH_NAMES.split())
OTHER_TARGETS = frozenset(_TARGET_NAMES.split())
