"""The plugin template: answers by a pattern, as far as the only variable is the name.

Source: coredns plugin/template.
"""

from __future__ import annotations

import re

from engine.l7.dns.chain import Next, Query, Reply, falls, matches
from engine.linux.wire.dns import Record
from engine.record import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """`answers` are zone-file lines (`{{ .Name }} 60 IN A 10.0.0.1`); none: the rcode alone."""

    type: str
    zones: tuple[str, ...]
    patterns: tuple[str, ...]
    answers: tuple[str, ...] = ()
    rcode: str = "NOERROR"
    fall: tuple[str, ...] | None = None

    def serve(self, query: Query, next: Next) -> Reply:
        asked = query.message
        if self.type not in ("ANY", asked.type) or not matches(self.zones, query.name):
            return next(query)
        if not any(re.search(pattern, query.name) for pattern in self.patterns):
            if falls(self.fall, query.name):
                return next(query)
            return Reply(message=replace(asked.reply("NXDOMAIN"), aa=True))
        records = []
        for line in self.answers:
            words = re.sub(r"\{\{ ?\.Name ?\}\}", asked.name, line).split()
            ttl = int(words.pop(1)) if len(words) > 1 and words[1].isdigit() else 3600
            if words[1:2] == ["IN"]:
                words.pop(1)
            records.append(Record(name=words[0], type=words[1].upper(), ttl=ttl, data=" ".join(words[2:])))
        message = replace(asked.reply(self.rcode), aa=True, answers=tuple(records))
        return Reply(message=message)
