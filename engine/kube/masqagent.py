"""The ip-masq agent: one chain per node that masquerades what leaves the cluster, and leaves Pods' addresses alone.

Theory. The bridge plugin's own ipMasq rewrites everything that leaves the node's subnet, so a pod on another node
would see the node's address. With several nodes the plugin's flag is off and this agent's chain IP-MASQ-AGENT does
it, for destinations outside nonMasqueradeCIDRs only. The agent writes its chain again every minute, so a rule
that a person takes out comes back. Source: kubernetes-sigs/ip-masq-agent cmd/ip-masq-agent/ip-masq-agent.go.
"""

from __future__ import annotations

from functools import lru_cache

import yaml

from engine.errors import EngineError
from engine.kube.cni import kernel
from engine.linux.addr import Prefix
from engine.linux.ops.base import Changes

CONFIG = "/etc/config/ip-masq-agent"
CHAIN = "IP-MASQ-AGENT"
RESYNC = 60.0
ARGS = ("/usr/local/bin/ip-masq-agent", f"--masq-chain={CHAIN}", "--random-fully=false")

JUMP = (
    '-m comment --comment "ip-masq-agent: ensure nat POSTROUTING directs all non-LOCAL destination traffic to our '
    f'custom {CHAIN} chain" -m addrtype ! --dst-type LOCAL -j {CHAIN}'
)
LOCAL = '-d {cidr} -m comment --comment "ip-masq-agent: local traffic is not subject to MASQUERADE" -j RETURN'
LAST = (
    '-m comment --comment "ip-masq-agent: outbound traffic is subject to MASQUERADE (must be last in chain)" '
    "-j MASQUERADE"
)


def config(pod_cidr: Prefix) -> str:
    """/etc/config/ip-masq-agent as the cluster's first set-up writes it."""
    return f"nonMasqueradeCIDRs:\n- {pod_cidr}\nmasqLinkLocal: false\nresyncInterval: 60s\n"


@lru_cache(maxsize=16)
def read(text: str) -> tuple[str, ...] | None:
    """The chain's rules by a configuration's text; None when it cannot be read."""
    try:
        body = yaml.safe_load(text) or {}
        cidrs = [Prefix.parse(str(c)) for c in body.get("nonMasqueradeCIDRs") or ()]
        link_local = bool(body.get("masqLinkLocal", False))
    except (yaml.YAMLError, AttributeError, TypeError, EngineError):
        return None
    own = () if link_local else (LOCAL.format(cidr="169.254.0.0/16"),)
    return (*own, *(LOCAL.format(cidr=c) for c in cidrs), LAST)


def sync(changes: Changes, box: str) -> bool:
    """Make the chain what the configuration says. False without a configuration that can be read."""
    text = changes.net.boxes[box].files.get(CONFIG)
    rules = read(text) if text is not None else None
    if rules is None:
        return False
    nat = kernel.Nat(changes, box)
    nat.new_chain(CHAIN)
    nat.append_unique("POSTROUTING", JUMP)
    nat.make(CHAIN, rules)
    return True
