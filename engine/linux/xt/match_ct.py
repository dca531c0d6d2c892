"""-m conntrack with more than --ctstate: the tuples, status, direction and age of the packet's connection.

Rules. As in match.py. A packet without a connection fulfils nothing but --ctstate (xt_conntrack.c). A rule with
--ctstate alone is kept as CtState.
"""

from __future__ import annotations

from typing import Any

from engine.linux.addr import mask
from engine.linux.conntrack import CtEntry
from engine.linux.xt.match import Match, asks, bang, range_text
from engine.linux.xt.match_header import span
from engine.linux.xt.match_l4 import together
from engine.linux.xt.match_state import CT_STATES, CtState, read_states
from engine.linux.xt.names import protocol_number, service_port
from engine.linux.xt.options import HOSTMASK, STRING, Extension, Option, Parsing, Problem, strtoui
from engine.linux.xt.seen import Seen
from engine.record import dataclass
from engine.say import Phrase, Said

#: in the order in which iptables prints them
ADDRESSES = ("ctorigsrc", "ctorigdst", "ctreplsrc", "ctrepldst")
PORTS = ("ctorigsrcport", "ctorigdstport", "ctreplsrcport", "ctrepldstport")
STATUSES = ("EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED")
WHY = Phrase("the connection's {what} is {value}", "연결의 {what}이(가) {value}임")
NOT_WHY = Phrase("the connection's {what} is not {value}", "연결의 {what}이(가) {value}이(가) 아님")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conntrack(Match):
    """What was not asked for is None; the last of each tuple is the negation. `addresses` are (option, address,
    length, negated), `ports` (option, low, high, negated), both in printing order; `reply` is --ctdir REPLY."""

    state: CtState | None = None
    proto: tuple[int, bool] | None = None
    addresses: tuple[tuple[str, int, int, bool], ...] = ()
    ports: tuple[tuple[str, int, int, bool], ...] = ()
    status: tuple[tuple[str, ...], bool] | None = None
    expire: tuple[int, int, bool] | None = None
    reply: bool | None = None

    def test(self, seen: Seen) -> bool:
        if self.state is not None and not self.state.test(seen):
            return False
        ct = seen.skb.ct
        if ct is None:
            return self.state is not None
        if self.reply is not None and (seen.skb.ctdir == "reply") is not self.reply:
            return False
        if self.proto is not None and (ct.orig.proto == self.proto[0]) is self.proto[1]:
            return False
        for name, address, length, invert in self.addresses:
            if ((field(ct, name) ^ address) & mask(length) == 0) is invert:
                return False
        for name, low, high, invert in self.ports:
            if (low <= field(ct, name) <= high) is invert:
                return False
        if self.status is not None and bool(status(ct) & set(self.status[0])) is self.status[1]:
            return False
        if self.expire is not None:
            low, high, invert = self.expire
            left = max(int(ct.deadline - seen.net.clock), 0)
            return (low <= left <= high) is not invert
        return True

    def _parts(self) -> list[tuple[bool, str, str]]:
        """(negated, option, value) in printing order."""
        out = []
        if self.state is not None:
            out.append((self.state.invert, "ctstate", ",".join(self.state.states)))
        if self.proto is not None:
            out.append((self.proto[1], "ctproto", str(self.proto[0])))
        for name, address, length, invert in self.addresses:
            out.append((invert, name, range_text(address, length)))
        for name, low, high, invert in self.ports:
            out.append((invert, name, str(low) if low == high or not high else f"{low}:{high}"))
        if self.status is not None:
            out.append((self.status[1], "ctstatus", ",".join(self.status[0]) or "NONE"))
        if self.expire is not None:
            low, high, invert = self.expire
            out.append((invert, "ctexpire", str(low) if low == high else f"{low}:{high}"))
        if self.reply is not None:
            out.append((False, "ctdir", "REPLY" if self.reply else "ORIGINAL"))
        return out

    def words(self) -> list[str]:
        return ["-m", "conntrack", *(w for no, o, v in self._parts() for w in (*bang(no), f"--{o}", v))]

    def listing(self, numeric: bool, proto: int) -> str:
        out = ""
        for no, option, value in self._parts():
            anywhere = option in ADDRESSES and value.startswith("0.0.0.0/") and not numeric
            out += f"{' !' if no else ''} {option} {'anywhere' if anywhere else value}"
        return out

    def why(self) -> Said:
        return together(
            [asks(WHY, NOT_WHY, no, what=option[2:], value=value) for no, option, value in self._parts()]
        )

    @property
    def needs_conntrack(self) -> bool:
        return True


def field(ct: CtEntry, name: str) -> int:
    """The part of the connection that an option asks for."""
    side = ct.orig if "orig" in name else ct.reply
    if name.endswith("port"):
        return side.sport if "src" in name else side.dport
    return side.src if "src" in name else side.dst


def status(ct: CtEntry) -> set[str]:
    flags = {"SEEN_REPLY": ct.seen_reply, "ASSURED": ct.assured, "CONFIRMED": ct.id != 0}
    return {name for name, on in flags.items() if on}


def _port(name: str) -> Any:
    def kind(extension: str, option: Option, text: str) -> tuple[int, int]:
        parts = text.split(":")
        if len(parts) > 2:
            raise Problem(f'{extension}: Too many components for option "--{name}" (max: 2)\n')
        values = []
        for part, default in zip(parts, (0, 65535), strict=False):
            value = default if not part else strtoui(part, 0, 65535)
            value = service_port(None, part) if value is None else value
            if value is None:
                raise Problem(f'Port "{part}" does not resolve to anything.\n')
            values.append(value)
        return values[0], values[-1]

    return kind


def PROTOCOL(extension: str, option: Option, text: str) -> int:
    value = strtoui(text, 0, 255)
    value = protocol_number(text.lower()) if value is None else value
    if value is None:
        raise Problem(f'unknown protocol "{text}" specified')
    return value


def _statuses(arg: str) -> tuple[str, ...]:
    got, rest = set(), arg
    while True:
        part, comma, after = rest.partition(",")
        order = ("NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED")
        name = next((s for s in order if part and s.startswith(part.upper())), None)
        if name is None:
            raise Problem(f'Bad ctstatus "{rest}"')
        got.add(name)
        if not comma:
            return tuple(s for s in STATUSES if s in got)
        rest = after


def _option(p: Parsing, option: Option, value: Any, invert: bool) -> None:
    if option.id == "ctstate":
        value = read_states(value, CT_STATES, "ctstate")
    elif option.id == "ctstatus":
        value = _statuses(value)
    elif option.id == "ctdir":
        if value.upper() not in ("ORIGINAL", "REPLY"):
            raise Problem(f'conntrack: Bad value for "--ctdir" option: "{value}"')
        value = value.upper() == "REPLY"
    p.values[option.id], p.inverted[option.id] = value, invert


def _check(p: Parsing) -> None:
    if not p.used:
        raise Problem("conntrack: At least one option is required")


def _build(p: Parsing) -> Match:
    got, no = p.values, p.inverted
    state = CtState(states=got["ctstate"], invert=no["ctstate"]) if "ctstate" in got else None
    if state is not None and len(got) == 1:
        return state
    return Conntrack(
        state=state,
        proto=(got["ctproto"], no["ctproto"]) if "ctproto" in got else None,
        addresses=tuple((name, *got[name], no[name]) for name in ADDRESSES if name in got),
        ports=tuple((name, *got[name], no[name]) for name in PORTS if name in got),
        status=(got["ctstatus"], no["ctstatus"]) if "ctstatus" in got else None,
        expire=(*got["ctexpire"], no["ctexpire"]) if "ctexpire" in got else None,
        reply=got.get("ctdir"),
    )


CONNTRACK = Extension(
    name="conntrack",
    options=(
        Option("ctstate", "ctstate", STRING, invert=True), Option("ctproto", "ctproto", PROTOCOL, invert=True),
        *(Option(name, name, HOSTMASK, invert=True) for name in ADDRESSES),
        *(Option(name, name, _port(name), invert=True) for name in PORTS),
        Option("ctstatus", "ctstatus", STRING, invert=True),
        Option("ctexpire", "ctexpire", span(0, 0xFFFFFFFF), invert=True), Option("ctdir", "ctdir", STRING),
    ),
    take=_option, check=_check, build=_build,
)  # fmt: skip
