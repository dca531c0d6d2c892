"""The chains of a node that a packet can meet on a visit, opened: every rule with its counters, the ones met marked.

Theory. Which chains there are follows from the hooks of the visit's diagram: at each hook its tables by priority, of
each table that exists the built-in chain, then the user chains that the packet met there, in the order of meeting. The
base chains of nft stand at their hooks beside them. A rule that jumps leads to its chain.

Rules. Pure, from the rows of one namespace. Rules are as the tool prints them; only the lines in view are made, so that
a chain of ten thousand rules costs no more than one of ten.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from course.render.caption import Line, clip_line, clip_rule
from course.render.glyphs import Glyphs
from course.render.words import ui
from course.render.zoom import diagram
from engine.linux.journey import Step, StepKind
from engine.linux.net import Netns
from engine.linux.nft.tables import HOOKS
from engine.linux.nft.tables import Chain as NftChain
from engine.linux.xt.rule import XtRule
from engine.linux.xt.tables import LAYOUT, Chain
from engine.record import dataclass
from engine.say import Phrase

HOOK_NAMES = tuple(LAYOUT)
POLICY = Phrase("policy {policy}", "정책 {policy}")
PACKETS = Phrase("packets", "패킷")
BYTES = Phrase("bytes", "바이트")
EMPTY = Phrase("the chain is empty", "체인이 비어 있습니다")
NO_CHAINS = Phrase("no table stands on this way", "이 길에는 테이블이 없습니다")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainKey:
    """A chain met at a hook. `table` is `nat`, or nft's family and table: `inet filter`."""

    hook: str
    table: str
    chain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A chain with the steps that the packet took in it, by rule number; a policy has the number behind the last."""

    key: ChainKey
    rules: int
    policy: str
    met: dict[int, Step]
    exists: bool = True


def chains(ns: Netns, steps: Sequence[Step], lang: str = "en") -> list[ChainKey]:
    """The chains of the visit, in the order in which the packet comes to their hooks."""
    out: dict[ChainKey, None] = {}
    hooks = [s.title for s in diagram(steps, None, lang) if s.title in HOOK_NAMES and not s.away]
    met: dict[tuple[str, str], list[str]] = {}
    for step in steps:
        if step.kind in (StepKind.RULE, StepKind.POLICY):
            met.setdefault((step.hook, step.table), []).append(step.chain)
    for hook in hooks:
        own = [(priority, table, hook) for table, priority in LAYOUT[hook] if table in ns.xt.tables]
        nft = [
            (chain.base.priority, f"{table.family} {table.name}", chain.name)
            for table in ns.nft.tables.values()
            for chain in table.chains.values()
            if chain.base is not None and HOOKS.get(chain.base.hook) == hook
        ]
        for _, table, chain in sorted([*own, *nft], key=lambda one: one[0]):
            if opened(ns, ChainKey(hook=hook, table=table, chain=chain), steps).exists:
                out[ChainKey(hook=hook, table=table, chain=chain)] = None
            for name in met.get((hook, table), ()):
                out[ChainKey(hook=hook, table=table, chain=name)] = None
    return list(out)


def opened(ns: Netns, key: ChainKey, steps: Sequence[Step]) -> Opened:
    """The chain and what the packet met in it at its hook."""
    chain = _chain(ns, key)
    met = {
        step.number: step
        for step in steps
        if step.kind in (StepKind.RULE, StepKind.POLICY)
        and (step.hook, step.table, step.chain) == (key.hook, key.table, key.chain)
    }
    if chain is None:
        return Opened(key=key, rules=0, policy="", met=met, exists=False)
    policy = chain.policy if isinstance(chain, Chain) else chain.base.policy.upper() if chain.base else ""
    return Opened(key=key, rules=len(chain.rules), policy=policy, met=met)


def _chain(ns: Netns, key: ChainKey) -> Chain | NftChain | None:
    family, _, name = key.table.partition(" ")
    if name:
        table = ns.nft.tables.get((family, name))
        return table.chains.get(key.chain) if table is not None else None
    return ns.xt.chain(key.table, key.chain)


def target(ns: Netns, key: ChainKey, at: int) -> ChainKey | None:
    """The chain that rule `at` (from 0) leads to."""
    chain = _chain(ns, key)
    if chain is None or not 0 <= at < len(chain.rules):
        return None
    rule = chain.rules[at]
    for name in [rule.jumps_to] if isinstance(rule, XtRule) else sorted(rule.targets()):
        to = ChainKey(hook=key.hook, table=key.table, chain=name)
        if name and _chain(ns, to) is not None:
            return to
    return None


def first_met(found: Opened) -> int:
    """The index of the first rule that the packet met, 0 when there is none."""
    return min((n - 1 for n in found.met if n >= 1), default=0)


# ---- lines


def head(found: Opened, number: int, total: int, width: int, lang: str, glyphs: Glyphs) -> Line:
    """Table, chain, policy, how many of its rules the packet met, which chain of how many."""
    rules = sum(1 for n in found.met if 1 <= n <= found.rules)
    line: Line = [(f" {found.key.table} {found.key.chain}", "title")]
    if found.key.chain not in HOOK_NAMES:
        line.append((f" {glyphs.dot} {found.key.hook}", "word"))
    if found.policy:
        line.append((f" {glyphs.dot} {POLICY(policy=found.policy).text(lang)}", "word"))
    line.append(
        (f" {glyphs.dot} {ui('rules-met', lang, met=f'{rules:,}', tried=f'{found.rules:,}')}", "word")
    )
    right: Line = [(f"{ui('chain', lang)} {number}/{total} ", "word")]
    gap = width - sum(cell_len(t) for t, _ in (*line, *right))
    return clip_line([*line, (" " * gap, ""), *right] if gap > 0 else line, width, glyphs)


def rows(
    ns: Netns, found: Opened, at: int, width: int, height: int, lang: str, glyphs: Glyphs
) -> list[Line]:  # fmt: skip
    """The rules around rule `at`, one a line, with their packets and bytes; then the policy. The pointed one has the
    `here` mark, one that the packet met the `met` mark, the one that stopped it the stop mark."""
    chain = _chain(ns, found.key)
    if chain is None:
        return []
    policy = bool(found.policy)
    total = found.rules + policy
    if not total:
        return [[("   " + EMPTY().text(lang), "away")]]
    room = max(1, height - 1)
    start = max(0, min(at - room // 2, total - room))
    cells = [_cells(chain, found, i, ns) for i in range(start, min(total, start + room))]
    counts = [max(cell_len(c[n]) for c in cells) for n in range(2)]
    counts = [max(w, cell_len(name().text(lang))) for w, name in zip(counts, (PACKETS, BYTES), strict=True)]
    number = max(len(str(total)), 2)
    title = [name().text(lang) for name in (PACKETS, BYTES)]
    out: list[Line] = [
        [
            (
                f"    {'#'.rjust(number)}  "
                + "  ".join(_right(t, w) for t, w in zip(title, counts, strict=True)),
                "head",
            )
        ]
    ]
    for i, (packets, size, text) in enumerate(cells, start):
        step = found.met.get(i + 1)
        stopped = step is not None and step.verdict in ("drop", "reject")
        mark = glyphs.stopped if stopped else glyphs.met if step is not None else " "
        role = "stopped" if stopped else "now" if i == at else "met" if step is not None else "row"
        here = glyphs.here if i == at else " "
        name = str(i + 1).rjust(number) if i < found.rules else " " * number
        left = f" {here}{mark} {name}  {_right(packets, counts[0])}  {_right(size, counts[1])}  "
        out.append(
            [
                (left, role if i == at or step is not None else "chain"),
                (clip_rule(text, width - cell_len(left), glyphs), role),
            ]
        )
    return out


def _cells(chain: Chain | NftChain, found: Opened, at: int, ns: Netns) -> tuple[str, str, str]:
    """(packets, bytes, text) of a rule, or of the policy behind the last one."""
    if isinstance(chain, NftChain):
        if at >= found.rules:
            return "", "", f"policy {found.policy.lower()}"
        names = {i: link.name for i, link in ns.links.items()}
        return "", "", chain.rules[at].text(names, chain.cells)
    if at >= found.rules:
        return f"{chain.policy_packets:,}", f"{chain.policy_bytes:,}", f"-P {found.policy}"
    text = chain.row(at).removeprefix(f"-A {chain.name} ").strip()
    return f"{chain.packets[at]:,}", f"{chain.bytes[at]:,}", text


def _right(text: str, width: int) -> str:
    return " " * (width - cell_len(text)) + text
