"""kubectl get --watch: the table, then a row for everything that changes while virtual time passes.

Rules. Real kubectl goes on until Ctrl-C. Here it ends by itself when nothing has changed for a while, and says so.
"""

from __future__ import annotations

from engine.kube.objects import Json, Kind
from engine.linux.ops import Advance
from engine.say import Phrase
from engine.shell.tool import Out
from engine.shell.tools.kubectl_.client import Client, fetch, listing
from engine.shell.tools.kubectl_.flags import Line

#: Virtual seconds without a change after which the watch ends, and the longest watch.
QUIET, LONGEST = 40.0, 600.0
ENDED = Phrase(
    en="nothing changed for {seconds} s, so the watch was ended (Ctrl-C)",
    ko="{seconds}초 동안 바뀐 것이 없어 감시를 끝냈습니다 (Ctrl-C)",
)


class Aligned:
    """Rows under each other, each column as wide as its widest cell so far (tabwriter's RememberWidths)."""

    def __init__(self) -> None:
        self.widths: list[int] = []

    def put(self, rows: list[list[str]]) -> str:
        for row in rows:
            self.widths += [0] * (len(row) - len(self.widths))
            for i, cell in enumerate(row[:-1]):
                self.widths[i] = max(self.widths[i], len(cell))
        out = ""
        for row in rows:
            cells = [c.ljust(max(self.widths[i] + 3, 6)) for i, c in enumerate(row[:-1])]
            out += "".join(cells) + row[-1] + "\n"
        return out


def watch(client: Client, line: Line, kind: Kind, name: str) -> Out:
    from engine.shell.tools.kubectl_.get import rows_of

    table = Aligned()
    store = client.cluster.store

    def now() -> dict[tuple[str, str], Json]:
        if name:
            body = fetch(client, kind, name)
            rows = [body] if body is not None else []
        else:
            rows = listing(client, kind, everywhere=line.on("all-namespaces"), line=line)
        return {(str(r["metadata"].get("namespace", "")), str(r["metadata"]["name"])): r for r in rows}

    known = now()
    header, cells = rows_of(client, line, kind, list(known.values()))
    out = ""
    if not line.on("watch-only"):
        if known:
            out += table.put(cells if line.on("no-headers") else [header, *cells])
        else:
            table.put([header])
    elif not line.on("no-headers"):
        table.put([header, *cells])
    shown_head = bool(out) or line.on("no-headers")
    start = last = client.clock
    while client.clock - last < QUIET and client.clock - start < LONGEST:
        before = store.version
        client.ctx.do(Advance(seconds=1.0))
        client.settle()
        if store.version == before:
            continue
        found = now()
        changed = [b for k, b in found.items() if known.get(k) is not b]
        changed += [b for k, b in known.items() if k not in found]
        if changed:
            changed.sort(key=lambda b: int(b["metadata"].get("resourceVersion", 0)))
            _, cells = rows_of(client, line, kind, changed)
            if not shown_head:
                out += table.put([header])
                shown_head = True
            out += table.put(cells)
            last = client.clock
        known = found
    return Out(stdout=out, stderr=ENDED(seconds=int(QUIET)).text(client.ctx.lang) + "\n")
