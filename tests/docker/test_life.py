"""Containers: starting, ending, coming back; addresses, names and ports given and refused."""

from __future__ import annotations

import pytest

from engine.docker.errors import DockerError, NoDaemon
from engine.docker.records import Publish, Spec
from engine.docker.show import inspect_container
from engine.linux.addr import ip4
from engine.linux.ops import Advance, KillProc
from tests.docker.lab import Lab

SLEEP = ("sleep", "infinity")


def box(name: str, **more: object) -> Spec:
    return Spec(image="busybox", name=name, command=SLEEP, **more)  # type: ignore[arg-type]


def refused(lab: Lab, spec: Spec) -> str:
    with pytest.raises(DockerError) as caught:
        lab.daemon.run(lab.changes, spec)
    return caught.value.message


def test_a_container_is_processes_with_namespaces_of_their_own() -> None:
    lab = Lab()
    web = lab.daemon.run(lab.changes, Spec(image="nginx", name="web"))
    procs = lab.net.boxes["dock"].procs
    first, init = procs[web.pid], procs[1]
    for kind in ("mnt", "uts", "ipc", "pid", "net", "cgroup"):
        assert first.space(kind) != init.space(kind), kind
    assert first.space("user") == init.space("user") and first.nspid == 1
    assert procs[first.ppid].comm == "containerd-shim"
    workers = [p for p in procs.values() if p.ppid == web.pid]
    assert len(workers) == 2 and {p.comm for p in workers} == {"nginx"}
    assert procs[web.pid].comm == "nginx"


def test_the_lowest_free_address_is_given_again() -> None:
    lab = Lab()
    for name in ("aa", "bb", "cc"):
        lab.daemon.run(lab.changes, box(name))
    assert [lab.address(n) for n in ("aa", "bb", "cc")] == ["172.17.0.2", "172.17.0.3", "172.17.0.4"]
    lab.daemon.stop(lab.changes, "aa")
    lab.daemon.run(lab.changes, box("dd"))
    assert lab.address("dd") == "172.17.0.2"
    lab.daemon.start(lab.changes, "aa")
    assert lab.address("aa") == "172.17.0.5"


def test_networks_take_the_next_free_pool() -> None:
    lab = Lab()
    made = [lab.daemon.create_network(lab.changes, f"n{i}") for i in range(3)]
    assert [str(n.subnet) for n in made] == ["172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/16"]
    lab.daemon.remove_network(lab.changes, "n0")
    assert str(lab.daemon.create_network(lab.changes, "n3").subnet) == "172.18.0.0/16"


def test_a_pool_that_the_host_routes_elsewhere_is_passed_over() -> None:
    from engine.linux.addr import Prefix
    from engine.linux.ops import AddRoute

    lab = Lab()
    lab.changes.do(AddRoute(netns="dock", dst=Prefix.parse("172.18.5.0/24"), gateway=ip4("192.168.10.254")))
    assert str(lab.daemon.create_network(lab.changes, "n").subnet) == "172.19.0.0/16"


def test_pools_by_hand_must_not_overlap() -> None:
    lab = Lab()
    with pytest.raises(DockerError) as caught:
        lab.daemon.create_network(lab.changes, "n", subnet="172.17.5.0/24")
    assert caught.value.message == "invalid pool request: Pool overlaps with other one on this address space"


def test_a_taken_port_is_refused_and_leaves_nothing_behind() -> None:
    lab = Lab()
    publish = (Publish(port=80, host_port=8080),)
    lab.daemon.run(lab.changes, Spec(image="nginx", name="web", publish=publish))
    before = {t: lab.rules(t) for t in ("filter", "nat", "raw")}
    said = refused(lab, Spec(image="httpd", name="second", publish=publish))
    id = lab.daemon.find("second").id
    assert said.startswith(
        "failed to set up container networking: driver failed programming external connectivity on endpoint second ("
    )
    assert said.endswith("): Bind for 0.0.0.0:8080 failed: port is already allocated")
    assert {t: lab.rules(t) for t in ("filter", "nat", "raw")} == before
    second = lab.daemon.find("second")
    assert second.id == id and second.status == "created" and second.pid == 0
    assert inspect_container(lab.daemon, lab.net, second)["State"]["ExitCode"] == 128
    assert not [p for p in lab.net.boxes["dock"].procs.values() if p.container == id]


def test_a_port_that_a_program_of_the_host_has_is_refused_too() -> None:
    lab = Lab({"containers": [{"name": "web", "image": "nginx", "network": "host"}]})
    said = refused(lab, Spec(image="httpd", name="second", publish=(Publish(port=80, host_port=80),)))
    assert said.endswith("): failed to bind host port 0.0.0.0:80/tcp: address already in use")


def test_dynamic_ports_come_from_the_kernel_s_range() -> None:
    lab = Lab()
    lab.daemon.run(lab.changes, Spec(image="nginx", name="aa", publish_all=True))
    lab.daemon.run(lab.changes, Spec(image="nginx", name="bb", publish=(Publish(port=80),)))
    assert [lab.daemon.find(n).bindings[0].publish.host_port for n in ("aa", "bb")] == [32768, 32769]


def test_names_are_taken_once() -> None:
    lab = Lab()
    first = lab.daemon.run(lab.changes, box("web"))
    assert refused(lab, box("web")) == (
        f'Conflict. The container name "/web" is already in use by container "{first.id}". You have to remove (or '
        "rename) that container to be able to reuse that name."
    )
    assert "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed" in refused(lab, box("w b"))


def test_names_and_ids_are_the_same_in_every_run() -> None:
    made = [Lab().daemon for _ in range(2)]
    assert [n.id for n in made[0].networks.values()] == [n.id for n in made[1].networks.values()]
    one, two = (lab.daemon.run(lab.changes, Spec(image="nginx")) for lab in (Lab(), Lab()))
    assert (one.id, one.name, one.endpoints) == (two.id, two.name, two.endpoints)


def test_killing_the_first_process_ends_the_container() -> None:
    lab = Lab()
    web = lab.daemon.run(lab.changes, Spec(image="nginx", name="web"))
    lab.changes.do(KillProc(box="dock", pid=web.pid))
    lab.daemon.settle(lab.changes)
    ended = lab.daemon.find("web")
    assert (ended.status, ended.code, ended.pid) == ("exited", 137, 0)
    assert web.netns not in lab.net.spaces
    assert not [n for n in lab.net.spaces["dock"].names if n.startswith("veth")]
    assert not [p for p in lab.net.boxes["dock"].procs.values() if web.id in " ".join(p.args)]


def test_restart_always_brings_it_back_in_a_new_namespace() -> None:
    lab = Lab()
    web = lab.daemon.run(lab.changes, Spec(image="nginx", name="web", restart="always"))
    lab.changes.do(KillProc(box="dock", pid=web.pid))
    lab.daemon.settle(lab.changes)
    lab.changes.do(Advance(seconds=1))
    lab.daemon.settle(lab.changes)
    again = lab.daemon.find("web")
    assert again.running and again.restarts == 1 and again.netns != web.netns
    lab.daemon.stop(lab.changes, "web")
    lab.changes.do(Advance(seconds=60))
    lab.daemon.settle(lab.changes)
    assert lab.daemon.find("web").status == "exited"


def test_a_crashing_container_is_restarted_with_growing_pauses_and_never_for_ever() -> None:
    lab = Lab()
    spec = Spec(image="busybox", name="bad", command=("sh", "-c", "echo no; exit 3"), restart="always")
    lab.daemon.run(lab.changes, spec)
    lab.daemon.settle(lab.changes)
    bad = lab.daemon.find("bad")
    assert bad.status == "restarting" and bad.code == 3
    for _ in range(20):
        lab.changes.do(Advance(seconds=30))
        lab.daemon.settle(lab.changes)
    assert 10 < lab.daemon.find("bad").restarts <= 40


def test_on_failure_stops_trying_after_its_count_and_for_a_good_end() -> None:
    lab = Lab()
    for name, code in (("bad", 3), ("good", 0)):
        script = ("sh", "-c", f"exit {code}")
        lab.daemon.run(lab.changes, Spec(image="busybox", name=name, command=script, restart="on-failure:2"))
    for _ in range(10):
        lab.changes.do(Advance(seconds=100))
        lab.daemon.settle(lab.changes)
    bad, good = lab.daemon.find("bad"), lab.daemon.find("good")
    assert (bad.status, bad.restarts) == ("exited", 2)
    assert (good.status, good.restarts) == ("exited", 0)


def test_sleep_ends_when_its_time_is_over() -> None:
    lab = Lab()
    lab.daemon.run(lab.changes, Spec(image="busybox", name="nap", command=("sleep", "30")))
    lab.changes.do(Advance(seconds=29))
    lab.daemon.settle(lab.changes)
    assert lab.daemon.find("nap").running
    lab.changes.do(Advance(seconds=2))
    lab.daemon.settle(lab.changes)
    assert (lab.daemon.find("nap").status, lab.daemon.find("nap").code) == ("exited", 0)


def test_stop_is_quick_for_who_listens_and_slow_for_who_does_not() -> None:
    lab = Lab()
    lab.daemon.run(lab.changes, Spec(image="nginx", name="web"))
    lab.daemon.run(lab.changes, box("deaf"))
    at = lab.net.clock
    lab.daemon.stop(lab.changes, "web")
    assert lab.net.clock == at and lab.daemon.find("web").code == 0
    lab.daemon.stop(lab.changes, "deaf")
    assert lab.net.clock == at + 10 and lab.daemon.find("deaf").code == 137


def test_a_program_without_its_settings_ends_with_its_own_words() -> None:
    lab = Lab()
    lab.daemon.run(lab.changes, Spec(image="postgres", name="db"))
    db = lab.daemon.find("db")
    assert (db.status, db.code) == ("exited", 1)
    assert db.log[0] == (
        "stderr",
        "Error: Database is uninitialized and superuser password is not specified.",
    )
    lab.daemon.run(lab.changes, Spec(image="postgres", name="ok", env=(("POSTGRES_PASSWORD", "x"),)))
    assert lab.daemon.find("ok").running


def test_an_executable_that_the_image_lacks() -> None:
    lab = Lab()
    said = refused(lab, Spec(image="busybox", name="xx", command=("curl", "localhost")))
    assert said.endswith('exec: "curl": executable file not found in $PATH')
    assert lab.daemon.find("xx").status == "created" and lab.daemon.find("xx").code == 127


def test_joining_a_container_that_does_not_run() -> None:
    lab = Lab()
    web = lab.daemon.run(lab.changes, Spec(image="nginx", name="web"))
    lab.daemon.stop(lab.changes, "web")
    assert refused(lab, box("side", network="container:web")) == (
        f"cannot join network of a non running container: {web.id}"
    )
    assert refused(lab, box("side2", network="container:nobody")) == "No such container: nobody"
    published = box("side3", network="container:web", publish=(Publish(port=80),))
    assert "port publishing and the container type network mode" in refused(lab, published)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sysctls": (("net.core.nothing", "1"),)}, "No such file or directory"),
        ({"sysctls": (("kernel.x", "1"),)}, "is not in a separate kernel namespace"),
        (
            {"sysctls": (("net.ipv4.ip_forward", "1"),), "network": "host"},
            "is not in a separate kernel namespace",
        ),
        ({"pid": "container:gone"}, "cannot join PID namespace of a non running container"),
        ({"pid": "nonsense"}, "invalid PID mode: nonsense"),
        ({"address": 1}, "user-specified IP address is supported on user-defined networks only"),
        ({"network": "shop", "address": ip4("10.9.0.1")}, "Address already in use"),
        (
            {"network": "shop", "address": ip4("10.8.0.1")},
            "no configured subnet contains IP address 10.8.0.1",
        ),
        ({"network": "nowhere"}, "network nowhere not found"),
    ],
)
def test_a_start_that_fails_leaves_nothing_behind(more: dict[str, object], words: str) -> None:
    lab = Lab({"networks": [{"name": "shop", "subnet": "10.9.0.0/24"}]})
    lab.daemon.run(lab.changes, box("gone"))
    lab.daemon.stop(lab.changes, "gone")
    before = {t: lab.rules(t) for t in ("filter", "nat", "raw")}
    procs, spaces, links = (
        set(lab.net.boxes["dock"].procs),
        set(lab.net.spaces),
        set(lab.net.spaces["dock"].names),
    )
    assert words in refused(lab, box("bad", **more))
    assert {t: lab.rules(t) for t in ("filter", "nat", "raw")} == before
    assert set(lab.net.boxes["dock"].procs) == procs
    assert set(lab.net.spaces) == spaces
    assert set(lab.net.spaces["dock"].names) == links


def test_the_namespace_outlives_its_first_container_but_not_its_network() -> None:
    lab = Lab()
    web = lab.daemon.run(lab.changes, Spec(image="nginx", name="web"))
    lab.daemon.run(lab.changes, box("side", network="container:web"))
    lab.daemon.stop(lab.changes, "web")
    assert list(lab.net.spaces[web.netns].names) == ["lo"]
    lab.daemon.start(lab.changes, "web")
    assert lab.netns("web") != lab.netns("side")


def test_images_that_no_registry_has() -> None:
    lab = Lab()
    assert refused(lab, Spec(image="nobody/nothing")) == (
        "pull access denied for nobody/nothing, repository does not exist or may require 'docker login'"
    )
    assert "not found" in refused(lab, Spec(image="nginx:0.0"))
    assert refused(lab, Spec(image="No!")).startswith("invalid reference format")
    lab.daemon.airgapped = True
    assert "dial tcp: lookup registry-1.docker.io: no such host" in refused(lab, Spec(image="nginx"))


def test_without_the_daemon_nobody_answers_and_systemd_brings_it_back() -> None:
    lab = Lab(
        {
            "containers": [
                {"name": "web", "image": "nginx", "restart": "unless-stopped"},
                {"name": "one", "image": "nginx"},
            ]
        }
    )
    lab.changes.do(KillProc(box="dock", pid=lab.daemon.pid))
    lab.daemon.settle(lab.changes)
    assert lab.daemon.running
    assert [lab.daemon.find(n).status for n in ("web", "one")] == ["running", "exited"]
    lab.daemon.stop_daemon(lab.changes)
    with pytest.raises(NoDaemon):
        lab.daemon.stop(lab.changes, "web")
    assert not [
        p for p in lab.net.boxes["dock"].procs.values() if p.comm in ("dockerd", "docker-proxy", "nginx")
    ]


def test_connecting_moves_the_default_route_to_the_first_network_by_name() -> None:
    lab = Lab({"networks": [{"name": "aaa"}, {"name": "zzz"}]})
    publish = (Publish(port=80, host_port=8080),)
    lab.daemon.run(lab.changes, Spec(image="nginx", name="web", network="zzz", publish=publish))
    lab.daemon.connect(lab.changes, "aaa", "web")
    web = lab.daemon.find("web")
    assert [e.device for e in web.endpoints] == ["eth0", "eth1"]
    assert web.bindings[0].network == lab.daemon.find_network("aaa").id
    assert lab.call("laptop", "192.168.10.11", 8080).error == ""
    lab.daemon.disconnect(lab.changes, "aaa", "web")
    assert lab.daemon.find("web").bindings[0].network == lab.daemon.find_network("zzz").id
    assert lab.call("laptop", "192.168.10.11", 8080).error == ""


def test_a_copy_goes_its_own_way() -> None:
    lab = Lab({"containers": [{"name": "web", "image": "nginx"}]})
    copy = lab.daemon.copy()
    lab.daemon.stop(lab.changes, "web")
    assert copy.find("web").running and not lab.daemon.find("web").running


def test_default_network_names_are_not_for_people() -> None:
    lab = Lab()
    for name in ("bridge", "host", "none"):
        with pytest.raises(DockerError):
            lab.daemon.create_network(lab.changes, name)
        with pytest.raises(DockerError) as caught:
            lab.daemon.remove_network(lab.changes, name)
        assert caught.value.message == f"{name} is a pre-defined network and cannot be removed"


def test_a_signal_from_the_host_ends_who_listens_to_it_and_is_lost_on_who_does_not() -> None:
    from engine.shell.shell import Shell
    from engine.shell.world import World

    lab = Lab(
        {
            "containers": [
                {"name": "web", "image": "nginx"},
                {"name": "deaf", "image": "busybox", "command": "sleep infinity"},
            ]
        }
    )
    shell = Shell(World(lab.net, dockers={"dock": lab.daemon}), "host/dock")
    web, deaf = lab.daemon.find("web").pid, lab.daemon.find("deaf").pid
    assert "ignores this signal" in shell.run(f"kill {deaf}").stderr
    assert lab.daemon.find("deaf").running
    shell.run(f"kill {web}")
    shell.run(f"kill -9 {deaf}")
    assert [(lab.daemon.find(n).status, lab.daemon.find(n).code) for n in ("web", "deaf")] == [
        ("exited", 0), ("exited", 137),
    ]  # fmt: skip
