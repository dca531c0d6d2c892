"""Rows read back: what the real tools print in the four wirings, read by the engine's own parsers, is the model's rows.

Every kind of row is compared as values, not as text. Left out, because they are chance or time: how fresh a neighbour
is, when an entry was seen, ipset's initval, handles and counters, which process holds a socket,
the sysctls of DIFFER. The text is that of recorded/rows.json (capture_rows.py), and where the kernel can be used, of
the kernel now.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from engine.linux import ops
from engine.linux.addr import ip4
from engine.linux.fib import MAIN
from engine.linux.ipset import command as ipset
from engine.linux.net import Net, Netns
from engine.linux.nft import command as nft
from engine.linux.nft.tables import Nft
from engine.linux.nft.text import Style, table_text
from engine.linux.rows import FdbEntry, Neighbour, Socket
from engine.linux.text import address, fdb, link, linkinfo, neigh, route, rule, socket
from engine.linux.xt import restore
from engine.linux.xt.tables import Xtables
from engine.shell.shell import Shell
from tests.real import capture_rows as capture
from tests.real import model, wirings
from tests.tools import need

FRESH = ("REACHABLE", "STALE", "DELAY", "PROBE")
#: sysctls that a machine's memory or its administrator decides: no namespace begins with the model's value everywhere
DIFFER = frozenset(
    {
        "net.ipv4.ping_group_range",  # systemd sets it
        "net.netfilter.nf_conntrack_count",  # IGMP is counted too
    }
)
#: the recorded kernel has no IPVS, and its conntrack was built without SCTP
NO_MODULE = ("net.ipv4.vs.", "net.netfilter.nf_conntrack_sctp_")
Rows = Iterable[object]


@cache
def built(name: str) -> Net:
    """The model's side: the same lines typed, the same pings sent, the same sockets open."""
    wiring = wirings.wiring(name)
    found = model.world([*wiring.lines, *capture.EXTRA])
    shell = Shell(found, f"node/{model.HOST}")
    for ns in found.net.spaces.values():  # as the stage of the capture does
        for device in ns.names:
            key = f"net.ipv4.neigh.{device.replace('.', '/')}.proxy_delay"
            found.do(ops.SetSysctl(netns=ns.id, key=key, value="0"))
    for where, line in capture.TRAFFIC:
        assert not shell.run(f"ip netns exec {where} {line.format(**wiring.addresses.pods)}").code
    for where, proto, at, port in capture.listening(name):
        state, backlog = ("LISTEN", 64) if proto == "tcp" else ("UNCONN", 4096)
        row = Socket(proto=proto, addr=ip4(at), port=port, pid=1, state=state, backlog=backlog)
        found.do(ops.Listen(netns=model.space(found.net, where).id, socket=row))
    return found.net


def blocks(text: str) -> Iterator[list[str]]:
    """The lines of each device in `ip link` and `ip addr`."""
    block: list[str] = []
    for line in text.splitlines():
        if line[:1].isdigit() and block:
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def link_rows(net: Net, ns: Netns, text: str) -> Iterator[tuple[object, ...]]:
    """A device as the text has it; what stands below or beyond is a name or an index."""
    for block in blocks(text):
        head = link.parse("\n".join(block[:2]))
        kind, info, lower, flags = "loopback", None, "", dict[str, bool]()
        for line in block[2:]:
            word = line.split()[0]
            if word == "bridge_slave":
                flags = linkinfo.parse_port(line)
            else:
                kind, (info, lower) = word, linkinfo.parse(line)
        other = "" if lower else head.other
        yield (
            head.ifindex, head.name, kind, head.mac, head.mtu, "UP" in head.flags, head.master, head.qdisc,
            head.txqlen, other, head.netns, info, lower, tuple(sorted(flags.items())),
        )  # fmt: skip


def model_links(net: Net, ns: Netns) -> Iterator[tuple[object, ...]]:
    for row in ns.links.values():
        far = link.other_end(net, row)
        other = lower = netns = ""
        if far is not None and row.info is None:
            other = far[1].name if far[0].id == ns.id else f"if{far[1].ifindex}"
            netns = "" if far[0].id == ns.id else model.names(net)[far[0].id]
        elif far is not None:
            lower = far[1].name
        master = ns.links[row.master].name if row.master else ""
        flags = {key: getattr(row, key) for key in linkinfo.PORT_FLAGS.values()} if row.master else {}
        yield (
            row.ifindex, row.name, row.kind, row.mac, row.mtu, row.up, master, row.qdisc,
            row.txqlen, other, netns, row.info, lower, tuple(sorted(flags.items())),
        )  # fmt: skip


def address_rows(net: Net, ns: Netns, text: str) -> Rows:
    for block in blocks(text):
        index = int(block[0].partition(":")[0])
        yield from (
            address.parse(line.strip(), ifindex=index) for line in block if line.strip().startswith("inet ")
        )


def route_rows(net: Net, ns: Netns, text: str) -> Rows:
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("\t"):
            lines[-1] += "\n" + line
        else:
            lines.append(line)
    return (route.parse(ns, line, table=MAIN) for line in lines)


def model_routes(net: Net, ns: Netns) -> Rows:
    return (row for table in ns.tables.values() for row in table.routes())


def neighbour_rows(net: Net, ns: Netns, text: str) -> Rows:
    return (settled(neigh.parse(ns, line)) for line in text.splitlines())


def settled(row: Neighbour) -> Neighbour:
    return replace(row, since=0.0, state="STALE" if row.state in FRESH else row.state)


def model_neighbours(net: Net, ns: Netns) -> Rows:
    return (settled(row) for row in ns.neighbours.values() if row.state != "NOARP")


def bridge_rows(net: Net, ns: Netns, text: str) -> Rows:
    for line in text.splitlines():
        own = fdb.parse_remote(ns, line)
        if own is not None and any(one.dst for one in own.remotes):
            yield own
        entry = fdb.parse(ns, line) if own is None else None
        if entry is not None and not by_itself(net, ns, entry):
            yield entry


def by_itself(net: Net, ns: Netns, row: FdbEntry) -> bool:
    """Learned from what only a real kernel sends unasked (IGMP): the address of the device behind that very port."""
    far = link.other_end(net, ns.links[row.ifindex])
    learned = not row.local and not row.static
    return learned and (row.bridge, row.mac) not in ns.fdb and far is not None and far[1].mac == row.mac


def model_bridge(net: Net, ns: Netns) -> Rows:
    yield from (replace(row, since=0.0) for row in ns.fdb.values())
    for row in ns.vxlan_fdb.values():
        yield from (replace(row, since=0.0, remotes=(one,)) for one in row.remotes)


def bare(net: Net, ns: Netns) -> tuple[Net, Netns, Callable[..., Any]]:
    """The same machine without a rule or set."""
    copy = net.copy()
    there = copy.spaces[ns.id]
    there.xt, there._ipsets, there.nft = Xtables(), None, Nft()
    return copy, there, ops.Changes(copy).do


def iptables_rows(net: Net, ns: Netns, text: str) -> Rows:
    copy, there, do = bare(net, ns)
    there._ipsets = ns.ipsets.copy()
    restore.restore_text(copy, ns.id, text, do)
    return xt_rows(copy, there)


def xt_rows(net: Net, ns: Netns) -> Rows:
    for table, chains in ns.xt.tables.items():
        for chain in chains.values():
            if chain.rules or chain.policy in ("", "DROP"):  # a save names all chains of a table's own
                yield table, chain.name, chain.policy
            yield from ((table, chain.name, at, each) for at, each in enumerate(chain.rules))


def set_rows(net: Net, ns: Netns, text: str) -> Rows:
    copy, there, do = bare(net, ns)
    ipset.restore_text(copy, ns.id, text, do)
    return model_sets(copy, there)


def model_sets(net: Net, ns: Netns) -> Rows:
    for one in ns.ipsets.sets.values():
        yield one.name, one.kind.name, replace(one.options, initval=0)
        yield from ((one.name, each) for each in one.entries)


def nft_rows(net: Net, ns: Netns, text: str) -> Rows:
    copy, there, do = bare(net, ns)
    out, err, code = nft.run(copy, ns.id, ["-f", "-"], do, lambda _: text)
    assert not code, out + err
    return model_nft(copy, there)


def model_nft(net: Net, ns: Netns) -> Rows:
    for table in ns.nft.tables.values():
        yield from enumerate(table_text(table, Style(names={})).splitlines())


def socket_rows(net: Net, ns: Netns, text: str) -> Rows:
    return (plain(socket.parse(line)) for line in text.splitlines())


def plain(row: Socket) -> Socket:
    return replace(row, pid=0, fd=3)


def model_sockets(net: Net, ns: Netns) -> Rows:
    return (plain(row.socket) for row in socket.listed(net, ns))


def sysctl_rows(net: Net, ns: Netns, text: str) -> Rows:
    for line in text.splitlines():
        key, _, value = line.partition(" = ")
        if key not in DIFFER and not key.startswith(NO_MODULE):
            yield key, value


def model_sysctls(net: Net, ns: Netns) -> Rows:
    for key in capture.names_asked():
        if key not in DIFFER and not key.startswith(NO_MODULE):
            try:
                yield key, ns.sysctl(key)
            except KeyError:
                continue


Reader = Callable[[Net, Netns, str], Rows]
Held = Callable[[Net, Netns], Rows]
#: kind -> (the tool, its text into rows, the model's rows)
KINDS: dict[str, tuple[str, Reader, Held]] = {
    "links": ("ip -d link", link_rows, model_links),
    "addresses": ("ip -4 addr", address_rows, lambda net, ns: (a for rows in ns.addresses.values() for a in rows)),
    "routes": ("ip route show table all", route_rows, model_routes),
    "rules": ("ip rule", lambda net, ns, text: map(rule.parse, text.splitlines()), lambda net, ns: ns.rules),
    "neighbours": ("ip neigh", neighbour_rows, model_neighbours),
    "proxies": (
        "ip neigh show proxy",
        lambda net, ns, text: (neigh.parse_proxy(ns, line) for line in text.splitlines()),
        lambda net, ns: ns.proxies,
    ),
    "bridge entries": ("bridge fdb", bridge_rows, model_bridge),
    "iptables": ("iptables-save", iptables_rows, xt_rows),
    "ipset": ("ipset save", set_rows, model_sets),
    "nft": ("nft list table ip lessons", nft_rows, model_nft),
    "sockets": ("ss -H -tuln", socket_rows, model_sockets),
    "sysctls": ("sysctl", sysctl_rows, model_sysctls),
}  # fmt: skip


def compared(name: str, kind: str, texts: dict[str, dict[str, str]]) -> int:
    """How many rows are equal on both sides; fails with those that are not."""
    net = built(name)
    tool, read, held = KINDS[kind]
    count = 0
    for where, text in texts.items():
        if tool in text:
            ns = model.space(net, where)
            real, ours = ({repr(row) for row in rows} for rows in (read(net, ns, text[tool]), held(net, ns)))
            lines = [f"{name} {where}: {tool}", *(f"real  {row}" for row in sorted(real - ours)),
                     *(f"model {row}" for row in sorted(ours - real))]  # fmt: skip
            assert real == ours, "\n".join(lines)
            count += len(real)
    return count


RECORDED: dict[str, Any] = json.loads(capture.FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", wirings.WIRINGS)
def test_recorded_text_is_the_models_rows(name: str, kind: str, record_property: Any) -> None:
    count = compared(name, kind, RECORDED[name])
    assert count
    record_property("kernel detail", (0, count, 0, 0))


@pytest.mark.parametrize("name", wirings.WIRINGS)
def test_the_kernels_text_is_the_models_rows(name: str, record_property: Any) -> None:
    need("userns", "ip", "bridge", "iptables", "ipset", "nft", "ss", "sysctl", "ping")
    texts = capture.captured(name)
    assert {where: sorted(text) for where, text in texts.items()} == {
        where: sorted(text) for where, text in RECORDED[name].items()
    }, "record anew: capture_rows.py"
    record_property("kernel detail", (0, sum(compared(name, kind, texts) for kind in KINDS), 0, 0))
