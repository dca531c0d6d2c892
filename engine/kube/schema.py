"""The API's types as far as the model checks them: field names and types, for strict decoding.

Rules. One entry a Go struct: `Name: field type, field type`, going on in indented lines.
`[]T` is a list, `{}T` a map of strings to T, `?` any
JSON (a part that the API server checks and the model does not). Decoding reports what the API server reports with
fieldValidation=Strict. Two structs of one name in different groups get a word in front (CoreEndpointPort is core/v1's
EndpointPort). Source: k8s.io/api (1.35).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from engine.kube.objects import Json

TEXT = """
ObjectMeta: name str, generateName str, namespace str, selfLink str, uid str, resourceVersion str, generation int64,
  creationTimestamp str, deletionTimestamp str, deletionGracePeriodSeconds int64, labels {}str, annotations {}str,
  ownerReferences []OwnerReference, finalizers []str, managedFields ?
OwnerReference: apiVersion str, kind str, name str, uid str, controller bool, blockOwnerDeletion bool
Condition: type str, status str, observedGeneration int64, lastTransitionTime str, lastUpdateTime str,
  lastProbeTime str, lastHeartbeatTime str, reason str, message str
ObjectReference: kind str, namespace str, name str, uid str, apiVersion str, resourceVersion str, fieldPath str
TypedLocalObjectReference: apiGroup str, kind str, name str
Pod: apiVersion str, kind str, metadata ObjectMeta, spec PodSpec, status PodStatus
PodStatus: observedGeneration int64, phase str, conditions []Condition, message str, reason str,
  nominatedNodeName str, hostIP str, hostIPs []PodIP, podIP str, podIPs []PodIP, startTime str,
  initContainerStatuses ?, containerStatuses ?, qosClass str, ephemeralContainerStatuses ?, resize str,
  resourceClaimStatuses ?, extendedResourceClaimStatus ?, allocatedResources ?, resources ?
PodIP: ip str
Namespace: apiVersion str, kind str, metadata ObjectMeta, spec NamespaceSpec, status NamespaceStatus
NamespaceSpec: finalizers []str
NamespaceStatus: phase str, conditions []Condition
Node: apiVersion str, kind str, metadata ObjectMeta, spec NodeSpec, status NodeStatus
NodeStatus: capacity {}quantity, allocatable {}quantity, phase str, conditions []Condition, addresses []NodeAddress,
  daemonEndpoints ?, nodeInfo ?, images ?, volumesInUse ?, volumesAttached ?, config ?, runtimeHandlers ?, features ?,
  declaredFeatures ?
NodeAddress: type str, address str
NodeSpec: podCIDR str, podCIDRs []str, providerID str, unschedulable bool, taints []Taint, configSource ?,
  externalID str
Taint: key str, value str, effect str, timeAdded str
Service: apiVersion str, kind str, metadata ObjectMeta, spec ServiceSpec, status ServiceStatus
ServiceSpec: ports []ServicePort, selector {}str, clusterIP str, clusterIPs []str, type str, externalIPs []str,
  sessionAffinity str, loadBalancerIP str, loadBalancerSourceRanges []str, externalName str,
  externalTrafficPolicy str, healthCheckNodePort int32, publishNotReadyAddresses bool,
  sessionAffinityConfig SessionAffinityConfig, ipFamilies []str, ipFamilyPolicy str,
  allocateLoadBalancerNodePorts bool, loadBalancerClass str, internalTrafficPolicy str, trafficDistribution str
ServicePort: name str, protocol str, appProtocol str, port int32, targetPort intstr, nodePort int32
ServiceStatus: loadBalancer LoadBalancerStatus, conditions []Condition
SessionAffinityConfig: clientIP ClientIPConfig
ClientIPConfig: timeoutSeconds int32
LoadBalancerStatus: ingress []LoadBalancerIngress
LoadBalancerIngress: ip str, hostname str, ipMode str, ports []PortStatus
PortStatus: port int32, protocol str, error str
ConfigMap: apiVersion str, kind str, metadata ObjectMeta, data {}str, binaryData {}str, immutable bool
Secret: apiVersion str, kind str, metadata ObjectMeta, data {}str, stringData {}str, type str, immutable bool
PodTemplateSpec: metadata ObjectMeta, spec PodSpec
LabelSelector: matchLabels {}str, matchExpressions []LabelSelectorRequirement
LabelSelectorRequirement: key str, operator str, values []str
Deployment: apiVersion str, kind str, metadata ObjectMeta, spec DeploymentSpec, status DeploymentStatus
DeploymentSpec: replicas int32, selector LabelSelector, template PodTemplateSpec, strategy DeploymentStrategy,
  minReadySeconds int32, revisionHistoryLimit int32, paused bool, progressDeadlineSeconds int32
DeploymentStrategy: type str, rollingUpdate RollingUpdateDeployment
RollingUpdateDeployment: maxUnavailable intstr, maxSurge intstr
DeploymentStatus: observedGeneration int64, replicas int32, updatedReplicas int32, readyReplicas int32,
  availableReplicas int32, unavailableReplicas int32, terminatingReplicas int32, conditions []Condition,
  collisionCount int32
ReplicaSet: apiVersion str, kind str, metadata ObjectMeta, spec ReplicaSetSpec, status ReplicaSetStatus
ReplicaSetStatus: replicas int32, fullyLabeledReplicas int32, readyReplicas int32, availableReplicas int32,
  terminatingReplicas int32, observedGeneration int64, conditions []Condition
ReplicaSetSpec: replicas int32, minReadySeconds int32, selector LabelSelector, template PodTemplateSpec
DaemonSet: apiVersion str, kind str, metadata ObjectMeta, spec DaemonSetSpec, status DaemonSetStatus
DaemonSetSpec: selector LabelSelector, template PodTemplateSpec, updateStrategy DaemonSetUpdateStrategy,
  minReadySeconds int32, revisionHistoryLimit int32
DaemonSetUpdateStrategy: type str, rollingUpdate RollingUpdateDaemonSet
RollingUpdateDaemonSet: maxUnavailable intstr, maxSurge intstr
DaemonSetStatus: currentNumberScheduled int32, numberMisscheduled int32, desiredNumberScheduled int32,
  numberReady int32, observedGeneration int64, updatedNumberScheduled int32, numberAvailable int32,
  numberUnavailable int32, collisionCount int32, conditions []Condition
StatefulSet: apiVersion str, kind str, metadata ObjectMeta, spec StatefulSetSpec, status StatefulSetStatus
StatefulSetUpdateStrategy: type str, rollingUpdate RollingUpdateStatefulSetStrategy
RollingUpdateStatefulSetStrategy: partition int32, maxUnavailable intstr
StatefulSetOrdinals: start int32
StatefulSetPersistentVolumeClaimRetentionPolicy: whenDeleted str, whenScaled str
StatefulSetStatus: observedGeneration int64, replicas int32, readyReplicas int32, currentReplicas int32,
  updatedReplicas int32, currentRevision str, updateRevision str, collisionCount int32, conditions []Condition,
  availableReplicas int32
StatefulSetSpec: replicas int32, selector LabelSelector, template PodTemplateSpec,
  volumeClaimTemplates []PersistentVolumeClaim, serviceName str, podManagementPolicy str,
  updateStrategy StatefulSetUpdateStrategy, revisionHistoryLimit int32, minReadySeconds int32,
  persistentVolumeClaimRetentionPolicy StatefulSetPersistentVolumeClaimRetentionPolicy, ordinals StatefulSetOrdinals
Job: apiVersion str, kind str, metadata ObjectMeta, spec JobSpec, status JobStatus
JobSpec: parallelism int32, completions int32, activeDeadlineSeconds int64, podFailurePolicy ?, successPolicy ?,
  backoffLimit int32, backoffLimitPerIndex int32, maxFailedIndexes int32, selector LabelSelector, manualSelector bool,
  template PodTemplateSpec, ttlSecondsAfterFinished int32, completionMode str, suspend bool, podReplacementPolicy str,
  managedBy str
JobStatus: conditions []Condition, startTime str, completionTime str, active int32, succeeded int32, failed int32,
  terminating int32, completedIndexes str, failedIndexes str, uncountedTerminatedPods ?, ready int32
CronJob: apiVersion str, kind str, metadata ObjectMeta, spec CronJobSpec, status ?
CronJobSpec: schedule str, timeZone str, startingDeadlineSeconds int64, concurrencyPolicy str, suspend bool,
  jobTemplate JobTemplateSpec, successfulJobsHistoryLimit int32, failedJobsHistoryLimit int32
JobTemplateSpec: metadata ObjectMeta, spec JobSpec
ReplicationController: apiVersion str, kind str, metadata ObjectMeta, spec ReplicationControllerSpec, status ?
ReplicationControllerSpec: replicas int32, minReadySeconds int32, selector {}str, template PodTemplateSpec
ControllerRevision: apiVersion str, kind str, metadata ObjectMeta, data ?, revision int64
Event: apiVersion str, kind str, metadata ObjectMeta, involvedObject ObjectReference, reason str, message str,
  source EventSource, firstTimestamp str, lastTimestamp str, count int32, type str, eventTime str, series ?, action str,
  related ObjectReference, reportingComponent str, reportingInstance str
EventSource: component str, host str
Endpoints: apiVersion str, kind str, metadata ObjectMeta, subsets []EndpointSubset
EndpointSubset: addresses []EndpointAddress, notReadyAddresses []EndpointAddress, ports []CoreEndpointPort
EndpointAddress: ip str, hostname str, nodeName str, targetRef ObjectReference
CoreEndpointPort: name str, port int32, protocol str, appProtocol str
EndpointSlice: apiVersion str, kind str, metadata ObjectMeta, addressType str, endpoints []Endpoint,
  ports []EndpointPort
Endpoint: addresses []str, conditions EndpointConditions, hostname str, targetRef ObjectReference,
  deprecatedTopology {}str, nodeName str, zone str, hints EndpointHints
EndpointConditions: ready bool, serving bool, terminating bool
EndpointHints: forZones []ForZone, forNodes []ForNode
ForZone: name str
ForNode: name str
EndpointPort: name str, protocol str, port int32, appProtocol str
NetworkPolicy: apiVersion str, kind str, metadata ObjectMeta, spec NetworkPolicySpec
NetworkPolicySpec: podSelector LabelSelector, ingress []NetworkPolicyIngressRule, egress []NetworkPolicyEgressRule,
  policyTypes []str
NetworkPolicyIngressRule: ports []NetworkPolicyPort, from []NetworkPolicyPeer
NetworkPolicyEgressRule: ports []NetworkPolicyPort, to []NetworkPolicyPeer
NetworkPolicyPort: protocol str, port intstr, endPort int32
NetworkPolicyPeer: podSelector LabelSelector, namespaceSelector LabelSelector, ipBlock IPBlock
IPBlock: cidr str, except []str
Ingress: apiVersion str, kind str, metadata ObjectMeta, spec IngressSpec, status ?
IngressSpec: ingressClassName str, defaultBackend IngressBackend, tls []IngressTLS, rules []IngressRule
IngressTLS: hosts []str, secretName str
IngressRule: host str, http HTTPIngressRuleValue
HTTPIngressRuleValue: paths []HTTPIngressPath
HTTPIngressPath: path str, pathType str, backend IngressBackend
IngressBackend: service IngressServiceBackend, resource TypedLocalObjectReference
IngressServiceBackend: name str, port ServiceBackendPort
ServiceBackendPort: name str, number int32
IngressClass: apiVersion str, kind str, metadata ObjectMeta, spec IngressClassSpec
IngressClassSpec: controller str, parameters IngressClassParametersReference
IngressClassParametersReference: apiGroup str, kind str, name str, scope str, namespace str
ServiceCIDR: apiVersion str, kind str, metadata ObjectMeta, spec ServiceCIDRSpec, status ?
ServiceCIDRSpec: cidrs []str
IPAddress: apiVersion str, kind str, metadata ObjectMeta, spec IPAddressSpec
IPAddressSpec: parentRef ParentReference
ParentReference: group str, resource str, namespace str, name str
ServiceAccount: apiVersion str, kind str, metadata ObjectMeta, secrets []ObjectReference,
  imagePullSecrets []LocalObjectReference, automountServiceAccountToken bool
LimitRange: apiVersion str, kind str, metadata ObjectMeta, spec LimitRangeSpec
LimitRangeSpec: limits []LimitRangeItem
LimitRangeItem: type str, max {}quantity, min {}quantity, default {}quantity, defaultRequest {}quantity,
  maxLimitRequestRatio {}quantity
ResourceQuota: apiVersion str, kind str, metadata ObjectMeta, spec ResourceQuotaSpec, status ?
ResourceQuotaSpec: hard {}quantity, scopes []str, scopeSelector ?
PersistentVolume: apiVersion str, kind str, metadata ObjectMeta, spec ?, status ?
PersistentVolumeClaim: apiVersion str, kind str, metadata ObjectMeta, spec PersistentVolumeClaimSpec, status ?
PersistentVolumeClaimSpec: accessModes []str, selector LabelSelector, resources VolumeResourceRequirements,
  volumeName str, storageClassName str, volumeMode str, dataSource ?, dataSourceRef ?, volumeAttributesClassName str
VolumeResourceRequirements: limits {}quantity, requests {}quantity
StorageClass: apiVersion str, kind str, metadata ObjectMeta, provisioner str, parameters {}str, reclaimPolicy str,
  mountOptions []str, allowVolumeExpansion bool, volumeBindingMode str, allowedTopologies ?
PriorityClass: apiVersion str, kind str, metadata ObjectMeta, value int32, globalDefault bool, description str,
  preemptionPolicy str
Lease: apiVersion str, kind str, metadata ObjectMeta, spec LeaseSpec
LeaseSpec: holderIdentity str, leaseDurationSeconds int32, acquireTime str, renewTime str, leaseTransitions int32,
  strategy str, preferredHolder str
PodDisruptionBudget: apiVersion str, kind str, metadata ObjectMeta, spec PodDisruptionBudgetSpec, status ?
PodDisruptionBudgetSpec: minAvailable intstr, selector LabelSelector, maxUnavailable intstr,
  unhealthyPodEvictionPolicy str
HorizontalPodAutoscaler: apiVersion str, kind str, metadata ObjectMeta, spec HorizontalPodAutoscalerSpec, status ?
HorizontalPodAutoscalerSpec: scaleTargetRef CrossVersionObjectReference, minReplicas int32, maxReplicas int32,
  metrics []MetricSpec, behavior HorizontalPodAutoscalerBehavior
CrossVersionObjectReference: kind str, name str, apiVersion str
MetricSpec: type str, object ?, pods ?, resource ResourceMetricSource, containerResource ?, external ?
ResourceMetricSource: name str, target MetricTarget
MetricTarget: type str, value quantity, averageValue quantity, averageUtilization int32
HorizontalPodAutoscalerBehavior: scaleUp HPAScalingRules, scaleDown HPAScalingRules
HPAScalingRules: stabilizationWindowSeconds int32, selectPolicy str, policies []HPAScalingPolicy, tolerance quantity
HPAScalingPolicy: type str, value int32, periodSeconds int32
Role: apiVersion str, kind str, metadata ObjectMeta, rules []PolicyRule
ClusterRole: apiVersion str, kind str, metadata ObjectMeta, rules []PolicyRule, aggregationRule AggregationRule
AggregationRule: clusterRoleSelectors []LabelSelector
PolicyRule: verbs []str, apiGroups []str, resources []str, resourceNames []str, nonResourceURLs []str
RoleBinding: apiVersion str, kind str, metadata ObjectMeta, subjects []Subject, roleRef RoleRef
ClusterRoleBinding: apiVersion str, kind str, metadata ObjectMeta, subjects []Subject, roleRef RoleRef
Subject: kind str, apiGroup str, name str, namespace str
RoleRef: apiGroup str, kind str, name str
PodSpec: volumes []Volume, initContainers []Container, containers []Container,
  ephemeralContainers []EphemeralContainer, restartPolicy str, terminationGracePeriodSeconds int64,
  activeDeadlineSeconds int64, dnsPolicy str, nodeSelector {}str, serviceAccountName str, serviceAccount str,
  automountServiceAccountToken bool, nodeName str, hostNetwork bool, hostPID bool, hostIPC bool,
  shareProcessNamespace bool, securityContext PodSecurityContext, imagePullSecrets []LocalObjectReference,
  hostname str, subdomain str, affinity Affinity, schedulerName str, tolerations []Toleration,
  hostAliases []HostAlias, priorityClassName str, priority int32, dnsConfig PodDNSConfig,
  readinessGates []PodReadinessGate, runtimeClassName str, enableServiceLinks bool, preemptionPolicy str, overhead ?,
  topologySpreadConstraints []TopologySpreadConstraint, setHostnameAsFQDN bool, os ?, hostUsers bool,
  schedulingGates []PodSchedulingGate, resourceClaims []PodResourceClaim, resources ResourceRequirements,
  hostnameOverride str, workloadRef ?
PodReadinessGate: conditionType str
PodSchedulingGate: name str
PodResourceClaim: name str, resourceClaimName str, resourceClaimTemplateName str
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
  supplementalGroups []int64, supplementalGroupsPolicy str, fsGroup int64, sysctls []Sysctl, fsGroupChangePolicy str,
  seccompProfile ?, appArmorProfile ?, seLinuxChangePolicy str
Sysctl: name str, value str
EphemeralContainer: targetContainerName str, name str, image str, command []str, args []str, workingDir str,
  ports []ContainerPort, envFrom []EnvFromSource, env []EnvVar, resources ResourceRequirements, resizePolicy ?,
  restartPolicy str, restartPolicyRules ?, volumeMounts []VolumeMount, volumeDevices []VolumeDevice,
  livenessProbe Probe, readinessProbe Probe, startupProbe Probe, lifecycle Lifecycle, terminationMessagePath str,
  terminationMessagePolicy str, imagePullPolicy str, securityContext SecurityContext, stdin bool, stdinOnce bool,
  tty bool
Container: name str, image str, command []str, args []str, workingDir str, ports []ContainerPort,
  envFrom []EnvFromSource, env []EnvVar, resources ResourceRequirements, resizePolicy ?, restartPolicy str,
  restartPolicyRules ?, volumeMounts []VolumeMount, volumeDevices []VolumeDevice, livenessProbe Probe,
  readinessProbe Probe, startupProbe Probe, lifecycle Lifecycle, terminationMessagePath str,
  terminationMessagePolicy str, imagePullPolicy str, securityContext SecurityContext, stdin bool, stdinOnce bool,
  tty bool
VolumeDevice: name str, devicePath str
ContainerPort: name str, hostPort int32, containerPort int32, protocol str, hostIP str
EnvFromSource: prefix str, configMapRef ConfigMapEnvSource, secretRef SecretEnvSource
ConfigMapEnvSource: name str, optional bool
SecretEnvSource: name str, optional bool
EnvVar: name str, value str, valueFrom EnvVarSource
EnvVarSource: fieldRef ObjectFieldSelector, resourceFieldRef ?, configMapKeyRef ConfigMapKeySelector,
  secretKeyRef SecretKeySelector, fileKeyRef ?
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
Probe: exec ExecAction, httpGet HTTPGetAction, tcpSocket TCPSocketAction, grpc GRPCAction, initialDelaySeconds int32,
  timeoutSeconds int32, periodSeconds int32, successThreshold int32, failureThreshold int32,
  terminationGracePeriodSeconds int64
ExecAction: command []str
HTTPGetAction: path str, port intstr, host str, scheme str, httpHeaders []HTTPHeader
HTTPHeader: name str, value str
TCPSocketAction: port intstr, host str
GRPCAction: port int32, service str
Lifecycle: postStart LifecycleHandler, preStop LifecycleHandler, stopSignal str
LifecycleHandler: exec ExecAction, httpGet HTTPGetAction, tcpSocket TCPSocketAction, sleep SleepAction
SleepAction: seconds int64
SecurityContext: capabilities Capabilities, privileged bool, seLinuxOptions ?, windowsOptions ?, runAsUser int64,
  runAsGroup int64, runAsNonRoot bool, readOnlyRootFilesystem bool, allowPrivilegeEscalation bool, procMount str,
  seccompProfile ?, appArmorProfile ?
Capabilities: add []str, drop []str
"""

QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?")
NOT_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
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
    elif kind == "quantity" and isinstance(value, str) and not QUANTITY.fullmatch(value):
        out.wrong = out.wrong or NOT_QUANTITY
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
