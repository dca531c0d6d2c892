"""conntrack entries as `conntrack -L` prints them.

Rules. One line an entry, to the character of conntrack-tools 1.4.7 (libnetfilter_conntrack's default layout). The
seconds left are whole, cut off, on the virtual clock.
"""

from __future__ import annotations

from engine.linux.addr import text4
from engine.linux.conntrack import CtEntry, Tuple

#: Protocols that libnetfilter_conntrack names; any other is "unknown".
PROTO_TEXT = {6: "tcp", 17: "udp", 136: "udplite", 1: "icmp", 33: "dccp", 132: "sctp", 47: "gre"}


def tuple_text(key: Tuple) -> str:
    """`src=A dst=B sport=P dport=Q`; ICMP has type, code and id instead of ports."""
    out = f"src={text4(key.src)} dst={text4(key.dst)}"
    if key.proto in (6, 17, 33, 132, 136):
        out += f" sport={key.sport} dport={key.dport}"
    elif key.proto == 1:
        out += f" type={key.dport >> 8} code={key.dport & 255} id={key.sport}"
    return out


def to_text(entry: CtEntry, now: float) -> str:
    """`tcp      6 119 TIME_WAIT src=... [ASSURED] mark=0 use=1`."""
    words = [f"{PROTO_TEXT.get(entry.orig.proto, 'unknown'):<8} {entry.orig.proto}"]
    words.append(str(max(0, int(entry.deadline - now))))
    if entry.state:
        words.append(entry.state)
    words.append(tuple_text(entry.orig))
    if not entry.seen_reply:
        words.append("[UNREPLIED]")
    words.append(tuple_text(entry.reply))
    if entry.assured:
        words.append("[ASSURED]")
    return " ".join([*words, f"mark={entry.mark}", "use=1"])
