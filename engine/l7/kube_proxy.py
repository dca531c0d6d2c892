"""kube-proxy as a program on sockets: its health servers, its mode, and in userspace mode the Services themselves.

Theory. Three kinds of HTTP servers. One on 10256 says whether this kube-proxy keeps up (/healthz, for load balancers
that send to any node; it also says no while the node is being taken away; /livez leaves the node out). One for each
Service with a health check node port says how many of its endpoints are on this node, for load balancers that send
only there. One on 127.0.0.1:10249 says the mode and the metrics.

Rules. What the process knows is told by `Tell`: ("health", port) -> Local, ("serves", port) -> "healthz" or "metrics",
"mode" -> the word, "eligible" -> False while the node is being deleted. Text and headers are those of Go's net/http.
Sources: pkg/proxy/healthcheck/{service_health,proxy_health}.go, cmd/kube-proxy/app/server.go (facts 20 section 1.2).
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.l7 import http, userspace_proxy
from engine.linux.clock import moment
from engine.linux.exchange import Answer, Delivery
from engine.record import dataclass

JSON = (("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff"))
PLAIN = (("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """What a health check node port is about: a Service, and how many of its ready endpoints are on this node."""

    namespace: str
    name: str
    count: int


def answer(delivery: Delivery) -> Answer:
    """What kube-proxy says on one of its sockets."""
    if delivery.proc is None:
        return Answer()
    memory = delivery.net.boxes[delivery.ns.box].memory.setdefault(delivery.proc.pid, {})
    proxied = userspace_proxy.answer(delivery, memory)
    if proxied is not None:
        return proxied
    about = memory.get(("health", delivery.socket.port))
    serves = memory.get(("serves", delivery.socket.port))
    if about is None and serves is None:
        return Answer(close=True)
    if delivery.request is None:
        return Answer()
    request = http.parse_request(delivery.request)
    if request is None:
        return said(delivery, 400, (*PLAIN[:1], ("Connection", "close")), "400 Bad Request")
    if isinstance(about, Local):
        return service_health(delivery, about)
    path = request.path.partition("?")[0]
    if serves == "healthz":
        return proxy_health(delivery, path, eligible=memory.get("eligible", True) is not False)
    return about_itself(delivery, path, str(memory.get("mode", "")))


def said(delivery: Delivery, status: int, headers: tuple[tuple[str, str], ...], body: str) -> Answer:
    """A response as Go's server writes it: the handler's own headers by name, then Date and Content-Length."""
    request = http.parse_request(delivery.request)
    head = request is not None and request.method == "HEAD"
    more = (("Date", http.http_date(delivery.net.clock)), ("Content-Length", str(len(body.encode()))))
    response = http.Response(status=status, headers=(*sorted(headers), *more), body="" if head else body)
    return Answer(payload=response.payload())


def service_health(delivery: Delivery, about: Local) -> Answer:
    """One Service's endpoints on this node (hcHandler.ServeHTTP): any path, 200 when there is one."""
    body = (
        "{\n"
        f'\t"service": {{\n\t\t"namespace": "{about.namespace}",\n\t\t"name": "{about.name}"\n\t}},\n'
        f'\t"localEndpoints": {about.count},\n\t"serviceProxyHealthy": true\n'
        "}"
    )
    weight = ("X-Load-Balancing-Endpoint-Weight", str(about.count))
    return said(delivery, 200 if about.count else 503, (*JSON, weight), body)


def proxy_health(delivery: Delivery, path: str, *, eligible: bool) -> Answer:
    """/healthz and /livez (proxy_health.go). A kube-proxy that runs here has always caught up."""
    if path not in ("/healthz", "/livez"):
        return said(delivery, 404, PLAIN, "404 page not found\n")
    now = go_time(delivery.net.clock)
    if path == "/livez":
        return said(delivery, 200, JSON, f'{{"lastUpdated": "{now}","currentTime": "{now}"}}')
    word = str(eligible).lower()
    body = f'{{"lastUpdated": "{now}","currentTime": "{now}", "nodeEligible": {word}}}'
    return said(delivery, 200 if eligible else 503, JSON, body)


def about_itself(delivery: Delivery, path: str, mode: str) -> Answer:
    """The metrics server's other paths."""
    if path == "/proxyMode":
        return said(delivery, 200, PLAIN, mode)
    if path == "/healthz":
        return said(delivery, 200, PLAIN, "ok")
    if path in ("/metrics", "/configz", "/flagz", "/statusz"):
        raise NotModelled(f"kube-proxy's {path}")
    return said(delivery, 404, PLAIN, "404 page not found\n")


def go_time(clock: float) -> str:
    """A moment as Go's time.Time prints itself, with the monotonic clock's reading."""
    when = moment(clock)
    fraction = f".{when.microsecond:06d}000".rstrip("0").rstrip(".")
    return f"{when:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC m=+{clock:.9f}"
