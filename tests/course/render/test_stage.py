"""The packet on the picture: its way, its label, its marks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from course.render.canvas import over, text_of, width_of
from course.render.cast import wanted
from course.render.frames import film
from course.render.glyphs import ASCII, UNICODE, Glyphs
from course.render.layout import layout
from course.render.playback import Playback
from course.render.stage import Stage
from course.render.topology import topology
from engine.linux.journey import Journey, Outcome, Step, StepKind
from engine.linux.net import Net
from engine.linux.packet import IPv4, Packet, Udp
from tests.course.render import labs


def stage(
    net: Net, journey: Journey, width: int = 118, height: int = 22, glyphs: Glyphs = UNICODE
) -> tuple[Stage, Playback]:
    lo, stay = wanted(journey)
    scene = layout(topology(net, lo=lo), width, height, wanted=stay, glyphs=glyphs)
    made = film(journey)
    on = Stage(scene, made)
    return on, Playback(film=made, cells=on.lengths())


def shown(on: Stage, play: Playback, lang: str = "en") -> list[str]:
    overlay = on.overlay(play, lang)
    rows = []
    for y, row in enumerate(on.scene.rows):
        cells = over(row, {x: cell for (x, line), cell in overlay.items() if line == y})
        assert width_of(cells) == on.scene.width
        rows.append(text_of(cells))
    return rows


@pytest.mark.parametrize("size", [(118, 22), (80, 15), (60, 12)])
@pytest.mark.parametrize("to", ["10.244.1.6", "10.244.2.6", "192.168.10.20", "10.244.9.9", "127.0.0.1"])
def test_the_way_never_jumps(size: tuple[int, int], to: str) -> None:
    """Within a walk every cell is the neighbour of the one before, on any size of picture."""
    lab = labs.cluster()
    on, play = stage(lab.net, lab.curl("w1/default/client-1", to), *size)
    last: dict[int, tuple[int, int]] = {}
    for i, beat in enumerate(play.film.beats):
        way = on.ways[i]
        assert way, beat.place
        before = last.get(beat.walk)
        cells = ([before] if before is not None else []) + list(way)
        for (x1, y1), (x2, y2) in pairwise(cells):
            assert abs(x1 - x2) + abs(y1 - y2) <= 1
        last[beat.walk] = way[-1]


def test_the_packet_rides_on_its_wire() -> None:
    lab = labs.cluster(1, 2)
    on, play = stage(lab.net, lab.ping("w1/default/client-1", "10.244.1.6"))
    index = next(
        i for i, b in enumerate(play.film.beats) if b.place.device == "veth12a1b2c3" and b.way == "there"
    )
    assert on.ways[index][-1] == on.scene.nodes["dev", "w1", "veth12a1b2c3"]


def test_it_crosses_a_bridge_along_the_bar() -> None:
    """In by one port, a stop between, out by the other: all in the bridge's own row."""
    lab = labs.cluster(1, 2)
    on, play = stage(lab.net, lab.ping("w1/default/client-1", "10.244.1.6"))
    index = next(i for i, b in enumerate(play.film.beats) if b.way == "there" and b.place.device == "cni0")
    ports = [on.scene.nodes["dev", "w1", name] for name in ("veth11a1b2c3", "veth12a1b2c3")]
    assert {y for _, y in (*on.ways[index], *on.ways[index + 1])} == {ports[0][1]}
    assert ports[0][0] < on.ways[index][-1][0] < ports[1][0]


def test_every_frame_can_be_drawn() -> None:
    lab = labs.cluster()
    on, play = stage(lab.net, lab.curl("w1/default/client-1", "10.244.2.6"), 80, 15)
    frames = 0
    while play.advance(0.35):
        rows = shown(on, play, "ko")
        frames += 1
        assert any(on.scene.glyphs.packet in r or on.scene.glyphs.answer in r for r in rows)
    assert frames > 50


def test_the_label_is_the_destination() -> None:
    lab = labs.cluster(1, 2)
    on, play = stage(lab.net, lab.curl("w1/default/client-1", "10.244.1.6"))
    play.go(0)
    assert "● " in "".join(shown(on, play)) and "10.244.1.6:80" in "".join(shown(on, play))
    play.go(next(i for i, b in enumerate(play.film.beats) if b.way == "aside"))
    assert "who has 10.244.1.6?" in "".join(shown(on, play))


def test_a_label_never_leaves_the_picture() -> None:
    lab = labs.cluster()
    on, play = stage(lab.net, lab.curl("w1/default/client-1", "10.244.2.6"), 60, 12)
    for i in range(len(play.film.beats)):
        play.go(i)
        for x, y in on.overlay(play, "ko"):
            assert 0 <= x < on.scene.width and 0 <= y < on.scene.height


def test_the_answer_has_another_shape() -> None:
    lab = labs.cluster(1, 2)
    on, play = stage(lab.net, lab.ping("w1/default/client-1", "10.244.1.6"))
    play.go(len(play.film.beats) - 3)
    rows = "".join(shown(on, play))
    assert "◆" in rows and "●" not in rows


def test_the_end_of_a_lost_packet_is_marked_by_shape_and_word() -> None:
    lab = labs.cluster(1, 2)
    journey = lab.ping("w1/default/client-1", "10.244.1.99")
    on, play = stage(lab.net, journey)
    play.go(len(play.film.beats) - 1)
    assert "✖ no ARP answer" in "".join(shown(on, play))
    on, play = stage(lab.net, journey, glyphs=ASCII)
    play.go(len(play.film.beats) - 1)
    rows = "".join(shown(on, play))
    assert "X no ARP answer" in rows and rows.isascii()


def test_flooded_copies_are_ghosts() -> None:
    lab = labs.cluster(1, 3)
    on, play = stage(lab.net, lab.ping("w1/default/client-1", "10.244.1.6"))
    index = next(i for i, b in enumerate(play.film.beats) if b.ghosts)
    play.go(index)
    third = on.scene.nodes["dev", "w1/default/app-3", "eth0"]
    assert on.overlay(play, "en")[third] == ("○", "ghost")


def test_a_wrapped_packet_has_a_shell() -> None:
    lab = labs.cluster(1, 2)
    journey = lab.ping("w1/default/client-1", "10.244.1.6")

    def wrap(step: Step) -> Step:
        if step.after is None or not step.after.has_ip:
            return step
        outer = (IPv4(src=1, dst=2, proto=17), Udp(sport=1, dport=8472))
        return replace(step, after=Packet((*outer, *step.after.layers)))

    leg = journey.legs[0]
    hops = tuple(replace(h, steps=tuple(map(wrap, h.steps))) for h in leg.forward.hops)
    wrapped = replace(journey, legs=(replace(leg, forward=replace(leg.forward, hops=hops)),))
    on, play = stage(lab.net, wrapped)
    play.go(play.film.find(0, "forward", 2) or 0)
    assert "(●)" in "".join(shown(on, play))


def test_way_back_to_the_programs_seat() -> None:
    lab = labs.cluster(1, 2)
    on, play = stage(lab.net, lab.curl("w1/default/client-1", "10.244.1.6"))
    assert play.film.beats[-1].moments[-1].step.kind is StepKind.SOCKET
    assert on.ways[-1][-1] == on.scene.nodes["ns", "w1/default/client-1", ""]
    assert play.film.journey.outcome is Outcome.DELIVERED
