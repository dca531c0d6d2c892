"""How `nft list` prints: a table with its objects, sets and chains, or one of them.

Rules. To the character as nftables 1.0.6 prints, held by goldens of the real tool. `-a` adds handles, `-s` leaves
counts out, `-t` leaves elements out. Sources: rule.c, statement.c, expression.c of nftables 1.0.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from engine.linux.nft.run import base_text
from engine.linux.nft.sets import NftSet, elements_text
from engine.linux.nft.tables import Chain, Object, Table
from engine.linux.nft.types import Numeric, rate_text, time_text
from engine.record import dataclass

FLAG_ORDER = ("constant", "dynamic", "interval", "timeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """`names` devices by index; `now` the virtual clock."""

    handles: bool = False
    stateless: bool = False
    terse: bool = False
    names: Mapping[int, str] = field(default_factory=dict)
    now: float = 0.0


def handle_text(style: Style, handle: int) -> str:
    return f" # handle {handle}" if style.handles else ""


def table_text(table: Table, style: Style, *, objects: bool = True) -> str:
    """`table ip NAME { ... }`."""
    out = f"table {table.family} {table.name} {{{handle_text(style, table.handle)}\n"
    out += "\tflags dormant\n" if table.dormant else ""
    out += f'\tcomment "{table.comment}"\n' if table.comment else ""
    parts: list[str] = []
    parts += [object_text(o, table.cells.get(key), style) for key, o in table.objects.items()]
    parts += [set_text(s, style) for s in table.sets.values()]
    parts += [chain_text(c, table.family, style) for c in table.chains.values()]
    return out + ("\n" if table.dormant and parts else "") + "\n".join(parts) + "}\n"


def object_text(o: Object, cell: tuple[int, ...] | None, style: Style) -> str:
    out = f"\t{o.kind} {o.name} {{{handle_text(style, o.handle)}\n"
    out += f'\t\tcomment "{o.comment}"\n' if o.comment else ""
    if o.kind == "counter":
        packets, size = cell or (0, 0)
        out += "" if style.stateless else f"\t\tpackets {packets} bytes {size}\n"
    elif o.kind == "quota":
        number, word = rate_text(o.spec.limit)
        out += f"\t\t{'over ' if o.spec.over else ''}{number} {word}"
        if cell and cell[0] and not style.stateless:
            number, word = rate_text(min(cell[0], o.spec.limit))
            out += f" used {number} {word}"
        out += "\n"
    else:
        out += f"\t\t{o.spec.text({}).removeprefix('limit ')}\n"
    return out + "\t}\n"


def set_text(s: NftSet, style: Style) -> str:
    """A set or a map with its elements."""
    out = f"\t{'map' if s.is_map else 'set'} {s.name} {{{handle_text(style, s.handle)}\n"
    if s.typeof:
        shown = f"typeof {s.typeof}"
    else:
        shown = "type " + " . ".join(t.name for t in s.keys)
        if s.kind == "verdict":
            shown += " : verdict"
        elif s.kind == "object":
            shown += f" : {s.object_kind}"
        elif s.kind == "value":
            shown += " : " + " . ".join(t.name for t in s.data)
    out += f"\t\t{shown}\n"
    if "constant" not in s.flags:
        out += "\t\tpolicy memory\n" if s.policy == "memory" else ""
        out += f"\t\tsize {s.size}\n" if s.size else ""
    if s.flags - ({"timeout"} if s.timeout else set()):
        out += f"\t\tflags {','.join(f for f in FLAG_ORDER if f in s.flags)}\n"
    out += "\t\tcounter\n" if s.counter else ""
    out += "\t\tauto-merge\n" if s.auto_merge else ""
    out += f"\t\ttimeout {time_text(s.timeout, style.names)}\n" if s.timeout else ""
    out += f"\t\tgc-interval {time_text(s.gc_interval, style.names)}\n" if s.gc_interval else ""
    out += f'\t\tcomment "{s.comment}"\n' if s.comment else ""
    if not style.terse and s.alive(style.now):
        out += f"\t\telements = {elements_text(s, style.now, stateless=style.stateless, names=style.names)}\n"
    return out + "\t}\n"


def chain_text(chain: Chain, family: str, style: Style) -> str:
    out = f"\tchain {chain.name} {{{handle_text(style, chain.handle)}\n"
    out += f'\t\tcomment "{chain.comment}"\n' if chain.comment else ""
    if chain.base is not None:
        out += f"\t\t{base_text(chain, family, numeric=isinstance(style.names, Numeric))}\n"
    for rule in chain.rules:
        line = rule.text(style.names, chain.cells, stateless=style.stateless, handle=style.handles)
        out += f"\t\t{line}\n"
    return out + "\t}\n"
