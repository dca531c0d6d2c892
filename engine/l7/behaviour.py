"""What a process in a container is and does, as a value; how it ends by a signal.

Rules. `behave.py` makes Behaviours, runtimes act on them. Nothing here knows an image or a program by more than its
name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.errors import NotModelled
from engine.l7.images import Image
from engine.record import dataclass
from engine.say import Phrase

FOREVER = float("inf")

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


#: What programs do with SIGTERM: their exit code. The others have no handler: the signal ends them, but as the first
#: process of a pid namespace they do not even notice it.
TERM_CODES = {
    "nginx": 0, "httpd": 0, "redis-server": 0, "postgres": 0, "mysqld": 0, "memcached": 0, "registry": 0,
    "coredns": 0, "node-cache": 0, "http-echo": 0, "agnhost": 0, "whoami": 2, "pause": 0, "containerd": 0,
    "dockerd": 0, "kubelet": 0,
    "kube-proxy": 2,
}  # fmt: skip


def exit_code(comm: str, first: bool, signal: int) -> int | None:
    """How a process ends by a signal; `first` = it is process 1 of its pid namespace, and then None is possible: it
    ignores the signal. (man pid_namespaces: from outside only SIGKILL and SIGSTOP are forced upon it.)"""
    if signal == 9:
        return 137
    if signal in (2, 3, 15) and comm in TERM_CODES:
        return TERM_CODES[comm]
    return None if first else 128 + signal


def server(
    program: str,
    args: Sequence[str],
    listens: Sequence[tuple[str, int]],
    *,
    children: Sequence[tuple[str, ...]] = (),
    log: Sequence[str] = (),
    **config: str,
) -> Behaviour:
    """A server: its `program` of this room with that program's own `config`, and the sockets that it opens."""
    return Behaviour(
        args=tuple(args), program=program, config=tuple(sorted(config.items())), listens=tuple(listens),
        children=tuple(children), log=tuple(log),
    )  # fmt: skip


def needs_terminal(call: Call) -> Behaviour:
    """A program that reads its input: with a terminal it waits, without one it ends at once."""
    return Behaviour(args=call.argv, program="sleep", seconds=FOREVER if call.tty else 0)


def flags_of(call: Call, known: Mapping[str, str]) -> dict[str, str]:
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


def port_of(call: Call, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < 65536:
        raise NotModelled(f"{call.argv[0]}: port {text!r}", SIMPLER())
    return int(text)
