"""The journeys that every export is tried on, made once: each way that a packet can end, and each protocol."""

from __future__ import annotations

from functools import cache

from course.cli.common import open_lab
from engine.lab.lab import Lab
from engine.linux.journey import Journey


@cache
def lab(name: str) -> Lab:
    return open_lab(name)


def ruled(*lines: str) -> Lab:
    """The Docker host with a person's rules."""
    mine = lab("docker-host").copy()
    for line in lines:
        assert mine.run("host/box", line).code == 0
    return mine


@cache
def all_journeys() -> dict[str, tuple[Lab, Journey]]:
    docker, nodes = lab("docker-host"), lab("two-nodes")
    refusing = ruled("iptables -I DOCKER-USER -p tcp --dport 80 -j REJECT --reject-with icmp-host-prohibited")
    return {
        "ping": (nodes, nodes.trace("pod/a", "pod/c", "icmp")),
        "http": (docker, docker.trace("host/laptop", "http://192.168.10.30:8080/", "http")),
        "refused": (docker, docker.trace("host/laptop", "192.168.10.30:9", "tcp")),
        "udp": (docker, docker.trace("host/laptop", "192.168.10.30:9", "udp")),
        "nobody": (docker, docker.trace("host/laptop", "192.168.10.99:80", "tcp")),
        "rejected": (refusing, refusing.trace("host/laptop", "192.168.10.30:8080", "tcp")),
        "lo": (docker, docker.trace("host/box", "127.0.0.1:8080", "tcp")),
    }


NAMES = ("ping", "http", "refused", "udp", "nobody", "rejected", "lo")
