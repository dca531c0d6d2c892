"""The attach points against a recording of the real kernel (tests/golden/capture_bpf.py), scenario by scenario."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import NotModelled, OpError
from engine.linux import ops
from engine.linux.addr import ip4, mac_text, text4
from engine.linux.bpf.rows import BpfMap, Field
from engine.linux.exchange import tcp_call, udp_call
from engine.linux.journey import StepKind, Walk
from engine.linux.packet import Payload
from tests.linux.bpf.programs import ACTIONS, BACKEND, VIP
from tests.linux.walk.wires import Wires, echo

KERNEL = json.loads((Path(__file__).parents[2] / "golden" / "bpf" / "kernel.json").read_text())
ASK = Payload(protocol="echo", text="hello", size=5)
CODE = "tests.linux.bpf.programs:"
NODE = """
sysctl -w net.ipv4.ip_forward=1
wire h va 10.0.1.1/24 a eth0 10.0.1.2/24
wire h vb 10.0.2.1/24 b eth0 10.0.2.2/24
ip link set va address 02:00:00:00:01:01
a: ip link set eth0 address 02:00:00:00:01:02
ip link set vb address 02:00:00:00:02:01
b: ip link set eth0 address 02:00:00:00:02:02
a: ip route add default via 10.0.1.1
b: ip route add default via 10.0.2.1
listen b udp 8080
listen b tcp 8080
"""


def node() -> Wires:
    w = Wires(NODE)
    send(w)  # every neighbour is known from here on
    return w


def send(w: Wires) -> dict[str, object]:
    """One datagram from a to b, as the recording tells it."""
    call = udp_call(
        w.net, w.id("a"), *BACKEND, choose=w.choose, request=ASK, sport=5000, timeout=1.0, serve=echo
    )
    return {"seen": seen(w, call.leg.forward), "heard": call.server is not None}


def seen(w: Wires, walk: Walk) -> list[str]:
    """`NAMESPACE DEVICE in|out` of what a packet socket would see, namespace by namespace."""
    found = []
    names = {"h": "node", w.id("a"): "a", w.id("b"): "b"}
    for step in walk.steps():
        if step.kind in (StepKind.TRANSMIT, StepKind.RECEIVE):
            assert step.before is not None and step.before.eth is not None
            where = names[step.place.netns]
            mac = mac_text(step.before.eth.dst)
            found.append((where, f"{where} {step.place.device} {step.place.direction} {mac}"))
    return [line for space in ("node", "a", "b") for where, line in found if where == space]


def load(w: Wires, name: str, type: str, *maps: str) -> None:
    w.world.do(ops.LoadProgram(box="h", name=name, type=type, code=CODE + name, maps=maps))


SCENARIOS: dict[str, tuple[str, str, str, str, int]] = {
    "ok": ("va", "tcx/ingress", "ok", "", 0),
    "next": ("va", "tcx/ingress", "next", "", 0),
    "shot at ingress": ("va", "tcx/ingress", "shot", "", 0),
    "shot at egress": ("vb", "tcx/egress", "shot", "", 0),
    "xdp drop": ("va", "xdp", "drop", "", 0),
    "xdp pass": ("va", "xdp", "pass", "", 0),
    "redirect to egress": ("va", "tcx/ingress", "redirect", "vb", 0),
    "redirect to ingress": ("va", "tcx/ingress", "redirect_ingress", "vb", 0),
    "redirect to peer": ("va", "tcx/ingress", "redirect_peer", "vb", 0),
    "redirect to neighbour": ("va", "tcx/ingress", "redirect_neigh", "vb", 0),
    "redirect to nowhere": ("va", "tcx/ingress", "redirect", "nowhere", 0),
    "mark, then a rule drops it": ("va", "tcx/ingress", "ok", "", 7),
    "mark, then redirect to peer": ("va", "tcx/ingress", "redirect_peer", "vb", 7),
}


def armed(name: str) -> Wires:
    device, hook, action, target, mark = SCENARIOS[name]
    w = node()
    here = w.net.spaces["h"]
    fields = (Field("action"), Field("ifindex"), Field("mark"))
    w.world.do(
        ops.CreateMap(
            box="h", spec=BpfMap(name="acts", type="array", key=(Field(""),), value=fields, max_entries=1)
        )
    )
    ifindex = 99 if target == "nowhere" else here.names.get(target, 0)
    w.world.do(ops.UpdateMap(box="h", name="acts", key=(0,), value=(ACTIONS.index(action), ifindex, mark)))
    load(w, "act", "xdp" if hook == "xdp" else "sched_cls", "acts")
    w.world.do(ops.AttachProgram(box="h", program="act", hook=hook, netns="h", device=device))
    if mark:
        rule = "iptables -t raw -A PREROUTING -m mark --mark 7 -j DROP"
        w.type(f"b: {rule}" if "peer" in name else rule)
    return w


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_program_at_a_device_does_what_the_kernel_did(name: str) -> None:
    assert set(SCENARIOS) | {"none"} == set(KERNEL["devices"])
    found, wanted = send(armed(name)), KERNEL["devices"][name]
    if name == "redirect to neighbour":  # the capture's own copy shares the header that is rewritten later
        wanted = {**wanted, "seen": [line.rsplit(" ", 1)[0] for line in wanted["seen"]]}
        found = {**found, "seen": [str(line).rsplit(" ", 1)[0] for line in found["seen"]]}  # type: ignore[attr-defined]
    assert found == wanted


def test_without_a_program_it_is_the_same_too() -> None:
    assert send(node()) == KERNEL["devices"]["none"]


def test_the_step_names_the_program_and_the_entry() -> None:
    w = armed("redirect to peer")
    call = udp_call(w.net, w.id("a"), *BACKEND, choose=w.choose, request=ASK, serve=echo)
    step = next(s for s in call.leg.forward.steps() if s.kind is StepKind.BPF)
    assert (step.table, step.hook, step.verdict) == ("act", "tcx/ingress", "redirect_peer")
    assert step.row == 'acts {"key": 0, "value": {"action": 5, "ifindex": 3, "mark": 0}}'


def test_netfilter_of_the_node_sees_nothing_of_a_redirected_frame() -> None:
    w = armed("redirect to peer")
    w.type("iptables -A FORWARD -j DROP")
    assert send(w)["heard"]


# -- sockets


def services(*attached: tuple[str, str]) -> Wires:
    w = node()
    key = (Field("address", "be32"), Field("port", "be16"))
    spec = BpfMap(name="services", type="hash", key=key, value=key, max_entries=16)
    w.world.do(ops.CreateMap(box="h", spec=spec))
    w.world.do(ops.UpdateMap(box="h", name="services", key=VIP, value=BACKEND))
    for program, hook in attached:
        load(w, program, "cgroup_sock_addr", *(["services"] if program == "forward" else []))
        w.world.do(ops.AttachProgram(box="h", program=program, hook=hook))
    return w


CONNECT = ("forward", "cgroup_inet4_connect")


def shown(pair: tuple[int, int]) -> list[object]:
    return [text4(pair[0]), pair[1]]


def test_connect4_rewrites_before_there_is_a_packet() -> None:
    w = services(CONNECT)
    call = tcp_call(w.net, w.id("a"), *VIP, choose=w.choose, request=ASK, serve=echo)
    assert call.response is not None
    first = next(s for s in call.leg.forward.steps() if s.kind is StepKind.SEND)
    assert first.before is not None and first.before.ip.dst == BACKEND[0]
    assert shown(call.peer) == KERNEL["sockets"]["connect4: getpeername"]
    assert call.server is not None
    assert shown(call.server[1:]) == KERNEL["sockets"]["connect4: server's own address"]
    assert not w.net.spaces["h"].conntrack.entries


def test_getpeername4_shows_the_service() -> None:
    w = services(CONNECT, ("backward", "cgroup_inet4_getpeername"))
    call = tcp_call(w.net, w.id("a"), *VIP, choose=w.choose, request=ASK, serve=echo)
    assert shown(call.peer) == KERNEL["sockets"]["connect4 and getpeername4: getpeername"]


@pytest.mark.parametrize("back", [False, True])
def test_sendmsg4_and_recvmsg4(back: bool) -> None:
    both = (("backward", "cgroup_udp4_recvmsg"),) if back else ()
    w = services(("forward", "cgroup_udp4_sendmsg"), *both)
    call = udp_call(w.net, w.id("a"), *VIP, choose=w.choose, request=ASK, serve=echo, connected=False)
    name = "sendmsg4 and recvmsg4: recvfrom" if back else "sendmsg4: recvfrom"
    assert shown(call.peer) == KERNEL["sockets"][name]


def test_a_program_that_refuses_is_eperm() -> None:
    w = services(CONNECT, ("deny", "cgroup_inet4_connect"))
    call = tcp_call(w.net, w.id("a"), *VIP, choose=w.choose, request=ASK, serve=echo)
    words = {"EPERM": "Operation not permitted"}
    assert words[call.error] == KERNEL["sockets"]["connect4 refuses"]
    assert not any(s.kind is StepKind.SEND for s in call.leg.forward.steps())


def test_sock_ops_may_keep_what_was_opened() -> None:
    w = node()
    fields = (Field("address", "be32"), Field("port", "be16"))
    spec = BpfMap(name="opened", type="hash", key=fields, value=(Field(""),), max_entries=16)
    w.world.do(ops.CreateMap(box="h", spec=spec))
    load(w, "count", "sock_ops", "opened")
    w.world.do(ops.AttachProgram(box="h", program="count", hook="cgroup_sock_ops"))
    tcp_call(w.net, w.id("a"), *BACKEND, choose=w.choose, request=ASK, sport=4000, serve=echo)
    bpf = w.net.boxes["h"].bpf
    made = bpf.named("opened")
    assert made is not None
    assert set(bpf.entries[made.id]) == {BACKEND, (ip4("10.0.1.2"), 4000)}


# -- attaching


def test_what_cannot_be_attached_is_refused() -> None:
    w = services()
    load(w, "forward", "cgroup_sock_addr", "services")
    with pytest.raises(NotModelled):
        w.world.do(ops.AttachProgram(box="h", program="forward", hook="cgroup_inet4_bind"))
    for hook, device, errno in (
        ("tcx/ingress", "va", "EINVAL"), ("cgroup_sock_ops", "", "EINVAL"),
    ):  # fmt: skip
        with pytest.raises(OpError) as caught:
            w.world.do(ops.AttachProgram(box="h", program="forward", hook=hook, netns="h", device=device))
        assert caught.value.errno == errno
    with pytest.raises(OpError) as caught:
        w.world.do(ops.AttachProgram(box="h", program="nobody", hook="cgroup_inet4_connect"))
    assert caught.value.errno == "ENOENT"


def test_a_detached_program_decides_no_more_and_a_copy_keeps_its_own() -> None:
    w = armed("shot at ingress")
    other = w.net.copy()
    w.world.do(ops.DetachProgram(box="h", program="act", hook="tcx/ingress", netns="h", device="va"))
    assert send(w)["heard"]
    assert len(other.boxes["h"].bpf.attached) == 1 and not w.net.boxes["h"].bpf.attached
