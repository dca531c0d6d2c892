"""kubectl, crictl, ctr and systemctl at work in a cluster: what they change, and what they say when they cannot."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kube import NodeOptions
from engine.linux.ops import Advance
from engine.shell.shell import Shell
from tests.kube.labs import web
from tests.shell.clusters import typed, world

NODES = (NodeOptions(name="cp", control_plane=True), NodeOptions(name="w1"), NodeOptions(name="w2"))
POD = "apiVersion: v1\\nkind: Pod\\nmetadata: {name: p}\\nspec: {containers: [{name: c, image: IMAGE}]}\\n"


def file(image: str) -> str:
    return f"printf '{POD.replace('IMAGE', image)}' > p.yaml"


def test_apply_creates_leaves_and_configures() -> None:
    lab = world()
    assert typed(lab, "node/cp", file("nginx:1.27"), "kubectl apply -f p.yaml").stdout == "pod/p created\n"
    assert typed(lab, "node/cp", "kubectl apply -f p.yaml").stdout == "pod/p unchanged\n"
    assert typed(lab, "node/cp", file("nginx:1.28"), "kubectl apply -f p.yaml").stdout == "pod/p configured\n"
    assert (
        "nginx:1.28"
        in typed(lab, "node/cp", "kubectl get pod p -o jsonpath={.spec.containers[0].image}").stdout
    )


def test_a_change_that_kubernetes_forbids_is_refused() -> None:
    lab = world()
    typed(lab, "node/cp", file("nginx"), "kubectl apply -f p.yaml")
    result = typed(
        lab,
        "node/cp",
        "sed -i s/name: c,/name: d,/ p.yaml",
        file("nginx, command: [sleep]"),
        "kubectl apply -f p.yaml",
    )
    assert result.code == 1
    assert result.stderr.startswith(
        'The Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other'
    )


@pytest.mark.parametrize(
    ("line", "stderr"),
    [
        (
            "printf 'apiVersion: v1\\nkind: Pod\\nmetadata: {name: z, namespace: far}\\n' | kubectl apply -f -",
            'Error from server (NotFound): error when creating "STDIN": namespaces "far" not found\n',
        ),
        ("kubectl delete ns default", 'Error from server (Forbidden): namespaces "default" is forbidden'),
        ("kubectl get pods -w -o yaml", "kubectl get --watch -o yaml is not modelled here."),
        ("kubectl proxy --port=80", "kubectl proxy is not modelled here."),
        ("crictl runp x", "crictl runp is not modelled here."),
        ("ctr images mount x", "ctr images mount is not modelled here."),
        ("systemctl mask kubelet", "systemctl mask is not modelled here."),
        ("systemctl status nginx", "Unit nginx.service could not be found."),
        ("kubectl exec web -- nosuch", "nosuch"),
        ("kubectl logs web --tail=x", 'error: invalid argument "x" for "--tail" flag'),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(line: str, stderr: str) -> None:
    result = typed(world(web()), "node/w1", line)
    assert result.code != 0
    assert result.stderr.startswith(stderr) or stderr in result.stderr


JSON = "error parsing STDIN: error converting YAML to JSON: yaml: "
DATA = 'error validating "STDIN": error validating data: '
OFF = "; if you choose to ignore these errors, turn validation off with --validate=false"


@pytest.mark.parametrize(
    ("text", "stderr"),
    [
        ("a: [", f"{JSON}line 1: did not find expected node content"),
        ("a: b: c", f"{JSON}mapping values are not allowed in this context"),
        ("a: 1\\n b: 2", f"{JSON}line 2: mapping values are not allowed in this context"),
        ("", "no objects passed to apply"),
        ("words", f"{DATA}invalid object to validate{OFF}"),
        ("- 1", f"{DATA}invalid object to validate{OFF}"),
        ("{}", f"{DATA}[apiVersion not set, kind not set]{OFF}"),
        ("kind: Pod", f"{DATA}apiVersion not set{OFF}"),
        ("apiVersion: x/v1\\nkind: yes", f"{DATA}kind isn't string type{OFF}"),
        (
            "apiVersion: x/v1\\nkind: Yonder\\nmetadata: {name: z}",
            'resource mapping not found for name: "z" namespace: "" from "STDIN": no matches for kind "Yonder" in '
            'version "x/v1"\nensure CRDs are installed first',
        ),
    ],
)  # fmt: skip
def test_files_that_are_no_objects_are_refused_as_kubectl_1_32_does(text: str, stderr: str) -> None:
    result = typed(world(), "node/w1", f"printf '{text}' | kubectl apply -f -")
    assert (result.stderr, result.code) == (f"error: {stderr}\n", 1)


def test_kubectl_needs_its_configuration_a_way_and_a_server() -> None:
    lab = world(web())
    result = typed(lab, "node/w1", "rm /root/.kube/config", "kubectl get pods")
    refused = "The connection to the server {} was refused - did you specify the right host or port?\n"
    assert (result.stderr, result.code) == (refused.format("localhost:8080"), 1)
    typed(lab, "node/cp", "mv /etc/kubernetes/manifests/kube-apiserver.yaml /root/")
    server = typed(lab, "node/cp", "grep server /root/.kube/config").stdout.split("//")[1].strip()
    assert typed(lab, "node/cp", "kubectl get pods").stderr == refused.format(server)
    typed(lab, "node/cp", "mv /root/kube-apiserver.yaml /etc/kubernetes/manifests/")
    assert typed(lab, "node/cp", "kubectl get pods -o name").stdout == "pod/web\n"
    typed(lab, "node/cp", "iptables -A INPUT -p tcp --dport 6443 -j DROP")
    result = typed(lab, "node/w2", "kubectl get pods")
    assert result.stderr == f"Unable to connect to the server: dial tcp {server}: i/o timeout\n"


def test_exec_opens_a_shell_in_the_container_and_exit_closes_it() -> None:
    lab = world(web())
    shell = Shell(lab, "node/cp")
    shell.run("kubectl exec -it web -- sh")
    assert shell.run("hostname").stdout == "web\n"
    assert shell.run("cat /etc/hosts").stdout.endswith("10.244.1.2\tweb\n")
    shell.run("exit")
    assert shell.run("hostname").stdout == "cp\n"


def test_the_true_repairs_of_the_missing_pause_image() -> None:
    nodes = (NODES[0], NodeOptions(name="w1", air_gapped=True, pause=False, images=("nginx:1.27",)))
    name = "registry.k8s.io/pause:3.10.1"
    for lines in (
        ["ctr -n k8s.io images import /root/pause.tar"],
        [
            "sed -i s/unused/unused/ /etc/containerd/config.toml",
            "ctr -n k8s.io images import --base-name x /root/pause.tar",
        ],
    ):
        lab = world(web(), nodes=nodes)
        assert (
            typed(lab, "node/w1", "ctr images import /root/pause.tar", "crictl images | grep pause").code == 1
        )
        typed(lab, "node/w1", *lines)
        lab.do(Advance(seconds=16))
        lab.settle()
        assert typed(lab, "node/w1", "crictl images | grep -c pause").stdout == "1\n"
        row = typed(lab, "node/w1", f"ctr -n k8s.io images ls name=={name}").stdout.splitlines()[1]
        assert "io.cri-containerd.pinned=pinned" in row
        assert typed(lab, "node/w1", "crictl pods -q").stdout


def test_killing_pause_by_hand_is_seen_everywhere() -> None:
    lab = world(web())
    typed(lab, "node/w1", "kill $(pgrep pause || ps -ef | grep /pause | head -1 | cut -c10-16)")
    pid = next(p.pid for p in lab.net.boxes["w1"].procs.values() if p.program == "pause")
    typed(lab, "node/w1", f"kill {pid}")
    rows = [r.split() for r in typed(lab, "node/w1", "crictl pods").stdout.splitlines()]
    assert {"Ready", "NotReady"} <= {w for r in rows for w in r}
    assert "SandboxChanged" in typed(lab, "node/w1", "kubectl describe pod web").stdout


def test_inspectp_names_the_namespace_that_ip_netns_lists() -> None:
    lab = world(web())
    body = json.loads(typed(lab, "node/w1", "crictl inspectp $(crictl pods -q)").stdout)
    (path,) = [
        n["path"] for n in body["info"]["runtimeSpec"]["linux"]["namespaces"] if n["type"] == "network"
    ]
    assert path.removeprefix("/var/run/netns/") in typed(lab, "node/w1", "ip netns list").stdout
    assert body["info"]["cniResult"]["Interfaces"]["eth0"]["IPConfigs"][0]["IP"] == "10.244.1.2"
    assert body["status"]["network"]["ip"] == "10.244.1.2"


def test_stopping_a_sandbox_by_hand_makes_kubelet_make_another() -> None:
    lab = world(web())
    result = typed(lab, "node/w1", "crictl stopp $(crictl pods -q)")
    assert result.stdout.startswith("Stopped sandbox ")
    assert typed(lab, "node/w1", "kubectl get pod web -o jsonpath={.status.podIP}").stdout == "10.244.1.3"


def test_wait_lets_the_clock_run() -> None:
    lab = world()
    line = "kubectl run x --image=busybox --restart=Never -- sleep 20"
    done = "kubectl wait pod x --for=jsonpath={.status.phase}=Succeeded --timeout=60s"
    assert typed(lab, "node/cp", line, done).stdout == "pod/x condition met\n"
    assert 20 <= lab.net.clock <= 30
    late = typed(lab, "node/cp", "kubectl wait pod x --for=condition=Ready --timeout=5s")
    assert (late.stderr, late.code) == ("error: timed out waiting for the condition on pods/x\n", 1)


# ---- any line

WORDS = st.sampled_from([
    "kubectl", "crictl", "ctr", "systemctl", "get", "describe", "apply", "delete", "create", "run", "logs",
    "exec", "label", "annotate", "scale", "taint", "cordon", "set", "image", "rollout", "wait", "version",
    "api-resources", "config", "cluster-info", "pods", "pod", "po", "nodes", "node", "no", "deploy", "all",
    "events", "ns", "cm", "web", "w1", "nope", "-n", "-A", "-o", "wide", "yaml", "json", "name",
    "jsonpath={.items}", "custom-columns=A:.b", "-l", "app=web", "--field-selector", "status.phase=Running",
    "--sort-by", ".metadata.name", "-f", "-", "p.yaml", "/etc", "--", "sh", "-c", "ls", "-it", "--image=nginx",
    "--dry-run=client", "--restart=Never", "--replicas=2", "a=b", "a-", "-p", "--tail=1", "--all",
    "--for=condition=Ready", "--timeout=1s", "ps", "images", "pull", "inspectp", "inspect", "info", "stopp",
    "rmp", "stop", "rm", "-q", "-a", "-n", "k8s.io", "images", "ls", "import", "tag", "rm", "tasks",
    "containers", "restart", "status", "is-active", "kubelet", "containerd", "default", "kube-system", "w1",
    "--show-labels", "status", "restart", "current-context", "set-context", "--current", "--namespace=x",
    "x=y:NoSchedule", "x-", ",,", "/", "/x", "x/", "=", ":", "--foo", "-z", "--output=",
])  # fmt: skip


@pytest.fixture(scope="module")
def shell() -> Shell:
    return Shell(world(web(), web("two", "w2")), "node/w1")


@settings(max_examples=200)
@given(
    tool=st.sampled_from(["kubectl", "crictl", "ctr", "ctr -n k8s.io", "systemctl"]),
    words=st.lists(WORDS | st.text(alphabet="ab01.,=/:{}[]@-", max_size=5), max_size=6),
)
def test_any_line_gives_a_result(shell: Shell, tool: str, words: list[str]) -> None:
    copy = Shell(shell.world.copy(), "node/w1")
    result = copy.run(f"{tool} {' '.join(words)}")
    assert result.code == 0 or result.stderr or result.stdout or not words


def test_a_registry_of_the_lab_is_reached_by_a_connection_in_the_lab() -> None:
    from engine.lab.lab import Lab

    store = {"name": "store", "addresses": ["192.168.10.20/24"], "listen": [5000]}
    gapped = {"name": "w1", "pauseImage": False}
    lab = Lab.load(
        {"airGapped": True, "nodes": [{"name": "cp", "role": "control-plane"}, gapped], "hosts": [store]}
    )
    pulled = lab.run("node/w1", "crictl pull store:5000/pause:3.10.1")
    assert pulled.stdout.startswith("Image is up to date for sha256:")
    refused = lab.run("node/w1", "crictl pull store:5001/pause:3.10.1")
    assert refused.stderr.endswith("dial tcp 192.168.10.20:5001: connect: connection refused\n")
    tag = "ctr -n k8s.io images tag store:5000/pause:3.10.1 registry.k8s.io/pause:3.10.1"
    assert lab.run("node/w1", tag).stdout == "registry.k8s.io/pause:3.10.1\n"
    again = lab.run("node/w1", tag)
    assert again.stderr == 'ctr: image "registry.k8s.io/pause:3.10.1": already exists\n'
