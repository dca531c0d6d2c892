"""A shell in the kernel's namespaces with the model's journey beside it.

Rules. Hops have the numbers that `trace` gives them. What is built for a shell has no taps and no TRACE rules in it, so
that iptables-save, nft and tcpdump show the lab and nothing of ours. Everything ends with the shell.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from course.cli.common import Paint
from engine.lab.places import place_name
from engine.linux.journey import Journey, Walk
from engine.linux.net import Net
from engine.linux.packet import describe
from engine.real.kernel import Kernel
from engine.real.plan import space_names
from engine.say import Phrase

HEAD = Phrase(
    en="The model's journey, hop by hop; on the right, what shows the same hop in the kernel:",
    ko="모델의 여정을 홉마다 보여 줍니다. 오른쪽은 같은 홉을 커널에서 보는 명령입니다.",
)
BACK = Phrase(en="-- the way back --", ko="-- 돌아오는 길 --")
NAMES = Phrase(en="namespaces: {names}", ko="네임스페이스: {names}")
KEPT = Phrase(
    en="A shell inside the built namespaces. `ip netns exec NAME ...` runs a command in one of "
    "them: tcpdump, conntrack -L, "
    "iptables-legacy-save, nft list ruleset, ping, nc. The servers of the lab listen and echo. "
    "`exit` ends it, and everything "
    "vanishes.",
    ko="만든 네임스페이스 안의 셸입니다. `ip netns exec 이름 ...`으로 그 안에서 tcpdump, "
    "conntrack -L, iptables-legacy-save, "
    "nft list ruleset, ping, nc를 실행할 수 있습니다. 실습 환경의 서버는 수신 대기하며 받은 "
    "것을 되돌려 줍니다. `exit`로 "
    "끝나고 모두 사라집니다.",
)
NO_TCPDUMP = Phrase(
    en="tcpdump is not installed; on Debian: apt-get install tcpdump",
    ko="tcpdump가 설치되어 있지 않습니다. Debian에서는 apt-get install tcpdump로 설치합니다",
)


def lines(journey: Journey, net: Net, lang: str, paint: Paint) -> Iterator[str]:
    """The journey's hops, each with the command that watches its device."""
    names = space_names(net)
    yield HEAD().text(lang)
    for leg in journey.legs:
        yield from _walk(leg.forward, names, paint)
        if leg.back is not None:
            yield paint("dim", BACK().text(lang))
            yield from _walk(leg.back, names, paint)


def _walk(walk: Walk, names: dict[str, str], paint: Paint) -> Iterator[str]:
    width = max((len(place_name(h.place)) for h in walk.hops), default=0)
    for number, hop in enumerate(walk.hops, 1):
        place, packet = hop.place, hop.packet
        text = describe(packet) if packet is not None else ""
        see = f"ip netns exec {names[place.netns]} tcpdump -nni {place.device}" if place.device else ""
        where = paint("cyan", place_name(place).ljust(width))
        yield f"{number:>3}  {where}  {place.direction:<3}  {text:<52}  {paint('yellow', see)}".rstrip()


def shell(net: Net, journey: Journey | None, lang: str, paint: Paint) -> None:
    """Build `net` once more without taps, show the journey, and give the terminal to a shell until it ends."""
    with Kernel() as kernel:
        kernel.build(net, watch=False)
        if journey is not None:
            for line in lines(journey, net, lang, paint):
                print(line)
        print(NAMES(names=" ".join(sorted(space_names(net).values()))).text(lang))
        if shutil.which("tcpdump", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            print(NO_TCPDUMP().text(lang))
        print(KEPT().text(lang), flush=True)
        serve_while(kernel, enter(kernel.process.pid))


def serve_while(kernel: Kernel, running: subprocess.Popen[bytes]) -> None:
    """The worker's servers answer until the shell has ended."""
    while True:
        try:
            running.wait(timeout=0.02)
            return
        except subprocess.TimeoutExpired:
            kernel.ask("serve")


def enter(pid: int) -> subprocess.Popen[bytes]:
    """A shell in the worker's user, mount and network namespaces."""
    env = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    shell = env.get("SHELL", "/bin/sh")
    argv = ["nsenter", "-t", str(namespace_pid(pid)), "-U", "-m", "-n", "--preserve-credentials", shell]
    return subprocess.Popen(argv, env=env)


def namespace_pid(pid: int) -> int:
    """unshare --kill-child forks: the namespaces are those of its child."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return int(children[0]) if children else pid
