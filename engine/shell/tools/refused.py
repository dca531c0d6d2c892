"""Commands that people type by habit and the lab does not have: each refused by name, with what works instead."""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import NotModelled
from engine.say import Phrase
from engine.shell.tool import Context, Out, Tool
from engine.shell.tools import REAL

_PIPES = Phrase(
    en="Pipes to grep, head, tail, cut, sort, uniq, wc, tr, sed and awk work: `... | awk '{{print $2}}'` takes the "
    "second column.",
    ko="grep, head, tail, cut, sort, uniq, wc, tr, sed, awk 파이프는 됩니다. "
    "`... | awk '{{print $2}}'`로 둘째 열을 뽑습니다.",
)
_JSON = Phrase(
    en="grep works on JSON as on any text; `kubectl -o jsonpath=...` and `docker inspect -f ...` pick single values.",
    ko="JSON도 글이므로 grep이 됩니다. 값 하나는 `kubectl -o jsonpath=...`나 `docker inspect -f ...`로 뽑습니다.",
)
_AGAIN = Phrase(
    en="The lab stands still between commands; run the command again after a change, or let time pass with `sleep 5`.",
    ko="실습 환경은 명령 사이에 멈춰 있습니다. 바꾼 뒤에 명령을 다시 실행하거나 `sleep 5`로 시간을 보내십시오.",
)
_EDIT = Phrase(
    en="Write a file with `cat > FILE <<EOF`, its lines, and a last line EOF.",
    ko="`cat > 파일 <<EOF`, 내용, 마지막 줄 EOF로 파일을 씁니다.",
)
_PAGER = Phrase(
    en="The output can be scrolled; `cat` and `head` show files.",
    ko="출력은 스크롤됩니다. 파일은 `cat`과 `head`로 봅니다.",
)
_INSTALL = Phrase(
    en="The lab's machines install nothing; `help` lists the tools that exist.",
    ko="실습 머신에는 아무것도 설치하지 않습니다. `help`로 있는 도구를 볼 수 있습니다.",
)
_IP = Phrase(en="Use `ip addr`, `ip link` and `ip route`.", ko="`ip addr`, `ip link`, `ip route`를 쓰십시오.")
_NFT = Phrase(
    en="This lab's rules are iptables': `iptables-save` prints them all.",
    ko="이 실습의 규칙은 iptables에 있습니다. `iptables-save`가 전부 보여 줍니다.",
)
_LOOP = Phrase(en="Type the commands one after the other.", ko="명령을 하나씩 입력하십시오.")
_REAL = Phrase(
    en="A real machine may have it; `help` lists the tools that exist here.",
    ko="실제 머신에는 있을 수 있습니다. 여기 있는 도구는 `help`로 볼 수 있습니다.",
)
_NC = Phrase(en="`nc` and `curl` open connections here.", ko="여기서는 `nc`와 `curl`로 연결합니다.")
TABLE: dict[str, Phrase] = {
    "perl": _PIPES, "paste": _PIPES, "column": _PIPES,
    "jq": _JSON, "yq": _JSON,
    "watch": _AGAIN, "timeout": _AGAIN, "top": _AGAIN, "htop": _AGAIN, "nohup": _AGAIN, "tmux": _AGAIN,
    "screen": _AGAIN,
    "vi": _EDIT, "vim": _EDIT, "nano": _EDIT, "emacs": _EDIT, "ed": _EDIT,
    "less": _PAGER, "more": _PAGER,
    "apt": _INSTALL, "apt-get": _INSTALL, "yum": _INSTALL, "dnf": _INSTALL, "apk": _INSTALL, "pip": _INSTALL,
    "ethtool": _IP, "nmcli": _IP,
    "ipvsadm": _NFT, "ufw": _NFT, "firewall-cmd": _NFT,
    "xargs": _LOOP, "parallel": _LOOP, "seq": _LOOP, "eval": _LOOP,
    **dict.fromkeys(REAL.split(), _REAL),
    "telnet": _NC, "socat": _NC, "ssh": _NC, "scp": _NC, "nmap": _NC,
}  # fmt: skip


def _refuse(name: str) -> Callable[[Context, list[str]], Out]:
    def run(ctx: Context, argv: list[str]) -> Out:
        raise NotModelled(f"`{name}`", TABLE[name]())

    return run


TOOLS = tuple(
    Tool(name=name, summary=phrase, run=_refuse(name), group="refused", builtin=True, refusal=True)
    for name, phrase in TABLE.items()
)
