"""A journey as a film, and where a film stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course.render.frames import PASSING, Film, film
from course.render.playback import Playback
from engine.linux.journey import Journey, Outcome, StepKind
from tests.course.render import labs


@pytest.fixture(scope="module")
def journey() -> Journey:
    """The first packet of a lab: it has to ask for a MAC on the way."""
    return labs.cluster().curl("w1/default/client-1", "10.244.1.6")


def test_every_step_of_both_ways_is_in_the_film_once(journey: Journey) -> None:
    made = film(journey)
    shown = [m.step for b in made.beats for m in b.moments if b.way in ("there", "back")]
    assert shown == list(journey.steps())


def test_arp_is_played_before_the_rest_of_its_hop(journey: Journey) -> None:
    made = film(journey)
    first = next(i for i, b in enumerate(made.beats) if b.way == "aside")
    last = max(i for i, b in enumerate(made.beats) if b.way == "aside" and b.leg == 0 and b.number == 0)
    after = made.beats[last + 1]
    assert made.beats[first - 1].way == "there" and after.way == "there"
    assert after.moments[0].step.kind is StepKind.NEIGHBOUR and after.moments[0].step.aside
    assert {b.way for b in made.beats[first : last + 1]} == {"aside"}


def test_without_arp_detail_every_hop_is_one_beat(journey: Journey) -> None:
    made = film(journey, arp=False)
    back = journey.legs[0].back
    assert back is not None
    assert len(made.beats) == len(journey.legs[0].forward.hops) + len(back.hops)
    assert not any(b.way == "aside" for b in made.beats)


def test_later_packets_come_when_asked_for(journey: Journey) -> None:
    made = film(journey, arp=False, later=True)
    assert {b.later for b in made.beats if b.way == "later"} == set(range(1, len(journey.legs[0].rest) + 1))
    assert any(b.answer for b in made.beats if b.way == "later")
    assert not all(b.answer for b in made.beats if b.way == "later")


def test_flooded_copies_belong_to_the_bridges_beat(journey: Journey) -> None:
    made = film(journey)
    flooding = [b for b in made.beats if b.ghosts]
    assert flooding and all(b.moments[b.main].step.kind is StepKind.BRIDGE for b in flooding)


def test_find_speaks_the_findings_language(journey: Journey) -> None:
    made = film(journey)
    index = made.find(0, "forward", 3)
    assert index is not None
    assert (made.beats[index].way, made.beats[index].hop) == ("there", 3)
    assert made.find(0, "back", 0) is not None
    assert made.find(0, "forward", 99) is None and made.find(5, "back", 0) is None


def test_the_end_of_a_walk_knows_its_outcome() -> None:
    lab = labs.cluster(1, 2)
    made = film(lab.ping("w1/default/client-1", "10.244.1.99"))
    ends = [b for b in made.beats if b.way == "there" and b.ends is not None]
    assert [b.ends for b in ends] == [Outcome.UNRESOLVED_NEIGHBOUR]
    assert ends[0].moments[ends[0].main].step.kind is StepKind.DROP


def test_a_journey_without_packets_is_an_empty_film() -> None:
    play = Playback(film=film(Journey(act="", outcome=Outcome.NOT_MODELLED)))
    assert play.now is None
    play.step(1), play.step(-1), play.step_inside(1), play.go(5)
    assert not play.advance(1.0)


# -- playing ------------------------------------------------------------------------------------------------------


def test_a_beat_glides_then_stands(journey: Journey) -> None:
    beat = film(journey).beats[0]
    way, moment = beat.at(0.0, 10)
    assert (way, moment) == (0.0, 0)
    assert beat.at(1.0, 10)[0] == 1.0
    middle = beat.glide(10) / beat.seconds(10) / 2
    assert 0.4 < beat.at(middle, 10)[0] < 0.6


def test_time_moves_the_index_and_nothing_else(journey: Journey) -> None:
    made = film(journey)
    one, many = Playback(film=made), Playback(film=made)
    one.advance(7.5)
    for _ in range(75):
        many.advance(0.1)
    assert (one.beat, round(one.fraction, 6)) == (many.beat, round(many.fraction, 6))


def test_playing_ends_at_the_end(journey: Journey) -> None:
    play = Playback(film=film(journey))
    assert not play.advance(10_000.0)
    assert play.at_end and play.beat == len(play.film.beats) - 1


def test_a_hop_where_nothing_is_decided_is_short(journey: Journey) -> None:
    for beat in film(journey).beats:
        if all(not m.dwell for m in beat.moments):
            assert beat.stops() == ((beat.main, PASSING),)


def test_hidden_beats_cannot_be_reached(journey: Journey) -> None:
    play = Playback(film=film(journey), hidden=4)
    assert not play.advance(10_000.0)
    assert play.beat == 3 and play.concealed
    for move in (
        lambda: play.step(1),
        lambda: play.go(99),
        lambda: play.step_inside(1),
        lambda: play.step_inside(1),
    ):
        move()
        assert play.beat <= 3
    play.hidden = None
    play.step(1)
    assert play.beat == 4


def test_steps_inside_a_hop_run_over_its_edges(journey: Journey) -> None:
    play = Playback(film=film(journey, arp=False))
    seen = []
    play.go(0)
    for _ in range(200):
        play.step_inside(1)
        seen.append((play.beat, play.moment))
    wanted = [(i, j) for i, b in enumerate(play.film.beats) for j in range(len(b.moments))]
    assert list(dict.fromkeys(seen)) == wanted


@given(
    moves=st.lists(
        st.one_of(
            st.tuples(st.just("advance"), st.floats(0, 30)),
            st.tuples(st.sampled_from(("step", "inside", "go")), st.integers(-60, 60)),
            st.tuples(st.just("hide"), st.integers(1, 40)),
        ),
        max_size=30,
    )
)
def test_no_move_leaves_the_film(moves: list[tuple[str, float]]) -> None:
    play = Playback(film=FILM)
    for name, value in moves:
        if name == "advance":
            play.advance(value)
        elif name == "step":
            play.step(int(value))
        elif name == "inside":
            play.step_inside(1 if value > 0 else -1)
        elif name == "go":
            play.go(int(value))
        else:
            play.hidden = int(value)
            play.go(min(play.beat, play.last))
        assert 0 <= play.beat <= play.last
        assert 0.0 <= play.fraction <= 1.0
        assert play.now is not None
        assert 0 <= play.shown() < len(play.now.moments)
        assert 0.0 <= play.way() <= 1.0


FILM: Film = film(labs.cluster().curl("w1/default/client-1", "10.244.2.6"))
