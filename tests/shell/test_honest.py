"""What the model does not know is said, and never told in the words of a loss or of a mistake in typing."""

from __future__ import annotations

import pytest

from engine.lab.lab import Lab

LAB = {
    "hosts": [
        {"name": "bench", "addresses": ["192.168.10.40/24"]},
        {"name": "laptop", "addresses": ["192.168.10.20/24"], "listen": [80]},
    ]
}


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.load(LAB)


@pytest.mark.parametrize(
    "line",
    [
        "ping -c1 224.0.0.1",
        "curl http://224.0.0.1",
        "nc -zv 192.168.10.255 80",
        "traceroute 224.0.0.1",
        "curl --max-redirs 3 http://192.168.10.20",
    ],
)
def test_what_is_not_modelled_is_said(lab: Lab, line: str) -> None:
    done = lab.run("host/bench", line)
    assert done.code == 2 and "is not modelled here" in done.stderr and not done.stdout


def test_a_ping_that_may_not_be_cut_fails_at_home(lab: Lab) -> None:
    done = lab.run("host/bench", "ping -c1 -M do -s 1473 192.168.10.20")
    assert "message too long, mtu=1500" in done.stderr
    assert lab.run("host/bench", "ping -c1 -M do -s 1472 192.168.10.20").code == 0


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("printf 'a\\nb\\nc\\n' | head -n -1", ["a", "b"]),
        ("printf 'a\\nb\\nc\\n' | head -1", ["a"]),
        ("printf 'abc' | head -c -1", ["ab"]),
        ("printf 'abc' | tail -c +2", ["bc"]),
        ("printf 'abc' | grep --color=auto b", ["abc"]),
        ("ls --color=auto /etc/hosts", ["/etc/hosts"]),
    ],
)
def test_values_of_options_count(lab: Lab, line: str, lines: list[str]) -> None:
    done = lab.run("host/bench", line)
    assert (done.stdout.splitlines(), done.code) == (lines, 0)
