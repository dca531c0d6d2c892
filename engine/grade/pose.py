"""Exercise + seed -> Posed: the task as one learner meets it, with its lab, its options and its right answers.

Theory. Posing fills the drawn values in, opens the lab, does the setup (manifests, commands: the healthy lab), measures
what the goal wants kept, puts the faults in, and asks the walker what is right. The same exercise and seed give
the same Posed.

Rules. What is wrong with an exercise is an InputError with all its problems, at their places in exercises.yaml.
A learner works in `lab` or in a copy of it; `start` and `well` are never acted in.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import field
from typing import Any, Final

from engine.errors import InputError, NotModelled
from engine.grade import goal as goals
from engine.grade.exercise import Exercise, read_said
from engine.grade.finding import guilty
from engine.grade.goal import Goal, Healthy, read_goal
from engine.grade.predict import ASKS, Ask, Option, Question, option, question, read_ask
from engine.grade.steps import Selector, crossed, find, read_selector
from engine.grade.table import Flow, read_flow
from engine.grade.ways import Way, read_solution, read_take, taken, ways
from engine.lab import faults as lab_faults
from engine.lab.deeds import do, read_deeds
from engine.lab.describe import Raw
from engine.lab.lab import Lab
from engine.lab.reader import A_TEXT, Fields, Node, Problems
from engine.lab.source import Source, manifests_of
from engine.linux.journey import Journey
from engine.record import dataclass, replace
from engine.say import Phrase, Said, plain

AS: Final = ("address", "prefix", "mac", "number", "port", "name", "text", "set")

SETUP_FAILED = Phrase(en="the setup does not work: {what}", ko="실습 환경을 준비할 수 없습니다: {what}")
THREE_OPTIONS = Phrase(
    en="{count} options, accepted: at least three, one of them right and two wrong",
    ko="선택지가 {count}개입니다. 셋 이상이어야 하고 맞는 것 하나, 틀린 것 둘이 있어야 합니다",
)
ONE_RIGHT = Phrase(
    en="{count} options are right in this lab; accepted: {accepted}",
    ko="이 실습 환경에서 맞는 선택지가 {count}개입니다. 가능한 것: {accepted}",
)
RIGHT_OR_WHEN = Phrase(
    en="`right` and `when` cannot stand together; write one",
    ko="`right`와 `when`은 함께 쓸 수 없습니다. 하나만 적으십시오",
)
NOT_MET = Phrase(
    en="the journey never meets the step {selector} of {id}",
    ko="여정이 {id}의 {selector} 단계를 만나지 않습니다",
)
SAME_STEP = Phrase(
    en="{one} and {other} mean the same step; name them apart",
    ko="{one}과(와) {other}이(가) 같은 단계입니다. 서로 구별되게 적으십시오",
)
NOT_A_LIST_OF_IDS = Phrase(
    en="`order` must hold each item's id once: {ids}",
    ko="`order`에는 각 항목의 id가 한 번씩 있어야 합니다: {ids}",
)
THREE_ITEMS = Phrase(
    en="{count} items, accepted: at least three", ko="항목이 {count}개입니다. 셋 이상이어야 합니다"
)
NEED_ORDER = Phrase(
    en="an order needs `journey:` (with a `step` in each item, or `items: places`) or `order:`",
    ko="order에는 `journey:`(각 항목의 `step`, 또는 `items: places`)나 `order:`가 필요합니다",
)
NO_CULPRIT = Phrase(
    en="`diagnose` needs a flow of the goal that fails at the start",
    ko="`diagnose`에는 처음에 실패하는 goal의 흐름이 필요합니다",
)
WHERE_BROKEN = Phrase(
    en="Where does the packet of {flow} go wrong first?",
    ko="{flow} 흐름의 패킷은 어디에서 처음 잘못됩니까?",
)

Opener = Callable[[Any], Lab]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """One exercise with one seed. `lab` is where the learner works, `start` the same as it was at first, `well` the
    healthy lab before the faults. What belongs to other kinds is empty."""

    exercise: Exercise
    seed: int
    values: dict[str, str | int]
    lab: Lab
    start: Lab
    well: Lab
    title: Said
    task: Said
    hints: tuple[Said, ...]
    explain: Said | None = None
    options: tuple[Option, ...] = ()
    many: bool = False
    shows: dict[str, Flow] = field(default_factory=dict)
    value: str = ""
    as_: str = "text"
    question: Question | None = None
    items: tuple[Option, ...] = ()
    order: tuple[str, ...] = ()
    journey: Journey | None = None
    goal: Goal | None = None
    healthy: Healthy | None = None
    manifest: bool = False
    diagnosis: Question | None = None
    diagnosis_task: Said | None = None
    accepted: tuple[Way, ...] = ()
    refused: tuple[Way, ...] = ()
    solution: Way | None = None

    @property
    def id(self) -> str:
        return self.exercise.id

    @property
    def kind(self) -> str:
        return self.exercise.kind


def pose(exercise: Exercise, seed: int, opener: Opener) -> Posed:
    """`opener` opens a lab by what a file says (a name or an inline mapping, filled). Raises InputError."""
    problems = Problems()
    node = exercise.node(seed, problems)
    f = exercise.fields(node)
    base = _Base(exercise, seed, node, f, problems)
    base.setup(opener)
    make = {
        "choice": _choice,
        "answer": _answer,
        "predict": _predict,
        "order": _order,
        "repair": _repair,
        "build": _repair,
    }[exercise.kind]
    posed = make(base)
    problems.raise_any()
    return posed


class _Base:
    """What posing any kind begins with."""

    def __init__(self, exercise: Exercise, seed: int, node: Node, f: Fields, problems: Problems) -> None:
        self.exercise, self.seed, self.node, self.f, self.problems = exercise, seed, node, f, problems

    def setup(self, opener: Opener) -> None:
        """Open the lab and do the setup."""
        inner = self.f.node("setup")
        g = None if inner is None else inner.fields("manifests", "commands", "faults")
        lab = opener(self.exercise.node(self.seed, Problems()).value.get("lab"))
        read = [] if g is None else [lab_faults.read_fault(n) for n in g.items("faults")]
        broken = [x for x in read if x is not None]
        deeds = () if g is None else read_deeds(g.node("commands"))
        raws = [] if g is None else [Raw(n.doc, n.path, n.value) for n in g.items("manifests")]
        self.problems.raise_any()
        if raws:
            lab = self.with_manifests(lab, raws)
        failed = do(lab, deeds)
        if failed:
            assert inner is not None
            inner.child("commands", None).wrong(SETUP_FAILED(what=failed[0]))
            self.problems.raise_any()
        lab.rebase()
        self.well = lab
        self.lab = lab.copy()
        lab_faults.put(self.lab.world, broken)
        self.lab.rebase()

    def with_manifests(self, lab: Lab, raws: list[Raw]) -> Lab:
        more = [m for raw in raws for m in manifests_of(raw, lab.source.folder, self.problems)]
        self.problems.raise_any()
        source: Source = replace(lab.source, manifests=(*lab.source.manifests, *more))
        return Lab.load(source, seed=lab.seed, lang=lab.world.lang)

    def posed(self, **more: Any) -> Posed:
        f = self.f
        hints = tuple(read_said(n) for n in f.items("hints"))
        return Posed(
            exercise=self.exercise,
            seed=self.seed,
            values=self.exercise.values(self.seed),
            lab=self.lab,
            start=self.lab.copy(),
            well=self.well,
            title=read_said(f.node("title")),
            task=read_said(f.node("task")),
            hints=hints,
            explain=read_said(f.node("explain")) if "explain" in f else None,
            **more,
        )

    def shuffled(self, options: list[Option]) -> tuple[Option, ...]:
        out = list(options)
        random.Random(f"{self.seed}/{self.exercise.id}").shuffle(out)
        return tuple(out)


# ---- choice


def _choice(base: _Base) -> Posed:
    options: list[Option] = []
    shows: dict[str, Flow] = {}
    nodes = [] if (n := base.f.need("options", A_TEXT())) is None else n.items()
    for node in nodes:
        f = node.fields("id", "text", "right", "when", "because", "shows")
        id = (n := f.need("id", A_TEXT())) and n.text()
        text, because = read_said(f.need("text", A_TEXT())), read_said(f.need("because", A_TEXT()))
        right = f.truth("right")
        if "when" in f:
            if "right" in f:
                node.wrong(RIGHT_OR_WHEN())
            goal = read_goal(node.child("when", f.value["when"]))
            base.problems.raise_any()
            right = not goals.judge(base.lab, goal)
        if (s := f.node("shows")) is not None and (flow := read_flow(s, judged=False)) is not None and id:
            shows[id] = flow
        options.append(Option(id=id or "", text=text, right=right, because=because))
    many = base.f.truth("many")
    rights = sum(o.right for o in options)
    wrongs = len(options) - rights
    where = base.f.node("options") or base.node
    if len(options) < 3 or wrongs < (1 if many else 2):
        where.wrong(THREE_OPTIONS(count=len(options)))
    elif not rights or (rights > 1 and not many):
        where.wrong(ONE_RIGHT(count=rights, accepted="1" if not many else "1, 2 ..."))
    return base.posed(options=base.shuffled(options), many=many, shows=shows)


# ---- answer


def _answer(base: _Base) -> Posed:
    f = base.f
    kind = f.get("as", lambda n: n.word(*AS), "text")
    take = None if (n := f.need("value", A_TEXT())) is None else read_take(n)
    accepted, refused = ways(f, "accepted", take=True), ways(f, "refused", take=True)
    solution = None if (n := f.need("solution", A_TEXT())) is None else read_solution(n)
    base.problems.raise_any()
    assert take is not None
    value = taken(base.lab, take, many=kind == "set")
    return base.posed(value=value, as_=kind, accepted=accepted, refused=refused, solution=solution)


# ---- predict


def _predict(base: _Base) -> Posed:
    f = base.f
    flow = None if (n := f.need("flow", A_TEXT())) is None else read_flow(n, judged=False)
    ask = read_ask(f, base.node)
    base.problems.raise_any()
    assert flow is not None and ask is not None
    return base.posed(question=ask_of(base.lab, flow, ask, base.seed))


def ask_of(lab: Lab, flow: Flow, ask: Ask, seed: int) -> Question:
    """The question about a flow in a lab."""
    assert ask.ask in ASKS
    return question(lab, ask, flow.send(lab).journey, seed)


# ---- order


def _order(base: _Base) -> Posed:
    f = base.f
    flow = None if (n := f.node("journey")) is None else read_flow(n, judged=False)
    items_node = f.node("items")
    if flow is None and "order" not in f:
        base.node.wrong(NEED_ORDER())
    base.problems.raise_any()
    journey = None if flow is None else flow.send(base.lab).journey
    if journey is not None and (items_node is None or items_node.value == "places"):
        places = list(dict.fromkeys(crossed(journey.legs[-1].forward))) if journey.legs else []
        items, order = [option(p) for p in places], tuple(places)
        where = base.node
    else:
        assert items_node is not None or base.problems.found
        where = items_node if items_node is not None else base.node
        items, order = _items(base, where, journey)
    base.problems.raise_any()
    if len(items) < 3:
        where.wrong(THREE_ITEMS(count=len(items)))
        base.problems.raise_any()
    shown = base.shuffled(items)
    if tuple(o.id for o in shown) == order:
        shown = shown[::-1]
    return base.posed(items=shown, order=order, journey=journey)


def _items(base: _Base, node: Node, journey: Journey | None) -> tuple[list[Option], tuple[str, ...]]:
    items: list[Option] = []
    steps: dict[str, tuple[Selector, Node]] = {}
    for one in node.items():
        f = one.fields("id", "text", "step")
        id = (n := f.need("id", A_TEXT())) and n.text()
        text = read_said(f.need("text", A_TEXT()))
        if id:
            items.append(Option(id=id, text=text))
            if (n := f.node("step")) is not None:
                steps[id] = (read_selector(n), n)
    stated = base.f.node("order")
    if stated is not None:
        ids = stated.texts()
        if sorted(ids) != sorted(o.id for o in items):
            stated.wrong(NOT_A_LIST_OF_IDS(ids=", ".join(o.id for o in items)))
        return items, ids
    at: dict[str, tuple[int, int, int]] = {}
    for one_item in items:
        if one_item.id not in steps:
            node.wrong(NEED_ORDER())
            return items, ()
        selector, where = steps[one_item.id]
        found = find(journey, selector) if journey is not None else None
        if found is None:
            where.wrong(NOT_MET(selector=selector.text(), id=one_item.id))
            continue
        position = (found.halt[0], 0 if found.halt[1] == "forward" else 1, found.flat)
        twin = next((k for k, v in at.items() if v == position), None)
        if twin is not None:
            where.wrong(SAME_STEP(one=twin, other=one_item.id))
        at[one_item.id] = position
    return items, tuple(sorted(at, key=lambda id: at[id]))


# ---- repair and build


def _repair(base: _Base) -> Posed:
    f = base.f
    goal = None if (n := f.need("goal", A_TEXT())) is None else read_goal(n)
    manifest = f.get("answer", lambda n: n.word("manifest", "commands"), "commands") == "manifest"
    accepted, refused = ways(f, "accepted", apply=True), ways(f, "refused", apply=True)
    solution = None if (n := f.need("solution", A_TEXT())) is None else read_solution(n)
    base.problems.raise_any()
    assert goal is not None
    healthy = goals.measure(base.well, goal)
    diagnosis, about = None, None
    if f.truth("diagnose"):
        diagnosis, about = _diagnose(base, goal, healthy)
    return base.posed(
        goal=goal, healthy=healthy, manifest=manifest, accepted=accepted, refused=refused, solution=solution,
        diagnosis=diagnosis, diagnosis_task=about,
    )  # fmt: skip


def _diagnose(base: _Base, goal: Goal, healthy: Healthy) -> tuple[Question | None, Said | None]:
    """Name the first broken hop of the first flow that fails: its place among those of both journeys."""
    for index, flow in enumerate(goal.flows):
        try:
            journey = flow.send(base.lab).journey
        except (InputError, NotModelled):
            continue
        well = healthy.journeys[index]
        if str(journey.outcome) == flow.expect.outcome or not journey.legs:
            continue
        if well is not None and str(well.outcome) != flow.expect.outcome:
            well = None
        halt = guilty(journey, well)
        if halt is None:
            continue
        walk = journey.legs[halt[0]].forward if halt[1] == "forward" else journey.legs[halt[0]].back
        assert walk is not None
        right = crossed_name(journey, halt)
        others = [option(p) for p in crossed(walk)]
        if well is not None and well.legs:
            others += [option(p) for p in crossed(well.legs[-1].forward)]
        unique = list({o.id: o for o in others if o.id != right}.values())
        options = base.shuffled([option(right, right=True), *unique[:6]])
        question_ = Question(ask="diagnose", journey=journey, options=options, halt=halt)
        return question_, WHERE_BROKEN(flow=plain(flow.title))
    # A goal that holds untouched is worse, and is said by the linter.
    if goals.judge(base.lab, goal, healthy, base.lab):
        base.node.wrong(NO_CULPRIT())
    return None, None


def crossed_name(journey: Journey, halt: tuple[int, Any, int]) -> str:
    """The name of the place where a journey halts."""
    from engine.lab.places import place_name

    leg = journey.legs[halt[0]]
    walk = leg.forward if halt[1] == "forward" else leg.back
    assert walk is not None
    return place_name(walk.hops[halt[2]].place)
