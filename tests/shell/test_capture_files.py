"""tcpdump -w and -r, and the way out of the lab. The real tcpdump reads our files and prints what ours prints."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from course.downloads import put
from engine.linux.wire.pcapfile import ETHERNET, Captured, pcap
from engine.shell.dissect import Dissector
from engine.shell.shell import Result
from tests.linux.walk.wires import Wires
from tests.linux.wire.test_tunnels import PACKETS
from tests.tools import find

NET = """
wire h va 10.0.1.1/24 a eth0 10.0.1.2/24
listen h tcp 80
listen h udp 5000
"""


@pytest.fixture
def net() -> Wires:
    w = Wires(NET)
    w.type("ping -c 2 10.0.1.2")
    for line in ("a: nc -zv 10.0.1.1 80", "a: nc -zv 10.0.1.1 81", "a: ping -c 1 -W 1 10.0.9.9"):
        head, _, rest = line.partition(": ")
        w.shell.run(f"ip netns exec {head} {rest}")
    w.tcp("a", "10.0.1.1", 80)
    return w


def run(w: Wires, line: str) -> Result:
    return w.shell.run(line)


def taken_out(w: Wires, line: str, tmp_path: Path) -> Path:
    done = run(w, f"{line}; download x.pcap")
    ((name, data),) = done.downloads
    return put(tmp_path, name, data)


def test_a_capture_is_written_in_silence(net: Wires) -> None:
    done = run(net, "tcpdump -i va -w x.pcap")
    assert done.stdout == "" and done.code == 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("(")]
    assert said[0] == "tcpdump: listening on va, link-type EN10MB (Ethernet), snapshot length 262144 bytes"
    assert said[-2].endswith("received by filter") and said[-1] == "0 packets dropped by kernel"


def test_what_was_written_is_read(net: Wires) -> None:
    run(net, "tcpdump -i va -w x.pcap; cp x.pcap /tmp/y.pcap")
    head = "reading from file /tmp/y.pcap, link-type EN10MB (Ethernet), snapshot length 262144\n"
    done = run(net, "tcpdump -n -r /tmp/y.pcap icmp")
    assert done.stderr == head and done.stdout.count("ICMP echo request") == 2
    run(net, "tcpdump -r x.pcap -w z.pcap arp")
    assert "ICMP" not in run(net, "tcpdump -n -r z.pcap").stdout
    assert run(net, "tcpdump -n -r z.pcap").stdout.count("ARP, Request") >= 1


@pytest.mark.needs("tcpdump")
@pytest.mark.parametrize("options", ["-n", "-n -e", "-n -v", "-n -q"])
def test_the_real_tcpdump_reads_it_alike(net: Wires, tmp_path: Path, options: str) -> None:
    file = taken_out(net, "tcpdump -i va -w x.pcap", tmp_path)
    ours = run(net, f"tcpdump {options} -tt -r x.pcap").stdout
    real = find("tcpdump")
    assert real is not None
    theirs = subprocess.run(
        [real, *options.split(), "-tt", "-r", str(file)], capture_output=True, text=True, check=True
    ).stdout
    assert ours == theirs and ours.count("\n") > 10


@pytest.mark.needs("tcpdump")
def test_the_real_tcpdump_reads_a_capture_of_any(net: Wires, tmp_path: Path) -> None:
    file = taken_out(net, "tcpdump -i any -w x.pcap", tmp_path)
    real = find("tcpdump")
    assert real is not None
    theirs = subprocess.run([real, "-n", "-tt", "-r", str(file)], capture_output=True, text=True, check=True)
    ours = run(net, "tcpdump -n -tt -r x.pcap").stdout.splitlines()
    # the real one knows interfaces of its own machine only: it prints their numbers
    strip = [" ".join([w for w in line.split() if w not in ("va", "lo")]) for line in ours]
    bare = [
        " ".join(w for w in line.split() if not w.startswith("ifindex"))
        for line in theirs.stdout.splitlines()
    ]
    assert len(bare) == len(strip) > 10
    assert [line.split()[-6:] for line in bare] == [line.split()[-6:] for line in strip]


@pytest.mark.needs("tcpdump")
@pytest.mark.parametrize("options", ["", "-e", "-v", "-q", "-e -v"])
def test_the_real_tcpdump_reads_tunnels_alike(tmp_path: Path, options: str) -> None:
    file = tmp_path / "x.pcap"
    rows = [Captured(time=n, packet=p) for n, p in enumerate(PACKETS.values())]
    file.write_bytes(pcap(rows, ETHERNET))
    real = find("tcpdump")
    assert real is not None
    theirs = subprocess.run(
        [real, "-n", "-t", *options.split(), "-r", str(file)], capture_output=True, text=True, check=True
    ).stdout
    dissector = Dissector(None, options.count("v"), "-q" in options)
    linked = "-e" in options
    ours = ""
    for row in rows:
        ours += dissector.link(row.packet) if linked else ""
        ours += dissector.body(row.packet, linked=linked, time=row.time) + "\n"
    assert ours == theirs


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tcpdump -r nothing.pcap", "tcpdump: nothing.pcap: No such file or directory"),
        ("echo hello > t; tcpdump -r t", "tcpdump: unknown file format"),
        (
            "echo -n > t; tcpdump -r t",
            "tcpdump: truncated dump file; tried to read 4 file header bytes, only got 0",
        ),
        ("tcpdump -i va -w /nowhere/x", "tcpdump: /nowhere/x: No such file or directory"),
        ("tcpdump -i va -s 999999 -w x", "tcpdump: invalid snaplen 999999"),
        ("download", "usage: download FILE..."),
        ("download nothing", "download: nothing: No such file or directory"),
    ],
)
def test_errors(net: Wires, line: str, said: str) -> None:
    done = run(net, line)
    assert done.stderr.splitlines()[-1] == said and done.code


def test_a_binary_file_does_no_harm(net: Wires) -> None:
    run(net, "tcpdump -i va -w x.pcap")
    for line in ("cat x.pcap", "head -1 x.pcap", "grep a x.pcap", "cat x.pcap > y", "cat x.pcap | wc -c"):
        done = run(net, line)
        (done.stdout + done.stderr).encode()
    size = int(run(net, "wc -c < x.pcap").stdout.split()[0])
    assert run(net, "ls -l x.pcap").stdout.split()[4] == str(size)
    ((_, data),) = run(net, "download y").downloads
    assert len(data) == size


def test_nothing_is_written_over(tmp_path: Path) -> None:
    names = [put(tmp_path, "../a.pcap", b"x").name for _ in range(3)]
    assert names == ["a.pcap", "a-1.pcap", "a-2.pcap"] and put(tmp_path, "..", b"").name == "file"
