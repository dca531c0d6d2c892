"""The command `iptables` without a shell around it: an argv, ops, the real tool's output and exit code.

Rules. `run` asks for changes by `do` only, which applies an op or raises. NotModelled goes through to the caller.
Controllers that run iptables on a real machine (Docker, CNI plugins) may run it here too: `run_line`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.errors import NotModelled, OpError
from engine.linux.net import Net
from engine.linux.ops.base import Op
from engine.linux.ops.xt import (
    XtAppend,
    XtDelete,
    XtDeleteChain,
    XtDeleteNumber,
    XtFlush,
    XtInsert,
    XtNewChain,
    XtPolicy,
    XtRenameChain,
    XtReplace,
    XtZero,
    find,
)  # fmt: skip
from engine.linux.xt.options import VERSION, Problem
from engine.linux.xt.parse import BadArgument, Command, HelpAsked, OtherFamily, VersionAsked, parse, split
from engine.linux.xt.refused import BAD_RULE, VERSION_TEXT, XtRefused, hint, no_such_chain, problem_text
from engine.linux.xt.tables import TABLES, Chain, Xtables, builtin
from engine.linux.xt.text import listing, rule_lines, spoken
from engine.say import Phrase

Do = Callable[[Op], None]
Result = tuple[str, str, int]
PROGRAM = "iptables"
SEE_MAN = Phrase(en="`help iptables` lists what is.", ko="쓸 수 있는 것은 `help iptables`로 볼 수 있습니다.")


def run(net: Net, netns: str, argv: Sequence[str], do: Do) -> Result:
    """(stdout, stderr, exit code) of `iptables ARGV` in a namespace."""
    return _run(argv, lambda command: act(net, netns, with_sets(net, netns, command), do))


def with_sets(net: Net, netns: str, command: Command) -> Command:
    """The command, if every ipset that it names is there: iptables looks while it reads. Raises Problem."""
    for name in (name for rule in command.rules for name in rule.sets):
        if name not in net.spaces[netns].ipsets.sets:
            raise Problem(f"Set {name} doesn't exist.\n")
    return command


def dry(argv: Sequence[str]) -> Result:
    """What comes of `iptables ARGV` before it looks at the kernel: its own refusals, or nothing."""
    return _run(argv, lambda command: "")


def _run(argv: Sequence[str], then: Callable[[Command], str]) -> Result:
    try:
        command = parse(argv)
        if command.table not in TABLES:
            raise Problem(f"table '{command.table}' does not exist", VERSION)
        return then(command), command.warnings, 0
    except VersionAsked as asked:
        negated = asked.args[0]
        return f"Not {VERSION_TEXT} ;-)\n" if negated else f"{PROGRAM} v{VERSION_TEXT}\n", "", 0
    except HelpAsked:
        raise NotModelled("iptables -h", SEE_MAN()) from None
    except OtherFamily:
        return "", hint(PROGRAM), 2
    except BadArgument as error:
        return "", f"Bad argument `{error}'\n{hint(PROGRAM)}", 2
    except Problem as problem:
        text, code = problem_text(problem, PROGRAM)
        return "", text, code
    except XtRefused as error:
        text, code = error.render(PROGRAM)
        return error.spoken, text, code


def run_line(net: Net, netns: str, text: str, do: Do) -> None:
    """One command line of a controller, without the word iptables: `-t nat -A POSTROUTING ...`. Raises OpError with
    iptables' words where the real controller would see it fail."""
    _, err, code = run(net, netns, split(text), do)
    if code:
        raise OpError("EINVAL", err.rstrip("\n"))


def act(net: Net, netns: str, c: Command, do: Do) -> str:
    """Carry out one command that was read; what it prints."""
    xt = net.spaces[netns].xt
    if c.command in ("L", "S"):
        out = show(xt, c)
        if c.zero:
            do(XtZero(netns=netns, table=c.table, chain=c.chain, number=c.rulenum))
        return out
    if c.command == "C":
        return check(xt, c)
    out = verbose_text(xt, c)
    try:
        do(op_of(netns, c))
    except XtRefused as error:
        if error.shape == "kernel":
            error.spoken = out  # iptables has spoken before it hears the kernel
        raise
    return out


def op_of(netns: str, c: Command) -> Op:
    """The op of a command that changes something."""
    at = {"netns": netns, "table": c.table}
    packets, size = c.counters
    match c.command:
        case "A":
            return XtAppend(**at, chain=c.chain, rules=c.rules, packets=packets, bytes=size)
        case "I":
            rules = c.rules[::-1]
            return XtInsert(**at, chain=c.chain, rules=rules, position=c.rulenum, packets=packets, bytes=size)
        case "R":
            return XtReplace(
                **at, chain=c.chain, number=c.rulenum, rule=c.rules[0], packets=packets, bytes=size
            )
        case "D":
            return XtDelete(**at, chain=c.chain, rules=c.rules)
        case "#":
            return XtDeleteNumber(**at, chain=c.chain, number=c.rulenum)
        case "F":
            return XtFlush(**at, chain=c.chain)
        case "N":
            return XtNewChain(**at, chain=c.chain)
        case "X":
            return XtDeleteChain(**at, chain=c.chain)
        case "E":
            return XtRenameChain(**at, chain=c.chain, new_name=c.new_name)
        case "P":
            return XtPolicy(**at, chain=c.chain, policy=c.policy)
        case "Z":
            return XtZero(**at, chain=c.chain, number=c.rulenum)
    raise ValueError(f"command {c.command!r}")


def chains_of(xt: Xtables, c: Command) -> list[Chain]:
    """The chains that -L and -S print."""
    chains = xt.shown(c.table)
    if not c.chain:
        return chains
    found = [chain for chain in chains if chain.name == c.chain]
    if not found:
        text = f"chain `{c.chain}' in table `{c.table}' is incompatible, use 'nft' tool."
        raise XtRefused("ENOENT", "incompatible", text)
    return found


def show(xt: Xtables, c: Command) -> str:
    chains = chains_of(xt, c)
    if c.command == "S":
        return "".join(f"{row}\n" for row in rule_lines(chains, counters=bool(c.verbose), only=c.rulenum))
    return listing(
        xt, c.table, chains, numeric="n" in c.flags, verbose=bool(c.verbose), exact="x" in c.flags,
        numbers="0" in c.flags, only=c.rulenum,
    )  # fmt: skip


def check(xt: Xtables, c: Command) -> str:
    """-C: nothing when every rule is there."""
    table = xt.tables.get(c.table, {})
    for rule in c.rules:
        if rule.jumps_to and rule.jumps_to not in table and rule.jumps_to not in builtin(c.table):
            raise no_such_chain(rule.jumps_to)
    chain = table.get(c.chain)
    for rule in c.rules:
        if chain is None or find(chain, rule) < 0:
            raise XtRefused("ENOENT", "table", BAD_RULE)
    return verbose_text(xt, c)


def verbose_text(xt: Xtables, c: Command) -> str:
    """What -v makes a command say."""
    if not c.verbose:
        return ""
    there = [chain for chain in xt.shown(c.table) if chain.name in xt.tables.get(c.table, {})]
    match c.command:
        case "F":
            names = [c.chain] if c.chain else [chain.name for chain in xt.shown(c.table)]
            return "".join(f"Flushing chain `{n}'\n" for n in names)
        case "Z":
            names = [c.chain] if c.chain else [chain.name for chain in there]
            return "" if c.rulenum else "".join(f"Zeroing chain `{n}'\n" for n in names)
        case "X":
            names = [c.chain] if c.chain else [chain.name for chain in there]
            return "".join(f"Deleting chain `{n}'\n" for n in names if n not in builtin(c.table))
    return "".join(spoken(rule) for rule in c.rules)
