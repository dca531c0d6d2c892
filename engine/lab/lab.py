"""Lab: a description, the world built from it, and the log of what was done to it.

Theory. Each act (a typed line, a flow that was sent for real, time that passed) is logged; the world as it was
before is kept beside it, so that undo costs nothing and redo acts again. Random choices of an act come from the
lab's seed and the act's number: the same log on the same lab gives the same world.

Rules. `run` is the way to act; `shell(place)` is for prompts and completion. `trace` asks and changes nothing
unless it is told to. Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from engine.lab.build import build
from engine.lab.doc import Doc
from engine.lab.lookup import Resolved, resolve
from engine.lab.places import Endpoint, find
from engine.lab.source import Source, open_source
from engine.lab.trace import Traced, trace
from engine.linux.choose import Choose, Seeded
from engine.linux.journey import Journey
from engine.linux.ops import Op
from engine.linux.ops.box import Advance
from engine.record import dataclass
from engine.say import Said
from engine.shell.shell import Result, Shell
from engine.shell.world import World
from engine.unswept import unswept

#: worlds that are kept for undo; older acts can be undone by replay
KEPT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that was done. `kind` is run (a line at a place), trace (a flow sent for real), op or wait."""

    kind: str
    place: str = ""
    line: str = ""
    op: Op | None = None
    seconds: float = 0.0
    flow: tuple[str, str, str, tuple[tuple[str, str], ...], str] | None = None

    def text(self) -> str:
        """How a person reads it in the list of acts."""
        if self.kind == "run":
            return f"{self.place}: {self.line}"
        if self.flow is not None:
            return f"{self.flow[0]} -> {self.flow[1]} ({self.flow[2]})"
        return f"wait {self.seconds:g}s" if self.kind == "wait" else type(self.op).__name__


class Lab:
    """Open one with `Lab.load`. `world` is what is now; it is another object after undo, redo and reset."""

    def __init__(self, source: Source, world: World, seed: int, notes: tuple[Said, ...] = ()) -> None:
        self.source = source
        self.seed = seed
        self.world = world
        self.notes = notes
        self.acts: list[Act] = []
        self._undone: list[Act] = []
        self._before: list[World | None] = []
        self._shells: dict[str, Shell] = {}
        self._start = world.copy()

    # ---- opening

    @classmethod
    def load(
        cls,
        what: str | Path | Mapping[str, Any] | Doc | Source,
        *,
        seed: int = 0,
        lang: str = "en",
        folder: Path | None = None,
    ) -> Lab:
        """A lab file's path, a folder (of a lab, or of plain manifests), or a mapping. Raises InputError with every
        problem of the file at once. `notes` of the lab say what was skipped."""
        source = what if isinstance(what, Source) else open_source(what, folder=folder)
        world, notes = build(source, seed=seed, lang=lang)
        return cls(source, world, seed, (*source.notes, *notes))

    @property
    def name(self) -> str:
        return self.source.name

    def copy(self) -> Lab:
        """An independent lab in the same state, with the same log."""
        other = Lab.__new__(Lab)
        other.source, other.seed, other.notes = self.source, self.seed, self.notes
        other.world = self._fork(self.world)
        other.acts, other._undone = list(self.acts), list(self._undone)
        other._before = list(self._before)
        other._shells = {}
        other._start = self._start
        return other

    def _fork(self, world: World, *, borrowed: bool = False) -> World:
        return world.copy(Seeded(self.seed), borrowed=borrowed)

    # ---- acting

    def places(self) -> list[str]:
        """The terminals that can be opened now."""
        return self.world.places()

    def shell(self, place: str) -> Shell:
        """The terminal at a place, the same one each time (its folder and history stay). Raises EngineError."""
        shell = self._shells.get(place)
        if shell is None:
            shell = self._shells[place] = Shell(self.world, place)
        return shell

    def run(self, place: str, line: str) -> Result:
        """Type a line at a place. Raises EngineError when there is no such place; never for what was typed."""
        self.shell(place)
        result = self._act(Act(kind="run", place=place, line=line))
        assert isinstance(result, Result)
        return result

    def send(
        self,
        source: str,
        to: str,
        *,
        proto: str = "tcp",
        headers: Mapping[str, str] | None = None,
        enter: str = "",
        choose: Choose | None = None,
        on_copy: bool = True,
    ) -> Traced:
        """One flow and what its caller learned. `on_copy` False is an act: the lab keeps its traces."""
        if on_copy:
            with unswept():
                world = self._fork(self.world, borrowed=True)
                chosen = choose if choose is not None else Seeded(self.seed)
                return trace(world, source, to, proto=proto, headers=headers, enter=enter, choose=chosen)
        flow = (source, to, proto, tuple((headers or {}).items()), enter)
        result = self._act(Act(kind="trace", flow=flow))
        assert isinstance(result, Traced)
        return result

    def resolve(self, source: str, name: str, type: str = "A", choose: Choose | None = None) -> Resolved:
        """What the resolver of a place makes of a name, asked on a copy. Raises InputError; NotModelled."""
        chosen = choose if choose is not None else Seeded(self.seed)
        return resolve(self._fork(self.world, borrowed=True), source, name, type, chosen)

    def trace(
        self,
        source: str,
        to: str,
        proto: str = "tcp",
        headers: Mapping[str, str] | None = None,
        choose: Choose | None = None,
        on_copy: bool = True,
        *,
        enter: str = "",
    ) -> Journey:
        """One journey through the lab as it is. Raises InputError for an endpoint that is not there."""
        sent = self.send(
            source, to, proto=proto, headers=headers, enter=enter, choose=choose, on_copy=on_copy
        )
        return sent.journey

    def do(self, op: Op) -> None:
        """A change that nobody typed (a fault). Raises OpError, and then it is no act."""
        self._act(Act(kind="op", op=op))

    def wait(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._act(Act(kind="wait", seconds=seconds))

    def _act(self, act: Act) -> Result | Traced | None:
        before = self.world.copy()
        result = self._carry_out(act)
        self._before.append(before)
        if len(self._before) > KEPT:
            self._before[len(self._before) - KEPT - 1] = None
        self.acts.append(act)
        self._undone.clear()
        return result

    def _carry_out(self, act: Act) -> Result | Traced | None:
        """Do one act now. Its random choices depend on the seed and on its number alone."""
        world = self.world
        world.choose = Seeded(self.seed * 1_000_003 + len(self.acts))
        if act.kind == "run":
            return self.shell(act.place).run(act.line)
        if act.kind == "trace" and act.flow is not None:
            source, to, proto, headers, enter = act.flow
            result = trace(
                world, source, to, proto=proto, headers=dict(headers), enter=enter, choose=world.choose
            )
            world.saw([result.journey])
            return result
        world.do(act.op if act.op is not None else Advance(seconds=act.seconds))
        world.settle()
        return None

    # ---- going back

    def undo(self) -> Act | None:
        """Take the last act back; None when there is none."""
        if not self.acts:
            return None
        act, before = self.acts.pop(), self._before.pop()
        self._undone.append(act)
        if before is not None:
            # A copy of this lab may hold the same snapshot.
            self._enter(before.copy())
        else:
            self._replay(self.acts)
        return act

    def redo(self) -> Act | None:
        """Do again what was taken back last; None when there is nothing, or something else was done since."""
        if not self._undone:
            return None
        act, rest = self._undone[-1], self._undone[:-1]
        self._act(act)
        self._undone = rest
        return act

    def reset(self) -> None:
        """Back to the lab as it was opened; the log is empty then."""
        self.acts, self._undone, self._before = [], [], []
        self._shells = {}
        self._enter(self._start.copy())

    def _replay(self, acts: list[Act]) -> None:
        self.acts, self._before = [], []
        self._shells = {}
        self._enter(self._start.copy())
        undone = self._undone
        for act in acts:
            self._act(act)
        self._undone = undone

    def replayed(self) -> Lab:
        """The same log on the lab as it was opened: a lab in the same state."""
        other = self.copy()
        other._replay(list(self.acts))
        return other

    def rebase(self) -> None:
        """What was done so far becomes the start: an exercise's faults cannot be undone."""
        self.acts, self._undone, self._before = [], [], []
        self._start = self.world.copy()

    def _enter(self, world: World) -> None:
        world.lang = self.world.lang
        self.world = world
        for shell in self._shells.values():
            shell.world = world

    # ---- asking

    def endpoint(self, ref: str, enter: str | None = None) -> Endpoint:
        """Where `pod/NS/NAME`, `node/N`, `container/H/N` ... is. With an address, `enter` names the node where
        its packets come in. Raises InputError; NotModelled for svc/."""
        end = find(self.world, ref)
        if not end.netns and enter:
            node = find(self.world, enter)
            return Endpoint(ref=ref, netns=node.netns, address=end.address, addresses=end.addresses)
        return end
