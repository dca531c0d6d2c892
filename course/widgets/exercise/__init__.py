"""An exercise on the screen: `ExercisePane` is the widget.

Reading order: task (its texts), answers (what collects the answer of each kind), pane (keys, messages, hints, verdict).
"""

from course.widgets.exercise.pane import ExercisePane

__all__ = ["ExercisePane"]
