"""kubectl config: the kubeconfig file on this machine (k8s.io/kubectl/pkg/cmd/config).

Rules. The file is the lab's: what is written here is what `cat ~/.kube/config` shows. Of several files in KUBECONFIG
the first that has an entry wins when it is read; a change goes into the first.
"""

from __future__ import annotations

from collections.abc import Callable

import yaml

from engine.kube.objects import Json, edited
from engine.linux.ops import WriteFile
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_ import output
from engine.shell.tools.kubectl_.client import config, kubeconfig_path, later
from engine.shell.tools.kubectl_.flags import Flag, Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.made import sub_word
from engine.shell.tools.kubectl_.output import to_yaml
from engine.shell.tools.kubectl_.table import table
from engine.shell.tools.kubectl_.usage import group_help

Sub = Callable[[Context, Line, Json], Out]
LISTS = {"cluster": "clusters", "context": "contexts", "user": "users"}


def config_verb(ctx: Context, argv: list[str]) -> Out:
    word, rest = sub_word(argv)
    found = SUBS.get(word)
    if found is None and word:
        raise Fail(f"error: unknown command \"{word}\"\nSee 'kubectl config -h' for help and examples")
    if found is None:
        return Out(stderr=group_help("config"), code=1)
    run, flags = found
    line = parse(f"config {word}", rest, flags)
    return run(ctx, line, config(ctx, line))


def rows_of(body: Json, key: str) -> list[Json]:
    return sorted((r for r in body.get(key) or () if isinstance(r, dict)), key=lambda r: str(r.get("name")))


def named(body: Json, key: str, name: str) -> Json | None:
    return next((r for r in body.get(key) or () if r.get("name") == name), None)


def save(ctx: Context, line: Line, body: Json) -> None:
    for key in LISTS.values():
        body[key] = rows_of(body, key) or None
    whole = {"apiVersion": "v1", "kind": "Config", "current-context": "", **body}
    ctx.do(WriteFile(box=ctx.box.name, path=kubeconfig_path(ctx, line), text=to_yaml(whole)))


# ---- what there is

EMPTY = {
    "apiVersion": "v1",
    "clusters": None,
    "contexts": None,
    "current-context": "",
    "kind": "Config",
    "users": None,
}


def unexpected(line: Line, what: str = "Unexpected args") -> Fail:
    return Fail(
        f"error: {what}: [{' '.join(line.words)}]\nSee 'kubectl {line.verb} -h' for help and examples"
    )


def view(ctx: Context, line: Line, body: Json) -> Out:
    if line.words:
        raise Fail(
            f"error: unexpected arguments: [{' '.join(line.words)}]\nSee 'kubectl config view -h' for help and examples"
        )
    shown = edited({**EMPTY, **body})
    cluster = ctx.world.cluster
    if cluster is not None and cluster.options.minor < 34:
        shown.setdefault("preferences", {})
    else:
        shown.pop("preferences", None)
    for row in shown.get("contexts") or ():
        row["context"] = {"cluster": "", "user": "", **(row.get("context") or {})}
    for row in shown.get("users") or ():
        row.setdefault("user", {})
    if line.on("minify"):
        shown = minified(shown, line.get("context"))
    if not line.on("raw") and not line.on("flatten"):
        for row in shown.get("clusters") or ():
            if "certificate-authority-data" in (row.get("cluster") or {}):
                row["cluster"]["certificate-authority-data"] = "DATA+OMITTED"
        for row in shown.get("users") or ():
            for key in row.get("user") or {}:
                if key in ("client-certificate-data", "client-key-data"):
                    row["user"][key] = "DATA+OMITTED"
                if key in ("token", "password"):
                    row["user"][key] = "REDACTED"
    return Out(stdout=output.printed(ctx, line.get("output") or "yaml", [shown], single=True))


def minified(body: Json, context: str) -> Json:
    name = context or str(body.get("current-context", ""))
    row = named(body, "contexts", name)
    if not name:
        raise Fail("error: current-context must exist in order to minify")
    if row is None:
        raise Fail(f"error: cannot locate context {name}")
    inner = row.get("context") or {}
    out = {**body, "contexts": [row], "current-context": name}
    for key, word in (("clusters", "cluster"), ("users", "user")):
        found = named(body, key, str(inner.get(word, "")))
        out[key] = [found] if found else None
    return out


def current_context(ctx: Context, line: Line, body: Json) -> Out:
    if not body.get("current-context"):
        raise Fail("error: current-context is not set")
    return Out(stdout=f"{body['current-context']}\n")


def get_contexts(ctx: Context, line: Line, body: Json) -> Out:
    if line.get("output") not in ("", "name"):
        raise Fail(
            f"error: --output {line.get('output')} is not available in kubectl config get-contexts; resetting to "
            "default output format"
        )
    names = line.words or [str(r["name"]) for r in rows_of(body, "contexts")]
    missing = [n for n in names if named(body, "contexts", n) is None]
    errors = "".join(f"error: context {n} not found\n" for n in missing)
    found = [r for n in names if (r := named(body, "contexts", n)) is not None]
    if line.get("output") == "name":
        return Out(stdout="".join(f"{r['name']}\n" for r in found), stderr=errors, code=1 if missing else 0)
    rows = [] if line.on("no-headers") else [["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]]
    for r in found:
        inner = r.get("context") or {}
        mark = "*" if r["name"] == body.get("current-context") else ""
        rows.append([mark, r["name"], *(str(inner.get(k, "")) for k in ("cluster", "user", "namespace"))])
    return Out(stdout=table(rows), stderr=errors, code=1 if missing else 0)


def get_names(key: str) -> Sub:
    def run(ctx: Context, line: Line, body: Json) -> Out:
        return Out(stdout="NAME\n" + "".join(f"{r['name']}\n" for r in rows_of(body, key)))

    return run


# ---- changes


def use_context(ctx: Context, line: Line, body: Json) -> Out:
    name = only(line)
    if named(body, "contexts", name) is None:
        raise Fail(f'error: no context exists with the name: "{name}"')
    save(ctx, line, {**body, "current-context": name})
    return Out(stdout=f'Switched to context "{name}".\n')


def only(line: Line) -> str:
    if len(line.words) != 1:
        raise Fail(
            f"error: Unexpected args: [{' '.join(line.words)}]\nSee 'kubectl {line.verb} -h' for help and examples"
        )
    return line.words[0]


def set_context(ctx: Context, line: Line, body: Json) -> Out:
    if line.on("current"):
        if line.words:
            raise Fail("error: you cannot specify both a context name and --current")
        name = str(body.get("current-context", ""))
        if not name:
            raise Fail("error: no current context is set")
    elif not line.words:
        raise Fail("error: you must specify a non-empty context name or --current")
    else:
        name = only(line)
    new = edited(body)
    fresh = named(new, "contexts", name) is None
    inner = entry(new, "contexts", name, "context")
    for key in ("namespace", "cluster", "user"):
        if key in line:
            inner[key] = line.get(key)
    save(ctx, line, new)
    return Out(stdout=f'Context "{name}" {"created" if fresh else "modified"}.\n')


def entry(body: Json, key: str, name: str, inner: str) -> Json:
    """The inner part of a named entry, made when it is missing."""
    row = named(body, key, name)
    if row is None:
        row = {"name": name, inner: {}}
        body[key] = [*(body.get(key) or []), row]
    found: Json = row.setdefault(inner, {})
    return found


def embedded(ctx: Context, line: Line, option: str) -> str:
    """A file's content in base64, for --embed-certs."""
    import base64

    path = line.get(option)
    try:
        return base64.b64encode(ctx.files.read(ctx.path(path)).encode()).decode()
    except FileError as error:
        why = error.reason[:1].lower() + error.reason[1:]
        raise Fail(f"error: could not stat {option} file {path}: stat {path}: {why}") from None


def set_cluster(ctx: Context, line: Line, body: Json) -> Out:
    name = only(line)
    new = edited(body)
    inner = entry(new, "clusters", name, "cluster")
    if "server" in line:
        inner["server"] = line.get("server")
    if "tls-server-name" in line:
        inner["tls-server-name"] = line.get("tls-server-name")
    if line.get("certificate-authority"):
        if line.on("embed-certs"):
            inner["certificate-authority-data"] = embedded(ctx, line, "certificate-authority")
            inner.pop("certificate-authority", None)
        else:
            inner["certificate-authority"] = ctx.path(line.get("certificate-authority"))
            inner.pop("certificate-authority-data", None)
    if "insecure-skip-tls-verify" in line:
        inner["insecure-skip-tls-verify"] = line.on("insecure-skip-tls-verify")
    save(ctx, line, new)
    return Out(stdout=f'Cluster "{name}" set.\n')


def set_credentials(ctx: Context, line: Line, body: Json) -> Out:
    name = only(line)
    new = edited(body)
    inner = entry(new, "users", name, "user")
    for key in ("token", "username", "password"):
        if key in line:
            inner[key] = line.get(key)
    for option in ("client-certificate", "client-key"):
        if not line.get(option):
            continue
        if line.on("embed-certs"):
            inner[option + "-data"] = embedded(ctx, line, option)
            inner.pop(option, None)
        else:
            inner[option] = ctx.path(line.get(option))
            inner.pop(option + "-data", None)
    save(ctx, line, new)
    return Out(stdout=f'User "{name}" set.\n')


REMOVED = (
    'warning: this removed your active context, use "kubectl config use-context" to select a different one\n'
)


def delete(word: str) -> Sub:
    key = LISTS[word]

    def run(ctx: Context, line: Line, body: Json) -> Out:
        if not line.words:
            raise Fail(
                f"error: user to delete is required\nSee 'kubectl {line.verb} -h' for help and examples"
                if word == "user"
                else f"error: Unexpected args: []\nSee 'kubectl {line.verb} -h' for help and examples"
            )
        name, file = line.words[0], kubeconfig_path(ctx, line)
        if named(body, key, name) is None:
            raise Fail(f"error: cannot delete {word} {name}, not in {file}")
        new = edited(body)
        new[key] = [r for r in new[key] if r.get("name") != name]
        warned = ""
        if word == "context" and body.get("current-context") == name:
            warned = REMOVED
        save(ctx, line, new)
        return Out(stdout=f"deleted {word} {name} from {file}\n", stderr=warned)

    return run


def rename_context(ctx: Context, line: Line, body: Json) -> Out:
    if len(line.words) != 2:
        raise Fail(
            f"error: Unexpected args: [{' '.join(line.words)}]\nSee 'kubectl {line.verb} -h' for help and examples"
        )
    old, new_name = line.words
    file = kubeconfig_path(ctx, line)
    if named(body, "contexts", old) is None:
        raise Fail(f'error: cannot rename the context "{old}", it\'s not in {file}')
    if named(body, "contexts", new_name) is not None:
        raise Fail(
            f'error: cannot rename the context "{old}", the context "{new_name}" already exists in {file}'
        )
    new = edited(body)
    for row in new["contexts"]:
        if row["name"] == old:
            row["name"] = new_name
    if new.get("current-context") == old:
        new["current-context"] = new_name
    save(ctx, line, new)
    return Out(stdout=f'Context "{old}" renamed to "{new_name}".\n')


def set_property(ctx: Context, line: Line, body: Json) -> Out:
    if len(line.words) != 2:
        raise Fail(
            f"error: Unexpected args: [{' '.join(line.words)}]\nSee 'kubectl {line.verb} -h' for help and examples"
        )
    path, value = line.words
    new = edited(body)
    holder, last = walk(new, path)
    holder[last] = yaml.safe_load(value) if value in ("true", "false") else value
    save(ctx, line, new)
    return Out(stdout=f'Property "{path}" set.\n')


def unset(ctx: Context, line: Line, body: Json) -> Out:
    if len(line.words) != 1:
        raise Fail(
            f"error: Unexpected args: [{' '.join(line.words)}]\nSee 'kubectl {line.verb} -h' for help and examples"
        )
    path = line.words[0]
    new = edited(body)
    first, _, rest = path.partition(".")
    if first in LISTS.values() and rest and named(new, first, rest) is not None:
        new[first] = [r for r in new[first] if r.get("name") != rest]
    else:
        holder, last = walk(new, path)
        holder.pop(last, None)
    save(ctx, line, new)
    return Out(stdout=f'Property "{path}" unset.\n')


def walk(body: Json, path: str) -> tuple[Json, str]:
    """The map and the key that a property path names: `current-context`, `contexts.NAME.namespace`."""
    first, _, rest = path.partition(".")
    inner = {"clusters": "cluster", "contexts": "context", "users": "user"}.get(first)
    if inner is None:
        if rest or first != "current-context":
            raise later(f"kubectl config set {path}")
        return body, first
    name, dot, key = rest.rpartition(".")
    if not dot:
        raise Fail(f"error: unable to parse {path} after [] at map[string]*api.{inner.capitalize()}")
    return entry(body, first, name, inner), key


SUBS: dict[str, tuple[Sub, tuple[Flag, ...]]] = {
    "view": (view, (flag("output", "o"), switch("minify"), switch("raw"), switch("flatten"), refused("merge"),
                    refused("template", value=True))),
    "current-context": (current_context, ()),
    "get-contexts": (get_contexts, (flag("output", "o"), switch("no-headers"))),
    "get-clusters": (get_names("clusters"), ()),
    "get-users": (get_names("users"), ()),
    "use-context": (use_context, ()),
    "use": (use_context, ()),
    "set-context": (set_context, (switch("current"),)),
    "set-cluster": (set_cluster, (flag("certificate-authority"), switch("embed-certs"), flag("tls-server-name"),
                                  refused("proxy-url", value=True))),
    "set-credentials": (set_credentials, (
        flag("client-certificate"), flag("client-key"), switch("embed-certs"), flag("username"), flag("password"),
        flag("token"),
        refused("auth-provider", value=True), refused("exec-command", value=True))),
    "delete-cluster": (delete("cluster"), ()),
    "delete-context": (delete("context"), ()),
    "delete-user": (delete("user"), ()),
    "rename-context": (rename_context, ()),
    "set": (set_property, (refused("set-raw-bytes", value=True),)),
    "unset": (unset, ()),
}  # fmt: skip
__all__ = ["config_verb"]
