"""Scenes in which one packet is thrown away, and what every reason of the kernel means in the model's words.

    a ---- r ---- b        a sends to b (10.2.0.2) through the router r, or to an address for which r has a reason to
                           drop; in the scenes with a bridge, a and b hang on it

Rules. A scene's lines are typed in the model (tests/linux/walk/wires.py), and the kernel is built from its rows. A
scene drops exactly one packet. A reason that stands here was measured (recorded/drops.json), never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.linux.exchange import Call
from engine.linux.journey import Outcome
from engine.linux.packet import Payload
from engine.linux.walk import words
from engine.say import Phrase
from tests.linux.walk.wires import Wires

ROUTER = """
wire a eth0 10.1.0.1/24 r in 10.1.0.2/24
wire r out 10.2.0.1/24 b eth0 10.2.0.2/24
r: sysctl -w net.ipv4.ip_forward=1
a: ip route add default via 10.1.0.2
b: ip route add default via 10.2.0.1
listen b udp 7
listen b tcp 80
"""
#: a sends from an address of its own that r does not reach by the device it comes in by
ELSEWHERE = """
r: ip link set in address 02:00:00:00:00:01
a: ip neigh replace 10.1.0.2 dev eth0 lladdr 02:00:00:00:00:01 nud permanent
a: ip addr add 10.9.0.5/32 dev lo
a: ip route replace default via 10.1.0.2 src 10.9.0.5
"""
BRIDGE = """
wire a eth0 10.3.0.1/24 s p1 -
wire b eth0 10.3.0.2/24 s p2 -
s: ip link add br0 type bridge
s: ip link set br0 up
s: ip link set p1 master br0
s: ip link set p2 master br0
listen b udp 7
"""
#: a knows the MAC of b, and the bridge has it behind a port
KNOWN = """
b: ip link set eth0 address 02:00:00:00:00:02
a: ip neigh replace 10.3.0.2 dev eth0 lladdr 02:00:00:00:00:02 nud permanent
s: bridge fdb replace 02:00:00:00:00:02 dev {port} master static
"""


@dataclass(frozen=True)
class Scene:
    """`timer`: the function of the kernel's timer that drops the packet, at most `seconds` after it was sent, in
    anybody's time: others may have such drops then too, so equal ones count once."""

    lines: str
    proto: str = "udp"
    dst: str = "10.2.0.2"
    dport: int = 7
    size: int = 1
    timer: str = ""
    seconds: float = 0
    base: str = ROUTER

    def wires(self) -> Wires:
        return Wires(self.base + self.lines)

    def model(self) -> tuple[Outcome, Phrase]:
        """How the packet ends in the model: the outcome, and the sentence of its last step."""
        walk = self.call(self.wires()).leg.forward
        said = list(walk.steps())[-1].why
        assert said is not None
        return walk.outcome, said.phrase

    def call(self, wires: Wires) -> Call:
        if self.proto == "tcp":
            return wires.tcp("a", self.dst, self.dport, sport=40001)
        request = Payload(protocol="echo", text="x" * self.size, size=self.size)
        return wires.udp("a", self.dst, self.dport, sport=40001, request=request, strict=True)


SCENES: dict[str, Scene] = {
    "a rule in FORWARD": Scene("r: iptables -A FORWARD -p udp --dport 7 -j DROP"),
    "the policy of FORWARD": Scene("r: iptables -P FORWARD DROP"),
    "a rule in INPUT, TCP": Scene("b: iptables -A INPUT -p tcp --dport 80 -j DROP", proto="tcp", dport=80),
    "a rule in OUTPUT": Scene("a: iptables -A OUTPUT -p udp --dport 7 -j DROP"),
    "a rule of nft": Scene(
        "r: nft add table ip t\n"
        "r: nft 'add chain ip t forward { type filter hook forward priority 0 ; policy accept ; }'\n"
        "r: nft add rule ip t forward udp dport 7 drop"
    ),
    "a policy of nft": Scene(
        "r: nft add table ip t\n"
        "r: nft 'add chain ip t forward { type filter hook forward priority 0 ; policy drop ; }'"
    ),
    "REJECT": Scene("r: iptables -A FORWARD -p udp --dport 7 -j REJECT"),
    "rp_filter strict": Scene(
        ELSEWHERE + "r: ip route add 10.9.0.0/24 via 10.2.0.2\nr: sysctl -w net.ipv4.conf.in.rp_filter=1"
    ),
    "rp_filter loose": Scene(ELSEWHERE + "r: sysctl -w net.ipv4.conf.in.rp_filter=2"),
    "no route at the router": Scene("", dst="10.66.0.1"),
    "a blackhole route": Scene("r: ip route add blackhole 10.66.0.0/24", dst="10.66.0.1"),
    "an unreachable route": Scene("r: ip route add unreachable 10.66.0.0/24", dst="10.66.0.1"),
    "a prohibit route": Scene("r: ip route add prohibit 10.66.0.0/24", dst="10.66.0.1"),
    "TTL 1": Scene("a: sysctl -w net.ipv4.ip_default_ttl=1"),
    "DF and too big": Scene("r: ip link set out mtu 1400\nb: ip link set eth0 mtu 1400", size=1450),
    "forwarding is off": Scene("r: sysctl -w net.ipv4.ip_forward=0"),
    "martian source": Scene(ELSEWHERE.replace("10.9.0.5", "10.2.0.1")),
    "a source in 127.0.0.0/8": Scene(
        ELSEWHERE.replace("10.9.0.5/32", "127.0.0.5/32").replace("10.9.0.5", "127.0.0.5")
        + "a: sysctl -w net.ipv4.conf.eth0.route_localnet=1"
    ),
    "no UDP socket": Scene("", dport=9),
    "no TCP socket": Scene("", proto="tcp", dport=9),
    "nobody answers ARP": Scene("", dst="10.2.0.99", timer="neigh_invalidate", seconds=3.5),
    "no carrier": Scene(
        "b: ip link set eth0 down\nr: ip neigh replace 10.2.0.2 dev out lladdr 02:00:00:00:00:77 nud permanent"
    ),
    "another machine's MAC": Scene(
        "r: ip neigh replace 10.2.0.2 dev out lladdr 02:00:00:00:00:99 nud permanent"
    ),
    "an isolated port": Scene(
        KNOWN.format(port="p2")
        + "s: ip link set p1 type bridge_slave isolated on\ns: ip link set p2 type bridge_slave isolated on",
        base=BRIDGE,
        dst="10.3.0.2",
    ),
    "back by the port it came from": Scene(KNOWN.format(port="p1"), base=BRIDGE, dst="10.3.0.2"),
    "no port to flood to": Scene(
        KNOWN.rpartition("s:")[0] + "s: ip link set p2 type bridge_slave flood off",
        base=BRIDGE,
        dst="10.3.0.2",
    ),
}

Meaning = tuple[Outcome, Phrase]
RULE: tuple[Meaning, ...] = (
    (Outcome.DROPPED, words.DROPPED_BY_RULE),
    (Outcome.DROPPED, words.DROPPED_BY_POLICY),
    (Outcome.REJECTED, words.REJECTED_BY_RULE),
)
MARTIAN: tuple[Meaning, ...] = ((Outcome.DROPPED, words.MARTIAN_SOURCE),)
#: the kernel's reason -> what the model may say of it; where the kernel gives none, the function that dropped tells
MEANING: dict[str, tuple[Meaning, ...]] = {
    "NETFILTER_DROP": RULE,
    "IP_RPFILTER": (
        (Outcome.REVERSE_PATH_FILTERED, words.RP_STRICT), (Outcome.REVERSE_PATH_FILTERED, words.RP_LOOSE),
    ),
    "IP_INNOROUTES": ((Outcome.NO_ROUTE, words.NO_ROUTE),),
    "ip_error:NOT_SPECIFIED": (
        (Outcome.DROPPED, words.BLACKHOLE), (Outcome.NO_ROUTE, words.UNREACHABLE), (Outcome.NO_ROUTE, words.PROHIBIT),
    ),
    "IP_INHDR": ((Outcome.TTL_EXCEEDED, words.TTL_ZERO),),
    "PKT_TOO_BIG": ((Outcome.TOO_BIG, words.MTU_EXCEEDED),),
    "IP_INADDRERRORS": ((Outcome.DROPPED, words.NO_FORWARDING),),
    "IP_LOCAL_SOURCE": MARTIAN,
    "IP_LOCALNET": MARTIAN,
    "NO_SOCKET": ((Outcome.REFUSED, words.NO_SOCKET_UDP), (Outcome.REFUSED, words.NO_SOCKET_TCP)),
    "NEIGH_FAILED": ((Outcome.UNRESOLVED_NEIGHBOUR, words.NEIGH_FAILED),),
    "QDISC_DROP": ((Outcome.DROPPED, words.NO_CARRIER),),
    "OTHERHOST": ((Outcome.DROPPED, words.NOT_MINE),),
    "NO_TX_TARGET": ((Outcome.DROPPED, words.BRIDGE_NO_PORT),),
    "br_handle_frame_finish:NOT_SPECIFIED": (
        (Outcome.DROPPED, words.BRIDGE_ISOLATED), (Outcome.DROPPED, words.BRIDGE_SAME_PORT),
    ),
}  # fmt: skip


def meaning(where: str, reason: str) -> tuple[Meaning, ...]:
    """What the model may say of a drop; nothing when such a drop has not been measured."""
    return MEANING.get(reason) or MEANING.get(f"{where}:{reason}", ())
