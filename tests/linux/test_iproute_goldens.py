"""ip and bridge answer as the real tools did: every block of every transcript, word for word."""

from __future__ import annotations

import pytest

from tests.linux.replay import GOLDEN, blocks, neutral, replayed

NAMES = sorted(path.stem for path in GOLDEN.glob("*.cmds"))


@pytest.mark.parametrize("name", NAMES)
def test_transcript(name: str) -> None:
    want = blocks(neutral((GOLDEN / f"{name}.txt").read_text()))
    have = blocks(neutral(replayed(name)))
    wrong = [f"--- real\n{w}--- model\n{h}" for w, h in zip(want, have, strict=True) if w != h]
    assert not wrong, f"{len(wrong)} of {len(want)} differ\n" + "\n".join(wrong)
