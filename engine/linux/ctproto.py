"""What a packet does to its connection, protocol by protocol: which may begin one, for how long it lives then.

Theory. UDP lives shortly until packets in both directions are more than two seconds apart from its first (a stream);
ICMP begins with a request; GRE has a stream's two times; every other protocol has one. TCP is in `cttcp.py`, SCTP in
`ctsctp.py`. Sources:
net/netfilter/nf_conntrack_proto_{udp,icmp,gre,generic}.c, nf_conntrack_core.c (Linux 6.12).

Rules. `Settings` holds the sysctls of one namespace; functions return entries or a word, and store nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engine.linux.conntrack import NO_ZONE, CtEntry, Tuple, Zone
from engine.linux.ctsctp import NO_BEGINNING, moved
from engine.linux.ctsctp import TIMES as SCTP_TIMES
from engine.linux.cttcp import TcpSettings, begin, data_length, segment, valid_flags
from engine.linux.packet import Icmp, Packet, Proto, Sctp, Tcp
from engine.linux.sysctls import Sysctls
from engine.record import dataclass, replace

GRE = 47
#: seconds that a UDP connection must live before it can be a stream
STREAM_AFTER = 2.0
TIMEOUTS = {
    "SYN_SENT": 120, "SYN_RECV": 60, "ESTABLISHED": 432000, "FIN_WAIT": 120, "CLOSE_WAIT": 60, "LAST_ACK": 30,
    "TIME_WAIT": 120, "CLOSE": 10, "SYN_SENT2": 120, "MAX_RETRANS": 300, "UNACK": 300, "udp": 30, "udp_stream": 120,
    "icmp": 30, "generic": 600, "gre": 30, "gre_stream": 180,
    **{f"sctp {state}": seconds for state, seconds in SCTP_TIMES.items()},
}  # fmt: skip
HEAD = "net.netfilter.nf_conntrack_"
#: sysctl (without HEAD) -> the key of TIMEOUTS that it sets
TIMEOUT_KEYS = {
    "tcp_timeout_syn_sent": "SYN_SENT", "tcp_timeout_syn_recv": "SYN_RECV", "tcp_timeout_established": "ESTABLISHED",
    "tcp_timeout_fin_wait": "FIN_WAIT", "tcp_timeout_close_wait": "CLOSE_WAIT", "tcp_timeout_last_ack": "LAST_ACK",
    "tcp_timeout_time_wait": "TIME_WAIT", "tcp_timeout_close": "CLOSE", "tcp_timeout_max_retrans": "MAX_RETRANS",
    "tcp_timeout_unacknowledged": "UNACK", "udp_timeout": "udp", "udp_timeout_stream": "udp_stream",
    **{f"sctp_timeout_{state.lower()}": f"sctp {state}" for state in SCTP_TIMES},
    "icmp_timeout": "icmp", "generic_timeout": "generic", "gre_timeout": "gre", "gre_timeout_stream": "gre_stream",
}  # fmt: skip
#: sysctls of connection tracking and their defaults
SYSCTLS = {
    **{HEAD + key: str(TIMEOUTS[state]) for key, state in TIMEOUT_KEYS.items()},
    HEAD + "acct": "0", HEAD + "buckets": "262144", HEAD + "checksum": "1", HEAD + "count": "0", HEAD + "events": "2",
    HEAD + "expect_max": "4096", HEAD + "log_invalid": "0", HEAD + "max": "262144", HEAD + "tcp_be_liberal": "0",
    HEAD + "tcp_ignore_invalid_rst": "0", HEAD + "tcp_loose": "1", HEAD + "tcp_max_retrans": "3",
    HEAD + "timestamp": "0",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The sysctls that a packet's way through the tracker depends on. `times` seconds by state or protocol."""

    times: Mapping[str, int]
    tcp: TcpSettings
    acct: bool = False
    timestamp: bool = False
    limit: int = 262144
    buckets: int = 262144


DEFAULTS = Settings(times=TIMEOUTS, tcp=TcpSettings(times=TIMEOUTS))


def settings(sysctls: Sysctls) -> Settings:
    """As the namespace has them; `sysctls` holds what was changed."""
    found: Settings | None = sysctls.known.get(Settings)
    if found is None:
        found = sysctls.known[Settings] = _settings(sysctls)
    return found


def _settings(sysctls: Mapping[str, str]) -> Settings:
    changed = {key[len(HEAD) :]: int(value) for key, value in sysctls.items() if key.startswith(HEAD)}
    if not changed:
        return DEFAULTS
    times = {**TIMEOUTS, **{TIMEOUT_KEYS[key]: v for key, v in changed.items() if key in TIMEOUT_KEYS}}
    get = changed.get
    tcp = TcpSettings(
        times=times, loose=bool(get("tcp_loose", 1)), be_liberal=bool(get("tcp_be_liberal", 0)),
        max_retrans=get("tcp_max_retrans", 3), ignore_invalid_rst=bool(get("tcp_ignore_invalid_rst", 0)),
    )  # fmt: skip
    return Settings(
        times=times, tcp=tcp, acct=bool(get("acct", 0)), timestamp=bool(get("timestamp", 0)),
        limit=get("max", 262144), buckets=get("buckets", 262144),
    )  # fmt: skip


def timeouts(sysctls: Sysctls) -> Mapping[str, int]:
    """Seconds by state, as the namespace's sysctls have them."""
    return settings(sysctls).times


class Judged(NamedTuple):
    """`word` is accept, ignore (nothing but memory changed), invalid, repeat (the entry dies, look up again) or kill
    (accept, and the entry dies); `entry` is the entry afterwards."""

    word: str
    entry: CtEntry


def initial(
    packet: Packet, key: Tuple, now: float, how: Settings = DEFAULTS, zone: Zone = NO_ZONE
) -> CtEntry | None:
    """An unconfirmed entry for a first packet, None when no connection may begin like that (ctstate INVALID).
    TCP begins with SYN, or is picked up in the middle by an ACK (tcp_loose = 1); SYN-ACK, FIN and RST begin nothing.
    ICMP begins with a request (nf_conntrack_proto_tcp.c and _icmp.c)."""
    l4 = packet.l4
    counts = (0, 0, 0, 0) if how.acct else None
    fresh = CtEntry(
        id=0, orig=key, reply=key.mirrored(), deadline=now, born=now, zone=zone, counts=counts,
        alive=now if how.timestamp else None,
    )  # fmt: skip
    if isinstance(l4, Tcp):
        if not valid_flags(l4):
            return None
        track = begin(l4, data_length(packet), how.tcp)
        if track is None:
            return None
        fresh = replace(fresh, state="NONE", tcp=track)
    elif isinstance(l4, Icmp) and l4.type not in (8, 13, 15, 17):
        return None
    elif key.proto == Proto.SCTP:
        if not isinstance(l4, Sctp) or l4.chunk in NO_BEGINNING:
            return None
        fresh = replace(fresh, state="NONE")
    judged = advance(fresh, packet, "original", now, how)
    return None if judged.word == "invalid" else judged.entry


def advance(entry: CtEntry, packet: Packet, direction: str, now: float, how: Settings = DEFAULTS) -> Judged:
    """The entry after this packet: seen-reply, assured, TCP state, new deadline."""
    reply = direction == "reply"
    seen = entry.seen_reply or reply
    l4, proto = packet.l4, entry.orig.proto
    if isinstance(l4, Tcp) and entry.tcp is not None:
        return advance_tcp(entry, packet, l4, direction, now, how)
    if isinstance(l4, Sctp):
        return advance_sctp(entry, packet, l4, direction, now, how)
    if isinstance(l4, Icmp) and entry.orig.dport >> 8 not in (8, 13, 15, 17):
        return Judged("invalid", entry)
    assured = entry.assured
    seconds = how.times["icmp" if proto == Proto.ICMP else "generic"]
    if proto == Proto.UDP:
        stream = entry.seen_reply and now > entry.born + STREAM_AFTER
        seconds = how.times["udp_stream" if stream else "udp"]
        assured = assured or (stream and not entry.clash)
    elif proto == GRE:
        seconds = how.times["gre_stream" if entry.seen_reply else "gre"]
        assured = assured or entry.seen_reply
    changed = replace(
        entry, seen_reply=seen, assured=assured, deadline=entry.deadline if entry.fixed else now + seconds,
        counts=counted(entry, packet, reply),
    )  # fmt: skip
    return Judged("accept", changed)


def advance_sctp(
    entry: CtEntry, packet: Packet, sctp: Sctp, direction: str, now: float, how: Settings
) -> Judged:
    """The association counts as assured once COOKIE ACK has come from the other side."""
    state = moved(entry.state, sctp.chunk, direction)
    if not state:
        return Judged("invalid", entry)
    reply = direction == "reply"
    assured = entry.assured or (entry.state == "COOKIE_ECHOED" and reply and state == "ESTABLISHED")
    changed = replace(
        entry, state=state, assured=assured, seen_reply=entry.seen_reply or reply,
        deadline=entry.deadline if entry.fixed else now + how.times[f"sctp {state}"],
        counts=counted(entry, packet, reply),
    )  # fmt: skip
    return Judged("accept", changed)


def advance_tcp(
    entry: CtEntry, packet: Packet, tcp: Tcp, direction: str, now: float, how: Settings
) -> Judged:
    assert entry.tcp is not None
    if not valid_flags(tcp):
        return Judged("invalid", entry)
    moved = segment(
        entry.state, entry.tcp, tcp, data_length(packet), direction, seen_reply=entry.seen_reply,
        assured=entry.assured, left=entry.deadline - now, settings=how.tcp,
    )  # fmt: skip
    reply = direction == "reply"
    if moved.verdict == "repeat":
        return Judged("repeat", entry)
    deadline = entry.deadline if moved.seconds is None or entry.fixed else now + moved.seconds
    if moved.verdict == "invalid":
        return Judged("invalid", replace(entry, tcp=moved.track, deadline=deadline))
    if moved.verdict == "ignore":
        return Judged("ignore", replace(entry, tcp=moved.track, seen_reply=entry.seen_reply or reply))
    changed = replace(
        entry, state=moved.state, tcp=moved.track, assured=entry.assured or moved.assured, deadline=deadline,
        seen_reply=entry.seen_reply or reply,
        counts=entry.counts if moved.seconds is None else counted(entry, packet, reply),
    )  # fmt: skip
    return Judged(moved.verdict, changed)


def counted(entry: CtEntry, packet: Packet, reply: bool) -> tuple[int, int, int, int] | None:
    """Packets and bytes with this one added, where accounting is on."""
    if entry.counts is None:
        return None
    a, b, c, d = entry.counts
    size = packet.ip_length()
    return (a, b, c + 1, d + size) if reply else (a + 1, b + size, c, d)
