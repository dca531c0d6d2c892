"""Addresses as people shorten them: what inet_aton(3) of the C library makes of the same words."""

from __future__ import annotations

import socket

from hypothesis import given
from hypothesis import strategies as st

from engine.shell.names import aton

NUMBERS = st.one_of(
    st.integers(0, 300).map(str), st.integers(0, 300).map(hex), st.integers(0, 300).map(lambda n: f"0{n:o}"),
    st.sampled_from(["", "08", "0x", "0xg", "-1", "1 ", "4294967295", "4294967296", "16777216", "65536"]),
)  # fmt: skip


@given(st.lists(NUMBERS, min_size=1, max_size=5).map(".".join))
def test_as_the_c_library_reads_it(word: str) -> None:
    try:
        real: int | None = int.from_bytes(socket.inet_aton(word), "big")
    except OSError:
        real = None
    if word.endswith(
        " "
    ):  # the library lets white space and anything after it stand; no shell hands that over
        return
    assert aton(word) == (None if " " in word else real)
