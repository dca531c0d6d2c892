"""kubectl wait: let the virtual clock run until something holds."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.kube.objects import Kind, name_of, namespace_of, status_of
from engine.linux.ops import Advance
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import Client, connect, fetch, listing, not_found, ref, targets
from engine.shell.tools.kubectl_.flags import flag, parse, switch
from engine.shell.tools.kubectl_.jsonpath import JsonPathError, render

WAIT = (
    flag("for"), flag("timeout"), flag("selector", "l"), flag("field-selector"), switch("all"),
    switch("all-namespaces", "A"), flag("output", "o"),
)  # fmt: skip


def seconds(text: str) -> float:
    """A Go duration: 30s, 1m30s, 5m."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|m|s|ms)", text)
    if not parts or "".join(a + b for a, b in parts) != text:
        if text in ("0", "-1s", "-1"):
            return 0.0 if text == "0" else 7 * 86400.0
        raise Fail(f'error: invalid argument "{text}" for "--timeout" flag: time: invalid duration "{text}"')
    return sum(float(a) * {"h": 3600, "m": 60, "s": 1, "ms": 0.001}[b] for a, b in parts)


def wait(ctx: Context, argv: list[str]) -> Out:
    line = parse("wait", argv, WAIT)
    client = connect(ctx, line)
    kind, _, want = line.get("for").partition("=")
    if kind not in ("condition", "delete", "create", "jsonpath"):
        raise Fail(f'error: unrecognized condition: "{line.get("for")}"')
    rows: list[tuple[Kind, str, str]] = []
    for k, name in targets(client, line, line.words):
        if name:
            missing = fetch(client, k, name) is None
            if missing and kind not in ("delete", "create"):
                raise Fail(not_found(k, name))
            if missing and kind == "delete":
                continue
            rows.append((k, client.namespace if k.namespaced else "", name))
        else:
            found = listing(client, k, everywhere=line.on("all-namespaces"), line=line)
            if not found:
                raise Fail("error: no matching resources found")
            rows += [(k, namespace_of(b), name_of(b)) for b in found]
    limit = seconds(line.get("timeout", "30s"))
    lines, errors = [], []
    for k, namespace, name in rows:

        def done(k: Kind = k, namespace: str = namespace, name: str = name) -> bool:
            return holds(client, k, namespace, name, kind, want)

        if pass_time(client, limit, done):
            lines.append(f"{ref(k, name)} {'deleted' if kind == 'delete' else 'condition met'}")
        else:
            errors.append(
                f"error: timed out waiting for the condition on {k.plural}{'.' + k.group if k.group else ''}/{name}"
            )
    return Out(
        stdout="".join(x + "\n" for x in lines),
        stderr="".join(x + "\n" for x in errors),
        code=1 if errors else 0,
    )


def pass_time(client: Client, limit: float, done: Callable[[], bool]) -> bool:
    """Let a second pass at a time until `done()` holds or the limit is over."""
    start = client.clock
    while True:
        if done():
            return True
        if client.clock - start >= limit:
            return False
        client.ctx.do(Advance(seconds=min(1.0, limit - (client.clock - start))))
        client.settle()


def holds(client: Client, kind: Kind, namespace: str, name: str, what: str, want: str) -> bool:
    body = client.cluster.store.get(kind.kind, namespace, name)
    if what == "delete":
        return body is None
    if body is None:
        return False
    if what == "create":
        return True
    if what == "condition":
        word, _, status = want.partition("=")
        rows = status_of(body).get("conditions") or []
        return any(
            c["type"].lower() == word.lower() and c["status"].lower() == (status or "true").lower()
            for c in rows
        )
    path, equals, value = want.partition("=")
    try:
        found = render(path, body)
    except JsonPathError as error:
        raise Fail(f"error: {error}") from None
    return found == value if equals else bool(found)
