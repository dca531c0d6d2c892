"""The kubelet's resolv.conf, CoreDNS as a Deployment, and the usual failures of facts 20 section 3.6."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import InputError
from engine.kube import poddns
from engine.kube.addons import coredns
from engine.kube.options import NodeOptions, Options
from engine.lab.lab import Lab

LAB: dict[str, Any] = {
    "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}],
    "hosts": [
        {"name": "internet", "addresses": ["203.0.113.10"], "listen": [{"port": 53, "proto": "udp"}, 80]}
    ],
    "proxy": {"mode": "iptables"},
    "addons": ["coredns"],
    "manifests": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"clusterIP": "10.96.71.20", "ports": [{"name": "http", "port": 80}]},
        },
    ],
}


def pod(name: str, image: str = "nicolaka/netshoot", **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": image, "command": ["sleep", "infinity"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"nodeName": "w1", "containers": [container], **spec},
    }


def lab(*pods: dict[str, Any], **more: Any) -> Lab:
    return Lab.load({**LAB, **more, "manifests": [*LAB["manifests"], *(pods or (pod("client"),))]})


def out(lab: Lab, place: str, line: str) -> str:
    result = lab.run(place, line)
    return result.stdout + result.stderr


def in_pod(lab: Lab, line: str, name: str = "client") -> str:
    return out(lab, f"pod/shop/{name}", line)


# ---- resolv.conf


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {},
            "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n",
        ),
        ({"dnsPolicy": "Default"}, "nameserver 203.0.113.10\n"),
        ({"hostNetwork": True}, "nameserver 203.0.113.10\n"),
        (
            {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"},
            "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n",
        ),
        (
            {
                "dnsPolicy": "None",
                "dnsConfig": {
                    "nameservers": ["10.0.0.53"],
                    "searches": ["corp.local"],
                    "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
                },
            },
            "search corp.local\nnameserver 10.0.0.53\noptions ndots:2 edns0\n",
        ),
        (
            {
                "dnsConfig": {
                    "nameservers": ["10.0.0.53"],
                    "searches": ["corp.local"],
                    "options": [{"name": "ndots", "value": "2"}],
                }
            },
            "search shop.svc.cluster.local svc.cluster.local cluster.local corp.local\nnameserver 10.96.0.10\n"
            "nameserver 10.0.0.53\noptions ndots:2\n",
        ),
    ],
    ids=["ClusterFirst", "Default", "hostNetwork", "WithHostNet", "None", "merged"],
)
def test_every_policy(spec: dict[str, Any], expected: str) -> None:
    assert in_pod(lab(pod("client", **spec)), "cat /etc/resolv.conf") == expected


def test_more_than_three_servers_are_left_out_with_an_event() -> None:
    servers = [f"10.0.0.{n}" for n in range(1, 4)]
    one = lab(pod("client", dnsConfig={"nameservers": servers}))
    assert in_pod(one, "cat /etc/resolv.conf").count("nameserver") == 3
    events = out(one, "node/cp", "kubectl -n shop get events")
    assert "DNSConfigForming" in events
    assert "the applied nameserver line is: 10.96.0.10 10.0.0.1 10.0.0.2" in events


def test_more_than_32_domains_are_left_out() -> None:
    said: list[tuple[str, str]] = []
    dns = poddns.Dns([], [f"d{n}.local" for n in range(40)], [])
    assert len(poddns.limited(dns, lambda *w: said.append(w)).searches) == 32
    assert said[0][0] == "DNSConfigForming"


def test_kubelet_reads_cluster_dns_when_it_starts() -> None:
    one = lab()
    out(one, "node/w1", "sed -i 's/10.96.0.10/10.96.0.99/' /var/lib/kubelet/config.yaml")
    out(one, "node/cp", 'kubectl -n shop run early --image=nginx --overrides=\'{"spec":{"nodeName":"w1"}}\'')
    assert "10.96.0.10" in in_pod(one, "cat /etc/resolv.conf", "early")
    out(one, "node/w1", "systemctl restart kubelet")
    out(one, "node/cp", 'kubectl -n shop run late --image=nginx --overrides=\'{"spec":{"nodeName":"w1"}}\'')
    assert "10.96.0.99" in in_pod(one, "cat /etc/resolv.conf", "late")
    assert one.run("pod/shop/late", "curl -s http://web/").code == 6


# ---- the addon


def options(**more: Any) -> Options:
    nodes = (NodeOptions(name="cp", control_plane=True),)
    return Options(nodes=nodes, addons=(("coredns", more),))


def test_settings_of_the_lab_file() -> None:
    bodies = {b["kind"]: b for b in coredns.objects(options(replicas=1, corefile=".:53 {\n}\n"))}
    assert bodies["Deployment"]["spec"]["replicas"] == 1
    assert bodies["ConfigMap"]["data"]["Corefile"] == ".:53 {\n}\n"
    assert bodies["Service"]["spec"]["clusterIP"] == "10.96.0.10"
    with pytest.raises(InputError) as refused:
        coredns.objects(options(replica=1, replicas="two"))
    assert len(refused.value.problems) == 2


def test_the_corefile_of_older_releases_caches_the_cluster_too() -> None:
    nodes = (NodeOptions(name="cp"),)
    old = coredns.corefile(Options(nodes=nodes, kubernetes="1.31"))
    new = coredns.corefile(Options(nodes=nodes, kubernetes="1.35"))
    assert "disable success cluster.local" in new
    assert "disable success cluster.local" not in old


def test_two_replicas_are_ready_and_answer() -> None:
    one = lab()
    pods = out(one, "node/cp", "kubectl -n kube-system get pods -l k8s-app=kube-dns")
    assert pods.count("1/1     Running") == 2
    assert "Address: 10.96.71.20" in in_pod(one, "nslookup web")


def test_without_kube_proxy_coredns_never_sees_the_cluster() -> None:
    one = lab(proxy={"mode": "none"})
    pods = out(one, "node/cp", "kubectl -n kube-system get pods -l k8s-app=kube-dns")
    assert pods.count("0/1     Running") == 2
    logs = out(one, "node/cp", "kubectl -n kube-system logs -l k8s-app=kube-dns")
    assert "starting server with unsynced Kubernetes API" in logs


def test_a_new_service_is_known_at_once() -> None:
    one = lab()
    assert "NXDOMAIN" in in_pod(one, "nslookup late")
    out(one, "node/cp", "kubectl -n shop create service clusterip late --tcp=80")
    assert "NXDOMAIN" not in in_pod(one, "nslookup late")


# ---- failures


def test_a_loop_ends_the_program() -> None:
    """facts 20 section 3.6: the node's file names 127.0.0.53, which in the Pod is CoreDNS itself."""
    one = lab()
    for node in ("cp", "w1"):
        out(one, f"node/{node}", "echo 'nameserver 127.0.0.53' > /etc/resolv.conf")
    out(one, "node/cp", "kubectl -n kube-system delete pod -l k8s-app=kube-dns")
    out(one, "node/cp", "sleep 90")
    pods = out(one, "node/cp", "kubectl -n kube-system get pods -l k8s-app=kube-dns")
    assert "CrashLoopBackOff" in pods or "Error" in pods
    logs = out(one, "node/cp", "kubectl -n kube-system logs -l k8s-app=kube-dns")
    assert "plugin/loop: Loop (127.0.0.1:" in logs
    assert (
        '-> :53) detected for zone ".", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO '
        in logs
    )
    assert in_pod(one, "getent hosts web") == ""


def test_the_loop_is_mended_by_kubelets_resolv_conf() -> None:
    one = lab()
    for node in ("cp", "w1"):
        out(one, f"node/{node}", "mkdir -p /run/systemd/resolve")
        out(one, f"node/{node}", "cp /etc/resolv.conf /run/systemd/resolve/resolv.conf")
        out(one, f"node/{node}", "echo 'nameserver 127.0.0.53' > /etc/resolv.conf")
        out(
            one,
            f"node/{node}",
            "echo 'resolvConf: /run/systemd/resolve/resolv.conf' >> /var/lib/kubelet/config.yaml",
        )
        out(one, f"node/{node}", "systemctl restart kubelet")
    out(one, "node/cp", "kubectl -n kube-system delete pod -l k8s-app=kube-dns")
    out(one, "node/cp", "sleep 60")
    assert "203.0.113.10" in in_pod(one, "nslookup example.com.")


def test_a_broken_corefile_ends_the_program() -> None:
    one = lab(
        addons=[{"coredns": {"replicas": 1, "corefile": ".:53 {\n    errors\n    proxy . 8.8.8.8\n}\n"}}]
    )
    logs = out(one, "node/cp", "kubectl -n kube-system logs -l k8s-app=kube-dns")
    assert logs.strip() == "/etc/coredns/Corefile:3 - Error during parsing: Unknown directive 'proxy'"
    assert "connection refused" in in_pod(one, "dig web.shop.svc.cluster.local.")


def test_slices_of_other_kinds_of_addresses_have_records_too() -> None:
    """CoreDNS does not ask for a slice's addressType (plugin/kubernetes/object/endpoint.go), kube-proxy does. A port
    without a number is -1 there, and has no SRV record."""
    bodies: list[dict[str, Any]] = []
    for name, kind, address, port in (
        ("named", "FQDN", "db.example.com", {"port": 5432}), ("six", "IPv6", "2001:db8::5", {"port": 5432}),
        ("open", "IPv4", "10.9.9.9", {}),
    ):  # fmt: skip
        labels = {"kubernetes.io/service-name": name}
        bodies += [
            {
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
                "spec": {"clusterIP": "None", "ports": [{"name": "pg", "port": 5432}]},
            },
            {
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": kind,
                "metadata": {"name": f"{name}-1", "namespace": "shop", "labels": labels},
                "ports": [{"name": "pg", **port}], "endpoints": [{"addresses": [address]}],
            },
        ]  # fmt: skip
    one = lab(pod("client"), *bodies)

    def short(words: str) -> str:
        return in_pod(one, f"dig +short {words}.shop.svc.cluster.local").strip()

    ports = out(one, "node/cp", "kubectl -n shop get endpointslice open-1 --no-headers").split()[2]
    assert ports == "pg"
    assert short("named") == "db.example.com." and short("SRV named") == ""
    assert short("six") == "" and short("AAAA six") == "2001:db8::5"
    assert short("SRV six") == "0 100 5432 2001-db8--5.six.shop.svc.cluster.local."
    assert short("open") == "10.9.9.9" and short("SRV open") == ""
    assert short("10-9-9-9.open") == "10.9.9.9"


def test_a_corefile_that_is_not_modelled_is_said_and_the_old_one_goes_on() -> None:
    """Found by editing the ConfigMap: the lab's own clock ended with the error."""
    one = lab()
    out(
        one,
        "node/cp",
        "kubectl -n kube-system get cm coredns -o yaml | sed 's/errors/rewrite ttl example.com 5/' > c.yaml",
    )
    out(one, "node/cp", "kubectl replace -f c.yaml")
    one.wait(300)
    events = out(one, "node/cp", "kubectl -n kube-system get events --field-selector reason=NotModelled")
    assert events.count("CoreDNS: rewrite ttl is not modelled here.") == 2
    assert "Address: 10.96.71.20" in in_pod(one, "nslookup web")


def test_kube_dns_without_endpoints_refuses() -> None:
    one = lab()
    out(one, "node/cp", "kubectl -n kube-system scale deploy coredns --replicas=0")
    out(one, "node/cp", "sleep 60")
    result = one.run("pod/shop/client", "curl -s http://web/")
    assert result.code == 6
    assert "connection refused" in in_pod(one, "nslookup web")


def test_silence_takes_twenty_seconds() -> None:
    """facts 20 section 3.4: two tries of five seconds, for the first name of the list and for the bare one."""
    one = lab(pod("client", image="nginx"))
    for node in ("cp", "w1"):
        out(one, f"node/{node}", "iptables -I FORWARD -p udp --dport 53 -j DROP")
        out(one, f"node/{node}", "iptables -I OUTPUT -p udp --dport 53 -j DROP")
        out(one, f"node/{node}", "iptables -I INPUT -p udp --dport 53 -j DROP")
    before = one.world.net.clock
    result = one.run("pod/shop/client", "curl -sS http://web/")
    assert result.stderr == "curl: (6) Could not resolve host: web\n"
    assert 19.9 < one.world.net.clock - before < 20.5
    assert one.run("pod/shop/client", "curl -sS -m 5 http://web/").stderr == (
        "curl: (28) Resolving timed out after 5000 milliseconds\n"
    )
    questions = [leg.purpose.split()[1:3] for j in result.journeys for leg in j.legs]
    first, bare = "web.shop.svc.cluster.local.", "web."
    assert questions == [["A", first], ["AAAA", first]] * 2 + [["A", bare], ["AAAA", bare]] * 2


def test_upstream_in_trouble_is_servfail() -> None:
    one = lab()
    out(one, "host/internet", "iptables -I INPUT -p udp --dport 53 -j DROP")
    answer = in_pod(one, "dig +time=9 +tries=1 example.com.")
    assert "status: SERVFAIL" in answer
    logs = out(one, "node/cp", "kubectl -n kube-system logs -l k8s-app=kube-dns")
    assert "[ERROR] plugin/errors: 2 example.com. A: read udp 10.244." in logs
    assert "->203.0.113.10:53: i/o timeout" in logs
    assert "Address: 10.96.71.20" in in_pod(one, "nslookup web"), "the cluster's names do not need it"


def test_an_answer_that_comes_too_late_is_nobodys() -> None:
    """CoreDNS tries for seconds; who waits one second is gone by then."""
    one = lab()
    out(one, "host/internet", "iptables -I INPUT -p udp --dport 53 -j DROP")
    answer = in_pod(one, "dig +time=1 +tries=1 example.com.")
    assert (
        answer.startswith(";; communications error to 10.96.0.10#53: timed out\n")
        and "SERVFAIL" not in answer
    )


def test_an_upstream_that_nobody_is_leaves_time_for_the_next() -> None:
    """The read's deadline runs while the kernel looks for a neighbour: it is not waited for after that."""
    corefile = (
        ".:53 {\n    errors\n    health\n    ready\n    forward . 192.168.10.99 203.0.113.10 {\n"
        "        policy sequential\n    }\n}\n"
    )
    one = lab(addons=[{"coredns": {"replicas": 1, "corefile": corefile}}])
    assert "status: NOERROR" in in_pod(one, "dig example.com.")


def test_a_large_answer_is_asked_again_by_tcp() -> None:
    one = lab(pod("client", image="nginx"))
    result = one.run("pod/shop/client", "getent ahostsv4 large.example.com.")
    assert result.stdout.count("STREAM") == 40
    text = in_pod(lab(), "dig +noedns +noall +answer +comments large.example.com.")
    assert text.startswith(";; Truncated, retrying in TCP mode.\n")


# ---- NodeLocal DNSCache


def cached(**more: Any) -> Lab:
    return lab(addons=["coredns", "nodelocaldns"], **more)


def test_the_cache_answers_at_the_address_of_kube_dns() -> None:
    one = cached()
    assert "169.254.20.10/32 10.96.0.10/32" in out(one, "node/w1", "ip -br addr show nodelocaldns")
    first = one.run("pod/shop/client", "dig +noall +answer web.shop.svc.cluster.local.")
    assert [leg.purpose.split(" at ")[0].split(":")[0] for j in first.journeys for leg in j.legs] == [
        "DNS A web.shop.svc.cluster.local.",
        f"CoreDNS asks {upstream(one)}",
    ]
    assert first.stdout.split()[1] == "30"
    out(one, "node/w1", "sleep 10")
    again = one.run("pod/shop/client", "dig +noall +answer web.shop.svc.cluster.local.")
    assert len([leg for j in again.journeys for leg in j.legs]) == 1
    assert again.stdout.split()[1] in ("19", "20")
    assert "dport=53" not in out(one, "node/w1", "conntrack -L -p udp"), "DNS is kept out of conntrack"


def upstream(one: Lab) -> str:
    return out(
        one, "node/cp", "kubectl -n kube-system get svc kube-dns-upstream -o jsonpath={.spec.clusterIP}"
    )


def test_its_rules_and_their_comments() -> None:
    one = cached()
    raw = out(one, "node/w1", "iptables-save -t raw")
    assert raw.count('--comment "NodeLocal DNS Cache: skip conntrack" -j NOTRACK') == 16
    filter_ = out(one, "node/w1", "iptables-save -t filter")
    assert filter_.count('--comment "NodeLocal DNS Cache: allow DNS traffic" -j ACCEPT') == 8
    out(one, "node/w1", "iptables -t raw -F PREROUTING")
    out(one, "node/w1", "sleep 61")
    assert out(one, "node/w1", "iptables-save -t raw").count("-A PREROUTING") == 4


def test_with_ipvs_it_has_an_address_of_its_own() -> None:
    one = cached(proxy={"mode": "ipvs"})
    assert out(one, "node/w1", "ip -br addr show nodelocaldns").split()[2:] == ["169.254.20.10/32"]
    assert "nameserver 169.254.20.10" in in_pod(one, "cat /etc/resolv.conf")
    assert "Address: 10.96.71.20" in in_pod(one, "nslookup web")


def test_a_cache_that_ends_in_order_takes_its_device_away() -> None:
    one = cached()
    out(one, "node/cp", "kubectl -n kube-system delete ds node-local-dns")
    out(one, "node/cp", "sleep 40")
    assert "nodelocaldns" not in out(one, "node/w1", "ip -br addr")
    assert "NodeLocal" not in out(one, "node/w1", "iptables-save")
    assert "Address: 10.96.71.20" in in_pod(one, "nslookup web"), "kube-dns answers again"


def test_the_cache_needs_coredns() -> None:
    with pytest.raises(InputError):
        lab(addons=["nodelocaldns"])


def test_an_old_busybox_asks_the_library() -> None:
    """kubernetes.io tasks/administer-cluster/dns-debugging-resolution: what busybox:1.28 prints."""
    one = lab(pod("client", image="busybox:1.28"))
    assert in_pod(one, "nslookup web") == (
        "Server:    10.96.0.10\nAddress 1: 10.96.0.10 kube-dns.kube-system.svc.cluster.local\n\n"
        "Name:      web\nAddress 1: 10.96.71.20 web.shop.svc.cluster.local\n"
    )
    result = one.run("pod/shop/client", "nslookup nope")
    assert (result.stderr, result.code) == ("nslookup: can't resolve 'nope'\n", 1)


def test_coredns_becomes_ready_again_when_its_corefile_is_repaired() -> None:
    one = lab()
    edit = "kubectl -n kube-system get cm coredns -o yaml | sed 's/ {a}/ {b}/' | kubectl replace -f -"
    dns = "kubectl -n kube-system get pods -l k8s-app=kube-dns --no-headers"
    out(one, "node/cp", edit.format(a="loop", b="loopy"))
    out(one, "node/cp", "kubectl -n kube-system rollout restart deployment coredns; sleep 60")
    assert "CrashLoopBackOff" in out(one, "node/cp", dns)
    out(one, "node/cp", edit.format(a="loopy", b="loop"))
    out(one, "node/cp", "sleep 400")
    found = out(one, "node/cp", dns).splitlines()
    assert [row.split()[1:3] for row in found] == [["1/1", "Running"]] * 2
