"""Which program answers: a process names its program, a program is one function from a Delivery to an Answer.

Rules. One file a program; it registers itself here by name and module, so that it is loaded when first asked.
A process whose program is not in the register holds its port and says nothing, as a real one might.
"""

from __future__ import annotations

from importlib import import_module

from engine.l7.behaviour import Behaviour
from engine.linux.exchange import Answer, Delivery
from engine.linux.rows import Box

#: program name -> module with `answer(delivery) -> Answer`
PROGRAMS = {
    "http": "engine.l7.http",
    "echo": "engine.l7.echo",
    "sink": "engine.l7.sink",
    "docker-proxy": "engine.l7.docker_proxy",
    "dockerd": "engine.l7.docker_dns",
    "kubectl-forward": "engine.l7.port_forward",
    "coredns": "engine.l7.dns.server",
    "nameserver": "engine.l7.nameserver",
    "kube-proxy": "engine.l7.kube_proxy",
    "kubelet": "engine.l7.kubelet",
}
#: programs whose start depends on files: program -> module with `start(box, behaviour, settings, listens)`
STARTS = {"coredns": "engine.l7.dns.server"}

#: (proto, port, address; 0 = any) of each socket
Listens = tuple[tuple[str, int, int], ...]


def started(
    box: Box, what: Behaviour, settings: tuple[tuple[str, str], ...], listens: Listens
) -> tuple[Behaviour, Listens]:
    """What a program really does when it starts with these settings on a machine, and the sockets that it opens.
    Raises NotModelled."""
    module = STARTS.get(what.program)
    if module is None:
        return what, listens
    found: tuple[Behaviour, Listens] = import_module(module).start(box, what, settings, listens)
    return found


#: programs that do something as soon as they have accepted a connection; the others wait for the first byte
ON_ACCEPT = frozenset({"kube-proxy"})


def serve(delivery: Delivery) -> Answer:
    """Ask the program of the process that owns the socket."""
    if delivery.proc is None:
        return Answer()
    if delivery.request is None and delivery.proc.program not in ON_ACCEPT:
        return Answer()
    module = PROGRAMS.get(delivery.proc.program)
    if module is None:
        return Answer()
    answer: Answer = import_module(module).answer(delivery)
    return answer
