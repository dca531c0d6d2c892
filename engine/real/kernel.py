"""The handle on a worker: starts it in namespaces of its own, one JSON line a request, ends it.

Errors. `Unavailable` says in a sentence why the real kernel cannot be used here (no Linux, user namespaces
restricted, a tool missing and its Debian package); `RealError` is a refusal of the kernel while building.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from engine.errors import EngineError
from engine.linux.net import Net
from engine.real.plan import plan
from engine.say import Phrase, plain

#: tool -> Debian package
TOOLS = {
    "unshare": "util-linux", "ip": "iproute2", "bridge": "iproute2", "iptables-legacy": "iptables", "nft": "nftables",
    "conntrack": "conntrack",
}  # fmt: skip

NOT_LINUX = Phrase(
    "The real kernel needs Linux; this is {system}. Everything else of the course works here.",
    "실제 커널 비교에는 Linux가 필요합니다. 여기는 {system}입니다. 과정의 나머지는 모두 여기서 동작합니다.",
)
TOOL_MISSING = Phrase(
    "{tool} is not installed; on Debian: apt-get install {package}",
    "{tool}이(가) 설치되어 있지 않습니다. Debian에서는 apt-get install {package}(으)로 설치합니다",
)
NO_USERNS = Phrase(
    "This system does not allow unprivileged user namespaces ({reason}); try it with sudo, or on another machine.",
    "이 시스템은 권한 없는 사용자 네임스페이스를 허용하지 않습니다({reason}). sudo로 하거나 "
    "다른 머신에서 해 보십시오.",
)


APPARMOR = Phrase(
    "This system's AppArmor does not allow unprivileged user namespaces (Ubuntu 23.10 and "
    "later). Either run it with sudo, or "
    "allow them until the next start: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    "이 시스템은 AppArmor로 권한 없는 사용자 네임스페이스를 막고 있습니다(Ubuntu 23.10 이상). "
    "sudo로 실행하거나, 다음 부팅 때까지 "
    "허용하십시오: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
)
SWITCHED_OFF = Phrase(
    "This system has unprivileged user namespaces switched off. Either run it with sudo, or "
    "allow them until the next start: "
    "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    "이 시스템은 권한 없는 사용자 네임스페이스를 꺼 두었습니다. sudo로 실행하거나, 다음 부팅 때까지 허용하십시오: "
    "sudo sysctl -w kernel.unprivileged_userns_clone=1",
)
NONE_LEFT = Phrase(
    "This system allows no user namespaces at all (user.max_user_namespaces is 0); in a "
    "container, ask for them where it is "
    "started, or use another machine.",
    "이 시스템은 사용자 네임스페이스를 하나도 허용하지 않습니다(user.max_user_namespaces가 0). "
    "컨테이너라면 시작하는 쪽에서 "
    "허용하거나 다른 머신에서 해 보십시오.",
)
#: (file, what it says when it is the reason, the sentence)
RESTRICTED = (
    ("/proc/sys/user/max_user_namespaces", "0", NONE_LEFT),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", SWITCHED_OFF),
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", APPARMOR),
)


def read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


class Unavailable(EngineError):
    """The real kernel cannot be used on this machine."""


class RealError(EngineError):
    """The kernel refused a part of the plan, or the worker died."""


def available() -> Unavailable | None:
    """None when the real kernel can be used, else the reason."""
    if not sys.platform.startswith("linux"):
        return Unavailable(NOT_LINUX(system=sys.platform))
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for tool, package in TOOLS.items():
        if shutil.which(tool, path=path) is None:
            return Unavailable(TOOL_MISSING(tool=tool, package=package))
    done = subprocess.run(["unshare", "-Urnm", "true"], capture_output=True, text=True, timeout=10)
    if done.returncode:
        for path, value, phrase in RESTRICTED:
            if read(path) == value:
                return Unavailable(phrase())
        return Unavailable(NO_USERNS(reason=done.stderr.strip()))
    return None


class Kernel:
    """One set of real namespaces. Use as a context manager."""

    def __init__(self) -> None:
        problem = available()
        if problem is not None:
            raise problem
        root = str(Path(__file__).resolve().parents[2])
        start = f"import sys; sys.path.insert(0, {root!r}); from engine.real.worker import main; main()"
        env = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C"}
        self.process = subprocess.Popen(
            ["unshare", "-Urnm", "--kill-child", sys.executable, "-I", "-c", start],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
        )  # fmt: skip

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """One request. Raises RealError when the kernel refuses or the worker is gone."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            assert self.process.stderr is not None
            raise RealError(
                plain(
                    self.process.stderr.read().strip().splitlines()[-1:][0]
                    if self.process.poll() is not None
                    else "the worker ended"
                )
            )
        answer: dict[str, Any] = json.loads(line)
        if "refused" in answer:
            raise RealError(plain(str(answer["refused"])))
        return answer

    def build(self, net: Net, *, watch: bool = True) -> None:
        self.ask("build", **plan(net, traced=watch))
        if watch:
            self.ask("watch")

    def send(self, **act: Any) -> dict[str, Any]:
        return self.ask("send", **act)

    def read(self, netns: str, *argv: str) -> str:
        """The output of a real tool in a namespace."""
        return str(self.ask("read", netns=netns, argv=list(argv))["text"])

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Kernel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
