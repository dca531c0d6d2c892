"""What kube-proxy writes in iptables mode: complete listings, line by line.

Source of every line: pkg/proxy/iptables/proxier.go (syncProxyRules, writeServiceToEndpointRules, iptablesJumpChains),
as facts 20 sections 2.3 to 2.5 tell it; the form is iptables-save's (section 7.3).
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.kube.proxy.sample import api, lab, rows, service, slice_of, web

NAT = """\
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-EXT-67NZLRHBNDSAWJRO -m comment --comment "masquerade traffic for shop/web:http external destinations" -j KUBE-MARK-MASQ
-A KUBE-EXT-67NZLRHBNDSAWJRO -j KUBE-SVC-67NZLRHBNDSAWJRO
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-NODEPORTS -p tcp -m comment --comment "shop/web:http" -m tcp --dport 30080 -j KUBE-EXT-67NZLRHBNDSAWJRO
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-SEP-34ZZ2QFGO32YYXXO -s 10.244.1.5/32 -m comment --comment "shop/web:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-34ZZ2QFGO32YYXXO -p tcp -m comment --comment "shop/web:http" -m tcp -j DNAT --to-destination 10.244.1.5:8080
-A KUBE-SEP-DYSIX5QMVXZZP7LU -s 10.244.2.7/32 -m comment --comment "shop/web:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-DYSIX5QMVXZZP7LU -p tcp -m comment --comment "shop/web:http" -m tcp -j DNAT --to-destination 10.244.2.7:8080
-A KUBE-SEP-MCTKD62NLNFFFI4W -s 10.244.1.6/32 -m comment --comment "shop/web:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-MCTKD62NLNFFFI4W -p tcp -m comment --comment "shop/web:http" -m tcp -j DNAT --to-destination 10.244.1.6:8080
-A KUBE-SERVICES -d 10.96.71.20/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-67NZLRHBNDSAWJRO
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-67NZLRHBNDSAWJRO ! -s 10.244.0.0/16 -d 10.96.71.20/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-67NZLRHBNDSAWJRO -m comment --comment "shop/web:http -> 10.244.1.5:8080" -m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-34ZZ2QFGO32YYXXO
-A KUBE-SVC-67NZLRHBNDSAWJRO -m comment --comment "shop/web:http -> 10.244.1.6:8080" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-MCTKD62NLNFFFI4W
-A KUBE-SVC-67NZLRHBNDSAWJRO -m comment --comment "shop/web:http -> 10.244.2.7:8080" -j KUBE-SEP-DYSIX5QMVXZZP7LU
"""  # noqa: E501
FILTER = """\
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A KUBE-SERVICES -d 10.96.80.9/32 -p tcp -m comment --comment "shop/api:http has no endpoints" -m tcp --dport 8080 -j REJECT --reject-with icmp-port-unreachable
"""  # noqa: E501
CHAINS = {
    "mangle": ["KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY", "KUBE-PROXY-CANARY"],
    "filter": [
        "KUBE-EXTERNAL-SERVICES", "KUBE-FIREWALL", "KUBE-FORWARD", "KUBE-KUBELET-CANARY", "KUBE-NODEPORTS",
        "KUBE-PROXY-CANARY", "KUBE-PROXY-FIREWALL", "KUBE-SERVICES",
    ],
}  # fmt: skip
#: rows of others: default/kubernetes, the masquerading agent
OTHERS = ("default/kubernetes", "IP-MASQ-AGENT", "NPX46M4PTMTKRN6Y")


def mine(text: str) -> list[str]:
    """The rules of an iptables-save text without those of others and those that lead only to them."""
    lines = [line for line in text.splitlines() if line.startswith("-A ")]
    return [line for line in lines if not any(word in line for word in OTHERS)]


def test_the_sample_world_line_by_line() -> None:
    world = lab(web(), api(), slice_of("web"))
    assert mine(world.run("node/node1", "iptables-save -t nat").stdout) == NAT.splitlines()
    assert mine(world.run("node/node1", "iptables-save -t filter").stdout) == FILTER.splitlines()
    for table, chains in CHAINS.items():
        text = world.run("node/node1", f"iptables-save -t {table}").stdout
        assert [line.split()[0][1:] for line in text.splitlines() if line.startswith(":KUBE")] == chains


def test_every_node_has_the_same_rows() -> None:
    world = lab(web(), api(), slice_of("web"))
    texts = {
        mine_of
        for n in ("cp1", "node1", "node2")
        if (mine_of := world.run(f"node/{n}", "iptables -t nat -S KUBE-SERVICES").stdout)
    }
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("proxy", "first"),
    [
        ({}, "! -s 10.244.0.0/16 -d 10.96.71.20/32 -p tcp"),
        ({"iptables": {"masqueradeAll": True}}, "-d 10.96.71.20/32 -p tcp"),
        ({"detectLocalMode": "NodeCIDR"}, "! -s 10.244.1.0/24 -d 10.96.71.20/32 -p tcp"),
        (
            {"detectLocalMode": "BridgeInterface", "detectLocal": {"bridgeInterface": "cni0"}},
            "-d 10.96.71.20/32 ! -i cni0 -p tcp",
        ),
        (
            {"detectLocalMode": "InterfaceNamePrefix", "detectLocal": {"interfaceNamePrefix": "veth"}},
            "-d 10.96.71.20/32 ! -i veth+ -p tcp",
        ),
    ],
)
def test_who_is_masqueraded_on_the_way_to_a_cluster_ip(proxy: dict[str, Any], first: str) -> None:
    """facts 20 section 2.1, localdetector.go."""
    world = lab(web(), slice_of("web"), **proxy)
    tail = ' -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ'
    assert rows(world, "nat", "KUBE-SVC-67NZLRHBNDSAWJRO")[0] == first + tail


def test_without_a_cluster_cidr_nobody_is_masqueraded_on_the_way() -> None:
    world = lab(web(), slice_of("web"), clusterCIDR="")
    assert "KUBE-MARK-MASQ" not in rows(world, "nat", "KUBE-SVC-67NZLRHBNDSAWJRO")[0]


def test_affinity_asks_who_was_here_before_the_die_is_thrown() -> None:
    world = lab(web(sessionAffinity="ClientIP"), slice_of("web"))
    found = rows(world, "nat", "KUBE-SVC-67NZLRHBNDSAWJRO")
    assert found[1] == (
        '-m comment --comment "shop/web:http -> 10.244.1.5:8080" -m recent --rcheck --seconds 10800 --reap '
        "--name KUBE-SEP-34ZZ2QFGO32YYXXO --mask 255.255.255.255 --rsource -j KUBE-SEP-34ZZ2QFGO32YYXXO"
    )
    assert [("recent" in row, "statistic" in row) for row in found[1:]] == [
        *[(True, False)] * 3, (False, True), (False, True), (False, False)
    ]  # fmt: skip
    assert rows(world, "nat", "KUBE-SEP-34ZZ2QFGO32YYXXO")[1] == (
        '-p tcp -m comment --comment "shop/web:http" -m recent --set --name KUBE-SEP-34ZZ2QFGO32YYXXO '
        "--mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.244.1.5:8080"
    )


def test_a_local_policy_outside_short_circuits_pods_and_the_node_itself() -> None:
    world = lab(web(externalTrafficPolicy="Local"), slice_of("web"))
    assert rows(world, "nat", "KUBE-EXT-67NZLRHBNDSAWJRO") == [
        '-s 10.244.0.0/16 -m comment --comment "pod traffic for shop/web:http external destinations" '
        "-j KUBE-SVC-67NZLRHBNDSAWJRO",
        '-m comment --comment "masquerade LOCAL traffic for shop/web:http external destinations" -m addrtype '
        "--src-type LOCAL -j KUBE-MARK-MASQ",
        '-m comment --comment "route LOCAL traffic for shop/web:http external destinations" -m addrtype '
        "--src-type LOCAL -j KUBE-SVC-67NZLRHBNDSAWJRO",
        "-j KUBE-SVL-67NZLRHBNDSAWJRO",
    ]
    assert [r.rpartition(" ")[2] for r in rows(world, "nat", "KUBE-SVL-67NZLRHBNDSAWJRO")] == [
        "KUBE-SEP-34ZZ2QFGO32YYXXO", "KUBE-SEP-MCTKD62NLNFFFI4W"
    ]  # fmt: skip
    assert rows(world, "filter", "KUBE-EXTERNAL-SERVICES", "cp1") == [
        '-p tcp -m comment --comment "shop/web:http has no local endpoints" -m addrtype --dst-type LOCAL -m tcp '
        "--dport 30080 -j DROP"
    ]
    assert rows(world, "nat", "KUBE-EXT-67NZLRHBNDSAWJRO", "cp1")[-1].endswith("-j KUBE-SVC-67NZLRHBNDSAWJRO")


def test_a_local_policy_inside_drops_where_no_endpoint_is() -> None:
    world = lab(web(internalTrafficPolicy="Local"), slice_of("web"))
    said = '-d 10.96.71.20/32 -p tcp -m comment --comment "shop/web:http {}" -m tcp --dport 80 -j {}'
    assert rows(world, "nat", "KUBE-SERVICES")[1] == said.format("cluster IP", "KUBE-SVL-67NZLRHBNDSAWJRO")
    assert rows(world, "filter", "KUBE-SERVICES", "cp1") == [said.format("has no local endpoints", "DROP")]


def test_a_load_balancers_source_ranges_are_a_chain_and_a_drop() -> None:
    body = web(type="LoadBalancer", loadBalancerSourceRanges=["192.168.50.0/24", "203.0.113.0/24"])
    body["status"] = {"loadBalancer": {"ingress": [{"ip": "192.168.50.240"}]}}
    world = lab(body, slice_of("web"))
    fw, ext = "KUBE-FW-67NZLRHBNDSAWJRO", "KUBE-EXT-67NZLRHBNDSAWJRO"
    said = '-m comment --comment "shop/web:http loadbalancer IP"'
    assert rows(world, "nat", fw) == [
        f"-s 192.168.50.0/24 {said} -j {ext}",
        f"-s 203.0.113.0/24 {said} -j {ext}",
        f"-s 192.168.50.240/32 {said} -j {ext}",
        '-m comment --comment "other traffic to shop/web:http will be dropped by KUBE-PROXY-FIREWALL"',
    ]
    assert rows(world, "filter", "KUBE-PROXY-FIREWALL") == [
        f'-d 192.168.50.240/32 -p tcp -m comment --comment "shop/web:http traffic not accepted by {fw}" -m tcp '
        "--dport 80 -j DROP"
    ]
    assert f"-d 192.168.50.240/32 -p tcp {said} -m tcp --dport 80 -j {fw}" in rows(
        world, "nat", "KUBE-SERVICES"
    )


def test_a_load_balancer_that_is_a_proxy_leaves_no_rows() -> None:
    """status.loadBalancer.ingress[].ipMode (facts 20 section 1.2)."""
    body = web(type="LoadBalancer")
    body["status"] = {"loadBalancer": {"ingress": [{"ip": "192.168.50.240", "ipMode": "Proxy"}]}}
    assert "192.168.50.240" not in lab(body, slice_of("web")).run("node/node1", "iptables-save").stdout


def test_external_addresses_and_health_checks() -> None:
    body = web(
        type="LoadBalancer",
        externalTrafficPolicy="Local",
        healthCheckNodePort=32100,
        externalIPs=["198.51.100.7"],
    )
    world = lab(body, slice_of("web"))
    assert rows(world, "filter", "KUBE-NODEPORTS") == [
        '-p tcp -m comment --comment "shop/web:http health check node port" -m tcp --dport 32100 -j ACCEPT'
    ]
    assert (
        '-d 198.51.100.7/32 -p tcp -m comment --comment "shop/web:http external IP" -m tcp --dport 80 '
        "-j KUBE-EXT-67NZLRHBNDSAWJRO" in rows(world, "nat", "KUBE-SERVICES")
    )
    assert rows(world, "filter", "KUBE-EXTERNAL-SERVICES", "cp1")[0] == (
        '-d 198.51.100.7/32 -p tcp -m comment --comment "shop/web:http has no local endpoints" -m tcp --dport 80 '
        "-j DROP"
    )


NODE_PORTS = (
    '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"'
)


@pytest.mark.parametrize(
    ("proxy", "last"),
    [
        ({}, [f"{NODE_PORTS} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"]),
        (
            {"iptables": {"localhostNodePorts": False}},
            [f"! -d 127.0.0.0/8 {NODE_PORTS} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"],
        ),
        ({"nodePortAddresses": ["192.168.50.0/24"]}, [f"-d 192.168.50.11/32 {NODE_PORTS} -j KUBE-NODEPORTS"]),
        ({"nodePortAddresses": ["primary"]}, [f"-d 192.168.50.11/32 {NODE_PORTS} -j KUBE-NODEPORTS"]),
        (
            {"nodePortAddresses": ["192.168.50.0/24", "127.0.0.0/8"]},
            [
                f"-d 127.0.0.1/32 {NODE_PORTS} -j KUBE-NODEPORTS",
                f"-d 192.168.50.11/32 {NODE_PORTS} -j KUBE-NODEPORTS",
            ],
        ),
    ],
)
def test_which_addresses_take_node_ports(proxy: dict[str, Any], last: list[str]) -> None:
    """facts 20 section 2.4: always at the end of KUBE-SERVICES."""
    world = lab(web(), slice_of("web"), **proxy)
    assert rows(world, "nat", "KUBE-SERVICES")[-len(last) :] == last
    expected = (
        "0"
        if proxy.get("iptables")
        or proxy.get("nodePortAddresses") not in (None, ["192.168.50.0/24", "127.0.0.0/8"])
        else "1"
    )
    found = world.run("node/node1", "sysctl -n net.ipv4.conf.all.route_localnet").stdout.strip()
    assert found == expected


def test_a_large_cluster_leaves_comments_of_endpoints_out() -> None:
    """More than 1000 endpoints (largeClusterEndpointsThreshold)."""
    many = [(f"10.244.{i // 200 + 3}.{i % 200 + 1}", "node2") for i in range(1000)]
    world = lab(web(), service("big", "10.96.71.21"), slice_of("web"), slice_of("big", many))
    assert rows(world, "nat", "KUBE-SEP-34ZZ2QFGO32YYXXO") == [
        "-s 10.244.1.5/32 -j KUBE-MARK-MASQ", "-p tcp -m tcp -j DNAT --to-destination 10.244.1.5:8080"
    ]  # fmt: skip
    assert rows(world, "nat", "KUBE-SVC-67NZLRHBNDSAWJRO")[1] == (
        "-m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-34ZZ2QFGO32YYXXO"
    )


def test_another_bit_and_a_liberal_tracker() -> None:
    world = lab(web(), slice_of("web"), iptables={"masqueradeBit": 15}, conntrack={"tcpBeLiberal": True})
    assert rows(world, "nat", "KUBE-MARK-MASQ") == ["-j MARK --set-xmark 0x8000/0x8000"]
    assert "INVALID" not in "".join(rows(world, "filter", "KUBE-FORWARD"))
