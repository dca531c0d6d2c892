"""Manifests: what files may hold, what the API server refuses and how it says so, what is named and skipped."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.kube import Cluster, NodeOptions, Options, from_texts
from engine.kube.fields import HARMLESS, MODELLED, REFUSED
from engine.kube.manifests import Manifest, load
from engine.kube.objects import KINDS, Json
from engine.kube.schema import types
from engine.kube.validate import Refused
from tests.kube.labs import Lab


def pod(**spec: object) -> Json:
    containers = [{"name": "c", "image": "nginx"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": containers, **spec},
    }


def refused(body: Json) -> str:
    cluster = Cluster(Options(nodes=(NodeOptions(name="w1"),)))
    with pytest.raises(Refused) as caught:
        cluster.put(Manifest(file="f.yaml", line=1, body=body), 0.0)
    return caught.value.message


def test_documents_lists_and_empty_ones_are_taken_apart() -> None:
    text = "---\n---\nkind: List\napiVersion: v1\nitems:\n- {kind: A}\n- {kind: B}\n---\n# nothing\n---\nkind: C\n"
    found = load(text, "f.yaml")
    assert [m.body["kind"] for m in found] == ["A", "B", "C"]
    assert found[2].where == "f.yaml:11"


def test_yaml_is_read_as_the_api_reads_it() -> None:
    (row,) = load("a: 2020-01-01\nb: yes\nc: 0777\n1: one\n")
    assert row.body == {"a": "2020-01-01", "b": True, "c": 511, "1": "one"}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: [1\n", 2, "not YAML"), ("- 1\n", 1, "apiVersion, kind and metadata; found a list"),
        ("a: &a [*a]\n", 1, "refers to itself"), ("just words\n", 1, "found a text"), ("a: .nan\n", 1, "not JSON"),
        ("a: !!python/object:os.system x\n", 1, "not YAML"), ("[" * 200 + "]" * 200, 1, "nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_said_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(InputError) as caught:
        load(text, "f.yaml")
    (problem,) = caught.value.problems
    assert says in problem.said.text("en")
    assert problem.where in (f"f.yaml:{line}", "f.yaml")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {**pod(), "spec": {"contaners": []}},
            'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.contaners"',
        ),
        (
            pod(containers=[{"name": "c", "image": "nginx", "ports": [{"containerPort": "80"}]}]),
            'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field '
            "ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        (pod(containers=[]), 'The Pod "p" is invalid: spec.containers: Required value'),
        (
            pod(containers=[{"image": "nginx"}, {"name": "x"}]),
            'The Pod "p" is invalid: \n* spec.containers[0].name: Required value\n'
            "* spec.containers[1].image: Required value",
        ),
        (
            pod(containers=[{"name": "c", "image": "a"}, {"name": "c", "image": "b"}]),
            'The Pod "p" is invalid: spec.containers[1].name: Duplicate value: "c"',
        ),
        (
            pod(restartPolicy="Sometimes"),
            'The Pod "p" is invalid: spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", '
            '"Never", "OnFailure"',
        ),
        (
            pod(containers=[{"name": "c", "image": "a", "ports": [{"containerPort": 70000}]}]),
            'The Pod "p" is invalid: spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between '
            "1 and 65535, inclusive",
        ),
        (
            pod(hostNetwork=True, containers=[
                {"name": "c", "image": "a", "ports": [{"containerPort": 80, "hostPort": 8080}]}
            ]),
            'The Pod "p" is invalid: spec.containers[0].ports[0].hostPort: Invalid value: 8080: must match '
            "`containerPort` when `hostNetwork` is true",
        ),
        (
            {**pod(), "metadata": {}},
            'The Pod "" is invalid: metadata.name: Required value: name or generateName is required',
        ),
        ({"kind": "Pod"}, "Object 'apiVersion' is missing in '{\"kind\":\"Pod\"}'"),
        (
            {**pod(), "apiVersion": "apps/v1", "kind": "Deployment"},
            'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field '
            '"spec.containers"',
        ),
    ],
)  # fmt: skip
def test_the_api_servers_words(body: Json, message: str) -> None:
    assert refused(body) == message


def test_a_bad_name_is_explained() -> None:
    assert refused({**pod(), "metadata": {"name": "Web_1"}}).startswith(
        'The Pod "Web_1" is invalid: metadata.name: Invalid value: "Web_1": a lowercase RFC 1123 '
        "subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
        "with an alphanumeric character"
    )


def test_a_selector_must_match_its_template() -> None:
    body = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}},
                 "template": {"metadata": {"labels": {"x": "y"}}, "spec": pod()["spec"]}},
    }  # fmt: skip
    assert refused(body) == (
        'The Deployment "d" is invalid: spec.template.metadata.labels: Invalid value: {"x":"y"}: `selector` does not '
        "match template `labels`"
    )


def test_all_problems_of_all_files_come_at_once() -> None:
    cluster = Cluster(Options(nodes=(NodeOptions(name="w1"),)))
    bad = "apiVersion: v1\nkind: Pod\nmetadata: {name: NAME}\nspec: {containers: []}\n"
    found = from_texts({"a.yaml": bad.replace("NAME", "a"), "b.yaml": "---\n" + bad.replace("NAME", "b")})
    with pytest.raises(InputError) as caught:
        cluster.load(found)
    assert caught.value.text() == (
        'a.yaml:1: The Pod "a" is invalid: spec.containers: Required value\n'
        'b.yaml:2: The Pod "b" is invalid: spec.containers: Required value'
    )


def test_kinds_that_do_not_act_are_named_and_skipped() -> None:
    lab = Lab(
        "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: web}\n"
        "spec: {controller: example.com/c}\n---\n"
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: x}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n"
    )
    assert [(s.where, s.kind, s.name) for s in lab.cluster.skipped] == [
        ("0.yaml:1", "IngressClass", "web"), ("0.yaml:6", "CiliumNetworkPolicy", "x"),
    ]  # fmt: skip
    assert lab.cluster.store.get("IngressClass", "", "web") is not None
    assert all(s.why.text("ko") != s.why.text("en") for s in lab.cluster.skipped)


def test_fields_that_the_model_leaves_out_are_named() -> None:
    text = """
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  securityContext: {sysctls: [{name: net.core.somaxconn, value: "1"}]}
  containers: [{name: c, image: nginx}]
"""
    lab = Lab(text)
    assert lab.pod("p")["status"]["phase"] == "Running"
    (note,) = lab.cluster.skipped
    assert "spec.securityContext.sysctls" in note.why.text()


@pytest.mark.parametrize("kind", ["PodSpec", "Container"])
def test_every_field_is_modelled_harmless_or_refused(kind: str) -> None:
    tables = (set(MODELLED[kind]), set(HARMLESS[kind]), set(REFUSED[kind]))
    assert tables[0] | tables[1] | tables[2] == set(types()[kind])
    assert sum(map(len, tables)) == len(types()[kind])


# ---- strange files

WORDS = st.sampled_from([
    "apiVersion", "kind", "metadata", "name", "namespace", "labels", "spec", "containers", "image", "ports",
    "containerPort", "hostPort", "template", "selector", "matchLabels", "replicas", "restartPolicy", "command", "args",
    "env", "value", "initContainers", "tolerations", "nodeSelector", "affinity", "status", "hostNetwork", "items",
    "v1", "apps/v1", "batch/v1", "Pod", "Always", "nginx", "busybox", "w1", "default", "web", "data",
])  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 70000), st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(max_size=6), WORDS, st.sampled_from([k.kind for k in KINDS]),
)  # fmt: skip
TREES = st.recursive(
    LEAVES, lambda x: st.lists(x, max_size=3) | st.dictionaries(WORDS, x, max_size=5), max_leaves=14
)


@given(st.text(max_size=200))
def test_any_text_is_manifests_or_a_problem_with_words(text: str) -> None:
    try:
        load(text, "f.yaml")
    except InputError as error:
        assert error.text("ko")


@settings(max_examples=150)
@given(
    kind=st.sampled_from([k.kind for k in KINDS] + ["Strange"]),
    tree=st.dictionaries(WORDS, TREES, max_size=6),
    spec=TREES,
    container=st.dictionaries(WORDS, TREES, max_size=5),
)
def test_any_object_is_taken_or_refused_and_the_cluster_settles(
    kind: str, tree: Json, spec: object, container: Json
) -> None:
    api = next((k.api for k in KINDS if k.kind == kind), "example.com/v1")
    inner = {
        "containers": [{"name": "c", "image": "nginx", **container}],
        **(spec if isinstance(spec, dict) else {}),
    }
    bodies: list[Json] = [
        {"apiVersion": api, "kind": kind, **tree},
        {"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": spec},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "y"}, "spec": inner},
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "z"},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
                     "template": {"metadata": {"labels": {"a": "b"}}, "spec": inner}},
        },
    ]  # fmt: skip
    lab = Lab(nodes=(NodeOptions(name="w1"),))
    for body in bodies:
        try:
            lab.cluster.put(Manifest(file="f.yaml", line=1, body=body), 0.0)
        except Refused as error:
            assert error.message
    lab.settle()
    lab.wait(40)
