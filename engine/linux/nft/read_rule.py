"""Reading one rule: its statements in order, its comment, and what it remembers from the text (counts).

Rules. As in read_expr.py. The result is the listed form (context.py). Source: parser_bison.y, evaluate.c of nftables
1.0.6.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from engine.errors import NotModelled
from engine.linux.nft.changes import LOG_LEVELS, Log, NatTo, Notrack, Remember, SetField, UseObject
from engine.linux.nft.context import known_by, listed
from engine.linux.nft.exprs import AnonSet, Bits, Const, Expr, Field, Lookup, Numgen, SetRef
from engine.linux.nft.keys import KEYS, TRANSPORTS
from engine.linux.nft.lexer import NftError, Span
from engine.linux.nft.read_expr import ExprReader
from engine.linux.nft.read_value import seconds
from engine.linux.nft.rule import Rule
from engine.linux.nft.statements import (
    UNITS,
    Counter,
    Limit,
    Match,
    Quota,
    Reject,
    Statement,
    VerdictIs,
    Vmap,
)
from engine.linux.nft.tables import Cell
from engine.linux.nft.types import TYPES, Type
from engine.record import dataclass, replace

OPS = ("==", "!=", "<", ">", "<=", ">=", "!")
#: statements of nft 1.0.6 that the model lacks
OTHER_STATEMENTS = frozenset(
    ["queue", "tproxy", "dup", "fwd", "flow", "synproxy", "meter", "xt", "last", "secmark"]
)
SIZES = {"bytes": 1, "kbytes": 1024, "mbytes": 1024 * 1024}
COMMENTS = ("string", "quoted string", "string with a trailing asterisk")
RULE_ENDS = ("newline", "end of file", ";", "}")
REJECTS = {"icmp": "icmp", "icmpx": "icmpx"}
LOG_BITS = {"sequence": 1, "options": 2, "skuid": 8, "ether": 32}


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A rule without a handle, and its cells by index of the statement."""

    rule: Rule
    cells: dict[int, Cell]


class RuleReader(ExprReader):
    """Reads to the end of the rule."""

    left_place = Span(1, 1, 1)
    statement_start = 0
    #: the transports of a set that the rule has asked for
    any_of: tuple[str, ...] = ()

    def rule(self) -> Read:
        done: list[tuple[Statement, Cell | None]] = []
        ended: Span | None = None
        comment = ""
        while not self.is_sign(*RULE_ENDS):
            start = self.at
            if self.word("comment"):
                if self.token.kind not in COMMENTS:
                    raise self.unexpected(" or ".join(COMMENTS))
                comment = self.take().text
                break
            if done and self.is_sign(","):
                raise self.unexpected()
            self.statement_start = start
            statement, cell = self.statement()
            place = self.since(start)
            if ended is not None:
                raise NftError("Statement after terminal statement has no effect", place, ended)
            if statement.ends:
                ended = place
            self.note(statement, self.left_place if isinstance(statement, Match | Vmap) else place)
            done.append((statement, cell))
        if not done:
            raise self.unexpected()
        if not self.is_sign(*RULE_ENDS):
            raise self.unexpected("newline or semicolon")
        return self.finished(done, comment)

    def finished(self, done: list[tuple[Statement, Cell | None]], comment: str) -> Read:
        shown = listed([s for s, _ in done], self.family)
        rule = Rule(statements=shown, comment=comment)
        counts = [c for s, c in done if isinstance(s, Counter | Quota | Limit)]
        places = [i for i, s in enumerate(shown) if isinstance(s, Counter | Quota | Limit)]
        return Read(rule=rule, cells={i: c for i, c in zip(places, counts, strict=True) if c is not None})

    def note(self, statement: Statement, place: Span) -> None:
        """What the statement settles about the transport; two that cannot both be true are refused."""
        wanted = [row.proto for row in statement.fields() if row.layer == "transport" and row.proto != "th"]
        layer, header = known_by(statement)
        self.any_of = any_of_set(statement) or self.any_of
        if (
            layer == "network"
            or "icmp" in wanted
            or any(row.layer == "network" for row in statement.fields())
        ):
            self.network = "ip"
        if layer == "transport":
            wanted.append(header)
        for proto in wanted:
            other = next((p for p in (self.transport, *self.any_of) if p and p != proto), "")
            if other:
                text = f"conflicting protocols specified: {other} vs. {proto}"
                raise NftError(text, place)
            self.transport = proto
        if isinstance(statement, Reject) and statement.kind == "tcp":
            if self.transport not in ("", "tcp"):
                text = "you cannot use tcp reset with this protocol"
                raise NftError(text, self.since_one(self.statement_start), self.left_place)
            self.transport = "tcp"

    # -- statements --------------------------------------------------------------------------------------

    def statement(self) -> tuple[Statement, Cell | None]:
        token = self.token
        if token.kind != "string" and not self.starts_expr():
            raise self.unexpected()
        word = token.text
        if word in ("accept", "drop", "continue", "return", "jump", "goto"):
            return VerdictIs(verdict=self.verdict()), None
        if word in OTHER_STATEMENTS:
            raise NotModelled(f"nft {word}")
        reader = READERS.get(word)
        if reader is not None:
            self.at += 1
            return reader(self)
        if word in ("add", "update", "delete"):
            self.at += 1
            return self.remember(word), None
        if not self.starts_expr():
            self.at += word != "vmap"  # a word may be a symbol; what then comes is wrong
            raise self.unexpected()
        return self.match_or_set(), None

    def counter(self) -> tuple[Statement, Cell | None]:
        if self.word("name"):
            return self.use("counter"), None
        if self.word("packets"):
            packets = self.number()
            self.need_word("bytes")
            return Counter(), (packets, self.number())
        return Counter(), (0, 0)

    def use(self, kind: str) -> UseObject:
        start = self.at
        if self.starts_expr():
            of = self.concat()
            self.need_word("map")
            if self.is_sign("@"):
                ref, there = self.set_named()
                if there.kind != "object":
                    raise NftError("Expression is not a map with objects", self.since(start))
                return UseObject(kind=kind, of=Lookup(of=of, source=ref, data=()))
            found = self.source(of.types, "object")
            return UseObject(kind=kind, of=Lookup(of=of, source=found, data=()))
        name = self.string(quoted=True).text
        if (kind, name) not in self.objects:
            text = "Could not process rule: No such file or directory"
            raise NftError(text, self.since(start), phase="kernel", errno="ENOENT")
        return UseObject(kind=kind, name=name)

    def limit(self) -> tuple[Statement, Cell | None]:
        return (self.use("limit"), None) if self.word("name") else (self.rate(), None)

    def rate(self) -> Limit:
        """`rate [over] N/second [burst N packets]`, or in bytes."""
        self.need_word("rate")
        over = self.word("over")
        self.word("until")
        number = self.number()
        size, unit = self.per()
        burst = 0
        if self.word("burst"):
            burst = self.number()
            if size:
                burst *= SIZES[self.need_word(*SIZES).text]
            else:
                self.need_word("packets")
        return Limit(rate=number * (size or 1), unit=unit, over=over, burst=burst, bytes=bool(size))

    def per(self) -> tuple[int, str]:
        """`/second`, or `mbytes/second`, which is one word."""
        if self.token.kind == "string" and "/" in self.token.text:
            word, _, unit = self.token.text.partition("/")
            if word not in SIZES or unit not in UNITS:
                raise NftError("invalid rate", self.since(self.at))
            self.at += 1
            return SIZES[word], unit
        size = SIZES[self.take().text] if self.is_word(*SIZES) else 0
        self.need_sign("/")
        return size, self.need_word(*UNITS).text

    def quota(self) -> tuple[Statement, Cell | None]:
        return (self.use("quota"), None) if self.word("name") else self.amount()

    def amount(self) -> tuple[Quota, Cell | None]:
        over = self.word("over")
        self.word("until")
        limit = self.number() * SIZES[self.need_word(*SIZES).text]
        used = 0
        if self.word("used"):
            used = self.number() * SIZES[self.need_word(*SIZES).text]
        return Quota(limit=limit, over=over), (used,)

    def log(self) -> tuple[Statement, Cell | None]:
        log = Log()
        start = self.at
        while True:
            if self.word("prefix"):
                log = replace(log, prefix=self.string(quoted=True).text)
            elif self.word("group"):
                log = replace(log, group=self.number())
            elif self.word("snaplen"):
                log = replace(log, snaplen=self.number())
            elif self.word("queue-threshold"):
                log = replace(log, threshold=self.number())
            elif self.word("level"):
                word = self.string()
                if word.text not in LOG_LEVELS:
                    raise NftError("invalid log level", self.since(self.at - 1))
                log = replace(log, level=LOG_LEVELS[word.text])
            elif self.word("flags"):
                log = replace(log, flags=log.flags | self.log_flags())
            else:
                break
        if log.level != 4 and log.group is not None:
            raise NftError("level and group are mutually exclusive", self.since_one(start - 1))
        return log, None

    def log_flags(self) -> int:
        if self.word("all"):
            return 47
        if self.word("tcp"):
            bits = LOG_BITS[self.need_word("sequence", "options").text]
            while self.sign(","):
                bits |= LOG_BITS[self.need_word("sequence", "options").text]
            return bits
        if self.word("ip"):
            self.need_word("options")
            return 4
        return LOG_BITS[self.need_word("skuid", "ether").text]

    def reject(self) -> tuple[Statement, Cell | None]:
        inet = self.family != "ip"
        if not self.word("with"):
            if inet and not self.network_known():
                return Reject(kind="icmpx", code=1), None
            return Reject(full=inet), None
        if self.word("tcp"):
            self.need_word("reset")
            return Reject(kind="tcp"), None
        kind = self.need_word("icmp", "icmpx", "icmpv6").text
        if kind == "icmpv6":
            raise NotModelled("nft reject with icmpv6")
        self.word("type")
        place = self.at
        code = self.symbol(TYPES[f"{kind}_code"])
        assert isinstance(code, int)
        if kind == "icmpx" and not inet:
            text = "abstracted ICMP unreachable not supported"
            raise NftError(text, self.since(place), self.since_one(self.statement_start))
        return Reject(kind=kind, code=code, full=inet), None

    def network_known(self) -> bool:
        return self.network == "ip"

    def notrack(self) -> tuple[Statement, Cell | None]:
        return Notrack(), None

    # -- NAT ---------------------------------------------------------------------------------------------

    def nat(self, kind: str) -> tuple[Statement, Cell | None]:
        begin = self.at - 1
        family = ""
        address = port = None
        if kind in ("dnat", "snat"):
            if self.word("ip"):
                family = "ip"
                if self.word("prefix"):
                    raise NotModelled(f"nft {kind} prefix")
                if self.word("addr"):
                    self.need_sign(".")
                    self.need_word("port")
            elif self.is_word("ip6"):
                raise NotModelled(f"nft {kind} ip6")
            elif self.is_word("prefix", "interval"):
                raise NotModelled(f"nft {kind} {self.token.text}")
            if not self.word("to"):
                raise self.unexpected()
            if not self.is_sign(":"):
                address = self.address()
        elif self.word("to") and not self.is_sign(":"):
            raise self.unexpected("colon")
        if self.is_sign(":"):
            self.at += 1
            start = self.at
            port = self.port()
            if self.transport not in ("tcp", "udp", "sctp"):
                text = "transport protocol mapping is only valid after transport protocol match"
                raise NftError(text, self.since(start), self.since_one(begin))
        paired = address is not None and len(address.types) == 2
        if self.family != "ip" and kind in ("dnat", "snat"):
            family = "ip"
        elif not paired:
            family = ""
        if paired:
            family = "ip"
        return NatTo(
            kind=kind, address=address, port=port, paired=paired, family=family, flags=self.nat_flags()
        ), None

    def since_one(self, at: int) -> Span:
        token = self.tokens[at]
        return Span(token.line, token.first, token.last)

    def address(self) -> Expr:
        type = TYPES["ipv4_addr"]
        if self.starts_expr():
            of = self.concat()
            self.need_word("map")
            return self.lookup(of, (type,))
        low = self.symbol(type)
        if self.sign("-"):
            return Const(type=type, parts=((low, self.symbol(type)),))
        if self.sign("."):
            service = TYPES["inet_service"]
            return Const(type=type, parts=(low, self.part(service)), more=(service,))
        if self.is_sign("/"):
            raise NotModelled("nft NAT to a prefix")
        return Const(type=type, parts=(low,))

    def port(self) -> Expr:
        type = TYPES["inet_service"]
        if self.starts_expr():
            of = self.concat()
            if self.word("map"):
                return self.lookup(of, (type,))
            return of
        return Const(type=type, parts=(self.part(type),))

    def nat_flags(self) -> tuple[str, ...]:
        found = set()
        while self.is_word("random", "fully-random", "persistent"):
            found.add(self.take().text)
            if not self.sign(","):
                break
        return tuple(f for f in ("random", "fully-random", "persistent") if f in found)

    # -- sets --------------------------------------------------------------------------------------------

    def remember(self, op: str) -> Remember:
        """`add @set { KEY ... }`."""
        if not self.is_sign("@"):
            raise self.unexpected()
        ref, there = self.set_named()
        self.need_sign("{")
        key = self.concat()
        if [t.name for t in key.types] != [t.name for t in there.keys]:
            raise NftError("datatype mismatch between set and key", self.since(self.at - 1))
        timeout, counter = 0.0, False
        while self.is_word("timeout", "counter", "limit", "quota", "comment"):
            word = self.take().text
            if word == "timeout":
                timeout = seconds(self.span_text().text)
            elif word == "counter":
                counter = True
            else:
                raise NotModelled(f"nft {word} at an element of a dynamic set")
        data = None
        if self.sign(":"):
            data = self.computed(there.data[0])
        self.need_sign("}")
        return Remember(op=op, name=ref.name, key=key, data=data, timeout=timeout, counter=counter)

    # -- comparisons and settings ------------------------------------------------------------------------

    def match_or_set(self) -> Statement:
        start = self.at
        if self.is_word("meta") and self.peek().text == "nftrace" and self.peek(2).text == "set":
            self.at += 3
            return SetField(name="meta nftrace", to=Const(type=TYPES["integer"], parts=(self.number(),)))
        left = self.concat()
        self.left_place = self.since(start)
        if self.word("set"):
            return self.setting(left, start)
        if self.word("vmap"):
            return Vmap(of=left, source=self.source(left.types, "verdict"))
        if self.is_word("map"):
            raise self.unexpected()
        return self.match(left, start)

    def setting(self, left: Expr, start: int) -> SetField:
        if not isinstance(left, Field) or not KEYS[left.name].writes:
            raise NotModelled(f"nft {left.text({})} set")
        to = self.computed(left.types[0])
        if isinstance(to, Numgen):
            to = replace(to, type=TYPES["integer"])
        return SetField(name=left.name, to=to)

    def match(self, left: Expr, start: int) -> Match:
        op = self.take().kind if self.is_sign(*OPS) else ""
        place = self.since(start)
        right_start = self.at
        types = left.types
        if self.is_sign("@", "{"):
            if op not in ("", "==", "!="):
                raise self.unexpected()
            source = self.source(types, "set", place=place)
            one = None
            if not isinstance(source, SetRef):
                rows = list(source.content.elements.values())
                single = len(rows) == 1 and len(types) == 1 and not merged_one(self, right_start)
                one = rows[0].key if single else None
            if one is not None and not isinstance(left, Bits):
                return Match(left=left, op="!=" if op == "!=" else "", right=one)
            shown = "!=" if op == "!=" else "==" if isinstance(left, Bits) else ""
            return Match(left=left, op=shown, right=source)
        if len(types) > 1:
            self.key(types)
            text = "Use concatenations with sets and maps, not singleton values"
            raise NftError(text, place, self.since(right_start))
        return self.compared(left, op, types[0])

    def compared(self, left: Expr, op: str, type: Type) -> Match:
        if not type.bitmask:
            part = self.part(type)
            if isinstance(left, Bits):
                return masked(left, op, part, type)
            if op in ("", "=="):
                return Match(left=left, right=(part,))
            if op == "!":
                raise NotModelled("nft ! on a value that is no set of flags")
            return Match(left=left, op=op, right=(part,))
        value = self.flags(type)
        mask = self.flags(type) if self.sign("/") else None
        if isinstance(left, Bits) and not left.xor:
            if value == 0 and op in ("==", "!=", ""):
                return Match(left=left.of, op="" if op == "!=" else "!", right=(left.mask,))
            if value == left.mask and not value & (value - 1):
                return Match(left=left, op="!=" if op == "!=" else "==", right=(value,))
            return Match(left=left.of, op="!=" if op == "!=" else "", right=(value,), mask=left.mask)
        if mask is not None:
            return Match(left=left, op="!=" if op == "!=" else "", right=(value,), mask=mask)
        return Match(left=left, op=op, right=(value,))


def any_of_set(statement: Statement) -> tuple[str, ...]:
    """`meta l4proto { tcp, udp }`: a later `tcp dport` is then in conflict with udp (proto_ctx_find_conflict)."""
    if not isinstance(statement, Match) or not isinstance(statement.left, Field) or statement.op == "!=":
        return ()
    if statement.left.row.says != "transport" or not isinstance(statement.right, AnonSet):
        return ()
    keys = [key[0] for key in statement.right.content.elements if not isinstance(key[0], tuple)]
    return tuple(TRANSPORTS.get(key, f"protocol {key}") for key in keys)  # type: ignore[call-overload]


def merged_one(reader: ExprReader, start: int) -> bool:
    """Was a set of one element written as several?"""
    words = [t.kind for t in reader.tokens[start : reader.at] if t.kind != "newline"]
    return any(kind == "," and after != "}" for kind, after in pairwise(words))


def masked(left: Bits, op: str, part: object, type: Type) -> Match:
    """`ip saddr & 255.255.0.0 == 10.0.0.0` is a prefix; another mask stays as it is written."""
    full = (1 << type.bits) - 1
    low = ~left.mask & full
    if (
        type.name == "ipv4_addr"
        and not left.xor
        and isinstance(part, int)
        and low & (low + 1) == 0
        and op in ("", "==", "!=")
    ):
        both: object = part if low == 0 else (part, part | low)
        return Match(left=left.of, op="!=" if op == "!=" else "", right=(both,))
    return Match(left=left, op=op or "==", right=(part,))


def _nat(kind: str) -> Callable[[RuleReader], tuple[Statement, Cell | None]]:
    return lambda reader: reader.nat(kind)


READERS: dict[str, Callable[[RuleReader], tuple[Statement, Cell | None]]] = {
    "counter": RuleReader.counter, "limit": RuleReader.limit, "quota": RuleReader.quota, "log": RuleReader.log,
    "reject": RuleReader.reject, "notrack": RuleReader.notrack,
    **{kind: _nat(kind) for kind in ("dnat", "snat", "masquerade", "redirect")},
}  # fmt: skip
