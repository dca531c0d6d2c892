"""Makes tests/golden/second/schedules.json in the second kernel: which server each scheduler of IPVS gives to whom.

    python tests/golden/capture_schedules.py

Needs user-mode-linux and ipvsadm; no root. For each scheduler and seed: a UDP service with random servers and weights,
24 datagrams from random clients, one server changed and one removed on the way. A record is [scheduler, commands,
picks]; a pick is [client, port, "SERVER:PORT" in hex or ""], or ["cmd", the change].
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.real.second import Second

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "sed", "nq", "sh", "dh", "mh")
SEEDS = 4
START = (
    "ip link set lo up; ip link add d0 type dummy; ip link set d0 up; ip addr add 10.0.0.1/8 dev d0; "
    "sysctl -qw net.ipv4.ip_nonlocal_bind=1; ip route add local 10.200.0.0/16 dev lo"
)
GUEST = r"""
import json, random, socket, struct, subprocess, sys
sched, seed = sys.argv[1], int(sys.argv[2])
r = random.Random(seed)
def feed(lines):
    done = subprocess.run(["ipvsadm", "-R"], input="\n".join(lines) + "\n", capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
n = r.randint(2, 5)
flags = ""
if sched in ("sh", "mh"):
    flags = ("", f"-b {sched}-port", f"-b {sched}-fallback", f"-b {sched}-fallback,{sched}-port")[seed % 4]
cmds = [f"-A -u 10.0.0.1:53 -s {sched} {flags}"]
dests = []
for i in range(n):
    dests.append("10.1.%d.%d:%d" % (i, r.randint(1, 250), r.choice((53, 8053))))
    cmds.append(f"-a -u 10.0.0.1:53 -r {dests[-1]} -m -w {r.choice((0, 1, 1, 2, 3, 5, 100))}")
feed(cmds)
picks, sent = [], []
def gather():
    table = {}
    for line in open("/proc/net/ip_vs_conn").read().splitlines()[1:]:
        w = line.split()
        table[w[1] + " " + w[2]] = w[5] + ":" + w[6]
    for p in sent:
        p.append(table.get("%08X %04X" % (struct.unpack(">I", socket.inet_aton(p[0]))[0], p[1]), ""))
    sent.clear()
for j in range(24):
    if j in (12, 18):
        gather()
        change = f"-d -u 10.0.0.1:53 -r {r.choice(dests)}"
        if j == 12:
            change = f"-e -u 10.0.0.1:53 -r {r.choice(dests)} -m -w {r.choice((0, 1, 4))}"
        feed([change])
        picks.append(["cmd", change])
    src, port = "10.200.%d.%d" % (r.randint(0, 250), r.randint(1, 250)), r.randint(1025, 60000)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((src, port))
    try:
        s.sendto(b"x", ("10.0.0.1", 53))
    except OSError:
        pass
    s.close()
    pick = [src, port]
    picks.append(pick)
    sent.append(pick)
gather()
print(json.dumps([sched, cmds, picks]))
"""


def main() -> None:
    records = []
    with Second("ip_vs", *(f"ip_vs_{name}" for name in SCHEDULERS)) as kernel:
        for seed in range(SEEDS):
            for name in SCHEDULERS:
                kernel.fresh()
                kernel.sh(START)
                code, out, err = kernel.sh(f"{sys.executable} - {name} {seed}", GUEST)
                if code:
                    raise SystemExit(err)
                records.append(json.loads(out))
    lines = ",\n".join(json.dumps(record) for record in records)
    Path(__file__).parent.joinpath("second", "schedules.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
