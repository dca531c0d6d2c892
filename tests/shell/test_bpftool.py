"""bpftool in the lab's shell, against what bpftool 7.1 printed of such maps on Linux 6.18."""

from __future__ import annotations

import json

import pytest

from engine.linux import ops
from engine.linux.addr import ip4
from tests.linux.bpf.test_hooks import services
from tests.linux.bpf.test_maps import DUMP, LOOKUP, SERVICE
from tests.linux.walk.wires import Wires

VIP = ip4("10.96.0.10")
KEY = "name lb4_services key 1 2 3 4 5 6 7 8"


@pytest.fixture
def machine() -> Wires:
    w = Wires()
    w.world.do(ops.CreateMap(box="h", spec=SERVICE))
    w.world.do(
        ops.UpdateMap(box="h", name="lb4_services", key=(VIP, 53, 17, 0), value=(ip4("10.244.2.3"), 53, 1))
    )
    w.world.do(
        ops.UpdateMap(box="h", name="lb4_services", key=(VIP, 80, 6, 0), value=(ip4("10.244.2.2"), 8080, 2))
    )
    return w


def test_maps_as_the_real_one_prints_them(machine: Wires) -> None:
    assert machine.one("bpftool map dump name lb4_services") == DUMP
    assert machine.one("bpftool map dump id 1") == DUMP
    key = "10 96 0 10 0 80 6 0"
    assert machine.one(f"bpftool map lookup name lb4_services key {key}") == LOOKUP
    assert (
        machine.one("bpftool map")
        == "1: hash  name lb4_services  flags 0x0\n\tkey 8B  value 8B  max_entries 64\n"
    )
    shown = json.loads(machine.one("bpftool -j map dump name lb4_services"))
    assert shown[1]["value"] == {"address": 33747978, "port": 36895, "count": 2}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bpftool map dump id 9999", "Error: get map by id (9999): No such file or directory\n"),
        (f"bpftool map delete {KEY}", "Error: delete failed: No such file or directory\n"),
        (f"bpftool map update {KEY} value x", "Error: expected 8 more arguments, got 1\n"),
        ("bpftool map dump lb4_services", "Error: expected 'id', 'name' or 'pinned', got: 'lb4_services'?\n"),
    ],
)  # fmt: skip
def test_its_own_errors(machine: Wires, line: str, said: str) -> None:
    done = machine.shell.run(line)
    assert (done.stderr, done.code) == (said, 255)


def test_a_map_that_is_not_there_dumps_nothing(machine: Wires) -> None:
    assert machine.one("bpftool map dump name nope") == ""


def test_an_entry_that_is_written_decides_the_next_packet() -> None:
    w = services(("forward", "cgroup_inet4_connect"))
    assert w.tcp("a", "10.96.0.99", 80, timeout=1.0).server is None
    w.type("bpftool map update name services key 10 96 0 99 0 80 value 10 0 2 2 0x1f 0x90")
    assert w.tcp("a", "10.96.0.99", 80).response is not None
    w.type("bpftool map delete name services key 10 96 0 99 0 80")
    assert w.tcp("a", "10.96.0.99", 80, timeout=1.0).server is None


def test_programs_and_where_they_are() -> None:
    w = services(("forward", "cgroup_inet4_connect"))
    w.world.do(
        ops.LoadProgram(
            box="h", name="cil_from_container", type="sched_cls", code="tests.linux.bpf.programs:act"
        )
    )
    w.world.do(
        ops.AttachProgram(box="h", program="cil_from_container", hook="tcx/ingress", netns="h", device="va")
    )
    shown = w.one("bpftool prog show")
    assert "2: cgroup_sock_addr  name forward  tag " in shown and "\tmap_ids 1\n" in shown
    assert "name cil_from_container  tag" in shown
    assert "va(2) tcx/ingress cil_from_container prog_id 4 link_id 5 \n" in w.one("bpftool net")
    assert "    2        cgroup_inet4_connect multi           forward" in w.one("bpftool cgroup tree")


def test_what_is_not_modelled_says_so(machine: Wires) -> None:
    for line in (
        "bpftool prog load x.o /sys/fs/bpf/x",
        "bpftool btf show",
        "bpftool map create /sys/fs/bpf/x",
    ):
        done = machine.shell.run(line)
        assert done.code and "bpftool" in done.stderr and "not modelled" in done.stderr
