"""wget: busybox's, in images built on it. Machines have curl.

Source of texts: tests/golden/shell/busybox.txt (busybox 1.35).
"""

from __future__ import annotations

import re

from engine.errors import NotModelled
from engine.l7.http import Request
from engine.linux.addr import text4
from engine.say import Phrase
from engine.shell import web
from engine.shell.files import FileError
from engine.shell.sockets import errno_text
from engine.shell.tool import Context, Fail, Opt, Out, Tool

WGET_USAGE = """\
BusyBox v1.36.1 () multi-call binary.

Usage: wget [-cqS] [--spider] [-O FILE] [-o LOGFILE] [--header STR]
	[--post-data STR | --post-file FILE] [-Y on/off]
	[-P DIR] [-U AGENT] [-T SEC] URL...

Retrieve files via HTTP or FTP

	--spider	Only check URL existence: $? is 0 if exists
	--header STR	Add STR (of form 'header: value') to headers
	--post-data STR	Send STR using POST method
	--post-file FILE	Send FILE using POST method
	-c		Continue retrieval of aborted transfer
	-q		Quiet
	-P DIR		Save to DIR (default .)
	-S    		Show server response
	-T SEC		Network read timeout is SEC seconds
	-O FILE		Save to FILE ('-' for stdout)
	-o LOGFILE	Log messages to FILE
	-U STR		Use STR for User-Agent header
	-Y on/off	Use proxy"""
DEFAULT_TIMEOUT = 900.0


def _unknown(tool: Tool, option: str) -> Fail:
    words = (
        f"unrecognized option: {option.lstrip('-')}"
        if option.startswith("--")
        else f"invalid option -- '{option[1:]}'"
    )
    return Fail(f"wget: {words}\n{WGET_USAGE}")


def _run(ctx: Context, argv: list[str]) -> Out:
    got = TOOL.parse(argv)
    if not got.words:
        raise Fail(WGET_USAGE)
    if len(got.words) > 1:
        raise NotModelled("wget URL URL")
    try:
        url = web.parse_url(got.words[0])
    except web.BadUrl as bad:
        raise Fail(
            f"wget: not an http or ftp url: {got.words[0]}"
            if bad.scheme
            else f"wget: bad address '{got.words[0]}'"
        ) from None
    if url.scheme == "https":
        raise NotModelled("https")
    limit = got.last("-T", "0")
    if not re.fullmatch(r"\d+", limit):
        raise Fail(f"wget: invalid number '{limit}'")
    headers = [("Host", url.netloc), ("User-Agent", got.last("-U", "Wget")), ("Connection", "close")]
    for line in got.opts.get("--header", []):
        name, _, value = line.partition(":")
        headers = [h for h in headers if h[0].lower() != name.strip().lower()] + [
            (name.strip(), value.strip())
        ]
    body = got.last("--post-data")
    if body:
        headers += [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", str(len(body.encode()))),
        ]
    method = "POST" if "--post-data" in got else "HEAD" if "--spider" in got else "GET"
    request = Request(method=method, path=url.path, headers=tuple(headers), body=body)
    one = web.fetch(ctx, url, request, timeout=float(limit), who="wget")
    return _report(ctx, url, one, got.opts, float(limit))


def _report(ctx: Context, url: web.Url, one: web.Fetch, opts: dict[str, list[str]], limit: float) -> Out:
    texts: list[tuple[str, str]] = []
    journeys = web.journeys(ctx, [one])
    quiet = "-q" in opts

    def end(text: str) -> Out:
        texts.append(("err", f"wget: {text}\n"))
        return Out.mixed(texts, 1, journeys)

    if one.call is None:
        return end(f"bad address '{url.netloc}'")
    where = f"{text4(one.found.address)}:{url.port}"
    if not quiet:
        texts.append(("err", f"Connecting to {url.netloc} ({where})\n"))
    error = one.call.error
    if error == "ETIMEDOUT" or (limit and one.call.seconds > limit):
        return end(
            "download timed out"
            if limit
            else f"can't connect to remote host ({text4(one.found.address)}): Connection timed out"
        )
    if error and one.call.server is None:
        return end(f"can't connect to remote host ({text4(one.found.address)}): {errno_text(error)}")
    response = one.response
    if response is None:
        return end("error getting response")
    if "-S" in opts:
        lines = [f"HTTP/1.1 {response.status} {response.reason}", *(f"{k}: {v}" for k, v in response.headers)]
        texts.append(("err", "".join(f"  {line}\n" for line in lines)))
    if response.status >= 300:
        return end(f"server returned error: HTTP/1.1 {response.status} {response.reason}")
    if "--spider" in opts:
        if not quiet:
            texts.append(("err", "remote file exists\n"))
        return Out.mixed(texts, 0, journeys)
    name = opts.get("-O", [url.path.partition("?")[0].rsplit("/", 1)[-1] or "index.html"])[-1]
    shown = "-" if name == "-" else f"'{name}'"
    if name == "-":
        texts.append(("out", response.body))
    else:
        if "-O" not in opts and ctx.files.kind(ctx.path(name)):
            return end(f"can't open '{name}': File exists")
        try:
            ctx.files.write(ctx.path(name), response.body)
        except FileError as failed:
            return end(f"can't open '{name}': {failed.reason}")
    if not quiet:
        size = len(response.body.encode())
        where = "writing to stdout" if name == "-" else f"saving to '{name}'"
        texts.insert(1, ("err", f"{where}\n"))
        bar = f"{shown[:20].strip(chr(39)):<20} 100% |{'*' * 32}| {size:5}  0:00:00 ETA\n"
        texts += [("err", bar), ("err", "written to stdout\n" if name == "-" else f"'{name}' saved\n")]
    return Out.mixed(texts, 0, journeys)


TOOL = Tool(
    name="wget",
    summary=Phrase("fetch a page by HTTP", "HTTP로 페이지를 가져옵니다"),
    run=_run,
    group="packet",
    usage=("wget [-q] [-S] [-T SECONDS] [--spider] [-O FILE|-] URL", "wget -qO- http://10.0.0.5/"),
    opts=(
        Opt(("-q", "--quiet"), "", Phrase("no messages", "메시지를 숨깁니다")),
        Opt(
            ("-O", "--output-document"),
            "FILE",
            Phrase("write there; - = show it", "이 파일에 씁니다. -는 화면"),
        ),
        Opt(
            ("-T", "--timeout"),
            "SECONDS",
            Phrase("give up after so many seconds", "이 시간이 지나면 포기합니다"),
        ),
        Opt(("-S", "--server-response"), "", Phrase("show the headers", "응답 헤더를 보여 줍니다")),
        Opt(("--spider",), "", Phrase("only look whether it is there", "있는지만 확인합니다")),
        Opt(("--header",), "LINE", Phrase("add a header", "헤더를 더합니다")),
        Opt(("--post-data",), "DATA", Phrase("send DATA (POST)", "데이터를 보냅니다(POST)")),
        Opt(("-U", "--user-agent"), "NAME", Phrase("the User-Agent header", "User-Agent 헤더")),
        Opt(("-c",), refused=True),
        Opt(("-P",), "DIR", refused=True),
        Opt(("-o",), "FILE", refused=True),
        Opt(("-Y",), "X", refused=True),
        Opt(("-t", "--tries"), "N", refused=True),
        Opt(("--post-file",), "FILE", refused=True),
        Opt(("--no-check-certificate",), refused=True),
    ),
    unknown=_unknown,
    here=lambda world, spot: spot.contained,
)
