"""A URL and what one fetch of it does: the name, the connection, the request. curl and wget both stand on it."""

from __future__ import annotations

import re

from engine.l7.http import Request, Response, parse_response
from engine.l7.serve import serve
from engine.linux.exchange import Call, tcp_call
from engine.linux.journey import Journey, Leg, Outcome
from engine.record import dataclass
from engine.shell.names import Found, lookup
from engine.shell.tool import Context


class BadUrl(Exception):
    """Not a URL that a client could use. `scheme` is set when only the protocol is unknown."""

    def __init__(self, scheme: str = "") -> None:
        super().__init__(scheme)
        self.scheme = scheme


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    scheme: str
    host: str
    port: int
    path: str

    @property
    def netloc(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        default = {"http": 80, "https": 443}[self.scheme]
        return self.host if self.port == default else f"{self.host}:{self.port}"


def parse_url(text: str) -> Url:
    """`[http://]HOST[:PORT][/PATH]`. Raises BadUrl."""
    match = re.fullmatch(r"(?:([A-Za-z][A-Za-z0-9+.-]*)://)?([^/?#]*)([/?][^#]*)?(?:#.*)?", text)
    if match is None or any(c.isspace() or ord(c) < 33 for c in text):
        raise BadUrl()
    scheme = (match.group(1) or "http").lower()
    if scheme not in ("http", "https"):
        raise BadUrl(scheme)
    host = match.group(2).rpartition("@")[2]
    name, colon, digits = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not colon:
        name, digits = host, ""
    if not name or (digits and not digits.isdigit()) or (digits and not 0 < int(digits) < 65536):
        raise BadUrl()
    path = match.group(3) or "/"
    return Url(
        scheme=scheme,
        host=name,
        port=int(digits or (443 if scheme == "https" else 80)),
        path=path if path[0] == "/" else "/" + path,
    )


@dataclass(slots=True)
class Fetch:
    """One try. `found` is the name's answer, `call` None when there was nobody to call; `response` when HTTP
    came back."""

    found: Found
    call: Call | None = None
    response: Response | None = None
    raw: str = ""

    @property
    def legs(self) -> tuple[Leg, ...]:
        return (*self.found.legs, *(self.call.legs if self.call is not None else ()))

    @property
    def outcome(self) -> Outcome:
        return self.call.outcome if self.call is not None else Outcome.NAME_NOT_FOUND


def fetch(
    ctx: Context, url: Url, request: Request, *, resolved: dict[str, int] | None = None, timeout: float = 0.0,
    source: int = 0, bound: str = "", connect_only: bool = False, who: str = "curl",
) -> Fetch:  # fmt: skip
    """Resolve, connect, ask. `resolved` are addresses given by hand (`--resolve`)."""
    given = (resolved or {}).get(f"{url.host}:{url.port}")
    started = ctx.net.clock
    within = timeout if who == "curl" else 0.0
    found = Found(address=given) if given is not None else lookup(ctx, url.host, who=who, within=within)
    got = Fetch(found)
    if not found.address:
        return got
    if within:
        timeout = max(timeout - (ctx.net.clock - started), 0.001)
    uid = 0 if ctx.spot.user == "root" else int(ctx.spot.user) if ctx.spot.user.isdigit() else 101
    got.call = tcp_call(
        ctx.net, ctx.spot.netns, found.address, url.port, choose=ctx.world.choose,
        request=None if connect_only else request.payload(), source=source, uid=uid, bound=bound, timeout=timeout,
        serve=serve, purpose=f"{request.method} {url.scheme}://{url.netloc}{url.path}", who=who,
    )  # fmt: skip
    got.response = parse_response(got.call.response)
    if got.call.response is not None and got.response is None:
        got.raw = got.call.response.text
    return got


def journeys(ctx: Context, tries: list[Fetch]) -> tuple[Journey, ...]:
    """The journey of a command: all its tries' legs, the last one's outcome."""
    legs = [leg for one in tries for leg in one.legs]
    if not legs:
        return ()
    return (Journey(act=ctx.line, outcome=tries[-1].outcome, legs=tuple(legs), started=legs[0].started),)
