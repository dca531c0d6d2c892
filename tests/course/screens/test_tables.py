"""The tables of commands and the pure parts of the screens: no screen is opened here."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator

import pytest
from rich.cells import cell_len
from textual.binding import Binding

import course.screens
import course.widgets
from course import words, words_lesson, words_plain, words_player
from course.app import TutorApp
from course.commands import Command, key_text, prints
from course.widgets.exercise import ExercisePane
from course.widgets.keybar import fit, unique
from course.widgets.prose import prose
from course.widgets.terminal import heredoc
from engine.say import Phrase


def owners() -> Iterator[type]:
    """Every class of the course that has a table of commands."""
    modules = [importlib.import_module("course.app")]
    for package in (course.screens, course.widgets):
        modules += [
            importlib.import_module(f"{package.__name__}.{m.name}")
            for m in pkgutil.iter_modules(package.__path__)
        ]
    seen = set()
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, type) and "ACTIONS" in vars(value) and value not in seen:
                seen.add(value)
                yield value


OWNERS = [o for o in owners() if o.__dict__["ACTIONS"]]


def table(owner: type) -> list[Command]:
    own = [v for v in vars(owner).values() if isinstance(v, Command)]
    return [*owner.__dict__["ACTIONS"], *own]


def test_there_are_tables() -> None:
    assert {
        "TutorApp",
        "HomeScreen",
        "LessonScreen",
        "ReadPane",
        "ExercisePane",
        "Terminal",
        "LessonPlayer",
    } <= {o.__name__ for o in OWNERS}


@pytest.mark.parametrize("owner", OWNERS, ids=lambda o: o.__name__)
def test_every_command_can_be_done_and_read(owner: type) -> None:
    for command in table(owner):
        assert hasattr(owner, f"action_{command.action.partition('(')[0]}"), command.action
        for phrase in (command.label, command.about):
            assert phrase.en and phrase.ko
        assert 0 < cell_len(command.label.en) <= 14 and 0 < cell_len(command.label.ko) <= 14
        assert cell_len(command.about.en) <= 66 and cell_len(command.about.ko) <= 66, command.about


@pytest.mark.parametrize("owner", OWNERS, ids=lambda o: o.__name__)
def test_no_key_is_bound_twice(owner: type) -> None:
    keys = Counter(k for c in owner.__dict__["ACTIONS"] for k in c.keys)
    assert [k for k, n in keys.items() if n > 1] == []


@pytest.mark.parametrize("owner", OWNERS, ids=lambda o: o.__name__)
def test_a_letter_has_a_key_that_an_input_method_does_not_change(owner: type) -> None:
    """Every binding on a letter is also there for its jamo."""
    bound = {
        key
        for b in owner.__dict__.get("BINDINGS", ())
        for key in (b.key if isinstance(b, Binding) else b[0]).split(",")
    }
    for letter, jamo in (
        ("n", "ㅜ"),
        ("q", "ㅂ"),
        ("l", "ㅣ"),
        ("h", "ㅗ"),
        ("c", "ㅊ"),
        ("e", "ㄷ"),
        ("t", "ㅅ"),
    ):
        assert (letter in bound) == (jamo in bound)


def command(key: str, bar: int, label: str = "label") -> Command:
    return Command(action="x", keys=(key,), label=Phrase(label, "이름"), about=Phrase("a", "가"), bar=bar)


def test_the_bar_drops_the_least_important_and_keeps_help_and_quit() -> None:
    commands = [command("a", 1), command("b", 5), command("f1", 9, "help"), command("q", 9, "quit")]
    assert [k for k, _ in fit(commands, 80, "en")] == ["a", "b", "F1", "q"]
    assert [k for k, _ in fit(commands, 25, "en")] == ["b", "F1", "q"]
    assert [k for k, _ in fit(commands, 16, "en")] == ["F1", "q"]


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("width", [80, 120])
def test_the_bar_never_is_wider_than_the_window(lang: str, width: int) -> None:
    for owner in OWNERS:
        rows = fit(unique([*table(owner), *TutorApp.ACTIONS]), width, lang)
        assert sum(cell_len(k) + 1 + cell_len(label) for k, label in rows) + 2 * (len(rows) - 1) + 1 <= width
        assert [k for k, _ in rows][-2:] == ["F1", "q"]


def test_while_a_line_is_typed_the_bar_has_no_letters() -> None:
    rows = fit(unique(TutorApp.ACTIONS, typing=True), 80, "en", typing=True)
    assert all(len(k) > 1 for k, _ in rows)
    assert [k for k, _ in rows][-2:] == ["F1", "^q"]


def test_the_first_owner_of_a_key_has_it() -> None:
    first, second = command("c", 3, "mine"), command("c", 8, "theirs")
    assert unique([first, second]) == [first]


def test_key_names() -> None:
    assert key_text("ctrl+p") == "^p" and key_text("f11") == "F11" and key_text("left", ascii=True) == "Left"
    assert prints("q") and prints("space") and not prints("f9") and not prints("ctrl+o")
    moves = next(c for c in ExercisePane.ACTIONS if c.action == "hint")
    assert moves.key_text() == "h" and moves.key_text(typing=True) == "F10"


@pytest.mark.parametrize("module", [words, words_lesson, words_player, words_plain], ids=lambda m: m.__name__)
def test_every_phrase_is_in_both_languages(module: object) -> None:
    import re
    import string

    def names(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    phrases = [v for v in vars(module).values() if isinstance(v, Phrase)]
    for value in vars(module).values():
        phrases += list(value.values()) if isinstance(value, dict) else []
    phrases = [p for p in phrases if isinstance(p, Phrase)]
    assert phrases
    for phrase in phrases:
        assert names(phrase.en) == names(phrase.ko), phrase
        assert not re.search("[가-힣]", phrase.en.replace("한국어", "").replace("로 보기", "")), phrase


@pytest.mark.parametrize(
    ("markdown", "lines"),
    [
        ("one *two* **three** `four`", ["one two three four"]),
        ("a\nb\n\nc", ["a b", "", "c"]),
        ("- x\n- y", ["• x", "• y"]),
        ("1. x\n2. y", ["1. x", "2. y"]),
        ("> said", ["▎ said"]),
        ("```text\n  a\n```", ["    a"]),
        ("| a | bb |\n|---|---|\n| ccc | d |", ["a    bb", "ccc  d "]),
        ("| 가 | b |\n|---|---|\n| cc | d |", ["가  b", "cc  d"]),
        ("[text](http://x)", ["text"]),
        ("", [""]),
    ],
)
def test_prose(markdown: str, lines: list[str]) -> None:
    assert prose(markdown).plain.split("\n") == lines


def test_a_saved_file_is_a_here_document_with_an_end_of_its_own() -> None:
    assert heredoc("cat > x", "a\nb") == "cat > x <<'EOF'\na\nb\nEOF"
    assert heredoc("cat > x", "EOF\n") == "cat > x <<'EOF_'\nEOF\nEOF_"
