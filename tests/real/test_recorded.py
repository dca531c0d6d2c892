"""The four wirings as the kernel walked them: every device hop, rule, header and connection, line by line.

The recordings are made by capture_wirings.py. Both sides were built from the same command lines, so that the
model's `ip`, `bridge`, `sysctl` and `iptables-restore` are tested with it. Not compared: `out cni0` where a bridge
gives a frame to another of its own ports (the kernel may or may not pass the bridge device then, by its header cache).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from engine.linux.net import Net
from tests.real import claims, model, wirings
from tests.real.saying import named_ports
from tests.tools import need

HERE = Path(__file__).parent / "recorded"
FLOWS = ("svc", "pod", "local", "np", "hair", "node", "ext", "udp")


@cache
def built(name: str) -> Net:
    return model.build(wirings.wiring(name).lines, wirings.LISTENING)


def recorded(name: str, folder: Path = HERE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


def without_slow_path(rows: dict[str, list[str]], what: str) -> dict[str, list[str]]:
    """A frame that a bridge gives to another of its own ports may pass the bridge device once more."""
    if what not in ("local", "hair"):
        return rows
    return {name: [r for r in lines if not r.startswith("out cni0 ")] for name, lines in rows.items()}


def by_connection(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    """conntrack's changes, connection by connection; one that changes nothing that is shown is left out. Marks only of
    the last: a step of the model shows the entry as the packet found it, an event as the packet left it."""
    out: dict[str, list[str]] = {}
    for name, lines in rows.items():
        by_way: dict[str, list[str]] = {}
        for line in lines:
            by_way.setdefault(line.split(" reply ")[0], []).append(line)
        for _, kept in sorted(by_way.items()):
            plain = [line.partition(" mark ")[0] for line in kept]
            changes = [line for at, line in enumerate(plain) if plain[at - 1 : at] != [line]]
            out.setdefault(name, []).extend([*changes[:-1], kept[-1]])
    return out


def grid(ours: dict[str, list[str]], theirs: dict[str, list[str]]) -> str:
    """Where the two part, namespace by namespace; "" when they are the same."""
    out = []
    for name in sorted({*ours, *theirs}):
        a, b = ours.get(name, []), theirs.get(name, [])
        if a != b:
            out.append(f"-- {name}: model {len(a)} lines, kernel {len(b)}")
            for x, y in zip_longest(a, b, fillvalue=""):
                out += [f"   {x}"] if x == y else [f" m {x}", f" k {y}"]
    return "\n".join(out)


def compared(name: str, what: str, folder: Path = HERE) -> tuple[str, int]:
    """(the grid of differences, how many lines were compared)."""
    wiring = wirings.wiring(name)
    flow, truth = wirings.flows(wiring.addresses)[what], recorded(name, folder)["flows"][what]
    net = built(name).copy()
    choose = model.Recorded(truth["lines"], model.names(net))
    call = model.call(net, flow.netns, flow.proto, flow.dst, flow.dport, truth["sport"], choose)
    fixed = {wirings.PORT, wirings.NODEPORT, wirings.TARGET, truth["sport"], 8472}
    claims.hear(call.leg.walks())
    ours = without_slow_path(model.lines(net, call.leg.walks()), what)
    theirs = without_slow_path(truth["lines"], what)
    connections = {
        f"{k} conntrack": v for k, v in by_connection(model.tracked(net, call.leg.walks())).items()
    }
    known = {f"{k} conntrack": v for k, v in by_connection(truth["conntrack"]).items()}
    a = named_ports({**ours, **connections}, fixed)
    b = named_ports({**theirs, **known}, fixed)
    return grid(a, b), sum(len(rows) for rows in b.values())


@pytest.mark.parametrize("what", FLOWS)
@pytest.mark.parametrize("name", wirings.WIRINGS)
def test_the_model_walks_as_the_kernel_was_recorded(
    name: str, what: str, record_property: pytest.RecordProperty
) -> None:
    differences, count = compared(name, what)
    assert differences == ""
    record_property("kernel comparison", (1 if what == FLOWS[0] else 0, 1, count))


@pytest.mark.skipif(
    "K8SNET_REAL_ROUNDS" not in os.environ, reason="`make real` records anew; the suite reads"
)
def test_the_kernel_here_walks_so_too(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    need("userns", "ip", "iptables", "nft")
    script = Path(__file__).with_name("capture_wirings.py")
    subprocess.run([sys.executable, str(script), "--to", str(tmp_path)], check=True, timeout=300)
    for name in wirings.WIRINGS:
        for what in FLOWS:
            differences, count = compared(name, what, tmp_path)
            assert differences == ""
            record_property("kernel comparison", (1 if what == FLOWS[0] else 0, 1, count))
