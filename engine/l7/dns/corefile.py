"""The Corefile's syntax: text -> server blocks of directives, with Caddy's own errors.

Theory. A server block has keys (`.:53`, `cluster.local`) and directives; a directive has arguments on its line and,
in braces, lines of its own. Braces may be left out when there is one block only. A comma continues the keys. `(NAME)`
defines a snippet that `import NAME` puts in.

Rules. Nothing here knows a plugin but by its name: `DIRECTIVES` is CoreDNS's plugin.cfg, whose order is the order of
the chain. An error is CorefileError with the words that the real program ends with.
Source: coredns/caddy caddyfile/{lexer,parse,dispenser}.go, coredns plugin.cfg.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.record import dataclass

#: plugin.cfg, in its order
DIRECTIVES = (
    "root", "metadata", "geoip", "cancel", "tls", "timeouts", "multisocket", "reload", "nsid", "bufsize", "bind",
    "debug", "trace", "ready", "health", "pprof", "prometheus", "errors", "log", "dnstap", "local", "dns64", "any",
    "chaos", "loadbalance", "tsig", "rewrite", "autopath", "acl", "cache", "header", "dnssec", "minimal", "template",
    "transfer", "hosts", "route53", "azure", "clouddns", "k8s_external", "kubernetes", "file", "auto", "secondary",
    "etcd", "loop", "forward", "grpc", "erratic", "whoami", "on", "sign", "view", "nomad",
)  # fmt: skip


class CorefileError(Exception):
    """The configuration cannot be used; `str` is what CoreDNS prints."""


class Token(NamedTuple):
    text: str
    line: int


class Row(NamedTuple):
    """One line of a directive's block."""

    words: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Directive:
    """`args` stand on its own line, `rows` in its braces."""

    name: str
    args: tuple[str, ...]
    rows: tuple[Row, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Block:
    keys: tuple[str, ...]
    directives: tuple[Directive, ...]


def tokens(text: str) -> list[Token]:
    """The lexer: words, quoted strings, comments."""
    out: list[Token] = []
    line, at, size = 1, 0, len(text)
    while at < size:
        letter = text[at]
        if letter == "\n":
            line += 1
            at += 1
        elif letter.isspace():
            at += 1
        elif letter == "#":
            while at < size and text[at] != "\n":
                at += 1
        elif letter == '"':
            start, word = line, ""
            at += 1
            while at < size and text[at] != '"':
                if text[at] == "\\" and text[at + 1 : at + 2] == '"':
                    at += 1
                line += text[at] == "\n"
                word += text[at]
                at += 1
            at += 1
            out.append(Token(word, start))
        else:
            start = at
            while at < size and not text[at].isspace():
                at += 1
            out.append(Token(text[start:at], line))
    return out


@dataclass(slots=True)
class _Parser:
    file: str
    tokens: list[Token]
    read: Callable[[str], str | None]
    cursor: int = -1
    any_name: bool = False

    def val(self) -> str:
        return self.tokens[self.cursor].text if 0 <= self.cursor < len(self.tokens) else ""

    def line(self) -> int:
        return self.tokens[min(max(self.cursor, 0), len(self.tokens) - 1)].line if self.tokens else 0

    def next(self) -> bool:
        if self.cursor < len(self.tokens) - 1:
            self.cursor += 1
            return True
        return False

    def new_line(self) -> bool:
        if self.cursor < 1:
            return True
        return self.tokens[self.cursor - 1].line < self.tokens[self.cursor].line

    def error(self, text: str) -> CorefileError:
        return CorefileError(f"{self.file}:{self.line()} - Error during parsing: {text}")

    def syntax(self, expecting: str) -> CorefileError:
        return CorefileError(
            f"{self.file}:{self.line()} - Syntax error: Unexpected token '{self.val()}', expecting '{expecting}'"
        )

    # ---- the grammar

    def blocks(self) -> list[Block]:
        out = []
        snippets: dict[str, list[Token]] = {}
        while self.next():
            keys, ended = self.addresses(snippets)
            if ended:
                out += [Block(tuple(keys), ())] if keys else []
                break
            if len(keys) == 1 and keys[0].startswith("(") and keys[0].endswith(")"):
                name = keys[0][1:-1]
                if name in snippets:
                    raise self.error(f"redeclaration of previously declared snippet {name}")
                snippets[name] = self.snippet()
                continue
            opened = self.val() == "{"
            if not opened:
                self.cursor -= 1
            directives = self.directives(snippets)
            if opened and self.val() != "}":
                raise self.syntax("}")
            out.append(Block(tuple(keys), tuple(directives)))
        return out

    def addresses(self, snippets: dict[str, list[Token]]) -> tuple[list[str], bool]:
        keys: list[str] = []
        another = False
        while True:
            word = self.val()
            if word == "import" and self.new_line():
                self.put_in(snippets)
                continue
            if word == "{":
                if another:
                    raise self.error(f"Expected another address but had '{word}' - check for extra comma")
                return keys, False
            if word:
                another = word.endswith(",")
                keys.append(word.removesuffix(","))
            more = self.next()
            if another and not more:
                raise self.error("Unexpected EOF")
            if not more:
                return keys, True
            if not another and self.new_line():
                return keys, False

    def snippet(self) -> list[Token]:
        if self.val() != "{":
            raise self.syntax("{")
        found: list[Token] = []
        depth = 1
        while self.next():
            depth += {"{": 1, "}": -1}.get(self.val(), 0)
            if depth == 0:
                return found
            found.append(self.tokens[self.cursor])
        raise self.syntax("}")

    def put_in(self, snippets: dict[str, list[Token]]) -> None:
        """Replace `import X` by what it names; the cursor stands on its first token then."""
        start = self.cursor
        if not self.next() or self.new_line():
            raise self.error("Wrong argument count or unexpected line ending after 'import'")
        name = self.val()
        after_name = self.tokens[self.cursor + 1 : self.cursor + 2]
        if after_name and after_name[0].line == self.line():
            raise self.error("Import takes only one argument (glob pattern or file)")
        end = start + 2
        if name in snippets:
            found = snippets[name]
        else:
            text = self.read(name)
            if text is None:
                raise self.error(f"File to import not found: {name}")
            found = tokens(text)
        line = self.tokens[start].line
        self.tokens[start:end] = [Token(t.text, line + (t.line - found[0].line)) for t in found]
        shift = (found[-1].line - found[0].line) if found else 0
        after = start + len(found)
        self.tokens[after:] = [Token(t.text, t.line + shift) for t in self.tokens[after:]]
        self.cursor = start

    def directives(self, snippets: dict[str, list[Token]]) -> list[Directive]:
        out = []
        while self.next():
            if self.val() == "}":
                break
            if self.val() == "import":
                self.put_in(snippets)
                self.cursor -= 1
                continue
            out.append(self.directive(snippets))
        return out

    def directive(self, snippets: dict[str, list[Token]]) -> Directive:
        name, line = self.val(), self.line()
        if name not in DIRECTIVES and not self.any_name:
            raise self.error(f"Unknown directive '{name}'")
        inner: list[Token] = []
        nesting = 0
        while self.next():
            word = self.val()
            if word == "{":
                nesting += 1
            elif self.new_line() and nesting == 0:
                self.cursor -= 1
                break
            elif word == "}" and nesting > 0:
                nesting -= 1
            elif word == "}":
                raise self.error("Unexpected '}' because no matching opening brace")
            elif word == "import" and self.new_line():
                self.put_in(snippets)
                self.cursor -= 1
                continue
            inner.append(self.tokens[self.cursor])
        if nesting > 0:
            raise self.error("Unexpected EOF")
        return Directive(name, *_shape(inner, line), line)


def _shape(inner: list[Token], line: int) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """(arguments, lines of the block) of a directive's tokens."""
    args: list[str] = []
    rows: dict[int, list[str]] = {}
    block = False
    for token in inner:
        if not block and token.text == "{":
            block = True
        elif not block:
            args.append(token.text)
        else:
            rows.setdefault(token.line, []).append(token.text)
    if block:
        last = max(rows)
        rows[last].pop()
    return tuple(args), tuple(Row(tuple(words), at) for at, words in rows.items() if words)


def parse(
    text: str,
    file: str = "Corefile",
    read: Callable[[str], str | None] = lambda path: None,
    *,
    any_name: bool = False,
) -> tuple[Block, ...]:
    """The server blocks of a Corefile. `read` gives the text of a file that `import` names; with `any_name` only the
    syntax counts. CorefileError."""
    parser = _Parser(file, tokens(text), read, any_name=any_name)
    return tuple(parser.blocks())
