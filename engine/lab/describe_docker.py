"""The `docker` key of a host: what its daemon holds when the lab opens.

Rules. As describe.py: keys and defaults here, nothing is built. docs/formats.md says the same in prose.
"""

from __future__ import annotations

from engine.lab.reader import Node, pairs, texts
from engine.record import dataclass
from engine.say import Phrase

A_PUBLISH = Phrase(
    en="a published port as docker writes it, as in 8080:80 or 127.0.0.1:8080:80/tcp",
    ko="8080:80, 127.0.0.1:8080:80/tcp처럼 docker가 쓰는 공개 포트",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerNetwork:
    """`docker network create`; `subnet` "": docker chooses."""

    name: str
    subnet: str = ""
    internal: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerContainer:
    """`docker run -d`. `network` is a network's name, host, none or container:NAME."""

    name: str
    image: str
    network: str = "bridge"
    publish: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSpec:
    """What a machine's docker daemon holds when the lab opens. `images` are pulled beforehand."""

    air_gapped: bool = False
    userland_proxy: bool = True
    images: tuple[str, ...] = ()
    networks: tuple[DockerNetwork, ...] = ()
    containers: tuple[DockerContainer, ...] = ()


def read_docker(node: Node) -> DockerSpec:
    if node.value is True:
        return DockerSpec()
    f = node.fields("airGapped", "userlandProxy", "images", "networks", "containers")
    networks = tuple(x for x in (_docker_network(n) for n in f.items("networks")) if x is not None)
    containers = tuple(x for x in (_docker_container(n) for n in f.items("containers")) if x is not None)
    return DockerSpec(
        air_gapped=f.truth("airGapped"),
        userland_proxy=f.truth("userlandProxy", True),
        images=texts(f, "images"),
        networks=networks,
        containers=containers,
    )


def _docker_network(node: Node) -> DockerNetwork | None:
    f = node.fields("name", "subnet", "internal")
    name = (n := f.need("name")) and n.text()
    subnet = f.get("subnet", lambda n: n.prefix(bare=False), None)
    spec = DockerNetwork(
        name=name or "",
        subnet=str(subnet) if subnet is not None else "",
        internal=f.truth("internal"),
        where=node.where,
    )
    return spec if name else None


def _docker_container(node: Node) -> DockerContainer | None:
    f = node.fields("name", "image", "network", "publish", "command", "env")
    name = (n := f.need("name")) and n.text()
    image = (n := f.need("image")) and n.text()
    env = tuple((k, v) for k, n in pairs(f, "env") if (v := n.text(empty=True)) is not None)
    publish = tuple(p for p in (_publish(n) for n in f.items("publish")) if p)
    spec = DockerContainer(
        name=name or "",
        image=image or "",
        network=f.text("network", "bridge"),
        publish=publish,
        command=texts(f, "command"),
        env=env,
        where=node.where,
    )
    return spec if name and image else None


def _publish(node: Node) -> str | None:
    value = node.value
    if isinstance(value, str):
        head, _, proto = value.partition("/")
        ports = head.split(":")
        if proto in ("", "tcp", "udp") and len(ports) <= 3 and all(p.isdigit() for p in ports[-2:] if p):
            return value
    node.expected(A_PUBLISH())
    return None
