"""Felix's chains that every node has: what each hook of the kernel jumps to, and in what order.

Theory. At the top of the built-in chains felix inserts one jump each; at the end of FORWARD it appends the rule that
accepts what a policy has accepted, and at the end of nat POSTROUTING its jump, behind kube-proxy's. FORWARD first asks
the sender's pod (cali-from-wl-dispatch: its egress policies), then the receiver's (cali-to-wl-dispatch: ingress). What
goes from the node itself to a pod of its own is let be, so kubelet always reaches its pods.

Rules. The order and the words are felix's (felix/rules/static.go, nat.go; facts 10 section 6.6). Host endpoints are not
modelled: their chains stand empty, as on a node that has none.
"""

from __future__ import annotations

from engine.kube.cni.calico_conf import VXLAN_PORT, Mode
from engine.kube.policy.render import (
    ACCEPT,
    ACCEPTED,
    ALL_BITS,
    DESTINATION_LOCAL,
    DROP,
    ENDPOINT,
    MASQUERADE,
    NON_CALI,
    NOTRACK,
    RETURN,
    SCRATCH0,
    SPOOFED,
    Chain,
    Rule,
    came_in,
    clear_mark,
    dports,
    goes_out,
    goto,
    in_set,
    jump,
    mark_clear,
    mark_is,
    mark_not_clear,
    mark_set,
    proto,
    proto_number,
    set_mark,
    set_name,
    source_local,
    state,
    udp_dport,
)

WORKLOADS = "cali+"
POOLS, MASQ_POOLS, ALL_HOSTS, ALL_VXLAN, THIS_HOST, DSCP = (
    "network-ip-pools", "masq-ipam-pools", "all-hosts-net", "all-vxlan-net", "this-host", "dscp-src-net",
)  # fmt: skip
#: what felix takes NodePorts to be (KubeNodePortRanges)
NODE_PORTS = (30000, 32767)
ACCEPTED_BY_HOST = "Host endpoint policy accepted packet."

#: (table, built-in chain) -> what felix inserts at its top
INSERTED: dict[tuple[str, str], tuple[Rule, ...]] = {
    ("raw", "PREROUTING"): (Rule(do=jump("cali-PREROUTING")),),
    ("raw", "OUTPUT"): (Rule(do=jump("cali-OUTPUT")),),
    ("mangle", "PREROUTING"): (Rule(do=jump("cali-PREROUTING")),),
    ("mangle", "POSTROUTING"): (Rule(do=jump("cali-POSTROUTING")),),
    ("nat", "PREROUTING"): (Rule(do=jump("cali-PREROUTING")),),
    ("nat", "OUTPUT"): (Rule(do=jump("cali-OUTPUT")),),
    ("filter", "INPUT"): (Rule(do=jump("cali-INPUT")),),
    ("filter", "FORWARD"): (Rule(do=jump("cali-FORWARD")),),
    ("filter", "OUTPUT"): (Rule(do=jump("cali-OUTPUT")),),
}
#: (table, built-in chain) -> what it appends
APPENDED: dict[tuple[str, str], tuple[Rule, ...]] = {
    ("nat", "POSTROUTING"): (Rule(do=jump("cali-POSTROUTING")),),
    ("filter", "FORWARD"): (
        Rule(match=(mark_set(ACCEPTED),), do=ACCEPT, comments=("Policy explicitly accepted packet.",)),
        Rule(do=set_mark(ACCEPTED)),
    ),
}


def host_verdict(*before: Rule) -> tuple[Rule, ...]:
    """Clear the bits, ask the host's endpoints, take what they accepted."""
    return (
        Rule(do=clear_mark(ALL_BITS)), *before,
        Rule(match=(mark_set(ACCEPTED),), do=ACCEPT, comments=(ACCEPTED_BY_HOST,)),
    )  # fmt: skip


def chains(table: str, mode: Mode, device: str, *, ipvs: bool = False) -> tuple[Chain, ...]:
    """The static chains of a table. `device` is the tunnel device that has an address, "" for none; `ipvs`:
    kube-proxy's IPVS device is there, and what goes to a Service comes through INPUT and OUTPUT."""
    if table == "raw":
        return _raw(mode)
    if table == "mangle":
        return _mangle(ipvs)
    return _nat(device) if table == "nat" else _filter(mode, ipvs)


def _raw(mode: Mode) -> tuple[Chain, ...]:
    vxlan = (Rule(match=(proto("udp"), udp_dport(VXLAN_PORT)), do=NOTRACK),) if mode.tunnel == "vxlan" else ()
    accepted = Rule(match=(mark_set(ACCEPTED),), do=ACCEPT)
    return (
        Chain(
            "cali-PREROUTING",
            (
                Rule(do=clear_mark(ALL_BITS)), *vxlan,
                Rule(match=(came_in(WORKLOADS),), do=set_mark(SCRATCH0)),
                Rule(match=(mark_set(SCRATCH0),), do=jump("cali-rpf-skip")),
                Rule(match=(mark_set(SCRATCH0), SPOOFED), do=DROP),
                Rule(match=(mark_clear(SCRATCH0),), do=jump("cali-from-host-endpoint")), accepted,
            ),
        ),
        Chain("cali-rpf-skip"),
        Chain("cali-from-host-endpoint"),
        Chain(
            "cali-OUTPUT",
            (Rule(do=clear_mark(ALL_BITS)), Rule(do=jump("cali-to-host-endpoint")), *vxlan, accepted),
        ),
        Chain("cali-to-host-endpoint"),
    )  # fmt: skip


def _mangle(ipvs: bool) -> tuple[Chain, ...]:
    leaving = (
        in_set(set_name(DSCP), "src"), in_set(set_name(POOLS), "dst", invert=True),
        in_set(set_name(THIS_HOST), "dst", invert=True),
    )  # fmt: skip
    return (
        Chain(
            "cali-PREROUTING",
            (
                Rule(match=(state("RELATED,ESTABLISHED"),), do=ACCEPT),
                Rule(match=(mark_set(ACCEPTED),), do=ACCEPT),
                Rule(do=jump("cali-from-host-endpoint")),
                Rule(match=(mark_set(ACCEPTED),), do=ACCEPT, comments=(ACCEPTED_BY_HOST,)),
            ),
        ),
        Chain("cali-from-host-endpoint"),
        Chain(
            "cali-POSTROUTING",
            (
                Rule(match=leaving, do=jump("cali-egress-dscp"), comments=("set dscp for traffic leaving cluster.",)),
                Rule(match=(mark_set(ACCEPTED),), do=RETURN),
                *((Rule(match=(mark_not_clear(ENDPOINT),), do=RETURN),) if ipvs else ()),
                Rule(do=clear_mark(ALL_BITS)),
                Rule(match=(state("DNAT"),), do=jump("cali-to-host-endpoint")),
                Rule(match=(mark_set(ACCEPTED),), do=RETURN, comments=(ACCEPTED_BY_HOST,)),
            ),
        ),
        Chain("cali-egress-dscp"),
        Chain("cali-to-host-endpoint"),
    )  # fmt: skip


def _nat(device: str) -> tuple[Chain, ...]:
    masquerade = (
        goes_out(device), source_local(invert=True, limit=True), source_local(),
    ) if device else ()  # fmt: skip
    outgoing = (in_set(set_name(MASQ_POOLS), "src"), in_set(set_name(POOLS), "dst", invert=True))
    return (
        Chain("cali-PREROUTING", (Rule(do=jump("cali-fip-dnat")),)),
        Chain("cali-fip-dnat"),
        Chain("cali-OUTPUT", (Rule(do=jump("cali-fip-dnat")),)),
        Chain(
            "cali-POSTROUTING",
            (
                Rule(do=jump("cali-fip-snat")),
                Rule(do=jump("cali-nat-outgoing")),
                *((Rule(match=masquerade, do=MASQUERADE),) if device else ()),
            ),
        ),
        Chain("cali-fip-snat"),
        Chain("cali-nat-outgoing", (Rule(match=outgoing, do=MASQUERADE),)),
    )


def _filter(mode: Mode, ipvs: bool) -> tuple[Chain, ...]:
    return (
        Chain(
            "cali-FORWARD",
            (
                Rule(do=clear_mark(ALL_BITS & ~ACCEPTED)),
                Rule(match=(mark_clear(ACCEPTED),), do=jump("cali-from-hep-forward")),
                Rule(match=(came_in(WORKLOADS),), do=jump("cali-from-wl-dispatch")),
                Rule(match=(goes_out(WORKLOADS),), do=jump("cali-to-wl-dispatch")),
                Rule(do=jump("cali-to-hep-forward")),
                Rule(do=jump("cali-cidr-block")),
            ),
        ),
        Chain("cali-from-hep-forward"),
        Chain("cali-to-hep-forward"),
        Chain("cali-cidr-block"),
        Chain(
            "cali-INPUT",
            (
                *_tunnel_in(mode),
                *(_ipvs_in() if ipvs else ()),
                Rule(match=(came_in(WORKLOADS),), do=goto("cali-wl-to-host")),
                Rule(match=(mark_set(ACCEPTED),), do=ACCEPT),
                *host_verdict(Rule(do=jump("cali-from-host-endpoint"))),
            ),
        ),
        Chain(
            "cali-wl-to-host",
            (
                Rule(do=jump("cali-from-wl-dispatch")),
                Rule(do=ACCEPT, comments=("Configured DefaultEndpointToHostAction",)),
            ),
        ),
        Chain("cali-from-host-endpoint"),
        Chain(
            "cali-OUTPUT",
            (
                Rule(match=(mark_set(ACCEPTED),), do=ACCEPT),
                *(
                    (Rule(match=(mark_not_clear(ENDPOINT),), do=goto("cali-forward-endpoint-mark")),)
                    if ipvs
                    else ()
                ),
                Rule(match=(goes_out(WORKLOADS),), do=RETURN),
                *_tunnel_out(mode),
                *host_verdict(Rule(match=(state("DNAT", invert=True),), do=jump("cali-to-host-endpoint"))),
            ),
        ),
        Chain("cali-to-host-endpoint"),
        *(_ipvs() if ipvs else ()),
    )


def _ipvs_in() -> tuple[Rule, ...]:
    """What goes on to a Service gets its sender's mark, and is judged in OUTPUT, where the backend is known."""
    return (
        Rule(do=clear_mark(ENDPOINT)),
        Rule(do=jump("cali-forward-check")),
        Rule(match=(mark_not_clear(ENDPOINT),), do=RETURN),
    )


def _ipvs() -> tuple[Chain, ...]:
    """Is it for a Service (INPUT), and the policies of sender and receiver (OUTPUT)."""
    here, ports = set_name(THIS_HOST), dports([NODE_PORTS])
    to_port = tuple(
        Rule(match=(proto(name), ports, in_set(here, "dst")), do=goto("cali-set-endpoint-mark"),
             comments=("To kubernetes NodePort service",))
        for name in ("tcp", "udp")
    )  # fmt: skip
    return (
        Chain(
            "cali-forward-check",
            (
                Rule(match=(state("RELATED,ESTABLISHED"),), do=RETURN), *to_port,
                Rule(match=(in_set(here, "dst", invert=True),), do=jump("cali-set-endpoint-mark"),
                     comments=("To kubernetes service",)),
            ),
        ),
        Chain(
            "cali-forward-endpoint-mark",
            (
                Rule(match=(mark_is(NON_CALI, ENDPOINT, invert=True),), do=jump("cali-from-endpoint-mark")),
                Rule(match=(goes_out(WORKLOADS),), do=jump("cali-to-wl-dispatch")),
                Rule(do=jump("cali-to-hep-forward")),
                Rule(do=clear_mark(ENDPOINT)),
                Rule(match=(mark_set(ACCEPTED),), do=ACCEPT, comments=("Policy explicitly accepted packet.",)),
            ),
        ),
    )  # fmt: skip


def _tunnel_in(mode: Mode) -> tuple[Rule, ...]:
    """Encapsulated packets are taken from the cluster's own nodes only."""
    if mode.tunnel == "ipip":
        hosts = in_set(set_name(ALL_HOSTS), "src")
        return (
            Rule(match=(proto_number(4), hosts, DESTINATION_LOCAL), do=ACCEPT,
                 comments=("Allow IPIP packets from Calico hosts",)),
            Rule(match=(proto_number(4),), do=DROP, comments=("Drop IPIP packets from non-Calico hosts",)),
        )  # fmt: skip
    if mode.tunnel == "vxlan":
        hosts, port = in_set(set_name(ALL_VXLAN), "src"), dports([(VXLAN_PORT, VXLAN_PORT)])
        return (
            Rule(match=(proto_number(17), port, hosts, DESTINATION_LOCAL), do=ACCEPT,
                 comments=("Allow IPv4 VXLAN packets from allowed hosts",)),
            Rule(match=(proto_number(17), port, DESTINATION_LOCAL), do=DROP,
                 comments=("Drop IPv4 VXLAN packets from non-allowed hosts",)),
        )  # fmt: skip
    return ()


def _tunnel_out(mode: Mode) -> tuple[Rule, ...]:
    if mode.tunnel == "ipip":
        return (
            Rule(match=(proto_number(4), in_set(set_name(ALL_HOSTS), "dst"), source_local()), do=ACCEPT,
                 comments=("Allow IPIP packets to other Calico hosts",)),
        )  # fmt: skip
    if mode.tunnel == "vxlan":
        port = dports([(VXLAN_PORT, VXLAN_PORT)])
        return (
            Rule(match=(proto_number(17), port, source_local(), in_set(set_name(ALL_VXLAN), "dst")), do=ACCEPT,
                 comments=("Allow IPv4 VXLAN packets to other allowed hosts",)),
        )  # fmt: skip
    return ()
