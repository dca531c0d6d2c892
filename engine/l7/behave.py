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
from dataclasses import replace

from engine.errors import NotModelled
from engine.l7.images import Image, find
from engine.record import dataclass
from engine.say import Phrase

FOREVER = float("inf")
SHELLS = frozenset({"sh", "bash", "ash", "zsh", "dash"})

SIMPLER = Phrase(
    en="Give the container a server's own command, `sleep infinity` or one plain command.",
    ko="컨테이너에 서버의 원래 명령이나 `sleep infinity`, 또는 단순한 명령 하나를 주십시오.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """`args` as ps shows the first process; `children` those of its own children; `listens` (proto, port) on any
    address; `seconds` until it ends by itself with `code` (FOREVER: never); `log` what it writes when it starts, on
    `stream`; `tool` = the shell must run `args`; `missing` = the executable that the image does not have."""

    args: tuple[str, ...]
    program: str = ""
    config: tuple[tuple[str, str], ...] = ()
    children: tuple[tuple[str, ...], ...] = ()
    listens: tuple[tuple[str, int], ...] = ()
    seconds: float = FOREVER
    code: int = 0
    log: tuple[str, ...] = ()
    stream: str = "stdout"
    tool: bool = False
    missing: str = ""

    @property
    def endless(self) -> bool:
        """A tool that runs until somebody stops it: it cannot be left running in the background of a lab."""
        name = self.args[0].rsplit("/", 1)[-1] if self.args else ""
        return self.tool and name in ENDLESS and not any(w.startswith(ENDLESS[name]) for w in self.args[1:])


#: Tools that go on for ever without this option.
ENDLESS = {
    "ping": "-c",
    "tcpdump": "-c",
    "top": "-n",
    "watch": "--help",
    "arping": "-c",
    "mtr": "-c",
    "vmstat": "-V",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a behaviour may depend on. `ports` are the ports that the user declared, as (proto, port)."""

    argv: tuple[str, ...]
    image: Image | None
    env: Mapping[str, str]
    ports: tuple[tuple[str, int], ...]
    tty: bool


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
        return _server(call, "registry", ("registry", "serve", *rest[-1:]), [("tcp", 5000)], page="registry")
    return _run(inner)


def _server(
    call: Call,
    program: str,
    args: Sequence[str],
    listens: Sequence[tuple[str, int]],
    *,
    children: Sequence[tuple[str, ...]] = (),
    log: Sequence[str] = (),
    **config: str,
) -> Behaviour:
    program = (
        program if program in ("http", "echo", "sink", "coredns") else "http" if "page" in config else "echo"
    )
    return Behaviour(
        args=tuple(args), program=program, config=tuple(sorted(config.items())), listens=tuple(listens),
        children=tuple(children), log=tuple(log),
    )  # fmt: skip


#: What programs do with SIGTERM: their exit code. The others have no handler: the signal ends them, but as the first
#: process of a pid namespace they do not even notice it.
TERM_CODES = {
    "nginx": 0, "httpd": 0, "redis-server": 0, "postgres": 0, "mysqld": 0, "memcached": 0, "registry": 0,
    "coredns": 0, "http-echo": 0, "agnhost": 0, "whoami": 2, "pause": 0, "containerd": 0, "dockerd": 0, "kubelet": 0,
}  # fmt: skip


def exit_code(comm: str, first: bool, signal: int) -> int | None:
    """How a process ends by a signal; `first` = it is process 1 of its pid namespace, and then None is possible: it
    ignores the signal. (man pid_namespaces: from outside only SIGKILL and SIGSTOP are forced upon it.)"""
    if signal == 9:
        return 137
    if signal in (2, 3, 15) and comm in TERM_CODES:
        return TERM_CODES[comm]
    return None if first else 128 + signal


# ---- servers


def _nginx(call: Call) -> Behaviour:
    if call.argv[1:] not in (("-g", "daemon off;"), ("-g", "daemon off; error_log /dev/stderr info;")):
        raise NotModelled(f"`{' '.join(call.argv)}`", SIMPLER())
    image = call.image
    version = image.version if image is not None else "1.29.3"
    repository = image.repository if image is not None else ""
    ports = [int(p.split("/")[0]) for p in image.ports] if image is not None and image.ports else [80]
    page, root = "file", "/usr/share/nginx/html"
    worker = ("nginx: worker process",)
    more = {"HTTP_PORT": 80, "HTTPS_PORT": 443}
    if repository.endswith("/network-multitool"):
        listens = [("tcp", int(call.env.get(k, v))) for k, v in more.items()]
    else:
        listens = [("tcp", p) for p in ports]
    log = (
        "/docker-entrypoint.sh: Configuration complete; ready for start up",
        f"[notice] 1#1: nginx/{version}",
        "[notice] 1#1: start worker processes",
    )
    return _server(
        call, "http", (f"nginx: master process {' '.join(call.argv)}",), listens, children=(worker, worker), log=log,
        page=page, docroot=root, server=f"nginx/{version}", comm="nginx",
        access="nginx",
    )  # fmt: skip


def _httpd_foreground(call: Call) -> Behaviour:
    version = call.image.version if call.image is not None else "2.4.66"
    args = ("httpd", "-DFOREGROUND")
    log = (
        f"[mpm_event:notice] [pid 1:tid 1] AH00489: Apache/{version} (Unix) configured -- resuming normal operations",
        "[core:notice] [pid 1:tid 1] AH00094: Command line: 'httpd -D FOREGROUND'",
    )
    return _server(
        call, "http", args, [("tcp", 80)], children=(args, args, args), log=log, page="file",
        docroot="/usr/local/apache2/htdocs", server=f"Apache/{version} (Unix)", access="httpd",
    )  # fmt: skip


def _busybox_httpd(call: Call) -> Behaviour:
    """busybox httpd [-f] [-v] [-p [IP:]PORT] [-h HOME]; without -f it goes to the background and its parent ends."""
    flags = _flags(call, {"-p": "PORT", "-h": "HOME", "-f": "", "-v": "", "-vv": ""})
    port = _port(call, flags.get("-p", "80").rpartition(":")[2])
    if "-f" not in flags:
        return Behaviour(args=call.argv, seconds=0, code=0)
    return _server(
        call, "http", call.argv, [("tcp", port)], page="file", docroot=flags.get("-h", "/"), server=""
    )


def _http_echo(call: Call) -> Behaviour:
    flags = _flags(call, {"-listen": "ADDR", "-text": "TEXT", "-status-code": "N"})
    text = flags.get("-text", call.env.get("ECHO_TEXT", "hello-world"))
    port = _port(call, flags.get("-listen", ":5678").rpartition(":")[2])
    return _server(
        call, "http", call.argv, [("tcp", port)], log=(f"[INFO] server is listening on :{port}",), page="text",
        text=text + "\n", server="", status=flags.get("-status-code", "200"), access="http-echo",
    )  # fmt: skip


def _whoami(call: Call) -> Behaviour:
    flags = _flags(call, {"-port": "N", "-name": "NAME", "-verbose": ""})
    port = _port(call, flags.get("-port", call.env.get("WHOAMI_PORT_NUMBER", "80")))
    name = flags.get("-name", call.env.get("WHOAMI_NAME", ""))
    log = (f"Starting up on port {port}",)
    return _server(call, "http", call.argv, [("tcp", port)], log=log, page="whoami", title=name, server="")


def _agnhost(call: Call) -> Behaviour:
    verb = call.argv[1] if len(call.argv) > 1 else "pause"
    rest = replace(call, argv=(call.argv[0], *call.argv[2:]))
    if verb == "pause":
        return Behaviour(args=call.argv, program="sleep", log=("Paused",))
    if verb == "netexec":
        flags = _flags(rest, {"-http-port": "N", "-udp-port": "N", "-sctp-port": "N"})
        if "-sctp-port" in flags:
            raise NotModelled("agnhost netexec --sctp-port", SIMPLER())
        tcp, udp = _port(call, flags.get("-http-port", "8080")), _port(call, flags.get("-udp-port", "8081"))
        listens = [("tcp", tcp), ("udp", udp)]
        log = (f"Started HTTP server on port {tcp}", f"Started UDP server on port  {udp}")
        return _server(call, "http", call.argv, listens, log=log, page="netexec", server="")
    if verb == "serve-hostname":
        flags = _flags(rest, {"-port": "N", "-http": "BOOL", "-tcp": "BOOL", "-udp": "BOOL"})
        if "true" in (flags.get("-tcp"), flags.get("-udp")):
            raise NotModelled("agnhost serve-hostname --tcp/--udp", SIMPLER())
        port = _port(call, flags.get("-port", "9376"))
        return _server(call, "http", call.argv, [("tcp", port)], page="hostname", server="")
    raise NotModelled(f"agnhost {verb}", SIMPLER())


def _echoserver(call: Call) -> Behaviour:
    args = ("nginx: master process nginx -g daemon off;",)
    return _server(
        call, "http", args, [("tcp", 8080), ("tcp", 8443)], children=(("nginx: worker process",),), page="echoserver",
        server="echoserver", comm="nginx",
    )  # fmt: skip


def _python(call: Call) -> Behaviour:
    """`python3 -m http.server [PORT]`; a bare python3 needs a terminal."""
    if call.argv[1:3] == ("-m", "http.server") and len(call.argv) <= 4:
        port = _port(call, call.argv[3]) if len(call.argv) == 4 else 8000
        listing = (
            '<!DOCTYPE HTML>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            "<title>Directory listing for /</title>\n</head>\n<body>\n<h1>Directory listing for /</h1>\n"
        )
        return _server(
            call,
            "http",
            call.argv,
            [("tcp", port)],
            page="text",
            text=listing,
            server="SimpleHTTP/0.6 Python/3.14.0",
            access="python",
        )
    if len(call.argv) == 1:
        return _needs_terminal(call)
    raise NotModelled(f"`{' '.join(call.argv)}`", SIMPLER())


def _redis(call: Call) -> Behaviour:
    flags = _flags(
        call, {"-port": "N", "-appendonly": "YES", "-save": "S", "-bind": "A", "-protected-mode": "B"}
    )
    port = _port(call, flags.get("-port", "6379"))
    log = (f"1:M * Running mode=standalone, port={port}.", "1:M * Ready to accept connections tcp")
    return _server(
        call,
        "echo",
        (f"redis-server *:{port}",),
        [("tcp", port)],
        log=log,
        reply="redis",
        comm="redis-server",
    )


POSTGRES_REFUSES = """\
Error: Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the
       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".

       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all
       connections without a password. This is *not* recommended.

       See PostgreSQL documentation about "trust":
       https://www.postgresql.org/docs/current/auth-trust.html"""
MYSQL_REFUSES = """\
[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified
    You need to specify one of the following as an environment variable:
    - MYSQL_ROOT_PASSWORD
    - MYSQL_ALLOW_EMPTY_PASSWORD
    - MYSQL_RANDOM_ROOT_PASSWORD"""


def _postgres(call: Call) -> Behaviour:
    if not call.env.get("POSTGRES_PASSWORD") and call.env.get("POSTGRES_HOST_AUTH_METHOD") != "trust":
        return Behaviour(
            args=call.argv, seconds=0, code=1, log=tuple(POSTGRES_REFUSES.splitlines()), stream="stderr"
        )
    log = ("LOG:  database system is ready to accept connections",)
    return _server(call, "echo", call.argv, [("tcp", 5432)], log=log, reply="postgres")


def _mysql(call: Call) -> Behaviour:
    keys = ("MYSQL_ROOT_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD", "MYSQL_RANDOM_ROOT_PASSWORD")
    if not any(call.env.get(k) for k in keys):
        return Behaviour(
            args=call.argv, seconds=0, code=1, log=tuple(MYSQL_REFUSES.splitlines()), stream="stderr"
        )
    log = ("[System] [MY-010931] [Server] mysqld: ready for connections.",)
    return _server(call, "echo", call.argv, [("tcp", 3306), ("tcp", 33060)], log=log, reply="mysql")


def _memcached(call: Call) -> Behaviour:
    flags = _flags(call, {"-p": "N", "-m": "MB", "-c": "N"})
    return _server(
        call, "echo", call.argv, [("tcp", _port(call, flags.get("-p", "11211")))], reply="memcached"
    )


def _coredns(call: Call) -> Behaviour:
    flags = _flags(call, {"-conf": "FILE"})
    listens = [("udp", 53), ("tcp", 53), ("tcp", 9153), ("tcp", 8080), ("tcp", 8181)]
    log = (".:53", "CoreDNS-1.13.1", "linux/amd64, go1.25.2")
    return _server(call, "coredns", call.argv, listens, log=log, conf=flags.get("-conf", "Corefile"))


def _netcat(call: Call) -> Behaviour:
    """`nc -l ...` is a server that listens and says nothing; without -l it is a client, a tool."""
    letters = "".join(w[1:] for w in call.argv[1:] if w.startswith("-") and not w.startswith("--"))
    if "l" not in letters:
        return Behaviour(args=call.argv, tool=True, seconds=0)
    numbers = [w for w in call.argv[1:] if w.isdigit()]
    if not numbers or "e" in letters or "c" in letters:
        raise NotModelled(f"`{' '.join(call.argv)}`", SIMPLER())
    proto = "udp" if "u" in letters else "tcp"
    return _server(call, "sink", call.argv, [(proto, _port(call, numbers[-1]))])


def _hello_world(call: Call) -> Behaviour:
    log = (
        "",
        "Hello from Docker!",
        "This message shows that your installation appears to be working correctly.",
        "",
    )
    return Behaviour(args=call.argv, seconds=0, log=log)


def _pause(call: Call) -> Behaviour:
    return Behaviour(args=call.argv, program="pause")


SERVERS: dict[str, Callable[[Call], Behaviour]] = {
    "nginx": _nginx, "httpd-foreground": _httpd_foreground, "httpd": _busybox_httpd, "http-echo": _http_echo,
    "whoami": _whoami, "agnhost": _agnhost, "run.sh": _echoserver, "python3": _python, "python": _python,
    "redis-server": _redis, "postgres": _postgres, "mysqld": _mysql, "memcached": _memcached, "coredns": _coredns,
    "nc": _netcat, "hello": _hello_world, "pause": _pause,
}  # fmt: skip


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


def _needs_terminal(call: Call) -> Behaviour:
    """A program that reads its input: with a terminal it waits, without one it ends at once."""
    return Behaviour(args=call.argv, program="sleep", seconds=FOREVER if call.tty else 0)


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
        return _needs_terminal(call)
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
        listens = _netcat(replace(call, argv=tuple(_split(answers[3])))).listens
        text = re.split(
            r"(?:\\r)?\\n(?:\\r)?\\n", body[: answers.start(3)].rsplit(answers[1], 1)[0], maxsplit=1
        )
        page = (text[1] if len(text) > 1 else "").replace("\\n", "\n")
        return _server(call, "http", call.argv, listens, page="text", text=page, status=answers[2], server="")
    parts = [_split(part) for part in re.split(r"\s*(?:;|&&|\n)\s*", body) if part]
    if parts and parts[0][:1] == ["nc"] and len(parts) == 1:
        return replace(_netcat(replace(call, argv=tuple(parts[0]))), args=call.argv)
    if any(words[:1] and words[0] not in IDLE for words in parts) or re.search(r"[|&<>`]|\$\(", body):
        raise NotModelled(f"`while ...; do {body}; done`", SIMPLER())
    return Behaviour(args=call.argv, program="sleep")


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise NotModelled(f"`{text}`", SIMPLER()) from None


def _flags(call: Call, known: Mapping[str, str]) -> dict[str, str]:
    """Go's and busybox' flags after argv[0]: `-name value`, `--name=value`. Keys have one dash. NotModelled for
    a flag or a word that is not in `known`."""
    out: dict[str, str] = {}
    rest = list(call.argv[1:])
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        key = "-" + name.lstrip("-")
        if not word.startswith("-") or key not in known:
            raise NotModelled(f"{call.argv[0]} {word}", SIMPLER())
        if known[key] and not equals:
            value = rest.pop(0) if rest else ""
        out[key] = value
    return out


def _port(call: Call, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < 65536:
        raise NotModelled(f"{call.argv[0]}: port {text!r}", SIMPLER())
    return int(text)
