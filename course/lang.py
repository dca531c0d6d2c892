"""Which of the two languages a person reads, before any setting of theirs is known."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Literal


def wanted(argv: Sequence[str] | None = None) -> Literal["en", "ko"]:
    """What `--lang` says on this command line (or on the program's own), else the locale's language."""
    words = sys.argv[1:] if argv is None else argv
    for index, word in enumerate(words):
        value = word.removeprefix("--lang=") if word.startswith("--lang=") else ""
        if word == "--lang":
            value = "".join(words[index + 1 : index + 2])
        if value == "ko":
            return "ko"
        if value == "en":
            return "en"
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if locale := os.environ.get(name):
            return "ko" if locale.lower().startswith("ko") else "en"
    return "en"
