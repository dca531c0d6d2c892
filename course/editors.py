"""The learner's own editor on a real temporary file: for a command of the lab that asks for one (`Result.edit`).

Rules. $KUBE_EDITOR, $VISUAL and $EDITOR of the learner's machine decide, in this order; the program gets the terminal
until it ends. Nothing of the lab is reached: a text goes in, a text comes out.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

NAMES = ("KUBE_EDITOR", "VISUAL", "EDITOR")


def heredoc(command: str, text: str) -> str:
    """`command` with `text` as its input, as a person would type it."""
    end = "EOF"
    while end in text.split("\n"):
        end += "_"
    body = text if text.endswith("\n") or not text else text + "\n"
    return f"{command} <<'{end}'\n{body}{end}"


def chosen() -> list[str]:
    """The editor's words; [] when the learner has named none."""
    for name in NAMES:
        if text := os.environ.get(name, "").strip():
            try:
                return shlex.split(text)
            except ValueError:
                return []
    return []


def edited(name: str, text: str, program: list[str]) -> str | None:
    """Run the program on a file that holds the text; what the file holds then. None when it could not be run or ended
    with an error."""
    with tempfile.TemporaryDirectory(prefix="k8snet-tutor-") as folder:
        path = Path(folder) / Path(name).name
        path.write_text(text, encoding="utf-8")
        try:
            done = subprocess.run([*program, str(path)], check=False)
        except OSError:
            return None
        return path.read_text(encoding="utf-8") if done.returncode == 0 else None
