"""The API's types as far as the model checks them: field names and types, for strict decoding.

Rules. One entry a Go struct: `Name: field type, field type`, going on in indented lines.
`[]T` is a list, `{}T` a map of strings to T, `?` any
JSON (a part that the API server checks and the model does not). Decoding reports what the API server reports with
fieldValidation=Strict. Source: k8s.io/api core/v1, apps/v1, batch/v1 (1.35).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from engine.kube.objects import Json

TEXT = """
ObjectMeta: name str, generateName str, namespace str, selfLink str, uid str, resourceVersion str, generation int64,
  creationTimestamp str, deletionTimestamp str, deletionGracePeriodSeconds int64, labels {}str, annotations {}str,
  ownerReferences ?, finalizers []str, managedFields ?
Pod: apiVersion str, kind str, metadata ObjectMeta, spec PodSpec, status ?
Namespace: apiVersion str, kind str, metadata ObjectMeta, spec ?, status ?
Node: apiVersion str, kind str, metadata ObjectMeta, spec NodeSpec, status ?
NodeSpec: podCIDR str, podCIDRs []str, providerID str, unschedulable bool, taints []Taint, configSource ?,
  externalID str
Taint: key str, value str, effect str, timeAdded str
Service: apiVersion str, kind str, metadata ObjectMeta, spec ServiceSpec, status ServiceStatus
ServiceSpec: ports []ServicePort, selector {}str, clusterIP str, clusterIPs []str, type str, externalIPs []str,
  sessionAffinity str, loadBalancerIP str, loadBalancerSourceRanges []str, externalName str, externalTrafficPolicy str,
  healthCheckNodePort int32, publishNotReadyAddresses bool, sessionAffinityConfig ?, ipFamilies []str,
  ipFamilyPolicy str, allocateLoadBalancerNodePorts bool, loadBalancerClass str, internalTrafficPolicy str,
  trafficDistribution str
ServicePort: name str, protocol str, appProtocol str, port int32, targetPort intstr, nodePort int32
ServiceStatus: loadBalancer LoadBalancerStatus, conditions ?
LoadBalancerStatus: ingress []LoadBalancerIngress
LoadBalancerIngress: ip str, hostname str, ipMode str, ports ?
ConfigMap: apiVersion str, kind str, metadata ObjectMeta, data {}str, binaryData {}str, immutable bool
Secret: apiVersion str, kind str, metadata ObjectMeta, data {}str, stringData {}str, type str, immutable bool
PodTemplateSpec: metadata ObjectMeta, spec PodSpec
LabelSelector: matchLabels {}str, matchExpressions []LabelSelectorRequirement
LabelSelectorRequirement: key str, operator str, values []str
Deployment: apiVersion str, kind str, metadata ObjectMeta, spec DeploymentSpec, status ?
DeploymentSpec: replicas int32, selector LabelSelector, template PodTemplateSpec, strategy ?, minReadySeconds int32,
  revisionHistoryLimit int32, paused bool, progressDeadlineSeconds int32
ReplicaSet: apiVersion str, kind str, metadata ObjectMeta, spec ReplicaSetSpec, status ?
ReplicaSetSpec: replicas int32, minReadySeconds int32, selector LabelSelector, template PodTemplateSpec
DaemonSet: apiVersion str, kind str, metadata ObjectMeta, spec DaemonSetSpec, status ?
DaemonSetSpec: selector LabelSelector, template PodTemplateSpec, updateStrategy ?, minReadySeconds int32,
  revisionHistoryLimit int32
StatefulSet: apiVersion str, kind str, metadata ObjectMeta, spec StatefulSetSpec, status ?
StatefulSetSpec: replicas int32, selector LabelSelector, template PodTemplateSpec, volumeClaimTemplates ?,
  serviceName str, podManagementPolicy str, updateStrategy ?, revisionHistoryLimit int32, minReadySeconds int32,
  persistentVolumeClaimRetentionPolicy ?, ordinals ?
Job: apiVersion str, kind str, metadata ObjectMeta, spec JobSpec, status ?
JobSpec: parallelism int32, completions int32, activeDeadlineSeconds int64, podFailurePolicy ?, successPolicy ?,
  backoffLimit int32, backoffLimitPerIndex int32, maxFailedIndexes int32, selector LabelSelector, manualSelector
  bool, template PodTemplateSpec, ttlSecondsAfterFinished int32, completionMode str, suspend bool,
  podReplacementPolicy str, managedBy str
PodSpec: volumes []Volume, initContainers []Container, containers []Container, ephemeralContainers ?, restartPolicy
  str, terminationGracePeriodSeconds int64, activeDeadlineSeconds int64, dnsPolicy str, nodeSelector {}str,
  serviceAccountName str, serviceAccount str, automountServiceAccountToken bool, nodeName str, hostNetwork bool,
  hostPID bool, hostIPC bool, shareProcessNamespace bool, securityContext PodSecurityContext, imagePullSecrets
  []LocalObjectReference, hostname str, subdomain str, affinity Affinity, schedulerName str, tolerations
  []Toleration, hostAliases []HostAlias, priorityClassName str, priority int32, dnsConfig PodDNSConfig,
  readinessGates ?, runtimeClassName str, enableServiceLinks bool, preemptionPolicy str, overhead ?,
  topologySpreadConstraints []TopologySpreadConstraint, setHostnameAsFQDN bool, os ?, hostUsers bool,
  schedulingGates ?, resourceClaims ?, resources ResourceRequirements, hostnameOverride str, workloadRef ?
LocalObjectReference: name str
HostAlias: ip str, hostnames []str
Toleration: key str, operator str, value str, effect str, tolerationSeconds int64
PodDNSConfig: nameservers []str, searches []str, options []PodDNSConfigOption
PodDNSConfigOption: name str, value str
Affinity: nodeAffinity NodeAffinity, podAffinity PodAffinity, podAntiAffinity PodAntiAffinity
NodeAffinity: requiredDuringSchedulingIgnoredDuringExecution NodeSelector,
  preferredDuringSchedulingIgnoredDuringExecution []PreferredSchedulingTerm
NodeSelector: nodeSelectorTerms []NodeSelectorTerm
NodeSelectorTerm: matchExpressions []NodeSelectorRequirement, matchFields []NodeSelectorRequirement
NodeSelectorRequirement: key str, operator str, values []str
PreferredSchedulingTerm: weight int32, preference NodeSelectorTerm
PodAffinity: requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm,
  preferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm
PodAntiAffinity: requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm,
  preferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm
WeightedPodAffinityTerm: weight int32, podAffinityTerm PodAffinityTerm
PodAffinityTerm: labelSelector LabelSelector, namespaces []str, topologyKey str, namespaceSelector LabelSelector,
  matchLabelKeys []str, mismatchLabelKeys []str
TopologySpreadConstraint: maxSkew int32, topologyKey str, whenUnsatisfiable str, labelSelector LabelSelector,
  minDomains int32, nodeAffinityPolicy str, nodeTaintsPolicy str, matchLabelKeys []str
PodSecurityContext: seLinuxOptions ?, windowsOptions ?, runAsUser int64, runAsGroup int64, runAsNonRoot bool,
  supplementalGroups []int64, supplementalGroupsPolicy str, fsGroup int64, sysctls []Sysctl, fsGroupChangePolicy
  str, seccompProfile ?, appArmorProfile ?, seLinuxChangePolicy str
Sysctl: name str, value str
Container: name str, image str, command []str, args []str, workingDir str, ports []ContainerPort, envFrom
  []EnvFromSource, env []EnvVar, resources ResourceRequirements, resizePolicy ?, restartPolicy str,
  restartPolicyRules ?, volumeMounts []VolumeMount, volumeDevices ?, livenessProbe Probe, readinessProbe Probe,
  startupProbe Probe, lifecycle Lifecycle, terminationMessagePath str, terminationMessagePolicy str, imagePullPolicy
  str, securityContext SecurityContext, stdin bool, stdinOnce bool, tty bool
ContainerPort: name str, hostPort int32, containerPort int32, protocol str, hostIP str
EnvFromSource: prefix str, configMapRef ConfigMapEnvSource, secretRef SecretEnvSource
ConfigMapEnvSource: name str, optional bool
SecretEnvSource: name str, optional bool
EnvVar: name str, value str, valueFrom EnvVarSource
EnvVarSource: fieldRef ObjectFieldSelector, resourceFieldRef ?, configMapKeyRef ConfigMapKeySelector, secretKeyRef
  SecretKeySelector, fileKeyRef ?
ObjectFieldSelector: apiVersion str, fieldPath str
ConfigMapKeySelector: name str, key str, optional bool
SecretKeySelector: name str, key str, optional bool
ResourceRequirements: limits {}quantity, requests {}quantity, claims ?
VolumeMount: name str, readOnly bool, recursiveReadOnly str, mountPath str, subPath str, mountPropagation str,
  subPathExpr str
Volume: name str, hostPath ?, emptyDir ?, gcePersistentDisk ?, awsElasticBlockStore ?, gitRepo ?, secret ?, nfs ?,
  iscsi ?, glusterfs ?, persistentVolumeClaim ?, rbd ?, flexVolume ?, cinder ?, cephfs ?, flocker ?, downwardAPI ?,
  fc ?, azureFile ?, configMap ?, vsphereVolume ?, quobyte ?, azureDisk ?, photonPersistentDisk ?, projected ?,
  portworxVolume ?, scaleIO ?, storageos ?, csi ?, ephemeral ?, image ?
Probe: exec ExecAction, httpGet HTTPGetAction, tcpSocket TCPSocketAction, grpc ?, initialDelaySeconds int32,
  timeoutSeconds int32, periodSeconds int32, successThreshold int32, failureThreshold int32,
  terminationGracePeriodSeconds int64
ExecAction: command []str
HTTPGetAction: path str, port intstr, host str, scheme str, httpHeaders []HTTPHeader
HTTPHeader: name str, value str
TCPSocketAction: port intstr, host str
Lifecycle: postStart ?, preStop ?, stopSignal str
SecurityContext: capabilities Capabilities, privileged bool, seLinuxOptions ?, windowsOptions ?, runAsUser int64,
  runAsGroup int64, runAsNonRoot bool, readOnlyRootFilesystem bool, allowPrivilegeEscalation bool, procMount str,
  seccompProfile ?, appArmorProfile ?
Capabilities: add []str, drop []str
"""

GO_NAMES = {"str": "string", "bool": "bool", "int32": "int32", "int64": "int64"}


@cache
def types() -> dict[str, dict[str, str]]:
    """struct -> field -> type."""
    out: dict[str, dict[str, str]] = {}
    for line in TEXT.strip().replace("\n  ", " ").splitlines():
        name, _, fields = line.partition(": ")
        out[name] = dict((f.split(" ")[0], f.split(" ")[1]) for f in fields.split(", "))
    return out


class Decoding:
    """What is wrong with one object: `unknown` field paths, and `wrong`, the first type error as Go words it."""

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self.wrong = ""


def decode(body: Json, kind: str) -> Decoding:
    """Check an object against its kind's type; of a kind without one only the metadata is checked."""
    found = Decoding()
    if kind in types():
        _struct(body, kind, "", "", found)
    else:
        _value(body.get("metadata"), "ObjectMeta", kind, "metadata", "metadata", found)
    return found


def cleaned(value: Any) -> Any:
    """JSON nulls as Go's decoder takes them: a null field is absent, a null element is a zero value."""
    if isinstance(value, dict):
        return {k: cleaned(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        zero: Any = "" if any(isinstance(v, str) for v in value) else {}
        return [zero if v is None else cleaned(v) for v in value]
    return value


def _struct(value: object, name: str, path: str, go_path: str, out: Decoding) -> None:
    if not isinstance(value, dict):
        return
    fields = types()[name]
    for key, child in value.items():
        at = f"{path}.{key}" if path else key
        go_at = f"{go_path}.{key}" if go_path else key
        if key not in fields:
            out.unknown.append(at)
        else:
            _value(child, fields[key], name, at, go_at, out)


def _value(value: object, kind: str, owner: str, path: str, go_path: str, out: Decoding) -> None:
    if value is None or kind == "?":
        return
    if kind.startswith("[]"):
        if not isinstance(value, list):
            return _wrong(value, owner, go_path, "[]" + go_name(kind[2:]), out)
        for i, child in enumerate(value):
            _value(child, kind[2:], owner, f"{path}[{i}]", go_path, out)
    elif kind.startswith("{}"):
        if not isinstance(value, dict):
            return _wrong(value, owner, go_path, "map[string]" + go_name(kind[2:]), out)
        for child in value.values():
            _value(child, kind[2:], owner, path, go_path, out)
    elif kind in types():
        if not isinstance(value, dict):
            return _wrong(value, owner, go_path, go_name(kind), out)
        _struct(value, kind, path, go_path, out)
    elif not _fits(value, kind):
        _wrong(value, owner, go_path, go_name(kind), out)
    return None


def _fits(value: object, kind: str) -> bool:
    if kind == "bool":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind == "str":
        return isinstance(value, str)
    if kind in ("int32", "int64"):
        limit = 2 ** (31 if kind == "int32" else 63)
        return isinstance(value, int) and -limit <= value < limit
    if kind in ("intstr", "quantity"):
        return isinstance(value, int | str | float)
    return True


def go_name(kind: str) -> str:
    if kind in GO_NAMES:
        return GO_NAMES[kind]
    package = "v1"
    return f"{package}.{kind}"


def _wrong(value: object, owner: str, path: str, wanted: str, out: Decoding) -> None:
    if out.wrong:
        return
    if isinstance(value, bool):
        found = "bool"
    elif isinstance(value, int | float):
        found = "number" if not wanted.startswith("int") else f"number {value}"
    elif isinstance(value, str):
        found = "string"
    else:
        found = "array" if isinstance(value, list) else "object"
    out.wrong = f"json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}"
