"""The `docker` key of a host: what its daemon holds when the lab opens.

Rules. The keys are read by engine.docker.load, which knows them; here they get their lines in the lab file. Docker is
loaded only for a lab that has it: a lesson opens quicker without. docs/formats.md says the same in prose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.lab.reader import Node

if TYPE_CHECKING:
    from engine.docker.load import Plan


def read_docker(node: Node) -> Plan | None:
    """`true`, or a mapping. None when something is wrong with it; the problems are kept."""
    from engine.docker import load

    if node.value is True:
        return load.Plan()
    try:
        return load.read(node.value, lambda path: node.doc.where((*node.path, *path)))
    except InputError as error:
        for one in error.problems:
            node.problems.add(one.where, one.said)
    return None
