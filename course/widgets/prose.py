"""Markdown of a lesson as Textual content: paragraphs, lists, tables, quotes, code, bold and italics.

Rules. Parsing is markdown-it's (a dependency of Textual already); here tokens become styled text, nothing else. Links
show their text. It is pure: text and width in, Content out; a paragraph wraps as its widget does. Textual's own
Markdown widget is not used because a lesson's first paint has a budget and each paragraph would be a widget.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from textual.content import Content

from course.widgets.fitted import hang, table

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

CODE = "$accent"
HEAD = "bold $primary"
QUOTE = "italic dim"


@cache
def parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table")


def prose(text: str, *, ascii: bool = False, width: int | None = None) -> Content:
    """The whole text, blocks divided by empty lines; tables, lists and code fit into `width` cells."""
    blocks = _blocks(parser().parse(text), ascii, width)
    return Content("\n\n").join(blocks)


def _blocks(tokens: list[Token], ascii: bool, width: int | None) -> list[Content]:
    out: list[Content] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        end = _end(tokens, at)
        inside = tokens[at + 1 : end]
        if token.type == "heading_open":
            out.append(_inline(inside[0]).stylize(HEAD))
        elif token.type == "paragraph_open":
            out.append(_inline(inside[0]))
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            out.append(_list(inside, token.type == "ordered_list_open", ascii, width))
        elif token.type == "blockquote_open":
            bar = "| " if ascii else "▎ "
            quoted = Content("\n").join(_blocks(inside, ascii, None if width is None else width - 2))
            quoted = hang(quoted, None if width is None else width - 2, 0).stylize(QUOTE)
            out.append(
                Content("\n").join([Content.assemble((bar, "$accent"), line) for line in quoted.split("\n")])
            )
        elif token.type in ("fence", "code_block"):
            lines = token.content.rstrip("\n").split("\n")
            code = Content.assemble(("\n".join(f"  {line}" for line in lines), CODE))
            out.append(hang(code, width, 6))
        elif token.type == "table_open":
            out.append(table(_cells(inside), width))
        elif token.type == "hr":
            out.append(Content("-" * 12 if ascii else "─" * 12))
        at = end + 1
    return out


def _end(tokens: list[Token], at: int) -> int:
    """The index of the token that closes the one at `at`."""
    if tokens[at].nesting != 1:
        return at
    depth = 0
    for i in range(at, len(tokens)):
        depth += tokens[i].nesting
        if depth == 0:
            return i
    return len(tokens) - 1


def _list(tokens: list[Token], ordered: bool, ascii: bool, width: int | None) -> Content:
    items: list[Content] = []
    at, number = 0, 1
    while at < len(tokens):
        end = _end(tokens, at)
        mark = f"{number}. " if ordered else ("- " if ascii else "• ")
        room = None if width is None else width - len(mark)
        body = hang(Content("\n").join(_blocks(tokens[at + 1 : end], ascii, room)), room, 0)
        first, *rest = body.split("\n")
        lines = [Content.assemble((mark, "$accent"), first)] + [
            Content.assemble(" " * len(mark), r) for r in rest
        ]
        items.append(Content("\n").join(lines))
        number += 1
        at = end + 1
    return Content("\n").join(items)


def _cells(tokens: list[Token]) -> list[list[Content]]:
    """The cells of a table, row by row."""
    rows: list[list[Content]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_inline(token))
    return rows


def _inline(token: Token) -> Content:
    parts: list[tuple[str, str]] = []
    styles: list[str] = []
    for child in token.children or ():
        if child.type == "text":
            parts.append((child.content, " ".join(styles)))
        elif child.type == "code_inline":
            parts.append((child.content, CODE))
        elif child.type in ("softbreak", "hardbreak"):
            parts.append((" " if child.type == "softbreak" else "\n", ""))
        elif child.type in ("strong_open", "em_open"):
            styles.append("bold" if child.type == "strong_open" else "italic")
        elif child.type in ("strong_close", "em_close") and styles:
            styles.pop()
    return Content.assemble(*parts)
