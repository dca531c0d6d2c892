"""dig (bind 9.18): one question, and the whole answer. Layout: tests/golden/dns/dig.txt.

Rules. An option that dig has and this file lacks is NotModelled by name. The search list is used only with +search.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field
from ipaddress import ip_address

from engine.errors import NotModelled
from engine.linux.addr import text4
from engine.linux.clock import moment
from engine.linux.journey import Journey
from engine.linux.wire.dns import TRANSFERS, Message, Record
from engine.record import dataclass, replace
from engine.say import Phrase
from engine.shell.bind import (
    LOST,
    VERSION,
    Bind,
    Got,
    Settings,
    columns,
    header,
    known_type,
    question_line,
    record_line,
    server_address,
)
from engine.shell.tool import SEE_HELP, Context, Fail, Out, Tool

USAGE = """\
Usage:  dig [@global-server] [domain] [q-type] [q-class] {q-opt}
            {global-d-opt} host [@local-server] {local-d-opt}
            [ host [@local-server] {local-d-opt} [...]]

Use "dig -h" (or "dig -h | more") for complete list of options"""
#: display options that +all and +noall set
SHOWN = ("cmd", "comments", "question", "answer", "authority", "additional", "stats")
#: +options with a value
VALUED = {"time": "timeout", "timeout": "timeout", "tries": "tries", "retry": "retry", "ndots": "ndots",
          "bufsize": "bufsize", "domain": "domain", "edns": "edns", "qid": "qid"}  # fmt: skip
SWITCHES = (
    *SHOWN, "all", "short", "search", "defname", "showsearch", "tcp", "vc", "recurse", "rdflag", "adflag", "cookie",
    "class", "ttlid", "multiline", "identify", "qr", "ignore", "besteffort", "fail", "idnin", "idnout",
)  # fmt: skip
#: options of dig's own help that are not here
REFUSED = frozenset(
    (
        "aaflag", "aaonly", "badcookie", "cdflag", "coflag", "crypto", "dns64prefix", "dnssec", "ednsflags",
        "ednsnegotiation", "ednsopt", "expandaaaa", "expire", "header-only", "https", "https-get", "http-plain",
        "http-plain-get", "keepalive", "keepopen", "nsid", "nssearch", "onesoa", "opcode", "padding", "raflag",
        "rrcomments", "showbadcookie", "split", "subnet", "tcflag", "tls", "tls-ca", "tls-hostname", "tls-certfile",
        "tls-keyfile", "trace", "ttlunits", "unknownformat", "yaml", "zflag",
    )
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Look:
    """One question of a command line with its options."""

    name: str = "."
    type: str = "A"
    typed: bool = False
    named: bool = False
    server: str = ""
    show: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(SHOWN, True))
    on: dict[str, bool] = field(default_factory=dict)
    settings: Settings = field(default_factory=lambda: Settings(edns=1232, cookie=True, ad=True))

    def copy(self) -> Look:
        return replace(self, show=dict(self.show), on=dict(self.on), settings=replace(self.settings))

    def is_on(self, name: str, default: bool = False) -> bool:
        return self.on.get(name, default)


#: classes besides IN that dig knows as words
CLASSES = ("CH", "CHAOS", "HS", "HESIOD", "NONE", "RESERVED0")


def parse(argv: list[str], warn: Callable[[str], None]) -> list[Look]:
    """The questions of a command line; options before the first name hold for all. `warn` hears what dig remarks."""
    base = Look()
    out: list[Look] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        look = out[-1] if out else base
        if word.startswith("@"):
            look.server = word[1:]
        elif word.startswith("+"):
            plus(look, word[1:])
        elif word.startswith("-") and len(word) > 1:
            dash(look, word, rest, out, base, warn)
        elif type := known_type(word):
            if look.typed:
                warn(";; Warning, extra type option")
            set_type(look, type)
        elif word.upper() == "IN":
            continue
        elif word.upper() in CLASSES:
            raise NotModelled(f"dig with the class {word.upper()}", SEE_HELP(tool="dig"))
        else:
            name(out, base, word)
    if any(look.is_on("short") for look in out):
        for look in out:
            look.on["short"] = True
    return out or [replace(base, name=".", type="NS" if not base.typed else base.type)]


def name(out: list[Look], base: Look, word: str) -> Look:
    new = base.copy()
    new.name, new.named = word, True
    if base.named and not out:
        base.named = False
    out.append(new)
    return new


def set_type(look: Look, type: str) -> None:
    """A whole zone and ANY are asked for by TCP (dig.c)."""
    look.type, look.typed = type, True
    look.settings.tcp = look.settings.tcp or type in (*TRANSFERS, "ANY")


def backwards(word: str) -> str:
    """The name that `-x` asks for: any word's parts in reverse order, not only an address's (dighost.c)."""
    if ":" in word:
        try:
            return ip_address(word).reverse_pointer + "."
        except ValueError:
            raise Fail(f"Invalid IP address {word}", 1) from None
    return ".".join(reversed(word.split("."))) + ".in-addr.arpa."


def dash(
    look: Look, word: str, rest: list[str], out: list[Look], base: Look, warn: Callable[[str], None]
) -> None:
    letter, value = word[1], word[2:]
    if letter in "46" and not value:
        if letter == "6":
            raise NotModelled("dig -6", SEE_HELP(tool="dig"))
        return
    if letter in "hv" and not value:
        text = f"DiG {VERSION}" if letter == "v" else USAGE
        raise Fail("", 0, text + "\n")
    if letter in "ru" and not value:
        return
    if letter not in "tqxpbcfky":
        raise Fail("", 1, f"Invalid option: {word}\n{USAGE}\n")
    value = value or (rest.pop(0) if rest else "")
    if letter in "bfkyc" and not (letter == "c" and value.upper() == "IN"):
        raise NotModelled(f"dig -{letter}", SEE_HELP(tool="dig"))
    if letter == "t":
        found = known_type(value)
        if found:
            set_type(look, found)
        else:
            warn(f";; Warning, ignoring invalid type {value}")
    elif letter == "q":
        name(out, base, value)
    elif letter == "p":
        look.settings.port = int(value) if value.isdigit() else 53
    elif letter == "x":
        new = name(out, base, backwards(value))
        new.type, new.typed = "PTR", True


def plus(look: Look, word: str) -> None:
    """`+keyword[=value]`, `+nokeyword`; keywords may be cut short while they are plain."""
    key, equals, value = word.partition("=")
    off = key.startswith("no") and key not in ("nssearch",)
    bare = key[2:] if off else key
    known = [*SWITCHES, *VALUED, *REFUSED]
    found = (
        bare
        if bare in known
        else "rdflag"
        if bare == "rd"
        else next((k for k in known if len(bare) > 2 and k.startswith(bare)), "")
    )
    if not found:
        raise Fail("", 1, f"Invalid option: +{word}\n{USAGE}\n")
    if found in REFUSED:
        raise NotModelled(f"dig +{word}", SEE_HELP(tool="dig"))
    s = look.settings
    if found in VALUED and not (found == "edns" and not equals):
        if not equals and not off:
            raise Fail("", 1, f"Invalid option: +{word}\n{USAGE}\n")
        valued(look, VALUED[found], value)
    elif found == "edns":
        s.edns = 0 if off else 1232
    elif found == "all":
        look.show = dict.fromkeys(SHOWN, not off)
    elif found in SHOWN:
        look.show[found] = not off
    elif found in ("search", "defname", "showsearch"):
        s.search = not off
    elif found in ("tcp", "vc"):
        s.tcp = not off
    elif found in ("recurse", "rdflag"):
        s.recurse = not off
    elif found == "adflag":
        s.ad = not off
    elif found == "cookie":
        s.cookie = not off
    elif found == "ignore":
        s.ignore_tc = not off
    elif found == "short":
        # before the first name it also keeps the greeting from being made
        look.on |= {"short": not off, "quiet": not off and not look.named}
    else:
        look.on[found] = not off


def valued(look: Look, what: str, value: str) -> None:
    s = look.settings
    if what == "domain":
        s.domains, s.search = (value,), True
        return
    if not re.fullmatch(r"\d+", value):
        raise Fail(f"invalid {what} '{value}': not a valid number\ndig: Couldn't parse {what}", 10)
    number = int(value)
    if what == "timeout":
        s.timeout = float(max(number, 1))
    elif what in ("tries", "retry"):
        s.tries = max(number + (what == "retry"), 1)
    elif what == "ndots":
        s.ndots = number
    elif what == "bufsize":
        s.edns = number
    elif what == "edns":
        s.edns = 1232
    elif what == "qid":
        raise NotModelled("dig +qid", SEE_HELP(tool="dig"))


# ---- output


def run(ctx: Context, argv: list[str]) -> Out:
    lines: list[str] = []
    looks = parse(argv, lines.append)
    code = 0
    journeys: list[Journey] = []
    for number, look in enumerate(looks):
        if look.server:
            look.settings.servers = (server_address(ctx, "dig", look.server),)
            look.settings.given = True
        bind = Bind(ctx=ctx, settings=look.settings, say=lines.append, who="dig")
        got = bind.look(look.name, look.type)
        journeys += bind.journeys(got.message is not None)
        # the greeting comes with the first answer, after what went wrong until then
        told = not look.is_on("short") or (got.message is None and not look.is_on("quiet"))
        told = told and not (got.message is None and bind.unborn)
        if number == 0 and look.show["cmd"] and told:
            lines += greeting(look, argv)
        if look.is_on("qr"):
            lines += sending(got.asked, look)
        if got.message is None:
            lines.append(LOST)
            code = 9
            continue
        if look.type in TRANSFERS:
            lines += transferred(got.message, look)
            continue
        lines += short(got, look) if look.is_on("short") else whole(ctx, got, look, got.message)
    text = "".join(f"{line}\n" for line in lines)
    return Out(stdout=text, code=code, journeys=tuple(journeys))


def transferred(message: Message, look: Look) -> list[str]:
    """What comes of AXFR and IXFR: nobody here gives a zone away, and a CoreDNS refuses (plugin/kubernetes/handler.go;
    check_for_more_data in dighost.c). NotModelled for a server that does."""
    if message.answers:
        raise NotModelled(f"dig {look.type}", SEE_HELP(tool="dig"))
    rows = records(message.authority, look) if message.rcode == "NOERROR" and not look.is_on("short") else []
    return [*rows, "; Transfer failed."]


def greeting(look: Look, argv: list[str]) -> list[str]:
    out = ["", f"; <<>> DiG {VERSION} <<>> {' '.join(argv)}".rstrip()]
    if look.server:
        out.append("; (1 server found)")
    return [*out, ";; global options: +cmd"]


def sending(asked: Message, look: Look) -> list[str]:
    """What +qr prints before the answer."""
    size = len(asked.encode())
    out = [";; Sending:", *header(asked, extra=bool(asked.edns)), ""]
    if asked.edns:
        out += [";; OPT PSEUDOSECTION:", f"; EDNS: version: 0, flags:; udp: {asked.edns}"]
        out += [f"; COOKIE: {asked.cookie}"] if asked.cookie else []
    out += [";; QUESTION SECTION:", question_line(asked), "", f";; QUERY SIZE: {size}", ""]
    return out


def short(got: Got, look: Look) -> list[str]:
    assert got.message is not None
    tail = ""
    if look.is_on("identify"):
        tail = f" from server {text4(got.server)} in {got.seconds * 1000:.0f} ms."
    return [f"{r.data}{tail}" for r in got.message.answers]


def whole(ctx: Context, got: Got, look: Look, message: Message) -> list[str]:
    show = look.show
    comments = show["comments"]
    out: list[str] = []
    if comments:
        out += [";; Got answer:", *header(message, extra=bool(message.edns))]
        if look.settings.recurse and not message.ra:
            out.append(";; WARNING: recursion requested but not available")
        out.append("")
        if message.edns:
            out += [";; OPT PSEUDOSECTION:", f"; EDNS: version: 0, flags:; udp: {message.edns}"]
            out += [f"; COOKIE: {message.cookie}"] if message.cookie else []
    sections = (
        ("question", "QUESTION", [asked_line(message, look)]),
        ("answer", "ANSWER", records(message.answers, look)),
        ("authority", "AUTHORITY", records(message.authority, look)),
        ("additional", "ADDITIONAL", records(message.additional, look)),
    )
    for key, title, rows in sections:
        if show[key] and rows:
            out += [f";; {title} SECTION:", *rows, ""] if comments else rows
    if show["stats"]:
        now = moment(ctx.net.clock).strftime("%a %b %d %H:%M:%S UTC %Y")
        server = text4(got.server)
        out += [
            f";; Query time: {got.seconds * 1000:.0f} msec",
            f";; SERVER: {server}#{look.settings.port}({server}) ({'TCP' if got.tcp else 'UDP'})",
            f";; WHEN: {now}", f";; MSG SIZE  rcvd: {got.size}",
        ]  # fmt: skip
        out += [""] if comments else []
    return out


def asked_line(message: Message, look: Look) -> str:
    if not look.is_on("multiline"):
        return question_line(message)
    return ";" + columns([(0, message.name), (24, "IN " + message.type)])


def records(rows: tuple[Record, ...], look: Look) -> list[str]:
    ttl, klass = look.is_on("ttlid", True), look.is_on("class", True)
    if not look.is_on("multiline"):
        return [record_line(r, ttl=ttl, klass=klass) for r in rows]
    return [line for r in rows for line in multiline(r)]


def multiline(record: Record) -> list[str]:
    """+multiline: a SOA is spread over lines, others stand in columns of their own."""
    head = columns([(0, record.name), (24, str(record.ttl))]) + f" IN {record.type} "
    if record.type != "SOA":
        return [head + record.data]
    words = record.data.split(" ")
    names = ("serial", "refresh", "retry", "expire", "minimum")
    rows = []
    for value, what in zip(words[2:], names, strict=True):
        span = "" if what == "serial" else f" ({spelled(int(value))})"
        rows.append(f"\t\t\t\t{value:<10} ; {what}{span}")
    return [f"{head}{words[0]} {words[1]} (", *rows, "\t\t\t\t)"]


def spelled(seconds: int) -> str:
    """86400 -> `1 day`."""
    out = []
    for unit, size in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            out.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " ".join(out) or "0 seconds"


TOOL = Tool(
    name="dig",
    summary=Phrase(
        en="ask a name server one question and see the whole answer",
        ko="네임 서버에 질문 하나를 보내고 응답 전체를 봅니다",
    ),
    run=run,
    group="packets",
    usage=(
        "dig [@SERVER] [-t TYPE] NAME [TYPE] [+short] [+search] [+tcp] [+noall +answer] [+time=S] [+tries=N]",
        "dig -x ADDRESS",
    ),
)
