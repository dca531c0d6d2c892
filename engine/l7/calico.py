"""The programs of Calico's images: what runs in the container calico-node, and the ones that end at once.

Rules. The work of felix and bird on a node is in engine.kube.cni.calico_node; here are only their processes. Source:
node/filesystem/etc (start_runit, runsv services), facts 10 section 6.1.
"""

from __future__ import annotations

from engine.l7.behaviour import Behaviour, Call, server

BIRD = ("bird", "-R", "-s", "/var/run/calico/bird.ctl", "-d", "-c", "/etc/calico/confd/config/bird.cfg")
FELIX = ("calico-node", "-felix")
SERVICES = (
    FELIX, ("calico-node", "-confd"), ("calico-node", "-monitor-addresses"),
    ("calico-node", "-allocate-tunnel-addrs"), ("calico-node", "-monitor-token"), ("calico-node", "-status-reporter"),
)  # fmt: skip


def start_runit(call: Call) -> Behaviour:
    """The container calico-node: runit over felix, confd, and bird where the backend is bird."""
    bird = call.env.get("CALICO_NETWORKING_BACKEND", "bird") == "bird"
    children = (*SERVICES, BIRD) if bird else SERVICES
    log = ("Calico node started successfully",)
    args = ("/usr/local/bin/runsvdir", "-P", "/etc/service/enabled")
    return server("calico-node", args, [("tcp", 179)] if bird else [], children=children, log=log)


def once(call: Call) -> Behaviour:
    """An init container or a probe of the manifest: it does its work and ends well."""
    return Behaviour(args=call.argv, seconds=0)


def controllers(call: Call) -> Behaviour:
    return server("kube-controllers", ("/usr/bin/kube-controllers",), [])
