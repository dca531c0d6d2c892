"""No line of words, however strange, gives a traceback: it ends in an exit code or in an error that says why."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import EngineError
from tests.linux.replay import Replay

TEXT = """addr link route rule neigh netns show add del set get flush replace change append fdb dev br0 veth0 lo nope up
    down master nomaster type veth bridge peer name mtu 1500 x 10.0.0.1 10.0.0.1/24 10/8 0x10 default all via src from
    to table main 100 metric proto static scope link host type blackhole local nud stale lladdr 02:00:00:00:00:01 exec
    p list identify 1 -j -br -o -4 -s -p -n -i -a -d -e -ltn -tulpn -rn sport = :80 ( ) not state listening showmacs
    addif addbr gw -net -host add netns help iif oif mark 7 1::2 on off hairpin self static dynamic
    broadcast + label"""
WORDS = st.sampled_from(TEXT.split()) | st.text(max_size=6)
TOOLS = st.sampled_from(["ip", "ip", "ip", "bridge", "arp", "route", "brctl", "ss", "netstat", "ifconfig"])


@settings(max_examples=400)
@given(st.lists(st.tuples(TOOLS, st.lists(WORDS, max_size=9)), min_size=1, max_size=4))
def test_no_traceback(lines: list[tuple[str, list[str]]]) -> None:
    machine = Replay()
    machine.run("ip link set lo up")
    machine.run("ip link add br0 type bridge")
    machine.run("ip link add veth0 type veth peer name veth1")
    machine.run("ip netns add p")
    for tool, words in lines:
        try:
            stdout, stderr, code = machine.argv("h", [tool, *words])
        except EngineError as error:
            assert error.text("en") and error.text("ko")
        else:
            assert isinstance(stdout, str) and isinstance(stderr, str) and 0 <= code <= 255
