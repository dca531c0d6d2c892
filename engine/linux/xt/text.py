"""How the tools print tables: iptables -S, iptables -L in its columns, iptables-save.

Rules. To the character as iptables 1.8.9 (nf_tables) prints, odd spaces included; held by goldens of the real tool.
The line with the time in iptables-save is made from the virtual clock by the tool, not here.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.linux.addr import text4
from engine.linux.xt.match import Destination, InDevice, OutDevice, Protocol, Source, range_text
from engine.linux.xt.match_header import Fragment
from engine.linux.xt.names import protocol_name
from engine.linux.xt.rule import XtRule
from engine.linux.xt.tables import Chain, Xtables


def amount(number: int, exact: bool, column: bool = True) -> str:
    """A counter: right-aligned in a column, shortened from 100000 on unless `exact`."""
    if exact:
        return f"{number:8d} " if column else f"{number} "
    if number <= 99999:
        return f"{number:5d} " if column else f"{number} "
    for unit in "KMGT":
        number = (number + 500) // 1000
        if number <= 9999 or unit == "T":
            return f"{number:4d}{unit} " if column else f"{number}{unit} "
    raise AssertionError("unreachable")


def head(chain: Chain, references: int, *, verbose: bool, exact: bool, numbers: bool) -> str:
    """The two lines above a chain's rules in -L."""
    if chain.policy:
        counts = ""
        if verbose:
            packets = amount(chain.policy_packets, exact, False)
            counts = f" {packets}packets, {amount(chain.policy_bytes, exact, False)}bytes"
        out = f"Chain {chain.name} (policy {chain.policy}{counts})\n"
    else:
        out = f"Chain {chain.name} ({references} references)\n"
    if numbers:
        out += "num  "
    if verbose:
        out += f"{'pkts':>8} {'bytes':>10} " if exact else f"{'pkts':>5} {'bytes':>5} "
    out += f"{'target':<9}  prot opt"
    if verbose:
        out += f" {'in':<6} {'out':<6} "
    return out + f" {'source':<19}  {'destination':<19} \n"


def _address(match: Source | Destination | None, numeric: bool) -> str:
    if match is None or (match.length == 0 and not numeric):
        text = "0.0.0.0/0" if numeric else "anywhere"
    elif match.addr == (127 << 24 | 1) and match.length == 32 and not numeric:
        text = "localhost"
    else:
        text = f"{text4(match.addr)}/0" if match.length == 0 else range_text(match.addr, match.length)
    return f"{'!' if match is not None and match.invert else ' '}{text:<19} "


def fragment_word(rule: XtRule) -> str:
    """The opt column."""
    found = next((m for m in rule.matches if isinstance(m, Fragment)), None)
    return "--" if found is None else "!f" if found.invert else "-f"


def line(
    rule: XtRule, number: int, packets: int, bytes_: int, *,
    numeric: bool, verbose: bool, exact: bool, numbers: bool,
) -> str:  # fmt: skip
    """One rule in -L."""
    basics = {
        type(m): m
        for m in rule.matches
        if isinstance(m, Source | Destination | InDevice | OutDevice | Protocol)
    }
    proto, incoming, outgoing = basics.get(Protocol), basics.get(InDevice), basics.get(OutDevice)
    source, dest = basics.get(Source), basics.get(Destination)
    assert proto is None or isinstance(proto, Protocol)
    assert incoming is None or isinstance(incoming, InDevice)
    assert outgoing is None or isinstance(outgoing, OutDevice)
    assert source is None or isinstance(source, Source)
    assert dest is None or isinstance(dest, Destination)
    out = f"{number:<4} " if numbers else ""
    if verbose:
        out += amount(packets, exact) + amount(bytes_, exact)
    out += f"{'' if rule.target is None else rule.target.name():<9} "
    out += "!" if proto is not None and proto.invert else " "
    value = proto.number if proto is not None else 0
    name = None if numeric else protocol_name(value)
    name = "all" if value == 0 and not numeric else name
    out += f"{name or value:<4} {fragment_word(rule)} "
    if verbose:
        nothing = "*" if numeric else "any"
        for device, lead in ((incoming, " "), (outgoing, "")):
            text = nothing if device is None else f"{'!' if device.invert else ''}{device.name}"
            out += f"{lead}{text:<6} "
    out += _address(source, numeric) + _address(dest, numeric)
    if rule.target is not None and rule.target.verdict() == "goto":
        out += "[goto] "
    out += "".join(m.listing(numeric, value) for m in rule.matches)
    return out + (rule.target.listing(numeric) if rule.target is not None else "") + "\n"


def spoken(rule: XtRule) -> str:
    """One rule as -v makes -A, -I, -D, -C and -R say it."""
    proto = next((m for m in rule.matches if isinstance(m, Protocol)), None)
    incoming = next((m for m in rule.matches if isinstance(m, InDevice)), None)
    outgoing = next((m for m in rule.matches if isinstance(m, OutDevice)), None)
    source = next((m for m in rule.matches if isinstance(m, Source)), None)
    dest = next((m for m in rule.matches if isinstance(m, Destination)), None)
    value = proto.number if proto is not None else 0
    name = (protocol_name(value, own=True) if value else "all") or value
    target = "" if rule.target is None else rule.target.name()
    out = f"{target} {'!' if proto and proto.invert else ' '}{name} opt {fragment_word(rule)} "
    for word, device in (("in", incoming), ("out", outgoing)):
        out += f"{word} {'!' if device and device.invert else ''}{device.name if device else '*'} "
    for lead, match in (("", source), ("-> ", dest)):
        text = "0.0.0.0/0" if match is None or not match.length else range_text(match.addr, match.length)
        out += f"{'!' if match and match.invert else ' '}{lead}{text}" + ("" if lead else " ")
    out += "  "
    if rule.target is not None and rule.target.verdict() == "goto":
        out += "[goto] "
    out += "".join(m.listing(True, value) for m in rule.matches)
    return out + (rule.target.listing(True) if rule.target is not None else "") + "\n"


def listing(
    xt: Xtables, table: str, chains: list[Chain], *,
    numeric: bool = False, verbose: bool = False, exact: bool = False, numbers: bool = False, only: int = 0,
) -> str:  # fmt: skip
    """`iptables -L`; `only` = one rule, without the head."""
    references = xt.references(table)
    parts = []
    for chain in chains:
        out = (
            "" if only else head(chain, references[chain.name], verbose=verbose, exact=exact, numbers=numbers)
        )
        for i, rule in enumerate(chain.rules):
            if not only or only == i + 1:
                out += line(
                    rule, i + 1, chain.packets[i], chain.bytes[i],
                    numeric=numeric, verbose=verbose, exact=exact, numbers=numbers,
                )  # fmt: skip
        parts.append(out)
    return "\n".join(parts)


def _counted(chain: Chain, at: int) -> str:
    """A rule with -v in -S: the counters stand before the target."""
    rule = chain.rules[at]
    words = ["-A", chain.name, *(w for m in rule.matches for w in m.words())]
    words += ["-c", str(chain.packets[at]), str(chain.bytes[at])]
    return " ".join(words + (rule.target.words() if rule.target is not None else []))


def rule_lines(
    chains: list[Chain], *, heads: bool = True, counters: bool = False, only: int = 0
) -> Iterator[str]:
    """`iptables -S`: policies and chains first, then the rules."""
    if heads and not only:
        for chain in chains:
            if not chain.policy:
                yield f"-N {chain.name}"
            elif counters:
                yield f"-P {chain.name} {chain.policy} -c {chain.policy_packets} {chain.policy_bytes}"
            else:
                yield f"-P {chain.name} {chain.policy}"
    for chain in chains:
        for i in range(len(chain.rules)):
            if not only or only == i + 1:
                yield _counted(chain, i) if counters else chain.row(i)


def save(xt: Xtables, table: str, *, counters: bool = False) -> str:
    """One table of iptables-save, from its star to its COMMIT."""
    out = [f"*{table}"]
    chains = xt.shown(table)
    out += [f":{c.name} {c.policy or '-'} [{c.policy_packets}:{c.policy_bytes}]" for c in chains]
    for chain in chains:
        for i in range(len(chain.rules)):
            lead = f"[{chain.packets[i]}:{chain.bytes[i]}] " if counters else ""
            out.append(lead + chain.row(i))
    return "\n".join([*out, "COMMIT"]) + "\n"
