"""bpftool's forms of map entries, maps and programs.

Theory. A map with BTF is dumped as JSON in which a number is what the machine's own byte order makes of its bytes: an
address that a program keeps in network order prints as a strange number. So does bpftool (its btf_dumper.c and map.c),
and so do we. Without BTF there are only bytes.
"""

from __future__ import annotations

import json
from typing import Any

from engine.linux.bpf.rows import KINDS, BpfMap, BpfProgram, Field, Key


def packed(fields: tuple[Field, ...], values: Key) -> bytes:
    """The struct's bytes."""
    return b"".join(
        value.to_bytes(KINDS[one.kind][0], KINDS[one.kind][1])  # type: ignore[arg-type]
        for one, value in zip(fields, values, strict=True)
    )


def unpacked(fields: tuple[Field, ...], data: bytes) -> Key:
    """Bytes back to a row's numbers. ValueError when there are too few or too many."""
    out: list[int] = []
    at = 0
    for one in fields:
        size, order = KINDS[one.kind]
        if at + size > len(data):
            raise ValueError(f"{len(data)} bytes")
        out.append(int.from_bytes(data[at : at + size], order))  # type: ignore[arg-type]
        at += size
    if at != len(data):
        raise ValueError(f"{len(data)} bytes")
    return tuple(out)


def btf(fields: tuple[Field, ...], values: Key) -> Any:
    """The struct as bpftool's BTF dumper has it: numbers in the machine's (little-endian) order."""
    shown = {
        one.name: int.from_bytes(packed((one,), (value,)), "little")
        for one, value in zip(fields, values, strict=True)
    }
    return shown[""] if list(shown) == [""] else shown


def entry(spec: BpfMap, key: Key, value: Key) -> dict[str, Any]:
    return {"key": btf(spec.key, key), "value": btf(spec.value, value)}


def entry_line(spec: BpfMap, key: Key, value: Key) -> str:
    """One entry in one line, after its map's name."""
    return f"{spec.name} {json.dumps(entry(spec, key, value))}"


def pretty(value: Any, depth: int = 1) -> str:
    """bpftool's own indentation (json_writer.c): members on lines of their own, eight columns for the first level."""
    if not isinstance(value, dict):
        return json.dumps(value)
    if not value:
        return "{}"
    pad = "    " * (depth + 1)
    inner = ",\n".join(f"{pad}{json.dumps(k)}: {pretty(v, depth + 1)}" for k, v in value.items())
    return "{\n" + inner + "\n" + "    " * depth + "}"


def dump(spec: BpfMap, entries: dict[Key, Key]) -> str:
    """`bpftool map dump` of a map with BTF."""
    return "[" + ",".join(pretty(entry(spec, k, v)) for k, v in entries.items()) + "\n]\n"


def hex_bytes(data: bytes) -> str:
    return " ".join(f"{byte:02x}" for byte in data)


def map_lines(spec: BpfMap) -> str:
    """A map as `bpftool map show` prints it (memlock, which this model does not count, is left out)."""
    lines = [f"{spec.id}: {spec.type}  name {spec.name}  flags {spec.flags:#x}"]
    size = f"\tkey {spec.key_size()}B  value {spec.value_size()}B  max_entries {spec.max_entries}"
    lines.append(size)
    if spec.pinned:
        lines.append(f"\tpinned {spec.pinned}")
    return "\n".join(lines) + "\n"


def program_lines(row: BpfProgram, loaded: str) -> str:
    """A program as `bpftool prog show` prints it, without the sizes of code that the model does not have."""
    lines = [f"{row.id}: {row.type}  name {row.name}  tag {row.tag}  gpl"]
    lines.append(f"\tloaded_at {loaded}  uid 0")
    if row.maps:
        lines.append(f"\tmap_ids {','.join(map(str, row.maps))}")
    return "\n".join(lines) + "\n"
