"""Ops on rules happen whole or not at all, and big texts go the same way as small ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import NotModelled, OpError
from engine.linux.net import Net
from engine.linux.ops import AddBox, Changes, SetSysctl, XtAppend, XtNewChain, XtRenameChain
from engine.linux.xt.command import run, run_line
from engine.linux.xt.parse import rule, split
from engine.linux.xt.restore import restore, restore_text
from engine.linux.xt.text import save


def lab() -> tuple[Net, Changes]:
    net = Net()
    changes = Changes(net)
    changes.do(AddBox(name="h"))
    return net, changes


def everything(net: Net) -> str:
    xt = net.spaces["h"].xt
    return "".join(save(xt, t, counters=True) for t in xt.tables)


CHAINS = st.sampled_from(["INPUT", "OUTPUT", "a", "b", "c", "nope"])
COMMANDS = st.one_of(
    st.builds("-N {}".format, CHAINS), st.builds("-X {}".format, CHAINS), st.builds("-F {}".format, CHAINS),
    st.builds("-E {} {}".format, st.sampled_from(["a", "b", "c", "nope"]), CHAINS), st.just("-X"), st.just("-F"),
    st.builds("-P {} {}".format, CHAINS, st.sampled_from(["ACCEPT", "DROP", "REJECT"])),
    st.builds("-A {} -j {}".format, CHAINS, CHAINS), st.builds("-A {} -j REJECT".format, CHAINS),
    st.builds("-I {} {} -s 1.1.1.1,2.2.2.2 -j {}".format, CHAINS, st.integers(1, 3), CHAINS),
    st.builds("-D {} {}".format, CHAINS, st.integers(1, 3)), st.builds("-D {} -j {}".format, CHAINS, CHAINS),
    st.builds("-R {} {} -j {}".format, CHAINS, st.integers(1, 3), CHAINS), st.builds("-Z {}".format, CHAINS),
    st.builds("-A {} -m owner --uid-owner 0 -j DROP".format, CHAINS),
)  # fmt: skip


@given(st.lists(COMMANDS, max_size=25))
@settings(max_examples=200)
def test_a_refused_command_changes_nothing_and_the_log_replays(commands: list[str]) -> None:
    net, changes = lab()
    for command in commands:
        before = everything(net)
        _, err, code = run(net, "h", split(command), changes.do)
        assert bool(err) == bool(code)
        if code:
            assert everything(net) == before, command
    again = Net()
    replay = Changes(again)
    for op in changes.log:
        replay.do(op)
    assert everything(again) == everything(net)


@given(st.lists(COMMANDS, max_size=12))
@settings(max_examples=100)
def test_a_text_is_restored_whole_or_not_at_all(commands: list[str]) -> None:
    net, changes = lab()
    restore_text(net, "h", "*filter\n:a - [0:0]\n-A a -j ACCEPT\nCOMMIT\n", changes.do)
    before = everything(net)
    text = "\n".join(["*filter", *commands, "COMMIT", ""])
    _, err, code = restore(net, "h", text, changes.do, keep=True)
    assert bool(err) == bool(code)
    if code:
        assert everything(net) == before


def test_appends_together_are_refused_where_one_alone_is() -> None:
    """The fast way over many appends names the same line as the slow one."""
    net, changes = lab()
    rows = [f"-A a -s 10.0.0.{i} -j b" for i in range(100)] + ["-A b -j REJECT", "-A INPUT -j a"]
    good = "\n".join(["*filter", ":a - [0:0]", ":b - [0:0]", *rows, "COMMIT", ""])
    assert restore(net, "h", good, changes.do)[2] == 0
    assert len(everything(net).splitlines()) == 1 + 5 + 102 + 1
    bad = "\n".join(["*filter", ":a - [0:0]", ":b - [0:0]", *rows, "-A b -j a", "-A b -j DROP", "COMMIT", ""])
    _, err, code = restore(net, "h", bad, changes.do)
    assert (err, code) == (
        "iptables-restore v1.8.9 (nf_tables): \nline 106: RULE_APPEND failed (Too many links): rule in chain b\n"
        "line 107: RULE_APPEND failed (Too many links): rule in chain b\n",
        4,
    )  # fmt: skip


def test_a_cluster_of_services_loads() -> None:
    """10,000 Services as kube-proxy writes them, in one text."""
    net, changes = lab()
    rows = ["*nat", ":KUBE-SERVICES - [0:0]", *(f":KUBE-SVC-{i} - [0:0]" for i in range(10000))]
    vips = [f"10.96.{i // 250}.{i % 250}" for i in range(10000)]
    rows += [
        f"-A KUBE-SERVICES -d {vip}/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-{i}" for i, vip in enumerate(vips)
    ]
    rows += [
        f"-A KUBE-SVC-{i} -p tcp -j DNAT --to-destination 10.244.{i // 250}.{i % 250}:8080"
        for i in range(10000)
    ]
    rows += ["-A PREROUTING -j KUBE-SERVICES", "COMMIT", ""]
    assert restore(net, "h", "\n".join(rows), changes.do, keep=True) == ("", "", 0)
    chain = net.spaces["h"].xt.chain("nat", "KUBE-SERVICES")
    assert chain is not None and len(chain.rules) == 10000


def test_sixteen_jumps_are_the_most() -> None:
    net, changes = lab()
    for i in range(18):
        changes.do(XtNewChain(netns="h", chain=f"c{i}"))
    for i in range(17):
        run_line(net, "h", f"-A c{i} -j c{i + 1}", changes.do)
    run_line(net, "h", "-A INPUT -j c3", changes.do)
    with pytest.raises(OpError, match="Too many links"):
        run_line(net, "h", "-A INPUT -j c0", changes.do)


def test_run_line_raises_what_a_controller_sees() -> None:
    net, changes = lab()
    with pytest.raises(OpError) as error:
        run_line(net, "h", "-t nat -A DOCKER -j RETURN", changes.do)
    assert error.value.tool_text == "iptables: No chain/target/match by that name."


def test_a_built_in_chain_keeps_its_name() -> None:
    _, changes = lab()
    changes.do(XtAppend(netns="h", chain="INPUT", rules=(rule("-j ACCEPT"),)))
    with pytest.raises(NotModelled):
        changes.do(XtRenameChain(netns="h", chain="INPUT", new_name="x"))


def sysctl(net: Net, key: str) -> str:
    return net.spaces["h"].sysctl(key)


def test_ip_forward_is_the_forwarding_of_every_device() -> None:
    net, changes = lab()
    changes.do(SetSysctl(netns="h", key="net.ipv4.conf.lo.forwarding", value="1"))
    assert sysctl(net, "net.ipv4.ip_forward") == "0" and sysctl(net, "net.ipv4.conf.lo.forwarding") == "1"
    changes.do(SetSysctl(netns="h", key="net.ipv4.ip_forward", value="0"))
    assert sysctl(net, "net.ipv4.conf.lo.forwarding") == "0"
    changes.do(SetSysctl(netns="h", key="net.ipv4.conf.all.forwarding", value="1"))
    assert sysctl(net, "net.ipv4.ip_forward") == "1" and sysctl(net, "net.ipv4.conf.lo.forwarding") == "1"


def test_a_default_is_for_devices_that_come_later() -> None:
    from engine.linux.ops import AddLink

    net, changes = lab()
    changes.do(SetSysctl(netns="h", key="net.ipv4.conf.default.rp_filter", value="1"))
    changes.do(AddLink(netns="h", name="br0", kind="bridge"))
    assert sysctl(net, "net.ipv4.conf.lo.rp_filter") == "0"
    assert sysctl(net, "net.ipv4.conf.br0.rp_filter") == "1"


def test_a_default_reaches_a_device_until_it_has_an_address() -> None:
    """Measured on Linux 6.18, key by key."""
    from engine.linux.addr import ip4
    from engine.linux.ops import AddAddress, AddVeth
    from engine.linux.rows import Address

    net, changes = lab()
    changes.do(AddVeth(netns="h", name="e1", peer_netns="h", peer_name="e2"))

    def default(value: str, key: str = "rp_filter") -> list[str]:
        changes.do(SetSysctl(netns="h", key=f"net.ipv4.conf.default.{key}", value=value))
        return [sysctl(net, f"net.ipv4.conf.{device}.{key}") for device in ("lo", "e1", "e2")]

    assert default("1") == ["0", "1", "1"]
    changes.do(SetSysctl(netns="h", key="net.ipv4.conf.e1.rp_filter", value="2"))
    assert default("0") == ["0", "2", "0"]
    changes.do(
        AddAddress(netns="h", device="e2", address=Address(ifindex=0, addr=ip4("10.0.0.1"), length=24))
    )
    assert default("1") == ["0", "2", "0"]
    assert default("1", "forwarding") == ["0", "0", "0"]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("net.foo", "1", "sysctl: cannot stat /proc/sys/net/foo: No such file or directory"),
        ("net.ipv4.ip_forward", "yes", 'sysctl: setting key "net.ipv4.ip_forward": Invalid argument'),
        ("net.ipv4.ip_forward", "", 'sysctl: setting key "net.ipv4.ip_forward": Invalid argument'),
        (
            "net.ipv4.conf.e9.tag",
            "1",
            "sysctl: cannot stat /proc/sys/net/ipv4/conf/e9/tag: No such file or directory",
        ),
    ],
)
def test_sysctl_refuses_as_procps_says(key: str, value: str, text: str) -> None:
    _, changes = lab()
    with pytest.raises(OpError) as error:
        changes.do(SetSysctl(netns="h", key=key, value=value))
    assert error.value.tool_text == text
