"""host (bind 9.18): A, AAAA and MX of a name, the name of an address. Layout: tests/golden/dns/host.txt."""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.addr import text4
from engine.linux.wire.dns import RCODES, TRANSFERS, Message, Record
from engine.say import Phrase
from engine.shell.bind import (
    LOST,
    VERSION,
    Bind,
    Got,
    Settings,
    header,
    known_type,
    question_line,
    record_line,
    reverse_name,
    server_address,
)
from engine.shell.tool import SEE_HELP, Context, Fail, Out, Tool

USAGE = """\
Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]
            [-R number] [-m flag] [-p port] hostname [server]
       -a is equivalent to -v -t ANY
       -A is like -a but omits RRSIG, NSEC, NSEC3
       -c specifies query class for non-IN data
       -C compares SOA records on authoritative nameservers
       -d is equivalent to -v
       -l lists all hosts in a domain, using AXFR
       -m set memory debugging flag (trace|record|usage)
       -N changes the number of dots allowed before root lookup is done
       -p specifies the port on the server to query
       -r disables recursive processing
       -R specifies number of retries for UDP packets
       -s a SERVFAIL response should stop query
       -t specifies the query type
       -T enables TCP/IP mode
       -U enables UDP mode
       -v enables verbose output
       -V print version number and exit
       -w specifies to wait forever for a reply
       -W specifies how long to wait for a reply
       -4 use IPv4 query transport only
       -6 use IPv6 query transport only"""
#: what host says of a record
WORDS = {
    "A": "has address", "AAAA": "has IPv6 address", "CNAME": "is an alias for", "MX": "mail is handled by",
    "NS": "name server", "PTR": "domain name pointer", "TXT": "descriptive text", "SRV": "has SRV record",
    "SOA": "has SOA record",
}  # fmt: skip
VALUED = "cNtWRmp"
FLAGS = "adrsTUvVw46ACil"


class Plan:
    """A command line."""

    def __init__(self, argv: list[str]) -> None:
        self.settings = Settings(search=True, tries=2)
        self.type, self.verbose = "", False
        self.words: list[str] = []
        rest = list(argv)
        while rest:
            word = rest.pop(0)
            if not word.startswith("-") or word == "-":
                self.words.append(word)
                continue
            letters = word[1:]
            while letters:
                letter, letters = letters[0], letters[1:]
                if letter not in FLAGS + VALUED:
                    raise Fail(f"host: illegal option -- {letter}\n{USAGE}")
                value = ""
                if letter in VALUED:
                    value, letters = letters or (rest.pop(0) if rest else ""), ""
                self.take(letter, value)
        if not 1 <= len(self.words) <= 2:
            raise Fail(USAGE)

    def take(self, letter: str, value: str) -> None:
        s = self.settings
        if letter == "t":
            self.type = known_type(value)
            if not self.type:
                raise Fail(f"host: invalid type: {value}", 2)
            if self.type in TRANSFERS:
                raise NotModelled(f"host -t {value}", SEE_HELP(tool="host"))
        elif letter == "V":
            raise Fail("", 0, f"host {VERSION}\n")
        elif letter in "ACilm6" or (letter == "c" and value.upper() != "IN"):
            raise NotModelled(f"host -{letter}", SEE_HELP(tool="host"))
        elif letter in "WRNp" and value.isdigit():
            number = int(value)
            if letter == "W":
                s.timeout = float(max(number, 1))
            elif letter == "R":
                s.tries = max(number, 1) + 1
            elif letter == "N":
                s.ndots = number
            else:
                s.port = number
        elif letter in "vd":
            self.verbose = True
        elif letter == "a":
            self.verbose, self.type = True, "ANY"
        elif letter == "r":
            s.recurse = False
        elif letter == "T":
            s.tcp = True


def run(ctx: Context, argv: list[str]) -> Out:
    plan = Plan(argv)
    lines: list[str] = []
    if len(plan.words) > 1:
        address = server_address(ctx, "host", plan.words[1])
        plan.settings.servers, plan.settings.given = (address,), True
        port = plan.settings.port
        where = text4(address)
        lines += [
            "Using domain server:",
            f"Name: {plan.words[1]}",
            f"Address: {where}#{port}",
            "Aliases: ",
            "",
        ]
    bind = Bind(ctx=ctx, settings=plan.settings, say=lines.append, who="host")
    backwards = reverse_name(plan.words[0])
    name, types = plan.words[0], [plan.type] if plan.type else ["A", "AAAA", "MX"]
    if backwards:
        # host.c: an address is looked up backwards whatever -t says
        name, types = backwards, ["PTR"]
    code = asked(bind, plan, name, types, lines)
    text = "".join(f"{line}\n" for line in lines)
    lost = code and lines and lines[-1].startswith(";; no servers")
    if lost and plan.settings.given:
        text = text.partition("Aliases: \n\n")[2]
    return Out(stdout=text, code=code, journeys=bind.journeys(code == 0))


def asked(bind: Bind, plan: Plan, name: str, types: list[str], lines: list[str]) -> int:
    """Every type in turn; the first finds the name. The exit code."""
    first = True

    def trying(got: Got) -> None:
        if plan.verbose:
            lines.append(f'Trying "{got.asked.name.rstrip(".")}"')

    for type in types:
        got = bind.look(name, type, trying) if first else bind.ask(name, type)
        message = got.message
        if message is None:
            lines.append(LOST)
            return 1
        trying(got)
        if message.rcode != "NOERROR":
            # host.c: what was typed is not there; what was asked last failed otherwise
            typed = name if message.rcode == "NXDOMAIN" and first else message.name.rstrip(".")
            lines.append(f"Host {typed} not found: {RCODES.get(message.rcode, 2)}({message.rcode})")
            if plan.verbose:
                lines.append(received(got, plan))
            return 1
        if plan.verbose:
            lines += verbose(got, message, plan)
        if not plan.verbose:
            lines += [said(r) for r in message.answers if first or r.type != "CNAME"]
            if not message.answers and (len(types) == 1):
                lines.append(f"{message.name.rstrip('.')} has no {type} record")
        alias = next((r.data for r in reversed(message.answers) if r.type == "CNAME"), message.name)
        name, first = alias, False
    return 0


def said(record: Record) -> str:
    name = record.name.rstrip(".")
    return f"{name} {WORDS.get(record.type, 'has ' + record.type + ' record')} {record.data}"


def verbose(got: Got, message: Message, plan: Plan) -> list[str]:
    out = [*header_lines(message), ""]
    out += [";; QUESTION SECTION:", question_line(message), ""]
    for title, rows in (
        ("ANSWER", message.answers), ("AUTHORITY", message.authority), ("ADDITIONAL", message.additional),
    ):  # fmt: skip
        if rows:
            out += [f";; {title} SECTION:", *(record_line(r) for r in rows), ""]
    return [*out, received(got, plan)]


def received(got: Got, plan: Plan) -> str:
    where = f"{text4(got.server)}#{plan.settings.port}"
    return f"Received {got.size} bytes from {where} in {got.seconds * 1000:.0f} ms"


def header_lines(message: Message) -> list[str]:
    return [line for line in header(message) if line.startswith((";; ->>", ";; flags"))]


TOOL = Tool(
    name="host",
    summary=Phrase(
        en="look a name or an address up in DNS, briefly", ko="이름이나 주소를 DNS에서 짧게 찾습니다"
    ),
    run=run,
    group="packets",
    usage=("host [-t TYPE] [-v] [-T] [-W SECONDS] NAME [SERVER]",),
)
