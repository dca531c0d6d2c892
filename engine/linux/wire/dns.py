"""A DNS message as a value, as text and as bytes: one form for who asks, who answers, tcpdump and capture files.

Theory. A message is a question, flags and three lists of records. In a packet it is a Payload of protocol "dns" whose
text says it whole, in one line: `A? web. #31367 rd` asks, `NOERROR A? web. #31367 aa rd | web. 30 A 10.96.71.20`
answers; `| auth ...` and `| more ...` are records of the authority and the additional section. The payload's size is
that of the real bytes, by TCP with two bytes of length before them.

Rules. Types, rcodes and data are written as a zone file writes them. A name ends in a dot. The TTL counts seconds.
Source: RFC 1035 section 4, RFC 2782 (SRV), RFC 6891 (EDNS), RFC 7873 (COOKIE).
"""

from __future__ import annotations

import ipaddress
import struct

from engine.errors import NotModelled
from engine.linux.packet import Layer, Payload, Udp
from engine.record import dataclass, replace

TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
    "NAPTR": 35, "DS": 43, "SSHFP": 44, "DNSKEY": 48, "TLSA": 52, "SVCB": 64, "HTTPS": 65, "IXFR": 251, "AXFR": 252,
    "ANY": 255, "CAA": 257,
}  # fmt: skip
#: a whole zone is asked for, by TCP
TRANSFERS = ("AXFR", "IXFR")
RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}
#: bytes of an answer by UDP that a client without EDNS takes
PLAIN_SIZE = 512
FLAGS = ("aa", "tc", "rd", "ra", "ad", "cd")
_BITS = {"aa": 0x0400, "tc": 0x0200, "rd": 0x0100, "ra": 0x0080, "ad": 0x0020, "cd": 0x0010}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One resource record of class IN. `data` is as in a zone file (`0 100 80 web.shop.svc.cluster.local.`)."""

    name: str
    type: str
    data: str
    ttl: int = 0

    def text(self) -> str:
        return f"{self.name} {self.ttl} {self.type} {self.data}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A question or an answer. `response` tells which; `edns` is the size that an OPT record offers (0: there is none),
    `cookie` its COOKIE option in hex; `packed` = names are compressed."""

    name: str
    type: str = "A"
    id: int = 0
    response: bool = False
    rcode: str = "NOERROR"
    aa: bool = False
    tc: bool = False
    rd: bool = True
    ra: bool = False
    ad: bool = False
    cd: bool = False
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    edns: int = 0
    cookie: str = ""
    packed: bool = False

    def reply(self, rcode: str = "NOERROR") -> Message:
        """An answer to this question without records: its id, question and RD."""
        return Message(
            name=self.name, type=self.type, id=self.id, response=True, rcode=rcode, rd=self.rd, cd=self.cd
        )

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags that are set, as dig prints them: qr aa rd ra."""
        return (*(("qr",) if self.response else ()), *(f for f in FLAGS if getattr(self, f)))

    def text(self) -> str:
        words = [*([self.rcode] if self.response else []), f"{self.type}?", self.name, f"#{self.id}"]
        words += [f for f in FLAGS if getattr(self, f)]
        words += [f"edns={self.edns}"] if self.edns else []
        words += [f"cookie={self.cookie}"] if self.cookie else []
        words += ["packed"] if self.packed else []
        parts = [" ".join(words), *(r.text() for r in self.answers)]
        parts += [f"auth {r.text()}" for r in self.authority] + [f"more {r.text()}" for r in self.additional]
        return " | ".join(parts)

    def payload(self, *, tcp: bool = False) -> Payload:
        return Payload(protocol="dns", text=self.text(), size=len(self.encode()) + (2 if tcp else 0))

    # ---- bytes

    def encode(self) -> bytes:
        """The message as it stands on the wire. NotModelled for a type that has no bytes here."""
        bits = 0x8000 if self.response else 0
        bits |= sum(bit for flag, bit in _BITS.items() if getattr(self, flag)) | RCODES.get(self.rcode, 2)
        extra = len(self.additional) + bool(self.edns)
        counts = (1, len(self.answers), len(self.authority), extra)
        out = bytearray(struct.pack(">6H", self.id & 0xFFFF, bits, *counts))
        known: dict[str, int] | None = {} if self.packed else None
        _put_name(out, self.name, known)
        out += struct.pack(">2H", _type(self.type), 1)
        for record in (*self.answers, *self.authority, *self.additional):
            _put_record(out, record, known)
        if self.edns:
            option = bytes.fromhex(self.cookie)
            data = struct.pack(">2H", 10, len(option)) + option if option else b""
            out += b"\0" + struct.pack(">HHIH", 41, self.edns, 0, len(data)) + data
        return bytes(out)

    def cut(self, size: int) -> Message:
        """The answer as a server sends it where `size` bytes are allowed: compressed if it must be, then cut with TC
        (miekg/dns msg_truncate.go)."""
        if len(self.encode()) <= size:
            return self
        fit = replace(self, packed=True)
        while len(fit.encode()) > size:
            if fit.additional:
                fit = replace(fit, additional=fit.additional[:-1], tc=True)
            elif fit.authority:
                fit = replace(fit, authority=fit.authority[:-1], tc=True)
            elif fit.answers:
                fit = replace(fit, answers=fit.answers[:-1], tc=True)
            else:
                break
        return fit


def _type(word: str) -> int:
    if word in TYPES:
        return TYPES[word]
    if word.startswith("TYPE") and word[4:].isdigit():
        return int(word[4:])
    raise NotModelled(f"DNS {word}")


def labels(name: str) -> list[bytes]:
    """`web.default.` as bytes of its labels. A label over 63 bytes is cut."""
    return [
        label.encode("idna" if not label.isascii() else "ascii")[:63] for label in name.split(".") if label
    ]


def _put_name(out: bytearray, name: str, known: dict[str, int] | None) -> None:
    rest = [label for label in name.lower().split(".") if label]
    for number, label in enumerate(labels(name)):
        tail = ".".join(rest[number:])
        if known is not None:
            if tail in known:
                out += struct.pack(">H", 0xC000 | known[tail])
                return
            if len(out) < 0x4000:
                known[tail] = len(out)
        out += bytes([len(label)]) + label
    out += b"\0"


def _put_record(out: bytearray, record: Record, known: dict[str, int] | None) -> None:
    _put_name(out, record.name, known)
    out += struct.pack(">HHI", _type(record.type), 1, record.ttl) + b"\0\0"
    start = len(out)
    words = record.data.split(" ")
    if record.type == "A":
        out += ipaddress.IPv4Address(record.data).packed
    elif record.type == "AAAA":
        out += ipaddress.IPv6Address(record.data).packed
    elif record.type in ("CNAME", "NS", "PTR"):
        _put_name(out, record.data, known)
    elif record.type == "SRV":
        out += struct.pack(">3H", *(int(w) for w in words[:3]))
        _put_name(out, words[3], None)
    elif record.type == "MX":
        out += struct.pack(">H", int(words[0]))
        _put_name(out, words[1], known)
    elif record.type == "SOA":
        _put_name(out, words[0], known)
        _put_name(out, words[1], known)
        out += struct.pack(">5I", *(int(w) for w in words[2:7]))
    elif record.type in ("TXT", "HINFO"):
        for piece in strings(record.data):
            out += bytes([len(piece)]) + piece
    else:
        raise NotModelled(f"DNS {record.type}")
    struct.pack_into(">H", out, start - 2, len(out) - start)


def strings(data: str) -> list[bytes]:
    """The character strings of TXT data: `"1.1.0"`."""
    return [piece.encode()[:255] for piece in data.split('"')[1::2]] or [data.encode()[:255]]


# ---- text


def read(text: str) -> Message | None:
    """The message of a payload's text, None for one that is none. What a question leaves out is RD alone."""
    head, *rest = text.split(" | ")
    words = head.split()
    response = bool(words) and not words[0].endswith("?")
    rcode = words.pop(0) if response else "NOERROR"
    if len(words) < 2 or not words[0].endswith("?"):
        return None
    sections: dict[str, list[Record]] = {"": [], "auth": [], "more": []}
    for part in rest:
        first, _, tail = part.partition(" ")
        section, line = (first, tail) if first in ("auth", "more") else ("", part)
        pieces = line.split(" ", 3)
        if len(pieces) == 4 and pieces[1].isdigit():
            name, ttl, type, data = pieces
            sections[section].append(Record(name=name, ttl=int(ttl), type=type, data=data))
    flags = words[2:]
    settings = dict(word.split("=", 1) for word in flags if "=" in word)
    number = next((w[1:] for w in flags if w.startswith("#")), "0")
    return Message(
        name=words[1], type=words[0][:-1], id=int(number) if number.isdigit() else 0, response=response, rcode=rcode,
        aa="aa" in flags, tc="tc" in flags, rd="rd" in flags or len(flags) == 0, ra="ra" in flags, ad="ad" in flags,
        cd="cd" in flags, answers=tuple(sections[""]), authority=tuple(sections["auth"]),
        additional=tuple(sections["more"]), edns=int(settings.get("edns", "0")), cookie=settings.get("cookie", ""),
        packed="packed" in flags,
    )  # fmt: skip


def of(payload: Payload | None) -> Message | None:
    """The message in a payload; None when it holds none."""
    return read(payload.text) if payload is not None and payload.protocol == "dns" else None


def message(udp: Udp, rest: tuple[Layer, ...]) -> bytes | None:
    """The bytes of the DNS message behind a UDP header; None for anything else."""
    data = rest[0] if rest else None
    found = of(data) if isinstance(data, Payload) else None
    return found.encode() if found is not None else None


def reverse(address: int) -> str:
    """The name under in-addr.arpa of an IPv4 address."""
    return ".".join(str(address >> shift & 255) for shift in (0, 8, 16, 24)) + ".in-addr.arpa."


def unreverse(name: str) -> int | None:
    """The IPv4 address that a name under in-addr.arpa stands for, None when it is none."""
    parts = name.lower().removesuffix(".").removesuffix(".in-addr.arpa").split(".")
    if not name.lower().rstrip(".").endswith(".in-addr.arpa") or len(parts) != 4:
        return None
    if not all(p.isascii() and p.isdigit() and int(p) < 256 for p in parts):
        return None
    return sum(int(p) << 8 * i for i, p in enumerate(parts))


# ---- tcpdump


_RCODE_WORDS = {
    "NOERROR": "", "FORMERR": " FormErr", "SERVFAIL": " ServFail", "NXDOMAIN": " NXDomain", "NOTIMP": " NotImp",
    "REFUSED": " Refused",
}  # fmt: skip


def told(found: Message, size: int, verbose: int = 0) -> str:
    """A message as tcpdump prints it (print-domain.c)."""
    if not found.response:
        marks = ("+" if found.rd else "") + ("%" if found.cd else "")
        more = f" [{len(found.additional) + 1}au]" if found.edns else ""
        return f"{found.id}{marks}{more} {found.type}? {found.name} ({size})"
    marks = _RCODE_WORDS.get(found.rcode, "") + ("*" if found.aa else "") + ("" if found.ra else "-")
    marks += ("|" if found.tc else "") + ("$" if found.ad else "")
    extra = len(found.additional) + bool(found.edns)
    out = f"{found.id}{marks}"
    if verbose > 1:
        out += f" q: {found.type}? {found.name}"
    out += f" {len(found.answers)}/{len(found.authority)}/{extra}"
    out += ",".join(_told_record(r, verbose) for r in found.answers)
    if verbose and found.authority:
        out += " ns:" + ",".join(_told_record(r, verbose) for r in found.authority)
    if verbose and extra:
        rows = [_told_record(r, verbose) for r in found.additional]
        rows += [f" . OPT UDPsize={found.edns}"] if found.edns else []
        out += " ar:" + ",".join(rows)
    return f"{out} ({size})"


def _told_record(record: Record, verbose: int) -> str:
    head = f" {record.name}" if verbose else ""
    ttl = f" [{_span(record.ttl)}]" if verbose > 1 else ""
    words = record.data.split(" ")
    data = f" {record.data}"
    if record.type == "SRV":
        data = f" {words[3]}:{words[2]} {words[0]} {words[1]}"
    elif record.type == "MX":
        data = f" {words[1]} {words[0]}"
    elif record.type == "SOA" and not verbose:
        data = ""
    return f"{head}{ttl} {record.type}{data}"


def _span(seconds: int) -> str:
    """A TTL as unsigned_relts_print writes it: 30s, 1m30s, 1h."""
    out = ""
    for unit, size in (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= size:
            out += f"{seconds // size}{unit}"
            seconds %= size
    return out or "0s"
