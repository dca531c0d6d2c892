"""Makes tests/real/recorded/rows.json: every kind of row as the real tools print it, in the four wirings.

    python tests/real/capture_rows.py

Needs Linux with user namespaces and the tools of COMMANDS; no root. Each wiring is built by its lines and those of
EXTRA in namespaces of this machine's kernel; nothing of the model is used but the names of its sysctls.
test_rows_back.py reads the text into rows, from the record and, where it can, from the kernel anew (`captured`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.linux.net import CONF_DEFAULTS, NEIGH_DEFAULTS, SYSCTL_DEFAULTS
from engine.real.stage import Stage
from tests.real import wirings

FILE = Path(__file__).parent / "recorded" / "rows.json"
#: (namespace, line): what happened before anybody looked
TRAFFIC = (("p12", "ping -c 1 -W 1 {p21}"), ("n1", "ping -c 1 -W 1 {p11}"))
NFT = """table ip lessons {
    comment "rows read back"
    map services {
        type ipv4_addr . inet_proto . inet_service : verdict
        elements = { 10.96.0.10 . tcp . 80 : goto web }
    }
    set nodes {
        type ipv4_addr
        flags interval
        elements = { 10.0.0.0/8, 192.168.50.11-192.168.50.12 }
    }
    chain web {
        numgen random mod 2 vmap { 0 : goto one, 1 : goto two }
    }
    chain one {
        ip saddr 10.244.1.2 meta mark set mark or 0x4000
        meta l4proto tcp dnat to 10.244.1.2:8080
    }
    chain two {
        counter dnat to 10.244.2.2
    }
    chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        ip daddr . meta l4proto . th dport vmap @services
    }
    chain forward {
        type filter hook forward priority filter - 10; policy accept;
        ct state invalid drop comment "kube"
        iifname "cni*" ip daddr @nodes tcp dport { 80, 443, 8000-8100 } reject with tcp reset
        fib daddr type local accept
    }
}"""
#: more kinds of rows than the wirings have, all on n1
EXTRA = (
    "ip -n n1 rule add from 10.1.0.0/16 lookup 100 priority 100",
    "ip -n n1 rule add fwmark 0x80/0x80 iif eth0 lookup 101 priority 200",
    "ip -n n1 rule add to 10.9.0.0/16 ipproto tcp dport 80-90 prohibit priority 300",
    "ip -n n1 rule add not from all fwmark 0x1 lookup main suppress_prefixlength 0 priority 400",
    "ip -n n1 route add blackhole 10.66.0.0/16",
    "ip -n n1 route add unreachable 10.67.0.0/16 metric 20 table 100",
    "ip -n n1 route add prohibit 10.68.0.0/16 table 100",
    "ip -n n1 route add throw 10.69.0.0/16 table 101 proto static",
    "ip -n n1 addr add 10.70.0.1/24 dev eth0",
    "ip -n n1 addr add 10.70.0.2/24 dev eth0",
    "ip -n n1 addr add 10.71.0.1/32 dev lo scope link",
    "ip -n n1 route add 10.72.0.0/16 via 10.70.0.9 dev eth0 src 10.70.0.1 mtu lock 1400 metric 5",
    "ip -n n1 route add 10.73.0.0/16 nexthop via 10.70.0.8 dev eth0 weight 2 nexthop via 10.70.0.9 dev eth0 weight 1",
    "ip -n n1 route add 10.74.0.0/16 via 10.99.0.1 dev eth0 onlink",
    "ip -n n1 route add 10.75.0.0/16 tos 0x10 via 10.70.0.9 advmss 1300",
    "ip -n n1 neigh add 10.70.0.9 lladdr 02:00:00:00:70:09 dev eth0 nud permanent",
    "ip -n n1 neigh add proxy 10.70.0.77 dev eth0",
    "ip -n n1 link add br7 address 02:00:00:00:07:07 type bridge",
    "ip -n n1 link add v7 address 02:00:00:00:07:01 type veth peer name w7 address 02:00:00:00:07:02",
    "ip -n n1 link set v7 master br7",
    "ip -n n1 link set v7 type bridge_slave hairpin on isolated on learning off flood off mcast_flood off",
    "ip -n n1 link set br7 up",
    "ip netns exec n1 bridge fdb add 02:00:00:00:07:99 dev v7 master static",
    "ip netns exec n1 ipset create -exist LOOP hash:ip,port,ip comment timeout 0",
    "ip netns exec n1 ipset add LOOP 10.244.1.2,tcp:8080,10.244.1.2 comment web",
    "ip netns exec n1 ipset create NETS hash:net maxelem 1000 counters",
    "ip netns exec n1 ipset add NETS 10.0.0.0/8",
    "ip netns exec n1 ipset add NETS 10.1.0.0/16 nomatch",
    "ip netns exec n1 ipset create PORTS bitmap:port range 30000-32767",
    "ip netns exec n1 ipset add PORTS 30080",
    "ip netns exec n1 ipset create LISTS list:set",
    "ip netns exec n1 ipset add LISTS NETS",
    f"ip netns exec n1 nft -f - <<'END'\n{NFT}\nEND",
)
#: (namespace, protocol, address, port); the backlog of TCP is 64
LISTENING = (
    ("p12", "tcp", "0.0.0.0", 8080), ("p12", "udp", "10.244.1.3", 53), ("n1", "tcp", "127.0.0.1", 10248),
    ("n1", "tcp", "0.0.0.0", 10250), ("n1", "udp", "0.0.0.0", 68),
)  # fmt: skip
COMMANDS = (
    "ip neigh", "ip neigh show proxy", "ip -d link", "ip -4 addr", "ip route show table all", "ip rule", "bridge fdb",
    "iptables-save", "ipset save", "nft list table ip lessons", "ss -H -tuln",
)  # fmt: skip


def names_asked() -> list[str]:
    """The sysctls that the model knows, for all and default; those of devices are asked for eth0 and lo."""
    devices = ("all", "default", "eth0", "lo")
    return [
        *SYSCTL_DEFAULTS,
        *(f"net.ipv4.conf.{device}.{key}" for device in devices for key in CONF_DEFAULTS),
        *(f"net.ipv4.neigh.{device}.{key}" for device in devices[2:] for key in NEIGH_DEFAULTS),
    ]


def listening(name: str) -> tuple[tuple[str, str, str, int], ...]:
    pod = wirings.wiring(name).addresses.pods["p12"]
    return tuple(
        (ns, proto, pod if ns == "p12" and at[0] != "0" else at, port) for ns, proto, at, port in LISTENING
    )


def record(name: str) -> dict[str, dict[str, str]]:
    """namespace -> command -> what it printed."""
    wiring = wirings.wiring(name)
    stage = Stage()
    stage.fresh()
    stage.build([*wiring.lines, *EXTRA])
    for where, line in TRAFFIC:
        stage.must(line.format(**wiring.addresses.pods), name=where)
    for one in listening(name):
        stage.listen(*one)
    out: dict[str, dict[str, str]] = {}
    for where in wirings.SPACES:
        for line in COMMANDS:
            if "nft" in line and where != "n1":
                continue
            out.setdefault(where, {})[line] = stage.must(line, name=where)
    for where in ("n1", "p12"):
        asked = " ".join(names_asked())
        out[where]["sysctl"] = stage.sh(f"ip netns exec {where} sysctl {asked}")[1]
    return out


def captured(name: str) -> dict[str, dict[str, str]]:
    """The record of a wiring, made now in namespaces of their own."""
    inside = 'mount -t tmpfs none /run && mkdir /run/netns && exec "$@"'
    words = ["unshare", "-Urnm", "sh", "-c", inside, "sh", sys.executable, __file__, "--inside", name]
    environment = {**os.environ, "LC_ALL": "C", "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def main() -> None:
    if "--inside" in sys.argv:
        print(json.dumps(record(sys.argv[-1])))
        return
    found = {name: captured(name) for name in wirings.WIRINGS}
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
