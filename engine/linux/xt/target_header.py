"""Targets that write the IP header: TTL, TOS, DSCP; and those that leave the packet alone: NFLOG, TRACE, CHECKSUM,
CLASSIFY.

Theory. Nobody listens to NFLOG's groups here, and a queueing class or a checksum offload decides nothing in these
labs, so those four only let the next rule be tried. Sources: xt_HL.c, xt_DSCP.c.

Rules. As in target.py.
"""

from __future__ import annotations

from typing import Any, ClassVar

from engine.linux.xt.match_header import DSCP_CLASS, TOSMASK, tos_name
from engine.linux.xt.match_more import quoted
from engine.linux.xt.options import (
    STRING,
    UINT32,
    Extension,
    Option,
    Parsing,
    Problem,
    exclusive,
    number,
    strtoui,
)
from engine.linux.xt.seen import Seen
from engine.linux.xt.target import Act, Target
from engine.record import dataclass
from engine.say import Phrase, Said

TTL_WHY = Phrase("set the TTL ({what})", "TTL을 바꿉니다({what})")
TOS_WHY = Phrase("set the TOS byte ({what})", "TOS 바이트를 바꿉니다({what})")
NFLOG_WHY = Phrase(
    "hand a copy to the log group {group}, and go on", "로그 그룹 {group}에 사본을 넘기고 계속합니다"
)
TRACE_WHY = Phrase("trace this packet, and go on", "이 패킷을 추적하고 계속합니다")
CHECKSUM_WHY = Phrase("fill in the checksum, and go on", "체크섬을 채우고 계속합니다")
CLASSIFY_WHY = Phrase("queue it as class {klass}, and go on", "큐 클래스를 {klass}(으)로 정하고 계속합니다")


def write(seen: Seen, **changes: int) -> None:
    seen.skb.packet = seen.skb.packet.with_ip(**changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TtlTarget(Target):
    """`-j TTL`. `how` is set, inc or dec."""

    table: ClassVar[str] = "mangle"
    how: str
    ttl: int

    def run(self, seen: Seen) -> Act | None:
        now = seen.skb.packet.ip.ttl
        ttl = {"set": self.ttl, "inc": min(now + self.ttl, 255), "dec": max(now - self.ttl, 0)}[self.how]
        if ttl != now:
            write(seen, ttl=ttl)
        return None

    def words(self) -> list[str]:
        return ["-j", "TTL", f"--ttl-{self.how}", str(self.ttl)]

    def listing(self, numeric: bool) -> str:
        how = {"set": "set to", "inc": "increment by", "dec": "decrement by"}[self.how]
        return f" TTL {how} {self.ttl}"

    def why(self) -> Said:
        return TTL_WHY(what=f"{self.how} {self.ttl}")


def _ttl_check(p: Parsing) -> None:
    if not p.used:
        raise Problem("TTL: You must specify an action")


def _ttl_build(p: Parsing) -> TtlTarget:
    how = next(iter(p.values))
    return TtlTarget(how=how, ttl=p.values[how])


_BYTE = number(0, 255)
TTL = Extension(
    name="TTL",
    options=exclusive(
        Option("ttl-set", "set", _BYTE), Option("ttl-dec", "dec", number(1, 255)),
        Option("ttl-inc", "inc", number(1, 255)),
    ),
    check=_ttl_check, build=_ttl_build,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TosTarget(Target):
    """`-j TOS`: tos = (tos & ~mask) ^ value."""

    table: ClassVar[str] = "mangle"
    value: int
    mask: int = 255

    def run(self, seen: Seen) -> Act | None:
        write(seen, tos=(seen.skb.packet.ip.tos & ~self.mask & 255) ^ self.value)
        return None

    def words(self) -> list[str]:
        return ["-j", "TOS", "--set-tos", f"0x{self.value:02x}/0x{self.mask:02x}"]

    def listing(self, numeric: bool) -> str:
        if numeric:
            return f" TOS set 0x{self.value:02x}/0x{self.mask:02x}"
        if name := tos_name(self.value, self.mask):
            return f"  TOS set{name}"
        if not self.value:
            return f" TOS and 0x{~self.mask & 255:02x}"
        if self.value == self.mask:
            return f" TOS or 0x{self.value:02x}"
        if not self.mask:
            return f" TOS xor 0x{self.value:02x}"
        return f" TOS set 0x{self.value:02x}/0x{self.mask:02x}"

    def why(self) -> Said:
        return TOS_WHY(what=f"0x{self.value:02x}/0x{self.mask:02x}")


def _tos_option(p: Parsing, option: Option, value: Any, invert: bool) -> None:
    if option.id != "set":
        value = {"and": (0, ~value & 255), "or": (value, value), "xor": (value, 0)}[option.id]
    p.values["tos"] = value


def _tos_check(p: Parsing) -> None:
    if not p.used:
        raise Problem("TOS: An action is required")


def _tos_build(p: Parsing) -> TosTarget:
    return TosTarget(value=p.values["tos"][0], mask=p.values["tos"][1])


TOS = Extension(
    name="TOS",
    options=exclusive(
        Option("set-tos", "set", TOSMASK), Option("and-tos", "and", _BYTE), Option("or-tos", "or", _BYTE),
        Option("xor-tos", "xor", _BYTE),
    ),
    take=_tos_option, check=_tos_check, build=_tos_build,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DscpTarget(Target):
    """`-j DSCP`: the upper six bits of the TOS byte."""

    table: ClassVar[str] = "mangle"
    dscp: int

    def run(self, seen: Seen) -> Act | None:
        write(seen, tos=(seen.skb.packet.ip.tos & 3) | self.dscp << 2)
        return None

    def words(self) -> list[str]:
        return ["-j", "DSCP", "--set-dscp", f"0x{self.dscp:02x}"]

    def listing(self, numeric: bool) -> str:
        return f" DSCP set 0x{self.dscp:02x}"

    def why(self) -> Said:
        return TOS_WHY(what=f"DSCP 0x{self.dscp:02x}")


def _dscp_check(p: Parsing) -> None:
    if not p.used:
        raise Problem("DSCP target: Parameter --set-dscp is required")


def _dscp_build(p: Parsing) -> DscpTarget:
    (name,) = p.values
    return DscpTarget(dscp=p.values[name])


DSCP = Extension(
    name="DSCP",
    options=exclusive(Option("set-dscp", "dscp", number(0, 63)), Option("set-dscp-class", "class", DSCP_CLASS)),
    check=_dscp_check, build=_dscp_build,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Nflog(Target):
    """`-j NFLOG`. `size` None = whole packets."""

    group: int = 0
    prefix: str = ""
    size: int | None = None
    threshold: int = 0

    def run(self, seen: Seen) -> Act | None:
        return None

    def _words(self, lead: str) -> list[str]:
        out: list[str] = []
        if self.prefix:
            out += [f"{lead}nflog-prefix", quoted(self.prefix)]
        out += [f"{lead}nflog-group", str(self.group)] if self.group else []
        out += [f"{lead}nflog-size", str(self.size)] if self.size is not None else []
        return out + ([f"{lead}nflog-threshold", str(self.threshold)] if self.threshold else [])

    def words(self) -> list[str]:
        return ["-j", "NFLOG", *self._words("--")]

    def listing(self, numeric: bool) -> str:
        return "".join(f" {word}" for word in self._words(""))

    def why(self) -> Said:
        return NFLOG_WHY(group=self.group)


def _nflog_option(p: Parsing, option: Option, value: Any, invert: bool) -> None:
    if option.id == "prefix":
        if not value:
            raise Problem("Argument must have a minimum length of 1 characters\n")
        if "\n" in value:
            raise Problem("Newlines not allowed in --log-prefix")
        value = value[:127]
    p.values[option.id] = value


def _nflog_build(p: Parsing) -> Nflog:
    get: Any = p.values.get
    return Nflog(
        group=get("group", 0), prefix=get("prefix", ""), size=get("size"), threshold=get("threshold", 0)
    )


NFLOG = Extension(
    name="NFLOG",
    options=(
        Option("nflog-group", "group", number(0, 65535)), Option("nflog-prefix", "prefix", STRING),
        Option("nflog-range", "range", UINT32, modelled=False), Option("nflog-size", "size", UINT32),
        Option("nflog-threshold", "threshold", number(0, 65535)),
    ),
    take=_nflog_option, build=_nflog_build,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace(Target):
    """`-j TRACE`: xtables-monitor would show its way; the journey shows it here."""

    def run(self, seen: Seen) -> Act | None:
        return None

    def words(self) -> list[str]:
        return ["-j", "TRACE"]

    def why(self) -> Said:
        return TRACE_WHY()


def _trace_build(p: Parsing) -> Trace:
    return Trace()


TRACE = Extension(name="TRACE", build=_trace_build)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksum(Target):
    """`-j CHECKSUM --checksum-fill`."""

    table: ClassVar[str] = "mangle"

    def run(self, seen: Seen) -> Act | None:
        return None

    def words(self) -> list[str]:
        return ["-j", "CHECKSUM", "--checksum-fill"]

    def listing(self, numeric: bool) -> str:
        return " CHECKSUM fill"

    def why(self) -> Said:
        return CHECKSUM_WHY()


def _checksum_check(p: Parsing) -> None:
    if not p.used:
        raise Problem("CHECKSUM target: Parameter --checksum-fill is required")


def _checksum_build(p: Parsing) -> Checksum:
    return Checksum()


CHECKSUM = Extension(
    name="CHECKSUM", options=(Option("checksum-fill", "fill", None, must=True),), build=_checksum_build
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classify(Target):
    """`-j CLASSIFY --set-class MAJOR:MINOR`."""

    hooks: ClassVar[tuple[str, ...]] = ("FORWARD", "OUTPUT", "POSTROUTING")
    major: int
    minor: int

    def run(self, seen: Seen) -> Act | None:
        return None

    def words(self) -> list[str]:
        return ["-j", "CLASSIFY", "--set-class", f"{self.major:04x}:{self.minor:04x}"]

    def listing(self, numeric: bool) -> str:
        return f" CLASSIFY set {self.major:x}:{self.minor:x}"

    def why(self) -> Said:
        return CLASSIFY_WHY(klass=f"{self.major:x}:{self.minor:x}")


def _classify_option(p: Parsing, option: Option, value: str, invert: bool) -> None:
    major, _, minor = value.partition(":")
    numbers = [strtoui(f"0x{text}", 0, 0xFFFF) for text in (major, minor)]
    if None in numbers:
        raise Problem(f'Bad class value "{value}"')
    p.values["class"] = tuple(numbers)


def _classify_build(p: Parsing) -> Classify:
    return Classify(major=p.values["class"][0], minor=p.values["class"][1])


CLASSIFY = Extension(
    name="CLASSIFY", options=(Option("set-class", "class", STRING, must=True),), take=_classify_option,
    build=_classify_build,
)  # fmt: skip
