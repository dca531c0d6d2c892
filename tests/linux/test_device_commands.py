"""Devices with a kind of their own: an op and the words of its real command do the same, and what an op refuses."""

from __future__ import annotations

import pytest

from engine.errors import NotModelled, OpError
from engine.linux import ops
from engine.linux.addr import Prefix, ip4
from engine.linux.linkinfo import Geneve, Ipip, Ipvlan, Macvlan, Tun, TunnelKey, Vxlan, WgPeer, WireGuard
from engine.linux.net import Net
from engine.linux.ops.commands import to_command
from engine.linux.rows import Address, Remote
from engine.shell.tools import bridge, ip

MAC = 0x0200000000BB


def machine() -> Net:
    """`h` with eth0 (a veth into p) that is up and has an address, vx0 with entries, ipip loaded."""
    net = Net()
    changes = ops.Changes(net)
    for op in (
        ops.AddBox(name="h"),
        ops.AddNetns(box="h", id="h/p", label="p", name="p"),
        ops.AddVeth(netns="h", name="eth0", peer_netns="h/p", peer_name="eth0"),
        ops.SetLink(netns="h", name="eth0", up=True),
        ops.AddAddress(netns="h", device="eth0", address=Address(ifindex=0, addr=ip4("10.0.0.1"), length=24)),
        ops.AddDevice(netns="h", name="vx0", info=Vxlan(vni=9, remote=ip4("10.0.0.9")), lower="eth0"),
        ops.SetLink(netns="h", name="vx0", up=True),
        ops.SetVxlanFdb(netns="h", device="vx0", mac=MAC, remote=Remote(dst=ip4("10.0.0.3"))),
        ops.AddDevice(netns="h", name="out", info=Vxlan(vni=0, external=True, port=4789)),
        ops.SetLink(netns="h", name="out", up=True),
        ops.AddDevice(netns="h", name="mv", info=Macvlan(mode="bridge"), lower="eth0"),
        ops.AddDevice(netns="h", name="t0", info=Tun()),
        ops.LoadModule(box="h", module="ipip"),
    ):
        changes.do(op)
    return net


def vxlan(**fields: object) -> Vxlan:
    return Vxlan(vni=77, **fields)  # type: ignore[arg-type]


OPS: tuple[ops.Op, ...] = (
    ops.AddDevice(netns="h", name="x", info=vxlan(learning=False, local=ip4("10.0.0.1")), lower="eth0", mac=MAC),
    ops.AddDevice(netns="h", name="x", info=vxlan(port=4789, ttl=9, tos=4, df="set", ageing=20), mtu=1300),
    ops.AddDevice(netns="h", name="x", info=vxlan(ttl_inherit=True, tos=1, port_low=5, port_high=9), txqlen=10),
    ops.AddDevice(netns="h/p", name="x", info=vxlan(), lower="eth0", home="h"),
    ops.AddDevice(netns="h", name="x", info=Vxlan(vni=0, external=True, learning=False, port=4790)),
    ops.AddDevice(netns="h", name="x", info=Geneve(vni=5, remote=ip4("10.0.0.2"), df="inherit", udpcsum=True)),
    ops.AddDevice(netns="h", name="x", info=Geneve(vni=0, external=True, port=6082)),
    ops.AddDevice(netns="h", name="x", info=Ipip(local=ip4("10.0.0.1"), remote=ip4("10.0.0.2"), ttl=7), lower="eth0"),
    ops.AddDevice(netns="h", name="x", info=Ipip(remote=ip4("10.0.0.2"), tos=1, pmtudisc=False)),
    ops.AddDevice(netns="h", name="x", info=Macvlan(mode="private"), lower="eth0", mac=MAC),
    ops.AddDevice(netns="h/p", name="x", info=Macvlan(), lower="eth0", home="h"),
    ops.AddDevice(netns="h/p", name="x", info=Ipvlan(mode="l2", flag="private"), lower="eth0"),
    ops.AddDevice(netns="h", name="x", info=WireGuard()),
    ops.AddDevice(netns="h", name="x", info=Tun(mode="tap", user=5)),
    ops.AddLink(netns="h", name="ifb0", kind="ifb", txqlen=32),
    ops.SetDevice(netns="h", name="vx0", info=Vxlan(vni=9, remote=ip4("10.0.0.8"), ttl=3)),
    ops.SetDevice(netns="h", name="mv", info=Macvlan(mode="vepa")),
    ops.SetLink(netns="h", name="mv", netns_to="h/p", up=True),
    ops.SetLink(netns="h", name="vx0", netns_to="h/p"),
    ops.SetLink(netns="h", name="eth0", mtu=1300),
    ops.DelLink(netns="h", name="eth0"),
    ops.SetVxlanFdb(netns="h", device="vx0", mac=5, remote=Remote(dst=1, port=9, vni=4), state="static"),
    ops.SetVxlanFdb(netns="h", device="vx0", mac=0, remote=Remote(dst=2), mode="append"),
    ops.SetVxlanFdb(netns="h", device="vx0", mac=MAC, remote=Remote(dst=2), mode="replace", state=""),
    ops.SetVxlanFdb(netns="h", device="vx0", mac=MAC, mode="del"),
    ops.SetVxlanFdb(netns="h", device="out", mac=MAC, remote=Remote(dst=2), vni=8),
    ops.FlushVxlanFdb(netns="h", device="vx0"),
    ops.AddRoute(
        netns="h", dst=Prefix(ip4("9.0.0.0"), 8), device="out",
        encap=TunnelKey(id=3, dst=ip4("10.0.0.2"), ttl=5, tos=8, csum=True),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    "op", OPS, ids=lambda op: f"{type(op).__name__}-{type(getattr(op, 'info', None)).__name__}"
)
def test_the_words_do_what_the_op_does(op: ops.Op) -> None:
    by_op, by_words = machine(), machine()
    ops.apply(by_op, op)
    names = {"h": "", "h/p": "p"}
    for words in to_command(op, lambda id: names[id]):
        tool = {"ip": ip.run, "bridge": bridge.run}[words[0]]
        stdout, stderr, code = tool(by_words, "h", words[1:], ops.Changes(by_words).do)
        assert (stdout, stderr, code) == ("", "", 0), words
    assert rows(by_words) == rows(by_op)


def rows(net: Net) -> dict[str, object]:
    """Everything that devices leave in the Net; a MAC that was drawn for the name is the same on both sides."""
    return {
        id: (
            space.links, space.addresses, space.vxlan_fdb, space.tunnels, space.uppers, space.nsids,
            {n: list(t.routes()) for n, t in space.tables.items() if t.lengths},
        )
        for id, space in net.spaces.items()
    }  # fmt: skip


def test_words_of_wg() -> None:
    peer = WgPeer(key="K", endpoint=(ip4("1.2.3.4"), 5), allowed=((ip4("10.0.0.0"), 8),), keepalive=25)
    (words,) = to_command(
        ops.SetDevice(netns="h", name="wg0", info=WireGuard(port=7, peers=(peer,))), lambda id: ""
    )
    assert " ".join(words) == (
        "wg set wg0 listen-port 7 peer K endpoint 1.2.3.4:5 persistent-keepalive 25 allowed-ips 10.0.0.0/8"
    )
    with pytest.raises(NotModelled, match="private key"):
        to_command(ops.SetDevice(netns="h", name="wg0", info=WireGuard(private="k")), str)


REFUSED = (
    (ops.AddDevice(netns="h", name="x", info=Vxlan(vni=9)), "EEXIST"),
    (ops.AddDevice(netns="h", name="x", info=Macvlan(), lower=""), "EINVAL"),
    (ops.AddDevice(netns="h", name="x", info=Macvlan(), lower="lo"), "EINVAL"),
    (ops.AddDevice(netns="h", name="x", info=Macvlan(mode="passthru"), lower="eth0"), "EINVAL"),
    (ops.AddDevice(netns="h", name="x", info=Ipvlan(), lower="eth0"), "EBUSY"),
    (ops.AddDevice(netns="h", name="x", info=Macvlan(), lower="eth0", mtu=9000), "EINVAL"),
    (ops.AddDevice(netns="h", name="x", info=Ipip()), "EEXIST"),
    (ops.SetDevice(netns="h", name="vx0", info=Vxlan(vni=8)), "EOPNOTSUPP"),
    (ops.SetDevice(netns="h", name="eth0", info=Vxlan(vni=8)), "EOPNOTSUPP"),
    (ops.SetDevice(netns="h", name="mv", info=Macvlan(mode="passthru")), "EINVAL"),
    (ops.SetLink(netns="h", name="vx0", mtu=1500), "EINVAL"),
    (ops.SetLink(netns="h", name="mv", mtu=1501), "EINVAL"),
    (ops.SetLink(netns="h", name="tunl0", netns_to="h/p"), "EINVAL"),
    (ops.SetVxlanFdb(netns="h", device="eth0", mac=MAC, remote=Remote(dst=1)), "EOPNOTSUPP"),
    (ops.SetVxlanFdb(netns="h", device="vx0", mac=MAC, remote=Remote(dst=1)), "EEXIST"),
    (ops.SetVxlanFdb(netns="h", device="vx0", mac=0, remote=Remote(dst=1), mode="replace"), "EOPNOTSUPP"),
    (ops.SetVxlanFdb(netns="h", device="vx0", mac=1, mode="del"), "ENOENT"),
    (ops.SetVxlanFdb(netns="h", device="vx0", mac=1), "EINVAL"),
)


@pytest.mark.parametrize(("op", "errno"), REFUSED)
def test_a_refused_op_changes_nothing(op: ops.Op, errno: str) -> None:
    net = machine()
    before = rows(net)
    with pytest.raises(OpError) as caught:
        ops.apply(net, op)
    assert caught.value.errno == errno
    assert rows(net) == before


def test_two_kinds_on_one_port_cannot_both_be_up() -> None:
    net = machine()
    do = ops.Changes(net).do
    do(ops.AddDevice(netns="h", name="other", info=Vxlan(vni=0, external=True, learning=False)))
    with pytest.raises(OpError) as caught:
        do(ops.SetLink(netns="h", name="other", up=True))
    assert caught.value.errno == "EADDRINUSE"
    do(ops.SetLink(netns="h", name="vx0", up=False))
    do(ops.SetLink(netns="h", name="other", up=True))


def test_tunl0_comes_to_every_namespace_and_stays() -> None:
    net = machine()
    do = ops.Changes(net).do
    assert all(ns.link("tunl0") is not None for ns in net.spaces.values())
    do(ops.AddNetns(box="h", id="h/q", label="q", name="q"))
    assert net.spaces["h/q"].link("tunl0") is not None
    do(ops.DelLink(netns="h", name="tunl0"))
    assert net.spaces["h"].link("tunl0") is not None


def test_what_lies_on_a_device_goes_with_it() -> None:
    net = machine()
    do = ops.Changes(net).do
    do(ops.SetLink(netns="h", name="mv", netns_to="h/p"))
    do(ops.DelLink(netns="h", name="eth0"))
    assert net.spaces["h"].link("vx0") is None and net.spaces["h/p"].link("mv") is None
    assert not net.spaces["h"].uppers and not any(key[0] for key in net.spaces["h"].vxlan_fdb)
