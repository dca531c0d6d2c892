"""What a learner does with keys, screen by screen. States are asserted, never times."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.events import Paste
from textual.widgets import Input, OptionList, Static, TextArea

from course.screens.editor import Editor
from course.screens.home import HomeScreen
from course.screens.lesson import LessonScreen
from course.screens.picker import Asked, Picker
from course.screens.prompt import NumberPrompt
from course.widgets.blocks import FoldBlock, PlayBlock, RunBlock
from course.widgets.lesson_player import LessonPlayer
from course.widgets.marklist import MarkList
from engine.grade.lesson import Play
from tests.course.screens.sitting import Sitting, sitting

BOTH = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])


async def open_exercise(s: Sitting, id: str) -> None:
    s.lesson.do.pose(id)
    await s.until(lambda: s.pane.posed is not None and s.pane.posed.id == id)
    await s.settled()


async def answered(s: Sitting, *keys: str) -> None:
    s.pane._verdict = []
    await s.press(*keys)
    await s.until(lambda: s.pane._verdict)
    await s.settled()


@BOTH
async def test_a_newcomer_moves_a_packet_within_five_keys(tmp_path: Path, size: tuple[int, int]) -> None:
    async with sitting(tmp_path, size=size) as s:
        assert "Enter" in s.text()
        await s.press("enter")
        await s.loaded()
        assert "Space" in s.bar
        await s.press("space")
        await s.until(lambda: s.player.playing)
        before = s.player.playback.beat, s.player.playback.fraction
        s.player.advance(1.0)
        assert (s.player.playback.beat, s.player.playback.fraction) > before
        await s.press("space", "right", "right")
        assert s.player.playback.beat >= 1
        assert "because" in s.text()


async def test_space_before_the_lab_is_open_is_kept(tmp_path: Path) -> None:
    async with sitting(tmp_path) as s:
        await s.press("enter", "space")
        await s.loaded()
        await s.until(lambda: s.player.playing)
        assert s.lesson.pane == "see"


async def test_home_names_the_next_key_and_the_coming_lessons(tmp_path: Path) -> None:
    async with sitting(tmp_path, lang="ko") as s:
        assert isinstance(s.app.screen, HomeScreen)
        assert "Enter" in s.text() and "준비 중" in s.text()
        assert "열기" in s.bar and "도움말" in s.bar and "종료" in s.bar
        await s.press("ㅣ")
        assert "coming" in s.text() and "open" in s.bar
        await s.press("end", "enter")
        assert isinstance(s.app.screen, HomeScreen)


async def test_q_quits_under_a_korean_input_method(tmp_path: Path) -> None:
    async with sitting(tmp_path, lang="ko") as s:
        await s.press("ㅂ")
        assert s.app.return_code == 0


@BOTH
async def test_escape_goes_outward_and_loses_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    async with sitting(tmp_path, size=size, lesson="01-containers") as s:
        await open_exercise(s, "which-veth")
        assert isinstance(s.lesson.focused, Input)
        s.lesson.focused.value = "veth"
        await s.press("escape")
        assert s.lesson.focused is s.pane
        await s.press("t")
        assert s.lesson.focused is s.line
        await s.type("half a li")
        await s.press("escape")
        assert s.lesson.do.open and s.lesson.do.side == "exercise"
        if s.lesson.focused is not s.pane:  # its answer's line has the focus
            await s.press("escape")
        await s.press("escape")
        assert not s.lesson.do.open and s.lesson.pane == "read"
        assert s.line.value == "half a li"
        await s.press("escape")
        await s.until(lambda: isinstance(s.app.screen, HomeScreen))
        await s.press("escape")
        assert isinstance(s.app.screen, HomeScreen)


async def test_choice_wrong_then_right_says_what_goes_on(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await open_exercise(s, "port-clash")
        posed = s.pane.posed
        assert posed is not None
        rows = s.pane.query_one(OptionList)
        assert rows.has_focus and "answer" in s.bar
        wrong = next(i for i, o in enumerate(posed.options) if not o.right)
        right = next(i for i, o in enumerate(posed.options) if o.right)
        await answered(s, *["down"] * wrong, "enter")
        assert "Not so:" in s.text() and s.pane.query_one(OptionList).has_focus
        s.pane.query_one(OptionList).highlighted = right
        await answered(s, "enter")
        assert "Right." in s.text() and s.pane.solved
        assert "e opens the next exercise" in s.text() or "n goes on" in s.text()
        assert s.app.progress.exercise("01-containers", "port-clash").solved


async def test_several_choices_are_marked_by_characters(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await open_exercise(s, "what-is-a-container")
        posed = s.pane.posed
        assert posed is not None
        rows = s.pane.query_one(MarkList)
        await s.press("space")
        assert rows.marked == {posed.options[0].id} and "[x]" in s.text()
        await s.press("f2")
        await s.settled()
        assert s.pane.query_one(MarkList).marked == {posed.options[0].id}
        assert s.pane.query_one(MarkList).has_focus
        await s.press("space")
        for i, option in enumerate(posed.options):
            s.pane.query_one(MarkList).highlighted = i
            if option.right:
                await s.press("space")
        await answered(s, "ㅊ")
        assert s.pane.solved


async def test_hints_stay_and_the_solution_does_not_count(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await open_exercise(s, "which-veth")
        await s.press("f10")
        assert "hint 1:" in s.text()
        await s.press("x")
        await answered(s, "enter")
        assert "hint 1:" in s.text() and "Not so:" in s.text()
        await s.press("escape", "h", "h", "h")
        assert s.pane.hints == 3 and "all three hints" in s.text()
        await s.press("s")
        state = s.app.progress.exercise("01-containers", "which-veth")
        assert state.watched and not state.solved


async def test_a_typed_seed_gives_that_task(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await open_exercise(s, "only-from-the-server")
        await s.press("number_sign")
        assert isinstance(s.app.screen, NumberPrompt)
        await s.press("4", "2", "enter")
        await s.until(lambda: s.pane.posed is not None and s.pane.posed.seed == 42)
        await s.settled()
        assert "seed 42" in s.text()


async def test_order_lines_move_with_their_mark(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await open_exercise(s, "order-of-dnat")
        before = list(s.pane.answers.order)
        await s.press("d")
        assert s.pane.answers.order[:2] == [before[1], before[0]]
        await s.press("ㅕ")
        assert s.pane.answers.order == before
        await answered(s, "c")
        assert s.pane.query_one(OptionList).has_focus


async def test_diagnose_then_repair_in_the_terminal(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await open_exercise(s, "flushed")
        posed = s.pane.posed
        assert posed is not None and posed.diagnosis is not None and posed.solution is not None
        right = [o.id for o in posed.diagnosis.options].index(posed.diagnosis.right.id)
        s.pane.query_one(OptionList).highlighted = right
        await answered(s, "enter")
        assert "t goes to the terminal" in s.text() and s.pane.has_focus
        await s.press("t")
        for deed in posed.solution.deeds:
            s.terminal.go(deed.place)
            for line in deed.lines:
                await s.type(line)
                await s.press("enter")
        await answered(s, "f9")
        assert s.pane.solved and "The goal holds." in s.text()


async def test_a_wrong_repair_shows_its_packet_and_escape_comes_back(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await open_exercise(s, "only-from-the-server")
        await answered(s, "c")
        assert "Not yet:" in s.text() and "key 2" in s.text()
        posed = s.pane.posed
        assert posed is not None and posed.goal is not None
        said = s.pane.query_one("#said", Static).content.plain  # type: ignore[union-attr]
        assert all(f"{flow.title}: {flow.title}" not in said for flow in posed.goal.flows)
        await s.press("h", "s")
        said = s.pane.query_one("#said", Static).content.plain  # type: ignore[union-attr]
        order = [said.index(word) for word in ("Not yet:", "hint 1", "The solution:")]
        assert order == sorted(order), "what came last stands last, where it is seen"
        await s.press("2")
        assert s.player.has_focus and s.player.playback.beat > 0
        await s.press("escape")
        assert s.lesson.do.open and s.lesson.pane == "do"


async def test_predict_then_play(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        s.lesson._step(2)
        await s.until(lambda: s.lesson.step == 2)
        await s.settled()
        block = s.lesson.query(PlayBlock).first()
        block.focus()
        await s.press("enter")
        await s.settled()
        assert s.lesson.see.question is not None and "p" in s.bar
        await s.press("p")
        assert isinstance(s.app.screen, Picker)
        await s.press("escape")
        assert s.lesson.see.question is not None
        await s.press("p", "ㅁ")  # the key of answer a, under a Korean input method
        assert s.lesson.see.question is None and s.player.playback.hidden is None
        assert not s.lesson.query_one("#asked").has_class("hidden")


async def test_the_terminal_history_completion_undo_reset_and_paste(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await s.press("t")
        assert "run" in s.bar and "^q" in s.bar and " q " not in s.bar
        assert s.terminal.border_title == "host/box"
        await s.type("ip -br a")
        await s.press("enter")
        assert "docker0" in s.log
        await s.type("not yet")
        await s.press("up")
        assert s.line.value == "ip -br a"
        await s.press("down")
        assert s.line.value == "not yet"
        await s.press("ctrl+c")
        assert s.line.value == "" and "^C" in s.log
        await s.type("ip ro")
        await s.press("tab")
        assert s.line.value == "ip route "
        await s.press("ctrl+c")
        s.line.post_message(Paste("echo one\necho two\necho thr"))
        await s.pilot.pause()
        assert "one" in s.log and "two" in s.log and s.line.value == "echo thr"
        await s.press("ctrl+c")
        s.line.post_message(Paste("cat > /tmp/x <<END\nfirst\nEND\ncat /tmp/x\n"))
        await s.pilot.pause()
        assert s.log.endswith("\nfirst")
        await s.press("f6", "f6")
        assert s.log.count("# undone") == 2
        await s.press("f8")
        assert s.terminal.lab is not None and not s.terminal.lab.acts


async def test_vi_edits_and_undo_takes_it_back(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await s.press("t")
        await s.type("vi /tmp/x")
        await s.press("enter")
        assert isinstance(s.app.screen, Editor)
        s.app.screen.query_one(TextArea).text = "a\nb"
        await s.press("escape")
        assert isinstance(s.app.screen, Editor)
        await s.press("f2")
        assert isinstance(s.app.screen, LessonScreen)
        await s.type("cat /tmp/x")
        await s.press("enter")
        assert s.log.endswith("a\nb")
        await s.press("f6", "f6")
        await s.type("nano /tmp/x")
        await s.press("enter")
        assert s.app.screen.query_one(TextArea).text == ""
        await s.press("escape")
        assert isinstance(s.app.screen, LessonScreen) and s.line.has_focus


async def test_kubectl_edit(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="03-cni-bridge") as s:
        await s.press("t")
        s.terminal.go("node/cp")
        await s.type("kubectl edit pod a")
        await s.press("enter")
        await s.until(lambda: isinstance(s.app.screen, Editor))
        area = s.app.screen.query_one(TextArea)
        assert "kind: Pod" in area.text
        area.text = area.text.replace("metadata:\n", "metadata:\n  labels: {edited: 'yes'}\n", 1)
        if "labels:" in area.text.split("spec:")[0].replace("labels: {edited", "", 1):
            area.text = area.text.replace("  labels: {edited: 'yes'}\n", "", 1).replace(
                "  labels:\n", "  labels:\n    edited: 'yes'\n", 1
            )
        await s.press("f2")
        await s.type("kubectl get pod a --show-labels")
        await s.press("enter")
        assert "edited=yes" in s.log


async def test_a_row_types_its_command_at_its_place(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await s.press("space", "space", "home", "o")
        assert s.line.value == "ip route" and s.terminal.place == "container/box/client"
        assert s.line.has_focus


async def test_a_run_block_types_its_command(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await s.press("n")
        await s.until(lambda: s.lesson.step == 1)
        await s.settled()
        block = s.lesson.query(RunBlock).first()
        block.focus()
        await s.press("enter")
        assert s.line.value == block.run_block.commands[0] and s.line.has_focus


async def test_ping_from_the_terminal_can_be_seen_by_f7(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await s.press("t")
        await s.type("ping -c1 172.17.0.2")
        await s.press("enter")
        assert "F7" in s.log and "F7" in s.bar
        await s.press("f7")
        assert s.lesson.pane == "see" and s.player.playing


@BOTH
async def test_the_language_changes_in_the_middle_of_everything(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with sitting(tmp_path, size=size, lesson="01-containers") as s:
        await s.press("space", "l")
        await s.settled()
        assert s.player.has_focus and "도움말" in s.bar
        await open_exercise(s, "which-veth")
        s.pane.query_one(Input).value = "veth1"
        await s.press("f2")
        await s.settled()
        assert s.pane.query_one(Input).value == "veth1" and s.pane.query_one(Input).has_focus
        assert s.app.lang == "en" and "help" in s.bar
        assert s.app.progress.settings().language == "en"


async def test_help_is_filtered_and_runs_what_is_chosen(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await s.press("f1")
        assert isinstance(s.app.screen, Picker)
        await s.press(*"korean", "enter")
        await s.settled()
        assert s.app.lang == "ko"
        await s.press("f3", *"terminal", "escape")
        assert isinstance(s.app.screen, LessonScreen)


async def test_the_palette_opens_another_lesson(tmp_path: Path) -> None:
    async with sitting(tmp_path) as s:
        await s.press("slash", *"pause", "enter")
        await s.loaded()
        assert s.lesson.entry.id == "02-pause"


async def test_the_theme_goes_round_and_is_kept(tmp_path: Path) -> None:
    async with sitting(tmp_path) as s:
        first = s.app.theme
        await s.press("f4")
        second = s.app.theme
        assert second != first
    async with sitting(tmp_path) as s:
        assert s.app.theme == second
        for _ in range(4):
            await s.press("f4")
        assert s.app.theme == first


@pytest.mark.parametrize("size", [(60, 15), (79, 24), (80, 23), (1, 1), (501, 30)])
async def test_a_window_of_the_wrong_size_says_so_and_keeps_the_focus(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await s.press("t")
        await s.type("abc")
        await s.pilot.resize_terminal(*size)
        await s.pilot.pause()
        assert s.lesson.has_class("small") and s.lesson.focused is None
        await s.pilot.resize_terminal(100, 30)
        await s.pilot.pause()
        await s.pilot.pause()
        assert not s.lesson.has_class("small") and s.line.has_focus and s.line.value == "abc"


async def test_ascii_draws_no_box_glyph(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers", ascii=True, size=(120, 40)) as s:
        await s.press("space", "space")
        inside = s.text().splitlines()[1:-1]
        assert not any(c in "╭╮╰╯●▶✔○" for line in inside for c in line)
        await s.press("escape")
        assert not any(c in "▶✔○" for c in s.text())


async def test_the_learner_is_where_they_were(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await s.press("n")
        await s.until(lambda: s.lesson.step == 1)
    async with sitting(tmp_path) as s:
        assert "step 2" in " ".join(s.text().split())
        await s.press("enter")
        await s.loaded()
        assert s.lesson.step == 1


async def test_the_last_step_says_that_it_is_the_last(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        s.lesson._step(len(s.lesson.desk.lesson.steps) - 1)  # type: ignore[union-attr]
        await s.until(lambda: s.lesson.step == len(s.lesson.desk.lesson.steps) - 1)  # type: ignore[union-attr]
        await s.settled()
        assert "last step" in str(s.lesson.query_one("#onward").render()).lower()


async def to_step(s: Sitting, step: int) -> None:
    s.lesson._step(step - s.lesson.step)
    await s.until(lambda: s.lesson.step == step and s.lesson.loaded)
    await s.settled()


async def predicting(s: Sitting) -> PlayBlock:
    """To the first step that asks what a packet will do; its play."""
    assert s.lesson.desk is not None
    steps = s.lesson.desk.lesson.steps
    await to_step(
        s, next(i for i, st in enumerate(steps) if any(isinstance(b, Play) and b.ask for b in st.en))
    )
    return next(b for b in s.lesson.query(PlayBlock) if b.play.ask is not None)


def after(s: Sitting, block: PlayBlock) -> list[bool]:
    """What of the text behind a play can be seen, the fold and the last lines left out."""
    widgets = [w for w in s.lesson.read.children if not isinstance(w, FoldBlock) and w.id != "onward"]
    return [bool(w.display) for w in widgets[widgets.index(block) + 1 :]]


@BOTH
async def test_what_follows_a_prediction_is_folded_until_it_is_answered(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with sitting(tmp_path, size=size, lesson="01-containers") as s:
        block = await predicting(s)
        assert after(s, block) and not any(after(s, block))
        fold = next(f for f in s.lesson.query(FoldBlock) if f.display)
        assert fold.at == block.at and "answer first" in str(fold.render())
        await s.press("l", "l")
        await s.settled()
        block = next(b for b in s.lesson.query(PlayBlock) if b.at == block.at)
        assert not any(after(s, block))
        question = s.lesson.see.question
        assert question is not None
        wrong = next(i for i, o in enumerate(question.options) if not o.right)
        await s.press("p", *["down"] * wrong, "enter")
        await s.until(lambda: s.lesson.see.question is None)
        said = str(s.lesson.see.query_one("#asked").render())
        assert said.startswith("not ") and question.right.text.text("en") not in said
        assert all(after(s, block)) and not any(f.display for f in s.lesson.query(FoldBlock))
        assert s.player.playback.hidden is None and s.player.playing
        assert "/" not in "".join(k for _, k in s.app.progress.exercises() if not k.startswith("step-"))
        assert s.app.progress_of_lessons()["01-containers"][1] == 0
    async with sitting(tmp_path, size=size, lesson="01-containers") as s:
        assert all(after(s, await predicting(s)))
        assert s.lesson.see.question is None


async def test_a_prediction_is_skipped_from_the_text_and_by_its_key(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        block = await predicting(s)
        fold = next(f for f in s.lesson.query(FoldBlock) if f.display)
        fold.focus()
        await s.press("enter")
        await s.settled()
        assert all(after(s, block)) and s.lesson.see.question is None and s.player.playback.hidden is None
    async with sitting(tmp_path / "other", lesson="01-containers") as s:
        block = await predicting(s)
        assert "skip" in s.bar or "p" in s.bar
        await s.press("s")
        assert all(after(s, block)) and s.lesson.see.question is None


async def test_each_lab_has_its_log_and_its_place(tmp_path: Path) -> None:
    def titles() -> int:
        return s.log.count("# the lab of")

    async with sitting(tmp_path, lesson="01-containers") as s:
        assert titles() == 1
        for _ in range(3):
            await open_exercise(s, "which-veth")
            assert titles() == 1 and "the exercise" in s.log
            await s.press("escape", "escape")
            await s.until(lambda: not s.lesson.do.open)
            assert titles() == 1 and "this step" in s.log
        await s.press("t")
        s.terminal.go("host/laptop")
        await s.type("echo in the step")
        await s.press("enter")
        await open_exercise(s, "which-veth")
        assert "in the step" not in s.log and titles() == 1
        await s.press("escape", "t")
        await s.type("echo in the exercise")
        await s.press("enter", "escape", "escape", "escape")
        await s.until(lambda: not s.lesson.do.open)
        assert "echo in the step" in s.log and "in the exercise" not in s.log
        assert s.terminal.place == "host/laptop" and titles() == 2
        await open_exercise(s, "which-veth")
        assert "in the exercise" in s.log and "in the step" not in s.log


@pytest.mark.parametrize("lang", ["en", "ko"])
async def test_the_word_for_coming_stands_in_one_column(tmp_path: Path, lang: str) -> None:
    word = "coming" if lang == "en" else "준비 중"
    async with sitting(tmp_path, size=(120, 40), lang=lang) as s:
        ends = {cell_len(line.split(word)[0]) for line in s.text().splitlines() if word in line[:60]}
        assert len(ends) == 1


async def test_the_packet_of_a_question_goes_with_its_exercise(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        await open_exercise(s, "source-on-the-wire")
        assert s.player.playback.hidden is not None
        await s.press("x")
        await s.settled()
        assert s.player.playback.hidden is None and not s.lesson.see.empty


async def test_the_key_of_the_exercise_in_use_is_not_offered(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        assert "e exercise" in s.bar
        await s.press("e")
        await s.settled()
        assert s.lesson.do.open and "e exercise" not in s.bar
        await s.press("escape")
        assert "e exercise" in s.bar


async def test_a_question_without_a_hop_of_its_own_hides_how_it_ends(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="08-node") as s:
        await predicting(s)
        question = s.lesson.see.question
        assert question is not None and question.ask == "outcome"
        await s.press("space", "end")
        await s.until(lambda: isinstance(s.app.screen, Asked))
        player = s.app.screen_stack[-2].query_one(LessonPlayer)
        assert player.playback.concealed and player.playback.now is not None
        assert player.playback.last == 0, "only that it was sent was seen"
    async with sitting(tmp_path / "other", lesson="08-node") as s:
        await open_exercise(s, "from-outside")
        posed = s.pane.posed
        assert posed is not None and posed.question is not None
        assert s.player.playback.concealed
