"""What the exercise pane writes above and below its answer: the task with its goal, how to answer, the verdict.

Rules. Pure: a `Posed` and a language give Content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from course import words_lesson as words
from course.widgets.prose import prose
from engine.say import Phrase, Said, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.grade import goal as goals
    from engine.grade.finding import Finding, Verdict
    from engine.grade.pose import Posed
    from engine.grade.table import Flow

#: what is said, and its style
Told = tuple[Said | str, str]
#: the mark of a line of the goal, and its style
MARKS = {"✔": "$success", "✖": "$error"}
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
        parts += ["\n\n", (words.GOAL().text(lang), "bold")]
        for line in lines:
            parts += ["\n", (line[:1], MARKS.get(line[:1], "")), line[1:]]
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
        said = _finding(posed, finding)
        flow = f"{finding.flow}: " if finding.flow and not said.text("en").startswith(finding.flow) else ""
        told.append((FINDING(mark="x" if ascii else "✖", flow=flow, said=said), ""))
    if any(f.journey is not None for f in verdict.findings):
        told.append((words.SHOWN_IN_SEE(), "dim"))
    return told


def _finding(posed: Posed, finding: Finding) -> Said:
    """What the finding says, with a wish as a person reads it."""
    if posed.goal is None or finding.kind != "state":
        return finding.said
    from course.widgets.exercise.wish import wish_text  # the grader is there by now, and not before
    from engine.grade.state import MUST, MUST_NOT

    for one in posed.goal.states:
        said = (MUST if one.present else MUST_NOT)(what=plain(one.shown))
        if said.text("en") == finding.said.text("en"):
            return (MUST if one.present else MUST_NOT)(what=plain(wish_text(one)))
    return finding.said


def goal_texts(goal: goals.Goal, lang: str) -> list[str]:
    """The goal's flows and states, a line each, as a person reads them."""
    from course.widgets.exercise.wish import wish_text

    lines = [flow_text(flow) for flow in goal.flows]
    lines += [wish_text(one) for one in goal.states]
    if goal.keep or goal.keep_all:
        lines.append(words.KEEP().text(lang))
    return lines


def flow_text(flow: Flow) -> str:
    """A flow of a goal with how it shall end, where the file says so."""
    return flow.title + (f" · {flow.expect.outcome}" if flow.expect.outcome else "")
