"""The story of a lesson: its run blocks, one after the other, and its plays in between.

Theory. A lesson's run blocks share one lab: each finds what those before it left. A block that says `fresh` starts
again. Plays and exercises work in copies. What was run is kept, so that a step is shown again at no cost, and a step in
the middle is reached by running what comes before it.

Rules. Outputs are made here and nowhere else. The learner's own lab is another one (`lab_at` gives a copy).
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.grade.beside import Beside
from engine.grade.course import Folder
from engine.grade.finding import Halt
from engine.grade.lesson import Block, Play, Run
from engine.grade.predict import Question, question
from engine.grade.steps import find
from engine.lab import faults
from engine.lab.deeds import do
from engine.lab.lab import Lab
from engine.linux.journey import Journey
from engine.record import dataclass, replace
from engine.say import Said
from engine.shell.shell import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One command of a run block and what it printed."""

    command: str
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A play, ready to be shown: its journey, the lab that it crossed (for the drawing), the hop to halt at, the
    question there. `failed` says what of its faults and deeds did not work. A comparison has a `title` for each side,
    and the other side is `beside`."""

    journey: Journey
    lab: Lab
    halt: Halt | None = None
    question: Question | None = None
    failed: tuple[Said, ...] = ()
    title: Said | None = None
    beside: Played | None = None


class Story:
    """The run blocks of one lesson in one language of messages. Blocks are named by (step, block), from 0."""

    def __init__(self, folder: Folder, lang: str = "en") -> None:
        self.folder = folder
        self.lang = lang
        self.lab = folder.open_lab(lang=lang)
        self._done: dict[tuple[int, int], tuple[Shown, ...]] = {}
        self._before: dict[tuple[int, int], Lab] = {}
        self._order = [
            (i, j)
            for i, step in enumerate(folder.lesson.steps)
            for j, block in enumerate(step.en)
            if isinstance(block, Run | Play)
        ]

    def block(self, at: tuple[int, int]) -> Block:
        return self.folder.lesson.steps[at[0]].en[at[1]]

    def _reach(self, at: tuple[int, int]) -> None:
        """Run everything up to and including `at`."""
        for one in self._order:
            if one > at:
                return
            if one in self._before:
                continue
            block = self.block(one)
            if isinstance(block, Run) and block.fresh:
                self.lab = self.folder.open_lab(lang=self.lang)
            self._before[one] = self.lab.copy()
            if isinstance(block, Run):
                self._done[one] = self._run(block)

    def _run(self, block: Run) -> tuple[Shown, ...]:
        return tuple(Shown(command=line, result=self.lab.run(block.place, line)) for line in block.commands)

    def outputs(self, step: int, block: int) -> tuple[Shown, ...]:
        """What a run block prints. Raises EngineError when its place does not exist."""
        self._reach((step, block))
        return self._done[step, block]

    def lab_at(self, step: int) -> Lab:
        """A copy of the lab as the run blocks of the steps before this one left it."""
        earlier = [one for one in self._order if one[0] < step]
        if earlier:
            self._reach(earlier[-1])
        later = [one for one in self._order if one[0] >= step and one in self._before]
        lab = self._before[later[0]] if later else self.lab
        return lab.copy()

    def play(self, step: int, block: int, seed: int = 0) -> Played:
        """A play. Raises InputError when it cannot be sent or asked."""
        self._reach((step, block))
        play = self.block((step, block))
        assert isinstance(play, Play)
        lab, journey, failed = self._send((step, block), play)
        asked = None if play.ask is None else question(lab, play.ask, journey, seed)
        halt = None
        if play.stop is not None and (found := find(journey, play.stop)) is not None:
            halt = found.halt
        elif asked is not None:
            halt = asked.halt
        played = Played(journey=journey, lab=lab, halt=halt, question=asked, failed=failed)
        if play.beside is None:
            return played
        lab, journey, failed = self._send((step, block), play.beside)
        other = Played(journey=journey, lab=lab, failed=failed, title=play.beside.that)
        return replace(played, title=play.beside.this, beside=other)

    def _send(self, at: tuple[int, int], play: Play | Beside) -> tuple[Lab, Journey, tuple[Said, ...]]:
        """(lab, journey, what failed) of a play, or of what stands beside it, in a lab of its own."""
        lab = self.folder.open_lab(play.lab, lang=self.lang) if play.lab else self._before[at].copy()
        failed = tuple(do(lab, play.deeds))
        faults.put(lab.world, play.faults)
        return lab, play.flow.send(lab).journey, failed

    def everything(self) -> Iterator[tuple[tuple[int, int], Block]]:
        """All run and play blocks, in order."""
        for at in self._order:
            yield at, self.block(at)
