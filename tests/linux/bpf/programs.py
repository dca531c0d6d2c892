"""The programs of tests/golden/capture_bpf.py as functions of the model, one a scenario."""

from __future__ import annotations

from engine.linux.addr import ip4
from engine.linux.bpf.context import (
    PacketContext,
    PacketVerdict,
    SocketContext,
    SocketVerdict,
    SockOpsContext,
)
from engine.say import Said, plain

WHY = plain("a test")
VIP, BACKEND = (ip4("10.96.0.10"), 80), (ip4("10.0.2.2"), 8080)


def act(context: PacketContext) -> PacketVerdict:
    """What the map `acts` says: an action by number, an interface, a mark."""
    value = context.lookup("acts", 0)
    assert value is not None
    action, ifindex, mark = value
    return PacketVerdict(action=ACTIONS[action], ifindex=ifindex, mark=mark or None, why=WHY)


ACTIONS = (
    "ok", "next", "shot", "redirect", "redirect_ingress", "redirect_peer", "redirect_neigh", "drop", "pass", "tx",
)  # fmt: skip


def forward(context: SocketContext) -> SocketVerdict:
    """connect4 and sendmsg4: the service becomes its backend."""
    found = context.lookup("services", context.address, context.port)
    if found is None:
        return SocketVerdict(why=WHY)
    return SocketVerdict(address=found[0], port=found[1], why=WHY)


def backward(context: SocketContext) -> SocketVerdict:
    """recvmsg4 and getpeername4: the backend is shown as the service."""
    if (context.address, context.port) == BACKEND:
        return SocketVerdict(address=VIP[0], port=VIP[1], why=WHY)
    return SocketVerdict(why=WHY)


def deny(context: SocketContext) -> SocketVerdict:
    return SocketVerdict(allow=False, why=WHY)


def count(context: SockOpsContext) -> Said:
    """sock_ops: one row a connection that was opened here."""
    context.update("opened", (*context.remote,), (1,))
    return WHY
