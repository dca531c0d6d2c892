"""The transcripts of the real DNS tools (tests/golden/dns), replayed in the model: same text, same exit codes.

There the names are those of a small server of the capture script; here a CoreDNS holds them. What is nobody's choice is
masked on both sides: ids, cookies, times, versions of busybox.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.l7.catalogue import BUSYBOX
from engine.l7.dns.kubernetes import VIEW, Address, Port, Service, Slice, View
from engine.linux.addr import ip4
from engine.linux.choose import Seeded
from engine.linux.net import Net
from engine.linux.ops import AddAddress, AddBox, Listen, SetLink, StartProc, WriteFile
from engine.linux.ops.base import Changes
from engine.linux.rows import Address as LinkAddress
from engine.linux.rows import Socket
from engine.shell.shell import Shell
from engine.shell.world import World
from tests.golden import capture_dns

GOLDEN = Path(__file__).parents[1] / "golden" / "dns"
COREFILE = """\
cluster.local in-addr.arpa {
    kubernetes cluster.local in-addr.arpa {
       pods insecure
       ttl 30
    }
}
refused.example {
}
broken.example {
    forward . 10.96.0.11
}
. {
    kubernetes cluster.local in-addr.arpa
    template IN ANY . {
       match (^web[.]|^nope[.]|[.]nope[.]$)
       rcode NXDOMAIN
       fallthrough
    }
    hosts {
       203.0.113.1 one.example
       203.0.113.10 api.example.com
       ttl 60
    }
}
"""
MASKS = [
    (r"id: \d+", "id: N"),
    (r"(Query time:|in) \d+ (msec|ms)", r"\1 N \2"),
    (r"WHEN: .*", "WHEN: W"),
    (r"; COOKIE: \w+", "; COOKIE: C"),
    (r"BusyBox v\S+ \([^)]*\)", "BusyBox"),
]
#: commands of the transcripts that the model refuses by name or answers otherwise, with the reason
EXCEPT = {
    "dig -h": "the long help is not repeated",
    "busybox nslookup -debug one.example": "the time of each query",
}


def world(conf: str) -> World:
    net = Net()
    changes = Changes(net)
    changes.do(AddBox(name="box", role="host"))
    changes.do(SetLink(netns="box", name="lo", up=True))
    for address in ("10.96.0.10", "10.96.0.11", "10.96.0.12"):
        row = LinkAddress(ifindex=1, addr=ip4(address), length=32)
        changes.do(AddAddress(netns="box", device="lo", address=row))
    changes.do(WriteFile(box="box", path="/etc/resolv.conf", text=conf))
    changes.do(WriteFile(box="box", path="/etc/hosts", text=capture_dns.HOSTS))
    changes.do(WriteFile(box="box", path="/Corefile", text=COREFILE))
    box = net.boxes["box"]
    for program, address in (("coredns", "10.96.0.10"), ("sink", "10.96.0.12")):
        pid = box.next_pid
        config = (("conf", "/Corefile"),)
        changes.do(StartProc(box="box", args=(program,), netns="box", program=program, config=config))
        for proto, state in (("udp", "UNCONN"), ("tcp", "LISTEN")):
            socket = Socket(proto=proto, addr=ip4(address), port=53, pid=pid, state=state)
            changes.do(Listen(netns="box", socket=socket))
        box.memory[pid] = {VIEW: view()}
    return World(net=net, choose=Seeded(1))


def view() -> View:
    port = (Port("http", "TCP", 80),)
    services = [
        Service("shop", "web", ("10.96.71.20",), port),
        Service("shop", "db", (), port, headless=True),
        Service("shop", "pay", external="api.example.com"),
    ]
    addresses = tuple(Address(f"10.244.1.{n}") for n in (9, 10, 11))
    return View(
        services={(s.namespace, s.name): s for s in services},
        slices={("shop", "db"): (Slice("db-1", addresses, port),)},
        namespaces=frozenset({"shop"}),
        serial=capture_dns.SERIAL,
    )


def transcript(scene: str) -> list[tuple[str, str, int]]:
    out = []
    text = (GOLDEN / f"{scene}.txt").read_text()
    for found in re.finditer(r"^\$ (.*)\n((?:.*\n)*?)\[code (\d+)\]$", text, flags=re.M):
        out.append((found[1], found[2], int(found[3])))
    return out


def masked(text: str) -> str:
    for pattern, to in MASKS:
        text = re.sub(pattern, to, text)
    return text.strip("\n")


def cases() -> list[object]:
    return [
        pytest.param(scene, *row, id=f"{scene}: {row[0]}")
        for scene in (*capture_dns.SCENES, *capture_dns.DEAD)
        for row in transcript(scene)
        if row[0] not in EXCEPT
    ]


@pytest.mark.parametrize(("scene", "command", "expected", "code"), cases())
def test_the_tool_prints_what_the_real_one_prints(scene: str, command: str, expected: str, code: int) -> None:
    conf = capture_dns.DEAD.get(scene, (capture_dns.CONF, []))[0]
    lab = world(conf)
    shell = Shell(lab, "host/box")
    if command.startswith("busybox "):
        # in an image built on busybox its applets are the tools
        shell.session.spot = replace(shell.session.spot, tools=BUSYBOX)
        command = command.removeprefix("busybox ")
    result = shell.run(command)
    got = "".join(text for _, text in result.chunks)
    assert masked(got) == masked(expected)
    assert result.code == code
