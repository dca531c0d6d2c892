"""The scheduler, the workload controllers, static pods and the nodes' own daemons."""

from __future__ import annotations

import re

from engine.kube import CniOptions, NodeOptions
from engine.kube.clock import stamp
from engine.kube.objects import edited
from tests.kube.labs import Lab, web

DEPLOY = """
apiVersion: apps/v1
kind: KIND
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "nginx:1.27"}]}
"""


def names(lab: Lab) -> list[str]:
    return [p["metadata"]["name"] for p in lab.cluster.store.list("Pod", "default")]


def test_a_deployment_makes_a_set_that_makes_pods_spread_over_nodes() -> None:
    lab = Lab(
        DEPLOY.replace("KIND", "Deployment").replace("spec:\n  selector", "spec:\n  replicas: 4\n  selector")
    )
    assert all(re.fullmatch(r"web-[0-9a-z]{8,10}-[0-9a-z]{5}", n) for n in names(lab))
    nodes = sorted(p["spec"]["nodeName"] for p in lab.cluster.store.list("Pod", "default"))
    assert nodes == ["w1", "w1", "w2", "w2"]
    (body,) = lab.cluster.store.list("Deployment")
    assert body["status"]["readyReplicas"] == 4


def test_a_deleted_pod_of_a_deployment_is_made_again_with_another_name() -> None:
    lab = Lab(DEPLOY.replace("KIND", "Deployment"))
    (old,) = names(lab)
    lab.cluster.delete(lab.pod(old), lab.net.clock)
    lab.settle()
    (new,) = names(lab)
    assert new != old and new.rsplit("-", 1)[0] == old.rsplit("-", 1)[0]


def test_a_new_template_makes_a_new_set_and_empties_the_old() -> None:
    text = DEPLOY.replace("KIND", "Deployment")
    lab = Lab(text)
    (old,) = names(lab)
    lab.apply(text.replace("nginx:1.27", "nginx:1.28"))
    (new,) = names(lab)
    assert new.split("-")[1] != old.split("-")[1]
    assert sorted(s["spec"]["replicas"] for s in lab.cluster.store.list("ReplicaSet")) == [0, 1]
    (body,) = lab.cluster.store.list("Deployment")
    assert body["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


def test_deleting_the_owner_deletes_what_it_made() -> None:
    lab = Lab(DEPLOY.replace("KIND", "Deployment"))
    (body,) = lab.cluster.store.list("Deployment")
    lab.cluster.delete(body, lab.net.clock)
    lab.settle()
    assert names(lab) == [] and lab.cluster.store.list("ReplicaSet") == []


def test_a_daemon_set_runs_once_on_each_node_that_it_tolerates() -> None:
    text = DEPLOY.replace("KIND", "DaemonSet")
    lab = Lab(text)
    assert sorted(p["spec"]["nodeName"] for p in lab.cluster.store.list("Pod", "default")) == ["w1", "w2"]
    lab.apply(text.replace("spec: {containers", "spec: {tolerations: [{operator: Exists}], containers"))
    assert sorted(p["spec"]["nodeName"] for p in lab.cluster.store.list("Pod", "default")) == [
        "cp",
        "w1",
        "w2",
    ]


def test_a_stateful_set_counts_its_pods() -> None:
    lab = Lab(
        DEPLOY.replace("KIND", "StatefulSet").replace(
            "spec:\n  sel", "spec:\n  serviceName: s\n  replicas: 3\n  sel"
        )
    )
    assert names(lab) == ["web-0", "web-1", "web-2"]
    assert lab.pod("web-1")["spec"]["hostname"] == "web-1"


def test_a_job_runs_to_its_end() -> None:
    lab = Lab("""
apiVersion: batch/v1
kind: Job
metadata: {name: j}
spec:
  completions: 2
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [sleep, "5"]}]}}
""")
    assert len(names(lab)) == 1
    lab.wait(6)
    lab.wait(6)
    (body,) = lab.cluster.store.list("Job")
    assert body["status"]["succeeded"] == 2
    assert [c["type"] for c in body["status"]["conditions"]] == ["SuccessCriteriaMet", "Complete"]
    mine = {"batch.kubernetes.io/controller-uid": body["metadata"]["uid"]}
    assert body["spec"]["selector"] == {"matchLabels": mine} and body["metadata"]["generation"] == 1
    own = {
        **mine,
        "batch.kubernetes.io/job-name": "j",
        "controller-uid": body["metadata"]["uid"],
        "job-name": "j",
    }
    assert body["spec"]["template"]["metadata"]["labels"] == own
    assert all(p["metadata"]["labels"] == own for p in lab.cluster.store.list("Pod", "default"))


def pod(extra: str) -> str:
    return web().replace("  nodeName: w1\n", extra)


def test_node_selector_affinity_taints_and_ports_decide() -> None:
    lab = Lab(nodes=(
        NodeOptions(name="cp", control_plane=True), NodeOptions(name="w1", labels=(("disk", "ssd"),)),
        NodeOptions(name="w2", taints=(("gpu", "yes", "NoSchedule"),)),
    ))  # fmt: skip
    lab.apply(pod("  nodeSelector: {disk: hdd}\n"))
    ((_, message, _),) = lab.events("web", "FailedScheduling")
    assert message == (
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 node(s) had untolerated "
        "taint(s). no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful "
        "for scheduling."
    )
    node = edited(lab.cluster.store.get("Node", "", "w1") or {})
    node["metadata"]["labels"]["disk"] = "hdd"
    lab.cluster.store.update(node)
    lab.settle()
    assert lab.pod("web")["spec"]["nodeName"] == "w1"
    tolerant = pod(
        "  tolerations: [{key: gpu, operator: Exists}]\n  nodeSelector: {kubernetes.io/hostname: w2}\n"
    )
    lab.apply(tolerant.replace("name: web,", "name: two,"))
    assert lab.pod("two")["spec"]["nodeName"] == "w2"


def test_two_pods_cannot_have_one_host_port() -> None:
    port = "ports: [{containerPort: 80, hostPort: 8080}]"
    text = pod("").replace("ports: [{containerPort: 80}]", port)
    lab = Lab(*(text.replace("name: web,", f"name: p{i},") for i in range(3)))
    placed = [lab.pod(f"p{i}")["spec"].get("nodeName") for i in range(3)]
    assert sorted(filter(None, placed)) == ["w1", "w2"]
    left = next(f"p{i}" for i in range(3) if placed[i] is None)
    ((_, message, _),) = lab.events(left, "FailedScheduling")
    assert "2 node(s) didn't have free ports for the requested pod ports" in message
    assert "No preemption victims found for incoming pod" in message


def test_a_node_takes_110_pods() -> None:
    text = DEPLOY.replace("KIND", "Deployment").replace("spec:\n  sel", "spec:\n  replicas: 112\n  sel")
    lab = Lab(text, nodes=(NodeOptions(name="w1"),))
    rows = lab.cluster.store.list("Pod", "default")
    assert sum(p["status"]["phase"] == "Running" for p in rows) == 110
    waiting = next(p for p in rows if p["status"]["phase"] == "Pending")
    ((_, message, _),) = lab.events(waiting["metadata"]["name"], "FailedScheduling")
    assert message.startswith(
        "0/1 nodes are available: 1 Too many pods. no new claims to deallocate, preemption: "
    )


def test_the_control_plane_runs_as_static_pods() -> None:
    lab = Lab()
    assert [p["metadata"]["name"] for p in lab.cluster.store.list("Pod", "kube-system")] == [
        "etcd-cp", "kube-apiserver-cp", "kube-controller-manager-cp", "kube-scheduler-cp",
    ]  # fmt: skip
    ports = sorted({s.port for s in lab.net.spaces["cp"].sockets})
    assert {2379, 2380, 6443, 10250, 10257, 10259} <= set(ports)


def test_without_its_manifest_the_api_server_is_gone_and_comes_back_with_it() -> None:
    lab = Lab(web())
    path = "/etc/kubernetes/manifests/kube-apiserver.yaml"
    text = lab.net.boxes["cp"].files[path]
    lab.remove("cp", path)
    assert not lab.cluster.api_up(lab.net)
    assert lab.net.owner_of(0x0AF40102), "pods that run go on"
    lab.write("cp", path, text)
    assert lab.cluster.api_up(lab.net)


def test_a_broken_scheduler_manifest_leaves_pods_pending() -> None:
    lab = Lab()
    lab.remove("cp", "/etc/kubernetes/manifests/kube-scheduler.yaml")
    lab.apply(pod(""))
    assert lab.pod("web")["status"]["phase"] == "Pending"
    assert "nodeName" not in lab.pod("web")["spec"]


def test_several_nodes_masquerade_by_the_agent_and_route_to_each_other() -> None:
    lab = Lab(web())
    xt = lab.net.spaces["w1"].xt
    chain = xt.chain("nat", "IP-MASQ-AGENT")
    assert chain is not None
    assert chain.row(1) == (
        '-A IP-MASQ-AGENT -d 10.244.0.0/16 -m comment --comment "ip-masq-agent: local traffic is not subject to '
        'MASQUERADE" -j RETURN'
    )
    assert not [n for n in xt.tables["nat"] if n.startswith("CNI-") and "HOSTPORT" not in n]
    routes = {str(r.dst) for r in lab.net.spaces["w1"].tables[254].routes()}
    assert {"10.244.0.0/24", "10.244.2.0/24"} <= routes


def test_a_single_node_masquerades_by_the_plugin() -> None:
    lab = Lab(web(), nodes=(NodeOptions(name="w1"),))
    assert lab.net.spaces["w1"].xt.chain("nat", "IP-MASQ-AGENT") is None
    assert [n for n in lab.net.spaces["w1"].xt.tables["nat"] if n.startswith("CNI-")]
    assert lab.ip("web") == "10.244.0.2"


def test_options_of_the_cni_reach_the_configuration() -> None:
    lab = Lab(web(), cni=CniOptions(ip_masq=True, hairpin=True, mtu=1450, routes=False))
    veth = next(x for x in lab.net.spaces["w1"].links.values() if x.kind == "veth")
    assert (veth.hairpin, veth.mtu) == (True, 1450)
    assert "10.244.2.0/24" not in {str(r.dst) for r in lab.net.spaces["w1"].tables[254].routes()}


def test_a_no_execute_taint_takes_pods_away_at_once_or_after_their_time() -> None:
    lab = Lab(web("here"), web("patient").replace("  nodeName", PATIENT + "  nodeName"), web("other", "w2"))
    node = edited(lab.cluster.store.get("Node", "", "w1") or {})
    node["spec"]["taints"] = [{"key": "gone", "effect": "NoExecute", "timeAdded": stamp(0)}]
    lab.cluster.store.update(node)
    lab.settle()
    assert names(lab) == ["other", "patient"]
    assert lab.events("here", "TaintManagerEviction")
    lab.wait(61)
    assert names(lab) == ["other"]


PATIENT = "  tolerations: [{key: gone, operator: Exists, effect: NoExecute, tolerationSeconds: 60}]\n"


def test_pods_of_a_node_without_network_leave_after_five_minutes() -> None:
    lab = Lab(web())
    lab.remove("w1", "/etc/cni/net.d/10-bridge.conflist")
    lab.wait(290)
    assert names(lab) == ["web"]
    assert "deletionTimestamp" not in lab.pod("web")["metadata"]
    lab.wait(20)
    assert "deletionTimestamp" in lab.pod("web")["metadata"], "it stays until the network can be taken down"


def test_one_pod_with_a_request_does_not_turn_all_others_to_the_other_node() -> None:
    asking = web("asking").replace("ports:", "resources: {requests: {cpu: 100m, memory: 70Mi}}, ports:")
    text = DEPLOY.replace("KIND", "Deployment").replace(
        "spec:\n  selector", "spec:\n  replicas: 6\n  selector"
    )
    lab = Lab(asking, text)
    rows = [p for p in lab.cluster.store.list("Pod", "default") if p["metadata"]["name"] != "asking"]
    assert {p["spec"]["nodeName"] for p in rows} == {"w1", "w2"}
