"""The picture of a lab: any lab, any size, in both glyph sets, always the same and never one label over another."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from course.catalog import LESSONS
from course.render.block import Block
from course.render.canvas import text_of, width_of
from course.render.cast import wanted
from course.render.glyphs import ASCII, UNICODE
from course.render.layout import DENSITIES, FOLDS, TIGHT, Scene, _Arrangement, layout
from course.render.plan import Plan, Wanted
from course.render.topology import topology
from course.render.words import folded
from engine.fabric.plan import Machine, build_fabric
from engine.grade.course import Course
from engine.grade.lesson import Play
from engine.grade.story import Story
from engine.linux.net import Net
from engine.linux.ops import AddLink, AddNetns, AddVeth, Changes, SetLink
from tests.course.render import labs

SIZES = ((80, 15), (80, 40), (100, 20), (120, 24), (160, 50))


def picture(scene: Scene) -> str:
    return "\n".join(text_of(row) for row in scene.rows)


def overlaps(block: Block) -> list[str]:
    """Pairs of texts that share a cell, titles of boxes included."""
    taken: dict[tuple[int, int], str] = {}
    found: list[str] = []
    for text in block.texts:
        for i, (line, _) in enumerate(text.lines):
            for x in range(text.x, text.x + min(cell_len(line), text.width)):
                if (x, text.y + i) in taken:
                    found.append(f"{line!r} over {taken[x, text.y + i]!r}")
                taken[x, text.y + i] = line
    for box in block.boxes:
        width = min(cell_len(box.title), box.w - 6 - box.shift)
        y = box.y + box.h - 1 if box.below else box.y
        for x in range(box.x + 3 + box.shift, box.x + 3 + box.shift + width):
            if (x, y) in taken:
                found.append(f"title {box.title!r} over {taken[x, y]!r}")
            taken[x, y] = box.title
    return found


def test_a_small_cluster_is_drawn_whole() -> None:
    scene = layout(topology(labs.cluster().net), 118, 20)
    assert scene.fits
    shown = picture(scene)
    for word in ("w1", "w2", "default/client-1", "default/web-2", "laptop", "router", " lan "):
        assert word in shown
    for row in ("eth0 192.168.10.100/24", "cni0 10.244.1.1/24", "10.244.2.6/24", "veth22a1b2c3"):
        assert row in shown


def test_every_wire_stands_on_its_devices() -> None:
    """Straight down from the pod's eth0 to its port on the bridge."""
    scene = layout(topology(labs.cluster(1, 2).net), 118, 20)
    x, top = scene.nodes["dev", "w1/default/client-1", "eth0"]
    low, bottom = scene.nodes["dev", "w1", "veth11a1b2c3"]
    assert x == low and top < bottom
    assert [scene.rows[y][x][0] for y in range(top, bottom + 1)] == ["┬", "│", "┴"]


def test_what_the_journey_crosses_stays_when_room_is_short() -> None:
    lab = labs.cluster(5, 6)
    journey = lab.curl("w1/default/client-1", "10.244.4.6")
    lo, stay = wanted(journey)
    scene = layout(topology(lab.net, lo=lo), 80, 15, wanted=stay)
    shown = picture(scene)
    assert "client-1" in shown and "web-2" in shown and "w4" in shown and "nginx" in shown
    assert "╭─ w3" not in shown and "+5 pods" in shown
    for netns in stay.spaces:
        assert ("ns", netns, "") in scene.nodes or ("ns", netns, "") in scene.stands_for


def test_blanks_go_before_the_picture_is_cut() -> None:
    """A comparison at 120 columns leaves each side 59: both machines of the journey stand there whole."""
    folder = Course.load(LESSONS).lesson("05-kube-proxy")
    steps = enumerate(folder.lesson.steps)
    blocks = [(i, j, b) for i, step in steps for j, b in enumerate(step.en) if isinstance(b, Play)]
    played = Story(folder).play(*next((i, j) for i, j, b in reversed(blocks) if b.beside is not None))
    lo, stay = wanted(played.journey)
    scene = layout(topology(played.lab.world.net, lo=lo), 59, 20, wanted=stay)
    assert scene.fits and scene.detail.tight
    lines = picture(scene).splitlines()
    top = next(line for line in lines if " w1 " in line)
    assert " w2 " in top and top.rstrip().endswith("╮")
    assert "…" not in picture(scene)


def test_folded_words_are_in_the_readers_language() -> None:
    lab = labs.cluster(5, 6)
    journey = lab.curl("w1/default/client-1", "10.244.4.6")
    lo, stay = wanted(journey)
    scene = layout(topology(lab.net, lo=lo), 80, 15, wanted=stay, words=folded("ko"))
    assert "파드 +5" in picture(scene)
    assert {width_of(row) for row in scene.rows} == {scene.width}


def test_a_wire_between_two_namespaces_is_one_line() -> None:
    shown = picture(layout(topology(labs.two_spaces().net), 80, 20))
    assert "└───────────────────┘" in shown or "└─────────────────┘" in shown


def test_what_nobody_moved_yet_is_drawn_where_it_is() -> None:
    lab = labs.half_made()
    scene = layout(topology(lab.net), 80, 20)
    assert scene.nodes["dev", "box", "veth0"][1] == scene.nodes["dev", "box", "veth1"][1]
    assert "br0" in picture(scene)


def test_a_down_wire_looks_broken() -> None:
    lab = labs.cluster(1, 2)
    lab.changes.do(SetLink(netns="w1", name="veth11a1b2c3", up=False))
    shown = picture(layout(topology(lab.net), 118, 20))
    assert "┆ veth11a1b2c3" in shown and "│ veth12a1b2c3" in shown


def test_two_bridges_and_a_container_on_both() -> None:
    scene = layout(topology(labs.two_bridges().net), 118, 22)
    shown = picture(scene)
    assert "docker0 172.17.0.1/16" in shown and "br-5d0c1a2b3c4d 172.18.0.1/16" in shown
    assert scene.fits


def test_ascii_holds_nothing_else() -> None:
    for lab in (labs.cluster(3, 4), labs.two_spaces(), labs.two_bridges(), labs.half_made()):
        shown = picture(layout(topology(lab.net), 118, 22, glyphs=ASCII))
        assert shown.isascii()


@pytest.mark.parametrize("size", SIZES)
def test_five_thousand_nodes_are_folded(size: tuple[int, int]) -> None:
    """Many machines: only those of the journey are drawn, and quickly."""
    lab = labs.cluster(40, 1)
    journey = lab.ping("w7/default/client-1", "10.244.33.5")
    lo, stay = wanted(journey)
    scene = layout(topology(lab.net, lo=lo), *size, wanted=stay)
    shown = picture(scene)
    assert "w7" in shown and "w33" in shown and "w8 " not in shown
    assert "+40 machines" in shown  # 38 nodes, the laptop, the router


@st.composite
def nets(draw: st.DrawFn) -> Net:
    """Machines on a LAN with namespaces, bridges and veth pairs put anywhere."""
    changes = Changes(Net())
    count = draw(st.integers(1, 4))
    build_fabric(
        changes, [Machine(name=f"m{i}", role=draw(st.sampled_from(("node", "host")))) for i in range(count)]
    )
    serial = 0
    for i in range(count):
        box = f"m{i}"
        spaces = [box]
        for j in range(draw(st.integers(0, 4))):
            label = draw(
                st.sampled_from(("default/web", "db", "kube-system/coredns-5d78c9869d-x7k2p", "한글-이름"))
            )
            changes.do(AddNetns(box=box, id=f"{box}/{j}", label=f"{label}-{j}"))
            spaces.append(f"{box}/{j}")
        bridges: list[tuple[str, str]] = []
        for j in range(draw(st.integers(0, 2))):
            home = draw(st.sampled_from(spaces))
            changes.do(AddLink(netns=home, name=f"br{j}", kind="bridge"))
            bridges.append((home, f"br{j}"))
        for _ in range(draw(st.integers(0, 6))):
            serial += 1
            ends = [(draw(st.sampled_from(spaces)), f"v{serial}{side}long-name"[:15]) for side in "ab"]
            changes.do(
                AddVeth(netns=ends[0][0], name=ends[0][1], peer_netns=ends[1][0], peer_name=ends[1][1])
            )
            for netns, name in ends:
                changes.do(SetLink(netns=netns, name=name, up=draw(st.booleans())))
                here = [b for home, b in bridges if home == netns]
                if here and draw(st.booleans()):
                    changes.do(SetLink(netns=netns, name=name, master=draw(st.sampled_from(here))))
        if draw(st.integers(0, 3)) == 0 and (here := [b for home, b in bridges if home == box]):
            changes.do(SetLink(netns=box, name="eth0", master=here[0]))
    return changes.net


@settings(max_examples=80)
@given(net=nets(), size=st.sampled_from(SIZES))
def test_any_lab_can_be_drawn(net: Net, size: tuple[int, int]) -> None:
    lab = topology(net)
    scene = layout(lab, *size)
    again = layout(topology(net), *size)
    assert scene.rows == again.rows and scene.nodes == again.nodes
    assert {len(row) for row in scene.rows} == {scene.width}
    assert {width_of(row) for row in scene.rows} == {scene.width}
    assert not scene.fits or (scene.width <= size[0] and scene.height <= size[1])
    for x, y in scene.nodes.values():
        assert 0 <= x < scene.width and 0 <= y < scene.height
    for machine in lab.machines:
        for space in machine.spaces():
            for device in space.devices:
                assert device.key in scene.nodes or device.key in scene.stands_for, device


@settings(max_examples=80)
@given(
    net=nets(),
    density=st.sampled_from((*DENSITIES, *TIGHT)),
    fold=st.sampled_from(FOLDS),
    how=st.sampled_from(("", "both", "flat")),
)
def test_no_label_lies_over_another(net: Net, density: object, fold: tuple[int, str], how: str) -> None:
    from dataclasses import replace

    detail = replace(density, others=fold[0], far=fold[1])  # type: ignore[type-var]
    block = _Arrangement(Plan(topology(net), Wanted(), folded("en")), detail, how).build()
    assert not overlaps(block)
    assert Counter(type(w.points) for w in block.wires).keys() <= {tuple}


def test_rows_of_the_unicode_set_are_as_wide_as_the_scene() -> None:
    for width, height in SIZES:
        scene = layout(topology(labs.cluster(2, 3).net), width, height, glyphs=UNICODE)
        assert {width_of(row) for row in scene.rows} == {scene.width}
