"""Felix's rules: a rule once as the text that felix hashes, and as the row that the kernel holds.

Theory. Every rule of felix carries a comment `cali:` with sixteen characters: a SHA-224 over the hash of the rule
before it and the rule's own text without the comment. So a rule's hash names its place and all that stands before it,
and felix sees from the comments alone whether a chain is as it wrote it.

Rules. `Part` and `Do` pair the words of felix's renderer with the model's own record of the same meaning; rows are
built from the records, never parsed from the text. Source: felix/generictables/rules.go, felix/iptables/{renderer,
match_builder,actions}.go.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache

from engine.linux.addr import Prefix
from engine.linux.xt.match import Destination, InDevice, Match, OutDevice, Protocol, Source
from engine.linux.xt.match_host import Rpfilter
from engine.linux.xt.match_l4 import UdpMatch
from engine.linux.xt.match_more import Addrtype, Comment
from engine.linux.xt.match_multi import Multiport
from engine.linux.xt.match_set import SetMatch
from engine.linux.xt.match_state import CtState, MarkMatch
from engine.linux.xt.rule import XtRule
from engine.linux.xt.target import ACCEPT as XT_ACCEPT
from engine.linux.xt.target import DROP as XT_DROP
from engine.linux.xt.target import RETURN as XT_RETURN
from engine.linux.xt.target import Jump, Target
from engine.linux.xt.target_more import Mark, Notrack
from engine.linux.xt.target_nat import Masquerade
from engine.record import dataclass

#: Bits of the mark: --mask 0xffff0000, allotted in this order (felix/dataplane/driver.go).
ACCEPTED, PASSED, DROPPED, SCRATCH0, SCRATCH1 = 0x10000, 0x20000, 0x40000, 0x80000, 0x100000
ALL_BITS = ACCEPTED | PASSED | SCRATCH0 | SCRATCH1
#: What is left names an endpoint, where kube-proxy uses IPVS; the lowest of it is "none of Calico's".
ENDPOINT, NON_CALI = 0xFFE00000, 0x200000
#: the longest name of a chain, and of an ipset
CHAIN_NAME, SET_NAME = 28, 31
#: what iptables-save prints before every -m, in its order
HEAD = (Source, Destination, InDevice, OutDevice, Protocol)
UNSAFE = re.compile(r"[^\w @%+=:,./-]", re.ASCII)
NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}


@dataclass(frozen=True, slots=True)
class Part:
    """One criterion: felix's words, and the match."""

    text: str
    match: Match


def asks_nothing(match: Match) -> bool:
    """0.0.0.0/0 stands in felix's text, and iptables keeps no match for it."""
    return isinstance(match, Source | Destination) and not match.length and not match.invert


@dataclass(frozen=True, slots=True)
class Do:
    """An action: felix's words, and the target."""

    text: str
    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Criteria in the order felix writes them, an action (None: the rule is there for its comment), comments."""

    match: tuple[Part, ...] = ()
    do: Do | None = None
    comments: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Everything behind the hash's own comment, as felix hashes it."""
        said = [f'-m comment --comment "{UNSAFE.sub("_", c)[:256]}"' for c in self.comments]
        return " ".join([*said, *(p.text for p in self.match), *([self.do.text] if self.do else [])])

    def row(self, hash: str) -> XtRule:
        """The row, with its comment `cali:HASH` first."""
        parts = [p.match for p in self.match if not asks_nothing(p.match)]
        head = sorted((m for m in parts if isinstance(m, HEAD)), key=lambda m: HEAD.index(type(m)))
        said = [
            Comment(text=f"cali:{hash}"),
            *(Comment(text=UNSAFE.sub("_", c)[:256]) for c in self.comments),
        ]
        rest = [m for m in parts if not isinstance(m, HEAD)]
        return XtRule(matches=(*head, *said, *rest), target=self.do.target if self.do else None)


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of felix."""

    name: str
    rules: tuple[Rule, ...] = ()

    @property
    def jumps(self) -> tuple[str, ...]:
        """The chains that it leads to."""
        found = (r.do.target for r in self.rules if r.do is not None)
        return tuple(t.chain for t in found if isinstance(t, Jump))


@lru_cache(maxsize=4096)
def rows(name: str, rules: tuple[Rule, ...], *, hashed_as: str = "") -> tuple[XtRule, ...]:
    """The rows of a chain. `hashed_as` is what the hash begins with where that is not the chain's name (appended
    rules of a built-in chain)."""
    digest = hashlib.sha224((hashed_as or name).encode()).digest()
    out = []
    for rule in rules:
        text = rule.text
        line = " ".join(["-A", hashed_as or name, "HASH", *([text] if text else [])])
        digest = hashlib.sha224(digest + line.encode()).digest()
        out.append(rule.row(base64.urlsafe_b64encode(digest).decode()[:16]))
    return tuple(out)


def limited(prefix: str, rest: str, length: int = CHAIN_NAME) -> str:
    """A name that fits: as it is, or with a SHA-256 of its end behind an underscore (GetLengthLimitedID)."""
    rest = rest or "_"
    size = len(prefix) + len(rest)
    if size > length or (size == length and rest.startswith("_")):
        digest = base64.urlsafe_b64encode(hashlib.sha256(rest.encode()).digest()).decode().rstrip("=")
        return f"{prefix}_{digest[: length - 1 - len(prefix)]}"
    return prefix + rest


def set_name(id: str) -> str:
    """`cali40` and the set's id, cut to what ipset takes."""
    return f"cali40{id}"[:SET_NAME]


# ---- criteria


def mark_clear(mask: int) -> Part:
    return Part(f"-m mark --mark 0/{mask:#x}", MarkMatch(mark=0, mask=mask))


def mark_not_clear(mask: int) -> Part:
    return Part(f"-m mark ! --mark 0/{mask:#x}", MarkMatch(mark=0, mask=mask, invert=True))


def mark_set(bit: int) -> Part:
    return Part(f"-m mark --mark {bit:#x}/{bit:#x}", MarkMatch(mark=bit, mask=bit))


def mark_is(mark: int, mask: int, *, invert: bool = False) -> Part:
    text = f"-m mark {'! ' if invert else ''}--mark {mark:#x}/{mask:#x}"
    return Part(text, MarkMatch(mark=mark, mask=mask, invert=invert))


def came_in(device: str) -> Part:
    return Part(f"--in-interface {device}", InDevice(name=device))


def goes_out(device: str) -> Part:
    return Part(f"--out-interface {device}", OutDevice(name=device))


def state(words: str, *, invert: bool = False) -> Part:
    """`words` as felix writes them: RELATED,ESTABLISHED."""
    return Part(
        f"-m conntrack {'! ' if invert else ''}--ctstate {words}",
        CtState(states=tuple(words.split(",")), invert=invert),
    )


def proto(name: str) -> Part:
    return Part(f"-p {name}", Protocol(number=NUMBERS[name]))


def proto_number(number: int) -> Part:
    return Part(f"-p {number}", Protocol(number=number))


def net(prefix: Prefix, *, source: bool, invert: bool = False) -> Part:
    word = f"{'! ' if invert else ''}{'--source' if source else '--destination'} {prefix}"
    kind = Source if source else Destination
    return Part(word, kind(addr=prefix.addr, length=prefix.length, invert=invert))


def in_set(name: str, ways: str, *, invert: bool = False) -> Part:
    """`ways` is src, dst or dst,dst."""
    return Part(
        f"-m set {'! ' if invert else ''}--match-set {name} {ways}",
        SetMatch(name=name, directions=tuple(ways.split(",")), invert=invert),
    )


def dports(ranges: Iterable[tuple[int, int]]) -> Part:
    found = tuple(ranges)
    text = ",".join(str(low) if low == high else f"{low}:{high}" for low, high in found)
    return Part(f"-m multiport --destination-ports {text}", Multiport(which="dports", ranges=found))


def udp_dport(port: int) -> Part:
    return Part(f"--dport {port}", UdpMatch(dport=(port, port)))


def source_local(*, invert: bool = False, limit: bool = False) -> Part:
    text = f"-m addrtype {'! ' if invert else ''}--src-type LOCAL{' --limit-iface-out' if limit else ''}"
    return Part(text, Addrtype(src=("LOCAL",), not_src=invert, limit="out" if limit else ""))


DESTINATION_LOCAL = Part("-m addrtype --dst-type LOCAL", Addrtype(dst=("LOCAL",)))
SPOOFED = Part("-m rpfilter --invert --validmark", Rpfilter(validmark=True, invert=True))

# ---- actions

ACCEPT = Do("--jump ACCEPT", XT_ACCEPT)
DROP = Do("--jump DROP", XT_DROP)
RETURN = Do("--jump RETURN", XT_RETURN)
NOTRACK = Do("--jump NOTRACK", Notrack(old=True))
MASQUERADE = Do("--jump MASQUERADE --random-fully", Masquerade(how=("random-fully",)))


def jump(chain: str) -> Do:
    return Do(f"--jump {chain}", Jump(chain=chain))


def goto(chain: str) -> Do:
    return Do(f"--goto {chain}", Jump(chain=chain, goto=True))


def clear_mark(mask: int) -> Do:
    return Do(f"--jump MARK --set-mark 0/{mask:#x}", Mark(mark=0, mask=mask))


def set_mark(bit: int) -> Do:
    return Do(f"--jump MARK --set-mark {bit:#x}/{bit:#x}", Mark(mark=bit, mask=bit))


def set_masked(mark: int, mask: int) -> Do:
    return Do(f"--jump MARK --set-mark {mark:#x}/{mask:#x}", Mark(mark=mark, mask=mark | mask))
