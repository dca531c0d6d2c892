"""The C library's resolver: a name becomes questions, in the order and number in which the real one asks.

Theory, glibc (resolv/res_query.c, res_send.c). A name with fewer dots than `ndots` is tried with every search domain
first, then as it is; one with enough dots the other way round; one that ends in a dot only as it is. Each try asks
for A and AAAA at once from one socket. A server that is silent costs `timeout` seconds (later servers: twice, four
times as much, divided by their number), all servers are asked `attempts` times; SERVFAIL goes on to the next server
and then to the next search domain, a refused port on every server ends everything, silence ends the search but not
the last try.

Theory, musl (src/network/{lookup_name,res_msend}.c). Every server is asked at once, the first answer that is NOERROR
or NXDOMAIN counts; two rounds within `timeout` seconds, SERVFAIL is asked again at once, twice a question in each. A
search ends at the first name that exists or fails; a name with enough dots is never searched for. Refusals of a port
are not noticed.

Rules. Every question is a real packet to a real socket; its legs are kept in order. Time is the Net's virtual clock.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import field

from engine.errors import InputError
from engine.l7.serve import serve
from engine.linux.addr import ip4, text4
from engine.linux.choose import Choose
from engine.linux.exchange import Call, tcp_call, udp_call
from engine.linux.journey import Leg
from engine.linux.net import Net
from engine.linux.wire import dns
from engine.linux.wire.dns import Message, Record
from engine.record import dataclass, replace

#: resolv.h
MAX_SERVERS, MAX_NDOTS, MAX_TIMEOUT, MAX_ATTEMPTS = 3, 15, 30, 5
#: src/network/resolvconf.c
MUSL_TIMEOUT, MUSL_ATTEMPTS = 60, 10
PORT = 53
BOTH = ("A", "AAAA")


class Status(enum.StrEnum):
    """How a search ended (h_errno)."""

    FOUND = "found"
    NO_NAME = "HOST_NOT_FOUND"
    NO_DATA = "NO_DATA"
    AGAIN = "TRY_AGAIN"
    FAILED = "NO_RECOVERY"
    #: the caller's own time was over first
    LATE = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """/etc/resolv.conf. `timeout` is seconds a try, `attempts` how many (glibc takes at most 30 and 5); `tcp` = use-vc;
    `single` asks one question after the other, `reopen` from another socket."""

    servers: tuple[int, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: int = 5
    attempts: int = 2
    rotate: bool = False
    single: bool = False
    reopen: bool = False
    tcp: bool = False
    no_aaaa: bool = False
    no_tld: bool = False


def read_conf(text: str) -> Conf:
    """A resolv.conf as the library reads it (man resolv.conf): the last `search` or `domain` line counts, at most three
    servers, a keyword stands at the line's start. Without a server the library asks 127.0.0.1."""
    conf = Conf()
    servers: list[int] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split() if not line[:1].isspace() else []
        if words[:1] == ["nameserver"] and len(words) > 1:
            try:
                servers.append(ip4(words[1]))
            except InputError:
                continue
        elif words[:1] == ["search"]:
            conf = replace(conf, search=tuple(w.rstrip(".") or "." for w in words[1:]))
        elif words[:1] == ["domain"]:
            conf = replace(conf, search=tuple(words[1:2]))
        elif words[:1] == ["options"]:
            conf = _options(conf, words[1:])
    return replace(conf, servers=tuple(servers[:MAX_SERVERS]) or (127 << 24 | 1,))


def _options(conf: Conf, words: Sequence[str]) -> Conf:
    for word in words:
        name, _, value = word.partition(":")
        number = int(value) if value.isdigit() else 0
        if name == "ndots" and value.isdigit():
            conf = replace(conf, ndots=min(number, MAX_NDOTS))
        elif name == "timeout" and value.isdigit():
            conf = replace(conf, timeout=min(number, MUSL_TIMEOUT))
        elif name == "attempts" and value.isdigit():
            conf = replace(conf, attempts=min(number, MUSL_ATTEMPTS))
        elif name == "rotate":
            conf = replace(conf, rotate=True)
        elif name in ("single-request", "single-request-reopen"):
            conf = replace(conf, single=True, reopen=name.endswith("reopen"))
        elif name == "use-vc":
            conf = replace(conf, tcp=True)
        elif name == "no-aaaa":
            conf = replace(conf, no_aaaa=True)
        elif name == "no-tld-query":
            conf = replace(conf, no_tld=True)
    return conf


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a search found. `messages` are the answers that counted, one a type; `names` every name that was asked for,
    in order, each once in a row."""

    status: Status
    messages: tuple[Message, ...] = ()
    legs: tuple[Leg, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def rcode(self) -> str:
        """The rcode of the answer that counted; "" when none came."""
        return self.messages[0].rcode if self.messages else ""

    def records(self, type: str) -> list[Record]:
        return [r for m in self.messages for r in m.answers if r.type == type]

    @property
    def address(self) -> int:
        """The first IPv4 address; 0 = none."""
        found = self.records("A")
        return ip4(found[0].data) if found else 0


class _Late(Exception):
    """The caller's time is over."""


@dataclass(slots=True, kw_only=True)
class Resolver:
    """One process that resolves. `deadline` is the virtual time at which its caller gives up."""

    net: Net
    netns: str
    choose: Choose
    conf: Conf
    musl: bool = False
    who: str = "client"
    deadline: float = float("inf")
    legs: list[Leg] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    single: bool = False
    #: the answer that the last question left in the buffer: TRY_AGAIN goes on only after SERVFAIL
    last: tuple[Message, ...] = ()

    def search(self, name: str, types: Sequence[str] = BOTH) -> Answered:
        """Look a name up with the search list."""
        if self.conf.no_aaaa and not self.musl and len(types) > 1:
            types = tuple(t for t in types if t != "AAAA")
        self.single = self.conf.single
        try:
            status = self._musl(name, types) if self.musl else self._glibc(name, types)
        except _Late:
            status = Status.LATE
        return Answered(status=status, messages=self.last, legs=tuple(self.legs), names=tuple(self.names))

    # ---- the search

    def candidates(self, name: str) -> tuple[str, list[str]]:
        """(the name as it is, the name with each search domain)."""
        bare = name.rstrip(".") + "."
        return bare, [f"{name}.{d}." if d != "." else bare for d in self.conf.search]

    def _glibc(self, name: str, types: Sequence[str]) -> Status:
        bare, searched = self.candidates(name)
        if name.startswith("-"):
            # getaddrinfo takes no name that could be an option
            return Status.NO_NAME
        if name.endswith("."):
            status = self.query(bare, types)
            return Status.AGAIN if status is Status.FAILED and not self.last else status
        saved: Status | None = None
        as_is = name.count(".") >= self.conf.ndots
        if as_is:
            saved = self.query(bare, types)
            if saved is Status.FOUND:
                return saved
        got_nodata = got_servfail = False
        status = Status.AGAIN
        for full in searched:
            status = self.query(full, types)
            if status is Status.FOUND:
                return status
            if status is Status.FAILED and not self.last:
                return Status.AGAIN
            if status is Status.NO_DATA:
                got_nodata = True
            elif status is Status.AGAIN and any(m.rcode == "SERVFAIL" for m in self.last):
                got_servfail = True
            elif status is not Status.NO_NAME:
                break
        # the root in the list was the name as it is
        if not as_is and bare not in searched and not (self.conf.no_tld and "." not in name):
            status = self.query(bare, types)
            if status is Status.FOUND:
                return status
            if saved is None and not got_nodata and not got_servfail:
                return Status.AGAIN if status is Status.FAILED and not self.last else status
        if saved is not None:
            return Status.AGAIN if saved is Status.FAILED and not self.last else saved
        if got_nodata:
            return Status.NO_DATA
        return Status.AGAIN if got_servfail or status is Status.FAILED else status

    def _musl(self, name: str, types: Sequence[str]) -> Status:
        bare, searched = self.candidates(name)
        if name.endswith(".") or name.count(".") >= self.conf.ndots:
            searched = []
        for full in [*searched, bare]:
            status = self.query(full, types)
            if status is not Status.NO_NAME:
                return status
        return Status.NO_NAME

    # ---- one name

    def query(self, name: str, types: Sequence[str]) -> Status:
        """Ask for one full name. `last` holds the answers; empty with FAILED: no server could be reached at all. A name
        that cannot be one is not asked for (res_mkquery)."""
        labels = name.removesuffix(".").split(".")
        if "" in labels or any(len(label) > 63 for label in labels) or len(name) > 254:
            return Status.NO_NAME
        if not self.names or self.names[-1] != name:
            self.names.append(name)
        self.last = ()
        if self.musl:
            return self._musl_send(name, types)
        return self._glibc_send(name, types)

    def _glibc_send(self, name: str, types: Sequence[str]) -> Status:
        servers = list(self.conf.servers)
        if self.conf.rotate and len(servers) > 1:
            first = self.choose.number("resolver rotate", 0, len(servers) - 1)
            servers = servers[first:] + servers[:first]
        somewhere = False
        for _ in range(min(self.conf.attempts, MAX_ATTEMPTS)):
            for number, server in enumerate(servers):
                wait = float(min(self.conf.timeout, MAX_TIMEOUT) << number)
                if number:
                    wait = float(int(wait) // len(servers))
                answers, heard = self._server(server, name, types, max(wait, 1.0))
                somewhere = somewhere or heard
                if len(answers) == len(types) and all(
                    a.rcode not in ("SERVFAIL", "NOTIMP", "REFUSED") for a in answers
                ):
                    self.last = tuple(answers)
                    return _h_errno(self.last)
                if answers:
                    self.last = tuple(answers)
        if any(a.rcode not in ("SERVFAIL", "NOTIMP", "REFUSED") for a in self.last):
            return _h_errno(self.last)
        return Status.AGAIN if somewhere or self.last else Status.FAILED

    def _server(
        self, server: int, name: str, types: Sequence[str], wait: float
    ) -> tuple[list[Message], bool]:
        """(the answers of one server within its time, was anything heard or waited for)."""
        if self.conf.tcp:
            return self._stream(server, name, types, wait)
        if self.single or len(types) == 1:
            return self._one_by_one(server, name, types, wait)
        started = self.net.clock
        calls = []
        sport = 0
        for type in types:
            call = self._ask(server, name, type, 0.0, sport)
            sport = call.sock[1]
            calls.append(call)
        answers = [m for c in calls if (m := dns.of(c.response)) is not None]
        if any(m.tc for m in answers):
            return self._stream(server, name, types, wait)
        if len(answers) == len(types):
            return answers, True
        if any(c.error not in ("", "ETIMEDOUT") for c in calls):
            return answers, bool(answers)
        self._wait(started + wait)
        if answers and not self.single:
            # one of two answers is missing: from now on one question after the other (RES_SNGLKUP)
            self.single = True
            return self._one_by_one(server, name, types, wait)
        return answers, True

    def _one_by_one(
        self, server: int, name: str, types: Sequence[str], wait: float
    ) -> tuple[list[Message], bool]:
        answers: list[Message] = []
        sport = 0
        for type in types:
            started = self.net.clock
            call = self._ask(server, name, type, 0.0, 0 if self.conf.reopen else sport)
            sport = call.sock[1]
            answer = dns.of(call.response)
            if answer is not None and answer.tc:
                return self._stream(server, name, types, wait)
            if answer is None:
                silent = call.error in ("", "ETIMEDOUT")
                if silent:
                    self._wait(started + wait)
                return answers, silent or bool(answers)
            answers.append(answer)
            if answer.rcode in ("SERVFAIL", "NOTIMP", "REFUSED") and type != types[-1]:
                continue
        return answers, True

    def _stream(
        self, server: int, name: str, types: Sequence[str], wait: float
    ) -> tuple[list[Message], bool]:
        """The questions by TCP."""
        answers: list[Message] = []
        for type in types:
            asked = self._message(name, type)
            call = tcp_call(
                self.net, self.netns, server, PORT, choose=self.choose, request=asked.payload(tcp=True),
                timeout=min(wait, max(self.deadline - self.net.clock, 0.001)), serve=serve,
                purpose=self._purpose(name, type, server), who=self.who,
            )  # fmt: skip
            self.legs += call.legs
            self._check()
            answer = dns.of(call.response)
            if answer is None:
                return answers, call.error == "ETIMEDOUT"
            answers.append(answer)
        return answers, True

    def _musl_send(self, name: str, types: Sequence[str]) -> Status:
        started = self.net.clock
        total = float(self.conf.timeout)
        got: dict[str, Message] = {}
        sport = 0
        for turn in range(self.conf.attempts):
            waiting = [(type, server) for type in types for server in self.conf.servers]
            again = 2 * len(types)
            while waiting and self.net.clock < started + total:
                type, server = waiting.pop(0)
                call = self._ask(server, name, type, 0.0, sport, connected=False)
                sport = call.sock[1]
                answer = dns.of(call.response) if self.net.clock < started + total else None
                if answer is not None and answer.rcode == "SERVFAIL" and again > 0:
                    again -= 1
                    waiting.append((type, server))
                if answer is not None and answer.rcode in ("NOERROR", "NXDOMAIN"):
                    got.setdefault(type, answer)
            types = [t for t in types if t not in got]
            if not types:
                break
            self._wait(started + total * (turn + 1) / self.conf.attempts)
        self.last = tuple(got.values())
        if any(m.answers and m.rcode == "NOERROR" for m in self.last):
            return Status.FOUND
        if types:
            return Status.AGAIN
        return Status.NO_NAME if all(m.rcode == "NXDOMAIN" for m in self.last) else Status.NO_DATA

    # ---- packets and time

    def _message(self, name: str, type: str) -> Message:
        return Message(name=name, type=type, id=self.choose.number("dns id", 1, 0xFFFF))

    def _purpose(self, name: str, type: str, server: int) -> str:
        return f"DNS {type} {name} at {text4(server)}"

    def _ask(
        self, server: int, name: str, type: str, wait: float, sport: int, *, connected: bool = True
    ) -> Call:
        self._check()
        call = udp_call(
            self.net, self.netns, server, PORT, choose=self.choose, request=self._message(name, type).payload(),
            timeout=wait, serve=serve, sport=sport, purpose=self._purpose(name, type, server), who=self.who,
            connected=connected,
        )  # fmt: skip
        self.legs += call.legs
        return call

    def _wait(self, until: float) -> None:
        self.net.clock = max(self.net.clock, min(until, self.deadline))
        self._check()

    def _check(self) -> None:
        if self.net.clock >= self.deadline:
            self.net.clock = self.deadline
            raise _Late


def _h_errno(answers: Sequence[Message]) -> Status:
    """res_query.c: what the answers to one name come to."""
    if any(a.answers for a in answers):
        return Status.FOUND
    codes = {a.rcode for a in answers}
    if "NXDOMAIN" in codes:
        return Status.NO_NAME
    if codes == {"NOERROR"}:
        return Status.NO_DATA
    return Status.AGAIN if "SERVFAIL" in codes else Status.FAILED
