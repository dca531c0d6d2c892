"""What a kind of device has beside the fields of every device: one frozen record a kind, kept in `Link.info`.

Rules. A record holds what `ip link add ... type KIND` can say and refuses to be wrong; it does nothing. A device
without a record here (lo, a NIC, veth, bridge, dummy, ifb) has `info` None. The device below (`dev`, `link`)
is `Link.lower`, not here, because it is a device of a namespace. What a kind does with packets stands in
`walk/devices.py` and what it names. Sources: include/uapi/linux/if_link.h; drivers/net/{vxlan,geneve,macvlan,ipvlan,
wireguard,tun.c}, net/ipv4/ipip.c.
"""

from __future__ import annotations

from engine.record import dataclass

#: UDP ports that the kernel and `ip` give when nobody says another
VXLAN_PORT = 8472
VXLAN_IANA_PORT = 4789
GENEVE_PORT = 6081
DF_MODES = ("unset", "inherit", "set")


def check_ttl(ttl: int) -> None:
    if not 0 <= ttl <= 255:
        raise ValueError(f"ttl {ttl}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelKey:
    """What a packet itself tells an external tunnel device: `encap ip id ID dst DST ...` of a route, or a program."""

    id: int = 0
    dst: int = 0
    src: int = 0
    ttl: int = 0
    tos: int = 0
    port: int = 0
    df: bool = False
    csum: bool = False
    key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vxlan:
    """A VXLAN device. `vni` 0 with `external`: the metadata of each packet says it. `remote` is the default remote (a
    multicast group too), 0 none; `local` the outer source, 0 what routing chooses; `ttl` 0 is auto (the host's default,
    1 for a group); `port_low`, `port_high` the outer source ports, 0 0 for the host's own range; `ageing` in seconds.
    `localbypass`: a remote that is this very host is not sent through UDP."""

    vni: int
    local: int = 0
    remote: int = 0
    port: int = VXLAN_PORT
    port_low: int = 0
    port_high: int = 0
    learning: bool = True
    ttl: int = 0
    ttl_inherit: bool = False
    tos: int = 0
    df: str = "unset"
    ageing: int = 300
    external: bool = False
    udpcsum: bool = True
    localbypass: bool = True
    proxy: bool = False
    l2miss: bool = False
    l3miss: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.vni < 1 << 24:
            raise ValueError(f"vni {self.vni}")
        if self.df not in DF_MODES:
            raise ValueError(f"df {self.df!r}")
        check_ttl(self.ttl)


@dataclass(frozen=True, slots=True, kw_only=True)
class Geneve:
    """A Geneve device; the same words as VXLAN. It has one remote and no forwarding table."""

    vni: int
    remote: int = 0
    port: int = GENEVE_PORT
    ttl: int = 0
    ttl_inherit: bool = False
    tos: int = 0
    df: str = "unset"
    external: bool = False
    udpcsum: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.vni < 1 << 24:
            raise ValueError(f"vni {self.vni}")
        if self.df not in DF_MODES:
            raise ValueError(f"df {self.df!r}")
        check_ttl(self.ttl)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ipip:
    """IPv4 in IPv4. `local`, `remote` 0 = any; `ttl` 0 inherits the inner one; `pmtudisc` sets DF on the outer packet.
    `fallback`: the device tunl0 that every namespace has once the module is there: it takes what no other does."""

    local: int = 0
    remote: int = 0
    ttl: int = 0
    tos: int = 0
    pmtudisc: bool = True
    fallback: bool = False
    external: bool = False

    def __post_init__(self) -> None:
        check_ttl(self.ttl)
        if self.ttl and not self.pmtudisc:
            raise ValueError("a fixed ttl needs pmtudisc")


@dataclass(frozen=True, slots=True, kw_only=True)
class WgPeer:
    """A peer: `key` its public key (base64), `endpoint` (address, port) or None until it spoke first, `allowed`
    networks as (address, length), `keepalive` in seconds, 0 off; `preshared` a key or ""."""

    key: str
    endpoint: tuple[int, int] | None = None
    allowed: tuple[tuple[int, int], ...] = ()
    keepalive: int = 0
    preshared: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireGuard:
    """A WireGuard device: its private key (base64, "" none yet), the port that it listens on (0: chosen when it is
    raised), the mark of what it sends, and its peers in the order in which they came."""

    private: str = ""
    port: int = 0
    fwmark: int = 0
    peers: tuple[WgPeer, ...] = ()

    def peer(self, key: str) -> WgPeer | None:
        return next((one for one in self.peers if one.key == key), None)


MACVLAN_MODES = ("vepa", "bridge", "private", "passthru")


@dataclass(frozen=True, slots=True, kw_only=True)
class Macvlan:
    """A second MAC on a device. bridge: its neighbours on the same device are reached directly; vepa and private go
    out, and private does not come back; passthru is alone and takes every frame."""

    mode: str = "vepa"

    def __post_init__(self) -> None:
        if self.mode not in MACVLAN_MODES:
            raise ValueError(f"macvlan mode {self.mode!r}")


IPVLAN_MODES = ("l2", "l3", "l3s")
IPVLAN_FLAGS = ("bridge", "private", "vepa")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ipvlan:
    """A second IP stack behind the same MAC: frames are told apart by address. In l3 and l3s the lower device's
    namespace routes; l3s lets netfilter of that namespace see what arrives."""

    mode: str = "l3"
    flag: str = "bridge"

    def __post_init__(self) -> None:
        if self.mode not in IPVLAN_MODES or self.flag not in IPVLAN_FLAGS:
            raise ValueError(f"ipvlan mode {self.mode!r} {self.flag!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tun:
    """A device whose other end is a program: packets (tun) or frames (tap). `pid` is the program that holds it open,
    0 nobody: then it has no carrier. `user`, `group` who may open it, -1 nobody in particular."""

    mode: str = "tun"
    pid: int = 0
    persist: bool = True
    user: int = -1
    group: int = -1
    pi: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("tun", "tap"):
            raise ValueError(f"tun mode {self.mode!r}")


LinkInfo = Vxlan | Geneve | Ipip | WireGuard | Macvlan | Ipvlan | Tun

#: kind of a link -> what its `info` must be (None: nothing)
INFO: dict[str, type[LinkInfo] | None] = {
    "loopback": None, "physical": None, "veth": None, "bridge": None, "dummy": None, "ifb": None,
    "vxlan": Vxlan, "geneve": Geneve, "ipip": Ipip, "wireguard": WireGuard, "macvlan": Macvlan, "ipvlan": Ipvlan,
    "tun": Tun,
}  # fmt: skip
