"""calico-ipam: addresses from blocks of 64, each of which has an affinity to one node.

Theory. A node that needs an address takes the first free ordinal of a block that is its own; a full node claims the
next free block; when the pool has none left it borrows an address of another node's block. What is free stands in the
order in which it came back: a released address goes to the end of the queue. The objects are the datastore's own:
IPAMBlock, named by its range, with one handle per use. Where a node's search for a block begins is drawn from its
name (an FNV hash of the name seeds Go's generator there and a SHA-256 here).

Rules. Works on the store, never on a kernel. An error is the plugin's text. Source: libcalico-go/lib/ipam
(ipam.go, ipam_block.go, ipam_block_reader_writer.go).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator

from engine.errors import EngineError
from engine.kube.cni.calico_conf import BLOCK
from engine.kube.cni.call import CniError
from engine.kube.objects import Json, edited, name_of, spec_of
from engine.kube.store import Store
from engine.linux.addr import Prefix, ip4, text4

KIND = "IPAMBlock"


def blocks(store: Store) -> list[Json]:
    """Every block, by its range."""
    return sorted(store.list(KIND), key=lambda b: cidr(b).addr)


def cidr(block: Json) -> Prefix:
    return Prefix.parse(str(spec_of(block)["cidr"]))


def owner(block: Json) -> str:
    """The node that a block belongs to."""
    return str(spec_of(block)["affinity"]).removeprefix("host:")


def used(block: Json) -> Iterator[tuple[int, str, Json]]:
    """(address, handle, attributes) of every address in use."""
    spec, base = spec_of(block), cidr(block).addr
    for ordinal, at in enumerate(spec["allocations"]):
        if at is not None:
            row = spec["attributes"][at]
            yield base + ordinal, str(row["handle_id"]), row["secondary"]


def assign(store: Store, node: str, pool: Prefix, handle: str, why: Json, clock: float) -> int:
    """The next free address for a node. CniError when the pool has none left."""
    for block in blocks(store):
        if owner(block) == node and spec_of(block)["unallocated"]:
            return _take(store, block, int(spec_of(block)["unallocated"][0]), handle, why)
    known = {cidr(b).addr for b in blocks(store)}
    for range_ in search(node, pool):
        if range_.addr not in known:
            return _take(store, _claim(store, range_, node, clock), 0, handle, why)
    for block in blocks(store):
        if spec_of(block)["unallocated"]:
            return _take(store, block, int(spec_of(block)["unallocated"][0]), handle, why)
    raise CniError("failed to request IPv4 addresses. Assigned 0 out of 1 requested IPv4 addresses")


def assign_fixed(
    store: Store, node: str, pool: Prefix, address: int, handle: str, why: Json, clock: float
) -> int:
    """One wanted address. CniError when it lies outside the pool or is taken."""
    wrap = "error getting IP from IPAM: "
    if address not in pool:
        raise CniError(f"{wrap}The provided IP address is not in a configured pool\n")
    range_ = Prefix(address, max(BLOCK, pool.length)).network
    block = next((b for b in blocks(store) if cidr(b) == range_), None) or _claim(store, range_, node, clock)
    ordinal = address - range_.addr
    if spec_of(block)["allocations"][ordinal] is not None:
        taken = "resource already exists: {} with error: Address already assigned in block"
        raise CniError(wrap + taken.format(text4(address)))
    return _take(store, block, ordinal, handle, why)


def release(store: Store, handle: str) -> None:
    """Free everything that a handle holds."""
    for block in blocks(store):
        spec = spec_of(block)
        at = [n for n, row in enumerate(spec["attributes"]) if row["handle_id"] == handle]
        if not at:
            continue
        new = edited(block)
        kept = [n for n in range(len(spec["attributes"])) if n not in at]
        freed = [o for o, n in enumerate(spec["allocations"]) if n in at]
        new["spec"]["allocations"] = [
            None if n is None or n in at else kept.index(n) for n in spec["allocations"]
        ]
        new["spec"]["attributes"] = [spec["attributes"][n] for n in kept]
        new["spec"]["unallocated"] = [*spec["unallocated"], *freed]
        store.update(new)


def held(store: Store, handle: str) -> int:
    """The address that a handle holds, 0 for none."""
    return next((a for b in blocks(store) for a, h, _ in used(b) if h == handle), 0)


def search(node: str, pool: Prefix) -> Iterator[Prefix]:
    """The pool's ranges of one block each, from the node's own beginning on and round."""
    length = max(BLOCK, pool.length)
    step = 1 << (32 - length)
    count = (1 << (32 - pool.length)) // step
    seed = fnv32(node.encode()).to_bytes(4)
    begin = int.from_bytes(hashlib.sha256(seed).digest()[:8]) % count
    for at in range(count):
        yield Prefix(pool.addr + (begin + at) % count * step, length)


def fnv32(data: Iterable[int]) -> int:
    """FNV-1, 32 bits."""
    value = 0x811C9DC5
    for byte in data:
        value = (value * 0x01000193 & 0xFFFFFFFF) ^ byte
    return value


def _claim(store: Store, range_: Prefix, node: str, clock: float) -> Json:
    body: Json = {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": KIND,
        "metadata": {"name": f"{text4(range_.addr).replace('.', '-')}-{range_.length}"},
        "spec": {
            "affinity": f"host:{node}", "allocations": [None] * (1 << (32 - range_.length)), "attributes": [],
            "cidr": str(range_), "strictAffinity": False, "unallocated": list(range(1 << (32 - range_.length))),
        },
    }  # fmt: skip
    return store.create(body, clock)


def _take(store: Store, block: Json, ordinal: int, handle: str, why: Json) -> int:
    def put(new: Json) -> None:
        spec = new["spec"]
        spec["unallocated"].remove(ordinal)
        spec["allocations"][ordinal] = len(spec["attributes"])
        spec["attributes"].append({"handle_id": handle, "secondary": why})

    store.change(KIND, "", name_of(block), put)
    return cidr(block).addr + ordinal


def wanted(text: str) -> int:
    """The address that `cni.projectcalico.org/ipAddrs` asks for. CniError with the plugin's words."""
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise CniError(f"failed to parse '{text}' as JSON: {error}") from None
    if not isinstance(rows, list) or not rows:
        raise CniError(f'annotation "cni.projectcalico.org/ipAddrs" specified but empty: {text}')
    try:
        return ip4(str(rows[0]))
    except EngineError:
        raise CniError(f"failed to parse IP {rows[0]}") from None
