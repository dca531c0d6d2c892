"""Files of /proc/net that the lab's kernel writes: IPVS and tracked connections, of the namespace that reads them.

Rules. A name that is not here is refused by files.py, which names the tool to ask instead.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.linux.ipvs.table import settle
from engine.linux.net import Net, Netns
from engine.linux.text.conntrack import proc_text
from engine.linux.text.ipvsadm import proc_ip_vs, proc_ip_vs_conn, proc_ip_vs_stats


def conntrack(net: Net, ns: Netns) -> str:
    return "".join(f"{proc_text(entry, net.clock)}\n" for entry in ns.conntrack.shown(net.clock))


def services(net: Net, ns: Netns) -> str:
    settle(ns.ipvs, ns.conntrack, net.clock)
    return proc_ip_vs(ns.ipvs)


def connections(net: Net, ns: Netns) -> str:
    settle(ns.ipvs, ns.conntrack, net.clock)
    return proc_ip_vs_conn(ns.ipvs, net.clock)


READERS: dict[str, Callable[[Net, Netns], str]] = {
    "ip_vs": services,
    "ip_vs_conn": connections,
    "ip_vs_stats": lambda net, ns: proc_ip_vs_stats(ns.ipvs),
    "nf_conntrack": conntrack,
}
