"""The tape: what the kernel chose by chance, found in its own record, played back to the model.

Theory. The kernel runs first. What it chose shows in what it did: a `statistic` rule that matched stands in the trace
of its chain, one that did not is missing there; a NAT port or address is in the connection's reply tuple; a next hop is
the device that the packet left by; a tunnel's source port is in the outer header. The model then asks by name and by
what the choice is about, and gets the kernel's answer; so both must be equal, ports too.

Rules. A choice that the record does not answer is noted in `lacking` and is a difference: nothing is guessed.
What the kernel chose and the model does not ask about shows as a difference of the records themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from engine.linux.addr import ip4
from engine.linux.choose import OfConnection, OfRoute, Seeded
from engine.linux.nft.exprs import Lookup, Numgen
from engine.linux.nft.seen import Seen as NftSeen
from engine.linux.nft.sets import Element, Verdict
from engine.linux.nft.statements import Vmap
from engine.linux.packet import Packet, Proto
from engine.linux.xt.match_more import RandomMatch
from engine.linux.xt.seen import Seen
from engine.linux.xt.tables import HOOKS
from engine.real.records import freeze, packet_header
from engine.record import dataclass

Header = tuple[tuple[str, Any], ...]
#: choices that no record shows and nothing that is compared depends on (a proxy answers at once there: the plan sets
#: proxy_delay to 0)
UNSEEN = ("isn", "proxy delay")


@dataclass(slots=True)
class Traversal:
    """One packet's way through one chain: the rules that matched, and whether it came to the chain's end. `asked` is
    how often the model has asked for each rule: a rule that matched is asked for each of its random matches."""

    hook: str
    header: Header
    hits: list[int] = field(default_factory=list)
    ended: bool = False
    asked: Counter[int] = field(default_factory=Counter)

    def reached(self, number: int) -> bool:
        return self.ended or (bool(self.hits) and self.hits[-1] >= number)


def traversals(
    events: Sequence[Mapping[str, Any]], counts: Mapping[tuple[str, str], int]
) -> dict[tuple[str, str], list[Traversal]]:
    """(table, chain) -> its traversals in order, from one namespace's TRACE events. `counts` is how many rules each
    chain has in the model. A chain is over when the one that called it goes on: a RETURN in it says so nowhere else."""
    out: dict[tuple[str, str], list[Traversal]] = {}
    opened: dict[tuple[str, str], Traversal] = {}
    for event in events:
        read = rule_event(event["prefix"], counts)
        if read is None:
            continue
        table, chain, number, ended = read
        key = (table, chain)
        header = freeze(event["header"])
        one = opened.get(key)
        fresh = one is None or one.header != header or one.hook != event["hook"]
        if one is None or fresh or (one.hits and one.hits[-1] >= number and not ended):
            opened.pop(key, None)
            one = opened[key] = Traversal(hook=event["hook"], header=header)
            out.setdefault(key, []).append(one)
        else:
            within = list(opened)
            for other in within[within.index(key) + 1 :]:
                if other[0] == table:
                    del opened[other]
        if number:
            one.hits.append(number)
        if ended:
            one.ended = True
            del opened[key]
        if chain in HOOKS and ended:
            for other in [k for k in opened if k[0] == table]:
                del opened[other]
    return out


def rule_event(prefix: str, counts: Mapping[tuple[str, str], int]) -> tuple[str, str, int, bool] | None:
    """`TRACE: nat:PREROUTING:rule:2` -> (table, chain, the rule's number or 0, is this the chain's end)."""
    if not prefix.startswith("TRACE: "):
        return None
    table, chain, kind, text = prefix[len("TRACE: ") :].rsplit(":", 3)
    number = int(text)
    if table == "raw" and chain in ("PREROUTING", "OUTPUT"):
        number -= 1
    if number < 1:
        return None
    inside = number <= counts.get((table, chain), 0)
    return table, chain, number if inside else 0, kind != "rule"


class Tape:
    """Plays one flow's choices back. `lacking` names those that the record did not answer, `played` counts the rest.
    `unborn` are those about a connection that never came into the kernel's table: who threw its first packet away
    (a REJECT in INPUT whose RST still meets POSTROUTING) told nobody how it would have been translated. They are
    lacking when the model has such a connection."""

    def __init__(
        self,
        raw: Mapping[str, Sequence[Mapping[str, Any]]],
        connections: Mapping[str, Sequence[Mapping[str, Any]]],
        counts: Mapping[str, Mapping[tuple[str, str], int]],
    ) -> None:
        self.raw, self.connections, self.counts = raw, connections, counts
        self.chains: dict[str, dict[tuple[str, str], list[Traversal]]] = {}
        self.lacking: list[str] = []
        self.unborn: list[tuple[OfConnection, str]] = []
        self.played = 0
        self.ports: dict[tuple[Any, ...], set[int]] = {}
        self.used: set[tuple[str, int]] = set()
        self.unseen = Seeded(1)

    def answer(self, value: int | None, what: str, about: object, other: int) -> int:
        if value is None:
            said = f"{what}: {describe(about)}"
            if isinstance(about, OfConnection) and not self.rows_of(about):
                self.unborn.append((about, said))
            else:
                self.lacking.append(said)
            return other
        self.played += 1
        return value

    # -- what the model asks

    def chance(self, what: str, probability: float, about: object = None) -> bool:
        found = self.rule_matched(about) if isinstance(about, Seen) else None
        return bool(self.answer(None if found is None else int(found), what, about, 0))

    def pick(self, what: str, count: int, about: object = None) -> int:
        value: int | None = None
        if isinstance(about, OfConnection):
            value = self.translated(what, about)
            value = None if value is None else value - about.low
        elif isinstance(about, OfRoute):
            value = self.left_by(about)
        elif isinstance(about, NftSeen):
            value = self.generated(about, count)
        if value is not None and not 0 <= value < count:
            value = None
        return self.answer(value, what, about, 0)

    def number(self, what: str, low: int, high: int, about: object = None) -> int:
        if what in UNSEEN:
            return low if what == "proxy delay" else self.unseen.number(what, low, high)
        value: int | None = None
        if isinstance(about, OfConnection):
            value = self.translated(what, about)
        elif isinstance(about, OfRoute):
            value = self.outer_port(about)
            if value is None:  # the outer packet went nowhere: no record, and so no port to be equal
                return low
        if value is not None and not low <= value <= high:
            value = None
        return self.answer(value, what, about, low)

    # -- where it stands in the record

    def rule_matched(self, seen: Seen) -> bool | None:
        """Did this rule match this packet? None when the kernel never came to it."""
        assert seen.chain is not None
        id, number = seen.ns.id, seen.index + 1
        if id not in self.chains:
            self.chains[id] = traversals(self.raw.get(id, ()), self.counts.get(id, {}))
        header = freeze(packet_header(seen.skb.packet))
        matches = seen.chain.rules[seen.index].matches
        dice = sum(isinstance(m, RandomMatch) for m in matches)
        for one in self.chains[id].get((seen.table, seen.chain.name), ()):
            if one.header != header or one.hook != seen.hook or not one.reached(number):
                continue
            hit = number in one.hits
            if one.asked[number] < (dice if hit else 1):
                one.asked[number] += 1
                return hit
        return None

    def generated(self, seen: NftSeen, count: int) -> int | None:
        """Which number numgen gave: the one whose element has the verdict, or the address, that the kernel went on
        with."""
        number = seen.chain.at(seen.rule) + 1
        word = f"NFT:rule:{seen.family} {seen.table.name}:{seen.chain.name}:{number}"
        header = dict(packet_header(seen.skb.packet))
        header.pop("quoted", None)
        for at, event in enumerate(self.raw.get(seen.ns.id, ())):
            if event["prefix"] == word and (seen.ns.id, at) not in self.used and event["header"] == header:
                self.used.add((seen.ns.id, at))
                return self.number_of(seen, number - 1, count, event["verdict"], at)
        return None

    def sent_on(self, seen: NftSeen, at: int) -> list[tuple[int, int]]:
        """(address, port) to which the packet was going when it was seen next: its source is still what it was."""
        header = packet_header(seen.skb.packet)
        for event in self.raw.get(seen.ns.id, ())[at + 1 :]:
            now = event["header"]
            if all(now.get(k) == header.get(k) for k in ("proto", "src", "sport", "flags")):
                return [(ip4(now["dst"]), int(now.get("dport", 0)))]
        return []

    def number_of(self, seen: NftSeen, index: int, count: int, verdict: str, at: int) -> int | None:
        for statement in seen.chain.rules[index].statements:
            if isinstance(statement, Vmap) and isinstance(statement.of, Numgen):
                offset = statement.of.offset
                for number in range(count):
                    found = statement.source.find(seen, (number + offset,))[1]
                    if (
                        isinstance(found, Element)
                        and isinstance(found.data, Verdict)
                        and found.data.text() == verdict
                    ):
                        return number
            address = getattr(statement, "address", None)
            if isinstance(address, Lookup) and isinstance(address.of, Numgen):
                after = self.sent_on(seen, at)
                for number in range(count):
                    found = address.source.find(seen, (number + address.of.offset,))[1]
                    data = found.data if isinstance(found, Element) else None
                    if isinstance(data, tuple) and any(end[: len(data)] == data for end in after):
                        return number
        return None

    def translated(self, what: str, about: OfConnection) -> int | None:
        """The address or port that the kernel's connection got."""
        for row in self.rows_of(about)[:1]:
            _, _, rsport, _, rdport = row["reply"]
            if what == "nat destination port":
                return int(rsport)
            return int(rsport) if row["orig"][0] == Proto.ICMP else int(rdport)
        return self.left_with(about) if what == "nat port" else None

    def left_with(self, about: OfConnection) -> int | None:
        """The source port (of a ping, the identifier) that rules saw after the translation, when a later one threw the
        packet away and the connection with it: followed from where it came in, by its source as long as its
        destination is translated, then by that."""
        proto, src, sport, dst, dport = about.orig
        own, far = ("id", "type") if proto == Proto.ICMP else ("sport", "dport")
        going = (dst, 8 if proto == Proto.ICMP else dport)
        for event in self.raw.get(about.netns, ()):
            header = event["header"]
            if header.get("proto") != proto or own not in header:
                continue
            there = (ip4(header["dst"]), header[far])
            if header[own] == sport and ip4(header["src"]) == src:
                going = there
            elif header[own] != sport and there == going:
                return int(header[own])
        return None

    def rows_of(self, about: OfConnection) -> list[Mapping[str, Any]]:
        """The kernel's connections that began with this tuple."""
        wanted = list(about.orig)
        return [row for row in self.connections.get(about.netns, ()) if numbers(row["orig"]) == wanted]

    def left_by(self, about: OfRoute) -> int | None:
        """Which of the ways the packet took: the first device out of which it was seen."""
        assert isinstance(about.packet, Packet)
        header = flow_of(packet_header(about.packet))
        devices = [device for device, _ in about.ways]
        for event in self.raw.get(about.netns, ()):
            word, _, device = event["prefix"].rpartition(":")
            if word == "DEV:out" and device in devices and flow_of(event["header"]) == header:
                return devices.index(device)
        return None

    def outer_port(self, about: OfRoute) -> int | None:
        """The source port of the tunnel's own packet: one for each flow inside, which the model asks for once, in the
        order in which the kernel sends them. What NAT made of a port is none."""
        assert isinstance(about.packet, Packet)
        outer = packet_header(about.packet)
        way = (about.netns, outer["proto"], outer["src"], outer["dst"], outer.get("dport"))
        used = self.ports.setdefault(way, set())
        for event in self.raw.get(about.netns, ()):
            header = event["header"]
            same = tuple(header.get(k) for k in ("proto", "src", "dst", "dport")) == way[1:]
            if same and header["sport"] not in used and not event["prefix"].startswith("DEV:in"):
                port = int(header["sport"])
                used.add(port)
                for row in self.connections.get(about.netns, ()):
                    proto, src, sport, dst, dport = row["orig"]
                    if (proto, src, dst, dport, sport) == (*way[1:], port):
                        used.add(row["reply"][4])
                return port
        return None


def numbers(orig: Sequence[Any]) -> list[int]:
    """A connection's tuple with its addresses as numbers."""
    proto, src, sport, dst, dport = orig
    return [proto, ip4(src), sport, ip4(dst), dport]


def flow_of(header: Mapping[str, Any]) -> tuple[Any, ...]:
    """What stays of a packet on its way through POSTROUTING: its destination and its own ports' far end."""
    return tuple(header.get(k) for k in ("proto", "dst", "dport", "flags", "type", "code"))


def describe(about: object) -> str:
    if isinstance(about, Seen):
        chain = about.chain.name if about.chain is not None else "?"
        return f"{about.ns.id} {about.table}:{chain}#{about.index + 1}"
    if isinstance(about, NftSeen):
        return f"{about.ns.id} {about.family} {about.table.name}:{about.chain.name} handle {about.rule}"
    return repr(about) if about is not None else "-"
