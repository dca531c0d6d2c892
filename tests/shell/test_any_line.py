"""Whatever is typed gives a Result: lines built from real words and garbage never raise."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.lab.lab import Lab
from engine.shell.shell import Shell
from engine.shell.tools import MODULES, find

LABS = Path(__file__).parents[2] / "lessons" / "labs"

WORLDS = {name: Lab.load(LABS / f"{name}.yaml").world for name in ("docker-host", "two-nodes")}

OPTIONS = sorted(
    {name for word in MODULES if (tool := find(word)) for opt in tool.opts for name in opt.names}
)
WORDS = [
    "10.244.1.2", "172.17.0.2", "10.0.0.0/24", "web", "a", "default", "eth0", "lo", "docker0", "cni0", "any",
    "80", "8080:80",
    "-1", "0", "99999", "1e9", "add", "del", "show", "get", "set", "dev", "via", "up", "down", "master",
    "type", "veth", "peer",
    "name", "netns", "exec", "list", "pods", "nodes", "run", "ps", "inspect", "rm", "network", "ls", "nginx",
    "--image=nginx",
    "-t", "nat", "-A", "PREROUTING", "-j", "DROP", "DNAT", "--to-destination", "-p", "tcp", "--dport", "-s",
    "-d", "/etc/hosts",
    "/proc/sys/net/ipv4/ip_forward", "/", "/proc/1/ns/net", "/nope", "*", "/e*/h[o", "~", "-", "--", "-h",
    "--help", "port", "and",
    "not", "host", "icmp", "http://172.17.0.2/", "https://x", "{{.ID}}", "{.items[*].x}", "-o", "json", "wide",
    "yaml",
    "1", "914", "919", "sh", "bash", "-c", "true", "-it", "--", "k8s.io", "한글", "\x00", "é", "%s", "'a b'",
    '"$HOME"',
]  # fmt: skip
GLUE = [
    "|", ";", "&&", "||", "&", ">", ">>", "<", "2>&1", "2>/dev/null", "\n", "<<EOF\nx\nEOF\n", "$(", ")", "`",
    "'", '"',
    "\\", "$X", "${X}", "$?", "${X:-1}", "#",
    "(", "{", "}", "!", "&>", "<<<", "for", "do", "=", "A=1", "$((1))", ">&2", "3>",
]  # fmt: skip

lines = st.lists(
    st.one_of(
        st.sampled_from(sorted(MODULES)), st.sampled_from(OPTIONS), st.sampled_from(WORDS), st.sampled_from(GLUE),
        st.text(max_size=6),
    ),
    max_size=9,
).map(" ".join)  # fmt: skip
commands = st.tuples(
    st.sampled_from(sorted(MODULES)),
    st.lists(st.one_of(st.sampled_from(OPTIONS), st.sampled_from(WORDS)), max_size=6),
).map(lambda t: " ".join([t[0], *t[1]]))
PLACES = [
    ("docker-host", "box"),
    ("docker-host", "container/box/client"),
    ("two-nodes", "w1"),
    ("two-nodes", "pod/a"),
]


@settings(max_examples=800)
@given(
    st.sampled_from(PLACES),
    st.lists(st.one_of(lines, commands), min_size=1, max_size=3),
    st.sampled_from(["en", "ko"]),
)
def test_every_line_gives_a_result(place: tuple[str, str], typed: list[str], lang: str) -> None:
    world = WORLDS[place[0]].copy()
    world.lang = lang
    shell = Shell(world, place[1])
    for line in typed:
        result = shell.run(line)
        assert 0 <= result.code <= 255
        assert "".join(t for s, t in result.chunks if s == "out") == result.stdout
        shell.complete(line)
        shell.complete(line, len(line) // 2)
