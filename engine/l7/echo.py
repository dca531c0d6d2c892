"""A server that sends back what it gets: the stand-in for a port whose protocol the model does not speak."""

from __future__ import annotations

from engine.linux.exchange import Answer, Delivery
from engine.linux.packet import Payload


def answer(delivery: Delivery) -> Answer:
    request = delivery.request
    if request is None:
        return Answer()
    return Answer(payload=Payload(protocol=request.protocol, text=request.text, size=request.size))
