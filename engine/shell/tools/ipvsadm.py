"""ipvsadm, ipvsadm-save, ipvsadm-restore: virtual services and their real servers (ipvsadm 1.31).

Rules. The words are read as popt reads them and refused in ipvsadm's own sentences; what it prints is made in
engine/linux/text/ipvsadm.py. Refused by name: SCTP, IPv6, persistence engines, the sync daemon, other tunnels than
ipip, rates of past traffic. Addresses are printed as numbers unless /etc/hosts names them.
"""

from __future__ import annotations

from dataclasses import field

from engine.errors import InputError, NotModelled, OpError
from engine.linux.addr import ip4
from engine.linux.ipvs.rows import FULL_MASK, Dest, Service, Stats
from engine.linux.ipvs.table import settle
from engine.linux.ops.base import Op
from engine.linux.ops.ipvs import (
    IpvsAddDest,
    IpvsAddService,
    IpvsClear,
    IpvsDelDest,
    IpvsDelService,
    IpvsEditDest,
    IpvsEditService,
    IpvsTimeouts,
    IpvsZero,
)
from engine.linux.packet import Proto
from engine.linux.text import ipvsadm as text
from engine.linux.text import services as ports
from engine.linux.text.ipvs import FLAG_NAMES
from engine.record import dataclass, replace
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool
from engine.shell.tools.iptables import may_administer
from engine.shell.tools.ipvsadm_help import HELP, VERSION

TRY = "Try `ipvsadm -h' or 'ipvsadm --help' for more information."
ROOT = "Can't initialize ipvs: Permission denied (you must be root)"
PERSIST_DEFAULT = 360
#: long name -> letter, or a word of its own
LONG = {
    "add-service": "A", "edit-service": "E", "delete-service": "D", "clear": "C", "restore": "R", "save": "S",
    "add-server": "a", "edit-server": "e", "delete-server": "d", "list": "L", "zero": "Z", "set": "set", "help": "h",
    "start-daemon": "start-daemon", "stop-daemon": "stop-daemon", "tcp-service": "t", "udp-service": "u",
    "sctp-service": "sctp-service", "fwmark-service": "f", "ipv6": "6", "scheduler": "s", "pe": "pe",
    "persistent": "p", "netmask": "M", "real-server": "r", "gatewaying": "g", "ipip": "i", "masquerading": "m",
    "tun-type": "tun-type", "tun-port": "tun-port", "tun-nocsum": "tun-nocsum", "tun-csum": "tun-csum",
    "tun-remcsum": "tun-remcsum", "weight": "w", "u-threshold": "x", "l-threshold": "y", "connection": "c",
    "timeout": "timeout", "daemon": "daemon", "stats": "stats", "rate": "rate", "exact": "exact",
    "thresholds": "thresholds", "persistent-conn": "persistent-conn", "tun-info": "tun-info", "nosort": "nosort",
    "sort": "sort", "ops": "o", "numeric": "n", "sched-flags": "b", "syncid": "syncid", "sync-maxlen": "sync-maxlen",
    "mcast-interface": "mcast-interface", "mcast-group": "mcast-group", "mcast-port": "mcast-port",
    "mcast-ttl": "mcast-ttl",
}  # fmt: skip
TAKES = ("t", "u", "f", "s", "M", "r", "w", "x", "y", "b", "pe", "tun-type", "tun-port", "sctp-service", "syncid",
         "sync-maxlen", "mcast-interface", "mcast-group", "mcast-port", "mcast-ttl", "start-daemon",
         "stop-daemon")  # fmt: skip
COMMANDS = (
    "A",
    "E",
    "D",
    "C",
    "R",
    "S",
    "a",
    "e",
    "d",
    "L",
    "l",
    "Z",
    "set",
    "h",
    "v",
    "start-daemon",
    "stop-daemon",
)
REFUSED = ("6", "sctp-service", "pe", "start-daemon", "stop-daemon", "tun-port", "tun-nocsum", "tun-csum",
           "tun-remcsum", "tun-info", "syncid", "sync-maxlen", "mcast-interface", "mcast-group", "mcast-port",
           "mcast-ttl")  # fmt: skip
#: option -> its name in ipvsadm's sentences
NAMES = {
    "n": "numeric", "c": "connection", "svc": "service-address", "s": "scheduler", "p": "persistent", "M": "netmask",
    "r": "real-server", "fwd": "forwarding-method", "w": "weight", "x": "u-threshold", "y": "l-threshold",
    "timeout": "timeout", "daemon": "daemon", "stats": "stats", "rate": "rate", "thresholds": "thresholds",
    "persistent-conn": "persistent-conn", "nosort": "nosort", "exact": "exact", "o": "ops", "b": "sched-flags",
    "tun-type": "tun-type",
}  # fmt: skip
#: command -> its name, what it must have, what it may have
CHECKS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "A": ("add-service", ("svc",), ("s", "p", "M", "o", "b")),
    "E": ("edit-service", ("svc",), ("s", "p", "M", "o", "b")),
    "D": ("delete-service", ("svc",), ()),
    "C": ("flush", (), ()),
    "L": ("list", (), ("n", "c", "svc", "timeout", "daemon", "stats", "rate", "thresholds", "persistent-conn", "nosort",
                       "exact")),
    "a": ("add-server", ("svc", "r"), ("fwd", "w", "x", "y", "tun-type")),
    "e": ("edit-server", ("svc", "r"), ("fwd", "w", "x", "y", "tun-type")),
    "d": ("delete-server", ("svc", "r"), ()),
    "set": ("set", (), ()),
    "R": ("restore", (), ()),
    "S": ("save", (), ("n",)),
    "Z": ("zero", (), ("svc",)),
}  # fmt: skip


def fail(sentence: str, code: int = 2) -> Fail:
    return Fail(sentence, code)


@dataclass(slots=True)
class Asked:
    """A command line: the command's letter, the options that were given, service and server."""

    command: str = "L"
    given: dict[str, str] = field(default_factory=dict)
    proto: int = 0
    addr: int = 0
    port: int = 0
    fwmark: int = 0
    words: list[str] = field(default_factory=list)

    def key(self) -> tuple[int, int, int]:
        return (0, self.fwmark, 0) if self.fwmark else (self.proto, self.addr, self.port)


def words_of(argv: list[str]) -> list[tuple[str, str, str | None]]:
    """(option, as it was typed, its glued value), words without dash as ("", word, None)."""
    out: list[tuple[str, str, str | None]] = []
    for word in argv:
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            out.append((LONG.get(name, "?"), f"--{name}", value if equals else None))
        elif word.startswith("-") and len(word) > 1 and not word[1].isdigit():
            letters = word[1:]
            for at, letter in enumerate(letters):
                if letter in TAKES:
                    out.append((letter, f"-{letter}", letters[at + 1 :] or None))
                    break
                out.append((letter, f"-{letter}", None))
        else:
            out.append(("", word, None))
    return out


def read(argv: list[str]) -> Asked:
    asked = Asked()
    rest = words_of(argv)
    if not rest:
        return asked
    first, typed, glued = rest[0]
    if first not in COMMANDS:
        raise Fail(TRY, 255)
    if first in REFUSED:
        raise NotModelled(f"ipvsadm {typed}")
    rest.pop(0)
    asked.command = "L" if first == "l" else first
    if asked.command == "set":
        while rest and rest[0][0] == "" and len(asked.words) < 3:
            asked.words.append(rest.pop(0)[1])
        if len(asked.words) != 3:
            raise fail("--set option requires 3 timeout values")
    while rest:
        option, typed, glued = rest.pop(0)
        if option == "":
            raise fail(f"unexpected argument {typed}")
        if option in COMMANDS:
            raise fail(f"invalid option `{typed}'")
        if option in REFUSED:
            raise NotModelled(f"ipvsadm {typed}")
        if option not in (*LONG.values(), "l"):
            raise Fail(f"{typed}: unknown option", 255)
        if option in TAKES and glued is None:
            if not rest:
                raise Fail(f"{typed}: missing argument", 255)
            glued = rest.pop(0)[1]
        if option == "p" and glued is None and rest and rest[0][0] == "":
            glued = rest.pop(0)[1]
        take(asked, option, glued or "")
    return asked


def take(asked: Asked, option: str, value: str) -> None:
    group = "svc" if option in "tuf" else "fwd" if option in "gim" else option
    if group == "sort":
        return
    if group in asked.given:
        raise fail(f"multiple '{NAMES[group]}' options specified")
    asked.given[group] = value if group != "fwd" else option
    if option in ("t", "u"):
        asked.proto = Proto.TCP if option == "t" else Proto.UDP
        asked.addr, port = address(value, asked.proto, "illegal virtual server address[:port] specified")
        asked.port = port or 0
    elif option == "f":
        if not value.isdigit() or not 0 < int(value) < 1 << 32:
            raise fail(f"invalid fwmark value `{value}' specified")
        asked.fwmark = int(value)
    elif option == "p":
        if value and (not value.isdigit() or not 1 <= int(value) <= 31 * 86400):
            raise fail(f"invalid timeout value `{value}' specified")
    elif option == "M":
        if netmask(value) is None:
            raise fail("invalid netmask specified")
    elif option in ("w", "x", "y"):
        if not value.isdigit() or int(value) > 2**31 - 1:
            raise fail(f"illegal {NAMES[option].replace('-', '_') if option != 'w' else 'weight'} specified")
    elif option == "tun-type" and value != "ipip":
        if value in ("gue", "gre"):
            raise NotModelled(f"ipvsadm --tun-type {value}")
        raise fail(f"illegal tunnel type `{value}' specified")
    elif option == "r":
        address(value, asked.proto, "illegal real server address[:port] specified")


def address(value: str, proto: int, sentence: str) -> tuple[int, int | None]:
    """`HOST[:PORT]`: (address, port or None)."""
    if value.startswith("["):
        raise NotModelled(f"ipvsadm with an IPv6 address ({value})")
    host, colon, port = value.partition(":")
    try:
        addr = ip4(host)
    except InputError:
        raise fail(sentence) from None
    if not colon:
        return addr, None
    if port.isdigit() and int(port) <= 65535:
        return addr, int(port)
    number = (
        ports.port_number(port, "udp" if proto == Proto.UDP else "tcp")
        if port and not port.isdigit()
        else None
    )
    if number is None:
        raise fail(sentence)
    return addr, number


def netmask(value: str) -> int | None:
    if value.isdigit() and 1 <= int(value) <= 32:
        return FULL_MASK << 32 - int(value) & FULL_MASK
    try:
        return ip4(value)
    except InputError:
        return None


def checked(asked: Asked) -> None:
    """generic_opt_check: what a command must and may have."""
    name, must, may = CHECKS[asked.command]
    for option, word in NAMES.items():
        if option in must and option not in asked.given:
            raise fail(f"You need to supply the '{word}' option for the '{name}' command")
        if option in asked.given and option not in (*must, *may):
            raise fail(f"Illegal '{word}' option with the '{name}' command")
    if asked.command in ("A", "E") and not asked.fwmark and not asked.port and "p" not in asked.given:
        raise fail("Zero port specified for non-persistent service")


def flags(scheduler: str, value: str) -> frozenset[int]:
    """`-b sh-port,sh-fallback`, `-b flag-1`."""
    names = {name: bit for known in FLAG_NAMES.values() for bit, name in enumerate(known, 1)}
    names |= {f"flag-{bit}": bit for bit in (1, 2, 3)}
    out = set()
    for word in filter(None, value.split(",")):
        if word not in names:
            raise fail(f"illegal scheduler flags `{value}' specified")
        out.add(names[word])
    return frozenset(out)


def service(asked: Asked) -> Service:
    given, scheduler = asked.given, asked.given.get("s", "wlc")
    timeout = int(given["p"] or PERSIST_DEFAULT) if "p" in given else 0
    mask = netmask(given["M"]) if "M" in given else FULL_MASK
    assert mask is not None
    return Service(
        proto=asked.proto, addr=asked.addr, port=asked.port, fwmark=asked.fwmark, scheduler=scheduler,
        timeout=timeout, netmask=mask, ops="o" in given, flags=flags(scheduler, given.get("b", "")),
    )  # fmt: skip


def server(asked: Asked) -> Dest:
    """The real server: direct routing and tunnels keep the service's port, and so does one without a port."""
    given = asked.given
    method = {"g": "route", "i": "tunnel", "m": "masq", "": "route"}[given.get("fwd", "")]
    addr, port = address(given["r"], asked.proto, "illegal real server address[:port] specified")
    if port is None or (method != "masq" and not asked.fwmark):
        port = asked.port
    return Dest(
        addr=addr, port=port, weight=int(given.get("w", "1")), method=method, upper=int(given.get("x", "0")),
        lower=int(given.get("y", "0")),
    )  # fmt: skip


def change(ctx: Context, asked: Asked) -> Op:
    netns = ctx.spot.netns
    if asked.command == "A":
        return IpvsAddService(netns=netns, service=service(asked))
    if asked.command == "E":
        return IpvsEditService(netns=netns, service=service(asked))
    if asked.command == "D":
        return IpvsDelService(netns=netns, key=asked.key())
    if asked.command == "C":
        return IpvsClear(netns=netns)
    if asked.command == "a":
        return IpvsAddDest(netns=netns, key=asked.key(), dest=server(asked))
    if asked.command == "e":
        return IpvsEditDest(netns=netns, key=asked.key(), dest=server(asked))
    if asked.command == "d":
        return IpvsDelDest(netns=netns, key=asked.key(), dest=server(replace_method(asked)).key)
    if asked.command == "Z":
        return IpvsZero(netns=netns, key=asked.key() if "svc" in asked.given else None)
    seconds = []
    for word in asked.words:
        if not word.isdigit() or int(word) > 31 * 86400:
            raise fail(f"invalid timeout value `{word}' specified")
        seconds.append(int(word))
    return IpvsTimeouts(netns=netns, tcp=seconds[0], tcpfin=seconds[1], udp=seconds[2])


def replace_method(asked: Asked) -> Asked:
    """-d names a server by address and port alone."""
    return replace(asked, given={**asked.given, "fwd": "m"})


def carry_out(ctx: Context, asked: Asked) -> None:
    try:
        ctx.do(change(ctx, asked))
    except OpError as error:
        raise Fail(error.tool_text, 255) from None


def _run(ctx: Context, argv: list[str]) -> Out:
    if not may_administer(ctx):
        raise Fail(f"{ROOT}\nAre you sure that IP Virtual Server is built in the kernel or as module?", 255)
    asked = read(argv)
    if asked.command == "v":
        return Out(stdout=f"{VERSION}\n")
    if asked.command == "h":
        return Out(stdout=f"{VERSION}\n{HELP}")
    checked(asked)
    if asked.command == "L":
        return shown(ctx, asked)
    if asked.command == "S":
        return saved(ctx, "n" in asked.given)
    if asked.command == "R":
        return restored(ctx)
    carry_out(ctx, asked)
    return Out()


def shown(ctx: Context, asked: Asked) -> Out:
    given, table, now = asked.given, ctx.ns.ipvs, ctx.net.clock
    settle(table, ctx.ns.conntrack, now)
    if "timeout" in given:
        t = table.timeouts
        return Out(stdout=f"Timeout (tcp tcpfin udp): {t['ESTABLISHED']} {t['FIN_WAIT']} {t['udp']}\n")
    if "daemon" in given:
        return Out()
    name = text.numeric if "n" in given else named(ctx)
    if "c" in given:
        if "svc" in given:
            raise NotModelled("ipvsadm -Lc with a service")
        return Out(stdout=text.connections(list(table.conns.values()), now, name))
    kinds = [k for k in ("stats", "rate", "thresholds", "persistent-conn") if k in given]
    if len(kinds) > 1:
        raise NotModelled(f"ipvsadm -L --{kinds[0]} with --{kinds[1]}")
    kind = kinds[0].removesuffix("-conn") if kinds else ""
    if kind == "rate" and any(s != Stats() for s in table.svc_stats.values()):
        raise NotModelled("ipvsadm --rate after traffic", RATES())
    rows = text.services(table, "nosort" not in given)
    lead = f"{text.TITLE}\n"
    if "svc" in given:
        one = table.services.get(asked.key())
        if one is None:
            raise Fail("No such service", 1)
        rows, lead = [one], ""
    lines = text.listing(table, rows, kind, name, sort="nosort" not in given, exact="exact" in given)
    return Out(stdout=f"{lead}{text.HEADS[kind]}\n{lines}")


RATES = Phrase(
    en="`ipvsadm -Ln --stats` before and after shows what came in between.",
    ko="전후에 `ipvsadm -Ln --stats`를 실행하면 그 사이에 온 것이 보입니다.",
)


def named(ctx: Context) -> text.Namer:
    """Names of ports, and of addresses that /etc/hosts knows."""
    hosts: dict[int, str] = {}
    try:
        lines = ctx.files.read("/etc/hosts").splitlines()
    except Exception as error:  # no such file: numbers it is
        if type(error).__name__ != "FileError":
            raise
        lines = []
    for line in lines:
        words = line.split("#")[0].split()
        if len(words) > 1 and ":" not in words[0]:
            hosts.setdefault(ip4(words[0]), words[1])

    def name(addr: int, port: int, proto: int) -> str:
        where = hosts.get(addr) or text.numeric(addr, 0, proto).removesuffix(":0")
        return f"{where}:{ports.service(port, 'udp' if proto == Proto.UDP else 'tcp')}"

    return name


def saved(ctx: Context, numeric: bool) -> Out:
    if not numeric and ctx.ns.ipvs.services:
        raise NotModelled("ipvsadm -S without -n", SAVE())
    return Out(stdout=text.save(ctx.ns.ipvs))


SAVE = Phrase(
    en="`ipvsadm -S -n` prints numbers, which is what ipvsadm -R should read.",
    ko="`ipvsadm -S -n`은 숫자로 출력하며, ipvsadm -R에는 이것을 쓰는 것이 좋습니다.",
)


def restored(ctx: Context) -> Out:
    """Each line of the input is a command line."""
    for line in ctx.stdin.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        asked = read(words)
        checked(asked)
        if asked.command in ("L", "S", "R", "h", "v"):
            raise NotModelled(f"ipvsadm -R with a line {line.strip()!r}")
        carry_out(ctx, asked)
    return Out()


def _save(ctx: Context, argv: list[str]) -> Out:
    return _run(ctx, ["-S", *argv])


def _restore(ctx: Context, argv: list[str]) -> Out:
    """The script of the package: it clears the table first."""
    if argv:
        raise NotModelled(f"ipvsadm-restore {argv[0]}")
    _run(ctx, ["-C"])
    return _run(ctx, ["-R"])


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    last = argv[-1] if argv else ""
    if last in ("-s", "--scheduler"):
        return ["rr", "wrr", "lc", "wlc", "sh", "dh", "mh", "sed", "nq"]
    if last in ("-t", "-u", "--tcp-service", "--udp-service"):
        proto = Proto.TCP if last in ("-t", "--tcp-service") else Proto.UDP
        return [
            text.numeric(s.addr, s.port, s.proto) for s in ctx.ns.ipvs.services.values() if s.proto == proto
        ]
    return [f"-{letter}" for letter in "AEDCRSadeLZtufspMrgimwxycnob"] + [f"--{name}" for name in LONG]


SUMMARY = Phrase(
    en="shows and changes IPVS: virtual services and the real servers behind them",
    ko="IPVS의 가상 서비스와 그 뒤의 실제 서버를 보고 바꿉니다",
)
TOOLS = (
    Tool(
        name="ipvsadm",
        summary=SUMMARY,
        run=_run,
        complete=_complete,
        group="net",
        usage=(
            "ipvsadm -A|-E -t|-u ADDRESS:PORT | -f MARK [-s SCHEDULER] [-p [SECONDS]] [-M MASK] [-b FLAGS] [-o]",
            "ipvsadm -D SERVICE        ipvsadm -C        ipvsadm -Z [SERVICE]        ipvsadm --set TCP TCPFIN UDP",
            "ipvsadm -a|-e SERVICE -r ADDRESS[:PORT] [-m|-g|-i] [-w WEIGHT] [-x UPPER] [-y LOWER]",
            "ipvsadm -d SERVICE -r ADDRESS[:PORT]",
            "ipvsadm -L|-l [-n] [SERVICE] [-c|--stats|--timeout|--thresholds|--persistent-conn] [--exact] [--nosort]",
            "ipvsadm -S -n > FILE      ipvsadm -R < FILE",
        ),
        opts=(
            Opt(("--start-daemon",), "", Phrase(en="connection sync", ko="연결 동기화"), refused=True),
            Opt(("--pe",), "ENGINE", Phrase(en="persistence engine", ko="지속성 엔진"), refused=True),
        ),
    ),
    Tool(name="ipvsadm-save", summary=SUMMARY, run=_save, group="net", usage=("ipvsadm-save -n",)),
    Tool(
        name="ipvsadm-restore", summary=SUMMARY, run=_restore, group="net", usage=("ipvsadm-restore < FILE",)
    ),
)
