"""The deciding rows of a step, in the text that the learner can print with the real tool."""

from __future__ import annotations

from engine.linux.conntrack import CtEntry
from engine.linux.fib import Route
from engine.linux.net import Netns
from engine.linux.rows import FdbEntry, Neighbour
from engine.linux.text import conntrack as ct_text
from engine.linux.text import fdb as fdb_text
from engine.linux.text import neigh as neigh_text
from engine.linux.text import route as route_text


def route(ns: Netns, row: Route) -> str:
    return route_text.to_text(ns, row)


def neighbour(ns: Netns, row: Neighbour) -> str:
    return neigh_text.to_text(ns, row)


def fdb(ns: Netns, row: FdbEntry) -> str:
    return fdb_text.to_text(ns, row)


def conntrack(row: CtEntry, now: float) -> str:
    return ct_text.to_text(row, now)
