"""Makes tests/golden/second/*.txt from the real tools in the second kernel: IPVS, ipip, geneve, ipvlan, dummy.

    python tests/golden/capture_second.py [NAME ...]

Needs user-mode-linux and ipvsadm; no root. A .cmds file holds one command a line; `#` begins a comment; a line that
begins with `@` is carried out and not recorded. `@adopt` takes over the namespaces made by `ip netns add`; then
`@listen NETNS PROTO ADDRESS PORT` opens a socket, `@talk NETNS PROTO DST DPORT SPORT` connects (or sends one datagram
and waits for its echo) and leaves the connection open, `@close` ends them all, `@sleep SECONDS` lets the estimator of
IPVS count (it adds the counters up every two seconds). Each file runs in a fresh namespace of one kernel. The
transcript is `$ command`, its stdout and stderr, and `[code]` where the code is not 0.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.real.second import Second

HERE = Path(__file__).parent / "second"
MODULES = (
    "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_sh", "ip_vs_mh", "ipip", "geneve", "ipvlan",
    "macvlan", "vrf",
)  # fmt: skip
#: seconds: net/core/link_watch.c defers events by up to one second
LINK_WATCH = 1.1
CHANGES = (" link add", " link set", " link del", " tunnel add", " tunnel del")


def transcript(kernel: Second, lines: list[str]) -> str:
    kernel.fresh()
    kernel.sh("rm -f /run/xtables.lock")
    out, changed = "", False
    for line in lines:
        if line.startswith("@"):
            act, *words = line[1:].split()
            if act == "adopt":
                kernel.ask("adopt")
            elif act == "listen":
                netns, proto, address, port = words
                kernel.ask("listen", name=netns, proto=proto, address=address, port=int(port), echo=True)
            elif act == "talk":
                netns, proto, dst, dport, sport = words
                kernel.ask("send", name=netns, proto=proto, dst=dst, dport=int(dport), sport=int(sport))
            elif act == "sleep":
                time.sleep(float(words[0]))
            elif act == "close":
                kernel.ask("hang_up")
            else:
                code, _, error = kernel.sh(line[1:])
                if code:
                    raise SystemExit(f"{line}: {error}")
            continue
        changes = any(word in f" {line}" for word in CHANGES)
        if changed and not changes:
            time.sleep(LINK_WATCH)
            changed = False
        changed = changed or changes
        code, stdout, stderr = kernel.sh(line)
        out += f"$ {line}\n{stdout}{stderr}" + (f"[{code}]\n" if code else "")
    return out


def main(names: list[str]) -> None:
    with Second(*MODULES) as kernel:
        for path in sorted(HERE.glob("*.cmds")):
            if names and path.stem not in names:
                continue
            lines = path.read_text(encoding="utf-8").splitlines()
            wanted = [line for line in lines if line.strip() and not line.startswith("#")]
            path.with_suffix(".txt").write_text(transcript(kernel, wanted), encoding="utf-8")
            print(path.stem)


if __name__ == "__main__":
    main(sys.argv[1:])
