"""The walk through a table: what is stepped, counted, marked, decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.linux.addr import ip4
from engine.linux.choose import Seeded, branches
from engine.linux.conntrack import tuple_of
from engine.linux.ctproto import initial
from engine.linux.journey import Fidelity, Place, Step, StepKind
from engine.linux.net import Net, Netns
from engine.linux.ops import AddBox, Changes
from engine.linux.packet import Ethernet, Icmp, IPv4, Packet, Tcp, Udp
from engine.linux.skb import Skb
from engine.linux.xt.restore import restore_text
from engine.linux.xt.run import Verdict, run_chain
from engine.linux.xt.tables import INDEXED

PLACE = Place(node="h", namespace="root", netns="h", device="eth0")


@pytest.fixture
def net() -> Net:
    net = Net()
    Changes(net).do(AddBox(name="h"))
    return net


def load(net: Net, *rows: str, table: str = "filter", chains: str = "") -> Netns:
    text = "\n".join([f"*{table}", *(f":{c} - [0:0]" for c in chains.split()), *rows, "COMMIT", ""])
    restore_text(net, "h", text, Changes(net).do)
    return net.spaces["h"]


def tcp(dst: str = "10.0.0.2", dport: int = 80, src: str = "10.0.0.1", flags: str = "S") -> Packet:
    return Packet((IPv4(src=ip4(src), dst=ip4(dst), proto=6), Tcp(sport=40000, dport=dport, flags=flags)))


def run(
    net: Net, packet: Packet, hook: str = "FORWARD", table: str = "filter", **skb: object
) -> tuple[list[Step], Verdict]:
    made = Skb(packet=packet, iif="eth0", oif="eth1")
    for key, value in skb.items():
        setattr(made, key, value)
    return run_chain(net, net.spaces["h"], table, hook, made, PLACE, Seeded(0))


def test_a_chain_that_nobody_used_is_not_met(net: Net) -> None:
    assert run(net, tcp()) == ([], Verdict(word="accept"))
    load(net, "-A INPUT -j DROP")
    assert run(net, tcp())[0] == []


def test_every_matched_rule_is_a_step_and_the_rest_is_counted_as_visited(net: Net) -> None:
    load(
        net, "-A FORWARD -p udp -j DROP", "-A FORWARD -j x", "-A FORWARD -j ACCEPT", "-A x -s 1.1.1.1 -j DROP",
        "-A x -p tcp -m tcp --dport 80 -j MARK --set-mark 5", "-A x -d 10.0.0.9 -j DROP", chains="x",
    )  # fmt: skip
    steps, verdict = run(net, tcp())
    assert [(s.chain, s.number, s.verdict, s.visited) for s in steps] == [
        ("FORWARD", 2, "jump", 2), ("x", 2, "mark", 4), ("FORWARD", 3, "accept", 6),
    ]  # fmt: skip
    assert verdict.word == "accept" and verdict.step is steps[-1]
    assert steps[1].row == "-A x -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x5/0xffffffff"
    assert [s.mark for s in steps] == [0, 5, 5]
    assert {s.kind for s in steps} == {StepKind.RULE} and {s.fidelity for s in steps} == {
        Fidelity.KERNEL_CHECKED
    }
    assert all(s.hook == "FORWARD" and s.table == "filter" and s.place == PLACE for s in steps)


def test_policy_is_a_step_when_no_rule_decides(net: Net) -> None:
    load(net, "-P FORWARD DROP", "-A FORWARD -p udp -j ACCEPT")
    steps, verdict = run(net, tcp())
    assert [(s.kind, s.row, s.verdict, s.visited) for s in steps] == [
        (StepKind.POLICY, "-P FORWARD DROP", "drop", 1)
    ]
    assert verdict.word == "drop"
    chain = net.spaces["h"].xt.chain("filter", "FORWARD")
    assert chain is not None and (chain.policy_packets, chain.policy_bytes) == (1, 60)


def test_return_in_a_built_in_chain_is_its_policy(net: Net) -> None:
    load(net, "-P FORWARD DROP", "-A FORWARD -j RETURN", "-A FORWARD -j ACCEPT")
    steps, verdict = run(net, tcp())
    assert [s.verdict for s in steps] == ["return", "drop"] and verdict.word == "drop"


def test_goto_comes_back_to_the_callers_caller(net: Net) -> None:
    load(
        net, "-A FORWARD -j a", "-A FORWARD -j ACCEPT", "-A a -g b", "-A a -j DROP", "-A b -j MARK --set-mark 1",
        chains="a b",
    )  # fmt: skip
    steps, verdict = run(net, tcp())
    assert [(s.chain, s.verdict) for s in steps] == [
        ("FORWARD", "jump"), ("a", "goto"), ("b", "mark"), ("FORWARD", "accept"),
    ]  # fmt: skip
    assert verdict.word == "accept"


def test_goto_from_a_built_in_chain_ends_at_its_policy(net: Net) -> None:
    load(
        net, "-P FORWARD DROP", "-A FORWARD -g b", "-A FORWARD -j ACCEPT", "-A b -p udp -j ACCEPT", chains="b"
    )
    assert [s.verdict for s in run(net, tcp())[0]] == ["goto", "drop"]


@pytest.mark.parametrize("kind", ["icmp-port-unreachable", "icmp-net-unreachable", "tcp-reset"])
def test_reject_says_how(net: Net, kind: str) -> None:
    load(net, f"-A FORWARD -p tcp -j REJECT --reject-with {kind}")
    assert run(net, tcp())[1].reject == kind


def test_nat_targets_ask(net: Net) -> None:
    load(
        net, "-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.1-10.1.0.2:8080-8081 --random",
        "-A PREROUTING -p udp -j REDIRECT --to-ports 53", "-A POSTROUTING -o eth1 -j MASQUERADE --random-fully",
        table="nat",
    )  # fmt: skip
    nat = run(net, tcp(), "PREROUTING", "nat")[1].nat
    assert nat is not None and (nat.kind, nat.low, nat.high) == ("dnat", ip4("10.1.0.1"), ip4("10.1.0.2"))
    assert (nat.port_low, nat.port_high, nat.random) == (8080, 8081, True)
    udp = Packet((IPv4(src=1, dst=2, proto=17), Udp(sport=1, dport=2)))
    redirect = run(net, udp, "PREROUTING", "nat")[1].nat
    assert redirect is not None and (redirect.kind, redirect.port_low) == ("redirect", 53)
    masquerade = run(net, udp, "POSTROUTING", "nat")[1].nat
    assert masquerade is not None and (masquerade.kind, masquerade.low, masquerade.random) == (
        "masquerade",
        0,
        True,
    )


def test_conntrack_states(net: Net) -> None:
    load(
        net,
        "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A FORWARD -m conntrack --ctstate DNAT -j DROP",
    )
    assert net.spaces["h"].xt.tracks
    assert run(net, tcp(), ctstate="ESTABLISHED")[0][0].verdict == "accept"
    packet = tcp()
    key = tuple_of(packet)
    assert key is not None
    entry = initial(packet, key, 0.0)
    assert entry is not None
    assert run(net, packet, ctstate="NEW", ct=entry)[1].word == "accept"
    assert run(net, packet, ctstate="NEW", ct=replace(entry, dnat=True))[1].word == "drop"


def test_connmark_saves_and_restores(net: Net) -> None:
    ns = load(
        net, "-A FORWARD -m mark --mark 0x3 -j CONNMARK --save-mark --nfmask 0x1 --ctmask 0xf",
        "-A FORWARD -m mark --mark 0x0 -j CONNMARK --restore-mark", table="mangle",
    )  # fmt: skip
    packet = tcp()
    key = tuple_of(packet)
    assert key is not None
    entry = initial(packet, key, 0.0)
    assert entry is not None
    entry = ns.conntrack.confirm(replace(entry, mark=0xF2))
    skb = Skb(packet=packet, mark=3, ct=entry)
    run_chain(net, ns, "mangle", "FORWARD", skb, PLACE)
    assert ns.conntrack.entries[entry.id].mark == 0xF1 and skb.ct is not None and skb.ct.mark == 0xF1
    again = Skb(packet=packet, ct=skb.ct)
    run_chain(net, ns, "mangle", "FORWARD", again, PLACE)
    assert again.mark == 0xF1


def test_notrack_leaves_a_packet_untracked(net: Net) -> None:
    ns = load(net, "-A PREROUTING -j CT --notrack", table="raw")
    assert not ns.xt.tracks
    skb = Skb(packet=tcp())
    run_chain(net, ns, "raw", "PREROUTING", skb, PLACE)
    assert skb.untracked and skb.ctstate == "UNTRACKED"


def test_log_writes_the_kernels_line_in_the_root_namespace(net: Net) -> None:
    load(net, '-A FORWARD -j LOG --log-prefix "seen: "')
    frame = Ethernet(src=0x020000000001, dst=0x020000000002)
    run(net, tcp().framed(frame), mark=2)
    assert net.boxes["h"].journal[-1][1] == (
        "kernel: seen: IN=eth0 OUT=eth1 MAC=02:00:00:00:00:02:02:00:00:00:00:01:08:00 SRC=10.0.0.1 DST=10.0.0.2 LEN=60 "
        "TOS=0x00 PREC=0x00 TTL=64 ID=0 DF PROTO=TCP SPT=40000 DPT=80 WINDOW=64240 RES=0x00 SYN URGP=0 MARK=0x2 "
    )


def test_log_of_an_icmp_error_shows_what_it_quotes(net: Net) -> None:
    load(net, "-A FORWARD -j LOG")
    error = Icmp(type=3, code=4, mtu=1450, quoted=tcp())
    run(net, Packet((IPv4(src=ip4("10.0.0.9"), dst=ip4("10.0.0.1"), proto=1), error)))
    assert (
        net.boxes["h"]
        .journal[-1][1]
        .endswith(
            "PROTO=ICMP TYPE=3 CODE=4 [SRC=10.0.0.1 DST=10.0.0.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=0 DF PROTO=TCP "
            "SPT=40000 DPT=80 WINDOW=64240 RES=0x00 SYN URGP=0 ] MTU=1450 "
        )
    )


def test_physdev_asks_for_bridge_ports(net: Net) -> None:
    load(net, "-A FORWARD -m physdev --physdev-is-bridged --physdev-in veth+ -j DROP")
    assert run(net, tcp())[1].word == "accept"
    assert run(net, tcp(), physin="veth1", physout="veth2")[1].word == "drop"
    assert run(net, tcp(), physin="eth0", physout="veth2")[1].word == "accept"


def test_icmp_types(net: Net) -> None:
    load(
        net,
        "-A FORWARD -p icmp -m icmp --icmp-type 3/4 -j DROP",
        "-A FORWARD -p icmp -m icmp --icmp-type 8 -j DROP",
    )

    def icmp(kind: int, code: int) -> str:
        return run(net, Packet((IPv4(src=1, dst=2, proto=1), Icmp(type=kind, code=code))))[1].word

    assert [icmp(3, 4), icmp(3, 3), icmp(8, 0), icmp(0, 0)] == ["drop", "accept", "drop", "accept"]


def test_statistic_has_both_branches_when_all_are_judged(net: Net) -> None:
    load(net, "-A FORWARD -m statistic --mode random --probability 0.3 -j DROP")

    def once(choose: object) -> str:
        copy = net.copy()
        skb = Skb(packet=tcp())
        return run_chain(copy, copy.spaces["h"], "filter", "FORWARD", skb, PLACE, choose)[1].word  # type: ignore[arg-type]

    assert set(branches(once)) == {"drop", "accept"}


def test_statistic_is_as_frequent_as_it_says(net: Net) -> None:
    load(net, "-A FORWARD -m statistic --mode random --probability 0.25 -j DROP")
    choose = Seeded(7)
    ns = net.spaces["h"]
    drops = sum(
        run_chain(net, ns, "filter", "FORWARD", Skb(packet=tcp()), PLACE, choose)[1].word == "drop"
        for _ in range(4000)
    )
    assert 900 < drops < 1100


def test_a_long_chain_is_searched_as_a_short_one(net: Net) -> None:
    """Past INDEXED rules only those for the packet's destination are tried; steps and `visited` stay the same."""
    rows = [
        f"-A FORWARD -d 10.0.{i // 200}.{i % 200}/32 -p tcp -m tcp --dport 80 -j MARK --set-mark {i}"
        for i in range(300)
    ]
    rows.insert(150, "-A FORWARD -s 10.0.0.1 -j MARK --set-mark 0xabc")
    rows.append("-A FORWARD -j DROP")
    assert len(rows) > INDEXED
    load(net, *rows)
    steps, verdict = run(net, tcp("10.0.1.7"))
    assert [(s.number, s.visited) for s in steps] == [
        (151, 151),
        (209, 209),
        (302, 302),
    ] and verdict.word == "drop"


def test_copies_count_apart(net: Net) -> None:
    load(net, "-A FORWARD -j ACCEPT")
    copy = net.copy()
    run(copy, tcp())
    ours, theirs = (n.spaces["h"].xt.chain("filter", "FORWARD") for n in (net, copy))
    assert ours is not None and theirs is not None and (ours.packets, theirs.packets) == ([0], [1])
