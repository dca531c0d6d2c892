"""What `-f` brings: files, folders, standard input, and kubectl's words for what it cannot read."""

from __future__ import annotations

from typing import Any

from engine.errors import InputError
from engine.kube.manifests import Loader, Manifest, load
from engine.kube.objects import BY_KIND, Kind, edited, name_of, namespace_of
from engine.shell.tool import Context, Fail
from engine.shell.tools.kubectl_.client import Client, later
from engine.shell.tools.kubectl_.flags import Line


def sources(ctx: Context, line: Line) -> list[tuple[str, str]]:
    """(name, text) of every -f: files, folders, `-` for standard input."""
    out: list[tuple[str, str]] = []
    names = [n for value in line.all("filename") for n in value.split(",")]
    if not names:
        raise Fail("error: must specify one of -f and -k" if line.verb != "create" else NO_FILES)
    for name in names:
        if name == "-":
            out.append(("STDIN", ctx.stdin))
            continue
        if name.startswith(("http://", "https://")):
            raise later(f"kubectl {line.verb} -f {name}")
        path = ctx.path(name)
        real = ctx.files.real(path)
        if real in ctx.box.files:
            out.append((name, ctx.box.files[real]))
            continue
        inside = sorted(p for p in ctx.box.files if p.startswith(real.rstrip("/") + "/"))
        if not line.on("recursive"):
            inside = [p for p in inside if "/" not in p[len(real.rstrip("/")) + 1 :]]
        rows = [p for p in inside if p.endswith((".yaml", ".yml", ".json"))]
        if not inside and ctx.files.kind(path) != "dir":
            raise Fail(f'error: the path "{name}" does not exist')
        if not rows:
            raise Fail(f"error: error reading [{name}]: recognized file extensions are [.json .yaml .yml]")
        out += [(f"{name.rstrip('/')}/{p[len(real.rstrip('/')) + 1 :]}", ctx.box.files[p]) for p in rows]
    return out


NO_FILES = "error: must specify one of -f and -k"


def read(ctx: Context, line: Line) -> tuple[list[Manifest], list[str]]:
    """Every object of every -f, and the errors of files that cannot be read."""
    rows: list[Manifest] = []
    errors: list[str] = []
    for name, text in sources(ctx, line):
        try:
            found = load(text, name)
        except InputError:
            errors.append(unreadable(name, text))
            continue
        rows += found
        if not found:
            errors.append(f"error: no objects passed to {line.verb}")
    return rows, errors


def unreadable(name: str, text: str) -> str:
    """kubectl's words for a text that is not YAML, or not an object."""
    import yaml

    try:
        for _ in yaml.compose_all(text, Loader=Loader):
            pass
    except yaml.MarkedYAMLError as error:
        return f"error: error parsing {name}: error converting YAML to JSON: yaml: {go_yaml(error)}"
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return (
            f"error: error parsing {name}: error converting YAML to JSON: yaml: {str(error).splitlines()[0]}"
        )
    return invalid_data(name, "invalid object to validate")


def go_yaml(error: Any) -> str:
    """go-yaml counts a scanner's line from 1 and a parser's from 0, and leaves line 0 out (decode.go, fail)."""
    import yaml

    problem, context = error.problem_mark, error.context_mark
    line = 0
    if problem is not None and problem.line:
        line = problem.line + isinstance(error, yaml.scanner.ScannerError)
    elif context is not None and context.line:
        line = context.line
    words = GO_YAML.get(str(error.problem).split(",")[0], str(error.problem))
    return f"line {line}: {words}" if line else words


#: PyYAML's words for what libyaml and go-yaml call otherwise.
GO_YAML = {
    "expected the node content": "did not find expected node content",
    "mapping values are not allowed here": "mapping values are not allowed in this context",
    "expected ',' or ']'": "did not find expected ',' or ']'",
    "expected ',' or '}'": "did not find expected ',' or '}'",
    "expected <block end>": "did not find expected key",
}


def invalid_data(name: str, why: str) -> str:
    return (
        f'error: error validating "{name}": error validating data: {why}; if you choose to ignore these errors, turn '
        "validation off with --validate=false"
    )


def type_errors(row: Manifest) -> str:
    """What kubectl itself says before it asks the server; "" when it can ask."""
    body = row.body
    kind, api = body.get("kind"), body.get("apiVersion")
    wrong = [
        f"{k} not set" if v is None or v == "" else f"{k} isn't string type"
        for k, v in (("apiVersion", api), ("kind", kind))
        if not isinstance(v, str) or not v
    ]
    if wrong:
        return invalid_data(row.file, f"[{', '.join(wrong)}]" if len(wrong) > 1 else wrong[0])
    known = BY_KIND.get(str(kind))
    if known is None or known.api != api:
        m = body.get("metadata")
        name = m.get("name", "") if isinstance(m, dict) else ""
        space = m.get("namespace", "") if isinstance(m, dict) else ""
        return (
            f'error: resource mapping not found for name: "{name}" namespace: "{space}" from "{row.file}": no matches '
            f'for kind "{kind}" in version "{api}"\nensure CRDs are installed first'
        )
    return ""


def prepared(client: Client, row: Manifest, verb: str) -> tuple[Kind, Manifest]:
    """The object with its namespace filled in. Fail in kubectl's words."""
    if text := type_errors(row):
        raise Fail(text)
    kind = BY_KIND[str(row.body["kind"])]
    body = edited(row.body)
    m = body.setdefault("metadata", {})
    if not isinstance(m, dict):
        body["metadata"] = m = {}
    if kind.namespaced:
        given = m.get("namespace")
        if given and client.explicit and given != client.namespace:
            raise Fail(
                f'error: the namespace from the provided object "{given}" does not match the namespace '
                f"\"{client.namespace}\". You must pass '--namespace={given}' to perform this operation."
            )
        m["namespace"] = given or client.namespace
    return kind, Manifest(file=row.file, line=row.line, body=body)


def named_in_files(client: Client, line: Line) -> list[tuple[Kind, str, str]]:
    """(kind, name, namespace) of everything in -f, for get, describe and delete."""
    rows, errors = read(client.ctx, line)
    if errors:
        raise Fail("\n".join(errors))
    out = []
    for row in rows:
        kind, row = prepared(client, row, line.verb)
        out.append((kind, name_of(row.body), namespace_of(row.body)))
    return out
