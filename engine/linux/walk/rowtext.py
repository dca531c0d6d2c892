"""The deciding rows of a step, in the text that the learner can print with the real tool."""

from __future__ import annotations

from engine.linux.conntrack import CtEntry
from engine.linux.fib import Route
from engine.linux.net import Netns
from engine.linux.rows import FdbEntry, Neighbour
from engine.linux.text.conntrack import to_text as conntrack_text
from engine.linux.text.fdb import to_text as fdb_text
from engine.linux.text.neigh import to_text as neigh_text
from engine.linux.text.route import to_text as route_text


def route(ns: Netns, row: Route) -> str:
    return route_text(ns, row)


def neighbour(ns: Netns, row: Neighbour) -> str:
    return neigh_text(ns, row)


def fdb(ns: Netns, row: FdbEntry) -> str:
    return fdb_text(ns, row)


def conntrack(row: CtEntry, now: float) -> str:
    return conntrack_text(row, now)
