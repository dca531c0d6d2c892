"""download: take a file out of the lab, to open it with a program of one's own (Wireshark, an editor).

Rules. The lab only hands out the bytes and a name without folders; whoever runs the shell decides where they go.
"""

from __future__ import annotations

import posixpath

from engine.say import Phrase
from engine.shell.binary import as_bytes
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Out, Tool


def _run(ctx: Context, argv: list[str]) -> Out:
    if not argv or argv[0].startswith("-"):
        raise Fail("usage: download FILE...", 2)
    found: list[tuple[str, bytes]] = []
    for word in argv:
        try:
            data = as_bytes(ctx.files.read(ctx.path(word)))
        except FileError as error:
            raise Fail(f"download: {word}: {error.reason}") from None
        found.append((posixpath.basename(ctx.path(word)), data))
    return Out(downloads=tuple(found))


TOOL = Tool(
    name="download",
    summary=Phrase("take a file out of the lab", "실습 환경의 파일을 밖으로 꺼냅니다"),
    run=_run,
    group="shell",
    builtin=True,
    usage=("download FILE...", "tcpdump -i eth0 -w a.pcap; download a.pcap"),
)
