"""Probes: what is asked when, what it makes of a container, what is said."""

from __future__ import annotations

from engine.kube.objects import Json
from engine.lab.lab import Lab as WholeLab
from tests.kube.labs import Lab, web

PORTS = "ports: [{containerPort: 80}]"


def probed(probe: str, *, more: str = "") -> str:
    return web().replace(PORTS, f"{PORTS}, {probe}").replace("spec:\n", f"spec:\n{more}")


def is_ready(lab: Lab, pod: str = "web") -> str:
    (row,) = [c for c in lab.pod(pod)["status"]["conditions"] if c["type"] == "Ready"]
    return str(row["status"])


def unhealthy(lab: Lab) -> list[tuple[str, int]]:
    return [(message, count) for _, message, count in lab.events("web", "Unhealthy")]


def test_a_good_readiness_probe_is_asked_at_once() -> None:
    lab = Lab(probed("readinessProbe: {httpGet: {path: /, port: 80}}"))
    assert is_ready(lab) == "True" and unhealthy(lab) == []


def test_a_wrong_path_says_its_code_and_counts() -> None:
    lab = Lab(probed("readinessProbe: {httpGet: {path: /no, port: 80}, periodSeconds: 5}"))
    text = "Readiness probe failed: HTTP probe failed with statuscode: 404"
    assert unhealthy(lab) == [(text, 1)] and is_ready(lab) == "False"
    lab.wait(60)
    assert unhealthy(lab) == [(text, 13)]
    assert lab.container("web")["restartCount"] == 0


def test_a_wrong_port_is_refused() -> None:
    lab = Lab(probed("readinessProbe: {httpGet: {path: /healthz, port: 8080}}"))
    ip = lab.ip("web")
    ((text, _),) = unhealthy(lab)
    assert text == (
        f'Readiness probe failed: Get "http://{ip}:8080/healthz": dial tcp {ip}:8080: connect: connection refused'
    )


def test_a_name_that_no_port_has_is_an_error() -> None:
    lab = Lab(probed("readinessProbe: {tcpSocket: {port: http}}"))
    ((text, _),) = unhealthy(lab)
    assert text == (
        'Readiness probe errored and resulted in unknown state: strconv.Atoi: parsing "http": invalid syntax'
    )


def test_initial_delay_and_success_threshold_take_their_time() -> None:
    probe = "readinessProbe: {tcpSocket: {port: 80}, initialDelaySeconds: 7, periodSeconds: 5, successThreshold: 2}"
    lab = Lab(probed(probe))
    for seconds, ready in ((9.0, "False"), (1.0, "False"), (5.0, "True")):
        lab.wait(seconds)
        assert is_ready(lab) == ready


def test_a_failing_liveness_probe_restarts_with_a_back_off() -> None:
    lab = Lab(probed("livenessProbe: {tcpSocket: {port: 81}, periodSeconds: 10}"))
    lab.wait(29)
    assert lab.container("web")["restartCount"] == 0
    lab.wait(1)
    assert lab.container("web")["restartCount"] == 1
    ((_, message, _),) = lab.events("web", "Killing")
    assert message == "Container web failed liveness probe, will be restarted"
    lab.wait(30)
    assert lab.waiting("web") == "CrashLoopBackOff"


def test_one_long_wait_is_as_many_short_ones() -> None:
    text = probed("livenessProbe: {tcpSocket: {port: 81}}, readinessProbe: {httpGet: {path: /no, port: 80}}")
    long, short = Lab(text), Lab(text)
    long.wait(120)
    for _ in range(24):
        short.wait(5)
    said = [sorted(lab.events("web")) for lab in (long, short)]
    assert said[0] == said[1] and long.pod("web")["status"] == short.pod("web")["status"]


def test_what_breaks_later_is_noticed_at_the_next_tick() -> None:
    probe = "readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 5, failureThreshold: 2}"
    lab = Lab(probed(probe).replace("containers:", "terminationGracePeriodSeconds: 1\n  containers:"))
    lab.wait(31)
    assert is_ready(lab) == "True" and unhealthy(lab) == []
    from engine.linux.ops import CloseSocket

    pod = next(s for s in lab.net.spaces.values() if "web" in s.label)
    (listener,) = [s for s in pod.sockets if s.port == 80]
    lab.changes.do(CloseSocket(netns=pod.id, socket=listener))
    lab.settle()
    lab.wait(4)
    assert is_ready(lab) == "True" and len(unhealthy(lab)) == 1
    lab.wait(5)
    assert is_ready(lab) == "False"


def test_startup_holds_the_others_back() -> None:
    probe = (
        "startupProbe: {tcpSocket: {port: 81}, periodSeconds: 2, failureThreshold: 3}, "
        "livenessProbe: {tcpSocket: {port: 82}, periodSeconds: 1}, readinessProbe: {tcpSocket: {port: 80}}"
    )
    lab = Lab(probed(probe))
    assert (lab.container("web")["started"], lab.container("web")["ready"]) == (False, False)
    lab.wait(6)
    ((_, message, _),) = lab.events("web", "Killing")
    assert message == "Container web failed startup probe, will be restarted"
    assert all(text.startswith("Startup") for text, _ in unhealthy(lab))


def test_readiness_begins_when_startup_is_over() -> None:
    probe = "startupProbe: {tcpSocket: {port: 80}, periodSeconds: 3}, readinessProbe: {tcpSocket: {port: 80}}"
    lab = Lab(probed(probe))
    assert is_ready(lab) == "False"
    lab.wait(3)
    assert is_ready(lab) == "True"


def test_a_readiness_gate_waits_for_its_condition() -> None:
    lab = Lab(probed("stdin: false", more="  readinessGates: [{conditionType: example.com/lb}]\n"))
    (row,) = [c for c in lab.pod("web")["status"]["conditions"] if c["type"] == "Ready"]
    assert (row["status"], row["reason"]) == ("False", "ReadinessGatesNotReady")
    assert row["message"] == (
        'corresponding condition of pod readiness gate "example.com/lb" does not exist.'
    )

    def put(body: Json) -> None:
        body["status"]["conditions"].append({"type": "example.com/lb", "status": "True"})

    lab.cluster.store.change("Pod", "default", "web", put)
    lab.settle()
    assert is_ready(lab) == "True"


EXEC = {
    "nodes": [{"name": "w1"}],
    "proxy": {"mode": "none"},
    "manifests": [{
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
        "spec": {"containers": [{
            "name": "c", "image": "busybox", "command": ["sleep", "infinity"],
            "readinessProbe": {"exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 5},
        }]},
    }],
}  # fmt: skip


def test_a_command_decides_and_what_it_wrote_is_said() -> None:
    lab = WholeLab.load(EXEC)
    described = lab.run("node/w1", "kubectl describe pod a").stdout
    assert "Readiness probe failed: cat: /tmp/ok: No such file or directory" in described
    lab.run("pod/a", "touch /tmp/ok")
    lab.wait(5)
    assert "1/1" in lab.run("node/w1", "kubectl get pod a").stdout


def test_a_command_that_is_not_there_is_an_error() -> None:
    body: Json = {**EXEC, "manifests": [{**EXEC["manifests"][0]}]}  # type: ignore[index]
    container = {**body["manifests"][0]["spec"]["containers"][0]}
    container["readinessProbe"] = {"exec": {"command": ["grpc_health_probe"]}}
    body["manifests"][0]["spec"] = {"containers": [container]}
    described = WholeLab.load(body).run("node/w1", "kubectl describe pod a").stdout
    assert "Readiness probe errored and resulted in unknown state: rpc error: code = Unknown" in described
    assert 'exec: "grpc_health_probe": executable file not found in $PATH: unknown' in described
