"""A machine before anybody touches it: its box, its NICs and the few files that every installation writes.

Rules. Everything is done by ops. MAC addresses are made from the machine's and the NIC's name under QEMU's
prefix 52:54:00, so that the same lab always has the same ones. A file that a program of another room writes
(kubelet, dockerd) is not written here.
"""

from __future__ import annotations

import hashlib

from engine.linux.addr import Prefix, text4
from engine.linux.ops import AddAddress, AddBox, AddLink, AddRoute, Changes, SetLink, WriteFile
from engine.linux.rows import Address, Port

QEMU_OUI = 0x525400

OS_RELEASE = """\
PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
NAME="Debian GNU/Linux"
VERSION_ID="13"
VERSION="13 (trixie)"
VERSION_CODENAME=trixie
ID=debian
HOME_URL="https://www.debian.org/"
SUPPORT_URL="https://www.debian.org/support"
BUG_REPORT_URL="https://bugs.debian.org/"
"""


def mac_for(machine: str, nic: str) -> int:
    """The MAC address of a NIC: 52:54:00 and 24 bits of the names' hash."""
    digest = hashlib.sha256(f"{machine}/{nic}".encode()).digest()
    return QEMU_OUI << 24 | int.from_bytes(digest[:3], "big")


def make_machine(changes: Changes, name: str, role: str) -> None:
    """A box of role "node", "host" or "router" with the files of a fresh installation. OpError when it exists."""
    changes.do(AddBox(name=name, role=role))
    changes.do(WriteFile(box=name, path="/etc/hostname", text=f"{name}\n"))
    changes.do(WriteFile(box=name, path="/etc/os-release", text=OS_RELEASE))


def plug(changes: Changes, machine: str, nic: str, peer: Port | None, *, mtu: int = 1500) -> Port:
    """A physical NIC that is plugged into `peer` (None: the other end of the cable comes later), raised."""
    changes.do(
        AddLink(netns=machine, name=nic, kind="physical", mac=mac_for(machine, nic), mtu=mtu, peer=peer)
    )
    changes.do(SetLink(netns=machine, name=nic, up=True))
    return machine, changes.net.spaces[machine].names[nic]


def give_address(changes: Changes, machine: str, nic: str, address: Prefix) -> None:
    """`ip addr add ADDRESS brd + dev NIC`; `address` keeps its host bits."""
    broadcast = address.network.broadcast if address.length < 31 else 0
    row = Address(ifindex=0, addr=address.addr, length=address.length, broadcast=broadcast, label=nic)
    changes.do(AddAddress(netns=machine, device=nic, address=row))


def give_gateway(changes: Changes, machine: str, nic: str, gateway: int) -> None:
    """`ip route add default via GATEWAY dev NIC proto static`."""
    changes.do(AddRoute(netns=machine, dst=Prefix(0, 0), gateway=gateway, device=nic, proto="static"))


def write_names(changes: Changes, machine: str, names: str, resolver: int) -> None:
    """/etc/hosts with every machine of the lab (`names`, lines of it), and /etc/resolv.conf (`resolver` 0: no
    nameserver line)."""
    text = f"127.0.0.1 localhost\n127.0.1.1 {machine}\n\n{names}"
    changes.do(WriteFile(box=machine, path="/etc/hosts", text=text))
    text = f"nameserver {text4(resolver)}\n" if resolver else ""
    changes.do(WriteFile(box=machine, path="/etc/resolv.conf", text=text))
