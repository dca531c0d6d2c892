"""engine.particles: one form of each particle, by how a Korean engineer reads the word before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.particles import PAIRS, chosen, joined, last_sound
from engine.say import Phrase, plain


def words(text: str) -> list[str]:
    return text.split()


CONSONANT = words("""
파드샌드박스들은 값 10 80 8080 3 6 0 100 10.244.1.3 10.244.1.0/16 veth0 docker0 cni0 eth0 system name plane
ping POSTROUTING PREROUTING INPUT OUTPUT RETURN DROP DNS-map hop hook packet subnet socket kubelet internet timeout
block NOTRACK static MAC group web shop VXLAN IPAM ARPM VPN SYN cilium json fe80::6 `eth0` "eth0" 'cni0' [eth0]
""")
RIEUL = words("""
서울 1 7 8 w1 veth7 10.244.1.7 192.168.10.101 10.0.0.0/8 kubectl flannel table rule TTL ACL CIDR shell URL `w1` eth0:8
""")
VOWEL = words("""
파드 노드 2 4 5 9 eth2 10.244.1.2 172.16.0.0/12 TCP UDP ICMP ARP NAT DNAT MTU HTTP HTTPS RST ACK ip cni docker
containerd node route port host default client check service nginx busybox root bench 0a:00:00:00:00:0f
aa:bb:cc:dd:ee:ff 02:42:ac:11:00:0e fd00::a veth12ab 3fc0de eBPF http fdb net.d ACCEPT REJECT MASQUERADE FORWARD
50% eth+ `docker` <none>x 브리지(cni0)
""")


@pytest.mark.parametrize("word", CONSONANT)
def test_after_a_consonant(word: str) -> None:
    assert joined(f"{word}은(는) {word}(으)로 {word}(이)라는") == f"{word}은 {word}으로 {word}이라는"


@pytest.mark.parametrize("word", RIEUL)
def test_after_rieul_only_ro_is_different(word: str) -> None:
    assert joined(f"{word}을(를) {word}(으)로 {word}(이)며") == f"{word}을 {word}로 {word}이며"


@pytest.mark.parametrize("word", VOWEL)
def test_after_a_vowel(word: str) -> None:
    assert joined(f"{word}이(가) {word}(으)로 {word}와(과)") == f"{word}가 {word}로 {word}와"


def test_a_parenthesis_that_hangs_on_a_word_is_not_read() -> None:
    assert joined("파드(web)은(는)") == "파드(web)는"
    assert joined("컨테이너 (web)은(는)") == "컨테이너 (web)은"
    assert joined("{'a': (1)}을(를)") == "{'a': (1)}을"


@pytest.mark.parametrize("text", ["은(는) 없음", "—을(를)", "日本이(가)", "", "()과(와)"])
def test_what_cannot_be_read_aloud_keeps_both_forms(text: str) -> None:
    assert joined(text) == text


@given(st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1))
def test_hangul_goes_by_its_final_consonant(word: str) -> None:
    final = (ord(word[-1]) - 0xAC00) % 28
    assert joined(f"{word}은(는)") == word + ("은" if final else "는")
    assert joined(f"{word}(으)로") == word + ("으로" if final not in (0, 8) else "로")


@given(st.text(max_size=30), st.sampled_from(sorted(PAIRS)))
def test_any_text_is_answered_and_nothing_else_in_it_changes(text: str, written: str) -> None:
    sound = last_sound(text)
    out = joined(text + written)
    assert out.endswith(written if sound is None else chosen(written, sound))
    assert last_sound(f"`{text}`") == sound


@given(st.text(st.characters(exclude_characters="(")))
def test_a_text_without_alternatives_stays(text: str) -> None:
    assert joined(text) == text


def test_a_said_chooses_in_korean_only() -> None:
    phrase = Phrase("{who} (it)", "{who}이(가) {dev}(으)로")
    assert phrase(who="web", dev=plain("eth0")).text("ko") == "web이 eth0으로"
    assert phrase(who="docker", dev="w1").text("ko") == "docker가 w1로"
    assert phrase(who="web", dev="eth0").text("en") == "web (it)"
    assert plain("`eth0`을(를)").text("ko") == "`eth0`을"
