"""What a packet does to an IPVS connection: its state and its timeout.

Theory. IPVS keeps its own, simpler TCP states, by the direction of the segment and, where answers do not pass (direct
routing, tunnels), by a third table. Source: net/netfilter/ipvs/ip_vs_proto_{tcp,udp}.c (tcp_states).
"""

from __future__ import annotations

from engine.linux.packet import Tcp

STATES = ("NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK",
          "LISTEN", "SYNACK")  # fmt: skip
ACTIVE = ("ESTABLISHED", "SYN_SENT", "SYN_RECV", "SYNACK")
#: seconds; ESTABLISHED, FIN_WAIT and "udp" can be set with ipvsadm --set
TIMEOUTS = {
    "NONE": 2, "ESTABLISHED": 900, "SYN_SENT": 120, "SYN_RECV": 60, "FIN_WAIT": 120, "TIME_WAIT": 120, "CLOSE": 10,
    "CLOSE_WAIT": 60, "LAST_ACK": 30, "LISTEN": 120, "SYNACK": 120, "udp": 300,
}  # fmt: skip
_SHORT = {"NO": "NONE", "ES": "ESTABLISHED", "SS": "SYN_SENT", "SR": "SYN_RECV", "FW": "FIN_WAIT", "TW": "TIME_WAIT",
          "CL": "CLOSE", "CW": "CLOSE_WAIT", "LA": "LAST_ACK", "LI": "LISTEN", "SA": "SYNACK"}  # fmt: skip
_TABLE = {
    ("in", "syn"): "SR ES ES SR SR SR SR SR SR SR SR",
    ("in", "fin"): "CL CW SS TW TW TW CL CW LA LI TW",
    ("in", "ack"): "ES ES SS ES FW TW CL CW CL LI ES",
    ("in", "rst"): "CL CL CL SR CL CL CL CL LA LI SR",
    ("out", "syn"): "SS ES SS SR SS SS SS SS SS LI SR",
    ("out", "fin"): "TW FW SS TW FW TW CL TW LA LI TW",
    ("out", "ack"): "ES ES SS ES FW TW CL CW LA ES ES",
    ("out", "rst"): "CL CL SS CL CL TW CL CL CL CL CL",
    ("only", "syn"): "SR ES ES SR SR SR SR SR SR SR SR",
    ("only", "fin"): "CL FW SS TW FW TW CL CW LA LI TW",
    ("only", "ack"): "ES ES SS ES FW TW CL CW CL LI ES",
    ("only", "rst"): "CL CL CL SR CL CL CL CL LA LI CL",
}
NEXT = {
    (*key, state): _SHORT[word]
    for key, row in _TABLE.items()
    for state, word in zip(STATES, row.split(), strict=True)
}


def next_state(tcp: Tcp, way: str, state: str) -> str:
    """`way` is in, out, or only (in, where answers do not pass)."""
    flags = tcp.flags
    kind = "rst" if "R" in flags else "syn" if "S" in flags else "fin" if "F" in flags else "ack"
    if kind == "ack" and "A" not in flags:
        return "CLOSE"
    return NEXT[way, kind, state]
