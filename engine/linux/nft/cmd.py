"""One command of nft as it was read, before it is carried out.

Rules. A command names things; whether they are there is found out by batch.py. `place` and `places` are for its errors.
"""

from __future__ import annotations

from dataclasses import field

from engine.linux.nft.lexer import Span, Token
from engine.linux.nft.sets import NftSet
from engine.linux.nft.tables import Base, Object
from engine.record import dataclass


@dataclass(slots=True, kw_only=True)
class Cmd:
    """`verb` add, create, delete, destroy, flush, list, insert, replace, reset, rename; `object` table, chain, rule,
    set, map, element, counter, quota, limit, ruleset or a plural. `place` is the whole command, `places` its
    names."""

    verb: str
    object: str
    family: str = "ip"
    table: str = ""
    name: str = ""
    chain: str = ""
    handle: int = 0
    index: int = -1
    after: int = 0
    new_name: str = ""
    base: Base | None = None
    policy: str = ""
    comment: str = ""
    dormant: bool | None = None
    set: NftSet | None = None
    named: Object | None = None
    cell: tuple[int, ...] | None = None
    tokens: list[Token] = field(default_factory=list)
    place: Span = Span(1, 1, 1)
    places: dict[str, Span] = field(default_factory=dict)
