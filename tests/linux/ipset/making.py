"""Random ipset command lines as people could type them, wrong ones among them, for the comparison with the real tool.

`Maker(seed).lines(n)` gives argvs. Hashes get an `initval`, so that both sides list elements in the same order.
"""

from __future__ import annotations

import random

HASHES = (
    "hash:ip", "hash:net", "hash:ip,port", "hash:ip,port,ip", "hash:ip,port,net", "hash:net,port", "hash:net,iface",
)  # fmt: skip
KINDS = (*HASHES, "bitmap:ip", "bitmap:port", "list:set")
NAMES = ("a", "b", "c", "d", "e")
ICMP = ("echo-request", "ping", "3/1", "8/0", "host-unreachable", "40/2")
DEVICES = ("eth0", "eth1", "veth1", "veth12", "lo", "physdev:eth0", "physdev:veth1")


class Maker:
    """`narrow` keeps to lines that are likely to be taken."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.kinds: dict[str, str] = {}
        self.extensions: dict[str, set[str]] = {}

    def pick(self, *choices: str) -> str:
        return self.dice.choice(choices)

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def ip(self) -> str:
        if self.chance(0.02):
            return self.pick("0.0.0.0", "255.255.255.255", "foo", "1.2.3", "300.1.1.1")
        return f"10.{self.dice.choice((0, 0, 1))}.{self.dice.choice((0, 0, 1, 255))}.{self.dice.randrange(0, 40)}"

    def net(self, *, wide: bool = True) -> str:
        """A prefix; not a `wide` one where it stands for every address in it."""
        if self.chance(0.4):
            return self.ip()
        lengths = (
            (0, 1, 8, 15, 16, 24, 24, 27, 28, 30, 31, 32, 32, 33) if wide else (0, 28, 29, 30, 31, 32, 33)
        )
        return f"{self.ip()}/{self.dice.choice(lengths)}"

    def span(self) -> str:
        low, high = self.dice.randrange(0, 40), self.dice.randrange(0, 40)
        return f"10.0.0.{low}-10.0.{self.dice.choice((0, 0, 0, 0, 1))}.{high}"

    def port(self) -> str:
        proto = self.dice.random()
        if proto < 0.6:
            text = self.pick(
                "80", "443", "8080", "http", "0", "65535", "53", str(self.dice.randrange(70, 90))
            )
            if self.chance(0.15):
                text = f"{self.dice.randrange(70, 90)}-{self.dice.randrange(70, 90)}"
            return self.pick("", "", "tcp:", "udp:", "sctp:", "6:") + text
        if proto < 0.8:
            return f"icmp:{self.pick(*ICMP)}"
        return self.pick("esp:0", "47:0", "99:0", "esp:1", "foo:1", "tcp:x", "70000", "udp:domain", "tcp:1-x")

    def first(self, kind: str) -> str:
        roll = self.dice.random()
        if roll < 0.15:
            return self.span()
        if kind.startswith("hash:net"):
            return self.net()
        return self.net(wide=False) if roll < 0.5 else self.ip()

    def element(self, kind: str) -> str:
        if kind == "list:set":
            return self.pick(*NAMES)
        if kind == "bitmap:port":
            return self.pick("75", "80", "81", "72-78", "udp:80", "tcp:85", "1", "85-95", "http")
        out = [self.first(kind)]
        for part in kind.partition(":")[2].split(",")[1:]:
            if part == "port":
                out.append(self.port())
            elif part == "ip":
                out.append(self.ip() if self.chance(0.95) else self.net())
            elif part == "net":
                out.append(self.net())
            else:
                out.append(self.pick(*DEVICES))
        if self.chance(0.02):
            out.append("1")
        if self.chance(0.02) and len(out) > 1:
            out.pop()
        return ",".join(out)

    def create(self) -> list[str]:
        name, kind = self.pick(*NAMES), self.pick(*KINDS)
        words = ["create", name, kind]
        if kind == "bitmap:ip":
            words += ["range", self.pick("10.0.0.0/24", "10.0.0.0-10.0.0.35", "10.0.0.0/16", "10.0.0.0/8")]
            words += ["netmask", self.pick("30", "28")] if self.chance(0.2) else []
        elif kind == "bitmap:port":
            words += ["range", self.pick("70-90", "75-80", "http-90")]
        elif kind in HASHES:
            words += ["initval", f"0x{self.dice.getrandbits(32):08x}"]
            words += ["hashsize", self.pick("64", "128", "2048", "100")] if self.chance(0.6) else []
            words += ["maxelem", self.pick("4", "20", "70000")] if self.chance(0.2) else []
            words += ["bucketsize", self.pick("2", "4", "5", "200")] if self.chance(0.3) else []
            words += ["forceadd"] if self.chance(0.1) else []
            words += (
                ["netmask", self.pick("24", "30", "33")] if kind == "hash:ip" and self.chance(0.2) else []
            )
        for flag in ("counters", "comment", "skbinfo"):
            words += [flag] if self.chance(0.25) else []
        words += ["timeout", self.pick("0", "0", "5000")] if self.chance(0.25) else []
        words += [self.pick("foo", "timeout", "size")] if self.chance(0.03) else []
        words += ["-exist"] if self.chance(0.2) else []
        self.kinds[name] = kind
        return words

    def change(self, command: str) -> list[str]:
        name = self.pick(*self.kinds) if self.kinds and self.chance(0.97) else self.pick(*NAMES)
        kind = self.kinds.get(name, "hash:ip")
        words = [command, name, self.element(kind)]
        if kind == "list:set" and self.chance(0.3):
            words += [self.pick("before", "after"), self.pick(*NAMES)]
        if command == "add":
            words += ["timeout", self.pick("0", "4000")] if self.chance(0.1) else []
            words += ["nomatch"] if self.chance(0.15) and "net" in kind else []
            words += ["wildcard"] if self.chance(0.2) and "iface" in kind else []
            words += ["packets", "3", "bytes", "90"] if self.chance(0.1) else []
            words += ["comment", self.pick("x", "two words", "")] if self.chance(0.1) else []
            words += ["skbmark", self.pick("0x1", "0x1/0xff", "7")] if self.chance(0.05) else []
            words += ["skbprio", "1:10", "skbqueue", "3"] if self.chance(0.05) else []
        if command == "test" and "net" in kind and self.chance(0.2):
            words.append("nomatch")
        words += ["-exist"] if self.chance(0.15) else []
        return words

    def line(self) -> list[str]:
        roll = self.dice.random()
        if roll < 0.12 or not self.kinds:
            return self.create()
        if roll < 0.62:
            return self.change("add")
        if roll < 0.74:
            return self.change("del")
        if roll < 0.88:
            return self.change("test")
        if roll < 0.94:
            return [self.pick("list", "save"), self.pick(*NAMES), *(["-s"] if self.chance(0.5) else [])]
        if roll < 0.95:
            return [self.pick("flush", "destroy"), *([self.pick(*NAMES)] if self.chance(0.9) else [])]
        if roll < 0.97:
            return ["swap", self.pick(*NAMES), self.pick(*NAMES)]
        if roll < 0.98:
            return ["rename", self.pick(*NAMES), self.pick(*NAMES)]
        return self.dice.choice(
            [
                ["list", "-n"],
                ["list", "-t"],
                ["list", "-o", "xml"],
                ["save"],
                ["list", "a", "-o", "json"],
                ["frob"],
            ]
        )

    def lines(self, count: int) -> list[list[str]]:
        return [self.line() for _ in range(count)]
