"""Random lines of ip and bridge, run by the model and by the kernel: same words, same exit code, same rows after.

What the kernel does a while later (link watch: carrier, linkdown) is left out; transcripts cover it. Left out too: a
port given to a device that is no bridge (the kernel refuses, but has taken it out of its old bridge by then), and
neighbours on lo (the kernel keeps them all under 0.0.0.0), and IPv6 multicast.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest

from tests.linux.kernel import Kernel
from tests.linux.replay import Replay
from tests.tools import need

need("unshare", "userns", "ip", "bridge")

DEVICES = ("veth0", "veth1", "veth2", "veth3", "br0", "br1", "lo")
LOCAL = ("10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.129", "172.16.0.1")
LENGTHS = ("8", "16", "24", "24", "25", "30", "31", "32")
PREFIXES = (
    "default",
    "10.0.0.0/8",
    "10.0.1.0/24",
    "10.0.1.128/25",
    "1.2.3.4",
    "1.2.0.0/16",
    "0.0.0.0/1",
    "10.0.1.0/23",
)
GATEWAYS = ("10.0.0.2", "10.0.1.1", "10.0.1.200", "10.0.0.255", "172.16.0.9", "9.9.9.9", "127.0.0.1")
TABLES = ("", "", "", "table 100", "table 101", "table local", "table main")
LOOK = (
    "ip -4 addr",
    "ip link",
    "ip route show table all",
    "ip rule",
    "bridge fdb",
    "ip neigh show nud permanent",
)
#: what the link watch changes late
LATE = re.compile(r"NO-CARRIER,|,LOWER_UP|,M-DOWN|state [A-Z]+ |linkdown ")

ROUTE_VERBS = ("add", "add", "add", "replace", "append", "change", "prepend")
FDB_VERBS = ("add", "replace", "del")


def line(rng: random.Random) -> str:
    """One command that a person might type."""
    dev = rng.choice(DEVICES)
    port = rng.choice(DEVICES[:-1])
    wide, narrow = rng.choice(("link", "host", "global")), rng.choice(("link", "host"))

    def maybe(chance: float, text: str) -> str:
        return f" {text}" if rng.random() < chance else ""

    def route() -> str:
        kind = rng.choice(("", "", "", "", "", "blackhole ", "unreachable ", "local ", "throw "))
        via = maybe(0.6, f"via {rng.choice(GATEWAYS)}")
        return (
            f"{kind}{rng.choice(PREFIXES)}{via}{maybe(0.5, f'dev {dev}')}{maybe(0.3, f'metric {rng.randint(1, 2)}')}"
            f"{maybe(0.2, f'src {rng.choice(LOCAL)}')} {rng.choice(TABLES)}{maybe(0.1, 'onlink')}"
            f"{maybe(0.1, 'proto static')}{maybe(0.1, f'scope {wide}')}"
            f"{maybe(0.1, 'mtu 1400')}"
        )

    makers: tuple[tuple[int, Callable[[], str]], ...] = (
        (4, lambda: f"ip link set {dev} {rng.choice(('up', 'up', 'down'))}"),
        (2, lambda: f"ip link set {dev} {rng.choice(('master br0', 'master br1', 'nomaster'))}"),
        (1, lambda: f"ip link set {port} mtu {rng.choice((60, 1000, 1400, 1500, 9000))}"),
        (1, lambda: f"ip link set {dev} address 02:00:00:00:01:0{rng.randint(0, 9)}"),
        (1, lambda: f"ip link set {dev} name {rng.choice(DEVICES)}"),
        (5, lambda: f"ip addr add {rng.choice(LOCAL)}/{rng.choice(LENGTHS)}{maybe(0.3, 'brd +')} dev {dev}"
                    f"{maybe(0.15, f'scope {narrow}')}"),
        (2, lambda: f"ip addr del {rng.choice(LOCAL)}/{rng.choice(LENGTHS)} dev {dev}"),
        (1, lambda: f"ip addr flush dev {dev}{maybe(0.5, 'scope link')}"),
        (8, lambda: f"ip route {rng.choice(ROUTE_VERBS)} {route()}"),
        (3, lambda: f"ip route del {route()}"),
        (1, lambda: f"ip route flush {rng.choice(('table 100', 'proto static', 'root 10.0.0.0/8', f'dev {dev}'))}"),
        (4, lambda: f"ip route get {rng.choice((*LOCAL, *GATEWAYS, '1.2.3.4', '10.0.1.255'))}"
                    f"{maybe(0.3, f'oif {dev}')}{maybe(0.2, f'from {rng.choice(LOCAL)}')}{maybe(0.2, 'mark 7')}"),
        (2, lambda: f"ip rule {rng.choice(('add', 'add', 'del'))}{maybe(0.4, f'from {rng.choice(PREFIXES[1:])}')}"
                    f"{maybe(0.3, 'fwmark 7')}{maybe(0.2, f'iif {dev}')}{maybe(0.2, 'not')}"
                    f" table {rng.choice((100, 101, 'main'))}"
                    f"{maybe(0.3, f'pref {rng.randint(1, 3)}')}"),
        (1, lambda: f"ip neigh {rng.choice(('add', 'replace', 'change', 'del'))} {rng.choice(GATEWAYS)} dev {port} "
                    f"lladdr 02:00:00:00:02:0{rng.randint(0, 3)}"),
        (1, lambda: f"bridge fdb {rng.choice(FDB_VERBS)} 02:00:00:00:01:0{rng.randint(0, 9)} dev {dev} master static"),
        (1, lambda: f"ip link del {rng.choice(('br1', 'veth2'))}"),
        (1, lambda: "ip link add br1 address 02:00:00:00:00:b1 type bridge"),
        (1, lambda: "ip link add veth2 address 02:00:00:00:00:12 type veth peer name veth3 address 02:00:00:00:00:13"),
    )  # fmt: skip
    weights = [weight for weight, _ in makers]
    return rng.choices([make for _, make in makers], weights)[0]()


SETUP = (
    "ip link set lo up",
    "ip link add br0 address 02:00:00:00:00:b0 type bridge",
    "ip link add veth0 address 02:00:00:00:00:10 type veth peer name veth1 address 02:00:00:00:00:11",
    "ip link set veth0 up",
    "ip link set veth1 up",
    "ip addr add 10.0.0.1/24 dev veth0",
)


def compare(seed: int, length: int) -> None:
    rng = random.Random(seed)
    done: list[str] = []
    model = Replay()
    with Kernel() as kernel:
        for text in (*SETUP, *(line(rng) for _ in range(length))):
            text = " ".join(text.split())
            done.append(text)
            for look in (text, *LOOK):
                have, want = late(model.run(look)), late(kernel.run(look))
                assert have == want, "\n".join([*done, f"--- {look}", *difference(have, want)])


def difference(have: tuple[list[str], str, int], want: tuple[list[str], str, int]) -> list[str]:
    """The lines that only one side has: `model` or `kernel` before each."""
    mine, theirs = (
        [*have[0], *have[1].splitlines(), str(have[2])],
        [*want[0], *want[1].splitlines(), str(want[2])],
    )
    return [f"model  {x}" for x in mine if x not in theirs] + [f"kernel {x}" for x in theirs if x not in mine]


def late(answer: tuple[str, str, int]) -> tuple[list[str], str, int]:
    """Without what comes late; the lines of fdb and neigh in one order."""
    stdout, stderr, code = answer
    rows = [LATE.sub("", text).rstrip() for text in stdout.splitlines() if not text.startswith("33:33")]
    return sorted(rows), stderr, code


@pytest.mark.parametrize("seed", range(4))
def test_random_lines(seed: int) -> None:
    compare(seed, 50)
