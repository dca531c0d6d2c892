"""Ipvs: what IPVS holds in one namespace, and what happens to it by itself: binding, counting, expiring.

Theory. A connection is found by the client's packet (`in_key`) and by the server's answer (`out_key`). Its timer begins
anew with every packet. When it ends its server's counters sink, and its conntrack entry goes if it had one. A template
lives on while connections belong to it. A server that is removed stays behind its connections, unavailable. Sources:
ip_vs_conn.c, ip_vs_ctl.c of Linux 6.1.

Rules. Rows are frozen; `Ipvs` finds, stores, counts and expires. Who chooses is sched.py, who asks walk/ipvs.py.
"""

from __future__ import annotations

from dataclasses import field

from engine.linux.conntrack import Conntrack, Tuple
from engine.linux.ipvs.rows import Conn, Dest, DestKey, End, Load, Mark, Service, Stats, SvcKey
from engine.linux.ipvs.states import ACTIVE, TIMEOUTS
from engine.record import dataclass, replace

CONN_TABLE = 4096
#: the port of what nobody shall find
NO_PORT = 0xFFFF
#: sysctls net.ipv4.vs.* and their defaults
SYSCTLS = {
    f"net.ipv4.vs.{key}": value
    for key, value in {
        "am_droprate": "10", "amemthresh": "1024", "backup_only": "0", "cache_bypass": "0", "conn_reuse_mode": "1",
        "conntrack": "0", "drop_entry": "0", "drop_packet": "0", "expire_nodest_conn": "0",
        "expire_quiescent_template": "0", "ignore_tunneled": "0", "nat_icmp_send": "0", "pmtu_disc": "1",
        "run_estimation": "1", "schedule_icmp": "0", "secure_tcp": "0", "sloppy_sctp": "0", "sloppy_tcp": "0",
        "snat_reroute": "1", "sync_persist_mode": "0", "sync_ports": "1", "sync_refresh_period": "0",
        "sync_retries": "0", "sync_sock_size": "0", "sync_threshold": "3\t50", "sync_version": "1",
    }.items()
}  # fmt: skip
#: those that change what the model does
LIVE = (
    "conn_reuse_mode",
    "conntrack",
    "expire_nodest_conn",
    "expire_quiescent_template",
    "sloppy_tcp",
    "snat_reroute",
)


@dataclass(slots=True)
class Ipvs:
    """`services` in order of creation; `marks` where rr and wrr stand; `loads`, `dest_stats` by (service, server), kept
    for a removed server while a connection names it; `timeouts` by state."""

    services: dict[SvcKey, Service] = field(default_factory=dict)
    marks: dict[SvcKey, Mark] = field(default_factory=dict)
    loads: dict[tuple[SvcKey, DestKey], Load] = field(default_factory=dict)
    dest_stats: dict[tuple[SvcKey, DestKey], Stats] = field(default_factory=dict)
    svc_stats: dict[SvcKey, Stats] = field(default_factory=dict)
    total: Stats = Stats()
    conns: dict[int, Conn] = field(default_factory=dict)
    by_in: dict[tuple[int, End, End], int] = field(default_factory=dict)
    by_out: dict[tuple[int, End, End], int] = field(default_factory=dict)
    next_id: int = 1
    timeouts: dict[str, int] = field(default_factory=lambda: dict(TIMEOUTS))

    def copy(self) -> Ipvs:
        return Ipvs(
            dict(self.services), dict(self.marks), dict(self.loads), dict(self.dest_stats), dict(self.svc_stats),
            self.total, dict(self.conns), dict(self.by_in), dict(self.by_out), self.next_id, dict(self.timeouts),
        )  # fmt: skip

    # -- services

    def find_service(self, mark: int, proto: int, addr: int, port: int) -> Service | None:
        """By firewall mark, by address and port, by address with port 0 (every port)."""
        if mark and (0, mark, 0) in self.services:
            return self.services[0, mark, 0]
        return self.services.get((proto, addr, port)) or self.services.get((proto, addr, 0))

    def dest_of(self, conn: Conn) -> Dest | None:
        """The server of a connection while it is available."""
        svc = self.services.get(conn.svc)
        return svc.dest(conn.dest) if svc is not None else None

    def load(self, svc: SvcKey, dest: DestKey) -> Load:
        return self.loads.get((svc, dest), Load())

    # -- counting

    def count(self, svc: SvcKey, dest: DestKey, *, conns: int = 0, way: str = "", size: int = 0) -> None:
        """A new connection, or a packet of `size` bytes in or out."""

        def more(s: Stats) -> Stats:
            return Stats(
                s.conns + conns, s.inpkts + (way == "in"), s.outpkts + (way == "out"),
                s.inbytes + size * (way == "in"), s.outbytes + size * (way == "out"),
            )  # fmt: skip

        self.dest_stats[svc, dest] = more(self.dest_stats.get((svc, dest), Stats()))
        self.svc_stats[svc] = more(self.svc_stats.get(svc, Stats()))
        self.total = more(self.total)

    # -- connections

    def find_in(self, proto: int, client: End, virtual: End, now: float) -> Conn | None:
        return self._living(self.by_in.get((proto, client, virtual)), now)

    def find_out(self, proto: int, source: End, client: End, now: float) -> Conn | None:
        """The connection that a packet from a server to `client` answers."""
        return self._living(self.by_out.get((proto, source, client)), now)

    def _living(self, id: int | None, now: float) -> Conn | None:
        if id is None:
            return None
        conn = self.conns[id]
        if conn.deadline <= now:
            self.expire(now)
        return self.conns.get(id)

    def add(self, conn: Conn, dest: Dest) -> Conn:
        """Enter a connection and bind it to its server."""
        conn = replace(conn, id=self.next_id)
        self.next_id += 1
        self.conns[conn.id] = conn
        self.by_in[conn.in_key] = conn.id
        if not conn.template:
            self.by_out[conn.out_key] = conn.id
        key = (conn.svc, conn.dest)
        load = self.load(*key)
        if conn.template:
            self.loads[key] = load._replace(persist=load.persist + 1)
        else:
            total = load.total + 1
            over = load.overload or (dest.upper > 0 and total >= dest.upper)
            self.loads[key] = load._replace(
                total=total, active=load.active + (not conn.inactive), overload=over
            )
        return conn

    def update(self, conn: Conn) -> Conn:
        self.conns[conn.id] = conn
        return conn

    def invalidate(self, template: Conn) -> None:
        """A template whose server takes no more connections waits for its timer under ports that nobody asks for
        (ip_vs_check_template)."""
        self.by_in.pop(template.in_key, None)
        nowhere = replace(
            template, client=End(template.client.addr, 0), virtual=End(template.virtual.addr, NO_PORT),
            real=End(template.real.addr, NO_PORT),
        )  # fmt: skip
        self.by_in[nowhere.in_key] = self.update(nowhere).id

    def moved(self, conn: Conn, state: str) -> Conn:
        """A connection in its new state; the server's active connections follow."""
        if state == conn.state:
            return conn
        inactive = state not in ACTIVE
        if inactive != conn.inactive:
            key = (conn.svc, conn.dest)
            load = self.load(*key)
            self.loads[key] = load._replace(active=load.active + (-1 if inactive else 1))
        if state == "ESTABLISHED":
            self.assure(conn)
        return replace(conn, state=state, inactive=inactive)

    def assure(self, conn: Conn) -> None:
        """A connection that came to life makes its template assured."""
        template = self.conns.get(conn.control)
        if template is not None and not template.assured:
            self.update(replace(template, assured=True))

    def children(self, id: int) -> bool:
        return any(c.control == id for c in self.conns.values())

    def remove(self, conn: Conn) -> None:
        """A connection ends."""
        self.conns.pop(conn.id, None)
        if self.by_in.get(conn.in_key) == conn.id:
            del self.by_in[conn.in_key]
        if self.by_out.get(conn.out_key) == conn.id:
            del self.by_out[conn.out_key]
        key = (conn.svc, conn.dest)
        load = self.load(*key)
        if conn.template:
            load = load._replace(persist=load.persist - 1)
        else:
            svc = self.services.get(conn.svc)
            dest = svc.dest(conn.dest) if svc is not None else None
            total = load.total - 1
            over = load.overload and dest is not None and total >= dest.low_mark
            load = load._replace(total=total, active=load.active - (not conn.inactive), overload=over)
        self.loads[key] = load
        gone = conn.svc not in self.services or self.services[conn.svc].dest(conn.dest) is None
        if gone and not any((c.svc, c.dest) == key for c in self.conns.values()):
            self.loads.pop(key, None)
            self.dest_stats.pop(key, None)

    def expire(self, now: float) -> list[Conn]:
        """End what is over, oldest first. A template with connections lives for another minute. Gives what ended."""
        out: list[Conn] = []
        while True:
            due = [c for c in self.conns.values() if c.deadline <= now]
            if not due:
                return out
            for conn in sorted(due, key=lambda c: c.deadline):
                if conn.template and self.children(conn.id):
                    self.update(replace(conn, timeout=60.0, deadline=conn.deadline + 60.0))
                    continue
                self.remove(conn)
                out.append(conn)


def forget(conntrack: Conntrack, conns: list[Conn], now: float) -> None:
    """Connections that ended take their conntrack entries with them (ip_vs_conn_drop_conntrack)."""
    for conn in conns:
        if conn.nfct and not conn.template:
            found = conntrack.find(Tuple(conn.proto, *conn.client, *conn.virtual), now)
            if found is not None and found[1] == "original":
                conntrack.remove(found[0])


def settle(ipvs: Ipvs, conntrack: Conntrack, now: float) -> None:
    """End what is over by now."""
    if ipvs.conns:
        forget(conntrack, ipvs.expire(now), now)
