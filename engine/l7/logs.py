"""What a program in a container writes on its standard streams, in the file that its runtime keeps.

Theory. dockerd keeps one JSON object a line (the json-file driver). A process carries the path of its file in
its configuration (`log`), and how its server logs a request (`access`); one without a path writes nowhere.

Rules. A program writes here while it answers, as the kernel writes its own tables while a packet passes: no op. The
formats are those of the servers' default configurations in the official images.
"""

from __future__ import annotations

import json

from engine.linux.addr import text4
from engine.linux.clock import moment, rfc3339
from engine.linux.exchange import Delivery


def entry(line: str, stream: str, clock: float) -> str:
    """One line as the json-file driver keeps it."""
    row = {"log": line + "\n", "stream": stream, "time": rfc3339(clock)}
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n"


def lines(text: str) -> list[tuple[str, str]]:
    """A file's lines: (stream, text)."""
    out = []
    for row in text.splitlines():
        try:
            one = json.loads(row)
            out.append((str(one["stream"]), str(one["log"]).removesuffix("\n")))
        except (ValueError, KeyError, TypeError):
            continue
    return out


def write(delivery: Delivery, line: str, stream: str = "stdout") -> None:
    """Append a line to the log of the process that answers."""
    path = dict(delivery.proc.config).get("log", "") if delivery.proc is not None else ""
    if path:
        files = delivery.net.boxes[delivery.ns.box].files
        files[path] = files.get(path, "") + entry(line, stream, delivery.net.clock)


def access(
    delivery: Delivery, kind: str, request: str, host: str, agent: str, status: int, size: int
) -> None:
    """The line of one HTTP request. `kind` is the server's style; `request` as in `GET / HTTP/1.1`."""
    client, when = text4(delivery.client[0]), moment(delivery.net.clock)
    stamp = when.strftime("%d/%b/%Y:%H:%M:%S +0000")
    if kind == "nginx":
        write(delivery, f'{client} - - [{stamp}] "{request}" {status} {size} "-" "{agent}" "-"')
    elif kind == "httpd":
        write(delivery, f'{client} - - [{stamp}] "{request}" {status} {size or "-"}')
    elif kind == "python":
        plain = when.strftime("%d/%b/%Y %H:%M:%S")
        write(delivery, f'{client} - - [{plain}] "{request}" {status} -', "stderr")
    elif kind == "http-echo":
        plain = when.strftime("%Y/%m/%d %H:%M:%S")
        line = f'{plain} {host} {client}:{delivery.client[1]} "{request}" {status} {size} "{agent}" 12.25µs'
        write(delivery, line)
