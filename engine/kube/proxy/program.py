"""kube-proxy as a container's program: its command line, its configuration file, what it writes when it starts.

Theory. The file is read once, when the container starts: who edits the ConfigMap must start the pods anew. A
configuration that kube-proxy refuses ends the process with its own words, so the pod goes into CrashLoopBackOff.
What it runs with stands in the process's settings, where the node's agent (agent.py) finds it.

Rules. The lines are those of a real log, by release: 1.32, 1.34 and 1.36 were at hand; a release between them writes as
the one before it. Sources: cmd/kube-proxy/app/{options,server,server_linux}.go and logs of clusters.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.kube import podenv, volumes
from engine.kube.clock import klog_stamp
from engine.kube.objects import Json
from engine.kube.options import Options
from engine.kube.proxy import config as configs
from engine.kube.proxy.config import Config, Invalid
from engine.kube.sync import Sync
from engine.l7.behave import Behaviour
from engine.linux.ipvs.rows import REFUSED

NAME = "kube-proxy"
#: flags that are taken, beside those of the deprecated kind that the file replaces
FLAGS = ("--config", "--hostname-override", "--v")

UNSET = (
    "nodePortAddresses is unset; NodePort connections will be accepted on all local IPs. Consider using "
    "`--nodeport-addresses primary`"
)
LOCALNET = (
    "Setting route_localnet=1 to allow node-ports on localhost; to change this either disable "
    "iptables.localhostNodePorts (--iptables-localhost-nodeports) or set nodePortAddresses (--nodeport-addresses) to "
    "filter loopback addresses"
)
DEPRECATED = "The ipvs proxier is now deprecated and may be removed in a future release. Please use 'nftables' instead."
DEPRECATED_SINCE = 35
#: the releases whose lines of source are known, and those lines
PLACES: dict[int, dict[str, str]] = {
    32: {
        "default": "server_linux.go:66", "ips": "server.go:698", "conntrack": "conntrack.go:60",
        "unset": "server.go:234", "stack": "server.go:243", "iptables": "server_linux.go:170",
        "ipvs": "server_linux.go:234", "nftables": "server_linux.go:292", "userspace": "server_linux.go:234",
        "localnet": "proxier.go:254",
        "version": "server.go:497", "go": "server.go:499", "service": "config.go:199", "slice": "config.go:105",
        "node": "config.go:329", "wait": "shared_informer.go:313", "synced": "shared_informer.go:320",
    },
    34: {
        "default": "server_linux.go:53", "ips": "server.go:219", "conntrack": "conntrack.go:60",
        "unset": "server.go:256", "stack": "server.go:265", "iptables": "server_linux.go:132",
        "ipvs": "server_linux.go:194", "nftables": "server_linux.go:254", "userspace": "server_linux.go:194",
        "localnet": "proxier.go:242",
        "version": "server.go:527", "go": "server.go:529", "service": "config.go:200", "slice": "config.go:106",
        "node": "config.go:309", "wait": "shared_informer.go:349", "synced": "shared_informer.go:356",
        "deprecated": "server_linux.go:196",
    },
    36: {
        "default": "server_linux.go:53", "ips": "server.go:228", "conntrack": "sysctls.go:147",
        "unset": "server.go:265", "stack": "server.go:274", "iptables": "server_linux.go:132",
        "ipvs": "server_linux.go:194", "nftables": "server_linux.go:254", "userspace": "server_linux.go:194",
        "localnet": "proxier.go:242",
        "version": "server.go:539", "go": "server.go:541", "service": "config.go:200", "slice": "config.go:106",
        "node": "config.go:309", "wait": "shared_informer.go:381", "synced": "shared_informer.go:388",
        "deprecated": "server_linux.go:196",
    },
}  # fmt: skip


def klog(now: float, level: str, place: str, text: str) -> str:
    """`I1121 09:00:07.250000       1 server.go:219] "..."`."""
    return f"{level}{klog_stamp(now)} {1:7} {place}] {text}"


def behaviour(
    s: Sync, pod: Json, container: Json, env: dict[str, str]
) -> tuple[Behaviour, tuple[tuple[str, int, int], ...]]:
    """What the container's process does. Its sockets are opened by the agent. NotModelled for a flag beside FLAGS."""
    command = podenv.expand(container.get("command") or ("/usr/local/bin/kube-proxy",), env)
    argv = (*command, *podenv.expand(container.get("args") or (), env))
    flags = read_flags(argv)
    minor = s.minor
    text = config_file(s, pod, container, flags.get("--config", ""))
    if text is None:
        path = flags.get("--config", "")
        return failed(s, argv, f"failed complete: open {path}: no such file or directory"), ()
    try:
        found, warnings, idle = configs.of_text(text, minor, history=s.history)
    except Invalid as error:
        stage = "validate" if str(error).startswith(("KubeProxyConfiguration", "[")) else "complete"
        return failed(s, argv, f"failed {stage}: {error}"), ()
    if found.mode == "ipvs" and found.ipvs.scheduler in REFUSED:
        raise NotModelled(f"kube-proxy with ipvs.scheduler {found.ipvs.scheduler}")
    for said in idle:
        s.note("config.conf", pod, NotModelled(said.text("en")))
    name = flags.get("--hostname-override") or found.hostname or s.node.name
    log = tuple(klog(s.now, "W", "options.go:400", w) for w in warnings)
    log += start_lines(found, s.now, s.node_ip, minor, f"v1.{minor}.0")
    settings = (("proxy", text), ("proxy-node", name), *((("proxy-history", "1"),) if s.history else ()))
    return Behaviour(args=argv, program=NAME, config=settings, log=log, stream="stderr"), ()


def read_flags(argv: tuple[str, ...]) -> dict[str, str]:
    out = {}
    for word in argv[1:]:
        name, equals, value = word.partition("=")
        if name not in FLAGS or not equals:
            raise NotModelled(f"kube-proxy {word}")
        out[name] = value
    return out


def config_file(s: Sync, pod: Json, container: Json, path: str) -> str | None:
    """The text of --config as the container sees it."""
    files = s.changes.net.boxes[s.node.name].files
    for at, source in volumes.mounts(pod, container):
        if path.startswith(f"{at}/"):
            return files.get(source + path[len(at) :])
    return None


def failed(s: Sync, argv: tuple[str, ...], why: str) -> Behaviour:
    """kube-proxy that ends at once (cli.Run of k8s.io/component-base)."""
    quoted = why.replace("\\", "\\\\").replace('"', '\\"')
    line = klog(s.now, "E", "run.go:72", f'"command failed" err="{quoted}"')
    return Behaviour(args=argv, program=NAME, seconds=0, code=1, log=(line,), stream="stderr")


def start_lines(config: Config, now: float, node_ip: str, minor: int, version: str) -> tuple[str, ...]:
    """What a kube-proxy writes until its informers have what they need."""
    at = PLACES[max((known for known in PLACES if known <= minor), default=32)]
    new = minor >= 34
    rows: list[tuple[str, str, str]] = []
    if config.defaulted:
        rows.append(("I", "default", '"Using iptables proxy"'))
    ips = f'"Successfully retrieved NodeIPs" NodeIPs=["{node_ip}"]'
    rows.append(("I", "ips", ips if new else f'"Successfully retrieved node IP(s)" IPs=["{node_ip}"]'))
    if config.conntrack.most:
        rows.append(("I", "conntrack", f'"Setting nf_conntrack_max" nfConntrackMax={config.conntrack.most}'))
    if config.mode in ("iptables", "ipvs") and not config.node_ports and not config.node_ports_word:
        rows.append(
            ("E", "unset", f'"Kube-proxy configuration may be incomplete or incorrect" err="{UNSET}"')
        )
    rows.append(("I", "stack", '"kube-proxy running in dual-stack mode" primary ipFamily="IPv4"'))
    rows.append(("I", config.mode, f'"Using {config.mode} Proxier"'))
    if config.mode == "ipvs" and minor >= DEPRECATED_SINCE:
        rows.append(("E", "deprecated", f'"{DEPRECATED}"'))
    if config.mode == "iptables" and config.localhost_node_ports and config.loopback:
        rows.append(("I", "localnet", f'"{LOCALNET}" ipFamily="IPv4"'))
    rows.append(("I", "version", f'"Version info" version="{version}"'))
    rows.append(("I", "go", '"Golang settings" GOGC="" GOMAXPROCS="" GOTRACEBACK=""'))
    for key, what in (("service", "service"), ("slice", "endpoint slice"), ("node", "node")):
        rows.append(("I", key, f'"Starting {what} config controller"'))
        wait = f'"Waiting for caches to sync" controller="{what} config"'
        rows.append(("I", "wait", wait if new else f"Waiting for caches to sync for {what} config"))
    for what in ("service", "endpoint slice", "node"):
        done = f'"Caches are synced" controller="{what} config"'
        rows.append(("I", "synced", done if new else f"Caches are synced for {what} config"))
    return tuple(klog(now, level, at[key], text) for level, key, text in rows)


def running(settings: tuple[tuple[str, str], ...], options: Options) -> tuple[Config, str]:
    """The configuration and the node's name of a running kube-proxy, from its process's settings."""
    found = dict(settings)
    config, _, _ = configs.of_text(found["proxy"], options.minor, history="proxy-history" in found)
    return config, found["proxy-node"]


__all__ = ["NAME", "behaviour", "running", "start_lines"]
