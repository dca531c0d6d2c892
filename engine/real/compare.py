"""One flow on both sides, and the grid that shows where they part.

Rules. Per namespace the order must be equal, record by record; between namespaces only the wires order things.
A difference is a value with both lists, so that a person can read it and a test can print it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, field
from itertools import zip_longest
from typing import Any

from engine.linux.addr import ip4, text4
from engine.linux.choose import Choose, OfConnection
from engine.linux.conntrack import CtEntry
from engine.linux.exchange import Answer, Call, Delivery, ping_call, tcp_call, udp_call
from engine.linux.ipset.text import save as ipset_save
from engine.linux.journey import Journey, Outcome, Step, StepKind, Walk
from engine.linux.net import Net, Netns
from engine.linux.packet import Payload
from engine.real.kernel import Kernel
from engine.real.plan import nft_text, traced_text
from engine.real.records import IGMP, Record, compared_walks, flooded, kernel_records, model_records
from engine.real.tape import Tape
from engine.record import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What is sent: from a namespace to an address; `sport` is bound on both sides. `size` is a datagram's data in
    bytes,
    sent with DF, or with `cut` without it where they are too large."""

    netns: str
    proto: str
    dst: str
    dport: int
    sport: int
    size: int = 1
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Both records per namespace, both connection tables as lines. `same` when they are equal everywhere, both callers
    got the same answer, and the tape answered every choice (`lacking` names the others)."""

    flow: Flow
    model: dict[str, list[Record]]
    kernel: dict[str, list[Record]]
    model_error: str
    kernel_error: str
    journey: Journey
    model_table: dict[str, tuple[str, ...]] = field(default_factory=dict)
    kernel_table: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()
    played: int = 0
    compared: tuple[Walk, ...] = ()

    @property
    def answers_agree(self) -> bool:
        return self.model_error == self.kernel_error

    @property
    def same(self) -> bool:
        equal = self.model == self.kernel and self.model_table == self.kernel_table
        return equal and self.answers_agree and not self.lacking

    @property
    def count(self) -> int:
        return sum(len(rows) for rows in self.model.values())

    def sides(self) -> tuple[tuple[str, str], tuple[str, str]]:
        return (("model", self.model_error), ("kernel", self.kernel_error))

    def grid(self) -> str:
        """Both sides, namespace by namespace, the first difference of each marked."""
        flow = self.flow
        answers = [f"{who}: {error or 'answered'}" for who, error in self.sides()]
        lines = [f"{flow.netns} {flow.proto} > {flow.dst}:{flow.dport}   {'   '.join(answers)}"]
        for id in sorted({*self.model, *self.kernel}):
            ours, theirs = self.model.get(id, []), self.kernel.get(id, [])
            lines.append(f"-- {id}: {'same' if ours == theirs else 'DIFFERENT'} ({len(ours)} records)")
            if ours == theirs and self.model_error == self.kernel_error:
                continue
            marked = False
            for a, b in zip_longest(ours, theirs):
                mark = " " if a == b or marked else ">"
                marked = marked or a != b
                lines.append(f"{mark} {a.text() if a else '':<96} | {b.text() if b else ''}")
        for id in sorted({*self.model_table, *self.kernel_table}):
            mine, theirs_ = set(self.model_table.get(id, ())), set(self.kernel_table.get(id, ()))
            if mine != theirs_:
                lines.append(f"-- {id}: connections")
                lines += [f"  model  {row}" for row in sorted(mine - theirs_)]
                lines += [f"  kernel {row}" for row in sorted(theirs_ - mine)]
        lines += [f"-- the kernel's record does not answer: {what}" for what in self.lacking]
        return "\n".join(lines)


#: what the model's caller is told when nothing came back, in the worker's word
SILENCE = ("ETIMEDOUT", "EHOSTUNREACH/late")


def echo(delivery: Delivery) -> Answer:
    """The worker's datagram server: it sends back what it gets."""
    return Answer(payload=delivery.request)


#: virtual seconds that the model's caller waits: about what the kernel's waits, so that both clocks run alike
WAIT = 0.05


def model_call(net: Net, flow: Flow, choose: Choose) -> Call:
    dst = ip4(flow.dst)
    if flow.proto == "icmp":
        return ping_call(net, flow.netns, dst, choose=choose, ident=flow.sport, timeout=WAIT)
    if flow.proto == "udp":
        request = Payload(protocol="echo", text="x" * flow.size, size=flow.size)
        return udp_call(
            net,
            flow.netns,
            dst,
            flow.dport,
            choose=choose,
            sport=flow.sport,
            request=request,
            timeout=WAIT,
            serve=echo,
            strict=not flow.cut,
        )
    return tcp_call(
        net, flow.netns, dst, flow.dport, choose=choose, sport=flow.sport, stay=True, timeout=WAIT
    )


def bridge_rewrites(walk: Walk, net: Net) -> list[Step]:
    """Steps at which a bridge gave a DNATed frame to another neighbour. The kernel then may or may not pass the bridge
    device itself once more, by the state of a header cache (br_nf_pre_routing_finish_bridge): not compared."""
    out = []
    for step in walk.steps():
        if step.kind is StepKind.BRIDGE and step.changed:
            port = net.spaces[step.place.netns].link(step.place.device)
            if port is not None and port.master:
                bridge = net.spaces[step.place.netns].links[port.master].name
                out.append(replace(step, place=replace(step.place, device=bridge)))
    return out


#: a flow that differs is sent once more, and then silence must last this many times longer before the record counts as
#: complete: on a busy machine a packet may rest in a queue for a while
PATIENCE = 12
#: added to the source port of the second time, so that nothing of the first is met again
SECOND_PORT = 20000


#: who wants to hear of every comparison (the tests, to know which behaviour was met)
OBSERVERS: list[Callable[[Compared], None]] = []


def compare(kernel: Kernel, net: Net, flow: Flow) -> Compared:
    """Send `flow` in the kernel and in a copy of `net`, both with an empty conntrack table."""
    return Pair(kernel, net).send(flow)


class Pair:
    """The kernel's namespaces and the Net that they were built from. What rules remember from packet to packet
    (`recent`, `nth`, sets that nft fills) is carried on both sides; all else is as it was before each flow."""

    def __init__(self, kernel: Kernel, net: Net) -> None:
        self.kernel, self.net = kernel, net

    def reload(self, net: Net, ids: Iterable[str]) -> None:
        """Go on with the rules that `net` has in these namespaces."""
        places = list(ids)
        legacy = [id for id in places if net.spaces[id].xt.tables or self.net.spaces[id].xt.tables]
        rules = {id: traced_text(net.spaces[id].xt) for id in legacy}
        nft = {id: anew(net.spaces[id]) for id in places if net.spaces[id].nft.tables}
        sets = {id: refilled(net.spaces[id], net.clock) for id in places if net.spaces[id].ipsets.sets}
        self.kernel.ask("reload", rules=rules, nft=nft, sets=sets)
        self.net = net

    def send(self, flow: Flow, *, patience: int = 0) -> Compared:
        """Both sides of one flow. A difference counts when it is there a second time, with patience; with a `patience`
        given it is sent once only."""
        found = self.once(flow, patience or 1)
        if not found.same and not patience:
            found = self.once(replace(flow, sport=flow.sport + SECOND_PORT), PATIENCE)
        for observer in OBSERVERS:
            observer(found)
        return found

    def once(self, flow: Flow, patience: int) -> Compared:
        answer = self.kernel.send(**asdict(flow), patience=patience)
        copy = self.net.copy()
        for ns in copy.spaces.values():
            ns._conntrack = None
        counts = rule_counts(self.net)
        tape = Tape(answer["records"], answer.get("born", {}), counts)
        call = model_call(copy, flow, tape)
        found = judge(self.net, copy, flow, answer, call, counts, tape)
        carried = self.net.copy()
        for id, ns in carried.spaces.items():
            ns.xt, ns.nft = copy.spaces[id].xt, copy.spaces[id].nft
        carried.clock = copy.clock
        self.net = carried
        return found


def refilled(ns: Netns, now: float) -> str:
    """The ipsets for `ipset restore -exist`: each made where it is missing, emptied, and filled."""
    out: list[str] = []
    for name in ns.ipsets.names():
        first, *rest = ipset_save(ns.ipsets.sets[name], now).splitlines()
        out += [first, f"flush {name}", *rest]
    return "".join(f"{line}\n" for line in out)


def anew(ns: Netns) -> str:
    """The tables of nft in place of those of the same names, as one transaction of `nft -f`."""
    gone = "".join(
        f"table {t.family} {t.name}\ndelete table {t.family} {t.name}\n" for t in ns.nft.tables.values()
    )
    return gone + nft_text(ns)


def rule_counts(net: Net) -> dict[str, dict[tuple[str, str], int]]:
    """namespace -> (table, chain) -> how many rules."""
    return {
        id: {(t, c.name): len(c.rules) for t, chains in ns.xt.tables.items() for c in chains.values()}
        for id, ns in net.spaces.items()
    }


def judge(
    net: Net,
    after: Net,
    flow: Flow,
    answer: Mapping[str, Any],
    call: Call,
    counts: Mapping[str, Mapping[tuple[str, str], int]],
    tape: Tape,
) -> Compared:
    """Both records normalised and side by side. What the callers learn is compared too: for TCP what connect() says,
    which is done when the SYN-ACK is in, whatever happens to the ACK."""
    walks = compared_walks(call.leg)
    model = model_records(walks)
    real = kernel_records(net, answer["records"], counts)
    no_route = call.leg.forward.outcome is Outcome.NO_ROUTE
    if no_route:
        real = {
            id: kept
            for id, rows in real.items()
            if (kept := [r for r in rows if dict(r.header).get("type") != 3][: len(model.get(id, ()))])
        }  # what follows is an error that the kernel rations, perhaps in a tunnel
    slow_path = {
        (s.place.netns, f"out {s.place.device}") for w in call.leg.walks() for s in bridge_rewrites(w, net)
    }
    model, real = (
        {
            id: kept
            for id, rows in side.items()
            if (kept := [r for r in rows if (id, r.what) not in slow_path])
        }
        for side in (model, real)
    )
    if flooded(walks):
        model, real = ({id: sorted(rows, key=repr) for id, rows in side.items()} for side in (model, real))
    slow = call.outcome is Outcome.UNRESOLVED_NEIGHBOUR or call.seconds >= 1.0
    error = "SILENCE" if slow or call.error == "ETIMEDOUT" else call.error
    if flow.proto == "icmp" and call.icmp is not None and call.icmp.is_error:
        error = "SILENCE" if call.seconds >= 1 else call.error if call.error == "EPERM" else ""
    if no_route and answer["error"] == "SILENCE":
        error = "SILENCE"
    if (
        flow.proto == "tcp"
        and call.leg.back is not None
        and call.leg.back.outcome is Outcome.DELIVERED
        and call.leg.rest
    ):
        connected = call.leg.forward.outcome is Outcome.DELIVERED and call.error != "ECONNRESET"
        error = "" if connected else error
    mine, theirs = ({}, {}) if slow or no_route else connections(after, answer.get("conntrack", {}))
    lacking = [*tape.lacking, *(said for about, said in tape.unborn if has(after.spaces[about.netns], about))]
    return Compared(
        flow=flow, model=model, kernel=real, model_error=error, kernel_error=answer["error"],
        journey=Journey(act="", outcome=call.outcome, legs=call.legs), model_table=mine, kernel_table=theirs,
        lacking=() if slow or no_route else tuple(lacking), played=tape.played, compared=tuple(walks),
    )  # fmt: skip


def has(ns: Netns, about: OfConnection) -> bool:
    """Is this connection in the table?"""
    return any(tuple(entry.orig) == tuple(about.orig) for entry in ns.conntrack.entries.values())


Lines = dict[str, tuple[str, ...]]


def connections(net: Net, kernel: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[Lines, Lines]:
    """Both sides' connection tables as sorted lines, for the namespaces in which the model tracks."""
    mine: Lines = {}
    theirs: Lines = {}
    for id, ns in net.spaces.items():
        if id not in kernel or not (ns.xt.tracks or ns.nft.tracks):
            continue
        mine[id] = tuple(sorted(model_connection(e) for e in ns.conntrack.entries.values()))
        theirs[id] = tuple(sorted(kernel_connection(row) for row in kernel[id] if row["orig"][0] != IGMP))
    return mine, theirs


def model_connection(e: CtEntry) -> str:
    words = {"SEEN_REPLY": e.seen_reply, "ASSURED": e.assured, "SRC_NAT": e.snat, "DST_NAT": e.dnat}
    status = [word for word, yes in words.items() if yes]
    orig, reply = ((t.proto, text4(t.src), t.sport, text4(t.dst), t.dport) for t in (e.orig, e.reply))
    return connection_line(orig, reply, e.state, status, e.mark)


def kernel_connection(row: Mapping[str, Any]) -> str:
    return connection_line(row["orig"], row["reply"], row["state"], row["status"], row["mark"])


def connection_line(
    orig: Sequence[Any], reply: Sequence[Any], state: str, status: Iterable[str], mark: int
) -> str:
    def way(t: Sequence[Any]) -> str:
        return f"{t[1]}:{t[2]} > {t[3]}:{t[4]}"

    return f"{orig[0]} {way(orig)} | {way(reply)} {state} {' '.join(sorted(status))} mark={mark:#x}"
