"""dockerd's rules, against the documents that moby generates from a running daemon.

The expected rules are those of moby integration/network/bridge/iptablesdoc/generated (v29): new-daemon,
usernet-portmap, usernet-portmap-lo, usernet-portmap-noproxy, usernet-portmap-noicc, usernet-internal.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docker.lab import Lab

GOLDEN = Path(__file__).parent.parent / "golden" / "docker"
BRIDGE1 = {
    "name": "bridge1",
    "subnet": "192.0.2.0/24",
    "gateway": "192.0.2.1",
    "options": {"com.docker.network.bridge.name": "bridge1"},
}
NO_ICC = {**BRIDGE1, "options": {**BRIDGE1["options"], "com.docker.network.bridge.enable_icc": "false"}}  # type: ignore[dict-item]
C1 = {"name": "c1", "image": "busybox", "command": "sleep infinity", "network": "bridge1"}


def internal(name: str, subnet: str, icc: bool) -> dict[str, object]:
    options = {"com.docker.network.bridge.name": name, "com.docker.network.bridge.enable_icc": icc}
    return {"name": name, "subnet": subnet, "internal": True, "options": options}


LABS: dict[str, dict[str, object]] = {
    "new-daemon": {},
    "usernet-portmap": {"networks": [BRIDGE1], "containers": [{**C1, "publish": ["8080:80"]}]},
    "usernet-portmap-lo": {"networks": [BRIDGE1], "containers": [{**C1, "publish": ["127.0.0.1:8080:80"]}]},
    "usernet-portmap-noproxy": {
        "userlandProxy": False,
        "networks": [BRIDGE1],
        "containers": [{**C1, "publish": ["8080:80"]}],
    },
    "usernet-portmap-noicc": {"networks": [NO_ICC], "containers": [{**C1, "publish": ["8080:80"]}]},
    "usernet-internal": {
        "networks": [
            internal("bridgeICC", "192.0.2.0/24", True),
            internal("bridgeNoICC", "198.51.100.0/24", False),
        ],
        "containers": [{**C1, "network": "bridgeICC"}, {**C1, "name": "c2", "network": "bridgeNoICC"}],
    },
}


def golden(name: str, table: str) -> list[str]:
    """The lines of one table in a golden file; `# table` opens a table."""
    out: list[str] = []
    inside = False
    for line in (GOLDEN / f"{name}.rules").read_text().splitlines():
        if line.startswith("# "):
            inside = line == f"# {table}"
        elif inside and line:
            out.append(line)
    return out


PAIRS = [
    (name, line[2:])
    for name in sorted(LABS)
    for line in (GOLDEN / f"{name}.rules").read_text().splitlines()
    if line.startswith("# ")
]


@pytest.mark.parametrize(("name", "table"), PAIRS)
def test_the_rules_are_those_of_the_real_daemon(name: str, table: str) -> None:
    lab = Lab(LABS[name])
    # The documents were made on a machine that forwarded before the daemon came.
    found = [line.replace("-P FORWARD DROP", "-P FORWARD ACCEPT") for line in lab.rules(table)]
    assert found == golden(name, table)


def test_every_container_is_shielded_from_direct_access() -> None:
    lab = Lab({"containers": [{"name": "c1", "image": "busybox", "command": "sleep infinity"}]})
    assert "-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP" in lab.rules("raw")


def test_a_container_that_ends_leaves_no_rule() -> None:
    lab = Lab({"networks": [BRIDGE1]})
    before = {t: lab.rules(t) for t in ("filter", "nat")}
    from engine.docker.records import Publish, Spec

    spec = Spec(image="nginx", name="web", network="bridge1", publish=(Publish(port=80, host_port=8080),))
    lab.daemon.run(lab.changes, spec)
    assert lab.rules("nat") != before["nat"]
    lab.daemon.remove(lab.changes, "web", force=True)
    assert {t: lab.rules(t) for t in ("filter", "nat")} == before
    assert not [r for r in lab.rules("raw") if r.startswith("-A")]
    assert not lab.net.spaces["dock"].sockets


def test_removing_a_network_takes_its_device_and_rules() -> None:
    lab = Lab()
    before = {t: lab.rules(t) for t in ("filter", "nat")}
    network = lab.daemon.create_network(lab.changes, "shop")
    assert network.bridge in lab.net.spaces["dock"].names
    lab.daemon.remove_network(lab.changes, "shop")
    assert network.bridge not in lab.net.spaces["dock"].names
    assert {t: lab.rules(t) for t in ("filter", "nat")} == before


def test_forward_policy_drops_only_where_the_daemon_switched_forwarding_on() -> None:
    from engine.docker import load
    from engine.linux.ops.sysctl import SetSysctl

    assert "-P FORWARD DROP" in Lab().rules("filter")
    lab = Lab()
    lab.changes.do(SetSysctl(netns="laptop", key="net.ipv4.ip_forward", value="1"))
    load.start(lab.changes, "laptop", {})
    chains = lab.net.spaces["laptop"].xt.tables["filter"]
    assert chains["FORWARD"].policy == "ACCEPT"


def test_a_restart_brings_back_what_a_person_flushed() -> None:
    from engine.linux.ops.xt import XtFlush

    lab = Lab({"networks": [BRIDGE1]})
    wanted = {t: sorted(lab.rules(t)) for t in ("filter", "nat")}
    for table in ("filter", "nat"):
        lab.changes.do(XtFlush(netns="dock", table=table))
    lab.daemon.settle(lab.changes)
    assert not [r for r in lab.rules("nat") if r.startswith("-A")], "the daemon does not repair by itself"
    lab.daemon.restart_daemon(lab.changes)
    assert {t: sorted(lab.rules(t)) for t in ("filter", "nat")} == wanted


def test_a_restart_keeps_people_s_own_rules() -> None:
    from engine.linux.ops.xt import XtAppend
    from engine.linux.xt.parse import parse

    lab = Lab()
    rule = parse(["-A", "DOCKER-USER", "-s", "192.168.10.21", "-j", "DROP"]).rules
    lab.changes.do(XtAppend(netns="dock", chain="DOCKER-USER", rules=rule))
    lab.daemon.restart_daemon(lab.changes)
    assert "-A DOCKER-USER -s 192.168.10.21/32 -j DROP" in lab.rules("filter")
    assert lab.rules("filter").index("-A FORWARD -j DOCKER-USER") < lab.rules("filter").index(
        "-A FORWARD -j DOCKER-FORWARD"
    )
