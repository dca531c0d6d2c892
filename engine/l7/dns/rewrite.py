"""The plugin rewrite: the question is changed before the plugins behind it see it, and the answer is changed back.

Source: coredns plugin/rewrite/{rewrite,name,type}.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.l7.dns.chain import Next, Query, Reply
from engine.linux.wire.dns import Message, Record
from engine.record import dataclass, replace

RULES = ("exact", "prefix", "suffix", "substring", "regex")
Change = Callable[[str], str]
#: types whose data is a name, as `answer value` and `answer auto` change it
NAMED = ("CNAME", "PTR", "NS", "SRV", "MX")


def put(template: str, groups: tuple[str, ...]) -> str:
    for number, value in enumerate(groups):
        template = template.replace("{" + str(number) + "}", value)
    return template


def remap(old: str, new: str) -> Change:
    """The name itself, and names below it."""

    def change(name: str) -> str:
        if name == old:
            return new
        return name.removesuffix(old) + new if name.endswith("." + old) else name

    return change


def resuffix(old: str, new: str) -> Change:
    return lambda name: name.removesuffix(old) + new if name.endswith(old) else name


def pattern(old: str, new: str) -> Change:
    def change(name: str) -> str:
        found = re.search(old, name)
        return put(new, (found[0], *(g or "" for g in found.groups()))) if found else name

    return change


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRule:
    """`answer`: (auto | name | value, pattern, replacement) of each `answer` that follows the rule."""

    match: str
    old: str
    new: str
    stop: bool = True
    answer: tuple[tuple[str, str, str], ...] = ()

    def question(self, name: str) -> str | None:
        """The new name; None when the rule does not fit."""
        if self.match == "exact":
            return self.new if name == self.old else None
        if self.match == "prefix":
            return self.new + name.removeprefix(self.old) if name.startswith(self.old) else None
        if self.match == "suffix":
            return name.removesuffix(self.old) + self.new if name.endswith(self.old) else None
        if self.match == "substring":
            return name.replace(self.old, self.new) if self.old in name else None
        found = re.search(self.old, name)
        return put(self.new, (found[0], *(g or "" for g in found.groups()))) if found else None

    def back(self, asked: str, became: str) -> list[tuple[str, Change]]:
        """What is done to the records of the answer: (name | value, how)."""
        out: list[tuple[str, Change]] = []
        auto = self.match == "exact" or any(kind == "auto" for kind, _, _ in self.answer)
        if auto:
            how = resuffix(self.new, self.old) if self.match == "suffix" else remap(became, asked)
            out += [("name", how), ("value", how)]
        return out + [(kind, pattern(old, new)) for kind, old, new in self.answer if kind != "auto"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRule:
    old: str
    new: str
    stop: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    rules: tuple[NameRule | TypeRule, ...]

    def serve(self, query: Query, next: Next) -> Reply:
        asked = query.message
        now = asked
        changes: list[tuple[str, Change]] = []
        for rule in self.rules:
            if isinstance(rule, TypeRule):
                if now.type != rule.old:
                    continue
                now = replace(now, type=rule.new)
            else:
                name = rule.question(now.name.lower())
                if name is None:
                    continue
                changes += rule.back(now.name.lower(), name)
                now = replace(now, name=name)
            if rule.stop:
                break
        if now == asked:
            return next(query)
        query.message = now
        reply = next(query)
        query.message = asked
        message = reply.message
        if message is None:
            return reply
        return replace(reply, message=reverted(message, asked, changes))


def reverted(message: Message, asked: Message, changes: list[tuple[str, Change]]) -> Message:
    """The answer with the question that the client asked."""

    def record(one: Record) -> Record:
        for kind, how in changes:
            if kind == "name":
                one = replace(one, name=how(one.name))
            elif one.type in NAMED:
                *head, name = one.data.split(" ")
                one = replace(one, data=" ".join([*head, how(name)]))
        return one

    return replace(
        message, name=asked.name, type=asked.type, answers=tuple(map(record, message.answers)),
        additional=tuple(map(record, message.additional)),
    )  # fmt: skip
