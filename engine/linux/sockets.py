"""Which socket takes a packet, which sockets may share a port, and how many connections may wait for accept(2).

Theory. A look-up first tries sockets bound to the very address, then those of any address; one bound to the device
beats one that is not. Several SO_REUSEPORT sockets make a group, and a hash of the packet picks one (a choice, which a
tape can play back). A listening socket holds `backlog` + 1 connections that nobody has accepted; while it is full, a
further SYN is dropped in silence. Sources: net/ipv4/inet_hashtables.c (compute_score), net/ipv4/udp.c,
net/ipv4/inet_connection_sock.c (inet_csk_bind_conflict), include/net/sock.h (sk_acceptq_is_full), tcp_conn_request.
"""

from __future__ import annotations

from engine.linux.choose import Choose
from engine.linux.net import Netns
from engine.linux.rows import Socket


def conflict(ns: Netns, new: Socket) -> Socket | None:
    """The socket that keeps `new` from its port (EADDRINUSE), if there is one."""
    for old in ns.sockets:
        if old.proto != new.proto or old.port != new.port:
            continue
        if old.device and new.device and old.device != new.device:
            continue
        if old.addr and new.addr and old.addr != new.addr:
            continue
        if old.reuseport and new.reuseport:
            continue
        return old
    return None


def find(ns: Netns, proto: str, address: int, port: int, *, iif: str, choose: Choose) -> Socket | None:
    """The listening or bound socket for a packet to `address`:`port` that came in by device `iif`."""
    best: list[Socket] = []
    score = (-1, -1)
    for one in ns.sockets:
        if one.port != port or one.proto != proto or one.addr not in (0, address):
            continue
        if one.device and one.device != iif:
            continue
        own = (1 if one.addr else 0, 1 if one.device else 0)
        if own > score:
            best, score = [one], own
        elif own == score and one.reuseport:
            best.append(one)
    if len(best) > 1:
        return best[choose.pick("reuseport", len(best))]
    return best[0] if best else None


def bind_error(ns: Netns, socket: Socket) -> str:
    """The errno of bind(2), "" when it is allowed: a foreign address needs IP_TRANSPARENT or ip_nonlocal_bind."""
    if conflict(ns, socket) is not None or (socket.proto == "udp" and (17, socket.port) in ns.tunnels):
        return "EADDRINUSE"
    foreign = socket.addr and not ns.owns(socket.addr)
    if foreign and not socket.transparent and ns.sysctl("net.ipv4.ip_nonlocal_bind") == "0":
        return "EADDRNOTAVAIL"
    if socket.device and socket.device not in ns.names:
        return "ENODEV"
    return ""


# -- the accept queue ---------------------------------------------------------------------------------------


def limit(ns: Netns, socket: Socket) -> int:
    """What listen(2) made of the backlog: no more than net.core.somaxconn."""
    return min(socket.backlog, int(ns.sysctl("net.core.somaxconn")))


def waiting(ns: Netns, socket: Socket) -> int:
    """Connections that wait to be accepted (Recv-Q of `ss -l`)."""
    return ns.accept_queues.get((socket.addr, socket.port), 0)


def full(ns: Netns, socket: Socket) -> bool:
    """Is the accept queue full, so that a SYN is dropped? (More than the backlog waits.)"""
    return socket.proto == "tcp" and waiting(ns, socket) > limit(ns, socket)


def enqueue(ns: Netns, socket: Socket) -> None:
    """An established connection waits that nobody accepts."""
    key = (socket.addr, socket.port)
    ns.accept_queues[key] = ns.accept_queues.get(key, 0) + 1


def drain(ns: Netns, socket: Socket) -> None:
    """The program accepts all that waited, or is gone."""
    ns.accept_queues.pop((socket.addr, socket.port), None)
