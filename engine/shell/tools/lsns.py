"""lsns: the namespaces of the machine's processes, each with its oldest process.

Theory. lsns reads /proc/*/ns. A namespace that no process is in (only mounted by `ip netns add`) is shown by
its mount
with PID empty. NETNSID is the peer id that this network namespace has for another one.

Rules. Columns of util-linux 2.38; -o takes NS TYPE NPROCS PID USER COMMAND NETNSID NSFS. Golden: processes.txt.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.rows import NAMESPACE_TYPES, Proc
from engine.record import dataclass
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool

COLUMNS = ("NS", "TYPE", "NPROCS", "PID", "PPID", "USER", "NETNSID", "NSFS", "COMMAND")
RIGHT = ("NS", "NPROCS", "PID", "PPID", "NETNSID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One namespace: its inode, type, processes (oldest first) and where it is mounted."""

    inode: int
    kind: str
    procs: tuple[Proc, ...]
    mount: str = ""
    netnsid: str = "unassigned"


def _rows(ctx: Context) -> list[Row]:
    procs = ctx.files.procs()
    groups: dict[tuple[int, str], list[Proc]] = {}
    for proc in procs:
        for kind in NAMESPACE_TYPES:
            groups.setdefault((proc.space(kind), kind), []).append(proc)
    mounts = {
        ctx.net.spaces[id].inode: f"/run/netns/{name}"
        for name, id in ctx.box.netns_names.items()
        if id in ctx.net.spaces
    }
    ids = {
        ctx.net.spaces[id].inode: str(number) for id, number in ctx.ns.nsids.items() if id in ctx.net.spaces
    }
    rows = []
    for (inode, kind), found in groups.items():
        first = tuple(sorted(found, key=lambda p: p.pid))
        mount = mounts.get(inode, "") if kind == "net" else ""
        rows.append(
            Row(inode=inode, kind=kind, procs=first, mount=mount, netnsid=ids.get(inode, "unassigned"))
        )
    return sorted(rows, key=lambda r: r.inode)


def _cell(ctx: Context, row: Row, column: str, branch: str) -> str:
    first = row.procs[0]
    if column == "COMMAND":
        return branch + " ".join(first.args)
    values = {
        "NS": str(row.inode), "TYPE": row.kind, "NPROCS": str(len(row.procs)), "PID": str(ctx.files.seen_pid(first)),
        "PPID": str(first.ppid), "USER": first.user, "NETNSID": row.netnsid if row.kind == "net" else "",
        "NSFS": row.mount,
    }  # fmt: skip
    return values[column]


def _run(ctx: Context, argv: list[str]) -> Out:
    got = TOOL.parse(argv)
    kinds = got.opts.get("-t", [])
    for kind in kinds:
        if kind not in NAMESPACE_TYPES:
            raise Fail(f"lsns: unknown namespace type: {kind}")
    rows = [r for r in _rows(ctx) if not kinds or r.kind in kinds]
    only = got.words[0] if got.words else ""
    if only and not only.isdigit():
        raise Fail(f"lsns: invalid namespace argument: '{only}'")
    pid = got.last("-p")
    if pid:
        if not pid.isdigit():
            raise Fail(f"lsns: invalid PID argument: '{pid}'")
        if ctx.files.proc(pid) is None:
            raise Fail(f"lsns: not found PID: {pid}")
        rows = [r for r in rows if any(str(ctx.files.seen_pid(p)) == pid for p in r.procs)]
    columns = ["NS", "TYPE", "NPROCS", "PID", "USER", "COMMAND"]
    if kinds == ["net"]:
        columns = ["NS", "TYPE", "NPROCS", "PID", "USER", "NETNSID", "NSFS", "COMMAND"]
    if only:
        found = next((r for r in rows if str(r.inode) == only), None)
        if found is None:
            raise Fail(f"lsns: not found namespace: {only}")
        lines = [[str(ctx.files.seen_pid(p)), str(p.ppid), p.user, " ".join(p.args)] for p in found.procs]
        return Out(stdout=_table(["PID", "PPID", "USER", "COMMAND"], lines, "-n" not in got))
    if "-o" in got:
        columns = [c.strip().upper() for c in got.last("-o").lstrip("+").split(",")]
        for column in columns:
            if column not in COLUMNS:
                raise NotModelled(f"lsns -o {column}")
    lines = [
        [_cell(ctx, row, c, branch) for c in columns]
        for row, branch in _tree(ctx, rows, bool(pid) or "-l" in got)
    ]
    return Out(stdout=_table(columns, lines, "-n" not in got))


def _tree(ctx: Context, rows: list[Row], flat: bool) -> list[tuple[Row, str]]:
    """Rows with their branch: namespaces whose first process is below another's first process hang under it."""
    if flat or not rows:
        return [(r, "") for r in rows]
    root = min(p.pid for r in rows for p in r.procs)
    below = [r for r in rows if r.procs[0].pid != root]
    top = [r for r in rows if r.procs[0].pid == root]
    if not top:
        return [(r, "") for r in rows]
    out = [(r, "") for r in top]
    return out + [(r, "└─" if i == len(below) - 1 else "├─") for i, r in enumerate(below)]


def _table(columns: list[str], lines: list[list[str]], heads: bool) -> str:
    every = [columns, *lines]
    widths = [max(len(line[i]) for line in every) for i in range(len(columns))]
    if not heads:
        every = lines
        widths = [max((len(line[i]) for line in lines), default=0) for i in range(len(columns))]
    out = ""
    for line in every:
        cells = []
        for i, cell in enumerate(line):
            if i == len(line) - 1:
                cells.append(cell)
            else:
                cells.append(f"{cell:>{widths[i]}}" if columns[i] in RIGHT else f"{cell:<{widths[i]}}")
        out += " ".join(cells).rstrip() + "\n"
    return out


def _o(names: str, value: str, en: str, ko: str) -> Opt:
    return Opt(tuple(names.split()), value, Phrase(en, ko))


TOOL = Tool(
    name="lsns",
    summary=Phrase("the namespaces and their processes", "네임스페이스와 그 안의 프로세스를 보여 줍니다"),
    run=_run,
    complete=lambda ctx, argv, word: list(NAMESPACE_TYPES) if argv and argv[-1] in ("-t", "--type") else [],
    group="machine",
    usage=("lsns [-t mnt|uts|ipc|pid|net|cgroup|user|time] [-p PID] [-o COLUMNS] [NAMESPACE]",),
    opts=(
        _o("-t --type", "TYPE", "only this type", "이 종류만"),
        _o("-p --task", "PID", "those of this process", "이 프로세스의 것만"),
        _o("-o --output", "COLUMNS", "NS,TYPE,NPROCS,PID,PPID,USER,NETNSID,NSFS,COMMAND", "보여 줄 칸"),
        _o("-n --noheadings", "", "no title line", "제목 줄 없이"),
        _o("-l --list", "", "no tree", "나무 모양 없이"),
        _o("-r --raw", "", "accepted", "받습니다"),
        _o("-u --notruncate", "", "accepted", "받습니다"),
        _o("-W --nowrap", "", "accepted", "받습니다"),
        Opt(("-J", "--json"), refused=True),
        Opt(("-T", "--tree"), refused=True),
        Opt(("--output-all",), refused=True),
        Opt(("-P", "--persistent"), refused=True),
    ),
    after_unknown=("Try 'lsns --help' for more information.",),
)
