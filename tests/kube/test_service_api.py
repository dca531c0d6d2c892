"""Services at the API server: defaults, refusals in its words, addresses and ports by band, changes of type.

Texts: pkg/apis/core/validation/validation.go, pkg/registry/core/service/{ipallocator,portallocator}; behaviour of the
bands: KEP-3070, KEP-3668 (facts 20 section 1.1).
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kube import Cluster, NodeOptions, Options
from engine.kube.manifests import Manifest
from engine.kube.objects import Json
from engine.kube.services.allocate import ip_band, port_band
from engine.kube.validate import Refused
from engine.linux.addr import Prefix, ip4
from tests.kube.labs import Lab


def cluster(**options: Any) -> Cluster:
    made = Cluster(Options(nodes=(NodeOptions(name="w1"),), **options))
    made.make_namespace("default", 0.0)
    return made


def put(made: Cluster, name: str, spec: str | Json, **more: Any) -> Json:
    body = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": yaml.safe_load(spec) if isinstance(spec, str) else spec, **more,
    }  # fmt: skip
    stored = made.put(Manifest(file="s.yaml", line=1, body=body), 0.0)
    assert stored is not None
    return stored


def refused(made: Cluster, spec: str, name: str = "web") -> list[str]:
    with pytest.raises(Refused) as caught:
        put(made, name, spec)
    assert caught.value.reason == "Invalid"
    return list(caught.value.causes)


def test_defaults_of_a_plain_service() -> None:
    spec = put(cluster(), "web", "{selector: {app: web}, ports: [{port: 80}, ]}")["spec"]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    wanted = {
        "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack", "clusterIPs": [spec["clusterIP"]],
    }  # fmt: skip
    assert {k: spec[k] for k in wanted} == wanted
    assert "externalTrafficPolicy" not in spec and "allocateLoadBalancerNodePorts" not in spec


def test_defaults_of_affinity_and_of_a_load_balancer() -> None:
    made = cluster()
    spec = put(made, "a", "{sessionAffinity: ClientIP, ports: [{port: 80}]}")["spec"]
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    body = put(
        made,
        "b",
        "{type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]}",
        status={"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}},
    )
    assert body["spec"]["allocateLoadBalancerNodePorts"] is True
    assert 30086 <= body["spec"]["healthCheckNodePort"] <= 32767
    assert body["spec"]["healthCheckNodePort"] != body["spec"]["ports"][0]["nodePort"]
    assert body["status"] == {"loadBalancer": {"ingress": [{"ip": "203.0.113.7", "ipMode": "VIP"}]}}
    without = put(
        made, "c", "{type: LoadBalancer, allocateLoadBalancerNodePorts: false, ports: [{port: 80}]}"
    )
    assert "nodePort" not in without["spec"]["ports"][0]


LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
REFUSED = [
    ("{ports: []}", ["spec.ports: Required value"]),
    (
        "{ports: [{port: 80}, {port: 443, name: tls}]}",
        ["spec.ports[0].name: Required value"],
    ),
    (
        "{ports: [{port: 80, name: a}, {port: 443, name: a}]}",
        ['spec.ports[1].name: Duplicate value: "a"'],
    ),
    (
        "{ports: [{port: 80, name: a}, {port: 80, name: b}]}",
        [
            'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,'
            '"NodePort":0}'
        ],
    ),
    ("{ports: [{port: 80, name: Web}]}", [f'spec.ports[0].name: Invalid value: "Web": {LABEL}']),
    ("{ports: [{port: 0}]}", [
        "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
    ]),
    ("{ports: [{port: 80, targetPort: 70000}]}", [
        "spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    ]),
    ("{ports: [{port: 80, targetPort: http_port}]}", [
        'spec.ports[0].targetPort: Invalid value: "http_port": must contain only alpha-numeric characters (a-z, 0-9), '
        "and hyphens (-)",
    ]),
    ("{ports: [{port: 80, protocol: HTTP}]}", [
        'spec.ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"',
    ]),
    ("{type: NodePort, ports: [{port: 80, nodePort: 8080}]}", [
        "spec.ports[0].nodePort: Invalid value: 8080: provided port is not in the valid range. The range of valid "
        "ports is 30000-32767",
    ]),
    ("{ports: [{port: 80, nodePort: 30080}]}", [
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ]),
    ("{type: NodePort, clusterIP: None, ports: [{port: 80}]}", [
        "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services",
    ]),
    ("{type: ExternalName, ports: [{port: 80}]}", ["spec.externalName: Required value"]),
    ("{type: ExternalName, externalName: a.example, clusterIP: 10.96.0.9}", [
        "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
    ]),
    ("{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}, ports: [{port: 80}]}", [
        "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less "
        "than 86400",
    ]),
    ("{sessionAffinity: Cookie, ports: [{port: 80}]}", [
        'spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"',
    ]),
    ("{externalTrafficPolicy: Local, ports: [{port: 80}]}", [
        'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
    ]),
    ("{internalTrafficPolicy: Node, ports: [{port: 80}]}", [
        'spec.internalTrafficPolicy: Unsupported value: "Node": supported values: "Cluster", "Local"',
    ]),
    ("{type: NodePort, healthCheckNodePort: 30000, ports: [{port: 80}]}", [
        "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and "
        "`externalTrafficPolicy` is 'Local'",
    ]),
    ("{loadBalancerSourceRanges: [10.0.0.0/8], ports: [{port: 80}]}", [
        "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ]),
    ("{type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0], ports: [{port: 80}]}", [
        'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or '
        "2001:db8::/64)",
    ]),
    ("{externalIPs: [127.0.0.1], ports: [{port: 80}]}", [
        'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ]),
    ("{type: Loadbalancer, ports: [{port: 80}]}", [
        'spec.type: Unsupported value: "Loadbalancer": supported values: "ClusterIP", "ExternalName", "LoadBalancer", '
        '"NodePort"',
    ]),
    ("{trafficDistribution: Near, ports: [{port: 80}]}", [
        'spec.trafficDistribution: Unsupported value: "Near": supported values: "PreferClose", "PreferSameZone", '
        '"PreferSameNode"',
    ]),
    ("{ipFamilyPolicy: RequireDualStack, ports: [{port: 80}]}", [
        'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack '
        "services",
    ]),
    ("{ipFamilies: [IPv6], ports: [{port: 80}]}", [
        'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    ]),
    ("{clusterIP: 10.96.0.1, ports: [{port: 80}]}", [
        'spec.clusterIPs: Invalid value: ["10.96.0.1"]: failed to allocate IP 10.96.0.1: provided IP is already '
        "allocated",
    ]),
    ("{clusterIP: 10.95.0.1, ports: [{port: 80}]}", [
        'spec.clusterIPs: Invalid value: ["10.95.0.1"]: failed to allocate IP 10.95.0.1: the provided network does '
        "not match the current range",
    ]),
    ("{clusterIP: 10.96.0.0, ports: [{port: 80}]}", [
        'spec.clusterIPs: Invalid value: ["10.96.0.0"]: failed to allocate IP 10.96.0.0: the provided IP (10.96.0.0) '
        "is not in the valid range. The range of valid IPs is 10.96.0.0/12",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "errors"), REFUSED, ids=[r[0] for r in REFUSED])
def test_refused(spec: str, errors: list[str]) -> None:
    assert refused(cluster(), spec) == errors


def test_before_1_34_values_are_printed_as_go_source() -> None:
    """As clusters of 1.2x printed it (kubectl apply of a strange ClusterIP, of two equal ports)."""
    assert refused(cluster(kubernetes="1.32"), "{clusterIP: 10.10.100.100, ports: [{port: 80}]}") == [
        'spec.clusterIPs: Invalid value: []string{"10.10.100.100"}: failed to allocate IP 10.10.100.100: the provided '
        "IP (10.10.100.100) is not in the valid range. The range of valid IPs is 10.96.0.0/12"
    ]
    assert refused(cluster(kubernetes="1.33"), "{ports: [{port: 80, name: a}, {port: 80, name: b}]}") == [
        'spec.ports[1]: Duplicate value: core.ServicePort{Name:"", Protocol:"TCP", AppProtocol:(*string)(nil), '
        'Port:80, TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:""}, NodePort:0}'
    ]


def test_numbers_that_another_service_has() -> None:
    made = cluster()
    put(made, "a", "{type: NodePort, clusterIP: 10.96.7.7, ports: [{port: 80, nodePort: 30080}]}")
    assert refused(made, "{clusterIP: 10.96.7.7, ports: [{port: 80}]}") == [
        'spec.clusterIPs: Invalid value: ["10.96.7.7"]: failed to allocate IP 10.96.7.7: provided IP is already '
        "allocated"
    ]
    assert refused(made, "{type: NodePort, ports: [{port: 80, nodePort: 30080}]}") == [
        "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"
    ]
    # the other protocol is the same number
    assert refused(made, "{type: NodePort, ports: [{port: 80, nodePort: 30080, protocol: UDP}]}")
    body = made.store.get("Service", "default", "a")
    assert body is not None
    made.delete(body, 0.0)
    put(made, "b", "{type: NodePort, clusterIP: 10.96.7.7, ports: [{port: 80, nodePort: 30080}]}")


def test_one_number_serves_both_protocols_of_a_port() -> None:
    text = "{type: NodePort, ports: [{port: 53, name: u, protocol: UDP}, {port: 53, name: t}, {port: 80, name: w}]}"
    numbers = [p["nodePort"] for p in put(cluster(), "dns", text)["spec"]["ports"]]
    assert numbers[0] == numbers[1] != numbers[2]


#: facts 20 section 1.1: static bands .1-.16 of a /24, the first 256 of a /20 and larger; node ports 30000-30085.
@pytest.mark.parametrize(
    ("cidr", "first", "dynamic", "last"),
    [
        ("10.96.0.0/12", "10.96.0.1", "10.96.1.1", "10.111.255.254"),
        ("10.96.0.0/24", "10.96.0.1", "10.96.0.17", "10.96.0.254"),
        ("10.96.0.0/20", "10.96.0.1", "10.96.1.1", "10.96.15.254"),
    ],
)
def test_bands_of_addresses(cidr: str, first: str, dynamic: str, last: str) -> None:
    head, _, length = cidr.partition("/")
    assert ip_band(Prefix(ip4(head), int(length))) == (ip4(first), ip4(dynamic), ip4(last))


def test_bands_of_ports() -> None:
    assert port_band(Options(nodes=())) == (30000, 30086, 32767)
    assert port_band(Options(nodes=(), node_ports=(30000, 30010))) == (30000, 30000, 30010)


def test_a_full_range_falls_back_to_the_lower_band_and_then_ends() -> None:
    made = cluster(service_cidr=Prefix(ip4("10.96.0.0"), 27))
    seen = [put(made, f"s{i}", "{ports: [{port: 80}]}")["spec"]["clusterIP"] for i in range(29)]
    assert len(set(seen)) == 29 and "10.96.0.1" not in seen
    assert all(ip4(ip) >= ip4("10.96.0.17") for ip in seen[:14])
    with pytest.raises(Refused) as caught:
        put(made, "more", "{ports: [{port: 80}]}")
    assert caught.value.message == "Internal error occurred: failed to allocate a serviceIP: range is full"


@given(
    st.lists(
        st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "delete"]), max_size=25
    )
)
@settings(max_examples=40, deadline=None)
def test_no_number_is_given_twice(steps: list[str]) -> None:
    made = cluster(service_cidr=Prefix(ip4("10.96.0.0"), 26), node_ports=(30000, 30040))
    for i, step in enumerate(steps):
        name = f"s{i % 6}"
        old = made.store.get("Service", "default", name)
        if step == "delete":
            if old is not None:
                made.delete(old, 0.0)
            continue
        more = {"externalName": "a.example"} if step == "ExternalName" else {}
        if step == "LoadBalancer":
            more = {"externalTrafficPolicy": "Local"}
        put(
            made,
            name,
            {"type": step, "ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}], **more},
        )
        ips: list[str] = []
        ports: list[int] = []
        for body in made.store.list("Service"):
            spec = body["spec"]
            assert (spec["type"] == "ExternalName") == ("clusterIP" not in spec)
            ips += spec.get("clusterIPs", [])
            numbers = [p["nodePort"] for p in spec["ports"] if "nodePort" in p]
            assert len(numbers) == (2 if spec["type"] in ("NodePort", "LoadBalancer") else 0)
            ports += [*numbers, *([spec["healthCheckNodePort"]] if "healthCheckNodePort" in spec else [])]
        assert len(ips) == len(set(ips)) and len(ports) == len(set(ports))


def test_services_of_another_cluster_keep_their_numbers_in_a_lab() -> None:
    """DESIGN section 5: what a Service does is testable from its objects alone, whatever cluster they came from."""
    lab = Lab(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
        "spec: {type: NodePort, clusterIP: 172.30.0.41, ports: [{port: 80, nodePort: 3001}]}\n"
    )
    body = lab.cluster.store.get("Service", "default", "web")
    assert body is not None
    assert (body["spec"]["clusterIP"], body["spec"]["ports"][0]["nodePort"]) == ("172.30.0.41", 3001)
    assert sorted(s.why.text("en").split(" ")[0] for s in lab.cluster.skipped) == ["172.30.0.41", "3001"]
    assert refused(lab.cluster, "{type: NodePort, ports: [{port: 80, nodePort: 3002}]}", "other")
    lab.cluster.patch("Service", "default", "web", {"spec": {"sessionAffinity": "ClientIP"}}, 0.0)


# ---- changes


def test_the_same_manifest_again_keeps_what_was_allocated() -> None:
    made = cluster()
    text = "{type: NodePort, selector: {app: a}, ports: [{port: 80}]}"
    first = put(made, "web", text)
    assert put(made, "web", text) == first


def test_an_address_may_not_change_and_a_type_may() -> None:
    made = cluster()
    spec = put(made, "web", "{type: NodePort, ports: [{port: 80}]}")["spec"]
    assert refused(made, "{type: NodePort, clusterIP: 10.96.0.99, ports: [{port: 80}]}") == [
        'spec.clusterIPs[0]: Invalid value: ["10.96.0.99"]: may not change once set'
    ]
    plain = made.patch("Service", "default", "web", {"spec": {"type": "ClusterIP"}}, 0.0)["spec"]
    assert plain["clusterIP"] == spec["clusterIP"]
    assert "nodePort" not in plain["ports"][0] and "externalTrafficPolicy" not in plain
    outside = {"spec": {"type": "ExternalName", "externalName": "a.example"}}
    named = made.patch("Service", "default", "web", outside, 0.0)["spec"]
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & set(named)
    back = made.patch("Service", "default", "web", {"spec": {"type": "ClusterIP"}}, 0.0)["spec"]
    assert back["clusterIP"]


def test_warnings() -> None:
    """pkg/api/service/warnings.go."""
    made = cluster(kubernetes="1.36")
    put(made, "a", "{externalIPs: [192.0.2.1], ports: [{port: 80}]}")
    assert made.warnings == [
        "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    ]
    put(made, "b", "{trafficDistribution: PreferClose, ports: [{port: 80}]}")
    assert made.warnings == ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"']
    put(made, "c", "{clusterIP: None, sessionAffinity: ClientIP, ports: [{port: 80}]}")
    assert made.warnings == ["spec.SessionAffinity is ignored for headless services"]
    put(made, "d", "{ports: [{port: 80}]}")
    assert made.warnings == []


def test_what_the_server_itself_keeps() -> None:
    lab = Lab("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n")
    store = lab.cluster.store
    own = store.get("Service", "default", "kubernetes")
    assert own is not None
    assert own["spec"]["clusterIP"] == "10.96.0.1"
    assert own["metadata"]["labels"] == {"component": "apiserver", "provider": "kubernetes"}
    piece = store.get("EndpointSlice", "default", "kubernetes")
    assert piece is not None
    address = store.get("Node", "", "cp")["status"]["addresses"][0]["address"]  # type: ignore[index]
    assert piece["endpoints"] == [{"addresses": [address], "conditions": {"ready": True}}]
    assert piece["ports"] == [{"name": "https", "port": 6443, "protocol": "TCP"}]
    names = {b["metadata"]["name"]: b["spec"]["parentRef"] for b in store.list("IPAddress")}
    web = store.get("Service", "default", "web")
    assert web is not None
    assert names["10.96.0.1"]["name"] == "kubernetes"
    assert names[web["spec"]["clusterIP"]] == {
        "group": "", "name": "web", "namespace": "default", "resource": "services"
    }  # fmt: skip
    assert [b["spec"]["cidrs"] for b in store.list("ServiceCIDR")] == [["10.96.0.0/12"]]
    lab.cluster.delete(web, lab.net.clock)
    lab.cluster.delete(own, lab.net.clock)
    lab.settle()
    assert store.get("Service", "default", "kubernetes") is not None
    assert [b["metadata"]["name"] for b in store.list("IPAddress")] == ["10.96.0.1"]


def test_a_second_range_gives_addresses_when_the_first_is_full() -> None:
    """KEP-1880: kubectl create a ServiceCIDR, and Services get addresses of it."""
    lab = Lab(service_cidr=Prefix(ip4("10.96.0.0"), 29))
    made = lab.cluster
    for i in range(5):
        put(made, f"s{i}", "{ports: [{port: 80}]}")
    with pytest.raises(Refused):
        put(made, "more", "{ports: [{port: 80}]}")
    body = {
        "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "second"},
        "spec": {"cidrs": ["10.200.0.0/24"]},
    }  # fmt: skip
    made.put(Manifest(file="c", line=1, body=body), 0.0)
    lab.settle()
    second = made.store.get("ServiceCIDR", "", "second")
    assert second is not None and second["status"]["conditions"][0]["status"] == "True"
    spec = put(made, "more", "{ports: [{port: 80}]}")["spec"]
    assert spec["clusterIP"].startswith("10.200.0.")
    assert (
        put(made, "named", "{clusterIP: 10.200.0.9, ports: [{port: 80}]}")["spec"]["clusterIP"]
        == "10.200.0.9"
    )
    made.delete(second, 0.0)
    lab.settle()
    held = made.store.get("ServiceCIDR", "", "second")
    assert held is not None and held["status"]["conditions"][0]["reason"] == "Terminating"
    for name in ("more", "named"):
        old = made.store.get("Service", "default", name)
        assert old is not None
        made.delete(old, 0.0)
    lab.settle()
    assert made.store.get("ServiceCIDR", "", "second") is None


def test_before_1_33_there_are_no_ranges_as_objects() -> None:
    lab = Lab(kubernetes="1.32")
    assert not lab.cluster.store.list("IPAddress") and not lab.cluster.store.list("ServiceCIDR")


def test_1_30_forgets_a_field_that_it_only_knows_behind_a_gate() -> None:
    """ServiceTrafficDistribution was alpha then: the field is dropped, whatever it says, not refused."""
    made = cluster(kubernetes="1.30")
    assert (
        "trafficDistribution"
        not in put(made, "near", "{trafficDistribution: PreferClose, ports: [{port: 80}]}")["spec"]
    )
    put(made, "near", "{trafficDistribution: Elsewhere, ports: [{port: 80}]}")


def test_a_server_before_1_33_does_not_know_the_resource() -> None:
    from engine.lab.lab import Lab as World

    world = World.load({"kubernetes": "1.32", "nodes": [{"name": "cp", "role": "control-plane"}]})
    unknown = 'error: the server doesn\'t have a resource type "servicecidrs"\n'
    assert world.run("node/cp", "kubectl get servicecidrs").stderr == unknown
    assert "servicecidrs" not in world.run("node/cp", "kubectl api-resources").stdout
    assert "doesn't have a resource type" in world.run("node/cp", "kubectl explain ipaddresses").stderr
