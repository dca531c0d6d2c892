"""iptables text and the records it stands for: command lines, rules, the words of iptables-save.

Rules. `parse(argv)` gives a `Command` or raises Problem (iptables refuses), or NotModelled (iptables would take it).
Who makes rules from text (Docker, CNI plugins, tests) uses `rule` or `rules`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from engine.linux.xt.reader import Reader
from engine.linux.xt.rule import XtRule
from engine.linux.xt.vocabulary import (
    LONG,
    BadArgument,
    Command,
    HelpAsked,
    OtherFamily,
    VersionAsked,
    valid_chain_name,
)

__all__ = [
    "LONG",
    "BadArgument",
    "Command",
    "HelpAsked",
    "OtherFamily",
    "VersionAsked",
    "parse",
    "rule",
    "rules",
    "split",
    "valid_chain_name",
]


def parse(argv: Sequence[str], *, restore: bool = False, table: str = "filter") -> Command:
    """A command line without the program's name."""
    reader = Reader(argv, restore, table)
    reader.run()
    return reader.finish()


#: A word of iptables-save text without quotes: only these three end it.
_WORD = re.compile(r"[^ \t\n]+")


def split(line: str) -> list[str]:
    """The words of a line of iptables-save text: double quotes, and a backslash inside them."""
    if '"' not in line:
        return _WORD.findall(line)
    words: list[str] = []
    current, quote, escaped, started = "", False, False, False
    for c in line:
        if quote and escaped:
            current, escaped = current + c, False
        elif quote and c == "\\":
            escaped = True
        elif c == '"':
            quote, started = not quote, True
        elif c in " \t\n" and not quote:
            if current or started:
                words.append(current)
            current, started = "", False
        else:
            current += c
    return [*words, current] if current or started else words


@lru_cache(maxsize=512)
def rules(text: str) -> tuple[XtRule, ...]:
    """Rules from their text, everything behind `-A CHAIN`: `-s 10.0.0.0/8 ! -o docker0 -j MASQUERADE`. More than one
    when -s or -d lists addresses. Raises Problem or NotModelled."""
    return parse(["-A", "x", *split(text)], table="raw").rules


def rule(text: str) -> XtRule:
    """One rule from its text."""
    (only,) = rules(text)
    return only
