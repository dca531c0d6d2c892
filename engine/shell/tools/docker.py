"""docker: the command line of dockerd 29. Here the dispatch; the commands stand in docker_run, docker_list,
docker_network and docker_image.

Rules. Texts and layouts are those of docker/cli 29 (its test goldens, cli/command/*). `docker container ls` and `docker
ps` are one Verb under two names. A group or a command that docker has and the lab lacks is refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.docker.errors import DockerError, NoDaemon
from engine.errors import NotModelled
from engine.say import Phrase
from engine.shell.place import Spot
from engine.shell.tool import SEE_HELP, Context, Fail, Out, Tool
from engine.shell.tools import docker_image, docker_list, docker_network, docker_run
from engine.shell.tools.docker_flags import Verb, refusal
from engine.shell.world import World

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (*docker_run.VERBS, *docker_list.VERBS, *docker_network.VERBS, *docker_image.VERBS)
}
#: other names of the same commands
SAME: dict[str, str] = {
    "container ls": "ps", "container ps": "ps", "container list": "ps", "container run": "run",
    "container create": "create", "container start": "start", "container stop": "stop",
    "container restart": "restart", "container kill": "kill", "container rm": "rm", "container remove": "rm",
    "container exec": "exec", "container logs": "logs", "container port": "port", "container top": "top",
    "container inspect": "inspect", "container prune": "container prune", "network list": "network ls",
    "network remove": "network rm", "image ls": "images", "image list": "images", "image pull": "pull",
    "image rm": "rmi", "image remove": "rmi", "image tag": "tag", "system info": "info",
}  # fmt: skip
GROUPS = ("container", "network", "image", "system")
LATER = (
    "attach", "bake", "build", "builder", "buildx", "checkpoint", "commit", "compose", "config", "context",
    "cp", "diff", "events", "export", "history", "import", "load", "login", "logout", "manifest", "node",
    "pause", "plugin", "push", "rename", "save", "scout", "search", "secret", "service", "stack", "stats",
    "swarm", "trust", "unpause", "update", "volume", "wait",
)  # fmt: skip
GLOBAL_REFUSED = (
    "-H",
    "--host",
    "--context",
    "-c",
    "-D",
    "--debug",
    "--config",
    "-l",
    "--log-level",
    "--tls",
)


def _verb(argv: Sequence[str]) -> tuple[Verb, list[str]]:
    """The command and the words behind its name. Raises Fail, NotModelled."""
    if not argv or argv[0] in ("--help", "-h", "help"):
        raise NotModelled("docker --help", SEE_HELP(tool="docker"))
    head = argv[0]
    if head in ("-v", "--version"):
        return VERBS["version"], ["--short"]
    if head.startswith("-"):
        if head.partition("=")[0] in GLOBAL_REFUSED:
            raise NotModelled(f"docker {head}", SEE_HELP(tool="docker"))
        raise Fail(
            f"unknown flag: {head}\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\n"
            "Run 'docker --help' for more information",
            125,
        )
    if head in GROUPS:
        if len(argv) < 2 or argv[1] == "--help":
            raise NotModelled(f"docker {head} --help", SEE_HELP(tool="docker"))
        name = f"{head} {argv[1]}"
        verb = VERBS.get(SAME.get(name, name))
        if verb is None:
            if argv[1] in LATER or head == "system":
                raise NotModelled(f"docker {name}", SEE_HELP(tool="docker"))
            raise Fail(
                f"docker: unknown command: docker {name}\n\nUsage:  docker {head} COMMAND\n\n"
                f"Run 'docker {head} --help' for more information"
            )
        return verb, list(argv[2:])
    if head in LATER:
        raise NotModelled(f"docker {head}", SEE_HELP(tool="docker"))
    if head not in VERBS or " " in head:
        raise Fail(f"docker: unknown command: docker {head}\n\nRun 'docker --help' for more information")
    return VERBS[head], list(argv[1:])


def run(ctx: Context, argv: list[str]) -> Out:
    verb, rest = _verb(argv)
    daemon = ctx.world.dockers[ctx.spot.box]
    given = verb.parse(rest)
    try:
        if verb.name != "version":
            daemon.wake(ctx.world.changes())
        return verb.run(ctx, daemon, given)
    except (DockerError, NoDaemon) as error:
        return refusal(error)


def complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    """Commands, then names of containers, networks or images, then options."""
    names = {n.split(" ")[0] for n in VERBS} | set(GROUPS)
    if not argv:
        return sorted(n for n in names if n.startswith(word))
    if argv[0] in GROUPS and len(argv) == 1:
        seconds = [n.split(" ")[1] for n in (*VERBS, *SAME) if n.startswith(f"{argv[0]} ")]
        return sorted({n for n in seconds if n.startswith(word)})
    name = " ".join(argv[:2]) if argv[0] in GROUPS else argv[0]
    verb = VERBS.get(SAME.get(name, name))
    daemon = ctx.world.dockers.get(ctx.spot.box)
    if verb is None or daemon is None:
        return []
    if word.startswith("-"):
        options = [f"--{f.names[0]}" for f in verb.options if not f.refused and len(f.names[0]) > 1]
        return sorted(o for o in options if o.startswith(word))
    previous = argv[-1]
    if previous in ("--network", "--net") or verb.completes == "networks":
        found = [n.name for n in daemon.networks.values()]
        if previous in ("--network", "--net"):
            found += [f"container:{c.name}" for c in daemon.containers.values()]
        elif verb.name in ("network connect", "network disconnect"):
            found += [c.name for c in daemon.containers.values()]
    elif verb.completes == "images":
        from engine.l7.images import parse

        found = [parse(n).familiar for n in daemon.images]
    else:
        found = [c.name for c in daemon.containers.values()]
    return sorted(n for n in found if n.startswith(word))


def _here(world: World, spot: Spot) -> bool:
    return spot.box in world.dockers and not spot.contained


TOOL = Tool(
    name="docker",
    summary=Phrase(
        en="containers of this machine: run, list, enter, join networks, publish ports",
        ko="이 머신의 컨테이너를 실행하고, 살펴보고, 네트워크와 포트를 연결합니다",
    ),
    run=run,
    complete=complete,
    group="containers and the cluster",
    usage=tuple(f"docker {verb.name} {verb.usage}".rstrip() for verb in VERBS.values()),
    here=_here,
)
