"""`ip neighbour`. Source: iproute2 6.1 ip/ipneigh.c."""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux import ops
from engine.linux.addr import Prefix, mask
from engine.linux.rows import NUD, Neighbour
from engine.linux.text import neigh as neigh_text
from engine.linux.walk.timers import catch_up
from engine.shell.tool import Fail
from engine.shell.tools import ip_usage
from engine.shell.tools.ip_args import (
    USAGE,
    Ip,
    Words,
    address,
    duplicate,
    garbage,
    invarg,
    lladdr,
    matches,
    no_device,
    prefix,
)

#: words of nud: (word, may be abbreviated)
STATES = (
    ("permanent", True), ("reachable", True), ("noarp", False), ("none", False), ("stale", False),
    ("incomplete", False), ("delay", False), ("probe", False), ("failed", True),
)  # fmt: skip
REFUSED = ("router", "use", "managed", "extern_learn", "protocol")


def run(ip: Ip, argv: list[str]) -> None:
    if not argv:
        return show(ip, Words([]))
    word, rest = argv[0], Words(argv[1:])
    if matches(word, "add"):
        return modify(ip, rest, "add")
    if matches(word, "change") or word == "chg":
        return modify(ip, rest, "change")
    if matches(word, "replace"):
        return modify(ip, rest, "replace")
    if matches(word, "delete"):
        return modify(ip, rest, "delete")
    if matches(word, "get"):
        return get(ip, rest)
    if matches(word, "show") or matches(word, "lst") or matches(word, "list"):
        return show(ip, rest)
    if matches(word, "flush"):
        return flush(ip, rest)
    if matches(word, "help"):
        raise ip_usage.usage("neigh")
    raise Fail(f'Command "{word}" is unknown, try "ip neigh help".', USAGE)


def nud(word: str) -> str | None:
    """The state's name in capitals; None when the word is no state."""
    for name, short in STATES:
        if matches(word, name) if short else word == name:
            return name.upper()
    return None


def modify(ip: Ip, words: Words, action: str) -> None:
    mac: int | None = None
    state = "PERMANENT"
    device = ""
    ip_address: int | None = None
    proxy = False
    while words.more:
        word = words.take()
        if matches(word, "lladdr"):
            value = words.value()
            if mac is not None:
                raise duplicate("lladdr", value)
            mac = 0 if value == "null" else lladdr(value)
        elif word == "nud":
            value = words.value()
            found = nud(value)
            if found is None:
                raise invarg("nud state is bad", value)
            state = found
        elif matches(word, "proxy"):
            value = words.value()
            if ip_address is not None:
                raise duplicate("address", value)
            ip_address, proxy = address(value, ip.family), True
        elif word == "dev":
            device = words.value()
        elif any(word == k or (k in ("extern_learn", "protocol") and matches(word, k)) for k in REFUSED):
            raise NotModelled(f"ip neigh {word}")
        else:
            if word == "to":
                word = words.value()
            if ip_address is not None:
                raise garbage("to", word)
            ip_address = address(word, ip.family)
    if not device or ip_address is None:
        raise Fail("Device and destination are required arguments.", USAGE)
    link = ip.ns.link(device)
    if link is None:
        raise no_device(device)
    if proxy:
        ip.do(ops.SetProxy(netns=ip.ns.id, device=device, ip=ip_address, gone=action == "delete"))
        return
    if action == "delete":
        ip.do(ops.DelNeighbour(netns=ip.ns.id, device=device, ip=ip_address))
        return
    if state not in NUD:
        raise NotModelled(f"ip neigh nud {state.lower()}")
    old = ip.ns.neighbours.get((link.ifindex, ip_address))
    # A change without lladdr keeps the address that is there.
    known = mac if mac is not None else (old.mac if old is not None and action != "add" else 0)
    ip.do(
        ops.SetNeighbour(
            netns=ip.ns.id,
            device=device,
            replace=action != "add",
            create=action != "change",
            neighbour=Neighbour(ifindex=link.ifindex, ip=ip_address, mac=known, state=state),
        )
    )


def read_filter(ip: Ip, words: Words, *, flush: bool) -> tuple[str, Prefix | None, set[str]]:
    """(device, prefix, states) that a listing or a flush asks for."""
    device = ""
    proxies = False
    to: Prefix | None = None
    states = set(NUD) - ({"PERMANENT", "NOARP"} if flush else {"NOARP"})
    given = False
    while words.more:
        word = words.take()
        if word == "dev":
            value = words.value()
            if device:
                raise duplicate("dev", value)
            device = value
        elif word == "proxy":
            proxies = True
        elif word in ("master", "vrf", "nomaster", "unused") or matches(word, "protocol"):
            raise NotModelled(f"ip neigh show {word}")
        elif word == "nud":
            value = words.value()
            if not given:
                given, states = True, set()
            found = nud(value)
            if found is not None:
                states.add(found)
            elif value == "all":
                states |= set(NUD) - ({"NOARP"} if flush else set())
            else:
                raise invarg("nud state is bad", value)
        else:
            if word == "to":
                word = words.value()
            if matches(word, "help"):
                raise ip_usage.usage("neigh")
            # `all` and `default` are prefixes of length 0 here.
            to, _ = prefix(word, ip.family)
    if device and ip.ns.link(device) is None:
        raise no_device(device)
    return device, to, set() if proxies else states


def proxies_of(ip: Ip, device: str, to: Prefix | None) -> list[tuple[int, int]]:
    index = ip.ns.names[device] if device else 0
    return sorted(
        key
        for key in ip.ns.proxies
        if (not index or key[0] == index) and (to is None or (key[1] ^ to.addr) & mask(to.length) == 0)
    )


def emit_proxy(ip: Ip, key: tuple[int, int], hide: tuple[str, ...]) -> None:
    ip.emit(neigh_text.proxy_text(ip.ns, key, hide=hide) + " ", neigh_text.proxy_json(ip.ns, key, hide=hide))


def chosen(ip: Ip, device: str, to: Prefix | None, states: set[str]) -> list[Neighbour]:
    """Newest first within a device, as near to the kernel's hash order as a model can be."""
    index = ip.ns.names[device] if device else 0
    catch_up(ip.net, ip.ns)
    rows = [
        row
        for row in ip.ns.neighbours.values()
        if (not index or row.ifindex == index)
        and row.state in states
        and (to is None or (row.ip ^ to.addr) & mask(to.length) == 0)
    ]
    return sorted(rows, key=lambda r: (r.ifindex, r.ip))


def show(ip: Ip, words: Words) -> None:
    device, to, states = read_filter(ip, words, flush=False)
    hide = ("dev",) if device else ()
    ip.dumped = True
    if not states:
        for key in proxies_of(ip, device, to):
            emit_proxy(ip, key, hide)
        return
    for row in chosen(ip, device, to, states):
        if ip.brief:
            line = neigh_text.to_brief(ip.ns, row, hide=hide)
        else:
            line = neigh_text.to_text(ip.ns, row, hide=hide) + " "
            if ip.stats:
                raise NotModelled("ip -s neigh")
        ip.emit(line, neigh_text.to_json(ip.ns, row, hide=hide, brief=ip.brief))


def flush(ip: Ip, words: Words) -> None:
    if not words.more:
        raise Fail("Flush requires arguments.", 1)
    device, to, states = read_filter(ip, words, flush=True)
    if not states:
        raise NotModelled("ip neigh flush proxy")
    rows = chosen(ip, device, to, states)
    if ip.stats:
        raise NotModelled("ip -s neigh flush")
    if rows:
        ip.do(ops.FlushNeighbours(netns=ip.ns.id, device=device, to=to, states=tuple(sorted(states))))


def get(ip: Ip, words: Words) -> None:
    device = ""
    wanted: int | None = None
    proxy = False
    while words.more:
        word = words.take()
        if word == "dev":
            device = words.value()
        elif matches(word, "proxy"):
            value = words.value()
            if wanted is not None:
                raise duplicate("address", value)
            wanted, proxy = address(value, ip.family), True
        else:
            if word == "to":
                word = words.value()
            if wanted is not None:
                raise garbage("to", word)
            wanted = address(word, ip.family)
    if not device or wanted is None:
        raise Fail("Device and address are required arguments.", 1)
    link = ip.ns.link(device)
    if link is None:
        raise no_device(device)
    if proxy:
        if (link.ifindex, wanted) not in ip.ns.proxies:
            raise Fail("Error: Proxy neighbour entry not found.", 2)
        return emit_proxy(ip, (link.ifindex, wanted), ())
    catch_up(ip.net, ip.ns)
    row = ip.ns.neighbours.get((link.ifindex, wanted))
    if row is None:
        raise Fail("Error: Neighbour entry not found.", 2)
    ip.emit(neigh_text.to_text(ip.ns, row) + " ", neigh_text.to_json(ip.ns, row))
