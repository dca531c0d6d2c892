"""kubectl: the verbs, and what is said for a word that is none. Each verb stands in kubectl_/.

Rules. A verb that kubectl has and the model has not is NotModelled by its name; a word that kubectl does not know
gets kubectl's own error.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.kube.objects import BY_KIND, KINDS, kind_named, name_of
from engine.say import Phrase
from engine.shell.place import Spot
from engine.shell.tool import Context, Fail, Out, Tool
from engine.shell.tools.kubectl_ import (
    about,
    containers,
    create,
    delete,
    describe,
    drain,
    editing,
    expose,
    forward,
    generate,
    get,
    labels,
    nodes,
    patching,
    rollout,
    scaling,
    setting,
    wait,
    write,
)
from engine.shell.tools.kubectl_.client import later
from engine.shell.world import World

Verb = Callable[[Context, list[str]], Out]
VERBS: dict[str, Verb] = {
    "get": get.run,
    "describe": describe.run,
    "apply": write.apply,
    "create": create.create_verb,
    "replace": write.replace,
    "patch": patching.patch,
    "expose": expose.expose,
    "autoscale": expose.autoscale,
    "delete": delete.run,
    "run": generate.run,
    "logs": containers.logs,
    "exec": containers.run_exec,
    "label": labels.label,
    "annotate": labels.annotate,
    "scale": scaling.scale,
    "taint": nodes.taint,
    "cordon": lambda ctx, argv: nodes.cordon(ctx, argv, on=True),
    "uncordon": lambda ctx, argv: nodes.cordon(ctx, argv, on=False),
    "drain": drain.drain,
    "edit": editing.edit,
    "port-forward": forward.port_forward,
    "set": setting.set_verb,
    "rollout": rollout.rollout,
    "wait": wait.wait,
    "version": about.version,
    "api-resources": about.api_resources,
    "api-versions": about.api_versions,
    "cluster-info": about.cluster_info,
    "config": about.config_verb,
}
#: Verbs of real kubectl that are not modelled.
REFUSED = (
    "alpha", "attach", "auth", "certificate", "completion", "cp", "debug", "diff",
    "events", "explain", "kustomize", "options", "plugin", "proxy", "top",
)  # fmt: skip
INTRO = (
    "kubectl controls the Kubernetes cluster manager.\n\nUsage:\n  kubectl [flags] [options]\n\nVerbs here: "
)


def run(ctx: Context, argv: list[str]) -> Out:
    front: list[str] = []
    rest = list(argv)
    while rest and rest[0].startswith("-"):
        front.append(rest.pop(0))
        if front[-1] in ("-n", "--namespace", "--kubeconfig") and rest:
            front.append(rest.pop(0))
    if not rest:
        if front and front[0] not in ("-h", "--help"):
            raise Fail(f"error: unknown flag: {front[0]}\nSee 'kubectl --help' for usage.")
        return Out(stdout=INTRO + " ".join(VERBS) + "\n")
    verb, *words = rest
    if verb in REFUSED:
        raise later(f"kubectl {verb}")
    found = VERBS.get(verb)
    if found is None:
        raise Fail(f'error: unknown command "{verb}" for "kubectl"{did_you_mean(verb)}')
    return found(ctx, [*front, *words])


#: Every verb in the order in which kubectl registers them; suggestions keep it.
ORDER = (
    "create", "expose", "run", "set", "explain", "get", "edit", "delete", "rollout", "scale", "autoscale",
    "certificate", "cluster-info", "top", "cordon", "uncordon", "drain", "taint", "describe", "logs", "attach",
    "exec", "port-forward", "proxy", "cp", "auth", "debug", "events", "diff", "apply", "patch", "replace",
    "wait", "kustomize", "label", "annotate", "completion", "alpha", "api-resources", "api-versions", "config",
    "plugin", "version",
)  # fmt: skip


def did_you_mean(word: str) -> str:
    """cobra's suggestions: verbs within a distance of two, or that begin with the word."""
    near = [v for v in ORDER if distance(word.lower(), v) <= 2 or v.startswith(word.lower())]
    return "\n\nDid you mean this?\n" + "".join(f"\t{v}\n" for v in near) if near else ""


def distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    """Verbs, then resources, then names."""
    words = [w for w in argv if not w.startswith("-")]
    if not words:
        return [v for v in VERBS if v.startswith(word)]
    cluster = ctx.world.cluster
    if cluster is None:
        return []
    verb = words[0]
    if verb in ("logs", "exec"):
        return names(ctx, "Pod", word) if len(words) == 1 else []
    if len(words) == 1 and verb in (
        "get",
        "describe",
        "delete",
        "label",
        "annotate",
        "scale",
        "taint",
        "wait",
    ):
        if "/" in word:
            head, _, _ = word.partition("/")
            kind = kind_named(head)
            return [f"{head}/{n}" for n in names(ctx, kind.kind, "")] if kind is not None else []
        return [k.plural for k in KINDS if k.plural.startswith(word)]
    if len(words) >= 2:
        kind = kind_named(words[1])
        return names(ctx, kind.kind, word) if kind is not None else []
    return []


def names(ctx: Context, kind: str, word: str) -> list[str]:
    cluster = ctx.world.cluster
    if cluster is None:
        return []
    namespace = "default" if BY_KIND[kind].namespaced else ""
    return [n for b in cluster.store.list(kind, namespace) if (n := name_of(b)).startswith(word)]


def here(world: World, spot: Spot) -> bool:
    return world.cluster is not None and not spot.contained


TOOL = Tool(
    name="kubectl",
    aliases=("k",),
    summary=Phrase(en="ask and change the Kubernetes cluster", ko="쿠버네티스 클러스터를 조회하고 바꿉니다"),
    run=run,
    complete=complete,
    group="cluster",
    here=here,
    usage=(
        "kubectl get KIND [NAME] [-o wide|yaml|json|name|jsonpath=...] [-n NS|-A] [-l k=v]",
        "kubectl describe KIND NAME",
        "kubectl apply -f FILE|-",
        "kubectl delete KIND NAME | -f FILE",
        "kubectl run NAME --image=IMAGE [--port=N] [--restart=Never] [-- ARGS]",
        "kubectl logs POD [-c CONTAINER] [--previous]",
        "kubectl exec [-it] POD [-c CONTAINER] -- COMMAND",
        "kubectl label|annotate|scale|taint|cordon|uncordon|set image|wait|rollout status ...",
    ),
)
