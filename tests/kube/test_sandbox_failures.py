"""Sandboxes that cannot be made: no pause image, no CNI configuration, a broken plugin; and their true repairs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engine.kube import CniOptions, NodeOptions
from engine.kube.registry import stored
from tests.kube.labs import Lab, web

CONF = "/etc/cni/net.d/10-bridge.conflist"


def gapped(**more: object) -> Lab:
    """w1 reaches no registry and nobody brought it its pause image."""
    w1 = replace(NodeOptions(name="w1", air_gapped=True, pause=False, images=("nginx:1.27",)), **more)  # type: ignore[arg-type]
    return Lab(web(), nodes=(NodeOptions(name="cp", control_plane=True), w1))


def test_the_missing_pause_image_is_said_as_containerd_2_2_says_it() -> None:
    lab = gapped()
    assert lab.waiting("web") == "ContainerCreating"
    assert lab.ip("web") == ""
    ((_, message, _),) = lab.events("web", "FailedCreatePodSandBox")
    head, _, tail = message.partition('start sandbox "')
    assert head == "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to "
    name = "registry.k8s.io/pause:3.10.1"
    assert tail[64:].startswith(
        f'": failed to get sandbox image "{name}": failed to pull image "{name}": failed to pull and unpack image '
        f'"{name}": failed to resolve reference "{name}": failed to do request: Head '
        '"https://registry.k8s.io/v2/pause/manifests/3.10.1": dial tcp: lookup registry.k8s.io'
    )
    assert message.endswith("no such host")


def test_every_try_takes_an_address_and_gives_it_back() -> None:
    lab = gapped()
    files = lab.net.boxes["w1"].files
    assert files["/var/lib/cni/networks/bridge/last_reserved_ip.0"] == "10.244.1.2"
    lab.wait(60)
    tries = len(lab.events("web", "FailedCreatePodSandBox"))
    assert 4 <= tries <= 7
    assert files["/var/lib/cni/networks/bridge/last_reserved_ip.0"] == f"10.244.1.{1 + tries}"
    assert not [f for f in files if f.startswith("/var/lib/cni/networks/bridge/10.")]
    assert not [s for s in lab.net.spaces if s.startswith("w1/")]


def test_many_alike_events_become_one_that_counts() -> None:
    lab = gapped()
    lab.wait(300)
    rows = lab.events("web", "FailedCreatePodSandBox")
    assert len(rows) == 10
    assert rows[-1][1].startswith("(combined from similar events): Failed to create pod sandbox: ")
    assert rows[-1][2] > 5


def test_importing_the_image_repairs_it() -> None:
    lab = gapped()
    lab.cluster.nodes["w1"].runtime.store_image(stored("registry.k8s.io/pause:3.10.1", 0.0))
    lab.settle()
    assert lab.waiting("web") == "ContainerCreating", "kubelet tries again only when its back-off is over"
    lab.wait(16)
    assert lab.pod("web")["status"]["phase"] == "Running"


def test_an_image_in_containerds_own_default_namespace_does_not_help() -> None:
    lab = gapped()
    lab.cluster.nodes["w1"].runtime.store_image(stored("registry.k8s.io/pause:3.10.1", 0.0), "default")
    lab.wait(16)
    assert lab.waiting("web") == "ContainerCreating"


@pytest.mark.parametrize(
    "config",
    [
        "version = 3\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = 'registry.k8s.io/pause:3.9'\n",
        'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\nsandbox_image = "registry.k8s.io/pause:3.9"\n',
    ],
)
def test_the_configuration_counts_only_after_a_restart(config: str) -> None:
    lab = gapped(images=("nginx:1.27", "registry.k8s.io/pause:3.9"))
    lab.write("w1", "/etc/containerd/config.toml", config)
    lab.wait(16)
    assert lab.waiting("web") == "ContainerCreating"
    lab.kill("w1", lab.cluster.nodes["w1"].procs["containerd"])
    lab.wait(16)
    assert lab.pod("web")["status"]["phase"] == "Running"


def test_a_configuration_that_is_not_toml_stops_containerd_and_the_node() -> None:
    lab = Lab(web())
    lab.write("w1", "/etc/containerd/config.toml", "version = [\n")
    lab.kill("w1", lab.cluster.nodes["w1"].procs["containerd"])
    status, message = lab.node_ready("w1")
    assert status == "False"
    assert "failed to load TOML: /etc/containerd/config.toml" in message
    assert lab.pod("web")["status"]["phase"] == "Running"


def test_containerd_1_7_looks_for_the_image_before_it_makes_anything() -> None:
    w1 = NodeOptions(name="w1", air_gapped=True, pause=False, images=("nginx:1.27",))
    lab = Lab(web(), nodes=(NodeOptions(name="cp", control_plane=True), w1), containerd="1.7")
    ((_, message, _),) = lab.events("web", "FailedCreatePodSandBox")
    assert 'desc = failed to get sandbox image "registry.k8s.io/pause:3.8": failed to pull image' in message
    assert "/var/lib/cni/networks/bridge/last_reserved_ip.0" not in lab.net.boxes["w1"].files


def test_a_control_plane_without_its_pause_image_never_comes_up() -> None:
    cp = NodeOptions(name="cp", control_plane=True, air_gapped=True, pause=False)
    lab = Lab(nodes=(cp,))
    assert not lab.cluster.api_up(lab.net)
    assert any("failed to get sandbox image" in line for _, line in lab.net.boxes["cp"].journal)
    lab.cluster.nodes["cp"].runtime.store_image(stored("registry.k8s.io/pause:3.10.1", 0.0))
    lab.wait(16)
    assert lab.cluster.api_up(lab.net)
    assert lab.node_ready("cp")[0] == "True"


def test_without_a_configuration_the_node_is_not_ready() -> None:
    lab = Lab(web())
    lab.remove("w1", CONF)
    assert lab.node_ready("w1") == (
        "False",
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin "
        "returns error: cni plugin not initialized",
    )
    lab.apply(web("late"), web("host").replace("  nodeName", "  hostNetwork: true\n  nodeName"))
    assert lab.pod("web")["status"]["phase"] == "Running"
    assert lab.pod("host")["status"]["phase"] == "Running"
    assert lab.waiting("late") == "ContainerCreating"
    ((_, message, _),) = lab.events("late", "NetworkNotReady")
    assert message.startswith("network is not ready: container runtime network not ready: NetworkReady=false")


def test_pods_cannot_be_taken_down_without_a_configuration_either() -> None:
    lab = Lab(web())
    text = lab.net.boxes["w1"].files[CONF]
    lab.remove("w1", CONF)
    lab.cluster.delete(lab.pod("web"), lab.net.clock)
    lab.settle()
    ((_, message, _),) = lab.events("web", "FailedKillPod")
    assert "failed to destroy network for sandbox" in message and "cni plugin not initialized" in message
    lab.write("w1", CONF, text)
    lab.wait(16)
    assert lab.cluster.store.get("Pod", "default", "web") is None
    assert lab.node_ready("w1")[0] == "True"


def test_the_first_file_in_lexical_order_wins() -> None:
    lab = Lab()
    other = {
        "cniVersion": "1.0.0", "name": "other",
        "plugins": [{"type": "bridge", "bridge": "br9", "isGateway": True,
                     "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.99.0.0/24"}]]}}],
    }  # fmt: skip
    lab.write("w1", "/etc/cni/net.d/05-other.conflist", json.dumps(other))
    lab.apply(web())
    assert lab.ip("web") == "10.99.0.2"
    assert lab.net.spaces["w1"].link("br9") is not None


@pytest.mark.parametrize("binary", ["bridge", "host-local", "portmap"])
def test_a_missing_binary_is_named(binary: str) -> None:
    lab = Lab()
    lab.remove("w1", f"/opt/cni/bin/{binary}")
    lab.apply(web())
    ((_, message, _),) = lab.events("web", "FailedCreatePodSandBox")
    assert message.endswith(f'failed to find plugin "{binary}" in path [/opt/cni/bin]')
    assert not [s for s in lab.net.spaces if s.startswith("w1/")]


def test_a_bridge_with_another_address_is_refused() -> None:
    lab = Lab(web())
    text = lab.net.boxes["w1"].files[CONF]
    lab.write("w1", CONF, text.replace("10.244.1.0/24", "10.244.9.0/24"))
    lab.apply(web("second"))
    ((_, message, _),) = lab.events("second", "FailedCreatePodSandBox")
    assert message.endswith(
        'plugin type="bridge" failed (add): failed to set bridge addr: "cni0" already has an IP address different from '
        "10.244.9.1/24"
    )


def test_a_full_range_is_said_and_leaked_files_count() -> None:
    lab = Lab()
    text = lab.net.boxes["w1"].files[CONF]
    lab.write("w1", CONF, text.replace("10.244.1.0/24", "10.244.1.0/29"))
    for i in range(2, 7):
        lab.write("w1", f"/var/lib/cni/networks/bridge/10.244.1.{i}", f"gone{i}\r\neth0")
    lab.apply(web())
    ((_, message, _),) = lab.events("web", "FailedCreatePodSandBox")
    assert message.endswith(
        'plugin type="bridge" failed (add): failed to allocate for range 0: no IP addresses available in range set: '
        "10.244.1.1-10.244.1.6"
    )
    lab.remove("w1", "/var/lib/cni/networks/bridge/10.244.1.4")
    lab.wait(32)
    assert lab.ip("web") == "10.244.1.4"
    assert "could not set bridge's mac: invalid argument" in lab.events("web", "FailedCreatePodSandBox")[1][1]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"isGateway": true', '"isGateway": true, "vlan": 7', 'the key "vlan" of the CNI plugin bridge'),
        ('"type": "portmap"', '"type": "bandwidth"', "the CNI plugin bandwidth"),
        ('"type": "host-local"', '"type": "dhcp"', "the IPAM plugin dhcp"),
    ],
)
def test_what_the_model_cannot_do_is_said_by_name(old: str, new: str, what: str) -> None:
    lab = Lab()
    text = lab.net.boxes["w1"].files[CONF]
    assert old in text
    lab.write("w1", CONF, text.replace(old, new))
    lab.apply(web())
    assert [e for e in lab.events("web", "NotModelled") if what in e[1]]
    assert [s for s in lab.cluster.skipped if what in s.why.text()]
    assert not [s for s in lab.net.spaces if s.startswith("w1/")]


def test_a_cluster_without_cni_waits_for_one() -> None:
    lab = Lab(web().replace("  nodeName: w1\n", ""), cni=CniOptions(name="none"))
    assert lab.node_ready("w1")[0] == "False"
    ((_, message, _),) = lab.events("web", "FailedScheduling")
    assert message == (
        "0/3 nodes are available: 3 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/3 "
        "nodes are available: 3 Preemption is not helpful for scheduling."
    )
