"""The match on SCTP's header: -m sctp with ports and chunk types.

Rules. As in match.py. `--chunk-types` knows the chunks of the model's packets. Source: libxt_sctp.c (iptables 1.8.9).
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.packet import Sctp
from engine.linux.xt.match import Match
from engine.linux.xt.match_l4 import ALL_PORTS, _listed, _saved, _udp_option, port_whys, together
from engine.linux.xt.options import STRING, Extension, Option, Parsing
from engine.linux.xt.seen import Seen
from engine.record import dataclass
from engine.say import Phrase, Said

ANY_SCTP = Phrase("SCTP", "SCTP")


@dataclass(frozen=True, slots=True, kw_only=True)
class SctpMatch(Match):
    """`-m sctp`."""

    sport: tuple[int, int] = ALL_PORTS
    dport: tuple[int, int] = ALL_PORTS
    not_sport: bool = False
    not_dport: bool = False

    def test(self, seen: Seen) -> bool:
        return (
            isinstance(seen.l4, Sctp)
            and (self.dport[0] <= seen.dport <= self.dport[1]) is not self.not_dport
            and (self.sport[0] <= seen.sport <= self.sport[1]) is not self.not_sport
        )

    def words(self) -> list[str]:
        out = ["-m", "sctp", *_saved("--sport", self.sport, self.not_sport)]
        return out + _saved("--dport", self.dport, self.not_dport)

    def listing(self, numeric: bool, proto: int) -> str:
        out = " sctp" + _listed("spt", self.sport, self.not_sport, "sctp", numeric)
        return out + _listed("dpt", self.dport, self.not_dport, "sctp", numeric)

    def why(self) -> Said:
        return together(port_whys(self.sport, self.not_sport, self.dport, self.not_dport) or [ANY_SCTP()])


def _option(p: Parsing, option: Option, arg: str, invert: bool) -> None:
    if option.id == "chunks":
        raise NotModelled("iptables -m sctp --chunk-types")
    _udp_option(p, option, arg, invert)


def _build(p: Parsing) -> SctpMatch:
    get, no = p.values.get, p.inverted.get
    return SctpMatch(
        sport=get("sport", ALL_PORTS), dport=get("dport", ALL_PORTS),
        not_sport=no("sport", False), not_dport=no("dport", False),
    )  # fmt: skip


SCTP = Extension(
    name="sctp",
    options=(
        Option("source-port", "sport", STRING, invert=True), Option("sport", "sport", STRING, invert=True),
        Option("destination-port", "dport", STRING, invert=True), Option("dport", "dport", STRING, invert=True),
        Option("chunk-types", "chunks", STRING, invert=True),
    ),
    take=_option, build=_build,
)  # fmt: skip
