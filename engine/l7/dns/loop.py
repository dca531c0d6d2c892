"""The plugin loop: a question of its own, sent to itself when the program starts, must not come back to it.

Theory. The question is `HINFO NUMBER.NUMBER.ZONE`, a name that nobody else asks. When it is seen more than twice,
what `forward` sends goes round in a circle, and the program ends itself. `server.check_loop` sends it.

Source: coredns plugin/loop.
"""

from __future__ import annotations

from engine.l7.dns.chain import Next, Query, Reply, matches
from engine.linux.addr import text4
from engine.record import dataclass

#: key of the question while it is on its way: (its name, how often it was seen, who sent it the last time)
LOOKING = "loop"
SEEN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    zone: str

    def serve(self, query: Query, next: Next) -> Reply:
        looking = query.memory.get(LOOKING)
        if (
            query.message.type != "HINFO"
            or not isinstance(looking, tuple)
            or not matches((self.zone,), query.name)
        ):
            return next(query)
        name, count, fatal = looking
        if query.name == name:
            count += 1
        if count > SEEN and not fatal:
            host, port = query.delivery.client
            fatal = (
                f"plugin/loop: Loop ({text4(host)}:{port} -> :{query.server.port}) detected for zone "
                f'"{self.zone}", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO {name}"'
            )
        query.memory[LOOKING] = (name, count, fatal)
        return Reply(rcode="SERVFAIL") if fatal else next(query)
