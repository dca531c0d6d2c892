"""The drawing rooms know no widgets, and draw without the heavy graph library."""

from __future__ import annotations

import subprocess
import sys


def test_render_imports_neither_textual_nor_networkx() -> None:
    code = (
        "import importlib, pkgutil, sys, course.render as r\n"
        "for m in pkgutil.iter_modules(r.__path__): importlib.import_module('course.render.' + m.name)\n"
        "print([n for n in ('textual', 'networkx') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
