"""What ipvsadm and /proc/net/ip_vs* print: the table, counters, connections.

Rules. To the character of ipvsadm 1.31 and Linux 6.1 (tests/golden/second). ipvsadm sorts services and servers by the
difference of their addresses as signed numbers, so 192.168.0.0 stands before 10.0.0.0; the kernel's own files have the
order of its lists. Connections stand in the order in which they began (the kernel's is that of a hash).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key

from engine.linux.addr import text4
from engine.linux.ipvs.rows import FULL_MASK, METHODS, Conn, Dest, Load, Service, Stats
from engine.linux.ipvs.table import CONN_TABLE, Ipvs
from engine.linux.packet import Proto
from engine.linux.text.ipvs import dest_text, flags_text, service_text

TITLE = f"IP Virtual Server version 1.2.1 (size={CONN_TABLE})"
PROTO = {Proto.TCP: "TCP", Proto.UDP: "UDP", 0: "IP"}
REMOTE = "  -> RemoteAddress:Port"
HEADS = {
    "": f"Prot LocalAddress:Port Scheduler Flags\n{REMOTE}           Forward Weight ActiveConn InActConn",
    "stats": f"Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n{REMOTE}",
    "rate": f"Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n{REMOTE}",
    "thresholds": f"Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n{REMOTE}",
    "persistent": f"Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n{REMOTE}",
}
CONNECTIONS = (
    "IPVS connection entries\npro expire state       source             virtual            destination"
)
#: (address, port, protocol) -> `10.96.0.10:80` or with names
Namer = Callable[[int, int, int], str]


def numeric(addr: int, port: int, proto: int) -> str:
    return f"{text4(addr)}:{port}"


def signed(value: int) -> int:
    """A difference as a C int."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _compare_services(a: Service, b: Service) -> int:
    return a.fwmark - b.fwmark or a.proto - b.proto or signed(a.addr - b.addr) or a.port - b.port


def _compare_dests(a: Dest, b: Dest) -> int:
    return signed(a.addr - b.addr) or a.port - b.port


def services(table: Ipvs, sort: bool = True) -> list[Service]:
    rows = list(table.services.values())
    return sorted(rows, key=cmp_to_key(_compare_services)) if sort else rows


def dests(svc: Service, sort: bool = True) -> list[Dest]:
    return sorted(svc.dests, key=cmp_to_key(_compare_dests)) if sort else list(svc.dests)


def save(table: Ipvs) -> str:
    """`ipvsadm -S -n`."""
    lines = []
    for svc in services(table):
        lines += [service_text(svc), *(dest_text(svc.key, d) for d in dests(svc))]
    return "".join(f"{line}\n" for line in lines)


def large(number: int, exact: bool) -> str:
    """A counter in nine places: 100000000 and more in K, M, G, T."""
    if exact or number < 100_000_000:
        return f" {number:>8}"
    for unit, divisor, limit in (("K", 10**3, 10**11), ("M", 10**6, 10**14), ("G", 10**9, 10**17)):
        if number < limit:
            return f" {number // divisor:>7}{unit}"
    return f" {number // 10**12:>7}T"


def columns(stats: Stats, exact: bool) -> str:
    return "".join(large(n, exact) for n in stats)


def listing(table: Ipvs, rows: list[Service], kind: str, name: Namer, *, sort: bool, exact: bool) -> str:
    """Services with their servers; `kind` a key of HEADS."""
    out = []
    for svc in rows:
        where = f"FWM  {svc.fwmark}"
        if not svc.fwmark:
            where = f"{PROTO[Proto(svc.proto)]}  {name(svc.addr, svc.port, svc.proto)}"
        if kind in ("stats", "rate"):
            counted = table.svc_stats.get(svc.key, Stats()) if kind == "stats" else Stats()
            out.append(f"{where:<33}{columns(counted, exact)}")
        else:
            out.append(f"{where} {svc.scheduler}{service_flags(svc)}")
        for dest in dests(svc, sort):
            load = table.load(svc.key, dest.key)
            counted = table.dest_stats.get((svc.key, dest.key), Stats()) if kind == "stats" else Stats()
            where = name(dest.addr, dest.port, svc.proto)
            out.append(f"  -> {where:<28}{dest_columns(dest, load, kind, counted, exact)}")
    return "".join(f"{line}\n" for line in out)


def service_flags(svc: Service) -> str:
    out = f" ({flags_text(svc)})" if svc.flags else ""
    if svc.timeout:
        out += f" persistent {svc.timeout}"
        out += f" mask {text4(svc.netmask)}" if svc.netmask != FULL_MASK else ""
    return out + (" ops" if svc.ops else "")


def dest_columns(dest: Dest, load: Load, kind: str, counted: Stats, exact: bool) -> str:
    if kind in ("stats", "rate"):
        return columns(counted, exact)
    if kind == "thresholds":
        return f" {dest.upper:<10} {dest.lower:<10} {load.active:<10} {load.inactive:<10}"
    if kind == "persistent":
        return f" {dest.weight:<9} {load.persist:<11} {load.active:<10} {load.inactive:<10}"
    return f" {METHODS[dest.method]:<7} {dest.weight:<6} {load.active:<10} {load.inactive:<10}"


def connections(conns: list[Conn], now: float, name: Namer) -> str:
    """`ipvsadm -Lc`."""
    out = [CONNECTIONS]
    for c in conns:
        left = int(c.deadline - now)
        ends = [name(e.addr, e.port, c.proto) for e in (c.client, c.virtual, c.real)]
        out.append(
            f"{proto_text(c.proto):<3} {left // 60:02d}:{left % 60:02d}  {c.state_name:<11} {ends[0]:<18} "
            f"{ends[1]:<18} {ends[2]}"
        )
    return "".join(f"{line}\n" for line in out)


def proto_text(proto: int) -> str:
    return PROTO.get(proto, f"IP_{proto}")


# -- /proc/net


def proc_ip_vs(table: Ipvs) -> str:
    out = [TITLE, "Prot LocalAddress:Port Scheduler Flags"]
    out.append("  -> RemoteAddress:Port Forward Weight ActiveConn InActConn")
    for svc in table.services.values():
        ops = "ops " if svc.ops else ""
        if svc.fwmark:
            head = f"FWM  {svc.fwmark:08X} {svc.scheduler} {ops}"
        else:
            head = f"{PROTO[Proto(svc.proto)]}  {svc.addr:08X}:{svc.port:04X} {svc.scheduler} {ops} "
        out.append(head + (f"persistent {svc.timeout * 100} {svc.netmask:08X}" if svc.timeout else ""))
        for d in svc.dests:
            load = table.load(svc.key, d.key)
            out.append(
                f"  -> {d.addr:08X}:{d.port:04X}      {METHODS[d.method]:<7} {d.weight:<6} {load.active:<10} "
                f"{load.inactive:<10}"
            )
    return "".join(f"{line}\n" for line in out)


def proc_ip_vs_conn(table: Ipvs, now: float) -> str:
    out = ["Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData"]
    for c in table.conns.values():
        ends = " ".join(f"{e.addr:08X} {e.port:04X}" for e in (c.client, c.virtual, c.real))
        out.append(f"{proto_text(c.proto):<3} {ends} {c.state_name:<11} {int(c.deadline - now):>7}")
    return "".join(f"{line}\n" for line in out)


def proc_ip_vs_stats(table: Ipvs) -> str:
    """Totals since boot. The rates below them are of the last seconds and not kept here: they are 0."""
    s = table.total
    return (
        "   Total Incoming Outgoing         Incoming         Outgoing\n"
        "   Conns  Packets  Packets            Bytes            Bytes\n"
        f"{s.conns:8X} {s.inpkts:8X} {s.outpkts:8X} {s.inbytes:16X} {s.outbytes:16X}\n\n"
        " Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n"
        f"{0:8X} {0:8X} {0:8X} {0:16X} {0:16X}\n"
    )
