"""What the tools print of devices and of VXLAN entries is read back as it was: hypothesis draws the rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError, NotModelled
from engine.linux.linkinfo import Geneve, Ipip, Ipvlan, LinkInfo, Macvlan, Tun, Vxlan, WireGuard
from engine.linux.net import Net, Netns
from engine.linux.ops import AddBox, AddDevice, AddLink, Changes, SetVxlanFdb
from engine.linux.rows import Remote, VxlanFdb
from engine.linux.text import fdb as fdb_text
from engine.linux.text import linkinfo

ADDRESS = st.integers(0x01000001, 0xDFFFFFFE)
PORT = st.integers(1, 65535)
VNI = st.integers(0, (1 << 24) - 1)
TTL = st.integers(0, 255)
DF = st.sampled_from(["unset", "inherit", "set"])
TOS = st.integers(0, 63).map(lambda n: n * 4) | st.just(1)
VXLAN = st.builds(
    Vxlan, vni=VNI, local=st.just(0) | ADDRESS, remote=st.just(0) | ADDRESS, port=PORT, port_low=PORT, port_high=PORT,
    learning=st.booleans(), ttl=TTL, tos=TOS, df=DF, ageing=st.integers(0, 9999), udpcsum=st.booleans(),
    proxy=st.booleans(), l2miss=st.booleans(), l3miss=st.booleans(),
)  # fmt: skip
EXTERNAL = st.builds(
    Vxlan, vni=st.just(0), external=st.just(True), learning=st.just(False), ttl_inherit=st.booleans()
)
GENEVE = st.builds(
    Geneve, vni=VNI, remote=ADDRESS, port=PORT, ttl=TTL, tos=TOS, df=DF, udpcsum=st.booleans()
) | st.builds(Geneve, vni=st.just(0), external=st.just(True), ttl_inherit=st.booleans())
IPIP = st.builds(
    Ipip, local=st.just(0) | ADDRESS, remote=st.just(0) | ADDRESS, ttl=TTL, tos=TOS, external=st.booleans()
) | st.builds(Ipip, remote=ADDRESS, pmtudisc=st.just(False))
OTHERS = st.one_of(
    st.builds(Macvlan, mode=st.sampled_from(["vepa", "bridge", "private", "passthru"])),
    st.builds(
        Ipvlan, mode=st.sampled_from(["l2", "l3", "l3s"]), flag=st.sampled_from(["bridge", "private", "vepa"])
    ),
    st.builds(
        Tun, mode=st.sampled_from(["tun", "tap"]), user=st.integers(-1, 70000), group=st.integers(-1, 70000)
    ),
    st.just(WireGuard()),
)


def machine() -> tuple[Net, Netns, Changes]:
    net = Net()
    changes = Changes(net)
    changes.do(AddBox(name="h"))
    changes.do(AddLink(netns="h", name="eth0", kind="bridge"))
    return net, net.spaces["h"], changes


@settings(max_examples=150, deadline=None)
@given(st.one_of(VXLAN, EXTERNAL, GENEVE, IPIP, OTHERS), st.booleans())
def test_a_kind_is_read_back(info: LinkInfo, bound: bool) -> None:
    net, ns, changes = machine()
    needs = isinstance(info, Macvlan | Ipvlan)
    lower = "eth0" if needs or (bound and isinstance(info, Vxlan | Ipip)) else ""
    changes.do(AddLink(netns="h", name="eth1", kind="dummy"))
    net.boxes["h"].modules.add("ipip")
    changes.do(AddDevice(netns="h", name="x", info=info, lower=lower))
    link = ns.links[ns.names["x"]]
    line = linkinfo.details(net, ns, link).split("\n    ")[1]
    read, below = linkinfo.parse(line)
    assert read == replace(info)
    assert below == ("" if needs else lower)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, (1 << 48) - 1), ADDRESS, st.just(0) | PORT, st.just(0) | VNI, st.booleans(),
    st.sampled_from(["permanent", "static", ""]),
)  # fmt: skip
def test_an_entry_is_read_back(mac: int, dst: int, port: int, vni: int, via: bool, state: str) -> None:
    _, ns, changes = machine()
    changes.do(AddDevice(netns="h", name="vx", info=Vxlan(vni=77)))
    index = ns.names["vx"]
    remote = Remote(dst=dst, port=port, vni=vni, via=ns.names["eth0"] if via else 0)
    row = VxlanFdb(
        ifindex=index, mac=mac, remotes=(remote,), permanent=state == "permanent", static=state == "static"
    )
    assert fdb_text.parse_remote(ns, fdb_text.remote_text(ns, row, remote)) == row


@pytest.mark.parametrize(
    "line", ["", "vxlan id", "vxlan id x", "macvlan mode", "tun type", "vxlan id 99999999"]
)
def test_a_line_that_is_none(line: str) -> None:
    with pytest.raises(InputError):
        linkinfo.parse(line)


@pytest.mark.parametrize("line", ["vxlan id 1 gbp", "gre remote any", "geneve id 1 flowlabel 2"])
def test_what_is_not_modelled_is_named(line: str) -> None:
    with pytest.raises(NotModelled):
        linkinfo.parse(line)


def test_learning_moves_only_the_first_remote() -> None:
    """What `append` made is a list; a learned move changes its head (vxlan_snoop)."""
    _, ns, changes = machine()
    changes.do(AddDevice(netns="h", name="vx", info=Vxlan(vni=7)))
    for dst in (1, 2):
        changes.do(SetVxlanFdb(netns="h", device="vx", mac=0, remote=Remote(dst=dst), mode="append"))
    (row,) = ns.vxlan_fdb.values()
    assert [one.dst for one in row.remotes] == [1, 2]
