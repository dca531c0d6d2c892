"""What every command of an op is made of: the register `to_command`, and the words that several kinds share.

Rules. The commands themselves stand in `commands.py` (links, addresses, routes, rules, neighbours, entries) and in
`devicecommands.py` (devices with a kind of their own). Import `to_command` from `commands.py`, so that all are there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

from engine.errors import NotModelled
from engine.linux.ops.base import Op

Place = Callable[[str], str]
Words = tuple[str, ...]


def tool(name: str, netns: str, place: Place) -> Words:
    """`ip`, or `ip -n NAME` outside the machine's own namespace."""
    inside = place(netns)
    return (name, "-n", inside) if inside else (name,)


@singledispatch
def to_command(op: Op, place: Place) -> tuple[Words, ...]:
    """The commands that do the same, in order. Raises NotModelled for an op that no command of ip or bridge does."""
    raise NotModelled(f"the real command of {type(op).__name__}")


def queue(length: int) -> Words:
    """The transmit queue's length where it is not what the kernel gives."""
    return () if length == 1000 else ("txqueuelen", str(length))
