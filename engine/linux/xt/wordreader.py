"""Reads the words of one iptables command line: long and short options, whose they are, their values.

Rules. As xtables' getopt loop does it: an option belongs to iptables itself, to the match that was loaded last, or
to the match of the -p that was given. What an option of iptables itself means: reader.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import NotModelled
from engine.linux.xt.extensions import MATCHES, OTHER_MATCHES
from engine.linux.xt.names import protocol_name
from engine.linux.xt.options import Extension, Option, Parsing, Problem, strtoui
from engine.linux.xt.target import Target
from engine.linux.xt.vocabulary import LONG, SHORT, BadArgument, Command


class WordReader:
    """One command line while it is read. `base` is what iptables' own options do."""

    def __init__(self, argv: Sequence[str], restore: bool, table: str) -> None:
        self.argv = list(argv)
        self.at = 0
        self.out = Command(table=table)
        self.restore = restore
        self.invert = False
        self.loaded: list[tuple[Extension, Parsing]] = []
        self.target: tuple[Extension, Parsing] | None = None
        self.plain: Target | None = None
        self.jump = ""
        self.goto = False
        self.proto_name = ""
        self.proto = 0
        self.not_proto = False
        self.proto_used = False
        self.texts: dict[str, tuple[str, bool]] = {}
        self.fragment: bool | None = None
        self.waits = self.interval = False

    # -- words ------------------------------------------------------------------------------------------

    def has_arg(self) -> bool:
        return self.at < len(self.argv) and self.argv[self.at][:1] not in ("-", "!")

    def take(self) -> str:
        self.at += 1
        return self.argv[self.at - 1]

    def run(self) -> None:
        while self.at < len(self.argv):
            word = self.take()
            if word == "--":
                break
            if word.startswith("--"):
                self.long(word)
            elif word.startswith("-") and len(word) > 1:
                self.short(word)
            elif word == "!":
                if self.invert:
                    raise Problem("multiple consecutive ! not allowed")
                self.invert = True
                continue
            else:
                raise BadArgument(word)
            self.invert = False

    def long(self, word: str) -> None:
        name, equals, glued = word[2:].partition("=")
        found = LONG.get(name) or self.find_option(name)
        while found is None:
            if not self.load_proto():
                raise Problem(f'unknown option "{word}"')
            found = self.find_option(name)
        if isinstance(found, str):
            value: str | None = glued if equals else None
            if SHORT.get(found) == "1" and value is None:
                value = self.need(word)
            self.base(found, value)
            return
        (extension, parsing), option = found
        text = ""
        if option.kind is not None:
            text = glued if equals else self.need(word)
        parsing.proto, parsing.not_proto = self.proto, self.not_proto
        extension.read(parsing, option, text, self.invert)

    def find_option(self, name: str) -> str | tuple[tuple[Extension, Parsing], Option] | None:
        """An option by its name or by a beginning that fits no other; the match that was loaded last goes first."""
        pairs = [*self.loaded, *([self.target] if self.target else [])][::-1]
        for pair in pairs:
            for option in pair[0].options:
                if option.name == name:
                    return pair, option
        rows: list[tuple[str, str | tuple[tuple[Extension, Parsing], Option]]] = list(LONG.items())
        rows += [(o.name, (pair, o)) for pair in pairs for o in pair[0].options]
        near = [row for row in rows if name and row[0].startswith(name)]
        return near[0][1] if len({row[0] for row in near}) == 1 else None

    def short(self, word: str) -> None:
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter not in SHORT:
                if self.load_proto():
                    letters = letter + letters
                    continue
                raise Problem(f'unknown option "{word}"')
            value: str | None = None
            if SHORT[letter]:
                if letters:
                    value, letters = letters, ""
                elif SHORT[letter] == "1":
                    value = self.need(word)
            self.base(letter, value)

    def need(self, word: str) -> str:
        if self.at >= len(self.argv):
            raise Problem(f'option "{word}" requires an argument')
        return self.take()

    def load_proto(self) -> bool:
        """An option that nobody knows may belong to the match of the -p that was given."""
        if not self.proto_name or self.proto_used:
            return False
        number = strtoui(self.proto_name, 0, 255)
        name = self.proto_name if number is None else protocol_name(number) or ""
        self.proto_used = True
        if name in OTHER_MATCHES:
            raise NotModelled(f"iptables -m {name}")
        if name not in MATCHES:
            return False
        self.load_match(name)
        return True

    def load_match(self, name: str) -> None:
        self.loaded.append((MATCHES[name], self.parsing(MATCHES[name])))

    def parsing(self, extension: Extension) -> Parsing:
        def peek() -> str | None:
            return self.argv[self.at] if self.at < len(self.argv) else None

        def step() -> None:
            self.at += 1

        return Parsing(extension=extension, next_word=peek, take_word=step)

    def base(self, letter: str, value: str | None) -> None:
        raise NotImplementedError
