"""Runs a small program in a fresh network namespace of an unprivileged user namespace, for the tests of this folder."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

LOADER = """
import json, socket, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
def tool(*argv, text=""):
    done = subprocess.run(argv, input=text, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else f"FAILED {done.returncode} {done.stderr}"
"""


def inside(program: str, data: Any) -> Any:
    """`program` finds `data` (from JSON) and prints JSON; it has socket, json, and tool(argv..., text=stdin)."""
    code = f"{LOADER}\ndata = json.load(sys.stdin)\n{program}"
    command = ["unshare", "-Urnm", sys.executable, "-c", code]
    done = subprocess.run(command, input=json.dumps(data), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
