"""What the ops room offers: every name is where the table says, with what carries it out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.linux import ops
from engine.linux.ops.base import _HANDLERS, Op

OFFERED = [(home, name) for home, names in ops.HOMES.items() for name in names.split()]


def test_the_table_names_all_that_is_offered() -> None:
    assert sorted([*(name for _, name in OFFERED), "Changes", "Op", "apply"]) == sorted(ops.__all__)


@pytest.mark.parametrize(("home", "name"), OFFERED)
def test_a_name_is_in_its_file_and_an_op_has_its_handler(home: str, name: str) -> None:
    found = getattr(ops, name)
    assert found.__module__ == f"engine.linux.ops.{home}"
    if isinstance(found, type) and issubclass(found, Op):
        assert found in _HANDLERS


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        _ = ops.Nothing  # type: ignore[attr-defined]


def test_a_lab_loads_no_machinery_that_it_does_not_use() -> None:
    code = (
        "import sys; from engine.lab.lab import Lab; Lab.load('lessons/labs/two-nodes.yaml');"
        "print(*(m for m in sys.modules if m.startswith('engine.linux.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    for name in (
        "nft.run", "nft.batch", "ipset.sets", "ipvs.sched", "walk.ipvs", "walk.vxlan", "walk.wireguard", "curve25519",
        "bpf.context", "ops.nft", "ops.ipset", "ops.ipvs", "ops.bpf", "xt.match_set", "xt.target_steer",
    ):  # fmt: skip
        assert f"engine.linux.{name}" not in loaded, name
    assert "engine.linux.net" in loaded
