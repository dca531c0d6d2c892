"""The datatypes of nft: how a value is read from a word, printed, and ordered.

Rules. A value is an int (addresses, ports, marks, bit masks) or a str (a device's name). A `Type` is one row of TYPES,
named as nft names it in `type ...`; a real type that the model lacks is refused by its name. Sources: datatype.c,
proto.c, ct.c, meta.c, fib.c of nftables 1.0.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from engine.errors import InputError, NotModelled
from engine.linux.addr import ip4, mac, mac_text, text4
from engine.linux.text.services import port_number
from engine.linux.xt.names import FILE_PROTOCOLS, USERS
from engine.record import dataclass

Value = int | str

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "esp": 50, "ah": 51, "sctp": 132, "udplite": 136,
             "mobility-header": 135, **FILE_PROTOCOLS}  # fmt: skip
ETHER_TYPES = {"ip": 0x0800, "arp": 0x0806, "ip6": 0x86DD, "8021q": 0x8100, "8021ad": 0x88A8, "vlan": 0x8100}
ICMP_TYPES = {
    "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
    "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
    "timestamp-request": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16,
    "address-mask-request": 17, "address-mask-reply": 18,
}  # fmt: skip
ICMP_CODES = {
    "net-unreachable": 0, "host-unreachable": 1, "prot-unreachable": 2, "port-unreachable": 3, "net-prohibited": 9,
    "host-prohibited": 10, "admin-prohibited": 13, "frag-needed": 4,
}  # fmt: skip
ICMPX_CODES = {"no-route": 0, "port-unreachable": 1, "host-unreachable": 2, "admin-prohibited": 3}
TCP_FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128}
DSCP = {
    "cs0": 0, "cs1": 8, "cs2": 16, "cs3": 24, "cs4": 32, "cs5": 40, "cs6": 48, "cs7": 56, "df": 0, "be": 0, "lephb": 1,
    "af11": 10, "af12": 12, "af13": 14, "af21": 18, "af22": 20, "af23": 22, "af31": 26, "af32": 28, "af33": 30,
    "af41": 34, "af42": 36, "af43": 38, "va": 44, "ef": 46,
}  # fmt: skip
CT_STATES = {"invalid": 1, "new": 8, "established": 2, "related": 4, "untracked": 64}
CT_STATUS = {
    "expected": 1,
    "seen-reply": 2,
    "assured": 4,
    "confirmed": 8,
    "snat": 16,
    "dnat": 32,
    "dying": 512,
}
ADDRESS_TYPES = {
    "unspec": 0, "unicast": 1, "local": 2, "broadcast": 3, "anycast": 4, "multicast": 5, "blackhole": 6,
    "unreachable": 7, "prohibit": 8,
}  # fmt: skip


class Numeric(dict[int, str]):
    """Devices by index for `nft -n`: nothing else is printed by a name."""


class Loadable(dict[int, str]):
    """Devices by index for a text that `nft -f` must take: what `nft list` prints and refuses itself is as it was
    written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """`bits` wide; `symbols` name -> value; `desc` as errors say it; `hexed` numbers print as 0x with all digits;
    `bitmask` values are sets of flags; `big` = network byte order (it decides how elements are sorted); `line` = how
    many elements `nft list` prints on a line."""

    name: str
    desc: str
    bits: int
    symbols: Mapping[str, int] = field(default_factory=dict)
    hexed: bool = False
    bitmask: bool = False
    big: bool = False
    line: int = 1

    def text(self, value: Value, names: Mapping[int, str] | None = None) -> str:
        """As nft prints it; `names` are the namespace's devices by index."""
        if isinstance(value, str):
            return f'"{value}"'
        if self.name == "ipv4_addr":
            return text4(value)
        if self.name == "ether_addr":
            return mac_text(value)
        if self.name == "iface_index":
            known = (names or {}).get(value)
            return f'"{known}"' if known else str(value)
        if isinstance(names, Numeric):
            return self.bare(value)
        if self.name == "inet_proto":
            return PROTOCOL_NAMES.get(value, str(value))
        if self.bitmask:
            return self.flags(value)
        for name, number in self.symbols.items():
            if number == value:
                return name
        return self.number(value)

    def bare(self, value: int) -> str:
        """Without names, as `nft -n` prints it."""
        bits = [f"0x{1 << i:x}" for i in range(self.bits) if value >> i & 1] if self.bitmask else []
        return ",".join(bits) or self.number(value)

    def number(self, value: int) -> str:
        return f"0x{value:0{-(-self.bits // 8) * 2}x}" if self.hexed else str(value)

    def flags(self, value: int) -> str:
        """A bit mask as its names, lowest bit first."""
        known = {bit: name for name, bit in self.symbols.items()}
        bits = [1 << i for i in range(self.bits) if value >> i & 1]
        if not bits:
            return self.number(value)
        return ",".join(known.get(bit, f"0x{bit:x}") for bit in bits)

    def read(self, word: str, devices: Mapping[str, int] | None = None) -> Value:
        """A word as a value. Raises ValueError with nft's words."""
        if self.name == "ifname":
            return word
        if self.name in self_reading:
            return self_reading[self.name](word)
        if word in self.symbols:
            return self.symbols[word]
        if self.name == "iface_index" and not word.isdigit():
            if devices is None or word not in devices:
                raise ValueError("Interface does not exist")
            return devices[word]
        if self.name == "inet_proto":
            found = PROTOCOLS.get(word, PROTOCOLS.get(word.lower()))
            if found is not None:
                return found
        if self.name == "inet_service":
            port = next(
                (p for p in (port_number(word, each) for each in ("tcp", "udp")) if p is not None), None
            )
            if port is not None and not word.isdigit():
                return port
        if self.name == "uid" and word in USERS:
            return USERS[word]
        number = whole(word)
        if number is None:
            raise ValueError(self.unreadable(word))
        if number >> self.bits:
            raise ValueError(self.too_large(word))
        return number

    def too_large(self, word: str) -> str:
        if self.name == "inet_service":
            return "Service out of range"
        if self.name == "inet_proto":
            return "Protocol out of range"
        return f"Value {whole(word)} exceeds valid range 0-{(1 << self.bits) - 1}"

    def unreadable(self, word: str) -> str:
        if self.name == "inet_service":
            return "Could not resolve service: Servname not supported for ai_socktype"
        if self.name == "inet_proto":
            return "Could not resolve protocol name"
        if self.name == "uid":
            return "User does not exist"
        if self.name == "gid":
            return "Group does not exist"
        if self.symbols:
            return f"Could not parse {self.desc}"
        return f"Could not parse {self.desc}"


def whole(word: str) -> int | None:
    """A number in C's notation, or None."""
    try:
        return int(word, 16) if word[:2].lower() == "0x" else int(word) if word.isdigit() else None
    except ValueError:
        return None


def _ipv4(word: str) -> int:
    number = whole(word)
    if number is not None:
        return number
    try:
        return ip4(word)
    except NotModelled:
        raise
    except InputError:
        raise ValueError("Could not resolve hostname: Name or service not known") from None


def _mac(word: str) -> int:
    try:
        return mac(word)
    except InputError:
        raise ValueError("Could not parse Ethernet address") from None


self_reading = {"ipv4_addr": _ipv4, "ether_addr": _mac}


def _type(name: str, desc: str, bits: int, **more: object) -> tuple[str, Type]:
    return name, Type(name=name, desc=desc, bits=bits, **more)  # type: ignore[arg-type]


TYPES: dict[str, Type] = dict(
    (
        _type("integer", "integer", 32, line=5),
        _type("boolean", "boolean type", 1, symbols={"exists": 1, "missing": 0}),
        _type("ipv4_addr", "IPv4 address", 32, big=True, line=2),
        _type("ether_addr", "Ethernet address", 48, big=True),
        _type("inet_proto", "Internet protocol", 8, big=True, line=5),
        _type("inet_service", "internet network service", 16, big=True, line=5),
        _type("mark", "packet mark", 32, hexed=True, line=5),
        _type("ifname", "network interface name", 128),
        _type("iface_index", "network interface index", 32, line=5),
        _type("ct_state", "conntrack state", 32, symbols=CT_STATES, hexed=True, bitmask=True, line=2),
        _type("ct_status", "conntrack status", 32, symbols=CT_STATUS, hexed=True, bitmask=True, line=2),
        _type("ct_dir", "conntrack direction", 8, symbols={"original": 0, "reply": 1}, line=5),
        _type("nf_proto", "netfilter protocol", 8, symbols={"ipv4": 2, "ipv6": 10}, line=5),
        _type("ether_type", "Ethernet protocol", 16, symbols=ETHER_TYPES, hexed=True, big=True),
        _type("icmp_type", "ICMP type", 8, symbols=ICMP_TYPES, big=True),
        _type("icmp_code", "icmp code", 8, symbols=ICMP_CODES, big=True),
        _type("icmpx_code", "icmpx code", 8, symbols=ICMPX_CODES, big=True),
        _type("tcp_flag", "TCP flag", 8, symbols=TCP_FLAGS, hexed=True, bitmask=True, big=True, line=5),
        _type("dscp", "Differentiated Services Code Point", 6, symbols=DSCP, hexed=True, big=True),
        _type("ecn", "Explicit Congestion Notification", 2,
              symbols={"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3}, hexed=True, big=True),
        _type("pkt_type", "packet type", 8,
              symbols={"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2, "other": 3}, line=2),
        _type("uid", "user ID", 32, line=5),
        _type("gid", "group ID", 32, symbols={}, line=5),
        _type("fib_addrtype", "fib address type", 32, symbols=ADDRESS_TYPES),
        _type("verdict", "netfilter verdict", 128),
    )
)  # fmt: skip
#: types of nft 1.0.6 that the model lacks
OTHER_TYPES = frozenset(
    [
        "ipv6_addr",
        "lladdr",
        "string",
        "bitmask",
        "time",
        "arp_op",
        "tc_handle",
        "realm",
        "classid",
        "ct_label",
        "ct_event",
        "icmpv6_type",
        "icmpv6_code",
        "devgroup",
        "cgroupsv2",
        "day",
        "hour",
        "nf_proto",
        "dccp_pkttype",
        "igmp_type",
        "mh_type",
        "iface_type",
        "in_addr",
        "xinteger",
    ]
) - set(TYPES)
PROTOCOL_NAMES: dict[int, str] = {}
for _name, _number in PROTOCOLS.items():
    PROTOCOL_NAMES.setdefault(_number, _name)


def integer(bits: int, *, big: bool = True) -> Type:
    """A header field without a type of its own."""
    return Type(name="integer", desc="integer", bits=bits, big=big, line=5)


def find_type(name: str) -> Type | None:
    """A type by nft's name. Raises NotModelled for one that only the real nft has."""
    if name in OTHER_TYPES:
        raise NotModelled(f"nft type {name}")
    return TYPES.get(name)


def device_matches(pattern: str, name: str) -> bool:
    """`eth0` exactly, `cali*` by its beginning."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def time_text(seconds: float, names: Mapping[int, str] | None = None) -> str:
    """A time as nft prints it: 1h30m, 5s, 250ms; with -n in seconds."""
    ms = round(seconds * 1000)
    if isinstance(names, Numeric):
        return f"{ms // 1000}s"
    out = ""
    for unit, size in (("d", 86400000), ("h", 3600000), ("m", 60000), ("s", 1000), ("ms", 1)):
        count, ms = divmod(ms, size)
        out += f"{count}{unit}" if count else ""
    return out


def rate_text(number: int) -> tuple[int, str]:
    """A number of bytes in the largest unit that divides it: (25, "mbytes")."""
    units = ("bytes", "kbytes", "mbytes")
    at = 0
    while at < 2 and number and number % 1024 == 0:
        number //= 1024
        at += 1
    return number, units[at]
