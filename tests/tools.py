"""System tools that tests need, and the Debian package that brings each one.

A test says `@pytest.mark.needs("tmux")`, or a module calls `need("iptables", "tcpdump")` at its top.
Where a tool is missing the test is skipped with the package's name, and the run's last lines list all
such tests. With K8SNET_ALL_TOOLS=1 (set by .ci/run, which installs everything) it fails instead.
A new tool goes into PACKAGES here; .ci/run installs what this table names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

#: tool -> Debian package
PACKAGES: dict[str, str] = {
    "arp": "net-tools",
    "brctl": "bridge-utils",
    "bridge": "iproute2",
    "cni": "containernetworking-plugins",
    "conntrack": "conntrack",
    "curl": "curl",
    "ifconfig": "net-tools",
    "ip": "iproute2",
    "ip6tables": "iptables",
    "ipset": "ipset",
    "iptables": "iptables",
    "iptables-restore": "iptables",
    "iptables-save": "iptables",
    "lsns": "util-linux",
    "make": "make",
    "nc": "netcat-openbsd",
    "netstat": "net-tools",
    "nft": "nftables",
    "nsenter": "util-linux",
    "ping": "iputils-ping",
    "ps": "procps",
    "ss": "iproute2",
    "sysctl": "procps",
    "tcpdump": "tcpdump",
    "tmux": "tmux",
    "traceroute": "traceroute",
    "tshark": "tshark",
    "unshare": "util-linux",
    "userns": "util-linux",
}
#: Needed by the build itself, not by a single test.
BUILD_PACKAGES = ("make", "python3-venv")

#: Debian's containernetworking-plugins, and where kubeadm's packages put the same programs.
CNI_DIRS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))

#: How a skip's reason begins; the summary in conftest.py reads it back.
REASON = "did not run for want of "


def find(tool: str) -> str | None:
    """The tool's path, or None. Looks into the sbin directories too: a plain user's PATH leaves them out."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return shutil.which(tool, path=path)


def cni_dir() -> Path | None:
    """The directory with the real CNI plugins, or None."""
    return next((d for d in CNI_DIRS if (d / "bridge").exists()), None)


@cache
def can_unshare() -> bool:
    """Can this process make a user namespace with a network namespace in it (`unshare -Urn`)?"""
    unshare = find("unshare")
    return (
        unshare is not None and subprocess.run([unshare, "-Urn", "true"], capture_output=True).returncode == 0
    )


def have(tool: str) -> bool:
    """Is the tool (a key of PACKAGES) here and usable?"""
    if tool not in PACKAGES:
        raise ValueError(f"tests/tools.py does not know {tool!r}; add it to PACKAGES with its Debian package")
    if tool == "userns":
        return can_unshare()
    if tool == "cni":
        return cni_dir() is not None
    return find(tool) is not None


def want(tool: str) -> str:
    """What a person does to have the tool."""
    if tool == "userns" and find("unshare") is not None:
        return "user namespaces (sysctl -w kernel.unprivileged_userns_clone=1, or run as root)"
    return f"{tool} (apt-get install {PACKAGES[tool]})"


def need(*tools: str) -> None:
    """Skip the calling test or module unless every tool is here; fail where all tools must be here."""
    missing = [tool for tool in tools if not have(tool)]
    if not missing:
        return
    reason = REASON + ", ".join(sorted({want(tool) for tool in missing}))
    if os.environ.get("K8SNET_ALL_TOOLS") == "1":
        pytest.fail(f"{reason}, and K8SNET_ALL_TOOLS=1 says that every tool is here", pytrace=False)
    pytest.skip(reason, allow_module_level=True)
