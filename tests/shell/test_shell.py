"""The shell itself: words, pipes, redirections, substitutions, refusals, nested shells, servers, captures."""

from __future__ import annotations

import pytest

from engine.errors import EngineError
from engine.shell.shell import Result, Shell
from engine.shell.words import unfinished
from tests.shell.labs import at, serve, three


@pytest.fixture
def shell() -> Shell:
    return at(three())


def out(shell: Shell, *lines: str) -> str:
    """The stdout of the last line; every line must succeed without a word on stderr."""
    result = Result()
    for line in lines:
        result = shell.run(line)
        assert (result.code, result.stderr) == (0, ""), (line, result)
    return result.stdout


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("echo a  b", "a b\n"),
        ("echo 'a  b' \"c  d\" e\\ f", "a  b c  d e f\n"),
        ("echo \"$HOME\" '$HOME' ${HOME} ~", "/root $HOME /root /root\n"),
        ("X=1; echo $X\"$X\"'$X'", "11$X\n"),
        ("echo one # two", "one\n"),
        ("echo a#b", "a#b\n"),
        ("echo a; echo b", "a\nb\n"),
        ("true && echo yes || echo no", "yes\n"),
        ("false && echo yes || echo no", "no\n"),
        ("! true || echo inverted", "inverted\n"),
        ("false; echo $?", "1\n"),
        ("echo b a c | tr ' ' '\\n' | sort | head -2 | wc -l", "2\n"),
        ("echo $(echo a; echo b)", "a b\n"),
        ('echo "$(echo a; echo b)"', "a\nb\n"),
        ("echo `echo old`", "old\n"),
        ("echo -n x; echo -e 'a\\tb'", "xa\tb\n"),
        ("cat <<EOF\n$HOME\nEOF", "/root\n"),
        ("cat <<'EOF'\n$HOME\nEOF", "$HOME\n"),
        ("cat <<-EOF\n\ttab\n\tEOF", "tab\n"),
        ("cat <<EOF | grep b\na\nb\nEOF", "b\n"),
        ("cat <<< 'here string'", "here string\n"),
        ("cat < /etc/hosts | head -1", "127.0.0.1\tlocalhost\n"),
        ("echo x > /tmp/f; echo y >> /tmp/f; cat /tmp/f", "x\ny\n"),
        ("cat /nope 2>/dev/null; echo $?", "1\n"),
        ("cat /nope 2>&1 | wc -l", "1\n"),
        ("echo both &> /tmp/g; cat /tmp/g", "both\n"),
        ("echo quiet > /dev/null", ""),
        ("echo /et*/hos?s /no*pe", "/etc/hosts /no*pe\n"),
        ("echo '/et*'", "/et*\n"),
        ("cd /etc; echo ho*", "hosts\n"),
        ("echo a \\\n b", "a b\n"),
        ("sh -c 'echo $0 inner; exit 3'; echo $?", " inner\n3\n"),
        ("echo 'echo from script' > /tmp/s.sh; sh /tmp/s.sh", "from script\n"),
        ("X=5 env | grep ^X=", "X=5\n"),
        ("export Y=2; sh -c 'echo $Y'", "2\n"),
        ("printf '%s-%d\\n' a 1 b 2", "a-1\nb-2\n"),
    ],
)
def test_lines(shell: Shell, line: str, text: str) -> None:
    assert out(shell, line) == text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("for i in 1 2; do echo $i; done", "`for` is not modelled here"),
        ("while true; do ping -c1 x; done", "`while` is not modelled here"),
        ("watch ip a", "`watch` is not modelled here"),
        ("ls | awk '{if ($1) print}'", "awk 'if' is not modelled here"),
        ("curl x | jq .", "`jq` is not modelled here"),
        ("echo $((1+1))", "$((...)) is not modelled here"),
        ("echo ${X:-1}", "${X:-1} is not modelled here"),
        ("echo {a,b}", "{a,b} is not modelled here"),
        ("(cd /etc)", "( ... ) is not modelled here"),
        ("ping -c 1 10.0.1.1 &", "ping ... & is not modelled here"),
        ("cat <(ls)", "<(...) is not modelled here"),
        ("ping -6 ::1", "ping -6 is not modelled here"),
        ("grep -P x /etc/hosts", "grep -P is not modelled here"),
        ("cat /proc/net/tcp", "/proc/net/tcp is not modelled here. Ask the tool instead: ss -tan"),
        ("tcpdump -C 1", "tcpdump -C is not modelled here"),
        ("curl https://10.0.2.2/", "https is not modelled here"),
    ],
)
def test_what_is_not_modelled_is_refused_by_name(shell: Shell, line: str, words: str) -> None:
    result = shell.run(line)
    assert words in result.stderr
    assert result.code == 2


@pytest.mark.parametrize(
    ("line", "stderr", "code"),
    [
        ("frobnicate", "bash: frobnicate: command not found\n", 127),
        ("pnig 10.0.1.1", "bash: pnig: command not found\ndid you mean ping", 127),
        ("./x", "bash: ./x: No such file or directory\n", 127),
        ("/etc", "bash: /etc: Is a directory\n", 126),
        ("echo 'a", "bash: unexpected EOF while looking for matching `''\n", 2),
        ("| ls", "bash: syntax error near unexpected token `|'\n", 2),
        ("ls |", "bash: syntax error near unexpected token `newline'\n", 2),
        ("echo a > ", "bash: syntax error near unexpected token `newline'\n", 2),
        ("cat /nope", "cat: /nope: No such file or directory\n", 1),
        ("echo x > /nope/y", "bash: /nope/y: No such file or directory\n", 1),
        ("echo x > /etc", "bash: /etc: Is a directory\n", 1),
        ("cat < /nope", "bash: /nope: No such file or directory\n", 1),
        ("cd /nope", "bash: cd: /nope: No such file or directory\n", 1),
        ("echo 7 > /proc/sys/net/ipv4/nope", "bash: /proc/sys/net/ipv4/nope: No such file or directory\n", 1),
        ("echo x > /proc/sys/net/ipv4/ip_forward", "bash: echo: write error: Invalid argument\n", 1),
        ("grep -Y x", "grep: invalid option -- 'Y'\n", 2),
        ("ls /nope", "ls: cannot access '/nope': No such file or directory\n", 2),
    ],
)
def test_errors_are_the_real_shells(shell: Shell, line: str, stderr: str, code: int) -> None:
    result = shell.run(line)
    assert result.stderr.startswith(stderr)
    assert result.code == code


def test_our_sentences_are_in_the_learners_language(shell: Shell) -> None:
    shell.world.lang = "ko"
    assert "혹시 ping입니까" in shell.run("pnig").stderr
    assert "모델에 아직 없습니다" in shell.run("watch ls").stderr
    assert "패킷을 보내고 지켜보기" in shell.run("help").stdout


def test_an_unfinished_text_wants_another_line() -> None:
    assert unfinished("echo 'a")
    assert unfinished("kubectl apply -f - <<EOF\nkind: Pod")
    assert unfinished("ls \\")
    assert not unfinished("kubectl apply -f - <<EOF\nkind: Pod\nEOF")
    assert not unfinished("ls | wc")


def test_a_place_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(EngineError, match="host/lab"):
        Shell(three(), "node/w9")


def test_nested_shells_are_a_stack(shell: Shell) -> None:
    assert shell.prompt == "root@lab:~# "
    shell.run("ip netns exec a bash")
    assert "10.0.1.2" in out(shell, "ip -br addr")
    assert shell.prompt == "root@lab:~# "
    shell.run("ip netns exec b bash")
    assert "10.0.2.2" in out(shell, "hostname -I")
    shell.run("exit")
    assert "10.0.1.2" in out(shell, "hostname -I")
    shell.run("exit")
    result = shell.run("exit")
    assert "stays open" in result.stderr
    assert len(shell.stack) == 1


def test_a_nested_shell_ends_with_its_namespace(shell: Shell) -> None:
    shell.run("ip netns exec a bash")
    shell.run("ip netns del a")
    assert "has ended" in shell.run("echo here").stderr + shell.run("true").stderr or len(shell.stack) == 1
    assert len(shell.stack) == 1


def test_nsenter_brings_the_machines_tools(shell: Shell) -> None:
    pid = serve(shell.world, "lab/b", 80, page="text", text="hi\n")
    assert "10.0.2.2" in out(shell, f"nsenter -t {pid} -n ip -br addr")
    assert out(shell, f"nsenter --target {pid} --net curl -s 127.0.0.1") == "hi\n"
    assert out(shell, "nsenter --net=/run/netns/a hostname -I").split() == ["10.0.1.2"]
    shell.run(f"nsenter -t {pid} -n")
    assert len(shell.stack) == 2


def test_unshare_ends_with_its_shell(shell: Shell) -> None:
    before = set(shell.world.net.spaces)
    shell.run("unshare -n")
    assert out(shell, "ip -br link").split() == ["lo", "DOWN", "00:00:00:00:00:00", "<LOOPBACK>"]
    assert set(shell.world.net.spaces) != before
    shell.run("exit")
    assert set(shell.world.net.spaces) == before
    assert "lo" in out(shell, "unshare -n ip -br link")
    assert set(shell.world.net.spaces) == before


def test_servers_start_in_the_background() -> None:
    world = three()
    b = at(world, "b")
    started = b.run("python3 -m http.server 8000 &")
    assert started.stdout.startswith("[1] ")
    assert "listening on tcp port 8000" in started.stderr
    a = at(world, "a")
    assert "Directory listing" in out(a, "curl -s http://10.0.2.2:8000/")
    assert "succeeded!" in a.run("nc -zv 10.0.2.2 8000").stderr
    assert "Address already in use" in b.run("nc -l -p 8000").stderr
    pid = started.stdout.split()[1]
    out(b, f"kill {pid}")
    assert a.run("curl -s http://10.0.2.2:8000/").code == 7


def test_a_journey_comes_back_with_the_packet_that_was_typed() -> None:
    a = at(three(), "a")
    result = a.run("ping -c 2 10.0.2.2 | grep bytes")
    assert len(result.journeys) == 1
    assert result.journeys[0].act == "ping -c 2 10.0.2.2 | grep bytes"
    assert len(result.journeys[0].legs) == 2
    assert len(a.run("ping -c1 10.0.1.1; curl -s 10.0.2.2").journeys) == 2
    assert len(a.run("echo $(ping -c1 10.0.1.1 | tail -1)").journeys) == 1


def test_tcpdump_looks_back_and_says_so() -> None:
    world = three()
    a, r = at(world, "a"), at(world, "r")
    a.run("ping -c 1 10.0.2.2")
    first = r.run("tcpdump -n -i ra icmp")
    assert first.stdout.count("ICMP echo") == 2
    assert "since the lab began" in first.stderr
    assert r.run("tcpdump -n -i rb icmp").stdout.count("ICMP echo") == 2
    a.run("ping -c 1 10.0.1.1")
    assert r.run("tcpdump -n -i any icmp").stdout.count("10.0.2.2") == 0


def test_tcpdump_in_the_background_shows_what_follows() -> None:
    r = at(three(), "a")
    result = r.run("tcpdump -n -i eth0 icmp & ping -c 1 10.0.2.2")
    assert result.stdout.index("64 bytes") < result.stdout.index("ICMP echo request")
    waiting = r.run("tcpdump -n -i eth0 icmp &")
    assert "waits" in waiting.stderr
    assert "ICMP echo request" in r.run("ping -c 1 10.0.1.1").stdout
    assert "ICMP" not in r.run("ping -c 1 10.0.1.1").stdout


def test_sysctls_are_files(shell: Shell) -> None:
    assert out(shell, "cat /proc/sys/net/ipv4/ip_forward") == "0\n"
    assert out(shell, "echo 1 > /proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward") == "1\n"
    assert out(shell, "ls /sys/class/net") == "lo\n"
    assert out(shell, "readlink /proc/1/ns/net") == "net:[4026531840]\n"
    assert out(shell, "ls -l /proc/self/ns/net").endswith("/proc/self/ns/net -> net:[4026531840]\n")


def test_completion_knows_words_options_and_names() -> None:
    a = at(three(), "a")
    assert "ping" in a.complete("pi")
    assert "ping" in a.complete("ls | pi")
    assert a.complete("ping -I et") == ["eth0"]
    assert "10.0.2.2" in a.complete("ping 10.0.2")
    assert "-c" in a.complete("ping -")
    assert a.complete("tcpdump -i an") == ["any"]
    assert a.complete("cat /etc/h") == ["/etc/hosts"]
    assert a.complete("cat /et") == ["/etc/"]
    assert a.complete('echo "x') == []


def test_help_lists_what_exists_here_and_tells_what_is_refused(shell: Shell) -> None:
    text = out(shell, "help")
    assert "Send packets and watch them" in text
    assert "kubectl" not in text
    page = out(shell, "help tcpdump")
    assert "-i, --interface DEV" in page
    assert "refused by name" in page and "-w" in page
    assert out(shell, "man ping") == out(shell, "help ping")
    assert shell.run("man nope").stderr == "No manual entry for nope\n"
    assert out(shell, "which ip curl") == "/usr/sbin/ip\n/usr/bin/curl\n"


def test_history_keeps_what_was_typed(shell: Shell) -> None:
    shell.run("echo 1")
    shell.run("echo 1")
    shell.run("echo 2")
    assert out(shell, "history") == "    1  echo 1\n    2  echo 2\n    3  history\n"


def test_time_passes_by_sleep(shell: Shell) -> None:
    before = shell.world.net.clock
    out(shell, "sleep 1m 2")
    assert shell.world.net.clock == pytest.approx(before + 62)


def test_killing_process_one_is_refused(shell: Shell) -> None:
    assert "ignores this signal" in shell.run("kill -9 1").stderr
    assert shell.run("kill 99999").stderr == "bash: kill: (99999) - No such process\n"


def test_a_copy_of_the_world_is_its_own() -> None:
    world = three()
    other = world.copy()
    shell = at(other, "a")
    shell.run("ip addr flush dev eth0; echo x > /etc/hosts; ping -c 1 127.0.0.1")
    assert "10.0.1.2" in out(at(world, "a"), "hostname -I")
    assert not world.capture and other.capture
