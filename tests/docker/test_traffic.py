"""Who reaches a container, by which way, and whom the container sees."""

from __future__ import annotations

from engine.linux.addr import ip4, text4
from engine.linux.exchange import ping_call
from engine.linux.journey import Outcome
from tests.docker.lab import Lab

WEB = {"containers": [{"name": "web", "image": "nginx", "publish": ["8080:80"]}]}
TWO = {"containers": [*WEB["containers"], {"name": "tool", "image": "busybox", "command": "sleep infinity"}]}


def seen(lab: Lab, netns: str, address: str, port: int) -> tuple[Outcome, str]:
    call = lab.call(netns, address, port)
    last = call.more[-1].forward.packet if call.more else None
    return call.outcome, text4(last.ip.src if last is not None else call.seen_as[0])


def test_a_machine_of_the_lan_keeps_its_address() -> None:
    lab = Lab(WEB)
    assert seen(lab, "laptop", "192.168.10.11", 8080) == (Outcome.DELIVERED, "192.168.10.21")
    assert seen(lab, "internet", "192.168.10.11", 8080) == (Outcome.DELIVERED, "203.0.113.10")


def test_the_host_itself_by_its_address_is_translated_by_loopback_it_goes_through_the_proxy() -> None:
    lab = Lab(WEB)
    own, loop = lab.call("dock", "192.168.10.11", 8080), lab.call("dock", "127.0.0.1", 8080)
    assert own.outcome is loop.outcome is Outcome.DELIVERED
    assert not own.more and len(loop.more) == 1
    assert loop.more[0].purpose == "docker-proxy"
    assert loop.more[0].forward.packet is not None
    assert text4(loop.more[0].forward.packet.ip.src) == "172.17.0.1"


def test_a_neighbour_on_the_bridge_reaches_the_published_port_through_the_proxy() -> None:
    lab = Lab(TWO)
    call = lab.call(lab.netns("tool"), "192.168.10.11", 8080)
    assert call.outcome is Outcome.DELIVERED and len(call.more) == 1


def test_without_the_proxy_the_same_ways_work_by_hairpin_nat() -> None:
    lab = Lab({**TWO, "userlandProxy": False})
    for netns, address in (
        ("dock", "127.0.0.1"),
        (lab.netns("tool"), "192.168.10.11"),
        (lab.netns("web"), "192.168.10.11"),
    ):
        call = lab.call(netns, address, 8080)
        assert call.outcome is Outcome.DELIVERED, (netns, call.error)
        assert not call.more
    assert not [p for p in lab.net.boxes["dock"].procs.values() if p.comm == "docker-proxy"]


def test_a_container_s_own_address_is_closed_to_other_machines() -> None:
    lab = Lab(WEB)
    from engine.linux.addr import Prefix
    from engine.linux.ops import AddRoute

    lab.changes.do(AddRoute(netns="laptop", dst=Prefix.parse("172.17.0.0/16"), gateway=ip4("192.168.10.11")))
    call = lab.call("laptop", "172.17.0.2", 80)
    assert call.error == "ETIMEDOUT"
    drops = [s.row for s in call.leg.forward.steps() if s.table == "raw" and s.verdict == "drop"]
    assert drops and "172.17.0.2/32" in drops[0]


def test_what_leaves_a_bridge_carries_the_host_s_address() -> None:
    lab = Lab(TWO)
    call = ping_call(lab.net, lab.netns("tool"), ip4("203.0.113.10"), choose=lab.choose, ident=7, seq=1)
    assert call.outcome is Outcome.DELIVERED
    assert text4(call.seen_as[0]) == "192.168.10.11"


def test_containers_of_one_bridge_meet_and_those_of_two_do_not() -> None:
    lab = Lab(
        {
            "networks": [{"name": "shop"}],
            "containers": [
                *WEB["containers"],
                {"name": "same", "image": "busybox", "command": "sleep infinity"},
                {"name": "other", "image": "busybox", "command": "sleep infinity", "network": "shop"},
            ],
        }
    )
    assert lab.call(lab.netns("same"), "172.17.0.2", 80).outcome is Outcome.DELIVERED
    assert lab.call(lab.netns("other"), "172.17.0.2", 80).error == "ETIMEDOUT"
    assert lab.call(lab.netns("other"), "192.168.10.11", 8080).outcome is Outcome.DELIVERED


def test_host_mode_listens_on_the_machine_itself() -> None:
    lab = Lab({"containers": [{"name": "web", "image": "nginx", "network": "host"}]})
    assert lab.netns("web") == "dock"
    assert lab.call("laptop", "192.168.10.11", 80).outcome is Outcome.DELIVERED
    assert lab.rules("nat")[-1].endswith("MASQUERADE"), "no port is published"


def test_none_has_only_loopback() -> None:
    lab = Lab({"containers": [{"name": "web", "image": "nginx", "network": "none"}]})
    space = lab.net.spaces[lab.netns("web")]
    assert list(space.names) == ["lo"] and space.links[1].up
    assert lab.call(space.id, "127.0.0.1", 80).outcome is Outcome.DELIVERED
    assert lab.call(space.id, "192.168.10.11", 22).error == "ENETUNREACH"


def test_container_mode_shares_address_and_ports() -> None:
    lab = Lab(
        {
            "containers": [
                *WEB["containers"],
                {"name": "side", "image": "busybox", "command": "sleep infinity", "network": "container:web"},
                {"name": "clash", "image": "nginx", "network": "container:web"},
            ]
        }
    )
    assert lab.netns("side") == lab.netns("web")
    assert lab.call(lab.netns("side"), "127.0.0.1", 80).outcome is Outcome.DELIVERED
    clash = lab.daemon.find("clash")
    assert (clash.status, clash.code) == ("exited", 1)
    assert "Address already in use" in clash.log[-2][1]


def test_an_internal_network_leads_nowhere() -> None:
    lab = Lab(
        {
            "networks": [{"name": "dark", "internal": True}],
            "containers": [
                {"name": "aa", "image": "nginx", "network": "dark"},
                {"name": "bb", "image": "busybox", "command": "sleep infinity", "network": "dark"},
            ],
        }
    )
    assert lab.call(lab.netns("bb"), lab.address("aa"), 80).outcome is Outcome.DELIVERED
    assert lab.call(lab.netns("bb"), "203.0.113.10", 80).error == "ENETUNREACH"


def test_docker_answers_names_of_a_user_defined_network() -> None:
    from engine.l7.serve import serve
    from engine.linux.exchange import udp_call
    from engine.linux.wire import dns

    lab = Lab(
        {
            "networks": [{"name": "shop"}],
            "containers": [
                {"name": "db", "image": "redis", "network": "shop", "aliases": ["store"]},
                {"name": "app", "image": "busybox", "command": "sleep infinity", "network": "shop"},
                {"name": "old", "image": "busybox", "command": "sleep infinity"},
            ],
        }
    )

    def ask(container: str, name: str) -> str:
        question = dns.Message(name=f"{name}.").payload()
        call = udp_call(
            lab.net,
            lab.netns(container),
            ip4("127.0.0.11"),
            53,
            choose=lab.choose,
            request=question,
            serve=serve,
        )
        answer = dns.of(call.response)
        if answer is None:
            return call.error
        return answer.answers[0].data if answer.answers else answer.rcode

    db = lab.address("db")
    assert [ask("app", n) for n in ("db", "store", "db.shop", "DB")] == [db] * 4
    assert ask("app", "nobody") == "SERVFAIL", "the host's server does not answer"
    assert ask("old", "db") == "ECONNREFUSED", "the default bridge has no name service"
    lab.daemon.stop(lab.changes, "db")
    assert ask("app", "db") == "SERVFAIL"
