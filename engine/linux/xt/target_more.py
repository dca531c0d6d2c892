"""Targets after which the next rule is tried: MARK, CONNMARK, LOG, NOTRACK and CT --notrack.

Rules. As in target.py. CONNMARK writes the conntrack entry that the skb carries; LOG writes a line into the
journal of the machine, in the kernel's format (nf_log_syslog.c), and only in the machine's root namespace, as
net.netfilter.nf_log_all_netns = 0 has it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from engine.linux.addr import mac_text, text4
from engine.linux.packet import Ethernet, Icmp, Packet, Tcp, Udp
from engine.linux.wire.encode import tcp_options
from engine.linux.xt.match_more import quoted
from engine.linux.xt.names import LOG_LEVEL_NAMES
from engine.linux.xt.options import (
    LEVEL,
    MARKMASK,
    STRING,
    UINT32,
    Extension,
    Option,
    Parsing,
    Problem,
    exclusive,
)
from engine.linux.xt.seen import Seen
from engine.linux.xt.target import Act, Target
from engine.record import dataclass, replace
from engine.say import Phrase, Said

FULL = 0xFFFFFFFF
MARK_WHY = Phrase("mark the packet ({what})", "패킷에 마크를 답니다({what})")
SET_WHY = Phrase("mark the connection ({what})", "연결에 마크를 답니다({what})")
SAVE_WHY = Phrase("keep the packet's mark in the connection", "패킷의 마크를 연결에 저장합니다")
RESTORE_WHY = Phrase("give the packet the connection's mark", "연결의 마크를 패킷에 복원합니다")
LOG_WHY = Phrase("write a line into the kernel's log, and go on", "커널 로그에 한 줄 남기고 계속합니다")
NOTRACK_WHY = Phrase("do not track this connection", "이 연결을 추적하지 않습니다")


def mark_words(mark: int, mask: int) -> str:
    """`or 0x4000`: how -L says what a mark target does."""
    if mark == 0:
        return f"and 0x{~mask & FULL:x}"
    if mark == mask:
        return f"or 0x{mark:x}"
    if mask == 0:
        return f"xor 0x{mark:x}"
    return f"set 0x{mark:x}" if mask == FULL else f"xset 0x{mark:x}/0x{mask:x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark(Target):
    """`-j MARK`: mark = (mark & ~mask) ^ value."""

    mark: int
    mask: int = FULL

    def run(self, seen: Seen) -> Act | None:
        seen.skb.mark = (seen.skb.mark & ~self.mask & FULL) ^ self.mark
        return None

    def words(self) -> list[str]:
        return ["-j", "MARK", "--set-xmark", f"0x{self.mark:x}/0x{self.mask:x}"]

    def listing(self, numeric: bool) -> str:
        return f" MARK {mark_words(self.mark, self.mask)}"

    def why(self) -> Said:
        return MARK_WHY(what=mark_words(self.mark, self.mask))


def _xmark(p: Parsing, option: Option, value: Any) -> tuple[int, int]:
    """(mark, mask) of --set-xmark, --set-mark, --and-mark, --or-mark, --xor-mark."""
    if option.id == "set-xmark":
        return value[0], value[1]
    if option.id == "set-mark":
        return value[0], value[0] | value[1]
    return {"and-mark": (0, ~value & FULL), "or-mark": (value, value), "xor-mark": (value, 0)}[option.id]


def _mark_option(p: Parsing, option: Option, value: Any, invert: bool) -> None:
    p.values["mark"] = _xmark(p, option, value)


def _mark_check(p: Parsing) -> None:
    if not p.used:
        raise Problem("MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required")


def _mark_build(p: Parsing) -> Mark:
    return Mark(mark=p.values["mark"][0], mask=p.values["mark"][1])


_MARKS = (
    Option("set-xmark", "set-xmark", MARKMASK), Option("set-mark", "set-mark", MARKMASK),
    Option("and-mark", "and-mark", UINT32), Option("or-mark", "or-mark", UINT32),
    Option("xor-mark", "xor-mark", UINT32),
)  # fmt: skip
MARK = Extension(
    name="MARK", options=exclusive(*_MARKS), take=_mark_option, check=_mark_check, build=_mark_build
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connmark(Target):
    """`-j CONNMARK`. `mode` set (with `mark`, `ctmask`), save or restore (with both masks)."""

    mode: str
    mark: int = 0
    ctmask: int = FULL
    nfmask: int = FULL

    def run(self, seen: Seen) -> Act | None:
        skb = seen.skb
        ct = skb.ct
        if ct is None:
            return None
        if self.mode == "restore":
            skb.mark = (skb.mark & ~self.nfmask & FULL) ^ (ct.mark & self.ctmask)
            return None
        if self.mode == "set":
            mark = (ct.mark & ~self.ctmask & FULL) ^ self.mark
        else:
            mark = (ct.mark & ~self.ctmask & FULL) ^ (skb.mark & self.nfmask)
        if mark != ct.mark:
            skb.ct = replace(ct, mark=mark)
            seen.ns.conntrack.update(skb.ct)
        return None

    def words(self) -> list[str]:
        if self.mode == "set":
            return ["-j", "CONNMARK", "--set-xmark", f"0x{self.mark:x}/0x{self.ctmask:x}"]
        masks = ["--nfmask", f"0x{self.nfmask:x}", "--ctmask", f"0x{self.ctmask:x}"]
        return ["-j", "CONNMARK", f"--{self.mode}-mark", *masks]

    def listing(self, numeric: bool) -> str:
        if self.mode == "set":
            return f" CONNMARK {mark_words(self.mark, self.ctmask)}"
        out = f" CONNMARK {self.mode}"
        if self.nfmask == self.ctmask == FULL:
            return out
        if self.nfmask == self.ctmask:
            return f"{out} mask 0x{self.nfmask:x}"
        if self.mode == "save":
            return f"{out} nfmask 0x{self.nfmask:x} ctmask ~0x{self.ctmask:x}"
        return f"{out} ctmask 0x{self.ctmask:x} nfmask ~0x{self.nfmask:x}"

    def why(self) -> Said:
        if self.mode == "set":
            return SET_WHY(what=mark_words(self.mark, self.ctmask))
        return (SAVE_WHY if self.mode == "save" else RESTORE_WHY)()

    @property
    def needs_conntrack(self) -> bool:
        return True


def _connmark_option(p: Parsing, option: Option, value: Any, invert: bool) -> None:
    if option.id in ("save", "restore"):
        p.values["mode"] = option.id
    elif option.id == "mask":
        p.values["ctmask"] = p.values["nfmask"] = value
    elif option.id in ("ctmask", "nfmask"):
        p.values[option.id] = value
    else:
        p.values["mode"] = "set"
        p.values["mark"], p.values["ctmask"] = _xmark(p, option, value)


def _connmark_check(p: Parsing) -> None:
    if "mode" not in p.values:
        raise Problem("CONNMARK target: No operation specified")


def _connmark_build(p: Parsing) -> Connmark:
    get = p.values.get
    return Connmark(
        mode=p.values["mode"], mark=get("mark", 0), ctmask=get("ctmask", FULL), nfmask=get("nfmask", FULL)
    )


CONNMARK = Extension(
    name="CONNMARK",
    options=(
        *exclusive(*_MARKS, Option("save-mark", "save", None), Option("restore-mark", "restore", None)),
        Option("left-shift-mark", "left-shift-mark", STRING, modelled=False),
        Option("right-shift-mark", "right-shift-mark", STRING, modelled=False),
        Option("ctmask", "ctmask", UINT32, excludes=frozenset({"mask"})),
        Option("nfmask", "nfmask", UINT32, excludes=frozenset({"mask"})),
        Option("mask", "mask", UINT32, excludes=frozenset({"ctmask", "nfmask"})),
    ),
    take=_connmark_option, check=_connmark_check, build=_connmark_build,
)  # fmt: skip

_LOG_FLAGS = {
    "log-tcp-sequence": 1,
    "log-tcp-options": 2,
    "log-ip-options": 4,
    "log-uid": 8,
    "log-macdecode": 32,
}
_LOG_WORDS = {1: "tcp-sequence", 2: "tcp-options", 4: "ip-options", 8: "uid", 32: "macdecode"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Target):
    """`-j LOG`. `flags` as -L -n prints them."""

    prefix: str = ""
    level: int = 4
    flags: int = 0

    def run(self, seen: Seen) -> Act | None:
        ns = seen.ns
        if ns.id == ns.box:
            seen.net.boxes[ns.box].journal.append((seen.net.clock, f"kernel: {self.line(seen)}"))
        return None

    def line(self, seen: Seen) -> str:
        """The kernel's line. Source: net/netfilter/nf_log_syslog.c."""
        skb, packet = seen.skb, seen.skb.packet
        out = [f"{self.prefix}IN={skb.iif}", f"OUT={skb.oif}"]
        out += [f"PHYSIN={skb.physin}"] if skb.physin else []
        out += [f"PHYSOUT={skb.physout}"] if skb.physout else []
        out += self.link(seen)
        out += self.headers(packet)
        if self.flags & 8 and skb.uid >= 0:
            out += [f"UID={skb.uid}", f"GID={skb.gid}"]
        if skb.mark:
            out.append(f"MARK=0x{skb.mark:x}")
        return " ".join(out) + " "

    def link(self, seen: Seen) -> list[str]:
        """The frame that it came in by: destination, source, type; zeros on lo."""
        skb = seen.skb
        if not skb.iif:
            return []
        eth = Ethernet(src=0, dst=0) if skb.iif == "lo" else skb.came or skb.packet.eth
        if eth is None:
            return ["MAC="]
        if self.flags & 32 and skb.iif != "lo":
            return [f"MACSRC={mac_text(eth.src)}", f"MACDST={mac_text(eth.dst)}", f"MACPROTO={eth.type:04x}"]
        return [f"MAC={mac_text(eth.dst)}:{mac_text(eth.src)}:{eth.type >> 8:02x}:{eth.type & 255:02x}"]

    def headers(self, packet: Packet) -> list[str]:
        """The words of an IPv4 packet; an ICMP error has those of the packet that it quotes in brackets."""
        ip, l4 = packet.ip, packet.l4
        out = [f"SRC={text4(ip.src)}", f"DST={text4(ip.dst)}", f"LEN={packet.ip_length()}"]
        out += [
            f"TOS=0x{ip.tos & 0x1E:02X}",
            f"PREC=0x{ip.tos & 0xE0:02X}",
            f"TTL={ip.ttl}",
            f"ID={ip.ident}",
        ]
        out += ["DF"] if ip.df else []
        out += ["MF"] if ip.mf else []
        if ip.offset:
            name = {6: "TCP", 17: "UDP", 1: "ICMP"}.get(ip.proto)
            return [*out, f"FRAG:{ip.offset // 8}", f"PROTO={name or ip.proto}"]
        if isinstance(l4, Tcp):
            out += ["PROTO=TCP", f"SPT={l4.sport}", f"DPT={l4.dport}"]
            out += [f"SEQ={l4.seq}", f"ACK={l4.ack}"] if self.flags & 1 else []
            names = (("U", "URG"), ("A", "ACK"), ("P", "PSH"), ("R", "RST"), ("S", "SYN"), ("F", "FIN"))
            out += ["WINDOW=64240", "RES=0x00", *(n for c, n in names if c in l4.flags), "URGP=0"]
            if self.flags & 2 and (options := tcp_options(l4, 0.0, 1460)):
                out.append(f"OPT ({options.hex().upper()})")
        elif isinstance(l4, Udp):
            out += ["PROTO=UDP", f"SPT={l4.sport}", f"DPT={l4.dport}", f"LEN={packet.ip_length() - 20}"]
        elif isinstance(l4, Icmp):
            out += ["PROTO=ICMP", f"TYPE={l4.type}", f"CODE={l4.code}"]
            if not l4.is_error:
                out += [f"ID={l4.ident}", f"SEQ={l4.seq}"]
            elif l4.quoted is not None:
                inner = " ".join(self.headers(l4.quoted))
                out += [f"[{inner} ]", *([f"MTU={l4.mtu}"] if (l4.type, l4.code) == (3, 4) else [])]
        else:
            out.append(f"PROTO={ip.proto}")
        return out

    def words(self) -> list[str]:
        out = ["-j", "LOG"] + (["--log-prefix", quoted(self.prefix)] if self.prefix else [])
        out += ["--log-level", str(self.level)] if self.level != 4 else []
        return out + [f"--{name}" for name, bit in _LOG_FLAGS.items() if self.flags & bit]

    def listing(self, numeric: bool) -> str:
        if numeric:
            out = f" LOG flags {self.flags} level {self.level}"
        else:
            out = f" LOG level {LOG_LEVEL_NAMES[self.level]}"
            out += "".join(f" {word}" for bit, word in _LOG_WORDS.items() if self.flags & bit)
        return out + (f' prefix "{self.prefix}"' if self.prefix else "")

    def why(self) -> Said:
        return LOG_WHY()


def _log_option(p: Parsing, option: Option, value: Any, invert: bool) -> None:
    if option.id == "prefix":
        if not value:
            raise Problem("Argument must have a minimum length of 1 characters\n")
        if "\n" in value:
            raise Problem("Newlines not allowed in --log-prefix")
    p.values[option.id] = value


def _log_build(p: Parsing) -> Log:
    flags = sum(bit for name, bit in _LOG_FLAGS.items() if name in p.used)
    return Log(prefix=p.values.get("prefix", "")[:29], level=p.values.get("level", 4), flags=flags)


LOG = Extension(
    name="LOG",
    options=(
        Option("log-level", "level", LEVEL), Option("log-prefix", "prefix", STRING),
        *(Option(name, name, None) for name in _LOG_FLAGS),
    ),
    take=_log_option, build=_log_build,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Notrack(Target):
    """`-j CT --notrack`, or its older spelling `-j NOTRACK` (`old`)."""

    table: ClassVar[str] = "raw"
    old: bool = False

    def run(self, seen: Seen) -> Act | None:
        if seen.skb.ct is None:
            seen.skb.untracked = True
            seen.skb.ctstate = "UNTRACKED"
        return None

    def words(self) -> list[str]:
        return ["-j", "NOTRACK"] if self.old else ["-j", "CT", "--notrack"]

    def name(self) -> str:
        return "CT"

    def listing(self, numeric: bool) -> str:
        return " NOTRACK" if self.old else " CT notrack"

    def verdict(self) -> str:
        return "notrack"

    def why(self) -> Said:
        return NOTRACK_WHY()


def _notrack_build(p: Parsing) -> Notrack:
    return Notrack(old=True)


NOTRACK = Extension(name="NOTRACK", build=_notrack_build)
