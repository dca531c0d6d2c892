"""bpftool: the machine's eBPF maps, programs and where they are attached.

Theory. Names and forms are those of bpftool 7 (tools/bpf/bpftool in the kernel tree): maps with BTF print as JSON, and
so do ours. What the model does not have is left out of a line rather than made up: sizes of code, memlock, BTF ids.

Rules. Programs come from a dataplane of the lab (an agent loads them); here they are looked at, and maps are read and
written. `map create`, `prog load` and other objects are refused by name.
"""

from __future__ import annotations

import json
from typing import Any

from engine.errors import NotModelled, OpError
from engine.linux.bpf import maps
from engine.linux.bpf import text as forms
from engine.linux.bpf.rows import DEVICE_HOOKS, Bpf, BpfMap, Key
from engine.linux.clock import moment
from engine.linux.ops import DeleteMapEntry, UpdateMap
from engine.say import Phrase
from engine.shell import powers
from engine.shell.tool import Context, Fail, Out, Tool

VERSION = "bpftool v7.5.0\nusing libbpf v1.5\nfeatures: libbpf_strict\n"
USAGE = """\
Usage: bpftool [OPTIONS] OBJECT { COMMAND | help }
       bpftool batch file FILE
       bpftool version

       OBJECT := { prog | map | link | cgroup | perf | net | feature | btf | gen | struct_ops | iter }
       OPTIONS := { {-j|--json} [{-p|--pretty}] | {-d|--debug} |
                    {-V|--version} }"""
OBJECTS = (
    "prog",
    "map",
    "link",
    "cgroup",
    "perf",
    "net",
    "feature",
    "btf",
    "gen",
    "struct_ops",
    "iter",
    "batch",
)
COMMANDS = {
    "map": ("show", "list", "dump", "lookup", "update", "delete", "getnext"),
    "prog": ("show", "list"),
    "net": ("show", "list"),
    "cgroup": ("tree", "show", "list"),
    "link": ("show", "list"),
}
#: what else bpftool has under each object
REFUSED = {
    "map": ("create", "pin", "event_pipe", "peek", "push", "pop", "enqueue", "dequeue", "freeze"),
    "prog": ("dump", "pin", "load", "loadall", "attach", "detach", "tracelog", "run", "profile"),
    "net": ("attach", "detach"),
    "cgroup": ("attach", "detach"),
    "link": ("pin", "detach"),
}
FLAGS = {"any": maps.ANY, "noexist": maps.NOEXIST, "exist": maps.EXIST}


def _run(ctx: Context, argv: list[str]) -> Out:
    words: list[str] = []
    as_json = indent = False
    for word in argv:
        if word in ("-j", "--json"):
            as_json = True
        elif word in ("-p", "--pretty"):
            as_json = indent = True
        elif word in ("-V", "--version"):
            return Out(stdout=VERSION)
        elif word.startswith("-") and not words:
            raise (
                NotModelled(f"bpftool {word}")
                if word in ("-d", "--debug", "-f", "-n", "-m")
                else Fail(USAGE, 255)
            )
        else:
            words.append(word)
    if not words or words[0] == "help":
        raise Fail(USAGE, 255 if not words else 0)
    if words[0] == "version":
        return Out(stdout=VERSION)
    if not powers.has(ctx.box, ctx.spot, "BPF") and not powers.has(ctx.box, ctx.spot, "SYS_ADMIN"):
        raise Fail("Error: can't get next map: Operation not permitted", 255)
    kind = next((o for o in OBJECTS if o.startswith(words[0])), "")
    if not kind:
        raise Fail(USAGE, 255)
    if kind not in COMMANDS:
        raise NotModelled(f"bpftool {kind}")
    wanted = words[1] if len(words) > 1 else COMMANDS[kind][0]
    command = next((c for c in (*COMMANDS[kind], *REFUSED[kind]) if c.startswith(wanted)), "")
    if command in REFUSED[kind]:
        raise NotModelled(f"bpftool {kind} {command}")
    if not command:
        raise Fail(USAGE, 255)
    value = TABLE[kind](ctx, command, words[2:])
    if isinstance(value, str):
        return Out(stdout=_json_of(kind, ctx, indent) if as_json and command in ("show", "list") else value)
    shown, plain = value
    return Out(stdout=_json(shown, indent) if as_json else plain)


def _json(value: Any, indent: bool) -> str:
    if indent:
        return json.dumps(value, indent=4) + "\n"
    return json.dumps(value, separators=(",", ":")) + "\n"


def _json_of(kind: str, ctx: Context, indent: bool) -> str:
    bpf = ctx.box.bpf
    if kind == "map":
        rows: list[dict[str, Any]] = [
            {"id": m.id, "type": m.type, "name": m.name, "flags": m.flags, "bytes_key": m.key_size(),
             "bytes_value": m.value_size(), "max_entries": m.max_entries}
            for m in bpf.maps.values()
        ]  # fmt: skip
    elif kind == "prog":
        rows = [
            {
                "id": p.id,
                "type": p.type,
                "name": p.name,
                "tag": p.tag,
                "gpl_compatible": True,
                "map_ids": list(p.maps),
            }
            for p in bpf.programs.values()
        ]
    else:
        raise NotModelled(f"bpftool -j {kind}")
    return _json(rows, indent)


# -- maps ---------------------------------------------------------------------------------------------------


def _map(ctx: Context, command: str, words: list[str]) -> str | tuple[Any, str]:
    bpf = ctx.box.bpf
    if command in ("show", "list"):
        found = _meant(bpf, words)[0] if words else list(bpf.maps.values())
        return "".join(forms.map_lines(m) for m in found)
    if not words:
        raise Fail("Error: '(null)' needs at least 2 arguments, 0 found", 255)
    found, rest = _meant(bpf, words)
    if command == "dump":
        every = [forms.entry(m, k, v) for m in found for k, v in bpf.entries[m.id].items()]
        return every, "".join(forms.dump(m, bpf.entries[m.id]) for m in found)
    if len(found) != 1:
        raise Fail("Error: several maps match this handle" if found else "Error: can't parse handle", 255)
    spec = found[0]
    if command == "getnext" and not rest:
        return _next(spec, None, bpf)
    key, rest = _data(spec, "key", rest, spec.key_size())
    numbers = forms.unpacked(spec.key, key)
    if command == "lookup":
        hit = maps.lookup(bpf, spec, numbers)
        if hit is None:
            return None, f"key:\n{forms.hex_bytes(key)}\n\nNot found\n"
        shown = forms.entry(spec, numbers, hit[1])
        return shown, forms.pretty(shown, 0) + "\n"
    if command == "getnext":
        return _next(spec, numbers, bpf)
    try:
        if command == "delete":
            ctx.do(DeleteMapEntry(box=ctx.box.name, name=spec.name, key=numbers))
            return "", ""
        value, rest = _data(spec, "value", rest, spec.value_size())
        if rest and (len(rest) > 1 or rest[0] not in FLAGS):
            raise Fail(f"Error: expected nothing more, got: '{rest[-1]}'?", 255)
        flags = FLAGS[rest[0]] if rest else maps.ANY
        changed = forms.unpacked(spec.value, value)
        ctx.do(UpdateMap(box=ctx.box.name, name=spec.name, key=numbers, value=changed, flags=flags))
        return "", ""
    except OpError as error:
        raise Fail(f"Error: {command} failed: {error.text('en')}", 255) from None


def _next(spec: BpfMap, key: Key | None, bpf: Bpf) -> tuple[Any, str]:
    keys = list(bpf.entries[spec.id])
    at = keys.index(key) + 1 if key in keys else 0
    if at >= len(keys):
        raise Fail("Error: can't get next key: No such file or directory", 255)
    head = "key: None" if key is None else f"key:\n{forms.hex_bytes(forms.packed(spec.key, key))}"
    return None, f"{head}\nnext key:\n{forms.hex_bytes(forms.packed(spec.key, keys[at]))}\n"


def _meant(bpf: Bpf, words: list[str]) -> tuple[list[BpfMap], list[str]]:
    """The maps of `id N`, `name NAME` or `pinned FILE`, and the words after that."""
    how, *rest = words
    if how not in ("id", "name", "pinned") or not rest:
        raise Fail(f"Error: expected 'id', 'name' or 'pinned', got: '{how}'?", 255)
    value, rest = rest[0], rest[1:]
    if how == "id":
        if not value.isdigit():
            raise Fail(f"Error: can't parse {value} as ID", 255)
        if int(value) not in bpf.maps:
            raise Fail(f"Error: get map by id ({value}): No such file or directory", 255)
        return [bpf.maps[int(value)]], rest
    if how == "name":
        return [m for m in bpf.maps.values() if m.name == value], rest
    found = [m for m in bpf.maps.values() if m.pinned == value]
    if not found:
        raise Fail(f"Error: bpf obj get ({value}): No such file or directory", 255)
    return found, rest


def _data(spec: BpfMap, what: str, words: list[str], size: int) -> tuple[bytes, list[str]]:
    """`key [hex] BYTE...` of exactly this size."""
    if not words:
        raise Fail(f"Error: did not find {what}", 255)
    if words[0] != what:
        raise Fail(f"Error: expected '{what}', got: '{words[0]}'?", 255)
    rest = words[1:]
    base = 0
    if rest[:1] == ["hex"]:
        base, rest = 16, rest[1:]
    if len(rest) < size:
        raise Fail(f"Error: expected {size} more arguments, got {len(rest)}", 255)
    out = []
    for word in rest[:size]:
        try:
            number = int(word, base)
        except ValueError:
            number = -1
        if not 0 <= number <= 255:
            raise Fail(f"Error: error parsing byte: {word}", 255)
        out.append(number)
    return bytes(out), rest[size:]


# -- programs and where they are ----------------------------------------------------------------------------


def _prog(ctx: Context, command: str, words: list[str]) -> str:
    rows = list(ctx.box.bpf.programs.values())
    if words:
        if len(words) != 2 or words[0] not in ("id", "name", "tag"):
            raise Fail(f"Error: expected 'id', 'tag', 'name' or 'pinned', got: '{words[0]}'?", 255)
        rows = [p for p in rows if words[1] == str(getattr(p, words[0]))]
        if not rows:
            raise Fail(f"Error: get by {words[0]} ({words[1]}): No such file or directory", 255)
    return "".join(forms.program_lines(p, _moment(p.loaded)) for p in rows)


def _moment(seconds: float) -> str:
    """A virtual time as bpftool writes it."""
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%S+0000")


def _net(ctx: Context, command: str, words: list[str]) -> str:
    """Devices of the shell's own network namespace, as bpftool sees them."""
    if words and (len(words) != 2 or words[0] != "dev"):
        raise Fail(f"Error: expected 'dev', got: '{words[0]}'?", 255)
    ns, bpf = ctx.ns, ctx.box.bpf
    if words and words[1] not in ns.names:
        raise Fail(f"Error: invalid dev name {words[1]}", 255)
    parts: dict[str, list[str]] = {"xdp": [], "tc": []}
    for one in bpf.attached:
        link = ns.links.get(one.ifindex)
        if (
            one.hook not in DEVICE_HOOKS
            or one.netns != ns.id
            or link is None
            or words[1:] not in ([], [link.name])
        ):
            continue
        name = bpf.programs[one.program].name
        if one.hook == "xdp":
            parts["xdp"].append(f"{link.name}({link.ifindex}) driver id {one.program}\n")
        else:
            place = f"{link.name}({link.ifindex}) {one.hook} {name}"
            parts["tc"].append(f"{place} prog_id {one.program} link_id {one.link} \n")
    heads = ("xdp", "tc", "flow_dissector", "netfilter")
    return "\n".join(f"{head}:\n" + "".join(parts.get(head, [])) for head in heads) + "\n"


def _cgroup(ctx: Context, command: str, words: list[str]) -> str:
    root = "/sys/fs/cgroup"
    if command != "tree" and words != [root]:
        raise Fail(
            "Error: too few parameters for cgroup" if not words else f"Error: can't open cgroup {words[0]}",
            255,
        )
    rows = [one for one in ctx.box.bpf.attached if one.hook not in DEVICE_HOOKS]
    head = f"{'ID':<8} {'AttachType':<15} {'AttachFlags':<15} {'Name':<15}\n"
    if command == "tree":
        head = "CgroupPath\n" + head + (root + "\n" if rows else "")
    pad = "    " if command == "tree" else ""
    names = ctx.box.bpf.programs
    return head + "".join(
        f"{pad}{one.program:<8} {one.hook:<15} {'multi':<15} {names[one.program].name:<15}\n" for one in rows
    )


def _link(ctx: Context, command: str, words: list[str]) -> str:
    if words:
        raise NotModelled(f"bpftool link {command} {' '.join(words)}")
    out = ""
    for one in ctx.box.bpf.attached:
        kind = "tcx" if one.hook.startswith("tcx") else "xdp" if one.hook == "xdp" else "cgroup"
        out += f"{one.link}: {kind}  prog {one.program}  \n"
        if kind == "cgroup":
            out += f"\tcgroup_id 1  attach_type {one.hook}  \n"
        else:
            ns = ctx.net.spaces.get(one.netns)
            link = ns.links.get(one.ifindex) if ns is not None else None
            name = (
                f"{link.name}({one.ifindex})"
                if link is not None and ns is ctx.ns
                else f"ifindex {one.ifindex}"
            )
            end = f"  attach_type {one.hook.replace('/', '_')}  " if kind == "tcx" else "  "
            out += f"\tifindex {name}{end}\n" if link is not None and ns is ctx.ns else f"\t{name}{end}\n"
    return out


TABLE: dict[str, Any] = {"map": _map, "prog": _prog, "net": _net, "cgroup": _cgroup, "link": _link}


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    if not argv:
        return [*COMMANDS, "version", "help"]
    if len(argv) == 1:
        return list(COMMANDS.get(argv[0], ()))
    if argv[-1] == "name":
        rows = ctx.box.bpf.maps.values() if argv[0] == "map" else ctx.box.bpf.programs.values()
        return [row.name for row in rows]
    if len(argv) == 2 and argv[0] in ("map", "prog"):
        return ["id", "name"] + (["pinned"] if argv[0] == "map" else ["tag"])
    return []


TOOL = Tool(
    name="bpftool",
    summary=Phrase(
        "eBPF programs and maps, and where they are attached", "eBPF 프로그램과 맵, 그리고 붙은 자리를 봅니다"
    ),
    run=_run,
    complete=_complete,
    group="network",
    usage=(
        "bpftool map [show | dump | lookup | getnext | update | delete] [id N | name NAME | pinned FILE] [key BYTES]",
        "bpftool prog [show] [id N | name NAME]",
        "bpftool net [show] [dev DEVICE]",
        "bpftool cgroup tree",
        "bpftool link",
    ),
)
