"""Small labs for the tests of drawing, built by the real ops and walked by the real walker."""

from __future__ import annotations

from dataclasses import dataclass

from engine.fabric.plan import Machine, build_fabric
from engine.linux.addr import Prefix
from engine.linux.choose import Seeded
from engine.linux.exchange import Call, ping_call, tcp_call
from engine.linux.journey import Journey
from engine.linux.net import Net
from engine.linux.ops import (
    AddAddress,
    AddLink,
    AddNetns,
    AddRoute,
    AddVeth,
    Changes,
    Listen,
    SetLink,
    StartProc,
)
from engine.linux.ops.sysctl import SetSysctl
from engine.linux.packet import Payload
from engine.linux.rows import Address, Socket


@dataclass(slots=True)
class Lab:
    net: Net
    changes: Changes

    def journey(self, call: Call, act: str = "curl") -> Journey:
        return Journey(act=act, outcome=call.outcome, legs=call.legs)

    def ping(self, netns: str, to: str) -> Journey:
        address = Prefix.parse(to).addr
        return self.journey(ping_call(self.net, netns, address, choose=Seeded(1)), f"ping {to}")

    def curl(self, netns: str, to: str, port: int = 80) -> Journey:
        address = Prefix.parse(to).addr
        request = Payload(protocol="http", text="GET / HTTP/1.1", size=80)
        call = tcp_call(self.net, netns, address, port, choose=Seeded(1), request=request, who="curl")
        return self.journey(call, f"curl {to}:{port}")


def address(changes: Changes, netns: str, device: str, text: str) -> None:
    prefix = Prefix.parse(text, host_bits=True)
    row = Address(
        ifindex=0, addr=prefix.addr, length=prefix.length, broadcast=prefix.network.broadcast, label=device
    )
    changes.do(AddAddress(netns=netns, device=device, address=row))


def bridge(changes: Changes, node: str, name: str, text: str) -> None:
    changes.do(AddLink(netns=node, name=name, kind="bridge"))
    changes.do(SetLink(netns=node, name=name, up=True))
    address(changes, node, name, text)
    changes.do(SetSysctl(netns=node, key="net.ipv4.ip_forward", value="1"))


def pod(
    changes: Changes,
    node: str,
    bridge_name: str,
    label: str,
    end: str,
    text: str,
    gateway: str,
    serves: int = 0,
) -> str:
    """A namespace with eth0 on a bridge; `serves` is a port that nginx listens on there."""
    netns = f"{node}/{label}"
    changes.do(AddNetns(box=node, id=netns, label=label))
    changes.do(AddVeth(netns=node, name=end, peer_netns=netns, peer_name="eth0"))
    changes.do(SetLink(netns=node, name=end, up=True, master=bridge_name))
    changes.do(SetLink(netns=netns, name="eth0", up=True))
    changes.do(SetLink(netns=netns, name="lo", up=True))
    address(changes, netns, "eth0", text)
    changes.do(AddRoute(netns=netns, dst=Prefix(0, 0), gateway=Prefix.parse(gateway).addr, device="eth0"))
    if serves:
        changes.do(
            StartProc(box=node, args=("nginx",), netns=netns, new=("pid", "mnt", "net"), program="http")
        )
        pid = max(changes.net.boxes[node].procs)
        changes.do(Listen(netns=netns, socket=Socket(proto="tcp", addr=0, port=serves, pid=pid)))
    return netns


def cluster(nodes: int = 2, pods: int = 2, hosts: int = 1, outside: bool = False) -> Lab:
    """Nodes with a cni0 bridge and pods each, on one LAN with hosts and the router."""
    changes = Changes(Net())
    machines = [Machine(name=f"w{i}") for i in range(1, nodes + 1)]
    machines += [Machine(name="laptop" if i == 1 else f"laptop{i}", role="host") for i in range(1, hosts + 1)]
    if outside:
        machines.append(
            Machine(name="internet", role="host", addresses=(Prefix.parse("203.0.113.9/24", host_bits=True),))
        )
    fabric = build_fabric(changes, machines)
    for i in range(1, nodes + 1):
        node = f"w{i}"
        bridge(changes, node, "cni0", f"10.244.{i}.1/24")
        for j in range(1, pods + 1):
            pod(
                changes, node, "cni0", f"default/{'web' if j == 2 else 'client' if j == 1 else 'app'}-{j}",
                f"veth{i}{j}a1b2c3", f"10.244.{i}.{4 + j}/24", f"10.244.{i}.1", serves=80 if j == 2 else 0,
            )  # fmt: skip
    for i in range(1, nodes + 1):
        for j in range(1, nodes + 1):
            if i != j:
                gateway = fabric.address(f"w{j}")
                changes.do(
                    AddRoute(
                        netns=f"w{i}", dst=Prefix.parse(f"10.244.{j}.0/24"), gateway=gateway, device="eth0"
                    )
                )
    return Lab(changes.net, changes)


def two_spaces() -> Lab:
    """Two namespaces and one wire between them, as a learner builds it by hand."""
    changes = Changes(Net())
    build_fabric(changes, [Machine(name="box", role="host")])
    for name in ("red", "blue"):
        changes.do(AddNetns(box="box", id=f"box/{name}", label=name, name=name))
    changes.do(AddVeth(netns="box/red", name="veth-red", peer_netns="box/blue", peer_name="veth-blue"))
    for name, text in (("red", "10.0.0.1/24"), ("blue", "10.0.0.2/24")):
        changes.do(SetLink(netns=f"box/{name}", name=f"veth-{name}", up=True))
        address(changes, f"box/{name}", f"veth-{name}", text)
    return Lab(changes.net, changes)


def half_made() -> Lab:
    """A veth pair that nobody has moved yet, and a bridge without ports."""
    changes = Changes(Net())
    build_fabric(changes, [Machine(name="box", role="host")])
    changes.do(AddVeth(netns="box", name="veth0", peer_netns="box", peer_name="veth1"))
    changes.do(AddLink(netns="box", name="br0", kind="bridge"))
    changes.do(AddNetns(box="box", id="box/red", label="red", name="red"))
    return Lab(changes.net, changes)


def two_bridges() -> Lab:
    """Docker's default bridge and a user network; one container stands on both."""
    changes = Changes(Net())
    build_fabric(changes, [Machine(name="host1", role="host"), Machine(name="laptop", role="host")])
    bridge(changes, "host1", "docker0", "172.17.0.1/16")
    bridge(changes, "host1", "br-5d0c1a2b3c4d", "172.18.0.1/16")
    pod(changes, "host1", "docker0", "web", "veth11aa22b", "172.17.0.2/16", "172.17.0.1", serves=80)
    both = pod(changes, "host1", "docker0", "app", "veth33cc44d", "172.17.0.3/16", "172.17.0.1")
    pod(changes, "host1", "br-5d0c1a2b3c4d", "db", "veth55ee66f", "172.18.0.2/16", "172.18.0.1", serves=5432)
    changes.do(AddVeth(netns="host1", name="veth77aa88b", peer_netns=both, peer_name="eth1"))
    changes.do(SetLink(netns="host1", name="veth77aa88b", up=True, master="br-5d0c1a2b3c4d"))
    changes.do(SetLink(netns=both, name="eth1", up=True))
    address(changes, both, "eth1", "172.18.0.3/16")
    return Lab(changes.net, changes)
