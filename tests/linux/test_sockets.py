"""Who takes a packet, who may share a port, and what a full accept queue does: the same in the kernel and the model."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from engine.errors import OpError
from engine.linux.addr import ip4
from engine.linux.choose import Branch, Seeded
from engine.linux.exchange import Answer, Delivery, tcp_call, udp_call
from engine.linux.journey import Outcome
from engine.linux.net import Net
from engine.linux.ops import (
    AddBox,
    AddLink,
    Changes,
    Listen,
    SetLink,
    SetSysctl,
    StartProc,
    StopProc,
)
from engine.linux.packet import Payload
from engine.linux.rows import Socket
from engine.linux.sockets import waiting
from tests.tools import need

LO = ip4("127.0.0.1")
ASK = Payload(protocol="echo", text="hello", size=5)


def machine() -> tuple[Net, int]:
    """One machine with a program, by its pid."""
    net = Net()
    changes = Changes(net)
    changes.do(AddBox(name="box", role="host"))
    changes.do(SetLink(netns="box", name="lo", up=True))
    changes.do(StartProc(box="box", args=("server",), netns="box", ppid=1, program="echo"))
    return net, max(net.boxes["box"].procs)


def listen(net: Net, pid: int, **how: object) -> Socket:
    row = Socket(**{"proto": "tcp", "addr": 0, "port": 80, "pid": pid, **how})  # type: ignore[arg-type]
    Changes(net).do(Listen(netns="box", socket=row))
    return row


def call(net: Net, request: Payload | None = None) -> tuple[Outcome, str]:
    done = tcp_call(
        net,
        "box",
        LO,
        80,
        choose=Seeded(1),
        request=request,
        timeout=1.0,
        serve=lambda d: Answer(payload=d.request),
    )
    return done.outcome, done.error


# -- the accept queue

KERNEL = """
import json, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
out = []
for backlog in (0, 1, 3):
    server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(backlog)
    kept, got = [], []
    for _ in range(backlog + 3):
        client = socket.socket(); client.settimeout(0.25)
        try:
            client.connect(server.getsockname()); got.append("connected")
        except TimeoutError:
            got.append("silence")
        kept.append(client)
    out.append(got)
print(json.dumps(out))
"""


def test_a_full_accept_queue_is_the_kernels() -> None:
    need("userns", "ip")
    argv = ["unshare", "-Urn", sys.executable, "-c", KERNEL]
    kernel = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout)
    model = []
    for backlog in (0, 1, 3):
        net, pid = machine()
        row = listen(net, pid, backlog=backlog)
        Changes(net).do(StopProc(box="box", pid=pid, stopped=True))
        words = {"": "connected", "ETIMEDOUT": "silence"}
        model.append([words[call(net)[1]] for _ in range(backlog + 3)])
        assert waiting(net.spaces["box"], row) == backlog + 1
    assert model == kernel


def test_a_stopped_program_is_silent_and_goes_on_with_an_empty_queue() -> None:
    net, pid = machine()
    row = listen(net, pid)
    changes = Changes(net)
    assert call(net, ASK) == (Outcome.DELIVERED, "")
    changes.do(StopProc(box="box", pid=pid, stopped=True))
    assert call(net, ASK) == (Outcome.NO_ANSWER, "ETIMEDOUT")
    assert waiting(net.spaces["box"], row) == 1
    changes.do(StopProc(box="box", pid=pid, stopped=False))
    assert waiting(net.spaces["box"], row) == 0
    assert call(net, ASK) == (Outcome.DELIVERED, "")


def test_somaxconn_is_the_longest_queue() -> None:
    net, pid = machine()
    listen(net, pid, backlog=4096)
    changes = Changes(net)
    changes.do(SetSysctl(netns="box", key="net.core.somaxconn", value="2"))
    changes.do(StopProc(box="box", pid=pid, stopped=True))
    assert [call(net)[1] for _ in range(4)] == ["", "", "", "ETIMEDOUT"]


# -- who may bind, who is found

BIND = """
import errno, json, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "link", "add", "br0", "type", "bridge"], check=True)
out = []
for case in json.loads(sys.argv[1]):
    held, got = [], ""
    for row in case:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if row["proto"] == "udp" else socket.SOCK_STREAM)
        if row.get("reuseport"): s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if row.get("transparent"): s.setsockopt(socket.SOL_IP, 19, 1)
        try:
            if row.get("device"): s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, row["device"].encode())
            s.bind((row["addr"], 80))
            if row["proto"] == "tcp": s.listen(5)
        except OSError as error:
            got = errno.errorcode[error.errno]
        held.append(s)
    out.append(got)
    for s in held: s.close()
print(json.dumps(out))
"""


def pair(*rows: dict[str, object]) -> list[dict[str, object]]:
    return [{"proto": "tcp", "addr": "0.0.0.0", **row} for row in rows]


CASES = [
    pair({}, {}),
    pair({}, {"addr": "127.0.0.1"}),
    pair({"addr": "127.0.0.1"}, {"addr": "127.0.0.2"}),
    pair({}, {"proto": "udp"}),
    pair({"proto": "udp"}, {"proto": "udp", "addr": "127.0.0.1"}),
    pair({"reuseport": True}, {"reuseport": True}),
    pair({"reuseport": True}, {}),
    pair({"device": "lo"}, {"device": "br0"}),
    pair({"device": "lo"}, {}),
    pair({"device": "lo"}, {"device": "lo", "addr": "127.0.0.1"}),
    pair({"device": "nope"}),
    pair({"addr": "203.0.113.9"}),
    pair({"addr": "203.0.113.9", "transparent": True}),
]


def test_bind_answers_what_the_kernel_answers() -> None:
    need("userns", "ip")
    argv = ["unshare", "-Urn", sys.executable, "-c", BIND, json.dumps(CASES)]
    kernel = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout)
    model = []
    for case in CASES:
        net, pid = machine()
        Changes(net).do(AddLink(netns="box", name="br0", kind="bridge"))
        got = ""
        for row in case:
            try:
                listen(net, pid, **{**row, "addr": ip4(str(row["addr"]))})
            except OpError as error:
                got = error.errno
        model.append(got)
    assert model == kernel


@pytest.mark.parametrize("proto", ["tcp", "udp"])
def test_the_closest_socket_answers(proto: str) -> None:
    """The very address beats any address; then the device beats none (measured by the same sockets in the kernel)."""
    net, pid = machine()
    Changes(net).do(AddLink(netns="box", name="br0", kind="bridge"))
    rows = [
        listen(net, pid, proto=proto, device="br0"),
        listen(net, pid, proto=proto, device="lo"),
    ]
    heard: list[Socket] = []

    def serve(delivery: Delivery) -> Answer:
        heard.append(delivery.socket)
        return Answer(payload=delivery.request)

    caller = tcp_call if proto == "tcp" else udp_call
    caller(net, "box", LO, 80, choose=Seeded(1), request=ASK, serve=serve)
    assert heard == [rows[1]]


def test_reuseport_shares_by_a_choice() -> None:
    net, pid = machine()
    rows = [listen(net, pid, proto="udp", reuseport=True, fd=fd) for fd in (3, 4, 5)]
    heard: list[Socket] = []

    def serve(delivery: Delivery) -> Answer:
        heard.append(delivery.socket)
        return Answer(payload=delivery.request)

    for path in range(3):
        choose = Branch((path,))
        udp_call(net.copy(), "box", LO, 80, choose=choose, request=ASK, sport=5000, serve=serve)
    assert heard == rows


def test_a_copy_keeps_its_own_queue() -> None:
    net, pid = machine()
    row = listen(net, pid)
    Changes(net).do(StopProc(box="box", pid=pid, stopped=True))
    call(net)
    other = net.copy()
    call(other)
    assert (waiting(net.spaces["box"], row), waiting(other.spaces["box"], row)) == (1, 2)
    assert replace(row) == row
