"""HTTP as messages: building a request, and the http server that most lab images run.

Theory. What a server says comes from its process' configuration, which engine/l7/behave.py writes for an image's
command, and from what it really sees: the connection, the request, the files of its container.
    page    file (files under `root`), text (`text`), whoami, hostname, echoserver, netexec, registry, plain
    server  the Server header ("" = none);  status  of the answer;  name, hostname  who it says it is
    date    the Date header;  missing  one path that is answered with 404

Rules. A message is text with a true size in bytes, headers included, because sizes count against an MTU.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.l7 import logs
from engine.linux.addr import text4
from engine.linux.clock import moment
from engine.linux.exchange import Answer, Delivery
from engine.linux.packet import Payload
from engine.record import dataclass

REASONS = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 301: "Moved Permanently", 302: "Found",
    304: "Not Modified",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    418: "I'm a teapot",
    429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    def header(self, name: str) -> str:
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return ""

    def payload(self) -> Payload:
        head = "".join(f"{k}: {v}\r\n" for k, v in self.headers)
        text = f"{self.method} {self.path} HTTP/1.1\r\n{head}\r\n{self.body}"
        return Payload(protocol="http", text=text, size=len(text.encode()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def header(self, name: str) -> str:
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return ""

    @property
    def reason(self) -> str:
        return REASONS.get(self.status, "")

    def payload(self) -> Payload:
        head = "".join(f"{k}: {v}\r\n" for k, v in self.headers)
        text = f"HTTP/1.1 {self.status} {self.reason}\r\n{head}\r\n{self.body}"
        return Payload(protocol="http", text=text, size=len(text.encode()))


def parse_request(payload: Payload | None) -> Request | None:
    """The request in a payload, None when it is not HTTP."""
    if payload is None or payload.protocol != "http":
        return None
    head, _, body = payload.text.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        return None
    pairs = tuple((k.strip(), v.strip()) for k, _, v in (line.partition(":") for line in lines))
    return Request(method=words[0], path=words[1], headers=pairs, body=body)


def parse_response(payload: Payload | None) -> Response | None:
    """The response in a payload, None when it is not HTTP."""
    if payload is None or payload.protocol != "http" or not payload.text.startswith("HTTP/"):
        return None
    head, _, body = payload.text.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    pairs = tuple((k.strip(), v.strip()) for k, _, v in (line.partition(":") for line in lines))
    return Response(status=int(first.split(" ")[1]), headers=pairs, body=body)


def get(
    host: str, path: str = "/", *, agent: str = "curl/7.88.1", headers: tuple[tuple[str, str], ...] = ()
) -> Request:
    """The request that curl sends."""
    given = {k.lower() for k, _ in headers}
    base = (("Host", host), ("User-Agent", agent), ("Accept", "*/*"))
    return Request(
        method="GET", path=path, headers=(*(p for p in base if p[0].lower() not in given), *headers)
    )


# ---- the server

Page = Callable[[Delivery, Request, dict[str, str]], tuple[int, str]]


def answer(delivery: Delivery) -> Answer:
    """The answer of an http server to one request."""
    config = dict(delivery.proc.config) if delivery.proc is not None else {}
    request = parse_request(delivery.request)
    if request is None:
        return Answer(payload=respond(400, config, "Bad Request\n", now=delivery.net.clock))
    page = PAGES.get(config.get("page", "plain"), _plain)
    status, body = page(delivery, request, config)
    if config.get("missing") and request.path == config["missing"]:
        status, body = 404, "no\n"
    if config.get("access"):
        line = f"{request.method} {request.path} HTTP/1.1"
        size = 0 if request.method == "HEAD" else len(body.encode())
        agent = request.header("User-Agent") or "-"
        logs.access(delivery, config["access"], line, request.header("Host"), agent, status, size)
    return Answer(
        payload=respond(status, config, body, head=request.method == "HEAD", now=delivery.net.clock)
    )


def _status(config: dict[str, str]) -> int:
    return int(config.get("status", "200"))


def _name(config: dict[str, str]) -> str:
    return config.get("hostname", "") or config.get("name", "") or "server"


def _text(delivery: Delivery, request: Request, config: dict[str, str]) -> tuple[int, str]:
    return _status(config), config.get("text", config.get("body", "ok\n"))


def _plain(delivery: Delivery, request: Request, config: dict[str, str]) -> tuple[int, str]:
    """A server of which only its ports are known says who it is."""
    if "body" in config:
        return _text(delivery, request, config)
    return _status(config), f"{_name(config)}\n"


def _hostname(delivery: Delivery, request: Request, config: dict[str, str]) -> tuple[int, str]:
    return 200, _name(config) + "\n"


def _addresses(delivery: Delivery) -> list[str]:
    ns = delivery.ns
    return [text4(a.addr) for i in sorted(ns.addresses) for a in ns.addresses[i]]


def _whoami(delivery: Delivery, request: Request, config: dict[str, str]) -> tuple[int, str]:
    """traefik/whoami: itself, the client, the request."""
    lines = [f"Name: {config['title']}"] if config.get("title") else []
    lines += [f"Hostname: {config.get('hostname', '')}", *(f"IP: {a}" for a in _addresses(delivery))]
    lines.append(f"RemoteAddr: {text4(delivery.client[0])}:{delivery.client[1]}")
    lines.append(f"{request.method} {request.path} HTTP/1.1")
    lines += [f"{k}: {v}" for k, v in request.headers if k.lower() != "connection"]
    return 200, "\n".join(lines) + "\n\n"


def _echoserver(delivery: Delivery, request: Request, config: dict[str, str]) -> tuple[int, str]:
    """registry.k8s.io/echoserver: what arrived, client_address first."""
    lines = [
        "",
        "",
        f"Hostname: {config.get('hostname', '')}",
        "",
        "Server values:",
        "\tserver_version=nginx",
        "",
    ]
    lines += [
        "Request Information:",
        f"\tclient_address={text4(delivery.client[0])}",
        f"\tmethod={request.method}",
    ]
    lines += [
        f"\treal path={request.path}",
        "\trequest_version=1.1",
        f"\trequest_uri=http://{request.header('Host')}{request.path}",
    ]
    lines += ["", "Request Headers:", *(f"\t{k.lower()}={v}" for k, v in sorted(request.headers)), ""]
    return 200, "\n".join(lines) + "\n"


def _netexec(delivery: Delivery, request: Request, config: dict[str, str]) -> tuple[int, str]:
    """agnhost netexec: /hostname, /clientip, /healthz, /echo?msg=, /."""
    path, _, query = request.path.partition("?")
    if path in ("/hostname", "/hostName"):
        return 200, config.get("hostname", "")
    if path == "/clientip":
        return 200, f"{text4(delivery.client[0])}:{delivery.client[1]}"
    if path == "/healthz":
        return 200, ""
    if path == "/echo":
        return 200, query.removeprefix("msg=")
    if path == "/":
        return 200, moment(delivery.net.clock).strftime("NOW: %Y-%m-%d %H:%M:%S.%f000 +0000 UTC")
    return 404, "404 page not found\n"


def _registry(delivery: Delivery, request: Request, config: dict[str, str]) -> tuple[int, str]:
    return (200, "{}") if request.path in ("/v2/", "/v2") else (404, "404 page not found\n")


def _mounted(config: dict[str, str], path: str) -> str:
    """The machine's path behind a path of the container: the longest mount over it, else its own tree."""
    found = [
        k[6:] for k in config if k.startswith("mount:") and (path == k[6:] or path.startswith(k[6:] + "/"))
    ]
    if found:
        at = max(found, key=len)
        return config[f"mount:{at}"] + path[len(at) :]
    return config.get("rootfs", "") + path


def _file(delivery: Delivery, request: Request, config: dict[str, str]) -> tuple[int, str]:
    """A file under `docroot` of the container's tree (`rootfs`), the image's own where nobody wrote one; `/` is
    index.html."""
    from engine.l7 import images

    path = request.path.partition("?")[0]
    path = path + "index.html" if path.endswith("/") else path
    inside = config.get("docroot", "/").rstrip("/") + path
    box = delivery.net.boxes[delivery.ns.box]
    text = box.files.get(_mounted(config, inside))
    if text is None and config.get("image"):
        known = images.find(config["image"])
        text = dict(known.files).get(inside) if known is not None else None
    if text is not None:
        return 200, text
    if config.get("server", "").startswith("nginx"):
        body = "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n"
        body += "<center><h1>404 Not Found</h1></center>\r\n"
        return 404, body + f"<hr><center>{config['server']}</center>\r\n</body>\r\n</html>\r\n"
    return 404, "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"


PAGES: dict[str, Page] = {
    "plain": _plain, "text": _text, "hostname": _hostname, "whoami": _whoami, "echoserver": _echoserver,
    "netexec": _netexec,
    "registry": _registry, "file": _file,
}  # fmt: skip


def http_date(clock: float) -> str:
    """A virtual time as HTTP writes it."""
    return moment(clock).strftime("%a, %d %b %Y %H:%M:%S GMT")


def respond(
    status: int, config: dict[str, str], body: str, *, head: bool = False, now: float = 0.0
) -> Payload:
    """A response with the headers that the servers of the lab send; without the body for HEAD."""
    size = len(body.encode())
    html = body.lstrip().startswith("<")
    kind = ("Content-Type", "text/html" if html else "text/plain")
    server = config.get("server", "")
    headers = [("Server", server)] if server else []
    if config.get("date"):
        headers.append(("Date", config["date"]))
    elif server:
        headers.append(("Date", http_date(now)))
    headers += [kind, ("Content-Length", str(size))]
    if server.startswith("nginx"):
        headers += [("Last-Modified", "Tue, 28 Oct 2025 12:05:10 GMT")] if status == 200 else []
        headers.append(("Connection", "keep-alive"))
        headers += [("ETag", f'"6900b176-{size:x}"'), ("Accept-Ranges", "bytes")] if status == 200 else []
    return Response(status=status, headers=tuple(headers), body="" if head else body).payload()
