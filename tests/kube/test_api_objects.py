"""Policies, slices, Ingress, configuration, limits, namespaces and updates at the API server, in its own words.

Texts: pkg/apis/{networking,discovery,core,apps,batch}/validation, plugin/pkg/admission/limitranger (facts 20 sections
4, 5.1 and 6), apimachinery/pkg/api/errors.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from engine.kube import Cluster, NodeOptions, Options
from engine.kube.manifests import Manifest
from engine.kube.objects import BY_KIND, Json
from engine.kube.schema import types
from engine.kube.validate import Refused
from tests.kube.labs import Lab


def cluster(**options: Any) -> Cluster:
    made = Cluster(Options(nodes=(NodeOptions(name="w1"),), **options))
    made.make_namespace("default", 0.0)
    return made


def body_of(kind: str, name: str, text: str) -> Json:
    return {"apiVersion": BY_KIND[kind].api, "kind": kind, "metadata": {"name": name}, **yaml.safe_load(text)}


def put(made: Cluster, kind: str, text: str, name: str = "x", **how: Any) -> Json:
    stored = made.put(Manifest(file="o.yaml", line=1, body=body_of(kind, name, text)), 0.0, **how)
    assert stored is not None
    return stored


def refused(made: Cluster, kind: str, text: str, name: str = "x", **how: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        put(made, kind, text, name, **how)
    return caught.value


REFUSED = [
    # NetworkPolicy
    ("NetworkPolicy", "spec: {podSelector: {}, ingress: [{ports: [{port: 6010, endPort: 6000}]}]}", [
        "spec.ingress[0].ports[0].endPort: Invalid value: 6010: must be greater than or equal to `port`"]),
    ("NetworkPolicy", "spec: {podSelector: {}, ingress: [{ports: [{port: http, endPort: 6000}]}]}", [
        "spec.ingress[0].ports[0].endPort: Invalid value: 6000: may not be specified when `port` is non-numeric"]),
    ("NetworkPolicy", "spec: {podSelector: {}, egress: [{ports: [{endPort: 6000}]}]}", [
        "spec.egress[0].ports[0].endPort: Invalid value: 6000: may not be specified when `port` is not specified"]),
    ("NetworkPolicy", "spec: {podSelector: {}, ingress: [{from: [{}]}]}", [
        "spec.ingress[0].from[0]: Required value: must specify a peer"]),
    ("NetworkPolicy", "spec: {podSelector: {}, ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]}", [
        "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer"]),
    ("NetworkPolicy", "spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/9]}}]}]}",
     ['spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "11.0.0.0/9": must be a strict subset of `cidr`']),
    ("NetworkPolicy", "spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0}}]}]}", [
        'spec.egress[0].to[0].ipBlock.cidr: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 '
        "or 2001:db8::/64)"]),
    ("NetworkPolicy", "spec: {podSelector: {}, policyTypes: [Both]}", [
        'spec.policyTypes[0]: Unsupported value: "Both": supported values: "Ingress", "Egress"']),
    ("NetworkPolicy", "spec: {podSelector: {}, ingress: [{ports: [{port: 80, protocol: ICMP}]}]}", [
        'spec.ingress[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"']),
    # EndpointSlice, Endpoints
    ("EndpointSlice", "endpoints: []", ["addressType: Required value"]),
    ("EndpointSlice", "{addressType: IPv4, endpoints: [{addresses: []}]}", [
        "endpoints[0].addresses: Required value: must contain at least 1 address"]),
    ("EndpointSlice", "{addressType: IPv4, endpoints: [{addresses: [10.0.0]}]}", [
        'endpoints[0].addresses[0]: Invalid value: "10.0.0": must be a valid IPv4 address']),
    ("EndpointSlice", "{addressType: IPv4, endpoints: [{addresses: [127.0.0.1]}]}", [
        'endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, '
        "::1/128)"]),
    ("EndpointSlice", "{addressType: IPv4, endpoints: [], ports: [{port: 80}, {port: 81}]}", [
        'ports[1].name: Duplicate value: ""']),
    ("Endpoints", "subsets: [{ports: [{port: 80}]}]", [
        "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]),
    ("Endpoints", "subsets: [{addresses: [{ip: web}], ports: [{port: 80}, {port: 81, name: b}]}]", [
        'subsets[0].addresses[0].ip: Invalid value: "web": must be a valid IP address, (e.g. 10.9.8.7 or '
        "2001:db8::ffff)", "subsets[0].ports[0].name: Required value"]),
    # Ingress
    ("Ingress", "spec: {rules: [{http: {paths: [{path: /, backend: {service: {name: w, port: {number: 80}}}}]}}]}", [
        "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"]),
    ("Ingress", "spec: {}", [
        "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"]),
    ("Ingress", "spec: {rules: [{host: 10.0.0.1, http: {paths: []}}]}", [
        'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
        "spec.rules[0].http.paths: Required value"]),
    ("Ingress", "spec: {defaultBackend: {service: {name: web}}}", [
        "spec.defaultBackend: Required value: port name or number is required"]),
    ("Ingress", "spec: {rules: [{http: {paths: [{path: foo, pathType: Prefix, backend: {service: {name: w, port: "
     "{number: 80}}}}]}}]}", [
         'spec.rules[0].http.paths[0].path: Invalid value: "foo": must be an absolute path']),
    # ConfigMap, Secret
    ("ConfigMap", "data: {a/b: x}", [
        "data[a/b]: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', '_' or "
        "'.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"]),
    ("Secret", "{type: kubernetes.io/tls, stringData: {tls.crt: a}}", ["data[tls.key]: Required value"]),
    # workloads
    ("Deployment", "spec: {selector: {matchLabels: {a: b}}, strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}, "
     "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}", [
         "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"]),
    ("Deployment", "spec: {selector: {matchLabels: {a: b}}, strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: "
     "0%}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}", [
         'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0']),
    # access, autoscaling, budgets, schedules, storage
    ("Role", "rules: [{resources: [pods]}]", [
        "rules[0].verbs: Required value: verbs must contain at least one value",
        "rules[0].apiGroups: Required value: resource rules must supply at least one api group"]),
    ("RoleBinding", "{roleRef: {kind: Rule, name: x}, subjects: [{kind: Robot, name: r}]}", [
        'roleRef.kind: Unsupported value: "Rule": supported values: "Role", "ClusterRole"',
        'subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"']),
    ("HorizontalPodAutoscaler", "spec: {maxReplicas: 1, minReplicas: 2, scaleTargetRef: {kind: Deployment, name: w}}", [
        "spec.maxReplicas: Invalid value: 1: must be greater than or equal to `minReplicas`"]),
    ("PodDisruptionBudget", "spec: {minAvailable: 1, maxUnavailable: 1, selector: {matchLabels: {a: b}}}", [
        'spec: Invalid value: {"MinAvailable":1,"Selector":{"matchLabels":{"a":"b"}},"MaxUnavailable":1,'
        '"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set']),
    ("CronJob", "spec: {schedule: '* *', jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: i}]"
     "}}}}}", [
        'spec.schedule: Invalid value: "* *": expected exactly 5 fields, found 2: [* *]',
        'spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"']),
    ("PersistentVolumeClaim", "spec: {}", [
        "spec.accessModes: Required value: at least 1 access mode is required",
        "spec.resources[storage]: Required value"]),
    # Pods
    ("Pod", "spec: {dnsPolicy: None, containers: [{name: c, image: i}]}", [
        "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"]),
    ("Pod", "spec: {dnsPolicy: None, dnsConfig: {searches: [a.b]}, containers: [{name: c, image: i}]}", [
        "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is "
        "None"]),
    ("Pod", "spec: {dnsConfig: {nameservers: [1.1.1.1, 1.1.1.2, 1.1.1.3, x]}, containers: [{name: c, image: i}]}", [
        'spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.2","1.1.1.3","x"]: must not have more than 3 '
        "nameservers", 'spec.dnsConfig.nameservers[3]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 '
        "or 2001:db8::ffff)"]),
    ("Pod", "spec: {containers: [{name: c, image: i, readinessProbe: {periodSeconds: 5}}]}", [
        "spec.containers[0].readinessProbe: Required value: must specify a handler type"]),
    ("Pod", "spec: {containers: [{name: c, image: i, resources: {limits: {cpu: 1}, requests: {cpu: 2}}}]}", [
        'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1']),
    ("Pod", "spec: {tolerations: [{key: a, operator: Exists, value: b}], containers: [{name: c, image: i}]}", [
        'spec.tolerations[0].operator: Invalid value: {"Key":"a","Operator":"Exists","Value":"b","Effect":"",'
        "\"TolerationSeconds\":null}: value must be empty when `operator` is 'Exists'"]),
    ("LimitRange", "spec: {limits: [{type: Pod, min: {cpu: 2}, max: {cpu: 1}}]}", [
        'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1']),
    ("Node", "spec: {taints: [{key: a, effect: Never}]}", [
        'metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoExecute", "NoSchedule", '
        '"PreferNoSchedule"']),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "errors"), REFUSED, ids=[f"{r[0]} {r[2][0][:60]}" for r in REFUSED])
def test_refused(kind: str, text: str, errors: list[str]) -> None:
    found = refused(cluster(), kind, text)
    assert (found.reason, list(found.causes)) == ("Invalid", errors)


def test_strict_decoding_names_the_field() -> None:
    text = "spec: {podSelector: {}, ingress: [{from: [{podselector: {}}]}]}"
    assert refused(cluster(), "NetworkPolicy", text).message == (
        'NetworkPolicy in version "v1" cannot be handled as a NetworkPolicy: strict decoding error: unknown field '
        '"spec.ingress[0].from[0].podselector"'
    )


def test_every_kind_has_a_schema() -> None:
    assert not {k for k in BY_KIND if k not in types()}
    for fields in types().values():
        for kind in fields.values():
            base = kind.replace("[]", "").replace("{}", "")
            assert base in types() or base in ("str", "bool", "int32", "int64", "intstr", "quantity", "?"), (
                base
            )


def test_policy_defaults() -> None:
    """SetDefaults_NetworkPolicy; facts 20 section 4.1."""
    made = cluster()
    assert put(made, "NetworkPolicy", "spec: {podSelector: {}}")["spec"]["policyTypes"] == ["Ingress"]
    both = put(made, "NetworkPolicy", "spec: {podSelector: {}, egress: [{ports: [{port: 53}]}]}", "y")["spec"]
    assert both["policyTypes"] == ["Ingress", "Egress"]
    assert both["egress"][0]["ports"] == [{"port": 53, "protocol": "TCP"}]


# ---- updates

DEPLOYMENT = (
    "spec: {selector: {matchLabels: {app: LABEL}}, template: {metadata: {labels: {app: LABEL}}, "
    "spec: {containers: [{name: c, image: nginx}]}}}"
)


def test_a_selector_is_immutable() -> None:
    made = cluster()
    put(made, "Deployment", DEPLOYMENT.replace("LABEL", "shop"))
    assert refused(made, "Deployment", DEPLOYMENT.replace("LABEL", "shop-web")).message == (
        'The Deployment "x" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"shop-web"}}: field is '
        "immutable"
    )


def test_a_selector_is_printed_as_its_struct_is_ordered() -> None:
    made = cluster()
    put(made, "Deployment", DEPLOYMENT.replace("LABEL", "shop"))
    text = DEPLOYMENT.replace("LABEL", "shop").replace(
        "matchLabels", "matchExpressions: [{key: app, operator: Exists}], matchLabels", 1
    )
    assert refused(made, "Deployment", text).causes == (
        'spec.selector: Invalid value: {"matchLabels":{"app":"shop"},"matchExpressions":[{"key":"app","operator":'
        '"Exists"}]}: field is immutable',
    )


def test_a_selector_before_1_34() -> None:
    made = cluster(kubernetes="1.33")
    put(made, "Deployment", DEPLOYMENT.replace("LABEL", "shop"))
    assert refused(made, "Deployment", DEPLOYMENT.replace("LABEL", "web")).causes == (
        'spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"app":"web"}, '
        "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable",
    )


def test_what_is_wrong_and_what_may_not_change_come_together() -> None:
    """As a 1.34 API server prints it for `kubectl patch deployment`."""
    made = cluster()
    put(made, "Deployment", DEPLOYMENT.replace("LABEL", "right"))
    with pytest.raises(Refused) as caught:
        made.patch(
            "Deployment", "default", "x", {"spec": {"selector": {"matchLabels": {"app": "other"}}}}, 0.0
        )
    assert caught.value.message == (
        'The Deployment "x" is invalid: \n'
        '* spec.template.metadata.labels: Invalid value: {"app":"right"}: `selector` does not match template `labels`\n'
        '* spec.selector: Invalid value: {"matchLabels":{"app":"other"}}: field is immutable'
    )


def test_a_running_pod_takes_images_and_more_tolerations_only() -> None:
    made = cluster()
    first = put(made, "Pod", "spec: {containers: [{name: c, image: nginx}]}")["spec"]["tolerations"]
    more = [*first, {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
    pod = made.patch("Pod", "default", "x", {"spec": {"tolerations": more}}, 0.0)
    assert pod["spec"]["tolerations"] == more
    with pytest.raises(Refused) as caught:
        made.patch("Pod", "default", "x", {"spec": {"tolerations": first}}, 0.0)
    assert caught.value.causes == (
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
    )
    with pytest.raises(Refused) as caught:
        made.patch("Pod", "default", "x", {"spec": {"hostNetwork": True}}, 0.0)
    assert caught.value.causes[0].startswith("spec: Forbidden: pod updates may not change fields other than ")


def test_statefulset_updates() -> None:
    made = cluster()
    text = DEPLOYMENT.replace("LABEL", "a").replace(
        "spec: {selector", "spec: {serviceName: NAME, selector", 1
    )
    put(made, "StatefulSet", text.replace("NAME", "db"))
    assert refused(made, "StatefulSet", text.replace("NAME", "other")).causes == (
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
        "forbidden",
    )


def test_immutable_configuration() -> None:
    made = cluster()
    put(made, "ConfigMap", "{immutable: true, data: {a: b}}")
    assert refused(made, "ConfigMap", "{data: {a: c}}").causes == (
        "immutable: Forbidden: field is immutable when `immutable` is set",
        "data: Forbidden: field is immutable when `immutable` is set",
    )


def test_a_slice_keeps_its_family() -> None:
    made = cluster()
    put(made, "EndpointSlice", "{addressType: IPv4, endpoints: []}")
    assert refused(made, "EndpointSlice", "{addressType: FQDN, endpoints: []}").causes == (
        'addressType: Invalid value: "FQDN": field is immutable',
    )


def test_an_old_resource_version_conflicts() -> None:
    made = cluster()
    old = put(made, "ConfigMap", "data: {a: b}")
    put(made, "ConfigMap", "data: {a: c}")
    with pytest.raises(Refused) as caught:
        made.put(Manifest(file="f", line=1, body=old), 0.0)
    assert (caught.value.reason, caught.value.message) == (
        "Conflict",
        'Operation cannot be fulfilled on configmaps "x": the object has been modified; please apply your changes to '
        "the latest version and try again",
    )


def test_patches_through_the_server() -> None:
    made = cluster()
    put(made, "Deployment", DEPLOYMENT.replace("LABEL", "a"))
    out = made.patch("Deployment", "default", "x", {"spec": {"replicas": 4}}, 0.0, how="merge")
    assert out["spec"]["replicas"] == 4
    change = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "nginx:1.27"}]
    out = made.patch("Deployment", "default", "x", change, 0.0, how="json")
    assert out["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.27"
    for patch, how, reason, text in (
        ({"spec": {"replicas": -1}}, "strategic", "Invalid",
         'The Deployment "x" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'),
        ({"spec": {"replica": 1}}, "strategic", "BadRequest",
         'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field '
         '"spec.replica"'),
        ([{"op": "remove", "path": "/spec/none"}], "json", "Invalid",
         "The request is invalid: the server rejected our request due to an error in our request"),
        ([], "merge", "BadRequest",
         "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"),
    ):  # fmt: skip
        with pytest.raises(Refused) as caught:
            made.patch("Deployment", "default", "x", patch, 0.0, how=how)
        assert (caught.value.reason, caught.value.message) == (reason, text)
    with pytest.raises(Refused) as caught:
        made.patch("Deployment", "default", "none", {}, 0.0)
    assert caught.value.message == 'deployments.apps "none" not found'


def test_a_generated_name() -> None:
    made = cluster()
    body = body_of("ConfigMap", "", "data: {}")
    body["metadata"] = {"generateName": "cm-"}
    names = {made.put(Manifest(file="f", line=1, body=body), 0.0)["metadata"]["name"] for _ in range(3)}  # type: ignore[index]
    assert len(names) == 3 and all(n.startswith("cm-") and len(n) == 8 for n in names)


# ---- admission

POD = "spec: {containers: [{name: c, image: nginx, resources: RES}]}"


def test_limit_range_defaults_and_refusals() -> None:
    """kubernetes.io/docs, "Configure Minimum and Maximum CPU Constraints for a Namespace"; the texts without the
    capital letter and the full stop, as the API prints them since 1.12."""
    made = cluster()
    put(made, "LimitRange", "spec: {limits: [{type: Container, max: {cpu: 800m}, min: {cpu: 200m}}]}")
    kept = made.store.get("LimitRange", "default", "x")
    assert kept is not None
    assert kept["spec"]["limits"][0]["default"] == {"cpu": "800m"}
    assert kept["spec"]["limits"][0]["defaultRequest"] == {"cpu": "800m"}
    pod = put(made, "Pod", POD.replace("RES", "{}"), "filled")
    assert pod["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "800m"},
        "requests": {"cpu": "800m"},
    }
    assert pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    )
    found = refused(made, "Pod", POD.replace("RES", "{limits: {cpu: 1500m}, requests: {cpu: 500m}}"))
    assert (found.reason, found.message) == (
        "Forbidden",
        'pods "x" is forbidden: maximum cpu usage per Container is 800m, but limit is 1500m',
    )
    found = refused(made, "Pod", POD.replace("RES", "{limits: {cpu: 800m}, requests: {cpu: 100m}}"))
    assert (
        found.message == 'pods "x" is forbidden: minimum cpu usage per Container is 200m, but request is 100m'
    )


def test_a_quota_refuses_what_is_too_much_and_tells_what_is_used() -> None:
    """Texts: apiserver/pkg/admission/plugin/resourcequota/controller.go (CheckRequest, prettyPrint)."""
    lab = Lab(
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: shop}\n"
        'spec: {hard: {pods: "2", requests.cpu: "1", services.nodeports: "1"}}\n'
    )

    def pod(name: str, cpu: str) -> None:
        body = body_of("Pod", name, POD.replace("RES", cpu))
        body["metadata"]["namespace"] = "shop"
        lab.cluster.put(Manifest(file="f", line=1, body=body), 0.0)
        lab.settle()

    pod("a", "{requests: {cpu: 600m}}")
    for name, cpu, why in (
        ("b", "{}", "failed quota: q: must specify requests.cpu for: c"),
        ("b", "{requests: {cpu: 500m}}",
         "exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1"),
    ):  # fmt: skip
        with pytest.raises(Refused) as caught:
            pod(name, cpu)
        assert caught.value.message == f'pods "{name}" is forbidden: {why}'
    pod("b", "{requests: {cpu: 400m}}")
    with pytest.raises(Refused) as caught:
        pod("c", "{requests: {cpu: 100m}}")
    assert (
        "requested: pods=1,requests.cpu=100m, used: pods=2,requests.cpu=1, limited: pods=2,requests.cpu=1"
        in (caught.value.message)
    )
    quota = lab.cluster.store.get("ResourceQuota", "shop", "q")
    assert quota is not None
    assert quota["status"]["used"] == {"pods": "2", "requests.cpu": "1", "services.nodeports": "0"}


def test_a_deployment_tells_of_what_is_refused() -> None:
    lab = Lab(
        "apiVersion: v1\nkind: LimitRange\nmetadata: {name: l}\n"
        "spec: {limits: [{type: Container, max: {memory: 64Mi}}]}\n",
        yaml.safe_dump(
            body_of(
                "Deployment",
                "x",
                DEPLOYMENT.replace("LABEL", "a").replace(
                    "image: nginx", "image: nginx, resources: {limits: {memory: 1Gi}}"
                ),
            )
        ),
    )
    (owner,) = lab.cluster.store.list("ReplicaSet", "default")
    (event, *_) = lab.events(owner["metadata"]["name"], "FailedCreate")
    assert event[1].startswith("Error creating: pods ")
    assert event[1].endswith(" is forbidden: maximum memory usage per Container is 64Mi, but limit is 1Gi")


def test_an_account_must_be_there() -> None:
    made = cluster()
    text = "spec: {serviceAccountName: robot, containers: [{name: c, image: nginx}]}"
    found = refused(made, "Pod", text, make_namespace=False)
    assert (found.reason, found.message) == (
        "Forbidden",
        'pods "x" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found',
    )
    put(made, "ServiceAccount", "{}", "robot")
    put(made, "Pod", text, make_namespace=False)


# ---- deleting


def test_a_finalizer_holds_an_object_until_it_is_taken_away() -> None:
    made = cluster()
    stored = put(made, "ConfigMap", "data: {a: b}")
    made.patch("ConfigMap", "default", "x", {"metadata": {"finalizers": ["example.com/f"]}}, 0.0)
    made.delete(stored, 5.0)
    waiting = made.store.get("ConfigMap", "default", "x")
    assert waiting is not None and waiting["metadata"]["deletionTimestamp"] == "2026-11-21T09:00:05Z"
    with pytest.raises(Refused) as caught:
        made.patch("ConfigMap", "default", "x", {"metadata": {"finalizers": ["example.com/g"]}}, 6.0)
    assert "no new finalizers can be added if the object is being deleted" in caught.value.message
    made.patch("ConfigMap", "default", "x", {"metadata": {"finalizers": None}}, 6.0)
    assert made.store.get("ConfigMap", "default", "x") is None


def test_a_pod_with_a_finalizer_ends_and_stays_to_be_seen() -> None:
    lab = Lab(yaml.safe_dump(body_of("Pod", "x", POD.replace("RES", "{}"))))
    lab.cluster.patch("Pod", "default", "x", {"metadata": {"finalizers": ["example.com/f"]}}, 0.0)
    lab.cluster.delete(lab.pod("x"), lab.net.clock)
    lab.wait(60)
    assert lab.pod("x")["metadata"]["deletionGracePeriodSeconds"] == 0
    lab.cluster.patch("Pod", "default", "x", {"metadata": {"finalizers": None}}, lab.net.clock)
    assert lab.cluster.store.get("Pod", "default", "x") is None


def test_a_namespace_ends_with_what_is_in_it() -> None:
    lab = Lab(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, namespace: shop, finalizers: [example.com/f]}\n"
    )
    store = lab.cluster.store
    namespace = store.get("Namespace", "", "shop")
    assert namespace is not None
    lab.cluster.delete(namespace, lab.net.clock)
    lab.settle()
    left = store.get("Namespace", "", "shop")
    assert left is not None and left["status"]["phase"] == "Terminating"
    assert [b["metadata"]["name"] for b in store.list("ConfigMap", "shop")] == ["held"]
    with pytest.raises(Refused) as caught:
        body = body_of("ConfigMap", "late", "data: {}")
        body["metadata"]["namespace"] = "shop"
        lab.cluster.put(Manifest(file="f", line=1, body=body), 0.0)
    assert caught.value.message == (
        'configmaps "late" is forbidden: unable to create new content in namespace shop because it is being terminated'
    )
    lab.cluster.patch("ConfigMap", "shop", "held", {"metadata": {"finalizers": None}}, 0.0, how="merge")
    lab.settle()
    assert store.get("Namespace", "", "shop") is None
    with pytest.raises(Refused) as caught:
        lab.cluster.delete({"kind": "Namespace", "metadata": {"name": "default"}}, 0.0)
    assert caught.value.message == 'namespaces "default" is forbidden: this namespace may not be deleted'


def web(lab: Lab) -> Json:
    body = lab.cluster.store.get("Deployment", "default", "x")
    assert body is not None
    return body


def pods(lab: Lab) -> list[Json]:
    return [p for p in lab.cluster.store.list("Pod", "default") if p["metadata"].get("ownerReferences")]


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_cascades(cascade: str) -> None:
    lab = Lab(yaml.safe_dump(body_of("Deployment", "x", DEPLOYMENT.replace("LABEL", "a"))))
    assert len(pods(lab)) == 1
    lab.cluster.delete(web(lab), lab.net.clock, cascade=cascade)
    if cascade == "foreground":
        assert web(lab)["metadata"]["finalizers"] == ["foregroundDeletion"]
    lab.settle()
    lab.wait(60)
    assert lab.cluster.store.get("Deployment", "default", "x") is None
    sets = lab.cluster.store.list("ReplicaSet", "default")
    if cascade == "orphan":
        assert len(sets) == 1 and "ownerReferences" not in sets[0]["metadata"] and len(pods(lab)) == 1
    else:
        assert not sets and not pods(lab)
