"""The schedulers: which real server gets a new connection.

Theory. rr and wrr remember where they stand (`Mark`); lc, wlc, sed and nq compare loads; sh, dh and mh hash (see
hashing.py). A server of weight 0 gets nothing new, nor does one over its upper threshold. Sources: ip_vs_rr.c,
ip_vs_wrr.c, ip_vs_lc.c, ip_vs_wlc.c, ip_vs_sed.c, ip_vs_nq.c, ip_vs_{sh,dh,mh}.c. Nothing is random.

Rules. `choose` gives the server and the new mark; it stores nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd
from typing import NamedTuple

from engine.linux.ipvs.hashing import Table, bucket_of, hash_32, in_turn, maglev, weighted
from engine.linux.ipvs.rows import Dest, DestKey, Load, Mark, Service

#: bits of Service.flags
FALLBACK, USE_PORT = 1, 2


class Asked(NamedTuple):
    """Who asks: the client's address and port, the virtual address."""

    client: int
    port: int
    virtual: int


Loads = Callable[[Dest], Load]


def start(svc: Service) -> Mark:
    """The mark of a service whose scheduler was just bound."""
    if svc.scheduler != "wrr":
        return Mark()
    step, highest = wrr_weights(svc)
    return Mark(current=highest, highest=highest, step=step)


def wrr_weights(svc: Service) -> tuple[int, int]:
    weights = [d.weight for d in svc.dests if d.weight > 0]
    step = gcd(*weights) if weights else 1
    return step, max(weights, default=0) - (step - 1)


def changed(svc: Service, mark: Mark, gone: DestKey | None = None, before: Sequence[Dest] = ()) -> Mark:
    """The mark after a server came, changed or went (`gone`, out of the list `before`)."""
    if svc.scheduler == "wrr":
        step, highest = wrr_weights(svc)
        current = mark.current
        if current > highest or not current:
            current = highest
        elif step > 1:
            current = current // step * step + 1
        return Mark(current=current, highest=highest, step=step)
    if svc.scheduler == "rr" and gone is not None and mark.at == gone:
        at = next(i for i, d in enumerate(before) if d.key == gone)
        return Mark(at=before[at - 1].key if at else None)
    return mark


def usable(dest: Dest, load: Load) -> bool:
    return dest.weight > 0 and not load.overload


def choose(svc: Service, mark: Mark, loads: Loads, asked: Asked) -> tuple[Dest | None, Mark]:
    """The server for a new connection and the mark afterwards; None when none is available."""
    if svc.scheduler == "rr":
        return rr(svc, mark, loads)
    if svc.scheduler == "wrr":
        return wrr(svc, mark, loads)
    if svc.scheduler in ("sh", "mh"):
        return hashed(svc, loads, asked), mark
    if svc.scheduler == "dh":
        table = in_turn(svc.dests)
        dest = table[hash_32(asked.virtual)] if table else None
        return (dest if dest is not None and usable(dest, loads(dest)) else None), mark
    return COMPARED[svc.scheduler](svc, loads), mark


def after(dests: Sequence[Dest], at: DestKey | None) -> int:
    """The index behind the server `at` (0 for the head of the list)."""
    return next((i + 1 for i, d in enumerate(dests) if d.key == at), 0)


def rr(svc: Service, mark: Mark, loads: Loads) -> tuple[Dest | None, Mark]:
    """From the one behind the last, once round."""
    begin = after(svc.dests, mark.at)
    for dest in (*svc.dests[begin:], *svc.dests[:begin]):
        if usable(dest, loads(dest)):
            return dest, Mark(at=dest.key)
    return None, mark


def wrr(svc: Service, mark: Mark, loads: Loads) -> tuple[Dest | None, Mark]:
    """Servers at or above the current weight, which sinks with each round (ip_vs_wrr_schedule)."""
    if mark.highest == 0:
        return None, mark
    dests, current = svc.dests, mark.current
    last, stop = mark.at, None
    position = after(dests, mark.at)
    from_head = position == 0
    last_pass = restarted = False
    while True:
        for dest in dests[position:]:
            if not loads(dest).overload and dest.weight >= current:
                return dest, mark._replace(at=dest.key, current=current)
            if stop is not None and dest.key == stop:
                return None, mark._replace(at=dest.key, current=current)
        position = 0
        current -= mark.step
        if current <= 0:
            current = mark.highest
            if last_pass or from_head:
                return None, mark._replace(at=None, current=current)
            restarted = True
        last_pass = current <= mark.step
        if last_pass and restarted and not from_head:
            stop = last


def least(svc: Service, loads: Loads) -> Dest | None:
    """lc: the fewest connections, active ones counting 257 times."""
    ready = [d for d in svc.dests if usable(d, loads(d))]
    return min(ready, key=lambda d: loads(d).overhead, default=None)


def weighed(svc: Service, loads: Loads, overhead: Callable[[Load], int]) -> Dest | None:
    """The least overhead by weight; the first of equals. A server of weight 0 after the first never wins."""
    best: Dest | None = None
    for dest in svc.dests:
        load = loads(dest)
        if best is None:
            best = dest if usable(dest, load) else None
        elif not load.overload and overhead(loads(best)) * dest.weight > overhead(load) * best.weight:
            best = dest
    return best


def never_queue(svc: Service, loads: Loads) -> Dest | None:
    """nq: an idle server at once, else as sed."""
    idle = [d for d in svc.dests if usable(d, loads(d)) and loads(d).active == 0]
    return idle[0] if idle else weighed(svc, loads, lambda load: load.active + 1)


COMPARED: dict[str, Callable[[Service, Loads], Dest | None]] = {
    "lc": least,
    "wlc": lambda svc, loads: weighed(svc, loads, lambda load: load.overhead),
    "sed": lambda svc, loads: weighed(svc, loads, lambda load: load.active + 1),
    "nq": never_queue,
}


def table_of(svc: Service) -> Table:
    return maglev(svc.dests) if svc.scheduler == "mh" else weighted(svc.dests)


def hashed(svc: Service, loads: Loads, asked: Asked) -> Dest | None:
    """sh and mh: the table's entry for the client; with fallback the next one round the table that can serve."""
    table = table_of(svc)
    if not table:
        return None
    port = asked.port if USE_PORT in svc.flags else 0
    first = bucket_of(svc.scheduler, asked.client, port)
    dest = current(svc, table[first])
    if usable(dest, loads(dest)):
        return dest
    if FALLBACK not in svc.flags:
        return None
    for offset in range(len(table)):
        turned = (offset + first) % len(table)
        dest = current(svc, table[bucket_of(svc.scheduler, asked.client, port, turned)])
        if usable(dest, loads(dest)):
            return dest
    return None


def current(svc: Service, dest: Dest) -> Dest:
    """A table's server as it is now."""
    return svc.dest(dest.key) or dest
