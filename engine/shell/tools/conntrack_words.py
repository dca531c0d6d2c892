"""Sentences that conntrack ends with."""

from __future__ import annotations

from engine.shell.tool import Fail

VERSION = "conntrack v1.4.7 (conntrack-tools)"
TRY = "Try `conntrack -h' or 'conntrack --help' for more information."
ROOT = "Operation failed: sorry, you must be root or get CAP_NET_ADMIN capability to do this"


def bad(text: str) -> Fail:
    return Fail(f"{VERSION}: {text}\n{TRY}", 2)
