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

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from engine.linux.lent import Copied, Lent
from engine.linux.packet import Packet
from engine.linux.rows import Link, Port
from engine.record import dataclass

if TYPE_CHECKING:
    from engine.linux.net import Net

V = TypeVar("V", bound=Copied)


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

    __slots__ = ("_by_address", "_by_mac", "_open", "machines", "missed", "waker")

    def __init__(self, machines: Mapping[str, Sleeper], waker: Waker) -> None:
        self.machines = machines
        self.waker = waker
        self.missed: Mapping[str, tuple[int, int]] = {}
        #: switch -> its ports, the sleepers, and the ports that lead to none; true for these very objects, so copies
        #: share it
        self._open: dict[str, tuple[tuple[Link, ...], Mapping[str, Sleeper], list[Link]]] = {}
        self._by_address = {a: s for s in machines.values() for a in s.addresses}
        self._by_mac = {s.mac: s for s in machines.values()}

    def copy(self) -> Sleepers:
        other = Sleepers.__new__(Sleepers)
        other.machines, other.waker, other.missed = self.machines, self.waker.apart(), self.missed
        other._open, other._by_address, other._by_mac = self._open, self._by_address, self._by_mac
        return other

    def __contains__(self, name: str) -> bool:
        return name in self.machines

    def address(self, name: str) -> int:
        """The first address of a sleeping machine."""
        return self.machines[name].addresses[0]

    def find(self, net: Net, address: int) -> None:
        """Wake the machine that has an address, or behind which it is."""
        sleeper = self._by_address.get(address)
        name = sleeper.name if sleeper is not None else self.waker.holder(address)
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

    def awake_for(self, net: Net, switch: str, ports: tuple[Link, ...], frame: Packet) -> list[Link]:
        """Of the ports of a switch that a frame may be flooded to, those whose machine is awake, or would act on it and
        wakes now."""
        eth, message = frame.eth, frame.arp
        for sleeper in self._meant(message.target_ip if message is not None else -1, eth.dst if eth else -1):
            if sleeper.port[0] == switch and sleeper.name in self.machines:
                self.rouse(net, sleeper.name)
        known = self._open.get(switch)
        if known is None or known[0] is not ports or known[1] is not self.machines:
            kept = [p for p in ports if p.peer is None or p.peer[0] not in self.machines]
            known = self._open[switch] = (ports, self.machines, kept)
        if len(known[2]) < len(ports):
            frames, size = self.missed.get(switch, (0, 0))
            self.missed = {**self.missed, switch: (frames + 1, size + frame.length())}
        return known[2]

    def _meant(self, address: int, mac: int) -> list[Sleeper]:
        """The machines that a frame is for: by the address that it asks for, or by the MAC that it goes to."""
        return [s for s in (self._by_address.get(address), self._by_mac.get(mac)) if s is not None]


class Waking(Lent[V]):
    """Boxes or spaces of a Net with sleepers: asking for one of a sleeping machine wakes it."""

    __slots__ = ("net",)

    def __init__(self, net: Net, own: Mapping[str, V], rest: Mapping[str, V] | None = None) -> None:
        super().__init__(own, rest)
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
        if self.has(key) or (self._rouse(key) and self.has(key)):
            return super().__missing__(key) if key in self._rest else self[key]
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        if self.has(key):
            return True
        asleep = self.net.asleep
        if asleep is not None and key in asleep.machines:
            return True
        return self._rouse(key) and self.has(key)
