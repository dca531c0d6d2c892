"""Reading nft's commands: one line as people type it, or a whole file with blocks and definitions.

Rules. Commands come out in order; the words of a rule and of a set's elements are kept as tokens and read when the
command is carried out, because only then is known which sets there are. `include` and IPv6 are refused by name.
Source: parser_bison.y of nftables 1.0.6.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.nft.cmd import Cmd
from engine.linux.nft.lexer import OUTER, NftError, Span, Token, span, tokens
from engine.linux.nft.read_block import OBJECTS, BlockReader

FAMILY_WORDS = ("ip", "inet", "ip6", "arp", "bridge", "netdev")
MODELLED = ("ip", "inet")
OTHER_OBJECTS = ("flowtable", "ct", "secmark", "synproxy", "meter")
LISTS = ("ruleset", "tables", "table", "chains", "chain", "sets", "set", "maps", "map", "counters", "counter", "quotas",
         "quota", "limits", "limit")  # fmt: skip


def commands(text: str, devices: dict[str, int] | None = None) -> list[Cmd]:
    """Every command of a text. Raises NftError (the first one) and NotModelled."""
    return CommandReader(tokens(text), devices=devices).file()


class CommandReader(BlockReader):
    """The reader of commands."""

    def file(self) -> list[Cmd]:
        self.out: list[Cmd] = []
        self.variables: dict[str, list[Token]] = {}
        self.tokens = self.put_in(self.tokens)
        while True:
            self.skip_newlines()
            if self.is_sign("end of file"):
                return self.out
            self.command()
            if not self.is_sign("newline", ";", "end of file"):
                raise self.unexpected("end of file or newline or semicolon")

    def put_in(self, found: list[Token]) -> list[Token]:
        """Definitions taken out, variables replaced by what they stand for."""
        out: list[Token] = []
        at, line_start = 0, True
        while at < len(found):
            token = found[at]
            if line_start and token.text in ("define", "redefine", "undefine") and token.kind == "string":
                end = at
                depth = 0
                while found[end].kind not in ("newline", "end of file", ";") or (
                    depth and found[end].kind == "newline"
                ):
                    depth += (found[end].kind == "{") - (found[end].kind == "}")
                    end += 1
                self.define(out, found[at:end])
                at = end
                continue
            if token.kind == "$" and at + 1 < len(found):
                name = found[at + 1]
                if name.text not in self.variables:
                    raise NftError(f"unknown identifier '{name.text}'", span(name), phase="syntax")
                for one in self.variables[name.text]:
                    out.append(Token(one.kind, one.text, name.line, name.first, name.last))
                at += 2
                continue
            out.append(token)
            line_start = token.kind in ("newline", ";", "{", "}")
            at += 1
        return out

    def define(self, out: list[Token], words: list[Token]) -> None:
        if words[0].text == "undefine":
            self.variables.pop(words[1].text, None)
            return
        if len(words) < 4 or words[2].kind != "=":
            raise NftError("syntax error, unexpected newline", span(words[-1]), phase="syntax")
        if words[1].text in self.variables and words[0].text == "define":
            raise NftError(f"redefinition of symbol '{words[1].text}'", span(words[0]), phase="syntax")
        keep: list[Token] = []
        at = 3
        while at < len(words):
            if words[at].kind == "$":
                keep += self.variables.get(words[at + 1].text, [])
                at += 1
            elif words[at].kind != "newline":
                keep.append(words[at])
            at += 1
        self.variables[words[1].text] = keep

    def command(self) -> None:
        start = self.at
        token = self.token
        if token.kind != "string":
            raise self.unexpected()
        if token.text == "include":
            raise NotModelled("nft include")
        if token.text in ("monitor", "export", "import", "describe"):
            raise NotModelled(f"nft {token.text}")
        verbs = ("add", "create", "delete", "flush", "list", "insert", "replace", "reset", "rename", "get")
        if token.text in verbs:
            self.at += 1
            verb = token.text
        elif token.text in (*OBJECTS, *OTHER_OBJECTS, "table", "chain", "rule", "set", "map", "element"):
            verb = "add"
        else:
            self.implicit_rule()
            return
        if verb == "get":
            raise NotModelled("nft get element")
        before = len(self.out)
        getattr(self, f"_{verb}")(start)
        for cmd in self.out[before:]:
            if cmd.place == Span(1, 1, 1):
                cmd.place = self.since(start)
                if self.is_sign("newline", ";"):
                    cmd.place = cmd.place.to(span(self.token))

    def implicit_rule(self) -> None:
        """`t c accept`: a rule without its verb."""
        start = self.at
        family = self.is_word(*FAMILY_WORDS)
        if self.peek(1 + family).kind != "string" or self.peek(1 + family).text in OUTER:
            self.at += 1 + family
            raise self.unexpected("string")
        self.rule_cmd("add")
        self.out[-1].place = self.since(start)

    def emit(self, cmd: Cmd) -> Cmd:
        self.out.append(cmd)
        return cmd

    # -- names -------------------------------------------------------------------------------------------

    def family_word(self) -> str:
        if self.is_word(*FAMILY_WORDS):
            word = self.take().text
            if word not in MODELLED:
                raise NotModelled(f"nft family {word}")
            return word
        return "ip"

    def spec(self, cmd: Cmd, *names: str) -> None:
        """`[family] table [name]` into `cmd`, with their places."""
        cmd.family = self.family_word()
        for name in ("table", *names):
            if name == "handle":
                continue
            token = self.string()
            setattr(cmd, name, token.text)
            cmd.places[name] = span(token)

    def _add(self, start: int, verb: str = "add") -> None:
        if self.word("table"):
            cmd = self.emit(Cmd(verb=verb, object="table"))
            self.spec(cmd)
            if self.is_sign("{"):
                cmd.place = self.since(start)
                self.table_block(cmd)
        elif self.word("chain"):
            cmd = self.emit(Cmd(verb=verb, object="chain"))
            self.spec(cmd, "chain")
            if self.is_sign("{"):
                self.chain_block(cmd)
        elif self.is_word("set", "map"):
            kind = self.take().text
            cmd = self.emit(Cmd(verb=verb, object=kind))
            self.spec(cmd, "name")
            self.set_block(cmd)
        elif self.word("element"):
            cmd = self.emit(Cmd(verb=verb, object="element"))
            self.spec(cmd, "name")
            cmd.tokens = self.braces()
        elif self.is_word(*OBJECTS) and self.peek().text != "name":
            kind = self.take().text
            cmd = self.emit(Cmd(verb=verb, object=kind))
            self.spec(cmd, "name")
            self.object_spec(cmd)
        elif self.is_word(*OTHER_OBJECTS):
            raise NotModelled(f"nft {self.token.text} objects")
        elif self.word("rule") or (
            verb == "add" and self.token.kind == "string" and self.last.text == "add" and self.at > start
        ):
            self.rule_cmd(verb)
        else:
            raise self.unexpected("string")

    def _create(self, start: int) -> None:
        self._add(start, "create")

    def rule_cmd(self, verb: str) -> None:
        cmd = self.emit(Cmd(verb=verb, object="rule"))
        self.spec(cmd, "chain")
        self.position(cmd)
        if verb == "replace" and not cmd.handle:
            raise self.unexpected("handle")
        cmd.tokens = self.rule_tokens()

    def position(self, cmd: Cmd) -> None:
        start = self.at
        if self.word("handle", "position"):
            word = self.last.text
            number = self.number()
            cmd.handle = number if cmd.verb in ("replace", "delete") else 0
            cmd.after = 0 if cmd.handle else number
            cmd.places["position"] = self.since(start) if word == "position" else self.since(self.at - 1)
        elif self.word("index"):
            cmd.index = self.number()
            cmd.places["position"] = self.since(start)

    def _insert(self, start: int) -> None:
        self.need_word("rule")
        self.rule_cmd("insert")

    def _replace(self, start: int) -> None:
        self.need_word("rule")
        self.rule_cmd("replace")

    def rule_tokens(self) -> list[Token]:
        """To the end of the rule: a newline, a semicolon or a closing brace outside of braces."""
        out: list[Token] = []
        depth = 0
        while not self.is_sign("end of file"):
            if not depth and self.is_sign("newline", ";", "}"):
                break
            depth += self.is_sign("{") - self.is_sign("}")
            token = self.take()
            if token.kind != "newline":
                out.append(token)
        here = self.token
        name = (
            here
            if here.kind in ("newline", "end of file")
            else Token(";", ";", here.line, here.first, here.last)
        )
        out.append(
            name if name.kind != "end of file" else Token("newline", "", here.line, here.first, here.last)
        )
        return out

    # -- delete, flush, list ... -------------------------------------------------------------------------

    def _delete(self, start: int) -> None:
        self.gone("delete")

    def gone(self, verb: str) -> None:
        if self.is_word("table", "chain", "set", "map", *OBJECTS):
            kind = self.take().text
            cmd = self.emit(Cmd(verb=verb, object=kind))
            self.at_handle(cmd, "chain" if kind == "chain" else "" if kind == "table" else "name")
        elif self.word("rule"):
            cmd = self.emit(Cmd(verb=verb, object="rule"))
            self.spec(cmd, "chain")
            if not self.is_word("handle"):
                raise self.unexpected("handle")
            self.at += 1
            cmd.handle = self.number()
            cmd.places["position"] = span(self.last)
        elif self.word("element"):
            cmd = self.emit(Cmd(verb=verb, object="element"))
            self.spec(cmd, "name")
            cmd.tokens = self.braces()
        elif self.is_word(*OTHER_OBJECTS):
            raise NotModelled(f"nft {verb} {self.token.text}")
        else:
            raise self.unexpected()

    def at_handle(self, cmd: Cmd, name: str) -> None:
        """A name, or `handle N`."""
        cmd.family = self.family_word()
        names = ["table", *([name] if name else [])]
        for each in names:
            if self.is_word("handle") and each == names[-1]:
                self.at += 1
                cmd.handle = self.number()
                cmd.places[each] = span(self.last)
                return
            token = self.string()
            setattr(cmd, each, token.text)
            cmd.places[each] = span(token)

    def _flush(self, start: int) -> None:
        if self.word("ruleset"):
            cmd = self.emit(Cmd(verb="flush", object="ruleset", family=""))
            if self.is_word(*FAMILY_WORDS):
                cmd.family = self.take().text
        elif self.is_word("table", "chain", "set", "map"):
            kind = self.take().text
            cmd = self.emit(Cmd(verb="flush", object=kind))
            self.spec(cmd, *({"table": (), "chain": ("chain",)}.get(kind, ("name",))))
        else:
            raise self.unexpected()

    def _list(self, start: int, verb: str = "list") -> None:
        if self.is_word(
            "flowtables", "flowtable", "hooks", "meters", "meter", "ct", "secmarks", "secmark", "synproxys"
        ):
            raise NotModelled(f"nft {verb} {self.token.text}")
        if not self.is_word(*LISTS):
            raise self.unexpected()
        kind = self.take().text
        cmd = self.emit(Cmd(verb=verb, object=kind, family=""))
        if kind in ("table", "chain", "set", "map", *OBJECTS):
            self.spec(cmd, *({"table": (), "chain": ("chain",)}.get(kind, ("name",))))
            return
        if self.is_word(*FAMILY_WORDS):
            cmd.family = self.take().text
        if kind in ("sets", "maps", "chains", "counters", "quotas", "limits") and self.word("table"):
            if self.is_word(*FAMILY_WORDS):
                cmd.family = self.take().text
            cmd.family = cmd.family or "ip"
            token = self.string()
            cmd.table, cmd.places["table"] = token.text, span(token)

    def _reset(self, start: int) -> None:
        if not self.is_word("counters", "counter", "quotas", "quota"):
            raise self.unexpected()
        self._list(start, "reset")

    def _rename(self, start: int) -> None:
        self.need_word("chain")
        cmd = self.emit(Cmd(verb="rename", object="chain"))
        self.spec(cmd, "chain")
        cmd.new_name = self.string().text

    # -- blocks ------------------------------------------------------------------------------------------

    def table_block(self, table: Cmd) -> None:
        """What stands between the braces of a table: chains first, then objects, sets and the rules, as nft orders
        them."""
        self.need_sign("{")
        first: list[list[Cmd]] = [[], [], [], []]
        outside, self.out = self.out, []
        while not self.is_sign("}"):
            self.skip_newlines()
            if self.is_sign("}"):
                break
            at = len(self.out)
            start = self.at
            self.entry(table)
            for cmd in self.out[at:]:
                cmd.place = self.since(start) if cmd.place == Span(1, 1, 1) else cmd.place
                kind = {"chain": 0, "counter": 1, "quota": 1, "limit": 1, "set": 2, "map": 2}.get(
                    cmd.object, 3
                )
                first[kind].append(cmd)
            if not self.is_sign("newline", ";", "}"):
                raise self.unexpected("newline or semicolon")
        self.need_sign("}")
        self.out = [*outside, *(cmd for group in first for cmd in group)]

    def entry(self, table: Cmd) -> None:
        token = self.token
        if self.word("comment"):
            table.comment = self.string(quoted=True).text
        elif self.word("flags"):
            self.need_word("dormant")
            table.dormant = True
        elif self.word("chain"):
            name = self.string()
            cmd = self.emit(
                Cmd(verb="add", object="chain", family=table.family, table=table.table, chain=name.text)
            )
            cmd.places = {**table.places, "chain": span(name)}
            self.chain_block(cmd)
        elif self.is_word("set", "map"):
            kind = self.take().text
            name = self.string()
            cmd = self.emit(
                Cmd(verb="add", object=kind, family=table.family, table=table.table, name=name.text)
            )
            cmd.places = {**table.places, "name": span(name)}
            self.set_block(cmd)
        elif self.is_word(*OBJECTS):
            kind = self.take().text
            name = self.string()
            cmd = self.emit(
                Cmd(verb="add", object=kind, family=table.family, table=table.table, name=name.text)
            )
            cmd.places = {**table.places, "name": span(name)}
            self.object_spec(cmd)
        elif self.is_word(*OTHER_OBJECTS):
            raise NotModelled(f"nft {token.text} objects")
        else:
            raise self.unexpected()

    def chain_block(self, cmd: Cmd) -> None:
        self.need_sign("{")
        while True:
            self.skip_newlines()
            if self.is_sign("}"):
                break
            if self.is_word("type") and self.peek(2).text == "hook":
                self.hook(cmd)
            elif self.word("policy"):
                if not self.is_word("accept", "drop"):
                    word = self.take()
                    raise NftError("invalid policy expression value in this context." if word.kind == "string" else
                                   "syntax error, unexpected number", span(word), phase="syntax")  # fmt: skip
                cmd.policy = self.take().text
                self.separator()
            elif self.is_word("comment") and self.peek().kind in ("quoted string", "string"):
                self.at += 1
                cmd.comment = self.string(quoted=True).text
                self.separator()
            elif self.is_word("flags") and self.peek().text == "offload":
                raise NotModelled("nft chain flags offload")
            elif self.is_word("devices", "device"):
                raise NotModelled("nft chain devices")
            else:
                rule = self.emit(
                    Cmd(verb="add", object="rule", family=cmd.family, table=cmd.table, chain=cmd.chain)
                )
                rule.places = dict(cmd.places)
                start = self.at
                rule.tokens = self.rule_tokens()
                rule.place = self.since(start)
                self.separator()
        self.need_sign("}")
