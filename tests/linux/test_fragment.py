"""Cutting and joining: every byte once, in eights, in any order of arrival; and on the wire the very same bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.linux.addr import ip4
from engine.linux.fragment import cut, cut_at, joined
from engine.linux.packet import Icmp, IPv4, Layer, Packet, Payload, Tcp, Udp
from engine.linux.wire.encode import Wire
from engine.shell.dissect import Dissector

HEADERS: tuple[Layer, ...] = (
    Udp(sport=5, dport=9),
    Icmp(type=8, ident=3, seq=1),
    Tcp(sport=5, dport=9, flags="PA"),
)


def datagram(size: int, header: Layer = HEADERS[0]) -> Packet:
    proto = {Udp: 17, Icmp: 1, Tcp: 6}[type(header)]
    ip = IPv4(src=ip4("10.0.0.1"), dst=ip4("10.0.0.2"), proto=proto, df=False, ident=7)
    return Packet((ip, header, Payload(protocol="echo", text="x" * size, size=size)))


@given(
    st.integers(1, 9000), st.sampled_from(HEADERS), st.integers(68, 1500), st.integers(68, 1500), st.randoms()
)
def test_cut_twice_and_joined(size: int, header: Layer, first: int, second: int, order: object) -> None:
    whole = datagram(size, header)
    pieces = [small for piece in cut(whole, first) for small in cut(piece, second)]
    assert all(piece.length() <= max(second, 28) for piece in pieces)
    assert all(piece.ip.mf for piece in pieces[:-1]) and not pieces[-1].ip.mf
    assert all((piece.length() - 20) % 8 == 0 for piece in pieces[:-1])
    order.shuffle(pieces)  # type: ignore[attr-defined]
    assert joined(pieces) == whole
    if len(pieces) > 1:
        assert joined(pieces[1:]) is None


@given(st.integers(2000, 9000), st.integers(576, 1500))
def test_the_bytes_are_the_datagrams(size: int, mtu: int) -> None:
    whole = datagram(size)
    pieces = cut(whole, mtu)
    assert b"".join(Wire().frame(piece)[34:] for piece in pieces) == Wire().frame(whole)[34:]


def test_cut_where_it_was_cut() -> None:
    whole = datagram(100)
    assert [piece.length() for piece in cut_at(whole, (48, 16, 44))] == [68, 36, 64]
    assert joined(cut_at(whole, (48, 16, 44))) == whole


@pytest.mark.parametrize(
    ("header", "lines"),
    [
        (HEADERS[0], ["10.0.0.1.5 > 10.0.0.2.9: UDP, length 3000", "10.0.0.1 > 10.0.0.2: ip-proto-17"]),
        (HEADERS[1], ["10.0.0.1 > 10.0.0.2: ICMP echo request, id 3, seq 1, length 1480",
                      "10.0.0.1 > 10.0.0.2: ip-proto-1"]),
    ],
)  # fmt: skip
def test_as_tcpdump_tells_it(header: Layer, lines: list[str]) -> None:
    """tcpdump 4.99 -n: only the first fragment shows what it carries."""
    told = [Dissector().ip(piece, 0.0) for piece in cut(datagram(3000, header), 1500)]
    assert told == [lines[0], lines[1], lines[1]]
