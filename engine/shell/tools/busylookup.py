"""nslookup as busybox has it: all names and both types at once. Layout: tests/golden/dns/busybox.txt.

Theory (networking/nslookup.c). A name without a dot is asked with every search domain, never bare; a name with a dot
is asked as it is, and so is every name when a server is given: then resolv.conf is not read at all. Without a type A
and AAAA are asked. All questions go out together, to one server after the other, and are sent again (`-retry`) until
the time is over (`-timeout`, five seconds); an answer of SERVFAIL is asked for twice more.
"""

from __future__ import annotations

from engine.errors import InputError
from engine.l7.serve import serve
from engine.linux.addr import ip4, text4
from engine.linux.exchange import udp_call
from engine.linux.journey import Journey, Leg, Outcome
from engine.linux.packet import Payload
from engine.linux.wire import dns
from engine.linux.wire.dns import Message, Record
from engine.shell.bind import reverse_name
from engine.shell.names import is_address, lookup, read_file
from engine.shell.resolver import read_conf
from engine.shell.tool import Context, Fail, Out

TYPES = ("soa", "ns", "a", "aaaa", "cname", "mx", "txt", "ptr", "srv", "any")
USAGE = """\
BusyBox v1.36.1 () multi-call binary.

Usage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]

Query DNS about HOST

QUERY_TYPE: soa,ns,a,aaaa,cname,mx,txt,ptr,srv,any"""
#: seconds in all, and how often the questions go out in them
TIMEOUT, ROUNDS = 5, 2
OPTIONS = ("type", "querytype", "port", "retry", "debug", "t", "timeout")


def run(ctx: Context, argv: list[str]) -> Out:
    types: list[str] = []
    words = list(argv)
    numbers = {"port": 53, "retry": ROUNDS, "timeout": TIMEOUT}
    debug = False
    while words and words[0].startswith("-"):
        word, _, value = words.pop(0)[1:].partition("=")
        key = option(word)
        if key in ("type", "querytype"):
            if value.lower() not in TYPES:
                raise Fail(f'nslookup: invalid query type "{value}"')
            types.append(value.upper())
        elif key == "debug":
            debug = True
        elif value.isdigit() and int(value):
            numbers["timeout" if key == "t" else key] = int(value)
        else:
            raise Fail(f"nslookup: invalid number '{value}'")
    if not 1 <= len(words) <= 2:
        raise Fail(USAGE)
    if len(words) == 2:
        asked = questions(ctx, words[0], types, ())
        servers = [server(ctx, words[1], numbers["port"])]
    else:
        conf = read_conf(read_file(ctx, "/etc/resolv.conf"))
        asked = questions(ctx, words[0], types, conf.search)
        servers = [(text4(s), s, numbers["port"]) for s in conf.servers]
    return Talk(ctx, servers, asked, debug, numbers["timeout"], numbers["retry"]).out()


def option(word: str) -> str:
    """The option that a word begins, when it is the only one (index_in_substrings)."""
    found = [o for o in OPTIONS if o.startswith(word)] if word else []
    if word in OPTIONS:
        return word
    if len(found) != 1:
        raise Fail(USAGE)
    return found[0]


def server(ctx: Context, word: str, port_asked: int) -> tuple[str, int, int]:
    """(as typed, address, port)."""
    host, _, port = word.partition(":")
    try:
        address = ip4(host) if is_address(host) else lookup(ctx, host).address
    except InputError:
        address = 0
    if not address:
        raise Fail(f"nslookup: bad address '{word}'")
    return word, address, int(port) if port.isdigit() else port_asked


def questions(ctx: Context, name: str, types: list[str], search: tuple[str, ...]) -> list[Message]:
    backwards = reverse_name(name)
    if backwards and not types:
        pairs = [(backwards.rstrip("."), "PTR")]
    else:
        names = [f"{name}.{d}" for d in search] if "." not in name and search else [name]
        pairs = [(n, t) for t in types or ["A", "AAAA"] for n in names]
    number = ctx.world.choose.number
    return [Message(name=n, type=t, id=number("dns id", 1, 0xFFFF)) for n, t in pairs]


class Talk:
    """The questions of one command to one server after the other."""

    def __init__(
        self, ctx: Context, servers: list[tuple[str, int, int]], asked: list[Message], debug: bool, seconds: int,
        rounds: int,
    ) -> None:  # fmt: skip
        self.ctx, self.servers, self.asked, self.debug = ctx, servers, asked, debug
        self.seconds, self.rounds = float(seconds), rounds
        self.legs: list[Leg] = []
        self.answers: dict[int, Message] = {}
        self.refused = False

    def out(self) -> Out:
        used = self.servers[0]
        for used in self.servers:
            self.ask(used)
            if self.answers or self.refused:
                break
        journey = (
            Journey(
                act=self.ctx.line, started=self.legs[0].started, legs=tuple(self.legs),
                outcome=self.legs[-1].outcome if self.answers else Outcome.NAME_NOT_FOUND,
            ),
        )  # fmt: skip
        if not self.answers:
            text = ";; connection timed out; no servers could be reached\n\n"
            error = f"nslookup: write to '{used[0]}': Connection refused\n" if self.refused else ""
            return Out.mixed([("err", error), ("out", text)], 1, journey)
        lines = [f"Server:\t\t{used[0]}", f"Address:\t{text4(used[1])}:{used[2]}", ""]
        failures = 0
        for number, question in enumerate(self.asked):
            answer = self.answers.get(number)
            if answer is None:
                lines += [f"*** Can't find {question.name}: No answer", ""]
                failures += 1
                continue
            if self.debug:
                lines.append(f"Query #{number} completed in 1ms:")
                lines += ["authoritative answer:"] if answer.aa else []
            if answer.rcode != "NOERROR":
                lines += [f"** server can't find {question.name}: {answer.rcode}", ""]
                failures += 1
                continue
            lines += [*(line for r in answer.answers for line in told(r)), ""]
        return Out(stdout="".join(f"{x}\n" for x in lines), code=int(failures > 0), journeys=journey)

    def ask(self, to: tuple[str, int, int]) -> None:
        ctx = self.ctx
        started = ctx.net.clock
        sport = 0
        for turn in range(self.rounds):
            for number, question in enumerate(self.asked):
                if number in self.answers or ctx.net.clock >= started + self.seconds:
                    continue
                for _ in range(3):
                    call = udp_call(
                        ctx.net, ctx.spot.netns, to[1], to[2], choose=ctx.world.choose, request=sent(question),
                        timeout=0.0, serve=serve, sport=sport, who="nslookup",
                        purpose=f"DNS {question.type} {question.name} at {text4(to[1])}",
                    )  # fmt: skip
                    sport = call.sock[1]
                    self.legs += call.legs
                    answer = dns.of(call.response) if ctx.net.clock < started + self.seconds else None
                    if answer is not None:
                        self.answers[number] = answer
                    if answer is None or answer.rcode != "SERVFAIL":
                        break
                if call.error == "ECONNREFUSED":
                    self.refused = True
                    return
            if len(self.answers) == len(self.asked):
                return
            ctx.net.clock = max(ctx.net.clock, started + self.seconds * (turn + 1) / self.rounds)


def sent(question: Message) -> Payload:
    name = question.name.rstrip(".") + "."
    return Message(name=name, type=question.type, id=question.id).payload()


def told(record: Record) -> list[str]:
    name, words = record.name.rstrip("."), record.data.split(" ")
    if record.type in ("A", "AAAA"):
        return [f"Name:\t{name}", f"Address: {record.data}"]
    bare = " ".join(w.rstrip(".") for w in words)
    if record.type == "SOA":
        rows = ["origin", "mail addr", "serial", "refresh", "retry", "expire", "minimum"]
        return [name, *(f"\t{r} = {w.rstrip('.')}" for r, w in zip(rows, words, strict=True))]
    phrases = {
        "CNAME": "canonical name = ", "PTR": "name = ", "NS": "nameserver = ", "SRV": "service = ",
        "MX": "mail exchanger = ", "TXT": "text = ",
    }  # fmt: skip
    data = record.data if record.type == "TXT" else bare
    return [f"{name}\t{phrases.get(record.type, record.type + ' = ')}{data}"]
