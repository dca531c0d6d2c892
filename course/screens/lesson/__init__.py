"""A lesson: Read, See and Do. `LessonScreen` is the screen; each pane is a widget that knows nothing of the others.

Reading order: head (the line above), read (the text), see (the packet), do (the exercise and the terminal), panes (how
they share the window), steps (how a step is opened), packets (its plays and predictions), screen (the keys, and what
one pane wants of another).
"""

from course.screens.lesson.do import DoPane
from course.screens.lesson.read import ReadPane
from course.screens.lesson.screen import LessonScreen
from course.screens.lesson.see import SeePane

__all__ = ["DoPane", "LessonScreen", "ReadPane", "SeePane"]
