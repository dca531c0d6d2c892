"""A stage for recordings: the namespaces that shell lines make, sockets that listen in them, packets that are sent.

Theory. The same lines that a person types (`ip netns add`, `ip -n`, `iptables-restore` with its text) build a network
in a kernel and in the model, so nothing between them can hide a difference. What a kernel recorded is read by a
subclass: `guest.py` in the second kernel, the scripts of tests/real in the host's.

Rules. Standard library only. Runs inside namespaces of its own (`unshare -Urnm`, or the second kernel), as root there.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import struct
import subprocess
import time
from typing import Any

CLONE_NEWNET = 0x40000000
IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_PKTINFO = 10, 2, 8
LIBC = ctypes.CDLL(None, use_errno=True)
#: what a namespace must not wait for: the kernel's budgets of ICMP errors
BUDGETS = {
    "net/ipv4/icmp_ratelimit": "0", "net/ipv4/icmp_msgs_per_sec": "1000000", "net/ipv4/icmp_msgs_burst": "1000000",
    "net/ipv6/conf/all/disable_ipv6": "1", "net/ipv6/conf/default/disable_ipv6": "1",
}  # fmt: skip
#: seconds of silence after which a packet's way has ended
QUIET = 0.03


class Refused(Exception):
    """The kernel or a tool refused something."""


class Stage:
    """`files` are the namespaces by name, as `ip netns` knows them; `kept` the sockets that stay open."""

    def __init__(self) -> None:
        os.makedirs("/run/netns", exist_ok=True)
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.files: dict[str, int] = {}
        self.listeners: list[tuple[str, bool, socket.socket]] = []
        self.kept: list[socket.socket] = []

    def enter(self, name: str) -> None:
        if LIBC.setns(self.files[name] if name else self.home, CLONE_NEWNET):
            raise Refused(f"enter {name}: {os.strerror(ctypes.get_errno())}")

    def sh(self, line: str, text: str = "", name: str = "") -> tuple[int, str, str]:
        """A shell line: (code, stdout, stderr)."""
        self.enter(name)
        try:
            done = subprocess.run(
                ["sh", "-c", line], input=text, text=True, capture_output=True, errors="replace", timeout=60
            )
        finally:
            self.enter("")
        return done.returncode, done.stdout, done.stderr

    def must(self, line: str, text: str = "", name: str = "") -> str:
        code, out, error = self.sh(line, text, name)
        if code:
            raise Refused(f"{line}: {error.strip() or out.strip()}")
        return out

    def fresh(self) -> None:
        """A new namespace to work in; those that `ip netns` knows are gone."""
        for sock in [*(s for _, _, s in self.listeners), *self.kept]:
            sock.close()
        for file in self.files.values():
            os.close(file)
        self.files, self.listeners, self.kept = {}, [], []
        if LIBC.unshare(CLONE_NEWNET):
            raise Refused(f"unshare: {os.strerror(ctypes.get_errno())}")
        os.close(self.home)
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        for name in os.listdir("/run/netns"):
            self.must(f"ip netns del {name}")
        self.budgets()

    @staticmethod
    def budgets() -> None:
        """Lift them in the current namespace; and a proxy's answer to ARP waits for up to 0.8 s, here for none."""
        proxies = {
            f"net/ipv4/neigh/{device}/proxy_delay": "0" for device in os.listdir("/proc/sys/net/ipv4/neigh")
        }
        for path, value in (BUDGETS | proxies).items():
            if os.access(f"/proc/sys/{path}", os.W_OK):
                with open(f"/proc/sys/{path}", "w") as file:
                    file.write(value)

    def build(self, lines: list[str]) -> None:
        """Run the lines as one script that ends at the first error."""
        code, _, error = self.sh("set -e\n" + "\n".join(batches(lines)))
        if code:
            raise Refused(error.strip())
        self.adopt()
        for name in self.files:
            self.settle(name)

    def adopt(self) -> None:
        """Take over the namespaces that `ip netns add` has made."""
        for name in sorted(set(os.listdir("/run/netns")) - set(self.files)):
            self.files[name] = os.open(f"/run/netns/{name}", os.O_RDONLY)
            self.enter(name)
            self.budgets()
            self.enter("")

    def settle(self, name: str) -> None:
        """Wait until the link watch has opened every bridge port that has a carrier (it may take a second)."""
        end = time.monotonic() + 3
        while time.monotonic() < end:
            ports = self.must("bridge link", name=name).splitlines()
            if not any("LOWER_UP" in port and "state disabled" in port for port in ports):
                return
            time.sleep(0.02)

    # -- sockets

    def listen(self, name: str, proto: str, address: str, port: int, *, echo: bool = False) -> None:
        """`echo`: a datagram is sent back from the address that was asked."""
        self.enter(name)
        try:
            kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
            sock = socket.socket(socket.AF_INET, kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, port))
            if proto == "tcp":
                sock.listen(64)
            else:
                sock.setsockopt(socket.SOL_IP, IP_PKTINFO, 1)
            sock.setblocking(False)
            self.listeners.append((proto, echo, sock))
        finally:
            self.enter("")

    def serve(self) -> None:
        """Accept what waits, echo datagrams."""
        for proto, echo, sock in self.listeners:
            try:
                if proto == "tcp":
                    self.kept.append(sock.accept()[0])
                else:
                    data, extra, _, peer = sock.recvmsg(65536, 64)
                    if echo:
                        source = next(d[8:12] for _, k, d in extra if k == IP_PKTINFO)
                        info = struct.pack("I4s4s", 0, source, b"\0" * 4)
                        sock.sendmsg([data], [(socket.SOL_IP, IP_PKTINFO, info)], 0, peer)
            except OSError:
                continue

    def send(
        self, name: str, proto: str, dst: str, dport: int, sport: int, *, size: int = 1, df: bool = True,
        wait: float = 0.3,
    ) -> str:  # fmt: skip
        """One TCP handshake (it stays open), one datagram or one ping: "" when something came back, else the errno's
        name, or SILENCE. `df`: a datagram that does not fit is refused, not cut."""
        self.enter(name)
        try:
            sock = self.opened(proto, sport, df)
            error = attempt(lambda: sock.connect((dst, dport)))
            if proto == "udp":
                error = error or attempt(lambda: sock.send(b"x" * size))
            elif proto == "icmp":
                error = error or attempt(lambda: sock.send(ping(sport, size)))
        finally:
            self.enter("")
        error = error or (self.connected if proto == "tcp" else self.answered)(sock, wait)
        if proto == "tcp" and error:
            sock.close()  # or it would knock again, in the middle of what comes next
        else:
            self.kept.append(sock)
        return error

    def warm(self, addresses: list[str]) -> None:
        """A datagram to a closed port of every address from everywhere, so that neighbours are known; then connections
        and path MTUs are forgotten."""
        for name in self.files:
            for at, address in enumerate(addresses, 20001):
                self.send(name, "udp", address, 9, at, wait=0)
            time.sleep(0.01)
        self.hang_up()
        time.sleep(0.3)
        for name in self.files:
            self.sh("conntrack -F; ip route flush cache", name=name)

    @staticmethod
    def opened(proto: str, sport: int, df: bool) -> socket.socket:
        if proto == "icmp":
            sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        else:
            kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
            sock = socket.socket(socket.AF_INET, kind)
            sock.bind(("0.0.0.0", sport))
        sock.setblocking(False)
        if proto != "tcp" and df:
            sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        return sock

    def connected(self, sock: socket.socket, wait: float) -> str:
        end = time.monotonic() + wait
        while time.monotonic() < end:
            self.serve()
            if select.select([], [sock], [], 0.002)[1]:
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                self.serve()
                return errno.errorcode.get(code, "") if code else ""
        return "SILENCE"

    def answered(self, sock: socket.socket, wait: float) -> str:
        end = time.monotonic() + wait
        while time.monotonic() < end:
            self.serve()
            if select.select([sock], [], [], 0.002)[0]:
                return attempt(lambda: sock.recv(65536))
        return "SILENCE"

    def hang_up(self) -> None:
        """Close what was opened by `send`, and let it arrive."""
        for sock in self.kept:
            sock.close()
        self.kept = []
        time.sleep(QUIET)


def batches(lines: list[str]) -> list[str]:
    """The same lines with fewer programs: what `ip -n NAME` does several times in a row goes into one `ip -batch`, and
    several `sysctl -qw` of a namespace into one."""
    out: list[str] = []
    head, waiting = "", list[str]()

    def close() -> None:
        if head.endswith("sysctl -qw"):
            out.append(" ".join([head, *waiting]))
        elif head:
            out.append("\n".join([f"{head} -batch - <<'END'", *waiting, "END"]))
        waiting.clear()

    for line in lines:
        words = [] if set("|<>&;'\"\n") & set(line) else line.split()
        if words[:2] == ["ip", "-n"]:
            size = 3
        elif words[:3] == ["ip", "netns", "exec"] and words[4:6] == ["sysctl", "-qw"]:
            size = 6
        else:
            size = 0
        begins = " ".join(words[:size])
        if begins != head:
            close()
            head = begins
        if size:
            waiting.append(" ".join(words[size:]))
        else:
            out.append(line)
    close()
    return out


def attempt(call: Any) -> str:
    """ "" or the errno's name; a call that goes on by itself is no error."""
    try:
        call()
    except OSError as error:
        code = error.errno or 0
        return "" if code in (errno.EINPROGRESS, errno.EAGAIN) else errno.errorcode.get(code, str(code))
    return ""


def ping(ident: int, size: int) -> bytes:
    """An echo request with `size` bytes of data."""
    body = struct.pack(">BBHHH", 8, 0, 0, ident, 1) + b"\0" * (size + size % 2)
    total = sum(struct.unpack(f">{len(body) // 2}H", body))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return body[:2] + struct.pack(">H", ~total & 0xFFFF) + body[4 : 8 + size]
