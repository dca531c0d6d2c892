"""iptables, conntrack and sysctl as a learner meets them: packets that rules stop, count, rewrite and log."""

from __future__ import annotations

import pytest

from engine.linux.net import Net
from engine.linux.ops import AddBox, Changes
from engine.shell.shell import Shell
from engine.shell.world import World

BUILD = """
ip netns add red
ip link add veth0 type veth peer name eth0 netns red
ip addr add 10.0.0.1/24 dev veth0
ip link set veth0 up
ip -n red addr add 10.0.0.2/24 dev eth0
ip -n red link set eth0 up
ip -n red link set lo up
ip -n red route add default via 10.0.0.1
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


def test_a_drop_is_felt_and_counted(shell: Shell) -> None:
    assert shell.run("ping -c 1 -W 1 10.0.0.2").code == 0
    shell.run("iptables -A INPUT -p icmp --icmp-type echo-reply -j DROP")
    assert shell.run("ping -c 2 -W 1 10.0.0.2").code == 1
    row = shell.run("iptables -L INPUT -n -v").stdout.splitlines()[2]
    assert row.split()[:3] == ["2", "168", "DROP"]
    shell.run("iptables -D INPUT 1")
    assert shell.run("ping -c 1 -W 1 10.0.0.2").code == 0


def test_the_step_of_a_rule_is_in_the_journey(shell: Shell) -> None:
    row = (
        '-A OUTPUT -d 10.0.0.2/32 -m comment --comment "no way" -j REJECT --reject-with icmp-host-prohibited'
    )
    shell.run(f"iptables {row}")
    got = shell.run("ping -c 1 -W 1 10.0.0.2")
    step = next(s for j in got.journeys for s in j.steps() if s.table == "filter")
    assert step.row == row and step.verdict == "reject"
    assert step.why is not None and "10.0.0.2" in step.why.text("ko")


def test_conntrack_shows_what_a_rule_began_to_track(shell: Shell) -> None:
    shell.run("ping -c 1 -W 1 10.0.0.2")
    assert shell.run("conntrack -L").stdout == ""
    shell.run("iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT")
    shell.run("ping -c 1 -W 1 10.0.0.2")
    line = shell.run("conntrack -L -p icmp").stdout
    assert (
        line.startswith("icmp     1 ")
        and "src=10.0.0.1 dst=10.0.0.2 type=8 code=0" in line
        and line.endswith(" use=1\n")
    )
    assert shell.run("conntrack -D -d 10.0.0.2").stderr.endswith("1 flow entries have been deleted.\n")
    assert shell.run("conntrack -C").stdout == "0\n"


def test_log_lines_are_in_the_kernels_log(shell: Shell) -> None:
    shell.run("iptables -A OUTPUT -p icmp -j LOG --log-prefix 'out: '")
    shell.run("ping -c 1 -W 1 10.0.0.2")
    assert "out: IN= OUT=veth0 SRC=10.0.0.1 DST=10.0.0.2 LEN=84" in shell.run("dmesg").stdout


def test_namespaces_have_rules_of_their_own(shell: Shell) -> None:
    shell.run("ip netns exec red iptables -P INPUT DROP")
    assert "-P INPUT DROP" in shell.run("ip netns exec red iptables -S").stdout
    assert "-P INPUT ACCEPT" in shell.run("iptables -S").stdout
    assert shell.run("ping -c 1 -W 1 10.0.0.2").code == 1
    shell.run("ip netns exec red sysctl -w net.ipv4.ip_forward=1")
    assert shell.run("sysctl -n net.ipv4.ip_forward").stdout == "0\n"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("iptables -t na", "nat"),
        ("iptables -t nat -A POST", "POSTROUTING"),
        ("iptables -A FORWARD -j REJ", "REJECT"),
        ("iptables -A FORWARD -m conn", "conntrack"),
        ("iptables -A FORWARD -p tcp --dp", "--dport"),
        ("iptables -A FORWARD -i ve", "veth0"),
        ("iptables -P FORWARD DR", "DROP"),
        ("conntrack -L --orig-d", "--orig-dst"),
        ("conntrack -L -p ic", "icmp"),
        ("sysctl net.ipv4.conf.veth0.rp", "net.ipv4.conf.veth0.rp_filter"),
    ],
)
def test_completion(shell: Shell, line: str, wanted: str) -> None:
    assert wanted in shell.complete(line)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("iptables -A INPUT -m hashlimit --hashlimit-name x --hashlimit-upto 5/s -j LOG", "-m hashlimit"),
        ("iptables -A INPUT -j NFQUEUE", "-j NFQUEUE"),
        ("iptables -h", "iptables -h"),
        ("ip6tables -S", "ip6tables"),
        ("iptables-legacy -S", "iptables-legacy"),
        ("conntrack -E", "conntrack -E"),
        ("conntrack -L -o xml", "-o xml"),
        ("sysctl net.ipv4.tcp_syncookies", "net.ipv4.tcp_syncookies"),
        ("sysctl -w vm.swappiness=10", "vm.swappiness"),
        ("sysctl --system", "--system"),
        ("iptables-restore -M x < /dev/null", "-M"),
    ],
)
def test_what_is_not_modelled_is_refused_by_name(shell: Shell, line: str, name: str) -> None:
    got = shell.run(line)
    assert got.code != 0 and name in got.stderr and got.stdout == ""
