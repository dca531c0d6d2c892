"""Sockets as `ss` and `netstat` print them, and a line of `ss -tulpnH` back.

Theory. ss measures every column and pads it; on a terminal it spreads what room is left over the columns of a line
(misc/ss.c, render_calc_width). Sources: iproute2 6.1 misc/ss.c, net-tools netstat.c.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import InputError, Problem
from engine.linux import sockets
from engine.linux.addr import ip4, text4
from engine.linux.net import Net, Netns
from engine.linux.rows import Proc, Socket
from engine.linux.text.services import port_number, service
from engine.record import dataclass
from engine.say import Phrase

NOT_A_SOCKET = Phrase(
    en="{found!r} is not a socket as ss -H prints it",
    ko="{found!r}은(는) ss -H가 출력하는 소켓 형식이 아닙니다",
)

#: (header, right aligned, what stands before the column) of ss
COLUMNS = (
    ("Netid", False, ""), ("State", False, " "), ("Recv-Q", False, " "), ("Send-Q", False, " "),
    ("Local Address:", True, " "), ("Port", False, ""), ("Peer Address:", True, " "), ("Port", False, ""),
    ("Process", False, ""),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A socket with the processes that hold it, and its accept queue: how many wait, and how long it may be
    (-1 = as the program asked)."""

    socket: Socket
    procs: tuple[Proc, ...] = ()
    waiting: int = 0
    limit: int = -1


def listed(net: Net, ns: Netns, standing: Sequence[Socket] = ()) -> list[Shown]:
    """All sockets of a namespace, udp first, each by port and address; the kernel's own for its tunnels too, and
    `standing` connections that programs keep open, behind those that listen."""
    procs = net.boxes[ns.box].procs
    everything = [*ns.sockets, *kernel_sockets(ns), *standing]
    rows = sorted(everything, key=lambda s: (s.proto != "udp", s.state == "ESTAB", s.port, s.addr, s.peer))
    return [
        Shown(
            socket=s, procs=tuple(p for p in [procs.get(s.pid)] if p is not None),
            waiting=sockets.waiting(ns, s), limit=sockets.limit(ns, s),
        )
        for s in rows
    ]  # fmt: skip


def kernel_sockets(ns: Netns) -> list[Socket]:
    """The UDP sockets that nobody's process holds: of tunnels that are up."""
    ports = sorted(port for proto, port in ns.tunnels if proto == 17)
    return [Socket(proto="udp", addr=0, port=port, pid=0, state="UNCONN") for port in ports]


def port_text(socket: Socket, numeric: bool) -> str:
    return str(socket.port) if numeric else service(socket.port, socket.proto)


def comm(proc: Proc) -> str:
    """The process's name as the kernel keeps it: a title such as `nginx: master process` does not change it."""
    return proc.comm.partition(":")[0]


def users(row: Shown) -> str:
    """`users:(("nginx",pid=7,fd=6))`, or "" when nobody holds it."""
    held = ",".join(f'("{comm(p)}",pid={p.pid},fd={row.socket.fd})' for p in row.procs)
    return f"users:({held})" if held else ""


def cells(row: Shown, *, numeric: bool, processes: bool) -> list[str]:
    """One line of ss as its nine columns."""
    s = row.socket
    inside, queue = (
        (row.waiting, s.backlog if row.limit < 0 else row.limit) if s.state == "LISTEN" else (0, 0)
    )
    local = f"{text4(s.addr)}%{s.device}:" if s.device else f"{text4(s.addr)}:"
    held = users(row) if processes else ""
    peer, far = "0.0.0.0:", "*"
    if s.peer[1]:
        peer, far = f"{text4(s.peer[0])}:", str(s.peer[1]) if numeric else service(s.peer[1], s.proto)
    return [
        s.proto, s.state, f"{inside:<6}", f"{queue:<6}", local, port_text(s, numeric), peer, far,
        f" {held}" if held else "",
    ]  # fmt: skip


def render(rows: Sequence[Sequence[str]], *, hidden: Sequence[int] = (), screen: int | None = None) -> str:
    """ss's table: `rows` of cells (the header too, when it is wanted); `hidden` columns are left out; `screen` the
    terminal's width, None when the output is no terminal."""
    if not rows:
        return ""
    shown = [i for i in range(len(COLUMNS)) if i not in hidden]
    widths: dict[int, int] = {}
    first = True
    for i in shown:
        most = max(len(row[i]) for row in rows)
        width = most if first or not most else most + len(COLUMNS[i][2])
        widths[i] = width if screen is None else min(width, screen)
        first = first and not widths[i]
    if screen is not None:
        spread(widths, shown, screen)
    out: list[str] = []
    for row in rows:
        line = ""
        for place, i in enumerate(shown):
            _, right, before = COLUMNS[i]
            text = (before if place else "") + ("" if right else row[i])
            if right and widths[i]:
                text += " " * (widths[i] - len(row[i]) - len(text))
            text += row[i] if right else ""
            line += text if right or not widths[i] else text.ljust(widths[i])
        out.append(line if screen is None else line.rstrip())
    return "".join(line + "\n" for line in out)


def spread(widths: dict[int, int], shown: Sequence[int], screen: int) -> None:
    """The second pass of render_calc_width: the room that is left on each line goes to its columns."""
    columns = [i for i in shown if widths[i]]
    start = at = 0
    while start < len(columns):
        length = 0
        at = start
        while at < len(columns) and length + widths[columns[at]] <= screen:
            length += widths[columns[at]]
            at += 1
        line = columns[start : max(at, start + 1)]
        spacing, rest = divmod(max(screen - length, 0), len(line))
        for i in reversed(line):
            widths[i] += spacing + (1 if rest > 0 else 0)
            rest -= 1
        start += len(line)


def to_text(net: Net, ns: Netns, socket: Socket) -> str:
    """The line of `ss -tulpnH` for one socket, its columns parted by one space."""
    procs = net.boxes[ns.box].procs
    holder = procs.get(socket.pid)
    row = Shown(socket=socket, procs=() if holder is None else (holder,))
    one = [cell.strip() for cell in cells(row, numeric=True, processes=True)]
    line = f"{one[0]} {one[1]} {one[2]} {one[3]} {one[4]}{one[5]} {one[6]}{one[7]}"
    return f"{line} {one[8]}" if one[8] else line


def parse(text: str, where: str = "") -> Socket:
    """A line of `ss -tulpnH` (with its Netid) -> row. Raises InputError."""
    bad = InputError([Problem(where=where, said=NOT_A_SOCKET(found=text))])
    words = text.split()
    if len(words) < 6 or words[0] not in ("tcp", "udp") or not (words[2].isdigit() and words[3].isdigit()):
        raise bad
    address, _, port = words[4].rpartition(":")
    number = port_number(port, words[0])
    if number is None:
        raise bad
    address, _, device = address.partition("%")
    fields = {"pid": 0, "fd": 3}
    if len(words) > 6:
        for part in words[6].rstrip(")").split(","):
            key, equals, value = part.partition("=")
            if equals and key in fields and value.rstrip(")").isdigit():
                fields[key] = int(value.rstrip(")"))
    backlog = int(words[3]) if words[1] == "LISTEN" else 4096
    return Socket(
        proto=words[0], addr=0 if address == "*" else ip4(address, where), port=number, pid=fields["pid"],
        state=words[1], fd=fields["fd"], backlog=backlog, device=device,
    )  # fmt: skip


def netstat_line(row: Shown, *, numeric: bool, programs: bool) -> str:
    """One line of netstat."""
    s = row.socket
    host = text4(s.addr)
    if not numeric and s.addr == 0x7F000001:
        host = "localhost"
    local = f"{host}:{port_text(s, numeric)}"
    state = {"ESTAB": "ESTABLISHED"}.get(s.state, s.state) if s.proto == "tcp" else ""
    peer = "0.0.0.0:*"
    if s.peer[1]:
        name = "localhost" if not numeric and s.peer[0] == 0x7F000001 else text4(s.peer[0])
        peer = f"{name}:{s.peer[1] if numeric else service(s.peer[1], s.proto)}"
    line = f"{s.proto:<4} {row.waiting:>7} {0:>6} {local:<23} {peer:<23} {state:<11}"
    if programs:
        name = "-"
        if row.procs:
            first = row.procs[0]
            title = first.args[0].rsplit("/", 1)[-1] if first.args else ""
            name = f"{first.pid}/{title}"[:19]
        line += f" {name:<20}"
    return line
