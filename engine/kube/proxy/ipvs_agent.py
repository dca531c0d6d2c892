"""The modes ipvs and userspace in a node's kube-proxy: what agent.py asks of them.

Theory. Both do a whole sync whenever something changed, and again at the end of every sync period, which is when what
a person changed by hand is put right. To wait for the end of a period costs nothing while nothing differs, so the
period is due only when something does.

Rules. `Held` is what a process remembers, frozen, kept in agent.State.plan. Nothing here reads or writes the API.
"""

from __future__ import annotations

from dataclasses import field
from math import floor
from typing import TYPE_CHECKING

from engine.errors import NotModelled
from engine.kube.node import NodeState
from engine.kube.passes import Pass
from engine.kube.proxy import ipvs, ipvs_plan, userspace
from engine.kube.proxy.config import Config
from engine.kube.proxy.picture import Picture
from engine.kube.proxy.topology import choose
from engine.linux.net import Netns
from engine.linux.ops.box import Log
from engine.record import dataclass, replace

if TYPE_CHECKING:
    from engine.kube.proxy.agent import State


#: seconds after its start that a process begins to count its sync periods from
PHASE = 0.37


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """ipvs: `leaving` and the last `plan`; userspace: the service ports that are `opened`."""

    leaving: ipvs.Leaving = ipvs.Leaving()
    plan: ipvs_plan.Plan | None = None
    opened: dict[tuple[str, str], userspace.Open] = field(default_factory=dict)


def begin(at: Pass, node: NodeState, config: Config) -> Held:
    """What a process sets when it starts."""
    if config.mode == "userspace":
        userspace.begin(at.changes, node.name)
        if at.options.minor >= userspace.REMOVED:
            said = userspace.HISTORY(version=at.options.version).text("en")
            at.changes.do(Log(box=node.name, line=f"k8snet-tutor: {said}"))
        if at.options.cni.name == "calico":
            at.changes.do(Log(box=node.name, line=f"k8snet-tutor: {userspace.NO_ADDRESS().text('en')}"))
        return Held()
    return Held(leaving=ipvs.begin(at.changes, node.name, rules_of(at, node, config), at.now))


def rules_of(at: Pass, node: NodeState, config: Config) -> ipvs_plan.Settings:
    """What of the configuration counts in ipvs mode."""
    from engine.kube.proxy.agent import detector

    local = detector(config, node.pod_cidr)
    return ipvs_plan.Settings(
        scheduler=config.ipvs.scheduler or "rr", strict_arp=config.ipvs.strict_arp, exclude=config.ipvs.exclude,
        timeouts=(config.ipvs.tcp, config.ipvs.tcp_fin, config.ipvs.udp), masquerade_all=config.masquerade_all,
        masquerade_bit=config.masquerade_bit,
        not_local="" if local is None else " ".join(replace(local, invert=True).words()),
    )  # fmt: skip


def facts(at: Pass, node: NodeState, config: Config, name: str) -> ipvs_plan.Facts:
    """The node's addresses: those of kube-ipvs0 are no addresses of the node, nor are those of 127.0.0.0/8."""
    from engine.kube.proxy.agent import node_ip, node_port_addresses

    ns = at.net.spaces[node.name]
    dummy = ns.names.get(ipvs_plan.DEVICE, 0)
    own = {
        a.addr for index, rows in ns.addresses.items() if index != dummy for a in rows if a.addr >> 24 != 127
    }
    ip = node_ip(at, node)
    chosen = node_port_addresses(config, ns, ip)
    usable = own if chosen is None else {a for a in chosen if a >> 24 != 127}
    return ipvs_plan.Facts(
        node=name, node_ip=ip, addresses=frozenset(own), node_port_ips=tuple(sorted(usable))
    )


def sync(at: Pass, node: NodeState, state: State, picture: Picture) -> Held:
    """A whole sync."""
    held: Held = state.plan
    config = state.config
    if config.mode == "userspace":
        from engine.kube.proxy.agent import node_ip

        opened = userspace.sync(
            at.changes, node.name, picture.ports(), held.opened, pid=state.pid, node_ip=node_ip(at, node),
            seed=at.options.seed,
        )  # fmt: skip
        return replace(held, opened=opened)
    minor = at.options.minor
    ports = [port for port in picture.ports() if port.proto in ("tcp", "udp")]
    others = {(p.namespace, p.name) for p in picture.ports() if p.proto not in ("tcp", "udp")}
    for namespace, name in sorted(others):
        body = at.store.get("Service", namespace, name)
        if body is not None and node.name == next(iter(at.cluster.nodes)):
            at.cluster.skip("proxy.mode ipvs", body, NotModelled("SCTP behind IPVS").said)
    pairs = [(port, choose(port, state.name, state.zone, minor=minor)) for port in ports]
    settings = rules_of(at, node, config)
    plan = ipvs_plan.plan(pairs, settings, facts(at, node, config, state.name))
    leaving = ipvs.sync(at.changes, node.name, plan, settings, held.leaving)
    return replace(held, plan=plan, leaving=leaving)


def idle(at: Pass, node: NodeState, state: State) -> Held:
    """Between changes: servers that leave are looked at once a minute; at the end of a period all is put right."""
    held: Held = state.plan
    if held.leaving.servers and at.now >= held.leaving.check:
        leaving = ipvs.look(at.changes, node.name, held.leaving, at.now)
        held = held if leaving == held.leaving else replace(held, leaving=leaving)
    period = abs(at.now - tick(state, at.now - 1e-6)) < 1e-6
    if period and state.picture is not None and differs(at, node, state):
        return sync(at, node, replace(state, plan=held), state.picture)
    return held


def next_look(at: Pass, node: NodeState, state: State) -> float:
    """When this process has something to do by itself."""
    held: Held = state.plan
    times = [float("inf")]
    if held.leaving.servers:
        times.append(held.leaving.check)
    if differs(at, node, state):
        times.append(tick(state, at.now))
    return min(times)


def tick(state: State, now: float) -> float:
    """The next end of a sync period. A process starts at no round second, so a person's command never meets one."""
    begin, period = state.started + PHASE, state.config.sync_period
    return begin + (floor((now - begin) / period) + 1) * period


def differs(at: Pass, node: NodeState, state: State) -> bool:
    """Is something else there than the last sync left?"""
    held: Held = state.plan
    ns = at.net.spaces[node.name]
    if state.config.mode == "userspace":
        return userspace.missing(ns, held.opened)
    return held.plan is not None and ipvs_differs(ns, held.plan, held.leaving)


def ipvs_differs(ns: Netns, plan: ipvs_plan.Plan, leaving: ipvs.Leaving) -> bool:
    dummy = ns.names.get(ipvs_plan.DEVICE, 0)
    if not dummy or {a.addr for a in ns.addresses.get(dummy, ())} != plan.bound.keys():
        return True
    if any(
        n not in ns.ipsets.sets or ns.ipsets.sets[n].entries.keys() != plan.members[n].keys()
        for n in plan.members
    ):
        return True
    if not ipvs.ruled(ns, plan):
        return True
    services = {key: one for key, one in ns.ipvs.services.items() if key[0]}
    gone = {pair for pair in leaving.servers}
    for key, wanted in plan.services.items():
        one = services.get(key)
        if one is None or (one.scheduler, one.timeout, one.flags) != (
            wanted.scheduler,
            wanted.timeout,
            wanted.flags,
        ):
            return True
        if {d.key for d in one.dests if (key, d.key) not in gone} != {d.key for d in wanted.dests}:
            return True
    return False
