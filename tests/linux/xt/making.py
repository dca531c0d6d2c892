"""Random rules as people could type them, for the tests of this folder.

`texts(table)` draws everything behind `-A CHAIN` that the real iptables takes in that table and chain.
"""

from __future__ import annotations

from hypothesis import strategies as st

addresses = st.builds("{}.{}.{}.{}".format, st.integers(1, 255), *[st.integers(0, 255)] * 3)
prefixes = st.one_of(addresses, st.builds("{}/{}".format, addresses, st.integers(1, 32)))
devices = st.sampled_from(["lo", "eth0", "docker0", "veth+", "br-0123456789ab", "cali+"])
ports = st.integers(0, 65535)
ranges = st.tuples(st.integers(1, 65535), st.integers(1, 65535)).map(lambda p: f"{min(p)}:{max(p)}")
bangs = st.sampled_from(["", "", "! "])
marks = st.integers(0, 0xFFFFFFFF)
words = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=28).filter(
    lambda s: s.strip() == s and not s.startswith(("-", "!"))
)
STATES = ["INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED"]
TYPES = ["UNICAST", "LOCAL", "BROADCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT"]
TCP = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"]
REJECTS = [
    "icmp-net-unreachable", "icmp-host-unreachable", "icmp-proto-unreachable", "icmp-port-unreachable",
    "icmp-net-prohibited", "icmp-host-prohibited", "icmp-admin-prohibited",
]  # fmt: skip


def quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def some(values: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(",".join)


@st.composite
def transport(draw: st.DrawFn, proto: str) -> str:
    out = ""
    if draw(st.booleans()):
        out += f" {draw(bangs)}--sport {draw(st.one_of(ports.map(str), ranges))}"
    if draw(st.booleans()):
        out += f" {draw(bangs)}--dport {draw(st.one_of(ports.map(str), ranges))}"
    if proto == "tcp" and draw(st.integers(0, 3)) == 0:
        out += f" {draw(bangs)}--tcp-flags {draw(some(TCP))} {draw(some(TCP))}"
    return f" -m {proto}{out}" if out else ""


@st.composite
def extra(draw: st.DrawFn, proto: str) -> str:
    """One match that needs -m."""
    kind = draw(st.integers(0, 9 if proto in ("tcp", "udp") else 8))
    no = draw(bangs)
    if kind == 0:
        return f"-m comment --comment {quote(draw(words))}"
    if kind == 1:
        return f"-m conntrack {no}--ctstate {draw(some([*STATES, 'SNAT', 'DNAT']))}"
    if kind == 2:
        return f"-m state {no}--state {draw(some(STATES))}"
    if kind == 3:
        return f"-m mark {no}--mark {draw(marks)}/{draw(marks)}"
    if kind == 4:
        return f"-m connmark {no}--mark {draw(marks)}"
    if kind == 5:
        return f"-m addrtype {no}--src-type {draw(some(TYPES))} {draw(bangs)}--dst-type {draw(some(TYPES))}"
    if kind == 6:
        return f"-m physdev {no}--physdev-in {draw(devices)} {draw(bangs)}--physdev-is-bridged"
    if kind == 7:
        every = draw(st.integers(1, 2**31))
        return f"-m statistic --mode nth {no}--every {every} --packet {draw(st.integers(0, every - 1))}"
    if kind == 8:
        chance = draw(st.floats(0, 1, allow_nan=False))
        return f"-m statistic --mode random {no}--probability {chance:.11f}"
    which = draw(st.sampled_from(["sports", "dports", "ports"]))
    # A range of two equal or falling ports is refused, so ranges rise here.
    rising = ports.filter(lambda p: p < 65535).map(lambda p: f"{p}:{p + 1}")
    listed = draw(st.lists(st.one_of(ports.map(str), rising), min_size=1, max_size=5))
    return f"-m multiport {no}--{which} {','.join(listed)}"


@st.composite
def nat_range(draw: st.DrawFn, proto: str, need: bool) -> str:
    out = draw(addresses)
    if draw(st.booleans()):
        out += f"-{draw(addresses)}"
    if proto and draw(st.booleans()):
        low, high = sorted((draw(ports), draw(ports)))
        out = ("" if draw(st.integers(0, 3)) == 0 and need is False else out) + f":{low}-{high}"
    return out


@st.composite
def target(draw: st.DrawFn, chain: str, table: str, proto: str) -> str:
    if table == "nat" and draw(st.booleans()):
        if chain == "POSTROUTING":
            if draw(st.booleans()):
                return "-j MASQUERADE" + (f" --to-ports {draw(ports)}" if proto else "")
            return f"-j SNAT --to-source {draw(nat_range(proto, True))}"
        if draw(st.booleans()):
            return "-j REDIRECT" + (f" --to-ports {draw(ports)}" if proto else "")
        return f"-j DNAT --to-destination {draw(nat_range(proto, True))}"
    plain = ["", "-j ACCEPT", "-j RETURN", "-j user", "-g user"] + ([] if table == "nat" else ["-j DROP"])
    if table == "filter":
        plain += [f"-j REJECT --reject-with {r}" for r in REJECTS]
        plain += ["-p tcp -j REJECT --reject-with tcp-reset"] if proto == "" else []
    plain += [
        f"-j MARK --set-xmark {draw(marks)}/{draw(marks)}", f"-j CONNMARK --set-xmark {draw(marks)}/{draw(marks)}",
        "-j CONNMARK --save-mark", f"-j CONNMARK --restore-mark --nfmask {draw(marks)} --ctmask {draw(marks)}",
        f"-j LOG --log-level {draw(st.integers(0, 7))} --log-prefix {quote(draw(words))} --log-uid",
    ]  # fmt: skip
    return draw(st.sampled_from(plain))


@st.composite
def texts(draw: st.DrawFn, chain: str, table: str) -> str:
    """One rule of a chain."""
    out = []
    if draw(st.booleans()):
        out.append(f"{draw(bangs)}-s {draw(prefixes)}")
    if draw(st.booleans()):
        out.append(f"{draw(bangs)}-d {draw(prefixes)}")
    if chain in ("PREROUTING", "INPUT", "FORWARD") and draw(st.booleans()):
        out.append(f"{draw(bangs)}-i {draw(devices)}")
    if chain in ("POSTROUTING", "OUTPUT", "FORWARD") and draw(st.booleans()):
        out.append(f"{draw(bangs)}-o {draw(devices)}")
    proto = draw(st.sampled_from(["", "tcp", "udp"]))
    other = draw(
        st.sampled_from(["", "-p icmp", "! -p esp", "-p 99", "-p icmp -m icmp --icmp-type 3/1", "! -p udp"])
    )
    if proto:
        out.append(f"-p {proto}{draw(transport(proto))}")
    elif other:
        out.append(other)
    for _ in range(draw(st.integers(0, 2))):
        out.append(draw(extra(proto)))
    act = draw(target(chain, table, proto))
    if act.startswith("-p "):
        act = act if not other else "-j DROP"
    return " ".join([*out, act]).strip()
