"""Deeds: what a file asks to be done in a lab before somebody looks: commands, files, manifests.

    {on: node/w1, run: "ip link set eth0 up"}       several lines are several commands
    {on: node/w1, write: /etc/x, text: "..."}
    {apply: "YAML"}                                  as kubectl apply -f does

Rules. A deed is done by the lab's own shell, as a learner would; what failed is told, never hidden.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.errors import EngineError
from engine.lab.lab import Lab
from engine.lab.reader import A_TEXT, Node
from engine.linux.ops import WriteFile
from engine.record import dataclass
from engine.say import Phrase, Said, plain
from engine.shell.files import Files
from engine.shell.place import resolve

ANSWER_FILE: Final = "/root/manifest.yaml"

ONE_DEED = Phrase(
    en="a deed is {{on, run}}, {{on, write, text}} or {{apply}}",
    ko="할 일은 {{on, run}}, {{on, write, text}}, {{apply}} 가운데 하나입니다",
)
FAILED = Phrase(
    en="`{line}` at {place} ended with {code}: {text}",
    ko="{place}에서 `{line}` 명령이 {code}(으)로 끝났습니다: {text}",
)
NO_CLUSTER = Phrase(en="there is no cluster to apply it to", ko="적용할 클러스터가 없습니다")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing to do. `lines` are typed at `place`; or `path` is written with `text`; or `manifest` is applied."""

    place: str = ""
    lines: tuple[str, ...] = ()
    path: str = ""
    text: str = ""
    manifest: str = ""
    where: str = ""

    def shown(self) -> str:
        """How a person reads it."""
        if self.manifest:
            return "kubectl apply -f -\n" + self.manifest.rstrip()
        if self.path:
            return f"{self.place}: {self.path}\n{self.text.rstrip()}"
        return "\n".join(f"{self.place}: {line}" for line in self.lines)


def read_deed(node: Node) -> Deed | None:
    """One deed of a file."""
    f = node.fields("on", "run", "write", "text", "apply")
    if not isinstance(node.value, dict):
        return None
    ways = [w for w in ("run", "write", "apply") if w in f]
    if len(ways) != 1:
        node.wrong(ONE_DEED())
        return None
    if ways == ["apply"]:
        manifest = f.text("apply")
        return Deed(manifest=manifest, where=node.where) if manifest else None
    on = (n := f.need("on", A_TEXT())) and n.text()
    if ways == ["write"]:
        path = f.text("write")
        text = None if (t := f.need("text", A_TEXT())) is None else t.text(empty=True)
        return (
            Deed(place=on, path=path, text=text, where=node.where)
            if on and path and text is not None
            else None
        )
    lines = tuple(line for line in f.text("run").splitlines() if line.strip())
    return Deed(place=on, lines=lines, where=node.where) if on and lines else None


def read_deeds(node: Node | None) -> tuple[Deed, ...]:
    """A list of deeds, or one alone."""
    if node is None:
        return ()
    nodes = [node] if isinstance(node.value, dict) else node.items()
    return tuple(d for d in (read_deed(n) for n in nodes) if d is not None)


def kubectl_place(lab: Lab) -> str:
    """Where kubectl is configured: the control plane's node, else the first node. Raises EngineError."""
    nodes = lab.source.description.nodes
    if not nodes:
        raise EngineError(NO_CLUSTER())
    return "node/" + next((n.name for n in nodes if n.control_plane), nodes[0].name)


def do(lab: Lab, deeds: Iterable[Deed]) -> list[Said]:
    """Do them in order, each as acts of the lab. What failed comes back, one sentence each; the rest is still done."""
    out: list[Said] = []
    for deed in deeds:
        try:
            out += _one(lab, deed)
        except EngineError as error:
            out.append(error.said)
    return out


def _one(lab: Lab, deed: Deed) -> list[Said]:
    lines, place = deed.lines, deed.place
    if deed.path:
        Files(lab.world, resolve(lab.world, place)).write(deed.path, deed.text)
        return []
    if deed.manifest:
        place = kubectl_place(lab)
        box = place.removeprefix("node/")
        lab.do(WriteFile(box=box, path=ANSWER_FILE, text=deed.manifest))
        lines = (f"kubectl apply -f {ANSWER_FILE}",)
    out: list[Said] = []
    for line in lines:
        result = lab.run(place, line)
        if result.code:
            text = (result.stderr or result.stdout).strip() or "-"
            out.append(FAILED(line=line, place=place, code=result.code, text=plain(text)))
    return out
