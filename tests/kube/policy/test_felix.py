"""What felix writes, and when: hashes and names against real ones, changes, restarts, other people's rules."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from engine.kube.cni.calico_conf import veth_name
from engine.kube.manifests import from_texts
from engine.kube.policy import chains, render
from engine.kube.policy.convert import INGRESS, policy
from engine.kube.policy.selector import peer, subject
from engine.lab.lab import Lab
from engine.linux.addr import ip4
from engine.linux.choose import Seeded
from engine.linux.exchange import tcp_call
from tests.kube.policy.pairs import cluster

#: Lines of `iptables-save` on nodes of other people: chain and rule -> comment. Rules before the first that names a
#: mask of all bits are the same in every release since 3.21.
REAL = {
    ("FORWARD", "-j cali-FORWARD"): "wUHhoiAYhphO9Mso",
    ("INPUT", "-j cali-INPUT"): "Cz_u1IQiXIMmKD4c",
    ("OUTPUT", "-j cali-OUTPUT"): "tVnHkvAo15HuiPy0",
    ("PREROUTING", "-j cali-PREROUTING"): "6gwbT8clXdHdC1b1",
    ("POSTROUTING", "-j cali-POSTROUTING"): "0i8pjzKKPyA34aQD",
    ("FORWARD", "-m mark --mark 0x10000/0x10000 -j ACCEPT"): "S93hcgKJrXEqnTfs",
    ("FORWARD", "-j MARK --set-xmark 0x10000/0x10000"): "mp77cMpurHhyjLrM",
    ("cali-INPUT", "-m set --match-set cali40all-hosts-net src -m addrtype --dst-type LOCAL -j ACCEPT"):
        "PajejrV4aFdkZojI",
    ("cali-INPUT", "-p ipencap"): "_wjq-Yrma8Ly1Svo",
    ("cali-INPUT", "-g cali-wl-to-host"): "8TZGxLWh_Eiz66wc",
    ("cali-INPUT", "-m mark --mark 0x10000/0x10000 -j ACCEPT"): "6McIeIDvPdL6PE1T",
    ("cali-OUTPUT", "-m mark --mark 0x10000/0x10000 -j ACCEPT"): "Mq1_rAdXXH3YkrzW",
    ("cali-OUTPUT", "-o cali+"): "69FkRTJDvD5Vu6Vl",
    ("cali-OUTPUT", "-m set --match-set cali40all-hosts-net dst -m addrtype --src-type LOCAL -j ACCEPT"):
        "AnEsmO6bDZbQntWW",
    ("cali-wl-to-host", "-j cali-from-wl-dispatch"): "Ee9Sbo10IpVujdIY",
    ("cali-wl-to-host", "-j ACCEPT"): "nSZbcOoG1xPONxb8",
}  # fmt: skip
PODS = {"a": ("w1", {"app": "a"}), "b": ("w2", {"app": "b"}), "c": ("w1", {"app": "c"})}


def body(name: str) -> dict[str, Any]:
    node, labels = PODS[name]
    ports = [{"name": "http", "containerPort": 80}]
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "registry.test/app", "ports": ports}]},
    }  # fmt: skip


def rule(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": name, "namespace": "shop"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def open_lab(*policies: dict[str, Any], mode: str = "ipip") -> Lab:
    return cluster([body(n) for n in PODS], {"shop": {}}, list(policies), mode)


ONLY_B = {
    "podSelector": {"matchLabels": {"app": "a"}},
    "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "b"}}}]}],
}


def apply(lab: Lab, *bodies: dict[str, Any]) -> None:
    assert lab.world.cluster is not None
    lab.world.cluster.load(from_texts({"x": yaml.safe_dump_all(bodies)}), lab.world.net.clock)
    lab.world.settle()


def out(lab: Lab, line: str, place: str = "node/w1") -> str:
    return lab.run(place, line).stdout


def ok(lab: Lab, source: str, target: str) -> bool:
    return lab.trace(source, target).outcome.value == "delivered"


# ---- names and hashes


def test_comments_are_the_real_ones() -> None:
    text = out(open_lab(), "iptables-save")
    for (chain, words), hash in REAL.items():
        lines = [
            line for line in text.splitlines() if line.startswith(f"-A {chain} ") and f'"cali:{hash}"' in line
        ]
        assert lines and all(words in line for line in lines), (chain, words, hash)


def test_comments_of_an_older_release_follow_from_its_bits() -> None:
    rules = (
        render.Rule(do=render.clear_mark(0xE0000)),
        render.Rule(match=(render.mark_clear(0x10000),), do=render.jump("cali-from-hep-forward")),
        render.Rule(match=(render.came_in("cali+"),), do=render.jump("cali-from-wl-dispatch")),
        render.Rule(match=(render.goes_out("cali+"),), do=render.jump("cali-to-wl-dispatch")),
        render.Rule(do=render.jump("cali-to-hep-forward")),
        render.Rule(do=render.jump("cali-cidr-block")),
    )
    found = [row.text("X").split('"cali:')[1][:16] for row in render.rows("cali-FORWARD", rules)]
    assert found == [
        "vjrMJCRpqwy5oRoX", "A_sPAO0mcxbT9mOV", "8ZoYfO5HKXWbB3pk", "jdEuaPBe14V2hutn", "12bc6HljsMKsmfr-",
        "NOSxoaGx8OIstr1z",
    ]  # fmt: skip


def test_a_dispatch_chain_without_pods() -> None:
    (to,) = chains.dispatch(INGRESS, [])
    (row,) = render.rows(to.name, to.rules)
    assert '"cali:7KNphB1nNHw80nIO"' in row.text("X")


def test_selectors_in_calicos_spelling() -> None:
    where = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [{"key": "c", "operator": "NotIn", "values": ["y", "x"]}],
    }
    text = '(projectcalico.org/orchestrator == "k8s" && a == "1" && b == "2" && c not in {"x", "y"})'
    assert subject(where, "shop").text == f'({text} && projectcalico.org/namespace == "shop")'
    assert peer(None, {}, "shop").text == (
        '(has(projectcalico.org/namespace) && projectcalico.org/orchestrator == "k8s")'
    )
    blue = {"matchLabels": {"team": "blue"}}
    assert peer({}, blue, "shop").text == '(pcns.team == "blue" && projectcalico.org/orchestrator == "k8s")'


def test_ports_become_the_fewest_ranges() -> None:
    ports = [{"port": p} for p in (82, 80, 81, 443, "http")] + [{"port": 8000, "endPort": 8010}]
    found = policy(rule("p", {"podSelector": {}, "ingress": [{"ports": ports}]}))
    assert found.ingress[0].ports == ((80, 82), (443, 443), (8000, 8010))
    assert found.ingress[0].names == ("http",)


def test_long_names_are_hashed() -> None:
    assert render.limited("cali-pi-", "knp/default/p1") == "cali-pi-knp/default/p1"
    long = render.limited("cali-pi-", "knp/default/only-the-pods-of-the-front")
    assert long.startswith("cali-pi-_") and len(long) == 28


# ---- changes


def test_a_policy_comes_and_goes() -> None:
    lab = open_lab()
    before = out(lab, "iptables -S"), out(lab, "ipset list -n")
    assert ok(lab, "pod/shop/c", "pod/shop/a:80")
    apply(lab, rule("only-b", ONLY_B))
    assert not ok(lab, "pod/shop/c", "pod/shop/a:80") and ok(lab, "pod/shop/b", "pod/shop/a:80")
    assert "cali40s:" in out(lab, "ipset list -n")
    assert "cali-pi-knp/shop/only-b" not in out(lab, "iptables -S", "node/w2")
    lab.run("node/cp", "kubectl delete networkpolicy -n shop only-b")
    assert (out(lab, "iptables -S"), out(lab, "ipset list -n")) == before


def test_only_what_differs_is_written() -> None:
    lab = open_lab(rule("only-b", ONLY_B))
    lab.trace("pod/shop/b", "pod/shop/a:80", on_copy=False)

    device = veth_name("shop", "a")

    def counted() -> str:
        return next(
            line for line in out(lab, "iptables-save -c").splitlines() if f"-g cali-tw-{device}" in line
        )

    before, log = counted(), len(lab.world.log)
    lab.run("node/cp", "kubectl label pod -n shop c app=b --overwrite")
    assert counted() == before and not before.startswith("[0:0]")
    new = [type(op).__name__ for op in lab.world.log[log:]]
    assert set(new) == {"IpsetAdd"} and ok(lab, "pod/shop/c", "pod/shop/a:80")


def test_a_namespace_label_changes_sets() -> None:
    spec = {
        "podSelector": {},
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "blue"}}}]}],
    }
    lab = open_lab(rule("blue", spec))
    assert not ok(lab, "pod/shop/b", "pod/shop/a:80")
    lab.run("node/cp", "kubectl label namespace shop team=blue")
    assert ok(lab, "pod/shop/b", "pod/shop/a:80")


def test_open_connections_outlive_a_new_deny() -> None:
    lab = open_lab(mode="none")
    net, sender = lab.world.net, lab.endpoint("pod/shop/b")
    address = lab.endpoint("pod/shop/a").address
    call = tcp_call(net, sender.netns, address, 80, choose=Seeded(1), sport=40000, stay=True)
    assert not call.error
    apply(lab, rule("shut", {"podSelector": {}, "policyTypes": ["Ingress"]}))
    entries = net.spaces["w1"].conntrack.entries
    assert any(e.orig.dst == address for e in entries.values())
    again = tcp_call(net.copy(), sender.netns, address, 80, choose=Seeded(1), sport=40001, timeout=0.2)
    assert again.error == "ETIMEDOUT"


def test_nobody_enforces_while_felix_is_away_and_rows_stay() -> None:
    lab = open_lab(rule("only-b", ONLY_B))
    lab.run("node/cp", "kubectl delete daemonset -n kube-system calico-node")
    lab.wait(60)
    assert "calico-node" not in out(lab, "ps -e -o args")
    assert not ok(lab, "pod/shop/c", "pod/shop/a:80")
    lab.run("node/cp", "kubectl delete networkpolicy -n shop only-b")
    assert not ok(lab, "pod/shop/c", "pod/shop/a:80")
    assert "cali-FORWARD" in out(lab, "iptables -S FORWARD")


def test_felix_puts_back_what_a_person_takes_out() -> None:
    lab = open_lab(rule("only-b", ONLY_B))
    rows = out(lab, "iptables -S")
    lab.run("node/w1", "iptables -D FORWARD 1")
    lab.run("node/w1", "iptables -I FORWARD 1 -j ACCEPT")
    assert ok(lab, "pod/shop/c", "pod/shop/a:80")
    lab.wait(400)
    assert not ok(lab, "pod/shop/c", "pod/shop/a:80")
    lab.run("node/w1", "iptables -D FORWARD -j ACCEPT")
    assert out(lab, "iptables -S") == rows


def test_spoofed_sources_are_dropped() -> None:
    """The raw table's reverse path: a pod that sends with another address."""
    lab = open_lab(mode="none")
    ns = lab.endpoint("pod/shop/b").netns
    from engine.linux.ops import AddAddress
    from engine.linux.rows import Address

    lab.do(
        AddAddress(netns=ns, device="eth0", address=Address(ifindex=0, addr=ip4("10.244.77.7"), length=32))
    )
    net = lab.world.net.copy()
    target = lab.endpoint("pod/shop/a").address
    call = tcp_call(net, ns, target, 80, choose=Seeded(1), source=ip4("10.244.77.7"), timeout=0.2)
    last = [s for s in call.leg.forward.steps()][-1]
    assert call.error == "ETIMEDOUT" and "rpfilter" in last.row


# ---- beside kube-proxy


def with_service(mode: str) -> Lab:
    """A Service in front of a (port 8000 to 80), b may send to a's port 80 only."""
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"clusterIP": "10.96.0.77", "selector": {"app": "a"}, "ports": [{"port": 8000, "targetPort": 80}]},
    }  # fmt: skip
    to_a = {"to": [{"podSelector": {"matchLabels": {"app": "a"}}}], "ports": [{"port": 80}]}
    out_b = {"podSelector": {"matchLabels": {"app": "b"}}, "policyTypes": ["Egress"], "egress": [to_a]}
    out_c = {
        "podSelector": {"matchLabels": {"app": "c"}},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"port": 8000}]}],
    }
    return Lab.load({
        "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}, {"name": "w2"}],
        "cni": {"name": "calico", "mode": "none"}, "proxy": {"mode": mode},
        "manifests": [*(body(n) for n in PODS), service, rule("b", out_b), rule("c", out_c)],
    })  # fmt: skip


@pytest.mark.parametrize("mode", ["iptables", "nftables", "ipvs"])
def test_egress_is_judged_by_the_backend_in_every_mode(mode: str) -> None:
    lab = with_service(mode)
    assert ok(lab, "pod/shop/b", "10.96.0.77:8000")
    denied = lab.trace("pod/shop/c", "10.96.0.77:8000")
    assert denied.outcome.value == "dropped" and denied.why is not None
    assert denied.why.text("en").startswith(
        "egress of pod shop/c: it is isolated by shop/c, and no rule there lets out"
    )
    assert "TCP to port 80 to pod shop/a" in denied.why.text("en")


def test_a_question_that_egress_shuts_in_says_which_policy_did_it() -> None:
    shut: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Egress"]}
    lab = Lab.load({
        "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}, {"name": "w2"}],
        "cni": {"name": "calico"}, "addons": ["coredns"], "manifests": [body("a"), body("c"), rule("shut", shut)],
    })  # fmt: skip
    for journey in (lab.trace("pod/shop/c", "http://a/", "http"), lab.resolve("pod/shop/c", "a").journey):
        whys = [step.why.text("en") for leg in journey.legs for step in leg.forward.steps() if step.why]
        assert any(
            "egress of pod shop/c: it is isolated by shop/shut" in w and "UDP to port 53" in w for w in whys
        )


def test_rules_for_ipvs_are_the_real_ones() -> None:
    text = out(with_service("ipvs"), "iptables-save")
    real = ("Pbldlb4FaULvpdD8", "ZD-6UxuUtGW-xtzg", "CbPfUajQ2bFVnDq4", "jmhU0ODogX-Zfe5g")
    found = [
        line.split('"cali:')[1][:16]
        for line in text.splitlines()
        if line.startswith("-A cali-forward-check ")
    ]
    assert tuple(found) == real


def test_felix_stands_around_kube_proxys_rules() -> None:
    lab = with_service("iptables")
    rows = out(lab, "iptables -S FORWARD").splitlines()
    assert "cali-FORWARD" in rows[1] and "cali:mp77cMpurHhyjLrM" in rows[-1]
    last = out(lab, "iptables -t nat -S POSTROUTING").splitlines()[-1]
    assert "cali-POSTROUTING" in last


def test_probes_pass_a_default_deny() -> None:
    """kubelet asks from the node itself, which no policy stops; the node says that its network is there."""
    probed = body("a")
    probed["spec"]["containers"][0]["readinessProbe"] = {
        "httpGet": {"path": "/", "port": 80},
        "periodSeconds": 5,
    }
    deny = rule("deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    lab = cluster([probed, body("b")], {"shop": {}}, [deny])
    lab.wait(60)
    assert out(lab, "kubectl get pod -n shop a", "node/cp").splitlines()[1].split()[1] == "1/1"
    assert not ok(lab, "pod/shop/b", "pod/shop/a:80")
    said = out(lab, "kubectl describe node w1", "node/cp")
    assert re.search(r"NetworkUnavailable +False .* CalicoIsUp +Calico is running on this node", said)


def test_a_block_of_ipv6_is_no_rule_of_this_family_and_isolates_all_the_same() -> None:
    """The rule is left out of the IPv4 tables (FilterRuleToIPVersion); the others of the policy stand."""
    lab = open_lab()
    apply(lab, rule("six", {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "::/0"}}]}]}))
    assert not ok(lab, "pod/shop/b", "pod/shop/a:80")
    saved = out(lab, "iptables-save -t filter")
    assert len([line for line in saved.splitlines() if line.startswith("-A cali-pi-knp/shop/six ")]) == 1
    block = {"ipBlock": {"cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]}}
    pods = {"podSelector": {"matchLabels": {"app": "b"}}}
    apply(lab, rule("six", {"podSelector": {}, "ingress": [{"from": [block, pods]}]}))
    assert ok(lab, "pod/shop/b", "pod/shop/a:80") and not ok(lab, "pod/shop/c", "pod/shop/a:80")
