"""kube-proxy in IPVS mode: what the tools print, and how it follows, resists and leaves (facts 20 section 2.7)."""

from __future__ import annotations

import pytest

from engine.lab.lab import Lab
from tests.kube.proxy.services_lab import lab, out, service

WEB = service(
    "web", "10.96.71.20", type="NodePort", ports=[{"port": 80, "targetPort": 8080, "nodePort": 30080}]
)


@pytest.fixture
def cluster() -> Lab:
    return lab("ipvs", WEB)


def test_virtual_servers_stand_for_the_address_and_for_the_node_port_of_every_node_address(
    cluster: Lab,
) -> None:
    rows = out(cluster, "node/w1", "ipvsadm -Sn").splitlines()
    assert "-A -t 10.96.71.20:80 -s rr" in rows
    assert {r for r in rows if r.startswith("-a -t 10.96.71.20:80 ")} == {
        "-a -t 10.96.71.20:80 -r 10.244.1.2:8080 -m -w 1", "-a -t 10.96.71.20:80 -r 10.244.2.2:8080 -m -w 1",
    }  # fmt: skip
    ports = {r.split()[2] for r in rows if r.startswith("-A") and r.split()[2].endswith(":30080")}
    assert ports == {"192.168.10.101:30080", "10.244.1.1:30080"}


def test_the_device_is_down_has_no_arp_and_holds_each_service_address(cluster: Lab) -> None:
    text = out(cluster, "node/w1", "ip addr show kube-ipvs0")
    assert "<BROADCAST,NOARP>" in text and "state DOWN" in text
    assert {line.split()[1] for line in text.splitlines() if "inet " in line} == {
        "10.96.0.1/32",
        "10.96.71.20/32",
    }


def test_seventeen_sets_of_their_types(cluster: Lab) -> None:
    names = out(cluster, "node/w1", "ipset list -n").split()
    assert len([n for n in names if n.startswith("KUBE-")]) == 17
    assert "Members:\n10.96.71.20,tcp:80" in out(cluster, "node/w1", "ipset list KUBE-CLUSTER-IP").replace(
        "10.96.0.1,tcp:443\n", ""
    )
    assert "Header: range 0-65535" in out(cluster, "node/w1", "ipset list KUBE-NODE-PORT-TCP")
    loop = out(cluster, "node/w1", "ipset list KUBE-LOOP-BACK")
    assert "10.244.1.2,tcp:8080,10.244.1.2" in loop and "10.244.2.2" not in loop


def test_sysctls(cluster: Lab) -> None:
    for key in ("conntrack", "expire_nodest_conn", "expire_quiescent_template"):
        assert out(cluster, "node/w1", f"sysctl -n net.ipv4.vs.{key}") == "1\n"
    assert out(cluster, "node/w1", "sysctl -n net.ipv4.conf.all.arp_ignore") == "0\n"


def test_configured() -> None:
    sticky = service("web", "10.96.71.20", sessionAffinity="ClientIP")
    there = lab("ipvs", sticky, ipvs={"scheduler": "wlc", "strictARP": True, "tcpTimeout": "900s"})
    assert "-A -t 10.96.71.20:80 -s wlc -p 10800" in out(there, "node/w1", "ipvsadm -Sn")
    assert out(there, "node/w1", "sysctl -n net.ipv4.conf.all.arp_ignore") == "1\n"
    assert out(there, "node/w1", "sysctl -n net.ipv4.conf.all.arp_announce") == "2\n"
    assert "900" in out(there, "node/w1", "ipvsadm -L --timeout")


def test_it_says_that_it_is_deprecated(cluster: Lab) -> None:
    name = next(
        w for w in out(cluster, "node/cp", "kubectl -n kube-system get pods -o name").split() if "proxy" in w
    )
    assert "The ipvs proxier is now deprecated" in out(
        cluster, "node/cp", f"kubectl -n kube-system logs {name}"
    )


def test_a_server_that_leaves_while_it_is_used_gets_weight_0_and_goes_a_minute_after_its_last_connection(
    cluster: Lab,
) -> None:
    for _ in range(2):
        cluster.run("pod/c", "nc -zv 10.96.71.20 80")
        cluster.run("node/w1", "nc -zv 10.96.71.20 80")
    out(cluster, "node/cp", "kubectl label pod b app=away --overwrite")
    rows = out(cluster, "node/w1", "ipvsadm -Sn")
    assert "-a -t 10.96.71.20:80 -r 10.244.2.2:8080 -m -w 0" in rows
    assert "-r 10.244.2.2:8080" not in "".join(r for r in rows.splitlines() if "30080" in r)
    cluster.wait(300)
    assert "10.244.2.2" not in out(cluster, "node/w1", "ipvsadm -Sn")


def test_one_that_comes_back_meanwhile_is_a_server_again(cluster: Lab) -> None:
    for _ in range(2):
        cluster.run("node/w1", "nc -zv 10.96.71.20 80")
    out(cluster, "node/cp", "kubectl label pod b app=away --overwrite")
    out(cluster, "node/cp", "kubectl label pod b app=web --overwrite")
    assert "-a -t 10.96.71.20:80 -r 10.244.2.2:8080 -m -w 1" in out(cluster, "node/w1", "ipvsadm -Sn")


def test_what_a_person_changes_is_put_right_at_the_end_of_a_sync_period(cluster: Lab) -> None:
    out(cluster, "node/w1", "ipvsadm -D -t 10.96.71.20:80")
    out(cluster, "node/w1", "ipvsadm -A -t 1.2.3.4:80 -s rr")
    out(cluster, "node/w1", "ip addr del 10.96.71.20/32 dev kube-ipvs0")
    out(cluster, "node/w1", "iptables -t nat -F KUBE-SERVICES")
    assert "10.96.71.20:80" not in out(cluster, "node/w1", "ipvsadm -Sn")
    cluster.wait(31)
    rows = out(cluster, "node/w1", "ipvsadm -Sn")
    assert "-a -t 10.96.71.20:80 -r 10.244.2.2:8080 -m -w 1" in rows and "1.2.3.4" not in rows
    assert "10.96.71.20/32" in out(cluster, "node/w1", "ip addr show kube-ipvs0")
    assert "-s 127.0.0.0/8 -j RETURN" in out(cluster, "node/w1", "iptables -t nat -S KUBE-SERVICES")


def test_virtual_servers_in_exclude_cidrs_are_left_alone() -> None:
    there = lab("ipvs", WEB, ipvs={"excludeCIDRs": ["1.2.3.0/24"]})
    out(there, "node/w1", "ipvsadm -A -t 1.2.3.4:80 -s rr")
    out(there, "node/w1", "ipvsadm -A -t 2.2.3.4:80 -s rr")
    out(there, "node/cp", "kubectl delete service web")
    rows = out(there, "node/w1", "ipvsadm -Sn")
    assert "1.2.3.4" in rows and "2.2.3.4" not in rows and "10.96.71.20" not in rows


def test_a_service_that_goes_takes_its_address_and_its_members_with_it(cluster: Lab) -> None:
    out(cluster, "node/cp", "kubectl delete service web")
    assert "10.96.71.20" not in out(cluster, "node/w1", "ip addr show kube-ipvs0")
    assert "10.96.71.20" not in out(cluster, "node/w1", "ipset list")
    assert "10.96.71.20" not in out(cluster, "node/w1", "ipvsadm -Ln")


def test_round_robin_takes_turns(cluster: Lab) -> None:
    for _ in range(4):
        cluster.run("pod/c", "nc -zv 10.96.71.20 80")
    rows = [r.split() for r in out(cluster, "node/w1", "ipvsadm -Ln --stats").splitlines() if "8080" in r]
    assert sorted(r[2] for r in rows if r[2] != "0") == ["2", "2"]


def proxy_pod(cluster: Lab, node: str) -> str:
    rows = out(cluster, "node/cp", "kubectl -n kube-system get pods -o wide --no-headers").splitlines()
    return next(r.split()[0] for r in rows if r.startswith("kube-proxy-") and f" {node} " in r)


def into_mode(cluster: Lab, old: str, new: str) -> None:
    """What a person does to change the mode: the ConfigMap, then new pods."""
    out(
        cluster,
        "node/cp",
        f"kubectl -n kube-system get cm kube-proxy -o yaml | sed 's/mode: {old}/mode: {new}/' | kubectl replace -f -",
    )
    out(cluster, "node/cp", "kubectl -n kube-system rollout restart ds kube-proxy")
    cluster.wait(90)
    assert out(cluster, "node/w1", "curl -s 127.0.0.1:10249/proxyMode") == new


def test_a_change_to_iptables_mode_leaves_virtual_servers_behind_until_somebody_cleans_up(
    cluster: Lab,
) -> None:
    into_mode(cluster, "ipvs", "iptables")
    assert "10.96.71.20:80" in out(cluster, "node/w1", "ipvsadm -Ln")
    assert "kube-ipvs0" in out(cluster, "node/w1", "ip -br link")
    line = f"kubectl -n kube-system exec {proxy_pod(cluster, 'w1')} -- kube-proxy --cleanup"
    first = cluster.run("node/cp", line)
    assert first.code == 1 and "encountered an error while tearing down rules" in first.stderr
    assert "10.96.71.20:80" not in out(cluster, "node/w1", "ipvsadm -Ln")
    assert "kube-ipvs0" not in out(cluster, "node/w1", "ip -br link")
    assert "KUBE-" not in out(cluster, "node/w1", "ipset list -n")
    out(cluster, "node/cp", line)
    assert "KUBE-SERVICES" not in out(cluster, "node/w1", "iptables-save")
    cluster.wait(60)
    assert "10.96.71.20/32" in out(cluster, "node/w1", "iptables -t nat -S KUBE-SERVICES")


def test_a_change_to_nftables_mode_takes_them_away(cluster: Lab) -> None:
    into_mode(cluster, "ipvs", "nftables")
    assert "10.96.71.20:80" not in out(cluster, "node/w1", "ipvsadm -Ln")
    assert "kube-ipvs0" not in out(cluster, "node/w1", "ip -br link")


def test_the_program_is_in_its_image_only(cluster: Lab) -> None:
    assert cluster.run("node/w1", "kube-proxy --cleanup").code == 127
    line = f"kubectl -n kube-system exec {proxy_pod(cluster, 'w1')} -- kube-proxy"
    assert out(cluster, "node/cp", f"{line} --version") == "Kubernetes v1.35.0\n"
    assert cluster.run("node/cp", f"{line} --proxy-mode=ipvs").code


def test_sctp_behind_ipvs_is_named_and_left_out() -> None:
    there = lab("ipvs", service("web", "10.96.71.20", ports=[{"port": 80, "protocol": "SCTP"}]))
    assert "SCTP behind IPVS is not modelled" in " ".join(n.text("en") for n in there.notes)
    assert "10.96.71.20" not in out(there, "node/w1", "ipvsadm -Ln")


def test_a_scheduler_that_is_not_modelled_is_named() -> None:
    there = lab("ipvs", WEB, ipvs={"scheduler": "lblc"})
    assert "kube-proxy with ipvs.scheduler lblc is not modelled" in " ".join(
        n.text("en") for n in there.notes
    )


def test_a_weight_that_somebody_sets_stays_until_kube_proxy_starts_anew(cluster: Lab) -> None:
    out(cluster, "node/w1", "ipvsadm -e -t 10.96.71.20:80 -r 10.244.2.2:8080 -m -w 5")
    cluster.wait(65)
    assert "-a -t 10.96.71.20:80 -r 10.244.2.2:8080 -m -w 5" in out(cluster, "node/w1", "ipvsadm -Sn")
    out(cluster, "node/cp", f"kubectl -n kube-system delete pod {proxy_pod(cluster, 'w1')}")
    cluster.wait(65)
    assert "-a -t 10.96.71.20:80 -r 10.244.2.2:8080 -m -w 1" in out(cluster, "node/w1", "ipvsadm -Sn")


def test_while_it_does_not_run_everything_stays_as_it_is(cluster: Lab) -> None:
    selector = '{"spec":{"template":{"spec":{"nodeSelector":{"nowhere":"yes"}}}}}'
    out(cluster, "node/cp", f"kubectl -n kube-system patch ds kube-proxy -p '{selector}'")
    cluster.wait(120)
    assert cluster.run("node/w1", "curl -s 127.0.0.1:10249/proxyMode").code == 7
    out(cluster, "node/cp", "kubectl label pod b app=away --overwrite")
    cluster.wait(60)
    assert "10.244.2.2:8080" in out(cluster, "node/w1", "ipvsadm -Ln -t 10.96.71.20:80")
