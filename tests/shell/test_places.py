"""Terminals in pods and containers: what they see, which tools they have, how they end."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.lab.lab import Lab
from engine.shell.shell import Shell
from engine.shell.world import World

LABS = Path(__file__).parents[2] / "lessons" / "labs"
DOCKER = Lab.load(LABS / "docker-host.yaml").world
CLUSTER = Lab.load(LABS / "two-nodes.yaml").world


@pytest.fixture
def docker() -> World:
    return DOCKER.copy()


@pytest.fixture
def cluster() -> World:
    return CLUSTER.copy()


def test_places_are_machines_pods_and_containers(docker: World, cluster: World) -> None:
    assert docker.places()[:3] == ["host/box", "host/laptop", "host/internet"]
    assert "container/box/web" in docker.places()
    assert {"node/w1", "host/laptop", "pod/default/a", "pod/default/b", "pod/default/c"} <= set(
        cluster.places()
    )
    for place in (*docker.places(), *cluster.places()):
        world = docker if place in docker.places() else cluster
        assert Shell(world, place).place == place


def test_a_container_sees_its_own_files_and_processes(docker: World) -> None:
    shell = Shell(docker, "container/box/client")
    assert shell.prompt == "/ # "
    assert "172.17.0.3" in shell.run("cat /etc/hosts").stdout
    assert "Alpine" in shell.run("cat /etc/os-release").stdout
    assert shell.run("cat /etc/docker/daemon.json").code == 1
    assert shell.run("ps -e -o pid,args").stdout.splitlines()[1].split() == ["1", "sleep", "infinity"]
    assert shell.run("hostname").stdout == shell.run("cat /etc/hostname").stdout
    shell.run("echo mine > /tmp/f")
    assert shell.run("cat /tmp/f").stdout == "mine\n"
    assert Shell(docker, "box").run("cat /tmp/f").code == 1


def test_an_image_without_a_tool_has_no_such_command(docker: World) -> None:
    result = Shell(docker, "container/box/web").run("ip addr")
    assert result.stderr.startswith("sh: ip: not found\n")
    assert "nsenter -t PID -n ip" in result.stderr
    assert result.code == 127


def test_the_tools_of_busybox_images_are_busyboxs(docker: World) -> None:
    box = Shell(docker, "box")
    assert box.run("docker run -d --name bb busybox sleep 1d").code == 0
    inner = Shell(docker, "container/box/bb")
    assert "64 bytes from 172.17.0.2: seq=0 ttl=64" in inner.run("ping -c 1 172.17.0.2").stdout
    assert inner.run("ps").stdout.splitlines()[0] == "PID   USER     TIME  COMMAND"
    assert inner.run("nc -zv 172.17.0.2 80").stderr == "172.17.0.2 (172.17.0.2:80) open\n"
    assert "icmp_seq=1" in Shell(docker, "container/box/client").run("ping -c 1 172.17.0.2").stdout


def test_exec_opens_a_shell_that_ends_with_its_container(docker: World) -> None:
    shell = Shell(docker, "box")
    shell.run("docker exec -it client sh")
    assert shell.place == "container/box/client"
    assert shell.run("hostname -i").stdout == "172.17.0.3\n"
    Shell(docker, "box").run("docker rm -f client")
    ended = shell.run("hostname")
    assert "has ended" in ended.stderr
    assert ended.stdout == "box\n"


def test_a_terminal_whose_container_is_gone_says_so(docker: World) -> None:
    shell = Shell(docker, "container/box/client")
    Shell(docker, "box").run("docker rm -f client")
    result = shell.run("ls")
    assert result.code == 1
    assert "is not running any more" in result.stderr
    assert shell.complete("l") == []


def test_the_nodes_tools_in_a_containers_network(docker: World) -> None:
    shell = Shell(docker, "box")
    pid = shell.run("docker inspect -f '{{.State.Pid}}' web").stdout.strip()
    assert "172.17.0.2/16" in shell.run(f"nsenter -t {pid} -n ip -br addr").stdout
    shell.run(f"nsenter -t {pid} -n")
    assert "172.17.0.2" in shell.run("ip -br addr").stdout
    assert shell.run("hostname").stdout == "box\n"
    shell.run("exit")
    assert shell.run(f"nsenter -t {pid} -n -u -m hostname").stdout != "box\n"
    assert shell.run(f"nsenter -t {pid} -m ip addr").code == 127


def test_a_pod_that_is_started_anew_keeps_its_terminal(cluster: World) -> None:
    pod, node = Shell(cluster, "pod/default/b"), Shell(cluster, "w1")
    before = pod.run("hostname -i").stdout
    pids = node.run("ps -eo pid,comm | grep pause | tr -s ' ' | cut -d' ' -f2").stdout.split()
    for pid in pids:
        if before.strip() in node.run(f"nsenter -t {pid} -n hostname -I").stdout:
            node.run(f"kill -9 {pid}")
    after = pod.run("hostname -i")
    assert "started anew" in after.stderr
    assert after.stdout != before


def test_a_pods_files_come_from_kubelet_and_the_image(cluster: World) -> None:
    pod = Shell(cluster, "pod/b")
    assert pod.run("head -1 /etc/hosts").stdout == "# Kubernetes-managed hosts file.\n"
    assert "nginx" in pod.run("cat /usr/share/nginx/html/index.html").stdout
    pod.run("echo new > /usr/share/nginx/html/index.html")
    assert Shell(cluster, "w1").run(f"curl -s {pod.run('hostname -i').stdout.strip()}").stdout == "new\n"
    assert pod.run("rm /etc/passwd").code == 2


def test_packets_of_a_nested_command_are_captured_once(docker: World) -> None:
    shell = Shell(docker, "box")
    shell.run("docker exec client sh -c 'ping -c 1 172.17.0.2'")
    assert shell.run("tcpdump -n -i docker0 icmp").stdout.count("echo request") in (0, 1)
    name = shell.run("ip -br link show master docker0").stdout.split("@")[0]
    docker.watched.clear()
    assert shell.run(f"tcpdump -n -i {name} icmp").stdout.count("echo request") == 1
