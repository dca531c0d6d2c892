"""A machine with docker, a laptop on its LAN and a host outside, for the tests of this folder."""

from __future__ import annotations

from typing import Any

from engine.docker import load
from engine.docker.daemon import Dockerd
from engine.fabric.plan import Machine, build_fabric
from engine.l7.http import get
from engine.l7.serve import serve
from engine.linux.addr import Prefix, ip4, text4
from engine.linux.choose import Seeded
from engine.linux.exchange import Call, tcp_call
from engine.linux.net import Net
from engine.linux.ops import Changes
from engine.linux.xt.tables import builtin

MACHINES = (("dock", "192.168.10.11/24"), ("laptop", "192.168.10.21/24"), ("internet", "203.0.113.10/24"))


class Lab:
    """`net`, `changes` and the daemon of the machine `dock`."""

    def __init__(self, spec: dict[str, Any] | None = None) -> None:
        self.net = Net()
        self.changes = Changes(self.net)
        machines = [
            Machine(name=name, role="host", addresses=(Prefix.parse(text, host_bits=True),))
            for name, text in MACHINES
        ]
        build_fabric(self.changes, machines)
        self.daemon: Dockerd = load.start(self.changes, "dock", spec or {})
        self.choose = Seeded(1)

    def rules(self, table: str, netns: str = "dock") -> list[str]:
        """A table as `iptables -S` prints it: policies, user chains sorted, rules by chain."""
        chains = self.net.spaces[netns].xt.tables.get(table, {})
        own = sorted(n for n in chains if n not in builtin(table))
        out = [f"-P {n} {chains[n].policy if n in chains else 'ACCEPT'}" for n in builtin(table)]
        out += [f"-N {n}" for n in own]
        for name in (*builtin(table), *own):
            out += [r.text(name) for r in chains[name].rules] if name in chains else []
        return out

    def call(self, netns: str, address: str, port: int, timeout: float = 3.0) -> Call:
        return tcp_call(
            self.net, netns, ip4(address), port, choose=self.choose, request=get("lab").payload(), serve=serve,
            timeout=timeout,
        )  # fmt: skip

    def netns(self, container: str) -> str:
        return self.daemon.find(container).netns

    def address(self, container: str) -> str:
        return text4(next(e.address for e in self.daemon.find(container).endpoints))
