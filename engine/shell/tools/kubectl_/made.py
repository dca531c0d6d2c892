"""What the generators of create, run, expose and autoscale share: words of a command line, pieces of objects."""

from __future__ import annotations

from engine.kube.objects import Json
from engine.shell.tool import Context, Fail
from engine.shell.tools.kubectl_.flags import COMMON, Line

#: Flags that take the next word, for finding a sub-command among them.
TAKES = {f"--{f.name}" for f in COMMON if f.value} | {f"-{f.short}" for f in COMMON if f.value and f.short}
TAKES |= {"-f", "--filename", "-o", "--output", "-k", "--kustomize", "-l", "--selector"}


def sub_word(argv: list[str]) -> tuple[str, list[str]]:
    """The first word that is no flag, and the rest of the line without it; "" when there is none."""
    at = 0
    while at < len(argv):
        word = argv[at]
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            return word, [*argv[:at], *argv[at + 1 :]]
        at += 2 if word in TAKES else 1
    return "", argv


def as_made(ctx: Context, body: Json) -> Json:
    """An object that kubectl made itself, as it prints it: before 1.34 with the zero times of Go's structs."""
    cluster = ctx.world.cluster
    filled(body)
    if cluster is None or cluster.options.minor >= 34:
        return body
    out = {**body, "metadata": {"creationTimestamp": None, **body["metadata"]}}
    spec = body.get("spec") or {}
    if "template" in spec:
        out["spec"] = {**spec, "template": timed(spec["template"])}
    if "jobTemplate" in spec:
        job = timed(spec["jobTemplate"])
        out["spec"] = {
            **spec,
            "jobTemplate": {**job, "spec": {**job["spec"], "template": timed(job["spec"]["template"])}},
        }
    return out


def filled(body: Json) -> None:
    """Go's structs print a container's resources even when there are none."""
    spec = body.get("spec") or {}
    inner = (spec.get("jobTemplate") or {}).get("spec") or spec
    pod = (inner.get("template") or {}).get("spec") or spec
    for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
        container.setdefault("resources", {})


def timed(part: Json) -> Json:
    return {**part, "metadata": {"creationTimestamp": None, **(part.get("metadata") or {})}}


def named(line: Line, api: str, kind: str, name: str, *, namespaced: bool = True) -> Json:
    meta: Json = {"name": name}
    if namespaced and line.get("namespace"):
        meta["namespace"] = line.get("namespace")
    return {"apiVersion": api, "kind": kind, "metadata": meta}


def listed(line: Line, name: str) -> list[str]:
    """A StringSlice flag: repeated, and split at commas."""
    return [part for value in line.all(name) for part in value.split(",") if part]


def whole(text: str, name: str, verb: str, bits: int = 32) -> int:
    """A number flag's value. Fail in pflag's words."""
    try:
        return int(text)
    except ValueError:
        raise Fail(
            f'error: invalid argument "{text}" for "{name}" flag: strconv.ParseInt: parsing "{text}": invalid syntax\n'
            f"See 'kubectl {verb} --help' for usage."
        ) from None


def pairs(text: str, what: str = "label") -> dict[str, str]:
    """`a=b,c=d`."""
    out = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or not key or "=" in value:
            raise Fail(f"error: unexpected {what} spec: {part}")
        out[key] = value
    return out


def number_or_name(text: str) -> int | str:
    """intstr.Parse."""
    return int(text) if text.isdigit() else text
