"""One node with two Pods and a neighbour, kube-proxy's rules for a few Services in nftables mode, and random rulesets.

The node's tables are nft's and nothing else stands there; a number gives a ruleset. Left out of the random ones: what
changes a header in the middle of a chain (nft's trace shows the headers as the chain began), and symhash (its key is
secret).
"""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

from engine.linux.addr import Prefix, ip4
from engine.linux.net import Net
from engine.linux.nft.refused import NftRefused
from engine.linux.ops import (
    AddAddress,
    AddBox,
    AddNetns,
    AddRoute,
    AddVeth,
    Changes,
    Listen,
    NftApply,
    SetLink,
    SetSysctl,
    apply,
)
from engine.linux.rows import Address, Socket

#: kube-proxy v1.33 in nftables mode: a ClusterIP with two endpoints, one with affinity, one without endpoints, a
#: NodePort, a LoadBalancer with source ranges (pkg/proxy/nftables/proxier.go)
KUBE_PROXY = (Path(__file__).parents[1] / "golden" / "nft" / "kube-proxy.nft").read_text()

ADDRESSES = (("node", "192.168.10.10/24"), ("ext", "192.168.10.20/24"))
PODS = (("p1", "10.244.1.2"), ("p2", "10.244.1.3"))
LISTENING = (("tcp", 8080), ("udp", 53), ("tcp", 80))


def world(text: str) -> Net:
    """The node with these nft tables: pods by veth and proxy ARP, as Calico wires them; ext routes Pods and VIPs to
    it."""
    net = Net()
    do = Changes(net).do

    def address(netns: str, device: str, words: str) -> None:
        p = Prefix.parse(words, host_bits=True)
        broadcast = p.broadcast if p.length < 31 else 0
        row = Address(ifindex=0, addr=p.addr, length=p.length, broadcast=broadcast)
        do(AddAddress(netns=netns, device=device, address=row))

    def route(netns: str, dst: str, gateway: str = "", device: str = "") -> None:
        prefix = Prefix(0, 0) if dst == "default" else Prefix.parse(dst)
        via = ip4(gateway) if gateway else 0
        do(AddRoute(netns=netns, dst=prefix, gateway=via, device=device, scope="global" if via else "link"))

    def listen(netns: str) -> None:
        for proto, port in LISTENING:
            do(Listen(netns=netns, socket=Socket(proto=proto, addr=0, port=port, pid=1, state="LISTEN")))

    do(AddBox(name="node", role="node"))
    do(AddBox(name="ext", role="host"))
    do(AddVeth(netns="node", name="eth0", peer_netns="ext", peer_name="eth0"))
    for netns, words in ADDRESSES:
        do(SetLink(netns=netns, name="eth0", up=True))
        do(SetLink(netns=netns, name="lo", up=True))
        address(netns, "eth0", words)
        listen(netns)
    do(SetSysctl(netns="node", key="net.ipv4.ip_forward", value="1"))
    for dst in ("10.244.0.0/16", "10.96.0.0/16", "203.0.113.0/24"):
        route("ext", dst, "192.168.10.10")
    route("node", "default", "192.168.10.20")
    for name, words in PODS:
        id, device = f"node/{name}", f"v{name}"
        do(AddNetns(box="node", id=id, label=name))
        do(AddVeth(netns="node", name=device, peer_netns=id, peer_name="eth0"))
        do(SetLink(netns="node", name=device, up=True))
        for there in ("eth0", "lo"):
            do(SetLink(netns=id, name=there, up=True))
        address(id, "eth0", f"{words}/32")
        do(SetSysctl(netns="node", key=f"net.ipv4.conf.{device}.proxy_arp", value="1"))
        do(SetSysctl(netns="node", key=f"net.ipv4.neigh.{device}.proxy_delay", value="0"))
        route("node", f"{words}/32", device=device)
        route(id, "169.254.1.1/32", device="eth0")
        route(id, "default", "169.254.1.1")
        listen(id)
    do(NftApply(netns="node", text=text))
    return net


MATCHES = (
    "ip saddr 10.244.1.0/24", "ip saddr != 10.244.1.2", "ip daddr 10.244.1.2-10.244.1.9", "ip daddr @addrs",
    "ip saddr { 10.244.1.2, 192.168.10.0/24 }", "ip saddr != @addrs", "ip daddr . tcp dport @pairs",
    "ip daddr . meta l4proto . th dport { 10.244.1.2 . tcp . 8080, 10.244.1.3 . udp . 53, 192.168.10.10 . tcp . 80 }",
    "ip saddr . ip daddr { 10.244.1.0/24 . 10.244.0.0-10.244.1.2, 192.168.10.20 . 10.244.1.3 }", "ip daddr @nets",
    "tcp dport 8080", "tcp dport { 80, 8080 }", "udp dport 53", "th dport 1-1000", "tcp flags syn", "tcp dport != 80",
    "tcp flags & (syn|ack) == syn", "tcp flags != syn", "tcp flags ! syn", "tcp flags { syn, ack }",
    "icmp type echo-request", "icmp type { echo-reply, destination-unreachable }", "icmp code 3", "ip protocol tcp",
    "meta l4proto { tcp, udp }", "meta l4proto != tcp", "ip ttl > 63", "ip ttl { 63, 64 }", "ip length < 60",
    "meta length 60", "ct state new", "ct state established,related", "ct state { new, established }",
    "ct state != new", "ct state ! new", "ct state invalid,untracked", "ct status dnat", "ct status ! seen-reply",
    "ct direction reply", "ct mark 5", "ct mark & 0x3 == 0x1", "ct original ip daddr 10.96.0.10",
    "ct reply ip saddr @addrs", "tcp dport 8080 ct original proto-dst 80", "meta mark 0x10", "meta mark 0x1-0x10",
    "meta mark & 0xf0 == 0x10", "meta mark & 0x1 != 0x0", 'iifname "eth0"', 'iifname != "vp1"', 'oifname "vp*"',
    'oifname { "eth0", "vp1" }', 'iif "eth0"', 'oif != "vp2"', "fib daddr type local", "fib saddr type != unicast",
    "fib saddr . iif oif exists", "fib daddr . iif type local", 'fib saddr oifname "eth0"', "fib daddr oif missing",
    "fib saddr . mark . iif oif != 0", "meta pkttype host", "numgen inc mod 3 1",
    "jhash ip saddr . ip daddr mod 4 seed 0x1234 2", "jhash ip saddr mod 2 seed 0x77 offset 5 5",
    "jhash ip saddr . tcp sport . tcp dport mod 3 seed 0xabcdef 1", "ip frag-off & 0x1fff == 0", "ip dscp cs0",
    "limit rate 1/hour burst 2 packets", "limit rate over 2/day burst 3 packets", "quota over 200 bytes",
    "ip saddr 10.244.1.2 ip daddr 10.244.1.3", "tcp sport != 1 tcp dport != 80", "ip saddr @seen", "ip version 4",
)  # fmt: skip
CHANGES = (
    "meta mark set 0x10", "meta mark set meta mark | 0x1", "meta mark set meta mark & 0xf0 ^ 0x2",
    "ct mark set 5", "ct mark set meta mark", "ct mark set ct mark | 0x8", "meta mark set ct mark",
    "meta mark set ip saddr map { 10.244.1.2 : 0x1, 10.244.1.3 : 0x11 }", "update @seen { ip saddr }",
    "add @seen { ip daddr timeout 1h }", "update @counted { ip saddr counter }", "log", "continue",
    "meta mark set jhash ip saddr mod 8 seed 0x99", "meta mark set tcp dport map @marks", 'counter name "hits"',
)  # fmt: skip
MAPS = (
    "ip daddr vmap { 10.244.1.2 : jump user1, 10.244.1.4-10.244.1.9 : return, 192.168.10.10 : accept }",
    "tcp dport vmap { 80 : jump user2, 8080 : goto user1 }", "ct state vmap { new : jump user1, established : accept }",
    "numgen random mod 3 vmap { 0 : jump user1, 1 : goto user2, 2 : return }", "meta l4proto vmap { tcp : jump user2 }",
    'iifname vmap { "eth0" : jump user1, "vp1" : continue }', "ip daddr . meta l4proto . th dport vmap @verdicts",
    "numgen inc mod 2 vmap { 0 : jump user2, 1 : continue }", "meta mark vmap { 0x10 : jump user1, 0x0 : continue }",
)  # fmt: skip
REJECTS = (
    "reject", "reject with tcp reset", "reject with icmp host-unreachable", "reject with icmp admin-prohibited",
)  # fmt: skip
DNATS = (
    "tcp dport 80 dnat to 10.244.1.2:8080", "ip daddr 10.96.0.10 dnat to 10.244.1.3", "tcp dport 8080 redirect to :80",
    "ip daddr 10.96.0.10 tcp dport 80 dnat to numgen random mod 2 map { 0 : 10.244.1.2, 1 : 10.244.1.3 }",
    "meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.1.2 . 8080, 1 : 10.244.1.3 . 80 }",
    "ip daddr 10.96.0.10 dnat to ip saddr map { 10.244.1.2 : 10.244.1.3, 192.168.10.20 : 10.244.1.2 }",
    "udp dport 53 redirect", "meta l4proto tcp dnat ip to tcp dport map { 80 : 10.244.1.3 . 8080 }",
    "tcp dport 81 dnat to 10.244.1.2:8080-8080", "ip daddr 10.96.0.20 dnat to jhash ip saddr mod 2 seed 0x5 map"
    " { 0 : 10.244.1.2, 1 : 10.244.1.3 }",
)  # fmt: skip
SNATS = (
    "masquerade", 'oifname "eth0" masquerade', "ip saddr 10.244.1.2 snat to 192.168.10.10", "masquerade fully-random",
    "meta mark & 0x1 == 0x1 masquerade", "meta l4proto udp snat to 192.168.10.10:2000-2100",
    "ct status dnat masquerade random", "ip daddr 10.244.1.2 masquerade persistent",
)  # fmt: skip
SETS = """
 set addrs { type ipv4_addr; elements = { 10.244.1.2, 192.168.10.20, 10.96.0.10 } }
 set nets { type ipv4_addr; flags interval; elements = { 10.244.1.3, 10.96.0.0/16, 192.168.10.5-192.168.10.15 } }
 set pairs { type ipv4_addr . inet_service; flags interval; elements = { 10.244.1.0/24 . 8080, 10.96.0.10 . 1-100 } }
 set seen { type ipv4_addr; flags dynamic,timeout; timeout 2h; size 3; }
 set counted { type ipv4_addr; flags dynamic; size 100; }
 map marks { type inet_service : mark; elements = { 80 : 0x10, 8080 : 0x1 } }
 map verdicts { type ipv4_addr . inet_proto . inet_service : verdict; elements = { 10.244.1.2 . tcp . 8080 : jump user1,
   10.96.0.10 . tcp . 80 : goto user2, 192.168.10.10 . udp . 53 : accept } }
 counter hits { }
"""
HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
FLOWS = (
    "10.244.1.2", "10.244.1.3", "10.96.0.10", "10.96.0.20", "192.168.10.10", "192.168.10.20", "203.0.113.200",
)  # fmt: skip


class Rules:
    """A random ruleset."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def pick(self, pool: tuple[str, ...]) -> str:
        return self.rng.choice(pool)

    def rule(self, hook: str, *, user: bool = False) -> str:
        rng = self.rng
        words = ["meta skuid 0"] if hook == "output" and rng.random() < 0.1 else []
        words += [self.pick(MATCHES) for _ in range(rng.choice((0, 1, 1, 1, 2, 2)))]
        if rng.random() < 0.5:
            words.append("counter")
        if rng.random() < 0.4:
            words.append(self.pick(CHANGES))
        roll = rng.random()
        if roll < 0.2:
            words.append("accept")
        elif roll < 0.26:
            words.append("drop")
        elif roll < 0.3 and hook in ("input", "forward", "output"):
            words.append(self.pick(REJECTS))
        elif roll < 0.36:
            words.append("return")
        elif roll < 0.55 and not user:
            words.append(self.pick(("jump user1", "jump user2", "goto user1")))
        elif roll < 0.75 and not user:
            words.append(self.pick(MAPS))
        return " ".join(words) if words else "counter"

    def net(self) -> Net:
        """A world with these rules, line by line: what the model refuses as nft does is left out."""
        net = world("\n")
        for line in self.lines():
            with contextlib.suppress(NftRefused):
                apply(net, NftApply(netns="node", text=line + "\n"))
        return net

    def lines(self) -> list[str]:
        """One to three tables; user chains may stand below any hook, so they neither reject nor translate."""
        out = []
        for number in range(self.rng.randint(1, 3)):
            table = f"{self.rng.choice(('ip', 'ip', 'inet'))} t{number}"
            out.append(f"table {table} {{ chain user2 {{ }}\n chain user1 {{ }}\n{SETS}}}")
            for name in ("user2", "user1"):
                out += [f"add rule {table} {name} {self.rule('', user=True)}" for _ in range(3)]
            for at in range(self.rng.randint(1, 4)):
                head, rules = self.base()
                out.append(f"add chain {table} c{at} {{ {head}; }}")
                out += [f"add rule {table} c{at} {rule}" for rule in rules]
        return out

    def base(self) -> tuple[str, list[str]]:
        """What stands behind `type`, and the rules."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.2:
            hook = rng.choice(("prerouting", "output"))
            head = f"type nat hook {hook} priority {rng.choice((-100, -100, -90, -110))}"
            return head, [self.pick(DNATS) for _ in range(rng.randint(1, 3))]
        if roll < 0.4:
            head = f"type nat hook postrouting priority {rng.choice((100, 100, 90, 110))}"
            return head, [self.pick(SNATS) for _ in range(rng.randint(1, 3))]
        hook = rng.choice(HOOKS)
        kind = "route" if hook == "output" and rng.random() < 0.3 else "filter"
        policy = "; policy drop" if rng.random() < 0.05 else ""
        priority = rng.choice((-300, -150, -110, 0, 0, 10, 50, 150))
        rules = [self.rule(hook) for _ in range(rng.randint(1, 5))]
        if priority == -300 and hook in ("prerouting", "output") and rng.random() < 0.3:
            rules.insert(
                0, f"{self.pick(('udp dport 53', 'icmp type echo-request', 'ip saddr 10.244.1.3'))} notrack"
            )
        return f"type {kind} hook {hook} priority {priority}{policy}", rules

    def flow(self, number: int) -> tuple[str, str, str, int]:
        """(netns, proto, destination, port)."""
        netns = self.rng.choice(("node/p1", "node/p2", "ext", "node"))
        proto = self.rng.choice(("tcp", "tcp", "tcp", "udp", "icmp"))
        port = 0 if proto == "icmp" else 53 if proto == "udp" else self.rng.choice((80, 80, 8080, 81))
        return netns, proto, self.pick(FLOWS), port
