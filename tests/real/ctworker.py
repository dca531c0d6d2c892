"""The real half of tests/real/test_conntrack.py: a router that tracks, its two cables in our hands.

Run as `unshare -Urnm python3 ctworker.py`; one JSON line a request on stdin, one a reply on stdout. The router is a
namespace with r0 10.0.0.254/24 and r1 10.0.1.254/24; the far ends of the cables have no address, so nobody answers what
arrives there. A packet goes in whole (hex, from the IPv4 header on) and the table comes back by netlink.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import time
from typing import Any

MACS = {
    "r0": "02:00:00:00:00:10",
    "x0": "02:00:00:00:00:11",
    "r1": "02:00:00:00:00:20",
    "x1": "02:00:00:00:00:21",
}
libc = ctypes.CDLL(None, use_errno=True)
TCP_STATES = (
    "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",
    "SYN_SENT2",
)  # fmt: skip


def run(line: str, text: str = "") -> str:
    done = subprocess.run(line, shell=True, input=text, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{line}: {done.stderr}")
    return done.stdout


def attributes(data: bytes) -> dict[int, bytes]:
    out, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("HH", data, at)
        if length < 4:
            break
        out[kind & 0x3FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return out


def tuple_of(data: bytes) -> list[Any]:
    parts = attributes(data)
    ip, proto = attributes(parts[1]), attributes(parts[2])
    number = proto[1][0]
    src, dst = socket.inet_ntoa(ip[1]), socket.inet_ntoa(ip[2])
    if number == 1:
        sport, dport = struct.unpack(">H", proto[4])[0], proto[5][0] << 8 | proto[6][0]
    else:
        sport, dport = (struct.unpack(">H", proto[k])[0] if k in proto else 0 for k in (2, 3))
    return [number, src, sport, dst, dport]


class Table:
    """The connections of the router, dumped by netlink."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.sock.bind((0, 0))

    def dump(self) -> list[dict[str, Any]]:
        self.sock.send(struct.pack("IHHII", 20, (1 << 8) | 1, 0x301, 1, 0) + struct.pack("BBH", 2, 0, 0))
        out: list[dict[str, Any]] = []
        while True:
            data, at = self.sock.recv(1 << 18), 0
            while at + 16 <= len(data):
                length, kind = struct.unpack_from("IH", data, at)
                if kind in (2, 3):
                    return out
                out.append(self.entry(attributes(data[at + 20 : at + length])))
                at += (length + 3) & ~3

    def entry(self, a: dict[int, bytes]) -> dict[str, Any]:
        state = ""
        if 4 in a and 1 in attributes(a[4]):
            state = TCP_STATES[attributes(attributes(a[4])[1])[1][0]]
        return {
            "orig": tuple_of(a[1]), "reply": tuple_of(a[2]), "status": struct.unpack(">I", a[3])[0], "state": state,
            "timeout": struct.unpack(">I", a[7])[0], "zone": struct.unpack(">H", a[18])[0] if 18 in a else 0,
        }  # fmt: skip

    def flush(self) -> None:
        self.sock.send(struct.pack("IHHII", 20, (1 << 8) | 2, 5, 2, 0) + struct.pack("BBH", 0, 0, 0))
        self.sock.recv(4096)


def main() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
    run("mount -t tmpfs tmpfs /run && ip netns add r")
    for n in (0, 1):
        ends = f"r{n} address {MACS[f'r{n}']} type veth peer name x{n} address {MACS[f'x{n}']}"
        run(f"ip -n r link add {ends} && ip -n r link set x{n} netns {os.getpid()}")
        run(f"ip link set x{n} up && ip -n r link set r{n} up && ip -n r addr add 10.0.{n}.254/24 dev r{n}")
        for host in (*range(1, 10), *range(250, 254)):
            run(f"ip -n r neigh add 10.0.{n}.{host} lladdr {MACS[f'x{n}']} dev r{n} nud permanent")
    run("ip -n r link set lo up")
    keys = "ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.all.send_redirects=0"
    run(f"ip netns exec r sysctl -qw net.ipv4.{keys}")
    wires = []
    for n in (0, 1):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        wire.bind((f"x{n}", 0))
        head = bytes.fromhex((MACS[f"r{n}"] + MACS[f"x{n}"]).replace(":", "")) + b"\x08\x00"
        wires.append((wire, head))
    space = os.open("/run/netns/r", os.O_RDONLY)
    if libc.setns(space, 0x40000000):
        raise SystemExit("setns")
    table = Table()
    for line in sys.stdin:
        want = json.loads(line)
        answer: dict[str, Any] = {}
        if "rules" in want:
            run("iptables-legacy-restore", want["rules"])
            table.flush()
        if "shell" in want:
            answer["out"] = run(want["shell"])
        if "hex" in want:
            wire, head = wires[want["side"]]
            wire.send(head + bytes.fromhex(want["hex"]))
        answer["at"] = time.monotonic()
        answer["table"] = table.dump()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
