"""What was done to each node's machine that a probe there could notice, as positions in the log of ops.

Theory. A probe's answer depends on the node's kernel, the pod's namespace and the programs in it. People and faults may
change anything, so each op of theirs on a machine counts for all of that node; of the cluster's own programs only
rules, sockets and ends of processes count: a new pod beside an old one changes nothing for it.

Rules. `NodeState.stirred[""]` is the position behind the last op that counts for the whole node, `stirred[netns]` for
one namespace. The log is read once, from where the last reading ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from engine.linux.ops import Advance, CloseSocket, KillProc, Listen, Log, StartProc
from engine.linux.ops.base import Changes, Op
from engine.linux.ops.xtchains import XtChains

if TYPE_CHECKING:
    from engine.kube.cluster import Cluster
    from engine.kube.node import NodeState

MEMORY = "stirred"
#: under this key the cluster's memory has the position behind the last op of others
OTHERS = "stirred/others"
#: Ops that nobody could notice.
HARMLESS = (Advance, Log)
#: Modules of ops that make rules: what of the cluster's own doing counts for a whole node.
RULES = frozenset({"xt", "xtchains", "xtrestore", "nft", "nftrows", "ipset", "ipvs", "rule", "bpf"})


def machine(op: Op) -> str:
    """The namespace or machine that an op is done to: `w1`, `w1/cni-...`, `lan`; "" when it does not say."""
    return str(getattr(op, "netns", "") or getattr(op, "box", ""))


def outside(cluster: Cluster, changes: Changes) -> list[Op]:
    """Before a settle: take up what others have done since the last one, and give it back."""
    done = list(_new(cluster, changes))
    for at, op in done:
        if not isinstance(op, HARMLESS):
            cluster.memory[OTHERS] = at
            _mark(cluster, machine(op).partition("/")[0], "", at)
    return [op for _, op in done]


def inside(cluster: Cluster, changes: Changes) -> None:
    """Before each moment: take up what the cluster's programs have done."""
    for at, op in _new(cluster, changes):
        where = machine(op)
        node = where.partition("/")[0]
        if isinstance(op, KillProc) or type(op).__module__.rpartition(".")[2] in RULES:
            _mark(cluster, node, "", at)
        elif isinstance(op, (Listen, CloseSocket, StartProc)):
            _mark(cluster, node, where, at)


def cut(cluster: Cluster, log: Sequence[Op], since: int) -> bool:
    """Was anything done from position `since` of the log on that could cut a connection which stands? Of the cluster's
    own doing these are rules, the ends of programs and of sockets, and what takes something away; kube-proxy's chains
    (XtChains) are for new connections."""
    others = cluster.memory.get(OTHERS, 0)
    if since > len(log) or (isinstance(others, int) and others > since):
        return True
    return any(_cuts(op) for op in log[since:])


def _cuts(op: Op) -> bool:
    kind = type(op)
    if kind.__module__.rpartition(".")[2] in RULES:
        return kind is not XtChains
    return isinstance(op, (KillProc, CloseSocket)) or kind.__name__.startswith("Del")


def _new(cluster: Cluster, changes: Changes) -> Iterator[tuple[int, Op]]:
    """What was not read yet, each op with the position behind it."""
    start = cluster.memory.get(MEMORY)
    cluster.memory[MEMORY] = len(changes.log)
    if isinstance(start, int) and start <= len(changes.log):
        yield from enumerate(changes.log[start:], start + 1)


def _mark(cluster: Cluster, node: str, netns: str, at: int) -> None:
    if node in cluster.nodes and cluster.nodes[node].dream is None:
        notice(cluster.nodes[node], netns, at)


def notice(node: NodeState, netns: str, at: int) -> None:
    """What probes of a namespace see of a program may be another from position `at` of the log on."""
    node.stirred[netns] = max(at, node.stirred.get(netns, 0))


def since(stirred: Mapping[str, int], netns: str) -> int:
    """The position behind the last op that counts for a pod in this namespace."""
    return max(stirred.get("", 0), stirred.get(netns, 0))
