"""eBPF programs on a frame's way: what their verdicts at a device do to it.

Theory. `bpf.hooks` runs the programs, this file moves the frame. A redirect out of a device meets that device's own
egress programs; eight of them in a row are a loop and the kernel drops the frame. A frame that is redirected to a peer
keeps the verdict of the first device about whose it is (its MAC is not looked at again), and its mark.
Sources: net/core/filter.c (skb_do_redirect, __bpf_tx_skb), net/core/dev.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.linux.addr import BROADCAST_MAC
from engine.linux.bpf import hooks
from engine.linux.journey import Fidelity, Outcome, Place
from engine.linux.net import Netns
from engine.linux.packet import Ethernet, Packet
from engine.linux.rows import Link
from engine.linux.walk.walker import Arrive, Event, Walker
from engine.say import Phrase

if TYPE_CHECKING:
    from engine.linux.bpf.context import PacketVerdict

#: XMIT_RECURSION_LIMIT
REDIRECTS = 8

SHOT = Phrase("the program {program} throws it away", "프로그램 {program}이(가) 패킷을 버립니다")
NO_DEVICE = Phrase(
    "the program {program} sends it to interface number {ifindex}, which does not exist here",
    "프로그램 {program}이(가) 여기에 없는 {ifindex}번 인터페이스로 보냅니다",
)
NO_PEER = Phrase(
    "the program {program} sends it to the peer of {dev}, which has none",
    "프로그램 {program}이(가) {dev}의 상대편으로 보내지만 상대편이 없습니다",
)
RECURSION = Phrase(
    "bpf: recursion limit reached on datapath, buggy bpf program: it was redirected {n} times in a row",
    "bpf: recursion limit reached on datapath: 연달아 {n}번 방향이 바뀌어 커널이 버립니다",
)


def at(
    w: Walker, ns: Netns, link: Link, hook: str, frame: Packet, mark: int, place: Place, redirects: int = 0
) -> tuple[Event | None, Packet, int]:
    """Run the hook's programs: (where the frame goes instead, or None; the frame; its mark)."""
    decided = hooks.at_device(w.net, ns, link, hook, frame, mark, place, w.choose)
    if decided is None:
        return None, frame, mark
    w.steps.extend(decided.steps)
    if decided.action in hooks.GO_ON:
        return None, decided.frame, decided.mark
    assert decided.verdict is not None
    name = decided.steps[-1].table
    if decided.action in ("shot", "drop", "aborted"):
        end = w.drop(
            place, decided.frame, SHOT(program=name), Outcome.DROPPED, row=decided.steps[-1].row, hook=hook,
            fidelity=Fidelity.DOCUMENTED,
        )  # fmt: skip
        return end, decided.frame, decided.mark
    moved = redirect(w, ns, link, hook, decided, decided.verdict, frame, place, redirects)
    return moved, decided.frame, decided.mark


def redirect(
    w: Walker, ns: Netns, link: Link, hook: str, decided: hooks.Decided, verdict: PacketVerdict, came: Packet,
    place: Place, redirects: int,
) -> Event:  # fmt: skip
    """The frame goes elsewhere. `came` is how it looked before the programs."""
    from engine.linux.walk import arp, l2

    frame, mark, name = decided.frame, decided.mark, decided.steps[-1].table
    if redirects >= REDIRECTS:
        return w.drop(place, frame, RECURSION(n=redirects), Outcome.LOOP, fidelity=Fidelity.DOCUMENTED)
    target = link if decided.action == "tx" else ns.links.get(verdict.ifindex)
    if target is None:
        why = NO_DEVICE(program=name, ifindex=verdict.ifindex)
        return w.drop(place, frame, why, Outcome.DROPPED, fidelity=Fidelity.DOCUMENTED)
    if decided.action == "redirect_ingress":
        return Arrive(netns=ns.id, ifindex=target.ifindex, frame=frame, mark=mark)
    if decided.action == "redirect_peer":
        other = w.net.spaces.get(target.peer[0]) if target.peer is not None else None
        if other is None or target.peer is None or hook != "tcx/ingress":
            return w.drop(
                place,
                frame,
                NO_PEER(program=name, dev=target.name),
                Outcome.DROPPED,
                fidelity=Fidelity.DOCUMENTED,
            )
        eth = came.eth
        mine = eth is not None and eth.dst in (link.mac, BROADCAST_MAC)
        return Arrive(netns=other.id, ifindex=target.peer[1], frame=frame, mark=mark, mine=mine)
    if decided.action == "redirect_neigh":
        hop = verdict.hop or frame.ip.dst
        entry, event = arp.resolve(w, ns, target, hop, frame.unframed(), w.at(ns, target.name, "out"))
        if entry is None:
            return event
        frame = frame.framed(Ethernet(src=target.mac, dst=entry.mac))
    bare = hook == "xdp"
    return l2.transmit(w, ns, target, frame, mark=mark, redirects=redirects + 1, bare=bare)
