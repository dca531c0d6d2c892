"""The name server outside the cluster: a program that answers for a small zone and for nobody else.

Theory. A host of a lab that listens on port 53 runs it. It knows every machine of the lab as NAME.lab, and a few
public names, all with the address of the host itself, so that what a lab's "internet" serves has names: example.com,
api.example.com, www.example.com (an alias). large.example.com has more addresses than fit into 512 bytes, so its
answer by UDP is cut. Every other name does not exist.

Rules. The zone is the process' configuration `zone`: lines `NAME TTL TYPE DATA`, written by who starts it (`zone`).
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.linux.addr import text4
from engine.linux.exchange import Answer, Delivery
from engine.linux.wire import dns
from engine.linux.wire.dns import PLAIN_SIZE, Message, Record
from engine.record import replace

TTL = 300
#: addresses of large.example.com: 203.0.113.1 and on
MANY = 40
ROOT = "a.root-servers.net. nstld.verisign-grs.com. 2026010100 1800 900 604800 86400"
CHAIN = 8


def zone(machines: Sequence[tuple[str, int]], own: int) -> str:
    """The zone of a lab whose machines have these addresses; `own` is the server's."""
    lines = [f"{name}.lab. {TTL} A {text4(address)}" for name, address in machines]
    lines += [f"{dns.reverse(address)} {TTL} PTR {name}.lab." for name, address in machines]
    lines += [f"{name} {TTL} A {text4(own)}" for name in ("example.com.", "api.example.com.")]
    lines.append(f"www.example.com. {TTL} CNAME example.com.")
    lines += [f"large.example.com. {TTL} A 203.0.113.{n}" for n in range(1, MANY + 1)]
    lines.append(f"example.com. {TTL} MX 10 mail.example.com.")
    lines.append(f'example.com. {TTL} TXT "v=spf1 -all"')
    return "\n".join(lines)


def read_zone(text: str) -> list[Record]:
    out = []
    for line in text.splitlines():
        name, ttl, type, data = line.split(" ", 3)
        out.append(Record(name=name, ttl=int(ttl), type=type, data=data))
    return out


def answer(delivery: Delivery) -> Answer:
    asked = dns.of(delivery.request)
    if asked is None or asked.response or delivery.proc is None:
        return Answer()
    records = read_zone(dict(delivery.proc.config).get("zone", ""))
    tcp = delivery.socket.proto == "tcp"
    message = replace(look_up(records, asked), edns=1232 if asked.edns else 0, packed=True)
    return Answer(payload=message.cut(65535 if tcp else max(PLAIN_SIZE, asked.edns)).payload(tcp=tcp))


def look_up(records: list[Record], asked: Message) -> Message:
    """The answer of a resolver that has asked everybody: aliases are followed."""
    reply = replace(asked.reply(), ra=True)
    name, found = asked.name.lower(), []
    for _ in range(CHAIN):
        here = [r for r in records if r.name == name]
        rows = [r for r in here if r.type == asked.type or asked.type == "ANY"]
        alias = [r for r in here if r.type == "CNAME"]
        found += rows or alias
        if rows or not alias:
            break
        name = alias[0].data
    exists = any(r.name == name or r.name.endswith("." + name) for r in records)
    if found and (found[-1].type != "CNAME" or asked.type == "CNAME"):
        return replace(reply, answers=tuple(found))
    soa = Record(name=".", ttl=TTL, type="SOA", data=ROOT)
    rcode = "NOERROR" if exists else "NXDOMAIN"
    return replace(reply, rcode=rcode, answers=tuple(found), authority=(soa,))
