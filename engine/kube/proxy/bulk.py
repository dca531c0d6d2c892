"""Making many objects at once: the garbage collector waits.

Rules. Only around pure making of rows that stay; what is thrown inside goes out as it is.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: more Services than this at once
MANY = 500


@contextmanager
def unswept(count: int) -> Iterator[None]:
    """While `count` Services' rows are made. They are a million objects that stay, and a collector that looks through
    them again and again finds nothing: without it a large cluster's rows take a third of the time."""
    if count <= MANY or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
