"""Packets as tcpdump 4.99 prints them.

Theory. tcpdump prints the sequence numbers of a connection as they are until it has seen a packet with ACK; from
then on relative to that. What our headers do not hold (windows, timestamps, checksums, IP ids) is made up from
what they hold,
always the same for the same packet.

Rules. Source of every form: tests/golden/shell/tcpdump.txt and print-{tcp,icmp,arp,udp,ip}.c of tcpdump 4.99.3.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import field

from engine.linux.addr import mac_text, text4
from engine.linux.packet import Arp, Icmp, IPv4, Packet, Payload, Tcp, Udp
from engine.linux.text.services import service
from engine.record import dataclass

#: Names of protocols in the parenthesis of -v.
IP_NAMES = {1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 17: "UDP", 132: "SCTP"}

Flow = tuple[int, int, int, int]


def _number(*parts: object) -> int:
    """A number that belongs to these values, always the same."""
    return zlib.crc32(repr(parts).encode())


@dataclass(slots=True)
class Dissector:
    """One tcpdump. `names` gives an address's name ("" = none); None prints numbers only."""

    names: Callable[[int], str] | None = None
    verbose: bool = False
    quick: bool = False
    mss: int = 1460
    flows: dict[Flow, tuple[int, int]] = field(default_factory=dict)
    clients: set[Flow] = field(default_factory=set)

    # ---- names

    def host(self, address: int) -> str:
        return (self.names(address) if self.names is not None else "") or text4(address)

    def port(self, number: int, proto: str) -> str:
        return service(number, proto) if self.names is not None else str(number)

    # ---- lines

    def link(self, packet: Packet) -> str:
        """The `-e` part of a line on an Ethernet device."""
        eth = packet.eth
        if eth is None:
            kind, size = _ethertype(packet), packet.length() + 14
            return f"00:00:00:00:00:00 > 00:00:00:00:00:00, ethertype {kind}, length {size}: "
        return f"{mac_text(eth.src)} > {mac_text(eth.dst)}, ethertype {_ethertype(packet)}, length {packet.length()}: "

    def cooked(self, packet: Packet, ifindex: int) -> str:
        """The `-e` part of a line of `-i any` (Linux cooked v2: 20 bytes of header)."""
        source = mac_text(packet.eth.src) if packet.eth is not None else "00:00:00:00:00:00"
        return (
            f"ifindex {ifindex} {source} ethertype {_ethertype(packet)}, length {packet.ip_length() + 20}: "
        )

    def body(self, packet: Packet, *, linked: bool, time: float) -> str:
        """The packet behind the time and the link header; `linked` = the ethertype stands there already."""
        arp = packet.get(Arp)
        if arp is not None:
            return self.arp(arp, packet, linked)
        if not packet.has_ip:
            return "unknown"
        return ("" if linked else "IP ") + self.ip(Packet(packet.unframed().layers), time)

    def arp(self, arp: Arp, packet: Packet, linked: bool) -> str:
        head = "" if linked else "ARP, "
        if self.verbose:
            head += "Ethernet (len 6), IPv4 (len 4), "
        if arp.op == 1:
            told = f"Request who-has {self.host(arp.target_ip)} tell {self.host(arp.sender_ip)}"
        else:
            told = f"Reply {self.host(arp.sender_ip)} is-at {mac_text(arp.sender_mac)}"
        return f"{head}{told}, length {packet.ip_length()}"

    def ip(self, packet: Packet, time: float) -> str:
        ip = packet.ip
        what = self.payload(packet, time)
        if isinstance(packet.l4, Tcp | Udp):
            proto = "udp" if isinstance(packet.l4, Udp) else "tcp"
            source, target = (self.port(port, proto) for port in packet.ports)
            ends = f"{self.host(ip.src)}.{source} > {self.host(ip.dst)}.{target}"
        else:
            ends = f"{self.host(ip.src)} > {self.host(ip.dst)}"
        line = f"{ends}: {what}"
        return self.header(packet) + "\n    " + line if self.verbose else line

    def header(self, packet: Packet) -> str:
        """The parenthesis of -v."""
        ip = packet.ip
        name = IP_NAMES.get(int(ip.proto), "unknown")
        flags = "DF" if ip.df else "none"
        ident = ip.ident or (
            0
            if isinstance(packet.l4, Tcp) and packet.l4.flags == "SA"
            else _number("id", ip.src, packet.l4) & 0xFFFF
        )
        return (
            f"(tos 0x{ip.tos:x}, ttl {ip.ttl}, id {ident}, offset 0, flags [{flags}], proto {name} ({int(ip.proto)}), "
            f"length {packet.length()})"
        )

    def payload(self, packet: Packet, time: float) -> str:
        l4 = packet.l4
        size = packet.length() - 20
        if isinstance(l4, Tcp):
            return self.tcp(packet, l4, time)
        if isinstance(l4, Udp):
            return self.udp(packet, l4)
        if isinstance(l4, Icmp):
            return self.icmp(l4, packet, size, time)
        return f"ip-proto-{int(packet.ip.proto)} {size}"

    # ---- TCP

    def tcp(self, packet: Packet, tcp: Tcp, time: float) -> str:
        data = packet.payload
        length = data.size if data is not None else 0
        if self.quick:
            return f"tcp {length}"
        letters = (
            "".join(c for c in "FSRP" if c in tcp.flags)
            + ("." if "A" in tcp.flags else "")
            + ("U" if "U" in tcp.flags else "")
        )
        seq, ack = self._relative(packet, tcp)
        text = f"Flags [{letters}]"
        if self.verbose:
            good, bad = (_number(x, tcp, length) & 0xFFFF for x in ("sum", "offload"))
            text += f", cksum 0x{bad:04x} (incorrect -> 0x{good:04x})"
        if length or any(c in tcp.flags for c in "SFR"):
            text += f", seq {seq}" + (f":{seq + length}" if length else "")
        if "A" in tcp.flags:
            text += f", ack {ack}"
        text += f", win {self._window(packet, tcp)}"
        options = self._options(packet, tcp, time)
        text += f", options [{options}]" if options else ""
        text += f", length {length}"
        return text + (_http(data, tcp, self.verbose) if data is not None else "")

    def _relative(self, packet: Packet, tcp: Tcp) -> tuple[int, int]:
        """Sequence and acknowledgement numbers as print-tcp.c shows them."""
        ip = packet.ip
        key = (ip.src, tcp.sport, ip.dst, tcp.dport)
        back = (ip.dst, tcp.dport, ip.src, tcp.sport)
        if tcp.flags == "S":
            self.clients.add(key)
        if "A" not in tcp.flags:
            return tcp.seq, tcp.ack
        known = self.flows.get(key)
        mirrored = known is None and back in self.flows
        if mirrored:
            ack_base, seq_base = self.flows[back]
        elif known is not None:
            seq_base, ack_base = known
        if (known is None and not mirrored) or "S" in tcp.flags:
            self.flows.pop(back, None)
            self.flows[key] = (tcp.seq, tcp.ack - 1)
            return tcp.seq, tcp.ack
        return (tcp.seq - seq_base) & 0xFFFFFFFF, (tcp.ack - ack_base) & 0xFFFFFFFF

    def _from_client(self, packet: Packet, tcp: Tcp) -> bool:
        key = (packet.ip.src, tcp.sport, packet.ip.dst, tcp.dport)
        return key in self.clients or (
            (packet.ip.dst, tcp.dport, packet.ip.src, tcp.sport) not in self.clients and tcp.sport > tcp.dport
        )

    def _window(self, packet: Packet, tcp: Tcp) -> int:
        if "R" in tcp.flags:
            return 0
        if self.mss > 60000:
            return {"S": 65495, "SA": 65483}.get(tcp.flags, 512)
        return {"S": 64240, "SA": 65160}.get(tcp.flags, 502 if self._from_client(packet, tcp) else 509)

    def _options(self, packet: Packet, tcp: Tcp, time: float) -> str:
        if "R" in tcp.flags:
            return ""
        ip = packet.ip
        value = (_number("ts", ip.src, ip.dst) + int(time * 1000)) & 0xFFFFFFFF
        echo = 0 if tcp.flags == "S" else (_number("ts", ip.dst, ip.src) + int(time * 1000)) & 0xFFFFFFFF
        stamp = f"TS val {value} ecr {echo}"
        return f"mss {self.mss},sackOK,{stamp},nop,wscale 7" if "S" in tcp.flags else f"nop,nop,{stamp}"

    # ---- UDP and ICMP

    def udp(self, packet: Packet, udp: Udp) -> str:
        data = packet.payload
        size = data.size if data is not None else 0
        if data is not None and data.protocol == "dns" and 53 in (udp.sport, udp.dport):
            ident = (
                _number("dns", packet.ip.src if udp.dport == 53 else packet.ip.dst, max(udp.sport, udp.dport))
                & 0xFFFF
            )
            return _dns(data, ident, udp.dport == 53)
        if self.verbose:
            good, bad = (_number(x, udp, size) & 0xFFFF for x in ("sum", "offload"))
            return f"[bad udp cksum 0x{bad:04x} -> 0x{good:04x}!] UDP, length {size}"
        return f"UDP, length {size}"

    def icmp(self, icmp: Icmp, packet: Packet, size: int, time: float) -> str:
        text = f"ICMP {self.icmp_words(icmp)}, length {size}"
        if self.verbose and icmp.quoted is not None:
            inner = Dissector(self.names, False, self.quick, self.mss)
            quoted = icmp.quoted
            text += "\n\tIP " + self.header(quoted) + "\n    " + inner.ip(quoted, time)
        return text

    def icmp_words(self, icmp: Icmp) -> str:
        if icmp.type in (0, 8):
            return f"echo {'request' if icmp.type == 8 else 'reply'}, id {icmp.ident}, seq {icmp.seq}"
        if icmp.type == 11:
            return "time exceeded in-transit" if icmp.code == 0 else "ip reassembly time exceeded"
        quoted = icmp.quoted
        if icmp.type == 3 and quoted is not None and quoted.get(IPv4) is not None:
            host = self.host(quoted.ip.dst)
            if icmp.code == 3:
                proto = "udp" if isinstance(quoted.l4, Udp) else "tcp"
                if isinstance(quoted.l4, Tcp | Udp):
                    return f"{host} {proto} port {self.port(quoted.ports[1], proto)} unreachable"
                return f"{host} protocol {int(quoted.ip.proto)} port unreachable"
            words = {
                0: f"net {host} unreachable", 1: f"host {host} unreachable",
                2: f"{host} protocol {int(quoted.ip.proto)} unreachable",
                4: f"{host} unreachable - need to frag (mtu {icmp.mtu})",
                9: f"net {host} unreachable - admin prohibited",
                10: f"host {host} unreachable - admin prohibited",
                13: f"host {host} unreachable - admin prohibited filter",
            }  # fmt: skip
            return words.get(icmp.code, f"{host} unreachable - #{icmp.code}")
        if icmp.type == 5 and quoted is not None:
            kind = "host" if icmp.code == 1 else "net"
            return f"redirect {self.host(quoted.ip.dst)} to {kind} {self.host(icmp.ident)}"
        return f"type-#{icmp.type}"


def _ethertype(packet: Packet) -> str:
    return "ARP (0x0806)" if packet.get(Arp) is not None else "IPv4 (0x0800)"


def _http(data: Payload, tcp: Tcp, verbose: bool) -> str:
    """What stands behind the length for ports that tcpdump takes for HTTP (80, 8080, 3128)."""
    if not {tcp.sport, tcp.dport} & {80, 8080, 3128}:
        return ""
    if data.protocol != "http" or not data.text:
        return ": HTTP"
    lines = data.text.split("\r\n\r\n")[0].split("\r\n")
    if not verbose:
        return f": HTTP: {lines[0]}"
    rest = data.text.partition("\r\n\r\n")[2]
    body = ["", *rest.removesuffix("\n").split("\n")] if rest else [""]
    return f": HTTP, length: {data.size}" + "".join(f"\n\t{line}" for line in [*lines, *body])


def _dns(data: Payload, ident: int, question: bool) -> str:
    word, _, rest = data.text.partition(" ")
    if question:
        return f"{ident}+ {word} {rest} ({data.size})"
    if word == "NXDOMAIN":
        return f"{ident} NXDomain 0/0/0 ({data.size})"
    values = rest.split() if word == "A" else []
    answers = ", ".join(f"A {v}" for v in values)
    return f"{ident} {len(values)}/0/0 {answers} ({data.size})" if values else f"{ident} 0/0/0 ({data.size})"
