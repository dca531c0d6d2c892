"""kube-proxy on one node: starts, cleans up after another mode, and keeps the kernel as the Services say.

Theory. kube-proxy is a process of a DaemonSet's pod. While it runs it syncs whenever Services, slices or its own node's
labels change; when it does not run, everything stays as it is. Between syncs it looks, every sync period, whether
somebody flushed its tables (iptables.py). A process that starts takes away what the other family of modes left
(iptables and ipvs are one family, so a change between these two leaves rows behind), sets sysctls and syncs in full.

Rules. What the process remembers is a frozen `State` in the node's memory, forgotten with the process. `sync` costs a
few lookups when nothing changed. Changes go to the kernel at the same virtual moment: the real one waits up to
minSyncPeriod. Source: cmd/kube-proxy/app/server_linux.go (platformSetup, platformCleanup, createProxier).
"""

from __future__ import annotations

from typing import Any

from engine.errors import OpError
from engine.kube.cni.kernel import set_sysctl
from engine.kube.node import NodeState
from engine.kube.objects import Json
from engine.kube.passes import Pass
from engine.kube.proxy import health, iptables, program
from engine.kube.proxy.config import Config
from engine.kube.proxy.conntrack import clean_stale
from engine.kube.proxy.picture import Picture, updated, zone_of
from engine.kube.proxy.sharing import Memo
from engine.kube.runtime import Container
from engine.linux.addr import Prefix
from engine.linux.net import Netns
from engine.linux.ops.base import Changes
from engine.linux.rows import Proc
from engine.linux.xt.match import InDevice, Source
from engine.record import dataclass, replace

KEY = "proxy"
#: virtual seconds are floats: two that should be the same may differ by less than this part of a period
SLACK = 1e-6
IPVS_DEVICE = "kube-ipvs0"
CONNTRACK = "net.netfilter.nf_conntrack_"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What one kube-proxy process remembers. `picture` is what it has synced; `full` = the next sync must be one;
    `plan` is the mode's own; `retry` when a failed sync is tried again, 0 = none failed; `cleaned` when superfluous
    chains were last looked for; `ticks` the sync periods after which it has looked for its canary."""

    pid: int
    config: Config
    name: str
    started: float
    zone: str = ""
    picture: Picture | None = None
    full: bool = True
    last_full: float = 0.0
    retry: float = 0.0
    cleaned: float = -1.0
    ticks: int = 0
    plan: Any = None
    liberal: bool = False


class Shared:
    """What the proxies of a cluster share: the picture of the store, and rows made from it. The picture is replaced,
    never changed; the memos hold what could be made again."""

    __slots__ = ("memo", "nft_memo", "picture")

    def __init__(self, picture: Picture, memo: Memo[Any, Any], nft_memo: Memo[Any, Any] | None) -> None:
        self.picture, self.memo, self.nft_memo = picture, memo, nft_memo


def shared(at: Pass) -> Shared:
    """The picture as the store is now."""
    old = at.cluster.memory.get(KEY)
    if not isinstance(old, Shared):
        old = Shared(Picture(), iptables.memo(), None)
    picture = updated(old.picture, at.store)
    if picture is not old.picture or at.cluster.memory.get(KEY) is not old:
        old = Shared(picture, old.memo, old.nft_memo)
        at.cluster.memory[KEY] = old
    return old


def process(at: Pass, node: NodeState) -> Proc | None:
    """The running kube-proxy of a node."""
    state = node.memory.get(KEY)
    procs = at.net.boxes[node.name].procs
    if isinstance(state, State) and state.pid in procs and procs[state.pid].program == program.NAME:
        return procs[state.pid]
    pid = at.running(node, program.NAME)
    return procs[pid] if pid else None


def sync(at: Pass, node: NodeState) -> None:
    """One pass of a node's kube-proxy."""
    if at.options.proxy.mode == "none" and KEY not in node.memory and not at.running(node, program.NAME):
        return
    proc = process(at, node)
    if proc is None:
        node.memory.pop(KEY, None)
        return
    state = node.memory.get(KEY)
    if not isinstance(state, State) or state.pid != proc.pid:
        if not at.cluster.api_up(at.net):
            return
        state = node.memory[KEY] = begin(at, node, proc)
    done = one_sync(at, node, state)
    if done is not state:
        node.memory[KEY] = done
    health.eligible(at.changes, node.name, proc.pid, at.store.get("Node", "", done.name))


def due(at: Pass) -> float:
    """When the next node's kube-proxy has something to do by itself: a full sync, a retry, a flush to be seen."""
    times = [float("inf")]
    for node in at.cluster.awake():
        state = node.memory.get(KEY)
        if isinstance(state, State):
            times.append(next_look(at, node, state))
    return min(times)


def next_look(at: Pass, node: NodeState, state: State) -> float:
    """Virtual time of the next thing that this process does without being told of a change."""
    if state.picture is None:
        return state.retry or float("inf")
    times = [state.last_full + iptables.FULL_SYNC]
    if state.retry:
        times.append(state.retry)
    if state.config.mode == "iptables":
        if iptables.flushed(at.net.spaces[node.name].xt):
            times.append(tick(state, at.now))
    elif state.config.mode == "nftables":
        from engine.kube.proxy import nftables

        times.append(nftables.next_look(state.plan, at.now))
    else:
        from engine.kube.proxy import ipvs_agent

        times.append(ipvs_agent.next_look(at, node, state))
    return min(times)


def tick(state: State, now: float) -> float:
    """The next end of a sync period, counted from the process's start."""
    period = state.config.sync_period
    return state.started + (int((now - state.started) / period + SLACK) + 1) * period


def at_tick(state: State, now: float) -> bool:
    """Does a sync period end now?"""
    passed = (now - state.started) / state.config.sync_period
    return passed > SLACK and abs(passed - round(passed)) < SLACK


# -- a process that starts


def begin(at: Pass, node: NodeState, proc: Proc) -> State:
    config, name = program.running(proc.config, at.options)
    changes, netns = at.changes, node.name
    lines = leftovers(changes, netns, config)
    sysctls(changes, netns, config)
    liberal = at.net.spaces[netns].sysctl(CONNTRACK + "tcp_be_liberal") != "0"
    health.begin(changes, netns, proc.pid, config)
    state = State(
        pid=proc.pid, config=config, name=name, started=at.now, zone=zone_of(at.store, name), liberal=liberal
    )
    if config.mode == "iptables":
        iptables.begin(changes, netns)
    elif config.mode in ("ipvs", "userspace"):
        from engine.kube.proxy import ipvs_agent

        state = replace(state, plan=ipvs_agent.begin(at, node, config))
    write_log(node, proc, [program.klog(at.now, "E", "cleanup.go:89", line) for line in lines])
    about: Json = {"kind": "Node", "metadata": {"name": name}}
    if config.mode == "ipvs" and at.options.minor >= program.DEPRECATED_SINCE:
        said = program.DEPRECATED
        at.store.record(about, "Warning", "IPVSDeprecation", said, program.NAME, proc.started, host=name)
    at.store.record(about, "Normal", "Starting", "", program.NAME, proc.started, host=name)
    return state


def leftovers(changes: Changes, netns: str, config: Config) -> list[str]:
    """What another family of modes left (platformCleanup)."""
    ns = changes.net.spaces[netns]
    if config.mode in ("iptables", "ipvs"):
        if ns.nft.tables:
            from engine.kube.proxy import nftables

            nftables.cleanup(changes, netns)
        return []
    lines = iptables.cleanup(changes, netns) if config.mode == "nftables" and ns.xt.tables else []
    if config.mode == "nftables" and (ns.ipsets.sets or ns.ipvs.services or IPVS_DEVICE in ns.names):
        from engine.kube.proxy import ipvs

        ipvs.cleanup(changes, netns)
    return lines


def sysctls(changes: Changes, netns: str, config: Config) -> None:
    """What a process that starts sets (setupConntrack; route_localnet of the iptables proxier)."""
    track = config.conntrack
    wanted = {
        "max": track.most, "tcp_timeout_established": track.established, "tcp_timeout_close_wait": track.close_wait,
        "tcp_be_liberal": int(track.liberal), "udp_timeout": track.udp, "udp_timeout_stream": track.udp_stream,
    }  # fmt: skip
    for key, value in wanted.items():
        if value:
            set_sysctl(changes, netns, CONNTRACK + key, str(value))
    if config.mode == "iptables" and config.localhost_node_ports and config.loopback:
        set_sysctl(changes, netns, "net.ipv4.conf.all.route_localnet", "1")


def write_log(node: NodeState, proc: Proc, lines: list[str]) -> None:
    """Lines of a running kube-proxy into its container's log."""
    if not lines:
        return
    row: Container | None = node.runtime.containers.get(proc.container)
    if row is not None:
        node.runtime.containers[row.id] = replace(row, log=(*row.log, *lines))


# -- one sync


def one_sync(at: Pass, node: NodeState, state: State) -> State:
    """Sync when there is something to sync; the state afterwards."""
    picture = shared(at).picture
    zone = zone_of(at.store, state.name)
    if zone != state.zone:
        state = replace(state, zone=zone, full=True)
    if state.config.mode == "iptables" and state.picture is not None:
        state = looked(at, node, state)
    if state.retry and at.now >= state.retry:
        state = replace(state, full=True, retry=0.0)
    if state.picture is not None and at.now - state.last_full >= iptables.FULL_SYNC:
        state = replace(state, full=True)
    if state.retry:
        return state
    before = state.picture
    if before is not None and before.serial == picture.serial and not state.full:
        return idle(at, node, state)
    if state.config.mode == "iptables":
        state = by_iptables(at, node, state, picture)
    elif state.config.mode == "nftables":
        from engine.kube.proxy import nftables

        state = nftables.by_nftables(at, node, state, picture)
    else:
        from engine.kube.proxy import ipvs_agent

        state = replace(state, plan=ipvs_agent.sync(at, node, state, picture))
    if state.retry:
        return state
    if before is None or before.serial != picture.serial:
        own = node_port_addresses(state.config, at.net.spaces[node.name], node_ip(at, node))
        listen = (0,) if own is None else own
        ports = picture.ports() if picture.checked else ()
        health.sync(at.changes, node.name, state.pid, ports, state.name, addresses=listen)
        clean_stale(at.changes, node.name, picture)
    last_full = at.now if state.full else state.last_full
    return replace(state, picture=picture, full=False, last_full=last_full)


def idle(at: Pass, node: NodeState, state: State) -> State:
    """What a process does between changes."""
    if state.config.mode not in ("ipvs", "userspace"):
        return state
    from engine.kube.proxy import ipvs_agent

    plan = ipvs_agent.idle(at, node, state)
    return state if plan is state.plan else replace(state, plan=plan)


def looked(at: Pass, node: NodeState, state: State) -> State:
    """At the end of a sync period: was the table with the canary flushed?"""
    if not at_tick(state, at.now):
        return state
    ticks = round((at.now - state.started) / state.config.sync_period)
    if ticks == state.ticks:
        return state
    if iptables.flushed(at.net.spaces[node.name].xt):
        iptables.begin(at.changes, node.name)
        state = replace(state, full=True)
    return replace(state, ticks=ticks)


def by_iptables(at: Pass, node: NodeState, state: State, picture: Picture) -> State:
    plan = iptables.planned(picture, settings(at, node, state), shared(at).memo, state.plan)
    changed = None if state.full or state.picture is None else picture.changed(state.picture.serial)
    if state.plan is not None and (
        state.plan.style != plan.style or anybody(state.plan.settings) != anybody(plan.settings)
    ):
        changed = None
    clean = not plan.style.large or at.now - state.cleaned > state.config.sync_period or state.cleaned < 0
    try:
        iptables.sync(at.changes, node.name, plan, full=state.full, changed=changed, clean=clean)
    except OpError as error:
        text = f'"Failed to execute iptables-restore" err="exit status 4: {error.tool_text}" ipFamily="IPv4"'
        return sync_failed(at, node, replace(state, plan=plan), "proxier.go:1480", text)
    return replace(state, plan=plan, cleaned=at.now if clean else state.cleaned)


def sync_failed(at: Pass, node: NodeState, state: State, place: str, text: str) -> State:
    """A sync that failed is tried again, in full, after a sync period."""
    lines = [
        program.klog(at.now, "E", place, text),
        program.klog(
            at.now, "I", "proxier.go:790", f'"Sync failed" ipFamily="IPv4" retryingTime="{_go(state)}"'
        ),
    ]
    write_log(node, at.net.boxes[node.name].procs[state.pid], lines)
    return replace(state, retry=at.now + state.config.sync_period, full=True)


def _go(state: State) -> str:
    seconds = int(state.config.sync_period)
    return f"{seconds // 60}m{seconds % 60}s" if seconds >= 60 else f"{seconds}s"


def settings(at: Pass, node: NodeState, state: State) -> iptables.Settings:
    """What rows of iptables mode depend on, of this node."""
    config = state.config
    ns = at.net.spaces[node.name]
    ip = node_ip(at, node)
    alone = any_special(shared(at).picture)
    return iptables.Settings(
        node=state.name if alone else "", zone=state.zone if alone else "", node_ip=ip if alone else 0,
        minor=at.options.minor, mark=config.mark, masquerade_all=config.masquerade_all,
        local=detector(config, node.pod_cidr), addresses=node_port_addresses(config, ns, ip),
        localhost=config.localhost_node_ports and config.loopback, liberal=state.liberal,
    )  # fmt: skip


def anybody(settings: iptables.Settings) -> iptables.Settings:
    """The settings without what only some Services ask for: which node it is."""
    return replace(settings, node="", zone="", node_ip=0)


def any_special(picture: Picture) -> bool:
    """Does what a node does with some Service depend on which node it is?"""
    return picture.special > 0


def node_ip(at: Pass, node: NodeState) -> int:
    """The node's own address: the Node's InternalIP."""
    from engine.kube import boot

    return boot.node_address(at.net, node.name)


def detector(config: Config, pod_cidr: Prefix) -> Source | InDevice | None:
    """What tells that a packet was sent by a Pod of this cluster; None where it cannot be told."""
    if config.detect == "ClusterCIDR":
        cidr = config.cluster_cidr
        return None if cidr is None else Source(addr=cidr.addr, length=cidr.length)
    if config.detect == "NodeCIDR":
        return Source(addr=pod_cidr.addr, length=pod_cidr.length)
    return InDevice(name=config.bridge if config.detect == "BridgeInterface" else config.prefix + "+")


def node_port_addresses(config: Config, ns: Netns, ip: int) -> tuple[int, ...] | None:
    """The addresses of the node on which node ports answer, None = all (GetNodeIPs)."""
    if config.every_address:
        return None
    if config.node_ports_word == "primary":
        return (ip,)
    own = [row.addr for rows in ns.addresses.values() for row in rows]
    if config.node_ports_word == "localhost":
        return tuple(sorted(a for a in own if a >> 24 == 127))
    return tuple(sorted({a for a in own if any(a in p for p in config.node_ports)}))
