"""The packet's headers before and after, as lines in which every change is marked.

Theory. Encapsulation adds layers in front, so two packets are aligned from the innermost layer outwards; a layer that
only one of them has is new (`+`) or gone (`-`). A changed field reads `old => new` and its line starts with `*`, so
that colour only repeats what the marks say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from course.render.glyphs import Glyphs
from engine.linux.addr import mac_text, text4
from engine.linux.packet import (
    ICMP_WORDS,
    Arp,
    Ethernet,
    Fragment,
    Geneve,
    Icmp,
    IPv4,
    Layer,
    Packet,
    Payload,
    Sctp,
    Tcp,
    Udp,
    Vxlan,
    WireGuard,
)

Span = tuple[str, str]
Line = list[Span]
NAMES: dict[type[Layer], str] = {
    Ethernet: "Ethernet", Arp: "ARP", IPv4: "IPv4", Tcp: "TCP", Udp: "UDP", Sctp: "SCTP", Icmp: "ICMP", Payload: "data",
    Fragment: "fragment", Vxlan: "VXLAN", Geneve: "Geneve", WireGuard: "WireGuard",
}  # fmt: skip
#: A field is (word before it, text); the word "" is none, `->` stands between source and destination.
Field = tuple[str, str]


def fields(layer: Layer) -> list[Field]:
    """What a person wants to see of a layer, in order."""
    if isinstance(layer, Ethernet):
        return [("", mac_text(layer.src)), ("->", mac_text(layer.dst))]
    if isinstance(layer, Arp):
        if layer.op == 1:
            return [("who has", text4(layer.target_ip)), ("tell", text4(layer.sender_ip))]
        return [("", text4(layer.sender_ip)), ("is at", mac_text(layer.sender_mac))]
    if isinstance(layer, IPv4):
        return [("", text4(layer.src)), ("->", text4(layer.dst)), ("ttl", str(layer.ttl))]
    if isinstance(layer, Tcp):
        return [("", str(layer.sport)), ("->", str(layer.dport)), ("", flag_word(layer.flags))]
    if isinstance(layer, Udp):
        return [("", str(layer.sport)), ("->", str(layer.dport))]
    if isinstance(layer, Sctp):
        return [("", str(layer.sport)), ("->", str(layer.dport)), ("", layer.chunk.replace("_", " "))]
    if isinstance(layer, Icmp):
        word = ICMP_WORDS.get((layer.type, layer.code), f"type {layer.type} code {layer.code}")
        out: list[Field] = [("", word)]
        if layer.type in (0, 8):
            out += [("id", str(layer.ident)), ("seq", str(layer.seq))]
        if layer.mtu:
            out.append(("mtu", str(layer.mtu)))
        if layer.quoted is not None and layer.quoted.has_ip:
            inner = layer.quoted.ip
            out.append(("about", f"{text4(inner.src)} > {text4(inner.dst)}"))
        return out
    if isinstance(layer, Vxlan | Geneve):
        return [("vni", str(layer.vni))]
    if isinstance(layer, WireGuard):
        sealed: list[Field] = [("", layer.message)]
        return [*sealed, ("counter", str(layer.counter))] if layer.message == "data" else sealed
    if isinstance(layer, Fragment):
        return [("from byte", str(layer.start)), ("", f"{layer.size} B")]
    first = layer.text.splitlines()[0] if layer.text else ""
    if layer.protocol == "dns":
        first = re.sub(r" #\d+[^|]*?(?= \||$)", "", first)
        question, _, records = first.partition(" | ")
        name = question.split(" ")[-1]
        if records:  # a record of the name that was asked for need not say it again, nor its seconds
            first = f"{question} | " + re.sub(rf"(?:^|(?<= \| )){re.escape(name)} \d+ ", "", records)
    return [("", layer.protocol.upper()), ("", first), ("", f"{layer.size} B")]


def flag_word(flags: str) -> str:
    return {
        "S": "SYN",
        "SA": "SYN ACK",
        "A": "ACK",
        "PA": "PSH ACK",
        "FA": "FIN ACK",
        "R": "RST",
        "RA": "RST ACK",
    }.get(flags, flags)


def paired(before: Packet | None, after: Packet | None) -> Iterator[tuple[Layer | None, Layer | None]]:
    """Layers of the two packets side by side, outermost first."""
    old = list(before.layers) if before is not None else []
    new = list(after.layers) if after is not None else []
    same: list[tuple[Layer | None, Layer | None]] = []
    while old and new:
        if type(old[-1]) is type(new[-1]):
            same.append((old.pop(), new.pop()))
        elif len(new) >= len(old):
            same.append((None, new.pop()))
        else:
            same.append((old.pop(), None))
    outer: list[tuple[Layer | None, Layer | None]] = [(x, None) for x in old] + [(None, x) for x in new]
    yield from outer
    yield from reversed(same)


def header_lines(before: Packet | None, after: Packet | None, glyphs: Glyphs) -> list[Line]:
    """One line a layer: mark, name, fields. Roles: mark, layer, word, value, changed, gone."""
    out: list[Line] = []
    if before is None and after is None:
        return out
    for old, new in paired(before, after if after is not None else before):
        layer = new if new is not None else old
        assert layer is not None
        if isinstance(layer, Payload) and not layer.text and not layer.size:
            continue
        out.append(_line(old, new, layer, glyphs, first=before is None))
    return out


def _line(old: Layer | None, new: Layer | None, layer: Layer, glyphs: Glyphs, first: bool) -> Line:
    was, now = (fields(old) if old is not None else None), (fields(new) if new is not None else None)
    mark = " "
    if was is None and not first:
        mark = "+"
    elif now is None:
        mark = "-"
    elif was is not None and was != now:
        mark = glyphs.changed
    role = {"*": "changed", "+": "changed", "-": "gone"}.get(mark, "layer")
    line: Line = [(mark, role), (" ", ""), (f"{NAMES[type(layer)]:<11}", role if mark != "*" else "layer")]
    shown = now if now is not None else was or []
    for i, (word, value) in enumerate(shown):
        line.append((" ", ""))
        if word:
            line += [(glyphs.arrow if word == "->" else word, "word"), (" ", "")]
        before = was[i][1] if was is not None and now is not None and i < len(was) else value
        if before != value:
            line += [(f"{before} ", "gone"), (f"{glyphs.gives} ", "changed"), (value, "changed")]
        else:
            line.append((value, "gone" if now is None else "changed" if mark == "+" else "value"))
    return line


def plain(lines: Sequence[Line]) -> list[str]:
    """The lines as text."""
    return ["".join(text for text, _ in line).rstrip() for line in lines]
