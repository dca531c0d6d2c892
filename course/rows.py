"""Which command prints the row that decided a step, and at which terminal of the lab.

Rules. Pure: a step of a journey in, text out. Only commands that the lab's shell has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.linux.journey import StepKind

if TYPE_CHECKING:
    from engine.lab.lab import Lab
    from engine.linux.journey import Place, Step


def command_for(step: Step) -> str:
    """The command whose output has the step's row."""
    kind = step.kind
    if kind in (StepKind.RULE, StepKind.POLICY) and step.chain:
        return f"iptables -t {step.table or 'filter'} -S {step.chain}"
    if kind is StepKind.ROUTE:
        return "ip route" if step.table in ("", "main") else f"ip route show table {step.table}"
    if kind is StepKind.LOCAL:
        return "ip route show table local"
    if kind in (StepKind.NEIGHBOUR, StepKind.ARP):
        return "ip neigh"
    if kind in (StepKind.BRIDGE, StepKind.LEARN):
        return f"bridge fdb show br {step.place.device}" if step.place.device else "bridge fdb show"
    if kind is StepKind.IPVS or (kind is StepKind.NAT and step.table == "ipvs"):
        return "ipvsadm -Ln"
    if kind in (StepKind.CONNTRACK, StepKind.NAT):
        return "conntrack -L"
    if kind is StepKind.BPF:
        return f"bpftool map dump name {step.row.split()[0]}" if step.row else "bpftool prog show"
    if kind in (StepKind.SOCKET, StepKind.PROGRAM):
        return "ss -ltun"
    if kind is StepKind.RPFILTER:
        return "sysctl net.ipv4.conf.all.rp_filter"
    if kind is StepKind.FORWARD:
        return "sysctl net.ipv4.ip_forward"
    return "ip addr"


def terminal_at(lab: Lab, place: Place) -> str | None:
    """A terminal of the lab in the step's namespace; None where the lab has none (a switch, a router)."""
    for name in lab.places():
        try:
            if lab.shell(name).session.spot.netns == place.netns:
                return name
        except EngineError:
            continue
    return None
