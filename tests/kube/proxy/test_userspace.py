"""The historical userspace mode: its rules, its sockets, its turns and its second tries (facts 20 section 2.2)."""

from __future__ import annotations

import re

import pytest

from engine.lab.lab import Lab
from tests.kube.proxy.services_lab import Json, lab, out, pod, service

WEB = service(
    "web", "10.96.71.20", type="NodePort", ports=[{"port": 80, "targetPort": 8080, "nodePort": 30080}]
)


def slice_of(name: str, *addresses: str) -> Json:
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
        "ports": [{"port": 8080, "protocol": "TCP"}], "endpoints": [{"addresses": [a]} for a in addresses],
    }  # fmt: skip


def by_hand(name: str, ip: str, *addresses: str) -> tuple[Json, Json]:
    body = service(name, ip)
    del body["spec"]["selector"]
    return body, slice_of(name, *addresses)


@pytest.fixture
def cluster() -> Lab:
    return lab("userspace", WEB)


def test_the_rules_lead_to_the_port_of_a_socket(cluster: Lab) -> None:
    rows = out(cluster, "node/w1", "iptables -t nat -S").splitlines()
    inside = next(r for r in rows if r.startswith("-A KUBE-PORTALS-CONTAINER -d 10.96.71.20/32"))
    found = re.search(r"--to-ports (\d+)$", inside)
    assert found is not None
    port = found[1]
    said = '-p tcp -m comment --comment "default/web" -m tcp --dport'
    assert inside == f"-A KUBE-PORTALS-CONTAINER -d 10.96.71.20/32 {said} 80 -j REDIRECT --to-ports {port}"
    to = f"-j DNAT --to-destination 192.168.10.101:{port}"
    assert f"-A KUBE-PORTALS-HOST -d 10.96.71.20/32 {said} 80 {to}" in rows
    assert f"-A KUBE-NODEPORT-CONTAINER {said} 30080 -j REDIRECT --to-ports {port}" in rows
    assert f"-A KUBE-NODEPORT-HOST {said} 30080 {to}" in rows
    assert rows[-1].startswith("-A ") and f":{port} " in out(cluster, "node/w1", "ss -lntp")
    assert f"{said} {port} -m state --state NEW -j ACCEPT" in out(cluster, "node/w1", "iptables -S")


def test_portals_come_first_and_node_ports_last(cluster: Lab) -> None:
    rows = out(cluster, "node/w1", "iptables -t nat -S PREROUTING").splitlines()
    assert "KUBE-PORTALS-CONTAINER" in rows[1] and "KUBE-NODEPORT-CONTAINER" in rows[-1]


def legs(cluster: Lab, line: str) -> list[tuple[str, str]]:
    done = cluster.run("pod/c", line)
    return [(leg.purpose, str(leg.forward.outcome)) for j in done.journeys for leg in j.legs]


def test_the_proxys_own_connection_is_part_of_the_journey(cluster: Lab) -> None:
    assert [purpose for purpose, _ in legs(cluster, "curl -s 10.96.71.20")][1:] == ["kube-proxy"]


def test_a_dead_endpoint_costs_a_quarter_of_a_second_and_is_tried_no_further() -> None:
    cluster = lab("userspace", *by_hand("half", "10.96.71.30", "10.244.1.99", "10.244.1.2"))
    seen = set()
    for _ in range(2):
        before = cluster.world.net.clock
        done = cluster.run("pod/c", "curl -s 10.96.71.30")
        assert not done.code
        seen.add((len(legs_of(done)), round(cluster.world.net.clock - before, 1)))
    assert max(seen) in {(3, 0.3), (3, 0.2)} and seen <= {max(seen), (2, 0.0)}


def legs_of(done: object) -> list[object]:
    return [leg for j in getattr(done, "journeys") for leg in j.legs]  # noqa: B009


def test_when_all_four_tries_fail_the_client_is_closed_upon() -> None:
    cluster = lab("userspace", *by_hand("dead", "10.96.71.31", "10.244.1.98", "10.244.1.99"))
    before = cluster.world.net.clock
    done = cluster.run("pod/c", "curl 10.96.71.31")
    assert (done.code, len(legs_of(done))) == (52, 5)
    assert 3.7 < cluster.world.net.clock - before < 3.9


def test_without_endpoints_the_connection_is_accepted_and_closed() -> None:
    cluster = lab("userspace", service("none", "10.96.71.32"))
    assert cluster.run("pod/c", "curl 10.96.71.32").code == 52


def hosts(cluster: Lab, count: int) -> list[str]:
    """Which Pods were called, in order."""
    out = []
    for _ in range(count):
        done = cluster.run("pod/c", "curl -s 10.96.71.20")
        leg = done.journeys[-1].legs[-1]
        last = [s for s in leg.forward.steps() if s.before is not None][-1].before
        assert last is not None
        out.append(str(last.ip.dst))
    return out


def test_endpoints_take_turns(cluster: Lab) -> None:
    a, b, c, d = hosts(cluster, 4)
    assert a != b and (a, b) == (c, d)


def test_affinity_is_kept_in_the_process_and_dies_with_it() -> None:
    cluster = lab("userspace", service("web", "10.96.71.20", sessionAffinity="ClientIP"))
    assert len(set(hosts(cluster, 3))) == 1
    memory = [m for m in cluster.world.net.boxes["w1"].memory.values() if any("turn" in str(k) for k in m)]
    assert len(memory) == 1


def test_a_port_that_changes_is_closed_and_opened_anew(cluster: Lab) -> None:
    before = out(cluster, "node/w1", "iptables -t nat -S KUBE-PORTALS-CONTAINER")
    patch = '[{"op":"replace","path":"/spec/ports/0/port","value":81}]'
    out(cluster, "node/cp", f"kubectl patch service web --type=json -p '{patch}'")
    after = out(cluster, "node/w1", "iptables -t nat -S KUBE-PORTALS-CONTAINER")
    assert "--dport 80 " in before and "--dport 80 " not in after and "--dport 81 " in after


def test_a_rule_that_somebody_takes_out_comes_back(cluster: Lab) -> None:
    out(cluster, "node/w1", "iptables -t nat -F KUBE-PORTALS-CONTAINER")
    cluster.wait(31)
    assert "10.96.71.20/32" in out(cluster, "node/w1", "iptables -t nat -S KUBE-PORTALS-CONTAINER")


def test_that_it_is_history_is_said_once(cluster: Lab) -> None:
    lines = [line for _, line in cluster.world.net.boxes["w1"].journal if "history" in line]
    assert len(lines) == 1 and "removed in Kubernetes 1.26" in lines[0]


def test_a_process_that_starts_anew_empties_its_chains_and_opens_its_ports_again() -> None:
    cluster = lab("userspace", service("web", "10.96.71.20", sessionAffinity="ClientIP"))
    hosts(cluster, 1)
    rows = out(cluster, "node/cp", "kubectl -n kube-system get pods -o wide --no-headers").splitlines()
    pod = next(r.split()[0] for r in rows if r.startswith("kube-proxy-") and " w1 " in r)
    out(cluster, "node/cp", f"kubectl -n kube-system delete pod {pod}")
    cluster.wait(65)
    assert not [m for m in cluster.world.net.boxes["w1"].memory.values() if any("turn" in str(k) for k in m)]
    rules = out(cluster, "node/w1", "iptables -t nat -S KUBE-PORTALS-CONTAINER")
    assert rules.count("10.96.71.20/32") == 1
    assert len(hosts(cluster, 1)) == 1


def test_what_comes_by_a_device_without_an_address_cannot_be_redirected() -> None:
    """nf_nat_redirect_ipv4 (net/netfilter/nf_nat_redirect.c) drops: Pods of Calico reach no Service in this mode."""
    cluster = Lab.load(
        {
            "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}],
            "cni": {"name": "calico"},
            "proxy": {"mode": "userspace"},
            "manifests": [pod("a", "w1", "web"), pod("c", "w1", "other"), WEB],
        }
    )
    done = cluster.run("pod/c", "curl -m 3 http://10.96.71.20/")
    (why,) = {str(w.hops[-1].steps[-1].why) for j in done.journeys for leg in j.legs for w in leg.walks()}
    assert done.code == 28 and "has no address that could be used" in why
    assert "Pods of Calico reach no Service" in out(cluster, "node/w1", "journalctl")
    assert cluster.run("node/w1", "curl -s http://10.96.71.20/").code == 0, (
        "the node's own calls are translated"
    )
