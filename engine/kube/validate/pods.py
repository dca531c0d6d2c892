"""Pods: ValidatePodSpec as far as the model reads a spec, and what a running Pod may change.

Source: pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.kube import quantity
from engine.kube.objects import Json, edited, spec_of
from engine.kube.validate.errors import bad, forbidden, invalid, required
from engine.kube.validate.names import (
    LABEL,
    LABEL_TEXT,
    PORT_NAME,
    ip_errors,
    label_errors,
    qualified_errors,
    subdomain_errors,
)
from engine.kube.validate.names import port_errors as port_number_or_name_errors

NEGATIVE = "must be greater than or equal to 0"
POLICIES = ("Always", "Never", "OnFailure")


def pod_spec_errors(spec: Json, path: str) -> Iterator[str]:
    """ValidatePodSpec, as far as the model reads a spec."""
    containers = spec.get("containers") or []
    if not containers:
        yield f"{path}.containers: Required value"
    names: set[str] = set()
    host_ports: set[tuple[str, str, int]] = set()
    for key in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(key) or ()):
            yield from container_errors(container, f"{path}.{key}[{i}]", names, host_ports, spec)
    policy = spec.get("restartPolicy")
    if policy is not None and policy not in POLICIES:
        yield f'{path}.restartPolicy: Unsupported value: "{policy}": supported values: {quoted(POLICIES)}'
    dns = spec.get("dnsPolicy")
    dns_policies = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
    if dns is not None and dns not in dns_policies:
        yield f'{path}.dnsPolicy: Unsupported value: "{dns}": supported values: {quoted(dns_policies)}'
    yield from dns_errors(spec, f"{path}.dnsConfig")
    for key in ("hostname", "subdomain"):
        if spec.get(key):
            yield from label_errors(str(spec[key]), f"{path}.{key}")
    for i, alias in enumerate(spec.get("hostAliases") or ()):
        yield from ip_errors(str(alias.get("ip", "")), f"{path}.hostAliases[{i}].ip")
        for j, name in enumerate(alias.get("hostnames") or ()):
            yield from subdomain_errors(str(name), f"{path}.hostAliases[{i}].hostnames[{j}]")
    for i, gate in enumerate(spec.get("readinessGates") or ()):
        yield from qualified_errors(
            str(gate.get("conditionType", "")), f"{path}.readinessGates[{i}].conditionType"
        )
    if spec.get("hostPID") and spec.get("shareProcessNamespace"):
        why = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield f"{path}.shareProcessNamespace: Invalid value: true: {why}"
    for i, toleration in enumerate(spec.get("tolerations") or ()):
        yield from toleration_errors(toleration, f"{path}.tolerations[{i}].operator")


#: The most that a resolver takes (pkg/apis/core/validation: MaxDNSNameservers ...).
MOST_SERVERS, MOST_SEARCHES, MOST_CHARS = 3, 32, 2048


def dns_errors(spec: Json, path: str) -> Iterator[str]:
    """validatePodDNSConfig."""
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            yield required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
            return
        if not config.get("nameservers"):
            yield required(
                f"{path}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None"
            )
            return
    if config is None:
        return
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if len(servers) > MOST_SERVERS:
        yield bad(f"{path}.nameservers", servers, f"must not have more than {MOST_SERVERS} nameservers")
    for i, server in enumerate(servers):
        yield from ip_errors(server, f"{path}.nameservers[{i}]")
    if len(searches) > MOST_SEARCHES:
        yield bad(f"{path}.searches", searches, f"must not have more than {MOST_SEARCHES} search paths")
    if len(" ".join(searches)) > MOST_CHARS:
        why = f"must not have more than {MOST_CHARS} characters (including spaces) in the search list"
        yield bad(f"{path}.searches", searches, why)
    for i, search in enumerate(searches):
        if search != ".":
            yield from subdomain_errors(search.removesuffix("."), f"{path}.searches[{i}]")
    for i, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            yield required(f"{path}.options[{i}]", "must not be empty")


def toleration_errors(toleration: Json, path: str) -> Iterator[str]:
    operator = toleration.get("operator") or "Equal"
    if operator not in ("Equal", "Exists"):
        yield f'{path}: Unsupported value: "{operator}": supported values: "Equal", "Exists"'
    elif operator == "Exists" and toleration.get("value"):
        row = {k: toleration.get(k[0].lower() + k[1:], "") for k in ("Key", "Operator", "Value", "Effect")}
        row["TolerationSeconds"] = toleration.get("tolerationSeconds")
        yield bad(path, row, "value must be empty when `operator` is 'Exists'")
    elif not toleration.get("key") and operator != "Exists":
        why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield f'{path}: Invalid value: "{operator}": {why}'


def quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f'"{w}"' for w in sorted(words))


def container_errors(
    container: Json, path: str, names: set[str], host_ports: set[tuple[str, str, int]], spec: Json
) -> Iterator[str]:
    name = container.get("name", "")
    if not name:
        yield f"{path}.name: Required value"
    elif len(name) > 63 or not LABEL.fullmatch(name):
        yield f'{path}.name: Invalid value: "{name}": {LABEL_TEXT}'
    elif name in names:
        yield f'{path}.name: Duplicate value: "{name}"'
    names.add(name)
    image = container.get("image", "")
    if not image:
        yield f"{path}.image: Required value"
    elif image != image.strip():
        yield f'{path}.image: Invalid value: "{image}": must not have leading or trailing whitespace'
    policy = container.get("imagePullPolicy")
    policies = ("Always", "IfNotPresent", "Never")
    if policy is not None and policy not in policies:
        yield f'{path}.imagePullPolicy: Unsupported value: "{policy}": supported values: {quoted(policies)}'
    yield from port_errors(container, path, host_ports, spec)
    yield from resource_errors(container, path)
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(key), dict):
            yield from probe_errors(container[key], f"{path}.{key}", key)
    for i, entry in enumerate(container.get("env") or ()):
        if not entry.get("name"):
            yield f"{path}.env[{i}].name: Required value"
    mounts: set[str] = set()
    volumes = {v.get("name") for v in spec.get("volumes") or ()}
    for i, mount in enumerate(container.get("volumeMounts") or ()):
        where = f"{path}.volumeMounts[{i}]"
        if not mount.get("name"):
            yield f"{where}.name: Required value"
        elif mount["name"] not in volumes:
            yield f'{where}.name: Not found: "{mount["name"]}"'
        if not mount.get("mountPath"):
            yield f"{where}.mountPath: Required value"
        elif mount["mountPath"] in mounts:
            yield f'{where}.mountPath: Invalid value: "{mount["mountPath"]}": must be unique'
        mounts.add(mount.get("mountPath", ""))


def resource_errors(container: Json, path: str) -> Iterator[str]:
    """ValidateResourceRequirements: no less than nothing, and no request above its limit."""
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, rows in (("limits", limits), ("requests", requests)):
        for key, value in rows.items():
            if quantity.value(str(value)) < 0:
                yield bad(f"{path}.resources.{part}[{key}]", str(value), NEGATIVE)
    for key, value in requests.items():
        if key in limits and quantity.value(str(value)) > quantity.value(str(limits[key])):
            why = f"must be less than or equal to {key} limit of {limits[key]}"
            yield bad(f"{path}.resources.requests", str(value), why)


def probe_errors(probe: Json, path: str, key: str) -> Iterator[str]:
    """validateProbe: one handler, no negative times."""
    handlers = [h for h in ("exec", "httpGet", "tcpSocket", "grpc") if probe.get(h) is not None]
    if not handlers:
        yield required(path, "must specify a handler type")
    for extra in handlers[1:]:
        yield forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")
    for name in (
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ):
        if int(probe.get(name) or 0) < 0:
            yield bad(f"{path}.{name}", probe[name], NEGATIVE)
    if key != "readinessProbe" and int(probe.get("successThreshold") or 1) != 1:
        yield bad(f"{path}.successThreshold", probe["successThreshold"], "must be 1")
    for handler in handlers[:1]:
        row = probe[handler]
        if handler == "exec" and not row.get("command"):
            yield required(f"{path}.exec.command")
        elif handler in ("httpGet", "tcpSocket"):
            yield from port_number_or_name_errors(row.get("port"), f"{path}.{handler}.port")


def port_errors(
    container: Json, path: str, host_ports: set[tuple[str, str, int]], spec: Json
) -> Iterator[str]:
    """validateContainerPorts and the clash of host ports in one pod."""
    names: set[str] = set()
    for i, port in enumerate(container.get("ports") or ()):
        where = f"{path}.ports[{i}]"
        if name := port.get("name"):
            if len(name) > 15:
                yield f'{where}.name: Invalid value: "{name}": must be no more than 15 characters'
            elif not PORT_NAME.fullmatch(name) or not any(c.isalpha() for c in name):
                why = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
                yield f'{where}.name: Invalid value: "{name}": {why}'
            elif name in names:
                yield f'{where}.name: Duplicate value: "{name}"'
            names.add(name)
        number = port.get("containerPort")
        if number is None or number == 0:
            yield f"{where}.containerPort: Required value"
        elif not 0 < number < 65536:
            yield f"{where}.containerPort: Invalid value: {number}: must be between 1 and 65535, inclusive"
        host = port.get("hostPort")
        if host is not None and host != 0 and not 0 < host < 65536:
            yield f"{where}.hostPort: Invalid value: {host}: must be between 1 and 65535, inclusive"
        if spec.get("hostNetwork") and host and host != number:
            yield f"{where}.hostPort: Invalid value: {host}: must match `containerPort` when `hostNetwork` is true"
        proto = port.get("protocol", "TCP")
        if proto not in ("TCP", "UDP", "SCTP"):
            yield f'{where}.protocol: Unsupported value: "{proto}": supported values: "SCTP", "TCP", "UDP"'
        if host:
            key = (proto, str(port.get("hostIP", "")), int(host))
            if key in host_ports:
                yield (
                    f'{where}.hostPort: Duplicate value: "{key[1]}/{proto}/{host}"'
                    if key[1]
                    else f'{where}.hostPort: Duplicate value: "{proto}//{host}"'
                )
            host_ports.add(key)


FORBIDDEN_UPDATE = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def pod_update(old: Json, new: Json) -> None:
    """Refuse a change of a running Pod's spec that Kubernetes refuses."""
    errors = [FORBIDDEN_UPDATE] if comparable(old) != comparable(new) else []
    before, after = (spec_of(b).get("tolerations") or [] for b in (old, new))
    for row in before:
        if not any(same_toleration(row, other) for other in after):
            why = "existing toleration can not be modified except its tolerationSeconds"
            errors.append(forbidden("spec.tolerations", why))
            break
    if errors:
        raise invalid(new, errors)


def same_toleration(a: Json, b: Json) -> bool:
    """The same but for its seconds."""
    return all(a.get(k, "") == b.get(k, "") for k in ("key", "operator", "value", "effect"))


def comparable(pod: Json) -> Json:
    """A pod's spec without what may change, and without what the server itself put in."""
    spec = edited(spec_of(pod))
    for key in ("nodeName", "tolerations", "activeDeadlineSeconds", "terminationGracePeriodSeconds"):
        spec.pop(key, None)
    spec["volumes"] = [
        v for v in spec.get("volumes") or () if not str(v.get("name", "")).startswith("kube-api-access-")
    ]
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        container.pop("image", None)
        mounts = container.get("volumeMounts") or ()
        container["volumeMounts"] = [
            m for m in mounts if not str(m.get("name", "")).startswith("kube-api-access-")
        ]
    return spec


def merged_pod_spec(old: Json, new: Json) -> Json:
    """The old spec with the new images and tolerations."""
    spec = edited(spec_of(old))
    for key in ("containers", "initContainers"):
        images = {c["name"]: c["image"] for c in spec_of(new).get(key) or ()}
        for container in spec.get(key) or ():
            container["image"] = images.get(container["name"], container["image"])
    for key in ("tolerations", "activeDeadlineSeconds", "terminationGracePeriodSeconds"):
        if key in spec_of(new):
            spec[key] = spec_of(new)[key]
    return spec
