"""What a shell may do: root of a machine everything, root of a container what its capabilities allow.

Rules. The runtime writes a process' capabilities into its configuration (`caps`, names without CAP_, or ALL). Netlink
asks CAP_NET_ADMIN; /proc/sys of a container is read-only unless it is privileged (man capabilities; docker's and
containerd's default OCI specs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import OpError
from engine.linux.ops import (
    AddAddress,
    AddLink,
    AddNetns,
    AddRoute,
    AddRule,
    AddVeth,
    DelAddress,
    DelLink,
    DelNeighbour,
    DelNetns,
    DelRoute,
    DelRule,
    FlushAddresses,
    FlushNeighbours,
    FlushRoutes,
    FlushRules,
    Op,
    SetFdb,
    SetLink,
    SetNeighbour,
)

if TYPE_CHECKING:
    from engine.linux.rows import Box
    from engine.shell.place import Spot

NETLINK = (
    AddAddress, AddLink, AddRoute, AddRule, AddVeth, DelAddress, DelLink, DelNeighbour, DelRoute, DelRule,
    FlushAddresses, FlushNeighbours, FlushRoutes, FlushRules, SetFdb, SetLink, SetNeighbour,
)  # fmt: skip
MOUNTS = (AddNetns, DelNetns)


def has(box: Box, spot: Spot, capability: str) -> bool:
    """Has the shell this capability (a name without CAP_)?"""
    if not spot.contained:
        return True
    proc = box.procs.get(spot.pid)
    caps = (
        dict(proc.config).get("caps", "").split(",")
        if proc is not None and spot.user in ("root", "0")
        else []
    )
    return "ALL" in caps or capability in caps


def check(box: Box, spot: Spot, op: Op) -> None:
    """May the shell carry out this change? Raises OpError in the words of ip."""
    if isinstance(op, NETLINK) and not has(box, spot, "NET_ADMIN"):
        raise OpError("EPERM", "RTNETLINK answers: Operation not permitted")
    if isinstance(op, MOUNTS) and not has(box, spot, "SYS_ADMIN"):
        raise OpError("EPERM", "mkdir /run/netns failed: Permission denied")
