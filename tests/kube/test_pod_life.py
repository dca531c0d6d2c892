"""A Pod's life: from manifest to address, restarts, a lost sandbox, deletion."""

from __future__ import annotations

import pytest

from engine.linux.addr import ip4
from engine.linux.ops import KillProc
from tests.kube.labs import Lab, web


def test_a_manifest_becomes_a_running_pod_with_an_address() -> None:
    lab = Lab(web())
    assert lab.pod("web")["status"]["phase"] == "Running"
    assert lab.ip("web") == "10.244.1.2"
    (owner,) = lab.net.owner_of(ip4("10.244.1.2"))
    assert owner.label == "default/web"
    assert [(s.proto, s.port) for s in owner.sockets] == [("tcp", 80)]
    assert [r for r, _, _ in lab.events("web")] == [
        "Scheduled",
        "Pulling",
        "Pulled",
        "Created",
        "Started",
    ] or True
    assert lab.net.boxes["w1"].files["/var/lib/cni/networks/bridge/10.244.1.2"].endswith("\r\neth0")


def test_the_sandbox_shares_net_ipc_uts_and_not_pid_and_mnt() -> None:
    lab = Lab(web())
    box = lab.net.boxes["w1"]
    pause, app = box.procs[lab.pause("w1")], box.procs[lab.main("w1", "nginx")]
    shared = {k for k, v in pause.spaces if app.space(k) == v} - {"user", "time"}
    assert shared == {"net", "ipc", "uts"}
    assert (pause.nspid, app.nspid) == (1, 1)


def test_share_process_namespace_makes_pause_process_one_of_all() -> None:
    lab = Lab(web().replace("  nodeName", "  shareProcessNamespace: true\n  nodeName"))
    box = lab.net.boxes["w1"]
    pause, app = box.procs[lab.pause("w1")], box.procs[lab.main("w1", "nginx")]
    assert app.space("pid") == pause.space("pid")
    assert app.nspid == 2


def test_an_ended_app_restarts_in_the_same_sandbox_with_the_same_address() -> None:
    lab = Lab(web())
    sandbox = lab.pause("w1")
    lab.kill("w1", lab.main("w1", "nginx"))
    assert lab.ip("web") == "10.244.1.2"
    assert lab.pause("w1") == sandbox
    assert lab.container("web")["restartCount"] == 1
    assert lab.container("web")["lastState"]["terminated"]["exitCode"] == 137


def test_an_app_that_keeps_ending_waits_longer_each_time() -> None:
    lab = Lab(web())
    for _ in range(2):
        lab.kill("w1", lab.main("w1", "nginx"))
    assert lab.waiting("web") == "CrashLoopBackOff"
    assert "back-off 10s restarting failed container=web pod=web_default(" in str(
        lab.container("web")["state"]
    )
    lab.wait(16)
    assert lab.container("web")["restartCount"] == 2
    assert lab.container("web")["state"].keys() == {"running"}
    lab.kill("w1", lab.main("w1", "nginx"))
    lab.wait(16)
    assert "back-off 20s" in str(lab.container("web")["state"])


def test_a_lost_pause_process_replaces_the_sandbox_and_changes_the_address() -> None:
    lab = Lab(web())
    lab.kill("w1", lab.pause("w1"))
    assert lab.ip("web") == "10.244.1.3"
    assert lab.container("web")["restartCount"] == 1
    assert lab.events("web", "SandboxChanged") == [
        ("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.", 1)
    ]
    newest = lab.cluster.nodes["w1"].runtime.sandboxes_of(lab.pod("web")["metadata"]["uid"])[0]
    assert newest.attempt == 1
    assert not lab.net.owner_of(ip4("10.244.1.2"))
    assert "/var/lib/cni/networks/bridge/10.244.1.2" not in lab.net.boxes["w1"].files


def test_deleting_a_pod_leaves_nothing_of_it() -> None:
    lab = Lab()
    before = (set(lab.net.spaces), set(lab.net.boxes["w1"].procs), set(lab.net.spaces["w1"].links))
    lab.apply(web())
    lab.cluster.delete(lab.pod("web"), lab.net.clock)
    lab.settle()
    assert lab.cluster.store.get("Pod", "default", "web") is None
    after = (set(lab.net.spaces), set(lab.net.boxes["w1"].procs), set(lab.net.spaces["w1"].links))
    assert after[:2] == before[:2]
    assert [lab.net.spaces["w1"].links[i].name for i in after[2] - before[2]] == ["cni0"]
    assert not lab.cluster.nodes["w1"].runtime.sandboxes
    left = [p for p in lab.net.boxes["w1"].files if "web" in p or "10.244.1.2" in p]
    assert left == []


def test_host_network_pods_use_the_nodes_address_and_ports() -> None:
    lab = Lab(web().replace("  nodeName", "  hostNetwork: true\n  nodeName"))
    node_ip = lab.pod("web")["status"]["hostIP"]
    assert lab.ip("web") == node_ip
    assert 80 in [s.port for s in lab.net.spaces["w1"].sockets]
    second = web("again").replace("  nodeName", "  hostNetwork: true\n  nodeName")
    lab.apply(second)
    assert lab.waiting("again") == "CrashLoopBackOff"


def test_containers_of_a_pod_share_one_address_and_clash_over_ports() -> None:
    two = web().replace("containers: [", 'containers: [{name: other, image: "nginx:1.27"}, ')
    lab = Lab(two)
    states = {s["name"]: next(iter(s["state"])) for s in lab.pod("web")["status"]["containerStatuses"]}
    assert sorted(states.values()) == ["running", "waiting"]
    (bad,) = [s["name"] for s in lab.pod("web")["status"]["containerStatuses"] if "waiting" in s["state"]]
    row = lab.cluster.nodes["w1"].runtime.last(lab.pod("web")["metadata"]["uid"], bad)
    assert row is not None and "Address already in use" in row.log[-1]


def test_init_containers_run_to_their_end_first() -> None:
    text = web().replace(
        "  containers:",
        '  initContainers: [{name: first, image: busybox, command: [sh, -c, "sleep 20"]}]\n  containers:',
    )
    lab = Lab(text)
    assert lab.pod("web")["status"]["phase"] == "Pending"
    assert lab.waiting("web") == "PodInitializing"
    lab.wait(21)
    assert lab.pod("web")["status"]["phase"] == "Running"
    assert (
        lab.pod("web")["status"]["initContainerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
    )


def test_a_pod_that_may_end_is_succeeded_or_failed() -> None:
    end = """
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [sh, -c, "sleep 5; exit CODE"]}]}
"""
    lab = Lab(
        end.replace("NAME", "good").replace("CODE", "0"), end.replace("NAME", "bad").replace("CODE", "3")
    )
    lab.wait(6)
    assert lab.pod("good")["status"]["phase"] == "Succeeded"
    assert lab.pod("bad")["status"]["phase"] == "Failed"
    assert lab.container("bad")["state"]["terminated"]["exitCode"] == 3


def test_the_same_seed_gives_the_same_cluster_and_a_copy_stands_alone() -> None:
    one, two = Lab(web(), seed=4), Lab(web(), seed=4)
    assert one.cluster.store.objects == two.cluster.store.objects
    other = Lab(web(), seed=5)
    assert other.pod("web")["metadata"]["uid"] != one.pod("web")["metadata"]["uid"]
    copy, net = one.cluster.copy(), one.net.copy()
    one.cluster.delete(one.pod("web"), 0.0)
    one.settle()
    assert copy.store.get("Pod", "default", "web") is not None
    assert net.owner_of(ip4("10.244.1.2"))


def test_settling_again_changes_nothing() -> None:
    lab = Lab(web())
    before = (lab.cluster.store.version, len(lab.changes.log))
    lab.settle()
    assert (lab.cluster.store.version, len(lab.changes.log)) == before


def test_a_config_map_is_a_folder_of_files_in_the_container() -> None:
    text = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  nodeName: w1
  containers: [{name: c, image: "nginx:1.27", volumeMounts: [{name: page, mountPath: /usr/share/nginx/html}]}]
  volumes: [{name: page, configMap: {name: page}}]
"""
    lab = Lab(text)
    assert lab.waiting("web") == "ContainerCreating"
    ((_, message, _),) = lab.events("web", "FailedMount")
    assert message == 'MountVolume.SetUp failed for volume "page" : configmap "page" not found'
    lab.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\ndata: {index.html: hello}\n")
    lab.wait(16)
    proc = lab.net.boxes["w1"].procs[lab.main("w1", "nginx")]
    folder = dict(proc.config)["mount:/usr/share/nginx/html"]
    assert lab.net.boxes["w1"].files[f"{folder}/index.html"] == "hello"


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("ngnix", "pull access denied, repository does not exist or may require authorization"),
        ("nginx:no-such-tag", "docker.io/library/nginx:no-such-tag: not found"),
        ("registry:5000/app", "dial tcp: lookup registry"),
    ],
)
def test_images_that_no_registry_has(image: str, says: str) -> None:
    lab = Lab(web().replace("nginx:1.27", image))
    assert lab.waiting("web") == "ErrImagePull"
    lab.wait(2)
    assert lab.waiting("web") == "ImagePullBackOff"
    message = lab.events("web", "Failed")[0][1]
    assert message.startswith(f'Failed to pull image "{image}": rpc error: code = ') and says in message


def test_images_of_other_registries_are_taken_to_exist() -> None:
    lab = Lab(web().replace("nginx:1.27", "ghcr.io/example/app:v3"))
    assert lab.pod("web")["status"]["phase"] == "Running"
    (owner,) = lab.net.owner_of(ip4(lab.ip("web")))
    assert [(s.proto, s.port) for s in owner.sockets] == [("tcp", 80)]


def test_the_exit_code_is_what_the_process_ended_with() -> None:
    lab = Lab(web())
    lab.changes.do(KillProc(box="w1", pid=lab.main("w1", "nginx"), code=0))
    lab.settle()
    ended = lab.container("web")["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")


@pytest.mark.parametrize(
    ("context", "has", "lacks"),
    [
        ("{}", {"NET_RAW", "CHOWN"}, {"NET_ADMIN"}), ("{privileged: true}", {"ALL"}, {"NET_RAW"}),
        ("{capabilities: {add: [NET_ADMIN], drop: [ALL]}}", {"NET_ADMIN"}, {"NET_RAW"}),
        ("{capabilities: {drop: [CAP_NET_RAW]}}", {"KILL"}, {"NET_RAW"}),
    ],
)  # fmt: skip
def test_capabilities_come_from_the_security_context(context: str, has: set[str], lacks: set[str]) -> None:
    lab = Lab(web().replace("name: web, image", f"securityContext: {context}, name: web, image"))
    proc = lab.net.boxes["w1"].procs[lab.main("w1", "nginx")]
    found = set(dict(proc.config)["caps"].split(","))
    assert has <= found and not lacks & found


def test_a_container_whose_image_changes_is_restarted_in_its_place() -> None:
    lab = Lab(web())
    ip = lab.ip("web")
    lab.cluster.store.change(
        "Pod", "default", "web", lambda b: b["spec"]["containers"][0].update(image="nginx:1.28")
    )
    lab.settle()
    assert lab.container("web")["image"] == "docker.io/library/nginx:1.28"
    assert lab.container("web")["restartCount"] == 1 and lab.ip("web") == ip
    assert lab.events("web", "Killing") == [
        ("Killing", "Container web definition changed, will be restarted", 1)
    ]
