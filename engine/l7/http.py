"""HTTP as messages: building a request, and the plain http server that most lab images run.

Rules. A message is text with a true size in bytes, headers included, because sizes count against an MTU. What
a server says comes from its process' configuration (`server`, `body`, `status`, `kind`) and from what it really
sees: the client's address of the connection, its own hostname.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.linux.addr import text4
from engine.linux.exchange import Answer, Delivery
from engine.linux.packet import Payload

REASONS = {
    200: "OK", 301: "Moved Permanently", 302: "Found", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
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

    def payload(self) -> Payload:
        head = "".join(f"{k}: {v}\r\n" for k, v in self.headers)
        text = f"HTTP/1.1 {self.status} {REASONS.get(self.status, '')}\r\n{head}\r\n{self.body}"
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
    if payload is None or payload.protocol != "http" or not payload.text.startswith("HTTP/"):
        return None
    head, _, body = payload.text.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    pairs = tuple((k.strip(), v.strip()) for k, _, v in (line.partition(":") for line in lines))
    return Response(status=int(first.split(" ")[1]), headers=pairs, body=body)


def get(host: str, path: str = "/", *, agent: str = "curl/7.88.1", headers: tuple[tuple[str, str], ...] = ()) -> Request:
    """The request that curl sends."""
    given = {k.lower() for k, _ in headers}
    base = (("Host", host), ("User-Agent", agent), ("Accept", "*/*"))
    return Request(
        method="GET", path=path, headers=(*(p for p in base if p[0].lower() not in given), *headers)
    )


def answer(delivery: Delivery) -> Answer:
    """The plain server. `kind` chooses what the page holds: text, or what the server sees of the client."""
    request = parse_request(delivery.request)
    config = dict(delivery.proc.config) if delivery.proc is not None else {}
    server = config.get("server", "")
    if request is None:
        return Answer(payload=respond(400, server, "Bad Request\n"))
    hostname = config.get("hostname", "")
    kind = config.get("kind", "text")
    if kind == "whoami":
        own = text4(delivery.local[0])
        lines = [f"Hostname: {hostname}", f"IP: {own}", f"RemoteAddr: {text4(delivery.client[0])}:{delivery.client[1]}"]
        lines.append(f"{request.method} {request.path} HTTP/1.1")
        lines += [f"{k}: {v}" for k, v in request.headers]
        body = "\n".join(lines) + "\n"
    elif kind == "hostname":
        body = hostname + "\n"
    else:
        body = config.get("body", f"{hostname or 'server'}\n")
    status = int(config.get("status", "200"))
    if request.method == "HEAD":
        return Answer(payload=respond(status, server, "", len(body.encode())))
    return Answer(payload=respond(status, server, body))


def respond(status: int, server: str, body: str, length: int = -1) -> Payload:
    size = len(body.encode()) if length < 0 else length
    head = [("Server", server)] if server else []
    head += [("Content-Type", "text/html" if body.startswith("<") else "text/plain"), ("Content-Length", str(size))]
    return Response(status=status, headers=tuple(head), body=body).payload()
