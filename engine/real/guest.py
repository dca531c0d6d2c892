"""The first process of the second kernel: mounts, loads modules, then answers the requests of `second.py`.

Theory. This kernel has no `netdev` family of nftables, so devices are read by a packet socket and rules by NFLOG; an
`nlmon` device in each namespace shows the log's own netlink messages to that same packet socket, and so both come as
one stream in the kernel's order.

Rules. Standard library only, and of the engine `stage` and `netlink`. It must end with a power-off, always.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import sys
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.real import netlink
from engine.real.stage import LIBC, QUIET, Refused, Stage

POWER_OFF = 0x4321FEDC
FINIT_MODULE = 313
SO_RCVBUFFORCE = 33
ETH_P_ALL, ETH_P_IP = 3, 0x0800
OUTGOING = 4
TAP = "nlmon0"
SHARE = Path("/mnt")


def mount(kind: str, where: str, data: str = "") -> None:
    if LIBC.mount(b"none", where.encode(), kind.encode(), 0, data.encode() or None):
        raise OSError(f"mount {kind} on {where}: {os.strerror(ctypes.get_errno())}")


class Modules:
    """The kernel's modules by name (`-` and `_` are one), with what each needs: modules.dep of the running release."""

    def __init__(self) -> None:
        self.home = Path("/usr/lib/uml/modules", os.uname().release)
        self.needs: dict[str, list[str]] = {}
        self.loaded: set[str] = set()
        for line in (self.home / "modules.dep").read_text().splitlines():
            path, _, rest = line.partition(":")
            self.needs[Path(path).stem.replace("-", "_")] = [*reversed(rest.split()), path]
        builtin = (self.home / "modules.builtin").read_text().split()
        self.builtin = {Path(path).stem.replace("-", "_") for path in builtin}

    def load(self, name: str) -> str:
        """An empty text, or why not."""
        key = name.replace("-", "_")
        if key in self.builtin:
            return ""
        if key not in self.needs:
            return f"no module {name}"
        for path in self.needs[key]:
            if path in self.loaded:
                continue
            file = os.open(self.home / path, os.O_RDONLY)
            code = LIBC.syscall(FINIT_MODULE, file, b"", 0)
            error = ctypes.get_errno()
            os.close(file)
            if code and error != errno.EEXIST:
                return f"{path}: {os.strerror(error)}"
            self.loaded.add(path)
        return ""


class Guest(Stage):
    """The stage of this kernel. `taps` are the packet sockets; `unread` the logs' own sockets, which only must be
    emptied."""

    def __init__(self, modules: Modules) -> None:
        super().__init__()
        self.modules = modules
        self.taps: dict[str, socket.socket] = {}
        self.unread: list[socket.socket] = []
        self.devices: dict[str, dict[int, str]] = {}

    def fresh(self) -> None:
        for sock in [*self.taps.values(), *self.unread]:
            sock.close()
        self.taps, self.unread, self.devices = {}, [], {}
        super().fresh()

    def load(self, names: list[str]) -> None:
        problems = [p for p in map(self.modules.load, names) if p]
        if problems:
            raise Refused("; ".join(problems))

    def watch(self) -> None:
        """A packet socket on every device, netlink messages included, and TRACE before every rule."""
        for name in self.files:
            self.must(f"ip link add {TAP} type nlmon && ip link set {TAP} up", name=name)
            self.enter(name)
            try:
                self.unread.append(netlink.open_log())
                sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
                sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
                sock.setblocking(False)
                self.taps[name] = sock
                self.devices[name] = dict(socket.if_nameindex())
            finally:
                self.enter("")
            if self.must("iptables-legacy-save", name=name).strip():
                for chain in ("PREROUTING", "OUTPUT"):
                    self.must(f"iptables-legacy -w -t raw -I {chain} 1 -j TRACE", name=name)

    def records(self) -> dict[str, list[dict[str, Any]]]:
        """What the kernel recorded until it was quiet, per namespace, in order: {"prefix", "packet" (hex), ...}."""
        out: dict[str, list[dict[str, Any]]] = {name: [] for name in self.taps}
        last = time.monotonic()
        end = last + 3
        while time.monotonic() < min(end, last + QUIET):
            for name, sock in self.taps.items():
                rows = list(self.read_tap(name, sock))
                if rows:
                    out[name] += rows
                    last = time.monotonic()
            for sock in self.unread:
                empty(sock)
            self.serve()
            time.sleep(0.001)
        return {name: rows for name, rows in out.items() if rows}

    def read_tap(self, name: str, sock: socket.socket) -> Iterator[dict[str, Any]]:
        while True:
            try:
                data, address = sock.recvfrom(1 << 16)
            except BlockingIOError:
                return
            device, protocol, kind = address[:3]
            if device == TAP:
                yield from log_records(data, self.devices[name])
            elif protocol == ETH_P_IP and device != "lo":
                way = "out" if kind == OUTGOING else "in"
                yield {"prefix": f"DEV:{way}:{device}", "packet": data.hex()}


def log_records(data: bytes, names: dict[int, str]) -> Iterator[dict[str, Any]]:
    """What TRACE logged: {"prefix", "packet", "mark", "iif", "oif"}."""
    for kind, body in netlink.messages(data):
        if kind != netlink.NFULNL_PACKET:
            continue
        found = dict(netlink.attributes(body[4:]))

        def number(key: int, found: dict[int, bytes] = found) -> int:
            return int.from_bytes(found.get(key, b""), "big")

        yield {
            "prefix": found.get(netlink.PREFIX, b"\0")[:-1].decode().strip(),
            "packet": found.get(netlink.PAYLOAD, b"").hex(), "mark": number(netlink.MARK),
            "iif": names.get(number(netlink.IIF), ""), "oif": names.get(number(netlink.OIF), ""),
        }  # fmt: skip


def empty(sock: socket.socket) -> None:
    """Throw away what a socket holds: the packet socket has shown it already."""
    while True:
        try:
            sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # told once, when more came than it could hold
                raise


def act(guest: Guest, request: dict[str, Any]) -> dict[str, Any]:
    """One request of the host's side."""
    do = request.pop("do")
    if do == "sh":
        code, out, error = guest.sh(request["line"], request.get("text", ""))
        return {"code": code, "out": out, "err": error}
    if do == "send":
        return {"error": guest.send(**request)}
    if do == "show":
        return {"texts": [guest.sh(line, name=name)[1] for name, line in request["lines"]]}
    if do == "records":
        return {"records": guest.records(), "at": time.monotonic()}
    plain: dict[str, Callable[..., None]] = {
        "load": guest.load, "fresh": guest.fresh, "build": guest.build, "adopt": guest.adopt, "watch": guest.watch,
        "listen": guest.listen, "hang_up": guest.hang_up, "warm": guest.warm,
    }  # fmt: skip
    plain[do](**request)
    return {}


def main() -> None:
    for kind, where in (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/tmp"), ("tmpfs", "/run")):
        mount(kind, where)
    mount("hostfs", str(SHARE), sys.argv[1])
    # This kernel's nftables has no family `ip`: iptables is the legacy one here, under its usual name.
    legacy = Path("/tmp/legacy")
    legacy.mkdir()
    for tool in ("iptables", "iptables-save", "iptables-restore"):
        (legacy / tool).symlink_to("/usr/sbin/xtables-legacy-multi")
    os.environ["PATH"] = f"{legacy}:/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ["LC_ALL"] = "C"
    start = json.loads((SHARE / "start.json").read_text())
    line = os.open("/dev/ttyS0", os.O_RDWR)
    tty.setraw(line)
    modules = Modules()
    problems = [p for p in map(modules.load, start["modules"]) if p]
    for path, value in start["sysctls"].items():
        Path("/proc/sys", path).write_text(value)
    guest = Guest(modules)
    guest.fresh()
    say(line, "0", {"refused": "; ".join(problems)} if problems else {"release": os.uname().release})
    waiting = b""
    while True:
        got = os.read(line, 4096)
        if not got:
            return
        waiting += got
        while b"\n" in waiting:
            word, _, waiting = waiting.partition(b"\n")
            request = json.loads((SHARE / f"request-{int(word)}").read_text())
            try:
                answer = act(guest, request)
            except Exception as error:  # the host's side hears of everything, or it would wait for ever
                answer = {"refused": f"{type(error).__name__}: {error}"}
            say(line, str(int(word)), answer)


def say(line: int, number: str, answer: dict[str, Any]) -> None:
    (SHARE / f"answer-{number}").write_text(json.dumps(answer))
    os.write(line, f"answer {number}\n".encode())


if __name__ == "__main__":
    try:
        main()
    except BaseException as problem:
        if os.path.ismount(SHARE):
            (SHARE / "guest-died").write_text(repr(problem))
    finally:
        os.sync()
        LIBC.reboot(POWER_OFF)
