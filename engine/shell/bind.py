"""The resolver inside dig, host and nslookup (bind's dighost.c), and how these print records.

Theory. They read /etc/resolv.conf themselves: servers and search list. A name with fewer dots than ndots is tried
with every search domain and then as it is, any answer that is not NOERROR leads to the next; a name with ndots dots or
more only as it is, unlike the C library's (next_origin: ndots being met ends the search). A server that refuses or is
silent is asked again until the tries are used up, then each other server once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field

from engine.errors import InputError
from engine.l7.serve import serve
from engine.linux.addr import ip4, text4
from engine.linux.exchange import Call, tcp_call, udp_call
from engine.linux.journey import Journey, Leg, Outcome
from engine.linux.wire import dns
from engine.linux.wire.dns import TYPES, Message, Record
from engine.record import dataclass
from engine.shell.names import in_hosts, is_address, lookup, read_file
from engine.shell.resolver import read_conf
from engine.shell.tool import Context, Fail

VERSION = "9.18.49-1~deb12u3-Debian"
PORT = 53
LOST = ";; no servers could be reached"
ERRORS = {
    "ECONNREFUSED": "connection refused", "EHOSTUNREACH": "host unreachable", "ENETUNREACH": "network unreachable",
    "EPERM": "permission denied", "EACCES": "permission denied",
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Settings:
    """How to ask. `servers` () = those of resolv.conf; `given` = they were named on the command line."""

    servers: tuple[int, ...] = ()
    given: bool = False
    tries: int = 3
    timeout: float = 5.0
    port: int = PORT
    tcp: bool = False
    recurse: bool = True
    search: bool = False
    ndots: int = 0
    domains: tuple[str, ...] | None = None
    edns: int = 0
    cookie: bool = False
    ad: bool = False
    ignore_tc: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """An answer, who gave it and how long it took; `message` None: nobody answered. `asked` is the question."""

    message: Message | None
    asked: Message
    server: int = 0
    seconds: float = 0.0
    tcp: bool = False
    size: int = 0
    #: nothing was sent, because there was no connection or no way
    unborn: bool = False


@dataclass(slots=True, kw_only=True)
class Bind:
    """One run of a tool. `say` gets lines as they happen (communication errors, remarks)."""

    ctx: Context
    settings: Settings
    say: Callable[[str], None]
    who: str = "dig"
    #: nslookup's: the remark for an answer without RA
    check_ra: bool = False
    legs: list[Leg] = field(default_factory=list)
    #: the last try that failed did so before anything was asked
    unborn: bool = False

    def __post_init__(self) -> None:
        conf = read_conf(read_file(self.ctx, "/etc/resolv.conf"))
        s = self.settings
        if not s.servers:
            s.servers = conf.servers
        if s.domains is None:
            s.domains = conf.search
        if not s.ndots:
            s.ndots = conf.ndots

    # ---- names

    def names(self, name: str) -> list[str]:
        """The full names that are tried, in order."""
        bare = name.rstrip(".") + "."
        if name.endswith(".") or not self.settings.search:
            return [bare]
        if name.count(".") >= self.settings.ndots:
            return [bare]
        return [*(f"{name}.{d.rstrip('.')}." for d in self.settings.domains or ()), bare]

    def look(self, name: str, type: str, tried: Callable[[Got], None] | None = None) -> Got:
        """Ask for a name as the search list says; the last answer counts. Tries without an answer end it. `tried` hears
        of each answer but the last. Fail for a name that none can be."""
        legal(self.who, name)
        got = None
        for full in self.names(name):
            if got is not None and tried is not None:
                tried(got)
            got = self.ask(full, type, typed=name)
            if got.message is None or got.message.rcode == "NOERROR":
                return got
        assert got is not None
        return got

    # ---- packets

    def ask(self, name: str, type: str, typed: str = "") -> Got:
        """One question to the servers. `typed` is the name as it was typed."""
        s = self.settings
        choose = self.ctx.world.choose
        asked = Message(
            name=name, type=type, id=choose.number("dns id", 1, 0xFFFF), rd=s.recurse, ad=s.ad, edns=s.edns,
            cookie=f"{choose.number('dns cookie', 1, 2**63):016x}" if s.cookie and s.edns else "",
        )  # fmt: skip
        plan = [s.servers[0]] * s.tries + list(s.servers[1:])
        for number, server in enumerate(plan):
            got = self._exchange(server, asked, s.tcp, typed or name)
            if got.message is not None and got.message.tc and not s.tcp and not s.ignore_tc:
                self.say(";; Truncated, retrying in TCP mode.")
                got = self._exchange(server, asked, True, typed or name)
            if got.message is None:
                self.unborn = got.unborn
                if got.unborn and number < s.tries - 1:
                    self.say(LOST)
                continue
            servers_left = [x for x in plan[number + 1 :] if x != server]
            message = got.message
            if message is not None and self._unfit(message):
                what = "SERVFAIL reply" if message.rcode == "SERVFAIL" else "recursion not available"
                more = ", trying next server" if servers_left else ""
                self.say(f";; Got {what} from {text4(server)}{more}")
                if servers_left:
                    continue
            return got
        return Got(message=None, asked=asked)

    def _unfit(self, message: Message) -> bool:
        """nslookup's wish for another server."""
        if not self.check_ra:
            return False
        return message.rcode == "SERVFAIL" or (
            self.settings.recurse and not message.ra and not self.settings.given
        )

    def _exchange(self, server: int, asked: Message, tcp: bool, typed: str) -> Got:
        s, ctx = self.settings, self.ctx
        purpose = f"DNS {asked.type} {asked.name} at {text4(server)}"
        call: Call
        if tcp:
            call = tcp_call(
                ctx.net, ctx.spot.netns, server, s.port, choose=ctx.world.choose, request=asked.payload(tcp=True),
                timeout=s.timeout, serve=serve, purpose=purpose, who=self.who,
            )  # fmt: skip
        else:
            call = udp_call(
                ctx.net, ctx.spot.netns, server, s.port, choose=ctx.world.choose, request=asked.payload(),
                timeout=s.timeout, serve=serve, purpose=purpose, who=self.who,
            )  # fmt: skip
        self.legs += call.legs
        # an answer that comes when the tool has given up is nobody's
        message = dns.of(call.response) if call.seconds <= s.timeout else None
        # dighost.c: tcp_connected and udp_ready name the server and the name, recv_done the server
        unborn = call.server is None and (tcp or unroutable(call))
        if message is None:
            why, where = ERRORS.get(call.error, "timed out"), f"{text4(server)}#{s.port}"
            if unborn:
                what = "Connection to" if tcp else "UDP setup with"
                self.say(f";; {what} {where}({text4(server)}) for {typed} failed: {why}.")
            else:
                self.say(f";; communications error to {where}: {why}")
        size = (call.response.size - (2 if tcp else 0)) if call.response is not None else 0
        return Got(message=message, asked=asked, server=server, seconds=call.seconds, tcp=tcp, size=size,
                   unborn=unborn and message is None)  # fmt: skip

    def journeys(self, ok: bool = True) -> tuple[Journey, ...]:
        if not self.legs:
            return ()
        outcome = self.legs[-1].outcome if ok else Outcome.NAME_NOT_FOUND
        return (
            Journey(act=self.ctx.line, outcome=outcome, legs=tuple(self.legs), started=self.legs[0].started),
        )


def unroutable(call: Call) -> bool:
    """Did connect() itself fail, because the routes have no way there? No packet was made then, and no time passed."""
    return call.icmp is None and call.seconds == 0 and call.error in ("ENETUNREACH", "EHOSTUNREACH", "EACCES")


def legal(tool: str, name: str) -> None:
    """Fail as the tools do for a name with an empty label or one of more than 63 bytes (dns_name_fromtext)."""
    labels = name.removesuffix(".").split(".") if name != "." else []
    wrong = "label too long" if any(len(x) > 63 for x in labels) else "empty label" if "" in labels else ""
    if wrong:
        if tool == "dig":
            raise Fail(f"dig: '{name}' is not a legal name ({wrong})", 10)
        raise Fail(f"{tool}: '{name}' is not in legal name syntax ({wrong})", 1)


def server_address(ctx: Context, tool: str, word: str) -> int:
    """The address of a server named on the command line. Fail as the tools say it."""
    if is_address(word):
        try:
            return ip4(word)
        except InputError:
            pass
    address = in_hosts(ctx, word) or lookup(ctx, word).address
    if not address:
        raise Fail(f"{tool}: couldn't get address for '{word}': not found", 1)
    return address


def reverse_name(word: str) -> str:
    """The in-addr.arpa name of an address as typed, "" for a name."""
    if not is_address(word):
        return ""
    try:
        return dns.reverse(ip4(word))
    except InputError:
        return ""


def known_type(word: str) -> str:
    """A type's name in capitals, "" for an unknown one. `TYPE65` is HTTPS, `IXFR=1` IXFR."""
    name = word.upper()
    if name.startswith("IXFR="):
        return "IXFR" if name[5:].isdigit() else ""
    if name.startswith("TYPE") and name[4:].isdigit():
        return next((t for t, n in TYPES.items() if n == int(name[4:])), name)
    return name if name in TYPES else ""


# ---- records


def columns(cells: Sequence[tuple[int, str]]) -> str:
    """Cells at their columns, by tabs; a cell that comes too late has one space before it (masterdump.c)."""
    out, at = "", 0
    for column, text in cells:
        if at:
            if at >= column:
                out, at = out + " ", at + 1
            else:
                while at < column:
                    out, at = out + "\t", (at // 8 + 1) * 8
        out, at = out + text, at + len(text)
    return out


def record_line(record: Record, *, ttl: bool = True, klass: bool = True) -> str:
    """One record as dig prints it."""
    cells = [(0, record.name)]
    starts = [24, 32, 40, 48] if ttl and klass else [24, 24, 32, 40] if ttl or klass else [24, 24, 24, 32]
    cells += [(starts[0], str(record.ttl))] if ttl else []
    cells += [(starts[1], "IN")] if klass else []
    return columns([*cells, (starts[2], record.type), (starts[3], record.data)])


def question_line(message: Message) -> str:
    return ";" + columns([(0, message.name), (32, "IN"), (40, message.type)])


def header(message: Message, *, extra: int = 0) -> list[str]:
    """The two lines of the header, and what dig remarks on it."""
    out = []
    if message.name.lower().rstrip(".").endswith(".local"):
        out = [
            ";; WARNING: .local is reserved for Multicast DNS",
            ";; You are currently testing what happens when an mDNS query is leaked to DNS",
        ]
    out.append(f";; ->>HEADER<<- opcode: QUERY, status: {message.rcode}, id: {message.id}")
    counts = f"QUERY: 1, ANSWER: {len(message.answers)}, AUTHORITY: {len(message.authority)}, "
    counts += f"ADDITIONAL: {len(message.additional) + extra}"
    order = ("qr", "aa", "tc", "rd", "ra", "ad", "cd")
    flags = "".join(f" {f}" for f in order if f in message.flags)
    return [*out, f";; flags:{flags}; {counts}"]
