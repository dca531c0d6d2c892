"""`ip netns`: names of network namespaces under /run/netns. Source: iproute2 6.1 ip/ipnetns.c."""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux import ops
from engine.linux.rows import Box
from engine.shell.tool import Fail, Out
from engine.shell.tools import ip_usage
from engine.shell.tools.ip_args import USAGE, Ip, matches


def run(ip: Ip, argv: list[str]) -> Out | None:
    """An Out only for `exec`, whose command's answer it is."""
    if not argv:
        show(ip)
        return None
    if len(argv) > 1 and (not argv[1] or len(argv[1]) > 255 or "/" in argv[1] or argv[1] in (".", "..")):
        raise Fail(f'Invalid netns name "{argv[1]}"', USAGE)
    word, rest = argv[0], argv[1:]
    if any(matches(word, full) for full in ("list", "show", "lst")):
        show(ip)
        return None
    if matches(word, "list-id"):
        raise NotModelled("ip netns list-id")
    if matches(word, "help"):
        raise ip_usage.usage("netns")
    if matches(word, "add"):
        add(ip, rest)
        return None
    if matches(word, "set"):
        raise NotModelled("ip netns set")
    if matches(word, "delete"):
        delete(ip, rest)
        return None
    if matches(word, "identify"):
        identify(ip, rest)
        return None
    if matches(word, "pids"):
        pids(ip, rest)
        return None
    if matches(word, "exec"):
        return execute(ip, rest)
    for other in ("monitor", "attach"):
        if matches(word, other):
            raise NotModelled(f"ip netns {other}")
    raise Fail(f'Command "{word}" is unknown, try "ip netns help".', USAGE)


def box_of(ip: Ip) -> Box:
    return ip.net.boxes[ip.ns.box]


def show(ip: Ip) -> None:
    """Newest first, as the folder in memory lists its names."""
    ip.dumped = True
    for name, netns in reversed(box_of(ip).netns_names.items()):
        number = ip.ns.nsids.get(netns)
        known = {} if number is None else {"id": number}
        ip.emit(name + ("" if number is None else f" (id: {number})"), {"name": name, **known})


def add(ip: Ip, rest: list[str]) -> None:
    if not rest:
        raise Fail("No netns name specified", 1)
    name = rest[0]
    netns, n = f"{ip.ns.box}/{name}", 1
    while netns in ip.net.spaces:
        n += 1
        netns = f"{ip.ns.box}/{name}#{n}"
    ip.do(ops.AddNetns(box=ip.ns.box, id=netns, label=name, name=name), 1)


def delete(ip: Ip, rest: list[str]) -> None:
    if not rest:
        raise Fail("No netns name specified", 1)
    ip.do(ops.DelNetns(box=ip.ns.box, name=rest[0]), 1)


def identify(ip: Ip, rest: list[str]) -> None:
    if len(rest) > 1:
        raise Fail("extra arguments specified", 1)
    netns = ip.ns.id
    if rest:
        if not rest[0].isdigit():
            raise Fail(f"Specified string '{rest[0]}' is not a pid", 1)
        proc = box_of(ip).procs.get(int(rest[0]))
        if proc is None:
            raise Fail("Cannot open network namespace: No such file or directory", 1)
        netns = proc.netns
    names = [name for name, id in reversed(box_of(ip).netns_names.items()) if id == netns]
    ip.lines.append(names[-1] if names else "")


def pids(ip: Ip, rest: list[str]) -> None:
    if not rest:
        raise Fail("No netns name specified", 1)
    if len(rest) > 1:
        raise Fail("extra arguments specified", 1)
    netns = box_of(ip).netns_names.get(rest[0])
    if netns is None:
        raise Fail("Cannot open network namespace: No such file or directory", 1)
    ip.lines += [str(pid) for pid, proc in sorted(box_of(ip).procs.items()) if proc.netns == netns]


def cannot_open(name: str, code: int) -> Fail:
    return Fail(f'Cannot open network namespace "{name}": No such file or directory', code)


def execute(ip: Ip, rest: list[str]) -> Out:
    if not rest:
        raise Fail("No netns name specified", 1)
    if len(rest) < 2:
        raise Fail("No command specified", 1)
    netns = box_of(ip).netns_names.get(rest[0])
    if netns is None:
        raise cannot_open(rest[0], USAGE)
    if ip.run_in is None:
        raise NotModelled("ip netns exec here")
    out = ip.run_in(netns, rest[1:])
    if out.code == 127 and "command not found" in out.stderr:
        return Out(stderr=f'exec of "{rest[1]}" failed: No such file or directory\n', code=1)
    return out
