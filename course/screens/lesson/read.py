"""The Read pane: the text of one step with its blocks, folded behind a prediction that is still open.

Theory. What follows a play that asks for a prediction often says the answer. So it stays folded, for readers and screen
readers alike, until the question was answered or skipped: one quiet line stands there instead.

Rules. It writes what it is given and posts `DoBlock.Chosen`; nothing is run here. Up and Down walk the blocks that can
be seen and scroll.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from course import words_lesson as say
from course.commands import Command, bindings
from course.widgets.blocks import At, DoBlock, ExerciseBlock, FoldBlock, PlayBlock, ProseBlock, RunBlock

if TYPE_CHECKING:
    from engine.grade.lesson import Block, Lesson
    from engine.say import Said


class ReadPane(VerticalScroll):
    """The text of a step. Up and Down walk its blocks and scroll; it holds the step's keys."""

    ACTIONS: ClassVar[tuple[Command, ...]] = (
        Command(action="choose", keys=("enter",), label=say.CHOOSE, about=say.CHOOSE_ABOUT, bar=7),
        Command(
            action="walk(1)", keys=("down", "j"), label=say.MOVE, about=say.MOVE_ABOUT, bar=4, shown="↑↓"
        ),
        Command(action="walk(-1)", keys=("up", "k"), label=say.MOVE, about=say.MOVE_ABOUT),
    )
    BINDINGS = bindings(ACTIONS)
    DEFAULT_CSS = """
    ReadPane { width: 2fr; padding: 0 1; border-right: solid $panel; scrollbar-size-vertical: 1; }
    ReadPane ProseBlock { height: auto; margin-bottom: 1; }
    ReadPane DoBlock { margin-bottom: 1; }
    """
    can_focus = True
    written: int | None = None  # the step whose text stands here

    async def write(self, lesson: Lesson, step: int, lang: str, *, ascii: bool, done: Collection[At]) -> None:
        """The text of a step; `done` are the predictions that are no longer open."""
        from engine.grade.lesson import Play, Prose, Run

        self.written = step
        widgets: list[Static] = []
        if step == 0 and lesson.opening(lang):
            widgets.append(ProseBlock(lesson.opening(lang), ascii=ascii))
        widgets.append(ProseBlock(f"## {lesson.steps[step].title.text(lang)}", ascii=ascii))
        for block, at in numbered(lesson, step, lang):
            if isinstance(block, Prose):
                widgets.append(ProseBlock(block.text, ascii=ascii))
            elif isinstance(block, Run):
                widgets.append(RunBlock(block, at))
            elif isinstance(block, Play):
                widgets.append(PlayBlock(block, at, lang=lang, ascii=ascii))
                if block.ask is not None:
                    widgets.append(FoldBlock(at, lang=lang, ascii=ascii))
            else:
                widgets.append(ExerciseBlock(block))
        await self._replace(widgets, done)

    async def write_first(self, texts: Sequence[str], *, ascii: bool) -> None:
        """The first words of a step, whose blocks are not known yet."""
        await self._replace([ProseBlock(text, ascii=ascii) for text in texts], ())

    async def _replace(self, widgets: list[Static], done: Collection[At]) -> None:
        await self.remove_children()
        self._fold(widgets, done)
        await self.mount(*widgets, Static(id="onward", markup=False))

    def refold(self, done: Collection[At]) -> None:
        """Open what was folded behind these predictions."""
        focused = self.screen.focused
        self._fold([w for w in self.children if isinstance(w, Static)], done)
        if focused is not None and focused in self.children and not focused.display:
            self.focus()

    @staticmethod
    def _fold(widgets: Sequence[Static], done: Collection[At]) -> None:
        folded = False
        for widget in widgets:
            if isinstance(widget, FoldBlock):
                widget.display = not folded and widget.at not in done
                folded = folded or widget.display
            elif widget.id != "onward":
                widget.display = not folded

    def onward(self, said: Sequence[Said], lang: str) -> None:
        """The last lines: which keys go on from here."""
        for line in self.query("#onward").results(Static):
            line.update(Content.assemble(("\n".join(s.text(lang) for s in said), "$accent")))

    # -- blocks ---------------------------------------------------------------------------------------------

    def blocks(self) -> list[DoBlock]:
        """Those that can be seen."""
        return [b for b in self.query(DoBlock) if b.display]

    def place(self) -> tuple[int | None, int]:
        """(which block has the focus, the first line in view), for `back_to` after the text was written again."""
        focused, blocks = self.screen.focused, self.blocks()
        at = blocks.index(focused) if isinstance(focused, DoBlock) and focused in blocks else None
        return at, self.scroll_offset.y

    def back_to(self, place: tuple[int | None, int]) -> None:
        at, top = place
        blocks = self.blocks()
        if at is not None and at < len(blocks):
            blocks[at].focus(scroll_visible=False)
        self.call_after_refresh(self.scroll_to, y=top, animate=False)

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
        """The block with the focus; without one the first that begins on the screen, else on to the next one."""
        focused = self.screen.focused
        top, height = self.scroll_offset.y, self.size.height
        seen = [b for b in self.blocks() if top <= b.virtual_region.y < top + height]
        block = focused if isinstance(focused, DoBlock) else next(iter(seen), None)
        if block is None:
            self.action_walk(1)
            return
        block.focus(scroll_visible=False)
        block.post_message(DoBlock.Chosen(block))


def numbered(lesson: Lesson, step: int, lang: str) -> list[tuple[Block, At]]:
    """The blocks of a step in a language, each with its (step, block) in the lesson's own numbering."""
    from engine.grade.lesson import Prose

    own, used = lesson.steps[step].en, set[int]()
    out: list[tuple[Block, At]] = []
    for block in lesson.steps[step].blocks(lang):
        index = -1
        if not isinstance(block, Prose):
            index = next(i for i in range(len(own)) if own[i] is block and i not in used)
            used.add(index)
        out.append((block, (step, index)))
    return out
