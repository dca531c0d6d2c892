"""nslookup: bind's (9.18) where it is installed, busybox's applet in its images.

Layout: tests/golden/dns/{nslookup,busybox}.txt.

Rules. The interactive mode (no name) is NotModelled.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.addr import text4
from engine.linux.wire.dns import TRANSFERS, Message, Record
from engine.say import Phrase
from engine.shell.bind import LOST, VERSION, Bind, Got, Settings, known_type, reverse_name, server_address
from engine.shell.tool import SEE_HELP, Context, Fail, Out, Tool
from engine.shell.tools.oldlookup import old
from engine.shell.tools.oldlookup import run as old_run

INTERACTIVE = Phrase(
    en="Write the name behind it: `nslookup NAME [SERVER]`.",
    ko="뒤에 이름을 적으십시오: `nslookup 이름 [서버]`.",
)
USAGE = """\
Usage:
   nslookup [-opt ...]             # interactive mode using default server
   nslookup [-opt ...] - server    # interactive mode using 'server'
   nslookup [-opt ...] host        # just look up 'host' using default server
   nslookup [-opt ...] host server # just look up 'host' using 'server'"""
SECTIONS = ("answers", "authority", "additional")


def run(ctx: Context, argv: list[str]) -> Out:
    if old(ctx.spot.image):
        return old_run(ctx, argv)
    if ctx.busybox and "dig" not in (ctx.spot.tools or ()):
        from engine.shell.tools.busylookup import run as busybox_run

        return busybox_run(ctx, argv)
    return Run(ctx, argv).out()


class Run:
    """One `nslookup NAME [SERVER]`."""

    def __init__(self, ctx: Context, argv: list[str]) -> None:
        self.ctx = ctx
        self.lines: list[str] = []
        self.type = ""
        self.debug = False
        self.code = 0
        self.settings = Settings(search=True)
        self.words: list[str] = []
        self.last = argv[-1] if argv else ""
        for word in argv:
            if word.startswith("-") and len(word) > 1:
                self.option(word[1:])
            else:
                self.words.append(word)

    def option(self, word: str) -> None:
        key, equals, value = word.partition("=")
        s = self.settings
        if key in ("version", "V"):
            raise Fail("", 0, f"nslookup {VERSION}\n")
        if key in ("type", "ty", "querytype", "query", "qu", "q") and equals:
            found = known_type(value)
            if found in TRANSFERS:
                raise NotModelled(f"nslookup -{word}", SEE_HELP(tool="nslookup"))
            if found:
                # a look-up takes the type that holds when its name is read
                self.type = found if not self.words else self.type
            else:
                self.lines.append(f"unknown query type: {value}")
        elif key in ("timeout", "retry", "port", "ndots") and value.isdigit():
            number = int(value)
            if key == "timeout":
                s.timeout = float(number)
            elif key == "retry":
                s.tries = max(number, 1)
            elif key == "port":
                s.port = number
            else:
                s.ndots = number
        elif key in ("debug", "deb", "nodebug", "nodeb", "nod2"):
            self.debug = not key.startswith("no")
        elif key in ("search", "sea", "nosearch", "nosea"):
            s.search = not key.startswith("no")
        elif key in ("recurse", "rec", "norecurse", "norec"):
            s.recurse = not key.startswith("no")
        elif key in ("vc", "novc"):
            s.tcp = key == "vc"
        elif key in ("class", "cl", "domain", "do", "fail", "nofail", "all", "d2"):
            raise NotModelled(f"nslookup -{word}", SEE_HELP(tool="nslookup"))
        else:
            self.lines.append(f"*** Invalid option: {word}")

    def out(self) -> Out:
        if not self.words:
            raise NotModelled("nslookup without a name", INTERACTIVE())
        name = self.words[0]
        if len(self.words) > 2 or (self.words[1:] and self.words[1] != self.last):
            raise Fail(USAGE)
        if len(self.words) > 1:
            self.settings.servers = (server_address(self.ctx, "nslookup", self.words[1]),)
            self.settings.given = True
        bind = Bind(
            ctx=self.ctx, settings=self.settings, say=self.lines.append, who="nslookup", check_ra=True
        )
        backwards = reverse_name(name) if self.type in ("", "PTR") else ""
        if backwards:
            self.one(bind, backwards, "PTR", name, server=self.type == "PTR")
        else:
            self.forward(bind, name)
        ok = self.code == 0
        text = "".join(f"{line}\n" for line in self.lines)
        return Out(
            stdout=text + ("\n" if ok or self.said_no else ""), code=self.code, journeys=bind.journeys(ok)
        )

    said_no = False

    def forward(self, bind: Bind, name: str) -> None:
        """A, then AAAA for the name that was found; or the one type that was asked for."""
        found = self.one(bind, name, self.type or "A", name, server=True)
        if found is None or self.type:
            return
        last = next((r.data for r in reversed(found.answers) if r.type == "CNAME"), found.name)
        got = bind.ask(last, "AAAA")
        if got.message is None:
            self.lost()
            return
        if got.message.rcode != "NOERROR":
            self.failed(last.rstrip("."), got.message.rcode)
            return
        self.show(got.message)

    def one(self, bind: Bind, name: str, type: str, typed: str, *, server: bool) -> Message | None:
        def head(got: Got) -> None:
            where = text4(got.server)
            self.lines += [f"Server:\t\t{where}", f"Address:\t{where}#{self.settings.port}", ""]

        def tried(got: Got) -> None:
            if self.debug and got.message is not None:
                head(got)
                self.lines += debug_lines(got.message)
                self.failed(got.message.name.rstrip("."), got.message.rcode)
                self.code, self.said_no = 0, False

        got = bind.look(name, type, tried)
        message = got.message
        if message is None:
            self.lost()
            return None
        if server:
            head(got)
        if message.rcode != "NOERROR":
            self.lines += debug_lines(message) if self.debug else []
            # the name as it was asked last
            self.failed(message.name.rstrip(".") if type == "PTR" and not server else self.shown(typed, message),
                        message.rcode)  # fmt: skip
            return None
        rows = [r for r in message.answers]
        if not self.show(message) and not rows:
            self.lines.append(f"*** Can't find {typed}: No answer")
        return message

    def shown(self, typed: str, message: Message) -> str:
        return message.name.rstrip(".") or typed

    def lost(self) -> None:
        self.lines.append(LOST)
        self.code, self.said_no = 1, True

    def failed(self, name: str, rcode: str) -> None:
        self.lines.append(f"** server can't find {name}: {rcode}")
        self.code, self.said_no = 1, True

    def show(self, message: Message) -> bool:
        """The answers; with -debug all sections. True when there was one."""
        if self.debug:
            self.lines += debug_lines(message)
        rows = [line for r in message.answers for line in answer_lines(r)]
        self.lines += rows
        return bool(rows)


def debug_lines(message: Message) -> list[str]:
    out = [
        "------------",
        "    QUESTIONS:",
        f"\t{message.name.rstrip('.')}, type = {message.type}, class = IN",
    ]
    titles = {"answers": "ANSWERS", "authority": "AUTHORITY RECORDS", "additional": "ADDITIONAL RECORDS"}
    for section in SECTIONS:
        out.append(f"    {titles[section]}:")
        for record in getattr(message, section):
            out.append(f"    ->  {record.name.rstrip('.')}")
            out += [*detail(record), f"\tttl = {record.ttl}"]
    return [*out, "------------"]


def detail(record: Record) -> list[str]:
    words = record.data.split(" ")
    if record.type == "A":
        return [f"\tinternet address = {record.data}"]
    if record.type == "AAAA":
        return [f"\thas AAAA address {record.data}"]
    if record.type == "SOA":
        return soa(words)
    return [f"\t{phrase(record)}"]


def soa(words: list[str]) -> list[str]:
    names = ("serial", "refresh", "retry", "expire", "minimum")
    out = [f"\torigin = {words[0].rstrip('.')}", f"\tmail addr = {words[1].rstrip('.')}"]
    return out + [f"\t{n} = {w}" for n, w in zip(names, words[2:], strict=True)]


def phrase(record: Record) -> str:
    """What stands behind the name."""
    words = {
        "CNAME": "canonical name = ", "PTR": "name = ", "NS": "nameserver = ", "SRV": "service = ",
        "MX": "mail exchanger = ", "TXT": "text = ",
    }  # fmt: skip
    return words.get(record.type, f"{record.type.lower()} = ") + record.data


def answer_lines(record: Record) -> list[str]:
    name = record.name.rstrip(".")
    if record.type in ("A", "AAAA"):
        return [f"Name:\t{name}", f"Address: {record.data}"]
    if record.type == "SOA":
        return [name, *soa(record.data.split(" "))]
    return [f"{name}\t{phrase(record)}"]


TOOL = Tool(
    name="nslookup",
    summary=Phrase(en="look a name or an address up in DNS", ko="이름이나 주소를 DNS에서 찾습니다"),
    run=run,
    group="packets",
    usage=("nslookup [-type=TYPE] [-debug] [-timeout=S] NAME [SERVER]",),
)
