"""conntrack: the connections that this network namespace tracks (conntrack-tools 1.4.7).

Rules. -E (events), labels, secmarks and -o xml are refused by name. The line of an entry is made in
engine/linux/text/conntrack.py; the sentence with the number goes to stderr, as with the real tool. Entries stand in
the order in which they began (a kernel prints them in the order of its hash table). What -I and -U make of their words
is in conntrack_make.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from engine.errors import InputError, NotModelled
from engine.linux.addr import Prefix, ip4
from engine.linux.conntrack import COUNTERS, CtEntry
from engine.linux.ops.conntrack import CtDelete, CtFlush, CtInsert, CtZero
from engine.linux.text.conntrack import save_text, to_text
from engine.linux.xt.names import service_port
from engine.record import dataclass
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool
from engine.shell.tools import conntrack_make as make
from engine.shell.tools.conntrack_words import ROOT, VERSION, bad
from engine.shell.tools.iptables import may_administer

PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1}
OTHER_PROTOCOLS = ("udplite", "sctp", "dccp", "gre", "icmpv6")
TCP_STATES = (
    "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "LISTEN",
)  # fmt: skip
WAYS = Phrase(
    en="`conntrack -L` before and after shows what changed.",
    ko="전후에 `conntrack -L`을 실행하면 무엇이 달라졌는지 보입니다.",
)
Test = Callable[[CtEntry], bool]
#: option -> the letter that it stands for
LONG = {
    "dump": "L", "delete": "D", "flush": "F", "count": "C", "event": "E", "create": "I", "update": "U", "get": "G",
    "stats": "S", "add": "A", "version": "V", "help": "h", "src": "s", "orig-src": "s", "dst": "d", "orig-dst": "d",
    "reply-src": "r", "reply-dst": "q", "protonum": "p", "family": "f", "src-nat": "n", "dst-nat": "g", "any-nat": "j",
    "mark": "m", "status": "u", "output": "o", "zero": "z", "timeout": "t", "zone": "w", "label": "l",
    "buffer-size": "b", "secmark": "c", "event-mask": "e", "orig-zone": "orig-zone", "reply-zone": "reply-zone",
}  # fmt: skip
TAKES = "sdrqpfmuotwlbce"
MAY_TAKE = "ngj"
REFUSED = {"E": "-E"}
PORTS = {
    "sport": ("orig", "sport"), "orig-port-src": ("orig", "sport"), "dport": ("orig", "dport"),
    "orig-port-dst": ("orig", "dport"), "reply-port-src": ("reply", "sport"), "reply-port-dst": ("reply", "dport"),
}  # fmt: skip


@dataclass(slots=True)
class Request:
    """A command line that was read."""

    command: str = ""
    kind: str = "conntrack"
    tests: list[Test] = field(default_factory=list)
    extended: bool = False
    save: bool = False
    id: bool = False
    ktimestamp: bool = False
    proto: int = 0
    #: what was given, by letter or name: for the commands that make or find one entry
    given: dict[str, str] = field(default_factory=dict)


def _prefix(text: str) -> Prefix:
    try:
        if "/" not in text:
            return Prefix(ip4(text), 32)
        return Prefix.parse(text)
    except InputError:
        raise bad(f"Invalid IP address `{text}'") from None


def _address_test(letter: str, text: str) -> Test:
    prefix = _prefix(text)
    tests: dict[str, Test] = {
        "s": lambda e: e.orig.src in prefix,
        "d": lambda e: e.orig.dst in prefix,
        "r": lambda e: e.reply.src in prefix,
        "q": lambda e: e.reply.dst in prefix,
    }
    return tests[letter]


def _nat_test(letter: str, text: str | None) -> Test:
    """-n, -g, -j: by source NAT, destination NAT, any NAT; with an address, by what it was rewritten to."""
    where, _, ports = (text or "").partition(":")
    prefix = _prefix(where) if where else Prefix(0, 0)
    port = _number(ports) if ports else 0

    def source(e: CtEntry) -> bool:
        return e.snat and e.reply.dst in prefix and port in (0, e.reply.dport)

    def dest(e: CtEntry) -> bool:
        return e.dnat and e.reply.src in prefix and port in (0, e.reply.sport)

    return {"n": source, "g": dest, "j": lambda e: source(e) or dest(e)}[letter]


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise bad(f"Bad parameter `{text}'") from None


def _mark_test(text: str) -> Test:
    value, slash, mask = text.partition("/")
    wanted, bits = _number(value), _number(mask) if slash else 0xFFFFFFFF
    return lambda e: e.mark & bits == wanted


def _status_test(text: str) -> Test:
    tests: dict[str, Test] = {
        "ASSURED": lambda e: e.assured,
        "SEEN_REPLY": lambda e: e.seen_reply,
        "UNREPLIED": lambda e: not e.seen_reply,
        "SRC_NAT": lambda e: e.snat,
        "DST_NAT": lambda e: e.dnat,
        "CONFIRMED": lambda e: True,
    }
    chosen = []
    for word in text.split(","):
        if word.upper() in ("EXPECTED", "FIXED_TIMEOUT", "UNSET", "OFFLOAD", "HW_OFFLOAD"):
            raise NotModelled(f"conntrack --status {word}")
        if word.upper() not in tests:
            raise bad(f"Bad parameter `{word}'")
        chosen.append(tests[word.upper()])
    return lambda e: all(test(e) for test in chosen)


def _zone_test(key: str, number: int) -> Test:
    """-w asks for the zone of both directions, the others for one direction's."""
    if key == "w":
        return lambda e: e.zone.id == number and not e.zone.way
    if key == "orig-zone":
        return lambda e: e.zone.orig == number
    return lambda e: e.zone.reply == number


def _port_test(name: str, text: str, proto: int) -> Test:
    number = int(text) & 0xFFFF if text.isdigit() else service_port({6: "tcp", 17: "udp"}.get(proto), text)
    if number is None:
        raise bad(f"invalid port `{text}'")
    side, part = PORTS[name]
    return lambda e: getattr(getattr(e, side), part) == number


class Reader:
    """Takes the words one by one, in the manner of getopt_long."""

    def __init__(self, argv: list[str]) -> None:
        self.rest = list(argv)
        self.out = Request()

    def run(self) -> Request:
        while self.rest:
            word = self.rest.pop(0)
            if word.startswith("--") and len(word) > 2:
                self.long(word)
            elif word.startswith("-") and len(word) > 1:
                self.short(word)
            else:
                raise bad("unknown arguments found on commandline")
        return self.out

    def long(self, word: str) -> None:
        name, equals, glued = word[2:].partition("=")
        known = {**LONG, **{p: p for p in PORTS if self.out.proto in (6, 17)}}
        if self.out.proto == 6:
            known["state"] = "state"
        if self.out.proto == 1:
            known.update({"icmp-type": "icmp-type", "icmp-code": "icmp-code", "icmp-id": "icmp-id"})
        hits = [name] if name in known else [k for k in known if k.startswith(name)]
        if len({known[h] for h in hits}) != 1:
            raise bad(f"unknown option `{word}'")
        self.take(known[hits[0]], hits[0], word, glued if equals else None)

    def short(self, word: str) -> None:
        letter, glued = word[1], word[2:]
        if letter not in (*LONG.values(), "h", "V"):
            raise bad(f"unknown option `{word}'")
        if glued and letter not in TAKES + MAY_TAKE:
            self.take(letter, letter, word, None)
            self.short(f"-{glued}")
            return
        self.take(letter, letter, word, glued or None)

    def take(self, key: str, name: str, word: str, glued: str | None) -> None:
        """One option; `key` is its letter or the name of a protocol's own option."""
        wants = len(key) > 1 or key in TAKES
        if wants and glued is None:
            if not self.rest:
                raise bad(f"option `{word}' requires an argument")
            glued = self.rest.pop(0)
        if key in MAY_TAKE and glued is None and self.rest and not self.rest[0].startswith("-"):
            glued = self.rest.pop(0)
        if key in tuple("LDFCEIUGSAVh"):
            self.command(key)
            return
        self.filter(key, name, glued)

    def command(self, key: str) -> None:
        out = self.out
        if out.command and out.command != key:
            raise bad("Invalid commands combination")
        out.command = key
        if key in "LDFC" and self.rest and not self.rest[0].startswith("-"):
            out.kind = self.rest.pop(0)
            if out.kind not in ("conntrack", "expect", "dying", "unconfirmed"):
                raise bad(f"unknown type `{out.kind}'")

    def filter(self, key: str, name: str, text: str | None) -> None:
        out = self.out
        out.given[key if len(key) > 1 or name not in PORTS else name] = text or ""
        if key in MAY_TAKE:
            out.tests.append(_nat_test(key, text))
            return
        if key == "z":
            return
        assert text is not None
        if key in "sdrq":
            out.tests.append(_address_test(key, text))
        elif key == "p":
            self.proto(text)
        elif key == "f":
            if text not in ("ipv4", "ipv6"):
                raise bad(f"`{text}' unsupported protocol")
            if text == "ipv6":
                out.tests.append(lambda e: False)
        elif key == "m":
            out.tests.append(_mark_test(text))
        elif key == "u":
            out.tests.append(_status_test(text))
        elif key == "o":
            self.output(text)
        elif key in ("w", "orig-zone", "reply-zone"):
            out.tests.append(_zone_test(key, _number(text)))
        elif key == "t":
            _number(text)
        elif key == "b":
            raise NotModelled("conntrack -b")
        elif key == "state":
            state = text.upper()
            if state not in TCP_STATES:
                raise bad(f"unknown TCP state `{text}'")
            out.tests.append(lambda e: e.state == state)
        elif name in PORTS:
            out.tests.append(_port_test(name, text, out.proto))
        elif key.startswith("icmp-"):
            number = _number(text)
            pick: dict[str, Test] = {
                "icmp-type": lambda e: e.orig.dport >> 8 == number,
                "icmp-code": lambda e: e.orig.dport & 255 == number,
                "icmp-id": lambda e: e.orig.sport == number,
            }
            out.tests.append(pick[key])
        else:
            raise NotModelled(f"conntrack {'--' if len(name) > 1 else '-'}{name}")

    def proto(self, text: str) -> None:
        if text in OTHER_PROTOCOLS:
            number = {"udplite": 136, "sctp": 132, "dccp": 33, "gre": 47, "icmpv6": 58}[text]
        elif text in PROTOCOLS:
            number = PROTOCOLS[text]
        elif text.isdigit() and int(text) < 256:
            number = int(text)
        else:
            raise bad(f"`{text}' unsupported protocol")
        self.out.proto = number
        self.out.tests.append(lambda e: e.orig.proto == number)

    def output(self, text: str) -> None:
        for word in text.split(","):
            if word in ("extended", "save", "id", "ktimestamp"):
                setattr(self.out, word, True)
            elif word == "timestamp":
                continue  # of events
            elif word in ("xml", "labels", "userspace"):
                raise NotModelled(f"conntrack -o {word}")
            else:
                raise bad(f"Bad parameter `{word}'")


def _run(ctx: Context, argv: list[str]) -> Out:
    if not argv:
        raise NotModelled("conntrack without a command", WAYS())
    want = Reader(argv).run()
    if want.command == "V":
        return Out(stdout=f"{VERSION}\n")
    if want.command == "h":
        raise NotModelled(
            "conntrack -h", Phrase(en="See `help conntrack`.", ko="`help conntrack`을 보십시오.")()
        )
    if want.command in REFUSED:
        raise NotModelled(f"conntrack {REFUSED[want.command]}", WAYS())
    if not want.command:
        raise bad("no command specified")
    if not may_administer(ctx):
        raise Fail(f"{VERSION}: {ROOT}")
    if want.kind == "expect":
        return _expectations(want.command)
    ns, now = ctx.ns, ctx.net.clock
    entries = ns.conntrack.shown(now)
    if want.command == "C":
        return Out(stdout=f"{len(entries)}\n")
    if want.command == "S":
        row = " ".join(f"{name}={ns.conntrack.stats.get(name, 0)}" for name in COUNTERS)
        return Out(stdout=f"cpu=0   \t{row} \n")
    if want.command == "F":
        ctx.do(CtFlush(netns=ctx.spot.netns))
        return Out(stderr=f"{VERSION}: connection tracking table has been emptied.\n")
    if want.command in ("I", "A"):
        return _insert(ctx, want)
    if want.command == "G":
        return _get(ctx, want)
    if want.command == "U":
        return _update(ctx, want)
    chosen = [e for e in entries if all(test(e) for test in want.tests)] if want.kind == "conntrack" else []
    done = "deleted" if want.command == "D" else "shown"
    stdout = "".join(f"{_line(want, e, now)}\n" for e in chosen)
    if want.command == "D" and chosen:
        ctx.do(CtDelete(netns=ctx.spot.netns, ids=tuple(e.id for e in chosen)))
    if "z" in want.given and chosen:
        ctx.do(CtZero(netns=ctx.spot.netns, ids=tuple(e.id for e in chosen)))
    code = 1 if want.command == "D" and not chosen else 0
    return Out(stdout=stdout, stderr=f"{VERSION}: {len(chosen)} flow entries have been {done}.\n", code=code)


def _line(want: Request, entry: CtEntry, now: float) -> str:
    if want.save:
        return save_text(entry, now)
    lead = "ipv4     2 " if want.extended else ""
    return lead + to_text(entry, now, id=want.id, ktimestamp=want.ktimestamp)


def _insert(ctx: Context, want: Request) -> Out:
    """-I and -A: the entry that the words describe; -A is content when there is one."""
    fresh = make.entry(want.given, want.proto, ctx.net.clock)
    table, now = ctx.ns.conntrack, ctx.net.clock
    if table.find(fresh.orig, now, fresh.zone) or table.find(fresh.reply, now, fresh.zone):
        if want.command == "A":
            return Out(stderr=f"{VERSION}: 0 flow entries have been added.\n")
        raise Fail(f"{VERSION}: Operation failed: Such conntrack exists, try -U to update")
    ctx.do(CtInsert(netns=ctx.spot.netns, entry=fresh))
    done = "added" if want.command == "A" else "created"
    return Out(stderr=f"{VERSION}: 1 flow entries have been {done}.\n")


def _get(ctx: Context, want: Request) -> Out:
    """-G: one entry by its tuple."""
    found = ctx.ns.conntrack.find(make.wanted(want.given, want.proto), ctx.net.clock, make.zone(want.given))
    if found is None:
        raise Fail(f"{VERSION}: Operation failed: such conntrack doesn't exist")
    line = _line(want, found[0], ctx.net.clock).replace("use=1", "use=2")
    return Out(stdout=f"{line}\n", stderr=f"{VERSION}: 1 flow entries have been shown.\n")


def _update(ctx: Context, want: Request) -> Out:
    """-U: mark, status, timeout of the entries whose tuple fits."""
    filters = [e for e in ctx.ns.conntrack.shown(ctx.net.clock) if make.fits(e, want.given, want.proto)]
    out = ""
    for entry in filters:
        changed = make.updated(entry, want.given, ctx.net.clock)
        ctx.do(CtInsert(netns=ctx.spot.netns, entry=changed))
        out += f"{_line(want, changed, ctx.net.clock)}\n"
    code = 0 if filters else 1
    return Out(stdout=out, stderr=f"{VERSION}: {len(filters)} flow entries have been updated.\n", code=code)


def _expectations(command: str) -> Out:
    """Nothing in the model expects a connection (no helpers)."""
    if command == "C":
        return Out(stdout="0\n")
    if command == "F":
        return Out(stderr=f"{VERSION}: expectation table has been emptied.\n")
    if command == "L":
        return Out(stderr=f"{VERSION}: 0 expectations have been shown.\n")
    raise NotModelled("conntrack -D expect")


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    last = argv[-1] if argv else ""
    if last in ("-p", "--protonum"):
        return list(PROTOCOLS)
    if last == "--state":
        return list(TCP_STATES)
    if last in ("-u", "--status"):
        return ["ASSURED", "SEEN_REPLY", "UNREPLIED", "SRC_NAT", "DST_NAT"]
    if last in ("-o", "--output"):
        return ["extended", "id", "save", "ktimestamp"]
    names = ("orig-src", "orig-dst", "reply-src", "reply-dst", "src-nat", "dst-nat", "any-nat", *PORTS)
    return [f"-{letter}" for letter in "LDFCSIAUGpsdrqngjumowtz"] + [f"--{name}" for name in names]


TOOL = Tool(
    name="conntrack",
    summary=Phrase(
        en="shows and deletes the connections that the kernel tracks",
        ko="커널이 추적하는 연결을 보고 지웁니다",
    ),
    run=_run,
    complete=_complete,
    group="net",
    usage=(
        "conntrack -L [FILTER ...] [-o extended]",
        "conntrack -D [FILTER ...]",
        "conntrack -I|-A -p PROTO -s SRC -d DST [PORTS] -t SECONDS [--state S] [-m MARK] [-u STATUS] [-w ZONE]",
        "conntrack -U FILTER [-m MARK] [-u STATUS] [-t SECONDS]        conntrack -G -p PROTO -s SRC -d DST [PORTS]",
        "conntrack -F | -C | -S",
        "FILTER: -p PROTO -s SRC -d DST -r REPLY-SRC -q REPLY-DST --sport N --dport N --state S",
        "        -n|-g|-j [NAT-IP] -u STATUS -m MARK -w ZONE; -o extended,id,save,ktimestamp",
    ),
    opts=(Opt(("-E",), "", Phrase(en="follow events", ko="이벤트 지켜보기"), refused=True),),
)
