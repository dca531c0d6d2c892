"""kubectl explain: a kind's fields, from the types that the API server checks (pkg/explain/v2/plaintext.tmpl).

Rules. Names, types and nesting are the API's; the descriptions are short ones of our own (explain_texts.py), a field
without one says so.
"""

from __future__ import annotations

import textwrap

from engine.kube import schema
from engine.kube.objects import Kind, kind_named
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import connect
from engine.shell.tools.kubectl_.explain_texts import ENUMS, REQUIRED, texts
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused, switch

FLAGS = (
    switch("recursive"),
    flag("api-version"),
    refused("output", "o", value=True),
    refused("max-depth", value=True),
)
PLAIN = {"str": "string", "bool": "boolean", "int32": "integer", "int64": "integer", "float": "number",
         "quantity": "string", "intstr": "string", "?": "Object"}  # fmt: skip
#: Structs whose own name in the API is another one.
API_NAME = {"CoreEndpointPort": "EndpointPort"}
USAGE = (
    'error: You must specify the type of resource to explain. Use "kubectl api-resources" for a complete list of '
    "supported resources."
)


def explain(ctx: Context, argv: list[str]) -> Out:
    line = parse("explain", argv, FLAGS)
    if not line.words:
        raise Fail(USAGE)
    if len(line.words) > 1:
        raise Fail("error: We accept only this format: explain RESOURCE")
    minor = connect(ctx, line).minor
    word, _, path = line.words[0].partition(".")
    if not word or "[" in path:
        raise Fail("error: invalid jsonpath syntax, first node must be field node")
    kind = kind_named(word)
    if kind is None or kind.since > minor:
        raise Fail(f'the server doesn\'t have a resource type "{word}"')
    if path.split(".")[0] == kind.group.split(".")[0] and path.startswith(kind.group) and kind.group:
        path = path[len(kind.group) :].lstrip(".")
    if line.get("api-version") not in ("", kind.api):
        raise Fail(f'error: couldn\'t find resource for "{asked_for(line)}, Resource={kind.plural}"')
    top = head(kind)
    try:
        return Out(stdout=top + body(kind, [p for p in path.split(".") if p], deep=line.on("recursive")))
    except Fail as fail:
        raise Fail(fail.out.stderr.rstrip("\n"), stdout=top) from None


def asked_for(line: Line) -> str:
    """--api-version as Go prints a GroupVersion: `/v2`, `apps/v2`."""
    text = line.get("api-version")
    return text if "/" in text else f"/{text}"


def head(kind: Kind) -> str:
    group, _, version = kind.api.rpartition("/")
    first = f"GROUP:      {group}\n" if group else ""
    return f"{first}KIND:       {kind.kind}\nVERSION:    {version}\n\n"


def body(kind: Kind, path: list[str], *, deep: bool) -> str:
    types = schema.types()
    owner, field, of = "", "", kind.kind
    for i, name in enumerate(path):
        struct = bare(of)
        if struct not in types or name not in types[struct]:
            raise Fail(f'error: field "{path[-1]}" does not exist')
        owner, field, of = struct, name, types[struct][name]
        if i < len(path) - 1 and bare(of) not in types:
            raise Fail(f'error: field "{path[-1]}" does not exist')
    out = ""
    if path:
        out = f"FIELD: {field} <{shown(of)}>\n"
        if values := ENUMS.get(f"{owner}.{field}"):
            out += "ENUM:\n" + "".join(f"    {v}\n" for v in values)
        out += "\n\n" if f"{owner}.{field}" not in ENUMS else "\n"
    said = "\n".join(x for x in (texts().get(f"{owner}.{field}") if path else "", texts().get(bare(of))) if x)
    out += "DESCRIPTION:\n" + (wrapped(said, 76, 4) + "    \n" if said else "    <empty>\n")
    if bare(of) in types:
        out += "FIELDS:\n" + fields(bare(of), 1, (), deep=deep)
    return out + "\n"


def bare(kind: str) -> str:
    return kind.removeprefix("[]").removeprefix("{}")


def shown(kind: str) -> str:
    if kind.startswith("[]"):
        return f"[]{shown(kind[2:])}"
    if kind.startswith("{}"):
        return f"map[string]{shown(kind[2:])}"
    return PLAIN.get(kind, API_NAME.get(kind, kind))


def fields(struct: str, level: int, above: tuple[str, ...], *, deep: bool) -> str:
    out = ""
    for name, kind in sorted(schema.types()[struct].items()):
        must = " -required-" if f"{struct}.{name}" in REQUIRED else ""
        out += f"{'  ' * level}{name}\t<{shown(kind)}>{must}\n"
        if values := ENUMS.get(f"{struct}.{name}"):
            listed = ", ".join(values[:4]) + (", ...." if len(values) > 4 else "")
            out += f"{'  ' * level}enum: {listed}\n"
        if deep:
            inner = bare(kind)
            if inner in schema.types() and inner not in (*above, struct):
                out += fields(inner, level + 1, (*above, struct), deep=True)
            continue
        said = texts().get(f"{struct}.{name}") or "<no description>"
        out += wrapped(said, 78 - 2 * level, 2 * level + 2) + "\n"
    return out


def wrapped(text: str, width: int, indent: int) -> str:
    rows = [r for part in text.split("\n") for r in (textwrap.wrap(part, width) or [""])]
    return "".join(" " * indent + r + "\n" for r in rows)


__all__ = ["explain"]
