"""The player's keys: what each moves. Every letter also works under the Korean two-set layout, and every action has a
key that is no letter.

Rules. A key moves the playback's index or changes what is shown, and then calls `_show`; nothing is drawn here.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widget import Widget

from course.keys import aliases
from course.render.playback import Playback
from course.widgets.player.zoom import Zoom

SPEEDS = (0.5, 1.0, 2.0, 4.0)


class PlayerControls(Widget):
    """Base of the Player: bindings and actions. The Player has the film, the clock and the parts that draw."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play_pause", "play/pause"),
        Binding("right", "step(1)", "hop"),
        Binding("left", "step(-1)", "hop back"),
        Binding("down", "down(1)", "next", show=False),
        Binding("up", "down(-1)", "previous", show=False),
        Binding("shift+right,right_square_bracket", "inside(1)", "step", show=False),
        Binding("shift+left,left_square_bracket", "inside(-1)", "step back", show=False),
        Binding("home", "first", "start", show=False),
        Binding("end", "last", "end", show=False),
        Binding("plus,equals_sign,f10", "faster(1)", "faster", show=False),
        Binding("minus,f9", "faster(-1)", "slower", show=False),
        Binding("enter", "enter", "zoom", show=False),
        Binding(aliases("z"), "zoom", "zoom"),
        Binding(aliases("v") + ",f6", "view", "ladder/scene"),
        Binding(aliases("r") + ",f5", "replay", "replay", show=False),
        Binding(aliases("a") + ",f7", "arp", "ARP detail", show=False),
        Binding(aliases("m") + ",f8", "later", "later packets", show=False),
        Binding(aliases("g") + ",number_sign", "goto", "go to hop", show=False),
        Binding(aliases("o"), "choose_row", "use the row", show=False),
        Binding(aliases("c") + ",f12", "chain", "chain", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
    ]

    playback: Playback
    speed: float = 1.0
    _zoomed: bool = False
    _arp: bool = True
    _later: bool = False
    _view: str = "auto"
    _typed: str | None = None
    _ticker: Timer | None = None
    _resume: bool = False  # it was playing when it was hidden

    @property
    def playing(self) -> bool:
        """Does the clock run?"""
        return self._ticker is not None

    @property
    def view(self) -> str:
        raise NotImplementedError

    def play(self) -> None:
        raise NotImplementedError

    def pause(self) -> None:
        raise NotImplementedError

    def seek(self, beat: int, fraction: float = 1.0) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        raise NotImplementedError

    def _show(self) -> None:
        raise NotImplementedError

    def _draw_panel(self) -> None:
        raise NotImplementedError

    def _arrange(self) -> None:
        raise NotImplementedError

    def _recut(self) -> None:
        raise NotImplementedError

    @property
    def zoom(self) -> Zoom:
        raise NotImplementedError

    @property
    def chained(self) -> bool:
        """Is a chain open in the zoom? Then the arrows move in it."""
        return self._zoomed and self.zoom.chain is not None

    def action_chain(self) -> None:
        """Open the chains of the node that the hop crosses, and close them again."""
        if self.chained:
            self.zoom.close()
        elif self.playback.now is not None:
            self._stop()
            if not self._zoomed:
                self.action_zoom()
            if not self.zoom.open():
                self._say_no_chain()
        self._redraw_keys()

    def action_page(self, by: int) -> None:
        if self.chained:
            self.zoom.move(by * self.zoom.page())
        elif self._zoomed:
            self.zoom.scroll(by * 4)

    def _say_no_chain(self) -> None:
        raise NotImplementedError

    def _redraw_keys(self) -> None:
        raise NotImplementedError

    def action_play_pause(self) -> None:
        if self.playing:
            self.pause()
        else:
            self.play()

    def action_step(self, by: int) -> None:
        if self.chained:
            self.zoom.turn(by)
            return
        self._stop()
        self.playback.step(by)
        self._show()

    def action_down(self, by: int) -> None:
        """Down and up: the next hop in the ladder and the scene, the next step in the zoom."""
        if self.chained:
            self.zoom.move(by)
        elif self._zoomed:
            self.action_inside(by)
        else:
            self.action_step(by)

    def action_inside(self, by: int) -> None:
        self._stop()
        self.playback.step_inside(by)
        self._show()

    def action_first(self) -> None:
        if self.chained:
            self.zoom.move(-(10**9))
        else:
            self.seek(0, 0.0)

    def action_last(self) -> None:
        if self.chained:
            self.zoom.move(10**9)
        else:
            self.seek(self.playback.last)

    def action_faster(self, by: int) -> None:
        index = SPEEDS.index(self.speed) if self.speed in SPEEDS else 1
        self.speed = SPEEDS[max(0, min(len(SPEEDS) - 1, index + by))]
        self._draw_panel()

    def action_zoom(self) -> None:
        """Into the hop and out again; playing stops, for there is something to read."""
        if self._typed is not None:
            self._go_typed()
            return
        if self.chained:
            self.zoom.close()
        self._stop()
        self._zoomed = not self._zoomed and self.playback.now is not None
        self._arrange()

    def action_enter(self) -> None:
        """Enter: into the hop, and in a chain to where its rule leads."""
        if self._typed is None and self.chained:
            self.zoom.follow()
        else:
            self.action_zoom()

    def action_view(self) -> None:
        self._view = "scene" if self.view == "ladder" else "ladder"
        self._zoomed = False
        self._arrange()

    def action_replay(self) -> None:
        self.playback.go(0, 0.0)
        self.play()

    def action_arp(self) -> None:
        self._arp = not self._arp
        self._recut()

    def action_later(self) -> None:
        self._later = not self._later
        self._recut()

    def action_goto(self) -> None:
        """Type a hop's number, then Enter."""
        self._stop()
        self._typed = ""
        self._draw_panel()

    def on_key(self, event: events.Key) -> None:
        if self._typed is None:
            if event.key == "escape" and self._zoomed:
                event.stop()
                event.prevent_default()
                if not (self.chained and self.zoom.back()):
                    self.action_zoom()
                self._redraw_keys()
            return
        event.stop()
        event.prevent_default()
        if event.key.isdigit() and len(self._typed) < 3:
            self._typed += event.key
        elif event.key == "backspace":
            self._typed = self._typed[:-1]
        elif event.key == "enter":
            self._go_typed()
        else:
            self._typed = None
        self._draw_panel()

    def _go_typed(self) -> None:
        """To the hop with the typed number in the walk that is shown, else in the whole film."""
        typed, self._typed = self._typed, None
        beat = self.playback.now
        if typed and beat is not None:
            hop = int(typed) - 1
            same = [i for i, b in enumerate(self.playback.film.beats) if b.hop == hop and b.walk == beat.walk]
            other = [i for i, b in enumerate(self.playback.film.beats) if b.hop == hop and b.way != "aside"]
            found = [i for i in (same or other) if i <= self.playback.last]
            if found:
                self.seek(found[-1] if same else found[0])
        self._show()
