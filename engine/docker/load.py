"""A machine's docker from a lab file: the key `hosts[].docker` (or `nodes[].docker`).

    docker:
      userlandProxy: true          # daemon.json's "userland-proxy"; default true
      airgapped: false             # no registry is reached
      images: [nginx, busybox]     # what is there at the start; images of `containers` are always there
      networks:
        - {name: shop, subnet: 172.30.0.0/24, gateway: 172.30.0.1, internal: false, options: {}}
      containers:
        - {name: web, image: nginx, network: shop, publish: ["8080:80"], command: [...], env: {K: v}, ...}

Rules. Every problem of the mapping is found at once and named by its path; nothing is built before. The keys of a
container are those of CONTAINER_KEYS; what `docker run` has beyond them a lab can do by commands.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from engine.docker import images
from engine.docker.daemon import Dockerd
from engine.docker.errors import DockerError
from engine.docker.options import BadOption, parse_mac, parse_publish
from engine.docker.records import Publish, Spec
from engine.errors import EngineError, InputError, NotModelled, Problem
from engine.l7.images import ReferenceError_, find
from engine.linux.addr import ip4
from engine.linux.ops import Changes
from engine.say import Phrase, Said, plain

DOCKER_KEYS = ("containers", "networks", "images", "airgapped", "userlandProxy")
NETWORK_KEYS = ("name", "driver", "subnet", "gateway", "ipRange", "internal", "options")
CONTAINER_KEYS = (
    "name", "image", "network", "ip", "mac", "publish", "publishAll", "expose", "command", "entrypoint", "env",
    "hostname", "user", "restart", "addHosts", "dns", "aliases", "capAdd", "privileged", "tty", "started",
)  # fmt: skip
NETWORK_WORDS = ("bridge", "host", "none", "default")

BAD_KEY = Phrase(
    en="{found!r} is not a key here; the keys are {accepted}",
    ko="{found!r}은(는) 여기에 없는 키입니다. 쓸 수 있는 키: {accepted}",
)
BAD_TYPE = Phrase(en="found {found}; write {wanted}", ko="{found}이(가) 있습니다. {wanted}을(를) 적으십시오")
NEEDED = Phrase(
    en="this key is needed; write {wanted}", ko="꼭 있어야 하는 키입니다. {wanted}을(를) 적으십시오"
)
NO_IMAGE = Phrase(
    en="no registry of the lab has the image {found!r}; engine/l7/catalogue.py lists those that exist",
    ko="이 실습의 레지스트리에는 {found!r} 이미지가 없습니다. engine/l7/catalogue.py에 있는 이미지를 쓰십시오",
)
NO_NETWORK = Phrase(
    en="there is no network {found!r}; the networks are {accepted}",
    ko="{found!r} 네트워크가 없습니다. 있는 네트워크: {accepted}",
)
NO_CONTAINER = Phrase(
    en="there is no container {found!r} above this one in the list",
    ko="목록에서 이보다 앞에 {found!r} 컨테이너가 없습니다",
)
SAME_NAME = Phrase(
    en="{found!r} is there already; give it another name",
    ko="{found!r}은(는) 이미 있습니다. 다른 이름을 주십시오",
)
A_LIST = Phrase(en="a list", ko="목록")
A_MAPPING = Phrase(en="a mapping", ko="키와 값의 묶음")
A_TEXT = Phrase(en="a text", ko="글자열")
TRUE_OR_FALSE = Phrase(en="true or false", ko="true 또는 false")


class _Reader:
    """Takes values out of a mapping and collects what is wrong with them."""

    def __init__(self, where: str, problems: list[Problem]) -> None:
        self.where = where
        self.problems = problems

    def wrong(self, path: str, said: Said) -> None:
        self.problems.append(Problem(where=f"{self.where}{path}", said=said))

    def keys(self, found: Mapping[str, Any], known: Sequence[str]) -> None:
        for key in found:
            if key not in known:
                self.wrong(f".{key}", BAD_KEY(found=str(key), accepted=", ".join(known)))

    def text(self, found: Mapping[str, Any], key: str, default: str = "") -> str:
        value = found.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            self.wrong(f".{key}", BAD_TYPE(found=type(value).__name__, wanted=A_TEXT()))
            return default
        return value

    def flag(self, found: Mapping[str, Any], key: str, default: bool = False) -> bool:
        value = found.get(key, default)
        if not isinstance(value, bool):
            self.wrong(f".{key}", BAD_TYPE(found=type(value).__name__, wanted=TRUE_OR_FALSE()))
            return default
        return value

    def words(self, found: Mapping[str, Any], key: str) -> tuple[str, ...]:
        """A list of texts, or one text that is split as a shell splits it."""
        value = found.get(key, [])
        if isinstance(value, str):
            try:
                return tuple(shlex.split(value))
            except ValueError as error:
                self.wrong(f".{key}", plain(str(error)))
                return ()
        if not isinstance(value, list) or not all(isinstance(v, str | int) for v in value):
            self.wrong(f".{key}", BAD_TYPE(found=type(value).__name__, wanted=A_LIST()))
            return ()
        return tuple(str(v) for v in value)

    def pairs(self, found: Mapping[str, Any], key: str) -> tuple[tuple[str, str], ...]:
        value = found.get(key, {})
        if not isinstance(value, Mapping):
            self.wrong(f".{key}", BAD_TYPE(found=type(value).__name__, wanted=A_MAPPING()))
            return ()
        return tuple((str(k), _scalar(v)) for k, v in value.items())

    def rows(self, found: Mapping[str, Any], key: str) -> list[tuple[str, Mapping[str, Any]]]:
        """The mappings of a list with their paths."""
        value = found.get(key, [])
        if not isinstance(value, list):
            self.wrong(f".{key}", BAD_TYPE(found=type(value).__name__, wanted=A_LIST()))
            return []
        out = []
        for number, row in enumerate(value):
            if isinstance(row, Mapping):
                out.append((f"{self.where}.{key}[{number}]", row))
            else:
                self.wrong(f".{key}[{number}]", BAD_TYPE(found=type(row).__name__, wanted=A_MAPPING()))
        return out


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def start(
    changes: Changes, machine: str, spec: Mapping[str, Any] | None, *, where: str = "docker"
) -> Dockerd:
    """A running daemon on `machine` with the networks, images and containers of `spec`. `where` is the mapping's path
    in the lab file. Raises InputError with every problem, before anything is changed where that can be told."""
    problems: list[Problem] = []
    reader = _Reader(where, problems)
    if spec is not None and not isinstance(spec, Mapping):
        raise InputError([Problem(where=where, said=BAD_TYPE(found=type(spec).__name__, wanted=A_MAPPING()))])
    found: Mapping[str, Any] = spec or {}
    reader.keys(found, DOCKER_KEYS)
    daemon = Dockerd(machine)
    daemon.userland_proxy = reader.flag(found, "userlandProxy", True)
    airgapped = reader.flag(found, "airgapped")
    names = reader.words(found, "images")
    for number, name in enumerate(names):
        _image(reader, name, f".images[{number}]")
    networks = [_network(path, row, problems) for path, row in reader.rows(found, "networks")]
    known = {*NETWORK_WORDS, *(str(n["name"]) for _, n in networks)}
    containers: list[tuple[str, Spec, bool]] = []
    for path, row in reader.rows(found, "containers"):
        containers.append((path, *_container(path, row, known, {s.name for _, s, _ in containers}, problems)))
    if problems:
        raise InputError(problems)
    daemon.start_daemon(changes)
    for name in (*names, *(s.image for _, s, _ in containers)):
        images.put(daemon, name)
    daemon.airgapped = airgapped
    for path, network in networks:
        _guarded(path, lambda n=network: daemon.create_network(changes, **n))
    for path, one, started in containers:
        if started:
            _guarded(path, lambda s=one: daemon.run(changes, s))
        else:
            _guarded(path, lambda s=one: daemon.create(changes, s))
    return daemon


def _guarded(path: str, act: Any) -> None:
    """What dockerd refuses, and what is not modelled, is a problem of this place in the file."""
    try:
        act()
    except (DockerError, NotModelled) as error:
        raise InputError([Problem(where=path, said=error.said)]) from None


def _image(reader: _Reader, name: str, path: str) -> None:
    try:
        if find(name) is None:
            reader.wrong(path, NO_IMAGE(found=name))
    except ReferenceError_ as error:
        reader.wrong(path, error.said)


def _network(path: str, row: Mapping[str, Any], problems: list[Problem]) -> tuple[str, dict[str, Any]]:
    reader = _Reader(path, problems)
    reader.keys(row, NETWORK_KEYS)
    name = reader.text(row, "name")
    if not name:
        reader.wrong(".name", NEEDED(wanted=A_TEXT()))
    return path, {
        "name": name,
        "driver": reader.text(row, "driver", "bridge"),
        "subnet": reader.text(row, "subnet"),
        "gateway": reader.text(row, "gateway"),
        "ip_range": reader.text(row, "ipRange"),
        "internal": reader.flag(row, "internal"),
        "options": dict(reader.pairs(row, "options")),
    }


def _container(
    path: str, row: Mapping[str, Any], networks: set[str], others: set[str], problems: list[Problem]
) -> tuple[Spec, bool]:
    reader = _Reader(path, problems)
    reader.keys(row, CONTAINER_KEYS)
    image, name = reader.text(row, "image"), reader.text(row, "name")
    if not image:
        reader.wrong(".image", NEEDED(wanted=A_TEXT()))
    else:
        _image(reader, image, ".image")
    if name in others and name:
        reader.wrong(".name", SAME_NAME(found=name))
    network = reader.text(row, "network", "bridge")
    kind, _, other = network.partition(":")
    if kind == "container":
        if other not in others:
            reader.wrong(".network", NO_CONTAINER(found=other))
    elif network not in networks:
        reader.wrong(".network", NO_NETWORK(found=network, accepted=", ".join(sorted(networks))))
    publish: list[Publish] = []
    for number, text in enumerate(reader.words(row, "publish")):
        try:
            publish.append(parse_publish(text))
        except (BadOption, EngineError) as error:
            reader.wrong(f".publish[{number}]", error.said)
    entrypoint = reader.words(row, "entrypoint") if "entrypoint" in row else None
    spec = Spec(
        image=image, name=name, network="bridge" if network == "default" else network, publish=tuple(publish),
        command=reader.words(row, "command"), entrypoint=entrypoint, env=reader.pairs(row, "env"),
        hostname=reader.text(row, "hostname"), user=reader.text(row, "user"), restart=reader.text(row, "restart", "no"),
        add_hosts=reader.pairs(row, "addHosts"), dns=reader.words(row, "dns"), aliases=reader.words(row, "aliases"),
        cap_add=reader.words(row, "capAdd"), privileged=reader.flag(row, "privileged"), tty=reader.flag(row, "tty"),
        publish_all=reader.flag(row, "publishAll"), address=_number(reader, row, "ip"), mac=_number(reader, row, "mac"),
        expose=_expose(reader, row),
    )  # fmt: skip
    return spec, reader.flag(row, "started", True)


def _number(reader: _Reader, row: Mapping[str, Any], key: str) -> int:
    text = reader.text(row, key)
    if not text:
        return 0
    try:
        return ip4(text) if key == "ip" else parse_mac(text)
    except EngineError as error:
        reader.wrong(f".{key}", error.said)
        return 0


def _expose(reader: _Reader, row: Mapping[str, Any]) -> tuple[tuple[int, str], ...]:
    out = []
    for number, text in enumerate(reader.words(row, "expose")):
        try:
            one = parse_publish(text)
            out.append((one.port, one.proto))
        except EngineError as error:
            reader.wrong(f".expose[{number}]", error.said)
    return tuple(out)
