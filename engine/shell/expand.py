"""Expansion of words: variables, command substitution, splitting at spaces, file names.

Rules. The order is POSIX's: parameters and commands first, then splitting of what was not quoted, then file names.
An assignment or a redirection is expanded without splitting.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from engine.errors import NotModelled
from engine.linux.journey import Journey
from engine.shell.files import Files
from engine.shell.words import WRITE_OUT, Part, Word

if TYPE_CHECKING:
    from engine.shell.shell import Session, Shell

_BRACES = re.compile(r"\{[^{}\s]*(,|\.\.)[^{}\s]*\}")
_GLOB = re.compile(r"[*?\[]")


class Expander:
    """Expands for one command. `code` and `stderr` are those of its substitutions; their journeys join `journeys`."""

    def __init__(self, shell: Shell, session: Session, journeys: list[Journey]) -> None:
        self.shell = shell
        self.session = session
        self.journeys = journeys
        self.code = 0
        self.stderr = ""

    def text(self, word: Word) -> str:
        """A word as one text: no splitting, no file names; a leading ~ is the home."""
        return "".join(self._value(p) for p in self._home(word))

    def words(self, words: list[Word]) -> list[str]:
        out: list[str] = []
        for word in words:
            out += self._fields(word)
        return out

    def _home(self, word: Word) -> Word:
        first = word[0] if word else None
        if first is not None and first.kind == "text" and not first.quoted and first.text.startswith("~"):
            name, slash, rest = first.text[1:].partition("/")
            if not name or name == "root":
                home = self.session.env.get("HOME", "/root")
                return (Part("text", home + slash + rest, True), *word[1:])
        return word

    def _value(self, part: Part) -> str:
        if part.kind == "text":
            return part.text
        if part.kind == "var":
            if part.text == "?":
                return str(self.session.code)
            if part.text == "$":
                return str(self.session.spot.pid if self.session.spot.pid != 1 else 899)
            return self.session.env.get(part.text, "")
        out = self.shell.run_text(part.text, self.session.spot, "")
        self.code = out.code
        self.journeys += out.journeys
        self.stderr += out.stderr
        return out.stdout.rstrip("\n")

    def _fields(self, word: Word) -> list[str]:
        """Fields of a word: each a list of (text, quoted) pieces until joined."""
        fields: list[list[tuple[str, bool]]] = [[]]
        for part in self._home(word):
            value = self._value(part)
            if part.kind == "text" or part.quoted:
                if part.kind == "text" and not part.quoted and _BRACES.search(value):
                    raise NotModelled(_BRACES.search(value).group(0), WRITE_OUT())  # type: ignore[union-attr]
                fields[-1].append((value, part.quoted))
                continue
            pieces = value.split()
            if not pieces:
                continue
            if value[0].isspace() and fields[-1]:
                fields.append([])
            for i, piece in enumerate(pieces):
                if i:
                    fields.append([])
                fields[-1].append((piece, False))
            if value[-1].isspace():
                fields.append([])
        out: list[str] = []
        for pieces_of in fields:
            if not pieces_of:
                continue
            text = "".join(t for t, _ in pieces_of)
            if any(not q and _GLOB.search(t) for t, q in pieces_of):
                found = self._glob(pieces_of, text)
                out += found or [text]
            else:
                out.append(text)
        return out

    def _glob(self, pieces: list[tuple[str, bool]], text: str) -> list[str]:
        pattern = "".join(re.sub(r"([*?\[])", r"[\1]", t) if q else t for t, q in pieces)
        absolute = pattern.startswith("/")
        base = "" if absolute else self.session.cwd.rstrip("/")
        files = Files(self.shell.world, self.session.spot)
        found = [""]
        for depth, name in enumerate(pattern.strip("/").split("/")):
            step: list[str] = []
            for head in found:
                here = f"{base}{head}" if depth or base else "/"
                if not _GLOB.search(name):
                    plain = name
                    step += [f"{head}/{plain}"] if files.kind(f"{base}{head}/{plain}") else []
                    continue
                for entry in files.list(here or "/", quiet=True):
                    if entry.startswith(".") and not name.startswith("."):
                        continue
                    if fnmatch.fnmatchcase(entry, name.replace("[^", "[!")):
                        step.append(f"{head}/{entry}")
            found = step
        return sorted(f if absolute else f[1:] for f in found)
