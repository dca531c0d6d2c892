"""Rules print themselves and read themselves back; every rule says what it does in both languages."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import NotModelled
from engine.linux.xt.extensions import OTHER_MATCHES, OTHER_TARGETS
from engine.linux.xt.names import service_name, service_port
from engine.linux.xt.options import Problem
from engine.linux.xt.parse import (
    BadArgument,
    HelpAsked,
    OtherFamily,
    VersionAsked,
    parse,
    rule,
    rules,
    split,
)
from engine.linux.xt.target import Plain
from tests.linux.xt.making import texts

CHAINS = [("FORWARD", "filter"), ("OUTPUT", "nat"), ("POSTROUTING", "nat"), ("PREROUTING", "mangle")]
drawn = st.sampled_from(CHAINS).flatmap(lambda where: texts(*where))


@given(drawn)
@settings(max_examples=400)
def test_print_parse_print(text: str) -> None:
    first = rule(text)
    printed = " ".join(first.words())
    again = rule(printed)
    assert again == first
    assert " ".join(again.words()) == printed


@given(drawn)
def test_every_rule_speaks_both_languages(text: str) -> None:
    said = rule(text).why()
    assert said.text("en") and said.text("ko")
    assert any("가" <= c <= "힣" for c in said.text("ko"))


pieces = st.sampled_from(
    ["-A", "-j", "-s", "-d", "-p", "-m", "!", "-i", "tcp", "--dport", "x", ",", "/", "1.2.3.4"]
)


@given(st.lists(st.one_of(pieces, st.text(max_size=9))))
def test_no_command_line_is_a_crash(argv: list[str]) -> None:
    with contextlib.suppress(Problem, NotModelled, BadArgument, HelpAsked, OtherFamily, VersionAsked):
        parse(argv)


@pytest.mark.parametrize(
    ("text", "english", "korean"),
    [
        (
            "! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80",
            "destination port 80, did not come in by docker0: rewrite the destination to 172.17.0.2:80",
            "목적지 포트 80, docker0으로 들어오지 않음: 목적지를 172.17.0.2:80으로 바꿉니다",
        ),
        (
            "-m addrtype --dst-type LOCAL -j DOCKER",
            "destination is an address of this machine: go on in chain DOCKER",
            "목적지가 이 머신의 주소임: DOCKER 체인에서 계속 검사합니다",
        ),
        (
            "-m addrtype ! --dst-type LOCAL -j DOCKER",
            "destination is not an address of this machine: go on in chain DOCKER",
            "목적지가 이 머신의 주소가 아님: DOCKER 체인에서 계속 검사합니다",
        ),
        (
            "! -s 10.244.0.0/16 -p tcp -m multiport ! --dports 80,443 -j RETURN",
            "destination port is not 80,443, source is not 10.244.0.0/16: go back to the chain that called this one",
            "목적지 포트가 80,443이 아님, 출발지가 10.244.0.0/16이 아님: 이 체인을 부른 체인으로 돌아갑니다",
        ),
        ("-j DROP", "every packet: throw it away in silence", "모든 패킷: 아무 응답 없이 버립니다"),
        (
            "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "connection state RELATED,ESTABLISHED: let it through",
            "연결 상태 RELATED,ESTABLISHED: 통과시킵니다",
        ),
    ],
)
def test_the_sentence_of_a_rule(text: str, english: str, korean: str) -> None:
    said = rule(text).why()
    assert (said.text("en"), said.text("ko")) == (english, korean)


def test_a_list_of_addresses_is_several_rules() -> None:
    both = rules("-s 10.0.0.1,10.0.0.2/8 -d 1.1.1.1,2.2.2.2 -j DROP")
    assert [" ".join(r.words()[:4]) for r in both] == [
        "-s 10.0.0.1/32 -d 1.1.1.1/32", "-s 10.0.0.1/32 -d 2.2.2.2/32",
        "-s 10.0.0.0/8 -d 1.1.1.1/32", "-s 10.0.0.0/8 -d 2.2.2.2/32",
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(OTHER_MATCHES))
def test_other_matches_are_refused_by_name(name: str) -> None:
    with pytest.raises(NotModelled, match=f"-m {name}"):
        rule(f"-p tcp -m {name} -j ACCEPT")


@pytest.mark.parametrize("name", sorted(OTHER_TARGETS))
def test_other_targets_are_refused_by_name(name: str) -> None:
    with pytest.raises(NotModelled, match=f"-j {name}"):
        rule(f"-j {name}")


@pytest.mark.parametrize(
    "text",
    [
        "-p tcp -j DNAT --to-destination 1.1.1.1:80-90/5", "-s 10.0.0.0/255.0.255.0",
        "-j SET --map-set a src --map-prio",
        "-m pkttype --pkt-type otherhost",
    ],
)  # fmt: skip
def test_parts_that_are_not_modelled_stop(text: str) -> None:
    with pytest.raises(NotModelled):
        rule(text)


def test_a_verdict_refuses_to_be_wrong() -> None:
    with pytest.raises(ValueError):
        Plain(word="maybe")


def test_split_reads_what_iptables_save_quotes() -> None:
    assert split(r'-m comment --comment "a \"b\" \\ c"  -j  X') == [
        "-m",
        "comment",
        "--comment",
        'a "b" \\ c',
        "-j",
        "X",
    ]
    assert split('--comment ""') == ["--comment", ""]


def test_services_are_those_of_the_system() -> None:
    """Where this machine has Debian's /etc/services, the names are the same."""
    path = Path("/etc/services")
    if not path.exists() or "redis" not in path.read_text(encoding="utf-8"):
        pytest.skip("did not run for want of Debian's /etc/services (apt-get install netbase)")
    first: dict[tuple[str, int], str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split("#")[0].split()
        if len(words) > 1 and words[1].split("/")[1] in ("tcp", "udp"):
            port, proto = words[1].split("/")
            first.setdefault((proto, int(port)), words[0])
            assert service_port(proto, words[0]) is not None
    assert {key: service_name(*key) for key in first} == first
