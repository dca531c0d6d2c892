"""nft as a learner meets it: quoting as a shell has it, files, refusals, packets that rules stop and count."""

from __future__ import annotations

import pytest

from engine.linux.net import Net
from engine.linux.ops import AddBox, Changes
from engine.shell.shell import Shell
from engine.shell.tools import find
from engine.shell.world import World

BUILD = """
ip netns add red
ip link add veth0 type veth peer name eth0 netns red
ip addr add 10.0.0.1/24 dev veth0
ip link set veth0 up
ip -n red addr add 10.0.0.2/24 dev eth0
ip -n red link set eth0 up
ip -n red link set lo up
"""


@pytest.fixture
def shell() -> Shell:
    net = Net()
    Changes(net).do(AddBox(name="h"))
    shell = Shell(World(net=net), "node/h")
    for line in BUILD.split("\n"):
        if line:
            got = shell.run(line)
            assert got.code == 0, got.stderr
    return shell


def run(shell: Shell, line: str) -> str:
    got = shell.run(line)
    assert (got.code, got.stderr) == (0, ""), got.stderr
    return got.stdout


def test_a_drop_is_felt_and_counted(shell: Shell) -> None:
    assert shell.run("ping -c 1 -W 1 10.0.0.2").code == 0
    run(shell, "nft add table ip t")
    run(shell, "nft add chain ip t in '{ type filter hook input priority filter; policy accept; }'")
    run(shell, "nft add rule ip t in icmp type echo-reply counter drop")
    assert shell.run("ping -c 2 -W 1 10.0.0.2").code == 1
    assert "icmp type echo-reply counter packets 2 bytes 168 drop" in run(shell, "nft list ruleset")
    run(shell, "nft delete rule ip t in handle 2")
    assert shell.run("ping -c 1 -W 1 10.0.0.2").code == 0


def test_a_file_is_taken_whole_or_not_at_all(shell: Shell) -> None:
    text = "table ip t { chain c { ip saddr 10.0.0.2 accept\\n }\\n}\\nadd rule ip t nosuch accept\\n"
    shell.run(f"printf '{text}' > /tmp/rules.nft")
    got = shell.run("nft -f /tmp/rules.nft")
    assert got.code == 1
    assert got.stderr.startswith(
        "/tmp/rules.nft:4:15-20: Error: Could not process rule: No such file or directory\n"
    )
    assert run(shell, "nft list ruleset") == ""
    assert shell.run("nft -c -f /tmp/rules.nft").code == 1


def test_the_namespace_has_its_own_tables(shell: Shell) -> None:
    run(shell, "ip netns exec red nft add table ip inside")
    assert run(shell, "nft list tables") == ""
    assert run(shell, "ip netns exec red nft list tables") == "table ip inside\n"


def test_the_tables_of_iptables_are_named(shell: Shell) -> None:
    run(shell, "iptables -A INPUT -p tcp --dport 80 -j DROP")
    got = shell.run("nft list ruleset")
    assert got.stdout == ""
    assert "iptables-save" in got.stderr
    run(shell, "nft flush ruleset")
    assert "DROP" not in run(shell, "iptables -S INPUT")


def test_what_is_not_modelled_says_so(shell: Shell) -> None:
    for line in ("nft -j list ruleset", "nft monitor", "nft list flowtables", "nft add table ip6 t"):
        got = shell.run(line)
        assert got.code != 0
        assert "not modelled" in got.stderr, line


def test_completion(shell: Shell) -> None:
    run(shell, "nft add table ip web")
    run(shell, "nft add chain ip web front")
    tool = find("nft")
    assert tool is not None and tool.complete is not None
    assert "ruleset" in shell.complete("nft list r")
    assert "web" in shell.complete("nft list table ip w")
    assert "front" in shell.complete("nft add rule ip web f")
