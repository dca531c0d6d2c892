"""What the tutor itself says to a person: one sentence, in every language of the course.

Rules. Every sentence that we write (a why, an error, a hint) is a `Phrase` that carries its English and its
Korean side by side, so that neither can be forgotten. Calling the phrase with its values gives a `Said`, a
frozen value that a step, an error or a finding keeps; text is made only where a person reads it.
What a real tool prints is not said by us and is never a Phrase. A Korean template writes both forms of a particle
after a value, `{dev}은(는)`; the text has the one that is right there (engine.particles).
"""

from __future__ import annotations

from typing import Final

from engine.record import dataclass

LANGUAGES: Final = ("en", "ko")

Value = "str | int | Said"


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence with named `{holes}`; both languages must use the same holes (a test checks every one)."""

    en: str
    ko: str

    def __call__(self, **values: str | int | Said) -> Said:
        """Fill the holes. A missing or surplus value is found by the test over all phrases, and when shown."""
        return Said(self, tuple(sorted(values.items()) if len(values) > 1 else values.items()))


@dataclass(frozen=True, slots=True)
class Said:
    """A phrase with its values. `text("ko")` is the sentence; unknown languages read English."""

    phrase: Phrase
    values: tuple[tuple[str, str | int | Said], ...] = ()

    def text(self, lang: str = "en") -> str:
        template = self.phrase.ko if lang == "ko" else self.phrase.en
        if not self.values:
            text = template.replace("{{", "{").replace("}}", "}")
        else:
            text = template.format(**{k: v.text(lang) if isinstance(v, Said) else v for k, v in self.values})
        if lang != "ko" or "(" not in text:
            return text
        from engine.particles import joined  # only Korean needs it, and start-up does not

        return joined(text)

    def __str__(self) -> str:
        return self.text("en")


def plain(text: str) -> Said:
    """A text that is the same in every language: a row, a name, a tool's own message."""
    safe = text.replace("{", "{{").replace("}", "}}")
    return Said(Phrase(safe, safe))
