"""What each kind of device does with a frame that is sent into it, beyond wires and bridges (those stand in l2.py).

Rules. One function a kind: (walker, namespace, device, frame, skb) -> Event, in `TRANSMIT`, loaded with the first frame
into such a device. The step that says that the frame left by the device is written already.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import cast

from engine.linux.journey import Fidelity, Outcome, StepKind
from engine.linux.linkinfo import Tun
from engine.linux.net import Netns
from engine.linux.packet import Packet
from engine.linux.rows import Link
from engine.linux.skb import Skb
from engine.linux.walk.walker import End, Event, Walker


def transmit_tun(w: Walker, ns: Netns, link: Link, frame: Packet, skb: Skb) -> Event:
    """Into a tun or tap device: the program that holds it open reads the packet (tun_net_xmit)."""
    from engine.linux.walk import words_tunnel as words

    info = link.info
    assert isinstance(info, Tun)
    proc = w.net.boxes[ns.box].procs.get(info.pid)
    if proc is None:
        place = w.at(ns, link.name, "out")
        return w.drop(place, frame, words.NO_PROGRAM(dev=link.name), Outcome.DROPPED)
    why = words.TO_PROGRAM(who=proc.comm, dev=link.name)
    w.step(StepKind.PROGRAM, w.at(ns, program=proc.comm), frame, why=why, fidelity=Fidelity.DOCUMENTED)
    return End(outcome=Outcome.DELIVERED, netns=ns.id, packet=frame, proc=proc)


Transmit = Callable[[Walker, Netns, Link, Packet, Skb], Event]
#: kind -> (file beside this one, function)
TRANSMIT: dict[str, tuple[str, str]] = {
    "vxlan": ("vxlan", "transmit"),
    "geneve": ("vxlan", "transmit_geneve"),
    "ipip": ("ipip", "transmit"),
    "wireguard": ("wireguard", "transmit"),
    "macvlan": ("upper", "transmit"),
    "ipvlan": ("upper", "transmit"),
    "tun": ("devices", "transmit_tun"),
}


@cache
def transmit_of(kind: str) -> Transmit:
    file, name = TRANSMIT[kind]
    return cast(Transmit, getattr(import_module(f"engine.linux.walk.{file}"), name))
