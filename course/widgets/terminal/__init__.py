"""The lab's terminal: `Terminal` is the widget, `CommandLine` the line that is typed in it.

Reading order: log (what was printed), kept (the logs of other labs), line (what is typed), editing (vi and kubectl
edit), terminal.
"""

from course.editors import heredoc
from course.widgets.terminal.line import CommandLine
from course.widgets.terminal.terminal import Terminal

__all__ = ["CommandLine", "Terminal", "heredoc"]
