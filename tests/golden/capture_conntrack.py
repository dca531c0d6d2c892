"""Makes tests/golden/conntrack/*.txt from the real conntrack in a fresh network namespace.

    python tests/golden/capture_conntrack.py

Needs unshare with user namespaces, iptables (a rule attaches connection tracking) and conntrack. A .cmds file holds one
command a line. The transcript has `$ command`, `| ` before each line of its output, `! ` before those of its errors,
`[code]` where the code is not 0.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

HERE = Path(__file__).parent / "conntrack"
START = "ip link set lo up; iptables -A INPUT -m conntrack --ctstate NEW -j ACCEPT"
RUN = r"""
import subprocess, sys
subprocess.run(sys.argv[1], shell=True, check=True)
for line in sys.stdin.read().splitlines():
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    print("$ " + line)
    for mark, text in (("| ", done.stdout), ("! ", done.stderr)):
        for row in text.splitlines():
            print(mark + row)
    if done.returncode:
        print(f"[{done.returncode}]")
"""


def main() -> None:
    for path in sorted(HERE.glob("*.cmds")):
        done = subprocess.run(
            ["unshare", "-Urnm", "python3", "-c", RUN, START],
            input=path.read_text(),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        path.with_suffix(".txt").write_text(done.stdout)


if __name__ == "__main__":
    main()
