"""A lesson: Read, See and Do. The text of one step, the packet, and the terminal or an exercise.

Theory. A step is shown from its blocks; everything slow (opening the lab, running blocks, posing and checking an
exercise) happens in `Desk`, a plain object that a named exclusive worker calls; the worker only hands back values. From
110 columns on the three panes share the window; below that one pane is shown at a time, by the keys 1 2 3.

Rules. The learner's terminal types in the lab of the step, or of the open exercise; run blocks live in the story's own
lab. Esc always goes outward: from the line to the text, from an exercise to the step, from the step to the course map.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from course import catalog, words
from course import words_lesson as say
from course.commands import Command, bindings
from course.progress import Outcome
from course.rows import command_for, terminal_at
from course.screens.base import TutorScreen
from course.screens.desk import Desk, Opened
from course.screens.picker import Picker, Row
from course.screens.prompt import NumberPrompt
from course.widgets.blocks import DoBlock, ExerciseBlock, PlayBlock, ProseBlock, RunBlock
from course.widgets.exercise import ExercisePane
from course.widgets.keybar import types
from course.widgets.lesson_player import LessonPlayer
from course.widgets.player import Player
from course.widgets.terminal import CommandLine, Terminal
from engine.errors import EngineError
from engine.grade.lesson import ExerciseRef, Play, Prose, Run
from engine.grade.predict import Question
from engine.grade.story import Played
from engine.say import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from course.catalog import Entry
    from engine.grade.finding import Verdict
    from engine.grade.pose import Posed

#: from this width on the panes stand side by side
WIDE = 110
#: seconds that the lab waits at most for the text to be painted
PAINT = 0.5


class ReadPane(VerticalScroll):
    """The text of a step. Up and Down walk its blocks and scroll; it holds the step's keys."""

    ACTIONS: ClassVar[tuple[Command, ...]] = (
        Command(action="choose", keys=("enter",), label=say.CHOOSE, about=say.CHOOSE_ABOUT, bar=7),
        Command(
            action="walk(1)", keys=("down", "j"), label=say.MOVE, about=say.MOVE_ABOUT, bar=4, shown="↑↓"
        ),
        Command(action="walk(-1)", keys=("up", "k"), label=say.MOVE, about=say.MOVE_ABOUT),
    )
    BINDINGS = bindings(c for c in ACTIONS if c.action != "choose")
    can_focus = True

    def blocks(self) -> list[DoBlock]:
        return list(self.query(DoBlock))

    def action_walk(self, by: int) -> None:
        """To the next block if it is on the screen or near, else scroll by some lines."""
        blocks = self.blocks()
        focused = self.screen.focused
        at = (
            blocks.index(focused)
            if isinstance(focused, DoBlock) and focused in blocks
            else (-1 if by > 0 else len(blocks))
        )
        target = blocks[at + by] if 0 <= at + by < len(blocks) else None
        top, height = self.scroll_offset.y, self.size.height
        if target is not None:
            y = target.virtual_region.y
            if top - height // 2 <= y < top + height + height // 2:
                target.focus()
                return
        self.scroll_relative(y=4 * by, animate=False)

    def action_choose(self) -> None:
        focused = self.screen.focused
        block = focused if isinstance(focused, DoBlock) else next(iter(self.blocks()), None)
        if block is not None:
            block.post_message(DoBlock.Chosen(block))


class LessonScreen(TutorScreen):
    """One lesson at one step."""

    ACTIONS: ClassVar[tuple[Command, ...]] = (
        Command(action="pane('read')", keys=("1",), label=say.READ, about=say.READ_ABOUT, bar=3),
        Command(action="pane('see')", keys=("2",), label=say.SEE, about=say.SEE_ABOUT, bar=3),
        Command(action="pane('do')", keys=("3",), label=say.DO, about=say.DO_ABOUT, bar=3),
        Command(action="predict", keys=("p",), label=say.PREDICT, about=say.PREDICT_ABOUT, bar=8),
        Command(action="play", keys=("space",), label=say.PLAY, about=say.PLAY_ABOUT, bar=6),
        Command(action="play", keys=("f7",), label=say.SEE_PACKET, about=say.SEE_PACKET_ABOUT),
        Command(action="check", keys=("f9",), label=say.CHECK, about=say.CHECK_ABOUT),
        Command(action="terminal", keys=("t",), label=say.TERMINAL, about=say.TERMINAL_ABOUT, bar=4),
        Command(action="exercise", keys=("e",), label=say.EXERCISE, about=say.EXERCISE_ABOUT, bar=5),
        Command(action="next", keys=("n", "ctrl+right"), label=say.NEXT, about=say.NEXT_ABOUT, bar=7),
        Command(action="before", keys=("b", "ctrl+left"), label=say.BEFORE, about=say.BEFORE_ABOUT, bar=1),
        Command(action="maximise", keys=("f11",), label=say.MAXIMISE, about=say.MAXIMISE_ABOUT),
        Command(action="back", keys=("escape",), label=words.BACK, about=words.BACK_ABOUT, bar=8),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(c for c in ACTIONS if c.action != "back"),
        Binding("escape", "back", show=False, priority=False),
    ]
    DEFAULT_CSS = """
    LessonScreen #head { height: 1; dock: top; background: $panel; }
    LessonScreen #upper { height: 1fr; }
    LessonScreen #lower { height: 9; }
    LessonScreen.doing #lower { height: 45%; }
    LessonScreen #read { width: 2fr; padding: 0 1; border-right: solid $panel; scrollbar-size-vertical: 1; }
    LessonScreen #see { width: 3fr; }
    LessonScreen #see Player { height: 1fr; }
    LessonScreen #asked { height: auto; max-height: 6; padding: 0 1; background: $panel; }
    LessonScreen #nothing { height: 1fr; content-align: center middle; color: $text-muted; padding: 0 4; }
    LessonScreen #exercise-side { width: 1fr; border-top: solid $panel; border-title-color: $accent; }
    LessonScreen #exercise-side:focus-within { border-top: solid $accent; }
    LessonScreen #terminal { width: 1fr; padding: 0 1; }
    LessonScreen ProseBlock { height: auto; margin-bottom: 1; }
    LessonScreen DoBlock { margin-bottom: 1; }
    LessonScreen .hidden { display: none; }
    LessonScreen.narrow #read { border-right: none; }
    LessonScreen.narrow #lower, LessonScreen.narrow.doing #lower { height: 1fr; }
    LessonScreen.narrow #upper { height: 1fr; }
    LessonScreen.narrow #exercise-side { border-top: none; }
    """

    def __init__(self, entry: Entry, step: int) -> None:
        super().__init__()
        self.entry = entry
        self.step = step
        self.pane = "read"
        self.desk: Desk | None = None
        self.opened: Opened | None = None
        self.played: Played | None = None
        self.asking: Question | None = None
        self.exercise_open = False
        self.full = False
        self._began = time.monotonic()
        self._loaded = False
        self._eager = ""  # asked for before the lab was open: done as soon as it is
        self._written: int | None = None

    def panes(self) -> ComposeResult:
        # The classes of the first size are there from the start: `_arrange` then finds nothing to change, and the
        # whole tree is styled once before the first paint.
        self.set_class(self.app.size.width < WIDE, "narrow")
        aside = "hidden" if self.has_class("narrow") else ""
        yield Static(id="head", classes="pane")
        with Vertical(classes="pane"):
            with Horizontal(id="upper"):
                yield ReadPane(id="read")
                with Vertical(id="see", classes=aside):
                    yield Static(id="asked", classes="hidden", markup=False)
                    yield Static(id="nothing", markup=False)
                    player = LessonPlayer(id="player", lang=self.tutor.lang, ascii=self.tutor.ascii)
                    player.add_class("hidden")
                    yield player
            with Horizontal(id="lower", classes=aside):
                with Vertical(id="exercise-side", classes="hidden"):
                    yield ExercisePane(id="exercise", lang=self.tutor.lang, ascii=self.tutor.ascii)
                yield Terminal(id="terminal", lang=self.tutor.lang)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#nothing", Static).update(say.OPENING().text(self.tutor.lang))
        self.query_one("#read").focus()
        self.run_worker(self._open, name="open-lesson", group="lesson", exclusive=True, thread=True)

    def _from_thread(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this on the screen's thread, and wait for it."""

        async def run() -> None:
            await work

        callback: Callable[[], Any] = run
        self.app.call_from_thread(callback)

    # -- opening --------------------------------------------------------------------------------------------

    def _open(self) -> None:
        try:
            desk = Desk(self.entry, self.tutor.lang)
            painted = threading.Event()
            self._from_thread(self._show_text(desk, painted))
            painted.wait(PAINT)  # the text first: opening the lab would share the processor with its paint
            opened = desk.open(self.step)
        except EngineError as error:
            self.app.call_from_thread(self._failed, error)
            return
        self._from_thread(self._show(desk, opened))

    async def _show_text(self, desk: Desk, painted: threading.Event) -> None:
        """The text of the first step, before its lab is there."""
        self.desk, self.step = desk, desk.step(self.step)
        await self._write_blocks()
        self._head()
        self.call_after_refresh(painted.set)

    def _failed(self, error: EngineError) -> None:
        text = say.LESSON_FAILED(error=error.text(self.tutor.lang)).text(self.tutor.lang)
        self.query_one("#nothing", Static).update(Content(text))

    async def _show(self, desk: Desk, opened: Opened) -> None:
        """A step has been opened: write its blocks, attach the terminal, load its first play."""
        self.desk, self.opened, self.step = desk, opened, opened.step
        self.tutor.progress.visit(self.entry.id, opened.step)
        self.exercise_open, self.asking = False, None
        if self._written != opened.step:
            await self._write_blocks()
        self.query_one("#exercise-side").add_class("hidden")
        terminal = self.query_one(Terminal)
        title = say.LAB_OF_STEP(place=desk.place(opened)).text(self.tutor.lang)
        terminal.attach(opened.lab, desk.place(opened), title)
        eager, self._eager = self._eager, ""
        plays = [b for b in self.query(PlayBlock)]
        if plays:
            self._play_block(plays[0], go=eager == "play")
        else:
            self._nothing()
        self._loaded = True
        self._head()
        self._run_blocks()
        if eager == "exercise":
            self.action_exercise()
        elif eager == "terminal":
            self.action_terminal()
        else:
            self._go("read")
            self.query_one("#read", ReadPane).scroll_home(animate=False)

    async def _write_blocks(self) -> None:
        step, lang, ascii = self.step, self.tutor.lang, self.tutor.ascii
        assert self.desk is not None
        self._written = step
        read = self.query_one("#read", ReadPane)
        await read.remove_children()
        lesson = self.desk.lesson
        widgets: list[Static] = []
        if step == 0 and lesson.opening(lang):
            widgets.append(ProseBlock(lesson.opening(lang), ascii=ascii))
        widgets.append(ProseBlock(f"## {lesson.steps[step].title.text(lang)}", ascii=ascii))
        kinds: dict[int, int] = {}
        own = lesson.steps[step].en
        for block in lesson.steps[step].blocks(lang):
            if isinstance(block, Prose):
                widgets.append(ProseBlock(block.text, ascii=ascii))
                continue
            index = next(i for i in range(len(own)) if own[i] is block and i not in kinds)
            kinds[index] = index
            if isinstance(block, Run):
                widgets.append(RunBlock(block, (step, index)))
            elif isinstance(block, Play):
                widgets.append(PlayBlock(block, (step, index), lang=lang, ascii=ascii))
            elif isinstance(block, ExerciseRef):
                widgets.append(ExerciseBlock(block))
        onward = Static(id="onward", markup=False)
        await read.mount(*widgets, onward)
        self._mark_exercises()

    def _mark_exercises(self) -> None:
        assert self.desk is not None
        lang = self.tutor.lang
        for block in self.query(ExerciseBlock):
            exercise = self.desk.exercise(block.ref.id)
            state = self.tutor.progress.exercise(self.entry.id, block.ref.id)
            word = "solved" if state.solved else "watched" if state.watched else ""
            kind = say.KINDS[exercise.kind]().text(lang)
            block.show(exercise.title.text(lang), kind, word, lang=lang, ascii=self.tutor.ascii)
        self.show_keys()
        for line in self.query("#onward").results(Static):
            line.update(Content.assemble(("\n".join(s.text(lang) for s in self._onward()), "$accent")))

    def _todo(self) -> list[str]:
        """The exercises of this step that are not solved, the open one left out when it is."""
        states = self.tutor.progress.exercises()
        ids = [b.ref.id for b in self.query(ExerciseBlock)]
        return [id for id in ids if not ((s := states.get((self.entry.id, id))) and s.solved)]

    def _onward(self) -> list[Said]:
        """Which keys go on from here."""
        desk = self.desk
        assert desk is not None
        out: list[Said] = []
        todo = self._todo()
        if todo:
            out.append(say.GO_EXERCISE(title=desk.exercise(todo[0]).title))
        if self.step + 1 < len(desk.lesson.steps):
            phrase = say.GO_OR_STEP if todo else say.GO_STEP
            out.append(phrase(title=desk.lesson.steps[self.step + 1].title))
        elif not todo:
            out.append(self._farewell())
        return out

    def actions_now(self) -> tuple[Command, ...]:
        """The screen's commands. `next` stands out when nothing is left to do; what cannot be done is hidden."""
        todo = self._todo()
        open_ = self.exercise_open
        bars = {
            "next": 4 if todo else 8,
            "exercise": 6 if todo else 0,
            "predict": 8 if self.asking is not None else 0,
        }
        typing = types(self.focused)
        journey = not self.query_one(Player).has_class("hidden")
        out = []
        for command in self.ACTIONS:
            bar = bars.get(command.action, command.bar)
            if command.action == "play" and not journey:
                bar = 0
            elif command.action == "play" and command.keys == ("f7",):
                bar = 6 if typing else 0
            elif command.action in ("next", "before") and typing:
                bar = 0
            elif command.action == "check":
                bar = 7 if open_ and isinstance(self.focused, CommandLine) else 0
            out.append(replace(command, bar=bar) if bar != command.bar else command)
        return tuple(out)

    def _run_blocks(self) -> None:
        """Fill the outputs of the run blocks, in order, off the screen's thread."""
        blocks = list(self.query(RunBlock))
        desk = self.desk
        if not blocks or desk is None:
            return

        def work() -> None:
            for block in blocks:
                self.app.call_from_thread(block.show, desk.outputs(block.at))

        self.run_worker(work, name="run-blocks", group="blocks", exclusive=True, thread=True)

    # -- texts ----------------------------------------------------------------------------------------------

    def title_of(self) -> str:
        return self.entry.title[self.tutor.lang]

    def retext(self) -> None:
        lang, ascii = self.tutor.lang, self.tutor.ascii
        if not self._loaded:
            self._head()
            return
        for player in self.query(Player):
            player.lang, player.ascii = lang, ascii
            player.motion = None if self.tutor.motion else False
        self.query_one(Terminal).lang = lang
        self._head()
        self.run_worker(self._retext_blocks(), name="retext", group="retext", exclusive=True)

    async def _retext_blocks(self) -> None:
        read = self.query_one("#read", ReadPane)
        focused = self.focused
        at = (
            read.blocks().index(focused)
            if isinstance(focused, DoBlock) and focused in read.blocks()
            else None
        )
        top = read.scroll_offset.y
        await self._write_blocks()
        if at is not None and at < len(read.blocks()):
            read.blocks()[at].focus(scroll_visible=False)
        self.call_after_refresh(read.scroll_to, y=top, animate=False)
        self._run_blocks()
        await self.query_one(ExercisePane).retext(self.tutor.lang, self.tutor.ascii)
        self._goal_now()
        self.show_keys()

    def _head(self) -> None:
        """The line above: lesson, step, panes, exercises of the lesson, language."""
        lang, ascii, width = self.tutor.lang, self.tutor.ascii, self.size.width
        left = f" {self.entry.number} {self.entry.title[lang]}"
        steps = len(self.desk.lesson.steps) if self.desk is not None else 0
        where = f" · {say.STEP_SHORT(step=self.step + 1, all=steps).text(lang)}" if steps else ""
        marks = ""
        if self.desk is not None:
            states = self.tutor.progress.exercises()
            for id in self.desk.lesson.exercises:
                state = states.get((self.entry.id, id))
                here = self.exercise_open and self.desk.posed is not None and self.desk.posed.id == id
                done = state is not None and state.solved
                marks += (
                    (">" if ascii else "▸")
                    if here and not done
                    else ("x" if ascii else "✔")
                    if done
                    else ("." if ascii else "○")
                )
        tabs: list[tuple[str, str]] = []
        if self.narrow:
            for key, name, label in (("1", "read", say.READ), ("2", "see", say.SEE), ("3", "do", say.DO)):
                style = "reverse bold" if name == self.pane else "dim"
                tabs += [("  ", ""), (f" {key} {label().text(lang)} ", style)]
        right = f"{marks}  {lang.upper()} "
        room = width - sum(cell_len(t) for t, _ in tabs) - cell_len(right) - cell_len(where) - 1
        if cell_len(left) > room:
            from course.screens.home import clip

            left = clip(left, max(4, room))
        used = cell_len(left) + cell_len(where) + sum(cell_len(t) for t, _ in tabs) + cell_len(right)
        head = Content.assemble(
            (left, "bold"), (where, "dim"), *tabs, " " * max(1, width - used), (right, "dim")
        )
        self.query_one("#head", Static).update(head)

    # -- panes ----------------------------------------------------------------------------------------------

    @property
    def narrow(self) -> bool:
        return self.size.width < WIDE or self.full

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._arrange()
        self._head()

    def _arrange(self) -> None:
        """Show the panes that belong to this size and state."""
        narrow = self.narrow
        self.set_class(narrow, "narrow")
        self.set_class(self.pane == "do", "doing")
        show = {
            "read": not narrow or self.pane == "read",
            "see": not narrow or self.pane == "see",
            "do": not narrow or self.pane == "do",
        }
        self.query_one("#read").set_class(not show["read"], "hidden")
        self.query_one("#see").set_class(not show["see"], "hidden")
        self.query_one("#upper").set_class(not (show["read"] or show["see"]), "hidden")
        self.query_one("#lower").set_class(not show["do"], "hidden")
        side, terminal = self.query_one("#exercise-side"), self.query_one("#terminal")
        alone = narrow and self.exercise_open and not self._in_terminal()
        side.set_class(not self.exercise_open or (narrow and self._in_terminal()), "hidden")
        terminal.set_class(alone, "hidden")

    def _in_terminal(self) -> bool:
        return self._do == "terminal"

    _do = "terminal"

    def _go(self, pane: str, do: str | None = None) -> None:
        """Show a pane and put the focus there."""
        self.pane = pane
        if do is not None:
            self._do = do
        self._arrange()
        self._head()
        if pane == "read":
            self.query_one("#read").focus()
        elif pane == "see":
            player = self.query_one(Player)
            (player if not player.has_class("hidden") else self.query_one("#see")).focus()
        elif self.exercise_open and self._do == "exercise":
            self.query_one(ExercisePane).focus_answer()
        else:
            self.query_one(CommandLine).focus()
        self.show_keys()

    def action_pane(self, pane: str) -> None:
        if not self._loaded:
            return
        self._go(pane, do=("exercise" if self.exercise_open else "terminal") if pane == "do" else None)

    def action_terminal(self) -> None:
        if not self._loaded:
            self._eager = "terminal"
            return
        self._go("do", do="terminal")

    def action_maximise(self) -> None:
        self.full = not self.full
        self._arrange()
        self._head()

    def action_back(self) -> None:
        """One step outward."""
        focused, pane = self.focused, self.query_one(ExercisePane)
        if self.exercise_open and (isinstance(focused, CommandLine) or self.pane == "see"):
            self._go("do", do="exercise")
        elif self.exercise_open and types(focused):
            pane.focus()
        elif self.exercise_open:
            self._close_exercise()
        elif self.pane != "read":
            self._go("read")
        else:
            self.tutor.leave(self)

    def action_check(self) -> None:
        """F9 also from the terminal: check the open exercise."""
        if self.exercise_open:
            self.query_one(ExercisePane).action_check()
            if self.narrow:
                self._go("do", do="exercise")

    # -- steps ----------------------------------------------------------------------------------------------

    def action_next(self) -> None:
        self._step(1)

    def action_before(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        desk = self.desk
        if desk is None or self.step + by < 0:
            return
        if self.step + by >= len(desk.lesson.steps):
            self.notify(self._farewell().text(self.tutor.lang), timeout=8)
            return
        target = self.step + by

        def work() -> None:
            try:
                opened = desk.open(target)
            except EngineError as error:
                self.app.call_from_thread(self._failed, error)
                return
            self._from_thread(self._show(desk, opened))

        self.run_worker(work, name="open-step", group="lesson", exclusive=True, thread=True)

    def _farewell(self) -> Said:
        """What is said at the end of the last step."""
        states = self.tutor.progress.exercises()
        assert self.desk is not None
        done = all(
            (s := states.get((self.entry.id, id))) is not None and s.solved
            for id in self.desk.lesson.exercises
        )
        following = next((e for e in catalog.entries() if e.ready and e.number > self.entry.number), None)
        if done and following is not None:
            return say.LESSON_DONE(title=following.title[self.tutor.lang])
        return say.LAST_STEP()

    # -- the packet -----------------------------------------------------------------------------------------

    def _nothing(self) -> None:
        self.query_one("#nothing", Static).update(say.NO_PACKET().text(self.tutor.lang))
        self.query_one("#nothing").remove_class("hidden")
        self.query_one(Player).add_class("hidden")

    def _tell(self, said: Said | None, style: str = "") -> None:
        """The line above the packet: a question, a verdict, what went wrong. It stays until the next packet."""
        self._told = (said, style)
        line = self.query_one("#asked", Static)
        line.set_class(said is None, "hidden")
        line.update(Content.assemble((said.text(self.tutor.lang), style)) if said is not None else "")

    _told: tuple[Said | None, str] = (None, "")

    def _load(self, journey: Any, net: Any, *, play: bool = False) -> Player:
        player = self.query_one(Player)
        self.query_one("#nothing").add_class("hidden")
        player.remove_class("hidden")
        player.motion = None if self.tutor.motion else False
        player.load(journey, net, play=play)
        self._tell(None)
        self.show_keys()
        return player

    def _play_block(self, block: PlayBlock, *, go: bool) -> None:
        desk = self.desk
        assert desk is not None

        def work() -> None:
            played = desk.play(block.at)
            self.app.call_from_thread(self._shown, played, go)

        self.run_worker(work, name="play", group="play", exclusive=True, thread=True)

    def _shown(self, played: Played | EngineError, go: bool) -> None:
        """A play is ready: load it; a question hides what comes after its hop."""
        if isinstance(played, EngineError):
            self._tell(played.said, "$error")
            return
        self.played = played
        player = self._load(played.journey, played.lab.world.net)
        self.asking = played.question
        if played.question is not None and self.desk is not None:
            self._tell(say.PREDICT_ASK(question=self.desk.question_text(played.question)), "$warning")
        if played.halt is not None and played.question is not None:
            player.conceal_hop(*played.halt)
        if go:
            self._go("see")
            if played.halt is not None and played.question is None:
                player.play_until(*played.halt)
            else:
                player.play()

    @on(Player.Finished)
    def _finished(self, event: Player.Finished) -> None:
        """A prediction ended the film: ask."""
        if event.hidden and self.asking is not None and self.app.screen is self:
            self.action_predict()

    def action_predict(self) -> None:
        if self.asking is not None and self.desk is not None:
            self._tell(say.PREDICT_NOW(question=self.desk.question_text(self.asking)), "$warning")
            self._ask(self.asking)

    @on(Player.RowChosen)
    def _row(self, event: Player.RowChosen) -> None:
        """Type the command that prints the row, where it decides."""
        terminal = self.query_one(Terminal)
        place = terminal_at(terminal.lab, event.place) if terminal.lab is not None else None
        if place is None:
            self._tell(say.NO_TERMINAL_THERE(place=event.place.text(), row=event.row.strip()), "dim")
            return
        terminal.go(place)
        terminal.type(command_for(event.step))
        self._go("do", do="terminal")

    def _ask(self, question: Question) -> None:
        assert self.desk is not None
        lang = self.tutor.lang
        title = self.desk.question_text(question).text(lang)

        def answer(option: Any) -> Any:
            return lambda: self._predicted(question, option)

        rows = [
            Row(key="abcdefgh"[i], text=o.text.text(lang), run=answer(o))
            for i, o in enumerate(question.options)
        ]
        self.app.push_screen(Picker(title, rows, lang))

    def _predicted(self, question: Question, option: Any) -> None:
        self.asking = None
        finding = question.check(option.id)
        right = finding is None
        self._tell(say.RIGHT() if finding is None else finding.said, "$success" if right else "$error")
        self.query_one(Player).reveal(play=True)
        self.show_keys()

    def action_play(self) -> None:
        """Space anywhere: to the packet, and let it move."""
        player = self.query_one(Player)
        if player.has_class("hidden"):
            self._eager = "play" if not self._loaded else ""
            return
        if not player.has_focus:
            self._go("see")
        player.action_play_pause()

    @on(Terminal.Ran)
    async def _ran(self, event: Terminal.Ran) -> None:
        """A command sent packets: the last one is ready to be seen."""
        if event.journeys and event.terminal.lab is not None:
            self.asking = None
            self._load(event.journeys[-1], event.terminal.lab.world.net, play=not self.narrow)
            if self.narrow:
                event.terminal.say(say.PACKET_SENT().text(self.tutor.lang), "dim")
        self._goal_now()

    # -- blocks ---------------------------------------------------------------------------------------------

    @on(DoBlock.Chosen)
    def _chosen(self, event: DoBlock.Chosen) -> None:
        if self.opened is None:
            return  # the text is there a moment before its lab
        block = event.block
        if isinstance(block, RunBlock):
            terminal = self.query_one(Terminal)
            terminal.go(block.run_block.place)
            terminal.type(block.run_block.commands[0])
            self._go("do", do="terminal")
        elif isinstance(block, PlayBlock):
            self._play_block(block, go=True)
        elif isinstance(block, ExerciseBlock):
            self._open_exercise(block.ref.id)

    @on(Terminal.PlacesAsked)
    def _places(self, event: Terminal.PlacesAsked) -> None:
        lab, lang = event.terminal.lab, self.tutor.lang
        if lab is None:
            return

        def go(place: str) -> Any:
            def run() -> None:
                event.terminal.go(place)
                self._go("do", do="terminal")

            return run

        rows = [Row(key="", text=place, run=go(place)) for place in lab.places()]
        self.app.push_screen(Picker(say.PLACES_TITLE().text(lang), rows, lang))

    # -- exercises ------------------------------------------------------------------------------------------

    def action_exercise(self) -> None:
        """The open exercise, else the step's first unsolved one, else its first."""
        if not self._loaded:
            self._eager = "exercise"
            return
        todo = self._todo()
        posed = self.desk.posed if self.desk is not None else None
        if self.exercise_open and posed is not None and (posed.id in todo or not todo):
            self._go("do", do="exercise")
            return
        for id in (todo or [b.ref.id for b in self.query(ExerciseBlock)])[:1]:
            self._open_exercise(id)

    def _open_exercise(self, id: str, seed: int | None = None, *, fresh: bool = False) -> None:
        desk = self.desk
        if desk is None:
            return

        def work() -> None:
            try:
                posed = desk.pose(id, seed, fresh=fresh)
            except EngineError as error:
                self.app.call_from_thread(
                    self.notify, error.text(self.tutor.lang), severity="error", timeout=10
                )
                return
            self._from_thread(self._posed(posed))

        self.run_worker(work, name="pose", group="exercise", exclusive=True, thread=True)

    async def _posed(self, posed: Posed) -> None:
        self.exercise_open = True
        self._began = time.monotonic()
        state = self.tutor.progress.exercise(self.entry.id, posed.id)
        pane = self.query_one(ExercisePane)
        await pane.show(posed, solved=state.solved)
        assert self.desk is not None
        terminal = self.query_one(Terminal)
        title = say.LAB_OF_EXERCISE(title=posed.title).text(self.tutor.lang)
        terminal.attach(posed.lab, self.desk.place_of_exercise(posed), title)
        if posed.question is not None:
            player = self._load(posed.question.journey, posed.lab.world.net)
            if posed.question.halt is not None:
                player.conceal_hop(*posed.question.halt)
        self._goal_now()
        self._go("do", do="exercise")
        pane.scroll_home(animate=False)

    def _close_exercise(self) -> None:
        self.exercise_open = False
        if self.opened is not None and self.desk is not None:
            place = self.desk.place(self.opened)
            title = say.LAB_OF_STEP(place=place).text(self.tutor.lang)
            self.query_one(Terminal).attach(self.opened.lab, place, title)
        self._do = "terminal"
        self._go("read")
        self._mark_exercises()

    @on(ExercisePane.TerminalAsked)
    def _to_terminal(self) -> None:
        self.action_terminal()

    @on(ExercisePane.Closed)
    def _left_exercise(self) -> None:
        self._close_exercise()

    @on(ExercisePane.Answered)
    def _answered(self, event: ExercisePane.Answered) -> None:
        desk = self.desk
        if desk is None or desk.posed is None:
            return

        def work() -> None:
            verdict = desk.check(event.answer, diagnosis=event.diagnosis)
            self.app.call_from_thread(self._judged, verdict, event.answer, event.diagnosis)

        self.run_worker(work, name="check", group="exercise", exclusive=True, thread=True)

    def _judged(self, verdict: Verdict, answer: Any, diagnosis: bool) -> None:
        """Show the verdict, keep it, and let the counter-example stand at its guilty hop."""
        desk = self.desk
        assert desk is not None and desk.posed is not None
        pane = self.query_one(ExercisePane)
        pane.judged(verdict, diagnosis=diagnosis)
        posed = desk.posed
        name = f"{posed.id}/diagnosis" if diagnosis else posed.id
        self.tutor.progress.record(
            lesson=self.entry.id, exercise=name, seed=posed.seed,
            outcome=Outcome.PASSED if verdict.passed else Outcome.FAILED,
            answer=answer if isinstance(answer, str | list) else None, hints=pane.hints,
            seconds=time.monotonic() - self._began,
        )  # fmt: skip
        shown = next((f for f in verdict.findings if f.journey is not None), None)
        if shown is not None and shown.journey is not None:
            player = self._load(shown.journey, posed.lab.world.net)
            if shown.halt is not None:
                player.halt_at(*shown.halt)
        elif verdict.passed and posed.question is not None:
            self.query_one(Player).reveal()
        self._goal_now()
        self._mark_exercises()
        self._head()
        if verdict.passed and not diagnosis:
            pane.onward(self._onward()[0])
        self.show_keys()

    def _goal_now(self) -> None:
        """How each line of the goal stands in the lab now."""
        desk = self.desk
        if desk is None or desk.posed is None or not self.exercise_open or desk.posed.goal is None:
            return
        lang, ascii = self.tutor.lang, self.tutor.ascii

        def work() -> None:
            lines = desk.goal_lines(lang, ascii=ascii)
            self.app.call_from_thread(self.query_one(ExercisePane).goal_lines, lines)

        self.run_worker(work, name="goal", group="goal", exclusive=True, thread=True)

    @on(ExercisePane.SolutionAsked)
    def _solution(self) -> None:
        desk = self.desk
        if desk is None or desk.posed is None:
            return
        pane = self.query_one(ExercisePane)
        for said in desk.solution():
            pane.say(said, "$accent")
        pane.say(say.SOLUTION_NOTE(), "dim")
        self.tutor.progress.watch(self.entry.id, desk.posed.id)
        self._mark_exercises()

    @on(ExercisePane.AgainAsked)
    def _again(self, event: ExercisePane.AgainAsked) -> None:
        if self.desk is not None and self.desk.posed is not None:
            seed = event.seed if event.seed is not None else random.SystemRandom().randrange(1, 10000)
            self._open_exercise(self.desk.posed.id, seed, fresh=True)

    @on(ExercisePane.SeedAsked)
    def _seed(self) -> None:
        lang = self.tutor.lang

        def done(seed: int | None) -> None:
            if seed is not None and self.desk is not None and self.desk.posed is not None:
                self._open_exercise(self.desk.posed.id, seed, fresh=True)

        self.app.push_screen(NumberPrompt(say.SEED_TITLE().text(lang)), done)
