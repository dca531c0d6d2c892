"""Makes tests/real/recorded/*.json from this machine's kernel: the four wirings of wirings.py, eight flows each.

    python tests/real/capture_wirings.py [--to FOLDER] [WIRING ...]

Needs Linux with user namespaces, iproute2, iptables and nftables; no root. Each wiring is built in namespaces of its
own by its command lines; nft's trace tells every rule, NFLOG every device hop with its bytes, conntrack its events. A
flow whose way is chosen by chance is sent until the kernel chose the way that is wanted. Nothing of the model is used.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import socket

from engine.real import netlink
from engine.real.stage import QUIET, Refused, Stage
from tests.real import nfttrace, saying, wirings
from tests.real.conntrack_events import Tracked, open_events, read_events

HERE = Path(__file__).parent / "recorded"
FIRST_PORT = 40001
IGMP = "2"
SYSTEM = ("tap", "marking")
#: every packet that a hook sees is traced; the device chains say where it is
MARK = """table inet marking {
  chain pre { type filter hook prerouting priority -450; meta nftrace set 1; }
  chain out { type filter hook output priority -450; meta nftrace set 1; }
}
"""


class Recorder(Stage):
    """The stage of the host's kernel with its three kinds of record, each one socket a namespace."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[str, socket.socket] = {}
        self.traces: dict[str, socket.socket] = {}
        self.events: dict[str, socket.socket] = {}
        self.devices: dict[str, dict[int, str]] = {}
        self.numbers: dict[str, dict[tuple[str, str, int], int]] = {}

    def watch(self) -> None:
        for name in self.files:
            self.enter(name)
            try:
                self.devices[name] = dict(socket.if_nameindex())
                self.logs[name] = netlink.open_log()
                self.traces[name] = nfttrace.open_trace()
                self.events[name] = open_events()
            finally:
                self.enter("")
            chains = []
            for at, device in enumerate(d for d in self.devices[name].values() if d != "lo"):
                for way, hook, priority in (("in", "ingress", -500), ("out", "egress", 500)):
                    head = (
                        f'chain {way}{at} {{ type filter hook {hook} device "{device}" priority {priority};'
                    )
                    rule = f'meta protocol ip log group 0 prefix "{way} {device}" meta nftrace set 1;'
                    chains.append(f"{head} {rule} }}")
            text = "table netdev tap {\n" + "\n".join(chains) + "\n}\n" + MARK
            self.must("nft -f -", text, name)
            self.enter(name)
            try:
                self.numbers[name] = nfttrace.rule_numbers()
            finally:
                self.enter("")

    def drain(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Until the kernel is quiet: (lines of every namespace in order, what became of connections)."""
        hops: dict[str, list[tuple[str, str]]] = {name: [] for name in self.files}
        steps: dict[str, list[nfttrace.Event]] = {name: [] for name in self.files}
        tracked: dict[str, list[Tracked]] = {name: [] for name in self.files}
        last = time.monotonic()
        while time.monotonic() < last + QUIET:
            for name in self.files:
                names = self.devices[name]
                news: list[object] = list(read_hops(self.logs[name]))
                hops[name] += news  # type: ignore[arg-type]
                events = list(nfttrace.read_trace(self.traces[name], names, self.numbers[name]))
                steps[name] += events
                changes = list(read_events(self.events[name]))
                tracked[name] += changes
                if news or events or changes:
                    last = time.monotonic()
            time.sleep(0.001)
        lines = {name: told(steps[name], hops[name]) for name in self.files}
        return (
            {name: rows for name, rows in lines.items() if rows},
            {
                name: texts
                for name, rows in tracked.items()
                if (texts := [t.text() for t in rows if t.proto != IGMP])
            },
        )


def read_hops(sock: socket.socket) -> list[tuple[str, str]]:
    """(`in DEV` or `out DEV`, the packet) for each log of a device."""
    out = []
    while True:
        try:
            data = sock.recv(1 << 18)
        except BlockingIOError:
            return out
        for kind, body in netlink.messages(data):
            if kind == netlink.NFULNL_PACKET:
                found = dict(netlink.attributes(body[4:]))
                prefix = found[netlink.PREFIX][:-1].decode()
                packet = found.get(netlink.PAYLOAD, b"")
                out.append((prefix, packet[14:].hex() if prefix.startswith("out") else packet.hex()))


def multicast(line: str) -> bool:
    """What a kernel says to its neighbours by itself (IGMP)."""
    return " > 224." in line


def told(events: list[nfttrace.Event], hops: list[tuple[str, str]]) -> list[str]:
    """One namespace's record as lines: the trace's order, the logs' bytes."""
    waiting: dict[str, list[str]] = {}
    for where, packet in hops:
        waiting.setdefault(where, []).append(packet)
    out: list[str] = []
    rules: list[str] = []
    head = ""

    def close(end: str) -> None:
        nonlocal head
        if head:
            out.append(f"{head}:{''.join(' ' + rule for rule in rules)} => {end}")
        head = ""
        rules.clear()

    for event in events:
        if event.table == "tap":
            way = event.chain.rstrip("0123456789")
            device = event.iif if way == "in" else event.oif
            packets = waiting.get(f"{way} {device}", [])
            if event.kind == "rule" and packets:
                out.append(f"{way} {device} {saying.from_bytes(bytes.fromhex(packets.pop(0)))}")
        if event.table in SYSTEM:
            continue
        if event.packet and not head:
            where = f"{event.iif and ' iif ' + event.iif}{event.oif and ' oif ' + event.oif}"
            line = saying.from_bytes(event.packet).partition(" | ")[0]
            head = f"{event.table} {event.chain}{where} {line}"
        if event.kind == "rule":
            mark = f"[{event.mark:#x}]" if event.mark else ""
            rules.append(f"{event.chain}#{event.number}={event.verdict}{mark}")
            if event.verdict in ("accept", "drop"):
                close(event.verdict)
        elif event.kind == "policy":
            close(f"policy {event.verdict}")
    return [line for line in out if not multicast(line)]


def warm(stage: Recorder, where: wirings.Addresses) -> None:
    """Every neighbour known, so that no ARP is in the way of a recorded packet."""
    port = 20001
    ends = [*where.pods.items(), *((n, a) for n, a in where.nodes.items())]
    for name in stage.files:
        for other, address in ends:
            if name != other:
                stage.send(name, "udp", address, 9, port, wait=0)
                port += 1
    time.sleep(0.3)
    stage.drain()


def record(name: str) -> dict[str, object]:
    stage = Recorder()
    stage.fresh()
    wiring = wirings.wiring(name)
    stage.build(list(wiring.lines))
    stage.watch()
    for space, proto, address, port in wirings.LISTENING:
        stage.listen(space, proto, address, port)
    warm(stage, wiring.addresses)
    flows: dict[str, object] = {}
    sport = FIRST_PORT
    for what, flow in wirings.flows(wiring.addresses).items():
        for _ in range(40):
            error = stage.send(flow.netns, flow.proto, flow.dst, flow.dport, sport, df=False)
            lines, tracked = stage.drain()
            sport += 1
            if not flow.chain or any(f"{flow.chain}#" in line for rows in lines.values() for line in rows):
                break
        else:
            raise SystemExit(f"{name} {what}: the kernel never chose {flow.chain}")
        flows[what] = {"sport": sport - 1, "error": error, "lines": lines, "conntrack": tracked}
    stage.fresh()
    return {"kernel": os.uname().release, "flows": flows}


def main(names: list[str]) -> None:
    if "inside" not in names:
        here = str(Path(__file__).resolve())
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        env = {**os.environ, "PATH": path, "LC_ALL": "C"}
        command = ["unshare", "-Urnm", "--kill-child", sys.executable, here, "inside", *names]
        raise SystemExit(subprocess.run(command, env=env).returncode)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    wanted, folder = [n for n in names if n != "inside"], HERE
    if wanted[:1] == ["--to"]:
        folder, wanted = Path(wanted[1]), wanted[2:]
    for name in wanted or wirings.WIRINGS:
        try:
            found = record(name)
        except Refused as error:
            raise SystemExit(f"{name}: {error}") from None
        (folder / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(name, {k: sum(len(r) for r in v["lines"].values()) for k, v in found["flows"].items()})  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(sys.argv[1:])
