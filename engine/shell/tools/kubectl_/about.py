"""kubectl version, api-resources, cluster-info: what is there rather than what is in it."""

from __future__ import annotations

from engine.kube.objects import KINDS, labels_of, name_of, spec_of
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import ALL, config, connect, later, server_of
from engine.shell.tools.kubectl_.flags import COMMON, Line, flag, parse, switch
from engine.shell.tools.kubectl_.made import sub_word
from engine.shell.tools.kubectl_.table import table
from engine.shell.tools.kubectl_.usage import group_help

#: what kubectl of a minor release was built with (kustomize in its go.mod)
KUSTOMIZE = {30: "v5.0.4-0.20230601165947-6ce0bf390ce3", 31: "v5.4.2", 32: "v5.5.0", 33: "v5.6.0"}
VERBS = "create,delete,deletecollection,get,list,patch,update,watch"


def version(ctx: Context, argv: list[str]) -> Out:
    line = parse("version", argv, (switch("client"), flag("output", "o")))
    if line.words:
        raise Fail(f"error: extra arguments: [{' '.join(line.words)}]")
    if line.get("output"):
        raise later("kubectl version -o")
    cluster = ctx.world.cluster
    mine = cluster.options.version if cluster is not None else "v1.35.0"
    kustomize = KUSTOMIZE.get(cluster.options.minor if cluster is not None else 35, "v5.7.1")
    text = f"Client Version: {mine}\nKustomize Version: {kustomize}\n"
    if line.on("client"):
        return Out(stdout=text)
    try:
        connect(ctx, line)
    except Fail as fail:
        return Out(stdout=text, stderr=fail.out.stderr, code=1)
    return Out(stdout=text + f"Server Version: {mine}\n")


def no_words(line: Line) -> None:
    if line.words:
        raise Fail(
            f"error: unexpected arguments: {' '.join(line.words).join('[]')}\n"
            f"See 'kubectl {line.verb} -h' for help and examples"
        )


def api_resources(ctx: Context, argv: list[str]) -> Out:
    line = parse("api-resources", argv, (
        flag("api-group"), switch("namespaced"), flag("output", "o"), switch("no-headers"), flag("sort-by"),
        switch("cached"), flag("verbs"),
    ))  # fmt: skip
    no_words(line)
    if line.get("sort-by") not in ("", "name", "kind"):
        raise Fail("error: --sort-by accepts only name or kind")
    minor = connect(ctx, line).minor
    rows = [k for k in KINDS if "api-group" not in line or k.group == line.get("api-group")]
    rows = [k for k in rows if k.since <= minor]
    if "namespaced" in line:
        rows = [k for k in rows if k.namespaced == line.on("namespaced")]
    rows.sort(key=lambda k: (k.group, k.plural))
    if line.get("output") == "name":
        return Out(stdout="".join(k.resource + "\n" for k in rows))
    if line.get("output") not in ("", "wide"):
        raise Fail(f"error: --output {line.get('output')} is not available")
    wide = line.get("output") == "wide"
    titles = [
        "NAME",
        "SHORTNAMES",
        "APIVERSION",
        "NAMESPACED",
        "KIND",
        *(["VERBS", "CATEGORIES"] if wide else []),
    ]
    head = [] if line.on("no-headers") else [titles]
    cells = []
    for k in rows:
        cells.append([k.plural, ",".join(k.short), k.api, str(k.namespaced).lower(), k.kind])
        if wide:
            cells[-1] += [VERBS, "all" if k.kind in ALL else ""]
    return Out(stdout=table([*head, *cells]))


def api_versions(ctx: Context, argv: list[str]) -> Out:
    line = parse("api-versions", argv, ())
    no_words(line)
    connect(ctx, line)
    return Out(stdout="".join(v + "\n" for v in sorted({k.api for k in KINDS})))


def cluster_info(ctx: Context, argv: list[str]) -> Out:
    line = parse("cluster-info", argv, ())
    if line.words:
        raise later(f"kubectl cluster-info {line.words[0]}")
    client = connect(ctx, line)
    server = server_of(config(ctx, line), line)
    out = f"Kubernetes control plane is running at https://{server}\n"
    for body in client.cluster.store.list("Service", "kube-system"):
        labels = labels_of(body)
        if labels.get("kubernetes.io/cluster-service") != "true":
            continue
        port = next((p.get("name") for p in spec_of(body).get("ports") or () if p.get("name")), "")
        path = f"/api/v1/namespaces/kube-system/services/{name_of(body)}{':' + port if port else ''}/proxy"
        out += f"{labels.get('kubernetes.io/name') or name_of(body)} is running at https://{server}{path}\n"
    more = "To further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n"
    return Out(stdout=f"{out}\n{more}")


def top(ctx: Context, argv: list[str]) -> Out:
    """kubectl top: no lab has a metrics server, and kubectl says so."""
    word, rest = sub_word(argv)
    own = (
        flag("selector", "l"), flag("field-selector"), switch("all-namespaces", "A"), switch("containers"),
        switch("no-headers"), flag("sort-by"), switch("sum"), switch("use-protocol-buffers"), switch("show-capacity"),
        switch("show-swap"),
    )  # fmt: skip
    kinds = {"node": "node", "nodes": "node", "no": "node", "pod": "pod", "pods": "pod", "po": "pod"}
    if word and word not in kinds:
        raise Fail(f"error: unknown command \"{word}\"\nSee 'kubectl top -h' for help and examples")
    if not word:
        return Out(stderr=group_help("top"), code=1)
    line = parse(f"top {kinds[word]}", rest, own)
    connect(ctx, line)
    raise Fail("error: Metrics API not available")


SHELLS = ("bash", "zsh", "fish", "powershell")
SCRIPT = """\
# completion for kubectl (the lab's terminal completes kubectl's words by itself)
complete -o default -F __start_kubectl kubectl
"""


def completion(ctx: Context, argv: list[str]) -> Out:
    """kubectl completion SHELL: the lab completes by itself, so the script only has to be accepted by `source`."""
    line = parse("completion", argv, ())
    help_line = "See 'kubectl completion -h' for help and examples"
    if not line.words:
        raise Fail(f"error: Shell not specified.\n{help_line}")
    if len(line.words) > 1:
        raise Fail(f"error: Too many arguments. Expected only the shell type.\n{help_line}")
    if line.words[0] not in SHELLS:
        raise Fail(f'error: Unsupported shell type "{line.words[0]}".\n{help_line}')
    if line.words[0] not in ("bash", "zsh"):
        raise later(f"kubectl completion {line.words[0]}")
    return Out(stdout=SCRIPT)


def options(ctx: Context, argv: list[str]) -> Out:
    """kubectl options: the flags of every verb."""
    parse("options", argv, ())
    rows = sorted((f for f in COMMON if not f.refused), key=lambda f: f.name)
    listed = "".join(f"    {f'-{f.short}, ' if f.short else ''}--{f.name}\n" for f in rows)
    return Out(stdout=f"The following options can be passed to any command:\n\n{listed}")
