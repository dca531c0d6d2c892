"""The control plane's static pods as kubeadm writes them, and what its programs listen on.

Theory. kubelet reads /etc/kubernetes/manifests and runs what stands there without any API server; the API server
is one of these pods. While its container does not run, nothing of the cluster can be read or changed.
Sources: kubeadm app/phases/{controlplane,etcd}; facts 20 for the ports.
"""

from __future__ import annotations

from engine.kube.objects import Json
from engine.l7.behave import Behaviour
from engine.linux.addr import ip4, text4
from engine.record import dataclass

MANIFESTS = "/etc/kubernetes/manifests"
ETCD_TAGS = {"1.33": "3.5.21-0", "1.34": "3.6.4-0", "1.35": "3.6.6-0"}
COREDNS_TAGS = {"1.33": "v1.12.0", "1.34": "v1.12.1", "1.35": "v1.13.1"}
LOCALHOST = ip4("127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One program of the control plane. `ports` are (port, where): any, local, or node for the node's address."""

    name: str
    ports: tuple[tuple[int, str], ...]

    def behaviour(self, container: Json) -> Behaviour:
        args = (
            *(container.get("command") or (f"/usr/local/bin/{self.name}",)),
            *(container.get("args") or ()),
        )
        return Behaviour(args=tuple(str(a) for a in args), program=self.name)

    def sockets(self, node_ip: str) -> tuple[tuple[str, int, int], ...]:
        where = {"any": 0, "local": LOCALHOST, "node": ip4(node_ip) if node_ip else 0}
        return tuple(("tcp", port, where[at]) for port, at in self.ports)


COMPONENTS: dict[str, Component] = {
    c.name: c
    for c in (
        Component(name="kube-apiserver", ports=((6443, "any"),)),
        Component(name="kube-controller-manager", ports=((10257, "local"),)),
        Component(name="kube-scheduler", ports=((10259, "local"),)),
        Component(
            name="etcd",
            ports=((2379, "local"), (2379, "node"), (2380, "node"), (2381, "local")),
        ),
    )
}


def component(image: str) -> Component | None:
    """The control plane's program in an image, by the last part of its name."""
    return COMPONENTS.get(image.rsplit("/", 1)[-1].partition(":")[0])


def images(kubernetes: str) -> tuple[str, ...]:
    """What `kubeadm config images list` prints, without coredns, kube-proxy and pause."""
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    rows = [f"registry.k8s.io/{n}:v{kubernetes}.0" for n in names]
    return (*rows, f"registry.k8s.io/etcd:{ETCD_TAGS.get(kubernetes, '3.6.6-0')}")


def static_pods(node: str, address: int, kubernetes: str, pod_cidr: str, service_cidr: str) -> dict[str, str]:
    """File name -> YAML text of a kubeadm control plane's manifests."""
    ip = text4(address)
    api, manager, scheduler, etcd = images(kubernetes)
    pki = "/etc/kubernetes/pki"
    return {
        "etcd.yaml": _pod("etcd", etcd, [
            "etcd", f"--advertise-client-urls=https://{ip}:2379", f"--cert-file={pki}/etcd/server.crt",
            "--client-cert-auth=true", "--data-dir=/var/lib/etcd", f"--initial-advertise-peer-urls=https://{ip}:2380",
            f"--initial-cluster={node}=https://{ip}:2380", f"--key-file={pki}/etcd/server.key",
            f"--listen-client-urls=https://127.0.0.1:2379,https://{ip}:2379",
            "--listen-metrics-urls=http://127.0.0.1:2381", f"--listen-peer-urls=https://{ip}:2380", f"--name={node}",
            f"--trusted-ca-file={pki}/etcd/ca.crt",
        ]),
        "kube-apiserver.yaml": _pod("kube-apiserver", api, [
            "kube-apiserver", f"--advertise-address={ip}", "--allow-privileged=true", "--authorization-mode=Node,RBAC",
            f"--client-ca-file={pki}/ca.crt", "--enable-admission-plugins=NodeRestriction",
            "--enable-bootstrap-token-auth=true", "--etcd-servers=https://127.0.0.1:2379", "--secure-port=6443",
            f"--service-cluster-ip-range={service_cidr}", f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
        ]),
        "kube-controller-manager.yaml": _pod("kube-controller-manager", manager, [
            "kube-controller-manager", "--allocate-node-cidrs=true", "--bind-address=127.0.0.1",
            f"--cluster-cidr={pod_cidr}", "--cluster-name=kubernetes", "--controllers=*,bootstrapsigner,tokencleaner",
            "--kubeconfig=/etc/kubernetes/controller-manager.conf", "--leader-elect=true",
            f"--service-cluster-ip-range={service_cidr}", "--use-service-account-credentials=true",
        ]),
        "kube-scheduler.yaml": _pod("kube-scheduler", scheduler, [
            "kube-scheduler", "--bind-address=127.0.0.1", "--kubeconfig=/etc/kubernetes/scheduler.conf",
            "--leader-elect=true",
        ]),
    }  # fmt: skip


def _pod(name: str, image: str, command: list[str]) -> str:
    words = "\n".join(f"    - {w}" for w in command)
    return f"""\
apiVersion: v1
kind: Pod
metadata:
  labels:
    component: {name}
    tier: control-plane
  name: {name}
  namespace: kube-system
spec:
  containers:
  - command:
{words}
    image: {image}
    imagePullPolicy: IfNotPresent
    name: {name}
  hostNetwork: true
  priority: 2000001000
  priorityClassName: system-node-critical
  securityContext:
    seccompProfile:
      type: RuntimeDefault
"""
