"""The second kernel: User-Mode Linux as an ordinary process, for what the host's own kernel was built without.

Theory. Debian's package user-mode-linux is a real Linux (6.1) that runs as a program, without root: IPVS, IPIP,
Geneve, ipvlan, dummy, vrf are modules of it. Its root is the host's file system read-only (hostfs), so the host's own
ip, iptables and ipvsadm work in it. `guest.py` is its first process. They talk by numbers on a serial line; what the
numbers mean stands in files of a directory of ours, which is all that the guest may write.

Rules. Used only when `linux.uml` is there; ends with its `with` block. Errors as in `kernel.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from engine.real.kernel import RealError, Unavailable
from engine.say import Phrase, plain

MODULES = Path("/usr/lib/uml/modules")
#: what every session loads; `load` asks for more
USUAL = (
    "nlmon", "veth", "bridge", "br_netfilter", "nfnetlink_log", "nf_conntrack_netlink", "xt_TRACE", "nf_log_syslog",
    "iptable_raw", "iptable_mangle", "iptable_nat", "iptable_filter", "xt_comment", "xt_mark", "xt_connmark",
    "xt_conntrack", "xt_tcpudp", "xt_nat", "xt_MASQUERADE", "xt_addrtype", "xt_set", "xt_multiport", "xt_statistic",
    "ip_set_hash_ip", "ip_set_hash_ipport", "ip_set_hash_ipportip", "ip_set_hash_ipportnet", "ip_set_hash_net",
    "ip_set_bitmap_port", "ip_set_list_set", "ipt_REJECT", "dummy",
)  # fmt: skip

NO_UML = Phrase(
    "linux.uml is not installed; on Debian: apt-get install user-mode-linux",
    "linux.uml이 설치되어 있지 않습니다. Debian에서는 apt-get install user-mode-linux로 설치합니다",
)


def program() -> str | None:
    return shutil.which("linux.uml")


def available() -> Unavailable | None:
    """None when the second kernel can be started, else the reason."""
    if program() is None or not MODULES.is_dir():
        return Unavailable(NO_UML())
    return None


class Second:
    """One User-Mode Linux with a stage (stage.py). Use as a context manager."""

    def __init__(self, *modules: str, sysctls: Mapping[str, str] | None = None) -> None:
        """`sysctls` (paths below /proc/sys) are set before the first namespace."""
        problem = available()
        if problem is not None:
            raise problem
        self.home = tempfile.TemporaryDirectory(prefix="second-kernel-")
        self.number = 0
        words = {
            "share": self.home.name, "modules": [*USUAL, *modules],
            "root": str(Path(__file__).resolve().parents[2]), "sysctls": dict(sysctls or {}),
        }  # fmt: skip
        Path(self.home.name, "start.json").write_text(json.dumps(words), encoding="utf-8")
        guest = Path(__file__).with_name("guest.py")
        self.process = subprocess.Popen(
            [program() or "", "mem=256M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
             f"init={Path(sys.executable).resolve()}", "con=null", "con0=null", "ssl=null", "ssl0=fd:0,fd:1",
             "--", "-I", str(guest), self.home.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "TMPDIR": self.home.name}, start_new_session=True,
        )  # fmt: skip
        self.answer("0")

    def answer(self, number: str) -> dict[str, Any]:
        """Wait for the guest to say `number`; its answer. What the kernel itself prints on the line is passed over."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == f"answer {number}":
                text = Path(self.home.name, f"answer-{number}").read_text(encoding="utf-8")
                answer: dict[str, Any] = json.loads(text)
                if "refused" in answer:
                    raise RealError(plain(str(answer["refused"])))
                return answer
        raise RealError(plain("the second kernel ended"))

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.number += 1
        text = json.dumps({"do": do, **request})
        Path(self.home.name, f"request-{self.number}").write_text(text, encoding="utf-8")
        try:
            self.process.stdin.write(f"{self.number}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise RealError(plain("the second kernel ended")) from None
        return self.answer(str(self.number))

    def load(self, *modules: str) -> None:
        """Kernel modules by name, with what they need."""
        self.ask("load", names=list(modules))

    def fresh(self) -> None:
        """`sh` works in a new network namespace from here on; the named ones are gone."""
        self.ask("fresh")

    def sh(self, line: str, text: str = "") -> tuple[int, str, str]:
        """A shell line in the current namespace: (code, stdout, stderr)."""
        done = self.ask("sh", line=line, text=text)
        return int(done["code"]), str(done["out"]), str(done["err"])

    def records(self) -> dict[str, list[dict[str, Any]]]:
        """What `watch` has seen since the last call, per namespace, in the kernel's order."""
        found: dict[str, list[dict[str, Any]]] = self.ask("records")["records"]
        return found

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.home.cleanup()

    def __enter__(self) -> Second:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
