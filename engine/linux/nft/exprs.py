"""Expressions of nft: what a rule computes of a packet before it compares or sets.

Rules. An expression is a frozen record; `value` gives what it computes, or None where the kernel breaks the rule off;
`key` the same as a tuple, one part a field; `text` prints it as `nft list` does. Sources: expression.c, fib.c,
numgen.c, hash.c of nftables 1.0.6; net/netfilter/nft_{numgen,hash,fib,bitwise}.c, net/ipv4/netfilter/nft_fib_ipv4.c.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from engine.linux.addr import is_multicast
from engine.linux.fib import LOCAL, together
from engine.linux.flow import FlowKey
from engine.linux.hashing import jhash, scaled
from engine.linux.multipath import find
from engine.linux.nft.keys import KEYS, KeyRow
from engine.linux.nft.seen import Seen
from engine.linux.nft.sets import Key, NftSet, element_text, elements_text, key_text
from engine.linux.nft.types import ADDRESS_TYPES, TYPES, Loadable, Type, Value, integer
from engine.record import dataclass

Names = Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expr:
    """Base of all expressions."""

    @property
    def types(self) -> tuple[Type, ...]:
        raise NotImplementedError

    def value(self, s: Seen) -> Value | None:
        raise NotImplementedError

    def key(self, s: Seen) -> Key | None:
        value = self.value(s)
        return None if value is None else (value,)

    def text(self, names: Names) -> str:
        raise NotImplementedError

    def fields(self) -> Iterator[KeyRow]:
        """The selectors inside, in order."""
        return iter(())

    @property
    def needs_conntrack(self) -> bool:
        return any(row.needs_conntrack for row in self.fields())


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Expr):
    """A selector of KEYS. `written` is how it was written where `nft list` spells it otherwise and nft may not take
    that spelling back (`icmp checksum`, see context.py)."""

    name: str
    written: str = field(default="", compare=False)

    @property
    def row(self) -> KeyRow:
        return KEYS[self.name]

    @property
    def types(self) -> tuple[Type, ...]:
        return (KEYS[self.name].type,)

    def value(self, s: Seen) -> Value | None:
        return KEYS[self.name].load(s)

    def text(self, names: Names) -> str:
        return self.written if self.written and isinstance(names, Loadable) else self.name

    def fields(self) -> Iterator[KeyRow]:
        yield KEYS[self.name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Const(Expr):
    """A value as an expression: `mark set 0x4000`, `dnat to 10.0.0.1`. `parts` may hold a (low, high) pair."""

    type: Type
    parts: tuple[object, ...]
    more: tuple[Type, ...] = ()

    @property
    def types(self) -> tuple[Type, ...]:
        return (self.type, *self.more)

    def value(self, s: Seen) -> Value | None:
        return self.parts[0]  # type: ignore[return-value]

    def key(self, s: Seen) -> Key | None:
        return self.parts

    def text(self, names: Names) -> str:
        return key_text(self.types, self.parts, names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bits(Expr):
    """(of & mask) ^ xor, printed as nft takes it apart into &, ^ and |."""

    of: Expr
    mask: int
    xor: int = 0

    @property
    def types(self) -> tuple[Type, ...]:
        return self.of.types

    def value(self, s: Seen) -> Value | None:
        value = self.of.value(s)
        return None if value is None else (int(value) & self.mask) ^ self.xor

    def text(self, names: Names) -> str:
        type = self.types[0]
        full = (1 << type.bits) - 1
        mask, xor, more = self.mask, self.xor, 0
        if mask != full or xor:
            more = (mask & xor) ^ xor
            xor &= mask
            mask |= more
        out = self.of.text(names)
        for sign, number, there in (
            ("&", mask, mask != full),
            ("^", xor, bool(xor)),
            ("|", more, bool(more)),
        ):
            if there:
                shown = type.text(number, names).replace(",", " | ")
                out += f" {sign} ({shown})" if "|" in shown else f" {sign} {shown}"
        return out

    def fields(self) -> Iterator[KeyRow]:
        return self.of.fields()


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat(Expr):
    """`ip daddr . meta l4proto . th dport`."""

    parts: tuple[Expr, ...]

    @property
    def types(self) -> tuple[Type, ...]:
        return tuple(t for p in self.parts for t in p.types)

    def value(self, s: Seen) -> Value | None:
        raise TypeError("a concatenation is a key, not a value")

    def key(self, s: Seen) -> Key | None:
        out = []
        for part in self.parts:
            value = part.value(s)
            if value is None:
                return None
            out.append(value)
        return tuple(out)

    def text(self, names: Names) -> str:
        return " . ".join(p.text(names) for p in self.parts)

    def fields(self) -> Iterator[KeyRow]:
        for part in self.parts:
            yield from part.fields()


@dataclass(frozen=True, slots=True, kw_only=True)
class Numgen(Expr):
    """`numgen random mod N offset K`: the choice is the Choose's; `inc` counts in the rule's cell."""

    mode: str
    modulus: int
    offset: int = 0
    type: Type = TYPES["integer"]

    @property
    def types(self) -> tuple[Type, ...]:
        return (self.type,)

    def value(self, s: Seen) -> Value | None:
        if self.mode == "random":
            return s.choose.pick("numgen", self.modulus, s) + self.offset
        cell = (s.rule, "numgen")
        number = s.chain.cells.get(cell, (0,))[0]
        s.chain.cells[cell] = ((number + 1) % self.modulus,)
        return int(number) + self.offset

    def text(self, names: Names) -> str:
        return f"numgen {self.mode} mod {self.modulus}" + (f" offset {self.offset}" if self.offset else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hash(Expr):
    """`jhash ... mod N seed S offset K`. Without a seed the kernel makes one up when the rule is made; here the Choose
    does when it is first used."""

    of: Expr
    modulus: int
    seed: int | None = None
    offset: int = 0

    @property
    def types(self) -> tuple[Type, ...]:
        return (TYPES["integer"],)

    def value(self, s: Seen) -> Value | None:
        key = self.of.key(s)
        if key is None:
            return None
        seed = self.seed
        if seed is None:
            cell = (s.rule, "seed")
            if cell not in s.chain.cells:
                s.chain.cells[cell] = (s.choose.number("jhash seed", 0, 0xFFFFFFFF),)
            seed = int(s.chain.cells[cell][0])
        data = b"".join(
            padded(t, part, alone=len(key) == 1) for t, part in zip(self.of.types, key, strict=True)
        )
        return scaled(jhash(data, seed), self.modulus) + self.offset

    def text(self, names: Names) -> str:
        out = f"jhash {self.of.text(names)} mod {self.modulus}"
        out += f" seed 0x{self.seed:x}" if self.seed is not None else ""
        return out + (f" offset {self.offset}" if self.offset else "")

    def fields(self) -> Iterator[KeyRow]:
        return self.of.fields()


@dataclass(frozen=True, slots=True, kw_only=True)
class SymHash(Expr):
    """`symhash mod N`: the kernel's flow hash has a secret key, so which number a connection gets is anybody's
    guess."""

    modulus: int
    offset: int = 0

    @property
    def types(self) -> tuple[Type, ...]:
        return (TYPES["integer"],)

    def value(self, s: Seen) -> Value | None:
        return s.choose.pick("symhash", self.modulus, s) + self.offset

    def text(self, names: Names) -> str:
        return f"symhash mod {self.modulus}" + (f" offset {self.offset}" if self.offset else "")


def padded(type: Type, part: object, *, alone: bool) -> bytes:
    """A field as it lies in the registers: its bytes, filled up to a multiple of four in a concatenation."""
    size = -(-type.bits // 8)
    if isinstance(part, str):
        return part.encode().ljust(16, b"\0")
    assert isinstance(part, int)
    data = (part & (1 << 8 * size) - 1).to_bytes(size, "big" if type.big else "little")
    return data if alone else data.ljust(-(-size // 4) * 4, b"\0")


FIB_ORDER = ("saddr", "daddr", "mark", "iif", "oif")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fib(Expr):
    """`fib daddr . iif type`. `flags` of FIB_ORDER; `result` type, oif or oifname; `present` = asked whether there is
    one."""

    flags: tuple[str, ...]
    result: str
    present: bool = False

    @property
    def types(self) -> tuple[Type, ...]:
        if self.present:
            return (TYPES["boolean"],)
        return (TYPES[{"type": "fib_addrtype", "oif": "iface_index", "oifname": "ifname"}[self.result]],)

    def value(self, s: Seen) -> Value | None:
        ip = s.ip
        if ip is None:
            return None
        if self.result == "type":
            return self.address_type(s, ip.src if "saddr" in self.flags else ip.dst)
        name = self.device(s)
        if self.present:
            return int(bool(name))
        return name if self.result == "oifname" else s.ns.names.get(name, 0)

    def device_asked(self, s: Seen) -> str | None:
        order = ("iif", "oif") if self.result == "type" else ("oif", "iif")
        for flag in order:
            if flag in self.flags:
                return s.skb.iif if flag == "iif" else s.skb.oif
        return None

    def address_type(self, s: Seen, address: int) -> int:
        """`inet_dev_addr_type`."""
        ns = s.ns
        if address >> 24 == 0 or address == 0xFFFFFFFF:
            return ADDRESS_TYPES["broadcast"]
        if is_multicast(address):
            return ADDRESS_TYPES["multicast"]
        if ns.fib_split:
            route = ns.tables[LOCAL].match(address, lambda r: True)
        else:
            route = together(ns.tables, address, lambda r: True)
        if route is None:
            return ADDRESS_TYPES["unicast"]
        asked = self.device_asked(s)
        if asked is not None and route.oif != ns.names.get(asked, 0):
            return ADDRESS_TYPES["unicast"]
        return ADDRESS_TYPES.get(route.type, ADDRESS_TYPES["unicast"])

    def device(self, s: Seen) -> str:
        """nft_fib4_eval: the device by which the address is reached, "" for none. What came by a loopback is not looked
        up at all, and since 6.15 not in the input hook either (nft_fib_can_skip): there the device is the answer,
        whichever address was asked for."""

        ns, skb = s.ns, s.skb
        ip = skb.packet.ip
        if s.hook in ("PREROUTING", "INPUT") and skb.iif and ns.links[ns.names[skb.iif]].kind == "loopback":
            return skb.iif
        if ip.src >> 24 == 0 and ip.dst == 0xFFFFFFFF:
            return skb.iif
        to, source, iif = ip.dst, ip.src, "lo"
        if "daddr" not in self.flags:
            to, source = ip.src, ip.dst
            if s.hook == "FORWARD" and "iif" in self.flags:
                iif = skb.oif
        if is_multicast(source) or source == 0xFFFFFFFF or source >> 24 == 0:
            source = 0
        mark = skb.mark if "mark" in self.flags else 0
        route = find(s.net, ns, FlowKey(dst=to, src=source, iif=iif, mark=mark)).route
        if route is None or route.type in ("blackhole", "unreachable", "prohibit", "local") or not route.oif:
            return ""
        asked = self.device_asked(s)
        if asked is None:
            return ns.links[route.oif].name
        return asked if asked and ns.names.get(asked) == route.oif else ""

    def text(self, names: Names) -> str:
        return f"fib {' . '.join(self.flags)} {self.result}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRef:
    """`@name`."""

    name: str

    def find(self, s: Seen, key: Key) -> tuple[NftSet, object]:
        there = s.table.sets[self.name]
        return there, there.find(key, s.net.clock)

    def text(self, names: Names) -> str:
        return f"@{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnonSet:
    """`{ ... }` inside a rule. Nobody changes it once it is made."""

    content: NftSet

    def find(self, s: Seen, key: Key) -> tuple[NftSet, object]:
        return self.content, self.content.find(key)

    def text(self, names: Names) -> str:
        return elements_text(self.content, 0, stateless=True, names=names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnonSet) and self.text({}) == other.text({})

    def __hash__(self) -> int:
        return hash(self.text({}))


Source = SetRef | AnonSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup(Expr):
    """`KEY map @name` or `KEY map { ... }`: the data of the element that the key meets; no element, no match."""

    of: Expr
    source: Source
    data: tuple[Type, ...]

    @property
    def types(self) -> tuple[Type, ...]:
        return self.data

    def key(self, s: Seen) -> Key | None:
        key = self.of.key(s)
        if key is None:
            return None
        there, found = self.source.find(s, key)
        if found is None:
            return None
        s.decided = element_text(there, found, s.net.clock, stateless=True)  # type: ignore[arg-type]
        data = found.data  # type: ignore[attr-defined]
        assert isinstance(data, tuple)
        return data

    def value(self, s: Seen) -> Value | None:
        key = self.key(s)
        return None if key is None else key[0]  # type: ignore[return-value]

    def text(self, names: Names) -> str:
        return f"{self.of.text(names)} map {self.source.text(names)}"

    def fields(self) -> Iterator[KeyRow]:
        return self.of.fields()


def number_type(bits: int = 32) -> Type:
    return integer(bits, big=False)
