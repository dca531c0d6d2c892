"""`bridge fdb`: the forwarding entries of bridges. Source: iproute2 6.1 bridge/fdb.c."""

from __future__ import annotations

from typing import Any

from engine.errors import NotModelled
from engine.linux import ops
from engine.linux.rows import FdbEntry, Remote
from engine.linux.text import fdb as fdb_text
from engine.linux.walk.timers import catch_up
from engine.shell.tool import Fail
from engine.shell.tools import ip_usage
from engine.shell.tools.ip_args import USAGE, Ip, Words, duplicate, garbage, invarg, matches, no_device
from engine.shell.tools.ip_args import address as ip_address


def fdb(ip: Ip, argv: list[str]) -> None:
    if not argv:
        return fdb_show(ip, Words([]))
    word, rest = argv[0], Words(argv[1:])
    if matches(word, "add"):
        return fdb_modify(ip, rest, "add")
    if matches(word, "append"):
        return fdb_modify(ip, rest, "append")
    if matches(word, "replace"):
        return fdb_modify(ip, rest, "replace")
    if matches(word, "delete"):
        return fdb_modify(ip, rest, "delete")
    if matches(word, "get"):
        return fdb_get(ip, rest)
    if any(matches(word, full) for full in ("show", "lst", "list")):
        return fdb_show(ip, rest)
    if matches(word, "flush"):
        return fdb_flush(ip, rest)
    if matches(word, "help"):
        raise ip_usage.usage("bridge fdb")
    raise Fail(f'Command "{word}" is unknown, try "bridge fdb help".', USAGE)


def fdb_show(ip: Ip, words: Words) -> None:
    device = bridge = ""
    dynamic = False
    states: set[str] = set()
    while words.more:
        word = words.take()
        if word in ("brport", "dev"):
            device = words.value()
        elif word == "br":
            bridge = words.value()
        elif word == "vlan":
            raise NotModelled("bridge fdb show vlan")
        elif word == "state":
            value = words.value()
            known = {
                "permanent": "permanent",
                "static": "static",
                "temp": "static",
                "reachable": "",
                "dynamic": "",
            }
            full = next((k for k in known if matches(value, k)), "")
            if value == "all":
                states |= set(known.values())
            elif full:
                states.add(known[full])
            else:
                raise invarg("invalid state", value)
        elif word == "dynamic":
            dynamic = True
        elif matches(word, "help"):
            raise ip_usage.usage("bridge fdb")
    if bridge and ip.ns.link(bridge) is None:
        raise Fail(f'Cannot find bridge device "{bridge}"', USAGE)
    if device and ip.ns.link(device) is None:
        raise no_device(device, USAGE)
    hide = ("dev",) if device else ()
    only = ip.ns.names[bridge] if bridge else 0
    ip.dumped = True
    catch_up(ip.net, ip.ns)
    for index in sorted(ip.ns.links):
        link_ = ip.ns.links[index]
        if (device and link_.name != device) or (only and only not in (index, link_.master)):
            continue
        own = [r for r in reversed(list(ip.ns.fdb.values())) if r.ifindex == index]
        lists: list[tuple[str, dict[str, Any], str]] = []
        for entry in reversed([e for e in ip.ns.vxlan_fdb.values() if e.ifindex == index]):
            for remote in entry.remotes:
                line = fdb_text.remote_text(ip.ns, entry, remote, hide=hide)
                lists.append(
                    (line, fdb_text.remote_json(ip.ns, entry, remote, hide=hide), fdb_text.own_state(entry))
                )
        # A VXLAN device has a table of its own and does not tell what it listens to (vxlan_fdb_dump).
        for mac in fdb_text.multicast_macs(link_) if link_.kind != "vxlan" else ():
            name = {} if device else {"ifname": link_.name}
            obj: dict[str, Any] = {"mac": mac, **name, "flags": ["self"], "state": "permanent"}
            lists.append((f"{mac} {'' if device else f'dev {link_.name} '}self permanent", obj, "permanent"))
        entries = [
            (fdb_text.to_text(ip.ns, r, hide=hide), fdb_text.to_json(ip.ns, r, hide=hide), fdb_text.state(r))
            for r in own
        ]
        # A bridge lists its own multicast first, a port its entries first.
        for line, obj, state in (*lists, *entries) if link_.kind == "bridge" else (*entries, *lists):
            if (dynamic and state == "permanent") or (states and state not in states):
                continue
            ip.emit(line, obj)


def fdb_modify(ip: Ip, words: Words, action: str) -> None:
    device = address = ""
    own = master = False
    local = static = dynamic = False
    dst: int | None = None
    port = vni = src_vni = 0
    via = ""
    while words.more:
        word = words.take()
        if word == "dev":
            device = words.value()
        elif word == "dst":
            value = words.value()
            if dst is not None:
                raise duplicate("dst", value)
            dst = ip_address(value, "")
        elif matches(word, "nhid"):
            raise NotModelled(f"bridge fdb {action} {word}")
        elif word == "port":
            value = words.value()
            if not value.isdigit() or int(value) > 0xFFFF:
                raise invarg("invalid port\n", value)
            port = int(value)
        elif word in ("vni", "src_vni"):
            value = words.value()
            if not value.isdigit() or int(value) >= 1 << 24:
                raise invarg(f"invalid {'src ' if word == 'src_vni' else ''}VNI\n", value)
            vni, src_vni = (int(value), src_vni) if word == "vni" else (vni, int(value))
        elif word == "via":
            via = words.value()
            if ip.ns.link(via) is None:
                raise no_device(via, USAGE)
        elif word == "self":
            own = True
        elif matches(word, "master"):
            master = True
        elif matches(word, "router"):
            raise NotModelled("bridge fdb router")
        elif matches(word, "local") or matches(word, "permanent"):
            local = True
        elif matches(word, "temp") or matches(word, "static"):
            static = True
        elif matches(word, "dynamic"):
            dynamic = True
        elif any(matches(word, k) for k in ("vlan", "use", "extern_learn", "sticky")):
            raise NotModelled(f"bridge fdb {action} {word}")
        else:
            if word == "to":
                word = words.value()
            if matches(word, "help"):
                raise ip_usage.usage("bridge fdb")
            if address:
                raise garbage("to", word)
            address = word
    if not device or not address:
        raise Fail("Device and address are required arguments.", USAGE)
    parts = address.split(":")
    if len(parts) != 6 or not all(
        0 < len(p) <= 2 and all(c in "0123456789abcdefABCDEF" for c in p) for p in parts
    ):
        raise Fail(f"Invalid mac address {address}", USAGE)
    link_ = ip.ns.link(device)
    if link_ is None:
        raise no_device(device, USAGE)
    if link_.kind == "loopback":
        word = "delete" if action == "delete" else "add"
        raise Fail(f"Error: FDB {word} only supported for Ethernet devices.", USAGE)
    if not master and not own:
        own = True
    kind = "permanent" if local or not (static or dynamic) else "dynamic" if dynamic else "static"
    number = int("".join(p.rjust(2, "0") for p in parts), 16)
    if master and link_.kind == "bridge":
        raise Fail("RTNETLINK answers: Operation not supported", USAGE)
    if own and link_.kind == "vxlan":
        if master:
            modify_port(ip, device, number, kind, action)
        remote = Remote(dst=dst, port=port, vni=vni, via=ip.ns.names.get(via, 0)) if dst is not None else None
        return modify_own(ip, device, number, remote, kind, action, src_vni)
    if own and link_.kind != "bridge" and (port or vni or src_vni or via):
        raise Fail("RTNETLINK answers: Operation not supported", USAGE)
    if own and link_.kind != "bridge":
        raise NotModelled("an entry in a device's own list (bridge fdb ... self); add the word master")
    return modify_port(ip, device, number, kind, action)


def modify_own(
    ip: Ip, device: str, mac: int, remote: Remote | None, kind: str, action: str, src_vni: int
) -> None:
    """An entry of a VXLAN device's own table."""
    mode = "del" if action == "delete" else action
    state = "" if kind == "dynamic" else kind
    ip.do(
        ops.SetVxlanFdb(
            netns=ip.ns.id, device=device, mac=mac, remote=remote, mode=mode, state=state, vni=src_vni
        ),
        USAGE,
    )


def modify_port(ip: Ip, device: str, number: int, kind: str, action: str) -> None:
    """An entry of a bridge."""
    entry = FdbEntry(
        bridge=0, ifindex=0, mac=number, local=kind == "permanent", static=kind != "dynamic",
    )  # fmt: skip
    op = ops.SetFdb(
        netns=ip.ns.id, device=device, entry=entry, gone=action == "delete", replace=action == "replace"
    )
    ip.do(op, USAGE)


def fdb_get(ip: Ip, words: Words) -> None:
    device = bridge = address = ""
    own = False
    while words.more:
        word = words.take()
        if word in ("brport", "dev"):
            device = words.value()
        elif word == "br":
            bridge = words.value()
        elif word == "self":
            own = True
        elif word in ("vni", "vlan", "dynamic") or matches(word, "master"):
            raise NotModelled(f"bridge fdb get {word}")
        else:
            if word == "to":
                word = words.value()
            if address:
                raise garbage("to", word)
            address = word
    if not (device or bridge) or not address:
        raise Fail("Device or master and address are required arguments.", USAGE)
    parts = address.split(":")
    if len(parts) != 6 or not all(
        0 < len(p) <= 2 and all(c in "0123456789abcdefABCDEF" for c in p) for p in parts
    ):
        raise Fail(f"Invalid mac address {address}", USAGE)
    for name, words_ in ((device, "device"), (bridge, "bridge device")):
        if name and ip.ns.link(name) is None:
            raise Fail(f'Cannot find {words_} "{name}"', USAGE)
    port = ip.ns.link(device) if device else None
    owner = ip.ns.names[bridge] if bridge else (port.master or port.ifindex if port is not None else 0)
    catch_up(ip.net, ip.ns)
    if own and port is not None and port.kind == "vxlan":
        number = int("".join(p.rjust(2, "0") for p in parts), 16)
        found = next((e for k, e in ip.ns.vxlan_fdb.items() if k[:2] == (port.ifindex, number)), None)
        if found is None:
            raise Fail("Error: Fdb entry not found.", USAGE - 1)
        first = found.remotes[0]
        ip.emit(fdb_text.remote_text(ip.ns, found, first), fdb_text.remote_json(ip.ns, found, first))
        return
    if own:
        raise NotModelled("bridge fdb get self")
    if port is not None and not port.master and port.kind != "bridge":
        raise Fail("Error: Device is not a bridge port.", USAGE - 1)
    row = ip.ns.fdb.get((owner, int("".join(p.rjust(2, "0") for p in parts), 16)))
    if row is None or (port is not None and row.ifindex != port.ifindex):
        raise Fail("Error: Fdb entry not found.", USAGE - 1)
    ip.emit(fdb_text.to_text(ip.ns, row), fdb_text.to_json(ip.ns, row))


def fdb_flush(ip: Ip, words: Words) -> None:
    """`bridge fdb flush dev DEV self`: the entries of a VXLAN device go."""
    device = ""
    states: list[str] = []
    master = False
    while words.more:
        word = words.take()
        if word == "dev":
            device = words.value()
        elif word == "self":
            continue
        elif word in ("permanent", "static", "dynamic"):
            states.append("" if word == "dynamic" else word)
        elif matches(word, "master"):
            master = True
        elif matches(word, "help"):
            raise ip_usage.usage("bridge fdb")
        else:
            raise NotModelled(f"bridge fdb flush {word}")
    if not device:
        raise Fail("Device is a required argument.", USAGE)
    link_ = ip.ns.link(device)
    if link_ is None:
        raise no_device(device, USAGE)
    if master or link_.kind != "vxlan":
        raise NotModelled("bridge fdb flush of a bridge")
    ip.do(ops.FlushVxlanFdb(netns=ip.ns.id, device=device, states=tuple(states)), USAGE)
