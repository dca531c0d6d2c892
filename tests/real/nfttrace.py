"""nftables' own trace, decoded: which rule of which chain a packet met, with its number and verdict.

Theory. `meta nftrace set 1` marks a packet; from then on every chain tells the group NFTRACE what it did. A rule is
told by its handle; its number in the chain comes from a dump of the rules. Source: linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from engine.real.netlink import NETLINK_NETFILTER, attributes, messages
from engine.real.nfttrace import open_trace

__all__ = ["Event", "open_trace", "read_trace", "rule_numbers"]

TRACE, GETRULE = (10 << 8) | 17, (10 << 8) | 7
DUMP = 0x301
TABLE, CHAIN, HANDLE, KIND, VERDICT = 1, 2, 3, 4, 5
NETWORK, TRANSPORT, IIF, OIF, MARK, POLICY = 8, 9, 10, 12, 14, 16
KINDS = {1: "policy", 2: "return", 3: "rule"}
WORDS = {
    0: "drop", 1: "accept", 2: "stolen", 3: "queue", -1: "continue", -2: "break", -3: "jump", -4: "goto",
    -5: "return",
}  # fmt: skip


@dataclass(frozen=True)
class Event:
    """One line of a trace. `number` counts the rules of a chain from 1; `packet` is there at a base chain's beginning:
    the IP header and the first bytes behind it."""

    kind: str
    table: str
    chain: str
    number: int
    verdict: str
    mark: int
    iif: str
    oif: str
    packet: bytes


def rule_numbers() -> dict[tuple[str, str, int], int]:
    """(table, chain, handle) -> number, of every rule in the current namespace."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    sock.bind((0, 0))
    sock.send(struct.pack("IHHII", 20, GETRULE, DUMP, 1, 0) + struct.pack("BBH", 0, 0, 0))
    numbers: dict[tuple[str, str, int], int] = {}
    count: dict[tuple[int, str, str], int] = {}
    while True:
        for kind, body in messages(sock.recv(1 << 18)):
            if kind == 3:
                sock.close()
                return numbers
            found = dict(attributes(body[4:]))
            table, chain = found[1][:-1].decode(), found[2][:-1].decode()
            key = (body[0], table, chain)
            count[key] = count.get(key, 0) + 1
            numbers[table, chain, int.from_bytes(found[3], "big")] = count[key]


def verdict(data: bytes) -> str:
    found = dict(attributes(data))
    word = WORDS[struct.unpack(">i", found[1])[0]]
    return f"{word}:{found[2][:-1].decode()}" if 2 in found else word


def read_trace(
    sock: socket.socket, names: dict[int, str], numbers: dict[tuple[str, str, int], int]
) -> Iterator[Event]:
    """All that waits, oldest first. A chain's end, which the kernel tells as a rule without a handle, has the kind end
    here."""
    while True:
        try:
            data = sock.recv(1 << 18)
        except BlockingIOError:
            return
        for kind, body in messages(data):
            if kind != TRACE:
                continue
            found = dict(attributes(body[4:]))

            def number(key: int, found: dict[int, bytes] = found) -> int:
                return int.from_bytes(found.get(key, b""), "big")

            word = KINDS[number(KIND)]
            if word == "rule" and HANDLE not in found:
                word = "end"
            table, chain = found[TABLE][:-1].decode(), found[CHAIN][:-1].decode()
            said = verdict(found[VERDICT]) if VERDICT in found else WORDS[number(POLICY)]
            yield Event(
                kind=word, table=table, chain=chain, number=numbers.get((table, chain, number(HANDLE)), 0),
                verdict=said, mark=number(MARK), iif=names.get(number(IIF), ""), oif=names.get(number(OIF), ""),
                packet=found.get(NETWORK, b"") + found.get(TRANSPORT, b""),
            )  # fmt: skip
