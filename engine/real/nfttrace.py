"""What nft's own trace says about a packet: every rule that matched, in one stream with the device hops.

Theory. `meta nftrace set 1` makes the kernel send, to netlink group NFNLGRP_NFTRACE, one message for each rule that a
packet matched and one for each policy, with table, chain, handle and verdict. The tap's chains at the devices set the
mark, so that they stand in the same stream; the bytes of a packet at a device are in the NFLOG stream, in the same
order. Only the first message of a base chain carries headers, and no more than 20 bytes behind the IP header. Source:
net/netfilter/nf_tables_trace.c.

Rules. Standard library only: this runs in the worker. `# handle N` behind a rule of `nft -a list ruleset` gives its
number in its chain.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.real.netlink import NETLINK_NETFILTER, attributes, header, messages

SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTRACE = 270, 1, 9
NFT_MSG_TRACE = (10 << 8) | 17
TABLE, CHAIN, HANDLE, TYPE, VERDICT, ID, NETWORK, TRANSPORT, MARK, POLICY = 1, 2, 3, 4, 5, 6, 8, 9, 14, 16
POLICY_TYPE = 1
FAMILIES = {1: "inet", 2: "ip", 5: "netdev"}
VERDICTS = {0: "drop", 1: "accept", 2: "stolen", -1: "continue", -3: "jump", -4: "goto", -5: "return"}
#: the table that makes packets of this host traced; it stands first at OUTPUT, and changes nothing
TAP = "rktap"
TAP_TEXT = (
    f"table ip {TAP} {{ chain out {{ type filter hook output priority -450; meta nftrace set 1; }}\n"
    " chain in { type filter hook prerouting priority -450; meta nftrace set 1; }\n}\n"
)


def open_trace() -> socket.socket:
    """A non-blocking socket of the current namespace that hears every traced packet."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    sock.bind((0, 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTRACE)
    sock.setblocking(False)
    return sock


def numbers(listing: str) -> dict[tuple[str, str, int], tuple[str, int]]:
    """`nft -a list ruleset` as (family table, chain, handle) -> (chain, the rule's number)."""
    out: dict[tuple[str, str, int], tuple[str, int]] = {}
    table = chain = ""
    count = 0
    for line in listing.splitlines():
        if found := re.match(r"table (\S+ \S+) \{", line):
            table = found[1]
        elif found := re.match(r"\tchain (\S+) \{", line):
            chain, count = found[1], 0
        elif line.startswith("\t\t") and (found := re.search(r" # handle (\d+)$", line)):
            count += 1
            out[table, chain, int(found[1])] = (chain, count)
    return out


def verdict_text(data: bytes) -> str:
    found = dict(attributes(data))
    code = struct.unpack(">i", found[1])[0]
    chain = found[2][:-1].decode() if 2 in found else ""
    return " ".join(w for w in (VERDICTS.get(code, str(code)), chain) if w)


def read_trace(sock: socket.socket) -> Iterator[dict[str, Any]]:
    """All that waits, oldest first: {"family", "table", "chain", "handle", "policy", "verdict", "id", "mark",
    "header"}."""
    while True:
        try:
            data = sock.recv(1 << 18)
        except BlockingIOError:
            return
        for kind, body in messages(data):
            if kind != NFT_MSG_TRACE:
                continue
            found = dict(attributes(body[4:]))
            packet = found.get(NETWORK, b"")[:20] + found.get(TRANSPORT, b"")
            yield {
                "family": FAMILIES.get(body[0], str(body[0])), "table": found[TABLE][:-1].decode(),
                "chain": found[CHAIN][:-1].decode() if CHAIN in found else "",
                "handle": struct.unpack(">Q", found[HANDLE])[0] if HANDLE in found else 0,
                "policy": struct.unpack(">I", found[TYPE])[0] == POLICY_TYPE,
                "verdict": verdict_text(found[VERDICT]) if VERDICT in found else "",
                "id": struct.unpack(">I", found[ID])[0],
                "mark": struct.unpack(">I", found[MARK])[0] if MARK in found else 0,
                "header": header(packet) if NETWORK in found else {},
            }  # fmt: skip


def merged(
    trace: Iterable[Mapping[str, Any]],
    log: Iterable[Mapping[str, Any]],
    rules: Mapping[tuple[str, str, int], tuple[str, int]],
) -> list[dict[str, Any]]:
    """Both streams as one, in the form of NFLOG's events: `NFT:rule:FAMILY TABLE:CHAIN:NUMBER`, `NFT:policy:...`, and
    the device hops with their bytes where the trace has them."""
    hops = iter([dict(event) for event in log])
    out: list[tuple[int, dict[str, Any]]] = []
    headers: dict[int, dict[str, Any]] = {}
    for event in trace:
        id = event["id"]
        if event["family"] == "netdev":
            if event["handle"] and event["verdict"] == "continue":
                hop = next(hops, None)
                if hop is not None:
                    out.append((id, hop))
            continue
        if event["header"]:
            headers[id] = dict(event["header"])
        if event["table"] == TAP:
            out.append((id, {}))
            continue
        table = f"{event['family']} {event['table']}"
        if event["policy"]:
            word = f"NFT:policy:{table}:{event['chain']}:0"
        elif (table, event["chain"], event["handle"]) in rules:
            word = f"NFT:rule:{table}:{event['chain']}:{rules[table, event['chain'], event['handle']][1]}"
        else:
            continue
        row = {
            "prefix": word, "mark": event["mark"], "header": headers.get(id, {}), "verdict": event["verdict"],
            "hook": "", "iif": "", "oif": "", "physin": "", "physout": "",
        }  # fmt: skip
        at = len(out)
        if event["verdict"] == "drop" and not event["policy"]:
            # A rule that rejects is told of when it is done, so behind all that its answer met.
            at = next((i + 1 for i in reversed(range(len(out))) if out[i][0] == id), at)
        out.insert(at, (id, row))
    return [*(row for _, row in out if row), *hops]
