"""Corners of nft that random rulesets found: ports in a rule about ICMP, the routing question about what came by lo.

The right column is what nftables 1.0.6 lists. tests/real/test_nft.py sends packets through the same rules.
"""

from __future__ import annotations

import pytest

from engine.errors import NotModelled
from engine.linux.addr import ip4
from engine.linux.choose import Seeded
from engine.linux.exchange import Call, ping_call
from engine.linux.net import Net
from engine.linux.nft.text import Style, table_text
from engine.linux.nft.types import Loadable
from tests.real.nft_rules import world

HEAD = (
    " set ports { type inet_service; elements = { 80 }; }\n"
    " map marks { type inet_service : mark; elements = { 80 : 1 }; }\n"
    " map verdicts { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
)


def made(rule: str, family: str = "ip") -> Net:
    return world(f"table {family} t {{\n{HEAD} chain c {{ {rule}\n }}\n}}\n")


def line(net: Net, names: dict[int, str] | None = None) -> str:
    (table,) = net.spaces["node"].nft.tables.values()
    style = Style(names={} if names is None else names)
    return table_text(table, style).split("chain c {\n")[1].splitlines()[0].strip()


@pytest.mark.parametrize("family", ("ip", "inet"))
@pytest.mark.parametrize(
    ("rule", "listed"),
    [
        ("icmp type echo-request th dport 1-1000", "icmp type echo-request icmp checksum 1-1000"),
        ("icmp code 3 th dport != 80", "icmp code port-unreachable icmp checksum != 80"),
        ("meta l4proto icmp th dport { 1, 2 }", "icmp checksum { 1, 2 }"),
        ("meta l4proto icmp th sport 53", "icmp type echo-reply icmp code 53"),
        (
            "icmp type != 8 th sport != 53",
            "icmp type != echo-request icmp type != echo-reply icmp code != 53",
        ),
        ("icmp type 8 th dport @ports", "icmp type echo-request icmp checksum @ports"),
        (
            "icmp type 8 meta mark set th dport map @marks",
            "icmp type echo-request meta mark set icmp checksum map @marks",
        ),
        (
            "icmp type 8 ip daddr . meta l4proto . th dport vmap @verdicts",
            "icmp type echo-request ip daddr . meta l4proto . icmp checksum vmap @verdicts",
        ),
        ("tcp dport 80 meta mark set th sport map @marks", "tcp dport 80 meta mark set tcp sport map @marks"),
        ("tcp dport 80 th sport set 5", "tcp dport 80 tcp sport set 5"),
    ],
)
def test_a_port_is_what_lies_there(rule: str, listed: str, family: str) -> None:
    assert line(made(rule, family)) == listed


def test_what_nft_lists_and_does_not_take_back_is_written_as_it_takes_it() -> None:
    names = Loadable({})
    into_map = made("icmp type 8 ip daddr . meta l4proto . th dport vmap @verdicts")
    assert line(into_map, names) == (
        "icmp type echo-request meta l4proto icmp ip daddr . meta l4proto . th dport vmap @verdicts"
    )
    assert line(made("meta l4proto icmp th dport 53"), names) == "icmp checksum 53"


@pytest.mark.parametrize(
    "rule",
    [
        "meta l4proto 99 th dport 53", "meta l4proto igmp th sport 1", "icmp type 8 th sport 1-9",
        "meta l4proto icmp th dport set 5", "icmp checksum 5",
    ],
)  # fmt: skip
def test_where_nft_prints_other_headers_or_forgets_a_question(rule: str) -> None:
    with pytest.raises(NotModelled):
        made(rule)


def pinged(rules: str, dst: str, netns: str = "node") -> tuple[Call, str]:
    """A ping, and how the counter of the last rule then reads."""
    net = world(f"table ip t {{ {rules} }}\n")
    call = ping_call(net, netns, ip4(dst), choose=Seeded(1), ident=7)
    (table,) = net.spaces["node"].nft.tables.values()
    return call, table_text(table, Style()).strip().splitlines()[-3].strip()


@pytest.mark.parametrize("hook", ("prerouting", "input"))
def test_what_came_by_lo_is_not_looked_up(hook: str) -> None:
    """nft_fib_can_skip: `lo` is the answer, where the table has a local route and would give none."""
    rule = "fib saddr . iif oif exists fib daddr oifname lo counter"
    rules = f"chain c {{ type filter hook {hook} priority 0; {rule};\n}}"
    assert pinged(rules, "192.168.10.10")[1].endswith("counter packets 2 bytes 168")


@pytest.mark.parametrize(("limit", "met"), [(83, 1), (84, 0)])
def test_what_uses_up_a_quota_is_within_it(limit: int, met: int) -> None:
    rules = f"chain c {{ type filter hook prerouting priority 0; icmp type 8 quota over {limit} bytes counter;\n}}"
    assert pinged(rules, "192.168.10.10")[1].endswith(f"counter packets {met} bytes {met * 84}")


def test_an_echo_reply_is_taken_from_anybody() -> None:
    """ping_lookup asks for the identifier; who sent the reply is told, and ping says that it is another."""
    rules = (
        "chain d { type nat hook prerouting priority -100; ip daddr 10.96.0.10 dnat to 10.244.1.3;\n}\n"
        "chain r { type filter hook prerouting priority -300; ip saddr 10.244.1.3 counter notrack;\n}"
    )
    call, _ = pinged(rules, "10.96.0.10", "ext")
    assert (call.error, call.icmp_from) == ("", ip4("10.244.1.3"))
