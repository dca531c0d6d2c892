"""systemctl: the units that a lab's machine has: containerd, kubelet, docker.

Rules. A restart ends the unit's process; systemd starts it again, and it reads its configuration anew. A unit that was
stopped stays stopped until somebody starts it; docker's cannot be stopped here (refused by name). Units that the lab
does not have are answered as systemd answers. Source: systemd 252 (Debian 12).
"""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import NotModelled
from engine.kube import units
from engine.kube.clock import EPOCH
from engine.kube.node import NodeState
from engine.kube.system import KUBELET_PROBLEM
from engine.linux.ops import KillProc
from engine.linux.rows import Proc
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool
from engine.shell.tools.kubectl_.flags import SEE

UNITS = {
    "containerd": ("containerd container runtime", "/usr/lib/systemd/system/containerd.service"),
    "kubelet": ("kubelet: The Kubernetes Node Agent", "/usr/lib/systemd/system/kubelet.service"),
    "docker": ("Docker Application Container Engine", "/usr/lib/systemd/system/docker.service"),
    "ip-masq-agent": ("ip-masq-agent", "/etc/systemd/system/ip-masq-agent.service"),
}
REFUSED = (
    "mask", "unmask", "kill", "edit", "show", "list-unit-files", "reboot", "poweroff", "isolate", "set-property",
    "reset-failed", "list-units",
)  # fmt: skip


WANTS = "/etc/systemd/system/multi-user.target.wants"


def process(ctx: Context, unit: str) -> Proc | None:
    """The unit's main process on this machine."""
    names = {"docker": ("dockerd",)}.get(unit, (unit,))
    for proc in sorted(ctx.box.procs.values(), key=lambda p: p.pid):
        if not proc.container and proc.comm in names:
            return proc
    return None


def node_of(ctx: Context) -> NodeState | None:
    cluster = ctx.world.cluster
    return cluster.nodes.get(ctx.spot.box) if cluster is not None else None


def known(ctx: Context, unit: str) -> bool:
    """Has this machine such a unit?"""
    if unit in ("containerd", "kubelet"):
        return node_of(ctx) is not None or process(ctx, unit) is not None
    if unit == "ip-masq-agent":
        node = node_of(ctx)
        return node is not None and "ip-masq-agent" in node.procs
    return unit in UNITS and process(ctx, unit) is not None


def problem(ctx: Context, unit: str) -> str:
    """Why the unit does not run; "" when it does."""
    node = node_of(ctx)
    if node is not None and unit == "containerd":
        return node.runtime.problem
    if node is not None and unit == "kubelet" and unit not in units.of(node, units.STOPPED):
        return str(node.memory.get(KUBELET_PROBLEM) or node.runtime.problem)
    return ""


def of_node(ctx: Context, unit: str, verb: str) -> NodeState:
    """The node whose unit it is. NotModelled for dockerd, which lives without a cluster."""
    node = node_of(ctx)
    if node is None or unit not in units.NAMES:
        raise NotModelled(f"systemctl {verb} {unit}", SEE())
    return node


def stop(ctx: Context, unit: str) -> Out:
    units.mark(of_node(ctx, unit, "stop"), units.STOPPED, unit, True)
    proc = process(ctx, unit)
    if proc is not None:
        ctx.do(KillProc(box=ctx.box.name, pid=proc.pid))
    wake(ctx)
    return Out()


def start(ctx: Context, unit: str) -> Out:
    units.mark(of_node(ctx, unit, "start"), units.STOPPED, unit, False)
    wake(ctx)
    return outcome(ctx, unit)


def wake(ctx: Context) -> None:
    """Let the machine act on what was asked."""
    if ctx.world.cluster is not None:
        ctx.world.cluster.wake()
    ctx.world.settle()


def enable(ctx: Context, unit: str) -> Out:
    node = of_node(ctx, unit, "enable")
    if unit not in units.of(node, units.DISABLED):
        return Out()
    units.mark(node, units.DISABLED, unit, False)
    path = UNITS[unit][1]
    return Out(stderr=f"Created symlink {WANTS}/{unit}.service → {path}.\n")


def disable(ctx: Context, unit: str) -> Out:
    node = of_node(ctx, unit, "disable")
    if unit in units.of(node, units.DISABLED):
        return Out()
    units.mark(node, units.DISABLED, unit, True)
    return Out(stderr=f"Removed {WANTS}/{unit}.service.\n")


def enabled(ctx: Context, unit: str) -> bool:
    node = node_of(ctx)
    return node is None or unit not in units.of(node, units.DISABLED)


def is_enabled(ctx: Context, unit: str) -> Out:
    return Out(stdout="enabled\n") if enabled(ctx, unit) else Out(stdout="disabled\n", code=1)


def cat(ctx: Context, unit: str) -> Out:
    """The unit's files that the machine has; a drop-in follows, as kubeadm's does."""
    drop_in = f"/usr/lib/systemd/system/{unit}.service.d/10-kubeadm.conf"
    text = ctx.box.files.get(drop_in)
    if text is None:
        raise NotModelled(f"systemctl cat {unit}", SEE())
    return Out(stdout=f"# {drop_in}\n{text}")


def restart(ctx: Context, unit: str) -> Out:
    node = node_of(ctx)
    if node is not None:
        units.mark(node, units.STOPPED, unit, False)
    proc = process(ctx, unit)
    if proc is not None:
        ctx.do(KillProc(box=ctx.box.name, pid=proc.pid))
    wake(ctx)
    return outcome(ctx, unit)


def outcome(ctx: Context, unit: str) -> Out:
    """Did the unit come up? kubelet's is of type simple: systemd calls it started as soon as it was forked."""
    if unit != "kubelet" and process(ctx, unit) is None:
        raise Fail(
            f"Job for {unit}.service failed because the control process exited with error code.\n"
            f'See "systemctl status {unit}.service" and "journalctl -xeu {unit}.service" for details.'
        )
    return Out()


def status(ctx: Context, unit: str) -> Out:
    title, path = UNITS[unit]
    proc = process(ctx, unit)
    word = "enabled" if enabled(ctx, unit) else "disabled"
    lines = [f"● {unit}.service - {title}", f"     Loaded: loaded ({path}; {word}; preset: enabled)"]
    if (drop_in := f"{path}.d/10-kubeadm.conf") in ctx.box.files:
        lines += [f"    Drop-In: {path}.d", f"             └─{drop_in.rsplit('/', 1)[-1]}"]
    node = node_of(ctx)
    if proc is None and node is not None and unit in units.of(node, units.STOPPED):
        lines[0] = f"○ {unit}.service - {title}"
        lines.append("     Active: inactive (dead)")
        return Out(stdout="\n".join(lines) + "\n", code=3)
    if proc is None:
        lines.append("     Active: activating (auto-restart) (Result: exit-code)")
        lines += [
            "",
            *(f"{ctx.box.name} {line}" for _, line in ctx.box.journal[-5:] if line.startswith(unit)),
        ]
        return Out(stdout="\n".join(lines) + "\n", code=3)
    from datetime import timedelta

    since = (EPOCH + timedelta(seconds=int(proc.started))).strftime("%a %Y-%m-%d %H:%M:%S UTC")
    seconds = int(ctx.net.clock - proc.started)
    past = (
        f"{seconds}s"
        if seconds < 60
        else f"{seconds // 60}min {seconds % 60}s"
        if seconds < 3600
        else f"{seconds // 3600}h {seconds % 3600 // 60}min"
    )
    lines += [
        f"     Active: active (running) since {since}; {past} ago",
        f"   Main PID: {proc.pid} ({proc.comm})",
        f"     CGroup: /system.slice/{unit}.service",
        f"             └─{proc.pid} {' '.join(proc.args)}",
    ]
    log = [line for _, line in ctx.box.journal if line.startswith(f"{unit}[")][-10:]
    if log:
        lines += ["", *(f"{ctx.box.name} {line}" for line in log)]
    return Out(stdout="\n".join(lines) + "\n")


def is_active(ctx: Context, unit: str) -> Out:
    if process(ctx, unit) is not None:
        return Out(stdout="active\n")
    return Out(stdout="activating\n" if problem(ctx, unit) else "inactive\n", code=3)


VERBS: dict[str, Callable[[Context, str], Out]] = {
    "restart": restart, "try-restart": restart, "status": status, "is-active": is_active, "start": start, "stop": stop,
    "enable": enable, "disable": disable, "is-enabled": is_enabled, "cat": cat,
}  # fmt: skip


def run(ctx: Context, argv: list[str]) -> Out:
    got = TOOL.parse(argv)
    if not got.words:
        raise NotModelled("systemctl list-units", SEE())
    verb, *names = got.words
    if verb == "daemon-reload":
        return Out()
    if verb in REFUSED or verb == "reload":
        raise NotModelled(f"systemctl {verb}", SEE())
    if verb not in VERBS:
        raise Fail(f"Unknown command verb '{verb}'.")
    if not names:
        if verb == "status":
            raise NotModelled("systemctl status without a unit", SEE())
        raise Fail("Too few arguments.")
    out, err, code = "", "", 0
    for word in names:
        unit = word.removesuffix(".service")
        if not known(ctx, unit):
            if verb == "status":
                raise Fail(f"Unit {unit}.service could not be found.", 4)
            if verb == "is-active":
                out, code = out + "inactive\n", 4
                continue
            raise Fail(f"Failed to {verb} {unit}.service: Unit {unit}.service not found.", 5)
        done = VERBS[verb](ctx, unit)
        out, err, code = out + done.stdout, err + done.stderr, done.code or code
        if "--now" in got and verb in ("enable", "disable"):
            (start if verb == "enable" else stop)(ctx, unit)
    return Out(stdout=out, stderr=err, code=code)


def complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    if not argv:
        return [v for v in (*VERBS, "daemon-reload") if v.startswith(word)]
    return [u for u in UNITS if u.startswith(word) and known(ctx, u)]


TOOL = Tool(
    name="systemctl",
    summary=Phrase(
        en="the machine's services: restart, status", ko="머신의 서비스를 다시 시작하거나 상태를 봅니다"
    ),
    run=run,
    complete=complete,
    group="cluster",
    opts=(Opt(("--no-pager",)), Opt(("-l", "--full")), Opt(("-q", "--quiet")), Opt(("--now",))),
    usage=(
        "systemctl start|stop|restart|status|enable|disable|is-active|is-enabled containerd|kubelet",
        "systemctl daemon-reload",
    ),
)
