"""The control plane's static pods as kubeadm writes them, and what its programs listen on.

Theory. kubelet reads /etc/kubernetes/manifests and runs what stands there without any API server; the API server
is one of these pods. While its container does not run, nothing of the cluster can be read or changed. kubeadm's probes
of these pods are left out.
Sources: kubeadm app/phases/{controlplane,etcd}; facts 20 for the ports.
"""

from __future__ import annotations

from engine.kube.objects import Json
from engine.l7.behave import Behaviour
from engine.linux.addr import ip4, text4
from engine.record import dataclass

MANIFESTS = "/etc/kubernetes/manifests"
ETCD_TAGS = {
    "1.30": "3.5.12-0", "1.31": "3.5.15-0", "1.32": "3.5.16-0", "1.33": "3.5.21-0", "1.34": "3.6.4-0",
    "1.35": "3.6.6-0",
}  # fmt: skip
#: kubeadm app/constants, CoreDNSVersion
COREDNS_TAGS = {
    "1.30": "v1.11.1", "1.31": "v1.11.3", "1.32": "v1.11.3", "1.33": "v1.12.0", "1.34": "v1.12.1", "1.35": "v1.13.1",
    "1.36": "v1.14.2",
}  # fmt: skip
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


PKI = "/etc/kubernetes/pki"
#: what kubeadm puts below PKI on a control-plane node (facts 20 section 6)
CERTIFICATES: tuple[str, ...] = (
    *(f"{name}.{end}" for name in (
        "apiserver", "apiserver-etcd-client", "apiserver-kubelet-client", "ca", "etcd/ca", "etcd/healthcheck-client",
        "etcd/peer", "etcd/server", "front-proxy-ca", "front-proxy-client",
    ) for end in ("crt", "key")),
    "sa.key", "sa.pub",
)  # fmt: skip
CONFS = {
    "controller-manager.conf": "system:kube-controller-manager",
    "scheduler.conf": "system:kube-scheduler",
    "super-admin.conf": "kubernetes-super-admin",
}


def static_pods(node: str, address: int, kubernetes: str, pod_cidr: str, service_cidr: str) -> dict[str, str]:
    """File name -> YAML text of a kubeadm control plane's manifests (app/phases/{controlplane,etcd}, 1.35)."""
    ip = text4(address)
    api, manager, scheduler, etcd = images(kubernetes)
    newer = int(kubernetes.split(".")[1]) >= 34
    corrupt = (
        "--feature-gates=InitialCorruptCheck=true" if newer else "--experimental-initial-corrupt-check=true"
    )
    notify = (
        "--watch-progress-notify-interval=5s" if newer else "--experimental-watch-progress-notify-interval=5s"
    )
    certs = (("ca-certs", "/etc/ssl/certs"), ("k8s-certs", PKI))
    conf = "/etc/kubernetes"
    return {
        "etcd.yaml": _pod("etcd", etcd, [
            "etcd", f"--advertise-client-urls=https://{ip}:2379", f"--cert-file={PKI}/etcd/server.crt",
            "--client-cert-auth=true", "--data-dir=/var/lib/etcd", corrupt,
            f"--initial-advertise-peer-urls=https://{ip}:2380", f"--initial-cluster={node}=https://{ip}:2380",
            f"--key-file={PKI}/etcd/server.key", f"--listen-client-urls=https://127.0.0.1:2379,https://{ip}:2379",
            "--listen-metrics-urls=http://127.0.0.1:2381", f"--listen-peer-urls=https://{ip}:2380", f"--name={node}",
            f"--peer-cert-file={PKI}/etcd/peer.crt", "--peer-client-cert-auth=true",
            f"--peer-key-file={PKI}/etcd/peer.key", f"--peer-trusted-ca-file={PKI}/etcd/ca.crt",
            "--snapshot-count=10000", f"--trusted-ca-file={PKI}/etcd/ca.crt", notify,
        ], f"kubeadm.kubernetes.io/etcd.advertise-client-urls: https://{ip}:2379",
            (("etcd-data", "/var/lib/etcd"), ("etcd-certs", f"{PKI}/etcd"))),
        "kube-apiserver.yaml": _pod("kube-apiserver", api, [
            "kube-apiserver", f"--advertise-address={ip}", "--allow-privileged=true", "--authorization-mode=Node,RBAC",
            f"--client-ca-file={PKI}/ca.crt", "--enable-admission-plugins=NodeRestriction",
            "--enable-bootstrap-token-auth=true", f"--etcd-cafile={PKI}/etcd/ca.crt",
            f"--etcd-certfile={PKI}/apiserver-etcd-client.crt", f"--etcd-keyfile={PKI}/apiserver-etcd-client.key",
            "--etcd-servers=https://127.0.0.1:2379",
            f"--kubelet-client-certificate={PKI}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={PKI}/apiserver-kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
            f"--proxy-client-cert-file={PKI}/front-proxy-client.crt",
            f"--proxy-client-key-file={PKI}/front-proxy-client.key",
            "--requestheader-allowed-names=front-proxy-client",
            f"--requestheader-client-ca-file={PKI}/front-proxy-ca.crt",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User", "--secure-port=6443",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={PKI}/sa.pub", f"--service-account-signing-key-file={PKI}/sa.key",
            f"--service-cluster-ip-range={service_cidr}", f"--tls-cert-file={PKI}/apiserver.crt",
            f"--tls-private-key-file={PKI}/apiserver.key",
        ], f"kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: {ip}:6443", certs),
        "kube-controller-manager.yaml": _pod("kube-controller-manager", manager, [
            "kube-controller-manager", "--allocate-node-cidrs=true",
            f"--authentication-kubeconfig={conf}/controller-manager.conf",
            f"--authorization-kubeconfig={conf}/controller-manager.conf", "--bind-address=127.0.0.1",
            f"--client-ca-file={PKI}/ca.crt", f"--cluster-cidr={pod_cidr}", "--cluster-name=kubernetes",
            f"--cluster-signing-cert-file={PKI}/ca.crt", f"--cluster-signing-key-file={PKI}/ca.key",
            "--controllers=*,bootstrapsigner,tokencleaner", f"--kubeconfig={conf}/controller-manager.conf",
            "--leader-elect=true", f"--requestheader-client-ca-file={PKI}/front-proxy-ca.crt",
            f"--root-ca-file={PKI}/ca.crt", f"--service-account-private-key-file={PKI}/sa.key",
            f"--service-cluster-ip-range={service_cidr}", "--use-service-account-credentials=true",
        ], "", (*certs, ("kubeconfig", f"{conf}/controller-manager.conf"))),
        "kube-scheduler.yaml": _pod("kube-scheduler", scheduler, [
            "kube-scheduler", f"--authentication-kubeconfig={conf}/scheduler.conf",
            f"--authorization-kubeconfig={conf}/scheduler.conf", "--bind-address=127.0.0.1",
            f"--kubeconfig={conf}/scheduler.conf", "--leader-elect=true",
        ], "", (("kubeconfig", f"{conf}/scheduler.conf"),)),
    }  # fmt: skip


CPU = {"etcd": "100m", "kube-apiserver": "250m", "kube-controller-manager": "200m", "kube-scheduler": "100m"}


def _pod(name: str, image: str, command: list[str], note: str, mounts: tuple[tuple[str, str], ...]) -> str:
    words = "\n".join(f"    - {w}" for w in command)
    annotations = f"  annotations:\n    {note}\n" if note else ""
    memory = "\n        memory: 100Mi" if name == "etcd" else ""
    mounted = volumes = ""
    for volume, path in mounts:
        only = "" if volume.startswith("etcd") else "      readOnly: true\n"
        mounted += f"    - mountPath: {path}\n      name: {volume}\n{only}"
        kind = "FileOrCreate" if path.endswith(".conf") else "DirectoryOrCreate"
        volumes += f"  - hostPath:\n      path: {path}\n      type: {kind}\n    name: {volume}\n"
    return f"""\
apiVersion: v1
kind: Pod
metadata:
{annotations}  labels:
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
    resources:
      requests:
        cpu: {CPU[name]}{memory}
    volumeMounts:
{mounted}  hostNetwork: true
  priority: 2000001000
  priorityClassName: system-node-critical
  securityContext:
    seccompProfile:
      type: RuntimeDefault
  volumes:
{volumes}"""
