"""What kubectl explain says of kinds and fields: one or two sentences of our own, by struct or `Struct.field`.

Rules. True to the API's documentation (k8s.io/api types.go, 1.35). A field that is not listed has no description here.
"""

# ruff: noqa: E501
from __future__ import annotations

from functools import cache

TEXT = """
Pod|A Pod is a group of containers that run together on one node and share one network namespace: one address, one set of ports.
Pod.spec|What should run.
Pod.status|What was last seen of it; written by the kubelet.
PodSpec.containers|The containers of the Pod; there must be at least one.
PodSpec.initContainers|Containers that run one after the other, each to its end, before the containers start.
PodSpec.restartPolicy|When containers are started again after they end. Default: Always.
PodSpec.nodeName|The node that the Pod runs on; the scheduler fills it in. A Pod that comes with it is not scheduled.
PodSpec.nodeSelector|Labels that a node must have for the Pod to be placed there.
PodSpec.hostNetwork|Use the network namespace of the node instead of one of its own. Its ports are then ports of the node.
PodSpec.dnsPolicy|Where names are looked up. ClusterFirst (the default): the cluster's DNS; Default: the node's own resolv.conf; None: only dnsConfig.
PodSpec.dnsConfig|Name servers, search domains and options that are merged with what dnsPolicy gives.
PodSpec.hostAliases|Lines for the Pod's /etc/hosts.
PodSpec.hostname|The Pod's host name; default is its own name.
PodSpec.subdomain|With a headless Service of this name the Pod is known as hostname.subdomain.namespace.svc.DOMAIN.
PodSpec.tolerations|Taints of nodes that the Pod bears.
PodSpec.terminationGracePeriodSeconds|Seconds between the TERM and the KILL signal when the Pod is deleted. Default: 30.
PodSpec.serviceAccountName|The account that the Pod's processes speak to the API server with.
PodSpec.volumes|Volumes that the containers can mount.
PodDNSConfig|DNS parameters of a Pod, beside those that its dnsPolicy makes.
PodDNSConfig.nameservers|Addresses of name servers, put behind those of dnsPolicy. At most three are used.
PodDNSConfig.searches|Search domains for names without enough dots.
PodDNSConfig.options|Resolver options such as ndots.
Container|One container of a Pod.
Container.name|The container's name, unique in the Pod.
Container.image|The image that it is made from.
Container.command|What replaces the image's ENTRYPOINT.
Container.args|What replaces the image's CMD.
Container.ports|Ports that the container listens on. This is information; a port that is not listed can be reached as well.
Container.env|Environment variables.
Container.readinessProbe|Asked again and again; while it fails the Pod is not an endpoint of its Services.
Container.livenessProbe|Asked again and again; when it fails too often the container is started anew.
Container.startupProbe|Until it has succeeded once the other probes are not asked.
Container.resources|What the container asks of the node (requests) and what it may use at most (limits).
Container.volumeMounts|Which volumes are seen at which paths.
ContainerPort.containerPort|The port's number, 1 to 65535.
ContainerPort.hostPort|The same port opened on the node.
ContainerPort.name|A name that Services and policies can use in place of the number.
ContainerPort.protocol|The port's protocol. Default: TCP.
Service|A Service is a name and a stable address for a set of Pods; its rows in every node's kernel send connections to one of them.
Service.spec|How the Service behaves.
Service.status|What was last seen of it, above all the addresses of its load balancer.
ServiceSpec|What a Service does.
ServiceSpec.selector|Pods with these labels are its endpoints. Without a selector somebody else writes the EndpointSlices. Ignored when type is ExternalName.
ServiceSpec.ports|The ports that it serves.
ServiceSpec.type|How it is exposed. ClusterIP: an address inside the cluster (default); NodePort: also a port on every node; LoadBalancer: also an address from outside; ExternalName: only a DNS alias.
ServiceSpec.clusterIP|Its address; usually allocated. None makes it headless: DNS gives the Pods' own addresses. It cannot be changed afterwards.
ServiceSpec.clusterIPs|All its cluster addresses, one for each family; the first is clusterIP.
ServiceSpec.externalIPs|Addresses that nodes accept traffic for; getting packets to the node is the administrator's task.
ServiceSpec.externalName|The name that DNS answers with as a CNAME; needs type ExternalName.
ServiceSpec.externalTrafficPolicy|Cluster: traffic from outside goes to any endpoint, its source rewritten. Local: only to endpoints on the node that it came in on, and the client's address is kept.
ServiceSpec.internalTrafficPolicy|Cluster: any endpoint. Local: only endpoints on the client's own node, or none.
ServiceSpec.sessionAffinity|ClientIP sends a client's connections to the endpoint of the last one. Default: None.
ServiceSpec.sessionAffinityConfig|How long that holds.
ServiceSpec.healthCheckNodePort|Where load balancers ask a node whether it has endpoints; only for LoadBalancer with externalTrafficPolicy Local.
ServiceSpec.publishNotReadyAddresses|Endpoints count as ready whatever their probes say. Meant for headless Services of a StatefulSet.
ServiceSpec.loadBalancerIP|Deprecated: the address that is asked of the load balancer.
ServiceSpec.loadBalancerSourceRanges|Clients that may use the load balancer's address.
ServiceSpec.loadBalancerClass|Which load balancer implementation serves it.
ServiceSpec.allocateLoadBalancerNodePorts|Whether a LoadBalancer gets node ports too. Default: true.
ServiceSpec.ipFamilies|The address families, IPv4 or IPv6.
ServiceSpec.ipFamilyPolicy|SingleStack, PreferDualStack or RequireDualStack.
ServiceSpec.trafficDistribution|A preference among endpoints: PreferClose, PreferSameZone or PreferSameNode.
ServicePort|One port of a Service.
ServicePort.name|Its name; required when there are several ports.
ServicePort.port|The port on the Service's address.
ServicePort.targetPort|The port on the Pods, a number or the name of a container's port. Default: the same as port.
ServicePort.nodePort|The port on every node, from the range of node ports; usually allocated.
ServicePort.protocol|TCP, UDP or SCTP. Default: TCP.
ServicePort.appProtocol|A hint for those that speak the application's protocol.
Endpoints|The addresses behind a Service, in the old form (deprecated since 1.33; see EndpointSlice).
Endpoints.subsets|Addresses that share the same ports.
EndpointSlice|Some of the addresses behind a Service; together its slices are all of them. The label kubernetes.io/service-name says which Service.
EndpointSlice.addressType|The kind of address in this slice; it cannot be changed.
EndpointSlice.endpoints|The endpoints, at most 1000 (the controller puts 100 into a slice).
EndpointSlice.ports|The ports of every endpoint of the slice.
Endpoint.addresses|Its addresses; only the first is used.
Endpoint.conditions|Whether it is ready, serving, terminating.
Endpoint.nodeName|The node it runs on.
Endpoint.targetRef|The Pod that it is.
Endpoint.zone|The zone of its node.
Endpoint.hints|For which zones or nodes it should be used.
EndpointConditions.ready|It takes new connections; absent counts as true.
EndpointConditions.serving|It would be ready if it were not terminating.
EndpointConditions.terminating|It is being deleted.
NetworkPolicy|Which traffic selected Pods accept and send. It has an effect only where the network plugin enforces it.
NetworkPolicy.spec|The rules.
NetworkPolicySpec.podSelector|The Pods in the policy's namespace that it is about; an empty selector means all of them.
NetworkPolicySpec.policyTypes|Directions that it isolates: Ingress, Egress. Default: Ingress, and Egress when there are egress rules.
NetworkPolicySpec.ingress|What may come in; without any rule nothing may.
NetworkPolicySpec.egress|What may go out; without any rule nothing may.
NetworkPolicyIngressRule.from|Sources; any of them is enough. Absent: every source.
NetworkPolicyIngressRule.ports|Ports; any of them is enough. Absent: every port.
NetworkPolicyEgressRule.to|Destinations; any of them is enough. Absent: every destination.
NetworkPolicyEgressRule.ports|Ports; any of them is enough. Absent: every port.
NetworkPolicyPeer.podSelector|Pods by their labels: in the policy's namespace, or in those of namespaceSelector when both stand in one entry (AND).
NetworkPolicyPeer.namespaceSelector|Namespaces by their labels; an empty selector means all.
NetworkPolicyPeer.ipBlock|Addresses outside the cluster.
NetworkPolicyPort.port|A number or the name of a container's port; absent: every port.
NetworkPolicyPort.endPort|With a number: the end of a range of ports.
NetworkPolicyPort.protocol|TCP, UDP or SCTP. Default: TCP.
IPBlock.cidr|The range, as 192.168.1.0/24.
IPBlock.except|Ranges inside it that are left out.
Ingress|HTTP routes from outside to Services; an Ingress controller makes them work.
IngressSpec.ingressClassName|Which controller is meant.
IngressSpec.rules|Hosts and their paths.
IngressSpec.tls|Secrets with certificates, by host.
IngressSpec.defaultBackend|Where requests go that fit no rule.
Deployment|A Deployment keeps a number of equal Pods running and replaces them step by step when its template changes.
DeploymentSpec.replicas|How many Pods there should be. Default: 1.
DeploymentSpec.selector|Which Pods are its own; it must fit the template's labels and cannot be changed.
DeploymentSpec.template|The Pods that it makes.
DeploymentSpec.strategy|How old Pods are replaced.
DeploymentSpec.paused|Nothing is rolled out while this is true.
DeploymentSpec.revisionHistoryLimit|How many old ReplicaSets are kept for undo. Default: 10.
ReplicaSet|A ReplicaSet keeps a number of equal Pods running. Deployments make them.
DaemonSet|A DaemonSet runs one Pod on every node that fits.
StatefulSet|A StatefulSet runs Pods with stable names, one after the other.
StatefulSetSpec.serviceName|The headless Service that gives the Pods their DNS names.
Job|A Job runs Pods until enough of them have succeeded.
CronJob|A CronJob makes Jobs at the times of a schedule.
Namespace|A Namespace is a scope for names.
Node|A Node is a machine of the cluster.
NodeSpec.podCIDR|The range that the node's Pods get their addresses from.
NodeSpec.unschedulable|New Pods are not placed here (kubectl cordon).
NodeSpec.taints|Pods that do not tolerate these are kept away.
ConfigMap|A ConfigMap holds configuration as keys and values.
ConfigMap.data|Keys with text.
ConfigMap.binaryData|Keys with bytes, in base64.
ConfigMap.immutable|The data cannot be changed any more.
Secret|A Secret holds keys and values that should not be seen by everybody.
Secret.data|Keys with values in base64.
Secret.stringData|Keys with plain values; written only, it becomes data.
Secret.type|What the Secret is for. Default: Opaque.
ServiceAccount|A ServiceAccount is an identity for the processes in Pods.
LabelSelector|Chooses objects by their labels; all of its parts must hold. An empty selector chooses everything.
LabelSelector.matchLabels|Labels that must be there with these values.
LabelSelector.matchExpressions|Requirements with the operators In, NotIn, Exists, DoesNotExist.
ObjectMeta|What every object has: its name, labels, annotations and the server's own records.
ObjectMeta.name|The name, unique for the kind in its namespace.
ObjectMeta.namespace|The namespace; empty is default.
ObjectMeta.labels|Keys and values that selectors choose by.
ObjectMeta.annotations|Keys and values for programs and people; nothing chooses by them.
ObjectMeta.uid|The object's identity, never used again.
ObjectMeta.resourceVersion|Changes whenever the object is written.
ObjectMeta.creationTimestamp|When it was made.
ObjectMeta.finalizers|The object is not removed before this list is empty.
ObjectMeta.ownerReferences|Objects that this one goes with when they are deleted.
ServiceCIDR|A range that cluster addresses of Services are taken from.
ServiceCIDRSpec.cidrs|The ranges; they cannot be changed.
IPAddress|One cluster address that is taken.
IPAddressSpec.parentRef|The Service that has it.
*.apiVersion|The version of the API that this object is written in.
*.kind|What kind of object this is.
*.metadata|Name, labels, annotations and what the server records of every object.
"""
ENUMS: dict[str, tuple[str, ...]] = {
    "ServiceSpec.type": ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
    "ServiceSpec.externalTrafficPolicy": ("Cluster", "Local"),
    "ServiceSpec.internalTrafficPolicy": ("Cluster", "Local"),
    "ServiceSpec.sessionAffinity": ("ClientIP", "None"),
    "ServiceSpec.ipFamilyPolicy": ("PreferDualStack", "RequireDualStack", "SingleStack"),
    "ServicePort.protocol": ("SCTP", "TCP", "UDP"),
    "ContainerPort.protocol": ("SCTP", "TCP", "UDP"),
    "NetworkPolicyPort.protocol": ("SCTP", "TCP", "UDP"),
    "EndpointSlice.addressType": ("FQDN", "IPv4", "IPv6"),
    "PodSpec.dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "PodSpec.restartPolicy": ("Always", "Never", "OnFailure"),
    "Container.imagePullPolicy": ("Always", "IfNotPresent", "Never"),
}
REQUIRED = frozenset({
    "PodSpec.containers", "Container.name", "ContainerPort.containerPort", "ServicePort.port", "EndpointSlice.endpoints",
    "EndpointSlice.addressType", "Endpoint.addresses", "IPBlock.cidr", "DeploymentSpec.selector",
    "DeploymentSpec.template", "ReplicaSetSpec.selector", "DaemonSetSpec.selector", "DaemonSetSpec.template",
    "StatefulSetSpec.selector", "StatefulSetSpec.template", "JobSpec.template", "CronJobSpec.schedule",
    "CronJobSpec.jobTemplate", "LabelSelectorRequirement.key", "LabelSelectorRequirement.operator",
    "IngressServiceBackend.name", "HTTPIngressPath.backend", "HTTPIngressPath.pathType", "HTTPIngressRuleValue.paths",
    "RoleRef.apiGroup", "RoleRef.kind", "RoleRef.name", "Subject.kind", "Subject.name", "RoleBinding.roleRef",
    "ClusterRoleBinding.roleRef", "PolicyRule.verbs", "Volume.name", "VolumeMount.name", "VolumeMount.mountPath",
    "EnvVar.name", "Taint.effect", "Taint.key", "OwnerReference.apiVersion", "OwnerReference.kind",
    "OwnerReference.name", "OwnerReference.uid", "IPAddressSpec.parentRef",
})  # fmt: skip


class Texts:
    """`get("Struct.field")`; apiVersion, kind and metadata are the same everywhere."""

    def __init__(self) -> None:
        self.rows = dict(row.split("|", 1) for row in TEXT.strip().split("\n"))

    def get(self, name: str) -> str:
        field = name.rpartition(".")[2]
        return self.rows.get(name) or (self.rows.get(f"*.{field}", "") if "." in name else "")


@cache
def texts() -> Texts:
    return Texts()
