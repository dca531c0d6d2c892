"""KubeProxyConfiguration: read, checked, with kube-proxy's defaults.

Theory. One value is read twice: from the lab file, when the cluster is made (a field that is unknown, or that nothing
here acts on, is a Problem: law 2), and from the ConfigMap's config.conf, when a kube-proxy container starts (what
kube-proxy itself refuses ends it, with kube-proxy's words; what it knows and the model does not is reported as
not modelled). Its fields: configfields.py.

Rules. Frozen values. Sources: kube-proxy config/v1alpha1/types.go; pkg/proxy/apis/config/{v1alpha1/defaults,
validation/validation}.go; cmd/kube-proxy/app/server_linux.go (facts 20 section 2.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from engine.errors import EngineError, InputError, Problem
from engine.kube.options import Options
from engine.kube.proxy.configfields import FIELDS, INERT, REFUSED, values, walk
from engine.kube.proxy.configtext import KNOWN
from engine.linux.addr import Prefix, ip4
from engine.record import dataclass
from engine.say import Said

MODES = ("iptables", "ipvs", "nftables")
#: `userspace` is history (removed in 1.26): the model runs it on any release, to be looked at.
HISTORY = "userspace"
#: alpha in 1.29 and 1.30: off unless a configuration turns it on; beta since 1.31
NFTABLES_GATE = "NFTablesProxyMode"
#: the words for nodePortAddresses -> minor release since which kube-proxy takes them
WORDS = {"primary": 30, "localhost": 37, "all": 37}
DETECT = ("BridgeInterface", "ClusterCIDR", "InterfaceNamePrefix", "NodeCIDR")
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh")
LOCALHOST = Prefix(127 << 24, 8)
#: what a lab's nodes have
CORES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ipvs:
    """The ipvs block. Seconds; a timeout of 0 leaves the kernel's."""

    scheduler: str = ""
    strict_arp: bool = False
    exclude: tuple[Prefix, ...] = ()
    tcp: int = 0
    tcp_fin: int = 0
    udp: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """The conntrack block. Seconds; 0 leaves a value alone."""

    per_core: int = 32768
    least: int = 131072
    established: int = 86400
    close_wait: int = 3600
    udp: int = 0
    udp_stream: int = 0
    liberal: bool = False

    @property
    def most(self) -> int:
        """nf_conntrack_max; 0 = left alone (getConntrackMax)."""
        return max(self.per_core * CORES, self.least) if self.per_core > 0 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a kube-proxy runs with. `node_ports` () = as `node_ports_word` says, "" = every address of the node.
    `healthz` and `metrics` are (address, port), None = not served. Periods in seconds, of the mode that is on."""

    mode: str = "iptables"
    #: was the mode left out, so that kube-proxy took its default?
    defaulted: bool = False
    bind_address: int = 0
    healthz: tuple[int, int] | None = (0, 10256)
    metrics: tuple[int, int] | None = (127 << 24 | 1, 10249)
    hostname: str = ""
    detect: str = "ClusterCIDR"
    cluster_cidr: Prefix | None = None
    bridge: str = ""
    prefix: str = ""
    node_ports: tuple[Prefix, ...] = ()
    node_ports_word: str = ""
    masquerade_bit: int = 14
    masquerade_all: bool = False
    localhost_node_ports: bool = True
    sync_period: float = 30.0
    min_sync_period: float = 1.0
    ipvs: Ipvs = Ipvs()
    conntrack: Tracking = Tracking()

    @property
    def mark(self) -> int:
        return 1 << self.masquerade_bit

    @property
    def every_address(self) -> bool:
        """Do node ports answer on all addresses of the node (MatchAll of NodePortAddresses)?"""
        if self.node_ports_word:
            return self.node_ports_word == "all"
        return not self.node_ports or any(p.length == 0 for p in self.node_ports)

    @property
    def loopback(self) -> bool:
        """May node ports answer on 127.0.0.1 (ContainsIPv4Loopback)?"""
        if self.node_ports_word:
            return self.node_ports_word in ("localhost", "all")
        return self.every_address or any(
            p.covers(LOCALHOST) or LOCALHOST.covers(p.network) for p in self.node_ports
        )


class Invalid(Exception):
    """kube-proxy refuses a value: its own words (`KubeProxyConfiguration.Mode...: Invalid value: ...`)."""


# -- the configuration


def made(got: Mapping[str, Any], minor: int = 35, *, history: bool = False) -> Config:
    """The configuration of converted fields; `history` = take the mode userspace. Invalid with kube-proxy's words."""
    bad: list[str] = []

    def refuse(field: str, value: Any, why: str) -> None:
        shown = f'"{value}"' if isinstance(value, str) else value
        bad.append(f"KubeProxyConfiguration.{field}: Invalid value: {shown}: {why}")

    def cidr(text: str) -> Prefix | None:
        try:
            return Prefix.parse(text) if "/" in text else None
        except EngineError:
            return None

    def within(field: str, least: int, most: int, default: int) -> int:
        value = int(got.get(field, default))
        if not least <= value <= most:
            block = {
                "iptables": "KubeProxyIPTablesConfiguration",
                "nftables": "KubeProxyNFTablesConfiguration",
            }
            head, _, tail = field.partition(".")
            refuse(
                f"{block[head]}.{tail[0].upper()}{tail[1:]}",
                value,
                f"must be within the range [{least}, {most}]",
            )
        return value

    mode = str(got.get("mode") or "iptables")
    gates = got.get("featureGates", {})
    for gate in gates:
        if gate != NFTABLES_GATE:
            refuse("featureGates", gate, f"unrecognized feature gate: {gate}")
    modes = MODES if minor >= 31 or gates.get(NFTABLES_GATE) else MODES[:2]
    if mode not in modes and not (history and mode == HISTORY):
        text = (
            f"must be {', '.join(modes)} or blank (blank means the best-available proxy [currently iptables])"
        )
        refuse("Mode.ProxyMode", mode, text)
    bind = _address(str(got.get("bindAddress") or "0.0.0.0"))
    if bind is None:
        refuse("BindAddress", got["bindAddress"], "not a valid textual representation of an IP address")
    cluster = None
    if got.get("clusterCIDR"):
        cluster = cidr(got["clusterCIDR"])
        if cluster is None:
            refuse(
                "ClusterCIDR", got["clusterCIDR"],
                "must be a valid CIDR block (e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)",
            )  # fmt: skip
    detect = str(got.get("detectLocalMode") or "ClusterCIDR")
    bridge, prefix = (
        got.get("detectLocal.bridgeInterface", ""),
        got.get("detectLocal.interfaceNamePrefix", ""),
    )
    if detect not in DETECT:
        text = "blank means the best-available detect-local-mode [currently ClusterCIDR]"
        text = f"must be {','.join(DETECT)} or blank ({text})"
        refuse("DetectLocalMode", detect, text)
    if detect == "BridgeInterface" and not bridge:
        refuse("InterfaceName", bridge, "must not be empty")
    if detect == "InterfaceNamePrefix" and not prefix:
        refuse("InterfaceName", prefix, "must not be empty")
    addresses, word = tuple(got.get("nodePortAddresses", ())), ""
    ranges = [cidr(text) for text in addresses]
    if len(addresses) == 1 and WORDS.get(addresses[0], 99) <= minor:
        word, ranges = addresses[0], []
    elif None in ranges:
        at = ranges.index(None)
        refuse(f"NodePortAddresses[{at}]", addresses[at], "must be a valid CIDR")
    if mode == "nftables" and not addresses:
        word = "primary"
    block = mode if mode in MODES else "iptables"
    sync = got.get(f"{block}.syncPeriod", 0.0) or 30.0
    least = got.get(f"{block}.minSyncPeriod", 0.0) or 1.0
    if sync <= 0:
        refuse(f"{_BLOCKS[block]}.SyncPeriod", _shown(sync), "must be greater than 0")
    elif least > sync:
        text = f"must be greater than or equal to KubeProxyConfiguration.{_BLOCKS[block]}.MinSyncPeriod"
        refuse(f"{_BLOCKS[block]}.SyncPeriod", _shown(least), text)
    scheduler = str(got.get("ipvs.scheduler") or "")
    if mode == "ipvs" and scheduler and scheduler not in SCHEDULERS:
        text = f"must be in [{' '.join(SCHEDULERS[:-1])} ], blank means the default algorithm method (currently rr)"
        refuse("KubeProxyIPVSConfiguration.Scheduler.Scheduler", scheduler, text)
    excluded = [cidr(text) for text in got.get("ipvs.excludeCIDRs", ())]
    if None in excluded and mode == "ipvs":
        refuse(
            "KubeProxyIPVSConfiguration.ExcludeCIDRs", got["ipvs.excludeCIDRs"][excluded.index(None)],
            "must be a valid IP block",
        )  # fmt: skip
    bit = f"{'nftables' if mode == 'nftables' else 'iptables'}.masqueradeBit"
    served: dict[str, tuple[int, int] | None] = {}
    for field, default in (
        ("healthzBindAddress", "0.0.0.0:10256"),
        ("metricsBindAddress", "127.0.0.1:10249"),
    ):
        text = str(got.get(field) or default)
        host, _, port = text.rpartition(":")
        found = _address(host)
        if found is None or not port.isdecimal() or not 0 < int(port) < 65536:
            refuse(field[0].upper() + field[1:], text, "must be IP:port")
        served[field] = (found or 0, int(port) if port.isdecimal() else 0)
    config = Config(
        mode=mode, defaulted=not got.get("mode"), bind_address=bind or 0, healthz=served["healthzBindAddress"],
        metrics=served["metricsBindAddress"], hostname=got.get("hostnameOverride", ""), detect=detect,
        cluster_cidr=cluster, bridge=bridge, prefix=prefix, node_ports=tuple(r for r in ranges if r is not None),
        node_ports_word=word, masquerade_bit=within(bit, 0, 31, 14),
        masquerade_all=got.get(f"{'nftables' if mode == 'nftables' else 'iptables'}.masqueradeAll", False),
        localhost_node_ports=got.get("iptables.localhostNodePorts", True), sync_period=sync, min_sync_period=least,
        ipvs=Ipvs(
            scheduler=scheduler, strict_arp=got.get("ipvs.strictARP", False),
            exclude=tuple(e for e in excluded if e is not None), tcp=int(got.get("ipvs.tcpTimeout", 0)),
            tcp_fin=int(got.get("ipvs.tcpFinTimeout", 0)), udp=int(got.get("ipvs.udpTimeout", 0)),
        ),
        conntrack=Tracking(
            per_core=got.get("conntrack.maxPerCore", 32768), least=got.get("conntrack.min", 131072),
            established=int(got.get("conntrack.tcpEstablishedTimeout", 86400)),
            close_wait=int(got.get("conntrack.tcpCloseWaitTimeout", 3600)),
            udp=int(got.get("conntrack.udpTimeout", 0)), udp_stream=int(got.get("conntrack.udpStreamTimeout", 0)),
            liberal=got.get("conntrack.tcpBeLiberal", False),
        ),
    )  # fmt: skip
    if bad:
        raise Invalid(bad[0] if len(bad) == 1 else "[" + ", ".join(bad) + "]")
    return config


_BLOCKS = {
    "iptables": "KubeProxyIPTablesConfiguration", "nftables": "KubeProxyNFTablesConfiguration",
    "ipvs": "KubeProxyIPVSConfiguration",
}  # fmt: skip


def _shown(seconds: float) -> str:
    return f"{seconds:g}s"


def _address(text: str) -> int | None:
    try:
        return ip4(text)
    except EngineError:
        return None


def _in_block(path: str) -> str:
    return f"proxy.{path}" if path else "proxy"


def of_lab(options: Options, where: Callable[[str], str] = _in_block) -> Config:
    """The configuration that a lab file asks for. InputError with every problem; `where` tells the place of a field in
    the block `proxy`, "" for the block."""
    got, wrong = values(options.proxy.config)
    problems = [Problem(where=where(path), said=why) for path, why in wrong]
    if not problems:
        try:
            given = {**_kubeadm(options), **got, "mode": options.proxy.mode}
            return made(given, options.minor, history=options.proxy.mode == HISTORY)
        except Invalid as error:
            problems = [Problem(where=where(""), said=REFUSED(text=str(error)))]
    raise InputError(problems)


def _kubeadm(options: Options) -> dict[str, Any]:
    """What kubeadm fills in from its own configuration: the Pods' range."""
    return {"clusterCIDR": str(options.cni.pod_cidr)}


@lru_cache(maxsize=64)
def of_text(
    text: str, minor: int = 35, *, history: bool = False
) -> tuple[Config, tuple[str, ...], tuple[Said, ...]]:
    """What a kube-proxy makes of a config.conf: the configuration, its own warnings about it, and what the model does
    not do with it. Invalid with the words with which it ends. An unknown field is only warned of: kube-proxy decodes
    again without being strict (loadConfig in cmd/kube-proxy/app/options.go)."""
    body = KNOWN.get(text)
    if body is None:
        import yaml

        try:
            body = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise Invalid(f"error converting YAML to JSON: yaml: {str(error).splitlines()[0]}") from None
    if not isinstance(body, Mapping) or body.get("kind") != "KubeProxyConfiguration":
        kind = "" if not isinstance(body, Mapping) else str(body.get("kind", ""))
        if kind:
            raise Invalid(f'no kind "{kind}" is registered for version "{body.get("apiVersion", "")}"')
        raise Invalid("Object 'Kind' is missing in '" + text.strip()[:40] + "'")
    got, wrong = values(body)
    unknown = tuple(path for path, kind, _ in walk(body, FIELDS) if kind is None)
    warnings: tuple[str, ...] = ()
    if unknown:
        listed = ", ".join(f'unknown field \\"{path}\\"' for path in unknown)
        warnings = (
            f'"Using lenient decoding as strict decoding failed" err="strict decoding error: {listed}"',
        )
    idle: list[Said] = []
    for path, why in wrong:
        if path in unknown:
            continue
        if why.phrase is INERT:
            idle.append(why)
        else:
            raise Invalid(why.text("en").partition(": ")[2])
    return made(got, minor, history=history), warnings, tuple(idle)
