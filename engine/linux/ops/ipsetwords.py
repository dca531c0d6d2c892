"""The words of the real ipset for an op on sets: `add web 10.0.0.1,tcp:80 timeout 30`.

Rules. The words mean the same to the real tool and to the lab's own; a test runs them through both.
"""

from __future__ import annotations

from engine.linux.ipset.kinds import KINDS
from engine.linux.ipset.rows import Beside
from engine.linux.ipset.sets import IpSet
from engine.linux.ipset.text import change_words, create_words, spelled
from engine.linux.ops.ipset import (
    IpsetAdd,
    IpsetCreate,
    IpsetDel,
    IpsetDestroy,
    IpsetFlush,
    IpsetOp,
    IpsetRename,
    IpsetSwap,
)

Words = tuple[str, ...]


def ipset_words(op: IpsetOp) -> Words:
    """Everything behind `ipset`."""
    match op:
        case IpsetCreate():
            words = create_words(IpSet(op.name, KINDS[op.kind], op.options))
            return ("create", op.name, *words, *exist(op.exist))
        case IpsetAdd():
            return ("add", op.name, spelled(op.asked), *change_words(op.asked, op.beside), *exist(op.exist))
        case IpsetDel():
            return ("del", op.name, spelled(op.asked), *change_words(op.asked, Beside()), *exist(op.exist))
        case IpsetDestroy() | IpsetFlush():
            verb = "destroy" if isinstance(op, IpsetDestroy) else "flush"
            return (verb, op.name) if op.name else (verb,)
        case IpsetRename():
            return ("rename", op.name, op.new_name)
        case IpsetSwap():
            return ("swap", op.name, op.other)
    raise TypeError(f"no words for {type(op).__name__}")


def exist(on: bool) -> Words:
    return ("-exist",) if on else ()
