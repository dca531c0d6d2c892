"""Pictures and transcripts: valid, whole, in both languages."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from engine.export.markdown import code, markdown
from engine.export.svg import cells, device, svg, wrap
from engine.export.telling import space_name, told
from engine.lab.places import place_name
from engine.linux.journey import Hop
from tests.export.journeys import NAMES, all_journeys

SVG = "{http://www.w3.org/2000/svg}"


def hops(name: str) -> list[Hop]:
    _, journey = all_journeys()[name]
    walks = [w for leg in journey.legs for w in (leg.forward, leg.back) if w is not None]
    return [hop for walk in walks for hop in walk.hops]


@pytest.mark.parametrize("lang", ("en", "ko"))
@pytest.mark.parametrize("name", NAMES)
def test_every_place_is_in_the_picture(name: str, lang: str) -> None:
    lab, journey = all_journeys()[name]
    root = ET.fromstring(svg(journey, lab.world.net, lang))
    texts = [t.text or "" for t in root.iter(f"{SVG}text")]
    assert journey.act in texts
    assert len(list(root.iter(f"{SVG}circle"))) == len(hops(name))
    for hop in hops(name):
        assert device(hop.place) in texts
        assert space_name(hop.place).removeprefix(f"{hop.place.node}/") in texts
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for t in root.iter(f"{SVG}text"):
        assert 0 <= float(t.attrib["x"]) < width and 0 < float(t.attrib["y"]) < height


def test_a_packet_that_ended_has_a_cross() -> None:
    lab, journey = all_journeys()["rejected"]
    root = ET.fromstring(svg(journey, lab.world.net))
    assert "✕" in [t.text for t in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("lang", ("en", "ko"))
@pytest.mark.parametrize("name", NAMES)
def test_every_hop_is_in_the_transcript(name: str, lang: str) -> None:
    _, journey = all_journeys()[name]
    text = markdown(journey, lang)
    for hop in hops(name):
        assert f"**`{place_name(hop.place)}`**" in text
        for step in told(hop):
            if step.why is not None:
                assert step.why.text(lang) in text


def test_the_rule_that_rewrote_is_told() -> None:
    _, journey = all_journeys()["http"]
    assert "-j DNAT --to-destination 172.17.0.2:80" in markdown(journey)


def test_words_are_wrapped_by_cells() -> None:
    assert cells("eth0 로") == 7
    assert wrap("하나 둘 셋", 7) == ["하나 둘", "셋"]
    assert wrap("abcdefgh ij", 5) == ["abcde", "fgh", "ij"]
    assert all(cells(line) <= 9 for line in wrap("가나다라마바사 아자 bcdefghijklmn", 9))


def test_backquotes_in_code() -> None:
    assert code("a`b") == "`` a`b ``"
