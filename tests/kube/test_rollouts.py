"""Deployments, DaemonSets and StatefulSets while they change: steps, stalls, history, pauses."""

from __future__ import annotations

from engine.kube.objects import Json
from tests.kube.labs import Lab

DEPLOY = """
apiVersion: apps/v1
kind: KIND
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: "nginx:1.27", readinessProbe: {httpGet: {path: PATH, port: 80}}}
"""


def text(path: str = "/", kind: str = "Deployment", **spec: str) -> str:
    more = "".join(f"  {k}: {v}\n" for k, v in spec.items())
    out = DEPLOY.replace("PATH", path).replace("KIND", kind)
    if kind == "DaemonSet":
        out = out.replace("  replicas: 4\n", "")
    return out.replace("spec:\n", f"spec:\n{more}", 1)


def body(lab: Lab, kind: str = "Deployment", name: str = "web") -> Json:
    found = lab.cluster.store.get(kind, "default", name)
    assert found is not None
    return found


def sets(lab: Lab) -> list[tuple[str, int, int]]:
    """(revision, size, available) of the sets, by revision."""
    return sorted(
        (
            s["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
            s["spec"]["replicas"],
            s["status"].get("availableReplicas", 0),
        )
        for s in lab.cluster.store.list("ReplicaSet")
    )


def condition(lab: Lab, kind: str) -> tuple[str, str]:
    (row,) = [c for c in body(lab)["status"]["conditions"] if c["type"] == kind]
    return row["status"], row["reason"]


def scalings(lab: Lab) -> list[str]:
    return [message.partition(" from ")[2] for _, message, _ in lab.events("web", "ScalingReplicaSet")]


def test_a_rollout_goes_by_max_surge_and_max_unavailable() -> None:
    lab = Lab(text())
    lab.apply(text().replace("1.27", "1.28"))
    assert sets(lab) == [("1", 0, 0), ("2", 4, 4)]
    assert scalings(lab)[:4] == ["0 to 4", "0 to 1", "4 to 3", "1 to 2"]
    assert condition(lab, "Progressing") == ("True", "NewReplicaSetAvailable")


def test_an_unready_version_stalls_and_the_old_pods_serve_on() -> None:
    lab = Lab(text())
    lab.apply(text("/no", progressDeadlineSeconds="60"))
    assert sets(lab) == [("1", 3, 3), ("2", 2, 0)]
    assert body(lab)["status"]["availableReplicas"] == 3
    assert condition(lab, "Progressing") == ("True", "ReplicaSetUpdated")
    lab.wait(62)
    assert condition(lab, "Progressing") == ("False", "ProgressDeadlineExceeded")
    assert condition(lab, "Available")[0] == "True"


def test_a_rollback_takes_the_old_set_up_again() -> None:
    lab = Lab(text())
    lab.apply(text("/no"))
    lab.apply(text())
    assert sets(lab) == [("2", 0, 0), ("3", 4, 4)]
    found = [s["metadata"]["annotations"] for s in lab.cluster.store.list("ReplicaSet")]
    assert [a.get("deployment.kubernetes.io/revision-history") for a in found].count("1") == 1
    assert body(lab)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_recreate_waits_until_the_old_pods_are_gone() -> None:
    slow = text(strategy="{type: Recreate}").replace(
        "{name: c,", "{name: c, lifecycle: {preStop: {sleep: {seconds: 5}}},"
    )
    lab = Lab(slow)
    lab.apply(slow.replace("1.27", "1.28"))
    assert sets(lab) == [("1", 0, 0)]
    lab.wait(5)
    assert sets(lab) == [("1", 0, 0), ("2", 4, 4)]


def test_a_paused_deployment_makes_no_new_set_but_follows_its_size() -> None:
    lab = Lab(text())
    lab.apply(text(paused="true").replace("1.27", "1.28").replace("replicas: 4", "replicas: 6"))
    assert sets(lab) == [("1", 6, 6)]
    assert condition(lab, "Progressing") == ("Unknown", "DeploymentPaused")
    lab.apply(text().replace("1.27", "1.28").replace("replicas: 4", "replicas: 6"))
    assert sets(lab) == [("1", 0, 0), ("2", 6, 6)]


def test_scaling_in_the_middle_of_a_rollout_is_shared() -> None:
    lab = Lab(text())
    lab.apply(text("/no"))
    lab.apply(text("/no").replace("replicas: 4", "replicas: 8"))
    assert sum(size for _, size, _ in sets(lab)) == 10
    assert all(size > 2 for _, size, _ in sets(lab))


def test_min_ready_seconds_holds_a_step() -> None:
    lab = Lab(text(minReadySeconds="10"))
    lab.wait(10)
    assert sets(lab) == [("1", 4, 4)]
    lab.apply(text(minReadySeconds="10").replace("1.27", "1.28"))
    assert sets(lab) == [("1", 3, 3), ("2", 2, 0)]
    lab.wait(40)
    assert sets(lab) == [("1", 0, 0), ("2", 4, 4)]


def test_the_change_cause_goes_to_the_set() -> None:
    cause = text().replace("{name: web}", '{name: web, annotations: {kubernetes.io/change-cause: "first"}}')
    lab = Lab(cause)
    (found,) = lab.cluster.store.list("ReplicaSet")
    assert found["metadata"]["annotations"]["kubernetes.io/change-cause"] == "first"


def test_a_pod_that_loses_its_label_is_let_go_and_replaced() -> None:
    lab = Lab(text())
    name = lab.cluster.store.list("Pod", "default")[0]["metadata"]["name"]
    lab.cluster.store.change("Pod", "default", name, lambda b: b["metadata"]["labels"].update(app="debug"))
    lab.settle()
    assert "ownerReferences" not in lab.pod(name)["metadata"]
    assert len(lab.cluster.store.list("Pod", "default")) == 5
    lab.cluster.store.change("Pod", "default", name, lambda b: b["metadata"]["labels"].update(app="web"))
    lab.settle()
    assert (
        len([p for p in lab.cluster.store.list("Pod", "default") if "ownerReferences" in p["metadata"]]) == 4
    )


def test_a_daemon_set_updates_one_node_at_a_time() -> None:
    lab = Lab(text(kind="DaemonSet"))
    lab.apply(text("/no", kind="DaemonSet"))
    status = body(lab, "DaemonSet")["status"]
    assert (status["desiredNumberScheduled"], status["numberReady"], status["updatedNumberScheduled"]) == (
        2,
        1,
        1,
    )
    lab.apply(text(kind="DaemonSet"))
    status = body(lab, "DaemonSet")["status"]
    assert (status["numberReady"], status["updatedNumberScheduled"]) == (2, 2)
    found = lab.cluster.store.list("ControllerRevision", "default")
    assert sorted(r["revision"] for r in found if r["metadata"]["name"].startswith("web-")) == [2, 3]


def test_on_delete_leaves_the_pods_alone() -> None:
    lab = Lab(text(kind="DaemonSet", updateStrategy="{type: OnDelete}"))
    before = {p["metadata"]["name"] for p in lab.cluster.store.list("Pod", "default")}
    lab.apply(text(kind="DaemonSet", updateStrategy="{type: OnDelete}").replace("1.27", "1.28"))
    assert {p["metadata"]["name"] for p in lab.cluster.store.list("Pod", "default")} == before


def images(lab: Lab) -> dict[str, str]:
    rows = lab.cluster.store.list("Pod", "default")
    return {p["metadata"]["name"]: p["spec"]["containers"][0]["image"][-4:] for p in rows}


def test_a_stateful_set_updates_down_to_its_partition() -> None:
    parts = "{type: RollingUpdate, rollingUpdate: {partition: 2}}"
    lab = Lab(text(kind="StatefulSet", serviceName="web"))
    lab.apply(text(kind="StatefulSet", serviceName="web", updateStrategy=parts).replace("1.27", "1.28"))
    assert images(lab) == {"web-0": "1.27", "web-1": "1.27", "web-2": "1.28", "web-3": "1.28"}
    lab.cluster.delete(lab.pod("web-0"), lab.net.clock)
    lab.settle()
    assert images(lab)["web-0"] == "1.27"
    lab.apply(text(kind="StatefulSet", serviceName="web").replace("1.27", "1.28"))
    assert set(images(lab).values()) == {"1.28"}
    status = body(lab, "StatefulSet")["status"]
    assert status["currentRevision"] == status["updateRevision"]


def test_a_stateful_set_stops_at_the_first_pod_that_is_not_ready() -> None:
    lab = Lab(text("/no", kind="StatefulSet", serviceName="web"))
    assert set(images(lab)) == {"web-0"}
    parallel = text("/no", kind="StatefulSet", serviceName="web", podManagementPolicy="Parallel")
    assert len(images(Lab(parallel))) == 4


JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: j}
spec:
  backoffLimit: 2
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [sh, -c, "exit 1"]}]}}
"""


def test_a_job_that_fails_waits_longer_each_time_and_gives_up() -> None:
    lab = Lab(JOB)
    assert len(lab.cluster.store.list("Pod", "default")) == 1
    lab.wait(9)
    assert len(lab.cluster.store.list("Pod", "default")) == 1
    lab.wait(1)
    assert len(lab.cluster.store.list("Pod", "default")) == 2
    lab.wait(40)
    rows = body(lab, "Job", "j")["status"]["conditions"]
    assert [(r["type"], r["reason"]) for r in rows] == [
        ("FailureTarget", "BackoffLimitExceeded"), ("Failed", "BackoffLimitExceeded"),
    ]  # fmt: skip


def test_an_indexed_job_counts_each_number_once() -> None:
    text = JOB.replace('"exit 1"', '"sleep 5"').replace(
        "backoffLimit: 2", "completions: 3\n  parallelism: 2\n  completionMode: Indexed"
    )
    lab = Lab(text)
    heads = sorted(p["metadata"]["name"][:4] for p in lab.cluster.store.list("Pod", "default"))
    assert heads == ["j-0-", "j-1-"]
    lab.wait(6)
    lab.wait(6)
    status = body(lab, "Job", "j")["status"]
    assert status["completedIndexes"] == "0-2" and status["conditions"][1]["type"] == "Complete"


def test_what_a_workload_asks_for_and_the_model_lacks_is_named() -> None:
    lab = Lab(JOB.replace("backoffLimit: 2", "backoffLimit: 2\n  managedBy: example.com/other"))
    assert "spec.managedBy" in [s.why.text("en").split()[2] for s in lab.cluster.skipped]
