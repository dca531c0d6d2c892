"""Matches on the IP header: length, ttl, tos, dscp, and -f (match_frame.py: pkttype, iprange, mac).

Rules. As in match.py.
"""

from __future__ import annotations

from engine.linux.xt.match import Match, asks, bang
from engine.linux.xt.options import (
    Extension,
    Kind,
    Option,
    Parsing,
    Problem,
    exclusive,
    number,
    strtoui,
)
from engine.linux.xt.seen import Seen
from engine.record import dataclass
from engine.say import Phrase, Said

FRAGMENT = Phrase("a later fragment of a datagram", "데이터그램의 둘째 이후 단편")
NOT_FRAGMENT = Phrase("not a later fragment of a datagram", "데이터그램의 둘째 이후 단편이 아님")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment(Match):
    """`-f`: every fragment but the first."""

    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return (seen.skb.packet.ip.offset > 0) is not self.invert

    def words(self) -> list[str]:
        return [*bang(self.invert), "-f"]

    def why(self) -> Said:
        return asks(FRAGMENT, NOT_FRAGMENT, self.invert)


LENGTH = Phrase("length {span} bytes", "길이 {span}바이트")
NOT_LENGTH = Phrase("length is not {span} bytes", "길이가 {span}바이트가 아님")


@dataclass(frozen=True, slots=True, kw_only=True)
class Length(Match):
    """`-m length`: bytes from the IP header on."""

    low: int
    high: int
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return (self.low <= seen.skb.packet.ip_length() <= self.high) is not self.invert

    def _span(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}:{self.high}"

    def words(self) -> list[str]:
        return ["-m", "length", *bang(self.invert), "--length", self._span()]

    def listing(self, numeric: bool, proto: int) -> str:
        return f" length {'!' if self.invert else ''}{self._span()}"

    def why(self) -> Said:
        return asks(LENGTH, NOT_LENGTH, self.invert, span=self._span())


def span(low_most: int, high_most: int) -> Kind:
    """`N`, `N:M`, `:M` or `N:`, in libxtables' words."""

    def kind(extension: str, option: Option, text: str) -> tuple[int, int]:
        parts = text.split(":")
        if len(parts) > 2:
            raise Problem(f'{extension}: Too many components for option "--{option.name}" (max: 2)\n')
        values = []
        for part, default in zip(parts, (low_most, high_most), strict=False):
            value = strtoui(part, low_most, high_most) if part else default
            if value is None:
                raise Problem(
                    f'{extension}: bad value for option "--{option.name}" near "{part}", or out of range '
                    f"({low_most}-{high_most}).\n"
                )
            values.append(value)
        return values[0], values[-1]

    return kind


def _length_build(p: Parsing) -> Length:
    low, high = p.values["length"]
    return Length(low=low, high=high, invert=p.inverted["length"])


LENGTH_EXTENSION = Extension(
    name="length", options=(Option("length", "length", span(0, 65535), invert=True, must=True),),
    build=_length_build,
)  # fmt: skip

TTL_WORDS = {"eq": "==", "ne": "!=", "lt": "<", "gt": ">"}
TTL_WHY = Phrase("TTL {how} {ttl}", "TTL {how} {ttl}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ttl(Match):
    """`-m ttl`. `how` is eq, ne, lt or gt."""

    how: str
    ttl: int

    def test(self, seen: Seen) -> bool:
        ttl = seen.skb.packet.ip.ttl
        return {
            "eq": ttl == self.ttl, "ne": ttl != self.ttl, "lt": ttl < self.ttl, "gt": ttl > self.ttl,
        }[self.how]  # fmt: skip

    def words(self) -> list[str]:
        name = "eq" if self.how == "ne" else self.how
        return ["-m", "ttl", *bang(self.how == "ne"), f"--ttl-{name}", str(self.ttl)]

    def listing(self, numeric: bool, proto: int) -> str:
        return f" TTL match TTL {TTL_WORDS[self.how]} {self.ttl}"

    def why(self) -> Said:
        return TTL_WHY(how=TTL_WORDS[self.how], ttl=self.ttl)


def _ttl_check(p: Parsing) -> None:
    if not p.used:
        raise Problem("TTL match: You must specify one of `--ttl-eq', `--ttl-lt', `--ttl-gt")


def _ttl_build(p: Parsing) -> Ttl:
    how = next(iter(p.values))
    return Ttl(how="ne" if how == "eq" and p.inverted["eq"] else how, ttl=p.values[how])


_BYTE = number(0, 255)
TTL = Extension(
    name="ttl",
    options=exclusive(
        Option("ttl-lt", "lt", _BYTE), Option("ttl-gt", "gt", _BYTE), Option("ttl-eq", "eq", _BYTE, invert=True),
        Option("ttl", "eq", _BYTE, invert=True),
    ),
    check=_ttl_check, build=_ttl_build,
)  # fmt: skip

TOS_NAMES = {
    "Minimize-Delay": 16, "Maximize-Throughput": 8, "Maximize-Reliability": 4, "Minimize-Cost": 2, "Normal-Service": 0,
}  # fmt: skip
TOS_WHY = Phrase("TOS {tos}", "TOS {tos}")
NOT_TOS = Phrase("TOS is not {tos}", "TOS가 {tos}이(가) 아님")


def tos_name(value: int, mask: int) -> str:
    return next((n for n, v in TOS_NAMES.items() if v == value), "") if mask == 0x3F else ""


def TOSMASK(extension: str, option: Option, text: str) -> tuple[int, int]:
    """`value[/mask]` or one of the old names."""
    value, slash, mask = text.partition("/")
    got = strtoui(value, 0, 255)
    if got is not None:
        cut = strtoui(mask, 0, 255) if slash else 255
        if cut is None:
            raise Problem(f'{extension}: bad value for option "--{option.name}", or out of range (0-255).\n')
        return got, cut
    if text not in TOS_NAMES:
        raise Problem(f'Symbolic name "{text}" is unknown')
    return TOS_NAMES[text], 0x3F


@dataclass(frozen=True, slots=True, kw_only=True)
class Tos(Match):
    """`-m tos`."""

    value: int
    mask: int = 255
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return (seen.skb.packet.ip.tos & self.mask == self.value) is not self.invert

    def _text(self) -> str:
        return f"0x{self.value:02x}/0x{self.mask:02x}"

    def words(self) -> list[str]:
        return ["-m", "tos", *bang(self.invert), "--tos", self._text()]

    def listing(self, numeric: bool, proto: int) -> str:
        name = "" if numeric else tos_name(self.value, self.mask)
        return f" tos match{'!' if self.invert else ''}" + (f" {name}" if name else self._text())

    def why(self) -> Said:
        return asks(TOS_WHY, NOT_TOS, self.invert, tos=self._text())


def _tos_build(p: Parsing) -> Tos:
    return Tos(value=p.values["tos"][0], mask=p.values["tos"][1], invert=p.inverted["tos"])


TOS = Extension(
    name="tos", options=(Option("tos", "tos", TOSMASK, invert=True, must=True),), build=_tos_build
)

DSCP_CLASSES = {
    **{f"CS{n}": n << 3 for n in range(8)}, "BE": 0, "EF": 46,
    **{f"AF{c}{d}": c << 3 | d << 1 for c in range(1, 5) for d in range(1, 4)},
}  # fmt: skip
DSCP_WHY = Phrase("DSCP {dscp}", "DSCP {dscp}")
NOT_DSCP = Phrase("DSCP is not {dscp}", "DSCP가 {dscp}이(가) 아님")


def DSCP_CLASS(extension: str, option: Option, text: str) -> int:
    if text.upper() not in DSCP_CLASSES:
        raise Problem(f"Invalid DSCP value `{text}'\n")
    return DSCP_CLASSES[text.upper()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dscp(Match):
    """`-m dscp`."""

    dscp: int
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return (seen.skb.packet.ip.tos >> 2 == self.dscp) is not self.invert

    def words(self) -> list[str]:
        return ["-m", "dscp", *bang(self.invert), "--dscp", f"0x{self.dscp:02x}"]

    def listing(self, numeric: bool, proto: int) -> str:
        return f" DSCP match {'!' if self.invert else ''}0x{self.dscp:02x}"

    def why(self) -> Said:
        return asks(DSCP_WHY, NOT_DSCP, self.invert, dscp=f"0x{self.dscp:02x}")


def _dscp_check(p: Parsing) -> None:
    if not p.used:
        raise Problem("DSCP match: Parameter --dscp is required")


def _dscp_build(p: Parsing) -> Dscp:
    (name,) = p.values
    return Dscp(dscp=p.values[name], invert=p.inverted[name])


DSCP = Extension(
    name="dscp",
    options=exclusive(
        Option("dscp", "dscp", number(0, 63), invert=True), Option("dscp-class", "class", DSCP_CLASS, invert=True)
    ),
    check=_dscp_check, build=_dscp_build,
)  # fmt: skip
