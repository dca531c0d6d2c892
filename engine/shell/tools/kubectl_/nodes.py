"""kubectl taint, cordon and uncordon (k8s.io/kubectl/pkg/cmd/taint, drain)."""

from __future__ import annotations

import re

from engine.kube.clock import stamp
from engine.kube.objects import BY_KIND, Json, edited, labels_of, name_of, spec_of
from engine.kube.select import matches
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import Client, connect, not_found
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.pick import NO_NAMES, bodies
from engine.shell.tools.kubectl_.selectors import label_selector
from engine.shell.tools.kubectl_.write import DRY, dry_run

TAINT = (
    switch("overwrite"), switch("all"), flag("selector", "l"), flag("output", "o"), DRY, flag("field-manager"),
    flag("validate"), refused("template", value=True),
)  # fmt: skip


def taint(ctx: Context, argv: list[str]) -> Out:
    """kubectl taint nodes NAME key=value:Effect, key:Effect-, key-"""
    line = parse("taint", argv, TAINT)
    names = [w for w in line.words if ":" not in w and "=" not in w and not w.endswith("-")]
    changes = [w for w in line.words if w not in names]
    if not line.words:
        raise Fail(NO_NAMES["taint"])
    if not changes:
        raise Fail("error: at least one taint update is required")
    if not names or names[0].split("/")[0] not in ("node", "nodes", "no"):
        raise Fail(f"error: invalid resource type {names[0] if names else ''}, only node types are supported")
    read_taints(changes)
    client = connect(ctx, line)
    out, dry = [], dry_run(line)
    for _, body in bodies(client, line, names):
        new = edited(body)
        rows = list(new["spec"].get("taints") or [])
        tainted = untainted = False
        for word in changes:
            rows, added = tainted_by(rows, word, name_of(body), overwrite=line.on("overwrite"))
            tainted, untainted = tainted or added, untainted or not added
        for row in rows:
            if row["effect"] == "NoExecute":
                row.setdefault("timeAdded", stamp(client.clock))
        new["spec"]["taints"] = rows
        if not rows:
            del new["spec"]["taints"]
        if not dry:
            client.cluster.store.update(new)
        changed = (tainted and untainted) or (tainted and line.on("overwrite"))
        word = "modified" if changed else "tainted" if tainted else "untainted"
        out.append(f"node/{name_of(body)} {word}")
    client.settle()
    return Out(stdout="".join(x + "\n" for x in out))


EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
USAGE = "\nSee 'kubectl taint -h' for help and examples"
NO_NAME = "name part must be non-empty; "
NOT_A_NAME = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
KEY = re.compile(r"(?:[a-z0-9.-]+/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")


def read_taints(changes: list[str]) -> None:
    """What ParseTaints refuses of the words alone."""
    added: set[tuple[str, str]] = set()
    gone: set[tuple[str, str]] = set()
    for word in changes:
        head, colon, effect = word.removesuffix("-").partition(":")
        key = head.partition("=")[0]
        whole = key if colon or word.endswith("-") else head
        if not KEY.fullmatch(whole):
            raise Fail(f"error: invalid taint spec: {word}, {'' if whole else NO_NAME}{NOT_A_NAME}{USAGE}")
        if colon and effect not in EFFECTS:
            raise Fail(f"error: invalid taint effect: {effect}, unsupported taint effect{USAGE}")
        (gone if word.endswith("-") else added).add((key, effect))
    both = sorted(f"{key}={effect}" for key, effect in added & gone)
    if both:
        raise Fail(
            "error: can not both modify and remove the following taint(s) in the same command: "
            + ", ".join(both)
        )


def tainted_by(rows: list[Json], word: str, node: str, *, overwrite: bool) -> tuple[list[Json], bool]:
    """The taints after one word, and whether it added one. Fail in kubectl's words."""
    gone = word.endswith("-")
    head, _, effect = word.removesuffix("-").partition(":")
    key, _, value = head.partition("=")
    if gone:
        left = [t for t in rows if not (t["key"] == key and (not effect or t["effect"] == effect))]
        if left == rows:
            raise Fail(f'error: taint "{key}{":" + effect if effect else ""}" not found')
        return left, False
    same = [t for t in rows if t["key"] == key and t["effect"] == effect]
    if same and same[0].get("value", "") != value and not overwrite:
        raise Fail(
            f"error: node {node} already has {key} taint(s) with same effect(s) and --overwrite is false"
        )
    rest = [t for t in rows if t not in same]
    return [*rest, {"key": key, **({"value": value} if value else {}), "effect": effect}], True


def named_nodes(client: Client, line: Line) -> list[Json]:
    """The nodes of cordon, uncordon and drain: names, or --selector."""
    if not line.words and not line.get("selector"):
        raise Fail(
            f"error: USAGE: {line.verb} NODE [flags]\nSee 'kubectl {line.verb} -h' for help and examples"
        )
    if line.words and line.get("selector"):
        raise Fail(
            "error: error: cannot specify both a node name and a --selector option\n"
            f"See 'kubectl {line.verb} -h' for help and examples"
        )
    if line.get("selector"):
        wanted = label_selector(BY_KIND["Node"], line.get("selector"))
        return [b for b in client.cluster.store.list("Node", "") if matches(wanted, labels_of(b))]
    out = []
    for word in line.words:
        name = word.removeprefix("nodes/").removeprefix("node/").removeprefix("no/")
        body = client.cluster.store.get("Node", "", name)
        if body is None:
            raise Fail(not_found(BY_KIND["Node"], name))
        out.append(body)
    return out


def mark(client: Client, rows: list[Json], *, on: bool, dry: str) -> list[str]:
    """Cordon or uncordon: the lines that are said."""
    word = "cordoned" if on else "uncordoned"
    out = []
    for body in rows:
        if bool(spec_of(body).get("unschedulable")) == on:
            out.append(f"node/{name_of(body)} already {word}{dry}")
            continue
        new = edited(body)
        new["spec"].pop("unschedulable", None)
        if on:
            new["spec"]["unschedulable"] = True
        if not dry:
            client.cluster.store.update(new)
        out.append(f"node/{name_of(body)} {word}{dry}")
    return out


def cordon(ctx: Context, argv: list[str], *, on: bool) -> Out:
    line = parse("cordon" if on else "uncordon", argv, (DRY, flag("selector", "l")))
    client = connect(ctx, line)
    out = mark(client, named_nodes(client, line), on=on, dry=dry_run(line))
    client.settle()
    return Out(stdout="".join(x + "\n" for x in out))


def cordon_verb(ctx: Context, argv: list[str]) -> Out:
    return cordon(ctx, argv, on=True)


def uncordon_verb(ctx: Context, argv: list[str]) -> Out:
    return cordon(ctx, argv, on=False)
