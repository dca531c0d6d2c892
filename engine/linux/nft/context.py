"""Which statements of a written rule `nft list` prints: what is implied is left out, what shares four bytes is moved.

Theory. nft adds the header that a selector needs (`tcp dport` asks `meta l4proto tcp` first), joins neighbouring
fields of one header into one comparison, and on the way back leaves out every question about a protocol that a later
statement implies. So `meta l4proto tcp tcp dport 80` is listed as `tcp dport 80`, but `meta l4proto tcp counter tcp
dport 80` as it stands, because a counter is no question. Sources: payload.c (payload_dependency_kill),
netlink_delinearize.c, rule.c (stmt_reduce) of nftables 1.0.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TypeVar, cast

from engine.errors import NotModelled
from engine.linux.nft.changes import NatTo, SetField
from engine.linux.nft.exprs import AnonSet, Concat, Expr, Field, SetRef
from engine.linux.nft.keys import TRANSPORTS, KeyRow
from engine.linux.nft.statements import Match, Reject, Statement, Vmap
from engine.record import replace

#: where a field lies in its header: (byte, bytes)
PLACES = {
    "ip length": (2, 2), "ip id": (4, 2), "ip frag-off": (6, 2), "ip ttl": (8, 1), "ip protocol": (9, 1),
    "ip saddr": (12, 4), "ip daddr": (16, 4), "tcp sequence": (4, 4), "tcp ackseq": (8, 4), "udp length": (4, 2),
    "icmp type": (0, 1), "icmp code": (1, 1), "icmp checksum": (2, 2), "icmp id": (4, 2), "icmp sequence": (6, 2),
    **{f"{p} sport": (0, 2) for p in ("tcp", "udp", "sctp", "th")},
    **{f"{p} dport": (2, 2) for p in ("tcp", "udp", "sctp", "th")},
}  # fmt: skip


def known_by(statement: Statement) -> tuple[str, str]:
    """(layer, header) that this statement settles, or ("", "")."""
    if isinstance(statement, Match) and isinstance(statement.left, Field) and statement.op == "":
        row, right = statement.left.row, statement.right
        if row.says and isinstance(right, tuple) and not isinstance(right[0], tuple):
            number = right[0]
            if row.says == "transport":
                return "transport", TRANSPORTS.get(number, f"protocol {number}")  # type: ignore[call-overload]
            return "network", "ip" if number in (2, 0x0800) else "other"
    return "", ""


class Listed:
    """One rule on its way to its listed form."""

    def __init__(self, family: str) -> None:
        self.family = family
        self.out: list[Statement | None] = []
        self.deps: dict[str, int] = {}
        self.transport = ""
        self.network = "ip" if family == "ip" else ""

    def release(self, layer: str) -> None:
        self.out[self.deps.pop(layer)] = None

    def dep(self, layer: str) -> Match | None:
        at = self.deps.get(layer)
        found = self.out[at] if at is not None else None
        return found if isinstance(found, Match) else None

    def kill(self, row: KeyRow) -> None:
        """A field of a header makes the question about the header redundant."""
        dep = self.dep(row.layer)
        if dep is None:
            return
        assert isinstance(dep.left, Field)
        if row.proto == "th":
            return
        if self.family != "ip" and dep.left.name == "ip protocol" and row.layer == "transport":
            return
        self.release(row.layer)

    def imply(self, row: KeyRow) -> None:
        """What nft adds before a field."""
        if (
            row.layer == "transport"
            and row.proto in ("tcp", "udp", "sctp", "icmp")
            and self.transport != row.proto
        ):
            if self.family != "ip" and row.proto == "icmp" and not self.network:
                self.network = "ip"
            self.l4proto(TRANSPORTS_BY_NAME[row.proto])
            self.transport = row.proto
            self.deps.pop("transport", None)
        if row.layer == "network":
            self.network = "ip"

    def l4proto(self, number: int) -> None:
        """A question about the transport may make one about the network redundant."""
        dep = self.dep("network")
        if dep is None:
            return
        if self.family == "ip" or number == 1:
            self.release("network")

    def add(self, statement: Statement) -> None:
        layer, header = known_by(statement)
        if isinstance(statement, NatTo) and statement.port is not None:
            self.exprs(statement.address)
            self.deps.clear()
            self.exprs(statement.port)
        else:
            for row in statement.fields():
                self.imply(row)
                if row.layer:
                    self.kill(row)
        if isinstance(statement, Reject):
            self.reject(statement)
        self.out.append(statement)
        if layer == "transport":
            assert isinstance(statement, Match) and isinstance(statement.right, tuple)
            if isinstance(statement.left, Field) and not statement.left.row.layer:
                self.l4proto(int(statement.right[0]))  # type: ignore[call-overload]
            self.transport = header
            self.deps["transport"] = len(self.out) - 1
        elif layer == "network":
            self.network = header
            self.deps["network"] = len(self.out) - 1
        if not isinstance(statement, Match | Vmap):
            self.deps.clear()

    def exprs(self, expr: Expr | None) -> None:
        for row in expr.fields() if expr is not None else ():
            self.imply(row)
            if row.layer:
                self.kill(row)

    def reject(self, statement: Reject) -> None:
        if self.family == "ip":
            if statement.kind == "tcp" and "transport" in self.deps:
                self.release("transport")
        elif statement.kind == "icmp" and "network" in self.deps:
            self.release("network")

    def statements(self) -> tuple[Statement, ...]:
        return tuple(s for s in self.out if s is not None)


TRANSPORTS_BY_NAME = {name: number for number, name in TRANSPORTS.items()}


def named(statements: list[Statement], family: str) -> list[Statement]:
    """`th dport` where the transport is known is what lies there: that header's own port, or an ICMP message's
    checksum (payload_expr_complete)."""
    out: list[Statement] = []
    transport = ""
    for statement in statements:
        out += spelled(statement, transport)
        layer, header = known_by(statement)
        if layer == "transport":
            transport = "a connection" if family != "ip" and asks_connection(statement) else header
        for row in statement.fields():
            transport = row.proto if row.layer == "transport" and row.proto != "th" else transport
    return out


def asks_connection(statement: Statement) -> bool:
    """`ct protocol tcp`: in an inet table nft reads no header by it, and forgets it at the next `th`."""
    left = statement.left if isinstance(statement, Match) else None
    return isinstance(left, Field) and left.name.startswith("ct ")


def spelled(statement: Statement, transport: str) -> list[Statement]:
    """The statement with the header's own names in place of `th`; two where a comparison falls apart into fields.
    Where the header is neither of a transport nor ICMP's, nft prints still others, and forgets some questions."""
    names = {row.name for row in statement.fields() if row.proto == "th"}
    if not names or not transport:
        return [statement]
    if transport in ("tcp", "udp", "sctp"):
        if isinstance(statement, SetField) and statement.name in names:
            statement = replace(statement, name=f"{transport} {statement.name[3:]}")
        return [renamed(statement, {name: f"{transport} {name[3:]}" for name in names})]
    if transport != "icmp" or (isinstance(statement, SetField) and statement.name in names):
        raise NotModelled(f"nft {min(names)} in a rule about {transport}")
    apart = icmp_apart(statement)
    if not apart and "th sport" in names:
        raise NotModelled("nft th sport in a rule about icmp, but for == and !=")
    return apart or [renamed(statement, {"th dport": "icmp checksum"}, keep=wants_port(statement))]


def wants_port(statement: Statement) -> bool:
    """Does it look into what has ports by its type? nft lists `icmp checksum @ports`, and does not take it back."""
    return not isinstance(statement, Match) or isinstance(statement.right, SetRef)


def icmp_apart(statement: Statement) -> list[Statement]:
    """`th sport 53` about ICMP is its type and its code, each compared (payload_expr_expand); a range or a set is
    not taken apart."""
    if not isinstance(statement, Match) or isinstance(statement.right, SetRef | AnonSet):
        return []
    left, right = statement.left, statement.right[0]
    if left != Field(name="th sport") or statement.op not in ("", "==", "!=") or not isinstance(right, int):
        return []
    return [
        replace(statement, left=Field(name="icmp type"), right=(right >> 8,)),
        replace(statement, left=Field(name="icmp code"), right=(right & 0xFF,)),
    ]


R = TypeVar("R", Statement, Expr)


def renamed(of: R, names: Mapping[str, str], *, keep: bool = False) -> R:
    """A statement or an expression with these selectors spelled otherwise, wherever they stand in it; `keep` how they
    were written."""
    if isinstance(of, Field):
        if of.name not in names:
            return of
        return cast(R, Field(name=names[of.name], written=of.name if keep else ""))
    changes: dict[str, object] = {}
    for f in fields(of):
        value = getattr(of, f.name)
        if isinstance(value, Expr):
            changes[f.name] = renamed(value, names, keep=keep)
        elif isinstance(of, Concat):
            changes[f.name] = tuple(renamed(part, names, keep=keep) for part in of.parts)
    return replace(of, **changes) if changes else of


def joined(statements: list[Statement]) -> list[Statement]:
    """Neighbouring fields of a header that are compared with values, together at the place of the first in the
    header."""
    out = list(statements)
    start = 0
    for end in range(len(out) + 1):
        if end < len(out) and isinstance(out[end], Match | Vmap):
            continue
        _join(out, start, end)
        start = end + 1
    return [s for s in out if s is not None]


def _join(out: list[Statement], start: int, end: int) -> None:
    rows: list[tuple[tuple[str, int], int, int]] = []
    for at in range(start, end):
        s = out[at]
        if isinstance(s, Match) and isinstance(s.left, Field) and s.op in ("", "==", "!=") and s.mask is None:
            place = PLACES.get(s.left.name)
            plain = isinstance(s.right, tuple) and not isinstance(s.right[0], tuple)
            if place is not None and plain:
                rows.append(((s.left.row.layer, place[0]), place[1], at))
    rows.sort()
    moved: dict[int, list[int]] = {}
    at = 0
    while at < len(rows):
        (layer, begin), size, home = rows[at]
        nxt = at + 1
        total = size
        while nxt < len(rows):
            (other, byte), width, where = rows[nxt]
            one, two = out[home], out[where]
            assert isinstance(one, Match) and isinstance(two, Match)
            if (
                other != layer
                or byte != begin + total
                or total + width > 4
                or (one.op == "!=") != (two.op == "!=")
            ):
                break
            moved.setdefault(home, []).append(where)
            total += width
            nxt += 1
        at = nxt
    if not moved:
        return
    gone = {p for places in moved.values() for p in places}
    order = [i for at in range(start, end) if at not in gone for i in (at, *moved.get(at, ()))]
    out[start:end] = [out[i] for i in order]


def unequal_together(statements: tuple[Statement, ...], at: int) -> int:
    """How many statements from `at` on are one comparison by `!=` of neighbouring fields. nft joins them, and then asks
    whether all of them together differ: one that differs is enough, though each is written as a question of its own."""
    end = total = count = 0
    layer = ""
    for s in statements[at:]:
        if not (
            isinstance(s, Match) and s.op == "!=" and isinstance(s.left, Field) and isinstance(s.right, tuple)
        ):
            break
        place, row = PLACES.get(s.left.name), s.left.row
        if place is None or isinstance(s.right[0], tuple) or (count and row.layer != layer):
            break
        if (count and place[0] != end) or total + place[1] > 4:
            break
        end, total, count, layer = place[0] + place[1], total + place[1], count + 1, row.layer
    return count


def refuses_tcp(statements: list[Statement]) -> bool:
    """Is there a `reject with tcp reset` before which nothing asks for TCP? nft puts the question at the rule's
    beginning."""
    for statement in statements:
        if known_by(statement) == ("transport", "tcp"):
            return False
        if any(row.layer == "transport" and row.proto == "tcp" for row in statement.fields()):
            return False
        if isinstance(statement, Reject) and statement.kind == "tcp":
            return True
    return False


def refuses_ipv4(statements: list[Statement]) -> bool:
    """Is there a `reject with icmp ...` in an inet table before which nothing asks for IPv4?"""
    for statement in statements:
        if known_by(statement) == ("network", "ip"):
            return False
        if any(row.layer == "network" or row.proto == "icmp" for row in statement.fields()):
            return False
        if isinstance(statement, Reject) and statement.kind == "icmp":
            return True
    return False


def listed(statements: list[Statement], family: str) -> tuple[Statement, ...]:
    """The statements as `nft list` prints them."""
    form = Listed(family)
    if refuses_tcp(statements):
        statements = [Match(left=Field(name="meta l4proto"), right=(6,)), *statements]
    if family != "ip" and refuses_ipv4(statements):
        statements = [Match(left=Field(name="meta nfproto"), right=(2,)), *statements]
    for statement in named(joined(named(statements, family)), family):
        form.add(statement)
    return form.statements()
