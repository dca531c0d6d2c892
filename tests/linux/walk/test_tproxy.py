"""TPROXY: a connection to somebody else's address ends in a socket here, and where a bridge spoils that.

Measured on Linux 6.18 with the same commands: from a port of a bridge the connection is taken with
bridge-nf-call-iptables=0 and times out with 1, because the frame's socket is forgotten on the way up and no RST may
leave from an address that is not the machine's.
"""

from __future__ import annotations

import pytest

from engine.linux import ops
from engine.linux.addr import ip4
from engine.linux.journey import Outcome
from engine.linux.rows import Socket
from tests.linux.walk.wires import Wires

RULES = """
sysctl -w net.ipv4.ip_forward=1
ip rule add fwmark 1 lookup 100
ip route add local default dev lo table 100
iptables -t mangle -A PREROUTING -p tcp --dport 80 -j TPROXY --on-port 15001 --tproxy-mark 1
"""
BRIDGED = """
ip link add br0 type bridge
ip addr add 10.0.0.1/24 dev br0
ip link set br0 up
wire h v0 - pod eth0 10.0.0.2/24
ip link set v0 master br0
pod: ip route add default via 10.0.0.1
"""
ROUTED = """
wire h v0 10.0.0.1/24 pod eth0 10.0.0.2/24
pod: ip route add default via 10.0.0.1
"""


def proxy(script: str) -> Wires:
    w = Wires(script + RULES)
    w.world.do(ops.StartProc(box="h", args=("envoy",), netns="h"))
    row = Socket(proto="tcp", addr=0, port=15001, pid=max(w.net.boxes["h"].procs), transparent=True)
    w.world.do(ops.Listen(netns="h", socket=row))
    return w


def test_the_proxy_takes_the_connection_as_if_it_were_the_server() -> None:
    call = proxy(ROUTED).tcp("pod", "10.9.9.9", 80)
    assert call.outcome is Outcome.DELIVERED and call.response is not None
    assert call.server == ("h", ip4("10.9.9.9"), 80) and call.peer == (ip4("10.9.9.9"), 80)


@pytest.mark.parametrize(("call_iptables", "error"), [("0", ""), ("1", "ETIMEDOUT")])
def test_from_a_bridge_port(call_iptables: str, error: str) -> None:
    w = proxy(BRIDGED)
    w.type(f"sysctl -w net.bridge.bridge-nf-call-iptables={call_iptables}")
    call = w.tcp("pod", "10.9.9.9", 80, timeout=2.0)
    assert call.error == error
    if error:
        last = call.leg.forward.last
        assert (
            last is not None
            and last.why is not None
            and "not an address of this machine" in last.why.text("en")
        )
