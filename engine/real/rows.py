"""Rows read back: what the real tools print in the built namespaces against the model's own rows.

Rules. Lines are compared as sets per namespace and per kind, in the tools' own words. Left out on both sides: what the
kernel keeps for IPv6 and multicast, counters, and the names that a veth's far end has.
"""

from __future__ import annotations

from engine.linux.addr import mac_text
from engine.linux.net import Net, Netns
from engine.linux.text import address as address_text
from engine.linux.text import route as route_text
from engine.linux.text import rule as rule_text
from engine.real.kernel import Kernel
from engine.record import dataclass

KINDS = ("link", "address", "route", "rule", "iptables")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsCompared:
    """One kind of row in one namespace: lines that only one side has."""

    netns: str
    kind: str
    count: int
    only_model: tuple[str, ...]
    only_kernel: tuple[str, ...]

    @property
    def same(self) -> bool:
        return not self.only_model and not self.only_kernel


def model_rows(ns: Netns, kind: str) -> set[str]:
    """The model's rows of one kind as lines."""
    if kind == "link":
        return {
            f"{link.name} {mac_text(link.mac)} mtu {link.mtu} {'up' if link.up else 'down'}"
            + (f" master {ns.links[link.master].name}" if link.master else "")
            for link in ns.links.values()
        }
    if kind == "address":
        return {
            f"{ns.links[i].name} {address_text.to_text(row)}"
            for i, rows in ns.addresses.items()
            for row in rows
        }
    if kind == "route":
        lines = {route_text.to_text(ns, r, table=True) for t in ns.tables.values() for r in t.routes()}
        return {line for line in lines if not line.endswith("linkdown")}
    if kind == "rule":
        return {rule_text.to_text(rule).replace("\t", " ") for rule in ns.rules}
    return {
        f"{t} {r.text(c.name)}"
        for t, chains in ns.xt.tables.items()
        for c in chains.values()
        for r in c.rules
    }


def kernel_rows(kernel: Kernel, ns: Netns, kind: str) -> set[str]:
    """The kernel's rows of one kind, from the real tools."""
    if kind == "link":
        return {line for line in map(_link, kernel.read(ns.id, "ip", "-o", "link").splitlines()) if line}
    if kind == "address":
        out = set()
        for line in kernel.read(ns.id, "ip", "-4", "-o", "addr").splitlines():
            words = line.split("\\")[0].split()
            out.add(" ".join([words[1], *words[2:]]))
        return out
    if kind == "route":
        lines = (
            " ".join(x.split())
            for x in kernel.read(ns.id, "ip", "route", "show", "table", "all").splitlines()
        )
        return {line.removesuffix(" linkdown") for line in lines}
    if kind == "rule":
        return {line.replace("\t", " ").strip() for line in kernel.read(ns.id, "ip", "rule").splitlines()}
    out, table = set(), ""
    for line in kernel.read(ns.id, "iptables-legacy-save").splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("-A ") and not line.endswith("-j TRACE"):
            out.add(f"{table} {line.strip()}")
    return out


def _link(line: str) -> str:
    """`2: eth0@if3: <...,UP> mtu 1500 ... master br0 ...\\    link/ether MAC ...` in the words of `model_rows`."""
    words = line.split()
    name = words[1].rstrip(":").split("@")[0]
    flags = words[2].strip("<>").split(",")
    mac = words[words.index("link/ether") + 1] if "link/ether" in words else "00:00:00:00:00:00"
    master = f" master {words[words.index('master') + 1]}" if "master" in words else ""
    return f"{name} {mac} mtu {words[words.index('mtu') + 1]} {'up' if 'UP' in flags else 'down'}{master}"


def compare_rows(kernel: Kernel, net: Net) -> list[RowsCompared]:
    """Every kind in every namespace."""
    out = []
    for ns in net.spaces.values():
        for kind in KINDS:
            if kind == "iptables" and not ns.xt.tables:
                continue
            ours, theirs = model_rows(ns, kind), kernel_rows(kernel, ns, kind)
            out.append(
                RowsCompared(
                    netns=ns.id,
                    kind=kind,
                    count=len(ours),
                    only_model=tuple(sorted(ours - theirs)),
                    only_kernel=tuple(sorted(theirs - ours)),
                )
            )
    return out
