"""kubectl port-forward as a program: it accepts on the typing machine, and the bytes go by way of the API server.

Theory. kubectl holds a connection to the API server; the API server opens one to the kubelet of the pod's node (10250);
the kubelet has the runtime connect to 127.0.0.1 inside the pod's own network namespace. No Service, no kube-proxy rule
and no route to the pod is used: this is why port-forward works when the Service does not (kubelet streaming,
containerd portforward_linux.go).

Rules. `hops` of the process is that chain, resolved when kubectl began: [[namespace, address, port] ...], each
connection opened from its own namespace. One that cannot be opened closes the client's connection.
"""

from __future__ import annotations

import json

from engine.linux.exchange import Answer, Delivery, tcp_call
from engine.linux.journey import Leg
from engine.linux.packet import Payload

#: Forwards that stand in each other's way could turn in a circle.
DEPTH = 8
PURPOSES = ("kubectl to the API server", "API server to kubelet", "kubelet into the pod")


def answer(delivery: Delivery) -> Answer:
    if delivery.proc is None or delivery.depth >= DEPTH:
        return Answer(close=True)
    from engine.l7.serve import serve

    hops = json.loads(dict(delivery.proc.config)["hops"])
    legs: list[Leg] = []
    for i, (netns, address, port) in enumerate(hops):
        last = i == len(hops) - 1
        if netns not in delivery.net.spaces:
            return Answer(legs=tuple(legs), close=True)
        request = (delivery.request or Payload(protocol="", text="", size=0)) if last else None
        call = tcp_call(
            delivery.net, netns, address, port, choose=delivery.choose, request=request,
            serve=serve if last else silent, purpose=PURPOSES[i - len(hops)], who="port-forward",
            depth=delivery.depth + 1,
        )  # fmt: skip
        legs += call.legs
        if call.error:
            return Answer(legs=tuple(legs), close=True, outcome=call.outcome)
        if last:
            return Answer(payload=call.response, legs=tuple(legs))
    return Answer(legs=tuple(legs), close=True)


def silent(delivery: Delivery) -> Answer:
    """What the API server and the kubelet say to the connection itself: nothing, they pass bytes on."""
    return Answer()
