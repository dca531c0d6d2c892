"""kubectl label and kubectl annotate (k8s.io/kubectl/pkg/cmd/label, annotate)."""

from __future__ import annotations

import json
import re

from engine.kube.objects import Json, Kind, edited, meta, name_of
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import connect, ref
from engine.shell.tools.kubectl_.flags import flag, parse, refused, switch
from engine.shell.tools.kubectl_.pick import NO_NAMES, bodies, split_words
from engine.shell.tools.kubectl_.update import send
from engine.shell.tools.kubectl_.write import DRY, Written, dry_run

FLAGS = (
    switch("overwrite"), switch("all"), flag("selector", "l"), flag("field-selector"), flag("output", "o"), DRY,
    switch("list"), flag("filename", "f"), switch("recursive", "R"), switch("all-namespaces", "A"),
    flag("resource-version"), flag("field-manager"), refused("local"), refused("kustomize", "k", value=True),
    refused("template", value=True), refused("record"),
)  # fmt: skip
VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
CAUSE = "kubernetes.io/change-cause"


def label(ctx: Context, argv: list[str]) -> Out:
    return metadata(ctx, argv, "label", "labels", "labeled")


def annotate(ctx: Context, argv: list[str]) -> Out:
    return metadata(ctx, argv, "annotate", "annotations", "annotated")


def metadata(ctx: Context, argv: list[str], verb: str, key: str, said: str) -> Out:
    line = parse(verb, argv, FLAGS)
    names, changes = split_words(line)
    if not names and "filename" not in line:
        raise Fail(NO_NAMES[verb])
    wanted, gone = label_changes(changes) if verb == "label" else note_changes(changes)
    if not changes and not line.on("list"):
        raise Fail(f"error: at least one {'label' if verb == 'label' else 'annotation'} update is required")
    client = connect(ctx, line)
    notes, done, dry = len(client.cluster.skipped), Written(), dry_run(line)
    rows = bodies(client, line, names)
    for kind, body in rows:
        new = edited(body)
        values = new["metadata"].setdefault(key, {})
        try:
            added, removed = changed(values, wanted, gone, key, overwrite=line.on("overwrite"))
            if line.on("list"):
                done.lines += listed(kind, body, values, key, alone=len(rows) == 1)
                continue
            if verb == "label" and dry != " (dry run)":
                done.lines += [
                    f'label "{k}" not found.' for k in gone if k not in (meta(body).get(key) or {})
                ]
            if not values:
                del new["metadata"][key]
            stored = send(client, body, new, dry, told=done.warnings) if added or removed else body
        except Fail as fail:
            done.errors.append(fail.out.stderr.rstrip("\n"))
            continue
        word = said if added or verb != "label" else "unlabeled" if removed else "not labeled"
        done.lines.append(f"{ref(kind, name_of(body))} {word}{dry}")
        done.bodies.append(stored or body)
    return done.out(client, line, notes)


def listed(kind: Kind, body: Json, values: dict[str, str], key: str, *, alone: bool) -> list[str]:
    rows = [f"{k}={v}" for k, v in sorted(values.items())]
    return (
        rows
        if alone
        else [f"Listing {key} for {kind.kind}.{kind.group}/{name_of(body)}:", *(" " + r for r in rows)]
    )


def label_changes(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """parseLabels: (what to set, what to take away)."""
    wanted: dict[str, str] = {}
    gone: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            gone.append(word[:-1])
            continue
        if "=" in value:
            raise Fail(f"error: invalid label spec: {word}")
        if len(value) > 63:
            raise Fail(f"error: invalid label value: {json.dumps(word)}: must be no more than 63 bytes")
        if not VALUE.fullmatch(value):
            raise Fail(f"error: invalid label value: {json.dumps(word)}: {VALUE_TEXT}")
        wanted[name] = value
    if any(g in wanted for g in gone):
        raise Fail("error: can not both modify and remove a label in the same command")
    return wanted, gone


def note_changes(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """ParsePairs."""
    bad = [w for w in words if w.startswith("=") or ("=" not in w and (not w.endswith("-") or w == "-"))]
    if bad:
        raise Fail(f"error: invalid annotation format: {', '.join(bad)}")
    wanted = {w.partition("=")[0]: w.partition("=")[2] for w in words if "=" in w}
    gone = [w[:-1] for w in words if "=" not in w]
    if both := [g for g in gone if g in wanted]:
        raise Fail(
            f"error: can not both modify and remove the following annotation(s) in the same command: {both[0]}"
        )
    return wanted, gone


def changed(
    values: dict[str, str], wanted: dict[str, str], gone: list[str], key: str, *, overwrite: bool
) -> tuple[bool, bool]:
    """Change the map: (was something set, was something taken away)."""
    clash = {
        k: values[k]
        for k, v in wanted.items()
        if k in values and values[k] != v and (key == "labels" or k != CAUSE)
    }
    if clash and not overwrite:
        told = [f"'{k}' already has a value ({v})" for k, v in clash.items()]
        if key == "labels":
            raise Fail("error: " + ", ".join(f"{t}, and --overwrite is false" for t in told))
        raise Fail(
            "error: --overwrite is false but found the following declared annotation(s): " + "; ".join(told)
        )
    added = any(values.get(k) != v for k, v in wanted.items())
    removed = any(k in values for k in gone)
    values.update(wanted)
    for name in gone:
        values.pop(name, None)
    return added, removed
