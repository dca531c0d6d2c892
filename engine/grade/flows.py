"""Flow tables: rows of who sends what to whom, and what is expected. Tests, lesson goals and drills share them.

Theory. A row is judged over every random branch (`choose.branches`): outcome, sources and places must be as
expected in each; `at` and `rewritten-to` are sets over all of them. Each branch runs on a copy of the lab.

Rules. The keys are DESIGN's, public and refused when unknown. What the model cannot judge is a
finding `not-modelled`, never a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from engine.errors import InputError, NotModelled
from engine.grade.facts import Facts, facts_of, subset_in_order
from engine.grade.finding import Finding, guilty
from engine.grade.table import EXPECT_KEYS, FLOW_KEYS, Expect, Flow, Table, read_table, table_of
from engine.lab.lab import Lab
from engine.lab.lookup import Resolved
from engine.lab.places import find, split_port
from engine.lab.trace import Traced
from engine.linux.addr import ip4, text4
from engine.linux.choose import branches
from engine.linux.journey import OUTCOMES, Journey, Outcome
from engine.record import dataclass
from engine.say import Phrase, Said, plain

NOT_OUTCOME = Phrase(
    en="{flow}: expected {expected}, but {found} ({text})",
    ko="{flow}: {expected}이어야 하는데 {found}입니다({text})",
)
NOT_AT = Phrase(
    en="{flow}: expected to arrive at {expected}, arrives at {found}",
    ko="{flow}: 도착지는 {expected}이어야 하는데 지금은 {found}",
)
NOT_SEEN = Phrase(
    en="{flow}: the receiver should see {expected} as source, and sees {found}",
    ko="{flow}: 받는 쪽에는 출발지가 {expected}(으)로 보여야 하는데 {found}(으)로 보입니다",
)
NOT_REWRITTEN = Phrase(
    en="{flow}: the destination should become {expected}, and becomes {found}",
    ko="{flow}: 목적지가 {expected}(으)로 바뀌어야 하는데 {found}입니다",
)
NOT_MASQUERADED = Phrase(
    en="{flow}: the source should be changed on the way, and is not",
    ko="{flow}: 출발지가 도중에 바뀌어야 하는데 그대로입니다",
)
MASQUERADED = Phrase(
    en="{flow}: the source should stay, and is changed on the way",
    ko="{flow}: 출발지가 그대로여야 하는데 도중에 바뀝니다",
)
NOT_VIA = Phrase(
    en="{flow}: should cross {place}, and does not (in this order)",
    ko="{flow}: {place}을(를) (이 순서로) 지나야 하는데 지나지 않습니다",
)
NOT_ENCAP = Phrase(
    en="{flow}: encapsulation should be {expected}, and is {found}",
    ko="{flow}: 캡슐화가 {expected}이어야 하는데 지금은 {found}",
)
NOT_MTU = Phrase(
    en="{flow}: the smallest MTU on the way should be {expected}, and is {found}",
    ko="{flow}: 도중의 가장 작은 MTU가 {expected}이어야 하는데 지금은 {found}",
)
CANNOT_SEND = Phrase(en="{flow}: {why}", ko="{flow}: {why}")
NOT_RCODE = Phrase(
    en="{flow}: the answer should be {expected}, and is {found}",
    ko="{flow}: 응답 코드가 {expected}이어야 하는데 지금은 {found}",
)
NOT_ANSWERS = Phrase(
    en="{flow}: the answers should be {expected}, and are {found}",
    ko="{flow}: 응답이 {expected}이어야 하는데 지금은 {found}",
)
NOT_QUERIES = Phrase(
    en="{flow}: the names asked should be {expected}, and are {found}",
    ko="{flow}: 묻는 이름이 {expected}이어야 하는데 지금은 {found}",
)
TOO_MANY = Phrase(
    en="{flow}: more than {limit} random branches; the row cannot be judged whole",
    ko="{flow}: 무작위 갈래가 {limit}개를 넘어 전부 판정할 수 없습니다",
)
NOBODY = Phrase(en="nobody", ko="아무도 없음")
NOTHING = Phrase(en="none", ko="없음")
UNTOUCHED = Phrase(en="nothing (untouched)", ko="없음(그대로)")
LIMIT: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A judged row."""

    flow: Flow
    findings: tuple[Finding, ...]
    journey: Journey | None = None

    @property
    def ok(self) -> bool:
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        return {"name": self.flow.title, "ok": self.ok, "findings": [f.to_json() for f in self.findings]}


# ---- judging


def run(lab: Lab, flows: Iterable[Flow]) -> list[Row]:
    """Judge every row; the lab itself stays as it is."""
    return [judge(lab, flow) for flow in flows]


def judge(lab: Lab, flow: Flow, healthy: Journey | None = None) -> Row:
    """One row over all its branches. `healthy` is the same flow's journey before the faults, for the halt."""
    name = plain(flow.title)
    if flow.resolve:
        return judge_name(lab, flow)
    try:
        seen = list(branches(lambda choose: flow.send(lab, choose), LIMIT))
    except InputError as error:
        said = CANNOT_SEND(flow=name, why=error.problems[0].said)
        return Row(flow=flow, findings=(Finding(kind="outcome", said=said, flow=flow.title),))
    except NotModelled as error:
        said = CANNOT_SEND(flow=name, why=error.said)
        return Row(flow=flow, findings=(Finding(kind="not-modelled", said=said, flow=flow.title),))
    except RuntimeError:
        said = TOO_MANY(flow=name, limit=LIMIT)
        return Row(flow=flow, findings=(Finding(kind="not-modelled", said=said, flow=flow.title),))
    judging = _Judging(lab, flow, healthy)
    for traced in seen:
        judging.one(traced)
    judging.sets()
    return Row(flow=flow, findings=tuple(judging.findings), journey=seen[0].journey)


def judge_name(lab: Lab, flow: Flow) -> Row:
    """A `resolve` row over all its branches: in each, the rcode, the set of answers and the names in order."""
    name = plain(flow.title)
    try:
        seen = list(branches(lambda choose: flow.ask(lab, choose), LIMIT))
    except InputError as error:
        said = CANNOT_SEND(flow=name, why=error.problems[0].said)
        return Row(flow=flow, findings=(Finding(kind="outcome", said=said, flow=flow.title),))
    except NotModelled as error:
        said = CANNOT_SEND(flow=name, why=error.said)
        return Row(flow=flow, findings=(Finding(kind="not-modelled", said=said, flow=flow.title),))
    except RuntimeError:
        said = TOO_MANY(flow=name, limit=LIMIT)
        return Row(flow=flow, findings=(Finding(kind="not-modelled", said=said, flow=flow.title),))
    findings: dict[str, Finding] = {}
    for found in seen:
        for kind, said in _name_findings(flow, found):
            if kind not in findings:
                findings[kind] = Finding(kind=kind, said=said, flow=flow.title, journey=found.journey)
    return Row(flow=flow, findings=tuple(findings.values()), journey=seen[0].journey)


def _name_findings(flow: Flow, found: Resolved) -> Iterator[tuple[str, Said]]:
    want, name = flow.expect, plain(flow.title)
    if found.journey.outcome is Outcome.NOT_MODELLED:
        yield "not-modelled", CANNOT_SEND(flow=name, why=_last_why(found.journey))
        return
    if want.rcode is not None and want.rcode != found.rcode:
        yield "rcode", NOT_RCODE(flow=name, expected=want.rcode, found=found.rcode)
    if want.answers is not None and set(want.answers) != set(found.answers):
        yield "answers", NOT_ANSWERS(flow=name, expected=_listed(want.answers), found=_listed(found.answers))
    if want.queries is not None and want.queries != found.queries:
        yield "queries", NOT_QUERIES(flow=name, expected=_listed(want.queries), found=_listed(found.queries))


def _listed(words: tuple[str, ...]) -> Said:
    return plain(", ".join(words)) if words else NOTHING()


class _Judging:
    """Collects the findings of one row: the first of each kind, with its journey."""

    def __init__(self, lab: Lab, flow: Flow, healthy: Journey | None) -> None:
        self.lab, self.flow, self.healthy = lab, flow, healthy
        self.name = plain(flow.title)
        self.findings: list[Finding] = []
        self.facts: list[tuple[Journey, Facts]] = []

    def add(self, kind: str, said: Said, journey: Journey | None) -> None:
        if all(f.kind != kind for f in self.findings):
            halt = guilty(journey, self.healthy) if journey is not None else None
            self.findings.append(
                Finding(kind=kind, said=said, flow=self.flow.title, journey=journey, halt=halt)
            )

    def one(self, traced: Traced) -> None:
        journey = traced.journey
        facts = facts_of(journey, self.lab.world.net)
        self.facts.append((journey, facts))
        want = self.flow.expect
        unknown = str(Outcome.NOT_MODELLED)
        if journey.outcome is Outcome.NOT_MODELLED and want.outcome != unknown:
            why = journey.why if journey.why is not None else _last_why(journey)
            self.add("not-modelled", CANNOT_SEND(flow=self.name, why=why), journey)
            return
        if want.outcome is not None and want.outcome != str(journey.outcome):
            text = journey.why or OUTCOMES[journey.outcome]()
            said = NOT_OUTCOME(flow=self.name, expected=want.outcome, found=str(journey.outcome), text=text)
            self.add("outcome", said, journey)
            return
        if want.seen_as is not None and facts.at is not None and not self.owns(want.seen_as, facts.seen_as):
            said = NOT_SEEN(flow=self.name, expected=want.seen_as, found=self.shown(facts.seen_as))
            self.add("seen-as", said, journey)
        if want.masqueraded is not None and want.masqueraded != facts.masqueraded:
            phrase = NOT_MASQUERADED if want.masqueraded else MASQUERADED
            self.add("masqueraded", phrase(flow=self.name), journey)
        if want.via is not None and (missed := subset_in_order(want.via, journey)):
            self.add("via", NOT_VIA(flow=self.name, place=missed), journey)
        if want.encap is not None and want.encap != facts.encap:
            self.add("encap", NOT_ENCAP(flow=self.name, expected=want.encap, found=facts.encap), journey)
        if want.mtu is not None and want.mtu != facts.mtu:
            self.add("mtu", NOT_MTU(flow=self.name, expected=want.mtu, found=facts.mtu), journey)

    def sets(self) -> None:
        """`at` and `rewritten-to`: exactly these, over all branches."""
        want = self.flow.expect
        if any(f.kind in ("outcome", "not-modelled") for f in self.findings):
            return
        if want.at is not None:
            self._at(want.at)
        if want.rewritten_to is not None:
            found = {f.rewritten for _, f in self.facts if f.rewritten is not None}
            wanted = {self.pair(text) for text in want.rewritten_to}
            touched = all(f.rewritten is not None for _, f in self.facts)
            if found != wanted or (wanted and not touched):
                expected = ", ".join(want.rewritten_to)
                shown = ", ".join(sorted(f"{text4(a)}:{p}" for a, p in found))
                said = NOT_REWRITTEN(
                    flow=self.name,
                    expected=plain(expected) if expected else UNTOUCHED(),
                    found=plain(shown) if shown else UNTOUCHED(),
                )
                self.add("rewritten-to", said, self.facts[0][0])

    def _at(self, expected: tuple[str, ...]) -> None:
        met: set[str] = set()
        strange: list[tuple[str, Journey]] = []
        for journey, facts in self.facts:
            if facts.at is None:
                continue
            agreeing = [text for text in expected if self.is_at(text, facts.at)]
            met.update(agreeing)
            if not agreeing:
                strange.append((self.receiver(facts.at), journey))
        missing = [text for text in expected if text not in met]
        if strange or missing:
            found = sorted({self.receiver(f.at) for _, f in self.facts if f.at is not None})
            shown = plain(", ".join(found)) if found else NOBODY()
            said = NOT_AT(
                flow=self.name, expected=plain(", ".join(expected)) if expected else NOBODY(), found=shown
            )
            self.add("at", said, strange[0][1] if strange else self.facts[0][0])

    # ---- names and addresses

    def is_at(self, text: str, at: tuple[str, int, int]) -> bool:
        name, port = split_port(text)
        if port and port != at[2]:
            return False
        try:
            end = find(self.lab.world, name)
        except (InputError, NotModelled):
            return False
        return at[1] == end.address if "/" not in name else at[0] == end.netns

    def owns(self, ref: str, address: int) -> bool:
        try:
            end = find(self.lab.world, ref)
        except (InputError, NotModelled):
            return False
        return address in (end.addresses or (end.address,))

    def shown(self, address: int) -> str:
        """An address with the name of who has it, as far as one has."""
        owners = self.lab.world.net.owner_of(address)
        if not owners:
            return text4(address)
        label = owners[0].box if owners[0].label == "root" else owners[0].label
        return f"{text4(address)} ({label})"

    def receiver(self, at: tuple[str, int, int]) -> str:
        ns = self.lab.world.net.spaces.get(at[0])
        label = at[0] if ns is None else ns.box if ns.label == "root" else ns.label
        return f"{label}:{at[2]}" if at[2] else label

    def pair(self, text: str) -> tuple[int, int]:
        name, port = split_port(text)
        try:
            return ip4(name), port
        except InputError:
            try:
                return find(self.lab.world, name).address, port
            except (InputError, NotModelled):
                return 0, port


def _last_why(journey: Journey) -> Said:
    """The reason of the last step that gives one."""
    whys = [step.why for step in journey.steps() if step.why is not None]
    return whys[-1] if whys else OUTCOMES[journey.outcome]()


def to_json(file: str, rows: list[Row]) -> dict[str, Any]:
    """The public form of a judged table (DESIGN section 5)."""
    passed = sum(row.ok for row in rows)
    return {"file": file, "passed": passed, "failed": len(rows) - passed, "rows": [r.to_json() for r in rows]}


#: the file's side of a table, for who reads and judges in one go
__all__ = [
    "EXPECT_KEYS",
    "FLOW_KEYS",
    "Expect",
    "Flow",
    "Row",
    "Table",
    "judge",
    "read_table",
    "run",
    "table_of",
    "to_json",
]
