"""Where a lab comes from: a file, a folder, a mapping; and its text as a Doc with manifests beside it.

Theory. A folder with a `lab.yaml` is a lab; any other folder is plain Kubernetes manifests, which a default
cluster carries (cp, w1, w2 on 192.168.10.0/24, the bridge CNI with static routes). A YAML file whose documents have
`apiVersion` and `kind` is such a manifest, too.

Rules. Only files below the lab's own folder are read, and only when they are named or the folder itself was given.
Binary files, folders in place of files and unreadable files are problems with a place, never tracebacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.errors import InputError, Problem
from engine.lab.describe import Description, Raw, describe
from engine.lab.doc import Doc, alone, read, read_all
from engine.lab.reader import A_MAPPING, A_TEXT, Problems
from engine.record import dataclass
from engine.say import Phrase, Said

if TYPE_CHECKING:
    from engine.kube.manifests import Manifest

NO_FILE = Phrase(
    en="there is no such file; write a lab file, a lesson's id or a folder of manifests",
    ko="그런 파일이 없습니다. 실습 파일, 레슨 id, 매니페스트 폴더 가운데 하나를 적으십시오",
)
NOT_FOUND = Phrase(
    en="there is no file {name} beside the lab file", ko="실습 파일 옆에 {name} 파일이 없습니다"
)
NOT_TEXT = Phrase(en="this is not a text file (UTF-8)", ko="텍스트 파일(UTF-8)이 아닙니다")
NOT_READ = Phrase(en="this file cannot be read: {reason}", ko="이 파일을 읽을 수 없습니다: {reason}")
TOO_LONG = Phrase(en="this file is larger than {limit} MB", ko="이 파일은 {limit}MB보다 큽니다")
NO_MANIFESTS = Phrase(
    en="this folder holds no lab.yaml and no .yaml, .yml or .json files; name a folder of Kubernetes manifests",
    ko="이 폴더에는 lab.yaml도 .yaml, .yml, .json 파일도 없습니다. 쿠버네티스 매니페스트 폴더를 적으십시오",
)
EMPTY = Phrase(
    en="this file is empty; a lab needs at least `nodes: [{{name: w1}}]`",
    ko="파일이 비어 있습니다. 실습 환경에는 적어도 `nodes: [{{name: w1}}]`이 있어야 합니다",
)
OUTSIDE = Phrase(
    en="{name} lies outside the lab's folder; put the file beside the lab",
    ko="{name}은(는) 실습 환경의 폴더 밖에 있습니다. 파일을 실습 환경 옆에 두십시오",
)

MAX_BYTES: Final = 32_000_000
SUFFIXES: Final = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A lab, read: its description, its manifests in order, and where it was."""

    name: str
    description: Description
    manifests: tuple[Manifest, ...] = ()
    folder: Path | None = None
    faults: tuple[Raw, ...] = field(default=())
    plain: bool = False
    notes: tuple[Said, ...] = ()


def read_text(path: Path, name: str = "") -> str:
    """A file's text. Raises InputError."""
    name = name or str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError([Problem(where=name, said=TOO_LONG(limit=MAX_BYTES // 1_000_000))])
        # A pipe or a device tells no size, and may never end.
        with path.open("rb") as file:
            found = file.read(MAX_BYTES + 1)
        if len(found) > MAX_BYTES:
            raise InputError([Problem(where=name, said=TOO_LONG(limit=MAX_BYTES // 1_000_000))])
        return found.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError:
        raise InputError([Problem(where=name, said=NO_FILE())]) from None
    except UnicodeDecodeError:
        raise InputError([Problem(where=name, said=NOT_TEXT())]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError([Problem(where=name, said=NOT_READ(reason=reason))]) from None


def open_source(what: str | Path | Mapping[str, Any] | Doc, *, folder: Path | None = None) -> Source:
    """A lab file's path, a folder, a mapping or a document. `folder` is where a mapping's files lie."""
    if isinstance(what, Doc):
        return from_doc(what, folder)
    if isinstance(what, Mapping):
        return from_doc(Doc("lab", dict(what)), folder)
    path = Path(what)
    if path.is_dir():
        if (path / "lab.yaml").is_file():
            return open_source(path / "lab.yaml")
        return from_folder(path)
    text = read_text(path)
    docs = read_all(text, str(path))
    if docs and all(_is_object(d.value) for d in docs if d.value is not None) and any(d.value for d in docs):
        return from_manifests(load_manifests(text, str(path)), str(path), path.parent)
    doc = alone(docs, str(path))
    if doc.value is None:
        raise InputError([Problem(where=f"{path}:1", said=EMPTY())])
    return from_doc(doc, path.parent)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and "apiVersion" in value and "kind" in value


def from_doc(doc: Doc, folder: Path | None) -> Source:
    """A lab from its document, with the files that it names."""
    problems = Problems()
    description = describe(doc, problems)
    manifests: list[Manifest] = []
    for raw in description.manifests:
        manifests += manifests_of(raw, folder, problems)
    problems.raise_any()
    return Source(
        name=doc.name,
        description=description,
        manifests=tuple(manifests),
        folder=folder,
        faults=description.faults,
    )


def load_manifests(text: str, name: str) -> list[Manifest]:
    """The objects of a manifest's text. (The cluster's room is loaded only for who has manifests.)"""
    from engine.kube.manifests import load

    return load(text, name)


def manifests_of(raw: Raw, folder: Path | None, problems: Problems) -> list[Manifest]:
    """The objects of one entry of `manifests:`: a file's name, or an inline object."""
    from engine.kube.manifests import Manifest

    if isinstance(raw.value, dict):
        return [Manifest(file=raw.doc.name, line=raw.doc.line(raw.path), body=raw.value)]
    if not isinstance(raw.value, str) or not raw.value:
        problems.add(raw.where, A_FILE(text=A_TEXT(), mapping=A_MAPPING()))
        return []
    base = (folder or Path()).resolve()
    path = (base / raw.value).resolve() if "\0" not in raw.value else base
    if not path.is_relative_to(base):
        problems.add(raw.where, OUTSIDE(name=raw.value))
        return []
    if path.is_dir():
        files = [p for p in sorted(path.rglob("*")) if p.suffix in SUFFIXES and p.is_file()]
    elif path.is_file():
        files = [path]
    else:
        problems.add(raw.where, NOT_FOUND(name=raw.value))
        return []
    out: list[Manifest] = []
    for file in files:
        try:
            name = str(file.relative_to(base))
            out += load_manifests(read_text(file, name), name)
        except InputError as error:
            for one in error.problems:
                problems.add(one.where, one.said)
    return out


A_FILE = Phrase(
    en="a manifest is {text} (a file beside the lab) or {mapping} (the object itself)",
    ko="매니페스트는 {text}(실습 환경 옆의 파일) 또는 {mapping}(오브젝트 자체)이어야 합니다",
)


def from_folder(path: Path) -> Source:
    """A folder of plain Kubernetes manifests, read in the order of their paths; all problems at once."""
    files = [p for p in sorted(path.rglob("*")) if p.suffix in SUFFIXES and p.is_file()]
    files = [p for p in files if not any(part.startswith(".") for part in p.relative_to(path).parts)]
    if not files:
        raise InputError([Problem(where=str(path), said=NO_MANIFESTS())])
    problems = Problems()
    manifests: list[Manifest] = []
    for file in files:
        try:
            manifests += load_manifests(read_text(file), str(file))
        except InputError as error:
            for one in error.problems:
                problems.add(one.where, one.said)
    problems.raise_any()
    return from_manifests(manifests, str(path), path)


def from_manifests(manifests: list[Manifest], name: str, folder: Path) -> Source:
    """A default cluster that carries the objects."""
    from engine.lab.carrier import carry

    carried = carry(manifests)
    return Source(
        name=name,
        description=describe(read(carried.text, name), Problems()),
        manifests=carried.manifests,
        folder=folder,
        plain=True,
        notes=carried.notes,
    )
