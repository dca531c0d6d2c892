"""What a wish of `state` lacks, as a sentence: what should be there, and what is there instead.

Rules. A learner reads it, so it names objects and fields as kubectl does and says the value of now. Words without a
sentence here are shown as their file writes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from engine.errors import EngineError
from engine.grade.state import MUST, MUST_NOT, State, pod_now, printed, value_of
from engine.lab.lab import Lab
from engine.say import Phrase, Said, plain

NO_OBJECT = Phrase(
    en="there is no {kind} {name} in namespace {namespace}",
    ko="네임스페이스 {namespace}에 {kind} {name}이(가) 없습니다",
)
OBJECT_THERE = Phrase(
    en="{kind} {name} (namespace {namespace}) must not be there, and is",
    ko="{kind} {name}(네임스페이스 {namespace})은(는) 없어야 하는데 있습니다",
)
FIELD = Phrase(
    en="{path} of {kind} {name} should be {value}, and is {now}",
    ko="{kind} {name}의 {path}은(는) {value}이어야 하는데 지금은 {now}입니다",
)
FIELD_UNSET = Phrase(
    en="{path} of {kind} {name} should be {value}, and is not set",
    ko="{kind} {name}의 {path}은(는) {value}이어야 하는데 정해져 있지 않습니다",
)
FIELD_ANY = Phrase(
    en="{path} of {kind} {name} should be set, and is not",
    ko="{kind} {name}의 {path}이(가) 있어야 하는데 없습니다",
)
FIELD_NOT = Phrase(
    en="{path} of {kind} {name} should not be {now}, and is",
    ko="{kind} {name}의 {path}이(가) {now}이면 안 되는데 그렇습니다",
)
POD = Phrase(
    en="Pod {name} should have {want}, and has {now}",
    ko="파드 {name}은(는) {want}이어야 하는데 지금은 {now}입니다",
)
FILE = Phrase(en="there is no file {path} at {on}", ko="{on}에 파일 {path}이(가) 없습니다")
FILE_TEXT = Phrase(
    en="nothing in {path} at {on} agrees with {like}", ko="{on}의 {path}에 {like}와(과) 맞는 것이 없습니다"
)
PRINTS = Phrase(
    en="`{run}` at {on} should print {like}, and prints: {now}",
    ko="{on}에서 `{run}`은(는) {like}을(를) 출력해야 하는데 지금은 이렇게 출력합니다: {now}",
)
NOTHING = Phrase(en="nothing", ko="아무것도 없음")

SHOWN: Final = 160


def wanting(lab: Lab, state: State) -> Said:
    """The sentence for a wish that is not fulfilled now."""
    tell = SAYS.get(state.word)
    try:
        said = tell(lab, state.values, state.present) if tell is not None else None
    except EngineError:
        said = None
    return said or (MUST if state.present else MUST_NOT)(what=plain(state.shown))


def _field(lab: Lab, v: dict[str, Any], present: bool) -> Said | None:
    about = {"kind": plain(v["kind"]), "name": plain(v["name"]), "path": plain(v["path"])}
    found = value_of(lab, v)
    if found is None:
        return _no_object(v)
    if not present:
        return FIELD_NOT(now=plain(found), **about)
    if "value" not in v:
        return FIELD_ANY(**about)
    if not found:
        return FIELD_UNSET(value=plain(v["value"]), **about)
    return FIELD(value=plain(v["value"]), now=plain(found), **about)


def _no_object(v: dict[str, Any]) -> Said:
    namespace = v.get("namespace", "default")
    return NO_OBJECT(kind=plain(v["kind"]), name=plain(v["name"]), namespace=plain(namespace))


def _object(lab: Lab, v: dict[str, Any], present: bool) -> Said | None:
    if present:
        return _no_object(v)
    namespace = v.get("namespace", "default")
    return OBJECT_THERE(kind=plain(v["kind"]), name=plain(v["name"]), namespace=plain(namespace))


def _pod(lab: Lab, v: dict[str, Any], present: bool) -> Said | None:
    namespace, _, name = v["name"].rpartition("/")
    where = {"kind": "Pod", "name": name, "namespace": namespace or "default"}
    if not present:
        return _object(lab, where, present)
    now = pod_now(lab, v["name"])
    if now is None:
        return _no_object(where)
    keys = [k for k in now if k in v]
    return POD(name=plain(v["name"]), want=plain(_pairs(v, keys)), now=plain(_pairs(now, keys)))


def _pairs(values: dict[str, Any], keys: list[str]) -> str:
    return ", ".join(f"{k} {values[k]}".rstrip() for k in keys)


def _file(lab: Lab, v: dict[str, Any], present: bool) -> Said | None:
    from engine.shell.files import Files
    from engine.shell.place import resolve

    if not present:
        return None
    there = Files(lab.world, resolve(lab.world, v["on"])).kind(v["path"])
    at = {"path": plain(v["path"]), "on": plain(v["on"])}
    return FILE_TEXT(like=plain(v["contains"]), **at) if there and "contains" in v else FILE(**at)


def _prints(lab: Lab, v: dict[str, Any], present: bool) -> Said | None:
    if not present:
        return None
    out = "; ".join(" ".join(line.split()) for line in printed(lab, v).splitlines() if line.strip())
    short = out if len(out) <= SHOWN else out[:SHOWN].rstrip() + " ..."
    now = plain(short) if short else NOTHING()
    return PRINTS(run=plain(v["run"]), on=plain(v["on"]), like=plain(v["like"].strip()), now=now)


SAYS: Final[dict[str, Callable[[Lab, dict[str, Any], bool], Said | None]]] = {
    "field": _field, "object": _object, "pod": _pod, "file": _file, "prints": _prints,
}  # fmt: skip
