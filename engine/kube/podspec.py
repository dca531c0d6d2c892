"""The defaults that the API server writes into a Pod (pkg/apis/core/v1/defaults.go), and small readers of specs."""

from __future__ import annotations

from collections.abc import Iterator

from engine.kube.ids import Ids, life_of
from engine.kube.objects import Json, meta, name_of, namespace_of, spec_of

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"


def default_pod(body: Json, ids: Ids) -> None:
    """Fill in a new Pod, in place: its own defaults and those of the ServiceAccount and toleration admission."""
    spec = body.setdefault("spec", {})
    default_template(spec)
    for container in every_container(spec):
        # SetDefaults_Pod: a limit is the request of who names none
        for key, value in (container["resources"].get("limits") or {}).items():
            container["resources"].setdefault("requests", {}).setdefault(key, value)
    if not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = "default"
    spec["serviceAccount"] = spec["serviceAccountName"]
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("enableServiceLinks", True)
    tolerations = spec.setdefault("tolerations", [])
    for key in (NOT_READY, UNREACHABLE):
        if not any(
            t.get("key") in (key, None, "") and t.get("effect") in ("NoExecute", None, "")
            for t in tolerations
        ):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            )
    if spec.get("automountServiceAccountToken", True) and not any(
        m.get("mountPath") == TOKEN_PATH for c in spec["containers"] for m in c.get("volumeMounts") or ()
    ):
        name = TOKEN + ids.token(life_of("Pod", namespace_of(body), name_of(body)))
        spec.setdefault("volumes", []).append(
            {"name": name, "projected": {"defaultMode": 420, "sources": TOKEN_SOURCES}}
        )
        for container in every_container(spec):
            container.setdefault("volumeMounts", []).append(
                {"name": name, "mountPath": TOKEN_PATH, "readOnly": True}
            )
    body["status"] = {"phase": "Pending", "qosClass": qos(spec)}


def twin(body: Json, name: str, ids: Ids) -> Json:
    """A new Pod that differs from one that was made a moment ago by its name and what is drawn for it; everything
    else is shared. `body` is as the store has it: what the store filled in is left out."""
    old = {k: v for k, v in body["metadata"].items() if k not in FILLED}
    spec = dict(body["spec"])
    volumes = spec.get("volumes")
    if volumes and (was := str(volumes[-1].get("name", ""))).startswith(TOKEN):
        now = TOKEN + ids.token(life_of("Pod", namespace_of(body), name))
        spec["volumes"] = [*volumes[:-1], {**volumes[-1], "name": now}]
        for kind in ("initContainers", "containers"):
            if spec.get(kind):
                spec[kind] = [
                    {
                        **c,
                        "volumeMounts": [
                            m if m["name"] != was else {**m, "name": now} for m in c["volumeMounts"]
                        ],
                    }
                    if c.get("volumeMounts")
                    else c
                    for c in spec[kind]
                ]
    return {**body, "metadata": {**old, "name": name}, "spec": spec}


TOKEN = "kube-api-access-"
FILLED = ("uid", "resourceVersion", "creationTimestamp", "generation")
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SOURCES: list[Json] = [
    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
    {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
    {
        "downwardAPI": {
            "items": [
                {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"}
            ]
        }
    },
]


def default_template(spec: Json) -> None:
    """The defaults that a pod template gets too."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    for container in every_container(spec):
        image = str(container.get("image", ""))
        container.setdefault("imagePullPolicy", "Always" if latest(image) else "IfNotPresent")
        container.setdefault("resources", {})
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        for probe in (container.get(k) for k in ("livenessProbe", "readinessProbe", "startupProbe")):
            if probe:
                defaults = {
                    "timeoutSeconds": 1,
                    "periodSeconds": 10,
                    "successThreshold": 1,
                    "failureThreshold": 3,
                }
                probe.update({k: v for k, v in defaults.items() if not probe.get(k)})
                if probe.get("httpGet"):
                    probe["httpGet"].setdefault("scheme", "HTTP")
        for port in container.get("ports") or ():
            port.setdefault("protocol", "TCP")
            if spec.get("hostNetwork"):
                port.setdefault("hostPort", port.get("containerPort"))


def latest(image: str) -> bool:
    """Does this name ask for the tag `latest`, said or unsaid?"""
    if "@" in image:
        return False
    tail = image.rsplit("/", 1)[-1]
    return ":" not in tail or tail.endswith(":latest")


def every_container(spec: Json) -> Iterator[Json]:
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def qos(spec: Json) -> str:
    """The QoS class: Guaranteed, Burstable or BestEffort (core/v1/helper/qos)."""
    rows = [c.get("resources") or {} for c in every_container(spec)]
    if not any(r.get("requests") or r.get("limits") for r in rows):
        return "BestEffort"
    for r in rows:
        limits = r.get("limits") or {}
        requests = r.get("requests") or limits
        if any(
            key not in limits or requests.get(key, limits[key]) != limits[key] for key in ("cpu", "memory")
        ):
            return "Burstable"
    return "Guaranteed"


def host_ports(spec: Json) -> set[tuple[str, str, int]]:
    """(protocol, hostIP, port) of every hostPort."""
    return {
        (str(p.get("protocol", "TCP")), str(p.get("hostIP") or "0.0.0.0"), int(p["hostPort"]))
        for c in spec.get("containers") or ()
        for p in c.get("ports") or ()
        if p.get("hostPort")
    }


def ports_clash(mine: set[tuple[str, str, int]], others: set[tuple[str, str, int]]) -> bool:
    """NodePorts filter: the same port and protocol, and one of both on every address or on the same."""
    return any(
        a[0] == b[0] and a[2] == b[2] and (a[1] == b[1] or "0.0.0.0" in (a[1], b[1]))
        for a in mine
        for b in others
    )


def full_name(body: Json) -> str:
    """`NAME_NAMESPACE(UID)`, as kubelet's messages name a pod."""
    return f"{name_of(body)}_{namespace_of(body)}({meta(body).get('uid', '')})"


def finished(body: Json) -> bool:
    return (body.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def on_node(body: Json) -> str:
    return str(spec_of(body).get("nodeName") or "")
