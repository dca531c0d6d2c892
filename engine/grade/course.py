"""course.yaml and the lessons' folders: what there is to learn, and one lesson with everything that belongs to it.

Theory. A `Course` is a folder: course.yaml, labs/ and one folder a lesson. A `Folder` is one lesson: its text in both
languages, its exercises, and how its labs are opened. A lab is built once and copied afterwards.

Rules. Nothing is judged here. Paths are given by the caller: the engine does not know where content lies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from engine.errors import InputError, Problem
from engine.grade.exercise import Exercise, ExerciseFile, read_exercises, read_said
from engine.grade.lesson import Lesson, read_lesson
from engine.grade.pose import Posed, pose
from engine.lab.doc import Doc, read
from engine.lab.lab import Lab
from engine.lab.reader import A_TEXT, Node, Problems, guess, root
from engine.lab.source import open_source, read_text
from engine.record import dataclass
from engine.say import LANGUAGES, Phrase, Said

STATUS: Final = ("ready", "coming")
DEFAULT_MINUTES: Final = 25

NO_LESSON = Phrase(
    en="there is no lesson {id!r}{guess}; `k8snet-tutor lessons` lists them",
    ko="{id!r} 레슨이 없습니다{guess}. 목록: `k8snet-tutor lessons`",
)
COMING = Phrase(en="the lesson {id} is not written yet", ko="{id} 레슨은 아직 준비 중입니다")
NO_LAB = Phrase(
    en="there is no lab {name!r}; put {name}.yaml into labs/ or into the lesson's folder",
    ko="{name!r} 실습 환경이 없습니다. {name}.yaml을 labs/나 레슨 폴더에 두십시오",
)
NO_EXERCISE = Phrase(en="there is no exercise {id!r} here", ko="여기에는 {id!r} 연습이 없습니다")
NEED_LAB = Phrase(
    en="a lab's name, a file of the folder, or an inline lab",
    ko="실습 환경의 이름, 폴더의 파일, 또는 인라인 실습 환경",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the course map. `status` is ready or coming; `minutes` is about how long it takes."""

    id: str
    title: Said
    summary: Said
    minutes: int
    status: str

    @property
    def ready(self) -> bool:
        return self.status == "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    title: Said
    lessons: tuple[Entry, ...]


class Course:
    """A folder of lessons. `groups` in the course's order."""

    def __init__(self, path: Path, groups: tuple[Group, ...]) -> None:
        self.path = path
        self.groups = groups
        self._folders: dict[str, Folder] = {}
        self.labs: dict[str, Lab] = {}

    @classmethod
    def load(cls, path: Path) -> Course:
        """Read course.yaml. Raises InputError."""
        doc = read(read_text(path / "course.yaml", "course.yaml"), "course.yaml")
        problems = Problems()
        f = root(doc, problems).fields("groups")
        groups = tuple(_group(n) for n in f.items("groups", 1))
        if (need := f.need("groups")) is not None and not isinstance(need.value, list):
            need.items()
        problems.raise_any()
        return cls(path, groups)

    def entries(self) -> Iterator[Entry]:
        for group in self.groups:
            yield from group.lessons

    def entry(self, id: str) -> Entry:
        """By id; a number (`3`) or a unique beginning works. Raises InputError."""
        entries = list(self.entries())
        exact = [e for e in entries if e.id == id]
        near = [e for e in entries if e.id.startswith((id, f"{id.zfill(2)}-"))] if id else []
        found = exact or (near if len(near) == 1 else [])
        if not found:
            close = guess(id, [e.id for e in entries])
            raise InputError([Problem(where="", said=NO_LESSON(id=id, guess=close))])
        return found[0]

    def lesson(self, id: str) -> Folder:
        """A lesson that is ready. Raises InputError with everything that is wrong in its files."""
        entry = self.entry(id)
        if not entry.ready:
            raise InputError([Problem(where="", said=COMING(id=entry.id))])
        if entry.id not in self._folders:
            self._folders[entry.id] = Folder.load(self.path / entry.id, self)
        return self._folders[entry.id]


def _group(node: Node) -> Group:
    f = node.fields("title", "lessons")
    title = read_said(f.need("title", A_TEXT()))
    return Group(
        title=title, lessons=tuple(e for e in (_entry(n) for n in f.items("lessons", 1)) if e is not None)
    )


def _entry(node: Node) -> Entry | None:
    f = node.fields("id", "title", "summary", "minutes", "status")
    id = (n := f.need("id", A_TEXT())) and n.name()
    entry = Entry(
        id=id or "",
        title=read_said(f.need("title", A_TEXT())),
        summary=read_said(f.need("summary", A_TEXT())),
        minutes=f.get("minutes", lambda n: n.number(1, 600), DEFAULT_MINUTES),
        status=f.get("status", lambda n: n.word(*STATUS), "coming"),
    )
    return entry if id else None


@dataclass(slots=True)
class Folder:
    """One lesson: `lesson` is its text, `file` its exercises, `path` where it lies. `open_lab(what)` opens one by what
    a file says: None (the lesson's own), a name, or an inline mapping; each call gives an independent lab."""

    path: Path
    lesson: Lesson
    file: ExerciseFile
    course: Course | None = None
    seed: int = 0
    _labs: dict[str, Lab] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.path.name

    @classmethod
    def load(cls, path: Path, course: Course | None = None) -> Folder:
        """Read a lesson's files. Raises InputError with all problems of all files."""
        problems = Problems()
        texts: dict[str, str] = {}
        names = {lang: f"{path.name}/lesson.{lang}.md" for lang in LANGUAGES}
        for lang in LANGUAGES:
            try:
                texts[lang] = read_text(path / f"lesson.{lang}.md", names[lang])
            except InputError as error:
                problems.take(error, "")
        lesson, file = None, None
        if len(texts) == len(LANGUAGES):
            try:
                lesson = read_lesson(path.name, texts, names)
            except InputError as error:
                problems.take(error, "")
        name = f"{path.name}/exercises.yaml"
        try:
            file = read_exercises(read(read_text(path / "exercises.yaml", name), name), problems)
        except InputError as error:
            problems.take(error, "")
        problems.raise_any()
        assert lesson is not None and file is not None
        return cls(path, lesson, file, course)

    def open_lab(self, what: Any = None, *, seed: int = 0, lang: str = "en") -> Lab:
        """An independent lab. Raises InputError."""
        what = self.file.lab if what is None else what
        key = f"{seed} {json.dumps(what, sort_keys=True, default=str)}"
        labs = (
            self.course.labs
            if self.course is not None and isinstance(what, str) and not self._own(what)
            else self._labs
        )
        if key not in labs:
            labs[key] = self._load(what, seed)
        lab = labs[key].copy()
        lab.world.lang = lang
        return lab

    def _load(self, what: Any, seed: int) -> Lab:
        if isinstance(what, dict):
            return Lab.load(Doc(self.file.doc.name, what, {}), seed=seed, folder=self.path)
        path = self.lab_path(what)
        return Lab.load(open_source(path), seed=seed)

    def _own(self, name: str) -> bool:
        return any((self.path / f).is_file() for f in (name, f"{name}.yaml"))

    def lab_path(self, name: Any) -> Path:
        """The file behind a lab's name: of this folder, else of labs/. Raises InputError."""
        if isinstance(name, str) and name and "/" not in name and "\0" not in name:
            shared = (self.course.path if self.course is not None else self.path.parent) / "labs"
            for folder in (self.path, shared):
                for file in (name, f"{name}.yaml"):
                    if (folder / file).is_file():
                        return folder / file
        where = self.file.doc.where(("lab",))
        said = NO_LAB(name=str(name)) if isinstance(name, str) else NEED_LAB()
        raise InputError([Problem(where=where, said=said)])

    def exercise(self, id: str) -> Exercise:
        found = self.file.find(id)
        if found is None:
            raise InputError([Problem(where=self.file.doc.name, said=NO_EXERCISE(id=id))])
        return found

    def pose(self, id: str, seed: int = 0, *, lang: str = "en") -> Posed:
        """An exercise with a seed. Raises InputError for what is wrong with it."""
        return pose(self.exercise(id), seed, lambda what: self.open_lab(what, lang=lang))
