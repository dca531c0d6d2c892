"""python3 -m http.server: the web server that everybody has. Nothing else of python runs here."""

from __future__ import annotations

from engine.errors import NotModelled, OpError
from engine.linux.addr import ip4
from engine.say import Phrase
from engine.shell.names import is_address
from engine.shell.servers import start
from engine.shell.sockets import errno_text
from engine.shell.tool import Context, Fail, Opt, Out, Tool

ONLY = Phrase(en="`python3 -m http.server [PORT]` is.", ko="`python3 -m http.server [포트]`는 됩니다.")
LISTING = (
    '<!DOCTYPE HTML>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    "<title>Directory listing for /</title>\n</head>\n<body>\n<h1>Directory listing for /</h1>\n"
    "<hr>\n<ul>\n{rows}</ul>\n"
    "<hr>\n</body>\n</html>\n"
)
NUMBERS = {"EADDRINUSE": 98, "EADDRNOTAVAIL": 99}


def _run(ctx: Context, argv: list[str]) -> Out:
    if argv[:2] != ["-m", "http.server"]:
        raise NotModelled(" ".join(["python3", *argv]), ONLY())
    got = TOOL.parse(argv[2:])
    port = got.words[0] if got.words else "8000"
    if len(got.words) > 1 or not port.isdigit() or not 0 < int(port) < 65536:
        text = "usage: server.py [-h] [--cgi] [-b ADDRESS] [-d DIRECTORY] [-p VERSION] [port]\n"
        raise Fail(f"{text}server.py: error: argument port: invalid int value: '{port}'", 2)
    address = 0
    if "-b" in got:
        word = got.last("-b")
        if not is_address(word):
            raise NotModelled(f"http.server --bind {word}")
        address = ip4(word)
    folder = ctx.path(got.last("-d", ctx.cwd))
    config: dict[str, str] = {"page": "text", "server": "SimpleHTTP/0.6 Python/3.13.5"}
    if ctx.files.kind(folder.rstrip("/") + "/index.html") == "file":
        config |= {"page": "file", "root": folder, "rootfs": ctx.spot.root}
    else:
        names = ctx.files.list(folder, quiet=True)
        config["text"] = LISTING.replace(
            "{rows}", "".join(f'<li><a href="{n}">{n}</a></li>\n' for n in names)
        )
    try:
        return start(ctx, ("python3", *argv), "tcp", int(port), address=address, program="http", **config)
    except OpError as error:
        raise Fail(f"OSError: [Errno {NUMBERS.get(error.errno, 22)}] {errno_text(error.errno)}") from None


TOOL = Tool(
    name="python3",
    summary=Phrase(
        "`python3 -m http.server PORT`: a web server", "`python3 -m http.server 포트`로 웹 서버를 엽니다"
    ),
    run=_run,
    group="packet",
    background=True,
    usage=("python3 -m http.server [-b ADDRESS] [PORT] &",),
    opts=(
        Opt(("-b", "--bind"), "ADDRESS", Phrase("listen on this address", "이 주소에서만 엽니다")),
        Opt(("-d", "--directory"), "DIR", Phrase("serve this folder", "이 폴더를 보여 줍니다")),
        Opt(("--cgi",), refused=True),
        Opt(("-p", "--protocol"), "VERSION", refused=True),
    ),
    after_unknown=(),
    usage_code=2,
)
