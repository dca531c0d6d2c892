"""The first process of the second kernel: mounts, loads modules, then answers the requests of `second.py`.

Theory. This kernel has no `netdev` family of nftables, so devices are read by a packet socket and rules by NFLOG; an
`nlmon` device in each namespace shows the log's own netlink messages to that same packet socket, and so both come as
one stream in the kernel's order.

Rules. Standard library only, and of the engine `worker` and `netlink`. It must end with a power-off, always.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import time
import tty
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.real import netlink
from engine.real.worker import Refused, Worker

POWER_OFF = 0x4321FEDC
FINIT_MODULE = 313
CLONE_NEWNET = 0x40000000
EEXIST = 17
SO_RCVBUFFORCE = 33
ETH_P_ALL, ETH_P_IP = 3, 0x0800
OUTGOING = 4
TAP = "nlmon0"
SHARE = Path("/mnt")
SETTINGS = {
    "net/ipv4/icmp_ratelimit": "0", "net/ipv4/icmp_msgs_per_sec": "1000000", "net/ipv4/icmp_msgs_burst": "1000000",
    "net/ipv6/conf/all/disable_ipv6": "1", "net/ipv6/conf/default/disable_ipv6": "1",
}  # fmt: skip
LIBC = ctypes.CDLL(None, use_errno=True)


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
            if code and error != EEXIST:
                return f"{path}: {os.strerror(error)}"
            self.loaded.add(path)
        return ""


class Guest(Worker):
    """The worker of the host's kernel with this kernel's way to watch, and with shell lines."""

    def __init__(self, modules: Modules) -> None:
        super().__init__()
        self.modules = modules
        self.unread: list[socket.socket] = []
        self.kept: list[socket.socket] = []

    def load(self, what: dict[str, Any]) -> dict[str, Any]:
        problems = [p for p in map(self.modules.load, what["modules"]) if p]
        if problems:
            raise Refused("; ".join(problems))
        return {}

    def fresh(self, _: dict[str, Any]) -> dict[str, Any]:
        """A new namespace to work in; those that `ip netns` knows are gone."""
        for sock in [
            *self.logs.values(),
            *(s for _, s in self.listeners),
            *self.open,
            *self.unread,
            *self.kept,
        ]:
            sock.close()
        for file in self.files.values():
            os.close(file)
        self.logs, self.files, self.tracing = {}, {}, set()
        self.listeners, self.open, self.unread, self.kept = [], [], [], []
        self.enter("")
        if LIBC.unshare(CLONE_NEWNET):
            raise Refused("unshare")
        os.close(self.home)
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        for name in os.listdir("/run/netns"):
            subprocess.run(["ip", "netns", "del", name], check=True)
        for path, value in SETTINGS.items():
            if os.path.exists(f"/proc/sys/{path}"):
                Path("/proc/sys", path).write_text(value)
        return {}

    def sh(self, what: dict[str, Any]) -> dict[str, Any]:
        done = subprocess.run(
            ["sh", "-c", what["line"]], input=what.get("text", ""), text=True, capture_output=True,
            errors="replace", timeout=60,
        )  # fmt: skip
        return {"code": done.returncode, "out": done.stdout, "err": done.stderr}

    def talk(self, act: dict[str, Any]) -> dict[str, Any]:
        """As `send`, but nothing is forgotten before and the connection stays open; {"close": true} ends them all."""
        if act.get("close"):
            for sock in self.kept:
                sock.close()
            self.kept = []
            self.settled()
            return {}
        self.enter(act["netns"])
        try:
            kind = socket.SOCK_STREAM if act["proto"] == "tcp" else socket.SOCK_DGRAM
            sock = socket.socket(socket.AF_INET, kind)
            sock.setblocking(False)
            sock.bind(("0.0.0.0", act["sport"]))
            error = self.attempt(lambda: sock.connect((act["dst"], act["dport"])))
            if act["proto"] == "udp":
                error = error or self.attempt(lambda: sock.send(b"x"))
        finally:
            self.enter("")
        self.kept.append(sock)
        result = self.outcome(act, sock, error)
        self.settled()
        return {"error": result}

    def settled(self) -> None:
        """Let what is under way arrive, and answer it."""
        for _ in range(5):
            time.sleep(0.005)
            self.serve()

    # -- watch

    def adopt(self, what: dict[str, Any]) -> dict[str, Any]:
        """Take over the namespaces that `ip netns add` has made; {"listen": {name: [[proto, address, port]]}}."""
        for name in sorted(set(os.listdir("/run/netns")) - set(self.files)):
            self.files[name] = os.open(f"/run/netns/{name}", os.O_RDONLY)
            self.names[name] = name
        for name, sockets in what.get("listen", {}).items():
            self.listen(name, sockets)
        self.settle(list(self.files))
        return {}

    def watch(self, _: dict[str, Any]) -> dict[str, Any]:
        """A packet socket on every device, netlink messages included, and TRACE before every rule."""
        for id in self.files:
            self.run(id, ["ip", "link", "add", TAP, "type", "nlmon"])
            self.run(id, ["ip", "link", "set", TAP, "up"])
            self.enter(id)
            try:
                self.unread.append(netlink.open_log())
                sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
                sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
                sock.setblocking(False)
                self.logs[id] = sock
                self.devices[id] = {i: n for i, n in socket.if_nameindex()}
            finally:
                self.enter("")
            self.trace_rules(id)
        return {}

    def drain(self, deadline: float) -> dict[str, list[dict[str, Any]]]:
        """What the kernel recorded until it was quiet, per namespace, in order."""
        out: dict[str, list[dict[str, Any]]] = {id: [] for id in self.logs}
        quiet = 0
        while time.monotonic() < deadline and quiet < 3:
            news = 0
            for id, sock in self.logs.items():
                rows = list(self.read_tap(id, sock))
                out[id] += rows
                news += len(rows)
            for sock in self.unread:
                empty(sock)
            quiet = 0 if news else quiet + 1
            if not news:
                time.sleep(0.002)
        return out

    def read_tap(self, id: str, sock: socket.socket) -> Any:
        names = self.devices[id]
        while True:
            try:
                data, address = sock.recvfrom(1 << 16)
            except BlockingIOError:
                return
            device, protocol, kind = address[:3]
            if device == TAP:
                yield from netlink.decode_log(data, names)
            elif protocol == ETH_P_IP and device != "lo":
                way = "out" if kind == OUTGOING else "in"
                yield {"prefix": f"DEV:{way}:{device}", "header": netlink.header(data), "packet": data.hex()}


def empty(sock: socket.socket) -> None:
    """Throw away what a socket holds: the packet socket has shown it already."""
    while True:
        try:
            sock.recv(1 << 18)
        except BlockingIOError:
            return


def main() -> None:
    for kind, where in (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/tmp")):
        mount(kind, where)
    mount("hostfs", str(SHARE), sys.argv[1])
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ["LC_ALL"] = "C"
    start = json.loads((SHARE / "start.json").read_text())
    line = os.open("/dev/ttyS0", os.O_RDWR)
    tty.setraw(line)
    modules = Modules()
    problems = [p for p in map(modules.load, start["modules"]) if p]
    guest = Guest(modules)
    guest.fresh({})
    say(line, "0", {"refused": "; ".join(problems)} if problems else {"release": os.uname().release})
    verbs = {
        "build": guest.build, "watch": guest.watch, "send": guest.send, "read": guest.read, "load": guest.load,
        "fresh": guest.fresh, "sh": guest.sh, "adopt": guest.adopt, "talk": guest.talk,
    }  # fmt: skip
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
                answer = verbs[request.pop("do")](request)
            except Exception as error:  # the host side hears of everything, or it waits for ever
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
