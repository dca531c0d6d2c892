"""crictl stopp, rmp, stop and rm: changes behind kubelet's back."""

from __future__ import annotations

from collections.abc import Callable

from engine.kube.containerd import CriError
from engine.shell.tool import Fail, Out
from engine.shell.tools.crictl_.base import Crictl, fatal
from engine.shell.tools.kubectl_.flags import Line, flag, switch
from engine.shell.tools.kubectl_.flags import parse as parse_flags

DO = (
    switch("force", "f"),
    switch("all", "a"),
    flag("timeout", "t"),
    flag("output", "o"),
    switch("quiet", "q"),
)


def each(c: Crictl, verb: str, argv: list[str], act: Callable[[str, Line], str]) -> Out:
    line = parse_flags(verb, argv, DO)
    words = line.words
    if line.on("all"):
        words = list(c.sandboxes if verb.endswith("p") else c.containers)
    if not words:
        raise Fail(fatal("ID cannot be empty"))
    out = "".join(act(w, line) for w in words)
    c.cluster.wake()
    c.ctx.world.settle()
    return Out(stdout=out)


def stopp(c: Crictl, argv: list[str]) -> Out:
    def act(word: str, line: Line) -> str:
        sandbox = c.sandbox(word, "stopping")
        try:
            c.cri.stop_sandbox(sandbox)
        except CriError as error:
            raise Fail(fatal(f'stopping the pod sandbox "{word}": {error}')) from None
        return f"Stopped sandbox {sandbox.id}\n"

    return each(c, "stopp", argv, act)


def rmp(c: Crictl, argv: list[str]) -> Out:
    def act(word: str, line: Line) -> str:
        sandbox = c.sandbox(word, "removing")
        if sandbox.ready and not line.on("force"):
            raise Fail(
                fatal(
                    f'removing the pod sandbox "{word}": pod sandbox "{word}" is running, please stop it first'
                )
            )
        try:
            if sandbox.ready:
                c.cri.stop_sandbox(sandbox)
        except CriError as error:
            raise Fail(fatal(f'stopping the pod sandbox "{word}" failed: {error}')) from None
        c.cri.remove_sandbox(c.sandboxes[sandbox.id])
        return f"Removed sandbox {sandbox.id}\n"

    return each(c, "rmp", argv, act)


def stop(c: Crictl, argv: list[str]) -> Out:
    def act(word: str, line: Line) -> str:
        x = c.container(word, "stopping")
        c.cri.kill(x)
        return f"{word}\n"

    return each(c, "stop", argv, act)


def rm(c: Crictl, argv: list[str]) -> Out:
    def act(word: str, line: Line) -> str:
        x = c.container(word, "removing")
        if x.state == "running" and not line.on("force"):
            raise Fail(
                fatal(f'removing container "{word}": container "{word}" is running, please stop it first')
            )
        c.cri.remove_container(x)
        return f"{word}\n"

    return each(c, "rm", argv, act)
