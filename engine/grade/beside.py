"""`beside:` of a play: the flow a second time, on another lab or on another variant of this one, to be compared.

Theory. A variant says what differs: other ends (`from`, `to`, `proto`, `headers`, `enter`), another `lab`, other
`faults` or `do`. Ends and lab that it does not name are those of the play; its faults and deeds are not taken over.

Rules. Both sides have a name in both languages, and something differs. There is nothing to predict in a comparison.
"""

from __future__ import annotations

from typing import Final

from engine.grade.exercise import read_said
from engine.grade.table import Flow, flow_of
from engine.lab.deeds import Deed, read_deeds
from engine.lab.faults import Fault, read_fault
from engine.lab.reader import Node
from engine.record import dataclass, replace
from engine.say import Phrase, Said

FLOW: Final = ("from", "to", "proto", "headers", "enter")
SETUP: Final = ("lab", "faults", "do")

A_VARIANT = Phrase(
    en="a mapping: `this` and `that` name the two sides, and at least one of {keys} says what differs",
    ko="매핑: `this`와 `that`은 두 쪽의 이름이고, {keys} 가운데 하나 이상이 다른 점을 말합니다",
)
SAME = Phrase(
    en="both sides are the same; say what differs by one of {keys}",
    ko="두 쪽이 같습니다. {keys} 가운데 하나로 다른 점을 적으십시오",
)
NAMES = Phrase(en="{{en: ..., ko: ...}}, a short name", ko="{{en: ..., ko: ...}} 짧은 이름")
ALONE = Phrase(
    en="a play with `beside` has no `{key}`: two players run in step; ask in a play before it",
    ko="`beside`가 있는 재생에는 `{key}`을(를) 쓰지 않습니다. 두 재생이 함께 움직입니다. 질문은 앞의 재생에 두십시오",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The second side. `this` names the play itself, `that` this side; `lab` "" = the lesson's, as the play's."""

    this: Said
    that: Said
    flow: Flow
    lab: str = ""
    faults: tuple[Fault, ...] = ()
    deeds: tuple[Deed, ...] = ()


def read_beside(node: Node, play: Node) -> Beside | None:
    """The mapping under `beside` of the play; what is wrong goes to the node's problems."""
    keys = ", ".join((*FLOW, *SETUP))
    if not isinstance(node.value, dict) or not isinstance(play.value, dict):
        node.expected(A_VARIANT(keys=keys))
        return None
    own = {k: v for k, v in node.value.items() if k in FLOW or k in SETUP}
    taken = {k: play.value[k] for k in (*FLOW, "lab") if k in play.value and k not in own}
    if not own or all(play.value.get(k) == v for k, v in own.items()):
        node.wrong(SAME(keys=keys))
    for key in ("stop", "predict"):
        if key in play.value:
            node.wrong(ALONE(key=key))
    whole = replace(node, value={**node.value, **taken})
    f = whole.fields("this", "that", *FLOW, *SETUP)
    this, that = f.need("this", NAMES()), f.need("that", NAMES())
    names = [read_said(n) for n in (this, that)]
    faults = tuple(x for x in (read_fault(n) for n in f.items("faults")) if x is not None)
    deeds, lab, flow = read_deeds(f.node("do")), f.text("lab"), flow_of(f, whole)
    if flow is None or this is None or that is None:
        return None
    return Beside(this=names[0], that=names[1], flow=flow, lab=lab, faults=faults, deeds=deeds)
