"""kube-proxy's health servers, asked by curl (facts 20 section 1.2)."""

from __future__ import annotations

import pytest

from engine.lab.lab import Lab
from tests.kube.proxy.services_lab import lab, out, service

LOCAL = service(
    "web", "10.96.71.20", type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=30190,
)  # fmt: skip
ONE = service(
    "other", "10.96.71.21", type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=30191
)


@pytest.fixture(params=["iptables", "nftables", "ipvs"])
def cluster(request: pytest.FixtureRequest) -> Lab:
    return lab(request.param, LOCAL, ONE)


def test_a_node_with_an_endpoint_says_200_and_how_many(cluster: Lab) -> None:
    head, _, body = (
        out(cluster, "host/laptop", "curl -si 192.168.10.101:30190/anything")
        .replace("\r", "")
        .partition("\n\n")
    )
    lines = head.splitlines()
    assert lines[0] == "HTTP/1.1 200 OK" and "X-Load-Balancing-Endpoint-Weight: 1" in lines
    assert "Content-Type: application/json" in lines and "X-Content-Type-Options: nosniff" in lines
    assert body == (
        '{\n\t"service": {\n\t\t"namespace": "default",\n\t\t"name": "web"\n\t},\n'
        '\t"localEndpoints": 1,\n\t"serviceProxyHealthy": true\n}'
    )


def test_a_node_without_one_says_503(cluster: Lab) -> None:
    text = out(cluster, "host/laptop", "curl -si 192.168.10.102:30191")
    assert text.startswith("HTTP/1.1 503 Service Unavailable") and '"localEndpoints": 0' in text


def test_it_follows_the_endpoints(cluster: Lab) -> None:
    out(cluster, "node/cp", "kubectl label pod c app=away --overwrite")
    assert out(cluster, "host/laptop", "curl -si 192.168.10.101:30191").startswith("HTTP/1.1 503")
    out(cluster, "node/cp", "kubectl delete service other")
    assert cluster.run("host/laptop", "curl -s 192.168.10.101:30191").code == 7


def test_kube_proxy_about_itself(cluster: Lab) -> None:
    text = out(cluster, "host/laptop", "curl -si 192.168.10.101:10256/healthz")
    assert text.startswith("HTTP/1.1 200 OK") and '"nodeEligible": true}' in text
    text = out(cluster, "node/w1", "curl -s localhost:10256/livez")
    assert text.startswith('{"lastUpdated": "2026-11-21 09:0') and "nodeEligible" not in text
    assert out(cluster, "node/w1", "curl -s 127.0.0.1:10249/healthz") == "ok"
    mode = out(cluster, "node/w1", "curl -s 127.0.0.1:10249/proxyMode")
    assert mode in ("iptables", "nftables", "ipvs")
    assert cluster.run("host/laptop", "curl -s 192.168.10.101:10249/proxyMode").code == 7
    assert "404" in out(cluster, "node/w1", "curl -si 127.0.0.1:10256/nothing").splitlines()[0]


def test_a_node_that_the_autoscaler_takes_away_is_not_eligible_but_alive() -> None:
    cluster = lab("iptables", LOCAL)
    out(cluster, "node/cp", "kubectl taint node w1 ToBeDeletedByClusterAutoscaler=1:NoSchedule")
    text = out(cluster, "node/w1", "curl -si localhost:10256/healthz")
    assert text.startswith("HTTP/1.1 503") and '"nodeEligible": false}' in text
    assert out(cluster, "node/w1", "curl -si localhost:10256/livez").startswith("HTTP/1.1 200")
    out(cluster, "node/cp", "kubectl taint node w1 ToBeDeletedByClusterAutoscaler-")
    assert out(cluster, "node/w1", "curl -si localhost:10256/healthz").startswith("HTTP/1.1 200")


def test_health_check_node_ports_listen_where_node_ports_do() -> None:
    cluster = lab("iptables", LOCAL, nodePortAddresses=["192.168.10.0/24"])
    assert "192.168.10.101:30190" in out(cluster, "node/w1", "ss -lnt")
    assert out(cluster, "host/laptop", "curl -si 192.168.10.101:30190").startswith("HTTP/1.1 200")
    assert cluster.run("node/w1", "curl -s localhost:30190").code == 7
