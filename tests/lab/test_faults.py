"""The table of faults: each kind changes what it says, and refuses what it cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError
from engine.lab import faults
from engine.lab.lab import Lab
from engine.linux.journey import Outcome

LABS = Path(__file__).resolve().parents[2] / "lessons" / "labs"
DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def opened() -> Lab:
    return Lab.load(LABS / "two-nodes.yaml")


@pytest.fixture
def lab(opened: Lab) -> Lab:
    return opened.copy()


def put(lab: Lab, **fault: Any) -> None:
    faults.put(lab.world, faults.read_faults([fault]))


def shown(lab: Lab, place: str, line: str) -> str:
    return lab.run(place, line).stdout


def test_every_kind_has_a_row_in_both_pages() -> None:
    for page in ("formats.md", "authoring.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        assert [kind for kind in faults.FAULTS if f"`{kind}`" not in text] == []


def test_command(lab: Lab) -> None:
    put(lab, kind="command", on="node/w1", run="ip link set cni0 mtu 1290\nip link set cni0 mtu 1300")
    assert "mtu 1300" in shown(lab, "node/w1", "ip link show cni0")


def test_link_down_gone_and_out_of_its_bridge(lab: Lab) -> None:
    put(lab, kind="link-down", on="pod/a", dev="eth0")
    assert lab.trace("pod/a", "pod/b:80").outcome is Outcome.NO_ROUTE
    put(lab, kind="link-gone", on="node/w2", dev="cni0")
    assert "does not exist" in lab.run("node/w2", "ip link show cni0").stderr
    port = shown(lab, "node/w1", "bridge link").split()[1].rstrip(":").partition("@")[0]
    put(lab, kind="no-master", on="node/w1", dev=port)
    assert port not in shown(lab, "node/w1", "bridge link")


def test_mtu_hairpin_mac(lab: Lab) -> None:
    put(lab, kind="wrong-mtu", on="node/w1", dev="cni0", mtu=1280)
    put(lab, kind="wrong-mac", on="node/w1", dev="cni0", mac="02:00:00:00:00:01")
    text = shown(lab, "node/w1", "ip link show cni0")
    assert "mtu 1280" in text
    assert "02:00:00:00:00:01" in text
    port = shown(lab, "node/w1", "bridge link").split()[1].rstrip(":").partition("@")[0]
    lab.run("node/w1", f"bridge link set dev {port} hairpin on")
    put(lab, kind="no-hairpin", on="node/w1", dev=port)
    assert "hairpin on" not in shown(lab, "node/w1", f"bridge -d link show dev {port}")


def test_addresses_routes_neighbours(lab: Lab) -> None:
    put(lab, kind="delete-route", on="node/w1", to="10.244.2.0/24")
    assert "10.244.2.0/24" not in shown(lab, "node/w1", "ip route")
    put(lab, kind="add-route", on="node/w1", to="10.244.2.0/24", type="blackhole")
    assert "blackhole 10.244.2.0/24" in shown(lab, "node/w1", "ip route")
    put(lab, kind="delete-route", on="pod/a", to="default")
    assert "default" not in shown(lab, "pod/a", "ip route")
    put(lab, kind="wrong-neighbour", on="pod/a", dev="eth0", address="10.244.1.3", mac="02:00:00:00:00:09")
    assert "10.244.1.3 dev eth0 lladdr 02:00:00:00:00:09 PERMANENT" in shown(lab, "pod/a", "ip neigh")
    put(lab, kind="delete-address", on="node/w1", dev="cni0", address="10.244.1.1")
    assert "10.244.1.1" not in shown(lab, "node/w1", "ip addr show cni0")


def test_sysctl(lab: Lab) -> None:
    put(lab, kind="sysctl", on="node/w1", key="net.ipv4.ip_forward", value=0)
    assert lab.trace("pod/a", "pod/c:80").outcome is Outcome.DROPPED


def test_iptables(lab: Lab) -> None:
    put(lab, kind="iptables-policy", on="node/w1", chain="FORWARD", policy="DROP")
    assert "-P FORWARD DROP" in shown(lab, "node/w1", "iptables -S FORWARD")
    put(lab, kind="iptables-policy", on="node/w1", chain="FORWARD", policy="ACCEPT")
    put(lab, kind="iptables-insert", on="node/w1", chain="FORWARD", rule="-p tcp --dport 80 -j REJECT")
    assert lab.trace("pod/a", "pod/c:80").outcome is Outcome.REJECTED
    put(lab, kind="iptables-delete", on="node/w1", chain="FORWARD", like="--dport 80 .*REJECT")
    assert lab.trace("pod/a", "pod/c:80").outcome is Outcome.DELIVERED
    put(lab, kind="iptables-flush", on="node/w1", table="nat", chain="POSTROUTING")
    assert shown(lab, "node/w1", "iptables -t nat -S POSTROUTING") == "-P POSTROUTING ACCEPT\n"


def test_files_and_processes(lab: Lab) -> None:
    put(lab, kind="remove-file", on="node/w1", path="/etc/cni/net.d/10-bridge.conflist")
    assert shown(lab, "node/w1", "ls /etc/cni/net.d") == ""
    put(lab, kind="write-file", on="node/w1", path="/etc/motd", text="hello\n")
    assert shown(lab, "node/w1", "cat /etc/motd") == "hello\n"
    lab2 = Lab.load(LABS / "workbench.yaml")
    put(lab2, kind="kill", on="host/laptop", process="python3")
    assert lab2.trace("host/bench", "host/laptop:80").outcome is Outcome.REFUSED


def test_images() -> None:
    lab = Lab.load(
        {
            "airGapped": True,
            "nodes": [{"name": "w1"}, {"name": "w2"}],
            "manifests": [
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"name": f"on-{node}"},
                    "spec": {"nodeName": node, "containers": [{"name": "c", "image": "nginx"}]},
                }
                for node in ("w1", "w2")
            ],
            "faults": [
                {"kind": "missing-image", "on": "node/w1", "image": "registry.k8s.io/pause:3.10.1"},
                {
                    "kind": "wrong-tag",
                    "on": "node/w2",
                    "image": "registry.k8s.io/pause:3.10.1",
                    "as": "registry.k8s.io/pause:3.9",
                },
            ],
        }
    )
    assert lab.world.cluster is not None
    reasons = {(e.name, e.reason) for e in lab.world.cluster.store.events.values()}
    assert ("on-w1", "FailedCreatePodSandBox") in reasons
    assert ("on-w2", "FailedCreatePodSandBox") in reasons
    runtime = lab.world.cluster.nodes["w2"].runtime
    assert runtime.image("registry.k8s.io/pause:3.9") is not None
    assert runtime.image("registry.k8s.io/pause:3.10.1") is None


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (
            {"kind": "link-dwn", "on": "pod/a"},
            "faults: [0].kind: found 'link-dwn' (did you mean 'link-down'?), accepted: ",
        ),
        ({"on": "pod/a"}, "faults: [0]: the key 'kind' is missing"),
        ({"kind": "link-down", "on": "pod/a"}, "faults: [0]: the key 'dev' is missing; write a text"),
        (
            {"kind": "link-down", "on": "pod/a", "dev": "eth0", "x": 1},
            "faults: [0].x: there is no key 'x' here; accepted: kind, on, dev",
        ),
        (
            {"kind": "link-down", "on": "pod/zz", "dev": "eth0"},
            "faults: [0]: pod/zz: there is no pod/zz in this lab",
        ),
        ({"kind": "link-down", "on": "pod/a", "dev": "eth7"}, "faults: [0]: this fault cannot be put in: "),
        (
            {"kind": "command", "on": "node/w1", "run": "false"},
            "faults: [0]: this fault cannot be put in: `false` ended with 1: -",
        ),
        (
            {"kind": "kill", "on": "node/w1", "process": "nobody"},
            "faults: [0]: this fault cannot be put in: no process nobody runs there",
        ),
        (
            {"kind": "iptables-delete", "on": "node/w1", "chain": "FORWARD", "like": "zzz"},
            "faults: [0]: this fault cannot be put in: no rule of FORWARD",
        ),
        (
            {"kind": "iptables-delete", "on": "node/w1", "chain": "FORWARD", "like": "("},
            "faults: [0].like: found '(', accepted: a regular expression",
        ),
    ],
)
def test_what_is_said(lab: Lab, fault: dict[str, Any], error: str) -> None:
    with pytest.raises(InputError) as caught:
        put(lab, **fault)
    assert caught.value.text("en").startswith(error)
