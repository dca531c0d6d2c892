"""Links, addresses and neighbours: what follows from a change, across namespaces and cables."""

from __future__ import annotations

import pytest

from engine.errors import OpError
from engine.linux import ops
from engine.linux.addr import Prefix, ip4, text4
from engine.linux.fib import LOCAL, MAIN
from engine.linux.net import Net, Netns
from engine.linux.rows import Address, FdbEntry, Link, Neighbour
from engine.linux.status import carrier, operstate


class Lab:
    """A machine `h` with a namespace `h/p` named p, and short words for ops."""

    def __init__(self) -> None:
        self.net = Net()
        self.changes = ops.Changes(self.net)
        self.do(ops.AddBox(name="h"))
        self.do(ops.AddNetns(box="h", id="h/p", label="p", name="p"))

    def do(self, op: ops.Op) -> None:
        self.changes.do(op)

    def ns(self, id: str = "h") -> Netns:
        return self.net.spaces[id]

    def link(self, name: str, id: str = "h") -> Link:
        row = self.ns(id).link(name)
        assert row is not None
        return row

    def up(self, name: str, id: str = "h") -> None:
        self.do(ops.SetLink(netns=id, name=name, up=True))

    def address(self, text: str, device: str, id: str = "h") -> None:
        prefix = Prefix.parse(text, host_bits=True)
        row = Address(ifindex=0, addr=prefix.addr, length=prefix.length)
        self.do(ops.AddAddress(netns=id, device=device, address=row))

    def routes(self, id: str = "h", table: int = MAIN) -> list[str]:
        return [str(r.dst) for r in self.ns(id).tables[table].routes()]

    def refuses(self, op: ops.Op) -> str:
        """The refusal's words; the Net must be as it was."""
        before = repr(self.net)
        with pytest.raises(OpError) as error:
            self.do(op)
        assert repr(self.net) == before
        return error.value.tool_text


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_veth_into_another_namespace_names_both(lab: Lab) -> None:
    lab.do(ops.AddVeth(netns="h", name="v", peer_netns="h/p", peer_name="eth0"))
    assert lab.link("v").peer == ("h/p", 2)
    assert lab.link("eth0", "h/p").peer == ("h", 2)
    assert lab.ns("h").nsids == {"h/p": 0}
    assert lab.ns("h/p").nsids == {"h": 0}


def test_a_peer_takes_the_lower_index(lab: Lab) -> None:
    lab.do(ops.AddVeth(netns="h", name="v", peer_netns="h", peer_name="w"))
    assert (lab.link("w").ifindex, lab.link("v").ifindex) == (2, 3)


def test_moved_link_is_bare_and_keeps_a_free_index(lab: Lab) -> None:
    lab.do(ops.AddLink(netns="h", name="br0", kind="bridge"))
    lab.do(ops.AddVeth(netns="h", name="v", peer_netns="h", peer_name="w"))
    lab.do(ops.SetLink(netns="h", name="w", master="br0", up=True))
    lab.up("v")
    lab.address("10.0.0.1/24", "w")
    lab.do(ops.SetLink(netns="h", name="w", netns_to="h/p", new_name="eth0"))
    moved = lab.link("eth0", "h/p")
    assert (moved.ifindex, moved.up, moved.master) == (3, False, 0)
    assert lab.link("v").peer == ("h/p", 3)
    assert not lab.ns("h/p").addresses
    assert "10.0.0.0/24" not in lab.routes()
    assert operstate(lab.net, lab.ns(), lab.link("v")) == "DOWN"


def test_moved_link_gets_another_index_where_its_own_is_taken(lab: Lab) -> None:
    lab.do(ops.AddLink(netns="h/p", name="d0", kind="dummy"))
    lab.do(ops.AddVeth(netns="h", name="v", peer_netns="h", peer_name="w"))
    lab.do(ops.SetLink(netns="h", name="w", netns_to="h/p"))
    assert lab.link("w", "h/p").ifindex == 3


def test_deleting_one_end_deletes_the_other(lab: Lab) -> None:
    lab.do(ops.AddVeth(netns="h", name="v", peer_netns="h/p", peer_name="eth0"))
    lab.up("eth0", "h/p")
    lab.address("10.0.0.2/24", "eth0", "h/p")
    lab.do(ops.DelLink(netns="h", name="v"))
    assert list(lab.ns("h/p").names) == ["lo"]
    assert lab.routes("h/p") == []
    assert lab.routes("h/p", LOCAL) == []


def test_a_namespace_takes_its_veths_along(lab: Lab) -> None:
    lab.do(ops.AddVeth(netns="h", name="v", peer_netns="h/p", peer_name="eth0"))
    lab.do(ops.DelNetns(box="h", name="p"))
    assert list(lab.ns().names) == ["lo"]
    assert lab.ns().nsids == {}
    assert list(lab.net.spaces) == ["h"]


def test_a_namespace_gives_a_physical_device_back(lab: Lab) -> None:
    lab.do(ops.AddLink(netns="h", name="eth1", kind="physical"))
    lab.do(ops.SetLink(netns="h", name="eth1", netns_to="h/p"))
    assert "eth1" not in lab.ns().names
    lab.do(ops.DelNetns(box="h", name="p"))
    assert lab.link("eth1").kind == "physical"


def test_a_cable_is_closed_by_whoever_comes_second(lab: Lab) -> None:
    lab.do(ops.AddBox(name="switch", role="switch"))
    lab.do(ops.AddLink(netns="switch", name="port", kind="physical"))
    lab.do(ops.AddLink(netns="h", name="eth0", kind="physical", peer=("switch", 2)))
    assert lab.link("port", "switch").peer == ("h", 2)
    lab.up("eth0")
    assert not carrier(lab.net, lab.ns(), lab.link("eth0"))
    lab.up("port", "switch")
    assert operstate(lab.net, lab.ns(), lab.link("eth0")) == "UP"
    assert lab.link("eth0").qdisc == "fq_codel"
    assert "cable" in lab.refuses(ops.AddLink(netns="h", name="eth1", kind="physical", peer=("switch", 2)))


def test_bridge_follows_its_ports(lab: Lab) -> None:
    lab.do(ops.AddLink(netns="h", name="br0", kind="bridge"))
    lab.up("br0")
    assert operstate(lab.net, lab.ns(), lab.link("br0")) == "UNKNOWN"
    for name, mac, mtu in (("a", 0x020000000009, 1500), ("b", 0x020000000005, 1400)):
        lab.do(ops.AddVeth(netns="h", name=name, peer_netns="h/p", peer_name=name, mac=mac, mtu=mtu))
        lab.do(ops.SetLink(netns="h", name=name, master="br0"))
    assert (lab.link("br0").mac, lab.link("br0").mtu) == (0x020000000005, 1400)
    assert operstate(lab.net, lab.ns(), lab.link("br0")) == "DOWN"
    lab.up("a")
    lab.up("a", "h/p")
    assert operstate(lab.net, lab.ns(), lab.link("br0")) == "UP"
    lab.do(ops.SetLink(netns="h", name="b", master=""))
    assert (lab.link("br0").mac, lab.link("br0").mtu) == (0x020000000009, 1500)
    lab.do(ops.SetLink(netns="h", name="br0", mac=0x0200000000FF, mtu=1300))
    lab.do(ops.SetLink(netns="h", name="b", master="br0"))
    assert (lab.link("br0").mac, lab.link("br0").mtu) == (0x0200000000FF, 1300)


def test_what_a_port_learned_goes_with_its_carrier(lab: Lab) -> None:
    lab.do(ops.AddLink(netns="h", name="br0", kind="bridge"))
    lab.do(ops.AddVeth(netns="h", name="v", peer_netns="h/p", peer_name="eth0"))
    lab.do(ops.SetLink(netns="h", name="v", master="br0", up=True))
    for device, id in (("br0", "h"), ("eth0", "h/p")):
        lab.up(device, id)
    port = lab.link("v").ifindex
    learned = FdbEntry(bridge=2, ifindex=port, mac=0x020000000001, since=1.0)
    static = FdbEntry(bridge=2, ifindex=port, mac=0x020000000002, static=True)
    lab.ns().fdb[(2, learned.mac)] = learned
    lab.do(ops.SetFdb(netns="h", device="v", entry=static))
    lab.address("10.0.0.1/24", "br0")
    mac = 0x020000000033
    for last, state in ((2, "REACHABLE"), (3, "PERMANENT")):
        row = Neighbour(ifindex=0, ip=ip4(f"10.0.0.{last}"), mac=mac, state=state)
        lab.do(ops.SetNeighbour(netns="h", device="br0", neighbour=row))
    lab.do(ops.SetLink(netns="h/p", name="eth0", up=False))
    assert (2, learned.mac) not in lab.ns().fdb
    assert (2, static.mac) in lab.ns().fdb
    assert [text4(key[1]) for key in lab.ns().neighbours] == ["10.0.0.3"]


def test_down_takes_routes_and_up_gives_the_connected_ones_back(lab: Lab) -> None:
    lab.do(ops.AddVeth(netns="h", name="v", peer_netns="h/p", peer_name="eth0"))
    lab.up("v")
    lab.address("10.0.0.1/24", "v")
    lab.do(ops.AddRoute(netns="h", dst=Prefix(0, 0), gateway=ip4("10.0.0.2")))
    assert lab.routes() == ["0.0.0.0/0", "10.0.0.0/24"]
    lab.do(ops.SetLink(netns="h", name="v", up=False))
    assert lab.routes() == []
    assert "10.0.0.1/32" in lab.routes(table=LOCAL)
    lab.up("v")
    assert lab.routes() == ["10.0.0.0/24"]
    assert "10.0.0.255/32" in lab.routes(table=LOCAL)


def test_sysctls_of_a_device_follow_its_name_and_die_with_it(lab: Lab) -> None:
    lab.do(ops.AddVeth(netns="h", name="v.1", peer_netns="h/p", peer_name="eth0"))
    lab.ns().sysctls["net.ipv4.conf.v/1.rp_filter"] = "1"
    lab.do(ops.SetLink(netns="h", name="v.1", new_name="w"))
    assert lab.ns().sysctls == {"net.ipv4.conf.w.rp_filter": "1"}
    assert lab.ns().conf("w", "rp_filter") == 1
    lab.do(ops.DelLink(netns="h", name="w"))
    assert lab.ns().sysctls == {}


def test_refusals_change_nothing(lab: Lab) -> None:
    lab.do(ops.AddVeth(netns="h", name="v", peer_netns="h/p", peer_name="eth0"))
    lab.do(ops.AddLink(netns="h", name="br0", kind="bridge"))
    exists = "RTNETLINK answers: File exists"
    assert lab.refuses(ops.AddLink(netns="h", name="v", kind="bridge")) == exists
    assert lab.refuses(ops.AddVeth(netns="h", name="x", peer_netns="h/p", peer_name="eth0")) == exists
    assert lab.refuses(ops.SetLink(netns="h", name="v", mtu=9000, new_name="br0", up=True)) == exists
    assert lab.refuses(ops.SetLink(netns="h", name="nope", up=True)) == 'Cannot find device "nope"'
    assert "immutable" in lab.refuses(ops.SetLink(netns="h", name="br0", netns_to="h/p"))
    assert "not a valid ifname" in lab.refuses(ops.SetLink(netns="h", name="v", mtu=1400, new_name="a/b"))
    assert "less than device minimum" in lab.refuses(ops.SetLink(netns="h", name="v", up=True, mtu=10))
    assert "wrong: Device does not exist" in lab.refuses(
        ops.SetLink(netns="h", name="v", up=True, master="x")
    )
    assert "not supported" in lab.refuses(ops.SetLink(netns="h", name="v", up=True, hairpin=True))
    assert "not found" in lab.refuses(ops.DelAddress(netns="h", device="v", addr=1 << 24, length=8))


def test_made_macs_are_local_and_stay(lab: Lab) -> None:
    mac = ops.make_mac("h", "eth0")
    assert mac == ops.make_mac("h", "eth0") != ops.make_mac("h/p", "eth0")
    assert (mac >> 40) & 3 == 2


def test_a_copy_shares_nothing_that_changes(lab: Lab) -> None:
    lab.do(ops.AddVeth(netns="h", name="v", peer_netns="h/p", peer_name="eth0"))
    other = lab.net.copy()
    before = repr(lab.net)
    changes = ops.Changes(other)
    changes.do(ops.SetLink(netns="h", name="v", up=True))
    row = Address(ifindex=0, addr=ip4("10.0.0.1"), length=24)
    changes.do(ops.AddAddress(netns="h", device="v", address=row))
    changes.do(ops.AddRule(netns="h", table=100))
    changes.do(ops.DelNetns(box="h", name="p"))
    assert repr(lab.net) == before
