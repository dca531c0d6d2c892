"""The player's texts: every kind and outcome in both languages, with the same holes, from a step's own fields."""

from __future__ import annotations

import string

import pytest

from course.render import words
from engine.linux.addr import ip4
from engine.linux.journey import Fidelity, Outcome, Place, Step, StepKind
from engine.linux.packet import Arp, Ethernet, Icmp, IPv4, Packet, Payload, Tcp, Udp
from engine.say import Phrase

PLACE = Place(node="w1", namespace="root", netns="w1", device="cni0")


def phrases() -> list[tuple[str, Phrase]]:
    found = [(name, value) for name, value in vars(words).items() if isinstance(value, Phrase)]
    for table in ("OUTCOME_WORDS", "FIDELITY_WORDS", "KIND_WORDS", "FOLDED", "UI"):
        found += [(f"{table}[{key}]", phrase) for key, phrase in getattr(words, table).items()]
    return found


@pytest.mark.parametrize(("name", "phrase"), phrases(), ids=[n for n, _ in phrases()])
def test_both_languages_have_the_same_holes(name: str, phrase: Phrase) -> None:
    def holes(text: str) -> set[str]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field}

    assert phrase.en and phrase.ko
    assert holes(phrase.en) == holes(phrase.ko)


def test_english_needs_no_glyph_that_ascii_lacks() -> None:
    assert [name for name, phrase in phrases() if not phrase.en.isascii()] == []


@pytest.mark.parametrize("kind", StepKind)
def test_every_kind_has_a_clause(kind: StepKind) -> None:
    packet = Packet((IPv4(src=ip4("10.0.0.1"), dst=ip4("10.0.0.2"), proto=6), Tcp(sport=1, dport=80)))
    for step in (
        Step(kind=kind, place=PLACE),
        Step(kind=kind, place=PLACE, before=packet, after=packet, row="x dev y", table="nat", chain="C", number=3,
             verdict="jump", hook="PREROUTING"),
        Step(kind=kind, place=PLACE, before=packet, after=packet.with_ip(dst=5, src=6).with_l4(dport=8080)),
    ):  # fmt: skip
        english, korean = (words.clause(step).text(lang) for lang in ("en", "ko"))
        assert english and korean
        assert "{" not in english + korean
        assert any("가" <= c <= "힣" for c in korean) or kind in (
            StepKind.CONNTRACK,
            StepKind.RULE,
            StepKind.BPF,
        )


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_word(outcome: Outcome) -> None:
    assert words.OUTCOME_WORDS[outcome]().text("en") and words.OUTCOME_WORDS[outcome]().text("ko")


def test_every_fidelity_has_a_word() -> None:
    assert set(words.FIDELITY_WORDS) == set(Fidelity)


def step(kind: StepKind, before: Packet | None = None, after: Packet | None = None, **more: object) -> Step:
    return Step(kind=kind, place=PLACE, before=before, after=after, **more)  # type: ignore[arg-type]


IP = IPv4(src=ip4("10.244.1.5"), dst=ip4("10.96.0.10"), proto=17)
QUESTION = Packet((IP, Udp(sport=5000, dport=53), Payload(protocol="dns", text="A? web. #7 rd", size=40)))


def said(text: str) -> Packet:
    """A DNS answer with this text."""
    return Packet((IP, Udp(sport=53, dport=5000), Payload(protocol="dns", text=text, size=80)))


ASK = Packet(
    (
        Ethernet(src=1, dst=0xFFFFFFFFFFFF),
        Arp(op=1, sender_mac=1, sender_ip=ip4("10.0.0.1"), target_ip=ip4("10.0.0.2")),
    )
)


@pytest.mark.parametrize(
    ("made", "want"),
    [
        (step(StepKind.NAT, QUESTION, QUESTION.with_ip(dst=ip4("10.244.2.7"))), "destination becomes 10.244.2.7:53"),
        (step(StepKind.NAT, QUESTION, QUESTION.with_ip(src=ip4("192.168.10.1"))), "source becomes 192.168.10.1:5000"),
        (step(StepKind.BRIDGE, ASK, ASK, verdict="flood"), "floods: out of every other port"),
        (step(StepKind.BRIDGE, QUESTION, QUESTION, row="0a:58:0a:f4:01:06 dev veth7 master cni0"),
         "fdb: that MAC is behind veth7"),
        (step(StepKind.ARP, ASK), "is asked for 10.0.0.2"),
        (step(StepKind.RULE, QUESTION, table="nat", chain="KUBE-SERVICES", number=17, verdict="jump"),
         "nat KUBE-SERVICES 17: jump"),
        (step(StepKind.ROUTE, QUESTION, row="default via 10.244.1.1 dev eth0"),
         "route: default via 10.244.1.1 dev eth0"),
        (step(StepKind.DROP, QUESTION, outcome=Outcome.NO_ROUTE), "ends here: no route"),
    ],
)  # fmt: skip
def test_clauses_tell_what_the_step_says(made: Step, want: str) -> None:
    assert words.clause(made).text("en") == want


@pytest.mark.parametrize(
    ("packet", "word", "to"),
    [
        (ASK, "ARP request", "who has 10.0.0.2?"),
        (QUESTION, "DNS A?", "10.96.0.10:53 A?"),
        (
            said("NOERROR A? web. #7 aa rd | web. 30 A 10.96.71.20"),
            "A 10.96.71.20",
            "10.96.0.10 A 10.96.71.20",
        ),
        (
            said("NOERROR AAAA? web. #7 aa rd | auth local. 30 SOA ns. 1 2"),
            "DNS no AAAA",
            "10.96.0.10 no AAAA",
        ),
        (
            said("NXDOMAIN A? web. #7 aa rd | auth local. 30 SOA ns. 1 2"),
            "DNS NXDOMAIN",
            "10.96.0.10 NXDOMAIN",
        ),
        (Packet((IP, Icmp(type=8))), "ICMP echo request", "10.96.0.10"),
        (Packet((IP, Tcp(sport=1, dport=80, flags="SA"))), "TCP SYN-ACK", "10.96.0.10:80"),
        (Packet((Ethernet(src=1, dst=2),)), "frame", "00:00:00:00:00:02"),
    ],
)
def test_a_packet_in_a_word(packet: Packet, word: str, to: str) -> None:
    assert words.short(packet).text("en") == word
    assert words.destination(packet).text("en") == to
