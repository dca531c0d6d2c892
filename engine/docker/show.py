"""What the API answers about containers, networks and images: the objects behind `docker inspect` and `docker ps`.

Rules. Keys and their order are those of API 1.52 (moby api/types), which dockerd 29 speaks: NetworkSettings holds no
address of its own any more, only those under Networks. Fields that the model has no notion of hold the values that
they have on a plain installation.
"""

from __future__ import annotations

import hashlib
from typing import Any

from engine.docker.daemon import Dockerd
from engine.docker.files import hostname_of
from engine.docker.names import NEVER, stamp
from engine.docker.records import Binding, Container, LocalImage, Network
from engine.docker.spawn import PATH
from engine.docker.start import exposed
from engine.l7.images import find, layers, parse
from engine.linux.addr import mac_text, text4
from engine.linux.clock import human_duration
from engine.linux.net import Net

MASKED = [
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
    "/sys/firmware",
]  # fmt: skip
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def network_key(daemon: Dockerd, network: str) -> str:
    """A network's name by its id."""
    return daemon.networks[network].name if network in daemon.networks else network


def status(container: Container, now: float) -> str:
    """`Up 5 minutes`, `Exited (0) 2 hours ago`, `Created` (daemon/container/state.go String)."""
    if container.status == "running":
        return f"Up {human_duration(now - container.started)}"
    if container.status == "restarting":
        return f"Restarting ({container.code}) {human_duration(now - container.finished)} ago"
    if container.status == "created":
        return "Created"
    return f"Exited ({container.code}) {human_duration(now - container.finished)} ago"


def port_summary(container: Container) -> list[tuple[str, int, int, str]]:
    """(host address or "", host port, container port, proto) of a running container, published ones first."""
    if not container.running or container.mode != "bridge":
        return []
    out = [
        (text4(b.publish.host_ip), b.publish.host_port, b.publish.port, b.publish.proto)
        for b in container.bindings
    ]
    bound = {(b.publish.port, b.publish.proto) for b in container.bindings}
    return out + [("", 0, port, proto) for port, proto in exposed(container) if (port, proto) not in bound]


def inspect_container(daemon: Dockerd, net: Net, container: Container) -> dict[str, Any]:
    """`docker inspect CONTAINER`, one object."""
    running = container.running
    return {
        "Id": container.id,
        "Created": stamp(container.created),
        "Path": container.argv[0],
        "Args": list(container.argv[1:]),
        "State": {
            "Status": container.status,
            "Running": running or container.status == "restarting",
            "Paused": False,
            "Restarting": container.status == "restarting",
            "OOMKilled": False,
            "Dead": False,
            "Pid": container.pid,
            "ExitCode": container.code,
            "Error": container.error,
            "StartedAt": stamp(container.started) if container.starts and container.started else NEVER,
            "FinishedAt": stamp(container.finished) if container.finished else NEVER,
        },
        "Image": daemon.images[container.image].digest if container.image in daemon.images else "",
        "ResolvConfPath": f"{container.folder}/resolv.conf",
        "HostnamePath": f"{container.folder}/hostname",
        "HostsPath": f"{container.folder}/hosts",
        "LogPath": f"{container.folder}/{container.id}-json.log",
        "Name": f"/{container.name}",
        "RestartCount": container.restarts,
        "Driver": "overlayfs",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "docker-default" if running else "",
        "ExecIDs": None,
        "HostConfig": _host_config(container),
        "Storage": {"RootFS": {"Snapshot": {"Name": "overlayfs"}}},
        "Mounts": [],
        "Config": _config(daemon, container),
        "NetworkSettings": _network_settings(daemon, container),
    }


def _host_config(container: Container) -> dict[str, Any]:
    spec = container.spec
    policy, _, count = spec.restart.partition(":")
    bindings: dict[str, list[dict[str, str]]] = {}
    for one in spec.publish:
        row = {
            "HostIp": text4(one.host_ip) if one.host_ip else "",
            "HostPort": str(one.host_port) if one.host_port else "",
        }
        bindings.setdefault(f"{one.port}/{one.proto}", []).append(row)
    return {
        "Binds": None,
        "ContainerIDFile": "",
        "LogConfig": {"Type": "json-file", "Config": {}},
        "NetworkMode": spec.network,
        "PortBindings": bindings,
        "RestartPolicy": {"Name": policy, "MaximumRetryCount": int(count or 0)},
        "AutoRemove": spec.auto_remove,
        "VolumeDriver": "",
        "VolumesFrom": None,
        "ConsoleSize": [0, 0],
        "CapAdd": list(spec.cap_add) or None,
        "CapDrop": list(spec.cap_drop) or None,
        "CgroupnsMode": "private",
        "Dns": list(spec.dns) or None,
        "DnsOptions": [],
        "DnsSearch": [],
        "ExtraHosts": [f"{name}:{ip}" for name, ip in spec.add_hosts] or None,
        "GroupAdd": None,
        "IpcMode": spec.ipc or "private",
        "Cgroup": "",
        "Links": None,
        "OomScoreAdj": 0,
        "PidMode": spec.pid,
        "Privileged": spec.privileged,
        "PublishAllPorts": spec.publish_all,
        "ReadonlyRootfs": False,
        "SecurityOpt": ["label=disable"] if spec.privileged else None,
        "UTSMode": spec.uts,
        "UsernsMode": "",
        "ShmSize": 67108864,
        **({"Sysctls": dict(spec.sysctls)} if spec.sysctls else {}),
        "Runtime": "runc",
        "MaskedPaths": None if spec.privileged else MASKED,
        "ReadonlyPaths": None if spec.privileged else READONLY,
    }


def _config(daemon: Dockerd, container: Container) -> dict[str, Any]:
    spec, image = container.spec, find(container.image)
    ports = sorted(f"{port}/{proto}" for port, proto in exposed(container))
    env = [f"{k}={v}" for k, v in spec.env] + [f"PATH={PATH}"]
    env += [f"{k}={v}" for k, v in (image.env if image is not None else ())]
    entrypoint = spec.entrypoint if spec.entrypoint is not None else (image.entrypoint if image else ())
    command = spec.command or ((image.cmd if image else ()) if spec.entrypoint is None else ())
    user = spec.user or (image.user if image is not None and image.user != "root" else "")
    return {
        "Hostname": hostname_of(daemon, container) if container.mode != "container" else "",
        "Domainname": "",
        "User": user,
        "AttachStdin": spec.attached and spec.stdin,
        "AttachStdout": spec.attached,
        "AttachStderr": spec.attached,
        **({"ExposedPorts": {p: {} for p in ports}} if ports else {}),
        "Tty": spec.tty,
        "OpenStdin": spec.stdin,
        "StdinOnce": spec.attached and spec.stdin,
        "Env": env,
        "Cmd": list(command) or None,
        "Image": spec.image,
        "Volumes": None,
        "WorkingDir": spec.workdir or (image.workdir if image is not None and image.workdir != "/" else ""),
        "Entrypoint": list(entrypoint) or None,
        "Labels": dict(spec.labels),
    }


def _network_settings(daemon: Dockerd, container: Container) -> dict[str, Any]:
    key = hashlib.sha256(f"sandbox {container.id} {container.starts}".encode()).hexdigest()
    own = container.mode != "container"
    alive = container.running and own
    path = (
        "/var/run/docker/netns/default" if container.mode == "host" else f"/var/run/docker/netns/{key[:12]}"
    )
    return {
        "SandboxID": key if alive else "",
        "SandboxKey": path if alive else "",
        "Ports": ports_map(container),
        "Networks": networks_map(daemon, container) if own else {},
    }


def ports_map(container: Container) -> dict[str, list[dict[str, str]] | None]:
    """`80/tcp` -> its host bindings, None for a port that is only exposed; empty while it does not run."""
    out: dict[str, list[dict[str, str]] | None] = {}
    if not container.running or container.mode != "bridge":
        return out
    for port, proto in sorted(exposed(container)):
        out[f"{port}/{proto}"] = None
    for binding in container.bindings:
        name = f"{binding.publish.port}/{binding.publish.proto}"
        rows = out.get(name) or []
        out[name] = [*rows, _binding(binding)]
    return dict(sorted(out.items()))


def _binding(binding: Binding) -> dict[str, str]:
    return {"HostIp": text4(binding.publish.host_ip), "HostPort": str(binding.publish.host_port)}


def networks_map(daemon: Dockerd, container: Container) -> dict[str, Any]:
    """NetworkSettings.Networks: one EndpointSettings a network."""
    out: dict[str, Any] = {}
    if container.mode in ("host", "none"):
        one = next(n for n in daemon.networks.values() if n.name == container.mode)
        out[one.name] = _endpoint(None, one.id, "", "", 0, "", "", (), container)
        return out
    for e in container.endpoints:
        network = daemon.networks.get(e.network)
        if network is None:
            continue
        live = bool(e.id)
        out[network.name] = _endpoint(
            text4(e.wanted) if e.wanted else None,
            network.id if live or not container.starts else "",
            e.id,
            text4(network.gateway) if live and not network.internal else "",
            network.subnet.length if live else 0,
            text4(e.address) if live else "",
            mac_text(e.mac) if live else "",
            e.aliases,
            container,
            named=network.user_defined,
        )
    return out


def _endpoint(
    wanted: str | None,
    network: str,
    id: str,
    gateway: str,
    length: int,
    address: str,
    mac: str,
    aliases: tuple[str, ...],
    container: Container,
    *,
    named: bool = False,
) -> dict[str, Any]:
    names = [container.name, *aliases, container.short] if named else None
    return {
        "IPAMConfig": {"IPv4Address": wanted} if wanted else None,
        "Links": None,
        "Aliases": list(aliases) or None,
        "DriverOpts": None,
        "GwPriority": 0,
        "NetworkID": network,
        "EndpointID": id,
        "Gateway": gateway,
        "IPAddress": address,
        "MacAddress": mac,
        "IPPrefixLen": length,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": names,
    }


def inspect_network(daemon: Dockerd, network: Network) -> dict[str, Any]:
    """`docker network inspect`, one object."""
    users = {
        c.id: {
            "Name": c.name,
            "EndpointID": e.id,
            "MacAddress": mac_text(e.mac),
            "IPv4Address": f"{text4(e.address)}/{network.subnet.length}",
            "IPv6Address": "",
        }
        for c in daemon.containers.values()
        for e in c.endpoints
        if e.network == network.id and e.id
    }
    bridge = network.driver == "bridge"
    config: list[dict[str, str]] = []
    state: dict[str, Any] = {"Subnets": {}}
    if bridge:
        row = {"Subnet": str(network.subnet)}
        if network.ip_range is not None:
            row["IPRange"] = str(network.ip_range)
        config = [{**row, "Gateway": text4(network.gateway)}]
        size = 1 << (32 - network.subnet.length)
        state["Subnets"] = {
            str(network.subnet): {"IPsInUse": 3 + len(users), "DynamicIPsAvailable": size - 3 - len(users)}
        }
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": stamp(network.created),
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {
            "Driver": "default",
            "Options": {} if network.user_defined else None,
            "Config": config if bridge else None,
        },
        "Internal": network.internal,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Options": dict(network.options),
        "Labels": dict(network.labels),
        "Containers": users,
        "Status": {"IPAM": state},
    }


def inspect_image(daemon: Dockerd, image: LocalImage) -> dict[str, Any]:
    """`docker image inspect`, one object."""
    known, ref = find(image.name), parse(image.name)
    same = sorted(parse(i.name).familiar for i in daemon.images.values() if i.digest == image.digest)
    config: dict[str, Any] = {"Env": [f"PATH={PATH}"]}
    if known is not None:
        if known.ports:
            config["ExposedPorts"] = {p: {} for p in known.ports}
        config["Env"] += [f"{k}={v}" for k, v in known.env]
        config["Cmd"] = list(known.cmd) or None
        config["Entrypoint"] = list(known.entrypoint) or None
        if known.user != "root":
            config["User"] = known.user
        config["WorkingDir"] = known.workdir
    return {
        "Id": image.digest,
        "RepoTags": same,
        "RepoDigests": [f"{ref.familiar_repository}@{image.digest}"],
        "Created": stamp(0.0),
        "Config": config,
        "Architecture": "amd64",
        "Os": "linux",
        "Size": image.size,
        "RootFS": {
            "Type": "layers",
            "Layers": [f"sha256:{hashlib.sha256(x.encode()).hexdigest()}" for x in layers(image.name)],
        },
        "Metadata": {"LastTagTime": stamp(image.pulled)},
        "Descriptor": {
            "mediaType": "application/vnd.oci.image.index.v1+json", "digest": image.digest, "size": 10229,
        },
    }  # fmt: skip
