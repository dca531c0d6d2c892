# ruff: noqa: E101
"""What kube-proxy writes in nftables mode: the whole table, and what a change costs it.

Source: pkg/proxy/nftables/proxier.go (setupNFTables, syncProxyRules), facts 20 section 2.8; the form is nft's.
"""

from __future__ import annotations

from typing import Any

import pytest

from engine.lab.lab import Lab
from tests.kube.proxy.sample import ENDPOINTS, api, lab, log_of, out, put, slice_of, web

#: without what belongs to default/kubernetes
TABLE = """\
table ip kube-proxy {
	comment "rules for kube-proxy"
	set cluster-ips {
		type ipv4_addr
		comment "Active ClusterIPs"
		elements = { 10.96.0.1, 10.96.71.20,
			     10.96.80.9 }
	}

	set nodeport-ips {
		type ipv4_addr
		comment "IPs that accept NodePort traffic"
		elements = { 192.168.50.11 }
	}

	map no-endpoint-services {
		type ipv4_addr . inet_proto . inet_service : verdict
		comment "vmap to drop or reject packets to services with no endpoints"
		elements = { 10.96.80.9 . tcp . 8080 comment "shop/api:http" : goto reject-chain }
	}

	map no-endpoint-nodeports {
		type inet_proto . inet_service : verdict
		comment "vmap to drop or reject packets to service nodeports with no endpoints"
	}

	map firewall-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		comment "destinations that are subject to LoadBalancerSourceRanges"
	}

	map service-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		comment "ClusterIP, ExternalIP and LoadBalancer IP traffic"
		elements = { 10.96.71.20 . tcp . 80 : goto service-KHN6ECMT-shop/web/tcp/http,
			     10.96.0.1 . tcp . 443 : goto service-2QRHZV4L-default/kubernetes/tcp/https }
	}

	map service-nodeports {
		type inet_proto . inet_service : verdict
		comment "NodePort traffic"
		elements = { tcp . 30080 : goto external-KHN6ECMT-shop/web/tcp/http }
	}

	chain filter-prerouting {
		type filter hook prerouting priority dstnat - 10; policy accept;
		ct state new jump firewall-check
	}

	chain filter-input {
		type filter hook input priority -110; policy accept;
		ct state new jump nodeport-endpoints-check
		ct state new jump service-endpoints-check
	}

	chain filter-forward {
		type filter hook forward priority -110; policy accept;
		ct state new jump service-endpoints-check
		ct state new jump cluster-ips-check
	}

	chain filter-output {
		type filter hook output priority -110; policy accept;
		ct state new jump service-endpoints-check
		ct state new jump firewall-check
	}

	chain filter-output-post-dnat {
		type filter hook output priority -90; policy accept;
		ct state new jump cluster-ips-check
	}

	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump services
	}

	chain nat-output {
		type nat hook output priority -100; policy accept;
		jump services
	}

	chain nat-postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		jump masquerading
	}

	chain nodeport-endpoints-check {
		ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
	}

	chain service-endpoints-check {
		ip daddr . meta l4proto . th dport vmap @no-endpoint-services
	}

	chain firewall-check {
		ip daddr . meta l4proto . th dport vmap @firewall-ips
	}

	chain services {
		ip daddr . meta l4proto . th dport vmap @service-ips
		ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
	}

	chain masquerading {
		meta mark & 0x00004000 == 0x00000000 return
		meta mark set meta mark ^ 0x00004000
		masquerade fully-random
	}

	chain cluster-ips-check {
		ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"
		ip daddr 10.96.0.0/12 drop comment "Drop traffic to unallocated ClusterIPs"
	}

	chain mark-for-masquerade {
		meta mark set meta mark | 0x00004000
	}

	chain reject-chain {
		comment "helper for @no-endpoint-services / @no-endpoint-nodeports"
		reject
	}

	chain endpoint-FDH7QP7U-shop/web/tcp/http__10.244.1.5/8080 {
		ip saddr 10.244.1.5 jump mark-for-masquerade
		meta l4proto tcp dnat to 10.244.1.5:8080
	}

	chain endpoint-SH75W6A6-shop/web/tcp/http__10.244.1.6/8080 {
		ip saddr 10.244.1.6 jump mark-for-masquerade
		meta l4proto tcp dnat to 10.244.1.6:8080
	}

	chain endpoint-W7KABZCH-shop/web/tcp/http__10.244.2.7/8080 {
		ip saddr 10.244.2.7 jump mark-for-masquerade
		meta l4proto tcp dnat to 10.244.2.7:8080
	}

	chain service-KHN6ECMT-shop/web/tcp/http {
		ip daddr 10.96.71.20 tcp dport 80 ip saddr != 10.244.0.0/16 jump mark-for-masquerade
		numgen random mod 3 vmap { 0 : goto endpoint-FDH7QP7U-shop/web/tcp/http__10.244.1.5/8080, 1 : goto endpoint-SH75W6A6-shop/web/tcp/http__10.244.1.6/8080, 2 : goto endpoint-W7KABZCH-shop/web/tcp/http__10.244.2.7/8080 }
	}

	chain external-KHN6ECMT-shop/web/tcp/http {
		jump mark-for-masquerade
		goto service-KHN6ECMT-shop/web/tcp/http
	}
}
"""  # noqa: E501
WEB = "KHN6ECMT-shop/web/tcp/http"
ENDS = ("FDH7QP7U", "SH75W6A6", "W7KABZCH")


def table(lab: Lab, node: str = "node1") -> str:
    return out(lab, "nft list table ip kube-proxy", f"node/{node}")


def blocks(text: str) -> list[str]:
    return [b for b in text.split("\n\n") if "chain " not in b or "default/kubernetes" not in b]


def chain(lab: Lab, name: str, node: str = "node1") -> list[str]:
    text = out(lab, f"nft list chain ip kube-proxy {name}", f"node/{node}")
    return [line.strip() for line in text.splitlines()[2:-2]]


def element(lab: Lab, name: str, node: str = "node1") -> str:
    return out(lab, f"nft list map ip kube-proxy {name}", f"node/{node}")


def test_the_sample_world_line_by_line() -> None:
    world = lab(web(), api(), slice_of("web"), mode="nftables")
    assert "\n\n".join(blocks(table(world))) == TABLE


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ({"nftables": {"masqueradeAll": True}}, ""),
        ({"detectLocalMode": "NodeCIDR"}, "ip saddr != 10.244.1.0/24 "),
        (
            {"detectLocalMode": "InterfaceNamePrefix", "detectLocal": {"interfaceNamePrefix": "veth"}},
            'iifname != "veth*" ',
        ),
    ],
)
def test_who_is_masqueraded_on_the_way_to_a_cluster_ip(proxy: dict[str, Any], words: str) -> None:
    world = lab(web(), slice_of("web"), mode="nftables", **proxy)
    assert chain(world, f"service-{WEB}")[0] == (
        f"ip daddr 10.96.71.20 tcp dport 80 {words}jump mark-for-masquerade"
    )


def test_affinity_is_a_set_for_each_endpoint() -> None:
    world = lab(web(sessionAffinity="ClientIP"), slice_of("web"), mode="nftables")
    ends = [f"{h}-shop/web/tcp/http__{ip}/8080" for h, (ip, _) in zip(ENDS, ENDPOINTS, strict=True)]
    assert chain(world, f"service-{WEB}")[1:4] == [f"ip saddr @affinity-{e} goto endpoint-{e}" for e in ends]
    assert chain(world, f"endpoint-{ends[0]}")[1] == f"update @affinity-{ends[0]} {{ ip saddr }}"
    text = out(world, f"nft list set ip kube-proxy affinity-{ends[0]}", "node/node1")
    assert "flags dynamic,timeout" in text and "timeout 3h" in text


def test_a_local_policy_outside() -> None:
    world = lab(web(externalTrafficPolicy="Local"), slice_of("web"), mode="nftables")
    assert chain(world, f"external-{WEB}") == [
        f'ip saddr 10.244.0.0/16 goto service-{WEB} comment "short-circuit pod traffic"',
        'fib saddr type local jump mark-for-masquerade comment "masquerade local traffic"',
        f'fib saddr type local goto service-{WEB} comment "short-circuit local traffic"',
        f"goto local-{WEB}",
    ]
    assert 'tcp . 30080 comment "shop/web:http" : drop' in element(world, "no-endpoint-nodeports", "cp1")
    assert f"tcp . 30080 : goto external-{WEB}" in element(world, "service-nodeports", "cp1")


def test_source_ranges() -> None:
    body = web(type="LoadBalancer", loadBalancerSourceRanges=["192.168.50.0/24", "203.0.113.0/24"])
    body["status"] = {"loadBalancer": {"ingress": [{"ip": "192.168.50.240"}]}}
    world = lab(body, slice_of("web"), mode="nftables")
    assert chain(world, f"firewall-{WEB}") == [
        "ip saddr != { 192.168.50.0/24, 192.168.50.240, 203.0.113.0/24 } drop"
    ] or chain(world, f"firewall-{WEB}") == ["ip saddr != { 192.168.50.0/24, 203.0.113.0/24 } drop"]
    assert f"192.168.50.240 . tcp . 80 : goto firewall-{WEB}" in element(world, "firewall-ips")
    assert f"192.168.50.240 . tcp . 80 : goto external-{WEB}" in element(world, "service-ips")


def test_node_ports_on_every_address_need_no_set() -> None:
    world = lab(web(), slice_of("web"), mode="nftables", nodePortAddresses=["0.0.0.0/0"])
    assert "nodeport-ips" not in table(world)
    assert chain(world, "services")[1] == (
        "fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @service-nodeports"
    )


def test_the_range_of_services_is_known_since_multiple_ranges_are() -> None:
    """MultiCIDRServiceAllocator is on since 1.33 (facts 20 section 1.1)."""
    old = lab(web(), slice_of("web"), mode="nftables", kubernetes="1.32")
    assert len(chain(old, "cluster-ips-check")) == 1
    assert len(chain(lab(web(), slice_of("web"), mode="nftables"), "cluster-ips-check")) == 2


def test_an_endpoint_that_goes_is_emptied_now_and_deleted_by_a_later_sync() -> None:
    world = lab(web(), slice_of("web"), mode="nftables")
    gone = "endpoint-W7KABZCH-shop/web/tcp/http__10.244.2.7/8080"
    put(world, slice_of("web", ENDPOINTS[:2]))
    assert chain(world, gone) == []
    assert "numgen random mod 2 vmap" in chain(world, f"service-{WEB}")[1]
    world.wait(5)
    put(world, slice_of("web", ENDPOINTS[:1]))
    assert world.run("node/node1", f"nft list chain ip kube-proxy {gone}").code == 1
    assert chain(world, "endpoint-SH75W6A6-shop/web/tcp/http__10.244.1.6/8080") == []


def test_a_service_that_loses_its_last_endpoint_moves_to_the_other_map() -> None:
    world = lab(web(), slice_of("web"), mode="nftables")
    put(world, slice_of("web", ()))
    assert "10.96.71.20" not in element(world, "service-ips")
    assert '10.96.71.20 . tcp . 80 comment "shop/web:http" : goto reject-chain' in element(
        world, "no-endpoint-services"
    )
    put(world, slice_of("web", ENDPOINTS[:1]))
    assert "10.96.71.20" not in element(world, "no-endpoint-services")
    assert f"10.96.71.20 . tcp . 80 : goto service-{WEB}" in element(world, "service-ips")


def test_an_element_that_a_person_takes_out_is_missed_when_it_is_to_go() -> None:
    """kube-proxy compares with what it wrote; a failed transaction is made good by a full sync a period later."""
    world = lab(web(), slice_of("web"), mode="nftables")
    out(world, "nft delete element ip kube-proxy service-ips { 10.96.71.20 . tcp . 80 }", "node/node1")
    world.wait(120)
    assert "10.96.71.20" not in element(world, "service-ips")
    put(world, slice_of("web", ()))
    assert "10.96.71.20" not in element(world, "no-endpoint-services")
    assert "nftables sync failed" in log_of(world, "node1")
    world.wait(31)
    assert "10.96.71.20" in element(world, "no-endpoint-services")


def test_a_table_that_is_gone_comes_back_when_a_sync_has_failed() -> None:
    world = lab(web(), slice_of("web"), mode="nftables")
    before = table(world)
    out(world, "nft delete table ip kube-proxy", "node/node1")
    world.wait(600)
    assert world.run("node/node1", "nft list table ip kube-proxy").code == 1
    world.wait(3600)
    assert blocks(table(world)) == blocks(before)
