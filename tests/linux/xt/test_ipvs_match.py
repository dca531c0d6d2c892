"""-m ipvs as iptables 1.8.9 wrote, listed and refused it in a kernel that has the match (Linux 6.1, user-mode)."""

from __future__ import annotations

import pytest

from engine.linux.xt import parse
from engine.linux.xt.options import Problem

#: what was typed, what iptables-save printed, what `iptables -nvL` printed at the end of its line
GOLDEN = (
    (
        "-s 1.2.3.4 -m ipvs --vaddr 1.2.3.4 --vproto tcp --vport 80 -j DROP",
        "-A OUTPUT -s 1.2.3.4/32 -m ipvs --vproto 6 --vaddr 1.2.3.4 --vport 80 -j DROP",
        "vproto 6 vaddr 1.2.3.4 vport 80",
    ),
    (
        "-m ipvs --vproto udp --vport domain ! --vaddr 1.2.3.0/24 -j DROP",
        "-A OUTPUT -m ipvs --vproto 17 ! --vaddr 1.2.3.0/24 --vport 53 -j DROP",
        "vproto 17 ! vaddr 1.2.3.0/24 vport 53",
    ),
    ("-m ipvs --ipvs -j DROP", "-A OUTPUT -m ipvs --ipvs -j DROP", "ipvs"),
    ("-m ipvs ! --ipvs -j DROP", "-A OUTPUT -m ipvs ! --ipvs -j DROP", "! ipvs"),
    (
        "-m ipvs --ipvs --vdir ORIGINAL --vmethod GATE -j DROP",
        "-A OUTPUT -m ipvs --vdir ORIGINAL --vmethod GATE -j DROP",
        "vdir ORIGINAL vmethod GATE",
    ),
    ("-m ipvs --vport 80 -j DROP", "-A OUTPUT -m ipvs --vport 80 -j DROP", "vport 80"),
)
REFUSED = (
    (
        "-m ipvs ! --ipvs --vdir REPLY --vmethod MASQ -j DROP",
        "! --ipvs cannot be together with other options",
    ),
    ("-m ipvs -j DROP", "IPVS: At least one option is required"),
    ("-m ipvs --vdir FOO -j DROP", 'ipvs: Bad value for "--vdir" option: "FOO"'),
    ("-m ipvs --vmethod FOO -j DROP", 'ipvs: Bad value for "--vmethod" option: "FOO"'),
)


@pytest.mark.parametrize(("typed", "saved", "listed"), GOLDEN)
def test_it_is_saved_and_listed_as_iptables_does(typed: str, saved: str, listed: str) -> None:
    rule = parse.rule(typed)
    assert rule.text("OUTPUT") == saved
    assert rule.matches[-1].listing(True, 0) == f" {listed}"
    assert parse.rule(saved.removeprefix("-A OUTPUT ")) == rule


@pytest.mark.parametrize(("typed", "why"), REFUSED)
def test_it_is_refused_in_iptables_words(typed: str, why: str) -> None:
    with pytest.raises(Problem) as found:
        parse.rule(typed)
    assert found.value.message.strip() == why


@pytest.mark.parametrize("language", ["en", "ko"])
def test_it_says_what_it_asks(language: str) -> None:
    said = parse.rule(GOLDEN[0][0]).matches[-1].why().text(language)
    assert "1.2.3.4" in said and "80" in said
