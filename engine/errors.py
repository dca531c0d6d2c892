"""Every error that the engine raises on purpose.

    EngineError                 something a person can act on; never a defect of ours
    +-- InputError              a file or an argument is wrong; holds one Problem or many, all at once
    +-- NotModelled             true Kubernetes or Linux, but outside the model: a flag, a match, a field
    +-- OpError                 the kernel refuses a change; `.tool_text` is what the real tool prints

Rules. The text says where, what was found, what is accepted and the next step, in both languages. Anything
else that escapes is a bug and must look like one (the command line turns it into a crash file).
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.record import dataclass
from engine.say import Phrase, Said


class EngineError(Exception):
    """Base of the tree. `said` is the sentence; `str(error)` is its English."""

    def __init__(self, said: Said) -> None:
        super().__init__(said.text("en"))
        self.said = said

    def text(self, lang: str = "en") -> str:
        return self.said.text(lang)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in a file. `where` is `file:line: path.to[2].key`, as much of it as is known."""

    where: str
    said: Said

    def text(self, lang: str = "en") -> str:
        return f"{self.where}: {self.said.text(lang)}" if self.where else self.said.text(lang)


class InputError(EngineError):
    """A file or an argument cannot be used. All problems of one input come together."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        if not problems:
            raise ValueError("an InputError needs at least one problem")
        super().__init__(problems[0].said)
        self.problems = tuple(problems)

    def text(self, lang: str = "en") -> str:
        return "\n".join(p.text(lang) for p in self.problems)

    def __str__(self) -> str:
        return self.text("en")


NOT_MODELLED = Phrase(
    en="{what} is not modelled here. {next}",
    ko="{what}은(는) 이 모델에 아직 없습니다. {next}",
)


class NotModelled(EngineError):
    """Real, but outside the model. `what` names the flag, match or field; `next` says what to use instead."""

    def __init__(self, what: str, next: Said | str = "") -> None:
        super().__init__(NOT_MODELLED(what=what, next=next))
        self.what = what


class OpError(EngineError):
    """The kernel says no. `errno` is the symbol (EEXIST), `tool_text` the line that the tool prints."""

    def __init__(self, errno: str, tool_text: str, said: Said | None = None) -> None:
        from engine.say import plain

        super().__init__(said if said is not None else plain(tool_text))
        self.errno = errno
        self.tool_text = tool_text
