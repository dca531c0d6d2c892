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
