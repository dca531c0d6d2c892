"""Law 2 on the command line: what is said and means nothing is refused by its name, never ignored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from course.__main__ import main

LAB = "nodes: [{name: cp, role: control-plane}, {name: w1}]\nhosts: [{name: laptop, addresses: [192.168.10.1]}]\n"


def ended(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """(exit code, all that was printed)."""
    try:
        code = main(list(words))
    except SystemExit as left:
        code = int(left.code or 0)
    printed = capsys.readouterr()
    return code, printed.out + printed.err


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (
            "{from: node/w1, to: node/cp, proto: icmp, enter: node/w1}",
            "flows[0].enter: `enter` is for a packet",
        ),
        ("{from: node/w1, to: 'http://a/', proto: tcp}", "flows[0].proto: http://a/ is asked by http"),
        ("{from: node/w1, to: 'https://a/', proto: http}", "flows[0].proto: https://a/ is asked by https"),
        (
            "{from: node/w1, to: 'node/cp:22', type: SRV}",
            "flows[0].type: `type` means nothing in a row with `to`",
        ),
        (
            "{from: node/w1, resolve: a, proto: udp}",
            "flows[0].proto: `proto` means nothing in a row with `resolve`",
        ),
        ("{from: 1.2.3.4, resolve: a, enter: node/w1}", "flows[0].enter: `enter` means nothing"),
        ("{from: node/w1, resolve: a, headers: {A: b}}", "flows[0].headers: `headers` means nothing"),
        ("{from: node/w1, to: 'node/cp:22'}\n---\nflows: []", "t.yaml:5: a second document begins here"),
    ],
)
def test_keys_of_a_row_that_mean_nothing_there(
    row: str, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lab.yaml").write_text(LAB)
    (tmp_path / "t.yaml").write_text(f"lab: lab.yaml\nflows:\n- {row}\n")
    code, said = ended("flows", str(tmp_path / "t.yaml"), capsys=capsys)
    assert code == 2
    assert error in said


def test_a_question_of_an_address_that_nobody_has_is_a_row_that_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lab.yaml").write_text(LAB)
    (tmp_path / "t.yaml").write_text("lab: lab.yaml\nflows: [{from: 1.2.3.4, resolve: web}]\n")
    code, said = ended("flows", str(tmp_path / "t.yaml"), capsys=capsys)
    assert code == 1
    assert "nobody there can resolve a name" in said


def test_a_row_about_nobody_is_not_called_a_true_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lab.yaml").write_text(LAB)
    (tmp_path / "t.yaml").write_text("lab: lab.yaml\nflows: [{from: node/w7, to: 'node/cp:99999'}]\n")
    code, said = ended("flows", str(tmp_path / "t.yaml"), capsys=capsys)
    assert code == 1
    assert "there is no node/w7 in this lab (did you mean 'node/w1'?)" in said
    assert "Your way is true" not in said
    assert ended("flows", str(tmp_path / "t.yaml"), "--json", capsys=capsys)[0] == 1
    main(["flows", str(tmp_path / "t.yaml"), "--json"])
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert [f["kind"] for f in row["findings"]] == ["outcome"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["node/w1", "node/cp:22", "--header", "Host: a"], "headers belong to http; this flow goes by tcp"),
        (["node/w1", "node/cp:22", "--enter", "node/w1"], "node/w1 sends for itself"),
        (["node/w1", "http://192.168.10.1/", "--proto", "tcp"], "is asked by http, not by tcp"),
        (["node/w1", "http://192.168.10.1/", "--proto", "udp"], "is asked by http, not by udp"),
    ],
)
def test_options_of_trace_that_mean_nothing(
    words: list[str], error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lab.yaml").write_text(LAB)
    code, said = ended("trace", str(tmp_path / "lab.yaml"), *words, capsys=capsys)
    assert code == 2
    assert error in said


def test_the_list_of_lessons_takes_no_path(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ended("lessons", "list", "04-services", capsys=capsys)
    assert code == 2
    assert "takes no path, found '04-services'" in said


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ("serviceCIDR: 10.96.0.1", "lab.yaml:3: serviceCIDR: found '10.96.0.1', accepted: an IPv4 prefix"),
        (
            "cni: {podCIDR: 10.244.0.0}",
            "lab.yaml:3: cni.podCIDR: found '10.244.0.0', accepted: an IPv4 prefix",
        ),
        (
            "addons: [coredns, {coredns: {replicas: 1}}]",
            "lab.yaml:3: addons[1]: the addon coredns is listed twice",
        ),
        ("addons: [{coredns: {replicas: -1}}]", "lab.yaml:3: addons[0].coredns.replicas: -1 is no number"),
        (
            "proxy: {mode: none, clusterCIDR: 10.0.0.0/8}",
            "lab.yaml:3: proxy.clusterCIDR: with `mode: none` there",
        ),
        ("---\nnodes: [{name: x}]", "lab.yaml:4: a second document begins here (the first in line 1)"),
    ],
)
def test_what_a_lab_file_says_in_vain(
    lines: str, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lab.yaml").write_text(f"{LAB}{lines}\n")
    code, said = ended("trace", str(tmp_path / "lab.yaml"), "node/w1", "node/cp:22", capsys=capsys)
    assert code == 2
    assert error in said


def test_a_place_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "lab.yaml").write_text(
        "nodes: [{name: w1}]\nhosts: [{name: a, addresses: [192.168.10.255]}]\n"
    )
    _, said = ended("trace", str(tmp_path / "lab.yaml"), "node/w1", "node/w1:22", capsys=capsys)
    assert said.count("lab.yaml") == 1


def test_a_file_without_an_end_is_read_to_the_limit_only(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ended("flows", "/dev/zero", capsys=capsys)
    assert code == 2
    assert "/dev/zero: this file is larger than 32 MB" in said


def test_under_calico_a_node_may_have_a_range_outside_the_pool(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calico's addresses come from its pool; spec.podCIDR is the node controller's (the design's own example)."""
    text = "nodes: [{name: w1}, {name: w2, podCIDR: 10.244.2.0/24}]\ncni: {name: calico, podCIDR: 172.16.0.0/16}\n"
    (tmp_path / "lab.yaml").write_text(text)
    code, said = ended("shell", str(tmp_path / "lab.yaml"), "-c", "kubectl get node w2 -o jsonpath={.spec.podCIDR}",
                       capsys=capsys)  # fmt: skip
    assert (code, said.strip()) == (0, "10.244.2.0/24")
    code, said = ended(
        "trace", str(tmp_path / "lab.yaml"), "node/w1", "node/w2", "--proto", "icmp", capsys=capsys
    )
    assert code == 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "flows: [{from: node/w1, to: node/cp, proto: icmp}]\nlab: nope\n",
            "t.yaml:2: lab: there is no lab, file",
        ),
        (
            "lab: {nodes: [{name: w1}]}\nflows: []\n",
            "t.yaml:2: flows: found an empty list, accepted: a list of at",
        ),
    ],
)
def test_what_a_table_needs_is_said_with_its_place(
    text: str, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.yaml").write_text(text)
    code, said = ended("flows", str(tmp_path / "t.yaml"), capsys=capsys)
    assert code == 2
    assert error in said
