"""A wish of a goal (`state:` in a lesson's file) as a person reads it: `Service beta/queue .spec.type = NodePort`.

Rules. Pure, from the wish's own keys; nothing is left out. A word that has no form of its own is said as its machine,
the word, what it needs, and the rest as `key value`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.grade.state import WORDS

if TYPE_CHECKING:
    from engine.grade.state import State


def wish_text(one: State) -> str:
    """The wish in a line. Names, paths and values stay as the file has them."""
    keys = _keys(one)
    name = "/".join(filter(None, (keys.pop("namespace", ""), keys.get("name", ""))))
    if one.word == "field":
        value = f" = {keys['value']}" if "value" in keys else ""
        return f"{keys['kind']} {name} {keys['path']}{value}"
    if one.word == "object":
        return f"{keys['kind']} {name}"
    if one.word == "prints":
        return f"{keys['on']}$ {keys['run']} · {keys['like']}"
    on = f"{keys.pop('on')}: " if "on" in keys else ""
    needs = [keys.pop(key) for key in WORDS[one.word].needs if key in keys]
    return on + " ".join([one.word, *needs, *(f"{key} {value}" for key, value in keys.items())])


def _keys(one: State) -> dict[str, str]:
    """The keys as the file writes them: `shown` is `WORD {key: value key: value}`."""
    word = WORDS[one.word]
    text = one.shown.removeprefix(one.word).strip().removeprefix("{").removesuffix("}")
    known = "|".join(map(re.escape, (*word.needs, *word.may)))
    parts = re.split(rf"(?:^| )({known}): ", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
