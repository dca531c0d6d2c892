"""The addon coredns, as `kubeadm init` leaves it: ConfigMap, Deployment, Service kube-dns, account and roles.

Settings of the lab file: `{coredns: {replicas: N, corefile: TEXT}}`; other keys are refused.
Source: kubeadm app/phases/addons/dns/manifests.go; facts 20 section 3.2. The lines `disable success|denial
cluster.local` of the cache came with kubernetes/kubernetes#128359 (merged before 1.32).
"""

from __future__ import annotations

from typing import Any

from engine.errors import InputError, Problem
from engine.kube.controlplane import COREDNS_TAGS
from engine.kube.objects import Json
from engine.kube.options import Options, addon
from engine.linux.addr import text4
from engine.say import Phrase

NAME = "coredns"
KEYS = ("replicas", "corefile")
LABELS = {"k8s-app": "kube-dns"}
SPACE = "kube-system"
#: the release from which kubeadm's Corefile does not cache the cluster's own names
UNCACHED_SINCE = 32

BAD_KEY = Phrase(
    en="{key!r} is no setting of the addon {addon}; it has {keys}",
    ko="{key!r}은(는) 애드온 {addon}의 설정이 아닙니다. {keys}이(가) 있습니다",
)
BAD_REPLICAS = Phrase(
    en="{found!r} is no number of replicas; write 0 to 20",
    ko="{found!r}은(는) 레플리카 수가 아닙니다. 0부터 20까지 적으십시오",
)
BAD_COREFILE = Phrase(
    en="the Corefile is a text; write `corefile: |` and its lines under it",
    ko="Corefile은 글입니다. `corefile: |` 아래에 줄을 적으십시오",
)


def settings(options: Options) -> dict[str, Any]:
    """The addon's settings, checked. InputError."""
    config = addon(options, NAME) or {}
    problems = []
    for key, value in config.items():
        where = f"addons.{NAME}.{key}"
        if key not in KEYS:
            problems.append(Problem(where=where, said=BAD_KEY(key=key, addon=NAME, keys=", ".join(KEYS))))
        elif key == "replicas" and not (type(value) is int and 0 <= value <= 20):
            problems.append(Problem(where=where, said=BAD_REPLICAS(found=value)))
        elif key == "corefile" and not isinstance(value, str):
            problems.append(Problem(where=where, said=BAD_COREFILE()))
    if problems:
        raise InputError(problems)
    return config


def image(options: Options) -> str:
    """The image that this release's kubeadm installs."""
    return f"registry.k8s.io/coredns/coredns:{COREDNS_TAGS.get(options.kubernetes, 'v1.13.1')}"


def address(options: Options) -> str:
    """kube-dns has the tenth address of the Services' range."""
    return text4(options.service_cidr.addr + 10)


def corefile(options: Options) -> str:
    """kubeadm's Corefile."""
    cache = "    cache 30\n"
    if options.minor >= UNCACHED_SINCE:
        cache = """\
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
"""
    return f"""\
.:53 {{
    errors
    health {{
       lameduck 5s
    }}
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }}
    prometheus :9153
    forward . /etc/resolv.conf {{
       max_concurrent 1000
    }}
{cache}    loop
    reload
    loadbalance
}}
"""


def _meta(name: str, **more: Any) -> Json:
    return {"name": name, "namespace": SPACE, **more}


def objects(options: Options) -> list[Json]:
    """What kubeadm creates; [] for a cluster without the addon."""
    if addon(options, NAME) is None:
        return []
    given = settings(options)
    return [
        {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta("coredns"),
            "data": {"Corefile": str(given.get("corefile", corefile(options)))},
        },
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta("coredns")},
        *roles(),
        deployment(options, int(given.get("replicas", 2))),
        service(options),
    ]  # fmt: skip


def roles() -> list[Json]:
    name = "system:coredns"
    reads = ["list", "watch"]
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
            "rules": [
                {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": reads},
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": reads},
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "coredns", "namespace": SPACE}],
        },
    ]  # fmt: skip


def probe(path: str, port: int, **more: int) -> Json:
    return {"httpGet": {"path": path, "port": port, "scheme": "HTTP"}, **more}


def deployment(options: Options, replicas: int) -> Json:
    container: Json = {
        "name": "coredns", "image": image(options), "imagePullPolicy": "IfNotPresent",
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}},
        "args": ["-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": True}],
        "ports": [
            {"containerPort": 53, "name": "dns", "protocol": "UDP"},
            {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
            {"containerPort": 9153, "name": "metrics", "protocol": "TCP"},
        ],
        "livenessProbe": probe(
            "/health", 8080, initialDelaySeconds=60, timeoutSeconds=5, successThreshold=1, failureThreshold=5
        ),
        "readinessProbe": probe("/ready", 8181),
        "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }  # fmt: skip
    apart = {
        "weight": 100,
        "podAffinityTerm": {
            "labelSelector": {
                "matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]
            },
            "topologyKey": "kubernetes.io/hostname",
        },
    }
    spec: Json = {
        "priorityClassName": "system-cluster-critical", "serviceAccountName": "coredns",
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [apart]}},
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
        ],
        "nodeSelector": {"kubernetes.io/os": "linux"}, "containers": [container], "dnsPolicy": "Default",
        "volumes": [
            {
                "name": "config-volume",
                "configMap": {"name": "coredns", "items": [{"key": "Corefile", "path": "Corefile"}]},
            }
        ],
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": _meta("coredns", labels=dict(LABELS)),
        "spec": {
            "replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "selector": {"matchLabels": dict(LABELS)},
            "template": {"metadata": {"labels": dict(LABELS)}, "spec": spec},
        },
    }  # fmt: skip


def service(options: Options) -> Json:
    labels = {**LABELS, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
    return {
        "apiVersion": "v1", "kind": "Service",
        "metadata": _meta(
            "kube-dns", labels=labels,
            annotations={"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
        ),
        "spec": {
            "clusterIP": address(options),
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
                {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
            ],
            "selector": dict(LABELS),
        },
    }  # fmt: skip
