"""Packets in packets as bytes: tshark takes them apart as we put them together, and finds every checksum right."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from engine.linux.addr import ip4, mac
from engine.linux.packet import (
    Ethernet,
    Geneve,
    IPv4,
    Layer,
    Packet,
    Payload,
    Proto,
    Tcp,
    Udp,
    Vxlan,
    WireGuard,
)
from engine.linux.wire.encode import Wire
from engine.linux.wire.pcapfile import COOKED, ETHERNET, Captured, pcap

A, B = mac("02:00:00:00:00:01"), mac("02:00:00:00:00:02")
FRAME = Ethernet(src=A, dst=B)
OUTER = {"src": ip4("192.168.50.11"), "dst": ip4("192.168.50.12")}
INNER = (
    IPv4(src=ip4("10.244.1.2"), dst=ip4("10.244.2.2"), proto=Proto.TCP, ttl=63),
    Tcp(sport=40000, dport=80, seq=7),
)


def over_udp(port: int, *layers: Layer) -> Packet:
    head = IPv4(**OUTER, proto=Proto.UDP, df=False)
    return Packet((FRAME, head, Udp(sport=50000, dport=port), *layers))


PACKETS = {
    "vxlan": over_udp(4789, Vxlan(vni=1), Ethernet(src=B, dst=A), *INNER),
    "flannel's vxlan": over_udp(8472, Vxlan(vni=1), Ethernet(src=B, dst=A), *INNER),
    "geneve": over_udp(6081, Geneve(vni=99), Ethernet(src=B, dst=A), *INNER),
    "ipip": Packet((FRAME, IPv4(**OUTER, proto=Proto.IPIP, ttl=63), *INNER)),
    "wireguard": over_udp(51820, WireGuard(sender="x", to="y", counter=3, pad=4), *INNER),
    "wireguard's handshake": over_udp(51820, WireGuard(message="initiation", sender="x", to="y")),
}
PROTOCOLS = {
    "vxlan": "eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp",
    "flannel's vxlan": "eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp",
    "geneve": "eth:ethertype:ip:udp:geneve:eth:ethertype:ip:tcp",
    "ipip": "eth:ethertype:ip:ip:tcp",
    "wireguard": "eth:ethertype:ip:udp:wg",
    "wireguard's handshake": "eth:ethertype:ip:udp:wg",
}


def tshark(file: Path, *fields: str) -> list[list[str]]:
    options = ["-d", "udp.port==8472,vxlan", "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]
    options += ["-o", "udp.check_checksum:TRUE", "-T", "fields", *[w for f in fields for w in ("-e", f)]]
    done = subprocess.run(
        ["tshark", "-n", "-r", str(file), *options], capture_output=True, text=True, check=True
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", PACKETS)
def test_a_frame_is_as_long_as_it_says(name: str) -> None:
    assert len(Wire().frame(PACKETS[name])) == PACKETS[name].length()


@pytest.mark.needs("tshark")
def test_tshark_reads_tunnels(tmp_path: Path) -> None:
    file = tmp_path / "x.pcap"
    file.write_bytes(pcap([Captured(time=n, packet=p) for n, p in enumerate(PACKETS.values())], ETHERNET))
    sums = ("ip.checksum.status", "udp.checksum.status", "tcp.checksum.status")
    rows = tshark(file, "frame.protocols", "_ws.expert.severity", *sums)
    assert [row[0] for row in rows] == [PROTOCOLS[name] for name in PACKETS]
    for row in rows:
        assert all(set(status.split(",")) <= {"", "1", "2"} for status in row[2:]), row


@pytest.mark.needs("tshark")
def test_a_cooked_capture_says_the_device(tmp_path: Path) -> None:
    file = tmp_path / "x.pcap"
    rows = [Captured(time=0.5, packet=PACKETS["ipip"], ifindex=7, type=4)]
    file.write_bytes(pcap(rows, COOKED))
    assert tshark(file, "frame.protocols", "sll.ifindex", "sll.pkttype", "sll.src.eth") == [
        ["sll:ethertype:ip:ip:tcp", "7", "4", "02:00:00:00:00:01"]
    ]


def test_a_long_packet_is_cut_at_the_snapshot_length() -> None:
    data = Payload(protocol="echo", text="", size=1000)
    long = Packet((FRAME, IPv4(**OUTER, proto=Proto.UDP), Udp(sport=1, dport=2), data))
    file = pcap([Captured(time=0.0, packet=long)], ETHERNET, 96)
    assert len(file) == 24 + 16 + 96 and file[32:40] == (96).to_bytes(4, "little") + (1042).to_bytes(
        4, "little"
    )
