"""Random Services on a cluster of ours, for the comparison with the kernel: one number gives one set of objects.

The cluster is always the same (three nodes, four Pods and one on the host's network, a laptop on their LAN that has
routes by the nodes to every address of a Service); what is random are the Services and their slices, which are written
by hand, so that every readiness, termination and hint is met. The rules come from our kube-proxy, through the API.

Rules. Names carry the seed: a list of `recent` outlives its rules in the kernel. Plain objects: a difference can
be kept as YAML.
"""

from __future__ import annotations

import random
from typing import Any

from engine.lab.lab import Lab
from engine.linux.addr import text4
from engine.linux.xt.tables import Xtables
from engine.real.compare import Flow

Json = dict[str, Any]
NODES = ("cp", "w1", "w2")
#: where Pods and a pod of the host's network listen
TCP, UDP = 8080, 5353
PODS = {"a": "w1", "b": "w1", "c": "w2", "d": "w2"}
EXTERNAL, BALANCER, CLUSTER = "198.51.100", "198.18.0", "10.96"
#: addresses that no Pod has: (address, the node that a slice names)
GHOSTS = (("10.244.9.9", ""), ("192.168.10.20", ""), ("10.244.1.200", "w1"), ("203.0.113.7", "w2"))


def pod(name: str, node: str, *, host: bool = False) -> Json:
    port = 9090 if host else TCP
    ports = [{"containerPort": port}] + ([] if host else [{"containerPort": UDP, "protocol": "UDP"}])
    spec: Json = {
        "nodeName": node,
        "containers": [{"name": "s", "image": "registry.k8s.io/pause:3.10", "ports": ports}],
    }
    if host:
        spec["hostNetwork"] = True
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": spec,
    }


#: the Pods' network: a bridge with and without hairpin ports, or Calico's routes and policies
HAIRPIN: Json = {"name": "bridge", "hairpinMode": True}
PLAIN: Json = {"name": "bridge", "hairpinMode": False}
CALICO: Json = {"name": "calico", "mode": "none"}


def cluster(proxy: Json, objects: list[Json], cni: Json) -> Json:
    """The lab's description."""
    zones = {"w1": "a", "w2": "b"}
    nodes = [{"name": "cp", "role": "control-plane"}] + [
        {"name": n, "labels": {"topology.kubernetes.io/zone": z}} for n, z in zones.items()
    ]
    pods = [pod(name, node) for name, node in PODS.items()]
    return {
        "nodes": nodes, "hosts": [{"name": "laptop", "addresses": ["192.168.10.20/24"], "listen": [TCP]}],
        "cni": cni, "proxy": proxy, "manifests": [*pods, *objects],
    }  # fmt: skip


def opened(proxy: Json, objects: list[Json], cni: Json) -> Lab:
    """The cluster with its laptop's routes."""
    lab = Lab.load(cluster(proxy, objects, cni))
    for net, node in ((f"{EXTERNAL}.0/24", "w1"), (f"{BALANCER}.0/24", "w2"), ("10.96.0.0/12", "w1")):
        gateway = text4(lab.endpoint(f"node/{node}").address)
        done = lab.run("host/laptop", f"ip route add {net} via {gateway}")
        assert not done.code, done.stderr
    if proxy["mode"] == "nftables":
        # the kernel tells of iptables' rules and of nft's in two streams, which nothing puts in order between them
        for ns in lab.world.net.spaces.values():
            ns.xt = Xtables()
    return lab


class Maker:
    """One set of Services, and flows to them."""

    def __init__(self, seed: int, addresses: dict[str, str], nodes: dict[str, str]) -> None:
        """`addresses` of the Pods, `nodes` of the nodes."""
        self.rng = random.Random(seed)
        self.seed, self.pods, self.nodes = seed, addresses, nodes
        self.targets: list[tuple[str, str, int]] = []
        self.hosts = (*nodes.values(),)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def objects(self) -> list[Json]:
        return [row for number in range(self.rng.randint(2, 5)) for row in self.service(number)]

    def policies(self) -> list[Json]:
        """NetworkPolicies for the same Pods: Calico's rules meet a packet when its endpoint has been chosen."""
        out = []
        for number in range(self.rng.randint(0, 3)):
            spec: Json = {"podSelector": self.some_pods(), "policyTypes": []}
            for kind, key in (("Ingress", "from"), ("Egress", "to")):
                if self.chance(0.6):
                    spec["policyTypes"].append(kind)
                    spec[kind.lower()] = [self.allowed(key) for _ in range(self.rng.randint(0, 2))]
            if spec["policyTypes"]:
                meta = {"name": f"p{self.seed}-{number}"}
                api = "networking.k8s.io/v1"
                out.append({"apiVersion": api, "kind": "NetworkPolicy", "metadata": meta, "spec": spec})
        return out

    def some_pods(self) -> Json:
        return self.rng.choice(({}, {"matchLabels": {"app": self.rng.choice(list(PODS))}}))

    def allowed(self, key: str) -> Json:
        rule: Json = {}
        peers: tuple[Json, ...] = (
            {"podSelector": self.some_pods()}, {"namespaceSelector": {}}, {"ipBlock": {"cidr": "0.0.0.0/0"}},
            {"ipBlock": {"cidr": "192.168.10.0/24", "except": ["192.168.10.20/32"]}},
        )  # fmt: skip
        if self.chance(0.8):
            rule[key] = self.rng.sample(peers, self.rng.randint(1, 2))
        if self.chance(0.5):
            rule["ports"] = [{"port": self.rng.choice((TCP, 80)), "protocol": "TCP"}]
            rule["ports"] += [{"port": UDP, "protocol": "UDP"}] if self.chance(0.5) else []
        return rule

    def service(self, number: int) -> list[Json]:
        rng, name = self.rng, f"s{self.seed}-{number}"
        kind = rng.choice(("ClusterIP", "ClusterIP", "NodePort", "NodePort", "LoadBalancer"))
        count = rng.choice((1, 1, 2))
        ports: list[Json] = []
        for at in range(count):
            proto = rng.choice(("TCP", "TCP", "UDP"))
            row: Json = {"port": 80 + 10 * at + rng.randint(0, 3), "protocol": proto}
            row["targetPort"] = TCP if proto == "TCP" else UDP
            if count > 1 or self.chance(0.3):
                row["name"] = f"p{at}"
            if kind != "ClusterIP":
                row["nodePort"] = 30100 + 10 * number + at
            ports.append(row)
        vip = f"{CLUSTER}.{100 + number}.{rng.randint(2, 250)}"
        spec: Json = {"type": kind, "clusterIP": vip, "ports": ports}
        if kind != "ClusterIP" and self.chance(0.4):
            spec["externalTrafficPolicy"] = "Local"
        if self.chance(0.25):
            spec["internalTrafficPolicy"] = "Local"
        if self.chance(0.3):
            spec["sessionAffinity"] = "ClientIP"
        external = f"{EXTERNAL}.{10 + number}"
        if self.chance(0.35):
            spec["externalIPs"] = [external]
        body: Json = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
        balancer = f"{BALANCER}.{10 + number}"
        if kind == "LoadBalancer":
            if spec.get("externalTrafficPolicy") == "Local":
                spec["healthCheckNodePort"] = 30200 + number
            if self.chance(0.5):
                ranges = ["192.168.10.0/24", "192.168.10.20/32", "10.244.1.0/24", "203.0.113.0/24"]
                spec["loadBalancerSourceRanges"] = rng.sample(ranges, rng.randint(1, 2))
            entry = {"ip": balancer} | ({"ipMode": rng.choice(("VIP", "Proxy"))} if self.chance(0.4) else {})
            body["status"] = {"loadBalancer": {"ingress": [entry]}}
        for row in ports:
            proto = row["protocol"].lower()
            self.targets += [(proto, vip, row["port"])] * 4
            self.targets.append((proto, vip, row["port"] + 1))
            if "externalIPs" in spec:
                self.targets += [(proto, external, row["port"])] * 3
            if kind == "LoadBalancer":
                self.targets += [(proto, balancer, row["port"])] * 4
            if "nodePort" in row:
                self.targets += [(proto, host, row["nodePort"]) for host in self.hosts]
                self.targets.append((proto, "127.0.0.1", row["nodePort"]))
        return [body, *self.slices(name, ports)]

    def slices(self, name: str, ports: list[Json]) -> list[Json]:
        """None, one or two slices; an endpoint may stand in both."""
        out = []
        for at in range(self.rng.choice((0, 1, 1, 1, 2))):
            rows = [
                {"name": p.get("name", ""), "port": p["targetPort"], "protocol": p["protocol"]} for p in ports
            ]
            out.append(
                {
                    "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                    "metadata": {"name": f"{name}-{at}", "labels": {"kubernetes.io/service-name": name}},
                    "ports": rows, "endpoints": self.endpoints(),
                }
            )  # fmt: skip
        return out

    def endpoints(self) -> list[Json]:
        rng = self.rng
        pods = [(self.pods[name], node) for name, node in PODS.items()]
        hosts = [(self.nodes[n], n) for n in ("w1", "w2")]
        chosen = rng.sample([*pods, *pods[:2], *hosts[:1], *GHOSTS[:2]], rng.randint(1, 4))
        hinted = self.chance(0.2)
        dying = self.chance(0.2)
        out = []
        for ip, node in dict(chosen).items():
            row: Json = {"addresses": [ip]}
            if node:
                row["nodeName"] = node
            if dying:
                row["conditions"] = {
                    "ready": False,
                    "serving": self.chance(0.7),
                    "terminating": self.chance(0.8),
                }
            elif self.chance(0.2):
                row["conditions"] = {"ready": False, "serving": False, "terminating": False}
            if hinted:
                row["hints"] = {"forZones": [{"name": rng.choice("ab")}]}
                if self.chance(0.5):
                    row["hints"]["forNodes"] = [{"name": rng.choice(("w1", "w2"))}]
            out.append(row)
        return out

    def flow(self, senders: dict[str, str], number: int) -> Flow:
        """`senders`: name -> namespace."""
        rng = self.rng
        proto, dst, port = rng.choice(self.targets)
        names = [n for n in senders if n in self.nodes] if dst == "127.0.0.1" else list(senders)
        if self.chance(0.06):
            proto, port = "icmp", 0
        if self.chance(0.03):
            dst = f"{CLUSTER}.77.77"
        netns = senders[rng.choice(names)]
        return Flow(netns=netns, proto=proto, dst=dst, dport=port, sport=20001 + number)
