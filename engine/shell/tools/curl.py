"""curl 7.88: HTTP over the lab's connections, with curl's words for what fails.

Theory. curl resolves, connects, asks; each can fail with an exit code of its own: 6 no address, 7 no
connection, 22 an
HTTP error under -f, 28 time is up, 52 an empty reply. An unanswered ARP ends a connect after about 3 seconds, a
dropped SYN only after 134.6 (or -m, --connect-timeout).

Rules. TLS is not modelled: https is refused by name. Source of texts: tests/golden/shell/curl.txt.
"""

from __future__ import annotations

import re
from dataclasses import field

from engine.errors import NotModelled
from engine.l7.http import Request, Response
from engine.linux.addr import ip4, text4
from engine.record import dataclass
from engine.say import Phrase
from engine.shell import web
from engine.shell.complete import addresses, devices
from engine.shell.files import FileError
from engine.shell.names import hosts, is_address
from engine.shell.sockets import connect_error, errno_text
from engine.shell.tool import Context, Fail, Opt, Out, Parsed, Tool
from engine.shell.tools.curl_options import REAL

AGENT = "curl/7.88.1"
TRY = "curl: try 'curl --help' or 'curl --manual' for more information"
NO_TLS = Phrase(en="Use http://.", ko="http://를 쓰십시오.")
REDIRECTS = 50
#: What the real curl speaks beside HTTP.
SCHEMES = (
    "dict", "file", "ftp", "ftps", "gopher", "gophers", "imap", "imaps", "ldap", "ldaps", "mqtt", "pop3", "pop3s",
    "rtmp", "rtsp", "scp", "sftp", "smb", "smbs", "smtp", "smtps", "telnet", "tftp", "ws", "wss",
)  # fmt: skip


@dataclass(slots=True)
class Job:
    """What was asked for. `limit` and `connect_limit` in seconds, 0 = none."""

    url: str
    method: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    data: str | None = None
    silent: bool = False
    show_error: bool = False
    verbose: bool = False
    include: bool = False
    head: bool = False
    fail: bool = False
    follow: bool = False
    output: str = ""
    write_out: str = ""
    limit: float = 0.0
    connect_limit: float = 0.0
    resolved: dict[str, int] = field(default_factory=dict)
    source: int = 0
    bound: str = ""


def _unknown(tool: Tool, option: str) -> Fail:
    if option.removeprefix("--").removeprefix("no-") in REAL:
        raise NotModelled(f"curl {option}")
    return Fail(f"curl: option {option}: is unknown\n{TRY}", 2)


def _seconds(name: str, word: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", word):
        raise Fail(f"curl: option {name}: expected a proper numerical parameter\n{TRY}", 2)
    return float(word)


def _job(ctx: Context, got: Parsed, url: str) -> Job:
    job = Job(url)
    job.silent, job.show_error, job.verbose = "-s" in got, "-S" in got, "-v" in got
    job.include, job.head, job.fail, job.follow = "-i" in got, "-I" in got, "-f" in got, "-L" in got
    job.method, job.output, job.write_out = got.last("-X"), got.last("-o"), got.last("-w")
    job.limit = _seconds("-m", got.last("-m", "0"))
    job.connect_limit = _seconds("--connect-timeout", got.last("--connect-timeout", "0"))
    for line in got.opts.get("-H", []):
        name, _, value = line.partition(":")
        job.headers.append((name.strip(), value.strip()))
    if "-A" in got:
        job.headers.append(("User-Agent", got.last("-A")))
    if "-d" in got:
        job.data = "&".join(_data(ctx, d) for d in got.opts["-d"])
    if job.head and job.data is not None:
        raise Fail("", 2)
    for row in got.opts.get("--resolve", []):
        host, _, rest = row.partition(":")
        port, _, address = rest.partition(":")
        if not port.isdigit() or not is_address(address):
            raise Fail(f"curl: (49) Couldn't parse CURLOPT_RESOLVE entry '{row}'", 49)
        job.resolved[f"{host}:{port}"] = ip4(address)
    if "--interface" in got:
        _interface(ctx, job, got.last("--interface"))
    return job


def _data(ctx: Context, word: str) -> str:
    if not word.startswith("@"):
        return word
    if word == "@-":
        return ctx.stdin.replace("\n", "")
    try:
        return ctx.files.read(ctx.path(word[1:])).replace("\n", "")
    except FileError:
        raise Fail(
            f'curl: Couldn\'t read data from file "{word[1:]}", this makes an empty POST.', 26
        ) from None


def _interface(ctx: Context, job: Job, word: str) -> None:
    if word in ctx.ns.names:
        job.bound = word
    elif is_address(word) and ctx.ns.owns(ip4(word)):
        job.source = ip4(word)
    else:
        raise Fail(f"curl: (45) bind failed with errno 99: {errno_text('EADDRNOTAVAIL')}", 45)


def _run(ctx: Context, argv: list[str]) -> Out:
    got = TOOL.parse(argv)
    if "-V" in got:
        return Out(stdout="curl 7.88.1 (x86_64-pc-linux-gnu)\nProtocols: http\n")
    urls = [*got.words, *got.opts.get("--url", [])]
    if not urls:
        raise Fail(TRY, 2)
    code, texts, tries = 0, [], list[web.Fetch]()
    for url in urls:
        job = _job(ctx, got, url)
        one, more = _one(ctx, job, tries)
        code = one
        texts += more
    return Out.mixed(texts, code, web.journeys(ctx, tries))


def _one(ctx: Context, job: Job, tries: list[web.Fetch]) -> tuple[int, list[tuple[str, str]]]:
    """One URL: (exit code, texts in order)."""
    texts: list[tuple[str, str]] = []
    for entry, address in job.resolved.items():
        if job.verbose:
            texts.append(("err", f"* Added {entry}:{text4(address)} to DNS cache\n"))
    target = job.url
    for _ in range(REDIRECTS + 1):
        try:
            url = web.parse_url(target)
        except web.BadUrl as bad:
            if bad.scheme in SCHEMES:
                raise NotModelled(f"{bad.scheme}://", NO_TLS()) from None
            if bad.scheme:
                return _failed(job, texts, 1, f'Protocol "{bad.scheme}" not supported or disabled in libcurl')
            return _failed(job, texts, 3, "URL using bad/illegal format or missing URL")
        if url.scheme == "https":
            raise NotModelled("https", NO_TLS())
        request = _request(job, url)
        limits = [x for x in (job.limit, job.connect_limit) if x]
        one = web.fetch(
            ctx,
            url,
            request,
            resolved=job.resolved,
            timeout=min(limits) if limits else 0.0,
            source=job.source,
            bound=job.bound,
        )
        tries.append(one)
        code, message = _connection(ctx, job, url, one, texts)
        if code:
            return _failed(job, texts, code, message, one)
        response = one.response
        if response is None:
            return _no_http(job, url, request, one, texts)
        _verbose_exchange(job, url, request, response, texts)
        location = response.header("Location")
        if not (job.follow and 300 <= response.status < 400 and location):
            return _finish(ctx, job, url, one, response, texts)
        if job.include or job.head:
            texts.append(("out", _headers(response)))
        target = location if "://" in location else f"{url.scheme}://{url.netloc}{location}"
    return _failed(job, texts, 47, f"Maximum ({REDIRECTS}) redirects followed")


def _request(job: Job, url: web.Url) -> Request:
    method = job.method or ("HEAD" if job.head else "POST" if job.data is not None else "GET")
    given = {k.lower() for k, _ in job.headers}
    host = next((v for k, v in job.headers if k.lower() == "host"), url.netloc)
    agent = next((v for k, v in job.headers if k.lower() == "user-agent"), AGENT)
    headers = [("Host", host)] + ([("User-Agent", agent)] if agent else [])
    headers += [("Accept", "*/*")] if "accept" not in given else []
    headers += [(k, v) for k, v in job.headers if k.lower() not in ("host", "user-agent") and v]
    if job.data is not None:
        headers.append(("Content-Length", str(len(job.data.encode()))))
        if "content-type" not in given:
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
    return Request(method=method, path=url.path, headers=tuple(headers), body=job.data or "")


def _connection(
    ctx: Context, job: Job, url: web.Url, one: web.Fetch, texts: list[tuple[str, str]]
) -> tuple[int, str]:
    """The lines of resolving and connecting; (exit code, message) when it failed, (0, "") when connected."""

    def note(text: str) -> None:
        if job.verbose:
            texts.append(("err", f"* {text}\n"))

    if not one.found.address or one.call is None:
        message = f"Could not resolve host: {url.host}"
        if one.found.late:
            late = min(x for x in (job.limit, job.connect_limit) if x)
            message = f"Resolving timed out after {round(late * 1000)} milliseconds"
        note(message)
        note("Closing connection 0")
        return (28 if one.found.late else 6), message
    if f"{url.host}:{url.port}" in job.resolved:
        note(f"Hostname {url.host} was found in DNS cache")
    address, error = text4(one.found.address), one.call.error
    note(f"  Trying {address}:{url.port}...")
    if one.call.server is not None and one.response is None and error == "ETIMEDOUT" and not _connected(one):
        pass
    elif not error or _connected(one):
        note(f"Connected to {url.host} ({address}) port {url.port} (#0)")
        return 0, ""
    spent = round(one.call.seconds * 1000)
    limit = min((x for x in (job.limit, job.connect_limit) if x), default=0.0)
    if limit and (error == "ETIMEDOUT" or one.call.seconds > limit):
        if job.limit == limit:
            message = f"Connection timed out after {round(limit * 1000) + 1} milliseconds"
        else:
            late = round(limit * 1000) + 1
            message = f"Failed to connect to {url.host} port {url.port} after {late} ms: Timeout was reached"
        note(message)
        note("Closing connection 0")
        return 28, message
    early = connect_error(ctx, one.found.address, job.bound)
    if early is not None:
        note(f"Immediate connect fail for {address}: {errno_text(error)}")
    else:
        note(f"connect to {address} port {url.port} failed: {errno_text(error)}")
    message = f"Failed to connect to {url.host} port {url.port} after {spent} ms: Couldn't connect to server"
    note(message)
    note("Closing connection 0")
    return (28 if error == "ETIMEDOUT" else 7), message


def _connected(one: web.Fetch) -> bool:
    """Did the handshake complete, whatever came after?"""
    return (
        one.call is not None
        and bool(one.call.leg.rest)
        and one.call.leg.back is not None
        and one.call.server is not None
    )


def _no_http(
    job: Job, url: web.Url, request: Request, one: web.Fetch, texts: list[tuple[str, str]]
) -> tuple[int, list[tuple[str, str]]]:
    """Connected, but no HTTP came back: silence, a close without a word, or another protocol."""
    if job.verbose:
        texts.append(("err", _sent(request)))
    call = one.call
    if call is not None and call.error == "ETIMEDOUT":
        limit = job.limit or 0.0
        if limit:
            text = f"Operation timed out after {round(limit * 1000) + 1} milliseconds with 0 bytes received"
            return _failed(job, texts, 28, text, one)
        return _failed(job, texts, 56, "Recv failure: Connection timed out", one)
    if one.raw:
        return _failed(job, texts, 1, "Received HTTP/0.9 when not allowed", one)
    return _failed(job, texts, 52, "Empty reply from server", one)


def _sent(request: Request) -> str:
    lines = [
        f"> {request.method} {request.path} HTTP/1.1",
        *(f"> {k}: {v}" for k, v in request.headers),
        "> ",
    ]
    return "".join(line + "\n" for line in lines)


def _headers(response: Response) -> str:
    lines = [
        f"HTTP/1.1 {response.status} {response.reason}".rstrip(),
        *(f"{k}: {v}" for k, v in response.headers),
        "",
    ]
    return "".join(line + "\n" for line in lines)


def _verbose_exchange(
    job: Job, url: web.Url, request: Request, response: Response, texts: list[tuple[str, str]]
) -> None:
    if not job.verbose:
        return
    text = _sent(request)
    if request.body:
        text += f"}} [{len(request.body.encode())} bytes data]\n"
    lines = _headers(response).split("\n")[:-1]
    text += "".join(f"< {line}\n" for line in lines)
    if response.body and not job.head:
        text += f"{{ [{len(response.body.encode())} bytes data]\n"
    text += f"* Connection #0 to host {url.host} left intact\n"
    texts.append(("err", text))


def _finish(
    ctx: Context, job: Job, url: web.Url, one: web.Fetch, response: Response, texts: list[tuple[str, str]]
) -> tuple[int, list[tuple[str, str]]]:
    if job.fail and response.status >= 400:
        return _failed(job, texts, 22, f"The requested URL returned error: {response.status}", one)
    size = len(response.body.encode())
    if not job.silent and (job.output or not ctx.to_terminal):
        texts.append(("err", _meter(size)))
    body = (_headers(response) if job.include or job.head else "") + ("" if job.head else response.body)
    if job.output and job.output != "-":
        try:
            ctx.files.write(ctx.path(job.output), body)
        except FileError as error:
            text = "curl: (23) Failure writing output to destination\n"
            text += f"Warning: Failed to open the file {job.output}: {error.reason}\n"
            texts.append(("err", text))
            return 23, texts
    else:
        texts.append(("out", body))
    texts.append(("out", _written(job, url, one)))
    return 0, texts


def _meter(size: int) -> str:
    """The progress meter's head and its last state."""
    head = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
    head += "                                 Dload  Upload   Total   Spent    Left  Speed\n"
    speed = size * 1000
    return (
        head
        + f"100 {size:5}  100 {size:5}    0     0 {speed:6}      0 --:--:-- --:--:-- --:--:-- {speed:5}\n"
    )


def _failed(
    job: Job, texts: list[tuple[str, str]], code: int, message: str, one: web.Fetch | None = None
) -> tuple[int, list[tuple[str, str]]]:
    if not job.silent or job.show_error:
        texts.append(("err", f"curl: ({code}) {message}\n"))
    if job.write_out:
        try:
            url = web.parse_url(job.url)
        except web.BadUrl:
            url = web.Url(scheme="http", host="", port=0, path="")
        texts.append(("out", _written(job, url, one)))
    return code, texts


def _written(job: Job, url: web.Url, one: web.Fetch | None) -> str:
    """`-w FORMAT`. Raises NotModelled for a variable that the model cannot say."""
    if not job.write_out:
        return ""
    response = one.response if one is not None else None
    call = one.call if one is not None else None
    connected = call is not None and call.server is not None
    values = {
        "http_code": f"{response.status if response is not None else 0:03}",
        "response_code": f"{response.status if response is not None else 0:03}",
        "remote_ip": text4(one.found.address) if one is not None and connected else "",
        "remote_port": str(url.port) if connected else "0",
        "local_ip": text4(call.sock[0]) if call is not None and connected else "",
        "local_port": str(call.sock[1]) if call is not None and connected else "0",
        "time_total": f"{call.seconds if call is not None else 0:.6f}",
        "size_download": str(len(response.body.encode())) if response is not None else "0",
        "url_effective": job.url,
        "url": job.url,
        "content_type": response.header("Content-Type") if response is not None else "",
        "num_connects": "1" if connected else "0",
    }

    def value(match: re.Match[str]) -> str:
        if match.group(1) not in values:
            raise NotModelled(f"curl -w '%{{{match.group(1)}}}'")
        return values[match.group(1)]

    text = re.sub(
        r"\\([ntr\\])", lambda m: {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}[m.group(1)], job.write_out
    )
    return re.sub(r"%\{([a-zA-Z_.]+)\}", value, text).replace("%%", "%")


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    if argv and argv[-1] == "--interface":
        return devices(ctx)
    if word.startswith("-"):
        return []
    names = [*addresses(ctx), *(n for _, row in hosts(ctx) for n in row)]
    head = "http://" if word.startswith("h") else ""
    return [head + n for n in names]


def _o(names: str, value: str, en: str, ko: str) -> Opt:
    return Opt(tuple(names.split()), value, Phrase(en, ko))


TOOL = Tool(
    name="curl",
    summary=Phrase("ask an HTTP server", "HTTP 서버에 요청을 보냅니다"),
    run=_run,
    complete=_complete,
    group="packet",
    usage=(
        "curl [-s] [-v] [-I] [-m SECONDS] [-H 'NAME: VALUE'] [-X METHOD] [-d DATA] [-w FORMAT] [http://]HOST[:PORT][/PATH]",
    ),
    opts=(
        _o("-s --silent", "", "no progress meter, no errors", "진행 표시와 오류를 숨깁니다"),
        _o("-S --show-error", "", "errors even with -s", "-s여도 오류는 보여 줍니다"),
        _o("-v --verbose", "", "the connection and the headers", "연결 과정과 헤더를 보여 줍니다"),
        _o("-I --head", "", "headers only (HEAD)", "헤더만 요청합니다(HEAD)"),
        _o("-i --include", "", "headers and body", "헤더와 본문을 함께"),
        _o("-o --output", "FILE", "write the body to a file", "본문을 파일에 씁니다"),
        _o("-m --max-time", "SECONDS", "give up after so many seconds", "이 시간이 지나면 포기합니다"),
        _o("--connect-timeout", "SECONDS", "give up connecting", "연결을 포기하는 시간"),
        _o("-H --header", "LINE", "add or replace a header", "헤더를 더하거나 바꿉니다"),
        _o("-X --request", "METHOD", "the method", "메서드"),
        _o("-d --data", "DATA", "send DATA (POST)", "데이터를 보냅니다(POST)"),
        _o("-A --user-agent", "NAME", "the User-Agent header", "User-Agent 헤더"),
        _o("-f --fail", "", "exit 22 for HTTP errors", "HTTP 오류면 22로 끝냅니다"),
        _o("-L --location", "", "follow redirects", "리다이렉트를 따라갑니다"),
        _o(
            "-w --write-out",
            "FORMAT",
            "print %{http_code} and the like at the end",
            "끝에 %{http_code} 등을 출력합니다",
        ),
        _o("--resolve", "HOST:PORT:ADDRESS", "use this address for the name", "이름 대신 이 주소를 씁니다"),
        _o("--interface", "INTERFACE", "a device or a source address", "장치 또는 출발지 주소"),
        _o("--url", "URL", "the URL", "URL"),
        _o("-4 --ipv4", "", "IPv4", "IPv4"),
        _o("-N --no-buffer", "", "accepted", "받습니다"),
        _o("-V --version", "", "the version", "버전"),
        *(
            Opt(n, refused=True)
            for n in (("-k", "--insecure"), ("-6", "--ipv6"), ("-O", "--remote-name"), ("-g", "--globoff"))
        ),
        *(
            Opt(n, refused=True)
            for n in (
                ("-G", "--get"),
                ("-j",),
                ("-0", "--http1.0"),
                ("--http2",),
                ("-q",),
                ("-#",),
                ("-Z", "--parallel"),
            )
        ),
        *(
            Opt(n, "X", refused=True)
            for n in (("-u", "--user"), ("-x", "--proxy"), ("-F", "--form"), ("-T", "--upload-file"))
        ),
        *(
            Opt(n, "X", refused=True)
            for n in (("--data-binary",), ("--data-raw",), ("--cacert",), ("-b",), ("-e",), ("--retry",))
        ),
        *(
            Opt(n, "X", refused=True)
            for n in (("--unix-socket",), ("--connect-to",), ("--local-port",), ("-E",), ("-c",), ("-D",))
        ),
    ),
    unknown=_unknown,
    usage_code=2,
)
