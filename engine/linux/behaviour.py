"""What a step shows of the model's behaviour, as keys; and which of them a test has compared with a kernel.

Theory. A step's mark `kernel-checked` is earned: every key of the step must stand in `compared.txt`, and a test fails
when that list claims a key that no comparison of its run met (tests/real/claims.py). A rule has a key for each of its
matches and its target with the options used; every other step is known by its kind and by the sentence that says why,
since each sentence stands for one decision of the walker.

Rules. Keys are made here alone, from what stands in the step, and only when somebody asks: a walk pays nothing. A step
whose sentence has no name (a program's own words) has a key with `?`, which nothing claims.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from engine.say import Phrase, Said

if TYPE_CHECKING:
    from engine.linux.journey import Step

#: modules whose phrases name behaviour
WORDS = ("words", "words_tunnel", "words_ipvs")
LETTERS = {
    "-s": "source", "-d": "destination", "-i": "in-device", "-o": "out-device", "-p": "protocol", "-f": "fragment",
}  # fmt: skip
CLAIMS = Path(__file__).with_name("compared.txt")
#: options whose value is a behaviour of its own
VALUES = ("--mode", "--reject-with", "--ctstate", "--dst-type", "--src-type")
_WORD = re.compile(r'"(?:\\.|[^"\\])*"|\S+')
_NFT = re.compile(r'"[^"]*"|@\S+|(?:jump|goto) \S+|\S+')


@cache
def names() -> dict[int, str]:
    """id of a phrase -> its name in the walker's words."""
    out: dict[int, str] = {}
    for module in WORDS:
        try:
            found = import_module(f"engine.linux.walk.{module}")
        except ModuleNotFoundError:
            continue
        out |= {id(value): name for name, value in vars(found).items() if isinstance(value, Phrase)}
    return out


def said_name(said: Said | None) -> str:
    """The name of a step's sentence; `?` for one that is no walker's word, `-` where there is none."""
    return "-" if said is None else names().get(id(said.phrase), "?")


@cache
def rule_keys(row: str) -> tuple[str, ...]:
    """The keys of one line of iptables-save."""
    keys: list[str] = []
    head = ""
    words = _WORD.findall(row)[2:]
    at = 0
    while at < len(words):
        word = words[at]
        if word in LETTERS:
            keys.append(f"match {LETTERS[word]}")
            at += 1
        elif word == "-m" and at + 1 < len(words):
            head = f"match {words[at + 1]}"
            keys.append(head)
            at += 1
        elif word in ("-j", "-g") and at + 1 < len(words):
            name = words[at + 1]
            known = name in BUILT_IN
            head = f"target {name}" if known else f"target {'jump' if word == '-j' else 'goto'}"
            keys.append(head)
            at += 1
        elif word.startswith("--") and head:
            value = f" {words[at + 1]}" if word in VALUES and at + 1 < len(words) else ""
            parts = value.split(",") if value else [""]
            keys += [f"{head} {word}{f' {part.strip()}' if part else ''}" for part in parts]
        at += 1
    return tuple(dict.fromkeys(keys or ["match nothing"]))


#: targets that are no chains of the user's
BUILT_IN = frozenset(
    (
        "ACCEPT", "DROP", "RETURN", "REJECT", "LOG", "NFLOG", "TRACE", "MARK", "CONNMARK", "CT", "NOTRACK", "DNAT",
        "SNAT", "MASQUERADE", "REDIRECT", "TPROXY", "TEE", "DSCP", "TOS", "TTL", "TCPMSS", "SET", "NFQUEUE", "CLASSIFY",
        "CHECKSUM", "NETMAP",
    )
)  # fmt: skip


@cache
def nft_keys(row: str) -> tuple[str, ...]:
    """The keys of one nft rule: its keywords, without names, values and comments."""
    keys = []
    for word in _NFT.findall(row):
        head = word.split(" ")[0]
        if word[0] == "@":
            keys.append("nft set")
        elif head in ("jump", "goto") or (head.isalpha() and head.islower()):
            keys.append(f"nft {head}")
    return tuple(dict.fromkeys(keys or ["nft nothing"]))


def keys(step: Step) -> tuple[str, ...]:
    """The behaviour that this step shows."""
    kind = str(step.kind)
    if kind == "rule":
        return (
            (f"rule {step.table}", *rule_keys(step.row)) if step.row.startswith("-A ") else nft_keys(step.row)
        )
    if kind == "policy":
        return (
            f"policy {step.table} {step.verdict}"
            if step.row.startswith("-P ")
            else f"nft policy {step.verdict}",
        )
    name = said_name(step.why)
    if kind == "drop" and name == "?" and step.row.startswith("-A "):
        name = "DROPPED_BY_RULE"  # a room above has said whose rule it is
    if kind == "conntrack":
        return (f"conntrack {step.verdict}", f"conntrack {name}")
    if kind == "nat":
        return (f"nat {name}", f"nat {step.hook}")
    if kind == "route":
        word = step.row.split(" ", 1)[0]
        type = (
            word
            if word in ("local", "broadcast", "blackhole", "unreachable", "prohibit", "throw")
            else "unicast"
        )
        return (f"route {name}", f"route {type}")
    return (f"{kind} {name}",)


@cache
def claims() -> dict[str, str]:
    """key -> the comparison that meets it, as `compared.txt` lists them: `COMPARISON: KEY`."""
    out: dict[str, str] = {}
    for line in CLAIMS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            where, _, key = line.partition(": ")
            out[key] = where
    return out


def compared(step: Step) -> bool:
    """Has every behaviour of this step been held against a kernel?"""
    listed = claims()
    return all(key in listed for key in keys(step))
