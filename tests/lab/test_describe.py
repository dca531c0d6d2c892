"""The lab file: defaults, and the exact text of what is said when a key is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError, InputError
from engine.kube.containerd import DEFAULT_PAUSE, KUBEADM_PAUSE
from engine.lab.describe import CONTAINERDS, KEYS, VERSIONS, Description, describe
from engine.lab.doc import Doc, read
from engine.lab.lab import Lab
from engine.lab.reader import Problems
from engine.linux.addr import Prefix


def described(text: str) -> Description:
    problems = Problems()
    spec = describe(read(text, "lab.yaml"), problems)
    problems.raise_any()
    return spec


def errors(text: str, lang: str = "en") -> list[str]:
    with pytest.raises(InputError) as caught:
        described(text)
    return caught.value.text(lang).splitlines()


def test_the_least_lab_has_all_defaults() -> None:
    spec = described("nodes: [{name: w1}]")
    assert spec.kubernetes == "1.35"
    assert spec.containerd == "2.2"
    assert spec.cni.name == "bridge"
    assert (spec.proxy.mode, spec.addons) == ("iptables", ())
    assert spec.nodes[0].pod_cidr == Prefix.parse("10.244.0.0/24")
    assert spec.nodes[0].pause
    assert not spec.nodes[0].control_plane


def test_the_versions_are_those_that_the_cluster_knows() -> None:
    assert tuple(KUBEADM_PAUSE) == VERSIONS
    assert tuple(DEFAULT_PAUSE) == CONTAINERDS


def test_pod_ranges_are_given_out_in_order_around_those_that_are_given() -> None:
    spec = described("nodes: [{name: a}, {name: b, podCIDR: 10.244.1.0/24}, {name: c}]")
    assert [str(n.pod_cidr) for n in spec.nodes] == ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]


def test_a_bare_address_is_in_a_slash_24() -> None:
    spec = described("nodes: [{name: a, addresses: [192.168.7.5, 10.9.0.1/16]}]")
    assert [str(a) for a in spec.nodes[0].addresses] == ["192.168.7.5/24", "10.9.0.1/16"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "nodes: [{name: w1, adresses: [1.2.3.4]}]",
            "lab.yaml:1: nodes[0].adresses: there is no key 'adresses' here (did you mean 'addresses'?); accepted: "
            "name, role, addresses, podCIDR, labels, taints, images, airGapped, pauseImage, sandboxImage",
        ),
        (
            "nodes:\n  - {name: w1}\n  - {name: w2}\n  - name: w3\n    addresses: [192.168.10.300]",
            "lab.yaml:5: nodes[2].addresses[0]: found '192.168.10.300', accepted: an IPv4 prefix, as in 10.244.1.0/24",
        ),
        (
            "nodes: [{name: w1}]\nkubernetes: 1.35",
            "lab.yaml:2: kubernetes: found 1.35, accepted: one of 1.30, 1.31, 1.32, 1.33, 1.34, 1.35, 1.36, in quotes",
        ),
        (
            "nodes: [{name: w1}]\ncni: {name: cilium, mode: vxlan}",
            "lab.yaml:2: cni.name: cni: {name: cilium} is not modelled here. The model has bridge, none, calico "
            "so far.",
        ),
        (
            "nodes: [{name: w1}]\ncni: {name: calico, mode: gre}",
            "lab.yaml:2: cni.mode: found 'gre', accepted: none, ipip, vxlan, ipip-cross-subnet, vxlan-cross-subnet",
        ),
        (
            "nodes: [{name: w1}]\nproxy: {mode: ipvz}",
            "lab.yaml:2: proxy.mode: found 'ipvz' (did you mean 'ipvs'?), accepted: iptables, "
            "ipvs, nftables, userspace, none",
        ),
        (
            "nodes: [{name: w1}]\naddons: [{metallb: {}}]",
            "lab.yaml:2: addons[0]: addons: metallb is not modelled here. The model has coredns, nodelocaldns so far.",
        ),
        (
            "nodes: [{name: w1}]\naddons: [{coredns: 3}]",
            "lab.yaml:2: addons[0].coredns: found 3, accepted: a mapping of the addon's own settings",
        ),
        (
            "nodes: [{name: w1}]\nfabric: {kind: aws}",
            "lab.yaml:2: fabric.kind: fabric: {kind: aws} is not modelled here. The model has lan so far.",
        ),
        (
            "nodes: [{name: w1}, {name: w1}]",
            "lab.yaml:1: nodes[1]: two machines are called 'w1'; the other is lab.yaml:1: nodes[0]",
        ),
        (
            "nodes: [{role: worker}]",
            "lab.yaml:1: nodes[0]: the key 'name' is missing; write a name, as in w1",
        ),
        (
            "nodes: [{name: no}]",
            "lab.yaml:1: nodes[0].name: found false, accepted: a name of at most 63 small letters, digits and dashes",
        ),
        (
            "hosts: [{name: h}]\nmanifests: [a.yaml]",
            "lab.yaml:2: manifests: `manifests` needs a cluster, and this lab has no nodes; add `nodes: [{name: w1}]`",
        ),
        (
            "{}",
            "lab.yaml:1: a lab needs at least one machine: `nodes: [{name: w1}]` or `hosts: [{name: laptop}]`",
        ),
        (
            "nodes: [{name: w1, podCIDR: 10.99.0.0/24}]",
            "lab.yaml:1: nodes[0].podCIDR: 10.99.0.0/24 is not inside the Pods' range 10.244.0.0/16; "
            "choose a prefix of it",
        ),
        (
            "hosts: [{name: h, docker: {containers: [{name: a, image: nginx, publish: [x]}]}}]",
            "lab.yaml:1: hosts[0].docker.containers[0].publish[0]: found 'x', accepted: a published port as docker "
            "writes it, as in 8080:80 or 127.0.0.1:8080:80/tcp",
        ),
        (
            "hosts:\n  - name: h\n    docker:\n      airGaped: true",
            "lab.yaml:4: hosts[0].docker.airGaped: 'airGaped' is not a key here (did you mean 'airGapped'?); the keys "
            "are containers, networks, images, airGapped, userlandProxy",
        ),
        (
            "nodes: [{name: w1}]\nserviceNodePortRange: 40000",
            "lab.yaml:2: serviceNodePortRange: found 40000, accepted: two port numbers, as in 30000-32767",
        ),
    ],
)
def test_what_is_said(text: str, error: str) -> None:
    assert errors(text) == [error]


def test_all_problems_come_at_once() -> None:
    text = "nodes:\n  - {name: W1}\n  - {nam: w2}\nproxy: {mode: x}\nfaluts: []\n"
    found = errors(text)
    assert [line.split(": ")[1].split(" ")[0] for line in found] == [
        "faluts",
        "nodes[0].name",
        "nodes[1].nam",
        "nodes[1]",
        "proxy.mode",
    ]
    assert "did you mean 'faults'" in found[0]


def test_what_dockerd_refuses_has_its_line() -> None:
    text = "hosts:\n  - name: h\n    docker:\n      containers:\n"
    text += "        - {image: nginx, publish: ['80:80']}\n" * 2
    with pytest.raises(InputError) as caught:
        Lab.load(read(text, "lab.yaml"))
    (problem,) = caught.value.problems
    assert problem.where == "lab.yaml:6: hosts[0].docker.containers[1]"
    assert "port is already allocated" in problem.text("en")


def test_the_same_in_korean() -> None:
    assert errors("nodes: [{name: w1}]\nadons: []", "ko") == [
        "lab.yaml:2: adons: 여기에는 'adons' 키가 없습니다 ('addons'를 뜻했습니까?). 쓸 수 있는 키: "
        + ", ".join(KEYS)
    ]


WORDS = [
    "w1",
    "10.244.1.0/24",
    "bridge",
    "none",
    "calico",
    "control-plane",
    "node/w1",
    "link-down",
    "nginx",
    "8080:80",
]
NAMES = [
    "name",
    "role",
    "addresses",
    "podCIDR",
    "labels",
    "docker",
    "containers",
    "kind",
    "mode",
    "on",
    "dev",
    "image",
    "listen",
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
JUNK = st.recursive(
    SCALARS | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*KEYS, *NAMES]) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JUNK)
def test_no_file_however_strange_gives_a_traceback(value: Any) -> None:
    try:
        Lab.load(Doc("lab.yaml", value))
    except EngineError as error:
        assert error.text("en")
        assert error.text("ko")
