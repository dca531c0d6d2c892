"""Flow tables: every key of `expect` finds what it should and passes what it should; random branches; refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError, InputError
from engine.grade import flows
from engine.grade.finding import KINDS
from engine.grade.hints import BY_OUTCOME, HINTS, hint
from engine.lab.doc import Doc, read
from engine.lab.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
LABS = ROOT / "lessons" / "labs"


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.load(LABS / "two-nodes.yaml")


def judged(lab: Lab, **row: Any) -> flows.Row:
    table = flows.table_of(Doc("t.yaml", {"lab": "x", "flows": [{k.rstrip("_"): v for k, v in row.items()}]}))
    (one,) = flows.run(lab, table.flows)
    return one


def kinds(row: flows.Row) -> list[str]:
    return [f.kind for f in row.findings]


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "flows").glob("*.yaml")), ids=lambda p: p.stem)
def test_tables_of_the_repository(path: Path) -> None:
    table = flows.read_table(path)
    if isinstance(table.lab, str):
        beside = path.parent / table.lab
        lab = Lab.load(beside if beside.exists() else LABS / f"{table.lab}.yaml")
    else:
        lab = Lab.load(table.lab_doc(), folder=path.parent)
    rows = flows.run(lab, table.flows)
    assert [(r.flow.title, [f.said.text("en") for f in r.findings]) for r in rows if not r.ok] == []


@pytest.mark.parametrize(
    ("expect", "kind"),
    [
        ({"outcome": "dropped"}, "outcome"),
        ({"at": ["pod/b:80"]}, "at"),
        ({"at": ["pod/c:81"]}, "at"),
        ({"at": ["pod/c:80", "pod/b:80"]}, "at"),
        ({"at": []}, "at"),
        ({"seen-as": "node/w1"}, "seen-as"),
        ({"rewritten-to": ["10.244.2.2:80"]}, "rewritten-to"),
        ({"masqueraded": True}, "masqueraded"),
        ({"via": ["w2/cni0", "w1/cni0"]}, "via"),
        ({"encap": "ipip"}, "encap"),
        ({"mtu": 1480}, "mtu"),
    ],
)
def test_each_key_finds_its_own_mismatch(lab: Lab, expect: dict[str, Any], kind: str) -> None:
    row = judged(lab, from_="pod/a", to="pod/c:80", expect=expect)
    assert kinds(row) == [kind]
    finding = row.findings[0]
    assert finding.journey is not None
    assert finding.halt is not None
    assert finding.said.text("ko") != finding.said.text("en")


@pytest.mark.parametrize(
    "expect",
    [
        {},
        {"outcome": "delivered"},
        {"at": ["pod/c"]},
        {"at": ["pod/default/c:80"]},
        {"at": ["10.244.2.2:80"]},
        {"seen-as": "pod/a"},
        {"seen-as": "10.244.1.2"},
        {"rewritten-to": []},
        {"masqueraded": False},
        {"via": ["pod/a/eth0", "w1/cni0", "lan/br0", "w2/cni0", "pod/c/eth0"]},
        {"encap": "none"},
        {"mtu": 1500},
    ],
)
def test_each_key_passes_what_is_so(lab: Lab, expect: dict[str, Any]) -> None:
    assert judged(lab, from_="pod/a", to="pod/c:80", expect=expect).ok


def test_published_ports_are_rewritten_and_the_receiver_is_the_container() -> None:
    lab = Lab.load(LABS / "docker-host.yaml")
    address = lab.endpoint("container/box/web").address
    from engine.linux.addr import text4

    row = judged(
        lab,
        from_="host/laptop",
        to="host/box:8080",
        proto="http",
        expect={
            "outcome": "delivered",
            "at": ["container/box/web:80"],
            "rewritten-to": [f"{text4(address)}:80"],
            "seen-as": "host/laptop",
        },
    )
    assert row.ok, [f.said.text("en") for f in row.findings]


def test_the_halt_is_the_guilty_hop(lab: Lab) -> None:
    broken = lab.copy()
    broken.run("node/w1", "iptables -P FORWARD DROP")
    row = judged(broken, from_="pod/a", to="pod/c:80", expect={"outcome": "delivered"})
    (finding,) = row.findings
    assert finding.journey is not None and finding.halt is not None
    leg, way, hop = finding.halt
    assert way == "forward"
    last = finding.journey.legs[leg].forward.hops[hop]
    assert last.place.node == "w1"
    assert last.steps[-1].row == "-P FORWARD DROP"


def test_a_name_that_nobody_answers_is_no_pass(lab: Lab) -> None:
    asked = {"from_": "pod/a", "resolve": "web.other"}
    assert kinds(judged(lab, **asked, expect={"answers": ["10.96.0.1"]})) == ["answers"]
    assert kinds(judged(lab, **asked, expect={"rcode": "NOERROR"})) == ["rcode"]
    assert kinds(judged(lab, **asked, expect={"queries": ["web.other."]})) == ["queries"]
    assert judged(lab, **asked, expect={"rcode": "none", "answers": []}).ok


def test_a_resolve_row_can_be_played(lab: Lab) -> None:
    flow = flows.Flow(source="pod/a", resolve="web.other")
    journey = flow.send(lab).journey
    assert str(journey.outcome) == "name-not-found"
    assert journey.legs[0].purpose.startswith("DNS A web.other.default.svc.cluster.local. at ")


def test_an_endpoint_that_is_gone_is_a_finding(lab: Lab) -> None:
    assert kinds(judged(lab, from_="pod/gone", to="pod/b:80", expect={"outcome": "delivered"})) == ["outcome"]


def test_every_random_branch_is_judged(lab: Lab) -> None:
    random = lab.copy()
    match = "-d 10.99.0.1 -p tcp --dport 80"
    for more, pod in (("-m statistic --mode random --probability 0.5", "10.244.1.2"), ("", "10.244.1.3")):
        rule = f"{match} {more} -j DNAT --to-destination {pod}"
        assert not random.run("node/w1", f"iptables -t nat -A OUTPUT {rule}").code
    both = ["10.244.1.2:80", "10.244.1.3:80"]
    assert judged(random, from_="node/w1", to="10.99.0.1:80", expect={"rewritten-to": both}).ok
    assert kinds(judged(random, from_="node/w1", to="10.99.0.1:80", expect={"rewritten-to": both[:1]})) == [
        "rewritten-to"
    ]
    # Only b listens: one branch of two is refused, and that is enough.
    assert kinds(judged(random, from_="node/w1", to="10.99.0.1:80", expect={"outcome": "delivered"})) == [
        "outcome"
    ]
    assert judged(random, from_="node/w1", to="10.99.0.1:80", expect={"at": ["pod/b:80"]}).ok
    row = judged(random, from_="node/w1", to="10.99.0.1:80", expect={"at": ["pod/a:80", "pod/b:80"]})
    assert (
        row.findings[0]
        .said.text("en")
        .endswith("expected to arrive at pod/a:80, pod/b:80, arrives at default/b:80")
    )


def test_a_lab_is_not_changed_by_judging(lab: Lab) -> None:
    before = lab.world.net.clock
    judged(lab, from_="pod/a", to="pod/c:80", expect={"outcome": "delivered"})
    assert lab.world.net.clock == before
    assert lab.acts == []


def test_json_form(lab: Lab) -> None:
    rows = [
        judged(lab, name="good", from_="pod/a", to="pod/b:80", expect={"outcome": "delivered"}),
        judged(lab, from_="pod/a", to="pod/b:80", expect={"outcome": "refused"}),
    ]
    out = flows.to_json("t.yaml", rows)
    assert list(out) == ["file", "passed", "failed", "rows"]
    assert (out["passed"], out["failed"]) == (1, 1)
    assert out["rows"][0] == {"name": "good", "ok": True, "findings": []}
    assert out["rows"][1]["name"] == "pod/a -> pod/b:80 (tcp)"
    finding = out["rows"][1]["findings"][0]
    assert finding["kind"] == "outcome"
    assert finding["journey"]["outcome"] == "delivered"
    assert set(finding["halt"]) == {"leg", "way", "hop"}


# ---- refusals


def errors(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        flows.table_of(read(text, "t.yaml"))
    return caught.value.text("en").splitlines()


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (
            "{from: pod/a}",
            "t.yaml:2: flows[0]: a flow needs `to:` (where it goes) or `resolve:` (which name is asked)",
        ),
        (
            "{from: pod/a, to: pod/b:80, resolve: x}",
            "t.yaml:2: flows[0]: `to:` and `resolve:` cannot stand in one row; make two",
        ),
        (
            "{from: pod/a, to: pod/b:80, proto: tpc}",
            "t.yaml:2: flows[0].proto: found 'tpc' (did you mean 'tcp'?), accepted: tcp, udp, icmp, http, https, sctp",
        ),
        (
            "{from: pod/a, to: pod/b:80, headers: {a: b}}",
            "t.yaml:2: flows[0]: `headers` belong to proto http; this row has tcp",
        ),
        (
            "{from: pod/a, to: pod/b:80, expect: {outcom: delivered}}",
            "t.yaml:2: flows[0].expect.outcom: there is no key 'outcom' here (did you mean 'outcome'?); "
            "accepted: outcome, at, seen-as, rewritten-to, masqueraded, via, encap, mtu",
        ),
        (
            "{from: pod/a, to: pod/b:80, expect: {masqueraded: maybe}}",
            "t.yaml:2: flows[0].expect.masqueraded: found 'maybe', accepted: true or false",
        ),
        (
            "{from: pod/a, to: pod/b:80, expcet: {}}",
            "t.yaml:2: flows[0].expcet: there is no key 'expcet' here (did you mean 'expect'?); "
            "accepted: name, from, enter, to, proto, headers, resolve, type, expect",
        ),
        (
            "{from: pod/a, resolve: x, expect: {outcome: delivered}}",
            "t.yaml:2: flows[0].expect.outcome: there is no key 'outcome' here; accepted: answers, rcode, queries",
        ),
    ],
)
def test_what_is_said(row: str, error: str) -> None:
    assert errors(f"lab: x\nflows: [{row}]") == [error]


def test_a_table_needs_a_lab_and_flows() -> None:
    assert errors("{}") == [
        "t.yaml:1: the key 'lab' is missing; write a lab's file or name, or an inline lab",
        "t.yaml:1: the key 'flows' is missing; write a list of flows",
    ]


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
WORDS = st.sampled_from(
    [
        "pod/a",
        "pod/b:80",
        "http://x/",
        "svc/a",
        "1.2.3.4",
        "icmp",
        "delivered",
        "node/w1",
        "pod/",
        ":80",
        "http://1.2.3.4:99999/",
    ]
)
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*flows.FLOW_KEYS, *flows.EXPECT_KEYS]) | st.text(max_size=4), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_no_table_however_strange_gives_a_traceback(lab: Lab, value: Any) -> None:
    try:
        table = flows.table_of(Doc("t.yaml", {"lab": "x", "flows": [value]}))
        for row in flows.run(lab, table.flows):
            assert flows.to_json("t", [row])
    except EngineError as error:
        assert error.text("ko")


# ---- hints


def test_every_kind_of_finding_has_a_hint() -> None:
    assert set(HINTS) == set(KINDS)
    for phrase in (*HINTS.values(), *BY_OUTCOME.values()):
        assert phrase.en and phrase.ko


def test_the_hint_of_an_outcome_says_where_to_look(lab: Lab) -> None:
    row = judged(lab, from_="pod/a", to="pod/b:81", expect={"outcome": "delivered"})
    assert "ss -lnt" in hint(row.findings[0]).text("en")
