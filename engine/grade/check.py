"""Posed + answer -> Verdict: is it right, and if not, the packet or the reason that shows it.

    choice    an option's id, or a list of them when `many`
    answer    the text as typed
    predict   an option's id (or its text)
    order     the items' ids, first to last
    repair    nothing: the lab is judged.  build: the same, or the manifest's text

Theory. A goal that does not hold now is asked again in a copy two virtual minutes later: a kubelet tries again by
itself, so a learner need not sit and wait for it.

Rules. A learner's answer never raises: what cannot be read is a finding `unreadable`. The lab is only asked; a
manifest is applied to a copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from engine.errors import EngineError
from engine.grade import goal as goals
from engine.grade.finding import Finding, Verdict, guilty
from engine.grade.pose import Posed
from engine.grade.predict import Option, chosen
from engine.lab.deeds import Deed, do
from engine.lab.lab import Lab
from engine.linux.addr import Prefix, ip4, mac, mac_text, text4
from engine.say import Phrase, Said, plain

NOT_AN_OPTION = Phrase(
    en="{given!r} is none of the options: {options}", ko="{given!r}은(는) 선택지에 없습니다: {options}"
)
MISSING = Phrase(en="one more is right: {text}", ko="정답이 하나 더 있습니다: {text}")
WRONG_VALUE = Phrase(
    en="{given} is not it. Run `{run}` at {on} and look again",
    ko="{given}은(는) 답이 아닙니다. {on}에서 `{run}`을(를) 실행해 다시 보십시오",
)
UNREADABLE = Phrase(
    en="{given!r} cannot be read as {what}: {example}",
    ko="{given!r}을(를) {what}(으)로 읽을 수 없습니다. 예: {example}",
)
FIRST_WRONG = Phrase(
    en='"{item}" does not come at place {number}', ko='"{item}"은(는) {number}번째가 아닙니다'
)
EACH_ONCE = Phrase(en="put each of the {count} items once", ko="항목 {count}개를 한 번씩 놓으십시오")
EMPTY = Phrase(en="nothing was answered", ko="답이 비어 있습니다")

#: virtual seconds that controllers get to act on a repair (a kubelet's retry, a container's back-off)
PATIENCE: Final = 120.0

WHAT: Final[dict[str, tuple[Phrase, str]]] = {
    "address": (Phrase(en="an address", ko="주소"), "10.244.1.5"),
    "prefix": (Phrase(en="a prefix", ko="대역"), "10.244.1.0/24"),
    "mac": (Phrase(en="a MAC address", ko="MAC 주소"), "0a:58:0a:f4:01:05"),
    "number": (Phrase(en="a number", ko="수"), "3"),
    "port": (Phrase(en="a port", ko="포트"), "8080"),
    "name": (Phrase(en="a name", ko="이름"), "eth0"),
    "text": (Phrase(en="a text", ko="글자"), "..."),
    "set": (Phrase(en="a list", ko="목록"), "a, b"),
}


def check(lab: Lab, posed: Posed, answer: Any = None) -> Verdict:
    """Judge an answer; for repair and build the lab that the learner worked in."""
    judge: Callable[[Lab, Posed, Any], list[Finding]] = {
        "choice": _choice,
        "answer": _answer,
        "predict": _predict,
        "order": _order,
        "repair": _goal,
        "build": _goal,
    }[posed.kind]
    return Verdict.of(judge(lab, posed, answer))


def check_diagnosis(posed: Posed, answer: Any) -> Verdict:
    """The first broken hop, named before the repair. Counts by itself."""
    finding = posed.diagnosis.check(answer) if posed.diagnosis is not None else None
    return Verdict.of([] if finding is None else [finding])


def _choice(lab: Lab, posed: Posed, answer: Any) -> list[Finding]:
    given = list(answer) if isinstance(answer, list | tuple | set | frozenset) else [answer]
    picked: list[Option] = []
    for one in given:
        option = chosen(posed.options, one)
        if option is None:
            said = NOT_AN_OPTION(given=str(one)[:80], options=", ".join(o.id for o in posed.options))
            return [Finding(kind="unreadable", said=said)]
        picked.append(option)
    wrong = [o for o in picked if not o.right]
    out = [_because(lab, posed, o) for o in wrong]
    if not out:
        missing = [o for o in posed.options if o.right and o not in picked]
        # The missing ones are counted, not named, as long as something else was chosen.
        out = [Finding(kind="missing-choice", said=MISSING(text=_hint_at(o))) for o in missing[:1]]
    return out


def _hint_at(option: Option) -> Said:
    return option.because if option.because is not None else option.text


def _because(lab: Lab, posed: Posed, option: Option) -> Finding:
    """Why it is wrong, and the flow that shows it if the author named one."""
    said = option.because if option.because is not None else option.text
    flow = posed.shows.get(option.id)
    if flow is None:
        return Finding(kind="wrong-choice", said=said)
    try:
        journey = flow.send(lab).journey
    except EngineError:
        return Finding(kind="wrong-choice", said=said)
    return Finding(kind="wrong-choice", said=said, flow=flow.title, journey=journey, halt=guilty(journey))


def normal(text: str, kind: str) -> Any:
    """An answer in the form that is compared. ValueError when it cannot be read as its kind."""
    text = text.strip()
    if not text:
        raise ValueError(text)
    try:
        if kind == "address":
            return text4(ip4(text.partition("/")[0]))
        if kind == "prefix":
            return str(Prefix.parse(text))
        if kind == "mac":
            return mac_text(mac(text.replace("-", ":")))
    except EngineError as error:
        raise ValueError(text) from error
    if kind in ("number", "port"):
        digits = text.replace(",", "").replace(" ", "").partition("/")[0]
        if not re.fullmatch(r"-?\d{1,18}", digits, re.ASCII):
            raise ValueError(text)
        return int(digits)
    if kind == "set":
        return frozenset(w.lower() for w in re.split(r"[\s,]+", text) if w)
    if kind == "name":
        return text.strip("'\"`").partition("@")[0]
    return " ".join(text.split()).casefold()


def _answer(lab: Lab, posed: Posed, answer: Any) -> list[Finding]:
    given = "" if answer is None else str(answer)
    if not given.strip():
        return [Finding(kind="unreadable", said=EMPTY())]
    try:
        value = normal(given, posed.as_)
    except ValueError:
        what, example = WHAT[posed.as_]
        return [Finding(kind="unreadable", said=UNREADABLE(given=given[:80], what=what(), example=example))]
    if value == normal(posed.value, posed.as_):
        return []
    deed = posed.solution.deeds[0] if posed.solution is not None and posed.solution.deeds else Deed()
    said = WRONG_VALUE(given=given[:80], run=deed.lines[0] if deed.lines else "-", on=deed.place)
    return [Finding(kind="wrong-value", said=said)]


def _predict(lab: Lab, posed: Posed, answer: Any) -> list[Finding]:
    assert posed.question is not None
    finding = posed.question.check(answer)
    return [] if finding is None else [finding]


def _order(lab: Lab, posed: Posed, answer: Any) -> list[Finding]:
    given = [str(x) for x in answer] if isinstance(answer, Sequence) and not isinstance(answer, str) else []
    by_text = {o.text.text(lang): o.id for o in posed.items for lang in ("en", "ko")}
    given = [by_text.get(x, x) for x in given]
    if sorted(given) != sorted(posed.order):
        return [Finding(kind="unreadable", said=EACH_ONCE(count=len(posed.order)))]
    for number, (mine, right) in enumerate(zip(given, posed.order, strict=True), 1):
        if mine != right:
            item = next((o.text for o in posed.items if o.id == mine), plain(mine))
            said = FIRST_WRONG(item=item, number=number)
            return [Finding(kind="wrong-order", said=said, journey=posed.journey)]
    return []


def _goal(lab: Lab, posed: Posed, answer: Any) -> list[Finding]:
    assert posed.goal is not None
    if posed.manifest:
        if isinstance(answer, str) and answer.strip():
            lab = lab.copy()
            failed = do(lab, [Deed(manifest=answer)])
            if failed:
                return [Finding(kind="manifest", said=said) for said in failed]
        elif answer is not None:
            return [Finding(kind="unreadable", said=EMPTY())]
    found = goals.judge(lab, posed.goal, posed.healthy, posed.start)
    if found and (lab.world.cluster is not None or lab.world.dockers):
        later = lab.copy()
        later.wait(PATIENCE)
        if not goals.judge(later, posed.goal, posed.healthy, posed.start):
            return []
    return found
