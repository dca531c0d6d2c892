"""Reading the expressions of a rule: selectors, bit operations, concatenations, numgen, hashes, fib, map look-ups.

Rules. What nft 1.0.6 knows and the model lacks is refused by its name; what nft does not know is its syntax error.
`transport` is the header that the rule has settled so far. Source: parser_bison.y, evaluate.c of nftables 1.0.6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.errors import NotModelled
from engine.linux.nft.exprs import (
    FIB_ORDER,
    AnonSet,
    Bits,
    Concat,
    Const,
    Expr,
    Fib,
    Field,
    Hash,
    Lookup,
    Numgen,
    SetRef,
    SymHash,
)
from engine.linux.nft.exprs import Source as SetSource
from engine.linux.nft.keys import HEADERS, KEYS, OTHER, UNQUALIFIED
from engine.linux.nft.lexer import NftError, Span, Token
from engine.linux.nft.read_value import ValueReader, clash, merged
from engine.linux.nft.sets import NftSet
from engine.linux.nft.tables import Object
from engine.linux.nft.types import TYPES, Type

#: beginnings of expressions that the model lacks
OTHER_EXPRS = frozenset(
    [
        "ip6",
        "icmpv6",
        "igmp",
        "arp",
        "ether",
        "vlan",
        "dccp",
        "ah",
        "esp",
        "comp",
        "udplite",
        "exthdr",
        "rt",
        "socket",
        "osf",
        "ipsec",
        "hbh",
        "frag",
        "dst",
        "mh",
        "srh",
        "rtclassid",
        "iifgroup",
        "oifgroup",
        "iiftype",
        "oiftype",
        "cgroup",
        "ibrname",
        "obrname",
    ]
)
#: as nft lists them for a word that it does not know
META_KEYS = (
    "length, protocol, priority, mark, iif, oif, iifname, oifname, iiftype, oiftype, skuid, skgid, nftrace, rtclassid, "
    "secmark, nfproto, l4proto, ibrname, obrname, pkttype, cpu, iifgroup, oifgroup, cgroup, random, ipsec, iifkind, "
    "oifkind, ibrpvid, ibrvproto, time, day, hour, sdif, sdifname"
)
CT_DIRECTIONS = ("original", "reply")
ICMP_WORDS = {"id": "id", "sequence": "sequence", "type": "type", "code": "code", "mtu": "mtu"}


class ExprReader(ValueReader):
    """`sets` and `objects` of the rule's table; `family` of it."""

    def __init__(
        self, tokens: list[Token], *, family: str = "ip", sets: Mapping[str, NftSet] | None = None,
        objects: Mapping[tuple[str, str], Object] | None = None, devices: Mapping[str, int] | None = None,
        hint: Callable[[str], str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(tokens)
        self.family = family
        self.sets = sets if sets is not None else {}
        self.objects = objects if objects is not None else {}
        self.devices = devices if devices is not None else {}
        self.hint = hint
        self.transport = ""
        self.network = "ip" if family == "ip" else ""

    # -- selectors ---------------------------------------------------------------------------------------

    def starts_expr(self) -> bool:
        """Does a selector or another computed expression stand here?"""
        token = self.token
        if token.kind in ("@", "("):
            return True
        return token.kind == "string" and (
            token.text in HEADERS or token.text in UNQUALIFIED or token.text in OTHER_EXPRS
            or token.text in ("meta", "ct", "fib", "numgen", "jhash", "symhash")
        )  # fmt: skip

    def primary(self) -> Expr:
        """One selector or generator."""
        token = self.token
        start = self.at
        if self.sign("("):
            inside = self.bits()
            self.need_sign(")")
            return inside
        if token.kind == "@":
            raise NotModelled("nft raw payload expressions (@nh, @th, @ll)")
        if token.kind != "string":
            raise self.unexpected()
        word = token.text
        if word in HEADERS:
            self.at += 1
            return self.header(word, start)
        if word == "meta":
            self.at += 1
            return self.meta(start)
        if word == "ct":
            self.at += 1
            return self.ct(start)
        if word in UNQUALIFIED:
            self.at += 1
            return Field(name=UNQUALIFIED[word])
        if word == "fib":
            self.at += 1
            return self.fib()
        if word in ("numgen", "jhash", "symhash"):
            self.at += 1
            return self.generator(word, start)
        if word in OTHER_EXPRS:
            raise NotModelled(
                f"nft {word}" + (f" {self.peek().text}" if self.peek().kind == "string" else "")
            )
        raise self.unexpected()

    def header(self, proto: str, start: int) -> Expr:
        name = f"{proto} {self.token.text}"
        if self.token.text in OTHER.get(proto, ()):
            raise NotModelled(f"nft {name}")
        if self.token.kind == "string" and name in KEYS:
            self.at += 1
            return Field(name=name)
        raise self.unexpected()

    def meta(self, start: int) -> Expr:
        word = self.token.text
        if self.token.kind != "string":
            raise self.unexpected()
        for name in (f"meta {word}", word):
            if name in KEYS and word not in HEADERS:
                self.at += 1
                if word == "nfproto" and self.family == "ip":
                    raise NftError("meta nfproto is only useful in the inet family", self.since(start))
                return Field(name=name)
        if word in OTHER["meta"]:
            raise NotModelled(f"nft meta {word}")
        self.at += 1
        text = f"syntax error, unexpected {word}, known keys are {META_KEYS}"
        raise NftError(text, self.since(start), phase="syntax")

    def ct(self, start: int) -> Expr:
        if self.is_word(*CT_DIRECTIONS):
            way = self.take().text
            self.word("ip")
            word = self.token.text
            name = f"ct {way} ip {word}" if word in ("saddr", "daddr") else f"ct {way} {word}"
        else:
            name = f"ct {self.token.text}"
        if self.token.kind == "string" and name in KEYS:
            self.at += 1
            return Field(name=name)
        if self.token.text in OTHER["ct"]:
            raise NotModelled(f"nft ct {self.token.text}")
        raise self.unexpected()

    def fib(self) -> Expr:
        flags = [self.need_word(*FIB_ORDER).text]
        while self.sign("."):
            flags.append(self.need_word(*FIB_ORDER).text)
        result = self.need_word("oif", "oifname", "type").text
        ordered = tuple(f for f in FIB_ORDER if f in flags)
        present = result != "type" and (
            self.is_word("exists", "missing")
            or (self.is_sign("==", "!=") and self.peek().text in ("exists", "missing"))
        )
        return Fib(flags=ordered, result=result, present=present)

    def generator(self, word: str, start: int) -> Expr:
        if word == "numgen":
            mode = self.need_word("inc", "random").text
            modulus, offset = self.modulus(start)
            return Numgen(mode=mode, modulus=modulus, offset=offset)
        if word == "symhash":
            modulus, offset = self.modulus(start)
            return SymHash(modulus=modulus, offset=offset)
        of = self.concat()
        self.need_word("mod")
        modulus = self.number()
        seed = self.number() if self.word("seed") else None
        offset = self.number() if self.word("offset") else 0
        self.checked(modulus, start)
        return Hash(of=of, modulus=modulus, seed=seed or None, offset=offset)

    def modulus(self, start: int) -> tuple[int, int]:
        self.need_word("mod")
        modulus = self.number()
        offset = self.number() if self.word("offset") else 0
        self.checked(modulus, start)
        return modulus, offset

    def checked(self, modulus: int, start: int) -> None:
        if modulus < 1:
            text = "Could not process rule: Numerical result out of range"
            raise NftError(text, self.since(start), phase="kernel", errno="ERANGE")

    # -- operations --------------------------------------------------------------------------------------

    def bits(self) -> Expr:
        """A selector with &, ^, | behind it, from left to right as they bind."""
        expr = self.primary()
        type = expr.types[0] if len(expr.types) == 1 else TYPES["integer"]
        full = (1 << type.bits) - 1
        steps: list[tuple[str, int]] = []
        while self.is_sign("&", "^", "|", "<<", ">>"):
            sign = self.take().kind
            if sign in ("<<", ">>"):
                raise NotModelled(f"nft {sign} on a selector")
            if self.starts_expr() and not self.is_sign("("):
                raise NotModelled("nft: two selectors joined by a bit operation")
            steps.append((sign, {"&": self.atom, "^": self._and, "|": self._xor}[sign](type)))
        if not steps:
            return expr
        mask, xor = full, 0
        for sign, number in steps:
            if sign == "&":
                mask, xor = mask & number, xor & number
            elif sign == "^":
                xor ^= number
            else:
                mask, xor = mask & ~number & full, xor & ~number & full | number
        return Bits(of=expr, mask=mask, xor=xor)

    def concat(self) -> Expr:
        parts = [self.bits()]
        while self.is_sign(".") and self.peek().kind != "newline":
            self.at += 1
            parts.append(self.bits())
        return parts[0] if len(parts) == 1 else Concat(parts=tuple(parts))

    # -- sets in rules -----------------------------------------------------------------------------------

    def set_named(self) -> tuple[SetRef, NftSet]:
        """`@name`."""
        start = self.at
        self.need_sign("@")
        name = self.string().text
        there = self.sets.get(name)
        if there is None:
            text = self.hint(name) if self.hint is not None else "No such file or directory"
            raise NftError(text, self.since(start), errno="ENOENT")
        return SetRef(name=name), there

    def source(
        self, keys: tuple[Type, ...], kind: str, data: tuple[Type, ...] = (), place: Span | None = None
    ) -> SetSource:
        """`@name` or `{ ... }` for a key of these types."""
        if self.is_sign("@"):
            start = self.at
            ref, there = self.set_named()
            if kind != "set" and there.kind != kind and not (kind == "value" and there.kind == "value"):
                what = "Expression is not a map" if kind != "set" else "Set reference expected"
                raise NftError(what, self.since(start))
            if [t.name for t in there.keys] != [t.name for t in keys] and not fits(there.keys, keys):
                mine, theirs = (" . ".join(t.desc for t in types) for types in (keys, there.keys))
                text = f"datatype mismatch, expected {mine}, expression has type {theirs}"
                if kind != "set":
                    text = f"datatype mismatch, map expects {theirs}, mapping expression has type {mine}"
                places = [self.since(start)] + ([place] if place is not None else [])
                raise NftError(text, *places)
            return ref
        content = NftSet(keys=keys, kind=kind, data=data)
        rows = [
            e
            for e, _ in self.elements(NftSet(keys=keys, kind=kind, data=data, flags=frozenset(("interval",))))
        ]
        wild = any(str(e.key[0][0]).endswith("*") for e in rows if e.key and isinstance(e.key[0], tuple))
        if any(isinstance(p, tuple) for e in rows for p in e.key):
            content.flags = frozenset(("interval",))
            if kind == "set" and len(keys) == 1 and not wild and keys[0].name != "ifname":
                rows = merged(rows)
        for e in rows:
            if kind != "set" and e.key in content.elements:
                raise NftError(
                    "Could not process rule: File exists",
                    place or self.since(self.at - 1),
                    phase="kernel",
                    errno="EEXIST",
                )
            if clash(content, e) is not None:
                raise NftError("conflicting intervals specified", place or self.since(self.at - 1))
            content.put(e)
        return AnonSet(content=content)

    def lookup(self, of: Expr, wanted: tuple[Type, ...] = ()) -> Lookup:
        """Behind `map`."""
        if self.is_sign("@"):
            start = self.at
            ref, there = self.set_named()
            if there.kind != "value":
                raise NftError("Expression is not a map", self.since(start))
            return Lookup(of=of, source=ref, data=there.data)
        data = self.data_types(wanted)
        found = self.source(of.types, "value", data)
        return Lookup(of=of, source=found, data=data)

    def data_types(self, wanted: tuple[Type, ...]) -> tuple[Type, ...]:
        """The types of a map's data: with a dot behind the first colon they are an address and a port."""
        at, depth, colon = self.at, 0, False
        while at < len(self.tokens):
            kind = self.tokens[at].kind
            depth += (kind == "{") - (kind == "}")
            if not depth:
                break
            if kind == ":":
                colon = True
            elif colon and kind == ",":
                break
            elif colon and kind == "." and len(wanted) == 1 and wanted[0].name == "ipv4_addr":
                return (*wanted, TYPES["inet_service"])
            at += 1
        return wanted

    def computed(self, type: Type) -> Expr:
        """What stands behind `set`: a value of the type, or an expression with or without a map."""
        if not self.starts_expr():
            return Const(type=type, parts=(self.constant(type),))
        expr = self.concat()
        if self.word("map"):
            return self.lookup(expr, (type,))
        return expr


def fits(there: tuple[Type, ...], keys: tuple[Type, ...]) -> bool:
    """Numbers without a type of their own fit into one another."""
    return len(there) == len(keys) and all(
        a.name == b.name or "integer" in (a.name, b.name) for a, b in zip(there, keys, strict=True)
    )
