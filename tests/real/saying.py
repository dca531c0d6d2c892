"""The words of a recording: packets, device hops, hooks, connections, as one line of text each.

    out eth0 tcp 10.244.1.3:40001 > 10.96.0.10:80 [S] ttl 64
    out eth0 udp 192.168.50.11:43747 > 192.168.50.12:8472 ttl 64 | vni 1 | udp 10.244.1.3:40001 > 10.244.2.2:8080 ttl 63
    nat PREROUTING iif cni0 tcp ... ttl 64: PREROUTING#1=jump:KUBE-SERVICES ... => accept

Rules. One writer for bytes (a kernel's record) and one for the model's packets; both give the same text. Left out, as
no two kernels agree on them: IP ids, sequence numbers, checksums, options, MACs.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterable

from engine.linux.addr import text4
from engine.linux.packet import Ethernet, Geneve, Icmp, IPv4, Packet, Tcp, Udp, Vxlan

PROTOCOLS = {1: "icmp", 4: "ipip", 6: "tcp", 17: "udp", 132: "sctp"}
VXLAN_PORTS, GENEVE_PORTS = (4789, 8472), (6081, 6082)
ETH_IPV4 = 0x0800


def said(proto: int, src: str, dst: str, ttl: int, ports: str, after: str = "") -> str:
    """`ports` is "SPORT DPORT" or ""."""
    a, _, b = ports.partition(" ")
    name = PROTOCOLS.get(proto, str(proto))
    return f"{name} {src}{a and ':' + a} > {dst}{b and ':' + b}{after and ' ' + after} ttl {ttl}"


def from_bytes(packet: bytes) -> str:
    """An IPv4 packet, with what lies in it where that is a packet again."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return ""
    size = (packet[0] & 15) * 4
    proto, l4 = packet[9], packet[size:]
    src, dst, ttl = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20]), packet[8]
    ports, after, inner = "", "", ""
    if proto in (6, 17) and len(l4) >= 4:
        sport, dport = struct.unpack(">HH", l4[:4])
        ports = f"{sport} {dport}"
        if proto == 17 and len(l4) > 16 and dport in (*VXLAN_PORTS, *GENEVE_PORTS):
            inner = tunnelled(l4[8:], dport)
    if proto == 6 and len(l4) >= 14:
        after = f"[{''.join(c for bit, c in enumerate('FSRPA') if l4[13] >> bit & 1)}]"
    if proto == 1 and len(l4) >= 2:
        after = f"{l4[0]}/{l4[1]}"
        if l4[0] in (3, 11) and len(l4) >= 28:
            inner = "about " + from_bytes(l4[8:])
    if proto == 4:
        inner = from_bytes(l4)
    return said(proto, src, dst, ttl, ports, after) + (f" | {inner}" if inner else "")


def tunnelled(data: bytes, port: int) -> str:
    """What VXLAN or Geneve carries: the network's number and the packet in the frame in it."""
    options = (data[0] & 63) * 4 if port in GENEVE_PORTS else 0
    frame = data[8 + options :]
    head = f"vni {int.from_bytes(data[4:7], 'big')}"
    if len(frame) < 34 or frame[12:14] != struct.pack(">H", ETH_IPV4):
        return ""
    return f"{head} | {from_bytes(frame[14:])}"


def from_packet(packet: Packet) -> str:
    """The same for the model's packet."""
    return " | ".join(parts(list(packet.layers)))


def parts(layers: list[object]) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(layers):
        layer = layers[at]
        if isinstance(layer, Vxlan | Geneve):
            out.append(f"vni {layer.vni}")
        if isinstance(layer, IPv4):
            l4 = layers[at + 1] if at + 1 < len(layers) else None
            ports, after, quoted = "", "", ""
            if isinstance(l4, Tcp | Udp):
                ports = f"{l4.sport} {l4.dport}"
            if isinstance(l4, Tcp):
                after = f"[{''.join(c for c in 'FSRPA' if c in l4.flags)}]"
            if isinstance(l4, Icmp):
                after = f"{l4.type}/{l4.code}"
                if l4.quoted is not None and l4.type in (3, 11):
                    quoted = "about " + from_packet(l4.quoted)
            out.append(said(int(layer.proto), text4(layer.src), text4(layer.dst), layer.ttl, ports, after))
            if quoted:
                out.append(quoted)
        elif isinstance(layer, Ethernet) and layer.type != ETH_IPV4:
            return []
        at += 1
    return out


#: a port in a line: behind an address
PORT = re.compile(r"(?<=\d\.)(\d+):(\d+)\b")


def named_ports(lines: dict[str, list[str]], fixed: Iterable[int]) -> dict[str, list[str]]:
    """Ports that nobody chose by hand become p1, p2 ... by order of appearance, namespaces in the order of their
    names."""
    names: dict[str, str] = {}
    keep = {str(port) for port in fixed}

    def name(found: re.Match[str]) -> str:
        port = found[2]
        return f"{found[1]}:{port if port in keep else names.setdefault(port, f'p{len(names) + 1}')}"

    return {key: [PORT.sub(name, line) for line in lines[key]] for key in sorted(lines)}
