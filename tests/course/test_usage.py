"""What argparse says is Korean for a Korean reader, in every form that our command lines can meet."""

from __future__ import annotations

import pytest

from course import usage
from course.__main__ import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lang", "ko", "--bogus"], "알 수 없는 인자가 있습니다: --bogus"),
        (["--lang", "ko", "--lesson"], "--lesson: 값이 하나 있어야 합니다"),
        (["trace", "--lang", "ko"], "빠진 인자가 있습니다: LAB, FROM, TO"),
        (["trace", "--lang", "ko", "a", "b", "c", "--proto", "x"], "--proto: 'x' 값은 쓸 수 없습니다"),
        (["trace", "--lang", "ko", "a", "b", "c", "--seed", "x"], "--seed: 'x' 값은 정수가 아닙니다"),
        (["trace", "--lang", "ko", "a", "b", "c", "--json=1"], "--json: 값을 받지 않는데 '1' 값이 있습니다"),
        (["trace", "--lang", "ko", "a", "b", "c", "--pcap"], "--pcap: 값이 하나 있어야 합니다"),
        (["flows", "--lang", "ko"], "빠진 인자가 있습니다: FILE"),
        (["lessons", "--lang", "ko", "lst"], "'lst' 값은 쓸 수 없습니다"),
    ],
)
def test_bad_usage_in_korean(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["k8snet-tutor", *words])
    with pytest.raises(SystemExit) as left:
        main(words)
    printed = capsys.readouterr().err
    assert left.value.code == 2
    assert said in printed
    assert not any(
        word in printed for word in ("argument", "invalid", "required", "unrecognized", "expected")
    )


@pytest.mark.parametrize("word", ["trace", "flows", "shell", "real", "lessons"])
def test_the_help_of_a_command_in_korean(
    word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["k8snet-tutor", word, "-h", "--lang", "ko"])
    with pytest.raises(SystemExit) as left:
        main([word, "-h", "--lang", "ko"])
    printed = capsys.readouterr().out
    assert left.value.code == 0
    assert "옵션:" in printed and usage.HELP[1] in printed
    assert "options:" not in printed and "positional" not in printed and "show this help" not in printed


def test_english_stays_as_it_is() -> None:
    assert usage.said("unrecognized arguments: x", "en") == "unrecognized arguments: x"
    assert usage.said("something new", "ko") == "something new"
