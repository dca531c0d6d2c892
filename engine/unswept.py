"""Making many objects at once: the garbage collector waits.

Theory. Objects that were just made and stay are no garbage; a collector that looks through them again and again finds
nothing, and the more there are the longer it looks. It waits around such work, and goes on afterwards.

Rules. Only around work that ends by itself soon; what is thrown inside goes out as it is. Who has switched the
collector off himself finds it off.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def calm() -> None:
    """What a program of ours asks for when it starts: a lab is hundreds of thousands of objects that stay, and a packet
    makes two thousand that are let go at once. None of them is garbage, and looking through the young ones after each
    packet costs a tenth of its time."""
    gc.set_threshold(50_000, 20, 100)


@contextmanager
def unswept(when: bool = True) -> Iterator[None]:
    """Without the collector, if `when`."""
    if not when or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def laid_aside(when: bool = True) -> Iterator[None]:
    """Without the collector, if `when`; and what was made is never looked through again: there is so much of it that
    each look would take seconds, and it stays."""
    with unswept(when):
        try:
            yield
        finally:
            if when:
                gc.freeze()  # before the collector wakes up and looks through all of it
