"""config.conf of a new cluster: the text of kube-proxy's configuration as kubeadm leaves it in its ConfigMap.

Rules. Keys stand as kubeadm sorts them. A text that was made here needs no YAML reader when kube-proxy reads it
(`KNOWN`). Source: a kubeadm cluster's ConfigMap kube-system/kube-proxy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.kube.options import Options


def text_of(options: Options) -> str:
    """config.conf as kubeadm writes it, with the lab file's fields in it."""
    body = _merged(KUBEADM, options.proxy.config)
    if not options.proxy.config.get("clusterCIDR") and "clusterCIDR" not in options.proxy.config:
        body["clusterCIDR"] = str(options.cni.pod_cidr)
    body["mode"] = options.proxy.config.get(
        "mode", options.proxy.mode if options.proxy.mode != "iptables" else ""
    )
    text = "".join(_yaml(body, 0))
    KNOWN[text] = body
    return text


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in over.items():
        there = out.get(key)
        out[key] = _merged(there, value) if isinstance(there, dict) and isinstance(value, Mapping) else value
    return out


def _yaml(body: Mapping[str, Any], depth: int) -> Iterator[str]:
    for key in sorted(body):
        value, lead = body[key], "  " * depth
        if isinstance(value, Mapping) and value:
            yield f"{lead}{key}:\n"
            yield from _yaml(value, depth + 1)
        elif isinstance(value, list | tuple) and value:
            yield f"{lead}{key}:\n"
            yield from (f"{lead}- {_scalar(item)}\n" for item in value)
        else:
            yield f"{lead}{key}: {_scalar(value)}\n"


def _scalar(value: Any) -> str:
    if value is None or value in ([], {}):
        return "null" if value is None else "[]" if value == [] else "{}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return (
            f'"{value}"'
            if not value or value in ("0", "null", "true", "false") or value.isdecimal()
            else value
        )
    return str(value)


#: config.conf of a kubeadm cluster (ConfigMap kube-system/kube-proxy), without the Pods' range.
KUBEADM: dict[str, Any] = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "bindAddress": "0.0.0.0", "bindAddressHardFail": False,
    "clientConnection": {
        "acceptContentTypes": "", "burst": 0, "contentType": "",
        "kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf", "qps": 0,
    },
    "clusterCIDR": "", "configSyncPeriod": "0s",
    "conntrack": {
        "maxPerCore": None, "min": None, "tcpBeLiberal": False, "tcpCloseWaitTimeout": None,
        "tcpEstablishedTimeout": None, "udpStreamTimeout": "0s", "udpTimeout": "0s",
    },
    "detectLocal": {"bridgeInterface": "", "interfaceNamePrefix": ""}, "detectLocalMode": "",
    "enableProfiling": False, "healthzBindAddress": "", "hostnameOverride": "",
    "iptables": {
        "localhostNodePorts": None, "masqueradeAll": False, "masqueradeBit": None, "minSyncPeriod": "0s",
        "syncPeriod": "0s",
    },
    "ipvs": {
        "excludeCIDRs": None, "minSyncPeriod": "0s", "scheduler": "", "strictARP": False, "syncPeriod": "0s",
        "tcpFinTimeout": "0s", "tcpTimeout": "0s", "udpTimeout": "0s",
    },
    "kind": "KubeProxyConfiguration",
    "logging": {
        "flushFrequency": 0, "options": {"json": {"infoBufferSize": "0"}, "text": {"infoBufferSize": "0"}},
        "verbosity": 0,
    },
    "metricsBindAddress": "", "mode": "",
    "nftables": {"masqueradeAll": False, "masqueradeBit": None, "minSyncPeriod": "0s", "syncPeriod": "0s"},
    "nodePortAddresses": None, "oomScoreAdj": None, "portRange": "", "showHiddenMetricsForVersion": "",
    "winkernel": {
        "enableDSR": False, "forwardHealthCheckVip": False, "networkName": "", "rootHnsEndpointName": "",
        "sourceVip": "",
    },
    "windowsRunAsService": False,
}  # fmt: skip

#: texts that were made here, read already
KNOWN: dict[str, Mapping[str, Any]] = {}
