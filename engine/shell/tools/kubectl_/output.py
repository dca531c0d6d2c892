"""`-o`: yaml, json, name, jsonpath, custom-columns. Keys are sorted, as kubectl prints what it got as JSON."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Any

import yaml

from engine.kube.objects import BY_KIND, Json, name_of
from engine.shell.tool import Context, Fail
from engine.shell.tools.kubectl_.client import later, ref
from engine.shell.tools.kubectl_.jsonpath import (
    ExecuteError,
    JsonPathError,
    go_value,
    relaxed,
    render,
    results,
)
from engine.shell.tools.kubectl_.table import table

FORMATS = (
    "custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,"
    "name,template,templatefile,wide,yaml"
)
#: What a verb that is no `get` prints an object as.
OBJECT_FORMATS = (
    "go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,template,templatefile,"
    "yaml"
)


class _Dumper(yaml.SafeDumper):
    """YAML as sigs.k8s.io/yaml writes it: lists not indented, doubtful texts in double quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


DOUBTFUL = re.compile(
    r"|~|null|Null|NULL|true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|y|Y|n|N"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0x[0-9a-fA-F]+|0o?[0-7]+|[-+]?\.(inf|nan)|[0-9]+(:[0-5]?[0-9])+"
    r"|\d{4}-\d{2}-\d{2}([Tt ].*)?"
)


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
    if "\n" in data:
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|")
    style = '"' if DOUBTFUL.fullmatch(data) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(body: Any) -> str:
    return yaml.dump(
        body, Dumper=_Dumper, sort_keys=True, default_flow_style=False, width=80, allow_unicode=True
    )


def struct_order(body: Any, kind: str) -> Any:
    """A part of an object with its keys in the order of Go's struct, as kubectl prints what it made itself as JSON."""
    from engine.kube import schema

    if isinstance(body, list):
        return [struct_order(x, kind.removeprefix("[]")) for x in body]
    if not isinstance(body, dict):
        return body
    fields = schema.types().get(kind)
    if fields is None:
        return {k: struct_order(body[k], kind.removeprefix("{}")) for k in sorted(body)}
    names = ["kind", "apiVersion", *(n for n in fields if n not in ("kind", "apiVersion"))]
    known = {n: struct_order(body[n], fields[n]) for n in names if n in body and n in fields}
    return {**known, **{k: v for k, v in body.items() if k not in known}}


def made_json(body: Json) -> str:
    return json.dumps(struct_order(body, str(body["kind"])), indent=4, ensure_ascii=False) + "\n"


def to_json(body: Any) -> str:
    return json.dumps(body, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def as_list(rows: list[Json]) -> Json:
    return {"apiVersion": "v1", "items": rows, "kind": "List", "metadata": {"resourceVersion": ""}}


def printed(
    ctx: Context, format: str, rows: list[Json], *, single: bool, headers: bool = True, tables: bool = True
) -> str:
    """The objects in one of the formats. `single` = one object was asked for by name; `headers` of custom columns;
    `tables` = the verb prints columns, too."""
    kind, equals, rest = format.partition("=")
    body: Any = rows[0] if single and len(rows) == 1 else as_list(rows)
    if kind == "yaml" and not equals:
        return to_yaml(body)
    if kind == "json" and not equals:
        return to_json(body)
    if kind == "name" and not equals:
        return "".join(ref(BY_KIND[str(r["kind"])], name_of(r)) + "\n" for r in rows)
    if kind in ("jsonpath", "jsonpath-as-json", "jsonpath-file"):
        template = read_file(ctx, rest, "--template") if kind == "jsonpath-file" else rest
        if not template:
            raise Fail("error: template format specified but no template given")
        return by_path(template, body, as_json=kind == "jsonpath-as-json")
    if not tables and kind in ("custom-columns", "custom-columns-file", "wide"):
        raise no_printer(format, OBJECT_FORMATS)
    if kind == "custom-columns":
        if not rest:
            raise Fail("error: custom-columns format specified but no custom columns given")
        return custom(rest, rows, headers)
    if kind == "custom-columns-file":
        if not rest:
            raise Fail("error: custom-columns format specified but no custom columns given")
        return custom(columns_of(read_file(ctx, rest, "template")), rows, headers)
    if kind in ("go-template", "template", "go-template-file", "templatefile", "kyaml"):
        raise later(f"kubectl -o {kind}")
    raise no_printer(format, FORMATS if tables else OBJECT_FORMATS)


def no_printer(format: str, allowed: str) -> Fail:
    return Fail(
        f'error: unable to match a printer suitable for the output format "{format}", allowed formats are: {allowed}'
    )


def columns_of(text: str) -> str:
    """A custom-columns-file: a line of headers, a line of paths -> what custom-columns= takes."""
    lines = text.splitlines()
    form = "Expected format is one line of space separated headers, one line of space separated column specs."
    if len(lines) < 2:
        raise Fail(f"error: invalid template, missing {'spec' if lines else 'header'} line. {form}")
    heads, paths = lines[0].split(), lines[1].split()
    if len(heads) != len(paths):
        raise Fail(
            f"error: number of headers ({len(heads)}) and field specifications ({len(paths)}) don't match"
        )
    return ",".join(f"{h}:{p}" for h, p in zip(heads, paths, strict=True))


def read_file(ctx: Context, name: str, what: str) -> str:
    text = ctx.box.files.get(ctx.path(name))
    if text is None:
        raise Fail(
            f"error: error reading {what} {PurePosixPath(name)}, open {name}: no such file or directory"
        )
    return text


def by_path(template: str, body: Any, *, as_json: bool) -> str:
    try:
        if as_json:
            return "".join(
                json.dumps(row, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
                for row in results(template, body)
            )
        return render(template, body)
    except ExecuteError as error:
        raise Fail(
            f'error: error executing jsonpath "{template}": Error executing template: {error}. Printing more '
            "information for debugging the template:\n\ttemplate was:\n\t\t"
            f"{template}\n\tobject given to jsonpath engine was:\n\t\t{go_syntax(body)}\n\n"
        ) from None
    except JsonPathError as error:
        raise Fail(f"error: error parsing jsonpath {template}, {error}") from None


def go_syntax(value: Any) -> str:
    """Go's %#v of decoded JSON."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(k)}:{go_syntax(v)}" for k, v in sorted(value.items()))
        return f"map[string]interface {{}}{{{inner}}}"
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(go_syntax(v) for v in value)}}}"
    if value is None:
        return "interface {}(nil)"
    return json.dumps(value, ensure_ascii=False)


def custom(text: str, rows: list[Json], headers: bool = True) -> str:
    """custom-columns=NAME:.metadata.name,IP:.status.podIP"""
    columns = []
    for part in text.split(","):
        head, colon, path = part.partition(":")
        if not colon:
            raise Fail(f"error: unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>")
        try:
            columns.append((head, relaxed(path) if path else ""))
        except JsonPathError as error:
            raise Fail(f"error: {error}") from None
    lines = [[h for h, _ in columns]] if headers else []
    for row in rows:
        cells = []
        for _, path in columns:
            try:
                values = results(path, row)
            except JsonPathError as error:
                raise Fail(f"error: {error}") from None
            shown = [] if values and values[0] else ["<none>"]
            cells.append(",".join([*shown, *(go_value(v) for found in values for v in found)]))
        lines.append(cells)
    return table(lines)
