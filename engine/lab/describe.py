"""The lab file: its keys, their defaults, and what is said when one is wrong. docs/formats.md says the same in prose.

Rules. A key exists here or is refused. A value that is true Kubernetes but not modelled yet (a CNI plugin, a
proxy mode, an addon) is known by its word and answered with what the model can do. Nothing is built here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.errors import NOT_MODELLED
from engine.lab.describe_docker import read_docker
from engine.lab.doc import Doc, Path
from engine.lab.reader import Fields, Node, Problems, pairs, root, texts
from engine.linux.addr import Prefix
from engine.record import dataclass, replace
from engine.say import Phrase, Said, plain

if TYPE_CHECKING:
    from engine.docker.load import Plan

KEYS: Final = (
    "kubernetes", "containerd", "nodes", "hosts", "fabric", "cni", "proxy", "serviceCIDR", "serviceNodePortRange",
    "addons", "airGapped", "manifests", "faults",
)  # fmt: skip

#: Words that are true and not modelled so far, and what the model has instead.
FABRICS: Final = ("lan", "routed", "aws")
CNIS: Final = ("bridge", "none", "flannel", "calico", "cilium", "vpc")
CNIS_SO_FAR: Final = ("bridge", "none", "calico")
DEFAULT_PROXY: Final = "iptables"
PROXIES: Final = ("iptables", "ipvs", "nftables", "userspace", "none")
ADDONS_SO_FAR: Final = ("coredns", "nodelocaldns")
ADDONS: Final = (
    *ADDONS_SO_FAR,
    "metallb",
    "istio",
    "aws-load-balancer-controller",
    "ingress-nginx",
    "gateway-api",
)
VERSIONS: Final = ("1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36")
DEFAULT_VERSION: Final = "1.35"
CONTAINERDS: Final = ("1.6", "1.7", "2.0", "2.1", "2.2", "2.3")
DEFAULT_CONTAINERD: Final = "2.2"
POD_CIDR: Final = Prefix.parse("10.244.0.0/16")
SERVICE_CIDR: Final = Prefix.parse("10.96.0.0/12")
NODE_PORTS: Final = (30000, 32767)
NODE_MASK: Final = 24

SO_FAR = Phrase(en="The model has {words} so far.", ko="지금은 {words}만 있습니다.")
CALICO_MODES: Final = ("none", "ipip", "vxlan", "ipip-cross-subnet", "vxlan-cross-subnet")
A_CONFIG = Phrase(en="a mapping of the addon's own settings", ko="애드온 자체 설정의 매핑")
A_VERSION = Phrase(en="one of {words}, in quotes", ko="따옴표로 묶은 {words} 가운데 하나")
A_RANGE = Phrase(en="two port numbers, as in 30000-32767", ko="30000-32767 같은 두 포트 번호")
A_MACHINE_NAME = Phrase(en="a name, as in w1", ko="w1 같은 이름")
TWO_NAMES = Phrase(
    en="two machines are called {name!r}; the other is {other}",
    ko="{name!r}이(가) 둘입니다. 다른 하나는 {other}입니다",
)
NEED_NODES = Phrase(
    en="`{key}` needs a cluster, and this lab has no nodes; add `nodes: [{{name: w1}}]`",
    ko="`{key}`에는 클러스터가 필요한데 이 실습 환경에는 노드가 없습니다. `nodes: [{{name: w1}}]`을 더하십시오",
)
EMPTY_LAB = Phrase(
    en="a lab needs at least one machine: `nodes: [{{name: w1}}]` or `hosts: [{{name: laptop}}]`",
    ko="실습 환경에는 머신이 하나는 있어야 합니다. 예: `nodes: [{{name: w1}}]`, `hosts: [{{name: laptop}}]`",
)
OUTSIDE = Phrase(
    en="{found} is not inside the Pods' range {range}; choose a prefix of it",
    ko="{found}이(가) 파드 대역 {range} 밖에 있습니다",
)
NO_PROXY = Phrase(
    en="with `mode: none` there is no kube-proxy that could read `{key}`; remove it, or choose a mode",
    ko="`mode: none`이면 `{key}`를 읽을 kube-proxy가 없습니다. 지우거나 모드를 고르십시오",
)
ADDON_TWICE = Phrase(
    en="the addon {name} is listed twice; keep one", ko="{name} 애드온이 두 번 나옵니다. 하나만 남기십시오"
)
CLASH = Phrase(
    en="{found} overlaps {other} of {name}; give every node a range of its own",
    ko="{found}이(가) {name}의 {other}와(과) 겹칩니다. 노드마다 다른 대역을 주십시오",
)
TOO_SMALL = Phrase(
    en="{range} has no /{mask} left for {name}; write a shorter prefix",
    ko="{range}에는 {name}에게 줄 /{mask}가 남지 않았습니다",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """A node. `pod_cidr` None: the next free /24 of the Pods' range. `images` are pulled beforehand, `pause` says
    whether the sandbox image is; `sandbox` is that image's name in containerd's configuration ("" = its default)."""

    name: str
    control_plane: bool = False
    addresses: tuple[Prefix, ...] = ()
    pod_cidr: Prefix | None = None
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[tuple[str, str, str], ...] = ()
    images: tuple[str, ...] = ()
    air_gapped: bool = False
    pause: bool = True
    sandbox: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CniSpec:
    """The CNI plugin as each node's configuration writes it. `ip_masq` None: the plugin's own on a single node, the
    masquerading agent on several; `mtu` 0: the device's; `routes`: a static route per other node."""

    name: str = "bridge"
    pod_cidr: Prefix = POD_CIDR
    ip_masq: bool | None = None
    hairpin: bool = False
    mtu: int = 0
    routes: bool = True
    mode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySpec:
    """kube-proxy: its mode, and KubeProxyConfiguration's own fields as the file has them."""

    mode: str = "none"
    config: Raw | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """A machine outside the cluster. `listen` are (proto, port) of a program that answers with the host's name."""

    name: str
    addresses: tuple[Prefix, ...] = ()
    listen: tuple[tuple[str, int], ...] = ()
    docker: Plan | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Raw:
    """A piece of the file that another part reads (a manifest, a fault), with its place."""

    doc: Doc
    path: Path
    value: Any

    @property
    def where(self) -> str:
        return self.doc.where(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A lab file, checked. Ranges are Prefixes; `manifests` are file names or inline objects, in order."""

    name: str
    kubernetes: str = DEFAULT_VERSION
    containerd: str = DEFAULT_CONTAINERD
    nodes: tuple[NodeSpec, ...] = ()
    hosts: tuple[HostSpec, ...] = ()
    fabric: str = "lan"
    cni: CniSpec = CniSpec()
    proxy: ProxySpec = ProxySpec()
    addons: tuple[tuple[str, dict[str, Any]], ...] = ()
    addon_places: tuple[str, ...] = ()
    service_cidr: Prefix = SERVICE_CIDR
    node_ports: tuple[int, int] = NODE_PORTS
    air_gapped: bool = False
    manifests: tuple[Raw, ...] = ()
    faults: tuple[Raw, ...] = ()


def describe(doc: Doc, problems: Problems) -> Description:
    """Read every key. What is wrong goes to `problems`; the caller raises when it has asked everybody."""
    top = root(doc, problems)
    f = top.fields(*KEYS)
    nodes = tuple(s for s in (_node(n) for n in f.items("nodes")) if s is not None)
    hosts = tuple(s for s in (_host(n) for n in f.items("hosts")) if s is not None)
    _same_names(nodes, hosts, problems)
    if isinstance(doc.value, dict) and not doc.value.get("nodes") and not doc.value.get("hosts"):
        top.wrong(EMPTY_LAB())
    for key in ("cni", "proxy", "manifests", "addons"):
        if key in f and not nodes and "nodes" not in f:
            problems.add(doc.where((key,)), NEED_NODES(key=key))
    cni, addons = _cni(f), _addons(f)
    gapped = f.truth("airGapped")
    if gapped:
        nodes = tuple(replace(n, air_gapped=True) for n in nodes)
    spec = Description(
        name=doc.name,
        kubernetes=_version(f, "kubernetes", VERSIONS, DEFAULT_VERSION),
        containerd=_version(f, "containerd", CONTAINERDS, DEFAULT_CONTAINERD),
        nodes=_pod_cidrs(nodes, cni, problems),
        hosts=hosts,
        fabric=_fabric(f),
        cni=cni,
        proxy=_proxy(f),
        service_cidr=f.get("serviceCIDR", lambda n: n.prefix(bare=False), SERVICE_CIDR),
        node_ports=f.get("serviceNodePortRange", _port_range, NODE_PORTS),
        air_gapped=gapped,
        manifests=tuple(Raw(doc, n.path, n.value) for n in f.items("manifests")),
        faults=tuple(Raw(doc, n.path, n.value) for n in f.items("faults")),
        addons=tuple(config for config, _ in addons),
        addon_places=tuple(where for _, where in addons),
    )
    return spec


def _not_modelled(node: Node, what: str, next: Said) -> None:
    node.wrong(NOT_MODELLED(what=what, next=next))


def _version(f: Fields, key: str, known: tuple[str, ...], default: str) -> str:
    """MAJOR.MINOR of a release that the model knows; a patch number is accepted and does not count."""
    node = f.node(key)
    if node is None:
        return default
    if isinstance(node.value, str):
        short = ".".join(node.value.removeprefix("v").split(".")[:2])
        if short in known:
            return short
    node.expected(A_VERSION(words=", ".join(known)))
    return default


def _node(node: Node) -> NodeSpec | None:
    f = node.fields(
        "name", "role", "addresses", "podCIDR", "labels", "taints", "images", "airGapped", "pauseImage", "sandboxImage"
    )  # fmt: skip
    name = (n := f.need("name", A_MACHINE_NAME())) and n.name()
    role = f.get("role", lambda n: n.word("control-plane", "worker"), "worker")
    labels = tuple((k, v) for k, n in pairs(f, "labels") if (v := n.text(empty=True)) is not None)
    spec = NodeSpec(
        name=name or "",
        control_plane=role == "control-plane",
        addresses=_addresses(f),
        pod_cidr=f.get("podCIDR", lambda n: n.prefix(bare=False), None),
        labels=labels,
        taints=tuple(t for t in (_taint(n) for n in f.items("taints")) if t is not None),
        images=texts(f, "images"),
        air_gapped=f.truth("airGapped"),
        pause=f.truth("pauseImage", True),
        sandbox=f.text("sandboxImage"),
        where=node.where,
    )
    return spec if name else None


def _taint(node: Node) -> tuple[str, str, str] | None:
    f = node.fields("key", "value", "effect")
    key = (n := f.need("key")) and n.text()
    words = ("NoSchedule", "PreferNoSchedule", "NoExecute")
    effect = (n := f.need("effect", plain(", ".join(words)))) and n.word(*words)
    return (key, f.text("value"), effect) if key and effect else None


def _addresses(f: Fields) -> tuple[Prefix, ...]:
    """Addresses with their length; a bare one is in a /24."""
    out = []
    for node in f.items("addresses"):
        prefix = node.prefix(host_bits=True)
        if prefix is not None:
            bare = isinstance(node.value, str) and "/" not in node.value
            out.append(Prefix(prefix.addr, 24) if bare else prefix)
    return tuple(out)


def _host(node: Node) -> HostSpec | None:
    f = node.fields("name", "addresses", "listen", "docker")
    name = (n := f.need("name", A_MACHINE_NAME())) and n.name()
    listen = tuple(x for x in (_listen(n) for n in f.items("listen")) if x is not None)
    docker = (n := f.node("docker")) and read_docker(n)
    spec = HostSpec(
        name=name or "", addresses=_addresses(f), listen=listen, docker=docker or None, where=node.where
    )
    return spec if name else None


def _listen(node: Node) -> tuple[str, int] | None:
    """`80`, or `{port: 53, proto: udp}`."""
    if isinstance(node.value, dict):
        f = node.fields("port", "proto")
        port = (n := f.need("port")) and n.number(1, 65535)
        return (f.get("proto", lambda n: n.word("tcp", "udp"), "tcp"), port) if port else None
    port = node.number(1, 65535)
    return ("tcp", port) if port else None


def _same_names(nodes: tuple[NodeSpec, ...], hosts: tuple[HostSpec, ...], problems: Problems) -> None:
    seen: dict[str, str] = {}
    specs: tuple[NodeSpec | HostSpec, ...] = (*nodes, *hosts)
    for spec in specs:
        if spec.name in seen:
            problems.add(spec.where, TWO_NAMES(name=spec.name, other=seen[spec.name]))
        seen.setdefault(spec.name, spec.where)


def _fabric(f: Fields) -> str:
    node = f.node("fabric")
    if node is None:
        return "lan"
    inner = node.fields("kind")
    kind = (n := inner.need("kind", plain(", ".join(FABRICS)))) and n.word(*FABRICS)
    if kind and kind != "lan":
        _not_modelled(node.child("kind", kind), f"fabric: {{kind: {kind}}}", SO_FAR(words="lan"))
    return "lan"


def _cni(f: Fields) -> CniSpec:
    node = f.node("cni")
    if node is None:
        return CniSpec()
    name = node.value.get("name") if isinstance(node.value, dict) else None
    if name in CNIS and name not in CNIS_SO_FAR:
        # A plugin of a later lesson has keys of its own, so none of them is judged.
        _not_modelled(
            node.child("name", name), f"cni: {{name: {name}}}", SO_FAR(words=", ".join(CNIS_SO_FAR))
        )
        return CniSpec()
    keys = ("mode",) if name == "calico" else ("ipMasq", "hairpinMode", "staticRoutes")
    inner = node.fields("name", "podCIDR", "mtu", *keys)
    return CniSpec(
        name=inner.get("name", lambda n: n.word(*CNIS), "bridge"),
        pod_cidr=inner.get("podCIDR", lambda n: n.prefix(bare=False), POD_CIDR),
        ip_masq=inner.get("ipMasq", Node.truth, None),
        hairpin=inner.truth("hairpinMode"),
        mtu=inner.get("mtu", lambda n: n.number(576, 65535), 0),
        routes=inner.truth("staticRoutes", True),
        mode=inner.get("mode", lambda n: n.word(*CALICO_MODES), ""),
    )


def _proxy(f: Fields) -> ProxySpec:
    """Without the key: kube-proxy with its default mode, as kubeadm installs it. The fields besides `mode` are
    KubeProxyConfiguration's; engine.kube.proxy.config checks them when the cluster is built."""
    node = f.node("proxy")
    if node is None:
        return ProxySpec(mode=DEFAULT_PROXY)
    if not isinstance(node.value, dict):
        node.fields("mode")
        return ProxySpec()
    mode = DEFAULT_PROXY
    if "mode" in node.value:
        mode = node.child("mode", node.value["mode"]).word(*PROXIES) or "none"
        if node.value["mode"] == "none":
            for key in node.value:
                if key != "mode":
                    node.child(key, None).wrong(NO_PROXY(key=key))
            return ProxySpec(mode=mode)
    return ProxySpec(
        mode=mode, config=Raw(node.doc, node.path, {k: v for k, v in node.value.items() if k != "mode"})
    )


def _port_range(node: Node) -> tuple[int, int] | None:
    if isinstance(node.value, str):
        low, dash, high = node.value.partition("-")
        if dash and low.isdigit() and high.isdigit() and 0 < int(low) <= int(high) < 65536:
            return int(low), int(high)
    node.expected(A_RANGE())
    return None


def _addons(f: Fields) -> list[tuple[tuple[str, dict[str, Any]], str]]:
    """Each with the place where the file names it."""
    out: list[tuple[tuple[str, dict[str, Any]], str]] = []
    for node in f.items("addons"):
        found = _addon(node)
        if found is None:
            continue
        if any(found[0] == name for (name, _), _ in out):
            node.wrong(ADDON_TWICE(name=found[0]))
        out.append((found, node.where))
    return out


def _addon(node: Node) -> tuple[str, dict[str, Any]] | None:
    """`coredns`, or `{coredns: {...}}` with the addon's own settings, which the addon checks."""
    word = node.value
    config: Any = {}
    if isinstance(word, dict) and len(word) == 1:
        word, config = next(iter(word.items()))
        if not isinstance(config, dict):
            node.child(str(word), config).expected(A_CONFIG())
            return None
    if isinstance(word, str) and word in ADDONS and word not in ADDONS_SO_FAR:
        _not_modelled(node, f"addons: {word}", SO_FAR(words=", ".join(ADDONS_SO_FAR)))
        return None
    name = Node(node.doc, node.path, word, node.problems).word(*ADDONS)
    return (name, config) if name else None


def _pod_cidrs(nodes: tuple[NodeSpec, ...], cni: CniSpec, problems: Problems) -> tuple[NodeSpec, ...]:
    """Give every node its range: its own, or the next free /24, in order, as the node IPAM controller does. Calico
    gives Pods addresses of its own pool: there a Node's podCIDR may be any."""
    whole = cni.pod_cidr
    given: list[tuple[str, Prefix]] = []
    for node in nodes:
        if node.pod_cidr is not None:
            where = f"{node.where}.podCIDR"
            if cni.name != "calico" and not whole.covers(node.pod_cidr):
                problems.add(where, OUTSIDE(found=str(node.pod_cidr), range=str(whole)))
            for name, other in given:
                if other.covers(node.pod_cidr) or node.pod_cidr.covers(other):
                    problems.add(where, CLASH(found=str(node.pod_cidr), other=str(other), name=name))
            given.append((node.name, node.pod_cidr))
    mask = max(NODE_MASK, whole.length)
    taken = [cidr for _, cidr in given]
    step, at = 1 << (32 - mask), whole.addr
    out = []
    for node in nodes:
        if node.pod_cidr is None:
            while any(t.addr <= at <= t.broadcast or Prefix(at, mask).covers(t) for t in taken):
                at += step
            if at > whole.broadcast:
                problems.add(node.where, TOO_SMALL(range=str(whole), mask=mask, name=node.name))
                break
            node = replace(node, pod_cidr=Prefix(at, mask))
            at += step
        out.append(node)
    return tuple(out) if len(out) == len(nodes) else nodes
