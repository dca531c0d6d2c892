"""sysctl: the kernel's settings of this network namespace, as procps-ng 4.0.2 shows and writes them.

Rules. Writing goes through the op SetSysctl, which checks a value as the kernel does. A key that real Linux has and
the model has not is refused by name; one that nobody has gives the real error.
"""

from __future__ import annotations

import re

from engine.errors import NotModelled, OpError
from engine.linux.ops.sysctl import SetSysctl, known, path
from engine.say import Phrase
from engine.shell.files import FileError
from engine.shell.powers import has
from engine.shell.tool import Context, Fail, Opt, Out, Parsed, Tool, getopt_unknown

USAGE = """
Usage:
 sysctl [options] [variable[=value] ...]

Options:
  -a, --all            display all variables
  -A                   alias of -a
  -X                   alias of -a
      --deprecated     include deprecated parameters to listing
      --dry-run        Print the key and values but do not write
  -b, --binary         print value without new line
  -e, --ignore         ignore unknown variables errors
  -N, --names          print variable names without values
  -n, --values         print only values of the given variable(s)
  -p, --load[=<file>]  read values from file
  -f                   alias of -p
      --system         read values from all system directories
  -r, --pattern <expression>
                       select setting that match expression
  -q, --quiet          do not echo variable set
  -w, --write          enable writing a value to variable
  -o                   does nothing
  -x                   does nothing
  -d                   alias of -h

 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see sysctl(8).
"""
OTHER = Phrase(
    en="`sysctl -a` lists the keys that the lab's kernel has.",
    ko="`sysctl -a`가 실습 커널에 있는 키를 보여 줍니다.",
)
#: Where real Linux has more keys than the model: whole branches, and the rest of net.ipv4 and of conf.
BRANCHES = (
    "abi", "crypto", "debug", "dev", "fs", "kernel", "net.core", "net.ipv4.neigh", "net.ipv4.route", "net.ipv6",
    "net.mptcp", "net.netfilter", "net.nf_conntrack_max", "net.unix", "user", "vm",
)  # fmt: skip
IPV4 = re.compile(
    r"net\.ipv4\.(tcp|udp|igmp|ipfrag|inet_peer|fib|icmp|ip|cipso|nexthop)_\w+|net\.ipv4\.fwmark_reflect"
)
_CONF_NAMES = """
accept_redirects accept_source_route arp_accept arp_evict_nocarrier arp_filter bc_forwarding bootp_relay disable_policy
disable_xfrm drop_gratuitous_arp drop_unicast_in_l2_multicast force_igmp_version igmpv2_unsolicited_report_interval
igmpv3_unsolicited_report_interval ignore_routes_with_linkdown mc_forwarding medium_id proxy_arp_pvlan
secure_redirects shared_media src_valid_mark tag
"""
CONF = frozenset(_CONF_NAMES.split())
BRIDGE = ("bridge-nf-filter-pppoe-tagged", "bridge-nf-filter-vlan-tagged", "bridge-nf-pass-vlan-input-dev")


def key_of(word: str) -> str:
    """A key as typed, with dots or with slashes between its parts, as the model writes it: dots, and a slash for a
    dot inside a part."""
    first = next((c for c in word if c in "./"), ".")
    return word.translate(str.maketrans("./", "/.")).lstrip(".") if first == "/" else word


def real(key: str) -> bool:
    """Is this a key (or a branch) of real Linux that the model lacks?"""
    if any(key == b or key.startswith(b + ".") for b in BRANCHES):
        return True
    parts = key.split(".")
    if key.startswith("net.ipv4.conf."):
        return parts[-1] in CONF
    return bool(IPV4.fullmatch(key)) or (key.startswith("net.bridge.") and parts[-1] in BRIDGE)


class Run:
    """One call: what is printed, what went wrong."""

    def __init__(self, ctx: Context, got: Parsed) -> None:
        self.ctx, self.got = ctx, got
        self.keys = known(ctx.ns)
        self.out = ""
        self.err = ""
        self.code = 0

    def fail(self, text: str, code: int = 1) -> None:
        self.err += text + "\n"
        self.code = code or self.code

    def show(self, key: str, value: str) -> None:
        if "-N" in self.got:
            self.out += f"{key}\n"
        elif "-b" in self.got:
            self.out += value
        elif "-n" in self.got:
            self.out += f"{value}\n"
        else:
            self.out += f"{key} = {value}\n"

    def missing(self, key: str) -> None:
        """A key that the model does not have."""
        if "-e" in self.got:
            return
        device = re.fullmatch(r"net\.ipv4\.conf\.([^.]+)\..*", key)
        gone = device is not None and device[1].replace("/", ".") not in (
            "all",
            "default",
            *self.ctx.ns.names,
        )
        if real(key) and not gone:
            raise NotModelled(f"sysctl {key}", OTHER())
        self.fail(f"sysctl: cannot stat {path(key)}: No such file or directory")

    def read(self, word: str) -> None:
        key = key_of(word)
        found = [key] if key in self.keys else [k for k in self.keys if k.startswith(key + ".")]
        for each in found:
            self.show(each, self.ctx.ns.sysctl(each))
        if not found:
            self.missing(key)

    def write(self, key: str, value: str, quiet: bool = False) -> None:
        if key not in self.keys:
            code = self.code
            self.missing(key)
            self.code = code if quiet else self.code
            return
        if not has(self.ctx.box, self.ctx.spot, "ALL"):  # /proc/sys of a container is read-only
            self.fail(f'sysctl: permission denied on key "{key}"')
            return
        if "--dry-run" not in self.got:
            try:
                self.ctx.do(SetSysctl(netns=self.ctx.spot.netns, key=key, value=value))
            except OpError as error:
                self.fail(error.tool_text)
                return
        if "-q" not in self.got:
            self.show(key, value)

    def load(self, name: str) -> None:
        """-p: settings from a file; bad lines are named first."""
        try:
            text = self.ctx.stdin if name == "-" else self.ctx.files.read(self.ctx.path(name))
        except FileError as error:
            self.fail(f'sysctl: cannot open "{name}": {error.reason}')
            return
        rows: list[tuple[str, str, bool]] = []
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if not line or line[0] in "#;":
                continue
            key, equals, value = line.partition("=")
            if not equals:
                self.fail(f"sysctl: {name}({number}): invalid syntax, continuing...")
                continue
            rows.append((key_of(key.strip().removeprefix("-")), value.strip(), key.startswith("-")))
        for key, value, quiet in rows:
            self.write(key, value, quiet)


def _run(ctx: Context, argv: list[str]) -> Out:
    got = TOOL.parse(argv)
    if "-V" in got:
        return Out(stdout="sysctl from procps-ng 4.0.2\n")
    if "-h" in got:
        return Out(stdout=USAGE)
    if "-N" in got and "-q" in got:
        raise Fail("sysctl: options -N and -q cannot coexist")
    run = Run(ctx, got)
    if "-p" in got:
        for name in got.words or ["/etc/sysctl.conf"]:
            run.load(name)
    elif "-a" in got:
        try:
            pattern = re.compile(got.last("-r", ""))
        except re.error:
            raise NotModelled(f"sysctl --pattern {got.last('-r')}") from None
        for key in run.keys:
            if pattern.search(key):
                run.show(key, ctx.ns.sysctl(key))
    elif not got.words:
        return Out(stderr=USAGE, code=1)
    else:
        for word in got.words:
            name, equals, value = word.partition("=")
            if equals and name.strip():
                run.write(key_of(name.strip()), value.strip())
            elif equals or "-w" in got:
                run.fail("sysctl: command line(0): invalid syntax, continuing...")
            else:
                run.read(word)
    return Out(stdout=run.out, stderr=run.err, code=run.code)


def _unknown(tool: Tool, option: str) -> Fail:
    """procps prints its usage behind the error, and ends well."""
    text = getopt_unknown(tool, option).out.stderr.rstrip("\n")
    return Fail(text, 0, stdout=USAGE)


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    return [*known(ctx.ns), *(name for opt in TOOL.opts for name in opt.names if not opt.refused)]


TOOL = Tool(
    name="sysctl",
    summary=Phrase(
        en="shows and changes settings of the kernel for this network namespace",
        ko="이 네트워크 네임스페이스의 커널 설정을 보고 바꿉니다",
    ),
    run=_run,
    complete=_complete,
    group="net",
    usage=("sysctl [-n] KEY ...", "sysctl [-w] KEY=VALUE ...", "sysctl -a [-r PATTERN]", "sysctl -p [FILE]"),
    opts=(
        Opt(("-w", "--write"), "", Phrase(en="write values", ko="값 쓰기")),
        Opt(("-a", "--all", "-A", "-X"), "", Phrase(en="all keys", ko="모든 키")),
        Opt(
            ("-r", "--pattern"),
            "PATTERN",
            Phrase(en="with -a: only keys that match", ko="-a와 함께: 맞는 키만"),
        ),
        Opt(("-n", "--values"), "", Phrase(en="values without keys", ko="키 없이 값만")),
        Opt(("-N", "--names"), "", Phrase(en="keys without values", ko="값 없이 키만")),
        Opt(("-b", "--binary"), "", Phrase(en="the value without a newline", ko="줄바꿈 없이 값만")),
        Opt(("-e", "--ignore"), "", Phrase(en="say nothing about unknown keys", ko="없는 키는 말하지 않음")),
        Opt(("-q", "--quiet"), "", Phrase(en="do not echo what was set", ko="설정한 것을 출력하지 않음")),
        Opt(("-p", "--load", "-f"), "", Phrase(en="read values from a file", ko="파일에서 값을 읽음")),
        Opt(("--dry-run",), "", Phrase(en="only say what would be set", ko="무엇을 설정할지만 말함")),
        Opt(("-V", "--version"), "", Phrase(en="print the version", ko="버전 출력")),
        Opt(("-h", "--help", "-d"), "", Phrase(en="print the usage", ko="쓰는 법 출력")),
        Opt(("-o",), ""),
        Opt(("-x",), ""),
        Opt(("--deprecated",), "", refused=True),
        Opt(("--system",), "", refused=True),
    ),
    unknown=_unknown,
)
