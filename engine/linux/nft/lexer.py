"""The words of nft's language, each with its place, and the error that points at places.

Rules. As scanner.l of nftables 1.0.6 cuts a text: strings may hold / - _ and dots, `#` begins a comment, a backslash
joins lines. Variables (`$name`) are put in here, so that the parser never sees them.
"""

from __future__ import annotations

import re

from engine.errors import EngineError
from engine.record import dataclass
from engine.say import plain

#: kinds: string, quoted string, number, asterisk string, newline, end of file, or the sign itself
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t]+|\\\n)
  | (?P<comment>\#[^\n]*)
  | (?P<newline>\n)
  | (?P<quoted>"[^"\n]*")
  | (?P<mac>(?:[0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2})
  | (?P<ip6>(?:[0-9a-fA-F]{1,4}:){2,7}[0-9a-fA-F:]*|::[0-9a-fA-F:]*|(?:[0-9a-fA-F]{1,4}::)[0-9a-fA-F:]*)
  | (?P<ip4>(?:\d+\.){3}\d+)
  | (?P<time>(?=\d+(?:d|h|ms|m|s))(?:\d+d)?(?:\d+h)?(?:\d+m(?!s))?(?:\d+s)?(?:\d+ms)?(?![0-9a-zA-Z]))
  | (?P<number>0[xX][0-9a-fA-F]+|\d+)
  | (?P<asterisk>[a-zA-Z_.][0-9a-zA-Z/\-_.]*\\?\*)
  | (?P<string>[a-zA-Z_][0-9a-zA-Z/\-_.]*|\.[0-9a-zA-Z/\-_.]+)
  | (?P<sign>==|!=|<=|>=|<<|>>|[{}()\[\],.:;=<>&|^!/\-*@$+~])
  | (?P<junk>.)
    """,
    re.X,
)
KINDS = {"quoted": "quoted string", "mac": "string", "ip6": "string", "ip4": "string", "time": "string",
         "number": "number", "asterisk": "string with a trailing asterisk", "string": "string"}  # fmt: skip
SIGN_NAMES = {",": "comma", ".": ".", ":": "colon", ";": "semicolon", "==": "==", "!=": "!=", "<": "<", ">": ">",
              "<=": "<=", ">=": ">=", "/": "/", "-": "-", "*": "*", "@": "@", "&": "&", "|": "|", "^": "^",
              "<<": "<<", ">>": ">>", "!": "!", "$": "$"}  # fmt: skip
ALIASES = {"eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=", "and": "&", "or": "|", "xor": "^",
           "lshift": "<<", "rshift": ">>", "not": "!"}  # fmt: skip
#: words that bison calls by their own name; every other word is "string". Only those that are
#: keywords where no statement has begun (scanner.l, INITIAL)
OUTER = frozenset(
    [
        "add",
        "replace",
        "update",
        "create",
        "insert",
        "delete",
        "get",
        "list",
        "flush",
        "rename",
        "export",
        "monitor",
        "reset",
        "all",
        "accept",
        "drop",
        "continue",
        "jump",
        "goto",
        "return",
        "to",
        "inet",
        "netdev",
        "include",
        "define",
        "redefine",
        "undefine",
        "describe",
        "table",
        "chain",
        "rule",
        "set",
        "element",
        "map",
        "flowtable",
        "comment",
        "handle",
        "position",
        "index",
        "vmap",
        "typeof",
        "type",
        "ruleset",
        "meta",
        "ct",
        "ip",
        "ip6",
        "tcp",
        "udp",
        "sctp",
        "icmp",
        "icmpv6",
        "ether",
        "vlan",
        "arp",
        "bridge",
        "th",
        "fib",
        "socket",
        "rt",
        "numgen",
        "jhash",
        "symhash",
        "log",
        "counter",
        "limit",
        "quota",
        "reject",
        "snat",
        "dnat",
        "masquerade",
        "redirect",
        "notrack",
        "dup",
        "fwd",
        "queue",
        "tproxy",
        "synproxy",
        "osf",
        "mark",
        "iif",
        "iifname",
        "oif",
        "oifname",
        "skuid",
        "skgid",
        "saddr",
        "daddr",
        "sport",
        "dport",
    ]
)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` as bison names it; `text` the word, without quotes; `line` and `first`..`last` columns, from 1."""

    kind: str
    text: str
    line: int
    first: int
    last: int

    def name(self) -> str:
        """As `unexpected ...` calls it."""
        if self.kind == "string" and self.text in OUTER:
            return self.text
        if self.kind in SIGN_NAMES:
            return SIGN_NAMES[self.kind]
        return f"'{self.kind}'" if len(self.kind) == 1 else self.kind


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of one line."""

    line: int
    first: int
    last: int

    def to(self, other: Span) -> Span:
        if other.line != self.line:
            return self
        return Span(self.line, min(self.first, other.first), max(self.last, other.last))


def span(token: Token) -> Span:
    return Span(token.line, token.first, token.last)


class NftError(EngineError):
    """`Error: ...` with the line and carets. `places`: the first is underlined by ^, the others by ~. `phase` is
    syntax, evaluate or kernel: errors of an earlier phase keep the later ones from being found."""

    def __init__(self, message: str, *places: Span, phase: str = "evaluate", errno: str = "EINVAL") -> None:
        super().__init__(plain(message))
        self.message, self.places, self.phase, self.errno = message, places, phase, errno

    def render(self, lines: list[str], source: str) -> str:
        """As nft prints it; `source` is the file's name, "" for a command line."""
        if self.message.startswith("netlink: "):
            return f"{self.message}\n"
        place = self.places[0] if self.places else Span(1, 1, 1)
        head = f"{source}:{place.line}:{place.first}-{place.last}: " if source else ""
        line = lines[place.line - 1] if place.line <= len(lines) else ""
        here = [p for p in self.places if p.line == place.line] or [place]
        end = max(p.last for p in here)
        under = ["\t" if i < len(line) and line[i] == "\t" else " " for i in range(end)]
        for i, p in reversed(list(enumerate(here))):
            for column in range(p.first - 1, p.last):
                under[column] = "~" if i else "^"
        return f"{head}Error: {self.message}\n{line}\n{''.join(under)}\n"


def tokens(text: str) -> list[Token]:
    """All tokens, a newline for each line's end, and the end of file last."""
    out: list[Token] = []
    line, start = 1, 0
    for found in _TOKEN.finditer(text):
        group = found.lastgroup
        assert group is not None
        word = found.group()
        first = found.start() - start + 1
        if group == "newline":
            out.append(Token("newline", "\n", line, first, first))
        elif group not in ("space", "comment"):
            last = first + len(word) - 1
            if group == "sign":
                out.append(Token(word, word, line, first, last))
            elif group == "junk":
                raise NftError("syntax error, unexpected junk", Span(line, first, last), phase="syntax")
            elif word in ALIASES:
                out.append(Token(ALIASES[word], word, line, first, last))
            else:
                shown = word[1:-1] if group == "quoted" else word.replace("\\*", "*")
                out.append(Token(KINDS[group], shown, line, first, last))
        if word.endswith("\n"):
            line, start = line + 1, found.end()
    end = len(text) - start + 1
    out.append(Token("end of file", "", line, end, end))
    return out
