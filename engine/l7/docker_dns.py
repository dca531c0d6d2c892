"""Docker's own name service: dockerd listens in each namespace of a user-defined network and answers for its names.

Theory. A program in the container asks 127.0.0.11:53; nat rules in its namespace lead that to a port of 127.0.0.11 on
which dockerd listens. Names of containers, their aliases and short ids are answered from what the daemon knows of the
networks of that container; every other name is asked of the host's servers, from the host's own namespace. When none
of them answers the program gets SERVFAIL.

Rules. What the daemon knows lies in a file for each namespace (`folder`), written when a container joins or leaves.
Source: moby daemon/libnetwork/resolver.go, sandbox_dns_unix.go.
"""

from __future__ import annotations

from engine.errors import InputError
from engine.linux.addr import ip4
from engine.linux.exchange import Answer, Delivery, udp_call
from engine.linux.journey import Leg
from engine.linux.wire import dns
from engine.linux.wire.dns import Message, Record
from engine.record import replace

FOLDER = "/run/docker/libnetwork/dns"
TRIES = 4.0
#: respTTL of resolver.go
TTL = 600


def folder(netns: str) -> str:
    """The file with the names that are known in a namespace: `ADDRESS NAME` and `server ADDRESS` lines."""
    return f"{FOLDER}/{netns.replace('/', '_')}"


def answer(delivery: Delivery) -> Answer:
    asked = dns.of(delivery.request)
    if asked is None or asked.response:
        return Answer()
    text = delivery.net.boxes[delivery.ns.box].files.get(folder(delivery.ns.id), "")
    known: dict[str, list[str]] = {}
    servers: list[str] = []
    for line in text.splitlines():
        first, _, second = line.partition(" ")
        if first == "server":
            servers.append(second)
        else:
            known.setdefault(second, []).append(first)
    name = asked.name.rstrip(".").lower()
    if name in known:
        addresses = known[name] if asked.type == "A" else []
        records = tuple(Record(name=asked.name, type="A", data=a, ttl=TTL) for a in addresses)
        return Answer(payload=replace(asked.reply(), ra=True, answers=records).payload())
    return _forward(delivery, asked, servers)


def _forward(delivery: Delivery, asked: Message, servers: list[str]) -> Answer:
    from engine.l7.serve import serve

    legs: list[Leg] = []
    for server in servers[:3]:
        try:
            address = ip4(server)
        except InputError:
            continue
        call = udp_call(
            delivery.net, delivery.ns.box, address, 53, choose=delivery.choose, request=asked.payload(), serve=serve,
            timeout=TRIES, purpose=f"dockerd asks {server}", who="dockerd", depth=delivery.depth + 1,
        )  # fmt: skip
        legs += call.legs
        if call.response is not None:
            return Answer(payload=call.response, legs=tuple(legs))
    return Answer(payload=replace(asked.reply("SERVFAIL"), ra=True).payload(), legs=tuple(legs))
