"""docker ps, inspect, version, info, container prune."""

from __future__ import annotations

from typing import Any

from engine.docker import images
from engine.docker.daemon import VERSION, Dockerd
from engine.docker.errors import DockerError
from engine.docker.names import stamp
from engine.docker.network import find_network
from engine.docker.records import Container
from engine.docker.show import (
    inspect_container,
    inspect_image,
    inspect_network,
    network_key,
    port_summary,
    status,
)
from engine.errors import NotModelled
from engine.l7.images import parse
from engine.linux.clock import human_duration
from engine.say import Phrase
from engine.shell.tool import SEE_HELP, Context, Out
from engine.shell.tools.docker_flags import Given, Verb, flags, table
from engine.shell.tools.docker_inspect import rendered
from engine.shell.tools.docker_template import TemplateError, go_json, render

HEADERS = {
    "ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "RunningFor": "CREATED", "Status": "STATUS",
    "Ports": "PORTS", "Names": "NAMES", "CreatedAt": "CREATED AT", "State": "STATE", "Networks": "NETWORKS",
    "Labels": "LABELS", "Mounts": "MOUNTS",
}  # fmt: skip
COLUMNS = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")


def shown_ports(container: Container) -> str:
    """docker/cli DisplayablePorts: ranges of neighbouring ports, then mappings to another number."""
    groups: dict[str, list[int]] = {}
    out: list[str] = []
    mappings: list[str] = []
    rows = sorted(port_summary(container), key=lambda r: (r[2], r[0], r[1], r[3]))
    for ip, public, private, proto in rows:
        if ip and public != private:
            mappings.append(f"{ip}:{public}->{private}/{proto}")
            continue
        key = f"{ip}/{proto}" if ip else proto
        if key in groups and groups[key][1] + 1 == private:
            groups[key][1] = private
        elif key in groups and groups[key][1] == private:
            continue
        else:
            if key in groups:
                out.append(_group(key, *groups[key]))
            groups[key] = [private, private]
    out += [_group(key, *span) for key, span in groups.items()]
    return ", ".join(out + mappings)


def _group(key: str, first: int, last: int) -> str:
    ip, _, proto = key.rpartition("/")
    span = str(first) if first == last else f"{first}-{last}"
    return f"{ip}:{span}->{span}/{proto}" if ip else f"{span}/{proto}"


def _row(daemon: Dockerd, container: Container, now: float, trunc: bool) -> dict[str, str]:
    command = " ".join(container.argv)
    if trunc and len(command) > 20:
        command = command[:19] + "…"
    ref = parse(container.spec.image) if not container.spec.image.startswith("sha256:") else None
    image = container.spec.image if ref is None or not trunc else _shown_image(container.spec.image)
    return {
        "ID": container.short if trunc else container.id,
        "Image": image,
        "Command": '"' + command.replace("\\", "\\\\").replace('"', '\\"') + '"',
        "RunningFor": human_duration(now - container.created) + " ago",
        "Status": status(container, now),
        "Ports": shown_ports(container),
        "Names": container.name,
        "CreatedAt": stamp(container.created)[:19].replace("T", " ") + " +0000 UTC",
        "State": container.status,
        "Networks": ",".join(network_key(daemon, e.network) for e in container.endpoints)
        or (container.mode if container.mode in ("host", "none") else ""),
        "Labels": ",".join(sorted(f"{k}={v}" for k, v in container.spec.labels)),
        "Mounts": "",
        "LocalVolumes": "0",
        "Size": "0B",
    }


def _shown_image(text: str) -> str:
    """As it was typed, without docker.io/library and without a digest."""
    name = text.partition("@")[0]
    for head in ("docker.io/library/", "docker.io/", "index.docker.io/library/"):
        name = name.removeprefix(head)
    return name


def _chosen(daemon: Dockerd, given: Given) -> list[Container]:
    """Newest first; running ones unless -a, -n, -l or a status filter asks for more."""
    wanted: dict[str, list[str]] = {}
    for text in given.all("filter"):
        key, _, value = text.partition("=")
        if key not in ("name", "status", "id", "network", "ancestor", "label"):
            raise NotModelled(f"docker ps --filter {key}", SEE_HELP(tool="docker"))
        wanted.setdefault(key, []).append(value)
    last = int(given.one("last", "-1")) if given.one("last", "-1").lstrip("-").isdigit() else -1
    last = 1 if given.on("latest") else last
    everything = given.on("all") or last >= 0 or "status" in wanted
    found = [
        c for c in reversed(daemon.containers.values()) if everything or c.status in ("running", "restarting")
    ]
    for key, values in wanted.items():
        found = [c for c in found if any(_fits(daemon, c, key, v) for v in values)]
    return found[:last] if last >= 0 else found


def _fits(daemon: Dockerd, container: Container, key: str, value: str) -> bool:
    if key == "name":
        return value.strip("^$/") in container.name
    if key == "id":
        return container.id.startswith(value)
    if key == "status":
        return container.status == value
    if key == "network":
        names = {network_key(daemon, e.network) for e in container.endpoints} | {
            e.network for e in container.endpoints
        }
        return value in names or container.mode == value
    if key == "label":
        name, equals, text = value.partition("=")
        labels = dict(container.spec.labels)
        return name in labels and (not equals or labels[name] == text)
    return (
        parse(value).normal == container.image or parse(value).repository == parse(container.image).repository
    )


def _ps(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    trunc = not given.on("no-trunc")
    found = _chosen(daemon, given)
    if given.on("quiet"):
        return Out(stdout="".join(f"{c.short if trunc else c.id}\n" for c in found))
    rows = [_row(daemon, c, ctx.net.clock, trunc) for c in found]
    form = given.one("format")
    if form == "json":
        return Out(stdout="".join(go_json(dict(sorted(row.items()))) + "\n" for row in rows))
    if form and not form.startswith("table"):
        return Out(stdout="".join(_rendered(form, row) + "\n" for row in rows))
    if form.startswith("table "):
        cells = form[len("table ") :].replace("\\t", "\t").split("\t")
        header = [_rendered(cell, HEADERS) for cell in cells]
        return Out(stdout=table(header, [[_rendered(cell, row) for cell in cells] for row in rows]))
    return Out(stdout=table([HEADERS[c] for c in COLUMNS], [[row[c] for c in COLUMNS] for row in rows]))


def _rendered(form: str, row: dict[str, Any]) -> str:
    try:
        return render(form.replace("\\t", "\t").replace("\\n", "\n"), row)
    except TemplateError as error:
        from engine.shell.tool import Fail

        raise Fail(f"failed to execute template: {error.message}", 1) from None


def _inspect(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    objects, errors = [], ""
    kind = given.one("type")
    if kind not in ("", "container", "network", "image"):
        raise NotModelled(f"docker inspect --type {kind}", SEE_HELP(tool="docker"))
    for word in given.words:
        one = _object(ctx, daemon, word, kind)
        if one is None:
            errors += (
                f"error: no such {kind or 'object'}: {word}\n"
                if not kind
                else f"Error response from daemon: No such {kind}: {word}\n"
            )
        else:
            objects.append(one)
    return rendered(objects, given.one("format"), errors)


def _object(ctx: Context, daemon: Dockerd, word: str, kind: str) -> dict[str, Any] | None:
    """A container, image or network of that name, in docker's order of asking."""
    if kind in ("", "container"):
        try:
            return inspect_container(daemon, ctx.net, daemon.find(word))
        except DockerError:
            pass
    if kind in ("", "image"):
        image = images.lookup(daemon, word)
        if image is not None:
            return inspect_image(daemon, image)
    if kind in ("", "network"):
        try:
            return inspect_network(daemon, find_network(daemon, word))
        except DockerError:
            pass
    return None


def _version(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    if given.on("short"):
        return Out(stdout=f"Docker version {VERSION}, build 28f7560\n")
    client = (
        f"Client: Docker Engine - Community\n Version:           {VERSION}\n API version:       1.52\n"
        " Go version:        go1.25.2\n Git commit:        28f7560\n OS/Arch:           linux/amd64\n"
        " Context:           default\n"
    )
    daemon.wake(ctx.world.changes())
    server = (
        f"\nServer: Docker Engine - Community\n Engine:\n  Version:          {VERSION}\n"
        "  API version:      1.52 (minimum version 1.44)\n  Go version:       go1.25.2\n"
        "  OS/Arch:          linux/amd64\n  Experimental:     false\n containerd:\n  Version:          v2.2.0\n"
        " runc:\n  Version:          1.3.3\n"
    )
    return Out(stdout=client + server)


def _info(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    states = [c.status for c in daemon.containers.values()]
    running = states.count("running")
    lines = [
        "Client: Docker Engine - Community",
        f" Version:    {VERSION}",
        " Context:    default",
        " Debug Mode: false",
        "",
        "Server:",
        f" Containers: {len(states)}",
        f"  Running: {running}",
        "  Paused: 0",
        f"  Stopped: {len(states) - running}",
        f" Images: {len(daemon.images)}",
        f" Server Version: {VERSION}",
        " Storage Driver: overlayfs",
        "  driver-type: io.containerd.snapshotter.v1",
        " Logging Driver: json-file",
        " Cgroup Driver: systemd",
        " Cgroup Version: 2",
        " Plugins:",
        "  Volume: local",
        "  Network: bridge host ipvlan macvlan null overlay",
        " Swarm: inactive",
        " Runtimes: io.containerd.runc.v2 runc",
        " Default Runtime: runc",
        " Operating System: Debian GNU/Linux 13 (trixie)",
        " OSType: linux",
        " Architecture: x86_64",
        f" Name: {daemon.machine}",
        " Docker Root Dir: /var/lib/docker",
        " Debug Mode: false",
        " Experimental: false",
        " Live Restore Enabled: false",
        " Firewall Backend: iptables",
    ]
    return Out(stdout="\n".join(lines) + "\n")


def _prune(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    if not given.on("force"):
        raise NotModelled("docker container prune without -f (it asks)", SEE_HELP(tool="docker"))
    gone = [c for c in daemon.containers.values() if c.status in ("exited", "created")]
    for container in gone:
        daemon.remove(ctx.world.changes(), container.id)
    head = "Deleted Containers:\n" + "".join(f"{c.id}\n" for c in gone) + "\n" if gone else ""
    return Out(stdout=f"{head}Total reclaimed space: 0B\n")


VERBS = (
    Verb(
        name="ps", usage="[OPTIONS]", run=_ps, least=0, most=0,
        options=flags("all,a quiet,q no-trunc latest,l last,n= filter,f= format= size,s!"),
        summary=Phrase(en="list containers", ko="컨테이너 목록"),
    ),
    Verb(
        name="inspect", usage="[OPTIONS] NAME|ID [NAME|ID...]", run=_inspect, least=1,
        options=flags("format,f= type= size,s!"),
        summary=Phrase(
            en="show everything about a container, image or network",
            ko="컨테이너, 이미지, 네트워크를 자세히 보여 줍니다",
        ),
    ),
    Verb(
        name="version", usage="[OPTIONS]", run=_version, least=0, most=0, options=flags("short format,f=!"),
        summary=Phrase(en="show the versions", ko="버전을 보여 줍니다"),
    ),
    Verb(
        name="info", usage="[OPTIONS]", run=_info, least=0, most=0, options=flags("format,f=!"),
        summary=Phrase(en="show the daemon's state", ko="데몬의 상태를 보여 줍니다"),
    ),
    Verb(
        name="container prune", usage="[OPTIONS]", run=_prune, least=0, most=0, options=flags("force,f filter=!"),
        summary=Phrase(en="remove all stopped containers", ko="멈춘 컨테이너를 모두 지웁니다"),
    ),
)  # fmt: skip
