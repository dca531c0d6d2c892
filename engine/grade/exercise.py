"""exercises.yaml -> Exercise: an exercise as it stands in its file, before a seed fills it.

Theory. An exercise may hold `{{name}}` anywhere, so it is read twice: as it stands (what is common to all kinds,
and the draws), and, filled with the values of a seed, by `pose.py` into a Posed that can be answered.

Rules. Keys are those of docs/authoring.md; each kind accepts its own and no others. Nothing is run here.
"""

from __future__ import annotations

from typing import Any, Final

from engine.grade.draw import Draw, drawn, filled, read_draws, unknown_names
from engine.lab.doc import Doc, Path
from engine.lab.reader import A_TEXT, Fields, Node, Problems, root
from engine.record import dataclass
from engine.say import Phrase, Said, plain

KINDS: Final = ("choice", "answer", "predict", "order", "repair", "build")
COMMON: Final = ("id", "kind", "title", "task", "hints", "lab", "setup", "draw", "explain")
OWN: Final[dict[str, tuple[str, ...]]] = {
    "choice": ("options", "many"),
    "answer": ("value", "as", "accepted", "refused", "solution"),
    "predict": ("flow", "ask", "field", "stop", "options"),
    "order": ("journey", "items", "order"),
    "repair": ("goal", "diagnose", "accepted", "refused", "solution"),
    "build": ("goal", "answer", "accepted", "refused", "solution"),
}

BOTH_LANGUAGES = Phrase(
    en="a text in both languages: {{en: ..., ko: ...}}", ko="두 언어의 글: {{en: ..., ko: ...}}"
)
A_LADDER = Phrase(
    en="exactly three of {{en, ko}}: a place to look, the row there, the step",
    ko="{{en, ko}} 정확히 셋(볼 곳, 거기의 행, 할 일)",
)
THREE_HINTS = Phrase(
    en="found {count} hints, accepted: exactly three (a place to look, the row there, the step)",
    ko="힌트가 {count}개 있습니다. 정확히 세 개(볼 곳, 그곳의 행, 할 일)를 적으십시오",
)
TWICE = Phrase(
    en="two exercises have the id {id!r}; give each its own",
    ko="id가 {id!r}인 연습이 둘입니다. 각각 다르게 적으십시오",
)
NO_EXERCISES = Phrase(en="a list of exercises", ko="연습의 목록")


def escaped(text: str) -> str:
    """A text whose braces mean themselves in a Phrase."""
    return text.replace("{", "{{").replace("}", "}}")


def read_said(node: Node | None) -> Said:
    """`{en: ..., ko: ...}`: both must be there."""
    if node is None:
        return plain("")
    if not isinstance(node.value, dict):
        node.expected(BOTH_LANGUAGES())
        return plain("")
    f = node.fields("en", "ko")
    texts = {}
    for lang in ("en", "ko"):
        inner = f.need(lang, A_TEXT())
        # A drawn number alone (`{{port}}`) is a text here.
        value = (
            None if inner is None else inner.value if not isinstance(inner.value, int) else str(inner.value)
        )
        texts[lang] = value if isinstance(value, str) else ""
        if inner is not None and not texts[lang].strip():
            inner.expected(A_TEXT())
    return Said(Phrase(en=escaped(texts["en"]), ko=escaped(texts["ko"])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """`raw` is its mapping, with `{{names}}`; `lab` what it says about its lab (None: the file's)."""

    id: str
    kind: str
    raw: dict[str, Any]
    doc: Doc
    path: Path
    draws: tuple[Draw, ...] = ()
    lab: Any = None

    @property
    def where(self) -> str:
        return self.doc.where(self.path)

    def values(self, seed: int) -> dict[str, str | int]:
        """What the seed draws."""
        return drawn(self.draws, seed)

    def node(self, seed: int, problems: Problems) -> Node:
        """The exercise filled with the values of a seed."""
        return Node(self.doc, self.path, filled(self.raw, self.values(seed)), problems)

    def fields(self, node: Node) -> Fields:
        return node.fields(*COMMON, *OWN[self.kind])

    @property
    def title(self) -> Said:
        return read_said(Node(self.doc, (*self.path, "title"), self.raw.get("title"), Problems()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseFile:
    """The exercises of a lesson and the lesson's lab (a name, or an inline mapping)."""

    doc: Doc
    lab: Any
    exercises: tuple[Exercise, ...]

    def find(self, id: str) -> Exercise | None:
        return next((e for e in self.exercises if e.id == id), None)


def read_exercises(doc: Doc, problems: Problems) -> ExerciseFile:
    """All exercises of a file; what is wrong with what they have in common is a problem."""
    f = root(doc, problems).fields("lab", "exercises")
    need = f.need("lab", A_TEXT())
    nodes = [] if (n := f.need("exercises", NO_EXERCISES())) is None else n.items(1)
    exercises = [e for e in (_read(n, problems) for n in nodes) if e is not None]
    seen: set[str] = set()
    for one in exercises:
        if one.id in seen:
            problems.add(one.where, TWICE(id=one.id))
        seen.add(one.id)
    return ExerciseFile(doc=doc, lab=None if need is None else need.value, exercises=tuple(exercises))


def _read(node: Node, problems: Problems) -> Exercise | None:
    value = node.value
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(value, dict) or kind not in KINDS:
        f = node.fields(*COMMON, *(k for keys in OWN.values() for k in keys))
        if isinstance(value, dict):
            inner = f.need("kind", plain(", ".join(KINDS)))
            if inner is not None:
                inner.word(*KINDS)
        return None
    f = node.fields(*COMMON, *OWN[str(kind)])
    id = (n := f.need("id", A_TEXT())) and n.name()
    for key in ("title", "task"):
        read_said(f.need(key, BOTH_LANGUAGES()))
    hints = [] if (n := f.need("hints", A_LADDER())) is None else n.items()
    if "hints" in f and len(hints) != 3:
        problems.add(node.doc.where((*node.path, "hints")), THREE_HINTS(count=len(hints)))
    for hint in hints:
        read_said(hint)
    if "explain" in f:
        read_said(f.node("explain"))
    draws = () if (n := f.node("draw")) is None else read_draws(n, problems)
    unknown_names(
        Node(node.doc, node.path, {k: v for k, v in value.items() if k != "draw"}, problems),
        {d.name for d in draws},
    )
    return (
        Exercise(
            id=id or "",
            kind=str(kind),
            raw=value,
            doc=node.doc,
            path=node.path,
            draws=draws,
            lab=value.get("lab"),
        )
        if id
        else None
    )
