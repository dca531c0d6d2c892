"""How a pod ends: grace, SIGTERM, hooks, and what is seen of it meanwhile."""

from __future__ import annotations

from engine.kube.controllers.members import SERVICE_NAME
from engine.kube.objects import Json
from engine.lab.lab import Lab as WholeLab
from tests.kube.labs import Lab, web

SLEEPER = web().replace('image: "nginx:1.27"', "image: busybox, command: [sleep, infinity]")
SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: web}, ports: [{port: 80}]}"
)


def delete(lab: Lab, name: str = "web") -> None:
    lab.cluster.delete(lab.pod(name), lab.net.clock)
    lab.settle()


def there(lab: Lab) -> bool:
    return lab.cluster.store.get("Pod", "default", "web") is not None


def endpoint(lab: Lab) -> Json:
    (slice,) = [
        s for s in lab.cluster.store.list("EndpointSlice") if s["metadata"]["labels"].get(SERVICE_NAME) == "s"
    ]
    (row,) = slice["endpoints"]
    return dict(row["conditions"])


def test_a_server_that_knows_sigterm_is_gone_at_once() -> None:
    lab = Lab(web())
    delete(lab)
    assert not there(lab)


def test_a_program_without_a_handler_is_killed_when_its_time_is_over() -> None:
    lab = Lab(SLEEPER, SERVICE)
    delete(lab)
    assert lab.pod("web")["metadata"]["deletionGracePeriodSeconds"] == 30
    assert endpoint(lab) == {"ready": False, "serving": True, "terminating": True}
    lab.wait(29)
    assert there(lab)
    lab.wait(1)
    assert not there(lab)
    assert lab.events("web", "Killing") == [("Killing", "Stopping container web", 1)]


def test_a_hook_comes_before_sigterm_and_the_program_serves_on() -> None:
    hook = "lifecycle: {preStop: {sleep: {seconds: 5}}}, ports:"
    lab = Lab(web().replace("ports:", hook), SERVICE)
    delete(lab)
    lab.wait(4)
    assert there(lab) and lab.main("w1", "nginx") and endpoint(lab)["serving"]
    lab.wait(1)
    assert not there(lab)


def test_a_hook_longer_than_the_grace_period_leaves_two_seconds() -> None:
    hook = "lifecycle: {preStop: {sleep: {seconds: 50}}}, ports:"
    text = SLEEPER.replace("ports:", hook).replace(
        "  containers:", "  terminationGracePeriodSeconds: 3\n  containers:"
    )
    lab = Lab(text)
    delete(lab)
    lab.wait(4.5)
    assert there(lab)
    lab.wait(0.5)
    assert not there(lab)


def test_kubectl_delete_waits_unless_told_not_to() -> None:
    body = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "image": "busybox", "command": ["sleep", "infinity"]}]},
    }  # fmt: skip
    lab = WholeLab.load({"nodes": [{"name": "w1"}], "proxy": {"mode": "none"}, "manifests": [body]})
    other = lab.copy()
    assert lab.run("node/w1", "kubectl delete pod a").code == 0
    assert lab.run("node/w1", "kubectl get pod a").code == 1
    other.run("node/w1", "kubectl delete pod a --wait=false")
    assert "Terminating" in other.run("node/w1", "kubectl get pod a").stdout
    other.wait(30)
    assert other.run("node/w1", "kubectl get pod a").code == 1


def test_a_pod_knows_the_services_that_were_there_before_it() -> None:
    lab = Lab(SERVICE.replace("name: s", "name: my-web"))
    lab.cluster.store.change(
        "Service", "default", "my-web", lambda b: b["spec"].update(clusterIP="10.96.0.9")
    )
    lab.apply(web("a"), web("b").replace("spec:\n", "spec:\n  enableServiceLinks: false\n"))
    lab.apply(SERVICE.replace("name: s", "name: late"))
    known = {
        dict(p.config)["hostname"]: {k[4:]: v for k, v in p.config if k.startswith("env:MY_WEB")}
        for p in lab.procs("w1", lambda p: p.args[0].startswith("nginx") and "hostname" in dict(p.config))
    }
    assert known["b"] == {}
    assert known["a"] == {
        "MY_WEB_SERVICE_HOST": "10.96.0.9", "MY_WEB_SERVICE_PORT": "80", "MY_WEB_PORT": "tcp://10.96.0.9:80",
        "MY_WEB_PORT_80_TCP": "tcp://10.96.0.9:80", "MY_WEB_PORT_80_TCP_PROTO": "tcp",
        "MY_WEB_PORT_80_TCP_PORT": "80", "MY_WEB_PORT_80_TCP_ADDR": "10.96.0.9",
    }  # fmt: skip


def test_a_pod_that_is_deleted_by_force_is_gone_from_its_node_too() -> None:
    lab = Lab(SLEEPER)
    lab.cluster.delete(lab.pod("web"), lab.net.clock, grace=0)
    lab.settle()
    assert not there(lab) and not lab.procs("w1", lambda p: p.args[:1] == ("sleep",))
