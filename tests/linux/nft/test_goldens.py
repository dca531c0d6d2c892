"""nft's output to the character: rulesets as the real nft lists them, and what it says to lines as people type them.

The goldens are the real nft's (tests/golden/nft/capture.sh makes them). What is left to the clock is written as X.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.linux.net import Net
from engine.linux.nft import command
from engine.linux.ops import AddBox, Op, apply

GOLDEN = Path(__file__).parents[2] / "golden" / "nft"
RULESETS = sorted(p.stem for p in GOLDEN.glob("*.nft"))


class Machine:
    """One box and its nft."""

    def __init__(self) -> None:
        self.net = Net()
        apply(self.net, AddBox(name="n", role="node"))

    def do(self, op: Op) -> None:
        apply(self.net, op)

    def nft(self, *argv: str) -> tuple[str, str, int]:
        return command.run(self.net, "n", argv, self.do, lambda name: Path(name).read_text())


def timeless(text: str) -> str:
    return re.sub(r" expires [^ ,]*", " expires X", text)


@pytest.mark.parametrize("name", RULESETS)
def test_a_ruleset_is_listed_as_nft_lists_it(name: str) -> None:
    machine = Machine()
    assert machine.nft("-f", str(GOLDEN / f"{name}.nft")) == ("", "", 0)
    out, err, code = machine.nft("list", "ruleset")
    assert (timeless(out), err, code) == ((GOLDEN / f"{name}.out").read_text(), "", 0)
    out, _, _ = machine.nft("-n", "-s", "list", "ruleset")
    assert timeless(out) == (GOLDEN / f"{name}.numeric").read_text()


@pytest.mark.parametrize("name", RULESETS)
def test_what_is_listed_can_be_read_again(name: str, tmp_path: Path) -> None:
    first, second = Machine(), Machine()
    first.nft("-f", str(GOLDEN / f"{name}.nft"))
    text = first.nft("list", "ruleset")[0]
    (tmp_path / "again.nft").write_text(text)
    assert second.nft("-f", str(tmp_path / "again.nft")) == ("", "", 0)
    again = second.nft("list", "ruleset")[0]
    # nft itself is not stable there: `ct state == new,established` comes back as `ct state established | new`, and a
    # set of one interval, which a merge has left, as the interval.
    if name not in ("flags", "sets"):
        assert again == text


def transcript() -> list[tuple[str, str]]:
    parts = re.split(r"^\$ nft (.*)\n", (GOLDEN / "commands.out").read_text(), flags=re.M)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def test_lines_as_people_type_them() -> None:
    machine = Machine()
    wrong = []
    for line, said in transcript():
        out, err, code = machine.nft(*line.split())
        if f"{out}{err}= {code}\n" != said:
            wrong.append(f"$ nft {line}\n--- nft\n{said}--- model\n{out}{err}= {code}")
    assert not wrong, "\n".join(wrong)
