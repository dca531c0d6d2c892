"""The registry of commands: name -> module in this folder. Modules are read when a command is first used.

Rules. One line a name that a learner may type; aliases have a line of their own and share their tool's module.
A module holds `TOOL`, or `TOOLS` (a tuple) where one file is several commands of one family.
"""

from __future__ import annotations

import importlib
from functools import cache

from engine.shell.tool import Tool

#: Names that exist only to be refused; a tool with the same name below takes their place.
_REFUSED = (
    "perl", "paste", "column", "jq", "yq", "watch", "timeout", "top", "htop", "nohup", "tmux",
    "screen", "vi", "vim", "nano", "emacs", "ed", "less", "more", "apt", "apt-get", "yum", "dnf", "apk",
    "pip", "ethtool", "nmcli", "ufw", "firewall-cmd",
    "xargs", "parallel", "seq", "eval", "telnet", "socat", "ssh", "scp", "nmap",
)  # fmt: skip

#: What a real machine (or the exam's) has beside these, of which nothing is modelled.
REAL = """
    bg chgrp chmod chown command cmp comm csplit declare df diff dirname basename disown du expand expr fg file fold
    free fuser getopts helm kubeadm kustomize etcdctl etcdutl ln local locate logger lsmod lsof md5sum mktemp modprobe
    mount openssl patch pgrep pkill killall popd pushd read readonly rev rmdir rsync set sha1sum sha256sum shift split
    stat su tac tar gzip gunzip zip unzip trap truncate tty ulimit umask umount uptime useradd vmstat wait w who xxd
    yes nl od hexdump lscpu lsblk passwd crontab timedatectl hostnamectl resolvectl loginctl k9s
"""

MODULES: dict[str, str] = {
    **dict.fromkeys((*_REFUSED, *REAL.split()), "refused"),
    # the shell itself
    "cd": "builtins",
    "pwd": "builtins",
    "exit": "builtins",
    "logout": "builtins",
    "export": "builtins",
    "unset": "builtins",
    ":": "builtins",
    "true": "builtins",
    "false": "builtins",
    "history": "builtins",
    "clear": "builtins",
    "jobs": "builtins",
    "type": "builtins",
    "alias": "alias",
    "unalias": "alias",
    "source": "alias",
    ".": "alias",
    "complete": "alias",
    "download": "download",
    "help": "manual",
    "man": "manual",
    "which": "manual",
    "sh": "subshell",
    "bash": "subshell",
    "ash": "subshell",
    "sudo": "subshell",
    # text and files
    "test": "test",
    "[": "test",
    "echo": "text",
    "printf": "text",
    "base64": "text",
    "awk": "awk",
    "cat": "text",
    "head": "text",
    "tail": "text",
    "wc": "text",
    "sort": "text",
    "uniq": "text",
    "cut": "text",
    "tr": "text",
    "grep": "grep",
    "sed": "sed",
    "egrep": "grep",
    "ls": "ls",
    "readlink": "ls",
    "find": "ls",
    "tee": "files",
    "mkdir": "files",
    "touch": "files",
    "rm": "files",
    "cp": "files",
    "mv": "files",
    # the machine and its processes
    "hostname": "host",
    "whoami": "host",
    "id": "host",
    "uname": "host",
    "date": "host",
    "sleep": "host",
    "env": "host",
    "printenv": "host",
    "dmesg": "host",
    "journalctl": "host",
    "ps": "ps",
    "kill": "kill",
    "lsns": "lsns",
    "nsenter": "nsenter",
    "unshare": "nsenter",
    # packets
    "ping": "ping",
    "curl": "curl",
    "wget": "wget",
    "nc": "nc",
    "tcpdump": "tcpdump",
    "traceroute": "traceroute",
    "nslookup": "nslookup",
    "dig": "dig",
    "host": "bindhost",
    "getent": "getent",
    "python3": "python",
    # devices, routes and rules
    "ip": "ip",
    "bridge": "bridge",
    "ss": "ss",
    "netstat": "netstat",
    "arp": "arp",
    "route": "route",
    "brctl": "brctl",
    "ifconfig": "ifconfig",
    "sysctl": "sysctl",
    "wg": "wg",
    "nft": "nft",
    "iptables": "iptables",
    "iptables-save": "iptables",
    "iptables-restore": "iptables",
    "iptables-nft": "iptables",
    "iptables-nft-save": "iptables",
    "iptables-nft-restore": "iptables",
    "iptables-translate": "iptables",
    "iptables-restore-translate": "iptables",
    "xtables-monitor": "iptables",
    "iptables-legacy": "iptables",
    "iptables-legacy-save": "iptables",
    "iptables-legacy-restore": "iptables",
    "ip6tables": "iptables",
    "ip6tables-save": "iptables",
    "ip6tables-restore": "iptables",
    "conntrack": "conntrack",
    "ipset": "ipset",
    "ipvsadm": "ipvsadm",
    "kube-proxy": "kube_proxy",
    "ipvsadm-save": "ipvsadm",
    "ipvsadm-restore": "ipvsadm",
    "bpftool": "bpftool",
    # containers and the cluster
    "docker": "docker",
    "crictl": "crictl",
    "ctr": "ctr",
    "systemctl": "systemctl",
    "kubectl": "kubectl",
    "k": "kubectl",
}


@cache
def find(name: str) -> Tool | None:
    """The tool of a name, its module read now; None for a name that is not in the table or not written."""
    module_name = MODULES.get(name)
    if module_name is None:
        return None
    full = f"{__name__}.{module_name}"
    try:
        module = importlib.import_module(full)
    except ModuleNotFoundError as error:
        if error.name != full:
            raise
        return None
    tools: tuple[Tool, ...] = getattr(module, "TOOLS", None) or (module.TOOL,)
    return next((t for t in tools if name == t.name or name in t.aliases), None)


def names() -> list[str]:
    """Every name with a tool behind it, sorted."""
    return sorted(n for n in MODULES if find(n) is not None)
