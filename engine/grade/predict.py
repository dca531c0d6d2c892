"""Predictions: the right answer from the walker, the other options from the lab.

Theory. A flow is sent through a copy of the lab; the journey is halted before (or, for `header`, after) a step.
The right answer is read from the steps that come next. The other options are things of the same kind that the lab
really holds: other devices of the machine, other rules of the table, other addresses of the journey.

Rules. No option is written by an author. Options are drawn by the seed, so the same seed shows the same ones. A
question that the journey cannot answer (the stop is never met) is an InputError at the place of the stop.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from engine.errors import InputError, Problem
from engine.grade.finding import Finding, Halt
from engine.grade.steps import Found, Selector, crossed, find, read_selector
from engine.lab.lab import Lab
from engine.lab.places import place_name
from engine.lab.reader import Fields, Node
from engine.linux.addr import mac_text, text4
from engine.linux.journey import OUTCOMES, Journey, Outcome, Step, StepKind, Walk
from engine.linux.packet import Packet, Sctp, Tcp, Udp
from engine.record import dataclass
from engine.say import Phrase, Said, plain
from engine.shell.place import machine
from engine.shell.shell import Shell, first_session

ASKS: Final = ("outcome", "next-hop", "device", "rule", "header")
FIELDS: Final = ("eth.src", "eth.dst", "ip.src", "ip.dst", "ip.ttl", "l4.sport", "l4.dport")
DEFAULT_OPTIONS: Final = 4

NEED_STOP = Phrase(
    en="`ask: {ask}` needs `stop:`, the step that is meant",
    ko="`ask: {ask}`에는 뜻하는 단계를 가리키는 `stop:`이 필요합니다",
)
NEED_FIELD = Phrase(
    en="`ask: header` needs `field:`, one of {fields}", ko="`ask: header`에는 `field:`가 필요합니다: {fields}"
)
NO_STEP = Phrase(
    en="the journey never meets a step {selector}; it crosses {places}",
    ko="여정이 {selector} 단계를 만나지 않습니다. 지나는 곳: {places}",
)
NO_VALUE = Phrase(
    en="there is no {field} at that step ({packet})", ko="그 단계에는 {field}이(가) 없습니다({packet})"
)
NO_RULE = Phrase(
    en="the journey meets no netfilter rule there", ko="여정이 그곳에서 netfilter 규칙을 만나지 않습니다"
)
NOWHERE = Phrase(
    en="by none: it stays in this machine or ends here", ko="나가지 않음: 이 머신에 머물거나 여기서 끝남"
)
THE_END = Phrase(en="nowhere: it ends here", ko="없음: 여기서 끝남")
OUTCOME_OPTION = Phrase(en="{word}: {text}", ko="{word}: {text}")
WRONG = Phrase(
    en="not {given}: let the packet move on and see",
    ko="답이 아닙니다({given}). 패킷을 더 움직여 직접 보십시오",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """Something to choose. `id` is how an answer names it; `because` is what a learner who chose it reads."""

    id: str
    text: Said
    right: bool = False
    because: Said | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question as a file asks it."""

    ask: str
    stop: Selector | None = None
    field: str = ""
    count: int = DEFAULT_OPTIONS
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with its options; exactly one is right. `halt` is the hop where the player stands."""

    ask: str
    journey: Journey
    options: tuple[Option, ...]
    halt: Halt | None = None
    found: Found | None = None
    field: str = ""

    @property
    def right(self) -> Option:
        return next(o for o in self.options if o.right)

    def check(self, answer: object) -> Finding | None:
        """None when the answer (an option's id, or its text) is right."""
        given = chosen(self.options, answer)
        if given is not None and given.right:
            return None
        shown = plain(str(answer))
        if given is not None:
            # An outcome's word says enough; its sentence would read as if it were the verdict.
            shown = plain(given.id) if self.ask == "outcome" else given.text
        said = WRONG(given=shown)
        return Finding(kind="wrong-prediction", said=said, journey=self.journey, halt=self.halt)


def chosen(options: Iterable[Option], answer: object) -> Option | None:
    """The option that an answer names by its id or by its text in any language."""
    text = str(answer).strip()
    all_options = list(options)
    by_id = [o for o in all_options if o.id == text]
    by_text = [o for o in all_options if text in (o.text.text("en"), o.text.text("ko"))]
    return next(iter([*by_id, *by_text]), None)


def read_ask(f: Fields, node: Node) -> Ask | None:
    """ask, field, stop, options of a predict exercise or of a play."""
    ask = (n := f.need("ask", plain(", ".join(ASKS)))) and n.word(*ASKS)
    if not ask:
        return None
    field = f.get("field", lambda n: n.word(*FIELDS), "")
    if ask == "header" and "field" not in f:
        node.wrong(NEED_FIELD(fields=", ".join(FIELDS)))
    stop = None if (n := f.node("stop")) is None else read_selector(n)
    if stop is None and ask in ("next-hop", "device", "header"):
        node.wrong(NEED_STOP(ask=ask))
        return None
    return Ask(
        ask=ask,
        stop=stop,
        field=field,
        count=f.get("options", lambda n: n.number(2, 8), DEFAULT_OPTIONS),
        where=node.where,
    )


def question(lab: Lab, ask: Ask, journey: Journey, seed: int) -> Question:
    """The question about one journey. Raises InputError when the journey cannot answer it."""
    found = None
    if ask.stop is not None:
        found = find(journey, ask.stop)
        if found is None:
            places = ", ".join(dict.fromkeys(p for leg in journey.legs for p in crossed(leg.forward)))
            _no(ask, NO_STEP(selector=ask.stop.text(), places=places or "-"))
    if ask.ask == "outcome":
        right, others = _outcome(journey)
    elif ask.ask == "rule":
        found, right, others = _rule(lab, ask, journey, found)
    else:
        assert found is not None
        make = {"next-hop": _next_hop, "device": _device, "header": _header}[ask.ask]
        right, others = make(lab, ask, journey, found)
    options = [right, *_some(others, right, ask.count - 1, seed)]
    random.Random(f"{seed}/{ask.ask}/order").shuffle(options)
    halt = found.halt if found is not None else None
    return Question(
        ask=ask.ask, journey=journey, options=tuple(options), halt=halt, found=found, field=ask.field
    )


def _no(ask: Ask, said: Said) -> None:
    raise InputError([Problem(where=ask.where, said=said)])


def _some(others: Iterable[Option], right: Option, count: int, seed: int) -> list[Option]:
    """The nearest of the other options (they come nearest first), a few of the farther ones drawn by the seed."""
    unique = list({o.id: o for o in others if o.id != right.id}.values())
    near, far = unique[: max(count - 1, 1)], unique[max(count - 1, 1) :]
    random.Random(f"{seed}/options").shuffle(far)
    return (near + far)[:count]


def option(text: str, *, right: bool = False) -> Option:
    return Option(id=text, text=plain(text), right=right)


# ---- one function a question: (the right option, the others, nearest first)

NEAR_OUTCOMES: Final = (
    Outcome.DELIVERED, Outcome.DROPPED, Outcome.REFUSED, Outcome.NO_ROUTE, Outcome.UNRESOLVED_NEIGHBOUR,
    Outcome.NO_ANSWER, Outcome.REJECTED, Outcome.REVERSE_PATH_FILTERED, Outcome.TTL_EXCEEDED,
)  # fmt: skip


def outcome_option(outcome: Outcome, *, right: bool = False) -> Option:
    text = OUTCOME_OPTION(word=str(outcome), text=OUTCOMES[outcome]())
    return Option(id=str(outcome), text=text, right=right)


def _outcome(journey: Journey) -> tuple[Option, list[Option]]:
    return outcome_option(journey.outcome, right=True), [outcome_option(o) for o in NEAR_OUTCOMES]


def _later(found: Found) -> list[Step]:
    """The steps from the halt on."""
    return list(found.walk.steps())[found.flat :]


def _all_places(lab: Lab, journey: Journey, step: Step) -> list[str]:
    """Places a packet might come to: those of the machine at hand, then those of the whole journey."""
    ns = lab.world.net.spaces.get(step.place.netns)
    head = place_name(step.place).rpartition("/")[0] or step.place.node
    here = [f"{head}/{link.name}" for link in ns.links.values()] if ns is not None else []
    crossed_ = [
        p for leg in journey.legs for w in (leg.forward, leg.back) if w is not None for p in crossed(w)
    ]
    return [*here, *crossed_]


def _next_hop(lab: Lab, ask: Ask, journey: Journey, found: Found) -> tuple[Option, list[Option]]:
    here = place_name(found.step.place)
    after = next((place_name(s.place) for s in _later(found) if place_name(s.place) != here), "")
    end = Option(id="-", text=THE_END(), right=not after)
    right = option(after, right=True) if after else end
    others = [option(p) for p in _all_places(lab, journey, found.step) if p != here]
    return right, [*others, end]


def _device(lab: Lab, ask: Ask, journey: Journey, found: Found) -> tuple[Option, list[Option]]:
    netns = found.step.place.netns
    devices: list[str] = []
    for step in _later(found):
        if step.place.netns != netns:
            break
        for copy in step.copies:
            first = next((s for s in copy.steps() if s.kind is StepKind.TRANSMIT), None)
            if first is not None and first.place.netns == netns:
                devices.append(first.place.device)
        link = lab.world.net.spaces[netns].link(step.place.device) if step.place.device else None
        # A bridge passes a frame on inside its own namespace: what counts is the port behind it.
        if step.kind is StepKind.TRANSMIT and (link is None or link.kind != "bridge"):
            devices.append(step.place.device)
            break
    names = [n for link in lab.world.net.spaces[netns].links.values() if (n := link.name)]
    end = Option(id="-", text=NOWHERE(), right=not devices)
    right = option(", ".join(sorted(set(devices))), right=True) if devices else end
    others = [option(n) for n in names] + [option(", ".join(sorted(names)))]
    return right, [*others, end]


def _rule(lab: Lab, ask: Ask, journey: Journey, found: Found | None) -> tuple[Found, Option, list[Option]]:
    stop = ask.stop if ask.stop is not None else Selector()
    if found is None or found.step.kind not in (StepKind.RULE, StepKind.POLICY):
        start = found.flat if found is not None else 0
        later = _first_rule(journey, stop, start)
        if later is None:
            _no(ask, NO_RULE())
        assert later is not None
        found = later
    step = found.step
    rows = _rows(lab, step)
    near = [r for r in rows if r.split(" ")[1:2] == step.row.split(" ")[1:2]]
    return found, option(step.row, right=True), [option(r) for r in (*near, *rows)]


def _first_rule(journey: Journey, stop: Selector, start: int) -> Found | None:
    """The first step at or after `start` where a rule or a policy decided."""
    walk = journey.legs[stop.leg - 1].forward if stop.way == "forward" else journey.legs[stop.leg - 1].back
    flat = 0
    for hop, one in enumerate(walk.hops if walk is not None else ()):
        for inner, step in enumerate(one.steps):
            if flat >= start and step.kind in (StepKind.RULE, StepKind.POLICY) and step.row:
                assert walk is not None
                halt: Halt = (stop.leg - 1, stop.way, hop)
                return Found(step=step, halt=halt, inner=inner, flat=flat, walk=walk)
            flat += 1
    return None


def _rows(lab: Lab, step: Step) -> list[str]:
    """The rows that the learner can print: `iptables -S` of the step's table, in its namespace."""
    world = lab.world.copy()
    spot = machine(world.net.boxes[step.place.node])
    shell = Shell(world, spot.name)
    shell.stack[0] = first_session(spot.moved(step.place.netns))
    out = shell.run(f"iptables -t {step.table or 'filter'} -S").stdout.splitlines()
    return [row for row in out if not row.startswith("-N ")]


def field_of(packet: Packet | None, field: str) -> str:
    """A header field as text; "" where the packet has none."""
    if packet is None:
        return ""
    layer, _, name = field.partition(".")
    if layer == "eth":
        eth = packet.eth
        return "" if eth is None else mac_text(getattr(eth, name))
    if not packet.has_ip:
        return ""
    if layer == "ip":
        value = getattr(packet.ip, name)
        return str(value) if name == "ttl" else text4(value)
    l4 = packet.l4
    return str(getattr(l4, name)) if isinstance(l4, Tcp | Udp | Sctp) else ""


def _header(lab: Lab, ask: Ask, journey: Journey, found: Found) -> tuple[Option, list[Option]]:
    packet = found.step.after or found.step.before
    right = field_of(packet, ask.field)
    if not right:
        _no(ask, NO_VALUE(field=ask.field, packet=str(packet)))
    walks: list[Walk] = [w for leg in journey.legs for w in (leg.forward, leg.back) if w is not None]
    twin = {"src": "dst", "dst": "src", "sport": "dport", "dport": "sport"}
    layer, _, name = ask.field.partition(".")
    names = [ask.field, *([f"{layer}.{twin[name]}"] if name in twin else [])]
    values = [field_of(p, f) for f in names for w in walks for s in w.steps() for p in (s.before, s.after)]
    if layer == "ip" and name != "ttl":
        values += _addresses(lab, journey)
    elif layer == "eth":
        values += _macs(lab, journey)
    elif name == "ttl":
        values += [str(int(right) + d) for d in (-1, 1, -2, 2) if 0 < int(right) + d < 256]
    else:
        values += [str(int(right) + 1), "80", "8080", "443"]
    return option(right, right=True), [option(v) for v in values if v]


def _netnses(journey: Journey) -> list[str]:
    return list(dict.fromkeys(s.place.netns for s in journey.steps()))


def _addresses(lab: Lab, journey: Journey) -> list[str]:
    spaces = lab.world.net.spaces
    return [
        text4(a.addr)
        for n in _netnses(journey) if n in spaces
        for rows in spaces[n].addresses.values()
        for a in rows if a.addr >> 24 != 127
    ]  # fmt: skip


def _macs(lab: Lab, journey: Journey) -> list[str]:
    spaces = lab.world.net.spaces
    return [
        mac_text(k.mac) for n in _netnses(journey) if n in spaces for k in spaces[n].links.values() if k.mac
    ]
