"""Records what a real kernel does at eBPF's attach points: tests/golden/bpf/kernel.json. Needs root.

    python3 tests/golden/capture_bpf.py

Programs of a few instructions are loaded with bpf(2) itself. The network is a node with two containers, `a` 10.0.1.2
and `b` 10.0.2.2, each on a veth (host sides `va`, `vb`, with 10.0.1.1 and 10.0.2.1); everything lives in network and
mount namespaces of this process. Each scenario notes which devices a UDP datagram from a to b passed (packet sockets,
`NAMESPACE DEVICE in|out`), whether b heard it, and which MAC it bore there; the cgroup scenarios note addresses.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

OUT = Path(__file__).parent / "bpf" / "kernel.json"
LIBC = ctypes.CDLL(None, use_errno=True)
BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
ETH_P_ALL = 3
NEWNS, NEWNET = 0x20000, 0x40000000
PROG_LOAD, PROG_ATTACH, LINK_CREATE = 5, 8, 28
SCHED_CLS, XDP, SOCK_ADDR = 3, 6, 18
TCX_INGRESS, TCX_EGRESS, XDP_ATTACH = 46, 47, 37
CONNECT4, SENDMSG4, RECVMSG4, GETPEERNAME4 = 10, 14, 19, 29
REDIRECT, REDIRECT_NEIGH, REDIRECT_PEER = 23, 152, 155


def bpf(command: int, attributes: bytes) -> int:
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result = LIBC.syscall(BPF_SYSCALL, command, buffer, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def insn(op: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    return struct.pack("<BBhi", op, dst | src << 4, off, imm)


EXIT = insn(0x95)


def returns(value: int) -> bytes:
    return insn(0xB7, 0, imm=value) + EXIT


def calls(helper: int, *arguments: int) -> bytes:
    """r0 = helper(arguments); return r0."""
    return b"".join(insn(0xB7, i, imm=a) for i, a in enumerate(arguments, 1)) + insn(0x85, imm=helper) + EXIT


def marks(value: int) -> bytes:
    """skb->mark = value; TC_ACT_OK."""
    return insn(0x62, 1, off=8, imm=value) + returns(0)


def address(text: str) -> int:
    return struct.unpack("<i", socket.inet_aton(text))[0]


def rewrites(old: tuple[str, int], new: tuple[str, int]) -> bytes:
    """Where user_ip4:user_port is `old`, write `new`; allow."""
    return b"".join((
        insn(0xBF, 6, 1), insn(0x61, 2, 6, 4), insn(0xB4, 3, imm=address(old[0])), insn(0x5D, 2, 3, 6),
        insn(0x61, 2, 6, 24), insn(0x55, 2, 0, 4, socket.htons(old[1])), insn(0xB4, 3, imm=address(new[0])),
        insn(0x63, 6, 3, 4), insn(0xB4, 3, imm=socket.htons(new[1])), insn(0x63, 6, 3, 24), returns(1),
    ))  # fmt: skip


def load(type: int, code: bytes, attach: int = 0) -> int:
    body = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(65536)
    head = struct.pack(
        "<IIQQIIQII16sII", type, len(code) // 8, ctypes.addressof(body), ctypes.addressof(licence), 1, 65536,
        ctypes.addressof(log), 0, 0, b"captured", 0, attach,
    )  # fmt: skip
    try:
        return bpf(PROG_LOAD, head)
    except OSError:
        print(log.value.decode(), file=sys.stderr)
        raise


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


class Node:
    """The node and its two containers."""

    def __init__(self) -> None:
        if LIBC.unshare(NEWNS | NEWNET) or LIBC.mount(b"none", b"/", None, 0x44000, None):
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.spaces = {"node": self.home}
        ip("link", "set", "lo", "up")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        for name, third in (("a", 1), ("b", 2)):
            ip("netns", "add", name)
            self.spaces[name] = os.open(f"/run/netns/{name}", os.O_RDONLY)
            ip("link", "add", f"v{name}", "address", f"02:00:00:00:0{third}:01", "type", "veth", "peer", "name", "eth0",
               "address", f"02:00:00:00:0{third}:02", "netns", name)  # fmt: skip
            ip("addr", "add", f"10.0.{third}.1/24", "dev", f"v{name}")
            ip("link", "set", f"v{name}", "up")
            ip("-n", name, "addr", "add", f"10.0.{third}.2/24", "dev", "eth0")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "route", "add", "default", "via", f"10.0.{third}.1")
        self.taps: list[tuple[str, socket.socket]] = []
        for name in self.spaces:
            self.enter(name)
            self.taps.append(
                (name, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)))
            )
        self.enter("b")
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.bind(("10.0.2.2", 8080))
        self.enter("a")
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.bind(("10.0.1.2", 5000))
        self.enter("node")
        self.send()  # every neighbour is known from here on

    def enter(self, name: str) -> None:
        if LIBC.setns(self.spaces[name], NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def index(self, device: str) -> int:
        return socket.if_nametoindex(device)

    def send(self) -> dict[str, object]:
        """One datagram from a to b: where it was seen, and what b heard."""
        self.drain()
        self.client.sendto(b"hello", ("10.0.2.2", 8080))
        heard = bool(select.select([self.server], [], [], 0.3)[0])
        mark = ""
        if heard:
            self.server.recv(100)
        return {"seen": self.drain(), "heard": heard, **({"mark": mark} if mark else {})}

    def drain(self) -> list[str]:
        """What the packet sockets saw of UDP to port 8080, in each namespace's own order."""
        out = []
        for name, tap in self.taps:
            while select.select([tap], [], [], 0)[0]:
                data, (device, _, kind, *_) = tap.recvfrom(2000)
                if (
                    data[12:14] == b"\x08\x00"
                    and data[23] == 17
                    and struct.unpack(">H", data[36:38])[0] == 8080
                ):
                    out.append(f"{name} {device} {'out' if kind == 4 else 'in'} {data[:6].hex(':')}")
        return out


def device_scenarios(node: Node) -> dict[str, object]:
    va, vb = node.index("va"), node.index("vb")
    cases: dict[str, tuple[int, int, int, bytes]] = {
        "ok": (SCHED_CLS, va, TCX_INGRESS, returns(0)),
        "next": (SCHED_CLS, va, TCX_INGRESS, returns(-1)),
        "shot at ingress": (SCHED_CLS, va, TCX_INGRESS, returns(2)),
        "shot at egress": (SCHED_CLS, vb, TCX_EGRESS, returns(2)),
        "xdp drop": (XDP, va, XDP_ATTACH, returns(1)),
        "xdp pass": (XDP, va, XDP_ATTACH, returns(2)),
        "redirect to egress": (SCHED_CLS, va, TCX_INGRESS, calls(REDIRECT, vb, 0)),
        "redirect to ingress": (SCHED_CLS, va, TCX_INGRESS, calls(REDIRECT, vb, 1)),
        "redirect to peer": (SCHED_CLS, va, TCX_INGRESS, calls(REDIRECT_PEER, vb, 0)),
        "redirect to neighbour": (SCHED_CLS, va, TCX_INGRESS, calls(REDIRECT_NEIGH, vb, 0, 0, 0)),
        "redirect to nowhere": (SCHED_CLS, va, TCX_INGRESS, calls(REDIRECT, 99, 0)),
        "mark, then a rule drops it": (SCHED_CLS, va, TCX_INGRESS, marks(7)),
        "mark, then redirect to peer": (SCHED_CLS, va, TCX_INGRESS, insn(0x62, 1, off=8, imm=7)
                                        + calls(REDIRECT_PEER, vb, 0)),
    }  # fmt: skip
    out: dict[str, object] = {"none": node.send()}
    for name, (type, index, where, code) in cases.items():
        rule = ["-t", "raw", "PREROUTING", "-m", "mark", "--mark", "7", "-j", "DROP"]
        within = ["ip", "netns", "exec", "b"] if "peer" in name else []
        if name.startswith("mark"):
            words = [*within, "iptables", *rule[:2], "-A", *rule[2:]]
            subprocess.run(words, check=True)
        program = load(type, code)
        link = bpf(LINK_CREATE, struct.pack("<IIII", program, index, where, 0) + bytes(32))
        out[name] = node.send()
        os.close(link)
        os.close(program)
        if name.startswith("mark"):
            subprocess.run([*within, "iptables", *rule[:2], "-D", *rule[2:]], check=True)
    return out


def socket_scenarios(node: Node) -> dict[str, object]:
    """connect4, sendmsg4, recvmsg4, getpeername4: a service 10.96.0.10:80 that is b's 8080."""
    vip, backend = ("10.96.0.10", 80), ("10.0.2.2", 8080)
    folder = tempfile.mkdtemp()
    if LIBC.mount(b"none", folder.encode(), b"cgroup2", 0, None):
        raise OSError(ctypes.get_errno(), "cgroup2")
    group = Path(folder) / f"captured{os.getpid()}"
    group.mkdir()
    before = next(
        line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")
    )
    home = Path(folder) / before[3:].lstrip("/")
    fd = os.open(group, os.O_RDONLY)
    (group / "cgroup.procs").write_text(str(os.getpid()))
    out: dict[str, object] = {}
    try:
        node.enter("b")
        listener = socket.socket()
        listener.bind(backend)
        listener.listen(5)
        node.enter("a")

        def attach(where: int, code: bytes) -> int:
            program = load(SOCK_ADDR, code, where)
            bpf(PROG_ATTACH, struct.pack("<IIII", fd, program, where, 0))
            return program

        attach(CONNECT4, rewrites(vip, backend))
        one = socket.create_connection(vip, timeout=2)
        out["connect4: getpeername"] = list(one.getpeername())
        attach(GETPEERNAME4, rewrites(backend, vip))
        out["connect4 and getpeername4: getpeername"] = list(one.getpeername())
        out["connect4: server's own address"] = list(listener.accept()[0].getsockname())
        attach(SENDMSG4, rewrites(vip, backend))
        asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asker.settimeout(2)

        def ask() -> list[object]:
            asker.sendto(b"hello", vip)
            words, who = node.server.recvfrom(100)
            node.server.sendto(words, who)
            return list(asker.recvfrom(100)[1])

        out["sendmsg4: recvfrom"] = ask()
        attach(RECVMSG4, rewrites(backend, vip))
        out["sendmsg4 and recvmsg4: recvfrom"] = ask()
        attach(CONNECT4, returns(0))
        try:
            socket.create_connection(vip, timeout=2)
            out["connect4 refuses"] = "connected"
        except OSError as error:
            out["connect4 refuses"] = error.strerror
    finally:
        (home / "cgroup.procs").write_text(str(os.getpid()))
        os.close(fd)
        group.rmdir()
        subprocess.run(["umount", folder], check=True)
    node.enter("node")
    return out


def record() -> dict[str, object]:
    node = Node()
    return {"devices": device_scenarios(node), "sockets": socket_scenarios(node)}


if __name__ == "__main__":
    found = record()
    if "--print" in sys.argv:
        print(json.dumps(found))
    else:
        OUT.write_text(json.dumps(found, indent=1) + "\n")
