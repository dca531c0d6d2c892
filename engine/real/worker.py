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
import subprocess
import sys
import time
from typing import Any

from engine.real import arpframes, getroute, netlink, nfttrace, sockets, tables

CLONE_NEWNET = 0x40000000
MS_BIND = 4096
LIBC = ctypes.CDLL(None, use_errno=True)
#: how long nothing must happen before a packet's way counts as ended, in seconds
QUIET = 0.002
#: a bridge joins the group of the snoopers (224.0.0.106) and reports it at some time in its first seconds: packets of
#: the host that nobody sent, which rules count (`nth`, `recent`, `limit`)
QUIET_HOST = {"net/ipv4/igmp_link_local_mcast_reports": "0"}


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
        self.listeners: list[tuple[str, socket.socket]] = []
        self.tracing: set[str] = set()
        #: namespaces with tables of nft, their trace sockets and what these have said, the numbers of their rules
        self.nft: set[str] = set()
        self.traces: dict[str, socket.socket] = {}
        self.told: dict[str, list[dict[str, Any]]] = {}
        self.numbers: dict[str, dict[tuple[str, str, int], tuple[str, int]]] = {}
        #: namespaces of which the plan has said whether they have rules, and has traced them
        self.planned: set[str] = set()
        self.open: list[socket.socket] = []
        self.tracked: dict[str, tables.Connections] = {}
        self.neighbours: dict[str, socket.socket] = {}
        self.forget: dict[str, int] = {}
        self.bridges: dict[str, list[int]] = {}

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
            values = {k: v for k, v in space["sysctl"].items() if not self.of_device(k)}
            self.sysctl(space["id"], QUIET_HOST | values)
        if plan["links"]:
            self.run("", ["ip", "-batch", "-"], "\n".join(plan["links"]) + "\n")
        for space in plan["spaces"]:
            if space.get("devices"):
                self.run(space["id"], ["ip", "-batch", "-"], "\n".join(space["devices"]) + "\n")
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
            if space["ipset"]:
                self.run(id, ["ipset", "restore"], space["ipset"])
            if space["iptables"]:
                self.run(id, ["iptables-legacy-restore"], space["iptables"])
            if space["nft"]:
                self.run(id, ["nft", "-f", "-"], space["nft"])
                self.nft.add(id)
            if "traced" in space:
                self.planned.add(id)
                if space["traced"]:
                    self.tracing.add(id)
            self.listen(id, space["listen"])
        self.settle([space["id"] for space in plan["spaces"] if space.get("bridges", True)])
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

    def listen(self, id: str, wanted: list[list[Any]]) -> None:
        self.enter(id)
        try:
            for proto, address, port in wanted:
                kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
                sock = socket.socket(socket.AF_INET, kind)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((address, port))
                if proto == "tcp":
                    sock.listen(64)
                else:
                    sock.setsockopt(socket.SOL_IP, sockets.IP_PKTINFO, 1)
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
            if id in self.nft:
                self.trace_nft(id)
            chains = []
            for i, device in enumerate(n for n in self.devices[id].values() if n != "lo"):
                log = "meta protocol ip log group 0 prefix"
                if id in self.nft:
                    log = log.replace(" log", " meta nftrace set 1 log")
                for way, hook, priority in (("in", "ingress", -500), ("out", "egress", 500)):
                    head = f'chain {way}{i} {{ type filter hook {hook} device "{device}" priority {priority};'
                    chains.append(f'{head} {log} "DEV:{way}:{device}"; }}')
            if chains:
                self.run(id, ["nft", "-f", "-"], "table netdev tap {\n" + "\n".join(chains) + "\n}\n")
            self.trace_rules(id)
        return {}

    def trace_nft(self, id: str) -> None:
        """Hear every rule of nft that a packet matches here, and make packets of this host be traced too."""
        self.numbers[id] = nfttrace.numbers(self.run(id, ["nft", "-a", "list", "ruleset"]))
        self.enter(id)
        try:
            self.traces[id] = nfttrace.open_trace()
        finally:
            self.enter("")
        self.told[id] = []
        self.run(id, ["nft", "-f", "-"], nfttrace.TAP_TEXT)
        self.tracing.add(id)

    def trace_rules(self, id: str) -> None:
        """TRACE goes first in raw, where it changes nothing for the other rules; it is taken out of the numbers."""
        if id in self.planned or not self.run(id, ["iptables-legacy-save"]).strip():
            return
        for chain in ("PREROUTING", "OUTPUT"):
            self.run(id, ["iptables-legacy", "-w", "-t", "raw", "-I", chain, "1", "-j", "TRACE"])
        self.tracing.add(id)

    def reload(self, what: dict[str, Any]) -> dict[str, Any]:
        """{"rules": {namespace: text for iptables-legacy-restore, TRACE included}, "nft": {namespace: text for nft -f,
        which takes away what was there itself}, "sets": {namespace: text for ipset restore -exist}}: in place of what
        is there. What earlier packets left ends before, so that the new rules do not count it."""
        self.flush()
        for id, text in what.get("sets", {}).items():
            self.run(id, ["ipset", "restore", "-exist"], text)
        for id, text in what["rules"].items():
            self.run(id, ["iptables-legacy-restore"], text)
            self.tracing.add(id)
        for id, text in what.get("nft", {}).items():
            self.run(id, ["nft", "-f", "-"], text)
            self.numbers[id] = nfttrace.numbers(self.run(id, ["nft", "-a", "list", "ruleset"]))
        return {}

    def take(
        self, out: dict[str, list[dict[str, Any]]] | None = None, *, discard: bool = False
    ) -> dict[str, list[dict[str, Any]]]:
        """What waits in the logs, per namespace, in order, appended to `out`."""
        out = out if out is not None else {id: [] for id in self.logs}
        for id, sock in self.logs.items():
            rows = netlink.read_log(sock, self.devices[id])
            if discard:
                for _ in rows:
                    pass
            else:
                out[id] += rows
        for id, sock in self.traces.items():
            heard = list(nfttrace.read_trace(sock))
            self.told[id] = [] if discard else self.told[id] + heard
        return out

    def drain(self, deadline: float) -> dict[str, list[dict[str, Any]]]:
        """What the kernel recorded until it was quiet, per namespace, in order."""
        out: dict[str, list[dict[str, Any]]] = {id: [] for id in self.logs}
        poll = select.poll()
        for sock in self.logs.values():
            poll.register(sock.fileno(), select.POLLIN)
        while time.monotonic() < deadline and poll.poll(QUIET * 1000):
            self.take(out)
        return out

    # -- send -----------------------------------------------------------------------------------------------

    def send(self, act: dict[str, Any]) -> dict[str, Any]:
        """{"netns", "proto", "dst", "dport", "sport"}: one TCP handshake, one datagram with its echo, or one ping.
        `patience` multiplies how long silence must last before the packet's way counts as ended."""
        self.flush()
        if act.get("patience", 1) > 1:
            time.sleep(0.05)  # what the first time left on its way
        self.take(discard=True)
        error, sock = "", None
        self.enter(act["netns"])
        try:
            sock = sockets.client(act)
            error = sockets.attempt(lambda: sockets.speak(act, sock))
        finally:
            self.enter("")
        result, records = self.follow(act, sock, error)
        tracked = {id: self.connections(id).rows() for id in sorted(self.tracing)}
        born = {id: self.connections(id).born for id in tracked}
        sockets.quietly_close(sock)
        for accepted in self.open:
            sockets.quietly_close(accepted)
        self.open = []
        return {"error": result, "records": records, "conntrack": tracked, "born": born}

    def follow(
        self, act: dict[str, Any], sock: socket.socket, error: str
    ) -> tuple[str, dict[str, list[dict[str, Any]]]]:
        """Serve and record until nothing has happened for a while. ("" = answered, an errno, or SILENCE; records)."""
        quiet = QUIET * act.get("patience", 1)
        out: dict[str, list[dict[str, Any]]] = {id: [] for id in self.logs}
        poll = select.poll()
        for one in [*self.logs.values(), *(s for _, s in self.listeners)]:
            poll.register(one.fileno(), select.POLLIN)
        wanted = select.POLLOUT if act["proto"] == "tcp" else select.POLLIN
        result, known = error, bool(error)
        if not known:
            poll.register(sock.fileno(), wanted)
        end = time.monotonic() + 2
        silent = 0
        while time.monotonic() < end and silent < (1 if known else 3):
            ready = {fd for fd, _ in poll.poll(quiet * 1000)}
            silent = 0 if ready else silent + 1
            if not known and sock.fileno() in ready:
                said = sockets.learned(act, sock)
                if said is not None:
                    poll.unregister(sock.fileno())
                    result, known = said, True
            self.serve()
            self.take(out)
        for id, told in self.told.items():
            out[id] = nfttrace.merged(told, out[id], self.numbers[id])
        return result if known else "SILENCE", out

    def outcome(self, act: dict[str, Any], sock: socket.socket, error: str) -> str:
        """As `follow`, without a record."""
        return self.follow(act, sock, error)[0]

    def serve(self) -> None:
        """Accept what waits, echo datagrams."""
        for proto, sock in self.listeners:
            try:
                if proto == "tcp":
                    self.open.append(sock.accept()[0])
                else:
                    data, extra, _, peer = sock.recvmsg(65536, 64)
                    sock.sendmsg(
                        [data], [(socket.SOL_IP, sockets.IP_PKTINFO, sockets.answer_from(extra))], 0, peer
                    )
            except OSError:
                continue

    def answer(self, _: dict[str, Any]) -> dict[str, Any]:
        """Serve what waits now, while somebody else sends."""
        self.serve()
        self.open = [sock for sock in self.open if not sockets.ended(sock)]
        return {}

    def connections(self, id: str) -> tables.Connections:
        """The namespace's connection table, opened once."""
        if id not in self.tracked:
            self.enter(id)
            try:
                self.tracked[id] = tables.Connections()
            finally:
                self.enter("")
        return self.tracked[id]

    def route_table(self, id: str) -> socket.socket:
        """The namespace's socket for neighbours, opened once."""
        if id not in self.neighbours:
            self.enter(id)
            try:
                self.neighbours[id] = tables.open_table(tables.NETLINK_ROUTE)
            finally:
                self.enter("")
        return self.neighbours[id]

    def bridges_of(self, id: str) -> list[int]:
        """The namespace's bridges by ifindex, asked for once."""
        if id not in self.bridges:
            rows = self.run(id, ["ip", "-o", "link", "show", "type", "bridge"]).splitlines()
            self.bridges[id] = [int(row.split(":")[0]) for row in rows]
        return self.bridges[id]

    def flush(self) -> None:
        """Forget what earlier packets left: neighbours, connections, path MTUs, and what bridges have learned.
        Neighbours go first, everywhere: what waited for one ends in an ICMP error, and that makes connections on its
        way."""
        for id in self.files:
            tables.forget_neighbours(self.route_table(id))
        for id in self.files:
            for bridge in self.bridges_of(id):
                tables.forget_stations(self.route_table(id), bridge)
        for id in self.files:
            if id in self.tracing:
                self.connections(id).forget()
            if id not in self.forget:
                self.enter(id)
                self.forget[id] = os.open("/proc/sys/net/ipv4/route/flush", os.O_WRONLY)
                self.enter("")
            os.pwrite(self.forget[id], b"1", 0)

    # -- read -----------------------------------------------------------------------------------------------

    def attempt_tool(self, what: dict[str, Any]) -> dict[str, Any]:
        """Run `argv` in a namespace, whatever it says: {"stdout", "stderr", "code"}."""
        self.enter(what["netns"])
        try:
            done = subprocess.run(what["argv"], text=True, capture_output=True, timeout=20)
        except FileNotFoundError:
            raise Refused(f"{what['argv'][0]}: not installed") from None
        finally:
            self.enter("")
        return {"stdout": done.stdout, "stderr": done.stderr, "code": done.returncode}

    def set_sysctls(self, what: dict[str, Any]) -> dict[str, Any]:
        """Write `values` (path below /proc/sys -> text) in a namespace."""
        self.sysctl(what["netns"], what["values"])
        return {}

    def arp(self, what: dict[str, Any]) -> dict[str, Any]:
        """Put ARP messages on `device`, one after the other; what is answered to each."""
        self.enter(what["netns"])
        try:
            with arpframes.open_socket(what["device"]) as sock:
                return {
                    "answers": [arpframes.say(sock, message, what["wait"]) for message in what["messages"]]
                }
        finally:
            self.enter("")

    def routes(self, what: dict[str, Any]) -> dict[str, Any]:
        """What the kernel would do with flows (see getroute.py), asked in a namespace."""
        self.enter(what["netns"])
        try:
            with getroute.open_route() as sock:
                return {"answers": getroute.ask(sock, what["asked"])}
        finally:
            self.enter("")

    def read(self, what: dict[str, Any]) -> dict[str, Any]:
        """The output of `argv` in a namespace."""
        return {"text": self.run(what["netns"], what["argv"])}


def waits(port: str) -> bool:
    """A line of `bridge link`: a port that is up, has its wire, and does not forward yet."""
    flags = port.partition("<")[2].partition(">")[0].split(",")
    return "UP" in flags and "LOWER_UP" in flags and "state disabled" in port


def main() -> None:
    worker = Worker()
    verbs = {
        "build": worker.build, "watch": worker.watch, "send": worker.send, "read": worker.read,
        "reload": worker.reload, "serve": worker.answer, "routes": worker.routes, "arp": worker.arp,
        "try": worker.attempt_tool, "sysctl": worker.set_sysctls,
    }  # fmt: skip
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = verbs[request.pop("do")](request)
        except Refused as error:
            answer = {"refused": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
