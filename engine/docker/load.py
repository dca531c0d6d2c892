"""A machine's docker from a lab file: the key `hosts[].docker`.

    docker:
      userlandProxy: true          # daemon.json's "userland-proxy"; default true
      airGapped: false             # no registry is reached
      images: [nginx, busybox]     # what is there at the start; images of `containers` are always there
      networks:
        - {name: shop, subnet: 172.30.0.0/24, gateway: 172.30.0.1, internal: false, options: {}}
      containers:
        - {name: web, image: nginx, network: shop, publish: ["8080:80"], command: [...], env: {K: v}, ...}

Rules. `read` finds every problem of the mapping at once and names it by its path; nothing is built before. `run`
builds; what dockerd itself refuses then is a problem of the same places. The keys of a container are those of
CONTAINER_KEYS; what `docker run` has beyond them a lab can do by commands.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Mapping, Sequence
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
from engine.record import dataclass
from engine.say import Phrase, Said, plain

DOCKER_KEYS = ("containers", "networks", "images", "airGapped", "userlandProxy")
NETWORK_KEYS = ("name", "driver", "subnet", "gateway", "ipRange", "internal", "options")
CONTAINER_KEYS = (
    "name", "image", "network", "ip", "mac", "publish", "publishAll", "expose", "command", "entrypoint", "env",
    "hostname", "user", "restart", "addHosts", "dns", "aliases", "capAdd", "privileged", "tty", "started",
)  # fmt: skip
NETWORK_WORDS = ("bridge", "host", "none", "default")

BAD_KEY = Phrase(
    en="{found!r} is not a key here{guess}; the keys are {accepted}",
    ko="{found!r}은(는) 여기에 없는 키입니다{guess}. 쓸 수 있는 키: {accepted}",
)
GUESS = Phrase(en=" (did you mean {word!r}?)", ko=" ({word!r}을(를) 뜻했습니까?)")
BAD_PUBLISH = Phrase(
    en="found {found!r}, accepted: a published port as docker writes it, as in 8080:80 or 127.0.0.1:8080:80/tcp",
    ko="{found!r}이(가) 있습니다. 쓸 수 있는 것: 8080:80, 127.0.0.1:8080:80/tcp처럼 docker가 쓰는 공개 포트",
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


Path = tuple["str | int", ...]
#: a path below the mapping -> the place that a person reads
Place = Callable[[Path], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a daemon holds when the lab opens, checked. A network or a container comes with its place in the file; a
    container also with whether it is started."""

    air_gapped: bool = False
    userland_proxy: bool = True
    images: tuple[str, ...] = ()
    networks: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    containers: tuple[tuple[str, Spec, bool], ...] = ()


class _Reader:
    """Takes values out of a mapping at a path and collects what is wrong with them."""

    def __init__(self, path: Path, place: Place, problems: list[Problem]) -> None:
        self.path = path
        self.place = place
        self.problems = problems

    @property
    def where(self) -> str:
        return self.place(self.path)

    def wrong(self, said: Said, *below: str | int) -> None:
        self.problems.append(Problem(where=self.place((*self.path, *below)), said=said))

    def at(self, *below: str | int) -> _Reader:
        return _Reader((*self.path, *below), self.place, self.problems)

    def keys(self, found: Mapping[str, Any], known: Sequence[str]) -> None:
        for key in found:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, n=1)
                guess = GUESS(word=close[0]) if close else plain("")
                self.wrong(BAD_KEY(found=str(key), guess=guess, accepted=", ".join(known)), str(key))

    def text(self, found: Mapping[str, Any], key: str, default: str = "") -> str:
        value = found.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            self.wrong(BAD_TYPE(found=type(value).__name__, wanted=A_TEXT()), key)
            return default
        return value

    def flag(self, found: Mapping[str, Any], key: str, default: bool = False) -> bool:
        value = found.get(key, default)
        if not isinstance(value, bool):
            self.wrong(BAD_TYPE(found=type(value).__name__, wanted=TRUE_OR_FALSE()), key)
            return default
        return value

    def words(self, found: Mapping[str, Any], key: str) -> tuple[str, ...]:
        """A list of texts, or one text that is split as a shell splits it."""
        value = found.get(key, [])
        if isinstance(value, str):
            try:
                return tuple(shlex.split(value))
            except ValueError as error:
                self.wrong(plain(str(error)), key)
                return ()
        if not isinstance(value, list) or not all(isinstance(v, str | int) for v in value):
            self.wrong(BAD_TYPE(found=type(value).__name__, wanted=A_LIST()), key)
            return ()
        return tuple(str(v) for v in value)

    def pairs(self, found: Mapping[str, Any], key: str) -> tuple[tuple[str, str], ...]:
        value = found.get(key, {})
        if not isinstance(value, Mapping):
            self.wrong(BAD_TYPE(found=type(value).__name__, wanted=A_MAPPING()), key)
            return ()
        return tuple((str(k), _scalar(v)) for k, v in value.items())

    def rows(self, found: Mapping[str, Any], key: str) -> list[tuple[_Reader, Mapping[str, Any]]]:
        """The mappings of a list with the readers of their places."""
        value = found.get(key, [])
        if not isinstance(value, list):
            self.wrong(BAD_TYPE(found=type(value).__name__, wanted=A_LIST()), key)
            return []
        out = []
        for number, row in enumerate(value):
            if isinstance(row, Mapping):
                out.append((self.at(key, number), row))
            else:
                self.wrong(BAD_TYPE(found=type(row).__name__, wanted=A_MAPPING()), key, number)
        return out


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def below(where: str) -> Place:
    """Places of a mapping at `where`: `docker.containers[0].image`."""
    return lambda path: where + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)


def start(
    changes: Changes, machine: str, spec: Mapping[str, Any] | None, *, where: str = "docker"
) -> Dockerd:
    """A running daemon on `machine` with the networks, images and containers of `spec`. `where` is the mapping's path
    in the lab file. Raises InputError with every problem, before anything is changed where that can be told."""
    return run(changes, machine, read({} if spec is None else spec, below(where)))


def read(found: Any, place: Place) -> Plan:
    """The mapping, checked. Raises InputError with every problem at its place."""
    problems: list[Problem] = []
    reader = _Reader((), place, problems)
    if not isinstance(found, Mapping):
        reader.wrong(BAD_TYPE(found=type(found).__name__, wanted=A_MAPPING()))
        raise InputError(problems)
    reader.keys(found, DOCKER_KEYS)
    images_ = reader.words(found, "images")
    for number, name in enumerate(images_):
        _image(reader, name, "images", number)
    networks = [_network(at, row) for at, row in reader.rows(found, "networks")]
    known = {*NETWORK_WORDS, *(str(n["name"]) for _, n in networks)}
    containers: list[tuple[str, Spec, bool]] = []
    for at, row in reader.rows(found, "containers"):
        containers.append((at.where, *_container(at, row, known, {s.name for _, s, _ in containers})))
    plan = Plan(
        air_gapped=reader.flag(found, "airGapped"),
        userland_proxy=reader.flag(found, "userlandProxy", True),
        images=images_,
        networks=tuple(networks),
        containers=tuple(containers),
    )
    if problems:
        raise InputError(problems)
    return plan


def run(changes: Changes, machine: str, plan: Plan) -> Dockerd:
    """Start dockerd and make what the plan says, in order. Raises InputError with all that dockerd refuses."""
    daemon = Dockerd(machine)
    daemon.userland_proxy = plan.userland_proxy
    daemon.start_daemon(changes)
    for name in (*plan.images, *(s.image for _, s, _ in plan.containers)):
        images.put(daemon, name)
    daemon.airgapped = plan.air_gapped
    problems: list[Problem] = []
    for where, network in plan.networks:
        _guarded(problems, where, lambda n=network: daemon.create_network(changes, **n))
    for where, spec, started in plan.containers:
        act = daemon.run if started else daemon.create
        _guarded(problems, where, lambda s=spec, act=act: act(changes, s))
    if problems:
        raise InputError(problems)
    return daemon


def _guarded(problems: list[Problem], where: str, act: Any) -> None:
    """What dockerd refuses, and what is not modelled, is a problem of this place in the file."""
    try:
        act()
    except (DockerError, NotModelled) as error:
        problems.append(Problem(where=where, said=error.said))


def _image(reader: _Reader, name: str, *below: str | int) -> None:
    try:
        if find(name) is None:
            reader.wrong(NO_IMAGE(found=name), *below)
    except ReferenceError_ as error:
        reader.wrong(error.said, *below)


def _network(reader: _Reader, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    reader.keys(row, NETWORK_KEYS)
    name = reader.text(row, "name")
    if not name:
        reader.wrong(NEEDED(wanted=A_TEXT()), "name")
    return reader.where, {
        "name": name,
        "driver": reader.text(row, "driver", "bridge"),
        "subnet": reader.text(row, "subnet"),
        "gateway": reader.text(row, "gateway"),
        "ip_range": reader.text(row, "ipRange"),
        "internal": reader.flag(row, "internal"),
        "options": dict(reader.pairs(row, "options")),
    }


def _container(
    reader: _Reader, row: Mapping[str, Any], networks: set[str], others: set[str]
) -> tuple[Spec, bool]:
    reader.keys(row, CONTAINER_KEYS)
    image, name = reader.text(row, "image"), reader.text(row, "name")
    if not image:
        reader.wrong(NEEDED(wanted=A_TEXT()), "image")
    else:
        _image(reader, image, "image")
    if name in others and name:
        reader.wrong(SAME_NAME(found=name), "name")
    network = reader.text(row, "network", "bridge")
    kind, _, other = network.partition(":")
    if kind == "container":
        if other not in others:
            reader.wrong(NO_CONTAINER(found=other), "network")
    elif network not in networks:
        reader.wrong(NO_NETWORK(found=network, accepted=", ".join(sorted(networks))), "network")
    publish: list[Publish] = []
    for number, text in enumerate(reader.words(row, "publish")):
        try:
            publish.append(parse_publish(text))
        except NotModelled as error:
            reader.wrong(error.said, "publish", number)
        except (BadOption, EngineError):
            reader.wrong(BAD_PUBLISH(found=text), "publish", number)
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
        reader.wrong(error.said, key)
        return 0


def _expose(reader: _Reader, row: Mapping[str, Any]) -> tuple[tuple[int, str], ...]:
    out = []
    for number, text in enumerate(reader.words(row, "expose")):
        try:
            one = parse_publish(text)
            out.append((one.port, one.proto))
        except EngineError:
            reader.wrong(BAD_PUBLISH(found=text), "expose", number)
    return tuple(out)
