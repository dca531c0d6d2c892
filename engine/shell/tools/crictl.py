"""crictl: the CRI seen from a node, as kubelet sees it (kubernetes-sigs/cri-tools).

Rules. It talks to containerd of its own machine, namespace k8s.io. What it changes is changed behind kubelet's back:
kubelet notices and repairs. Columns are Go's tabwriter with minimum 20 and padding 3 (cmd/crictl/display.go).
"""

from __future__ import annotations

from collections.abc import Callable

from engine.say import Phrase
from engine.shell.place import Spot
from engine.shell.tool import Context, Fail, Out, Tool
from engine.shell.tools.crictl_.acts import rm, rmp, stop, stopp
from engine.shell.tools.crictl_.base import Crictl
from engine.shell.tools.crictl_.images import images, pull, rmi
from engine.shell.tools.crictl_.lists import pods, ps
from engine.shell.tools.crictl_.objects import info, inspect, inspecti, inspectp, logs, run_exec
from engine.shell.tools.kubectl_.flags import Flag
from engine.shell.world import World


def version(c: Crictl, argv: list[str]) -> Out:
    options = c.cluster.options
    return Out(
        stdout=f"Version:  0.1.0\nRuntimeName:  containerd\nRuntimeVersion:  v{options.containerd_version}\n"
        "RuntimeApiVersion:  v1\n"
    )


VERBS: dict[str, Callable[[Crictl, list[str]], Out]] = {
    "pods": pods, "ps": ps, "images": images, "image": images, "img": images, "pull": pull, "rmi": rmi,
    "inspectp": inspectp, "inspect": inspect, "inspecti": inspecti, "info": info, "logs": logs, "exec": run_exec,
    "stopp": stopp, "rmp": rmp, "stop": stop, "rm": rm, "version": version,
}  # fmt: skip
REFUSED = (
    "attach", "checkpoint", "completion", "config", "create", "events", "imagefsinfo", "metricdescs", "metricsp",
    "port-forward", "run", "runp", "runtime-config", "start", "stats", "statsp", "update", "update-runtime-config",
)  # fmt: skip
GLOBAL = (
    Flag(name="runtime-endpoint", short="r"),
    Flag(name="image-endpoint", short="i"),
    Flag(name="timeout", short="t"),
)


def run(ctx: Context, argv: list[str]) -> Out:
    from engine.errors import NotModelled
    from engine.shell.tools.kubectl_.flags import SEE

    rest = list(argv)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word in ("-h", "--help"):
            rest = []
            break
        if "=" not in word and rest:
            rest.pop(0)
    if not rest:
        return Out(
            stdout="NAME:\n   crictl - client for CRI\n\nCOMMANDS HERE:\n   " + ", ".join(VERBS) + "\n"
        )
    verb, *words = rest
    if verb in REFUSED:
        raise NotModelled(f"crictl {verb}", SEE())
    if verb not in VERBS:
        raise Fail(f"No help topic for '{verb}'", 3)
    return VERBS[verb](Crictl(ctx), words)


def complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    if not argv:
        return [v for v in VERBS if v.startswith(word)]
    cluster = ctx.world.cluster
    node = cluster.nodes.get(ctx.spot.box) if cluster is not None else None
    if node is None:
        return []
    if argv[0] in ("inspectp", "stopp", "rmp"):
        return [i[:13] for i in node.runtime.sandboxes if i.startswith(word)]
    if argv[0] in ("inspect", "exec", "logs", "stop", "rm"):
        return [i[:13] for i in node.runtime.containers if i.startswith(word)]
    return []


def here(world: World, spot: Spot) -> bool:
    return world.cluster is not None and spot.box in world.cluster.nodes and not spot.contained


TOOL = Tool(
    name="crictl",
    summary=Phrase(
        en="the container runtime of this node, as kubelet sees it",
        ko="kubelet이 보는 이 노드의 컨테이너 런타임",
    ),
    run=run,
    complete=complete,
    group="cluster",
    here=here,
    usage=("crictl pods | ps [-a] | images | info", "crictl inspectp|inspect ID", "crictl pull IMAGE",
           "crictl logs|exec [-it] ID ...", "crictl stopp|rmp|stop|rm ID"),
)  # fmt: skip
