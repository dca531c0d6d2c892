"""TCP as connection tracking sees it: the state table, the windows, and what each segment does to an entry.

Theory. The tracker stands between the two ends. `NEXT` says which state a kind of segment leads to in each direction;
a segment outside the windows that both sides have shown is invalid and changes nothing. Source:
net/netfilter/nf_conntrack_proto_tcp.c of Linux 6.12 (tcp_conntracks, tcp_in_window, nf_conntrack_tcp_packet), compared
with Linux 6.18 packet by packet in tests/real/test_conntrack.py.

Rules. Nothing here knows the table of connections: `segment` gives a new state, or a word. Segments of the model carry
no window and no options, so every window is WINDOW, unscaled, without SACK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engine.linux.packet import Packet, Tcp
from engine.record import dataclass

#: the window that every segment of the model offers
WINDOW = 64240
MAX_ACK_WINDOW = 66000
STATES = (
    "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",
    "SYN_SENT2",
)  # fmt: skip
#: in these states an entry may be evicted, and a RST needs no checks (tcp_can_early_drop)
CLOSING = ("FIN_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "CLOSE_WAIT")
_WORDS = {
    "SS": "SYN_SENT", "SR": "SYN_RECV", "ES": "ESTABLISHED", "FW": "FIN_WAIT", "CW": "CLOSE_WAIT", "LA": "LAST_ACK",
    "TW": "TIME_WAIT", "CL": "CLOSE", "S2": "SYN_SENT2", "IG": "ignore", "IV": "invalid",
}  # fmt: skip
#: direction and kind of segment -> a column for each of STATES
_TABLE = {
    ("original", "syn"): "SS SS IG IG IG IG IG SS SS S2",
    ("original", "synack"): "IV IV SR IV IV IV IV IV IV SR",
    ("original", "fin"): "IV IV FW FW LA LA LA TW CL IV",
    ("original", "ack"): "ES IV ES ES CW CW TW TW CL IV",
    ("original", "rst"): "IV CL CL CL CL CL CL CL CL CL",
    ("original", "none"): "IV IV IV IV IV IV IV IV IV IV",
    ("reply", "syn"): "IV S2 IV IV IV IV IV SS IV S2",
    ("reply", "synack"): "IV SR IG IG IG IG IG IG IG SR",
    ("reply", "fin"): "IV IV FW FW LA LA LA TW CL IV",
    ("reply", "ack"): "IV IG SR ES CW CW TW TW CL IG",
    ("reply", "rst"): "IV CL CL CL CL CL CL CL CL CL",
    ("reply", "none"): "IV IV IV IV IV IV IV IV IV IV",
}  # fmt: skip
NEXT = {
    (*key, state): _WORDS[word]
    for key, row in _TABLE.items()
    for state, word in zip(STATES, row.split(), strict=True)
}
#: flags that may stand together, PUSH and the ECN bits aside (tcp_valid_flags)
VALID_FLAGS = frozenset(frozenset(word) for word in ("S", "SU", "SA", "R", "RA", "FA", "FAU", "A", "AU"))


class Side(NamedTuple):
    """What one end has shown: the highest byte sent (`end`) and allowed (`maxend`), its window, its highest ACK (None
    before the first); `liberal` and `unacked` and `closed` (it sent the first FIN) are the kernel's flags."""

    end: int = 0
    maxend: int = 0
    maxwin: int = 0
    maxack: int | None = None
    liberal: bool = False
    unacked: bool = False
    closed: bool = False


class Track(NamedTuple):
    """`sides` by direction (original, reply); `last_*` describe the last segment that was noted."""

    sides: tuple[Side, Side] = (Side(), Side())
    last_kind: str = "none"
    last_dir: str = "original"
    last_seq: int = 0
    last_ack: int = 0
    last_end: int = 0
    last_win: int = 0
    retrans: int = 0
    simultaneous: bool = False
    challenge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSettings:
    """The sysctls nf_conntrack_tcp_*, `times` the timeouts by state and "MAX_RETRANS", "UNACK"."""

    times: Mapping[str, int]
    loose: bool = True
    be_liberal: bool = False
    max_retrans: int = 3
    ignore_invalid_rst: bool = False


class Moved(NamedTuple):
    """What a segment does. `verdict` is accept, ignore (lets it pass, only `track` may change), invalid, repeat (delete
    the entry and look up again) or kill (accept, and the entry goes). `seconds` None leaves the timer alone."""

    verdict: str
    state: str
    track: Track
    seconds: int | None = None
    assured: bool = False


def kind_of(tcp: Tcp) -> str:
    """Which row of the table a segment is (get_conntrack_index)."""
    flags = tcp.flags
    if "R" in flags:
        return "rst"
    if "S" in flags:
        return "synack" if "A" in flags else "syn"
    if "F" in flags:
        return "fin"
    return "ack" if "A" in flags else "none"


def valid_flags(tcp: Tcp) -> bool:
    return frozenset(tcp.flags) - {"P", "E", "W", "C"} in VALID_FLAGS


def data_length(packet: Packet) -> int:
    """Bytes behind the TCP header."""
    for at, layer in enumerate(packet.layers):
        if isinstance(layer, Tcp):
            return sum(after.header_length() for after in packet.layers[at + 1 :])
    return 0


def end_of(tcp: Tcp, length: int) -> int:
    return tcp.seq + length + ("S" in tcp.flags) + ("F" in tcp.flags) & 0xFFFFFFFF


def after(a: int, b: int) -> bool:
    """Is sequence number a later than b?"""
    return 0 < (a - b & 0xFFFFFFFF) < 0x80000000


def before(a: int, b: int) -> bool:
    return after(b, a)


def begin(tcp: Tcp, length: int, settings: TcpSettings) -> Track | None:
    """What is remembered of a first segment; None when no connection may begin with it (tcp_new)."""
    state = NEXT["original", kind_of(tcp), "NONE"]
    end = end_of(tcp, length)
    if state == "SYN_SENT":
        return Track(sides=(Side(end=end, maxend=end, maxwin=WINDOW), Side()))
    if state == "invalid" or not settings.loose:
        return None
    first = Side(end=end, maxend=end + WINDOW & 0xFFFFFFFF, maxwin=WINDOW, liberal=True)
    return Track(sides=(first, Side(liberal=True)))


def segment(
    state: str, track: Track, tcp: Tcp, length: int, direction: str, *, seen_reply: bool, assured: bool,
    left: float, settings: TcpSettings,
) -> Moved:  # fmt: skip
    """The tracker's answer to a segment of `length` data bytes. `state` is "NONE" for the one that begins the
    connection; `left` the seconds that the entry still has."""
    kind, old = kind_of(tcp), state
    new = NEXT[direction, kind, old]
    here = 0 if direction == "original" else 1
    skip_window = False
    if new == "invalid":
        return Moved("invalid", state, track)
    if new == "SYN_SENT" and old in ("TIME_WAIT", "CLOSE", "SYN_SENT2"):
        if track.sides[0].closed or track.sides[1].closed or (
            track.last_dir == direction and track.last_kind == "rst"
        ):  # fmt: skip
            return Moved("repeat", state, track)
        new = "ignore"
    if new == "ignore":
        in_sync = (
            kind == "synack" and track.last_kind == "syn" and track.last_dir != direction and tcp.ack == track.last_end
        )  # fmt: skip
        if not in_sync:
            return Moved("ignore", state, noted(track, old, kind, tcp, length, direction))
        old, new = "SYN_SENT", "SYN_RECV"
        other = Side(end=track.last_end, maxend=track.last_end, maxwin=track.last_win or 1)
        mine = Side(liberal=track.sides[here].liberal)
        track = track._replace(sides=(mine, other) if here == 0 else (other, mine), challenge=False)
    elif new == "TIME_WAIT":
        if (
            old == "LAST_ACK" and kind == "ack" and track.last_dir != direction and track.last_kind == "syn"
            and track.challenge
        ):  # fmt: skip
            return Moved("ignore", state, track._replace(challenge=False))
    elif new == "SYN_SENT2":
        track = track._replace(simultaneous=True)
    elif new == "SYN_RECV":
        if direction == "reply" and kind == "ack" and track.simultaneous:
            new = "ESTABLISHED"
    elif new == "CLOSE" and kind == "rst":
        judged = reset(old, track, tcp, direction, seen_reply, assured, settings)
        if judged == "invalid":
            return Moved("invalid", state, track)
        skip_window = judged == "skip"
        new = old if judged == "keep" else new
    if not skip_window:
        word, track = in_window(state, track, tcp, length, kind, direction, settings)
        if word == "ignore":
            return Moved("ignore", state, track)
        if word == "invalid":
            return handle_invalid(state, track, kind, direction, assured, left, settings)
    track = track._replace(last_kind=kind, last_dir=direction)
    if old != new and new == "FIN_WAIT":
        track = with_side(track, here, track.sides[here]._replace(closed=True))
    return timed(old, new, track, kind, seen_reply, assured, settings)


def timed(
    old: str, new: str, track: Track, kind: str, seen_reply: bool, assured: bool, settings: TcpSettings
) -> Moved:
    """The timeout that a segment inside the windows earns, and whether the entry is assured now."""
    times = settings.times
    seconds = times[new]
    unacked = track.sides[0].unacked or track.sides[1].unacked
    if track.retrans >= settings.max_retrans and seconds > times["MAX_RETRANS"]:
        seconds = times["MAX_RETRANS"]
    elif kind == "rst":
        seconds = times["CLOSE"]
    elif unacked and seconds > times["UNACK"]:
        seconds = times["UNACK"]
    elif track.last_win == 0 and seconds > times["MAX_RETRANS"]:
        seconds = times["MAX_RETRANS"]
    if not seen_reply:
        if kind == "rst":
            return Moved("kill", new, track, seconds)
        if kind == "syn" and old == "SYN_SENT":
            return Moved("accept", new, track, None)
        if new == "ESTABLISHED" and seconds > times["UNACK"]:
            seconds = times["UNACK"]
        return Moved("accept", new, track, seconds)
    sure = not assured and old in ("SYN_RECV", "ESTABLISHED") and new == "ESTABLISHED"
    return Moved("accept", new, track, seconds, assured=sure)


def noted(track: Track, old: str, kind: str, tcp: Tcp, length: int, direction: str) -> Track:
    """A segment that is let through without a verdict is remembered, for the answer may show who is right."""
    track = track._replace(
        last_kind=kind, last_dir=direction, last_seq=tcp.seq, last_end=end_of(tcp, length), last_win=WINDOW
    )
    if kind == "syn" and direction == "original":
        # The options' flags are written anew: no window scale, no SACK, and what was kept beside them is gone.
        track = track._replace(challenge=old == "LAST_ACK", simultaneous=False)
    if old == "SYN_SENT" and kind == "ack" and direction == "reply":
        track = track._replace(last_ack=tcp.ack)
    return track


def reset(
    old: str, track: Track, tcp: Tcp, direction: str, seen_reply: bool, assured: bool, settings: TcpSettings
) -> str:
    """A RST: "invalid", "skip" (no window check), "keep" (the state stays) or "" (judge it by the window)."""
    if old in CLOSING:
        return "skip"
    other = track.sides[1 if direction == "original" else 0]
    kept = ""
    if other.maxack is not None and track.last_kind != "syn":
        established = old == "ESTABLISHED" and assured
        if tcp.seq == 0 and not established:
            return ""
        if before(tcp.seq, other.maxack) and not settings.ignore_invalid_rst:
            return "invalid"
        if not established or tcp.seq == other.maxack:
            return ""
        if track.last_kind == "ack" and track.last_dir == direction and tcp.seq == track.last_end:
            return ""
        kept = "keep"
    answers = (seen_reply and track.last_kind == "syn" and track.last_dir != direction) or (
        not assured and track.last_kind == "ack"
    )
    if answers and tcp.ack == track.last_end:
        return "skip"
    challenged = old == "SYN_SENT" and track.last_kind == "ack" and track.last_dir == "reply"
    if challenged and tcp.seq == track.last_ack:
        return "skip"
    return kept


def handle_invalid(
    old: str, track: Track, kind: str, direction: str, assured: bool, left: float, settings: TcpSettings
) -> Moved:
    """A FIN or RST outside the window: after one from each side the entry's time is cut (nf_tcp_handle_invalid)."""
    if not assured or kind not in ("rst", "fin"):
        return Moved("invalid", old, track)
    if track.last_dir != direction and track.last_kind in ("fin", "rst"):
        seconds = settings.times["UNACK"]
        return Moved("invalid", old, track, seconds if left >= 120 and left > seconds else None)
    return Moved("invalid", old, track._replace(last_kind=kind, last_dir=direction))


def with_side(track: Track, at: int, side: Side) -> Track:
    return track._replace(sides=(side, track.sides[1]) if at == 0 else (track.sides[0], side))


def in_window(
    state: str, track: Track, tcp: Tcp, length: int, kind: str, direction: str, settings: TcpSettings
) -> tuple[str, Track]:
    """("accept" | "ignore" | "invalid", what is remembered now), as tcp_in_window judges it."""
    here = 0 if direction == "original" else 1
    sender, receiver = track.sides[here], track.sides[1 - here]
    flags = tcp.flags
    syn, has_ack = "S" in flags, "A" in flags
    seq, ack, end = tcp.seq, tcp.ack, end_of(tcp, length)
    liberal = sender.liberal or settings.be_liberal

    def made(sender: Side, receiver: Side) -> Track:
        return track._replace(sides=(sender, receiver) if here == 0 else (receiver, sender))

    if sender.maxwin == 0:
        if syn:
            sender = sender._replace(end=end, maxend=end, maxwin=WINDOW)
            if not has_ack:
                return "accept", made(sender, receiver)
        else:
            sender = sender._replace(end=end, maxwin=WINDOW, maxend=end + WINDOW & 0xFFFFFFFF)
            if receiver.maxwin == 0:
                receiver = receiver._replace(end=ack, maxend=ack)
            elif ack == receiver.end + 1 & 0xFFFFFFFF:
                receiver = receiver._replace(end=ack)
    elif syn and after(end, sender.end) and state in ("SYN_SENT", "SYN_RECV"):
        sender = sender._replace(end=end, maxend=end, maxwin=WINDOW)
        if here == 1 and not has_ack:
            return "accept", made(sender, receiver)
    if not has_ack or ("R" in flags and ack == 0):
        ack = receiver.end
    if "R" in flags and seq == 0 and state == "SYN_SENT":
        seq = end = sender.end
    if not before(seq, sender.maxend + 1 & 0xFFFFFFFF):
        overshot = end - sender.maxend + 1 & 0xFFFFFFFF
        ack_ok = after(ack, receiver.end - max(sender.maxwin, MAX_ACK_WINDOW) - 1 & 0xFFFFFFFF)
        near = bool(receiver.maxwin) and after(end, sender.end - receiver.maxwin - 1 & 0xFFFFFFFF)
        if near and ack_ok and overshot <= receiver.maxwin and before(ack, receiver.end + 1 & 0xFFFFFFFF):
            sender = sender._replace(end=end, unacked=True)
            return ("accept" if liberal else "ignore"), made(sender, receiver)
        return ("accept" if liberal else "invalid"), made(sender, receiver)
    if not before(ack, receiver.end + 1 & 0xFFFFFFFF):
        return ("accept" if liberal else "invalid"), made(sender, receiver)
    if receiver.maxwin and not after(end, sender.end - receiver.maxwin - 1 & 0xFFFFFFFF):
        return ("accept" if liberal else "ignore"), made(sender, receiver)
    if not after(ack, receiver.end - max(sender.maxwin, MAX_ACK_WINDOW) - 1 & 0xFFFFFFFF):
        return ("accept" if liberal else "ignore"), made(sender, receiver)
    if sender.maxwin < WINDOW:
        sender = sender._replace(maxwin=WINDOW)
    if after(end, sender.end):
        sender = sender._replace(end=end, unacked=True)
    if has_ack and (sender.maxack is None or after(ack, sender.maxack)):
        sender = sender._replace(maxack=ack)
    if receiver.maxwin and after(end, sender.maxend):
        receiver = receiver._replace(maxwin=receiver.maxwin + (end - sender.maxend & 0xFFFFFFFF) & 0xFFFFFFFF)
    if after(ack + WINDOW & 0xFFFFFFFF, receiver.maxend - 1 & 0xFFFFFFFF):
        receiver = receiver._replace(maxend=ack + WINDOW & 0xFFFFFFFF)
    if ack == receiver.end and receiver.unacked:
        receiver = receiver._replace(unacked=False)
    track = made(sender, receiver)
    if kind == "ack":
        same = (track.last_dir, track.last_seq, track.last_ack, track.last_end, track.last_win)
        if same == (direction, seq, ack, end, WINDOW):
            track = track._replace(retrans=track.retrans + 1)
        else:
            track = track._replace(
                last_dir=direction, last_seq=seq, last_ack=ack, last_end=end, last_win=WINDOW, retrans=0
            )
    return "accept", track
