"""Statements of nft that change something: marks, headers, NAT, log, sets, named objects, notrack.

Rules. As in statements.py. NAT only asks (xt's `Nat`): the walker chooses and rewrites. Sources: statement.c of
nftables 1.0.6; net/netfilter/nft_{meta,ct,nat,masq,redir,log,dynset,objref,payload}.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.linux.nft.exprs import Const, Expr, Lookup, Names, SetRef, Source
from engine.linux.nft.keys import KEYS, KeyRow
from engine.linux.nft.seen import Seen
from engine.linux.nft.sets import Element
from engine.linux.nft.statements import Counter, Limit, Quota, Statement, timeout_text
from engine.linux.nft.tables import Cell
from engine.linux.xt.target import Act, Nat
from engine.linux.xt.target_more import Log as LogLine
from engine.record import dataclass, replace
from engine.say import Phrase, Said

MARK_WHY = Phrase("mark the packet ({what})", "패킷에 마크를 답니다({what})")
CT_MARK_WHY = Phrase("mark the connection ({what})", "연결에 마크를 답니다({what})")
FIELD_WHY = Phrase("rewrite a header field ({what})", "헤더 필드를 바꿉니다({what})")
DNAT_WHY = Phrase("rewrite the destination ({what})", "목적지를 바꿉니다({what})")
SNAT_WHY = Phrase("rewrite the source ({what})", "출발지를 바꿉니다({what})")
MASQUERADE_WHY = Phrase(
    "rewrite the source to the address of the device that it leaves by",
    "출발지를 나가는 장치의 주소로 바꿉니다",
)
REDIRECT_WHY = Phrase("send it to this machine itself", "이 머신 자신에게 보냅니다")
LOG_WHY = Phrase("write a line into the kernel's log, and go on", "커널 로그에 한 줄 남기고 계속합니다")
NOTRACK_WHY = Phrase("do not track this connection", "이 연결을 추적하지 않습니다")
ADD_WHY = Phrase("remember {what} in set {name}", "{name} 셋에 {what}을(를) 기억합니다")
DELETE_WHY = Phrase("forget {what} in set {name}", "{name} 셋에서 {what}을(를) 지웁니다")
OBJECT_WHY = Phrase("use {what}", "{what}을(를) 씁니다")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetField(Statement):
    """`meta mark set EXPR`, `ct mark set EXPR`, `ip ttl set EXPR`. `name` of KEYS, or `meta nftrace`."""

    name: str
    to: Expr

    def run(self, s: Seen, at: int) -> bool | Act | None:
        value = self.to.value(s)
        if value is None:
            return False
        assert isinstance(value, int)
        skb = s.skb
        writes = "" if self.name == "meta nftrace" else KEYS[self.name].writes
        if writes == "mark":
            skb.mark = value
        elif writes == "ct mark":
            if skb.ct is not None and skb.ct.mark != value:
                skb.ct = replace(skb.ct, mark=value)
                s.ns.conntrack.update(skb.ct)
        elif writes in ("sport", "dport"):
            if skb.packet.ports == (0, 0):
                return False
            skb.packet = skb.packet.with_l4(**{writes: value})
        elif writes == "dscp":
            skb.packet = skb.packet.with_ip(tos=skb.packet.ip.tos & 3 | value << 2)
        elif writes == "ecn":
            skb.packet = skb.packet.with_ip(tos=skb.packet.ip.tos & 0xFC | value)
        elif writes:
            skb.packet = skb.packet.with_ip(**{writes: value})
        return None

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        return f"{self.name} set {self.to.text(names)}"

    def exprs(self) -> Iterator[Expr]:
        yield self.to

    def fields(self) -> Iterator[KeyRow]:
        yield from self.to.fields()
        if self.name in KEYS:
            yield KEYS[self.name]

    def why(self) -> Said | None:
        what = self.to.text({})
        if self.name == "meta mark":
            return MARK_WHY(what=what)
        return (CT_MARK_WHY if self.name == "ct mark" else FIELD_WHY)(what=f"{self.name} {what}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NatTo(Statement):
    """`dnat to ...`, `snat to ...`, `masquerade`, `redirect`. `address` gives an address, or an address and a port when
    `paired`; `port` a port or a (low, high) pair; `family` "ip" where it is printed."""

    kind: str
    address: Expr | None = None
    port: Expr | None = None
    paired: bool = False
    family: str = ""
    flags: tuple[str, ...] = ()

    def run(self, s: Seen, at: int) -> bool | Act | None:
        low = high = port_low = port_high = 0
        if self.address is not None:
            key = self.address.key(s)
            if key is None:
                return False
            low, high = ends(key[0])
            if self.paired:
                port_low, port_high = ends(key[1])
        if self.port is not None:
            key = self.port.key(s)
            if key is None:
                return False
            port_low, port_high = ends(key[0])
        nat = Nat(
            kind=self.kind, low=low, high=high, port_low=port_low, port_high=port_high,
            random="random" in self.flags or "fully-random" in self.flags, persistent="persistent" in self.flags,
        )  # fmt: skip
        return Act(word="accept", nat=nat)

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        out = self.kind
        if self.address is not None or self.port is not None:
            out += f" {self.family} to" if self.family else " to"
        if self.address is not None:
            out += f" {address_text(self.address, names)}"
        if self.port is not None:
            out += (" " if self.address is None else "") + f":{self.port.text(names)}"
        return out + (" " + ",".join(self.flags) if self.flags else "")

    def exprs(self) -> Iterator[Expr]:
        for expr in (self.address, self.port):
            if expr is not None:
                yield expr

    def why(self) -> Said | None:
        if self.kind == "masquerade":
            return MASQUERADE_WHY()
        if self.kind == "redirect":
            return REDIRECT_WHY()
        return (DNAT_WHY if self.kind == "dnat" else SNAT_WHY)(what=self.text({}))

    @property
    def ends(self) -> bool:
        return True

    @property
    def needs_conntrack(self) -> bool:
        return True


def ends(part: object) -> tuple[int, int]:
    if isinstance(part, tuple):
        return part[0], part[1]
    assert isinstance(part, int)
    return part, part


def address_text(expr: Expr, names: Names) -> str:
    """An address, or a range as two addresses (never as a prefix)."""
    if isinstance(expr, Const) and isinstance(expr.parts[0], tuple):
        low, high = expr.parts[0]
        return f"{expr.type.text(low)}-{expr.type.text(high)}" if low != high else expr.type.text(low)
    return expr.text(names)


LOG_LEVELS = {
    "emerg": 0,
    "alert": 1,
    "crit": 2,
    "err": 3,
    "warn": 4,
    "notice": 5,
    "info": 6,
    "debug": 7,
    "audit": 8,
}
LOG_FLAGS = {1: "tcp sequence", 2: "tcp options", 4: "ip options", 8: "skuid", 32: "ether"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Statement):
    """`log`: a line in the machine's journal; with a `group` a netlink message that nobody here listens to."""

    prefix: str = ""
    level: int = 4
    group: int | None = None
    snaplen: int | None = None
    threshold: int | None = None
    flags: int = 0

    def run(self, s: Seen, at: int) -> bool | Act | None:
        if self.group is None and self.level != 8 and s.ns.id == s.ns.box:
            line = LogLine(prefix=self.prefix, level=self.level, flags=self.flags).line(s)  # type: ignore[arg-type]
            s.net.boxes[s.ns.box].journal.append((s.net.clock, f"kernel: {line}"))
        return None

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        out = "log" + (f' prefix "{self.prefix}"' if self.prefix else "")
        out += f" group {self.group}" if self.group is not None else ""
        out += f" snaplen {self.snaplen}" if self.snaplen is not None else ""
        out += f" queue-threshold {self.threshold}" if self.threshold is not None else ""
        if self.level != 4:
            out += f" level {next(n for n, v in LOG_LEVELS.items() if v == self.level)}"
        if self.flags & 47 == 47:
            return out + " flags all"
        tcp = [word for bit, word in ((1, "sequence"), (2, "options")) if self.flags & bit]
        out += f" flags tcp {','.join(tcp)}" if tcp else ""
        return out + "".join(f" flags {LOG_FLAGS[bit]}" for bit in (4, 8, 32) if self.flags & bit)

    def why(self) -> Said | None:
        return LOG_WHY()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notrack(Statement):
    """`notrack`."""

    def run(self, s: Seen, at: int) -> bool | Act | None:
        if s.skb.ct is None:
            s.skb.untracked = True
            s.skb.ctstate = "UNTRACKED"
        return None

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        return "notrack"

    def why(self) -> Said | None:
        return NOTRACK_WHY()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember(Statement):
    """`add @set { KEY }`, `update @set { KEY timeout T }`, `delete @set { KEY }`; with `data` of a map."""

    op: str
    name: str
    key: Expr
    data: Expr | None = None
    timeout: float = 0.0
    counter: bool = False

    def run(self, s: Seen, at: int) -> bool | Act | None:
        key = self.key.key(s)
        if key is None:
            return False
        data = None
        if self.data is not None:
            data = self.data.key(s)
            if data is None:
                return False
        now = s.net.clock
        there = s.table.sets[self.name]
        found = there.elements.get(key)
        alive = found is not None and (not found.expires or found.expires > now)
        if self.op == "delete":
            if not alive:
                return False
            s.ns.nft.own_set(s.table.key, self.name).remove(key)
            s.table = s.ns.nft.tables[s.table.key]
            return None
        timed = "timeout" in there.flags or bool(there.timeout)
        span = (self.timeout or there.timeout) if timed else 0.0
        size = s.skb.packet.ip_length()
        if found is not None and alive:
            changed = found
            if self.op == "update" and span:
                changed = replace(changed, expires=now + span)
            if changed.counter is not None:
                changed = replace(changed, counter=(changed.counter[0] + 1, changed.counter[1] + size))
        else:
            count = len(there.elements) - sum(1 for e in there.elements.values() if 0 < e.expires <= now)
            if there.size and count >= there.size:
                return False
            counts = (1, size) if self.counter or there.counter else None
            own = self.timeout if timed and self.timeout != there.timeout else 0.0
            changed = Element(
                key=key, data=data, timeout=own, expires=now + span if span else 0.0, counter=counts
            )
        if changed is not found:
            s.ns.nft.own_set(s.table.key, self.name).put(changed)
            s.table = s.ns.nft.tables[s.table.key]
        return None

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        inner = (
            self.key.text(names) + timeout_text(self.timeout, names) + (" counter" if self.counter else "")
        )
        inner += f" : {self.data.text(names)}" if self.data is not None else ""
        return f"{self.op} @{self.name} {{ {inner} }}"

    def exprs(self) -> Iterator[Expr]:
        yield self.key
        if self.data is not None:
            yield self.data

    def sources(self) -> Iterator[Source]:
        yield SetRef(name=self.name)
        yield from Statement.sources(self)

    def why(self) -> Said | None:
        return (DELETE_WHY if self.op == "delete" else ADD_WHY)(what=self.key.text({}), name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class UseObject(Statement):
    """`counter name "c1"`, `limit name ...`, `quota name ...`; or by a map: `counter name ip saddr map @m`."""

    kind: str
    name: str = ""
    of: Lookup | None = None

    def run(self, s: Seen, at: int) -> bool | Act | None:
        name = self.name
        if self.of is not None:
            key = self.of.of.key(s)
            if key is None:
                return False
            _, found = self.of.source.find(s, key)
            if not isinstance(found, Element) or not isinstance(found.data, str):
                return False
            name = found.data
        table = s.ns.nft.own_table(s.table.key)
        s.table = table
        where, size = (self.kind, name), s.skb.packet.ip_length()
        spec, cell = table.objects[where].spec, table.cells.get(where)
        if self.kind == "counter":
            packets, total = cell or (0, 0)
            table.cells[where] = (packets + 1, total + size)
            return None
        if isinstance(spec, Limit):
            table.cells[where], exceeded = spec.spend(cell, s.net.clock, size)
        else:
            assert isinstance(spec, Quota)
            table.cells[where], exceeded = spec.spend(cell, size)
        return None if exceeded is spec.over else False

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        return f"{self.kind} name " + (f'"{self.name}"' if self.of is None else self.of.text(names))

    def exprs(self) -> Iterator[Expr]:
        if self.of is not None:
            yield self.of

    def why(self) -> Said | None:
        return OBJECT_WHY(what=self.text({}))


STATEFUL = (Counter, Limit, Quota)
