"""What kubelet prepares for a pod's processes: host name, hosts, environment, mounts (resolv.conf: poddns.py).

Sources: pkg/kubelet/kubelet_pods.go; facts 10 section 3.1.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

from engine.kube.containerd import CRI_STATE, SandboxConfig
from engine.kube.objects import Json, labels_of, meta, name_of, namespace_of, spec_of
from engine.kube.runtime import Sandbox, StoredImage
from engine.kube.store import Store
from engine.l7.behave import Behaviour
from engine.linux.rows import Box

DOMAIN = "cluster.local"
HOSTS_HEAD = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


def sandbox_config(pod: Json, attempt: int, node: str, resolv_conf: str) -> SandboxConfig:
    spec = spec_of(pod)
    ports = tuple(
        (
            int(p["hostPort"]),
            int(p["containerPort"]),
            str(p.get("protocol", "TCP")),
            str(p.get("hostIP") or ""),
        )
        for c in spec["containers"]
        for p in c.get("ports") or ()
        if p.get("hostPort")
    )
    network = bool(spec.get("hostNetwork"))
    return SandboxConfig(
        namespace=namespace_of(pod), pod=name_of(pod), uid=str(meta(pod)["uid"]), attempt=attempt,
        hostname=node if network else hostname(pod), host_network=network, host_pid=bool(spec.get("hostPID")),
        host_ipc=bool(spec.get("hostIPC")), share_pid=bool(spec.get("shareProcessNamespace")),
        ports=() if network else ports, resolv_conf=resolv_conf,
    )  # fmt: skip


def hostname(pod: Json) -> str:
    """spec.hostname, or the pod's name cut to 63 characters."""
    return str(spec_of(pod).get("hostname") or name_of(pod))[:63].rstrip("-.")


def hosts_file(pod: Json, ip: str, box: Box) -> str:
    """The pod's /etc/hosts as kubelet writes it."""
    spec = spec_of(pod)
    aliases = "".join(
        f"{a['ip']}\t" + "\t".join(a.get("hostnames") or ()) + "\n" for a in spec.get("hostAliases") or ()
    )
    tail = f"\n# Entries added by HostAliases.\n{aliases}" if aliases else ""
    if spec.get("hostNetwork"):
        return "# Kubernetes-managed hosts file (host network).\n" + box.files.get("/etc/hosts", "") + tail
    name = hostname(pod)
    full = (
        f"{name}.{spec['subdomain']}.{namespace_of(pod)}.svc.{DOMAIN}\t{name}"
        if spec.get("subdomain")
        else name
    )
    return f"{HOSTS_HEAD}{ip}\t{full}\n{tail}"


def environment(
    pod: Json, container: Json, store: Store, node: str, ip: str, host_ip: str
) -> tuple[dict[str, str], str]:
    """A container's environment, and what is missing for it ("" = nothing)."""
    out = {"HOSTNAME": node if spec_of(pod).get("hostNetwork") else hostname(pod)}
    services = service_variables(pod, store)
    for source in container.get("envFrom") or ():
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if ref := source.get(key):
                body = store.get(kind, namespace_of(pod), ref.get("name", ""))
                if body is None:
                    if ref.get("optional"):
                        continue
                    return out, f'{kind.lower()} "{ref.get("name", "")}" not found'
                out |= {f"{source.get('prefix', '')}{k}": v for k, v in data_of(body).items()}
    for entry in container.get("env") or ():
        value, missing = env_value(entry, pod, store, node, ip, host_ip, {**services, **out})
        if missing:
            return out, missing
        if value is not None:
            out[str(entry["name"])] = value
    return {**out, **{k: v for k, v in services.items() if k not in out}}, ""


def service_variables(pod: Json, store: Store) -> dict[str, str]:
    """WEB_SERVICE_HOST and the rest, for every Service of the pod's namespace that has a ClusterIP now (only where
    enableServiceLinks is not false), and always for default/kubernetes (getServiceEnvVarMap; pkg/kubelet/envvars)."""
    rows: dict[str, Json] = {}
    master = store.get("Service", "default", "kubernetes")
    if master is not None:
        rows["kubernetes"] = master
    if spec_of(pod).get("enableServiceLinks", True):
        rows |= {name_of(s): s for s in store.list("Service", namespace_of(pod))}
    out: dict[str, str] = {}
    for name, service in sorted(rows.items()):
        ip, ports = str(spec_of(service).get("clusterIP") or "None"), spec_of(service).get("ports") or []
        if ip == "None" or not ports:
            continue
        head = variable(name)
        out |= {f"{head}_SERVICE_HOST": ip, f"{head}_SERVICE_PORT": str(ports[0]["port"])}
        out |= {f"{head}_SERVICE_PORT_{variable(p['name'])}": str(p["port"]) for p in ports if p.get("name")}
        for at, port in enumerate(ports):
            proto = str(port.get("protocol", "TCP"))
            url = f"{proto.lower()}://{ip}:{port['port']}"
            one = f"{head}_PORT_{port['port']}_{proto.upper()}"
            out |= {f"{head}_PORT": url} if at == 0 else {}
            out |= {
                one: url,
                f"{one}_PROTO": proto.lower(),
                f"{one}_PORT": str(port["port"]),
                f"{one}_ADDR": ip,
            }
    return out


def variable(name: str) -> str:
    """A name as an environment variable: `my-web` is MY_WEB."""
    word = name.replace(".", "_").replace("-", "_").upper()
    return f"_{word}" if word[:1].isdigit() else word


def data_of(body: Json) -> dict[str, str]:
    """A ConfigMap's data, or a Secret's decoded."""
    out = {k: str(v) for k, v in (body.get("data") or {}).items()}
    if body["kind"] == "Secret":
        plain: dict[str, str] = {}
        for key, text in out.items():
            try:
                plain[key] = base64.b64decode(text).decode(errors="replace")
            except ValueError:
                plain[key] = text
        out = plain | {k: str(v) for k, v in (body.get("stringData") or {}).items()}
    return out


def env_value(
    entry: Json, pod: Json, store: Store, node: str, ip: str, host_ip: str, so_far: dict[str, str]
) -> tuple[str | None, str]:
    source = entry.get("valueFrom")
    if not source:
        return expand([str(entry.get("value", ""))], so_far)[0], ""
    if ref := source.get("fieldRef"):
        return field_value(str(ref.get("fieldPath", "")), pod, node, ip, host_ip), ""
    for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if ref := source.get(key):
            body = store.get(kind, namespace_of(pod), ref.get("name", ""))
            if body is None:
                return None, "" if ref.get(
                    "optional"
                ) else f'{kind.lower()} "{ref.get("name", "")}" not found'
            data = data_of(body)
            if ref.get("key") not in data:
                if ref.get("optional"):
                    return None, ""
                return (
                    None,
                    f"couldn't find key {ref.get('key')} in {kind} {namespace_of(pod)}/{ref.get('name')}",
                )
            return str(data[str(ref["key"])]), ""
    return "0", ""


def field_value(path: str, pod: Json, node: str, ip: str, host_ip: str) -> str:
    """The downward API's fields."""
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path):
        found = labels_of(pod) if match[1] == "labels" else meta(pod).get("annotations") or {}
        return str(found.get(match[2], ""))
    values: dict[str, str] = {
        "metadata.name": name_of(pod), "metadata.namespace": namespace_of(pod), "metadata.uid": meta(pod)["uid"],
        "spec.nodeName": node, "spec.serviceAccountName": spec_of(pod).get("serviceAccountName", "default"),
        "status.podIP": ip, "status.podIPs": ip, "status.hostIP": host_ip, "status.hostIPs": host_ip,
    }  # fmt: skip
    return values.get(path, "")


def expand(words: Iterable[str], env: dict[str, str]) -> tuple[str, ...]:
    """$(NAME) of a known variable; $$(NAME) stays $(NAME) (third_party/forked/golang/expansion)."""

    def put(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        return env.get(match[1], match[0])

    return tuple(re.sub(r"\$?\$\(([^()]*)\)", put, str(w)) for w in words)


#: containerd's default capabilities (pkg/oci/spec.go, defaultUnixCaps).
CAPABILITIES = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip


def capabilities(container: Json) -> str:
    """A container's capabilities by its securityContext: names without CAP_, comma apart, or ALL."""
    context = container.get("securityContext") or {}
    change = context.get("capabilities") or {}
    add = {str(c).upper().removeprefix("CAP_") for c in change.get("add") or ()}
    drop = {str(c).upper().removeprefix("CAP_") for c in change.get("drop") or ()}
    if context.get("privileged") or "ALL" in add:
        return "ALL"
    kept = set() if "ALL" in drop else set(CAPABILITIES) - drop
    return ",".join(sorted(kept | add))


def process_config(
    pod: Json, container: Json, sandbox: Sandbox, image: StoredImage, env: dict[str, str], what: Behaviour
) -> tuple[tuple[str, str], ...]:
    """The frozen settings of a container's first process: what it is called, what its files are, its environment."""
    place = f"pod/{namespace_of(pod)}/{name_of(pod)}"
    if len(spec_of(pod)["containers"]) > 1 or container["name"] not in [
        c["name"] for c in spec_of(pod)["containers"]
    ]:
        place += f"/{container['name']}"
    folder = f"{CRI_STATE}/sandboxes/{sandbox.id}"
    uid = meta(pod)["uid"]
    name = env["HOSTNAME"]
    settings = [
        ("place", place), ("name", str(container["name"])), ("image", image.name), ("hostname", name),
        ("mount:/etc/hosts", f"/var/lib/kubelet/pods/{uid}/etc-hosts"),
        ("mount:/etc/resolv.conf", f"{folder}/resolv.conf"), ("mount:/etc/hostname", f"{folder}/hostname"),
    ]  # fmt: skip
    settings.append(("caps", capabilities(container)))
    settings += [(f"env:{k}", v) for k, v in env.items()]
    return (*what.config, *settings)
