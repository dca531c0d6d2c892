"""Which objects a verb that changes them is given: words, --all, -l."""

from __future__ import annotations

from engine.kube.objects import Json, Kind
from engine.shell.tool import Fail
from engine.shell.tools.kubectl_.client import NO_RESOURCES, Client, fetch, listing, not_found, targets
from engine.shell.tools.kubectl_.flags import Line

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
    """Every object that is named. Fail for one that is not there."""
    if "filename" in line:
        from engine.shell.tools.kubectl_.manifests import named_in_files

        rows = named_in_files(client, line)
        found = [(k, n, client.cluster.store.get(k.kind, space, n)) for k, n, space in rows]
        for kind, name, body in found:
            if body is None:
                raise Fail(not_found(kind, name))
        return [(k, b) for k, _, b in found if b is not None]
    if not words:
        raise Fail(NO_NAMES.get(line.verb, NO_RESOURCES))
    if line.on("all") and line.get("selector"):
        raise Fail("error: cannot set --all and --selector at the same time")
    out: list[tuple[Kind, Json]] = []
    for kind, name in targets(client, line, words):
        if not name:
            if not line.on("all") and not line.get("selector") and not line.get("field-selector"):
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
