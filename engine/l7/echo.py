"""A server that sends back what it gets; and, for databases, one that answers in its own protocol's first words.

Rules. `reply` in the configuration names a known protocol; what the model does not speak is closed without a word.
"""

from __future__ import annotations

from engine.linux.exchange import Answer, Delivery
from engine.linux.packet import Payload


def answer(delivery: Delivery) -> Answer:
    """The same bytes back; redis answers PING; other known databases close."""
    request = delivery.request
    if request is None:
        return Answer()
    config = dict(delivery.proc.config) if delivery.proc is not None else {}
    reply = config.get("reply", "")
    if reply == "redis":
        words = request.text.strip().upper()
        if words == "PING":
            return _say("+PONG\r\n")
        return _say(f"-ERR unknown command '{request.text.strip().split(' ')[0]}'\r\n")
    if reply == "memcached":
        return _say("ERROR\r\n")
    if reply:
        return Answer(close=True)
    return Answer(payload=Payload(protocol=request.protocol, text=request.text, size=request.size))


def _say(text: str) -> Answer:
    return Answer(payload=Payload(protocol="text", text=text, size=len(text.encode())))
