"""The grammar of a line: text -> pipelines of commands with quoted words, redirections and substitutions.

Theory. A word is a list of parts; a part knows whether it was quoted, because only unquoted text is split at
spaces and matched against files. This is the part of the POSIX shell that people type at a prompt; loops,
functions and arithmetic are refused by name.

Rules. Nothing is run here. What the grammar does not know raises NotModelled with its name; a line that no shell
would take raises ShellSyntax with bash's own words.
"""

from __future__ import annotations

from dataclasses import field

from engine.errors import EngineError, NotModelled
from engine.record import dataclass
from engine.say import Phrase, plain

ONE_AT_A_TIME = Phrase(
    en="Type the commands one after the other, or join them with ; and &&.",
    ko="명령을 하나씩 입력하거나 ;와 &&로 이어서 입력하십시오.",
)
WRITE_OUT = Phrase(en="Write it out.", ko="풀어서 적어 주십시오.")
AGAIN = Phrase(
    en="The lab stands still between commands: run the command again when something has changed.",
    ko="실습 환경은 명령과 명령 사이에 멈춰 있습니다. 무언가를 바꾼 뒤 명령을 다시 실행하십시오.",
)
RESERVED = (
    "for", "while", "until", "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "select", "function",
    "{", "}", "[[", "time", "coproc",
)  # fmt: skip


class ShellSyntax(EngineError):
    """A line that the shell itself refuses."""

    def __init__(self, token: str) -> None:
        super().__init__(plain(f"bash: syntax error near unexpected token `{token}'"))


class Unfinished(EngineError):
    """A quote or a here-document that does not end."""

    def __init__(self, what: str) -> None:
        super().__init__(plain(f"bash: unexpected EOF while looking for matching `{what}'"))


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word. `kind` is "text", "var" (text = the name) or "run" (text = the commands inside `$(...)`)."""

    kind: str
    text: str
    quoted: bool = False


Word = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Redirect:
    """`fd` 0, 1 or 2 (3 = both 1 and 2); `how` is "<", ">", ">>", "dup" (target "1" or "2") or "here" (target:
    the text)."""

    fd: int
    how: str
    target: Word


@dataclass(slots=True)
class Command:
    assigns: list[tuple[str, Word]] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)


@dataclass(slots=True)
class Pipeline:
    """`joint` is what stands before it: "" (first), ";", "&&" or "||"."""

    joint: str
    commands: list[Command]
    background: bool = False
    inverted: bool = False
    text: str = ""


@dataclass(slots=True)
class _Lexer:
    text: str
    at: int = 0
    here: list[tuple[Redirect, str, bool, bool, Command, int]] = field(default_factory=list)

    def peek(self, n: int = 1) -> str:
        return self.text[self.at : self.at + n]

    def blank(self) -> None:
        while (self.peek() in (" ", "\t") and self.peek()) or self.peek(2) == "\\\n":
            self.at += 2 if self.peek() == "\\" else 1
        if self.peek() == "#":
            while self.peek() and self.peek() != "\n":
                self.at += 1

    def until(self, end: str) -> str:
        """Text up to an unquoted `end` that balances (for `$(`), past it."""
        depth, start = 1, self.at
        while self.peek():
            c = self.peek()
            if c == "\\":
                self.at += 2
                continue
            if c == "'" and end == ")":
                close = self.text.find("'", self.at + 1)
                if close < 0:
                    raise Unfinished("'")
                self.at = close + 1
                continue
            if c == "(" and end == ")":
                depth += 1
            elif c == end:
                depth -= 1
                if depth == 0:
                    self.at += 1
                    return self.text[start : self.at - 1]
            self.at += 1
        raise Unfinished(end)

    def dollar(self, quoted: bool) -> Part:
        """At a `$`."""
        self.at += 1
        c = self.peek()
        if self.peek(2) == "((":
            raise NotModelled("$((...))", WRITE_OUT())
        if c == "(":
            self.at += 1
            return Part("run", self.until(")"), quoted)
        if c == "{":
            end = self.text.find("}", self.at)
            if end < 0:
                raise Unfinished("}")
            name = self.text[self.at + 1 : end]
            if not (name.isidentifier() or name in ("?", "$", "#")):
                raise NotModelled("${" + name + "}", WRITE_OUT())
            self.at = end + 1
            return Part("var", name, quoted)
        if c in ("?", "$", "!", "#") and c:
            self.at += 1
            if c in ("!", "#"):
                raise NotModelled(f"${c}")
            return Part("var", c, quoted)
        if c.isdigit():
            self.at += 1
            return Part("text", "", True)
        if c == "'":
            raise NotModelled("$'...'", WRITE_OUT())
        end = self.at
        while end < len(self.text) and (
            self.text[end] == "_" or (self.text[end].isascii() and self.text[end].isalnum())
        ):
            end += 1
        if end == self.at:
            return Part("text", "$", True)
        name, self.at = self.text[self.at : end], end
        return Part("var", name, quoted)

    def word(self) -> Word:
        """One word; () when there is none here."""
        parts: list[Part] = []
        while c := self.peek():
            if c in " \t\n;|&<>()":
                if c in "()":
                    if parts and c == "(":
                        raise ShellSyntax("(")
                    if not parts:
                        break
                break
            if c == "\\":
                if self.peek(2) == "\\\n":
                    self.at += 2
                    continue
                parts.append(Part("text", self.text[self.at + 1 : self.at + 2] or "\\", True))
                self.at += 2
            elif c == "'":
                end = self.text.find("'", self.at + 1)
                if end < 0:
                    raise Unfinished("'")
                parts.append(Part("text", self.text[self.at + 1 : end], True))
                self.at = end + 1
            elif c == '"':
                self.at += 1
                parts += self.double('"')
            elif c == "`":
                self.at += 1
                parts.append(Part("run", self.until("`"), False))
            elif c == "$":
                if self.peek(2) == '$"':
                    raise NotModelled('$"..."')
                parts.append(self.dollar(False))
            else:
                parts.append(Part("text", c))
                self.at += 1
        return _joined(parts)

    def double(self, end: str) -> list[Part]:
        """The inside of double quotes (or, with `end` "", of a here-document)."""
        parts: list[Part] = [Part("text", "", True)]
        while (c := self.peek()) != end or not c:
            if not c:
                if end:
                    raise Unfinished('"')
                return parts
            if c == "\\" and self.peek(2)[1:] in ('"', "\\", "$", "`", "\n"):
                if self.peek(2)[1:] == '"' and not end:
                    parts.append(Part("text", "\\", True))
                elif self.peek(2)[1:] != "\n":
                    parts.append(Part("text", self.peek(2)[1:], True))
                    self.at += 1
                else:
                    self.at += 1
                self.at += 1
            elif c == "$":
                parts.append(self.dollar(True))
            elif c == "`":
                self.at += 1
                parts.append(Part("run", self.until("`"), True))
            else:
                parts.append(Part("text", c, True))
                self.at += 1
        self.at += 1
        return parts


def _joined(parts: list[Part]) -> Word:
    out: list[Part] = []
    for part in parts:
        if out and part.kind == "text" and out[-1].kind == "text" and out[-1].quoted == part.quoted:
            out[-1] = Part("text", out[-1].text + part.text, part.quoted)
        else:
            out.append(part)
    return tuple(out)


def literal(word: Word) -> str:
    """The text of a word that holds no expansion (for messages)."""
    return "".join(
        {"text": "", "var": "$", "run": "$("}[p.kind] + p.text + (")" if p.kind == "run" else "")
        for p in word
    )


def parse(text: str) -> list[Pipeline]:
    """A typed text (one line, or several with here-documents) -> pipelines. Raises ShellSyntax, Unfinished,
    NotModelled."""
    lex = _Lexer(text)
    out: list[Pipeline] = []
    joint = ""
    while True:
        while True:
            lex.blank()
            if lex.peek() != "\n":
                break
            lex.at += 1
            _here_documents(lex)
        if not lex.peek():
            _here_documents(lex)
            if joint in ("&&", "||"):
                raise Unfinished("newline")
            return out
        start = lex.at
        pipeline = _pipeline(lex, joint)
        pipeline.text = text[start : lex.at].strip()
        lex.blank()
        token = lex.peek(2) if lex.peek(2) in ("&&", "||", ";;") else lex.peek()
        if token == "&":
            pipeline.background = True
            lex.at += 1
            joint = ";"
        elif token in ("&&", "||", ";"):
            lex.at += len(token)
            joint = token
        elif token == "\n":
            joint = ";"
        elif token:
            raise ShellSyntax(token)
        else:
            joint = ""
        out.append(pipeline)


def _pipeline(lex: _Lexer, joint: str) -> Pipeline:
    pipeline = Pipeline(joint if joint else "", [])
    lex.blank()
    if lex.peek(2) in ("! ", "!\t"):
        pipeline.inverted = True
        lex.at += 1
    while True:
        pipeline.commands.append(_command(lex))
        if lex.peek() == "|" and lex.peek(2) != "||":
            lex.at += 1
            if lex.peek() == "&":
                lex.at += 1
                pipeline.commands[-1].redirects.append(Redirect(2, "dup", (Part("text", "1"),)))
            lex.blank()
            while lex.peek() == "\n":
                lex.at += 1
                lex.blank()
            continue
        return pipeline


def _command(lex: _Lexer) -> Command:
    command = Command()
    while True:
        lex.blank()
        c = lex.peek()
        if not c or (c in "\n;|&)" and lex.peek(2) != "&>"):
            break
        if c == "(":
            raise NotModelled("( ... )", ONE_AT_A_TIME())
        redirect_fd = _redirect_start(lex)
        if redirect_fd is not None:
            _redirect(lex, redirect_fd, command)
            continue
        word = lex.word()
        if not word:
            raise ShellSyntax(lex.peek())
        first = word[0]
        if not command.words and first.kind == "text" and not first.quoted:
            name, equals, value = first.text.partition("=")
            if equals and name.isascii() and name.isidentifier():
                rest = ((Part("text", value),) if value else ()) + word[1:]
                command.assigns.append((name, rest))
                continue
            if first.text in RESERVED and len(word) == 1:
                raise NotModelled(f"`{first.text}`", ONE_AT_A_TIME())
        command.words.append(word)
    if not command.words and not command.assigns and not command.redirects:
        c = lex.peek(2) if lex.peek(2) in ("&&", "||", ";;") else lex.peek()
        raise ShellSyntax("newline" if c in ("", "\n") else c)
    return command


def _redirect_start(lex: _Lexer) -> int | None:
    """The descriptor of a redirection that begins here: its digits are left behind; None if there is none."""
    c = lex.peek()
    if lex.peek(2) == "&>":
        lex.at += 1
        return 3
    if c and c in "<>":
        return 0 if c == "<" else 1
    if c.isdigit() and lex.peek(2)[1:] in ("<", ">") and lex.peek(2)[1:]:
        if c not in "012":
            raise NotModelled(f"redirection of descriptor {c}")
        lex.at += 1
        return int(c)
    return None


def _redirect(lex: _Lexer, fd: int, command: Command) -> None:
    for how in ("<<<", "<<-", "<<", "<>", ">>", ">&", "<&", ">|", "<", ">"):
        if lex.peek(len(how)) == how:
            lex.at += len(how)
            break
    if how in ("<>", "<&"):
        raise NotModelled(f"redirection {how}")
    if lex.peek(1) == "(":
        if how != "<" or [literal(w) for w in command.words] not in (["source"], ["."]):
            raise NotModelled(f"{how}(...)", ONE_AT_A_TIME())
        lex.at += 1
        command.words.append((Part("text", "\0", True), Part("run", lex.until(")"), True)))
        return
    lex.blank()
    word = lex.word()
    if not word:
        raise ShellSyntax("newline" if lex.peek() in ("", "\n") else lex.peek())
    if how == ">&":
        target = literal(word)
        if target not in ("1", "2"):
            if target.isdigit() or target == "-":
                raise NotModelled(f"redirection >&{target}")
            command.redirects.append(Redirect(3, ">", word))
            return
        command.redirects.append(Redirect(fd, "dup", word))
    elif how in ("<<", "<<-"):
        redirect = Redirect(fd, "here", ())
        command.redirects.append(redirect)
        raw = any(p.quoted for p in word)
        lex.here.append((redirect, literal(word), raw, how == "<<-", command, len(command.redirects) - 1))
    elif how == "<<<":
        command.redirects.append(Redirect(fd, "here", (*word, Part("text", "\n", True))))
    else:
        command.redirects.append(Redirect(fd, ">" if how == ">|" else how, word))


def _here_documents(lex: _Lexer) -> None:
    """Read the bodies that the line just ended has announced."""
    for _, end, raw, tabs, command, index in lex.here:
        lines: list[str] = []
        while lex.at < len(lex.text):
            stop = lex.text.find("\n", lex.at)
            stop = len(lex.text) if stop < 0 else stop
            line = lex.text[lex.at : stop]
            lex.at = min(stop + 1, len(lex.text))
            line = line.lstrip("\t") if tabs else line
            if line == end:
                break
            lines.append(line + "\n")
        body = "".join(lines)
        word: Word = (Part("text", body, True),) if raw else _joined(_Lexer(body).double(""))
        command.redirects[index] = Redirect(command.redirects[index].fd, "here", word)
    lex.here.clear()


def unfinished(text: str) -> bool:
    """Does this typed text want another line (an open quote, a here-document, a backslash)? For the terminal's
    prompt."""
    try:
        parse(text)
    except Unfinished:
        return True
    except EngineError:
        return False
    lines = text.split("\n")
    if text.endswith("\\"):
        return True
    return _open_document(lines)


def _open_document(lines: list[str]) -> bool:
    import re

    waiting: list[str] = []
    for line in lines:
        if waiting:
            if line.strip("\t") == waiting[0]:
                waiting.pop(0)
            continue
        waiting += [m.group(2) for m in re.finditer(r"(?<!<)<<-?\s*(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1", line)]
    return bool(waiting)
