"""The sample world of facts 20 (the top of that sheet): shop/web with three endpoints, shop/api with none."""

from __future__ import annotations

from typing import Any

from engine.lab.lab import Lab

Json = dict[str, Any]
ENDPOINTS = (("10.244.1.5", "node1"), ("10.244.1.6", "node1"), ("10.244.2.7", "node2"))


def service(name: str, ip: str, **spec: Any) -> Json:
    body = {"clusterIP": ip, "ports": [{"name": "http", "port": 80, "targetPort": 8080}], **spec}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": body,
    }


def slice_of(
    name: str, endpoints: Any = ENDPOINTS, number: int = 8080, proto: str = "TCP", port: str = "http"
) -> Json:
    """One slice of a Service; an endpoint is (address, node) or (address, node, more fields)."""
    rows = [
        {"addresses": [ip], "nodeName": node, "conditions": {"ready": True}, **(more[0] if more else {})}
        for ip, node, *more in endpoints
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-1",
            "namespace": "shop",
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "ports": [{"name": port, "port": number, "protocol": proto}],
        "endpoints": rows,
    }


def web(**spec: Any) -> Json:
    port = {"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30080}
    return service("web", "10.96.71.20", **{"type": "NodePort", "ports": [port], **spec})


def api() -> Json:
    return service("api", "10.96.80.9", ports=[{"name": "http", "port": 8080}])


def lab(*objects: Json, kubernetes: str = "1.35", **proxy: Any) -> Lab:
    """cp1, node1 and node2 at 192.168.50.10, .11 and .12, with kube-proxy as `proxy` says."""
    return Lab.load(
        {
            "kubernetes": kubernetes,
            "nodes": [
                {"name": "cp1", "role": "control-plane", "addresses": ["192.168.50.10"]},
                {"name": "node1", "addresses": ["192.168.50.11"], "podCIDR": "10.244.1.0/24"},
                {"name": "node2", "addresses": ["192.168.50.12"], "podCIDR": "10.244.2.0/24"},
            ],
            "hosts": [{"name": "laptop", "addresses": ["192.168.50.1"]}],
            "cni": {"name": "bridge", "podCIDR": "10.244.0.0/16"},
            "proxy": {"mode": "iptables", **proxy},
            "manifests": list(objects),
        }
    )


def rows(lab: Lab, table: str, chain: str, node: str = "node1") -> list[str]:
    """A chain's rules as iptables -S prints them, without `-A CHAIN `."""
    found = lab.run(f"node/{node}", f"iptables -t {table} -S {chain}")
    assert not found.code, found.stderr
    head = f"-A {chain} "
    return [line.removeprefix(head) for line in found.stdout.splitlines() if line.startswith(head)]


def out(lab: Lab, line: str, place: str = "node/cp1") -> str:
    done = lab.run(place, line)
    assert not done.code, f"{line}: {done.stderr}{done.stdout}"
    return done.stdout


def put(lab: Lab, *bodies: Json) -> None:
    """Create or replace objects through the API server, and let the cluster settle."""
    from engine.kube.manifests import Manifest

    assert lab.world.cluster is not None
    lab.world.cluster.load([Manifest(file="test", line=1, body=body) for body in bodies], lab.world.net.clock)
    lab.world.settle()


def log_of(lab: Lab, node: str) -> str:
    """What kube-proxy's container on a node has written."""
    assert lab.world.cluster is not None
    runtime = lab.world.cluster.nodes[node].runtime
    rows = [c for c in runtime.containers.values() if c.name == "kube-proxy"]
    return "\n".join(line for c in sorted(rows, key=lambda c: c.attempt) for line in c.log)
