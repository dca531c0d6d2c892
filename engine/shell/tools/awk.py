"""awk: `pattern { action }` over fields. POSIX awk's language as far as a one-liner in a pipe goes.

Theory. A program is rules; each record (line) is split into fields, and a rule whose pattern holds runs its statements.
A value is a text and a number at once: a field that looks like a number is compared as one.

Rules. BEGIN, END, /regex/, comparisons, && || !, arithmetic, concatenation, variables, print, printf, `length`. Any
other statement or function is refused by name. The grammar is walked as it is read; no statement is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field
from typing import Any, Final

from engine.errors import NotModelled
from engine.record import dataclass
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool
from engine.shell.tools.grep import translate
from engine.shell.tools.text import escaped, inputs, lines_of

NO_PROGRAM = Phrase(
    en="Give it a program: `... | awk '{{print $1}}'`.", ko="프로그램을 주십시오: `... | awk '{{print $1}}'`."
)
TOKEN: Final = re.compile(
    r"""[ \t]+|(?P<num>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<str>"(?:\\.|[^"\\])*")|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<op>\+\+|--|\+=|-=|\*=|/=|%=|==|!=|<=|>=|&&|\|\||!~|[-+*/%<>!~$(){},;=\n?:^\[\]|])"""
)
NUMBER: Final = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
LEADING: Final = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
COMPARE: Final = ("<", "<=", "==", "!=", ">", ">=")

Value = str | float
Code = Callable[["Run"], Value]


@dataclass(slots=True)
class Run:
    """What a program sees now: the record's fields ($0 first), the variables, what it has printed, the file and
    the number of its line."""

    variables: dict[str, Value]
    fields: list[str] = field(default_factory=lambda: [""])
    out: list[str] = field(default_factory=list)
    name: str = ""
    here: int = 0

    def split(self, record: str) -> None:
        separator = text(self.variables["FS"])
        if separator == " ":
            parts = record.split()
        elif not record:
            parts = []
        elif len(separator) == 1:
            parts = record.split(separator)
        else:
            parts = re.split(pattern_of(separator), record)
        self.fields = [record, *parts]
        self.variables["NF"] = float(len(parts))


def text(value: Value) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) and abs(value) < 1e16 else f"{value:.6g}"


def number(value: Value) -> float:
    if isinstance(value, float):
        return value
    found = LEADING.match(value)
    return float(found[0]) if found is not None else 0.0


def true(value: Value) -> bool:
    if isinstance(value, Field):
        return bool(number(value)) if NUMBER.fullmatch(value) else value != ""
    return value != "" if isinstance(value, str) else value != 0


class Wrong(Exception):
    """A run time error; what was printed before it stays."""


class Field(str):
    """A text that came from the input: a number where it looks like one."""


def compared(left: Value, right: Value) -> tuple[Any, Any]:
    """Both as numbers when both are numbers or look like ones, else both as texts."""
    if all(isinstance(v, float) or (isinstance(v, Field) and NUMBER.fullmatch(v)) for v in (left, right)):
        return number(left), number(right)
    return text(left), text(right)


class _Parser:
    """One program -> its rules: (kind or pattern, statements)."""

    def __init__(self, source: str) -> None:
        self.source, self.at = source, 0
        self.token, self.kind = "", ""
        self.step()

    def step(self) -> str:
        """Take the token that stands here; the next one is read."""
        taken = self.token
        while True:
            found = TOKEN.match(self.source, self.at)
            if found is None:
                if self.at < len(self.source):
                    raise NotModelled(f"awk '{self.source[self.at]}'")
                self.token, self.kind = "", "end"
                return taken
            self.at = found.end()
            if found.lastgroup is not None:
                self.token, self.kind = found[0], found.lastgroup
                return taken

    def need(self, token: str) -> None:
        if self.token != token or self.kind == "str":
            if self.kind == "end" and token == "}":
                raise Fail(f"awk: line {self.source.count(chr(10)) + 2}: missing }} near end of file", 2)
            if self.kind == "op" and self.token in ("^", "?", ":", "[", "]", "|", "++", "--"):
                raise NotModelled(f"awk '{self.token}'")
            raise Fail(f"awk: line 1: syntax error at or near {self.token or 'end of file'}", 2)
        self.step()

    def skip(self, *tokens: str) -> None:
        while self.kind == "op" and self.token in tokens:
            self.step()

    def regex(self) -> str:
        """The rest of a /regex/ whose first slash was read."""
        found = re.compile(r"((?:\\.|[^/\\\n])*)/").match(self.source, self.at)
        if found is None:
            raise Fail("awk: line 1: runaway regular expression /" + self.source[self.at :] + " ...", 2)
        self.at = found.end()
        self.step()
        return pattern_of(found[1].replace("\\/", "/"))

    def rules(self) -> list[tuple[str | Code, list[Code]]]:
        out: list[tuple[str | Code, list[Code]]] = []
        self.skip("\n", ";")
        while self.kind != "end":
            when: str | Code = "every"
            if self.token in ("BEGIN", "END"):
                when = self.step()
            elif self.token != "{":
                when = self.expression()
                if self.token == ",":
                    raise NotModelled("awk 'pattern, pattern'")
            out.append((when, self.block() if self.token == "{" else [printing([], "\n")]))
            self.skip("\n", ";")
        return out

    def block(self) -> list[Code]:
        self.need("{")
        out: list[Code] = []
        self.skip("\n", ";")
        while self.token != "}" and self.kind != "end":
            out.append(self.statement())
            if self.token != "}" and self.token not in (";", "\n"):
                self.need("}")
            self.skip("\n", ";")
        self.need("}")
        return out

    def statement(self) -> Code:
        if self.kind == "name" and self.token in ("print", "printf"):
            verb = self.step()
            values: list[Code] = []
            if self.kind == "op" and self.token in (">", "|"):
                raise NotModelled(f"awk '{verb} {self.token}'")
            while self.kind != "end" and self.token not in (";", "}", "\n"):
                values.append(self.expression(inside_print=True))
                if self.token != ",":
                    break
                self.step()
            return printing(values, "\n") if verb == "print" else formatted(values)
        if self.kind == "name" and self.token in (
            "if", "for", "while", "do", "next", "exit", "getline", "delete", "function", "return",
        ):  # fmt: skip
            raise NotModelled(f"awk '{self.token}'")
        return self.expression()

    # expressions, loosest first

    def expression(self, *, inside_print: bool = False) -> Code:
        left = self.either(inside_print)
        if self.token == "?" and self.kind == "op":
            raise NotModelled("awk '?:'")
        if inside_print and self.kind == "op" and self.token in (">", "|"):
            raise NotModelled(f"awk 'print {self.token}'")
        return left

    def either(self, printed: bool) -> Code:
        left = self.both(printed)
        while self.token == "||":
            self.step()
            left = logical(left, self.both(printed), any)
        return left

    def both(self, printed: bool) -> Code:
        left = self.match(printed)
        while self.token == "&&":
            self.step()
            left = logical(left, self.match(printed), all)
        return left

    def match(self, printed: bool) -> Code:
        left = self.comparison(printed)
        while self.kind == "op" and self.token in ("~", "!~"):
            wanted = self.step() == "~"
            if self.token == "/":
                left = matching(left, constant(self.regex()), wanted)
            else:
                left = matching(left, dynamic(self.comparison(printed)), wanted)
        return left

    def comparison(self, printed: bool) -> Code:
        left = self.joined()
        if self.kind == "op" and self.token in COMPARE and not (printed and self.token == ">"):
            how = self.step()
            return comparing(left, how, self.joined())
        return left

    def joined(self) -> Code:
        left = self.sum()
        while self.kind in ("num", "str", "name") or (self.kind == "op" and self.token in ("$", "(", "!")):
            right = self.sum()
            left = concatenated(left, right)
        return left

    def sum(self) -> Code:
        left = self.product()
        while self.kind == "op" and self.token in ("+", "-"):
            left = counting(left, self.step(), self.product())
        return left

    def product(self) -> Code:
        left = self.unary()
        while self.kind == "op" and self.token in ("*", "/", "%"):
            left = counting(left, self.step(), self.unary())
        return left

    def unary(self) -> Code:
        if self.kind == "op" and self.token == "!":
            self.step()
            inner = self.unary()
            return lambda run: float(not true(inner(run)))
        if self.kind == "op" and self.token in ("-", "+"):
            sign = -1.0 if self.step() == "-" else 1.0
            inner = self.unary()
            return lambda run: sign * number(inner(run))
        return self.primary()

    def primary(self) -> Code:
        kind = self.kind
        if kind == "num":
            value = float(self.step())
            return lambda run: value
        if kind == "str":
            said = escaped(self.step()[1:-1].replace('\\"', '"'))
            return lambda run: said
        if kind == "name":
            return self.named(self.step())
        if self.token == "/":
            pattern = self.regex()
            return lambda run: float(re.search(pattern, run.fields[0]) is not None)
        if self.token == "$":
            self.step()
            which = self.primary()
            if self.token in ("=", "+=", "-=", "++", "--"):
                raise NotModelled(f"awk '$N {self.token}'")
            return lambda run: taken(run, int(number(which(run))))
        self.need("(")
        inner = self.expression()
        self.need(")")
        return inner

    def named(self, name: str) -> Code:
        if name == "length":
            if self.token == "(":
                self.step()
                of = self.expression() if self.token != ")" else (lambda run: run.fields[0])
                self.need(")")
                return lambda run: float(len(text(of(run))))
            return lambda run: float(len(run.fields[0]))
        if self.token == "[" or (self.token == "(" and self.source[self.at - 2 : self.at - 1].isalnum()):
            raise NotModelled(f"awk '{name}{self.token}'")
        if self.kind == "op" and self.token in ("=", "+=", "-=", "*=", "/=", "%="):
            how = self.step()
            if name == "NF":
                raise NotModelled(f"awk 'NF {how}'")
            right = self.expression()
            return assigning(name, how, right)
        if self.kind == "op" and self.token in ("++", "--"):
            step = 1.0 if self.step() == "++" else -1.0
            return assigning(name, "+=", lambda run: step, old=True)
        return lambda run: run.variables.get(name, Field(""))


def taken(run: Run, at: int) -> Value:
    if at < 0:
        raise Wrong(f"negative field index ${at}")
    return Field(run.fields[at]) if at < len(run.fields) else Field("")


def pattern_of(source: str) -> str:
    """An extended regular expression as Python has it."""
    try:
        pattern = translate(source, True)
        re.compile(pattern)
    except re.error:
        raise NotModelled(f"awk /{source}/") from None
    return pattern


def printing(values: list[Code], end: str) -> Code:
    def do(run: Run) -> Value:
        shown = [text(v(run)) for v in values] or [run.fields[0]]
        run.out.append(text(run.variables["OFS"]).join(shown) + end)
        return ""

    return do


def formatted(values: list[Code]) -> Code:
    def do(run: Run) -> Value:
        form, *rest = [v(run) for v in values] or [""]

        def one(found: re.Match[str]) -> str:
            if found[0] == "%%":
                return "%"
            value = rest.pop(0) if rest else ""
            if found[1] in "di":
                return (found[0][:-1] + "d") % int(number(value))
            return found[0] % (text(value) if found[1] == "s" else number(value))

        shape = r"%[-+ 0#]*\d*(?:\.\d+)?([a-zA-Z%])"
        bad = next((m for m in re.finditer(shape, text(form)) if m[1] not in "sdifgex%"), None)
        if bad is not None:
            raise NotModelled(f"awk printf '{bad[0]}'")
        run.out.append(re.sub(shape, one, text(form)))
        return ""

    return do


def logical(left: Code, right: Code, how: Callable[[Any], bool]) -> Code:
    return lambda run: float(how(true(side(run)) for side in (left, right)))


def constant(pattern: str) -> Callable[[Run], str]:
    return lambda run: pattern


def dynamic(right: Code) -> Callable[[Run], str]:
    return lambda run: pattern_of(text(right(run)))


def matching(left: Code, pattern: Callable[[Run], str], wanted: bool) -> Code:
    return lambda run: float((re.search(pattern(run), text(left(run))) is not None) == wanted)


def comparing(left: Code, how: str, right: Code) -> Code:
    def do(run: Run) -> Value:
        a, b = compared(left(run), right(run))
        found = {"<": a < b, "<=": a <= b, "==": a == b, "!=": a != b, ">": a > b, ">=": a >= b}
        return float(found[how])

    return do


def concatenated(left: Code, right: Code) -> Code:
    return lambda run: text(left(run)) + text(right(run))


def reckoned(a: float, how: str, b: float) -> float:
    if how in "/%" and b == 0:
        raise NotModelled(f"awk '{text(a)} {how} 0'")
    if how == "%":
        return a - b * int(a / b)
    return {"+": a + b, "-": a - b, "*": a * b}[how] if how != "/" else a / b


def counting(left: Code, how: str, right: Code) -> Code:
    return lambda run: reckoned(number(left(run)), how, number(right(run)))


def assigning(name: str, how: str, right: Code, *, old: bool = False) -> Code:
    def do(run: Run) -> Value:
        before = run.variables.get(name, "")
        value = right(run)
        if how != "=":
            value = reckoned(number(before), how[0], number(value))
        run.variables[name] = value
        return number(before) if old else value

    return do


def _awk(ctx: Context, argv: list[str]) -> Out:
    got = AWK.parse(argv)
    if not got.words:
        raise NotModelled("awk", NO_PROGRAM())
    run = Run({"FS": " ", "OFS": " ", "NR": 0.0, "NF": 0.0})
    for value in got.opts.get("-F", []):
        run.variables["FS"] = "\t" if value == "t" else escaped(value)
    for value in got.opts.get("-v", []):
        name, equals, right = value.partition("=")
        if not equals:
            raise Fail(f"awk: improper assignment: -v {value}", 2)
        run.variables[name] = Field(escaped(right))
    rules = _Parser(got.words[0]).rules()
    if any("=" in w for w in got.words[1:]):
        raise NotModelled("awk 'NAME=VALUE' between files")
    texts, errors = [("", "")], ""
    if any(when != "BEGIN" for when, _ in rules):
        texts, errors = inputs(ctx, "awk", got.words[1:])
        errors = re.sub(r"^awk: (.*): (.*)$", r"awk: cannot open \1 (\2)", errors, flags=re.MULTILINE)
    try:
        chosen(run, rules, "BEGIN")
        for run.name, whole in texts:
            for run.here, record in enumerate(lines_of(whole), 1):
                run.variables["NR"] = number(run.variables["NR"]) + 1
                run.split(record)
                for when, statements in rules:
                    if when == "every" or (callable(when) and true(when(run))):
                        done(run, statements)
        if not errors:
            chosen(run, rules, "END")
    except Wrong as wrong:
        at = f'\tFILENAME="{run.name}" FNR={run.here} NR={text(run.variables["NR"])}\n'
        errors += f"awk: run time error: {wrong}\n{at}"
    return Out(stdout="".join(run.out), stderr=errors, code=2 if errors else 0)


def chosen(run: Run, rules: list[tuple[str | Code, list[Code]]], wanted: str) -> None:
    for when, statements in rules:
        if when == wanted:
            done(run, statements)


def done(run: Run, statements: list[Code]) -> None:
    for statement in statements:
        statement(run)


AWK = Tool(
    name="awk",
    summary=Phrase("take columns and rows out of lines", "줄에서 열과 행을 골라냅니다"),
    run=_awk,
    opts=(
        Opt(("-F",), "SEP", Phrase("what parts the fields", "필드를 나누는 글자")),
        Opt(("-v",), "VAR=VALUE", Phrase("set a variable", "변수를 정합니다")),
        Opt(("-f",), "FILE", refused=True),
    ),
    usage_code=2,
)
TOOLS = (AWK,)
