"""Markdown of a lesson as Textual content: paragraphs, lists, tables, quotes, code, bold and italics.

Rules. Parsing is markdown-it's (a dependency of Textual already); here tokens become styled text, nothing else. Links
show their text. It is pure: text in, Content out, wrapping is the widget's. Textual's own Markdown widget is not used
because a lesson's first paint has a budget and each paragraph would be a widget.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

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


def prose(text: str, *, ascii: bool = False) -> Content:
    """The whole text, blocks divided by empty lines."""
    blocks = _blocks(parser().parse(text), ascii)
    return Content("\n\n").join(blocks)


def _blocks(tokens: list[Token], ascii: bool) -> list[Content]:
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
            out.append(_list(inside, token.type == "ordered_list_open", ascii))
        elif token.type == "blockquote_open":
            bar = "| " if ascii else "▎ "
            quoted = Content("\n").join(_blocks(inside, ascii)).stylize(QUOTE)
            out.append(
                Content("\n").join([Content.assemble((bar, "$accent"), line) for line in quoted.split("\n")])
            )
        elif token.type in ("fence", "code_block"):
            lines = token.content.rstrip("\n").split("\n")
            out.append(Content.assemble(("\n".join(f"  {line}" for line in lines), CODE)))
        elif token.type == "table_open":
            out.append(_table(inside))
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


def _list(tokens: list[Token], ordered: bool, ascii: bool) -> Content:
    items: list[Content] = []
    at, number = 0, 1
    while at < len(tokens):
        end = _end(tokens, at)
        body = Content("\n").join(_blocks(tokens[at + 1 : end], ascii))
        mark = f"{number}. " if ordered else ("- " if ascii else "• ")
        first, *rest = body.split("\n")
        lines = [Content.assemble((mark, "$accent"), first)] + [
            Content.assemble(" " * len(mark), r) for r in rest
        ]
        items.append(Content("\n").join(lines))
        number += 1
        at = end + 1
    return Content("\n").join(items)


def _table(tokens: list[Token]) -> Content:
    """Columns as wide as their widest cell, two cells apart; the head in bold."""
    rows: list[list[Content]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_inline(token))
    widths = [max(cell_len(r[i].plain) for r in rows if i < len(r)) for i in range(max(map(len, rows)))]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            Content.assemble(
                cell.stylize("bold") if number == 0 else cell, " " * (widths[i] - cell_len(cell.plain))
            )
            for i, cell in enumerate(row)
        ]
        lines.append(Content("  ").join(cells))
    return Content("\n").join(lines)


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
