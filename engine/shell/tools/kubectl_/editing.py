"""kubectl edit: the object's text, an editor, and what becomes of the text (k8s.io/kubectl/pkg/cmd/util/editor).

Theory. kubectl writes the object into a temporary file, runs $KUBE_EDITOR (else $EDITOR) on it, and sends what
changed as a strategic patch. A text that is refused is opened again, its reasons in comments on top, until it is saved
unchanged.

Rules. An editor that is a tool of the lab (`KUBE_EDITOR="sed -i s/a/b/"`) runs in the lab. Without one the command asks
for the learner's own (`Out.edit`): what is saved comes back as a line with `KUBE_EDITOR='cp /dev/stdin'`, which real
kubectl would take as well.
"""

from __future__ import annotations

import shlex
from typing import Any

import yaml

from engine.kube.manifests import Loader
from engine.kube.objects import BY_KIND, Json, Kind, edited, meta, name_of, namespace_of
from engine.kube.patch import two_way
from engine.kube.validate import Refused
from engine.linux.ops import WriteFile
from engine.say import Phrase
from engine.shell.tool import Context, Edit, Fail, Out
from engine.shell.tools.kubectl_ import output
from engine.shell.tools.kubectl_.client import Client, connect, listing, not_found, ref, targets
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.manifests import go_yaml, named_in_files
from engine.shell.tools.kubectl_.update import plural
from engine.shell.tools.kubectl_.write import warnings

FLAGS = (
    flag("output", "o"), flag("filename", "f"), switch("recursive", "R"), flag("selector", "l"),
    switch("output-patch"), switch("save-config"), flag("validate"), flag("field-manager"),
    refused("subresource", value=True), switch("windows-line-endings"), refused("kustomize", "k", value=True),
    switch("show-managed-fields"), refused("record"), refused("template", value=True),
)  # fmt: skip
HEADER = """\
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
"""
STAND_IN = "cp /dev/stdin"
NO_EDITOR = Phrase(
    en='no editor can be opened here; give one that is a tool of the lab, as in KUBE_EDITOR="sed -i s/old/new/" '
    "{line}, or use `kubectl patch` or `kubectl apply`",
    ko='여기서는 편집기를 열 수 없습니다. KUBE_EDITOR="sed -i s/old/new/" {line} 처럼 실습 환경의 도구를 지정하거나 '
    "`kubectl patch`, `kubectl apply`를 쓰세요",
)
NOT_VALID = "error: Edit cancelled, no valid changes were saved."
SYNTAX = (
    "The edited file had a syntax error: error parsing edited-file: error converting YAML to JSON: yaml: "
)
#: How often a text that is refused is opened again for an editor of the lab.
TRIES = 5


class Reasons(Exception):
    """The text was refused: (head, details) of every object, and kubectl's line about each."""

    def __init__(self, rows: list[tuple[str, list[str]]], said: list[str]) -> None:
        super().__init__()
        self.rows = rows
        self.said = said


def edit(ctx: Context, argv: list[str]) -> Out:
    line = parse("edit", argv, FLAGS)
    if line.get("output", "yaml") not in ("yaml", "json"):
        raise Fail("error: The flag 'output' must be one of yaml|json")
    client = connect(ctx, line)
    rows = chosen(client, line)
    if not rows:
        raise Fail("error: edit cancelled, no objects found")
    original = text_of(rows, line)
    path = f"/tmp/kubectl-edit-{client.cluster.store.version}.{line.get('output', 'yaml')}"
    editor = ctx.env.get("KUBE_EDITOR") or ctx.env.get("EDITOR", "")
    if not editor:
        return ask(ctx, path, HEADER + original)
    return loop(ctx, client, line, rows, original, path, editor)


def chosen(client: Client, line: Line) -> list[Json]:
    if "filename" in line:
        wanted = named_in_files(client, line)
    elif not line.words:
        from engine.shell.tools.kubectl_.client import NO_RESOURCES

        raise Fail(NO_RESOURCES)
    else:
        wanted = []
        for kind, name in targets(client, line, line.words):
            space = client.namespace if kind.namespaced else ""
            if name:
                wanted.append((kind, name, space))
            else:
                wanted += [
                    (kind, name_of(b), space) for b in listing(client, kind, everywhere=False, line=line)
                ]
    out = []
    for kind, name, space in wanted:
        body = client.cluster.store.get(kind.kind, space, name)
        if body is None:
            raise Fail(not_found(kind, name))
        out.append(body)
    return out


def text_of(rows: list[Json], line: Line) -> str:
    shown: Any = rows[0]
    if len(rows) > 1:
        shown = {"apiVersion": "v1", "items": rows, "kind": "List", "metadata": {}}
    return output.to_json(shown) if line.get("output") == "json" else output.to_yaml(shown)


def ask(ctx: Context, path: str, text: str, why: str = "") -> Out:
    """Ask whoever runs the shell for an editor; with `why` again, for a text that was refused."""
    typed = ctx.line.strip()
    note = NO_EDITOR(line=typed).text(ctx.lang) + "\n"
    command = f"KUBE_EDITOR='{STAND_IN}' {bare(typed)}"
    request = Edit(name=path.rsplit("/", 1)[-1], text=text, command=command, why=why)
    return Out(stderr=why + NOT_VALID + "\n" if why else note, code=1 if why else 2, edit=request)


def bare(typed: str) -> str:
    """The line without a KUBE_EDITOR of its own and without its here-document."""
    first = typed.split("\n", 1)[0].split(" <<", 1)[0]
    words = shlex.split(first)
    while words and "=" in words[0] and words[0].split("=")[0].isidentifier():
        words.pop(0)
    return shlex.join(words)


def loop(
    ctx: Context, client: Client, line: Line, rows: list[Json], original: str, path: str, editor: str
) -> Out:
    """Open, save, send; open again with the reasons when the text is refused."""
    header, text, before, said = HEADER, original, "", ""
    for turn in range(TRIES):
        new = ctx.stdin if editor == STAND_IN else saved(ctx, editor, path, header + text, said)
        if turn and stripped(new) == stripped(before):
            kept = f'A copy of your changes has been stored to "{path}"\n{NOT_VALID}'
            if editor == STAND_IN:
                return ask(ctx, path, header + stripped(new), said)
            raise Fail(said + kept)
        if stripped(new) == stripped(original):
            return Out(stderr=said + "Edit cancelled, no changes made.\n")
        if not stripped(new).strip():
            return Out(stderr=said + "Edit cancelled, saved file was empty.\n")
        try:
            return send_all(client, line, rows, new, said)
        except Reasons as why:
            said += "".join(x + "\n" for x in why.said)
            header = HEADER + "".join(reason(head, more) for head, more in why.rows)
            before, text = new, stripped(new)
    raise Fail(said + NOT_VALID)


def saved(ctx: Context, editor: str, path: str, text: str, said: str) -> str:
    """Let an editor of the lab work on a file of the lab."""
    ctx.do(WriteFile(box=ctx.box.name, path=path, text=text))
    ran = ctx.shell.run_text(f"{editor} {path}", ctx.spot, ctx.stdin)
    if ran.code:
        raise Fail(f'{said}{ran.stderr}error: there was a problem with the editor "{editor}"')
    return ctx.box.files.get(path, "")


def stripped(text: str) -> str:
    """cmdutil.ManualStrip: the text without its comment lines."""
    return "".join(x for x in text.splitlines(keepends=True) if not x.lstrip().startswith("#"))


def reason(head: str, more: list[str]) -> str:
    """One reason as comments on top of the text."""

    def hashed(text: str) -> str:
        return text.replace("\n", "\n# ")

    first = f"# {hashed(head)}:\n" if more else f"# {hashed(head)}\n"
    return first + "".join(f"# * {hashed(m)}\n" for m in more) + "#\n"


def send_all(client: Client, line: Line, rows: list[Json], text: str, said: str) -> Out:
    """Send what changed of every object. Reasons when the text or an object is refused."""
    out: list[str] = []
    err: list[str] = []
    refused_rows: list[tuple[str, list[str]]] = []
    lines: list[str] = []
    for new in objects(text):
        old = next((r for r in rows if meta(r).get("uid") == meta(new).get("uid")), None)
        if old is None:
            raise Fail(
                f"{said}error: no original object found for the edited {new.get('kind')} {name_of(new)}"
            )
        kind = BY_KIND[str(old["kind"])]
        if any(new.get(k) != old.get(k) for k in ("apiVersion", "kind")) or name_of(new) != name_of(old):
            raise Fail(f"{said}error: At least one of apiVersion, kind and name was changed")
        if namespace_of(new) != namespace_of(old):
            given, own = namespace_of(new), namespace_of(old)
            raise Fail(
                f'{said}error: the namespace from the provided object "{given}" does not match the namespace '
                f"\"{own}\". You must pass '--namespace={given}' to perform this operation."
            )
        if new == old:
            out.append(f"{ref(kind, name_of(old))} skipped")
            continue
        one(client, line, kind, old, new, out, err, refused_rows, lines)
    client.settle()
    if refused_rows:
        raise Reasons(refused_rows, lines)
    return Out(
        stdout="".join(x + "\n" for x in out), stderr=said + "".join(x + "\n" for x in (*err, *lines)),
        code=1 if lines else 0,
    )  # fmt: skip


def one(
    client: Client, line: Line, kind: Kind, old: Json, new: Json, out: list[str], err: list[str],
    reasons: list[tuple[str, list[str]]], lines: list[str],
) -> None:  # fmt: skip
    change = two_way(old, edited(new))
    if line.on("output-patch"):
        import json

        out.append("Patch: " + json.dumps(change, separators=(",", ":"), sort_keys=True))
    try:
        client.cluster.patch(kind.kind, namespace_of(old), name_of(old), change, client.clock)
    except Refused as error:
        if error.reason in ("Invalid", "BadRequest"):
            causes = list(error.causes) or ([error.message] if error.reason == "BadRequest" else [])
            reasons.append((f'{kind.resource} "{name_of(old)}" was not valid', causes))
            lines.append(f'error: {kind.resource} "{name_of(old)}" is invalid')
        else:
            lines.append(f'error: {kind.resource} "{name_of(old)}" could not be patched: {error.message}')
            lines.append(f"You can run `kubectl replace -f {plural(old)}` to try this update again.")
        return
    err += [f"Warning: {w}" for w in warnings(client.cluster)]
    out.append(f"{ref(kind, name_of(old))} edited")


def objects(text: str) -> list[Json]:
    """The objects of an edited text. Reasons for one that is not YAML."""
    try:
        found = yaml.load(text, Loader)
    except yaml.MarkedYAMLError as error:
        raise Reasons([(SYNTAX + go_yaml(error), [])], []) from None
    if not isinstance(found, dict):
        raise Reasons([("The edited file failed validation", ["invalid object to validate"])], [])
    rows = found.get("items") if found.get("kind") == "List" else [found]
    return [r for r in rows or [] if isinstance(r, dict)]


__all__ = ["edit"]
