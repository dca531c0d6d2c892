"""Player: a journey, played. The scene or the ladder above, the panel below, a zoom into one hop on demand.

Theory. The film and where it stands are a `Playback`, a plain value; every key moves that index, and the clock moves
the same index while playing. So a test drives keys or the index, never time. The clock runs only while the film plays
and the widget is on the screen: a moving packet asks for 30 frames a second, one that stands still for none until the
moment when something changes.

Rules. The engine has finished before a film is shown: nothing here waits for it. What a prediction hides is neither
drawn, listed nor counted. Messages are nested here; a screen listens to them and never reaches inside.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.message import Message

from course.render.caption import NARROW, panel
from course.render.cast import bridge_ports
from course.render.chains import NO_CHAINS
from course.render.frames import Beat, Film, film
from course.render.glyphs import glyphs
from course.render.playback import Playback
from course.widgets.player.clock import FRAME, PlayerClock
from course.widgets.player.ladder import Ladder
from course.widgets.player.paint import Painted
from course.widgets.player.panel import Panel
from course.widgets.player.scene import PlayerScene
from course.widgets.player.zoom import Zoom
from engine.linux.journey import Journey, Outcome, Place, Step

if TYPE_CHECKING:
    from engine.linux.net import Net

SMALL_WIDTH, SMALL_HEIGHT = 56, 12  # below this the ladder says more than a scene
LOW_WINDOW = 30  # in a window as low as this a scene that does not fit gives way to the ladder
LOW_PANELS = (6, 5)  # the panel where only so the scene fits: the rail, the hop, a header and why
ZOOM_PANEL = 6  # beside a zoom in a low window, whose rules want the lines


class Player(PlayerClock):
    """Shows one journey in one lab. `load` it, then drive it by keys or by its methods."""

    DEFAULT_CSS = """
    Player { layout: vertical; height: 1fr; }
    Player PlayerScene, Player Ladder, Player Zoom { height: 1fr; }
    Player #panel { height: 9; dock: bottom; }
    Player .off { display: none; }
    """
    can_focus = True

    class HopChanged(Message):
        """The film stands at another beat."""

        def __init__(self, player: Player, index: int, beat: Beat) -> None:
            super().__init__()
            self.player, self.index, self.beat = player, index, beat

        @property
        def control(self) -> Player:
            return self.player

    class Finished(Message):
        """The film came to its end while playing or stepping; `hidden` when a prediction ended it."""

        def __init__(self, player: Player, hidden: bool) -> None:
            super().__init__()
            self.player, self.hidden = player, hidden

        @property
        def control(self) -> Player:
            return self.player

    class RowChosen(Message):
        """The learner wants to see the deciding row where it comes from: `row` at `place`, met by `step`."""

        def __init__(self, player: Player, row: str, place: Place, step: Step) -> None:
            super().__init__()
            self.player, self.row, self.place, self.step = player, row, place, step

        @property
        def control(self) -> Player:
            return self.player

    class KeysChanged(Message):
        """The keys mean something else now."""

        def __init__(self, player: Player) -> None:
            super().__init__()
            self.player = player

    class ViewChanged(Message):
        """The scene, the ladder or the zoom stands there now."""

        def __init__(self, player: Player, view: str) -> None:
            super().__init__()
            self.player, self.view = player, view

        @property
        def control(self) -> Player:
            return self.player

    def __init__(
        self, *, lang: str = "en", ascii: bool = False, motion: bool | None = None, view: str = "auto",
        clock: Callable[[], float] = time.monotonic, id: str | None = None, classes: str | None = None,
    ) -> None:  # fmt: skip
        """`motion` None obeys the app's animation level; `view` is scene, ladder or auto (by size)."""
        super().__init__(id=id, classes=classes)
        self._lang, self._ascii = lang, ascii
        self._motion = motion
        self._view = view
        self._clock = clock
        self._journey: Journey | None = None
        self._net: Net | None = None
        self.playback = Playback(film=Film(journey=Journey(act="", outcome=Outcome.DELIVERED), beats=()))
        self._then = 0.0
        self._reported = -1
        self._finished = False
        self._halt: int | None = None
        self._ready = False
        self._fits, self._low = True, 0
        self._told_view = ""

    def compose(self) -> ComposeResult:
        yield PlayerScene(id="scene")
        yield Ladder(id="ladder")
        yield Zoom(id="zoom")
        yield Panel(self._draw_panel, id="panel")

    # -- what a screen asks for --------------------------------------------------------------------------------

    def load(self, journey: Journey, net: Net, *, play: bool = False) -> None:
        """Show another journey from its beginning. `net` is the lab as it is drawn."""
        self._journey, self._net = journey, net
        self._zoomed, self._fits, self._low = False, True, 0
        self._arrange()
        self._cut(Playback(film=self._film()))
        if play:
            self.play()

    @property
    def film(self) -> Film:
        return self.playback.film

    @property
    def lang(self) -> str:
        return self._lang

    @lang.setter
    def lang(self, value: str) -> None:
        self._lang = value
        self._dress()

    @property
    def ascii(self) -> bool:
        return self._ascii

    @ascii.setter
    def ascii(self, value: bool) -> None:
        self._ascii = value
        self._dress()

    @property
    def motion(self) -> bool:
        """Does the packet glide? Else it jumps from hop to hop."""
        return self._motion if self._motion is not None else self.app.animation_level != "none"

    @motion.setter
    def motion(self, value: bool | None) -> None:
        self._motion = value

    @property
    def view(self) -> str:
        """scene or ladder: what is shown now."""
        if self._view != "auto":
            return self._view
        room = self.size.height - (self._low or self._usual_panel())
        small = self.size.width < SMALL_WIDTH or room < SMALL_HEIGHT
        return "ladder" if (small or not self._fits) and self.size.width else "scene"

    @property
    def zoomed(self) -> bool:
        return self._zoomed

    def choose_view(self, view: str) -> None:
        """scene, ladder or auto (by size)."""
        self._view, self._zoomed, self._fits, self._low = view, False, True, 0
        self._arrange()

    def show_asides(self, shown: bool) -> None:
        """Show the ARP exchanges on the way, or not."""
        if self._arp != shown:
            self._arp = shown
            self._recut()

    def play(self) -> None:
        """Play on; from the end, from the beginning again."""
        if self.playback.now is None:
            return
        if self.playback.at_end:
            self.playback.go(0, 0.0)
        self._finished = False
        self._then = self._clock()
        self._wake(FRAME)
        self._show()

    def pause(self) -> None:
        """Stand still; costs nothing from here on."""
        self._stop()
        self._resume = False
        self._show()

    def seek(self, beat: int, fraction: float = 1.0) -> None:
        """Stand at a beat."""
        self._stop()
        self.playback.go(beat, fraction)
        self._show()

    def conceal(self, beat: int) -> None:
        """Hide `beat` and all after it until `reveal`; playing stops before it."""
        self.playback.hidden = max(1, beat)
        if self.playback.beat > self.playback.last:
            self.playback.go(self.playback.last)
        self._show()

    def conceal_hop(self, leg: int, way: str, hop: int) -> bool:
        """Hide from the first beat of this hop on; False when the film has no such hop."""
        found = self.film.first(leg, way, hop)
        if found is not None:
            self.conceal(found)
        return found is not None

    def reveal(self, *, play: bool = False) -> None:
        """Show everything again."""
        self.playback.hidden = None
        self._finished = False
        self._show()
        if play:
            self.play()

    def halt_at(self, leg: int, way: str, hop: int) -> bool:
        """Stand at the end of this hop (the guilty one of a counter-example); False when the film has no such hop."""
        found = self.film.find(leg, way, hop)
        if found is None:
            return False
        self.seek(found)
        return True

    def play_until(self, leg: int, way: str, hop: int) -> bool:
        """Play from the beginning and stop at the end of this hop."""
        found = self.film.find(leg, way, hop)
        if found is None:
            return False
        self.playback.go(0, 0.0)
        self._halt = found
        self.play()
        return True

    # -- drawing ---------------------------------------------------------------------------------------------------

    def _film(self) -> Film:
        assert self._journey is not None and self._net is not None
        return film(self._journey, arp=self._arp, later=self._later, ports=bridge_ports(self._net))

    def _cut(self, playback: Playback) -> None:
        self._stop()
        self.playback = playback
        self._reported, self._finished, self._halt = -1, False, None
        if self._ready and self._net is not None:
            self.query_one(PlayerScene).set_film(self._net, playback)
            self.query_one(Ladder).set_film(playback)
            self.query_one(Zoom).set_film(playback, self._net)
        self._show()

    def on_mount(self) -> None:
        self._ready = True
        self._dress()
        if self._net is not None:
            self._cut(self.playback)
        self._arrange()

    def _dress(self) -> None:
        """Language and glyphs for every part."""
        if not self._ready:
            return
        for part in self.query("PlayerScene, Ladder, Zoom").results(Painted):
            part.lang, part.ascii = self._lang, self._ascii
        self.query_one(PlayerScene).forget_layout()
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        self._fits, self._low = True, 0
        self._arrange()

    def on_player_scene_laid_out(self, event: PlayerScene.LaidOut) -> None:
        """The picture does not fit into a low window: a lower panel first; then the table instead of a part. For what
        the packet did not reach the panel gives up the least."""
        event.stop()
        if event.whole or self.size.height >= LOW_WINDOW or (event.fits and self._low):
            return
        lower = [height for height in LOW_PANELS if height < self._panel_height()]
        if event.fits and not lower:
            return
        self._low, self._fits = (lower[0], True) if lower else (0, False)
        self._arrange()

    def _panel_height(self) -> int:
        usual = self._usual_panel()
        if self._zoomed:
            return min(usual, ZOOM_PANEL) if self.size.height < LOW_WINDOW else usual
        return self._low if self._low and self.view == "scene" else usual

    def _usual_panel(self) -> int:
        height = self.size.height
        more = 1 if self.size.width < NARROW else 0
        return 9 + more if height >= 26 else 8 + more if height >= 20 else 6 if height >= 14 else 4

    def _arrange(self) -> None:
        """Which part is shown, and how high the panel is."""
        if not self._ready:
            return
        shown = "zoom" if self._zoomed else self.view
        for name in ("scene", "ladder", "zoom"):
            self.query_one(f"#{name}").set_class(name != shown, "off")
        self.query_one("#panel").styles.height = self._panel_height()
        if shown != self._told_view:
            self._told_view = shown
            self.post_message(self.ViewChanged(self, shown))
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        """Bring what is visible to the playback's moment, and tell who listens."""
        if not self._ready:
            return
        play = self.playback
        if self._zoomed:
            self.query_one(Zoom).draw_frame()
        elif self.view == "scene":
            self.query_one(PlayerScene).draw_frame()
        else:
            self.query_one(Ladder).draw_frame()
        self._draw_panel()
        beat = play.now
        if beat is not None and play.beat != self._reported:
            self._reported = play.beat
            self.post_message(self.HopChanged(self, play.beat, beat))
        if beat is not None and play.at_end and not self._finished:
            self._finished = True
            self.post_message(self.Finished(self, play.concealed))
        elif not play.at_end:
            self._finished = False

    def _draw_panel(self) -> None:
        part = self.query_one("#panel", Painted)
        if part.size.width:
            lines = panel(
                self.playback, part.size.width, part.size.height, self._lang, glyphs(self._ascii), speed=self.speed,
                playing=self.playing, typed=self._typed, zoomed=self._zoomed,
            )  # fmt: skip
            part.set_lines(lines)

    def _recut(self) -> None:
        """Another cut of the same journey, standing where the old one stood. A hidden part stays hidden."""
        if self._journey is None:
            return
        old = self.playback
        new = Playback(film=self._film())
        if old.hidden is not None and old.hidden < len(old.film.beats):
            new.hidden = max(1, new.film.same(old.film.beats[old.hidden]))
        if old.now is not None:
            new.go(new.film.same(old.now))
        self._cut(new)

    def action_choose_row(self) -> None:
        beat = self.playback.now
        if beat is not None:
            moment = beat.moments[self.playback.shown()]
            if moment.row:
                self.post_message(self.RowChosen(self, moment.row, moment.step.place, moment.step))

    @property
    def zoom(self) -> Zoom:
        return self.query_one(Zoom)

    def _say_no_chain(self) -> None:
        self.zoom.say(NO_CHAINS().text(self._lang))

    def _redraw_keys(self) -> None:
        self.post_message(self.KeysChanged(self))

    def on_ladder_asked(self, event: Ladder.Asked) -> None:
        event.stop()
        self.seek(event.beat)

    def on_hide(self) -> None:
        self._resume = self._resume or self.playing
        self._stop()

    def on_show(self) -> None:
        if self._resume:
            self.play()

    def on_unmount(self) -> None:
        self._stop()
