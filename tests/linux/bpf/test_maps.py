"""Maps: what bpf(2) answers, and bpftool's text of them, as the real ones gave them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import OpError
from engine.linux.addr import ip4, mask
from engine.linux.bpf import maps, text
from engine.linux.bpf.rows import KINDS, Bpf, BpfMap, Field

SERVICE = BpfMap(
    name="lb4_services", type="hash", max_entries=64,
    key=(Field("address", "be32"), Field("dport", "be16"), Field("proto", "u8"), Field("scope", "u8")),
    value=(Field("address", "be32"), Field("port", "be16"), Field("count", "u16")),
)  # fmt: skip
#: what bpftool 7.1 printed of such a map on Linux 6.18
DUMP = """\
[{
        "key": {
            "address": 167796746,
            "dport": 13568,
            "proto": 17,
            "scope": 0
        },
        "value": {
            "address": 50525194,
            "port": 13568,
            "count": 1
        }
    },{
        "key": {
            "address": 167796746,
            "dport": 20480,
            "proto": 6,
            "scope": 0
        },
        "value": {
            "address": 33747978,
            "port": 36895,
            "count": 2
        }
    }
]
"""
COUNTS = """\
[{
        "key": 0,
        "value": 0
    },{
        "key": 1,
        "value": 0
    }
]
"""
LOOKUP = """\
{
    "key": {
        "address": 167796746,
        "dport": 20480,
        "proto": 6,
        "scope": 0
    },
    "value": {
        "address": 33747978,
        "port": 36895,
        "count": 2
    }
}
"""


def services() -> tuple[Bpf, BpfMap]:
    bpf = Bpf()
    made = maps.create(bpf, SERVICE)
    vip = ip4("10.96.0.10")
    maps.update(bpf, made, (vip, 53, 17, 0), (ip4("10.244.2.3"), 53, 1))
    maps.update(bpf, made, (vip, 80, 6, 0), (ip4("10.244.2.2"), 8080, 2))
    return bpf, made


def test_dump_is_bpftools() -> None:
    bpf, made = services()
    assert text.dump(made, bpf.entries[made.id]) == DUMP
    array = maps.create(
        bpf, BpfMap(name="counts", type="array", key=(Field(""),), value=(Field(""),), max_entries=2)
    )
    assert text.dump(array, bpf.entries[array.id]) == COUNTS


def test_lookup_is_bpftools() -> None:
    bpf, made = services()
    found = maps.lookup(bpf, made, (ip4("10.96.0.10"), 80, 6, 0))
    assert found is not None
    assert text.pretty(text.entry(made, *found), 0) + "\n" == LOOKUP


def test_a_full_hash_refuses_and_an_lru_forgets_the_oldest() -> None:
    bpf = Bpf()
    for type, errno in (("hash", "E2BIG"), ("lru_hash", "")):
        made = maps.create(
            bpf, BpfMap(name=type, type=type, key=(Field(""),), value=(Field(""),), max_entries=2)
        )
        maps.update(bpf, made, (1,), (1,))
        maps.update(bpf, made, (2,), (2,))
        maps.lookup(bpf, made, (1,))
        if errno:
            with pytest.raises(OpError) as caught:
                maps.update(bpf, made, (3,), (3,))
            assert caught.value.errno == errno
        else:
            maps.update(bpf, made, (3,), (3,))
            assert set(bpf.entries[made.id]) == {(1,), (3,)}


@pytest.mark.parametrize(
    ("type", "flags", "there", "errno"),
    [
        ("hash", maps.NOEXIST, True, "EEXIST"), ("hash", maps.EXIST, False, "ENOENT"), ("hash", maps.ANY, True, ""),
        ("array", maps.NOEXIST, True, "EEXIST"), ("array", maps.ANY, False, "E2BIG"), ("array", maps.ANY, True, ""),
    ],
)  # fmt: skip
def test_flags_of_an_update(type: str, flags: int, there: bool, errno: str) -> None:
    bpf = Bpf()
    made = maps.create(bpf, BpfMap(name="m", type=type, key=(Field(""),), value=(Field(""),), max_entries=4))
    if type == "hash" and there:
        maps.update(bpf, made, (1,), (1,))
    key = (1,) if there else (9,)
    if errno:
        with pytest.raises(OpError) as caught:
            maps.update(bpf, made, key, (2,), flags)
        assert caught.value.errno == errno
    else:
        maps.update(bpf, made, key, (2,), flags)
        assert maps.lookup(bpf, made, key) == (key, (2,))


@given(
    st.dictionaries(st.tuples(st.integers(0, 32), st.integers(0, 2**32 - 1)), st.integers(0, 9), max_size=20),
    st.integers(0, 2**32 - 1),
)
def test_a_trie_gives_the_longest_prefix(rows: dict[tuple[int, int], int], address: int) -> None:
    bpf = Bpf()
    fields = (Field("prefixlen"), Field("address", "be32"))
    made = maps.create(bpf, BpfMap(name="t", type="lpm_trie", key=fields, value=(Field(""),), max_entries=99))
    kept = {}
    for (length, net), value in rows.items():
        maps.update(bpf, made, (length, net), (value,))
        kept[length, net & mask(length)] = value
    best = max(((length, net) for length, net in kept if address & mask(length) == net), default=None)
    found = maps.lookup(bpf, made, (32, address))
    assert found == (None if best is None else (best, (kept[best],)))


@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5), st.data())
def test_bytes_and_back(kinds: list[str], data: st.DataObject) -> None:
    fields = tuple(Field(f"f{i}", kind) for i, kind in enumerate(kinds))
    values = tuple(data.draw(st.integers(0, 2 ** (8 * KINDS[k][0]) - 1)) for k in kinds)
    assert text.unpacked(fields, text.packed(fields, values)) == values


def test_a_copy_shares_until_one_writes() -> None:
    bpf, made = services()
    other = bpf.copy()
    assert other.entries[made.id] is bpf.entries[made.id]
    maps.delete(other, made, (ip4("10.96.0.10"), 80, 6, 0))
    assert len(bpf.entries[made.id]) == 2 and len(other.entries[made.id]) == 1
