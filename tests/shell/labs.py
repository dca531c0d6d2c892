"""Small labs for the tests of the shell, made of ops alone: no cluster, no files but those that a test writes.

`three()` is the lab of tests/golden/capture_shell.py: a (10.0.1.2) - r - b (10.0.2.2), namespaces of one machine.
"""

from __future__ import annotations

from dataclasses import replace

from engine.linux.addr import Prefix, ip4, mac
from engine.linux.net import Net
from engine.linux.ops import (
    AddAddress,
    AddBox,
    AddNetns,
    AddRoute,
    AddVeth,
    Listen,
    SetLink,
    StartProc,
    WriteFile,
)
from engine.linux.ops.sysctl import SetSysctl
from engine.linux.rows import Address, Socket
from engine.shell.place import Spot, machine
from engine.shell.shell import Shell
from engine.shell.world import World


def address(text: str) -> Address:
    prefix = Prefix.parse(text, host_bits=True)
    return Address(ifindex=1, addr=prefix.addr, length=prefix.length, broadcast=0, scope="global")


def three() -> World:
    """The lab of the goldens."""
    world = World(Net())
    do = world.do
    do(AddBox(name="lab", role="host"))
    for name in "abr":
        do(AddNetns(box="lab", id=f"lab/{name}", label=name, name=name))
    do(
        AddVeth(
            netns="lab/a",
            name="eth0",
            peer_netns="lab/r",
            peer_name="ra",
            mac=mac("0a:00:00:00:01:02"),
            peer_mac=mac("0a:00:00:00:01:01"),
        )
    )
    do(
        AddVeth(
            netns="lab/b",
            name="eth0",
            peer_netns="lab/r",
            peer_name="rb",
            mac=mac("0a:00:00:00:02:02"),
            peer_mac=mac("0a:00:00:00:02:01"),
        )
    )
    for ns, device, text in (
        ("a", "eth0", "10.0.1.2/24"),
        ("b", "eth0", "10.0.2.2/24"),
        ("r", "ra", "10.0.1.1/24"),
        ("r", "rb", "10.0.2.1/24"),
    ):
        do(AddAddress(netns=f"lab/{ns}", device=device, address=address(text)))
        do(SetLink(netns=f"lab/{ns}", name="lo", up=True))
    for ns, device in (("a", "eth0"), ("b", "eth0"), ("r", "ra"), ("r", "rb")):
        do(SetLink(netns=f"lab/{ns}", name=device, up=True))
    for ns, via in (("a", "10.0.1.1"), ("b", "10.0.2.1")):
        do(AddRoute(netns=f"lab/{ns}", dst=Prefix(0, 0), gateway=ip4(via)))
    do(SetSysctl(netns="lab/r", key="net.ipv4.ip_forward", value="1"))
    do(WriteFile(box="lab", path="/etc/hosts", text="127.0.0.1\tlocalhost\n10.0.2.2\tweb\n"))
    return world


def serve(
    world: World, netns: str, port: int, program: str = "http", proto: str = "tcp", **config: str
) -> int:
    """Start a server in a namespace; its pid."""
    box = world.net.boxes[world.net.spaces[netns].box]
    pid = box.next_pid
    world.do(
        StartProc(box=box.name, args=(program,), netns=netns, program=program, config=tuple(config.items()))
    )
    state = "LISTEN" if proto == "tcp" else "UNCONN"
    world.do(Listen(netns=netns, socket=Socket(proto=proto, addr=0, port=port, pid=pid, state=state)))
    return pid


def at(world: World, netns: str = "") -> Shell:
    """A terminal on the machine `lab`, in one of its namespaces."""
    shell = Shell(world, "lab")
    if netns:
        spot: Spot = replace(machine(world.net.boxes["lab"]), netns=f"lab/{netns}")
        shell.session.spot = spot
    return shell
