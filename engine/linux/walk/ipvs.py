"""IPVS at its places in the hooks: take packets to virtual services, send them on, turn the answers back.

Theory. `into` stands at INPUT (99, before source NAT) and OUTPUT (-98, after destination NAT): a packet of a known
connection, or one that a virtual service schedules, is rewritten to its real server, loses one of its TTL and leaves by
OUTPUT and POSTROUTING; it never meets FORWARD. A real server on this host gets it on the way it is on. `back` stands
before it at INPUT (98) and OUTPUT (-99), and at FORWARD (100): an answer of a real server gets the virtual address as
its source. Without net.ipv4.vs.conntrack the packet is untracked from here on, and so no NAT rule sees it. Source:
net/netfilter/ipvs/ip_vs_{core,xmit,nfct}.c of Linux 6.1.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.linux.addr import is_loopback, text4
from engine.linux.choose import judges
from engine.linux.conntrack import quoted_tuple
from engine.linux.fib import Route
from engine.linux.flow import FlowKey
from engine.linux.ipvs.rows import Conn, Dest, Mark, Service
from engine.linux.ipvs.rows import End as Peer
from engine.linux.ipvs.sched import Asked, choose, usable
from engine.linux.ipvs.states import next_state
from engine.linux.ipvs.table import forget, settle
from engine.linux.journey import Fidelity, Outcome, Place, StepKind
from engine.linux.multipath import find
from engine.linux.net import Netns
from engine.linux.packet import Icmp, IPv4, Packet, Proto, Tcp
from engine.linux.skb import Skb
from engine.linux.text.ipvs import dest_text, peer_text, service_text
from engine.linux.walk import deliver, hooks, outbound, routing, rowtext, words
from engine.linux.walk import words_ipvs as said
from engine.linux.walk.walker import End, Event, Walker
from engine.record import replace

FTP, FTP_DATA = 21, 20
#: ICMP errors that IPVS looks into
ERRORS = (3, 4, 11)


def setting(ns: Netns, key: str) -> int:
    return int(ns.sysctl(f"net.ipv4.vs.{key}"))


def ends(packet: Packet) -> tuple[Peer, Peer]:
    """(source, destination) with ports."""
    sport, dport = packet.ports
    return Peer(packet.ip.src, sport), Peer(packet.ip.dst, dport)


# -- from clients to servers


def into(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> Event | None:
    """A packet that may be for a virtual service."""
    if skb.ipvs:
        return None
    now, table = w.net.clock, ns.ipvs
    settle(table, ns.conntrack, now)
    packet, l4 = skb.packet, skb.packet.l4
    if isinstance(l4, Icmp) and l4.type in ERRORS:
        return error_into(w, ns, hook, skb, place)
    if packet.ip.proto not in (Proto.TCP, Proto.UDP) or packet.ports == (0, 0):
        return None
    client, virtual = ends(packet)
    conn = table.find_in(packet.ip.proto, client, virtual, now)
    if conn is not None and isinstance(l4, Tcp) and "S" in l4.flags and stale(ns, conn):
        end = dismissed(w, ns, skb, place, conn)
        if end is not None:
            return end
        conn = None
    if conn is not None and table.dest_of(conn) is None:
        if not setting(ns, "expire_nodest_conn"):
            return dropped(w, skb, place, hook, conn)
        end = dismissed(w, ns, skb, place, conn)
        if end is not None:
            return end
        conn = None
    if conn is None:
        found = scheduled(w, ns, hook, skb, place)
        if not isinstance(found, Conn):
            return found
        conn = found
    else:
        w.step(
            StepKind.IPVS,
            place,
            packet,
            why=said.KNOWN(to=peer_text(*conn.real)),
            row=row_of(ns, conn),
            hook=hook,
        )
    table.count(conn.svc, conn.dest, way="in", size=packet.ip_length())
    conn = transit(ns, conn, skb, "in", now)
    return transmit(w, ns, hook, skb, place, conn)


def stale(ns: Netns, conn: Conn) -> bool:
    """Does a new SYN ask for a new server: the old one quiesced, or the connection finished (conn_reuse_mode)?"""
    dest = ns.ipvs.dest_of(conn)
    if setting(ns, "expire_nodest_conn") and dest is not None and dest.weight == 0:
        return True
    mode = setting(ns, "conn_reuse_mode")
    if not mode or conn.control:
        return False
    return conn.state in ("TIME_WAIT", "CLOSE") or bool(
        mode & 2 and conn.state == "FIN_WAIT" and conn.nooutput
    )


def dismissed(w: Walker, ns: Netns, skb: Skb, place: Place, conn: Conn) -> End | None:
    """The connection ends before its time. If this packet belongs to its conntrack entry, the packet is lost with it:
    the sender's next try begins anew."""
    old = skb.ct is not None and bool(skb.ct.id)
    ns.ipvs.remove(conn)
    if not old:
        return None
    forget(ns.conntrack, [conn], w.net.clock)
    why = said.STARTS_ANEW()
    return w.drop(place, skb.packet, why, Outcome.DROPPED, row=row_of(ns, conn), error=hooks.local_error(skb))


def dropped(w: Walker, skb: Skb, place: Place, hook: str, conn: Conn) -> End:
    why = said.SERVER_GONE(to=peer_text(*conn.real))
    return w.drop(place, skb.packet, why, Outcome.DROPPED, hook=hook, error=hooks.local_error(skb))


def row_of(ns: Netns, conn: Conn) -> str:
    """The command that made the connection's server."""
    svc = ns.ipvs.services.get(conn.svc)
    dest = svc.dest(conn.dest) if svc is not None else None
    return dest_text(conn.svc, dest) if dest is not None else ""


def scheduled(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> Conn | Event | None:
    """A connection for a first packet; None when no virtual service wants it."""
    packet, l4, table, now = skb.packet, skb.packet.l4, ns.ipvs, w.net.clock
    if isinstance(l4, Tcp) and ("R" in l4.flags or not ("S" in l4.flags or setting(ns, "sloppy_tcp"))):
        return None
    client, virtual = ends(packet)
    svc = table.find_service(skb.mark, packet.ip.proto, *virtual)
    if svc is None or client.port == FTP_DATA:
        return None
    if skb.iif in ("", "lo") and table.find_in(packet.ip.proto, virtual, client, now) is not None:
        return None  # an answer of a real server on this host
    template: Conn | None = None
    dest: Dest | None
    if svc.timeout:
        template, dest = by_template(w, ns, skb, svc, client, virtual)
    elif not svc.fwmark and virtual.port != svc.port:
        dest = None
    else:
        dest = pick(w, ns, svc, client, virtual)
    if dest is None:
        if svc.port == FTP and virtual.port != FTP:
            return None
        answer = deliver.icmp_error(ns, skb, 3, 3)
        why = said.NO_SERVER(service=service_text(svc), scheduler=svc.scheduler)
        error = hooks.local_error(skb)
        return w.drop(
            place, packet, why, Outcome.REFUSED, answer=answer, row=service_text(svc), hook=hook, error=error
        )
    conn = Conn(
        id=0, proto=packet.ip.proto, client=client, virtual=virtual, real=real_end(svc, dest, virtual), svc=svc.key,
        dest=dest.key, method=dest.method, deadline=now + 3, control=template.id if template is not None else 0,
        nooutput=dest.method != "masq", nfct=bool(setting(ns, "conntrack")),
    )  # fmt: skip
    table.count(svc.key, dest.key, conns=1)
    why = (said.STICKS if template is not None else said.CHOSEN)(
        scheduler=svc.scheduler, to=peer_text(*conn.real), service=peer_text(*virtual)
    )
    w.step(StepKind.IPVS, place, packet, why=why, row=service_text(svc), hook=hook, verdict=svc.scheduler)
    if svc.ops and packet.ip.proto == Proto.UDP:
        return conn
    return table.add(conn, dest)


def real_end(svc: Service, dest: Dest, virtual: Peer) -> Peer:
    port = dest.port or virtual.port
    if svc.timeout and (svc.fwmark or svc.port != virtual.port):
        port = virtual.port
    return Peer(dest.addr, port)


def pick(w: Walker, ns: Netns, svc: Service, client: Peer, virtual: Peer) -> Dest | None:
    """Ask the scheduler. Whose turn it is in a round robin follows from what came before; who judges takes every
    server's turn."""
    table = ns.ipvs
    if svc.scheduler in ("rr", "wrr") and judges(w.choose):
        ready = [d for d in svc.dests if usable(d, table.load(svc.key, d.key))]
        return ready[w.choose.pick("round robin", len(ready))] if ready else None
    mark = table.marks.get(svc.key, Mark())
    asked = Asked(client.addr, client.port, virtual.addr)
    dest, table.marks[svc.key] = choose(svc, mark, lambda d: table.load(svc.key, d.key), asked)
    return dest


def by_template(
    w: Walker, ns: Netns, skb: Skb, svc: Service, client: Peer, virtual: Peer
) -> tuple[Conn | None, Dest | None]:
    """Persistence: the client's (or its network's) server of the last time, else a new one (ip_vs_sched_persist)."""
    table, now = ns.ipvs, w.net.clock
    source = Peer(client.addr & svc.netmask, 0)
    if svc.fwmark:
        proto, where = 0, Peer(svc.fwmark, 0)
    else:
        proto, where = svc.proto, Peer(virtual.addr, virtual.port if virtual.port == svc.port != FTP else 0)
    found = table.find_in(proto, source, where, now)
    dest = table.dest_of(found) if found is not None else None
    if dest is not None and dest.weight == 0 and setting(ns, "expire_quiescent_template"):
        dest = None
    if found is not None and dest is None:
        table.invalidate(found)
        found = None
    if found is None:
        dest = pick(w, ns, svc, client, virtual)
        if dest is None:
            return None, None
        port = dest.port if virtual.port == svc.port != FTP else 0
        found = table.add(
            Conn(
                id=0, proto=proto, client=source, virtual=where, real=Peer(dest.addr, port), svc=svc.key,
                dest=dest.key, method=dest.method, template=True, timeout=float(svc.timeout),
            ),
            dest,
        )  # fmt: skip
    found = table.update(replace(found, deadline=now + found.timeout))
    return found, dest


def transit(ns: Netns, conn: Conn, skb: Skb, way: str, now: float) -> Conn:
    """The connection after a packet: state, timer."""
    table, l4 = ns.ipvs, skb.packet.l4
    if isinstance(l4, Tcp):
        if conn.nooutput and way == "out":
            conn = replace(conn, nooutput=False)
        state = next_state(l4, "only" if conn.nooutput else way, conn.state)
        conn = table.moved(conn, state)
        seconds = table.timeouts[state]
    else:
        if way == "out":
            table.assure(conn)
        seconds = table.timeouts["udp"]
    conn = replace(conn, timeout=float(seconds), deadline=now + seconds)
    return table.update(conn) if conn.id else conn


def transmit(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place, conn: Conn) -> Event | None:
    """Send the packet to its real server: rewritten (masq), as it is to the server's MAC (route), or in a tunnel."""
    packet = skb.packet
    key = FlowKey(dst=conn.real.addr, mark=0)
    route = find(w.net, ns, key, packet=packet, choose=w.choose).route
    if route is None or route.type in routing.BAD_TYPES or route.type not in ("unicast", "local"):
        why = words.NO_ROUTE(dst=text4(conn.real.addr))
        answer = None if skb.local else deliver.icmp_error(ns, skb, 3, 1)
        return w.drop(place, packet, why, Outcome.NO_ROUTE, answer=answer, hook=hook)
    local = route.type == "local"
    if not local and is_loopback(packet.ip.src):
        why = words.LOOPBACK_LEAVES(src=text4(packet.ip.src), dev=routing.out_device(ns, route).name)
        return w.drop(place, packet, why, Outcome.DROPPED, hook=hook)
    if local and is_loopback(conn.real.addr) and not skb.local and skb.iif not in ("", "lo"):
        return w.drop(place, packet, said.TO_LOOPBACK(to=text4(conn.real.addr)), Outcome.DROPPED, hook=hook)
    if not local:
        end = leaves(w, ns, skb, place, route, hook, 20 if conn.method == "tunnel" else 0)
        if end is not None:
            return end
    skb.ipvs = True
    if conn.method == "tunnel" and not local:
        return tunnelled(w, ns, hook, skb, place, conn, route)
    if conn.method == "masq":
        rewritten(w, ns, hook, skb, place, conn)
    tracked(skb, conn, "in")
    if local:
        return None
    if conn.method == "route":
        why = said.DIRECT(to=text4(conn.real.addr), virtual=text4(packet.ip.dst))
        w.step(
            StepKind.IPVS,
            place,
            packet,
            why=why,
            row=row_of(ns, conn),
            hook=hook,
            fidelity=Fidelity.DOCUMENTED,
        )
        route = route if route.gateway else replace(route, gateway=conn.real.addr)
    return send_on(w, ns, skb, route, place)


def leaves(w: Walker, ns: Netns, skb: Skb, place: Place, route: Route, hook: str, room: int) -> End | None:
    """What a forwarder checks: TTL and MTU (decrement_ttl, ensure_mtu_is_adequate)."""
    packet, out = skb.packet, routing.out_device(ns, route)
    if packet.ip.ttl <= 1:
        answer = deliver.icmp_error(ns, skb, 11, 0)
        return w.drop(place, packet, words.TTL_ZERO(), Outcome.TTL_EXCEEDED, answer=answer, hook=hook)
    mtu = (route.mtu or out.mtu) - room
    if packet.ip.df and packet.ip_length() > mtu:
        why = words.MTU_EXCEEDED(size=packet.ip_length(), oif=out.name, mtu=mtu)
        answer = deliver.icmp_error(ns, skb, 3, 4, mtu=mtu)
        return w.drop(place, packet, why, Outcome.TOO_BIG, answer=answer, hook=hook)
    skb.packet = packet.with_ip(ttl=packet.ip.ttl - 1)
    return None


def rewritten(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place, conn: Conn) -> None:
    before = skb.packet
    skb.packet = before.with_ip(dst=conn.real.addr).with_l4(dport=conn.real.port)
    why = words.NAT_DST(old=peer_text(*conn.virtual), new=peer_text(*conn.real))
    w.step(StepKind.NAT, place, before, skb.packet, why, row=row_of(ns, conn), hook=hook, table="ipvs")


def tracked(skb: Skb, conn: Conn, way: str) -> None:
    """Conntrack after IPVS has rewritten: the packet is let out of it, or the answers' tuple is changed and no NAT flag
    is set (ip_vs_notrack, ip_vs_update_conntrack)."""
    entry = skb.ct
    if not conn.nfct:
        if entry is not None:
            skb.ct, skb.untracked, skb.ctstate = None, True, "UNTRACKED"
        return
    if entry is None or entry.id or conn.method != "masq" or skb.ctdir != "original" or not conn.id:
        return
    reply = entry.reply
    icmp = reply.proto == Proto.ICMP
    if way == "in":
        reply = reply._replace(src=conn.real.addr, sport=reply.sport if icmp else conn.real.port)
    else:
        reply = reply._replace(dst=conn.virtual.addr, dport=reply.dport if icmp else conn.virtual.port)
    skb.ct = replace(entry, reply=reply, ipvs=True)


def send_on(w: Walker, ns: Netns, skb: Skb, route: Route, place: Place) -> Event:
    """OUTPUT, as for a packet made here, then POSTROUTING and out; a new mark or destination routes it anew."""
    out = routing.out_device(ns, route)
    w.step(StepKind.ROUTE, place, skb.packet, why=said.SENT_ON(oif=out.name), row=rowtext.route(ns, route))
    iif, skb.iif = skb.iif, ""
    return outbound.local_out(w, ns, skb, route, place, came_from=iif)


def tunnelled(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place, conn: Conn, route: Route) -> Event:
    """In an IPIP header to the real server, a new packet of this host (ip_vs_tunnel_xmit)."""
    inner = skb.packet
    source = routing.choose_source(ns, route, conn.real.addr)
    outer = IPv4(
        src=source, dst=conn.real.addr, proto=Proto.IPIP, ttl=inner.ip.ttl, tos=inner.ip.tos, df=inner.ip.df
    )
    fresh = Skb(packet=Packet((outer, *inner.unframed().layers)), ipvs=True, mark=skb.mark, iif=skb.iif)
    w.step(
        StepKind.ENCAP, place, inner, fresh.packet, said.TUNNELLED(to=text4(conn.real.addr)), row=row_of(ns, conn),
        hook=hook, fidelity=Fidelity.DOCUMENTED,
    )  # fmt: skip
    return send_on(w, ns, fresh, route, place)


# -- from servers to clients


def back(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> Event | None:
    """A packet that may be a real server's answer."""
    if skb.ipvs:
        return None
    now, table = w.net.clock, ns.ipvs
    settle(table, ns.conntrack, now)
    packet, l4 = skb.packet, skb.packet.l4
    if isinstance(l4, Icmp) and l4.type in ERRORS:
        return error_back(w, ns, hook, skb, place)
    if packet.ip.proto not in (Proto.TCP, Proto.UDP) or packet.ports == (0, 0):
        return None
    server, client = ends(packet)
    conn = table.find_out(packet.ip.proto, server, client, now)
    if conn is None:
        return None
    if conn.method == "masq":
        skb.packet = packet.with_ip(src=conn.virtual.addr).with_l4(sport=conn.virtual.port)
        why = said.TURNED_BACK(old=peer_text(*server), new=peer_text(*conn.virtual))
        w.step(StepKind.NAT, place, packet, skb.packet, why, row=row_of(ns, conn), hook=hook, table="ipvs")
    if table.dest_of(conn) is not None:
        table.count(conn.svc, conn.dest, way="out", size=packet.ip_length())
    transit(ns, conn, skb, "out", now)
    skb.ipvs = True
    tracked(skb, conn, "out")
    return rerouted(w, ns, hook, skb, place) if conn.method == "masq" else None


def rerouted(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> Event | None:
    """An answer to a remote client goes the way of a packet from the virtual address (snat_reroute)."""
    if hook == "INPUT" or not setting(ns, "snat_reroute"):
        return None
    found = routing.route_of(w, ns, skb).route
    if found is None or found.type in routing.BAD_TYPES:
        why = words.NO_ROUTE(dst=text4(skb.packet.ip.dst))
        return w.drop(place, skb.packet, why, Outcome.NO_ROUTE, hook=hook)
    if found.type == "local" or hook == "OUTPUT" or routing.out_device(ns, found).name == skb.oif:
        return None
    w.step(StepKind.ROUTE, place, skb.packet, why=said.REROUTED(), row=rowtext.route(ns, found))
    return outbound.output(w, ns, skb, found, place)


# -- errors


def error_into(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> Event | None:
    """An ICMP error from the client's side about an answer of the virtual service: it goes to the real server."""
    quoted = quoted_tuple(skb.packet)
    if quoted is None:
        return None
    client, virtual = Peer(quoted.dst, quoted.dport), Peer(quoted.src, quoted.sport)
    conn = ns.ipvs.find_in(quoted.proto, client, virtual, w.net.clock)
    if conn is None:
        return None
    ns.ipvs.count(conn.svc, conn.dest, way="in", size=skb.packet.ip_length())
    route = find(w.net, ns, FlowKey(dst=conn.real.addr), packet=skb.packet, choose=w.choose).route
    if route is None or route.type not in ("unicast", "local"):
        return w.drop(
            place, skb.packet, words.NO_ROUTE(dst=text4(conn.real.addr)), Outcome.NO_ROUTE, hook=hook
        )
    local = route.type == "local"
    if not local:
        end = leaves(w, ns, skb, place, route, hook, 0)
        if end is not None:
            return end
    skb.ipvs = True
    if conn.method == "masq":
        before, l4 = skb.packet, skb.packet.l4
        assert isinstance(l4, Icmp) and l4.quoted is not None
        inner = l4.quoted.with_ip(src=conn.real.addr).with_l4(sport=conn.real.port)
        skb.packet = before.with_ip(dst=conn.real.addr).with_l4(quoted=inner)
        why = words.NAT_DST(old=text4(before.ip.dst), new=text4(conn.real.addr))
        w.step(StepKind.NAT, place, before, skb.packet, why, row=row_of(ns, conn), hook=hook, table="ipvs")
    tracked(skb, conn, "in")
    return None if local else send_on(w, ns, skb, route, place)


def error_back(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> Event | None:
    """An ICMP error from the servers' side about a packet of a client: it comes from the virtual address."""
    quoted = quoted_tuple(skb.packet)
    if quoted is None:
        return None
    server, client = Peer(quoted.dst, quoted.dport), Peer(quoted.src, quoted.sport)
    conn = ns.ipvs.find_out(quoted.proto, server, client, w.net.clock)
    if conn is None:
        return None
    if conn.method == "masq":
        before, l4 = skb.packet, skb.packet.l4
        assert isinstance(l4, Icmp) and l4.quoted is not None
        inner = l4.quoted.with_ip(dst=conn.virtual.addr).with_l4(dport=conn.virtual.port)
        skb.packet = before.with_ip(src=conn.virtual.addr).with_l4(quoted=inner)
        why = said.TURNED_BACK(old=text4(before.ip.src), new=text4(conn.virtual.addr))
        w.step(StepKind.NAT, place, before, skb.packet, why, row=row_of(ns, conn), hook=hook, table="ipvs")
    if ns.ipvs.dest_of(conn) is not None:
        ns.ipvs.count(conn.svc, conn.dest, way="out", size=skb.packet.ip_length())
    skb.ipvs = True
    tracked(skb, conn, "out")
    return None


def error_forward(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> Event | None:
    """At FORWARD only errors: they may be about services by firewall mark."""
    l4 = skb.packet.l4
    if skb.ipvs or not (isinstance(l4, Icmp) and l4.type in ERRORS):
        return None
    return error_into(w, ns, hook, skb, place)


#: hook -> (priority, function), from ip_vs_ops4
PLACES: dict[str, tuple[tuple[int, Callable[[Walker, Netns, str, Skb, Place], Event | None]], ...]] = {
    "INPUT": ((98, back), (99, into)),
    "OUTPUT": ((-99, back), (-98, into)),
    "FORWARD": ((99, error_forward), (100, back)),
}
