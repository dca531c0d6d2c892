"""The match on SCTP's header: -m sctp with ports and chunk types.

Rules. As in match.py. `--chunk-types` knows the chunks of the model's packets. Source: libxt_sctp.c (iptables 1.8.9).
"""

from __future__ import annotations

from typing import ClassVar

from engine.errors import NotModelled
from engine.linux.xt.match_l4 import ALL_PORTS, PortsMatch, _udp_option
from engine.linux.xt.options import STRING, Extension, Option, Parsing
from engine.record import dataclass
from engine.say import Phrase

ANY_SCTP = Phrase("SCTP", "SCTP")


@dataclass(frozen=True, slots=True, kw_only=True)
class SctpMatch(PortsMatch):
    """`-m sctp`."""

    NAME: ClassVar[str] = "sctp"
    ALONE: ClassVar[Phrase] = ANY_SCTP


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
