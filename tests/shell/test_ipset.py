"""The tool ipset in the shell: files, pipes, completion, who may. The texts are held in tests/real/test_ipset.py."""

from __future__ import annotations

import pytest

from engine.shell.shell import Shell
from tests.linux.walk.wires import Wires


@pytest.fixture
def shell() -> Shell:
    found = Wires("").shell
    for line in (
        "ipset create web hash:ip,port timeout 60",
        "ipset create nets hash:net",
        "ipset create l list:set",
    ):
        assert found.run(line).code == 0
    return found


def test_a_file_and_a_pipe(shell: Shell) -> None:
    assert shell.run("ipset add nets 10.0.0.0/24").code == 0
    assert shell.run("ipset save nets -file /tmp/nets").stdout == ""
    saved = shell.run("cat /tmp/nets").stdout
    assert saved.endswith("add nets 10.0.0.0/24\n")
    assert shell.run("ipset destroy nets").code == 0
    assert shell.run("ipset restore < /tmp/nets").code == 0
    assert shell.run("ipset save nets").stdout == saved
    assert shell.run("echo add nets 10.0.1.0/24 | ipset restore").code == 0
    assert shell.run("ipset test nets 10.0.1.9").stderr == "Warning: 10.0.1.9 is in set nets.\n"


def test_a_file_that_is_not_there(shell: Shell) -> None:
    got = shell.run("ipset restore -file /nope")
    assert (got.stderr, got.code) == (
        "ipset v7.17: Cannot open /nope for reading: No such file or directory\n",
        1,
    )


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("ipset cr", "create"),
        ("ipset create x hash:ip,port,", "hash:ip,port,net"),
        ("ipset create x hash:ip ti", "timeout"),
        ("ipset add w", "web"),
        ("ipset add l n", "nets"),
        ("ipset add nets 10.0.0.0/8 no", "nomatch"),
        ("ipset swap web n", "nets"),
        ("iptables -A INPUT -m set --match-set w", "web"),
        ("iptables -A INPUT -m set --match-set web sr", "src"),
    ],
)
def test_completion(shell: Shell, line: str, wanted: str) -> None:
    assert wanted in shell.complete(line)
