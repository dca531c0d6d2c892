"""A Pod's /etc/resolv.conf as kubelet forms it from dnsPolicy, dnsConfig, its own configuration and the node's file.

Theory. ClusterFirst: the cluster's servers and search list, the node's search list behind, `ndots:5`. Default: what
the node has. A Pod of the node's network with ClusterFirst is treated as Default; ClusterFirstWithHostNet is the
cluster's. None: nothing. dnsConfig is merged into each. At most three servers, 32 search domains and 2048 characters
are applied; what is over is left out, with the event DNSConfigForming.

Rules. What kubelet itself is told (clusterDNS, clusterDomain, resolvConf) is read in kubeletconfig.py.
Source: pkg/kubelet/network/dns/dns.go, pkg/apis/core/validation (limits).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.kube import kubeletconfig
from engine.kube.kubeletconfig import Settings
from engine.kube.node import NodeState
from engine.kube.objects import Json, meta, name_of, namespace_of, spec_of
from engine.linux.rows import Box

MAX_SERVERS, MAX_SEARCHES, MAX_LINE = 3, 32, 2048

#: (reason, message) of a warning about the Pod
Warn = Callable[[str, str], None]


class Dns(NamedTuple):
    servers: list[str]
    searches: list[str]
    options: list[str]


class NoFile(Exception):
    """The file that resolvConf names is not there."""


def settings(node: NodeState, box: Box, default: str) -> Settings:
    """What the running kubelet has read. `default` is the cluster's tenth address, for one that could read no file."""
    found = kubeletconfig.running(node, box)
    return found if found.servers is not None else found._replace(servers=(default,))


def of_node(box: Box, path: str) -> Dns:
    """The node's own file (parseResolvConf). NoFile."""
    if not path:
        return Dns([], [], [])
    text = box.files.get(path)
    if text is None:
        raise NoFile(f"open {path}: no such file or directory")
    dns = Dns([], [], [])
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["nameserver"] and len(words) > 1:
            dns.servers.append(words[1])
        elif words[:1] == ["search"]:
            dns = dns._replace(searches=[w.rstrip(".") if w != "." else w for w in words[1:]])
        elif words[:1] == ["options"]:
            dns = dns._replace(options=[*dns.options, *words[1:]])
    return dns


def form(pod: Json, config: Settings, box: Box, warn: Warn) -> str:
    """The text of the Pod's file. NoFile."""
    spec = spec_of(pod)
    policy = str(spec.get("dnsPolicy", "ClusterFirst"))
    host = of_node(box, config.resolv)
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet") and not config.servers:
        who = f"{name_of(pod)}_{namespace_of(pod)}({meta(pod).get('uid', '')})"
        text = f'pod: "{who}". kubelet does not have ClusterDNS IP configured and cannot create Pod using "{policy}" '
        text += 'policy. Falling back to "Default" policy.'
        warn("MissingClusterDNS", text)
        policy = "Default"
    dns = Dns([], [], [])
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet"):
        own = [f"{namespace_of(pod)}.svc.{config.domain}", f"svc.{config.domain}", config.domain]
        dns = Dns(list(config.servers or ()), list(dict.fromkeys([*own, *host.searches])), ["ndots:5"])
    elif policy == "Default":
        dns = host
    return text_of(limited(merged(dns, spec.get("dnsConfig") or {}), warn))


def merged(dns: Dns, more: Json) -> Dns:
    """appendDNSConfig: what dnsConfig adds; an option replaces the one of its name."""
    servers = list(dict.fromkeys([*dns.servers, *(str(s) for s in more.get("nameservers") or ())]))
    searches = list(dict.fromkeys([*dns.searches, *(str(s) for s in more.get("searches") or ())]))
    options = {o.partition(":")[0]: o for o in dns.options}
    for option in more.get("options") or ():
        name = str(option["name"])
        options[name] = name + (f":{option['value']}" if option.get("value") else "")
    return Dns(servers, searches, list(options.values()))


def limited(dns: Dns, warn: Warn) -> Dns:
    """formDNSFitsLimits: three servers, 32 domains, 2048 characters."""
    servers, searches = dns.servers, dns.searches
    if len(servers) > MAX_SERVERS:
        servers = servers[:MAX_SERVERS]
        text = "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
        warn("DNSConfigForming", text + " ".join(servers))
    if len(searches) > MAX_SEARCHES or len(" ".join(searches)) > MAX_LINE:
        searches = searches[:MAX_SEARCHES]
        while searches and len(" ".join(searches)) > MAX_LINE:
            searches = searches[:-1]
        text = "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
        warn("DNSConfigForming", text + " ".join(searches))
    return dns._replace(servers=servers, searches=searches)


def text_of(dns: Dns) -> str:
    """The file as the runtime writes it (containerd pkg/cri/server parseDNSOptions)."""
    lines = [f"search {' '.join(dns.searches)}"] if dns.searches else []
    lines += [f"nameserver {s}" for s in dns.servers]
    lines += [f"options {' '.join(dns.options)}"] if dns.options else []
    return "\n".join(lines) + "\n" if lines else ""
