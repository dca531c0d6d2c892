"""The model's side of a recording: the same lines typed into its shell, the same packet, its journey in the same words.

What cannot be compared is left out here, by name: ARP and multicast, the hooks of a table that no rule stands in
(iptables makes such a chain only when it is first used), the end of a user's chain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.linux.addr import ip4
from engine.linux.choose import Choose, Seeded
from engine.linux.exchange import Answer, Call, Delivery, ping_call, tcp_call, udp_call
from engine.linux.journey import Step, StepKind, Walk
from engine.linux.net import Net, Netns
from engine.linux.ops import AddBox, Listen
from engine.linux.packet import Payload
from engine.linux.rows import Socket
from engine.linux.xt.seen import Seen
from engine.shell.shell import Shell
from engine.shell.world import World
from tests.real.saying import from_packet

HOST = "host"
DEVICE = {StepKind.TRANSMIT: "out", StepKind.RECEIVE: "in"}
ENDS = ("accept", "drop", "reject")


def build(lines: Iterable[str], listening: Iterable[tuple[str, str, str, int]] = ()) -> Net:
    """A machine with the namespaces that the lines make. A line that the model refuses fails with what it said."""
    return world(lines, listening).net


def world(lines: Iterable[str], listening: Iterable[tuple[str, str, str, int]] = ()) -> World:
    """The same with the log of every change."""
    found = World(net=Net())
    net = found.net
    found.do(AddBox(name=HOST))
    shell = Shell(found, f"node/{HOST}")
    for line in lines:
        got = shell.run(line)
        assert not got.code and not got.stderr.strip(), f"{line}\n{got.stdout}{got.stderr}"
    for name, proto, address, port in listening:
        socket = Socket(proto=proto, addr=ip4(address), port=port, pid=1, state="LISTEN")
        found.do(Listen(netns=space(net, name).id, socket=socket))
    return found


def space(net: Net, name: str) -> Netns:
    """A namespace by its name under /run/netns."""
    return net.spaces[net.boxes[HOST].netns_names[name]]


def names(net: Net) -> dict[str, str]:
    """namespace id -> its name."""
    return {id: name for name, id in net.boxes[HOST].netns_names.items()}


class Recorded(Seeded):
    """The choices of a recording: a `statistic` rule matches when its chain is in the record with that number; ports
    and ids are the model's own (they are named, not compared)."""

    def __init__(self, lines: dict[str, list[str]], known: dict[str, str], seed: int = 1) -> None:
        super().__init__(seed)
        self.lines, self.known = lines, known

    def chance(self, what: str, probability: float, about: object = None) -> bool:
        assert isinstance(about, Seen) and about.chain is not None, f"the record says nothing about {what}"
        word = re.compile(rf" {about.chain.name}#{about.index + 1}(=|\s|$)")
        return any(word.search(line) for line in self.lines.get(self.known[about.ns.id], ()))


def call(
    net: Net, name: str, proto: str, dst: str, dport: int, sport: int, choose: Choose, *, size: int = 1,
    df: bool = False, echo: bool = False, wait: float = 1.0,
) -> Call:  # fmt: skip
    """The packet of one recorded flow; a datagram is answered when the recording's servers echo."""
    id = space(net, name).id
    if proto == "icmp":
        return ping_call(net, id, ip4(dst), choose=choose, ident=sport, size=size, df=df, timeout=wait)
    if proto == "udp":

        def serve(delivery: Delivery) -> Answer:
            return Answer(payload=delivery.request if echo else None)

        request = Payload(protocol="echo", text="x" * size, size=size)
        return udp_call(
            net,
            id,
            ip4(dst),
            dport,
            choose=choose,
            sport=sport,
            request=request,
            serve=serve,
            timeout=wait,
            strict=df,
        )
    return tcp_call(net, id, ip4(dst), dport, choose=choose, sport=sport, stay=True, timeout=wait)


def lines(net: Net, walks: Iterable[Walk]) -> dict[str, list[str]]:
    """Every namespace's lines in order."""
    out: dict[str, list[str]] = {}
    known = names(net)
    for walk in walks:
        steps = list(walk.steps())
        for at, step in enumerate(steps):
            here = out.setdefault(known.get(step.place.netns, step.place.netns), [])
            if step.kind in DEVICE and step.place.device != "lo" and ip(step):
                here.append(f"{DEVICE[step.kind]} {step.place.device} {from_packet(step.before)}")  # type: ignore[arg-type]
            elif step.kind in (StepKind.RULE, StepKind.POLICY):
                add_rule(net.spaces[step.place.netns], here, steps, at)
            for name, copies in lines(net, step.copies).items():
                out.setdefault(name, []).extend(copies)
    return {name: rows for name, rows in out.items() if rows}


def ip(step: Step) -> bool:
    return step.before is not None and step.before.has_ip


def add_rule(ns: Netns, here: list[str], steps: list[Step], at: int) -> None:
    """A rule or policy: begins the line of its hook when it is the first of it, ends it when it decides."""
    step = steps[at]
    if step.before is None or not ns.xt.tables[step.table][step.hook].rules:
        return
    if not (here and here[-1].endswith("…")):
        where = f"{step.iif and ' iif ' + step.iif}{step.oif and ' oif ' + step.oif}"
        here.append(f"{step.table} {step.hook}{where} {from_packet(step.before).partition(' | ')[0]}:…")
    text = here[-1][:-1]
    if step.kind is StepKind.POLICY:
        here[-1] = f"{text} => policy {step.verdict}"
        return
    mark = f"[{step.mark:#x}]" if step.mark else ""
    verdict = word(step)
    text += f" {step.chain}#{step.number}={verdict}{mark}"
    here[-1] = f"{text} => {verdict}" if verdict in ENDS else f"{text}…"


def word(step: Step) -> str:
    """A rule's verdict as nftables says it: a NAT target accepts, a mark goes on, a jump names its chain."""
    verdict = step.verdict
    if verdict in ("dnat", "snat", "masquerade", "redirect"):
        return "accept"
    if verdict in ("mark", "connmark", "log", "nflog"):
        return "continue"
    return f"{verdict}:{step.row.split()[-1]}" if verdict in ("jump", "goto") else verdict


#: a connection as `conntrack -L` prints it, as the steps of the journey show it
ENTRY = re.compile(
    r"^(?P<proto>\S+) +\d+ \d+ (?:(?P<state>[A-Z_0-9]+) )?"
    r"src=(?P<a>\S+) dst=(?P<b>\S+)(?: sport=(?P<p>\d+) dport=(?P<q>\d+))?.*?"
    r" src=(?P<c>\S+) dst=(?P<d>\S+)(?: sport=(?P<r>\d+) dport=(?P<s>\d+))?.*? mark=(?P<mark>\d+)"
)


def change(row: str) -> tuple[str, str, str]:
    """(the way there, the way back, state and mark) of an entry's text."""
    found = ENTRY.match(row)
    assert found is not None, row
    one = found.groupdict()

    def ends(src: str, sport: str, dst: str, dport: str) -> str:
        return " > ".join(
            f"{one[x]}{(one[y] and ':' + one[y]) or ''}" for x, y in ((src, sport), (dst, dport))
        )

    mark = f" mark {int(one['mark']):#x}" if int(one["mark"]) else ""
    state = f" {one['state']}" if one["state"] else ""
    return f"{one['proto']} {ends('a', 'p', 'b', 'q')}", ends("c", "r", "d", "s"), state + mark


def tracked(net: Net, walks: Iterable[Walk]) -> dict[str, list[str]]:
    """What became of every connection: one line a change, connection by connection. What an entry was before it was
    confirmed, with another way back, nobody can see."""
    known = names(net)
    seen: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for walk in walks:
        for step in walk.steps():
            if step.kind is StepKind.CONNTRACK and step.row:
                orig, reply, state = change(step.row)
                seen.setdefault(known[step.place.netns], {}).setdefault(orig, []).append((reply, state))
    out: dict[str, list[str]] = {}
    for name, entries in seen.items():
        for orig, rows in sorted(entries.items()):
            kept = [f"{orig} reply {reply}{state}" for reply, state in rows if reply == rows[-1][0]]
            out.setdefault(name, []).extend(kept)
    return out
