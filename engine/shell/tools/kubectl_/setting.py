"""kubectl set image, env, resources, selector, serviceaccount (k8s.io/kubectl/pkg/cmd/set)."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.kube.objects import Json, Kind, edited, kind_named, name_of, spec_of
from engine.kube.podspec import every_container
from engine.record import replace
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import NO_RESOURCES, Client, connect, fetch, later, not_found, ref
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.made import as_made, listed, sub_word
from engine.shell.tools.kubectl_.pick import bodies, split_words
from engine.shell.tools.kubectl_.rollout import CAUSE
from engine.shell.tools.kubectl_.update import plural, send
from engine.shell.tools.kubectl_.usage import group_help
from engine.shell.tools.kubectl_.write import DRY, Written, dry_run

COMMON = (
    switch("all"), flag("selector", "l"), flag("output", "o"), DRY, refused("filename", "f", value=True),
    refused("local"), flag("field-manager"), switch("record"), refused("template", value=True),
    refused("recursive", "R"), refused("kustomize", "k", value=True),
)  # fmt: skip
ENV = (*COMMON, flag("env", "e"), flag("from"), flag("prefix"), flag("keys"), switch("list"), switch("resolve"),
       switch("overwrite"), flag("containers", "c"))  # fmt: skip
RESOURCES = (*COMMON, flag("limits"), flag("requests"), flag("containers", "c"))
SELECTOR = (
    DRY,
    flag("output", "o"),
    flag("resource-version"),
    flag("field-manager"),
    switch("all"),
    refused("local"),
)
ONE_OR_MORE = "error: one or more resources must be specified as <resource> <name> or <resource>/<name>"
NAME = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")


def set_verb(ctx: Context, argv: list[str]) -> Out:
    word, rest = sub_word(argv)
    verbs = {"image": image, "env": env, "resources": resources, "selector": selector,
             "serviceaccount": service_account, "sa": service_account}  # fmt: skip
    if word in verbs:
        return verbs[word](ctx, rest)
    if word == "subject":
        raise later("kubectl set subject")
    if word:
        raise Fail(f"error: unknown command \"{word}\"\nSee 'kubectl set -h' for help and examples")
    return Out(stderr=group_help("set"), code=1)


def pod_spec(kind: Kind, body: Json) -> Json | None:
    """The PodSpec inside an object, or None."""
    if kind.kind == "Pod":
        return spec_of(body)
    if kind.kind == "CronJob":
        return spec_of(spec_of(spec_of(body).get("jobTemplate") or {}).get("template") or {})
    found = spec_of(body).get("template")
    return spec_of(found) if isinstance(found, dict) else None


def each(
    client: Client,
    line: Line,
    names: list[str],
    what: str,
    change: Callable[[Kind, Json, Json], None],
    failed: str,
) -> Out:
    """Apply one change to the pod template of every named object. `what` ends the line: `image updated`."""
    notes, done, dry = len(client.cluster.skipped), Written(), dry_run(line)
    if line.on("record"):
        done.deprecated.append("Flag --record has been deprecated, --record will be removed in the future")
    for kind, body in bodies(client, line, names):
        new = edited(body)
        if line.on("record"):
            new["metadata"]["annotations"] = {
                **(new["metadata"].get("annotations") or {}),
                CAUSE: typed(line),
            }
        spec = pod_spec(kind, new)
        if spec is None:
            done.errors.append(f"error: {plural(body)} the object is not a pod or does not have a pod template: *v1."
                               f"{kind.kind}")  # fmt: skip
            continue
        try:
            change(kind, new, spec)
            stored = send(client, body, new, dry, failed, done.warnings)
        except Fail as fail:
            done.errors.append(fail.out.stderr.rstrip("\n"))
            continue
        if stored is not None:
            done.lines.append(f"{ref(kind, name_of(body))} {what}{dry}")
            done.bodies.append(as_made(client.ctx, stored) if dry == " (dry run)" else stored)
    return done.out(client, line, notes)


def typed(line: Line) -> str:
    """The command as --record keeps it (ParseCommandArguments in kubectl/pkg/cmd/util): words, then each flag that was
    given, as --name=value."""
    flags = [f"--{name}={value}" for name, values in sorted(line.flags.items()) for value in values]
    return " ".join(["kubectl", line.verb, *line.words, *flags])


def image(ctx: Context, argv: list[str]) -> Out:
    line = parse("set image", argv, COMMON)
    names, changes = split_words(line)
    if not names:
        raise Fail(NO_RESOURCES)
    if not changes:
        raise Fail("error: at least one image update is required")
    client = connect(ctx, line)

    def change(kind: Kind, body: Json, spec: Json) -> None:
        known = [c["name"] for c in every_container(spec)]
        names = [word.partition("=")[0] for word in changes]
        missing = [n for n in names if n not in known and n != "*"]
        if missing:
            raise Fail("\n".join(f'error: unable to find container named "{n}"' for n in missing))
        for word in changes:
            name, _, value = word.partition("=")
            for container in every_container(spec):
                if name in ("*", container["name"]):
                    container["image"] = value

    return each(
        client, line, names, "image updated", change, "failed to patch image update to pod template: "
    )


def chosen(spec: Json, pattern: str) -> list[Json]:
    """Containers whose name fits --containers (`*` stands for anything)."""
    wanted = re.compile(re.escape(pattern).replace(r"\*", ".*"))
    return [c for c in every_container(spec) if wanted.fullmatch(c["name"])]


def env(ctx: Context, argv: list[str]) -> Out:
    line = parse("set env", argv, ENV)
    names = [w for w in line.words if "=" not in w and not w.endswith("-")]
    changes = [*line.all("env"), *(w for w in line.words if w not in names)]
    if not names:
        raise Fail(ONE_OR_MORE)
    if line.on("list") and line.get("output"):
        raise Fail("error: --list and --output may not be specified together")
    if line.get("keys") and not line.get("from"):
        raise Fail("error: when specifying --keys, a configmap or secret must be provided with --from")
    if line.on("resolve"):
        raise later("kubectl set env --resolve")
    client = connect(ctx, line)
    wanted, gone = variables(changes)
    if any(row["name"] in gone for row in wanted):
        raise Fail("error: can not both modify and remove the same environment variable in the same command")
    if line.get("from"):
        wanted += from_source(client, line)
    if not wanted and not gone and not line.on("list"):
        raise Fail("error: at least one environment variable must be provided")
    for row in wanted:
        row["name"] = line.get("prefix") + row["name"]
    if line.on("list"):
        return listing(client, line, names)

    told = [
        f"Warning: key {row['valueFrom'][ref_]['key']} transferred to {row['name'].removeprefix(line.get('prefix'))}\n"
        for row in wanted
        for ref_ in row.get("valueFrom") or ()
        if row["name"].removeprefix(line.get("prefix")) != row["valueFrom"][ref_]["key"]
    ]

    def change(kind: Kind, body: Json, spec: Json) -> None:
        pattern = line.get("containers", "*")
        if not chosen(spec, pattern):
            where = f"{kind.kind}/{name_of(body)}"
            told.append(f'Warning: {where} does not have any containers matching "{pattern}"\n')
        for container in chosen(spec, pattern):
            rows = [r for r in container.get("env") or [] if r["name"] not in gone]
            for new in wanted:
                old = next((r for r in rows if r["name"] == new["name"]), None)
                if old is None:
                    rows.append(dict(new))
                    continue
                if not line.on("overwrite", True):
                    raise Fail(f"error: {plural(body)} '{new['name']}' already has a value "
                               f"({old.get('value', '')}), and --overwrite is false")  # fmt: skip
                rows[rows.index(old)] = dict(new)
            container["env"] = rows
            if not rows:
                del container["env"]

    out = each(client, line, names, "env updated", change, "failed to patch env update to pod template: ")
    return replace(out, stderr="".join(told) + out.stderr)


def variables(words: list[str]) -> tuple[list[Json], list[str]]:
    """(what to set, names to take away) of `A=b` and `A-`."""
    wanted: list[Json] = []
    gone: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            gone.append(name.removesuffix("-"))
        elif not NAME.fullmatch(name):
            raise Fail(f'error: "{name}" is not a valid key name: a valid environment variable name must consist of '
                       "alphabetic characters, digits, '_', '-', or '.', and must not start with a digit")  # fmt: skip
        else:
            wanted.append({"name": name, "value": value})
    return wanted, gone


def from_source(client: Client, line: Line) -> list[Json]:
    """--from=configmap/NAME or secret/NAME: one reference for each of its keys."""
    word, _, name = line.get("from").partition("/")
    kind = kind_named(word)
    if kind is None:
        raise Fail(f'error: the server doesn\'t have a resource type "{word}"')
    body = fetch(client, kind, name)
    if body is None:
        raise Fail(not_found(kind, name))
    key = {"ConfigMap": "configMapKeyRef", "Secret": "secretKeyRef"}.get(kind.kind)
    if key is None:
        raise Fail("error: unsupported resource specified in --from")
    keys = listed(line, "keys") or sorted({**(body.get("data") or {})})
    return [
        {"name": re.sub("[^A-Za-z0-9_]", "_", k).upper(), "valueFrom": {key: {"key": k, "name": name}}}
        for k in sorted(body.get("data") or {})
        if k in keys
    ]


def listing(client: Client, line: Line, names: list[str]) -> Out:
    out = ""
    for kind, body in bodies(client, line, names):
        for container in chosen(pod_spec(kind, body) or {}, line.get("containers", "*")):
            out += f"# {kind.kind} {name_of(body)}, container {container['name']}\n"
            for row in container.get("env") or ():
                if source := row.get("valueFrom"):
                    out += f"# {row['name']} from {reference(source)}\n"
                else:
                    out += f"{row['name']}={row.get('value', '')}\n"
    return Out(stdout=out)


def reference(source: Json) -> str:
    if found := source.get("configMapKeyRef"):
        return f"configmap {found['name']}, key {found['key']}"
    if found := source.get("secretKeyRef"):
        return f"secret {found['name']}, key {found['key']}"
    if found := source.get("fieldRef"):
        return f"field path {found['fieldPath']}"
    return f"resource field {(source.get('resourceFieldRef') or {}).get('resource', '')}"


def resources(ctx: Context, argv: list[str]) -> Out:
    line = parse("set resources", argv, RESOURCES)
    if not line.words:
        raise Fail(ONE_OR_MORE)
    if not line.get("limits") and not line.get("requests"):
        raise Fail(
            "error: you must specify an update to requests or limits (in the form of --requests/--limits)"
        )
    wanted = {key: quantities(line.get(key)) for key in ("limits", "requests") if line.get(key)}
    client = connect(ctx, line)

    def change(kind: Kind, body: Json, spec: Json) -> None:
        found = chosen(spec, line.get("containers", "*"))
        if not found:
            raise Fail(f"error: unable to find container named {line.get('containers')}")
        for container in found:
            for key, values in wanted.items():
                container.setdefault("resources", {}).setdefault(key, {}).update(values)

    what = "resource requirements updated"
    return each(client, line, line.words, what, change, "failed to patch resources update to pod template ")


def quantities(text: str) -> dict[str, str]:
    out = {}
    for part in text.split(","):
        pieces = part.split("=")
        if len(pieces) != 2:
            raise Fail(f"error: Invalid argument syntax {part}, expected <resource>=<value>")
        out[pieces[0]] = pieces[1]
    return out


def selector(ctx: Context, argv: list[str]) -> Out:
    """kubectl set selector: Services only, as the API lets nothing else change its own."""
    line = parse("set selector", argv, SELECTOR)
    if not line.words:
        raise Fail("error: one selector is required")
    *names, last = line.words
    wanted: dict[str, str] = {}
    for word in last.split(","):
        key, equals, value = word.partition("=")
        if not equals and len(names) < 2 and not any("/" in n for n in names):
            raise Fail("error: resource(s) were provided, but no name was specified")
        if not equals:
            raise Fail(f'error: "{word}" is not a valid label selector')
        wanted[key] = value.removeprefix("=")
    client = connect(ctx, line)
    notes, done, dry = len(client.cluster.skipped), Written(), dry_run(line)
    for kind, body in bodies(client, line, names):
        if kind.kind != "Service":
            raise Fail("error: setting a selector is only supported for Services")
        new = edited(body)
        new["spec"]["selector"] = wanted
        stored = send(client, body, new, dry, told=done.warnings)
        done.lines.append(f"{ref(kind, name_of(body))} selector updated{dry}")
        done.bodies.append(stored or body)
    return done.out(client, line, notes)


def service_account(ctx: Context, argv: list[str]) -> Out:
    line = parse("set serviceaccount", argv, COMMON)
    if len(line.words) < 2:
        raise Fail("error: serviceaccount is required" if not line.words else ONE_OR_MORE)
    *names, account = line.words
    client = connect(ctx, line)

    def change(kind: Kind, body: Json, spec: Json) -> None:
        spec["serviceAccountName"] = account

    return each(client, line, names, "serviceaccount updated", change, "failed to patch ServiceAccountName ")
