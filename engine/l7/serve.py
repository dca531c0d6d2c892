"""Which program answers: a process names its program, a program is one function from a Delivery to an Answer.

Rules. One file a program; it registers itself here by name and module, so that it is loaded when first asked.
A process whose program is not in the register holds its port and says nothing, as a real one might.
"""

from __future__ import annotations

from importlib import import_module

from engine.linux.exchange import Answer, Delivery

#: program name -> module with `answer(delivery) -> Answer`
PROGRAMS = {
    "http": "engine.l7.http",
    "echo": "engine.l7.echo",
    "sink": "engine.l7.sink",
    "docker-proxy": "engine.l7.docker_proxy",
    "dockerd": "engine.l7.docker_dns",
    "coredns": "engine.l7.dns.server",
    "nameserver": "engine.l7.nameserver",
    "kube-proxy": "engine.l7.kube_proxy",
}


def serve(delivery: Delivery) -> Answer:
    """Ask the program of the process that owns the socket."""
    if delivery.proc is None:
        return Answer()
    module = PROGRAMS.get(delivery.proc.program)
    if module is None:
        return Answer()
    answer: Answer = import_module(module).answer(delivery)
    return answer
