"""What a command line does inside an image: which program it is, what it listens on, when it ends.

Theory. A container is a process with an argv (entrypoint and command). `behave` turns the argv into a Behaviour:
a server (a program of this room and its sockets), a wait (sleep, tail -f), an end with an exit code, or a `tool`, a
command that the lab's shell has to run in the container. Every runtime asks here, docker and containerd alike.

Rules. A flag of a known server that is not understood is NotModelled, never ignored. What a program needs from its
environment (POSTGRES_PASSWORD ...) decides as in its real entrypoint. An image outside the catalogue listens on the
ports that its user declared, and nothing is known about its tools.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from engine.errors import NotModelled
from engine.l7.behaviour import FOREVER, SIMPLER, Behaviour, Call, exit_code, needs_terminal, server
from engine.l7.images import Image, find
from engine.l7.servers import SERVERS, netcat
from engine.record import replace

__all__ = ["FOREVER", "SHELLS", "Behaviour", "behave", "command_line", "exit_code"]
SHELLS = frozenset({"sh", "bash", "ash", "zsh", "dash"})


def command_line(image: Image | None, entrypoint: Sequence[str], command: Sequence[str]) -> tuple[str, ...]:
    """The argv of a container: the image's entrypoint and command unless the user gives his own. An entrypoint of
    the user's drops the image's command, as in docker and in Kubernetes."""
    if entrypoint:
        return (*entrypoint, *command)
    if image is None:
        return tuple(command)
    return (*image.entrypoint, *(command or image.cmd))


def behave(
    image: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    ports: Sequence[tuple[str, int]] = (),
    tty: bool = False,
) -> Behaviour:
    """What `argv` (entrypoint and command together) does in `image`. Raises NotModelled."""
    known = find(image) if image else None
    merged = {**dict(known.env if known is not None else ()), **(env or {})}
    call = Call(argv=tuple(argv), image=known, env=merged, ports=tuple(ports), tty=tty)
    return _run(call)


def _run(call: Call) -> Behaviour:
    argv = call.argv
    if not argv:
        return _declared(call)
    name = argv[0].rsplit("/", 1)[-1]
    if name in ("docker-entrypoint.sh", "entrypoint.sh") or (
        name in SHELLS and argv[1:2] == ("/docker/entrypoint.sh",)
    ):
        return _entrypoint(call, argv[2:] if name in SHELLS else argv[1:])
    server = SERVERS.get(name)
    if server is not None and _ships(call, name):
        return server(call)
    if name in WAITS:
        return WAITS[name](call)
    if name in SHELLS and _ships(call, name):
        return _shell(call)
    if call.image is None:
        return _declared(call)
    if not _ships(call, name):
        return Behaviour(args=argv, missing=argv[0], seconds=0, code=127)
    return Behaviour(args=argv, tool=True, seconds=0)


def _ships(call: Call, name: str) -> bool:
    """Is there such an executable in the image: a tool of it, or the first word of what it starts by itself?"""
    if call.image is None:
        return True
    own = {w.rsplit("/", 1)[-1] for w in (*call.image.entrypoint[:1], *call.image.cmd[:1])}
    return name in call.image.tools or name in own or name in _EXTRA.get(call.image.repository, ())


_EXTRA: dict[str, tuple[str, ...]] = {
    "docker.io/wbitt/network-multitool": ("nginx",),
    "docker.io/praqma/network-multitool": ("nginx",),
    "docker.io/nicolaka/netshoot": ("nc", "python3"),
}


def _declared(call: Call) -> Behaviour:
    """An image that nobody knows: it serves what it declares, tcp by HTTP and udp by echo; else it waits."""
    http = any(proto == "tcp" for proto, _ in call.ports)
    program = "http" if http else "echo" if call.ports else "sleep"
    config = (("page", "plain"),) if http else ()
    return Behaviour(args=call.argv or ("/app",), program=program, config=config, listens=call.ports)


def _entrypoint(call: Call, rest: tuple[str, ...]) -> Behaviour:
    """The entrypoint scripts of the official images: prepare, then exec the command."""
    inner = replace(call, argv=rest or ("sh",))
    image = call.image.repository if call.image is not None else ""
    if image.endswith("/curl") and rest and (rest[0].startswith("-") or ("/" in rest[0] and ":" in rest[0])):
        return _run(replace(call, argv=("curl", *rest)))
    if image.endswith("/registry"):
        return server("http", ("registry", "serve", *rest[-1:]), [("tcp", 5000)], page="registry")
    return _run(inner)


# ---- waits, shells


def _sleep(call: Call) -> Behaviour:
    total = 0.0
    for word in call.argv[1:]:
        if word in ("infinity", "inf"):
            total = FOREVER
            continue
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", word)
        if match is None:
            text = f"sleep: invalid time interval '{word}'"
            return Behaviour(args=call.argv, seconds=0, code=1, log=(text,), stream="stderr")
        total += float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]
    if len(call.argv) == 1:
        return Behaviour(args=call.argv, seconds=0, code=1, log=("sleep: missing operand",), stream="stderr")
    return Behaviour(args=call.argv, program="sleep", seconds=total)


def _tail(call: Call) -> Behaviour:
    if "-f" in call.argv or "-F" in call.argv:
        return Behaviour(args=call.argv, program="sleep")
    return Behaviour(args=call.argv, tool=True, seconds=0)


WAITS: dict[str, Callable[[Call], Behaviour]] = {"sleep": _sleep, "tail": _tail}

_LOOP = re.compile(r"\s*while\s+(?:true|:|sleep\s+\S+)\s*(?:;|\n)\s*do\b(.*?)(?:;|\n)?\s*done\s*;?\s*", re.S)
_ANSWERS = re.compile(
    r"""(?:echo|printf)\s+(?:-e\s+)?(["'])HTTP/1\.[01] (\d+)[^\n]*?\1\s*\|\s*(nc\b[^|;&\n]*)"""
)
#: What a loop may do over and over without anything to be seen from outside.
IDLE = frozenset({"sleep", "echo", "date", "true", ":", "wait", "hostname"})


def _shell(call: Call) -> Behaviour:
    """A shell without script waits on a terminal; `sh -c SCRIPT` does what its commands do, in order."""
    if len(call.argv) == 1:
        return needs_terminal(call)
    if call.argv[1] not in ("-c", "-ec", "-xc") or len(call.argv) < 3:
        raise NotModelled(f"`{' '.join(call.argv)}`", SIMPLER())
    return replace(script(call, call.argv[2]), args=call.argv)


def script(call: Call, text: str) -> Behaviour:
    """What a small script does: echo, sleep, exit, an endless loop, one server at its end; else it is a tool."""
    loop = _LOOP.fullmatch(text)
    if loop is not None:
        return _loop(call, loop[1].strip())
    log: list[str] = []
    seconds = 0.0
    for part in re.split(r"\s*(?:;|&&|\n)\s*", text.strip()):
        if not part or part.startswith("#"):
            continue
        if re.search(r"[|&<>$`(){}]", part):
            return Behaviour(args=call.argv, tool=True, seconds=0)
        words = _split(part)
        if words[:1] == ["exec"]:
            words = words[1:]
        if words[:1] == ["echo"]:
            log.append(" ".join(words[1:]))
        elif words[:1] == ["exit"] and len(words) < 3:
            code = int(words[1]) if words[1:] and words[1].isdigit() else 0
            return Behaviour(
                args=call.argv, program="sleep", seconds=seconds, code=code & 255, log=tuple(log)
            )
        elif words[:1] in (["true"], [":"], ["trap"], ["set"]):
            continue
        else:
            inner = _run(replace(call, argv=tuple(words)))
            if inner.tool:
                return Behaviour(args=call.argv, tool=True, seconds=0)
            if inner.missing:
                log.append(f"sh: {inner.missing}: not found")
                return Behaviour(args=call.argv, seconds=seconds, code=127, log=tuple(log))
            log += inner.log
            seconds += inner.seconds
            if inner.seconds == FOREVER or inner.code:
                return replace(inner, seconds=seconds, log=tuple(log))
    return Behaviour(args=call.argv, program="sleep", seconds=seconds, log=tuple(log))


def _loop(call: Call, body: str) -> Behaviour:
    """An endless loop: it idles, or it is a server that answers every connection with the same text."""
    answers = _ANSWERS.fullmatch(body)
    if answers is not None:
        listens = netcat(replace(call, argv=tuple(_split(answers[3])))).listens
        text = re.split(
            r"(?:\\r)?\\n(?:\\r)?\\n", body[: answers.start(3)].rsplit(answers[1], 1)[0], maxsplit=1
        )
        page = (text[1] if len(text) > 1 else "").replace("\\n", "\n")
        return server("http", call.argv, listens, page="text", text=page, status=answers[2], server="")
    parts = [_split(part) for part in re.split(r"\s*(?:;|&&|\n)\s*", body) if part]
    if parts and parts[0][:1] == ["nc"] and len(parts) == 1:
        return replace(netcat(replace(call, argv=tuple(parts[0]))), args=call.argv)
    if any(words[:1] and words[0] not in IDLE for words in parts) or re.search(r"[|&<>`]|\$\(", body):
        raise NotModelled(f"`while ...; do {body}; done`", SIMPLER())
    return Behaviour(args=call.argv, program="sleep")


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise NotModelled(f"`{text}`", SIMPLER()) from None
