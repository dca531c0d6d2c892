"""Rules from random parts: what is printed can be read again, and is then printed the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.linux.nft.lexer import NftError, tokens
from engine.linux.nft.read_rule import RuleReader
from engine.linux.nft.rule import Rule
from tests.real.nft_rules import CHANGES, DNATS, MAPS, MATCHES, REJECTS, SNATS, world

#: sets without elements, of the types that the random rules ask for
NET = world(
    "table ip t { chain user1 { }\n chain user2 { }\n set addrs { type ipv4_addr; }\n set nets { type ipv4_addr; }\n"
    " set pairs { type ipv4_addr . inet_service; flags interval; }\n set seen { type ipv4_addr; flags dynamic; }\n"
    " set counted { type ipv4_addr; flags dynamic; }\n map marks { type inet_service : mark; }\n counter hits { }\n"
    " map verdicts { type ipv4_addr . inet_proto . inet_service : verdict; }\n}\n"
)
TABLE = NET.spaces["node"].nft.tables["ip", "t"]
#: what nft itself does not read back as it was: see docs/lab-notes/nftables.md
ENDS = ("", "accept", "drop", "return", "jump user1", *MAPS, *REJECTS, *DNATS, *SNATS)


def read(text: str, family: str) -> Rule:
    reader = RuleReader(
        tokens(text + "\n"), family=family, sets=TABLE.sets, objects=TABLE.objects,
        devices=dict(NET.spaces["node"].names),
    )  # fmt: skip
    return reader.rule().rule


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from((*MATCHES, *CHANGES, "counter")), min_size=1, max_size=4, unique=True),
    st.sampled_from(ENDS),
    st.sampled_from(("ip", "inet")), st.sampled_from(("", ' comment "a b"')),
)  # fmt: skip
def test_a_rule_is_read_as_it_is_printed(parts: list[str], end: str, family: str, comment: str) -> None:
    words = " ".join(p for p in (*parts, end) if p) + comment
    if words.count("protocol tcp") + words.count("l4proto tcp") > 1:
        return  # of two questions about one thing nft leaves out one each time
    try:
        rule = read(words, family)
    except NftError:
        return  # two headers that exclude each other, a port without a protocol
    names = {i: link.name for i, link in NET.spaces["node"].links.items()}
    text = rule.text(names, stateless=True)
    if "reject with tcp reset" in text and "tcp" not in text.split("reject")[0]:
        return  # what nft leaves out there it does not put back at the same place
    if "th dport" in words and "l4proto { tcp, udp }" in words:
        return  # nft prints `th` by the first protocol and then refuses its own words ("conflicting protocols")
    if "icmp checksum" in text:
        return  # what `th dport` of an ICMP message is listed as, and nobody asks for (test_corners.py)
    again = read(text, family)
    assert again.text(names, stateless=True) == text
    assert again == rule
