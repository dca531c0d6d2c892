"""What is still to do in a step, and which keys go on from it.

Rules. Values in, sentences out: the desk's lesson and the progress file are only read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from course import catalog
from course import words_lesson as say

if TYPE_CHECKING:
    from course.progress import Progress
    from course.screens.desk import Desk
    from engine.say import Said


def todo(desk: Desk, progress: Progress, step: int) -> list[str]:
    """The exercises of this step that are not solved."""
    done = solved(desk, progress)
    return [id for id in desk.lesson.steps[step].exercises if id not in done]


def solved(desk: Desk, progress: Progress) -> set[str]:
    """The exercises of the lesson that are solved."""
    states = progress.exercises()
    return {id for id in desk.lesson.exercises if (s := states.get((desk.entry.id, id))) and s.solved}


def onward(desk: Desk, progress: Progress, step: int) -> list[Said]:
    """Which keys go on from here."""
    out: list[Said] = []
    left, steps = todo(desk, progress, step), desk.lesson.steps
    if left:
        out.append(say.GO_EXERCISE(title=desk.exercise(left[0]).title))
    if step + 1 < len(steps):
        phrase = say.GO_OR_STEP if left else say.GO_STEP
        out.append(phrase(title=steps[step + 1].title))
    elif not left:
        out.append(farewell(desk, progress))
    return out


def farewell(desk: Desk, progress: Progress) -> Said:
    """What is said at the end of the last step."""
    lang, number = desk.lang, desk.entry.number
    following = next((e for e in catalog.entries() if e.ready and e.number > number), None)
    if following is not None and solved(desk, progress) == set(desk.lesson.exercises):
        return say.LESSON_DONE(title=following.title[lang])
    return say.LAST_STEP()
