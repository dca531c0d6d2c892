"""The hooks where a program decides: at devices (XDP, tc) and at sockets (cgroup, sock_ops).

Theory. A frame that comes in meets XDP, then whoever captures packets, then tc ingress, and only then bridges and IP. A
frame that goes out meets tc egress, then whoever captures, then the wire. Programs of one tc hook run in order until
one returns anything but `next`. A redirect to a device's egress leaves by it at once; to its ingress it comes in by
it; to its peer it comes in on the other side of a veth, in the other namespace, without passing this one's stack; to a
neighbour the frame gets the next hop's MAC first. Netfilter sees nothing of a redirected frame. At a socket, connect4
and sendmsg4 run before a route is looked up: what they write is the only destination the packet ever had.
Sources: net/core/dev.c (__netif_receive_skb_core, __dev_queue_xmit), net/core/filter.c (skb_do_redirect),
net/ipv4/{af_inet,tcp_ipv4,udp}.c.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from engine.linux.choose import Choose
from engine.linux.journey import Fidelity, Place, Step, StepKind
from engine.linux.net import Net, Netns
from engine.linux.packet import Packet
from engine.linux.rows import Link
from engine.record import dataclass
from engine.say import Phrase, Said

if TYPE_CHECKING:
    from engine.linux.bpf.context import Context, PacketVerdict, Program, SocketVerdict

PASSED = Phrase("{program} let it pass", "{program}이(가) 통과시킵니다")
#: what the walker does with a frame after its programs
GO_ON = ("ok", "next", "pass")


@cache
def function(code: str) -> Program:
    """The function behind `module:function`."""
    module, _, name = code.partition(":")
    return cast("Program", getattr(import_module(module), name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What the programs of a device's hook made of a frame: the verdict that counts, the frame and mark after it."""

    action: str
    frame: Packet
    mark: int
    verdict: PacketVerdict | None
    steps: tuple[Step, ...]


def at_device(
    net: Net, ns: Netns, link: Link, hook: str, frame: Packet, mark: int, place: Place, choose: Choose
) -> Decided | None:
    """Run the programs of a hook; None when there is none."""
    bpf = net.boxes[ns.box].bpf
    found = bpf.at_device(ns.id, link.ifindex, hook)
    if not found:
        return None
    from engine.linux.bpf.context import TC_ACTIONS, XDP_ACTIONS, PacketContext

    steps: list[Step] = []
    verdict: PacketVerdict | None = None
    action = "pass" if hook == "xdp" else "next"
    for number in found:
        row = bpf.programs[number]
        context = PacketContext(
            bpf=bpf,
            program=row,
            now=net.clock,
            random=choose.pick,
            frame=frame,
            link=link,
            netns=ns.id,
            mark=mark,
        )
        verdict = cast("PacketVerdict", function(row.code)(context))
        action = verdict.action
        if action not in (XDP_ACTIONS if hook == "xdp" else TC_ACTIONS):
            raise ValueError(f"program {row.name} returned {action!r} at {hook}")
        before = frame
        frame = verdict.frame if verdict.frame is not None else frame
        mark = verdict.mark if verdict.mark is not None else mark
        steps.append(
            Step(
                kind=StepKind.BPF, place=place, before=before, after=frame, hook=hook, table=row.name, mark=mark,
                verdict=action, row=entry_row(context), why=verdict.why, fidelity=Fidelity.DOCUMENTED,
            )
        )  # fmt: skip
        if action != "next":
            break
    return Decided(action=action, frame=frame, mark=mark, verdict=verdict, steps=tuple(steps))


def entry_row(context: Context) -> str:
    """The entry that decided, as `bpftool map lookup` prints it; "" when no map was read."""
    if context.last is None:
        return ""
    from engine.linux.bpf.text import entry_line

    return entry_line(*context.last)


# -- sockets ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirected:
    """What the programs of a socket hook made of an address: `error` EPERM when one forbade the call."""

    address: int
    port: int
    error: str = ""
    steps: tuple[Step, ...] = ()


def at_socket(
    net: Net, ns: Netns, hook: str, proto: int, address: int, port: int, *, uid: int, choose: Choose, who: str
) -> Redirected:
    """Run the programs of connect4, sendmsg4, recvmsg4 or getpeername4 over an address. Each sees what the one before
    it wrote; one that refuses makes the call fail, whatever the others say (BPF_PROG_RUN_ARRAY_CG)."""
    bpf = net.boxes[ns.box].bpf
    found = bpf.at_sockets(hook)
    if not found:
        return Redirected(address=address, port=port)
    from engine.linux.bpf.context import SocketContext

    place = Place(node=ns.box, namespace=ns.label, netns=ns.id, program=who)
    steps: list[Step] = []
    error = ""
    for number in found:
        row = bpf.programs[number]
        context = SocketContext(
            bpf=bpf, program=row, now=net.clock, random=choose.pick, proto=proto, netns=ns.id, address=address,
            port=port, uid=uid,
        )  # fmt: skip
        verdict = cast("SocketVerdict", function(row.code)(context))
        changed = verdict.address is not None or verdict.port is not None
        address = verdict.address if verdict.address is not None else address
        port = verdict.port if verdict.port is not None else port
        error = error if verdict.allow else "EPERM"
        steps.append(
            Step(
                kind=StepKind.BPF, place=place, hook=hook, table=row.name, row=entry_row(context), why=verdict.why,
                verdict="deny" if not verdict.allow else "rewrite" if changed else "ok",
                fidelity=Fidelity.DOCUMENTED,
            )
        )  # fmt: skip
    return Redirected(address=address, port=port, error=error, steps=tuple(steps))


def sock_ops(
    net: Net, ns: Netns, op: str, local: tuple[int, int], remote: tuple[int, int], *, choose: Choose, who: str
) -> tuple[Step, ...]:
    """Tell the sock_ops programs of a machine about a moment of a connection; they may write maps."""
    bpf = net.boxes[ns.box].bpf
    found = bpf.at_sockets("cgroup_sock_ops")
    if not found:
        return ()
    from engine.linux.bpf.context import SockOpsContext

    steps: list[Step] = []
    for number in found:
        row = bpf.programs[number]
        context = SockOpsContext(
            bpf=bpf,
            program=row,
            now=net.clock,
            random=choose.pick,
            op=op,
            netns=ns.id,
            local=local,
            remote=remote,
        )
        said = cast("Said | None", function(row.code)(context))
        if said is not None:
            place = Place(node=ns.box, namespace=ns.label, netns=ns.id, program=who)
            steps.append(
                Step(
                    kind=StepKind.BPF, place=place, hook="cgroup_sock_ops", table=row.name, verdict=op,
                    row=entry_row(context), why=said, fidelity=Fidelity.DOCUMENTED,
                )
            )  # fmt: skip
    return tuple(steps)
