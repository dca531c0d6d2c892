"""Ops on the forwarding table of a VXLAN device (`bridge fdb ... self`).

Rules. `add` refuses an entry that is there; `replace` changes a unicast entry and refuses to change another; `append`
adds a remote, but only to a multicast MAC or to the entry of zeros: for another MAC it changes no remote and says
nothing. Measured on Linux 6.18; source: drivers/net/vxlan/vxlan_core.c (vxlan_fdb_update).
"""

from __future__ import annotations

from engine.errors import OpError
from engine.linux.linkinfo import Vxlan
from engine.linux.net import Net, Netns
from engine.linux.ops.address import need_device
from engine.linux.ops.base import Op, handles
from engine.linux.rows import Link, Remote, VxlanFdb
from engine.record import dataclass, replace

NO_ENTRY = "RTNETLINK answers: No such file or directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetVxlanFdb(Op):
    """`bridge fdb add|append|replace|del MAC dev DEVICE dst ...`. `mode` is one of these words; `state` permanent,
    static or "" (dynamic); `remote` None for a `del` of the whole entry. `vni` is src_vni."""

    netns: str
    device: str
    mac: int
    remote: Remote | None = None
    mode: str = "add"
    state: str = "permanent"
    vni: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushVxlanFdb(Op):
    """`bridge fdb flush dev DEVICE self`: every entry goes; with `states` only those in one of them."""

    netns: str
    device: str
    states: tuple[str, ...] = ()


def vxlan_of(ns: Netns, name: str) -> tuple[Link, Vxlan]:
    link = need_device(ns, name)
    if not isinstance(link.info, Vxlan):
        raise OpError("EOPNOTSUPP", "RTNETLINK answers: Operation not supported")
    return link, link.info


@handles(SetVxlanFdb)
def _set_vxlan_fdb(net: Net, op: SetVxlanFdb) -> None:
    ns = net.spaces[op.netns]
    link, info = vxlan_of(ns, op.device)
    key = (link.ifindex, op.mac, (op.vni or info.vni) if info.external else 0)
    row = ns.vxlan_fdb.get(key)
    remote = settled(info, op.remote)
    if op.mode == "del":
        delete(ns, key, row, remote)
        return
    if remote is None:
        raise OpError("EINVAL", "RTNETLINK answers: Invalid argument")
    many = not op.mac or bool(op.mac >> 40 & 1)
    states = {"permanent": op.state == "permanent", "static": op.state == "static"}
    if row is None:
        fresh = VxlanFdb(
            ifindex=link.ifindex, mac=op.mac, remotes=(remote,), since=net.clock, vni=key[2], **states
        )
        ns.vxlan_fdb[key] = fresh
        return
    if op.mode == "add":
        raise OpError("EEXIST", "RTNETLINK answers: File exists")
    if op.mode == "replace" and many:
        raise OpError("EOPNOTSUPP", "Error: Cannot replace non-unicast fdb entries.")
    remotes = row.remotes
    if op.mode == "replace" and remote not in remotes:
        remotes = (remote, *remotes[1:])
    if op.mode == "append" and many and remote not in remotes:
        remotes = (*remotes, remote)
    ns.vxlan_fdb[key] = replace(row, remotes=remotes, since=net.clock, **states)


def settled(info: Vxlan, remote: Remote | None) -> Remote | None:
    """A remote's port and VNI that are the device's own are not kept apart from it."""
    if remote is None:
        return None
    return replace(
        remote, port=0 if remote.port == info.port else remote.port, vni=0 if remote.vni == info.vni else remote.vni
    )  # fmt: skip


def delete(ns: Netns, key: tuple[int, int, int], row: VxlanFdb | None, remote: Remote | None) -> None:
    if row is None:
        raise OpError("ENOENT", NO_ENTRY)
    if remote is None or not remote.dst:
        del ns.vxlan_fdb[key]
        return
    if remote not in row.remotes:
        return  # vxlan_fdb_delete finds nothing to delete and says nothing
    left = tuple(one for one in row.remotes if one != remote)
    if left:
        ns.vxlan_fdb[key] = replace(row, remotes=left)
    else:
        del ns.vxlan_fdb[key]


@handles(FlushVxlanFdb)
def _flush_vxlan_fdb(net: Net, op: FlushVxlanFdb) -> None:
    ns = net.spaces[op.netns]
    link, _ = vxlan_of(ns, op.device)
    for key, row in list(ns.vxlan_fdb.items()):
        state = "permanent" if row.permanent else "static" if row.static else ""
        if key[0] == link.ifindex and (not op.states or state in op.states):
            del ns.vxlan_fdb[key]
