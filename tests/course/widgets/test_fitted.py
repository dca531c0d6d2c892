"""Text that is laid out for its width."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from textual.content import Content

from course.widgets.fitted import hang, narrowed, table
from course.widgets.prose import prose

WIDE = "| field | whose port it is |\n|---|---|\n| targetPort | 파드의 포트. 번호이거나 컨테이너 포트의 이름입니다 |\n"


def test_the_rest_of_a_line_stands_under_its_beginning() -> None:
    assert hang(Content("short\naaaa bbbb cccc dddd eeee"), 15, 2).plain.split("\n") == [
        "short", "aaaa bbbb cccc", "  dddd eeee",
    ]  # fmt: skip


def test_empty_lines_and_an_unknown_width_change_nothing() -> None:
    text = Content("one\n\n  two three four five six seven\n")
    assert hang(text, None, 4).plain == text.plain
    assert hang(Content("one\n\ntwo"), 40, 4).plain == "one\n\ntwo"


@pytest.mark.parametrize("width", [20, 30, 47, 76])
def test_no_line_of_a_table_is_wider_than_its_room(width: int) -> None:
    assert all(cell_len(line) <= width for line in prose(WIDE, width=width).plain.split("\n"))


def test_a_cell_wraps_inside_its_column() -> None:
    rows = [[Content("a"), Content("b")], [Content("key"), Content("many words that wrap")]]
    assert [line.rstrip() for line in table(rows, 16).plain.split("\n")] == [
        "a    b", "key  many words", "     that wrap",
    ]  # fmt: skip


def test_the_widest_column_gives_way_first() -> None:
    assert narrowed([5, 30, 12], 41) == [5, 20, 12]
    assert narrowed([5, 30], None) == [5, 30]
