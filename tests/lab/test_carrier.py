"""What a person brings from another cluster runs in the default one."""

from __future__ import annotations

from pathlib import Path

from engine.lab.lab import Lab

DUMP = """
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: ReplicaSet
  metadata: {name: web, uid: u-1, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: gone}]}
  spec:
    replicas: 1
    selector: {matchLabels: {app: web}}
    template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}}
- apiVersion: v1
  kind: Pod
  metadata:
    name: web-abc
    labels: {app: web}
    ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: u-1, controller: true}]
  spec: {nodeName: ip-10-0-0-1.ec2.internal, containers: [{name: c, image: nginx}]}
- apiVersion: v1
  kind: Pod
  metadata: {name: beside}
  spec: {nodeName: ip-10-0-0-1.ec2.internal, nodeSelector: {disk: ssd}, containers: [{name: c, image: nginx}]}
"""


def columns(lab: Lab, kind: str) -> list[list[str]]:
    return [
        row.split()
        for row in lab.run("node/cp", f"kubectl get {kind} -o wide --no-headers").stdout.splitlines()
    ]


def test_a_dump_of_another_cluster_runs(tmp_path: Path) -> None:
    (tmp_path / "dump.yaml").write_text(DUMP)
    lab = Lab.load(tmp_path)
    pods = {row[0]: row for row in columns(lab, "pods")}
    assert sorted(pods) == ["beside", "web-abc"]
    assert {row[2] for row in pods.values()} == {"Running"} and {row[6] for row in pods.values()} == {"w1"}
    notes = " ".join(n.text("en") for n in lab.notes)
    assert "ip-10-0-0-1.ec2.internal" in notes and "disk=ssd" in notes
    assert str(lab.trace("pod/beside", "pod/web-abc:80").outcome) == "delivered"


def test_hundreds_of_pods_get_the_workers_that_they_need(tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {{name: p{}}}\nspec: {{containers: [{{name: c, image: nginx}}]}}\n"
    (tmp_path / "many.yaml").write_text("---\n".join(pod.format(i) for i in range(330)))
    lab = Lab.load(tmp_path)
    assert {row[2] for row in columns(lab, "pods")} == {"Running"}
    assert [row[0] for row in columns(lab, "nodes")] == ["cp", "w1", "w2", "w3", "w4"]


def test_a_replica_count_of_any_kind_is_survived(tmp_path: Path) -> None:
    head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n"
    text = head + "spec: {replicas: %s, template: {spec: {nodeSelector: 3}}}"
    for count in ("-1", "x", "1e99", "[]", "true"):
        (tmp_path / "d.yaml").write_text(text % count)
        try:
            Lab.load(tmp_path)
        except Exception as error:
            assert type(error).__name__ == "InputError"
