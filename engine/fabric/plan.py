"""From the machines of a lab to LANs, cables, router, addresses and default routes.

Theory. Each subnet that machines name is one segment. The first node's subnet (or the first machine's) is the
lab's LAN, a switch called "lan". A segment with further nodes or with several hosts is a switch of its own
(lan2, lan3 ...); a host alone in its subnet hangs on a cable behind the router, so that "the outside" is a real
place with a real way there. The router joins every segment that is some machine's first one, and is the default
gateway there. A machine's further segments give it eth1, eth2 ... with connected routes only.

Rules. All problems of one lab come in one InputError, each with its path. Only kind "lan" exists so far.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import field

from engine.errors import InputError, Problem
from engine.fabric.lan import build_switch, join_lan, port_name, release, reserve
from engine.fabric.machine import give_address, give_gateway, mac_for, make_machine, plug, write_names
from engine.fabric.router import build_router, gateway_in
from engine.linux.addr import Prefix, is_loopback, is_multicast, text4
from engine.linux.asleep import Sleeper
from engine.linux.net import Net
from engine.linux.ops import Changes
from engine.linux.rows import Port
from engine.record import dataclass, replace
from engine.say import Phrase, Said

KINDS = ("lan",)
ROUTER = "router"
DEFAULT_LENGTH = 24
DEFAULT_LAN = Prefix.parse("192.168.10.0/24")
BIG_LAN = Prefix.parse("10.100.0.0/16")

BAD_KIND = Phrase(
    en="{found!r} is not a kind of fabric that exists so far; write {accepted}, or leave the key out",
    ko="{found!r}은(는) 아직 없는 fabric 종류입니다. {accepted}을(를) 적거나 이 키를 빼십시오",
)
SAME_ADDRESS = Phrase(
    en="{address} is given twice; {other} has it too. Give every machine an address of its own",
    ko="{address}을(를) 두 번 주었습니다. {other}도 이 주소를 씁니다. 머신마다 다른 주소를 주십시오",
)
NOT_A_HOST = Phrase(
    en="{address} cannot be a machine's address ({why}); write a unicast address inside its subnet",
    ko="{address}은(는) 머신의 주소가 될 수 없습니다({why}). 서브넷 안의 유니캐스트 주소를 적으십시오",
)
NETWORK_ADDRESS = Phrase(en="the subnet's own address", ko="서브넷 자체의 주소")
BROADCAST_ADDRESS = Phrase(en="the subnet's broadcast address", ko="서브넷의 브로드캐스트 주소")
SPECIAL_ADDRESS = Phrase(en="a loopback, multicast or zero address", ko="루프백, 멀티캐스트 또는 0 주소")
OVERLAP = Phrase(
    en="{subnet} overlaps {other} of {machine}; write both with the same prefix length, or make them apart",
    ko="{subnet}이(가) {machine}의 {other}와(과) 겹칩니다. 같은 길이로 적거나 겹치지 않게 하십시오",
)
SAME_NAME = Phrase(
    en="two machines are called {name!r}; give each a name of its own",
    ko="{name!r}(이)라는 머신이 둘입니다. 머신마다 다른 이름을 주십시오",
)
TAKEN_NAME = Phrase(
    en="{name!r} is the name of a box that the fabric makes itself; choose another name",
    ko="{name!r}은(는) fabric이 스스로 만드는 상자의 이름입니다. 다른 이름을 고르십시오",
)
NO_ROOM = Phrase(
    en="{subnet} has no address left for the router; write a shorter prefix",
    ko="{subnet}에 라우터가 쓸 주소가 남지 않았습니다. 더 짧은 프리픽스를 적으십시오",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that a lab asks for. `role` is "node" or "host"; `addresses` keep host bits, none = one is chosen;
    `where` is its path in the lab file (`nodes[2]`)."""

    name: str
    role: str = "node"
    addresses: tuple[Prefix, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A subnet of the fabric. `switch` "" is a bare cable; `gateway` 0: the router is not in it.
    `members` are (machine, NIC, its addresses here)."""

    subnet: Prefix
    switch: str
    gateway: int = 0
    members: tuple[tuple[str, str, tuple[Prefix, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """What was built: the machines with the addresses that they got, the segments, the router's name."""

    kind: str
    machines: tuple[Machine, ...]
    segments: tuple[Segment, ...]
    router: str = ROUTER

    def address(self, machine: str) -> int:
        """A machine's first address. KeyError for a name that is none."""
        for one in self.machines:
            if one.name == machine:
                return one.addresses[0].addr
        raise KeyError(machine)


@dataclass(slots=True)
class _Draft:
    subnet: Prefix
    members: dict[str, list[Prefix]] = field(default_factory=dict)
    nodes: bool = False
    first: bool = False


def choose_addresses(machines: Sequence[Machine]) -> tuple[Machine, ...]:
    """Give machines without an address one: node N gets 192.168.10.(100+N), host N gets 192.168.10.(20+N), or the
    next free one. A lab with more than 100 nodes lives in 10.100.0.0/16, its nodes from 10.100.1.0 up."""
    nodes = [m for m in machines if m.role == "node"]
    big = len(nodes) > 100
    lan = next((Prefix(a.addr, a.length).network for m in nodes for a in m.addresses[:1]), None)
    lan = lan if lan is not None and lan.length <= DEFAULT_LENGTH else BIG_LAN if big else DEFAULT_LAN
    taken = {a.addr for m in machines for a in m.addresses}
    counters = {"node": lan.addr + (256 if lan.length <= 16 else 100), "host": lan.addr + 20}
    out: list[Machine] = []
    for machine in machines:
        wish = counters[machine.role]
        counters[machine.role] += 1
        if not machine.addresses:
            while wish in taken:
                wish += 1
            counters[machine.role] = max(counters[machine.role], wish + 1)
            taken.add(wish)
            machine = replace(machine, addresses=(Prefix(wish, lan.length),))
        out.append(machine)
    return tuple(out)


def plan(machines: Sequence[Machine], *, kind: str = "lan", where: str = "fabric.kind") -> Fabric:
    """Decide segments and addresses; nothing is built. Raises InputError with every problem found."""
    problems: list[Problem] = []
    if kind not in KINDS:
        accepted = ", ".join(KINDS)
        problems.append(Problem(where=where, said=BAD_KIND(found=kind, accepted=accepted)))
    given = choose_addresses(machines)
    drafts = _drafts(given, problems)
    if problems:
        raise InputError(problems)
    segments: list[Segment] = []
    names = 0
    for draft in drafts:
        cable = len(draft.members) == 1 and draft.first and not draft.nodes and draft is not drafts[0]
        switch = ""
        if not cable:
            names += 1
            switch = "lan" if names == 1 else f"lan{names}"
        gateway = 0
        if draft.first:
            taken = {a.addr for rows in draft.members.values() for a in rows}
            gateway = gateway_in(draft.subnet, taken) or 0
            if not gateway:
                problems.append(Problem(where=where, said=NO_ROOM(subnet=str(draft.subnet))))
        members = tuple(
            (m.name, _nic_name(m, draft.subnet), tuple(draft.members[m.name]))
            for m in given
            if m.name in draft.members
        )
        segments.append(Segment(subnet=draft.subnet, switch=switch, gateway=gateway, members=members))
    reserved = {s.switch for s in segments} | {ROUTER}
    problems += [Problem(where=m.where, said=TAKEN_NAME(name=m.name)) for m in given if m.name in reserved]
    if problems:
        raise InputError(problems)
    return Fabric(kind=kind, machines=given, segments=tuple(segments))


def _drafts(machines: Sequence[Machine], problems: list[Problem]) -> list[_Draft]:
    """Sort the addresses into subnets; the lab's LAN comes first, the others as they are met."""
    first = next((m for m in machines if m.role == "node"), machines[0] if machines else None)
    drafts: dict[Prefix, _Draft] = {}
    if first is not None:
        drafts[first.addresses[0].network] = _Draft(first.addresses[0].network)
    owners: dict[int, str] = {}
    seen: set[str] = set()
    for machine in machines:
        if machine.name in seen:
            problems.append(Problem(where=machine.where, said=SAME_NAME(name=machine.name)))
            continue
        seen.add(machine.name)
        for number, address in enumerate(machine.addresses):
            where = f"{machine.where}.addresses[{number}]" if machine.where else ""
            subnet = address.network
            why = _unfit(address)
            if why is not None:
                problems.append(Problem(where=where, said=NOT_A_HOST(address=str(address), why=why)))
                continue
            if address.addr in owners:
                said = SAME_ADDRESS(address=text4(address.addr), other=owners[address.addr])
                problems.append(Problem(where=where, said=said))
                continue
            owners[address.addr] = machine.name
            clash = next((d for d in drafts.values() if _overlap(d.subnet, subnet)), None)
            if clash is not None:
                other = next(iter(clash.members), first.name if first is not None else "")
                said = OVERLAP(subnet=str(subnet), other=str(clash.subnet), machine=other)
                problems.append(Problem(where=where, said=said))
                continue
            draft = drafts.setdefault(subnet, _Draft(subnet))
            draft.members.setdefault(machine.name, []).append(address)
            draft.nodes = draft.nodes or machine.role == "node"
            draft.first = draft.first or number == 0
    return list(drafts.values())


def _overlap(one: Prefix, other: Prefix) -> bool:
    """Two subnets that are not the same one, but share addresses."""
    return one != other and (one.covers(other) or other.covers(one))


def _unfit(address: Prefix) -> Said | None:
    """Why an address cannot be a machine's, or None."""
    if is_loopback(address.addr) or is_multicast(address.addr) or address.addr in (0, 0xFFFFFFFF):
        return SPECIAL_ADDRESS()
    if address.length < 31 and address.addr == address.network.addr:
        return NETWORK_ADDRESS()
    if address.length < 31 and address.addr == address.network.broadcast:
        return BROADCAST_ADDRESS()
    return None


def _nic_name(machine: Machine, subnet: Prefix) -> str:
    """eth0, eth1 ... in the order in which the machine names its subnets."""
    return f"eth{list(dict.fromkeys(a.network for a in machine.addresses)).index(subnet)}"


def build_fabric(
    changes: Changes,
    machines: Sequence[Machine],
    *,
    kind: str = "lan",
    where: str = "fabric.kind",
    mtu: int = 1500,
    asleep: Collection[str] = (),
) -> Fabric:
    """Build the machines and everything between them. Raises InputError before anything is changed. Of machines that
    are `asleep` only the switch's port is built (`sleeper` tells the rest, `wake` builds it); a machine with several
    NICs does not sleep."""
    fabric = plan(machines, kind=kind, where=where)
    places = _places(fabric)
    asleep = {name for name in asleep if len(places[name]) == 1 and places[name][0][0].switch}
    for machine in fabric.machines:
        if machine.name not in asleep:
            make_machine(changes, machine.name, machine.role)
    for segment in fabric.segments:
        if segment.switch:
            build_switch(changes, segment.switch)
    ends = _build_router(changes, fabric, mtu)
    names = names_of(fabric)
    for machine in fabric.machines:
        if machine.name in asleep:
            reserve(changes, places[machine.name][0][0].switch, machine.name, FIRST_NIC)
            continue
        for segment, nic, rows in places[machine.name]:
            if segment.switch:
                join_lan(changes, segment.switch, machine.name, nic, rows, mtu=mtu)
            else:
                plug(changes, machine.name, nic, ends[segment.subnet], mtu=mtu)
                for address in rows:
                    give_address(changes, machine.name, nic, address)
        first, nic, _ = places[machine.name][0]
        give_gateway(changes, machine.name, nic, first.gateway)
        write_names(changes, machine.name, names, first.gateway)
    return fabric


#: the ifindex of a machine's first NIC, behind lo
FIRST_NIC = 2


def names_of(fabric: Fabric) -> str:
    """The lines of /etc/hosts that all machines have."""
    return "".join(f"{text4(m.addresses[0].addr)} {m.name}\n" for m in fabric.machines)


def sleepers(net: Net, fabric: Fabric) -> dict[str, Sleeper]:
    """The machines of a fabric that were not built, as the Net keeps them."""
    out: dict[str, Sleeper] = {}
    for segment in fabric.segments:
        for name, nic, rows in segment.members:
            if segment.switch and name not in net.boxes:
                port = (segment.switch, net.spaces[segment.switch].names[port_name(name)])
                out[name] = Sleeper(
                    name=name, nic=nic, index=FIRST_NIC, mac=mac_for(name, nic),
                    addresses=tuple(r.addr for r in rows), port=port,
                )  # fmt: skip
    return out


def wake(changes: Changes, fabric: Fabric, sleeper: Sleeper, names: str, *, mtu: int = 1500) -> None:
    """Build a machine that has slept, as `build_fabric` would have built it. `names` is `names_of(fabric)`."""
    machine, gateway, rows = _first(fabric, sleeper)
    make_machine(changes, machine.name, machine.role)
    release(changes, sleeper.port)
    plug(changes, machine.name, sleeper.nic, sleeper.port, mtu=mtu)
    for address in rows:
        give_address(changes, machine.name, sleeper.nic, address)
    give_gateway(changes, machine.name, sleeper.nic, gateway)
    write_names(changes, machine.name, names, gateway)


def _first(fabric: Fabric, sleeper: Sleeper) -> tuple[Machine, int, tuple[Prefix, ...]]:
    segment = next(s for s in fabric.segments if s.switch == sleeper.port[0])
    machine = next(m for m in fabric.machines if m.name == sleeper.name)
    return machine, segment.gateway, machine.addresses


def _build_router(changes: Changes, fabric: Fabric, mtu: int) -> dict[Prefix, Port]:
    """The router with a NIC in each segment that it serves; its ends of the cables by subnet."""
    routed = [s for s in fabric.segments if s.gateway]
    ends: dict[Prefix, Port] = {}
    if routed:
        build_router(changes, fabric.router)
    for number, segment in enumerate(routed):
        gateway = Prefix(segment.gateway, segment.subnet.length)
        if segment.switch:
            join_lan(changes, segment.switch, fabric.router, f"eth{number}", [gateway], mtu=mtu)
        else:
            ends[segment.subnet] = plug(changes, fabric.router, f"eth{number}", None, mtu=mtu)
            give_address(changes, fabric.router, f"eth{number}", gateway)
    return ends


def _places(fabric: Fabric) -> dict[str, list[tuple[Segment, str, tuple[Prefix, ...]]]]:
    """Each machine's (segment, NIC, addresses there), in the order of its NICs."""
    found: dict[str, list[tuple[Segment, str, tuple[Prefix, ...]]]] = {m.name: [] for m in fabric.machines}
    for segment in fabric.segments:
        for name, nic, rows in segment.members:
            found[name].append((segment, nic, rows))
    for places in found.values():
        places.sort(key=lambda place: int(place[1][3:]))
    return found
