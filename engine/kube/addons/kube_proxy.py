"""kube-proxy as kubeadm installs it: ServiceAccount, ConfigMap with its configuration and kubeconfig, DaemonSet.

Rules. Pure: bodies only, as `kubeadm init phase addon kube-proxy` applies them (app/phases/addons/proxy/manifests.go).
A lab whose proxy's mode is none has nothing of it.
"""

from __future__ import annotations

from engine.kube.objects import Json
from engine.kube.options import Options
from engine.kube.proxy import config, configtext

NAMESPACE = "kube-system"
LABELS = {"k8s-app": "kube-proxy"}


def objects(options: Options) -> list[Json]:
    """What kubeadm creates for kube-proxy. InputError for a configuration in the lab file that is wrong."""
    if options.proxy.mode == "none":
        return []
    config.of_lab(options)
    account: Json = {
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "kube-proxy", "namespace": NAMESPACE}
    }  # fmt: skip
    return [account, config_map(options), daemon_set(options)]


def image(options: Options) -> str:
    return f"registry.k8s.io/kube-proxy:{options.version}"


def config_map(options: Options) -> Json:
    return {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kube-proxy", "namespace": NAMESPACE, "labels": {"app": "kube-proxy"}},
        "data": {"config.conf": configtext.text_of(options), "kubeconfig.conf": KUBECONFIG},
    }  # fmt: skip


KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
    server: https://cluster.lab:6443
  name: default
contexts:
- context:
    cluster: default
    namespace: default
    user: default
  name: default
current-context: default
users:
- name: default
  user:
    tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
"""


def daemon_set(options: Options) -> Json:
    container: Json = {
        "name": "kube-proxy", "image": image(options), "imagePullPolicy": "IfNotPresent",
        "command": [
            "/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf",
            "--hostname-override=$(NODE_NAME)",
        ],
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}}],
        "securityContext": {"privileged": True},
        "volumeMounts": [
            {"mountPath": "/var/lib/kube-proxy", "name": "kube-proxy"},
            {"mountPath": "/run/xtables.lock", "name": "xtables-lock"},
            {"mountPath": "/lib/modules", "name": "lib-modules", "readOnly": True},
        ],
    }  # fmt: skip
    spec: Json = {
        "priorityClassName": "system-node-critical", "serviceAccountName": "kube-proxy", "hostNetwork": True,
        "nodeSelector": {"kubernetes.io/os": "linux"}, "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [
            {"name": "kube-proxy", "configMap": {"name": "kube-proxy"}},
            {"name": "xtables-lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}},
            {"name": "lib-modules", "hostPath": {"path": "/lib/modules", "type": ""}},
        ],
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "kube-proxy", "namespace": NAMESPACE, "labels": dict(LABELS)},
        "spec": {
            "selector": {"matchLabels": dict(LABELS)}, "updateStrategy": {"type": "RollingUpdate"},
            "template": {"metadata": {"labels": dict(LABELS)}, "spec": spec},
        },
    }  # fmt: skip
