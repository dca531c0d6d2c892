"""nslookup as busybox has it: all names and both types at once. Layout: tests/golden/dns/busybox.txt.

Theory (networking/nslookup.c). A name without a dot is asked with every search domain, never bare; a name with a dot
is asked as it is. Without a type A and AAAA are asked. All questions go out together, to one server after the other,
and are sent again after a second and more until five seconds are over; an answer of SERVFAIL is asked for twice more.
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
TIMEOUT, ROUNDS = 5.0, 2


def run(ctx: Context, argv: list[str]) -> Out:
    types: list[str] = []
    words: list[str] = []
    debug = False
    for word in argv:
        key, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and key in ("type", "querytype", "query", "t", "q") and equals:
            if value.lower() not in TYPES:
                raise Fail(f'nslookup: invalid query type "{value}"')
            types.append(value.upper())
        elif word.startswith("-") and key == "debug":
            debug = True
        elif word.startswith("-"):
            raise Fail(f"nslookup: unrecognized option: {key}\n{USAGE}")
        else:
            words.append(word)
    if not 1 <= len(words) <= 2:
        raise Fail(USAGE)
    conf = read_conf(read_file(ctx, "/etc/resolv.conf"))
    servers = [(text4(s), s, 53) for s in conf.servers]
    if len(words) == 2:
        servers = [server(ctx, words[1])]
    asked = questions(ctx, words[0], types, conf.search)
    return Talk(ctx, servers, asked, debug).out()


def server(ctx: Context, word: str) -> tuple[str, int, int]:
    """(as typed, address, port)."""
    host, _, port = word.partition(":")
    try:
        address = ip4(host) if is_address(host) else lookup(ctx, host).address
    except InputError:
        address = 0
    if not address:
        raise Fail(f"nslookup: bad address '{word}'")
    return word, address, int(port) if port.isdigit() else 53


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
        self, ctx: Context, servers: list[tuple[str, int, int]], asked: list[Message], debug: bool
    ) -> None:
        self.ctx, self.servers, self.asked, self.debug = ctx, servers, asked, debug
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
        for turn in range(ROUNDS):
            for number, question in enumerate(self.asked):
                if number in self.answers:
                    continue
                for _ in range(3):
                    call = udp_call(
                        ctx.net, ctx.spot.netns, to[1], to[2], choose=ctx.world.choose, request=sent(question),
                        timeout=0.0, serve=serve, sport=sport, who="nslookup",
                        purpose=f"DNS {question.type} {question.name} at {text4(to[1])}",
                    )  # fmt: skip
                    sport = call.sock[1]
                    self.legs += call.legs
                    answer = dns.of(call.response)
                    if answer is not None:
                        self.answers[number] = answer
                    if answer is None or answer.rcode != "SERVFAIL":
                        break
                if call.error == "ECONNREFUSED":
                    self.refused = True
                    return
            if len(self.answers) == len(self.asked):
                return
            ctx.net.clock = max(ctx.net.clock, started + TIMEOUT * (turn + 1) / ROUNDS)


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
