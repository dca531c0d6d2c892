"""The docker command: its layouts and words, as docker/cli 29 prints them, over a lab that really changes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from engine.docker import load
from engine.fabric.plan import Machine, build_fabric
from engine.linux.addr import Prefix
from engine.linux.net import Net
from engine.linux.ops import Changes
from engine.shell.shell import Result, Shell
from engine.shell.tools.docker_flags import table
from engine.shell.tools.docker_template import TemplateError, render
from engine.shell.world import World

SPEC = {
    "images": ["nginx", "busybox", "alpine", "nicolaka/netshoot"],
    "networks": [{"name": "shop"}],
    "containers": [{"name": "web", "image": "nginx", "publish": ["8080:80"]}],
}


@pytest.fixture
def shell() -> Iterator[Shell]:
    net = Net()
    changes = Changes(net)
    machines = [
        Machine(name=name, role="host", addresses=(Prefix.parse(text, host_bits=True),))
        for name, text in (("dock", "192.168.10.11/24"), ("laptop", "192.168.10.21/24"))
    ]
    build_fabric(changes, machines)
    world = World(net)
    world.dockers["dock"] = load.start(changes, "dock", SPEC)
    yield Shell(world, "host/dock")


def ok(shell: Shell, line: str) -> str:
    got = shell.run(line)
    assert got.code == 0, got
    return got.stdout


def bad(shell: Shell, line: str) -> Result:
    got = shell.run(line)
    assert got.code != 0, got
    return got


def columns(text: str) -> list[list[str]]:
    return [re.split(r"\s{3,}", line.rstrip()) for line in text.splitlines()]


def test_ps_has_docker_s_columns(shell: Shell) -> None:
    rows = columns(ok(shell, "docker ps"))
    assert rows[0] == ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert rows[1][1:3] == ["nginx", '"/docker-entrypoint.…"']
    assert rows[1][5:] == ["0.0.0.0:8080->80/tcp", "web"]


def test_tables_are_aligned_like_docker_s_golden() -> None:
    header = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    row = ["container_id", "busybox:latest", '"top"', "About a minute ago", "Up 1 minute"]
    text = table(header, [[*row, "", "c1"], [*row, "8.8.8.8:82->82/tcp", "c5"]])
    assert text.splitlines() == [
        "CONTAINER ID   IMAGE            COMMAND   CREATED              STATUS        PORTS                NAMES",
        'container_id   busybox:latest   "top"     About a minute ago   Up 1 minute                        c1',
        'container_id   busybox:latest   "top"     About a minute ago   Up 1 minute   8.8.8.8:82->82/tcp   c5',
    ]


def test_run_prints_the_pull_on_stderr_and_the_id_on_stdout(shell: Shell) -> None:
    got = shell.run("docker run -d --name who traefik/whoami")
    assert got.code == 0 and re.fullmatch(r"[0-9a-f]{64}\n", got.stdout)
    lines = got.stderr.splitlines()
    assert lines[0] == "Unable to find image 'traefik/whoami:latest' locally"
    assert lines[1] == "latest: Pulling from traefik/whoami"
    assert all(line.endswith(": Pull complete") for line in lines[2:-2])
    assert lines[-2].startswith("Digest: sha256:")
    assert lines[-1] == "Status: Downloaded newer image for traefik/whoami:latest"
    assert got.chunks[0][0] == "err" and got.chunks[-1][0] == "out"


def test_a_command_runs_as_the_container_s_first_process(shell: Shell) -> None:
    assert "172.17.0.3/16" in ok(shell, "docker run --rm busybox ip addr show eth0")
    assert ok(shell, "docker run --rm busybox ps").splitlines()[1:] == ["    1 root      0:00 ps"]
    got = shell.run("docker run --rm busybox sh -c 'echo hi; exit 3'")
    assert (got.stdout, got.code) == ("hi\n", 3)
    assert "busybox" not in ok(shell, "docker ps -a")


def test_the_four_modes_look_as_they_should_from_inside(shell: Shell) -> None:
    def devices(mode: str) -> list[str]:
        text = ok(shell, f"docker run --rm --network {mode} busybox ip -br link")
        return [line.split()[0].partition("@")[0] for line in text.splitlines()]

    assert devices("none") == ["lo"]
    assert devices("bridge") == ["lo", "eth0"]
    assert devices("container:web") == ["lo", "eth0"]
    assert devices("host")[:3] == ["lo", "eth0", "docker0"]
    own = ok(shell, "docker run --rm --network container:web busybox ip -br addr show eth0")
    assert own == ok(shell, "docker run --rm --network container:web busybox ip -br addr show eth0")
    assert "172.17.0.2/16" in own


def test_entering_and_leaving_a_container(shell: Shell) -> None:
    assert ok(shell, "docker exec -it web sh") == ""
    assert shell.place == "container/dock/web"
    assert re.fullmatch(r"[0-9a-f]{12}\n", ok(shell, "hostname"))
    shell.run("exit")
    assert shell.place == "host/dock"
    assert "web" in ok(shell, "docker ps")


def test_leaving_the_shell_of_run_it_ends_the_container(shell: Shell) -> None:
    ok(shell, "docker run -it --name box alpine")
    assert shell.place == "container/dock/box"
    shell.run("exit 4")
    assert "Exited (4)" in ok(shell, "docker ps -a --filter name=box")


def test_errors_have_docker_s_words_and_codes(shell: Shell) -> None:
    tail = "\n\nRun 'docker run --help' for more information\n"
    for line, code, text in (
        ("docker run -d --name web nginx", 125, "Error response from daemon: Conflict. The container name"),
        ("docker run nobody/none", 125, "Error response from daemon: pull access denied for nobody/none"),
        ("docker run busybox curl", 127, 'exec: "curl": executable file not found in $PATH'),
        ("docker run --network nowhere busybox true", 125, "network nowhere not found"),
        ("docker run -p 80:x nginx", 125, "docker: invalid containerPort: x"),
        ("docker run --rm --restart always nginx", 125, "cannot specify both --restart and --rm"),
    ):
        got = bad(shell, line)
        assert got.code == code and text in got.stderr and got.stderr.endswith(tail), (line, got)
    got = bad(shell, "docker run -d -p 8080:80 nginx")
    assert got.stderr.endswith(f"Bind for 0.0.0.0:8080 failed: port is already allocated{tail}")
    assert re.fullmatch(r"[0-9a-f]{64}\n", got.stdout), "the id is printed although the start fails"
    for line, text in (
        (
            "docker rm web",
            'Error response from daemon: cannot remove container "web": container is running: stop the',
        ),
        ("docker exec nobody true", "Error response from daemon: No such container: nobody"),
        (
            "docker network rm bridge",
            "Error response from daemon: bridge is a pre-defined network and cannot",
        ),
        ("docker inspect nothing", "error: no such object: nothing"),
        ("docker frob", "docker: unknown command: docker frob\n\nRun 'docker --help' for more information"),
        (
            "docker run",
            "docker: 'docker run' requires at least 1 argument\n\nUsage:  docker run [OPTIONS] IMAGE",
        ),
        ("docker network ls x", "docker: 'docker network ls' accepts no arguments"),
    ):
        got = bad(shell, line)
        assert got.code == 1 and got.stderr.startswith(text), (line, got)
    got = bad(shell, "docker ps --wrong")
    assert got.code == 125 and got.stderr.startswith("unknown flag: --wrong\n\nUsage:  docker ps [OPTIONS]")
    assert bad(shell, "docker ps -Z").stderr.startswith("unknown shorthand flag: 'Z' in -Z")


@pytest.mark.parametrize(
    "line",
    ["docker run -v /a:/b nginx", "docker build .", "docker compose up", "docker logs -f web",
     "docker network create -d macvlan m", "docker run -p 8000-8010:80 nginx", "docker --help",
     "docker run --help", "docker ps --size", "docker run -d busybox ping 1.1.1.1"],
)  # fmt: skip
def test_what_is_real_but_not_modelled_is_refused_by_name(shell: Shell, line: str) -> None:
    got = bad(shell, line)
    assert got.code == 2 and "is not modelled here" in got.stderr


def test_inspect_answers_templates_and_json(shell: Shell) -> None:
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    assert ok(shell, f"docker inspect -f '{form}' web") == "172.17.0.2\n"
    ports = '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}'
    assert ok(shell, f"docker inspect --format '{ports}' web") == "8080\n"
    assert ok(shell, "docker inspect -f '{{json .Config.Cmd}}' web") == '["nginx","-g","daemon off;"]\n'
    assert (
        ok(shell, "docker network inspect bridge -f '{{(index .IPAM.Config 0).Gateway}}'") == "172.17.0.1\n"
    )
    got = bad(shell, "docker inspect -f '{{.NetworkSettings.IPAddress}}' web")
    assert got.stderr == (
        'template parsing error: template: :1:18: executing "" at <.NetworkSettings.IPAddress>: '
        'map has no entry for key "IPAddress"\n'
    )
    text = ok(shell, "docker inspect web")
    assert text.startswith('[\n    {\n        "Id": "') and text.endswith("    }\n]\n")


def test_port_logs_and_networks(shell: Shell) -> None:
    assert ok(shell, "docker port web") == "80/tcp -> 0.0.0.0:8080\n"
    assert ok(shell, "docker port web 80") == "0.0.0.0:8080\n"
    ok(shell, "curl -s -o /dev/null localhost:8080")
    last = ok(shell, "docker logs --tail 1 web")
    assert last.startswith("172.17.0.1 - - [21/Nov/2026:") and '"GET / HTTP/1.1" 200 615' in last
    names = [row[1] for row in columns(ok(shell, "docker network ls"))]
    assert names == ["NAME", "bridge", "host", "none", "shop"]
    id = ok(shell, "docker network create --subnet 10.9.0.0/24 deep").strip()
    assert f"br-{id[:12]}" in ok(shell, "ip -br link")
    assert "10.9.0.1/24" in ok(shell, f"ip -br addr show br-{id[:12]}")
    assert bad(shell, "docker network create --subnet 10.9.0.0/25 deeper").stderr == (
        "Error response from daemon: invalid pool request: Pool overlaps with other one on this address space\n"
    )
    assert ok(shell, "docker network rm deep") == "deep\n"


def test_names_resolve_only_on_networks_that_people_made(shell: Shell) -> None:
    ok(shell, "docker run -d --name db --network shop nginx")
    run = "docker run --rm --network {} nicolaka/netshoot curl -s -o /dev/null -w '%{{http_code}}' http://db"
    assert ok(shell, run.format("shop")).startswith("200")
    assert shell.run(run.format("bridge")).code == 6


def test_what_the_host_reaches_over_loopback_comes_from_the_bridge(shell: Shell) -> None:
    got = shell.run("curl -s -o /dev/null localhost:8080")
    purposes = [leg.purpose for journey in got.journeys for leg in journey.legs]
    assert purposes[-1] == "docker-proxy" and len(purposes) == 2


def test_images_come_and_go(shell: Shell) -> None:
    assert ok(shell, "docker pull nginx:alpine").endswith("docker.io/library/nginx:alpine\n")
    assert ok(shell, "docker pull alpine").startswith("Using default tag: latest\n")
    shared = ok(shell, "docker pull httpd").splitlines()
    assert shared[2].endswith(": Already exists") and shared[3].endswith(": Pull complete")
    ok(shell, "docker rmi httpd")
    rows = columns(ok(shell, "docker images"))
    assert rows[0] == ["IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA"]
    assert [r[0] for r in rows[1:]] == [
        "alpine:latest", "busybox:latest", "nginx:alpine", "nginx:latest", "nicolaka/netshoot:latest",
    ]  # fmt: skip
    assert next(r for r in rows if r[0] == "nginx:latest")[-1] == "U"
    assert "container" in bad(shell, "docker rmi nginx").stderr
    assert ok(shell, "docker rmi nginx:alpine").startswith("Untagged: nginx:alpine\nDeleted: sha256:")


def test_a_stopped_daemon_is_woken_by_its_socket_and_silent_without_it(shell: Shell) -> None:
    daemon = shell.world.dockers["dock"]
    daemon.stop_daemon(shell.world.changes())
    assert ok(shell, "docker ps").count("\n") == 1
    assert daemon.running
    daemon.stop_daemon(shell.world.changes())
    daemon.socket = False
    assert bad(shell, "docker ps").stderr.startswith(
        "failed to connect to the docker API at unix:///var/run/docker.sock"
    )


def test_docker_is_there_only_where_a_daemon_is(shell: Shell) -> None:
    other = Shell(shell.world, "host/laptop")
    assert other.run("docker ps").code == 127
    ok(shell, "docker exec -it web sh")
    assert shell.run("docker ps").code == 127


def test_completion_offers_commands_names_and_options(shell: Shell) -> None:
    assert "run" in shell.complete("docker r")
    assert "web" in shell.complete("docker exec w")
    assert "ls" in shell.complete("docker network l")
    assert "shop" in shell.complete("docker network inspect s")
    assert "container:web" in shell.complete("docker run --network c")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("{{.A}}", "1"),
        ("{{.M.x}}-{{len .L}}", "true-2"),
        ("{{range $i, $v := .L}}{{$i}}={{$v}} {{end}}", "0=a 1=b "),
        ("{{range $k, $v := .M}}{{$k}}{{end}}", "xy"),
        ("{{if .E}}yes{{else}}no{{end}}", "no"),
        ("{{with .N}}{{.}}{{end}}|", "|"),
        ('{{join .L ","}}', "a,b"),
        ("{{.L | json}}", '["a","b"]'),
        ('{{printf "%s:%v" .S .A}}', "s:1"),
        ("{{- .S -}}  x", "sx"),
        ("{{upper .S}}{{.N}}", "S<no value>"),
        ('{{index .M "x"}}{{index .L 1}}', "trueb"),
        ("{{range .E}}x{{else}}none{{end}}", "none"),
        ('{{if eq .S "s"}}same{{end}}', "same"),
    ],
)
def test_templates(form: str, text: str) -> None:
    data = {"A": 1, "S": "s", "L": ["a", "b"], "M": {"y": False, "x": True}, "E": [], "N": None}
    assert render(form, data) == text


@pytest.mark.parametrize(
    "form",
    [
        "{{.X}}",
        "{{.A.B}}",
        "{{range .A}}{{end}}",
        "{{if}}",
        "{{end}}",
        "{{nope .A}}",
        "{{.A",
        "{{range .A}}",
        "{{ ) }}",
        "{{index .A 1}}",
    ],
)
def test_wrong_templates_are_template_errors(form: str) -> None:
    with pytest.raises(TemplateError):
        render(form, {"A": 1})
