"""A Net's rows as a plan that a worker can build: the same names, indexes, MACs, addresses, rows.

Rules. Only what a person or a controller put there is planned; what a kernel makes by itself (connected and
local routes, bridge port addresses) must appear by itself, and is compared. A plan is plain JSON.
"""

from __future__ import annotations

from typing import Any

from engine.linux.addr import Prefix, mac_text, text4
from engine.linux.fib import DEFAULT_RULES, LOCAL, MAIN, NexthopObject, Route
from engine.linux.ipset.text import save as ipset_save
from engine.linux.net import Net, Netns
from engine.linux.nft.text import Style, table_text
from engine.linux.nft.types import Loadable
from engine.linux.ops.ports import PORT_DEFAULTS
from engine.linux.text import nexthop as nexthop_text
from engine.linux.text import route as route_text
from engine.linux.text import rule as rule_text
from engine.linux.xt.tables import TABLES, Xtables, builtin
from engine.real import devices
from engine.record import replace

#: what a namespace must not inherit from the machine that runs the worker
BASE_SYSCTLS = {
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
    "net/ipv4/ip_forward": "0",
    "net/ipv4/tcp_synack_retries": "0",
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv4/icmp_msgs_per_sec": "1000000",
    "net/ipv4/icmp_msgs_burst": "1000000",
    "net/ipv4/ip_unprivileged_port_start": "0",
}

#: the other sysctls that decide about packets; who may open a socket is not compared (the worker is root there)
CARRIED = (
    "net.ipv4.icmp_echo_ignore_all", "net.ipv4.ip_default_ttl", "net.ipv4.fib_multipath_hash_policy",
    "net.ipv4.ip_local_port_range", "net.ipv4.fib_multipath_hash_seed", "net.ipv4.fib_multipath_hash_fields",
    "net.ipv4.fib_multipath_use_neigh", "net.ipv4.ip_forward_use_pmtu", "net.ipv4.ip_no_pmtu_disc",
    "net.ipv4.route.min_pmtu", "net.ipv4.route.mtu_expires",
)  # fmt: skip


def plan(net: Net, *, traced: bool = False) -> dict[str, Any]:
    """{"spaces": [{"id", "sysctl", "ip", "bridge", "iptables", "listen", "late"}], "links": [...]}; `links` are the
    `ip -batch` lines that make devices, run once for all namespaces (named as `space_names` says). `traced` puts
    TRACE before every rule."""
    ids = sorted(net.spaces)
    names = space_names(net)
    links: list[str] = []
    done: set[tuple[str, int]] = set()
    for id in ids:
        ns = net.spaces[id]
        for index in sorted(ns.links):
            if (id, index) not in done:
                links += make_link(net, ns, index, names, done)
    spaces = [space(net, net.spaces[id], names[id]) for id in ids]
    for one in spaces:
        one["devices"] = devices.device_lines(net, net.spaces[one["id"]], names)
    for one in spaces if traced else ():
        xt = net.spaces[one["id"]].xt
        one["traced"] = bool(xt.tables)
        one["iptables"] = traced_text(xt) if xt.tables else ""
    return {"spaces": spaces, "links": links}


def space_names(net: Net) -> dict[str, str]:
    """namespace id -> its name under /run/netns: the machine's, or the Pod's or container's, made unique."""
    names: dict[str, str] = {}
    for id in sorted(net.spaces):
        ns = net.spaces[id]
        word = ns.box if id == ns.box else ns.label
        word = "".join(c if c.isalnum() or c in "-_." else "-" for c in word).strip("-.") or "ns"
        name, n = word, 2
        while name in names.values():
            name, n = f"{word}-{n}", n + 1
        names[id] = name
    return names


def make_link(
    net: Net, ns: Netns, index: int, names: dict[str, str], done: set[tuple[str, int]]
) -> list[str]:
    link = ns.links[index]
    done.add((ns.id, index))
    head = f"link add name {link.name} netns {names[ns.id]} index {index} address {mac_text(link.mac)} mtu {link.mtu}"
    if link.kind == "loopback" or link.info is not None:
        return []
    if link.kind in ("bridge", "dummy"):
        ageing = f" ageing_time {link.ageing * 100}" if link.kind == "bridge" else ""
        return [f"{head} type bridge{ageing}"]
    if (
        link.peer is None
        or link.peer[0] not in net.spaces
        or link.peer[1] not in net.spaces[link.peer[0]].links
    ):
        return [f"{head} type bridge"]
    far = net.spaces[link.peer[0]].links[link.peer[1]]
    done.add(link.peer)
    where = f"netns {names[link.peer[0]]} index {far.ifindex}"
    tail = f"peer name {far.name} {where} address {mac_text(far.mac)} mtu {far.mtu}"
    return [f"{head} type veth {tail}"]


def space(net: Net, ns: Netns, name: str) -> dict[str, Any]:
    ip: list[str] = []
    late: list[str] = []
    for index in sorted(ns.links):
        link = ns.links[index]
        if link.master:
            ip.append(f"link set dev {link.name} master {ns.links[link.master].name}")
            flags = [f"{k} {'on' if v else 'off'}" for k, v in port_flags(link).items()]
            if flags:
                ip.append(f"link set dev {link.name} type bridge_slave {' '.join(flags)}")
    for link in ns.links.values():
        if link.kind == "bridge" and link.mtu_set:
            ip.append(f"link set dev {link.name} mtu {link.mtu}")
    for index in sorted(ns.links):
        if ns.links[index].up:
            ip.append(f"link set dev {ns.links[index].name} up")
    for index in sorted(ns.addresses):
        link = ns.links[index]
        for a in ns.addresses[index]:
            if link.kind == "loopback" and a.addr >> 24 == 127:
                continue
            brd = f" broadcast {text4(a.broadcast)}" if a.broadcast else ""
            plain = " noprefixroute" * a.noprefixroute
            ip.append(f"addr add {text4(a.addr)}/{a.length}{brd} scope {a.scope} dev {link.name}{plain}")
    routes = [
        r for t, table in ns.tables.items() if t != LOCAL for r in table.routes() if r.proto != "kernel"
    ]
    lost = lost_routes(ns)
    instead = [r for r in routes if r.table == MAIN and not (r.metric or r.tos) and r.dst in dict(lost)]
    for route in sorted(routes, key=lambda r: (r.gateway != 0, -r.dst.length)):
        if route not in instead:
            late.append("route add " + route_words(ns, route))
    late += ["route replace " + route_words(ns, route) for route in instead]
    put = {route.dst for route in instead}
    late += [
        f"route del {text4(dst.addr)}/{dst.length} dev {device} proto kernel"
        for dst, device in lost
        if dst not in put
    ]
    objects = sorted(ns.nexthops.values(), key=lambda thing: (bool(thing.group), thing.id))
    late[:0] = ["nexthop add " + nexthop_words(ns, thing) for thing in objects]
    for rule in ns.rules:
        if rule not in DEFAULT_RULES:
            late.append("rule add " + rule_words(rule_text.to_text(rule)))
    for entry in ns.neighbours.values():
        if entry.state == "PERMANENT":
            device = ns.links[entry.ifindex].name
            late.append(
                f"neigh replace {text4(entry.ip)} lladdr {mac_text(entry.mac)} dev {device} nud permanent"
            )
    fdb = [
        f"fdb replace {mac_text(e.mac)} dev {ns.links[e.ifindex].name} master static"
        for e in ns.fdb.values() if e.static and not e.local
    ]  # fmt: skip
    fdb += devices.table_lines(ns)
    return {
        "id": ns.id, "name": name, "sysctl": sysctls(ns), "ip": ip, "late": late, "bridge": fdb,
        "ipset": ipset_text(ns, net.clock), "iptables": restore_text(ns.xt), "nft": nft_text(ns),
        "bridges": any(link.kind == "bridge" for link in ns.links.values()),
        "listen": [[s.proto, text4(s.addr), s.port] for s in ns.sockets],
    }  # fmt: skip


def lost_routes(ns: Netns) -> list[tuple[Prefix, str]]:
    """The ranges of addresses on devices that are up, of which somebody has deleted or replaced the kernel's route."""
    table = ns.tables.get(MAIN)
    kept = {(r.dst, r.oif) for r in table.routes() if r.proto == "kernel"} if table is not None else set()
    out: dict[tuple[Prefix, str], None] = {}
    for index, rows in ns.addresses.items():
        for a in rows if ns.links[index].up else ():
            dst = Prefix(a.addr, a.length).network
            if a.length < 32 and not a.noprefixroute and a.addr >> 24 != 127 and (dst, index) not in kept:
                out[dst, ns.links[index].name] = None
    return list(out)


def nft_text(ns: Netns) -> str:
    """The tables of nft as `nft -f` reads them."""
    style = Style(names=Loadable({i: link.name for i, link in ns.links.items()}))
    return "".join(table_text(table, style) for table in ns.nft.tables.values())


def ipset_text(ns: Netns, now: float) -> str:
    """The ipsets as `ipset restore` reads them."""
    sets = [ns.ipsets.sets[name] for name in ns.ipsets.names()]
    return "".join(ipset_save(one, now) for one in sets)


def restore_text(xt: Xtables) -> str:
    """The tables as iptables-restore reads them."""
    lines: list[str] = []
    for table, chains in xt.tables.items():
        lines.append(f"*{table}")
        for chain in chains.values():
            lines.append(f":{chain.name} {chain.policy if chain.name in builtin(table) else '-'} [0:0]")
        lines += [rule.text(chain.name) for chain in chains.values() for rule in chain.rules]
        lines.append("COMMIT")
    return "\n".join(lines) + "\n" if lines else ""


def traced_text(xt: Xtables) -> str:
    """The same for a live namespace: TRACE first in raw, and every table named, so that nothing older stays."""
    text = restore_text(xt)
    for table, known in xt.tables.items():
        # a restore leaves the policy of a chain that it does not name
        unnamed = "".join(f":{hook} ACCEPT [0:0]\n" for hook in builtin(table) if hook not in known)
        text = text.replace(f"*{table}\n", f"*{table}\n{unnamed}", 1)
    trace = "-A PREROUTING -j TRACE\n-A OUTPUT -j TRACE\n"
    for table in TABLES:
        if table not in xt.tables and table != "security":
            hooks = "".join(f":{hook} ACCEPT [0:0]\n" for hook in builtin(table))
            text += f"*{table}\n{hooks}{trace if table == 'raw' else ''}COMMIT\n"
    if "raw" not in xt.tables:
        return text
    head, _, rest = text.partition("*raw\n")
    chains: list[str] = []
    rules: list[str] = []
    body, _, tail = rest.partition("COMMIT\n")
    for line in body.splitlines(keepends=True):
        (chains if line.startswith(":") else rules).append(line)
    return f"{head}*raw\n{''.join(chains)}{trace}{''.join(rules)}COMMIT\n{tail}"


def port_flags(link: Any) -> dict[str, bool]:
    """The bridge-port flags that differ from the kernel's defaults."""
    return {key: getattr(link, key) for key, usual in PORT_DEFAULTS.items() if getattr(link, key) != usual}


def nexthop_words(ns: Netns, thing: NexthopObject) -> str:
    """The object as `ip nexthop add` reads it: its scope follows from its gateway."""
    text = nexthop_text.to_text(ns, replace(thing, scope="global"))
    return text.replace(" proto ", " protocol ")


def route_words(ns: Netns, route: Route) -> str:
    text = route_text.to_text(ns, route, table=True, join=" ")
    if route.nhid:
        # What the object says is not repeated.
        head, _, rest = text.partition(f"nhid {route.nhid}")
        kept = [w for w in rest.partition("\tnexthop")[0].split() if w != "onlink"]
        for key in ("via", "dev"):
            if key in kept:
                del kept[kept.index(key) : kept.index(key) + 2]
        text = f"{head}nhid {route.nhid} {' '.join(kept)}"
    return " ".join(word for word in text.split() if word not in ("dead", "linkdown"))


def rule_words(text: str) -> str:
    """`100:<tab>from all lookup x` as `ip rule add` reads it."""
    priority, _, rest = text.partition(":")
    return f"{rest.strip()} priority {priority}"


def sysctls(ns: Netns) -> dict[str, str]:
    """Paths below /proc/sys with their values, global ones first, devices last (they exist by then)."""
    out = dict(BASE_SYSCTLS)
    for key in ("net.bridge.bridge-nf-call-iptables", "net.ipv4.ip_forward"):
        out[key.replace(".", "/")] = ns.sysctl(key)
    for key, value in ns.sysctls.items():
        if key.startswith("net.ipv4.conf."):
            device, _, last = key[len("net.ipv4.conf.") :].rpartition(".")
            out[f"net/ipv4/conf/{device}/{last}"] = value
        elif key in CARRIED:
            out[key.replace(".", "/")] = value
    for key, value in ns.sysctls.items():
        if key.startswith("net.ipv4.neigh."):
            device, _, last = key[len("net.ipv4.neigh.") :].rpartition(".")
            out[f"net/ipv4/neigh/{device}/{last}"] = value
    for link in ns.links.values():
        # A proxy's answers wait up to 0.8 s; the model's clock does not.
        if ns.conf("all", "proxy_arp") or ns.conf(link.name, "proxy_arp") or ns.proxies:
            out[f"net/ipv4/neigh/{link.name}/proxy_delay"] = "0"
    return out
