"""kube-proxy's userspace mode as a program: it accepts a client's connection and opens its own to an endpoint.

Theory. The mode of Kubernetes' first years. For every service port the process listens on a port of the node, to which
iptables leads the Service's packets. It takes the endpoints in turn (round robin; with ClientIP affinity the one that
this client had last), and because it opens the connection itself it knows when that fails: it then tries the next
one, at most four times, waiting 250 ms, 500 ms, 1 s and 2 s. No other mode can do that: a rule that has chosen a dead
Pod has chosen. The price is two connections, two copies of every byte, and a server that sees the node, not the
client.

Rules. What the process knows is told by `Tell`: ("portal", protocol, port) -> Portal. What it remembers stands beside
it in its memory. Where its turn begins is by chance, since kube-proxy shuffles the endpoints. TCP and UDP only.
Sources: pkg/proxy/userspace/{proxysocket,roundrobin}.go of Kubernetes 1.25 (facts 20 section 2.2).
"""

from __future__ import annotations

from engine.linux.choose import Choose, judges
from engine.linux.exchange import Answer, Delivery, tcp_call, udp_call
from engine.linux.journey import Leg, Outcome
from engine.linux.packet import Payload
from engine.record import dataclass

#: endpointDialTimeout: seconds, one attempt each
TRIES = (0.25, 0.5, 1.0, 2.0)
#: how long an upstream UDP socket is kept for a client without traffic (UDPIdleTimeout)
UDP_IDLE = 0.25
DEPTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """A service port: its name, its endpoints (address, port), ClientIP affinity in seconds (0: none)."""

    id: str
    endpoints: tuple[tuple[int, int], ...] = ()
    affinity: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where a portal's round robin stands, and who has had which endpoint: (client, endpoint, when last)."""

    endpoints: tuple[tuple[int, int], ...]
    next: int
    stuck: tuple[tuple[int, tuple[int, int], float], ...] = ()


def answer(delivery: Delivery, memory: dict[object, object]) -> Answer | None:
    """What the proxy does with a connection or datagram; None when the port is no portal of it."""
    portal = memory.get(("portal", delivery.socket.proto, delivery.socket.port))
    if not isinstance(portal, Portal):
        return None
    if delivery.depth >= DEPTH:
        return Answer(close=True)
    if delivery.socket.proto == "udp":
        return datagram(delivery, memory, portal)
    return connection(delivery, memory, portal)


def connection(delivery: Delivery, memory: dict[object, object], portal: Portal) -> Answer:
    """A TCP connection (tryConnect, proxyTCP)."""
    from engine.l7.serve import serve

    legs: list[Leg] = []
    reset = False
    outcome: Outcome | None = None
    for seconds in TRIES:
        end = next_endpoint(delivery, memory, portal, reset=reset)
        if end is None:
            return Answer(legs=tuple(legs), close=True)
        began = delivery.net.clock
        call = tcp_call(
            delivery.net, delivery.ns.id, *end, choose=delivery.choose, request=delivery.request, serve=serve,
            timeout=seconds, purpose="kube-proxy", who="kube-proxy", depth=delivery.depth + 1,
        )  # fmt: skip
        legs += call.legs
        outcome = call.outcome
        if call.server is None:
            # ARP may have gone on for longer; the proxy did not wait for it
            delivery.net.clock = min(delivery.net.clock, began + seconds)
        if not call.error or call.server is not None:
            failed = bool(call.error)
            return Answer(
                payload=None if failed else call.response, legs=tuple(legs), close=failed,
                outcome=outcome if failed else None,
            )  # fmt: skip
        reset = True
    return Answer(legs=tuple(legs), close=True, outcome=outcome)


def datagram(delivery: Delivery, memory: dict[object, object], portal: Portal) -> Answer:
    """A datagram: dialling by UDP always succeeds, so nothing is ever tried again (getBackendConn)."""
    from engine.l7.serve import serve

    now = delivery.net.clock
    key = ("client", delivery.socket.port, delivery.client)
    kept = memory.get(key)
    end = kept[0] if isinstance(kept, tuple) and kept[1] > now else None
    if end is None:
        end = next_endpoint(delivery, memory, portal, reset=False)
    if end is None:
        return Answer()
    call = udp_call(
        delivery.net, delivery.ns.id, *end, choose=delivery.choose,
        request=delivery.request or Payload(protocol="", text="", size=0), serve=serve, timeout=UDP_IDLE,
        purpose="kube-proxy", who="kube-proxy", depth=delivery.depth + 1,
    )  # fmt: skip
    memory[key] = (end, delivery.net.clock + UDP_IDLE)
    return Answer(payload=call.response, legs=call.legs, outcome=call.outcome if call.error else None)


def next_endpoint(
    delivery: Delivery, memory: dict[object, object], portal: Portal, *, reset: bool
) -> tuple[int, int] | None:
    """LoadBalancerRR.NextEndpoint; None when there is none. `reset`: the endpoint of last time has just failed."""
    if not portal.endpoints:
        return None
    now, client = delivery.net.clock, delivery.client[0]
    turn = turn_of(memory, portal, delivery.choose)
    stuck = {row[0]: row for row in turn.stuck}
    if portal.affinity and not reset:
        last = stuck.get(client)
        if last is not None and int(now - last[2]) < portal.affinity:
            stuck[client] = (client, last[1], now)
            memory["turn", portal.id] = Turn(
                endpoints=turn.endpoints, next=turn.next, stuck=tuple(stuck.values())
            )
            return last[1]
    end = turn.endpoints[turn.next]
    if judges(delivery.choose) and not reset:
        end = turn.endpoints[delivery.choose.pick("round robin", len(turn.endpoints))]
    if portal.affinity:
        stuck[client] = (client, end, now)
    behind = (turn.endpoints.index(end) + 1) % len(turn.endpoints)
    memory["turn", portal.id] = Turn(endpoints=turn.endpoints, next=behind, stuck=tuple(stuck.values()))
    return end


def turn_of(memory: dict[object, object], portal: Portal, choose: Choose) -> Turn:
    """The portal's turn. When the endpoints have changed it begins anew at one of them, and a client that was bound to
    one that is gone is free (OnEndpointsUpdate)."""
    old = memory.get(("turn", portal.id))
    if isinstance(old, Turn) and set(old.endpoints) == set(portal.endpoints):
        return old
    first = 0 if judges(choose) else choose.pick("the first of the shuffled endpoints", len(portal.endpoints))
    order = portal.endpoints[first:] + portal.endpoints[:first]
    stuck = tuple(row for row in old.stuck if row[1] in order) if isinstance(old, Turn) else ()
    return Turn(endpoints=order, next=0, stuck=stuck)
