"""The plugin forward: the question goes on to an upstream server, as real packets from this program's own namespace.

Theory. Upstreams are tried in the order of the policy, over and over as long as a try begins within five seconds; then
it is SERVFAIL. One that does not answer costs `read_timeout` (2 s) a try, one that refuses nothing; after `max_fails`
failed health checks an upstream is passed over, unless all are down: then one of them is tried all the same, once. A
question that comes back to this very program goes round until `max_concurrent` refuses it.

Rules. Health checks run every half second while an upstream has failed; here they are counted and made as questions
come. Source: coredns plugin/forward/forward.go, plugin/pkg/proxy.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.l7.dns.chain import Next, Query, Reply, matches
from engine.linux.addr import text4
from engine.linux.choose import Seeded
from engine.linux.exchange import Call, tcp_call, udp_call
from engine.linux.wire import dns
from engine.linux.wire.dns import Message
from engine.record import dataclass, replace

DEADLINE = 5.0
#: passes over upstreams that refuse at once; the program makes thousands in a second
QUICK = 2
#: a question inside a question this deep is one that goes round
DEEP = 8


class Upstream(NamedTuple):
    address: int
    port: int

    def text(self) -> str:
        return f"{text4(self.address)}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """`max_concurrent` 0: no limit. `ignored` are zones that `except` leaves to the next plugin."""

    zone: str
    to: tuple[Upstream, ...]
    ignored: tuple[str, ...] = ()
    policy: str = "random"
    max_fails: int = 2
    max_concurrent: int = 0
    health_check: float = 0.5
    read_timeout: float = 2.0
    force_tcp: bool = False
    prefer_udp: bool = False

    def serve(self, query: Query, next: Next) -> Reply:
        if not matches((self.zone,), query.name) or (
            query.name != self.zone and matches(self.ignored, query.name)
        ):
            return next(query)
        if query.delivery.depth >= DEEP:
            if self.max_concurrent:
                text = f"concurrent queries exceeded maximum {self.max_concurrent}"
                return Reply(rcode="REFUSED", error=text)
            return Reply(rcode="SERVFAIL", error="no healthy proxies")
        order = self.order(query)
        deadline = query.now + DEADLINE
        error = "no healthy proxies"
        passes, started = 0, query.now
        while query.now < deadline and passes < QUICK:
            down = [u for u in order if self.down(query, u)]
            for upstream in [u for u in order if u not in down] or [self.any_of(query)]:
                if query.now >= deadline:
                    break
                found, error = self.connect(query, upstream)
                if found is not None:
                    query.memory.pop(("fails", upstream), None)
                    return Reply(message=found)
                fails = query.memory.get(("fails", upstream), 0)
                query.memory["fails", upstream] = (fails if isinstance(fails, int) else 0) + 1
            if len(down) == len(order):
                break
            # a pass that took no time would come again until the checks have failed
            passes, started = (0 if query.now > started else passes + 1), query.now
        return Reply(rcode="SERVFAIL", error=error)

    def down(self, query: Query, upstream: Upstream) -> bool:
        """Has it failed too often? One that has is checked meanwhile, and counts again when it answers a check."""
        fails = query.memory.get(("fails", upstream), 0)
        if not self.max_fails or not isinstance(fails, int) or fails <= self.max_fails:
            return False
        if not self.healthy(query, upstream):
            return True
        query.memory.pop(("fails", upstream), None)
        return False

    def healthy(self, query: Query, upstream: Upstream) -> bool:
        """What the health check (`. NS`, any answer will do) found at last: asked on a copy, for its packets went
        before this question came."""
        from engine.l7.serve import serve

        d = query.delivery
        call = udp_call(
            d.net.copy(), d.ns.id, upstream.address, upstream.port, choose=Seeded(0), timeout=0.0, serve=serve,
            request=Message(name=".", type="NS", rd=True).payload(), depth=d.depth + 1,
        )  # fmt: skip
        return dns.of(call.response) is not None

    def order(self, query: Query) -> list[Upstream]:
        """The upstreams as the policy lists them for this question."""
        all_ = list(self.to)
        if len(all_) == 1 or self.policy == "sequential":
            return all_
        if self.policy == "random":
            first = query.delivery.choose.pick("dns upstream", len(all_))
        else:
            count = query.memory.get(("turn", self.zone), 0)
            first = (count if isinstance(count, int) else 0) % len(all_)
            query.memory["turn", self.zone] = first + 1
        return all_[first:] + all_[:first]

    def any_of(self, query: Query) -> Upstream:
        """All are down, so the checks are taken for broken: one by chance, whatever the policy."""
        return self.to[query.delivery.choose.pick("dns upstream", len(self.to)) if len(self.to) > 1 else 0]

    def connect(self, query: Query, upstream: Upstream) -> tuple[Message | None, str]:
        """(the upstream's answer for this question, or why there is none)."""
        tcp = self.force_tcp or (query.tcp and not self.prefer_udp)
        message, error = self.exchange(query, upstream, tcp)
        if message is not None and message.tc and self.prefer_udp and not tcp:
            message, error = self.exchange(query, upstream, True)
        return message, error

    def exchange(self, query: Query, upstream: Upstream, tcp: bool) -> tuple[Message | None, str]:
        from engine.l7.serve import serve

        d = query.delivery
        asked = replace(query.message, id=d.choose.number("dns id", 1, 0xFFFF))
        what = f"CoreDNS asks {upstream.text()}: {asked.name} {asked.type}"
        netns = d.ns.id
        who = d.proc.comm if d.proc is not None else "coredns"
        if tcp:
            call = tcp_call(
                d.net, netns, upstream.address, upstream.port, choose=d.choose, request=asked.payload(tcp=True),
                timeout=self.read_timeout, serve=serve, purpose=what, who=who, depth=d.depth + 1,
            )  # fmt: skip
        else:
            started = query.now
            call = udp_call(
                d.net, netns, upstream.address, upstream.port, choose=d.choose, request=asked.payload(), timeout=0.0,
                serve=serve, purpose=what, who=who, depth=d.depth + 1,
            )  # fmt: skip
            if call.response is None and call.error in ("", "ETIMEDOUT"):
                # the kernel looks for a neighbour meanwhile
                d.net.clock = max(query.now, started + self.read_timeout)
        query.legs += call.legs
        answer = dns.of(call.response)
        if answer is None:
            return None, go_error(call, upstream, tcp)
        return replace(answer, id=query.message.id, edns=0), ""


def go_error(call: Call, upstream: Upstream, tcp: bool) -> str:
    """How Go's net package says that a question failed."""
    local = f"{text4(call.sock[0])}:{call.sock[1]}"
    proto = "tcp" if tcp else "udp"
    words = {
        "ECONNREFUSED": "connection refused", "EHOSTUNREACH": "no route to host",
        "ENETUNREACH": "network is unreachable",
        "EPERM": "operation not permitted", "EACCES": "permission denied",
    }  # fmt: skip
    reason = words.get(call.error)
    if tcp:
        why = f"connect: {reason}" if reason else "i/o timeout"
        return f"dial tcp {upstream.text()}: {why}"
    if call.error == "ENETUNREACH" and not call.sock[0]:
        return f"dial udp {upstream.text()}: connect: network is unreachable"
    verb = "write" if call.error in ("EPERM", "EACCES") else "read"
    why = f"{verb}: {reason}" if reason else "i/o timeout"
    return f"{verb} {proto} {local}->{upstream.text()}: {why}"
