"""One visit to a kernel as its own diagram: the stages in their order, lit as the packet met them, and the rules met.

Theory. A visit is the packet's whole stay in one network namespace. Which tables stand at which hook, and in which
order, is `xt.tables.LAYOUT`, the table that the walker itself runs; conntrack stands at priority -200. A stage is met
when one of the visit's steps belongs to it, stopped when the packet ended there, passed by when a later stage was
reached, and not reached otherwise. The branch not taken (INPUT or FORWARD) is shown too, in quiet.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from course.render.caption import clip_rule, width_of
from course.render.glyphs import Glyphs
from course.render.words import ui
from engine.linux.addr import text4
from engine.linux.journey import Step, StepKind
from engine.linux.packet import Packet
from engine.linux.xt.tables import LAYOUT
from engine.record import dataclass

Span = tuple[str, str]
Line = list[Span]
CONNTRACK = -200


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMark:
    """`status` is met, passed, stopped, unreached or away (the branch not taken); `note` is a word beside it."""

    name: str
    status: str
    now: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A row of the diagram: a hook with its tables, or a single stage (`in eth0`, `routing`)."""

    title: str
    stages: tuple[StageMark, ...]
    away: bool = False


def kind(steps: Sequence[Step]) -> str:
    """arp, bridging, sending, receiving or forwarding."""
    kinds = {s.kind for s in steps}
    first = next((s.before for s in steps if s.before is not None), None)
    if first is not None and not first.has_ip:
        return "arp"
    if StepKind.SEND in kinds:
        return "sending"
    if kinds & {StepKind.LOCAL, StepKind.SOCKET}:
        return "receiving"
    if StepKind.BRIDGE in kinds and not kinds & {StepKind.ROUTE, StepKind.FORWARD}:
        return "bridging"
    return "forwarding"


def stage_of(step: Step, before: str) -> str:
    """The name of the stage that a step belongs to; a DROP belongs where the packet was."""
    if step.kind in (StepKind.RULE, StepKind.POLICY, StepKind.NAT):
        return f"{step.hook} {step.table}"
    if step.kind is StepKind.IPVS:
        return f"{_hook_of(step, before)} ipvs"
    if step.kind is StepKind.CONNTRACK:
        return before if step.verdict == "confirmed" and before else f"{_hook_of(step, before)} conntrack"
    if step.kind in (StepKind.ROUTE, StepKind.LOCAL, StepKind.RPFILTER, StepKind.FORWARD, StepKind.MTU):
        return "routing"
    if step.kind in (StepKind.BRIDGE, StepKind.LEARN):
        return "bridge"
    if step.kind in (StepKind.NEIGHBOUR, StepKind.ARP):
        return "neighbour"
    if step.kind is StepKind.RECEIVE:
        return "in"
    if step.kind is StepKind.TRANSMIT:
        return "out"
    if step.kind in (StepKind.SEND, StepKind.SOCKET, StepKind.PROGRAM):
        return "socket"
    return before


def _hook_of(step: Step, before: str) -> str:
    """Conntrack looks a packet up in PREROUTING, or in OUTPUT for one that is made here."""
    return (
        "OUTPUT"
        if step.place.direction != "in" and before in ("", "socket", "routing", "OUTPUT raw")
        else "PREROUTING"
    )


def _order(what: str, bridged: str, hooked: bool) -> list[tuple[str, str, bool]]:
    """(section, hook or stage, away?) in the order in which this kind of visit meets them. A frame that is no IP
    packet meets no hook, and a bridged one only where br_netfilter made it meet a table. `bridged` is first, last
    (after the packet left by the bridge device) or ""."""
    if what in ("arp", "bridging") and not hooked:
        middle = ["bridge"] if bridged else []
        ends = ["neighbour"] if what == "arp" else []
        return [(name, "", False) for name in ("in", *middle, *ends, "out")]
    if what == "sending":
        after = [("bridge", "", False)] if bridged else []
        return [
            ("socket", "", False), ("routing", "", False), ("OUTPUT", "OUTPUT", False),
            ("POSTROUTING", "POSTROUTING", False), ("neighbour", "", False), ("out", "", False), *after,
        ]  # fmt: skip
    start = [("in", "", False), ("PREROUTING", "PREROUTING", False)]
    bridge = [("bridge", "", False)] if bridged == "first" or what == "bridging" else []
    after = [("bridge", "", False)] if bridged == "last" else []
    if what == "bridging":
        return [
            *start,
            *bridge,
            ("FORWARD", "FORWARD", False),
            ("POSTROUTING", "POSTROUTING", False),
            ("out", "", False),
        ]
    start += [*bridge, ("routing", "", False)]
    if what == "receiving":
        return [*start, ("FORWARD", "FORWARD", True), ("INPUT", "INPUT", False), ("socket", "", False)]
    return [
        *start, ("INPUT", "INPUT", True), ("FORWARD", "FORWARD", False), ("POSTROUTING", "POSTROUTING", False),
        ("neighbour", "", False), ("out", "", False), *after,
    ]  # fmt: skip


def _when_bridged(steps: Sequence[Step]) -> str:
    """Does the packet cross the bridge before it is routed, or after?"""
    for step in steps:
        if step.kind is StepKind.BRIDGE:
            return "first"
        if step.kind in (StepKind.ROUTE, StepKind.FORWARD):
            return "last" if any(s.kind is StepKind.BRIDGE for s in steps) else ""
    return ""


def _tables(hook: str, used: Sequence[str]) -> list[str]:
    """The stages of a hook: its tables by priority with conntrack between; `security` only where a rule is. What else
    stands there (a table of nft) is shown where it was met, behind what was met before it."""
    names: list[str] = []
    tracked = hook not in ("PREROUTING", "OUTPUT")
    for table, priority in LAYOUT[hook]:
        if not tracked and priority > CONNTRACK:
            names.append("conntrack")
            tracked = True
        if table != "security" or f"{hook} security" in used:
            names.append(table)
    at = 0
    for key in used:
        section, _, table = key.partition(" ")
        if section == hook and table:
            if table not in names:
                names.insert(at, table)
            at = names.index(table) + 1
    return names


def diagram(steps: Sequence[Step], current: Step | None, lang: str) -> list[Section]:
    """The visit's sections with every stage's status."""
    what = kind(steps)
    met: dict[str, int] = {}
    notes: dict[str, str] = {}
    stopped = now = before = ""
    late = _when_bridged(steps) == "last"
    for step in steps:
        name = stage_of(step, before)
        met[name] = met.get(name, 0) + 1
        if step.kind is StepKind.CONNTRACK and step.verdict and step.verdict != "confirmed":
            notes[name] = step.verdict
        elif step.kind in (StepKind.RECEIVE, StepKind.TRANSMIT):
            notes.setdefault(name, step.place.device)
        elif step.kind is StepKind.SOCKET or step.kind is StepKind.SEND:
            notes.setdefault(name, step.place.program)
        if step.outcome is not None:
            stopped = name
        if step is current:
            now = name
        if step.kind is StepKind.TRANSMIT and late and "bridge" in met:
            notes["bridge"] = step.place.device
        before = name
    order = [
        row
        for row in _order(what, _when_bridged(steps), any(s.hook for s in steps))
        if what != "arp" or row[0] in met
    ]
    names: list[tuple[str, str, str, bool]] = []
    for section, hook, away in order:
        for table in _tables(hook, list(met)) if hook else [section]:
            names.append((section, table, f"{hook} {table}" if hook else section, away))
    reached = max((i for i, (_, _, key, _) in enumerate(names) if key in met), default=-1)
    out: list[Section] = []
    for section, _, away in order:
        marks = tuple(
            StageMark(name=_word(table, lang), status=_status(key, i, met, stopped, reached, away), now=key == now,
                      note=notes.get(key, ""))
            for i, (s, table, key, a) in enumerate(names) if s == section and a == away
        )  # fmt: skip
        out.append(
            Section(title=section if section.isupper() else _word(section, lang), stages=marks, away=away)
        )
    return out


def _status(key: str, index: int, met: dict[str, int], stopped: str, reached: int, away: bool) -> str:
    if key == stopped:
        return "stopped"
    if away:
        return "away"
    return "met" if key in met else "passed" if index < reached else "unreached"


def _word(name: str, lang: str) -> str:
    return ui(name, lang) if name in ("in", "out", "routing", "bridge", "socket", "neighbour") else name


def mark(status: str, glyphs: Glyphs) -> str:
    return {"met": glyphs.met, "passed": glyphs.passed, "stopped": glyphs.stopped}.get(
        status, glyphs.unreached
    )


def picture(
    steps: Sequence[Step],
    current: Step | None,
    lang: str,
    glyphs: Glyphs,
    *,
    brief: bool = False,
    width: int = 0,
) -> list[Line]:
    """The diagram as lines: one a section, its stages joined by arrows; `brief` leaves out the branch not taken and the
    neighbour look-up. A section that is too long for `width` cells (0: any) has shorter arrows, and if need be only the
    stages where the packet met something. Roles: title, met, passed, stopped, away, now."""
    sections = diagram(steps, current, lang)
    if brief:
        dull = _word("neighbour", lang)
        sections = [
            s for s in sections if not s.away and (s.title != dull or s.stages[0].status == "stopped")
        ]
    single = [s for s in sections if len(s.stages) == 1]
    wide = max((len(s.title) + _double(s.title) for s in sections), default=0) + 2
    bar, down, side = ("|", "v", "+") if glyphs.ascii else ("│", "▼", "├")
    out: list[Line] = []
    for i, section in enumerate(sections):
        rail = down if i in (0, len(sections) - 1) else side if section.away else bar
        pad = " " * (wide - len(section.title) - _double(section.title))
        line: Line = [(f" {rail} ", "rail"), (section.title + pad, "title" if _touched(section) else "away")]
        if section in single and not section.away:
            stage = section.stages[0]
            line += [(mark(stage.status, glyphs), _role(stage)), (f" {stage.note}".rstrip(), _role(stage))]
        else:
            line += _joined(section.stages, glyphs, width - width_of(line) if width else 0)
        out.append(line)
    return out


def _joined(stages: Sequence[StageMark], glyphs: Glyphs, room: int) -> Line:
    """The stages of a hook with arrows between them, in the longest form that fits."""
    line: Line = []
    for then in (glyphs.then, glyphs.arrow):
        line = _chained(
            [[(f"{s.name} {mark(s.status, glyphs)}", _role(s)), *_noted(s)] for s in stages], then
        )
        if not room or width_of(line) <= room:
            return line
    parts: list[Line] = []
    for stage in stages:
        if stage.status in ("met", "stopped"):
            parts.append([(f"{stage.name} {mark(stage.status, glyphs)}", _role(stage)), *_noted(stage)])
        elif not parts or parts[-1] != [(glyphs.cut, "passed")]:
            parts.append([(glyphs.cut, "passed")])
    return _chained(parts, glyphs.arrow) if len(parts) > 1 else line


def _noted(stage: StageMark) -> Line:
    return [(f" {stage.note}", _role(stage))] if stage.note else []


def _chained(parts: Sequence[Line], then: str) -> Line:
    line: Line = []
    for part in parts:
        line += [(f" {then} ", "rail"), *part] if line else part
    return line


def _double(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text) - len(text)


def _touched(section: Section) -> bool:
    """Did the packet come by here at all?"""
    return any(stage.status in ("met", "passed", "stopped") for stage in section.stages)


def _role(stage: StageMark) -> str:
    return "now" if stage.now and stage.status != "stopped" else stage.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A rule that matched, a policy that was reached, or a rewrite. `change` is set for a rewrite."""

    step: Step
    chain: str = ""
    number: int = 0
    text: str = ""
    change: str = ""


def rules(steps: Sequence[Step]) -> tuple[list[Met], int, int]:
    """(rules met in order, how many rules matched, how many were tried)."""
    from engine.kube.proxy.cost import tried  # only who looks into a hop waits for the control plane

    out: list[Met] = []
    met = 0
    for step in steps:
        if step.kind in (StepKind.RULE, StepKind.POLICY):
            if step.kind is StepKind.RULE:
                met += 1
            text = step.row.removeprefix(f"-A {step.chain} ")
            number = step.number if step.kind is StepKind.RULE else 0
            out.append(Met(step=step, chain=f"{step.table} {step.chain}", number=number, text=text))
        elif step.kind is StepKind.NAT and step.before is not None and step.after is not None:
            out.append(Met(step=step, change=changed(step.before, step.after)))
    return out, met, tried(steps)


def changed(before: Packet, after: Packet) -> str:
    """`dst 10.96.71.20:80 => 10.244.2.7:8080`, with the arrow left as `=>` for the drawing to replace."""
    if not before.has_ip or not after.has_ip:
        return ""
    parts: list[str] = []
    for name, old, new, i in (
        ("src", before.ip.src, after.ip.src, 0),
        ("dst", before.ip.dst, after.ip.dst, 1),
    ):
        a, b = before.ports[i], after.ports[i]
        if (old, a) != (new, b):
            left, right = (f"{text4(v)}:{p}" if p else text4(v) for v, p in ((old, a), (new, b)))
            parts.append(f"{name} {left} => {right}")
    return "   ".join(parts)


def guilty(steps: Sequence[Step]) -> Step | None:
    """The rule or the policy that ended the packet."""
    return next(
        (a for a, b in itertools.pairwise(steps) if b.outcome is not None and b.row and a.row == b.row), None
    )


def deciding(steps: Sequence[Step], current: Step | None, *, inside: bool = False) -> int:
    """Which of the rules met (counted from 0) is to be in view: the present step's own; at the packet's end the one
    that ended it; else the rewrite, or the last rule. `inside`: a person goes from step to step, and what lies behind
    the present one is not looked for."""
    found, _, _ = rules(steps)
    own = next((i for i, m in enumerate(found) if m.step is current), None)
    if own is not None or not found:
        return own or 0
    ended = guilty(steps)
    if not inside and ended is not None:
        return next((i for i, m in enumerate(found) if m.step is ended), 0)
    seen = {id(step) for step in steps}
    if current is not None and id(current) in seen:
        at = next(i for i, step in enumerate(steps) if step is current)
        seen = {id(step) for step in steps[: at + 1]}
    before = [i for i, m in enumerate(found) if id(m.step) in seen]
    rewrites = [i for i in before if found[i].change] if not inside else []
    return (rewrites or before or [0])[-1]


def window(lines: int, room: int, at: int) -> tuple[int, int]:
    """(first, last + 1) of `lines` lines in `room` with line `at` in the middle, or as near to it as the ends allow."""
    start = max(0, min(at - room // 2, lines - room))
    return start, min(lines, start + room)


def rule_lines(
    steps: Sequence[Step], current: Step | None, width: int, lang: str, glyphs: Glyphs
) -> list[Line]:
    """The rules met, one a line under a title; the one that ended the packet has the stop mark. Roles: title, chain,
    row, now, stopped, changed."""
    found, met, count = rules(steps)
    ended = guilty(steps)
    if not found:
        return [[(" " + ui("no-rules", lang), "away")]]
    out: list[Line] = [[(" " + ui("rules-met", lang, met=f"{met:,}", tried=f"{count:,}"), "title")]]
    wide = min(max(len(m.chain) for m in found), max(14, width // 3))
    for m in found:
        if m.change:
            here = glyphs.here if m.step is current else " "
            text = glyphs.clip(m.change.replace("=>", glyphs.gives), width - 4)
            out.append([(f" {here} ", "now"), (text, "changed")])
            continue
        role = "stopped" if m.step is ended else "now" if m.step is current else "row"
        here = glyphs.stopped if m.step is ended else glyphs.here if m.step is current else " "
        number = f"{m.number:>5}" if m.number else "     "
        rest = max(4, width - wide - 11)
        out.append(
            [(f" {here} ", role), (glyphs.clip(m.chain, wide).ljust(wide), "chain"), (number, "chain"), ("  ", ""),
             (clip_rule(m.text, rest, glyphs), role)]
        )  # fmt: skip
    return out
