"""ip -batch and bridge -batch against the real tools: tests/golden/batch, made by tests/golden/capture_iproute.py."""

from __future__ import annotations

from pathlib import Path

from engine.linux import ops
from engine.linux.net import Net
from engine.shell.shell import Shell
from engine.shell.world import World

GOLDEN = Path(__file__).parent.parent / "golden" / "batch" / "batch.txt"


def transcript() -> list[tuple[str, str]]:
    """(command, what was printed and the code) of the golden."""
    out: list[tuple[str, str]] = []
    for block in GOLDEN.read_text(encoding="utf-8").split("\n$ "):
        command, _, rest = block.removeprefix("$ ").partition("\n")
        out.append((command, rest.rstrip("\n")))
    return out


def test_batches_do_what_the_real_ones_did() -> None:
    net = Net()
    changes = ops.Changes(net)
    changes.do(ops.AddBox(name="h"))
    changes.do(ops.SetLink(netns="h", name="lo", up=False))
    shell = Shell(World(net=net), "node/h")
    wrong = []
    for command, want in transcript():
        got = shell.run(command)
        have = f"{got.stdout}{got.stderr}" + (f"[{got.code}]\n" if got.code else "")
        if have.rstrip("\n") != want:
            wrong.append(f"$ {command}\n--- real\n{want}\n--- model\n{have}")
    assert not wrong, "\n".join(wrong)


def test_a_batch_from_a_file() -> None:
    net = Net()
    ops.Changes(net).do(ops.AddBox(name="h"))
    shell = Shell(World(net=net), "node/h")
    shell.run("echo 'link add br7 type bridge' > /tmp/lines")
    assert shell.run("ip -batch /tmp/lines").code == 0
    assert "br7" in shell.run("ip -br link").stdout
