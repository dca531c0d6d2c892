"""kubectl label, annotate, scale, taint, cordon, uncordon, set image: small changes of stored objects."""

from __future__ import annotations

from collections.abc import Callable

from engine.kube.clock import stamp
from engine.kube.objects import BY_KIND, Json, Kind, edited, meta, name_of, namespace_of, spec_of
from engine.kube.podspec import every_container
from engine.kube.validate import LABEL_VALUE, LABEL_VALUE_TEXT
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import (
    NO_RESOURCES,
    Client,
    connect,
    fetch,
    later,
    listing,
    not_found,
    ref,
    targets,
)
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.write import DRY

COMMON = (
    switch("overwrite"), switch("all"), flag("selector", "l"), flag("field-selector"), flag("output", "o"), DRY,
    switch("list"), refused("filename", "f", value=True), switch("all-namespaces", "A"), flag("resource-version"),
    flag("field-manager"), switch("local"),
)  # fmt: skip
SCALE = (
    flag("replicas"), flag("current-replicas"), flag("resource-version"), flag("timeout"), switch("all"),
    flag("selector", "l"), refused("filename", "f", value=True), DRY, flag("output", "o"),
)  # fmt: skip


WHICH = "error: one or more resources must be specified as <resource> <name>"
NO_NAMES = {
    "label": f"{WHICH} or <resource>/<name>",
    "annotate": f"{WHICH} or <resource>/<name>",
    "taint": WHICH,
}


def split_words(line: Line) -> tuple[list[str], list[str]]:
    """(words that name objects, words that say what changes: k=v, k-)."""
    names, changes = [], []
    for word in line.words:
        if "=" in word or word.endswith("-"):
            changes.append(word)
        else:
            names.append(word)
    return names, changes


def bodies(client: Client, line: Line, words: list[str]) -> list[tuple[Kind, Json]]:
    if not words:
        raise Fail(NO_NAMES.get(line.verb, NO_RESOURCES))
    out: list[tuple[Kind, Json]] = []
    for kind, name in targets(client, line, words):
        if not name:
            if not line.on("all") and not line.get("selector"):
                raise Fail("error: resource(s) were provided, but no name was specified")
            out += [(kind, b) for b in listing(client, kind, everywhere=line.on("all-namespaces"), line=line)]
            continue
        body = fetch(client, kind, name)
        if body is None and line.verb == "scale":
            raise Fail(f'error: no objects passed to scale {kind.resource} "{name}" not found')
        if body is None:
            raise Fail(not_found(kind, name))
        out.append((kind, body))
    return out


def label(ctx: Context, argv: list[str]) -> Out:
    return metadata(ctx, argv, "label", "labels", "labeled")


def annotate(ctx: Context, argv: list[str]) -> Out:
    return metadata(ctx, argv, "annotate", "annotations", "annotated")


def metadata(ctx: Context, argv: list[str], verb: str, key: str, done: str) -> Out:
    line = parse(verb, argv, COMMON)
    client = connect(ctx, line)
    names, changes = split_words(line)
    if not names:
        raise Fail(NO_NAMES[verb])
    if not changes and not line.on("list"):
        raise Fail(f"error: at least one {verb if verb == 'label' else 'annotation'} update is required")
    out: list[str] = []
    for kind, body in bodies(client, line, names):
        if line.on("list"):
            out += [f"{k}={v}" for k, v in sorted((meta(body).get(key) or {}).items())]
            continue
        new = edited(body)
        values = new["metadata"].setdefault(key, {})
        before = dict(values)
        for word in changes:
            change(kind, body, values, word, key, overwrite=line.on("overwrite"))
        if not values:
            del new["metadata"][key]
        removed = len(values) < len(before)
        word = "not " + done if values == before else "unlabeled" if removed and verb == "label" else done
        if line.get("dry-run", "none") == "none":
            client.cluster.store.update(new)
        out.append(f"{ref(kind, name_of(body))} {word}")
    client.settle()
    return Out(stdout="".join(x + "\n" for x in out))


def change(kind: Kind, body: Json, values: dict[str, str], word: str, key: str, *, overwrite: bool) -> None:
    name, equals, value = word.partition("=")
    if not equals:
        values.pop(word.removesuffix("-"), None)
        return
    if key == "labels" and (not LABEL_VALUE.fullmatch(value) or len(value) > 63):
        raise Fail(f'error: invalid label value: "{word}": {LABEL_VALUE_TEXT}')
    if name in values and values[name] != value and not overwrite:
        what = "label" if key == "labels" else "annotation"
        raise Fail(f"error: '{name}' already has a value ({values[name]}), and --overwrite is false" if what == "label"
                   else f"error: --overwrite is false but found the following declared annotation(s): '{name}' already "
                        f"has a value ({values[name]})")  # fmt: skip
    values[name] = value


def scale(ctx: Context, argv: list[str]) -> Out:
    line = parse("scale", argv, SCALE)
    if not line.get("replicas"):
        raise Fail('error: required flag(s) "replicas" not set')
    if not line.get("replicas").isdigit():
        raise Fail(
            "error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"
        )
    client = connect(ctx, line)
    out: list[str] = []
    for kind, body in bodies(client, line, line.words):
        if kind.kind not in ("Deployment", "ReplicaSet", "StatefulSet"):
            raise Fail("Error from server (NotFound): the server could not find the requested resource")
        wanted = int(line.get("replicas"))
        if line.get("current-replicas") and int(line.get("current-replicas")) != int(
            spec_of(body)["replicas"]
        ):
            raise Fail(
                f"error: Expected replicas to be {line.get('current-replicas')}, was {spec_of(body)['replicas']}"
            )
        client.cluster.store.change(kind.kind, namespace_of(body), name_of(body), replicas(wanted))
        out.append(f"{ref(kind, name_of(body))} scaled")
    client.settle()
    return Out(stdout="".join(x + "\n" for x in out))


def replicas(count: int) -> Callable[[Json], None]:
    def put(body: Json) -> None:
        body["spec"]["replicas"] = count

    return put


def taint(ctx: Context, argv: list[str]) -> Out:
    """kubectl taint nodes NAME key=value:Effect, key:Effect-, key-"""
    line = parse("taint", argv, COMMON)
    client = connect(ctx, line)
    names = [w for w in line.words if ":" not in w and not w.endswith("-")]
    changes = [w for w in line.words if w not in names]
    if not line.words:
        raise Fail(NO_NAMES["taint"])
    if not changes:
        raise Fail("error: at least one taint update is required")
    if not names or names[0].split("/")[0] not in ("node", "nodes", "no"):
        raise Fail(f"error: invalid resource type {names[0] if names else ''}, only node types are supported")
    out = []
    for _, body in bodies(client, line, names):
        new = edited(body)
        rows = list(new["spec"].get("taints") or [])
        tainted = False
        for word in changes:
            rows, added = tainted_by(rows, word, name_of(body), overwrite=line.on("overwrite"))
            for taint in rows:
                if taint["effect"] == "NoExecute":
                    taint.setdefault("timeAdded", stamp(client.clock))
            tainted = tainted or added
        new["spec"]["taints"] = rows
        if not rows:
            del new["spec"]["taints"]
        client.cluster.store.update(new)
        out.append(f"node/{name_of(body)} {'tainted' if tainted else 'untainted'}")
    client.settle()
    return Out(stdout="".join(x + "\n" for x in out))


def tainted_by(rows: list[Json], word: str, node: str, *, overwrite: bool) -> tuple[list[Json], bool]:
    gone = word.endswith("-")
    head, _, effect = word.removesuffix("-").partition(":")
    key, _, value = head.partition("=")
    if effect and effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise Fail(f"error: invalid taint effect: {effect}, unsupported taint effect")
    if gone:
        left = [t for t in rows if not (t["key"] == key and (not effect or t["effect"] == effect))]
        if left == rows:
            raise Fail(f'error: taint "{key}{":" + effect if effect else ""}" not found')
        return left, False
    if not effect:
        raise Fail(f"error: unknown taint spec: {word}")
    same = [t for t in rows if t["key"] == key and t["effect"] == effect]
    if same and same[0].get("value", "") != value and not overwrite:
        raise Fail(
            f"error: node {node} already has {key} taint(s) with same effect(s) and --overwrite is false"
        )
    rest = [t for t in rows if t not in same]
    return [*rest, {"key": key, **({"value": value} if value else {}), "effect": effect}], True


def cordon(ctx: Context, argv: list[str], *, on: bool) -> Out:
    line = parse("cordon" if on else "uncordon", argv, (DRY, flag("selector", "l")))
    client = connect(ctx, line)
    word = "cordoned" if on else "uncordoned"
    if not line.words:
        raise Fail(
            f"error: USAGE: {line.verb} NODE [flags]\nSee 'kubectl {line.verb} -h' for help and examples"
        )
    out = []
    for name in line.words:
        name = name.removeprefix("node/")
        body = client.cluster.store.get("Node", "", name)
        if body is None:
            raise Fail(not_found(BY_KIND["Node"], name))
        if bool(spec_of(body).get("unschedulable")) == on:
            out.append(f"node/{name} already {word}")
            continue
        new = edited(body)
        new["spec"].pop("unschedulable", None)
        if on:
            new["spec"]["unschedulable"] = True
        client.cluster.store.update(new)
        out.append(f"node/{name} {word}")
    client.settle()
    return Out(stdout="".join(x + "\n" for x in out))


def set_verb(ctx: Context, argv: list[str]) -> Out:
    """kubectl set image KIND NAME CONTAINER=IMAGE"""
    if argv[:1] != ["image"]:
        raise later(f"kubectl set {argv[0] if argv else ''}".strip())
    line = parse("set image", argv[1:], COMMON)
    client = connect(ctx, line)
    names, changes = split_words(line)
    if not line.words:
        raise Fail(NO_RESOURCES)
    if not changes:
        raise Fail("error: at least one image update is required")
    out = []
    for kind, body in bodies(client, line, names):
        new = edited(body)
        spec = spec_of(new) if kind.kind == "Pod" else spec_of(spec_of(new).get("template") or {})
        known = {c["name"]: c for c in every_container(spec)}
        for word in changes:
            name, _, image = word.partition("=")
            if name != "*" and name not in known:
                raise Fail(f'error: unable to find container named "{name}"')
            for container in known.values():
                if name in ("*", container["name"]):
                    container["image"] = image
        if new != body:
            client.cluster.store.update(new)
            out.append(f"{ref(kind, name_of(body))} image updated")
    client.settle()
    return Out(stdout="".join(x + "\n" for x in out))
