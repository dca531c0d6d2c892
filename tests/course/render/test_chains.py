"""The chains of a visit: every table that the packet meets can be opened, on every node that it crosses."""

from __future__ import annotations

from functools import cache

import pytest
from rich.cells import cell_len

from course.catalog import LESSONS, entries
from course.cli.common import open_lab
from course.render import chains
from course.render.caption import clip_rule
from course.render.chains import ChainKey
from course.render.frames import Film, film
from course.render.glyphs import ASCII, UNICODE, Glyphs
from course.render.zoom import diagram, picture
from engine.grade.course import Course
from engine.grade.story import Played, Story
from engine.linux.journey import Journey, StepKind
from engine.linux.net import Net, Netns

TABLES = {"raw": "PREROUTING", "mangle": "FORWARD", "nat": "POSTROUTING", "filter": "FORWARD"}


@cache
def ruled() -> tuple[Film, Net]:
    """A packet through box, where each table has a rule for it, and one a chain of its own."""
    lab = open_lab("01-containers", seed=0, lang="en")
    for table, hook in TABLES.items():
        assert not lab.run(
            "host/box", f"iptables -t {table} -I {hook} -p tcp -m comment --comment {table}"
        ).code
    for line in ("iptables -N LONG", "iptables -I FORWARD -j LONG", *["iptables -A LONG -s 10.9.9.9"] * 40):
        assert not lab.run("host/box", line).code
    lab.run("container/box/client", "nc -z 203.0.113.80 80")
    journey = lab.trace("container/box/client", "host/internet:80")
    return film(journey), lab.world.net


def forwarding() -> tuple[Netns, tuple[object, ...]]:
    shown, net = ruled()
    at = next(i for i, b in enumerate(shown.beats) if any(m.step.kind is StepKind.FORWARD for m in b.moments))
    return net.spaces[shown.beats[at].place.netns], shown.visit(at)


def key(chain: str, table: str = "filter", hook: str = "FORWARD") -> ChainKey:
    return ChainKey(hook=hook, table=table, chain=chain)


@pytest.mark.parametrize("table", TABLES)
def test_each_table_that_the_packet_crosses_is_opened_with_its_counters(table: str) -> None:
    ns, steps = forwarding()
    hook = TABLES[table]
    found = chains.opened(ns, key(hook, table, hook), steps)  # type: ignore[arg-type]
    assert key(hook, table, hook) in chains.chains(ns, steps)  # type: ignore[arg-type]
    assert found.met
    lines = chains.rows(ns, found, 0, 100, 12, "en", UNICODE)
    own = next(line for line in lines if f"comment {table}" in line[-1][0])
    assert "●" in own[0][0]
    assert int("".join(own[0][0].replace("▸", "").split("●")[1].split()[1:2])) >= 1  # packets


def test_a_rule_leads_to_its_chain_and_a_chain_without_a_match_is_there_too() -> None:
    ns, steps = forwarding()
    assert chains.target(ns, key("FORWARD"), 0) == key("LONG")
    found = chains.opened(ns, key("LONG"), steps)  # type: ignore[arg-type]
    assert found.rules == 40 and not any(1 <= n <= 40 for n in found.met) and not found.policy
    assert chains.target(ns, key("LONG"), 3) is None
    assert not chains.opened(ns, key("NOWHERE"), ()).exists


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("size", [(80, 13), (120, 30), (40, 4), (72, 2)])
def test_a_long_chain_is_seen_through_a_window(size: tuple[int, int], lang: str) -> None:
    ns, steps = forwarding()
    found = chains.opened(ns, key("LONG"), steps)  # type: ignore[arg-type]
    width, height = size
    for at in (0, 20, 39):
        lines = chains.rows(ns, found, at, width, height, lang, ASCII)
        assert len(lines) <= height and all(sum(cell_len(t) for t, _ in line) <= width for line in lines)
        assert sum(line[0][0].startswith(" >") for line in lines) == 1
    head = chains.head(found, 2, 9, width, lang, ASCII)
    assert sum(cell_len(t) for t, _ in head) <= width


def test_a_table_of_nft_stands_at_its_hook_and_opens() -> None:
    lab = open_lab("01-containers", seed=0, lang="en")
    for line in (
        "nft add table inet my",
        "nft add chain inet my fwd '{ type filter hook forward priority -5; policy accept; }'",
        "nft add chain inet my own",
        "nft add rule inet my fwd tcp dport 80 counter jump own",
        "nft add rule inet my own counter accept",
    ):
        assert not lab.run("host/box", line).code
    shown = film(lab.trace("container/box/client", "host/internet:80"))
    at = next(i for i, b in enumerate(shown.beats) if any(m.step.kind is StepKind.FORWARD for m in b.moments))
    ns, steps = lab.world.net.spaces[shown.beats[at].place.netns], shown.visit(at)
    found = chains.chains(ns, steps)
    base = key("fwd", "inet my")
    assert found.index(base) < found.index(key("FORWARD")) and key("own", "inet my") in found
    assert chains.target(ns, base, 0) == key("own", "inet my")
    lines = chains.rows(ns, chains.opened(ns, base, steps), 0, 90, 9, "en", UNICODE)
    assert "tcp dport 80 counter" in lines[1][-1][0] and "●" in lines[1][0][0]
    stages = next(s for s in diagram(steps, None, "en") if s.title == "FORWARD" and not s.away).stages
    assert [s.name for s in stages] == ["inet my", "mangle", "filter"] and stages[0].status == "met"


@cache
def stories() -> dict[str, Story]:
    return {e.id: Story(Course.load(LESSONS).lesson(e.id)) for e in entries() if e.ready}


def plays() -> list[tuple[str, tuple[int, int]]]:
    from engine.grade.lesson import Play

    return [
        (id, at) for id, story in stories().items() for at, b in story.everything() if isinstance(b, Play)
    ]


def sides(played: Played) -> list[tuple[Journey, Net]]:
    out = [(played.journey, played.lab.world.net)]
    return out + (sides(played.beside) if played.beside is not None else [])


@pytest.mark.parametrize(("lesson", "at"), plays(), ids=str)
def test_every_chain_that_a_play_meets_can_be_opened_at_its_hop(lesson: str, at: tuple[int, int]) -> None:
    for journey, net in sides(stories()[lesson].play(*at)):
        shown = film(journey)
        for i, beat in enumerate(shown.beats):
            ns, steps = net.spaces[beat.place.netns], shown.visit(i)
            found = chains.chains(ns, steps)
            met = {
                ChainKey(hook=s.hook, table=s.table, chain=s.chain)
                for s in steps if s.kind in (StepKind.RULE, StepKind.POLICY)
            }  # fmt: skip
            assert met <= set(found)
            assert all(chains.opened(ns, k, steps).exists for k in found)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("width", [79, 59, 56])
def test_no_table_that_the_packet_met_is_cut_off_the_diagram(width: int, glyphs: Glyphs) -> None:
    """Beside another player a hook has 59 columns; nat stands last in PREROUTING and must be seen."""
    _, steps = forwarding()
    lines = ["".join(text for text, _ in line) for line in picture(steps, None, "en", glyphs, width=width)]  # type: ignore[arg-type]
    assert all(cell_len(line) <= width for line in lines)
    (hook,) = [line for line in lines if "PREROUTING" in line]
    assert f"raw {glyphs.met}" in hook and f"conntrack {glyphs.met}" in hook
    (last,) = [line for line in lines if "POSTROUTING" in line]
    assert f"nat {glyphs.met}" in last


def test_a_rule_that_just_fits_does_not_begin_with_a_blank() -> None:
    row = '-d 10.96.0.1/32 -m comment --comment "default/web cluster IP" -j KUBE-SVC-CDGGSHYLG3RE2FKL'
    for width in range(20, 60):
        assert clip_rule(row, width, UNICODE)[:1] != " "
