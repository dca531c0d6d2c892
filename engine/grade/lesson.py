"""lesson.LANG.md -> Lesson: a title, an opening, steps of blocks; the same in both languages but for the prose.

Theory. Markdown is read line by line, only as far as the format needs it: `# ` is the title, `## ` begins a step, a
fence whose word is run, play or exercise is a block of ours, everything else is prose as it stands. A fence ends
with at least as many backticks as it began with.

Rules. All problems of both files come together, with file and line. Nothing is run here: `story.py` runs.
"""

from __future__ import annotations

import re
from typing import Final

from engine.errors import InputError
from engine.grade.beside import Beside, read_beside
from engine.grade.predict import Ask, read_ask
from engine.grade.steps import Selector, read_selector
from engine.grade.table import Flow, flow_of
from engine.lab.deeds import Deed, read_deeds
from engine.lab.doc import Doc, read
from engine.lab.faults import Fault, read_fault
from engine.lab.reader import Problems, found, guess, root
from engine.record import dataclass, replace
from engine.say import LANGUAGES, Phrase, Said

WORDS: Final = ("run", "play", "exercise")
#: words of other fences, which are prose; an output must be a run
PROSE_FENCES: Final = (
    "", "yaml", "json", "text", "markdown", "bash", "sh", "ini", "toml", "diff", "go", "c", "dockerfile",
)  # fmt: skip
PLAY_KEYS: Final = (
    "from", "to", "proto", "headers", "enter", "faults", "do", "lab", "stop", "predict", "beside",
)  # fmt: skip

FENCE: Final = re.compile(r"^( {0,3})(`{3,}|~{3,})\s*(.*?)\s*$")

NO_TITLE = Phrase(
    en="the lesson needs a title first: a line that begins with `# `",
    ko="레슨은 `# `로 시작하는 제목부터 있어야 합니다",
)
TWO_TITLES = Phrase(
    en="a second `# ` heading; steps begin with `## `",
    ko="`# ` 제목이 또 있습니다. 단계는 `## `로 시작합니다",
)
NO_STEPS = Phrase(
    en="the lesson has no steps; a step begins with `## `", ko="단계가 없습니다. 단계는 `## `로 시작합니다"
)
BLOCK_BEFORE = Phrase(
    en="a {word} block stands before the first `## ` step; put it into a step",
    ko="{word} 블록이 첫 `## ` 단계보다 앞에 있습니다. 단계 안에 넣으십시오",
)
UNCLOSED = Phrase(
    en="this fence is never closed; add a line {fence}",
    ko="이 울타리가 닫히지 않았습니다. {fence} 줄을 더하십시오",
)
BAD_FENCE = Phrase(
    en="{word!r} is no block{guess}; accepted: run, play, exercise, or {prose}. An output is shown by `run`",
    ko="{word!r} 블록은 없습니다{guess}. 쓸 수 있는 것: run, play, exercise, {prose}. 출력은 `run`으로 보입니다",
)
RUN_PLACE = Phrase(
    en="run needs one place and may have `fails` and `fresh`: ```run node/w1 fails; found {found}",
    ko="run에는 곳 하나와 `fails`, `fresh`만 씁니다: ```run node/w1 fails. 있는 것: {found}",
)
RUN_EMPTY = Phrase(en="this run block holds no command", ko="이 run 블록에는 명령이 없습니다")
EXERCISE_ID = Phrase(
    en="exercise needs one id and an empty body: ```exercise who-floods; found {found}",
    ko="exercise에는 id 하나를 적고 본문은 비웁니다: ```exercise who-floods. 있는 것: {found}",
)
UNEQUAL_STEPS = Phrase(
    en="{count} steps here, {other} in {file}; both languages have the same steps",
    ko="여기는 {count}단계이고 {file}은(는) {other}단계입니다. 두 언어의 단계가 같아야 합니다",
)
UNEQUAL_BLOCKS = Phrase(
    en="step {number} has the blocks {mine} here and {other} in {file}; make them the same, in the same order",
    ko="{number}단계의 블록이 여기는 {mine}, {file}은(는) {other}입니다. 같은 순서로 같게 만드십시오",
)
UNEQUAL_BLOCK = Phrase(
    en="this {word} block differs from the one in {file}, line {line}; blocks are word for word the same",
    ko="이 {word} 블록이 {file} {line}행의 것과 다릅니다. 블록은 글자까지 같아야 합니다",
)
NO_BLOCKS = Phrase(
    en="step {number} has nothing to do; every step has a run, a play or an exercise",
    ko="{number}단계에 할 일이 없습니다. 단계마다 run, play, exercise 가운데 하나는 있어야 합니다",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """Markdown, as it stands in the language."""

    text: str
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Commands typed at a place. `fails`: at least one ends with an error; `fresh`: the lab starts anew."""

    place: str
    commands: tuple[str, ...]
    fails: bool = False
    fresh: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """A journey to show. `stop` is where the player halts; `ask` what is predicted there; `lab` another lab ("" = the
    lesson's, as the run blocks before left it); `beside` the same flow elsewhere, to be compared."""

    flow: Flow
    faults: tuple[Fault, ...] = ()
    deeds: tuple[Deed, ...] = ()
    lab: str = ""
    stop: Selector | None = None
    ask: Ask | None = None
    beside: Beside | None = None
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseRef:
    """The exercise of that id stands here."""

    id: str
    where: str = ""


Block = Prose | Run | Play | ExerciseRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: its heading in both languages, its blocks with the prose of each. `blocks(lang)` is what is read."""

    title: Said
    en: tuple[Block, ...]
    ko: tuple[Block, ...]

    def blocks(self, lang: str = "en") -> tuple[Block, ...]:
        return self.ko if lang == "ko" else self.en

    @property
    def exercises(self) -> tuple[str, ...]:
        return tuple(b.id for b in self.en if isinstance(b, ExerciseRef))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """`id` is the folder's name; `opening` the prose before the first step, per language."""

    id: str
    title: Said
    steps: tuple[Step, ...]
    opening_en: str = ""
    opening_ko: str = ""

    def opening(self, lang: str = "en") -> str:
        return self.opening_ko if lang == "ko" else self.opening_en

    @property
    def exercises(self) -> tuple[str, ...]:
        """Ids in the order in which they stand."""
        return tuple(id for step in self.steps for id in step.exercises)


@dataclass(slots=True)
class _Draft:
    """One language's file, taken apart. A block is (word, info, body, line)."""

    file: str
    title: str = ""
    opening: str = ""
    steps: list[tuple[str, int, list[tuple[str, str, str, int]]]] | None = None


def read_lesson(id: str, texts: dict[str, str], names: dict[str, str]) -> Lesson:
    """The lesson of both languages' texts; `names` are the file names for the places. Raises InputError."""
    problems = Problems()
    drafts = {lang: _split(texts[lang], names[lang], problems) for lang in LANGUAGES}
    en, ko = drafts["en"], drafts["ko"]
    _compare(en, ko, problems)
    problems.raise_any()
    steps = []
    for (title, _, mine), (title_ko, _, theirs) in zip(en.steps or (), ko.steps or (), strict=True):
        blocks = [_block(raw, en.file, problems) for raw in mine]
        made = iter([b for b in blocks if b is not None and not isinstance(b, Prose)])
        korean = [
            Prose(text=raw[2], line=raw[3]) if raw[0] == "prose" else next(made, None) for raw in theirs
        ]
        steps.append(
            Step(
                title=_said(title, title_ko),
                en=tuple(b for b in blocks if b is not None),
                ko=tuple(b for b in korean if b is not None),
            )
        )
    problems.raise_any()
    return Lesson(
        id=id,
        title=_said(en.title, ko.title),
        steps=tuple(steps),
        opening_en=en.opening,
        opening_ko=ko.opening,
    )


def _said(en: str, ko: str) -> Said:
    escape = str.maketrans({"{": "{{", "}": "}}"})
    return Said(Phrase(en=en.translate(escape), ko=ko.translate(escape)))


def _split(text: str, file: str, problems: Problems) -> _Draft:
    """Lines -> title, opening, steps with their blocks."""
    draft = _Draft(file)
    steps: list[tuple[str, int, list[tuple[str, str, str, int]]]] = []
    prose: list[str] = []
    began = 0

    def flush() -> None:
        nonlocal prose
        body = "\n".join(prose).strip("\n")
        if body.strip():
            if steps:
                steps[-1][2].append(("prose", "", body, began))
            else:
                draft.opening = (draft.opening + "\n\n" + body).strip()
        prose = []

    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        fence = FENCE.match(line)
        if fence is not None:
            end = _end_of(lines, at, fence[2])
            if end < 0:
                problems.add(f"{file}:{at + 1}", UNCLOSED(fence=fence[2]))
                end = len(lines)
            body = "\n".join(lines[at + 1 : end])
            word, _, info = fence[3].partition(" ")
            if word in WORDS:
                flush()
                if not steps:
                    problems.add(f"{file}:{at + 1}", BLOCK_BEFORE(word=word))
                else:
                    steps[-1][2].append((word, info.strip(), body, at + 1))
            else:
                if word.lower() not in PROSE_FENCES:
                    said = BAD_FENCE(word=word, guess=guess(word, WORDS), prose=", ".join(PROSE_FENCES[1:]))
                    problems.add(f"{file}:{at + 1}", said)
                began = began if prose else at + 1
                prose += lines[at : end + 1]
            at = end + 1
            continue
        if line.startswith("# "):
            if draft.title:
                problems.add(f"{file}:{at + 1}", TWO_TITLES())
            draft.title = draft.title or line[2:].strip()
        elif line.startswith("## "):
            flush()
            steps.append((line[3:].strip(), at + 1, []))
        else:
            began = began if prose else at + 1
            prose.append(line)
        at += 1
    flush()
    if not draft.title:
        problems.add(f"{file}:1", NO_TITLE())
    if not steps:
        problems.add(f"{file}:1", NO_STEPS())
    draft.steps = steps
    return draft


def _end_of(lines: list[str], start: int, fence: str) -> int:
    """The line that closes a fence, -1 when none does."""
    for at in range(start + 1, len(lines)):
        close = FENCE.match(lines[at])
        if close is not None and not close[3] and close[2][0] == fence[0] and len(close[2]) >= len(fence):
            return at
    return -1


def _compare(en: _Draft, ko: _Draft, problems: Problems) -> None:
    """Same steps, same blocks, word for word."""
    mine, theirs = en.steps or [], ko.steps or []
    if len(mine) != len(theirs):
        problems.add(f"{ko.file}:1", UNEQUAL_STEPS(count=len(theirs), other=len(mine), file=en.file))
    for number, ((_, line, a), (_, line_ko, b)) in enumerate(zip(mine, theirs, strict=False), 1):
        one = [raw for raw in a if raw[0] != "prose"]
        two = [raw for raw in b if raw[0] != "prose"]
        if not one:
            problems.add(f"{en.file}:{line}", NO_BLOCKS(number=number))
        if [x[0] for x in a] != [x[0] for x in b]:
            shown = [", ".join(x[0] for x in side) or "-" for side in (b, a)]
            said = UNEQUAL_BLOCKS(number=number, mine=shown[0], other=shown[1], file=en.file)
            problems.add(f"{ko.file}:{line_ko}", said)
            continue
        for x, y in zip(one, two, strict=True):
            if x[:3] != y[:3]:
                said = UNEQUAL_BLOCK(word=y[0], file=en.file, line=x[3])
                problems.add(f"{ko.file}:{y[3]}", said)


def _block(raw: tuple[str, str, str, int], file: str, problems: Problems) -> Block | None:
    word, info, body, line = raw
    where = f"{file}:{line}"
    if word == "prose":
        return Prose(text=body, line=line)
    if word == "run":
        return _run(info, body, where, problems)
    if word == "exercise":
        if len(info.split()) != 1 or body.strip():
            problems.add(where, EXERCISE_ID(found=found(info)))
            return None
        return ExerciseRef(id=info, where=where)
    return _play(body, file, line, problems)


def _run(info: str, body: str, where: str, problems: Problems) -> Run | None:
    words = info.split()
    if not words or any(w not in ("fails", "fresh") for w in words[1:]):
        problems.add(where, RUN_PLACE(found=found(info)))
        return None
    commands = tuple(line for line in body.splitlines() if line.strip())
    if not commands:
        problems.add(where, RUN_EMPTY())
    return Run(place=words[0], commands=commands, fails="fails" in words, fresh="fresh" in words, where=where)


def _play(body: str, file: str, line: int, problems: Problems) -> Play | None:
    # Blank lines in front give the YAML's problems the lines of the lesson.
    try:
        doc = read("\n" * line + body, file)
    except InputError as error:
        problems.take(error, "")
        return None
    if doc.value is None:
        doc = Doc(file, {}, {(): line}, line)
    node = root(doc, problems)
    f = node.fields(*PLAY_KEYS)
    flow = flow_of(f, node)
    ask = None
    stop = None if (n := f.node("stop")) is None else read_selector(n)
    if (p := f.node("predict")) is not None:
        inner = p.value
        if isinstance(inner, dict) and "stop" not in inner and "stop" in f.value:
            p = replace(p, value={**inner, "stop": f.value["stop"]})
        ask = read_ask(p.fields("ask", "field", "stop", "options"), p)
    faults = tuple(x for x in (read_fault(n) for n in f.items("faults")) if x is not None)
    beside = None if (n := f.node("beside")) is None else read_beside(n, node)
    deeds, lab, where = read_deeds(f.node("do")), f.text("lab"), f"{file}:{line}"
    if flow is None:
        return None
    return Play(
        flow=flow, faults=faults, deeds=deeds, lab=lab, stop=stop, ask=ask, beside=beside, where=where
    )  # fmt: skip
