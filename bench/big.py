"""A lab as large as Kubernetes says a cluster may be: 5,000 nodes, 150,000 Pods, 10,000 Services.

Run in a process of its own (`python -m bench.big --json`), so that its peak memory is its own. What is measured: the
lab is opened; a pod sends to a ClusterIP, again and again; one endpoint changes and the next packet goes; the same
packet with 100, 1,000 and 10,000 Services, in the iptables and the nftables mode. Beside it stands what the kernel
pays: the rules that the packet visits, which the model computes and does not pay.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import time
from statistics import median
from typing import Any

from bench.table import Line
from engine.kube.proxy.cost import cost
from engine.lab.lab import Lab
from engine.linux.addr import Prefix
from engine.unswept import calm

#: Kubernetes' own stated limits (kubernetes.io, Considerations for large clusters), and its Services.
NODES, PODS_EACH, SERVICES = 5000, 15, 10_000
#: forms of Pods in the lab: image, what it asks for
FORMS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("nginx:1.29", {}),
    ("httpd:2.4", {"requests": {"cpu": "20m", "memory": "32Mi"}}),
    ("redis:7", {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}}),
    ("nginx", {}),
)
NAMESPACES = 50


def lab_of(nodes: int, services: int, mode: str = "iptables", pods: int = PODS_EACH) -> dict[str, Any]:
    """The lab as a mapping: one control plane, `services` Deployments of `pods` Pods each behind a Service, and one
    client Pod. The same numbers give the same lab."""
    manifests: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"team-{n}"}}
        for n in range(NAMESPACES)
    ]
    for n in range(services):
        name, labels = f"app-{n}", {"app": f"app-{n}", "tier": "web" if n % 3 else "db"}
        image, resources = FORMS[n % len(FORMS)]
        container = {
            "name": "main",
            "image": image,
            "ports": [{"containerPort": 8080}],
            "resources": resources,
        }
        m = {"name": name, "namespace": f"team-{n % NAMESPACES}"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": pods, "selector": {"matchLabels": {"app": name}}, "template": template}
        manifests.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": m, "spec": spec})
        ports = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
        manifests.append({"apiVersion": "v1", "kind": "Service", "metadata": m, "spec": ports})
    client = {"containers": [{"name": "c", "image": "busybox", "command": ["sleep", "infinity"]}]}
    manifests.append({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client"}, "spec": client})
    return {
        "kubernetes": "1.35",
        "nodes": [{"name": "cp", "role": "control-plane"}, *({"name": f"n{n}"} for n in range(nodes))],
        "cni": {"name": "bridge", "podCIDR": str(Prefix(10 << 24, 9) if nodes > 200 else Prefix(10 << 24, 16))},
        "proxy": {"mode": mode}, "serviceCIDR": "10.192.0.0/12", "manifests": manifests,
    }  # fmt: skip


def milliseconds(action: Any, times: int) -> list[float]:
    """What each of several calls takes, after one that does not count."""
    action()
    gc.collect()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        found.append(1000 * (time.perf_counter() - start))
    return sorted(found)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def opened(lab: dict[str, Any]) -> tuple[Lab, float, float]:
    """A lab, and how many seconds it took to open, by the clock and of CPU."""
    start, begin = time.perf_counter(), time.process_time()
    made = Lab.load(lab)
    took, cpu = time.perf_counter() - start, time.process_time() - begin
    return made, took, cpu


def measure(nodes: int, services: int, mode: str, times: int, pods: int = PODS_EACH) -> dict[str, Any]:
    """Open one lab and measure it, with the collector as the course sets it."""
    calm()
    lab, took, cpu = opened(lab_of(nodes, services, mode, pods))
    cluster = lab.world.cluster
    assert cluster is not None
    target = f"svc/team-{(services - 1) % NAMESPACES}/app-{services - 1}:80"
    first = time.perf_counter()
    journey = lab.trace("pod/client", target, on_copy=False)
    first = time.perf_counter() - first
    assert journey.outcome.value == "delivered", journey.outcome
    traced = milliseconds(lambda: lab.send("pod/client", target), times)
    slices = [s for s in cluster.store.list("EndpointSlice", f"team-{(services - 1) % NAMESPACES}")
              if s["metadata"]["labels"]["kubernetes.io/service-name"] == f"app-{services - 1}"]  # fmt: skip
    changes = []
    for endpoint in slices[0]["endpoints"][:13]:
        pod = endpoint["targetRef"]
        start = time.perf_counter()
        unready(lab, pod["namespace"], pod["name"])
        lab.send("pod/client", target)
        changes.append(1000 * (time.perf_counter() - start))
    assert lab.world.net.asleep is None or nodes - len(lab.world.net.asleep.machines) < 10
    paid = cost(journey.legs[-1].forward)
    return {
        "mode": mode, "nodes": nodes, "services": services, "pods": len(cluster.store.objects["Pod"]),
        "load_s": took, "cpu_s": cpu, "peak_mib": peak_mib(), "first_ms": 1000 * first, "trace_ms": median(traced),
        "trace_spread": (traced[0], traced[-1]), "change_ms": median(changes), "change_spread": sorted(changes),
        "rules": paid.rules, "lookups": paid.lookups,
    }  # fmt: skip


def unready(lab: Lab, namespace: str, name: str) -> None:
    """One Pod is ready no more: the controllers and kube-proxy follow."""
    world = lab.world
    assert world.cluster is not None
    body = world.cluster.store.get("Pod", namespace, name)
    assert body is not None
    rows = [c if c["type"] != "Ready" else {**c, "status": "False"} for c in body["status"]["conditions"]]
    status = {**body["status"], "conditions": rows}
    world.cluster.store.update({**body, "metadata": dict(body["metadata"]), "status": status})
    world.settle()


#: numbers of Services between which a trace may grow by a factor of GROWTH, on GROUND nodes, PODS_FEW Pods each
STEPS, GROWTH, GROUND, PODS_FEW = (100, 1_000, 10_000), 2.0, 500, 3


def alone(*words: str) -> dict[str, Any]:
    """One measurement in a process of its own. Raises CalledProcessError."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.big", "--json", *words], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def lines() -> list[Line]:
    """All rows of the table."""
    head = f"{NODES:,} nodes, {NODES * 30:,} Pods, {SERVICES:,} Services"
    names = ((f"{head}: opened", "s", 60.0, "load_s"), (f"{head}: peak memory", "MiB", 4096.0, "peak_mib"),
             (f"{head}: trace to a ClusterIP, warm", "ms", 20.0, "trace_ms"),
             (f"{head}: an endpoint's change and the next trace", "ms", 50.0, "change_ms"))  # fmt: skip
    out: list[Line] = []
    try:
        found = alone()
        for name, unit, gate, key in names:
            note = f"{found['cpu_s']:.1f} s of CPU" if key == "load_s" else ""
            if spread := found.get(key.replace("_ms", "_spread")):
                note = f"{spread[0]:.1f} to {spread[-1]:.1f} ms"
            out.append(Line(name=name, value=found[key], unit=unit, gate=gate, note=note))
    except subprocess.CalledProcessError as error:
        out += [Line(name=n, value=None, unit=u, gate=g, note=error.stderr[-200:]) for n, u, g, _ in names]
    for mode in ("iptables", "nftables"):
        name = f"{mode}: trace with {STEPS[-1]:,} Services / {STEPS[0]}"
        try:
            rows = [
                alone("--mode", mode, "--nodes", str(GROUND), "--services", str(n), "--pods", str(PODS_FEW))
                for n in STEPS
            ]
        except subprocess.CalledProcessError as error:
            out.append(Line(name=name, value=None, unit="x", gate=GROWTH, note=error.stderr[-200:]))
            continue
        note = "; ".join(
            f"{n:,}: {r['trace_ms']:.1f} ms, the kernel tries {r['rules']:,} rules and {r['lookups']} maps"
            for n, r in zip(STEPS, rows, strict=True)
        )
        value = rows[-1]["trace_ms"] / rows[0]["trace_ms"]
        out.append(Line(name=name, value=value, unit="x", gate=GROWTH, note=note))
    return out


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.big", description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--services", type=int, default=SERVICES)
    parser.add_argument("--mode", default="iptables")
    parser.add_argument("--pods", type=int, default=PODS_EACH, help="of each Service")
    parser.add_argument("--times", type=int, default=21)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    found = measure(args.nodes, args.services, args.mode, args.times, args.pods)
    print(json.dumps(found) if args.json else "\n".join(f"{k}: {v}" for k, v in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
