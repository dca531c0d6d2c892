"""One iptables rule as a frozen row: it prints itself and says in a sentence what it asks and does.

Rules. Matches stand in the order in which iptables-save prints them: -s -d -i -o -p, then each -m in the order in
which it was written. Two rules are the same for -D and -C exactly when they are equal. Reading text: parse.py.
"""

from __future__ import annotations

from engine.linux.xt.match import Destination, InDevice, Match, OutDevice, Protocol, Source
from engine.linux.xt.match_l4 import together
from engine.linux.xt.match_more import Comment
from engine.linux.xt.target import Jump, Target
from engine.record import dataclass, replace
from engine.say import Phrase, Said

WHEN_THEN = Phrase("{when}: {then}", "{when}: {then}")
EVERY = Phrase("every packet: {then}", "모든 패킷: {then}")
COUNT = Phrase("only count it, and go on", "카운터만 올리고 계속합니다")


@dataclass(frozen=True, slots=True, kw_only=True)
class XtRule:
    """Matches in the order they are printed and one target (None: the rule only counts)."""

    matches: tuple[Match, ...] = ()
    target: Target | None = None

    @property
    def needs_conntrack(self) -> bool:
        return any(m.needs_conntrack for m in self.matches) or (
            self.target is not None and self.target.needs_conntrack
        )

    @property
    def stateful(self) -> bool:
        return any(m.stateful for m in self.matches)

    @property
    def sets(self) -> tuple[str, ...]:
        """The ipsets that it uses, each as often as it is used."""
        asked = tuple(name for m in self.matches for name in m.sets)
        return asked + (self.target.sets if self.target is not None else ())

    @property
    def remembers(self) -> tuple[tuple[tuple[str, str], dict[int, int]], ...]:
        """What its matches keep for the whole namespace."""
        return tuple(one for m in self.matches for one in m.remembers)

    @property
    def proto(self) -> int:
        """The number of -p; 0 without one or with a negated one."""
        return next((m.number for m in self.matches if isinstance(m, Protocol) and not m.invert), 0)

    @property
    def picky(self) -> bool:
        """Does its target or a match work in some hooks only?"""
        return bool(self.target is not None and self.target.hooks) or any(m.hooks for m in self.matches)

    @property
    def jumps_to(self) -> str:
        """The user chain that it goes to, or ""."""
        return self.target.chain if isinstance(self.target, Jump) else ""

    def jumping_to(self, chain: str) -> XtRule:
        """The same jump to another chain."""
        assert isinstance(self.target, Jump)
        return replace(self, target=replace(self.target, chain=chain))

    def words(self) -> list[str]:
        """Everything behind `-A CHAIN`, in the words of iptables-save."""
        out = [word for match in self.matches for word in match.words()]
        return out + (self.target.words() if self.target is not None else [])

    def text(self, chain: str) -> str:
        """`-A CHAIN ...`, one line of iptables-save."""
        return " ".join(["-A", chain, *self.words()])

    def verdict(self) -> str:
        return "continue" if self.target is None else self.target.verdict()

    def why(self) -> Said:
        """`destination port 80, did not come in by docker0: rewrite the destination to 172.17.0.2:80`."""
        then = COUNT() if self.target is None else self.target.why()
        asked = [m for m in self.matches if not isinstance(m, Comment)]
        if len(asked) > 1:
            # "destination port 80" says more than "protocol tcp", and the transport match repeats it.
            names = {type(m).__name__ for m in asked}
            if names & {"TcpMatch", "UdpMatch", "SctpMatch", "IcmpMatch", "Multiport"}:
                asked = [m for m in asked if not isinstance(m, Protocol)]
        asked.sort(key=lambda m: isinstance(m, Source | Destination | InDevice | OutDevice))
        return WHEN_THEN(when=together([m.why() for m in asked]), then=then) if asked else EVERY(then=then)
