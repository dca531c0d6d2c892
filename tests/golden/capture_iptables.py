"""Runs the sessions in tests/golden/iptables/ through the real tools and writes down what they said.

    .venv/bin/python tests/golden/capture_iptables.py [NAME ...]

A session is a text: a line `$ COMMAND` is run by sh, in a network namespace of the session's own (unshare -Urnm, no
root needed); below it stand its output (`| `), its errors (`! `) and, when it is not 0, its exit code (`[N]`). To
add a case, write its `$` line and run this. A line `% COMMAND` prepares the kernel, and its output is not kept; a
line `# ...` is a remark. Needs iptables 1.8.9 (nf_tables), conntrack 1.4.7 and procps 4.0.2, as on Debian 12.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "iptables"
WHEN = re.compile(r"( on )\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$", re.MULTILINE)


def inside(path: Path) -> str:
    """Run one session in this process's namespaces; its text with what came out."""
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    out: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("% "):
            subprocess.run(["sh", "-c", line[2:]], capture_output=True, check=True)
            out.append(line)
        elif line.startswith("$ "):
            done = subprocess.run(["sh", "-c", line[2:]], capture_output=True, text=True)
            out.append(line)
            out += [f"| {row}" for row in WHEN.sub(r"\1DATE", done.stdout).splitlines()]
            out += [f"! {row}" for row in done.stderr.splitlines()]
            out += [f"[{done.returncode}]"] if done.returncode else []
        elif line.startswith("#") or not line:
            out.append(line)
    return "\n".join(out) + "\n"


def main() -> None:
    if sys.argv[1:2] == ["--inside"]:
        sys.stdout.write(inside(Path(sys.argv[2])))
        return
    for path in sorted(FOLDER.glob("*.txt")):
        if len(sys.argv) > 1 and path.stem not in sys.argv[1:]:
            continue
        command = ["unshare", "-Urnm", sys.executable, __file__, "--inside", str(path)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        path.write_text(text, encoding="utf-8")
        print(f"{path.name}: {text.count(chr(10) + '$ ') + text.startswith('$ ')} commands")


if __name__ == "__main__":
    main()
