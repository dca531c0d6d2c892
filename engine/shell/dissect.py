"""Packets as tcpdump 4.99 prints them.

Theory. tcpdump prints the sequence numbers of a connection as they are until it has seen a packet with ACK; from
then on relative to that. What our headers do not hold (windows, timestamps, checksums) is what `linux.wire` puts on the
wire, so the real tcpdump prints the same of a file that the lab's has written. The lab's devices leave no checksum to
the hardware, so every checksum is right. tcpdump knows VXLAN by the port 4789; behind Flannel's 8472 it sees OTV.

Rules. Source of every form: tests/golden/shell/tcpdump.txt and print-{tcp,icmp,arp,udp,ip}.c of tcpdump 4.99.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from engine.linux.addr import mac_text, text4
from engine.linux.packet import (
    PROTO_NAMES,
    Arp,
    Fragment,
    Geneve,
    Icmp,
    IPv4,
    Packet,
    Payload,
    Proto,
    Sctp,
    Tcp,
    Udp,
    Vxlan,
)
from engine.linux.text.services import service
from engine.linux.wire import dns
from engine.linux.wire.encode import Wire, tcp_stamps, tcp_window
from engine.record import dataclass

#: Names of protocols in the parenthesis of -v.
IP_NAMES = {1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 17: "UDP", 132: "SCTP"}

VXLAN_PORT, OTV_PORT, GENEVE_PORT = 4789, 8472, 6081

Flow = tuple[int, int, int, int]


@dataclass(slots=True)
class Dissector:
    """One tcpdump. `names` gives an address's name ("" = none); None prints numbers only;
    `verbose` counts the -v."""

    names: Callable[[int], str] | None = None
    verbose: int = 0
    quick: bool = False
    mss: int = 1460
    flows: dict[Flow, tuple[int, int]] = field(default_factory=dict)
    linked: bool = False

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
        arp = packet.arp
        if arp is not None:
            return self.arp(arp, packet, linked)
        if not packet.has_ip:
            return "unknown"
        self.linked = linked
        return ("" if linked else "IP ") + self.ip(Packet(packet.unframed().layers), time)

    def inside(self, packet: Packet, time: float) -> str:
        """A frame in a tunnel, with its own link header under `-e`."""
        return (self.link(packet) if self.linked else "") + self.body(packet, linked=self.linked, time=time)

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
        if isinstance(packet.l4, Tcp | Udp | Sctp):
            proto = "tcp" if isinstance(packet.l4, Tcp) else "udp" if isinstance(packet.l4, Udp) else "sctp"
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
        flags = ", ".join(w for w, on in (("+", ip.mf), ("DF", ip.df)) if on) or "none"
        return (
            f"(tos 0x{ip.tos:x}, ttl {ip.ttl}, id {ip.ident}, offset {ip.offset}, flags [{flags}], "
            f"proto {name} ({int(ip.proto)}), length {packet.length()})"
        )

    def payload(self, packet: Packet, time: float) -> str:
        l4 = packet.l4
        size = packet.length() - 20
        if isinstance(l4, Tcp):
            return self.tcp(packet, l4, time)
        if isinstance(l4, Udp):
            return self.tunnel(packet, l4, time) or self.udp(packet, l4, time)
        if isinstance(l4, Sctp):
            return sctp_words(l4)
        if isinstance(l4, Icmp):
            return self.icmp(l4, packet, size, time)
        if packet.ip.offset:
            number = int(packet.ip.proto)
            named = (
                PROTO_NAMES.get(Proto(number)) if number in PROTO_NAMES and self.names is not None else None
            )
            return named or f"ip-proto-{number}"
        if packet.ip.proto == Proto.IPIP and packet.inner is not None:
            return ("" if self.linked else "IP ") + self.ip(packet.inner, time)
        return f"ip-proto-{int(packet.ip.proto)} {size}"

    def tunnel(self, packet: Packet, udp: Udp, time: float) -> str:
        """VXLAN and Geneve, by the destination port; "" for any other datagram."""
        head, inner = packet.layers[2:3], packet.inner
        if self.quick or not head or inner is None:
            return ""
        if isinstance(head[0], Vxlan) and udp.dport in (VXLAN_PORT, OTV_PORT):
            vni = head[0].vni
            name = f"VXLAN, flags [I] (0x08), vni {vni}"
            if udp.dport == OTV_PORT:
                name = f"OTV, flags [I] (0x08), overlay 0, instance {vni}"
            return f"{name}\n{self.inside(inner, time)}"
        if isinstance(head[0], Geneve) and udp.dport == GENEVE_PORT:
            kind = ", proto TEB (0x6558)" if self.linked else ""
            return f"Geneve, Flags [none], vni 0x{head[0].vni:x}{kind}" + (
                f"\n\t{self.inside(inner, time)}" if self.verbose else f": {self.inside(inner, time)}"
            )
        return ""

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
            text += f", cksum 0x{self._sum(packet, time, 16):04x} (correct)"
        if length or any(c in tcp.flags for c in "SFR"):
            text += f", seq {seq}" + (f":{seq + length}" if length else "")
        if "A" in tcp.flags:
            text += f", ack {ack}"
        text += f", win {tcp_window(tcp, self.mss)}"
        options = self._options(tcp, time)
        text += f", options [{options}]" if options else ""
        text += f", length {length}"
        if data is not None and 53 in (tcp.sport, tcp.dport) and (message := dns.of(data)) is not None:
            return f"{text} {dns.told(message, data.size - 2, self.verbose)}"
        return text + (_http(data, tcp, bool(self.verbose)) if data is not None else "")

    def _relative(self, packet: Packet, tcp: Tcp) -> tuple[int, int]:
        """Sequence and acknowledgement numbers as print-tcp.c shows them."""
        ip = packet.ip
        key = (ip.src, tcp.sport, ip.dst, tcp.dport)
        back = (ip.dst, tcp.dport, ip.src, tcp.sport)
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

    def _sum(self, packet: Packet, time: float, at: int) -> int:
        """The checksum at byte `at` of the transport header, as it is on the wire."""
        data = Wire(mss=self.mss).frame(packet.unframed(), sent=time)
        return int.from_bytes(data[34 + at : 36 + at], "big")

    def _options(self, tcp: Tcp, time: float) -> str:
        if "R" in tcp.flags:
            return ""
        value, echo = tcp_stamps(tcp, time)
        stamp = f"TS val {value} ecr {echo}"
        return f"mss {self.mss},sackOK,{stamp},nop,wscale 7" if "S" in tcp.flags else f"nop,nop,{stamp}"

    # ---- UDP and ICMP

    def udp(self, packet: Packet, udp: Udp, time: float) -> str:
        data = packet.payload
        piece = packet.get(Fragment)
        size = packet.length() - 28 if piece is None else piece.whole.length() - 8
        message = dns.of(data) if 53 in (udp.sport, udp.dport) else None
        if data is not None and message is not None:
            head = "[udp sum ok] " if self.verbose > 1 else ""
            return head + dns.told(message, data.size, self.verbose)
        return f"[udp sum ok] UDP, length {size}" if self.verbose > 1 else f"UDP, length {size}"

    def icmp(self, icmp: Icmp, packet: Packet, size: int, time: float) -> str:
        text = f"ICMP {self.icmp_words(icmp)}, length {size}"
        if self.verbose and icmp.quoted is not None:
            inner = Dissector(self.names, 0, self.quick, self.mss)
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
    return "ARP (0x0806)" if packet.arp is not None else "IPv4 (0x0800)"


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


def sctp_words(sctp: Sctp) -> str:
    """print-sctp.c: the number of chunks, and each by its name."""
    text = f"sctp (1) [{sctp.chunk.replace('_', ' ')}]"
    if sctp.chunk in ("INIT", "INIT_ACK"):
        tag = wire_tag()
        text += f" [init tag: {tag}] [rwnd: 106496] [OS: 10] [MIS: 65535] [init TSN: {tag}]"
    return text


def wire_tag() -> int:
    from engine.linux.wire.encode import SCTP_TAG

    return SCTP_TAG
