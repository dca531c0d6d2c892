"""The refusals of ipset 7.17, in its words.

Rules. `IpsetRefused` is the kernel's answer (an op that did not happen); `Problem` is the tool's own refusal of what
was typed. Both end up as `ipset v7.17: ...`, with the number of the line in a restored text. Source: lib/errcode.c.
"""

from __future__ import annotations

from engine.errors import EngineError, OpError
from engine.say import plain

VERSION = "7.17"
PARAMETER, OTHER = 2, 1
HINT = "Try `ipset help' for more information.\n"

#: code -> what the tool says
KERNEL = {
    "ENOENT": "The set with the given name does not exist",
    "EEXIST": "Set cannot be created: set with the same name already exists",
    "EINVAL": "Kernel error received: Invalid argument",
    "TYPE": "Kernel error received: set type not supported",
    "BUSY": "Set cannot be destroyed: it is in use by a kernel component",
    "RENAME_EXISTS": "Set cannot be renamed: a set with the new name already exists",
    "REFERENCED": "Set cannot be renamed: it is in use by another system",
    "SWAP_ENOENT": "Sets cannot be swapped: the second set does not exist",
    "MISMATCH": "The sets cannot be swapped: their type does not match",
    "CIDR": "The value of the CIDR parameter of the IP address is invalid",
    "TIMEOUT": "Timeout cannot be used: set was created without timeout support",
    "COUNTER": "Packet/byte counters cannot be used: set was created without counter support",
    "COMMENT": "Comment cannot be used: set was created without comment support",
    "SKBINFO": "Skbinfo mapping cannot be used: set was created without skbinfo support",
    "ADDED": "Element cannot be added to the set: it's already added",
    "NOT_ADDED": "Element cannot be deleted from the set: it's not added",
    "BITMAP_RANGE": "Element is out of the range of the set",
    "BITMAP_SIZE": "The range you specified exceeds the size limit of the set type",
    "FULL": "Hash is full, cannot add more elements",
    "NULL": "Null-valued element, cannot be stored in a hash type of set",
    "PROTO": "Invalid protocol specified",
    "HASH_RANGE": "Invalid range, covers the whole address space",
    "NAME": "Set to be added/deleted/tested as element does not exist.",
    "LOOP": "Sets with list:set type cannot be added to the set.",
    "NAMEREF": "The set to which you referred with 'before' or 'after' does not exist.",
    "LIST_FULL": "The set is full, more elements cannot be added.",
    "REF_EXIST": "The set to which you referred with 'before' or 'after' is not added to the set.",
    "NETMASK": "The value of the netmask parameter is invalid",
}


class IpsetRefused(OpError):
    """The kernel refuses. `code` is a key of KERNEL; `done` elements of a range were handled before the refusal."""

    def __init__(self, code: str, done: int = 0) -> None:
        super().__init__(code, f"ipset v{VERSION}: {KERNEL[code]}")
        self.code = code
        self.done = done


class Problem(EngineError):
    """The tool refuses what was typed. `usage` = it adds the hint about `ipset help` and ends with 2; `syntax` = it
    names the line of a restored text."""

    def __init__(self, message: str, *, usage: bool = False, status: int = 0) -> None:
        super().__init__(plain(message))
        self.message = message
        self.usage = usage
        self.status = status or (PARAMETER if usage else OTHER)
        self.named = not usage and not status


def syntax(message: str) -> Problem:
    return Problem(f"Syntax error: {message}")


def usage(message: str) -> Problem:
    return Problem(message, usage=True)


def render(error: IpsetRefused | Problem, line: int = 0) -> tuple[str, int]:
    """(stderr, exit code)."""
    if isinstance(error, IpsetRefused):
        text, status, named, hint = KERNEL[error.code], OTHER, True, ""
    else:
        text, status, named, hint = error.message, error.status, error.named, HINT if error.usage else ""
    where = f"Error in line {line}: " if line and named else ""
    _, newline, last = text.rpartition("\n")
    if where and newline:
        # The line's number writes over what was said before; a port that is no port is said without it.
        where, text = ("", text) if last.startswith("cannot parse") else (where, last)
    return f"ipset v{VERSION}: {where}{text}\n{hint}", status
