"""Makes tests/real/recorded/tools/*.json: what the real tools print in each of the four wirings.

    python tests/real/capture_tools.py [WIRING ...]

Needs Linux with user namespaces and the tools of COMMANDS; no root. A wiring is built by its command lines in
namespaces of this machine's kernel, a few packets are sent (TRAFFIC), then every command is run in every namespace of
WHERE. Nothing of the model is used: test_tools.py types the same lines into the lab's shell.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.real.stage import Stage
from tests.real import wirings

HERE = Path(__file__).parent / "recorded" / "tools"
NAMES = ("hostgw", "vxlan", "calico", "vpccni")
#: a Pod, its node and the switch
WHERE = ("p12", "n1", "sw")
#: (namespace, line): what happened before anybody looked
TRAFFIC = (("p12", "ping -c 1 -W 1 {p21}"), ("n1", "ping -c 1 -W 1 {p11}"))
#: neighbours first: five seconds later the kernel asks again whom it has used
COMMANDS = """
ip neigh
ip -j neigh
ip neigh show dev eth0
ip neigh show nud permanent
arp -n
arp -an
ip addr
ip addr show dev eth0
ip -4 addr
ip -br addr
ip -o -4 addr
ip -j addr
ip link
ip -br link
ip -o link
ip -d link
ip -j link
ip link show type veth
ip link show master cni0
ip link show up
ip link show type vxlan
ip route
ip -4 route
ip route show default
ip route show table all
ip route show table local
ip route show table 2
ip route show proto kernel
ip route show dev eth0
ip route show 10.244.2.0/24
ip route show to match 10.244.2.7
ip route show scope link
ip -j route
ip -d route
ip -d route show table local
ip -d -j route
ip rule
ip -j rule
ip route get 10.244.2.2
ip route get 10.244.1.2
ip route get 10.0.1.11
ip route get 10.0.2.11
ip route get 8.8.8.8
ip route get 127.0.0.1
ip route get 169.254.1.1
ip -j route get 8.8.8.8
ip route get 10.244.2.2 from 10.244.1.3 iif cni0
ip route get 8.8.8.8 mark 0x80
ip route get nonsense
ip netns
ip tunnel
ip -s route
ip link show dev nothing
ip addr show dev nothing
ip route show dev nothing
bridge link
bridge link show dev eth0
bridge -d link
bridge -j link
bridge fdb
bridge fdb show br cni0
bridge fdb show dev flannel.1
bridge -j fdb
brctl show
brctl showmacs cni0
iptables -S
iptables -S FORWARD
iptables -t nat -S
iptables -t nat -S KUBE-SERVICES
iptables -t mangle -S
iptables -t raw -S
iptables -L -n
iptables -L FORWARD -n --line-numbers
iptables -t nat -L -n
iptables -t nat -L KUBE-SERVICES -n -v
iptables -L NOTHING -n
iptables-save
iptables-save -t nat
ss -tln
ss -uln
ss -tuln
ss -H -tln
netstat -nlt
netstat -nlu
netstat -rn
route -n
sysctl net.ipv4.ip_forward
sysctl net.ipv4.conf.all.rp_filter
sysctl net.ipv4.conf.eth0.proxy_arp
sysctl -n net.ipv4.ip_default_ttl
sysctl net.bridge.bridge-nf-call-iptables
sysctl net.nothing.here
cat /proc/sys/net/ipv4/ip_forward
conntrack -L
conntrack -L -p icmp
conntrack -L -o extended
conntrack -C
ls /sys/class/net
ls /run/netns
""".strip().splitlines()


#: run when all the others have been, because they leave traces
LATE = """
ping -c 1 -W 1 -n {p21}
ping -c 1 -W 1 -n 127.0.0.1
ping -c 1 -W 1 -n 198.51.100.9
traceroute -n -q 1 -w 1 {p21}
""".strip().splitlines()


def lines_of(name: str) -> list[str]:
    """The commands, with the wiring's own addresses."""
    return [line.format(**wirings.wiring(name).addresses.pods) for line in (*COMMANDS, *LATE)]


def record(name: str) -> dict[str, dict[str, list[object]]]:
    """namespace -> command -> [stdout, stderr, exit code]."""
    wiring = wirings.wiring(name)
    stage = Stage()
    stage.fresh()
    stage.build(list(wiring.lines))
    for where, line in TRAFFIC:
        stage.must(line.format(**wiring.addresses.pods), name=where)
    out: dict[str, dict[str, list[object]]] = {}
    lines, late = lines_of(name), len(LATE)
    for part in (lines[:-late], lines[-late:]):
        for where in WHERE:
            for line in part:
                # `ip netns exec` shows the namespace's own /sys
                code, stdout, stderr = stage.sh(f"ip netns exec {where} {line}")
                out.setdefault(where, {})[line] = [stdout, stderr, code]
    return out


def main() -> None:
    if "--inside" not in sys.argv:
        names = sys.argv[1:] or NAMES
        HERE.mkdir(parents=True, exist_ok=True)
        for name in names:
            inside = 'mount -t tmpfs none /run && mkdir /run/netns && exec "$@"'
            words = ["unshare", "-Urnm", "sh", "-c", inside, "sh", sys.executable, __file__, "--inside", name]
            environment = {**os.environ, "LC_ALL": "C", "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
            done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            found = json.loads(done.stdout)
            (HERE / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(name, sum(len(rows) for rows in found.values()))
        return
    print(json.dumps(record(sys.argv[-1])))


if __name__ == "__main__":
    main()
