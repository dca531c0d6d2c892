"""The nat targets: DNAT, SNAT, MASQUERADE, REDIRECT.

Rules. As in target.py. They only ask (`Nat`): the walker chooses address and port, writes the conntrack entry and
rewrites the packet. Hooks as in xt_nat.c, xt_MASQUERADE.c, xt_REDIRECT.c.
"""

from __future__ import annotations

from typing import Any, ClassVar

from engine.errors import InputError, NotModelled
from engine.linux.addr import ip4, text4
from engine.linux.xt.names import service_port
from engine.linux.xt.options import STRING, Extension, Option, Parsing, Problem, strtoui
from engine.linux.xt.seen import Seen
from engine.linux.xt.target import Act, Nat, Target
from engine.record import dataclass
from engine.say import Phrase, Said

DNAT_WHY = Phrase("rewrite the destination to {to}", "목적지를 {to}(으)로 바꿉니다")
SNAT_WHY = Phrase("rewrite the source to {to}", "출발지를 {to}(으)로 바꿉니다")
MASQUERADE_WHY = Phrase(
    "rewrite the source to the address of the device that it leaves by",
    "출발지를 나가는 장치의 주소로 바꿉니다",
)
REDIRECT_WHY = Phrase("send it to this machine itself", "이 머신 자신에게 보냅니다")
REDIRECT_PORT_WHY = Phrase(
    "send it to this machine itself, port {port}", "이 머신 자신의 포트 {port}(으)로 보냅니다"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NatTarget(Target):
    """Base. `low`..`high` are addresses (0 = not given), `ports` (low, high) or None, `how` random, random-fully."""

    table: ClassVar[str] = "nat"
    label: ClassVar[str] = ""
    option: ClassVar[str] = ""
    listed: ClassVar[str] = ""
    low: int = 0
    high: int = 0
    ports: tuple[int, int] | None = None
    how: tuple[str, ...] = ()

    def range_text(self) -> str:
        out = ""
        if self.low:
            out = text4(self.low) + (f"-{text4(self.high)}" if self.high != self.low else "")
        if self.ports is not None:
            low, high = self.ports
            out += f":{low}" + (f"-{high}" if high != low else "")
        return out.removeprefix(":") if self.label in ("MASQUERADE", "REDIRECT") else out

    def words(self) -> list[str]:
        text = self.range_text()
        return ["-j", self.label, *([self.option, text] if text else []), *(f"--{word}" for word in self.how)]

    def name(self) -> str:
        return self.label

    def listing(self, numeric: bool) -> str:
        text = self.range_text()
        return (f" {self.listed}{text}" if text else "") + "".join(f" {word}" for word in self.how)

    def run(self, seen: Seen) -> Act | None:
        low, high = self.ports or (0, 0)
        nat = Nat(
            kind=self.label.lower(), low=self.low, high=self.high, port_low=low, port_high=high,
            random="random" in self.how or "random-fully" in self.how, persistent="persistent" in self.how,
        )  # fmt: skip
        return Act(word="accept", nat=nat)

    @property
    def needs_conntrack(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnat(NatTarget):
    hooks: ClassVar[tuple[str, ...]] = ("PREROUTING", "OUTPUT")
    label: ClassVar[str] = "DNAT"
    option: ClassVar[str] = "--to-destination"
    listed: ClassVar[str] = "to:"

    def why(self) -> Said:
        return DNAT_WHY(to=self.range_text())


@dataclass(frozen=True, slots=True, kw_only=True)
class Snat(NatTarget):
    hooks: ClassVar[tuple[str, ...]] = ("INPUT", "POSTROUTING")
    label: ClassVar[str] = "SNAT"
    option: ClassVar[str] = "--to-source"
    listed: ClassVar[str] = "to:"

    def why(self) -> Said:
        return SNAT_WHY(to=self.range_text())


@dataclass(frozen=True, slots=True, kw_only=True)
class Masquerade(NatTarget):
    hooks: ClassVar[tuple[str, ...]] = ("POSTROUTING",)
    label: ClassVar[str] = "MASQUERADE"
    option: ClassVar[str] = "--to-ports"
    listed: ClassVar[str] = "masq ports: "

    def why(self) -> Said:
        return MASQUERADE_WHY()


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect(NatTarget):
    hooks: ClassVar[tuple[str, ...]] = ("PREROUTING", "OUTPUT")
    label: ClassVar[str] = "REDIRECT"
    option: ClassVar[str] = "--to-ports"
    listed: ClassVar[str] = "redir ports "

    def why(self) -> Said:
        return REDIRECT_PORT_WHY(port=self.range_text()) if self.ports else REDIRECT_WHY()


def _ports(p: Parsing, text: str) -> tuple[int, int]:
    """`80`, `http`, `80-90`, in the words of libxt_NAT.c."""
    if p.proto not in (1, 6, 17, 33, 132):
        raise Problem("Need TCP, UDP, SCTP or DCCP with port specification")
    digits = len(text) - len(text.lstrip("0123456789"))
    first, rest = text[:digits], text[digits:]
    low = strtoui(first, 0, 65535) if first else None
    if low is None:
        named = service_port(None, text)
        if named is None:
            raise Problem(f"Port `{text}' not valid")
        return named, named
    if not rest:
        return low, low
    if rest[0] == ":":
        raise Problem("Invalid port:port syntax - use dash")
    if rest[0] != "-":
        raise Problem(f"Garbage after port value: `{rest}'")
    second, slash, _ = rest[1:].partition("/")
    high = strtoui(second, 0, 65535)
    if high is None:
        raise Problem(f"Port `{rest[1:]}' not valid")
    if high < low:
        raise Problem(f"Port range `{rest[1:]}' funky")
    if slash:
        raise NotModelled(f"iptables {p.extension.name} with a shifted port range ({text})")
    return low, high


def _address(text: str) -> int:
    try:
        value = ip4(text)
    except (InputError, NotModelled):
        raise Problem(f'Bad IP address "{text}"') from None
    if value == 0:
        raise NotModelled("iptables: NAT to 0.0.0.0")
    return value


def _nat_option(p: Parsing, option: Option, arg: Any, invert: bool) -> None:
    if option.id == "ports":
        p.values["ports"] = _ports(p, arg)
    elif option.id == "to":
        if "[" in arg:
            raise Problem("Invalid address format")
        where, colon, ports = arg.partition(":")
        if colon and ":" in ports:
            where, colon = arg, ""
        if colon:
            p.values["ports"] = _ports(p, ports)
        if where or not colon:
            low, dash, high = where.partition("-")
            p.values["low"] = _address(low)
            p.values["high"] = _address(high) if dash else p.values["low"]
    else:
        p.values[option.id] = True


def _nat_build(kind: type[NatTarget]) -> Any:
    def build(p: Parsing) -> NatTarget:
        get = p.values.get
        how = tuple(w for w in ("random", "random-fully", "persistent") if get(w))
        return kind(low=get("low", 0), high=get("high", 0), ports=get("ports"), how=how)

    return build


_RANDOM = Option("random", "random", None)
_FULLY = Option("random-fully", "random-fully", None)
_PERSISTENT = Option("persistent", "persistent", None)
_TO_PORTS = Option("to-ports", "ports", STRING)
DNAT = Extension(
    name="DNAT", options=(Option("to-destination", "to", STRING, must=True), _RANDOM, _PERSISTENT),
    take=_nat_option, build=_nat_build(Dnat),
)  # fmt: skip
SNAT = Extension(
    name="SNAT", options=(Option("to-source", "to", STRING, must=True), _RANDOM, _FULLY, _PERSISTENT),
    take=_nat_option, build=_nat_build(Snat),
)  # fmt: skip
MASQUERADE = Extension(
    name="MASQUERADE", options=(_TO_PORTS, _RANDOM, _FULLY), take=_nat_option, build=_nat_build(Masquerade)
)
REDIRECT = Extension(
    name="REDIRECT", options=(_TO_PORTS, _RANDOM), take=_nat_option, build=_nat_build(Redirect)
)
