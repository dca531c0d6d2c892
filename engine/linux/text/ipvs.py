"""Virtual services and destinations as `ipvsadm -S -n` prints them, and read again.

Rules. To the character of ipvsadm 1.31. A line is the arguments of the command that makes the row:
`-A -t 10.96.0.10:80 -s rr`, `-a -t 10.96.0.10:80 -r 10.244.1.2:8080 -m -w 1`. What a line may say is read by the tool
itself (engine/shell/tools/ipvsadm.py), which accepts more than is printed; here is the printed form and its reading.
"""

from __future__ import annotations

from engine.errors import InputError, Problem
from engine.linux.addr import ip4, text4
from engine.linux.ipvs.rows import FULL_MASK, Dest, Service, SvcKey
from engine.linux.packet import Proto
from engine.say import Phrase

NOT_A_LINE = Phrase(
    "{line!r} is no line of ipvsadm -S -n; it should look like {example}",
    "{line!r}은(는) ipvsadm -S -n의 줄이 아닙니다. {example}과(와) 같은 모양이어야 합니다",
)
EXAMPLE = "-A -t 10.96.0.10:80 -s rr"
METHOD_LETTERS = {"route": "-g", "tunnel": "-i", "masq": "-m"}
PROTO_LETTERS = {Proto.TCP: "-t", Proto.UDP: "-u"}
#: scheduler -> names of its flag bits, as ipvsadm says them
FLAG_NAMES = {"sh": ("sh-fallback", "sh-port"), "mh": ("mh-fallback", "mh-port")}


def peer_text(addr: int, port: int) -> str:
    return f"{text4(addr)}:{port}"


def key_text(key: SvcKey) -> str:
    """`-t 10.96.0.10:80`, `-f 7`."""
    proto, addr, port = key
    return f"{PROTO_LETTERS[Proto(proto)]} {peer_text(addr, port)}" if proto else f"-f {addr}"


def flags_text(svc: Service) -> str:
    """The scheduler's flags: `sh-fallback,sh-port`, `flag-1` where a bit has no name."""
    names = FLAG_NAMES.get(svc.scheduler, ())
    return ",".join(names[b - 1] if b <= len(names) else f"flag-{b}" for b in sorted(svc.flags))


def service_text(svc: Service) -> str:
    words = ["-A", key_text(svc.key), "-s", svc.scheduler]
    if svc.timeout:
        words += ["-p", str(svc.timeout)]
        if svc.netmask != FULL_MASK:
            words += ["-M", text4(svc.netmask)]
    if svc.ops:
        words.append("-o")
    if svc.flags:
        words += ["-b", flags_text(svc)]
    return " ".join(words)


def dest_text(key: SvcKey, dest: Dest) -> str:
    words = ["-a", key_text(key), "-r", peer_text(dest.addr, dest.port), METHOD_LETTERS[dest.method]]
    words += ["-w", str(dest.weight)]
    if dest.method == "tunnel":
        words += ["--tun-type", "ipip"]
    if dest.upper:
        words += ["-x", str(dest.upper)]
    if dest.lower:
        words += ["-y", str(dest.lower)]
    return " ".join(words)


def parse_service(line: str) -> Service:
    """A line `-A ...` as `service_text` writes it. InputError for anything else."""
    words = line.split()
    try:
        if words[0] != "-A":
            raise ValueError
        values = _options(words[3:])
        proto, addr, port, fwmark = _where(words[1], words[2])
        flags = frozenset(_flag(values["-s"], name) for name in values.get("-b", "").split(",") if name)
        return Service(
            proto=proto, addr=addr, port=port, fwmark=fwmark, scheduler=values["-s"],
            timeout=int(values.get("-p", "0")), netmask=ip4(values["-M"]) if "-M" in values else FULL_MASK,
            flags=flags, ops="-o" in values,
        )  # fmt: skip
    except (IndexError, KeyError, ValueError, StopIteration):
        raise InputError([Problem(where="", said=NOT_A_LINE(line=line, example=EXAMPLE))]) from None


def parse_dest(line: str) -> tuple[tuple[int, int, int], Dest]:
    """A line `-a ...`: the service's key and the server."""
    words = line.split()
    try:
        if words[0] != "-a":
            raise ValueError
        values = _options(words[3:])
        proto, addr, port, fwmark = _where(words[1], words[2])
        where, _, number = values["-r"].rpartition(":")
        method = next(name for name, letter in METHOD_LETTERS.items() if letter in values)
        weight = int(values["-w"])
        dest = Dest(
            addr=ip4(where), port=int(number), weight=weight, method=method, upper=int(values.get("-x", "0")),
            lower=int(values.get("-y", "0")), last_weight=weight,
        )  # fmt: skip
        return ((0, fwmark, 0) if fwmark else (proto, addr, port)), dest
    except (IndexError, KeyError, ValueError, StopIteration):
        raise InputError([Problem(where="", said=NOT_A_LINE(line=line, example=EXAMPLE))]) from None


ALONE = ("-o", "-g", "-i", "-m")


def _options(words: list[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word in out:
            raise ValueError(word)
        out[word] = "" if word in ALONE else rest.pop(0)
    return out


def _where(letter: str, text: str) -> tuple[int, int, int, int]:
    """(protocol, address, port, firewall mark)."""
    if letter == "-f":
        return 0, 0, 0, int(text)
    proto = next(p for p, known in PROTO_LETTERS.items() if known == letter)
    where, _, port = text.rpartition(":")
    return int(proto), ip4(where), int(port), 0


def _flag(scheduler: str, name: str) -> int:
    names = FLAG_NAMES.get(scheduler, ())
    return names.index(name) + 1 if name in names else int(name.removeprefix("flag-"))
