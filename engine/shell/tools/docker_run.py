"""docker run, create, start, stop, restart, kill, rm, exec, logs, port, top."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from engine.docker.daemon import SIGNALS, Dockerd
from engine.docker.errors import DockerError
from engine.docker.files import read_log
from engine.docker.images import lookup
from engine.docker.options import (
    BadOption,
    parse_add_host,
    parse_env,
    parse_mac,
    parse_publish,
    parse_restart,
)
from engine.docker.records import Container, Spec
from engine.docker.show import ports_map
from engine.errors import NotModelled
from engine.l7.images import parse as parse_image
from engine.linux.addr import ip4
from engine.linux.rows import Proc
from engine.record import replace
from engine.say import Phrase
from engine.shell.place import Spot, inside
from engine.shell.tool import SEE_HELP, Context, Fail, Out
from engine.shell.tools.docker_flags import Given, Verb, each, flags
from engine.shell.tools.docker_image import pull_lines

RUN_OPTIONS = flags(
    "detach,d interactive,i tty,t rm name= env,e= publish,p= publish-all,P expose= network= net= network- "
    "alias= net-alias= ip= mac-address= hostname,h= add-host= dns= entrypoint= user,u= workdir,w= label,l= "
    "restart= pid= uts= ipc= sysctl= cap-add= cap-drop= privileged pull= quiet,q init! attach,a=! annotation=! "
    "blkio-weight=! cgroup-parent=! cgroupns=! cidfile=! cpu-period=! cpu-quota=! cpu-shares,c=! cpus=! "
    "cpuset-cpus=! detach-keys=! device=! dns-opt=! dns-option=! dns-search=! domainname=! env-file=! gpus=! "
    "group-add=! health-cmd=! health-interval=! health-retries=! health-timeout=! ip6=! label-file=! link=! "
    "link-local-ip=! log-driver=! log-opt=! memory,m=! memory-reservation=! memory-swap=! mount=! no- "
    "healthcheck! oom-kill-disable! oom-score-adj=! pids-limit=! platform=! read-only! runtime=! security- "
    "opt=! shm-size=! sig-proxy! stop-signal=! stop-timeout=! storage-opt=! tmpfs=! ulimit=! userns=! "
    "volume,v=! volume-driver=! volumes-from=!"
)
CREATE_OPTIONS = tuple(f for f in RUN_OPTIONS if f.names[0] != "detach")
ONE_NETWORK = Phrase(
    en="Give one network and connect the others with `docker network connect`.",
    ko="네트워크를 하나만 주고 나머지는 `docker network connect`로 연결하십시오.",
)
WAITS_HERE = Phrase(
    en="{name} runs in the foreground; the lab detaches, as Ctrl-P Ctrl-Q would. `docker logs {name}` shows its lines.",
    ko="{name}은(는) 포그라운드 실행입니다. 여기서는 Ctrl-P Ctrl-Q처럼 분리합니다. 출력은 `docker logs {name}`입니다.",
)


def spec_of(verb: Verb, given: Given) -> Spec:
    """The options of run and create as a Spec. Raises Fail with docker's words."""
    networks = [*given.all("network"), *given.all("net")]
    if len(networks) > 1:
        raise NotModelled("docker run with several --network", ONE_NETWORK())
    network = networks[0] if networks else "bridge"
    address, mac, aliases = (
        given.one("ip"),
        given.one("mac-address"),
        given.all("network-alias") + given.all("net-alias"),
    )
    if "=" in network:
        network, address, mac, more = _long_network(network, address, mac)
        aliases += more
    try:
        publish = tuple(parse_publish(p) for p in given.all("publish"))
        expose = tuple((p.port, p.proto) for p in (parse_publish(e) for e in given.all("expose")))
        entrypoint = (
            tuple(w for w in given.all("entrypoint")[-1:] if w) if "entrypoint" in given.flags else None
        )
        if given.one("pull", "missing") not in ("missing", "always", "never"):
            raise BadOption(
                f'invalid pull option: \'{given.one("pull")}\': must be one of "always", "missing" or "never"'
            )
        if given.on("rm") and given.one("restart", "no") != "no":
            raise BadOption("conflicting options: cannot specify both --restart and --rm")
        return Spec(
            image=given.words[0], command=tuple(given.words[1:]), entrypoint=entrypoint, name=given.one("name"),
            env=tuple(parse_env(e) for e in given.all("env")),
            labels=tuple(_pair(v) for v in given.all("label")),
            hostname=given.one("hostname"), user=given.one("user"), workdir=given.one("workdir"),
            network="bridge" if network == "default" else network,
            address=_ip(address) if address else 0, mac=parse_mac(mac) if mac else 0, aliases=tuple(aliases),
            publish=publish, publish_all=given.on("publish-all"), expose=expose,
            add_hosts=tuple(parse_add_host(h) for h in given.all("add-host")), dns=tuple(given.all("dns")),
            pid=given.one("pid"), uts=given.one("uts"), ipc=given.one("ipc"),
            sysctls=tuple(_pair(s) for s in given.all("sysctl")), cap_add=tuple(given.all("cap-add")),
            cap_drop=tuple(given.all("cap-drop")), privileged=given.on("privileged"), auto_remove=given.on("rm"),
            restart=parse_restart(given.one("restart", "no")), tty=given.on("tty"), stdin=given.on("interactive"),
            attached=not given.on("detach"),
        )  # fmt: skip
    except BadOption as error:
        raise Fail(_helped(error.tool_text, verb), 125) from None


def _long_network(text: str, address: str, mac: str) -> tuple[str, str, str, list[str]]:
    """`--network name=shop,alias=db,ip=172.30.0.9`."""
    name, aliases = "", []
    for part in text.split(","):
        key, _, value = part.partition("=")
        if key == "name":
            name = value
        elif key == "alias":
            aliases.append(value)
        elif key == "ip":
            address = value
        elif key == "mac-address":
            mac = value
        else:
            raise NotModelled(f"docker run --network {key}=", SEE_HELP(tool="docker"))
    return name, address, mac, aliases


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _ip(text: str) -> int:
    try:
        return ip4(text)
    except NotModelled:
        raise
    except Exception:
        raise BadOption(f'invalid argument "{text}" for "--ip" flag: failed to parse IP: "{text}"') from None


def _helped(text: str, verb: Verb) -> str:
    return f"docker: {text}\n\nRun 'docker {verb.name} --help' for more information"


def _fetch(ctx: Context, daemon: Dockerd, spec: Spec, given: Given) -> str:
    """Pull a missing image as `docker run` does; what it prints on stderr. Raises DockerError."""
    policy = given.one("pull", "missing")
    there = lookup(daemon, spec.image) is not None
    if policy == "never" or (there and policy == "missing"):
        return ""
    text = (
        "" if policy == "always" else f"Unable to find image '{parse_image(spec.image).familiar}' locally\n"
    )
    try:
        return text + "".join(pull_lines(daemon, ctx.world.changes(), spec.image))
    except DockerError as error:
        raise DockerError(error.message + "\0" + text, error.code) from None


def _run(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    return _launch(ctx, daemon, given, RUN, start=True)


def _create(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    return _launch(ctx, daemon, given, CREATE, start=False)


def _launch(ctx: Context, daemon: Dockerd, given: Given, verb: Verb, *, start: bool) -> Out:
    changes, detached = ctx.world.changes(), given.on("detach") or not start
    spec = spec_of(verb, given)
    err, out = "", ""
    try:
        parse_image(spec.image)
        err = _fetch(ctx, daemon, spec, given)
        made = daemon.create(changes, spec)
        if spec.network == "host" and (spec.publish or spec.publish_all):
            err += "WARNING: Published ports are discarded when using host network mode\n"
        if detached:
            out = made.id + "\n"
        if not start:
            return Out(stdout=out, stderr=err)
        try:
            made = daemon.start(changes, made.id)
        except DockerError:
            if spec.auto_remove:
                daemon.remove(changes, made.id)
            raise
    except DockerError as error:
        said, _, before = error.message.partition("\0")
        text = _helped(f"Error response from daemon: {said}", verb)
        return Out.mixed((("err", err + before), ("out", out), ("err", f"{text}\n")), error.code)
    except Exception as error:
        text = getattr(error, "tool_text", "")
        if not text:
            raise
        return Out(stderr=_helped(text, verb) + "\n", code=125)
    return _foreground(ctx, daemon, made, out, err, detached=detached)


def _foreground(
    ctx: Context, daemon: Dockerd, container: Container, out: str, err: str, *, detached: bool
) -> Out:
    """What is left to do after the start: run a tool, enter a shell, show the lines of what ended."""
    ran = _first_process(ctx, daemon, container.id)
    if ran is not None:
        if detached:
            return Out.mixed((("err", err), ("out", out)), 0, ran.journeys)
        return Out.mixed((("err", err), *ran.texts()), ran.code, ran.journeys)
    if detached:
        return Out.mixed((("err", err), ("out", out)))
    lines = "".join(text + "\n" for stream, text in container.log if stream == "stdout")
    wrong = "".join(text + "\n" for stream, text in container.log if stream == "stderr")
    shown = (("err", err), ("out", lines), ("err", wrong))
    if not container.running:
        return Out.mixed(shown, container.code)
    if container.spec.tty and container.spec.stdin:
        return replace(Out.mixed(shown), enter=replace(_spot(ctx, daemon, container), ends=container.pid))
    return Out.mixed((*shown, ("err", ctx.say(WAITS_HERE(name=container.name)))))


def _first_process(ctx: Context, daemon: Dockerd, id: str) -> Out | None:
    """Run a container whose first process is a command of the lab's shell, and end it. None when it is not one."""
    container = daemon.containers.get(id)
    if container is None or not container.running:
        return None
    proc = ctx.net.boxes[daemon.machine].procs[container.pid]
    if proc.program or not proc.args:
        return None
    spot = _spot(ctx, daemon, container)
    if spot.tools is not None and proc.args[0].rsplit("/", 1)[-1] not in spot.tools:
        return None
    ran = ctx.shell.run_argv(list(proc.args), spot, ctx.stdin if container.spec.stdin else "", False)
    log = tuple(("stdout", line) for line in ran.stdout.splitlines())
    log += tuple(("stderr", line) for line in ran.stderr.splitlines())
    daemon.end(ctx.world.changes(), id, ran.code, log)
    return replace(ran, enter=None, leave=False)


def _spot(ctx: Context, daemon: Dockerd, container: Container) -> Spot:
    box = ctx.net.boxes[daemon.machine]
    return inside(box, box.procs[container.pid], f"container/{daemon.machine}/{container.name}")


def _many(given: Given, act: Callable[[str], object]) -> Out:
    def one(word: str) -> str:
        act(word)
        return word

    return each(given.words, one)


def _start(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    out, errors, journeys = "", "", []
    for word in given.words:
        try:
            container = daemon.start(ctx.world.changes(), word)
            ran = _first_process(ctx, daemon, container.id)
            journeys += list(ran.journeys) if ran is not None else []
            out += word + "\n"
        except DockerError as error:
            errors += f"Error response from daemon: {error.message}\n"
    if errors:
        errors += (
            f"failed to start containers: {', '.join(w for w in given.words if w + chr(10) not in out)}\n"
        )
    return Out(stdout=out, stderr=errors, code=1 if errors else 0, journeys=tuple(journeys))


def _stop(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    text = given.one("timeout", "10")
    grace = float(text) if text.isdigit() else 10.0
    return _many(given, lambda w: daemon.stop(ctx.world.changes(), w, grace=grace))


def _restart(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    return _many(given, lambda w: daemon.restart(ctx.world.changes(), w))


def _kill(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    signal = given.one("signal", "KILL").upper().removeprefix("SIG")
    signal = next((name for name, number in SIGNALS.items() if signal == str(number)), signal)
    if signal not in SIGNALS:
        raise NotModelled(f"docker kill --signal {signal}", SEE_HELP(tool="docker"))
    return _many(given, lambda w: daemon.kill(ctx.world.changes(), w, signal))


def _rm(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    out, errors = "", ""
    for word in given.words:
        try:
            daemon.remove(ctx.world.changes(), word, force=given.on("force"))
            out += word + "\n"
        except DockerError as error:
            if not (given.on("force") and error.message.startswith("No such container")):
                errors += f"Error response from daemon: {error.message}\n"
    return Out(stdout=out, stderr=errors, code=1 if errors else 0)


def _exec(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    container = daemon.find(given.words[0])
    if not container.running:
        raise DockerError(f"container {container.id} is not running")
    command = given.words[1:]
    spot = _spot(ctx, daemon, container)
    extra = dict(parse_env(e) for e in given.all("env"))
    spot = replace(spot, env=(*spot.env, *extra.items()), user=given.one("user") or spot.user)
    name = command[0].rsplit("/", 1)[-1]
    if spot.tools is not None and name not in spot.tools:
        return Out(
            stderr=f'OCI runtime exec failed: exec failed: unable to start container process: exec: "{command[0]}": '
            "executable file not found in $PATH\n",
            code=127,
        )
    tty = given.on("tty") and given.on("interactive")
    if (
        given.on("tty")
        and not given.on("interactive")
        and len(command) == 1
        and name in ("sh", "bash", "ash", "zsh")
    ):
        tty = False
    stdin = ctx.stdin if given.on("interactive") else ""
    screen = given.on("tty") and ctx.to_terminal
    session = ctx.shell.run_argv(command, spot, stdin, tty and ctx.tty, screen=screen)
    if given.on("detach"):
        return Out(journeys=session.journeys)
    return session


def _logs(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    container = daemon.find(given.words[0])
    lines = read_log(ctx.net, daemon.machine, container)
    tail = given.one("tail", given.one("n", "all"))
    if tail.isdigit():
        lines = lines[len(lines) - int(tail) :] if int(tail) else []
    out = "".join(text + "\n" for stream, text in lines if stream == "stdout")
    err = "".join(text + "\n" for stream, text in lines if stream == "stderr")
    return Out(stdout=out, stderr=err)


def _port(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    container = daemon.find(given.words[0])
    ports = ports_map(container)
    if len(given.words) == 2:
        key = given.words[1] if "/" in given.words[1] else f"{given.words[1]}/tcp"
        rows = ports.get(key) or []
        if not rows:
            raise Fail(f"no public port '{given.words[1]}' published for {given.words[0]}")
        return Out(stdout="".join(f"{r['HostIp']}:{r['HostPort']}\n" for r in rows))
    lines = [f"{key} -> {r['HostIp']}:{r['HostPort']}\n" for key, rows in ports.items() for r in rows or []]
    return Out(stdout="".join(sorted(lines, key=lambda x: (int(x.split("/")[0]), x))))


def _top(ctx: Context, daemon: Dockerd, given: Given) -> Out:
    container = daemon.find(given.words[0])
    if len(given.words) > 1:
        raise NotModelled("docker top with ps options", SEE_HELP(tool="docker"))
    if not container.running:
        raise DockerError(f"container {container.id} is not running")
    procs = [p for p in ctx.box.procs.values() if p.container == container.id]
    rows = [[p.user, str(p.pid), str(p.ppid), "0", "09:00", "?", "00:00:00", _shown(p)] for p in procs]
    header = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    widths = [max(20, *(len(r[i]) + 3 for r in [header, *rows])) for i in range(7)]
    lines = [
        "".join(c.ljust(w) for c, w in zip(row, widths, strict=False)) + row[-1] + "\n"
        for row in [header, *rows]
    ]
    return Out(stdout="".join(lines))


def _shown(proc: Proc) -> str:
    return proc.args[0] if len(proc.args) == 1 else shlex.join(proc.args)


CONTAINERS = "CONTAINER [CONTAINER...]"
RUN = Verb(
    name="run", usage="[OPTIONS] IMAGE [COMMAND] [ARG...]", run=_run, options=RUN_OPTIONS, least=1, interspersed=False,
    summary=Phrase(en="make a container and start it", ko="컨테이너를 만들어 시작합니다"), completes="images",
)  # fmt: skip
CREATE = Verb(
    name="create", usage="[OPTIONS] IMAGE [COMMAND] [ARG...]", run=_create, options=CREATE_OPTIONS, least=1,
    interspersed=False, summary=Phrase(en="make a container", ko="컨테이너를 만듭니다"), completes="images",
)  # fmt: skip
VERBS = (
    RUN,
    CREATE,
    Verb(
        name="start", usage=f"[OPTIONS] {CONTAINERS}", run=_start, least=1,
        options=flags("attach,a! interactive,i! detach-keys=!"),
        summary=Phrase(en="start stopped containers", ko="멈춘 컨테이너를 시작합니다"),
    ),
    Verb(
        name="stop", usage=f"[OPTIONS] {CONTAINERS}", run=_stop, options=flags("timeout,t,time= signal,s=!"), least=1,
        summary=Phrase(
            en="stop containers (SIGTERM, then SIGKILL)", ko="컨테이너를 멈춥니다(SIGTERM, 그다음 SIGKILL)"
        ),
    ),
    Verb(
        name="restart", usage=f"[OPTIONS] {CONTAINERS}", run=_restart, least=1,
        options=flags("timeout,t,time= signal,s=!"),
        summary=Phrase(en="stop and start containers", ko="컨테이너를 멈췄다가 시작합니다"),
    ),
    Verb(
        name="kill", usage=f"[OPTIONS] {CONTAINERS}", run=_kill, options=flags("signal,s="), least=1,
        summary=Phrase(en="kill containers", ko="컨테이너를 강제로 끝냅니다"),
    ),
    Verb(
        name="rm", usage=f"[OPTIONS] {CONTAINERS}", run=_rm, options=flags("force,f volumes,v link,l!"), least=1,
        summary=Phrase(en="remove containers", ko="컨테이너를 지웁니다"),
    ),
    Verb(
        name="exec", usage="[OPTIONS] CONTAINER COMMAND [ARG...]", run=_exec, least=2, interspersed=False,
        options=flags("interactive,i tty,t detach,d env,e= user,u= workdir,w=! privileged! env-file=! detach-keys=!"),
        summary=Phrase(en="run a command inside a running container", ko="실행 중인 컨테이너 안에서 명령을 실행합니다"),
    ),
    Verb(
        name="logs", usage="[OPTIONS] CONTAINER", run=_logs, least=1, most=1,
        options=flags("tail,n= follow,f! since=! until=! timestamps,t! details!"),
        summary=Phrase(en="show what a container wrote", ko="컨테이너가 출력한 내용을 보여 줍니다"),
    ),
    Verb(
        name="port", usage="CONTAINER [PRIVATE_PORT[/PROTO]]", run=_port, least=1, most=2,
        summary=Phrase(en="show published ports", ko="공개한 포트를 보여 줍니다"),
    ),
    Verb(
        name="top", usage="CONTAINER [ps OPTIONS]", run=_top, least=1, interspersed=False,
        summary=Phrase(en="show the processes of a container", ko="컨테이너의 프로세스를 보여 줍니다"),
    ),
)  # fmt: skip
