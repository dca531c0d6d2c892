"""kubectl's verbs on a living lab: what they change, and what the cluster then does with it."""

from __future__ import annotations

import pytest

from engine.kube import NodeOptions
from engine.lab.lab import Lab
from engine.shell.shell import Result, Shell
from engine.shell.world import World
from tests.shell.clusters import world

TEXT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: nginx, image: "nginx:1.27", ports: [{containerPort: 80, name: http}]}]}
"""
NODES = (NodeOptions(name="cp", control_plane=True), NodeOptions(name="w1"), NodeOptions(name="w2"))


@pytest.fixture
def lab() -> World:
    return world(TEXT, nodes=NODES)


@pytest.fixture
def shell(lab: World) -> Shell:
    return Shell(lab, "node/cp")


def said(shell: Shell, *lines: str) -> str:
    """What the last line prints, on both streams; each must succeed."""
    result = Result()
    for line in lines:
        result = shell.run(line)
        assert result.code == 0, (line, result.stderr)
    return result.stdout + result.stderr


def spec(lab: World, kind: str, name: str) -> dict[str, object]:
    assert lab.cluster is not None
    body = lab.cluster.store.get(kind, "default", name)
    assert body is not None
    found: dict[str, object] = body["spec"]
    return found


# ---- Services


def test_expose_makes_a_service_of_the_deployments_pods(lab: World, shell: Shell) -> None:
    assert "service/web exposed\n" in said(shell, "kubectl expose deploy web --port=8000 --target-port=80")
    assert spec(lab, "Service", "web")["selector"] == {"app": "web"}
    text = said(shell, "kubectl describe svc web")
    assert "TargetPort:               80/TCP\n" in text
    assert "Port:                     <unset>  8000/TCP\n" in text
    addresses = text.split("Endpoints:")[1].split("\n")[0].strip().split(",")
    assert len(addresses) == 2 and all(a.endswith(":80") for a in addresses)


def test_create_service_names_its_port_and_keeps_its_node_port(lab: World, shell: Shell) -> None:
    said(shell, "kubectl create service nodeport web --tcp=80:8080 --node-port=30080")
    assert said(shell, "kubectl get svc web").split("\n")[1].split()[4] == "80:30080/TCP"
    refused = shell.run("kubectl create service nodeport web --tcp=80")
    assert refused.stderr == 'error: failed to create NodePort service: services "web" already exists\n'


def test_a_port_out_of_the_range_is_the_servers_own_refusal(shell: Shell) -> None:
    result = shell.run("kubectl create service nodeport web --tcp=80 --node-port=80")
    assert result.code == 1
    assert (
        "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range" in result.stderr
    )


def test_port_forward_reaches_the_pod_without_the_service(shell: Shell) -> None:
    said(shell, "kubectl create service clusterip web --tcp=8000:80")
    assert "Forwarding from 127.0.0.1:8080 -> 80\n" in said(shell, "kubectl port-forward svc/web 8080:8000 &")
    result = shell.run("curl -s -o /dev/null -w '%{http_code}' localhost:8080")
    assert result.stdout == "200"
    purposes = [leg.purpose for journey in result.journeys for leg in journey.legs]
    assert [p for p in purposes if "kubelet" in p or "API" in p] == [
        "kubectl to the API server",
        "API server to kubelet",
        "kubelet into the pod",
    ]


def test_port_forward_by_the_name_of_a_port(shell: Shell) -> None:
    assert "-> 80\n" in said(shell, "kubectl port-forward deploy/web 9000:http &")
    taken = shell.run("kubectl port-forward deploy/web 9000:http &")
    assert "unable to listen on any of the requested ports: [{9000 80}]" in taken.stderr


# ---- changes


def test_patch_in_its_three_forms(lab: World, shell: Shell) -> None:
    said(shell, "kubectl expose deploy web --port=80")
    assert (
        said(shell, """kubectl patch svc web -p '{"spec":{"type":"NodePort"}}'""") == "service/web patched\n"
    )
    assert spec(lab, "Service", "web")["type"] == "NodePort"
    said(shell, """kubectl patch svc web --type merge -p '{"spec":{"sessionAffinity":"ClientIP"}}'""")
    assert spec(lab, "Service", "web")["sessionAffinity"] == "ClientIP"
    said(
        shell,
        """kubectl patch svc web --type json -p '[{"op":"replace","path":"/spec/ports/0/port","value":81}]'""",
    )
    ports = spec(lab, "Service", "web")["ports"]
    assert isinstance(ports, list) and ports[0]["port"] == 81
    again = said(shell, """kubectl patch svc web -p '{"spec":{"type":"NodePort"}}'""")
    assert again == "service/web patched (no change)\n"


def test_apply_takes_away_what_the_last_manifest_had(lab: World, shell: Shell) -> None:
    said(
        shell,
        "kubectl create cm c --from-literal=a=1 --from-literal=b=2 --dry-run=client -o yaml > /tmp/c.yaml",
    )
    assert said(shell, "kubectl apply -f /tmp/c.yaml") == "configmap/c created\n"
    said(shell, """kubectl patch cm c -p '{"data":{"mine":"3"}}'""", "sed -i '/  b: /d' /tmp/c.yaml")
    assert said(shell, "kubectl apply -f /tmp/c.yaml") == "configmap/c configured\n"
    assert lab.cluster is not None
    body = lab.cluster.store.get("ConfigMap", "default", "c")
    assert body is not None and body["data"] == {"a": "1", "mine": "3"}
    assert said(shell, "kubectl apply -f /tmp/c.yaml") == "configmap/c unchanged\n"


def test_apply_warns_of_an_object_that_was_created(shell: Shell) -> None:
    said(shell, "kubectl create cm c --from-literal=a=1 --dry-run=client -o yaml > /tmp/c.yaml")
    said(shell, "kubectl create -f /tmp/c.yaml")
    result = shell.run("kubectl apply -f /tmp/c.yaml")
    assert result.stderr.startswith(
        "Warning: resource configmaps/c is missing the kubectl.kubernetes.io/last-applied"
    )


def test_diff_ends_with_one(shell: Shell) -> None:
    said(shell, "kubectl expose deploy web --port=80 --dry-run=client -o yaml > /tmp/s.yaml")
    said(
        shell,
        "kubectl apply -f /tmp/s.yaml",
        "kubectl diff -f /tmp/s.yaml",
        "sed -i 's/port: 80/port: 81/' /tmp/s.yaml",
    )
    result = shell.run("kubectl diff -f /tmp/s.yaml")
    assert result.code == 1 and "-  - port: 80\n+  - port: 81\n" in result.stdout


def test_labels_and_annotations(shell: Shell) -> None:
    assert said(shell, "kubectl label deploy web tier=front") == "deployment.apps/web labeled\n"
    assert shell.run("kubectl label deploy web tier=back").stderr == (
        "error: 'tier' already has a value (front), and --overwrite is false\n"
    )
    assert said(shell, "kubectl label deploy web tier-") == "deployment.apps/web unlabeled\n"
    assert said(shell, "kubectl annotate deploy web a=b") == "deployment.apps/web annotated\n"


def test_a_rollout_and_its_way_back(lab: World, shell: Shell) -> None:
    said(shell, "kubectl set image deploy/web nginx=nginx:1.28")
    assert said(shell, "kubectl rollout status deploy/web").endswith(
        'deployment "web" successfully rolled out\n'
    )
    assert said(shell, "kubectl rollout history deploy/web").split("\n")[2:4] == [
        "1         <none>",
        "2         <none>",
    ]
    assert said(shell, "kubectl rollout undo deploy/web") == "deployment.apps/web rolled back\n"
    template = spec(lab, "Deployment", "web")["template"]
    assert isinstance(template, dict) and template["spec"]["containers"][0]["image"] == "nginx:1.27"
    said(shell, "kubectl rollout pause deploy/web")
    assert "already paused" in shell.run("kubectl rollout pause deploy/web").stderr


def test_env_and_resources(lab: World, shell: Shell) -> None:
    said(shell, "kubectl set env deploy/web A=b C=d", "kubectl set env deploy/web C-")
    assert said(shell, "kubectl set env deploy/web --list") == "# Deployment web, container nginx\nA=b\n"
    said(shell, "kubectl set resources deploy/web --limits=cpu=200m,memory=64Mi")
    template = spec(lab, "Deployment", "web")["template"]
    assert isinstance(template, dict)
    assert template["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "200m", "memory": "64Mi"}}


def test_scale(lab: World, shell: Shell) -> None:
    assert (
        said(shell, "kubectl scale deploy web --replicas=3 --timeout=60s") == "deployment.apps/web scaled\n"
    )
    assert said(shell, "kubectl get deploy web").split("\n")[1].split()[1] == "3/3"


def test_a_rollout_of_every_deployment(shell: Shell) -> None:
    said(shell, "kubectl create deployment api --image=nginx")
    assert said(shell, "kubectl rollout restart deployment") == (
        "deployment.apps/api restarted\ndeployment.apps/web restarted\n"
    )
    assert said(shell, "kubectl rollout status deployment").endswith(
        'deployment "web" successfully rolled out\n'
    )


def test_what_the_lab_does_not_serve_is_refused_by_name_and_never_said_not_to_exist(shell: Shell) -> None:
    for word in ("crd", "csr", "cs", "customresourcedefinitions.apiextensions.k8s.io"):
        result = shell.run(f"kubectl get {word}")
        assert result.code == 2 and f"the resource {word} is not modelled" in result.stderr
    assert "doesn't have a resource type" in shell.run("kubectl get crds2").stderr


def test_a_grace_of_zero_needs_force(shell: Shell) -> None:
    said(shell, "kubectl run a --image=nginx", "kubectl run b --image=nginx")
    assert said(shell, "kubectl delete pod a --grace-period=0") == 'pod "a" deleted from default namespace\n'
    forced = shell.run("kubectl delete pod b --grace-period=0 --force")
    assert forced.stdout == 'pod "b" force deleted from default namespace\n'
    assert forced.stderr.startswith("Warning: Immediate deletion does not wait")


# ---- nodes


def test_a_selector_that_cannot_be_read_is_refused_wherever_it_stands(shell: Shell) -> None:
    why = "unable to parse requirement: found 'x' expected: '('"
    server = 'Error from server (BadRequest): Unable to find "/v1, Resource={}" that match label selector "a in x", '
    tail = f'field selector "": {why}\n'
    for line, kind in (("logs -l 'a in x'", "pods"), ("cordon -l 'a in x'", "nodes")):
        assert shell.run(f"kubectl {line}").stderr == server.format(kind) + tail
    got = shell.run("kubectl create pdb p --selector='a in x' --min-available=1 --dry-run=client")
    assert got.stderr == f'error: couldn\'t parse the selector string "a in x": {why}\n'


def test_a_taint_that_is_overwritten(shell: Shell) -> None:
    assert said(shell, "kubectl taint node w1 a=b:NoSchedule") == "node/w1 tainted\n"
    assert shell.run("kubectl taint node w1 a=c:NoSchedule").stderr == (
        "error: node w1 already has a taint(s) with same effect(s) and --overwrite is false\n"
    )
    assert said(shell, "kubectl taint node w1 a=c:NoSchedule --overwrite") == "node/w1 modified\n"
    assert said(shell, "kubectl taint node w1 a:NoSchedule-") == "node/w1 untainted\n"


def test_drain_stops_at_a_bare_pod_and_goes_on_with_force(shell: Shell) -> None:
    said(shell, """kubectl run bare --image=nginx --overrides='{"spec":{"nodeName":"w1"}}'""")
    result = shell.run("kubectl drain w1")
    text = "cannot delete Pods that declare no controller (use --force to override): default/bare"
    assert result.code == 1 and f'error: unable to drain node "w1" due to error: {text}' in result.stderr
    done = said(shell, "kubectl drain w1 --force")
    assert "evicting pod default/bare\n" in done and "node/w1 drained\n" in done
    assert "w1" not in said(shell, "kubectl get pods -o wide")
    assert said(shell, "kubectl uncordon w1") == "node/w1 uncordoned\n"


def test_drain_waits_for_a_disruption_budget(shell: Shell) -> None:
    said(shell, "kubectl create pdb b --selector=app=web --min-available=2")
    result = shell.run("kubectl drain w1 --timeout=12s")
    assert result.code == 1
    assert "Cannot evict pod as it would violate the pod's disruption budget." in result.stderr


def test_a_pod_of_one_terminal_goes_when_the_terminal_ends(shell: Shell) -> None:
    said(shell, "kubectl run t --rm -it --restart=Never --image=busybox -- sh")
    assert shell.place == "pod/default/t"
    assert said(shell, "exit") == 'pod "t" deleted from default namespace\n'
    assert shell.place == "node/cp"
    assert shell.run("kubectl get pod t").stderr == 'Error from server (NotFound): pods "t" not found\n'


# ---- edit


def test_edit_with_a_tool_of_the_lab(lab: World, shell: Shell) -> None:
    said(shell, "kubectl expose deploy web --port=80")
    line = """KUBE_EDITOR="sed -i 's/targetPort: 80/targetPort: 8080/'" kubectl edit svc web"""
    assert said(shell, line) == "service/web edited\n"
    ports = spec(lab, "Service", "web")["ports"]
    assert isinstance(ports, list) and ports[0]["targetPort"] == 8080
    assert said(shell, "KUBE_EDITOR=true kubectl edit svc web") == "Edit cancelled, no changes made.\n"


def test_edit_asks_for_an_editor_and_takes_the_text_as_input(lab: World, shell: Shell) -> None:
    said(shell, "kubectl expose deploy web --port=80")
    asked = shell.run("kubectl edit svc web")
    assert asked.code == 2 and asked.edit is not None
    assert asked.edit.text.startswith("# Please edit the object below.")
    text = asked.edit.text.replace("port: 80\n", "port: 81\n")
    saved = shell.run(f"{asked.edit.command} <<'EOF'\n{text}EOF")
    assert saved.stdout == "service/web edited\n"
    ports = spec(lab, "Service", "web")["ports"]
    assert isinstance(ports, list) and ports[0]["port"] == 81


def test_a_refused_text_is_opened_again_with_the_reason(shell: Shell) -> None:
    said(shell, "kubectl expose deploy web --port=80")
    asked = shell.run("kubectl edit svc web").edit
    assert asked is not None
    text = asked.text.replace("- port: 80\n", "- port: 99999\n")
    again = shell.run(f"{asked.command} <<'EOF'\n{text}EOF")
    assert again.code == 1 and again.edit is not None
    assert again.edit.why == 'error: services "web" is invalid\n'
    assert '# services "web" was not valid:\n# * spec.ports[0].port: Invalid value: 99999' in again.edit.text


# ---- asking


def test_watch_prints_what_changes_and_ends_by_itself(shell: Shell) -> None:
    result = shell.run("kubectl get pods -w")
    assert result.stdout.count("Running") >= 2 and "watch was ended" in result.stderr


def test_reading_endpoints_is_warned_of(shell: Shell) -> None:
    result = shell.run("kubectl get ep kubernetes")
    assert (
        result.stderr
        == "Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\n"
    )


def test_who_may_do_what(shell: Shell) -> None:
    said(shell, "kubectl create sa bob")
    ask = "kubectl auth can-i list pods --as=system:serviceaccount:default:bob"
    assert (shell.run(ask).stdout, shell.run(ask).code) == ("no\n", 1)
    said(shell, "kubectl create role r --verb=get,list --resource=pods")
    said(shell, "kubectl create rolebinding rb --role=r --serviceaccount=default:bob")
    assert said(shell, ask) == "yes\n"
    assert shell.run("kubectl get pods --as=bob").code == 2


def test_contexts(shell: Shell) -> None:
    said(shell, "kubectl config set-context --current --namespace=kube-system")
    assert "kube-apiserver-cp" in said(shell, "kubectl get pods")
    assert "web-" in said(shell, "kubectl -n default get pods")
    gone = shell.run("kubectl --context nope get pods")
    assert gone.stderr == "Error in configuration: context was not found for specified context: nope\n"


def test_cp_both_ways(shell: Shell) -> None:
    said(shell, "kubectl run box --image=busybox -- sleep 10000", "echo hello > /tmp/x")
    said(shell, "kubectl cp /tmp/x box:/tmp/y", "kubectl cp box:/tmp/y /tmp/z")
    assert said(shell, "cat /tmp/z") == "hello\n"


def test_a_short_name_and_its_completion(shell: Shell) -> None:
    said(shell, "source <(kubectl completion bash)", "alias kg='kubectl get'")
    assert said(shell, "kg deploy -o name") == "deployment.apps/web\n"
    assert "--namespace=" in shell.complete("kubectl get --name")
    assert shell.complete("kubectl desc") == ["describe"]
    assert shell.complete("kubectl create deployment --im") == ["--image="]
    assert "services" in shell.complete("kubectl get serv")
    assert shell.complete("kubectl get deploy w") == ["web"]
    assert shell.complete("kubectl rollout st") == ["status"]


def test_help_lists_the_flags_that_are_parsed(shell: Shell) -> None:
    text = said(shell, "kubectl expose --help")
    assert "--target-port" in text and "Usage:\n  kubectl expose (-f FILENAME | TYPE NAME)" in text
    assert shell.run("kubectl expose --nope").stderr == (
        "error: unknown flag: --nope\nSee 'kubectl expose --help' for usage.\n"
    )


def test_record_keeps_the_command_as_the_cause_of_a_revision(shell: Shell) -> None:
    got = shell.run("kubectl set image deployment/web nginx=nginx:1.28 --record")
    assert got.stderr == "Flag --record has been deprecated, --record will be removed in the future\n"
    assert said(shell, "kubectl rollout history deployment web").endswith(
        "2         kubectl set image deployment/web nginx=nginx:1.28 --record=true\n\n"
    )


def test_custom_columns_without_their_headers(shell: Shell) -> None:
    assert said(shell, "kubectl get deployment -o custom-columns=N:.metadata.name --no-headers") == "web\n"


def test_describe_of_a_workload_shows_the_templates_volumes_class_and_tolerations() -> None:
    cluster = Lab.load({"nodes": [{"name": "cp", "role": "control-plane"}], "addons": ["coredns"]})
    text = cluster.run("node/cp", "kubectl -n kube-system describe ds kube-proxy").stdout
    assert "  Service Account:  kube-proxy\n  Containers:\n   kube-proxy:\n" in text
    assert (
        "   lib-modules:\n"
        "    Type:               HostPath (bare host directory volume)\n"
        "    Path:               /lib/modules\n"
        "    HostPathType:       \n"
        "  Priority Class Name:  system-node-critical\n"
        "  Node-Selectors:       kubernetes.io/os=linux\n"
        "  Tolerations:          op=Exists\n"
    ) in text
    text = cluster.run("node/cp", "kubectl -n kube-system describe deploy coredns").stdout
    assert (
        "  Tolerations:          CriticalAddonsOnly op=Exists\n"
        "                        node-role.kubernetes.io/control-plane:NoSchedule\n"
    ) in text
