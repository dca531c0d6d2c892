"""The lesson format: steps and blocks, equality of the two languages, the story, and the linter's refusals."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.grade.course import Course, Folder
from engine.grade.lesson import ExerciseRef, Lesson, Play, Prose, Run, read_lesson
from engine.grade.proof import prove
from engine.grade.prove import check_course, check_lesson, lesson_problems
from engine.grade.story import Story

SAMPLE = Path(__file__).resolve().parents[1] / "lessons" / "sample"
NAMES = {"en": "l/lesson.en.md", "ko": "l/lesson.ko.md"}


def lesson(en: str, ko: str | None = None) -> Lesson:
    return read_lesson("l", {"en": en, "ko": en if ko is None else ko}, NAMES)


def errors(en: str, ko: str | None = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        lesson(en, ko)
    return caught.value.text("en").splitlines()


TEXT = """# The title

The opening.

## One {brace}

Prose with `code`.

```run node/w1 fails
ip a

ip r
```

More prose.

````text
```run inside a longer fence is prose
````

```play
from: pod/a
to: pod/b:80
stop: {at: w1/cni0, kind: bridge}
predict: {ask: device}
```

```exercise one
```

### A smaller heading

## Two

```run host/laptop fresh
ping -c 1 10.0.0.1
```
"""


def test_steps_and_blocks() -> None:
    found = lesson(TEXT)
    assert found.title.text() == "The title"
    assert found.opening() == "The opening."
    assert [s.title.text() for s in found.steps] == ["One {brace}", "Two"]
    kinds = [type(b) for b in found.steps[0].blocks("en")]
    assert kinds == [Prose, Run, Prose, Play, ExerciseRef, Prose]
    run = found.steps[0].en[1]
    assert isinstance(run, Run)
    assert (run.place, run.commands, run.fails, run.fresh) == ("node/w1", ("ip a", "ip r"), True, False)
    play = found.steps[0].en[3]
    assert isinstance(play, Play)
    assert play.stop is not None and play.ask is not None
    assert play.ask.stop == play.stop
    assert found.exercises == ("one",)
    prose = found.steps[0].en[2]
    assert isinstance(prose, Prose)
    assert "```run inside a longer fence is prose" in prose.text


def test_each_language_has_its_own_prose_and_shares_the_blocks() -> None:
    found = lesson(TEXT, TEXT.replace("Prose with", "본문과").replace("# The title", "# 제목"))
    assert found.title.text("ko") == "제목"
    one, two = found.steps[0].blocks("en"), found.steps[0].blocks("ko")
    assert one[1] is two[1]
    assert isinstance(two[0], Prose)
    assert two[0].text == "본문과 `code`."


@pytest.mark.parametrize(
    ("en", "ko", "error"),
    [
        (
            "## A\n```exercise x\n```\n",
            None,
            "l/lesson.en.md:1: the lesson needs a title first: a line that begins with `# `",
        ),
        ("# T\ntext\n", None, "l/lesson.en.md:1: the lesson has no steps; a step begins with `## `"),
        (
            "# T\n```run w1\nx\n```\n## A\n```exercise x\n```\n",
            None,
            "l/lesson.en.md:2: a run block stands before the first `## ` step; put it into a step",
        ),
        (
            "# T\n## A\n```run w1\nip a\n",
            None,
            "l/lesson.en.md:3: this fence is never closed; add a line ```",
        ),
        (
            "# T\n## A\n```rum w1\nip a\n```\n```exercise x\n```\n",
            None,
            "l/lesson.en.md:3: 'rum' is no block (did you mean 'run'?); accepted: run, play, "
            "exercise, or yaml, json, text, markdown, bash, sh, ini, toml, diff, go, c, dockerfile. "
            "An output is shown by `run`",
        ),
        (
            "# T\n## A\n```run\nip a\n```\n",
            None,
            "l/lesson.en.md:3: run needs one place and may have `fails` and `fresh`: ```run node/w1 fails; found ''",
        ),
        (
            "# T\n## A\n```exercise\n```\n",
            None,
            "l/lesson.en.md:3: exercise needs one id and an empty body: ```exercise who-floods; found ''",
        ),
        (
            "# T\n## A\ntext\n",
            None,
            "l/lesson.en.md:2: step 1 has nothing to do; every step has a run, a play or an exercise",
        ),
        (
            "# T\n## A\n```exercise x\n```\n## B\n```exercise y\n```\n",
            "# T\n## A\n```exercise x\n```\n",
            "l/lesson.ko.md:1: 1 steps here, 2 in l/lesson.en.md; both languages have the same steps",
        ),
        (
            "# T\n## A\n```exercise x\n```\n",
            "# T\n## A\ntext\n```exercise x\n```\n",
            "l/lesson.ko.md:2: step 1 has the blocks prose, exercise here and exercise in "
            "l/lesson.en.md; make them the same, in the same order",
        ),
        (
            "# T\n## A\n```run w1\nip a\n```\n",
            "# T\n## A\n```run w1\nip r\n```\n",
            "l/lesson.ko.md:3: this run block differs from the one in l/lesson.en.md, line 3; "
            "blocks are word for word the same",
        ),
        (
            "# T\n## A\n```play\nfrom: pod/a\nto: pod/b:80\nstopp: 1\n```\n",
            None,
            "l/lesson.en.md:6: stopp: there is no key 'stopp' here (did you mean 'stop'?); "
            "accepted: from, to, proto, headers, enter, faults, do, lab, stop, predict, beside",
        ),
        ("# T\n## A\n```play\n```\n", None, "l/lesson.en.md:3: the key 'from' is missing; write a text"),
    ],
)
def test_what_is_said(en: str, ko: str | None, error: str) -> None:
    assert error in errors(en, ko)


@given(
    st.lists(
        st.sampled_from(
            [
                "# T",
                "## A",
                "```run w1",
                "```play",
                "```exercise x",
                "```",
                "````",
                "text",
                "",
                "from: a",
                "to: b",
                "~~~",
                "```yaml",
                "\t",
                "{",
                "### x",
            ]
        )
    )
)
def test_no_lesson_however_strange_gives_a_traceback(lines: list[str]) -> None:
    try:
        lesson("\n".join(lines))
    except InputError as error:
        assert error.text("ko")


# ---- the story


@pytest.fixture
def course(tmp_path: Path) -> Path:
    shutil.copytree(SAMPLE, tmp_path / "course")
    return tmp_path / "course"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def both(course: Path, old: str, new: str) -> None:
    for lang in ("en", "ko"):
        edit(course / "01-sample" / f"lesson.{lang}.md", old, new)


def test_run_blocks_are_one_story_and_plays_cross_it(course: Path) -> None:
    both(course, "bridge link show\n", "ip link set cni0 mtu 1400\n")
    story = Story(Course.load(course).lesson("01-sample"))
    shown = story.outputs(0, 1)
    assert [s.command for s in shown] == ["ip link set cni0 mtu 1400", "ip -br addr show cni0 | grep cni0"]
    assert "10.244.1.1/24" in shown[1].result.stdout
    assert "mtu 1400" in story.lab_at(1).run("node/w1", "ip link show cni0").stdout
    assert "mtu 1500" in story.lab_at(0).run("node/w1", "ip link show cni0").stdout
    played = story.play(2, 0)
    assert played.journey.outcome == "dropped"
    assert played.lab.world.net.spaces["w1"].sysctl("net.ipv4.ip_forward") == "0"
    assert "mtu 1400" in played.lab.run("node/w1", "ip link show cni0").stdout


def test_a_play_halts_and_asks(course: Path) -> None:
    played = Story(Course.load(course).lesson("01-sample")).play(0, 2)
    assert played.halt is not None
    assert played.question is not None
    assert played.question.halt == played.halt


def test_steps_may_be_asked_in_any_order(course: Path) -> None:
    folder = Course.load(course).lesson("01-sample")
    late = Story(folder).outputs(1, 1)
    story = Story(folder)
    story.outputs(0, 1)
    assert [s.result.stdout for s in story.outputs(1, 1)] == [s.result.stdout for s in late]


# ---- the linter


def report(path: Path) -> list[str]:
    """The problems of the lesson apart from its exercises."""
    course = Course.load(path)
    return [p.text("en") for p in lesson_problems(course.lesson("01-sample"), course)]


def test_the_sample_holds(course: Path) -> None:
    (found,) = check_course(Course.load(course))
    assert found.ok, found.to_json()


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            "bridge link show\n",
            "ip link show nothing\n",
            "`ip link show nothing` ends with 1; repair it, or mark the block `fails`",
        ),
        (
            "ping -c 1 -W 1 10.244.1.250",
            "ping -c 1 -W 1 10.244.1.1",
            "every command works, but the block says `fails`",
        ),
        (
            "stop: {at: w1/cni0, kind: bridge}",
            "stop: {at: w1/nothing}",
            "the journey never meets a step {at: w1/nothing}",
        ),
        (
            "to: pod/c:80\n",
            "to: svc/default/web:80\n",
            "no svc/default/web",
        ),
        (
            "```exercise forwarding\n```\n",
            "",
            "no lesson block places it; add a block ```exercise forwarding to both lesson files",
        ),
        (
            "```exercise forwarding\n",
            "```exercise forwardin\n",
            "there is no exercise 'forwardin' in exercises.yaml",
        ),
        ("```exercise a-new-pod\n", "```exercise forwarding\n", "placed 2 times; keep one block"),
        ("```run node/w1\n", "```run node/w9\n", "there is no place called 'node/w9' here"),
    ],
)
def test_lessons_that_do_not_hold(course: Path, old: str, new: str, error: str) -> None:
    both(course, old, new)
    assert any(error in line for line in report(course)), report(course)


def test_orphans_missing_folders_and_missing_languages(course: Path) -> None:
    (course / "01-sample" / "left-over.png").write_bytes(b"x")
    assert report(course) == ["01-sample/left-over.png: nothing names this file; use it or remove it"]
    edit(course / "course.yaml", "id: 01-sample", "id: 02-other")
    found = list(check_course(Course.load(course)))
    assert (
        found[0].problems[0].text("en")
        == "course.yaml: course.yaml lists 02-other as ready, but there is no such folder"
    )
    assert "course.yaml does not list this folder as ready" in found[1].problems[0].text("en")
    (course / "01-sample" / "lesson.ko.md").unlink()
    assert "lesson.ko.md: there is no such file" in check_lesson(course / "01-sample").problems[0].text("en")


@pytest.mark.parametrize(
    ("exercise", "old", "new", "error"),
    [
        (
            "forwarding",
            'value: "0"',
            'value: "1"',
            "it passes untouched; the goal must not hold at the start",
        ),
        (
            "forwarding",
            "solution: {on: node/w1, run: sysctl -w net.ipv4.ip_forward=1}",
            "solution: {on: node/w1, run: sysctl -w net.ipv4.ip_forward=0}",
            "the solution must pass, and does not",
        ),
        (
            "forwarding",
            "{name: the wrong node, do: [{on: node/w2,",
            "{name: the wrong node, do: [{on: node/w1,",
            "`the wrong node` must be refused, and passes",
        ),
        (
            "forwarding",
            "finding: seen-as}",
            "finding: harm}",
            "`masquerade` should be refused for harm, found seen-as",
        ),
        ("forwarding", "finding: seen-as}", "finding: seen}", "'seen' is no kind of finding"),
        (
            "forwarding",
            "{name: proc, do: [{on: node/w1, run: echo 1 >",
            "{name: proc, do: [{on: node/w1, run: ech 1 >",
            "`proc` does not run",
        ),
        (
            "forwarding",
            "      - {name: proc, do: [{on: node/w1, run: echo 1 > /proc/sys/net/ipv4/ip_forward}]}\n",
            "",
            "1 accepted ways, accepted: at least 2",
        ),
        ("find-the-gateway", "      - 192.168.10.1\n", "", "1 refused near-misses, accepted: at least 2"),
        (
            "find-the-gateway",
            "      - 192.168.10.1\n",
            "      - 10.244.1.1\n",
            "`10.244.1.1` must be refused, and passes",
        ),
        (
            "find-the-gateway",
            "      - 10.244.1.1/24\n",
            "      - 10.244.1.9\n",
            "`10.244.1.9` must pass, and does not",
        ),
        ("who-has-an-address", "right: true, ", "", "0 options are right in this lab; accepted: 1"),
        (
            "what-comes-first",
            "step: {at: w1, kind: forward}",
            "step: {at: w3}",
            "the journey never meets the step {at: w3} of ttl",
        ),
        ("which-wire", "ask: next-hop", "ask: next-hopp", "found 'next-hopp' (did you mean 'next-hop'?)"),
    ],
)
def test_exercises_that_do_not_hold(course: Path, exercise: str, old: str, new: str, error: str) -> None:
    edit(course / "01-sample" / "exercises.yaml", old, new)
    folder = Folder.load(course / "01-sample", Course.load(course))
    proof = prove(folder, folder.exercise(exercise))
    text = "\n".join(p.text("en") for p in proof.problems)
    assert error in text
    assert "exercises.yaml:" in text


def test_an_exercise_without_hints_is_refused(course: Path) -> None:
    edit(
        course / "01-sample" / "exercises.yaml", "    hints: *hints\n    setup:", "    hints: []\n    setup:"
    )
    with pytest.raises(InputError, match="found 0 hints, accepted: exactly three"):
        Folder.load(course / "01-sample")


# ---- course.yaml


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "course.yaml:1: found null, accepted: a mapping with the keys groups"),
        ("groups: []", "course.yaml:1: groups: found an empty list, accepted: a list of at least 1"),
        (
            "groups: [{title: {en: x}}]",
            "course.yaml:1: groups[0].title: the key 'ko' is missing; write a text",
        ),
        (
            "groups: [{title: {en: x, ko: 가}, lessons: [{id: 01-a, status: redy}]}]",
            "course.yaml:1: groups[0].lessons[0]: the key 'title' is missing; write a text\n"
            "course.yaml:1: groups[0].lessons[0]: the key 'summary' is missing; write a text\n"
            "course.yaml:1: groups[0].lessons[0].status: found 'redy' (did you mean 'ready'?), accepted: ready, coming",
        ),
    ],
)
def test_what_is_said_about_the_course_map(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "course.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        Course.load(tmp_path)
    assert caught.value.text("en") == error


def test_lessons_by_id_number_and_beginning() -> None:
    course = Course.load(SAMPLE)
    assert course.entry("01-sample") is course.entry("1") is course.entry("01")
    with pytest.raises(InputError, match="there is no lesson '01-sampel' \\(did you mean '01-sample'\\?\\)"):
        course.entry("01-sampel")


BESIDE = """# T

## A

```play
from: pod/a
to: pod/b:80
{more}
```
"""
NAMED = "this: {en: one, ko: 하나}, that: {en: two, ko: 둘}"


def test_a_variant_inherits_what_it_does_not_name() -> None:
    more = (
        f"lab: two-nodes\nproto: udp\nbeside: {{{NAMED}, to: 'pod/c:53', do: [{{on: node/w1, run: ip a}}]}}"
    )
    play = lesson(BESIDE.replace("{more}", more)).steps[0].en[0]
    assert isinstance(play, Play) and play.beside is not None
    beside = play.beside
    assert (beside.flow.source, beside.flow.to, beside.flow.proto) == ("pod/a", "pod/c:53", "udp")
    assert beside.lab == "two-nodes" and len(beside.deeds) == 1 and beside.that.text("ko") == "둘"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("beside: other", "`this` and `that` name the two sides"),
        (f"beside: {{{NAMED}}}", "both sides are the same"),
        (f"beside: {{{NAMED}, to: 'pod/b:80'}}", "both sides are the same"),
        ("beside: {this: {en: one, ko: 하나}, to: 'pod/c:80'}", "that"),
        ("beside: {this: {en: one}, that: {en: two, ko: 둘}, to: 'pod/c:80'}", "ko"),
        (f"beside: {{{NAMED}, too: 'pod/c:80'}}", "too"),
        (f"stop: {{at: w1}}\nbeside: {{{NAMED}, to: 'pod/c:80'}}", "has no `stop`"),
        (f"predict: {{ask: outcome}}\nbeside: {{{NAMED}, to: 'pod/c:80'}}", "has no `predict`"),
    ],
)
def test_a_comparison_that_is_none_is_refused(more: str, said: str) -> None:
    assert any(said in line for line in errors(BESIDE.replace("{more}", more)))
