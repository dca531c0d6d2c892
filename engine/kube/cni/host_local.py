"""The host-local IPAM plugin: addresses from ranges, its state in files on the node.

Theory. The folder /var/lib/cni/networks/NETWORK holds one file per address in use, with the container's id and
the interface in it, and `last_reserved_ip.N` per range set; the search starts behind the last reserved address
and goes round. Nobody collects a file whose container is gone without a DEL. The gateway (by default the first
address) and the broadcast address are never given out. Source: plugins/ipam/host-local; facts 10 section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import InputError, NotModelled
from engine.kube.cni.call import Call, CniError
from engine.kube.objects import Json
from engine.linux.addr import Prefix, ip4, text4
from engine.linux.ops.box import RemoveFile, WriteFile
from engine.record import dataclass

DATA_DIR = "/var/lib/cni/networks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """One range of a set, with its defaults filled in."""

    subnet: Prefix
    start: int
    end: int
    gateway: int


def add(call: Call) -> Json:
    """ADD: reserve one address of every range set. Returns the IPAM result."""
    sets, routes, folder = read(call)
    lock(call, folder)
    ips: list[Json] = []
    for index, ranges in enumerate(sets):
        try:
            address, chosen = allocate(call, index, ranges, folder)
        except CniError as error:
            release(call, folder)
            raise CniError(f"failed to allocate for range {index}: {error.msg}") from None
        ips.append({"address": f"{text4(address)}/{chosen.subnet.length}", "gateway": text4(chosen.gateway)})
    return {"ips": ips, "routes": routes, "dns": {}}


def delete(call: Call) -> None:
    """DEL: free what this container and interface hold."""
    _, _, folder = read(call)
    lock(call, folder)
    release(call, folder)


def lock(call: Call, folder: str) -> None:
    """The store's lock file, made when the store is first opened."""
    if f"{folder}/lock" not in call.changes.net.boxes[call.box].files:
        call.changes.do(WriteFile(box=call.box, path=f"{folder}/lock", text=""))


def read(call: Call) -> tuple[list[list[Range]], list[Json], str]:
    """The ipam section: range sets, routes, data folder. CniError with the plugin's text."""
    ipam = call.conf.get("ipam")
    if not isinstance(ipam, dict):
        raise CniError("IPAM config missing 'ipam' key")
    if ipam.get("resolvConf"):
        raise NotModelled('the key "resolvConf" of the CNI plugin host-local')
    raw = ipam.get("ranges") or []
    if ipam.get("subnet"):
        raw = [
            [{k: v for k, v in ipam.items() if k in ("subnet", "rangeStart", "rangeEnd", "gateway")}],
            *raw,
        ]
    if not raw:
        raise CniError("no IP ranges specified")
    sets = [[_range(r) for r in ranges] for ranges in raw]
    for at, ranges in enumerate(sets):
        for other in sets[at + 1 :]:
            if any(a.start <= b.end and b.start <= a.end for a in ranges for b in other):
                raise CniError(f"range set {at} overlaps with {sets.index(other)}")
    routes = [dict(r) for r in ipam.get("routes") or []]
    folder = f"{str(ipam.get('dataDir') or DATA_DIR).rstrip('/')}/{call.network}"
    return sets, routes, folder


def _range(raw: Json) -> Range:
    try:
        subnet = Prefix.parse(str(raw.get("subnet", "")))
        if subnet.length > 30:
            raise CniError(f"invalid range set 0: Network {subnet} too small to allocate from")
        given = str(raw["subnet"])
        if str(subnet) != given:
            raise CniError(
                "invalid range set 0: Network has host bits set. For a subnet mask of length "
                f"{subnet.length} the network address is {text4(subnet.addr)}"
            )
        gateway = ip4(str(raw["gateway"])) if raw.get("gateway") else subnet.addr + 1
        start = ip4(str(raw["rangeStart"])) if raw.get("rangeStart") else subnet.addr + 1
        end = ip4(str(raw["rangeEnd"])) if raw.get("rangeEnd") else subnet.broadcast - 1
    except InputError as error:
        raise CniError(f"invalid CIDR address: {raw.get('subnet')}") from error
    for word, value in (("RangeStart", start), ("RangeEnd", end)):
        if value not in subnet:
            raise CniError(f"invalid range set 0: {word} {text4(value)} not in network {subnet}")
    return Range(subnet=subnet, start=start, end=end, gateway=gateway)


def reserved(call: Call, folder: str) -> dict[int, str]:
    """Addresses with a file, and what the file holds."""
    out: dict[int, str] = {}
    head = folder + "/"
    for path, text in call.changes.net.boxes[call.box].files.items():
        if path.startswith(head):
            try:
                out[ip4(path[len(head) :])] = text
            except InputError:
                continue
    return out


def owner(call: Call) -> str:
    """What the plugin writes into an address file."""
    return f"{call.container}\r\n{call.ifname}"


def allocate(call: Call, index: int, ranges: list[Range], folder: str) -> tuple[int, Range]:
    """Reserve the next free address of one range set."""
    taken = reserved(call, folder)
    for address, text in taken.items():
        if text.strip() == owner(call) and any(r.start <= address <= r.end for r in ranges):
            raise CniError(
                f"{text4(address)} has been allocated to {call.container}, duplicate allocation is not allowed"
            )
    for address, chosen in search(call, index, ranges, folder):
        if address == chosen.gateway or address in taken:
            continue
        call.changes.do(WriteFile(box=call.box, path=f"{folder}/{text4(address)}", text=owner(call)))
        call.changes.do(
            WriteFile(box=call.box, path=f"{folder}/last_reserved_ip.{index}", text=text4(address))
        )
        return address, chosen
    spans = ",".join(f"{text4(r.start)}-{text4(r.end)}" for r in ranges)
    raise CniError(f"no IP addresses available in range set: {spans}")


def search(call: Call, index: int, ranges: list[Range], folder: str) -> Iterator[tuple[int, Range]]:
    """Every address of a set once, from the one behind the last reserved on and round (allocator.GetIter)."""
    flat_at, start = 0, ranges[0].start
    text = call.changes.net.boxes[call.box].files.get(f"{folder}/last_reserved_ip.{index}", "")
    try:
        last = ip4(text.strip())
    except (InputError, NotModelled):
        last = 0
    for at, one in enumerate(ranges):
        if one.start <= last <= one.end:
            flat_at, start = at, last + 1
            if start > one.end:
                flat_at = (at + 1) % len(ranges)
                start = ranges[flat_at].start
    order = ranges[flat_at:] + ranges[:flat_at]
    for address in range(start, order[0].end + 1):
        yield address, order[0]
    for one in order[1:]:
        for address in range(one.start, one.end + 1):
            yield address, one
    for address in range(order[0].start, start):
        yield address, order[0]


def release(call: Call, folder: str) -> None:
    for address, text in reserved(call, folder).items():
        if text.strip() == owner(call):
            call.changes.do(RemoveFile(box=call.box, path=f"{folder}/{text4(address)}"))
