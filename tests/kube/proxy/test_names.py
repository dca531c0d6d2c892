"""Names of chains against those of real clusters (facts 20 sections 2.5 and 2.8)."""

from __future__ import annotations

import pytest

from engine.kube.proxy import names
from engine.kube.proxy.model import Endpoint, ServicePort
from engine.linux.addr import ip4


def port(namespace: str, name: str, port_name: str, proto: str = "tcp") -> ServicePort:
    return ServicePort(
        namespace=namespace, name=name, port_name=port_name, proto=proto, cluster_ip=1, port=80
    )


@pytest.mark.parametrize(
    ("which", "hash"),
    [
        (port("default", "kubernetes", "https"), "NPX46M4PTMTKRN6Y"),
        (port("kube-system", "kube-dns", "dns", "udp"), "TCOU7JCQXEZGVUNU"),
        (port("kube-system", "kube-dns", "dns-tcp"), "ERIFXISQEP7F7OF4"),
        (port("kube-system", "kube-dns", "metrics"), "JD5MR3NA4I4DYORP"),
        (port("shop", "web", "http"), "67NZLRHBNDSAWJRO"),
        (port("shop", "web", ""), "E3PXEPMWAWIUT6ZV"),
        (port("shop", "api", "http"), "RUKNB3TURLFC6SGL"),
    ],
)
def test_service_ports_have_the_real_hashes(which: ServicePort, hash: str) -> None:
    assert names.port_hash(which) == hash


def test_endpoints_have_the_real_hashes() -> None:
    web = port("shop", "web", "http")
    made = [
        names.endpoint_chain(web, Endpoint(ip=ip4(ip), port=8080))
        for ip in ("10.244.1.5", "10.244.1.6", "10.244.2.7")
    ]
    assert made == ["KUBE-SEP-34ZZ2QFGO32YYXXO", "KUBE-SEP-MCTKD62NLNFFFI4W", "KUBE-SEP-DYSIX5QMVXZZP7LU"]


def test_nftables_keeps_the_name_behind_the_hash() -> None:
    one = port("ns1", "svc1", "p80")
    assert names.nft_base(one) == "ULMVA6XW-ns1/svc1/tcp/p80"
    assert names.nft_endpoint_base(one, Endpoint(ip=ip4("10.180.0.1"), port=80)) == (
        "5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80"
    )
    web = port("shop", "web", "http")
    assert names.nft_base(web) == "KHN6ECMT-shop/web/tcp/http"
    assert names.nft_endpoint_base(web, Endpoint(ip=ip4("10.244.1.5"), port=8080)) == (
        "FDH7QP7U-shop/web/tcp/http__10.244.1.5/8080"
    )
