"""A capture is held against tshark: every frame dissects, every checksum is right, every frame says where it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from course.cli.common import open_lab
from engine.export.frames import frames
from engine.export.pcap import comment, pcapng
from engine.lab.places import place_name
from engine.linux.act import packet_of
from engine.linux.journey import Journey, Outcome
from engine.linux.packet import Payload, Proto, Udp
from engine.linux.wire.encode import Wire, checksum
from tests.export.journeys import NAMES, all_journeys, lab

SUMS = ("ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "icmp.checksum.status")
CHECKED = ("ip.check_checksum", "tcp.check_checksum", "udp.check_checksum")


def tshark(file: Path, *more: str) -> list[str]:
    done = subprocess.run(
        ["tshark", "-n", "-r", str(file), *[w for c in CHECKED for w in ("-o", f"{c}:TRUE")], *more],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.needs("tshark")
@pytest.mark.parametrize("name", NAMES)
def test_tshark_reads_every_frame(name: str, tmp_path: Path) -> None:
    lab, journey = all_journeys()[name]
    file = tmp_path / "x.pcapng"
    file.write_bytes(pcapng(journey, lab.world.net))
    assert tshark(file, "-Y", "_ws.malformed || _ws.short || _ws.unreassembled") == []
    fields = ("frame.interface_name", "frame.comment", "frame.protocols", "frame.len", *SUMS)
    rows = [
        line.split("\t") for line in tshark(file, "-T", "fields", *[w for f in fields for w in ("-e", f)])
    ]
    found = frames(journey)
    assert len(rows) == len(found) > 0
    for row, frame in zip(rows, found, strict=True):
        assert row[0] == place_name(frame.place)
        assert row[1].split("\\n")[0].split("\n")[0].endswith(place_name(frame.place))
        assert row[2].split(":")[-1] != "data" or name in ("ping", "udp")
        framed = frame.packet.length() + (14 if frame.packet.eth is None else 0)
        assert int(row[3]) == framed
        for status in row[4:]:
            assert set(status.split(",")) <= {"", "1", "2"}, row
        if frame.packet.has_ip:
            assert row[4].split(",")[0] == "1", row


@pytest.mark.needs("tshark")
@pytest.mark.parametrize("name", NAMES)
def test_no_error_is_seen_by_an_expert(name: str, tmp_path: Path) -> None:
    """Wireshark's own judgement: nothing of severity `error` (bad checksums, bad lengths, broken fields)."""
    lab, journey = all_journeys()[name]
    file = tmp_path / "x.pcapng"
    file.write_bytes(pcapng(journey, lab.world.net))
    assert tshark(file, "-Y", "_ws.expert.severity == error") == []


@pytest.mark.needs("tshark")
def test_a_device_alone_is_a_true_connection(tmp_path: Path) -> None:
    """Seen on one device, TCP has no retransmission, no gap and no bad acknowledgement, and HTTP is whole."""
    lab, journey = all_journeys()["http"]
    file, one = tmp_path / "x.pcapng", tmp_path / "one.pcapng"
    file.write_bytes(pcapng(journey, lab.world.net))
    tshark(file, "-Y", 'frame.interface_name == "laptop/eth0"', "-w", str(one))
    assert tshark(one, "-Y", "tcp.analysis.flags") == []
    said = tshark(one, "-Y", "http", "-T", "fields", "-e", "http.request.method", "-e", "http.response.code")
    assert said == ["GET\t", "\t200"]


@pytest.mark.needs("tshark")
def test_an_icmp_error_quotes_what_it_is_about(tmp_path: Path) -> None:
    lab, journey = all_journeys()["udp"]
    file = tmp_path / "x.pcapng"
    file.write_bytes(pcapng(journey, lab.world.net))
    rows = tshark(file, "-Y", "icmp.type == 3", "-T", "fields", "-e", "ip.dst", "-e", "udp.dstport")
    assert rows and all(row.endswith("\t9") and row.count(",") == 1 for row in rows)


@pytest.mark.needs("tshark")
def test_times_are_the_labs_own(tmp_path: Path) -> None:
    lab, journey = all_journeys()["http"]
    file = tmp_path / "x.pcapng"
    file.write_bytes(pcapng(journey, lab.world.net))
    stamps = tshark(file, "-T", "fields", "-e", "frame.time_epoch")
    assert stamps == sorted(stamps)
    start = journey.legs[0].started
    assert float(stamps[0]) == pytest.approx(1795251600 + start, abs=0.001)  # 2026-11-21 09:00 UTC


def asked_port(journey: Journey) -> int:
    """The port where docker's name server really listens: the nat rules inside the container lead there."""
    leg = next(
        leg for leg in journey.legs if leg.forward.packet is not None and leg.forward.packet.ports[1] == 53
    )
    last = leg.forward.hops[-1].packet
    assert last is not None
    return last.ports[1]


@pytest.mark.needs("tshark")
def test_dns_is_a_message(tmp_path: Path) -> None:
    """Names told as text become messages of RFC 1035; an answer repeats its question."""
    lab = open_lab("docker-host")
    lab.run("host/box", "docker network create shop")
    lab.run("host/box", "docker run -d --name db --network shop nginx")
    lab.run("host/box", "docker run -d --name app --network shop nicolaka/netshoot sleep infinity")
    result = lab.run("container/box/app", "curl -s http://db/")
    file = tmp_path / "x.pcapng"
    legs = tuple(leg for j in result.journeys for leg in j.legs)
    journey = Journey(act="curl", outcome=Outcome.DELIVERED, legs=legs)
    file.write_bytes(pcapng(journey, lab.world.net))
    assert tshark(file, "-Y", "_ws.malformed || _ws.expert.severity == error") == []
    decode = ("-d", f"udp.port=={asked_port(journey)},dns", "-Y", "dns")
    rows = tshark(file, *decode, "-T", "fields", "-e", "dns.qry.name", "-e", "dns.a")
    assert rows
    assert {row.split("\t")[0] for row in rows} == {"db"}
    assert any(row.split("\t")[1] for row in rows)


def test_an_empty_journey_is_an_empty_capture() -> None:
    empty = Journey(act="x", outcome=Outcome.NOT_MODELLED)
    data = pcapng(empty, lab("docker-host").world.net)
    assert data[:4] == b"\n\r\r\n"
    assert int.from_bytes(data[4:8], "little") == len(data)


def test_the_checksum_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


def test_a_udp_sum_of_zero_is_sent_as_all_ones() -> None:
    wire = Wire()
    for size in range(2, 40):
        for port in range(2000):
            packet = packet_of(
                1, 2, Proto.UDP, Udp(sport=port, dport=9), Payload(protocol="x", text="", size=size)
            )
            if wire.frame(packet)[14 + 20 + 6 : 14 + 20 + 8] == b"\xff\xff":
                return
            assert wire.frame(packet)[14 + 20 + 6 : 14 + 20 + 8] != b"\0\0"


def test_comments_speak_both_languages() -> None:
    _, journey = all_journeys()["http"]
    first = next(f for f in frames(journey) if f.way == "forward")
    assert comment(first, "en").startswith("the way there, hop 2 of")
    assert comment(first, "ko").startswith("가는 길, 홉 2/")
