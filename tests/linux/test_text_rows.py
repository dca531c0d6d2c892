"""Every row prints, parses and prints the same again; a strange line is refused in words, never with a traceback."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.linux import ops
from engine.linux.addr import Prefix, mask
from engine.linux.fib import ANY, LOCAL, MAIN, SCOPES, Nexthop, NexthopObject, Route, Rule
from engine.linux.net import Net, Netns
from engine.linux.rows import NUD, Address, FdbEntry, Neighbour, Socket
from engine.linux.text import address, fdb, link, neigh, nexthop, route, rule, socket
from engine.linux.text.services import port_number, service

ADDRESSES = st.integers(1, 0xFFFFFFFE)
MACS = st.integers(1, 0xFFFFFFFFFFFF)
LINES = st.text(max_size=40) | st.lists(
    st.sampled_from([
        "10.0.0.1", "default", "dev", "eth0", "via", "proto", "kernel", "scope", "link", "metric", "x", "1:", "from",
        "all", "lookup", "main", "lladdr", "02:00:00:00:00:01", "STALE", "inet", "10.0.0.1/24", "master", "br0", "<UP>",
        "tcp", "LISTEN", "0", "10.0.0.1:80", "0.0.0.0:*", "fwmark", "0x1/0xff", "not", "src", "blackhole", "link/ether",
    ])
).map(" ".join)  # fmt: skip


def machine() -> tuple[Net, Netns]:
    net = Net()
    changes = ops.Changes(net)
    changes.do(ops.AddBox(name="h"))
    changes.do(ops.AddLink(netns="h", name="br0", kind="bridge"))
    changes.do(ops.AddVeth(netns="h", name="eth0", peer_netns="h", peer_name="eth1"))
    changes.do(ops.SetLink(netns="h", name="eth1", master="br0"))
    return net, net.spaces["h"]


NET, NS = machine()


@st.composite
def prefixes(draw: st.DrawFn) -> Prefix:
    length = draw(st.integers(1, 32))
    return Prefix(draw(ADDRESSES) & mask(length), length)


ROUTES = st.builds(
    Route,
    dst=prefixes() | st.just(ANY),
    type=st.sampled_from(["unicast", "local", "broadcast", "blackhole", "unreachable", "prohibit", "throw"]),
    gateway=st.just(0) | ADDRESSES,
    oif=st.integers(0, 3),
    src=st.just(0) | ADDRESSES,
    metric=st.integers(0, 0xFFFFFFFF),
    proto=st.sampled_from(sorted(route.PROTOS.values())),
    scope=st.sampled_from(sorted(SCOPES)),
    onlink=st.booleans(),
    mtu=st.just(0) | st.integers(68, 65535),
    table=st.sampled_from([MAIN, LOCAL, 100, 0xFFFFFFFE]),
    tos=st.sampled_from([0, 4, 8, 0x10, 0x1C]),
    advmss=st.just(0) | st.integers(1, 65495),
    hoplimit=st.just(0) | st.integers(1, 255),
)
HOPS = st.builds(
    Nexthop, gateway=st.just(0) | ADDRESSES, oif=st.integers(1, 3), weight=st.integers(1, 256), onlink=st.booleans(),
    dead=st.booleans(),
)  # fmt: skip
MULTIPATH = st.builds(
    Route, dst=prefixes() | st.just(ANY), src=st.just(0) | ADDRESSES, metric=st.integers(0, 9),
    mtu=st.just(1400), mtu_lock=st.booleans(), nexthops=st.lists(HOPS, min_size=2, max_size=5).map(tuple),
)  # fmt: skip
GROUPS = st.lists(
    st.tuples(st.integers(1, 0xFFFFFFFF), st.integers(1, 256)),
    min_size=1,
    max_size=4,
    unique_by=lambda m: m[0],
).map(tuple)
OBJECTS = st.one_of(
    st.builds(NexthopObject, id=st.integers(1, 9), hop=HOPS.map(lambda hop: replace(hop, weight=1, dead=False)),
              scope=st.sampled_from(["link", "host"]), proto=st.sampled_from(["unspec", "static", "bgp"])),
    st.builds(NexthopObject, id=st.integers(1, 0xFFFFFFFF), blackhole=st.just(True)),
    st.builds(NexthopObject, id=st.integers(1, 9), group=GROUPS, proto=st.sampled_from(["unspec", "77"])),
)  # fmt: skip
RANGES = st.none() | st.tuples(st.integers(1, 99), st.integers(99, 65534))
RULES = st.builds(
    Rule,
    priority=st.integers(0, 0xFFFFFFFF),
    table=st.just(0),
    src=prefixes() | st.just(ANY),
    dst=prefixes() | st.just(ANY),
    iif=st.sampled_from(["", "eth0", "gone"]),
    oif=st.sampled_from(["", "eth0", "gone"]),
    fwmark=st.integers(0, 0xFFFFFFFF),
    fwmask=st.integers(1, 0xFFFFFFFF),
    action=st.sampled_from(["blackhole", "unreachable", "prohibit"]),
    proto=st.sampled_from(["unspec", "static", "bird"]),
    invert=st.booleans(),
) | st.builds(
    Rule, priority=st.integers(1, 999), table=st.integers(1, 300), fwmark=st.just(0), fwmask=st.just(0),
    tos=st.sampled_from([0, 4, 0x10]), ipproto=st.sampled_from([0, 1, 6, 17, 200]), sport=RANGES, dport=RANGES,
    uids=st.none() | st.tuples(st.integers(0, 9), st.integers(9, 0xFFFFFFFE)), suppress=st.integers(-1, 32),
) | st.builds(
    Rule, priority=st.integers(1, 9), table=st.just(0), action=st.just("goto"), target=st.integers(10, 99)
)  # fmt: skip


@given(ROUTES)
def test_route(row: Route) -> None:
    text = route.to_text(NS, row, table=True)
    assert route.parse(NS, text) == row
    assert route.to_text(NS, route.parse(NS, text), table=True) == text
    assert route.parse(NS, route.to_text(NS, row, down=True), table=row.table) == row


@given(MULTIPATH, st.sampled_from([" \n", " \\", "\n"]))
def test_route_with_several_ways(row: Route, join: str) -> None:
    text = route.to_text(NS, row, join=join)
    assert route.parse(NS, text) == row
    assert route.to_text(NS, route.parse(NS, text), join=join) == text


@given(OBJECTS)
def test_nexthop_object(row: NexthopObject) -> None:
    text = nexthop.to_text(NS, row)
    assert nexthop.parse(NS, text) == row
    assert nexthop.parse(NS, nexthop.to_text(NS, row, down=True)) == row


@given(RULES)
def test_rule(row: Rule) -> None:
    text = rule.to_text(row, NS)
    assert rule.parse(text) == row
    assert rule.to_text(rule.parse(text), NS) == text


@given(st.integers(0, 3).filter(bool), ADDRESSES, MACS | st.just(0), st.sampled_from(NUD))
def test_neighbour(index: int, ip: int, mac: int, state: str) -> None:
    row = Neighbour(ifindex=index, ip=ip, mac=mac, state=state)
    assert neigh.parse(NS, neigh.to_text(NS, row)) == row
    assert neigh.parse(NS, neigh.to_text(NS, row, hide=("dev",)), device=NS.links[index].name) == row


@given(st.integers(2, 3), ADDRESSES)
def test_proxied_address(index: int, ip: int) -> None:
    assert neigh.parse_proxy(NS, neigh.proxy_text(NS, (index, ip))) == (index, ip)


@given(MACS, st.sampled_from([(True, False), (False, True), (False, False)]))
def test_fdb(mac: int, kind: tuple[bool, bool]) -> None:
    row = FdbEntry(bridge=2, ifindex=3, mac=mac, local=kind[0], static=kind[1])
    assert fdb.parse(NS, fdb.to_text(NS, row)) == row


@given(
    ADDRESSES,
    st.integers(0, 32),
    st.just(0) | ADDRESSES,
    st.sampled_from(["global", "link", "host", "site"]),
    st.booleans(),
)
def test_address(addr: int, length: int, broadcast: int, scope: str, secondary: bool) -> None:
    row = Address(
        ifindex=3,
        addr=addr,
        length=length,
        broadcast=broadcast,
        scope=scope,
        label="eth0",
        secondary=secondary,
    )
    assert address.parse(address.to_text(row), ifindex=3) == row


@given(
    st.sampled_from(["tcp", "udp"]),
    st.just(0) | ADDRESSES,
    st.integers(1, 65535),
    st.integers(0, 99999),
    st.integers(3, 99),
)
def test_socket(proto: str, addr: int, port: int, backlog: int, fd: int) -> None:
    state = "LISTEN" if proto == "tcp" else "UNCONN"
    row = Socket(
        proto=proto,
        addr=addr,
        port=port,
        pid=1,
        state=state,
        fd=fd,
        backlog=backlog if proto == "tcp" else 4096,
    )
    assert socket.parse(socket.to_text(NET, NS, row)) == row


def test_link() -> None:
    for row in NS.links.values():
        shown = link.parse(link.to_text(NET, NS, row))
        assert (shown.ifindex, shown.name, shown.mtu, shown.mac) == (row.ifindex, row.name, row.mtu, row.mac)
        assert (shown.master, shown.qdisc) == ("br0" if row.master else "", row.qdisc)


@given(LINES)
def test_strange_lines_are_refused_in_words(line: str) -> None:
    for read in (
        lambda: route.parse(NS, line),
        lambda: rule.parse(line),
        lambda: nexthop.parse(NS, line),
        lambda: neigh.parse(NS, line),
        lambda: neigh.parse_proxy(NS, line),
        lambda: fdb.parse(NS, line),
        lambda: address.parse(line),
        lambda: link.parse(line + "\n" + line),
        lambda: socket.parse(line),
    ):
        try:
            read()
        except EngineError as error:
            assert error.text("en") and error.text("ko")


@pytest.mark.parametrize(("port", "name"), [(80, "http"), (53, "domain"), (10250, "10250"), (443, "https")])
def test_services(port: int, name: str) -> None:
    assert service(port, "tcp") == name
    assert port_number(name) == port
