"""What the model does with each field of a Pod: modelled, harmless, or refused by name.

Rules. Every field of PodSpec and Container in `schema.py` stands in exactly one of the three tables (a test
compares them). Harmless means: true Kubernetes does something with it, none of it changes what packets do, and it
is kept and shown. Refused means: it would change the network, the placing or the life of the pod, and the model
does not know it; the pod is made without it and `Cluster.skipped` says so by name.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.kube.objects import Json
from engine.say import Phrase, Said

MODELLED: dict[str, frozenset[str]] = {
    "PodSpec": frozenset({
        "initContainers", "containers", "restartPolicy", "dnsPolicy", "nodeSelector", "nodeName", "hostNetwork",
        "hostPID", "hostIPC", "shareProcessNamespace", "hostname", "subdomain", "tolerations", "hostAliases",
        "dnsConfig", "affinity", "securityContext", "terminationGracePeriodSeconds", "readinessGates",
        "enableServiceLinks", "topologySpreadConstraints",
    }),
    "Container": frozenset({
        "name", "image", "command", "args", "ports", "env", "envFrom", "imagePullPolicy", "stdin", "tty",
        "stdinOnce", "securityContext", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle",
    }),
}  # fmt: skip

STORAGE = Phrase(
    en="storage: what is in a volume does not change where packets go",
    ko="저장소: 볼륨의 내용은 패킷이 가는 길을 바꾸지 않습니다",
)
RESOURCES = Phrase(
    en="resources: nodes of a lab have room for every pod",
    ko="자원: 실습의 노드에는 모든 파드를 위한 자리가 있습니다",
)
ACCESS = Phrase(
    en="accounts and pull secrets: the lab's API server and registries ask nobody who they are",
    ko="계정과 풀 시크릿: 실습의 API 서버와 레지스트리는 신원을 묻지 않습니다",
)
ORDER = Phrase(
    en="priority: no pod of a lab has to make room for another",
    ko="우선순위: 실습에서는 다른 파드에 자리를 내줄 일이 없습니다",
)
INSIDE = Phrase(
    en="what a program sees inside its container, not what the network does",
    ko="프로그램이 컨테이너 안에서 보는 것이며 네트워크의 동작이 아닙니다",
)

HARMLESS: dict[str, dict[str, Phrase]] = {
    "PodSpec": {
        "volumes": STORAGE, "serviceAccountName": ACCESS,
        "serviceAccount": ACCESS, "automountServiceAccountToken": ACCESS, "imagePullSecrets": ACCESS,
        "schedulerName": ORDER, "priorityClassName": ORDER, "priority": ORDER, "preemptionPolicy": ORDER,
        "os": INSIDE, "resources": RESOURCES, "overhead": RESOURCES,
    },
    "Container": {
        "workingDir": INSIDE, "resources": RESOURCES, "resizePolicy": RESOURCES, "volumeMounts": STORAGE,
        "volumeDevices": STORAGE, "terminationMessagePath": INSIDE, "terminationMessagePolicy": INSIDE,
    },
}  # fmt: skip

REFUSED: dict[str, frozenset[str]] = {
    "PodSpec": frozenset({
        "ephemeralContainers", "activeDeadlineSeconds", "runtimeClassName",
        "setHostnameAsFQDN", "hostUsers", "schedulingGates", "resourceClaims",
        "hostnameOverride", "workloadRef",
    }),
    "Container": frozenset({"restartPolicy", "restartPolicyRules"}),
}  # fmt: skip

#: Parts of modelled fields that are refused.
REFUSED_PARTS = (("securityContext", "sysctls"),)

#: Fields of a workload's own spec that are refused.
WORKLOAD: dict[str, tuple[str, ...]] = {
    "Job": ("podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes", "managedBy"),
    "StatefulSet": ("volumeClaimTemplates",),
}

PART_SKIPPED = Phrase(
    en="the field {field} is not modelled; the pod runs without it",
    ko="{field} 필드는 이 모델에 없어서 파드는 이 필드 없이 실행됩니다",
)


def skipped_of_workload(body: Json) -> Iterator[tuple[str, Said]]:
    """(path below spec, what to say) for every refused field of a workload's own spec."""
    spec = body.get("spec") or {}
    for field in WORKLOAD.get(str(body["kind"]), ()):
        if spec.get(field) not in (None, [], {}):
            yield field, PART_SKIPPED(field=f"spec.{field}")


def skipped_fields(spec: Json) -> Iterator[tuple[str, Said]]:
    """(path below spec, what to say) for every refused field that a pod's spec uses."""
    for field in sorted(REFUSED["PodSpec"]):
        if field in spec and spec[field] not in (None, [], {}, False):
            if field == "hostUsers":
                continue
            yield field, PART_SKIPPED(field=f"spec.{field}")
    if spec.get("hostUsers") is False:
        yield "hostUsers", PART_SKIPPED(field="spec.hostUsers")
    for head, part in REFUSED_PARTS:
        if (spec.get(head) or {}).get(part):
            yield f"{head}.{part}", PART_SKIPPED(field=f"spec.{head}.{part}")
    for kind in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(kind) or ()):
            for field in sorted(REFUSED["Container"]):
                if container.get(field):
                    yield f"{kind}[{i}].{field}", PART_SKIPPED(field=f"spec.{kind}[{i}].{field}")
