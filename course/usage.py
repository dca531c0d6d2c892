"""argparse's own sentences in Korean: errors, headings and the help of -h.

Rules. argparse writes English; each form that our parsers can meet is one row of ERRORS or HEADINGS. A sentence that
no row knows stays as it is. Standard library only: `--help` waits for nothing else.
"""

from __future__ import annotations

import re

from course.lang import wanted

#: a whole message of argparse -> Korean, with the groups of the expression
ERRORS: tuple[tuple[str, str], ...] = (
    (r"the following arguments are required: (.+)", "빠진 인자가 있습니다: {0}"),
    (r"unrecognized arguments: (.+)", "알 수 없는 인자가 있습니다: {0}"),
    (
        r"argument (.+?): invalid choice: (.+) \(choose from (.+)\)",
        "{0}: {1} 값은 쓸 수 없습니다. 쓸 수 있는 값: {2}",
    ),
    (r"argument (.+?): expected one argument", "{0}: 값이 하나 있어야 합니다"),
    (r"argument (.+?): expected at least one argument", "{0}: 값이 하나 이상 있어야 합니다"),
    (r"argument (.+?): invalid int value: (.+)", "{0}: {1} 값은 정수가 아닙니다"),
    (r"argument (.+?): ignored explicit argument (.+)", "{0}: 값을 받지 않는데 {1} 값이 있습니다"),
    (r"argument (.+?): not allowed with argument (.+)", "{0}: {1} 옵션과 함께 쓸 수 없습니다"),
)
HEADINGS = {"positional arguments": "인자", "options": "옵션"}
HELP = ("show this help message and exit", "이 도움말을 보고 끝내기")


def said(message: str, lang: str | None = None) -> str:
    """An error of argparse in the reader's language."""
    if (lang or wanted()) != "ko":
        return message
    for form, korean in ERRORS:
        found = re.fullmatch(form, message, re.DOTALL)
        if found is not None:
            return korean.format(*found.groups())
    return message


def heading(text: str, lang: str | None = None) -> str:
    """A heading of argparse's help in the reader's language."""
    return HEADINGS.get(text, text) if (lang or wanted()) == "ko" else text
