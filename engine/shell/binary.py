"""Files that are not text (a capture): bytes kept in a file's text.

Theory. A file of a lab is text; bytes that are no UTF-8 stand in it as Python's surrogate escapes, so that every file
has its exact bytes, sizes are true, and text stays text. Whoever shows a file to a person replaces them.
"""

from __future__ import annotations


def as_text(data: bytes) -> str:
    """Bytes as the text of a lab's file."""
    return data.decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    """The exact bytes of a lab's file."""
    return text.encode("utf-8", "surrogateescape")


def shown(text: str) -> str:
    """The text for a terminal: what is no text is a replacement character."""
    return text if text.isascii() else as_bytes(text).decode("utf-8", "replace")
