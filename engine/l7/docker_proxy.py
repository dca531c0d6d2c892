"""docker-proxy: accepts on a published host port and opens its own connection to the container.

Rules. The container sees the proxy's connection, so its client is the bridge's own address, whoever asked. A
container that does not answer closes the client's connection without a word, as the real one does. Source: moby
cmd/docker-proxy (tcp_proxy_linux.go, udp_proxy_linux.go).
"""

from __future__ import annotations

from engine.linux.addr import ip4
from engine.linux.exchange import Answer, Delivery, tcp_call, udp_call
from engine.linux.packet import Payload

#: Proxies that stand in each other's way could turn in a circle; the kernel's file table would end it, we do here.
DEPTH = 8


def answer(delivery: Delivery) -> Answer:
    if delivery.proc is None or delivery.depth >= DEPTH:
        return Answer(close=True)
    config = dict(delivery.proc.config)
    host, _, port = config["target"].partition(":")
    from engine.l7.serve import serve

    request = delivery.request or Payload(protocol="", text="", size=0)
    call = udp_call if config.get("proto") == "udp" else tcp_call
    upstream = call(
        delivery.net,
        delivery.ns.id,
        ip4(host),
        int(port),
        choose=delivery.choose,
        request=request,
        serve=serve,
        purpose="docker-proxy",
        who="docker-proxy",
        depth=delivery.depth + 1,
    )
    failed = bool(upstream.error)
    return Answer(
        payload=None if failed else upstream.response,
        legs=upstream.legs,
        close=failed,
        outcome=upstream.outcome if failed else None,
    )
