"""Any object of any kind, made from the schema itself, is taken or refused in the API server's words; never a crash."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.kube import Cluster, NodeOptions, Options
from engine.kube.manifests import Manifest
from engine.kube.objects import BY_KIND, Json
from engine.kube.schema import types
from engine.kube.validate import Refused

WORDS = st.sampled_from([
    "", "a", "web", "http", "10.0.0.1", "10.0.0.0/8", "None", "IPv4", "TCP", "NodePort", "ExternalName", "a/b",
    "x" * 70,
    "LoadBalancer", "ClientIP", "Local", "Always", "In", "Exists", "Container", "1.5", "../", "Ä",
])  # fmt: skip
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "str": WORDS, "bool": st.booleans(), "int32": st.sampled_from([-1, 0, 1, 80, 30000, 70000]),
    "int64": st.sampled_from([-1, 0, 5, 10**12]), 
    "quantity": st.sampled_from(["1", "100m", "1Gi", "-1", 2, "1e3", 0.5]),
    "intstr": st.sampled_from([0, 1, -1, "25%", "http", ""]),
    "?": st.recursive(
        st.none() | st.booleans() | WORDS | st.integers(0, 9),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2), max_leaves=3,
    ),
}  # fmt: skip


@st.composite
def values(draw: st.DrawFn, kind: str, depth: int = 0) -> Any:
    """A value of a type of the schema."""
    if kind.startswith("[]"):
        return [draw(values(kind[2:], depth + 1)) for _ in range(draw(st.integers(0, 2 if depth < 5 else 0)))]
    if kind.startswith("{}"):
        return draw(st.dictionaries(WORDS, values(kind[2:], depth + 1), max_size=2))
    if kind in SCALARS:
        return draw(SCALARS[kind])
    fields = types()[kind]
    names = [f for f in fields if f not in ("apiVersion", "kind", "metadata", "status")]
    some = draw(st.lists(st.sampled_from(names), max_size=5, unique=True)) if names and depth < 7 else []
    if "spec" in names and "spec" not in some:
        some.append("spec")
    out = {name: draw(values(fields[name], depth + 1)) for name in some}
    return {k: (None if draw(st.integers(0, 15)) == 0 else v) for k, v in out.items()}


@st.composite
def objects(draw: st.DrawFn) -> Json:
    kind = draw(st.sampled_from(sorted(k for k in types() if k in BY_KIND)))
    body: Json = {"apiVersion": BY_KIND[kind].api, "kind": kind, **draw(values(kind))}
    body["metadata"] = {"name": draw(st.sampled_from(["a", "b", "A_", ""])), **draw(values("ObjectMeta"))}
    if draw(st.booleans()):
        body["metadata"] = {"name": "a"}
    return body


def cluster() -> Cluster:
    made = Cluster(Options(nodes=(NodeOptions(name="w1"),)))
    made.make_namespace("default", 0.0)
    return made


@given(st.lists(objects(), min_size=1, max_size=6))
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_object_is_taken_or_refused(rows: list[Json]) -> None:
    made = cluster()
    for body in rows:
        try:
            stored = made.put(Manifest(file="f", line=1, body=body), 0.0)
        except Refused as refused:
            assert refused.message and refused.reasons()
            continue
        assert stored is not None
        # what is stored is taken again, and nothing changes by that
        again = {
            **stored,
            "metadata": {k: v for k, v in stored["metadata"].items() if k != "resourceVersion"},
        }
        assert made.put(Manifest(file="f", line=1, body=again), 1.0) == stored


@given(objects(), objects(), st.sampled_from(["merge", "strategic"]))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_patch_is_taken_or_refused(first: Json, second: Json, how: str) -> None:
    made = cluster()
    patch = {k: v for k, v in second.items() if k not in ("apiVersion", "kind", "metadata")}
    try:
        stored = made.put(Manifest(file="f", line=1, body=first), 0.0)
        assert stored is not None
        m = stored["metadata"]
        made.patch(stored["kind"], m.get("namespace", ""), m["name"], patch, 0.0, how=how)
    except Refused as refused:
        assert refused.message
