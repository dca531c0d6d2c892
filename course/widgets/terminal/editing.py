"""vi in the lab's terminal: which lines open the editor, on what, and how it is saved.

Rules. What is saved is a command line that the learner could have typed (a here-document), so that undo takes it back
and the log shows it. A file that cannot be read says so as the shell would.
"""

from __future__ import annotations

import posixpath
import shlex
from typing import TYPE_CHECKING

from course.editors import heredoc
from engine.errors import EngineError
from engine.record import dataclass

if TYPE_CHECKING:
    from engine.lab.lab import Lab

EDITORS = ("vi", "vim", "nano", "emacs", "ed", "edit", "view")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What the editor opens with; `command` gets the new text as its input. With `said` nothing can be opened."""

    name: str = ""
    text: str = ""
    command: str = ""
    said: str = ""

    def line(self, new: str) -> str:
        """The line that saves."""
        return heredoc(self.command, new)


def edit_of(lab: Lab, place: str, line: str, lang: str) -> Edit | None:
    """What the editor is asked for by this line; None: it is a line for the shell."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    if words[:1] == ["sudo"]:
        words = words[1:]
    if not words or any(w in line for w in "|;&<>`$"):
        return None
    if words[0] in EDITORS:
        files = [w for w in words[1:] if not w.startswith(("-", "+"))]
        return _file(lab, place, files[0], lang) if len(files) == 1 else None
    return None


def _file(lab: Lab, place: str, name: str, lang: str) -> Edit:
    from engine.shell.files import FileError, Files

    session = lab.shell(place).session
    path = posixpath.normpath(posixpath.join(session.cwd, name))
    try:
        text = Files(lab.world, session.spot).read(path)
    except FileError as error:
        if error.errno != "ENOENT":
            return Edit(said=f"{name}: {error.reason}")
        text = ""
    except EngineError as error:
        return Edit(said=error.text(lang))
    return Edit(name=path, text=text, command=f"cat > {shlex.quote(path)}")
