"""No docker command line, however strange, gives a traceback, and none leaves a half-made container behind."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.docker import load
from engine.fabric.plan import Machine, build_fabric
from engine.linux.addr import Prefix
from engine.linux.net import Net
from engine.linux.ops import Changes
from engine.shell.shell import Shell
from engine.shell.world import World


def _words(text: str) -> list[str]:
    return text.split()


WORDS = _words(
    "run create start stop restart kill rm ps exec logs port top inspect images pull rmi tag network ls rm "
    "create connect disconnect prune container image version info -d -it --rm -a -q -f --name web web2 w "
    "--network shop bridge host none container:web container:web2 -p 8080:80 80 127.0.0.1:81:80/udp 0:0 -P "
    "nginx busybox nginx:alpine nobody/x Bad: sh -c 'exit 2' 'sleep 3' sleep 5 infinity true false ls ip addr "
    "--restart always on-failure:2 no --ip 10.9.0.5 172.17.0.9 --subnet 10.9.0.0/24 10.9.0.0/33 x/y --gateway "
    "10.9.0.1 1 -- --entrypoint '' env -e A=b A -h db --internal -o a=b {{.Id}} {{ {{json .}} table {{.ID}} "
    "--format --filter name=w status=up -n 2 --tail 1 --signal TERM 9 --pid host --cap-add NET_ADMIN --sysctl "
    "net.ipv4.ip_forward=1 net.core.x=1 --dns 8.8.8.8 --add-host a:1.2.3.4 a --mac-address 02:00:00:00:00:01 "
    "x"
)


def machine() -> Shell:
    net = Net()
    changes = Changes(net)
    address = Prefix.parse("192.168.10.11/24", host_bits=True)
    build_fabric(changes, [Machine(name="dock", role="host", addresses=(address,))])
    world = World(net)
    world.dockers["dock"] = load.start(
        changes, "dock", {"networks": [{"name": "shop"}], "containers": [{"name": "web", "image": "nginx"}]}
    )
    return Shell(world, "host/dock")


@settings(max_examples=120)
@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9), min_size=1, max_size=5))
def test_any_docker_line_gives_a_result(lines: list[list[str]]) -> None:
    shell = machine()
    for words in lines:
        got = shell.run("docker " + " ".join(words))
        assert isinstance(got.code, int)
    world = shell.world
    daemon, box = world.dockers["dock"], world.net.boxes["dock"]
    alive = {c.id for c in daemon.containers.values() if c.running}
    assert {p.container for p in box.procs.values() if p.container} == alive
    veths = {n for n in world.net.spaces["dock"].names if n.startswith("veth")}
    assert veths == {e.veth for c in daemon.containers.values() for e in c.endpoints if e.veth}
    proxies = [p for p in box.procs.values() if p.program == "docker-proxy"]
    assert len(proxies) == sum(len(c.bindings) for c in daemon.containers.values())


@settings(max_examples=60)
@given(st.text(alphabet='abc{}.|()"`$:= \t-/019', max_size=40))
def test_any_template_gives_a_result(form: str) -> None:
    shell = machine()
    quoted = form.replace("'", "")
    assert isinstance(shell.run(f"docker inspect -f '{quoted}' web").code, int)
