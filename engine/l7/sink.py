"""A listener that reads and says nothing, as `nc -l`."""

from __future__ import annotations

from engine.linux.exchange import Answer, Delivery


def answer(delivery: Delivery) -> Answer:
    return Answer()
