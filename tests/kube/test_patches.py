"""Patches of API objects: RFC 7386 and 6902 by their own examples, strategic merge by Kubernetes' documented ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kube import patch
from engine.kube.merge_keys import STRATEGY
from engine.kube.objects import Json
from engine.kube.patch import PatchError
from engine.kube.schema import types

#: RFC 7386, appendix A: target, patch, result.
MERGES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}), ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}), ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}), ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}), ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}), (["a", "b"], ["c", "d"], ["c", "d"]), ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None), ({"a": "foo"}, "bar", "bar"), ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}), ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]  # fmt: skip


@pytest.mark.parametrize(("target", "change", "result"), MERGES)
def test_merge_patch(target: Any, change: Any, result: Any) -> None:
    assert patch.merge_patch(target, change) == result


#: RFC 6902, appendix A.1 to A.10, A.14, A.16: document, operations, result.
OPERATIONS = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    (
        {"baz": "qux", "foo": "bar"},
        [{"op": "replace", "path": "/baz", "value": "boo"}],
        {"baz": "boo", "foo": "bar"},
    ),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    (
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
        {"foo": ["bar", ["abc", "def"]]},
    ),
]


@pytest.mark.parametrize(("document", "operations", "result"), OPERATIONS)
def test_json_patch(document: Json, operations: list[Any], result: Json) -> None:
    assert patch.json_patch(document, operations) == result


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "test", "path": "/baz", "value": "bar"}],
        [{"op": "add", "path": "/none/bat", "value": "qux"}],
        [{"op": "remove", "path": "/none"}],
        [{"op": "replace", "path": "/none", "value": 1}],
        [{"op": "replace", "path": "/list/7", "value": 1}],
        [{"op": "add", "path": "/list/7", "value": 1}],
        [{"op": "copy", "from": "/none", "path": "/x"}],
        [{"op": "poke", "path": "/baz"}],
    ],
)
def test_a_json_patch_that_does_not_apply(operations: list[Any]) -> None:
    """The server answers one sentence for all of them (NewGenericServerResponse, 422)."""
    with pytest.raises(PatchError) as error:
        patch.json_patch({"baz": "qux", "list": [1]}, operations)
    assert error.value.reason == "Invalid"
    assert error.value.message == (
        "The request is invalid: the server rejected our request due to an error in our request"
    )


#: "Update API Objects in Place Using kubectl patch" (kubernetes.io/docs/tasks/manage-kubernetes-objects).
DEPLOYMENT: Json = {
    "kind": "Deployment",
    "spec": {
        "replicas": 2,
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
        },
        "template": {
            "spec": {
                "containers": [{"name": "patch-demo-ctr", "image": "nginx"}],
                "tolerations": [{"effect": "NoSchedule", "key": "dedicated", "value": "test-team"}],
            }
        },
    },
}


def changed(how: str, change: Json) -> Json:
    return dict(patch.applied(DEPLOYMENT, change, how)["spec"])


def test_the_documented_difference_of_strategic_and_merge() -> None:
    redis = {"name": "patch-demo-ctr-2", "image": "redis"}
    change = {"spec": {"template": {"spec": {"containers": [redis]}}}}
    both = changed("strategic", change)["template"]["spec"]["containers"]
    assert both == [redis, {"name": "patch-demo-ctr", "image": "nginx"}]
    assert changed("merge", change)["template"]["spec"]["containers"] == [redis]
    toleration = {"effect": "NoSchedule", "key": "disktype", "value": "ssd"}
    atomic = {"spec": {"template": {"spec": {"tolerations": [toleration]}}}}
    assert changed("strategic", atomic)["template"]["spec"]["tolerations"] == [toleration]


def test_the_documented_retain_keys() -> None:
    change = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert changed("strategic", change)["strategy"] == {"type": "Recreate"}


def test_directives() -> None:
    pod: Json = {
        "kind": "Pod",
        "metadata": {"finalizers": ["a/b", "c/d", "e/f"]},
        "spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]},
    }
    gone = patch.strategic_patch(pod, {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}})
    assert [c["name"] for c in gone["spec"]["containers"]] == ["b"]
    whole = patch.strategic_patch(
        pod, {"spec": {"containers": [{"name": "c", "image": "z"}, {"$patch": "replace"}]}}
    )
    assert [c["name"] for c in whole["spec"]["containers"]] == ["c"]
    less = patch.strategic_patch(pod, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["c/d"]}})
    assert less["metadata"]["finalizers"] == ["a/b", "e/f"]
    order = patch.strategic_patch(
        pod, {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}
    )
    assert [c["name"] for c in order["spec"]["containers"]] == ["b", "a"]
    with pytest.raises(PatchError) as error:
        patch.strategic_patch(pod, {"spec": {"containers": [{"image": "z"}]}})
    assert error.value.text == "map: map[image:z] does not contain declared merge key: name"
    assert error.value.reason == ""


def test_two_protocols_on_one_port_share_a_merge_key() -> None:
    """The known trap of Service ports: a patch of port 53 finds the first one (kubernetes/kubernetes#39188)."""
    service: Json = {
        "kind": "Service",
        "spec": {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
    }
    out = patch.strategic_patch(service, {"spec": {"ports": [{"port": 53, "nodePort": 30053}]}})
    assert out["spec"]["ports"][0] == {"port": 53, "protocol": "UDP", "nodePort": 30053}


def test_apply_leaves_what_others_added_and_takes_away_what_it_dropped() -> None:
    """kubernetes.io, "How apply calculates differences and merges changes"."""
    last: Json = {
        "kind": "Deployment",
        "spec": {
            "minReadySeconds": 5,
            "template": {"spec": {"containers": [{"name": "nginx", "image": "a"}]}},
        },
    }
    live: Json = {
        "kind": "Deployment",
        "spec": {
            "minReadySeconds": 5, "replicas": 2, "template": {"spec": {"containers": [
                {"name": "nginx", "image": "a"}, {"name": "sidecar", "image": "s"}]}},
        },
    }  # fmt: skip
    wanted: Json = {
        "kind": "Deployment",
        "spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "b"}]}}},
    }
    change = patch.three_way(last, live, wanted)
    assert change == {
        "spec": {
            "minReadySeconds": None,
            "template": {
                "spec": {
                    "$setElementOrder/containers": [{"name": "nginx"}],
                    "containers": [{"name": "nginx", "image": "b"}],
                }
            },
        }
    }
    out = patch.strategic_patch(live, change)["spec"]
    assert out["replicas"] == 2 and "minReadySeconds" not in out
    assert [c["image"] for c in out["template"]["spec"]["containers"]] == ["b", "s"]


def test_apply_switches_a_volume_and_a_strategy() -> None:
    """patchStrategy retainKeys: what the new source does not name goes, whoever wrote it."""

    def pod(*volumes: Json) -> Json:
        return {"kind": "Pod", "spec": {"volumes": list(volumes)}}

    token = {"name": "kube-api-access-x", "projected": {}}
    old, new = {"name": "v", "emptyDir": {}}, {"name": "v", "configMap": {"name": "x"}}
    live = pod(old, token)
    assert patch.strategic_patch(live, patch.three_way(pod(old), live, pod(new))) == pod(new, token)

    def deployment(strategy: Json) -> Json:
        return {"kind": "Deployment", "spec": {"strategy": strategy}}

    live = deployment({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}})
    change = patch.three_way(deployment({}), live, deployment({"type": "Recreate"}))
    assert change == {"spec": {"strategy": {"type": "Recreate", "$retainKeys": ["type"]}}}
    assert patch.strategic_patch(live, change) == deployment({"type": "Recreate"})


def test_every_strategy_is_of_a_field_that_the_schema_knows() -> None:
    for name in STRATEGY:
        struct, _, key = name.partition(".")
        assert key in types()[struct], name


# ---- random objects

NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.sampled_from(["1", "2", "3"])
ENV = st.lists(
    st.fixed_dictionaries({"name": NAMES, "value": VALUES}), max_size=4, unique_by=lambda e: e["name"]
)
PORTS = st.lists(
    st.fixed_dictionaries(
        {"containerPort": st.sampled_from([80, 81, 82])}, optional={"name": NAMES, "protocol": VALUES}
    ),
    max_size=3,
    unique_by=lambda p: p["containerPort"],
)
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES, "image": VALUES}, optional={"env": ENV, "ports": PORTS, "args": st.lists(VALUES)}
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda c: c["name"],
)
MAPS = st.dictionaries(NAMES, VALUES, max_size=4)
OBJECTS = st.builds(
    lambda labels, finalizers, containers, selector, host: {
        "kind": "Pod",
        "metadata": {"labels": labels, "finalizers": finalizers},
        "spec": {"containers": containers, "nodeSelector": selector, **host},
    },
    MAPS, st.lists(NAMES, max_size=3, unique=True), CONTAINERS, MAPS,
    st.fixed_dictionaries({}, optional={"hostNetwork": st.booleans(), "hostname": NAMES}),
)  # fmt: skip


def without_empty(value: Any) -> Any:
    """An empty list or map that a patch leaves is none."""
    if isinstance(value, dict):
        return {k: w for k, v in value.items() if (w := without_empty(v)) not in ({}, [])}
    return [without_empty(v) for v in value] if isinstance(value, list) else value


@given(OBJECTS, OBJECTS)
@settings(max_examples=150, deadline=None)
def test_a_two_way_patch_makes_the_new_of_the_old(old: Json, new: Json) -> None:
    change = patch.two_way(old, new)
    assert without_empty(patch.strategic_patch(old, change)) == without_empty(new)


def contains(whole: Any, part: Any, key: str = "") -> bool:
    """Does an object say everything that another says? Lists of maps by name or port, others as a set."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            v in ({}, []) or (k in whole and contains(whole[k], v, k)) for k, v in part.items()
        )
    if isinstance(part, list) and part and isinstance(part[0], dict):
        merge_key = "containerPort" if key == "ports" else "name"
        return all(any(w[merge_key] == p[merge_key] and contains(w, p) for w in whole) for p in part)
    if isinstance(part, list):
        return set(part) <= set(whole)
    return bool(whole == part)


@given(OBJECTS, OBJECTS, OBJECTS)
@settings(max_examples=150, deadline=None)
def test_apply_gives_what_is_wanted_and_is_then_content(last: Json, live: Json, wanted: Json) -> None:
    out = patch.strategic_patch(live, patch.three_way(last, live, wanted))
    assert contains(out, wanted)
    again = patch.three_way(wanted, out, wanted)
    assert patch.strategic_patch(out, again) == out


@given(OBJECTS, OBJECTS, OBJECTS)
@settings(max_examples=100, deadline=None)
def test_nothing_is_changed_in_place(last: Json, live: Json, wanted: Json) -> None:
    before = [repr(v) for v in (last, live, wanted)]
    change = patch.three_way(last, live, wanted)
    text = repr(change)
    patch.strategic_patch(live, change)
    assert [repr(v) for v in (last, live, wanted)] == before and repr(change) == text
