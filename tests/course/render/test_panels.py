"""Headers, ladder, zoom and caption: text that repeats the picture."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from course.render import ladder, zoom
from course.render.caption import bar, clip_rule, controls, panel, width_of, wrap
from course.render.frames import film
from course.render.glyphs import ASCII, UNICODE, Glyphs
from course.render.headers import header_lines, plain
from course.render.playback import Playback
from engine import say
from engine.linux.addr import ip4
from engine.linux.journey import Journey, Outcome, Place, Step, StepKind
from engine.linux.packet import Arp, Ethernet, Icmp, IPv4, Packet, Payload, Tcp, Udp
from engine.linux.xt.tables import LAYOUT
from tests.course.render import labs

IP = IPv4(src=ip4("10.244.1.5"), dst=ip4("10.96.71.20"), proto=6)
SYN = Packet((Ethernet(src=1, dst=2), IP, Tcp(sport=40000, dport=80)))
PLACE = Place(node="w1", namespace="root", netns="w1", device="eth0", direction="in")


def journey() -> Journey:
    return labs.cluster().curl("w1/default/client-1", "10.244.2.6")


# -- headers ------------------------------------------------------------------------------------------------------


def test_a_rewrite_is_marked_in_its_lines() -> None:
    after = SYN.with_ip(dst=ip4("10.244.2.7"), ttl=63).with_l4(dport=8080)
    assert plain(header_lines(SYN, after, UNICODE)) == [
        "  Ethernet    00:00:00:00:00:01 → 00:00:00:00:00:02",
        "* IPv4        10.244.1.5 → 10.96.71.20 ⇒ 10.244.2.7 ttl 64 ⇒ 63",
        "* TCP         40000 → 80 ⇒ 8080 SYN",
    ]


def test_layers_that_come_and_go() -> None:
    bare = SYN.unframed()
    assert plain(header_lines(bare, SYN, UNICODE))[0].startswith("+ Ethernet")
    assert plain(header_lines(SYN, bare, UNICODE))[0].startswith("- Ethernet")
    outer = Packet((IPv4(src=1, dst=2, proto=17), Udp(sport=1, dport=8472), *SYN.layers))
    marks = [line[0] for line in plain(header_lines(SYN, outer, UNICODE))]
    assert marks == ["+", "+", " ", " ", " "]


def test_ascii_headers_hold_nothing_else() -> None:
    after = SYN.with_ip(dst=ip4("10.244.2.7"))
    assert all(line.isascii() for line in plain(header_lines(SYN, after, ASCII)))


@pytest.mark.parametrize(
    ("packet", "want"),
    [
        (Packet((Arp(op=1, sender_mac=1, sender_ip=1, target_ip=2),)), "who has 0.0.0.2 tell 0.0.0.1"),
        (Packet((Arp(op=2, sender_mac=1, sender_ip=1, target_ip=2),)), "0.0.0.1 is at 00:00:00:00:00:01"),
        (Packet((IP, Icmp(type=3, code=4, mtu=1450, quoted=SYN.unframed()))),
         "fragmentation needed mtu 1450 about 10.244.1.5 > 10.96.71.20"),
        (Packet((IP, Udp(sport=1, dport=53), Payload(protocol="dns", text="web A?", size=30))), "DNS web A? 30 B"),
    ],
)  # fmt: skip
def test_each_layer_reads_well(packet: Packet, want: str) -> None:
    assert want in "\n".join(plain(header_lines(None, packet, UNICODE)))


# -- ladder -------------------------------------------------------------------------------------------------------


def test_the_ladder_tells_the_film_in_order() -> None:
    made = film(journey())
    table = ladder.rows(made, "en")
    assert [r.beat for r in table if r.beat is not None] == list(range(len(made.beats)))
    dividers = [r.divider for r in table if r.beat is None]
    assert dividers[0] == "ARP first" and dividers[1] == "now it can go on" and "way back" in dividers


def test_what_is_hidden_has_no_row() -> None:
    made = film(journey())
    table = ladder.rows(made, "en", hidden=5)
    assert [r.beat for r in table if r.beat is not None] == [0, 1, 2, 3, 4]
    assert table[-1].divider == "? predict first"


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("width", [50, 64, 80, 120])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_no_row_is_wider_than_the_ladder(lang: str, width: int, glyphs: Glyphs) -> None:
    play = Playback(film=film(journey()))
    table = ladder.rows(play.film, lang)
    widths = ladder.columns(table, width)
    for row in table:
        assert sum(cell_len(text) for text, _ in ladder.line(row, widths, width, play, glyphs)) <= width


def test_the_present_row_and_a_bad_end_have_marks() -> None:
    lab = labs.cluster(1, 2)
    play = Playback(film=film(lab.ping("w1/default/client-1", "10.244.1.99")))
    play.go(0)
    table = ladder.rows(play.film, "en")
    widths = ladder.columns(table, 90)
    lines = [ladder.line(r, widths, 90, play, ASCII)[0][0] for r in table]
    assert lines[0].startswith(">") and lines[-1].startswith("X") and "no ARP answer" in lines[-1]


# -- zoom ---------------------------------------------------------------------------------------------------------


def step(kind: StepKind, **more: object) -> Step:
    return Step(kind=kind, place=PLACE, before=SYN.unframed(), after=SYN.unframed(), **more)  # type: ignore[arg-type]


FORWARDED = (
    Step(kind=StepKind.RECEIVE, place=PLACE, before=SYN, after=SYN),
    step(StepKind.POLICY, hook="PREROUTING", table="raw", chain="PREROUTING", verdict="accept",
         row="-P PREROUTING ACCEPT"),
    step(StepKind.CONNTRACK, verdict="NEW"),
    step(StepKind.RULE, hook="PREROUTING", table="nat", chain="PREROUTING", number=1, visited=1, verdict="jump",
         row="-A PREROUTING -j KUBE-SERVICES"),
    step(StepKind.RULE, hook="PREROUTING", table="nat", chain="KUBE-SERVICES", number=17, visited=18, verdict="dnat",
         row="-A KUBE-SERVICES -d 10.96.71.20/32 -j DNAT --to-destination 10.244.2.7:8080"),
    replace(step(StepKind.NAT, hook="PREROUTING", table="nat"), after=SYN.unframed().with_ip(dst=ip4("10.244.2.7"))),
    step(StepKind.ROUTE, row="10.244.2.0/24 via 192.168.10.12 dev eth0"),
    step(StepKind.FORWARD),
    step(StepKind.RULE, hook="FORWARD", table="filter", chain="FORWARD", number=3, visited=3, verdict="drop",
         row="-A FORWARD -j DROP"),
    replace(step(StepKind.DROP, hook="FORWARD", row="-A FORWARD -j DROP"), outcome=Outcome.DROPPED),
)  # fmt: skip


def stages(steps: tuple[Step, ...], current: Step | None = None) -> dict[str, str]:
    return {
        f"{section.title} {stage.name}": stage.status
        for section in zoom.diagram(steps, current, "en") for stage in section.stages
    }  # fmt: skip


def test_the_stages_are_lit_as_the_packet_met_them() -> None:
    assert stages(FORWARDED) == {
        "in in": "met", "PREROUTING raw": "met", "PREROUTING conntrack": "met", "PREROUTING mangle": "passed",
        "PREROUTING nat": "met", "routing routing": "met", "INPUT mangle": "away", "INPUT filter": "away",
        "INPUT nat": "away", "FORWARD mangle": "passed", "FORWARD filter": "stopped", "POSTROUTING mangle": "unreached",
        "POSTROUTING nat": "unreached", "neighbour neighbour": "unreached", "out out": "unreached",
    }  # fmt: skip


def test_the_order_is_the_walkers_own_table() -> None:
    found = [s.stages for s in zoom.diagram(FORWARDED, None, "en") if s.title == "PREROUTING"]
    tables = [stage.name for stage in found[0] if stage.name != "conntrack"]
    assert tables == [table for table, _ in LAYOUT["PREROUTING"]]


def test_one_stage_is_the_present_one() -> None:
    now = [s.name for sec in zoom.diagram(FORWARDED, FORWARDED[4], "en") for s in sec.stages if s.now]
    assert now == ["nat"]


def test_rules_are_counted_as_met_and_tried() -> None:
    found, met, tried = zoom.rules(FORWARDED)
    assert (met, tried) == (3, 21)
    lines = zoom.rule_lines(FORWARDED, FORWARDED[4], 100, "en", ASCII)
    text = ["".join(t for t, _ in line) for line in lines]
    assert text[0].strip() == "rules met 3 of 21"
    assert any(
        line.startswith(" > nat KUBE-SERVICES") and "   17  -d 10.96.71.20/32" in line for line in text
    )
    assert any("dst 10.96.71.20:80 => 10.244.2.7:80" in line for line in text)
    assert all(line.isascii() for line in text)
    assert any(line.startswith(" X filter FORWARD") and line.endswith("-j DROP") for line in text)
    assert found[0].number == 0  # a policy has no number


def test_the_rule_that_decided_is_the_one_to_be_seen_first() -> None:
    found, _, _ = zoom.rules(FORWARDED)
    drop, transmit = len(found) - 1, step(StepKind.TRANSMIT)
    assert found[zoom.deciding(FORWARDED, FORWARDED[-1])].text == "-j DROP"
    assert zoom.deciding(FORWARDED, FORWARDED[4]) == 2, "the present step's own rule"
    passed = (*FORWARDED[:-2], transmit)
    assert found[zoom.deciding(passed, transmit)].change, "a packet that went on: where it was rewritten"
    assert zoom.deciding(FORWARDED, FORWARDED[6], inside=True) == 3, "step by step: the last one met so far"
    assert zoom.deciding((), None) == 0
    assert zoom.window(27, 4, drop)[0] <= drop < zoom.window(27, 4, drop)[1]


@pytest.mark.parametrize(("at", "want"), [(0, (0, 4)), (13, (11, 15)), (26, (23, 27))])
def test_a_window_holds_its_line_and_no_empty_one(at: int, want: tuple[int, int]) -> None:
    assert zoom.window(27, 4, at) == want
    assert zoom.window(3, 4, min(at, 2)) == (0, 3)


def test_marks_have_shapes_of_their_own() -> None:
    for glyphs in (UNICODE, ASCII):
        assert len({zoom.mark(s, glyphs) for s in ("met", "passed", "stopped", "unreached")}) == 4
        assert len({glyphs.packet, glyphs.answer, glyphs.ghost, glyphs.stopped, glyphs.ok}) == 5


def test_a_frame_meets_no_hook() -> None:
    made = film(journey())
    index = next(i for i, b in enumerate(made.beats) if b.way == "aside" and b.place.device == "cni0")
    titles = [s.title for s in zoom.diagram(made.visit(index), None, "en")]
    assert "bridge" in titles and not any(t.isupper() for t in titles)


def test_a_visit_is_the_whole_stay() -> None:
    made = film(journey(), arp=False)
    index = next(i for i, b in enumerate(made.beats) if b.place.netns == "w1")
    kinds = [s.kind for s in made.visit(index)]
    assert kinds[0] is StepKind.RECEIVE and StepKind.BRIDGE in kinds and StepKind.ROUTE in kinds
    assert kinds[-1] is StepKind.TRANSMIT
    assert zoom.kind(made.visit(index)) == "forwarding"


# -- the panel ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize(("width", "height"), [(40, 4), (80, 6), (80, 8), (120, 9)])
def test_the_panel_fits(lang: str, width: int, height: int) -> None:
    play = Playback(film=film(journey()))
    for i in range(len(play.film.beats)):
        play.go(i)
        for glyphs in (UNICODE, ASCII):
            lines = panel(play, width, height, lang, glyphs)
            assert len(lines) <= height
            assert max(width_of(line) for line in lines) <= width
            if glyphs.ascii and lang == "en":
                assert "".join(text for line in lines for text, _ in line).isascii()


def test_a_hidden_film_tells_nothing() -> None:
    play = Playback(film=film(journey()), hidden=3)
    play.go(2)
    text = "\n".join("".join(t for t, _ in line) for line in panel(play, 100, 9, "en", UNICODE))
    assert "predict first" in text and "/" not in text.splitlines()[1]
    assert "?" in text.splitlines()[0]


def test_the_bar_is_as_wide_as_asked() -> None:
    play = Playback(film=film(journey()))
    for width in (4, 20, 80):
        assert width_of(bar(play, width, UNICODE)) == width


def test_controls_show_speed_and_state() -> None:
    assert "".join(t for t, _ in controls(2.0, True, ASCII)) == "- 2x + >"
    assert "".join(t for t, _ in controls(0.5, False, ASCII)) == "- 0.5x + ||"


@given(text=st.text("ab 한글 ", max_size=80), width=st.integers(4, 30))
def test_wrapped_lines_fit(text: str, width: int) -> None:
    lines = wrap(text, width, 3, UNICODE)
    assert len(lines) <= 3 and all(cell_len(line) <= width for line in lines)


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("width", [66, 71, 80])
def test_a_long_purpose_leaves_the_place_and_the_clause(lang: str, width: int) -> None:
    made = film(journey())
    named = tuple(replace(b, purpose="DNS A web.shop.svc.cluster.local. at 10.96.0.10") for b in made.beats)
    play = Playback(film=replace(made, beats=named, legs=3))
    for i, beat in enumerate(named):
        play.go(i, 0.0)
        text = ["".join(t for t, _ in line) for line in panel(play, width, 5, lang, UNICODE)]
        assert ladder.where(beat.place) in text[1]
        assert text[2].strip() == beat.moments[play.shown()].clause.text(lang)


def test_a_why_takes_the_lines_that_headers_leave() -> None:
    play = Playback(film=film(journey()))
    play.go(0)
    long = say.plain(" ".join(["word"] * 40))
    beat = play.film.beats[0]
    moments = tuple(replace(m, step=replace(m.step, why=long)) for m in beat.moments)
    play.film = replace(play.film, beats=(replace(beat, moments=moments),))
    tall = ["".join(t for t, _ in line) for line in panel(play, 80, 12, "en", UNICODE)]
    low = ["".join(t for t, _ in line) for line in panel(play, 80, 6, "en", UNICODE)]
    assert sum("word" in line for line in tall) == 3
    assert sum("word" in line for line in low) == 1


def test_a_long_pod_name_leaves_its_device() -> None:
    assert ladder.place_cell("coredns-655d65cb55-tplnz eth0", 18, UNICODE) == "coredns-655d… eth0"
    assert ladder.place_cell("w1 veth678f996b", 18, UNICODE) == "w1 veth678f996b"
    assert ladder.place_cell("w1 a-device-with-a-long-name", 18, UNICODE).startswith("w1 a-device")


def test_a_comment_gives_way_before_a_test_does() -> None:
    rule = '-m comment --comment "cali:3Lv" -m comment --comment "End of tier" -m mark --mark 0x0/0x2 -j DROP'
    assert clip_rule(rule, 200, UNICODE) == rule
    assert (
        clip_rule(rule, 75, UNICODE) == '… -m comment --comment "End of tier" -m mark --mark 0x0/0x2 -j DROP'
    )
    assert clip_rule(rule, 40, UNICODE) == "… -m mark --mark 0x0/0x2 -j DROP"
    assert clip_rule(rule, 20, UNICODE) == "… -m mark -… -j DROP"
    said = '-m comment --comment "cali:3Lv" -m comment --comment "Policy shop/db ingress"'
    assert clip_rule(said, 40, UNICODE) == '… "Policy shop/db ingress"'
    middle = '-d 10.96.0.10/32 -p udp -m comment --comment "kube-system/kube-dns:dns" -m udp --dport 53 -j KUBE-SVC-A'
    assert clip_rule(middle, 70, UNICODE) == "-d 10.96.0.10/32 -p udp … -m udp --dport 53 -j KUBE-SVC-A"


def test_while_it_plays_the_end_is_said_when_it_comes() -> None:
    made = film(journey(), arp=False)
    moments = tuple(
        replace(made.beats[0].moments[0], step=s, dwell=1.0) for s in (FORWARDED[5], FORWARDED[-1])
    )
    beat = replace(made.beats[0], moments=moments, main=1, ends=Outcome.DROPPED)
    play = Playback(film=replace(made, beats=(beat, made.beats[1])), fraction=0.4)
    assert play.shown() == 0 and "dropped" not in "".join(t for t, _ in panel(play, 80, 9, "en", UNICODE)[2])
    play.fraction = 0.9
    assert play.shown() == 1 and "dropped" in "".join(t for t, _ in panel(play, 80, 9, "en", UNICODE)[2])


def test_the_end_tells_the_packet_and_then_what_the_user_did() -> None:
    made = film(journey(), arp=False)
    last = replace(made.beats[-1], ends=Outcome.DROPPED)
    whole = replace(made.journey, outcome=Outcome.NAME_NOT_FOUND)
    play = Playback(film=replace(made, beats=(*made.beats[:-1], last), journey=whole))
    play.go(len(made.beats) - 1)
    assert "dropped · name not found" in "".join(t for t, _ in panel(play, 80, 9, "en", UNICODE)[2])


def test_a_dns_answer_does_not_say_its_name_twice() -> None:
    text = "NOERROR A? web.shop.svc. #7 aa rd | web.shop.svc. 30 A 10.96.71.20 | other. 30 A 10.0.0.1"
    udp = Packet((IP, Udp(sport=53, dport=5000), Payload(protocol="dns", text=text, size=86)))
    line = plain(header_lines(udp, udp, UNICODE))[-1]
    assert "NOERROR A? web.shop.svc. | A 10.96.71.20 | other. 30 A 10.0.0.1 86 B" in line
