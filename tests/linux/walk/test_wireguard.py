"""WireGuard: the allowed IPs choose the peer and judge what a peer sends; a handshake first; the tool wg.

The keys are a pair that wireguard-tools made.
"""

from __future__ import annotations

from engine.linux.addr import ip4
from engine.linux.choose import Seeded
from engine.linux.curve25519 import encode, public
from engine.linux.exchange import Call, ping_call
from engine.linux.journey import Outcome, StepKind, Walk
from engine.linux.net import Net
from engine.linux.ops import AddBox, Changes
from engine.linux.packet import WireGuard
from engine.shell.shell import Shell
from engine.shell.world import World

PRIVATE = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
PUBLIC = "hlF7wMOf6Ha3ZGy1407gPa9xzLrWdFDBapcK2MvAPn4="
PRIVATE2 = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
PUBLIC2 = "2/ygd0TRqiC1sebr6VaMzxUwnqJ9Zmo98HwJpoCThRI="


def build(*more: str) -> tuple[Net, Shell]:
    """Two namespaces on a wire, wg0 in both, each the other's peer."""
    net = Net()
    Changes(net).do(AddBox(name="h"))
    shell = Shell(World(net=net), "node/h")
    lines = [
        "ip netns add a",
        "ip netns add b",
        "ip link add va netns a type veth peer name vb netns b",
        f"echo {PRIVATE} > /tmp/a.key",
        f"echo {PRIVATE2} > /tmp/b.key",
    ]
    for name, peer, n in (("a", PUBLIC2, 1), ("b", PUBLIC, 2)):
        lines += [
            f"ip -n {name} addr add 192.168.1.{n}/24 dev v{name}",
            f"ip -n {name} link set v{name} up",
            f"ip -n {name} link add wg0 type wireguard",
            f"ip netns exec {name} wg set wg0 private-key /tmp/{name}.key listen-port 51820 "
            f"peer {peer} allowed-ips 10.0.0.{3 - n}/32 endpoint 192.168.1.{3 - n}:51820",
            f"ip -n {name} addr add 10.0.0.{n}/24 dev wg0",
            f"ip -n {name} link set wg0 up",
        ]
    for line in (*lines, *more):
        out = shell.run(line)
        assert not out.code, f"{line}: {out.stdout}{out.stderr}"
    return net, shell


def ping(net: Net, name: str, dst: str) -> Call:
    return ping_call(net, net.boxes["h"].netns_names[name], ip4(dst), choose=Seeded(1))


def kinds(walk: Walk) -> list[StepKind]:
    return [step.kind for step in walk.steps()]


def test_a_public_key_is_what_the_real_tool_says() -> None:
    assert public(PRIVATE) == PUBLIC
    assert public(PRIVATE2) == PUBLIC2
    assert public("no key") == ""


def test_the_first_packet_waits_for_a_handshake() -> None:
    net, _ = build()
    call = ping(net, "a", "10.0.0.2")
    assert call.outcome is Outcome.DELIVERED
    asked = next(step for step in call.leg.forward.steps() if step.aside and step.kind is StepKind.ENCAP)
    messages = [
        layer.message
        for walk in asked.aside for step in walk.steps() if step.kind is StepKind.TRANSMIT and step.before
        for layer in step.before.layers if isinstance(layer, WireGuard)
    ]  # fmt: skip
    assert messages == ["initiation", "response"]
    again = ping(net, "a", "10.0.0.2")
    assert again.outcome is Outcome.DELIVERED
    assert not any(step.aside for step in again.leg.forward.steps() if step.kind is StepKind.ENCAP)


def test_a_ping_on_the_wire_is_padded_and_sealed() -> None:
    net, _ = build()
    ping(net, "a", "10.0.0.2")
    call = ping(net, "a", "10.0.0.2")
    frame = next(
        s.before for s in call.leg.forward.steps() if s.kind is StepKind.TRANSMIT and s.place.device == "va"
    )
    assert frame is not None
    inner = frame.inner
    assert inner is not None
    seal = frame.get(WireGuard)
    assert seal is not None and (inner.length() + seal.pad) % 16 == 0
    assert frame.ip_length() == 20 + 8 + 32 + inner.length() + seal.pad


def test_an_address_that_no_peer_may_have() -> None:
    net, _ = build()
    call = ping(net, "a", "10.0.0.9")
    assert call.outcome is not Outcome.DELIVERED and call.error == "ENOKEY"


def test_a_peer_that_never_spoke_has_no_endpoint() -> None:
    net, _ = build(f"ip netns exec a wg set wg0 peer {PUBLIC2} remove")
    _, shell = net, Shell(World(net=net), "node/h")
    assert not shell.run(f"ip netns exec a wg set wg0 peer {PUBLIC2} allowed-ips 10.0.0.2/32").code
    assert ping(net, "a", "10.0.0.2").error == "EDESTADDRREQ"
    assert ping(net, "b", "10.0.0.1").outcome is Outcome.DELIVERED
    assert ping(net, "a", "10.0.0.2").outcome is Outcome.DELIVERED


def test_a_source_that_the_sender_may_not_have_is_dropped() -> None:
    net, _ = build(f"ip netns exec b wg set wg0 peer {PUBLIC} allowed-ips 10.0.0.7/32")
    call = ping(net, "a", "10.0.0.2")
    assert call.outcome is Outcome.DROPPED
    last = call.leg.forward.last
    assert last is not None and last.why is not None and "not among the allowed IPs" in last.why.text("en")


def test_a_wrong_key_is_met_with_silence() -> None:
    net, shell = build()
    shell.run(f"echo {encode(bytes(range(32)))} > /tmp/c.key")
    assert not shell.run("ip netns exec b wg set wg0 private-key /tmp/c.key").code
    call = ping(net, "a", "10.0.0.2")
    assert call.outcome is Outcome.DROPPED


def test_the_mark_of_what_it_sends_chooses_the_route() -> None:
    net, _ = build(
        "ip netns exec a wg set wg0 fwmark 0x20",
        "ip -n a rule add fwmark 0x20 table 100",
        "ip -n a route add blackhole default table 100",
    )
    assert ping(net, "a", "10.0.0.2").outcome is not Outcome.DELIVERED


def test_show_as_the_tool_prints_it() -> None:
    net, shell = build()
    ping(net, "a", "10.0.0.2")
    out = shell.run("ip netns exec a wg show").stdout
    assert out == (
        "interface: wg0\n"
        f"  public key: {PUBLIC}\n"
        "  private key: (hidden)\n"
        "  listening port: 51820\n"
        "\n"
        f"peer: {PUBLIC2}\n"
        "  endpoint: 192.168.1.2:51820\n"
        "  allowed ips: 10.0.0.2/32\n"
        "  latest handshake: Now\n"
        "  transfer: 220 B received, 276 B sent\n"
    )
    assert shell.run(f"echo {PRIVATE} | wg pubkey").stdout == PUBLIC + "\n"
    assert shell.run("ip netns exec a wg show wg0 allowed-ips").stdout == f"{PUBLIC2}\t10.0.0.2/32\n"


def test_showconf_can_be_given_to_setconf() -> None:
    net, shell = build()
    text = shell.run("ip netns exec a wg showconf wg0").stdout
    shell.run("ip netns exec a wg showconf wg0 > /tmp/wg0.conf")
    assert not shell.run("ip netns exec a wg setconf wg0 /tmp/wg0.conf").code
    assert shell.run("ip netns exec a wg showconf wg0").stdout == text
    assert net.spaces[net.boxes["h"].netns_names["a"]].link("wg0") is not None


def test_an_allowed_network_has_one_peer() -> None:
    _, shell = build()
    other = public(encode(bytes(range(32))))
    assert not shell.run(f"ip netns exec a wg set wg0 peer {other} allowed-ips 10.0.0.2/32").code
    lines = shell.run("ip netns exec a wg show wg0 allowed-ips").stdout.splitlines()
    assert lines == [f"{PUBLIC2}\t(none)", f"{other}\t10.0.0.2/32"]


def test_words_that_wg_does_not_know() -> None:
    _, shell = build()
    bad = shell.run("ip netns exec a wg set wg0 peer abc")
    assert bad.code == 1 and bad.stderr == "Key is not the correct length or format: `abc'\n"
    assert shell.run("wg show nope").stderr == "Unable to access interface: No such device\n"


def test_errors_in_the_tools_own_words() -> None:
    """Captured from wireguard-tools 1.0.20210914; a device that is not there is told only when the words are right."""
    _, shell = build()
    for line, text in (
        ("wg set nope bogus", "Invalid argument: bogus"),
        ("wg set nope peer abc", "Key is not the correct length or format: `abc'"),
        ("wg genkey x", "Usage: wg genkey"),
        ("echo bad | wg pubkey", "wg: Key is not the correct length or format"),
        ("wg showconf", "Usage: wg showconf <interface>"),
        ("wg setconf", "Usage: wg setconf <interface> <configuration filename>"),
        ("wg setconf nope /nope", "fopen: No such file or directory"),
        ("wg set nope private-key /nope", "fopen: No such file or directory"),
    ):
        got = shell.run(line)
        assert (got.stdout, got.stderr, got.code) == ("", text + "\n", 1), line
    assert shell.run("wg show interfaces").stdout == ""
