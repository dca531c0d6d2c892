"""A batch that the kernel, or nft itself, does not take: its errors and their text.

Rules. As in lexer.py: an error points at places of a line.
"""

from __future__ import annotations

from engine.errors import OpError
from engine.linux.nft.lexer import NftError, Span

ERRORS = {
    "ENOENT": "No such file or directory", "EEXIST": "File exists", "EBUSY": "Device or resource busy",
    "EOPNOTSUPP": "Operation not supported", "EINVAL": "Invalid argument", "EMLINK": "Too many links",
    "ERANGE": "Numerical result out of range", "ENFILE": "Too many open files in system",
}  # fmt: skip


class NftRefused(OpError):
    """A batch that was not taken. `errors` in order; `text` as nft prints them."""

    def __init__(self, errors: list[NftError], lines: list[str], source: str) -> None:
        self.errors = errors
        self.printed = "".join(e.render(lines, source) for e in errors)
        super().__init__(errors[0].errno, self.printed.rstrip("\n"))


def kernel(errno: str, *places: Span) -> NftError:
    """The kernel's answer to one command."""
    return NftError(f"Could not process rule: {ERRORS[errno]}", *places, phase="kernel", errno=errno)
