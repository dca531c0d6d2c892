"""The player by its keys and its methods. The index is driven, never the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from course.widgets.player import Player
from course.widgets.player.paint import LOOKS, ROLES, Painted
from course.widgets.player.scene import PlayerScene
from engine.linux.journey import Journey, Outcome, StepKind
from engine.linux.net import Net
from tests.course.render import labs


@cache
def made(lost: bool = False) -> tuple[Journey, Net]:
    lab = labs.cluster()
    if lost:
        return lab.ping("w1/default/client-1", "10.244.1.99"), lab.net
    return lab.curl("w1/default/client-1", "10.244.1.6"), lab.net


class Alone(App[None]):
    """One player, its messages kept."""

    def __init__(self, *, lost: bool = False, **how: object) -> None:
        super().__init__()
        self.how, self.lost = how, lost
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        yield Player(**self.how)  # type: ignore[arg-type]

    def on_mount(self) -> None:
        self.player.load(*made(self.lost))
        self.player.focus()

    @property
    def player(self) -> Player:
        return self.query_one(Player)

    def on_player_hop_changed(self, event: Player.HopChanged) -> None:
        self.heard.append(event)

    def on_player_finished(self, event: Player.Finished) -> None:
        self.heard.append(event)

    def on_player_row_chosen(self, event: Player.RowChosen) -> None:
        self.heard.append(event)

    def text(self) -> str:
        """The screen as a person sees it."""
        width, height = self.size
        update = self.screen._compositor.render_strips()
        assert len(update) == height and all(strip.cell_length == width for strip in update)
        return "\n".join(strip.text.rstrip() for strip in update)


@contextmanager
def refreshed(scene: PlayerScene) -> Iterator[list[Region]]:
    """The regions that the scene asks to be drawn again."""
    regions: list[Region] = []
    original = scene.refresh

    def spy(*asked: Region, **how: bool) -> PlayerScene:
        regions.extend(asked or [scene.size.region])
        return original(*asked, **how)

    scene.refresh = spy  # type: ignore[method-assign, assignment]
    yield regions
    del scene.refresh


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_whole_film_by_arrow_keys(lang: str, size: tuple[int, int]) -> None:
    app = Alone(lang=lang)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "10.244.1.6:80" in app.text()
        player = app.player
        for _ in range(6):
            await pilot.press("right")
        assert player.playback.beat == 5 or player.playback.beat == 6
        await pilot.press("end")
        text = app.text()
        assert "✔" in text and ("way back" if lang == "en" else "돌아오는 길") in text
        await pilot.press("home")
        assert player.playback.beat == 0


async def test_korean_keys_do_the_same() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        assert app.player.view == "scene"
        await pilot.press("ㅍ")
        assert app.player.view == "ladder"
        await pilot.press("v")
        assert app.player.view == "scene"
        await pilot.press("ㅋ")
        assert app.player.zoomed
        await pilot.press("escape")
        assert not app.player.zoomed


async def test_the_scene_shows_the_lab_and_the_ladder_the_film() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert "╭─ w1" in app.text() and "cni0 10.244.1.1/24" in app.text()
        await pilot.press("f6")
        await pilot.pause()
        text = app.text()
        assert "what happened" in text and "── way back ──" in text and "╭─ w1" not in text


async def test_a_small_screen_gets_the_ladder_by_itself() -> None:
    app = Alone()
    async with app.run_test(size=(56, 20)) as pilot:
        await pilot.pause()
        assert app.player.view == "ladder"
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert app.player.view == "scene"


async def test_a_scene_that_does_not_fit_a_low_window_gives_way() -> None:
    app = Alone()
    async with app.run_test(size=(66, 21)) as pilot:
        await pilot.pause()
        await pilot.pause()
        scene = app.query_one(PlayerScene).scene
        assert scene is not None and (scene.fits or app.player.view == "ladder")
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        await pilot.pause()
        assert app.player.view == "scene" and "╭─ w1" in app.text()


async def test_what_is_hidden_stands_still_and_goes_on_when_seen() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        app.player.play()
        app.player.display = False
        await pilot.pause()
        await pilot.pause()
        assert not app.player.playing
        app.player.display = True
        await pilot.pause()
        await pilot.pause()
        assert app.player.playing
        app.player.pause()


async def test_a_picture_that_was_hidden_comes_back_where_it_stood() -> None:
    app = Alone(view="scene")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        before = app.text()
        app.player.display = False
        await pilot.pause()
        app.player.reveal()
        app.query_one(PlayerScene).draw_frame()
        app.player.display = True
        await pilot.pause()
        await pilot.pause()
        assert app.text() == before


async def test_the_wheel_looks_further_in_the_ladder() -> None:
    app = Alone(view="ladder")
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        before = app.text()
        ladder = app.query_one("#ladder")
        ladder.on_mouse_scroll_down()  # type: ignore[attr-defined]
        await pilot.pause()
        assert app.text() != before and app.player.playback.beat == 0


async def test_zoom_shows_the_kernel_and_steps_through_it() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a", "end", "enter")
        await pilot.pause()
        assert "PREROUTING" in app.text() and "receiving" in app.text()
        before = app.player.playback.moment
        await pilot.press("up")
        assert app.player.playback.moment != before
        assert "step" in app.text()


async def test_messages_say_where_it_stands_and_that_it_is_over() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("right", "right", "end")
        await pilot.pause()
        hops = [m for m in app.heard if isinstance(m, Player.HopChanged)]
        assert hops[0].index == 0 and hops[-1].index == len(app.player.film.beats) - 1
        assert hops[-1].beat.ends is Outcome.DELIVERED
        ends = [m for m in app.heard if isinstance(m, Player.Finished)]
        assert len(ends) == 1 and not ends[0].hidden


async def test_playing_moves_by_the_clock_and_stops_at_the_end() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        player = app.player
        await pilot.press("space")
        assert player.playing
        player.pause()
        assert not player.playing
        assert player.advance(1.0)
        assert not player.advance(1_000.0)
        assert player.playback.at_end and not player.playing
        await pilot.press("space")  # from the end it plays again from the beginning
        assert player.playing and player.playback.beat == 0
        player.pause()


async def test_speed_is_asked_by_plus_and_minus() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("plus", "plus", "plus", "plus")
        assert app.player.speed == 4.0 and "4x" in app.text()
        await pilot.press("minus", "minus", "minus", "minus")
        assert app.player.speed == 0.5
        one = app.player.playback
        app.player.seek(0, 0.0)
        app.player.advance(1.0)
        slow = (one.beat, one.fraction)
        await pilot.press("plus")
        app.player.seek(0, 0.0)
        app.player.advance(0.5)
        assert (one.beat, pytest.approx(one.fraction)) == slow


async def test_nothing_runs_while_it_stands_still() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("right", "right")
        assert app.player._ticker is None
        scene = app.query_one(PlayerScene)
        with refreshed(scene) as regions:
            app.player.advance(0.0)
            scene.draw_frame()
            await pilot.pause()
        assert regions == []


async def test_a_moving_packet_redraws_only_its_cells() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        scene, player = app.query_one(PlayerScene), app.player
        player.seek(0, 0.0)
        with refreshed(scene) as regions:
            worst = 0
            while player.advance(1 / 30):
                worst = max(worst, sum(r.area for r in regions))
                regions.clear()
        assert 0 < worst < scene.size.area / 8


async def test_the_screen_holds_no_trail_of_an_old_packet() -> None:
    """What regions drew is what a whole redraw draws."""
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        for _ in range(40):
            app.player.advance(0.21)
            await pilot.pause()
            seen = app.text()
            for part in app.query(Painted):
                part._strips.clear()
                part.refresh()
            await pilot.pause()
            assert app.text() == seen


async def test_without_motion_it_goes_from_hop_to_hop() -> None:
    app = Alone(motion=False)
    async with app.run_test(size=(120, 40)):
        player = app.player
        seen = []
        while player.advance(0.001):
            seen.append((player.playback.beat, player.playback.fraction))
        assert {f for _, f in seen} == {1.0}
        assert [b for b, _ in seen] == list(range(len(seen)))
        assert player.playback.at_end


async def test_the_apps_animation_level_is_obeyed() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)):
        app.animation_level = "none"
        assert not app.player.motion
        app.animation_level = "full"
        assert app.player.motion


async def test_a_prediction_hides_what_comes() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        player = app.player
        assert player.conceal_hop(0, "forward", 1)
        player.pause()
        assert not player.advance(1_000.0)
        await pilot.press("right", "right", "end", "right")
        await pilot.pause()
        assert player.playback.beat == 0
        assert "predict first" in app.text() and "way back" not in app.text()
        ends = [m for m in app.heard if isinstance(m, Player.Finished)]
        assert ends and ends[-1].hidden
        await pilot.press("v")
        await pilot.pause()
        assert "? predict first" in app.text() and "way back" not in app.text()
        player.reveal()
        await pilot.press("right")
        assert player.playback.beat == 1


async def test_arp_detail_keeps_the_place_and_what_is_hidden() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        player = app.player
        assert player.halt_at(0, "forward", 4)
        hop = player.film.beats[player.playback.beat]
        player.conceal(player.playback.beat + 2)
        count = len(player.film.beats)
        await pilot.press("a")
        assert len(player.film.beats) < count
        same = player.film.beats[player.playback.beat]
        assert (same.leg, same.way, same.hop) == (hop.leg, hop.way, hop.hop)
        assert player.playback.hidden is not None
        await pilot.press("a")
        assert len(player.film.beats) == count


async def test_later_packets_can_be_asked_for() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        count = len(app.player.film.beats)
        await pilot.press("m")
        assert len(app.player.film.beats) > count


async def test_a_counter_example_halts_at_the_guilty_hop() -> None:
    app = Alone(lost=True)
    async with app.run_test(size=(120, 40)) as pilot:
        player = app.player
        last = len(made(True)[0].legs[0].forward.hops) - 1
        assert player.halt_at(0, "forward", last)
        await pilot.pause()
        assert "✖ no ARP answer" in app.text()
        assert not player.halt_at(0, "back", 0)
        assert player.play_until(0, "forward", 0)
        player.pause()
        assert not player.advance(1_000.0)
        assert player.playback.beat == player.film.find(0, "forward", 0)


async def test_a_number_jumps_to_its_hop() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a", "g", "5")
        assert "# 5_" in app.text()
        await pilot.press("enter")
        assert app.player.film.beats[app.player.playback.beat].hop == 4
        assert not app.player.zoomed
        await pilot.press("g", "2", "escape")
        assert app.player.film.beats[app.player.playback.beat].hop == 4


async def test_the_deciding_row_can_be_taken_away() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        app.player.halt_at(0, "forward", 3)
        await pilot.press("o")
        await pilot.pause()
        rows = [m for m in app.heard if isinstance(m, Player.RowChosen)]
        assert rows and "veth12a1b2c3" in rows[0].row and rows[0].place.device == "cni0"


async def test_language_and_glyphs_change_at_any_time() -> None:
    app = Alone()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("right")
        app.player.lang = "ko"
        await pilot.pause()
        assert "홉" in app.text() and "Hop" not in app.text()
        app.player.lang, app.player.ascii = "en", True
        await pilot.pause()
        assert app.text().isascii()


async def test_a_click_on_a_row_goes_there() -> None:
    app = Alone(view="ladder")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.click("#ladder", offset=(10, 6))
        await pilot.pause()
        assert app.player.playback.beat == 4


async def test_every_theme_draws() -> None:
    app = Alone()
    async with app.run_test(size=(100, 30)) as pilot:
        text = ""
        for theme in ("textual-light", "ansi-dark", "nord"):
            app.theme = theme
            await pilot.pause()
            assert not text or app.text() == text
            text = app.text()


def test_roles_never_name_a_colour() -> None:
    """Only theme variables, so that 16 colours and other themes keep their meaning."""
    assert set(ROLES.values()) == set(LOOKS)
    for look, css in LOOKS.items():
        colour = css.split("color:")[1].split(";")[0].strip()
        assert colour.startswith("$"), look


@pytest.mark.parametrize("size", [(20, 5), (40, 12), (80, 24), (200, 60)])
async def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    app = Alone(lang="ko")
    async with app.run_test(size=size) as pilot:
        for key in ("right", "v", "right", "enter", "right", "v", "end"):
            await pilot.press(key)
            app.text()


async def test_an_empty_player_is_quiet() -> None:
    class Empty(App[None]):
        def compose(self) -> ComposeResult:
            yield Player()

    app = Empty()
    async with app.run_test(size=(80, 24)) as pilot:
        app.query_one(Player).focus()
        await pilot.press(
            "space", "right", "left", "end", "home", "enter", "v", "a", "m", "g", "r", "o", "plus"
        )
        assert not app.query_one(Player).playing


async def test_the_zoom_of_a_dropped_packet_opens_at_the_rule_that_dropped_it() -> None:
    from course.catalog import LESSONS
    from engine.grade.course import Course
    from engine.grade.story import Story

    played = Story(Course.load(LESSONS).lesson("07-networkpolicy")).play(1, 1)
    app = Alone(view="scene")
    async with app.run_test(size=(80, 24)) as pilot:
        player = app.player
        player.load(played.journey, played.lab.world.net)
        await pilot.press("end")
        await pilot.pause()
        assert "db ─" in app.text() and "+2 pods" in app.text(), "where it was going is in the picture"
        await pilot.press("z")
        await pilot.pause()
        shown = app.text()
        assert " ✖ filter cali-tw" in shown and "-j DROP" in shown and "cali-PREROUTING" not in shown
        assert "↑" in shown, "there is more above"
        for _ in range(10):
            await pilot.press("pageup")
        await pilot.pause()
        assert "raw PREROUTING" in app.text() and "↓" in app.text() and " ✖ filter" not in app.text()
        await pilot.press("pagedown")
        await pilot.pause()
        assert "↑4" in app.text(), "the way back down begins at once"
        await pilot.press("c")
        await pilot.pause()
        opened = player.zoom.chain
        assert opened is not None and opened.chain.startswith("cali-tw")
        assert "▸✖" in app.text()


async def test_the_chains_of_a_hop_are_opened_scrolled_followed_and_left() -> None:
    from course.catalog import LESSONS
    from engine.grade.course import Course
    from engine.grade.story import Story

    played = Story(Course.load(LESSONS).lesson("01-containers")).play(0, 1)
    app = Alone(view="scene")
    async with app.run_test(size=(80, 24)) as pilot:
        player = app.player
        player.load(played.journey, played.lab.world.net)
        at = next(
            i
            for i, b in enumerate(player.film.beats)
            if any(m.step.kind is StepKind.FORWARD for m in b.moments)
        )
        player.seek(at)
        await pilot.press("c")
        await pilot.pause()
        assert player.zoomed and player.chained
        first = player.zoom.chain
        await pilot.press("right")
        assert player.zoom.chain != first and player.playback.beat == at
        await pilot.press("left")
        assert player.zoom.chain == first
        while player.zoom.chain is not None and player.zoom.chain.chain != "FORWARD":
            await pilot.press("right")
        await pilot.press("home", "down", "enter")
        inside = player.zoom.chain
        assert inside is not None and inside.chain.startswith("DOCKER")
        await pilot.press("escape")
        assert player.zoom.chain is not None and player.zoom.chain.chain == "FORWARD"
        await pilot.press("escape")
        assert player.zoomed and not player.chained
        await pilot.press("ㅊ", "right")
        assert player.chained
        await pilot.press("z")
        assert not player.zoomed and player.playback.beat == at
        player.seek(0)
        await pilot.press("c", "right")
        assert player.zoomed and not player.chained and player.playback.beat == 1
