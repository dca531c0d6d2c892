"""What the exercise pane writes above and below its answer: the task with its goal, how to answer, the verdict.

Rules. Pure: a `Posed` and a language give Content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from course import words_lesson as words
from course.widgets.prose import prose
from engine.say import Phrase, Said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.grade import goal as goals
    from engine.grade.finding import Verdict
    from engine.grade.pose import Posed

#: what is said, and its style
Told = tuple[Said | str, str]
FINDING = Phrase("{mark} {flow}{said}", "{mark} {flow}{said}")


def task_text(posed: Posed, goal: Sequence[str], *, solved: bool, lang: str, ascii: bool) -> Content:
    """Title, kind, seed, the task; and the goal, as its lines stand now or else as the file has them."""
    mark = ("x " if ascii else "✔ ") if solved else ""
    parts: list[tuple[str, str] | str | Content] = [
        (mark, "bold $success"),
        (posed.title.text(lang), "bold"),
        (f"  {words.KINDS[posed.kind]().text(lang)}", "$accent"),
    ]
    if posed.values:
        parts.append((f"  {words.SEED_IS(seed=posed.seed).text(lang)}", "dim"))
    parts += ["\n", prose(posed.task.text(lang), ascii=ascii)]
    if posed.goal is not None:
        dot = "o" if ascii else "○"
        lines = goal or [f"{dot} {line}" for line in goal_texts(posed.goal, lang)]
        parts += ["\n\n", (words.GOAL().text(lang), "bold"), "\n", "\n".join(lines)]
    return Content.assemble(*parts)


def help_text(posed: Posed, lang: str) -> Content:
    """How this kind is answered."""
    phrase = {
        "repair": words.REPAIR_HELP, "build": words.TYPE_MANIFEST if posed.manifest else words.BUILD_HELP,
        "order": words.ORDER_HELP,
    }.get(posed.kind)  # fmt: skip
    if posed.kind == "choice" and posed.many:
        phrase = words.MANY
    return Content(phrase().text(lang) if phrase is not None else "")


def verdict_text(posed: Posed, verdict: Verdict, *, goal: bool, ascii: bool) -> list[Told]:
    """What the check said: right and why, or every finding in order."""
    if verdict.passed:
        told: list[Told] = [((words.REACHED if goal else words.RIGHT)(), "bold $success")]
        return [*told, (posed.explain, "")] if posed.explain is not None else told
    told = [((words.NOT_YET if goal else words.NOT_RIGHT)(), "bold $error")]
    for finding in verdict.findings:
        flow = f"{finding.flow}: " if finding.flow else ""
        told.append((FINDING(mark="x" if ascii else "✖", flow=flow, said=finding.said), ""))
    if any(f.journey is not None for f in verdict.findings):
        told.append((words.SHOWN_IN_SEE(), "dim"))
    return told


def goal_texts(goal: goals.Goal, lang: str) -> list[str]:
    """The goal's flows and states, a line each, as a person reads them."""
    lines = [flow.title + (f" · {flow.expect.outcome}" if flow.expect.outcome else "") for flow in goal.flows]
    lines += [one.shown for one in goal.states]
    if goal.keep or goal.keep_all:
        lines.append(words.KEEP().text(lang))
    return lines
