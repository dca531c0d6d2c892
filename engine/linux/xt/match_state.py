"""Matches on what the kernel keeps beside the packet: conntrack state, marks, bridge ports, the sending socket.

Rules. As in match.py. `-m conntrack` with more than --ctstate: match_ct.py.
"""

from __future__ import annotations

from typing import Any, ClassVar

from engine.linux.xt.match import Match, asks, bang, device_matches
from engine.linux.xt.match_l4 import together
from engine.linux.xt.names import GROUPS, USERS
from engine.linux.xt.options import MARKMASK, STRING, Extension, Option, Parsing, Problem, strtoui
from engine.linux.xt.seen import Seen
from engine.record import dataclass
from engine.say import Phrase, Said

#: In the order in which iptables prints them.
CT_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")

STATE = Phrase("connection state {states}", "연결 상태 {states}")
NOT_STATE = Phrase("connection state is not {states}", "연결 상태가 {states}이(가) 아님")


@dataclass(frozen=True, slots=True, kw_only=True)
class CtState(Match):
    """`-m conntrack --ctstate`, or `-m state --state` (`old`). `states` in CT_STATES order."""

    states: tuple[str, ...]
    invert: bool = False
    old: bool = False

    def test(self, seen: Seen) -> bool:
        skb = seen.skb
        hit = skb.ctstate in self.states
        if not hit and skb.ct is not None:
            hit = ("SNAT" in self.states and skb.ct.snat) or ("DNAT" in self.states and skb.ct.dnat)
        return hit is not self.invert

    def _list(self) -> str:
        return ",".join(self.states)

    def words(self) -> list[str]:
        name, option = ("state", "--state") if self.old else ("conntrack", "--ctstate")
        return ["-m", name, *bang(self.invert), option, self._list()]

    def listing(self, numeric: bool, proto: int) -> str:
        return f"{' !' if self.invert else ''} {'state' if self.old else 'ctstate'} {self._list()}"

    def why(self) -> Said:
        return asks(STATE, NOT_STATE, self.invert, states=self._list())

    @property
    def needs_conntrack(self) -> bool:
        return True


def read_states(arg: str, known: tuple[str, ...], word: str) -> tuple[str, ...]:
    """A comma list; a beginning of a name is enough, in the order in which the source tests them."""
    order = ("INVALID", "NEW", "ESTABLISHED", "RELATED", "UNTRACKED", "SNAT", "DNAT")
    got, rest = set(), arg
    while True:
        part, comma, after = rest.partition(",")
        if not rest and word == "state":
            raise Problem('"--state" requires a list of states with no spaces, e.g. ESTABLISHED,RELATED')
        name = next((s for s in order if s in known and part and s.startswith(part.upper())), None)
        if name is None:
            raise Problem(f'Bad {word} "{rest}"')
        got.add(name)
        if not comma:
            return tuple(s for s in CT_STATES if s in got)
        rest = after


def _state_option(p: Parsing, option: Option, arg: str, invert: bool) -> None:
    p.values["states"], p.inverted["states"] = read_states(arg, CT_STATES[:5], "state"), invert


def _state_build(p: Parsing) -> CtState:
    return CtState(states=p.values["states"], invert=p.inverted["states"], old=True)


STATE_EXTENSION = Extension(
    name="state", options=(Option("state", "state", STRING, invert=True, must=True),),
    take=_state_option, build=_state_build,
)  # fmt: skip


def mark_text(mark: int, mask: int) -> str:
    return f"0x{mark:x}" if mask == 0xFFFFFFFF else f"0x{mark:x}/0x{mask:x}"


MARK_IS = Phrase("packet mark {mark}", "패킷 마크 {mark}")
MARK_IS_NOT = Phrase("packet mark is not {mark}", "패킷 마크가 {mark}이(가) 아님")
CONNMARK_IS = Phrase("connection mark {mark}", "연결 마크 {mark}")
CONNMARK_IS_NOT = Phrase("connection mark is not {mark}", "연결 마크가 {mark}이(가) 아님")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkMatch(Match):
    """`-m mark`."""

    mark: int
    mask: int = 0xFFFFFFFF
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return (seen.skb.mark & self.mask == self.mark) is not self.invert

    def words(self) -> list[str]:
        return ["-m", "mark", *bang(self.invert), "--mark", mark_text(self.mark, self.mask)]

    def listing(self, numeric: bool, proto: int) -> str:
        return f" mark match{' !' if self.invert else ''} {mark_text(self.mark, self.mask)}"

    def why(self) -> Said:
        return asks(MARK_IS, MARK_IS_NOT, self.invert, mark=mark_text(self.mark, self.mask))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnmarkMatch(Match):
    """`-m connmark`. A packet without an entry never matches, negated or not (xt_connmark.c)."""

    mark: int
    mask: int = 0xFFFFFFFF
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        ct = seen.skb.ct
        return ct is not None and (ct.mark & self.mask == self.mark) is not self.invert

    def words(self) -> list[str]:
        return ["-m", "connmark", *bang(self.invert), "--mark", mark_text(self.mark, self.mask)]

    def listing(self, numeric: bool, proto: int) -> str:
        return f" connmark match {'!' if self.invert else ''} {mark_text(self.mark, self.mask)}"

    def why(self) -> Said:
        return asks(CONNMARK_IS, CONNMARK_IS_NOT, self.invert, mark=mark_text(self.mark, self.mask))

    @property
    def needs_conntrack(self) -> bool:
        return True


def _mark_build(p: Parsing) -> MarkMatch:
    return MarkMatch(mark=p.values["mark"][0], mask=p.values["mark"][1], invert=p.inverted["mark"])


def _connmark_build(p: Parsing) -> ConnmarkMatch:
    return ConnmarkMatch(mark=p.values["mark"][0], mask=p.values["mark"][1], invert=p.inverted["mark"])


_MARK_OPTIONS = (Option("mark", "mark", MARKMASK, invert=True, must=True),)
MARK = Extension(name="mark", options=_MARK_OPTIONS, build=_mark_build)
CONNMARK = Extension(name="connmark", options=_MARK_OPTIONS, build=_connmark_build)

BRIDGED = Phrase("crosses a bridge", "브리지를 지나감")
NOT_BRIDGED = Phrase("does not cross a bridge", "브리지를 지나가지 않음")
PORT_IN = Phrase("came in by bridge port {device}", "브리지 포트 {device}(으)로 들어옴")
NOT_PORT_IN = Phrase("did not come in by bridge port {device}", "브리지 포트 {device}(으)로 들어오지 않음")
PORT_OUT = Phrase("leaves by bridge port {device}", "브리지 포트 {device}(으)로 나감")
NOT_PORT_OUT = Phrase("does not leave by bridge port {device}", "브리지 포트 {device}(으)로 나가지 않음")
IS_IN = Phrase("came in by a bridge port", "브리지 포트로 들어옴")
IS_NOT_IN = Phrase("did not come in by a bridge port", "브리지 포트로 들어오지 않음")
IS_OUT = Phrase("will leave by a bridge port", "브리지 포트로 나갈 예정")
IS_NOT_OUT = Phrase("will not leave by a bridge port", "브리지 포트로 나가지 않을 예정")


@dataclass(frozen=True, slots=True, kw_only=True)
class Physdev(Match):
    """`-m physdev`. A part that was not asked for is None, else (value, negated); flags keep only the negation."""

    isin: bool | None = None
    name_in: tuple[str, bool] | None = None
    isout: bool | None = None
    name_out: tuple[str, bool] | None = None
    bridged: bool | None = None

    def unfit_at(self, hook: str) -> bool:
        return hook == "OUTPUT" and bool(self.isout is not None or self.name_out)

    def test(self, seen: Seen) -> bool:
        skb = seen.skb
        if not skb.physin and not skb.physout:
            # Not a bridged packet: holds only when every question that was asked is negated (xt_physdev.c).
            asked = (self.isin, self.isout, self.bridged, *(n[1] for n in (self.name_in, self.name_out) if n))
            return all(part is not False for part in asked)
        if self.bridged is not None and bool(skb.physout) is self.bridged:
            return False
        if self.isin is not None and bool(skb.physin) is self.isin:
            return False
        if self.isout is not None and bool(skb.physout) is self.isout:
            return False
        if self.name_in and skb.physin and device_matches(self.name_in[0], skb.physin) is self.name_in[1]:
            return False
        if self.name_out is None:
            return True
        return bool(skb.physout) and device_matches(self.name_out[0], skb.physout) is not self.name_out[1]

    def _options(self) -> list[str]:
        out: list[str] = []
        if self.isin is not None:
            out += [*bang(self.isin), "--physdev-is-in"]
        if self.name_in is not None:
            out += [*bang(self.name_in[1]), "--physdev-in", self.name_in[0]]
        if self.isout is not None:
            out += [*bang(self.isout), "--physdev-is-out"]
        if self.name_out is not None:
            out += [*bang(self.name_out[1]), "--physdev-out", self.name_out[0]]
        if self.bridged is not None:
            out += [*bang(self.bridged), "--physdev-is-bridged"]
        return out

    def words(self) -> list[str]:
        return ["-m", "physdev", *self._options()]

    def listing(self, numeric: bool, proto: int) -> str:
        return " PHYSDEV match " + " ".join(self._options())

    def why(self) -> Said:
        parts = []
        for yes, no, value in (
            (BRIDGED, NOT_BRIDGED, self.bridged), (IS_IN, IS_NOT_IN, self.isin), (IS_OUT, IS_NOT_OUT, self.isout),
        ):  # fmt: skip
            if value is not None:
                parts.append(asks(yes, no, value))
        for yes, no, named in ((PORT_IN, NOT_PORT_IN, self.name_in), (PORT_OUT, NOT_PORT_OUT, self.name_out)):
            if named is not None:
                parts.append(asks(yes, no, named[1], device=named[0]))
        return together(parts)


def parse_device(text: str) -> str:
    """A device name or a beginning with +, in the words of `xtables_parse_interface`."""
    if len(text) + 1 > 16:
        raise Problem(f"interface name `{text}' must be shorter than IFNAMSIZ (15)")
    return text


def _physdev_option(p: Parsing, option: Option, arg: Any, invert: bool) -> None:
    p.values[option.id] = (parse_device(arg), invert) if option.kind is not None else invert


def _physdev_check(p: Parsing) -> None:
    if not p.used:
        raise Problem("PHYSDEV: no physdev option specified")


def _physdev_build(p: Parsing) -> Physdev:
    get = p.values.get
    return Physdev(
        isin=get("isin"), name_in=get("in"), isout=get("isout"), name_out=get("out"), bridged=get("bridged")
    )


PHYSDEV = Extension(
    name="physdev",
    options=(
        Option("physdev-in", "in", STRING, invert=True), Option("physdev-out", "out", STRING, invert=True),
        Option("physdev-is-in", "isin", None, invert=True), Option("physdev-is-out", "isout", None, invert=True),
        Option("physdev-is-bridged", "bridged", None, invert=True),
    ),
    take=_physdev_option, check=_physdev_check, build=_physdev_build,
)  # fmt: skip

USER = Phrase("sent by user {who}", "사용자 {who}의 프로그램이 보냄")
NOT_USER = Phrase("not sent by user {who}", "사용자 {who}의 프로그램이 보낸 것이 아님")
GROUP = Phrase("sent by group {who}", "그룹 {who}의 프로그램이 보냄")
NOT_GROUP = Phrase("not sent by group {who}", "그룹 {who}의 프로그램이 보낸 것이 아님")
SOCKET = Phrase("sent by a program of this machine", "이 머신의 프로그램이 보냄")
NOT_SOCKET = Phrase("not sent by a program of this machine", "이 머신의 프로그램이 보낸 것이 아님")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner(Match):
    """`-m owner`. `uid`, `gid` are (low, high, negated) or None; `socket` None or the negation."""

    hooks: ClassVar[tuple[str, ...]] = ("OUTPUT", "POSTROUTING")
    uid: tuple[int, int, bool] | None = None
    gid: tuple[int, int, bool] | None = None
    socket: bool | None = None

    def test(self, seen: Seen) -> bool:
        skb = seen.skb
        if skb.uid < 0:
            # No socket: (match ^ invert) == 0 in xt_owner.c, so every question that was asked must be negated.
            asked = [part[2] for part in (self.uid, self.gid) if part is not None]
            return all(asked) and self.socket is not False
        if self.socket is True:
            return False
        if self.uid is not None and (self.uid[0] <= skb.uid <= self.uid[1]) is self.uid[2]:
            return False
        return self.gid is None or (self.gid[0] <= skb.gid <= self.gid[1]) is not self.gid[2]

    def _parts(self) -> list[tuple[str, str, tuple[int, int, bool]]]:
        out = []
        if self.uid is not None:
            out.append(("--uid-owner", "owner UID match", self.uid))
        if self.gid is not None:
            out.append(("--gid-owner", "owner GID match", self.gid))
        return out

    def words(self) -> list[str]:
        out = ["-m", "owner"]
        if self.socket is not None:
            out += [*bang(self.socket), "--socket-exists"]
        for option, _, (low, high, invert) in self._parts():
            out += [*bang(invert), option, str(low) if low == high else f"{low}-{high}"]
        return out

    def listing(self, numeric: bool, proto: int) -> str:
        out = "" if self.socket is None else f"{' !' if self.socket else ''} owner socket exists"
        for option, label, (low, high, invert) in self._parts():
            names = USERS if option == "--uid-owner" else GROUPS
            text = str(low) if low == high else f"{low}-{high}"
            if low == high and not numeric:
                text = next((n for n, number in names.items() if number == low), text)
            out += f"{' !' if invert else ''} {label} {text}"
        return out

    def why(self) -> Said:
        parts = [] if self.socket is None else [asks(SOCKET, NOT_SOCKET, self.socket)]
        for option, _, (low, high, invert) in self._parts():
            yes, no = (USER, NOT_USER) if option == "--uid-owner" else (GROUP, NOT_GROUP)
            parts.append(asks(yes, no, invert, who=str(low) if low == high else f"{low}-{high}"))
        return together(parts)


def _owner_option(p: Parsing, option: Option, arg: Any, invert: bool) -> None:
    if option.kind is None:
        p.values["socket"] = invert
        return
    named = (USERS if option.id == "uid" else GROUPS).get(arg)
    if named is not None:
        p.values[option.id] = (named, named, invert)
        return
    at = next((i for i, c in enumerate(arg) if c in "-:" and i), None)
    low = strtoui(arg if at is None else arg[:at], 0, 0xFFFFFFFE)
    high = low if at is None else strtoui(arg[at + 1 :], 0, 0xFFFFFFFE)
    if low is None or high is None:
        raise Problem(f'owner: Bad value for "--{option.id}-owner" option: "{arg}"')
    p.values[option.id] = (low, high, invert)


def _owner_check(p: Parsing) -> None:
    if not p.used:
        raise Problem("owner: At least one of --uid-owner, --gid-owner or --socket-exists is required")


def _owner_build(p: Parsing) -> Owner:
    return Owner(uid=p.values.get("uid"), gid=p.values.get("gid"), socket=p.values.get("socket"))


OWNER = Extension(
    name="owner",
    options=(
        Option("uid-owner", "uid", STRING, invert=True), Option("gid-owner", "gid", STRING, invert=True),
        Option("socket-exists", "socket", None, invert=True),
        Option("suppl-groups", "suppl-groups", None, modelled=False),
    ),
    take=_owner_option, check=_owner_check, build=_owner_build,
)  # fmt: skip
