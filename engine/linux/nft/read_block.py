"""Reading what stands between the braces of a base chain's head, a set, a map or a named object.

Rules. As in read_expr.py. Source: parser_bison.y of nftables 1.0.6.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.nft.cmd import Cmd
from engine.linux.nft.lexer import NftError, Token, span
from engine.linux.nft.read_expr import ExprReader
from engine.linux.nft.read_rule import RuleReader
from engine.linux.nft.read_value import seconds
from engine.linux.nft.sets import NftSet
from engine.linux.nft.statements import Limit, Quota
from engine.linux.nft.tables import HOOKS, PRIORITIES, Base, Object
from engine.linux.nft.types import Type, find_type

#: objects that the model has
OBJECTS = ("counter", "quota", "limit")
CHAIN_TYPES = ("filter", "nat", "route")


class BlockReader(ExprReader):
    """The reader of blocks."""

    def braces(self) -> list[Token]:
        """`{ ... }` as tokens."""
        start, depth = self.at, 0
        if not self.is_sign("{"):
            raise self.unexpected("'{'")
        while True:
            if self.is_sign("end of file"):
                raise self.unexpected()
            depth += self.is_sign("{") - self.is_sign("}")
            self.at += 1
            if not depth:
                end = self.token
                return [
                    *self.tokens[start : self.at],
                    Token("end of file", "", end.line, end.first, end.last),
                ]

    def separator(self) -> None:
        if not self.is_sign("newline", ";"):
            raise self.unexpected("newline or semicolon")

    def hook(self, cmd: Cmd) -> None:
        """`type filter hook input priority filter + 5; [policy drop;]`."""
        self.at += 1
        kind = self.string()
        if kind.text not in CHAIN_TYPES:
            raise NftError("unknown chain type", span(kind), phase="syntax")
        self.need_word("hook")
        hook = self.string()
        if hook.text in ("ingress", "egress"):
            raise NotModelled(f"nft hook {hook.text}")
        if hook.text not in HOOKS:
            raise NftError("unknown chain hook", span(hook), phase="syntax")
        if self.is_word("device", "devices"):
            raise NotModelled("nft chain devices")
        start = self.at
        self.need_word("priority")
        priority = self.priority(hook.text, start)
        self.separator()
        cmd.base = Base(type=kind.text, hook=hook.text, priority=priority)

    def priority(self, hook: str, start: int) -> int:
        if self.sign("-"):
            return -self.number()
        if self.token.kind == "number":
            return self.number()
        word = self.string()
        if (
            word.text not in PRIORITIES
            or (word.text == "srcnat" and hook != "postrouting")
            or (word.text == "dstnat" and hook != "prerouting")
        ):
            raise NftError("invalid priority expression value in this context.", self.since(start))
        value = PRIORITIES[word.text]
        if self.sign("+"):
            return value + self.number()
        if self.sign("-"):
            return value - self.number()
        return value

    def types(self, typeof: bool) -> tuple[tuple[Type, ...], str]:
        """`ipv4_addr . inet_service`, or behind `typeof` expressions; with the text of the latter."""
        if typeof:
            reader = RuleReader(self.tokens, family="inet", sets=self.sets, devices=self.devices)
            reader.at = self.at
            expr = reader.concat()
            self.at = reader.at
            return expr.types, expr.text({})
        out: list[Type] = []
        while True:
            token = self.string()
            found = find_type(token.text)
            if found is None:
                raise NftError(f"unknown datatype {token.text}", span(token), phase="syntax")
            out.append(found)
            if not self.sign("."):
                return tuple(out), ""

    def set_block(self, cmd: Cmd) -> None:
        opened = self.at
        self.need_sign("{")
        there = NftSet(name=cmd.name, keys=())
        flags: set[str] = set()
        while True:
            self.skip_newlines()
            if self.sign("}"):
                break
            if self.is_word("type", "typeof"):
                self.set_types(there, cmd, self.take().text == "typeof")
            elif self.word("flags"):
                flags.add(self.need_word("constant", "interval", "dynamic", "timeout").text)
                while self.sign(","):
                    flags.add(self.need_word("constant", "interval", "dynamic", "timeout").text)
            elif self.word("timeout"):
                there.timeout = seconds(self.span_text().text)
            elif self.word("gc-interval"):
                there.gc_interval = seconds(self.span_text().text)
            elif self.word("size"):
                there.size = self.number()
            elif self.word("policy"):
                there.policy = self.need_word("performance", "memory").text
            elif self.word("auto-merge"):
                there.auto_merge = True
                continue
            elif self.word("counter"):
                there.counter = True
            elif self.is_word("limit", "quota"):
                raise NotModelled(f"nft {self.token.text} at the elements of a set")
            elif self.word("comment"):
                there.comment = self.string(quoted=True).text
            elif self.word("elements"):
                self.need_sign("=")
                cmd.tokens = self.braces()
                continue
            else:
                raise self.unexpected()
            if not self.is_sign("newline", ";"):
                raise self.unexpected("newline or semicolon")
        if there.timeout:
            flags.add("timeout")
        there.flags = frozenset(flags)
        if not there.keys:
            text = (
                "map definition does not specify key"
                if cmd.object == "map"
                else "set definition does not specify key"
            )
            self.at -= 1
            raise NftError(text, self.since(opened))
        if cmd.object == "map" and there.kind == "set":
            raise NftError("map definition does not specify mapping data type", cmd.places["name"])
        cmd.set = there

    def set_types(self, there: NftSet, cmd: Cmd, typeof: bool) -> None:
        there.keys, there.typeof = self.types(typeof)
        if not self.sign(":"):
            if cmd.object == "map":
                raise self.unexpected("colon or .")
            return
        if self.is_word("verdict"):
            self.at += 1
            there.kind = "verdict"
            there.typeof += " : verdict" if there.typeof else ""
        elif self.is_word(*OBJECTS):
            there.kind, there.object_kind = "object", self.take().text
        elif self.is_word("interval"):
            raise NotModelled("nft maps of intervals")
        else:
            there.kind = "value"
            there.data, text = self.types(typeof)
            there.typeof += f" : {text}" if text else ""

    def object_spec(self, cmd: Cmd) -> None:
        kind = cmd.object
        cmd.named = Object(kind=kind, name=cmd.name)
        if kind == "counter":
            cmd.cell = (0, 0)
        opened = self.sign("{")
        comment = ""
        spec: Quota | Limit | None = None
        reader = RuleReader(self.tokens, family="inet")
        while opened or not self.is_sign("newline", ";", "}", "end of file"):
            if opened:
                self.skip_newlines()
                if self.sign("}"):
                    break
            reader.at = self.at
            if self.word("comment"):
                comment = self.string(quoted=True).text
                continue
            if kind == "counter":
                reader.need_word("packets")
                packets = reader.number()
                reader.need_word("bytes")
                cmd.cell = (packets, reader.number())
            elif kind == "quota":
                spec, cell = reader.amount()
                cmd.cell = cell
            else:
                spec = reader.rate()
            self.at = reader.at
            if not opened:
                break
        if kind != "counter" and spec is None:
            raise self.unexpected()
        cmd.named = Object(kind=kind, name=cmd.name, spec=spec, comment=comment)
