"""Where machines, switches, cables and the router stand for the machines that a lab asks for."""

from __future__ import annotations

import pytest

from engine.errors import InputError
from engine.fabric.plan import Fabric, Machine, build_fabric, plan
from engine.linux.addr import Prefix, ip4, text4
from engine.linux.net import Net
from engine.linux.ops import Changes


def at(text: str) -> Prefix:
    return Prefix.parse(text, host_bits=True)


def machine(name: str, *addresses: str, role: str = "node", where: str = "") -> Machine:
    return Machine(name=name, role=role, addresses=tuple(at(a) for a in addresses), where=where)


def build(*machines: Machine) -> tuple[Net, Fabric]:
    net = Net()
    return net, build_fabric(Changes(net), machines)


def test_machines_without_addresses_get_the_lab_s_usual_ones() -> None:
    fabric = plan([machine("cp"), machine("w1"), machine("laptop", role="host")])
    assert [text4(fabric.address(m.name)) for m in fabric.machines] == [
        "192.168.10.100",
        "192.168.10.101",
        "192.168.10.20",
    ]


def test_chosen_addresses_avoid_given_ones() -> None:
    fabric = plan([machine("cp", "192.168.10.101/24"), machine("w1"), machine("w2")])
    addresses = [text4(fabric.address(n)) for n in ("cp", "w1", "w2")]
    assert addresses == ["192.168.10.101", "192.168.10.102", "192.168.10.103"]


def test_one_lan_is_a_switch_with_a_port_for_each_machine_and_the_router() -> None:
    net, fabric = build(machine("w1", "192.168.10.101/24"), machine("w2", "192.168.10.102/24"))
    switch = net.spaces["lan"]
    assert net.boxes["lan"].role == "switch"
    assert set(switch.names) == {"lo", "br0", "port-w1", "port-w2", "port-router"}
    bridge = switch.names["br0"]
    assert {link.name for link in switch.ports(bridge)} == {"port-w1", "port-w2", "port-router"}
    nic = net.spaces["w1"].link("eth0")
    port = switch.link("port-w1")
    assert nic is not None and port is not None
    assert nic.peer == ("lan", port.ifindex) and port.peer == ("w1", nic.ifindex)
    assert nic.up and port.up
    assert text4(fabric.segments[0].gateway) == "192.168.10.254"
    assert net.spaces["router"].owns(ip4("192.168.10.254")) and net.spaces["router"].forwarding
    assert not net.spaces["w1"].forwarding


def test_every_machine_has_a_default_route_and_its_files() -> None:
    net, _ = build(machine("w1", "192.168.10.101/24"), machine("laptop", "192.168.10.1/24", role="host"))
    for name in ("w1", "laptop"):
        route = net.spaces[name].tables[254].match(ip4("8.8.8.8"), lambda r: True)
        assert route is not None and text4(route.gateway) == "192.168.10.254"
        files = net.boxes[name].files
        assert files["/etc/hostname"] == f"{name}\n"
        assert "192.168.10.101 w1" in files["/etc/hosts"] and "192.168.10.1 laptop" in files["/etc/hosts"]
        assert files["/etc/resolv.conf"] == "nameserver 192.168.10.254\n"


def test_a_host_in_another_subnet_is_behind_the_router_on_a_cable() -> None:
    net, fabric = build(
        machine("w1", "192.168.10.101/24"), machine("internet", "203.0.113.10/24", role="host")
    )
    outside = fabric.segments[1]
    assert outside.switch == "" and text4(outside.gateway) == "203.0.113.254"
    nic = net.spaces["internet"].link("eth0")
    end = net.spaces["router"].link("eth1")
    assert nic is not None and end is not None
    assert nic.peer == ("router", end.ifindex) and end.peer == ("internet", nic.ifindex)
    assert "lan2" not in net.boxes


def test_two_hosts_in_one_outside_subnet_share_a_switch() -> None:
    net, _ = build(
        machine("w1", "192.168.10.101/24"),
        machine("a", "203.0.113.10/24", role="host"),
        machine("b", "203.0.113.11/24", role="host"),
    )
    assert set(net.spaces["lan2"].names) == {"lo", "br0", "port-a", "port-b", "port-router"}


def test_a_second_address_in_its_own_subnet_is_a_second_nic_without_gateway() -> None:
    net, fabric = build(
        machine("w1", "192.168.10.101/24", "192.168.99.10/24"),
        machine("w2", "192.168.10.102/24", "192.168.99.11/24"),
    )
    assert [s.gateway != 0 for s in fabric.segments] == [True, False]
    assert set(net.spaces["w2"].names) == {"lo", "eth0", "eth1"}
    assert set(net.spaces["router"].names) == {"lo", "eth0"}
    assert net.spaces["w2"].owns(ip4("192.168.99.11"))


def test_nics_are_numbered_in_the_machine_s_own_order() -> None:
    net, _ = build(machine("w1", "192.168.10.101/24"), machine("w2", "192.168.99.11/24", "192.168.10.102/24"))
    space = net.spaces["w2"]
    assert [a.addr for a in space.addresses[space.names["eth0"]]] == [ip4("192.168.99.11")]
    assert space.names["eth0"] < space.names["eth1"]


def test_two_addresses_of_one_subnet_stand_on_one_nic() -> None:
    net, _ = build(machine("w1", "192.168.10.101/24", "192.168.10.111/24"))
    space = net.spaces["w1"]
    assert [a.secondary for a in space.addresses[space.names["eth0"]]] == [False, True]


def test_the_same_lab_has_the_same_mac_addresses() -> None:
    macs = [build(machine("w1", "192.168.10.101/24"))[0].spaces["w1"].link("eth0") for _ in range(2)]
    assert macs[0] == macs[1] and macs[0] is not None and macs[0].mac >> 24 == 0x525400


def test_long_machine_names_get_short_ports() -> None:
    net, _ = build(
        machine("control-plane-one", "192.168.10.101/24"), machine("control-plane-two", "192.168.10.102/24")
    )
    ports = [n for n in net.spaces["lan"].names if n.startswith("port-contr")]
    assert len(ports) == 2 and all(len(p) <= 15 for p in ports)


@pytest.mark.parametrize(
    ("machines", "where", "words"),
    [
        ([machine("a", "10.0.0.1/24", where="nodes[0]"), machine("b", "10.0.0.1/24", where="nodes[1]")],
         "nodes[1].addresses[0]", "given twice"),
        ([machine("a", "10.0.0.0/24", where="nodes[0]")], "nodes[0].addresses[0]", "own address"),
        ([machine("a", "10.0.0.255/24", where="nodes[0]")], "nodes[0].addresses[0]", "broadcast"),
        ([machine("a", "127.0.0.5/8", where="nodes[0]")], "nodes[0].addresses[0]", "loopback"),
        ([machine("a", "10.0.0.1/24"), machine("b", "10.0.0.200/25", where="nodes[1]")],
         "nodes[1].addresses[0]", "overlaps"),
        ([machine("a", "10.0.0.1/24"), machine("a", "10.0.0.2/24", where="hosts[0]")], "hosts[0]", "two machines"),
        ([machine("router", "10.0.0.1/24", where="nodes[0]")], "nodes[0]", "another name"),
        ([machine("lan", "10.0.0.1/24", where="nodes[0]")], "nodes[0]", "another name"),
    ],
)  # fmt: skip
def test_wrong_input_names_the_path(machines: list[Machine], where: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(machines)
    assert caught.value.problems[0].where == where
    assert words in caught.value.problems[0].text("en")
    assert caught.value.problems[0].said.text("ko")


@pytest.mark.parametrize("kind", ["routed", "aws", "ring"])
def test_other_kinds_of_fabric_are_refused_by_name(kind: str) -> None:
    with pytest.raises(InputError) as caught:
        plan([machine("a")], kind=kind)
    assert caught.value.problems[0].where == "fabric.kind"
    assert kind in str(caught.value) and "lan" in str(caught.value)


def test_all_problems_come_at_once_and_nothing_is_built() -> None:
    net = Net()
    with pytest.raises(InputError) as caught:
        build_fabric(Changes(net), [machine("a", "127.0.0.1/8"), machine("b", "224.0.0.1/24")], kind="aws")
    assert len(caught.value.problems) == 3
    assert not net.boxes


def test_a_lab_of_many_nodes_gets_a_wide_lan() -> None:
    fabric = plan([machine(f"n{i}") for i in range(300)])
    assert text4(fabric.address("n0")) == "10.100.1.0" and len(fabric.segments) == 1
