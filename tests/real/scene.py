"""A scene for the second kernel: a network as command lines, and what is done in it step by step.

A scene's lines build it, as in wirings.py. Its steps are then done in order, and nothing is forgotten between them,
because round robin, connections and persistence are memory: a step is a packet that is sent, or a line that changes
something.

Rules. What may differ between two kernels by chance must not be in a scene. Every MAC is fixed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.real.wirings import LAN, NODES

P = LAN.pods


@dataclass(frozen=True)
class Send:
    """A TCP handshake that stays open, a datagram with its echo, or a ping. `size` is the data's, in bytes;
    `wait` how many seconds the sender waits for an answer."""

    netns: str
    proto: str
    dst: str
    dport: int = 0
    size: int = 1
    df: bool = False
    wait: float = 0.3


Step = Send | str


@dataclass(frozen=True)
class Scene:
    """`shown` are tools whose output is part of the record after every step: (netns, command)."""

    name: str
    lines: tuple[str, ...]
    steps: tuple[Step, ...]
    listening: tuple[tuple[str, str, str, int], ...]
    modules: tuple[str, ...] = ()
    shown: tuple[tuple[str, str], ...] = field(default=())


ECHO = tuple((pod, proto, "0.0.0.0", port) for pod in P for proto, port in (("tcp", 8080), ("udp", 5353)))
ALL = (
    *ECHO,
    *((n, "udp", "0.0.0.0", 7) for n in ("sw", *NODES)),
    *((n, "tcp", "0.0.0.0", 22) for n in ("sw", *NODES)),
)


def tcp(netns: str, dst: str, dport: int) -> Send:
    return Send(netns, "tcp", dst, dport)


def udp(netns: str, dst: str, dport: int, size: int = 1, *, df: bool = False) -> Send:
    return Send(netns, "udp", dst, dport, size, df)


def icmp(netns: str, dst: str, size: int = 56, *, df: bool = False) -> Send:
    return Send(netns, "icmp", dst, 0, size, df)
