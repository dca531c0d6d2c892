"""kubelet as a program on sockets: its health on 127.0.0.1:10248.

Theory. /healthz answers ok while the kubelet's own loop goes round. The server on 10250 speaks TLS with client
certificates, which is not modelled: it takes the connection and says nothing. Source: pkg/kubelet/server/server.go
(ListenAndServeKubeletServer), cmd/kubelet/app/server.go (healthz on HealthzPort).
"""

from __future__ import annotations

from engine.l7 import http
from engine.l7.kube_proxy import PLAIN, said
from engine.linux.exchange import Answer, Delivery

HEALTHZ = 10248
PATHS = ("/healthz", "/healthz/ping", "/healthz/log", "/healthz/syncloop")


def answer(delivery: Delivery) -> Answer:
    """What kubelet says on one of its sockets."""
    if delivery.proc is None or delivery.socket.port != HEALTHZ or delivery.request is None:
        return Answer()
    request = http.parse_request(delivery.request)
    if request is None:
        return said(delivery, 400, (*PLAIN[:1], ("Connection", "close")), "400 Bad Request")
    if request.path.partition("?")[0] in PATHS:
        return said(delivery, 200, PLAIN, "ok")
    return said(delivery, 404, PLAIN, "404 page not found\n")
