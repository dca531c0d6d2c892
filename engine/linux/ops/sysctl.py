"""The op that writes a sysctl of a network namespace.

Rules. Keys are `net.ipv4.conf.DEV.KEY`, with a dot in a device's name written as `/`. A value is checked and kept as
the kernel checks and shows it. ip_forward writes the forwarding of every device; a `conf.default` value is for devices
that come later, and for the present ones that have no IPv4 address yet and no value of their own (the forwarding of
present devices stays in any case). Source: net/ipv4/devinet.c, sysctl_net_ipv4.c; measured on
Linux 6.18 with procps-ng 4.0.2, whose words the errors are.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import NotModelled, OpError
from engine.linux.ctproto import SYSCTLS as CONNTRACK
from engine.linux.ipvs.table import LIVE as IPVS_LIVE
from engine.linux.ipvs.table import SYSCTLS as IPVS
from engine.linux.net import CONF_DEFAULTS, NEIGH, NEIGH_DEFAULTS, SYSCTL_DEFAULTS, Net, Netns, split_conf
from engine.linux.ops.base import Op, handles
from engine.record import dataclass

FORWARD = "net.ipv4.ip_forward"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSysctl(Op):
    """`sysctl -w KEY=VALUE`, in namespace `netns`."""

    netns: str
    key: str
    value: str


def cannot_stat(key: str) -> OpError:
    return OpError("ENOENT", f"sysctl: cannot stat {path(key)}: No such file or directory")


def path(key: str) -> str:
    """`net.ipv4.ip_forward` -> `/proc/sys/net/ipv4/ip_forward`."""
    return "/proc/sys/" + key.translate(str.maketrans("./", "/."))


def _int(low: int, high: int) -> Callable[[str], str | None]:
    def check(text: str) -> str | None:
        try:
            value = int(text.strip())
        except ValueError:
            return None
        return str(value) if low <= value <= high and text.strip().lstrip("+-").isdigit() else None

    return check


def _pair(low: int, high: int, ordered: bool) -> Callable[[str], str | None]:
    def check(text: str) -> str | None:
        parts = [_int(low, high)(word) for word in text.split()]
        if len(parts) != 2 or parts[0] is None or parts[1] is None:
            return None
        if int(parts[0]) > int(parts[1]):
            return None if ordered else "1\t0"
        return f"{parts[0]}\t{parts[1]}"

    return check


def _switch(text: str) -> str | None:
    """br_netfilter keeps any number but 0 as 1."""
    value = _any(text)
    return value if value in (None, "0") else "1"


_any = _int(-(2**31), 2**31 - 1)
_bool = _int(0, 1)
_count = _int(0, 2**31 - 1)
CONNTRACK_CHECKS: dict[str, Callable[[str], str | None]] = {
    **dict.fromkeys(("acct", "checksum", "timestamp", "tcp_loose", "tcp_be_liberal", "tcp_ignore_invalid_rst"), _bool),
    "events": _int(0, 2), "log_invalid": _int(0, 255), "tcp_max_retrans": _int(0, 255), "max": _int(0, 2**31 - 1),
    "buckets": _int(0, 2**31 - 1), "expect_max": _int(1, 2**31 - 1),
}  # fmt: skip
CHECKS: dict[str, Callable[[str], str | None]] = {
    "net.ipv4.ip_default_ttl": _int(1, 255),
    "net.ipv4.ip_local_port_range": _pair(1, 65535, True),
    "net.ipv4.ip_unprivileged_port_start": _int(0, 65535),
    "net.ipv4.ping_group_range": _pair(0, 2**31 - 1, False),
    "net.ipv4.icmp_echo_ignore_all": _bool,
    "net.ipv4.icmp_echo_ignore_broadcasts": _bool,
    "net.ipv4.ip_nonlocal_bind": _bool,
    "net.ipv4.tcp_syn_retries": _int(1, 127),
    "net.core.somaxconn": _int(0, 2**31 - 1),
    "net.ipv4.fib_multipath_hash_policy": _int(0, 3),
    "net.ipv4.fib_multipath_hash_fields": _int(1, 0xFFF),
    "net.ipv4.fib_multipath_hash_seed": _int(0, 2**32 - 1),
    "net.ipv4.fib_multipath_use_neigh": _bool,
    "net.ipv4.ip_forward_use_pmtu": _int(0, 255),
    "net.ipv4.ip_no_pmtu_disc": _int(0, 3),
    "net.ipv4.ipfrag_time": _int(0, 2**31 - 1),
    "net.ipv4.route.min_pmtu": _int(68, 2**31 - 1),
    "net.ipv4.route.mtu_expires": _int(0, 2**31 - 1),
    "net.bridge.bridge-nf-call-iptables": _switch,
    "net.bridge.bridge-nf-call-arptables": _switch,
    "net.bridge.bridge-nf-call-ip6tables": _switch,
    **{key: _any for key in (*CONNTRACK, *IPVS)},
    **{f"net.netfilter.nf_conntrack_{key}": check for key, check in CONNTRACK_CHECKS.items()},
}


#: IPVS keys that are fixed here: defence against floods, the sync daemon, cache bypass, errors to real servers
IPVS_FIXED = tuple(key for key in IPVS if key.rpartition(".")[2] not in IPVS_LIVE)
#: nf_conntrack keys that are fixed here
LIMITS = ("checksum", "events", "expect_max", "log_invalid")
#: keys of the machine as a whole: only its root namespace writes them
OF_MACHINE = tuple(f"net.netfilter.nf_conntrack_{k}" for k in ("max", "buckets", "expect_max"))
#: What the model knows with one value only: SYN retries, private VLANs, and of connection tracking what
#: nobody here can see: broken checksums, events, expectations, a log of invalid packets.
FIXED = (
    "net.ipv4.tcp_syn_retries", *(f"net.netfilter.nf_conntrack_{k}" for k in LIMITS), *IPVS_FIXED, "proxy_arp_pvlan",
)  # fmt: skip
#: the same of net.ipv4.neigh.DEV
NEIGH_FIXED = ("proxy_qlen", "unres_qlen")


@handles(SetSysctl)
def _set_sysctl(net: Net, op: SetSysctl) -> None:
    ns = net.spaces[op.netns]
    try:
        ns.sysctl(op.key)
    except KeyError:
        raise cannot_stat(op.key) from None
    value = CHECKS.get(op.key, _count if op.key.startswith(NEIGH) else _any)(op.value)
    closed = op.key == "net.netfilter.nf_conntrack_count" or (op.key in OF_MACHINE and op.netns != ns.box)
    if value is None or closed:
        raise OpError("EINVAL", f'sysctl: setting key "{op.key}": Invalid argument')
    if op.key.startswith(NEIGH) and op.key.rpartition(".")[2] in NEIGH_FIXED and value != ns.sysctl(op.key):
        raise NotModelled(f"sysctl -w {op.key}={value}")
    conf = split_conf(op.key)
    if (op.key in FIXED or (conf is not None and conf[1] in FIXED)) and value != ns.sysctl(op.key):
        raise NotModelled(f"sysctl -w {op.key}={value}")
    if op.key == FORWARD or conf == ("all", "forwarding"):
        forward_all(ns, value)
        return
    if conf is not None and conf[0] == "default":
        keep_present(ns, conf[1])
    ns.sysctls[op.key] = value


def forward_all(ns: Netns, value: str) -> None:
    """ip_forward and conf.all.forwarding are one value, and every device takes it over (inet_forward_change)."""
    ns.sysctls[FORWARD] = value
    for key in list(ns.sysctls):
        conf = split_conf(key)
        if conf is not None and conf[1] == "forwarding":
            del ns.sysctls[key]


def keep_present(ns: Netns, name: str) -> None:
    """Pin what the devices with an address have before their default changes under them (ipv4_devconf_setall)."""
    for device, index in ns.names.items():
        if not ns.addresses.get(index) and name != "forwarding":
            continue
        key = f"net.ipv4.conf.{device.replace('.', '/')}.{name}"
        if key not in ns.sysctls:
            ns.sysctls[key] = ns.sysctl(key)


def known(ns: Netns) -> list[str]:
    """Every key that the model has in a namespace, in the order of `sysctl -a`."""
    devices = ("all", "default", *ns.names)
    neigh = {f"{NEIGH}{d.replace('.', '/')}.{k}" for d in ns.names for k in NEIGH_DEFAULTS}
    keys = set(SYSCTL_DEFAULTS)
    keys |= neigh
    keys |= {f"net.ipv4.conf.{d.replace('.', '/')}.{k}" for d in devices for k in CONF_DEFAULTS}
    return sorted(keys, key=lambda key: [part.lower() for part in key.split(".")])
