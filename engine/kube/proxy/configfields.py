"""The fields of a KubeProxyConfiguration: what each holds, and which of them nothing in the model acts on.

Rules. `FIELDS` is the one table for the lab file and for the ConfigMap. A field that the model does not act on is taken
with its own zero only. Source: kube-proxy config/v1alpha1/types.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.record import dataclass
from engine.say import Phrase, Said

UNKNOWN = Phrase(
    en="kube-proxy has no field {field!r} here; accepted: {accepted}",
    ko="kube-proxy 설정의 이 자리에는 {field!r} 필드가 없습니다. 쓸 수 있는 것: {accepted}",
)
INERT = Phrase(
    en="kube-proxy knows {field!r}, but nothing in the lab acts on it; leave it out",
    ko="kube-proxy에는 {field!r} 필드가 있지만 실습의 어떤 부분도 이 값으로 달라지지 않습니다. 빼십시오",
)
REFUSED = Phrase(en="kube-proxy refuses it: {text}", ko="kube-proxy가 거부합니다: {text}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("string")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("bool")
    return value


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("int32")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ValueError("[]string")
    return tuple(value)


def _gates(value: Any) -> dict[str, bool]:
    if not isinstance(value, Mapping) or not all(isinstance(v, bool) for v in value.values()):
        raise ValueError("map[string]bool")
    return dict(value)


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_SPAN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|h|m|s)")


def _span(value: Any) -> float:
    """A Go duration: 30s, 1m0s, 24h0m0s."""
    text = _text(value)
    sign = -1.0 if text.startswith("-") else 1.0
    body = text.lstrip("+-")
    if body == "0":
        return 0.0
    if not body or _SPAN.sub("", body):
        raise ValueError("duration")
    return sign * sum(float(n) * _UNITS[unit] for n, unit in _SPAN.findall(body))


@dataclass(frozen=True, slots=True)
class Idle:
    """A field of kube-proxy that nothing here acts on: taken with these values only (null and its own zero)."""

    values: tuple[Any, ...] = ("", 0, False, "0s", "0", None)


#: field -> what it holds; a dict is a block
FIELDS: dict[str, Any] = {
    "apiVersion": Idle(("kubeproxy.config.k8s.io/v1alpha1",)), "kind": Idle(("KubeProxyConfiguration",)),
    "bindAddress": _text, "bindAddressHardFail": Idle(), "configSyncPeriod": Idle(("0s", "15m0s", "15m", None)),
    "clientConnection": {
        "acceptContentTypes": Idle(), "burst": Idle(), "contentType": Idle(), "qps": Idle(),
        "kubeconfig": Idle(("/var/lib/kube-proxy/kubeconfig.conf", "", None)),
    },
    "clusterCIDR": _text,
    "conntrack": {
        "maxPerCore": _number, "min": _number, "tcpBeLiberal": _truth, "tcpCloseWaitTimeout": _span,
        "tcpEstablishedTimeout": _span, "udpStreamTimeout": _span, "udpTimeout": _span,
    },
    "detectLocal": {"bridgeInterface": _text, "interfaceNamePrefix": _text}, "detectLocalMode": _text,
    "enableProfiling": Idle(), "featureGates": _gates, "healthzBindAddress": _text, "hostnameOverride": _text,
    "iptables": {
        "localhostNodePorts": _truth, "masqueradeAll": _truth, "masqueradeBit": _number, "minSyncPeriod": _span,
        "syncPeriod": _span,
    },
    "ipvs": {
        "excludeCIDRs": _texts, "minSyncPeriod": _span, "scheduler": _text, "strictARP": _truth, "syncPeriod": _span,
        "tcpFinTimeout": _span, "tcpTimeout": _span, "udpTimeout": _span,
    },
    "logging": {
        "flushFrequency": Idle(), "format": Idle(("", "text", None)), "verbosity": Idle(),
        "options": {"json": {"infoBufferSize": Idle()}, "text": {"infoBufferSize": Idle()}},
    },
    "metricsBindAddress": _text, "mode": _text,
    "nftables": {
        "masqueradeAll": _truth, "masqueradeBit": _number, "minSyncPeriod": _span, "syncPeriod": _span,
    },
    "nodePortAddresses": _texts, "oomScoreAdj": Idle((-999, None)), "portRange": Idle(),
    "showHiddenMetricsForVersion": Idle(),
    "winkernel": {
        "enableDSR": Idle(), "forwardHealthCheckVip": Idle(), "networkName": Idle(), "rootHnsEndpointName": Idle(),
        "sourceVip": Idle(),
    },
    "windowsRunAsService": Idle(),
}  # fmt: skip


def walk(data: Mapping[str, Any], fields: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(path, kind, value) of every field that is given; kind None for an unknown one, a dict for a wrong block."""
    for key, value in data.items():
        path, kind = f"{at}{key}", fields.get(str(key))
        if isinstance(kind, dict) and isinstance(value, Mapping):
            yield from walk(value, kind, f"{path}.")
        elif not (isinstance(kind, dict) and value is None):
            yield path, kind, value


def values(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, Said]]]:
    """The given fields by path, converted; and what is wrong with them as (path, why)."""
    out: dict[str, Any] = {}
    wrong: list[tuple[str, Said]] = []
    for path, kind, value in walk(data, FIELDS):
        if kind is None:
            wrong.append((path, UNKNOWN(field=path.rpartition(".")[2], accepted=", ".join(_beside(path)))))
        elif isinstance(kind, Idle):
            if value not in kind.values or (isinstance(value, bool) and value):
                wrong.append((path, INERT(field=path)))
        elif isinstance(kind, dict):
            wrong.append((path, REFUSED(text=f"cannot unmarshal {_go(value)} into Go struct field {path}")))
        elif value is not None:
            try:
                out[path] = kind(value)
            except ValueError as error:
                field = f"KubeProxyConfiguration.{path} of type {error}"
                wrong.append(
                    (path, REFUSED(text=f"cannot unmarshal {_go(value)} into Go struct field {field}"))
                )
    return out, wrong


def _beside(path: str) -> list[str]:
    fields = FIELDS
    for part in path.split(".")[:-1]:
        fields = fields[part]
    return [name for name, kind in fields.items() if not isinstance(kind, Idle)]


def _go(value: Any) -> str:
    if isinstance(value, Mapping):
        return "object"
    if isinstance(value, list):
        return "array"
    return "bool" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "string"
