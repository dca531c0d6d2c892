"""An op and the words of its real command do the same: the words are run by the lab's own tools on a copy."""

from __future__ import annotations

import pytest

from engine.errors import NotModelled
from engine.linux import ops
from engine.linux.addr import Prefix, ip4
from engine.linux.net import Net
from engine.linux.ops.commands import to_command
from engine.linux.rows import Address, FdbEntry, Neighbour
from engine.shell.tools import bridge, ip

TEN = Prefix(ip4("10.0.0.0"), 8)
FAR = Prefix(ip4("9.9.0.0"), 16)


def machine() -> Net:
    """`h` with a bridge, a veth into namespace p, addresses, a neighbour, an entry, routes and rules."""
    net = Net()
    changes = ops.Changes(net)
    for op in (
        ops.AddBox(name="h"),
        ops.AddNetns(box="h", id="h/p", label="p", name="p"),
        ops.AddLink(netns="h", name="br0", kind="bridge", mac=0x020000000001),
        ops.AddVeth(netns="h", name="v", peer_netns="h/p", peer_name="eth0"),
        ops.SetLink(netns="h", name="v", master="br0", up=True),
        ops.SetLink(netns="h", name="br0", up=True),
        ops.SetLink(netns="h/p", name="eth0", up=True),
        ops.AddAddress(netns="h", device="br0", address=Address(ifindex=0, addr=ip4("10.0.0.1"), length=24)),
        ops.AddAddress(
            netns="h/p", device="eth0", address=Address(ifindex=0, addr=ip4("10.0.0.2"), length=24)
        ),
        ops.AddRoute(netns="h", dst=FAR, gateway=ip4("10.0.0.2")),
        ops.AddRule(netns="h", table=100, fwmark=7, fwmask=0xFF),
        ops.SetNexthop(netns="h", id=1, device="br0"),
        ops.SetNexthop(netns="h", id=2, gateway=ip4("10.0.0.2"), device="br0"),
        ops.AddRoute(netns="h", dst=Prefix(ip4("9.8.0.0"), 16), nhid=1),
        ops.SetNeighbour(
            netns="h",
            device="br0",
            neighbour=Neighbour(ifindex=0, ip=ip4("10.0.0.7"), mac=5 << 8, state="STALE"),
        ),
        ops.SetFdb(
            netns="h", device="v", entry=FdbEntry(bridge=0, ifindex=0, mac=0x020000000009, static=True)
        ),
    ):
        changes.do(op)
    return net


def new(last: int, **fields: object) -> Address:
    return Address(ifindex=0, addr=ip4(f"10.7.0.{last}"), length=24, **fields)  # type: ignore[arg-type]


def near(state: str, last: int = 9) -> Neighbour:
    return Neighbour(ifindex=0, ip=ip4(f"10.0.0.{last}"), mac=0x0200000000AA, state=state)


MAC = 0x0200000000BB
BY_HAND = FdbEntry(bridge=0, ifindex=0, mac=MAC, local=True, static=True)
OPS: tuple[ops.Op, ...] = (
    ops.AddLink(netns="h/p", name="br9", kind="bridge", mac=0x020000000099, mtu=1400),
    ops.AddVeth(netns="h", name="a", peer_netns="h", peer_name="b", mtu=1400),
    ops.AddVeth(netns="h", name="a", peer_netns="h/p", peer_name="b", peer_mtu=1300, mac=MAC),
    ops.AddVeth(netns="h/p", name="a", peer_netns="h/p", peer_name="b"),
    ops.AddLink(netns="h", name="docker0", kind="bridge", txqlen=0),
    ops.AddVeth(netns="h", name="a", peer_netns="h/p", peer_name="b", txqlen=0),
    ops.SetLink(netns="h", name="v", txqlen=500),
    ops.DelLink(netns="h/p", name="eth0"),
    ops.SetLink(netns="h", name="v", up=False, mtu=1300, mac=MAC, new_name="w"),
    ops.SetLink(netns="h", name="v", master=""),
    ops.SetLink(netns="h", name="v", hairpin=True, isolated=True, learning=False, flood=False),
    ops.SetLink(netns="h", name="br0", ageing=30, promisc=True),
    ops.SetLink(netns="h", name="v", netns_to="h/p", new_name="x", up=True),
    ops.AddAddress(netns="h", device="br0", address=new(1, broadcast=ip4("10.7.0.255"), label="br0:1")),
    ops.AddAddress(netns="h/p", device="eth0", address=new(2, scope="link")),
    ops.DelAddress(netns="h", device="br0", addr=ip4("10.0.0.1"), length=24),
    ops.FlushAddresses(netns="h", device="br0", scope="global", to=TEN),
    ops.AddRoute(netns="h/p", dst=Prefix(0, 0), gateway=ip4("10.0.0.1"), metric=5, proto="static", mtu=1400),
    ops.AddRoute(netns="h", dst=FAR, gateway=ip4("10.0.0.3"), device="br0", mode="append", src=ip4("10.0.0.1")),
    ops.AddRoute(netns="h", dst=FAR, device="br0", mode="replace", scope="global", table=100),
    ops.AddRoute(netns="h", dst=FAR, type="blackhole", table=200),
    ops.AddRoute(netns="h", dst=TEN, gateway=ip4("7.7.7.7"), device="br0", onlink=True),
    ops.DelRoute(netns="h", dst=FAR, gateway=ip4("10.0.0.2"), device="br0", proto="boot", scope="global"),
    ops.FlushRoutes(netns="h", root=TEN, proto="kernel"),
    ops.FlushRoutes(netns="h", table=-1, device="br0"),
    ops.FlushRoutes(netns="h"),
    ops.AddRule(netns="h", src=TEN, dst=FAR, iif="br0", oif="v", table=7, priority=3, invert=True),
    ops.AddRule(netns="h", fwmark=1, action="prohibit", proto="static"),
    ops.AddRule(netns="h", tos=0x10, ipproto=6, sport=(1, 9), dport=(80, 80), uids=(0, 5), suppress=8, priority=4),
    ops.AddRule(netns="h", action="goto", target=900, priority=4),
    ops.AddRule(netns="h", action="nop", priority=5, ipproto=200),
    ops.AddRoute(
        netns="h", dst=TEN, mtu=1400, mtu_lock=True, advmss=1000, hoplimit=9, tos=8, metric=3,
        nexthops=(ops.Way(gateway=ip4("10.0.0.2"), weight=3), ops.Way(device="br0"),
                  ops.Way(gateway=ip4("1.2.3.4"), device="br0", onlink=True)),
    ),
    ops.SetNexthop(netns="h", id=4, gateway=ip4("10.0.0.2"), device="br0", proto="static"),
    ops.SetNexthop(netns="h", gateway=ip4("1.2.3.4"), device="br0", onlink=True),
    ops.SetNexthop(netns="h", id=1, blackhole=True, replace=True),
    ops.SetNexthop(netns="h", id=9, group=((1, 1), (2, 5))),
    ops.DelNexthop(netns="h", id=2),
    ops.SetProxy(netns="h", device="br0", ip=ip4("10.0.0.77")),
    ops.AddRoute(netns="h", dst=TEN, nhid=1),
    ops.DelRoute(netns="h", dst=Prefix(ip4("9.8.0.0"), 16), nhid=1),
    ops.DelRule(netns="h", fwmark=7, fwmask=0xFF, table=100),
    ops.DelRule(netns="h", priority=32766),
    ops.FlushRules(netns="h"),
    ops.SetNeighbour(netns="h", device="br0", neighbour=near("PERMANENT"), replace=False),
    ops.SetNeighbour(netns="h", device="br0", neighbour=near("STALE", 7), create=False),
    ops.SetNeighbour(netns="h", device="br0", neighbour=near("REACHABLE")),
    ops.DelNeighbour(netns="h", device="br0", ip=ip4("10.0.0.7")),
    ops.FlushNeighbours(netns="h", device="br0"),
    ops.FlushNeighbours(netns="h", to=TEN, states=("STALE", "REACHABLE")),
    ops.SetFdb(netns="h", device="v", entry=FdbEntry(bridge=0, ifindex=0, mac=MAC, static=True)),
    ops.SetFdb(netns="h", device="v", entry=BY_HAND, replace=False),
    ops.SetFdb(netns="h", device="v", entry=FdbEntry(bridge=0, ifindex=0, mac=0x020000000009), gone=True),
    ops.AddNetns(box="h", id="h/q", label="q", name="q"),
    ops.DelNetns(box="h", name="p"),
)  # fmt: skip


@pytest.mark.parametrize("op", OPS, ids=lambda op: type(op).__name__)
def test_the_words_do_what_the_op_does(op: ops.Op) -> None:
    by_op, by_words = machine(), machine()
    ops.apply(by_op, op)
    names = {"h": "", "h/p": "p"}
    for words in to_command(op, lambda id: names[id]):
        do = ops.Changes(by_words).do
        tool = {"ip": ip.run, "bridge": bridge.run}[words[0]]
        stdout, stderr, code = tool(by_words, "h", words[1:], do)
        assert (stdout, stderr, code) == ("", "", 0), words
    assert rows(by_words) == rows(by_op)


def rows(net: Net) -> dict[str, object]:
    """Everything in the Net, order of rows included."""
    return {
        id: (
            space.links, space.addresses, {n: list(t.routes()) for n, t in space.tables.items() if t.lengths},
            space.rules, space.neighbours, space.fdb, space.nsids,
        )
        for id, space in net.spaces.items()
    }  # fmt: skip


def test_what_no_command_does_is_said() -> None:
    with pytest.raises(NotModelled, match="AddBox"):
        to_command(ops.AddBox(name="x"), str)
