"""kube-proxy as a command in its own image: --cleanup takes away what every mode has written on this node; --version.

Theory. The program runs as a container of its DaemonSet, so --cleanup is typed there: `kubectl -n kube-system
exec ds/kube-proxy -- kube-proxy --cleanup`. A kube-proxy that still runs puts its own rows back when it next looks.

Rules. Everything else that the program can be started with is a container's business (engine/kube/proxy/program.py) and
not modelled here. Source: cmd/kube-proxy/app/server_linux.go (platformCleanup), options.go.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.kube.proxy import iptables, ipvs, nftables, program, userspace
from engine.say import Phrase
from engine.shell.place import Spot
from engine.shell.tool import Context, Opt, Out, Tool
from engine.shell.world import World

FAILED = '"command failed" err="encountered an error while tearing down rules"'


def _run(ctx: Context, argv: list[str]) -> Out:
    cluster = ctx.world.cluster
    if argv == ["--version"]:
        return Out(stdout=f"Kubernetes {cluster.options.version if cluster is not None else 'v1.35.0'}\n")
    if argv not in (["--cleanup"], ["--cleanup=true"]):
        raise NotModelled(" ".join(["kube-proxy", *argv]))
    changes, netns = ctx.world.changes(), ctx.ns.id
    lines = iptables.cleanup(changes, netns) if ctx.ns.xt.tables else []
    ipvs.cleanup(changes, netns)
    userspace.cleanup(changes, netns)
    nftables.cleanup(changes, netns)
    now = ctx.net.clock
    errors = [program.klog(now, "E", "cleanup.go:89", line) for line in lines]
    if errors:
        errors.append(program.klog(now, "E", "run.go:72", FAILED))
    return Out(stderr="".join(line + "\n" for line in errors), code=1 if errors else 0)


def here(world: World, spot: Spot) -> bool:
    """Only the image has the program, no node."""
    return spot.tools is not None and "kube-proxy" in spot.tools


TOOL = Tool(
    name="kube-proxy",
    summary=Phrase(
        en="take away the rules that kube-proxy has written on this node (--cleanup)",
        ko="kube-proxy가 이 노드에 쓴 규칙을 모두 지웁니다(--cleanup)",
    ),
    run=_run,
    here=here,
    opts=(
        Opt(("--cleanup",), "", Phrase(en="of every mode, on this node", ko="이 노드에서, 모든 모드의 것을")),
        Opt(("--version",), "", Phrase(en="the release", ko="릴리스")),
    ),
    usage=("kube-proxy --cleanup",),
)
