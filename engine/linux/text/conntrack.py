"""conntrack entries as `conntrack -L` prints them, and read again.

Rules. One line an entry, to the character of conntrack-tools 1.4.7 (libnetfilter_conntrack's default layout). The
seconds left are whole, cut off, on the virtual clock. What a line does not say (the windows of TCP, when the entry
began) is lost by printing.
"""

from __future__ import annotations

import re
from functools import lru_cache

from engine.errors import InputError, Problem
from engine.linux.addr import ip4, text4
from engine.linux.clock import moment
from engine.linux.conntrack import CtEntry, Tuple, Zone
from engine.linux.cttcp import Track
from engine.record import replace
from engine.say import Phrase

#: Protocols that libnetfilter_conntrack names; any other is "unknown".
PROTO_TEXT = {6: "tcp", 17: "udp", 136: "udplite", 1: "icmp", 33: "dccp", 132: "sctp", 47: "gre"}
NOT_AN_ENTRY = Phrase(
    "{line!r} is no line of conntrack -L; it should look like {example}",
    "{line!r}은(는) conntrack -L의 줄이 아닙니다. {example}과(와) 같은 모양이어야 합니다",
)
EXAMPLE = (
    "udp 17 30 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 "
    "mark=0 use=1"
)


@lru_cache(maxsize=1024)
def tuple_text(key: Tuple) -> str:
    """`src=A dst=B sport=P dport=Q`; ICMP has type, code and id instead of ports, GRE keys."""
    out = f"src={text4(key.src)} dst={text4(key.dst)}"
    if key.proto in (6, 17, 33, 132, 136):
        out += f" sport={key.sport} dport={key.dport}"
    elif key.proto == 1:
        out += f" type={key.dport >> 8} code={key.dport & 255} id={key.sport}"
    elif key.proto == 47:
        out += f" srckey={key.sport:#x} dstkey={key.dport:#x}"
    return out


def way_text(entry: CtEntry, reply: bool) -> list[str]:
    """One direction: its tuple, its zone if it has one of its own, its counters."""
    words = [tuple_text(entry.reply if reply else entry.orig)]
    if entry.zone.id and entry.zone.way == ("reply" if reply else "orig"):
        words.append(f"zone-{entry.zone.way}={entry.zone.id}")
    if entry.counts is not None:
        packets, size = entry.counts[2:] if reply else entry.counts[:2]
        words.append(f"packets={packets} bytes={size}")
    return words


def to_text(entry: CtEntry, now: float, *, id: bool = False, ktimestamp: bool = False) -> str:
    """`tcp      6 119 TIME_WAIT src=... [ASSURED] mark=0 use=1`; with `id` and `ktimestamp` as -o adds them."""
    words = [f"{PROTO_TEXT.get(entry.orig.proto, 'unknown'):<8} {entry.orig.proto}"]
    words.append(str(max(0, int(entry.deadline - now))))
    if entry.state:
        words.append(entry.state)
    words += way_text(entry, False)
    if not entry.seen_reply:
        words.append("[UNREPLIED]")
    words += way_text(entry, True)
    if entry.assured:
        words.append("[ASSURED]")
    words.append(f"mark={entry.mark}")
    if entry.zone.id and not entry.zone.way:
        words.append(f"zone={entry.zone.id}")
    if entry.alive is not None:
        words.append(f"delta-time={int(now - entry.alive)}")
        if ktimestamp:
            words.append(f"[start={moment(entry.alive).strftime('%a %b %e %H:%M:%S %Y')}]")
    words.append("use=1")
    if id:
        words.append(f"id={identifier(entry)}")
    return " ".join(words)


def proc_text(entry: CtEntry, now: float) -> str:
    """A line of /proc/net/nf_conntrack; there the reader's own reference counts too."""
    head, _, rest = to_text(entry, now).partition(f" {entry.orig.proto} ")
    zone = "" if entry.zone.id else "zone=0 "
    body = re.sub(r"( delta-time=\d+)? use=1$", lambda m: f" {zone}{(m[1] or '').strip()} use=2", rest)
    body = re.sub(r" +use=2$", " use=2", body)
    return f"ipv4     2 {head} {entry.orig.proto} {body}"


def identifier(entry: CtEntry) -> int:
    """The id that `-o id` shows: the kernel makes it of the entry's address in memory, here of its number."""
    return (entry.id * 2654435761 + 0x9E3779B9) & 0xFFFFFFFF


def save_text(entry: CtEntry, now: float) -> str:
    """`-o save`: the words of the -A that makes the entry again."""
    o, r = entry.orig, entry.reply
    status = [w for w, on in (("SEEN_REPLY", entry.seen_reply), ("ASSURED", entry.assured)) if on]
    words = ["-A", "-t", str(max(0, int(entry.deadline - now))), "-u", ",".join(status) or "UNSET"]
    if entry.zone.id:
        words += [
            {"": "-w", "orig": "--orig-zone", "reply": "--reply-zone"}[entry.zone.way],
            str(entry.zone.id),
        ]
    words += ["-s", text4(o.src), "-d", text4(o.dst)]
    words += ["-g" if entry.dnat and r.src != o.dst else "-r", text4(r.src)]
    words += [
        "-n" if entry.snat and r.dst != o.src else "-q",
        text4(r.dst),
        "-p",
        PROTO_TEXT.get(o.proto, str(o.proto)),
    ]
    if o.proto == 1:
        words += [
            "--icmp-type",
            str(o.dport >> 8),
            "--icmp-code",
            str(o.dport & 255),
            "--icmp-id",
            str(o.sport),
        ]
    elif o.proto in (6, 17, 33, 132, 136):
        words += ["--sport", str(o.sport), "--dport", str(o.dport)]
        words += ["--reply-port-src", str(r.sport), "--reply-port-dst", str(r.dport)]
    if entry.state:
        words += ["--state", entry.state]
    return " ".join(words)


_TUPLE = r"src=(\S+) dst=(\S+)(?: sport=(\d+) dport=(\d+)| type=(\d+) code=(\d+) id=(\d+)| srckey=(\S+) dstkey=(\S+))?"
_LINE = re.compile(
    r"(?:ipv4 +2 +)?\w+ +(?P<proto>\d+) (?P<left>\d+)(?: (?P<state>[A-Z_0-9]+))? "
    rf"{_TUPLE}(?: zone-orig=(?P<zorig>\d+))?(?: packets=(?P<po>\d+) bytes=(?P<bo>\d+))?(?P<unreplied> \[UNREPLIED\])? "
    rf"{_TUPLE}(?: zone-reply=(?P<zreply>\d+))?(?: packets=(?P<pr>\d+) bytes=(?P<br>\d+))?(?P<assured> \[ASSURED\])? "
    r"mark=(?P<mark>\d+)(?: zone=(?P<zone>\d+))?(?: delta-time=(?P<delta>\d+))?(?: \[start=[^]]+\])? use=\d+"
    r"(?: id=\d+)?"
)  # fmt: skip


def parse(line: str, now: float) -> CtEntry:
    """An entry from a line of `conntrack -L`, with id 0. What NAT did is seen in its tuples. InputError otherwise."""
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise InputError([Problem(where="", said=NOT_AN_ENTRY(line=line, example=EXAMPLE))])
    proto, groups, second = int(found["proto"]), found.groups(), found.re.groupindex["unreplied"]
    orig, reply = _tuple(proto, groups[3:12]), _tuple(proto, groups[second : second + 9])
    zone = Zone()
    for way, value in (("", found["zone"]), ("orig", found["zorig"]), ("reply", found["zreply"])):
        if value is not None:
            zone = Zone(id=int(value), way=way)
    counts = None
    if found["po"] is not None and found["pr"] is not None:
        counts = (int(found["po"]), int(found["bo"]), int(found["pr"]), int(found["br"]))
    entry = CtEntry(
        id=0, orig=orig, reply=reply, state=found["state"] or "", deadline=now + int(found["left"]), born=now,
        seen_reply=found["unreplied"] is None, assured=found["assured"] is not None, mark=int(found["mark"]), zone=zone,
        counts=counts, tcp=Track() if proto == 6 else None, decided=3,
        alive=now - int(found["delta"]) if found["delta"] is not None else None,
    )  # fmt: skip
    plain = orig.mirrored()
    source, target = (plain.dst, plain.dport), (plain.src, plain.sport)
    if proto == 1:
        source, target = (plain.dst, plain.sport), (plain.src, 0)
        return replace(entry, snat=(reply.dst, reply.sport) != source, dnat=reply.src != target[0])
    return replace(entry, snat=(reply.dst, reply.dport) != source, dnat=(reply.src, reply.sport) != target)


def _tuple(proto: int, g: tuple[str | None, ...]) -> Tuple:
    src, dst, sport, dport, kind, code, ident, skey, dkey = g
    assert src is not None and dst is not None
    if kind is not None and code is not None and ident is not None:
        return Tuple(proto, ip4(src), int(ident), ip4(dst), int(kind) << 8 | int(code))
    if skey is not None and dkey is not None:
        return Tuple(proto, ip4(src), int(skey, 16), ip4(dst), int(dkey, 16))
    return Tuple(proto, ip4(src), int(sport or 0), ip4(dst), int(dport or 0))
