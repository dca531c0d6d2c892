"""wg: WireGuard's keys, peers and allowed IPs, as wireguard-tools 1.0.20210914 shows and sets them.

Rules. Keys are real Curve25519 keys: `wg pubkey` computes them. `genkey` and `genpsk` draw from the lab, so that the
same lab draws the same keys. Everything that is set goes through the op SetDevice. Source: wireguard-tools
src/{set,config,genkey,pubkey}.c.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from engine.errors import InputError, NotModelled, OpError
from engine.linux import ops
from engine.linux.addr import ip4
from engine.linux.curve25519 import clamp, decode, encode, public
from engine.linux.linkinfo import WgPeer, WireGuard
from engine.record import replace
from engine.say import Phrase
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Out, Tool
from engine.shell.tools.wg_show import FIELDS, device, devices, show, showconf

USAGE = """Usage: wg <cmd> [<args>]

Available subcommands:
  show: Shows the current configuration and device information
  showconf: Shows the current configuration of a given WireGuard interface, for use with `setconf'
  set: Change the current configuration, add peers, remove peers, or change peers
  setconf: Applies a configuration file to a WireGuard interface
  addconf: Appends a configuration file to a WireGuard interface
  syncconf: Synchronizes a configuration file to a WireGuard interface
  genkey: Generates a new private key and writes it to stdout
  genpsk: Generates a new preshared key and writes it to stdout
  pubkey: Reads a private key from stdin and writes a public key to stdout
You may pass `--help' to any of these subcommands to view usage."""
SET_USAGE = (
    "Usage: wg set <interface> [listen-port <port>] [fwmark <mark>] [private-key <file path>] "
    "[peer <base64 public key> [remove] [preshared-key <file path>] [endpoint <ip>:<port>] "
    "[persistent-keepalive <interval seconds>] [allowed-ips <ip1>/<cidr1>[,<ip2>/<cidr2>]...] ]..."
)


# -- set ------------------------------------------------------------------------------------------------------


def key_of(word: str) -> str:
    if decode(word) is None:
        raise Fail(f"Key is not the correct length or format: `{word}'", 1)
    return word


def key_file(ctx: Context, path: str) -> str:
    """The key in a file; an empty file takes the key away."""
    try:
        text = ctx.files.read(ctx.path(path))
    except FileError as problem:
        raise Fail(f"fopen: {problem}", 1) from problem
    word = text.strip()
    return key_of(word) if word else ""


def endpoint_of(word: str) -> tuple[int, int]:
    host, colon, port = word.rpartition(":")
    if not colon:
        raise Fail(f"Unable to find port of endpoint: `{word}'", 1)
    if not port.isdigit() or int(port) > 0xFFFF:
        raise Fail(f"Unable to parse endpoint: `{word}'", 1)
    try:
        return ip4(host), int(port)
    except InputError:
        raise NotModelled(f"a host name as wg's endpoint ({host})") from None


def networks(word: str) -> tuple[tuple[int, int], ...]:
    out: list[tuple[int, int]] = []
    for one in word.split(",") if word else ():
        address, slash, length = one.strip().partition("/")
        try:
            number = ip4(address)
            bits = int(length) if slash else 32
        except (InputError, ValueError):
            raise Fail(f"AllowedIP is not in the correct format: `{one}'", 1) from None
        if not 0 <= bits <= 32:
            raise Fail(f"AllowedIP is not in the correct format: `{one}'", 1)
        out.append((number & (0xFFFFFFFF << (32 - bits) & 0xFFFFFFFF), bits))
    return tuple(out)


def number_of(word: str, top: int, what: str) -> int:
    if word == "off":
        return 0
    try:
        value = int(word, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= top:
        raise Fail(f"{what}: `{word}'", 1)
    return value


def with_peer(info: WireGuard, peer: WgPeer) -> WireGuard:
    """A peer set: what it is allowed leaves every other peer, for an address has one key."""
    others = tuple(
        replace(one, allowed=tuple(net for net in one.allowed if net not in peer.allowed))
        if one.key != peer.key
        else peer
        for one in info.peers
    )
    return replace(info, peers=others if info.peer(peer.key) is not None else (*others, peer))


def set_words(ctx: Context, info: WireGuard, words: list[str]) -> WireGuard:
    """The words after `wg set DEVICE`."""
    peer: WgPeer | None = None

    def value(word: str) -> str:
        if not words:
            raise Fail(f"Invalid argument: {word}", 1)
        return words.pop(0)

    while words:
        word = words.pop(0)
        if peer is None and word == "listen-port":
            info = replace(info, port=number_of(value(word), 0xFFFF, "Unable to parse port"))
        elif peer is None and word == "fwmark":
            info = replace(
                info, fwmark=number_of(value(word), 0xFFFFFFFF, "Fwmark is neither 0/off nor 0-0xffffffff")
            )
        elif peer is None and word == "private-key":
            info = replace(info, private=key_file(ctx, value(word)))
        elif word == "peer":
            key = key_of(value(word))
            peer = info.peer(key) or WgPeer(key=key)
            info = with_peer(info, peer)
        elif peer is not None and word == "remove":
            info = replace(info, peers=tuple(one for one in info.peers if one.key != peer.key))
        elif peer is not None and word in (
            "endpoint",
            "allowed-ips",
            "persistent-keepalive",
            "preshared-key",
        ):
            text = value(word)
            if word == "endpoint":
                peer = replace(peer, endpoint=endpoint_of(text))
            elif word == "allowed-ips":
                peer = replace(peer, allowed=networks(text))
            elif word == "preshared-key":
                peer = replace(peer, preshared=key_file(ctx, text))
            else:
                what = "The persistent keepalive interval is neither 0/off nor 1-65535"
                peer = replace(peer, keepalive=number_of(text, 0xFFFF, what))
            info = with_peer(info, peer)
        else:
            raise Fail(f"Invalid argument: {word}", 1)
    return info


def change(ctx: Context, name: str, info: WireGuard) -> None:
    try:
        ctx.do(ops.SetDevice(netns=ctx.ns.id, name=name, info=info))
    except OpError as problem:
        raise Fail(f"Unable to modify interface: {problem.tool_text.rpartition(': ')[2]}", 1) from problem


def conf_words(text: str) -> Iterator[tuple[str, str, str]]:
    """(section, key, value) of a configuration file. Raises Fail."""
    section = ""
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        if not line:
            continue
        if line.lower() in ("[interface]", "[peer]"):
            section = line.lower()
            yield section, "", ""
            continue
        key, equals, value = line.partition("=")
        if not equals or not section:
            raise Fail(f"Line unrecognized: `{line.replace(' ', '')}'\nConfiguration parsing error", 1)
        yield section, key.strip().lower(), value.strip()


def configure(info: WireGuard, text: str) -> WireGuard:
    """A configuration file applied to a record."""
    peer: WgPeer | None = None
    for section, key, value in conf_words(text):
        if not key:
            peer = None
            continue
        if section == "[interface]" and key == "listenport":
            info = replace(info, port=number_of(value, 0xFFFF, "Unable to parse port"))
        elif section == "[interface]" and key == "fwmark":
            info = replace(
                info, fwmark=number_of(value, 0xFFFFFFFF, "Fwmark is neither 0/off nor 0-0xffffffff")
            )
        elif section == "[interface]" and key == "privatekey":
            info = replace(info, private=key_of(value))
        elif section == "[peer]" and key == "publickey":
            peer = info.peer(key_of(value)) or WgPeer(key=value)
            info = with_peer(info, peer)
        elif (
            section == "[peer]"
            and peer is not None
            and key in ("allowedips", "endpoint", "presharedkey", "persistentkeepalive")
        ):
            if key == "allowedips":
                peer = replace(peer, allowed=(*peer.allowed, *networks(value)))
            elif key == "endpoint":
                peer = replace(peer, endpoint=endpoint_of(value))
            elif key == "presharedkey":
                peer = replace(peer, preshared=key_of(value))
            else:
                what = "The persistent keepalive interval is neither 0/off nor 1-65535"
                peer = replace(peer, keepalive=number_of(value, 0xFFFF, what))
            info = with_peer(info, peer)
        else:
            raise Fail(f"Line unrecognized: `{key}={value}'\nConfiguration parsing error", 1)
    return info


def set_conf(ctx: Context, argv: list[str], verb: str) -> str:
    if len(argv) != 2:
        raise Fail(f"Usage: wg {verb} <interface> <configuration filename>", 1)
    try:
        text = ctx.files.read(ctx.path(argv[1]))
    except FileError as problem:
        raise Fail(f"fopen: {problem}", 1) from problem
    link, info = device(ctx.ns, argv[0], "modify")
    start = info if verb == "addconf" else replace(info, peers=()) if verb == "syncconf" else WireGuard()
    change(ctx, link.name, configure(start, text))
    return ""


def draw(ctx: Context, what: str) -> bytes:
    """32 bytes that the lab draws: another each time, the same in the same lab."""
    ctx.net.next_ident = ctx.net.next_ident + 1 & 0xFFFF or 1
    return hashlib.blake2b(f"{what}/{ctx.net.next_ident}/{ctx.net.clock}".encode(), digest_size=32).digest()


def _run(ctx: Context, argv: list[str]) -> Out:
    word, rest = (argv[0], argv[1:]) if argv else ("show", [])
    if word in ("-h", "--help", "help"):
        return Out(stdout=USAGE + "\n")
    if word in ("-v", "--version", "version"):
        return Out(stdout="wireguard-tools v1.0.20210914 - https://git.zx2c4.com/wireguard-tools/\n")
    if word == "show":
        return Out(stdout=show(ctx, rest))
    if word == "showconf":
        return Out(stdout=showconf(ctx, rest))
    if word == "set":
        if len(rest) < 2:
            raise Fail(SET_USAGE, 1)
        there = ctx.ns.link(rest[0])
        info = there.info if there is not None and isinstance(there.info, WireGuard) else WireGuard()
        asked = set_words(ctx, info, rest[1:])
        link, _ = device(ctx.ns, rest[0], "modify")
        change(ctx, link.name, asked)
        return Out()
    if word in ("setconf", "addconf", "syncconf"):
        return Out(stdout=set_conf(ctx, rest, word))
    if word in ("genkey", "genpsk"):
        if rest:
            raise Fail(f"Usage: wg {word}", 1)
        raw = draw(ctx, word)
        return Out(stdout=encode(clamp(raw) if word == "genkey" else raw) + "\n")
    if word == "pubkey":
        key = ctx.stdin.strip()
        if decode(key) is None:
            raise Fail("wg: Key is not the correct length or format", 1)
        return Out(stdout=public(key) + "\n")
    raise Fail(f"Invalid subcommand: `{word}'\n{USAGE}", 1)


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    if not argv:
        return ["show", "showconf", "set", "setconf", "addconf", "syncconf", "genkey", "genpsk", "pubkey"]
    if len(argv) == 1:
        return [link.name for link, _ in devices(ctx.ns)] + (
            ["all", "interfaces"] if argv[0] == "show" else []
        )
    if argv[0] == "show":
        return list(FIELDS)
    return ["listen-port", "fwmark", "private-key", "peer", "endpoint", "allowed-ips", "persistent-keepalive"]


TOOL = Tool(
    name="wg",
    summary=Phrase(
        en="shows and sets the keys, peers and allowed IPs of WireGuard devices",
        ko="WireGuard 장치의 키, 피어, allowed IPs를 보고 바꿉니다",
    ),
    run=_run,
    complete=_complete,
    group="network",
    usage=(
        "wg [show [DEV|all|interfaces] [FIELD]] | showconf DEV | genkey | genpsk | pubkey",
        "wg set DEV [listen-port N] [fwmark M] [private-key FILE] [peer KEY [remove] [endpoint IP:PORT] "
        "[allowed-ips NET,...] [persistent-keepalive S] [preshared-key FILE]]...",
        "wg setconf|addconf|syncconf DEV FILE",
    ),
)
