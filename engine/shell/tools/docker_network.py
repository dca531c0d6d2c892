"""docker network ls, inspect, create, rm, connect, disconnect, prune."""

from __future__ import annotations

from engine.docker.daemon import Dockerd
from engine.docker.errors import DockerError
from engine.docker.show import inspect_network
from engine.errors import InputError, NotModelled
from engine.linux.addr import Prefix, ip4
from engine.say import Phrase
from engine.shell.tool import SEE_HELP, Context, Fail, Out
from engine.shell.tools.docker_flags import Given, Verb, flags, table
from engine.shell.tools.docker_inspect import rendered
from engine.shell.tools.docker_template import go_json, render


def _ls(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    found = sorted(daemon.networks.values(), key=lambda n: n.name)
    for text in given.all("filter"):
        key, _, value = text.partition("=")
        if key not in ("name", "driver", "id"):
            raise NotModelled(f"docker network ls --filter {key}", SEE_HELP(tool="docker"))
        found = [n for n in found if value in {"name": n.name, "driver": n.driver, "id": n.id}[key]]
    trunc = not given.on("no-trunc")
    rows = [
        {"ID": n.id[:12] if trunc else n.id, "Name": n.name, "Driver": n.driver, "Scope": "local"}
        for n in found
    ]
    if given.on("quiet"):
        return Out(stdout="".join(f"{r['ID']}\n" for r in rows))
    form = given.one("format")
    if form == "json":
        return Out(stdout="".join(go_json(r) + "\n" for r in rows))
    if form and not form.startswith("table"):
        return Out(stdout="".join(render(form, r) + "\n" for r in rows))
    return Out(stdout=table(["NETWORK ID", "NAME", "DRIVER", "SCOPE"], [list(r.values()) for r in rows]))


def _inspect(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    objects, errors = [], ""
    for word in given.words:
        try:
            objects.append(inspect_network(daemon, daemon.find_network(word)))
        except DockerError as error:
            errors += f"Error response from daemon: {error.message}\n"
    return rendered(objects, given.one("format"), errors)


def _create(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    subnets, gateways, ranges = given.all("subnet"), given.all("gateway"), given.all("ip-range")
    if len(subnets) < max(len(gateways), len(ranges)):
        raise Fail("every ip-range or gateway must have a corresponding subnet")
    if len(subnets) > 1:
        raise NotModelled("docker network create with several --subnet", SEE_HELP(tool="docker"))
    subnet, gateway = "".join(subnets), "".join(gateways)
    for text in subnets:
        if "/" not in text:
            raise Fail(f"netip.ParsePrefix(\"{text}\"): no '/'")
        try:
            Prefix.parse(text, host_bits=True)
        except InputError:
            raise Fail(
                f'netip.ParsePrefix("{text}"): ParseAddr("{text.split("/")[0]}"): unable to parse IP'
            ) from None
    if gateway:
        try:
            inside = ip4(gateway) in Prefix.parse(subnet)
        except InputError:
            raise CREATE.fail(
                f'invalid argument "{gateway}" for "--gateway" flag: invalid string being converted to IP address: '
                f"{gateway}"
            ) from None
        if not inside:
            raise Fail(f"no matching subnet for gateway {gateway}")
    options = dict(_pair(o) for o in given.all("opt"))
    network = daemon.create_network(
        ctx.world.changes(),
        given.words[0],
        driver=given.one("driver", "bridge"),
        subnet=subnet,
        gateway=gateway,
        ip_range="".join(ranges),
        internal=given.on("internal"),
        options=options,
        labels=dict(_pair(v) for v in given.all("label")),
    )
    return Out(stdout=network.id + "\n")


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _rm(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    out, errors = "", ""
    for word in given.words:
        try:
            daemon.remove_network(ctx.world.changes(), word)
            out += word + "\n"
        except DockerError as error:
            if given.on("force") and error.message.endswith("not found"):
                continue
            errors += f"Error response from daemon: {error.message}\n"
    if errors:
        errors += "exit status 1\n"
    return Out(stdout=out, stderr=errors, code=1 if errors else 0)


def _connect(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    address = given.one("ip")
    try:
        number = ip4(address) if address else 0
    except InputError:
        raise CONNECT.fail(
            f'invalid argument "{address}" for "--ip" flag: failed to parse IP: "{address}"'
        ) from None
    daemon.connect(ctx.world.changes(), *given.words, address=number, aliases=tuple(given.all("alias")))
    return Out()


def _disconnect(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    daemon.disconnect(ctx.world.changes(), *given.words)
    return Out()


def _prune(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    if not given.on("force"):
        raise NotModelled("docker network prune without -f (it asks)", SEE_HELP(tool="docker"))
    used = {e.network for c in daemon.containers.values() for e in c.endpoints}
    gone = [n for n in daemon.networks.values() if n.user_defined and n.id not in used]
    for network in gone:
        daemon.remove_network(ctx.world.changes(), network.id)
    if not gone:
        return Out()
    return Out(stdout="Deleted Networks:\n" + "".join(f"{n.name}\n" for n in gone) + "\n")


CREATE = Verb(
    name="network create", usage="[OPTIONS] NETWORK", run=_create, least=1, most=1,
    options=flags(
        "driver,d= subnet= gateway= ip-range= internal opt,o= label= attachable! aux-address=! config-from=! "
        "config-only! ingress! ipam-driver=! ipam-opt=! ipv4! ipv6! scope=!"
    ),
    summary=Phrase(en="make a network", ko="네트워크를 만듭니다"),
)  # fmt: skip
CONNECT = Verb(
    name="network connect", usage="[OPTIONS] NETWORK CONTAINER", run=_connect, least=2, most=2, completes="networks",
    options=flags("ip= alias= ip6=! link=! link-local-ip=! driver-opt=! gw-priority=!"),
    summary=Phrase(en="put a container into a network", ko="컨테이너를 네트워크에 연결합니다"),
)  # fmt: skip
VERBS = (
    Verb(
        name="network ls", usage="[OPTIONS]", run=_ls, least=0, most=0,
        options=flags("quiet,q no-trunc filter,f= format="), summary=Phrase(en="list networks", ko="네트워크 목록"),
    ),
    Verb(
        name="network inspect", usage="[OPTIONS] NETWORK [NETWORK...]", run=_inspect, least=1, completes="networks",
        options=flags("format,f= verbose,v! scope=!"),
        summary=Phrase(en="show everything about a network", ko="네트워크를 자세히 보여 줍니다"),
    ),
    CREATE,
    Verb(
        name="network rm", usage="NETWORK [NETWORK...]", run=_rm, least=1, completes="networks",
        options=flags("force,f"), summary=Phrase(en="remove networks", ko="네트워크를 지웁니다"),
    ),
    CONNECT,
    Verb(
        name="network disconnect", usage="[OPTIONS] NETWORK CONTAINER", run=_disconnect, least=2, most=2,
        options=flags("force,f"), completes="networks",
        summary=Phrase(en="take a container out of a network", ko="컨테이너를 네트워크에서 뗍니다"),
    ),
    Verb(
        name="network prune", usage="[OPTIONS]", run=_prune, least=0, most=0, options=flags("force,f filter=!"),
        summary=Phrase(en="remove networks that nobody uses", ko="쓰지 않는 네트워크를 모두 지웁니다"),
    ),
)  # fmt: skip
