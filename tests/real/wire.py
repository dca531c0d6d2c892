"""One router in the kernel and in the model, and frames put on its two wires: the same rules, the same frames.

The router `h` has v0 (10.0.0.1/24) and w0 (10.9.0.1/24); nobody is on their far ends, so the test decides what
arrives. What the router itself says is dropped in raw OUTPUT, before it is tracked. `Wire.play` puts frames on the
model's wires; `PROGRAM` is what the kernel's side runs (see tests/linux/xt/kernel.py), one case after the other in
one namespace.
"""

from __future__ import annotations

from typing import Any

from engine.linux.addr import Prefix, ip4
from engine.linux.choose import Seeded
from engine.linux.ipset.command import restore as ipset_restore
from engine.linux.net import Net
from engine.linux.ops import (
    AddAddress,
    AddBox,
    AddNetns,
    AddVeth,
    Changes,
    Listen,
    SetLink,
    SetNeighbour,
    SetSysctl,
)
from engine.linux.packet import Ethernet, Icmp, IPv4, Packet, Payload, Tcp, Udp
from engine.linux.rows import Address, Neighbour, Socket
from engine.linux.walk.walker import Arrive, Walker
from engine.linux.wire.encode import Wire as Encoder
from engine.linux.xt.restore import restore
from engine.linux.xt.tables import SAVE_ORDER
from engine.linux.xt.text import save

WIRES = (("v0", "p0", "10.0.0.1/24", 0x020000000001), ("w0", "q0", "10.9.0.1/24", 0x020000000002))
NEIGHBOURS = ("10.0.0.2", "10.0.0.3", "10.9.0.2", "10.9.0.3")
FAR = 0x0200000000AA
#: (proto, address, port, transparent)
SOCKETS = (
    ("udp", "10.0.0.1", 7000, False), ("udp", "0.0.0.0", 7001, False), ("tcp", "10.0.0.1", 7000, False),
    ("tcp", "0.0.0.0", 7001, False), ("udp", "0.0.0.0", 7002, True), ("tcp", "0.0.0.0", 7002, True),
)  # fmt: skip

PROGRAM = """
import ctypes, os, re, time
LIBC = ctypes.CDLL(None, use_errno=True)
NET = 0x40000000
home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
assert LIBC.unshare(NET) == 0
far = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
LIBC.setns(home, NET)
open("/run/far", "w").close()
LIBC.setns(far, NET)
assert LIBC.mount(b"/proc/thread-self/ns/net", b"/run/far", b"none", 4096, None) == 0
LIBC.setns(home, NET)
def sh(line):
    subprocess.run(line, shell=True, check=True)
def ran(argv, text=""):
    done = subprocess.run(argv, input=text, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else f"FAILED {argv} {done.returncode} {done.stderr}"
for near, there, address, mac in data["wires"]:
    mac = ":".join(f"{mac:012x}"[i:i + 2] for i in range(0, 12, 2))
    sh(f"ip link add {near} address {mac} type veth peer name {there} netns /run/far")
    sh(f"sysctl -qw net.ipv6.conf.{near}.disable_ipv6=1 net.ipv4.conf.{near}.rp_filter=0")
    sh(f"sysctl -qw net.ipv4.conf.{near}.send_redirects=0; ip addr add {address} brd + dev {near}")
    sh(f"ip link set {near} up; nsenter --net=/run/far sysctl -qw net.ipv6.conf.{there}.disable_ipv6=1")
    sh(f"nsenter --net=/run/far ip link set {there} up")
for address in data["neighbours"]:
    near = "v0" if address.startswith("10.0.") else "w0"
    sh(f"ip neigh replace {address} lladdr {data['far']} dev {near} nud permanent")
sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.ip_unprivileged_port_start=0")
sh("sysctl -qw net.ipv4.conf.all.send_redirects=0")
kept = []
for proto, address, port, transparent in data["sockets"]:
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
    if transparent:
        s.setsockopt(socket.SOL_IP, 19, 1)
    s.bind((address, port))
    if proto == "tcp":
        s.listen(200)
    s.setblocking(False)
    kept.append(s)
LIBC.setns(far, NET)
wires = {}
for near, there, address, mac in data["wires"]:
    wires[near] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wires[near].bind((there, 0))
LIBC.setns(home, NET)
def empty():
    return "".join("*" + name + "\\nCOMMIT\\n" for name in ("raw", "mangle", "nat", "filter"))
def seen(name):
    text = ran([name + "-save", "-c", "-t", "raw"])
    return sum(int(n) for n in re.findall(r"\\[(\\d+):\\d+\\] -A PREROUTING -m comment --comment all", text))
def drain(s):
    try:
        while True:
            s.accept() if s.type == socket.SOCK_STREAM else s.recv(4096)
    except OSError:
        pass
out = []
for case in data["cases"]:
    name = case["tool"]
    for s in kept:
        drain(s)
    for one in ran(["ipset", "list", "-n"]).split()[::-1]:
        ran(["ipset", "destroy", one])
    ran(["conntrack", "-F"])
    failed = ran(["ipset", "restore"], case["ipset"]) + ran([name + "-restore"], case["rules"])
    for near, frame in case["frames"]:
        wires[near].send(bytes.fromhex(frame))
    end = time.monotonic() + 2
    while seen(name) < len(case["frames"]) and time.monotonic() < end:
        time.sleep(0.005)
    out.append([failed, ran([name + "-save", "-c"]), ran(["ipset", "save", "-s"])])
    ran([name + "-restore"], empty())
json.dump(out, sys.stdout)
"""


def request(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """What PROGRAM gets."""
    far = ":".join(f"{FAR:012x}"[i : i + 2] for i in range(0, 12, 2))
    return {
        "wires": [list(w) for w in WIRES], "neighbours": NEIGHBOURS, "far": far, "sockets": SOCKETS, "cases": cases,
    }  # fmt: skip


#: the first rules of raw in every case: all that comes in is counted, what the router says ends at once
RAW = ("-A PREROUTING -m comment --comment all", "-A OUTPUT -j DROP")


class Wire:
    """The router of the model."""

    def __init__(self, sets: str, rules: str) -> None:
        self.net = Net()
        changes = Changes(self.net)
        do = changes.do
        do(AddBox(name="h"))
        do(AddNetns(box="h", id="h/far", label="far"))
        for near, there, address, mac in WIRES:
            do(AddVeth(netns="h", name=near, mac=mac, peer_netns="h/far", peer_name=there))
            prefix = Prefix.parse(address, host_bits=True)
            row = Address(ifindex=0, addr=prefix.addr, length=prefix.length, broadcast=prefix.broadcast)
            do(AddAddress(netns="h", device=near, address=row))
            do(SetLink(netns="h", name=near, up=True))
            do(SetLink(netns="h/far", name=there, up=True))
        for text in NEIGHBOURS:
            device = "v0" if text.startswith("10.0.") else "w0"
            neighbour = Neighbour(ip=ip4(text), ifindex=0, mac=FAR, state="PERMANENT")
            do(SetNeighbour(netns="h", device=device, neighbour=neighbour))
        do(SetSysctl(netns="h", key="net.ipv4.ip_forward", value="1"))
        for proto, where, port, transparent in SOCKETS:
            state = "LISTEN" if proto == "tcp" else "UNCONN"
            socket = Socket(
                proto=proto, addr=ip4(where), port=port, pid=1, state=state, transparent=transparent
            )
            do(Listen(netns="h", socket=socket))
        assert ipset_restore(self.net, "h", sets, do) == ("", "", 0), sets
        assert restore(self.net, "h", rules, do) == ("", "", 0), rules
        self.choose = Seeded(0)

    def play(self, near: str, frame: Packet) -> None:
        """One frame arrives; what the router answers is not sent."""
        ns = self.net.spaces["h"]
        Walker(net=self.net, choose=self.choose).run(Arrive(netns="h", ifindex=ns.names[near], frame=frame))

    def saved(self) -> str:
        xt = self.net.spaces["h"].xt
        return "".join(save(xt, t, counters=True) for t in SAVE_ORDER if t in xt.tables)


def packet(
    src: str, dst: str, proto: str = "udp", sport: int = 1000, dport: int = 80, *,
    near: str = "v0", ttl: int = 64, tos: int = 0, size: int = 10, flags: str = "S", kind: int = 8, mac: int = FAR,
) -> tuple[str, Packet]:  # fmt: skip
    """(device that it arrives by, frame)."""
    number = {"udp": 17, "tcp": 6, "icmp": 1}[proto]
    eth = Ethernet(src=mac, dst=next(w[3] for w in WIRES if w[0] == near))
    ip = IPv4(src=ip4(src), dst=ip4(dst), proto=number, ttl=ttl, tos=tos)
    l4: Udp | Tcp | Icmp = Udp(sport=sport, dport=dport)
    if proto == "tcp":
        l4 = Tcp(sport=sport, dport=dport, flags=flags, seq=1)
    elif proto == "icmp":
        l4 = Icmp(type=kind, ident=sport, seq=1)
    data = (
        (Payload(protocol="echo", text="x" * size, size=size),)
        if (size and flags != "S") or proto != "tcp"
        else ()
    )
    return near, Packet((eth, ip, l4, *data))


def hexed(frame: Packet) -> str:
    return Encoder().frame(frame).hex()
