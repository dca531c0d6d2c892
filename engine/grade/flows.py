"""Flow tables: rows of who sends what to whom, and what is expected. Tests, lesson goals and drills share them.

Theory. A row is judged over every random branch (`choose.branches`): outcome, sources and places must be as
expected in each; `at` and `rewritten-to` are sets over all of them. Each branch runs on a copy of the lab.

Rules. The keys are DESIGN's, public and refused when unknown. What the model cannot judge (a Service, a name) is a
finding `not-modelled`, never a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from engine.errors import InputError, NotModelled
from engine.grade.facts import Facts, facts_of, subset_in_order
from engine.grade.finding import Finding, guilty
from engine.lab.doc import Doc, read
from engine.lab.lab import Lab
from engine.lab.places import find, split_port
from engine.lab.reader import Fields, Node, Problems, root
from engine.lab.source import read_text
from engine.lab.trace import PROTOS, Traced
from engine.linux.addr import ip4, text4
from engine.linux.choose import Choose, branches
from engine.linux.journey import OUTCOMES, Journey, Outcome
from engine.record import dataclass
from engine.say import Phrase, Said, plain

FLOW_KEYS: Final = (
    "name", "from", "enter", "to", "proto", "headers", "resolve", "type", "expect",
)  # fmt: skip
EXPECT_KEYS: Final = ("outcome", "at", "seen-as", "rewritten-to", "masqueraded", "via", "encap", "mtu")
RESOLVE_KEYS: Final = ("answers", "rcode", "queries")
ENCAPS: Final = ("ipip", "vxlan", "geneve", "wireguard", "hbone", "none")
TYPES: Final = ("A", "AAAA", "SRV", "PTR", "CNAME")

NEED_TARGET = Phrase(
    en="a flow needs `to:` (where it goes) or `resolve:` (which name is asked)",
    ko="흐름에는 `to:`(가는 곳)나 `resolve:`(묻는 이름)가 있어야 합니다",
)
BOTH = Phrase(
    en="`to:` and `resolve:` cannot stand in one row; make two",
    ko="`to:`와 `resolve:`는 한 행에 둘 수 없습니다. 행을 나누십시오",
)
HTTP_ONLY = Phrase(
    en="`headers` belong to proto http; this row has {proto}",
    ko="`headers`는 proto http에서만 씁니다. 이 행은 {proto}입니다",
)
NOT_OUTCOME = Phrase(
    en="{flow}: expected {expected}, but {found} ({text})",
    ko="{flow}: {expected}이어야 하는데 {found}입니다({text})",
)
NOT_AT = Phrase(
    en="{flow}: expected to arrive at {expected}, arrives at {found}",
    ko="{flow}: 도착지는 {expected}이어야 하는데 {found}입니다",
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
    ko="{flow}: 캡슐화가 {expected}이어야 하는데 {found}입니다",
)
NOT_MTU = Phrase(
    en="{flow}: the smallest MTU on the way should be {expected}, and is {found}",
    ko="{flow}: 도중의 가장 작은 MTU가 {expected}이어야 하는데 {found}입니다",
)
CANNOT_SEND = Phrase(en="{flow}: {why}", ko="{flow}: {why}")
NO_DNS = Phrase(
    en="{flow}: name look-ups are not modelled so far", ko="{flow}: 이름 조회는 아직 모델에 없습니다"
)
TOO_MANY = Phrase(
    en="{flow}: more than {limit} random branches; the row cannot be judged whole",
    ko="{flow}: 무작위 갈래가 {limit}개를 넘어 전부 판정할 수 없습니다",
)
A_LAB = Phrase(en="a lab's file or name, or an inline lab", ko="랩의 파일이나 이름, 또는 인라인 랩")
SOME_FLOWS = Phrase(en="a list of flows", ko="흐름의 목록")
NOBODY = Phrase(en="nobody", ko="아무 데도 아님")
UNTOUCHED = Phrase(en="nothing (untouched)", ko="없음(그대로)")
LIMIT: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a row expects; None = not judged."""

    outcome: str | None = None
    at: tuple[str, ...] | None = None
    seen_as: str | None = None
    rewritten_to: tuple[str, ...] | None = None
    masqueraded: bool | None = None
    via: tuple[str, ...] | None = None
    encap: str | None = None
    mtu: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One row. `resolve` "" for a packet flow; `where` its place in the file."""

    source: str
    to: str = ""
    name: str = ""
    enter: str = ""
    proto: str = "tcp"
    headers: tuple[tuple[str, str], ...] = ()
    resolve: str = ""
    type: str = "A"
    expect: Expect = field(default_factory=Expect)
    where: str = ""

    @property
    def title(self) -> str:
        return (
            self.name
            or f"{self.source} -> {self.to or self.resolve} ({self.type if self.resolve else self.proto})"
        )

    def send(self, lab: Lab, choose: Choose | None = None, *, on_copy: bool = True) -> Traced:
        """Send it through the lab. Raises InputError for an endpoint that is not there."""
        return lab.send(
            self.source,
            self.to,
            proto=self.proto,
            headers=dict(self.headers),
            enter=self.enter,
            choose=choose,
            on_copy=on_copy,
        )


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


# ---- reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file of rows. `lab` is a name or an inline mapping, as the file has it."""

    doc: Doc
    lab: Any
    flows: tuple[Flow, ...]

    def lab_doc(self) -> Doc:
        """The inline lab as a document of its own that keeps its lines."""
        lines = {path[1:]: line for path, line in self.doc.lines.items() if path[:1] == ("lab",)}
        return Doc(self.doc.name, self.lab, lines, self.doc.line(("lab",)))


def read_table(path: Path) -> Table:
    """A flow-table file. Raises InputError with all its problems."""
    return table_of(read(read_text(path), str(path)))


def table_of(doc: Doc) -> Table:
    """A flow table from its document. Raises InputError."""
    problems = Problems()
    f = root(doc, problems).fields("lab", "flows")
    lab = f.need("lab", A_LAB())
    if lab is not None and not isinstance(lab.value, str | dict):
        lab.expected(A_LAB())
    rows = f.need("flows", SOME_FLOWS())
    flows = [read_flow(n) for n in (rows.items(1) if rows is not None else ())]
    problems.raise_any()
    return Table(doc=doc, lab=f.value["lab"], flows=tuple(x for x in flows if x is not None))


def read_flow(node: Node, *, judged: bool = True) -> Flow | None:
    """A row of a file. `judged` False: a row without `expect` (keep, play)."""
    keys = FLOW_KEYS if judged else tuple(k for k in FLOW_KEYS if k != "expect")
    return flow_of(node.fields(*keys), node)


def flow_of(f: Fields, node: Node) -> Flow | None:
    """The row behind fields that were asked for already (a play has more keys than a row)."""
    source = (n := f.need("from")) and n.text()
    if "to" not in f and "resolve" not in f and isinstance(node.value, dict):
        node.wrong(NEED_TARGET())
    if "to" in f and "resolve" in f:
        node.wrong(BOTH())
    proto = f.get("proto", lambda n: n.word(*PROTOS), "tcp")
    to = f.text("to")
    if to.startswith("http://") and "proto" not in f:
        proto = "http"
    headers = tuple((k, v) for k, n in _pairs(f, "headers") if (v := n.text(empty=True)) is not None)
    if headers and proto not in ("http", "https"):
        node.wrong(HTTP_ONLY(proto=proto))
    resolve = f.text("resolve")
    flow = Flow(
        source=source or "",
        to=to,
        name=f.text("name"),
        enter=f.text("enter"),
        proto=proto,
        headers=headers,
        resolve=resolve,
        type=f.get("type", lambda n: n.word(*TYPES), "A"),
        expect=f.get("expect", _read_resolve if "resolve" in f else _read_expect, Expect()),
        where=node.where,
    )
    return flow if source and (to or resolve) else None


def _pairs(f: Fields, key: str) -> list[tuple[str, Node]]:
    node = f.node(key)
    return [] if node is None else node.pairs()


texts: Callable[[Node], tuple[str, ...] | None] = Node.texts


def _read_expect(node: Node) -> Expect:
    f = node.fields(*EXPECT_KEYS)
    return Expect(
        outcome=f.get("outcome", lambda n: n.word(*(str(o) for o in Outcome)), None),
        at=f.get("at", texts, None),
        seen_as=f.get("seen-as", lambda n: n.text(), None),
        rewritten_to=f.get("rewritten-to", texts, None),
        masqueraded=f.get("masqueraded", Node.truth, None),
        via=f.get("via", texts, None),
        encap=f.get("encap", lambda n: n.word(*ENCAPS), None),
        mtu=f.get("mtu", lambda n: n.number(68, 65536), None),
    )


def _read_resolve(node: Node) -> Expect:
    """A row of a name look-up: its keys are checked; the look-up itself comes with DNS."""
    f = node.fields(*RESOLVE_KEYS)
    for key in ("answers", "queries"):
        f.get(key, texts, None)
    f.text("rcode")
    return Expect()


# ---- judging


def run(lab: Lab, flows: Iterable[Flow]) -> list[Row]:
    """Judge every row; the lab itself stays as it is."""
    return [judge(lab, flow) for flow in flows]


def judge(lab: Lab, flow: Flow, healthy: Journey | None = None) -> Row:
    """One row over all its branches. `healthy` is the same flow's journey before the faults, for the halt."""
    name = plain(flow.title)
    if flow.resolve:
        return Row(
            flow=flow, findings=(Finding(kind="not-modelled", said=NO_DNS(flow=name), flow=flow.title),)
        )
    try:
        seen = list(branches(lambda choose: flow.send(lab, choose), LIMIT))
    except InputError as error:
        kind = "not-modelled" if flow.expect == Expect() else "outcome"
        said = CANNOT_SEND(flow=name, why=error.problems[0].said)
        return Row(flow=flow, findings=(Finding(kind=kind, said=said, flow=flow.title),))
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
            text = OUTCOMES[journey.outcome]()
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
