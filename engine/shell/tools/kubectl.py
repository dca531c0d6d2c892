"""kubectl: the verbs, and what is said for a word that is none. Each verb stands in kubectl_/.

Rules. A verb that kubectl has and the model has not is NotModelled by its name; a word that kubectl does not know
gets kubectl's own error. The modules behind the verbs are read when a verb is first used.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from engine.say import Phrase
from engine.shell.place import Spot
from engine.shell.tool import Context, Fail, Out, Tool
from engine.shell.world import World

Verb = Callable[[Context, list[str]], Out]
#: Verb -> module and function below kubectl_.
VERBS: dict[str, str] = {
    "get": "get:run", "describe": "describe:run", "explain": "explain:explain", "apply": "write:apply",
    "create": "create:create_verb", "expose": "expose:expose", "run": "generate:run", "set": "setting:set_verb",
    "edit": "editing:edit", "delete": "delete:run", "rollout": "rollout:rollout", "scale": "scaling:scale",
    "autoscale": "expose:autoscale", "cluster-info": "about:cluster_info", "top": "about:top",
    "cordon": "nodes:cordon_verb", "uncordon": "nodes:uncordon_verb", "drain": "drain:drain", "taint": "nodes:taint",
    "logs": "containers:logs", "exec": "containers:run_exec", "port-forward": "forward:port_forward",
    "cp": "copying:cp",
    "auth": "auth:auth", "events": "events:events_verb", "diff": "diff:diff", "patch": "patching:patch",
    "replace": "write:replace", "wait": "wait:wait", "label": "labels:label", "annotate": "labels:annotate",
    "completion": "about:completion", "api-resources": "about:api_resources", "api-versions": "about:api_versions",
    "config": "kubeconfig:config_verb", "version": "about:version", "options": "about:options",
}  # fmt: skip
#: Verbs of real kubectl that are not modelled.
REFUSED = ("alpha", "attach", "certificate", "debug", "kustomize", "plugin", "proxy")
#: Verbs whose sub-commands stand behind them.
PARENTS = ("config", "create", "rollout", "set", "auth", "top")
#: Every verb in the order in which kubectl registers them; suggestions keep it.
ORDER = (
    "create", "expose", "run", "set", "explain", "get", "edit", "delete", "rollout", "scale", "autoscale",
    "certificate", "cluster-info", "top", "cordon", "uncordon", "drain", "taint", "describe", "logs", "attach",
    "exec", "port-forward", "proxy", "cp", "auth", "debug", "events", "diff", "apply", "patch", "replace",
    "wait", "kustomize", "label", "annotate", "completion", "alpha", "api-resources", "api-versions", "config",
    "plugin", "version",
)  # fmt: skip


def verb_named(name: str) -> Verb | None:
    where = VERBS.get(name)
    if where is None:
        return None
    module, _, function = where.partition(":")
    found: Verb = getattr(import_module(f"engine.shell.tools.kubectl_.{module}"), function)
    return found


def run(ctx: Context, argv: list[str]) -> Out:
    from engine.shell.tools.kubectl_ import usage
    from engine.shell.tools.kubectl_.flags import Help, later
    from engine.shell.tools.kubectl_.made import TAKES

    front: list[str] = []
    rest = list(argv)
    while rest and rest[0].startswith("-"):
        front.append(rest.pop(0))
        if front[-1] in TAKES and rest:
            front.append(rest.pop(0))
    if not rest:
        if front and front[0] not in ("-h", "--help"):
            raise Fail(f"error: unknown flag: {front[0]}\nSee 'kubectl --help' for usage.")
        return Out(stdout=usage.overview())
    verb, *words = rest
    if verb == "help":
        return run(ctx, [*words, "--help"])
    if verb in REFUSED:
        raise later(f"kubectl {verb}")
    found = verb_named(verb)
    if found is None:
        raise Fail(f'error: unknown command "{verb}" for "kubectl"{did_you_mean(verb)}')
    if verb in PARENTS and words in (["-h"], ["--help"]):
        return Out(stdout=usage.group_help(verb))
    if verb in PARENTS and not words and verb != "create":
        return Out(stderr=usage.group_help(verb), code=1)
    try:
        return found(ctx, [*front, *words])
    except Help as wanted:
        return Out(stdout=usage.help_text(wanted.verb, wanted.flags))


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
    from engine.shell.tools.kubectl_.completing import complete as found

    return found(ctx, argv, word)


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
        "kubectl create deployment|service|configmap|... NAME ... [--dry-run=client -o yaml]",
        "kubectl expose KIND NAME --port=N [--target-port=N] [--type=NodePort]",
        "kubectl edit|patch|delete|scale|label|annotate KIND NAME ...",
        "kubectl rollout status|history|undo|restart deploy/NAME",
        "kubectl logs POD [-c CONTAINER] [--previous]",
        "kubectl exec [-it] POD [-c CONTAINER] -- COMMAND",
        "kubectl port-forward svc/NAME 8080:80 &",
        "kubectl drain|cordon|uncordon|taint NODE ...",
    ),
)
