"""Docker from a lab file: what it builds, and what it says about what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import InputError
from tests.docker.lab import Lab


def test_what_is_asked_for_is_there() -> None:
    lab = Lab(
        {
            "images": ["redis:8"],
            "networks": [{"name": "shop", "subnet": "10.9.0.0/24"}],
            "containers": [
                {
                    "name": "web",
                    "image": "nginx",
                    "publish": ["8080:80"],
                    "network": "shop",
                    "ip": "10.9.0.7",
                },
                {"name": "job", "image": "busybox", "command": "sh -c 'echo done'"},
                {"name": "later", "image": "nginx", "started": False, "env": {"A": 1}},
            ],
        }
    )
    names = {c.name: c.status for c in lab.daemon.containers.values()}
    assert names == {"web": "running", "job": "exited", "later": "created"}
    assert lab.address("web") == "10.9.0.7"
    assert set(lab.daemon.images) == {
        f"docker.io/library/{n}" for n in ("redis:8", "nginx:latest", "busybox:latest")
    }


@pytest.mark.parametrize(
    ("spec", "where", "words"),
    [
        ({"contaners": []}, "docker.contaners", "not a key"),
        ({"airGapped": "yes"}, "docker.airGapped", "true or false"),
        ({"images": ["nobody/none"]}, "docker.images[0]", "no registry"),
        ({"images": "a'b"}, "docker.images", "quotation"),
        ({"networks": [{}]}, "docker.networks[0].name", "needed"),
        ({"networks": ["x"]}, "docker.networks[0]", "mapping"),
        ({"networks": [{"name": "nn", "subnet": "10.9.0.1/24"}]}, "docker.networks[0]", "10.9.0.0/24"),
        ({"networks": [{"name": "nn", "driver": "macvlan"}]}, "docker.networks[0]", "not modelled"),
        ({"containers": [{"name": "web"}]}, "docker.containers[0].image", "needed"),
        (
            {"containers": [{"image": "nginx", "publish": ["a:b"]}]},
            "docker.containers[0].publish[0]",
            "published port",
        ),
        (
            {"containers": [{"image": "nginx", "network": "shop"}]},
            "docker.containers[0].network",
            "no network",
        ),
        (
            {"containers": [{"image": "nginx", "network": "container:x"}]},
            "docker.containers[0].network",
            "no container",
        ),
        ({"containers": [{"image": "nginx", "ip": "1.2.3"}]}, "docker.containers[0].ip", "IPv4"),
        ({"containers": [{"image": "nginx", "mac": "zz"}]}, "docker.containers[0].mac", "MAC"),
        (
            {"containers": [{"image": "nginx", "ip": "172.17.0.9"}]},
            "docker.containers[0]",
            "user-defined networks only",
        ),
        ({"containers": 3}, "docker.containers", "list"),
        (
            {"containers": [{"image": "nginx", "name": "web"}, {"image": "nginx", "name": "web"}]},
            "docker.containers[1].name",
            "there already",
        ),
        (
            {
                "containers": [
                    {"image": "nginx", "publish": ["80:80"]},
                    {"image": "nginx", "publish": ["80:80"]},
                ]
            },
            "docker.containers[1]",
            "port is already allocated",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(spec: dict[str, Any], where: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        Lab(spec)
    assert caught.value.problems[0].where == where
    assert words in caught.value.problems[0].text("en")


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Lab({"x": 1, "images": ["nobody/none"], "containers": [{"name": "web", "tty": "no"}]})
    assert [p.where for p in caught.value.problems] == [
        "docker.x", "docker.images[0]", "docker.containers[0].image", "docker.containers[0].tty",
    ]  # fmt: skip
