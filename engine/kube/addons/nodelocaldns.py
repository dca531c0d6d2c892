"""The addon nodelocaldns: a DNS cache on every node, which Pods reach without conntrack.

Theory. With kube-proxy in iptables (or nftables, userspace) mode node-cache binds 169.254.20.10 and the address of
kube-dns itself, so that Pods need not know of it; in ipvs mode that address belongs to kube-ipvs0, so it binds
169.254.20.10 alone and the kubelets name that one (boot.py). What is not in the cache goes to kube-dns-upstream by
TCP.

Rules. Bodies only. Settings of the lab file: none; needs the addon coredns for its upstream.
Source: kubernetes/kubernetes cluster/addons/dns/nodelocaldns/nodelocaldns.yaml; facts 20 section 3.5.
"""

from __future__ import annotations

from engine.errors import InputError, Problem
from engine.kube.addons import coredns
from engine.kube.objects import Json
from engine.kube.options import Options, addon
from engine.say import Phrase

NAME = "nodelocaldns"
ADDRESS = "169.254.20.10"
SPACE = "kube-system"
LABELS = {"k8s-app": "node-local-dns"}
IMAGE = "registry.k8s.io/dns/k8s-dns-node-cache:1.26.4"

NO_SETTINGS = Phrase(
    en="nodelocaldns has no settings; write `- nodelocaldns`",
    ko="nodelocaldns에는 설정이 없습니다. `- nodelocaldns`로 적으십시오",
)
NEEDS_COREDNS = Phrase(
    en="nodelocaldns asks CoreDNS for the cluster's names; write `addons: [coredns, nodelocaldns]`",
    ko="nodelocaldns는 클러스터의 이름을 CoreDNS에 묻습니다. `addons: [coredns, nodelocaldns]`로 적으십시오",
)


def own_address(options: Options) -> str:
    """The address that kubelets give to Pods: kube-dns's, or the cache's own in ipvs mode."""
    local = addon(options, NAME) is not None and options.proxy.mode == "ipvs"
    return ADDRESS if local else coredns.address(options)


def binds(options: Options) -> list[str]:
    return [ADDRESS] if options.proxy.mode == "ipvs" else [ADDRESS, coredns.address(options)]


def corefile(options: Options) -> str:
    """The Corefile as it stands in the ConfigMap: what the nodes fill in is still in capitals."""
    bind = " ".join(binds(options))

    def block(zone: str, cache: str, forward: str, tail: str = "") -> str:
        return f"""\
{zone}:53 {{
    errors
    {cache}
    reload
    loop
    bind {bind}
    forward . {forward}
    prometheus :9253
{tail}    }}
"""

    cached = "cache {\n            success 9984 30\n            denial 9984 5\n    }"
    cluster = "__PILLAR__CLUSTER__DNS__ {\n            force_tcp\n    }"
    return (
        block("cluster.local", cached, cluster, f"    health {ADDRESS}:8080\n")
        + block("in-addr.arpa", "cache 30", cluster)
        + block("ip6.arpa", "cache 30", cluster)
        + block(".", "cache 30", "__PILLAR__UPSTREAM__SERVERS__")
    )


def _meta(name: str, **labels: str) -> Json:
    return {"name": name, "namespace": SPACE, "labels": {**labels, "kubernetes.io/cluster-service": "true"}}


def objects(options: Options) -> list[Json]:
    """What the manifest creates; [] for a cluster without the addon."""
    config = addon(options, NAME)
    if config is None:
        return []
    where = f"addons.{NAME}"
    if config:
        raise InputError([Problem(where=where, said=NO_SETTINGS())])
    if addon(options, coredns.NAME) is None:
        raise InputError([Problem(where=where, said=NEEDS_COREDNS())])
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
    ]
    upstream = _meta("kube-dns-upstream", **{"k8s-app": "kube-dns", "kubernetes.io/name": "KubeDNSUpstream"})
    metrics = {"name": "metrics", "port": 9253, "targetPort": 9253}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta("node-local-dns")},
        {
            "apiVersion": "v1", "kind": "Service", "metadata": upstream,
            "spec": {"ports": ports, "selector": {"k8s-app": "kube-dns"}},
        },
        {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "node-local-dns", "namespace": SPACE},
            "data": {"Corefile": corefile(options)},
        },
        daemon_set(options),
        {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "node-local-dns", "namespace": SPACE, "labels": dict(LABELS),
                "annotations": {"prometheus.io/port": "9253", "prometheus.io/scrape": "true"},
            },
            "spec": {"clusterIP": "None", "ports": [metrics], "selector": dict(LABELS)},
        },
    ]  # fmt: skip


def daemon_set(options: Options) -> Json:
    container: Json = {
        "name": "node-cache", "image": IMAGE, "resources": {"requests": {"cpu": "25m", "memory": "5Mi"}},
        "args": [
            "-localip", ",".join(binds(options)), "-conf", "/etc/Corefile", "-upstreamsvc", "kube-dns-upstream",
            "-pidfile", "/tmp/node-cache.pid",
        ],
        "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}},
        "ports": [
            {"containerPort": 53, "name": "dns", "protocol": "UDP"},
            {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
            {"containerPort": 9253, "name": "metrics", "protocol": "TCP"},
        ],
        "livenessProbe": {
            "httpGet": {"host": ADDRESS, "path": "/health", "port": 8080}, "initialDelaySeconds": 60,
            "timeoutSeconds": 5,
        },
        "volumeMounts": [
            {"mountPath": "/run/xtables.lock", "name": "xtables-lock", "readOnly": False},
            {"mountPath": "/etc/coredns", "name": "config-volume"},
            {"mountPath": "/etc/kube-dns", "name": "kube-dns-config"},
        ],
    }  # fmt: skip
    spec: Json = {
        "priorityClassName": "system-node-critical", "serviceAccountName": "node-local-dns", "hostNetwork": True,
        "dnsPolicy": "Default",
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"}, {"effect": "NoExecute", "operator": "Exists"},
            {"effect": "NoSchedule", "operator": "Exists"},
        ],
        "containers": [container],
        "volumes": [
            {"name": "xtables-lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}},
            {"name": "kube-dns-config", "configMap": {"name": "kube-dns", "optional": True}},
            {
                "name": "config-volume",
                "configMap": {
                    "name": "node-local-dns", "items": [{"key": "Corefile", "path": "Corefile.base"}]
                },
            },
        ],
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": _meta("node-local-dns", **LABELS),
        "spec": {
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
            "selector": {"matchLabels": dict(LABELS)},
            "template": {
                "metadata": {
                    "labels": dict(LABELS),
                    "annotations": {"prometheus.io/port": "9253", "prometheus.io/scrape": "true"},
                },
                "spec": spec,
            },
        },
    }  # fmt: skip
