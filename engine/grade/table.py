"""The rows of a flow table as a file has them: keys, defaults, refusals. `flows.py` judges them.

Rules. The keys are DESIGN's, public and refused when unknown. Nothing is sent but by `Flow.send`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from engine.lab.doc import Doc, read
from engine.lab.lab import Lab
from engine.lab.lookup import RCODES, TYPES, Resolved
from engine.lab.places import scheme_of
from engine.lab.reader import Fields, Node, Problems, root
from engine.lab.source import read_text
from engine.lab.trace import PROTOS, Traced
from engine.linux.choose import Choose
from engine.linux.journey import Outcome
from engine.record import dataclass
from engine.say import Phrase, Said

FLOW_KEYS: Final = (
    "name", "from", "enter", "to", "proto", "headers", "resolve", "type", "expect",
)  # fmt: skip
EXPECT_KEYS: Final = ("outcome", "at", "seen-as", "rewritten-to", "masqueraded", "via", "encap", "mtu")
RESOLVE_KEYS: Final = ("answers", "rcode", "queries")
ENCAPS: Final = ("ipip", "vxlan", "geneve", "wireguard", "hbone", "none")

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
NOT_ASKED = Phrase(
    en="`{key}` means nothing in a row with `{other}`; remove it",
    ko="`{other}`이(가) 있는 행에서 `{key}`는 아무 뜻이 없습니다. 지우십시오",
)
ONLY_ADDRESS = Phrase(
    en="`enter` is for a packet from an address outside; {source} sends for itself, so remove it",
    ko="`enter`는 밖의 주소에서 오는 패킷에만 씁니다. {source}은(는) 스스로 보내므로 지우십시오",
)
OTHER_SCHEME = Phrase(
    en="{to} is asked by {scheme}, and this row has proto {proto}; remove `proto`, or write an address and a port",
    ko="{to}은(는) {scheme}(으)로 요청하는데 이 행의 proto는 {proto}입니다. `proto`를 지우거나 주소와 포트를 "
    "적으십시오",
)
A_LAB = Phrase(
    en="a lab's file or name, or an inline lab", ko="실습 환경의 파일이나 이름, 또는 인라인 실습 환경"
)
SOME_FLOWS = Phrase(en="a list of flows", ko="흐름의 목록")


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
    answers: tuple[str, ...] | None = None
    rcode: str | None = None
    queries: tuple[str, ...] | None = None


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
        """Send it through the lab; of a `resolve` row the questions are the journey, asked on a copy. Raises InputError
        for an endpoint that is not there."""
        if self.resolve:
            return Traced(journey=self.ask(lab, choose).journey)
        return lab.send(
            self.source,
            self.to,
            proto=self.proto,
            headers=dict(self.headers),
            enter=self.enter,
            choose=choose,
            on_copy=on_copy,
        )

    def ask(self, lab: Lab, choose: Choose | None = None) -> Resolved:
        """The question of a `resolve` row. Raises InputError for a place that is not there; NotModelled."""
        return lab.resolve(self.source, self.resolve, self.type, choose)


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
    scheme = scheme_of(to)
    if scheme and "proto" not in f:
        proto = scheme
    elif scheme and proto != scheme:
        _wrong(f, "proto", OTHER_SCHEME(to=to, scheme=scheme, proto=proto))
    if source and "/" in source and "enter" in f:
        _wrong(f, "enter", ONLY_ADDRESS(source=source))
    for key in ("enter", "proto", "headers") if "resolve" in f else ("type",):
        if key in f:
            _wrong(f, key, NOT_ASKED(key=key, other="resolve" if "resolve" in f else "to"))
    headers = tuple((k, v) for k, n in _pairs(f, "headers") if (v := n.text(empty=True)) is not None)
    if headers and proto not in ("http", "https") and "resolve" not in f:
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


def _wrong(f: Fields, key: str, said: Said) -> None:
    node = f.node(key)
    if node is not None:
        node.wrong(said)


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
    f = node.fields(*RESOLVE_KEYS)
    return Expect(
        answers=f.get("answers", texts, None),
        rcode=f.get("rcode", lambda n: n.word(*RCODES), None),
        queries=f.get("queries", texts, None),
    )
