"""The selectors of nft that read one field: `ip saddr`, `tcp dport`, `meta mark`, `ct state`.

Theory. A selector of a header carries the header that it needs: `tcp dport` means `meta l4proto tcp` too, and in an
inet table `ip saddr` means `meta nfproto ipv4` (context.py adds what is not said). Sources: proto.c, meta.c, ct.c of
nftables 1.0.6 for names and types; net/netfilter/nft_{payload,meta,ct}.c for what they give and where they break the
rule off.

Rules. One row a selector in KEYS, by the text that `nft list` prints. What the real nft has and the model lacks
stands in OTHER and is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.linux.conntrack import Tuple
from engine.linux.nft.seen import Seen
from engine.linux.nft.types import TYPES, Type, Value, integer
from engine.linux.packet import Icmp, Sctp, Tcp, Udp
from engine.record import dataclass

Load = Callable[[Seen], "Value | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """`layer` ll, network, transport or "" and `proto` the header that it reads; `says` names the layer whose
    protocol an `==` on it settles; `writes` the packet field that `... set` changes ("" = cannot)."""

    name: str
    type: Type
    load: Load
    layer: str = ""
    proto: str = ""
    says: str = ""
    writes: str = ""
    needs_conntrack: bool = False


def _ip(field: str) -> Load:
    def load(s: Seen) -> Value | None:
        ip = s.ip
        return None if ip is None else getattr(ip, field)

    return load


def _ip_of(give: Callable[[Seen], int]) -> Load:
    return lambda s: None if s.ip is None else give(s)


def _tcp(give: Callable[[Tcp], int]) -> Load:
    def load(s: Seen) -> Value | None:
        l4 = s.l4
        return give(l4) if isinstance(l4, Tcp) else None

    return load


def _udp(give: Callable[[Udp, Seen], int]) -> Load:
    def load(s: Seen) -> Value | None:
        l4 = s.l4
        return give(l4, s) if isinstance(l4, Udp) else None

    return load


def _icmp(give: Callable[[Icmp], int]) -> Load:
    def load(s: Seen) -> Value | None:
        l4 = s.l4
        return give(l4) if isinstance(l4, Icmp) else None

    return load


def _sport(s: Seen) -> Value | None:
    """The first two bytes behind the IP header, whatever it is: type and code of an ICMP message."""
    l4 = s.l4
    if isinstance(l4, Tcp | Udp | Sctp):
        return l4.sport
    return l4.type << 8 | l4.code if isinstance(l4, Icmp) else None


def _dport(s: Seen) -> Value | None:
    """The next two; in an ICMP message they are its checksum, which is no port that anybody asks for."""
    l4 = s.l4
    if isinstance(l4, Tcp | Udp | Sctp):
        return l4.dport
    return -1 if isinstance(l4, Icmp) else None


FLAG_BITS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}


def tcp_flags(l4: Tcp) -> int:
    return sum(FLAG_BITS[c] for c in l4.flags)


def _fragment(s: Seen) -> int:
    """The 16 bits of flags and fragment offset."""
    ip = s.ip
    assert ip is not None
    return (0x4000 if ip.df else 0) | (0x2000 if ip.mf else 0) | ip.offset // 8


def _length(s: Seen) -> int:
    return s.skb.packet.ip_length()


def _index(s: Seen, name: str) -> int:
    return s.ns.names.get(name, 0) if name else 0


def _mark(s: Seen) -> Value | None:
    return s.skb.mark


def _packet_type(s: Seen) -> Value | None:
    eth = s.skb.frame or s.skb.packet.eth
    if eth is not None and eth.dst >> 40 & 1:
        return 1 if eth.dst == 0xFFFFFFFFFFFF else 2
    return 0


def _owner(field: str) -> Load:
    def load(s: Seen) -> Value | None:
        if s.hook not in ("OUTPUT", "POSTROUTING"):
            return None  # a packet that came in has no socket yet
        value: int = getattr(s.skb, field)
        return value if value >= 0 else None

    return load


STATE_BITS = {"NEW": 8, "ESTABLISHED": 2, "RELATED": 4}


def _state(s: Seen) -> Value | None:
    skb = s.skb
    if skb.ct is None:
        return 64 if skb.untracked else 1
    return STATE_BITS.get(skb.ctstate, 1)


def _status(s: Seen) -> Value | None:
    ct = s.skb.ct
    if ct is None:
        return None
    return (
        (2 if ct.seen_reply else 0) | (4 if ct.assured else 0) | (8 if ct.id else 0) | (16 if ct.snat else 0)
        | (32 if ct.dnat else 0) | (128 if ct.decided & 2 else 0) | (256 if ct.decided & 1 else 0)
    )  # fmt: skip


def _ct(give: Callable[[Seen], Value]) -> Load:
    return lambda s: None if s.skb.ct is None else give(s)


def _ct_tuple(direction: str, give: Callable[[Tuple], int]) -> Load:
    def load(s: Seen) -> Value | None:
        ct = s.skb.ct
        return None if ct is None else give(ct.orig if direction == "original" else ct.reply)

    return load


def _rows() -> list[KeyRow]:
    t = TYPES
    out: list[KeyRow] = []

    def ip(name: str, type: Type, load: Load, says: str = "", writes: str = "") -> None:
        out.append(
            KeyRow(
                name=f"ip {name}", type=type, load=load, layer="network", proto="ip", says=says, writes=writes
            )
        )

    def l4(proto: str, name: str, type: Type, load: Load, writes: str = "") -> None:
        out.append(
            KeyRow(
                name=f"{proto} {name}", type=type, load=load, layer="transport", proto=proto, writes=writes
            )
        )

    def meta(name: str, type: Type, load: Load, says: str = "", writes: str = "") -> None:
        out.append(KeyRow(name=name, type=type, load=load, says=says, writes=writes))

    def ct(name: str, type: Type, load: Load, writes: str = "", says: str = "") -> None:
        out.append(
            KeyRow(name=f"ct {name}", type=type, load=load, writes=writes, says=says, needs_conntrack=True)
        )

    ip("version", integer(4), _ip_of(lambda s: 4))
    ip("hdrlength", integer(4), _ip_of(lambda s: 5))
    ip("dscp", t["dscp"], _ip_of(lambda s: s.skb.packet.ip.tos >> 2), writes="dscp")
    ip("ecn", t["ecn"], _ip_of(lambda s: s.skb.packet.ip.tos & 3), writes="ecn")
    ip("length", integer(16), _ip_of(_length))
    ip("id", integer(16), _ip("ident"), writes="ident")
    ip("frag-off", integer(16), _ip_of(_fragment))
    ip("ttl", integer(8), _ip("ttl"), writes="ttl")
    ip("protocol", t["inet_proto"], _ip("proto"), says="transport")
    ip("saddr", t["ipv4_addr"], _ip("src"), writes="src")
    ip("daddr", t["ipv4_addr"], _ip("dst"), writes="dst")
    for proto in ("tcp", "udp", "sctp", "th"):
        l4(proto, "sport", t["inet_service"], _sport, writes="sport")
        l4(proto, "dport", t["inet_service"], _dport, writes="dport")
    l4("tcp", "sequence", integer(32), _tcp(lambda h: h.seq))
    l4("tcp", "ackseq", integer(32), _tcp(lambda h: h.ack))
    l4("tcp", "doff", integer(4), _tcp(lambda h: h.header_length() // 4))
    l4("tcp", "flags", t["tcp_flag"], _tcp(tcp_flags))
    l4("udp", "length", integer(16), _udp(lambda h, s: _length(s) - 20))
    l4("icmp", "type", t["icmp_type"], _icmp(lambda h: h.type))
    l4("icmp", "code", t["icmp_code"], _icmp(lambda h: h.code))
    l4("icmp", "checksum", integer(16), _dport)
    l4("icmp", "id", integer(16), _icmp(lambda h: h.ident))
    l4("icmp", "sequence", integer(16), _icmp(lambda h: h.seq))
    l4("icmp", "mtu", integer(16), _icmp(lambda h: h.mtu))
    meta("meta l4proto", t["inet_proto"], _ip("proto"), says="transport")
    meta("meta nfproto", t["nf_proto"], lambda s: 2, says="network")
    meta("meta protocol", t["ether_type"], lambda s: 0x0800, says="network")
    meta("meta mark", t["mark"], _mark, writes="mark")
    meta("meta length", integer(32, big=False), lambda s: _length(s))
    meta("meta pkttype", t["pkt_type"], _packet_type)
    meta("meta skuid", t["uid"], _owner("uid"))
    meta("meta skgid", t["gid"], _owner("gid"))
    meta("iif", t["iface_index"], lambda s: _index(s, s.skb.iif))
    meta("oif", t["iface_index"], lambda s: _index(s, s.skb.oif))
    meta("iifname", t["ifname"], lambda s: s.skb.iif)
    meta("oifname", t["ifname"], lambda s: s.skb.oif)
    ct("state", t["ct_state"], _state)
    ct("direction", t["ct_dir"], _ct(lambda s: int(s.skb.ctdir == "reply")))
    ct("status", t["ct_status"], _status)
    ct("mark", t["mark"], lambda s: None if s.skb.ct is None else s.skb.ct.mark, writes="ct mark")
    ct("l3proto", t["nf_proto"], _ct(lambda s: 2), says="network")
    ct(
        "protocol",
        t["inet_proto"],
        lambda s: None if s.skb.ct is None else int(s.skb.ct.orig.proto),
        says="transport",
    )
    for way in ("original", "reply"):
        ct(f"{way} ip saddr", t["ipv4_addr"], _ct_tuple(way, lambda x: x.src))
        ct(f"{way} ip daddr", t["ipv4_addr"], _ct_tuple(way, lambda x: x.dst))
        ct(f"{way} proto-src", t["inet_service"], _ct_tuple(way, lambda x: x.sport))
        ct(f"{way} proto-dst", t["inet_service"], _ct_tuple(way, lambda x: x.dport))
        ct(f"{way} l3proto", t["nf_proto"], _ct_tuple(way, lambda x: 2), says="network")
        ct(f"{way} protocol", t["inet_proto"], _ct_tuple(way, lambda x: int(x.proto)), says="transport")
    return out


KEYS: dict[str, KeyRow] = {row.name: row for row in _rows()}
#: selectors of nft 1.0.6 that the model lacks, by their words
OTHER: dict[str, frozenset[str]] = {
    "meta": frozenset(
        [
            "priority",
            "iiftype",
            "oiftype",
            "iifgroup",
            "oifgroup",
            "cgroup",
            "rtclassid",
            "ibrname",
            "obrname",
            "cpu",
            "random",
            "ipsec",
            "secpath",
            "iifkind",
            "oifkind",
            "ibrpvid",
            "ibrvproto",
            "time",
            "day",
            "hour",
            "secmark",
            "sdif",
            "sdifname",
            "nftrace",
        ]
    ),
    "ct": frozenset(
        [
            "expiration",
            "helper",
            "label",
            "bytes",
            "packets",
            "avgpkt",
            "zone",
            "id",
            "event",
            "secmark",
            "count",
            "timeout",
        ]
    ),
    "ip": frozenset(("checksum", "option")),
    "tcp": frozenset(("window", "checksum", "urgptr", "reserved", "option")),
    "udp": frozenset(("checksum",)),
    "sctp": frozenset(("vtag", "checksum", "chunk")),
    "icmp": frozenset(("checksum", "gateway")),
}
#: the meta selectors that may be written without `meta`
UNQUALIFIED = {"mark": "meta mark", "iif": "iif", "oif": "oif", "iifname": "iifname", "oifname": "oifname",
               "skuid": "meta skuid", "skgid": "meta skgid"}  # fmt: skip
#: what `==` on a key that `says` settles: number -> header
TRANSPORTS = {6: "tcp", 17: "udp", 132: "sctp", 1: "icmp"}
HEADERS = frozenset(("ip", "tcp", "udp", "sctp", "icmp", "th"))
