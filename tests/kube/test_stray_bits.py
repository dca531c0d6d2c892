"""Networks with bits beyond their length: taken with a warning until 1.35, refused from 1.36 on.

Source: apimachinery/pkg/util/validation/ip.go (GetWarningsForCIDR, IsValidCIDR); kubernetes/kubernetes#128786 warns of
NetworkPolicies since 1.33, #137053 turns StrictIPCIDRValidation on in 1.36. Services were warned of before.
"""

from __future__ import annotations

import pytest

from engine.lab.lab import Lab

POLICY = """\
cat <<X | kubectl apply -f -
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p}
spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.1.2.3/8, except: [10.1.2.3/32, 10.9.9.9/16]}}]}]}
X"""
SERVICE = """\
cat <<X | kubectl apply -f -
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {type: LoadBalancer, ports: [{port: 80}], loadBalancerSourceRanges: [192.12.2.8/24]}
X"""
AMBIGUOUS = (
    'Warning: spec.ingress[0].from[0].ipBlock.cidr: CIDR value "10.1.2.3/8" is ambiguous in this context '
    '(should be "10.0.0.0/8" or "10.1.2.3/32"?)\n'
    'Warning: spec.ingress[0].from[0].ipBlock.except[1]: CIDR value "10.9.9.9/16" is ambiguous in this context '
    '(should be "10.9.0.0/16" or "10.9.9.9/32"?)\n'
)
RANGES = (
    'Warning: spec.loadBalancerSourceRanges[0]: CIDR value "192.12.2.8/24" is ambiguous in this context '
    '(should be "192.12.2.0/24" or "192.12.2.8/32"?)\n'
)
STRICT = "must not have bits set beyond the prefix length"


def opened(version: str) -> Lab:
    nodes = [{"name": "cp", "role": "control-plane"}]
    return Lab.load({"kubernetes": version, "nodes": nodes, "cni": {"name": "calico"}})


@pytest.mark.parametrize(("version", "said"), [("1.32", ""), ("1.33", AMBIGUOUS), ("1.35", AMBIGUOUS)])
def test_a_policy_is_taken_with_a_warning(version: str, said: str) -> None:
    result = opened(version).run("node/cp", POLICY)
    assert (result.stderr, result.stdout, result.code) == (
        said,
        "networkpolicy.networking.k8s.io/p created\n",
        0,
    )


@pytest.mark.parametrize("version", ["1.30", "1.35"])
def test_a_service_is_taken_with_a_warning(version: str) -> None:
    result = opened(version).run("node/cp", SERVICE)
    assert (result.stderr, result.code) == (RANGES, 0)


def test_both_are_refused_from_1_36_on() -> None:
    lab = opened("1.36")
    policy, service = lab.run("node/cp", POLICY), lab.run("node/cp", SERVICE)
    assert f'* spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "10.1.2.3/8": {STRICT}' in policy.stderr
    assert (
        f'* spec.ingress[0].from[0].ipBlock.except[1]: Invalid value: "10.9.9.9/16": {STRICT}'
        in policy.stderr
    )
    assert f'spec.LoadBalancerSourceRanges[0]: Invalid value: "192.12.2.8/24": {STRICT}' in service.stderr
    assert policy.code == service.code == 1
