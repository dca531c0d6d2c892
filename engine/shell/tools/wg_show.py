"""`wg show` and `wg showconf`. Source: wireguard-tools src/show.c, showconf.c."""

from __future__ import annotations

from collections.abc import Iterator

from engine.linux.addr import text4
from engine.linux.clock import BIRTH
from engine.linux.curve25519 import public
from engine.linux.linkinfo import WgPeer, WireGuard
from engine.linux.net import Netns
from engine.linux.rows import Link, WgSession
from engine.shell.tool import Context, Fail

SHOW_USAGE = (
    "Usage: wg show { <interface> | all | interfaces } [public-key | private-key | listen-port | fwmark | peers | "
    "preshared-keys | endpoints | allowed-ips | latest-handshakes | transfer | persistent-keepalive | dump]"
)
FIELDS = (
    "public-key", "private-key", "listen-port", "fwmark", "peers", "preshared-keys", "endpoints", "allowed-ips",
    "latest-handshakes", "transfer", "persistent-keepalive", "dump",
)  # fmt: skip
UNITS = ("B", "KiB", "MiB", "GiB")


def devices(ns: Netns) -> Iterator[tuple[Link, WireGuard]]:
    for index in sorted(ns.links):
        info = ns.links[index].info
        if isinstance(info, WireGuard):
            yield ns.links[index], info


def device(ns: Netns, name: str, doing: str) -> tuple[Link, WireGuard]:
    """A WireGuard device. Raises Fail."""
    link = ns.link(name)
    if link is None:
        raise Fail(f"Unable to {doing} interface: No such device", 1)
    if not isinstance(link.info, WireGuard):
        raise Fail(f"Unable to {doing} interface: Operation not supported", 1)
    return link, link.info


def endpoint(peer: WgPeer) -> str:
    return f"{text4(peer.endpoint[0])}:{peer.endpoint[1]}" if peer.endpoint is not None else "(none)"


def allowed(peer: WgPeer, join: str) -> str:
    return join.join(f"{text4(net)}/{length}" for net, length in peer.allowed) or "(none)"


def amount(count: int) -> str:
    """`92 B`, `1.45 KiB`, as the tool rounds."""
    if count < 1024:
        return f"{count} B"
    value, unit = float(count), 0
    while value >= 1024 and unit < 3:
        value, unit = value / 1024, unit + 1
    return f"{value:.2f} {UNITS[unit]}"


def ago(seconds: int) -> str:
    """`1 minute, 5 seconds ago`."""
    if seconds <= 0:
        return "Now"
    parts: list[str] = []
    for size, word in ((31536000, "year"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {word}{'s' if count > 1 else ''}")
    return ", ".join(parts) + " ago"


def session(ctx: Context, link: Link, peer: WgPeer) -> WgSession | None:
    return ctx.ns.wg_sessions.get((link.ifindex, peer.key))


# -- show -----------------------------------------------------------------------------------------------------


def show(ctx: Context, argv: list[str]) -> str:
    if argv[:1] in (["--help"], ["-h"], ["help"]):
        raise Fail("", 0, SHOW_USAGE + "\n")
    if not argv or argv == ["all"]:
        return "\n".join(pretty(ctx, link, info) for link, info in devices(ctx.ns))
    if argv == ["interfaces"]:
        names = [link.name for link, _ in devices(ctx.ns)]
        return " ".join(names) + "\n" if names else ""
    if len(argv) > 2 or (len(argv) == 2 and argv[1] not in FIELDS):
        word = argv[1] if len(argv) > 1 else ""
        raise Fail(f"Invalid parameter: `{word}'\n{SHOW_USAGE}" if len(argv) == 2 else SHOW_USAGE, 1)
    if argv[0] == "all":
        return "".join(field_lines(ctx, link, info, argv[1], link.name) for link, info in devices(ctx.ns))
    link, info = device(ctx.ns, argv[0], "access")
    return field_lines(ctx, link, info, argv[1], "") if len(argv) == 2 else pretty(ctx, link, info)


def pretty(ctx: Context, link: Link, info: WireGuard) -> str:
    out = [f"interface: {link.name}"]
    if info.private:
        out += [f"  public key: {public(info.private)}", "  private key: (hidden)"]
    out += [f"  listening port: {info.port}"] if info.port else []
    out += [f"  fwmark: {info.fwmark:#x}"] if info.fwmark else []

    def freshest(peer: WgPeer) -> float:
        found = session(ctx, link, peer)
        return -found.since if found is not None else 1.0

    for peer in sorted(info.peers, key=freshest):
        out += ["", f"peer: {peer.key}"]
        out += ["  preshared key: (hidden)"] if peer.preshared else []
        out += [f"  endpoint: {endpoint(peer)}"] if peer.endpoint is not None else []
        out.append(f"  allowed ips: {allowed(peer, ', ')}")
        found = session(ctx, link, peer)
        if found is not None:
            out.append(f"  latest handshake: {ago(int(ctx.net.clock - found.since))}")
            out.append(f"  transfer: {amount(found.received)} received, {amount(found.transmitted)} sent")
        if peer.keepalive:
            word = "second" if peer.keepalive == 1 else "seconds"
            out.append(f"  persistent keepalive: every {peer.keepalive} {word}")
    return "\n".join(out) + "\n"


def field_lines(ctx: Context, link: Link, info: WireGuard, word: str, name: str) -> str:
    head = f"{name}\t" if name else ""
    mark = f"{info.fwmark:#x}" if info.fwmark else "off"
    single = {
        "public-key": public(info.private) or "(none)", "private-key": info.private or "(none)",
        "listen-port": str(info.port), "fwmark": mark,
    }  # fmt: skip
    if word in single:
        return f"{head}{single[word]}\n"
    if word == "dump":
        lines = [f"{head}{info.private or '(none)'}\t{public(info.private) or '(none)'}\t{info.port}\t{mark}"]
        lines += [f"{head}{dump_line(ctx, link, peer)}" for peer in info.peers]
        return "".join(line + "\n" for line in lines)
    out = ""
    for peer in info.peers:
        found = session(ctx, link, peer)
        value = {
            "peers": "", "preshared-keys": peer.preshared or "(none)", "endpoints": endpoint(peer),
            "allowed-ips": allowed(peer, " "), "latest-handshakes": str(handshake_time(ctx, found)),
            "transfer": f"{found.received if found else 0}\t{found.transmitted if found else 0}",
            "persistent-keepalive": str(peer.keepalive or "off"),
        }[word]  # fmt: skip
        out += f"{head}{peer.key}" + (f"\t{value}" if word != "peers" else "") + "\n"
    return out


def handshake_time(ctx: Context, found: WgSession | None) -> int:
    if found is None:
        return 0
    return int((BIRTH - BIRTH.__class__(1970, 1, 1)).total_seconds() + found.since)


def dump_line(ctx: Context, link: Link, peer: WgPeer) -> str:
    found = session(ctx, link, peer)
    fields = (
        peer.key, peer.preshared or "(none)", endpoint(peer), allowed(peer, ","), handshake_time(ctx, found),
        found.received if found else 0, found.transmitted if found else 0, peer.keepalive or "off",
    )  # fmt: skip
    return "\t".join(str(value) for value in fields)


def showconf(ctx: Context, argv: list[str]) -> str:
    if len(argv) != 1:
        raise Fail("Usage: wg showconf <interface>", 1)
    _, info = device(ctx.ns, argv[0], "access")
    out = ["[Interface]"]
    out += [f"ListenPort = {info.port}"] if info.port else []
    out += [f"FwMark = {info.fwmark:#x}"] if info.fwmark else []
    out += [f"PrivateKey = {info.private}"] if info.private else []
    out.append("")
    for at, peer in enumerate(info.peers):
        out += [*([""] if at else []), "[Peer]", f"PublicKey = {peer.key}"]
        out += [f"PresharedKey = {peer.preshared}"] if peer.preshared else []
        out += [f"AllowedIPs = {allowed(peer, ', ')}"] if peer.allowed else []
        out += [f"Endpoint = {endpoint(peer)}"] if peer.endpoint is not None else []
        out += [f"PersistentKeepalive = {peer.keepalive}"] if peer.keepalive else []
    return "\n".join(out) + "\n"
