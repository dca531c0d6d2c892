"""What the API server refuses, in its words: decoding, names, Pods, workloads (pkg/apis/core/validation).

Rules. `check` raises `Refused` with everything that is wrong with one object. Only fields that the model knows are
judged; the rest of an object passes as it is. Defaults of workloads stand here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.kube import schema
from engine.kube.fields import skipped_fields
from engine.kube.objects import Json, edited, labels_of, meta, name_of, spec_of
from engine.kube.podspec import default_template
from engine.kube.select import matches
from engine.say import Said, plain

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
PORT_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_KINDS = ("Namespace",)
POLICIES = ("Always", "Never", "OnFailure")
TEMPLATES = ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job")


class Refused(Exception):
    """The API server says no. `reason` is BadRequest, Invalid ...; `causes` its list of field errors."""

    def __init__(self, reason: str, message: str, causes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.causes = causes

    def reasons(self) -> list[Said]:
        """One sentence a cause, for a file's list of problems."""
        if self.reason != "Invalid":
            return [plain(self.message)]
        head = self.message.split(" is invalid")[0]
        return [plain(f"{head} is invalid: {c}") for c in self.causes]


def bad_request(body: Json, text: str) -> Refused:
    kind, version = str(body.get("kind", "")), str(body.get("apiVersion", "")).rpartition("/")[2]
    return Refused("BadRequest", f'{kind} in version "{version}" cannot be handled as a {kind}: {text}')


def type_meta(body: Json) -> None:
    """apiVersion and kind must be there (the decoder's own words)."""
    import json

    for key, word in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not isinstance(body.get(key), str) or not body[key]:
            shown = json.dumps(body, separators=(",", ":"))
            raise Refused("Decode", f"Object '{word}' is missing in '{shown}'")


def check(body: Json) -> None:
    """Raise Refused unless the API server would take this object."""
    type_meta(body)
    found = schema.decode(body, str(body["kind"]))
    if found.wrong:
        raise bad_request(body, found.wrong)
    if found.unknown:
        listed = ", ".join(f'unknown field "{p}"' for p in found.unknown)
        raise bad_request(body, f"strict decoding error: {listed}")
    errors = list(field_errors(body))
    if errors:
        raise invalid(body, errors)


def invalid(body: Json, errors: list[str]) -> Refused:
    name = name_of(body)
    text = errors[0] if len(errors) == 1 else "".join(f"\n* {e}" for e in errors)
    kind = str(body["kind"])
    return Refused("Invalid", f'The {kind} "{name}" is invalid: {text}', tuple(errors))


def parts_not_modelled(body: Json) -> Iterator[tuple[str, Said]]:
    """Fields of a Pod, or of a workload's template, that the model leaves out."""
    if body["kind"] == "Pod":
        yield from skipped_fields(spec_of(body))
    elif body["kind"] in TEMPLATES:
        yield from skipped_fields(spec_of(spec_of(body).get("template") or {}))


def field_errors(body: Json) -> Iterator[str]:
    kind = str(body["kind"])
    yield from name_errors(body)
    yield from label_errors(labels_of(body), "metadata.labels")
    if kind == "Pod":
        yield from pod_spec_errors(spec_of(body), "spec")
    elif kind in TEMPLATES:
        yield from workload_errors(body)


def name_errors(body: Json) -> Iterator[str]:
    m = meta(body)
    name = m.get("name", "")
    if not name:
        if not m.get("generateName"):
            yield "metadata.name: Required value: name or generateName is required"
        return
    label = body["kind"] in LABEL_KINDS
    if label and (len(name) > 63 or not LABEL.fullmatch(name)):
        yield f'metadata.name: Invalid value: "{name}": {LABEL_TEXT}'
    elif not label and body["kind"] not in (
        "Role",
        "RoleBinding",
        "ClusterRole",
        "ClusterRoleBinding",
        "Event",
    ):
        if len(name) > 253:
            yield f'metadata.name: Invalid value: "{name}": must be no more than 253 characters'
        elif not SUBDOMAIN.fullmatch(name):
            yield f'metadata.name: Invalid value: "{name}": {SUBDOMAIN_TEXT}'


LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def label_errors(labels: Json, path: str) -> Iterator[str]:
    for value in labels.values():
        if isinstance(value, str) and not LABEL_VALUE.fullmatch(value):
            yield f'{path}: Invalid value: "{value}": {LABEL_VALUE_TEXT}'
        elif isinstance(value, str) and len(value) > 63:
            yield f'{path}: Invalid value: "{value}": must be no more than 63 characters'


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
    if spec.get("hostPID") and spec.get("shareProcessNamespace"):
        why = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield f"{path}.shareProcessNamespace: Invalid value: true: {why}"
    for i, toleration in enumerate(spec.get("tolerations") or ()):
        yield from toleration_errors(toleration, f"{path}.tolerations[{i}].operator")


def toleration_errors(toleration: Json, path: str) -> Iterator[str]:
    operator = toleration.get("operator") or "Equal"
    if operator not in ("Equal", "Exists"):
        yield f'{path}: Unsupported value: "{operator}": supported values: "Equal", "Exists"'
    elif operator == "Exists" and toleration.get("value"):
        yield f"{path}: Invalid value: {golang(toleration)}: value must be empty when `operator` is 'Exists'"
    elif not toleration.get("key") and operator != "Exists":
        why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield f'{path}: Invalid value: "{operator}": {why}'


def quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f'"{w}"' for w in sorted(words))


def golang(toleration: Json) -> str:
    return f'core.Toleration{{Key:"{toleration.get("key", "")}", Operator:"Exists"}}'


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


def workload_errors(body: Json) -> Iterator[str]:
    """The selector and the template of a workload."""
    kind, spec = str(body["kind"]), spec_of(body)
    template = spec.get("template") or {}
    labels = labels_of(template)
    if kind != "Job":
        selector = spec.get("selector")
        if not selector:
            yield "spec.selector: Required value"
        if (selector and not matches(selector, labels)) or (selector is None and labels):
            shown = (
                "{" + ",".join(f'"{k}":"{v}"' for k, v in sorted(labels.items())) + "}" if labels else "null"
            )
            yield f"spec.template.metadata.labels: Invalid value: {shown}: `selector` does not match template `labels`"
    yield from pod_spec_errors(spec_of(template), "spec.template.spec")
    policy = spec_of(template).get("restartPolicy", "Always")
    if kind == "Job":
        if policy == "Always":
            yield 'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'
    elif policy in POLICIES and policy != "Always":
        yield f'spec.template.spec.restartPolicy: Unsupported value: "{policy}": supported values: "Always"'
    replicas = spec.get("replicas")
    if replicas is not None and replicas < 0:
        yield f"spec.replicas: Invalid value: {replicas}: must be greater than or equal to 0"


def default(body: Json) -> None:
    """Defaults of the workload kinds, in place."""
    kind = str(body["kind"])
    if kind not in TEMPLATES:
        return
    spec = body["spec"]
    default_template(spec["template"]["spec"])
    spec["template"].setdefault("metadata", {})
    if kind in ("Deployment", "ReplicaSet", "StatefulSet"):
        spec.setdefault("replicas", 1)
    if kind == "Deployment":
        spec.setdefault(
            "strategy",
            {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}, "type": "RollingUpdate"},
        )
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)
    elif kind == "DaemonSet":
        spec.setdefault(
            "updateStrategy", {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}, "type": "RollingUpdate"}
        )
        spec.setdefault("revisionHistoryLimit", 10)
    elif kind == "StatefulSet":
        spec.setdefault("podManagementPolicy", "OrderedReady")
        spec.setdefault("updateStrategy", {"rollingUpdate": {"partition": 0}, "type": "RollingUpdate"})
        spec.setdefault("revisionHistoryLimit", 10)
    elif kind == "Job":
        spec.setdefault("backoffLimit", 6)
        spec.setdefault("completionMode", "NonIndexed")
        spec.setdefault("completions", spec.get("parallelism", 1))
        spec.setdefault("parallelism", 1)
        spec.setdefault("suspend", False)


FORBIDDEN_UPDATE = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def pod_update(old: Json, new: Json) -> None:
    """Refuse a change of a running Pod's spec that Kubernetes refuses."""
    left, right = comparable(old), comparable(new)
    if left != right:
        raise invalid(new, [FORBIDDEN_UPDATE])


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
    return spec
