"""`ifconfig` of net-tools, to look only: changes are refused by name, `ip addr` and `ip link` make them."""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.addr import mac_text, mask, text4
from engine.linux.net import Net, Netns
from engine.linux.rows import Address, Link
from engine.linux.status import kind_flags, running
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Out, Tool

USE_IP = Phrase(en="Use `ip addr` and `ip link set`.", ko="`ip addr`와 `ip link set`을 쓰십시오.")
#: the kernel's flags in ifconfig's order: (word, bit)
FLAGS = (
    ("UP", 1), ("BROADCAST", 2), ("LOOPBACK", 8), ("POINTOPOINT", 0x10), ("RUNNING", 0x40), ("NOARP", 0x80),
    ("PROMISC", 0x100), ("MULTICAST", 0x1000),
)  # fmt: skip


def by_name(ns: Netns) -> list[Link]:
    """The devices as net-tools sorts them: by name, a number at its end by its value (nstrcmp)."""

    def key(link: Link) -> tuple[str, int]:
        stem = link.name.rstrip("0123456789")
        return stem, int(link.name[len(stem) :] or -1)

    return sorted(ns.links.values(), key=key)


def words_of(net: Net, ns: Netns, link: Link) -> set[str]:
    words = set(kind_flags(link))
    if link.up:
        words.add("UP")
    if running(net, ns, link):
        words.add("RUNNING")
    if link.promisc:
        words.add("PROMISC")
    return words


def human(count: int) -> str:
    """ifconfig's `(3.4 KiB)`: one digit, cut, not rounded."""
    size, unit = count * 10, "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 10240 or unit == "TiB":
            break
        size //= 1024
    return f"({size // 10}.{size % 10} {unit})"


def inet(row: Address) -> str:
    brd = "" if row.addr >> 24 == 127 and not row.broadcast else f"  broadcast {text4(row.broadcast)}"
    return f"        inet {text4(row.addr)}  netmask {text4(mask(row.length))}{brd}"


def block(net: Net, ns: Netns, link: Link) -> list[str]:
    words = words_of(net, ns, link)
    number = sum(bit for word, bit in FLAGS if word in words)
    flags = f"flags={number}<{','.join(word for word, _ in FLAGS if word in words)}>"
    rows = ns.addresses.get(link.ifindex, ())
    out = [f"{link.name}: {flags}  mtu {link.mtu}"]
    main = next((row for row in rows if row.label == link.name), None)
    if main is not None:
        line = inet(main)
        if "POINTOPOINT" in words:
            line = f"{line.partition('  broadcast')[0]}  destination {text4(main.addr)}"
        bare = link.kind == "loopback" or (link.headerless and "POINTOPOINT" not in words)
        out.append(line.partition("  broadcast")[0] if bare else line)
    if link.kind == "ipip":
        hard = f"        tunnel   txqueuelen {link.txqlen}  (IPIP Tunnel)"
    elif link.headerless:
        hard = f"        unspec {'-'.join(['00'] * 16)}  txqueuelen {link.txqlen}  (UNSPEC)"
    elif link.kind == "loopback":
        hard = f"        loop  txqueuelen {link.txqlen}  (Local Loopback)"
    else:
        hard = f"        ether {mac_text(link.mac)}  txqueuelen {link.txqlen}  (Ethernet)"
    rx, rx_bytes, tx, tx_bytes = ns.link_stats.get(link.ifindex, (0, 0, 0, 0))
    out += [
        hard,
        f"        RX packets {rx}  bytes {rx_bytes} {human(rx_bytes)}",
        "        RX errors 0  dropped 0  overruns 0  frame 0",
        f"        TX packets {tx}  bytes {tx_bytes} {human(tx_bytes)}",
        "        TX errors 0  dropped 0 overruns 0  carrier 0  collisions 0",
        "",
    ]
    seen = {link.name}
    for row in rows:
        if row.label not in seen:
            seen.add(row.label)
            out += [f"{row.label}: {flags}  mtu {link.mtu}", inet(row), hard, ""]
    return out


def perform(net: Net, netns: str, argv: list[str]) -> str:
    """What `ifconfig ARGV...` prints. Raises Fail, NotModelled."""
    ns = net.spaces[netns]
    every = False
    names: list[str] = []
    for word in argv:
        if word == "-a":
            every = True
        elif word == "-v":
            continue
        elif word in ("-s", "-V", "--help", "-h", "--version"):
            raise NotModelled(f"ifconfig {word}")
        elif word.startswith("-") and not names:
            raise Fail(
                f"ifconfig: option `{word}' not recognised.\nifconfig: `--help' gives usage information.", 1
            )
        else:
            names.append(word)
    if len(names) > 1:
        raise NotModelled(f"ifconfig {' '.join(names)}", USE_IP())
    if names:
        link = ns.link(names[0])
        if link is None:
            raise Fail(f"{names[0]}: error fetching interface information: Device not found", 1)
        lines = block(net, ns, link)
        return "".join(line + "\n" for line in lines[: lines.index("") + 1])
    out: list[str] = []
    for link in by_name(ns):
        if every or link.up:
            out += block(net, ns, link)
    return "".join(line + "\n" for line in out)


def _run(ctx: Context, argv: list[str]) -> Out:
    return Out(stdout=perform(ctx.net, ctx.ns.id, argv))


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    return ["-a", *ctx.ns.names]


TOOL = Tool(
    name="ifconfig",
    summary=Phrase(
        en="shows the devices in the old form (see ip addr)",
        ko="장치를 옛 형식으로 보여 줍니다 (ip addr 참고)",
    ),
    run=_run,
    complete=_complete,
    group="network",
    usage=("ifconfig [-a] [DEVICE]",),
)
