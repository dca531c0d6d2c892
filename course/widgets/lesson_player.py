"""The player with the words that the key bar and the help show for its keys."""

from __future__ import annotations

from typing import ClassVar

from course import words_player as words
from course.commands import Command
from course.widgets.player import Player
from engine.record import replace


class LessonPlayer(Player):
    """Player's own bindings do the work; this table names them."""

    ACTIONS: ClassVar[tuple[Command, ...]] = (
        Command(action="play_pause", keys=("space",), label=words.PLAY, about=words.PLAY_ABOUT, bar=8),
        Command(
            action="step(1)", keys=("right",), label=words.HOP, about=words.HOP_ABOUT, bar=7, shown="← →"
        ),
        Command(action="step(-1)", keys=("left",), label=words.HOP_BACK, about=words.HOP_BACK_ABOUT),
        Command(
            action="inside(1)",
            keys=("right_square_bracket",),
            label=words.STEP,
            about=words.STEP_ABOUT,
            shown="[ ]",
        ),
        Command(
            action="zoom", keys=("enter", "z"), label=words.ZOOM, about=words.ZOOM_ABOUT, bar=6, shown="z"
        ),
        Command(action="chain", keys=("c", "f12"), label=words.CHAINS, about=words.CHAINS_ABOUT, bar=0),
        Command(action="view", keys=("v", "f6"), label=words.LADDER, about=words.LADDER_ABOUT, bar=6),
        Command(
            action="faster(1)",
            keys=("plus", "f10"),
            label=words.FASTER,
            about=words.FASTER_ABOUT,
            shown="+ -",
        ),
        Command(action="replay", keys=("r", "f5"), label=words.REPLAY, about=words.REPLAY_ABOUT, bar=2),
        Command(action="arp", keys=("a", "f7"), label=words.ARP, about=words.ARP_ABOUT),
        Command(action="later", keys=("m", "f8"), label=words.LATER, about=words.LATER_ABOUT),
        Command(action="goto", keys=("g", "number_sign"), label=words.GOTO, about=words.GOTO_ABOUT),
        Command(action="first", keys=("home",), label=words.FIRST, about=words.FIRST_ABOUT),
        Command(action="last", keys=("end",), label=words.LAST, about=words.LAST_ABOUT),
        Command(action="choose_row", keys=("o",), label=words.ROW, about=words.ROW_ABOUT),
    )

    #: in the zoom: from step to step; page by page through the rules that were met
    INSIDE: ClassVar[tuple[Command, ...]] = (
        Command(
            action="down(1)", keys=("down",), label=words.STEP, about=words.STEP_ABOUT, bar=7, shown="↑↓"
        ),
        Command(action="page(1)", keys=("pagedown",), label=words.SCROLL, about=words.SCROLL_ABOUT),
        Command(action="page(-1)", keys=("pageup",), label=words.SCROLL, about=words.SCROLL_ABOUT),
    )

    #: while a chain is open: what the arrows and Enter do then
    CHAIN: ClassVar[tuple[Command, ...]] = (
        Command(
            action="down(1)", keys=("down",), label=words.RULE, about=words.RULE_ABOUT, bar=8, shown="↑↓"
        ),
        Command(
            action="step(1)", keys=("right",), label=words.CHAIN, about=words.CHAIN_ABOUT, bar=7, shown="← →"
        ),
        Command(action="enter", keys=("enter",), label=words.FOLLOW, about=words.FOLLOW_ABOUT, bar=7),
    )

    def actions_now(self) -> tuple[Command, ...]:
        """The keys as they are now: another set while a chain is open; in the zoom ↑ ↓ go from rule to rule, `c` is
        shown, and `z` leads out. `v` names the view that it leads to."""
        out = [
            replace(c, bar=8 if self.zoomed else 0) if c.action == "chain" else c
            for c in self.ACTIONS
            if not (self.chained and c.keys[0] in ("right", "left", "enter"))
        ]
        if self.view == "ladder":
            out = [replace(c, label=words.SCENE) if c.action == "view" else c for c in out]
        if self.zoomed:
            out = [replace(c, label=words.ZOOM_OUT) if c.action == "zoom" else c for c in out]
        return (*(self.CHAIN if self.chained else self.INSIDE if self.zoomed else ()), *out)
