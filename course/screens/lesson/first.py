"""The first words of a step, read from its Markdown alone, to be painted before the engine has been imported.

Rules. Nothing is understood here: the text up to the first block of ours (`run`, `play`, `exercise`) as it stands. The
same words come again a moment later, from the lesson as the engine has read it, with their blocks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

OURS = re.compile(r"^```(run|play|exercise)\b", re.MULTILINE)


def first_words(folder: Path, step: int, lang: str) -> list[str]:
    """Markdown texts, one a paragraph block; none when there is no such file or step."""
    try:
        text = (folder / f"lesson.{lang}.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    opening, *steps = re.split(r"^## ", text, flags=re.MULTILINE)
    if not steps:
        return []
    title, _, body = steps[min(step, len(steps) - 1)].partition("\n")
    found = OURS.search(body)
    body = body[: found.start()] if found is not None else body
    lead = opening.partition("\n")[2].strip() if step == 0 else ""
    return [t for t in (lead, f"## {title}", body.strip()) if t]
