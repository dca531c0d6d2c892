"""Names of images, the catalogue, and what command lines do inside images."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError, NotModelled
from engine.l7.behave import FOREVER, behave, command_line
from engine.l7.catalogue import IMAGES
from engine.l7.images import ReferenceError_, digest, familiar, find, layers, normal, parse, size, tools_of


@pytest.mark.parametrize(
    ("text", "full", "short"),
    [
        ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("nginx:1.29", "docker.io/library/nginx:1.29", "nginx:1.29"),
        ("docker.io/library/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("traefik/whoami", "docker.io/traefik/whoami:latest", "traefik/whoami:latest"),
        ("registry.k8s.io/pause:3.10.1", "registry.k8s.io/pause:3.10.1", "registry.k8s.io/pause:3.10.1"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest", "localhost:5000/a/b:latest"),
        ("localhost/a", "localhost/a:latest", "localhost/a:latest"),
        (
            f"nginx@sha256:{'a' * 64}",
            f"docker.io/library/nginx@sha256:{'a' * 64}",
            f"nginx@sha256:{'a' * 64}",
        ),
    ],
)
def test_names_have_a_full_and_a_short_form(text: str, full: str, short: str) -> None:
    assert (normal(text), familiar(text)) == (full, short)
    assert parse(full) == parse(text)


@pytest.mark.parametrize(
    "text", ["", "Nginx", "a//b", "a:", "a b", ":x", "nginx:-x", "nginx@sha256:12", "-a", "a/B:c"]
)
def test_what_cannot_be_a_name_is_refused(text: str) -> None:
    with pytest.raises(ReferenceError_) as caught:
        parse(text)
    assert caught.value.tool_text.startswith("invalid reference format")


@given(st.text(max_size=30))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        ref = parse(text)
    except ReferenceError_:
        return
    assert parse(ref.normal) == ref == parse(ref.familiar)


def test_tags_exist_or_not() -> None:
    assert find("nginx:1.27.3-alpine") is not find("nginx:1.27.3")
    assert find("nginx:alpine") is not None and find("nginx:nope") is None
    assert find("registry.k8s.io/pause:3.10.1") is not None and find("registry.k8s.io/pause:4") is None
    assert find("nobody/none") is None


def test_ids_and_sizes_are_always_the_same_and_layers_are_shared() -> None:
    assert digest("nginx") == digest("docker.io/library/nginx:latest") != digest("nginx:1.29")
    assert layers("nginx:1.28")[:-1] == layers("nginx:1.29")[:-1]
    assert layers("nginx")[0] == layers("httpd")[0] != layers("nginx:alpine")[0]
    assert size("nginx") > size("nginx:alpine") > size("registry.k8s.io/pause:3.10") > 0
    assert size("nobody/none") == 0


def test_tools_are_those_of_the_image() -> None:
    assert "curl" in tools_of("nginx") and "ip" not in tools_of("nginx")
    assert "ip" in tools_of("busybox") and "curl" not in tools_of("busybox")
    assert {"tcpdump", "iptables", "curl", "ss"} <= tools_of("nicolaka/netshoot")
    assert not tools_of("registry.k8s.io/pause:3.10")
    assert "sh" in tools_of("my.registry/own/app:1")


@pytest.mark.parametrize("image", IMAGES, ids=lambda i: i.repository.rsplit("/", 1)[-1])
def test_every_image_starts_as_it_is(image: object) -> None:
    from engine.l7.images import Image

    assert isinstance(image, Image)
    if (
        not (image.entrypoint or image.cmd)
        or "/kube-" in image.repository
        or image.repository.endswith("/etcd")
    ):
        return
    env = {"POSTGRES_PASSWORD": "x", "MYSQL_ROOT_PASSWORD": "x"}
    tag = next(
        t
        for t in (
            image.version,
            "latest",
            "alpine",
            "1.28",
            "1.37-1",
            "1.3",
            "stable-alpine",
            "slim",
            "2.57",
            "1.15-1",
        )
        if image.has_tag(t)
    )
    name = f"{image.repository}:{tag}"
    does = behave(name, command_line(image, (), ()), env=env, tty=True)
    assert not does.missing
    ports = {int(p.split("/")[0]) for p in image.ports}
    if ports and find(name) is image:
        assert {n for _, n in does.listens} & ports, does


@pytest.mark.parametrize(
    ("image", "argv", "listens", "seconds"),
    [
        ("busybox", ["sleep", "infinity"], (), FOREVER),
        ("busybox", ["sleep", "1m", "5"], (), 65.0),
        ("busybox", ["sh", "-c", "while true; do sleep 5; done"], (), FOREVER),
        ("busybox", ["sh", "-c", "sleep 3; exit 2"], (), 3.0),
        ("busybox", ["sh", "-c", "while true; do nc -l -p 8080; done"], (("tcp", 8080),), FOREVER),
        ("busybox", ["sh", "-c", "while true; do echo -e 'HTTP/1.1 200 OK\\n\\nhi' | nc -l -p 80; done"],
         (("tcp", 80),), FOREVER),
        ("busybox", ["httpd", "-f", "-p", "8081"], (("tcp", 8081),), FOREVER),
        ("busybox", ["nc", "-lk", "-p", "9000"], (("tcp", 9000),), FOREVER),
        ("busybox", ["tail", "-f", "/dev/null"], (), FOREVER),
        ("hashicorp/http-echo", ["/http-echo", "-text=hi", "-listen=:80"], (("tcp", 80),), FOREVER),
        ("traefik/whoami", ["/whoami", "--port", "8080"], (("tcp", 8080),), FOREVER),
        ("registry.k8s.io/e2e-test-images/agnhost:2.57", ["/agnhost", "netexec", "--http-port=80"],
         (("tcp", 80), ("udp", 8081)), FOREVER),
        ("python:3", ["python3", "-m", "http.server", "9000"], (("tcp", 9000),), FOREVER),
        ("redis", ["docker-entrypoint.sh", "redis-server", "--port", "7000"], (("tcp", 7000),), FOREVER),
        ("my/own", ["/app", "--whatever"], (), FOREVER),
    ],
)  # fmt: skip
def test_command_lines(
    image: str, argv: list[str], listens: tuple[tuple[str, int], ...], seconds: float
) -> None:
    does = behave(image, argv)
    assert (does.listens, does.seconds) == (listens, seconds)


def test_a_loop_around_netcat_answers_http() -> None:
    does = behave(
        "busybox", ["sh", "-c", r"while true; do echo -e 'HTTP/1.1 503 No\n\nhi\n' | nc -l -p 80; done"]
    )
    assert (
        does.program == "http"
        and dict(does.config)["text"] == "hi\n"
        and dict(does.config)["status"] == "503"
    )


def test_unknown_images_listen_on_what_their_user_declared() -> None:
    does = behave("my/own", ["/app"], ports=[("tcp", 8080), ("udp", 53)])
    assert does.listens == (("tcp", 8080), ("udp", 53))


@pytest.mark.parametrize(
    ("image", "argv"),
    [("nginx", ["nginx", "-T"]), ("traefik/whoami", ["/whoami", "--cert", "x"]), ("python:3", ["python3", "app.py"]),
     ("busybox", ["sh", "-c", "while true; do wget http://web; sleep 1; done"]),
     ("busybox", ["nc", "-l", "-e", "sh", "80"]),
     ("hashicorp/http-echo", ["/http-echo", "-listen=nonsense"])],
)  # fmt: skip
def test_flags_that_are_not_understood_stop(image: str, argv: list[str]) -> None:
    with pytest.raises(NotModelled):
        behave(image, argv)


@given(
    st.sampled_from(["busybox", "nginx", "redis", "python:3", "my/own"]),
    st.lists(st.text(max_size=12), max_size=4),
)
def test_any_command_line_does_something_or_is_refused(image: str, argv: list[str]) -> None:
    try:
        behave(image, argv)
        behave(image, ["sh", "-c", *argv])
    except EngineError:
        return
