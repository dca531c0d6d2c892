"""kube-proxy's life on a node: its configuration, its syncs, what it repairs and what it leaves.

Source: cmd/kube-proxy/app/{options,server,server_linux}.go, pkg/proxy/iptables/proxier.go, pkg/util/iptables Monitor;
facts 20 sections 2.1 and 2.3.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError
from engine.kube.objects import edited
from engine.lab.lab import Lab
from tests.kube.proxy.sample import ENDPOINTS, api, lab, log_of, out, put, rows, slice_of, web

SVC = "KUBE-SVC-67NZLRHBNDSAWJRO"


def config_map(lab: Lab) -> str:
    assert lab.world.cluster is not None
    body = lab.world.cluster.store.get("ConfigMap", "kube-system", "kube-proxy")
    assert body is not None
    return str(body["data"]["config.conf"])


def edit(lab: Lab, *changes: tuple[str, str]) -> None:
    """What `kubectl -n kube-system edit cm kube-proxy` does."""
    cluster = lab.world.cluster
    assert cluster is not None
    body = edited(cluster.store.objects["ConfigMap"]["kube-system", "kube-proxy"])
    for old, new in changes:
        assert old in body["data"]["config.conf"]
        body["data"]["config.conf"] = body["data"]["config.conf"].replace(old, new)
    cluster.store.update(body)
    lab.world.settle()


def restart(lab: Lab) -> None:
    out(lab, "kubectl -n kube-system rollout restart ds kube-proxy")
    lab.wait(60)


def mode(lab: Lab, node: str = "node1") -> str:
    return out(lab, "curl -s 127.0.0.1:10249/proxyMode", f"node/{node}")


def flush(lab: Lab, table: str, chain: str) -> None:
    out(lab, f"iptables -t {table} -F {chain}", "node/node1")


# -- what kubeadm leaves


def test_the_config_map_is_kubeadms() -> None:
    text = config_map(lab())
    assert text.startswith("apiVersion: kubeproxy.config.k8s.io/v1alpha1\nbindAddress: 0.0.0.0\n")
    assert "clusterCIDR: 10.244.0.0/16\n" in text and 'mode: ""\n' in text
    assert "iptables:\n  localhostNodePorts: null\n  masqueradeAll: false\n" in text
    assert "nftables" in config_map(lab(mode="nftables"))


def test_the_daemon_set_is_kubeadms() -> None:
    world = lab()
    found = out(world, "kubectl -n kube-system get ds kube-proxy")
    assert found.split()[9:16] == ["kube-proxy", "3", "3", "3", "3", "3", "kubernetes.io/os=linux"]
    assert out(world, "crictl ps --name kube-proxy -q", "node/node1").strip()


def test_a_lab_without_kube_proxy_has_nothing_of_it() -> None:
    world = lab(web(), slice_of("web"), mode="none")
    assert world.run("node/cp1", "kubectl -n kube-system get ds").stdout == ""
    assert "KUBE" not in world.run("node/node1", "iptables-save").stdout


# -- configuration


def test_an_edited_config_map_counts_when_the_pods_start_anew() -> None:
    world = lab(web(), slice_of("web"))
    edit(world, ('mode: ""', "mode: nftables"))
    world.wait(300)
    assert mode(world) == "iptables"
    restart(world)
    assert mode(world) == "nftables"
    assert "table ip kube-proxy" in out(world, "nft list tables", "node/node1")
    assert "Using nftables Proxier" in log_of(world, "node1")


def test_nftables_takes_the_rows_of_iptables_away_and_back() -> None:
    world = lab(web(), slice_of("web"))
    edit(world, ('mode: ""', "mode: nftables"))
    restart(world)
    left = out(world, "iptables-save", "node/node1")
    assert "KUBE-SERVICES" not in left and "KUBE-PROXY" not in left and "KUBE-MARK-MASQ" not in left
    assert "-A INPUT -j KUBE-FIREWALL" in left
    edit(world, ("mode: nftables", "mode: iptables"))
    restart(world)
    assert "kube-proxy" not in out(world, "nft list tables", "node/node1")
    assert len(rows(world, "nat", SVC)) == 4


def test_iptables_leaves_what_ipvs_left() -> None:
    """Both are one family (platformCleanup): a person must take the rest away."""
    world = lab(web(), slice_of("web"), mode="ipvs")
    edit(world, ("mode: ipvs", "mode: iptables"))
    restart(world)
    assert mode(world) == "iptables"
    assert "kube-ipvs0" in out(world, "ip -br link", "node/node1")
    assert len(rows(world, "nat", SVC)) == 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'mode: ""',
            "mode: iptable",
            'failed validate: KubeProxyConfiguration.Mode.ProxyMode: Invalid value: \\"iptable\\": must be iptables, '
            "ipvs, nftables or blank (blank means the best-available proxy [currently iptables])",
        ),
        (
            "clusterCIDR: 10.244.0.0/16",
            "clusterCIDR: 10.244.0.0",
            'KubeProxyConfiguration.ClusterCIDR: Invalid value: \\"10.244.0.0\\": must be a valid CIDR block',
        ),
        (
            'mode: ""',
            "mode: userspace",
            'Invalid value: \\"userspace\\": must be iptables, ipvs, nftables or blank',
        ),
    ],
)
def test_what_kube_proxy_refuses_ends_in_a_crash_loop(old: str, new: str, said: str) -> None:
    world = lab(web(), slice_of("web"))
    edit(world, (old, new))
    restart(world)
    pods = out(world, "kubectl -n kube-system get pods -l k8s-app=kube-proxy")
    assert "CrashLoopBackOff" in pods or "Error" in pods
    assert said in "".join(log_of(world, node) for node in ("cp1", "node1", "node2"))
    assert len(rows(world, "nat", SVC)) == 4, "what the old process wrote stays"


def test_a_field_that_nobody_knows_is_only_warned_of() -> None:
    world = lab(web(), slice_of("web"))
    edit(world, ('mode: ""', 'mode: ""\nmodus: nftables'))
    restart(world)
    assert 'unknown field \\"modus\\"' in log_of(world, "node1") and mode(world) == "iptables"


@pytest.mark.parametrize(
    ("proxy", "where", "said"),
    [
        ({"modus": 1}, "proxy.modus", "kube-proxy has no field 'modus' here; accepted: bindAddress"),
        (
            {"iptables": {"masquerade": True}},
            "proxy.iptables.masquerade",
            "localhostNodePorts, masqueradeAll",
        ),
        ({"oomScoreAdj": 5}, "proxy.oomScoreAdj", "nothing in the lab acts on it"),
        ({"iptables": {"masqueradeBit": 40}}, "proxy", "must be within the range [0, 31]"),
        ({"iptables": {"syncPeriod": 30}}, "proxy.iptables.syncPeriod", "cannot unmarshal number"),
        ({"nodePortAddresses": ["everything"]}, "proxy", "NodePortAddresses[0]"),
        ({"nodePortAddresses": ["localhost"]}, "proxy", "must be a valid CIDR"),
        ({"detectLocalMode": "Bridge"}, "proxy", "best-available detect-local-mode"),
    ],
)
def test_a_lab_file_is_told_what_is_wrong(proxy: dict[str, Any], where: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        lab(**proxy)
    (problem,) = error.value.problems
    assert problem.where.endswith(where) and said in problem.said.text()
    assert problem.said.text("ko") != problem.said.text()


def test_a_lab_file_is_told_the_line(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text("nodes: [{name: n1}]\nproxy:\n  mode: iptables\n  iptables:\n    bit: 3\n")
    with pytest.raises(InputError) as error:
        Lab.load(file)
    assert error.value.problems[0].where.endswith("lab.yaml:5: proxy.iptables.bit")


def test_nftables_is_behind_its_gate_in_1_30() -> None:
    """Alpha in 1.29, beta and on since 1.31 (KEP-3866)."""
    with pytest.raises(InputError, match="must be iptables, ipvs or blank"):
        lab(kubernetes="1.30", mode="nftables")
    assert (
        mode(lab(kubernetes="1.30", mode="nftables", featureGates={"NFTablesProxyMode": True})) == "nftables"
    )
    assert mode(lab(kubernetes="1.31", mode="nftables")) == "nftables"


@pytest.mark.parametrize(
    ("kubernetes", "warns"), [("1.33", False), ("1.34", False), ("1.35", True), ("1.36", True)]
)
def test_ipvs_is_deprecated_since_1_35(kubernetes: str, warns: bool) -> None:
    """KEP-5495."""
    said = "The ipvs proxier is now deprecated and may be removed in a future release. Please use 'nftables' instead."
    assert (said in log_of(lab(kubernetes=kubernetes, mode="ipvs"), "node1")) is warns


def test_a_node_hears_of_its_proxy() -> None:
    world = lab(mode="ipvs")
    found = out(
        world, "kubectl get events --field-selector involvedObject.name=node1,involvedObject.kind=Node"
    )
    assert any("Starting" in line and line.split()[-1] == "node/node1" for line in found.splitlines())
    assert "IPVSDeprecation" in found


def test_what_is_written_at_the_start() -> None:
    new, old = log_of(lab(), "node1"), log_of(lab(kubernetes="1.32"), "node1")
    assert (
        '"Using iptables proxy"' in new
        and '"Successfully retrieved NodeIPs" NodeIPs=["192.168.50.11"]' in new
    )
    assert '"Successfully retrieved node IP(s)" IPs=["192.168.50.11"]' in old
    assert "Waiting for caches to sync for service config" in old
    for text in (new, old):
        assert '"Using iptables Proxier"' in text and "Setting route_localnet=1" in text
        assert "nodePortAddresses is unset" in text


# -- sysctls


def test_the_trackers_limits_are_set_at_the_start() -> None:
    keys = ("max", "tcp_timeout_established", "tcp_timeout_close_wait")
    line = "sysctl -n " + " ".join(f"net.netfilter.nf_conntrack_{key}" for key in keys)
    assert out(lab(), line, "node/node1").split() == ["131072", "86400", "3600"]
    other = lab(conntrack={"min": 5000, "maxPerCore": 1000, "tcpEstablishedTimeout": "1h0m0s"})
    assert out(other, line, "node/node1").split() == ["5000", "3600", "3600"]


# -- syncs


def test_a_chain_that_a_person_empties_stays_empty_until_its_service_changes() -> None:
    """A partial sync writes the Services that changed and nothing else (since 1.28)."""
    world = lab(web(), api(), slice_of("web"))
    flush(world, "nat", SVC)
    world.wait(300)
    assert rows(world, "nat", SVC) == []
    put(world, slice_of("api", (("10.244.2.9", "node2"),)))
    assert rows(world, "nat", SVC) == []
    put(world, slice_of("web", ENDPOINTS[:2]))
    assert len(rows(world, "nat", SVC)) == 3


def test_an_hour_later_everything_is_written_again() -> None:
    world = lab(web(), slice_of("web"))
    flush(world, "nat", SVC)
    world.wait(3600)
    assert len(rows(world, "nat", SVC)) == 4


def test_the_chains_that_all_share_are_written_by_every_sync() -> None:
    world = lab(web(), api(), slice_of("web"))
    flush(world, "nat", "KUBE-SERVICES")
    put(world, slice_of("api", (("10.244.2.9", "node2"),)))
    assert len(rows(world, "nat", "KUBE-SERVICES")) == 4


def test_a_flushed_table_is_noticed_by_its_canary() -> None:
    """Only mangle's is looked for, every syncPeriod."""
    world = lab(web(), slice_of("web"))
    out(world, "iptables -t mangle -X KUBE-PROXY-CANARY", "node/node1")
    flush(world, "nat", SVC)
    world.wait(10)
    assert rows(world, "nat", SVC) == []
    world.wait(30)
    assert len(rows(world, "nat", SVC)) == 4
    assert "KUBE-PROXY-CANARY" in out(world, "iptables -t mangle -S", "node/node1")


def test_a_longer_period_is_waited_for() -> None:
    world = lab(web(), slice_of("web"), iptables={"syncPeriod": "5m0s"})
    out(world, "iptables -t mangle -X KUBE-PROXY-CANARY", "node/node1")
    flush(world, "nat", "KUBE-SERVICES")
    world.wait(200)
    assert rows(world, "nat", "KUBE-SERVICES") == []
    world.wait(60)
    assert len(rows(world, "nat", "KUBE-SERVICES")) == 3


def test_a_lost_jump_comes_back_with_a_full_sync_only() -> None:
    world = lab(web(), slice_of("web"))
    out(world, "iptables -t nat -F PREROUTING", "node/node1")
    put(world, slice_of("web", ENDPOINTS[:2]))
    assert rows(world, "nat", "PREROUTING") == []
    world.wait(3600)
    assert len(rows(world, "nat", "PREROUTING")) == 1


def test_chains_of_services_that_are_gone_go() -> None:
    world = lab(web(), slice_of("web"))
    out(world, "iptables -t nat -N KUBE-SVC-OLDANDFORGOTTEN0", "node/node1")
    out(world, "kubectl -n shop delete svc web")
    text = out(world, "iptables-save -t nat", "node/node1")
    assert "67NZLRHBNDSAWJRO" not in text and "KUBE-SEP-34ZZ" not in text and "FORGOTTEN" not in text


def test_a_restore_that_the_kernel_refuses_is_tried_again() -> None:
    """A person's rule goes to a chain that kube-proxy wants to delete."""
    world = lab(web(), slice_of("web"))
    out(world, "iptables -t nat -A OUTPUT -d 192.0.2.1 -j KUBE-SEP-DYSIX5QMVXZZP7LU", "node/node1")
    put(world, slice_of("web", ENDPOINTS[:2]))
    assert len(rows(world, "nat", SVC)) == 4 and len(rows(world, "nat", SVC, "node2")) == 3
    assert "Failed to execute iptables-restore" in log_of(world, "node1")
    assert "Sync failed" in log_of(world, "node1")
    out(world, "iptables -t nat -D OUTPUT -d 192.0.2.1 -j KUBE-SEP-DYSIX5QMVXZZP7LU", "node/node1")
    world.wait(31)
    assert len(rows(world, "nat", SVC)) == 3


def test_a_bridge_that_is_not_there_yet_is_waited_for() -> None:
    """nftables knows a device of `iif` by its number: without the bridge no transaction is taken."""
    proxy = {"detectLocalMode": "BridgeInterface", "detectLocal": {"bridgeInterface": "cni0"}}
    world = lab(web(), slice_of("web"), mode="nftables", **proxy)
    assert "Interface does not exist" in log_of(world, "node1")
    out(
        world,
        'kubectl run client --image=busybox --overrides=\'{"spec":{"nodeName":"node1"}}\' -- sleep infinity',
    )
    world.wait(31)
    text = out(world, "nft list table ip kube-proxy", "node/node1")
    assert 'tcp dport 80 iif != "cni0" jump mark-for-masquerade' in text


def test_a_node_that_moves_to_another_zone_uses_that_zones_endpoints() -> None:
    def hint(zone: str) -> Any:
        return {"hints": {"forZones": [{"name": zone}]}}

    ends = tuple((ip, node, hint("a" if node == "node1" else "b")) for ip, node in ENDPOINTS)
    world = lab(web(), slice_of("web", ends))
    assert len(rows(world, "nat", SVC)) == 4
    for zone, count in (("a", 2), ("b", 1)):
        out(world, f"kubectl label node node1 --overwrite topology.kubernetes.io/zone={zone}")
        assert len(rows(world, "nat", SVC)) == count + 1


def test_without_its_process_a_node_stays_as_it_is() -> None:
    world = lab(web(), slice_of("web"))
    out(world, "kubectl -n kube-system delete ds kube-proxy")
    world.wait(60)
    put(world, slice_of("web", ENDPOINTS[:1]))
    assert len(rows(world, "nat", SVC)) == 4
    assert world.run("node/node1", "curl -s 127.0.0.1:10249/proxyMode").code == 7


def test_a_copy_goes_its_own_way() -> None:
    world = lab(web(), slice_of("web"))
    other = world.copy()
    put(other, slice_of("web", ENDPOINTS[:1]))
    put(world, slice_of("web", ENDPOINTS[:2]))
    assert [len(rows(one, "nat", SVC)) for one in (world, other)] == [3, 2]
    put(other, slice_of("web", ENDPOINTS))
    put(world, slice_of("web", ()))
    assert (
        len(rows(other, "nat", SVC)) == 4 and "has no endpoints" in rows(world, "filter", "KUBE-SERVICES")[0]
    )


def test_stale_flows_of_udp_are_forgotten() -> None:
    """pkg/proxy/conntrack/cleanup.go."""
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}]
    dns = slice_of("web", ENDPOINTS, 5353, "UDP", "dns")
    world = lab(web(type="ClusterIP", ports=ports), dns)
    for _ in range(4):
        world.run("node/node1", "dig +tries=1 +time=1 @10.96.71.20 x")
    kept = world.run("node/node1", "conntrack -L -p udp --orig-dst 10.96.71.20").stdout
    assert "src=10.244." in kept
    put(world, slice_of("web", (("10.244.2.99", "node2"),), 5353, "UDP", "dns"))
    assert world.run("node/node1", "conntrack -L -p udp --orig-dst 10.96.71.20").stdout == ""
