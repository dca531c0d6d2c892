"""Two films in step: the pairs of beats, the index, and the difference that is read off the journeys."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from course.render.beside import NO_BEAT, Duet, compared, lines, pairs
from course.render.frames import film
from course.render.glyphs import glyphs
from course.render.playback import Playback
from engine.grade.story import Played
from engine.lab.lab import Lab
from tests.course.render.compared import comparison


@pytest.fixture(scope="module")
def played() -> Played:
    return comparison()


def duet(played: Played) -> Duet:
    assert played.beside is not None
    return Duet(*(Playback(film=film(j, arp=False)) for j in (played.journey, played.beside.journey)))


def test_both_turn_round_together_and_nothing_is_left_out(played: Played) -> None:
    two = duet(played)
    one, other = (s.film for s in two.sides)
    for side, shown in enumerate((one, other)):
        seen = [t[side] for t in two.ticks if t[side] != NO_BEAT]
        assert sorted(set(seen)) == list(range(len(shown.beats))) and seen == sorted(seen)
    for a, b in two.ticks:
        assert one.beats[a].way == other.beats[b].way
    assert len(two.ticks) > max(len(one.beats), len(other.beats)) - 1


def test_a_film_beside_itself_is_the_film(played: Played) -> None:
    one = film(played.journey)
    assert pairs(one, one) == [(i, i) for i in range(len(one.beats))]


def test_the_clock_and_the_keys_move_one_index(played: Played) -> None:
    two = duet(played)
    turns = 0
    while two.advance(0.5):
        turns += 1
        assert turns < 10_000
    assert two.at_end and two.at == two.last
    assert [s.beat for s in two.sides] == [len(s.film.beats) - 1 for s in two.sides]
    two.step(-1)
    assert two.at == two.last - 1 and not two.moving
    two.go(0, 0.0)
    assert two.moving
    two.step(1)
    assert two.at == 0 and not two.moving


def test_the_difference_names_what_differs_and_what_does_not(played: Played) -> None:
    assert played.beside is not None
    found = {d.name.text("en"): d for d in compared(played.journey, played.beside.journey)}
    assert found["how it ends"].same("en") and found["encapsulation"].one.text("en") == "none"
    tried = found["rules tried"]
    assert int(tried.one.text("en")) > int(tried.two.text("en"))
    assert found["destination at the end"].one.text("en") == "172.17.0.2:80"
    assert found["TTL at the end"].one.text("en") == "63" and found["TTL at the end"].two.text("en") == "64"
    assert all(d.same("en") for d in compared(played.journey, played.journey))


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize(("width", "height"), [(80, 3), (120, 8), (60, 3), (20, 2)])
def test_the_lines_fit(played: Played, width: int, height: int, lang: str) -> None:
    assert played.beside is not None
    found = compared(played.journey, played.beside.journey)
    made = lines(found, ("one", "two"), width, height, lang, glyphs())
    assert 0 < len(made) <= height
    assert all(sum(cell_len(text) for text, _ in line) <= width for line in made)
    same = lines(compared(played.journey, played.journey), ("a", "b"), width, height, lang, glyphs())
    assert 0 < len(same) <= height


def test_a_mode_with_lists_says_what_it_would_cost_among_more_services() -> None:
    sides = [mode("iptables"), mode("nftables")]
    one, two = (lab.trace("pod/client", "svc/web:80") for lab in sides)
    found = {d.name.text("en"): d for d in compared(one, two, (sides[0].world.net, sides[1].world.net))}
    among = found["rules, 10/1k/10k Services"]
    few, some, lots = (int(n.replace(",", "")) for n in among.one.text("en").split(" / "))
    assert some - few >= 990 and lots - some >= 9_000
    assert len(set(among.two.text("en").split(" / "))) == 1, "a map is asked once, whatever it holds"
    assert found["rules tried"].two.text("en") == among.two.text("en").split(" / ")[0], "one way of counting"
    assert all("10k" not in d.name.text("en") for d in compared(two, two, (sides[1].world.net,) * 2))


def mode(name: str) -> Lab:
    web = {"containers": [{"name": "web", "image": "nginx", "ports": [{"containerPort": 80}]}]}
    return Lab.load(
        {
            "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}],
            "proxy": {"mode": name},
            "manifests": [
                {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": web},
                {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client"}, "spec": web},
                {
                    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
                },
            ],
        }
    )  # fmt: skip
