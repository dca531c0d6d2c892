"""Completion of kubectl's words: verbs, sub-commands, flags, resources, names, namespaces, containers.

Rules. Flags come from the tables that parse them: a verb is asked for its help, which it gives before it does anything.
"""

from __future__ import annotations

from engine.kube.objects import BY_KIND, KINDS, kind_named, name_of, spec_of
from engine.shell.tool import Context, Fail
from engine.shell.tools.kubectl_.client import config
from engine.shell.tools.kubectl_.flags import COMMON, Flag, Help, Line
from engine.shell.tools.kubectl_.kubeconfig import rows_of

#: Verbs whose first word is a resource.
ON_RESOURCES = (
    "get", "describe", "delete", "edit", "label", "annotate", "scale", "patch", "expose", "autoscale", "explain",
    "wait",
    "taint",
)  # fmt: skip
ON_PODS = ("logs", "exec", "port-forward", "cp")
ON_NODES = ("drain", "cordon", "uncordon")
ROLLED = ("deployments", "daemonsets", "statefulsets")
FORMATS = ("json", "yaml", "name", "wide", "jsonpath=", "custom-columns=")


def complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    from engine.shell.tools import kubectl
    from engine.shell.tools.kubectl_.usage import table

    words, last = plain(argv)
    if not words:
        return [v for v in kubectl.VERBS if v.startswith(word)]
    if word.startswith("-"):
        return [f for f in flags_of(ctx, words) if f.startswith(word)]
    if last in ("-n", "--namespace"):
        return names(ctx, "Namespace", "", word)
    if last in ("-o", "--output"):
        return [f for f in FORMATS if f.startswith(word)]
    if last in ("-c", "--container"):
        return containers(ctx, words)
    if last in ("-f", "--filename"):
        return []
    verb, rest = words[0], words[1:]
    subs = {v[len(verb) + 1 :].split(" ")[0] for v in table() if v.startswith(verb + " ")}
    if subs and not rest:
        return sorted(s for s in subs if s.startswith(word))
    deep = f"{verb} {rest[0]} " if rest else ""
    inner = {v[len(deep) :].split(" ")[0] for v in table() if deep and v.startswith(deep)}
    if inner and len(rest) == 1:
        return sorted(s for s in inner if s.startswith(word))
    return arguments(ctx, verb, rest, word, space_of(argv))


def arguments(ctx: Context, verb: str, rest: list[str], word: str, space: str) -> list[str]:
    if ctx.world.cluster is None:
        return []
    if verb in ON_PODS:
        if "/" in word or (verb == "port-forward" and word[:3] in ("svc", "dep")):
            return slashed(ctx, word, space)
        return names(ctx, "Pod", space, word) if not rest else []
    if verb in ON_NODES:
        return names(ctx, "Node", "", word)
    if verb == "config" and rest[:1] in (["use-context"], ["delete-context"], ["rename-context"]):
        return [str(r["name"]) for r in rows_of(config(ctx, Line("config")), "contexts")]
    if verb in ("rollout", "set") and rest:
        rest = rest[1:]
        if not rest:
            if "/" in word:
                return slashed(ctx, word, space)
            return [p for p in ROLLED if p.startswith(word)]
        verb = "get"
    if verb not in ON_RESOURCES:
        return []
    if not rest:
        return (
            slashed(ctx, word, space)
            if "/" in word
            else [k.plural for k in KINDS if k.plural.startswith(word)]
        )
    kind = kind_named(rest[0].split(",")[0])
    return names(ctx, kind.kind, space if kind.namespaced else "", word) if kind is not None else []


def plain(argv: list[str]) -> tuple[list[str], str]:
    """(the words that are no flags, the flag that still wants its value or "")."""
    takes = {f"--{f.name}" for f in COMMON if f.value} | {
        f"-{f.short}" for f in COMMON if f.value and f.short
    }
    takes |= {"-o", "--output", "-c", "--container", "-f", "--filename", "-l", "--selector"}
    words: list[str] = []
    at = 0
    while at < len(argv):
        if argv[at] in takes:
            if at == len(argv) - 1:
                return words, argv[at]
            at += 2
            continue
        if not argv[at].startswith("-"):
            words.append(argv[at])
        at += 1
    return words, ""


def space_of(argv: list[str]) -> str:
    """The namespace that the line names."""
    for i, word in enumerate(argv):
        if word in ("-n", "--namespace") and i + 1 < len(argv):
            return argv[i + 1]
        if word.startswith("--namespace="):
            return word.partition("=")[2]
    return "default"


def flags_of(ctx: Context, words: list[str]) -> list[str]:
    from engine.shell.tools import kubectl

    found = kubectl.verb_named(words[0])
    if found is None:
        return []
    own: tuple[Flag, ...] = ()
    try:
        found(ctx, [*words[1:], "--help"])
    except Help as wanted:
        own = wanted.flags
    except Fail:
        return []
    shown = [f for f in (*own, *COMMON) if not f.refused]
    return sorted({f"--{f.name}{'=' if f.value and f.bare is None else ''}" for f in shown})


def slashed(ctx: Context, word: str, space: str) -> list[str]:
    head, _, start = word.partition("/")
    kind = kind_named(head)
    if kind is None:
        return []
    return [f"{head}/{n}" for n in names(ctx, kind.kind, space if kind.namespaced else "", start)]


def names(ctx: Context, kind: str, space: str, word: str) -> list[str]:
    cluster = ctx.world.cluster
    if cluster is None:
        return []
    namespace = (space or "default") if BY_KIND[kind].namespaced else ""
    return [n for b in cluster.store.list(kind, namespace) if (n := name_of(b)).startswith(word)]


def containers(ctx: Context, words: list[str]) -> list[str]:
    cluster = ctx.world.cluster
    if cluster is None or len(words) < 2:
        return []
    pod = cluster.store.get("Pod", "default", words[1].removeprefix("pod/"))
    return [c["name"] for c in spec_of(pod or {}).get("containers") or ()]
