"""One flow in the words that both sides share: per namespace, a list of device hops and rules in order.

Rules. A record is (namespace, what, header): what is `in DEV`, `out DEV`, `table:CHAIN#N` or `table:CHAIN policy`.
What cannot agree by nature is left out on both sides: ARP, IP ids, sequence numbers, the TRACE rules themselves,
the end of a user chain. Ports that a kernel chose are on the tape (tape.py). See docs/lab-notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.linux.addr import text4
from engine.linux.journey import Journey, Leg, Outcome, Step, StepKind, Walk
from engine.linux.net import Net
from engine.linux.packet import Icmp, Packet, Sctp, Tcp, Udp
from engine.linux.walk import words
from engine.record import dataclass

IGMP = 2
DEVICE = {StepKind.TRANSMIT: "out", StepKind.RECEIVE: "in"}


@dataclass(frozen=True, slots=True)
class Record:
    """`header` is a sorted tuple of (field, value); `mark` is compared where rules set marks."""

    what: str
    header: tuple[tuple[str, Any], ...]

    def text(self) -> str:
        h = dict(self.header)
        ports = f"{h.get('src')}:{h.get('sport', '')} > {h.get('dst')}:{h.get('dport', '')}"
        extra = (
            f" [{h['flags']}]" if "flags" in h else f" type {h['type']}/{h['code']}" if "type" in h else ""
        )
        return f"{self.what:<34} {ports}{extra} ttl {h.get('ttl')}"


def packet_header(packet: Packet) -> dict[str, Any]:
    """The same fields as netlink.header reads from bytes."""
    ip, l4 = packet.ip, packet.l4
    out: dict[str, Any] = {"proto": int(ip.proto), "src": text4(ip.src), "dst": text4(ip.dst), "ttl": ip.ttl}
    if ip.is_fragment:
        out["fragment"] = f"{ip.offset}+{packet.ip_length()}{'+' if ip.mf else ''}"
    if isinstance(l4, Tcp | Udp | Sctp):
        out["sport"], out["dport"] = l4.sport, l4.dport
    if isinstance(l4, Tcp):
        out["flags"] = "".join(c for c in "FSRPA" if c in l4.flags)
    if isinstance(l4, Icmp):
        out["type"], out["code"] = l4.type, l4.code
        if l4.type in (0, 8):
            out["id"] = l4.ident
        elif l4.quoted is not None:
            out["quoted"] = {k: v for k, v in packet_header(l4.quoted).items() if k != "flags"}
    return out


def freeze(header: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((k, freeze(v) if isinstance(v, dict) else v) for k, v in header.items()))


def model_records(walks: Iterable[Walk]) -> dict[str, list[Record]]:
    """netns id -> records of these walks in order."""
    out: dict[str, list[Record]] = {}
    for walk in walks:
        for step in walk.steps():
            what = step_word(step)
            packet = step.before
            if what and packet is not None and packet.has_ip:
                header = packet_header(packet)
                if " " in step.table and step.kind is StepKind.RULE and step.after is not None:
                    header = packet_header(step.after)  # nft tells of a rule when it is done
                if " " in step.table and step.kind in (StepKind.RULE, StepKind.POLICY):
                    header.pop("quoted", None)  # a trace of nft holds 20 bytes behind the IP header
                out.setdefault(step.place.netns, []).append(Record(what, freeze(header)))
            for id, copies in model_records(step.copies).items():
                out.setdefault(id, []).extend(copies)
    return out


def flooded(walks: Iterable[Walk]) -> bool:
    """Did a bridge send IP packets out of several ports? Their copies have no order that could be compared."""
    return any(
        step.before is not None and step.before.has_ip
        for walk in walks for step in walk.steps() if step.copies
    )  # fmt: skip


def step_word(step: Step) -> str:
    if step.kind in DEVICE and step.place.device != "lo":
        return f"{DEVICE[step.kind]} {step.place.device}"
    if step.kind is StepKind.DROP and step.why is not None and step.why.phrase is words.NO_CARRIER:
        return f"out {step.place.device}"  # the log stands before the queue, which throws it away
    if step.kind is StepKind.RULE:
        return f"{step.table}:{step.chain}#{step.number}"
    if step.kind is StepKind.POLICY:
        return f"{step.table}:{step.chain} policy"
    return ""


def compared_walks(leg: Leg) -> list[Walk]:
    """What the worker's socket does too: the way there, the way back, and the handshake's last packet. The error about
    an unresolved neighbour comes after three seconds, when the worker listens no more; errors about missing routes
    come from a budget that the kernel keeps per peer (ip_error), so both are compared on their own."""
    if leg.forward.outcome in (Outcome.UNRESOLVED_NEIGHBOUR, Outcome.NO_ROUTE):
        return [leg.forward]
    walks = [leg.forward] + ([leg.back] if leg.back is not None else [])
    out = []
    for walk in [*walks, *leg.rest]:
        out.append(walk)
        if walk.outcome is Outcome.UNRESOLVED_NEIGHBOUR:
            break
    return out


def journey_records(journey: Journey) -> dict[str, list[Record]]:
    return model_records(compared_walks(journey.legs[0]))


def kernel_records(
    net: Net, raw: Mapping[str, list[dict[str, Any]]], rules: Mapping[str, Mapping[tuple[str, str], int]]
) -> dict[str, list[Record]]:
    """The worker's stream in the model's words. `rules` is how many rules each chain has in the model."""
    out: dict[str, list[Record]] = {}
    for id, events in raw.items():
        tables = net.spaces[id].xt.tables
        for event in events:
            word = kernel_word(event["prefix"], tables, rules.get(id, {}))
            if word and event["header"] and event["header"]["proto"] != IGMP:
                out.setdefault(id, []).append(Record(word, freeze(event["header"])))
    return out


def kernel_word(
    prefix: str, tables: Mapping[str, Mapping[str, object]], rules: Mapping[tuple[str, str], int]
) -> str:
    """`DEV:in:eth0` or `TRACE: nat:POSTROUTING:rule:1` as the model says it, "" for what is not compared."""
    if prefix.startswith("DEV:"):
        _, way, device = prefix.split(":", 2)
        return f"{way} {device}"
    if prefix.startswith("NFT:"):
        _, kind, table, chain, number = prefix.split(":", 4)
        return f"{table}:{chain} policy" if kind == "policy" else f"{table}:{chain}#{number}"
    if not prefix.startswith("TRACE: "):
        return ""
    table, chain, kind, number = prefix[len("TRACE: ") :].rsplit(":", 3)
    if chain not in tables.get(table, {}):
        return ""
    n = int(number)
    if table == "raw" and chain in ("PREROUTING", "OUTPUT"):
        n -= 1
    if n < 1:
        return ""
    count = rules.get((table, chain), 0)
    if kind == "rule" or n <= count:
        return f"{table}:{chain}#{n}"
    return f"{table}:{chain} policy" if kind == "policy" else ""
