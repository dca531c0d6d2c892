"""What the pod calico-node does on its node: the plugin's files, the node's facts, routes, rules.

Theory. The init container install-cni writes the plugin and its configuration once, and with it the node becomes
Ready. Then felix programs the devices, routes and rules of this node's endpoints, and bird the other nodes' blocks
(calico_routes.py, engine.kube.policy). Both compare with the kernel again from time to time: bird every 2 s, felix
routes every 90 s, rules and sets 1, 2, 4 ... s after each write of its own and then every 180 s.

Rules. What runs is asked from the node's processes; while nothing runs, what was programmed stays. Costs nothing while
no object that counts was written and no time has come. Source: node/filesystem/etc, node/pkg/lifecycle/startup,
felix/config/config_params.go.
"""

from __future__ import annotations

from engine.kube import boot
from engine.kube.clock import stamp
from engine.kube.cni import calico_conf, calico_ipam, calico_routes
from engine.kube.cni.conf import BIN_DIR
from engine.kube.node import NodeState
from engine.kube.objects import Json, name_of
from engine.kube.passes import Pass
from engine.l7.calico import BIRD, SERVICES
from engine.linux.addr import Prefix, mac_text, text4
from engine.linux.ops import StartProc, WriteFile
from engine.record import dataclass, replace
from engine.say import Phrase

MEMORY = "calico"
#: The condition of its Node that calico-node writes when it starts.
NETWORK = "NetworkUnavailable"
NFT = Phrase(
    en="beside kube-proxy's nftables mode it would write nft tables; here it writes iptables rows, which judge alike",
    ko="kube-proxy의 nftables 모드와 함께라면 nft 테이블에 쓰지만, 여기서는 같은 판정을 하는 iptables 규칙으로 씁니다",
)
#: What felix, confd and bird watch.
WATCHED = ("Pod", "Node", "NetworkPolicy", "Namespace", "IPPool", calico_ipam.KIND)
BIRD_SCAN, ROUTE_REFRESH, RULE_FIRST, RULE_REFRESH = 2.0, 90.0, 1.0, 180.0
#: A peer that is gone keeps its routes this long: BIRD's graceful restart time.
GRACE = 120.0
#: Modules of ops that change what bird and felix have written.
ROUTING = frozenset({"route", "address", "link", "device", "neigh", "vxlanfdb"})
RULING = frozenset({"xt", "xtchains", "xtrestore", "ipset"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an agent remembers: `installed` the container that wrote the plugin, `pid` the process it began with,
    `version` of the store, `birds` the nodes with a bird, `gone` (node, since) peers in their grace time; `bird`,
    `routes` and `rules` when each compares again, `wait` how long felix waits after that; `log` how many ops had been
    made then, `mark` the store's version and the ops at its last look."""

    installed: str = ""
    pid: int = 0
    version: int = -1
    birds: frozenset[str] = frozenset()
    gone: tuple[tuple[str, float], ...] = ()
    bird: float = 0.0
    routes: float = 0.0
    rules: float = 0.0
    wait: float = RULE_FIRST
    log: int = 0
    mark: tuple[int, int] = (-1, -1)


def seen_of(node: NodeState) -> Seen:
    found = node.memory.get(MEMORY)
    return found if isinstance(found, Seen) else Seen()


def sync(at: Pass, node: NodeState) -> None:
    """One pass on one node."""
    mark = (at.store.version, len(at.changes.log))
    seen = seen_of(node)
    if seen.mark == mark and at.now < min(
        seen.bird, seen.routes, seen.rules, *(t + GRACE for _, t in seen.gone)
    ):
        return
    work(at, node)
    node.memory[MEMORY] = replace(seen_of(node), mark=(at.store.version, len(at.changes.log)))


def work(at: Pass, node: NodeState) -> None:
    """Something was written or done, or a time has come: see whether it concerns this node."""
    install(at, node)
    pid = at.running(node, "calico-node")
    if not pid or not at.cluster.api_up(at.net):
        return
    seen = seen_of(node)
    if pid != seen.pid:
        begin(at, node)
    services(at, node, pid)
    birds = running_birds(at)
    fresh = pid != seen.pid or any(at.store.since(kind, seen.version) for kind in WATCHED)
    fresh = fresh or birds != seen.birds
    gone = absent(at, node, seen, birds)
    ended = any(at.now >= since + GRACE for _, since in gone)
    if not (fresh or ended or at.now >= min(seen.bird, seen.routes, seen.rules)):
        return
    version = at.store.version
    calico_routes.sync(at, node, birds | {name for name, since in gone if at.now < since + GRACE})
    from engine.kube.policy import felix

    before, again = len(at.changes.log), pid != seen.pid or at.now >= seen.rules
    felix.sync(at, node, again=again)
    wrote = len(at.changes.log) != before
    wait = RULE_FIRST if wrote else min(seen.wait * 2, RULE_REFRESH) if again else seen.wait
    node.memory[MEMORY] = replace(
        seen_of(node), pid=pid, version=max(version, at.store.version), birds=birds, gone=gone,
        bird=at.now + BIRD_SCAN, routes=at.now + ROUTE_REFRESH,
        rules=at.now + wait if wrote or again else seen.rules, wait=wait, log=len(at.changes.log),
    )  # fmt: skip


def due(at: Pass) -> float:
    """The next comparison of a node on which something was changed since the last, or the end of a grace time."""
    times = [float("inf")]
    for node in at.cluster.nodes.values():
        seen = seen_of(node)
        times += [since + GRACE for _, since in seen.gone]
        if seen.pid:
            routes, rules = disturbed(at, node, seen)
            times += [seen.bird, seen.routes] if routes else []
            times += [seen.rules] if rules else []
    return min((t for t in times if t > at.now), default=float("inf"))


def disturbed(at: Pass, node: NodeState, seen: Seen) -> tuple[bool, bool]:
    """Has anybody touched the routes, the rules or sets of a node since the last look?"""
    kinds = {
        type(op).__module__.rpartition(".")[2]
        for op in at.changes.log[seen.log :]
        if getattr(op, "netns", "") == node.name
    }
    return bool(kinds & ROUTING), bool(kinds & RULING)


def services(at: Pass, node: NodeState, pid: int) -> None:
    """runit: a service of the container that has ended is started again."""
    box = at.net.boxes[node.name]
    main = box.procs[pid]
    running = {p.args for p in box.procs.values() if p.container == main.container}
    wanted = (*SERVICES, BIRD) if calico_conf.mode(at.options.cni).bird else SERVICES
    for args in wanted:
        if args not in running:
            join = tuple((kind, pid) for kind in ("mnt", "cgroup", "pid", "ipc", "uts"))
            at.changes.do(
                StartProc(
                    box=node.name, args=args, netns=node.name, ppid=pid, join=join, container=main.container,
                    user=main.user,
                )
            )  # fmt: skip


# ---- the plugin's files and the node's facts


def install(at: Pass, node: NodeState) -> None:
    """What the init container install-cni does when it runs: once a run."""
    done = [
        c.id
        for c in node.runtime.containers.values()
        if c.name == "install-cni" and c.state == "exited" and c.code == 0
    ]
    seen = seen_of(node)
    if not done or done[-1] == seen.installed:
        return
    node.memory[MEMORY] = replace(seen, installed=done[-1])
    for binary in ("calico", "calico-ipam", "install"):
        put(at, node, f"{BIN_DIR}/{binary}", boot.BINARY)
    put(at, node, calico_conf.KUBECONFIG, boot.kubeconfig(at.net, at.options, "calico-cni-plugin"))
    put(at, node, calico_conf.CONFLIST, calico_conf.conflist(node.name, at.options.cni))


def put(at: Pass, node: NodeState, path: str, text: str) -> None:
    if at.net.boxes[node.name].files.get(path) != text:
        at.changes.do(WriteFile(box=node.name, path=path, text=text))


def begin(at: Pass, node: NodeState) -> None:
    """calico-node's start: its files on the host, the pool, the node's annotations with its tunnel's address, and its
    condition."""
    put(at, node, calico_conf.NODENAME, node.name)
    daemon = at.store.get("DaemonSet", "kube-system", "calico-node")
    if at.options.proxy.mode == "nftables" and daemon is not None:
        at.cluster.skip("cni", daemon, NFT())
    mode = calico_conf.mode(at.options.cni)
    own = node_prefix(at, node.name)
    link = calico_routes.uplink(at, node.name)
    given = at.options.cni.mtu
    mtu = given or (link.mtu if link is not None else 1500) - calico_conf.OVERHEAD[mode.tunnel]
    put(at, node, calico_conf.MTU_FILE, str(mtu))
    if at.store.get("IPPool", "", calico_conf.POOL_NAME) is None:
        at.store.create(calico_conf.pool(at.options.cni), at.now)
    values = {calico_conf.NODE_ADDRESS: str(own)} if own is not None else {}
    if mode.tunnel:
        values[calico_conf.TUNNEL_ADDRESS[mode.tunnel]] = text4(tunnel_address(at, node.name, mode.tunnel))
    if mode.tunnel == "vxlan":
        values[calico_conf.TUNNEL_MAC] = mac_text(calico_conf.tunnel_mac(node.name))
    body = at.store.get("Node", "", node.name)
    if body is None:
        return

    def write(new: Json) -> None:
        new["metadata"]["annotations"] = {**(new["metadata"].get("annotations") or {}), **values}
        rows = new.setdefault("status", {}).get("conditions") or []
        if not any(row["type"] == NETWORK for row in rows):
            up = {"type": NETWORK, "status": "False", "reason": "CalicoIsUp",
                  "message": "Calico is running on this node",
                  "lastHeartbeatTime": stamp(at.now), "lastTransitionTime": stamp(at.now)}  # fmt: skip
            new["status"]["conditions"] = [up, *rows]

    at.store.change("Node", "", name_of(body), write)


def node_prefix(at: Pass, name: str) -> Prefix | None:
    """The node's address with its subnet's length, as IP autodetection finds it."""
    address = boot.node_address(at.net, name)
    for rows in at.net.spaces[name].addresses.values():
        for row in rows:
            if row.addr == address:
                return Prefix(row.addr, row.length)
    return None


def tunnel_address(at: Pass, name: str, tunnel: str) -> int:
    """The address of the node's tunnel device, taken from its first block (node/pkg/allocateip)."""
    handle = f"{tunnel}-tunnel-addr-{name}"
    found = calico_ipam.held(at.store, handle)
    if found:
        return found
    why = {"node": name, "type": f"{tunnel}TunnelAddress"}
    return calico_ipam.assign(at.store, name, at.options.cni.pod_cidr, handle, why, at.now)


# ---- who speaks BGP


def running_birds(at: Pass) -> frozenset[str]:
    """The nodes on which a bird runs. Remembered as long as no op is made."""
    held = at.cluster.memory.get("calico.birds")
    if isinstance(held, tuple) and held[0] == len(at.changes.log):
        found: frozenset[str] = held[1]
        return found
    found = frozenset(
        name
        for name in at.cluster.nodes
        if any(p.args[:1] == ("bird",) and not p.stopped for p in at.net.boxes[name].procs.values())
    )
    at.cluster.memory["calico.birds"] = (len(at.changes.log), found)
    return found


def absent(at: Pass, node: NodeState, seen: Seen, birds: frozenset[str]) -> tuple[tuple[str, float], ...]:
    """Peers that were there and are not: each with the moment since when."""
    was = dict(seen.gone)
    now_gone = (seen.birds | set(was)) - birds - {node.name}
    return tuple((n, was.get(n, at.now)) for n in sorted(now_gone) if at.now < was.get(n, at.now) + GRACE)
