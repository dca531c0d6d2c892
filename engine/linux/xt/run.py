"""Runs one table's chain at one hook over a packet, and says rule by rule what happened."""

from __future__ import annotations

from dataclasses import dataclass

from engine.linux.journey import Place, Step
from engine.linux.net import Net, Netns
from engine.linux.skb import Skb


@dataclass(frozen=True, slots=True, kw_only=True)
class Nat:
    """What a nat target asks for. `kind` is dnat, snat, masquerade or redirect; `low`..`high` addresses and
    `port_low`..`port_high` ports (0 = keep); `random` is --random or --random-fully."""

    kind: str
    low: int = 0
    high: int = 0
    port_low: int = 0
    port_high: int = 0
    random: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`word` is accept, drop or reject; `reject` the --reject-with type; `nat` set when a nat target decided."""

    word: str
    reject: str = ""
    nat: Nat | None = None
    step: Step | None = None


def run_chain(net: Net, ns: Netns, table: str, hook: str, skb: Skb, place: Place) -> tuple[list[Step], Verdict]:
    """Run `table`'s built-in chain for `hook`. Counts, changes `skb.mark`, returns the steps and the verdict."""
    return [], Verdict(word="accept")
