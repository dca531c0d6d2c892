"""`download` in `k8snet-tutor shell`: a capture lands in the current folder, and the real tcpdump reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from course.__main__ import main
from tests.tools import find

LAB = str(Path(__file__).parents[2] / "lessons" / "labs" / "two-nodes.yaml")


@pytest.mark.needs("tcpdump")
def test_a_capture_leaves_the_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = "ping -c 1 192.168.10.20 > /dev/null; tcpdump -i eth0 -w a.pcap icmp; download a.pcap"
    for name in ("a.pcap", "a-1.pcap"):
        assert main(["shell", LAB, "--on", "node/w1", "-c", line, "--lang", "en"]) == 0
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith(f"{(tmp_path / name).resolve()}: ") and said.endswith(" bytes")
    real = find("tcpdump")
    assert real is not None
    read = subprocess.run([real, "-n", "-r", "a.pcap"], capture_output=True, text=True, check=True)
    assert read.stdout.count("ICMP echo") == 2
