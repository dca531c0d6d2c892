"""Inside the namespaces: builds a plan in the real kernel, sends packets, tells what the kernel recorded.

`Kernel` starts it as `unshare -Urnm python ...`; it speaks one JSON object a line on stdin and stdout. Standard library
only, and nothing of the engine but `netlink`. It ends with its stdin, and every namespace with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from typing import Any

from engine.real import netlink

CLONE_NEWNET = 0x40000000
MS_BIND = 4096
LIBC = ctypes.CDLL(None, use_errno=True)
QUIET = 0.004
IP_PKTINFO = 8


class Refused(Exception):
    """The kernel or a tool refused something; the text goes to the caller."""


def check(code: int, what: str) -> None:
    if code:
        raise Refused(f"{what}: {os.strerror(ctypes.get_errno())}")


class Worker:
    """Namespaces by id; `socks` listen; `logs` are the NFLOG sockets."""

    def __init__(self) -> None:
        check(LIBC.mount(b"tmpfs", b"/run", b"tmpfs", 0, None), "mount tmpfs on /run")
        os.makedirs("/run/netns")
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.files: dict[str, int] = {}
        self.names: dict[str, str] = {}
        self.logs: dict[str, socket.socket] = {}
        self.devices: dict[str, dict[int, str]] = {}
        self.rules: dict[str, dict[tuple[str, str], int]] = {}
        self.listeners: list[tuple[str, socket.socket]] = []
        self.tracing: set[str] = set()
        self.open: list[socket.socket] = []

    def enter(self, id: str) -> None:
        check(LIBC.setns(self.files[id] if id else self.home, CLONE_NEWNET), f"enter {id}")

    def run(self, id: str, argv: list[str], text: str = "") -> str:
        self.enter(id)
        try:
            done = subprocess.run(argv, input=text, text=True, capture_output=True, timeout=20)
        except FileNotFoundError:
            raise Refused(f"{argv[0]}: not installed") from None
        finally:
            self.enter("")
        if done.returncode:
            raise Refused(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    # -- build ----------------------------------------------------------------------------------------------

    def build(self, plan: dict[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        for space in plan["spaces"]:
            check(LIBC.unshare(CLONE_NEWNET), "unshare")
            self.files[space["id"]] = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            path = f"/run/netns/{space['name']}"
            with open(path, "w"):
                pass
            check(LIBC.mount(b"/proc/thread-self/ns/net", path.encode(), b"none", MS_BIND, None), "mount")
            self.names[space["id"]] = space["name"]
        self.enter("")
        for space in plan["spaces"]:
            self.sysctl(space["id"], {k: v for k, v in space["sysctl"].items() if not self.of_device(k)})
        if plan["links"]:
            self.run("", ["ip", "-batch", "-"], "\n".join(plan["links"]) + "\n")
        for space in plan["spaces"]:
            id = space["id"]
            self.sysctl(id, {k: v for k, v in space["sysctl"].items() if self.of_device(k)})
            if space["ip"]:
                self.run(id, ["ip", "-batch", "-"], "\n".join(space["ip"]) + "\n")
        for space in plan["spaces"]:
            id = space["id"]
            if space["late"]:
                self.run(id, ["ip", "-batch", "-"], "\n".join(space["late"]) + "\n")
            if space["bridge"]:
                self.run(id, ["bridge", "-batch", "-"], "\n".join(space["bridge"]) + "\n")
            if space["iptables"]:
                self.run(id, ["iptables-legacy-restore"], space["iptables"])
            self.listen(id, space["listen"])
        self.settle([space["id"] for space in plan["spaces"]])
        return {"seconds": time.perf_counter() - started}

    def settle(self, ids: list[str]) -> None:
        """Wait until the link watch has opened every bridge port that has a carrier (it may take a second)."""
        end = time.monotonic() + 3
        for id in ids:
            while time.monotonic() < end and any(map(waits, self.run(id, ["bridge", "link"]).splitlines())):
                time.sleep(0.01)

    @staticmethod
    def of_device(path: str) -> bool:
        parts = path.split("/")
        return len(parts) == 5 and parts[2] in ("conf", "neigh") and parts[3] not in ("all", "default")

    def sysctl(self, id: str, values: dict[str, str]) -> None:
        self.enter(id)
        try:
            for path, value in values.items():
                try:
                    with open(f"/proc/sys/{path}", "w") as file:
                        file.write(value)
                except OSError as error:
                    if "/net/bridge/" in f"/{path}" and not os.path.exists(f"/proc/sys/{path}"):
                        raise Refused("the kernel has no br_netfilter here") from error
                    raise Refused(f"/proc/sys/{path} = {value}: {error.strerror}") from error
        finally:
            self.enter("")

    def listen(self, id: str, sockets: list[list[Any]]) -> None:
        self.enter(id)
        try:
            for proto, address, port in sockets:
                kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
                sock = socket.socket(socket.AF_INET, kind)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((address, port))
                if proto == "tcp":
                    sock.listen(64)
                else:
                    sock.setsockopt(socket.SOL_IP, IP_PKTINFO, 1)
                sock.setblocking(False)
                self.listeners.append((proto, sock))
        finally:
            self.enter("")

    # -- watch ----------------------------------------------------------------------------------------------

    def watch(self, _: dict[str, Any]) -> dict[str, Any]:
        """Put a log on every device and a TRACE before every rule."""
        for id in self.files:
            self.enter(id)
            self.logs[id] = netlink.open_log()
            self.devices[id] = {i: n for i, n in socket.if_nameindex()}
            self.enter("")
            chains = []
            for i, device in enumerate(n for n in self.devices[id].values() if n != "lo"):
                log = "meta protocol ip log group 0 prefix"
                for way, hook, priority in (("in", "ingress", -500), ("out", "egress", 500)):
                    head = f'chain {way}{i} {{ type filter hook {hook} device "{device}" priority {priority};'
                    chains.append(f'{head} {log} "DEV:{way}:{device}"; }}')
            if chains:
                self.run(id, ["nft", "-f", "-"], "table netdev tap {\n" + "\n".join(chains) + "\n}\n")
            self.trace_rules(id)
        return {}

    def trace_rules(self, id: str) -> None:
        """TRACE goes first in raw, where it changes nothing for the other rules; it is taken out of the numbers."""
        text = self.run(id, ["iptables-legacy-save"])
        if not text.strip():
            return
        table = ""
        counts: dict[tuple[str, str], int] = {}
        for line in text.splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith("-A "):
                key = (table, line.split()[1])
                counts[key] = counts.get(key, 0) + 1
        self.rules[id] = counts
        for chain in ("PREROUTING", "OUTPUT"):
            self.run(id, ["iptables-legacy", "-w", "-t", "raw", "-I", chain, "1", "-j", "TRACE"])
        self.tracing.add(id)

    def drain(self, deadline: float) -> dict[str, list[dict[str, Any]]]:
        """What the kernel recorded until it was quiet, per namespace, in order."""
        out: dict[str, list[dict[str, Any]]] = {id: [] for id in self.logs}
        fds = {sock.fileno(): id for id, sock in self.logs.items()}
        poll = select.poll()
        for fd in fds:
            poll.register(fd, select.POLLIN)
        while time.monotonic() < deadline:
            ready = poll.poll(QUIET * 1000)
            if not ready:
                break
            for fd, _ in ready:
                id = fds[fd]
                out[id] += list(netlink.read_log(self.logs[id], self.devices[id]))
        return out

    # -- send -----------------------------------------------------------------------------------------------

    def send(self, act: dict[str, Any]) -> dict[str, Any]:
        """{"netns", "proto", "dst", "dport", "sport"}: one TCP handshake, one datagram with its echo, or one ping."""
        self.serve()
        self.drain(time.monotonic() + 0.2)
        self.flush()
        self.enter(act["netns"])
        try:
            if act["proto"] == "icmp":
                sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_IP, 10, 2)
                body = struct.pack(">BBHHH", 8, 0, 0, act["sport"], 1) + b"\0" * 56
                body = body[:2] + struct.pack(">H", checksum(body)) + body[4:]
                error = self.attempt(lambda: sock.sendto(body, (act["dst"], 0)))
            elif act["proto"] == "udp":
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_IP, 10, 2)
                sock.bind(("0.0.0.0", act["sport"]))
                error = self.attempt(lambda: sock.connect((act["dst"], act["dport"])))
                error = error or self.attempt(lambda: sock.send(b"x" * act.get("size", 1)))
            else:
                sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(("0.0.0.0", act["sport"]))
                error = self.attempt(lambda: sock.connect((act["dst"], act["dport"])))
        finally:
            self.enter("")
        result = self.outcome(act, sock, error)
        records = self.drain(time.monotonic() + 0.3)
        tracked = {id: self.conntrack(id) for id in self.files} if act.get("conntrack") else {}
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        return {"error": result, "records": records, "conntrack": tracked}

    @staticmethod
    def attempt(call: Any) -> str:
        import errno

        try:
            call()
        except BlockingIOError:
            return ""
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, "") if error.errno != errno.EINPROGRESS else ""
        return ""

    def outcome(self, act: dict[str, Any], sock: socket.socket, error: str) -> str:
        """Wait until the socket knows; "" for an answer, an errno, or SILENCE."""
        import errno

        end = time.monotonic() + act.get("wait", 0.08)
        while not error and time.monotonic() < end:
            self.serve()
            if act["proto"] == "tcp":
                _, ready, _ = select.select([], [sock], [], 0.002)
                if ready:
                    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    self.serve()
                    return errno.errorcode.get(code, "") if code else ""
            else:
                ready, _, _ = select.select([sock], [], [], 0.002)
                if ready:
                    try:
                        sock.recv(4096)
                    except OSError as problem:
                        return errno.errorcode.get(problem.errno or 0, "")
                    return ""
        return error or "SILENCE"

    def serve(self) -> None:
        """Accept what waits, echo datagrams."""
        for proto, sock in self.listeners:
            try:
                if proto == "tcp":
                    self.keep(sock.accept()[0])
                else:
                    data, extra, _, peer = sock.recvmsg(4096, 64)
                    sock.sendmsg([data], [(socket.SOL_IP, IP_PKTINFO, answer_from(extra))], 0, peer)
            except OSError:
                continue

    def keep(self, sock: socket.socket) -> None:
        """Accepted connections stay open for a while, so that no close is seen in the records."""
        self.open = [*self.open[-32:], sock]

    def flush(self) -> None:
        """Forget what earlier packets left: conntrack entries, and path MTUs."""
        for id in self.files:
            self.enter(id)
            try:
                if id in self.tracing:
                    delete_conntrack()
                with open("/proc/sys/net/ipv4/route/flush", "w") as file:
                    file.write("1")
            finally:
                self.enter("")

    def conntrack(self, id: str) -> str:
        return self.run(id, ["conntrack", "-L"]) if id in self.tracing else ""

    # -- read -----------------------------------------------------------------------------------------------

    def read(self, what: dict[str, Any]) -> dict[str, Any]:
        """The output of `argv` in a namespace."""
        return {"text": self.run(what["netns"], what["argv"])}


def waits(port: str) -> bool:
    """A line of `bridge link`: a port that is up, has its wire, and does not forward yet."""
    flags = port.partition("<")[2].partition(">")[0].split(",")
    return "UP" in flags and "LOWER_UP" in flags and "state disabled" in port


def answer_from(extra: list[tuple[int, int, bytes]]) -> bytes:
    """The in_pktinfo for an answer: from the address that was asked, by whatever device routing chooses."""
    for level, kind, data in extra:
        if level == socket.SOL_IP and kind == IP_PKTINFO:
            return struct.pack("I4s4s", 0, data[8:12], b"\0" * 4)
    return struct.pack("I8s", 0, b"\0" * 8)


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF)


def delete_conntrack() -> None:
    """Flush the namespace's table: IPCTNL_MSG_CT_DELETE without a tuple."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_NETFILTER)
    try:
        sock.bind((0, 0))
        body = struct.pack("BB", socket.AF_INET, 0) + struct.pack(">H", 0)
        sock.send(struct.pack("IHHII", 16 + len(body), (1 << 8) | 2, 5, 1, 0) + body)
        sock.recv(4096)
    finally:
        sock.close()


def main() -> None:
    worker = Worker()
    verbs = {"build": worker.build, "watch": worker.watch, "send": worker.send, "read": worker.read}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = verbs[request.pop("do")](request)
        except Refused as error:
            answer = {"refused": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
