"""What nft's rules do to packets in the model: steps with the element that decided, several chains at a hook."""

from __future__ import annotations

import pytest

from engine.errors import NotModelled
from engine.linux.hashing import jhash, scaled
from engine.linux.journey import Outcome, Step, StepKind
from engine.linux.net import Net
from engine.linux.nft.refused import NftRefused
from engine.linux.nft.text import Style, table_text
from engine.linux.ops import NftApply, apply
from engine.linux.walk import hooks
from tests.real.nft_rules import KUBE_PROXY, world


def rules(net: Net, netns: str, proto: str, dst: str, port: int) -> tuple[Outcome, list[Step]]:
    """How a flow's first packet ended, and the steps of nft's rules in it."""
    from engine.linux.choose import Seeded
    from engine.real.compare import Flow, model_call

    call = model_call(net, Flow(netns=netns, proto=proto, dst=dst, dport=port, sport=40000), Seeded(1))
    found = [
        s for s in call.leg.forward.steps() if s.kind in (StepKind.RULE, StepKind.POLICY) and " " in s.table
    ]
    return call.outcome, found


def test_the_element_of_a_verdict_map_is_named() -> None:
    outcome, steps = rules(world(KUBE_PROXY), "node/p1", "tcp", "10.96.0.66", 80)
    assert outcome is Outcome.REJECTED
    deciding = next(s for s in steps if s.chain == "service-endpoints-check")
    assert deciding.verdict == "goto"
    assert deciding.table == "ip kube-proxy"
    assert deciding.why is not None
    for lang in ("en", "ko"):
        assert "10.96.0.66 . tcp . 80 : goto reject-chain" in deciding.why.text(lang)
    assert deciding.row.startswith("ip daddr . meta l4proto . th dport vmap @no-endpoint-services # handle ")
    assert [s.verdict for s in steps][-1] == "reject"


def test_an_affinity_lasts_as_long_as_its_set_says() -> None:
    net = world(KUBE_PROXY)
    first = rules(net, "node/p1", "udp", "10.96.0.20", 53)[1]
    assert [s.number for s in first if s.chain == "service-DNS"] == [2]
    there = net.spaces["node"].nft.tables["ip", "kube-proxy"].sets["affinity-DNS"]
    assert len(there.alive(net.clock)) == 1
    for ns in net.spaces.values():
        ns._conntrack = None
    again = rules(net, "node/p1", "udp", "10.96.0.20", 53)[1]
    assert [s.number for s in again if s.chain == "service-DNS"] == [1]
    net.clock += 3 * 3600 + 1
    for ns in net.spaces.values():
        ns._conntrack = None
    late = rules(net, "node/p1", "udp", "10.96.0.20", 53)[1]
    assert [s.number for s in late if s.chain == "service-DNS"] == [2]


def test_accept_ends_only_its_own_chain_and_drop_ends_all() -> None:
    net = world(
        "table ip a { chain first { type filter hook forward priority -5; accept; }\n"
        " chain second { type filter hook forward priority 5; counter drop; }\n}\n"
    )
    outcome, steps = rules(net, "ext", "udp", "10.244.1.2", 53)
    assert outcome is Outcome.DROPPED
    assert [(s.chain, s.verdict) for s in steps] == [("first", "accept"), ("second", "drop")]
    chain = net.spaces["node"].nft.tables["ip", "a"].chains["second"]
    assert chain.cells[chain.rules[0].handle, 0] == (1, 29)


def test_what_is_registered_last_comes_first_among_equals() -> None:
    net = world("table ip a { chain x { type filter hook input priority 0; }\n}\n")
    apply(
        net,
        NftApply(
            netns="node", text="add table ip b; add chain ip b y { type filter hook input priority 0; }\n"
        ),
    )
    standing = net.spaces["node"].nft.standing("INPUT")
    assert [(key[1], name) for key, name, _ in standing] == [("b", "y"), ("a", "x")]
    assert len(hooks.registered(net.spaces["node"], "INPUT")) == len(hooks.FIXED["INPUT"]) + 2


def test_a_copy_has_its_own_counters() -> None:
    net = world("table ip a { chain x { type filter hook forward priority 0; counter; }\n}\n")
    copy = net.copy()
    rules(copy, "ext", "udp", "10.244.1.2", 53)
    texts = [table_text(n.spaces["node"].nft.tables["ip", "a"], Style()) for n in (net, copy)]
    assert "packets 0 bytes 0" in texts[0]
    assert "packets 2 bytes 58" in texts[1]


def test_a_batch_is_taken_whole_or_not_at_all() -> None:
    net = world("table ip a { chain x { }\n}\n")
    before = table_text(net.spaces["node"].nft.tables["ip", "a"], Style())
    with pytest.raises(NftRefused) as refused:
        apply(net, NftApply(netns="node", text="add rule a x accept\nadd rule a nosuch accept\n", source="f"))
    assert refused.value.printed.startswith(
        "f:2:12-17: Error: Could not process rule: No such file or directory\n"
    )
    assert table_text(net.spaces["node"].nft.tables["ip", "a"], Style()) == before


@pytest.mark.parametrize(
    "text",
    [
        "add rule a x queue", "add rule a x tproxy to :80", "add table ip6 b", "include \"x\"",
        "add rule a x meta cpu 0", "add rule a x ct helper \"ftp\"", "add rule a x rt classid 1",
        "add rule a x @nh,0,8 1",
        "add flowtable a f { hook ingress priority 0; }", "add rule a x socket mark 1", "add rule a x ip6 saddr ::1",
    ],
)  # fmt: skip
def test_what_is_not_modelled_is_refused_by_name(text: str) -> None:
    net = world("table ip a { chain x { }\n}\n")
    with pytest.raises(NotModelled):
        apply(net, NftApply(netns="node", text=text + "\n"))


def test_flush_ruleset_empties_the_tables_of_iptables_too() -> None:
    from engine.linux.ops import XtAppend
    from engine.linux.xt.parse import parse

    net = world("table ip a { chain x { }\n}\n")
    read = parse(["-A", "INPUT", "-j", "DROP"])
    apply(net, XtAppend(netns="node", table="filter", chain="INPUT", rules=read.rules))
    apply(net, NftApply(netns="node", text="flush ruleset\n"))
    assert not net.spaces["node"].nft.tables
    assert not net.spaces["node"].xt.tables


def test_jhash() -> None:
    """Against a rule of the kernel: `meta mark set jhash ip saddr mod 8 seed 0x99` (test_nft.py holds many more)."""
    assert scaled(0xFFFFFFFF, 8) == 7
    assert jhash(b"", 0) == 0xDEADBEEF
