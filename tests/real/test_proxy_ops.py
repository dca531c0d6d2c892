"""kube-proxy's changes as the commands that they stand for: a real kernel takes them, and holds the same rows.

Every op that a node's kube-proxy makes, from its start over many changes of Services, is given to iptables-restore,
iptables and nft in a namespace of their own; then iptables-save and nft list are compared with the model's, of nft the
handles too.
"""

from __future__ import annotations

import difflib
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from engine.lab.lab import Lab
from engine.linux.ops.base import Op
from engine.linux.ops.commands import to_command
from engine.linux.ops.nft import NftApply
from engine.linux.ops.nftrows import NftRows
from engine.linux.ops.xt import XtAppend, XtInsert, XtNewChain
from engine.linux.ops.xtchains import XtChains
from tests.kube.proxy.sample import ENDPOINTS, Json, api, lab, put, service, slice_of, web
from tests.tools import need

need("userns", "unshare", "iptables", "nft")

BALANCED: Json = {
    **web(
        type="LoadBalancer",
        loadBalancerSourceRanges=["192.168.50.0/24", "203.0.113.0/24"],
        externalTrafficPolicy="Local",
    ),
    "status": {"loadBalancer": {"ingress": [{"ip": "192.168.50.240"}]}},
}
#: what happens to the Services, one after the other
STORY: tuple[tuple[Json, ...], ...] = (
    (slice_of("web", ENDPOINTS[:2]),),
    (slice_of("api", (("10.244.2.9", "node2"),), 8080),),
    (web(sessionAffinity="ClientIP"),),
    (slice_of("web", ()),),
    (slice_of("web", ENDPOINTS[1:]), web(externalIPs=["198.51.100.7"], internalTrafficPolicy="Local")),
    (BALANCED,),
    (service("dns", "10.96.71.53", ports=[{"name": "dns", "port": 53, "protocol": "UDP"}]),),
    (slice_of("dns", ENDPOINTS, 53, "UDP", "dns"),),
    (slice_of("api", ()), slice_of("dns", ENDPOINTS[:1], 53, "UDP", "dns")),
)


def told(world: Lab) -> list[Op]:
    """Lives the story, and the hour until everything is written again; the ops of node1's kube-proxy and kubelet."""
    for number, bodies in enumerate(STORY):
        world.wait(3)
        put(world, *bodies)
        if number == 6:
            world.run("node/cp1", "kubectl -n shop delete svc web")
    world.wait(3600)
    return [op for op in world.world.log if getattr(op, "netns", "") == "node1"]


def script(ops: Iterable[Op], folder: Path) -> str:
    """A shell script of the ops' real commands; long inputs stand in files."""
    lines = ["set -e"]
    for number, op in enumerate(ops):
        if isinstance(op, XtChains | NftRows | NftApply):
            (words,) = to_command(op, lambda netns: "")
            file = folder / f"{number}.in"
            file.write_text(words[-1] + "\n")
            lines.append(f"{shlex.join(words[:-1])} {'-f ' if words[0] == 'nft' else ''}{file}")
        elif isinstance(op, XtNewChain):
            lines.append(f"iptables -t {op.table} -N {op.chain}")
        elif isinstance(op, XtInsert | XtAppend) and "MASQ-AGENT" not in op.rules[0].text(op.chain):
            text = op.rules[0].text(op.chain).removeprefix("-A")
            verb = "-I" if isinstance(op, XtInsert) else "-A"
            lines.append(f"iptables -t {op.table} {verb}{text}")
    return "\n".join(lines)


def real(ops: Iterable[Op], folder: Path, show: str) -> str:
    (folder / "run.sh").write_text(f"{script(ops, folder)}\n{show}\n")
    done = subprocess.run(["unshare", "-rn", "sh", str(folder / "run.sh")], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout


def rules(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#") and "MASQ-AGENT" not in line]


def same(kernel: list[str], model: list[str]) -> None:
    diff = "\n".join(difflib.unified_diff(kernel, model, "kernel", "model", lineterm="", n=0))
    assert not diff, diff


@pytest.mark.parametrize("proxy", [{}, {"iptables": {"masqueradeAll": True, "localhostNodePorts": False}}])
def test_iptables_mode(tmp_path: Path, proxy: dict[str, Any]) -> None:
    world = lab(web(), api(), slice_of("web"), **proxy)
    found = real(told(world), tmp_path, "iptables-save")
    same(rules(found), rules(world.run("node/node1", "iptables-save").stdout))


@pytest.mark.parametrize("proxy", [{}, {"nodePortAddresses": ["0.0.0.0/0"]}])
def test_nftables_mode(tmp_path: Path, proxy: dict[str, Any]) -> None:
    world = lab(web(), api(), slice_of("web"), mode="nftables", **proxy)
    show = "nft -a list table ip kube-proxy"
    ops = [op for op in told(world) if isinstance(op, NftRows | NftApply)]
    found = real(ops, tmp_path, show)
    same(found.splitlines(), world.run("node/node1", show).stdout.splitlines())
