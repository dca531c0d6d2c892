"""Worlds with a cluster for the tests of kubectl, crictl, ctr and systemctl."""

from __future__ import annotations

from typing import Any

from engine.kube import NodeOptions
from engine.shell.shell import Result, Shell
from engine.shell.world import World
from tests.kube.labs import Lab


def world(*texts: str, nodes: tuple[NodeOptions, ...] = (), **options: Any) -> World:
    """A world around a cluster of tests/kube."""
    lab = Lab(*texts, nodes=nodes, **options)
    world = World(lab.net)
    world.log = lab.changes.log
    world.cluster = lab.cluster
    world.settle()
    return world


def typed(world: World, place: str, *lines: str) -> Result:
    """Type lines at a place; the result of the last one."""
    shell = Shell(world, place)
    result = Result()
    for line in lines:
        result = shell.run(line)
    return result
