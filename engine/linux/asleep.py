"""Machines that nobody has touched yet: they are on the LAN, and their kernel is computed when it is first needed.

Theory. A lab of thousands of nodes would spend minutes on kernels that no packet and no person ever meets. Such a
machine sleeps: of it there are its port on a switch and its NIC's addresses. Whoever asks the Net for its box or for
one of its namespaces (`net.boxes[NAME]`, `net.spaces[ID]`, `.get`, `in`) wakes it, and finds it as if it had lived
since the lab began: `Waker.wake` does what that machine would have done, each thing at its own time. A frame that a
switch floods is carried only to the sleepers that would act on it: an ARP question wakes the machine that has the
address asked for, a frame that of its destination. The others would have thrown it away, and their counters hear of
it when they wake.

Rules. Listing boxes or spaces (`values`, `items`, iteration) shows those that are awake. Everything here is frozen
or replaced whole, because copies of a Net share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from engine.linux.packet import Packet
from engine.linux.rows import Link, Port
from engine.record import dataclass

if TYPE_CHECKING:
    from engine.linux.net import Net

V = TypeVar("V")
D = TypeVar("D")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleeper:
    """A machine with one NIC. `port` is the switch's port that it is plugged into, `index` the NIC's ifindex when it
    wakes; `addresses` are those of the NIC."""

    name: str
    nic: str
    index: int
    mac: int
    addresses: tuple[int, ...]
    port: Port


class Waker(Protocol):
    """Who brings a sleeper to life."""

    def wake(self, net: Net, sleeper: Sleeper) -> None:
        """Build the machine into a Net that does not list it as asleep any more."""

    def holder(self, address: int) -> str:
        """The machine behind which an address is that is not a NIC's (a pod's); "" when there is none."""

    def apart(self) -> Waker:
        """The waker of a copy of the Net whose other parts are not copied: what it learns stays with the copy."""


class Sleepers:
    """The sleeping machines of one Net, by name. `missed[switch]` are the frames and bytes that it has flooded past
    them."""

    __slots__ = ("machines", "missed", "waker")

    def __init__(
        self, machines: Mapping[str, Sleeper], waker: Waker, missed: Mapping[str, tuple[int, int]]
    ) -> None:
        self.machines = machines
        self.waker = waker
        self.missed = missed

    def copy(self) -> Sleepers:
        return Sleepers(self.machines, self.waker.apart(), self.missed)

    def __contains__(self, name: str) -> bool:
        return name in self.machines

    def address(self, name: str) -> int:
        """The first address of a sleeping machine."""
        return self.machines[name].addresses[0]

    def find(self, net: Net, address: int) -> None:
        """Wake the machine that has an address, or behind which it is."""
        for sleeper in self.machines.values():
            if address in sleeper.addresses:
                self.rouse(net, sleeper.name)
                return
        name = self.waker.holder(address)
        if name in self.machines:
            self.rouse(net, name)

    def rouse(self, net: Net, name: str) -> None:
        """Wake one machine."""
        sleeper = self.machines[name]
        self.machines = {k: v for k, v in self.machines.items() if k != name}
        self.waker.wake(net, sleeper)
        frames, size = self.missed.get(sleeper.port[0], (0, 0))
        if frames:
            net.spaces[name].link_stats[sleeper.index] = (frames, size, 0, 0)
            port = net.spaces[sleeper.port[0]].link_stats
            rx, rb, tx, tb = port.get(sleeper.port[1], (0, 0, 0, 0))
            port[sleeper.port[1]] = (rx, rb, tx + frames, tb + size)

    def awake_for(self, net: Net, switch: str, outs: Iterable[Link], frame: Packet) -> list[Link]:
        """Of the ports that a frame is flooded to, those whose machine is awake or would act on it and wakes now."""
        kept: list[Link] = []
        slept = 0
        eth, message = frame.eth, frame.arp
        for out in outs:
            sleeper = self.machines.get(out.peer[0]) if out.peer is not None else None
            if sleeper is None or sleeper.port != (switch, out.ifindex):
                kept.append(out)
            elif (
                message.target_ip in sleeper.addresses
                if message is not None
                else eth is not None and eth.dst == sleeper.mac
            ):
                self.rouse(net, sleeper.name)
                kept.append(out)
            else:
                slept += 1
        if slept:
            frames, size = self.missed.get(switch, (0, 0))
            self.missed = {**self.missed, switch: (frames + 1, size + frame.length())}
        return kept


class Waking(dict[str, V]):
    """Boxes or spaces of a Net with sleepers: asking for one of a sleeping machine wakes it."""

    __slots__ = ("net",)

    def __init__(self, net: Net, rows: Mapping[str, V]) -> None:
        super().__init__(rows)
        self.net = net

    def _rouse(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        asleep, name = self.net.asleep, key.partition("/")[0]
        if asleep is None or name not in asleep.machines:
            return False
        asleep.rouse(self.net, name)
        return True

    def __missing__(self, key: str) -> V:
        if self._rouse(key) and super().__contains__(key):
            return super().__getitem__(key)
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        if super().__contains__(key):
            return True
        asleep = self.net.asleep
        if asleep is not None and key in asleep.machines:
            return True
        return self._rouse(key) and super().__contains__(key)

    @overload
    def get(self, key: str, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: str, default: V, /) -> V: ...
    @overload
    def get(self, key: str, default: D, /) -> V | D: ...
    def get(self, key: str, default: Any = None, /) -> Any:
        if super().__contains__(key) or (self._rouse(key) and super().__contains__(key)):
            return super().__getitem__(key)
        return default

    def __reduce__(self) -> Any:
        return dict, (dict(self),)
