"""Lab: opening, acting, undo, redo, reset, replay; endpoints; traces; folders of plain manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.errors import EngineError, InputError
from engine.lab.lab import Lab
from engine.lab.places import place_agrees, place_name, target
from engine.linux.addr import ip4, text4
from engine.linux.choose import Seeded
from engine.linux.journey import Outcome, Place

LABS = Path(__file__).resolve().parents[2] / "lessons" / "labs"


@pytest.fixture(scope="module")
def opened() -> Lab:
    return Lab.load(LABS / "two-nodes.yaml")


@pytest.fixture
def lab(opened: Lab) -> Lab:
    return opened.copy()


def state(lab: Lab) -> dict[str, Any]:
    """All rows of a lab, as text that can be compared."""
    net = lab.world.net
    return {
        "clock": net.clock,
        "boxes": {
            k: (sorted(b.files.items()), sorted(map(repr, b.procs.values()))) for k, b in net.boxes.items()
        },
        "spaces": {
            k: (
                sorted(map(repr, ns.links.values())),
                sorted(map(repr, ns.addresses.values())),
                [repr(r) for t in ns.tables.values() for r in t.routes()],
                sorted(map(repr, ns.neighbours.values())),
                sorted(map(repr, ns.conntrack.entries.values())),
                sorted(ns.sysctls.items()),
                repr(ns.xt.tables),
                ns.sockets,
            )
            for k, ns in net.spaces.items()
        },
    }


@pytest.mark.parametrize("name", ["two-nodes", "docker-host", "air-gapped", "workbench"])
def test_every_shared_lab_opens(name: str) -> None:
    lab = Lab.load(LABS / f"{name}.yaml")
    assert lab.places()
    assert not lab.notes


def test_the_same_file_and_seed_give_the_same_lab() -> None:
    one, two = (Lab.load(LABS / "two-nodes.yaml", seed=5) for _ in range(2))
    assert state(one) == state(two)


# ---- acting and going back


ACTS = (
    ("pod/a", "ping -c 1 10.244.1.1"),
    ("node/w1", "ip link set cni0 mtu 1400"),
    ("pod/a", "curl -s -m 2 http://203.0.113.80/"),
    ("node/w2", "ip route del 10.244.1.0/24"),
    ("node/w1", "sysctl -w net.ipv4.ip_forward=0"),
)


def test_undo_takes_back_one_act_at_a_time(lab: Lab) -> None:
    before = [state(lab)]
    for place, line in ACTS:
        lab.run(place, line)
        before.append(state(lab))
    assert len({repr(s) for s in before}) == len(before)
    for expected in reversed(before[:-1]):
        act = lab.undo()
        assert act is not None
        assert state(lab) == expected
    assert lab.undo() is None


def test_redo_does_again_what_was_taken_back(lab: Lab) -> None:
    for place, line in ACTS:
        lab.run(place, line)
    end = state(lab)
    for _ in ACTS:
        lab.undo()
    for _ in ACTS:
        assert lab.redo() is not None
    assert state(lab) == end
    assert lab.redo() is None


def test_a_new_act_forgets_what_was_taken_back(lab: Lab) -> None:
    lab.run(*ACTS[0])
    lab.undo()
    lab.run(*ACTS[1])
    assert lab.redo() is None


def test_replay_of_the_log_gives_the_same_state(lab: Lab) -> None:
    for place, line in ACTS:
        lab.run(place, line)
    lab.trace("pod/a", "pod/b:80", on_copy=False)
    lab.wait(40)
    assert [a.kind for a in lab.acts] == ["run"] * len(ACTS) + ["trace", "wait"]
    assert state(lab.replayed()) == state(lab)


def test_reset_is_the_lab_as_it_was_opened(lab: Lab) -> None:
    start = state(lab)
    for place, line in ACTS:
        lab.run(place, line)
    lab.reset()
    assert state(lab) == start
    assert lab.acts == []


def test_more_acts_than_are_kept_can_be_undone(lab: Lab) -> None:
    start = state(lab)
    for number in range(70):
        lab.run("node/w1", f"ip link set cni0 mtu {1300 + number}")
    for _ in range(70):
        lab.undo()
    assert state(lab) == start


def test_a_copy_is_independent(lab: Lab) -> None:
    start, other = state(lab), lab.copy()
    other.run("node/w1", "ip link del cni0")
    assert state(lab) == start
    assert state(other) != start
    assert lab.acts == []


def test_undo_in_a_copy_leaves_what_the_other_can_undo(lab: Lab) -> None:
    start = state(lab)
    lab.run("node/w1", "ip link set cni0 mtu 1400")
    other = lab.copy()
    other.undo()
    other.run("node/w1", "ip link del cni0")
    lab.undo()
    assert state(lab) == start


def test_the_shell_of_a_place_stays_the_same_over_undo(lab: Lab) -> None:
    lab.run("node/w1", "cd /etc")
    lab.run("node/w1", "ip link set cni0 down")
    lab.undo()
    assert "UP" in lab.run("node/w1", "ip -br link show cni0").stdout
    assert lab.run("node/w1", "pwd").stdout == "/etc\n"


def test_a_trace_changes_nothing_unless_it_is_an_act(lab: Lab) -> None:
    start = state(lab)
    lab.trace("pod/a", "pod/c:80")
    assert state(lab) == start
    lab.trace("pod/a", "pod/c:80", on_copy=False)
    assert state(lab) != start


def test_the_same_seed_gives_the_same_journey(lab: Lab) -> None:
    one, two = (lab.trace("pod/a", "pod/c:80", choose=Seeded(3)) for _ in range(2))
    assert one.to_json() == two.to_json()


# ---- endpoints


def test_endpoints(lab: Lab) -> None:
    assert lab.endpoint("pod/a") == lab.endpoint("pod/default/a").__class__(
        ref="pod/a",
        netns=lab.endpoint("pod/default/a").netns,
        address=lab.endpoint("pod/default/a").address,
        pid=lab.endpoint("pod/default/a").pid,
        addresses=lab.endpoint("pod/default/a").addresses,
    )
    assert lab.endpoint("node/w1").address == ip4("192.168.10.101")
    assert lab.endpoint("node/w1").netns == "w1"
    assert lab.endpoint("host/laptop").address == ip4("192.168.10.20")
    assert lab.endpoint("192.168.10.101").netns == "w1"
    assert lab.endpoint("8.8.8.8", "node/w1").netns == "w1"
    lab.run("node/w1", "ip netns add red")
    assert lab.endpoint("netns/w1/red").address == 0


def test_containers_are_endpoints() -> None:
    lab = Lab.load(LABS / "docker-host.yaml")
    end = lab.endpoint("container/box/web")
    assert lab.world.net.spaces[end.netns].box == "box"
    assert lab.trace("host/laptop", "host/box:8080", "http").outcome is Outcome.DELIVERED


@pytest.mark.parametrize(
    ("ref", "error"),
    [
        (
            "pod/defualt/a",
            "pod/defualt/a: there is no pod/defualt/a in this lab (did you mean 'pod/default/a'?); there are: ",
        ),
        ("node/laptop", "node/laptop: there is no node/laptop in this lab"),
        (
            "nonsense",
            "nonsense: 'nonsense' names no endpoint; write pod/NAME, pod/NS/NAME, node/NAME, host/NAME, ",
        ),
        ("pods/a", "pods/a: 'pods/a' names no endpoint"),
    ],
)
def test_what_is_said_about_endpoints_that_are_not_there(lab: Lab, ref: str, error: str) -> None:
    with pytest.raises(InputError) as caught:
        lab.endpoint(ref)
    assert caught.value.text("en").startswith(error)


SERVICES = """
nodes: [{name: w1}]
manifests:
- {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {clusterIP: 10.96.0.77, ports: [{name: http, port: 80}]}}
- {apiVersion: v1, kind: Service, metadata: {name: db}, spec: {clusterIP: None, ports: [{port: 5432}]}}
- {apiVersion: v1, kind: Service, metadata: {name: pay}, spec: {type: ExternalName, externalName: pay.example}}
"""


@pytest.fixture(scope="module")
def services() -> Lab:
    return Lab.load(yaml.safe_load(SERVICES))


@pytest.mark.parametrize("ref", ["svc/web:80", "svc/default/web:80", "svc/web:http"])
def test_a_service_is_its_cluster_ip(services: Lab, ref: str) -> None:
    found = target(services.world, ref, "tcp")
    assert (text4(found.address), found.port, found.endpoint) == ("10.96.0.77", 80, None)


@pytest.mark.parametrize(
    ("ref", "error"),
    [
        ("svc/db:5432", "svc/db has no ClusterIP (clusterIP: None)"),
        ("svc/pay:80", "svc/pay has no ClusterIP (type: ExternalName)"),
        ("svc/web:https", "svc/web has no port called 'https'; it has http"),
        ("svc/wed:80", "there is no svc/wed in this lab (did you mean 'svc/default/web'?)"),
        ("svc/web", "svc/web needs a port for tcp, as in svc/web:80"),
    ],
)
def test_what_is_said_about_services(services: Lab, ref: str, error: str) -> None:
    with pytest.raises(InputError) as caught:
        target(services.world, ref, "tcp")
    assert error in caught.value.text("en")


def test_a_service_sends_nothing(services: Lab) -> None:
    with pytest.raises(InputError, match="is a Service, an address that nobody has"):
        services.trace("svc/web", "node/w1", "icmp")


def test_protocols_that_are_not_modelled_say_so(lab: Lab) -> None:
    assert lab.trace("pod/a", "pod/b:80", "https").outcome is Outcome.NOT_MODELLED


def test_targets_need_a_port(lab: Lab) -> None:
    with pytest.raises(InputError, match="pod/b needs a port for tcp, as in pod/b:80"):
        lab.trace("pod/a", "pod/b")
    with pytest.raises(InputError, match="'99999' is not a port"):
        lab.trace("pod/a", "pod/b:99999")


def test_a_url_by_a_name_of_etc_hosts_and_its_host_header(lab: Lab) -> None:
    journey = lab.trace("node/w1", "http://internet/some/path", headers={"Host": "shop.example"})
    assert journey.outcome is Outcome.DELIVERED
    texts = [
        layer.text
        for leg in journey.legs
        for walk in leg.walks()
        for step in walk.steps()
        for packet in (step.after,)
        if packet is not None
        for layer in packet.layers
        if hasattr(layer, "text")
    ]
    assert any(
        t.startswith("GET /some/path HTTP/1.1\r\n") and "\r\nHost: shop.example\r\n" in t for t in texts
    )
    assert not any("Host: internet" in t for t in texts)


def test_a_packet_from_an_address_outside_comes_in_where_the_node_would_answer(lab: Lab) -> None:
    journey = lab.trace("198.51.100.7", "pod/b:80", enter="node/w1")
    assert journey.outcome is Outcome.DELIVERED
    first = journey.legs[0].forward.hops[0].place
    assert (first.node, first.device) == ("w1", "eth0")
    with pytest.raises(InputError, match="belongs to no machine of the lab; add `enter: node/NAME`"):
        lab.trace("198.51.100.7", "pod/b:80")


def test_an_address_that_the_node_owns_sends_from_the_node(lab: Lab) -> None:
    journey = lab.trace("10.244.1.1", "pod/b:80", enter="node/w1")
    assert journey.outcome is Outcome.DELIVERED
    assert journey.legs[0].forward.hops[0].place.program == "nc"


# ---- places


def place(**kw: str) -> Place:
    return Place(**{"node": "w1", "namespace": "root", "netns": "w1", **kw})


@pytest.mark.parametrize(
    ("word", "of", "agrees"),
    [
        ("w1/cni0", place(device="cni0"), True),
        ("w1", place(device="cni0"), True),
        ("node/w1/cni0", place(device="cni0"), True),
        ("w1/cni0", place(device="eth0"), False),
        ("w2/cni0", place(device="cni0"), False),
        ("w1", place(namespace="default/a", netns="x", device="eth0"), False),
        ("pod/a/eth0", place(namespace="default/a", netns="x", device="eth0"), True),
        ("pod/default/a", place(namespace="default/a", netns="x", device="eth0"), True),
        ("pod/shop/a/eth0", place(namespace="shop/a", netns="x", device="eth0"), True),
        ("pod/shop/a", place(namespace="default/shop", netns="x", device="a"), True),
        ("container/w1/web/eth0", place(namespace="web", netns="x", device="eth0"), True),
        ("w1/nginx", place(program="nginx"), True),
    ],
)
def test_places_by_name(word: str, of: Place, agrees: bool) -> None:
    assert place_agrees(word, of) is agrees


def test_every_place_of_a_journey_is_found_by_its_own_name(lab: Lab) -> None:
    for step in lab.trace("pod/a", "host/internet:80").steps():
        assert place_agrees(place_name(step.place), step.place)


# ---- folders of plain manifests

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Pod
    metadata: {name: b, namespace: shop}
    spec: {containers: [{name: c, image: example.org/own/thing:1.2, ports: [{containerPort: 8080}]}]}
"""


def test_a_folder_of_plain_manifests_is_carried_by_a_default_cluster(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "pods.yaml").write_text(PODS)
    (tmp_path / "crd.yml").write_text(
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: x}\n"
    )
    (tmp_path / "README.md").write_text("not: [yaml")
    lab = Lab.load(tmp_path)
    assert [n.name for n in lab.source.description.nodes] == ["cp", "w1", "w2"]
    assert lab.trace("pod/a", "pod/shop/b:8080").outcome is Outcome.DELIVERED
    notes = " ".join(n.text("en") for n in lab.notes)
    assert "Certificate" in notes
    assert "crd.yml:1" in notes


def test_many_skipped_objects_of_a_kind_are_told_in_one_sentence(tmp_path: Path) -> None:
    kind = (
        "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: s%d}\n"
        "spec: {controller: example.com/c}\n"
    )
    (tmp_path / "all.yaml").write_text("---\n".join([PODS, *(kind % n for n in range(200))]))
    (note,) = [n.text("en") for n in Lab.load(tmp_path).notes if "IngressClass" in n.text("en")]
    assert note.startswith("200 objects of kind IngressClass (the first at ")


def test_hundreds_of_objects(tmp_path: Path) -> None:
    text = "\n---\n".join(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{n}}}\ndata: {{a: b}}" for n in range(400)
    )
    (tmp_path / "all.yaml").write_text(text + "\n---\n" + PODS)
    lab = Lab.load(tmp_path)
    assert lab.world.cluster is not None
    assert len(lab.world.cluster.store.list("ConfigMap", "default")) >= 400


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: [")
    (tmp_path / "b.yaml").write_text("- 1\n")
    with pytest.raises(InputError) as caught:
        Lab.load(tmp_path)
    assert len(caught.value.problems) == 2


def test_files_that_are_no_text_and_folders_without_manifests(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no lab.yaml and no .yaml"):
        Lab.load(tmp_path)
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="not a text file"):
        Lab.load(tmp_path / "x.yaml")
    with pytest.raises(InputError, match="there is no such file"):
        Lab.load(tmp_path / "nothing.yaml")


def test_a_lab_reads_no_file_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "secret.yaml").write_text(PODS)
    (tmp_path / "lab" / "lab.yaml").write_text(
        "nodes: [{name: w1}]\nmanifests: [../secret.yaml, missing.yaml]\n"
    )
    with pytest.raises(InputError) as caught:
        Lab.load(tmp_path / "lab")
    assert [p.text("en").partition(": ")[2] for p in caught.value.problems] == [
        "manifests[0]: ../secret.yaml lies outside the lab's folder; put the file beside the lab",
        "manifests[1]: there is no file missing.yaml beside the lab file",
    ]


def test_a_place_that_is_not_there_is_an_error_and_no_act(lab: Lab) -> None:
    with pytest.raises(EngineError, match="there is no place called"):
        lab.run("node/w9", "ip a")
    assert lab.acts == []
