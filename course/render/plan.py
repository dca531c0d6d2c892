"""What a layout needs to know of a lab before it tries any size: which LAN is beside which, who is near, who is far.

Rules. Made once for a layout and only read by its attempts, so that a lab of thousands of machines costs one pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from rich.cells import cell_len

from course.render.block import Block, Text
from course.render.spaces import Programs
from course.render.topology import Key, Lan, Machine, Topology
from engine.record import dataclass

#: Words that the drawing itself needs; `words.py` has them in both languages.
ENGLISH: Mapping[str, str] = {
    "pods": "+{n} pods",
    "spaces": "+{n} namespaces",
    "nodes": "+{n} nodes",
    "machines": "+{n} machines",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What must stay: namespaces that the journey crosses, and the programs that it meets in each."""

    spaces: frozenset[str] = frozenset()
    programs: Programs = field(default_factory=dict)


#: Names of folded machines are written out up to this many cells.
FOLD_NAMES = 24
#: From this many machines on, those that the journey does not cross are folded without trying to draw them.
MANY = 24


class Plan:
    """`near` machines are crossed by the journey (all are, where there is none), the others can be one `fold`; `bus` is
    the number of the LAN that a NIC is on, `on` the LANs of a machine, `ports` the switch's port of a NIC."""

    def __init__(self, lab: Topology, wanted: Wanted, words: Mapping[str, str]) -> None:
        self.wanted, self.words = wanted, words
        self.machines = lab.machines
        self.many = len(lab.machines) > MANY
        self.home = {s.id: m.name for m in lab.machines for s in m.spaces()}
        self.lans = self._order(lab.lans)
        self.bus: dict[Key, int] = {key: i for i, lan in enumerate(self.lans) for _, key in lan.ports}
        self.ports: dict[Key, str] = {key: port for lan in self.lans for port, key in lan.ports}
        self.on: dict[str, set[int]] = {}
        for key, index in self.bus.items():
            self.on.setdefault(self.home.get(key[1], ""), set()).add(index)
        foldable = bool(wanted.spaces) or self.many
        far = [m for m in lab.machines if not self._involved(m)] if foldable else []
        names = {m.name for m in far}
        self.near = tuple(m for m in lab.machines if m.name not in names)
        self.fold = self._fold(far) if far else None

    def _involved(self, machine: Machine) -> bool:
        return any(s.id in self.wanted.spaces for s in machine.spaces())

    def _order(self, lans: tuple[Lan, ...]) -> list[Lan]:
        """Neighbours in the picture are neighbours in the lab: walk from the first LAN over shared machines."""
        members = [{self.home.get(key[1], "") for _, key in lan.ports} for lan in lans]
        order: list[int] = []
        for start in range(len(members)):
            queue = [start]
            while queue:
                one = queue.pop(0)
                if one in order:
                    continue
                order.append(one)
                queue += [i for i in range(len(members)) if i not in order and members[i] & members[one]]
        return [lans[i] for i in order]

    def _fold(self, machines: list[Machine]) -> Block:
        """Machines that the journey does not cross, as a stub on the LAN: names while short, else their number."""
        names = ", ".join(m.name for m in machines)
        kind = "nodes" if all(m.role == "node" for m in machines) else "machines"
        word = names if cell_len(names) <= FOLD_NAMES else self.words[kind].format(n=len(machines))
        block = Block(w=cell_len(word) + 3, h=1)
        block.texts.append(Text(2, 0, ((word, "fold"),), block.w - 2))
        block.nodes[("fold", "", "")] = (0, 0)
        for machine in machines:
            for space in machine.spaces():
                block.stands_for[("ns", space.id, "")] = ("fold", "", "")
                block.stands_for.update({d.key: ("fold", "", "") for d in space.devices})
        return block
